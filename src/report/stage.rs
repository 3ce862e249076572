//! The descriptions of the outcomes of connection stages.

use std::{fmt::Write as _, net::IpAddr};

use crate::client::{Stage, StageSuccess, Target, TlsSession};

pub(super) fn stage_of(outcome: &StageSuccess) -> Stage {
    match outcome {
        StageSuccess::Resolved(_) => Stage::Dns,
        StageSuccess::TcpConnected { .. } | StageSuccess::UnixConnected => Stage::Tcp,
        StageSuccess::ProxyConnected => Stage::Proxy,
        StageSuccess::TlsEstablished(_) => Stage::Tls,
        StageSuccess::SettingsReceived => Stage::Http2,
    }
}

pub(super) fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Dns => "DNS",
        Stage::Tcp => "TCP",
        Stage::Proxy => "proxy",
        Stage::Tls => "TLS",
        Stage::Http2 => "HTTP/2",
    }
}

/// Returns the name of a stage and the description of its outcome.
pub(crate) fn format_stage(outcome: &StageSuccess, target: &Target) -> String {
    let name = stage_name(stage_of(outcome));
    format!("{name}: {}", describe_stage(outcome, target))
}

pub(super) fn describe_stage(outcome: &StageSuccess, target: &Target) -> String {
    let host = match &target.proxy {
        Some(proxy) => &proxy.address.host,
        None => target.endpoint.host(),
    };
    match outcome {
        StageSuccess::Resolved(_) if host.parse::<IpAddr>().is_ok() => {
            format!("{host} is an IP address")
        }
        StageSuccess::Resolved(addresses) => {
            let addresses: Vec<_> = addresses
                .iter()
                .map(|address| address.ip().to_string())
                .collect();
            format!("{host} resolved to {}", addresses.join(", "))
        }
        StageSuccess::TcpConnected { address, failures } => {
            let mut text = format!("connected to {address}");
            for failed in failures {
                let _ = write!(text, "; {} failed: {}", failed.address, failed.error);
            }
            text
        }
        StageSuccess::UnixConnected => format!("connected to {}", target.endpoint),
        StageSuccess::ProxyConnected => match &target.proxy {
            Some(proxy) => format!("tunnel to {} through {}", target.endpoint, proxy.address),
            None => String::new(),
        },
        StageSuccess::TlsEstablished(TlsSession {
            version,
            cipher_suite,
            key_exchange,
        }) => format!("{version}, {cipher_suite}, {key_exchange}, ALPN h2"),
        StageSuccess::SettingsReceived => "SETTINGS received".to_owned(),
    }
}
