//! The delay before a retry, and free retries. A *free* retry does not wait for the backoff, and
//! does not count for `--retry`.

use std::time::{Duration, Instant};

use tonic::Code;

use super::{FAST_RETRIES, ONE_BY_ONE, push, push_one_record};

use crate::support::{
    fault_server::{
        Connection,
        Connection::Serve,
        FaultServer,
        action::{Action, Response, ok, ok_after, status, times},
    },
    records::{ONE_RECORD, records},
};

/// Options that allow only free retries. If a free retry waited for the backoff, its test would
/// fail.
const FREE_RETRIES_ONLY: &[&str] = &["--retry=0", "--retry-delay=60s", "--retry-max-delay=60s"];

/// The error codes of GOAWAY for which a request that was not processed is retried at once.
const GOAWAY_REASONS: [h2::Reason; 3] = [
    h2::Reason::NO_ERROR,
    h2::Reason::INTERNAL_ERROR,
    h2::Reason::PROTOCOL_ERROR,
];

/// The number of free retries of one request.
const MAX_FREE_RETRIES: usize = 10;

/// Options with a backoff that is too long for a test. A test fails if a retry waits for the
/// backoff.
const LONG_DELAYS: &[&str] = &["--retry=2", "--retry-delay=60s", "--retry-max-delay=60s"];

#[test]
fn server_retry_delay_replaces_backoff() {
    let delay = Duration::from_millis(1500);
    for response in [
        Response::pushback("1500"),
        Response::retry_info(delay),
        Response::retry_after(429, "2"),
        Response::retry_after(503, "2"),
    ] {
        let server = FaultServer::serving([Action::Reject(response.clone()), ok()]);
        let push = push_one_record(&server, &[]).exits(0).attempts(2);
        let gap = push.traffic.gap_after(0);
        // The backoff is not added to the server's delay, and `--retry-max-delay` does not limit
        // that delay.
        assert!(gap >= delay && gap < 4 * delay, "{response:?}: {push}");
    }
}

#[test]
fn retries_at_once_after_a_delay_of_zero_or_less() {
    for response in [
        Response::pushback("0"),
        Response::retry_after(503, "0"),
        Response::raw_retry_info(0, 0),
        Response::raw_retry_info(-1, 0),
        Response::raw_retry_info(-1, 1_000),
        Response::raw_retry_info(0, i32::MIN),
        Response::raw_retry_info(i64::MIN, 0),
        Response::raw_retry_info(i64::MIN, -1),
        Response::raw_retry_info(i64::MIN + 1, i32::MIN),
    ] {
        let server = FaultServer::serving([Action::Reject(response.clone()), ok()]);
        let push = push(&server, LONG_DELAYS, ONE_RECORD).exits(0).attempts(2);
        let gap = push.traffic.gap_after(0);
        assert!(gap < Duration::from_secs(20), "{response:?}: {push}");
    }
}

#[test]
fn does_not_retry_if_the_server_forbids_it_or_asks_for_a_long_delay() {
    let not_a_number = "not retried: grpc-retry-pushback-ms is not a number";
    let too_long = "more than the maximum of 10 minutes";
    for (response, reason) in [
        (Response::pushback("-1"), "server asks not to retry"),
        (Response::pushback("600001"), "after 600.001s, more than"),
        (Response::pushback("4233600000"), too_long),
        (Response::pushback("18446744073709551615"), not_a_number),
        (Response::pushback("soon"), not_a_number),
        (Response::pushback("300.5"), not_a_number),
        (Response::pushback(""), not_a_number),
        (Response::retry_info(Duration::from_secs(601)), too_long),
        (Response::raw_retry_info(600, 1), "after 600.000000001s,"),
        (Response::raw_retry_info(i64::MAX, i32::MAX), too_long),
        (Response::retry_after(503, "601"), "after 601s, more than"),
        (Response::retry_after(429, "18446744073709551615"), too_long),
    ] {
        let server = FaultServer::serving([Action::Reject(response.clone()), ok()]);
        let push = push_one_record(&server, &[])
            .exits(78)
            .attempts(1)
            .counts("unsent", 1);
        assert!(push.stderr.contains(reason), "{response:?}: {push}");
    }
}

#[test]
fn retries_with_the_usual_backoff_if_retry_after_is_no_number() {
    for value in [
        "Wed, 21 Oct 2026 07:28:00 GMT",
        "-1",
        "1.5",
        "",
        "99999999999999999999",
    ] {
        let response = Response::retry_after(503, value);
        let server = FaultServer::serving([Action::Reject(response), ok()]);
        push_one_record(&server, &[]).exits(0).attempts(2);
    }
}

#[test]
fn refused_streams_are_retried_for_free() {
    let refused = Action::ResetStream(h2::Reason::REFUSED_STREAM);
    for (refusals, exit) in [(1, 0), (10, 0), (11, 78)] {
        let server = FaultServer::serving(times(refusals, &refused));
        let push = push(&server, FREE_RETRIES_ONLY, ONE_RECORD).exits(exit);
        let attempts = refusals.min(MAX_FREE_RETRIES) + 1;
        assert_eq!(push.traffic.attempts.len(), attempts, "{push}");
    }
    // Attempts after the last free retry count as ordinary retries.
    let flags = [FAST_RETRIES, &["--concurrency=1"]].concat();
    let server = FaultServer::serving(times(MAX_FREE_RETRIES + 2, &refused));
    push(&server, &flags, ONE_RECORD).exits(0);
    let server = FaultServer::serving([refused]);
    let push = push(&server, &flags, ONE_RECORD).exits(78);
    let attempts = push.traffic.attempts.len();
    assert_eq!(attempts, 1 + MAX_FREE_RETRIES + 2, "{push}");
}

