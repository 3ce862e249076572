//! The environment variables that set options: `SENSOR_LICENSE_TIMEOUT` sets `--timeout`.

use std::{
    env,
    ffi::{OsStr, OsString},
};

use super::{
    config_args::{CONFIG, PROFILE},
    option_names::nearest_name,
};
use crate::terminal::Terminal;

const PREFIX: &str = "SENSOR_LICENSE_";

/// The environment variables of this process whose name starts with [`PREFIX`] and whose value is
/// not empty.
pub(super) struct Environment {
    variables: Vec<Variable>,
}

struct Variable {
    name: String,
    value: OsString,
}

impl Environment {
    pub(super) fn read() -> Self {
        let variables = env::vars_os()
            .filter_map(|(name, value)| {
                let name = name.into_string().ok()?;
                Some(Variable { name, value })
            })
            .filter(|variable| variable.name.starts_with(PREFIX) && !variable.value.is_empty())
            .collect();
        Self { variables }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.variables.is_empty()
    }

    /// Returns the value of the environment variable that sets an option, or `None` if the variable
    /// is not set.
    pub(super) fn value_of(&self, option: &str) -> Option<&OsStr> {
        let name = variable_name(option);
        let mut matching = self.variables.iter().filter(|one| one.name == name);
        matching.next().map(|variable| variable.value.as_os_str())
    }

    /// Prints a warning for each environment variable whose name matches no option.
    pub(super) fn warn_of_unknown(&self, known_options: &[String]) {
        let terminal = Terminal {
            json: false,
            quiet: false,
            verbosity: 0,
        };
        let config_variables = [CONFIG, PROFILE].map(variable_name);
        for Variable { name, .. } in &self.variables {
            let is_known = known_options
                .iter()
                .any(|option| variable_name(option) == *name);
            if !is_known && !config_variables.contains(name) {
                let option = name[PREFIX.len()..].to_lowercase().replace('_', "-");
                let nearest = nearest_name(&option, known_options.iter()).map(variable_name);
                terminal.warning(&format!(
                    "the variable {name} is no flag's; the nearest is {}",
                    nearest.unwrap_or_default()
                ));
            }
        }
    }
}

/// Returns the value of the environment variable that sets `--color`. This function does not use
/// [`Environment`], because the colors must be known before the other options are read.
pub(in crate::cli) fn color_variable() -> Option<String> {
    env::var(variable_name("color")).ok()
}

/// Returns the name of the environment variable that sets an option.
pub(super) fn variable_name(option: &str) -> String {
    format!("{PREFIX}{}", option.to_uppercase().replace('-', "_"))
}
