//! Sends the selected records, and hands the outcome of each batch to the outputs.

use std::{thread, time::Duration};

use indicatif::ProgressBar;

use super::{context::Run, ledger::LedgerThread, outputs::Outputs, rejects::Rejects};
use crate::{
    batch::{Batch, Batches},
    client::LastAddress,
    commands::interrupts::block_on,
    contract::Contract,
    delivery::{
        self, AttemptFailure, DeliveryOutcome, OutcomeSink, RemoteServer, SinkError,
        UnacknowledgedReason,
    },
    diagnostics::{self, Failure, count_noun},
    input::{ReadLimits, ValidatedInput},
    report,
    signals::Signal,
    terminal::Terminal,
};

/// `selected` is the number of selected records.
pub(super) fn deliver(
    run: &mut Run<'_>,
    selected: u64,
    outputs: &mut Outputs<'_>,
    input: &mut ValidatedInput,
) -> Result<DeliveryOutcome, Failure> {
    if let Some(rejects) = &mut outputs.rejects {
        rejects.reserve(selected, input.counts.token_bytes)?;
        rejects.missing_records = Some(selected);
    }
    // The delivery itself reacts to a signal and to the deadline, and may then have to read the
    // remaining records for the rejects file.
    input.set_read_limits(&ReadLimits::default());
    if selected == 0 {
        return Ok(DeliveryOutcome::default());
    }
    let outcome = send(run, selected, outputs, input)?;
    run.summary.add_delivery(&outcome);
    Ok(outcome)
}

/// The current thread reads and encodes the first batch. A separate thread reads and encodes all
/// later batches while requests are sent.
fn send(
    run: &Run<'_>,
    selected: u64,
    outputs: &mut Outputs<'_>,
    input: &mut ValidatedInput,
) -> Result<DeliveryOutcome, Failure> {
    let (target, contract) = (&run.server.target, &run.server.contract);
    let terminal = run.plan.terminal;
    let server = RemoteServer {
        target,
        contract,
        on_stage: &|stage| terminal.detail(1, || report::format_stage(&stage, target)),
        last_address: LastAddress::default(),
    };
    let (sender, requests) = delivery::batch_channel();
    let Outputs {
        rejects, ledger, ..
    } = outputs;
    let (outcome, ledger_result) = thread::scope(|threads| {
        let ledger_thread = ledger
            .as_mut()
            .map(|ledger| ledger.start_thread(contract, threads))
            .transpose()?;
        let mut sink = Sink {
            contract,
            terminal,
            progress: terminal.progress_bar(selected, run.plan.shows_progress),
            rejects,
            ledger_thread,
        };
        let mut batches = Batches::new(input.records(), contract, run.plan.batch_limits);
        if delivery::send_next_batch(&mut batches, &sender) {
            thread::Builder::new()
                .spawn_scoped(threads, move || {
                    while delivery::send_next_batch(&mut batches, &sender) {}
                })
                .map_err(|error| diagnostics::thread_not_started(&error))?;
        } else {
            // The delivery waits for more batches as long as a sender exists.
            drop(sender);
        }
        let (policy, signals) = (&run.policy, &run.interrupts.signals);
        let outcome = block_on(delivery::deliver(
            requests, &server, policy, contract, signals, &mut sink,
        ))?;
        let ledger_result = sink.ledger_thread.map_or(Ok(()), LedgerThread::finish);
        Ok::<_, Failure>((outcome, ledger_result))
    })?;
    if let (Some(ledger), Err(error)) = (ledger, ledger_result) {
        ledger.error = Some(error);
    }
    Ok(outcome)
}

struct Sink<'s, 'p> {
    contract: &'s Contract,
    terminal: Terminal,
    progress: ProgressBar,
    ledger_thread: Option<LedgerThread<'s>>,
    rejects: &'s mut Option<Rejects<'p>>,
}

impl Sink<'_, '_> {
    fn show_outcome(&mut self, batch: &Batch, outcome: &str) {
        self.terminal.detail(2, || {
            format!("{} {outcome}", count_noun(batch.record_count, "record"))
        });
    }
}

impl OutcomeSink for Sink<'_, '_> {
    fn acknowledged(&mut self, batch: &Batch) -> Result<(), SinkError> {
        self.show_outcome(batch, "acknowledged");
        self.progress.inc(batch.record_count);
        if let Some(rejects) = self.rejects {
            rejects.account_for(batch);
        }
        match &self.ledger_thread {
            Some(thread) => thread.acknowledge(batch.message.clone()),
            None => Ok(()),
        }
    }

    fn retrying(&mut self, failure: &AttemptFailure, delay: Duration) {
        self.terminal.detail(1, || {
            let (error, number) = (&failure.error, failure.attempts);
            format!("{error}; retry {number} in {:.3}s", delay.as_secs_f64())
        });
    }

    fn unacknowledged(
        &mut self,
        batch: &Batch,
        why: &UnacknowledgedReason,
    ) -> Result<(), SinkError> {
        let reason = why.to_string();
        self.show_outcome(batch, &reason);
        if why.is_rejection() {
            self.progress.inc(batch.record_count);
        }
        match self.rejects {
            Some(rejects) => rejects.add(batch, self.contract, &reason),
            None => Ok(()),
        }
    }

    fn interrupted(&mut self, signal: Signal, open_requests: usize) {
        let note = diagnostics::describe_open_requests(signal, open_requests);
        self.progress.suspend(|| self.terminal.note(&note));
    }

    fn wants_unattempted(&self) -> bool {
        let rejects = self.rejects.as_ref();
        rejects.is_some_and(|rejects| rejects.error.is_none())
    }
}
