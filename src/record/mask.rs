//! Takes tokens out of texts that others wrote.

use std::{borrow::Cow, cmp::Reverse, fmt::Write};

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER};

use super::token::{MaskedToken, Token};

/// Shorter tokens of letters alone are looked for as whole words: they stand in every text.
const SHORT: usize = 6;

/// And so are all that are shorter than this.
const SHORTEST: usize = 4;

/// A text in which tokens are looked for, whatever their case and however they are written out.
#[derive(Debug)]
pub(crate) struct TokenMask<'t> {
    text: &'t str,
    /// Of the same length.
    lower: String,
    has_escapes: bool,
    has_lists: bool,
    /// What the text is once what is written out in it is read, in lower case.
    readings: Vec<String>,
    /// Which pairs of bytes there are in all of these: nearly no token begins with one of them.
    pairs: Vec<bool>,
    /// Whether a token is in one of these, where its place in the text is not known.
    is_quoted: bool,
    /// How often the secret that is looked for is in the text, and in a reading of it.
    plain: usize,
    read: usize,
    found: Vec<(String, String)>,
}

impl<'t> TokenMask<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let lower = text.to_ascii_lowercase();
        let readings = readings(text);
        let mut pairs = vec![false; 1 << 16];
        for text in readings.iter().chain([&lower]) {
            for pair in text.as_bytes().windows(2) {
                pairs[usize::from(u16::from_be_bytes([pair[0], pair[1]]))] = true;
            }
        }
        Self {
            text,
            lower,
            has_escapes: text.contains('\\'),
            has_lists: text.contains('['),
            readings,
            pairs,
            is_quoted: false,
            plain: 0,
            read: 0,
            found: Vec::new(),
        }
    }

    /// Looks for one token.
    pub(crate) fn search_token(&mut self, token: &Token<'_>) {
        let token = token.as_bytes();
        // No form is shorter.
        if token.len() > self.text.len() {
            return;
        }
        let plain = String::from_utf8_lossy(token);
        self.search_form(token, &plain);
        if !plain.is_ascii() {
            let lower = plain.to_lowercase();
            let upper = plain.to_uppercase().to_lowercase();
            let mut forms = vec![plain.to_ascii_lowercase(), lower, upper];
            forms.dedup();
            for form in &forms[1..] {
                self.search_form(token, form);
            }
        }
        // What whole characters stand for in each of them.
        let start = &token[..token.len().min(3)];
        for encoding in [&HEXLOWER, &BASE64_NOPAD, &BASE64URL_NOPAD] {
            // Only a text as long as the form can hold it.
            if encoding.encode_len(token.len()) > self.text.len() {
                continue;
            }
            let mut first = [0; 6];
            let first = &mut first[..encoding.encode_len(start.len())];
            encoding.encode_mut(start, first);
            if self.may_hold(first) {
                self.search_form(token, &encoding.encode(token));
            }
        }
        if self.has_escapes {
            self.search_form(token, &token.escape_ascii().to_string());
            self.search_form(token, &plain.escape_default().to_string());
        }
        if self.has_lists {
            for separator in [" ", ", ", ","] {
                let numbers: Vec<_> = token.iter().map(ToString::to_string).collect();
                self.search_form(token, &numbers.join(separator));
            }
        }
        self.looked();
    }

    /// Looks for a text that must not be shown at all.
    pub(crate) fn search_secret(&mut self, secret: &str) {
        let form = secret.to_ascii_lowercase();
        if !form.is_empty() && self.finds(&form) {
            self.found.push((form, "(hidden)".to_owned()));
        }
        self.looked();
    }

    /// Whether a form, in lower case, is in the text as it stands.
    fn finds(&mut self, form: &str) -> bool {
        let count = |text: &String| memchr::memmem::find_iter(text.as_bytes(), form).count();
        let plain = count(&self.lower);
        self.plain += plain;
        // By chance a short one is in any text.
        if form.len() >= SHORT {
            let most = self.readings.iter().map(count).max();
            self.read += most.unwrap_or_default();
        }
        plain > 0
    }

    /// Ends the search for one secret. More of it in what the text is once it is read than in the
    /// text as it stands can't be taken out of it.
    fn looked(&mut self) {
        self.is_quoted |= self.read > self.plain;
        (self.plain, self.read) = (0, 0);
    }

    /// Whether a form that begins so may be in the text or in a reading of it.
    fn may_hold(&self, start: &[u8]) -> bool {
        let lower = start.iter().take(2).map(u8::to_ascii_lowercase);
        let pair = lower.fold(0, |pair, byte| pair << 8 | usize::from(byte));
        start.len() < 2 || self.pairs[pair]
    }

    fn search_form(&mut self, token: &[u8], form: &str) {
        if form.is_empty() || form.len() > self.lower.len() || !self.may_hold(form.as_bytes()) {
            return;
        }
        let form: Cow<'_, str> = if form.bytes().any(|byte| byte.is_ascii_uppercase()) {
            form.to_ascii_lowercase().into()
        } else {
            form.into()
        };
        if self.finds(&form) {
            self.found
                .push((form.into_owned(), MaskedToken(token).to_string()));
        }
    }

    /// The text without the tokens that were found, and without what looks like one all the same.
    pub(crate) fn into_masked_text(mut self) -> String {
        if self.is_quoted {
            return "(not shown: it quotes a token or a secret)".to_owned();
        }
        // A token may be part of another.
        self.found.sort_by_key(|(form, _)| Reverse(form.len()));
        let mut spans: Vec<(usize, usize, String)> = Vec::new();
        for (form, mask) in &self.found {
            for (start, _) in self.lower.match_indices(form.as_str()) {
                let end = start + form.len();
                let taken = spans.iter().any(|(from, to, _)| start < *to && *from < end);
                if !taken && !self.is_inside_word(form, start, end) {
                    spans.push((start, end, mask.clone()));
                }
            }
        }
        spans.sort_unstable();
        let mut masked = String::with_capacity(self.text.len());
        let mut done = 0;
        for (start, end, mask) in spans {
            masked += &cut_runs(&self.text[done..start]);
            masked += &mask;
            done = end;
        }
        masked + &cut_runs(&self.text[done..])
    }

    /// Whether a short form is a part of some word by chance.
    fn is_inside_word(&self, form: &str, start: usize, end: usize) -> bool {
        let by_chance =
            form.len() < SHORTEST || (form.len() < SHORT && form.chars().all(char::is_alphabetic));
        by_chance
            && (self.text[..start].ends_with(char::is_alphanumeric)
                || self.text[end..].starts_with(char::is_alphanumeric))
    }
}

