//! The arguments on the command line, read as far as the lower layers need it: which command runs,
//! and which options are typed.
//!
//! Clap checks conflicts and required options while it parses, so the options of the lower layers
//! must be added before, and clap cannot tell yet which options are typed.

use std::ffi::{OsStr, OsString};

use clap::{Arg, ArgAction, Command};
use clap_lex::{RawArgs, ShortFlags};

use super::{
    command_line::{names_of, option_name, sets_authorization, takes_value},
    layer::count_repetitions,
};
use crate::{diagnostics::Failure, user_path::describe_value};

pub(super) struct TypedArguments<'c> {
    /// The arguments for clap, which accepts no value for a switch. Each switch that is on is
    /// therefore stored at the start of the options, without its value.
    pub(super) arguments: Vec<OsString>,
    /// The position in `arguments` after the name of the command.
    pub(super) options_start: usize,
    pub(super) program: &'c Command,
    /// The subcommand that runs.
    pub(super) command: &'c Command,
    pub(super) options: Vec<TypedOption<'c>>,
    /// Whether all arguments are known here. `--help` and mistakes are not, and are left to clap.
    pub(super) are_known: bool,
}

pub(super) struct TypedOption<'c> {
    pub(super) arg: &'c Arg,
    value: Option<OsString>,
    /// How often clap gets a switch, or `None` if the value of the switch is wrong.
    repetitions: Option<usize>,
}

impl TypedOption<'_> {
    pub(super) fn sets_authorization(&self) -> bool {
        let value = self.value.as_deref().unwrap_or_default();
        let mut argument = OsString::from(format!("{}=", option_name(self.arg)));
        argument.push(value);
        sets_authorization(&argument)
    }

    /// Returns whether the option is a switch with the value `false`.
    pub(super) fn is_off(&self) -> bool {
        self.repetitions == Some(0)
    }
}

impl<'c> TypedArguments<'c> {
    pub(super) fn read(
        program: &'c Command,
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Self {
        let raw = RawArgs::new(arguments);
        let mut cursor = raw.cursor();
        let program_name = raw.next_os(&mut cursor).unwrap_or_default();
        let mut typed = Self {
            arguments: vec![program_name.to_owned()],
            options_start: 1,
            program,
            command: program,
            options: Vec::new(),
            are_known: true,
        };
        while let Some(argument) = raw.next(&mut cursor) {
            let text = argument.to_value_os();
            typed.arguments.push(text.to_owned());
            if argument.is_escape() {
                let rest = raw.remaining(&mut cursor);
                typed.arguments.extend(rest.map(OsStr::to_owned));
                break;
            } else if let Some((name, value)) = argument.to_long() {
                let arg = typed.find(|arg| names_of(arg).any(|it| name == Ok(it)));
                if typed.add(arg, value) {
                    typed.arguments.pop();
                }
            } else if let Some(flags) = argument.to_short() {
                typed.arguments.pop();
                typed.add_flags(flags);
            } else if let Some(command) = typed.command.find_subcommand(text) {
                typed.command = command;
                typed.options_start = typed.arguments.len();
                continue;
            } else {
                typed.are_known &= !typed.command.has_subcommands();
                continue;
            }
            if let Some(option) = typed.options.last_mut()
                && option.value.is_none()
                && takes_value(option.arg)
                && let Some(value) = raw.next_os(&mut cursor)
            {
                option.value = Some(value.to_owned());
                typed.arguments.push(value.to_owned());
            }
        }
        let switches = typed.options.iter().filter(|it| is_switch(it.arg));
        let switches = switches.flat_map(|it| {
            std::iter::repeat_n(option_name(it.arg).into(), it.repetitions.unwrap_or(0))
        });
        let start = typed.options_start;
        typed.arguments.splice(start..start, switches);
        typed
    }

    /// Returns the options of the command that runs, and those of the whole program.
    pub(super) fn known_args(&self) -> impl Iterator<Item = &'c Arg> + use<'c> {
        let args = self.command.get_arguments();
        args.chain(self.program.get_arguments())
    }

    /// Returns whether an option is typed, and is not a switch with the value `false`.
    pub(super) fn has(&self, id: &str) -> bool {
        let mut on = self.options.iter().filter(|option| !option.is_off());
        on.any(|option| option.arg.get_id() == id)
    }

    /// Returns the last value of an option.
    pub(super) fn value_of(&self, id: &str) -> Option<&OsStr> {
        let mut options = self.options.iter().rev();
        let option = options.find(|option| option.arg.get_id() == id)?;
        option.value.as_deref()
    }

    /// Returns an error for a switch whose value is wrong.
    pub(super) fn check_switches(&self) -> Result<(), Failure> {
        let mut options = self.options.iter();
        let Some(option) = options.find(|option| option.repetitions.is_none()) else {
            return Ok(());
        };
        let value = option.value.as_deref().unwrap_or_default();
        Err(Failure::usage(format!(
            "invalid value \"{}\" for {}: expected true or false",
            describe_value(&value.to_string_lossy()),
            option_name(option.arg)
        )))
    }

    fn find(&mut self, is_named: impl Fn(&Arg) -> bool) -> Option<&'c Arg> {
        let arg = self.known_args().find(|arg| is_named(arg));
        self.are_known &= arg.is_some();
        arg
    }

    /// Adds an option, and returns whether it is a switch. The last value of a switch decides.
    fn add(&mut self, arg: Option<&'c Arg>, value: Option<&OsStr>) -> bool {
        let Some(arg) = arg else {
            return false;
        };
        let mut repetitions = Some(1);
        if is_switch(arg) {
            repetitions = value.map_or(repetitions, |value| count_repetitions(arg, value));
            if value.is_some() || !matches!(arg.get_action(), ArgAction::Count) {
                self.options.retain(|it| it.arg.get_id() != arg.get_id());
            }
        }
        self.options.push(TypedOption {
            arg,
            value: value.map(OsStr::to_owned),
            repetitions,
        });
        is_switch(arg)
    }

    /// Adds an argument such as `-qn=true` or `-qsHOST`.
    fn add_flags(&mut self, mut flags: ShortFlags<'_>) {
        let mut kept = OsString::from("-");
        while let Some(flag) = flags.next_flag() {
            let arg = self.find(|arg| arg.get_short().map(Ok) == Some(flag));
            let value = match arg {
                Some(arg) if takes_value(arg) => flags.next_value_os(),
                Some(_) => next_switch_value(&mut flags),
                None => None,
            };
            if !self.add(arg, value) {
                match flag {
                    Ok(flag) => kept.push(flag.to_string()),
                    Err(bytes) => kept.push(bytes),
                }
                kept.push(value.unwrap_or_default());
            }
        }
        if kept != "-" {
            self.arguments.push(kept);
        }
    }
}

fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::Count)
}

/// Returns the value of a switch, such as in `-n=true`.
fn next_switch_value<'s>(flags: &mut ShortFlags<'s>) -> Option<&'s OsStr> {
    let mut value = flags.clone();
    if value.next_flag() != Some(Ok('=')) {
        return None;
    }
    flags.next_value_os();
    Some(value.next_value_os().unwrap_or_default())
}
