//! What a writer writes is read back equal, however the bytes come in.

use std::io::{self, Read};

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use proptest::{collection::vec, prelude::*};
use serde_json::json;

use super::{
    bytes::LineBuffer, detect::DetectedFormat, options::InputOptions, reader::RecordReader,
};
use crate::record::TokenEncoding;

type Plain = (Vec<u8>, u32);

fn options(token_encoding: TokenEncoding) -> InputOptions {
    InputOptions {
        token_encoding,
        ..InputOptions::default()
    }
}

/// Gives its bytes in pieces of these lengths, over and over.
struct Pieces<'a> {
    bytes: &'a [u8],
    lengths: std::iter::Cycle<std::slice::Iter<'a, usize>>,
}

impl Read for Pieces<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let length = *self.lengths.next().unwrap_or(&1);
        let length = length.min(out.len()).min(self.bytes.len());
        let (now, later) = self.bytes.split_at(length);
        out[..length].copy_from_slice(now);
        self.bytes = later;
        Ok(length)
    }
}

/// Everything that is read, and what is wrong with the rest, with its place.
fn read(
    bytes: &[u8],
    format: &DetectedFormat,
    options: &InputOptions,
    lengths: &[usize],
) -> (Vec<Plain>, Vec<String>) {
    let stream = Box::new(Pieces {
        bytes,
        lengths: lengths.iter().cycle(),
    });
    let mut records = Vec::new();
    let mut faults = Vec::new();
    let mut reader =
        match RecordReader::open(format.clone(), None, LineBuffer::new(stream), options) {
            Ok(reader) => reader,
            Err(fault) => return (records, vec![format!("{fault:?}")]),
        };
    while let Some(read) = reader.next() {
        match read {
            Ok(located) => {
                let record = located.value;
                records.push((
                    record.token.as_bytes().to_vec(),
                    record.expire_time.as_unix(),
                ));
            }
            Err(fault) => faults.push(format!("{fault:?}")),
        }
    }
    (records, faults)
}

/// A token as text that means it in `encoding`.
fn text(token: &[u8], encoding: TokenEncoding, variant: bool) -> String {
    match (encoding, variant) {
        (TokenEncoding::Utf8, _) => String::from_utf8(token.to_vec()).expect("UTF-8"),
        (TokenEncoding::Hex, false) => HEXLOWER.encode(token),
        (TokenEncoding::Hex, true) => HEXUPPER.encode(token),
        (TokenEncoding::Base64, false) => BASE64.encode(token),
        (TokenEncoding::Base64, true) => BASE64URL_NOPAD.encode(token),
    }
}

fn csv(records: &[Plain], delimiter: u8, crlf: bool, token: &dyn Fn(&[u8]) -> String) -> Vec<u8> {
    let terminator = if crlf {
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
    for (bytes, time) in records {
        let note = "\"quoted\",\n\tand so on";
        writer
            .write_record([note, &token(bytes), &time.to_string()])
            .expect("written");
    }
    writer.into_inner().expect("flushed")
}

/// Every form that these records can be written in, with the format to read it by.
fn forms(
    records: &[Plain],
    encoding: TokenEncoding,
    variant: bool,
) -> Vec<(&'static str, Vec<u8>, DetectedFormat)> {
    let token = |bytes: &[u8]| text(bytes, encoding, variant);
    let objects: Vec<_> = records
        .iter()
        .map(|(bytes, time)| json!({ "deviceToken": token(bytes), "x": [{}, "]"], "expireTime": time }))
        .collect();
    let lines: Vec<_> = objects.iter().map(ToString::to_string).collect();
    let request: Vec<_> = records
        .iter()
        .map(|(bytes, time)| json!({ "deviceToken": BASE64.encode(bytes), "expireTime": time }))
        .collect();
    let list = |steps: &[&str], is_protobuf| DetectedFormat::JsonArray {
        path: steps.iter().map(ToString::to_string).collect(),
        is_protobuf,
    };
    let pretty = |value: &serde_json::Value| serde_json::to_vec_pretty(value).expect("JSON");
    vec![
        (
            "CSV",
            csv(records, b',', variant, &token),
            DetectedFormat::Csv { delimiter: b',' },
        ),
        (
            "TSV",
            csv(records, b'\t', !variant, &token),
            DetectedFormat::Csv { delimiter: b'\t' },
        ),
        ("JSON", pretty(&json!(objects)), list(&[], false)),
        (
            "pointed JSON",
            pretty(&json!({ "a": [1, { "b~/": objects }, "]"], "z": "}" })),
            list(&["a", "1", "b~/"], false),
        ),
        (
            "NDJSON",
            lines.join("\n").into_bytes(),
            DetectedFormat::Ndjson,
        ),
        (
            "protobuf JSON",
            json!({ "sensorExpire": request }).to_string().into_bytes(),
            list(&["sensorExpire"], true),
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

/// Tokens that the encoding can write, and times.
fn records(encoding: TokenEncoding) -> BoxedStrategy<Vec<Plain>> {
    let token = match encoding {
        // NUL and a carriage return alone are refused in CSV, white space around a token always.
        TokenEncoding::Utf8 => "[^\\s\0\r]([^\0\r]{0,20}[^\\s\0\r])?"
            .prop_map(String::into_bytes)
            .boxed(),
        TokenEncoding::Hex | TokenEncoding::Base64 => vec(any::<u8>(), 1..24).boxed(),
    };
    vec((token, any::<u32>()), 0..12).boxed()
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    vec(1_usize..40, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back(
        (encoding, records) in encodings().prop_flat_map(|one| (Just(one), records(one))),
        variant in any::<bool>(),
        lengths in lengths(),
    ) {
        let options = options(encoding);
        for (name, bytes, format) in forms(&records, encoding, variant) {
            let (found, faults) = read(&bytes, &format, &options, &lengths);
            prop_assert_eq!(&faults, &Vec::<String>::new(), "{}", name);
            prop_assert_eq!(&found, &records, "{}", name);
        }
    }

    #[test]
    fn the_pieces_that_bytes_come_in_change_nothing(
        records in records(TokenEncoding::Hex),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        lengths in lengths(),
    ) {
        let options = options(TokenEncoding::Hex);
        for (name, mut bytes, format) in forms(&records, TokenEncoding::Hex, false) {
            for (index, byte) in &damage {
                let index = index.index(bytes.len().max(1));
                if let Some(there) = bytes.get_mut(index) {
                    *there = *byte;
                }
            }
            bytes.truncate(cut.index(bytes.len() * 2 + 1));
            let whole = read(&bytes, &format, &options, &[usize::MAX]);
            let pieces = read(&bytes, &format, &options, &lengths);
            prop_assert_eq!(whole, pieces, "{}", name);
        }
    }
}
