//! The TLS configuration of the reference receiver.

use std::sync::Arc;

use rustls::{
    DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use super::{
    certificate::Certificate, client::HTTP2_PROTOCOL, clock::Clock, error::TlsError,
    identity::Identity,
};

/// If `trusted_clients` is set, each client must present a certificate from that list, or a
/// certificate that was issued by a certificate from that list.
pub(crate) fn server_config(
    identity: Identity,
    trusted_clients: Option<Vec<Certificate>>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let builder = ServerConfig::builder();
    let builder = match trusted_clients {
        None => builder.with_no_client_auth(),
        Some(trusted) => builder.with_client_cert_verifier(client_verifier(trusted)?),
    };
    let mut config = builder.with_cert_resolver(identity.into_resolver());
    config.time_provider = Arc::new(Clock);
    config.alpn_protocols = vec![HTTP2_PROTOCOL.to_vec()];
    Ok(Arc::new(config))
}

fn client_verifier(pinned: Vec<Certificate>) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in &pinned {
        roots
            .add(certificate.der.clone())
            .map_err(|error| TlsError::InvalidTrustRoot(error.to_string()))?;
    }
    let issued = WebPkiClientVerifier::builder(Arc::new(roots))
        .build()
        .map_err(|error| TlsError::InvalidTrustRoot(error.to_string()))?;
    Ok(Arc::new(ClientVerifier { pinned, issued }))
}

/// Accepts a client certificate that is itself configured as trusted (*pinned*), or that a pinned
/// certificate issued. A pinned certificate may be self-signed or a CA certificate.
#[derive(Debug)]
struct ClientVerifier {
    pinned: Vec<Certificate>,
    issued: Arc<dyn ClientCertVerifier>,
}

impl ClientCertVerifier for ClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.issued.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let pinned = self.pinned.iter().find(|pinned| pinned.der == *end_entity);
        match pinned {
            Some(pinned) if pinned.check_validity(now).is_ok() => {
                Ok(ClientCertVerified::assertion())
            }
            _ => self
                .issued
                .verify_client_cert(end_entity, intermediates, now),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.issued.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.issued.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.issued.supported_verify_schemes()
    }
}
