//! Parsers for option values.

use std::{net::SocketAddr, ops::RangeBounds, path::PathBuf, time::Duration};

use clap::builder::{
    PathBufValueParser, PossibleValue, PossibleValuesParser, RangedU64ValueParser, TypedValueParser,
};
use http::uri::{Authority, PathAndQuery};
use jiff::tz::{self, Offset, TimeZone, TimeZoneDatabase};

use crate::{
    commands::{self, push::CountLimit, serve::ListenAddress},
    endpoint::Endpoint,
    input::{FieldSelector, JsonPointer},
    record::{TimeFormat, parse_numeric_offset},
    shard::Shard,
    user_path::UserPath,
};

/// The upper limit of durations, in milliseconds: 100 years of 366 days. A longer duration is
/// probably a typing error, and its addition to the current time could overflow.
const MAX_DURATION_MILLIS: u64 = 100 * 366 * 24 * 3_600_000;

/// The minimum time between keepalive pings. Servers treat more frequent pings as an attack and
/// close the connection (gRFC A8).
const MIN_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// The name, the help and the meaning of a possible value of an option.
pub(super) type Choice<T> = (&'static str, &'static str, T);

pub(super) fn one_of<T: Clone + Send + Sync + 'static>(
    choices: &'static [Choice<T>],
) -> impl TypedValueParser<Value = T> {
    let values = choices
        .iter()
        .map(|(name, help, _)| PossibleValue::new(*name).help(*help));
    PossibleValuesParser::new(values).try_map(|name| {
        let choice = choices.iter().find(|(other, ..)| *other == name);
        choice
            .map(|(.., value)| value.clone())
            .ok_or("unknown value")
    })
}

pub(super) fn secret_path() -> impl TypedValueParser<Value = UserPath> {
    PathBufValueParser::new().map(UserPath::of_secret)
}

/// Parses the path of a file that is written. As an input, `-` is standard input, so a user may
/// expect `-` to be standard output.
pub(super) fn output_path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| {
        if path.as_os_str() == "-" {
            return Err("expected a file (./- for a file with this name)");
        }
        Ok(path)
    })
}

pub(super) fn parse_authority(text: &str) -> Result<Authority, &'static str> {
    commands::parse_authority(text)
        .ok_or("expected a host, with or without a port (example: localhost:9102)")
}

pub(super) fn parse_method(text: &str) -> Result<PathAndQuery, &'static str> {
    let is_name_char = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let is_name = |name: &str| !name.is_empty() && name.chars().all(is_name_char);
    let names = text.strip_prefix('/').and_then(|rest| rest.split_once('/'));
    names
        .filter(|(service, method)| is_name(service) && is_name(method))
        .and_then(|_| text.parse().ok())
        .ok_or("expected /PACKAGE.SERVICE/METHOD (example: /Internal/UpdateSensorExpireTime)")
}

pub(super) fn parse_listen_address(text: &str) -> Result<ListenAddress, String> {
    match Endpoint::parse(text) {
        Ok(Endpoint::Unix(path)) => return Ok(ListenAddress::Unix(path)),
        Err(error) if text.starts_with("unix:") => return Err(error.to_string()),
        _ => {}
    }
    let text = text
        .strip_prefix("localhost:")
        .map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    text.parse::<SocketAddr>()
        .map(ListenAddress::Tcp)
        .map_err(|_| {
            "expected an IP address with a port, or unix:PATH (example: 127.0.0.1:9102)".to_owned()
        })
}

pub(super) fn parse_field_selector(text: &str) -> Result<FieldSelector, &'static str> {
    if text.is_empty() {
        return Err("field name is empty");
    }
    let selector = FieldSelector::Name(text.to_owned());
    match selector.column_number() {
        Some(0) => Err("columns are counted from 1"),
        _ => Ok(selector),
    }
}

pub(super) fn parse_delimiter(text: &str) -> Result<u8, &'static str> {
    match text.as_bytes() {
        _ if text == "tab" || text == "\\t" => Ok(b'\t'),
        [b'"' | b'\r' | b'\n' | 0] => Err("a delimiter cannot be a quote, a line break or NUL"),
        [byte] => Ok(*byte),
        _ => Err("expected one ASCII character, or tab"),
    }
}

/// Parses a JSON Pointer (RFC 6901). An empty pointer selects the whole document. Any other pointer
/// consists of steps, each of which begins with `/`. Within a step, `~1` stands for `/`, and `~0`
/// for `~`.
pub(super) fn parse_json_pointer(text: &str) -> Result<JsonPointer, &'static str> {
    let invalid = "expected a JSON Pointer (example: /data/licenses; empty for the whole document)";
    let mut steps = text.split('/');
    if steps.next() != Some("") {
        return Err(invalid);
    }
    steps
        .map(|step| {
            let mut escapes = step.split('~').skip(1);
            if escapes.any(|rest| !rest.starts_with(['0', '1'])) {
                return Err(invalid);
            }
            Ok(step.replace("~1", "/").replace("~0", "~"))
        })
        .collect()
}

