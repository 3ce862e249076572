//! How long a record and a line may be.

/// The longest record that is read, in bytes of its text.
pub(crate) const LARGEST_RECORD: usize = 1 << 20;

/// The longest line without its line feed: what was read may end between that and the carriage
/// return.
pub(super) const LONGEST_LINE: usize = LARGEST_RECORD + 1;

/// What is longer may have no end: it is no bad record among others, and nothing behind it is read.
pub(super) const ENDLESS_LINE: usize = 64 * LARGEST_RECORD;
