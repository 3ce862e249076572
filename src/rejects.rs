//! [`RejectsFile`]: the CSV file of unacknowledged records, which can be pushed again.

use std::{io, path::Path};

use crate::{
    atomic_file::{AtomicFile, OWNER_ONLY_MODE},
    input::REJECTS_HEADER,
    record::{TokenEncoding, fits_csv_text},
};

#[derive(Debug)]
pub(crate) struct RejectsFile {
    csv: csv::Writer<AtomicFile>,
}

/// More than the length of the first line.
const HEADER_BYTES: u64 = 64;

impl RejectsFile {
    /// The old content remains until [`RejectsFile::finish`], because the file may be the input of
    /// the push.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut csv = csv::Writer::from_writer(AtomicFile::open(path, OWNER_ONLY_MODE)?);
        csv.write_record(REJECTS_HEADER)?;
        Ok(Self { csv })
    }

    /// Reserves disk space for `records` records whose tokens have `token_bytes` bytes in total.
    pub(crate) fn reserve(&self, records: u64, token_bytes: u64) -> io::Result<()> {
        // The time, the encoding and the delimiters take up to 20 bytes, and base64 a third more
        // than the token. Most reasons are shorter than 80 bytes.
        let bytes = token_bytes + token_bytes.div_ceil(3) + 100 * records;
        self.csv.get_ref().reserve(bytes + HEADER_BYTES)
    }

    /// `time` is in Unix seconds.
    pub(crate) fn add(&mut self, token: &[u8], time: u32, reason: &str) -> io::Result<()> {
        let encoding = if fits_csv_text(token) {
            TokenEncoding::Utf8
        } else {
            TokenEncoding::Base64
        };
        Ok(self.csv.write_record([
            &*encoding.encode(token),
            encoding.name().as_bytes(),
            time.to_string().as_bytes(),
            reason.as_bytes(),
        ])?)
    }

    pub(crate) fn finish(self) -> io::Result<()> {
        let file = self
            .csv
            .into_inner()
            .map_err(csv::IntoInnerError::into_error)?;
        file.commit()
    }
}
