//! Records in the form in which the program reads them.

use std::io::Write;

use super::files::TempFile;

/// The expiration time 2099-01-01T00:00:00Z, which is in the future of every test run.
pub(crate) const EXPIRE_TIME: u32 = 4_070_908_800;

/// CSV with one record, whose token is long enough to be masked.
pub(crate) const ONE_RECORD: &[u8] = b"token,expire_time\nabcdefghijkl,4070908800\n";

/// The token of [`ONE_RECORD`].
pub(crate) const ONE_TOKEN: &str = "abcdefghijkl";

/// The prefix of all tokens of [`records`]. It is longer than the part of a token that is shown
/// after masking.
pub(crate) const TOKEN_PREFIX: &str = "sensor-0";

pub(crate) fn token(number: usize) -> String {
    format!("sensor-{number:05}")
}

/// Returns CSV with a header row, and a record for each number and expiration time.
pub(crate) fn csv(records: impl IntoIterator<Item = (usize, u32)>) -> Vec<u8> {
    let rows: String = records
        .into_iter()
        .map(|(number, time)| format!("{},{time}\n", token(number)))
        .collect();
    format!("token,expire_time\n{rows}").into_bytes()
}

/// Returns CSV with `count` records that all expire at `time`.
pub(crate) fn records_at(count: usize, time: u32) -> Vec<u8> {
    csv((0..count).map(|number| (number, time)))
}

/// Returns CSV with `count` records that all expire at [`EXPIRE_TIME`].
pub(crate) fn records(count: usize) -> Vec<u8> {
    records_at(count, EXPIRE_TIME)
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).expect("written");
    encoder.finish().expect("finished")
}

pub(crate) fn zstandard(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 1).expect("compressed")
}

/// Writes a file, and returns its path 1000 times. Reading all these inputs takes more than a
/// second.
pub(crate) fn slow_input(file: &TempFile) -> Vec<String> {
    let rows: String = (0..40_000)
        .map(|number| format!("t{number},{EXPIRE_TIME}\n"))
        .collect();
    file.write(format!("token,expire_time\n{rows}"));
    vec![file.str().to_owned(); 1000]
}
