//! The syntax of a date and time, close to RFC 3339 section 5.6.

/// The parts of a date and time. Each part has the right number of digits, but may be out of range
/// (month 13).
pub(super) struct DateTimeText {
    pub(super) year: i16,
    pub(super) month: i8,
    pub(super) day: i8,
    pub(super) time_of_day: Option<TimeOfDayText>,
}

pub(super) struct TimeOfDayText {
    pub(super) hour: i8,
    pub(super) minute: i8,
    pub(super) second: i8,
    /// Whether there is a fraction of a second other than zero.
    pub(super) has_fraction: bool,
    /// The offset from UTC in seconds, positive to the east, or `None` if the string has no offset.
    pub(super) offset_seconds: Option<i32>,
}

impl DateTimeText {
    /// Splits a string into its parts. Returns `None` if the string has a different syntax.
    pub(super) fn split(mut text: &[u8]) -> Option<Self> {
        let text = &mut text;
        let year = take_number(text, 4)?;
        take_one_of(text, b"-")?;
        let month = take_two_digits(text)?;
        take_one_of(text, b"-")?;
        let day = take_two_digits(text)?;
        let time_of_day = match text {
            [] => None,
            _ => Some(TimeOfDayText::take(text)?),
        };
        text.is_empty().then_some(Self {
            year,
            month,
            day,
            time_of_day,
        })
    }
}

impl TimeOfDayText {
    fn take(text: &mut &[u8]) -> Option<Self> {
        take_one_of(text, b"Tt ")?;
        let hour = take_two_digits(text)?;
        take_one_of(text, b":")?;
        let minute = take_two_digits(text)?;
        let mut second = 0;
        let mut has_fraction = false;
        if take_one_of(text, b":").is_some() {
            second = take_two_digits(text)?;
            if take_one_of(text, b".").is_some() {
                has_fraction = take_fraction(text)?;
            }
        }
        let offset_seconds = match take_one_of(text, b"Zz+-") {
            None => None,
            Some(b'Z' | b'z') => Some(0),
            Some(b'-') => Some(-take_offset_seconds(text)?),
            Some(_) => Some(take_offset_seconds(text)?),
        };
        Some(Self {
            hour,
            minute,
            second,
            has_fraction,
            offset_seconds,
        })
    }
}

// Each function below removes a part from the front of `text` and returns the value of the part. If
// `text` starts with something else, the function returns `None`.

fn take_number(text: &mut &[u8], width: usize) -> Option<i16> {
    let (front, rest) = text.split_at_checked(width)?;
    let value = front.iter().try_fold(0_i16, |value, byte| {
        byte.is_ascii_digit()
            .then(|| value * 10 + i16::from(byte - b'0'))
    })?;
    *text = rest;
    Some(value)
}

fn take_two_digits(text: &mut &[u8]) -> Option<i8> {
    take_number(text, 2).and_then(|value| i8::try_from(value).ok())
}

fn take_one_of(text: &mut &[u8], expected: &[u8]) -> Option<u8> {
    let (first, rest) = text.split_first()?;
    expected.contains(first).then(|| {
        *text = rest;
        *first
    })
}

/// Takes the digits of a fraction, and returns whether the fraction is not zero. Returns `None` if
/// there are no digits.
fn take_fraction(text: &mut &[u8]) -> Option<bool> {
    let width = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(width);
    *text = rest;
    (width > 0).then(|| digits.iter().any(|digit| *digit != b'0'))
}

/// Takes an offset such as `02:00`, and returns it in seconds.
fn take_offset_seconds(text: &mut &[u8]) -> Option<i32> {
    let hours = take_two_digits(text).filter(|hours| *hours < 24)?;
    take_one_of(text, b":")?;
    let minutes = take_two_digits(text).filter(|minutes| *minutes < 60)?;
    Some(i32::from(hours) * 3600 + i32::from(minutes) * 60)
}
