//! The options that `probe` suggests.

use serde_json::Value;

/// Returns the suggested options of a report: each option, followed by its value if it has one.
pub(crate) fn suggested_flags(report: &Value) -> Vec<&str> {
    let flags = report["flags"].as_array().expect("flags");
    flags
        .iter()
        .map(|flag| flag.as_str().expect("text"))
        .collect()
}

/// Returns `command` with the given options, in which the suggested options are added or replaced.
pub(crate) fn with_suggested_flags<'a>(
    command: &'a str,
    given: &[&'a str],
    report: &'a Value,
) -> Vec<&'a str> {
    let flags = suggested_flags(report);
    let name_of = |word: &'a str| word.split_once('=').map_or(word, |(name, _)| name);
    let is_suggested = |word: &'a str| {
        let mut names = flags.iter().filter(|flag| flag.starts_with("--"));
        names.any(|flag| name_of(flag) == name_of(word))
    };
    let mut args = vec![command];
    let mut given = given.iter().peekable();
    while let Some(&word) = given.next() {
        if !is_suggested(word) {
            args.push(word);
        } else if !word.contains('=') {
            given.next_if(|value| !value.starts_with('-'));
        }
    }
    args.extend(flags);
    args
}
