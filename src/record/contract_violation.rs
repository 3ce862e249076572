use super::ExpireTime;

/// The reason why no request of the server's contract can hold a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ContractViolation {
    #[error("token is not UTF-8, but its field in the server's contract is a string")]
    TokenNotUtf8,
    #[error("expiration time is later than {0}, the maximum of its field in the server's contract")]
    ExpireTimeTooLate(ExpireTime),
    #[error("record takes {bytes} bytes of a request, --batch-bytes allows {max_bytes}")]
    RecordTooLarge { bytes: usize, max_bytes: usize },
}
