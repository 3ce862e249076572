//! A server that misbehaves as it was told, and knows what it got.

pub(crate) mod answer;
mod frames;
mod serve;

use std::{
    ffi::OsString,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use prost::Message;
use rustls::{
    ServerConfig,
    sign::SingleCertAndKey,
    version::{TLS12, TLS13},
};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use self::answer::{Answer, How};
use super::{params, run_with_input, self_signed, tls};

/// What becomes of one connection.
#[derive(Clone, Debug)]
pub(crate) enum Connection {
    /// It speaks TLS and HTTP/2, and answers its requests so, all further ones like the last.
    Serve(Vec<Answer>),
    /// It ends before TLS, when so many bytes have come.
    EndBeforeTls { bytes: usize, how: How },
    /// It reads and says nothing.
    Silent,
    /// These bytes come instead of TLS.
    Plain(&'static [u8]),
    /// TLS with these protocols.
    Alpn(&'static [&'static [u8]]),
    /// These bytes come after TLS.
    Garbage(&'static [u8]),
    /// Nothing comes after TLS.
    SilentAfterTls,
    /// It ends after TLS.
    EndAfterTls(How),
    /// It ends behind SETTINGS.
    EndAfterSettings(How),
    /// SETTINGS and GOAWAY, before any request.
    Goaway(h2::Reason),
}

/// One record, as `proto/sensor.proto` has it.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Record {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) token: Vec<u8>,
    #[prost(uint32, tag = "2")]
    pub(crate) time: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Request {
    #[prost(message, repeated, tag = "1")]
    records: Vec<Record>,
}

/// One try of a request.
#[derive(Clone, Debug)]
pub(crate) struct Try {
    /// Counted from 0.
    pub(crate) connection: usize,
    /// When its head came.
    pub(crate) at: Instant,
    /// The message's, less its frame.
    pub(crate) bytes: usize,
    /// Empty when it did not come whole.
    pub(crate) records: Vec<Record>,
    pub(crate) applied: bool,
    /// Whether it was answered with code 0.
    pub(crate) acknowledged: bool,
}

impl Try {
    pub(crate) fn tokens(&self) -> Vec<&str> {
        let tokens = self.records.iter();
        tokens
            .map(|record| std::str::from_utf8(&record.token).expect("UTF-8"))
            .collect()
    }
}

/// What a server got.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// When each connection came.
    pub(crate) connections: Vec<Instant>,
    pub(crate) tries: Vec<Try>,
}

impl Seen {
    /// Records that it applied, each as often as it did.
    pub(crate) fn applied(&self) -> Vec<&Record> {
        let tries = self.tries.iter().filter(|one| one.applied);
        tries.flat_map(|one| &one.records).collect()
    }

    pub(crate) fn acknowledged(&self) -> Vec<&Record> {
        let tries = self.tries.iter().filter(|one| one.acknowledged);
        tries.flat_map(|one| &one.records).collect()
    }

    /// How long after one try the next came.
    pub(crate) fn gap(&self, number: usize) -> Duration {
        self.tries[number + 1].at - self.tries[number].at
    }
}

/// What its connections share.
#[derive(Debug, Default)]
struct Log {
    seen: Mutex<Seen>,
    changed: Condvar,
}

impl Log {
    /// Changes what was seen.
    fn note<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        let result = change(&mut self.seen.lock().expect("no panic"));
        self.changed.notify_all();
        result
    }
}

/// A server on a free port.
pub(crate) struct FaultServer {
    pub(crate) address: String,
    _serving: tls::Serving,
    folder: TempDir,
    log: Arc<Log>,
}

/// A server's certificates and script.
struct Script {
    connections: Vec<Connection>,
    certificate: Arc<SingleCertAndKey>,
    log: Arc<Log>,
}

impl FaultServer {
    /// All connections beyond the script's end go like its last one.
    pub(crate) fn start(script: impl IntoIterator<Item = Connection>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let names = params(None, &["localhost", "127.0.0.1"]);
        let pair = self_signed(folder.path(), "server", &names);
        let log = Arc::<Log>::default();
        let script = Arc::new(Script {
            connections: script.into_iter().collect(),
            certificate: Arc::new(tls::certified_key(&pair).into()),
            log: Arc::clone(&log),
        });
        let serving = tls::serve(move |stream| {
            let script = Arc::clone(&script);
            async move {
                // A client may leave whenever it likes.
                let _ = script.connection(stream).await;
            }
        });
        Self {
            address: serving.address.clone(),
            _serving: serving,
            folder,
            log,
        }
    }

