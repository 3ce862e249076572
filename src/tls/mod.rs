//! TLS for client and server. This module turns options into `rustls` configurations, decides which
//! certificates are trusted, and gives a reason for each refusal.
//!
//! `client` opens connections, and `diagnostics` adds hints to the errors.

mod accept_error;
mod binary_format;
mod certificate;
mod chain;
mod client;
mod client_certificate;
mod clock;
mod error;
mod general_name;
mod handshake_error;
mod identity;
mod name_constraints;
mod path;
mod peer_name;
mod peer_role;
mod pem;
mod protocol_error;
mod refusal;
mod server;
mod signature;
mod trust;
mod unsuitability;
mod verifier;

pub(crate) use accept_error::AcceptError;
pub(crate) use binary_format::BinaryFormat;
pub(crate) use certificate::{Certificate, ValidityError, Weakness};
pub(crate) use client::{ClientTls, HTTP2_PROTOCOL};
pub(crate) use client_certificate::{CertificateAnswer, ClientCertificateFlaw, ClientRefusal};
pub(crate) use error::{PemProblem, TlsError};
pub(crate) use general_name::list as list_names;
pub(crate) use handshake_error::HandshakeError;
pub(crate) use identity::Identity;
pub(crate) use peer_name::PeerName;
pub(crate) use pem::{PRIVATE_KEY, read_certificates};
pub(crate) use protocol_error::TlsProtocolError;
pub(crate) use refusal::{AcceptedName, ChainMember, RefusalReason};
pub(crate) use server::ServerTls;
pub(crate) use trust::{TrustBasis, TrustPolicy};
pub(crate) use unsuitability::Unsuitability;
