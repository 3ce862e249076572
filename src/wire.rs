//! The contract on the wire: `proto/sensor.proto`, and the encoding of requests.

use std::{fmt, sync::Arc};

use bytes::{BufMut, Bytes, BytesMut};
use http::uri::PathAndQuery;
use prost::{
    Message,
    encoding::{WireType, decode_varint, encode_key, encode_varint, encoded_len_varint, key_len},
};
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

use crate::record::Record;

/// What `proto/sensor.proto` generates.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    reason = "generated code follows its generator's style"
)]
pub(crate) mod proto {
    tonic::include_proto!("_");

    /// The contract's file, for server reflection.
    pub(crate) const FILE_DESCRIPTOR_SET: &[u8] =
        include_bytes!(concat!(env!("OUT_DIR"), "/sensor.fds"));
}

/// A server's contract: the path of its call and the numbers of its fields.
#[derive(Clone, Debug)]
pub(crate) struct Contract {
    pub(crate) path: PathAndQuery,
    /// The list of records in a request.
    list: u32,
    /// The device token in a record, of type `bytes`.
    token: u32,
    /// The expire time in a record, of type `uint32`.
    time: u32,
}

/// Room for what stands before a token: two keys of at most 5 bytes, two lengths of at most 10.
const BEFORE: usize = 32;

/// Room for what stands behind it: a key, and a time of at most 5.
const BEHIND: usize = 16;

impl Contract {
    /// The contract of `proto/sensor.proto`.
    pub(crate) fn built_in() -> Self {
        Self {
            path: PathAndQuery::from_static("/Internal/UpdateSensorExpireTime"),
            list: 1,
            token: 1,
            time: 2,
        }
    }

    /// The bytes that one record adds to a request.
    pub(crate) fn record_len(&self, record: &Record<'_>) -> usize {
        let length = self.message_len(record);
        key_len(self.list) + encoded_len_varint(length as u64) + length
    }

    /// Appends one record to a request. Requests are lists of records and nothing else, so that
    /// records encoded one after another are a request (the encoding of a repeated field).
    pub(crate) fn append(&self, record: &Record<'_>, request: &mut BytesMut) {
        let token = record.token.as_bytes();
        let time = record.expires.as_unix();
        let mut before = [0; BEFORE];
        let mut rest = &mut before[..];
        encode_key(self.list, WireType::LengthDelimited, &mut rest);
        encode_varint(self.message_len(record) as u64, &mut rest);
        encode_key(self.token, WireType::LengthDelimited, &mut rest);
        encode_varint(token.len() as u64, &mut rest);
        let unused = rest.len();
        put(request, before, unused);
        request.put_slice(token);
        // Proto3 leaves a field of its default value out.
        if time != 0 {
            let mut behind = [0; BEHIND];
            let mut rest = &mut behind[..];
            encode_key(self.time, WireType::Varint, &mut rest);
            encode_varint(u64::from(time), &mut rest);
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
        let (token, mut rest) = rest.split_at_checked(length)?;
        if rest.is_empty() {
            return Some((token, 0));
        }
        rest = rest.get(key_len(self.time)..)?;
        let time = decode_varint(&mut rest).ok()?;
        Some((token, u32::try_from(time).ok()?))
    }

    fn message_len(&self, record: &Record<'_>) -> usize {
        let token = record.token.as_bytes().len();
        let time = match record.expires.as_unix() {
            0 => 0,
            time => key_len(self.time) + encoded_len_varint(u64::from(time)),
        };
        key_len(self.token) + encoded_len_varint(token as u64) + token + time
    }
}

/// Appends all but the last bytes, so many. To append them all and take those back costs less: bytes
/// of a number known beforehand are copied without a call.
fn put<const LENGTH: usize>(request: &mut BytesMut, bytes: [u8; LENGTH], unused: usize) {
    request.put_slice(&bytes);
    request.truncate(request.len() - unused);
}

/// A response message that can't be decoded, in the decoder's words.
#[derive(Debug)]
pub(crate) struct Malformed(pub(crate) String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

/// Sends requests that are encoded already and reads the response's `code`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PushCodec;

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
        match proto::SensorExpireTimeResponse::decode(buffer) {
            Ok(response) => Ok(Some(response.code)),
            Err(error) => {
                let mut status = Status::internal("malformed response");
                status.set_source(Arc::new(Malformed(error.to_string())));
                Err(status)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::record::{ExpireTime, Token, TokenEncoding};

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
            let record = Record {
                token: Token::parse(Cow::Borrowed(text), TokenEncoding::Utf8).expect("a token"),
                expires: ExpireTime::from_unix(time),
            };
            let before = request.len();
            contract.append(&record, &mut request);
            assert_eq!(request.len() - before, contract.record_len(&record));
            expected.sensor_expire.push(proto::SensorExpire {
                device_token: Bytes::copy_from_slice(text.as_bytes()),
                expire_time: time,
            });
        }
        let request = request.freeze();
        assert_eq!(request, Bytes::from(expected.encode_to_vec()));
        let records: Vec<Bytes> = contract.split(&request).collect();
        assert_eq!(records.concat(), request);
        let read: Vec<_> = records
            .iter()
            .map(|record| contract.read(record).expect("a record"))
            .collect();
        let sent = expected.sensor_expire.iter();
        let sent: Vec<_> = sent
            .map(|record| (&record.device_token[..], record.expire_time))
            .collect();
        assert_eq!(read, sent);
    }
}
