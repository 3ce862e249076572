//! `--metrics-file`: Prometheus metrics of a run.

use std::{collections::BTreeSet, fs};

use rustix::process::Signal;
use tonic::Code;

use crate::support::{
    fault_server::{
        FaultServer,
        action::{Action, code, http, ok, status},
    },
    files::TempFile,
    program::{end_with_second_signal, run_with_input, send_signal, start},
    records::records,
    tcp_server::ClosedPort,
};

/// Returns the name (with labels) and the value of each sample.
fn samples(text: &str) -> Vec<(String, f64)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            (name.to_owned(), value.parse().expect("a number"))
        })
        .collect()
}

fn sample(text: &str, name: &str) -> Option<f64> {
    let name = format!("sensor_license_{name}");
    let samples = samples(text);
    samples.iter().find(|one| one.0 == name).map(|one| one.1)
}

fn unix_now() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("after 1970").as_secs_f64()
}

/// Asserts that a sample has this value. A small difference is allowed, because both numbers were
/// rounded to decimals.
#[track_caller]
fn assert_close(found: Option<f64>, expected: &serde_json::Value) {
    let found = found.expect("a sample");
    let expected = expected.as_f64().expect("a number");
    assert!((found - expected).abs() < 1e-6, "{found} {expected}");
}

/// Asserts that the metrics have the counts of the summary.
#[track_caller]
fn assert_same_counts(text: &str, json: &serde_json::Value) {
    for key in [
        "invalid",
        "duplicate",
        "unchanged",
        "other_shard",
        "acknowledged",
        "rejected",
        "unsent",
    ] {
        let found = sample(text, &format!("records{{outcome=\"{key}\"}}"));
        assert_close(found, &json["records"][key]);
    }
    for key in ["sent", "retried", "failed"] {
        let found = sample(text, &format!("requests{{outcome=\"{key}\"}}"));
        assert_close(found, &json["requests"][key]);
    }
    assert_close(sample(text, "exit_code"), &json["exit_code"]);
    assert_close(sample(text, "duration_seconds"), &json["elapsed_seconds"]);
}

/// Asserts that no metric has two types, that all types are gauges, and that the metric of each
/// sample has a type or a help text.
#[track_caller]
fn assert_is_textfile(text: &str) {
    let mut typed = BTreeSet::new();
    for line in text.lines() {
        let line = line.strip_prefix("# HELP ").unwrap_or(line);
        if let Some(line) = line.strip_prefix("# TYPE ") {
            let name = line.strip_suffix(" gauge").expect("a gauge").to_owned();
            assert!(typed.insert(name), "{text}");
        } else {
            assert!(line.starts_with("sensor_license_"), "{text}");
            let name = line.split(['{', ' ']).next().expect("a name");
            let known = typed.contains(name) || text.contains(&format!("# HELP {name} "));
            assert!(known, "{line}");
        }
    }
    assert!(text.ends_with('\n'));
}

/// Returns the arguments of a push. The options in `flags` must name the server.
fn without_server(flags: &[&str]) -> Vec<String> {
    let args = [&["push", "--output=json"], flags].concat();
    args.into_iter().map(str::to_owned).collect()
}

#[test]
fn metrics_equal_the_summary() {
    let file = TempFile::absent("push.prom");
    let closed = ClosedPort::new();
    let input = [&records(5)[..], b"other,1000000000\nother,1000000000\n"].concat();
    let partial = [ok(), code(5), status(Code::Unavailable, ""), ok()];
    let mut last_success = None;
    for (name, server, flags, input, exit) in [
        (
            "invalid input",
            Some(FaultServer::ok()),
            &[][..],
            &b"token,expire_time\na,b\n"[..],
            4,
        ),
        (
            "unreachable server",
            None,
            &["-k", "--retry=0", "--server", &closed.address],
            &input,
            5,
        ),
        (
            "success",
            Some(FaultServer::ok()),
            &["--batch-records=2"],
            &input,
            0,
        ),
        (
            "partial success",
            Some(FaultServer::serving(partial)),
            &["--batch-records=1", "--concurrency=1", "--retry-delay=1ms"],
            &input,
            3,
        ),
        (
            "rejected code",
            Some(FaultServer::serving([code(5)])),
            &[],
            &input,
            7,
        ),
        (
            "HTTP 401",
            Some(FaultServer::serving([http(401)])),
            &[],
            &input,
            80,
        ),
        (
            "one shard",
            Some(FaultServer::ok()),
            &["--shard=1/2"],
            &input,
            0,
        ),
        (
            "--refuse-past",
            Some(FaultServer::ok()),
            &["--refuse-past"],
            &input,
            4,
        ),
        (
            "missing CA file",
            None,
            &["--cacert=/nowhere", "--server=localhost:1"],
            &input,
            2,
        ),
        ("empty input", Some(FaultServer::ok()), &[], b"", 0),
    ] {
        let flags = [flags, &["--metrics-file", file.str()]].concat();
        let before = unix_now().floor();
        let args = server
            .as_ref()
            .map_or_else(|| without_server(&flags), |server| server.args(&flags));
        let run = run_with_input(args, input).exits(exit).counts_add_up();
        let text = file.read();
        assert_same_counts(&text, &run.json());
        let at = sample(&text, "last_run_timestamp_seconds").expect("a time");
        assert!((before..=unix_now()).contains(&at), "{name}: {text}");
        if exit == 0 {
            last_success = Some(at);
        }
        let success = sample(&text, "last_success_timestamp_seconds");
        assert_eq!(success, last_success, "{name}: {text}");
        let earliest = sample(&text, "earliest_expiry_timestamp_seconds");
        let expected = (input.len() > 30 && exit != 2).then_some(1e9);
        if name != "--refuse-past" {
            assert_eq!(earliest, expected, "{name}: {text}");
        }
        assert_eq!(file.mode(), 0o644, "{name}");
        assert_is_textfile(&text);
        assert!(!text.contains("sensor-0"), "{text}");
    }
    file.is_alone();
}

#[test]
fn metrics_are_replaced_atomically() {
    let file = TempFile::absent("push.prom");
    file.write("sensor_license_last_success_timestamp_seconds 12.5\nold\n");
    // The file keeps the old metrics while the push runs.
    let server = FaultServer::serving([Action::NeverAnswer]);
    let mut child = start(
        server.args(&["--metrics-file", file.str(), "--timeout=1h"]),
        &records(1),
    );
    server.wait_for_attempts(1);
    assert!(file.read().ends_with("old\n"));
    let reader = fs::File::open(&file.path).expect("there");
    send_signal(&child, Signal::INT);
    end_with_second_signal(&mut child, Signal::TERM);
    // A push that a second signal ends writes no metrics.
    assert!(file.read().ends_with("old\n"));
    FaultServer::serving([code(5)])
        .push(&["--metrics-file", file.str()], &records(1))
        .exits(7);
    assert_eq!(
        sample(&file.read(), "last_success_timestamp_seconds"),
        Some(12.5)
    );
    assert!(!file.read().contains("old"));
    let old = std::io::read_to_string(reader).expect("text");
    assert!(
        old.ends_with("old\n"),
        "who reads it has the old ones: {old}"
    );
    // A push drops the old time of the last success if that time is invalid.
    file.write("sensor_license_last_success_timestamp_seconds soon\n");
    FaultServer::serving([code(5)])
        .push(&["--metrics-file", file.str()], &records(1))
        .exits(7);
    assert_eq!(sample(&file.read(), "last_success_timestamp_seconds"), None);
}
