//! A TLS server inside the test: it presents any certificate, with its key or without, where
//! `serve` would refuse to start, and remembers what its clients asked for.

use std::{
    fmt, fs,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Arc, mpsc},
    thread,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use rustls::{
    ServerConfig, SignatureAlgorithm, SignatureScheme, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::{CertifiedKey, Signer, SigningKey},
};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::Pair;

/// What a client asked for in its first message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    /// SNI.
    pub(crate) server_name: Option<String>,
    /// ALPN.
    pub(crate) protocols: Vec<String>,
}

/// The one call that it knows.
const PATH: &str = "/Internal/UpdateSensorExpireTime";

/// A server on a free port, which answers every request with code 0.
pub(crate) struct TlsServer {
    pub(crate) address: String,
    _serving: Serving,
    hellos: mpsc::Receiver<Hello>,
    answered: mpsc::Receiver<http::request::Parts>,
}

impl TlsServer {
    /// Presents the chain of `pair`, and signs with its key, whether that is the certificate's or
    /// not.
    pub(crate) fn start(pair: &Pair, versions: &[&'static SupportedProtocolVersion]) -> Self {
        let (tell, hellos) = mpsc::channel();
        let presented = Presented {
            key: Arc::new(certified_key(pair)),
            tell,
        };
        let (done, answered) = mpsc::channel();
        let acceptor = TlsAcceptor::from(server_config(Arc::new(presented), versions));
        let serving = serve(move |stream| {
            let acceptor = acceptor.clone();
            let done = done.clone();
            async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    // A client may leave whenever it likes.
                    let _ = answer(stream, done).await;
                }
            }
        });
        Self {
            address: serving.address.clone(),
            _serving: serving,
            hellos,
            answered,
        }
    }

    /// The next client's first message.
    pub(crate) fn hello(&self) -> Hello {
        self.hellos.recv().expect("a client")
    }

    /// The head of the next request that was read whole and answered.
    pub(crate) fn request(&self) -> http::request::Parts {
        self.answered.recv().expect("a request")
    }

    /// How many requests were answered since they were last asked for.
    pub(crate) fn answered(&self) -> usize {
        self.answered.try_iter().count()
    }
}

/// A server inside the test process. It ends with this value, so that the servers of all tests
/// together stay below the limit of open files.
pub(crate) struct Serving {
    pub(crate) address: String,
    _stop: oneshot::Sender<()>,
}

/// Serves each connection to a free port, on one thread for all of them.
pub(crate) fn serve<F>(connection: impl Fn(tokio::net::TcpStream) -> F + Send + 'static) -> Serving
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    listener.set_nonblocking(true).expect("set");
    let (stop, stopped) = oneshot::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            let accept = async {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(connection(stream));
                }
            };
            tokio::select! {
                () = accept => {}
                _ = stopped => {}
            }
        });
    });
    Serving {
        address,
        _stop: stop,
    }
}

/// A server's configuration that offers HTTP/2.
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

/// The chain and the key, not compared.
pub(crate) fn certified_key(pair: &Pair) -> CertifiedKey {
    let chain = CertificateDer::pem_file_iter(&pair.cert)
        .and_then(Iterator::collect)
        .expect("certificates");
    let key = PrivateKeyDer::from_pem_file(&pair.key).expect("a key");
    // The provider takes no RSA key of less than 2048 bits.
    let key = aws_lc_rs::sign::any_supported_type(&key).unwrap_or_else(|_| {
        Arc::new(OpensslKey {
            file: pair.key.clone(),
        })
    });
    CertifiedKey::new(chain, key)
}

struct Presented {
    key: Arc<CertifiedKey>,
    tell: mpsc::Sender<Hello>,
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Presented")
    }
}

impl ResolvesServerCert for Presented {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let protocols = hello.alpn().into_iter().flatten();
        // The test may be over.
        let _ = self.tell.send(Hello {
            server_name: hello.server_name().map(ToOwned::to_owned),
            protocols: protocols
                .map(|name| String::from_utf8_lossy(name).into_owned())
                .collect(),
        });
        Some(Arc::clone(&self.key))
    }
}

/// An RSA key that the `openssl` command signs with.
#[derive(Clone, Debug)]
struct OpensslKey {
    file: PathBuf,
}

const OPENSSL_SCHEME: SignatureScheme = SignatureScheme::RSA_PSS_SHA256;

impl SigningKey for OpensslKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let shared = offered.contains(&OPENSSL_SCHEME);
        shared.then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::RSA
    }
}

impl Signer for OpensslKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let file = self.file.to_str().expect("UTF-8");
        let pss = ["rsa_padding_mode:pss", "rsa_pss_saltlen:digest"];
        let args = ["dgst", "-sha256", "-sign", file];
        let options = pss.iter().flat_map(|option| ["-sigopt", option]);
        Ok(openssl(args.into_iter().chain(options), message))
    }

    fn scheme(&self) -> SignatureScheme {
        OPENSSL_SCHEME
    }
}

/// What the `openssl` command answers, which makes what Rust's libraries rightly won't.
pub(crate) fn openssl<'a>(args: impl IntoIterator<Item = &'a str>, input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the openssl command");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input).expect("read by openssl");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{talk}");
    output.stdout
}

/// Answers every request of a connection with code 0 once it has come whole.
async fn answer<S>(stream: S, done: mpsc::Sender<http::request::Parts>) -> Result<(), h2::Error>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut connection = h2::server::handshake(stream).await?;
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        let done = done.clone();
        tokio::spawn(async move { ok(request, respond, done).await });
    }
    Ok(())
}

async fn ok(
    request: Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    done: mpsc::Sender<http::request::Parts>,
) -> Result<(), h2::Error> {
    let (head, mut body) = request.into_parts();
    while let Some(data) = body.data().await {
        let length = data?.len();
        body.flow_control().release_capacity(length)?;
    }
    let mut response = Response::new(());
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", grpc);
    if head.uri.path() != PATH {
        let unimplemented = HeaderValue::from_static("12");
        response.headers_mut().insert("grpc-status", unimplemented);
        respond.send_response(response, true)?;
        return Ok(());
    }
    // What was answered is known before the client knows it. The test may be over.
    let _ = done.send(head);
    let mut stream = respond.send_response(response, false)?;
    stream.send_data(Bytes::from_static(&[0; 5]), false)?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    stream.send_trailers(trailers)
}

/// A PEM file's text.
pub(crate) fn pem(file: &std::path::Path) -> String {
    fs::read_to_string(file).expect("text")
}
