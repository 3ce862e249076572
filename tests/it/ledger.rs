//! What a ledger remembers, what it keeps from being sent, and what it must never hold.
//!
//! `crash.rs` has pushes that are killed, `faults.rs` ledgers that can't be opened.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{FileTypeExt, symlink},
    path::{Path, PathBuf},
    process::Child,
    thread,
    time::{Duration, Instant},
};

use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};
use rusqlite::Connection as Database;
use rustix::process::Signal;
use tempfile::TempDir;
use tonic::Code;

use crate::support::{
    fault_server::{
        Connection::Serve,
        FaultServer,
        action::{Action, Ending, code, ok, status},
    },
    files::{FolderState, TempFile, folder_state, make_fifo, mode, set_mode, utf8},
    program::{Run, finish, kill, run_with_input, send_signal, start, wait_until_open},
    receiver::Receiver,
    records::{EXPIRE_TIME, csv, records},
};

/// One record a request, one request at a time, and no further try.
const SINGLY: &[&str] = &["--batch-records=1", "--concurrency=1", "--retry=0"];

/// A ledger in a folder of its own. The file does not exist until the first push.
struct Ledger {
    folder: TempDir,
    path: PathBuf,
}

impl Ledger {
    fn absent() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ledger");
        Self { folder, path }
    }

    /// A ledger after a successful push of `input`.
    fn after_push(server: &FaultServer, input: &[u8]) -> Self {
        let ledger = Self::absent();
        ledger.push(server, &[], input).exits(0);
        ledger
    }

    fn str(&self) -> &str {
        utf8(&self.path)
    }

    /// Pushes with this ledger to a server that is known by a name, whatever its port.
    fn push(&self, server: &FaultServer, flags: &[&str], input: &[u8]) -> Run {
        let flags = [&["--servername=localhost"], flags].concat();
        self.push_by_address(server, &flags, input)
    }

    /// Pushes with this ledger to a server that is known by its address.
    fn push_by_address(&self, server: &FaultServer, flags: &[&str], input: &[u8]) -> Run {
        push_with_ledger(server, &self.path, flags, input)
    }

    fn database(&self) -> Database {
        Database::open(&self.path).expect("a database")
    }

    /// Returns the state of all files in the ledger's folder.
    fn files(&self) -> FolderState {
        folder_state(self.folder.path())
    }
}

fn push_with_ledger(server: &FaultServer, ledger: &Path, flags: &[&str], input: &[u8]) -> Run {
    let flags = [&["--ledger", utf8(ledger)], flags].concat();
    server.push(&flags, input)
}

#[test]
fn nothing_changed_makes_no_connection() {
    let server = FaultServer::ok();
    let ledger = Ledger::absent();
    ledger
        .push(&server, &[], &records(3))
        .exits(0)
        .counts("acknowledged", 3)
        .counts("unchanged", 0);
    assert_eq!(server.connection_count(), 1);
    for flags in [
        &[][..],
        &["--batch-records=1"],
        &["--max-changes=0", "--refuse-shortened"],
        &["--dry-run", "--detailed-exitcode"],
    ] {
        let run = ledger
            .push(&server, flags, &records(3))
            .exits(0)
            .counts("acknowledged", 0)
            .counts("unchanged", 3);
        assert_eq!(run.request_count("sent"), 0);
        assert_eq!(run.json()["status"], "ok");
    }
    let path = ledger.str();
    let flags = ["--servername=localhost", "--output=text", "--ledger", path];
    let mut args = server.args(&[]);
    args.retain(|arg| arg != "--output=json");
    args.extend(flags.iter().map(|&flag| flag.to_owned()));
    let run = run_with_input(args, &records(2)).exits(0);
    assert!(run.stdout.contains("2 unchanged"), "{run:?}");
    assert_eq!(server.connection_count(), 1);
}

