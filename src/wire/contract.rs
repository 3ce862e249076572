//! What one server's requests and responses look like, and the encoding of requests.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::uri::PathAndQuery;
use prost::encoding::{
    WireType, decode_varint, encode_key, encode_varint, encoded_len_varint, key_len,
};

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
pub(crate) enum Unfit {
    /// The token is not UTF-8, and the server's field is a `string`.
    NotText,
    /// The expire time is later than this, the last one that the server's field holds.
    TooLate(ExpireTime),
}

/// The key of a timestamp's seconds: field 1, a varint.
const SECONDS_KEY: u8 = 1 << 3;

/// Room for what stands before a token: two keys of at most 5 bytes, two lengths of at most 10.
const BEFORE: usize = 32;

/// Room for what stands behind it: a key of at most 5, and a time of at most 8.
const BEHIND: usize = 16;

impl Contract {
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

    /// The bytes that one record adds to a request.
    ///
    /// # Errors
    ///
    /// Where it can't be added.
    pub(crate) fn record_len(&self, record: &Record<'_>) -> Result<usize, Unfit> {
        if self.token_is_text && str::from_utf8(record.token.as_bytes()).is_err() {
            return Err(Unfit::NotText);
        }
        if record.expires.as_unix() > self.time.latest {
            return Err(Unfit::TooLate(ExpireTime::from_unix(self.time.latest)));
        }
        let length = self.message_len(record);
        Ok(key_len(self.list) + encoded_len_varint(length as u64) + length)
    }

    /// Appends one record to a request. Requests are lists of records and nothing else, so that
    /// records encoded one after another are a request (the encoding of a repeated field).
    pub(crate) fn append(&self, record: &Record<'_>, request: &mut BytesMut) {
        let token = record.token.as_bytes();
        let mut before = [0; BEFORE];
        let mut rest = &mut before[..];
        encode_key(self.list, WireType::LengthDelimited, &mut rest);
        encode_varint(self.message_len(record) as u64, &mut rest);
        encode_key(self.token, WireType::LengthDelimited, &mut rest);
        encode_varint(token.len() as u64, &mut rest);
        let unused = rest.len();
        put(request, before, unused);
        request.put_slice(token);
        let time = record.expires.as_unix();
        if time != 0 || self.time.keeps_zero {
            let mut behind = [0; BEHIND];
            let mut rest = &mut behind[..];
            self.time.encode(time, &mut rest);
            let unused = rest.len();
            put(request, behind, unused);
        }
    }

    /// The records of a request, each as the bytes that [`Contract::append`] added.
    pub(crate) fn split<'m>(&self, message: &'m Bytes) -> impl Iterator<Item = Bytes> + use<'m> {
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
    pub(crate) fn read<'r>(&self, record: &'r [u8]) -> Option<(&'r [u8], u32)> {
        let mut rest = record.get(key_len(self.list)..)?;
        decode_varint(&mut rest).ok()?;
        rest = rest.get(key_len(self.token)..)?;
        let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
        let (token, rest) = rest.split_at_checked(length)?;
        if rest.is_empty() {
            return Some((token, 0));
        }
        let time = rest.get(key_len(self.time.number)..)?;
        Some((token, self.time.decode(time)?))
    }

    fn message_len(&self, record: &Record<'_>) -> usize {
        let token = record.token.as_bytes().len();
        let time = match record.expires.as_unix() {
            0 if !self.time.keeps_zero => 0,
            time => self.time.len(time),
        };
        key_len(self.token) + encoded_len_varint(token as u64) + token + time
    }
}

impl TimeField {
    /// The bytes of [`TimeField::encode`].
    fn len(&self, time: u32) -> usize {
        let value = match self.encoding {
            TimeEncoding::Varint => encoded_len_varint(time.into()),
            TimeEncoding::ZigZag => encoded_len_varint(zigzag(time)),
            TimeEncoding::Fixed32 => size_of::<u32>(),
            TimeEncoding::Fixed64 => size_of::<u64>(),
            TimeEncoding::Timestamp => 1 + timestamp_len(time),
        };
        key_len(self.number) + value
    }

    /// The field's key and value.
    fn encode(&self, time: u32, to: &mut impl BufMut) {
        match self.encoding {
            TimeEncoding::Varint => {
                encode_key(self.number, WireType::Varint, to);
                encode_varint(time.into(), to);
            }
            TimeEncoding::ZigZag => {
                encode_key(self.number, WireType::Varint, to);
                encode_varint(zigzag(time), to);
            }
            TimeEncoding::Fixed32 => {
                encode_key(self.number, WireType::ThirtyTwoBit, to);
                to.put_u32_le(time);
            }
            TimeEncoding::Fixed64 => {
                encode_key(self.number, WireType::SixtyFourBit, to);
                to.put_u64_le(time.into());
            }
            TimeEncoding::Timestamp => {
                encode_key(self.number, WireType::LengthDelimited, to);
                encode_varint(timestamp_len(time) as u64, to);
                if time != 0 {
                    to.put_u8(SECONDS_KEY);
                    encode_varint(time.into(), to);
                }
            }
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

/// A number that is not negative as `sint32` and `sint64` write it.
fn zigzag(time: u32) -> u64 {
    u64::from(time) << 1
}

/// The fields of a `google.protobuf.Timestamp`.
fn timestamp_len(time: u32) -> usize {
    match time {
        0 => 0,
        time => 1 + encoded_len_varint(time.into()),
    }
}

/// Appends all but the last bytes, so many. To append them all and take those back costs less: bytes
/// of a number known beforehand are copied without a call.
fn put<const LENGTH: usize>(request: &mut BytesMut, bytes: [u8; LENGTH], unused: usize) {
    request.put_slice(&bytes);
    request.truncate(request.len() - unused);
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use prost::Message;

    use super::*;
    use crate::{
        record::{ExpireTime, Token, TokenEncoding},
        wire::proto,
    };

    fn record(token: &str, time: u32) -> Record<'_> {
        Record {
            token: Token::parse(Cow::Borrowed(token), TokenEncoding::Utf8).expect("a token"),
            expires: ExpireTime::from_unix(time),
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
            contract.append(&record(text, time), &mut request);
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
                    contract.append(&record, &mut request);
                    let length = request.len() - before;
                    assert_eq!(contract.record_len(&record), Ok(length), "{contract:?}");
                    if time == 1 {
                        assert!(request.ends_with(one), "{contract:?}");
                    }
                }
                let request = request.freeze();
                let records: Vec<_> = contract.split(&request).collect();
                assert_eq!(records.concat(), request);
                let read: Vec<_> = records.iter().map(|one| contract.read(one)).collect();
                assert_eq!(
                    read,
                    written.map(|(token, time)| Some((token.as_bytes(), time))),
                    "{contract:?}"
                );
            }
        }
    }
}
