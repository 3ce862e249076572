//! A configuration file: flags by their names, and profiles of more of them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use toml::Table;

use super::{PROFILES, nearest};
use crate::diagnostics::{self, Failure};

/// A configuration file.
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) table: Table,
}

impl File {
    pub(super) fn read(path: PathBuf) -> Result<Self, Failure> {
        let text = read(&path).map_err(|error| diagnostics::file_read_failed(&path, &error))?;
        match text.parse::<Table>() {
            Ok(table) => Ok(Self { path, table }),
            // The line itself may hold a secret.
            Err(error) => {
                let start = error.span().map_or(0, |span| span.start.min(text.len()));
                let line = 1 + memchr::memchr_iter(b'\n', &text.as_bytes()[..start]).count();
                // A number that is too large is quoted.
                let reason = error.message();
                let reason = if reason.starts_with("invalid type") {
                    "no value of TOML's"
                } else {
                    reason
                };
                Err(diagnostics::config_file_malformed(&path, line, reason))
            }
        }
    }

    fn profiles(&self) -> Option<&Table> {
        self.table.get(PROFILES)?.as_table()
    }

    pub(super) fn profile(&self, name: &str) -> Result<&Table, Failure> {
        let profiles = self.profiles();
        let found = profiles.and_then(|profiles| profiles.get(name)?.as_table());
        found.ok_or_else(|| {
            let names = profiles.iter().flat_map(|profiles| profiles.keys());
            let nearest = nearest(name, names);
            Failure::usage_with_hint(
                format!("{} has no profile {name}", self.path.display()),
                nearest.map_or(format!("a table [{PROFILES}.{name}]"), |nearest| {
                    format!("--profile {nearest}")
                }),
            )
        })
    }

    /// Refuses what is no flag's name, in the file itself and in each profile.
    pub(super) fn check(&self, known: &[String]) -> Result<(), Failure> {
        let mut keys: Vec<_> = self.table.keys().filter(|key| *key != PROFILES).collect();
        if let Some(profiles) = self.table.get(PROFILES) {
            let wrong = || {
                let message = format!(
                    "{}: {PROFILES} holds something else than tables",
                    self.path.display()
                );
                Failure::usage_with_hint(message, format!("[{PROFILES}.NAME]"))
            };
            for profile in profiles.as_table().ok_or_else(wrong)?.values() {
                keys.extend(profile.as_table().ok_or_else(wrong)?.keys());
            }
        }
        let unknown = keys.into_iter().find(|key| !known.contains(key));
        unknown.map_or(Ok(()), |key| {
            Err(Failure::usage_with_hint(
                format!("{}: {key} is no flag's name", self.path.display()),
                format!(
                    "the nearest is {}",
                    nearest(key, known.iter()).unwrap_or_default()
                ),
            ))
        })
    }
}

/// No configuration is anywhere near this size; a device file is.
fn read(path: &Path) -> io::Result<String> {
    const LARGEST: u64 = 1 << 20;
    let mut text = String::new();
    io::Read::read_to_string(
        &mut io::Read::take(fs::File::open(path)?, LARGEST + 1),
        &mut text,
    )?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "larger than 1 MiB",
        ));
    }
    Ok(text)
}
