//! Device tokens: opaque bytes, decoded from UTF-8, hexadecimal or Base64 text. Tokens are
//! credentials, so they are masked when they are printed.

use std::{borrow::Cow, fmt, sync::LazyLock};

use data_encoding::{BASE64, BASE64_NOPAD, DecodeKind, Encoding, HEXLOWER, HEXLOWER_PERMISSIVE};

/// A device token of at least one byte. `Debug` and `Display` print the token masked.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Token<'a>(Cow<'a, [u8]>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TokenEncoding {
    /// The token is the UTF-8 bytes of the text.
    #[default]
    Utf8,
    /// Hexadecimal (base 16 of RFC 4648), in upper or lower case.
    Hex,
    /// Base64 (RFC 4648), in the standard or the URL-safe alphabet, with or without padding.
    Base64,
}

/// The message continues a sentence that starts with the string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("is empty")]
    Empty,
    #[error("is not UTF-8 at byte {}", .offset + 1)]
    NotUtf8 { offset: usize },
    #[error("has leading or trailing white space")]
    SurroundingWhitespace,
    #[error("has an odd number of hexadecimal digits")]
    OddHexLength,
    #[error("is not hexadecimal at byte {}", .offset + 1)]
    InvalidHex { offset: usize },
    #[error("is not base64 at byte {}", .offset + 1)]
    InvalidBase64 { offset: usize },
    #[error("is truncated base64")]
    TruncatedBase64,
    #[error("has wrong base64 padding at byte {}", .offset + 1)]
    WrongPadding { offset: usize },
    #[error("is not base64 at byte {}: its unused bits are not zero", .offset + 1)]
    UnusedBits { offset: usize },
}

static BASE64_BOTH_ALPHABETS: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = BASE64_NOPAD.specification();
    specification.translate.from.push_str("-_");
    specification.translate.to.push_str("+/");
    specification
        .encoding()
        .expect("translating two symbols keeps the encoding valid")
});

impl<'a> Token<'a> {
    pub(crate) fn parse(text: Cow<'a, [u8]>, encoding: TokenEncoding) -> Result<Self, TokenError> {
        // Most tokens are ASCII text as it is.
        let is_plain = encoding == TokenEncoding::Utf8
            && text.first().is_some_and(u8::is_ascii_graphic)
            && text.last().is_some_and(u8::is_ascii_graphic)
            && text.is_ascii();
        if is_plain {
            return Ok(Self(text));
        }
        if text.is_empty() {
            return Err(TokenError::Empty);
        }
        let bytes = match encoding {
            TokenEncoding::Utf8 => {
                let decoded = str::from_utf8(&text).map_err(|error| TokenError::NotUtf8 {
                    offset: error.valid_up_to(),
                })?;
                if has_surrounding_whitespace(decoded) {
                    return Err(TokenError::SurroundingWhitespace);
                }
                return Ok(Self(text));
            }
            // Bytes that are not UTF-8 are wrong characters of these encodings.
            TokenEncoding::Hex => decode_hex(&String::from_utf8_lossy(&text))?,
            TokenEncoding::Base64 => decode_base64(&String::from_utf8_lossy(&text))?,
        };
        // No encoding decodes a string to zero bytes today, but `Token` does not rely on this.
        if bytes.is_empty() {
            return Err(TokenError::Empty);
        }
        Ok(Self(Cow::Owned(bytes)))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TokenEncoding {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf8",
            Self::Hex => "hex",
            Self::Base64 => "base64",
        }
    }

    pub(crate) fn encode(self, token: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Utf8 => Cow::Borrowed(token),
            Self::Hex => Cow::Owned(HEXLOWER.encode(token).into_bytes()),
            Self::Base64 => Cow::Owned(BASE64.encode(token).into_bytes()),
        }
    }

    /// Encodes a token for a CSV file that has no column for the encoding. A token that CSV text
    /// cannot hold becomes `base64:` and its Base64, and so does a token that begins with
    /// `base64:`.
    pub(crate) fn to_csv_text(self, token: &[u8]) -> Cow<'_, [u8]> {
        const MARK: &str = "base64:";
        if self == Self::Utf8 && (!fits_csv_text(token) || token.starts_with(MARK.as_bytes())) {
            return Cow::Owned(format!("{MARK}{}", BASE64.encode(token)).into_bytes());
        }
        self.encode(token)
    }
}

