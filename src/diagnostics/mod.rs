//! Every way to fail: the exit code, the message, its causes and the hint.
//!
//! The only place that knows exit codes and the only one that puts errors into words.

mod connection;
mod contract;
mod input;
mod ledger;
mod suggested_fix;
mod tls;

use std::{fmt, io, path::Path};

use jiff::Timestamp;
use serde::Serialize;
use tonic::Code;

pub(crate) use self::{
    connection::{reason, short},
    input::warnings,
    suggested_fix::Mend,
};
use crate::{
    metadata::{Metadata, MetadataError},
    proxy::ProxyError,
    record::Mask,
    signals::Signal,
};

/// A failure, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    pub(crate) hint: Option<String>,
    #[serde(skip)]
    pub(crate) exit_code: u8,
    /// Whether nobody else's words are among the causes.
    #[serde(skip)]
    pub(crate) in_own_words: bool,
}

/// What a failure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Something on this machine: an output, a resource, a defect.
    Internal,
    /// Flags, or files that flags name.
    Usage,
    Partial,
    Input,
    Unreachable,
    Tls,
    /// The response's code is not OK.
    Code,
    /// The call ended in a gRPC status other than OK.
    Rpc,
    Interrupted,
}

/// The exit codes by meaning.
/// A defect, or what no other code is for.
pub(crate) const OTHER: u8 = 1;
const USAGE: u8 = 2;
const PARTIAL: u8 = 3;
const INPUT: u8 = 4;
const UNREACHABLE: u8 = 5;
const TLS: u8 = 6;
const CODE: u8 = 7;
/// A dry run that would send something, where it was asked to say so.
pub(crate) const WOULD_SEND: u8 = 20;
/// Added to a gRPC status.
const RPC: u8 = 64;

impl Failure {
    fn new(kind: Kind, exit_code: u8, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            causes: Vec::new(),
            hint: None,
            exit_code,
            in_own_words: true,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With a cause that may quote somebody else, who may quote tokens.
    fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self.in_own_words = false;
        self
    }

    /// With a cause of which every word is known to be this program's, the system's or the user's.
    fn own_cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// The same without what `look_for` looks for, where anybody else is quoted; it says whether it
    /// could look for all of it.
    pub(crate) fn masked(mut self, look_for: impl FnOnce(&mut [Mask<'_>]) -> bool) -> Self {
        if self.in_own_words {
            return self;
        }
        let mut masks: Vec<_> = self.causes.iter().map(|cause| Mask::new(cause)).collect();
        self.causes = if look_for(&mut masks) {
            // Cut only now: a half of a token is not recognised.
            masks.into_iter().map(|mask| cut(&mask.masked())).collect()
        } else {
            vec!["(not shown: it may hold tokens)".to_owned()]
        };
        self
    }

    /// The same without what others had to say.
    pub(crate) fn without_causes(mut self) -> Self {
        self.causes.clear();
        self
    }

    /// The same, with nothing of the metadata in what a server had to say.
    pub(crate) fn hiding(self, metadata: &Metadata) -> Self {
        self.masked(|masks| {
            for secret in metadata.secrets() {
                for mask in &mut *masks {
                    mask.hide(&secret);
                }
            }
            true
        })
    }

    fn rpc(code: Code, message: impl Into<String>) -> Self {
        // The codes of gRPC end at 16.
        let number = u8::try_from(i32::from(code)).unwrap_or_default();
        Self::new(Kind::Rpc, RPC + number, message)
    }

    /// Flags that make no sense together, or a value that is none.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, USAGE, message)
    }

    pub(crate) fn usage_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::usage(message).hint(hint)
    }

    /// A file that flags name and that can't be read.
    pub(crate) fn configuration(file: &Path, error: &io::Error) -> Self {
        Self::usage(format!("{} can't be read", file.display())).cause(error.to_string())
    }

    /// A configuration file whose line, counted from 1, can't be read. It is not shown: it may hold
    /// a secret.
    pub(crate) fn no_toml(file: &Path, line: usize, reason: &str) -> Self {
        Self::usage(format!("{}: line {line} is no TOML", file.display())).cause(reason)
    }

    /// A proxy that is named and is none; `place` is the flag or the variable.
    pub(crate) fn proxy(place: &str, error: ProxyError) -> Self {
        let what = match error {
            ProxyError::NoUrl => "no URL of a proxy",
            ProxyError::Scheme => "only proxies that take HTTP CONNECT in plain HTTP are known",
        };
        Self::usage(format!("{place}: {what}")).hint(
            "a right one is http://proxy.example.com:3128; NO_PROXY names servers that need none",
        )
    }

    /// Request metadata that is none, without its value.
    pub(crate) fn metadata(place: &str, error: &MetadataError) -> Self {
        let what = match error {
            MetadataError::NoColon => "no colon between a name and a value".to_owned(),
            MetadataError::BadName => "the name is no name of a header".to_owned(),
            MetadataError::Reserved(name) => {
                format!("{name} is set by gRPC or HTTP/2 and can't be given")
            }
            MetadataError::BadValue(name) => {
                format!("the value of {name} is not printable ASCII")
            }
            MetadataError::NotBase64(name) => format!("the value of {name} is not base64"),
        };
        Self::usage(format!("{place}: {what}")).hint("a right one is 'x-tenant: north'")
    }

    /// An output that can't be opened or written.
    pub(crate) fn output(what: &Path, error: &io::Error) -> Self {
        Self::new(
            Kind::Internal,
            OTHER,
            format!("{} can't be written", what.display()),
        )
        .cause(error.to_string())
    }