/// What a text is with its escapes read, once and twice, with the separators taken out of runs of
/// hexadecimal pairs, and with lists of bytes read; nothing where there is none of these.
fn readings(text: &str) -> Vec<String> {
    let mut readings = Vec::new();
    if !text.is_ascii() {
        readings.push(text.to_lowercase());
    }
    for numbers in [Numbers::Characters, Numbers::Bytes] {
        let mut last = text.to_owned();
        for _ in 0..3 {
            let read = unescaped(&last, numbers);
            if read == last {
                break;
            }
            readings.push(read.to_lowercase());
            last = read;
        }
        let joined: String = last.split([':', '-', ' ', ',']).collect();
        if longest_hex(&joined) > longest_hex(&last) {
            readings.push(joined.to_lowercase());
        }
    }
    readings.push(listed(text).to_lowercase());
    readings.dedup();
    readings
}

/// What is left of a text of which only numbers are read, each for a byte.
fn listed(text: &str) -> String {
    let byte = |word: &str| {
        let word = word.strip_suffix("u8").unwrap_or(word);
        let of_radix = |prefix, radix| Some((word.strip_prefix(prefix)?, radix));
        let written = of_radix("0x", 16).or_else(|| of_radix("0X", 16));
        let written = written.or_else(|| of_radix("0o", 8));
        let (digits, radix) = written.or_else(|| of_radix("0b", 2)).unwrap_or((word, 10));
        u8::from_str_radix(digits, radix).ok()
    };
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    let bytes: Vec<u8> = words.map(|word| byte(word).unwrap_or(b' ')).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The length of a text's longest run of hexadecimal digits.
fn longest_hex(text: &str) -> usize {
    let runs = text.split(|c: char| !c.is_ascii_hexdigit());
    runs.map(str::len).max().unwrap_or_default()
}

/// What the numbers in `\\u00fc` and `&#252;` are of: some write the bytes of UTF-8 so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Numbers {
    Characters,
    Bytes,
}

