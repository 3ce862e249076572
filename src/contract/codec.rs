//! Decodes the code in a response.

use bytes::Buf;
use prost::{
    DecodeError,
    encoding::{self, DecodeContext, WireType},
};
use prost_reflect::Kind;

/// The response field that holds the server's code: 0 means success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CodeField {
    pub(super) number: u32,
    pub(super) kind: Kind,
    /// The code of a response without this field, or `None` if the field is required.
    pub(super) default: Option<i32>,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct MalformedResponse(pub(crate) String);

/// If the field occurs more than once, the last value counts, as protobuf requires.
pub(super) fn decode_code(
    field: Option<&CodeField>,
    response: &mut impl Buf,
) -> Result<i32, MalformedResponse> {
    let malformed = |error: DecodeError| MalformedResponse(error.to_string());
    let mut code = field.map_or(Some(0), |field| field.default);
    while response.has_remaining() {
        let (number, wire_type) = encoding::decode_key(response).map_err(malformed)?;
        if let Some(field) = field.filter(|field| field.number == number) {
            let found = decode_integer(&field.kind, wire_type, response).map_err(malformed)?;
            let found = i32::try_from(found)
                .map_err(|_| MalformedResponse(format!("code {found} is out of range")))?;
            code = Some(found);
        } else {
            let context = DecodeContext::default();
            encoding::skip_field(wire_type, number, response, context).map_err(malformed)?;
        }
    }
    code.ok_or_else(|| MalformedResponse("no code".to_owned()))
}

macro_rules! decode {
    ($kind:ident, $wire_type:expr, $buffer:expr) => {{
        let mut value = Default::default();
        encoding::$kind::merge($wire_type, &mut value, $buffer, DecodeContext::default())?;
        i128::from(value)
    }};
}

fn decode_integer(
    kind: &Kind,
    wire_type: WireType,
    buffer: &mut impl Buf,
) -> Result<i128, DecodeError> {
    Ok(match kind {
        Kind::Int64 => decode!(int64, wire_type, buffer),
        Kind::Uint32 => decode!(uint32, wire_type, buffer),
        Kind::Uint64 => decode!(uint64, wire_type, buffer),
        Kind::Sint32 => decode!(sint32, wire_type, buffer),
        Kind::Sint64 => decode!(sint64, wire_type, buffer),
        Kind::Fixed32 => decode!(fixed32, wire_type, buffer),
        Kind::Fixed64 => decode!(fixed64, wire_type, buffer),
        Kind::Sfixed32 => decode!(sfixed32, wire_type, buffer),
        Kind::Sfixed64 => decode!(sfixed64, wire_type, buffer),
        // An `int32` or an enum, which have the same encoding.
        _ => decode!(int32, wire_type, buffer),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_code_among_other_fields() {
        use Kind::{Fixed64, Int32, Sfixed32, Sint32, Sint64, Uint64};
        let with_default = |default, number, kind| {
            Some(CodeField {
                number,
                kind,
                default,
            })
        };
        let field = |number, kind| with_default(Some(0), number, kind);
        for (field, response, expected) in [
            (field(1, Int32), &b""[..], Ok(0)),
            (field(1, Int32), b"\x08\x07", Ok(7)),
            // A negative int32 is encoded in ten bytes.
            (
                field(1, Int32),
                b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                Ok(-1),
            ),
            // The code occurs twice, and the last value counts.
            (field(1, Int32), b"\x08\x07\x08\x00", Ok(0)),
            // A string in field 2 precedes the code.
            (field(3, Sint32), b"\x12\x02hi\x18\x03", Ok(-2)),
            (field(3, Sint64), b"\x18\x04", Ok(2)),
            (field(5, Sfixed32), b"\x2d\xff\xff\xff\xff", Ok(-1)),
            (field(5, Fixed64), b"\x29\x09\0\0\0\0\0\0\0", Ok(9)),
            (None, b"\x08\x07\x12\x02hi", Ok(0)),
            (with_default(Some(5), 1, Int32), b"", Ok(5)),
            (with_default(Some(5), 1, Int32), b"\x08\x00", Ok(0)),
            (with_default(None, 1, Int32), b"\x08\x00", Ok(0)),
            (with_default(None, 1, Int32), b"\x12\x02hi", Err(false)),
            (
                field(1, Uint64),
                b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                Err(true),
            ),
            (field(1, Int32), b"\x0a\x01x", Err(false)),
            (field(1, Int32), b"\x08", Err(false)),
            (None, b"\x12\x05hi", Err(false)),
        ] {
            let mut buffer = response;
            let read = decode_code(field.as_ref(), &mut buffer)
                .map_err(|error| error.0.contains("out of range"));
            assert_eq!(read, expected, "{field:?} in {response:x?}");
        }
    }
}
