//! The records that were not acknowledged, as a file that can be pushed again.

use std::{io, path::Path};

use crate::{
    atomic_file::AtomicFile,
    record::{TimeUnit, TokenEncoding},
};

/// CSV with the columns `device_token`, `expire_time` and `reason`. Tokens stand in it whole, so
/// that only its owner may read it.
#[derive(Debug)]
pub(crate) struct RejectsFile {
    csv: csv::Writer<AtomicFile>,
    encoding: TokenEncoding,
    unit: TimeUnit,
}

const OWNER_ONLY: u32 = 0o600;

impl RejectsFile {
    /// Opens the file's new content; what is there, which may be read yet, stays until the end.
    /// Tokens and times are written as the push reads them, so that the same flags push it.
    pub(crate) fn open(path: &Path, encoding: TokenEncoding, unit: TimeUnit) -> io::Result<Self> {
        let mut csv = csv::Writer::from_writer(AtomicFile::open(path, OWNER_ONLY)?);
        csv.write_record(["device_token", "expire_time", "reason"])?;
        Ok(Self {
            csv,
            encoding,
            unit,
        })
    }

    pub(crate) fn add(&mut self, token: &[u8], time: u32, reason: &str) -> io::Result<()> {
        let token = self.encoding.encode(token);
        let time = match self.unit {
            TimeUnit::Seconds => u64::from(time),
            TimeUnit::Milliseconds => u64::from(time) * 1000,
        };
        let time = time.to_string();
        Ok(self
            .csv
            .write_record([&*token, time.as_bytes(), reason.as_bytes()])?)
    }

    /// Puts the file in place, empty or not.
    pub(crate) fn finish(self) -> io::Result<()> {
        let file = self
            .csv
            .into_inner()
            .map_err(csv::IntoInnerError::into_error)?;
        file.commit()
    }
}
