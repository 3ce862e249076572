//! What one server's requests and responses look like, and the encoding of requests.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::uri::PathAndQuery;
use prost::encoding::{WireType, decode_varint, encoded_len_varint, key_len};

use super::codec::{CodeField, IntegerKind, PushCodec};
use crate::record::{ExpireTime, Record};

/// A server's contract: the path of its call, and the numbers and types of its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contract {
    pub(crate) path: PathAndQuery,
    /// The list of records in a request.
    pub(super) list: u32,
    /// The device token in a record, of type `bytes` or `string`, which look alike.
    pub(super) token: u32,
    /// Whether it is a `string`, which is UTF-8.
    pub(super) token_is_text: bool,
    /// The expire time in a record.
    pub(super) time: TimeField,
    /// The code in a response, where there is one.
    pub(super) code: Option<CodeField>,
}

/// The field of an expire time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeField {
    pub(super) number: u32,
    pub(super) encoding: TimeEncoding,
    /// The largest time that its type holds.
    pub(super) latest: u32,
    /// Whether 0 is written too: it is left out where it can't be told from a field that is not set.
    pub(super) keeps_zero: bool,
}

/// How a time is written (protobuf's encoding of its integer types).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeEncoding {
    Varint,
    ZigZag,
    Fixed32,
    Fixed64,
    /// The seconds, field 1, of a `google.protobuf.Timestamp`.
    Timestamp,
}

/// Why a record can't be put into a request of this server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EncodeError {
    /// The token is not UTF-8, and the server's field is a `string`.
    TokenNotUtf8,
    /// The expire time is later than this, the last one that the server's field holds.
    ExpireTimeTooLate(ExpireTime),
}

/// A record of a request, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DecodedRecord<'r> {
    pub(crate) token: &'r [u8],
    /// Unix seconds.
    pub(crate) expire_time: u32,
}

/// The key of a timestamp's seconds: field 1, a varint.
const SECONDS_KEY: u64 = 1 << 3;

impl Contract {
    /// The most that a record adds to a request beside its token.
    pub(crate) const MAX_FRAMING_BYTES: usize = 3 * size_of::<u128>();

    /// The contract of `proto/sensor.proto`.
    pub(crate) fn built_in() -> Self {
        Self {
            path: PathAndQuery::from_static("/Internal/UpdateSensorExpireTime"),
            list: 1,
            token: 1,
            token_is_text: false,
            time: TimeField {
                number: 2,
                encoding: TimeEncoding::Varint,
                latest: u32::MAX,
                keeps_zero: false,
            },
            code: Some(CodeField {
                number: 1,
                kind: IntegerKind::Int32,
                absent: Some(0),
            }),
        }
    }

    /// What sends requests and reads responses.
    pub(crate) fn codec(&self) -> PushCodec {
        PushCodec(self.code)
    }

    /// Whether responses have a code. Where they have none, the gRPC status alone counts.
    pub(crate) fn has_code(&self) -> bool {
        self.code.is_some()
    }

    /// Whether the types of the fields cannot hold every token and every expiration time.
    pub(crate) fn restricts_values(&self) -> bool {
        self.token_is_text || self.time.latest < u32::MAX
    }

    /// Why a record can't be put into a request, if so.
    pub(crate) fn encode_error(&self, record: &Record<'_>) -> Option<EncodeError> {
        if self.token_is_text && str::from_utf8(record.token.as_bytes()).is_err() {
            return Some(EncodeError::TokenNotUtf8);
        }
        let latest = self.time.latest;
        (record.expire_time.as_unix() > latest)
            .then(|| EncodeError::ExpireTimeTooLate(ExpireTime::from_unix(latest)))
    }

    /// The bytes that one record adds to a request, at most [`Contract::MAX_FRAMING_BYTES`] more than its token
    /// has.
    pub(crate) fn encoded_len(&self, record: &Record<'_>) -> usize {
        let token = record.token.as_bytes().len();
        let framing: usize = self.framing(record).iter().map(|part| part.length).sum();
        framing + token
    }

