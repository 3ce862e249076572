//! Progress on a terminal, and standard output.

use std::{fs, io::Read, process::Stdio, thread, time::Duration};

use tonic::Code;

use crate::support::{
    fault_server::{
        FaultServer,
        action::{Action, ok_after, status},
    },
    files::TempFile,
    program::{command, run},
    receiver::Receiver,
};

/// Pushes three records with a terminal as standard error. Returns what the terminal receives.
fn push_on_terminal(mut args: Vec<String>, columns: u16, flags: &[&str], exit: i32) -> String {
    use rustix::{
        fs::{Mode, OFlags},
        pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
        termios::{Winsize, tcsetwinsize},
    };
    let flags_of_terminal = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    let master = openpt(flags_of_terminal).expect("a terminal");
    grantpt(&master).expect("granted");
    unlockpt(&master).expect("unlocked");
    let name = ptsname(&master, Vec::new()).expect("its name");
    let size = Winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&master, size).expect("sized");
    let terminal = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
    let input = TempFile::new(
        "a.csv",
        "token,expire_time\na,1000000001\nb,1000000001\nc,1000000001\n",
    );
    args.extend(flags.iter().map(|&flag| flag.to_owned()));
    args.push(input.str().to_owned());
    let mut command = command(args);
    command.stderr(terminal.expect("opened"));
    let reader = thread::spawn(move || {
        let mut shown = Vec::new();
        // Reading fails with EIO after the last process has closed the terminal.
        let _ = fs::File::from(master).read_to_end(&mut shown);
        String::from_utf8_lossy(&shown).into_owned()
    });
    let output = command.output().expect("it runs");
    drop(command);
    assert_eq!(output.status.code(), Some(exit), "{output:?}");
    reader.join().expect("read")
}

#[test]
fn json_has_no_control_characters() {
    let shown = run(["check", "--output=json", "\u{9b}31m\u{7f}.csv"]).exits(4);
    assert!(
        !shown.stdout.trim_end().contains(char::is_control),
        "{shown:?}"
    );
    let message = shown.json()["error"]["message"].to_string();
    assert!(message.contains("\u{9b}31m\u{7f}.csv"), "{message:?}");
}

#[test]
fn progress_is_shown_on_a_terminal() {
    let receiver = Receiver::with(["--delay=200ms"]);
    let singly = ["--batch-records=1", "--concurrency=1"];
    for columns in [0, 1, 20] {
        push_on_terminal(receiver.push_args(), columns, &singly, 0);
    }
    let shown = push_on_terminal(receiver.push_args(), 80, &singly, 0);
    assert!(shown.contains(" 2/3 records"), "{shown:?}");
    assert!(shown.ends_with("\r\u{1b}[2K"), "{shown:?}");
    for flag in ["--progress=never", "--quiet"] {
        let flags = [&singly[..], &[flag]].concat();
        let shown = push_on_terminal(receiver.push_args(), 80, &flags, 0);
        assert!(!shown.contains("/3 records"), "{flag}: {shown:?}");
    }
    // No progress is written to a pipe.
    let run = receiver
        .push_input(singly, b"token,expire_time\na,4070908800\n")
        .exits(0);
    assert_eq!(run.stderr, "");
}

#[test]
fn progress_counts_only_answered_records() {
    let slow = Duration::from_millis(200);
    let denied = status(Code::Unauthenticated, "");
    let server = FaultServer::serving([ok_after(slow), Action::Delay(slow, denied.into())]);
    let singly = ["--batch-records=1", "--concurrency=1"];
    let shown = push_on_terminal(server.args(&[]), 80, &singly, 3);
    assert!(shown.contains(" 1/3 records"), "{shown:?}");
    assert!(!shown.contains(" 2/3 records"), "{shown:?}");
    assert!(!shown.contains(" 3/3 records"), "{shown:?}");
}

#[test]
fn quiet_prints_only_errors() {
    let receiver = Receiver::start();
    let run = receiver
        .push_input(
            ["--quiet"],
            b"token,expire_time\na,1000000001\na,1000000001\n",
        )
        .exits(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    let run = receiver
        .push_input(["-q"], b"token,expire_time\na,x\n")
        .exits(4)
        .stderr_contains("error: ");
    assert_eq!(run.stdout, "");
}

#[test]
fn closed_standard_output_is_not_an_error() {
    let mut child = command(["check", "--output=json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    drop(child.stdin.take());
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn full_standard_output_is_an_error() {
    let full = fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("a full device");
    let status = command(["check", "--output=json"]).stdout(full).status();
    assert_eq!(status.expect("it runs").code(), Some(1));
}
