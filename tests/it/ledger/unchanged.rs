//! Unchanged records, which a push with a ledger does not send again.

use std::time::Duration;

use rustix::process::Signal;
use tonic::Code;

use super::{Ledger, ONE_BY_ONE, THREE_RECORDS};

use crate::support::{
    fault_server::{
        Connection::Serve,
        FaultServer,
        action::{Action, apply_and_disconnect, code, ok, status},
    },
    files::TempFile,
    program::{finish, run, run_with_input, send_signal, start},
    records::{EXPIRE_TIME, csv, records, token},
};

#[test]
fn unchanged_records_need_no_connection() {
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
fn only_new_and_changed_records_are_sent() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(5));
    // Record 4 is missing, record 1 expires later, record 2 expires earlier, and record 7 is new.
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
    // The ledger still knows the missing record, and it knows the last expiration time of a changed
    // record.
    ledger
        .push(&server, &[], &csv([(4, EXPIRE_TIME), (1, EXPIRE_TIME)]))
        .exits(0)
        .counts("unchanged", 1)
        .counts("acknowledged", 1);
    assert_eq!(server.traffic().tokens_since(2), ["sensor-00001"]);
}

/// The push compares 1024 records at a time.
#[test]
fn each_of_many_records_is_compared() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(2500));
    let changed = [0, 1023, 1024, 2047, 2048, 2499];
    let time = |number| EXPIRE_TIME - u32::from(changed.contains(&number));
    let next = csv((0..2500).map(|number| (number, time(number))));
    let refused = ledger
        .push(&server, &["--refuse-shortened", "--max-errors=3"], &next)
        .exits(4);
    let problems = refused.json()["error"]["problems"].clone();
    let lines: Vec<_> = (0..3)
        .map(|index| problems[index]["line"].as_u64())
        .collect();
    assert_eq!(lines, [Some(2), Some(1025), Some(1026)], "{refused:?}");
    ledger
        .push(&server, &[], &next)
        .exits(0)
        .counts("unchanged", 2494)
        .counts("acknowledged", 6);
    assert_eq!(server.traffic().tokens_since(1), changed.map(token));
}