    /// An output that could not be written while records were sent; what it was is told with it.
    pub(crate) fn output_failed(acknowledged: u64) -> Self {
        Self::new(
            Kind::Internal,
            OTHER,
            "an output can't be written any more, and so no more was sent",
        )
        .cause(format!("{} acknowledged", count(acknowledged, "record")))
    }

    /// Rejects that would lack some of the records that were not acknowledged.
    pub(crate) fn incomplete(rejects: &Path) -> Self {
        let rejects = rejects.display();
        Self::new(
            Kind::Internal,
            OTHER,
            format!("{rejects} stays as it was: not all that is unsent could be read again"),
        )
    }

    pub(crate) fn stdout(error: &io::Error) -> Self {
        Self::new(Kind::Internal, OTHER, "standard output can't be written")
            .cause(error.to_string())
    }

    /// Something that this machine did not give, or a defect.
    pub(crate) fn internal(message: impl Into<String>, error: &dyn fmt::Display) -> Self {
        Self::new(Kind::Internal, OTHER, message).cause(error.to_string())
    }

    pub(crate) fn store(what: &Path, error: &dyn fmt::Display) -> Self {
        Self::new(
            Kind::Internal,
            OTHER,
            format!("{} can't be used as the store", what.display()),
        )
        .cause(error.to_string())
        .hint("name a file that does not exist yet, or a store of this program")
    }

    /// A receiver that can't listen where it was told to.
    pub(crate) fn listen(address: &str, error: &io::Error) -> Self {
        Self::new(Kind::Internal, OTHER, format!("can't listen on {address}"))
            .cause(error.to_string())
            .hint("--listen 127.0.0.1:0 takes a free port")
    }

    /// A signal that came before everything was answered, and what else was in the way.
    pub(crate) fn interrupted(signal: Signal, unsent: u64, why: Option<Self>) -> Self {
        let signal_name = signal_name(signal);
        let message = match unsent {
            0 => format!("{signal_name} came, and all that was still open was answered"),
            unsent => format!(
                "{signal_name} ended the push, {} unsent",
                count(unsent, "record")
            ),
        };
        let failure = Self::new(Kind::Interrupted, signal.exit_code(), message)
            .hint("run it again: what was acknowledged can be sent twice without harm");
        match why {
            Some(why) => failure.and(why),
            None => failure,
        }
    }

    /// A signal that came before there was anything to say.
    pub(crate) fn stopped(signal: Signal) -> Self {
        let message = format!("{} came before the end", signal_name(signal));
        Self::new(Kind::Interrupted, signal.exit_code(), message)
    }

    /// The same with another failure among its causes.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.causes.push(other.message);
        self.causes.extend(other.causes);
        self.in_own_words &= other.in_own_words;
        self
    }

    /// Response codes that are not OK, nothing acknowledged.
    pub(crate) fn code(server: &str, codes: &[i32], ok_codes: &[i32]) -> Self {
        let list = |codes: &[i32]| {
            let codes: Vec<_> = codes.iter().map(ToString::to_string).collect();
            codes.join(", ")
        };
        Self::new(
            Kind::Code,
            CODE,
            format!("{server} answered with code {}", list(codes)),
        )
        .own_cause(format!("only {} means success (--ok-code)", list(ok_codes)))
        .hint("ask whoever runs the server what its code means; --ok-code N takes N for success")
    }

    /// Some records acknowledged, some not, with the failure that kept the others back.
    pub(crate) fn partial(acknowledged: u64, of: u64, why: Self) -> Self {
        Self::new(
            Kind::Partial,
            PARTIAL,
            format!("{acknowledged} of {of} records were acknowledged, the others were not"),
        )
        .hint(why.hint.as_ref().map_or_else(
            || "run it again: it is safe".to_owned(),
            |hint| format!("{hint}; running it again is safe"),
        ))
        .and(why)
    }

    /// A rehearsal whose receiver does not hold what was read.
    pub(crate) fn rehearsal(differing: u64) -> Self {
        Self::new(
            Kind::Internal,
            OTHER,
            format!(
                "the rehearsal's receiver differs from the input in {}",
                count(differing, "record")
            ),
        )
        .hint("this is a defect of the program: please report it")
    }

    /// The counts of a run that do not add up.
    pub(crate) fn miscounted(counts: &str) -> Self {
        Self::new(
            Kind::Internal,
            OTHER,
            format!("the counts do not add up: {counts}"),
        )
        .hint("this is a defect of the program: please report it")
    }
}

/// As text mode prints it, for a terminal: control characters are escaped, because servers,
/// certificates and file names are quoted in it.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", escape(&self.message))?;
        for cause in &self.causes {
            writeln!(f, "caused by: {}", escape(cause))?;
        }
        if let Some(hint) = &self.hint {
            writeln!(f, "hint: {}", escape(hint))?;
        }
        Ok(())
    }
}

/// No more of somebody else's message than a person reads.
fn cut(message: &str) -> String {
    const LONGEST: usize = 500;
    match message.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

fn signal_name(signal: Signal) -> &'static str {
    match signal {
        Signal::Hangup => "SIGHUP",
        Signal::Interrupt => "SIGINT",
        Signal::Terminate => "SIGTERM",
    }
}

/// Unix seconds as RFC 3339 in UTC.
pub(crate) fn date(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

/// A number with its noun, `s` for all but one.
pub(crate) fn count(number: impl Into<u64>, noun: &str) -> String {
    match number.into() {
        1 => format!("1 {noun}"),
        number => format!("{number} {noun}s"),
    }
}

/// Escapes what a terminal would act on, and what turns the direction of text.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if c.is_control() || turns {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_gets_through() {
        assert_eq!(
            escape("a\u{1b}[31m\r\n\u{202e}\u{9b}é"),
            "a\\u{1b}[31m\\r\\n\\u{202e}\\u{9b}é"
        );
    }
}
