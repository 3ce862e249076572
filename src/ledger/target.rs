//! The table `target`: the pairs of a server and a gRPC method that a ledger contains.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::error::LedgerError;

/// The key of a target: the `:authority` of the server, and the path of the gRPC method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TargetKey {
    pub(crate) authority: String,
    pub(crate) method: String,
}

/// A row of the table `target`.
pub(super) struct TargetRow {
    pub(super) id: i64,
    pub(super) authority: String,
    pub(super) method: String,
}

/// Returns the id of a target, or `None` if the ledger does not contain the target.
pub(super) fn find_target(
    connection: &Connection,
    key: &TargetKey,
) -> Result<Option<i64>, LedgerError> {
    Ok(connection
        .query_row(
            "SELECT id FROM target WHERE authority = ?1 AND method = ?2",
            params![key.authority, key.method],
            |row| row.get(0),
        )
        .optional()?)
}

/// Returns the id of a target. Inserts the target if the ledger does not contain it.
pub(super) fn find_or_insert_target(
    transaction: &Transaction<'_>,
    key: &TargetKey,
) -> Result<i64, LedgerError> {
    if let Some(id) = find_target(transaction, key)? {
        return Ok(id);
    }
    transaction.execute(
        "INSERT INTO target (authority, method) VALUES (?1, ?2)",
        params![key.authority, key.method],
    )?;
    Ok(transaction.last_insert_rowid())
}

/// Returns all targets, sorted by authority and method.
pub(super) fn load_targets(connection: &Connection) -> Result<Vec<TargetRow>, LedgerError> {
    let mut select = connection
        .prepare("SELECT id, authority, method FROM target ORDER BY authority, method")?;
    let rows = select.query_map([], |row| {
        Ok(TargetRow {
            id: row.get(0)?,
            authority: row.get(1)?,
            method: row.get(2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
