//! The table `segment`: the entries of a target. Each acknowledged request appends a segment, which
//! is one row that contains all entries of the request.
//!
//! Digests come in random order. With one row per entry, each request would change most pages of
//! the table and write all of these pages again (measured: 12 s for a million records). With
//! segments, the cost of a write depends only on the number of bytes.

use rusqlite::{Connection, Transaction, params};
use twox_hash::XxHash3_64;

use super::{
    entry::{ENTRY_BYTES, LedgerEntry, decode_entries, deduplicate, encode_entries},
    error::LedgerError,
};

/// The maximum number of entries in a segment that [`replace`] writes, which are about 4 MB.
const ENTRIES_PER_LARGE_SEGMENT: usize = 200_000;

/// The maximum number of small segments of a target. A small segment is less than half as large as
/// a large segment.
///
/// Combining the 100 segments of a push of a million records takes 0.17 s, but loading them takes
/// only 0.05 s longer than loading large ones.
const MAX_SMALL_SEGMENTS: u64 = 128;

/// Appends one segment with the confirmed entries and one segment with the unconfirmed entries. A
/// segment without entries is not appended.
pub(super) fn append(
    connection: &Connection,
    target_id: i64,
    entries: &[LedgerEntry],
) -> rusqlite::Result<()> {
    for is_confirmed in [true, false] {
        let entries = entries.iter();
        let bytes = encode_entries(entries.filter(|entry| entry.is_confirmed == is_confirmed));
        if bytes.is_empty() {
            continue;
        }
        let checksum = checksum(&bytes);
        connection
            .prepare_cached(
                "INSERT INTO segment (target, records, is_sure, checksum) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![target_id, bytes, is_confirmed, checksum])?;
    }
    Ok(())
}

fn checksum(bytes: &[u8]) -> i64 {
    XxHash3_64::oneshot(bytes).cast_signed()
}

/// Returns all entries of a target, sorted by digest, with one entry per digest.
///
/// # Errors
///
/// [`LedgerError::Corrupt`] if a checksum does not match.
pub(super) fn load(
    connection: &Connection,
    target_id: i64,
) -> Result<Vec<LedgerEntry>, LedgerError> {
    // Segments are read in the order of their ids, because `deduplicate` keeps the last entry of
    // each digest and later segments must override earlier segments.
    let mut select = connection
        .prepare("SELECT records, checksum, is_sure FROM segment WHERE target = ?1 ORDER BY id")?;
    let mut segments = select.query([target_id])?;
    let mut entries = Vec::new();
    while let Some(segment) = segments.next()? {
        let bytes = segment
            .get_ref(0)?
            .as_blob()
            .map_err(rusqlite::Error::from)?;
        if bytes.len() % ENTRY_BYTES != 0 || checksum(bytes) != segment.get::<_, i64>(1)? {
            return Err(LedgerError::Corrupt);
        }
        entries.extend(decode_entries(bytes, segment.get(2)?));
    }
    deduplicate(&mut entries);
    Ok(entries)
}

/// Combines the entries of a target into large segments if the target has many small segments.
pub(super) fn compact(connection: &mut Connection, target_id: i64) -> Result<(), LedgerError> {
    let small_segments: u64 = connection.query_row(
        "SELECT count(*) FROM segment WHERE target = ?1 AND length(records) < ?2",
        params![target_id, ENTRY_BYTES * ENTRIES_PER_LARGE_SEGMENT / 2],
        |row| row.get(0),
    )?;
    if small_segments > MAX_SMALL_SEGMENTS {
        let entries = load(connection, target_id)?;
        let transaction = connection.transaction()?;
        replace(&transaction, target_id, &entries)?;
        transaction.commit()?;
    }
    Ok(())
}

pub(super) fn replace(
    transaction: &Transaction<'_>,
    target_id: i64,
    entries: &[LedgerEntry],
) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM segment WHERE target = ?1", [target_id])?;
    for entries in entries.chunks(ENTRIES_PER_LARGE_SEGMENT) {
        append(transaction, target_id, entries)?;
    }
    Ok(())
}
