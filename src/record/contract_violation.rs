//! [`ContractViolation`]: why no request of the server's contract can hold a record.

use super::ExpireTime;

/// The reason why a request of the server's contract cannot hold a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ContractViolation {
    /// The token is not UTF-8, but the contract's field is a `string`.
    #[error("token is not UTF-8, but its field in the server's contract is a string")]
    TokenNotUtf8,
    /// The time is after the latest time that the contract's field can hold.
    #[error("expiration time is later than {0}, the maximum of its field in the server's contract")]
    ExpireTimeTooLate(ExpireTime),
    #[error("record takes {bytes} bytes of a request, --batch-bytes allows {max_bytes}")]
    RecordTooLarge { bytes: usize, max_bytes: usize },
}
