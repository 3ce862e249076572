//! `push`: validates everything, then sends it and accounts for every record.

mod outputs;
mod selection;
mod verdict;

use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use tokio::runtime::{self, Runtime};

use self::outputs::Outputs;
pub(crate) use self::selection::{LedgerPlan, MaxChanges};
use super::{
    Connection, ContractPlan, InputPlan, Timeouts,
    contract::Asking,
    input::{self, RequestLimits},
    rehearsal::Rehearsal,
};
use crate::{
    batch::{BatchLimits, Batches},
    client::Target,
    contract::Contract,
    delivery::{self, DeliveryOutcome, DeliveryPolicy, RemoteServer, deliver},
    diagnostics::{self, Failure},
    input::{ReadLimits, ValidatedInput},
    report::{self, Metrics, Summary},
    shard::Shard,
    signals::{Signal, Signals},
    terminal::Terminal,
};

pub(crate) struct Plan {
    pub(crate) input: InputPlan,
    pub(crate) destination: Destination,
    pub(crate) timeouts: Timeouts,
    /// Of the whole run.
    pub(crate) max_time: Option<Duration>,
    pub(crate) limits: BatchLimits,
    /// Its deadline is [`Plan::max_time`]'s.
    pub(crate) policy: DeliveryPolicy,
    pub(crate) shard: Shard,
    pub(crate) ledger: Option<LedgerPlan>,
    pub(crate) rejects: Option<PathBuf>,
    pub(crate) metrics: Option<PathBuf>,
    pub(crate) dry_run: Option<DryRun>,
    /// Whether a terminal is shown how far it is.
    pub(crate) progress: bool,
    pub(crate) terminal: Terminal,
}

/// Where a push goes.
pub(crate) enum Destination {
    Server(Box<Connection>),
    /// To a receiver inside the process, for a server with this contract.
    Rehearsal(ContractPlan),
}

/// All but contacting the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DryRun {
    /// Whether the exit code says that something would be sent.
    pub(crate) detailed_exit_code: bool,
}

pub(crate) fn run(plan: &Plan) -> u8 {
    let started = Instant::now();
    let mut summary = Summary::new(match &plan.destination {
        Destination::Server(connection) => Some(connection.endpoint.to_string()),
        Destination::Rehearsal(_) => Some("rehearsal".to_owned()),
    });
    let metrics = plan.metrics.as_deref().filter(|_| plan.dry_run.is_none());
    let metrics = outputs::distinct(plan).and_then(|()| {
        let open = |path| {
            Metrics::open(path).map_err(|error| diagnostics::file_write_failed(path, &error))
        };
        metrics.map(open).transpose()
    });
    let (metrics, failure) = match metrics {
        Ok(metrics) => (metrics, push(plan, started, &mut summary).err()),
        Err(failure) => (None, Some(failure)),
    };
    let mut summary = summary.finish(failure, started.elapsed());
    if let (None, Some(dry_run)) = (&summary.error, plan.dry_run) {
        summary.dry_run(dry_run.detailed_exit_code);
    }
    let written = metrics.map(|metrics| metrics.write(&summary));
    if let (Some(Err(error)), Some(path)) = (written, &plan.metrics) {
        let broken = diagnostics::file_write_failed(path, &error);
        let failure = match summary.error.take() {
            Some(failure) => broken.and(failure),
            None => broken,
        };
        summary = summary.finish(Some(failure), started.elapsed());
    }
    plan.terminal.print_summary(&summary)
}

