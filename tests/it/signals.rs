//! SIGINT, SIGTERM and SIGHUP at each point of a run, from the first pass over the input to the
//! last response.
//!
//! `ledger` tests signals during the wait for the lock of a ledger, and `outputs` tests signals
//! during the wait for a FIFO.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::Child,
    sync::mpsc,
    time::Duration,
};

use rustix::process::Signal;
use tonic::Code;

use crate::support::{
    fault_server::{
        Connection, FaultServer, Traffic,
        action::{Action, Ending, Response, ok_after, status},
    },
    files::TempFile,
    program::{
        Run, SIGNAL_EXITS, command_under_nohup, end_with_second_signal, finish, send_signal, start,
        start_command, start_with_open_stdin, wait_until_handled,
    },
    receiver::Receiver,
    records::{ONE_RECORD, ONE_TOKEN, TOKEN_PREFIX, records, slow_input},
    tcp_server::{drain, serve_tcp},
};

/// Sends a signal to a run, and waits for the end of the run.
fn interrupt(child: Child, signal: Signal) -> Run {
    send_signal(&child, signal);
    finish(child)
}

/// Sends a signal to a push when the traffic fulfills a condition.
fn push_interrupted_when(
    server: &FaultServer,
    flags: &[&str],
    input: &[u8],
    condition: impl Fn(&Traffic) -> bool,
    signal: Signal,
) -> Run {
    let child = start(server.args(flags), input);
    server.wait_for(condition);
    interrupt(child, signal)
        .counts_add_up()
        .hides(ONE_TOKEN)
        .hides(TOKEN_PREFIX)
}

/// Returns the arguments of a command that reads standard input unless files are added.
fn reading_args(command: &str, receiver: &Receiver) -> Vec<String> {
    let mut args = receiver.args_of(command);
    if command == "check" {
        args.truncate(1);
    }
    args.push("--output=json".to_owned());
    args
}

#[test]
fn signal_ends_the_wait_for_input() {
    let receiver = Receiver::start();
    for (signal, exit) in SIGNAL_EXITS {
        for command in ["push", "check"] {
            let mut child = start_with_open_stdin(reading_args(command, &receiver));
            let mut input = child.stdin.take().expect("piped");
            // The rows are more than a pipe holds, so the program has read some of them when all
            // are written.
            let rows = "a,1000000001\n".repeat(100_000);
            let rows = format!("token,expire_time\n{rows}b,");
            input.write_all(rows.as_bytes()).expect("written");
            let run = interrupt(child, signal)
                .exits(exit)
                .stderr_contains("interrupted by")
                .counts_add_up();
            assert_eq!(run.json()["status"], "interrupted", "{run:?}");
        }
    }
    assert_eq!(receiver.stop().requests, 0);
}

#[test]
fn signal_ends_the_wait_for_a_writer_of_a_fifo() {
    let fifo = TempFile::fifo();
    for (signal, exit) in SIGNAL_EXITS {
        let child = start_with_open_stdin(["check", fifo.str()]);
        wait_until_handled(&child, signal);
        interrupt(child, signal)
            .exits(exit)
            .stderr_contains("interrupted by");
    }
}

#[test]
fn signal_ends_the_reading_of_files() {
    let file = TempFile::absent("input.csv");
    let files = slow_input(&file);
    let metrics = file.path.with_file_name("metrics");
    let receiver = Receiver::start();
    for (signal, exit) in SIGNAL_EXITS {
        for command in ["push", "check"] {
            let mut args = reading_args(command, &receiver);
            if command == "push" {
                args.push(format!("--metrics-file={}", metrics.display()));
            }
            args.extend(files.clone());
            let child = start_with_open_stdin(args);
            wait_until_handled(&child, signal);
            let run = interrupt(child, signal)
                .exits(exit)
                .stderr_contains("interrupted by")
                .counts_add_up();
            assert_eq!(run.json()["status"], "interrupted", "{run:?}");
        }
        let written = std::fs::read_to_string(&metrics).expect("metrics");
        let exit_code = format!("exit_code {exit}\n");
        assert!(written.contains(&exit_code), "{written}");
    }
    assert_eq!(receiver.stop().requests, 0);
    // The folder has the input and the metrics, and no temporary file.
    assert_eq!(file.folder().read_dir().expect("a folder").count(), 2);
}

