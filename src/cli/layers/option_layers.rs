//! The layers below the command line, in the order of their precedence.

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use clap::{Arg, ArgMatches};
use toml::Table;

use super::{
    config_args::{CONFIG, PROFILE},
    config_file::ConfigFile,
    environment::{Environment, variable_name},
    option_names::names_of,
    option_values::{arguments_from_toml, arguments_from_variable},
};
use crate::diagnostics::Failure;

pub(super) struct OptionLayers {
    environment: Environment,
    config_file: Option<ConfigFile>,
    /// The options of the profile that the user selected.
    profile: Option<Table>,
}

/// The value that a layer has for an option.
pub(super) struct LayerValue {
    /// The option with its value, as command-line arguments.
    pub(super) arguments: Vec<OsString>,
    /// The environment variable or the config file that contains the value.
    pub(super) layer_name: String,
}

impl OptionLayers {
    /// Reads the config file, and the profile in this file that the user selected. The values of
    /// `--config` and `--profile` come from the command line, or else from environment variables.
    /// Without a value of `--config`, the config file is `default_config`.
    ///
    /// # Errors
    ///
    /// The config file cannot be read, has unknown keys, or does not contain the profile; or a
    /// profile is named without a config file.
    pub(super) fn read(
        environment: Environment,
        default_config: Option<PathBuf>,
        known_options: &[String],
        typed: &ArgMatches,
    ) -> Result<Self, Failure> {
        let value_of = |option: &str| -> Option<OsString> {
            let typed = typed.try_get_raw(option).ok().flatten();
            let typed = typed.and_then(|mut values| values.next_back());
            typed
                .or_else(|| environment.value_of(option))
                .map(OsStr::to_owned)
        };
        let path = value_of(CONFIG).map(PathBuf::from).or(default_config);
        let config_file = path.map(ConfigFile::read).transpose()?;
        if let Some(file) = &config_file {
            file.check_keys(known_options)?;
        }
        let profile = match (value_of(PROFILE), &config_file) {
            (None, _) => None,
            (Some(name), Some(file)) => Some(file.profile(&name.to_string_lossy())?.clone()),
            (Some(_), None) => {
                let message = "--profile without a configuration file";
                return Err(Failure::usage_with_hint(message, "--config FILE"));
            }
        };
        Ok(Self {
            environment,
            config_file,
            profile,
        })
    }

    /// Returns the value of an option in the highest layer that sets the option, under its name or
    /// an alias. Returns `None` if no layer below the command line sets the option.
    pub(super) fn find(&self, arg: &Arg, option: &str) -> Result<Option<LayerValue>, Failure> {
        let names = names_of(arg);
        for name in &names {
            if let Some(value) = self.environment.value_of(name) {
                let variable = variable_name(name);
                return Ok(Some(LayerValue {
                    arguments: arguments_from_variable(arg, option, &variable, value)?,
                    layer_name: format!("the variable {variable}"),
                }));
            }
        }
        let Some(file) = &self.config_file else {
            return Ok(None);
        };
        let mut tables = self.profile.iter().chain([&file.table]);
        let found = tables.find_map(|table| names.iter().find_map(|name| table.get(*name)));
        let Some(value) = found else {
            return Ok(None);
        };
        Ok(Some(LayerValue {
            arguments: arguments_from_toml(arg, option, value, file)?,
            layer_name: file.path.display().to_string(),
        }))
    }

    /// Returns whether an option that conflicts with `option` is set in a higher layer than
    /// `option`.
    pub(super) fn is_overridden(&self, option: &str) -> bool {
        let layer_of = |option: &str| {
            let has_option = |table: &Table| table.contains_key(option);
            let layers = [
                self.environment.value_of(option).is_some(),
                self.profile.as_ref().is_some_and(has_option),
                self.config_file
                    .as_ref()
                    .is_some_and(|file| has_option(&file.table)),
            ];
            layers
                .iter()
                .position(|has_option| *has_option)
                .unwrap_or(layers.len())
        };
        conflicting_options(option).any(|other| layer_of(other) < layer_of(option))
    }

    /// Prints a warning for each environment variable whose name matches no option.
    pub(super) fn warn_of_unknown_variables(&self, known_options: &[String]) {
        self.environment.warn_of_unknown(known_options);
    }
}

/// Returns the options that conflict with `option` because they name a different source of the
/// contract. If layers set conflicting options, only the options in the highest layer are used.
pub(super) fn conflicting_options(option: &str) -> impl Iterator<Item = &'static str> {
    const SOURCES: [&[&str]; 3] = [&["proto", "import-path"], &["protoset"], &["reflection"]];
    let own = SOURCES.iter().position(|source| source.contains(&option));
    let others = (0..SOURCES.len()).filter(move |other| own.is_some_and(|own| own != *other));
    others.map(|other| SOURCES[other][0])
}
