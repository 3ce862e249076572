//! [`Rehearsal`]: the server of a rehearsal. The server is a receiver inside this process, to which
//! the push connects over TLS on a loopback address. At the end, the received records are compared
//! with the input.

use std::{net::Ipv4Addr, sync::Arc, thread, time::Duration};

use http::{HeaderValue, uri::Authority};
use tokio::{net::TcpListener, runtime, sync::oneshot};

use super::connection::{Timeouts, USER_AGENT};
use crate::{
    client::Target,
    diagnostics::{self, Failure},
    endpoint::Endpoint,
    input::ValidatedInput,
    metadata::Metadata,
    receiver::{self, Behavior, Listener, Store},
    tls::{self, ClientTls, Identity, PeerName, TrustPolicy},
};

/// A running receiver, which stops when the value is dropped.
pub(super) struct Rehearsal {
    pub(super) endpoint: Endpoint,
    client_tls: ClientTls,
    store: Arc<Store>,
    shutdown: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// The name in the certificate of the receiver.
const SERVER_NAME: &str = "localhost";

/// The behavior of the receiver, which accepts every request. The receiver does not limit the size
/// of requests, because the limit of the real server is unknown here.
const BEHAVIOR: Behavior = Behavior {
    code: 0,
    fail_first: 0,
    delay: Duration::ZERO,
    max_message_size: usize::MAX,
};

impl Rehearsal {
    /// Starts the receiver in a separate thread, on a free port and with a new self-signed
    /// certificate.
    pub(super) fn start() -> Result<Self, Failure> {
        let start_failure =
            |error| Failure::internal("the rehearsal's receiver can't start", &error);
        let identity = Identity::self_signed().map_err(diagnostics::tls_setup_failed)?;
        let trust = TrustPolicy::Certificates(identity.certificates());
        let client_tls = ClientTls::new(trust, None, PeerName::new(SERVER_NAME))
            .map_err(diagnostics::tls_setup_failed)?;
        let server_tls =
            tls::server_config(identity, None).map_err(diagnostics::tls_setup_failed)?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(start_failure)?;
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .map_err(start_failure)?;
        let address = listener.local_addr().map_err(start_failure)?;
        let store = Arc::new(Store::in_memory());
        let (shutdown, shutdown_requested) = oneshot::channel();
        let thread = thread::Builder::new().spawn({
            let store = Arc::clone(&store);
            move || {
                let shutdown = async { shutdown_requested.await.unwrap_or(()) };
                let listener = Listener::Tcp(listener);
                // A receiver error is ignored, because it makes the push fail, and the push reports
                // its own failure.
                let _ = runtime.block_on(receiver::run(
                    listener,
                    Some(server_tls),
                    store,
                    BEHAVIOR,
                    shutdown,
                ));
            }
        });
        Ok(Self {
            endpoint: Endpoint::Tcp {
                host: address.ip().to_string(),
                port: address.port(),
            },
            client_tls,
            store,
            shutdown: Some(shutdown),
            thread: Some(thread.map_err(start_failure)?),
        })
    }

    /// Returns the receiver as the target of a client.
    pub(super) fn target(&self, timeouts: Timeouts) -> Target {
        Target {
            endpoint: self.endpoint.clone(),
            authority: Authority::from_static(SERVER_NAME),
            tls: Some(self.client_tls.clone()),
            connect_timeout: timeouts.connect,
            timeout: timeouts.request,
            user_agent: HeaderValue::from_static(USER_AGENT),
            metadata: Metadata::default(),
            sends_gzip: false,
            proxy: None,
            keepalive_interval: None,
        }
    }

    /// Stops the receiver and compares its records with the selected records of the input.
    pub(super) fn verify(mut self, input: &mut ValidatedInput) -> Result<(), Failure> {
        self.stop();
        let store_failure =
            |error| Failure::internal("the rehearsal's receiver can't be read", &error);
        let stored = self.store.token_count().map_err(store_failure)?;
        let mut records = input.records();
        let (mut expected, mut differing) = (0, 0);
        loop {
            let compared = records.next(|record| {
                let time = self.store.expire_time_of(record.token.as_bytes());
                time.map(|time| time == Some(record.expire_time.as_unix()))
            });
            match compared.map_err(|problem| diagnostics::input_changed(&problem))? {
                None => break,
                Some(is_equal) => {
                    expected += 1;
                    differing += u64::from(!is_equal.map_err(store_failure)?);
                }
            }
        }
        match differing + stored.abs_diff(expected) {
            0 => Ok(()),
            differing => Err(diagnostics::rehearsal_differs(differing)),
        }
    }

    fn stop(&mut self) {
        if let (Some(shutdown), Some(thread)) = (self.shutdown.take(), self.thread.take()) {
            // `send` fails if the receiver has already ended, and `join` fails if the receiver
            // panicked. Both errors are ignored, because the receiver has then stopped.
            let _ = shutdown.send(());
            let _ = thread.join();
        }
    }
}

impl Drop for Rehearsal {
    fn drop(&mut self) {
        self.stop();
    }
}
