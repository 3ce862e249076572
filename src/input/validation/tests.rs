//! Chunks, which several threads read, give the same results as one reader of the whole input.

use std::{
    fmt::Write as _,
    io::{self, Read},
};

use crate::input::{
    InputFormat, InputOptions, InputSource, ValidatedInput, ValidationRules, bytes::LineBuffer,
    detect::DetectedFormat, reader::RecordReader, validate,
};

/// Returns several megabytes of lines. Some lines are invalid, and some are blank.
fn text(header: &str, line: &dyn Fn(&str, &str) -> String) -> String {
    let mut text = header.to_owned();
    for number in 0_u64..60_000 {
        let time = match number % 9_973 {
            77 => "soon".to_owned(),
            _ => (2_000_000_000 + number).to_string(),
        };
        text += &line(&format!("{number:032x}"), &time);
        if number % 5 == 0 {
            text.push('\n');
        }
    }
    text
}

fn csv() -> String {
    text("device_token,expire_time\n", &|token, time| {
        format!("{token},{time}\n")
    })
}

fn validated(text: &str, options: &InputOptions) -> ValidatedInput {
    let bytes = text.as_bytes().into();
    validate(
        &[InputSource::Memory(bytes)],
        options.clone(),
        &ValidationRules::default(),
    )
}

fn problems(validated: &ValidatedInput) -> Vec<String> {
    let problems = validated.problems.iter();
    problems
        .map(|problem| format!("{:?} {:?}", problem.position, problem.kind))
        .collect()
}

struct ReadText {
    problems: Vec<String>,
    records: u64,
}

fn reader<'t>(
    text: &'t str,
    format: DetectedFormat,
    options: &'t InputOptions,
) -> RecordReader<'t> {
    let buffer = LineBuffer::new(Box::new(text.as_bytes()));
    RecordReader::open(format, buffer, options).expect("a header")
}

/// Reads the whole text with one reader, without chunks.
fn read_as_one(text: &str, format: DetectedFormat, options: &InputOptions) -> ReadText {
    let mut reader = reader(text, format, options);
    let mut problems = Vec::new();
    let mut records = 0;
    while let Some(record) = reader.next() {
        records += 1;
        if let Err(error) = record {
            problems.push(format!("{:?} {:?}", error.position, error.kind));
        }
    }
    ReadText { problems, records }
}

#[test]
fn reads_chunks_in_threads_as_one_reader_does() {
    let json =
        |token: &str, time: &str| format!("{{\"token\":\"{token}\",\"expire_time\":\"{time}\"}}\n");
    let csv_format = DetectedFormat::Csv {
        delimiter: b',',
        has_separator_line: false,
    };
    let lines = DetectedFormat::Ndjson { is_guess: false };
    let quoted_late = csv() + "\"late\",2000000000\n\"later\",later\n";
    let first_row = csv().find('\n').expect("a header") + 1;
    let headless = csv()[first_row..].to_owned();
    for (text, format, has_header) in [
        (csv(), csv_format.clone(), true),
        (csv().replace('\n', "\r\n"), csv_format.clone(), true),
        (csv().trim_end().to_owned(), csv_format.clone(), true),
        (quoted_late, csv_format.clone(), true),
        (headless, csv_format, false),
        (text("", &json), lines, true),
    ] {
        let options = InputOptions {
            format: Some(match format {
                DetectedFormat::Ndjson { .. } => InputFormat::Ndjson,
                _ => InputFormat::Csv,
            }),
            has_header,
            ..InputOptions::default()
        };
        let mut chunks = reader(&text, format.clone(), &options);
        let has_two_chunks =
            chunks.split_off_chunk().is_some() && chunks.split_off_chunk().is_some();
        assert!(has_two_chunks, "the text is too short");
        let validated = validated(&text, &options);
        let expected = read_as_one(&text, format, &options);
        assert_eq!(problems(&validated), expected.problems);
        assert_eq!(validated.counts.read, expected.records);
        assert_eq!(validated.counts.invalid, expected.problems.len() as u64);
    }
}

#[test]
fn finds_duplicates_in_different_chunks() {
    let mut text = csv().replace("soon", "2000000000");
    let first = text.lines().nth(1).expect("a record").to_owned();
    let (token, _) = first.split_once(',').expect("two cells");
    write!(text, "{first}\n{token},2100000000\n").expect("written");
    let validated = validated(&text, &InputOptions::default());
    assert_eq!(validated.counts.duplicate, 1);
    let problems = problems(&validated);
    let line = text.lines().count();
    let [conflict] = problems.as_slice() else {
        panic!("{problems:?}");
    };
    assert!(conflict.contains(&format!("line: {line},")), "{conflict}");
    assert!(conflict.contains("Conflict"), "{conflict}");
}

#[test]
fn finds_many_duplicates() {
    let once = csv().replace("soon", "2000000000");
    let (header, rows) = once.split_once('\n').expect("a header");
    let options = InputOptions::default();
    let expected = validated(&once, &options);
    let twice = validated(&format!("{header}\n{rows}{rows}"), &options);
    assert_eq!(twice.counts.duplicate, 60_000);
    assert_eq!(twice.counts.invalid, 0);
    assert_eq!(twice.expirations, expected.expirations);
    let later_rows = rows.replace(",20", ",21");
    let conflicting = validated(&format!("{header}\n{rows}{later_rows}"), &options);
    assert_eq!(conflicting.counts.duplicate, 0);
    assert_eq!(conflicting.counts.invalid, 60_000);
    assert_eq!(conflicting.expirations, expected.expirations);
    let problems = problems(&conflicting);
    assert_eq!(problems.len(), 20);
    assert!(
        problems[0].contains("record: 60001, line: 72002"),
        "{}",
        problems[0]
    );
    assert!(
        problems[19].contains("record: 20, line: 25"),
        "{}",
        problems[19]
    );
}

/// A stream whose first read fails.
struct FailingOnce(Option<io::Error>);

impl Read for FailingOnce {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

#[test]
fn reports_a_stream_error_after_the_records_before_it() {
    let lines = "{\"token\":\"a\",\"expire_time\":2000000000}\n".repeat(30_000);
    let broken = FailingOnce(Some(io::Error::other("broken")));
    let buffer = LineBuffer::new(Box::new(io::Cursor::new(lines).chain(broken)));
    let options = InputOptions::default();
    let mut rest = RecordReader::open(DetectedFormat::Ndjson { is_guess: false }, buffer, &options)
        .expect("no header");
    let mut read = 0;
    while let Some(mut chunk) = rest.split_off_chunk() {
        while let Some(record) = chunk.next() {
            record.expect("a record");
            read += 1;
        }
    }
    assert!(read > 0, "no chunk");
    loop {
        match rest.next() {
            Some(Ok(_)) => read += 1,
            Some(Err(error)) => {
                assert!(error.is_fatal, "{error:?}");
                break;
            }
            None => panic!("no failure"),
        }
    }
    assert_eq!(read, 30_000);
}
