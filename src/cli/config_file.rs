//! The config file, in TOML: options at the top level, and a table `[profile.NAME]` for each
//! profile. A *profile* is a named set of options, which `--profile` selects.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
};

use toml::Table;

use super::command_line::PROFILE;
use crate::{
    diagnostics::Failure,
    user_path::{UserPath, describe_value},
};

/// Reads the config file, unless its path is empty. Returns the options of the selected profile, and
/// then the options outside profiles.
///
/// # Errors
///
/// The file cannot be read, is not TOML, has a key that is not the name of an option, or does not
/// contain the profile; or a profile is named without a config file.
pub(super) fn read_tables(
    path: &Path,
    profile: Option<&OsStr>,
    known_options: &BTreeSet<String>,
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
    let mut options = parse(&file)?;
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
            let hint = match nearest_name(&name, profiles.keys()) {
                Some(nearest) => format!("pass --profile {nearest}"),
                None => format!("add a table [profile.NAME] to {file}"),
            };
            let message = format!("{file} has no profile \"{}\"", describe_value(&name));
            return Err(Failure::usage_with_hint(message, hint));
        };
        tables.insert(0, table);
    }
    Ok(tables)
}

fn parse(file: &UserPath) -> Result<Table, Failure> {
    let text = file.read_text()?;
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

fn check_keys(
    file: &UserPath,
    table: &Table,
    known_options: &BTreeSet<String>,
) -> Result<(), Failure> {
    let Some(key) = table.keys().find(|key| !known_options.contains(*key)) else {
        return Ok(());
    };
    let message = format!("{file}: unknown key \"{}\"", describe_value(key));
    let nearest = nearest_name(key, known_options.iter()).unwrap_or_default();
    let hint = format!("the nearest key is \"{nearest}\"");
    Err(Failure::usage_with_hint(message, hint))
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

/// Returns the path of the default config file (XDG Base Directory Specification). A file that is
/// missing or in an unreadable home directory is no error: many a service has no home directory.
pub(super) fn default_path() -> Option<PathBuf> {
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
