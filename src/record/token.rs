//! Device tokens: opaque bytes, and credentials.

use std::{borrow::Cow, fmt, sync::LazyLock};

use data_encoding::{BASE64, BASE64_NOPAD, Encoding, HEXLOWER, HEXLOWER_PERMISSIVE};

/// A device token: at least one byte, never shown whole by `Debug` or `Display`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Token<'a>(Cow<'a, [u8]>);

/// How text becomes a token's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TokenEncoding {
    /// The text's own bytes.
    #[default]
    Utf8,
    /// RFC 4648 base 16, either case.
    Hex,
    /// RFC 4648 base 64, standard or URL-safe alphabet, padding optional.
    Base64,
}

/// Why a text is no device token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenError {
    Empty,
    /// White space, Unicode's included, before or after the text.
    SurroundingWhitespace,
    OddHexLength,
    /// No hexadecimal digit at this byte, counted from 0.
    InvalidHex {
        offset: usize,
    },
    /// No base64 from this byte on, counted from 0.
    InvalidBase64 {
        offset: usize,
    },
}

/// Unpadded standard base64 that reads the URL-safe alphabet too.
static BASE64_EITHER: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = BASE64_NOPAD.specification();
    specification.translate.from.push_str("-_");
    specification.translate.to.push_str("+/");
    specification
        .encoding()
        .expect("the standard alphabet with two more names for two of its symbols is an encoding")
});

impl<'a> Token<'a> {
    /// Reads a token's text.
    pub(crate) fn parse(text: Cow<'a, str>, encoding: TokenEncoding) -> Result<Self, TokenError> {
        if text.is_empty() {
            return Err(TokenError::Empty);
        }
        if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
            return Err(TokenError::SurroundingWhitespace);
        }
        let bytes = match encoding {
            TokenEncoding::Utf8 => match text {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            },
            TokenEncoding::Hex => Cow::Owned(hex(&text)?),
            TokenEncoding::Base64 => Cow::Owned(base64(&text)?),
        };
        // Padding alone is text that stands for no byte at all.
        if bytes.is_empty() {
            return Err(TokenError::Empty);
        }
        Ok(Self(bytes))
    }

    /// Reads the text of a token that is plain ASCII and its own bytes, which most are; `None` is
    /// any other, and what is no token.
    pub(crate) fn parse_plain(text: &'a [u8], encoding: TokenEncoding) -> Option<Self> {
        // The characters of ASCII that are white space to Unicode are not visible ones.
        let is_plain = encoding == TokenEncoding::Utf8
            && text.first().is_some_and(u8::is_ascii_graphic)
            && text.last().is_some_and(u8::is_ascii_graphic)
            && text.is_ascii();
        is_plain.then_some(Self(Cow::Borrowed(text)))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TokenEncoding {
    /// The text that [`Token::parse`] reads as these bytes. Bytes that are no UTF-8 stay as they
    /// are under [`TokenEncoding::Utf8`], so that nothing is lost.
    pub(crate) fn encode(self, token: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Utf8 => Cow::Borrowed(token),
            Self::Hex => Cow::Owned(HEXLOWER.encode(token).into_bytes()),
            Self::Base64 => Cow::Owned(BASE64.encode(token).into_bytes()),
        }
    }
}

fn hex(text: &str) -> Result<Vec<u8>, TokenError> {
    HEXLOWER_PERMISSIVE
        .decode(text.as_bytes())
        .map_err(|error| match error.kind {
            data_encoding::DecodeKind::Length => TokenError::OddHexLength,
            _ => TokenError::InvalidHex {
                offset: error.position,
            },
        })
}

fn base64(text: &str) -> Result<Vec<u8>, TokenError> {
    let bare = text.trim_end_matches('=');
    let padding = text.len() - bare.len();
    if padding > 0 && (padding > 2 || !text.len().is_multiple_of(4)) {
        return Err(TokenError::InvalidBase64 { offset: bare.len() });
    }
    BASE64_EITHER
        .decode(bare.as_bytes())
        .map_err(|error| TokenError::InvalidBase64 {
            offset: error.position,
        })
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

/// A token's bytes, shown as at most the first four and at most a third of them, and their number.
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
        Token::parse(Cow::Borrowed(text), encoding).map(|token| token.as_bytes().to_vec())
    }

    #[test]
    fn each_encoding_reads_what_it_names() {
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
    fn what_is_no_token_is_refused_with_its_rule() {
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
            ("A", Base64, TokenError::InvalidBase64 { offset: 0 }),
            ("AAAA=", Base64, TokenError::InvalidBase64 { offset: 4 }),
            ("AA=", Base64, TokenError::InvalidBase64 { offset: 2 }),
            ("A===", Base64, TokenError::InvalidBase64 { offset: 1 }),
            ("====", Base64, TokenError::InvalidBase64 { offset: 0 }),
            ("A A=", Base64, TokenError::InvalidBase64 { offset: 1 }),
            // The last symbol carries bits that no encoder writes.
            ("+/9=", Base64, TokenError::InvalidBase64 { offset: 2 }),
        ] {
            assert_eq!(parse(text, encoding), Err(error), "{text:?}");
        }
    }

    #[test]
    fn encode_is_what_parse_reads() {
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
    fn a_token_is_never_shown_whole() {
        for (text, shown) in [
            ("a", "… (1 byte)"),
            ("abc", "a… (3 bytes)"),
            ("fadfadftetwtwtwt", "fadf… (16 bytes)"),
            ("\u{1b}[31mred-alert", "\\x1b[31… (14 bytes)"),
        ] {
            let token = Token::parse(Cow::Borrowed(text), TokenEncoding::Utf8).expect("a token");
            assert_eq!(token.to_string(), shown);
            assert_eq!(format!("{token:?}"), shown);
        }
    }
}
