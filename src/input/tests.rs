//! Round trips: records that were written in any format are read back unchanged, for any number of
//! bytes that each read returns.

use std::io::{self, Read};

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use proptest::{collection::vec, prelude::*};
use serde_json::json;

use super::{
    bytes::LineBuffer, detect::DetectedFormat, options::InputOptions, reader::RecordReader,
};
use crate::record::{TimeRange, TokenEncoding};

/// The values of a record.
#[derive(Clone, Debug, PartialEq)]
struct Values {
    token: Vec<u8>,
    /// Unix seconds.
    time: u32,
}

/// A file with its format.
struct Sample {
    name: &'static str,
    bytes: Vec<u8>,
    format: DetectedFormat,
}

/// All records and errors that a reader returned.
#[derive(Debug, Default, PartialEq)]
struct ReadResult {
    records: Vec<Values>,
    errors: Vec<String>,
}

fn options(token_encoding: TokenEncoding) -> InputOptions {
    InputOptions {
        token_encoding,
        time_range: TimeRange::ALL,
        ..InputOptions::default()
    }
}

/// A stream whose reads return at most as many bytes as the next number in `lengths`. The numbers
/// repeat endlessly.
struct ShortReads<'a> {
    bytes: &'a [u8],
    lengths: std::iter::Cycle<std::slice::Iter<'a, usize>>,
}

impl Read for ShortReads<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let length = *self.lengths.next().unwrap_or(&1);
        let length = length.min(out.len()).min(self.bytes.len());
        let (now, later) = self.bytes.split_at(length);
        out[..length].copy_from_slice(now);
        self.bytes = later;
        Ok(length)
    }
}

fn read(
    bytes: &[u8],
    format: &DetectedFormat,
    options: &InputOptions,
    lengths: &[usize],
) -> ReadResult {
    let stream = Box::new(ShortReads {
        bytes,
        lengths: lengths.iter().cycle(),
    });
    let mut reading = ReadResult::default();
    let buffer = LineBuffer::new(stream);
    let mut reader = match RecordReader::open(format.clone(), buffer, options) {
        Ok(reader) => reader,
        Err(error) => {
            reading.errors.push(format!("{error:?}"));
            return reading;
        }
    };
    while let Some(read) = reader.next() {
        match read {
            Ok(located) => reading.records.push(Values {
                token: located.value.token.as_bytes().to_vec(),
                time: located.value.expire_time.as_unix(),
            }),
            Err(error) => {
                reading.errors.push(format!("{error:?}"));
                if error.is_fatal {
                    break;
                }
            }
        }
    }
    reading
}

/// Encodes a token. `variant` chooses between two spellings of the same bytes.
fn encode(token: &[u8], encoding: TokenEncoding, variant: bool) -> String {
    match (encoding, variant) {
        (TokenEncoding::Utf8, _) => String::from_utf8(token.to_vec()).expect("UTF-8"),
        (TokenEncoding::Hex, false) => HEXLOWER.encode(token),
        (TokenEncoding::Hex, true) => HEXUPPER.encode(token),
        (TokenEncoding::Base64, false) => BASE64.encode(token),
        (TokenEncoding::Base64, true) => BASE64URL_NOPAD.encode(token),
    }
}

fn csv(
    records: &[Values],
    delimiter: u8,
    ends_in_crlf: bool,
    encode: &dyn Fn(&[u8]) -> String,
) -> Vec<u8> {
    let terminator = if ends_in_crlf {
        csv::Terminator::CRLF
    } else {
        csv::Terminator::Any(b'\n')
    };
    let mut writer = csv::WriterBuilder::new()
        .delimiter(delimiter)
        .terminator(terminator)
        .from_writer(Vec::new());
    writer
        .write_record(["note", "device_token", "expire_time"])
        .expect("written");
    for record in records {
        let note = "\"quoted\",\n\tand so on";
        let (token, time) = (encode(&record.token), record.time.to_string());
        writer.write_record([note, &token, &time]).expect("written");
    }
    writer.into_inner().expect("flushed")
}