/// Returns whether a text token in a CSV file can be exactly these bytes.
pub(crate) fn fits_csv_text(token: &[u8]) -> bool {
    str::from_utf8(token).is_ok_and(|text| {
        text.trim() == text && !text.contains(|char: char| char.is_control() || char == '\u{feff}')
    })
}

fn decode_hex(text: &str) -> Result<Vec<u8>, TokenError> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| {
        match find_wrong_byte(text, u8::is_ascii_hexdigit) {
            Some(offset) => TokenError::InvalidHex { offset },
            None if has_surrounding_whitespace(text) => TokenError::SurroundingWhitespace,
            None => TokenError::OddHexLength,
        }
    })
}

fn decode_base64(text: &str) -> Result<Vec<u8>, TokenError> {
    let unpadded = text.trim_end_matches('=');
    let decoded = BASE64_BOTH_ALPHABETS
        .decode(unpadded.as_bytes())
        .map_err(|error| {
            let is_symbol = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
            let symbols = text.trim_end().trim_end_matches('=');
            match find_wrong_byte(symbols, is_symbol) {
                Some(offset) => TokenError::InvalidBase64 { offset },
                None if has_surrounding_whitespace(text) => TokenError::SurroundingWhitespace,
                None if error.kind == DecodeKind::Length => TokenError::TruncatedBase64,
                None if error.kind == DecodeKind::Trailing => TokenError::UnusedBits {
                    offset: error.position,
                },
                None => TokenError::InvalidBase64 {
                    offset: error.position,
                },
            }
        })?;
    let padding = text.len() - unpadded.len();
    if padding > 0 && (padding > 2 || !text.len().is_multiple_of(4)) {
        return Err(TokenError::WrongPadding {
            offset: unpadded.len(),
        });
    }
    Ok(decoded)
}

/// The decoders report a wrong length first, but a wrong character tells the user more. White space
/// around the text is not a wrong character.
fn find_wrong_byte(text: &str, is_right: impl Fn(&u8) -> bool) -> Option<usize> {
    let start = text.len() - text.trim_start().len();
    let wrong = text.trim().bytes().position(|byte| !is_right(&byte));
    wrong.map(|offset| start + offset)
}

fn has_surrounding_whitespace(text: &str) -> bool {
    text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace)
}

impl fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&MaskedToken(&self.0), f)
    }
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&MaskedToken(&self.0), f)
    }
}

/// The bytes of a token, of which at most the first four, and at most a third, are displayed.
pub(crate) struct MaskedToken<'a>(pub(crate) &'a [u8]);

