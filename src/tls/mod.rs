//! TLS: from options to a `rustls` configuration, trust explained.

mod certificate;
mod issuers;
mod name;
mod pem;
mod server;
mod verify;

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use rustls::{
    CipherSuite, ClientConfig, RootCertStore, SignatureScheme,
    client::{ResolvesClientCert, Resumption, danger::ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime},
    sign::CertifiedKey,
};

pub(crate) use certificate::{CertificateInfo, DistinguishedName, fingerprint};
pub(crate) use name::PeerName;
pub(crate) use pem::{PemError, PemKind, PemProblem};
pub(crate) use server::server_config;
pub(crate) use verify::{Refusal, RefusalReason};
use verify::{TrustRoots, Verifier};

/// The application protocol of gRPC over TLS (RFC 9113 section 3.2).
const HTTP2: &[u8] = b"h2";

/// Which servers are trusted.
#[derive(Debug)]
pub(crate) enum TrustPolicy {
    /// Those that the operating system's trust anchors lead to.
    System,
    /// Those that these certificates lead to, or are.
    Certificates(Vec<CertificateDer<'static>>),
    /// All of them.
    Unverified,
}

/// A certificate with its chain, and its private key.
#[derive(Debug)]
pub(crate) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// Why there can be no TLS configuration.
#[derive(Debug)]
pub(crate) enum TlsError {
    Pem(PemError),
    /// The operating system has no trust anchor that can be read.
    NoSystemTrustStore {
        causes: Vec<String>,
    },
    /// A certificate and a key that don't belong together, or of a kind that can't be used.
    InvalidIdentity(rustls::Error),
    /// A certificate that can be no trust anchor.
    InvalidTrustRoot(String),
    /// A certificate could not be made.
    CertificateGeneration(String),
    Unsupported(rustls::Error),
}

/// How to speak TLS to one server.
#[derive(Clone, Debug)]
pub(crate) struct ClientTls {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) handshake_name: ServerName<'static>,
    asked: Arc<AtomicBool>,
    verifier: Arc<Verifier>,
}

/// What a server presented, trusted or not.
#[derive(Clone, Debug, Default)]
pub(crate) struct PresentedChain {
    /// Its certificate, then those that lead from it to an authority.
    pub(crate) certificates: Vec<CertificateDer<'static>>,
    /// What the certificate is trusted for; `None` where it is not.
    pub(crate) trust: Option<TrustBasis>,
}

/// Why a certificate is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrustBasis {
    /// It was given itself.
    Pinned,
    /// A certificate that was given leads to it.
    Issued,
    /// The operating system's trust store leads to it.
    System,
    /// No reason was asked for.
    Unverified,
}

impl ClientTls {
    /// The configuration of a client that trusts as told and offers HTTP/2 alone.
    pub(crate) fn new(
        trust: TrustPolicy,
        identity: Option<Identity>,
        name: PeerName,
    ) -> Result<Self, TlsError> {
        let provider = provider();
        let handshake_name = name.for_handshake();
        let verifier = Arc::new(Verifier {
            name,
            presented: Mutex::default(),
            anchors: match trust {
                TrustPolicy::System => TrustRoots::System(system_roots()?),
                TrustPolicy::Certificates(certificates) => {
                    TrustRoots::Given(inspected(certificates)?)
                }
                TrustPolicy::Unverified => TrustRoots::Unverified,
            },
            algorithms: provider.signature_verification_algorithms,
        });
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unsupported)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::<Verifier>::clone(&verifier));
        let mut config = match identity {
            Some(Identity { chain, key }) => builder
                .with_client_auth_cert(chain, key)
                .map_err(TlsError::InvalidIdentity)?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![HTTP2.to_vec()];
        // A push needs one connection, and another is to be verified anew. Servers are not even asked
        // for tickets.
        config.resumption = Resumption::disabled();
        let asked = Arc::<AtomicBool>::default();
        config.client_auth_cert_resolver = Arc::new(Asked {
            resolver: config.client_auth_cert_resolver,
            asked: Arc::clone(&asked),
        });
        Ok(Self {
            config: Arc::new(config),
            handshake_name,
            asked,
            verifier,
        })
    }

    /// Begins another handshake, of which nothing is known yet.
    pub(crate) fn start_handshake(&self) {
        self.asked.store(false, Ordering::Relaxed);
    }

    /// Whether the server has asked for a client certificate. Some say no to the one they got, or to
    /// getting none, by hanging up.
    pub(crate) fn is_client_certificate_requested(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// What the server of the last handshake presented.
    pub(crate) fn presented_chain(&self) -> PresentedChain {
        self.verifier.presented_chain()
    }

    /// Whether these options would trust what another handshake's server presented.
    ///
    /// # Errors
    ///
    /// As in a handshake.
    pub(crate) fn verify_chain(&self, presented: &PresentedChain) -> Result<(), rustls::Error> {
        let Some((end_entity, intermediates)) = presented.certificates.split_first() else {
            return Err(rustls::Error::NoCertificatesPresented);
        };
        self.verifier
            .verify_server_cert(
                end_entity,
                intermediates,
                &self.handshake_name,
                &[],
                UnixTime::now(),
            )
            .map(|_| ())
    }
}

