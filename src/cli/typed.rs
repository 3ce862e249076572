//! The arguments on the command line, read as far as the lower layers need it: which command runs,
//! and which options are typed.
//!
//! Clap checks conflicts and required options while it parses, so the options of the lower layers
//! must be added before, and clap cannot tell yet which options are typed.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};
use clap_lex::{RawArgs, ShortFlags};

use super::command_line::{names_of, option_name, sets_authorization, takes_value};

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

impl TypedOption<'_> {
    pub(super) fn sets_authorization(&self) -> bool {
        let value = self.value.as_deref().unwrap_or_default();
        let mut argument = OsString::from(format!("{}=", option_name(self.arg)));
        argument.push(value);
        sets_authorization(&argument)
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
                let is_named = |arg: &Arg| names_of(arg).any(|it| name == Ok(it));
                typed.add(is_named, |_| value);
            } else if let Some(mut flags) = argument.to_short() {
                while let Some(flag) = flags.next_flag() {
                    let is_named = |arg: &Arg| arg.get_short().map(Ok) == Some(flag);
                    typed.add(is_named, |arg| {
                        if takes_value(arg) {
                            flags.next_value_os()
                        } else {
                            next_switch_value(&mut flags)
                        }
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
        if (is_off || is("true"))
            && let Some(argument) = self.arguments.pop()
        {
            let argument = argument.to_string_lossy();
            // Other switches may precede this one, as in `-qn=true`.
            let kept = match argument.split_once('=') {
                Some((switch, _)) if is("true") => switch,
                Some((switches, _)) if !switches.starts_with("--") => {
                    &switches[..switches.len() - 1]
                }
                _ => "-",
            };
            if kept != "-" {
                self.arguments.push(kept.into());
            }
        }
        self.options.push(TypedOption {
            arg,
            value: value.map(OsStr::to_owned),
            is_off,
        });
    }
}

/// Returns the value of a switch, such as in `-n=true`.
fn next_switch_value<'s>(flags: &mut ShortFlags<'s>) -> Option<&'s OsStr> {
    let mut value = flags.clone();
    if value.next_flag() != Some(Ok('=')) {
        return None;
    }
    flags.next_value_os();
    value.next_value_os()
}
