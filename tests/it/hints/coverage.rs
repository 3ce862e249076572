//! Each hint that names an option or a command is in a test of this topic.

use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr,
};

use proc_macro2::{TokenStream, TokenTree};

/// The beginnings of other messages with an option or a command.
const MESSAGES: &[&str] = &[
    "disk I/O error",
    "is after --latest",
    "is before --earliest",
    "matches no --time-format",
    "no value at --records",
    "record takes ",
    "trusted: issued by a CA of --cacert",
];

/// The beginnings of hints whose tests are not in this folder, with the file of the tests.
const TESTED_ELSEWHERE: &[(&str, &str)] = &[
    ("raise the limit of ", "system_limits.rs"),
    ("renew that CA certificate", "trust/mod.rs"),
];

#[test]
fn each_hint_has_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = texts_of(&root.join("tests/it/hints"));
    tests.extend(texts_of(&root.join("tests/it/trust/identity_files.rs")));
    let hints: Vec<_> = texts_of(&root.join("src"))
        .into_iter()
        .filter(|text| names_option_or_command(text))
        .filter(|text| !MESSAGES.iter().any(|message| text.starts_with(message)))
        .collect();
    assert!(hints.len() > 50, "{hints:#?}");
    let is_elsewhere = |hint: &&String| {
        let mut others = TESTED_ELSEWHERE.iter();
        others.any(|(start, _)| hint.starts_with(start))
    };
    let is_tested = |hint: &String| tests.iter().any(|test| has_form(test, hint));
    let untested: Vec<_> = hints
        .iter()
        .filter(|hint| !is_tested(hint) && !is_elsewhere(hint))
        .collect();
    assert!(untested.is_empty(), "{untested:#?}");
}

/// A hint begins with a verb in lower case, and help texts begin with a capital letter.
fn names_option_or_command(text: &str) -> bool {
    let follows = |mark: &str| {
        text.split(mark)
            .skip(1)
            .any(|rest| rest.starts_with(|c: char| c == '-' || c.is_ascii_alphabetic()))
    };
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && (follows(" -") || text.contains("NO_PROXY"))
}

/// Returns whether the text has the parts of the format string in their order.
fn has_form<'a>(text: &'a str, format: &'a str) -> bool {
    let mut parts = format.split(['{', '}']).step_by(2);
    let start = text.split_once(parts.next().unwrap_or_default());
    let after = |rest: &'a str, part| rest.split_once(part).map(|(_, rest)| rest);
    start.is_some_and(|(_, start)| parts.try_fold(start, after).is_some())
}

/// Returns the string literals of a file, or of all files of a folder. Options with their help texts,
/// and unit tests, are left out.
fn texts_of(path: &Path) -> Vec<String> {
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("a folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let is_code = |path: &PathBuf| {
            !["options", "tests", "tests.rs", "sections.rs"]
                .iter()
                .any(|name| path.ends_with(name))
        };
        return paths
            .filter(is_code)
            .flat_map(|path| texts_of(&path))
            .collect();
    }
    let code = fs::read_to_string(path).expect("text");
    let code = code.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let tokens = TokenStream::from_str(code).expect("Rust");
    let mut texts = Vec::new();
    collect_texts(tokens, &mut texts);
    texts
}

fn collect_texts(tokens: TokenStream, texts: &mut Vec<String>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => collect_texts(group.stream(), texts),
            TokenTree::Literal(literal) => {
                let text = syn::parse_str::<syn::LitStr>(&literal.to_string());
                texts.extend(text.map(|text| text.value()));
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
}
