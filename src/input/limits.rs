//! How long a record and a line may be.

/// The longest record that is read, in bytes of its text.
pub(crate) const MAX_RECORD_BYTES: usize = 1 << 20;

/// The longest line without its line feed: what was read may end between that and the carriage
/// return.
pub(super) const MAX_LINE_BYTES: usize = MAX_RECORD_BYTES + 1;

/// What is longer may have no end: it is no bad record among others, and nothing behind it is read.
pub(super) const MAX_SKIPPED_BYTES: usize = 64 * MAX_RECORD_BYTES;
