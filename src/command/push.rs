//! `push`: validates everything, then sends it and accounts for every record.

use std::{sync::Arc, time::Instant};

use tokio::runtime;

use super::{Connection, InputPlan, Timeouts, input, rehearsal::Rehearsal};
use crate::{
    batch::{Batches, Limits},
    client::{Client, Target},
    delivery::{Delivery, End, deliver},
    failure::Failure,
    output::Output,
    record::Record,
    report::Summary,
    signal::Signals,
    source::{RequestLimit, Validated},
    wire::Contract,
};

pub(crate) struct Plan {
    pub(crate) input: InputPlan,
    pub(crate) destination: Destination,
    pub(crate) timeouts: Timeouts,
    pub(crate) limits: Limits,
    /// Response codes that mean success.
    pub(crate) ok_codes: Vec<i32>,
    pub(crate) output: Output,
}

/// Where a push goes.
pub(crate) enum Destination {
    Server(Box<Connection>),
    /// To a receiver inside the process.
    Rehearsal,
}

pub(crate) fn run(plan: &Plan) -> u8 {
    let started = Instant::now();
    let mut summary = Summary::new(match &plan.destination {
        Destination::Server(connection) => Some(connection.endpoint.to_string()),
        Destination::Rehearsal => Some("rehearsal".to_owned()),
    });
    let failure = push(plan, &mut summary).err();
    plan.output
        .summary(&summary.finish(failure, started.elapsed()))
}

fn push(plan: &Plan, summary: &mut Summary) -> Result<(), Failure> {
    let contract = Arc::new(Contract::built_in());
    let (target, rehearsal) = match &plan.destination {
        Destination::Server(connection) => (connection.target(plan.timeouts)?, None),
        Destination::Rehearsal => {
            let rehearsal = Rehearsal::start()?;
            summary.server = Some(rehearsal.endpoint.to_string());
            (rehearsal.target(plan.timeouts), Some(rehearsal))
        }
    };
    let record_len = |record: &Record<'_>| contract.record_len(record);
    let limit: RequestLimit<'_> = (plan.limits.bytes, &record_len);
    let mut input = input::read(&plan.input, Some(limit), summary, plan.output)?;
    if input.counts.valid() == 0 {
        return Ok(());
    }
    let delivery = send(plan, &target, &contract, &mut input)?;
    summary.delivery(&delivery);
    verdict(delivery, &input, plan, &target)?;
    match rehearsal {
        Some(rehearsal) => rehearsal.verify(&mut input),
        None => Ok(()),
    }
}

/// Connects and sends every record.
fn send(
    plan: &Plan,
    target: &Target,
    contract: &Arc<Contract>,
    input: &mut Validated,
) -> Result<Delivery, Failure> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal("no runtime", &error))?;
    let valid = input.counts.valid();
    let delivery = runtime.block_on(async {
        let signals = Signals::listen().map_err(|error| Failure::internal("no signals", &error))?;
        let client = tokio::select! {
            connected = Client::connect(target, Arc::clone(contract)) => {
                connected.map_err(Failure::connect)?
            }
            signal = signals.wait() => return Err(Failure::interrupted(signal, valid)),
        };
        let mut batches = Batches::new(input.records(), contract, plan.limits);
        Ok(deliver(&mut batches, &client, &plan.ok_codes, &signals).await)
    });
    // A look-up of a name that nobody answers must not hold up the end.
    runtime.shutdown_background();
    delivery
}

/// What the outcomes come to: nothing but every record acknowledged is a success.
fn verdict(
    delivery: Delivery,
    input: &Validated,
    plan: &Plan,
    target: &Target,
) -> Result<(), Failure> {
    let valid = input.counts.valid();
    if delivery.acknowledged == valid {
        return Ok(());
    }
    let server = target.endpoint.to_string();
    let why = match (delivery.end, delivery.refusal) {
        (Some(End::Signal(signal)), _) => {
            let unsent = valid - delivery.acknowledged - delivery.rejected;
            return Err(Failure::interrupted(signal, unsent));
        }
        (Some(End::Call(error)), _) => Failure::call(&server, &error),
        (Some(End::Input(problem)), _) => Failure::changed(&problem),
        (None, refusal) => {
            let refused: Vec<i32> = delivery.codes.into_keys().collect();
            let refused: Vec<i32> = refused
                .into_iter()
                .filter(|code| !plan.ok_codes.contains(code))
                .collect();
            match refusal {
                Some(error) if refused.is_empty() => Failure::call(&server, &error),
                _ => Failure::code(&server, &refused, &plan.ok_codes),
            }
        }
    };
    Err(match delivery.acknowledged {
        0 => why,
        acknowledged => Failure::partial(acknowledged, valid, why),
    })
}
