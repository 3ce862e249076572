//! The help of each command: its texts, its length, and the examples in it.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{Command, Stdio},
};

use rustix::process::Signal;

use crate::support::{
    program::{PROGRAM, Run, clear_environment, command, run, run_command, send_signal},
    receiver::Receiver,
};

/// Each command with a help text. The first is the program itself.
pub(crate) const COMMANDS: [&str; 10] = [
    "",
    "push",
    "check",
    "probe",
    "serve",
    "ledger",
    "ledger show",
    "ledger forget",
    "completions",
    "man",
];

const SECTIONS: [&str; 4] = ["EXAMPLES:", "EXIT STATUS:", "ENVIRONMENT:", "FILES:"];

fn help(command: &str, flag: &str) -> String {
    let args = command.split_whitespace().chain([flag]);
    run(args).exits(0).stdout
}

#[test]
fn help_has_these_texts() {
    for command in COMMANDS {
        for (flag, kind) in [("-h", "short"), ("--help", "long")] {
            let name = format!("{kind} {command}");
            let name = name.trim().replace(' ', "-");
            insta::assert_snapshot!(name, help(command, flag));
        }
    }
}

#[test]
fn push_without_server_names_both_ways_to_push() {
    insta::assert_snapshot!("push_without_server", run(["push"]).exits(2).stderr);
    let json = run(["push", "--output=json"]).exits(2).json();
    let hint = json["error"]["hint"].as_str().expect("a hint");
    assert!(hint.contains("--rehearse"), "{hint}");
    run(["probe"]).exits(2).stderr_contains("--server");
}

#[test]
fn short_help_is_one_page() {
    for command in COMMANDS {
        // A terminal of the usual width.
        let mut program = self::command(command.split_whitespace().chain(["-h"]));
        let page = run_command(program.env("COLUMNS", "80")).exits(0).stdout;
        assert!(page.lines().count() <= 60, "{command}: {page}");
        let widest = page.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{command}: {page}");
    }
}

#[test]
fn long_help_is_wrapped_and_ends_with_the_sections() {
    for command in COMMANDS {
        let text = help(command, "--help");
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{command}: {text}");
        let headings: Vec<_> = text
            .lines()
            .filter(|line| SECTIONS.contains(line))
            .collect();
        assert_eq!(headings, SECTIONS, "{command}: {text}");
    }
}

/// Returns the commands in the section EXAMPLES of a help text.
fn examples(help: &str) -> Vec<String> {
    let (_, rest) = help.split_once("EXAMPLES:\n").expect("examples");
    let (section, _) = rest.split_once("\nEXIT STATUS:").expect("the next section");
    let examples = section.trim_end().split("\n\n").map(|example| {
        let (description, command) = example.split_once('\n').expect("a command");
        assert!(
            description.starts_with("  ") && description.ends_with(':'),
            "{example}"
        );
        command.trim().to_owned()
    });
    examples.collect()
}

/// Makes a home folder with the files that the examples read, and with programs that they call.
fn prepare_home(home: &Path, receiver: &Receiver) {
    let write = |name: &str, content: &[u8]| {
        let file = home.join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(&file, content).expect("written");
        fs::set_permissions(file, PermissionsExt::from_mode(0o755)).expect("executable");
    };
    fs::copy(receiver.cacert(), home.join("server.crt")).expect("copied");
    write("licenses.csv", b"device_token,expire_time\na,4070908800\n");
    write(
        "licenses.json",
        br#"[{"device_token":"a","expire_time":4070908800}]"#,
    );
    let mut export = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    export
        .write_all(b"until;id\n4070908800000;a\n")
        .expect("written");
    write("export.csv.gz", &export.finish().expect("compressed"));
    for folder in [
        ".zfunc",
        ".config/fish/completions",
        ".local/share/bash-completion/completions",
    ] {
        fs::create_dir_all(home.join(folder)).expect("a folder");
    }
    // These scripts replace programs that may not be installed.
    write("bin/jq", b"#!/bin/sh\nsed 's/^\\[//; s/\\]$//' \"$3\"\n");
    write("bin/man", b"#!/bin/sh\ngrep -m 1 SYNOPSIS\n");
    symlink(PROGRAM, home.join("bin/sensor-license")).expect("linked");
}

#[test]
fn examples_work() {
    let receiver = Receiver::start();
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    prepare_home(home, &receiver);
    let programs = home.join("bin").into_os_string().into_string();
    let path = format!(
        "{}:{}",
        programs.expect("UTF-8"),
        std::env::var("PATH").expect("a path")
    );
    let shell = |line: &str| {
        let line = line
            .replace("license.example.com:9102", &receiver.address)
            .replace("127.0.0.1:9102", "127.0.0.1:0");
        let mut shell = Command::new("sh");
        clear_environment(&mut shell);
        shell
            .args(["-c", &line])
            .current_dir(home)
            .env("HOME", home)
            .env("PATH", &path)
            .env("SSL_CERT_FILE", home.join("server.crt"));
        shell
    };
    for command in COMMANDS {
        let examples = examples(&help(command, "--help"));
        for line in examples {
            assert!(
                line.contains(&format!("sensor-license {command}")),
                "{command}: {line}"
            );
            if command == "serve" {
                let line = format!("exec {line}");
                let mut child = shell(&line)
                    .stdout(Stdio::piped())
                    .spawn()
                    .expect("it runs");
                let mut first = String::new();
                let stdout = child.stdout.take().expect("a pipe");
                BufReader::new(stdout)
                    .read_line(&mut first)
                    .expect("a line");
                assert!(first.starts_with("listening on https://"), "{first}");
                send_signal(&child, Signal::TERM);
                assert!(child.wait().expect("it ends").success());
            } else {
                run_command(&mut shell(&line)).exits(0);
            }
        }
    }
    for file in [
        "received.csv",
        "licenses.ledger",
        ".zfunc/_sensor-license",
        ".local/share/man/man1/sensor-license-push.1",
    ] {
        assert!(home.join(file).exists(), "{file}");
    }
}

#[test]
fn help_shows_no_value_of_the_environment() {
    let mut command = command(["push", "--help"]);
    command.env("SENSOR_LICENSE_BEARER_TOKEN_FILE", "s3cret-path");
    command.env("SENSOR_LICENSE_TIMEOUT", "4711s");
    let help: Run = run_command(&mut command);
    help.exits(0).hides("s3cret-path").hides("4711");
}
