//! The rejects file of a push: adds rows while the push runs, and replaces the old file at the end.
//! [`crate::rejects`] formats the rows.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::{fs::OFlags, io::Errno};

use crate::{
    batch::Batch,
    commands::reactor::{Reactor, TimeLimit},
    contract::{Contract, DecodedRecord},
    diagnostics::{self, Failure},
    input::InputOptions,
    rejects::RejectsFile,
};

/// The time between two attempts to open a FIFO that has no reader yet.
const FIFO_POLL_INTERVAL: Duration = Duration::from_millis(20);

pub(super) struct RejectsOutput {
    path: PathBuf,
    file: RejectsFile,
}

impl RejectsOutput {
    /// Opens the rejects file. Tokens are written in the encoding of the input, and expiration
    /// times in the time unit of the input. A push with the same options can therefore read the
    /// file.
    pub(super) fn open(path: &Path, options: &InputOptions) -> Result<Self, Failure> {
        let unit = options.time_rules.unit;
        let file = RejectsFile::open(path, options.token_encoding, unit)
            .map_err(|error| diagnostics::file_write_failed(path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds the records of a batch, with the reason why they were not acknowledged.
    pub(super) fn add(
        &mut self,
        batch: &Batch,
        contract: &Contract,
        reason: &str,
    ) -> Result<(), Failure> {
        for DecodedRecord { token, expire_time } in contract.decode_records(&batch.message) {
            self.file
                .add(token, expire_time, reason)
                .map_err(|error| diagnostics::file_write_failed(&self.path, &error))?;
        }
        Ok(())
    }

    /// Replaces the old rejects file with the new one.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let Self { path, file } = self;
        file.finish()
            .map_err(|error| diagnostics::file_write_failed(&path, &error))
    }
}

/// Waits until a process has opened the FIFO for reading, and returns the open write end of the
/// FIFO. While the write end is open, the reader does not find the end of the file. Returns `None`
/// at once if the path is not a FIFO.
///
/// # Errors
///
/// The FIFO cannot be opened, or the time limit or a signal ends the wait.
pub(super) fn wait_for_fifo_reader(
    path: &Path,
    time_limit: Option<TimeLimit>,
    reactor: &Reactor<'_>,
) -> Result<Option<File>, Failure> {
    let is_fifo = |metadata: fs::Metadata| metadata.file_type().is_fifo();
    if !path.metadata().is_ok_and(is_fifo) {
        return Ok(None);
    }
    let output_failure = |error| diagnostics::file_write_failed(path, &error);
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    loop {
        let mut options = OpenOptions::new();
        match options.write(true).custom_flags(nonblocking).open(path) {
            // ENXIO: no process has the FIFO open for reading (open(2)).
            Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {}
            opened => return opened.map(Some).map_err(output_failure),
        }
        if time_limit.is_some_and(|limit| Instant::now() >= limit.deadline) {
            let text = "nobody had opened it to read when --max-time had passed";
            return Err(output_failure(io::Error::other(text)));
        }
        if let Some(signal) = reactor.pause(FIFO_POLL_INTERVAL) {
            return Err(diagnostics::command_interrupted(signal));
        }
    }
}
