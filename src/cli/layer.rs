//! [`Layer`]: the environment, a profile, or the rest of the config file.

use std::{
    any::TypeId,
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use clap::{Arg, ArgAction};
use toml::{Table, Value};

use super::{
    command_line::{CONFIG, PROFILE, names_of},
    config_file::nearest_name,
};
use crate::{
    diagnostics::Failure, endpoint::Endpoint, metadata::HeaderSource, terminal::Terminal,
    user_path::UserPath,
};

/// The environment variables whose names begin with [`PREFIX`], and that are not empty.
#[derive(Default)]
pub(super) struct Variables(BTreeMap<String, OsString>);

/// A place below the command line where options are set.
pub(super) enum Layer<'l> {
    Environment(&'l Variables),
    /// Options in a config file.
    Table {
        table: Table,
        file: &'l Path,
    },
}

/// The value of an option in a layer.
pub(super) struct LayerValue {
    /// One text, or any number for a repeatable option. `None` if a TOML value has the wrong type.
    texts: Option<Vec<OsString>>,
    /// The origin of the option, as in "is set in FILE".
    pub(super) origin: String,
}

const PREFIX: &str = "SENSOR_LICENSE_";

impl Variables {
    pub(super) fn read() -> Self {
        let variables = env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            (name.starts_with(PREFIX) && !value.is_empty()).then_some((name, value))
        });
        Self(variables.collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the value of the variable that sets an option.
    pub(super) fn value_of(&self, option: &str) -> Option<&OsStr> {
        self.0.get(&variable_name(option)).map(OsString::as_os_str)
    }

    /// Prints a warning for each variable whose name matches no option.
    pub(super) fn warn_of_unknown(&self, known_options: &[String]) {
        let terminal = Terminal {
            json: false,
            quiet: false,
            verbosity: 0,
        };
        let known = known_options.iter().map(String::as_str);
        let known = known.chain([CONFIG, PROFILE]).map(variable_name);
        let known: Vec<_> = known.collect();
        let unknown = self.0.keys().filter(|name| !known.contains(name));
        for name in unknown.filter(|name| !is_made_by_kubernetes(name)) {
            let nearest = nearest_name(name, known.iter()).unwrap_or_default();
            terminal.warning(&format!(
                "unknown environment variable {name}; the nearest is {nearest}"
            ));
        }
    }
}

impl Layer<'_> {
    /// Returns the value of an option under its name or an alias.
    pub(super) fn find(&self, arg: &Arg) -> Option<LayerValue> {
        let is_repeatable = matches!(arg.get_action(), ArgAction::Append);
        names_of(arg).into_iter().find_map(|name| match self {
            Self::Environment(variables) => {
                let value = variables.value_of(name)?;
                let texts = match value.to_str() {
                    Some(text) if is_repeatable => {
                        let lines = text.lines().filter(|line| !line.is_empty());
                        lines.map(Into::into).collect()
                    }
                    _ => vec![value.to_owned()],
                };
                Some(LayerValue {
                    texts: Some(texts),
                    origin: format!("by the environment variable {}", variable_name(name)),
                })
            }
            Self::Table { table, file } => {
                let folder = file.parent()?;
                let value_text = |value| Some(resolve_path(arg, scalar_text(arg, value)?, folder));
                let texts = match table.get(name)? {
                    Value::Array(values) if is_repeatable => {
                        values.iter().map(value_text).collect()
                    }
                    value => value_text(value).map(|text| vec![text]),
                };
                Some(LayerValue {
                    texts,
                    origin: format!("in {}", UserPath::from(*file)),
                })
            }
        })
    }
}

impl LayerValue {
    /// Returns the only text of an option that is not repeatable.
    pub(super) fn text(&self) -> Option<&OsStr> {
        self.texts.as_ref()?.first().map(OsString::as_os_str)
    }

    /// Returns the command-line arguments that set the option: none for a switch that is `false`,
    /// and two for `verbose = 2`.
    pub(super) fn to_arguments(&self, arg: &Arg) -> Result<Vec<OsString>, Failure> {
        let option = format!("--{}", arg.get_long().unwrap_or_default());
        let takes_value = arg.get_action().takes_values();
        let arguments = match &self.texts {
            Some(texts) if takes_value => {
                let with_value = |text: &OsString| join(&format!("{option}="), text);
                Some(texts.iter().map(with_value).collect())
            }
            _ => {
                let repetitions = self
                    .text()
                    .and_then(|text| repetitions(arg, text.to_str()?));
                repetitions.map(|repetitions| vec![option.clone().into(); repetitions])
            }
        };
        arguments.ok_or_else(|| {
            let expected = match arg.get_action() {
                ArgAction::Append => "strings or numbers",
                _ if takes_value => "a string or a number",
                _ => "true or false",
            };
            Failure::usage(format!(
                "{option} is set {}: expected {expected}",
                self.origin
            ))
        })
    }
}

/// Returns how often a switch is given.
fn repetitions(switch: &Arg, text: &str) -> Option<usize> {
    let max = match switch.get_action() {
        ArgAction::Count => 9,
        _ => 1,
    };
    match text {
        "true" => Some(1),
        "false" => Some(0),
        number => number.parse().ok().filter(|number| *number <= max),
    }
}

fn scalar_text(arg: &Arg, value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(is_on) if !arg.get_action().takes_values() => Some(is_on.to_string()),
        _ => None,
    }
}

/// Resolves a relative path in the value of an option against `folder`, which contains the config
/// file.
fn resolve_path(arg: &Arg, text: String, folder: &Path) -> OsString {
    let value_type = arg.get_value_parser().type_id();
    let prefix = if value_type == TypeId::of::<Endpoint>() {
        "unix:"
    } else if value_type == TypeId::of::<HeaderSource>() {
        "@"
    } else {
        ""
    };
    let names_secret = value_type == TypeId::of::<UserPath>() || prefix == "@";
    let is_path = names_secret || value_type == TypeId::of::<PathBuf>() || prefix == "unix:";
    let Some(path) = text.strip_prefix(prefix).filter(|_| is_path) else {
        return text.into();
    };
    let resolved = folder.join(path);
    // A secret in place of a path must not get a folder, because messages would then quote it.
    let is_secret =
        names_secret && UserPath::of_secret(path.into()).is_hidden() && !resolved.exists();
    // As a file, `-` is standard input.
    if path == "-" || is_secret {
        return text.into();
    }
    join(prefix, resolved.as_os_str())
}

fn join(start: &str, rest: &OsStr) -> OsString {
    let mut joined = OsString::from(start);
    joined.push(rest);
    joined
}

fn variable_name(option: &str) -> String {
    format!("{PREFIX}{}", option.to_uppercase().replace('-', "_"))
}

/// Returns whether Kubernetes makes a variable of this name for a service named `sensor-license`.
fn is_made_by_kubernetes(variable: &str) -> bool {
    let name = variable.strip_prefix(PREFIX).unwrap_or_default();
    let is_port = |rest: &str| {
        let (number, rest) = rest.split_once('_').unwrap_or_default();
        let protocol = rest.split('_').next();
        number.parse::<u16>().is_ok() && matches!(protocol, Some("TCP" | "UDP" | "SCTP"))
    };
    ["SERVICE_HOST", "SERVICE_PORT", "PORT"].contains(&name)
        || name.starts_with("SERVICE_PORT_")
        || name.strip_prefix("PORT_").is_some_and(is_port)
}
