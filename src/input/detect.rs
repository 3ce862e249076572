//! Format detection from the file name and the first bytes of an input.

use std::{
    fmt,
    io::{self, Read},
};

use serde::de::IgnoredAny;

use super::{
    excerpt::Excerpt,
    options::{InputFormat, JsonPointer, REJECTS_HEADER, format_pointer},
    problem::UnsupportedFormat,
};

const HEAD_BYTES: usize = 4096;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DetectedFormat {
    Blank,
    Csv {
        delimiter: u8,
        /// Whether the first line is `sep=;` or the like, with which Excel tells the delimiter.
        has_separator_line: bool,
    },
    /// A file that `--rejects` wrote, which names the encoding of each token.
    Rejects,
    Ndjson {
        /// Whether the first lines suggest the format, and neither a name nor an option tells it.
        is_guess: bool,
    },
    JsonArray {
        path: JsonPointer,
        /// Whether the document is the request message in the JSON mapping of protobuf.
        is_protobuf: bool,
    },
    JsonRecord,
    /// Objects one after the other, which may span lines.
    JsonObjects,
}

/// Returns the format for the extension of a file name. A final `.gz` or `.zst` is ignored.
pub(super) fn format_from_name(name: &str) -> Option<InputFormat> {
    let name = name.to_ascii_lowercase();
    let name = name
        .strip_suffix(".gz")
        .or_else(|| name.strip_suffix(".zst"))
        .unwrap_or(&name);
    let (_, extension) = name.rsplit_once('.')?;
    Some(match extension {
        "csv" => InputFormat::Csv,
        "tsv" => InputFormat::Tsv,
        "json" => InputFormat::Json,
        "ndjson" | "jsonl" => InputFormat::Ndjson,
        _ => return None,
    })
}

impl fmt::Display for DetectedFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blank => f.write_str("empty"),
            Self::Csv {
                delimiter: b'\t', ..
            } => f.write_str("CSV, delimiter tab"),
            Self::Csv { delimiter, .. } => {
                write!(f, "CSV, delimiter \"{}\"", char::from(*delimiter))
            }
            Self::Rejects => f.write_str("CSV written by --rejects"),
            Self::Ndjson { .. } => f.write_str("NDJSON"),
            Self::JsonRecord => f.write_str("JSON, one record"),
            Self::JsonObjects => f.write_str("JSON objects"),
            Self::JsonArray { path, is_protobuf } => {
                let protobuf = if *is_protobuf { "protobuf " } else { "" };
                write!(f, "{protobuf}JSON array")?;
                if path.is_empty() {
                    return Ok(());
                }
                write!(f, " at {}", Excerpt::from_text(&format_pointer(path)))
            }
        }
    }
}

/// The first bytes of an input, without a UTF-8 byte order mark.
pub(super) struct Head {
    bytes: Vec<u8>,
}

impl Head {
    pub(super) fn read(input: &mut dyn Read) -> io::Result<Self> {
        let mut bytes = Vec::new();
        loop {
            let read = input.take(HEAD_BYTES as u64).read_to_end(&mut bytes)?;
            if read == 0 || !bytes.iter().all(u8::is_ascii_whitespace) {
                return Ok(Self { bytes });
            }
            bytes.clear();
        }
    }

    pub(super) fn is_blank(&self) -> bool {
        is_blank(&self.bytes)
    }

