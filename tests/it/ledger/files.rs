//! The file of a ledger: its mode, its content, and files that are not ledgers.

use std::{
    fs,
    os::unix::fs::{FileTypeExt, symlink},
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};
use rusqlite::Connection as Database;

use super::{Ledger, ONE_BY_ONE, THREE_RECORDS, push_with_ledger};

use crate::support::{
    fault_server::{
        FaultServer,
        action::{Action, code, ok},
    },
    files::{FolderState, TempFile, folder_state, make_fifo, mode, set_mode, utf8},
    program::{Run, command, finish, kill, run as run_program, start},
    receiver::Receiver,
    records::records,
};

/// Each request adds a row. If there are many rows, the end of a push combines them.
#[test]
fn many_requests_leave_few_rows() {
    let server = FaultServer::ok();
    let ledger = Ledger::absent();
    let push = |count| -> usize {
        let run = ledger.push(&server, &["--batch-records=1"], &records(count));
        run.exits(0).counts("acknowledged", 100);
        let database = ledger.database();
        let rows = database.query_row("SELECT count(*) FROM segment", [], |row| row.get(0));
        rows.expect("a number")
    };
    assert_eq!(push(100), 100);
    assert_eq!(push(200), 1);
    ledger
        .push(&server, &[], &records(200))
        .exits(0)
        .counts("unchanged", 200);
}

#[test]
fn ledger_is_private() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(1));
    assert_eq!(mode(&ledger.path), 0o600);
    set_mode(&ledger.path, 0o644);
    ledger.push(&server, &[], &records(1)).exits(0);
    assert_eq!(mode(&ledger.path), 0o600);
    // An empty file becomes a ledger.
    let empty = TempFile::new("empty", "");
    set_mode(&empty.path, 0o666);
    push_with_ledger(&server, &empty.path, &[], &records(1)).exits(0);
    assert_eq!(empty.mode(), 0o600);
    // The files that SQLite creates beside the ledger are also private.
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
fn push_that_cannot_write_its_outputs_reports_each_of_them_and_ends_its_run() {
    let server = FaultServer::serving([ok(), code(5)]);
    let ledger = Ledger::after_push(&FaultServer::ok(), &records(1));
    ledger
        .database()
        .execute_batch(
            "CREATE TRIGGER full BEFORE INSERT ON segment
             BEGIN SELECT RAISE(ABORT, 'segment is full'); END",
        )
        .expect("a trigger");
    let flags = ["--batch-records=100", "--full", "--rejects=/dev/full"];
    let run = ledger.push(&server, &flags, &records(10_000));
    run.exits(1)
        .stderr_contains("segment is full")
        .stderr_contains("answered with response code 5")
        .stderr_contains("/dev/full")
        .counts_add_up();
    let shown = run_program(["ledger", "show", "--ledger", ledger.str(), "--output=json"]);
    let shown = shown.exits(0).json();
    let last = &shown["targets"][0]["runs"][0];
    assert_eq!(last["exit_code"], 1, "{shown}");
    assert!(!last["ended"].is_null(), "{shown}");
}

