//! Details that `--verbose` prints, and the note about input from a terminal.

use std::{io::Write, process::Stdio};

use crate::support::{
    files::TempFile,
    program::{Run, command, finish, run, run_command, run_with_input},
    receiver::Receiver,
    records::ONE_RECORD,
    terminal::open_terminal,
};

#[test]
fn every_command_prints_details() {
    let receiver = Receiver::start();
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (ledger, pages) = (path("ledger"), path("pages"));
    let input = TempFile::new("csv", ONE_RECORD);
    let cacert = receiver.cacert();
    let server = ["--server", &receiver.address, "--cacert", &cacert];
    let push = [
        &["push", "--full", "--ledger", &ledger, input.str()][..],
        &server,
    ]
    .concat();
    let tokens = ["--ledger", &ledger, "--tokens", input.str()];
    let format = format!("note: {}: CSV", input.str());
    let used_ledger = format!("note: ledger: {ledger}");
    let page = format!("note: wrote {pages}/sensor-license-push.1");
    for (args, details) in [
        (
            push,
            &[
                &*format,
                "note: TCP: connected to 127.0.0.1:",
                "note: config file: none",
            ][..],
        ),
        (
            vec!["check", input.str()],
            &[&format, "note: config file: none"],
        ),
        (
            [&["probe"][..], &server].concat(),
            &["note: HTTP/2: SETTINGS received"],
        ),
        (vec!["ledger", "show", "--ledger", &ledger], &[&used_ledger]),
        (
            [&["ledger", "show"][..], &tokens].concat(),
            &[&used_ledger, &format],
        ),
        (
            [&["ledger", "forget"][..], &tokens].concat(),
            &[&used_ledger, &format],
        ),
        (
            vec!["completions", "fish"],
            &["note: write the completions to ~/.config/fish"],
        ),
        (vec!["man"], &["note: page sensor-license-push.1"]),
        (vec!["man", "--dir", &pages], &[&page]),
    ] {
        let plain = run(&args).exits(0);
        let verbose = run([&args[..], &["-v"]].concat()).exits(0);
        for detail in details {
            assert!(!plain.stderr.contains(detail), "{plain:#?}");
            assert!(verbose.stderr.contains(detail), "{detail} in {verbose:#?}");
        }
        let quiet = run([&args[..], &["-q"]].concat()).exits(0);
        assert_eq!(quiet.stderr, "", "{args:?}");
    }
}

#[test]
fn origins_of_options_are_details() {
    let config = TempFile::new(
        "toml",
        "max-errors = 3\n[profile.north]\ntime-unit = \"ms\"\n",
    );
    let check = |flags: &[&str]| {
        let mut command = command(["check", "--config", config.str(), "--profile=north"]);
        command.args(flags).env("SENSOR_LICENSE_TIMEZONE", "+02:00");
        run_command(&mut command).exits(0)
    };
    let file = config.str();
    check(&["-v"])
        .stderr_contains(&format!("note: config file: {file}\n"))
        .stderr_contains(&format!("note: --max-errors is set in {file}\n"))
        .stderr_contains(&format!("note: --time-unit is set in {file}\n"))
        .stderr_contains("note: --timezone is set by the environment variable SENSOR_LICENSE_TIM");
    let plain = check(&[]);
    assert!(!plain.stderr.contains("is set"), "{plain:#?}");
}

/// Runs the program with a terminal as standard input, on which a user types the text and Ctrl-D.
fn run_with_terminal_input(args: &[&str], text: &[u8]) -> Run {
    let (mut keyboard, terminal) = open_terminal();
    let child = command(args)
        .stdin(terminal)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    keyboard.write_all(text).expect("typed");
    keyboard.write_all(b"\x04").expect("typed");
    let run = finish(child);
    drop(keyboard);
    run
}

#[test]
fn input_from_a_terminal_is_noted() {
    let note = "note: reading standard input; press Ctrl-D to end the input, or pass FILE\n";
    for args in [&["check"][..], &["check", "-"], &["push", "--rehearse"]] {
        run_with_terminal_input(args, ONE_RECORD)
            .exits(0)
            .stderr_contains(note);
        let quiet = [args, &["--quiet"]].concat();
        let quiet = run_with_terminal_input(&quiet, ONE_RECORD).exits(0);
        assert_eq!(quiet.stderr, "");
        let piped = run_with_input(args, ONE_RECORD).exits(0);
        assert!(!piped.stderr.contains("standard input"), "{piped:#?}");
    }
}