/// Parses an IANA name, an offset such as `+02:00`, or `local`, the zone of this machine.
pub(super) fn parse_time_zone(text: &str) -> Result<TimeZone, &'static str> {
    // UTC is the default and must be fast, so UTC is not looked up in the time zone database.
    if text.eq_ignore_ascii_case("UTC") {
        return Ok(TimeZone::UTC);
    }
    let offset = parse_numeric_offset(text.as_bytes());
    match offset.and_then(|seconds| Offset::from_seconds(seconds).ok()) {
        Some(offset) => Ok(TimeZone::fixed(offset)),
        None => find_time_zone(text, tz::db()),
    }
}

fn find_time_zone(name: &str, database: &TimeZoneDatabase) -> Result<TimeZone, &'static str> {
    let is_local = name.eq_ignore_ascii_case("local");
    let zone = if is_local {
        TimeZone::try_system()
    } else {
        database.get(name)
    };
    zone.map_err(|_| {
        if database.is_definitively_empty() {
            "this machine has no time zone data; install tzdata, or pass an offset such as +02:00"
        } else if is_local {
            "cannot determine the time zone of this machine from TZ or /etc/localtime"
        } else {
            "unknown time zone (examples: Europe/Berlin, +02:00, local)"
        }
    })
}

pub(super) fn parse_time_format(text: &str) -> Result<TimeFormat, &'static str> {
    TimeFormat::new(text)
        .ok_or("expected strptime directives for year, month and day (examples: %d.%m.%Y, %Y%m%d)")
}

pub(super) fn number_in(range: impl RangeBounds<u64>) -> impl TypedValueParser<Value = usize> {
    RangedU64ValueParser::new().range(range)
}

/// Parses a number and its unit, and multiplies the number by the size of the unit.
fn parse_quantity(text: &str, unit_sizes: &[(&str, u64)]) -> Option<u64> {
    let is_unit = |c: char| !c.is_ascii_digit();
    let (number, unit) = text.split_at(text.find(is_unit).unwrap_or(text.len()));
    let (_, size) = unit_sizes.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*size)
}

/// Parses a duration such as `500ms`, `10s`, `2m`, `1h` or `30d`. A number without a unit is in
/// seconds, and a day has 24 hours.
pub(super) fn parse_duration(text: &str) -> Result<Duration, &'static str> {
    const UNITS: [(&str, u64); 6] = [
        ("", 1_000),
        ("ms", 1),
        ("s", 1_000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
    ];
    match parse_quantity(text, &UNITS) {
        Some(millis) if millis < MAX_DURATION_MILLIS => Ok(Duration::from_millis(millis)),
        Some(_) => Err("longer than 100 years"),
        None => Err("expected a duration (examples: 500ms, 10s, 2m, 1h, 30d)"),
    }
}

pub(super) fn parse_timeout(text: &str) -> Result<Duration, &'static str> {
    match parse_duration(text)? {
        Duration::ZERO => Err("must be at least 1ms"),
        duration => Ok(duration),
    }
}

pub(super) fn parse_count_limit(text: &str) -> Result<CountLimit, &'static str> {
    let invalid = "expected a number, or a percentage from 0% to 100%";
    let Some(percent) = text.strip_suffix('%') else {
        return text.parse().map(CountLimit::Number).map_err(|_| invalid);
    };
    // The `f64` parser would also accept signs, exponents, `inf` and `nan`.
    let is_plain = percent
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    match percent.parse() {
        Ok(percent) if is_plain && percent <= 100.0 => Ok(CountLimit::Percent(percent)),
        _ => Err(invalid),
    }
}

/// Parses `I/N`: shard number I, counted from 0, of N shards.
pub(super) fn parse_shard(text: &str) -> Result<Shard, &'static str> {
    let parse_number = |text: &str| {
        // The integer parser would also accept a sign.
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| is_plain)
    };
    text.split_once('/')
        .and_then(|(index, count)| Shard::new(parse_number(index)?, parse_number(count)?))
        .ok_or("expected I/N with I from 0 to N-1 (examples: 0/3, 1/3, 2/3)")
}

pub(super) fn parse_keepalive_interval(text: &str) -> Result<Duration, &'static str> {
    match parse_duration(text)? {
        interval if interval < MIN_KEEPALIVE_INTERVAL => {
            Err("must be at least 10s, because servers close connections with more frequent PINGs")
        }
        interval => Ok(interval),
    }
}

