//! The tables of a ledger.

use rusqlite::Connection;

use crate::database::DatabaseFormat;

pub(super) const FORMAT: DatabaseFormat = DatabaseFormat {
    name: "ledger",
    // `SLld` in ASCII.
    application_id: 0x534c_6c64,
    migrations: &[CREATE_TABLES, ADD_ADDRESS],
};

// The comments belong to the migration, because SQLite stores them. `holder` is no longer used.
const CREATE_TABLES: &str = "
    -- One row: what the digests begin with, and the process that opened the ledger last.
    CREATE TABLE meta (salt BLOB NOT NULL, holder INTEGER) STRICT;
    INSERT INTO meta (salt) VALUES (randomblob(16));
    CREATE TABLE target (
        id INTEGER PRIMARY KEY,
        authority TEXT NOT NULL,
        method TEXT NOT NULL,
        UNIQUE (authority, method)
    ) STRICT;
    -- Acknowledged records side by side, 20 bytes each: 16 of the token's digest, 4 of the time,
    -- big-endian. Of several with one digest the last in the last segment counts.
    CREATE TABLE segment (
        id INTEGER PRIMARY KEY,
        target INTEGER NOT NULL REFERENCES target (id),
        records BLOB NOT NULL,
        -- 0 where another time was sent since, and it is not known whether it arrived.
        is_sure INTEGER NOT NULL,
        -- XXH3-64 of the records: what disks and hands do to them is noticed.
        checksum INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX segment_of_target ON segment (target);
    CREATE TABLE run (
        id INTEGER PRIMARY KEY,
        target INTEGER NOT NULL REFERENCES target (id),
        input TEXT NOT NULL,
        started INTEGER NOT NULL,
        -- The rest is null until the run has ended, and stays so where it was killed.
        ended INTEGER,
        read INTEGER,
        unchanged INTEGER,
        acknowledged INTEGER,
        rejected INTEGER,
        unsent INTEGER,
        status TEXT,
        exit_code INTEGER
    ) STRICT;
    CREATE INDEX run_of_target ON run (target);
";

/// The address of the last push to the target, which was not refused.
const ADD_ADDRESS: &str = "ALTER TABLE target ADD COLUMN address TEXT";

/// Returns the salt: the random bytes that are hashed before each token.
pub(super) fn salt(connection: &Connection) -> rusqlite::Result<Vec<u8>> {
    connection.query_row("SELECT salt FROM meta", [], |row| row.get(0))
}
