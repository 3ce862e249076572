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

    pub(super) fn token<'t>(
        &self,
        text: Cow<'t, [u8]>,
        name: &str,
    ) -> Result<Token<'t>, ProblemKind> {
        let value = text.clone();
        Token::parse(text, self.token_encoding).map_err(|error| ProblemKind::InvalidToken {
            name: name.to_owned(),
            error,
            value: Excerpt::from_token(&String::from_utf8_lossy(&value)),
        })
    }

    pub(super) fn time(&self, text: &[u8], name: &str) -> Result<ExpireTime, ProblemKind> {
        ExpireTime::parse(text, self.time_rules).map_err(|error| ProblemKind::InvalidTime {
            name: name.to_owned(),
            error,
            value: Excerpt::from_text(&String::from_utf8_lossy(text)),
        })
    }
}
