//! Finds the connection options with which `push` would work.

use std::path::Path;

use http::uri::PathAndQuery;

use super::option_list::FILE_PLACEHOLDER;
use crate::{
    client::{OpenCallResult, Target},
    commands::{
        connection::{ConnectionPlan, TransportSecurity},
        contract::ContractSource,
        identity_files::IdentityFiles,
    },
    diagnostics::SuggestedFix,
    probe::{ProbeOutcome, ProbeResult},
    tls::ClientTls,
    user_path::UserPath,
};

/// Returns connection options with which `push` would work: the given options, or the given options
/// with a suggested fix. Returns `None` if no fix is known.
pub(super) fn working_plan(
    given: &ConnectionPlan,
    found: &ProbeResult,
    target: &Target,
    path: &PathAndQuery,
) -> Option<ConnectionPlan> {
    match &found.end {
        ProbeOutcome::Called {
            call: Ok(OpenCallResult::AwaitsMessage | OpenCallResult::Answered { code: 0 }),
            ..
        } => Some(given.clone()),
        ProbeOutcome::Called {
            call: Ok(OpenCallResult::Answered { .. }),
            ..
        } => None,
        ProbeOutcome::Called {
            call: Err(error),
            server_info,
        } => {
            let services = server_info.services.as_deref().unwrap_or_default();
            let fix = SuggestedFix::for_call_error(error, services, path.as_str())?;
            Some(apply_fix(given, &fix))
        }
        ProbeOutcome::ConnectFailed(error) => {
            let fix = SuggestedFix::for_connect_error(error)?;
            plan_with_fix(given, fix, target.tls.as_ref())
        }
    }
}

/// Applies `fix` to the given options. If `fix` concerns the name in the certificate, the presented
/// certificate chain is then verified with the new options, because the chain may be refused for a
/// second reason. A fix for each such reason is applied as well. Returns `None` if a reason has no
/// fix.
fn plan_with_fix(
    given: &ConnectionPlan,
    mut fix: SuggestedFix,
    tls: Option<&ClientTls>,
) -> Option<ConnectionPlan> {
    let presented = tls.map(ClientTls::presented_chain).unwrap_or_default();
    let mut plan = given.clone();
    loop {
        let fixed = apply_fix(&plan, &fix);
        if !matches!(
            fix,
            SuggestedFix::ServerName(_) | SuggestedFix::AllowCommonName
        ) {
            return Some(fixed);
        }
        // A fix that changes nothing would be suggested in every iteration, and the loop would
        // never end.
        if fixed == plan {
            return None;
        }
        match fixed.tls().ok()??.verify_chain(&presented) {
            Ok(()) => return Some(fixed),
            Err(error) => fix = SuggestedFix::for_tls_error(&error)?,
        }
        plan = fixed;
    }
}

fn file_placeholder() -> UserPath {
    Path::new(FILE_PLACEHOLDER).into()
}

fn apply_fix(plan: &ConnectionPlan, fix: &SuggestedFix) -> ConnectionPlan {
    let mut fixed = plan.clone();
    match (fix, &mut fixed.security) {
        (SuggestedFix::ServerName(name), _) => fixed.server_name = Some(name.clone()),
        (SuggestedFix::Method(path), _) => {
            let contract = &mut fixed.contract;
            contract.method = path.parse().ok().or(contract.method.take());
            // The contract must come from the server, by reflection. The suggested service may
            // number its fields differently from the built-in contract, and a server ignores
            // unknown fields without an error. The server supports reflection, because it listed
            // the suggested service by reflection.
            if contract.source == ContractSource::BuiltIn {
                contract.source = ContractSource::Reflection;
            }
        }
        (
            SuggestedFix::AllowCommonName,
            TransportSecurity::Tls {
                allows_common_name, ..
            },
        ) => *allows_common_name = true,
        (
            SuggestedFix::TrustedCertificate,
            TransportSecurity::Tls {
                trusted_certificates,
                ..
            },
        ) => *trusted_certificates = vec![file_placeholder()],
        (SuggestedFix::ClientCertificate, TransportSecurity::Tls { identity, .. }) => {
            *identity = Some(IdentityFiles {
                certificate: file_placeholder(),
                key: file_placeholder(),
            });
        }
        (SuggestedFix::Plaintext, security) => *security = TransportSecurity::Plaintext,
        (SuggestedFix::UseTls, security) => {
            *security = TransportSecurity::Tls {
                trusted_certificates: Vec::new(),
                identity: None,
                skips_verification: false,
                allows_common_name: false,
            };
        }
        // These fixes change certificate options, so they do nothing for a plaintext connection.
        (
            SuggestedFix::AllowCommonName
            | SuggestedFix::TrustedCertificate
            | SuggestedFix::ClientCertificate,
            TransportSecurity::Plaintext,
        ) => {}
    }
    fixed
}
