//! [`ShortBytes`]: encodes field keys and integers in a processor register.

use bytes::{BufMut, BytesMut};
use prost::encoding::{WireType, encoded_len_varint};

/// Up to 16 bytes that are assembled in a processor register.
///
/// If single bytes were written to memory and then copied as one block, the processor would have to
/// wait for the writes before the copy.
#[derive(Clone, Copy, Default)]
pub(super) struct ShortBytes {
    /// The first byte is the lowest byte of the number.
    bytes: u128,
    length: usize,
}

impl ShortBytes {
    pub(super) fn key(number: u32, wire_type: WireType) -> Self {
        Self::default().varint(u64::from(number << 3 | wire_type as u32))
    }

    /// Appends a number as `length` bytes.
    pub(super) fn little_endian(self, bytes: u64, length: usize) -> Self {
        Self {
            bytes: self.bytes | u128::from(bytes) << (8 * self.length),
            length: self.length + length,
        }
    }

    /// Appends a number below 2^35 as a varint of at most 5 bytes.
    pub(super) fn varint(self, value: u64) -> Self {
        const GROUPS: u32 = 5;
        debug_assert!(value < 1 << (7 * GROUPS));
        if value < 0x80 {
            return self.little_endian(value, 1);
        }
        let groups = (0..GROUPS).map(|group| (value & 0x7f << (7 * group)) << group);
        let length = encoded_len_varint(value);
        let all_but_last = (1 << (8 * (length - 1))) - 1;
        self.little_endian(groups.sum::<u64>() | 0x80_8080_8080 & all_but_last, length)
    }

    pub(super) fn len(self) -> usize {
        self.length
    }

    /// Appends the bytes to a request.
    ///
    /// Appending all 16 bytes and truncating the request is faster than appending `length` bytes,
    /// because a copy of constant size needs no function call.
    pub(super) fn append_to(self, request: &mut BytesMut) {
        let end = request.len() + self.length;
        request.put_u128_le(self.bytes);
        request.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_varints_of_all_lengths() {
        let ends = (0..=5).map(|group| 1_u64 << (7 * group));
        for value in ends
            .flat_map(|end| [end - 1, end])
            .filter(|value| *value < 1 << 35)
        {
            let (mut varint, mut expected) = (BytesMut::new(), BytesMut::new());
            ShortBytes::default().varint(value).append_to(&mut varint);
            prost::encoding::encode_varint(value, &mut expected);
            assert_eq!(varint, expected, "{value}");
        }
    }
}