#[test]
fn only_what_is_new_or_changed_is_sent() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(5));
    // One is gone, one later, one earlier, one new.
    let next = csv([
        (0, EXPIRE_TIME),
        (1, EXPIRE_TIME + 1),
        (2, EXPIRE_TIME - 1),
        (3, EXPIRE_TIME),
        (7, EXPIRE_TIME),
    ]);
    ledger
        .push(&server, &[], &next)
        .exits(0)
        .counts("unchanged", 2)
        .counts("acknowledged", 3);
    let traffic = server.traffic();
    assert_eq!(
        traffic.tokens_since(1),
        ["sensor-00001", "sensor-00002", "sensor-00007"]
    );
    // What was not in it is known still, and of what changed the last time.
    ledger
        .push(&server, &[], &csv([(4, EXPIRE_TIME), (1, EXPIRE_TIME)]))
        .exits(0)
        .counts("unchanged", 1)
        .counts("acknowledged", 1);
    assert_eq!(server.traffic().tokens_since(2), ["sensor-00001"]);
}

#[test]
fn full_sends_everything_and_remembers_it() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(2));
    ledger
        .push(
            &server,
            &["--full"],
            &csv([(0, EXPIRE_TIME), (1, EXPIRE_TIME + 5), (2, EXPIRE_TIME)]),
        )
        .exits(0)
        .counts("unchanged", 0)
        .counts("acknowledged", 3);
    ledger
        .push(
            &server,
            &[],
            &csv([(0, EXPIRE_TIME), (1, EXPIRE_TIME + 5), (2, EXPIRE_TIME)]),
        )
        .exits(0)
        .counts("unchanged", 3);
    assert_eq!(server.connection_count(), 2);
}

#[test]
fn a_server_is_its_authority_and_method_and_not_its_address() {
    let (one, other) = (FaultServer::ok(), FaultServer::ok());
    let ledger = Ledger::absent();
    for (server, flags, unchanged) in [
        (&one, &["--servername=localhost"][..], 0),
        (&one, &["--servername=localhost"], 2),
        (&other, &["--servername=localhost"], 2),
        (&other, &["--authority=localhost"], 2),
        // Without a word it is the address.
        (&other, &[], 0),
        (&one, &[], 0),
        (&other, &[], 2),
        (&one, &["--authority=localhost:1"], 0),
        (
            &one,
            &["--authority=localhost", "--method=/other.Service/Call"],
            0,
        ),
        (
            &other,
            &["--authority=localhost", "--method=/other.Service/Call"],
            2,
        ),
        (&one, &["--authority=localhost"], 2),
    ] {
        let before = server.connection_count();
        ledger
            .push_by_address(server, flags, &records(2))
            .exits(0)
            .counts("unchanged", unchanged);
        let connected = server.connection_count() > before;
        assert_eq!(connected, unchanged == 0, "{flags:?}");
    }
}

#[test]
fn only_what_was_acknowledged_is_remembered() {
    let poison = |answer: Action| Action::IfToken("sensor-00001", answer.into());
    let refusal = status(Code::InvalidArgument, "no such sensor");
    let applied = Action::EndAfterRequest {
        ending: Ending::Fin,
        is_applied: true,
    };
    for (what, answer, flags, exit, left) in [
        ("code 5", poison(code(5)), &[][..], 3, 1),
        ("refused", poison(refusal.clone()), &[], 3, 1),
        (
            "refused together with another",
            poison(refusal.clone()),
            &["--batch-records=2"],
            3,
            2,
        ),
        (
            "isolated",
            poison(refusal.clone()),
            &["--batch-records=4", "--isolate"],
            3,
            1,
        ),
        ("nobody's fault", status(Code::Unavailable, ""), &[], 78, 4),
        ("all refused", refusal, &[], 67, 4),
        ("applied, but not answered", applied, &[], 78, 4),
        (
            "denied on the way",
            poison(status(Code::PermissionDenied, "")),
            &[],
            3,
            3,
        ),
        ("an OK code", code(5), &["--ok-code=5"], 0, 0),
        ("no OK code any more", code(0), &["--ok-code=5"], 7, 4),
    ] {
        let server = FaultServer::start([Serve(vec![answer])]);
        let ledger = Ledger::absent();
        let singly: &[&str] = if flags.iter().any(|flag| flag.starts_with("--batch")) {
            &["--concurrency=1", "--retry=0"]
        } else {
            SINGLY
        };
        let flags = [singly, flags].concat();
        let run = ledger.push(&server, &flags, &records(4));
        assert_eq!(run.code, exit, "{what}: {run:#?}");
        assert_eq!(run.count("acknowledged"), 4 - left, "{what}: {run:#?}");
        let good = FaultServer::ok();
        let run = ledger.push(&good, &[], &records(4)).exits(0);
        assert_eq!(run.count("unchanged"), 4 - left, "{what}: {run:#?}");
        assert_eq!(run.count("acknowledged"), left, "{what}: {run:#?}");
        ledger
            .push(&good, &[], &records(4))
            .exits(0)
            .counts("unchanged", 4);
    }
}

