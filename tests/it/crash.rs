//! Pushes and receivers that are killed at any moment (`kill -9`): what was written holds.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{SHA256, digest};
use rusqlite::{Connection as Database, OpenFlags};
use rustix::process::Signal;

use crate::support::{
    files::utf8,
    program::{Run, finish, run_with_input, start},
    receiver::Receiver,
    records::{EXPIRE_TIME, records, records_at, token},
};

const RECORDS: usize = 800;

/// Many small requests, so that there is much to interrupt.
const SMALL: &[&str] = &["--batch-records=10", "--concurrency=3", "--output=json"];

/// A receiver with its store.
struct Stored {
    receiver: Receiver,
    store: PathBuf,
}

impl Stored {
    fn start(folder: &Path) -> Self {
        let store = folder.join("store");
        let receiver = Receiver::with(["--store", utf8(&store)]);
        Self { receiver, store }
    }

    /// What it holds.
    fn held(&self) -> BTreeMap<Vec<u8>, u32> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let database = Database::open_with_flags(&self.store, flags).expect("a store");
        let mut select = database
            .prepare("SELECT token, expire_time FROM expiration")
            .expect("a table");
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.expect("rows")
            .collect::<Result<_, _>>()
            .expect("tokens and times")
    }

    fn args(&self, ledger: &Path) -> Vec<String> {
        let mut args = self.receiver.push_args();
        args.extend(SMALL.iter().map(|flag| (*flag).to_owned()));
        args.extend(["--ledger".to_owned(), utf8(ledger).to_owned()]);
        args
    }

    fn push(&self, ledger: &Path, input: &[u8]) -> Run {
        run_with_input(self.args(ledger), input).counts_add_up()
    }
}

/// Digests of tokens, with their times.
type Digests = BTreeSet<(Vec<u8>, u32)>;

/// What a killed push has left in its ledger: what digests begin with, and the digests. A copy is
/// looked at, so that the next push finds everything as it was left.
fn remembered(ledger: &Path) -> Option<(Vec<u8>, Digests)> {
    let folder = tempfile::tempdir().expect("a folder");
    for suffix in ["", "-wal", "-journal"] {
        let mut from = ledger.as_os_str().to_owned();
        from.push(suffix);
        let to = folder.path().join(format!("copy{suffix}"));
        if Path::new(&from).exists() {
            fs::copy(from, to).expect("copied");
        }
    }
    let path = folder.path().join("copy");
    if !path.exists() {
        return None;
    }
    let database = Database::open(path).expect("a database");
    let sound: String = database
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .expect("checked");
    assert_eq!(sound, "ok");
    let tables: i64 = database
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .expect("counted");
    if tables == 0 {
        return None;
    }
    let salt = database
        .query_row("SELECT salt FROM meta", [], |row| row.get(0))
        .expect("a salt");
    let mut select = database
        .prepare("SELECT records FROM segment ORDER BY id")
        .expect("a table");
    let segments = select.query_map([], |row| row.get::<_, Vec<u8>>(0));
    let segments: Vec<u8> = segments
        .expect("rows")
        .flat_map(|segment| segment.expect("bytes"))
        .collect();
    // Of several times of one token the last counts.
    let rows: BTreeMap<Vec<u8>, u32> = segments
        .chunks(20)
        .map(|row| {
            let time = row[16..].try_into().expect("four bytes");
            (row[..16].to_vec(), u32::from_be_bytes(time))
        })
        .collect();
    Some((salt, rows.into_iter().collect()))
}

/// A push is killed when it has run for so long, or has ended before.
fn killed(args: Vec<String>, input: &[u8], after: Duration) {
    let mut child = start(args, input);
    thread::sleep(after);
    // It may have ended.
    let _ = child.kill();
    child.wait().expect("it ends");
}

