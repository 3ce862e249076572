//! The address of the last push, and ledgers of version 1, which do not have it.

use super::{Ledger, THREE_RECORDS};

use crate::support::{
    fault_server::FaultServer,
    files::utf8,
    program::{Run, push_to, run, run_with_input},
    receiver::Receiver,
    records::{EXPIRE_TIME, csv, records},
    tcp_server::ClosedPort,
};

fn warning(last: &str, address: &str) -> String {
    format!(
        "warning: \"localhost\" now has the address \"{address}\", but the last push used \"{last}\""
    )
}

const HINT: &str = "; pass --full if it is another server";

#[test]
fn another_address_is_a_warning() {
    let (one, other) = (FaultServer::ok(), FaultServer::ok());
    let ledger = Ledger::after_push(&one, &records(3));
    let (first, second) = (&one.address, &other.address);
    let changed = csv([(0, EXPIRE_TIME + 1), (1, EXPIRE_TIME), (2, EXPIRE_TIME)]);
    for (name, server, flags, input, last) in [
        ("same server", &one, &[][..], &records(3), None),
        ("dry run", &other, &["--dry-run"], &records(3), Some(first)),
        // Neither a dry run, a refused push, nor a rehearsal is the last push.
        (
            "refused",
            &other,
            &["--max-changes=0"],
            &changed,
            Some(first),
        ),
        ("rehearsal", &other, &["--rehearse"], &records(3), None),
        (
            "other name",
            &other,
            &["--authority=elsewhere"],
            &records(3),
            None,
        ),
        ("nothing to send", &other, &[], &records(3), Some(first)),
        ("again", &other, &[], &records(3), None),
        ("back", &one, &["--full"], &records(3), Some(second)),
        ("quiet", &other, &["--quiet"], &records(3), None),
    ] {
        let run = ledger.push(server, flags, input);
        let label = format!("{name}: {run:#?}");
        assert_eq!(run.code, if name == "refused" { 4 } else { 0 }, "{label}");
        let Some(last) = last else {
            assert!(!run.stderr.contains("address"), "{label}");
            continue;
        };
        let expected = warning(last, &server.address);
        assert!(run.stderr.contains(&expected), "{label}");
        let has_hint = run.stderr.contains(&format!("{expected}{HINT}"));
        assert_eq!(has_hint, !flags.contains(&"--full"), "{label}");
    }
    // The hint is right: all records are sent to the other server.
    let run = ledger.push(&other, &["--full"], &records(3)).exits(0);
    run.counts("acknowledged", 3);
}

/// All Unix sockets have the server name `localhost`.
#[test]
fn another_socket_is_a_warning() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = |name: &str| format!("unix:{}", utf8(&folder.path().join(name)));
    let (one, other) = (socket("one"), socket("other"));
    let receivers =
        [&one, &other].map(|address| Receiver::with(["--plaintext", "--listen", address]));
    let ledger = Ledger::absent();
    for (address, last) in [(&one, None), (&other, Some(&one)), (&other, None)] {
        let flags = ["--plaintext", "--ledger", ledger.str()];
        let run = push_to(address, &flags, &records(3)).exits(0);
        let expected = last.map(|last| warning(last, address));
        assert!(
            run.stderr.contains(&expected.unwrap_or_default()),
            "{run:?}"
        );
        assert_eq!(run.stderr.contains("warning"), last.is_some(), "{run:?}");
    }
    drop(receivers);
}

#[test]
fn forgotten_server_may_have_any_address() {
    let (one, other) = (FaultServer::ok(), FaultServer::ok());
    let ledger = Ledger::after_push(&one, &records(3));
    let flags = ["forget", "--target=localhost", "--ledger", ledger.str()];
    run([&["ledger"], &flags[..]].concat()).exits(0);
    let run = ledger.push(&other, &[], &records(3)).exits(0);
    assert!(!run.stderr.contains("address"), "{run:#?}");
    // A push that fails is the last push, too: it may have reached the server.
    let closed = ClosedPort::new();
    let failed = ["--server", &closed.address, "--full", "--retry=0"];
    let mut args = other.args(&["--servername=localhost", "--ledger", ledger.str()]);
    args.drain(2..4);
    args.extend(failed.map(str::to_owned));
    run_with_input(args, &records(3))
        .exits(5)
        .stderr_contains(&warning(&other.address, &closed.address));
    ledger
        .push(&other, &[], &records(3))
        .stderr_contains(&warning(&closed.address, &other.address));
}

fn version(ledger: &Ledger) -> i32 {
    let database = ledger.database();
    let version = database.pragma_query_value(None, "user_version", |row| row.get(0));
    version.expect("a version")
}

#[test]
fn ledger_of_version_1_is_read_and_then_migrated() {
    let (one, other) = (FaultServer::ok(), FaultServer::ok());
    let ledger = Ledger::after_push(&one, THREE_RECORDS);
    assert_eq!(version(&ledger), 2);
    let show = || {
        run(["ledger", "show", "--ledger", ledger.str()])
            .exits(0)
            .stdout
    };
    let shown = show();
    ledger
        .database()
        .execute_batch("ALTER TABLE target DROP COLUMN address; PRAGMA user_version = 1")
        .expect("a ledger of version 1");
    let before = ledger.files();
    assert_eq!(show(), shown);
    let unchanged = |run: Run| {
        assert!(!run.stderr.contains("address"), "{run:#?}");
        run.exits(0).counts("unchanged", 3);
    };
    unchanged(ledger.push(&other, &["--dry-run"], THREE_RECORDS));
    assert!(ledger.files() == before, "these commands do not write");
    // The address of the last push is unknown, so a new one is no warning.
    unchanged(ledger.push(&other, &[], THREE_RECORDS));
    assert_eq!(version(&ledger), 2);
    ledger
        .push(&one, &[], THREE_RECORDS)
        .stderr_contains(&warning(&other.address, &one.address));
}