#[test]
fn what_is_acknowledged_again_with_another_time_is_forgotten_by_no_failure() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(1));
    // The server may have the later time or not: it was not acknowledged, so it is sent again.
    let down = FaultServer::serving([status(Code::Unavailable, "")]);
    ledger
        .push(&down, SINGLY, &csv([(0, EXPIRE_TIME + 1)]))
        .exits(78)
        .counts("unsent", 1);
    ledger
        .push(&server, &[], &csv([(0, EXPIRE_TIME + 1)]))
        .exits(0)
        .counts("acknowledged", 1);
}

#[test]
fn a_signal_keeps_what_was_acknowledged() {
    let later = Action::Delay(Duration::from_millis(300), ok().into());
    let server = FaultServer::serving([ok(), ok(), later]);
    let ledger = Ledger::absent();
    let path = ledger.str();
    let flags = [SINGLY, &["--servername=localhost", "--ledger", path]].concat();
    let child = start(server.args(&flags), &records(9));
    server.wait_for_attempts(3);
    send_signal(&child, Signal::INT);
    let run = finish(child);
    run.exits(130).counts_add_up().counts("acknowledged", 3);
    ledger
        .push(&FaultServer::ok(), &[], &records(9))
        .exits(0)
        .counts("unchanged", 3)
        .counts("acknowledged", 6);
}

#[test]
fn only_its_owner_may_read_it() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(1));
    assert_eq!(mode(&ledger.path), 0o600);
    set_mode(&ledger.path, 0o644);
    ledger.push(&server, &[], &records(1)).exits(0);
    assert_eq!(mode(&ledger.path), 0o600);
    // An empty file may become one.
    let empty = TempFile::new("empty", "");
    set_mode(&empty.path, 0o666);
    push_with_ledger(&server, &empty.path, &[], &records(1)).exits(0);
    assert_eq!(empty.mode(), 0o600);
    // While it is written to, the files beside it are no wider.
    let slow = FaultServer::serving([Action::NeverAnswer]);
    let ledger = Ledger::absent();
    let path = ledger.str();
    let child = start(slow.args(&["--ledger", path]), &records(1));
    slow.wait_for_attempts(1);
    for path in ledger.files().keys() {
        assert_eq!(mode(path), 0o600, "{}", path.display());
    }
    kill(child);
}

#[test]
fn tokens_are_not_in_it() {
    let server = FaultServer::serving([ok(), ok(), Action::NeverAnswer]);
    let ledger = Ledger::absent();
    let path = ledger.str();
    let flags = [SINGLY, &["--ledger", path, "--header=x-key: header-secret"]].concat();
    let child = start(server.args(&flags), &records(5));
    server.wait_for_attempts(3);
    // Killed, it leaves its write-ahead log behind. The third try came after the answers to the
    // first two, which may not be written yet: a moment later the first is.
    let deadline = Instant::now() + Duration::from_secs(10);
    let written = |ledger: &Ledger| {
        let held = ledger.database().query_row(
            "SELECT sum(length(records)) / 20 FROM segment",
            [],
            |row| row.get(0),
        );
        held.unwrap_or(0)
    };
    while written(&ledger) < 2 && Instant::now() < deadline {
        thread::yield_now();
    }
    kill(child);
    let left = ledger.files();
    assert!(
        left.keys().any(|path| path.ends_with("ledger-wal")),
        "{:?}",
        left.keys()
    );
    let mut secrets = vec![b"header-secret".to_vec()];
    for number in 0..5 {
        let token = format!("sensor-{number:05}");
        for encode in [&HEXLOWER, &HEXUPPER, &BASE64, &BASE64URL] {
            secrets.push(encode.encode(token.as_bytes()).into_bytes());
        }
        secrets.push(token.into_bytes());
    }
    let check = |files: FolderState| {
        for (path, (content, _)) in files {
            for secret in &secrets {
                let found = content.windows(secret.len()).any(|bytes| bytes == secret);
                assert!(
                    !found,
                    "{} in {}",
                    String::from_utf8_lossy(secret),
                    path.display()
                );
            }
        }
    };
    check(left);
    ledger.push(&FaultServer::ok(), &[], &records(5)).exits(0);
    check(ledger.files());
}