#[test]
fn requests_before_a_goaway_are_retried_for_free() {
    let started = Instant::now();
    // GOAWAY frames that replace SETTINGS: `short` has no debug data, and `long` has some.
    let short: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut long = vec![b'd'; 9 + 16384];
    long[..17].copy_from_slice(&[0, 64, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let no_settings = [short, long.leak()].map(Connection::SendAfterTls);
    let before_request = GOAWAY_REASONS.map(Connection::Goaway);
    let at_request = GOAWAY_REASONS.map(|reason| Serve(vec![Action::GoawayBefore(reason)]));
    for fault in before_request
        .into_iter()
        .chain(at_request)
        .chain(no_settings)
    {
        let server = FaultServer::start([fault.clone(), fault, Serve(vec![ok()])]);
        push(&server, FREE_RETRIES_ONLY, ONE_RECORD)
            .exits(0)
            .connections(3);
    }
    for reason in GOAWAY_REASONS {
        // The server sends GOAWAY after each response.
        let server = FaultServer::serving([Action::GoawayAfter(reason, ok().into())]);
        let flags = [FREE_RETRIES_ONLY, ONE_BY_ONE].concat();
        let push = push(&server, &flags, &records(5)).exits(0).connections(5);
        assert_eq!(push.traffic.applied().len(), 5, "{push}");
    }
    assert!(started.elapsed() < Duration::from_secs(50));
}

#[test]
fn goaways_do_not_count_while_other_requests_are_acknowledged() {
    // Each connection serves one request, as with `keepalive_timeout 0` in nginx, so the last
    // request is sent on its 100th connection at the earliest.
    let goaway = Action::GoawayBefore(h2::Reason::NO_ERROR);
    let server = FaultServer::start([Serve(vec![ok(), goaway])]);
    let flags = ["--batch-records=1", "--concurrency=100"];
    let flags = [FREE_RETRIES_ONLY, &flags].concat();
    let push = push(&server, &flags, &records(100))
        .exits(0)
        .connections(100);
    assert_eq!(push.traffic.applied().len(), 100, "{push}");
}

#[test]
fn graceful_goaway_loses_and_repeats_no_request() {
    let later = ok_after(Duration::from_millis(200));
    let leaving = Action::GracefulGoaway(later.clone().into());
    let server = FaultServer::start([Serve(vec![leaving, later]), Serve(vec![ok()])]);
    let flags = ["--batch-records=1", "--concurrency=4"];
    let flags = [FREE_RETRIES_ONLY, &flags].concat();
    let push = push(&server, &flags, &records(12)).exits(0).connections(2);
    assert_eq!(push.traffic.attempts.len(), 12, "{push}");
    assert_eq!(push.traffic.applied().len(), 12, "{push}");
}

#[test]
fn many_responses_at_once_do_not_end_the_connection() {
    for concurrency in [16, 1000] {
        let together = Action::WhenOpen(concurrency, ok().into());
        let server = FaultServer::serving([together]);
        let concurrency_flag = format!("--concurrency={concurrency}");
        let flags = ["--batch-records=1", "--retry=0", &concurrency_flag];
        push(&server, &flags, &records(concurrency))
            .exits(0)
            .connections(1)
            .attempts(concurrency);
    }
}

/// The number of empty DATA frames after which the HTTP/2 library ends a connection.
const MAX_EMPTY_FRAMES: usize = 100;

#[test]
fn limit_of_empty_frames_costs_connections_and_no_retries() {
    for (empty_frames, records_count, connections) in [
        (1, MAX_EMPTY_FRAMES, 1),
        (1, 2 * MAX_EMPTY_FRAMES + 50, 3),
        (MAX_EMPTY_FRAMES, 3, 3),
    ] {
        let response = Response::code(0).with_empty_frames(empty_frames);
        let server = FaultServer::serving([Action::Apply(response)]);
        let flags = [FREE_RETRIES_ONLY, ONE_BY_ONE].concat();
        push(&server, &flags, &records(records_count))
            .exits(0)
            .connections(connections)
            .attempts(records_count + connections - 1);
    }
    let response = Response::code(0).with_empty_frames(1);
    let server = FaultServer::serving([Action::Apply(response)]);
    let flags = [FREE_RETRIES_ONLY, &["--batch-records=1"]].concat();
    push(&server, &flags, &records(500)).exits(0);
    // No connection can carry this response.
    let response = Response::code(0).with_empty_frames(MAX_EMPTY_FRAMES + 1);
    let server = FaultServer::serving([Action::Apply(response)]);
    push(&server, FREE_RETRIES_ONLY, ONE_RECORD)
        .exits(78)
        .attempts(1 + MAX_FREE_RETRIES)
        .stderr_contains("too many small HTTP/2 frames")
        .stderr_contains("outcome unknown for 1 record");
}

#[test]
fn final_failure_lets_open_requests_finish() {
    let later = ok_after(Duration::from_millis(700));
    let denied = status(Code::PermissionDenied, "");
    let server = FaultServer::serving([later, denied, ok()]);
    let flags = [FAST_RETRIES, &["--batch-records=1", "--concurrency=2"]].concat();
    push(&server, &flags, &records(8))
        .exits(3)
        .stderr_contains("PERMISSION_DENIED")
        .attempts(2)
        .counts("acknowledged", 1)
        .counts("unsent", 7);
}
