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
    record::{Mask, Record},
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
    let contract = Arc::new(match &plan.destination {
        Destination::Server(connection) => connection.contract(),
        Destination::Rehearsal => Contract::built_in(),
    });
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
    let server = target.endpoint.to_string();
    let changed = matches!(delivery.end, Some(End::Input(_)));
    verdict(delivery, input.counts.valid(), &plan.ok_codes, &server).map_err(|failure| {
        // What is wrong with the input is in this program's words.
        if changed {
            failure
        } else {
            without_secrets(failure, &mut input, &target)
        }
    })?;
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
                connected.map_err(|error| Failure::connect(&error))?
            }
            signal = signals.wait() => return Err(Failure::interrupted(signal, valid, None)),
        };
        let mut batches = Batches::new(input.records(), contract, plan.limits);
        Ok(deliver(&mut batches, &client, &plan.ok_codes, &signals).await)
    });
    // A look-up of a name that nobody answers must not hold up the end.
    runtime.shutdown_background();
    delivery
}

/// What the outcomes come to: nothing but every record acknowledged is a success.
fn verdict(delivery: Delivery, valid: u64, ok_codes: &[i32], server: &str) -> Result<(), Failure> {
    let acknowledged = delivery.acknowledged;
    let unsent = valid - acknowledged - delivery.rejected;
    let refused: Vec<i32> = delivery.codes.into_keys().collect();
    let refused: Vec<i32> = refused
        .into_iter()
        .filter(|code| !ok_codes.contains(code))
        .collect();
    let by_code = (!refused.is_empty()).then(|| Failure::code(server, &refused, ok_codes));
    let refusal = delivery.refusal.map(|error| Failure::call(server, &error));
    let end = match delivery.end {
        Some(End::Call(error)) => Some(Failure::call(server, &error)),
        Some(End::Input(problem)) => Some(Failure::changed(&problem)),
        Some(End::Signal) | None => None,
    };
    // The last word first; the others stand under it.
    let mut reasons = [end, by_code, refusal].into_iter().flatten();
    let first = reasons.next();
    let why = first.map(|first| reasons.fold(first, Failure::and));
    match (delivery.signal, why) {
        (Some(signal), why) if unsent > 0 => Err(Failure::interrupted(signal, unsent, why)),
        (_, Some(why)) if acknowledged > 0 => Err(Failure::partial(acknowledged, valid, why)),
        (_, Some(why)) => Err(why),
        (_, None) => Ok(()),
    }
}

/// Servers quote what they complain about, and what they got was tokens and credentials.
fn without_secrets(failure: Failure, input: &mut Validated, target: &Target) -> Failure {
    failure.masked(|text| {
        let mut mask = Mask::new(text);
        for secret in target.metadata.secrets() {
            mask.hide(secret);
        }
        let mut records = input.records();
        loop {
            match records.next(|record| mask.look_for(&record.token)) {
                Ok(Some(())) => {}
                Ok(None) => return mask.masked(),
                // The tokens that were sent are not known any more.
                Err(_) => return "(not shown: it may hold tokens)".to_owned(),
            }
        }
    })
}
