//! [`Failure`]: the way in which a command fails, with kind, exit code, message, causes and hint.
//!
//! Only this file assigns exit codes to failures.

use std::fmt;

use serde::Serialize;
use tonic::Code;

use super::problem::InputProblem;
use crate::signals::Signal;

/// The exit code of an internal error, and of every failure without a more specific exit code.
pub(crate) const EXIT_INTERNAL: u8 = 1;
const EXIT_USAGE: u8 = 2;
const EXIT_PARTIAL: u8 = 3;
const EXIT_INPUT: u8 = 4;
const EXIT_UNREACHABLE: u8 = 5;
const EXIT_TLS: u8 = 6;
const EXIT_RESPONSE_CODE: u8 = 7;
/// The exit code of a dry run with `--detailed-exitcode` that found records to send.
pub(crate) const EXIT_WOULD_SEND: u8 = 20;
/// The base of the exit codes for gRPC statuses. The exit code is this number plus the status code.
const EXIT_RPC_BASE: u8 = 64;

/// The failure of a command. `text.rs` formats it as text, and its `Serialize` as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    pub(crate) hint: Option<String>,
    /// The first problems of a refused input.
    pub(crate) problems: Vec<InputProblem>,
    /// The command-line options in the hint, for `probe`.
    #[serde(skip)]
    pub(crate) options: Vec<String>,
    #[serde(skip)]
    pub(crate) exit_code: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FailureKind {
    /// An output or a resource of this machine failed, or this program has a bug.
    Internal,
    Usage,
    Partial,
    /// The input is invalid, a guard refused it, or it changed between two passes.
    Input,
    Unreachable,
    Tls,
    /// A response contained a code that does not mean success.
    Code,
    Rpc,
    Interrupted,
}

impl Failure {
    fn new(kind: FailureKind, exit_code: u8, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            causes: Vec::new(),
            hint: None,
            problems: Vec::new(),
            options: Vec::new(),
            exit_code,
        }
    }

    pub(crate) fn internal(message: impl Into<String>, cause: &dyn fmt::Display) -> Self {
        Self::internal_without_cause(message).with_cause(cause.to_string())
    }

    pub(super) fn internal_without_cause(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Internal, EXIT_INTERNAL, message)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Usage, EXIT_USAGE, message)
    }

    pub(crate) fn usage_with_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::usage(message).with_hint(hint)
    }

    pub(super) fn partial(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Partial, EXIT_PARTIAL, message)
    }

    pub(super) fn input(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Input, EXIT_INPUT, message)
    }

    pub(super) fn unreachable(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Unreachable, EXIT_UNREACHABLE, message)
    }

    pub(super) fn tls(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Tls, EXIT_TLS, message)
    }

    pub(super) fn response_code(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Code, EXIT_RESPONSE_CODE, message)
    }

    /// Returns a failure for a gRPC status, which determines the exit code.
    pub(super) fn rpc(status: Code, message: impl Into<String>) -> Self {
        // Status codes end at 16 (gRPC, doc/statuscodes.md), so the conversion cannot fail.
        let number = u8::try_from(i32::from(status)).unwrap_or_default();
        Self::new(FailureKind::Rpc, EXIT_RPC_BASE + number, message)
    }

    pub(super) fn interrupted(signal: Signal, message: impl Into<String>) -> Self {
        Self::new(FailureKind::Interrupted, signal.exit_code(), message)
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the hint to pass `options`, followed by `remark`.
    pub(crate) fn with_option_hint(self, options: &[&str], remark: &str) -> Self {
        // Only an option with a NUL character cannot be quoted, and no argument can hold one.
        let words = shlex::try_join(options.iter().copied()).unwrap_or_default();
        self.with_hint(format!("pass {words}{remark}"))
            .with_options(options)
    }

    /// Sets the options of a hint that is worded in another way.
    pub(super) fn with_options(mut self, options: &[&str]) -> Self {
        self.options = options.iter().map(|&option| option.to_owned()).collect();
        self
    }

    pub(super) fn with_cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds the message and the causes of a second failure to the causes of this failure.
    pub(crate) fn and(mut self, other: impl Into<Option<Self>>) -> Self {
        if let Some(other) = other.into() {
            self.causes.push(other.message);
            self.causes.extend(other.causes);
        }
        self
    }

    /// Puts a message before the message of this failure, whose hint is dropped.
    pub(super) fn context(self, message: impl Into<String>) -> Self {
        Self::new(self.kind, self.exit_code, message).and(self)
    }

    pub(crate) fn after_attempts(self, attempts: u32) -> Self {
        match attempts {
            0 | 1 => self,
            2 => self.with_cause("retried once"),
            attempts => self.with_cause(format!("retried {} times", attempts - 1)),
        }
    }
}
