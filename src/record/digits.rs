//! Fast parsing of decimal digits.

/// Parses a string of decimal digits that is a `u64`.
pub(super) fn parse_digits(text: &[u8]) -> Option<u64> {
    let (mut value, rest) = match text.split_first_chunk() {
        Some((first, rest)) => (parse_eight_digits(*first)?, rest),
        None if text.is_empty() => return None,
        None => (0, text),
    };
    for byte in rest {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

/// Parses eight digits at once: first four numbers of two digits, then two of four, then one of eight.
/// A loop over the digits takes four times as long, because each step waits for the step before.
fn parse_eight_digits(text: [u8; 8]) -> Option<u64> {
    let digits = u64::from_le_bytes(text) ^ u64::from_le_bytes([b'0'; 8]);
    // If a byte of `digits` is above 9, the highest bit of the same byte of `above_nine` is set. A
    // byte above 127 already has its highest bit set in `digits`. For a byte from 10 to 127, the
    // addition of 0x7f - 9 sets the highest bit.
    let above_nine = digits | digits.wrapping_add(u64::from_le_bytes([0x7f - 9; 8]));
    if above_nine & u64::from_le_bytes([0x80; 8]) != 0 {
        return None;
    }
    let twos = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (twos * 100 + (twos >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parses_digits_and_nothing_else(
            text in "[0-9]{0,19}|[0-9:/\u{e9}~ -]{1,13}|[0-9]{7}[^0-9][0-9]{0,4}"
        ) {
            let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
            let expected = is_digits.then(|| text.parse::<u64>().ok()).flatten();
            prop_assert_eq!(parse_digits(text.as_bytes()), expected);
        }
    }
}
