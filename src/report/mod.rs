//! What a run came to: counts that add up, as a line or as JSON.

mod expiry;
mod ledger;
mod metrics;
mod probe;

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use serde::Serialize;

pub(crate) use expiry::ExpiryReport;
pub(crate) use ledger::{ForgottenReport, LedgerReport};
pub(crate) use metrics::Metrics;
pub(crate) use probe::{ProbeReport, way};

use crate::{
    delivery::DeliveryOutcome,
    diagnostics::{self, EXIT_WOULD_SEND, Failure, FailureKind, escape},
    input::{DetectedFormat, ValidatedInput},
    record::ExpireTime,
};

/// Returns a sentence on the format that was detected for an input.
pub(crate) fn describe_format(name: &str, format: &DetectedFormat) -> String {
    let format = match format {
        DetectedFormat::Blank => "nothing but white space".to_owned(),
        DetectedFormat::Csv { delimiter: b'\t' } => "rows of cells apart by a tab".to_owned(),
        DetectedFormat::Csv { delimiter } => {
            format!("rows of cells apart by {:?}", char::from(*delimiter))
        }
        DetectedFormat::Ndjson => "JSON, an object a line".to_owned(),
        DetectedFormat::JsonRecord => "JSON, one record".to_owned(),
        DetectedFormat::JsonArray { path, is_protobuf } => {
            let json = if *is_protobuf {
                "protobuf JSON"
            } else {
                "JSON"
            };
            // As a JSON Pointer (RFC 6901 section 3).
            let step = |step: &String| format!("/{}", step.replace('~', "~0").replace('/', "~1"));
            let steps: String = path.iter().map(step).collect();
            match path.as_slice() {
                [] => format!("{json}, a list"),
                _ => format!("{json}, the list at {steps}"),
            }
        }
    };
    format!("{name}: {format}")
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Ok,
    /// Some records were acknowledged, some were not.
    Partial,
    Failed,
    /// The input was refused and nothing was sent.
    Refused,
    Interrupted,
}

/// What became of each record that was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct RecordCounts {
    pub(crate) read: u64,
    pub(crate) invalid: u64,
    pub(crate) duplicate: u64,
    pub(crate) unchanged: u64,
    pub(crate) other_shard: u64,
    pub(crate) acknowledged: u64,
    pub(crate) rejected: u64,
    pub(crate) unsent: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct RequestCounts {
    /// Tries.
    pub(crate) sent: u64,
    pub(crate) retried: u64,
    pub(crate) failed: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct WarningCounts {
    pub(crate) past: u64,
    pub(crate) duplicate: u64,
}

/// The summary of one run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) status: Status,
    pub(crate) exit_code: u8,
    pub(crate) records: RecordCounts,
    pub(crate) requests: RequestCounts,
    /// Answered requests by the response's code.
    pub(crate) codes: BTreeMap<i32, u64>,
    pub(crate) warnings: WarningCounts,
    /// `None` where no server was to be contacted.
    pub(crate) server: Option<String>,
    pub(crate) elapsed_seconds: f64,
    pub(crate) error: Option<Failure>,
    /// When the licences run out, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expiry: Option<ExpiryReport>,
    /// The first expire time of the valid records, in Unix seconds.
    #[serde(skip)]
    pub(crate) earliest: Option<u32>,
    #[serde(skip)]
    contacts: bool,
    #[serde(skip)]
    is_dry: bool,
}

impl Status {
    /// Returns how a run with this result ended.
    pub(crate) fn of_result(result: &Result<(), Failure>) -> Self {
        match result {
            Ok(()) => Self::Ok,
            Err(failure) => Self::of_failure(failure),
        }
    }

    fn of_failure(failure: &Failure) -> Self {
        match failure.kind {
            FailureKind::Partial => Self::Partial,
            FailureKind::Input => Self::Refused,
            FailureKind::Interrupted => Self::Interrupted,
            FailureKind::Internal
            | FailureKind::Usage
            | FailureKind::Unreachable
            | FailureKind::Tls
            | FailureKind::Code
            | FailureKind::Rpc => Self::Failed,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Interrupted => "interrupted",
        }
    }
}

impl Summary {
    /// A run of which nothing is known yet.
    pub(crate) fn new(server: Option<String>) -> Self {
        Self {
            status: Status::Ok,
            exit_code: 0,
            records: RecordCounts::default(),
            requests: RequestCounts::default(),
            codes: BTreeMap::new(),
            warnings: WarningCounts::default(),
            earliest: None,
            contacts: server.is_some(),
            is_dry: false,
            server,
            elapsed_seconds: 0.0,
            error: None,
            expiry: None,
        }
    }