#[test]
fn signal_ends_the_wait_for_a_connection() {
    let (connected, connections) = mpsc::channel();
    let silent = serve_tcp(move |mut stream| {
        let _ = connected.send(());
        drain(&mut stream);
    });
    let args = ["push", "-k", "--server", &silent, "--connect-timeout=1h"];
    let child = start(args, ONE_RECORD);
    connections.recv().expect("a connection");
    let run = interrupt(child, Signal::INT)
        .exits(130)
        .stderr_contains("SIGINT");
    assert!(!run.stderr.contains("in flight"), "{run:?}");
}

#[test]
fn signal_lets_open_requests_finish() {
    const OPEN: usize = 3;
    let flags = ["--batch-records=1", "--concurrency=3"];
    for (signal, exit) in SIGNAL_EXITS {
        let server = FaultServer::serving([ok_after(Duration::from_secs(1))]);
        let all_open = |traffic: &Traffic| traffic.attempts.len() == OPEN;
        let run = push_interrupted_when(&server, &flags, &records(9), all_open, signal)
            .exits(exit)
            .stderr_contains("; waiting for 3 requests in flight (a second")
            .counts_requests("sent", OPEN as u64)
            .counts("acknowledged", OPEN as u64)
            .counts("unsent", 9 - OPEN as u64);
        assert_eq!(run.json()["status"], "interrupted");
        assert_eq!(server.attempt_count(), OPEN);
        // The signal decides the exit code even if all records were acknowledged.
        let server = FaultServer::serving([ok_after(Duration::from_secs(1))]);
        let run = push_interrupted_when(&server, &["-q"], ONE_RECORD, has_attempt, signal)
            .exits(exit)
            .stderr_contains("; all records were sent")
            .counts("acknowledged", 1);
        assert!(!run.stderr.contains("note:"), "{run:?}");
    }
    // A failure of the open request is also reported.
    let denied = status(Code::Unauthenticated, "who are you?");
    let server = FaultServer::serving([Action::Delay(Duration::from_secs(1), denied.into())]);
    push_interrupted_when(&server, &[], ONE_RECORD, has_attempt, Signal::INT)
        .exits(130)
        .stderr_contains("interrupted by SIGINT; 1 record unsent")
        .stderr_contains("UNAUTHENTICATED")
        .counts("unsent", 1);
}

fn has_attempt(traffic: &Traffic) -> bool {
    traffic.attempts.len() == 1
}

#[test]
fn signal_during_a_slow_request_counts_it_as_acknowledged() {
    let receiver = Receiver::with(["--delay=1s"]);
    let mut args = receiver.push_args();
    args.extend(["--batch-records=1", "--concurrency=1", "--output=json"].map(Into::into));
    let child = start(args, b"token,expire_time\na,4070908800\nb,4070908801\n");
    // The receiver answers each request after a second, so the signal comes before the second
    // request is answered.
    receiver.wait_for_connection();
    let run = interrupt(child, Signal::TERM)
        .exits(143)
        .stderr_contains("SIGTERM");
    assert_eq!(run.json()["status"], "interrupted");
    let acknowledged = run.count("acknowledged");
    assert_eq!(run.count("unsent"), 2 - acknowledged);
    assert!(acknowledged < 2, "{run:?}");
    assert_eq!(receiver.stop().records, acknowledged);
}

#[test]
fn signal_is_reported_if_the_open_request_fails() {
    let receiver = Receiver::with(["--delay=30s"]);
    let mut args = receiver.push_args();
    args.extend(["--timeout=2s", "--output=json"].map(Into::into));
    let child = start(args, ONE_RECORD);
    receiver.wait_for_connection();
    let run = interrupt(child, Signal::INT)
        .exits(130)
        .stderr_contains("interrupted by SIGINT; 1 record unsent");
    assert_eq!(run.json()["status"], "interrupted");
}

