//! Refuses a file that two options name, if one of them writes it.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
};

use clap::ArgMatches;

use super::command_line::CONFIG;
use crate::{
    diagnostics::Failure,
    file_identity::{FileIdentity, is_descriptor, resolve},
    user_path::UserPath,
};

const OUTPUTS: [&str; 7] = [
    "rejects",
    "changes",
    "metrics_file",
    "ledger",
    "store",
    "dump",
    "write_cacert",
];

const INPUT_FILES: &str = "files";
const STDIN: &str = "standard input";
const STDOUT: &str = "standard output";
const STDERR: &str = "standard error";

/// OpenSSL's variables for the system's trust store: a file, and folders.
const TRUST_STORE_VARIABLE: &str = "SSL_CERT_FILE";
const TRUST_FOLDER_VARIABLE: &str = "SSL_CERT_DIR";

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
            STDIN | STDOUT | STDERR | TRUST_STORE_VARIABLE => self.id.to_owned(),
            id => format!("--{}", id.replace('_', "-")),
        }
    }
}

/// The rejects file may also be the input, because it is replaced at the end of the push. A rehearsal
/// would replace its input by an empty file, and an open file cannot be replaced at all.
fn is_allowed(output: &NamedFile, other: &NamedFile, matches: &ArgMatches) -> bool {
    [INPUT_FILES, STDIN].contains(&other.id)
        && output.id == "rejects"
        && !matches.get_flag("rehearse")
        && !is_descriptor(&output.path)
}

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
    if outputs.is_empty() {
        return Ok(());
    }
    let store = env::var_os(TRUST_STORE_VARIABLE).filter(|_| is_absent(matches, "cacert"));
    let stdin = is_absent(matches, INPUT_FILES).then_some("/dev/stdin");
    let unnamed = [
        (CONFIG, config_file),
        (TRUST_STORE_VARIABLE, store.as_deref().map(Path::new)),
        (STDIN, stdin.map(Path::new)),
        (STDOUT, Some(Path::new("/dev/stdout"))),
        (STDERR, Some(Path::new("/dev/stderr"))),
    ];
    let unnamed = unnamed
        .into_iter()
        .filter_map(|(id, path)| Some((id, path?)));
    let inputs = INPUTS.into_iter().flat_map(named);
    let inputs: Vec<_> = inputs
        .chain(unnamed.flat_map(|(id, path)| identify(id, path)))
        .collect();
    for (index, output) in outputs.iter().enumerate() {
        if let Some(reader) = reader_of(&output.path, matches) {
            return Err(Failure::usage(format!(
                "{} would replace a file that {reader} reads: {}",
                output.option(),
                UserPath::from(output.path.as_path())
            )));
        }
        let others = outputs[..index].iter().chain(&inputs);
        let shared = others
            .filter(|other| other.identity == output.identity && other.id != output.id)
            .find(|other| !is_allowed(output, other, matches));
        if let Some(other) = shared {
            return Err(Failure::usage_with_hint(
                format!(
                    "{} and {} name the same file: {}",
                    other.option(),
                    output.option(),
                    UserPath::from(output.path.as_path())
                ),
                format!("name a different file with {}", output.option()),
            ));
        }
    }
    Ok(())
}

/// Returns `false` if the command has no such option.
fn is_absent(matches: &ArgMatches, id: &str) -> bool {
    matches!(matches.try_get_raw(id), Ok(None))
}

/// Returns the name of the option or variable that reads any file of a folder, and so this file.
fn reader_of(path: &Path, matches: &ArgMatches) -> Option<&'static str> {
    let path = path.canonicalize().ok()?;
    if path.extension() == Some(OsStr::new("proto"))
        && let Ok(Some(_)) = matches.try_get_raw("proto")
    {
        return Some("--proto");
    }
    let folders = env::var_os(TRUST_FOLDER_VARIABLE).filter(|_| is_absent(matches, "cacert"))?;
    env::split_paths(&folders)
        .any(|folder| folder.canonicalize().ok().as_deref() == path.parent())
        .then_some(TRUST_FOLDER_VARIABLE)
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
    // SQLite and the lock use the name of the database itself, not the name of a link to it.
    let path = match is_database.then(|| resolve(path)) {
        Some(Ok(resolved)) => resolved,
        _ => path.to_owned(),
    };
    suffixes.iter().filter_map(move |suffix| {
        let mut path = path.clone().into_os_string();
        path.push(suffix);
        let path = PathBuf::from(path);
        let identity = FileIdentity::of(&path)?;
        Some(NamedFile { id, path, identity })
    })
}
