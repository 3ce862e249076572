//! Ledgers: they hold the records that each server acknowledged, so a push sends only new and
//! changed records.
//!
//! `crash` tests killed pushes.

mod addresses;
mod changes;
mod commands;
mod files;
mod guards;
mod locks;
mod missing;
mod unchanged;

use std::path::{Path, PathBuf};

use rusqlite::Connection as Database;
use tempfile::TempDir;

use crate::support::{
    fault_server::FaultServer,
    files::{FolderState, folder_state, utf8},
    program::Run,
};

/// Options for one record per request, one request at a time, and no retries.
const ONE_BY_ONE: &[&str] = &["--batch-records=1", "--concurrency=1", "--retry=0"];

/// A ledger in its own temporary folder. The file does not exist until the first push.
struct Ledger {
    folder: TempDir,
    path: PathBuf,
}

impl Ledger {
    fn absent() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ledger");
        Self { folder, path }
    }

    /// Returns a ledger after a successful push of `input`.
    fn after_push(server: &FaultServer, input: &[u8]) -> Self {
        let ledger = Self::absent();
        ledger.push(server, &[], input).exits(0);
        ledger
    }

    fn lock_path(&self) -> PathBuf {
        self.folder.path().join("ledger-lock")
    }

    fn str(&self) -> &str {
        utf8(&self.path)
    }

    /// Pushes with this ledger. The ledger identifies the server by the name `localhost`, so
    /// servers on different ports are the same server to the ledger.
    fn push(&self, server: &FaultServer, flags: &[&str], input: &[u8]) -> Run {
        let flags = [&["--servername=localhost"], flags].concat();
        self.push_by_address(server, &flags, input)
    }

    /// Pushes with this ledger. The ledger identifies the server by its address.
    fn push_by_address(&self, server: &FaultServer, flags: &[&str], input: &[u8]) -> Run {
        push_with_ledger(server, &self.path, flags, input)
    }

    fn database(&self) -> Database {
        Database::open(&self.path).expect("a database")
    }

    /// Returns the state of all files in the ledger's folder.
    fn files(&self) -> FolderState {
        folder_state(self.folder.path())
    }
}

fn push_with_ledger(server: &FaultServer, ledger: &Path, flags: &[&str], input: &[u8]) -> Run {
    let flags = [&["--ledger", utf8(ledger)], flags].concat();
    server.push(&flags, input)
}

const THREE_RECORDS: &[u8] =
    b"token,expire_time\nsensor-0001,4070908800\nsensor-0002,4070908800\nsensor-0003,4070908801\n";
