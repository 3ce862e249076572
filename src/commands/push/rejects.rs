//! The rejects file as an output of a push. [`crate::rejects`] formats its rows.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::Path,
    time::Duration,
};

use rustix::{fs::OFlags, io::Errno};

use super::context::Run;
use crate::{
    batch::Batch,
    commands::interrupts::Interrupts,
    contract::{Contract, DecodedRecord},
    delivery::{SinkError, UnacknowledgedReason},
    diagnostics::{self, Failure, FailureKind},
    file_identity::FileIdentity,
    input::{InputSource, ReadLimits, ValidatedInput},
    record::Record,
    rejects::RejectsFile,
    report::Summary,
};

const FIFO_POLL_INTERVAL: Duration = Duration::from_millis(20);

pub(super) struct Rejects<'p> {
    path: &'p Path,
    file: RejectsFile,
    /// Whether the push reads the old file.
    is_input: bool,
    /// The number of selected records that were neither acknowledged nor written to the file.
    /// `None` before the records are selected.
    pub(super) missing_records: Option<u64>,
    /// The error because of which the file cannot replace the old one.
    pub(super) error: Option<io::Error>,
}

impl<'p> Rejects<'p> {
    pub(super) fn open(path: &'p Path, run: &Run<'_>) -> Result<Self, Failure> {
        // The rejects file may be a FIFO. This write end stays open until `RejectsFile` has opened
        // a second one. Without a writer in between, the reader would find the end of the file.
        let _fifo = wait_for_fifo_reader(path, &run.interrupts)?;
        let file = RejectsFile::open(path)
            .map_err(|error| diagnostics::file_write_failed(path, &error))?;
        let sources = &run.plan.input.sources;
        Ok(Self {
            path,
            file,
            is_input: sources.iter().any(|source| is_file(source, path)),
            missing_records: None,
            error: None,
        })
    }

    pub(super) fn reserve(&self, records: u64, token_bytes: u64) -> Result<(), Failure> {
        let reserved = self.file.reserve(records, token_bytes);
        reserved.map_err(|error| diagnostics::file_write_failed(self.path, &error))
    }

    pub(super) fn add(
        &mut self,
        batch: &Batch,
        contract: &Contract,
        reason: &str,
    ) -> Result<(), SinkError> {
        for DecodedRecord { token, expire_time } in contract.decode_records(&batch.message) {
            if let Err(error) = self.file.add(token, expire_time, reason) {
                self.error = Some(error);
                return Err(SinkError);
            }
        }
        self.account_for(batch);
        Ok(())
    }

    /// Adds all records of the input, none of which was sent.
    pub(super) fn add_unsent(&mut self, count: u64, input: &mut ValidatedInput) {
        let reason = UnacknowledgedReason::PushStopped.to_string();
        // A signal or the deadline may have ended the push.
        input.set_read_limits(&ReadLimits::default());
        let mut records = input.records();
        let mut add_next = || {
            records.next(|Record { token, expire_time }| {
                self.file
                    .add(token.as_bytes(), expire_time.as_unix(), &reason)
            })
        };
        self.missing_records = loop {
            match add_next() {
                Ok(Some(Ok(()))) => {}
                Ok(Some(Err(error))) => {
                    self.error = Some(error);
                    break Some(count);
                }
                Ok(None) => break Some(0),
                Err(_) => break Some(count),
            }
        };
    }

    /// Counts the records of a batch that was acknowledged or written to the file.
    pub(super) fn account_for(&mut self, batch: &Batch) {
        if let Some(missing) = &mut self.missing_records {
            *missing -= batch.record_count;
        }
    }

    /// Replaces the old rejects file with the new one, and returns the result of the push.
    ///
    /// The old file is kept if the new one lacks records, because the old file may be the input of
    /// this push. A refused input leaves an empty file, so that nobody pushes the rejects of an
    /// earlier run. If the push ended for another reason before the input was validated, the old file
    /// is kept, because the whole input must be pushed again.
    pub(super) fn finish(
        self,
        result: Result<(), Failure>,
        summary: &mut Summary,
    ) -> Result<(), Failure> {
        let is_refused = matches!(&result, Err(failure) if failure.kind == FailureKind::Input);
        let has_records =
            self.missing_records.is_some() && summary.records.rejected + summary.records.unsent > 0;
        let written = match (self.error, self.missing_records) {
            (Some(error), _) => Err(error),
            (None, None) if is_refused && !self.is_input => self.file.finish(),
            (None, None) => return result,
            (None, Some(0)) => self.file.finish(),
            (None, Some(_)) => {
                let incomplete = diagnostics::rejects_incomplete(self.path);
                return Err(match result {
                    Ok(()) => incomplete,
                    Err(failure) => failure.and(incomplete),
                });
            }
        };
        match written {
            Ok(()) => {
                summary.rejects_file = has_records.then(|| self.path.to_owned());
                result
            }
            Err(error) => Err(diagnostics::file_write_failed(self.path, &error).and(result.err())),
        }
    }
}

fn is_file(source: &InputSource, path: &Path) -> bool {
    let source = match source {
        InputSource::Stdin => FileIdentity::of(Path::new("/dev/stdin")),
        InputSource::File(source) => FileIdentity::of(source),
        InputSource::Memory(_) => None,
    };
    source.is_some() && source == FileIdentity::of(path)
}

/// Returns the open write end of the FIFO, or `None` if the path is not a FIFO.
pub(super) fn wait_for_fifo_reader(
    path: &Path,
    interrupts: &Interrupts,
) -> Result<Option<File>, Failure> {
    if !fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo()) {
        return Ok(None);
    }
    let output_failure = |error| diagnostics::file_write_failed(path, &error);
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(flags);
    loop {
        match options.open(path) {
            // ENXIO: no process has the FIFO open for reading (open(2)).
            Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {}
            opened => return opened.map(Some).map_err(output_failure),
        }
        if !interrupts.pause(FIFO_POLL_INTERVAL) {
            let error = io::Error::other("no process opened it for reading");
            return Err(interrupts.explain(output_failure(error)));
        }
    }
}
