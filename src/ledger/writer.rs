//! [`LedgerWriter`]: the open ledger of a push.

use std::{path::Path, time::Duration};

use super::{
    access::{MissingFile, WritableLedger, open_to_write},
    database::begin_immediate,
    digest::TokenDigester,
    entry::{LedgerEntry, deduplicate},
    error::LedgerError,
    known_times::KnownTimes,
    runs::{self, RunEnd, RunStart},
    schema, segments,
    target::{TargetKey, find_or_insert_target},
};
use crate::contract::DecodedRecord;

/// An open ledger that only this process may write to, for one target.
#[derive(Debug)]
pub(crate) struct LedgerWriter {
    ledger: WritableLedger,
    digester: TokenDigester,
    target_id: i64,
    /// The id of the run that has begun and not ended, or `None` if there is no such run.
    run_id: Option<i64>,
}

impl LedgerWriter {
    /// Opens or creates a ledger, and waits until no other process locks the ledger.
    ///
    /// `wait` sleeps for the given duration and returns whether to continue waiting.
    ///
    /// # Errors
    ///
    /// - The file is not a ledger. Such a file is left unchanged.
    /// - A different process still locks the ledger after `lock_timeout`, or when `wait` returns
    ///   false.
    pub(crate) fn open(
        path: &Path,
        target: &TargetKey,
        lock_timeout: Duration,
        wait: &dyn Fn(Duration) -> bool,
    ) -> Result<Self, LedgerError> {
        let mut ledger = open_to_write(path, lock_timeout, wait, MissingFile::Create)?;
        let transaction = begin_immediate(&mut ledger.connection)?;
        let digester = TokenDigester::new(&schema::salt(&transaction)?);
        let target_id = find_or_insert_target(&transaction, target)?;
        transaction.commit()?;
        Ok(Self {
            ledger,
            digester,
            target_id,
            run_id: None,
        })
    }

    /// Returns the expiration times that the target has acknowledged so far.
    pub(crate) fn known_times(&self) -> Result<KnownTimes, LedgerError> {
        let entries = segments::load(&self.ledger.connection, self.target_id)?;
        Ok(KnownTimes::new(self.digester.clone(), entries))
    }

    /// Marks the entries that were found changed as unconfirmed, because the push is about to send
    /// different expiration times. An entry stays unconfirmed until the server acknowledges an
    /// expiration time for its token.
    pub(crate) fn mark_unconfirmed(&mut self, known: &KnownTimes) -> Result<(), LedgerError> {
        segments::append(&self.ledger.connection, self.target_id, known.unconfirmed())
    }

    /// Adds an entry for each record of an acknowledged request.
    pub(crate) fn acknowledge<'r>(
        &mut self,
        records: impl Iterator<Item = DecodedRecord<'r>>,
    ) -> Result<(), LedgerError> {
        let mut entries: Vec<LedgerEntry> = records
            .map(|record| LedgerEntry {
                digest: self.digester.digest(record.token),
                expire_time: record.expire_time,
                is_confirmed: true,
            })
            .collect();
        // `deduplicate` also sorts the entries. `segments::load` later sorts the entries of all
        // segments together, which is faster if each segment is already sorted.
        deduplicate(&mut entries);
        segments::append(&self.ledger.connection, self.target_id, &entries)
    }

    /// Stores the start of a push as a run without an end. If [`Self::end_run`] never follows, the
    /// push was killed.
    pub(crate) fn begin_run(&mut self, run: &RunStart) -> Result<(), LedgerError> {
        let run_id = runs::insert(&mut self.ledger.connection, self.target_id, run)?;
        self.run_id = Some(run_id);
        Ok(())
    }

    /// Stores the end of the push whose start [`Self::begin_run`] stored. Does nothing if no run
    /// has begun.
    pub(crate) fn end_run(&mut self, end: &RunEnd) -> Result<(), LedgerError> {
        let Some(run_id) = self.run_id.take() else {
            return Ok(());
        };
        runs::finish(&self.ledger.connection, run_id, end)?;
        // Combining many small segments makes the next push load the ledger faster.
        segments::compact(&mut self.ledger.connection, self.target_id)
    }
}
