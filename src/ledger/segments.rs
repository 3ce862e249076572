//! The acknowledged records of a target: appended in segments, rewritten when they are many.
//!
//! Digests come in no order. As rows of a table, each batch would touch most of the table's pages
//! and write them all again (measured: 12 s for a million records); a segment is one row that holds
//! a batch's records side by side, and costs what its bytes cost.

use rusqlite::{Connection, Transaction, params};
use twox_hash::XxHash3_64;

use super::{
    LedgerError, immediate,
    known::{ROW, Row, pack, settle, unpack},
};

/// Rows in a segment that was rewritten: a few mebibytes.
const LARGE: usize = 200_000;

/// More segments than this beyond the large ones and they are rewritten.
const MANY: i64 = 32;

/// Appends rows, those that are sure apart from those that are not.
pub(super) fn append(
    connection: &Connection,
    target: i64,
    rows: &[Row],
) -> Result<(), LedgerError> {
    for is_sure in [true, false] {
        let rows: Vec<Row> = rows
            .iter()
            .filter(|row| row.is_sure == is_sure)
            .copied()
            .collect();
        if rows.is_empty() {
            continue;
        }
        let records = pack(&rows);
        let checksum = checksum(&records);
        connection
            .prepare_cached(
                "INSERT INTO segment (target, records, is_sure, checksum) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![target, records, is_sure, checksum])?;
    }
    Ok(())
}

fn checksum(records: &[u8]) -> i64 {
    XxHash3_64::oneshot(records).cast_signed()
}

/// All rows of a target, settled.
pub(super) fn load(connection: &Connection, target: i64) -> Result<Vec<Row>, LedgerError> {
    // Later segments count for more.
    let mut select = connection
        .prepare("SELECT records, checksum, is_sure FROM segment WHERE target = ?1 ORDER BY id")?;
    let mut segments = select.query([target])?;
    let mut rows = Vec::new();
    while let Some(segment) = segments.next()? {
        let bytes = segment
            .get_ref(0)?
            .as_blob()
            .map_err(rusqlite::Error::from)?;
        if bytes.len() % ROW != 0 || checksum(bytes) != segment.get::<_, i64>(1)? {
            return Err(LedgerError::Corrupt);
        }
        rows.extend(unpack(bytes, segment.get(2)?));
    }
    settle(&mut rows);
    Ok(rows)
}

/// Writes all rows of a target anew if they are scattered over many segments.
pub(super) fn tidy(connection: &mut Connection, target: i64) -> Result<(), LedgerError> {
    let (segments, bytes): (i64, i64) = connection.query_row(
        "SELECT count(*), coalesce(sum(length(records)), 0) FROM segment WHERE target = ?1",
        [target],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let large = bytes / i64::try_from(ROW * LARGE).unwrap_or(i64::MAX);
    if segments <= MANY + large {
        return Ok(());
    }
    let rows = load(connection, target)?;
    let transaction = immediate(connection)?;
    rewrite(&transaction, target, &rows)?;
    Ok(transaction.commit()?)
}

/// Writes these rows of a target, and no others.
pub(super) fn rewrite(
    transaction: &Transaction<'_>,
    target: i64,
    rows: &[Row],
) -> Result<(), LedgerError> {
    transaction.execute("DELETE FROM segment WHERE target = ?1", [target])?;
    for rows in rows.chunks(LARGE) {
        append(transaction, target, rows)?;
    }
    Ok(())
}
