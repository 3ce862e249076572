//! Imports point to the same level or lower, and one file does one thing.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The modules from the bottom up, as CONTRIBUTING.md has them.
const LEVELS: &[&[&str]] = &[
    &[
        "record",
        "endpoint",
        "metadata",
        "proxy",
        "atomic_file",
        "signals",
        "tls",
    ],
    &["contract", "input", "rejects", "shard"],
    &["batch", "ledger"],
    &["client", "receiver"],
    &["delivery", "probe"],
    &["diagnostics", "report", "terminal"],
    &["commands"],
    &["cli", "harness"],
    &["lib", "main"],
];

fn level(module: &str) -> usize {
    LEVELS
        .iter()
        .position(|modules| modules.contains(&module))
        .unwrap_or_else(|| panic!("{module} has no level in tests/structure.rs"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

/// Each source file's path below `src`, its module and its text without its unit tests.
fn sources() -> Vec<(String, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let sources: Vec<_> = files(&root)
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("text");
            let text = text.split("#[cfg(test)]\nmod tests").next();
            let name = path.strip_prefix(&root).expect("below src");
            let name = name.to_str().expect("UTF-8").to_owned();
            let module = name.split(['/', '.']).next().expect("a module").to_owned();
            (name, module, text.unwrap_or_default().to_owned())
        })
        .collect();
    assert!(sources.len() > 20, "the sources are elsewhere");
    sources
}

/// The modules that a text names as `crate::module`, in lists of imports too.
fn imports(text: &str) -> Vec<String> {
    let mut modules = Vec::new();
    for (index, _) in text.match_indices("crate::") {
        let rest = &text[index + "crate::".len()..];
        if text[..index].ends_with("pub(") {
            continue;
        }
        match rest.strip_prefix('{') {
            None => modules.extend(first_word(rest)),
            Some(list) => {
                let mut depth = 0;
                let mut start = true;
                for (at, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if c.is_whitespace() => {}
                        _ if depth == 0 && start => {
                            modules.extend(first_word(&list[at..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    modules
}

fn first_word(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (end > 0).then(|| text[..end].to_owned())
}

#[test]
fn imports_point_down() {
    let mut seen = 0;
    for (name, module, text) in sources() {
        for import in imports(&text) {
            seen += 1;
            assert!(
                level(&import) <= level(&module),
                "src/{name} (level {}) imports {import} (level {})",
                level(&module),
                level(&import)
            );
        }
    }
    assert!(seen > 50, "only {seen} imports were found");
}

#[test]
fn imports_are_found_in_every_form() {
    let text = "use crate::{\n    batch::{Batch, Limits},\n    client::Client,\n};\nuse crate::tls;\ncrate::contract::Contract::built_in()";
    assert_eq!(imports(text), ["batch", "client", "tls", "contract"]);
}

/// What may stand in one place only.
#[test]
fn each_of_these_is_used_in_one_place() {
    for (what, place) in [
        ("rustls_pemfile", "tls/pem.rs"),
        ("clap::", "cli/"),
        ("io::stderr()", "terminal.rs"),
        ("rusqlite", "ledger/ receiver/store.rs"),
    ] {
        for (name, _, text) in sources() {
            if text.contains(what) {
                assert!(
                    place.split(' ').any(|place| name.starts_with(place)),
                    "{what} in src/{name}"
                );
            }
        }
    }
}

#[test]
fn files_are_read_in_one_sitting() {
    // Tables of cases are not read from top to bottom.
    let sources_alone = sources()
        .into_iter()
        .filter(|(name, ..)| !name.ends_with("/tests.rs"));
    for (name, _, text) in sources_alone {
        let lines = text.lines().count();
        assert!(lines <= 450, "src/{name} has {lines} lines");
    }
    let main = sources().into_iter().find(|(name, ..)| name == "main.rs");
    assert!(main.expect("main.rs").2.lines().count() < 50);
}
