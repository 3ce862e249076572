//! Decodes text in which a server or some other program may quote a token in an unusual form: with
//! escapes, as hexadecimal bytes with separators, or as a list of bytes. [`super::token_mask`]
//! searches for the token in the decoded text.

/// Returns several decodings of a string, in lower case: with escapes decoded up to three times
/// (escapes may be nested, as in `%2566`), with the separators between hexadecimal digits removed,
/// and with lists of numbers converted to bytes.
pub(super) fn decode_all(text: &str) -> Vec<String> {
    let mut decoded = Vec::new();
    if !text.is_ascii() {
        decoded.push(text.to_lowercase());
    }
    for meaning in [NumericEscapes::Characters, NumericEscapes::Bytes] {
        let mut last = text.to_owned();
        for _ in 0..3 {
            let unescaped = unescape(&last, meaning);
            if unescaped == last {
                break;
            }
            decoded.push(unescaped.to_lowercase());
            last = unescaped;
        }
        let joined: String = last.split([':', '-', ' ', ',']).collect();
        if longest_hex_run(&joined) > longest_hex_run(&last) {
            decoded.push(joined.to_lowercase());
        }
    }
    decoded.push(decode_byte_list(text).to_lowercase());
    decoded.dedup();
    decoded
}

/// Converts each number from 0 to 255 in a string to a byte, and each other word to a space.
/// Removes all characters between the words.
fn decode_byte_list(text: &str) -> String {
    let parse_byte = |word: &str| {
        let word = word.strip_suffix("u8").unwrap_or(word);
        let prefixes = [("0x", 16), ("0X", 16), ("0o", 8), ("0b", 2)];
        let (digits, radix) = prefixes
            .into_iter()
            .find_map(|(prefix, radix)| Some((word.strip_prefix(prefix)?, radix)))
            .unwrap_or((word, 10));
        u8::from_str_radix(digits, radix).ok()
    };
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    let bytes: Vec<u8> = words.map(|word| parse_byte(word).unwrap_or(b' ')).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns the length of the longest run of hexadecimal digits.
fn longest_hex_run(text: &str) -> usize {
    let runs = text.split(|c: char| !c.is_ascii_hexdigit());
    runs.map(str::len).max().unwrap_or_default()
}

/// The meaning of the number in escapes such as `\u00fc` and `&#252;`: a character, or a byte of
/// UTF-8. Some programs escape UTF-8 byte by byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NumericEscapes {
    Characters,
    Bytes,
}

/// An escape sequence at the start of a string.
struct Escape {
    value: char,
    /// The length of the sequence in bytes.
    length: usize,
}

/// Decodes escapes such as `%41`, `\x41`, `\u0041`, `\u{41}`, `\101`, `\/`, `&#65;` and `&#x41;`.
fn unescape(text: &str, numeric_escapes: NumericEscapes) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let Escape { value, length } = parse_escape(rest).unwrap_or(Escape {
            value: c,
            length: c.len_utf8(),
        });
        let is_numeric = rest.starts_with("\\u") || rest.starts_with("&#");
        let is_byte =
            length > c.len_utf8() && (numeric_escapes == NumericEscapes::Bytes || !is_numeric);
        match u8::try_from(u32::from(value)) {
            Ok(byte) if is_byte => bytes.push(byte),
            _ => bytes.extend(value.encode_utf8(&mut [0; 4]).bytes()),
        }
        rest = &rest[length..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Parses the escape sequence at the start of a string. Returns `None` if the string starts with no
/// escape sequence.
fn parse_escape(text: &str) -> Option<Escape> {
    match text.as_bytes() {
        [b'%', ..] => parse_number(text, 1, 2, 16),
        [b'\\', b'x', ..] => parse_number(text, 2, 2, 16),
        [b'\\', b'u', b'{', ..] => parse_delimited_number(text, 3, 16, '}'),
        [b'\\', b'u', ..] => parse_number(text, 2, 4, 16).or_else(|| parse_surrogate_pair(text)),
        [b'\\', b'0'..=b'7', ..] => parse_number(text, 1, 3, 8),
        [b'\\', escaped @ (b'/' | b'\\' | b'"' | b'\''), ..] => Some(Escape {
            value: char::from(*escaped),
            length: 2,
        }),
        [b'&', b'#', b'x' | b'X', ..] => parse_delimited_number(text, 3, 16, ';'),
        [b'&', b'#', ..] => parse_delimited_number(text, 2, 10, ';'),
        _ => None,
    }
}

/// Parses an escape whose number has `digits` digits and starts at byte `start`.
fn parse_number(text: &str, start: usize, digits: usize, radix: u32) -> Option<Escape> {
    let length = start + digits;
    let number = u32::from_str_radix(text.get(start..length)?, radix).ok()?;
    let value = char::from_u32(number)?;
    Some(Escape { value, length })
}

/// Parses an escape whose number starts at byte `start` and ends before the character `end`.
fn parse_delimited_number(text: &str, start: usize, radix: u32, end: char) -> Option<Escape> {
    let digits = text.get(start..)?.find(end)?;
    let Escape { value, length } = parse_number(text, start, digits, radix)?;
    Some(Escape {
        value,
        length: length + end.len_utf8(),
    })
}

/// Parses an escape such as `\ud83d\ude00`: two UTF-16 code units that together encode one
/// character.
fn parse_surrogate_pair(text: &str) -> Option<Escape> {
    let code_unit = |start: usize| {
        let digits = text.get(start..)?.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let pair = [code_unit(0)?, code_unit(6)?];
    let value = char::decode_utf16(pair).next()?.ok()?;
    Some(Escape { value, length: 12 })
}