/// Writes the records in every format.
fn samples(records: &[Values], encoding: TokenEncoding, variant: bool) -> Vec<Sample> {
    let token = |bytes: &[u8]| encode(bytes, encoding, variant);
    let objects: Vec<_> = records
        .iter()
        .map(|record| {
            json!({
                "deviceToken": token(&record.token),
                "x": [{}, "]"],
                "expireTime": record.time,
            })
        })
        .collect();
    let lines: Vec<_> = objects.iter().map(ToString::to_string).collect();
    let request: Vec<_> = records
        .iter()
        .map(|record| {
            json!({ "deviceToken": BASE64.encode(&record.token), "expireTime": record.time })
        })
        .collect();
    let array = |path: &[&str], is_protobuf| DetectedFormat::JsonArray {
        path: path.iter().map(ToString::to_string).collect(),
        is_protobuf,
    };
    let pretty = |value: &serde_json::Value| serde_json::to_vec_pretty(value).expect("JSON");
    let sample = |name, bytes, format| Sample {
        name,
        bytes,
        format,
    };
    vec![
        sample(
            "CSV",
            csv(records, b',', variant, &token),
            DetectedFormat::Csv {
                delimiter: b',',
                has_separator_line: false,
            },
        ),
        sample(
            "TSV",
            csv(records, b'\t', !variant, &token),
            DetectedFormat::Csv {
                delimiter: b'\t',
                has_separator_line: false,
            },
        ),
        sample("JSON", pretty(&json!(objects)), array(&[], false)),
        sample(
            "JSON with a pointer",
            pretty(&json!({ "a": [1, { "b~/": objects }, "]"], "z": "}" })),
            array(&["a", "1", "b~/"], false),
        ),
        sample(
            "NDJSON",
            lines.join("\n").into_bytes(),
            DetectedFormat::Ndjson { is_guess: variant },
        ),
        sample(
            "protobuf JSON",
            json!({ "sensorExpire": request }).to_string().into_bytes(),
            array(&["sensorExpire"], true),
        ),
    ]
}

fn encodings() -> impl Strategy<Value = TokenEncoding> {
    prop_oneof![
        Just(TokenEncoding::Utf8),
        Just(TokenEncoding::Hex),
        Just(TokenEncoding::Base64),
    ]
}

/// Returns a strategy for records with tokens that the encoding can represent.
fn records(encoding: TokenEncoding) -> BoxedStrategy<Vec<Values>> {
    let token = match encoding {
        // CSV refuses NUL bytes and lone carriage returns, and tokens have no whitespace around
        // them.
        TokenEncoding::Utf8 => "[^\\s\0\r]([^\0\r]{0,20}[^\\s\0\r])?"
            .prop_map(String::into_bytes)
            .boxed(),
        TokenEncoding::Hex | TokenEncoding::Base64 => vec(any::<u8>(), 1..24).boxed(),
    };
    let record = (token, any::<u32>()).prop_map(|(token, time)| Values { token, time });
    vec(record, 0..12).boxed()
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    vec(1_usize..40, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reads_back_written_records(
        (encoding, records) in encodings().prop_flat_map(|one| (Just(one), records(one))),
        variant in any::<bool>(),
        lengths in lengths(),
    ) {
        let options = options(encoding);
        for Sample { name, bytes, format } in samples(&records, encoding, variant) {
            let reading = read(&bytes, &format, &options, &lengths);
            prop_assert_eq!(&reading.errors, &Vec::<String>::new(), "{}", name);
            prop_assert_eq!(&reading.records, &records, "{}", name);
        }
    }

    #[test]
    fn reads_damaged_files_equally_with_any_read_sizes(
        records in records(TokenEncoding::Hex),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        end in any::<prop::sample::Index>(),
        lengths in lengths(),
    ) {
        let options = options(TokenEncoding::Hex);
        for Sample { name, mut bytes, format } in samples(&records, TokenEncoding::Hex, false) {
            for (index, damaged) in &damage {
                let index = index.index(bytes.len().max(1));
                if let Some(byte) = bytes.get_mut(index) {
                    *byte = *damaged;
                }
            }
            bytes.truncate(end.index(bytes.len() * 2 + 1));
            let whole = read(&bytes, &format, &options, &[usize::MAX]);
            let pieces = read(&bytes, &format, &options, &lengths);
            prop_assert_eq!(whole, pieces, "{}", name);
        }
    }
}
