//! The CSV and TSV parser (RFC 4180), which refuses ambiguous text, where most other parsers guess.
//! A cell is the text in one row and one column.

mod columns;
mod reader;
mod rows;

pub(super) use reader::CsvReader;
