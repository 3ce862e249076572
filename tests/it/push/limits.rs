//! Batch sizes, `--rate`, `--concurrency`, `--max-time`.

use std::time::{Duration, Instant};

use tonic::Code;

use super::numbered_rows;

use crate::support::{
    fault_server::{
        FaultServer,
        action::{Action, Response, ok, status},
    },
    files::TempFile,
    program::run_with_input,
    receiver::Receiver,
    records::records,
    rejects::read_rejects,
};

#[test]
fn batch_options_limit_records_and_bytes() {
    let content = numbered_rows(25);
    let input = format!("device_token,expire_time\n{content}");
    for (flags, requests) in [
        (&["--batch-records=10"][..], 3),
        (&["--batch-records=25"], 1),
        (&["--batch-records=1"], 25),
        // A request takes 5 bytes for its prefix, and 17 bytes for each record: 9 for the token, 6
        // for the expiration time, and 2 for the framing.
        (&["--batch-bytes=175"], 3),
        (&["--batch-bytes=22"], 25),
    ] {
        let receiver = Receiver::start();
        let run = receiver
            .push_input([flags, &["--output=json"]].concat(), input.as_bytes())
            .exits(0);
        assert_eq!(run.request_count("sent"), requests, "{flags:?}");
        assert_eq!(run.json()["codes"]["0"], requests, "{flags:?}");
        let received = receiver.stop();
        assert_eq!(received.requests, requests, "{flags:?}");
        assert_eq!(received.rows, content.as_bytes(), "{flags:?}");
    }
    let receiver = Receiver::start();
    receiver
        .push_input(["--batch-bytes=21"], input.as_bytes())
        .exits(4)
        .stderr_contains(":2: error: ")
        .stderr_contains("record takes 22 bytes of a request, --batch-bytes allows 21");
    assert_eq!(receiver.stop().requests, 0);
}

#[test]
fn rate_limits_records_per_second() {
    for (answers, flags, limit, count) in [
        (vec![ok()], &["--rate=20", "--batch-records=7"][..], 20, 50),
        (
            vec![ok()],
            &["--rate=20", "--batch-records=1", "--concurrency=30"],
            20,
            45,
        ),
        (vec![ok()], &["--rate=10"], 10, 25),
        (
            vec![
                status(Code::Unavailable, ""),
                ok(),
                status(Code::Unavailable, ""),
                Action::Delay(Duration::from_millis(700), ok().into()),
                ok(),
            ],
            &["--rate=10", "--batch-records=4", "--retry-delay=1ms"],
            10,
            20,
        ),
        (
            vec![Action::IfLargerThan(
                50,
                status(Code::OutOfRange, "message size").into(),
            )],
            &["--rate=10", "--batch-records=8", "--concurrency=2"],
            10,
            16,
        ),
    ] {
        let server = FaultServer::serving(answers);
        server.push(flags, &records(count)).exits(0);
        let traffic = server.traffic();
        let second = Duration::from_secs(1);
        for from in &traffic.attempts {
            let within = |at: Instant| at >= from.at && at < from.at + second;
            let got: usize = traffic
                .attempts
                .iter()
                .filter(|one| within(one.at))
                .map(|one| one.records.len())
                .sum();
            assert!(
                got <= limit,
                "{got} in a second, {flags:?}: {:#?}",
                traffic.attempts
            );
        }
    }
    for rate in ["0", "-1", "x", "1.5"] {
        let flag = format!("--rate={rate}");
        run_with_input(FaultServer::ok().args(&[&flag]), &records(1)).exits(2);
    }
}

#[test]
fn concurrency_limits_open_requests() {
    for concurrency in [1, 3, 9] {
        let server = FaultServer::serving([Action::NeverAnswer]);
        let concurrency_flag = format!("--concurrency={concurrency}");
        let flags = [
            &concurrency_flag,
            "--batch-records=1",
            "--retry=0",
            "--timeout=500ms",
        ];
        server
            .push(&flags, &records(20))
            .exits(68)
            .counts("unsent", 20);
        assert_eq!(server.attempt_count(), concurrency);
    }
    // Two records are at most two requests, even if more requests could be open.
    let server = FaultServer::serving([Action::NeverAnswer]);
    let flags = [
        "--concurrency=9",
        "--batch-records=1",
        "--retry=0",
        "--timeout=500ms",
    ];
    server.push(&flags, &records(2)).exits(68);
    assert_eq!(server.attempt_count(), 2);
    for concurrency in ["0", "-1", "x"] {
        let flag = format!("--concurrency={concurrency}");
        run_with_input(server.args(&[&flag]), &records(1)).exits(2);
    }
}

#[test]
fn max_time_ends_a_partial_push() {
    for (answers, exit) in [
        (vec![ok(), ok(), Action::NeverAnswer], 3),
        (
            vec![ok(), ok(), Action::Reject(Response::pushback("60000"))],
            3,
        ),
        (vec![Action::NeverAnswer], 68),
    ] {
        let started = Instant::now();
        let server = FaultServer::serving(answers);
        let (file, ledger) = (TempFile::absent("rejects.csv"), TempFile::absent("ledger"));
        let flags = [
            "--max-time=700ms",
            "--timeout=1h",
            "--batch-records=1",
            "--concurrency=1",
            "--servername=localhost",
            "--rejects",
            file.str(),
            "--ledger",
            ledger.str(),
        ];
        let run = server.push(&flags, &records(5)).exits(exit);
        assert!(started.elapsed() < Duration::from_secs(20));
        let left = read_rejects(&file.path).len() as u64;
        assert_eq!(left, 5 - run.count("acknowledged"));
        FaultServer::ok()
            .push(&flags, &records(5))
            .exits(0)
            .counts("acknowledged", left);
    }
}
