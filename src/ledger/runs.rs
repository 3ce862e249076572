//! The table `run`: the history of pushes.

use rusqlite::{Connection, Result, params};
use serde::Serialize;

/// A push in the history. All times are Unix seconds. `ended` and the fields after `input` are
/// `None` if the push was killed or is in progress.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Run {
    pub(crate) started: i64,
    pub(crate) ended: Option<i64>,
    /// The names of the inputs.
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

/// Replaces the run with the id `run_id`, or inserts a run and deletes the oldest runs beyond
/// [`MAX_KEPT_RUNS`]. Returns the id.
pub(super) fn save(
    connection: &Connection,
    target_id: i64,
    run_id: Option<i64>,
    run: &Run,
) -> Result<i64> {
    connection.execute(
        "INSERT OR REPLACE INTO run (id, target, started, ended, input, status, exit_code, read,
             unchanged, acknowledged, rejected, unsent)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            run_id,
            target_id,
            run.started,
            run.ended,
            run.input,
            run.status,
            run.exit_code,
            run.read,
            run.unchanged,
            run.acknowledged,
            run.rejected,
            run.unsent,
        ],
    )?;
    let run_id = connection.last_insert_rowid();
    connection.execute(
        "DELETE FROM run WHERE target = ?1 AND id NOT IN
             (SELECT id FROM run WHERE target = ?1 ORDER BY id DESC LIMIT ?2)",
        params![target_id, MAX_KEPT_RUNS],
    )?;
    Ok(run_id)
}

/// Returns the last runs of a target, the latest first.
pub(super) fn load_last(
    connection: &Connection,
    target_id: i64,
    max_runs: u32,
) -> Result<Vec<Run>> {
    let mut select = connection.prepare(
        "SELECT started, ended, input, status, exit_code, read, unchanged, acknowledged, rejected,
             unsent
         FROM run WHERE target = ?1 ORDER BY id DESC LIMIT ?2",
    )?;
    let rows = select.query_map(params![target_id, max_runs], |row| {
        Ok(Run {
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
