//! The clap command with all options.

use std::ffi::OsStr;

use clap::{Arg, Command, CommandFactory};

use super::{
    options::{Cli, add_options},
    sections::{sections_of, to_help},
};

/// The ids and names of the options of the whole program.
pub(super) const COLOR: &str = "color";
pub(super) const CONFIG: &str = "config";
pub(super) const PROFILE: &str = "profile";

/// The commands whose options are only on the command line. A shell may run `completions` whenever
/// it starts, so an invalid config file must not break it.
pub(super) const COMMANDS_WITHOUT_LAYERS: [&str; 3] = ["serve", "completions", "man"];

/// Returns the command of the program. Only the commands whose names `is_needed` accepts have
/// options and a complete help text.
pub(super) fn clap_command(is_needed: impl Fn(&str) -> bool) -> Command {
    let program = Cli::command().mut_subcommands(|command| {
        if is_needed(command.get_name()) {
            complete(command)
        } else {
            command
        }
    });
    add_sections(program, "")
}

fn complete(command: Command) -> Command {
    let name = command.get_name().to_owned();
    let mut command = allow_negative_numbers(add_options(command));
    if COMMANDS_WITHOUT_LAYERS.contains(&&*name) {
        command = command.args([CONFIG, PROFILE].map(|id| Arg::new(id).long(id).hide(true)));
    }
    let command = command.mut_subcommands(|subcommand| {
        let path = format!("{name} {}", subcommand.get_name());
        add_sections(subcommand, &path)
    });
    add_sections(command, &name)
}

/// Adds the sections at the end of the help of a command. `path` is the path of the command as in
/// [`sections_of`].
fn add_sections(command: Command, path: &str) -> Command {
    let heading = *command.get_styles().get_header();
    command.after_long_help(to_help(&sections_of(path), &heading))
}

/// Lets the parser of an option refuse a negative number, because clap would take the number for an
/// unknown option.
fn allow_negative_numbers(command: Command) -> Command {
    command
        .mut_subcommands(allow_negative_numbers)
        .allow_negative_numbers(true)
}

/// Returns the name of an option and its aliases, without the dashes.
pub(super) fn names_of(arg: &Arg) -> impl Iterator<Item = &str> {
    let aliases = arg.get_all_aliases().into_iter().flatten();
    arg.get_long().into_iter().chain(aliases)
}

pub(super) fn option_name(arg: &Arg) -> String {
    format!("--{}", arg.get_long().unwrap_or_default())
}

pub(super) fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

/// Two options set the header "authorization", with which clap cannot see a conflict.
pub(super) fn sets_authorization(argument: &OsStr) -> bool {
    match argument.to_string_lossy().split_once('=') {
        Some(("--bearer-token-file", _)) => true,
        Some(("--header", header)) => header
            .split_once(':')
            .is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case("authorization")),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::clap_command;

    #[test]
    fn passes_clap_debug_assert() {
        clap_command(|_| true).debug_assert();
    }

    #[test]
    fn help_of_each_option_begins_with_one_line() {
        let mut command = clap_command(|_| true);
        command.build();
        check_help(&command);
    }

    fn check_help(command: &Command) {
        let is_own = |arg: &&Arg| !arg.is_hide_set() && arg.get_id() != "help";
        let args = command.get_arguments().filter(is_own);
        let helps = args.map(|arg| (arg.get_help(), arg.get_long_help()));
        for (help, long_help) in helps.chain([(command.get_about(), command.get_long_about())]) {
            let help = help.expect("a help text").to_string();
            assert!(help.len() <= 80 && !help.contains('\n'), "{help}");
            assert!(help.starts_with(|c: char| c.is_ascii_uppercase()), "{help}");
            assert!(!help.ends_with('.'), "{help}");
            if let Some(long_help) = long_help {
                let long_help = long_help.to_string();
                let details = long_help.strip_prefix(&format!("{help}\n\n"));
                assert!(details.is_some_and(|text| !text.is_empty()), "{long_help}");
            }
        }
        command.get_subcommands().for_each(check_help);
    }
}
