//! The history of pushes.

use rusqlite::params;

use super::{LedgerError, LedgerWriter, immediate, segments};

/// A push that starts.
#[derive(Clone, Debug)]
pub(crate) struct RunStart {
    /// Unix seconds.
    pub(crate) started: i64,
    /// The names of its inputs.
    pub(crate) input: String,
}

/// How it ended.
#[derive(Clone, Debug)]
pub(crate) struct RunEnd {
    /// Unix seconds.
    pub(crate) ended: i64,
    pub(crate) read: u64,
    pub(crate) unchanged: u64,
    pub(crate) acknowledged: u64,
    pub(crate) rejected: u64,
    pub(crate) unsent: u64,
    pub(crate) status: &'static str,
    pub(crate) exit_code: u8,
}

/// Older runs of a target are forgotten.
const KEPT: i64 = 100;

impl LedgerWriter {
    /// Notes that a push starts. If it never ends, it was killed.
    pub(crate) fn begin_run(&mut self, run: &RunStart) -> Result<(), LedgerError> {
        let transaction = immediate(&mut self.connection)?;
        transaction.execute(
            "INSERT INTO run (target, input, started) VALUES (?1, ?2, ?3)",
            params![self.target, run.input, run.started],
        )?;
        let id = transaction.last_insert_rowid();
        transaction.execute(
            "DELETE FROM run WHERE target = ?1 AND id NOT IN
                 (SELECT id FROM run WHERE target = ?1 ORDER BY id DESC LIMIT ?2)",
            params![self.target, KEPT],
        )?;
        transaction.commit()?;
        self.run = Some(id);
        Ok(())
    }

    /// Notes how the push that began ended.
    pub(crate) fn end_run(&mut self, end: &RunEnd) -> Result<(), LedgerError> {
        let Some(run) = self.run.take() else {
            return Ok(());
        };
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.connection.execute(
            "UPDATE run SET ended = ?2, read = ?3, unchanged = ?4, acknowledged = ?5,
                 rejected = ?6, unsent = ?7, status = ?8, exit_code = ?9
             WHERE id = ?1",
            params![
                run,
                end.ended,
                signed(end.read),
                signed(end.unchanged),
                signed(end.acknowledged),
                signed(end.rejected),
                signed(end.unsent),
                end.status,
                end.exit_code
            ],
        )?;
        // So that the next push reads it at once.
        segments::tidy(&mut self.connection, self.target)
    }
}
