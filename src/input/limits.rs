//! Limits on the lengths of records and lines.

/// The maximum length of the text of a record, in bytes.
pub(crate) const MAX_RECORD_BYTES: usize = 1 << 20;

/// The maximum length of a line without its line feed: the longest record and a carriage return.
pub(super) const MAX_LINE_BYTES: usize = MAX_RECORD_BYTES + 1;

/// The maximum length of a line that is skipped as one invalid record. A longer line may be endless.
pub(super) const MAX_SKIPPED_BYTES: usize = 64 * MAX_RECORD_BYTES;
