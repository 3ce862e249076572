//! A TLS server that presents any certificate with any private key, even a pair with which `serve`
//! would refuse to start. The server stores the names and the protocols that its clients request.

use std::{
    fmt,
    sync::{Arc, mpsc},
};

use http::request::Parts;
use rustls::{
    ServerConfig, SignatureAlgorithm, SignatureScheme, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::{CertifiedKey, Signer, SigningKey},
};
use tokio_rustls::TlsAcceptor;

use super::{
    async_server::{ServerTask, serve_connections},
    certificates::Identity,
    fault_server::action::Response,
    grpc_server::{Behavior, serve_http2},
    openssl::openssl,
};

/// The extensions of a `ClientHello` that depend on the program's options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestedNames {
    /// The server name (SNI).
    pub(crate) server_name: Option<String>,
    /// The application protocols (ALPN).
    pub(crate) protocols: Vec<String>,
}

/// A server on a free port that answers every request with code 0.
pub(crate) struct TlsServer {
    pub(crate) address: String,
    _task: ServerTask,
    hellos: mpsc::Receiver<RequestedNames>,
    requests: mpsc::Receiver<Parts>,
}

impl TlsServer {
    /// Starts a server that presents the chain and signs with the key, even if the key does not
    /// belong to the certificate.
    pub(crate) fn start(
        identity: &Identity,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let (record_hello, hellos) = mpsc::channel();
        let resolver = RecordingResolver {
            key: Arc::new(certified_key(identity)),
            hellos: record_hello,
        };
        let (record, requests) = mpsc::channel();
        let acceptor = TlsAcceptor::from(server_config(Arc::new(resolver), versions));
        let behavior = Arc::new(Behavior {
            response: Response::code(0),
            reads_request: true,
            has_one_method: true,
            refuse: |_| None,
        });
        let task = serve_connections(move |stream| {
            let (acceptor, behavior) = (acceptor.clone(), Arc::clone(&behavior));
            let record = record.clone();
            async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    // A client may disconnect at any time, so connection errors are ignored.
                    let _ = serve_http2(stream, behavior, record).await;
                }
            }
        });
        Self {
            address: task.address.clone(),
            _task: task,
            hellos,
            requests,
        }
    }

    /// Waits for the next `ClientHello`.
    pub(crate) fn hello(&self) -> RequestedNames {
        self.hellos.recv().expect("a client")
    }

    /// Waits for the headers of the next request that was read to its end.
    pub(crate) fn request(&self) -> Parts {
        self.requests.recv().expect("a request")
    }

    /// Returns the number of requests that [`Self::request`] has not returned, and discards these
    /// requests.
    pub(crate) fn new_request_count(&self) -> usize {
        self.requests.try_iter().count()
    }
}

/// Returns the configuration of a server that offers HTTP/2.
pub(crate) fn server_config(
    resolver: Arc<dyn ResolvesServerCert>,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ServerConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("versions")
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

/// Reads a chain and a key, without checking that the key belongs to the certificate.
pub(crate) fn certified_key(identity: &Identity) -> CertifiedKey {
    let chain = CertificateDer::pem_file_iter(&identity.cert)
        .and_then(Iterator::collect)
        .expect("certificates");
    let key = PrivateKeyDer::from_pem_file(&identity.key).expect("a key");
    // The provider refuses RSA keys of less than 2048 bits and other curves, so the `openssl` command
    // signs with such keys.
    let key = aws_lc_rs::sign::any_supported_type(&key).unwrap_or_else(|_| {
        Arc::new(OpensslKey {
            file: identity.key.clone(),
            is_elliptic: matches!(key, PrivateKeyDer::Sec1(_)),
        })
    });
    CertifiedKey::new(chain, key)
}

struct RecordingResolver {
    key: Arc<CertifiedKey>,
    hellos: mpsc::Sender<RequestedNames>,
}

impl fmt::Debug for RecordingResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordingResolver")
    }
}

impl ResolvesServerCert for RecordingResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let protocols = hello.alpn().into_iter().flatten();
        // If the test has ended, sending fails, which does not matter.
        let _ = self.hellos.send(RequestedNames {
            server_name: hello.server_name().map(ToOwned::to_owned),
            protocols: protocols
                .map(|name| String::from_utf8_lossy(name).into_owned())
                .collect(),
        });
        Some(Arc::clone(&self.key))
    }
}

/// A key that the `openssl` command signs with.
#[derive(Clone, Debug)]
struct OpensslKey {
    file: String,
    /// Whether the key is for ECDSA, not for RSA.
    is_elliptic: bool,
}

impl SigningKey for OpensslKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let is_offered = offered.contains(&self.scheme());
        is_offered.then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        if self.is_elliptic {
            SignatureAlgorithm::ECDSA
        } else {
            SignatureAlgorithm::RSA
        }
    }
}

impl Signer for OpensslKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let pss = ["rsa_padding_mode:pss", "rsa_pss_saltlen:digest"];
        let args = ["dgst", "-sha256", "-sign", &self.file];
        let pss = if self.is_elliptic { &[][..] } else { &pss };
        let options = pss.iter().flat_map(|option| ["-sigopt", option]);
        Ok(openssl(args.into_iter().chain(options), message))
    }

    fn scheme(&self) -> SignatureScheme {
        if self.is_elliptic {
            SignatureScheme::ECDSA_NISTP256_SHA256
        } else {
            SignatureScheme::RSA_PSS_SHA256
        }
    }
}
