//! Refuses a file that two options name, if one of them writes it.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use clap::ArgMatches;

use super::command_line::CONFIG;
use crate::{diagnostics::Failure, file_identity::FileIdentity, user_path::UserPath};

const OUTPUTS: [&str; 6] = [
    "rejects",
    "metrics_file",
    "ledger",
    "store",
    "dump",
    "write_cacert",
];

const INPUT_FILES: &str = "files";

const INPUTS: [&str; 10] = [
    INPUT_FILES,
    "cacert",
    "cert",
    "key",
    "client_ca",
    "bearer_token_file",
    "header",
    "proto",
    "protoset",
    "tokens",
];

/// The files of a SQLite database besides the database itself, and the lock file of a ledger.
const DATABASE_SUFFIXES: [&str; 5] = ["", "-wal", "-shm", "-journal", "-lock"];

struct NamedFile {
    id: &'static str,
    path: PathBuf,
    identity: FileIdentity,
}

impl NamedFile {
    fn option(&self) -> String {
        match self.id {
            INPUT_FILES => "FILE".to_owned(),
            id => format!("--{}", id.replace('_', "-")),
        }
    }
}

/// Only the rejects file may also be an input, because it is replaced at the end of the push.
pub(super) fn refuse_shared_files(
    mut matches: &ArgMatches,
    config_file: Option<&Path>,
) -> Result<(), Failure> {
    while let Some((_, of_subcommand)) = matches.subcommand() {
        matches = of_subcommand;
    }
    let named = |id: &'static str| {
        let values = matches.try_get_raw(id).ok().flatten();
        let paths = values
            .into_iter()
            .flatten()
            .filter_map(move |value| path_of(id, value));
        paths.flat_map(move |path| identify(id, &path))
    };
    let outputs: Vec<_> = OUTPUTS.into_iter().flat_map(named).collect();
    let mut inputs: Vec<_> = INPUTS.into_iter().flat_map(named).collect();
    inputs.extend(
        config_file
            .into_iter()
            .flat_map(|path| identify(CONFIG, path)),
    );
    for (index, output) in outputs.iter().enumerate() {
        let others = outputs[..index].iter().chain(&inputs);
        let shared = others
            .filter(|other| other.identity == output.identity && other.id != output.id)
            .find(|other| (output.id, other.id) != ("rejects", INPUT_FILES));
        if let Some(other) = shared {
            return Err(Failure::usage(format!(
                "{} and {} name the same file: {}",
                other.option(),
                output.option(),
                UserPath::from(output.path.as_path())
            )));
        }
    }
    Ok(())
}

fn path_of(id: &str, value: &OsStr) -> Option<PathBuf> {
    match (id, value.to_str()) {
        ("header", text) => text?.strip_prefix('@').map(PathBuf::from),
        (INPUT_FILES, Some("-")) => Some(PathBuf::from("/dev/stdin")),
        (_, Some("-")) => None,
        _ => Some(PathBuf::from(value)),
    }
}

fn identify(id: &'static str, path: &Path) -> impl Iterator<Item = NamedFile> + use<> {
    let is_database = ["ledger", "store"].contains(&id);
    let suffixes = &DATABASE_SUFFIXES[..if is_database {
        DATABASE_SUFFIXES.len()
    } else {
        1
    }];
    let path = path.to_owned();
    suffixes.iter().filter_map(move |suffix| {
        let mut path = path.clone().into_os_string();
        path.push(suffix);
        let path = PathBuf::from(path);
        let identity = FileIdentity::of(&path)?;
        Some(NamedFile { id, path, identity })
    })
}
