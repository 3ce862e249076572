//! What is pushed: a device token and the time its license expires.
//!
//! A value of these types is valid; whatever is not is refused where it is parsed, with an error
//! that carries data only.

mod digits;
mod mask;
mod time;
mod token;

pub(crate) use mask::TokenMask;
pub(crate) use time::{ExpireTime, TimeError, TimeRules, TimeUnit};
pub(crate) use token::{MaskedToken, Token, TokenEncoding, TokenError};

/// One sensor's licence expiration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) token: Token<'a>,
    pub(crate) expire_time: ExpireTime,
}