/// Changes a ledger's version to a later one.
fn make_newer(database: &Database) {
    database
        .pragma_update(None, "user_version", 1000)
        .expect("set");
}

#[test]
fn what_is_no_ledger_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    fs::write(at("text"), "hello\n".repeat(100)).expect("written");
    fs::write(at("short"), "x").expect("written");
    fs::write(at("input.csv"), records(100)).expect("written");
    fs::write(at("json"), "[1, 2]").expect("written");
    fs::write(at("magic alone"), "SQLite format 3\0").expect("written");
    for (name, mode) in [("database", "DELETE"), ("database in WAL mode", "WAL")] {
        let database = Database::open(at(name)).expect("a database");
        database
            .pragma_update(None, "journal_mode", mode)
            .expect("set");
        database
            .execute_batch("CREATE TABLE songs (title TEXT); INSERT INTO songs VALUES ('a')")
            .expect("a table");
    }
    // One that somebody has open, with all of it in the log yet.
    let open = Database::open(at("open")).expect("a database");
    open.pragma_update(None, "journal_mode", "WAL")
        .expect("set");
    open.execute_batch("CREATE TABLE songs (title TEXT)")
        .expect("a table");
    let store = at("store");
    Receiver::with(["--store", utf8(&store)]).stop();
    fs::create_dir(at("folder")).expect("made");
    make_fifo(&at("fifo"));
    symlink(at("text"), at("link")).expect("linked");
    let server = FaultServer::ok();
    let newer = at("newer");
    push_with_ledger(&server, &newer, &[], &records(1)).exits(0);
    make_newer(&Database::open(&newer).expect("a database"));
    let open_newer = at("open and newer");
    push_with_ledger(&server, &open_newer, &[], &records(1)).exits(0);
    let newer_database = Database::open(&open_newer).expect("a database");
    make_newer(&newer_database);
    newer_database
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE); CREATE TABLE songs (title TEXT)")
        .expect("a table");
    // What the log of a killed program would leave: nothing of it may be moved.
    let killed_newer = at("killed and newer");
    for suffix in ["", "-wal"] {
        let copy = |name: &str| folder.path().join(format!("{name}{suffix}"));
        fs::copy(copy("open and newer"), copy("killed and newer")).expect("copied");
    }
    let before = folder_state(folder.path());
    let tries = server.connection_count();
    let mut paths: Vec<_> = before.keys().cloned().collect();
    paths.retain(|path| {
        let name = utf8(&path);
        !name.ends_with("-wal") && !name.ends_with("-shm")
    });
    paths.extend(["/dev/null", "/dev/full", "/dev/tty", "/proc/self/status"].map(PathBuf::from));
    for path in &paths {
        for flags in [&[][..], &["--full"], &["--dry-run"]] {
            let run = push_with_ledger(&server, path, flags, &records(2));
            let what = format!("{} {flags:?}: {run:#?}", path.display());
            assert_eq!(run.code, 1, "{what}");
            assert_eq!(run.count("unsent"), 2, "{what}");
            assert!(run.stderr.contains(utf8(&path)), "{what}");
            let after = folder_state(folder.path());
            assert!(
                after == before,
                "{what} {:?} {:?}",
                after.keys(),
                before.keys()
            );
        }
    }
    for path in [&newer, &open_newer, &killed_newer] {
        push_with_ledger(&server, path, &[], &records(2))
            .exits(1)
            .stderr_contains("later version");
    }
    assert!(
        fs::metadata(at("fifo"))
            .expect("there")
            .file_type()
            .is_fifo()
    );
    assert_eq!(server.connection_count(), tries);
}

