//! The first pass over each input. The first pass finds all problems except conflicting duplicates,
//! which are records with the same token and different expiration times.

use std::sync::Arc;

use super::{
    super::{
        bytes::InputSource,
        file::InputFile,
        options::InputOptions,
        position::{Located, PositionOffset},
        problem::ReadError,
        reader::RecordReader,
    },
    chunks::{ChunkQueue, ChunkReader},
    duplicates::TokenHashes,
    findings::{Findings, InputLabel},
    rules::ValidationRules,
};

/// The first pass over the inputs, or over the chunks that one thread reads.
pub(in crate::input) struct FirstPass<'r> {
    rules: &'r ValidationRules<'r>,
    pub(in crate::input) findings: Findings,
    pub(in crate::input) hashes: TokenHashes,
}

/// The result of one of the threads that read an input.
struct ThreadResult<'r> {
    /// The pass over the chunks of the thread. Each problem has the number of its chunk instead of
    /// an input index, and a position relative to the start of the chunk.
    reading: FirstPass<'r>,
    chunks: Vec<ChunkSize>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct ChunkSize {
    number: usize,
    records: u64,
    lines: u64,
}

impl<'r> FirstPass<'r> {
    pub(in crate::input) fn new(rules: &'r ValidationRules<'r>, hashes: TokenHashes) -> Self {
        Self {
            rules,
            findings: Findings::new(rules),
            hashes,
        }
    }

    /// Opens all inputs. An input that cannot be opened is counted as unreadable and not returned.
    pub(in crate::input) fn open_inputs(
        &mut self,
        sources: &[InputSource],
        options: &InputOptions,
    ) -> Vec<InputFile> {
        let mut inputs = Vec::new();
        for source in sources {
            match InputFile::open(source, options, &self.rules.read_limits) {
                Ok(input) => inputs.push(input),
                Err(kind) => {
                    let label = InputLabel {
                        name: &source.name(),
                        index: inputs.len(),
                    };
                    let error = ReadError::fatal(None, kind);
                    self.findings.add_unreadable_input(label, error);
                }
            }
        }
        inputs
    }

    /// Reads one input to its end, with several threads if the input has chunks.
    pub(in crate::input) fn read_input(
        &mut self,
        index: usize,
        input: &mut InputFile,
        options: &InputOptions,
    ) {
        let name = Arc::clone(&input.name);
        let label = InputLabel { name: &name, index };
        let unreadable_before = self.findings.counts.unreadable_inputs;
        match ChunkReader::open(input, options) {
            Ok(mut chunks) => {
                let results =
                    chunks.read_in_threads(|queue| self.read_chunks(queue, &name, options));
                self.findings.offset = self.add_results(results, index);
                match chunks.into_rest() {
                    Ok(mut reader) => self.read_records(label, &mut reader),
                    Err(error) => self.findings.add_unreadable_input(label, error),
                }
                self.findings.offset = PositionOffset::default();
            }
            Err(error) => self.findings.add_unreadable_input(label, error),
        }
        let findings = &self.findings;
        input.is_incomplete =
            findings.is_stopped || findings.counts.unreadable_inputs > unreadable_before;
    }

    /// Reads the chunks that one thread receives.
    fn read_chunks(
        &self,
        queue: ChunkQueue,
        name: &Arc<str>,
        options: &InputOptions,
    ) -> ThreadResult<'r> {
        let mut reading = FirstPass::new(self.rules, self.hashes.empty_with_same_key());
        let mut chunks = Vec::new();
        queue.for_each(|chunk| {
            let number = chunk.number;
            let lines = chunk.count_lines();
            let label = InputLabel {
                name,
                index: number,
            };
            let read_before = reading.findings.counts.read;
            let buffer = match chunk.into_reader(options) {
                Ok(mut reader) => {
                    reading.read_records(label, &mut reader);
                    reader.into_buffer()
                }
                Err(error) => {
                    reading.findings.add_unreadable_input(label, error);
                    Vec::new()
                }
            };
            chunks.push(ChunkSize {
                number,
                records: reading.findings.counts.read - read_before,
                lines,
            });
            buffer
        });
        ThreadResult { reading, chunks }
    }

    /// Adds the results of the threads that have read the chunks of one input. Returns the numbers of
    /// records and lines in these chunks, which is the offset of positions in the rest of the input.
    fn add_results(&mut self, results: Vec<ThreadResult<'_>>, input: usize) -> PositionOffset {
        let mut chunks: Vec<_> = results.iter().flat_map(|result| &result.chunks).collect();
        chunks.sort_unstable();
        let mut chunk_offsets = Vec::with_capacity(chunks.len());
        let mut offset = PositionOffset::default();
        for chunk in chunks {
            chunk_offsets.push(offset);
            offset.records += chunk.records;
            offset.lines += chunk.lines;
        }
        for ThreadResult { reading, .. } in results {
            let FirstPass {
                findings, hashes, ..
            } = reading;
            self.findings.counts.add_all(findings.counts);
            self.findings.expirations.add_all(&findings.expirations);
            self.hashes.add_all(hashes);
            for logged in findings.problems.into_sorted() {
                let problem = logged.problem.shifted(chunk_offsets[logged.input]);
                self.findings.problems.add(input, problem);
            }
        }
        offset
    }

    /// Reads all records to the end of the input or to a fatal error.
    fn read_records(&mut self, input: InputLabel<'_>, reader: &mut RecordReader<'_>) {
        while let Some(result) = reader.next() {
            match result {
                Ok(Located {
                    position,
                    value: ref record,
                }) => {
                    self.findings.counts.read += 1;
                    if let Some(kind) = self.rules.find_problem(record) {
                        self.findings.add_invalid_record(input, position, kind);
                        continue;
                    }
                    self.findings.expirations.add(record.expire_time);
                    self.hashes.add(record);
                }
                Err(error) => match error.position {
                    Some(position) if !error.is_fatal => {
                        self.findings.counts.read += 1;
                        let kind = *error.kind;
                        self.findings.add_invalid_record(input, position, kind);
                    }
                    _ => return self.findings.add_unreadable_input(input, error),
                },
            }
        }
    }
}