impl fmt::Display for MaskedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.0.len();
        for byte in &self.0[..(length / 3).min(4)] {
            match byte {
                b'!'..=b'~' => write!(f, "{}", char::from(*byte))?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        let unit = if length == 1 { "byte" } else { "bytes" };
        write!(f, "… ({length} {unit})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, encoding: TokenEncoding) -> Result<Vec<u8>, TokenError> {
        Token::parse(text.as_bytes().into(), encoding).map(|token| token.as_bytes().to_vec())
    }

    #[test]
    fn parses_each_encoding() {
        use TokenEncoding::{Base64, Hex, Utf8};
        for (text, encoding, bytes) in [
            ("fadf", Utf8, &b"fadf"[..]),
            ("sé nsor", Utf8, "sé nsor".as_bytes()),
            ("00ffAb", Hex, &[0x00, 0xff, 0xab]),
            ("+/8=", Base64, &[0xfb, 0xff]),
            ("-_8", Base64, &[0xfb, 0xff]),
            ("-_8=", Base64, &[0xfb, 0xff]),
            ("IA", Base64, b" "),
            ("AAAA", Base64, &[0, 0, 0]),
        ] {
            assert_eq!(parse(text, encoding).as_deref(), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn rejects_invalid_tokens_with_the_reason() {
        use TokenEncoding::{Base64, Hex, Utf8};
        for (text, encoding, error) in [
            ("", Utf8, TokenError::Empty),
            ("", Hex, TokenError::Empty),
            (" a", Utf8, TokenError::SurroundingWhitespace),
            ("a\u{a0}", Utf8, TokenError::SurroundingWhitespace),
            ("\u{2003}00", Hex, TokenError::SurroundingWhitespace),
            ("abc", Hex, TokenError::OddHexLength),
            ("0g", Hex, TokenError::InvalidHex { offset: 1 }),
            ("0x00", Hex, TokenError::InvalidHex { offset: 1 }),
            ("0x0", Hex, TokenError::InvalidHex { offset: 1 }),
            ("74:0f:47", Hex, TokenError::InvalidHex { offset: 2 }),
            ("74:0f:4", Hex, TokenError::InvalidHex { offset: 2 }),
            (" 74:0f ", Hex, TokenError::InvalidHex { offset: 3 }),
            ("740 ", Hex, TokenError::SurroundingWhitespace),
            (
                "AAAA\nAAA\n",
                Base64,
                TokenError::InvalidBase64 { offset: 4 },
            ),
            ("AA==\n", Base64, TokenError::SurroundingWhitespace),
            (" AAAAA", Base64, TokenError::SurroundingWhitespace),
            ("AA==AAAA", Base64, TokenError::InvalidBase64 { offset: 2 }),
            ("AAAAA", Base64, TokenError::TruncatedBase64),
            ("A", Base64, TokenError::TruncatedBase64),
            ("AAAA=", Base64, TokenError::WrongPadding { offset: 4 }),
            ("AA=", Base64, TokenError::WrongPadding { offset: 2 }),
            ("A===", Base64, TokenError::TruncatedBase64),
            ("A!AA=", Base64, TokenError::InvalidBase64 { offset: 1 }),
            ("A!AAA", Base64, TokenError::InvalidBase64 { offset: 1 }),
            ("====", Base64, TokenError::WrongPadding { offset: 0 }),
            ("A A=", Base64, TokenError::InvalidBase64 { offset: 1 }),
            // The unused bits of the last symbol, `9`, are not zero.
            ("+/9=", Base64, TokenError::UnusedBits { offset: 2 }),
        ] {
            assert_eq!(parse(text, encoding), Err(error), "{text:?}");
        }
        for (text, encoding, error) in [
            (&b"ab\xff"[..], Utf8, TokenError::NotUtf8 { offset: 2 }),
            (b"aa\xff", Hex, TokenError::InvalidHex { offset: 2 }),
            (b"a\xffg", Hex, TokenError::InvalidHex { offset: 1 }),
            (b"YQ\xff=", Base64, TokenError::InvalidBase64 { offset: 2 }),
        ] {
            assert_eq!(Token::parse(text.into(), encoding), Err(error), "{text:?}");
        }
    }

    #[test]
    fn parses_what_it_encodes() {
        let bytes = b"\x01sensor~\x7f";
        for encoding in [
            TokenEncoding::Utf8,
            TokenEncoding::Hex,
            TokenEncoding::Base64,
        ] {
            let text = String::from_utf8(encoding.encode(bytes).into_owned()).expect("ASCII");
            assert_eq!(parse(&text, encoding).as_deref(), Ok(&bytes[..]));
        }
    }

    #[test]
    fn csv_text_is_unique_for_each_token() {
        use TokenEncoding::{Base64, Hex, Utf8};
        for (encoding, token, text) in [
            (Utf8, &b"fadf"[..], "fadf"),
            (Utf8, b"a, \"b\"", "a, \"b\""),
            (Utf8, b"\xff\0", "base64:/wA="),
            (Utf8, b"a\n", "base64:YQo="),
            (Utf8, b" a", "base64:IGE="),
            (Utf8, b"base64:YQo=", "base64:YmFzZTY0OllRbz0="),
            (Hex, b"base64:", "6261736536343a"),
            (Base64, b"\xff\0", "/wA="),
        ] {
            let found = encoding.to_csv_text(token);
            assert_eq!(String::from_utf8_lossy(&found), text);
        }
    }

    #[test]
    fn masks_tokens_in_debug_and_display() {
        for (text, shown) in [
            ("a", "… (1 byte)"),
            ("abc", "a… (3 bytes)"),
            ("fadfadftetwtwtwt", "fadf… (16 bytes)"),
            ("\u{1b}[31mred-alert", "\\x1b[31… (14 bytes)"),
        ] {
            let token = Token::parse(text.as_bytes().into(), TokenEncoding::Utf8).expect("a token");
            assert_eq!(token.to_string(), shown);
            assert_eq!(format!("{token:?}"), shown);
        }
    }
}
