//! Pushes and receivers that are killed (SIGKILL): ledgers and stores must keep everything that was
//! acknowledged before.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{SHA256, digest};
use rusqlite::{Connection as Database, OpenFlags};
use rustix::process::Signal;

use crate::support::{
    files::utf8,
    program::{Run, finish, kill, run, run_with_input, start, wait_until},
    receiver::Receiver,
    records::{EXPIRE_TIME, records, records_at, token},
};

const RECORD_COUNT: usize = 800;

/// Options for many small requests. A kill then often comes between two requests.
const SMALL_REQUESTS: &[&str] = &["--batch-records=10", "--concurrency=3", "--output=json"];

/// A receiver that stores its records in a database.
struct StoringReceiver {
    receiver: Receiver,
    store: PathBuf,
}

impl StoringReceiver {
    fn start(folder: &Path) -> Self {
        let store = folder.join("store");
        let receiver = Receiver::with(["--store", utf8(&store)]);
        Self { receiver, store }
    }

    fn database(&self) -> Database {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        Database::open_with_flags(&self.store, flags).expect("a store")
    }

    /// Returns the expiration time of each stored token.
    fn records(&self) -> BTreeMap<Vec<u8>, u32> {
        let database = self.database();
        let mut select = database
            .prepare("SELECT token, expire_time FROM expiration")
            .expect("a table");
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.expect("rows")
            .collect::<Result<_, _>>()
            .expect("tokens and times")
    }

    /// Returns the number of stored records with this expiration time.
    fn count_at(&self, time: u32) -> usize {
        let select = "SELECT count(*) FROM expiration WHERE expire_time = ?";
        let count: rusqlite::Result<i64> =
            self.database().query_row(select, [time], |row| row.get(0));
        usize::try_from(count.expect("a count")).expect("a count")
    }

    fn push_args(&self, ledger: &Path) -> Vec<String> {
        let flags = [SMALL_REQUESTS, &["--ledger", utf8(ledger)]].concat();
        let mut args = self.receiver.push_args();
        args.extend(flags.into_iter().map(str::to_owned));
        args
    }

    fn push(&self, ledger: &Path, input: &[u8]) -> Run {
        run_with_input(self.push_args(ledger), input).counts_add_up()
    }
}

/// Digests of tokens, with their expiration times.
type Digests = BTreeSet<(Vec<u8>, u32)>;

/// The content of a ledger. The digest of a token is the first 16 bytes of SHA-256 over the salt
/// and the token.
struct LedgerContent {
    salt: Vec<u8>,
    digests: Digests,
}

impl LedgerContent {
    /// Reads the ledger of a killed push. Opening a database may change it, so this reads a copy
    /// and leaves the original to the next push. Returns `None` if the ledger does not exist or is
    /// empty.
    fn read(ledger: &Path) -> Option<Self> {
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
        let check: String = database
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .expect("checked");
        assert_eq!(check, "ok");
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
        // The ledger may have several times for a token. The last time counts.
        let digests: BTreeMap<Vec<u8>, u32> = segments
            .chunks(20)
            .map(|row| {
                let time = row[16..].try_into().expect("four bytes");
                (row[..16].to_vec(), u32::from_be_bytes(time))
            })
            .collect();
        Some(Self {
            salt,
            digests: digests.into_iter().collect(),
        })
    }

    /// Returns the digests that this ledger would hold for the records of a receiver.
    fn digests_of(&self, records: &BTreeMap<Vec<u8>, u32>) -> Digests {
        records
            .iter()
            .map(|(token, time)| {
                let hash = digest(&SHA256, &[&self.salt[..], token].concat());
                (hash.as_ref()[..16].to_vec(), *time)
            })
            .collect()
    }
}

