//! [`Outputs`]: the ledger, the rejects file and the progress bar of a push, which are updated
//! together.

use std::time::Duration;

use super::{
    ledger_output::{LedgerOutput, target_key},
    plan::{Destination, Plan},
    rejects_output::{RejectsOutput, wait_for_fifo_reader},
};
use crate::{
    batch::Batch,
    commands::reactor::{Reactor, TimeLimit},
    contract::Contract,
    delivery::{AttemptFailure, OutcomeSink, RemoteServer, SinkError, UnacknowledgedReason},
    diagnostics::{self, Failure},
    ledger::{self, KnownTimes},
    report::Summary,
    terminal::{ProgressBar, Terminal},
};

pub(super) struct Outputs {
    contract: Contract,
    ledger: Option<LedgerOutput>,
    rejects: Option<RejectsOutput>,
    terminal: Terminal,
    progress: ProgressBar,
    shows_progress: bool,
    /// The number of records to send. `None` before the records are selected.
    selected_records: Option<u64>,
    /// The number of selected records that were acknowledged or written to the rejects file.
    accounted_records: u64,
    /// The failure of the first output that could not be written.
    output_failure: Option<Failure>,
}

impl Outputs {
    /// Opens all outputs. This happens before the first request, so nothing is sent if an output
    /// cannot be opened.
    pub(super) fn open(
        plan: &Plan,
        server: &RemoteServer<'_>,
        time_limit: Option<TimeLimit>,
        reactor: &Reactor<'_>,
    ) -> Result<Self, Failure> {
        let writes = plan.dry_run.is_none();
        let rejects_path = plan.rejects_file.as_ref().filter(|_| writes);
        // The rejects file may be a FIFO. The write end `_fifo` stays open until this function
        // returns, after `RejectsOutput` has opened a second write end. If the FIFO had no writer
        // in between, its reader would find the end of the file.
        let _fifo = rejects_path
            .map(|path| wait_for_fifo_reader(path, time_limit, reactor))
            .transpose()?;
        let rejects = rejects_path
            .map(|path| RejectsOutput::open(path, &plan.input.options))
            .transpose();
        let writes_ledger = writes && matches!(plan.destination, Destination::Server(_));
        let ledger = plan.ledger.as_ref().filter(|_| writes_ledger);
        let ledger = ledger
            .map(|ledger| LedgerOutput::open(plan, ledger, server, time_limit, reactor))
            .transpose();
        Ok(Self {
            contract: server.contract.clone(),
            rejects: rejects?,
            ledger: ledger?,
            terminal: plan.terminal,
            progress: ProgressBar::hidden(),
            shows_progress: plan.shows_progress,
            selected_records: None,
            accounted_records: 0,
            output_failure: None,
        })
    }

    /// Returns the expiration times that the server acknowledged in earlier runs. Returns `None` if
    /// the push has no ledger or is a rehearsal.
    pub(super) fn known_times(
        &self,
        plan: &Plan,
        server: &RemoteServer<'_>,
    ) -> Result<Option<KnownTimes>, Failure> {
        let Some(ledger) = &plan.ledger else {
            return Ok(None);
        };
        match (&self.ledger, &plan.destination) {
            (Some(output), _) => output.known_times().map(Some),
            (None, Destination::Server(_)) => {
                ledger::read_known_times(&ledger.path, &target_key(server))
                    .map(Some)
                    .map_err(|error| diagnostics::ledger_unusable(&ledger.path, &error))
            }
            // The receiver of a rehearsal starts without records, so it has acknowledged nothing.
            (None, Destination::Rehearsal(_)) => Ok(None),
        }
    }

    /// Marks each ledger entry that this run will change as unconfirmed.
    pub(super) fn mark_unconfirmed(&mut self, known: &KnownTimes) -> Result<(), Failure> {
        match &mut self.ledger {
            Some(ledger) => ledger.mark_unconfirmed(known),
            None => Ok(()),
        }
    }

