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

/// A ledger that this process alone may write, for one target.
#[derive(Debug)]
pub(crate) struct LedgerWriter {
    ledger: WritableLedger,
    digester: TokenDigester,
    target_id: i64,
    /// The run that has begun and not ended.
    run_id: Option<i64>,
}

impl LedgerWriter {
    /// Opens or creates a ledger, and waits until no other process writes to it.
    ///
    /// `wait` sleeps for the given time and returns whether to go on waiting.
    ///
    /// # Errors
    ///
    /// The file is not a ledger, and is not changed; or another process still writes to it after
    /// `lock_timeout`, or when `wait` returns false.
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

    /// Returns the times that the target has acknowledged so far.
    pub(crate) fn known_times(&self) -> Result<KnownTimes, LedgerError> {
        let entries = segments::load(&self.ledger.connection, self.target_id)?;
        Ok(KnownTimes::new(self.digester.clone(), entries))
    }

    /// Marks the tokens that were found changed as unconfirmed, because another time is about to be
    /// sent for them. They stay so until the server acknowledges a time.
    pub(crate) fn mark_unconfirmed(&mut self, known: &KnownTimes) -> Result<(), LedgerError> {
        segments::append(&self.ledger.connection, self.target_id, known.unconfirmed())
    }

    /// Adds the records of an acknowledged request.
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
        // Sorting all entries is faster when each segment is sorted.
        deduplicate(&mut entries);
        segments::append(&self.ledger.connection, self.target_id, &entries)
    }

    /// Records that a push starts. A run without an end was killed, or is in progress.
    pub(crate) fn begin_run(&mut self, run: &RunStart) -> Result<(), LedgerError> {
        let run_id = runs::insert(&mut self.ledger.connection, self.target_id, run)?;
        self.run_id = Some(run_id);
        Ok(())
    }

    /// Records how the push ended that [`Self::begin_run`] recorded.
    pub(crate) fn end_run(&mut self, end: &RunEnd) -> Result<(), LedgerError> {
        let Some(run_id) = self.run_id.take() else {
            return Ok(());
        };
        runs::finish(&self.ledger.connection, run_id, end)?;
        // The next push then reads few segments.
        segments::compact(&mut self.ledger.connection, self.target_id)
    }
}
