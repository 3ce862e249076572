//! The two fields of a record, from whichever format.

use std::borrow::Cow;

use super::{
    options::{InputOptions, Names},
    problem::{Excerpt, ProblemKind},
};
use crate::record::{ExpireTime, TimeError, TimeRules, Token, TokenEncoding};

pub(super) struct Fields<'o> {
    pub(super) names: Names,
    encoding: TokenEncoding,
    time_rules: &'o TimeRules,
}

impl<'o> Fields<'o> {
    pub(super) fn new(options: &'o InputOptions) -> Self {
        Self {
            names: Names::new(options),
            encoding: options.token_encoding,
            time_rules: &options.time_rules,
        }
    }

    /// The request message's own rules: protobuf's JSON mapping writes `bytes` as base64.
    pub(super) fn of_protobuf(options: &'o InputOptions) -> Self {
        Self {
            names: Names::new(options),
            encoding: TokenEncoding::Base64,
            time_rules: &options.time_rules,
        }
    }

    /// A token in a cell.
    pub(super) fn token_in<'t>(
        &self,
        cell: &'t [u8],
        name: &str,
    ) -> Result<Token<'t>, ProblemKind> {
        match Token::parse_plain(cell, self.encoding) {
            Some(token) => Ok(token),
            None => self.token(Cow::Borrowed(utf8(cell, name)?), name),
        }
    }

    /// A time in a cell.
    pub(super) fn time_in(&self, cell: &[u8], name: &str) -> Result<ExpireTime, ProblemKind> {
        match ExpireTime::parse_plain(cell, self.time_rules) {
            Some(time) => Ok(time),
            None => self.time(utf8(cell, name)?, name),
        }
    }

    pub(super) fn token<'t>(
        &self,
        text: Cow<'t, str>,
        name: &str,
    ) -> Result<Token<'t>, ProblemKind> {
        let value = text.clone();
        Token::parse(text, self.encoding).map_err(|error| ProblemKind::InvalidToken {
            name: name.to_owned(),
            error,
            value: Excerpt::of_token(&value),
        })
    }

    pub(super) fn time(&self, text: &str, name: &str) -> Result<ExpireTime, ProblemKind> {
        ExpireTime::parse(text, self.time_rules).map_err(|error| bad_time(text, name, error))
    }

    pub(super) fn number(&self, literal: &str, name: &str) -> Result<ExpireTime, ProblemKind> {
        ExpireTime::parse_number(literal, self.time_rules)
            .map_err(|error| bad_time(literal, name, error))
    }
}

fn utf8<'t>(cell: &'t [u8], name: &str) -> Result<&'t str, ProblemKind> {
    std::str::from_utf8(cell).map_err(|_| ProblemKind::NotUtf8 {
        name: name.to_owned(),
    })
}

fn bad_time(text: &str, name: &str, error: TimeError) -> ProblemKind {
    ProblemKind::InvalidTime {
        name: name.to_owned(),
        error,
        value: Excerpt::of_time(text),
    }
}
