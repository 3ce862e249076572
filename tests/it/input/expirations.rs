//! The chart of license expirations.

use crate::support::{files::TempFile, program::run};

#[test]
fn check_charts_expirations() {
    let day = 86_400;
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    // Each future time is at least a minute after a limit of the chart, so the duration of the test
    // does not change the counts.
    let times = [
        1,
        now + 60,
        now + 8 * day,
        now + 31 * day,
        now + 91 * day,
        now + 366 * day,
        1,
    ];
    let rows: String = (0..)
        .zip(times)
        .map(|(number, time)| format!("t{number},{time}\n"))
        .collect();
    let path = TempFile::new("a.csv", format!("token,expire_time\n{rows}t0,1\n"));
    let expiry = run(["check", path.str(), "--output=json"]).exits(0).json()["expiry"].clone();
    assert_eq!(
        expiry,
        serde_json::json!({
            "past": 2, "within_7_days": 1, "within_30_days": 1, "within_90_days": 1,
            "within_365_days": 1, "later": 1, "earliest": 1, "latest": now + 366 * day,
        })
    );
    let text = run(["check", path.str()]).exits(0).stdout;
    for line in [
        "already past            2 ████████████████████████████████████████\n",
        "within 7 days           1 ████████████████████\n",
        "earliest 1970-01-01T00:00:01Z, latest ",
    ] {
        assert!(text.contains(line), "{text}");
    }
}