#[test]
fn killed_push_loses_and_invents_nothing() {
    const ROUNDS: u32 = 15;
    const KILLS_PER_ROUND: u32 = 4;
    /// The most new records that the test waits for before it kills the push.
    const MAX_RECORDS_BETWEEN_KILLS: usize = RECORD_COUNT / 5;
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = StoringReceiver::start(folder.path());
    receiver
        .push(&folder.path().join("first"), &records(RECORD_COUNT))
        .exits(0);
    let mut random = fastrand::Rng::with_seed(7);
    let mut partial_pushes = 0;
    for round in 1..=ROUNDS {
        // Each round has a different expiration time, so all records are sent again. Every second
        // round begins with a new ledger.
        let time = EXPIRE_TIME + round;
        let input = records_at(RECORD_COUNT, time);
        let ledger = folder.path().join(format!("ledger {}", round / 2));
        let mut known = 0;
        for _ in 0..KILLS_PER_ROUND {
            let stored = receiver.count_at(time) + random.usize(..=MAX_RECORDS_BETWEEN_KILLS);
            let mut child = start(receiver.push_args(&ledger), &input);
            wait_until("enough records are stored", || {
                let has_ended = child.try_wait().expect("a status").is_some();
                has_ended || receiver.count_at(time) >= stored
            });
            kill(child);
            let Some(ledger) = LedgerContent::read(&ledger) else {
                continue;
            };
            let stored = ledger.digests_of(&receiver.records());
            let is_current = |digest: &&(Vec<u8>, u32)| digest.1 == time;
            let current: Digests = ledger.digests.iter().filter(is_current).cloned().collect();
            assert!(current.is_subset(&stored), "records that were not stored");
            assert!(current.len() >= known, "records were forgotten");
            known = current.len();
            partial_pushes += usize::from(known > 0 && known < RECORD_COUNT);
        }
        receiver
            .push(&ledger, &input)
            .exits(0)
            .counts("unchanged", known as u64)
            .counts("acknowledged", (RECORD_COUNT - known) as u64);
        let stored = receiver.records();
        assert_eq!(stored.len(), RECORD_COUNT);
        assert!(stored.values().all(|at| *at == time), "round {round}");
        receiver
            .push(&ledger, &input)
            .exits(0)
            .counts("unchanged", RECORD_COUNT as u64)
            .counts_requests("sent", 0);
    }
    assert!(partial_pushes > 0, "no push was killed between requests");
}

#[test]
fn ledger_of_a_killed_push_can_be_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = StoringReceiver::start(folder.path());
    let known = folder.path().join("known");
    receiver.push(&known, &records(1)).exits(0);
    for time in EXPIRE_TIME + 1..EXPIRE_TIME + 21 {
        let new = folder.path().join(format!("new-{time}"));
        for ledger in [&known, &new] {
            let mut journal = ledger.clone().into_os_string();
            journal.push("-journal");
            let mut child = start(receiver.push_args(ledger), &records_at(1, time));
            // A journal is complete when its first byte is set. `ledger show` could not roll back
            // the ledger with it.
            wait_until("the push has written with a journal, or ends", || {
                let content = fs::read(&journal).unwrap_or_default();
                let is_complete = content.first().is_some_and(|byte| *byte != 0);
                let has_content = || fs::metadata(ledger).is_ok_and(|file| file.len() > 0);
                is_complete && has_content() || child.try_wait().expect("a status").is_some()
            });
            kill(child);
            run(["ledger", "show", "--ledger", utf8(ledger)]).exits(0);
        }
    }
}

#[test]
fn killed_receiver_keeps_what_it_acknowledged() {
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..6 {
        let folder = tempfile::tempdir().expect("a folder");
        let receiver = StoringReceiver::start(folder.path());
        let rejects = folder.path().join("rejects");
        let ledger = folder.path().join("ledger");
        let mut args = receiver.push_args(&ledger);
        args.push(format!("--rejects={}", rejects.display()));
        args.extend(["--retry=0", "--authority=receiver"].map(str::to_owned));
        let mut child = start(args, &records(RECORD_COUNT));
        let stored = random.usize(1..RECORD_COUNT / 2);
        wait_until("enough records are stored", || {
            let has_ended = child.try_wait().expect("a status").is_some();
            has_ended || receiver.count_at(EXPIRE_TIME) >= stored
        });
        receiver.receiver.signal(Signal::KILL);
        let run = finish(child).counts_add_up();
        assert!([0, 3, 5, 78].contains(&run.code), "{run:#?}");
        drop(receiver);
        let rejected: BTreeSet<String> = fs::read_to_string(&rejects)
            .expect("text")
            .lines()
            .skip(1)
            .map(|line| line.split(',').next().expect("a token").to_owned())
            .collect();
        let acknowledged = (RECORD_COUNT - rejected.len()) as u64;
        assert_eq!(run.count("acknowledged"), acknowledged);
        let receiver = StoringReceiver::start(folder.path());
        let stored = receiver.records();
        let tokens = (0..RECORD_COUNT).map(token);
        for token in tokens.filter(|token| !rejected.contains(token)) {
            let time = stored.get(token.as_bytes());
            assert_eq!(time, Some(&EXPIRE_TIME), "{token}");
        }
        let mut args = receiver.push_args(&ledger);
        args.push("--authority=receiver".to_owned());
        run_with_input(args, &records(RECORD_COUNT))
            .exits(0)
            .counts("unchanged", acknowledged)
            .counts("acknowledged", rejected.len() as u64);
        assert_eq!(receiver.receiver.stop().tokens, RECORD_COUNT as u64);
    }
}
