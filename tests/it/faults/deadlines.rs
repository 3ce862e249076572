//! `--timeout` limits the time of an attempt, and `--max-time` the time of the whole run.

use std::time::{Duration, Instant};

use super::{FAST_RETRIES, MAX_ATTEMPTS, push};

use crate::support::{
    fault_server::{
        Connection,
        Connection::Serve,
        FaultServer,
        action::{Action, Response, ok_after},
    },
    receiver::Receiver,
    records::{ONE_RECORD, records},
};

#[test]
fn timeout_ends_requests_without_a_response() {
    // This input exceeds the HTTP/2 flow-control windows, so a server that never reads stops the
    // client in the middle of the request.
    let large = records(20_000);
    let flags = ["--timeout=300ms", "--batch-records=20000"];
    let flags = [FAST_RETRIES, &flags].concat();
    for (action, input) in [
        (Action::NeverAnswer, ONE_RECORD),
        (Action::NeverRead, &large),
        (ok_after(Duration::from_secs(60)), ONE_RECORD),
    ] {
        let started = Instant::now();
        let server = FaultServer::serving([action.clone()]);
        let push = push(&server, &flags, input).exits(68);
        assert_eq!(push.count("unsent"), push.count("read"));
        let sent = push.request_count("sent");
        assert_eq!(sent, MAX_ATTEMPTS as u64, "{action:?}");
        let shortest = Duration::from_millis(300) * 3;
        assert!(started.elapsed() >= shortest, "{action:?}");
        assert!(started.elapsed() < Duration::from_secs(20), "{action:?}");
    }
    let receiver = Receiver::with(["--delay=30s"]);
    let started = Instant::now();
    receiver
        .push_input(["--timeout=300ms", "--retry=0"], ONE_RECORD)
        .exits(68)
        .stderr_contains("--timeout");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn timeout_starts_when_the_server_allows_a_stream() {
    // All requests together take longer than `--timeout` allows for one attempt.
    let actions = vec![ok_after(Duration::from_millis(400))];
    let server = FaultServer::start([Connection::ServeOneByOne(actions)]);
    let flags = ["--batch-records=1", "--timeout=1s", "--retry=0"];
    push(&server, &flags, &records(6)).exits(0).attempts(6);
}

#[test]
fn max_time_ends_the_run() {
    let pushback = Action::Reject(Response::pushback("60000"));
    for (script, exit) in [
        (Serve(vec![Action::NeverAnswer]), 68),
        (Serve(vec![pushback]), 78),
        (Connection::Silent, 5),
    ] {
        let started = Instant::now();
        let server = FaultServer::start([script]);
        let flags = ["--max-time=500ms", "--timeout=60s", "--connect-timeout=60s"];
        push(&server, &flags, ONE_RECORD)
            .exits(exit)
            .counts("unsent", 1);
        assert!(started.elapsed() < Duration::from_secs(20));
    }
}
