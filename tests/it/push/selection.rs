//! The records that a push sends: shards, dry runs, rehearsals, empty input.

use std::collections::BTreeSet;

use super::numbered_rows;

use crate::support::{
    fault_server::{FaultServer, action::code},
    files::TempFile,
    program::run_with_input,
    receiver::Receiver,
    records::{records, token},
    rejects::read_rejects,
};

#[test]
fn empty_input_sends_nothing() {
    for input in [
        "",
        " \n\t\r\n",
        "\u{feff}",
        "device_token,expire_time\n",
        "[]",
        " [ ] \n",
    ] {
        let receiver = Receiver::start();
        receiver
            .push_input(["-"], input.as_bytes())
            .exits(0)
            .stderr_contains("no record");
        receiver
            .push_input(["--fail-on-empty"], input.as_bytes())
            .exits(4)
            .stderr_contains("no record");
        assert_eq!(receiver.stop().requests, 0, "{input:?}");
    }
    // Without a record, the program does not connect, so the missing server does not matter.
    run_with_input(["push", "--server", "localhost:1", "--plaintext"], b"").exits(0);
}

#[test]
fn later_pushes_replace_earlier_times() {
    let receiver = Receiver::start();
    for time in [1_000_000_005, 1_000_000_009, 1_000_000_007] {
        receiver
            .push_input(["-"], format!("token,expire_time\na,{time}\n").as_bytes())
            .exits(0);
    }
    assert_eq!(receiver.stop().rows, b"a,1000000007\n");
}

#[test]
fn rehearsal_contacts_no_server() {
    let input = format!("device_token,expire_time\n{}", numbered_rows(1000));
    let run = run_with_input(
        ["push", "--rehearse", "--batch-records=100", "--output=json"],
        input.as_bytes(),
    )
    .exits(0);
    assert_eq!(run.count("acknowledged"), 1000);
    assert_eq!(run.request_count("sent"), 10);

    let receiver = Receiver::start();
    receiver
        .push_input(["--rehearse"], input.as_bytes())
        .exits(0)
        .stderr_contains("--rehearse ignores --server");
    assert_eq!(receiver.stop().requests, 0);
    run_with_input(["push", "--rehearse", "--reflection"], input.as_bytes())
        .exits(0)
        .stderr_contains("--rehearse ignores --server, --reflection");
    run_with_input(["push", "--rehearse"], b"token,expire_time\na,b\n").exits(4);
}

#[test]
fn rehearsal_of_a_shard_sends_its_records() {
    let input = format!("device_token,expire_time\n{}", numbered_rows(1000));
    let mut acknowledged = 0;
    for shard in ["0/3", "1/3", "2/3"] {
        let run = run_with_input(
            ["push", "--rehearse", "--shard", shard, "--output=json"],
            input.as_bytes(),
        )
        .exits(0)
        .counts_add_up();
        assert!(run.count("other_shard") > 0);
        acknowledged += run.count("acknowledged");
    }
    assert_eq!(acknowledged, 1000);
}

