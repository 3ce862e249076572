//! Checks that every JSON format is either read completely or refused with a position, and that a
//! second pass over the input gives the same result.

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
        if let Err(bug) = read_twice(&input, format) {
            panic!("{format:?}: {bug}");
        }
    }
});
