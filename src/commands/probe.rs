//! `probe`: goes the way to the server stage by stage and says where it ends.

use std::time::{SystemTime, UNIX_EPOCH};

use http::uri::PathAndQuery;
use tokio::runtime;

use super::{
    Connection, Timeouts,
    contract::{Asking, Schema},
};
use crate::{
    client::Target,
    contract::Contract,
    delivery::Policy,
    diagnostics::{Failure, Kind, Mend},
    probe::{self, End, Probe},
    report::ProbeReport,
    signals::Signals,
    terminal::Output,
    tls::ClientTls,
};

pub(crate) struct Plan {
    pub(crate) connection: Connection,
    pub(crate) timeouts: Timeouts,
    /// A certificate that ends within so many days is warned of.
    pub(crate) warn_days: u32,
    pub(crate) output: Output,
}

pub(crate) fn run(plan: &Plan) -> u8 {
    let report = probe(plan).unwrap_or_else(ProbeReport::not_begun);
    plan.output.probe(&report)
}

fn probe(plan: &Plan) -> Result<ProbeReport, Failure> {
    let target = plan.connection.target(plan.timeouts)?;
    let signals = super::signals()?;
    let asking = Asking {
        target: &target,
        signals: &signals,
        policy: &Policy::ONCE,
        end: None,
        watch: &|_| {},
    };
    let contract = plan
        .connection
        .contract
        .contract(Some(&asking), plan.output);
    let (contract, unknown) = match contract {
        Ok(contract) => (contract, None),
        // How far the way to a server goes that does not tell its contract is worth knowing.
        Err(failure)
            if plan.connection.contract.schema == Schema::Reflection
                && failure.kind != Kind::Interrupted =>
        {
            (Contract::built_in(), Some(failure))
        }
        Err(failure) => return Err(failure),
    };
    let found = go(&target, &contract, &signals)?;
    let is_described = unknown.is_none();
    let failure = match found.end {
        End::NotConnected(_) => failure(&found, &target),
        End::Called { .. } => unknown.or_else(|| failure(&found, &target)),
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let path = &contract.path;
    let mut report = ProbeReport::new(&found, &target, path, failure, now, plan.warn_days);
    if is_described || matches!(found.end, End::NotConnected(_)) {
        report.flags = flags(plan, &found, &target, path);
    }
    Ok(report)
}

fn go(target: &Target, contract: &Contract, signals: &Signals) -> Result<Probe, Failure> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal("no runtime", &error))?;
    let found = runtime.block_on(async {
        tokio::select! {
            found = probe::probe(target, contract) => Ok(found),
            signal = signals.wait() => Err(Failure::stopped(signal)),
        }
    });
    runtime.shutdown_background();
    found
}

/// What a push would fail with.
fn failure(found: &Probe, target: &Target) -> Option<Failure> {
    match &found.end {
        End::NotConnected(error) => Some(Failure::connect(error)),
        End::Called { knocked, .. } => {
            let server = target.endpoint.to_string();
            match knocked {
                Ok(None | Some(0)) => None,
                Ok(Some(code)) => Some(Failure::code(&server, &[*code], &[0])),
                Err(error) => Some(Failure::call(&server, error).hiding(&target.metadata)),
            }
        }
    }
}

/// The flags that make `push` work: those that were given, or a change of them. Empty where no
/// flag is known to help.
fn flags(plan: &Plan, found: &Probe, target: &Target, path: &PathAndQuery) -> Vec<String> {
    let given = &plan.connection;
    let mended = match &found.end {
        End::Called {
            knocked: Ok(code), ..
        } => code.is_none_or(|code| code == 0).then(|| given.clone()),
        End::Called {
            knocked: Err(error),
            answers,
        } => {
            let services = answers.services.as_deref().unwrap_or_default();
            Mend::of_call(error, services, path.as_str()).map(|mend| given.mended(&mend))
        }
        End::NotConnected(error) => {
            let mend = Mend::of_connect(error);
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
fn mended(given: &Connection, first: Mend, tls: Option<&ClientTls>) -> Option<Connection> {
    let presented = tls.map(ClientTls::presented).unwrap_or_default();
    let mut connection = given.clone();
    let mut mend = first;
    loop {
        let mended = connection.mended(&mend);
        if !matches!(mend, Mend::ServerName(_) | Mend::AllowCommonName) {
            return Some(mended);
        }
        // The same again means that it did not help.
        if mended == connection {
            return None;
        }
        match mended.tls().ok()??.would_trust(&presented) {
            Ok(()) => return Some(mended),
            Err(error) => mend = Mend::of_handshake(&error)?,
        }
        connection = mended;
    }
}
