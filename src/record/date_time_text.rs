//! The syntax of a date and time, close to RFC 3339 section 5.6.

/// The parts of a date and time, which may be out of range. A missing time of day is 00:00:00.
#[derive(Default)]
pub(super) struct DateTimeText {
    pub(super) year: i16,
    pub(super) month: i8,
    pub(super) day: i8,
    pub(super) hour: i8,
    pub(super) minute: i8,
    pub(super) second: i8,
    pub(super) has_time: bool,
    pub(super) has_fraction: bool,
    /// In seconds, positive to the east.
    pub(super) offset_seconds: Option<i32>,
}

impl DateTimeText {
    pub(super) fn split(mut text: &[u8]) -> Option<Self> {
        let text = &mut text;
        let [century, year, month, day] = take_pairs(text, b"00-0-0")?;
        let mut parts = Self {
            year: i16::from(century) * 100 + i16::from(year),
            month,
            day,
            ..Self::default()
        };
        if !text.is_empty() {
            parts.take_time_of_day(text)?;
            parts.has_time = true;
        }
        text.is_empty().then_some(parts)
    }

    fn take_time_of_day(&mut self, text: &mut &[u8]) -> Option<()> {
        take_one_of(text, b"Tt ")?;
        [self.hour, self.minute] = take_pairs(text, b"0:0")?;
        if text.starts_with(b":") {
            [self.second] = take_pairs(text, b":0")?;
            if take_one_of(text, b".").is_some() {
                let width = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let (digits, rest) = text.split_at(width);
                *text = rest;
                self.has_fraction = digits.iter().any(|digit| *digit != b'0');
                if digits.is_empty() {
                    return None;
                }
            }
        }
        if !text.is_empty() {
            self.offset_seconds = Some(parse_offset(text)?);
            *text = b"";
        }
        Some(())
    }
}

/// SQL Server writes a space before an offset, and BigQuery the word `UTC` after one.
fn parse_offset(text: &[u8]) -> Option<i32> {
    if text.eq_ignore_ascii_case(b" UTC") {
        return Some(0);
    }
    match text.strip_prefix(b" ").unwrap_or(text) {
        b"Z" | b"z" => Some(0),
        offset => parse_numeric_offset(offset),
    }
}

/// Returns the seconds of an offset such as `+02:00`, `+0200` (strftime) or `+02` (PostgreSQL).
pub(crate) fn parse_numeric_offset(mut text: &[u8]) -> Option<i32> {
    let text = &mut text;
    let sign = if take_one_of(text, b"+-")? == b'-' {
        -1
    } else {
        1
    };
    let [hours] = take_pairs(text, b"0")?;
    let [minutes] = match text.first() {
        None => [0],
        Some(b':') => take_pairs(text, b":0")?,
        Some(_) => take_pairs(text, b"0")?,
    };
    (text.is_empty() && hours < 24 && minutes < 60)
        .then(|| sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60))
}

/// Removes pairs of digits from the front of `text` and returns them as numbers. Each `0` in
/// `pattern` stands for a pair of digits, and every other byte for itself.
fn take_pairs<const N: usize>(text: &mut &[u8], pattern: &[u8]) -> Option<[i8; N]> {
    let mut numbers = [0; N];
    let mut next = numbers.iter_mut();
    for byte in pattern {
        if *byte != b'0' {
            take_one_of(text, &[*byte])?;
            continue;
        }
        let (pair, rest) = text.split_first_chunk::<2>()?;
        if !pair.iter().all(u8::is_ascii_digit) {
            return None;
        }
        *next.next()? = (10 * (pair[0] - b'0') + pair[1] - b'0').cast_signed();
        *text = rest;
    }
    Some(numbers)
}

fn take_one_of(text: &mut &[u8], expected: &[u8]) -> Option<u8> {
    let (first, rest) = text.split_first()?;
    expected.contains(first).then(|| {
        *text = rest;
        *first
    })
}