    /// Appends one record to a request. Requests are lists of records and nothing else, so that
    /// records encoded one after another are a request (the encoding of a repeated field).
    pub(crate) fn append_record(&self, record: &Record<'_>, request: &mut BytesMut) {
        let [of_record, of_token, time] = self.framing(record);
        of_record.append(request);
        of_token.append(request);
        request.put_slice(record.token.as_bytes());
        time.append(request);
    }

    /// The records of a request, each as the bytes that [`Contract::append_record`] added.
    pub(crate) fn split_records<'m>(
        &self,
        message: &'m Bytes,
    ) -> impl Iterator<Item = Bytes> + use<'m> {
        let key = key_len(self.list);
        let mut start = 0;
        std::iter::from_fn(move || {
            let mut rest = message.get(start + key..)?;
            let before = rest.len();
            let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
            let end = start + key + (before - rest.len()) + length;
            let record = (end <= message.len()).then(|| message.slice(start..end));
            start = end;
            record
        })
    }

    /// The token and the expire time of one such record.
    pub(crate) fn decode_record<'r>(&self, record: &'r [u8]) -> Option<DecodedRecord<'r>> {
        let mut rest = record.get(key_len(self.list)..)?;
        decode_varint(&mut rest).ok()?;
        rest = rest.get(key_len(self.token)..)?;
        let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
        let (token, rest) = rest.split_at_checked(length)?;
        if rest.is_empty() {
            return Some(DecodedRecord {
                token,
                expire_time: 0,
            });
        }
        let time = rest.get(key_len(self.time.number)..)?;
        Some(DecodedRecord {
            token,
            expire_time: self.time.decode(time)?,
        })
    }

    /// What a record is besides its token: what it begins with, what the token begins with, and the
    /// time.
    #[inline]
    fn framing(&self, record: &Record<'_>) -> [ShortBytes; 3] {
        let token = record.token.as_bytes().len();
        let of_token = ShortBytes::key(self.token, WireType::LengthDelimited).varint(token as u64);
        let time = match record.expire_time.as_unix() {
            0 if !self.time.keeps_zero => ShortBytes::default(),
            time => self.time.encode(time),
        };
        let length = of_token.length + token + time.length;
        let of_record = ShortBytes::key(self.list, WireType::LengthDelimited).varint(length as u64);
        [of_record, of_token, time]
    }
}

impl TimeField {
    /// The field's key and value.
    #[inline]
    fn encode(&self, time: u32) -> ShortBytes {
        let key = |wire_type| ShortBytes::key(self.number, wire_type);
        let value = u64::from(time);
        match self.encoding {
            TimeEncoding::Varint => key(WireType::Varint).varint(value),
            // A number that is not negative is doubled.
            TimeEncoding::ZigZag => key(WireType::Varint).varint(value << 1),
            TimeEncoding::Fixed32 => key(WireType::ThirtyTwoBit).and(value, size_of::<u32>()),
            TimeEncoding::Fixed64 => key(WireType::SixtyFourBit).and(value, size_of::<u64>()),
            TimeEncoding::Timestamp if time == 0 => key(WireType::LengthDelimited).varint(0),
            TimeEncoding::Timestamp => key(WireType::LengthDelimited)
                .varint(1 + encoded_len_varint(value) as u64)
                .and(SECONDS_KEY, 1)
                .varint(value),
        }
    }

