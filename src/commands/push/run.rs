//! The steps of a push.

use std::{thread, time::Instant};

use super::{
    file_checks::refuse_shared_files,
    outputs::Outputs,
    plan::{Destination, Plan},
    selection::select,
    verdict::judge,
};
use crate::{
    batch::Batches,
    client::{StageSuccess, Target},
    commands::{
        contract::ReflectionContext,
        input::{RequestLimits, read_input},
        reactor::{Reactor, TimeLimit, listen_for_signals},
        rehearsal::Rehearsal,
    },
    contract::Contract,
    delivery::{self, DeliveryOutcome, DeliveryPolicy, RemoteServer, deliver},
    diagnostics::{self, Failure},
    input::{ReadLimits, ValidatedInput},
    report::{self, MetricsFile, Summary},
    signals::Signals,
};

/// Runs the command and returns the exit code.
pub(crate) fn run(plan: &Plan) -> u8 {
    let started = Instant::now();
    let mut summary = Summary::new(match &plan.destination {
        Destination::Server(connection) => Some(connection.endpoint.to_string()),
        Destination::Rehearsal(_) => Some("rehearsal".to_owned()),
    });
    let (metrics, failure) = match open_metrics(plan) {
        Ok(metrics) => (metrics, push(plan, started, &mut summary).err()),
        Err(failure) => (None, Some(failure)),
    };
    let mut summary = summary.finish(failure, started.elapsed());
    if let (None, Some(dry_run)) = (&summary.error, plan.dry_run) {
        summary.mark_dry_run(dry_run.has_detailed_exit_code);
    }
    let written = metrics.map(|metrics| metrics.write(&summary));
    if let (Some(Err(error)), Some(path)) = (written, &plan.metrics_file) {
        let output_failure = diagnostics::file_write_failed(path, &error);
        let failure = match summary.error.take() {
            Some(failure) => output_failure.and(failure),
            None => output_failure,
        };
        summary = summary.finish(Some(failure), started.elapsed());
    }
    plan.terminal.print_summary(&summary)
}

fn open_metrics(plan: &Plan) -> Result<Option<MetricsFile>, Failure> {
    refuse_shared_files(plan)?;
    let path = plan.metrics_file.as_deref();
    path.filter(|_| plan.dry_run.is_none())
        .map(|path| {
            MetricsFile::open(path).map_err(|error| diagnostics::file_write_failed(path, &error))
        })
        .transpose()
}

fn push(plan: &Plan, started: Instant, summary: &mut Summary) -> Result<(), Failure> {
    let time_limit = plan
        .max_time
        .map(|max_time| TimeLimit::new(started, max_time));
    let (target, rehearsal) = match &plan.destination {
        Destination::Server(connection) => (connection.target(plan.timeouts)?, None),
        Destination::Rehearsal(_) => {
            let rehearsal = Rehearsal::start()?;
            summary.server = Some(rehearsal.endpoint.to_string());
            (rehearsal.target(plan.timeouts), Some(rehearsal))
        }
    };
    let signals = &listen_for_signals()?;
    let on_stage = |outcome| {
        plan.terminal
            .detail(1, || report::describe_stage(&outcome, &target));
    };
    let contract = load_contract(plan, &target, signals, time_limit, &on_stage)?;
    let request_limits = RequestLimits {
        contract: &contract,
        max_bytes: plan.batch_limits.max_bytes,
    };
    let mut input = read_input(
        &plan.input,
        Some(request_limits),
        time_limit,
        signals,
        summary,
        plan.terminal,
    )?;
    let reactor = Reactor::new(signals)?;
    // The receiver of a rehearsal implements only the built-in contract. The validation has already
    // refused the records that the contract of the real server cannot hold.
    let contract = match rehearsal {
        Some(_) => Contract::built_in(),
        None => contract,
    };
    let server = RemoteServer {
        target: &target,
        contract: &contract,
        on_stage: &on_stage,
    };
    let result = push_validated(plan, &server, time_limit, reactor, &mut input, summary);
    match rehearsal {
        Some(rehearsal) if result.is_ok() && plan.dry_run.is_none() => {
            match (rehearsal.verify(&mut input), signals.received()) {
                (Err(_), Some(signal)) => Err(diagnostics::command_interrupted(signal)),
                (verified, _) => verified,
            }
        }
        _ => result,
    }
}

