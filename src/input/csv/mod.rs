//! CSV and TSV (RFC 4180), stricter than most readers: ambiguous text is refused, not guessed.

mod columns;
mod reader;
mod rows;

pub(super) use columns::Columns;
pub(super) use reader::CsvReader;
