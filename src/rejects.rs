//! [`RejectsFile`]: the CSV file of unacknowledged records, which can be pushed again.

use std::{io, path::Path};

use crate::{
    atomic_file::{AtomicFile, OWNER_ONLY_MODE},
    record::{TimeUnit, TokenEncoding},
};

#[derive(Debug)]
pub(crate) struct RejectsFile {
    csv: csv::Writer<AtomicFile>,
    encoding: TokenEncoding,
    unit: TimeUnit,
}

impl RejectsFile {
    /// The old content remains until [`RejectsFile::finish`], because the file may be the input of
    /// the push. Records are written as in the input, so the same options can push the file.
    pub(crate) fn open(path: &Path, encoding: TokenEncoding, unit: TimeUnit) -> io::Result<Self> {
        let mut csv = csv::Writer::from_writer(AtomicFile::open(path, OWNER_ONLY_MODE)?);
        csv.write_record(["device_token", "expire_time", "reason"])?;
        Ok(Self {
            csv,
            encoding,
            unit,
        })
    }

    /// `time` is in Unix seconds.
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

    pub(crate) fn finish(self) -> io::Result<()> {
        let file = self
            .csv
            .into_inner()
            .map_err(csv::IntoInnerError::into_error)?;
        file.commit()
    }
}