#[test]
fn ledger_holds_no_tokens() {
    let server = FaultServer::serving([ok(), ok(), Action::NeverAnswer]);
    let ledger = Ledger::absent();
    let path = ledger.str();
    let flags = [
        ONE_BY_ONE,
        &["--ledger", path, "--header=x-key: header-secret"],
    ]
    .concat();
    let child = start(server.args(&flags), &records(5));
    server.wait_for_attempts(3);
    // A killed push leaves its write-ahead log behind. The third attempt starts after the first two
    // responses, but the push may not have written the acknowledged records to the ledger yet. So
    // the test waits until they are written.
    let deadline = Instant::now() + Duration::from_secs(10);
    let written = |ledger: &Ledger| {
        let count = ledger.database().query_row(
            "SELECT sum(length(records)) / 20 FROM segment",
            [],
            |row| row.get(0),
        );
        count.unwrap_or(0)
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

/// Sets the version of a ledger to a version that the program does not know yet.
fn set_newer_version(database: &Database) {
    database
        .pragma_update(None, "user_version", 1000)
        .expect("set");
}

#[test]
fn other_files_are_rejected_and_not_changed() {
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
    // A database that is open, with all content in its write-ahead log.
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
    set_newer_version(&Database::open(&newer).expect("a database"));
    let open_newer = at("open and newer");
    push_with_ledger(&server, &open_newer, &[], &records(1)).exits(0);
    let newer_database = Database::open(&open_newer).expect("a database");
    newer_database
        .pragma_update(None, "journal_mode", "WAL")
        .expect("set");
    set_newer_version(&newer_database);
    newer_database
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE); CREATE TABLE songs (title TEXT)")
        .expect("a table");
    // These are the files that a killed program leaves behind. The push must not move the content
    // of the write-ahead log into the database.
    let killed_newer = at("killed and newer");
    for suffix in ["", "-wal"] {
        let copy = |name: &str| folder.path().join(format!("{name}{suffix}"));
        fs::copy(copy("open and newer"), copy("killed and newer")).expect("copied");
    }
    let before = folder_state(folder.path());
    let connections = server.connection_count();
    let mut paths: Vec<_> = before.keys().cloned().collect();
    paths.retain(|path| {
        let name = utf8(path);
        !name.ends_with("-wal") && !name.ends_with("-shm")
    });
    paths.extend(["/dev/null", "/dev/full", "/dev/tty", "/proc/self/status"].map(PathBuf::from));
    for path in &paths {
        for flags in [&[][..], &["--full"], &["--dry-run"]] {
            let run = push_with_ledger(&server, path, flags, &records(2));
            let label = format!("{} {flags:?}: {run:#?}", path.display());
            assert_eq!(run.code, 1, "{label}");
            assert_eq!(run.count("unsent"), 2, "{label}");
            assert!(run.stderr.contains(utf8(path)), "{label}");
            let after = folder_state(folder.path());
            assert!(
                after == before,
                "{label} {:?} {:?}",
                after.keys(),
                before.keys()
            );
        }
    }
    for path in [&newer, &open_newer, &killed_newer] {
        push_with_ledger(&server, path, &[], &records(2))
            .exits(1)
            .stderr_contains("a newer version");
    }
    assert!(
        fs::metadata(at("fifo"))
            .expect("there")
            .file_type()
            .is_fifo()
    );
    assert_eq!(server.connection_count(), connections);
}

#[test]
fn destroyed_page_is_reported_once() {
    const PAGE_BYTES: usize = 4096;
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(2));
    let good = fs::read(&ledger.path).expect("read");
    for page in 1..good.len() / PAGE_BYTES {
        let mut bad = good.clone();
        bad[page * PAGE_BYTES..][..PAGE_BYTES].fill(0xff);
        fs::write(&ledger.path, &bad).expect("written");
        let run = ledger.push(&server, &[], &records(2));
        let messages = run.stderr.matches("cannot use ledger ").count();
        assert_eq!(
            messages,
            usize::from(run.code != 0),
            "page {page}: {run:#?}"
        );
    }
}

#[test]
fn corrupt_ledger_is_an_error() {
    let server = FaultServer::ok();
    let input = records(2000);
    let ledger = Ledger::after_push(&server, &input);
    let good = fs::read(&ledger.path).expect("read");
    let connections = server.connection_count();
    let garbage = |range: std::ops::Range<usize>| {
        let mut bad = good.clone();
        let mut state = 7_u32;
        for byte in &mut bad[range] {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = state.to_be_bytes()[0];
        }
        bad
    };
    for (name, corrupt) in [
        ("all pages but the first", garbage(4096..good.len())),
        ("first page", garbage(100..4096)),
        ("all but the file header", garbage(100..good.len())),
        ("truncated file", good[..good.len() / 2].to_vec()),
        ("file header only", good[..100].to_vec()),
        (
            "zeros after the first page",
            [&good[..4096], &vec![0; good.len() - 4096]].concat(),
        ),
    ] {
        for flags in [&[][..], &["--full"], &["--dry-run"]] {
            fs::write(&ledger.path, &corrupt).expect("written");
            let run = ledger.push(&server, flags, &input);
            assert_eq!(run.code, 1, "{name} {flags:?}: {run:#?}");
            let run = run
                .stderr_contains("cannot use ledger ")
                .stderr_contains("hint: move the file away")
                .counts("unsent", 2000);
            assert!(!run.stderr.contains("panic"), "{name}: {run:#?}");
        }
    }
    // Valid databases with invalid content.
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
    assert_eq!(server.connection_count(), connections);
}

