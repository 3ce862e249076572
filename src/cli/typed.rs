//! The arguments on the command line, read as far as the lower layers need it: which command runs,
//! and which options are typed.
//!
//! Clap checks conflicts and required options while it parses, so the options of the lower layers
//! must be added before, and clap cannot tell yet which options are typed.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};
use clap_lex::RawArgs;

use super::command_line::{names_of, option_name, takes_value};

pub(super) struct TypedArguments<'c> {
    /// The arguments for clap, which accepts no value for a switch. `--insecure=true` is therefore
    /// stored as `--insecure`, and `--insecure=false` is left out.
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
    /// Whether the option is a switch with the value `false`.
    pub(super) is_off: bool,
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
                let is_named = |arg: &Arg| name.is_ok_and(|name| names_of(arg).contains(&name));
                typed.add(is_named, |_| value);
            } else if let Some(mut flags) = argument.to_short() {
                while let Some(flag) = flags.next_flag() {
                    let is_named = |arg: &Arg| arg.get_short().map(Ok) == Some(flag);
                    typed.add(is_named, |arg| {
                        takes_value(arg).then(|| flags.next_value_os())?
                    });
                }
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
        typed
    }

    /// Returns the options of the command that runs, and those of the whole program.
    pub(super) fn known_args(&self) -> impl Iterator<Item = &'c Arg> + use<'c> {
        let args = self.command.get_arguments();
        args.chain(self.program.get_arguments())
    }

    /// Returns whether an option is typed, and is not a switch with the value `false`.
    pub(super) fn has(&self, id: &str) -> bool {
        let mut on = self.options.iter().filter(|option| !option.is_off);
        on.any(|option| option.arg.get_id() == id)
    }

    /// Returns the last value of an option.
    pub(super) fn value_of(&self, id: &str) -> Option<&OsStr> {
        let mut options = self.options.iter().rev();
        let option = options.find(|option| option.arg.get_id() == id)?;
        option.value.as_deref()
    }

    fn add<'v>(
        &mut self,
        is_named: impl Fn(&Arg) -> bool,
        value_of: impl FnOnce(&Arg) -> Option<&'v OsStr>,
    ) {
        let Some(arg) = self.known_args().find(|arg| is_named(arg)) else {
            self.are_known = false;
            return;
        };
        let value = value_of(arg);
        let is = |text| !takes_value(arg) && value == Some(OsStr::new(text));
        // `--insecure=false` after `--insecure` is kept, so that clap refuses the contradiction.
        let is_off = is("false") && !self.has(arg.get_id().as_str());
        if is_off || is("true") {
            self.arguments.pop();
        }
        if is("true") {
            self.arguments.push(option_name(arg).into());
        }
        self.options.push(TypedOption {
            arg,
            value: value.map(OsStr::to_owned),
            is_off,
        });
    }
}
