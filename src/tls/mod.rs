//! TLS for both sides: turns options into `rustls` configurations, decides which certificates are
//! trusted and gives a reason for each refusal.
//!
//! Opening connections and wording refusals for the user belong to `client` and `diagnostics`.

mod alpn;
mod certificate;
mod chain;
mod client;
mod error;
mod evaluator;
mod explanation;
mod identity;
mod peer_name;
mod pem;
mod provider;
mod refusal;
mod server;
mod trust;
mod verifier;

pub(crate) use alpn::is_http2;
pub(crate) use certificate::{CertificateInfo, DistinguishedName, fingerprint};
pub(crate) use client::ClientTls;
pub(crate) use error::TlsError;
pub(crate) use identity::Identity;
pub(crate) use peer_name::PeerName;
pub(crate) use pem::{PemError, PemKind, PemProblem};
pub(crate) use refusal::{Refusal, RefusalReason};
pub(crate) use server::server_config;
pub(crate) use trust::{TrustBasis, TrustPolicy, read_trusted_certificates};