    pub(super) fn unsupported_format(&self) -> Option<UnsupportedFormat> {
        Some(match self.bytes.as_slice() {
            [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => UnsupportedFormat::Utf32,
            [0, 0, 0, byte, ..] | [byte, 0, 0, 0, ..] if (1..128).contains(byte) => {
                UnsupportedFormat::Utf32
            }
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => UnsupportedFormat::Utf16,
            [b'P', b'K', 3 | 5, ..] => UnsupportedFormat::Zip,
            [0xd0, 0xcf, 0x11, 0xe0, ..] => UnsupportedFormat::Xls,
            [b'%', b'P', b'D', b'F', b'-', ..] => UnsupportedFormat::Pdf,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', b'Y', b'&', ..]
            | [b'7', b'z', 0xbc, 0xaf, ..] => UnsupportedFormat::OtherArchive,
            [0x89, b'P', b'N', b'G', ..] | [0x7f, b'E', b'L', b'F', ..] => {
                UnsupportedFormat::Binary
            }
            bytes if bytes.starts_with(b"SQLite format 3\0") => UnsupportedFormat::Binary,
            // In UTF-16, every second byte of ASCII text is zero.
            [0, byte, 0, _, ..] | [byte, 0, _, 0, ..] if (1..128).contains(byte) => {
                UnsupportedFormat::Utf16
            }
            // The record readers report a few NUL bytes as problems of single records.
            bytes if bytes.iter().take(512).filter(|byte| **byte == 0).count() > 8 => {
                UnsupportedFormat::Binary
            }
            _ => return None,
        })
    }

    pub(super) fn is_rejects(&self) -> bool {
        let line = self.bytes.split(|byte| *byte == b'\n').next();
        let line = line.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        line == Some(REJECTS_HEADER.join(",").as_bytes())
    }

    /// Returns whether the header row names the columns of a rejects file in another form: quoted,
    /// with another delimiter, in upper case, in another order or among other columns.
    pub(super) fn is_altered_rejects(&self) -> bool {
        let lines = self.bytes.split(|byte| *byte == b'\n');
        let lines = lines.map(<[u8]>::trim_ascii);
        let is_header = |line: &&[u8]| !line.is_empty() && separator(line).is_none();
        let header = lines.into_iter().find(is_header).unwrap_or_default();
        let is_separator = |byte: &u8| !byte.is_ascii_alphanumeric() && *byte != b'_';
        let names = header.split(is_separator).map(<[u8]>::to_ascii_lowercase);
        let names: Vec<_> = names.collect();
        let [token, encoding, ..] = REJECTS_HEADER.map(|name| name.as_bytes().to_vec());
        names.contains(&token) && names.contains(&encoding)
    }

    pub(super) fn first_byte(&self) -> Option<u8> {
        self.bytes.trim_ascii_start().first().copied()
    }

    /// Returns the delimiter of a first line such as `sep=;`, which LibreOffice writes in quotes.
    pub(super) fn separator(&self) -> Option<u8> {
        let line = first_line(&self.bytes);
        separator(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// Returns TSV if the first line has more tabs than commas outside of quotes.
    pub(super) fn format(&self) -> InputFormat {
        if let Some(b'[' | b'{') = self.first_byte() {
            return InputFormat::Json;
        }
        let text = self.bytes.trim_ascii_start();
        let line = first_line(text);
        let unquoted = || line.split(|byte| *byte == b'"').step_by(2).flatten();
        let count = |wanted: u8| unquoted().filter(|byte| **byte == wanted).count();
        if count(b'\t') > count(b',') {
            InputFormat::Tsv
        } else {
            InputFormat::Csv
        }
    }

    /// Returns whether a text of several JSON documents seems to have each on a line of its own.
    pub(super) fn has_document_per_line(&self) -> bool {
        let text = self.bytes.trim_ascii_start();
        let mut documents = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
        let first = documents.next();
        let (document, rest) = text.split_at(documents.byte_offset());
        // A document that is longer than the head has its first line feed at its end.
        let is_on_own_line = match first {
            Some(Ok(_)) => !document.contains(&b'\n') && is_blank(first_line(rest)),
            _ => !text.contains(&b'\n'),
        };
        is_on_own_line
            && !rest
                .split_inclusive(|byte| *byte == b'\n')
                .any(|line| line.ends_with(b"\n") && line.trim_ascii() == b"{")
    }

    /// Returns whether a text whose first JSON document is malformed seems to have one on each line.
    pub(super) fn is_ndjson(&self) -> bool {
        let mut lines = self
            .bytes
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::trim_ascii)
            .filter(|line| !line.is_empty());
        let is_object = |line: Option<&[u8]>| line.is_some_and(|line| line.starts_with(b"{"));
        is_object(lines.next()) && is_object(lines.next())
    }
}

fn separator(line: &[u8]) -> Option<u8> {
    let quoted = line
        .strip_prefix(b"\"")
        .and_then(|line| line.strip_suffix(b"\""));
    match quoted.unwrap_or(line) {
        [s, e, p, b'=', delimiter]
            if [*s, *e, *p].eq_ignore_ascii_case(b"sep")
                && !delimiter.is_ascii_alphanumeric()
                && delimiter.is_ascii()
                && !b"\"\r\0".contains(delimiter) =>
        {
            Some(*delimiter)
        }
        _ => None,
    }
}

fn is_blank(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_whitespace)
}

fn first_line(text: &[u8]) -> &[u8] {
    let end = memchr::memchr(b'\n', text).unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(bytes: &[u8]) -> Head {
        Head::read(&mut &*bytes).expect("memory can be read")
    }

    #[test]
    fn detects_format_by_first_bytes() {
        for (text, format) in [
            ("[{}]", InputFormat::Json),
            (" \n [", InputFormat::Json),
            ("{\"a\":1}", InputFormat::Json),
            ("device_token,expire_time\n", InputFormat::Csv),
            ("device_token\texpire_time\n", InputFormat::Tsv),
            ("\"a\tb\",expire_time\n", InputFormat::Csv),
            ("\"a,b\"\texpire_time\n", InputFormat::Tsv),
            ("device_token\texpire_time\ta, b\n", InputFormat::Tsv),
            ("token\n", InputFormat::Csv),
        ] {
            assert_eq!(head(text.as_bytes()).format(), format, "{text:?}");
        }
    }

    #[test]
    fn reads_delimiter_from_excel_sep_line() {
        for (text, delimiter) in [
            ("sep=;\r\na;1\r\n", Some(b';')),
            ("SEP=,\n", Some(b',')),
            ("\"sep=|\"\n", Some(b'|')),
            ("sep=\t", Some(b'\t')),
            ("sep=\n", None),
            ("sep=\r\n", None),
            ("sep=;;\n", None),
            ("sep=a\n", None),
            ("sep=\"\n", None),
            ("a\nsep=;\n", None),
        ] {
            assert_eq!(head(text.as_bytes()).separator(), delimiter, "{text:?}");
        }
    }

    #[test]
    fn recognizes_documents_that_span_lines() {
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(2 * HEAD_BYTES));
        for (text, has_document_per_line) in [
            ("{\"a\":1}\n{\"a\":2}\n", true),
            ("\n{\"a\":1} \r\n\r\n{\"a\":", true),
            ("{\"a\":1}\nmalformed\n", true),
            (&format!("{long}\n{long}"), true),
            ("{\"a\":1}{\"a\":2}\n", false),
            ("{\n  \"a\":1\n}\n{\n", false),
            ("{}\n{\n  \"a\":1\n}\n", false),
            // The first bytes end after the first byte of a line.
            (&("{\"a\": 1}\n".repeat(500) + "{"), true),
            (&format!("{{\n\"b\":{long}}}\n{{}}"), false),
        ] {
            let head = head(text.as_bytes());
            assert_eq!(
                head.has_document_per_line(),
                has_document_per_line,
                "{text}"
            );
        }
    }

