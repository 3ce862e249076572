//! The steps of a probe.

use jiff::Timestamp;

use super::{
    option_list::{connection_options, timeout_options},
    working_plan::working_plan,
};
use crate::{
    client::{OpenCallResult, Target},
    commands::{
        connection::{ConnectionPlan, Timeouts},
        contract::ContractSource,
        interrupts::Interrupts,
    },
    contract::Contract,
    delivery::DeliveryPolicy,
    diagnostics::{self, Failure, FailureKind},
    probe::{self, ProbeOutcome, ProbeResult},
    report::ProbeReport,
    terminal::Terminal,
};

pub(crate) struct Plan {
    pub(crate) connection: ConnectionPlan,
    pub(crate) timeouts: Timeouts,
    /// A certificate that expires within this number of days causes a warning.
    pub(crate) warn_days: u32,
    pub(crate) terminal: Terminal,
}

/// Runs the command and returns the exit code.
pub(crate) fn run(plan: &Plan) -> u8 {
    let report = probe(plan).unwrap_or_else(ProbeReport::from_failure);
    plan.terminal.print_probe_report(&report)
}

fn probe(plan: &Plan) -> Result<ProbeReport, Failure> {
    let target = plan.connection.target(plan.timeouts)?;
    let interrupts = Interrupts::listen(None)?;
    let contract = plan.connection.contract.load(
        &target,
        &DeliveryPolicy::SINGLE_ATTEMPT,
        &interrupts,
        plan.terminal,
    );
    let (contract, reflection_failure) = match contract {
        Ok(contract) => (contract, None),
        // If reflection failed, the probe continues with the built-in contract, so that the report
        // contains all stages.
        Err(failure)
            if plan.connection.contract.source == ContractSource::Reflection
                && failure.kind != FailureKind::Interrupted =>
        {
            (Contract::built_in(), Some(failure))
        }
        Err(failure) => return Err(failure),
    };
    let found = interrupts.block_on(probe::probe(&target, &contract))?;
    let is_contract_known = reflection_failure.is_none();
    let failure = match found.end {
        ProbeOutcome::ConnectFailed(_) => push_failure(&found, &target),
        ProbeOutcome::Called { .. } => reflection_failure.or_else(|| push_failure(&found, &target)),
    };
    let path = &contract.path;
    let now = Timestamp::now().as_second();
    let mut report = ProbeReport::new(&found, &target, path, failure, now, plan.warn_days);
    if is_contract_known || matches!(found.end, ProbeOutcome::ConnectFailed(_)) {
        report.flags = working_plan(&plan.connection, &found, &target, path).map_or_else(
            Vec::new,
            |connection| {
                [
                    connection_options(&connection),
                    timeout_options(plan.timeouts),
                ]
                .concat()
            },
        );
    }
    Ok(report)
}

/// Returns the failure with which a push to this server would end, or `None` if the probe found no
/// obstacle.
fn push_failure(found: &ProbeResult, target: &Target) -> Option<Failure> {
    match &found.end {
        ProbeOutcome::ConnectFailed(error) => Some(diagnostics::connection_failed(error)),
        ProbeOutcome::Called { call, .. } => {
            let server = target.endpoint.to_string();
            match call {
                Ok(OpenCallResult::AwaitsMessage | OpenCallResult::Answered { code: 0 }) => None,
                Ok(OpenCallResult::Answered { code }) => Some(
                    diagnostics::unexpected_response_codes(&server, &[*code], &[0]),
                ),
                Err(error) => Some(diagnostics::call_failed(&server, error)),
            }
        }
    }
}
