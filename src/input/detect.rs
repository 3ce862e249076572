//! Which format an input has, by its name and its first bytes.

use std::io::{self, Read};

use super::{options::Format, problem::Lookalike};

/// How many bytes are looked at.
const LOOK: usize = 4096;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The start of an input.
pub(super) struct Start {
    head: Vec<u8>,
}

/// Reads the first bytes of a stream, which are to be put back, less a UTF-8 byte order mark.
pub(super) fn read_head(input: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    input
        .take(BYTE_ORDER_MARK.len() as u64)
        .read_to_end(&mut head)?;
    if head == BYTE_ORDER_MARK {
        head.clear();
    }
    Ok(head)
}

impl Start {
    /// Reads the start of a stream, without a byte order mark. White space alone is passed over as
    /// far as it goes, so that it can be told from an input with something in it.
    pub(super) fn read(input: &mut dyn Read) -> io::Result<Self> {
        let mut head = read_head(input)?;
        loop {
            let read = input.take(LOOK as u64).read_to_end(&mut head)?;
            if read == 0 || !head.iter().all(u8::is_ascii_whitespace) {
                return Ok(Self { head });
            }
            head.clear();
        }
    }

    pub(super) fn is_blank(&self) -> bool {
        self.head.iter().all(u8::is_ascii_whitespace)
    }

    /// What the bytes look like that are no text of any format.
    pub(super) fn lookalike(&self) -> Option<Lookalike> {
        Some(match self.head.as_slice() {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Lookalike::Utf16,
            [b'P', b'K', 3 | 5, ..] => Lookalike::Zip,
            [0xd0, 0xcf, 0x11, 0xe0, ..] => Lookalike::Xls,
            [b'%', b'P', b'D', b'F', b'-', ..] => Lookalike::Pdf,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', b'Y', b'&', ..]
            | [b'7', b'z', 0xbc, 0xaf, ..] => Lookalike::OtherArchive,
            [0x89, b'P', b'N', b'G', ..] | [0x7f, b'E', b'L', b'F', ..] => Lookalike::Binary,
            head if head.starts_with(b"SQLite format 3\0") => Lookalike::Binary,
            // ASCII in UTF-16 has every other byte zero.
            [0, byte, 0, _, ..] | [byte, 0, _, 0, ..] if (1..128).contains(byte) => {
                Lookalike::Utf16
            }
            head if head.iter().take(512).filter(|byte| **byte == 0).count() > 8 => {
                Lookalike::Binary
            }
            _ => return None,
        })
    }

    /// The first byte that is no white space.
    pub(super) fn first(&self) -> Option<u8> {
        self.head
            .iter()
            .copied()
            .find(|byte| !byte.is_ascii_whitespace())
    }

    /// The format by content: JSON by its bracket, else CSV, or TSV where the first line has more
    /// tabs than commas outside quotes. An object may still turn out to be the first line of NDJSON.
    pub(super) fn format(&self) -> Format {
        if let Some(b'[' | b'{') = self.first() {
            return Format::Json;
        }
        let text = self.head.trim_ascii_start();
        let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        // What stands between quotes says nothing about the delimiter.
        let outside = || line.split(|byte| *byte == b'"').step_by(2).flatten();
        let count = |wanted: u8| outside().filter(|byte| **byte == wanted).count();
        if count(b'\t') > count(b',') {
            Format::Tsv
        } else {
            Format::Csv
        }
    }

    /// Whether this looks like NDJSON: the first two lines each start an object.
    pub(super) fn is_lines_of_objects(&self) -> bool {
        let mut lines = self
            .head
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::trim_ascii)
            .filter(|line| !line.is_empty());
        let is_object = |line: Option<&[u8]>| line.is_some_and(|line| line.starts_with(b"{"));
        is_object(lines.next()) && is_object(lines.next())
    }
}

/// The format that a file's name says.
pub(super) fn format_of_name(name: &str) -> Option<Format> {
    let name = name.to_ascii_lowercase();
    let name = name
        .strip_suffix(".gz")
        .or_else(|| name.strip_suffix(".zst"))
        .unwrap_or(&name);
    let (_, ending) = name.rsplit_once('.')?;
    Some(match ending {
        "csv" => Format::Csv,
        "tsv" => Format::Tsv,
        "json" => Format::Json,
        "ndjson" | "jsonl" => Format::Ndjson,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(bytes: &[u8]) -> Start {
        Start::read(&mut &*bytes).expect("memory can be read")
    }

    #[test]
    fn formats_by_content() {
        for (text, format) in [
            ("[{}]", Format::Json),
            ("\u{feff} \n [", Format::Json),
            ("{\"a\":1}", Format::Json),
            ("device_token,expire_time\n", Format::Csv),
            ("device_token\texpire_time\n", Format::Tsv),
            ("\"a\tb\",expire_time\n", Format::Csv),
            ("\"a,b\"\texpire_time\n", Format::Tsv),
            ("device_token\texpire_time\ta, b\n", Format::Tsv),
            ("token\n", Format::Csv),
        ] {
            assert_eq!(start(text.as_bytes()).format(), format, "{text:?}");
        }
    }

    #[test]
    fn formats_by_name() {
        for (name, format) in [
            ("a.csv", Some(Format::Csv)),
            ("a.CSV.GZ", Some(Format::Csv)),
            ("dir.json/a.tsv.zst", Some(Format::Tsv)),
            ("a.jsonl", Some(Format::Ndjson)),
            ("a.ndjson", Some(Format::Ndjson)),
            ("a.txt", None),
            ("csv", None),
        ] {
            assert_eq!(format_of_name(name), format, "{name}");
        }
    }

    #[test]
    fn what_is_no_text_is_told_by_its_bytes() {
        for (bytes, lookalike) in [
            (&b"\xff\xfed\0"[..], Some(Lookalike::Utf16)),
            (b"d\0e\0v\0", Some(Lookalike::Utf16)),
            (b"\0d\0e", Some(Lookalike::Utf16)),
            (b"PK\x03\x04", Some(Lookalike::Zip)),
            (b"\xd0\xcf\x11\xe0\xa1", Some(Lookalike::Xls)),
            (b"%PDF-1.7", Some(Lookalike::Pdf)),
            (b"\x7fELF\x02\x01", Some(Lookalike::Binary)),
            (&[0; 64], Some(Lookalike::Binary)),
            (b"device_token,expire_time\na,1\0\n", None),
            (b"", None),
        ] {
            assert_eq!(start(bytes).lookalike(), lookalike, "{bytes:?}");
        }
    }

    #[test]
    fn blank_is_blank_at_any_length() {
        assert!(start(b"").is_blank());
        assert!(start(b"\xef\xbb\xbf\r\n").is_blank());
        assert!(start(&[b'\n'; 3 * LOOK]).is_blank());
        let mut late = vec![b' '; 2 * LOOK];
        late.push(b'[');
        assert_eq!(start(&late).format(), Format::Json);
    }
}
