//! The clap command with all options.

use clap::{Arg, Command, CommandFactory};

use super::options::Cli;

/// The ids and names of the options of the whole program.
pub(super) const COLOR: &str = "color";
pub(super) const CONFIG: &str = "config";
pub(super) const PROFILE: &str = "profile";

/// The commands whose options are only on the command line. A shell may run `completions` whenever
/// it starts, so an invalid config file must not break it.
pub(super) const COMMANDS_WITHOUT_LAYERS: [&str; 3] = ["serve", "completions", "man"];

pub(super) fn clap_command() -> Command {
    let hidden = [CONFIG, PROFILE].map(|id| Arg::new(id).long(id).hide(true));
    let add_hidden = |command: Command, name| command.mut_subcommand(name, |it| it.args(&hidden));
    let command = Cli::command().mut_subcommands(allow_negative_numbers);
    COMMANDS_WITHOUT_LAYERS
        .into_iter()
        .fold(command, add_hidden)
}

/// Lets the parser of an option refuse a negative number, because clap would take the number for an
/// unknown option.
fn allow_negative_numbers(command: Command) -> Command {
    command
        .mut_subcommands(allow_negative_numbers)
        .allow_negative_numbers(true)
}

/// Returns the name of an option and its aliases, without the dashes.
pub(super) fn names_of(arg: &Arg) -> Vec<&str> {
    let aliases = arg.get_all_aliases().unwrap_or_default();
    arg.get_long().into_iter().chain(aliases).collect()
}

pub(super) fn option_name(arg: &Arg) -> String {
    format!("--{}", arg.get_long().unwrap_or_default())
}

pub(super) fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

#[cfg(test)]
mod tests {
    #[test]
    fn passes_clap_debug_assert() {
        super::clap_command().debug_assert();
    }
}
