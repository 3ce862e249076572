//! [`Layer`]: the environment, a profile, or the rest of the config file.
//!
//! The config file, in TOML, has options at the top level, and a table `[profile.NAME]` for each
//! profile. A *profile* is a named set of options, which `--profile` selects.

use std::{
    any::TypeId,
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    slice,
};

use clap::{Arg, ArgAction};
use toml::{Table, Value};

use super::{
    command_line::{CONFIG, PROFILE, names_of, option_name, takes_value},
    known_options::KnownOptions,
};
use crate::{
    diagnostics::Failure,
    endpoint::Endpoint,
    metadata::HeaderSource,
    user_path::{UserPath, Wait, describe_value},
};

/// The environment variables whose names begin with [`PREFIX`], and that are not empty.
#[derive(Default)]
pub(super) struct Variables(pub(super) BTreeMap<String, OsString>);

/// A place below the command line where options are set.
pub(super) enum Layer<'l> {
    Environment(&'l Variables),
    /// Options in a config file.
    Table {
        table: Table,
        file: &'l Path,
    },
}

/// An option that a layer sets.
pub(super) struct LayerOption {
    /// For clap: none for a switch that is `false`, and two for `verbose = 2`.
    pub(super) arguments: Vec<OsString>,
    /// As in "is set in FILE".
    pub(super) origin: String,
}

const PREFIX: &str = "SENSOR_LICENSE_";

const LIST_OPTIONS: &str = "list the options with: sensor-license push --help";

impl Variables {
    pub(super) fn read() -> Self {
        let variables = env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            (name.starts_with(PREFIX) && !value.is_empty()).then_some((name, value))
        });
        Self(variables.collect())
    }

    /// Returns the value of the variable that sets an option.
    pub(super) fn value_of(&self, option: &str) -> Option<&OsStr> {
        self.0.get(&variable_name(option)).map(OsString::as_os_str)
    }

    /// Returns a warning for each variable whose name matches no option.
    pub(super) fn warnings_of_unknown(&self, known_options: &KnownOptions) -> Vec<String> {
        let is_known = |variable: &str| {
            option_of(variable).is_some_and(|option| {
                known_options.contains(&option) || [CONFIG, PROFILE].contains(&&*option)
            })
        };
        let unknown = self.0.keys().filter(|name| !is_made_by_kubernetes(name));
        let unknown = unknown.filter(|name| !is_known(name));
        let warnings = unknown.map(|name| {
            let known = known_options.all().chain([CONFIG, PROFILE]);
            let known: Vec<_> = known.map(variable_name).collect();
            let known = known.iter().map(String::as_str);
            let advice = match nearest_name(name, known, PREFIX) {
                Some(nearest) => format!("the nearest name is {nearest}"),
                None => LIST_OPTIONS.to_owned(),
            };
            format!("unknown environment variable {name}; {advice}")
        });
        warnings.collect()
    }
}

impl Layer<'_> {
    /// Returns the option that the layer sets under the name or an alias of `arg`.
    pub(super) fn find(&self, arg: &Arg) -> Result<Option<LayerOption>, Failure> {
        let mut names = names_of(arg);
        let found = names.find_map(|name| match self {
            Self::Environment(variables) => {
                let origin = format!("by the environment variable {}", variable_name(name));
                Some((Ok(split_lines(arg, variables.value_of(name)?)), origin))
            }
            Self::Table { table, file } => {
                let values = toml_texts(arg, table.get(name)?, file.parent()?);
                Some((values, format!("in {}", UserPath::from(*file))))
            }
        });
        let Some((values, origin)) = found else {
            return Ok(None);
        };
        let option = option_name(arg);
        let to_arguments = |values: &Vec<OsString>| {
            if takes_value(arg) {
                let is_valid = |value: &OsString| takes_path(arg) || value.to_str().is_some();
                let with_value = |value: &OsString| join(&format!("{option}="), value);
                let are_valid = values.iter().all(is_valid);
                return are_valid.then(|| values.iter().map(with_value).collect());
            }
            let count = count_repetitions(arg, values.first()?)?;
            Some(vec![option.clone().into(); count])
        };
        if let Some(arguments) = values.as_ref().ok().and_then(to_arguments) {
            return Ok(Some(LayerOption { arguments, origin }));
        }
        let expected = match arg.get_action() {
            _ if !takes_value(arg) => "true or false",
            _ if values.is_ok() => "UTF-8 text",
            ArgAction::Append => "strings or numbers",
            _ => "a string or a number",
        };
        let found = match values {
            Err("array") => ", found an array".to_owned(),
            Err(found) => format!(", found a {found}"),
            Ok(_) => String::new(),
        };
        let message = format!("{option} is set {origin}: expected {expected}{found}");
        Err(Failure::usage(message))
    }
}

