//! Dry runs with a ledger, and the options that refuse unexpected changes.

use std::collections::BTreeMap;

use super::{Ledger, ONE_BY_ONE};

use crate::support::{
    fault_server::{
        FaultServer,
        action::{Action, ok},
    },
    files::utf8,
    program::{kill, run_with_input, start},
    records::{EXPIRE_TIME, csv, records},
};

#[test]
fn dry_run_does_not_change_the_ledger() {
    let server = FaultServer::ok();
    // These runs do not create a ledger.
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
    assert_eq!(before.len(), 2, "the ledger and its lock");
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
    // A dry run does not change the ledger of a killed push either.
    let slow = FaultServer::serving([ok(), Action::NeverAnswer]);
    let ledger = Ledger::absent();
    let path = ledger.str();
    let flags = [ONE_BY_ONE, &["--ledger", path, "--servername=localhost"]].concat();
    let child = start(slow.args(&flags), &records(3));
    slow.wait_for_attempts(2);
    kill(child);
    let content = |ledger: &Ledger| -> BTreeMap<_, _> {
        let mut files = ledger.files();
        // SQLite creates the shared-memory index again when it opens the database, so the index may
        // differ. The index holds no data.
        files.retain(|path, _| !utf8(path).ends_with("-shm"));
        files
    };
    let before = content(&ledger);
    ledger.push(&server, &["--dry-run"], &records(3)).exits(0);
    let after = content(&ledger);
    assert!(after == before, "{:?}", after.keys());
}

#[test]
fn max_changes_limits_changes() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(20));
    let before = ledger.files().len();
    // The input has 20 known records, of which `changed` have a different expiration time, and 1
    // new record.
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
        // A percentage is a share of the 21 records in the input, rounded down.
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
            let label = format!("{changed} {limit}: {run:#?}");
            assert_eq!(run.code, if passes { 20 } else { 4 }, "{label}");
            if passes {
                continue;
            }
            // Without `--dry-run`, the push is refused in the same way.
            let flags = [&[&*limit][..], more].concat();
            let run = ledger
                .push(&server, &flags, &input(changed))
                .exits(4)
                .stderr_contains("--max-changes")
                .stderr_contains("nothing was sent")
                .counts("unsent", 21)
                .counts("unchanged", 0);
            assert_eq!(run.json()["status"], "refused", "{label}");
        }
    }
    assert_eq!(server.connection_count(), 1);
    assert_eq!(ledger.files().len(), before);
    ledger
        .push(&server, &["--max-changes=5"], &input(5))
        .exits(0)
        .counts("acknowledged", 6);
    // At the first push to a server, the ledger knows no records, so the limit does not apply.
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
fn refuse_shortened_rejects_earlier_times() {
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
            .stderr_contains("15 expiration times")
            .stderr_contains("sens… (12 bytes)")
            .stderr_contains("2099-01-01T00:00:00Z becomes 2098-12-31T23:59:59Z")
            .counts("unsent", 30);
        assert_eq!(run.json()["status"], "refused");
    }
    // A later time and a new token are accepted.
    ledger
        .push(
            &server,
            &["--refuse-shortened"],
            &csv([(0, EXPIRE_TIME + 1), (99, 1_000_000_001)]),
        )
        .exits(0)
        .counts("acknowledged", 2);
    ledger
        .push(&server, &["--refuse-shortened", "--max-errors=1"], &input)
        .exits(4)
        .stderr_contains("15 expiration times");
    ledger.push(&server, &[], &input).exits(0);
    for flag in ["--full", "--refuse-shortened", "--max-changes=1"] {
        run_with_input(server.args(&[flag]), &records(1))
            .exits(2)
            .stderr_contains("--ledger");
    }
}
