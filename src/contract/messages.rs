//! [`Contract`]: the contract of a server, and the encoding of records under it.

use std::iter;

use bytes::Bytes;
use http::uri::PathAndQuery;
use prost::encoding::{WireType, decode_varint, encoded_len_varint, key_len};
use prost_reflect::Kind;

use super::{
    codec::{CodeField, MalformedResponse, decode_code},
    time_field::{TimeEncoding, TimeField, TimeType},
    varint::{append_key, append_varint},
};
use crate::record::{ContractViolation, ExpireTime, Record};

/// The length of the prefix that gRPC puts before a message: a compression flag and a 32-bit length.
pub(crate) const PREFIX_BYTES: usize = 5;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contract {
    pub(crate) path: PathAndQuery,
    pub(super) records_field: u32,
    /// The field type is `bytes` or `string`, which have the same encoding.
    pub(super) token_field: u32,
    pub(super) is_token_string: bool,
    pub(super) time_field: TimeField,
    /// `None` if responses are empty.
    pub(super) code_field: Option<CodeField>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DecodedRecord<'r> {
    pub(crate) token: &'r [u8],
    /// The expiration time in Unix seconds.
    pub(crate) expire_time: u32,
}

impl Contract {
    /// The maximum number of bytes in a request of one record besides its token: the prefix, three
    /// keys of up to 5 bytes, two lengths of up to 5 bytes, and an encoded time of up to 10 bytes.
    pub(crate) const MAX_FRAMING_BYTES: usize = PREFIX_BYTES + 3 * 5 + 2 * 5 + 10;

    pub(crate) fn built_in() -> Self {
        Self {
            path: PathAndQuery::from_static("/Internal/UpdateSensorExpireTime"),
            records_field: 1,
            token_field: 1,
            is_token_string: false,
            time_field: TimeField {
                number: 2,
                value_type: TimeType {
                    encoding: TimeEncoding::Varint,
                    latest: u32::MAX,
                },
                has_presence: false,
            },
            code_field: Some(CodeField {
                number: 1,
                kind: Kind::Int32,
                default: Some(0),
            }),
        }
    }

    pub(crate) fn decode_code(&self, mut response: Bytes) -> Result<i32, MalformedResponse> {
        decode_code(self.code_field.as_ref(), &mut response)
    }

    /// Without a code, only the gRPC status tells success.
    pub(crate) fn has_code(&self) -> bool {
        self.code_field.is_some()
    }

    pub(crate) fn restricts_values(&self) -> bool {
        self.is_token_string || self.time_field.value_type.latest < u32::MAX
    }

    pub(crate) fn find_violation(&self, record: &Record<'_>) -> Option<ContractViolation> {
        if self.is_token_string && str::from_utf8(record.token.as_bytes()).is_err() {
            return Some(ContractViolation::TokenNotUtf8);
        }
        let latest = ExpireTime::from_unix(self.time_field.value_type.latest);
        (record.expire_time > latest).then_some(ContractViolation::ExpireTimeTooLate(latest))
    }

    /// Returns the length of a request of one record, with the prefix.
    pub(crate) fn request_len(&self, record: &Record<'_>) -> usize {
        let length = self.encoded_fields_len(record);
        PREFIX_BYTES + key_len(self.records_field) + encoded_len_varint(length as u64) + length
    }

    /// Returns the length of an encoded record without the key and the length that precede it.
    fn encoded_fields_len(&self, record: &Record<'_>) -> usize {
        let token_length = record.token.as_bytes().len();
        key_len(self.token_field)
            + encoded_len_varint(token_length as u64)
            + token_length
            + self.time_field.encoded_len(record.expire_time.as_unix())
    }

