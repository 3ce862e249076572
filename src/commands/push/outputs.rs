//! What a push writes down: the ledger, the rejects, and how far it is.

use std::{
    cell::Cell,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::mpsc::{self, SyncSender},
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use rustix::{fs::OFlags, io::Errno};

use super::{Destination, Listener, Plan};
use crate::{
    batch::Batch,
    client::Target,
    contract::{Contract, DecodedRecord},
    delivery::{AttemptFailure, OutcomeSink, SinkError, UnacknowledgedReason},
    diagnostics::{self, Failure},
    input::Origin,
    ledger::{self, KnownTimes, LedgerError, LedgerWriter, RunEnd, RunStart, TargetKey},
    rejects::RejectsFile,
    report::{Status, Summary},
    terminal::{ProgressBar, Terminal},
};

/// The outputs of one push, opened before anything is sent.
pub(super) struct Outputs {
    contract: Contract,
    ledger: Option<(PathBuf, Writer)>,
    rejects: Option<(PathBuf, RejectsFile)>,
    terminal: Terminal,
    progress: ProgressBar,
    progress_is_wanted: bool,
    /// How many records were selected; `None` before that.
    selected: Option<u64>,
    /// Those of them of which it is known what became of them.
    accounted: u64,
    /// The first output that could not be written.
    broken: Option<Failure>,
}

/// Refuses a file that is to be two outputs: the later would take the other's place.
pub(super) fn distinct(plan: &Plan) -> Result<(), Failure> {
    let named = [
        ("--rejects", plan.rejects.as_deref()),
        ("--metrics-file", plan.metrics.as_deref()),
        (
            "--ledger",
            plan.ledger.as_ref().map(|ledger| ledger.path.as_path()),
        ),
    ];
    for (index, (flag, path)) in named.iter().enumerate() {
        for (other_flag, other) in &named[index + 1..] {
            if let (Some(path), Some(other)) = (path, other)
                && are_one_file(path, other)
            {
                return Err(Failure::usage(format!(
                    "{flag} and {other_flag} name the same file"
                )));
            }
        }
    }
    let inputs = plan.input.origins.iter().filter_map(|origin| match origin {
        Origin::File(path) => Some(path),
        Origin::Stdin | Origin::Memory(_) => None,
    });
    for input in inputs {
        if plan
            .metrics
            .as_deref()
            .is_some_and(|path| are_one_file(path, input))
        {
            return Err(Failure::usage(format!(
                "--metrics-file names the input {}",
                input.display()
            )));
        }
    }
    Ok(())
}

/// Pipes and devices take what comes from anywhere.
fn are_one_file(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        let name = path.file_name()?;
        let folder = path.parent().filter(|one| !one.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
        // What a link leads to need not be there yet.
        let file = folder.join(name);
        match file.read_link() {
            Ok(to) => Some(file.canonicalize().unwrap_or_else(|_| folder.join(to))),
            Err(_) => Some(file),
        }
    };
    let is_special = |path: &Path| path.metadata().is_ok_and(|about| !about.is_file());
    !is_special(one) && place(one).is_some_and(|place_of_one| place(other) == Some(place_of_one))
}

impl Outputs {
    pub(super) fn open(
        plan: &Plan,
        started: Instant,
        target: &Target,
        contract: &Contract,
        listener: &Listener<'_>,
    ) -> Result<Self, Failure> {
        let writes = plan.dry_run.is_none();
        let deadline = plan.max_time.map(|limit| started + limit);
        let rejects = plan.rejects.as_ref().filter(|_| writes);
        // As long as this is open, whoever reads the other end has not come to its end.
        let _writer = rejects
            .map(|path| fifo_with_reader(path, deadline, listener))
            .transpose()?;
        let rejects = rejects.map(|path| {
            let options = &plan.input.options;
            let unit = options.time_rules.unit;
            let rejects = RejectsFile::open(path, options.token_encoding, unit);
            rejects
                .map(|rejects| (path.clone(), rejects))
                .map_err(|error| diagnostics::file_write_failed(path, &error))
        });
        let keeps = writes && matches!(plan.destination, Destination::Server(_));
        let ledger = plan.ledger.as_ref().filter(|_| keeps).map(|ledger| {
            let target = target_of(target, contract);
            // The wait is a part of the whole run.
            let left = plan.max_time.map_or(Duration::MAX, |limit| {
                limit.saturating_sub(started.elapsed())
            });
            let patience = ledger.lock_timeout.min(left);
            let signal = Cell::new(None);
            let open = || {
                let mut opened = LedgerWriter::open(&ledger.path, &target, patience, &|time| {
                    signal.set(listener.pause(time));
                    signal.get().is_none()
                })?;
                opened.begin_run(&run(plan))?;
                Ok(opened)
            };
            open()
                .map(|opened| (ledger.path.clone(), Writer::new(opened, contract.clone())))
                .map_err(|error| match signal.get() {
                    Some(signal) => diagnostics::command_interrupted(signal),
                    None => diagnostics::ledger_unusable(&ledger.path, &error),
                })
        });
        Ok(Self {
            contract: contract.clone(),
            rejects: rejects.transpose()?,
            ledger: ledger.transpose()?,
            terminal: plan.terminal,
            progress: ProgressBar::hidden(),
            progress_is_wanted: plan.progress,
            selected: None,
            accounted: 0,
            broken: None,
        })
    }

    /// What the server acknowledged before; `None` without a ledger.
    pub(super) fn known(
        &mut self,
        plan: &Plan,
        target: &Target,
        contract: &Contract,
    ) -> Result<Option<KnownTimes>, Failure> {
        let Some(ledger) = &plan.ledger else {
            return Ok(None);
        };
        let known = match (&mut self.ledger, &plan.destination) {
            (Some((_, writer)), _) => writer.known(),
            (None, Destination::Server(_)) => {
                ledger::read_known_times(&ledger.path, &target_of(target, contract))
            }
            // A rehearsal is of all records, and nothing is known of its receiver.
            (None, Destination::Rehearsal(_)) => return Ok(None),
        };
        known
            .map(Some)
            .map_err(|error| diagnostics::ledger_unusable(&ledger.path, &error))
    }

    /// Notes in the ledger what is no longer sure once it is sent.
    pub(super) fn doubt(&mut self, known: &KnownTimes) -> Result<(), Failure> {
        match &mut self.ledger {
            Some((path, Writer::Idle(ledger, _))) => ledger
                .mark_unconfirmed(known)
                .map_err(|error| diagnostics::ledger_unusable(path, &error)),
            _ => Ok(()),
        }
    }

    /// Records were selected, and so many are about to be sent.
    pub(super) fn start(&mut self, plan: &Plan, sends: u64) {
        self.selected = Some(sends);
        if self.progress_is_wanted && sends > 0 {
            self.progress = plan.terminal.progress_bar(sends);
        }
        if let Some((_, writer)) = &mut self.ledger {
            writer.start();
        }
    }

    /// Ends all outputs; one that failed counts for more than whatever else went wrong.
    pub(super) fn finish(
        mut self,
        result: Result<(), Failure>,
        summary: &Summary,
    ) -> Result<(), Failure> {
        self.progress.clear();
        let mut broken = self.broken.take();
        let mut ledger = None;
        if let Some((path, writer)) = self.ledger {
            match writer.stop() {
                Ok(kept) => ledger = Some((path, kept)),
                Err(error) => broken = Some(diagnostics::ledger_unusable(&path, &error)),
            }
        }
        let mut result = result;
        // Before records were selected, the input itself is what is to be pushed again.
        if let (Some((path, rejects)), Some(selected)) = (self.rejects, self.selected) {
            if self.accounted == selected {
                if let Err(error) = rejects.finish() {
                    broken.get_or_insert(diagnostics::file_write_failed(&path, &error));
                }
            } else if broken.is_none() {
                // The file may be the input, and a part of it must not take its place.
                result =
                    result.map_err(|failure| failure.and(diagnostics::rejects_incomplete(&path)));
            }
        }
        let result = match (broken, result) {
            (None, result) => result,
            (Some(broken), Ok(())) => Err(broken),
            (Some(broken), Err(failure)) => Err(broken.and(failure)),
        };
        let Some((path, mut ledger)) = ledger else {
            return result;
        };
        let ended = ledger.end_run(&run_end(&result, summary));
        match ended {
            Ok(()) => result,
            Err(error) => {
                let broken = diagnostics::ledger_unusable(&path, &error);
                Err(match result {
                    Ok(()) => broken,
                    Err(failure) => broken.and(failure),
                })
            }
        }
    }
}

impl OutcomeSink for Outputs {
    fn acknowledged(&mut self, batch: &Batch) -> Result<(), SinkError> {
        let records = batch.records;
        self.terminal.detail(2, || {
            format!(
                "{} acknowledged",
                diagnostics::count_noun(records, "record")
            )
        });
        self.progress.advance(batch.records);
        self.accounted += batch.records;
        match &self.ledger {
            // Why it failed is told at the end.
            Some((_, writer)) => writer.acknowledged(batch.message.clone()),
            None => Ok(()),
        }
    }

    fn retrying(&mut self, failure: &AttemptFailure, delay: Duration) {
        let (what, attempts) = match failure {
            AttemptFailure::Call { error, attempts } => (
                format!("a request: {}", diagnostics::summarize_call_error(error)),
                attempts,
            ),
            AttemptFailure::Connect { error, attempts } => {
                (diagnostics::connection_failed(error).message, attempts)
            }
        };
        let (next, wait) = (attempts + 1, delay.as_secs_f64());
        self.terminal
            .detail(1, || format!("{what}; try {next} in {wait:.3} s"));
    }

    fn unacknowledged(
        &mut self,
        batch: &Batch,
        why: &UnacknowledgedReason,
    ) -> Result<(), SinkError> {
        let records = batch.records;
        self.terminal.detail(2, || {
            format!(
                "{} {}",
                diagnostics::count_noun(records, "record"),
                diagnostics::describe_unacknowledged(why)
            )
        });
        self.progress.advance(batch.records);
        let Some((path, rejects)) = &mut self.rejects else {
            return Ok(());
        };
        let reason = diagnostics::describe_unacknowledged(why);
        for record in self.contract.split_records(&batch.message) {
            let Some(DecodedRecord { token, expire_time }) = self.contract.decode_record(&record)
            else {
                continue;
            };
            if let Err(error) = rejects.add(token, expire_time, &reason) {
                let failure = diagnostics::file_write_failed(path, &error);
                self.broken.get_or_insert(failure);
                return Err(SinkError);
            }
        }
        self.accounted += batch.records;
        Ok(())
    }

    fn wants_unattempted(&self) -> bool {
        self.rejects.is_some() && self.broken.is_none()
    }
}

/// Opens a FIFO once somebody reads it, which may be never; `None` where it is none.
fn fifo_with_reader(
    path: &Path,
    deadline: Option<Instant>,
    listener: &Listener<'_>,
) -> Result<Option<File>, Failure> {
    const AGAIN: Duration = Duration::from_millis(20);
    let is_fifo = |about: fs::Metadata| about.file_type().is_fifo();
    if !path.metadata().is_ok_and(is_fifo) {
        return Ok(None);
    }
    let failed = |error| diagnostics::file_write_failed(path, &error);
    let at_once = OFlags::NONBLOCK.bits().cast_signed();
    loop {
        let mut options = OpenOptions::new();
        match options.write(true).custom_flags(at_once).open(path) {
            Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {}
            opened => return opened.map(Some).map_err(failed),
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            let words = "nobody had opened it to read when --max-time had passed";
            return Err(failed(io::Error::other(words)));
        }
        if let Some(signal) = listener.pause(AGAIN) {
            return Err(diagnostics::command_interrupted(signal));
        }
    }
}

fn target_of(target: &Target, contract: &Contract) -> TargetKey {
    TargetKey {
        authority: target.authority.to_string(),
        method: contract.path.to_string(),
    }
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

fn run(plan: &Plan) -> RunStart {
    let names: Vec<_> = plan
        .input
        .origins
        .iter()
        .map(|one| one.name().to_string())
        .collect();
    RunStart {
        started: now(),
        input: names.join(", "),
    }
}

fn run_end(result: &Result<(), Failure>, summary: &Summary) -> RunEnd {
    let records = &summary.records;
    RunEnd {
        ended: now(),
        read: records.read,
        unchanged: records.unchanged,
        acknowledged: records.acknowledged,
        rejected: records.rejected,
        unsent: records.unsent,
        status: Status::of_result(result).as_str(),
        exit_code: result
            .as_ref()
            .map_or_else(|failure| failure.exit_code, |()| 0),
    }
}

/// Writes to the ledger in a thread of its own, so that the network does not wait for the disk.
enum Writer {
    Idle(Box<LedgerWriter>, Contract),
    Running {
        requests: SyncSender<Bytes>,
        thread: JoinHandle<Result<LedgerWriter, LedgerError>>,
    },
    /// Between the two.
    Gone,
}

/// Acknowledged requests that wait to be written; whoever brings more waits too.
const WAITING: usize = 16;

impl Writer {
    fn new(ledger: LedgerWriter, contract: Contract) -> Self {
        Self::Idle(Box::new(ledger), contract)
    }

    fn known(&self) -> Result<KnownTimes, LedgerError> {
        match self {
            Self::Idle(ledger, _) => ledger.known_times(),
            Self::Running { .. } | Self::Gone => Ok(KnownTimes::nothing()),
        }
    }

    fn start(&mut self) {
        let Self::Idle(mut ledger, contract) = std::mem::replace(self, Self::Gone) else {
            return;
        };
        let (requests, waiting) = mpsc::sync_channel::<Bytes>(WAITING);
        let thread = thread::spawn(move || {
            for message in waiting {
                let records: Vec<_> = contract.split_records(&message).collect();
                let decoded = records
                    .iter()
                    .filter_map(|record| contract.decode_record(record));
                ledger.acknowledge(decoded)?;
            }
            Ok(*ledger)
        });
        *self = Self::Running { requests, thread };
    }

    /// Hands a request on. When the thread has ended, it has failed.
    fn acknowledged(&self, message: Bytes) -> Result<(), SinkError> {
        match self {
            Self::Running { requests, .. } => requests.send(message).map_err(|_| SinkError),
            Self::Idle(..) | Self::Gone => Err(SinkError),
        }
    }

    /// Waits until everything is written.
    fn stop(self) -> Result<LedgerWriter, LedgerError> {
        match self {
            Self::Idle(ledger, _) => Ok(*ledger),
            Self::Running { requests, thread } => {
                drop(requests);
                thread.join().unwrap_or(Err(LedgerError::WriterPanicked))
            }
            Self::Gone => Err(LedgerError::WriterPanicked),
        }
    }
}
