//! [`Summary`]: the status and the counts of a run. Each record that was read is counted in exactly
//! one other category, such as acknowledged, invalid or unsent.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf, time::Instant};

use serde::Serialize;

use super::expiration::expiration_chart;
use crate::{
    delivery::{DeliveryOutcome, RequestCounts},
    diagnostics::{self, EXIT_WOULD_SEND, Failure, FailureKind, escape},
    input::{ExpirationCounts, ExpiringRecord, ValidatedInput},
    record::ExpireTime,
    user_path::UserPath,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Ok,
    Partial,
    Failed,
    /// The input was refused, or it changed during the run.
    Refused,
    Interrupted,
}

impl Status {
    pub(crate) fn from_result(result: &Result<(), Failure>) -> Self {
        match result {
            Ok(()) => Self::Ok,
            Err(failure) => Self::from_failure(failure),
        }
    }

    fn from_failure(failure: &Failure) -> Self {
        match failure.kind {
            FailureKind::Partial => Self::Partial,
            FailureKind::Input => Self::Refused,
            FailureKind::Interrupted => Self::Interrupted,
            _ => Self::Failed,
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

/// `read` is the sum of all other counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct RecordCounts {
    pub(crate) read: u64,
    pub(crate) invalid: u64,
    pub(crate) duplicate: u64,
    /// Records that the server acknowledged in an earlier run, according to the ledger.
    pub(crate) unchanged: u64,
    /// Records of other shards, which other machines send.
    pub(crate) other_shard: u64,
    pub(crate) acknowledged: u64,
    pub(crate) rejected: u64,
    pub(crate) unsent: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct WarningCounts {
    pub(crate) past: u64,
    pub(crate) duplicate: u64,
}

/// Tokens that the ledger knows for the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LedgerCounts {
    pub(crate) known: u64,
    /// Tokens of this shard whose expiration time in the input is different.
    pub(crate) changed: u64,
    /// Tokens that are not in the input.
    pub(crate) missing: u64,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) status: Status,
    pub(crate) exit_code: u8,
    pub(crate) records: RecordCounts,
    pub(crate) requests: RequestCounts,
    pub(crate) codes: BTreeMap<i32, u64>,
    pub(crate) warnings: WarningCounts,
    /// `None` if the input was not compared with a ledger.
    pub(crate) ledger: Option<LedgerCounts>,
    /// `None` for a command that contacts no server, such as `check`.
    pub(crate) server: Option<String>,
    pub(crate) elapsed_seconds: f64,
    pub(crate) error: Option<Failure>,
    /// `None` for a command that contacts a server.
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry: Option<ExpirationCounts>,
    /// `None` without `--list-expiring`, and if the input is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expiring: Option<Vec<ExpiringRecord>>,
    /// In Unix seconds.
    #[serde(skip)]
    pub(crate) earliest_expire_time: Option<u32>,
    #[serde(skip)]
    pub(crate) started: Instant,
    /// The rejects file, if it holds records.
    #[serde(skip)]
    pub(crate) rejects_file: Option<PathBuf>,
    #[serde(skip)]
    is_dry_run: bool,
    /// The name of the command that the summary belongs to.
    #[serde(skip)]
    pub(crate) command: &'static str,
}

impl Summary {
    pub(crate) fn new(command: &'static str, server: Option<String>) -> Self {
        Self {
            command,
            status: Status::Ok,
            exit_code: 0,
            records: RecordCounts::default(),
            requests: RequestCounts::default(),
            codes: BTreeMap::new(),
            warnings: WarningCounts::default(),
            ledger: None,
            earliest_expire_time: None,
            started: Instant::now(),
            rejects_file: None,
            is_dry_run: false,
            server,
            elapsed_seconds: 0.0,
            error: None,
            expiry: None,
            expiring: None,
        }
    }

    /// Every valid record is counted as unsent until its outcome is known.
    pub(crate) fn add_input(&mut self, input: &ValidatedInput) {
        let counts = &input.counts;
        self.records = RecordCounts {
            read: counts.read,
            invalid: counts.invalid,
            duplicate: counts.duplicate,
            unsent: counts.valid(),
            ..RecordCounts::default()
        };
        self.warnings = WarningCounts {
            past: input.expirations.past,
            duplicate: counts.duplicate,
        };
        self.earliest_expire_time = input.expirations.earliest.map(ExpireTime::as_unix);
        // A command without a server, such as `check`, also reports the expiration times.
        self.expiry = self.server.is_none().then(|| input.expirations.clone());
    }