#[test]
fn removed_folder_does_not_stop_open_requests() {
    let later = Action::Delay(Duration::from_millis(300), ok().into());
    let server = FaultServer::serving([ok(), later, ok()]);
    let ledger = Ledger::absent();
    let path = ledger.str();
    let flags = [ONE_BY_ONE, &["--ledger", path]].concat();
    let child = start(server.args(&flags), &records(4));
    server.wait_for_attempts(2);
    fs::remove_dir_all(ledger.folder.path()).expect("removed");
    let run = finish(child);
    // The push may or may not notice that the ledger is gone. The counts of the push are right in
    // both cases.
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
fn push_without_usable_rejects_file_begins_no_run() {
    let server = FaultServer::ok();
    let ledger = Ledger::absent();
    let rejects = ledger.folder.path().join("missing/rejects.csv");
    let flags = ["--rejects", utf8(&rejects)];
    ledger.push(&server, &flags, &records(1)).exits(1);
    assert!(!ledger.path.exists());
    assert_eq!(server.connection_count(), 0);
}

#[test]
fn unusual_names_are_files() {
    let receiver = Receiver::start();
    let folder = tempfile::tempdir().expect("a folder");
    let input = TempFile::new("a.csv", THREE_RECORDS);
    for name in [":memory:", "file:x?mode=memory", "-", "a b%20c"] {
        for unchanged in [0, 3] {
            let mut args = receiver.push_args();
            args.extend(["--output=json", "--ledger", name].map(Into::into));
            args.push(input.str().to_owned());
            let run = command(args).current_dir(folder.path()).output();
            let run: Run = run.expect("it runs").into();
            assert_eq!(run.exits(0).count("unchanged"), unchanged, "{name}");
        }
        assert!(folder.path().join(name).is_file(), "{name}");
    }
}

/// SQLite names the write-ahead log after the name of the database, so two names would have two logs.
#[test]
fn ledger_with_two_hard_links_is_refused() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(1));
    let link = ledger.path.with_file_name("link");
    fs::hard_link(&ledger.path, &link).expect("linked");
    let before = ledger.files();
    let link_options = ["--ledger", utf8(&link)];
    for run in [
        push_with_ledger(&server, &ledger.path, &[], &records(2)),
        push_with_ledger(&server, &link, &[], &records(2)),
        push_with_ledger(&server, &link, &["--dry-run"], &records(2)),
        run_program([&["ledger", "show"], &link_options[..]].concat()),
        run_program([&["ledger", "forget", "--all"], &link_options[..]].concat()),
        run_program(["serve", "--listen=127.0.0.1:0", "--store", utf8(&link)]),
    ] {
        run.exits(1)
            .stderr_contains(": the file has 2 hard links\nhint: remove the other links");
    }
    assert_eq!(server.attempt_count(), 1);
    assert!(ledger.files() == before);
    fs::remove_file(&link).expect("removed");
    symlink("ledger", &link).expect("linked");
    push_with_ledger(&server, &link, &[], &records(2)).exits(0);
}

/// With version 0, only an empty database may become a ledger.
#[test]
fn ledger_without_its_version_is_refused() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(1));
    let database = ledger.database();
    database
        .pragma_update(None, "user_version", 0)
        .expect("set");
    drop(database);
    let options = ["--ledger", ledger.str()];
    for run in [
        ledger.push(&server, &[], &records(2)),
        ledger.push(&server, &["--dry-run"], &records(2)),
        run_program([&["ledger", "show"], &options[..]].concat()),
        run_program([&["ledger", "forget", "--all"], &options[..]].concat()),
    ] {
        run.exits(1).stderr_contains(&format!(
            "error: cannot use ledger {}: the file is not a ledger\nhint: ",
            ledger.str()
        ));
    }
    assert_eq!(server.attempt_count(), 1);
}
