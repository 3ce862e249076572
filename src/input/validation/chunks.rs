//! A stream cut between its records, so that several threads can read it at once.
//!
//! Only where that is simple: at the line feeds of NDJSON, and of CSV as long as no quote comes.
//! From there on, and whatever else it is, the stream is read as one.

use std::{
    io::{self, Read},
    panic,
    sync::mpsc,
    thread,
};

use super::super::{
    bytes::{self, LineBuffer, fill},
    csv::{Columns, CsvReader},
    detect::DetectedFormat,
    file::InputFile,
    options::InputOptions,
    problem::ReadError,
    reader::RecordReader,
};

/// How much is read at a time. What is shorter is not worth a thread.
const PIECE: usize = bytes::BLOCK_BYTES;

/// How much is read before room for a piece is made.
const SMALL: usize = 8 << 10;

/// Pieces that wait for a thread.
const WAITING: usize = 2;

/// A stream of records.
pub(in crate::input) struct Pieces<'i> {
    format: DetectedFormat,
    /// The columns that the header row names, once it has been read.
    columns: Option<Columns>,
    options: &'i InputOptions,
    stream: Box<dyn Read + Send + 'i>,
    /// What has been read and is in no piece.
    rest: Ahead,
    /// What comes behind `rest`, if not more of the stream.
    error: Option<io::Error>,
}

/// Whole records, with their number among the pieces of their stream.
pub(in crate::input) struct Piece {
    pub(in crate::input) number: usize,
    lines: Ahead,
    format: DetectedFormat,
    /// `None` if the lines start with the header row, or are not CSV.
    columns: Option<Columns>,
}

/// What has been read: the first bytes of a buffer, so many.
#[derive(Default)]
struct Ahead {
    buffer: Vec<u8>,
    length: usize,
}

/// The pieces that one thread reads, in the order of the stream.
pub(in crate::input) struct Share {
    pieces: mpsc::Receiver<Piece>,
    empty: mpsc::Sender<Vec<u8>>,
}

impl<'i> Pieces<'i> {
    /// Of an input from its start.
    pub(in crate::input) fn of(
        input: &'i mut InputFile,
        options: &'i InputOptions,
    ) -> Result<Self, ReadError> {
        let format = input.detect_format(options)?;
        Ok(Self::new(format, input.text_reader()?, options))
    }

    /// Of a stream of this format from its start, which is no byte order mark.
    fn new(
        format: DetectedFormat,
        stream: Box<dyn Read + Send + 'i>,
        options: &'i InputOptions,
    ) -> Self {
        Self {
            format,
            columns: None,
            options,
            stream,
            rest: Ahead::default(),
            error: None,
        }
    }

    /// Has threads read what can be read piece by piece; what each of them came to. No piece, no
    /// thread, and where no thread can be had, no piece.
    pub(in crate::input) fn share_out<T: Send>(
        &mut self,
        read: impl Fn(Share) -> T + Sync,
    ) -> Vec<T> {
        let Some(mut piece) = self.cut(0, Vec::new()) else {
            return Vec::new();
        };
        let count = thread::available_parallelism().map_or(1, usize::from);
        if count == 1 {
            self.put_back(piece);
            return Vec::new();
        }
        let (empty, emptied) = mpsc::channel();
        thread::scope(|threads| {
            let threads: Vec<_> = (0..count)
                .map_while(|_| {
                    let (to, pieces) = mpsc::sync_channel(WAITING);
                    let empty = empty.clone();
                    let read = &read;
                    let thread = thread::Builder::new()
                        .spawn_scoped(threads, move || read(Share { pieces, empty }));
                    Some((to, thread.ok()?))
                })
                .collect();
            if threads.is_empty() {
                self.put_back(piece);
                return Vec::new();
            }
            for number in 1.. {
                // A thread that takes no more has panicked, which is told below.
                if threads[piece.number % threads.len()].0.send(piece).is_err() {
                    break;
                }
                let buffer = emptied.try_recv().unwrap_or_default();
                match self.cut(number, buffer) {
                    Some(next) => piece = next,
                    None => break,
                }
            }
            let joined = threads.into_iter().map(|(to, thread)| {
                drop(to);
                thread
                    .join()
                    .unwrap_or_else(|panic| panic::resume_unwind(panic))
            });
            joined.collect()
        })
    }

