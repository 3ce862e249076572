//! The man pages: one for each command, with the sections of its help.

use std::{fs, io::Write, path::Path, process::Stdio};

use crate::{
    help::COMMANDS,
    support::{
        files::{TempFile, utf8},
        program::run,
    },
};

/// The sections of each page, in their order. Between OPTIONS and EXAMPLES, a page may list
/// commands.
const SECTIONS: [&str; 9] = [
    "NAME",
    "SYNOPSIS",
    "DESCRIPTION",
    "OPTIONS",
    "EXAMPLES",
    "EXIT STATUS",
    "ENVIRONMENT",
    "FILES",
    "SEE ALSO",
];

fn page_name(command: &str) -> String {
    let name = format!("sensor-license {command}");
    name.trim().replace(' ', "-")
}

/// Writes the pages to a folder that does not exist yet.
fn write_pages(home: &Path) -> String {
    let folder = utf8(&home.join("share/man1")).to_owned();
    let written = run(["man", "--dir", &folder]).exits(0);
    assert_eq!(written.output(), "");
    folder
}

#[test]
fn each_command_has_a_page_with_these_sections() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = write_pages(home.path());
    let entries = fs::read_dir(&folder).expect("a folder");
    assert_eq!(entries.count(), COMMANDS.len());
    let printed = run(["man"]).exits(0).stdout;
    for command in COMMANDS {
        let file = format!("{folder}/{}.1", page_name(command));
        let page = fs::read_to_string(&file).expect(&file);
        let headings = page.lines().filter_map(|line| line.strip_prefix(".SH "));
        let headings = headings.map(|heading| heading.trim_matches('"'));
        let headings: Vec<_> = headings.filter(|heading| *heading != "COMMANDS").collect();
        assert_eq!(headings, SECTIONS, "{file}");
        assert!(printed.contains(page.trim_end()), "{file}");
    }
    // Existing pages are replaced.
    write_pages(home.path());
}

#[test]
fn synopsis_shows_values() {
    let page = run(["man"]).exits(0).stdout;
    let page = page
        .replace("\\-", "-")
        .replace("\\fB", "")
        .replace("\\fR", "");
    let page = page.replace("\\fI", "");
    for usage in [
        "[-s|--server HOST:PORT]",
        "[--timeout DUR]",
        "[--max-changes N|P%]",
        "[--dir DIR]",
        "[-v|--verbose]",
        "[FILE]...",
        "--ledger FILE",
        "{ --target NAME",
        "| --tokens FILE",
    ] {
        assert!(page.lines().any(|line| line == usage), "{usage}");
    }
}

#[test]
fn unwritable_folder_is_named() {
    let file = TempFile::new("file", "");
    run(["man", "--dir", file.str()])
        .exits(1)
        .stderr_contains(&format!("cannot write {}: ", file.str()));
}

/// Returns what mandoc says about a page, or `None` if it is not installed.
fn lint(page: &str) -> Option<String> {
    let mut mandoc = std::process::Command::new("mandoc");
    mandoc
        .arg("-Tlint")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = mandoc.spawn().ok()?;
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(page.as_bytes()).expect("written");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn mandoc_finds_nothing_to_improve() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = write_pages(home.path());
    for command in COMMANDS {
        let page = fs::read_to_string(format!("{folder}/{}.1", page_name(command)));
        let Some(output) = lint(&page.expect("a page")) else {
            return;
        };
        assert_eq!(output, "", "{command}");
    }
    assert_eq!(lint(&run(["man"]).stdout).as_deref(), Some(""));
}
