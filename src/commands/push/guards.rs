//! The comparison of the input with the ledger, and the guards against a bad export:
//! `--refuse-shortened`, `--max-changes` and `--max-missing`.

use super::plan::LedgerPlan;
use crate::{
    client::Target,
    diagnostics::{self, Failure, InputProblem},
    input::{Problem, ValidatedInput},
    ledger::{EntryStatus, KnownTimes, LedgerEntry},
    report::LedgerCounts,
};

pub(super) struct Comparison<'p, 'k> {
    ledger: &'p LedgerPlan,
    pub(super) known: &'k mut KnownTimes,
    max_examples: usize,
    /// The number of tokens whose expiration time in the input differs from the one in the ledger.
    changed: u64,
    /// The number of changed tokens that expire earlier than in the ledger.
    shortened: u64,
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
            changed: 0,
            shortened: 0,
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
    pub(super) fn is_unchanged(&mut self, entry: Option<LedgerEntry>, time: u32) -> bool {
        match self.known.compare(entry, time) {
            EntryStatus::Unchanged => !self.ledger.sends_unchanged,
            EntryStatus::New | EntryStatus::Unconfirmed => false,
            EntryStatus::Changed { previous } => {
                self.changed += 1;
                self.shortened += u64::from(time < previous);
                false
            }
        }
    }

    pub(super) fn counts(&self) -> LedgerCounts {
        LedgerCounts {
            known: self.known.len() as u64,
            changed: self.changed,
            missing: self.known.missing_times().count() as u64,
        }
    }

    /// Returns the failure if the input violates a guard. To describe changed times, the input is read
    /// again, and an error of this pass replaces the failure.
    pub(super) fn check(
        mut self,
        counts: LedgerCounts,
        input: &mut ValidatedInput,
    ) -> Result<Option<Failure>, Problem> {
        let ledger = self.ledger;
        let mut failures = Vec::new();
        if ledger.refuses_shortened && self.shortened > 0 {
            let examples = self.describe_changes(input, |previous, time| time < previous)?;
            failures.push(diagnostics::expirations_shortened(self.shortened, examples));
        }
        let records_read = input.counts.read;
        if let Some(option) = ledger.max_changes
            && self.changed > option.of(records_read)
        {
            let examples = self.describe_changes(input, |previous, time| time != previous)?;
            let (allowed, option) = (option.of(records_read), option.to_string());
            failures.push(diagnostics::too_many_changes(
                self.changed,
                allowed,
                &option,
                examples,
            ));
        }
        if let Some(option) = ledger.max_missing
            && counts.missing > option.of(counts.known)
        {
            let mut times: Vec<_> = self.known.missing_times().collect();
            times.sort_unstable();
            times.truncate(self.max_examples);
            let (allowed, option) = (option.of(counts.known), option.to_string());
            failures.push(diagnostics::too_many_missing(
                counts.missing,
                counts.known,
                allowed,
                &option,
                &times,
            ));
        }
        Ok(diagnostics::guards_violated(failures))
    }

    /// Describes the first records whose previous and new times satisfy `is_listed`.
    fn describe_changes(
        &mut self,
        input: &mut ValidatedInput,
        is_listed: impl Fn(u32, u32) -> bool,
    ) -> Result<Vec<InputProblem>, Problem> {
        input.find_first(self.max_examples, |location, record| {
            let time = record.expire_time.as_unix();
            let previous = self.known.last_time(record.token.as_bytes())?;
            if !is_listed(previous, time) {
                return None;
            }
            let [before, now] =
                [previous, time].map(|time| diagnostics::format_timestamp(time.into()));
            let message = format!("token {}: {before} becomes {now}", record.token);
            Some(InputProblem::of_record(
                &location.to_file_position(),
                message,
            ))
        })
    }
}
