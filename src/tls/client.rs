//! [`ClientTls`]: the TLS configuration of a client, and the observations in the client's last
//! handshake.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use rustls::{
    ClientConfig, SignatureScheme,
    client::{ResolvesClientCert, Resumption},
    pki_types::ServerName,
    sign::CertifiedKey,
};

use super::{
    error::TlsError,
    evaluator::TrustEvaluator,
    identity::Identity,
    peer_name::PeerName,
    provider::{HTTP2_PROTOCOL, crypto_provider},
    trust::TrustPolicy,
    verifier::{PresentedChain, ServerVerifier},
};

/// The TLS configuration for connections to one server.
#[derive(Clone, Debug)]
pub(crate) struct ClientTls {
    pub(crate) config: Arc<ClientConfig>,
    /// The server name that is passed to the TLS library.
    pub(crate) handshake_name: ServerName<'static>,
    is_client_certificate_requested: Arc<AtomicBool>,
    verifier: Arc<ServerVerifier>,
}

impl ClientTls {
    /// Builds a configuration that offers only HTTP/2 and does not resume TLS sessions.
    pub(crate) fn new(
        policy: TrustPolicy,
        identity: Option<Identity>,
        server_name: PeerName,
    ) -> Result<Self, TlsError> {
        let provider = crypto_provider();
        let handshake_name = server_name.for_handshake();
        let verifier = Arc::new(ServerVerifier::new(TrustEvaluator {
            server_name,
            policy,
            algorithms: provider.signature_verification_algorithms,
        }));
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unsupported)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::<ServerVerifier>::clone(&verifier));
        let mut config = match identity {
            Some(identity) => builder
                .with_client_auth_cert(identity.chain_der(), identity.key)
                .map_err(TlsError::InvalidIdentity)?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![HTTP2_PROTOCOL.to_vec()];
        // Sessions are not resumed, because a resumed session skips the verification of the server
        // certificate. A push usually needs only one connection, so resumption would save little
        // time.
        config.resumption = Resumption::disabled();
        let is_client_certificate_requested = Arc::<AtomicBool>::default();
        config.client_auth_cert_resolver = Arc::new(CertificateRequestObserver {
            resolver: config.client_auth_cert_resolver,
            is_requested: Arc::clone(&is_client_certificate_requested),
        });
        Ok(Self {
            config: Arc::new(config),
            handshake_name,
            is_client_certificate_requested,
            verifier,
        })
    }

    /// Makes [`ClientTls::is_client_certificate_requested()`] return false until the server
    /// requests a client certificate. This function must be called before each handshake.
    pub(crate) fn clear_certificate_request(&self) {
        self.is_client_certificate_requested
            .store(false, Ordering::Relaxed);
    }

    /// Returns whether the server requested a client certificate in the current handshake.
    ///
    /// Some servers only close the connection if the client has no certificate, or a certificate
    /// that the server does not accept. The certificate request is then the only sign of the
    /// reason.
    pub(crate) fn is_client_certificate_requested(&self) -> bool {
        self.is_client_certificate_requested.load(Ordering::Relaxed)
    }

    pub(crate) fn has_client_certificate(&self) -> bool {
        self.config.client_auth_cert_resolver.has_certs()
    }

    /// Returns the certificates that the server presented in the last handshake.
    pub(crate) fn presented_chain(&self) -> PresentedChain {
        self.verifier.presented_chain()
    }
}

/// A client certificate resolver that notes whether the server requested a client certificate.
#[derive(Debug)]
struct CertificateRequestObserver {
    resolver: Arc<dyn ResolvesClientCert>,
    is_requested: Arc<AtomicBool>,
}

impl ResolvesClientCert for CertificateRequestObserver {
    fn resolve(
        &self,
        root_hint_subjects: &[&[u8]],
        signature_schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        self.is_requested.store(true, Ordering::Relaxed);
        self.resolver.resolve(root_hint_subjects, signature_schemes)
    }

    fn has_certs(&self) -> bool {
        self.resolver.has_certs()
    }
}
