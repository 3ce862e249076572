//! [`KnownOptions`]: the names that a variable or a config file may use.

use std::{cell::LazyCell, collections::BTreeSet};

use clap::{Arg, Command};

use super::command_line::{COMMANDS_WITHOUT_LAYERS, CONFIG, PROFILE, clap_command, names_of};

pub(super) struct KnownOptions {
    of_command: BTreeSet<String>,
    /// The options of all commands. Most variables and keys are options of the command that runs, so
    /// the other commands are rarely needed.
    all: LazyCell<BTreeSet<String>>,
}

impl KnownOptions {
    /// `args` are the options of the command that runs.
    pub(super) fn new<'a>(args: impl Iterator<Item = &'a Arg>) -> Self {
        Self {
            of_command: configurable_names(args).collect(),
            all: LazyCell::new(|| names_of_all_commands(&clap_command(|_| true))),
        }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.of_command.contains(name) || self.all.contains(name)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(String::as_str)
    }
}

fn names_of_all_commands(command: &Command) -> BTreeSet<String> {
    let subcommands = command.get_subcommands();
    let with_layers =
        subcommands.filter(|command| !COMMANDS_WITHOUT_LAYERS.contains(&command.get_name()));
    configurable_names(command.get_arguments())
        .chain(with_layers.flat_map(names_of_all_commands))
        .collect()
}

fn configurable_names<'a>(args: impl Iterator<Item = &'a Arg>) -> impl Iterator<Item = String> {
    let configurable = args.filter(|arg| is_configurable(arg));
    configurable.flat_map(names_of).map(ToOwned::to_owned)
}

/// Returns whether an argument is an option, and not one that selects the config file.
pub(super) fn is_configurable(arg: &Arg) -> bool {
    let name = arg.get_long();
    name.is_some_and(|name| name != CONFIG && name != PROFILE)
}
