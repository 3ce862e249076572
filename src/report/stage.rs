//! The names of connection stages and the descriptions of their outcomes, for `probe` and for
//! `--verbose`.

use std::{fmt::Write as _, net::IpAddr};

use crate::client::{Stage, StageOutcome, Target, TlsSession};

/// Returns the name that a stage has in reports.
pub(super) fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Dns => "DNS",
        Stage::Tcp => "TCP",
        Stage::Proxy => "proxy",
        Stage::Tls => "TLS",
        Stage::Http2 => "HTTP/2",
    }
}

/// Returns the stage to which an outcome belongs.
pub(super) fn stage_of(outcome: &StageOutcome) -> Stage {
    match outcome {
        StageOutcome::Resolved(_) => Stage::Dns,
        StageOutcome::TcpConnected { .. } | StageOutcome::UnixConnected => Stage::Tcp,
        StageOutcome::ProxyConnected => Stage::Proxy,
        StageOutcome::TlsEstablished(_) => Stage::Tls,
        StageOutcome::SettingsReceived => Stage::Http2,
    }
}

/// Describes the outcome of a stage that succeeded.
pub(crate) fn describe_stage(outcome: &StageOutcome, target: &Target) -> String {
    let host = match &target.proxy {
        Some(proxy) => &proxy.host,
        None => target.endpoint.host(),
    };
    match outcome {
        StageOutcome::Resolved(_) if host.parse::<IpAddr>().is_ok() => {
            format!("{host} is an address")
        }
        StageOutcome::Resolved(addresses) => {
            let addresses: Vec<_> = addresses
                .iter()
                .map(|address| address.ip().to_string())
                .collect();
            format!("{host} is {}", addresses.join(", "))
        }
        StageOutcome::TcpConnected { address, failures } => {
            let mut text = format!("connected to {address}");
            for failed in failures {
                let _ = write!(text, "; not to {}: {}", failed.address, failed.error);
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
