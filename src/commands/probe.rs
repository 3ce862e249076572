//! The `probe` command: connects to the server in stages, reports the result of each stage, and lists
//! options that may let `push` work.

use jiff::Timestamp;
use tonic::Code;

use super::{
    connection::{ConnectionPlan, Timeouts, TlsPlan},
    contract::ContractSource,
    interrupts::Interrupts,
};
use crate::{
    client::{CallError, OpenCallResult, StageSuccess, Target},
    contract::Contract,
    delivery::DeliveryPolicy,
    diagnostics::{self, Failure, FailureKind},
    probe::{self, ProbeOutcome, ProbeResult},
    report::{ProbeReport, format_stage},
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
    let report = probe(plan).unwrap_or_else(|failure| ProbeReport::without_stages(Some(failure)));
    plan.terminal.print_probe_report(&report)
}

fn probe(plan: &Plan) -> Result<ProbeReport, Failure> {
    let interrupts = Interrupts::listen(None)?;
    let target = plan
        .connection
        .target(plan.timeouts, &interrupts.wait_to_read())
        .map_err(|failure| interrupts.explain(failure))?;
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
    let on_stage = |stage: &StageSuccess| {
        plan.terminal.detail(1, || format_stage(stage, &target));
    };
    let found = interrupts.block_on(probe::probe(&target, &contract, &on_stage))?;
    let path = contract.path.as_str();
    let failure = match found.end {
        ProbeOutcome::ConnectFailed(_) => None,
        ProbeOutcome::Called { .. } => reflection_failure,
    };
    let source = &plan.connection.contract.source;
    let mut failure = failure.or_else(|| push_failure(&found, &target, path, source));
    let tls = plan.connection.tls.as_ref();
    if let Some(failure) = &mut failure
        && tls.is_some_and(TlsPlan::conflicts_with_plaintext)
    {
        // The report lists options to add, and `--plaintext` would need the removal of others.
        failure.options.retain(|option| option != "--plaintext");
    }
    Ok(ProbeReport::new(
        &found,
        &target,
        path,
        failure,
        Timestamp::now().as_second(),
        plan.warn_days,
    ))
}

/// Returns the failure with which a push to this server would end, or `None` if the probe found no
/// obstacle.
fn push_failure(
    found: &ProbeResult,
    target: &Target,
    path: &str,
    source: &ContractSource,
) -> Option<Failure> {
    let (call, services) = match &found.end {
        ProbeOutcome::ConnectFailed(error) => return Some(diagnostics::connection_failed(error)),
        ProbeOutcome::Called { call, services, .. } => (call, services),
    };
    let server = target.endpoint.to_string();
    let error = match call {
        Ok(OpenCallResult::AwaitsMessage | OpenCallResult::Answered { code: 0 }) => return None,
        Ok(OpenCallResult::Answered { code }) => {
            let failure = diagnostics::unexpected_response_codes(&server, &[*code], &[0]);
            return Some(failure);
        }
        Err(error) => error,
    };
    let failure = diagnostics::call_failed(target, error);
    let services = services.as_deref().unwrap_or_default();
    Some(match namesake_method(error, services, path) {
        None => failure,
        // The fields of the other service may have other numbers, and a server ignores unknown
        // fields without an error. So the contract must come from the server, which supports
        // reflection, because it listed the service.
        Some(method) if *source == ContractSource::BuiltIn => {
            failure.with_option_hint(&["--method", &method, "--reflection"], "")
        }
        Some(method) => failure.with_option_hint(&["--method", &method], ""),
    })
}

/// Returns the method at `path` in a service with the same name in a different package. If the
/// server has several such services, none is returned, because it could be the wrong one.
fn namesake_method(error: &CallError, services: &[String], path: &str) -> Option<String> {
    let CallError::Status {
        code: Code::Unimplemented | Code::NotFound,
        ..
    } = error
    else {
        return None;
    };
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    let name_of = |service: &str| service.rsplit('.').next().unwrap_or_default().to_owned();
    let mut namesakes = services
        .iter()
        .filter(|other| *other != service && name_of(other) == name_of(service));
    match (namesakes.next(), namesakes.next()) {
        (Some(only), None) => Some(format!("/{only}/{method}")),
        _ => None,
    }
}
