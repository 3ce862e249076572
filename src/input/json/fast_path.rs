//! A record as nearly all are written, read without a detour.
//!
//! The JSON reader is asked about everything else, and has the last word on what is JSON. For a
//! record like this it takes three times as long, and reading is most of what a push costs.

use super::super::{fields::Fields, problem::Field};
use crate::record::{ExpireTime, Record};

/// How many members besides the two fields a plain record may have.
const OTHERS: usize = 8;

/// Reads an object of printable ASCII whose members are strings without escapes and integers, all
/// under different keys; `None` is any other, and whatever is wrong. [`super::record::read_any`]
/// reads those, and knows where things stand in them.
pub(in crate::input) fn read<'t>(text: &'t [u8], fields: &Fields<'_>) -> Option<Record<'t>> {
    // Not `all`, which stops early and for that looks at one byte at a time.
    let is_printable = |is: bool, byte: &u8| is & (b' '..=b'~').contains(byte);
    if !text.iter().fold(true, is_printable) {
        return None;
    }
    let (mut token, mut time) = (None, None);
    let mut others = [&b""[..]; OTHERS];
    let mut count = 0;
    let mut rest = Rest(text);
    rest.take(b'{')?;
    loop {
        let key = rest.string()?;
        rest.take(b':')?;
        let value = rest.value()?;
        match (fields.names.field_of(key), value) {
            (Some((Field::Token, name)), Value::Text(text)) if token.is_none() => {
                token = Some(fields.token_in(text, name).ok()?);
            }
            (Some((Field::Time, name)), Value::Text(text) | Value::Integer(text))
                if time.is_none() =>
            {
                time = Some(fields.time_in(text, name).ok()?);
            }
            (None, _) if count < OTHERS && !others[..count].contains(&key) => {
                others[count] = key;
                count += 1;
            }
            _ => return None,
        }
        if rest.take(b',').is_none() {
            break;
        }
    }
    rest.take(b'}')?;
    if !rest.is_blank() || (time.is_none() && fields.names.wants(Field::Time)) {
        return None;
    }
    Some(Record {
        token: token?,
        expires: time.unwrap_or(ExpireTime::EPOCH),
    })
}

enum Value<'t> {
    Text(&'t [u8]),
    /// Its digits.
    Integer(&'t [u8]),
}

/// What is still to be read, which is printable.
struct Rest<'t>(&'t [u8]);

impl<'t> Rest<'t> {
    /// Passes spaces, and this byte if it comes next.
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
        self.behind_quote()
    }

    /// The rest of a string.
    fn behind_quote(&mut self) -> Option<&'t [u8]> {
        let end = memchr::memchr2(b'"', b'\\', self.0)?;
        let (text, rest) = self.0.split_at(end);
        self.0 = rest;
        // The quote, unless it is an escape.
        self.take(b'"')?;
        Some(text)
    }

    fn value(&mut self) -> Option<Value<'t>> {
        if self.take(b'"').is_some() {
            return self.behind_quote().map(Value::Text);
        }
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit());
        let (digits, rest) = self.0.split_at(digits.count());
        // A number of JSON does not start with a zero unless it is one (RFC 8259 section 6).
        if matches!(digits, [] | [b'0', _, ..]) {
            return None;
        }
        // A point or an exponent would be no byte that comes behind a value.
        self.0 = rest;
        Some(Value::Integer(digits))
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::{super::record, *};
    use crate::input::Options;

    #[test]
    fn plain_records_are_read_here_and_no_others() {
        let options = Options::default();
        let fields = Fields::new(&options);
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
            assert_eq!(read(text.as_bytes(), &fields).is_some(), is_plain, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_plain_is_read_as_any_other(
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
            let options = Options::default();
            let fields = Fields::new(&options);
            if let Some(plain) = read(text.as_bytes(), &fields) {
                let any = record::read_any(text.as_bytes(), &fields);
                prop_assert_eq!(any.expect("a record"), plain);
            }
        }
    }
}
