//! The layers of options: from the highest precedence to the lowest, the command line, the
//! environment, the profile, and the rest of the config file.
//!
//! The options of the lower layers are added to the typed arguments, so that clap checks the options
//! of all layers in the same way.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    mem,
    path::PathBuf,
};

use anstream::ColorChoice;
use clap::{Arg, Command, Id, builder::Resettable};

use super::{
    command_line::{COLOR, CONFIG, PROFILE, names_of},
    config_file,
    layer::{Layer, Variables},
    typed::TypedArguments,
};
use crate::diagnostics::Failure;

/// The arguments of all layers, for clap.
#[derive(Default)]
pub(super) struct MergedArguments {
    pub(super) arguments: Vec<OsString>,
    added: Vec<AddedOption>,
}

/// An option that a layer below the command line sets.
struct AddedOption {
    id: Id,
    name: String,
    origin: String,
}

/// The commands whose options are only on the command line. A shell may run `completions` whenever
/// it starts, so an invalid config file must not break it.
const COMMANDS_WITHOUT_LAYERS: [&str; 3] = ["serve", "completions", "man"];

impl MergedArguments {
    /// Adds the options of the environment and of the config file to the typed arguments.
    ///
    /// # Errors
    ///
    /// The config file cannot be read or contains something other than options, or the type of a
    /// value is wrong.
    pub(super) fn new(mut typed: TypedArguments<'_>) -> Result<Self, Failure> {
        let name = typed.command.get_name();
        let has_layers = !COMMANDS_WITHOUT_LAYERS.contains(&name);
        let variables = if has_layers {
            Variables::read()
        } else {
            Variables::default()
        };
        let selected = |id| typed.value_of(id).or_else(|| variables.value_of(id));
        choose_color(selected(COLOR));
        let (file, profile) = (selected(CONFIG).map(PathBuf::from), selected(PROFILE));
        let mut merged = Self::default();
        if !has_layers && (file.is_some() || profile.is_some()) {
            return Err(Failure::usage_with_hint(
                format!("\"{name}\" reads no config file"),
                "remove --config and --profile",
            ));
        }
        let default_path = || has_layers.then(config_file::default_path)?;
        let file = file.or_else(default_path);
        // Without this check, the names of all options would be compared with an empty environment.
        let are_empty = variables.is_empty() && file.is_none() && profile.is_none();
        if has_layers && !are_empty && typed.are_known && !typed.command.has_subcommands() {
            let known = configurable_names(typed.program);
            let file = file.unwrap_or_default();
            let tables = config_file::read_tables(&file, profile, &known)?;
            let mut layers = vec![Layer::Environment(&variables)];
            let file = file.as_path();
            layers.extend(tables.into_iter().map(|table| Layer::Table { table, file }));
            merged.add_layers(&typed, &layers)?;
            if !typed.has("quiet") && !merged.has("quiet") {
                variables.warn_of_unknown(&known);
            }
        }
        // No option may follow `--`, so the added options precede the typed ones.
        let typed_options = typed.arguments.split_off(typed.options_start);
        merged.arguments.splice(..0, typed.arguments);
        merged.arguments.extend(typed_options);
        Ok(merged)
    }

    /// Adds each option that no higher layer sets, and that conflicts with no option of a higher
    /// layer.
    fn add_layers(
        &mut self,
        typed: &TypedArguments<'_>,
        layers: &[Layer<'_>],
    ) -> Result<(), Failure> {
        let ids = typed.options.iter().map(|option| option.arg.get_id());
        let mut decided: BTreeSet<_> = ids.collect();
        // A switch that is off conflicts with nothing.
        let on = typed.options.iter().filter(|option| !option.is_off);
        let mut present: Vec<_> = on.map(|option| option.arg).collect();
        for layer in layers {
            let mut added = Vec::new();
            for arg in typed.known_args().filter(|arg| is_configurable(arg)) {
                if decided.contains(arg.get_id()) {
                    continue;
                }
                let Some(value) = layer.find(arg) else {
                    continue;
                };
                let conflicts = |other: &&Arg| are_in_conflict(typed.command, arg, other);
                if present.iter().any(conflicts) {
                    continue;
                }
                decided.insert(arg.get_id());
                let arguments = value.to_arguments(arg)?;
                if arguments.is_empty() {
                    continue;
                }
                if arg.get_id() == COLOR {
                    choose_color(value.text());
                }
                added.push(arg);
                self.arguments.extend(arguments);
                self.added.push(AddedOption {
                    id: arg.get_id().clone(),
                    name: format!("--{}", arg.get_long().unwrap_or_default()),
                    origin: value.origin,
                });
            }
            present.extend(added);
        }
        Ok(())
    }

    fn has(&self, id: &str) -> bool {
        self.added.iter().any(|added| added.id == id)
    }

    /// Lets clap accept each added option without the option that it refines. The plan of the
    /// command ignores such an option.
    pub(super) fn relax(&self, command: &mut Command) {
        if self.added.is_empty() {
            return;
        }
        *command = mem::take(command).mut_args(|arg| {
            if self.has(arg.get_id().as_str()) {
                arg.requires(Resettable::Reset)
            } else {
                arg
            }
        });
        for subcommand in command.get_subcommands_mut() {
            self.relax(subcommand);
        }
    }

    /// Returns a note about the origin of each added option that the message names.
    pub(super) fn describe_origins(&self, message: &str) -> Vec<String> {
        let is_named = |added: &&AddedOption| {
            let mut words = message.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            words.any(|word| word == added.name)
        };
        let named = self.added.iter().filter(is_named);
        named
            .map(|added| format!("{} is set {}", added.name, added.origin))
            .collect()
    }
}

fn are_in_conflict(command: &Command, arg: &Arg, other: &Arg) -> bool {
    let excludes = |arg: &Arg, other: &Arg| {
        let conflicts = command.get_arg_conflicts_with(arg);
        conflicts
            .iter()
            .any(|conflict| conflict.get_id() == other.get_id())
    };
    excludes(arg, other) || excludes(other, arg)
}

/// Returns the sorted names of all options that a variable or a config file may set.
fn configurable_names(command: &Command) -> Vec<String> {
    let args = command.get_arguments().filter(|arg| is_configurable(arg));
    let names = args.flat_map(names_of).map(ToOwned::to_owned);
    let subcommands = command.get_subcommands();
    let subcommands =
        subcommands.filter(|command| !COMMANDS_WITHOUT_LAYERS.contains(&command.get_name()));
    let mut all: Vec<_> = names
        .chain(subcommands.flat_map(configurable_names))
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Returns whether an argument is an option, and not one that selects the config file.
fn is_configurable(arg: &Arg) -> bool {
    let name = arg.get_long();
    name.is_some_and(|name| name != CONFIG && name != PROFILE)
}

/// Turns colors on or off for the whole process, so that errors in the options have them too.
fn choose_color(value: Option<&OsStr>) {
    match value.and_then(OsStr::to_str) {
        Some("always") => ColorChoice::Always.write_global(),
        Some("never") => ColorChoice::Never.write_global(),
        _ => {}
    }
}
