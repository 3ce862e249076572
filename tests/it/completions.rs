//! The completions, in real shells. A shell that is not installed is left out.

use std::{
    fs,
    io::{Read, Write},
    path::Path,
    process::Command,
};

use crate::support::{
    files::TempFile,
    program::{clear_environment, run, run_command, run_with},
    terminal::open_terminal,
};

/// A command line, which is completed at its end, with some of the words that a shell must offer,
/// and some that it must not offer. The current folder holds the folders `dir1` and `dir2`, and the
/// file `file1.pem`.
type Case<'c> = (&'c str, &'c [&'c str], &'c [&'c str]);

const CASES: [Case<'_>; 12] = [
    ("push --import-path ", &["dir1", "dir2"], &["file1"]),
    ("man --dir ", &["dir1", "dir2"], &["file1"]),
    ("push --cacert ", &["dir1", "file1.pem"], &[]),
    ("check ", &["file1.pem"], &["--timezone"]),
    ("push x ", &["file1.pem"], &["--timezone"]),
    ("push -", &["--timezone"], &[]),
    (
        "push --input-format ",
        &["csv", "ndjson"],
        &["file1", "dir1"],
    ),
    ("push --delimiter ", &[], &["file1", "dir1"]),
    ("push --server ", &[], &["not found"]),
    (
        "push --ti",
        &["--timeout", "--time-field", "--time-unit"],
        &["--token-field"],
    ),
    ("ledger forget --lo", &["--lock-timeout"], &[]),
    ("ledger ", &["show", "forget"], &["file1"]),
];

/// Checks what a shell offers. `complete` gets the home folder, in which the folder `work` is the
/// current folder, and the command line.
fn check_cases(shell: &str, complete: impl Fn(&Path, &str) -> String) {
    if Command::new(shell).arg("--version").output().is_err() {
        return;
    }
    let home = tempfile::tempdir().expect("a folder");
    for folder in ["work/dir1", "work/dir2"] {
        fs::create_dir_all(home.path().join(folder)).expect("a folder");
    }
    fs::write(home.path().join("work/file1.pem"), "").expect("written");
    // Zsh finds the completions of a command by this name.
    let script = run(["completions", shell]).exits(0).stdout;
    fs::write(home.path().join("_sensor-license"), script).expect("written");
    for (line, offered, others) in CASES {
        let output = complete(home.path(), &format!("sensor-license {line}"));
        for word in offered {
            assert!(
                output.contains(word),
                "{shell}: {line}: no {word} in {output:?}"
            );
        }
        for word in others {
            assert!(
                !output.contains(word),
                "{shell}: {line}: {word} in {output:?}"
            );
        }
    }
}

fn shell(program: &str, home: &Path) -> Command {
    let mut shell = Command::new(program);
    clear_environment(&mut shell);
    shell.current_dir(home.join("work")).env("HOME", home);
    shell
}

#[test]
fn zsh_completes() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/capture.zsh");
    check_cases("zsh", |home, line| {
        let mut zsh = shell("zsh", home);
        let run = run_command(zsh.arg("-f").arg(&script).arg(home).arg(line));
        run.exits(0).output()
    });
}

#[test]
fn fish_completes() {
    check_cases("fish", |home, line| {
        let mut fish = shell("fish", home);
        let script = "source ../_sensor-license; complete --do-complete $argv[1]";
        run_command(fish.args(["--command", script, line]))
            .exits(0)
            .output()
    });
}

#[test]
fn bash_completes() {
    check_cases("bash", |home, line| {
        let (mut user, terminal) = open_terminal();
        let mut bash = shell("bash", home);
        let copy = || terminal.try_clone().expect("a terminal");
        bash.args(["--norc", "--noprofile", "-i"])
            .env("TERM", "dumb")
            .env("INPUTRC", "/dev/null")
            .stdin(copy())
            .stdout(copy())
            .stderr(copy());
        let mut child = bash.spawn().expect("bash");
        drop((bash, terminal));
        let settings = [
            "bind 'set show-all-if-ambiguous on'",
            "bind 'set page-completions off'",
            "bind 'set completion-query-items 0'",
        ];
        let settings = settings.join("\n");
        let keys = format!("source ../_sensor-license\n{settings}\nPS1='READ''Y> '\n");
        user.write_all(keys.as_bytes()).expect("typed");
        // Bash prints the prompt when it is ready to read single keys.
        read_until(&mut user, "READY> ");
        // Ctrl-U removes the line.
        let keys = format!("{line}\t\u{15}echo EN''D\n");
        user.write_all(keys.as_bytes()).expect("typed");
        let output = read_until(&mut user, "END");
        user.write_all(b"exit\n").expect("typed");
        child.wait().expect("it ends");
        output
    });
}

fn read_until(terminal: &mut fs::File, end: &str) -> String {
    let mut output = String::new();
    let mut buffer = [0; 4096];
    while !output.contains(end) {
        let length = terminal.read(&mut buffer).expect("output");
        output += &String::from_utf8_lossy(&buffer[..length]);
    }
    output
}

#[test]
fn completions_and_man_pages_name_every_push_option() {
    let help = run_with(&["push", "--help"], &[], b"").exits(0).stdout;
    let flags: Vec<_> = help
        .lines()
        .filter(|line| line.trim_start().starts_with('-'))
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with("--")))
        .map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric()))
        .collect();
    assert!(flags.len() > 50, "{flags:?}");
    for args in [
        &["completions", "bash"][..],
        &["completions", "zsh"],
        &["completions", "fish"],
        &["completions", "elvish"],
        &["completions", "powershell"],
        &["man"],
    ] {
        let printed = run_with(args, &[], b"").exits(0);
        assert_eq!(printed.stderr, "");
        let printed = printed.stdout.replace("\\-", "-");
        for flag in &flags {
            assert!(printed.contains(flag), "{args:?}: {flag}");
        }
    }
    run_with(&["completions", "tcsh"], &[], b"").exits(2);
    // A shell may run `completions` at its start, so the command must work even with an invalid
    // config file.
    let broken = TempFile::new("toml", "nothing = ");
    run_with(
        &["completions", "bash"],
        &[("SENSOR_LICENSE_CONFIG", broken.str())],
        b"",
    )
    .exits(0);
}