    /// A server whose every connection answers so.
    pub(crate) fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::start([Connection::Serve(answers.into_iter().collect())])
    }

    pub(crate) fn cacert(&self) -> PathBuf {
        self.folder.path().join("server.crt")
    }

    /// A push's arguments.
    pub(crate) fn args(&self, flags: &[&str]) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec!["push".into(), "--output=json".into()];
        args.extend(["--server".into(), (&self.address).into()]);
        args.extend(["--cacert".into(), self.cacert().into()]);
        args.extend(flags.iter().map(Into::into));
        args
    }

    pub(crate) fn push(&self, flags: &[&str], input: &[u8]) -> super::Run {
        run_with_input(self.args(flags), input)
    }

    pub(crate) fn seen(&self) -> Seen {
        self.log.note(|seen| seen.clone())
    }

    /// Waits until it has seen this.
    pub(crate) fn wait_for(&self, what: impl Fn(&Seen) -> bool) {
        let limit = Duration::from_secs(20);
        let seen = self.log.seen.lock().expect("no panic");
        let waited = self
            .log
            .changed
            .wait_timeout_while(seen, limit, |seen| !what(seen));
        let (seen, result) = waited.expect("no panic");
        assert!(!result.timed_out(), "{seen:?}");
    }
}

impl Script {
    async fn connection(&self, mut stream: tokio::net::TcpStream) -> std::io::Result<()> {
        let number = self.log.note(|seen| {
            seen.connections.push(Instant::now());
            seen.connections.len() - 1
        });
        let last = self.connections.len() - 1;
        let all_protocols = &[&b"h2"[..]];
        match &self.connections[number.min(last)] {
            Connection::Silent => drain(&mut stream).await,
            Connection::Plain(bytes) => {
                stream.write_all(bytes).await?;
                drain(&mut stream).await
            }
            Connection::EndBeforeTls { bytes, how } => {
                stream.read_exact(&mut vec![0; *bytes]).await?;
                if *how == How::Reset {
                    stream.set_zero_linger()?;
                    return Ok(());
                }
                stream.shutdown().await?;
                // Closed with something unread, the connection would be reset.
                drain(&mut stream).await
            }
            Connection::Alpn(protocols) => {
                let mut stream = self.accept(stream, protocols).await?;
                drain(&mut stream).await
            }
            Connection::Garbage(bytes) => {
                let mut stream = self.accept(stream, all_protocols).await?;
                stream.write_all(bytes).await?;
                drain(&mut stream).await
            }
            Connection::SilentAfterTls => {
                let mut stream = self.accept(stream, all_protocols).await?;
                drain(&mut stream).await
            }
            Connection::EndAfterTls(how) => {
                let stream = self.accept(stream, all_protocols).await?;
                serve::end(stream, *how).await
            }
            Connection::EndAfterSettings(how) => {
                let mut stream = self.accept(stream, all_protocols).await?;
                let settings = frames::frame(frames::SETTINGS, 0, 0, &[]);
                stream.write_all(&settings).await?;
                serve::end(stream, *how).await
            }
            Connection::Goaway(reason) => {
                let mut stream = self.accept(stream, all_protocols).await?;
                let settings = frames::frame(frames::SETTINGS, 0, 0, &[]);
                let goaway = frames::goaway(0, *reason);
                stream.write_all(&[settings, goaway].concat()).await?;
                drain(&mut stream).await
            }
            Connection::Serve(answers) => {
                let stream = self.accept(stream, all_protocols).await?;
                serve::serve(stream, answers, number, &self.log).await
            }
        }
    }

    async fn accept(
        &self,
        stream: tokio::net::TcpStream,
        protocols: &[&[u8]],
    ) -> std::io::Result<serve::Stream> {
        let versions = &[&TLS12, &TLS13];
        let certificate = Arc::clone(&self.certificate);
        let mut config = ServerConfig::clone(&tls::server_config(certificate, versions));
        config.alpn_protocols = protocols.iter().map(|one| one.to_vec()).collect();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        stream.set_nodelay(true)?;
        acceptor.accept(stream).await
    }
}

/// Reads until the client is gone.
async fn drain(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<()> {
    tokio::io::copy(stream, &mut tokio::io::sink()).await?;
    Ok(())
}