    /// Adds the numbers of records that are not selected, which then no longer count as unsent.
    pub(crate) fn add_selection(&mut self, unchanged: u64, other_shard: u64) {
        self.records.unchanged = unchanged;
        self.records.other_shard = other_shard;
        self.records.unsent = self.records.unsent.saturating_sub(unchanged + other_shard);
    }

    pub(crate) fn add_delivery(&mut self, delivery: &DeliveryOutcome) {
        let records = &mut self.records;
        records.acknowledged = delivery.acknowledged;
        records.rejected = delivery.rejected;
        records.unsent = records
            .unsent
            .saturating_sub(delivery.acknowledged + delivery.rejected);
        self.requests = delivery.requests;
        self.codes.clone_from(&delivery.response_codes);
    }

    /// With `detailed_exit_code`, the exit code tells whether a push would send records.
    pub(crate) fn mark_dry_run(&mut self, detailed_exit_code: bool) {
        self.is_dry_run = true;
        if detailed_exit_code && self.records.unsent > 0 {
            self.exit_code = EXIT_WOULD_SEND;
        }
    }

    /// If the record counts do not add up, the failure is an internal error instead.
    pub(crate) fn finish(&mut self, failure: Option<Failure>) {
        self.elapsed_seconds = self.started.elapsed().as_secs_f64();
        let failure = if self.is_consistent() {
            failure
        } else {
            let counts = format!("{:?}", self.records);
            Some(diagnostics::counts_inconsistent(&counts))
        };
        if let Some(failure) = failure {
            self.exit_code = failure.exit_code;
            self.status = Status::from_failure(&failure);
            self.error = Some(failure);
        }
    }

    fn is_consistent(&self) -> bool {
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

    pub(crate) fn result_line(&self) -> String {
        let mut text = format!("{}: {} read", self.status.as_str(), self.records.read);
        let contacts_server = self.command == "push";
        let unsent = match (contacts_server, self.is_dry_run) {
            (false, _) => "valid",
            (true, true) => "to be sent",
            (true, false) => "unsent",
        };
        let shows_acknowledged = contacts_server && !self.is_dry_run;
        let records = &self.records;
        for (count, label, is_always_shown) in [
            (records.invalid, "invalid", false),
            (records.duplicate, "duplicate", false),
            (records.unchanged, "unchanged", false),
            (records.other_shard, "of other shards", false),
            (records.acknowledged, "acknowledged", shows_acknowledged),
            (records.rejected, "rejected", false),
            (records.unsent, unsent, !shows_acknowledged),
        ] {
            if count > 0 || is_always_shown {
                let _ = write!(text, ", {count} {label}");
            }
        }
        if let Some(server) = &self.server {
            let requests = diagnostics::count_noun(self.requests.sent, "request");
            let _ = write!(text, "; {requests} sent to {}", escape(server));
            match self.requests.retried {
                0 => {}
                1 => text.push_str(" (1 of them a retry)"),
                retries => {
                    let _ = write!(text, " ({retries} of them retries)");
                }
            }
        }
        let _ = write!(text, " in {:.3} s", self.elapsed_seconds);
        if let Some(path) = &self.rejects_file {
            let _ = write!(text, "; rejects in {}", UserPath::from(path.as_path()));
        }
        text
    }

    pub(crate) fn to_text(&self) -> String {
        let mut text = self.result_line();
        if let Some(expiry) = &self.expiry
            && self.error.is_none()
        {
            text += &expiration_chart(expiry);
        }
        for record in self.expiring.iter().flatten() {
            let _ = write!(
                text,
                "\n{}:{}: {} expires {}",
                escape(&record.file),
                record.line,
                record.masked_token,
                record.expire_time
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_line_tells_retries_from_first_attempts() {
        for (sent, retried, text) in [
            (1, 0, "; 1 request sent to a:1 in "),
            (2, 1, "; 2 requests sent to a:1 (1 of them a retry) in "),
            (3, 2, "; 3 requests sent to a:1 (2 of them retries) in "),
        ] {
            let mut summary = Summary::new("push", Some("a:1".to_owned()));
            summary.requests.sent = sent;
            summary.requests.retried = retried;
            let line = summary.result_line();
            assert!(line.contains(text), "{line}");
        }
    }
}