fn is_repeatable(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// Returns the value of a variable, or each line of the value of a repeatable option.
fn split_lines(arg: &Arg, value: &OsStr) -> Vec<OsString> {
    match value.to_str() {
        Some(text) if is_repeatable(arg) => {
            let lines = text.lines().filter(|line| !line.is_empty());
            lines.map(Into::into).collect()
        }
        _ => vec![value.to_owned()],
    }
}

/// Returns the type of the value if it is wrong.
fn toml_texts(arg: &Arg, value: &Value, folder: &Path) -> Result<Vec<OsString>, &'static str> {
    let values = match value {
        Value::Array(values) if is_repeatable(arg) => values.as_slice(),
        value => slice::from_ref(value),
    };
    let texts = values.iter().map(|value| {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Datetime(time) => time.to_string(),
            Value::Boolean(is_on) if !takes_value(arg) => is_on.to_string(),
            other => return Err(other.type_str()),
        };
        Ok(resolve_path(arg, text, folder))
    });
    texts.collect()
}

/// Returns how often a switch is given.
pub(super) fn count_repetitions(arg: &Arg, value: &OsStr) -> Option<usize> {
    match value.to_str()? {
        "true" => Some(1),
        "false" => Some(0),
        number => {
            let number = number.parse::<u8>().ok();
            let is_countable =
                |number: &u8| *number < 2 || matches!(arg.get_action(), ArgAction::Count);
            number.filter(is_countable).map(Into::into)
        }
    }
}

fn takes_path(arg: &Arg) -> bool {
    let value_type = arg.get_value_parser().type_id();
    value_type == TypeId::of::<PathBuf>() || value_type == TypeId::of::<UserPath>()
}

