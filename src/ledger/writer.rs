//! [`LedgerWriter`]: the open ledger of a push.

use std::{path::Path, time::Duration};

use super::{
    access::WritableLedger,
    entry::{LedgerEntry, TokenDigester, deduplicate},
    error::LedgerError,
    known_times::KnownTimes,
    runs::{self, Run},
    schema::salt,
    segments,
    target::{TargetKey, find_or_insert_target, save_address},
};
use crate::{contract::DecodedRecord, database};

#[derive(Debug)]
pub(crate) struct LedgerWriter {
    ledger: WritableLedger,
    digester: TokenDigester,
    target_id: i64,
    run_id: i64,
    pub(crate) run: Run,
}

impl LedgerWriter {
    /// Opens or creates a ledger, and waits at most `lock_timeout` until no other process writes to
    /// it. A file that is not a ledger is left unchanged. Stores the start of a push as a run
    /// without an end. If [`Self::end_run`] never follows, the push was killed.
    ///
    /// `wait` sleeps for the given duration and returns whether to continue waiting.
    pub(crate) fn open(
        path: &Path,
        target: &TargetKey,
        run: Run,
        lock_timeout: Duration,
        wait: &dyn Fn(Duration) -> bool,
    ) -> Result<Self, LedgerError> {
        database::create_file(path)?;
        let mut ledger = WritableLedger::open(path, lock_timeout, wait)?;
        let transaction = ledger.connection.transaction()?;
        let digester = TokenDigester::new(&salt(&transaction)?);
        let target_id = find_or_insert_target(&transaction, target)?;
        let run_id = runs::save(&transaction, target_id, None, &run)?;
        transaction.commit()?;
        Ok(Self {
            ledger,
            digester,
            target_id,
            run_id,
            run,
        })
    }

    pub(crate) fn known_times(&self) -> Result<KnownTimes, LedgerError> {
        KnownTimes::load(
            &self.ledger.connection,
            self.target_id,
            self.digester.clone(),
        )
    }

    pub(crate) fn save_address(&self, address: &str) -> Result<(), LedgerError> {
        Ok(save_address(
            &self.ledger.connection,
            self.target_id,
            address,
        )?)
    }

    /// Marks the entries that were found changed as unconfirmed, because the push is about to send
    /// different expiration times. An entry stays unconfirmed until the server acknowledges an
    /// expiration time for its token.
    pub(crate) fn mark_unconfirmed(&mut self, known: &KnownTimes) -> Result<(), LedgerError> {
        self.append(&known.unconfirmed)
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
        self.append(&entries)
    }

    fn append(&self, entries: &[LedgerEntry]) -> Result<(), LedgerError> {
        Ok(segments::append(
            &self.ledger.connection,
            self.target_id,
            entries,
        )?)
    }

    pub(crate) fn end_run(&mut self) -> Result<(), LedgerError> {
        let connection = &mut self.ledger.connection;
        runs::save(connection, self.target_id, Some(self.run_id), &self.run)?;
        // Combining many small segments makes the next push load the ledger faster.
        segments::compact(connection, self.target_id)
    }
}
