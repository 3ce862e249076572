//! Takes tokens out of texts that others wrote.

use std::borrow::Cow;

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

use super::token::Masked;

/// Shorter tokens are looked for as whole words only: their letters stand in every text.
const SHORT: usize = 6;

/// The text with each of these tokens masked, written out or as hex or base64.
pub(crate) fn mask_tokens<T: AsRef<[u8]>>(text: &str, tokens: &[T]) -> String {
    let mut found: Vec<(Cow<'_, str>, String)> = Vec::new();
    for token in tokens {
        let token = token.as_ref();
        let forms = [
            String::from_utf8_lossy(token),
            HEXLOWER.encode(token).into(),
            HEXUPPER.encode(token).into(),
            BASE64_NOPAD.encode(token).into(),
            BASE64URL_NOPAD.encode(token).into(),
        ];
        for form in forms {
            if !form.is_empty() && text.contains(&*form) {
                found.push((form, Masked(token).to_string()));
            }
        }
    }
    // A token may be part of another.
    found.sort_by_key(|(form, _)| std::cmp::Reverse(form.len()));
    let mut masked = text.to_owned();
    for (form, mask) in &found {
        masked = replace(&masked, form, mask);
    }
    masked
}

fn replace(text: &str, form: &str, mask: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut done = 0;
    for (start, _) in text.match_indices(form) {
        let end = start + form.len();
        let inside_word = text[..start].ends_with(char::is_alphanumeric)
            || text[end..].starts_with(char::is_alphanumeric);
        if form.len() < SHORT && inside_word {
            continue;
        }
        replaced.push_str(&text[done..start]);
        replaced.push_str(mask);
        done = end;
    }
    replaced.push_str(&text[done..]);
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_masked_however_they_are_written() {
        let tokens: [&[u8]; 4] = [
            b"fadfadftetwtwtwt",
            b"fadfadftetwtwtwt-2",
            b"a",
            b"\xfb\xff\x00",
        ];
        for (text, masked) in [
            ("no fadfadftetwtwtwt!", "no fadf… (16 bytes)!"),
            ("xfadfadftetwtwtwtx", "xfadf… (16 bytes)x"),
            ("fadfadftetwtwtwt-2", "fadf… (18 bytes)"),
            (
                "6661646661646674657477747774777 4",
                "6661646661646674657477747774777 4",
            ),
            (
                "hex 66616466616466746574777477747774",
                "hex fadf… (16 bytes)",
            ),
            (
                "FBFF00, fbff00, +/8A, -_8A",
                "\\xfb… (3 bytes), \\xfb… (3 bytes), \\xfb… (3 bytes), \\xfb… (3 bytes)",
            ),
            ("a bad token 'a'", "… (1 byte) bad token '… (1 byte)'"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(mask_tokens(text, &tokens), masked);
        }
    }
}
