//! Chunks of an input, which several threads read in parallel.
//!
//! A chunk is a part of an input that consists of whole lines. The rest is the part of an input
//! that is in no chunk. One thread reads the rest.
//!
//! NDJSON is split into chunks at line feeds. CSV is split only up to the first chunk that would
//! contain a quote, because a line feed inside quotes does not end a row. All other formats have no
//! chunks.

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

/// The number of new bytes in each chunk, after the incomplete last line of the chunk before it. A
/// smaller input is not split into chunks for several threads, because one thread reads it faster.
const CHUNK_BYTES: usize = bytes::BLOCK_BYTES;

/// The number of bytes to read before memory for a whole chunk is allocated. An input with fewer
/// bytes needs no memory for a chunk.
const FIRST_READ_BYTES: usize = 8 << 10;

/// The maximum number of chunks in the queue of one thread.
const MAX_WAITING_CHUNKS: usize = 2;

/// An input that is split into chunks and a rest.
pub(in crate::input) struct ChunkReader<'i> {
    format: DetectedFormat,
    /// The columns of CSV, or `None` before the header row has been read.
    columns: Option<Columns>,
    options: &'i InputOptions,
    stream: Box<dyn Read + Send + 'i>,
    /// The bytes that have been read from the stream and are in no chunk yet.
    unread: FilledBuffer,
    /// The error that occurred after the bytes in `unread` had been read.
    error: Option<io::Error>,
}

/// A part of an input that consists of whole lines.
pub(in crate::input) struct Chunk {
    /// The number of the chunk in its input, counted from 0.
    pub(in crate::input) number: usize,
    lines: FilledBuffer,
    format: DetectedFormat,
    /// The columns of CSV. `None` for a chunk of NDJSON, and for the first chunk of CSV, which
    /// starts with the header row, if there is a header row.
    columns: Option<Columns>,
}

/// A buffer whose first `length` bytes have been filled.
#[derive(Default)]
struct FilledBuffer {
    bytes: Vec<u8>,
    length: usize,
}

/// The chunks that one thread reads, in the order of the input.
pub(in crate::input) struct ChunkQueue {
    chunks: mpsc::Receiver<Chunk>,
    used_buffers: mpsc::Sender<Vec<u8>>,
}

/// A thread that reads chunks.
struct Worker<'scope, T> {
    chunks: mpsc::SyncSender<Chunk>,
    thread: thread::ScopedJoinHandle<'scope, T>,
}

impl<'i> ChunkReader<'i> {
    /// Opens an input at its start.
    ///
    /// # Errors
    ///
    /// A fatal error if the format cannot be detected, or the input cannot be opened.
    pub(in crate::input) fn open(
        input: &'i mut InputFile,
        options: &'i InputOptions,
    ) -> Result<Self, ReadError> {
        let format = input.detect_format(options)?;
        Ok(Self::new(format, input.text_reader()?, options))
    }

