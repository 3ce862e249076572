//! Valid tokens that a database or a spreadsheet has probably written in place of the real token.

use super::MaskedToken;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SuspiciousToken {
    #[error("token \"{0}\" looks like a missing value")]
    MissingValue(String),
    /// The token is masked.
    #[error("token {0} looks like a number that a spreadsheet has rounded")]
    RoundedNumber(String),
}

const MISSING_VALUES: [&str; 10] = [
    "null",
    "\\N",
    "(null)",
    "<null>",
    "#n/a",
    "n/a",
    "nan",
    "nil",
    "none",
    "undefined",
];

const MAX_MISSING_VALUE_BYTES: usize = 10;

impl SuspiciousToken {
    /// `token` is the text of the token, as it is in the input. For most tokens, the result depends on
    /// the length and on bytes that are alike in all tokens, so that the processor can predict it.
    pub(crate) fn find(token: &[u8]) -> Option<Self> {
        if token.len() <= MAX_MISSING_VALUE_BYTES && is_missing_value(token) {
            let text = String::from_utf8_lossy(token).into_owned();
            return Some(Self::MissingValue(text));
        }
        let [_, second, third, ..] = token else {
            return None;
        };
        let may_be_number =
            b".,".contains(second) | (b"eE".contains(second) & b"+-".contains(third));
        (may_be_number && is_scientific_number(token)).then(|| {
            let masked = MaskedToken(token).to_string();
            Self::RoundedNumber(masked)
        })
    }
}

fn is_missing_value(token: &[u8]) -> bool {
    if !token
        .first()
        .is_some_and(|first| b"#(<\\NnUu".contains(first))
    {
        return false;
    }
    let is_same = |value: &&str| value.as_bytes().eq_ignore_ascii_case(token);
    // Excel's errors, such as `#REF!` and `#NAME?`.
    let is_cell_error = |name: &[u8]| {
        let is_name_byte = |byte: &u8| byte.is_ascii_uppercase() || b"/0".contains(byte);
        name.iter().all(is_name_byte)
    };
    MISSING_VALUES.iter().any(is_same)
        || matches!(token, [b'#', name @ .., b'!' | b'?'] if is_cell_error(name))
}

/// Returns whether the text is a number such as `1.23E+15`. A text such as `12e45` may be hexadecimal.
fn is_scientific_number(text: &[u8]) -> bool {
    let is_mantissa = |byte: &&u8| byte.is_ascii_digit() || b".,".contains(byte);
    let (mantissa, exponent) = text.split_at(text.iter().take_while(is_mantissa).count());
    let (has_sign, digits) = match exponent {
        [b'E' | b'e', b'+' | b'-', digits @ ..] => (true, digits),
        [b'E' | b'e', digits @ ..] => (false, digits),
        _ => return false,
    };
    let has_fraction = mantissa.iter().any(|byte| b".,".contains(byte));
    (has_sign || has_fraction)
        && mantissa.first().is_some_and(u8::is_ascii_digit)
        && !digits.is_empty()
        && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_missing_values_and_rounded_numbers() {
        for text in [
            "NULL",
            "null",
            "\\N",
            "(null)",
            "(NULL)",
            "#N/A",
            "N/A",
            "NaN",
            "None",
            "nil",
            "undefined",
            "#REF!",
            "#VALUE!",
            "#NAME?",
            "#DIV/0!",
            "1.23E+15",
            "1,23E+15",
            "1.23e15",
            "5E+15",
        ] {
            assert!(SuspiciousToken::find(text.as_bytes()).is_some(), "{text}");
        }
        for text in [
            "",
            "nullable",
            "\\Nx",
            "#1",
            "#sensor!",
            "12e45",
            "1E15",
            "123456",
            "1.23",
            "1.23E+",
            "1.23E+15a",
            "E+15",
            ".",
            "-",
            "0x1f",
            "2030-01-01",
        ] {
            assert_eq!(SuspiciousToken::find(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn masks_a_rounded_number() {
        let found = SuspiciousToken::find(b"1.234567E+15").map(|found| found.to_string());
        let expected = "token 1.23… (12 bytes) looks like a number that a spreadsheet has rounded";
        assert_eq!(found.as_deref(), Some(expected));
    }
}
