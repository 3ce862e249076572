//! [`TokenMask`]: masks tokens and secrets in text that a server or some other program wrote.
//!
//! A *written form* of a token is a string that may stand for the token in such text: its UTF-8,
//! hexadecimal or Base64 text or its list of bytes, possibly with escapes or in a different letter
//! case.

use std::{borrow::Cow, cmp::Reverse, fmt::Write, ops::Range};

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER};

use super::{
    token::{MaskedToken, Token},
    written_forms::decode_all,
};

/// The minimum length in bytes of a string of only letters that is also masked inside a longer
/// word. A shorter string is masked only where it is a whole word, because many words contain it by
/// chance.
const MIN_WORD_PART_BYTES: usize = 6;

/// The minimum length in bytes of a string that is also masked inside a longer word, if not all
/// characters of the string are letters.
const MIN_PART_BYTES: usize = 4;

/// The minimum length in bytes of a run of letters, digits and Base64 symbols that is shortened
/// even if the run is not a known token.
const MIN_UNKNOWN_TOKEN_BYTES: usize = 20;

/// The text to be masked, which is searched for tokens and secrets in any letter case and in the
/// usual encodings.
#[derive(Debug)]
pub(crate) struct TokenMask<'t> {
    text: &'t str,
    /// `text` with ASCII letters in lower case. Other letters are unchanged, so each byte offset in
    /// `lowercase` is also valid in `text`.
    lowercase: String,
    has_escapes: bool,
    has_byte_lists: bool,
    /// `text` decoded in several ways by `decode_all`, in lower case.
    decoded: Vec<String>,
    /// Whether each pair of bytes occurs in `lowercase` or `decoded`. The index is the pair as a
    /// big-endian number. Nearly all tokens start with a pair that does not occur. These tokens
    /// need no search, so millions of tokens can be searched for quickly.
    pairs: Vec<bool>,
    /// Whether a token or secret occurs only in `decoded`. Its place in `text` is then unknown, so
    /// `text` cannot be masked.
    is_unmaskable: bool,
    /// The number of occurrences of the current token or secret in `lowercase`.
    plain_count: usize,
    /// The number of occurrences of the current token or secret in `decoded`. Each written form
    /// adds the highest number of its occurrences in a single string of `decoded`.
    decoded_count: usize,
    found: Vec<Replacement>,
}

/// A string that occurs in the text, and the string that replaces it.
#[derive(Debug)]
struct Replacement {
    /// The string to be replaced, in lower case.
    original: String,
    replacement: String,
}

