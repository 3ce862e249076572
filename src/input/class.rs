//! Bad records by their kind.

use super::problem::{Field, ProblemKind};
use crate::contract::Unfit;

/// Kinds of bad records, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Document,
    Shape,
    Token,
    Time,
    Duplicate,
    Size,
}

impl ProblemKind {
    pub(crate) fn class(&self) -> Class {
        match self {
            Self::Unreadable(_)
            | Self::Directory
            | Self::Lookalike(_)
            | Self::Changed
            | Self::TooLate
            | Self::Truncated
            | Self::Archive(_)
            | Self::NoDocument
            | Self::NotList { .. }
            | Self::NoList { .. }
            | Self::SecondDocument
            | Self::NoPointer
            | Self::NoRequest
            | Self::NoHeader
            | Self::NoColumn { .. } => Class::Document,
            Self::Syntax(_)
            | Self::MissingField { .. }
            | Self::Spellings { .. }
            | Self::Ragged { .. }
            | Self::LoneCarriageReturn
            | Self::BareQuote
            | Self::Nul
            | Self::NotUtf8 { .. }
            | Self::NotObject { .. }
            | Self::DuplicateKey(_)
            | Self::SameField(_) => Class::Shape,
            Self::WrongType { field, .. } => match field {
                Field::Token => Class::Token,
                Field::Time => Class::Time,
            },
            Self::Token { .. } | Self::Unfit(Unfit::NotText) => Class::Token,
            Self::Time { .. } | Self::Past(_) | Self::Unfit(Unfit::TooLate(_)) => Class::Time,
            Self::Conflict { .. } => Class::Duplicate,
            Self::TooLarge { .. } | Self::TooLong => Class::Size,
        }
    }
}
