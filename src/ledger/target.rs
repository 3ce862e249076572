//! The table `target`: the pairs of a server and a gRPC method that a ledger contains.

use rusqlite::{Connection, Error, OptionalExtension, Result, params};

/// The key of a target: the `:authority` of the server, and the path of the gRPC method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TargetKey {
    pub(crate) authority: String,
    pub(crate) method: String,
}

pub(super) struct TargetRow {
    pub(super) id: i64,
    pub(super) authority: String,
    pub(super) method: String,
}

/// Host names are compared without case.
pub(super) fn find_target(connection: &Connection, key: &TargetKey) -> Result<Option<i64>> {
    let select = "SELECT id FROM target WHERE authority = ?1 COLLATE NOCASE AND method = ?2
                  ORDER BY id DESC LIMIT 1";
    connection
        .query_row(select, params![key.authority, key.method], |row| row.get(0))
        .optional()
}

pub(super) fn find_or_insert_target(connection: &Connection, key: &TargetKey) -> Result<i64> {
    if let Some(id) = find_target(connection, key)? {
        return Ok(id);
    }
    connection.query_row(
        "INSERT INTO target (authority, method) VALUES (?1, ?2) RETURNING id",
        params![key.authority, key.method],
        |row| row.get(0),
    )
}

/// Returns the address of the last push. A ledger of version 1 that is only read has no such column.
pub(super) fn last_address(connection: &Connection, target_id: i64) -> Result<Option<String>> {
    let select = "SELECT * FROM target WHERE id = ?1";
    connection.query_row(select, [target_id], |row| match row.get("address") {
        Err(Error::InvalidColumnName(_)) => Ok(None),
        address => address,
    })
}

pub(super) fn save_address(connection: &Connection, target_id: i64, address: &str) -> Result<()> {
    let update = "UPDATE target SET address = ?2 WHERE id = ?1";
    connection.execute(update, params![target_id, address])?;
    Ok(())
}

/// Returns all targets, sorted by authority and method.
pub(super) fn load_targets(connection: &Connection) -> Result<Vec<TargetRow>> {
    let mut select = connection
        .prepare("SELECT id, authority, method FROM target ORDER BY authority, method")?;
    let rows = select.query_map([], |row| {
        Ok(TargetRow {
            id: row.get(0)?,
            authority: row.get(1)?,
            method: row.get(2)?,
        })
    })?;
    rows.collect()
}
