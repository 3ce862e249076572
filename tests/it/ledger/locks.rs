//! Several pushes with one ledger.

use std::{
    fs,
    os::unix::fs::symlink,
    process::Child,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{Ledger, push_with_ledger};

use crate::support::{
    fault_server::{FaultServer, action::Action},
    files::{mode, utf8},
    program::{finish, kill, run, send_signal, start, start_with_open_stdin, wait_until_open},
    records::{EXPIRE_TIME, csv, records},
};

/// Starts a push that holds the lock of the ledger as long as the server does not answer.
fn start_push_holding(ledger: &Ledger, server: &FaultServer) -> Child {
    let path = ledger.str();
    let flags = ["--ledger", path, "--servername=localhost", "--timeout=1h"];
    let push = start(server.args(&flags), &records(1));
    server.wait_for_attempts(1);
    push
}

#[test]
fn push_waits_for_the_lock() {
    let server = FaultServer::serving([Action::NeverAnswer]);
    let ledger = Ledger::absent();
    let path = ledger.str();
    let first = start_push_holding(&ledger, &server);
    let good = FaultServer::ok();
    let started = Instant::now();
    ledger
        .push(&good, &["--lock-timeout=300ms"], &records(2))
        .exits(1)
        .stderr_contains(&format!("process {}", first.id()))
        .stderr_contains("--lock-timeout")
        .counts("unsent", 2);
    assert!(started.elapsed() >= Duration::from_millis(300));
    ledger
        .push(&good, &["--max-time=300ms"], &records(2))
        .exits(1)
        .stderr_contains("--max-time 300ms passed before the first request")
        .stderr_contains(&format!("process {}", first.id()))
        .stderr_contains("hint: increase --max-time");
    ledger
        .push(&good, &["--lock-timeout=0"], &records(2))
        .exits(1)
        .stderr_contains(&format!("process {}", first.id()));
    // A dry run and `ledger show` need no lock.
    ledger
        .push(&good, &["--dry-run", "--lock-timeout=0"], &records(2))
        .exits(0)
        .counts("unsent", 2);
    let shown = run(["ledger", "show", "--output=json", "--ledger", path]).exits(0);
    let running = &shown.json()["targets"][0]["runs"][0];
    assert!(running["started"].is_i64() && running["ended"].is_null());
    run([
        "ledger",
        "forget",
        "--all",
        "--lock-timeout=0",
        "--ledger",
        path,
    ])
    .exits(1)
    .stderr_contains(&format!("process {}", first.id()));
    assert!(good.traffic().connections.is_empty());
    // A waiting push continues when the first push has ended, even if SIGKILL ended it.
    let flags = [
        "--ledger",
        path,
        "--servername=localhost",
        "--lock-timeout=1m",
    ];
    let second = start(good.args(&flags), &records(2));
    wait_until_open(&second, &ledger.lock_path());
    assert!(good.traffic().connections.is_empty());
    kill(first);
    let run = finish(second);
    run.exits(0).counts_add_up().counts("acknowledged", 2);
    ledger
        .push(&good, &[], &records(2))
        .exits(0)
        .counts("unchanged", 2);
}

/// On NFS and BSD systems, a lock on the ledger itself would exclude SQLite.
#[test]
fn ledger_itself_is_not_locked() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(1));
    let file = fs::File::open(&ledger.path).expect("a ledger");
    file.lock().expect("locked");
    ledger
        .push(&server, &["--lock-timeout=0"], &records(2))
        .exits(0)
        .counts("unchanged", 1);
    assert_eq!(mode(&ledger.lock_path()), 0o600);
}

#[test]
fn links_to_a_ledger_have_one_lock() {
    let server = FaultServer::serving([Action::NeverAnswer]);
    let ledger = Ledger::absent();
    let first = start_push_holding(&ledger, &server);
    let link = ledger.path.with_file_name("link");
    symlink("ledger", &link).expect("linked");
    push_with_ledger(
        &FaultServer::ok(),
        &link,
        &["--lock-timeout=0"],
        &records(1),
    )
    .exits(1)
    .stderr_contains(&format!("process {}", first.id()));
    kill(first);
}

