//! JSON in all its forms is read fully or refused with a place, the same in one reading as in two.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sensor_license::harness::{InputFormat, read_twice};

fuzz_target!(|input: &[u8]| {
    let input = input.into();
    for format in [
        None,
        Some(InputFormat::Json),
        Some(InputFormat::Ndjson),
        Some(InputFormat::ProtoJson),
    ] {
        if let Err(defect) = read_twice(&input, format) {
            panic!("{format:?}: {defect}");
        }
    }
});
