//! The parser of the two fields of a record (token and expiration time), shared by all formats.

use std::borrow::Cow;

use super::{
    excerpt::Excerpt, field_names::FieldNames, options::InputOptions, problem_kind::ProblemKind,
};
use crate::record::{ExpireTime, TimeRules, Token, TokenEncoding};

/// A parser of tokens and expiration times. `name` is the name of the column or key in messages.
#[derive(Clone)]
pub(super) struct FieldParser<'o> {
    pub(super) names: FieldNames,
    token_encoding: TokenEncoding,
    time_rules: &'o TimeRules,
}

impl<'o> FieldParser<'o> {
    /// Returns a parser of the fields in the JSON mapping of protobuf, which encodes `bytes` in
    /// Base64, or of the fields in any other format.
    pub(super) fn new(options: &'o InputOptions, is_protobuf: bool) -> Self {
        Self {
            names: FieldNames::new(options),
            token_encoding: if is_protobuf {
                TokenEncoding::Base64
            } else {
                options.token_encoding
            },
            time_rules: &options.time_rules,
        }
    }

    pub(super) fn token_from_bytes<'t>(
        &self,
        text: &'t [u8],
        name: &str,
    ) -> Result<Token<'t>, ProblemKind> {
        match Token::parse_plain(text, self.token_encoding) {
            Some(token) => Ok(token),
            None => self.token(Cow::Borrowed(parse_utf8(text, name)?), name),
        }
    }

    pub(super) fn time_from_bytes(
        &self,
        text: &[u8],
        name: &str,
    ) -> Result<ExpireTime, ProblemKind> {
        match ExpireTime::parse_plain(text, self.time_rules) {
            Some(time) => Ok(time),
            None => self.time(parse_utf8(text, name)?, name),
        }
    }

    pub(super) fn token<'t>(
        &self,
        text: Cow<'t, str>,
        name: &str,
    ) -> Result<Token<'t>, ProblemKind> {
        let value = text.clone();
        Token::parse(text, self.token_encoding).map_err(|error| ProblemKind::InvalidToken {
            name: name.to_owned(),
            error,
            value: Excerpt::from_token(&value),
        })
    }

    pub(super) fn time(&self, text: &str, name: &str) -> Result<ExpireTime, ProblemKind> {
        ExpireTime::parse(text, self.time_rules).map_err(|error| ProblemKind::InvalidTime {
            name: name.to_owned(),
            error,
            value: Excerpt::from_text(text),
        })
    }
}

fn parse_utf8<'t>(text: &'t [u8], name: &str) -> Result<&'t str, ProblemKind> {
    std::str::from_utf8(text).map_err(|_| ProblemKind::NotUtf8 {
        name: name.to_owned(),
    })
}