#[test]
fn a_corrupt_ledger_is_an_error_and_no_panic() {
    let server = FaultServer::ok();
    let input = records(2000);
    let ledger = Ledger::after_push(&server, &input);
    let good = fs::read(&ledger.path).expect("read");
    let tries = server.connection_count();
    let garbage = |range: std::ops::Range<usize>| {
        let mut bad = good.clone();
        let mut state = 7_u32;
        for byte in &mut bad[range] {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = state.to_be_bytes()[0];
        }
        bad
    };
    for (what, bad) in [
        ("pages", garbage(4096..good.len())),
        ("the first page", garbage(100..4096)),
        ("all but the header", garbage(100..good.len())),
        ("cut", good[..good.len() / 2].to_vec()),
        ("the header alone", good[..100].to_vec()),
        (
            "zeros",
            [&good[..4096], &vec![0; good.len() - 4096]].concat(),
        ),
    ] {
        for flags in [&[][..], &["--full"], &["--dry-run"]] {
            fs::write(&ledger.path, &bad).expect("written");
            let run = ledger.push(&server, flags, &input);
            assert_eq!(run.code, 1, "{what} {flags:?}: {run:#?}");
            let run = run
                .stderr_contains("ledger can't be used as the ledger")
                .counts("unsent", 2000);
            assert!(!run.stderr.contains("panic"), "{what}: {run:#?}");
        }
    }
    // A table with something else in it.
    fs::write(&ledger.path, &good).expect("written");
    ledger
        .database()
        .execute_batch("UPDATE segment SET records = zeroblob(length(records))")
        .expect("changed");
    ledger
        .push(&server, &[], &input)
        .exits(1)
        .stderr_contains("ledger");
    fs::write(&ledger.path, &good).expect("written");
    ledger
        .database()
        .execute_batch("DELETE FROM meta")
        .expect("changed");
    ledger
        .push(&server, &[], &input)
        .exits(1)
        .stderr_contains("ledger");
    assert_eq!(server.connection_count(), tries);
}

/// A push that has the ledger and waits for a server that never answers.
fn hold(ledger: &Ledger, server: &FaultServer) -> Child {
    let path = ledger.str();
    let flags = ["--ledger", path, "--servername=localhost", "--timeout=1h"];
    let push = start(server.args(&flags), &records(1));
    server.wait_for_attempts(1);
    push
}

#[test]
fn a_push_waits_for_the_one_that_has_the_ledger() {
    let server = FaultServer::serving([Action::NeverAnswer]);
    let ledger = Ledger::absent();
    let path = ledger.str();
    let first = hold(&ledger, &server);
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
        .push(&good, &["--lock-timeout=0"], &records(2))
        .exits(1)
        .stderr_contains(&format!("process {}", first.id()));
    // Who only looks needs not wait.
    ledger
        .push(&good, &["--dry-run", "--lock-timeout=0"], &records(2))
        .exits(0)
        .counts("unsent", 2);
    assert!(good.traffic().connections.is_empty());
    // One that is waiting goes on when the first has ended, however it does.
    let flags = [
        "--ledger",
        path,
        "--servername=localhost",
        "--lock-timeout=1m",
    ];
    let second = start(good.args(&flags), &records(2));
    wait_until_open(&second, &ledger.path);
    assert!(good.traffic().connections.is_empty());
    kill(first);
    let run = finish(second);
    run.exits(0).counts_add_up().counts("acknowledged", 2);
    ledger
        .push(&good, &[], &records(2))
        .exits(0)
        .counts("unchanged", 2);
}

#[test]
fn a_signal_ends_the_wait_for_the_ledger() {
    let server = FaultServer::serving([Action::NeverAnswer]);
    let ledger = Ledger::absent();
    let path = ledger.str();
    let first = hold(&ledger, &server);
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
        wait_until_open(&second, &ledger.path);
        send_signal(&second, signal);
        let run = finish(second);
        let run = run.exits(exit).counts_add_up().counts("unsent", 2);
        assert_eq!(run.json()["status"], "interrupted", "{run:?}");
    }
    assert!(good.traffic().connections.is_empty());
    kill(first);
}