    /// Prepares the outputs for the outcomes of the selected records, whose number is `records`.
    pub(super) fn start(&mut self, records: u64) {
        self.selected_records = Some(records);
        if self.shows_progress && records > 0 {
            self.progress = self.terminal.progress_bar(records);
        }
        if let Some(ledger) = &mut self.ledger {
            ledger.start();
        }
    }

    /// Completes all outputs and returns the result of the push. If an output failed, its failure
    /// comes first, and the failure in `result` becomes a cause.
    pub(super) fn finish(
        mut self,
        mut result: Result<(), Failure>,
        summary: &Summary,
    ) -> Result<(), Failure> {
        self.progress.clear();
        let mut output_failure = self.output_failure.take();
        let mut stopped_ledger = None;
        if let Some(ledger) = self.ledger {
            match ledger.stop() {
                Ok(stopped) => stopped_ledger = Some(stopped),
                Err(failure) => output_failure = Some(failure),
            }
        }
        // If the push ended before it selected the records to send, the old rejects file is kept,
        // because the whole input must be pushed again anyway.
        if let (Some(rejects), Some(selected)) = (self.rejects, self.selected_records) {
            if self.accounted_records == selected {
                if let Err(failure) = rejects.finish() {
                    output_failure.get_or_insert(failure);
                }
            } else if output_failure.is_none() {
                // The new rejects file lacks some unacknowledged records. It must not replace
                // the old file, which may be the input of this push.
                result = result.map_err(|failure| {
                    failure.and(diagnostics::rejects_incomplete(rejects.path()))
                });
            }
        }
        if let Some(failure) = output_failure {
            result = add_as_cause(failure, result);
        }
        match stopped_ledger.map(|ledger| ledger.end_run(&result, summary)) {
            Some(Err(failure)) => add_as_cause(failure, result),
            Some(Ok(())) | None => result,
        }
    }
}

/// Returns `failure` as the error. If `result` contains a failure too, that failure is added as a
/// cause.
fn add_as_cause(failure: Failure, result: Result<(), Failure>) -> Result<(), Failure> {
    Err(match result {
        Ok(()) => failure,
        Err(second) => failure.and(second),
    })
}

impl OutcomeSink for Outputs {
    fn acknowledged(&mut self, batch: &Batch) -> Result<(), SinkError> {
        let records = batch.record_count;
        self.terminal.detail(2, || {
            format!(
                "{} acknowledged",
                diagnostics::count_noun(records, "record")
            )
        });
        self.progress.advance(records);
        self.accounted_records += records;
        match &self.ledger {
            Some(ledger) => ledger.acknowledge(batch.message.clone()),
            None => Ok(()),
        }
    }

    fn retrying(&mut self, failure: &AttemptFailure, delay: Duration) {
        let (failure_text, attempts) = match failure {
            AttemptFailure::Call { error, attempts } => (
                format!("a request: {}", diagnostics::summarize_call_error(error)),
                attempts,
            ),
            AttemptFailure::Connect { error, attempts } => {
                (diagnostics::connection_failed(error).message, attempts)
            }
        };
        let (next_attempt, seconds) = (attempts + 1, delay.as_secs_f64());
        self.terminal.detail(1, || {
            format!("{failure_text}; try {next_attempt} in {seconds:.3} s")
        });
    }

    fn unacknowledged(
        &mut self,
        batch: &Batch,
        why: &UnacknowledgedReason,
    ) -> Result<(), SinkError> {
        let records = batch.record_count;
        self.terminal.detail(2, || {
            format!(
                "{} {}",
                diagnostics::count_noun(records, "record"),
                diagnostics::describe_unacknowledged(why)
            )
        });
        self.progress.advance(records);
        let Some(rejects) = &mut self.rejects else {
            return Ok(());
        };
        if let Err(failure) = rejects.add(
            batch,
            &self.contract,
            &diagnostics::describe_unacknowledged(why),
        ) {
            self.output_failure.get_or_insert(failure);
            return Err(SinkError);
        }
        self.accounted_records += records;
        Ok(())
    }

    fn wants_unattempted(&self) -> bool {
        self.rejects.is_some() && self.output_failure.is_none()
    }
}
