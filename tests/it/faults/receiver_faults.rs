//! Faults that options of the reference receiver cause: `--code`, `--fail-first`, `--delay`,
//! `--max-message-size`.

use serde_json::json;

use crate::support::{
    program::{push_to, run_with_input},
    receiver::Receiver,
    records::ONE_RECORD,
};

#[test]
fn ok_code_replaces_code_0() {
    let receiver = Receiver::with(["--code=42"]);
    let run = receiver
        .push_input(["--output=json"], ONE_RECORD)
        .exits(7)
        .stderr_contains("code 42")
        .stderr_contains("--ok-code")
        .counts("rejected", 1)
        .counts_requests("failed", 1);
    assert_eq!(run.json()["codes"]["42"], 1);
    receiver
        .push_input(["--ok-code=1", "--ok-code=42"], ONE_RECORD)
        .exits(0);
    let receiver = Receiver::with(["--code=-1"]);
    receiver
        .push_input(["-"], ONE_RECORD)
        .exits(7)
        .stderr_contains("code -1");
    receiver.push_input(["--ok-code=-1"], ONE_RECORD).exits(0);
    let receiver = Receiver::start();
    receiver
        .push_input(["--ok-code=1", "--ok-code=-2"], ONE_RECORD)
        .exits(7)
        .stderr_contains(
            "hint: pass --ok-code 1 --ok-code -2 --ok-code 0 if code 0 means success as well\n",
        );
    receiver
        .push_input(
            ["--ok-code", "1", "--ok-code", "-2", "--ok-code", "0"],
            ONE_RECORD,
        )
        .exits(0);
}

#[test]
fn reports_grpc_status() {
    let receiver = Receiver::with(["--fail-first=1"]);
    let run = receiver
        .push_input(["--output=json", "--retry=0"], ONE_RECORD)
        .exits(78)
        .stderr_contains("UNAVAILABLE")
        .counts("unsent", 1);
    assert_eq!(run.json()["error"]["kind"], "rpc");
    assert_eq!(run.json()["codes"], json!({}));
    receiver.push_input(["-"], ONE_RECORD).exits(0);
}

#[test]
fn reports_too_large_record() {
    Receiver::with(["--max-message-size=8"])
        .push_input(["-"], ONE_RECORD)
        .exits(75)
        .stderr_contains("OUT_OF_RANGE")
        .stderr_contains("accept larger messages");
}

#[test]
fn partial_success_has_its_own_status() {
    let receiver = Receiver::with(["--max-message-size=40"]);
    let long = "x".repeat(100);
    let input = format!("token,expire_time\na,1000000001\n{long},1000000002\nb,1000000003\n");
    let run = receiver
        .push_input(["--batch-records=1", "--output=json"], input.as_bytes())
        .exits(3)
        .stderr_contains("2 of 3 records acknowledged")
        .stderr_contains("caused by: standard input:3: xxxx")
        .counts("acknowledged", 2)
        .counts("rejected", 1);
    assert_eq!(run.json()["status"], "partial");
    assert_eq!(receiver.stop().rows, b"a,1000000001\nb,1000000003\n");
}

#[test]
fn every_summary_conforms_to_its_schema() {
    let schema = include_str!("../../../docs/summary.schema.json");
    let schema = serde_json::from_str(schema).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let receiver = Receiver::with(["--fail-first=1"]);
    let invalid = b"token,expire_time\na,x\nb,1000000001\nb,1000000001\n";
    for run in [
        receiver.push_input(["--output=json"], ONE_RECORD),
        receiver.push_input(["--output=json"], ONE_RECORD),
        receiver.push_input(["--output=json"], invalid),
        receiver.push_input(["--output=json", "--cacert=/nowhere"], ONE_RECORD),
        push_to(
            "localhost:1",
            &["--retry=0", "-k", "--output=json"],
            ONE_RECORD,
        ),
        run_with_input(["check", "--output=json"], ONE_RECORD),
        run_with_input(["check", "--output=json"], invalid),
        run_with_input(
            ["check", "--output=json", "--list-expiring=36500d"],
            ONE_RECORD,
        ),
    ] {
        let summary = run.json();
        assert!(schema.is_valid(&summary), "{summary}");
        run.counts_add_up();
    }
}