#[test]
fn a_push_that_is_killed_at_any_moment_loses_and_invents_nothing() {
    const ROUNDS: u32 = 15;
    const KILLS: u32 = 4;
    let folder = tempfile::tempdir().expect("a folder");
    let stored = Stored::start(folder.path());
    let started = Instant::now();
    let first = folder.path().join("first");
    stored.push(&first, &records(RECORDS)).exits(0);
    let whole = started.elapsed();
    let mut random = fastrand::Rng::with_seed(7);
    let mut partly = 0;
    for round in 1..=ROUNDS {
        // Another time in each round, so that all is to be sent again: with a new ledger or not.
        let time = EXPIRE_TIME + round;
        let input = records_at(RECORDS, time);
        let ledger = folder.path().join(format!("ledger {}", round / 2));
        let mut known = 0;
        for _ in 0..KILLS {
            // Late enough that some of it can be done, and often before its end.
            let after = whole.mul_f64(random.f64() * 0.7);
            killed(stored.args(&ledger), &input, after);
            let Some((salt, rows)) = remembered(&ledger) else {
                continue;
            };
            let held = stored.held();
            let digests: Digests = held
                .iter()
                .map(|(token, time)| {
                    let hash = digest(&SHA256, &[&salt[..], token].concat());
                    (hash.as_ref()[..16].to_vec(), *time)
                })
                .collect();
            let now: BTreeSet<_> = rows.iter().filter(|(_, at)| *at == time).cloned().collect();
            assert!(now.is_subset(&digests), "what no receiver has");
            assert!(now.len() >= known, "something was forgotten");
            known = now.len();
            partly += usize::from(known > 0 && known < RECORDS);
        }
        let rest = (RECORDS - known) as u64;
        stored
            .push(&ledger, &input)
            .exits(0)
            .counts("unchanged", known as u64)
            .counts("acknowledged", rest);
        let held = stored.held();
        assert_eq!(held.len(), RECORDS);
        assert!(held.values().all(|at| *at == time), "round {round}");
        let run = stored
            .push(&ledger, &input)
            .exits(0)
            .counts("unchanged", RECORDS as u64);
        assert_eq!(run.request_count("sent"), 0);
    }
    assert!(partly > 0, "no kill came in mid-run");
}

#[test]
fn a_receiver_that_is_killed_keeps_what_it_acknowledged() {
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..6 {
        let folder = tempfile::tempdir().expect("a folder");
        let stored = Stored::start(folder.path());
        let rejects = folder.path().join("rejects");
        let ledger = folder.path().join("ledger");
        let mut args = stored.args(&ledger);
        args.extend(["--rejects".to_owned(), utf8(&rejects).to_owned()]);
        args.extend(["--retry=0".into(), "--authority=receiver".into()]);
        let child = start(args, &records(RECORDS));
        let some = random.usize(1..RECORDS / 2);
        let deadline = Instant::now() + Duration::from_secs(20);
        while stored.held().len() < some && Instant::now() < deadline {
            thread::yield_now();
        }
        stored.receiver.signal(Signal::KILL);
        let run = finish(child);
        let run = run.counts_add_up();
        assert!([0, 3, 5, 78].contains(&run.code), "{run:#?}");
        drop(stored);
        let left: BTreeSet<String> = fs::read_to_string(&rejects)
            .expect("text")
            .lines()
            .skip(1)
            .map(|line| line.split(',').next().expect("a token").to_owned())
            .collect();
        assert_eq!(run.count("acknowledged"), (RECORDS - left.len()) as u64);
        // Another life of it.
        let stored = Stored::start(folder.path());
        let held = stored.held();
        for token in (0..RECORDS)
            .map(token)
            .filter(|token| !left.contains(token))
        {
            assert_eq!(held.get(token.as_bytes()), Some(&EXPIRE_TIME), "{token}");
        }
        let mut args = stored.args(&ledger);
        args.push("--authority=receiver".into());
        run_with_input(args, &records(RECORDS))
            .exits(0)
            .counts("unchanged", (RECORDS - left.len()) as u64)
            .counts("acknowledged", left.len() as u64);
        assert_eq!(stored.receiver.stop().tokens, RECORDS as u64);
    }
}
