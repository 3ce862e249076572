//! [`MetricsFile`]: the metrics of the last push, in a file for Prometheus. The textfile collector
//! of the node exporter reads the file
//! (<https://github.com/prometheus/node_exporter#textfile-collector>).

use std::{
    fmt::{self, Write as _},
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::summary::{RecordCounts, RequestCounts, Summary};
use crate::{
    atomic_file::AtomicFile,
    diagnostics::{self, Failure},
};

/// The permission bits of the metrics file. All users may read the file, because the node exporter
/// usually runs as a different user.
const WORLD_READABLE_MODE: u32 = 0o644;

const LAST_SUCCESS: &str = "last_success_timestamp_seconds";

/// The metrics file of this push, which replaces the metrics file of the previous push.
#[derive(Debug)]
pub(crate) struct MetricsFile {
    path: PathBuf,
    file: AtomicFile,
    /// The time of the last successful push, in Unix seconds, from the previous metrics file.
    /// `None` if that file does not exist or has no such time.
    last_success: Option<String>,
}

impl MetricsFile {
    /// Opens a new metrics file, and reads the time of the last successful push from the previous
    /// file.
    ///
    /// # Errors
    ///
    /// The file or its directory cannot be written.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let file = AtomicFile::open(path, WORLD_READABLE_MODE)
            .map_err(|error| diagnostics::file_write_failed(path, &error))?;
        // Only a regular file can contain previous metrics. A pipe is not read, because reading
        // would wait for a writer.
        let previous = match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => fs::read_to_string(path).unwrap_or_default(),
            _ => String::new(),
        };
        let prefix = format!("sensor_license_{LAST_SUCCESS} ");
        let last_success = previous
            .lines()
            .find_map(|line| line.strip_prefix(&prefix))
            .filter(|value| value.parse::<f64>().is_ok());
        Ok(Self {
            path: path.to_owned(),
            file,
            last_success: last_success.map(ToOwned::to_owned),
        })
    }

    /// Writes the metrics of a push that has just ended, and replaces the previous metrics file.
    ///
    /// # Errors
    ///
    /// The file cannot be written or replaced.
    pub(crate) fn write(mut self, summary: &Summary) -> Result<(), Failure> {
        let now = Timestamp::now().as_second();
        let last_success = match summary.exit_code {
            0 => Some(now.to_string()),
            _ => self.last_success.take(),
        };
        let text = format_metrics(summary, now, last_success.as_deref());
        let written = self.file.write_all(text.as_bytes());
        written
            .and_then(|()| self.file.commit())
            .map_err(|error| diagnostics::file_write_failed(&self.path, &error))
    }
}

/// Formats the metrics of a push. `now` is the end of the push, in Unix seconds.
fn format_metrics(summary: &Summary, now: i64, last_success: Option<&str>) -> String {
    let mut text = String::new();
    write_gauge(
        &mut text,
        "last_run_timestamp_seconds",
        "When the last push ended.",
        now,
    );
    if let Some(time) = last_success {
        write_gauge(&mut text, LAST_SUCCESS, "When a push last succeeded.", time);
    }
    write_gauge(
        &mut text,
        "exit_code",
        "The exit code of the last push.",
        summary.exit_code,
    );
    write_records(&mut text, &summary.records);
    write_requests(&mut text, &summary.requests);
    write_gauge(
        &mut text,
        "duration_seconds",
        "How long the last push took.",
        format_args!("{:.6}", summary.elapsed_seconds),
    );
    if let Some(time) = summary.earliest_expire_time {
        write_gauge(
            &mut text,
            "earliest_expiry_timestamp_seconds",
            "The expire time that comes first in the last push's input.",
            time,
        );
    }
    text
}

/// Writes a metric with one value.
fn write_gauge(text: &mut String, name: &str, help: &str, value: impl fmt::Display) {
    write_metric_header(text, name, help);
    let _ = writeln!(text, "sensor_license_{name} {value}");
}

fn write_records(text: &mut String, records: &RecordCounts) {
    let name = "records";
    let help = "Records of the last push by what became of them.";
    write_metric_header(text, name, help);
    write_outcome(text, name, "invalid", records.invalid);
    write_outcome(text, name, "duplicate", records.duplicate);
    write_outcome(text, name, "unchanged", records.unchanged);
    write_outcome(text, name, "other_shard", records.other_shard);
    write_outcome(text, name, "acknowledged", records.acknowledged);
    write_outcome(text, name, "rejected", records.rejected);
    write_outcome(text, name, "unsent", records.unsent);
}

fn write_requests(text: &mut String, requests: &RequestCounts) {
    let name = "requests";
    let help = "Tries of requests of the last push, those of them that were further ones, and requests that failed.";
    write_metric_header(text, name, help);
    write_outcome(text, name, "sent", requests.sent);
    write_outcome(text, name, "retried", requests.retried);
    write_outcome(text, name, "failed", requests.failed);
}

/// Writes the count of one outcome, which is a value of the label `outcome` of the metric.
fn write_outcome(text: &mut String, name: &str, outcome: &str, count: u64) {
    let _ = writeln!(
        text,
        "sensor_license_{name}{{outcome=\"{outcome}\"}} {count}"
    );
}

fn write_metric_header(text: &mut String, name: &str, help: &str) {
    let _ = writeln!(text, "# HELP sensor_license_{name} {help}");
    let _ = writeln!(text, "# TYPE sensor_license_{name} gauge");
}
