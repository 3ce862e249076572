//! `probe`: goes the way to the server stage by stage and says where it ends.

use std::time::{SystemTime, UNIX_EPOCH};

use http::uri::PathAndQuery;
use tokio::runtime;

use super::{
    Connection, Timeouts,
    contract::{Asking, Schema},
};
use crate::{
    client::{OpenedCall, Target},
    contract::Contract,
    delivery::DeliveryPolicy,
    diagnostics::{self, Failure, FailureKind, SuggestedFix},
    probe::{self, ProbeEnd, ProbeResult},
    report::ProbeReport,
    signals::Signals,
    terminal::Terminal,
    tls::ClientTls,
};

pub(crate) struct Plan {
    pub(crate) connection: Connection,
    pub(crate) timeouts: Timeouts,
    /// A certificate that ends within so many days is warned of.
    pub(crate) warn_days: u32,
    pub(crate) terminal: Terminal,
}

pub(crate) fn run(plan: &Plan) -> u8 {
    let report = probe(plan).unwrap_or_else(ProbeReport::not_begun);
    plan.terminal.print_probe_report(&report)
}

fn probe(plan: &Plan) -> Result<ProbeReport, Failure> {
    let target = plan.connection.target(plan.timeouts)?;
    let signals = super::signals()?;
    let asking = Asking {
        target: &target,
        signals: &signals,
        policy: &DeliveryPolicy::SINGLE_ATTEMPT,
        end: None,
        watch: &|_| {},
    };
    let contract = plan
        .connection
        .contract
        .contract(Some(&asking), plan.terminal);
    let (contract, unknown) = match contract {
        Ok(contract) => (contract, None),
        // How far the way to a server goes that does not tell its contract is worth knowing.
        Err(failure)
            if plan.connection.contract.schema == Schema::Reflection
                && failure.kind != FailureKind::Interrupted =>
        {
            (Contract::built_in(), Some(failure))
        }
        Err(failure) => return Err(failure),
    };
    let found = go(&target, &contract, &signals)?;
    let is_described = unknown.is_none();
    let failure = match found.end {
        ProbeEnd::ConnectFailed(_) => failure(&found, &target),
        ProbeEnd::Called { .. } => unknown.or_else(|| failure(&found, &target)),
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let path = &contract.path;
    let mut report = ProbeReport::new(&found, &target, path, failure, now, plan.warn_days);
    if is_described || matches!(found.end, ProbeEnd::ConnectFailed(_)) {
        report.flags = flags(plan, &found, &target, path);
    }
    Ok(report)
}

fn go(target: &Target, contract: &Contract, signals: &Signals) -> Result<ProbeResult, Failure> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal("no runtime", &error))?;
    let found = runtime.block_on(async {
        tokio::select! {
            found = probe::probe(target, contract) => Ok(found),
            signal = signals.wait() => Err(diagnostics::command_interrupted(signal)),
        }
    });
    runtime.shutdown_background();
    found
}

/// What a push would fail with.
fn failure(found: &ProbeResult, target: &Target) -> Option<Failure> {
    match &found.end {
        ProbeEnd::ConnectFailed(error) => Some(diagnostics::connection_failed(error)),
        ProbeEnd::Called { call, .. } => {
            let server = target.endpoint.to_string();
            match call {
                Ok(OpenedCall::AwaitsMessage | OpenedCall::Answered { code: 0 }) => None,
                Ok(OpenedCall::Answered { code }) => Some(diagnostics::response_codes_rejected(
                    &server,
                    &[*code],
                    &[0],
                )),
                Err(error) => Some(
                    diagnostics::call_failed(&server, error).masking_metadata(&target.metadata),
                ),
            }
        }
    }
}

/// The flags that make `push` work: those that were given, or a change of them. Empty where no
/// flag is known to help.
fn flags(plan: &Plan, found: &ProbeResult, target: &Target, path: &PathAndQuery) -> Vec<String> {
    let given = &plan.connection;
    let mended = match &found.end {
        ProbeEnd::Called {
            call: Ok(OpenedCall::AwaitsMessage | OpenedCall::Answered { code: 0 }),
            ..
        } => Some(given.clone()),
        ProbeEnd::Called {
            call: Ok(OpenedCall::Answered { .. }),
            ..
        } => None,
        ProbeEnd::Called {
            call: Err(error),
            server_info,
        } => {
            let services = server_info.services.as_deref().unwrap_or_default();
            SuggestedFix::for_call_error(error, services, path.as_str())
                .map(|mend| given.mended(&mend))
        }
        ProbeEnd::ConnectFailed(error) => {
            let mend = SuggestedFix::for_connect_error(error);
            mend.and_then(|mend| mended(given, mend, target.tls.as_ref()))
        }
    };
    mended.map_or_else(Vec::new, |connection| {
        let mut flags = connection.flags();
        flags.extend(plan.timeouts.flags());
        flags
    })
}

/// Changes flags until what the server presented is trusted; `None` where they don't help.
fn mended(given: &Connection, first: SuggestedFix, tls: Option<&ClientTls>) -> Option<Connection> {
    let presented = tls.map(ClientTls::presented_chain).unwrap_or_default();
    let mut connection = given.clone();
    let mut mend = first;
    loop {
        let mended = connection.mended(&mend);
        if !matches!(
            mend,
            SuggestedFix::ServerName(_) | SuggestedFix::AllowCommonName
        ) {
            return Some(mended);
        }
        // The same again means that it did not help.
        if mended == connection {
            return None;
        }
        match mended.tls().ok()??.verify_chain(&presented) {
            Ok(()) => return Some(mended),
            Err(error) => mend = SuggestedFix::for_tls_error(&error)?,
        }
        connection = mended;
    }
}
