//! [`ClientTls`]: the TLS configuration of a client, and the observations in the client's last
//! handshake.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::{
    ClientConfig, SignatureScheme,
    client::{ResolvesClientCert, Resumption},
    pki_types::ServerName,
    sign::CertifiedKey,
};

use super::{
    certificate::Certificate,
    client_certificate::{CertificateAnswer, find_flaws},
    clock::{Clock, now},
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
        let chain = identity.as_ref().map(|identity| identity.chain.clone());
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
            chain: chain.unwrap_or_default(),
            last_request: Mutex::default(),
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
        *self.certificate_request.last_request() = None;
    }

    pub(crate) fn is_client_certificate_requested(&self) -> bool {
        self.certificate_request.last_request().is_some()
    }

    /// Returns the answer to the certificate request in the current handshake, or `None` if there was
    /// no request.
    ///
    /// Some servers only close the connection if the client has no certificate, or a certificate
    /// that the server does not accept. The request is then the only sign of the reason.
    pub(crate) fn certificate_answer(&self) -> Option<CertificateAnswer> {
        let request = self.certificate_request.last_request();
        request
            .as_ref()
            .map(|request| self.certificate_request.answer(request))
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
    /// The configured client certificate, followed by the CA certificates of its chain.
    chain: Vec<Certificate>,
    last_request: Mutex<Option<CertificateRequest>>,
}

#[derive(Debug)]
struct CertificateRequest {
    /// The names in DER of the CAs from which the server accepts certificates. May be empty.
    authorities: Vec<Vec<u8>>,
    /// Whether the key can make a signature that the server accepts. Otherwise rustls sends no
    /// certificate.
    is_key_supported: bool,
}

impl CertificateRequestObserver {
    fn last_request(&self) -> MutexGuard<'_, Option<CertificateRequest>> {
        let request = self.last_request.lock();
        request.unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &CertificateRequest) -> CertificateAnswer {
        let Some(certificate) = self.chain.first() else {
            return CertificateAnswer::Empty;
        };
        let subject = certificate.subject();
        if !request.is_key_supported {
            return CertificateAnswer::KeyNotSupported { subject };
        }
        let flaws = find_flaws(&self.chain, &request.authorities, now());
        CertificateAnswer::Sent { subject, flaws }
    }
}

impl ResolvesClientCert for CertificateRequestObserver {
    fn resolve(
        &self,
        root_hint_subjects: &[&[u8]],
        signature_schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        let key = self.resolver.resolve(root_hint_subjects, signature_schemes);
        let can_sign = |key: &Arc<CertifiedKey>| key.key.choose_scheme(signature_schemes).is_some();
        *self.last_request() = Some(CertificateRequest {
            authorities: root_hint_subjects
                .iter()
                .map(|name| name.to_vec())
                .collect(),
            is_key_supported: key.as_ref().is_some_and(can_sign),
        });
        key
    }

    fn has_certs(&self) -> bool {
        self.resolver.has_certs()
    }
}
