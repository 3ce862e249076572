//! The first pass over each input, which finds all problems except conflicting duplicates.

use std::{iter, panic, sync::Mutex, thread};

use super::{
    super::{
        bytes::InputSource,
        file::InputFile,
        options::InputOptions,
        position::{InputLabel, Located},
        problem::{ProblemKind, ReadError},
        reader::RecordReader,
    },
    findings::Findings,
    rules::ValidationRules,
    token_hashes::TokenHashes,
};
use crate::record::{SuspiciousToken, TokenEncoding};

pub(in crate::input) struct FirstPass<'r> {
    rules: &'r ValidationRules<'r>,
    pub(in crate::input) findings: Findings,
    pub(in crate::input) hashes: TokenHashes,
}

struct ChunkFindings {
    number: usize,
    findings: Findings,
}

struct ThreadFindings {
    chunks: Vec<ChunkFindings>,
    hashes: TokenHashes,
}

impl<'r> FirstPass<'r> {
    pub(in crate::input) fn new(rules: &'r ValidationRules<'r>) -> Self {
        Self {
            rules,
            findings: Findings::new(rules.now, rules.max_problems),
            hashes: TokenHashes::default(),
        }
    }

    pub(in crate::input) fn read_input(
        &mut self,
        index: usize,
        source: &InputSource,
        options: &InputOptions,
    ) -> Option<InputFile> {
        let label = InputLabel {
            index,
            name: source.name(),
        };
        let opened = InputFile::open(source, label.clone(), options, &self.rules.read_limits);
        let unreadable_before = self.findings.counts.unreadable_inputs;
        let mut input = match opened {
            Ok(input) => input,
            Err(error) => {
                self.findings.add_error(&label, error);
                return None;
            }
        };
        match input.records(options) {
            Ok(mut reader) => {
                self.read_chunks(&label, &mut reader);
                if self.findings.counts.unreadable_inputs == unreadable_before {
                    self.read_records(&label, &mut reader);
                }
                self.findings.records_before = 0;
            }
            Err(error) => self.findings.add_error(&label, error),
        }
        input.is_incomplete =
            self.findings.is_stopped || self.findings.counts.unreadable_inputs > unreadable_before;
        Some(input)
    }

    /// Starts no thread if there is no chunk.
    fn read_chunks(&mut self, label: &InputLabel, rest: &mut RecordReader<'_>) {
        let Some(first) = rest.split_off_chunk() else {
            return;
        };
        let others = iter::from_fn(|| rest.split_off_chunk()).fuse();
        let chunks = Mutex::new(iter::once(first).chain(others).enumerate());
        let this = &*self;
        let read = || this.read_thread(label, &chunks);
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let found: Vec<_> = thread::scope(|scope| {
            let start = |_| thread::Builder::new().spawn_scoped(scope, read).ok();
            let threads: Vec<_> = (1..processors).map_while(start).collect();
            let mut found = vec![read()];
            let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
            found.extend(
                joined.map(|joined| joined.unwrap_or_else(|panic| panic::resume_unwind(panic))),
            );
            found
        });
        let mut chunks = Vec::new();
        for thread in found {
            self.hashes.add_all(thread.hashes);
            chunks.extend(thread.chunks);
        }
        chunks.sort_unstable_by_key(|chunk| chunk.number);
        for chunk in chunks {
            let is_unreadable = chunk.findings.counts.unreadable_inputs > 0;
            self.findings.append(chunk.findings);
            // A fatal error ends the pass, although other threads have read later chunks.
            if is_unreadable {
                break;
            }
        }
    }

    fn read_thread<'i>(
        &self,
        label: &InputLabel,
        chunks: &Mutex<impl Iterator<Item = (usize, RecordReader<'i>)>>,
    ) -> ThreadFindings {
        let mut max_problems = self.rules.max_problems;
        let mut pass = FirstPass {
            rules: self.rules,
            findings: Findings::new(self.rules.now, max_problems),
            hashes: self.hashes.empty_with_same_seed(),
        };
        let mut found = Vec::new();
        // The lock is poisoned if another thread has panicked, which joining that thread reports.
        while let Ok(Some((number, mut reader))) = chunks.lock().map(|mut chunks| chunks.next()) {
            pass.read_records(label, &mut reader);
            // A thread takes its chunks in the order of the input, so a later chunk can add only as
            // many problems as the earlier ones have left.
            max_problems -= pass.findings.problem_count();
            let next = Findings::new(self.rules.now, max_problems);
            let findings = std::mem::replace(&mut pass.findings, next);
            found.push(ChunkFindings { number, findings });
        }
        ThreadFindings {
            chunks: found,
            hashes: pass.hashes,
        }
    }

    fn read_records(&mut self, input: &InputLabel, reader: &mut RecordReader<'_>) {
        let has_text_tokens = reader.token_encoding() == TokenEncoding::Utf8;
        loop {
            // This matches in place, because moving the record out of the result would take 5 % of
            // the time of `check`.
            match reader.next() {
                None => break,
                Some(Ok(Located {
                    position,
                    value: ref record,
                })) => {
                    self.findings.counts.read += 1;
                    if let Some(kind) = self.rules.find_problem(record) {
                        let error = ReadError::in_record(position, kind);
                        self.findings.add_error(input, error);
                        continue;
                    }
                    self.findings.counts.token_bytes += record.token.as_bytes().len() as u64;
                    if has_text_tokens
                        && let Some(found) = SuspiciousToken::find(record.token.as_bytes())
                    {
                        let kind = ProblemKind::SuspiciousToken(found);
                        let warning = ReadError::in_record(position, kind);
                        self.findings.add_warning(input, warning);
                    }
                    self.findings.expirations.add(record.expire_time);
                    self.hashes.add(record);
                }
                Some(Err(error)) => {
                    let is_fatal = error.is_fatal;
                    self.findings.counts.read += u64::from(!is_fatal);
                    self.findings.add_error(input, error);
                    if is_fatal {
                        break;
                    }
                }
            }
        }
    }
}
