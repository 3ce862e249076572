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

/// The delimiters that a file may have instead of the delimiter that it is read with.
const OTHER_DELIMITERS: [char; 4] = [',', '|', '\t', ';'];

#[derive(Clone, Debug)]
pub(super) struct Columns {
    pub(super) token: Column,
    /// `None` if the expiration time is not used.
    pub(super) time: Option<Column>,
    /// The column that names the encoding of each token, or `None` if the options name it.
    pub(super) encoding_index: Option<usize>,
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
            let is_named = || {
                cells
                    .iter()
                    .any(|cell| names.names_of(field).iter().any(|name| name == cell))
            };
            let number = match selector.column_number() {
                Some(number) if !is_named() => number,
                _ if options.has_header => {
                    let index = index_of_field(&cells, field, &names, rows)?;
                    let name = cells[index].to_owned();
                    return Ok(Column { index, name });
                }
                _ => default_number,
            };
            // A number that is too large for any file is shown as the user wrote it.
            let shown = match selector {
                FieldSelector::Name(text) => Excerpt::from_text(text),
                _ => Excerpt::from_text(&number.to_string()),
            };
            Ok(Column {
                index: index_of_number(number, &shown, field, rows)?,
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
        let is_like_record = |cell: &&str| last.name != **cell && is_like_value(cell);
        if !has_known_name(&cells, &names) && cells.get(last.index).is_some_and(is_like_record) {
            let has_time = time.is_some();
            return Err(ProblemKind::MissingHeader { has_time });
        }
        Ok(Self {
            token,
            time,
            encoding_index: None,
            width,
        })
    }
}

fn index_of_number(
    number: usize,
    shown: &Excerpt,
    field: Field,
    rows: &RowReader<'_>,
) -> Result<usize, ProblemKind> {
    let width = rows.width();
    number
        .checked_sub(1)
        .filter(|index| *index < width)
        .ok_or_else(|| ProblemKind::ColumnOutOfRange {
            field,
            number: shown.as_str().to_owned(),
            width,
            delimiter: find_other_delimiter(rows, |cells| cells.len() >= number),
        })
}

fn index_of_field(
    cells: &[&str],
    field: Field,
    names: &FieldNames,
    rows: &RowReader<'_>,
) -> Result<usize, ProblemKind> {
    let parts = || cells.iter().flat_map(|cell| cell.split(OTHER_DELIMITERS));
    let may_be_record = || {
        !has_known_name(cells, names) && (!names.is_used(Field::Time) || parts().any(is_like_value))
    };
    let count_named = |cells: &[&str]| {
        let is_named = |field: &Field| {
            names
                .names_of(*field)
                .iter()
                .any(|name| cells.contains(&&**name))
        };
        [Field::Token, Field::Time]
            .iter()
            .filter(|field| is_named(field))
            .count()
    };
    let named = count_named(cells);
    names
        .locate(field, cells.iter().copied())
        .map_err(|error| match error.kind {
            // `MissingField` shows the cells, so it must not be used for a row that may be a record.
            ProblemKind::MissingField { .. } if may_be_record() => ProblemKind::MissingHeader {
                has_time: names.is_used(Field::Time),
            },
            ProblemKind::MissingField {
                wanted,
                found,
                suggested_name,
                ..
            } => ProblemKind::MissingField {
                field,
                wanted,
                found,
                suggested_name,
                delimiter: find_other_delimiter(rows, |parts| {
                    count_named(parts) > named || cells.len() == 1
                }),
            },
            kind => kind,
        })
}

/// Returns the problem of a header row whose fields are quoted, but not separated by the delimiter.
pub(super) fn find_delimiter_after_quote(rows: &RowReader<'_>) -> Option<ProblemKind> {
    let row = rows.text();
    let follows_quote = |other: &char| {
        let end = format!("\"{other}");
        row.starts_with(b"\"") && memchr::memmem::find(row, end.as_bytes()).is_some()
    };
    let expected = char::from(rows.delimiter);
    let mut others = OTHER_DELIMITERS
        .into_iter()
        .filter(|other| *other != expected);
    let found = others.find(follows_quote)?;
    Some(ProblemKind::OtherDelimiter { expected, found })
}

/// Returns the delimiter that the row seems to have instead of the one that it is read with.
fn find_other_delimiter(
    rows: &RowReader<'_>,
    has_wanted_columns: impl Fn(&[&str]) -> bool,
) -> Option<char> {
    if rows.problem().is_some() {
        return None;
    }
    let delimiter = char::from(rows.delimiter);
    let cells: Vec<_> = (0..rows.width())
        .map(|index| String::from_utf8_lossy(rows.cell(index)))
        .collect();
    let row = cells.join(&delimiter.to_string());
    OTHER_DELIMITERS
        .into_iter()
        .filter(|other| *other != delimiter && row.contains(*other))
        .filter(|other| has_wanted_columns(&row.split(*other).collect::<Vec<_>>()))
        .max_by_key(|other| row.matches(*other).count())
}

fn has_known_name(cells: &[&str], names: &FieldNames) -> bool {
    cells
        .iter()
        .any(|cell| !is_like_value(cell) && names.find(cell.as_bytes()).is_some())
}

/// Returns whether a cell starts with a digit, like a number or a date. An underscore makes it a
/// column name, such as `2026_expiry`.
fn is_like_value(cell: &str) -> bool {
    cell.starts_with(|first: char| first.is_ascii_digit()) && !cell.contains('_')
}