#[test]
fn many_pushes_at_once_take_turns() {
    let server = FaultServer::ok();
    let ledger = Ledger::absent();
    let path = ledger.str();
    let flags = [
        "--ledger",
        path,
        "--servername=localhost",
        "--lock-timeout=1m",
    ];
    // Each has some records of its own, and some of its neighbour's.
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

#[test]
fn looking_changes_nothing() {
    let server = FaultServer::ok();
    // Neither is it made.
    for flags in [
        &["--dry-run"][..],
        &["--dry-run", "--detailed-exitcode", "--full"],
        &["--rehearse"],
        &[
            "--rehearse",
            "--full",
            "--max-changes=0",
            "--refuse-shortened",
        ],
    ] {
        let ledger = Ledger::absent();
        let exit = if flags.contains(&"--detailed-exitcode") {
            20
        } else {
            0
        };
        ledger.push(&server, flags, &records(3)).exits(exit);
        assert!(ledger.files().is_empty(), "{flags:?}");
    }
    let ledger = Ledger::after_push(&server, &records(3));
    let next = csv([(0, EXPIRE_TIME), (1, EXPIRE_TIME + 1), (9, EXPIRE_TIME)]);
    let before = ledger.files();
    assert_eq!(before.len(), 1);
    for (flags, exit, unchanged) in [
        (&["--dry-run"][..], 0, 1),
        (&["--dry-run", "--detailed-exitcode"], 20, 1),
        (&["--dry-run", "--full"], 0, 0),
        (&["--dry-run", "--max-changes=0"], 4, 0),
        (&["--rehearse"], 0, 0),
    ] {
        let run = ledger
            .push(&server, flags, &next)
            .exits(exit)
            .counts("unchanged", unchanged);
        let after = ledger.files();
        assert!(after == before, "{flags:?}: {:?} {run:?}", after.keys());
    }
    assert_eq!(server.connection_count(), 1);
    // The same of one that a killed push has left.
    let slow = FaultServer::serving([ok(), Action::NeverAnswer]);
    let ledger = Ledger::absent();
    let path = ledger.str();
    let flags = [SINGLY, &["--ledger", path, "--servername=localhost"]].concat();
    let child = start(slow.args(&flags), &records(3));
    slow.wait_for_attempts(2);
    kill(child);
    let content = |ledger: &Ledger| -> BTreeMap<_, _> {
        let mut files = ledger.files();
        // The index of the log holds no data, and is made anew by whoever comes first.
        files.retain(|path, _| !utf8(&path).ends_with("-shm"));
        files
    };
    let before = content(&ledger);
    ledger.push(&server, &["--dry-run"], &records(3)).exits(0);
    let after = content(&ledger);
    assert!(after == before, "{:?}", after.keys());
}

#[test]
fn changes_have_a_limit() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(20));
    let before = ledger.files().len();
    // So many of the twenty with another time, and a new one.
    let input = |changed: usize| {
        let old = (0..20).map(|number| (number, EXPIRE_TIME + u32::from(number < changed)));
        csv(old.chain([(50, EXPIRE_TIME)]))
    };
    for (changed, limit, passes) in [
        (1, "0", false),
        (0, "0", true),
        (5, "4", false),
        (5, "5", true),
        (5, "100", true),
        // Of 21 records read, and rounded down.
        (1, "4.7%", false),
        (1, "4.8%", true),
        (4, "20%", true),
        (5, "20%", false),
        (5, "100%", true),
        (1, "0%", false),
    ] {
        for more in [&[][..], &["--full"]] {
            let limit = format!("--max-changes={limit}");
            let dry = ["--dry-run", "--detailed-exitcode", &limit];
            let flags = [&dry[..], more].concat();
            let run = ledger.push(&server, &flags, &input(changed));
            let what = format!("{changed} {limit}: {run:#?}");
            assert_eq!(run.code, if passes { 20 } else { 4 }, "{what}");
            if passes {
                continue;
            }
            // In earnest too.
            let flags = [&[&*limit][..], more].concat();
            let run = ledger
                .push(&server, &flags, &input(changed))
                .exits(4)
                .stderr_contains("--max-changes")
                .stderr_contains("nothing was sent")
                .counts("unsent", 21)
                .counts("unchanged", 0);
            assert_eq!(run.json()["status"], "refused", "{what}");
        }
    }
    assert_eq!(server.connection_count(), 1);
    assert_eq!(ledger.files().len(), before);
    ledger
        .push(&server, &["--max-changes=5"], &input(5))
        .exits(0)
        .counts("acknowledged", 6);
    // There is nothing to compare with in a first run, nor with another server.
    let first = Ledger::absent();
    first
        .push(&server, &["--max-changes=0"], &input(5))
        .exits(0)
        .counts("acknowledged", 21);
    let flags = ["--max-changes=0", "--authority=other"];
    first.push_by_address(&server, &flags, &input(0)).exits(0);
    for limit in ["", "x", "-1", "101%", "%", "5 %"] {
        let flags = [format!("--max-changes={limit}")];
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let path = first.str();
        let flags = [&["--ledger", path], &flags[..]].concat();
        run_with_input(server.args(&flags), &records(1)).exits(2);
    }
}

