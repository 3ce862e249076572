//! A system that refuses threads or file descriptors, and a wrong clock. Each failure has a name and
//! a report, also in JSON.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use crate::support::{
    certificates::{CertificateFolder, params},
    files::TempFile,
    program::{PROGRAM, Run, clear_environment, command_after, run_command},
    receiver::Receiver,
    records::ONE_RECORD,
};

/// Runs the program as a user who may start no thread. Root has no such limit, so the tests of root
/// run the program as another user.
fn run_without_threads(args: &[&str]) -> Run {
    let program = TempFile::new("program", fs::read(PROGRAM).expect("the program"));
    let everyone = || fs::Permissions::from_mode(0o755);
    fs::set_permissions(program.folder(), everyone()).expect("set");
    fs::set_permissions(&program.path, everyone()).expect("set");
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "prlimit",
        ]);
        command
    } else {
        Command::new("prlimit")
    };
    command.args(["--nproc=1", program.str()]).args(args);
    clear_environment(&mut command);
    let input = TempFile::new("a.csv", ONE_RECORD);
    command.stdin(fs::File::open(&input.path).expect("opened"));
    run_command(&mut command)
}

#[test]
fn missing_thread_is_reported() {
    let receiver = Receiver::with(["--plaintext"]);
    let server = &["--plaintext", "--server", &receiver.address];
    let folder = TempFile::absent("ledger");
    fs::set_permissions(folder.folder(), fs::Permissions::from_mode(0o777)).expect("set");
    for (args, exit) in [
        (&["push", "-k", "--server=localhost:1", "--retry=0"][..], 5),
        (&["probe", "-k", "--server=localhost:1"], 5),
        (&["push", "--rehearse"], 1),
        (
            &[&["push", "--ledger", folder.str()], &server[..]].concat(),
            1,
        ),
        (&["check"], 0),
        (&[&["push"], &server[..]].concat(), 0),
    ] {
        let args = [args, &["--output=json"]].concat();
        let run = run_without_threads(&args).exits(exit);
        assert_eq!(run.json()["exit_code"], exit, "{args:?}");
        let is_named = run.stderr.contains("cannot start ")
            && run.stderr.contains("Resource temporarily unavailable");
        assert_eq!(is_named, exit != 0, "{args:?}: {run:?}");
    }
    assert_eq!(receiver.stop().records, 1);
}

#[test]
fn missing_file_descriptor_is_reported() {
    let input = TempFile::new("a.csv", ONE_RECORD);
    let ledger = TempFile::absent("ledger");
    for limit in 5..20 {
        let setup = format!("ulimit -n {limit};");
        for args in [
            &[
                "push",
                "-k",
                "--server=localhost:1",
                "--retry=0",
                input.str(),
            ][..],
            &["push", "--rehearse", "--retry=0", input.str()],
            &[
                "push",
                "--rehearse",
                "--retry=0",
                "--ledger",
                ledger.str(),
                input.str(),
            ],
            &["check", input.str()],
            &["probe", "-k", "--server=localhost:1"],
        ] {
            let args = [args, &["--output=json", "--connect-timeout=1s"]].concat();
            let args = &args[..args.len() - usize::from(args[0] == "check")];
            let run = run_command(&mut command_after(&setup, args));
            assert_eq!(run.json()["exit_code"], run.code, "{limit} {args:?}");
            let is_start = run.stderr.contains("cannot handle signals")
                || run.stderr.contains("cannot set up network I/O")
                || run.stderr.contains("cannot start the receiver");
            let has_hint = run.stderr.contains("(ulimit -n)");
            assert!(has_hint || !is_start, "{limit} {args:?}: {run:?}");
            for wrong in ["(bug)", "Name or service not known"] {
                assert!(!run.stderr.contains(wrong), "{limit} {args:?}: {run:?}");
            }
        }
    }
}

#[test]
fn wrong_clock_is_reported() {
    if Command::new("faketime").arg("--version").output().is_err() {
        // `.ci/run` installs it.
        return;
    }
    let files = CertificateFolder::new();
    let identity = files.self_signed(&params(None, &["127.0.0.1"]));
    let receiver = Receiver::presenting(&identity);
    let input = TempFile::new("a.csv", ONE_RECORD);
    let trusting = ["--server", &receiver.address, "--cacert", &identity.cert];
    let insecure = ["--server", &receiver.address, "--insecure", input.str()];
    for clock in ["1960-01-01 00:00:00", "2000-01-01 00:00:00"] {
        for (args, exit, text) in [
            (
                [&["push", input.str()], &trusting[..]].concat(),
                6,
                "hint: check the clock of this machine, which says ",
            ),
            (
                [&["probe"], &trusting[..]].concat(),
                6,
                "certificate is not valid until 2001-01-01",
            ),
            ([&["push"], &insecure[..]].concat(), 0, ""),
            (vec!["check", input.str()], 0, ""),
        ] {
            let run = at(clock, &args).exits(exit).stderr_contains(text);
            assert_eq!(run.json()["exit_code"], exit, "{clock} {args:?}");
        }
    }
    let before_1970 = "the clock of this machine is before 1970";
    let rehearsal = ["push", "--rehearse", input.str()];
    let run = at("1960-01-01 00:00:00", &rehearsal).exits(1);
    assert_eq!(run.json()["error"]["causes"][0], before_1970);
    at("1960-01-01 00:00:00", &["serve", "--listen=127.0.0.1:0"])
        .exits(1)
        .stderr_contains(before_1970);
}

/// Runs the program with another clock.
fn at(clock: &str, args: &[&str]) -> Run {
    let mut command = Command::new("faketime");
    command.args(["-f", clock, PROGRAM]).args(args);
    command.arg("--output=json");
    clear_environment(&mut command);
    run_command(&mut command)
}
