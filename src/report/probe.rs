//! [`ProbeReport`]: the report of `probe`.

use std::{fmt::Write as _, time::Duration};

use serde::Serialize;
use tonic_health::pb::health_check_response::ServingStatus;

use super::stage::{describe_stage, stage_name, stage_of};
use crate::{
    client::{Stage, StageSuccess, Target},
    diagnostics::{Failure, FailureKind, count_noun, escape, format_timestamp},
    probe::{CompletedStage, ProbeOutcome, ProbeResult},
    tls::{Certificate, ClientTls, TrustBasis, list_names},
};

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

/// The stages in order, all of which are in every report. The text stands for a stage that the
/// connection does not use.
const CONNECTION_STAGES: [(Stage, &str); 5] = [
    (Stage::Dns, "none (Unix domain socket)"),
    (Stage::Tcp, ""),
    (Stage::Proxy, "none"),
    (Stage::Tls, "none (--plaintext)"),
    (Stage::Http2, ""),
];

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ProbeReport {
    stages: Vec<StageReport>,
    certificate: Option<CertificateReport>,
    pub(crate) warnings: Vec<String>,
    verdict: String,
    flags: Vec<String>,
    pub(crate) exit_code: u8,
    pub(crate) error: Option<Failure>,
    #[serde(skip)]
    issuers: Vec<CertificateReport>,
}

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
    /// Of the DER encoding, in lower-case hexadecimal.
    sha256: String,
    /// Negative after the expiration.
    #[serde(skip)]
    days_left: i64,
    #[serde(skip)]
    is_valid_yet: bool,
}

impl ProbeReport {
    /// `failure` is the failure with which a push would end, and `now` is in Unix seconds. An
    /// accepted server certificate that expires less than `warn_days` days after `now` causes a
    /// warning.
    pub(crate) fn new(
        probe: &ProbeResult,
        target: &Target,
        path: &str,
        failure: Option<Failure>,
        now: i64,
        warn_days: u32,
    ) -> Self {
        let presented = target.tls.as_ref().map(ClientTls::presented_chain);
        let presented = presented.unwrap_or_default();
        let certificates = presented.certificates.into_iter();
        let mut certificates = certificates.map(|presented| CertificateReport::new(presented, now));
        let certificate = certificates.next();
        // A certificate without a trust basis was refused, so the verdict is enough.
        let accepted = certificate.as_ref().filter(|_| presented.trust.is_some());
        Self {
            stages: report_stages(probe, target, path, failure.as_ref()),
            warnings: warnings(probe, accepted, warn_days),
            certificate,
            issuers: certificates.collect(),
            ..Self::without_stages(failure)
        }
    }

    pub(crate) fn without_stages(failure: Option<Failure>) -> Self {
        Self {
            stages: Vec::new(),
            certificate: None,
            warnings: Vec::new(),
            verdict: match &failure {
                None => "push would work".to_owned(),
                Some(failure) if failure.kind == FailureKind::Interrupted => {
                    format!("unknown: {}", failure.message)
                }
                Some(failure) => format!("push would fail: {}", failure.message),
            },
            flags: failure
                .as_ref()
                .map_or_else(Vec::new, |failure| failure.options.clone()),
            exit_code: failure.as_ref().map_or(0, |failure| failure.exit_code),
            error: failure,
            issuers: Vec::new(),
        }
    }

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
                for certificate in self.certificate.iter().chain(&self.issuers) {
                    certificate.write_to(&mut text);
                }
            }
        }
        let _ = writeln!(text, "verdict: {}", escape(&self.verdict));
        let flags = shlex::try_join(self.flags.iter().map(String::as_str)).unwrap_or_default();
        if !flags.is_empty() {
            let _ = writeln!(text, "flags: {}", escape(&flags));
        }
        text.pop();
        text
    }
}

impl CertificateReport {
    fn new(certificate: Certificate, now: i64) -> Self {
        let not_after = certificate.validity.not_after;
        Self {
            sha256: certificate.fingerprint(),
            subject: certificate.subject(),
            issuer: certificate.issuer(),
            san: [
                certificate.other_names(),
                certificate.alternative_names.unwrap_or_default(),
            ]
            .concat(),
            is_valid_yet: certificate.validity.not_before.timestamp() <= now,
            not_before: format_timestamp(certificate.validity.not_before.timestamp()),
            not_after: format_timestamp(not_after.timestamp()),
            days_left: (not_after.timestamp() - now).div_euclid(SECONDS_PER_DAY),
        }
    }

