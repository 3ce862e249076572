//! Measures the parts of a push in records per second: reading an input, encoding requests, and
//! using the ledger. Each part is measured separately, and the network is left out.

use std::sync::Arc;

use divan::{
    Bencher,
    counter::{BytesCount, ItemsCount},
};
use sensor_license::harness::{
    InputFormat, acknowledge_records, count_unchanged_records, count_valid_records, encode_records,
};

fn main() {
    divan::main();
}

const RECORDS: usize = 100_000;

/// Returns a token of 32 characters. Like real tokens, the tokens of neighboring numbers share no
/// prefix and are not in sorted order.
fn token(number: usize) -> String {
    let mixed = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{mixed:016x}{:016x}", mixed.rotate_left(29))
}

fn make_input(format: InputFormat) -> Arc<[u8]> {
    let expire_time = |number: usize| 4_070_908_800 + number as u64 % 1_000_000;
    let numbers = 0..RECORDS;
    let csv = |delimiter: &str| {
        let header = format!("device_token{delimiter}expire_time\n");
        let row = |number| format!("{}{delimiter}{}\n", token(number), expire_time(number));
        header + &numbers.clone().map(row).collect::<String>()
    };
    let objects = |token: &dyn Fn(usize) -> String, separator: &str| {
        let object = |number| {
            format!(
                r#"{{"deviceToken":"{}","expireTime":{}}}"#,
                token(number),
                expire_time(number)
            )
        };
        numbers
            .clone()
            .map(object)
            .collect::<Vec<_>>()
            .join(separator)
    };
    let text = match format {
        InputFormat::Csv => csv(","),
        InputFormat::Tsv => csv("\t"),
        InputFormat::Json => format!("[{}]", objects(&token, ",\n")),
        InputFormat::Ndjson => objects(&token, "\n"),
        // Tokens in protobuf JSON are Base64. Every hexadecimal digit is also a Base64 digit, so
        // the tokens are valid as they are.
        InputFormat::ProtoJson => format!(r#"{{"sensorExpire":[{}]}}"#, objects(&token, ",")),
    };
    text.into_bytes().into()
}

const FORMATS: [InputFormat; 5] = [
    InputFormat::Csv,
    InputFormat::Tsv,
    InputFormat::Json,
    InputFormat::Ndjson,
    InputFormat::ProtoJson,
];

#[divan::bench(args = FORMATS)]
fn validate(bencher: Bencher<'_, '_>, format: InputFormat) {
    let input = make_input(format);
    bencher
        .counter(ItemsCount::new(RECORDS))
        .counter(BytesCount::new(input.len()))
        .bench(|| {
            assert_eq!(count_valid_records(&input, Some(format)), RECORDS as u64);
        });
}

/// Validates an input in which each record occurs twice. Duplicates require two more passes over
/// the input.
#[divan::bench]
fn validate_duplicates(bencher: Bencher<'_, '_>) {
    let rows: String = (0..RECORDS)
        .map(|number| format!("{},4070908800\n", token(number / 2)))
        .collect();
    let input: Arc<[u8]> = format!("device_token,expire_time\n{rows}")
        .into_bytes()
        .into();
    bencher.counter(ItemsCount::new(RECORDS)).bench(|| {
        let valid_records = count_valid_records(&input, Some(InputFormat::Csv));
        assert_eq!(valid_records, RECORDS as u64 / 2);
    });
}

fn make_tokens() -> Vec<String> {
    (0..RECORDS).map(token).collect()
}

#[divan::bench]
fn encode_requests(bencher: Bencher<'_, '_>) {
    let tokens = make_tokens();
    bencher.counter(ItemsCount::new(RECORDS)).bench(|| {
        // Each record has 36 bytes: a token of 32 bytes, and a tag and a length each for the record
        // and for the token. The expiration time is 0, which protobuf does not encode.
        assert_eq!(encode_records(&tokens), Ok(RECORDS * 36));
    });
}

#[divan::bench]
fn ledger_acknowledge(bencher: Bencher<'_, '_>) {
    let tokens = make_tokens();
    bencher
        .counter(ItemsCount::new(RECORDS))
        .with_inputs(|| tempfile::tempdir().expect("a temporary folder"))
        .bench_local_refs(|folder| {
            assert_eq!(
                acknowledge_records(&folder.path().join("ledger"), &tokens),
                Ok(())
            );
        });
}

#[divan::bench]
fn ledger_compare(bencher: Bencher<'_, '_>) {
    let tokens = make_tokens();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ledger = folder.path().join("ledger");
    assert_eq!(acknowledge_records(&ledger, &tokens), Ok(()));
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| {
        assert_eq!(count_unchanged_records(&ledger, &tokens), Ok(RECORDS));
    });
}
