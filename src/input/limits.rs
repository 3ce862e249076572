//! Limits on the length of records and lines.

/// The longest record that is read, in bytes of its text.
pub(crate) const MAX_RECORD_BYTES: usize = 1 << 20;

/// The longest line that is read, in bytes: a record of the longest length and a carriage return,
/// without the line feed.
pub(super) const MAX_LINE_BYTES: usize = MAX_RECORD_BYTES + 1;

/// The longest line that is skipped as one bad record, in bytes. A longer line may have no end, and
/// ends the reading.
pub(super) const MAX_SKIPPED_BYTES: usize = 64 * MAX_RECORD_BYTES;
