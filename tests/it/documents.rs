//! The samples, the help texts and the files that a release needs must match the program.

use std::{fmt::Write, fs, path::PathBuf};

use crate::support::{files::utf8, markdown::root, program::run};

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

#[test]
fn help_has_these_texts() {
    for command in [
        "",
        "push",
        "check",
        "probe",
        "serve",
        "ledger",
        "ledger show",
        "ledger forget",
    ] {
        for flag in ["--help", "-h"] {
            let args: Vec<_> = command.split_whitespace().chain([flag]).collect();
            let help = run(&args).exits(0).stdout;
            if flag == "--help" {
                let name = format!("help{}", command.replace(' ', "-"));
                insta::assert_snapshot!(name, help);
            }
        }
    }
    insta::assert_snapshot!("usage", run(["push"]).exits(2).stderr);
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
