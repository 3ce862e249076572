//! The first pass over each input, which finds all problems except conflicting duplicates.

use std::{
    panic,
    sync::{Arc, Mutex, mpsc},
    thread,
};

use super::{
    super::{
        bytes::InputSource,
        file::InputFile,
        options::InputOptions,
        position::{InputLabel, Located},
        problem::ReadError,
        reader::RecordReader,
    },
    duplicates::TokenHashes,
    findings::Findings,
    rules::ValidationRules,
};

const WAITING_CHUNKS: usize = 2;

pub(in crate::input) struct FirstPass<'r> {
    rules: &'r ValidationRules<'r>,
    pub(in crate::input) findings: Findings,
    pub(in crate::input) hashes: TokenHashes,
}

struct Chunk<'i> {
    number: usize,
    reader: RecordReader<'i>,
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
                self.read_records(&label, &mut reader);
                self.findings.records_before = 0;
            }
            Err(error) => self.findings.add_error(&label, error),
        }
        input.is_incomplete =
            self.findings.is_stopped || self.findings.counts.unreadable_inputs > unreadable_before;
        Some(input)
    }

    /// Starts no thread if there is no chunk.
    fn read_chunks<'i>(&mut self, label: &InputLabel, rest: &mut RecordReader<'i>) {
        let mut next = rest.split_off_chunk();
        if next.is_none() {
            return;
        }
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let (sender, receiver) = mpsc::sync_channel::<Chunk<'i>>(processors * WAITING_CHUNKS);
        let receiver = Arc::new(Mutex::new(receiver));
        let this = &*self;
        let found: Vec<ThreadFindings> = thread::scope(|scope| {
            let start = |_| {
                let receiver = Arc::clone(&receiver);
                let read = move || this.read_thread(label, &receiver);
                thread::Builder::new().spawn_scoped(scope, read).ok()
            };
            let threads: Vec<_> = (0..processors).map_while(start).collect();
            // If no thread can be started, this thread reads the first chunk.
            let receiver = threads.is_empty().then_some(receiver);
            for number in 0.. {
                let Some(reader) = next.take() else { break };
                // A send fails if all threads have panicked, which joining them reports.
                let is_sent = sender.send(Chunk { number, reader }).is_ok();
                if !is_sent || receiver.is_some() {
                    break;
                }
                next = rest.split_off_chunk();
            }
            drop(sender);
            if let Some(receiver) = receiver {
                return vec![this.read_thread(label, &receiver)];
            }
            let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
            joined
                .map(|joined| joined.unwrap_or_else(|panic| panic::resume_unwind(panic)))
                .collect()
        });
        let mut chunks = Vec::new();
        for thread in found {
            self.hashes.add_all(thread.hashes);
            chunks.extend(thread.chunks);
        }
        chunks.sort_unstable_by_key(|chunk| chunk.number);
        for chunk in chunks {
            self.findings.append(chunk.findings);
        }
    }

    fn read_thread(
        &self,
        label: &InputLabel,
        receiver: &Mutex<mpsc::Receiver<Chunk<'_>>>,
    ) -> ThreadFindings {
        let mut max_problems = self.rules.max_problems;
        let mut pass = FirstPass {
            rules: self.rules,
            findings: Findings::new(self.rules.now, max_problems),
            hashes: self.hashes.empty_with_same_seed(),
        };
        let mut chunks = Vec::new();
        loop {
            let received = receiver.lock().map(|receiver| receiver.recv());
            let Ok(Ok(Chunk { number, mut reader })) = received else {
                let hashes = pass.hashes;
                return ThreadFindings { chunks, hashes };
            };
            pass.read_records(label, &mut reader);
            // A thread receives its chunks in the order of the input, so a later chunk can add only
            // as many problems as the earlier ones have left.
            max_problems -= pass.findings.problem_count();
            let next = Findings::new(self.rules.now, max_problems);
            let findings = std::mem::replace(&mut pass.findings, next);
            chunks.push(ChunkFindings { number, findings });
        }
    }

    fn read_records(&mut self, input: &InputLabel, reader: &mut RecordReader<'_>) {
        while let Some(result) = reader.next() {
            match result {
                Ok(Located {
                    position,
                    value: ref record,
                }) => {
                    self.findings.counts.read += 1;
                    if let Some(kind) = self.rules.find_problem(record) {
                        let error = ReadError::in_record(position, kind);
                        self.findings.add_error(input, error);
                        continue;
                    }
                    self.findings.expirations.add(record.expire_time);
                    self.hashes.add(record);
                }
                Err(error) => {
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
