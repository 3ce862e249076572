//! [`CodeField`]: the response field that holds the server's code. The code tells whether the
//! server accepted a request (0 means success).

use bytes::Buf;
use prost::{
    DecodeError,
    encoding::{self, DecodeContext, WireType},
};

/// The response field that holds the code. Its type is an integer type or an enum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CodeField {
    pub(super) number: u32,
    pub(super) kind: IntegerKind,
    /// The code of a response that lacks this field, or `None` if the field is required.
    pub(super) default: Option<i32>,
}

/// The integer types of protobuf. An enum field has the type `Int32`, because enums are encoded
/// like `int32`.
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

/// Decodes a value with prost's `merge` function for the protobuf type `$kind`.
macro_rules! decode {
    ($kind:ident, $wire_type:expr, $buffer:expr) => {{
        let mut value = Default::default();
        encoding::$kind::merge($wire_type, &mut value, $buffer, DecodeContext::default())?;
        i128::from(value)
    }};
}

impl IntegerKind {
    /// Decodes a value of this integer type.
    ///
    /// # Errors
    ///
    /// The value is truncated or has a different wire type.
    pub(super) fn decode(
        self,
        wire_type: WireType,
        buffer: &mut impl Buf,
    ) -> Result<i128, DecodeError> {
        Ok(match self {
            Self::Int32 => decode!(int32, wire_type, buffer),
            Self::Int64 => decode!(int64, wire_type, buffer),
            Self::Uint32 => decode!(uint32, wire_type, buffer),
            Self::Uint64 => decode!(uint64, wire_type, buffer),
            Self::Sint32 => decode!(sint32, wire_type, buffer),
            Self::Sint64 => decode!(sint64, wire_type, buffer),
            Self::Fixed32 => decode!(fixed32, wire_type, buffer),
            Self::Fixed64 => decode!(fixed64, wire_type, buffer),
            Self::Sfixed32 => decode!(sfixed32, wire_type, buffer),
            Self::Sfixed64 => decode!(sfixed64, wire_type, buffer),
        })
    }
}
