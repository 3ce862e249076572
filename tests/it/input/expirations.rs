//! The chart and the list of license expirations.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::{
    files::TempFile,
    program::{run, run_with_input},
};

fn unix_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

#[test]
fn check_charts_expirations() {
    const PAST: u64 = 1_000_000_000;
    let day = 86_400;
    let now = unix_now();
    // Each future time is at least a minute after a limit of the chart, so the duration of the test
    // does not change the counts.
    let times = [
        PAST,
        now + 60,
        now + 8 * day,
        now + 31 * day,
        now + 91 * day,
        now + 366 * day,
        PAST,
    ];
    let rows: String = (0..)
        .zip(times)
        .map(|(number, time)| format!("t{number},{time}\n"))
        .collect();
    let path = TempFile::new("a.csv", format!("token,expire_time\n{rows}t0,{PAST}\n"));
    let expiry = run(["check", path.str(), "--output=json"]).exits(0).json()["expiry"].clone();
    assert_eq!(
        expiry,
        serde_json::json!({
            "past": 2, "within_7_days": 1, "within_30_days": 1, "within_90_days": 1,
            "within_365_days": 1, "later": 1, "earliest": PAST, "latest": now + 366 * day,
        })
    );
    let text = run(["check", path.str()]).exits(0).stdout;
    for line in [
        "expired                      2 ████████████████████████████████████████\n",
        "in less than 7 days          1 ████████████████████\n",
        "earliest expiration 2001-09-09T01:46:40Z, latest ",
    ] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn check_lists_expiring_records() {
    let now = unix_now();
    let in_days = |days: u64| now + days * 86_400 + 600;
    let times = [in_days(29), now - 60, in_days(30), in_days(0), in_days(400)];
    let rows: String = (0..)
        .zip(times)
        .map(|(number, time)| format!("\nsensor-0000{number},{time}\n"))
        .collect();
    let csv = TempFile::new("b.csv", format!("token,expire_time\n{rows}"));
    let json = TempFile::new(
        "a.json",
        format!(
            "[{{\"token\":\"c2Vuc29yLTAwMDA1\",\n\"expire_time\":{0}}},\n{{\"token\":\"c2Vuc29yLTAwMDA1\",\"expire_time\":{0}}}]",
            in_days(1)
        ),
    );
    let files = ["check", csv.str(), json.str(), "--list-expiring"];
    let timestamp = |time: u64| {
        let time = i64::try_from(time).expect("in range");
        jiff::Timestamp::from_second(time)
            .expect("in range")
            .to_string()
    };
    let line = |file: &TempFile, line: u64, bytes: &str, time: u64| {
        format!(
            "{}:{line}: {bytes} expires {}\n",
            file.str(),
            timestamp(time)
        )
    };
    let first = line(&csv, 3, "sens… (12 bytes)", in_days(29));
    let today = line(&csv, 9, "sens… (12 bytes)", in_days(0));
    // The exact duplicate is left out.
    let last = line(&json, 1, "c2Vu… (16 bytes)", in_days(1));
    for (period, lines) in [
        ("30d", [&*first, &today, &last].concat()),
        ("720h", [&*first, &today, &last].concat()),
        ("1d", today.clone()),
        ("1m", String::new()),
        ("0", String::new()),
    ] {
        let run = run([&files[..], &[period]].concat()).exits(0);
        let (_, listed) = run.stdout.split_once("\nearliest ").expect("a chart");
        let (_, listed) = listed.split_once('\n').expect("a line");
        assert_eq!(listed, lines, "{period}");
    }
    let summary = run([&files[..], &["30d", "--output=json"]].concat())
        .exits(0)
        .json();
    let entry = |file: &TempFile, record: u64, line: u64, time: u64| {
        serde_json::json!({
            "file": file.str(), "record": record, "line": line, "expire_time": time,
        })
    };
    assert_eq!(
        summary["expiring"],
        serde_json::json!([
            entry(&csv, 1, 3, in_days(29)),
            entry(&csv, 4, 9, in_days(0)),
            entry(&json, 1, 1, in_days(1)),
        ])
    );
    let without = run(["check", csv.str(), "--output=json"]).exits(0).json();
    assert_eq!(without.get("expiring"), None);
    for input in ["", "token,expire_time\n"] {
        let empty = run_with_input(
            ["check", "--list-expiring=30d", "--output=json"],
            input.as_bytes(),
        );
        assert_eq!(empty.exits(0).json()["expiring"], serde_json::json!([]));
    }
    // A pipe is read only once.
    let piped = std::fs::read(&csv.path).expect("read");
    let run = run_with_input(["check", "--list-expiring=30d"], &piped).exits(0);
    assert!(
        run.stdout
            .contains("standard input:3: sens… (12 bytes) expires"),
        "{run:#?}"
    );
    let invalid = b"token,expire_time\na,soon\nb,2099-01-01\n";
    let refused = run_with_input(
        ["check", "--list-expiring=99999d", "--output=json"],
        invalid,
    );
    refused.exits(2);
    let refused = run_with_input(
        ["check", "--list-expiring=30000d", "--output=json"],
        invalid,
    );
    assert_eq!(refused.exits(4).json().get("expiring"), None);
}

#[test]
fn quiet_check_prints_no_list() {
    let input = format!("token,expire_time\nsensor-00001,{}\n", unix_now() + 3600);
    let quiet = run_with_input(["check", "-q", "--list-expiring=30d"], input.as_bytes()).exits(0);
    assert_eq!(quiet.output(), "");
}
