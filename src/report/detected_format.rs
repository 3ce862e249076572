//! The description of the format that was detected for an input.

use crate::input::DetectedFormat;

/// Describes the format that was detected for the input `name`.
pub(crate) fn describe_format(name: &str, format: &DetectedFormat) -> String {
    let format = match format {
        DetectedFormat::Blank => "nothing but white space".to_owned(),
        DetectedFormat::Csv { delimiter: b'\t' } => "rows of cells apart by a tab".to_owned(),
        DetectedFormat::Csv { delimiter } => {
            format!("rows of cells apart by {:?}", char::from(*delimiter))
        }
        DetectedFormat::Ndjson => "JSON, an object a line".to_owned(),
        DetectedFormat::JsonRecord => "JSON, one record".to_owned(),
        DetectedFormat::JsonArray { path, is_protobuf } => {
            let json = if *is_protobuf {
                "protobuf JSON"
            } else {
                "JSON"
            };
            match path.as_slice() {
                [] => format!("{json}, a list"),
                keys => format!("{json}, the list at {}", json_pointer(keys)),
            }
        }
    };
    format!("{name}: {format}")
}

/// Formats the keys that lead to a JSON value as a JSON Pointer (RFC 6901 section 3).
fn json_pointer(keys: &[String]) -> String {
    keys.iter()
        .map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1")))
        .collect()
}