/// Selects, sends and judges the records of a validated input.
fn push_validated(
    plan: &Plan,
    server: &RemoteServer<'_>,
    time_limit: Option<TimeLimit>,
    reactor: Reactor<'_>,
    input: &mut ValidatedInput,
    summary: &mut Summary,
) -> Result<(), Failure> {
    let mut outputs = Outputs::open(plan, server, time_limit, &reactor)?;
    let selection = select(plan, server, &mut outputs, input);
    let selection = match reactor.signals.received() {
        Some(signal) => Err(diagnostics::command_interrupted(signal)),
        None => selection,
    };
    // From here on, the input is read even after a signal or the time limit. The delivery reacts to
    // the signal and to the time limit itself, and may then have to read the remaining records for
    // the rejects file.
    input.set_read_limits(&ReadLimits::default());
    let result = selection.and_then(|selection| {
        summary.add_selection(selection.unchanged, selection.other_shard);
        outputs.start(selection.selected);
        if plan.dry_run.is_some() || selection.selected == 0 {
            return Ok(());
        }
        let outcome = send(plan, server, time_limit, &reactor, input, &mut outputs)?;
        summary.add_delivery(&outcome);
        let server = server.target.endpoint.to_string();
        judge(outcome, selection.selected, plan, &server, input)
    });
    // A DNS lookup without an answer blocks a thread of the runtime. `shutdown_background` does not
    // wait for this thread, so the command can end.
    reactor.runtime.shutdown_background();
    outputs.finish(result, summary)
}

fn load_contract(
    plan: &Plan,
    target: &Target,
    signals: &Signals,
    time_limit: Option<TimeLimit>,
    on_stage: &dyn Fn(StageSuccess),
) -> Result<Contract, Failure> {
    match &plan.destination {
        Destination::Server(connection) => {
            let context = ReflectionContext {
                target,
                policy: &plan.policy,
                signals,
                time_limit,
                on_stage,
            };
            connection.contract.load(Some(&context), plan.terminal)
        }
        Destination::Rehearsal(contract) => contract.load(None, plan.terminal),
    }
}

/// Connects to the server and sends every selected record. The current thread reads and encodes the
/// first batch. A separate thread reads and encodes all later batches while requests are sent.
fn send(
    plan: &Plan,
    server: &RemoteServer<'_>,
    time_limit: Option<TimeLimit>,
    reactor: &Reactor<'_>,
    input: &mut ValidatedInput,
    outputs: &mut Outputs,
) -> Result<DeliveryOutcome, Failure> {
    let policy = DeliveryPolicy {
        deadline: time_limit.map(|limit| limit.deadline.into()),
        ok_codes: plan.policy.ok_codes.clone(),
        ..plan.policy
    };
    let contract = server.contract;
    let (sender, mut requests) = delivery::batch_channel();
    thread::scope(|threads| {
        let mut batches = Batches::new(input.records(), contract, plan.batch_limits);
        if delivery::send_next_batch(&mut batches, &sender) {
            thread::Builder::new()
                .spawn_scoped(threads, move || {
                    while delivery::send_next_batch(&mut batches, &sender) {}
                })
                .map_err(|error| Failure::internal("no thread can be started", &error))?;
        } else {
            // The delivery waits for more batches as long as a sender exists, so the sender must be
            // dropped after the last batch.
            drop(sender);
        }
        reactor.runtime.block_on(async {
            let signals = reactor.signals;
            let outcome = deliver(&mut requests, server, &policy, contract, signals, outputs).await;
            // The receiver must be dropped here. The reading thread may be waiting to send a batch
            // and ends only when the receiver is dropped, and the scope waits for the thread.
            drop(requests);
            Ok(outcome)
        })
    })
}
