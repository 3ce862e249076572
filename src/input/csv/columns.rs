//! The columns of the token and the expiration time in a CSV file.

use std::borrow::Cow;

use super::{
    super::{
        excerpt::Excerpt,
        field_names::{FieldNames, find_duplicate},
        options::{FieldSelector, InputOptions},
        problem_kind::{Field, ProblemKind},
    },
    rows::RowReader,
};

/// The columns of a file that contain the fields of the records.
#[derive(Clone, Debug)]
pub(in crate::input) struct Columns {
    pub(super) token: Column,
    /// `None` if the expiration time is not used.
    pub(super) time: Option<Column>,
    /// The number of columns that each row must have.
    pub(super) width: usize,
}

/// The column of one field.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// The index of the column, counted from 0.
    pub(super) index: usize,
    /// The name of the column in messages.
    pub(super) name: String,
}

impl Columns {
    /// Finds the columns by their names in the header row, which must be the current row.
    ///
    /// # Errors
    ///
    /// A problem if a column is missing or ambiguous, or if the row looks like a record.
    pub(super) fn from_header(
        rows: &RowReader<'_>,
        options: &InputOptions,
    ) -> Result<Self, ProblemKind> {
        let cells: Vec<Cow<'_, str>> = (0..rows.width())
            .map(|index| String::from_utf8_lossy(rows.cell(index)))
            .collect();
        let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
        let names = FieldNames::new(options);
        let find = |field, selector: &FieldSelector| match selector {
            FieldSelector::Column(number) => index_of_number(*number, cells.len(), field),
            FieldSelector::DefaultNames | FieldSelector::Name(_) | FieldSelector::Unused => {
                index_of_field(&cells, field, &names)
            }
        };
        let token = find(Field::Token, &options.token_field)?;
        let time = names
            .is_used(Field::Time)
            .then(|| find(Field::Time, &options.time_field))
            .transpose()?;
        check_distinct(token, time, cells[token])?;
        let named = cells.iter().copied().filter(|cell| !cell.is_empty());
        if let Some(name) = find_duplicate(named) {
            return Err(ProblemKind::DuplicateName(Excerpt::from_text(name)));
        }
        // A column that an option chose by number may have any text in the header row. If the text
        // looks like a value, the first row is a record.
        if is_like_value(cells[time.unwrap_or(token)]) {
            return Err(ProblemKind::MissingHeader);
        }
        let column = |index: usize, selector: &FieldSelector| match selector {
            // The option gave a number, so the text of the cell may be a token, which no message
            // may show.
            FieldSelector::Column(number) => Column::numbered(index, *number),
            FieldSelector::DefaultNames | FieldSelector::Name(_) | FieldSelector::Unused => {
                Column {
                    index,
                    name: cells[index].to_owned(),
                }
            }
        };
        Ok(Self {
            token: column(token, &options.token_field),
            time: time.map(|index| column(index, &options.time_field)),
            width: cells.len(),
        })
    }

    /// Chooses the columns by number. The default is 1 for the token and 2 for the expiration time.
    /// The current row must be the first record.
    ///
    /// # Errors
    ///
    /// A problem if a number is not in the range of columns, or if both fields have the same
    /// number.
    pub(super) fn from_numbers(
        rows: &RowReader<'_>,
        options: &InputOptions,
    ) -> Result<Self, ProblemKind> {
        let number_of = |selector: &FieldSelector, default| match selector {
            FieldSelector::Column(number) => Some(*number),
            FieldSelector::DefaultNames | FieldSelector::Name(_) => Some(default),
            FieldSelector::Unused => None,
        };
        let width = rows.width();
        let token = number_of(&options.token_field, 1).unwrap_or(1);
        let time = number_of(&options.time_field, 2);
        check_distinct(token, time, &token.to_string())?;
        let column = |number, field| {
            index_of_number(number, width, field).map(|index| Column::numbered(index, number))
        };
        Ok(Self {
            token: column(token, Field::Token)?,
            time: time.map(|number| column(number, Field::Time)).transpose()?,
            width,
        })
    }
}

impl Column {
    fn numbered(index: usize, number: usize) -> Self {
        Self {
            index,
            name: format!("column {number}"),
        }
    }
}

/// Checks that the two fields have different columns. `token` and `time` must both be column
/// indices or both be column numbers. `name` is the name of the column in the error.
fn check_distinct(token: usize, time: Option<usize>, name: &str) -> Result<(), ProblemKind> {
    if time == Some(token) {
        return Err(ProblemKind::SameNameForBothFields(Excerpt::from_text(name)));
    }
    Ok(())
}

/// Converts a column number, counted from 1, to an index, counted from 0.
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

/// Returns the index of the only header cell that is a name of `field`.
fn index_of_field(cells: &[&str], field: Field, names: &FieldNames) -> Result<usize, ProblemKind> {
    names
        .locate(field, cells.iter().copied())
        .map_err(|error| match error.kind {
            // `MissingField` shows the cells, so it must not be used for a row that may be a record
            // with a token. A number or a date reveals such a row. If the expiration time is
            // unused, any row may be a record.
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
