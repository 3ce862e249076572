//! The columns of the token and the expiration time in a CSV file.

use std::borrow::Cow;

use super::{
    super::{
        excerpt::Excerpt,
        fields::{FieldNames, find_duplicate},
        options::{FieldSelector, InputOptions},
        problem::{Field, ProblemKind},
    },
    rows::RowReader,
};

#[derive(Clone, Debug)]
pub(super) struct Columns {
    pub(super) token: Column,
    /// `None` if the expiration time is not used.
    pub(super) time: Option<Column>,
    pub(super) width: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) index: usize,
    pub(super) name: String,
}

impl Columns {
    /// The current row must be the header row, or else the first record. Without a header row, the
    /// default is column 1 for the token and column 2 for the expiration time.
    pub(super) fn find(rows: &RowReader<'_>, options: &InputOptions) -> Result<Self, ProblemKind> {
        let width = rows.width();
        let header_width = if options.has_header { width } else { 0 };
        let cells: Vec<Cow<'_, str>> = (0..header_width)
            .map(|index| String::from_utf8_lossy(rows.cell(index)))
            .collect();
        let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
        let names = FieldNames::new(options);
        let find = |field, selector: &FieldSelector, default_number| -> Result<_, ProblemKind> {
            let number = match selector {
                FieldSelector::Column(number) => *number,
                _ if options.has_header => {
                    let index = index_of_field(&cells, field, &names)?;
                    let name = cells[index].to_owned();
                    return Ok(Column { index, name });
                }
                _ => default_number,
            };
            Ok(Column {
                index: index_of_number(number, width, field)?,
                // The text of the cell may be a token, which no message may show.
                name: format!("column {number}"),
            })
        };
        let token = find(Field::Token, &options.token_field, 1)?;
        let time = names
            .is_used(Field::Time)
            .then(|| find(Field::Time, &options.time_field, 2))
            .transpose()?;
        let last = time.as_ref().unwrap_or(&token);
        if time.is_some() && last.index == token.index {
            let name = Excerpt::from_text(&token.name);
            return Err(ProblemKind::SameNameForBothFields(name));
        }
        let named = cells.iter().copied().filter(|cell| !cell.is_empty());
        if let Some(name) = find_duplicate(named) {
            return Err(ProblemKind::DuplicateName(Excerpt::from_text(name)));
        }
        // A column that was chosen by number may have any text in the header row.
        if cells
            .get(last.index)
            .is_some_and(|cell| is_like_value(cell))
        {
            return Err(ProblemKind::MissingHeader);
        }
        Ok(Self { token, time, width })
    }
}

fn index_of_number(number: usize, width: usize, field: Field) -> Result<usize, ProblemKind> {
    number
        .checked_sub(1)
        .filter(|index| *index < width)
        .ok_or(ProblemKind::ColumnOutOfRange {
            field,
            number,
            width,
        })
}

fn index_of_field(cells: &[&str], field: Field, names: &FieldNames) -> Result<usize, ProblemKind> {
    names
        .locate(field, cells.iter().copied())
        .map_err(|error| match error.kind {
            // `MissingField` shows the cells, so it must not be used for a row that may be a record.
            ProblemKind::MissingField { .. }
                if !names.is_used(Field::Time) || cells.iter().any(|cell| is_like_value(cell)) =>
            {
                ProblemKind::MissingHeader
            }
            kind => kind,
        })
}

/// Returns whether a cell starts with a digit, like a number or a date and unlike a column name.
fn is_like_value(cell: &str) -> bool {
    cell.starts_with(|first: char| first.is_ascii_digit())
}
