//! Completes the typed arguments with the options of the other layers.

use std::ffi::OsString;

use clap::{ArgMatches, Command, parser::ValueSource};

use super::{
    config_file::default_path,
    environment::Environment,
    option_layers::{OptionLayers, conflicting_options},
    option_names::{configurable_names, is_configurable},
};
use crate::diagnostics::Failure;

/// The typed arguments, merged with the options of the other layers.
pub(in crate::cli) struct MergedArguments {
    pub(in crate::cli) arguments: Vec<OsString>,
    added: Vec<AddedOption>,
}

/// An option from a layer below the command line, which was added to the typed arguments.
struct AddedOption {
    /// The option with its dashes.
    option: String,
    /// The environment variable or the config file that sets the option.
    layer_name: String,
}

impl MergedArguments {
    /// Returns a sentence about the layer of each added option that the message mentions by its
    /// full name.
    pub(in crate::cli) fn describe_layers(&self, message: &str) -> Vec<String> {
        let is_named = |option: &str| {
            message.match_indices(option).any(|(start, _)| {
                let next = message[start + option.len()..].chars().next();
                !next.is_some_and(|next| next.is_ascii_alphanumeric() || next == '-')
            })
        };
        let named = self.added.iter().filter(|added| is_named(&added.option));
        named
            .map(|added| format!("{} comes from {}", added.option, added.layer_name))
            .collect()
    }
}

/// Adds the options of the environment and of the config file to the typed arguments.
///
/// # Errors
///
/// The config file cannot be read or contains something other than options, or an option has an
/// invalid value in the config file or in an environment variable.
pub(in crate::cli) fn merge_layers(
    command: &Command,
    typed: Vec<OsString>,
) -> Result<MergedArguments, Failure> {
    let mut merged = MergedArguments {
        arguments: typed,
        added: Vec::new(),
    };
    let environment = Environment::read();
    let default_config = default_path();
    if environment.is_empty()
        && default_config.is_none()
        && !merged.arguments.iter().any(is_config_option)
    {
        return Ok(merged);
    }
    // Errors in the typed arguments are ignored here. The caller parses the merged arguments
    // and reports the errors.
    let lenient = command.clone().ignore_errors(true);
    let Ok(matches) = lenient.try_get_matches_from(&merged.arguments) else {
        return Ok(merged);
    };
    let mut command = command.clone();
    command.build();
    let Some(typed) = TypedCommand::find(&command, &matches) else {
        return Ok(merged);
    };
    // A shell may run `completions` whenever it starts. An invalid config file must not break the
    // shell, so the file is not read.
    if ["completions", "man"].contains(&typed.command.get_name()) {
        return Ok(merged);
    }
    let known_options = configurable_names(&command);
    let layers = OptionLayers::read(environment, default_config, &known_options, typed.matches)?;
    let mut additions = Vec::new();
    for arg in typed.command.get_arguments() {
        let Some(option) = arg.get_long().filter(|name| is_configurable(name)) else {
            continue;
        };
        if typed.has(arg.get_id().as_str())
            || conflicting_options(option).any(|other| typed.has(other))
            || layers.is_overridden(option)
        {
            continue;
        }
        if let Some(value) = layers.find(arg, option)? {
            additions.extend(value.arguments);
            merged.added.push(AddedOption {
                option: format!("--{option}"),
                layer_name: value.layer_name,
            });
        }
    }
    let is_quiet = typed.is_quiet() || additions.iter().any(|addition| addition == "--quiet");
    if !is_quiet {
        layers.warn_of_unknown_variables(&known_options);
    }
    // The options are inserted before `--`, because clap does not parse options after `--`.
    let arguments = &mut merged.arguments;
    let end = arguments.iter().position(|argument| argument == "--");
    let end = end.unwrap_or(arguments.len());
    arguments.splice(end..end, additions);
    Ok(merged)
}

fn is_config_option(argument: &OsString) -> bool {
    let argument = argument.to_string_lossy();
    argument.starts_with("--config") || argument.starts_with("--profile")
}

/// The innermost subcommand on the command line, such as `show` of `ledger show`, and its parsed
/// arguments.
struct TypedCommand<'c> {
    command: &'c Command,
    matches: &'c ArgMatches,
}

impl<'c> TypedCommand<'c> {
    /// Finds the innermost subcommand on the command line. Returns `None` if the command needs a
    /// subcommand that is missing, as in `ledger`.
    fn find(mut command: &'c Command, mut matches: &'c ArgMatches) -> Option<Self> {
        while let Some((name, subcommand_matches)) = matches.subcommand() {
            command = command.find_subcommand(name)?;
            matches = subcommand_matches;
        }
        let has_subcommands = command.get_subcommands().next().is_some();
        (!has_subcommands).then_some(Self { command, matches })
    }

    fn has(&self, option: &str) -> bool {
        self.matches.value_source(option) == Some(ValueSource::CommandLine)
    }

    fn is_quiet(&self) -> bool {
        self.matches.try_get_one::<bool>("quiet").ok().flatten() == Some(&true)
    }
}