/// Reads `%41`, `\\x41`, `\\u0041`, `\\u{41}`, `\\101`, `\\/` and `&#65;`, `&#x41;`.
fn unescaped(text: &str, numbers: Numbers) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (value, length) = escape(rest).unwrap_or((c, c.len_utf8()));
        let is_number = rest.starts_with("\\u") || rest.starts_with("&#");
        let is_byte = length > c.len_utf8() && (numbers == Numbers::Bytes || !is_number);
        match u8::try_from(u32::from(value)) {
            // Bytes of UTF-8 are written out one by one too.
            Ok(byte) if is_byte => bytes.push(byte),
            _ => bytes.extend(value.encode_utf8(&mut [0; 4]).bytes()),
        }
        rest = &rest[length..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The character that an escape at a text's start stands for, and the escape's length.
fn escape(text: &str) -> Option<(char, usize)> {
    let number = |start: usize, digits: usize, radix, end: &str| {
        let value = text.get(start..start + digits)?;
        let value = char::from_u32(u32::from_str_radix(value, radix).ok()?)?;
        let behind = text.get(start + digits..)?;
        behind
            .starts_with(end)
            .then_some((value, start + digits + end.len()))
    };
    let delimited = |start: usize, radix, end: char| {
        let digits = text.get(start..)?.find(end)?;
        number(start, digits, radix, end.encode_utf8(&mut [0; 4]))
    };
    match text.as_bytes() {
        [b'%', ..] => number(1, 2, 16, ""),
        [b'\\', b'x', ..] => number(2, 2, 16, ""),
        [b'\\', b'u', b'{', ..] => delimited(3, 16, '}'),
        [b'\\', b'u', ..] => number(2, 4, 16, "").or_else(|| surrogates(text)),
        [b'\\', b'0'..=b'7', ..] => number(1, 3, 8, ""),
        [b'\\', b'/' | b'\\' | b'"' | b'\'', ..] => Some((char::from(text.as_bytes()[1]), 2)),
        [b'&', b'#', b'x' | b'X', ..] => delimited(3, 16, ';'),
        [b'&', b'#', ..] => delimited(2, 10, ';'),
        _ => None,
    }
}

/// `\\ud83d\\ude00`, one character in two.
fn surrogates(text: &str) -> Option<(char, usize)> {
    let unit = |start: usize| {
        let digits = text.get(start..)?.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let pair = [unit(0)?, unit(6)?];
    let read = char::decode_utf16(pair).next()?;
    Some((read.ok()?, 12))
}

/// Cuts what stands in a text like a token: a long run of letters and digits.
fn cut_runs(text: &str) -> String {
    const LONG: usize = 20;
    let is_part = |c: char| c.is_ascii_alphanumeric() || "+/=_-".contains(c);
    let mut cut = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        cut += &rest[..start];
        let run = &rest[start..];
        let end = run.find(|c| !is_part(c)).unwrap_or(run.len());
        let (run, behind) = run.split_at(end);
        if run.len() >= LONG && run.bytes().any(|byte| byte.is_ascii_digit()) {
            let _ = write!(cut, "{}… ({} characters)", &run[..4], run.len());
        } else {
            cut += run;
        }
        rest = behind;
    }
    cut + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::TokenEncoding;

    proptest! {
        #[test]
        fn a_token_is_found_wherever_it_stands_and_however_it_is_written(
            bytes in prop::collection::vec(any::<u8>(), 6..40),
            before in "[ a-zA-Z:]{0,20}",
            behind in "[ a-zA-Z:]{0,20}",
            form in 0..4,
        ) {
            let hex = HEXLOWER.encode(&bytes);
            let token = Token::parse(hex.clone().into(), TokenEncoding::Hex).expect("a token");
            let form = match form {
                0 => String::from_utf8_lossy(&bytes).into_owned(),
                1 => hex.to_ascii_uppercase(),
                2 => BASE64_NOPAD.encode(&bytes),
                _ => BASE64URL_NOPAD.encode(&bytes),
            };
            let text = format!("{before}{form}{behind}");
            let mut mask = TokenMask::new(&text);
            mask.search_token(&token);
            prop_assert!(!mask.into_masked_text().contains(&form), "{text:?}");
        }
    }

    fn mask(text: &str) -> String {
        let mut mask = TokenMask::new(text);
        for token in [
            "fadfadftetwtwtwt",
            "fadfadftetwtwtwt-x",
            "a",
            "ab12c",
            "se\"cr\"et",
            "Gr\u{fc}ne-Sensor-1234",
            "\u{1f600}tok\u{1f600}",
        ] {
            let token = Token::parse(token.into(), TokenEncoding::Utf8).expect("a token");
            mask.search_token(&token);
        }
        let binary = Token::parse("fbff00".into(), TokenEncoding::Hex).expect("a token");
        mask.search_token(&binary);
        mask.search_secret("S3cret-value");
        mask.into_masked_text()
    }

    #[test]
    fn tokens_are_masked_however_they_are_written() {
        for (text, masked) in [
            ("no fadfadftetwtwtwt!", "no fadf… (16 bytes)!"),
            ("no FADFadftetwtwtwt!", "no fadf… (16 bytes)!"),
            ("xfadfadftetwtwtwtx", "xfadf… (16 bytes)x"),
            ("fadfadftetwtwtwt-x", "fadf… (18 bytes)"),
            (
                "hex 66616466616466746574777477747774",
                "hex fadf… (16 bytes)",
            ),
            (
                "FBFF00, fbff00, +/8A",
                "\\xfb… (3 bytes), \\xfb… (3 bytes), \\xfb… (3 bytes)",
            ),
            ("b'\\xfb\\xff\\x00'", "b'\\xfb… (3 bytes)'"),
            ("[251 255 0]", "[\\xfb… (3 bytes)]"),
            ("\"se\\\"cr\\\"et\"", "\"se… (8 bytes)\""),
            ("a bad token 'a'", "… (1 byte) bad token '… (1 byte)'"),
            ("id5ab12c", "id5a… (5 bytes)"),
            (
                "record CiEKEWZhZGZhZGZ0ZXR3dHd0d3QQ",
                "record CiEK… (28 characters)",
            ),
            ("who is s3cret-VALUE?", "who is (hidden)?"),
            (
                "method UpdateSensorExpireTime",
                "method UpdateSensorExpireTime",
            ),
            ("nothing", "nothing"),
            (
                "GR\u{dc}NE-SENSOR-1234",
                "(not shown: it quotes a token or a secret)",
            ),
            ("100%, \\d and & so", "100%, \\d and & so"),
        ] {
            assert_eq!(mask(text), masked);
        }
    }

    #[test]
    fn a_text_that_quotes_a_token_written_out_is_not_shown() {
        for text in [
            "%66adfadftetwtwtwt",
            "%2566adfadftetwtwtwt",
            "\\u0066adfadftetwtwtwt",
            "\\u{66}adfadftetwtwtwt",
            "\\x66adfadftetwtwtwt",
            "\\146adfadftetwtwtwt",
            "&#102;adfadftetwtwtwt",
            "&#x66;adfadftetwtwtwt",
            "66:61:64:66:61:64:66:74:65:74:77:74:77:74:77:74",
            "66 61 64 66 61 64 66 74 65 74 77 74 77 74 77 74",
            "who is s3cret%2dvalue?",
            "{\"token\":\"Gr\\u00fcne-Sensor-1234\"}",
            "Gr&#252;ne-Sensor-1234",
            "Gr%C3%BCne-Sensor-1234",
            "Gr\\u00c3\\u00bcne-Sensor-1234",
            "\\ud83d\\ude00tok\\ud83d\\ude00",
            "102, 97, 100, 102, 97, 100, 102, 116, 101, 116, 119, 116, 119, 116, 119, 116",
            "(0x66, 0x61, 0x64, 0x66, 0x61, 0x64, 0x66, 0x74, 0x65, 0x74, 0x77, 0x74, 0x77, 0x74, 0x77, 0x74)",
        ] {
            assert!(
                mask(text).starts_with("(not shown"),
                "{text}: {}",
                mask(text)
            );
        }
    }
}
