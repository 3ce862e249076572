//! Values of single flags.

use std::{net::SocketAddr, time::Duration};

use http::uri::{Authority, PathAndQuery};
use jiff::tz::TimeZone;

use crate::{
    commands::{legal_authority, push::MaxChanges, serve::Listen},
    endpoint::{Endpoint, EndpointError},
    input::{FieldSelector, JsonPointer},
    shard::Shard,
};

/// `HOST:PORT` and its kin.
pub(super) fn endpoint(text: &str) -> Result<Endpoint, String> {
    Endpoint::parse(text).map_err(|error| {
        let (what, right) = match error {
            EndpointError::Empty | EndpointError::MissingHost => ("no host", "localhost:9102"),
            EndpointError::MissingPort => ("no port", "localhost:9102"),
            EndpointError::InvalidPort => ("no port from 1 to 65535", "localhost:9102"),
            EndpointError::InvalidHost => ("no legal host", "localhost:9102 or [::1]:9102"),
            EndpointError::UnsupportedScheme => (
                "no scheme but https:// is known",
                "https://localhost:9102, or localhost:9102 with --plaintext",
            ),
            EndpointError::UnexpectedPath => {
                ("more than a host and a port", "https://localhost:9102")
            }
            EndpointError::UnbracketedIpv6 => ("an IPv6 address without brackets", "[::1]:9102"),
        };
        format!("{what}; a right one is {right}")
    })
}

pub(super) fn authority(text: &str) -> Result<Authority, String> {
    legal_authority(text).ok_or_else(|| "no legal :authority; a right one is localhost:9102".into())
}

/// `/PKG.SERVICE/METHOD`, the path of a gRPC call.
pub(super) fn method(text: &str) -> Result<PathAndQuery, String> {
    let wrong = || "no path of a call; a right one is /Internal/UpdateSensorExpireTime".to_owned();
    let is_name = |name: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        !name.is_empty() && name.chars().all(known)
    };
    let (service, method) = text
        .strip_prefix('/')
        .and_then(|rest| rest.split_once('/'))
        .ok_or_else(wrong)?;
    if !is_name(service) || !is_name(method) {
        return Err(wrong());
    }
    text.parse().map_err(|_| wrong())
}

/// `ADDRESS:PORT` or `unix:PATH`.
pub(super) fn listen(text: &str) -> Result<Listen, String> {
    if text.starts_with("unix:") {
        return match Endpoint::parse(text) {
            Ok(Endpoint::Unix(path)) => Ok(Listen::Unix(path)),
            _ => Err("no path; a right one is unix:/run/receiver.sock".into()),
        };
    }
    let text = text
        .strip_prefix("localhost:")
        .map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    text.parse::<SocketAddr>().map(Listen::Tcp).map_err(|_| {
        "no IP address and port; a right one is 127.0.0.1:9102, [::1]:0 or unix:PATH".into()
    })
}

/// A name, or a number for a column.
pub(super) fn field(text: &str) -> Result<FieldSelector, String> {
    match text.parse() {
        Ok(0) => Err("columns are counted from 1".into()),
        Ok(column) => Ok(FieldSelector::Column(column)),
        Err(_) if text.is_empty() => Err("no name".into()),
        Err(_) => Ok(FieldSelector::Name(text.to_owned())),
    }
}

pub(super) fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        _ if text == "tab" || text == "\\t" => Ok(b'\t'),
        [b'"' | b'\r' | b'\n' | 0] => Err("this character has another meaning in CSV".into()),
        [byte] => Ok(*byte),
        _ => Err("one character of ASCII, or tab".into()),
    }
}

/// RFC 6901: empty, or steps that each begin with `/`, in which `~1` is `/` and `~0` is `~`.
pub(super) fn pointer(text: &str) -> Result<JsonPointer, String> {
    let wrong = || "no JSON Pointer; a right one is /data/licenses, or empty for the root";
    let mut steps = text.split('/');
    if steps.next() != Some("") {
        return Err(wrong().into());
    }
    steps
        .map(|step| {
            let mut escapes = step.split('~').skip(1);
            if escapes.any(|rest| !rest.starts_with(['0', '1'])) {
                return Err(wrong().into());
            }
            Ok(step.replace("~1", "/").replace("~0", "~"))
        })
        .collect()
}

pub(super) fn zone(name: &str) -> Result<TimeZone, String> {
    // The default. Any other has the system's database looked through, file by file.
    if name.eq_ignore_ascii_case("UTC") {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name).map_err(|_| "no such time zone; a right one is Europe/Berlin".into())
}

pub(super) fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1".into()),
        Ok(number) => Ok(number),
        Err(_) => Err("a whole number of at least 1".into()),
    }
}

/// Each request in flight is held in memory, and servers take a few hundred at most.
pub(super) fn concurrency(text: &str) -> Result<usize, String> {
    match positive(text)? {
        number @ ..=1000 => Ok(number),
        _ => Err("at most 1000".into()),
    }
}

