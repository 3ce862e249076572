//! Appends keys and varints to a protobuf message
//! (<https://protobuf.dev/programming-guides/encoding/>). `prost` takes three times as many
//! instructions, because it checks the capacity of a generic buffer for each byte.

use prost::encoding::WireType;

pub(super) fn append_key(number: u32, wire_type: WireType, message: &mut Vec<u8>) {
    append_varint(u64::from(number) << 3 | wire_type as u64, message);
}

pub(super) fn append_varint(mut value: u64, message: &mut Vec<u8>) {
    loop {
        let [lowest, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            return message.push(lowest);
        }
        message.push(lowest | 0x80);
    }
}
