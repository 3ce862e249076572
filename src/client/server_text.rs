//! Makes text of a server or a proxy safe to show.

use std::{cmp::Reverse, fmt::Write};

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER};

use crate::{metadata::Metadata, record::MaskedToken};

const MAX_SHOWN_CHARS: usize = 500;

/// The number of characters in which tokens and header values are searched for. It is larger than
/// [`MAX_SHOWN_CHARS`], so that a token is recognized even if only its start is shown.
const MAX_SEARCHED_CHARS: usize = 4096;

/// The minimum length in bytes of a token that is also masked inside a longer word. Many words
/// contain a shorter token by chance.
const MIN_WORD_PART_BYTES: usize = 6;

/// The minimum length of a run of token characters that is shortened even if it is not a token of
/// the request, because it may be a different token.
const MIN_CUT_RUN_CHARS: usize = 24;

/// A token or a header value, as it occurs in a text in lower case.
struct Secret {
    text: String,
    mask: String,
}

/// Returns text of a server or a proxy as it may be shown: without header values and the given
/// tokens, without control characters, and at most [`MAX_SHOWN_CHARS`] long.
pub(super) fn safe_text<'t>(
    text: &str,
    metadata: &Metadata,
    tokens: impl Iterator<Item = &'t [u8]>,
) -> String {
    let text: String = text.chars().take(MAX_SEARCHED_CHARS).collect();
    let masked = mask_secrets(&text, metadata, tokens);
    let mut safe = String::new();
    for c in cut_long_runs(&masked).chars() {
        if c.is_control() {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    match safe.char_indices().nth(MAX_SHOWN_CHARS - 1) {
        Some((end, last)) if end + last.len_utf8() < safe.len() => format!("{}…", &safe[..end]),
        _ => safe,
    }
}

/// Masks header values and tokens, as text, in hexadecimal and in Base64. Upper and lower case are
/// not distinguished.
pub(crate) fn mask_secrets<'t>(
    text: &str,
    metadata: &Metadata,
    tokens: impl Iterator<Item = &'t [u8]>,
) -> String {
    let lowercase = text.to_ascii_lowercase();
    let mut found = Vec::new();
    let mut search = |secret: &[u8], mask: &dyn ToString| {
        if secret.len() > text.len() {
            return;
        }
        let encodings = [&HEXLOWER, &BASE64_NOPAD, &BASE64URL_NOPAD];
        let mut forms = vec![String::from_utf8_lossy(secret).into_owned()];
        forms.extend(encodings.map(|encoding| encoding.encode(secret)));
        for form in forms {
            let text = form.to_ascii_lowercase();
            if memchr::memmem::find(lowercase.as_bytes(), text.as_bytes()).is_some() {
                let mask = mask.to_string();
                found.push(Secret { text, mask });
            }
        }
    };
    for secret in metadata.secrets() {
        search(secret.as_bytes(), &"(hidden)");
    }
    for token in tokens {
        search(token, &MaskedToken(token));
    }
    // A secret may be a part of a longer one, so longer ones are masked first.
    found.sort_by_key(|secret| Reverse(secret.text.len()));
    found
        .iter()
        .fold(text.to_owned(), |text, secret| mask(&text, secret))
}

fn mask(text: &str, secret: &Secret) -> String {
    let lowercase = text.to_ascii_lowercase();
    let mut masked = String::with_capacity(text.len());
    let mut end = 0;
    for (start, found) in lowercase.match_indices(&secret.text) {
        let behind = start + found.len();
        let is_word_part = text[..start].ends_with(char::is_alphanumeric)
            || text[behind..].starts_with(char::is_alphanumeric);
        if found.len() >= MIN_WORD_PART_BYTES || !is_word_part {
            masked += &text[end..start];
            masked += &secret.mask;
            end = behind;
        }
    }
    masked + &text[end..]
}

/// Shortens each long run of characters that occur in hexadecimal and Base64.
fn cut_long_runs(text: &str) -> String {
    let is_token_char = |c: char| c.is_ascii_alphanumeric() || "+/=_-".contains(c);
    let mut cut = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_token_char) {
        cut += &rest[..start];
        rest = &rest[start..];
        let length = rest.find(|c| !is_token_char(c)).unwrap_or(rest.len());
        if length >= MIN_CUT_RUN_CHARS {
            let _ = write!(cut, "{}… ({length} characters)", &rest[..4]);
        } else {
            cut += &rest[..length];
        }
        rest = &rest[length..];
    }
    cut + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safe(text: &str) -> String {
        let mut metadata = Metadata::default();
        for header in [
            "x-key: open-sesame",
            "authorization: Basic dXNlcjpwYXNzd29yZA==",
        ] {
            metadata.add_line(header).expect("a header");
        }
        let tokens: [&[u8]; 5] = [
            b"fadfadftetwtwtwt",
            b"fadfadftetwtwtwt-x",
            b"ab12",
            b"gr\xfcn-sensor",
            b"\x00\xff\x10\x83\x10\x51\x87\x20\x92\x8b",
        ];
        safe_text(text, &metadata, tokens.into_iter())
    }

    #[test]
    fn masks_cuts_and_escapes() {
        for (text, shown) in [
            ("quota exceeded for tenant 7", "quota exceeded for tenant 7"),
            ("bad token fadfadftetwtwtwt", "bad token fadf… (16 bytes)"),
            ("<FADFADFTETWTWTWT-X>", "<fadf… (18 bytes)>"),
            ("6661646661646674657477747774777", "6661… (31 characters)"),
            ("66616466616466746574777477747774!", "fadf… (16 bytes)!"),
            (
                "00FF1083105187 and 00FF108310518720928B",
                "00FF1083105187 and \\x00\\xff\\x10… (10 bytes)",
            ),
            ("AP8QgxBRhyCSiw==", "\\x00\\xff\\x10… (10 bytes)=="),
            ("ZmFkZmFkZnRldHd0d3R3dA", "fadf… (16 bytes)"),
            (
                "the token gr\u{fffd}n-sensor",
                "the token gr\\xfc… (11 bytes)",
            ),
            (
                "ab12 is not ab123 or cab12",
                "a… (4 bytes) is not ab123 or cab12",
            ),
            ("key Open-Sesame is unknown", "key (hidden) is unknown"),
            ("b3Blbi1zZXNhbWU=", "(hidden)="),
            (
                "dXNlcjpwYXNzd29yZA, user:password, password",
                "(hidden), (hidden), (hidden)",
            ),
            (
                "sensor 0123456789abcdefghijklm",
                "sensor 0123456789abcdefghijklm",
            ),
            (
                "sensor 0123456789abcdefghijklmn",
                "sensor 0123… (24 characters)",
            ),
            (
                "\u{1b}[31mred\r\n\u{9b}caf\u{e9}\u{fffd}",
                "\\u{1b}[31mred\\r\\n\\u{9b}café\u{fffd}",
            ),
            ("", ""),
        ] {
            assert_eq!(safe(text), shown, "{text:?}");
        }
    }

    #[test]
    fn shows_at_most_500_characters() {
        let text = "é ".repeat(250);
        assert_eq!(safe(&text), text);
        let shown = safe(&"é ".repeat(10_000));
        assert_eq!(shown.chars().count(), MAX_SHOWN_CHARS);
        assert!(shown.ends_with("é…"), "{shown}");
        let long = format!("{}fadfadftetwtwtwt", "x ".repeat(246));
        assert!(safe(&long).ends_with(" fadf… (…"), "{}", safe(&long));
    }
}
