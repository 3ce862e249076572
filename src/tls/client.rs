//! [`ClientTls`]: the TLS configuration of a client, and the observations in the client's last
//! handshake.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use rustls::{
    ClientConfig, SignatureScheme,
    client::{ResolvesClientCert, Resumption},
    pki_types::ServerName,
    sign::CertifiedKey,
};

use super::{
    clock::Clock,
    identity::Identity,
    peer_name::PeerName,
    trust::TrustPolicy,
    verifier::{PresentedChain, ServerVerifier},
};

/// The ALPN identifier of HTTP/2 over TLS (RFC 9113 section 3.2). gRPC uses no other protocol.
pub(crate) const HTTP2_PROTOCOL: &[u8] = b"h2";

#[derive(Clone, Debug)]
pub(crate) struct ClientTls {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) handshake_name: ServerName<'static>,
    certificate_request: Arc<CertificateRequestObserver>,
    verifier: Arc<ServerVerifier>,
}

impl ClientTls {
    pub(crate) fn new(
        policy: TrustPolicy,
        identity: Option<Identity>,
        server_name: PeerName,
    ) -> Self {
        let builder = ClientConfig::builder();
        let handshake_name = server_name.for_handshake();
        let verifier = Arc::new(ServerVerifier {
            server_name,
            policy,
            algorithms: builder.crypto_provider().signature_verification_algorithms,
            presented: Mutex::default(),
        });
        let builder = builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::<ServerVerifier>::clone(&verifier));
        let mut config = match identity {
            Some(identity) => builder.with_client_cert_resolver(identity.into_resolver()),
            None => builder.with_no_client_auth(),
        };
        config.time_provider = Arc::new(Clock);
        config.alpn_protocols = vec![HTTP2_PROTOCOL.to_vec()];
        // A resumed session would skip the verification of the server certificate.
        config.resumption = Resumption::disabled();
        let certificate_request = Arc::new(CertificateRequestObserver {
            resolver: config.client_auth_cert_resolver,
            is_requested: AtomicBool::new(false),
        });
        config.client_auth_cert_resolver =
            Arc::<CertificateRequestObserver>::clone(&certificate_request);
        Self {
            config: Arc::new(config),
            handshake_name,
            certificate_request,
            verifier,
        }
    }

    /// Must be called before each handshake.
    pub(crate) fn clear_certificate_request(&self) {
        let is_requested = &self.certificate_request.is_requested;
        is_requested.store(false, Ordering::Relaxed);
    }

    /// Some servers only close the connection if the client has no certificate, or a certificate
    /// that the server does not accept. The certificate request in the current handshake is then
    /// the only sign of the reason.
    pub(crate) fn is_client_certificate_requested(&self) -> bool {
        let is_requested = &self.certificate_request.is_requested;
        is_requested.load(Ordering::Relaxed)
    }

    pub(crate) fn has_client_certificate(&self) -> bool {
        self.certificate_request.has_certs()
    }

    /// Returns the certificates that the server presented in the last handshake.
    pub(crate) fn presented_chain(&self) -> PresentedChain {
        let presented = self.verifier.presented.lock();
        presented.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Debug)]
struct CertificateRequestObserver {
    resolver: Arc<dyn ResolvesClientCert>,
    is_requested: AtomicBool,
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