#[test]
fn signal_ends_the_wait_for_a_retry() {
    let server = FaultServer::serving([Action::Reject(Response::pushback("300000"))]);
    push_interrupted_when(&server, &[], ONE_RECORD, has_attempt, Signal::TERM)
        .exits(143)
        .stderr_contains("UNAVAILABLE")
        .counts_requests("sent", 1)
        .counts("unsent", 1);
    assert_eq!(server.attempt_count(), 1);
    // A signal also ends the wait before the program connects again.
    let fault = Connection::EndBeforeTls {
        bytes: 1,
        ending: Ending::Fin,
    };
    let server = FaultServer::start([fault]);
    let flags = ["--retry=5", "--retry-delay=1h", "--retry-max-delay=1h"];
    let has_connection = |traffic: &Traffic| traffic.connections.len() == 1;
    push_interrupted_when(&server, &flags, ONE_RECORD, has_connection, Signal::INT)
        .exits(130)
        .counts_requests("sent", 0)
        .counts("unsent", 1);
}

#[test]
fn ignored_hangup_ends_nothing() {
    let server = FaultServer::serving([ok_after(Duration::from_secs(1))]);
    let child = start_command(&mut command_under_nohup(server.args(&[])), ONE_RECORD);
    server.wait_for_attempts(1);
    interrupt(child, Signal::HUP)
        .exits(0)
        .counts("acknowledged", 1);
}

#[test]
fn later_second_signal_ends_the_run_at_once() {
    let server = FaultServer::serving([Action::NeverAnswer]);
    let mut child = start(server.args(&["--timeout=1h"]), ONE_RECORD);
    server.wait_for_attempts(1);
    send_signal(&child, Signal::INT);
    // The note is printed at once, although the request is never answered.
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    let mut note = String::new();
    stderr.read_line(&mut note).expect("a line");
    assert_eq!(
        note,
        "note: interrupted by SIGINT; waiting for 1 request in flight (a second signal stops at once)\n"
    );
    end_with_second_signal(&mut child, Signal::TERM);
    let run = finish(child);
    assert!([130, 143].contains(&run.code), "{run:?}");
    assert_eq!(run.stdout, "", "{run:?}");
}

#[test]
fn signals_right_after_the_first_one_are_the_same_request() {
    for (first, second) in [
        (Signal::TERM, Signal::TERM),
        (Signal::INT, Signal::INT),
        // systemd sends both with `SendSIGHUP=yes`.
        (Signal::TERM, Signal::HUP),
    ] {
        let server = FaultServer::serving([ok_after(Duration::from_secs(1))]);
        let child = start(server.args(&[]), ONE_RECORD);
        server.wait_for_attempts(1);
        send_signal(&child, first);
        let run = interrupt(child, second)
            .counts_add_up()
            .counts("acknowledged", 1);
        assert_eq!(run.json()["status"], "interrupted", "{run:?}");
    }
}

#[test]
fn second_signal_ends_a_run_with_blocked_output() {
    let rows: String = (0..5000)
        .map(|number| format!("a token {number},never\n"))
        .collect();
    let input = TempFile::new("input.csv", format!("token,expire_time\n{rows}"));
    for args in [
        &["check", "--max-errors=5000"][..],
        &["push", "--rehearse", "--max-errors=5000"],
    ] {
        let mut child = start_with_open_stdin([args, &[input.str()]].concat());
        let mut stderr = child.stderr.take().expect("piped");
        // The program writes more than a pipe holds, and the test reads only the first bytes, so
        // the output blocks.
        stderr.read_exact(&mut [0; 100]).expect("output");
        send_signal(&child, Signal::TERM);
        end_with_second_signal(&mut child, Signal::INT);
        let status = child.wait().expect("it ends");
        assert!([Some(130), Some(143)].contains(&status.code()), "{status}");
    }
}