/// Another program, such as the shell of SQLite, locks the database itself.
#[test]
fn lock_timeout_limits_the_wait_for_other_programs() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(1));
    let other = ledger.database();
    other.execute_batch("BEGIN EXCLUSIVE").expect("locked");
    let forget = ["ledger", "forget", "--all", "--ledger", ledger.str()];
    for timeout in ["--lock-timeout=0", "--lock-timeout=300ms"] {
        let started = Instant::now();
        ledger
            .push(&server, &[timeout], &records(2))
            .exits(1)
            .stderr_contains("still locked by another program")
            .stderr_contains("hint: wait until the other process ends, or pass --lock-timeout")
            .counts("unsent", 2);
        run(forget.iter().chain([&timeout]))
            .exits(1)
            .stderr_contains("still locked by another program");
        assert!(started.elapsed() < Duration::from_secs(4), "{timeout}");
    }
    let path = ledger.str();
    let flags = [
        "--ledger",
        path,
        "--servername=localhost",
        "--lock-timeout=1h",
    ];
    let waiting = start(server.args(&flags), &records(2));
    wait_until_open(&waiting, &ledger.path);
    send_signal(&waiting, Signal::INT);
    finish(waiting).exits(130).counts("unsent", 2);
    let waiting = start(server.args(&flags), &records(2));
    wait_until_open(&waiting, &ledger.path);
    other.execute_batch("COMMIT").expect("unlocked");
    finish(waiting).exits(0).counts("acknowledged", 1);
}

#[test]
fn signal_ends_the_wait_for_the_lock() {
    let server = FaultServer::serving([Action::NeverAnswer]);
    let ledger = Ledger::absent();
    let path = ledger.str();
    let first = start_push_holding(&ledger, &server);
    let input = ledger.path.with_file_name("input.csv");
    fs::write(&input, records(2)).expect("written");
    let input = utf8(&input);
    let good = FaultServer::ok();
    for (signal, exit) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let flags = [
            "--ledger",
            path,
            "--servername=localhost",
            "--lock-timeout=1h",
            input,
        ];
        let second = start(good.args(&flags), b"");
        wait_until_open(&second, &ledger.lock_path());
        send_signal(&second, signal);
        let run = finish(second);
        let run = run.exits(exit).counts_add_up().counts("unsent", 2);
        assert_eq!(run.json()["status"], "interrupted", "{run:?}");
    }
    assert!(good.traffic().connections.is_empty());
    kill(first);
}

#[test]
fn max_time_ends_the_selection() {
    let server = FaultServer::ok();
    // A smaller input would be held in memory and not be read again.
    let input = records(2000);
    let ledger = Ledger::after_push(&server, &input);
    let file = ledger.path.with_file_name("input.csv");
    fs::write(&file, input).expect("written");
    let database = ledger.database();
    database.execute_batch("BEGIN EXCLUSIVE").expect("locked");
    let flags = [
        "--ledger",
        ledger.str(),
        "--servername=localhost",
        "--max-time=3s",
        utf8(&file),
    ];
    let push = start(server.args(&flags), b"");
    wait_until_open(&push, &ledger.path);
    // When the time of this later push has passed, the time of the first push has passed as well.
    let mut later = start_with_open_stdin(server.args(&["--max-time=3s"]));
    let _input = later.stdin.take();
    finish(later).exits(4);
    database.execute_batch("ROLLBACK").expect("unlocked");
    let run = finish(push)
        .exits(1)
        .stderr_contains("--max-time 3s passed before the first request")
        .stderr_contains("hint: increase --max-time")
        .counts("unsent", 2000);
    assert_eq!(run.json()["status"], "failed", "{run:?}");
    assert_eq!(server.attempt_count(), 1);
}

#[test]
fn concurrent_pushes_take_turns() {
    let server = FaultServer::ok();
    let ledger = Ledger::absent();
    let path = ledger.str();
    let flags = [
        "--ledger",
        path,
        "--servername=localhost",
        "--lock-timeout=1m",
    ];
    // Each push shares half of its records with the next push.
    let children: Vec<_> = (0..6)
        .map(|number| {
            let input = csv((number * 10..number * 10 + 20).map(|one| (one, EXPIRE_TIME)));
            start(server.args(&flags), &input)
        })
        .collect();
    for child in children {
        let run = finish(child);
        run.exits(0).counts_add_up();
    }
    let traffic = server.traffic();
    let sent = traffic.tokens_since(0);
    assert_eq!(sent.len(), 70, "each record once");
    ledger
        .push(&server, &[], &records(70))
        .exits(0)
        .counts("unchanged", 70);
}
