//! The layout of `src`: imports point down, no files import each other, files and functions are
//! short. A *room* is a top-level module of `src`.
//!
//! `syn` parses the sources. Many a `mod.rs` is a *facade*: it only re-exports items of other
//! files. So the tests follow each path through `use` lines and re-exports to the file that defines
//! the item. Unit tests are left out.

mod source_file;
mod tree;

use std::collections::BTreeSet;

use source_file::Segments;
use tree::{Resolved, Tree};

/// The rooms from the bottom up, as CONTRIBUTING.md lists them.
const LEVELS: &[&[&str]] = &[
    &[
        "record",
        "endpoint",
        "proxy",
        "metadata",
        "tls",
        "atomic_file",
        "blocking_work",
        "database",
        "file_identity",
        "signals",
        "user_path",
    ],
    &["contract", "input"],
    &["batch", "shard", "rejects", "ledger"],
    &["client", "receiver"],
    &["delivery", "probe"],
    &["diagnostics", "report", "terminal"],
    &["commands"],
    &["cli", "harness"],
    &["lib", "main"],
];

/// Pairs of rooms on the same level. The first room must not import the second room, although
/// imports within a level are allowed in general.
const SEPARATE: &[(&str, &str)] = &[("input", "contract")];

/// Crates and functions, and the only rooms or files that may use them.
const SINGLE_PLACES: &[(&str, &[&str])] = &[
    ("rustls_pemfile", &["tls/pem.rs"]),
    ("clap", &["cli/"]),
    ("std::io::stdout", &["terminal.rs"]),
    ("std::io::stderr", &["terminal.rs"]),
    ("rusqlite", &["database.rs", "ledger/", "receiver/store.rs"]),
];

const MAX_FILE_LINES: usize = 420;
const MAX_FUNCTION_LINES: usize = 70;
const MAX_LONG_FUNCTIONS: usize = 4;

fn level(room: &str) -> usize {
    LEVELS
        .iter()
        .position(|rooms| rooms.contains(&room))
        .unwrap_or_else(|| panic!("{room} has no level in tests/it/structure/mod.rs"))
}

#[test]
fn imports_point_down() {
    let tree = Tree::of_project();
    let edges: usize = tree.edges().iter().map(BTreeSet::len).sum();
    assert!(edges > 200, "only {edges} imports were found");
    assert_eq!(tree.upward_imports(), Vec::<String>::new());
}

#[test]
fn no_files_import_each_other() {
    assert_eq!(Tree::of_project().circle(), None);
}

#[test]
fn inherent_methods_stand_in_one_block_beside_their_type() {
    let tree = Tree::of_project();
    for (index, file) in tree.files.iter().enumerate() {
        let mut seen = BTreeSet::new();
        for (path, generics) in &file.inherent_impls {
            let name = path.join("::");
            assert_eq!(
                tree.resolve(index, path),
                Resolved::Item(index),
                "src/{}: methods of {name} away from its definition",
                file.path
            );
            assert!(
                seen.insert(generics),
                "src/{}: a second block of methods of {name}",
                file.path
            );
        }
    }
}

#[test]
fn some_crates_are_used_in_one_place() {
    let tree = Tree::of_project();
    for (what, places) in SINGLE_PLACES {
        let wanted: Segments = what.split("::").map(ToOwned::to_owned).collect();
        let mut uses = 0;
        for (index, file) in tree.files.iter().enumerate() {
            let is_used = file.paths.iter().any(|path| {
                matches!(tree.resolve(index, path), Resolved::External(full) if full.starts_with(&wanted))
            });
            if is_used {
                uses += 1;
                let is_allowed = places.iter().any(|place| file.path.starts_with(place));
                assert!(is_allowed, "src/{} uses {what}", file.path);
            }
        }
        assert!(uses > 0, "nothing uses {what}");
    }
}

#[test]
fn files_and_functions_are_short() {
    let tree = Tree::of_project();
    let mut long_functions = Vec::new();
    for file in &tree.files {
        let (path, lines) = (&file.path, file.lines);
        assert!(lines <= MAX_FILE_LINES, "src/{path} has {lines} lines");
        let long = file
            .functions
            .iter()
            .filter(|function| function.lines > MAX_FUNCTION_LINES);
        long_functions.extend(
            long.map(|function| {
                format!("src/{path}: {} has {} lines", function.name, function.lines)
            }),
        );
    }
    assert!(
        long_functions.len() <= MAX_LONG_FUNCTIONS,
        "{}",
        long_functions.join("\n")
    );
}

/// A small crate in which `client` uses `record` through a facade.
const EXAMPLE: [(&str, &str); 4] = [
    ("lib.rs", "mod client; mod record;"),
    ("record/mod.rs", "mod token; pub(crate) use token::Token;"),
    (
        "record/token.rs",
        "pub(crate) struct Token; impl Token { fn new() {} }",
    ),
    (
        "client.rs",
        "use crate::record::{self, Token}; fn send(_: Token, _: record::Token) {}",
    ),
];

fn example_with(path: &'static str, text: &'static str) -> Tree {
    let others = EXAMPLE.into_iter().filter(|(other, _)| *other != path);
    Tree::parse(others.chain([(path, text)]))
}

#[test]
fn accepts_imports_through_a_facade() {
    let tree = Tree::parse(EXAMPLE);
    assert_eq!(tree.circle(), None);
    assert_eq!(tree.upward_imports(), Vec::<String>::new());
    let file = |path| {
        tree.files
            .iter()
            .position(|file| file.path == path)
            .expect("a file")
    };
    let edges = tree.edges();
    assert_eq!(
        edges[file("client.rs")],
        BTreeSet::from([file("record/token.rs")])
    );
}

#[test]
fn finds_circles_and_upward_imports_in_every_form() {
    for text in [
        "use crate::client::send; pub(crate) struct Token;",
        "use crate::{client::{self}}; pub(crate) struct Token; fn f() { client::send(); }",
        "use super::super::client as sender; pub(crate) struct Token; fn f() { sender::send() }",
        "pub(crate) struct Token; fn f() { crate::client::send() }",
        "pub(crate) struct Token; fn f() { assert!(true && crate::client::send()) }",
        "pub(crate) struct Token; mod inner { fn f() { crate::client::send() } }",
    ] {
        let tree = example_with("record/token.rs", text);
        let circle = tree.circle().unwrap_or_default();
        assert_eq!(
            BTreeSet::from_iter(circle),
            BTreeSet::from(["client.rs", "record/token.rs"]),
            "{text}"
        );
        assert_eq!(
            tree.upward_imports(),
            ["record/token.rs imports client.rs"],
            "{text}"
        );
    }
}

#[test]
fn ignores_imports_of_unit_tests() {
    let text = "pub(crate) struct Token; #[cfg(test)] mod tests { use crate::client::send; }";
    assert_eq!(example_with("record/token.rs", text).circle(), None);
}
