//! The ledger: an SQLite file with the records that each server acknowledged, so that a push sends
//! only new and changed records.
//!
//! # File format
//!
//! - A **target** is a gRPC method of a server. The server is known by its `:authority`, not by its
//!   address.
//! - Tokens are credentials, so the file holds no token. It holds a **digest** of each: the first 16
//!   bytes of SHA-256 over the salt and the token. The **salt** is 16 random bytes that each ledger
//!   has of its own, so that digests of different ledgers cannot be compared.
//! - An **entry** is the digest of a token and the expire time, in Unix seconds, that the server
//!   acknowledged for it. An entry is *unconfirmed* when another time was sent since then and it is
//!   unknown whether the server applied it.
//! - A **segment** is one row of the database with the entries of one acknowledged request side by
//!   side, and their checksum. Of several entries with the same digest, the last one counts. Many
//!   small segments are combined into few large ones at the end of a push.
//! - A **run** is one push: when it started and ended, its counts and its exit code.
//!
//! `schema` has the tables, `entry` and `digest` the bytes of a segment.
//!
//! # Files
//!
//! - `writer` is the open ledger of a push; `runs` and `segments` write their tables.
//! - `known_times` compares records with the entries of a target.
//! - `summary` and `forget` serve the `ledger` commands.
//! - `access` opens the file under the `lock` that admits one writer; `database` opens it with
//!   SQLite.

mod access;
mod database;
mod digest;
mod entry;
mod error;
mod forget;
mod known_times;
mod lock;
mod runs;
mod schema;
mod segments;
mod summary;
mod target;
mod writer;

pub(crate) use self::{
    error::LedgerError,
    forget::{ForgetOutcome, ForgetSelection, forget},
    known_times::{Comparison, KnownTimes, read_known_times},
    runs::{RunEnd, RunStart, RunSummary},
    summary::{TargetSummary, list_targets},
    target::TargetKey,
    writer::LedgerWriter,
};
