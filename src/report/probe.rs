//! What a probe found, as lines or as JSON.

use std::{fmt::Write as _, time::Duration};

use http::uri::PathAndQuery;
use serde::Serialize;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::{
    client::{Stage, StageOutcome, Target, TlsSession},
    diagnostics::{Failure, escape, format_timestamp},
    probe::{PresentedCertificate, ProbeEnd, ProbeResult, ServerInfo},
    tls::{CertificateInfo, TrustBasis},
};

/// The report of one probe.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ProbeReport {
    pub(crate) stages: Vec<StageReport>,
    /// The server's own.
    pub(crate) certificate: Option<CertificateReport>,
    pub(crate) warnings: Vec<String>,
    pub(crate) verdict: String,
    /// What makes `push` work, as far as flags can.
    pub(crate) flags: Vec<String>,
    pub(crate) exit_code: u8,
    pub(crate) error: Option<Failure>,
    #[serde(skip)]
    chain: Vec<String>,
}

/// One stage.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StageReport {
    pub(crate) name: &'static str,
    pub(crate) ok: bool,
    pub(crate) seconds: f64,
    pub(crate) detail: String,
}

/// A certificate; its dates are RFC 3339.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CertificateReport {
    pub(crate) subject: String,
    pub(crate) san: Vec<String>,
    pub(crate) issuer: String,
    pub(crate) not_before: String,
    pub(crate) not_after: String,
    /// Of the DER, in lower-case hexadecimal.
    pub(crate) sha256: String,
}

const DAY: i64 = 24 * 60 * 60;

impl ProbeReport {
    /// Puts a probe into words. A certificate that ends within `warn_days` of `now`, in Unix
    /// seconds, is warned of.
    pub(crate) fn new(
        probe: &ProbeResult,
        target: &Target,
        path: &PathAndQuery,
        failure: Option<Failure>,
        now: i64,
        warn_days: u32,
    ) -> Self {
        Self {
            stages: stages(probe, target, path, failure.as_ref()),
            certificate: probe.chain.first().and_then(certificate),
            warnings: warnings(probe, now, warn_days),
            verdict: match &failure {
                None => "push would work".to_owned(),
                Some(failure) => format!("push would fail: {}", failure.message),
            },
            flags: Vec::new(),
            exit_code: failure.as_ref().map_or(0, |failure| failure.exit_code),
            error: failure,
            chain: probe.chain.iter().map(|one| chain_line(one, now)).collect(),
        }
    }

    /// A way that can't even be begun.
    pub(crate) fn not_begun(failure: Failure) -> Self {
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

    /// A line a stage, the certificates under that of TLS, and the verdict.
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
            if stage.name == name(Stage::Tls) {
                for line in &self.chain {
                    let _ = writeln!(text, "        {}", escape(line));
                }
            }
        }
        let _ = writeln!(text, "verdict: {}", escape(&self.verdict));
        if !self.flags.is_empty() {
            let _ = writeln!(text, "flags: {}", escape(&shell_words(&self.flags)));
        }
        text.pop();
        text
    }
}

/// The names of the stages, in the contract's words.
fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Dns => "DNS",
        Stage::Tcp => "TCP",
        Stage::Proxy => "proxy",
        Stage::Tls => "TLS",
        Stage::Http2 => "HTTP/2",
    }
}

const CALL: &str = "RPC";

fn stages(
    probe: &ProbeResult,
    target: &Target,
    path: &PathAndQuery,
    failure: Option<&Failure>,
) -> Vec<StageReport> {
    let mut stages: Vec<StageReport> = Vec::new();
    let pass = |stage, seconds: Duration, detail| StageReport {
        name: name(stage),
        ok: true,
        seconds: seconds.as_secs_f64(),
        detail,
    };
    let not_used = |stage, why: &str| pass(stage, Duration::ZERO, why.to_owned());
    // Those that this way does not need are said to be so, for whoever looks for them.
    let fill = |stages: &mut Vec<StageReport>, until: Stage| {
        let all = [
            (Stage::Dns, "a Unix domain socket needs no look-up"),
            (Stage::Tcp, ""),
            (Stage::Proxy, "none"),
            (Stage::Tls, "none (--plaintext)"),
        ];
        for (stage, why) in all.into_iter().skip(stages.len()) {
            if stage == until {
                break;
            }
            stages.push(not_used(stage, why));
        }
    };
    for passed in &probe.stages {
        let stage = stage_of(&passed.outcome);
        fill(&mut stages, stage);
        stages.push(pass(
            stage,
            passed.duration,
            detail(&passed.outcome, probe, target),
        ));
    }
    let failed = |name, failure: &Failure| StageReport {
        name,
        ok: false,
        seconds: probe.last_stage_duration.as_secs_f64(),
        detail: failure.causes.first().unwrap_or(&failure.message).clone(),
    };
    match (&probe.end, failure) {
        (ProbeEnd::ConnectFailed(error), Some(failure)) => {
            fill(&mut stages, error.stage);
            stages.push(failed(name(error.stage), failure));
        }
        (ProbeEnd::Called { server_info, .. }, _) => stages.push(StageReport {
            name: CALL,
            ok: failure.is_none(),
            seconds: probe.last_stage_duration.as_secs_f64(),
            detail: call_detail(path, failure, server_info),
        }),
        (ProbeEnd::ConnectFailed(_), None) => {}
    }
    stages
}