    /// A reader of what is in no piece.
    pub(in crate::input) fn rest(self) -> Result<RecordReader<'i>, ReadError> {
        let Ahead { buffer, length } = self.rest;
        let stream = Box::new(Failed(self.error).chain(self.stream));
        let window = LineBuffer::prefilled(buffer, length, stream);
        RecordReader::open(self.format, self.columns, window, self.options)
    }

    /// Cuts the next piece off, into a buffer to be used again; `None` where what follows is to be
    /// read as one.
    fn cut(&mut self, number: usize, buffer: Vec<u8>) -> Option<Piece> {
        let mut lines = std::mem::replace(&mut self.rest, Ahead { buffer, length: 0 });
        let length = self.read_on(&mut lines);
        let columns = self.columns.clone();
        let length = length.filter(|length| self.can_be_piece(&lines.buffer[..*length]));
        let Some(length) = length else {
            self.rest = lines;
            return None;
        };
        self.rest.add(&lines.buffer[length..lines.length]);
        lines.length = length;
        Some(Piece {
            number,
            lines,
            format: self.format.clone(),
            columns,
        })
    }

    /// Undoes the first cut.
    fn put_back(&mut self, piece: Piece) {
        self.columns = piece.columns;
        let rest = std::mem::replace(&mut self.rest, piece.lines);
        self.rest.add(&rest.buffer[..rest.length]);
    }

    /// Reads so much that it is worth a piece; the length of the whole lines in it.
    fn read_on(&mut self, lines: &mut Ahead) -> Option<usize> {
        let is_first = lines.buffer.is_empty();
        let more =
            (!is_first || self.read_as_much(lines, SMALL)) && self.read_as_much(lines, PIECE);
        let whole = memchr::memrchr(b'\n', &lines.buffer[..lines.length])?;
        more.then_some(whole + 1)
    }

    /// Whether there was as much.
    fn read_as_much(&mut self, lines: &mut Ahead, size: usize) -> bool {
        let filled = fill(&mut self.stream, lines.room(size));
        lines.length += filled.length;
        self.error = filled.error;
        filled.length == size
    }

    /// Whether these lines can be a piece. Reads the header row if they are the first of CSV.
    fn can_be_piece(&mut self, lines: &[u8]) -> bool {
        match self.format {
            DetectedFormat::Ndjson => true,
            DetectedFormat::Csv { delimiter } if memchr::memchr(b'"', lines).is_none() => {
                if self.columns.is_none() {
                    // What is wrong with a header is told by who reads the rest.
                    let window = LineBuffer::new(Box::new(lines));
                    let opened = CsvReader::open(window, self.options, delimiter);
                    let reader = opened.ok().flatten();
                    self.columns = reader.map(CsvReader::into_columns);
                }
                self.columns.is_some()
            }
            DetectedFormat::Csv { .. }
            | DetectedFormat::Blank
            | DetectedFormat::JsonArray { .. }
            | DetectedFormat::JsonRecord => false,
        }
    }
}

impl Piece {
    /// A reader of these records, which counts them and their lines from 1.
    pub(in crate::input) fn reader(
        self,
        options: &InputOptions,
    ) -> Result<RecordReader<'_>, ReadError> {
        let Ahead { buffer, length } = self.lines;
        let window = LineBuffer::prefilled(buffer, length, Box::new(io::empty()));
        RecordReader::open(self.format, self.columns, window, options)
    }

    pub(in crate::input) fn lines(&self) -> u64 {
        memchr::memchr_iter(b'\n', &self.lines.buffer[..self.lines.length]).count() as u64
    }
}

