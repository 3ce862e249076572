//! Files that `--rejects` writes.

use std::path::Path;

use data_encoding::BASE64;

pub(crate) const HEADER_ROW: &str = "rejected_token,encoding,expire_time,reason\n";

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
    let expected = ["rejected_token", "encoding", "expire_time", "reason"];
    assert_eq!(header, &expected[..]);
    let text = |field: &[u8]| String::from_utf8(field.to_vec()).expect("UTF-8");
    csv.byte_records()
        .map(|row| {
            let row = row.expect("a row");
            RejectsRow {
                token: match &row[1] {
                    b"utf8" => row[0].to_vec(),
                    b"base64" => BASE64.decode(&row[0]).expect("base64"),
                    other => panic!("encoding {other:?}"),
                },
                expire_time: text(&row[2]),
                reason: text(&row[3]),
            }
        })
        .collect()
}