fn stage_of(finding: &StageOutcome) -> Stage {
    match finding {
        StageOutcome::Resolved(_) => Stage::Dns,
        StageOutcome::TcpConnected { .. } | StageOutcome::UnixConnected => Stage::Tcp,
        StageOutcome::ProxyConnected => Stage::Proxy,
        StageOutcome::TlsEstablished(_) => Stage::Tls,
        StageOutcome::SettingsReceived => Stage::Http2,
    }
}

fn detail(finding: &StageOutcome, probe: &ProbeResult, target: &Target) -> String {
    let way = way(finding, target);
    match finding {
        StageOutcome::TlsEstablished(_) => format!("{way}; {}", trust(probe)),
        _ => way,
    }
}

/// What a stage of the way to the server came to.
pub(crate) fn way(finding: &StageOutcome, target: &Target) -> String {
    let host = match &target.proxy {
        Some(proxy) => &proxy.host,
        None => target.endpoint.host(),
    };
    match finding {
        StageOutcome::Resolved(_) if host.parse::<std::net::IpAddr>().is_ok() => {
            format!("{host} is an address")
        }
        StageOutcome::Resolved(addresses) => {
            let addresses: Vec<_> = addresses.iter().map(|one| one.ip().to_string()).collect();
            format!("{host} is {}", addresses.join(", "))
        }
        StageOutcome::TcpConnected { address, failures } => {
            let mut text = format!("connected to {address}");
            for one in failures {
                let _ = write!(text, "; not to {}: {}", one.address, one.error);
            }
            text
        }
        StageOutcome::UnixConnected => format!("connected to {}", target.endpoint),
        StageOutcome::ProxyConnected => match &target.proxy {
            Some(proxy) => format!("{proxy} leads to {}", target.endpoint),
            None => String::new(),
        },
        StageOutcome::TlsEstablished(TlsSession {
            version,
            cipher_suite,
            key_exchange,
        }) => format!("{version}, {cipher_suite}, {key_exchange}, ALPN h2"),
        StageOutcome::SettingsReceived => "the server speaks HTTP/2".to_owned(),
    }
}

fn trust(probe: &ProbeResult) -> String {
    let trusted = match probe.trust_basis {
        Some(TrustBasis::Pinned) => "trusted: it is the certificate given",
        Some(TrustBasis::Issued) => "trusted: a certificate given leads to it",
        Some(TrustBasis::System) => "trusted: the operating system's trust store leads to it",
        Some(TrustBasis::Unverified) => "not verified (--insecure)",
        None => "not judged",
    };
    let asked = if probe.has_certificate_request {
        "; the server asked for a client certificate"
    } else {
        ""
    };
    format!("{trusted}{asked}")
}

fn call_detail(path: &PathAndQuery, failure: Option<&Failure>, server_info: &ServerInfo) -> String {
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

fn certificate(certificate: &PresentedCertificate) -> Option<CertificateReport> {
    let inspected = certificate.info.as_ref().ok()?;
    Some(CertificateReport {
        subject: inspected.subject.to_string(),
        san: inspected.alternative_names.clone().unwrap_or_default(),
        issuer: inspected.issuer.to_string(),
        not_before: format_timestamp(inspected.not_before),
        not_after: format_timestamp(inspected.not_after),
        sha256: certificate.sha256.clone(),
    })
}

/// Whole days that are left; negative past the end.
fn days_left(certificate: &CertificateInfo, now: i64) -> i64 {
    (certificate.not_after - now).div_euclid(DAY)
}

fn chain_line(certificate: &PresentedCertificate, now: i64) -> String {
    match &certificate.info {
        Err(reason) => format!(
            "a certificate that can't be read: {reason}; SHA-256 {}",
            certificate.sha256
        ),
        Ok(inspected) => {
            let issuer = if inspected.is_self_issued() {
                "itself".to_owned()
            } else {
                inspected.issuer.to_string()
            };
            let names = match &inspected.alternative_names {
                Some(names) => format!("for {}", names.join(", ")),
                None => "no subject alternative name".to_owned(),
            };
            let left = match days_left(inspected, now) {
                days @ ..0 => format!("{} days past", -days),
                days => format!("{days} days left"),
            };
            format!(
                "{}, issued by {issuer}, {names}, valid from {} to {} ({left}), SHA-256 {}",
                inspected.subject,
                format_timestamp(inspected.not_before),
                format_timestamp(inspected.not_after),
                certificate.sha256
            )
        }
    }
}

fn warnings(probe: &ProbeResult, now: i64, warn_days: u32) -> Vec<String> {
    let mut warnings = Vec::new();
    let ends_soon =
        |one: &&CertificateInfo| (0..i64::from(warn_days)).contains(&days_left(one, now));
    // Only one that is trusted is worth to renew.
    if let Some(certificate) = probe
        .server_certificate()
        .filter(|_| probe.trust_basis.is_some())
        .filter(ends_soon)
    {
        warnings.push(format!(
            "the server's certificate ends in {} days, on {}",
            days_left(certificate, now),
            format_timestamp(certificate.not_after)
        ));
    }
    if let ProbeEnd::Called { server_info, .. } = &probe.end
        && let Some(ServingStatus::NotServing) = server_info.health
    {
        warnings.push("the server says that it does not serve (gRPC health checking)".to_owned());
    }
    warnings
}

/// Arguments as a shell reads them.
fn shell_words(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,[]".contains(c);
    let quoted: Vec<_> = words
        .iter()
        .map(|word| {
            if word.chars().all(plain) && !word.is_empty() {
                word.clone()
            } else {
                format!("'{}'", word.replace('\'', "'\\''"))
            }
        })
        .collect();
    quoted.join(" ")
}
