//! Problem classes. The summary shows the number of invalid records in each class.

use super::problem::{ContractViolation, Field, ProblemKind};

/// A class of problems. Messages list the classes in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ProblemClass {
    Unreadable,
    Malformed,
    InvalidToken,
    InvalidTime,
    ConflictingDuplicate,
    TooLarge,
}

impl ProblemClass {
    pub(super) fn from_kind(kind: &ProblemKind) -> Self {
        match kind {
            ProblemKind::Unreadable(_)
            | ProblemKind::IsDirectory
            | ProblemKind::UnsupportedFormat(_)
            | ProblemKind::FileChanged
            | ProblemKind::ReadStopped
            | ProblemKind::Truncated
            | ProblemKind::CorruptArchive(_)
            | ProblemKind::NotJsonDocument
            | ProblemKind::NotArray { .. }
            | ProblemKind::NoSingleArray { .. }
            | ProblemKind::MultipleDocuments
            | ProblemKind::PointerNotFound
            | ProblemKind::MissingRequestArray
            | ProblemKind::MissingHeader
            | ProblemKind::ColumnOutOfRange { .. } => Self::Unreadable,
            ProblemKind::JsonSyntax(_)
            | ProblemKind::MissingField { .. }
            | ProblemKind::AmbiguousField { .. }
            | ProblemKind::WrongColumnCount { .. }
            | ProblemKind::LoneCarriageReturn
            | ProblemKind::BareQuote
            | ProblemKind::NulByte
            | ProblemKind::NotUtf8 { .. }
            | ProblemKind::NotObject { .. }
            | ProblemKind::DuplicateKey(_)
            | ProblemKind::SameNameForBothFields(_) => Self::Malformed,
            ProblemKind::WrongType { field, .. } => match field {
                Field::Token => Self::InvalidToken,
                Field::Time => Self::InvalidTime,
            },
            ProblemKind::InvalidToken { .. } => Self::InvalidToken,
            ProblemKind::InvalidTime { .. } | ProblemKind::ExpireTimePassed(_) => Self::InvalidTime,
            ProblemKind::ConflictingDuplicate { .. } => Self::ConflictingDuplicate,
            ProblemKind::RecordTooLong => Self::TooLarge,
            ProblemKind::ContractViolation(violation) => match violation {
                ContractViolation::TokenNotUtf8 => Self::InvalidToken,
                ContractViolation::ExpireTimeTooLate { .. } => Self::InvalidTime,
                ContractViolation::RecordTooLarge { .. } => Self::TooLarge,
            },
        }
    }
}
