//! The ledger: an SQLite file that lists the records that each server has acknowledged. A push with
//! a ledger sends only new and changed records.
//!
//! # File format
//!
//! - A **target** is a gRPC method of a server. The server is identified by its `:authority`, not
//!   by its address. The address of the last push is stored to notice another server behind the name.
//! - Tokens are credentials, so the file contains digests instead of tokens. A **digest** is the
//!   first 16 bytes of SHA-256 over the salt and the token. The **salt** is 16 random bytes that
//!   are different in each ledger, so digests of different ledgers cannot be compared.
//! - An **entry** is the digest of a token and the expiration time, in Unix seconds, that the
//!   target last acknowledged for the token. An entry is **unconfirmed** if a different expiration
//!   time may have been sent since that acknowledgment, and it is unknown whether the server
//!   applied the different time. All other entries are **confirmed**.
//! - A **segment** is a database row that contains the entries of one acknowledged request as one
//!   block of bytes, with a checksum. If several entries of a target have the same digest, only the
//!   entry that was written last counts. At the end of a push, many small segments are combined
//!   into a few large segments.
//! - A **run** is one push: its start time and end time, its counts and its exit code.

mod access;
mod entry;
mod error;
mod forget;
mod known_times;
mod runs;
mod schema;
mod segments;
mod summary;
mod target;
mod writer;

pub(crate) use self::{
    entry::{Digest, LedgerEntry, TokenDigester},
    error::LedgerError,
    forget::forget,
    known_times::{EntryStatus, KnownTimes, TargetTimes, load_known_times, read_known_times},
    runs::Run,
    summary::{LedgerSummary, TargetSummary, summarize},
    target::TargetKey,
    writer::LedgerWriter,
};
