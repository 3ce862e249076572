//! What costs in a push beside the network, each alone: records a second.

use std::sync::Arc;

use divan::{
    Bencher,
    counter::{BytesCount, ItemsCount},
};
use sensor_license::harness::{InputFormat, acknowledge, encode, read, unchanged};

fn main() {
    divan::main();
}

const RECORDS: usize = 100_000;

/// A token of 32 characters.
fn token(number: usize) -> String {
    // Neighbours must not look alike, nor sort as they come.
    let mixed = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{mixed:016x}{:016x}", mixed.rotate_left(29))
}

fn input(format: InputFormat) -> Arc<[u8]> {
    let time = |number: usize| 4_070_908_800 + number as u64 % 1_000_000;
    let numbers = 0..RECORDS;
    let csv = |delimiter: &str| {
        let header = format!("device_token{delimiter}expire_time\n");
        let row = |number| format!("{}{delimiter}{}\n", token(number), time(number));
        header + &numbers.clone().map(row).collect::<String>()
    };
    let objects = |token: &dyn Fn(usize) -> String, separator: &str| {
        let object = |number| {
            format!(
                r#"{{"deviceToken":"{}","expireTime":{}}}"#,
                token(number),
                time(number)
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
        // Hexadecimal digits are base64 too, of some other bytes.
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
    let input = input(format);
    bencher
        .counter(ItemsCount::new(RECORDS))
        .counter(BytesCount::new(input.len()))
        .bench(|| {
            let reading = read(&input, Some(format));
            assert_eq!(
                (reading.valid, reading.read),
                (RECORDS as u64, RECORDS as u64)
            );
        });
}

/// Every record twice, each time as it was: what is left out takes two further readings.
#[divan::bench]
fn validate_duplicates(bencher: Bencher<'_, '_>) {
    let rows: String = (0..RECORDS)
        .map(|number| format!("{},4070908800\n", token(number / 2)))
        .collect();
    let input: Arc<[u8]> = format!("device_token,expire_time\n{rows}")
        .into_bytes()
        .into();
    bencher.counter(ItemsCount::new(RECORDS)).bench(|| {
        let reading = read(&input, Some(InputFormat::Csv));
        assert_eq!(reading.valid, RECORDS as u64 / 2);
    });
}

fn tokens() -> Vec<String> {
    (0..RECORDS).map(token).collect()
}

#[divan::bench]
fn encode_requests(bencher: Bencher<'_, '_>) {
    let tokens = tokens();
    bencher.counter(ItemsCount::new(RECORDS)).bench(|| {
        // Two keys and lengths around a token of 32 bytes; a time of 0 is left out.
        assert_eq!(encode(&tokens), Ok(RECORDS * 36));
    });
}

#[divan::bench]
fn ledger_acknowledge(bencher: Bencher<'_, '_>) {
    let tokens = tokens();
    bencher
        .counter(ItemsCount::new(RECORDS))
        .with_inputs(|| tempfile::tempdir().expect("a folder"))
        .bench_local_refs(|folder| {
            assert_eq!(acknowledge(&folder.path().join("ledger"), &tokens), Ok(()));
        });
}

#[divan::bench]
fn ledger_compare(bencher: Bencher<'_, '_>) {
    let tokens = tokens();
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = folder.path().join("ledger");
    assert_eq!(acknowledge(&ledger, &tokens), Ok(()));
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| {
        assert_eq!(unchanged(&ledger, &tokens), Ok(RECORDS));
    });
}
