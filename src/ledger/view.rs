//! Looks into a ledger, and takes out of it.

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, params};

use super::{
    LedgerError, Missing, immediate,
    known::{Digester, Row},
    open_locked, open_to_read, schema, segments,
};

/// What a ledger holds of one target.
#[derive(Clone, Debug)]
pub(crate) struct TargetSummary {
    pub(crate) authority: String,
    pub(crate) method: String,
    pub(crate) tokens: u64,
    /// When a push last succeeded, in Unix seconds.
    pub(crate) last_success: Option<i64>,
    /// The expire times that come first.
    pub(crate) next_expirations: Vec<ExpirationCount>,
    /// The last pushes, the latest first.
    pub(crate) runs: Vec<RunSummary>,
}

/// An expire time and the number of tokens that have it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExpirationCount {
    /// Unix seconds.
    pub(crate) expire_time: i64,
    pub(crate) tokens: u64,
}

/// One push. Without an end it is under way, or was killed.
#[derive(Clone, Debug)]
pub(crate) struct RunSummary {
    pub(crate) input: String,
    /// Unix seconds, as all times here.
    pub(crate) started: i64,
    pub(crate) ended: Option<i64>,
    pub(crate) read: Option<u64>,
    pub(crate) unchanged: Option<u64>,
    pub(crate) acknowledged: Option<u64>,
    pub(crate) rejected: Option<u64>,
    pub(crate) unsent: Option<u64>,
    pub(crate) status: Option<String>,
    pub(crate) exit_code: Option<u8>,
}

/// What to forget.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ForgetSelection<'f> {
    All,
    /// All methods of this `:authority`.
    Authority(&'f str),
    /// These tokens, at every target.
    Tokens(&'f [Box<[u8]>]),
}

/// What was forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ForgetOutcome {
    /// The number of tokens that were removed.
    Forgotten { tokens: u64 },
    /// No target has the wanted `:authority`; the ledger has these.
    UnknownAuthority { authorities: Vec<String> },
}

const SHOWN_TIMES: usize = 5;
const SHOWN_RUNS: u32 = 10;

/// All targets of a ledger, by name.
pub(crate) fn list_targets(path: &Path) -> Result<Vec<TargetSummary>, LedgerError> {
    let connection = open_to_read(path)?;
    if schema::is_empty(&connection)? {
        return Ok(Vec::new());
    }
    let mut select = connection
        .prepare("SELECT id, authority, method FROM target ORDER BY authority, method")?;
    let mut found = select.query([])?;
    let mut targets = Vec::new();
    while let Some(row) = found.next()? {
        let id = row.get(0)?;
        let rows = segments::load(&connection, id)?;
        targets.push(TargetSummary {
            authority: row.get(1)?,
            method: row.get(2)?,
            tokens: rows.len() as u64,
            last_success: connection.query_row(
                "SELECT max(ended) FROM run WHERE target = ?1 AND exit_code = 0",
                [id],
                |row| row.get(0),
            )?,
            next_expirations: next_expirations(&rows),
            runs: runs(&connection, id)?,
        });
    }
    Ok(targets)
}

/// SQLite's numbers are signed, and what is counted is not.
fn count(number: Option<i64>) -> Option<u64> {
    number.and_then(|number| number.try_into().ok())
}

fn next_expirations(rows: &[Row]) -> Vec<ExpirationCount> {
    let mut times = BTreeMap::new();
    for row in rows {
        *times.entry(row.time).or_default() += 1;
    }
    let soonest = times.into_iter().take(SHOWN_TIMES);
    soonest
        .map(|(time, tokens)| ExpirationCount {
            expire_time: time.into(),
            tokens,
        })
        .collect()
}

fn runs(connection: &Connection, target: i64) -> Result<Vec<RunSummary>, LedgerError> {
    let mut select = connection.prepare(
        "SELECT input, started, ended, read, unchanged, acknowledged, rejected, unsent, status,
             exit_code
         FROM run WHERE target = ?1 ORDER BY id DESC LIMIT ?2",
    )?;
    let rows = select.query_map(params![target, SHOWN_RUNS], |row| {
        Ok(RunSummary {
            input: row.get(0)?,
            started: row.get(1)?,
            ended: row.get(2)?,
            read: count(row.get(3)?),
            unchanged: count(row.get(4)?),
            acknowledged: count(row.get(5)?),
            rejected: count(row.get(6)?),
            unsent: count(row.get(7)?),
            status: row.get(8)?,
            exit_code: row.get(9)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Forgets what a server acknowledged, so that the next push sends it again. The history of pushes
/// stays, but with [`ForgetSelection::All`].
pub(crate) fn forget(
    path: &Path,
    what: ForgetSelection<'_>,
    patience: Duration,
) -> Result<ForgetOutcome, LedgerError> {
    let pause = |time| {
        std::thread::sleep(time);
        true
    };
    let (mut connection, _lock) = open_locked(path, patience, &pause, Missing::Fail)?;
    let mut digester = Digester::new(&schema::salt(&connection)?);
    let transaction = immediate(&mut connection)?;
    let targets = targets(&transaction)?;
    let mut tokens = 0;
    match what {
        ForgetSelection::All => {
            for (target, _) in targets {
                tokens += segments::load(&transaction, target)?.len();
            }
            transaction
                .execute_batch("DELETE FROM segment; DELETE FROM run; DELETE FROM target")?;
        }
        ForgetSelection::Authority(authority) => {
            let (wanted, others): (Vec<_>, Vec<_>) =
                targets.into_iter().partition(|(_, name)| name == authority);
            if wanted.is_empty() {
                let mut names: Vec<_> = others.into_iter().map(|(_, name)| name).collect();
                names.dedup();
                return Ok(ForgetOutcome::UnknownAuthority { authorities: names });
            }
            for (target, _) in wanted {
                tokens += segments::load(&transaction, target)?.len();
                segments::rewrite(&transaction, target, &[])?;
            }
        }
        ForgetSelection::Tokens(listed) => {
            let digests: HashSet<_> = listed.iter().map(|one| digester.digest(one)).collect();
            for (target, _) in targets {
                let mut rows = segments::load(&transaction, target)?;
                let before = rows.len();
                rows.retain(|row| !digests.contains(&row.digest));
                tokens += before - rows.len();
                segments::rewrite(&transaction, target, &rows)?;
            }
        }
    }
    transaction.commit()?;
    Ok(ForgetOutcome::Forgotten {
        tokens: tokens as u64,
    })
}

/// The targets and their authorities, sorted by these.
fn targets(connection: &Connection) -> Result<Vec<(i64, String)>, LedgerError> {
    let mut select = connection.prepare("SELECT id, authority FROM target ORDER BY authority")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