    #[test]
    fn detects_format_by_file_name() {
        for (name, format) in [
            ("a.csv", Some(InputFormat::Csv)),
            ("a.CSV.GZ", Some(InputFormat::Csv)),
            ("dir.json/a.tsv.zst", Some(InputFormat::Tsv)),
            ("a.jsonl", Some(InputFormat::Ndjson)),
            ("a.ndjson", Some(InputFormat::Ndjson)),
            ("a.txt", None),
            ("csv", None),
        ] {
            assert_eq!(format_from_name(name), format, "{name}");
        }
    }

    #[test]
    fn recognizes_files_that_are_not_text() {
        for (bytes, format) in [
            (&b"\xff\xfed\0"[..], Some(UnsupportedFormat::Utf16)),
            (b"d\0e\0v\0", Some(UnsupportedFormat::Utf16)),
            (b"\0d\0e", Some(UnsupportedFormat::Utf16)),
            (b"\xff\xfe\0\0d\0\0\0", Some(UnsupportedFormat::Utf32)),
            (b"\0\0\xfe\xff\0\0\0d", Some(UnsupportedFormat::Utf32)),
            (b"d\0\0\0e\0\0\0", Some(UnsupportedFormat::Utf32)),
            (b"\0\0\0d\0\0\0e", Some(UnsupportedFormat::Utf32)),
            (b"PK\x03\x04", Some(UnsupportedFormat::Zip)),
            (b"\xd0\xcf\x11\xe0\xa1", Some(UnsupportedFormat::Xls)),
            (b"%PDF-1.7", Some(UnsupportedFormat::Pdf)),
            (b"\x7fELF\x02\x01", Some(UnsupportedFormat::Binary)),
            (&[0; 64], Some(UnsupportedFormat::Binary)),
            (b"device_token,expire_time\na,1\0\n", None),
            (b"", None),
        ] {
            assert_eq!(head(bytes).unsupported_format(), format, "{bytes:?}");
        }
    }

    #[test]
    fn skips_leading_whitespace() {
        assert!(head(b"").is_blank());
        assert!(head(b" \r\n").is_blank());
        assert!(head(&[b'\n'; 3 * HEAD_BYTES]).is_blank());
        let mut late = vec![b' '; 2 * HEAD_BYTES];
        late.push(b'[');
        assert_eq!(head(&late).format(), InputFormat::Json);
    }
}
