//! The config file, in TOML: options at the top level, and a table `[profile.NAME]` for each
//! profile. A *profile* is a named set of options, which `--profile` selects.

use std::{
    env,
    io::ErrorKind::{NotADirectory, NotFound},
    path::PathBuf,
};

use toml::Table;

use super::{config_args::PROFILE, option_names::nearest_name};
use crate::{diagnostics::Failure, user_path::UserPath};

pub(super) struct ConfigFile {
    pub(super) path: PathBuf,
    /// The parsed file: the options outside profiles, and the table of profiles.
    pub(super) table: Table,
}

impl ConfigFile {
    pub(super) fn read(path: PathBuf) -> Result<Self, Failure> {
        let text = UserPath::from(path.as_path()).read_text()?;
        match text.parse::<Table>() {
            Ok(table) => Ok(Self { path, table }),
            // The failure contains the number of the invalid line, but not the text of the line,
            // because the text may be a secret.
            Err(error) => {
                let start = error.span().map_or(0, |span| span.start.min(text.len()));
                let line = 1 + memchr::memchr_iter(b'\n', &text.as_bytes()[..start]).count();
                // The parser's message about a number that is out of range begins with "invalid
                // type" and quotes the number. The number may be a secret, so the message is
                // replaced.
                let reason = error.message();
                let reason = if reason.starts_with("invalid type") {
                    "invalid value"
                } else {
                    reason
                };
                Err(Failure::usage(format!(
                    "{}:{line}: invalid TOML: {reason}",
                    UserPath::from(path.as_path())
                )))
            }
        }
    }

    fn profiles(&self) -> Option<&Table> {
        self.table.get(PROFILE)?.as_table()
    }

    pub(super) fn profile(&self, name: &str) -> Result<&Table, Failure> {
        let profiles = self.profiles();
        let found = profiles.and_then(|profiles| profiles.get(name)?.as_table());
        found.ok_or_else(|| {
            let names = profiles.iter().flat_map(|profiles| profiles.keys());
            let nearest = nearest_name(name, names);
            Failure::usage_with_hint(
                format!("{} has no profile {name}", self.path.display()),
                nearest.map_or(format!("a table [{PROFILE}.{name}]"), |nearest| {
                    format!("--profile {nearest}")
                }),
            )
        })
    }

    /// Refuses keys that are not the name of an option, at the top level and in each profile.
    pub(super) fn check_keys(&self, known_options: &[String]) -> Result<(), Failure> {
        let mut keys: Vec<_> = self.table.keys().filter(|key| *key != PROFILE).collect();
        if let Some(profiles) = self.table.get(PROFILE) {
            let not_a_table = || {
                let message = format!(
                    "{}: {PROFILE} holds something else than tables",
                    self.path.display()
                );
                Failure::usage_with_hint(message, format!("[{PROFILE}.NAME]"))
            };
            for profile in profiles.as_table().ok_or_else(not_a_table)?.values() {
                keys.extend(profile.as_table().ok_or_else(not_a_table)?.keys());
            }
        }
        let unknown = keys.into_iter().find(|key| !known_options.contains(key));
        unknown.map_or(Ok(()), |key| {
            Err(Failure::usage_with_hint(
                format!("{}: {key} is no flag's name", self.path.display()),
                format!(
                    "the nearest is {}",
                    nearest_name(key, known_options.iter()).unwrap_or_default()
                ),
            ))
        })
    }
}

/// Returns the path of the default config file (XDG Base Directory Specification), or `None` if
/// this file does not exist or the home directory is unknown.
pub(super) fn default_path() -> Option<PathBuf> {
    let folder = |name| env::var_os(name).map(PathBuf::from);
    let folder = folder("XDG_CONFIG_HOME")
        .filter(|folder| folder.is_absolute())
        .or_else(|| folder("HOME").map(|home| home.join(".config")))?;
    let file = folder.join("sensor-license/config.toml");
    match file.symlink_metadata() {
        Err(error) if [NotFound, NotADirectory].contains(&error.kind()) => None,
        // After any other error, the file may exist. Reading the file will then report the error.
        _ => Some(file),
    }
}
