//! Files that `--rejects` writes.

use std::path::Path;

pub(crate) const HEADER_ROW: &str = "device_token,expire_time,reason\n";

/// One record of a file that `--rejects` wrote.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RejectsRow {
    pub(crate) token: Vec<u8>,
    pub(crate) expire_time: String,
    pub(crate) reason: String,
}

pub(crate) fn read_rejects(path: &Path) -> Vec<RejectsRow> {
    let mut csv = csv::Reader::from_path(path).expect("rejects");
    let header = csv.byte_headers().expect("a header row");
    assert_eq!(header, vec!["device_token", "expire_time", "reason"]);
    let text = |field: &[u8]| String::from_utf8(field.to_vec()).expect("UTF-8");
    csv.byte_records()
        .map(|row| {
            let row = row.expect("a row");
            RejectsRow {
                token: row[0].to_vec(),
                expire_time: text(&row[1]),
                reason: text(&row[2]),
            }
        })
        .collect()
}
