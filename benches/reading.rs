//! Reading and validating, by format: records and bytes a second.

use std::sync::Arc;

use divan::{
    Bencher,
    counter::{BytesCount, ItemsCount},
};
use sensor_license::inspect::{Format, read};

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

fn input(format: Format) -> Arc<[u8]> {
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
        Format::Csv => csv(","),
        Format::Tsv => csv("\t"),
        Format::Json => format!("[{}]", objects(&token, ",\n")),
        Format::Ndjson => objects(&token, "\n"),
        // Hexadecimal digits are base64 too, of some other bytes.
        Format::ProtoJson => format!(r#"{{"sensorExpire":[{}]}}"#, objects(&token, ",")),
    };
    text.into_bytes().into()
}

#[divan::bench(args = [Format::Csv, Format::Tsv, Format::Json, Format::Ndjson, Format::ProtoJson])]
fn validate(bencher: Bencher<'_, '_>, format: Format) {
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
