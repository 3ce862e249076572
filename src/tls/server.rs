//! TLS for the reference receiver.

use std::sync::Arc;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::{
    DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use super::{CertificateInfo, HTTP2, Identity, TlsError, provider, verify::dates};

/// The names a made certificate is good for.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// How long a made certificate lasts: the longest that strict clients accept.
const LIFETIME_DAYS: i64 = 397;

impl Identity {
    /// Makes a certificate for the loopback names, valid from yesterday on, so that a client whose
    /// clock is behind takes it too.
    pub(crate) fn self_signed() -> Result<Self, TlsError> {
        make().map_err(|error| TlsError::CertificateGeneration(error.to_string()))
    }
}

fn make() -> Result<Identity, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(LOCAL_NAMES.map(ToOwned::to_owned))?;
    params
        .distinguished_name
        .push(DnType::CommonName, "localhost");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let today = jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    params.not_before = date(today.saturating_sub(jiff::Span::new().days(1)));
    params.not_after = date(today.saturating_add(jiff::Span::new().days(LIFETIME_DAYS - 1)));
    let certificate = params.self_signed(&key)?;
    Ok(Identity {
        chain: vec![certificate.der().clone()],
        key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
    })
}

fn date(date: jiff::civil::Date) -> time::OffsetDateTime {
    rcgen::date_time_ymd(
        i32::from(date.year()),
        date.month().unsigned_abs(),
        date.day().unsigned_abs(),
    )
}

/// The configuration of a server that offers HTTP/2 alone and, given certificates, demands one
/// from each client that leads to them.
pub(crate) fn server_config(
    identity: Identity,
    client_anchors: Option<Vec<CertificateDer<'static>>>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = provider();
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unsupported)?;
    let builder = match client_anchors {
        None => builder.with_no_client_auth(),
        Some(anchors) => builder.with_client_cert_verifier(client_verifier(anchors, provider)?),
    };
    let mut config = builder
        .with_single_cert(identity.chain, identity.key)
        .map_err(TlsError::InvalidIdentity)?;
    config.alpn_protocols = vec![HTTP2.to_vec()];
    Ok(Arc::new(config))
}

fn client_verifier(
    anchors: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for anchor in &anchors {
        roots
            .add(anchor.clone())
            .map_err(|error| TlsError::InvalidTrustRoot(error.to_string()))?;
    }
    let issued = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| TlsError::InvalidTrustRoot(error.to_string()))?;
    Ok(Arc::new(PinnedOrIssued {
        pinned: super::inspected(anchors)?,
        issued,
    }))
}

/// Takes the certificates that were given themselves, self-signed and CA:TRUE as they may be, and
/// those that they issued.
#[derive(Debug)]
struct PinnedOrIssued {
    pinned: Vec<(CertificateDer<'static>, CertificateInfo)>,
    issued: Arc<dyn ClientCertVerifier>,
}

impl ClientCertVerifier for PinnedOrIssued {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.issued.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        match self.pinned.iter().find(|(der, _)| der == end_entity) {
            Some((_, pinned)) if dates(pinned, now).is_ok() => Ok(ClientCertVerified::assertion()),
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
