//! Requests that fail because the server rejects some of their records.

use tonic::Code;

use super::{FAST_RETRIES, push};

use crate::support::{
    fault_server::{
        FaultServer,
        action::{Action, http, status},
    },
    records::{ONE_RECORD, records},
};

fn reject_token(token: &'static str, message: &str) -> Action {
    Action::IfToken(token, status(Code::InvalidArgument, message).into())
}

#[test]
fn rejection_concerns_one_request_only() {
    let server = FaultServer::serving([reject_token("sensor-00003", "no such sensor")]);
    let flags = [FAST_RETRIES, &["--batch-records=2"]].concat();
    push(&server, &flags, &records(7))
        .exits(3)
        .stderr_contains("INVALID_ARGUMENT")
        .attempts(4)
        .counts("acknowledged", 5)
        .counts("rejected", 0)
        .counts("unsent", 2);
}

#[test]
fn isolate_finds_the_rejected_records() {
    let server = FaultServer::serving([reject_token("sensor-00005", "")]);
    let flags = [FAST_RETRIES, &["--isolate"]].concat();
    let isolated = push(&server, &flags, &records(8))
        .exits(3)
        .counts("acknowledged", 7)
        .counts("rejected", 1)
        .counts("unsent", 0);
    // The request is halved repeatedly, which takes fewer attempts than one attempt per record.
    assert!(isolated.traffic.attempts.len() <= 7, "{isolated}");
    assert_eq!(isolated.traffic.applied().len(), 7, "{isolated}");
    // Requests without a rejected record are not affected.
    let flags = [FAST_RETRIES, &["--isolate", "--batch-records=4"]].concat();
    let server = FaultServer::serving([reject_token("sensor-00000", "")]);
    push(&server, &flags, &records(40))
        .exits(3)
        .counts("acknowledged", 39)
        .counts("rejected", 1);
    let server = FaultServer::serving([status(Code::InvalidArgument, "none of them")]);
    push(&server, &flags, &records(4))
        .exits(67)
        .counts("rejected", 4);
}

#[test]
fn too_large_requests_are_halved() {
    const GO: &str = "grpc: received message larger than max (5 vs. 4)";
    const TONIC: &str =
        "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes";
    for (rejection, code) in [
        (status(Code::ResourceExhausted, GO), 72),
        (status(Code::OutOfRange, TONIC), 75),
        (http(413), 66),
    ] {
        let server_with_limit = |max_bytes| {
            FaultServer::serving([Action::IfLargerThan(max_bytes, rejection.clone().into())])
        };
        let halved = push(&server_with_limit(60), &["--retry=0"], &records(16))
            .exits(0)
            .counts("acknowledged", 16);
        assert_eq!(halved.traffic.applied().len(), 16, "{halved}");
        // A record that is too large even alone is rejected, and the other records are
        // acknowledged.
        let long = "x".repeat(100);
        let input = [&records(7)[..], long.as_bytes(), b",4070908800\n"].concat();
        let push_long = push(&server_with_limit(60), &["--retry=0"], &input)
            .exits(3)
            .stderr_contains("xxxx… (100 bytes)")
            .counts("acknowledged", 7)
            .counts("rejected", 1)
            .counts("unsent", 0);
        assert!(!push_long.stderr.contains(&long), "{push_long}");
        push(&server_with_limit(4), &["--retry=0"], ONE_RECORD)
            .exits(code)
            .stderr_contains("abcd… (12 bytes)")
            .attempts(1)
            .counts("rejected", 1);
    }
}

#[test]
fn default_requests_fit_into_one_mebibyte_with_their_prefix() {
    // Each record takes 128 bytes, so the messages of 8192 records would take 1 MiB.
    let rows: String = (0..8192)
        .map(|number| format!("{number:0118},4070908800\n"))
        .collect();
    let input = format!("device_token,expire_time\n{rows}");
    let limited = Action::IfLargerThan((1 << 20) - 5, http(413).into());
    let whole = push(
        &FaultServer::serving([limited]),
        &["--retry=0"],
        input.as_bytes(),
    )
    .exits(0)
    .attempts(2)
    .counts("acknowledged", 8192);
    let bytes = whole
        .traffic
        .attempts
        .iter()
        .map(|attempt| attempt.message_bytes);
    assert_eq!(bytes.sum::<usize>(), 1 << 20);
}