/// Resolves a relative path in the value of an option against `folder`, which contains the config
/// file.
fn resolve_path(arg: &Arg, text: String, folder: &Path) -> OsString {
    let value_type = arg.get_value_parser().type_id();
    let names_secret = [TypeId::of::<UserPath>(), TypeId::of::<HeaderSource>()];
    let prefix = if value_type == TypeId::of::<Endpoint>() {
        "unix:"
    } else if value_type == TypeId::of::<HeaderSource>() {
        "@"
    } else if takes_path(arg) {
        ""
    } else {
        return text.into();
    };
    // As a file, `-` is standard input.
    let Some(path) = text.strip_prefix(prefix).filter(|path| *path != "-") else {
        return text.into();
    };
    let resolved = folder.join(path);
    // A secret in place of a path must not get a folder, because messages would then quote it.
    let may_be_secret = names_secret.iter().any(|id| value_type == *id);
    if may_be_secret && UserPath::of_secret(path.into()).is_hidden() && !resolved.exists() {
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

/// Returns the only option that can have a variable of this name.
fn option_of(variable: &str) -> Option<String> {
    let option = variable.strip_prefix(PREFIX)?;
    let option = option.to_lowercase().replace('_', "-");
    (variable_name(&option) == variable).then_some(option)
}

/// Returns whether Kubernetes makes a variable of this name for a service whose name begins with
/// `sensor-license`, such as `sensor-license-server`.
fn is_made_by_kubernetes(variable: &str) -> bool {
    let name = variable.strip_prefix(PREFIX).unwrap_or_default();
    let words: Vec<_> = name.split('_').collect();
    (0..words.len()).any(|start| match words[start..] {
        ["PORT"] | ["SERVICE", "HOST"] | ["SERVICE", "PORT", ..] => true,
        ["PORT", number, protocol] | ["PORT", number, protocol, "PROTO" | "PORT" | "ADDR"] => {
            number.parse::<u16>().is_ok() && ["TCP", "UDP", "SCTP"].contains(&protocol)
        }
        _ => false,
    })
}

/// Reads the config file, unless its path is empty. Returns the options of the selected profile, and
/// then the options outside profiles.
///
/// # Errors
///
/// The file cannot be read, is not TOML, has a key that is not the name of an option, or does not
/// contain the profile; or a profile is named without a config file.
pub(super) fn read_config_file(
    path: &Path,
    profile: Option<&OsStr>,
    known_options: &KnownOptions,
    wait: Wait<'_>,
) -> Result<Vec<Table>, Failure> {
    if path.as_os_str().is_empty() {
        return match profile {
            None => Ok(Vec::new()),
            Some(_) => Err(Failure::usage_with_hint(
                "--profile needs a config file",
                "pass --config FILE",
            )),
        };
    }
    let file = UserPath::from(path);
    let mut options = parse_toml(&file, wait)?;
    let profiles = options.remove(PROFILE).unwrap_or(Table::new().into());
    let mut profiles: BTreeMap<String, Table> = profiles.try_into().map_err(|_| {
        let message = format!("{file}: expected a table for each profile");
        Failure::usage_with_hint(message, "write [profile.NAME]")
    })?;
    for table in profiles.values().chain([&options]) {
        check_keys(&file, table, known_options)?;
    }
    let mut tables = vec![options];
    if let Some(name) = profile {
        let name = name.to_string_lossy();
        let Some(table) = profiles.remove(&*name) else {
            let hint = match nearest_name(&name, profiles.keys().map(String::as_str), "") {
                Some(nearest) => {
                    format!(
                        "pass --profile {}",
                        shlex::try_quote(nearest).unwrap_or_default()
                    )
                }
                None => format!("add a table [profile.NAME] to {file}"),
            };
            let message = format!("{file} has no profile \"{}\"", describe_value(&name));
            return Err(Failure::usage_with_hint(message, hint));
        };
        tables.insert(0, table);
    }
    Ok(tables)
}

fn parse_toml(file: &UserPath, wait: Wait<'_>) -> Result<Table, Failure> {
    let text = file.read_text(wait)?;
    text.parse().map_err(|error: toml::de::Error| {
        // The text of the line may be a secret, so only its number is shown.
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = 1 + memchr::memchr_iter(b'\n', &text.as_bytes()[..start]).count();
        // This message quotes a number that is out of range, which may be a secret, too.
        let reason = match error.message() {
            message if message.starts_with("invalid type") => "invalid value",
            message => message,
        };
        Failure::usage(format!("{file}:{line}: invalid TOML: {reason}"))
    })
}

fn check_keys(file: &UserPath, table: &Table, known_options: &KnownOptions) -> Result<(), Failure> {
    let Some(key) = table.keys().find(|key| !known_options.contains(key)) else {
        return Ok(());
    };
    let message = format!("{file}: unknown key \"{}\"", describe_value(key));
    let hint = match nearest_name(key, known_options.all(), "") {
        Some(nearest) => format!("use the key \"{nearest}\""),
        None => LIST_OPTIONS.to_owned(),
    };
    Err(Failure::usage_with_hint(message, hint))
}

/// Returns the candidate that is most similar to a misspelled name, apart from a prefix that all
/// names have. Returns `None` if no candidate is similar.
fn nearest_name<'c>(
    name: &str,
    candidates: impl Iterator<Item = &'c str>,
    prefix: &str,
) -> Option<&'c str> {
    const MIN_SIMILARITY: f64 = 0.8;
    let stem = |name: &str| name.strip_prefix(prefix).unwrap_or(name).to_lowercase();
    let name = stem(name);
    let similarity = |candidate: &str| strsim::jaro_winkler(&stem(candidate), &name);
    candidates
        .map(|candidate| (similarity(candidate), candidate))
        .filter(|(similarity, _)| *similarity >= MIN_SIMILARITY)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// Returns the path of the default config file (XDG Base Directory Specification). A file that is
/// missing or in an unreadable home directory is no error: many services have no home directory.
pub(super) fn default_config_file() -> Option<PathBuf> {
    let folder = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let folder =
        folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")))?;
    let file = folder.join("sensor-license/config.toml");
    file.symlink_metadata().is_ok().then_some(file)
}
