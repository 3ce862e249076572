//! `--changes`: a CSV file of the records that a push sends, with the previous times.

use std::{io, path::Path};

use super::{context::Run, rejects::wait_for_fifo_reader};
use crate::{
    atomic_file::{AtomicFile, OWNER_ONLY_MODE},
    diagnostics::{self, Failure, FailureKind},
    input::{ValidatedInput, ValidationCounts},
    ledger::KnownTimes,
    record::{Record, TokenEncoding},
};

const HEADER: [&str; 3] = ["device_token", "expire_time", "previous_expire_time"];

/// More than the length of the first line.
const HEADER_BYTES: u64 = 64;

pub(super) struct ChangesFile<'p> {
    path: &'p Path,
    /// `None` after the attempt to replace the old content.
    file: Option<AtomicFile>,
}

impl<'p> ChangesFile<'p> {
    pub(super) fn open(run: &Run<'p>) -> Result<Option<Self>, Failure> {
        let ledger = run.plan.ledger.as_ref();
        let Some(path) = ledger.and_then(|ledger| ledger.changes_file.as_deref()) else {
            return Ok(None);
        };
        let _fifo = wait_for_fifo_reader(path, &run.interrupts)?;
        let file = AtomicFile::open(path, OWNER_ONLY_MODE)
            .map_err(|error| diagnostics::file_write_failed(path, &error))?;
        let file = Some(file);
        Ok(Some(Self { path, file }))
    }

    /// Replaces the old content with the selected records. This happens before the first request, so
    /// that a push whose changes cannot be written sends nothing.
    pub(super) fn write(
        &mut self,
        run: &Run<'_>,
        mut known: Option<&mut KnownTimes>,
        input: &mut ValidatedInput,
    ) -> Result<(), Failure> {
        let Some(file) = self.file.take() else {
            return Ok(());
        };
        let write_failed = |error| diagnostics::file_write_failed(self.path, &error);
        reserve(&file, run.summary.records.unsent, &input.counts).map_err(write_failed)?;
        let mut csv = start(file).map_err(write_failed)?;
        let encoding = run.plan.input.options.token_encoding;
        let mut records = input.records();
        let mut write_next = || {
            records.next(|record| {
                let known = known.as_deref_mut();
                let previous = known.and_then(|known| known.last_time(record.token.as_bytes()));
                write_row(&mut csv, record, encoding, previous)
            })
        };
        loop {
            match write_next() {
                Ok(Some(written)) => written.map_err(write_failed)?,
                Ok(None) => break,
                Err(problem) => {
                    let failure = diagnostics::input_not_read_again(&problem);
                    return Err(run.interrupts.explain(failure));
                }
            }
        }
        finish(csv).map_err(write_failed)
    }

    /// Leaves only the header row if the input was refused, so that nobody mistakes the records
    /// of an earlier push for the records of this push. Returns the result of the push.
    pub(super) fn close(self, result: Result<(), Failure>) -> Result<(), Failure> {
        let is_refused = matches!(&result, Err(failure) if failure.kind == FailureKind::Input);
        let Some(file) = self.file.filter(|_| is_refused) else {
            return result;
        };
        match start(file).and_then(finish) {
            Ok(()) => result,
            Err(error) => Err(diagnostics::file_write_failed(self.path, &error).and(result.err())),
        }
    }
}

/// Reserves disk space for `selected` records with tokens of average length.
fn reserve(file: &AtomicFile, selected: u64, counts: &ValidationCounts) -> io::Result<()> {
    let token_bytes = counts.token_bytes / counts.valid().max(1) + 1;
    // The times and the delimiters take up to 23 bytes, the prefix `base64:` another 7, and base64
    // text a third more than the token.
    file.reserve(HEADER_BYTES + selected * (token_bytes + token_bytes.div_ceil(3) + 32))
}

fn start(file: AtomicFile) -> io::Result<csv::Writer<AtomicFile>> {
    let mut csv = csv::Writer::from_writer(file);
    csv.write_record(HEADER)?;
    Ok(csv)
}

fn write_row(
    csv: &mut csv::Writer<AtomicFile>,
    record: &Record<'_>,
    encoding: TokenEncoding,
    previous: Option<u32>,
) -> io::Result<()> {
    let previous = previous.map_or_else(String::new, |time| time.to_string());
    Ok(csv.write_record([
        &*encoding.to_csv_text(record.token.as_bytes()),
        record.expire_time.as_unix().to_string().as_bytes(),
        previous.as_bytes(),
    ])?)
}

fn finish(csv: csv::Writer<AtomicFile>) -> io::Result<()> {
    let file = csv.into_inner();
    file.map_err(csv::IntoInnerError::into_error)?.commit()
}