impl<'t> TokenMask<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let lowercase = text.to_ascii_lowercase();
        let decoded = decode_all(text);
        let mut pairs = vec![false; 1 << 16];
        for text in decoded.iter().chain([&lowercase]) {
            for pair in text.as_bytes().windows(2) {
                pairs[usize::from(u16::from_be_bytes([pair[0], pair[1]]))] = true;
            }
        }
        Self {
            text,
            lowercase,
            has_escapes: text.contains('\\'),
            has_byte_lists: text.contains('['),
            decoded,
            pairs,
            is_unmaskable: false,
            plain_count: 0,
            decoded_count: 0,
            found: Vec::new(),
        }
    }

    /// Searches for a token. In the masked text, [`MaskedToken`] replaces each occurrence.
    pub(crate) fn search_token(&mut self, token: &Token<'_>) {
        let token = token.as_bytes();
        // A text that is shorter than the token is not searched, because a written form is at least
        // as long as the token. A few characters are shorter in a different letter case, but this
        // exception is ignored.
        if token.len() > self.text.len() {
            return;
        }
        let plain = String::from_utf8_lossy(token);
        self.search_form(token, &plain);
        if !plain.is_ascii() {
            let lowercase = plain.to_lowercase();
            let uppercase = plain.to_uppercase().to_lowercase();
            let mut forms = vec![plain.to_ascii_lowercase(), lowercase, uppercase];
            forms.dedup();
            for form in &forms[1..] {
                self.search_form(token, form);
            }
        }
        self.search_encodings(token);
        if self.has_escapes {
            self.search_form(token, &token.escape_ascii().to_string());
            self.search_form(token, &plain.escape_default().to_string());
        }
        if self.has_byte_lists {
            for separator in [" ", ", ", ","] {
                let numbers: Vec<_> = token.iter().map(ToString::to_string).collect();
                self.search_form(token, &numbers.join(separator));
            }
        }
        self.finish_search();
    }

    /// Searches for a secret. In the masked text, "(hidden)" replaces each occurrence.
    pub(crate) fn search_secret(&mut self, secret: &str) {
        let lowercase = secret.to_ascii_lowercase();
        if !lowercase.is_empty() && self.find(&lowercase) {
            self.found.push(Replacement {
                original: lowercase,
                replacement: "(hidden)".to_owned(),
            });
        }
        self.finish_search();
    }

    /// Returns the text with all found tokens and secrets masked. Long runs of letters and digits
    /// are shortened as well, because such a run may be a token of a different input.
    pub(crate) fn into_masked_text(mut self) -> String {
        if self.is_unmaskable {
            return "(not shown: it quotes a token or a secret)".to_owned();
        }
        // A token may be a part of a longer token, so longer strings are replaced first.
        self.found
            .sort_by_key(|found| Reverse(found.original.len()));
        let mut spans: Vec<(Range<usize>, &str)> = Vec::new();
        for found in &self.found {
            for (start, original) in self.lowercase.match_indices(found.original.as_str()) {
                let range = start..start + original.len();
                let is_taken = spans
                    .iter()
                    .any(|(taken, _)| range.start < taken.end && taken.start < range.end);
                if !is_taken && !self.is_inside_word(&range) {
                    spans.push((range, &found.replacement));
                }
            }
        }
        spans.sort_unstable_by_key(|(range, _)| range.start);
        let mut masked = String::with_capacity(self.text.len());
        let mut end = 0;
        for (range, replacement) in spans {
            masked += &cut_long_runs(&self.text[end..range.start]);
            masked += replacement;
            end = range.end;
        }
        masked + &cut_long_runs(&self.text[end..])
    }

    fn search_encodings(&mut self, token: &[u8]) {
        // In each encoding, three bytes become a whole number of characters: six hexadecimal digits
        // or four Base64 symbols. `encoded_start` is therefore a prefix of the encoded token.
        let start = &token[..token.len().min(3)];
        for encoding in [&HEXLOWER, &BASE64_NOPAD, &BASE64URL_NOPAD] {
            if encoding.encode_len(token.len()) > self.text.len() {
                continue;
            }
            let mut encoded_start = [0; 6];
            let encoded_start = &mut encoded_start[..encoding.encode_len(start.len())];
            encoding.encode_mut(start, encoded_start);
            if self.may_contain(encoded_start) {
                self.search_form(token, &encoding.encode(token));
            }
        }
    }

    /// Searches for one written form of a token.
    fn search_form(&mut self, token: &[u8], form: &str) {
        if form.is_empty()
            || form.len() > self.lowercase.len()
            || !self.may_contain(form.as_bytes())
        {
            return;
        }
        let form: Cow<'_, str> = if form.bytes().any(|byte| byte.is_ascii_uppercase()) {
            form.to_ascii_lowercase().into()
        } else {
            form.into()
        };
        if self.find(&form) {
            self.found.push(Replacement {
                original: form.into_owned(),
                replacement: MaskedToken(token).to_string(),
            });
        }
    }

    /// Counts the occurrences of a string, which must be in lower case. Returns whether the string
    /// occurs in `lowercase`.
    fn find(&mut self, wanted: &str) -> bool {
        let count = |text: &String| memchr::memmem::find_iter(text.as_bytes(), wanted).count();
        let plain_count = count(&self.lowercase);
        self.plain_count += plain_count;
        // A decoded text contains short strings by chance, so only longer strings are counted in
        // `decoded`.
        if wanted.len() >= MIN_WORD_PART_BYTES {
            let decoded_count = self.decoded.iter().map(count).max();
            self.decoded_count += decoded_count.unwrap_or_default();
        }
        plain_count > 0
    }

    /// Ends the search for one token or secret. If `decoded` contains more occurrences than
    /// `lowercase`, the additional occurrences cannot be replaced, so the text is marked as
    /// unmaskable.
    fn finish_search(&mut self) {
        self.is_unmaskable |= self.decoded_count > self.plain_count;
        self.plain_count = 0;
        self.decoded_count = 0;
    }

    /// Returns whether `lowercase` or `decoded` may contain a string that starts with `start`.
    fn may_contain(&self, start: &[u8]) -> bool {
        let lowercase = start.iter().take(2).map(u8::to_ascii_lowercase);
        let pair = lowercase.fold(0, |pair, byte| pair << 8 | usize::from(byte));
        start.len() < 2 || self.pairs[pair]
    }

    /// Returns whether the string in this range is short and part of a longer word. Such a string
    /// is probably not a token.
    fn is_inside_word(&self, range: &Range<usize>) -> bool {
        let text = &self.lowercase[range.clone()];
        let is_short = text.len() < MIN_PART_BYTES
            || (text.len() < MIN_WORD_PART_BYTES && text.chars().all(char::is_alphabetic));
        is_short
            && (self.text[..range.start].ends_with(char::is_alphanumeric)
                || self.text[range.end..].starts_with(char::is_alphanumeric))
    }
}

/// Shortens each long run of letters, digits and Base64 symbols that contains a digit, because such
/// a run may be a token.
fn cut_long_runs(text: &str) -> String {
    let is_in_run = |c: char| c.is_ascii_alphanumeric() || "+/=_-".contains(c);
    let mut cut = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_in_run) {
        cut += &rest[..start];
        let run = &rest[start..];
        let end = run.find(|c| !is_in_run(c)).unwrap_or(run.len());
        let (run, behind) = run.split_at(end);
        if run.len() >= MIN_UNKNOWN_TOKEN_BYTES && run.bytes().any(|byte| byte.is_ascii_digit()) {
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
        fn masks_a_token_in_any_place_and_encoding(
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
    fn masks_tokens_in_any_written_form() {
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
    fn hides_a_text_whose_decoded_form_has_a_token() {
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