/// Parses a size of at least 1 byte: a number of bytes, or a number with the unit `B`, `KiB` or
/// `MiB`.
pub(super) fn parse_size(text: &str) -> Result<usize, &'static str> {
    const UNITS: [(&str, u64); 4] = [("", 1), ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20)];
    match parse_quantity(text, &UNITS) {
        Some(0) => Err("must be at least 1"),
        // gRPC encodes the length of a message in 32 bits, so larger sizes are refused.
        Some(bytes) => u32::try_from(bytes)
            .ok()
            .and_then(|bytes| usize::try_from(bytes).ok())
            .ok_or("must be at most 4294967295"),
        None => Err("expected a size (examples: 1048576, 512KiB, 1MiB)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_durations_with_units() {
        for (text, millis) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("30d", 2_592_000_000),
            ("10", 10_000),
            ("0", 0),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for text in [
            "",
            "s",
            "-1",
            "1.5s",
            "1w",
            "36601d",
            "1 s",
            "99999999999999h",
            "18446744073709551616",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert!(parse_timeout("0ms").is_err());
    }

    #[test]
    fn parses_percentages_and_shards() {
        assert_eq!(parse_count_limit("7"), Ok(CountLimit::Number(7)));
        assert_eq!(parse_count_limit("2.5%"), Ok(CountLimit::Percent(2.5)));
        for text in ["", "%", "-1", "101%", "1e1%", "inf%", "nan%", "5 %"] {
            assert!(parse_count_limit(text).is_err(), "{text}");
        }
        assert_eq!(parse_shard("2/3").ok(), Shard::new(2, 3));
        for text in ["", "0", "3/3", "0/0", "-1/3", "+0/3", "0/3/4", "a/b"] {
            assert!(parse_shard(text).is_err(), "{text}");
        }
    }

    #[test]
    fn parses_time_zones() {
        let local_noon = |text: &str| {
            let noon = jiff::civil::date(2026, 6, 1).at(12, 0, 0, 0);
            let zone = parse_time_zone(text).ok()?;
            Some(zone.to_timestamp(noon).ok()?.as_second() - 1_780_315_200)
        };
        for (text, seconds) in [
            ("utc", 0),
            ("Europe/Berlin", -7200),
            ("+02:00", -7200),
            ("+0200", -7200),
            ("-05", 18_000),
            ("-00:30", 1800),
        ] {
            assert_eq!(local_noon(text), Some(seconds), "{text}");
        }
        for text in ["", "Berlin", "02:00", "+2", "+24:00", "+02:60", "UTC+2"] {
            let error = parse_time_zone(text).expect_err(text);
            assert!(error.contains("examples: Europe/Berlin"), "{text}: {error}");
        }
        let error = find_time_zone("Europe/Berlin", &TimeZoneDatabase::none());
        assert!(error.expect_err("no zone data").contains("install tzdata"));
    }

    #[test]
    fn parses_sizes_with_units() {
        for (text, bytes) in [
            ("1", 1),
            ("512KiB", 512 << 10),
            ("1MiB", 1 << 20),
            ("4294967295", u32::MAX as usize),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "0", "1MB", "4096MiB", "1.5MiB", "-1"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn parses_json_pointers() {
        let steps = |text: &str| parse_json_pointer(text).map(|steps| steps.join(" "));
        for (text, joined) in [
            ("", ""),
            ("/a/0", "a 0"),
            ("/", ""),
            ("/a~1b/~0~01", "a/b ~~1"),
        ] {
            assert_eq!(steps(text).as_deref(), Ok(joined), "{text}");
        }
        assert_eq!(parse_json_pointer("").map(|steps| steps.len()), Ok(0));
        assert_eq!(parse_json_pointer("/").map(|steps| steps.len()), Ok(1));
        for text in ["a", "a/b", "/a~", "/a~2"] {
            assert!(parse_json_pointer(text).is_err(), "{text}");
        }
    }

    #[test]
    fn parses_field_selectors_and_delimiters() {
        for (text, number) in [
            ("2", Some(2)),
            ("02", Some(2)),
            ("99999999999999999999", Some(usize::MAX)),
            ("2026_expiry", None),
            ("+2", None),
            ("id", None),
        ] {
            let selector = parse_field_selector(text).expect("a field");
            assert_eq!(selector.column_number(), number, "{text}");
        }
        assert!(parse_field_selector("0").is_err());
        assert!(parse_field_selector("").is_err());
        for (text, byte) in [(";", b';'), ("tab", b'\t'), ("\\t", b'\t'), ("|", b'|')] {
            assert_eq!(parse_delimiter(text), Ok(byte), "{text}");
        }
        for text in ["", "\"", "\n", ";;", "ä"] {
            assert!(parse_delimiter(text).is_err(), "{text}");
        }
    }
}
