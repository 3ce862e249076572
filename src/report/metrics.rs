//! [`MetricsFile`]: the metrics of the last push, for Prometheus
//! (<https://github.com/prometheus/node_exporter#textfile-collector>).

use std::{
    fmt::{self, Write as _},
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::{metrics_label::MetricsLabel, summary::Summary};
use crate::{
    atomic_file::AtomicFile,
    diagnostics::{self, Failure},
};

/// The node exporter usually runs as a different user.
const WORLD_READABLE_MODE: u32 = 0o644;

/// The text without labels of the user is usually 2,000 bytes long.
const MAX_METRICS_BYTES: u64 = 16 << 10;

/// The text has about 20 series, and each of them has the labels of the user.
const MAX_SERIES: u64 = 64;

const LAST_SUCCESS: &str = "last_success_timestamp_seconds";

#[derive(Debug)]
pub(crate) struct MetricsFile {
    path: PathBuf,
    file: AtomicFile,
    /// The labels of the user, separated by commas.
    labels: String,
    /// In Unix seconds, from the previous metrics file.
    last_success: Option<String>,
}

impl MetricsFile {
    pub(crate) fn open(path: &Path, labels: &[MetricsLabel]) -> Result<Self, Failure> {
        let labels: Vec<_> = labels.iter().map(ToString::to_string).collect();
        let labels = labels.join(",");
        let max_bytes = MAX_METRICS_BYTES + MAX_SERIES * labels.len() as u64;
        let file = AtomicFile::open(path, WORLD_READABLE_MODE)
            .and_then(|file| file.reserve(max_bytes).map(|()| file))
            .map_err(|error| diagnostics::file_write_failed(path, &error))?;
        // A FIFO is not read, because reading would wait for a writer.
        let previous = match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => fs::read_to_string(path).unwrap_or_default(),
            _ => String::new(),
        };
        let last_success = find_last_success(&previous).map(ToOwned::to_owned);
        Ok(Self {
            path: path.to_owned(),
            file,
            labels,
            last_success,
        })
    }

    pub(crate) fn write(mut self, summary: &Summary) -> Result<(), Failure> {
        let now = Timestamp::now().as_second();
        let last_success = match summary.exit_code {
            0 => Some(now.to_string()),
            _ => self.last_success.take(),
        };
        let text = format_metrics(summary, now, last_success.as_deref(), &self.labels);
        let written = self.file.write_all(text.as_bytes());
        written
            .and_then(|()| self.file.commit())
            .map_err(|error| diagnostics::file_write_failed(&self.path, &error))
    }
}

/// Returns the time of the last success in a metrics file. The labels are ignored, because the time
/// must survive a change of `--metrics-label`.
fn find_last_success(text: &str) -> Option<&str> {
    let name = format!("sensor_license_{LAST_SUCCESS}");
    let is_series = |line: &&str| {
        let rest = line.strip_prefix(&name);
        rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
    };
    let (_, value) = text.lines().find(is_series)?.rsplit_once(' ')?;
    value.parse::<f64>().is_ok().then_some(value)
}

/// `now` is the end of the push, in Unix seconds. `labels` are added to each series.
fn format_metrics(summary: &Summary, now: i64, last_success: Option<&str>, labels: &str) -> String {
    let mut text = String::new();
    let mut add = |name: &str, help: &str, samples: &[(&str, &dyn fmt::Display)]| {
        let _ = writeln!(text, "# HELP sensor_license_{name} {help}");
        let _ = writeln!(text, "# TYPE sensor_license_{name} gauge");
        for (own_label, value) in samples {
            let labels = [own_label, labels].into_iter().filter(|it| !it.is_empty());
            let labels: Vec<_> = labels.collect();
            let labels = match labels.join(",") {
                labels if labels.is_empty() => labels,
                labels => format!("{{{labels}}}"),
            };
            let _ = writeln!(text, "sensor_license_{name}{labels} {value}");
        }
    };
    let help = "The end of the last push, in Unix seconds.";
    add("last_run_timestamp_seconds", help, &[("", &now)]);
    if let Some(time) = last_success {
        let help = "The end of the last successful push, in Unix seconds.";
        add(LAST_SUCCESS, help, &[("", &time)]);
    }
    let help = "The exit code of the last push.";
    add("exit_code", help, &[("", &summary.exit_code)]);
    let records = &summary.records;
    add(
        "records",
        "Records of the last push, by outcome.",
        &[
            (r#"outcome="invalid""#, &records.invalid),
            (r#"outcome="duplicate""#, &records.duplicate),
            (r#"outcome="unchanged""#, &records.unchanged),
            (r#"outcome="other_shard""#, &records.other_shard),
            (r#"outcome="acknowledged""#, &records.acknowledged),
            (r#"outcome="rejected""#, &records.rejected),
            (r#"outcome="unsent""#, &records.unsent),
        ],
    );
    if let Some(ledger) = summary.ledger {
        add(
            "ledger_tokens",
            "Tokens that the ledger knew for the server at the last push, by state.",
            &[
                (r#"state="known""#, &ledger.known),
                (r#"state="changed""#, &ledger.changed),
                (r#"state="missing""#, &ledger.missing),
            ],
        );
    }
    let requests = &summary.requests;
    add(
        "requests",
        "Requests of the last push: attempts (sent), retries (retried), and final failures (failed).",
        &[
            (r#"outcome="sent""#, &requests.sent),
            (r#"outcome="retried""#, &requests.retried),
            (r#"outcome="failed""#, &requests.failed),
        ],
    );
    let seconds = format!("{:.6}", summary.elapsed_seconds);
    let help = "The duration of the last push, in seconds.";
    add("duration_seconds", help, &[("", &seconds)]);
    if let Some(time) = summary.earliest_expire_time {
        let help = "The earliest expiration time in the input of the last push, in Unix seconds.";
        add("earliest_expiry_timestamp_seconds", help, &[("", &time)]);
    }
    text
}