/// Notices that a client certificate is asked for.
#[derive(Debug)]
struct Asked {
    resolver: Arc<dyn ResolvesClientCert>,
    asked: Arc<AtomicBool>,
}

impl ResolvesClientCert for Asked {
    fn resolve(
        &self,
        root_hint_subjects: &[&[u8]],
        signature_schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.resolver.resolve(root_hint_subjects, signature_schemes)
    }

    fn has_certs(&self) -> bool {
        self.resolver.has_certs()
    }
}

impl Identity {
    /// Reads both from files, which may be one.
    pub(crate) fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        Ok(Self {
            chain: pem::certificates(certificate).map_err(TlsError::Pem)?,
            key: pem::private_key(key).map_err(TlsError::Pem)?,
        })
    }
}

impl Identity {
    /// What a client must trust.
    pub(crate) fn certificates(&self) -> Vec<CertificateDer<'static>> {
        self.chain.clone()
    }

    /// The certificate with its chain, as PEM.
    pub(crate) fn chain_pem(&self) -> String {
        self.chain.iter().map(|der| pem::encode(der)).collect()
    }
}

/// Reads trust anchors from PEM files.
pub(crate) fn read_trusted_certificates<P: AsRef<Path>>(
    files: &[P],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let mut anchors = Vec::new();
    for file in files {
        anchors.extend(pem::certificates(file.as_ref()).map_err(TlsError::Pem)?);
    }
    Ok(anchors)
}

/// Whether the peer agreed to speak HTTP/2.
pub(crate) fn is_http2(alpn: Option<&[u8]>) -> bool {
    alpn == Some(HTTP2)
}

/// Prefers AES-128 to AES-256, as Go and browsers do: processors have instructions for SHA-256,
/// which comes with it, and none for SHA-384, which was a tenth of a push of one record.
fn provider() -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    let first = provider
        .cipher_suites
        .iter()
        .position(|suite| suite.suite() == CipherSuite::TLS13_AES_128_GCM_SHA256);
    if let Some(first) = first {
        provider.cipher_suites[..=first].rotate_right(1);
    }
    Arc::new(provider)
}

fn inspected(
    certificates: Vec<CertificateDer<'static>>,
) -> Result<Vec<(CertificateDer<'static>, CertificateInfo)>, TlsError> {
    certificates
        .into_iter()
        .map(|der| match CertificateInfo::from_der(&der) {
            Ok(inspected) => Ok((der, inspected)),
            Err(reason) => Err(TlsError::InvalidTrustRoot(reason)),
        })
        .collect()
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        return Err(TlsError::NoSystemTrustStore {
            causes: found.errors.iter().map(ToString::to_string).collect(),
        });
    }
    Ok(roots)
}
