//! [`ServerTls`]: the TLS configuration of the reference receiver.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{WebPkiSupportedAlgorithms, aws_lc_rs},
    pki_types::{CertificateDer, UnixTime},
    server::{
        NoServerSessionStorage, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::SingleCertAndKey,
};
use webpki::EndEntityCert;

use super::{
    accept_error::AcceptError,
    certificate::{Certificate, ValidityError},
    chain::UnverifiedChain,
    client::HTTP2_PROTOCOL,
    clock::Clock,
    error::TlsError,
    identity::Identity,
    path::check_path,
    peer_role::PeerRole,
    protocol_error::TlsProtocolError,
    refusal::{ChainMember, Refusal, RefusalReason},
    signature::{verify_tls12, verify_tls13},
    unsuitability::Unsuitability,
};

#[derive(Debug)]
pub(crate) struct ServerTls {
    resolver: Arc<SingleCertAndKey>,
    /// `None` if clients need no certificate.
    trusted_clients: Option<Arc<TrustedClients>>,
}

/// The TLS configuration of one connection, because rustls does not tell why it refused the client
/// certificate of a connection.
#[derive(Debug)]
pub(crate) struct ConnectionTls {
    pub(crate) config: Arc<ServerConfig>,
    refusal: Arc<OnceLock<Refusal>>,
}

impl ServerTls {
    /// If `trusted_clients` is set, each client must present a certificate from that list, or a
    /// certificate that was issued by a certificate from that list.
    pub(crate) fn new(
        identity: Identity,
        trusted_clients: Option<Vec<Certificate>>,
    ) -> Result<Self, TlsError> {
        let trusted = trusted_clients.map(TrustedClients::new).transpose()?;
        Ok(Self {
            resolver: identity.into_resolver(),
            trusted_clients: trusted.map(Arc::new),
        })
    }

    pub(crate) fn for_connection(&self) -> ConnectionTls {
        let refusal = Arc::default();
        let builder = ServerConfig::builder();
        let builder = match &self.trusted_clients {
            None => builder.with_no_client_auth(),
            Some(trusted) => builder.with_client_cert_verifier(Arc::new(ClientVerifier {
                trusted: Arc::clone(trusted),
                refusal: Arc::clone(&refusal),
            })),
        };
        let mut config = builder.with_cert_resolver(Arc::<SingleCertAndKey>::clone(&self.resolver));
        config.time_provider = Arc::new(Clock);
        config.alpn_protocols = vec![HTTP2_PROTOCOL.to_vec()];
        // A later connection has another configuration, so it could not resume the session.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        ConnectionTls {
            config: Arc::new(config),
            refusal,
        }
    }
}

impl ConnectionTls {
    pub(crate) fn explain(&self, error: io::Error) -> AcceptError {
        match self.refusal.get() {
            Some(refusal) => AcceptError::CertificateRefused(refusal.clone()),
            None => error.into(),
        }
    }
}

/// The certificates that are configured as trusted (*pinned*).
#[derive(Debug)]
struct TrustedClients {
    pinned: Vec<Certificate>,
    roots: Arc<RootCertStore>,
    issued: Arc<dyn ClientCertVerifier>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl TrustedClients {
    fn new(pinned: Vec<Certificate>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in &pinned {
            roots.add(certificate.der.clone()).map_err(|error| {
                let property = Unsuitability::of_trust_root(certificate);
                TlsError::InvalidTrustRoot {
                    subject: certificate.subject(),
                    reason: match property {
                        Some(property) => format!("it {property}"),
                        None => TlsProtocolError::from(error).to_string(),
                    },
                }
            })?;
        }
        let roots = Arc::new(roots);
        let issued = WebPkiClientVerifier::builder(Arc::clone(&roots))
            .build()
            .map_err(|error| TlsError::ClientVerification(error.to_string()))?;
        Ok(Self {
            pinned,
            roots,
            issued,
            algorithms: aws_lc_rs::default_provider().signature_verification_algorithms,
        })
    }

    fn verify(&self, chain: &UnverifiedChain<'_>) -> Result<(), RefusalReason> {
        let verified = EndEntityCert::try_from(&chain.end_entity.der).and_then(|certificate| {
            let roots = &self.roots.roots;
            let (algorithms, now) = (self.algorithms.all, chain.now);
            certificate
                .verify_for_usage(
                    algorithms,
                    roots,
                    chain.intermediates,
                    now,
                    PeerRole::Client.key_usage(),
                    None,
                    Some(&|path| check_path(path, &[])),
                )
                .map(drop)
        });
        verified.map_err(|error| chain.explain(error, &self.pinned))
    }
}

/// Accepts a client certificate that is pinned, or that a pinned certificate issued. A pinned
/// certificate may be self-signed or a CA certificate.
#[derive(Debug)]
struct ClientVerifier {
    trusted: Arc<TrustedClients>,
    /// Why the client certificate was refused.
    refusal: Arc<OnceLock<Refusal>>,
}

impl ClientVerifier {
    fn refuse(&self, certificate: &Certificate, reason: RefusalReason) {
        let _ = self.refusal.set(Refusal {
            reason,
            certificate: Some(Box::new(certificate.clone())),
            store_remarks: Vec::new(),
        });
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.trusted.issued.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let trusted = &self.trusted;
        if let Some(pinned) = trusted.pinned.iter().find(|one| one.der == *end_entity) {
            return pinned.check_validity(now).map_or_else(
                |error| {
                    let alert = match error {
                        ValidityError::Expired(_) => CertificateError::Expired,
                        ValidityError::NotYetValid(_) => CertificateError::NotValidYet,
                    };
                    let member = ChainMember::EndEntity;
                    self.refuse(pinned, RefusalReason::OutsideValidity(member, error));
                    Err(alert.into())
                },
                |()| Ok(ClientCertVerified::assertion()),
            );
        }
        let verify_with_rustls =
            || (trusted.issued).verify_client_cert(end_entity, intermediates, now);
        let Ok(certificate) = Certificate::parse(end_entity) else {
            return verify_with_rustls();
        };
        let parsed = intermediates.iter().map(Certificate::parse);
        let issuers: Vec<_> = parsed.filter_map(Result::ok).collect();
        let verified = trusted.verify(&UnverifiedChain {
            role: PeerRole::Client,
            end_entity: &certificate,
            issuers: &issuers,
            intermediates,
            now,
        });
        let Err(reason) = verified else {
            return Ok(ClientCertVerified::assertion());
        };
        self.refuse(&certificate, reason);
        // rustls knows the alert for each error of webpki.
        verify_with_rustls()?;
        Err(CertificateError::InvalidPurpose.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12(message, cert, dss, &self.trusted.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13(message, cert, dss, &self.trusted.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trusted.issued.supported_verify_schemes()
    }
}
