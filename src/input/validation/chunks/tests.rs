use std::fmt::Write as _;

use super::*;
use crate::input::{InputSource, ValidatedInput, ValidationRules, validate};

const RECORDS: u64 = 60_000;

/// Returns several megabytes of lines. Some lines are invalid, and some are blank.
fn text(header: &str, line: &dyn Fn(&str, &str) -> String) -> String {
    let mut text = header.to_owned();
    for number in 0..RECORDS {
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

fn validated(text: &str) -> ValidatedInput {
    let bytes = text.as_bytes().into();
    validate(
        &[InputSource::Memory(bytes)],
        InputOptions::default(),
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

/// Reads the whole text with one reader, without chunks.
fn read_as_one(text: &str, format: DetectedFormat) -> ReadText {
    let options = InputOptions::default();
    let mut reader = RecordReader::open(
        format,
        None,
        LineBuffer::new(Box::new(text.as_bytes())),
        &options,
    )
    .expect("a header");
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
    let csv_format = DetectedFormat::Csv { delimiter: b',' };
    let lines = DetectedFormat::Ndjson;
    let quoted_late = csv() + "\"late\",1\n\"later\",later\n";
    for (text, format) in [
        (csv(), csv_format.clone()),
        (csv().replace('\n', "\r\n"), csv_format.clone()),
        (csv().trim_end().to_owned(), csv_format.clone()),
        (quoted_late, csv_format),
        (text("", &json), lines),
    ] {
        let options = InputOptions::default();
        let mut chunks = ChunkReader::new(format.clone(), Box::new(text.as_bytes()), &options);
        let has_two_chunks = chunks.next_chunk(0, Vec::new()).is_some()
            && chunks.next_chunk(1, Vec::new()).is_some();
        assert!(has_two_chunks, "the text is too short");
        let validated = validated(&text);
        let expected = read_as_one(&text, format);
        assert_eq!(problems(&validated), expected.problems);
        assert_eq!(validated.counts.read, expected.records);
        assert_eq!(validated.counts.invalid, expected.problems.len() as u64);
    }
}

#[test]
fn reads_a_chunk_that_is_put_back_with_the_rest() {
    let text = csv();
    let options = InputOptions::default();
    let format = DetectedFormat::Csv { delimiter: b',' };
    let mut chunks = ChunkReader::new(format.clone(), Box::new(text.as_bytes()), &options);
    let chunk = chunks
        .next_chunk(0, Vec::new())
        .expect("a text longer than a chunk");
    chunks.put_back_first(chunk);
    let mut reader = chunks.into_rest().expect("a header");
    let read = std::iter::from_fn(|| reader.next().map(|_| ())).count();
    assert_eq!(read as u64, RECORDS);
}

#[test]
fn finds_duplicates_in_different_chunks() {
    let mut text = csv().replace("soon", "1");
    let first = text.lines().nth(1).expect("a record").to_owned();
    let (token, _) = first.split_once(',').expect("two cells");
    write!(text, "{first}\n{token},7\n").expect("written");
    let validated = validated(&text);
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
fn reports_a_stream_error_after_the_records_before_it() {
    let lines = "{\"token\":\"a\",\"expire_time\":1}\n".repeat(30_000);
    let broken = FailingOnce(Some(io::Error::other("broken")));
    let stream = Box::new(io::Cursor::new(lines).chain(broken));
    let options = InputOptions::default();
    let format = DetectedFormat::Ndjson;
    let mut chunks = ChunkReader::new(format, stream, &options);
    let mut read = 0;
    let results = chunks.read_in_threads(|queue| {
        let mut read = 0;
        queue.for_each(|chunk| {
            read += chunk.count_lines();
            Vec::new()
        });
        read
    });
    read += results.iter().sum::<u64>();
    let mut reader = chunks.into_rest().expect("no header");
    loop {
        match reader.next() {
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
