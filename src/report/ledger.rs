//! The text of `ledger show`.

use std::fmt::Write as _;

use crate::{
    diagnostics::{count_noun, escape, format_timestamp},
    ledger::{LedgerSummary, Run, TargetSummary},
};

pub(crate) fn format_ledger(ledger: &LedgerSummary) -> String {
    if ledger.targets.is_empty() {
        return "the ledger is empty".to_owned();
    }
    let targets: Vec<_> = ledger.targets.iter().map(format_target).collect();
    targets.join("\n")
}

fn format_target(target: &TargetSummary) -> String {
    let mut text = format!(
        "{} {}: {}, last success {}",
        escape(&target.authority),
        escape(&target.method),
        count_noun(target.tokens, "token"),
        target
            .last_success
            .map_or_else(|| "never".to_owned(), format_timestamp)
    );
    for expiration in &target.next_expirations {
        let time = format_timestamp(expiration.expire_time.into());
        let tokens = count_noun(expiration.tokens, "token");
        let _ = write!(text, "\n  expires {time}: {tokens}");
    }
    for run in &target.runs {
        let _ = write!(text, "\n  {}", format_run(run));
    }
    text
}

fn format_run(run: &Run) -> String {
    let input = escape(&run.input);
    let mut text = format!("push of {input} at {}", format_timestamp(run.started));
    let (Some(status), Some(code)) = (&run.status, run.exit_code) else {
        text.push_str(": not ended (killed, or still running)");
        return text;
    };
    let _ = write!(text, ": {} ({code})", escape(status));
    for (count, label) in [
        (run.read, "read"),
        (run.unchanged, "unchanged"),
        (run.acknowledged, "acknowledged"),
        (run.rejected, "rejected"),
        (run.unsent, "unsent"),
    ] {
        if let Some(count) = count.filter(|count| *count > 0) {
            let _ = write!(text, ", {count} {label}");
        }
    }
    text
}
