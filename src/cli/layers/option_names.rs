//! The names of options, as they stand in config files and variables.

use clap::{Arg, Command};

use super::config_args::{CONFIG, PROFILE};

/// Returns the name of an option and its aliases, without the dashes.
pub(super) fn names_of(arg: &Arg) -> Vec<&str> {
    let aliases = arg.get_all_aliases().unwrap_or_default();
    arg.get_long().into_iter().chain(aliases).collect()
}

/// Whether an option of this name may stand in a config file. Some options say where that file is,
/// or print something instead of running a command.
pub(super) fn is_configurable(name: &str) -> bool {
    ![CONFIG, PROFILE, "help", "version"].contains(&name)
}

/// Returns the configurable names of a command and all its subcommands, sorted.
pub(super) fn configurable_names(command: &Command) -> Vec<String> {
    let names = command.get_arguments().flat_map(names_of);
    let mut all: Vec<_> = names.map(ToOwned::to_owned).collect();
    all.extend(command.get_subcommands().flat_map(configurable_names));
    all.retain(|name| is_configurable(name));
    all.sort_unstable();
    all.dedup();
    all
}

/// Returns the candidate that is most similar to a misspelled name.
pub(super) fn nearest_name<'c>(
    name: &str,
    candidates: impl Iterator<Item = &'c String>,
) -> Option<&'c str> {
    let similarity = |candidate: &&String| strsim::jaro_winkler(candidate.as_str(), name);
    candidates
        .max_by(|a, b| similarity(a).total_cmp(&similarity(b)))
        .map(String::as_str)
}
