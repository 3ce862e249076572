//! The version that the program prints, and the commit that the build script finds.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::program::{Run, run};

#[test]
fn program_under_test_has_this_version() {
    let short = run(["-V"]).exits(0).stdout;
    assert_eq!(
        short,
        concat!("sensor-license ", env!("CARGO_PKG_VERSION"), "\n")
    );
    let long = run(["--version"]).exits(0).stdout;
    let lines: Vec<_> = long
        .strip_prefix(&short)
        .expect("the version")
        .lines()
        .collect();
    let [commit, target, features] = lines[..] else {
        panic!("{long}")
    };
    let commit = commit.strip_prefix("commit: ").expect("a commit");
    let is_hash = commit.len() >= 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    // A source archive has no commit.
    assert!(is_hash || commit == "unknown", "{commit}");
    assert!(target.contains(std::env::consts::ARCH), "{target}");
    assert!(features.starts_with("features: TLS 1.2, "), "{features}");
}

/// Returns the newest build script, which cargo has compiled for this test.
fn build_script() -> PathBuf {
    let folders = Path::new(env!("OUT_DIR"))
        .ancestors()
        .nth(2)
        .expect("build");
    let folders = fs::read_dir(folders).expect("folders").flatten();
    let scripts = folders.map(|folder| folder.path().join("build-script-build"));
    let own = scripts.filter(|path| path.to_string_lossy().contains("/sensor-license-"));
    let age = |path: &PathBuf| fs::metadata(path).and_then(|file| file.modified()).ok();
    own.max_by_key(age).expect("a build script")
}

/// Runs the build script in a source folder, and returns the commit for `--version`.
fn commit_in(source: &Path, search_path: &str) -> String {
    let out = tempfile::tempdir().expect("a folder");
    let mut script = Command::new(build_script());
    script
        .current_dir(source)
        .env("OUT_DIR", out.path())
        .env("TARGET", "a-target")
        .env("PATH", search_path);
    let run: Run = script.output().expect("it runs").into();
    let run = run.exits(0);
    let mut lines = run.stdout.lines();
    let commit = lines.find_map(|line| line.strip_prefix("cargo::rustc-env=BUILD_COMMIT="));
    commit.expect("a commit").to_owned()
}

#[test]
fn build_needs_neither_git_nor_a_repository() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert_eq!(commit_in(root, "/nonexistent"), "unknown");
    // This folder is in the repository, but is not a repository itself.
    let archive = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    fs::create_dir(archive.path().join("proto")).expect("a folder");
    let proto = "proto/sensor.proto";
    fs::copy(root.join(proto), archive.path().join(proto)).expect("copied");
    let search_path = std::env::var("PATH").expect("a path");
    assert_eq!(commit_in(archive.path(), &search_path), "unknown");
}