#[test]
fn shortened_times_can_be_refused() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(30));
    let input = csv((0..30).map(|number| (number, EXPIRE_TIME - u32::from(number % 2 == 0))));
    for flags in [
        &["--refuse-shortened"][..],
        &["--refuse-shortened", "--full"],
        &["--refuse-shortened", "--dry-run"],
        &["--refuse-shortened", "--max-changes=0"],
    ] {
        let run = ledger
            .push(&server, flags, &input)
            .exits(4)
            .stderr_contains("15 expire times")
            .stderr_contains("sens… (12 bytes)")
            .stderr_contains("2099-01-01T00:00:00Z becomes 2098-12-31T23:59:59Z")
            .counts("unsent", 30);
        assert_eq!(run.json()["status"], "refused");
    }
    // A later time is none, and a new token neither.
    ledger
        .push(
            &server,
            &["--refuse-shortened"],
            &csv([(0, EXPIRE_TIME + 1), (99, 1)]),
        )
        .exits(0)
        .counts("acknowledged", 2);
    ledger
        .push(&server, &["--refuse-shortened", "--max-errors=1"], &input)
        .exits(4)
        .stderr_contains("15 expire times");
    ledger.push(&server, &[], &input).exits(0);
    for flag in ["--full", "--refuse-shortened", "--max-changes=1"] {
        run_with_input(server.args(&[flag]), &records(1))
            .exits(2)
            .stderr_contains("--ledger");
    }
}

#[test]
fn duplicates_and_shards_are_counted_before_what_is_unchanged() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(40));
    // Everything is known, so that what is of another shard is of another shard alone.
    let mut others = 0;
    for index in 0..3 {
        let shard = format!("--shard={index}/3");
        let run = ledger.push(&server, &[&shard], &records(40)).exits(0);
        assert_eq!(run.count("unchanged") + run.count("other_shard"), 40);
        others += run.count("other_shard");
        // Another machine's part is none of its concern.
        let changed = csv((0..40).map(|number| (number, EXPIRE_TIME - 1)));
        let limit = format!("--max-changes={}", run.count("unchanged"));
        ledger
            .push(&server, &[&shard, &limit, "--dry-run"], &changed)
            .exits(0)
            .counts("unsent", run.count("unchanged"));
    }
    assert_eq!(others, 80);
    // Twice the same, in two files, once in each shard.
    let one = TempFile::new("one.csv", records(40));
    let two = TempFile::new("two.csv", csv((20..45).map(|number| (number, EXPIRE_TIME))));
    let files = [one.str(), two.str()];
    let run = ledger
        .push(&server, &files, b"")
        .exits(0)
        .counts("read", 65)
        .counts("duplicate", 20)
        .counts("unchanged", 40)
        .counts("acknowledged", 5);
    assert_eq!(run.request_count("sent"), 1);
    let flags = [&files[..], &["--shard=0/2", "--full"]].concat();
    let run = ledger.push(&server, &flags, b"").exits(0);
    assert_eq!(run.count("duplicate"), 20);
    assert_eq!(run.count("unchanged"), 0);
    assert_eq!(run.count("acknowledged") + run.count("other_shard"), 45);
    // The record that counts is the one that is compared.
    let twice = csv([(0, EXPIRE_TIME), (0, EXPIRE_TIME + 1)]);
    for (rule, unchanged) in [("first", 1), ("last", 0), ("latest", 0)] {
        let rule = format!("--on-duplicate={rule}");
        ledger
            .push(&server, &[&rule, "--dry-run"], &twice)
            .exits(0)
            .counts("duplicate", 1)
            .counts("unchanged", unchanged);
    }
}

