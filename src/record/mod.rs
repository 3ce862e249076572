//! Records: device tokens with the expiration time of the sensor's license. Values of these types
//! are always valid, because parsing refuses invalid text.

mod contract_violation;
mod date_time_text;
mod likely_time;
mod suspicious_token;
mod time;
mod time_format;
mod time_rules;
mod token;

pub(crate) use contract_violation::ContractViolation;
pub(crate) use date_time_text::parse_numeric_offset;
pub(crate) use likely_time::LikelyTime;
pub(crate) use suspicious_token::SuspiciousToken;
pub(crate) use time::{ExpireTime, TimeError, TimeRange};
pub(crate) use time_format::TimeFormat;
pub(crate) use time_rules::{TimeRules, TimeUnit};
pub(crate) use token::{MaskedToken, Token, TokenEncoding, TokenError, fits_csv_text};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) token: Token<'a>,
    pub(crate) expire_time: ExpireTime,
}
