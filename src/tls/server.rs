//! TLS for the reference receiver.

use std::sync::Arc;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
};

use super::{HTTP2, Identity, TlsError, provider};

/// The names a made certificate is good for.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// How long a made certificate lasts: the longest that strict clients accept.
const LIFETIME_DAYS: i64 = 397;

impl Identity {
    /// Makes a certificate for the loopback names, valid from yesterday on, so that a client whose
    /// clock is behind takes it too.
    pub(crate) fn self_signed() -> Result<Self, TlsError> {
        make().map_err(|error| TlsError::SelfSigned(error.to_string()))
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
        Some(anchors) => {
            let mut roots = RootCertStore::empty();
            for anchor in anchors {
                roots
                    .add(anchor)
                    .map_err(|error| TlsError::Anchors(error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| TlsError::Anchors(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder
        .with_single_cert(identity.chain, identity.key)
        .map_err(TlsError::Identity)?;
    config.alpn_protocols = vec![HTTP2.to_vec()];
    Ok(Arc::new(config))
}