#[test]
fn tokens_are_compared_by_their_bytes() {
    let server = FaultServer::ok();
    let ledger = Ledger::absent();
    let hex = b"token,expire_time\n00ff,4070908800\n6162,4070908800\n";
    let base64 = b"token,expire_time\nAP8=,4070908800\nYWI=,4070908800\n";
    let protojson = br#"{"sensorExpire":[{"deviceToken":"AP8","expireTime":4070908800}]}"#;
    let flags = ["--token-encoding=hex"];
    ledger
        .push(&server, &flags, hex)
        .exits(0)
        .counts("acknowledged", 2);
    for (flags, input, unchanged) in [
        (&["--token-encoding=base64"][..], &base64[..], 2),
        (&[], protojson, 1),
        (&[], b"token,expire_time\nab,4070908800\n", 1),
        (&[], b"token,expire_time\nab,2099-01-01\n", 1),
        (&[], b"token,expire_time\n6162,4070908800\n", 0),
    ] {
        ledger
            .push(&server, flags, input)
            .exits(0)
            .counts("unchanged", unchanged);
    }
}

#[test]
fn a_folder_that_goes_away_stops_nothing_that_is_open() {
    let later = Action::Delay(Duration::from_millis(300), ok().into());
    let server = FaultServer::serving([ok(), later, ok()]);
    let ledger = Ledger::absent();
    let path = ledger.str();
    let flags = [SINGLY, &["--ledger", path]].concat();
    let child = start(server.args(&flags), &records(4));
    server.wait_for_attempts(2);
    fs::remove_dir_all(ledger.folder.path()).expect("removed");
    let run = finish(child);
    // What it wrote is gone, which is an error where it is noticed; what it counts is right.
    let run = run.counts_add_up();
    assert!([0, 1].contains(&run.code), "{run:#?}");
    assert_eq!(
        server.traffic().acknowledged().len() as u64,
        run.count("acknowledged")
    );
    let run = ledger.push(&server, &[], &records(1)).exits(1);
    assert!(run.stderr.contains(path), "{run:#?}");
}

#[test]
fn what_may_have_arrived_is_not_known_until_it_is_acknowledged() {
    let lost = Action::EndAfterRequest {
        ending: Ending::Fin,
        is_applied: true,
    };
    for (what, answer) in [
        ("applied and cut", lost),
        ("answered with a code", code(9)),
        ("refused", status(Code::Internal, "")),
    ] {
        let ledger = Ledger::after_push(&FaultServer::ok(), &records(2));
        let later = csv([(0, EXPIRE_TIME), (1, EXPIRE_TIME + 1)]);
        let server = FaultServer::serving([answer]);
        let failed = ledger.push(&server, SINGLY, &later);
        assert_ne!(failed.code, 0, "{what}");
        // The export takes it back; which of the two the server has is not known.
        let good = FaultServer::ok();
        ledger
            .push(&good, &["--dry-run"], &records(2))
            .exits(0)
            .counts("unsent", 1);
        ledger
            .push(
                &good,
                &["--max-changes=0", "--refuse-shortened"],
                &records(2),
            )
            .exits(0)
            .counts("unchanged", 1)
            .counts("acknowledged", 1);
        // Now it is.
        ledger
            .push(&good, &[], &records(2))
            .exits(0)
            .counts("unchanged", 2);
        // The time before is remembered for the guard rails all the same.
        ledger.push(&server, SINGLY, &later);
        ledger
            .push(&good, &["--max-changes=0"], &later)
            .exits(4)
            .counts("unsent", 2);
    }
}
