//! What the outcomes of a push come to.

use super::Plan;
use crate::{
    client::{CallError, Target},
    contract::Contract,
    delivery::{Delivery, End},
    diagnostics::Failure,
    input::Validated,
};

/// Nothing but every record acknowledged is a success.
pub(super) fn verdict(
    mut delivery: Delivery,
    sends: u64,
    plan: &Plan,
    target: &Target,
    contract: &Contract,
    input: &mut Validated,
) -> Result<(), Failure> {
    let refused = std::mem::take(&mut delivery.refused);
    let changed = matches!(delivery.end, Some(End::Input(_)));
    judge(delivery, sends, plan, &target.endpoint.to_string()).map_err(|failure| {
        // What is wrong with the input is in this program's words, and it can't be read again.
        if changed {
            return failure;
        }
        let failure = without_secrets(failure, input, target);
        let records: Vec<_> = refused
            .iter()
            .filter_map(|(record, _)| contract.read(record))
            .collect();
        let tokens: Vec<_> = records.iter().map(|(token, _)| *token).collect();
        let places = input.positions(&tokens);
        let named = tokens.into_iter().zip(places).zip(&refused);
        named.fold(failure, |failure, ((token, place), (_, error))| {
            failure.naming(token, place, error)
        })
    })
}

fn judge(delivery: Delivery, sends: u64, plan: &Plan, server: &str) -> Result<(), Failure> {
    let acknowledged = delivery.acknowledged;
    let unsent = sends - acknowledged - delivery.rejected;
    let ok_codes = &plan.policy.ok_codes;
    let codes: Vec<i32> = delivery
        .codes
        .into_keys()
        .filter(|code| !ok_codes.contains(code))
        .collect();
    let by_code = (!codes.is_empty()).then(|| Failure::code(server, &codes, ok_codes));
    let changed = matches!(delivery.end, Some(End::Input(_)));
    let refusal = delivery.refusal.map(|error: CallError| {
        let failure = Failure::call(server, &error);
        // The tokens that it may quote can't be read again.
        if changed {
            failure.without_causes()
        } else {
            failure
        }
    });
    let end = delivery.end.and_then(|end| ended(end, plan, server));
    if let Some(Ended::Output) = end {
        return Err(Failure::output_failed(acknowledged));
    }
    let end = end.and_then(|end| match end {
        Ended::Failed(failure) => Some(failure),
        Ended::Output => None,
    });
    // The last word first; the others stand under it.
    let mut reasons = [end, by_code, refusal].into_iter().flatten();
    let first = reasons.next();
    let why = first.map(|first| reasons.fold(first, Failure::and));
    match (delivery.signal, why) {
        (Some(signal), why) => Err(Failure::interrupted(signal, unsent, why)),
        (_, Some(why)) if acknowledged > 0 => Err(Failure::partial(acknowledged, sends, why)),
        (_, Some(why)) => Err(why),
        (_, None) => Ok(()),
    }
}

enum Ended {
    Failed(Failure),
    Output,
}

fn ended(end: End, plan: &Plan, server: &str) -> Option<Ended> {
    Some(Ended::Failed(match end {
        End::Call { error, tries } => Failure::call(server, &error).after(tries),
        End::Connect { error, tries } => Failure::connect(&error).after(tries),
        End::Input(problem) => Failure::changed(&problem),
        End::MaxTime { in_request, last } => {
            let last = last.and_then(|last| match ended(*last, plan, server)? {
                Ended::Failed(failure) => Some(failure),
                Ended::Output => None,
            });
            Failure::max_time(server, plan.max_time.unwrap_or_default(), in_request, last)
        }
        End::Output => return Some(Ended::Output),
        End::Signal => return None,
    }))
}

/// Servers quote what they complain about, and what they got was tokens and credentials.
fn without_secrets(failure: Failure, input: &mut Validated, target: &Target) -> Failure {
    failure.masked(|masks| {
        for secret in target.metadata.secrets() {
            for mask in &mut *masks {
                mask.hide(&secret);
            }
        }
        let mut records = input.records();
        loop {
            let looked = records.next(|record| {
                for mask in &mut *masks {
                    mask.look_for(&record.token);
                }
            });
            match looked {
                Ok(Some(())) => {}
                Ok(None) => return true,
                // The tokens that were sent are not known any more.
                Err(_) => return false,
            }
        }
    })
}
