//! A server that follows a script of faults, and logs the connections and requests that it
//! receives.

pub(crate) mod action;
mod connection;
mod frames;

use std::{
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use prost::Message;
use rustls::{
    ServerConfig,
    sign::SingleCertAndKey,
    version::{TLS12, TLS13},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use self::{
    action::{Action, Ending},
    connection::TlsConnection,
};
use super::{
    async_server::{ServerTask, serve_connections},
    certificates::{CertificateFolder, Identity, params},
    program::{Run, run_with_input},
    records::{ONE_TOKEN, TOKEN_PREFIX},
    tls_server::{certified_key, server_config},
};

/// The part of a server's script for one connection.
#[derive(Clone, Debug)]
pub(crate) enum Connection {
    /// Serves requests, with one action for each. The last action is for all further requests.
    Serve(Vec<Action>),
    /// Serves requests like `Serve`, but allows only one open request at a time.
    ServeOneByOne(Vec<Action>),
    /// Ends the connection before the TLS handshake, after reading this number of bytes.
    EndBeforeTls { bytes: usize, ending: Ending },
    /// Reads, and sends nothing.
    Silent,
    /// Sends these bytes instead of TLS.
    SendWithoutTls(&'static [u8]),
    /// Accepts TLS with these ALPN protocols, and sends nothing after the TLS handshake.
    Alpn(&'static [&'static [u8]]),
    /// Sends these bytes after the TLS handshake.
    SendAfterTls(&'static [u8]),
    /// Sends nothing after the TLS handshake.
    SilentAfterTls,
    /// Ends the connection after the TLS handshake.
    EndAfterTls(Ending),
    /// Ends the connection after sending SETTINGS.
    EndAfterSettings(Ending),
    /// Sends SETTINGS and GOAWAY before any request.
    Goaway(h2::Reason),
}

/// One record of a request, as in `proto/sensor.proto`.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Record {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) token: Vec<u8>,
    #[prost(uint32, tag = "2")]
    pub(crate) expire_time: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(message, repeated, tag = "1")]
    records: Vec<Record>,
}

/// One attempt of a request.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    /// The number of the connection, from 0.
    pub(crate) connection: usize,
    /// The time at which the headers were read.
    pub(crate) at: Instant,
    /// The length of the message without the prefix that gRPC gives it.
    pub(crate) message_bytes: usize,
    /// The records. Empty unless the whole request was read.
    pub(crate) records: Vec<Record>,
    pub(crate) is_applied: bool,
    /// Whether the response had code 0.
    pub(crate) is_acknowledged: bool,
}

impl Attempt {
    pub(crate) fn tokens(&self) -> Vec<&str> {
        let tokens = self.records.iter();
        tokens
            .map(|record| std::str::from_utf8(&record.token).expect("UTF-8"))
            .collect()
    }
}

/// The connections and requests that a server received.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traffic {
    /// The time at which each connection was accepted.
    pub(crate) connections: Vec<Instant>,
    pub(crate) attempts: Vec<Attempt>,
}

impl Traffic {
    /// Returns the records that the server applied. A record that was applied twice occurs twice.
    pub(crate) fn applied(&self) -> Vec<&Record> {
        let attempts = self.attempts.iter().filter(|attempt| attempt.is_applied);
        attempts.flat_map(|attempt| &attempt.records).collect()
    }

    pub(crate) fn acknowledged(&self) -> Vec<&Record> {
        let attempts = self
            .attempts
            .iter()
            .filter(|attempt| attempt.is_acknowledged);
        attempts.flat_map(|attempt| &attempt.records).collect()
    }

    /// Returns the sorted tokens of the attempt with this index and of all later attempts.
    pub(crate) fn tokens_since(&self, attempt: usize) -> Vec<&str> {
        let attempts = self.attempts[attempt..].iter();
        let mut tokens: Vec<_> = attempts.flat_map(Attempt::tokens).collect();
        tokens.sort_unstable();
        tokens
    }

    /// Returns the time between an attempt and the next attempt.
    pub(crate) fn gap_after(&self, attempt: usize) -> Duration {
        self.attempts[attempt + 1].at - self.attempts[attempt].at
    }
}

/// The traffic of a server, which its connections update.
#[derive(Debug, Default)]
struct TrafficLog {
    traffic: Mutex<Traffic>,
    changed: Condvar,
}

impl TrafficLog {
    fn update<T>(&self, change: impl FnOnce(&mut Traffic) -> T) -> T {
        let result = change(&mut self.traffic.lock().expect("no panic"));
        self.changed.notify_all();
        result
    }
}

/// A server with TLS on a free port.
pub(crate) struct FaultServer {
    pub(crate) address: String,
    _task: ServerTask,
    _certificates: CertificateFolder,
    identity: Identity,
    log: Arc<TrafficLog>,
}

struct Script {
    connections: Vec<Connection>,
    certificate: Arc<SingleCertAndKey>,
    log: Arc<TrafficLog>,
}

impl FaultServer {
    /// Starts a server with one entry of the script per connection. The last entry is for all
    /// further connections.
    pub(crate) fn start(script: impl IntoIterator<Item = Connection>) -> Self {
        let certificates = CertificateFolder::new();
        let identity = certificates.self_signed(&params(None, &["localhost", "127.0.0.1"]));
        let log = Arc::<TrafficLog>::default();
        let script = Arc::new(Script {
            connections: script.into_iter().collect(),
            certificate: Arc::new(certified_key(&identity).into()),
            log: Arc::clone(&log),
        });
        let task = serve_connections(move |stream| {
            let script = Arc::clone(&script);
            async move {
                // A client may disconnect at any time, so connection errors are ignored.
                let _ = script.connection(stream).await;
            }
        });
        Self {
            address: task.address.clone(),
            _task: task,
            _certificates: certificates,
            identity,
            log,
        }
    }

