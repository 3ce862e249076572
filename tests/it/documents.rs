//! The samples, the help texts and the files that a release needs must match the program.

use std::{fmt::Write, fs, path::PathBuf};

use crate::support::{
    files::utf8,
    markdown::{documents, root},
    program::run,
};

fn samples(kind: &str) -> Vec<PathBuf> {
    let mut samples: Vec<_> = fs::read_dir(root().join("samples").join(kind))
        .expect("samples")
        .map(|entry| entry.expect("a sample").path())
        .collect();
    samples.sort();
    assert!(samples.len() > 5, "{samples:?}");
    samples
}

#[test]
fn valid_samples_can_be_pushed() {
    for sample in samples("valid") {
        let check = run(["check", utf8(&sample), "--output=json"]).exits(0);
        let push = run(["push", "--rehearse", utf8(&sample), "--output=json"]).exits(0);
        assert_eq!(check.count("unsent"), push.count("acknowledged"));
    }
}

#[test]
fn invalid_samples_have_these_messages() {
    let mut words = String::new();
    for sample in samples("invalid") {
        let run = run(["check", utf8(&sample)]).exits(4);
        let name = sample.strip_prefix(root()).expect("a sample");
        writeln!(words, "# {}\n{}", name.display(), run.stderr).expect("a string");
    }
    let words = words.replace(&format!("{}/", root().display()), "");
    insta::assert_snapshot!(words);
}

/// Returns the targets of the Markdown links in a text.
fn link_targets(text: &str) -> Vec<&str> {
    let links = text.split("](").skip(1);
    links
        .map(|rest| rest.split_once(')').expect("the end of a link").0)
        .collect()
}

/// Returns the anchors of the headings, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let title = heading.trim_start_matches('#').trim().to_lowercase();
        let is_kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        title
            .chars()
            .filter(is_kept)
            .collect::<String>()
            .replace(' ', "-")
    };
    headings.map(anchor).collect()
}

#[test]
fn links_in_documents_have_targets() {
    let mut count = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).expect("text");
        for target in link_targets(&text) {
            if target.contains("://") {
                continue;
            }
            count += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = match file {
                "" => document.clone(),
                file => document.with_file_name("").join(file),
            };
            let place = format!("{}: {target}", document.display());
            assert!(file.exists(), "{place}");
            if !anchor.is_empty() {
                let text = fs::read_to_string(&file).expect("text");
                assert!(anchors(&text).iter().any(|one| one == anchor), "{place}");
            }
        }
    }
    assert!(count > 20, "{count}");
}

#[test]
fn packages_in_documents_and_samples_have_this_version() {
    let samples = [
        "samples/ci/github/action.yml",
        "samples/ci/gitlab/license-expirations.gitlab-ci.yml",
        "samples/kubernetes/cronjob.yaml",
        "samples/kubernetes/indexed-job.yaml",
    ];
    let samples = samples.map(|name| root().join(name));
    let mut count = 0;
    for document in documents().into_iter().chain(samples) {
        let text = fs::read_to_string(&document).expect("text");
        for separator in ["sensor-license_", "sensor-license-", "sensor-license:"] {
            let names = text.split(separator).skip(1);
            for name in names.filter(|name| name.starts_with(|c: char| c.is_ascii_digit())) {
                let is_this_version = name.starts_with(env!("CARGO_PKG_VERSION"));
                assert!(is_this_version, "{}", document.display());
                count += 1;
            }
        }
    }
    assert!(count > 6, "{count}");
}

#[test]
fn changelog_and_man_pages_have_the_same_version_and_date() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).expect("text");
    let mut headings = changelog
        .lines()
        .filter_map(|line| line.strip_prefix("## "));
    let newest = headings.find_map(|heading| heading.split_once(" - "));
    let (version, date) = newest.expect("a release");
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
    let pages = run(["man"]).exits(0).stdout;
    let first = pages
        .lines()
        .find(|line| line.starts_with(".TH "))
        .expect("a page");
    assert!(
        first.contains(date) && first.contains(version),
        "{first}, {date}"
    );
}

#[test]
fn changelog_and_licenses_exist() {
    for file in [
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE-MIT",
        "SECURITY.md",
        "LICENSE-APACHE",
        "deny.toml",
    ] {
        assert!(
            fs::metadata(root().join(file)).expect(file).len() > 100,
            "{file}"
        );
    }
}
