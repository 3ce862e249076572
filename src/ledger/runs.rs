//! The table `run`: the history of pushes.

use rusqlite::{Connection, params};

use super::{database::begin_immediate, error::LedgerError};

/// The start of a push.
#[derive(Clone, Debug)]
pub(crate) struct RunStart {
    /// The start time, in Unix seconds.
    pub(crate) started: i64,
    /// The names of the inputs.
    pub(crate) input: String,
}

/// The end of a push: the numbers of records by outcome, and the exit code.
#[derive(Clone, Debug)]
pub(crate) struct RunEnd {
    /// The end time, in Unix seconds.
    pub(crate) ended: i64,
    pub(crate) read: u64,
    pub(crate) unchanged: u64,
    pub(crate) acknowledged: u64,
    pub(crate) rejected: u64,
    pub(crate) unsent: u64,
    pub(crate) status: &'static str,
    pub(crate) exit_code: u8,
}

/// A push in the history. The fields that [`RunEnd`] sets are `None` if the push was killed or is
/// in progress.
#[derive(Clone, Debug)]
pub(crate) struct RunSummary {
    pub(crate) input: String,
    /// The start time, in Unix seconds.
    pub(crate) started: i64,
    /// The end time, in Unix seconds.
    pub(crate) ended: Option<i64>,
    pub(crate) read: Option<u64>,
    pub(crate) unchanged: Option<u64>,
    pub(crate) acknowledged: Option<u64>,
    pub(crate) rejected: Option<u64>,
    pub(crate) unsent: Option<u64>,
    pub(crate) status: Option<String>,
    pub(crate) exit_code: Option<u8>,
}

/// The maximum number of runs per target in the history. Older runs are deleted.
const MAX_KEPT_RUNS: i64 = 100;

/// Inserts a run and returns its id. Deletes the oldest runs beyond [`MAX_KEPT_RUNS`].
pub(super) fn insert(
    connection: &mut Connection,
    target_id: i64,
    run: &RunStart,
) -> Result<i64, LedgerError> {
    let transaction = begin_immediate(connection)?;
    transaction.execute(
        "INSERT INTO run (target, input, started) VALUES (?1, ?2, ?3)",
        params![target_id, run.input, run.started],
    )?;
    let run_id = transaction.last_insert_rowid();
    transaction.execute(
        "DELETE FROM run WHERE target = ?1 AND id NOT IN
                 (SELECT id FROM run WHERE target = ?1 ORDER BY id DESC LIMIT ?2)",
        params![target_id, MAX_KEPT_RUNS],
    )?;
    transaction.commit()?;
    Ok(run_id)
}

pub(super) fn finish(
    connection: &Connection,
    run_id: i64,
    end: &RunEnd,
) -> Result<(), LedgerError> {
    connection.execute(
        "UPDATE run SET ended = ?2, read = ?3, unchanged = ?4, acknowledged = ?5,
                 rejected = ?6, unsent = ?7, status = ?8, exit_code = ?9
             WHERE id = ?1",
        params![
            run_id,
            end.ended,
            to_sql_integer(end.read),
            to_sql_integer(end.unchanged),
            to_sql_integer(end.acknowledged),
            to_sql_integer(end.rejected),
            to_sql_integer(end.unsent),
            end.status,
            end.exit_code
        ],
    )?;
    Ok(())
}

/// Returns the last runs of a target, the latest first.
pub(super) fn load_last(
    connection: &Connection,
    target_id: i64,
    max_runs: u32,
) -> Result<Vec<RunSummary>, LedgerError> {
    let mut select = connection.prepare(
        "SELECT input, started, ended, read, unchanged, acknowledged, rejected, unsent, status,
             exit_code
         FROM run WHERE target = ?1 ORDER BY id DESC LIMIT ?2",
    )?;
    let rows = select.query_map(params![target_id, max_runs], |row| {
        Ok(RunSummary {
            input: row.get(0)?,
            started: row.get(1)?,
            ended: row.get(2)?,
            read: from_sql_integer(row.get(3)?),
            unchanged: from_sql_integer(row.get(4)?),
            acknowledged: from_sql_integer(row.get(5)?),
            rejected: from_sql_integer(row.get(6)?),
            unsent: from_sql_integer(row.get(7)?),
            status: row.get(8)?,
            exit_code: row.get(9)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Returns the time when a push to a target last succeeded, in Unix seconds. Returns `None` if no
/// push succeeded.
pub(super) fn last_success(
    connection: &Connection,
    target_id: i64,
) -> Result<Option<i64>, LedgerError> {
    Ok(connection.query_row(
        "SELECT max(ended) FROM run WHERE target = ?1 AND exit_code = 0",
        [target_id],
        |row| row.get(0),
    )?)
}

/// Converts a count to a signed integer, because SQLite has no unsigned integers.
fn to_sql_integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn from_sql_integer(number: Option<i64>) -> Option<u64> {
    number.and_then(|number| number.try_into().ok())
}
