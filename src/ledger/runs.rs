//! The table `run`: the history of pushes. All times are Unix seconds.

use rusqlite::{Connection, Result, params};
use serde::Serialize;

#[derive(Clone, Debug)]
pub(crate) struct RunStart {
    pub(crate) started: i64,
    /// The names of the inputs.
    pub(crate) input: String,
}

#[derive(Clone, Debug)]
pub(crate) struct RunEnd {
    pub(crate) ended: i64,
    pub(crate) status: &'static str,
    pub(crate) exit_code: u8,
    pub(crate) read: u64,
    pub(crate) unchanged: u64,
    pub(crate) acknowledged: u64,
    pub(crate) rejected: u64,
    pub(crate) unsent: u64,
}

/// A push in the history. The fields that [`RunEnd`] sets are `None` if the push was killed or is
/// in progress.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RunSummary {
    pub(crate) started: i64,
    pub(crate) ended: Option<i64>,
    pub(crate) input: String,
    pub(crate) status: Option<String>,
    pub(crate) exit_code: Option<u8>,
    pub(crate) read: Option<u64>,
    pub(crate) unchanged: Option<u64>,
    pub(crate) acknowledged: Option<u64>,
    pub(crate) rejected: Option<u64>,
    pub(crate) unsent: Option<u64>,
}

/// The maximum number of runs per target in the history.
const MAX_KEPT_RUNS: i64 = 100;

/// Inserts a run and returns its id. Deletes the oldest runs beyond [`MAX_KEPT_RUNS`].
pub(super) fn insert(connection: &Connection, target_id: i64, run: &RunStart) -> Result<i64> {
    connection.execute(
        "INSERT INTO run (target, input, started) VALUES (?1, ?2, ?3)",
        params![target_id, run.input, run.started],
    )?;
    let run_id = connection.last_insert_rowid();
    connection.execute(
        "DELETE FROM run WHERE target = ?1 AND id NOT IN
             (SELECT id FROM run WHERE target = ?1 ORDER BY id DESC LIMIT ?2)",
        params![target_id, MAX_KEPT_RUNS],
    )?;
    Ok(run_id)
}

pub(super) fn finish(connection: &Connection, run_id: i64, end: &RunEnd) -> Result<()> {
    connection.execute(
        "UPDATE run SET ended = ?2, status = ?3, exit_code = ?4, read = ?5, unchanged = ?6,
             acknowledged = ?7, rejected = ?8, unsent = ?9
         WHERE id = ?1",
        params![
            run_id,
            end.ended,
            end.status,
            end.exit_code,
            end.read,
            end.unchanged,
            end.acknowledged,
            end.rejected,
            end.unsent,
        ],
    )?;
    Ok(())
}

/// Returns the last runs of a target, the latest first.
pub(super) fn load_last(
    connection: &Connection,
    target_id: i64,
    max_runs: u32,
) -> Result<Vec<RunSummary>> {
    let mut select = connection.prepare(
        "SELECT started, ended, input, status, exit_code, read, unchanged, acknowledged, rejected,
             unsent
         FROM run WHERE target = ?1 ORDER BY id DESC LIMIT ?2",
    )?;
    let rows = select.query_map(params![target_id, max_runs], |row| {
        Ok(RunSummary {
            started: row.get(0)?,
            ended: row.get(1)?,
            input: row.get(2)?,
            status: row.get(3)?,
            exit_code: row.get(4)?,
            read: row.get(5)?,
            unchanged: row.get(6)?,
            acknowledged: row.get(7)?,
            rejected: row.get(8)?,
            unsent: row.get(9)?,
        })
    })?;
    rows.collect()
}

/// Returns the end of the last push that succeeded, or `None` if no push succeeded.
pub(super) fn last_success(connection: &Connection, target_id: i64) -> Result<Option<i64>> {
    connection.query_row(
        "SELECT max(ended) FROM run WHERE target = ?1 AND exit_code = 0",
        [target_id],
        |row| row.get(0),
    )
}