    /// Starts a server that serves requests with these actions. Each new connection begins with the
    /// first action.
    pub(crate) fn serving(actions: impl IntoIterator<Item = Action>) -> Self {
        Self::start([Connection::Serve(actions.into_iter().collect())])
    }

    /// Starts a server that applies all requests and responds with code 0.
    pub(crate) fn ok() -> Self {
        Self::serving([action::ok()])
    }

    /// Returns the arguments of a push to this server, with these options.
    pub(crate) fn args(&self, flags: &[&str]) -> Vec<String> {
        let connection = ["--server", &self.address, "--cacert", &self.identity.cert];
        let args = [&["push", "--output=json"], &connection[..], flags].concat();
        args.into_iter().map(str::to_owned).collect()
    }

    /// Pushes to this server. Asserts that the counts add up and that no output shows a token,
    /// which holds for every push.
    #[track_caller]
    pub(crate) fn push(&self, flags: &[&str], input: &[u8]) -> Run {
        run_with_input(self.args(flags), input)
            .counts_add_up()
            .hides(ONE_TOKEN)
            .hides(TOKEN_PREFIX)
    }

    pub(crate) fn traffic(&self) -> Traffic {
        self.log.update(|traffic| traffic.clone())
    }

    pub(crate) fn attempt_count(&self) -> usize {
        self.log.update(|traffic| traffic.attempts.len())
    }

    pub(crate) fn connection_count(&self) -> usize {
        self.log.update(|traffic| traffic.connections.len())
    }

    /// Waits until the traffic fulfills a condition, at most 20 seconds.
    pub(crate) fn wait_for(&self, condition: impl Fn(&Traffic) -> bool) {
        let limit = Duration::from_secs(20);
        let traffic = self.log.traffic.lock().expect("no panic");
        let waited = self
            .log
            .changed
            .wait_timeout_while(traffic, limit, |traffic| !condition(traffic));
        let (traffic, result) = waited.expect("no panic");
        assert!(!result.timed_out(), "{traffic:?}");
    }

    /// Waits until this number of attempts has begun.
    pub(crate) fn wait_for_attempts(&self, count: usize) {
        self.wait_for(|traffic| traffic.attempts.len() == count);
    }
}

impl Script {
    async fn connection(&self, mut stream: tokio::net::TcpStream) -> std::io::Result<()> {
        let number = self.log.update(|traffic| {
            traffic.connections.push(Instant::now());
            traffic.connections.len() - 1
        });
        let last = self.connections.len() - 1;
        let all_protocols = &[&b"h2"[..]];
        match &self.connections[number.min(last)] {
            Connection::Silent => drain(&mut stream).await,
            Connection::SendWithoutTls(bytes) => {
                stream.write_all(bytes).await?;
                drain(&mut stream).await
            }
            Connection::EndBeforeTls { bytes, ending } => {
                stream.read_exact(&mut vec![0; *bytes]).await?;
                if *ending == Ending::Rst {
                    stream.set_zero_linger()?;
                    return Ok(());
                }
                stream.shutdown().await?;
                // Closing a socket with unread bytes would reset the connection, so this reads all
                // bytes first.
                drain(&mut stream).await
            }
            Connection::Alpn(protocols) => {
                let mut stream = self.accept(stream, protocols).await?;
                drain(&mut stream).await
            }
            Connection::SendAfterTls(bytes) => {
                let mut stream = self.accept(stream, all_protocols).await?;
                stream.write_all(bytes).await?;
                drain(&mut stream).await
            }
            Connection::SilentAfterTls => {
                let mut stream = self.accept(stream, all_protocols).await?;
                drain(&mut stream).await
            }
            Connection::EndAfterTls(ending) => {
                let stream = self.accept(stream, all_protocols).await?;
                connection::end(stream, *ending).await
            }
            Connection::EndAfterSettings(ending) => {
                let mut stream = self.accept(stream, all_protocols).await?;
                let settings = frames::frame(frames::SETTINGS, 0, 0, &[]);
                stream.write_all(&settings).await?;
                connection::end(stream, *ending).await
            }
            Connection::Goaway(reason) => {
                let mut stream = self.accept(stream, all_protocols).await?;
                let settings = frames::frame(frames::SETTINGS, 0, 0, &[]);
                let goaway = frames::goaway(0, *reason);
                stream.write_all(&[settings, goaway].concat()).await?;
                drain(&mut stream).await
            }
            Connection::Serve(actions) => {
                let stream = self.accept(stream, all_protocols).await?;
                connection::serve(stream, &[], actions, number, &self.log).await
            }
            Connection::ServeOneByOne(actions) => {
                let stream = self.accept(stream, all_protocols).await?;
                let settings = frames::max_concurrent_streams(1);
                connection::serve(stream, &settings, actions, number, &self.log).await
            }
        }
    }

    async fn accept(
        &self,
        stream: tokio::net::TcpStream,
        protocols: &[&[u8]],
    ) -> std::io::Result<TlsConnection> {
        let versions = &[&TLS12, &TLS13];
        let certificate = Arc::clone(&self.certificate);
        let mut config = ServerConfig::clone(&server_config(certificate, versions));
        config.alpn_protocols = protocols.iter().map(|one| one.to_vec()).collect();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        stream.set_nodelay(true)?;
        acceptor.accept(stream).await
    }
}

/// Reads until the client closes the connection.
async fn drain(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<()> {
    tokio::io::copy(stream, &mut tokio::io::sink()).await?;
    Ok(())
}