#[test]
fn full_sends_all_records() {
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
fn server_is_identified_by_authority_and_method() {
    let (one, other) = (FaultServer::ok(), FaultServer::ok());
    let ledger = Ledger::absent();
    for (server, flags, unchanged) in [
        (&one, &["--servername=localhost"][..], 0),
        (&one, &["--servername=localhost"], 2),
        (&other, &["--servername=localhost"], 2),
        (&other, &["--authority=localhost"], 2),
        // Without a name, the address identifies the server.
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
fn only_acknowledged_records_are_remembered() {
    let poison = |action: Action| Action::IfToken("sensor-00001", action.into());
    let refusal = status(Code::InvalidArgument, "no such sensor");
    let applied = apply_and_disconnect();
    for (name, action, flags, exit, left) in [
        ("code 5", poison(code(5)), &[][..], 3, 1),
        ("rejected", poison(refusal.clone()), &[], 3, 1),
        (
            "two records in a rejected request",
            poison(refusal.clone()),
            &["--batch-records=2"],
            3,
            2,
        ),
        (
            "isolated record",
            poison(refusal.clone()),
            &["--batch-records=4", "--isolate"],
            3,
            1,
        ),
        ("unavailable", status(Code::Unavailable, ""), &[], 78, 4),
        ("all rejected", refusal, &[], 67, 4),
        ("applied without a response", applied, &[], 78, 4),
        (
            "denied during the push",
            poison(status(Code::PermissionDenied, "")),
            &[],
            3,
            3,
        ),
        ("accepted code 5", code(5), &["--ok-code=5"], 0, 0),
        ("code 0 not accepted", code(0), &["--ok-code=5"], 7, 4),
    ] {
        let server = FaultServer::start([Serve(vec![action])]);
        let ledger = Ledger::absent();
        let singly: &[&str] = if flags.iter().any(|flag| flag.starts_with("--batch")) {
            &["--concurrency=1", "--retry=0"]
        } else {
            ONE_BY_ONE
        };
        let flags = [singly, flags].concat();
        let run = ledger.push(&server, &flags, &records(4));
        assert_eq!(run.code, exit, "{name}: {run:#?}");
        assert_eq!(run.count("acknowledged"), 4 - left, "{name}: {run:#?}");
        let good = FaultServer::ok();
        let run = ledger.push(&good, &[], &records(4)).exits(0);
        assert_eq!(run.count("unchanged"), 4 - left, "{name}: {run:#?}");
        assert_eq!(run.count("acknowledged"), left, "{name}: {run:#?}");
        ledger
            .push(&good, &[], &records(4))
            .exits(0)
            .counts("unchanged", 4);
    }
}

#[test]
fn failed_change_is_sent_again() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(1));
    // The server did not acknowledge the later time, so the record is sent again.
    let down = FaultServer::serving([status(Code::Unavailable, "")]);
    ledger
        .push(&down, ONE_BY_ONE, &csv([(0, EXPIRE_TIME + 1)]))
        .exits(78)
        .counts("unsent", 1);
    ledger
        .push(&server, &[], &csv([(0, EXPIRE_TIME + 1)]))
        .exits(0)
        .counts("acknowledged", 1);
}

#[test]
fn unconfirmed_change_is_sent_again() {
    let lost = apply_and_disconnect();
    for (name, action) in [
        ("applied without a response", lost),
        ("code 9", code(9)),
        ("rejected", status(Code::Internal, "")),
    ] {
        let ledger = Ledger::after_push(&FaultServer::ok(), &records(2));
        let later = csv([(0, EXPIRE_TIME), (1, EXPIRE_TIME + 1)]);
        let server = FaultServer::serving([action]);
        let failed = ledger.push(&server, ONE_BY_ONE, &later);
        assert_ne!(failed.code, 0, "{name}");
        // The next input has the old time again. The record is sent, because it is unknown which
        // time the server has.
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
        ledger
            .push(&good, &[], &records(2))
            .exits(0)
            .counts("unchanged", 2);
        // `--max-changes` compares the input with the last acknowledged time.
        ledger.push(&server, ONE_BY_ONE, &later);
        ledger
            .push(&good, &["--max-changes=0"], &later)
            .exits(4)
            .counts("unsent", 2);
    }
}

#[test]
fn duplicates_and_other_shards_are_not_unchanged() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(40));
    // The ledger knows all records, but the records of other shards must not count as unchanged.
    let mut others = 0;
    for index in 0..3 {
        let shard = format!("--shard={index}/3");
        let run = ledger.push(&server, &[&shard], &records(40)).exits(0);
        assert_eq!(run.count("unchanged") + run.count("other_shard"), 40);
        others += run.count("other_shard");
        // Changes in other shards do not count for `--max-changes`.
        let changed = csv((0..40).map(|number| (number, EXPIRE_TIME - 1)));
        let limit = format!("--max-changes={}", run.count("unchanged"));
        ledger
            .push(&server, &[&shard, &limit, "--dry-run"], &changed)
            .exits(0)
            .counts("unsent", run.count("unchanged"));
    }
    assert_eq!(others, 80);
    // The two files have 20 records in common.
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
    // The ledger compares the record that `--on-duplicate` chooses.
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
fn tokens_are_compared_by_bytes() {
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
fn signal_keeps_acknowledged_records() {
    let later = Action::Delay(Duration::from_millis(300), ok().into());
    let server = FaultServer::serving([ok(), ok(), later]);
    let ledger = Ledger::absent();
    let path = ledger.str();
    let flags = [ONE_BY_ONE, &["--servername=localhost", "--ledger", path]].concat();
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

/// Host names are compared without case, also with a ledger that has them in other cases.
#[test]
fn server_names_in_other_cases_are_one_server() {
    let server = FaultServer::ok();
    let ledger = Ledger::absent();
    for (name, unchanged) in [("LOCALHOST", 0), ("localhost", 3), ("LocalHost", 3)] {
        let flag = format!("--authority={name}");
        ledger
            .push_by_address(&server, &[&flag], THREE_RECORDS)
            .exits(0)
            .counts("unchanged", unchanged);
    }
    let other_method = [
        "--authority=localhost",
        "--method=/internal/UpdateSensorExpireTime",
    ];
    ledger
        .push_by_address(&server, &other_method, THREE_RECORDS)
        .counts("unchanged", 0);
    run([
        "ledger",
        "forget",
        "--target=lOCALHOST",
        "--ledger",
        ledger.str(),
    ])
    .exits(0);
    ledger
        .push_by_address(&server, &["--authority=LOCALHOST"], THREE_RECORDS)
        .exits(0)
        .counts("unchanged", 0);
}
