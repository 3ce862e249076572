//! Bad records by their kind.

use super::problem::{ContractViolation, Field, ProblemKind};

/// Kinds of bad records, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ProblemClass {
    Unreadable,
    Malformed,
    InvalidToken,
    InvalidTime,
    ConflictingDuplicate,
    TooLarge,
}

impl ProblemKind {
    pub(crate) fn class(&self) -> ProblemClass {
        match self {
            Self::Unreadable(_)
            | Self::IsDirectory
            | Self::UnsupportedFormat(_)
            | Self::FileChanged
            | Self::DeadlineExceeded
            | Self::Truncated
            | Self::CorruptArchive(_)
            | Self::NotJsonDocument
            | Self::NotArray { .. }
            | Self::NoSingleArray { .. }
            | Self::MultipleDocuments
            | Self::PointerNotFound
            | Self::MissingRequestArray
            | Self::MissingHeader
            | Self::ColumnOutOfRange { .. } => ProblemClass::Unreadable,
            Self::JsonSyntax(_)
            | Self::MissingField { .. }
            | Self::AmbiguousField { .. }
            | Self::WrongColumnCount { .. }
            | Self::LoneCarriageReturn
            | Self::BareQuote
            | Self::NulByte
            | Self::NotUtf8 { .. }
            | Self::NotObject { .. }
            | Self::DuplicateKey(_)
            | Self::SameNameForBothFields(_) => ProblemClass::Malformed,
            Self::WrongType { field, .. } => match field {
                Field::Token => ProblemClass::InvalidToken,
                Field::Time => ProblemClass::InvalidTime,
            },
            Self::InvalidToken { .. }
            | Self::ContractViolation(ContractViolation::TokenNotUtf8) => {
                ProblemClass::InvalidToken
            }
            Self::InvalidTime { .. }
            | Self::ExpireTimePassed(_)
            | Self::ContractViolation(ContractViolation::ExpireTimeTooLate { .. }) => {
                ProblemClass::InvalidTime
            }
            Self::ConflictingDuplicate { .. } => ProblemClass::ConflictingDuplicate,
            Self::RecordTooLong
            | Self::ContractViolation(ContractViolation::RecordTooLarge { .. }) => {
                ProblemClass::TooLarge
            }
        }
    }
}