/// Splits a number from its unit.
fn split(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// `500ms`, `10s`, `2m`, `1h`; a bare number is seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let millis = split(text).and_then(|(number, unit)| {
        let millis = match unit {
            "ms" => 1,
            "" | "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        number.checked_mul(millis)
    });
    // More than a century is a slip, and past what clocks here can add.
    match millis {
        Some(millis) if millis < 100 * 366 * 24 * 3_600_000 => Ok(Duration::from_millis(millis)),
        Some(_) => Err("too long".into()),
        None => Err("no duration; right ones are 500ms, 10s, 2m, 1h or 10".into()),
    }
}

/// A duration that leaves time for something to happen.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("at least 1ms".into()),
        duration => Ok(duration),
    }
}

/// A number of tokens, or `P%` of the records.
pub(super) fn max_changes(text: &str) -> Result<MaxChanges, String> {
    let wrong = || "a number, or a share such as 5%".to_owned();
    let Some(percent) = text.strip_suffix('%') else {
        return text.parse().map(MaxChanges::Number).map_err(|_| wrong());
    };
    let is_plain = percent
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    match percent.parse() {
        Ok(percent) if is_plain && percent <= 100.0 => Ok(MaxChanges::Percent(percent)),
        _ => Err(wrong()),
    }
}

/// `I/N`, counted from 0.
pub(super) fn shard(text: &str) -> Result<Shard, String> {
    let number = |text: &str| {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| is_plain)
    };
    text.split_once('/')
        .and_then(|(index, count)| Shard::new(number(index)?, number(count)?))
        .ok_or_else(|| "no part I/N with I from 0 to N-1; right ones are 0/3, 1/3 and 2/3".into())
}

/// Servers take shorter intervals for an attack and hang up (gRFC A8).
pub(super) fn keepalive(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        interval if interval < Duration::from_secs(10) => {
            Err("at least 10s: servers hang up on clients that ask more often".into())
        }
        interval => Ok(interval),
    }
}

/// Bytes, `KiB` or `MiB`; at least one byte.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let bytes = split(text).and_then(|(number, unit)| {
        let factor = match unit {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            _ => return None,
        };
        number.checked_mul(factor)
    });
    match bytes {
        Some(0) => Err("at least 1".into()),
        // The framing of gRPC counts a message's bytes in 32 bits.
        Some(bytes) => u32::try_from(bytes)
            .ok()
            .and_then(|bytes| usize::try_from(bytes).ok())
            .ok_or_else(|| "at most 4294967295".into()),
        None => Err("no size; right ones are 1048576, 512KiB or 1MiB".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("10", 10_000),
            ("0", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "s",
            "-1",
            "1.5s",
            "1d",
            "1 s",
            "99999999999999h",
            "18446744073709551616",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert!(timeout("0ms").is_err());
    }

    #[test]
    fn shares_and_shards() {
        assert_eq!(max_changes("7"), Ok(MaxChanges::Number(7)));
        assert_eq!(max_changes("2.5%"), Ok(MaxChanges::Percent(2.5)));
        for text in ["", "%", "-1", "101%", "1e1%", "inf%", "nan%", "5 %"] {
            assert!(max_changes(text).is_err(), "{text}");
        }
        assert_eq!(shard("2/3").ok(), Shard::new(2, 3));
        for text in ["", "0", "3/3", "0/0", "-1/3", "+0/3", "0/3/4", "a/b"] {
            assert!(shard(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("1", 1),
            ("512KiB", 512 << 10),
            ("1MiB", 1 << 20),
            ("4294967295", u32::MAX as usize),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "0", "1MB", "4096MiB", "1.5MiB", "-1"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn pointers() {
        let steps = |text: &str| pointer(text).map(|steps| steps.join(" "));
        for (text, read) in [
            ("", ""),
            ("/a/0", "a 0"),
            ("/", ""),
            ("/a~1b/~0~01", "a/b ~~1"),
        ] {
            assert_eq!(steps(text).as_deref(), Ok(read), "{text}");
        }
        assert_eq!(pointer("").map(|steps| steps.len()), Ok(0));
        assert_eq!(pointer("/").map(|steps| steps.len()), Ok(1));
        for text in ["a", "a/b", "/a~", "/a~2"] {
            assert!(pointer(text).is_err(), "{text}");
        }
    }

    #[test]
    fn fields_and_delimiters() {
        assert_eq!(field("2"), Ok(FieldSelector::Column(2)));
        assert_eq!(field("id"), Ok(FieldSelector::Name("id".into())));
        assert!(field("0").is_err());
        assert!(field("").is_err());
        for (text, byte) in [(";", b';'), ("tab", b'\t'), ("\\t", b'\t'), ("|", b'|')] {
            assert_eq!(delimiter(text), Ok(byte), "{text}");
        }
        for text in ["", "\"", "\n", ";;", "ä"] {
            assert!(delimiter(text).is_err(), "{text}");
        }
    }
}