fn push(plan: &Plan, started: Instant, summary: &mut Summary) -> Result<(), Failure> {
    let (target, rehearsal) = match &plan.destination {
        Destination::Server(connection) => (connection.target(plan.timeouts)?, None),
        Destination::Rehearsal(_) => {
            let rehearsal = Rehearsal::start()?;
            summary.server = Some(rehearsal.endpoint.to_string());
            (rehearsal.target(plan.timeouts), Some(rehearsal))
        }
    };
    let signals = &super::signals()?;
    let contract = match &plan.destination {
        Destination::Server(connection) => {
            let asking = Asking {
                target: &target,
                policy: &plan.policy,
                signals,
                end: plan.max_time.map(|limit| (started + limit, limit)),
                watch: &|finding| plan.terminal.detail(1, || report::way(&finding, &target)),
            };
            connection.contract.contract(Some(&asking), plan.terminal)?
        }
        Destination::Rehearsal(contract) => contract.contract(None, plan.terminal)?,
    };
    let deadline = plan.max_time.map(|limit| started + limit);
    let (asked, terminal) = (&plan.input, plan.terminal);
    let request_limits = Some(RequestLimits {
        contract: &contract,
        max_bytes: plan.limits.max_bytes,
    });
    let mut input = input::read(asked, request_limits, deadline, signals, summary, terminal)?;
    let listener = Listener::new(signals)?;
    // What would not fit into the server's requests has been refused; the rehearsal's receiver has
    // the one contract.
    let contract = match rehearsal {
        Some(_) => Contract::built_in(),
        None => contract,
    };
    let mut outputs = Outputs::open(plan, started, &target, &contract, &listener)?;
    let selected = selection::select(plan, &target, &contract, &mut outputs, &mut input);
    let selected = match signals.received() {
        Some(signal) => Err(diagnostics::command_interrupted(signal)),
        None => selected,
    };
    // What is sent may be read to its end, whatever comes: open requests are finished.
    input.set_read_limits(&ReadLimits::default());
    let result = selected.and_then(|selection| {
        summary.selected(selection.unchanged, selection.other_shard);
        outputs.start(plan, selection.sends);
        if plan.dry_run.is_some() || selection.sends == 0 {
            return Ok(());
        }
        let way = (&target, &contract);
        let delivery = send(plan, started, way, &listener, &mut input, &mut outputs)?;
        summary.delivery(&delivery);
        if signals.received().is_none() {
            let stop = Some(signals.wake_stream());
            let deadline = None;
            input.set_read_limits(&ReadLimits { deadline, stop });
        }
        verdict::verdict(
            delivery,
            selection.sends,
            plan,
            &target,
            &contract,
            &mut input,
        )
    });
    // A look-up of a name that nobody answers must not hold up the end.
    listener.runtime.shutdown_background();
    let result = outputs.finish(result, summary);
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

/// Where a push runs, and is told of signals.
struct Listener<'s> {
    runtime: Runtime,
    signals: &'s Signals,
}

impl<'s> Listener<'s> {
    fn new(signals: &'s Signals) -> Result<Self, Failure> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::internal("no runtime", &error))?;
        Ok(Self { runtime, signals })
    }

    /// Waits so long, or for a signal, which it is then.
    fn pause(&self, time: Duration) -> Option<Signal> {
        let wait = async { tokio::time::timeout(time, self.signals.wait()).await };
        self.runtime.block_on(wait).ok()
    }
}

/// Connects and sends every record.
fn send(
    plan: &Plan,
    started: Instant,
    (target, contract): (&Target, &Contract),
    listener: &Listener<'_>,
    input: &mut ValidatedInput,
    outputs: &mut Outputs,
) -> Result<DeliveryOutcome, Failure> {
    let policy = DeliveryPolicy {
        deadline: plan.max_time.map(|limit| (started + limit).into()),
        ok_codes: plan.policy.ok_codes.clone(),
        ..plan.policy
    };
    let server = RemoteServer {
        target,
        contract,
        on_stage: &|finding| plan.terminal.detail(1, || report::way(&finding, target)),
    };
    let (to, mut requests) = delivery::batch_channel();
    thread::scope(|threads| {
        let mut batches = Batches::new(input.records(), contract, plan.limits);
        // What is more than one request is read beside the network.
        if delivery::send_next_batch(&mut batches, &to) {
            thread::Builder::new()
                .spawn_scoped(threads, move || {
                    while delivery::send_next_batch(&mut batches, &to) {}
                })
                .map_err(|error| Failure::internal("no thread can be started", &error))?;
        } else {
            // As long as it is held, the delivery waits for more.
            drop(to);
        }
        listener.runtime.block_on(async {
            let signals = listener.signals;
            let delivery = deliver(&mut requests, &server, &policy, contract, signals, outputs);
            let delivery = delivery.await;
            // Whoever still reads has nobody left to read for.
            drop(requests);
            Ok(delivery)
        })
    })
}