    /// The request is complete after each record.
    pub(crate) fn append_record(&self, record: &Record<'_>, request: &mut Vec<u8>) {
        let token = record.token.as_bytes();
        append_key(self.records_field, WireType::LengthDelimited, request);
        append_varint(self.encoded_fields_len(record) as u64, request);
        append_key(self.token_field, WireType::LengthDelimited, request);
        append_varint(token.len() as u64, request);
        request.extend_from_slice(token);
        self.time_field
            .encode(record.expire_time.as_unix(), request);
    }

    pub(crate) fn split_records<'m>(
        &self,
        message: &'m [u8],
    ) -> impl Iterator<Item = &'m [u8]> + use<'m> {
        let number = self.records_field;
        let mut rest = message;
        iter::from_fn(move || {
            let start = rest;
            take_field(&mut rest, number)?;
            start.get(..start.len() - rest.len())
        })
    }

    pub(crate) fn decode_records<'m>(
        &self,
        message: &'m [u8],
    ) -> impl Iterator<Item = DecodedRecord<'m>> {
        let mut rest = message;
        iter::from_fn(move || {
            let mut record = take_field(&mut rest, self.records_field)?;
            Some(DecodedRecord {
                token: take_field(&mut record, self.token_field)?,
                expire_time: self.time_field.decode(record)?,
            })
        })
    }
}

/// Removes a length-delimited field from the start of a message, and returns its content.
fn take_field<'m>(message: &mut &'m [u8], number: u32) -> Option<&'m [u8]> {
    let mut rest = message.get(key_len(number)..)?;
    let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
    let (content, rest) = rest.split_at_checked(length)?;
    *message = rest;
    Some(content)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use prost::Message;

    use super::*;
    use crate::{
        contract::proto,
        record::{ExpireTime, Token, TokenEncoding},
    };

    fn record(token: &str, time: u32) -> Record<'_> {
        Record {
            token: Token::parse(token.as_bytes().into(), TokenEncoding::Utf8).expect("a token"),
            expire_time: ExpireTime::from_unix(time),
        }
    }

    #[test]
    fn encodes_requests_like_generated_types() {
        let contract = Contract::built_in();
        let long = "x".repeat(300);
        let mut request = Vec::new();
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
    fn decodes_records_of_all_field_types() {
        let built_in = Contract::built_in();
        for (encoding, one) in [
            (TimeEncoding::Varint, &b"\x01"[..]),
            (TimeEncoding::ZigZag, b"\x02"),
            (TimeEncoding::Fixed32, b"\x01\0\0\0"),
            (TimeEncoding::Fixed64, b"\x01\0\0\0\0\0\0\0"),
            (TimeEncoding::Timestamp, b"\x02\x08\x01"),
        ] {
            for (number, has_presence) in [(2, true), (16, true), ((1 << 29) - 1, true), (2, false)]
            {
                let contract = Contract {
                    records_field: number,
                    token_field: number - 1,
                    time_field: TimeField {
                        number,
                        value_type: TimeType {
                            encoding,
                            ..built_in.time_field.value_type
                        },
                        has_presence,
                    },
                    ..built_in.clone()
                };
                let mut request = Vec::new();
                let long = "x".repeat(300);
                let written = [("a", 0), ("b", 1), ("c", u32::MAX), (&*long, 1_700_000_000)];
                for (token, time) in written {
                    let record = record(token, time);
                    let before = request.len();
                    contract.append_record(&record, &mut request);
                    let length = request.len() - before;
                    assert_eq!(
                        contract.request_len(&record),
                        PREFIX_BYTES + length,
                        "{contract:?}"
                    );
                    if time == 1 {
                        assert!(request.ends_with(one), "{contract:?}");
                    }
                }
                let records: Vec<_> = contract.split_records(&request).collect();
                assert_eq!(records.concat(), request);
                let read: Vec<_> = contract.decode_records(&request).collect();
                assert_eq!(
                    read,
                    written.map(|(token, expire_time)| DecodedRecord {
                        token: token.as_bytes(),
                        expire_time
                    }),
                    "{contract:?}"
                );
            }
        }
    }
}
