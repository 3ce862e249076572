//! The reports of the `ledger` commands, as text and as JSON.
//!
//! A *target* is a gRPC method of a server. A *run* is one push to a target.

use std::fmt::Write as _;

use serde::Serialize;

use crate::{
    diagnostics::{count_noun, escape, format_timestamp},
    ledger::{RunSummary, TargetSummary},
};

/// The targets of a ledger. Times are Unix seconds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LedgerReport {
    targets: Vec<TargetReport>,
}

/// A target in the ledger, with the state of its tokens and its last runs.
#[derive(Clone, Debug, Serialize)]
struct TargetReport {
    /// The `:authority` of the server.
    target: String,
    method: String,
    tokens: u64,
    last_success: Option<i64>,
    soonest: Vec<NextExpirationReport>,
    runs: Vec<RunReport>,
}

/// An expiration time, and the number of tokens that expire at that time.
#[derive(Clone, Debug, Serialize)]
struct NextExpirationReport {
    expire_time: i64,
    tokens: u64,
}

/// A run. `started` and `input` are always known. All other fields are `None` if the push was
/// killed or still runs.
#[derive(Clone, Debug, Serialize)]
struct RunReport {
    started: i64,
    ended: Option<i64>,
    input: String,
    status: Option<String>,
    exit_code: Option<u8>,
    read: Option<u64>,
    unchanged: Option<u64>,
    acknowledged: Option<u64>,
    rejected: Option<u64>,
    unsent: Option<u64>,
}

/// The number of tokens that were forgotten.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct ForgetReport {
    pub(crate) forgotten: u64,
}

impl ForgetReport {
    pub(crate) fn to_text(self) -> String {
        format!("{} forgotten", count_noun(self.forgotten, "token"))
    }
}

impl LedgerReport {
    /// Returns the report of `ledger show`.
    pub(crate) fn new(targets: &[TargetSummary]) -> Self {
        Self {
            targets: targets.iter().map(TargetReport::new).collect(),
        }
    }

    pub(crate) fn to_text(&self) -> String {
        let texts: Vec<_> = self.targets.iter().map(TargetReport::to_text).collect();
        match texts.as_slice() {
            [] => "the ledger holds nothing".to_owned(),
            texts => texts.join("\n"),
        }
    }
}

impl TargetReport {
    fn new(target: &TargetSummary) -> Self {
        Self {
            target: target.authority.clone(),
            method: target.method.clone(),
            tokens: target.tokens,
            last_success: target.last_success,
            soonest: target
                .next_expirations
                .iter()
                .map(|expiration| NextExpirationReport {
                    expire_time: expiration.expire_time,
                    tokens: expiration.tokens,
                })
                .collect(),
            runs: target.runs.iter().map(RunReport::new).collect(),
        }
    }

    fn to_text(&self) -> String {
        let mut text = format!(
            "{} {}: {}, last success {}",
            escape(&self.target),
            escape(&self.method),
            count_noun(self.tokens, "token"),
            self.last_success
                .map_or_else(|| "never".to_owned(), format_timestamp)
        );
        for expiration in &self.soonest {
            let time = format_timestamp(expiration.expire_time);
            let tokens = count_noun(expiration.tokens, "token");
            let _ = write!(text, "\n  expires {time}: {tokens}");
        }
        for run in &self.runs {
            let _ = write!(text, "\n  {}", run.to_text());
        }
        text
    }
}

impl RunReport {
    fn new(run: &RunSummary) -> Self {
        Self {
            started: run.started,
            ended: run.ended,
            input: run.input.clone(),
            status: run.status.clone(),
            exit_code: run.exit_code,
            read: run.read,
            unchanged: run.unchanged,
            acknowledged: run.acknowledged,
            rejected: run.rejected,
            unsent: run.unsent,
        }
    }

    fn to_text(&self) -> String {
        let mut text = format!(
            "push of {} at {}",
            escape(&self.input),
            format_timestamp(self.started)
        );
        let (Some(status), Some(code)) = (&self.status, self.exit_code) else {
            text.push_str(": no end (killed, or under way)");
            return text;
        };
        let _ = write!(text, ": {} ({code})", escape(status));
        for (count, label) in [
            (self.read, "read"),
            (self.unchanged, "unchanged"),
            (self.acknowledged, "acknowledged"),
            (self.rejected, "rejected"),
            (self.unsent, "unsent"),
        ] {
            if let Some(count) = count.filter(|count| *count > 0) {
                let _ = write!(text, ", {count} {label}");
            }
        }
        text
    }
}
