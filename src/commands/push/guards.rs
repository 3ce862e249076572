//! The comparison of the input with the ledger, and the guards against a bad export:
//! `--refuse-shortened`, `--max-changes` and `--max-missing`.

use super::plan::LedgerPlan;
use crate::{
    client::Target,
    diagnostics::{self, Failure, InputProblem},
    input::RecordLocation,
    ledger::{EntryStatus, KnownTimes},
    record::Record,
    report::LedgerCounts,
};

pub(super) struct Comparison<'p, 'k> {
    ledger: &'p LedgerPlan,
    pub(super) known: &'k mut KnownTimes,
    max_examples: usize,
    changed: Changes,
    /// The changed tokens that expire earlier than in the ledger.
    shortened: Changes,
}

/// Tokens whose expiration time in the input differs from the one in the ledger.
#[derive(Default)]
struct Changes {
    count: u64,
    /// Descriptions of the first changed tokens, in the order of the input.
    examples: Vec<InputProblem>,
}

impl<'p, 'k> Comparison<'p, 'k> {
    pub(super) fn new(
        ledger: &'p LedgerPlan,
        known: &'k mut KnownTimes,
        max_examples: usize,
    ) -> Self {
        Self {
            ledger,
            known,
            max_examples,
            changed: Changes::default(),
            shortened: Changes::default(),
        }
    }

    /// Returns a warning if the last push to the server had another address. A server for which the
    /// ledger knows no tokens gets all records, whatever its address is.
    pub(super) fn address_warning(&self, target: &Target) -> Option<String> {
        let address = target.endpoint.to_string();
        let last = self.known.last_address.as_ref()?;
        if self.known.is_empty() || last.eq_ignore_ascii_case(&address) {
            return None;
        }
        let name = target.authority.as_str();
        let mut warning = diagnostics::describe_new_address(name, last, &address);
        if !self.ledger.sends_unchanged {
            warning += "; pass --full if it is another server";
        }
        Some(warning)
    }

    /// Returns whether the push need not send a record, because the server has its expiration time.
    /// The time that the server has is unknown for an unconfirmed entry.
    pub(super) fn is_unchanged(
        &mut self,
        location: &RecordLocation<'_>,
        record: &Record<'_>,
    ) -> bool {
        let time = record.expire_time.as_unix();
        let previous = match self.known.compare(record.token.as_bytes(), time) {
            EntryStatus::Unchanged => return !self.ledger.sends_unchanged,
            EntryStatus::New | EntryStatus::Unconfirmed => return false,
            EntryStatus::Changed { previous } => previous,
        };
        let describe = || {
            let [before, now] =
                [previous, time].map(|time| diagnostics::format_timestamp(time.into()));
            let message = format!("token {}: {before} becomes {now}", record.token);
            InputProblem::of_record(&location.to_file_position(), message)
        };
        self.changed.add(self.max_examples, describe);
        if time < previous {
            self.shortened.add(self.max_examples, describe);
        }
        false
    }

    pub(super) fn counts(&self) -> LedgerCounts {
        LedgerCounts {
            known: self.known.len() as u64,
            changed: self.changed.count,
            missing: self.known.missing_times().count() as u64,
        }
    }

    pub(super) fn check(self, counts: LedgerCounts, records_read: u64) -> Result<(), Failure> {
        let Self {
            ledger,
            known,
            max_examples,
            changed,
            shortened,
        } = self;
        let mut failures = Vec::new();
        if ledger.refuses_shortened && shortened.count > 0 {
            let (count, examples) = (shortened.count, shortened.examples);
            failures.push(diagnostics::expirations_shortened(count, examples));
        }
        if let Some(option) = ledger.max_changes
            && changed.count > option.of(records_read)
        {
            let (count, allowed) = (changed.count, option.of(records_read));
            let (option, examples) = (option.to_string(), changed.examples);
            failures.push(diagnostics::too_many_changes(
                count, allowed, &option, examples,
            ));
        }
        if let Some(option) = ledger.max_missing
            && counts.missing > option.of(counts.known)
        {
            let mut times: Vec<_> = known.missing_times().collect();
            times.sort_unstable();
            times.truncate(max_examples);
            let (allowed, option) = (option.of(counts.known), option.to_string());
            failures.push(diagnostics::too_many_missing(
                counts.missing,
                counts.known,
                allowed,
                &option,
                &times,
            ));
        }
        match diagnostics::guards_violated(failures) {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }
}

impl Changes {
    fn add(&mut self, max_examples: usize, describe: impl FnOnce() -> InputProblem) {
        self.count += 1;
        if self.examples.len() < max_examples {
            self.examples.push(describe());
        }
    }
}
