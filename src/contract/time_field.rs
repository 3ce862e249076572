//! [`TimeField`]: the record field that holds the expiration time.

use bytes::Buf;
use prost::encoding::{WireType, decode_varint, encoded_len_varint};

use super::short_bytes::ShortBytes;

/// The record field that holds the expiration time.
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

/// Field 1, wire type 0 (varint).
const SECONDS_KEY: u64 = 1 << 3;

impl TimeField {
    /// Encodes this field: its key, then `time` in Unix seconds. Returns no bytes for a 0 without presence.
    #[inline]
    pub(super) fn encode(&self, time: u32) -> ShortBytes {
        if time == 0 && !self.has_presence {
            return ShortBytes::default();
        }
        let key = |wire_type| ShortBytes::key(self.number, wire_type);
        let value = u64::from(time);
        match self.value_type.encoding {
            TimeEncoding::Varint => key(WireType::Varint).varint(value),
            // The ZigZag encoding of a number that is not negative is twice the number.
            TimeEncoding::ZigZag => key(WireType::Varint).varint(value << 1),
            TimeEncoding::Fixed32 => {
                key(WireType::ThirtyTwoBit).little_endian(value, size_of::<u32>())
            }
            TimeEncoding::Fixed64 => {
                key(WireType::SixtyFourBit).little_endian(value, size_of::<u64>())
            }
            TimeEncoding::Timestamp if time == 0 => key(WireType::LengthDelimited).varint(0),
            TimeEncoding::Timestamp => key(WireType::LengthDelimited)
                .varint(1 + encoded_len_varint(value) as u64)
                .little_endian(SECONDS_KEY, 1)
                .varint(value),
        }
    }

    /// Decodes the output of [`TimeField::encode`] without its key.
    pub(super) fn decode(&self, mut value: &[u8]) -> Option<u32> {
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