impl Ahead {
    /// Room behind what has been read.
    fn room(&mut self, size: usize) -> &mut [u8] {
        let end = self.length + size;
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        &mut self.buffer[self.length..end]
    }

    fn add(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).copy_from_slice(bytes);
        self.length += bytes.len();
    }
}

impl Share {
    /// Reads each piece; what that leaves is a buffer to be used again.
    pub(in crate::input) fn each(self, mut read: impl FnMut(Piece) -> Vec<u8>) {
        for piece in self.pieces {
            // Nobody takes it any more when the last piece has been cut off.
            let _ = self.empty.send(read(piece));
        }
    }
}

/// A stream that fails once, if at all.
struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::input::{Origin, ValidatedInput, ValidationRules, validate};

    const RECORDS: u64 = 60_000;

    /// Some megabytes of lines, some of them wrong, some blank.
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
            &[Origin::Memory(bytes)],
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

    /// What one reader finds wrong, and how many records it reads.
    fn in_one(text: &str, format: DetectedFormat) -> (Vec<String>, u64) {
        let options = InputOptions::default();
        let mut reader = RecordReader::open(
            format,
            None,
            LineBuffer::new(Box::new(text.as_bytes())),
            &options,
        )
        .expect("a header");
        let (mut problems, mut read) = (Vec::new(), 0);
        while let Some(record) = reader.next() {
            read += 1;
            if let Err(fault) = record {
                problems.push(format!("{:?} {:?}", fault.position, fault.kind));
            }
        }
        (problems, read)
    }

    #[test]
    fn what_several_threads_read_is_what_one_reads() {
        let json = |token: &str, time: &str| {
            format!("{{\"token\":\"{token}\",\"expire_time\":\"{time}\"}}\n")
        };
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
            let mut pieces = Pieces::new(format.clone(), Box::new(text.as_bytes()), &options);
            let cut = pieces.cut(0, Vec::new()).is_some() && pieces.cut(1, Vec::new()).is_some();
            assert!(cut, "it is large enough");
            let validated = validated(&text);
            let (expected, read) = in_one(&text, format);
            assert_eq!(problems(&validated), expected);
            assert_eq!(validated.counts.read, read);
            assert_eq!(validated.counts.invalid, expected.len() as u64);
        }
    }

    #[test]
    fn a_piece_that_is_put_back_is_read_with_the_rest() {
        let text = csv();
        let options = InputOptions::default();
        let format = DetectedFormat::Csv { delimiter: b',' };
        let mut pieces = Pieces::new(format.clone(), Box::new(text.as_bytes()), &options);
        let piece = pieces.cut(0, Vec::new()).expect("it is large enough");
        pieces.put_back(piece);
        let mut reader = pieces.rest().expect("a header");
        let read = std::iter::from_fn(|| reader.next().map(|_| ())).count();
        assert_eq!(read as u64, RECORDS);
    }

    #[test]
    fn duplicates_in_different_pieces_are_found() {
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
    fn a_stream_that_fails_does_so_behind_what_was_read() {
        let lines = "{\"token\":\"a\",\"expire_time\":1}\n".repeat(30_000);
        let broken = Failed(Some(io::Error::other("broken")));
        let stream = Box::new(io::Cursor::new(lines).chain(broken));
        let options = InputOptions::default();
        let format = DetectedFormat::Ndjson;
        let mut pieces = Pieces::new(format, stream, &options);
        let mut read = 0;
        let shares = pieces.share_out(|share| {
            let mut read = 0;
            share.each(|piece| {
                read += piece.lines();
                Vec::new()
            });
            read
        });
        read += shares.iter().sum::<u64>();
        let mut reader = pieces.rest().expect("no header");
        loop {
            match reader.next() {
                Some(Ok(_)) => read += 1,
                Some(Err(fault)) => {
                    assert!(fault.is_fatal, "{fault:?}");
                    break;
                }
                None => panic!("no failure"),
            }
        }
        assert_eq!(read, 30_000);
    }
}
