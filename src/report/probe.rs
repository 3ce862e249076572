//! [`ProbeReport`]: the report of `probe`, with the stages of the connection, the certificates of
//! the server, warnings, a verdict, and the options with which `push` would work.

use std::{fmt::Write as _, time::Duration};

use http::uri::PathAndQuery;
use serde::Serialize;
use tonic_health::pb::health_check_response::ServingStatus;

use super::stage::{describe_stage, stage_name, stage_of};
use crate::{
    client::{Stage, StageSuccess, Target},
    diagnostics::{Failure, escape, format_timestamp},
    probe::{PresentedCertificate, ProbeOutcome, ProbeResult, ServerInfo},
    tls::{CertificateInfo, TrustBasis},
};

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

/// The name that the report gives to the gRPC call, which follows the stages of the connection.
const CALL_STAGE: &str = "RPC";

/// The report of one probe.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ProbeReport {
    stages: Vec<StageReport>,
    /// The server's own certificate, without its chain.
    certificate: Option<CertificateReport>,
    pub(crate) warnings: Vec<String>,
    verdict: String,
    /// The options with which `push` would work. Empty if no such options are known.
    pub(crate) flags: Vec<String>,
    pub(crate) exit_code: u8,
    pub(crate) error: Option<Failure>,
    /// Descriptions of the certificates that the server presented, for the report as text.
    #[serde(skip)]
    chain: Vec<String>,
}

/// A stage of the connection, or the call that follows the last stage.
#[derive(Clone, Debug, Serialize)]
struct StageReport {
    name: &'static str,
    ok: bool,
    seconds: f64,
    detail: String,
}

/// A certificate. `not_before` and `not_after` are RFC 3339 dates.
#[derive(Clone, Debug, Serialize)]
struct CertificateReport {
    subject: String,
    san: Vec<String>,
    issuer: String,
    not_before: String,
    not_after: String,
    /// The SHA-256 of the DER encoding, in lower-case hexadecimal.
    sha256: String,
}

impl ProbeReport {
    /// Returns the report of a probe. `failure` is the failure with which a push would end. A
    /// server certificate that was accepted, but that expires less than `warn_days` days after
    /// `now`, causes a warning. `now` is in Unix seconds.
    pub(crate) fn new(
        probe: &ProbeResult,
        target: &Target,
        path: &PathAndQuery,
        failure: Option<Failure>,
        now: i64,
        warn_days: u32,
    ) -> Self {
        Self {
            stages: report_stages(probe, target, path, failure.as_ref()),
            certificate: probe.chain.first().and_then(report_certificate),
            warnings: warnings(probe, now, warn_days),
            verdict: match &failure {
                None => "push would work".to_owned(),
                Some(failure) => format!("push would fail: {}", failure.message),
            },
            flags: Vec::new(),
            exit_code: failure.as_ref().map_or(0, |failure| failure.exit_code),
            error: failure,
            chain: probe
                .chain
                .iter()
                .map(|certificate| describe_certificate(certificate, now))
                .collect(),
        }
    }

    /// Returns the report of a probe that failed before its first stage.
    pub(crate) fn from_failure(failure: Failure) -> Self {
        Self {
            stages: Vec::new(),
            certificate: None,
            warnings: Vec::new(),
            verdict: format!("push would fail: {}", failure.message),
            flags: Vec::new(),
            exit_code: failure.exit_code,
            error: Some(failure),
            chain: Vec::new(),
        }
    }

    /// Returns the report as text: a line for each stage, the verdict, and the options. After the
    /// line of the TLS stage comes a line for each certificate.
    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        for stage in &self.stages {
            let _ = writeln!(
                text,
                "{:<6}  {:<6}  {:>9.1} ms  {}",
                stage.name,
                if stage.ok { "ok" } else { "failed" },
                stage.seconds * 1000.0,
                escape(&stage.detail)
            );
            if stage.name == stage_name(Stage::Tls) {
                for line in &self.chain {
                    let _ = writeln!(text, "        {}", escape(line));
                }
            }
        }
        let _ = writeln!(text, "verdict: {}", escape(&self.verdict));
        if !self.flags.is_empty() {
            let _ = writeln!(text, "flags: {}", escape(&join_shell_words(&self.flags)));
        }
        text.pop();
        text
    }
}

impl StageReport {
    fn completed(stage: Stage, duration: Duration, detail: String) -> Self {
        Self {
            name: stage_name(stage),
            ok: true,
            seconds: duration.as_secs_f64(),
            detail,
        }
    }
}

fn report_stages(
    probe: &ProbeResult,
    target: &Target,
    path: &PathAndQuery,
    failure: Option<&Failure>,
) -> Vec<StageReport> {
    let mut stages = Vec::new();
    for completed in &probe.stages {
        let stage = stage_of(&completed.outcome);
        add_unused_stages(&mut stages, stage);
        stages.push(StageReport::completed(
            stage,
            completed.duration,
            describe_completed(&completed.outcome, probe, target),
        ));
    }
    let seconds = probe.last_stage_duration.as_secs_f64();
    match (&probe.end, failure) {
        (ProbeOutcome::ConnectFailed(error), Some(failure)) => {
            add_unused_stages(&mut stages, error.stage);
            stages.push(StageReport {
                name: stage_name(error.stage),
                ok: false,
                seconds,
                detail: failure.causes.first().unwrap_or(&failure.message).clone(),
            });
        }
        (ProbeOutcome::Called { server_info, .. }, _) => stages.push(StageReport {
            name: CALL_STAGE,
            ok: failure.is_none(),
            seconds,
            detail: describe_call(path, failure, server_info),
        }),
        (ProbeOutcome::ConnectFailed(_), None) => {}
    }
    stages
}

