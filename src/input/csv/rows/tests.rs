use proptest::prelude::*;

use super::{super::super::options::MAX_RECORD_BYTES, *};

fn rows_of(text: &[u8]) -> RowReader<'_> {
    RowReader::new(LineBuffer::new(Box::new(text)), b',', MAX_RECORD_BYTES)
}

#[derive(Debug, PartialEq)]
struct Row {
    line: u64,
    cells: Vec<Vec<u8>>,
}

fn read_all(text: &[u8]) -> Vec<Row> {
    let mut rows = rows_of(text);
    let mut read = Vec::new();
    while rows.advance().expect("short rows") {
        let cells = (0..rows.width()).map(|index| rows.cell(index).to_vec());
        read.push(Row {
            line: rows.line(),
            cells: cells.collect(),
        });
    }
    read
}

/// Reads the cells of all rows with the CSV parser alone.
fn parse_all(text: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let mut parser = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .terminator(csv::Terminator::Any(b'\n'))
        .from_reader(text);
    let rows = parser.byte_records().map(|row| {
        let row = row.expect("memory can be read");
        let mut cells: Vec<_> = row.iter().map(<[u8]>::to_vec).collect();
        if let Some(last) = cells.last_mut()
            && last.ends_with(b"\r")
        {
            last.pop();
        }
        cells
    });
    rows.filter(|cells| !is_blank(cells)).collect()
}

/// Returns whether a row may be a skipped one. The CSV parser does not tell `,` from `"",`.
fn is_blank(cells: &[Vec<u8>]) -> bool {
    cells.iter().all(Vec::is_empty)
}

#[test]
fn counts_physical_lines() {
    let row = |line, cells: &[&str]| Row {
        line,
        cells: cells.iter().map(|cell| cell.as_bytes().to_vec()).collect(),
    };
    assert_eq!(
        read_all(b"\n\r\na,b\n\"x\n\"\"y\",c\r\n\r\nd\n\"e\""),
        [
            row(3, &["a", "b"]),
            row(4, &["x\n\"y", "c"]),
            row(7, &["d"]),
            row(8, &["e"]),
        ]
    );
}

#[test]
fn skips_rows_of_delimiters_only() {
    let rows = read_all(b",,\na,b,c\r\n,,\r\n,\n,,,,\n\"\",,\n,, \n,,");
    let lines: Vec<_> = rows.iter().map(|row| row.line).collect();
    assert_eq!(lines, [2, 6, 7]);
}

#[test]
fn keeps_byte_order_mark_of_a_cell() {
    let mark = "\u{feff}".as_bytes();
    let text = [mark, b"a,\"b\"\n", mark, b"c,\"d\"\n", mark, b"e,f"].concat();
    for (row, cell) in read_all(&text).iter().zip(["a", "c", "e"]) {
        assert_eq!(row.cells[0], [mark, cell.as_bytes()].concat());
    }
}

proptest! {
    #[test]
    fn reads_valid_rows_like_the_csv_parser(
        text in proptest::collection::vec(prop::sample::select(b"ab,,\"\n\r ".to_vec()), 0..60)
    ) {
        let mut rows = rows_of(&text);
        let mut is_valid = true;
        while rows.advance().expect("short rows") {
            is_valid &= rows.problem().is_none();
        }
        if is_valid {
            let cells = read_all(&text).into_iter().map(|row| row.cells);
            let cells: Vec<_> = cells.filter(|cells| !is_blank(cells)).collect();
            prop_assert_eq!(cells, parse_all(&text));
        }
    }
}