    fn write_to(&self, text: &mut String) {
        let san = match &*self.san {
            [] => "none".to_owned(),
            names => list_names(names.iter().cloned()),
        };
        let valid = match self.days_left {
            _ if !self.is_valid_yet => "not valid yet".to_owned(),
            days @ ..0 => format!("expired {} ago", count_noun(days.unsigned_abs(), "day")),
            days => format!("{} left", count_noun(days.unsigned_abs(), "day")),
        };
        let valid = format!("{} to {} ({valid})", self.not_before, self.not_after);
        for (label, value) in [
            ("subject", &self.subject),
            ("SAN", &san),
            ("issuer", &self.issuer),
            ("valid", &valid),
            ("SHA-256", &self.sha256),
        ] {
            let _ = writeln!(text, "        {label:<7}  {}", escape(value));
        }
    }
}

fn report_stages(
    probe: &ProbeResult,
    target: &Target,
    path: &str,
    failure: Option<&Failure>,
) -> Vec<StageReport> {
    let mut stages = Vec::new();
    let mut completed = probe.stages.iter().peekable();
    for (stage, detail_if_unused) in CONNECTION_STAGES {
        let (ok, duration, detail) = match &probe.end {
            ProbeOutcome::ConnectFailed(error) if error.stage == stage => {
                (false, probe.last_stage_duration, error.kind.to_string())
            }
            _ => match completed.next_if(|completed| stage_of(&completed.outcome) == stage) {
                Some(CompletedStage { outcome, duration }) => {
                    (true, *duration, describe_completed(outcome, target))
                }
                None => (true, Duration::ZERO, detail_if_unused.to_owned()),
            },
        };
        stages.push(StageReport {
            name: stage_name(stage),
            ok,
            seconds: duration.as_secs_f64(),
            detail,
        });
        if !ok {
            break;
        }
    }
    if let ProbeOutcome::Called {
        health, services, ..
    } = &probe.end
    {
        stages.push(StageReport {
            name: "RPC",
            ok: failure.is_none(),
            seconds: probe.last_stage_duration.as_secs_f64(),
            detail: describe_call(path, failure, *health, services.as_deref()),
        });
    }
    stages
}

fn describe_completed(outcome: &StageSuccess, target: &Target) -> String {
    let text = describe_stage(outcome, target);
    match (outcome, &target.tls) {
        (StageSuccess::TlsEstablished(_), Some(tls)) => format!("{text}; {}", describe_trust(tls)),
        _ => text,
    }
}

fn describe_trust(tls: &ClientTls) -> String {
    let trusted = match tls.presented_chain().trust {
        Some(TrustBasis::Pinned) => "trusted: pinned certificate",
        Some(TrustBasis::Issued) => "trusted: issued by a CA of --cacert",
        Some(TrustBasis::System) => "trusted: issued by a CA of the system trust store",
        Some(TrustBasis::Unverified) => "not verified (--insecure)",
        None => "not verified",
    };
    if tls.is_client_certificate_requested() {
        format!("{trusted}; server requested a client certificate")
    } else {
        trusted.to_owned()
    }
}

fn describe_call(
    path: &str,
    failure: Option<&Failure>,
    health: Option<ServingStatus>,
    services: Option<&[String]>,
) -> String {
    let mut text = match failure {
        None => format!("{path} not refused; no message sent"),
        Some(failure) => format!("{path}: {}", failure.message),
    };
    if let Some(health) = health {
        let _ = write!(text, "; health: {}", health.as_str_name());
    }
    if let Some(services) = services {
        let _ = write!(text, "; services: {}", services.join(", "));
    }
    text
}

fn warnings(
    probe: &ProbeResult,
    certificate: Option<&CertificateReport>,
    warn_days: u32,
) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(certificate) = certificate
        && (0..i64::from(warn_days)).contains(&certificate.days_left)
    {
        warnings.push(format!(
            "server certificate expires in {}, on {}",
            count_noun(certificate.days_left.unsigned_abs(), "day"),
            certificate.not_after
        ));
    }
    if let ProbeOutcome::Called { health, .. } = &probe.end
        && let Some(ServingStatus::NotServing) = health
    {
        warnings.push("server reports NOT_SERVING (gRPC health checking)".to_owned());
    }
    warnings
}