/// Adds a row for each stage before `next` that this connection has skipped, so that the reports of
/// all connections list the same stages.
fn add_unused_stages(stages: &mut Vec<StageReport>, next: Stage) {
    let reasons = [
        (Stage::Dns, "a Unix domain socket needs no look-up"),
        (Stage::Tcp, ""),
        (Stage::Proxy, "none"),
        (Stage::Tls, "none (--plaintext)"),
    ];
    let first = stages.len();
    let unused = reasons
        .into_iter()
        .skip(first)
        .take_while(|(stage, _)| *stage != next)
        .map(|(stage, reason)| StageReport::completed(stage, Duration::ZERO, reason.to_owned()));
    stages.extend(unused);
}

fn describe_completed(outcome: &StageSuccess, probe: &ProbeResult, target: &Target) -> String {
    let text = describe_stage(outcome, target);
    match outcome {
        StageSuccess::TlsEstablished(_) => format!("{text}; {}", describe_trust(probe)),
        _ => text,
    }
}

fn describe_trust(probe: &ProbeResult) -> String {
    let trusted = match probe.trust_basis {
        Some(TrustBasis::Pinned) => "trusted: it is the certificate given",
        Some(TrustBasis::Issued) => "trusted: a certificate given leads to it",
        Some(TrustBasis::System) => "trusted: the operating system's trust store leads to it",
        Some(TrustBasis::Unverified) => "not verified (--insecure)",
        None => "not judged",
    };
    let request = if probe.is_client_certificate_requested {
        "; the server asked for a client certificate"
    } else {
        ""
    };
    format!("{trusted}{request}")
}

fn describe_call(
    path: &PathAndQuery,
    failure: Option<&Failure>,
    server_info: &ServerInfo,
) -> String {
    let mut text = match failure {
        None => format!("{path} waits for its message"),
        Some(failure) => format!("{path}: {}", failure.message),
    };
    if let Some(health) = &server_info.health {
        let _ = write!(text, "; health: {}", health.as_str_name());
    }
    if let Some(services) = &server_info.services {
        let _ = write!(text, "; services: {}", services.join(", "));
    }
    text
}

fn report_certificate(certificate: &PresentedCertificate) -> Option<CertificateReport> {
    let info = certificate.info.as_ref().ok()?;
    Some(CertificateReport {
        subject: info.subject.to_string(),
        san: info.alternative_names.clone().unwrap_or_default(),
        issuer: info.issuer.to_string(),
        not_before: format_timestamp(info.not_before),
        not_after: format_timestamp(info.not_after),
        sha256: certificate.sha256.clone(),
    })
}

/// Returns the number of whole days until the certificate expires. The number is negative if the
/// certificate has expired.
fn days_left(certificate: &CertificateInfo, now: i64) -> i64 {
    (certificate.not_after - now).div_euclid(SECONDS_PER_DAY)
}

/// Describes a certificate by its names, issuer, validity and fingerprint.
fn describe_certificate(certificate: &PresentedCertificate, now: i64) -> String {
    match &certificate.info {
        Err(reason) => format!(
            "a certificate that can't be read: {reason}; SHA-256 {}",
            certificate.sha256
        ),
        Ok(info) => {
            let issuer = if info.is_self_issued() {
                "itself".to_owned()
            } else {
                info.issuer.to_string()
            };
            let names = match &info.alternative_names {
                Some(names) => format!("for {}", names.join(", ")),
                None => "no subject alternative name".to_owned(),
            };
            let left = match days_left(info, now) {
                days @ ..0 => format!("{} days past", -days),
                days => format!("{days} days left"),
            };
            format!(
                "{}, issued by {issuer}, {names}, valid from {} to {} ({left}), SHA-256 {}",
                info.subject,
                format_timestamp(info.not_before),
                format_timestamp(info.not_after),
                certificate.sha256
            )
        }
    }
}

fn warnings(probe: &ProbeResult, now: i64, warn_days: u32) -> Vec<String> {
    let mut warnings = Vec::new();
    let expires_soon = |certificate: &&CertificateInfo| {
        (0..i64::from(warn_days)).contains(&days_left(certificate, now))
    };
    // A certificate without a trust basis was not accepted, so a warning that it expires soon would
    // not matter.
    if let Some(certificate) = probe
        .server_certificate()
        .filter(|_| probe.trust_basis.is_some())
        .filter(expires_soon)
    {
        warnings.push(format!(
            "the server's certificate ends in {} days, on {}",
            days_left(certificate, now),
            format_timestamp(certificate.not_after)
        ));
    }
    if let ProbeOutcome::Called { server_info, .. } = &probe.end
        && let Some(ServingStatus::NotServing) = server_info.health
    {
        warnings.push("the server says that it does not serve (gRPC health checking)".to_owned());
    }
    warnings
}

/// Joins arguments into a command line. Arguments with special characters are quoted for a POSIX
/// shell.
fn join_shell_words(words: &[String]) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,[]".contains(c);
    let quoted: Vec<_> = words
        .iter()
        .map(|word| {
            if word.chars().all(is_plain) && !word.is_empty() {
                word.clone()
            } else {
                format!("'{}'", word.replace('\'', "'\\''"))
            }
        })
        .collect();
    quoted.join(" ")
}