#[test]
fn dry_run_contacts_no_server() {
    let server = FaultServer::ok();
    let file = TempFile::absent("rejects.csv");
    let metrics = TempFile::absent("push.prom");
    let ledger = TempFile::absent("ledger");
    server
        .push(&["--ledger", ledger.str()], &records(2))
        .exits(0);
    let detailed = ["--dry-run", "--detailed-exitcode"];
    for (flags, input, exit, unsent) in [
        (&["--dry-run"][..], &records(3)[..], 0, 3),
        (&["-n"], &records(3), 0, 3),
        (&detailed, &records(3), 20, 3),
        (&detailed, b"", 0, 0),
        (&detailed, b"token,expire_time\na,b\n", 4, 0),
        (&["--dry-run"], b"token,expire_time\na,b\n", 4, 0),
        (
            &["--dry-run", "--detailed-exitcode", "--ledger", ledger.str()],
            &records(2),
            0,
            0,
        ),
        (
            &["--dry-run", "--detailed-exitcode", "--ledger", ledger.str()],
            &records(5),
            20,
            3,
        ),
        (
            &[
                "--dry-run",
                "--detailed-exitcode",
                "--full",
                "--ledger",
                ledger.str(),
            ],
            &records(2),
            20,
            2,
        ),
        (
            &[
                "--dry-run",
                "--rejects",
                file.str(),
                "--metrics-file",
                metrics.str(),
            ],
            &records(3),
            0,
            3,
        ),
    ] {
        let run = server
            .push(flags, input)
            .exits(exit)
            .counts("unsent", unsent)
            .counts("acknowledged", 0);
        let status = if exit == 4 { "refused" } else { "ok" };
        assert_eq!(run.json()["status"], status, "{flags:?}");
        assert_eq!(run.json()["error"].is_null(), exit != 4, "{flags:?}");
        assert_eq!(run.request_count("sent"), 0, "{flags:?}");
    }
    assert!(!file.path.exists() && !metrics.path.exists());
    assert_eq!(server.connection_count(), 1);
    // A dry run validates the options for the server, although it does not connect.
    let args = [
        "push",
        "-n",
        "--server=localhost:1",
        "--cacert=/nowhere",
        "--output=json",
    ];
    run_with_input(args, &records(1)).exits(2);
    for args in [
        &["push", "--detailed-exitcode", "--server=localhost:1"][..],
        &["push", "-n", "--rehearse"],
    ] {
        run_with_input(args, &records(1)).exits(2);
    }
}

#[test]
fn shards_partition_the_records() {
    let all: BTreeSet<String> = (0..200).map(token).collect();
    for count in [1, 2, 3, 7] {
        let server = FaultServer::ok();
        let mut sent = Vec::new();
        for index in 0..count {
            let before = server.attempt_count();
            let shard = format!("--shard={index}/{count}");
            let run = server.push(&[&shard], &records(200)).exits(0);
            let traffic = server.traffic();
            let part: Vec<String> = traffic.attempts[before..]
                .iter()
                .flat_map(|one| one.tokens())
                .map(ToOwned::to_owned)
                .collect();
            assert_eq!(part.len() as u64, run.count("acknowledged"));
            assert_eq!(200 - part.len() as u64, run.count("other_shard"));
            // Each shard has between half and twice its share.
            assert!(
                part.len() * count > 100 && part.len() * count < 400,
                "{}",
                part.len()
            );
            sent.extend(part);
        }
        assert_eq!(sent.len(), 200, "{count}");
        assert_eq!(
            sent.iter().cloned().collect::<BTreeSet<_>>(),
            all,
            "{count}"
        );
    }
    // Records of other shards are not rejects.
    let file = TempFile::absent("rejects.csv");
    let run = FaultServer::serving([code(5)])
        .push(&["--shard=0/2", "--rejects", file.str()], &records(50))
        .exits(7);
    assert_eq!(read_rejects(&file.path).len() as u64, run.count("rejected"));
    // A shard without records does not connect.
    let server = FaultServer::ok();
    let runs: Vec<_> = (0..2)
        .map(|index| {
            server
                .push(&[&format!("--shard={index}/2")], &records(1))
                .exits(0)
        })
        .collect();
    assert_eq!(
        runs.iter()
            .map(|run| run.count("acknowledged"))
            .sum::<u64>(),
        1
    );
    assert_eq!(server.connection_count(), 1);
    for shard in [
        "", "0", "1/1", "2/2", "0/0", "-1/2", "a/b", "0/2/3", "1.0/2", "0/", "/2", " 0/2", "0/-2",
    ] {
        run_with_input(server.args(&[&format!("--shard={shard}")]), &records(1))
            .exits(2)
            .stderr_contains("--shard");
    }
}
