//! What a run came to, for Prometheus' node exporter
//! (<https://github.com/prometheus/node_exporter#textfile-collector>).

use std::{
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use super::Summary;
use crate::atomic_file::AtomicFile;

/// A textfile of metrics, which takes the place of the one before.
#[derive(Debug)]
pub(crate) struct Metrics {
    file: AtomicFile,
    /// When a run last succeeded, by the file before.
    last_success: Option<String>,
}

const READABLE_FOR_ALL: u32 = 0o644;
const LAST_SUCCESS: &str = "last_success_timestamp_seconds";

impl Metrics {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = AtomicFile::open(path, READABLE_FOR_ALL)?;
        // Only a regular file can have anything in it.
        let before = match fs::metadata(path) {
            Ok(kind) if kind.is_file() => fs::read_to_string(path).unwrap_or_default(),
            _ => String::new(),
        };
        let name = format!("sensor_license_{LAST_SUCCESS} ");
        let last_success = before
            .lines()
            .find_map(|line| line.strip_prefix(&name))
            .filter(|value| value.parse::<f64>().is_ok());
        Ok(Self {
            file,
            last_success: last_success.map(ToOwned::to_owned),
        })
    }

    /// Writes a run that ended now.
    pub(crate) fn write(mut self, summary: &Summary) -> io::Result<()> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let last_success = match summary.exit_code {
            0 => Some(now.to_string()),
            _ => self.last_success.take(),
        };
        let text = text(summary, now, last_success.as_deref());
        self.file.write_all(text.as_bytes())?;
        self.file.commit()
    }
}

fn text(summary: &Summary, now: u64, last_success: Option<&str>) -> String {
    let mut text = String::new();
    let mut metric = |name: &str, help: &str, samples: &[(&str, String)]| {
        if samples.is_empty() {
            return;
        }
        let _ = writeln!(text, "# HELP sensor_license_{name} {help}");
        let _ = writeln!(text, "# TYPE sensor_license_{name} gauge");
        for (label, value) in samples {
            let _ = match *label {
                "" => writeln!(text, "sensor_license_{name} {value}"),
                outcome => {
                    writeln!(
                        text,
                        "sensor_license_{name}{{outcome=\"{outcome}\"}} {value}"
                    )
                }
            };
        }
    };
    let one = |value: String| [("", value)];
    metric(
        "last_run_timestamp_seconds",
        "When the last push ended.",
        &one(now.to_string()),
    );
    let success: Vec<_> = last_success
        .iter()
        .map(|at| ("", (*at).to_owned()))
        .collect();
    metric(LAST_SUCCESS, "When a push last succeeded.", &success);
    metric(
        "exit_code",
        "The exit code of the last push.",
        &one(summary.exit_code.to_string()),
    );
    let records = &summary.records;
    metric(
        "records",
        "Records of the last push by what became of them.",
        &[
            ("invalid", records.invalid),
            ("duplicate", records.duplicate),
            ("unchanged", records.unchanged),
            ("other_shard", records.other_shard),
            ("acknowledged", records.acknowledged),
            ("rejected", records.rejected),
            ("unsent", records.unsent),
        ]
        .map(|(outcome, count)| (outcome, count.to_string())),
    );
    let requests = &summary.requests;
    metric(
        "requests",
        "Tries of requests of the last push, those of them that were further ones, and requests that failed.",
        &[
            ("sent", requests.sent),
            ("retried", requests.retried),
            ("failed", requests.failed),
        ]
        .map(|(outcome, count)| (outcome, count.to_string())),
    );
    metric(
        "duration_seconds",
        "How long the last push took.",
        &one(format!("{:.6}", summary.elapsed_seconds)),
    );
    let earliest: Vec<_> = summary
        .earliest
        .iter()
        .map(|at| ("", at.to_string()))
        .collect();
    metric(
        "earliest_expiry_timestamp_seconds",
        "The expire time that comes first in the last push's input.",
        &earliest,
    );
    text
}