    /// A value that was encoded so, without its key.
    fn decode(&self, mut value: &[u8]) -> Option<u32> {
        let time = match self.encoding {
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

/// Up to 16 bytes, put together in a register: the processor has to wait for bytes that are written one
/// by one and then copied as one.
#[derive(Clone, Copy, Default)]
struct ShortBytes {
    /// The first is the lowest.
    bytes: u128,
    length: usize,
}

impl ShortBytes {
    /// A field's key, 1 to 5 bytes.
    fn key(number: u32, wire_type: WireType) -> Self {
        Self::default().varint(u64::from(number << 3 | wire_type as u32))
    }

    /// With the lowest bytes of a number, so many.
    fn and(self, bytes: u64, length: usize) -> Self {
        Self {
            bytes: self.bytes | u128::from(bytes) << (8 * self.length),
            length: self.length + length,
        }
    }

    /// With a varint, whose seven bits a byte end below this.
    fn varint(self, value: u64) -> Self {
        const GROUPS: u32 = 5;
        debug_assert!(value < 1 << (7 * GROUPS));
        if value < 0x80 {
            return self.and(value, 1);
        }
        let groups = (0..GROUPS).map(|group| (value & 0x7f << (7 * group)) << group);
        let length = encoded_len_varint(value);
        let all_but_last = (1 << (8 * (length - 1))) - 1;
        self.and(groups.sum::<u64>() | 0x80_8080_8080 & all_but_last, length)
    }

    /// To append all 16 and take back what is too much costs less than to append so many: bytes of a
    /// number known beforehand are copied without a call.
    fn append(self, request: &mut BytesMut) {
        let end = request.len() + self.length;
        request.put_u128_le(self.bytes);
        request.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use prost::Message;

    use super::*;
    use crate::{
        contract::proto,
        record::{ExpireTime, Token, TokenEncoding},
    };

    fn record(token: &str, time: u32) -> Record<'_> {
        Record {
            token: Token::parse(Cow::Borrowed(token), TokenEncoding::Utf8).expect("a token"),
            expire_time: ExpireTime::from_unix(time),
        }
    }

    #[test]
    fn numbers_of_all_lengths_are_varints() {
        let ends = (0..=5).map(|group| 1_u64 << (7 * group));
        for value in ends
            .flat_map(|end| [end - 1, end])
            .filter(|value| *value < 1 << 35)
        {
            let (mut varint, mut expected) = (BytesMut::new(), BytesMut::new());
            ShortBytes::default().varint(value).append(&mut varint);
            prost::encoding::encode_varint(value, &mut expected);
            assert_eq!(varint, expected, "{value}");
        }
    }

    #[test]
    fn requests_are_what_the_generated_types_encode() {
        let contract = Contract::built_in();
        let long = "x".repeat(300);
        let mut request = BytesMut::new();
        let mut expected = proto::SensorExpireTimeRequest::default();
        for (text, time) in [
            ("fadfadftetwtwtwt", 1_232_312_313),
            ("a", 0),
            ("b", u32::MAX),
            (long.as_str(), 1),
        ] {
            contract.append_record(&record(text, time), &mut request);
            expected.sensor_expire.push(proto::SensorExpire {
                device_token: Bytes::copy_from_slice(text.as_bytes()),
                expire_time: time,
            });
        }
        assert_eq!(request, expected.encode_to_vec());
    }

    #[test]
    fn whatever_its_types_a_record_is_read_as_it_was_written() {
        let built_in = Contract::built_in();
        for (encoding, one) in [
            (TimeEncoding::Varint, &b"\x01"[..]),
            (TimeEncoding::ZigZag, b"\x02"),
            (TimeEncoding::Fixed32, b"\x01\0\0\0"),
            (TimeEncoding::Fixed64, b"\x01\0\0\0\0\0\0\0"),
            (TimeEncoding::Timestamp, b"\x02\x08\x01"),
        ] {
            for (number, keeps_zero) in [(2, true), (16, true), ((1 << 29) - 1, true), (2, false)] {
                let contract = Contract {
                    list: number,
                    token: number - 1,
                    time: TimeField {
                        number,
                        encoding,
                        keeps_zero,
                        ..built_in.time
                    },
                    ..built_in.clone()
                };
                let mut request = BytesMut::new();
                let long = "x".repeat(300);
                let written = [("a", 0), ("b", 1), ("c", u32::MAX), (&*long, 1_700_000_000)];
                for (token, time) in written {
                    let record = record(token, time);
                    let before = request.len();
                    contract.append_record(&record, &mut request);
                    let length = request.len() - before;
                    assert_eq!(contract.encoded_len(&record), length, "{contract:?}");
                    if time == 1 {
                        assert!(request.ends_with(one), "{contract:?}");
                    }
                }
                let request = request.freeze();
                let records: Vec<_> = contract.split_records(&request).collect();
                assert_eq!(records.concat(), request);
                let read: Vec<_> = records
                    .iter()
                    .map(|one| contract.decode_record(one))
                    .collect();
                assert_eq!(
                    read,
                    written.map(|(token, expire_time)| Some(DecodedRecord {
                        token: token.as_bytes(),
                        expire_time
                    })),
                    "{contract:?}"
                );
            }
        }
    }
}
