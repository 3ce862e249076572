//! CSV and TSV (RFC 4180).

mod reader;
mod rows;

pub(super) use reader::{Columns, CsvReader};
