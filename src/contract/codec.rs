//! Requests that are encoded already, and the responses to them.

use std::{fmt, sync::Arc};

use bytes::{Buf, BufMut, Bytes};
use prost::{
    DecodeError,
    encoding::{self, DecodeContext, WireType},
};
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

/// A response message that can't be decoded, in the decoder's words.
#[derive(Debug)]
pub(crate) struct MalformedResponse(pub(crate) String);

impl fmt::Display for MalformedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for MalformedResponse {}

/// The field of a response that holds its code: an integer or an enum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CodeField {
    pub(super) number: u32,
    pub(super) kind: IntegerKind,
    /// What a response without it means; none where it must be there.
    pub(super) absent: Option<i32>,
}

/// The integer types of protobuf; an enum is an `int32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IntegerKind {
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
}

/// Sends requests that are encoded already and reads the response's code, which is 0 where the
/// response has none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PushCodec(pub(super) Option<CodeField>);

impl Codec for PushCodec {
    type Encode = Bytes;
    type Decode = i32;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for PushCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, request: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(request);
        Ok(())
    }
}

impl Decoder for PushCodec {
    type Item = i32;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<i32>, Status> {
        code(self.0, buffer).map(Some).map_err(|malformed| {
            let mut status = Status::internal("malformed response");
            status.set_source(Arc::new(malformed));
            status
        })
    }
}

/// Reads a response, of which only the code counts. Of several codes the last one does.
fn code(field: Option<CodeField>, response: &mut impl Buf) -> Result<i32, MalformedResponse> {
    let malformed = |error: DecodeError| MalformedResponse(error.to_string());
    let mut code = field.map_or(Some(0), |field| field.absent);
    while response.has_remaining() {
        let (number, wire_type) = encoding::decode_key(response).map_err(malformed)?;
        if let Some(field) = field.filter(|field| field.number == number) {
            let found = field.kind.read(wire_type, response).map_err(malformed)?;
            let found = i32::try_from(found)
                .map_err(|_| MalformedResponse(format!("the code {found} is out of range")))?;
            code = Some(found);
        } else {
            let context = DecodeContext::default();
            encoding::skip_field(wire_type, number, response, context).map_err(malformed)?;
        }
    }
    code.ok_or_else(|| MalformedResponse("the code is missing".to_owned()))
}

/// Reads with one of prost's `merge` functions.
macro_rules! merged {
    ($kind:ident, $wire_type:expr, $buffer:expr) => {{
        let mut value = Default::default();
        encoding::$kind::merge($wire_type, &mut value, $buffer, DecodeContext::default())?;
        i128::from(value)
    }};
}

impl IntegerKind {
    fn read(self, wire_type: WireType, buffer: &mut impl Buf) -> Result<i128, DecodeError> {
        Ok(match self {
            Self::Int32 => merged!(int32, wire_type, buffer),
            Self::Int64 => merged!(int64, wire_type, buffer),
            Self::Uint32 => merged!(uint32, wire_type, buffer),
            Self::Uint64 => merged!(uint64, wire_type, buffer),
            Self::Sint32 => merged!(sint32, wire_type, buffer),
            Self::Sint64 => merged!(sint64, wire_type, buffer),
            Self::Fixed32 => merged!(fixed32, wire_type, buffer),
            Self::Fixed64 => merged!(fixed64, wire_type, buffer),
            Self::Sfixed32 => merged!(sfixed32, wire_type, buffer),
            Self::Sfixed64 => merged!(sfixed64, wire_type, buffer),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_found_among_other_fields() {
        use IntegerKind::{Fixed64, Int32, Sfixed32, Sint32, Sint64, Uint64};
        let or = |absent, number, kind| {
            Some(CodeField {
                number,
                kind,
                absent,
            })
        };
        let field = |number, kind| or(Some(0), number, kind);
        for (field, response, expected) in [
            (field(1, Int32), &b""[..], Ok(0)),
            (field(1, Int32), b"\x08\x07", Ok(7)),
            // Ten bytes, as a negative int32 takes.
            (
                field(1, Int32),
                b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                Ok(-1),
            ),
            // The last one counts.
            (field(1, Int32), b"\x08\x07\x08\x00", Ok(0)),
            // A text in field 2 comes first.
            (field(3, Sint32), b"\x12\x02hi\x18\x03", Ok(-2)),
            (field(3, Sint64), b"\x18\x04", Ok(2)),
            (field(5, Sfixed32), b"\x2d\xff\xff\xff\xff", Ok(-1)),
            (field(5, Fixed64), b"\x29\x09\0\0\0\0\0\0\0", Ok(9)),
            (None, b"\x08\x07\x12\x02hi", Ok(0)),
            (or(Some(5), 1, Int32), b"", Ok(5)),
            (or(Some(5), 1, Int32), b"\x08\x00", Ok(0)),
            (or(None, 1, Int32), b"\x08\x00", Ok(0)),
            (or(None, 1, Int32), b"\x12\x02hi", Err(false)),
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
            let read = code(field, &mut buffer).map_err(|error| error.0.contains("out of range"));
            assert_eq!(read, expected, "{field:?} in {response:x?}");
        }
    }
}
