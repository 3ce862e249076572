//! [`TimeField`]: the record field that holds the expiration time.

use bytes::Buf;
use prost::encoding::{
    WireType, decode_varint, fixed32, fixed64, key_len, message, sint64, uint32,
};
use prost_types::Timestamp;

use super::varint::{append_key, append_varint};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeField {
    pub(super) number: u32,
    pub(super) value_type: TimeType,
    /// Whether the field distinguishes 0 from an absent value. If so, 0 must be encoded.
    pub(super) has_presence: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeType {
    pub(super) encoding: TimeEncoding,
    /// The latest expiration time that the type can hold, in Unix seconds.
    pub(super) latest: u32,
}

/// The encoding of an expiration time (<https://protobuf.dev/programming-guides/encoding/>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeEncoding {
    Varint,
    ZigZag,
    Fixed32,
    Fixed64,
    /// A `google.protobuf.Timestamp`, which holds the seconds in field 1.
    Timestamp,
}

fn timestamp(time: u32) -> Timestamp {
    Timestamp {
        seconds: time.into(),
        nanos: 0,
    }
}

impl TimeField {
    pub(super) fn encoded_len(&self, time: u32) -> usize {
        if self.is_absent(time) {
            return 0;
        }
        match self.value_type.encoding {
            TimeEncoding::Varint => uint32::encoded_len(self.number, &time),
            TimeEncoding::ZigZag => sint64::encoded_len(self.number, &time.into()),
            TimeEncoding::Fixed32 => fixed32::encoded_len(self.number, &time),
            TimeEncoding::Fixed64 => fixed64::encoded_len(self.number, &time.into()),
            TimeEncoding::Timestamp => message::encoded_len(self.number, &timestamp(time)),
        }
    }

    pub(super) fn encode(&self, time: u32, request: &mut Vec<u8>) {
        if self.is_absent(time) {
            return;
        }
        match self.value_type.encoding {
            TimeEncoding::Varint => {
                append_key(self.number, WireType::Varint, request);
                append_varint(time.into(), request);
            }
            TimeEncoding::ZigZag => sint64::encode(self.number, &time.into(), request),
            TimeEncoding::Fixed32 => fixed32::encode(self.number, &time, request),
            TimeEncoding::Fixed64 => fixed64::encode(self.number, &time.into(), request),
            TimeEncoding::Timestamp => message::encode(self.number, &timestamp(time), request),
        }
    }

    fn is_absent(&self, time: u32) -> bool {
        time == 0 && !self.has_presence
    }

    /// Decodes the output of [`TimeField::encode`].
    pub(super) fn decode(&self, field: &[u8]) -> Option<u32> {
        if field.is_empty() {
            return Some(0);
        }
        let mut value = field.get(key_len(self.number)..)?;
        let time = match self.value_type.encoding {
            TimeEncoding::Varint => decode_varint(&mut value).ok()?,
            TimeEncoding::ZigZag => decode_varint(&mut value).ok()? >> 1,
            TimeEncoding::Fixed32 => value.try_get_u32_le().ok()?.into(),
            TimeEncoding::Fixed64 => value.try_get_u64_le().ok()?,
            TimeEncoding::Timestamp => match decode_varint(&mut value).ok()? {
                0 => 0,
                _ => decode_varint(&mut value.get(1..)?).ok()?,
            },
        };
        u32::try_from(time).ok()
    }
}