    /// Returns a reader that splits `stream`, which must not start with a byte order mark.
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
            unread: FilledBuffer::default(),
            error: None,
        }
    }

    /// Runs `read` in several threads, each with a queue of chunks, and returns the result of each
    /// thread.
    ///
    /// Starts no thread if the input has no chunk, if there is only one processor, or if the
    /// operating system cannot start a thread. Without threads, the rest is the whole input.
    pub(in crate::input) fn read_in_threads<T: Send>(
        &mut self,
        read: impl Fn(ChunkQueue) -> T + Sync,
    ) -> Vec<T> {
        let Some(first_chunk) = self.next_chunk(0, Vec::new()) else {
            return Vec::new();
        };
        let count = thread::available_parallelism().map_or(1, usize::from);
        if count == 1 {
            self.put_back_first(first_chunk);
            return Vec::new();
        }
        let (used_buffers, reusable_buffers) = mpsc::channel();
        thread::scope(|threads| {
            let workers: Vec<_> = (0..count)
                .map_while(|_| {
                    let (to_worker, chunks) = mpsc::sync_channel(MAX_WAITING_CHUNKS);
                    let queue = ChunkQueue {
                        chunks,
                        used_buffers: used_buffers.clone(),
                    };
                    let read = &read;
                    let thread = thread::Builder::new().spawn_scoped(threads, move || read(queue));
                    Some(Worker {
                        chunks: to_worker,
                        thread: thread.ok()?,
                    })
                })
                .collect();
            if workers.is_empty() {
                self.put_back_first(first_chunk);
                return Vec::new();
            }
            let mut chunk = first_chunk;
            for number in 1.. {
                let worker = &workers[chunk.number % workers.len()];
                // `send` returns an error only if the thread has panicked. Joining the thread below
                // reports the panic.
                if worker.chunks.send(chunk).is_err() {
                    break;
                }
                let buffer = reusable_buffers.try_recv().unwrap_or_default();
                match self.next_chunk(number, buffer) {
                    Some(next) => chunk = next,
                    None => break,
                }
            }
            let results = workers.into_iter().map(|worker| {
                drop(worker.chunks);
                let result = worker.thread.join();
                result.unwrap_or_else(|panic| panic::resume_unwind(panic))
            });
            results.collect()
        })
    }

    /// Returns a reader of the records in the rest of the input.
    ///
    /// # Errors
    ///
    /// A fatal error if the header row cannot be read or does not name the wanted columns.
    pub(in crate::input) fn into_rest(self) -> Result<RecordReader<'i>, ReadError> {
        let FilledBuffer { bytes, length } = self.unread;
        let stream = Box::new(FailingOnce(self.error).chain(self.stream));
        let buffer = LineBuffer::prefilled(bytes, length, stream);
        RecordReader::open(self.format, self.columns, buffer, self.options)
    }

    /// Reads the next chunk. The incomplete line after the chunk goes into `buffer`, which may be
    /// the memory of an earlier chunk. Returns `None` if only the rest is left.
    fn next_chunk(&mut self, number: usize, buffer: Vec<u8>) -> Option<Chunk> {
        let empty = FilledBuffer {
            bytes: buffer,
            length: 0,
        };
        let mut lines = std::mem::replace(&mut self.unread, empty);
        let length = self.fill_lines(&mut lines);
        let columns = self.columns.clone();
        let length = length.filter(|length| self.can_be_chunk(&lines.bytes[..*length]));
        let Some(length) = length else {
            self.unread = lines;
            return None;
        };
        self.unread.append(&lines.bytes[length..lines.length]);
        lines.length = length;
        Some(Chunk {
            number,
            lines,
            format: self.format.clone(),
            columns,
        })
    }

    /// Puts the first chunk back into the rest. Also restores the columns, because the reader of
    /// the rest has to read the header row again.
    fn put_back_first(&mut self, chunk: Chunk) {
        self.columns = chunk.columns;
        let behind = std::mem::replace(&mut self.unread, chunk.lines);
        self.unread.append(&behind.bytes[..behind.length]);
    }

    /// Appends the bytes of a chunk to `lines`, and returns the length up to the last line feed in
    /// `lines`. Returns `None` if the stream ends before the chunk is full, or if `lines` has no
    /// line feed.
    fn fill_lines(&mut self, lines: &mut FilledBuffer) -> Option<usize> {
        let is_first = lines.bytes.is_empty();
        let is_filled = (!is_first || self.read_exactly(lines, FIRST_READ_BYTES))
            && self.read_exactly(lines, CHUNK_BYTES);
        let last_line_feed = memchr::memrchr(b'\n', &lines.bytes[..lines.length])?;
        is_filled.then_some(last_line_feed + 1)
    }

    /// Appends `length` bytes to `lines`. Returns `false` if the stream ends or fails before all
    /// bytes have been read.
    fn read_exactly(&mut self, lines: &mut FilledBuffer, length: usize) -> bool {
        let filled = fill(&mut self.stream, lines.free_bytes(length));
        lines.length += filled.length;
        self.error = filled.error;
        filled.length == length
    }

    /// Returns whether `lines` can be a chunk. Reads the header row if `lines` are the first lines
    /// of CSV.
    fn can_be_chunk(&mut self, lines: &[u8]) -> bool {
        match self.format {
            DetectedFormat::Ndjson => true,
            DetectedFormat::Csv { delimiter } if memchr::memchr(b'"', lines).is_none() => {
                if self.columns.is_none() {
                    // With a wrong header row, the input has no chunks. The reader of the rest
                    // reports the error.
                    let buffer = LineBuffer::new(Box::new(lines));
                    let opened = CsvReader::open(buffer, self.options, delimiter);
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

impl Chunk {
    /// Returns a reader of the records in the chunk. Positions are relative to the start of the
    /// chunk.
    ///
    /// # Errors
    ///
    /// The same errors as [`RecordReader::open`].
    pub(in crate::input) fn into_reader(
        self,
        options: &InputOptions,
    ) -> Result<RecordReader<'_>, ReadError> {
        let FilledBuffer { bytes, length } = self.lines;
        let buffer = LineBuffer::prefilled(bytes, length, Box::new(io::empty()));
        RecordReader::open(self.format, self.columns, buffer, options)
    }

    pub(in crate::input) fn count_lines(&self) -> u64 {
        memchr::memchr_iter(b'\n', &self.lines.bytes[..self.lines.length]).count() as u64
    }
}

impl FilledBuffer {
    /// Returns the `length` bytes after the filled bytes. Extends a buffer that is too short.
    fn free_bytes(&mut self, length: usize) -> &mut [u8] {
        let end = self.length + length;
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        &mut self.bytes[self.length..end]
    }

    fn append(&mut self, bytes: &[u8]) {
        self.free_bytes(bytes.len()).copy_from_slice(bytes);
        self.length += bytes.len();
    }
}

impl ChunkQueue {
    /// Passes each chunk to `read`, which returns a buffer for reuse by a later chunk.
    pub(in crate::input) fn for_each(self, mut read: impl FnMut(Chunk) -> Vec<u8>) {
        for chunk in self.chunks {
            // After the last chunk, no buffer is needed any more, so a send error does not matter.
            let _ = self.used_buffers.send(read(chunk));
        }
    }
}

/// A stream without bytes. If the stream has an error, the first read returns the error.
struct FailingOnce(Option<io::Error>);

impl Read for FailingOnce {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

#[cfg(test)]
mod tests;
