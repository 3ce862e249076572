//! A fast parser for plain records: objects of printable ASCII without escapes, whose values are
//! strings and non-negative integers, and whose keys are all different. `serde_json`, which parses
//! all other records, takes three times as long, and reading the input is most of the work of a
//! push.

use super::super::{fields::FieldParser, problem::Field};
use crate::record::{ExpireTime, Record};

const MAX_OTHER_MEMBERS: usize = 8;

/// Parses a plain record. Returns `None` for any other text, and for a plain record with a problem,
/// because only [`super::record::parse_any`] reports problems with their positions.
pub(super) fn parse<'t>(text: &'t [u8], fields: &FieldParser<'_>) -> Option<Record<'t>> {
    // `fold` visits every byte, so the compiler can use vector instructions. `all` would stop at
    // the first byte that is not printable.
    let is_printable = |is: bool, byte: &u8| is & (b' '..=b'~').contains(byte);
    if !text.iter().fold(true, is_printable) {
        return None;
    }
    let (mut token, mut time) = (None, None);
    let mut others = [&b""[..]; MAX_OTHER_MEMBERS];
    let mut other_count = 0;
    let mut cursor = Cursor(text);
    cursor.take(b'{')?;
    loop {
        let key = cursor.string()?;
        cursor.take(b':')?;
        let value = cursor.value()?;
        match (fields.names.find(key), value) {
            (Some(Field::Token), Value::String(text)) if token.is_none() => {
                token = Some(fields.token(text.into(), "").ok()?);
            }
            (Some(Field::Time), Value::String(text) | Value::Integer(text)) if time.is_none() => {
                time = Some(fields.time(text, "").ok()?);
            }
            (None, _)
                if other_count < MAX_OTHER_MEMBERS && !others[..other_count].contains(&key) =>
            {
                others[other_count] = key;
                other_count += 1;
            }
            _ => return None,
        }
        if cursor.take(b',').is_none() {
            break;
        }
    }
    cursor.take(b'}')?;
    if !cursor.is_blank() || (time.is_none() && fields.names.is_used(Field::Time)) {
        return None;
    }
    Some(Record {
        token: token?,
        expire_time: time.unwrap_or(ExpireTime::UNUSED),
    })
}

enum Value<'t> {
    String(&'t [u8]),
    Integer(&'t [u8]),
}

struct Cursor<'t>(&'t [u8]);

impl<'t> Cursor<'t> {
    fn take(&mut self, wanted: u8) -> Option<()> {
        while let [b' ', rest @ ..] = self.0 {
            self.0 = rest;
        }
        let (first, rest) = self.0.split_first()?;
        (*first == wanted).then(|| self.0 = rest)
    }

    fn is_blank(&self) -> bool {
        self.0.iter().all(|byte| *byte == b' ')
    }

    fn string(&mut self) -> Option<&'t [u8]> {
        self.take(b'"')?;
        self.string_end()
    }

    fn string_end(&mut self) -> Option<&'t [u8]> {
        let end = memchr::memchr2(b'"', b'\\', self.0)?;
        let (text, rest) = self.0.split_at(end);
        self.0 = rest;
        // If a backslash ends the text, the string has escapes, and `take` returns `None`.
        self.take(b'"')?;
        Some(text)
    }

    fn value(&mut self) -> Option<Value<'t>> {
        if self.take(b'"').is_some() {
            return self.string_end().map(Value::String);
        }
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit());
        let (digits, rest) = self.0.split_at(digits.count());
        // A JSON number has no leading zeros (RFC 8259 section 6).
        if matches!(digits, [] | [b'0', _, ..]) {
            return None;
        }
        // A fraction or an exponent stays in `rest`. The caller returns `None` for the record,
        // because neither a comma nor a brace follows the digits.
        self.0 = rest;
        Some(Value::Integer(digits))
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::{super::record, *};
    use crate::{input::InputOptions, record::TimeRange};

    fn options() -> InputOptions {
        InputOptions {
            time_range: TimeRange::ALL,
            ..InputOptions::default()
        }
    }

    #[test]
    fn parses_plain_records_only() {
        let options = options();
        let fields = FieldParser::new(&options, false);
        for (text, is_plain) in [
            (r#"{"device_token":"a","expire_time":1}"#, true),
            (
                r#"{ "expireTime" : "2030-01-01" , "x":7, "token" : "a b"} "#,
                true,
            ),
            (r#"{"token":"a","expire_time":"1","note":"x"}"#, true),
            (r#"{"token":"a","expire_time":0}"#, true),
            (r#"{"token":"a","expire_time":01}"#, false),
            (r#"{"token":"a","expire_time":1,"note":null}"#, false),
            (r#"{"token":"\u0061","expire_time":1}"#, false),
            (r#"{"token":"é","expire_time":1}"#, false),
            (r#"{"token":"a","expire_time":1,"x":1,"x":2}"#, false),
            (r#"{"token":"a","deviceToken":"a","expire_time":1}"#, false),
            (r#"{"token":"a","expire_time":1.0}"#, false),
            (r#"{"token":"a","expire_time":-0}"#, false),
            (r#"{"token":"a","expire_time":1}}"#, false),
            (r#"{"token":"a","expire_time":1,}"#, false),
            (r#"{"token":1,"expire_time":1}"#, false),
            (r#"{"token":"a"}"#, false),
            (r#"{"token":"a","expire_time":"1}"#, false),
            (r#"{"token":"a","expire_time":1,"x":"1 }"#, false),
            ("{\"token\":\"a\tb\",\"expire_time\":1}", false),
        ] {
            assert_eq!(
                parse(text.as_bytes(), &fields).is_some(),
                is_plain,
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn parses_plain_records_like_the_full_parser(
            open in select(vec!["{", "{", "{ ", ""]),
            members in vec(
                (
                    select(vec![
                        "\"token\"", "\"token\"", "\"expire_time\"", "\"expire_time\"",
                        "\"deviceToken\" ", "\"x\"", " \"y\"", "\"\\u0061\"", "\"\"", "token",
                    ]),
                    select(vec![":", ":", ": ", " :", ""]),
                    select(vec![
                        "\"a\"", "\"a\"", "1", "1", "0", "01", "-0", "1.0", "1e3", "4294967296",
                        "99999999999999999999", "\"2030-01-01\"", "\"7\"", "\"\"", "\" a\"",
                        "\"\\n\"", "\"a", "\"7", "\"é\"", "\"\t\"", "null", "[1]", "{}", "",
                    ]),
                ),
                0..5,
            ),
            comma in select(vec![",", ",", ", ", " ,\t", ",,", ""]),
            close in select(vec!["}", "} ", " }", "}}", ",}", ""]),
        ) {
            let members: Vec<_> = members
                .into_iter()
                .map(|(key, colon, value)| [key, colon, value].concat())
                .collect();
            let text = [open, &members.join(comma), close].concat();
            let options = options();
            let fields = FieldParser::new(&options, false);
            if let Some(plain) = parse(text.as_bytes(), &fields) {
                let any = record::parse_any(text.as_bytes(), &fields);
                prop_assert_eq!(any.expect("a record"), plain);
            }
        }
    }
}