    /// Takes the counts of the input; its valid records are unsent so far.
    pub(crate) fn input(&mut self, validated: &ValidatedInput) {
        let counts = &validated.counts;
        self.records = RecordCounts {
            read: counts.read,
            invalid: counts.invalid,
            duplicate: counts.duplicate,
            unsent: counts.valid(),
            ..RecordCounts::default()
        };
        self.warnings = WarningCounts {
            past: validated.expirations.past,
            duplicate: counts.duplicate,
        };
        self.earliest = validated.expirations.earliest.map(ExpireTime::as_unix);
        // What contacts nobody is there to look at the input.
        self.expiry = (!self.contacts).then(|| (&validated.expirations).into());
    }

    /// Takes how many of the valid records are not this push's to send.
    pub(crate) fn selected(&mut self, unchanged: u64, other_shard: u64) {
        self.records.unchanged = unchanged;
        self.records.other_shard = other_shard;
        self.records.unsent = self.records.unsent.saturating_sub(unchanged + other_shard);
    }

    /// Nothing was to be sent; whether the exit code says that something would be.
    pub(crate) fn dry_run(&mut self, detailed_exit_code: bool) {
        self.is_dry = true;
        if detailed_exit_code && self.records.unsent > 0 {
            self.exit_code = EXIT_WOULD_SEND;
        }
    }

    /// Takes what became of the records that were to be sent.
    pub(crate) fn delivery(&mut self, delivery: &DeliveryOutcome) {
        let records = &mut self.records;
        records.acknowledged = delivery.acknowledged;
        records.rejected = delivery.rejected;
        records.unsent = records
            .unsent
            .saturating_sub(delivery.acknowledged + delivery.rejected);
        self.requests.sent = delivery.attempts;
        self.requests.retried = delivery.retries;
        self.requests.failed = delivery.failed_requests;
        self.codes.clone_from(&delivery.response_codes);
    }

    /// Ends the run.
    pub(crate) fn finish(mut self, failure: Option<Failure>, elapsed: Duration) -> Self {
        self.elapsed_seconds = elapsed.as_secs_f64();
        // Whatever else happened, counts that don't add up are the worse news.
        let failure = if self.adds_up() {
            failure
        } else {
            Some(diagnostics::counts_inconsistent(&format!(
                "{:?}",
                self.records
            )))
        };
        if let Some(failure) = failure {
            self.exit_code = failure.exit_code;
            self.status = Status::of_failure(&failure);
            self.error = Some(failure);
        }
        self
    }

    fn adds_up(&self) -> bool {
        let records = &self.records;
        records.read
            == records.invalid
                + records.duplicate
                + records.unchanged
                + records.other_shard
                + records.acknowledged
                + records.rejected
                + records.unsent
    }

    /// One line, and for a look at the input alone when its licences run out.
    pub(crate) fn to_text(&self) -> String {
        let line = self.line();
        match self.expiry.as_ref().map(ExpiryReport::picture) {
            Some(picture) if self.error.is_none() && !picture.is_empty() => {
                format!("{line}\n{picture}")
            }
            _ => line,
        }
    }

    fn line(&self) -> String {
        let status = self.status.as_str();
        let records = &self.records;
        let mut line = format!("{status}: {} read", records.read);
        let valid = (!self.contacts).then_some((records.unsent, "valid"));
        let left = if self.is_dry { "to be sent" } else { "unsent" };
        let unsent = self.contacts.then_some((records.unsent, left));
        let counts = [
            (records.invalid, "invalid"),
            (records.duplicate, "duplicate"),
            (records.unchanged, "unchanged"),
            (records.other_shard, "of other shards"),
        ];
        let sent = [
            (records.acknowledged, "acknowledged"),
            (records.rejected, "rejected"),
        ];
        for (count, what) in counts.into_iter().chain(sent).chain(valid).chain(unsent) {
            let always = match what {
                "acknowledged" => self.contacts && !self.is_dry,
                "valid" | "to be sent" => true,
                _ => false,
            };
            if count > 0 || always {
                let _ = write!(line, ", {count} {what}");
            }
        }
        if let Some(server) = &self.server {
            let requests = self.requests.sent;
            let noun = if requests == 1 { "request" } else { "requests" };
            let _ = write!(line, "; {requests} {noun} to {}", escape(server));
            if self.requests.retried > 0 {
                let _ = write!(line, " ({} of them again)", self.requests.retried);
            }
        }
        let _ = write!(line, " in {:.3} s", self.elapsed_seconds);
        line
    }
}
