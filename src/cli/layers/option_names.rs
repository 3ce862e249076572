//! The names of options in config files and environment variables.

use clap::{Arg, Command};

use super::config_args::{CONFIG, PROFILE};

/// Returns the name of an option and its aliases, without the dashes.
pub(super) fn names_of(arg: &Arg) -> Vec<&str> {
    let aliases = arg.get_all_aliases().unwrap_or_default();
    arg.get_long().into_iter().chain(aliases).collect()
}

/// Returns whether a config file may set the option `name`. A config file must not set `--config`
/// and `--profile`, which select the file, or `--help` and `--version`, which run no command.
pub(super) fn is_configurable(name: &str) -> bool {
    ![CONFIG, PROFILE, "help", "version"].contains(&name)
}

/// Returns the sorted names of all configurable options of a command and its subcommands.
pub(super) fn configurable_names(command: &Command) -> Vec<String> {
    let names = command.get_arguments().flat_map(names_of);
    let mut all: Vec<_> = names.map(ToOwned::to_owned).collect();
    all.extend(command.get_subcommands().flat_map(configurable_names));
    all.retain(|name| is_configurable(name));
    all.sort_unstable();
    all.dedup();
    all
}

/// Returns the candidate that is most similar to a misspelled name, or `None` if there are no
/// candidates.
pub(super) fn nearest_name<'c>(
    name: &str,
    candidates: impl Iterator<Item = &'c String>,
) -> Option<&'c str> {
    let similarity = |candidate: &&String| strsim::jaro_winkler(candidate.as_str(), name);
    candidates
        .max_by(|a, b| similarity(a).total_cmp(&similarity(b)))
        .map(String::as_str)
}
