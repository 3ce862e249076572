//! The CSV and TSV parser (RFC 4180). It refuses ambiguous text, where most parsers guess.
//!
//! A cell is the text of one row in one column.

mod columns;
mod reader;
mod rows;

pub(super) use columns::Columns;
pub(super) use reader::CsvReader;
