//! A push to a receiver inside this process, over TLS on loopback.

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

/// A running receiver; it ends with the value.
pub(super) struct Rehearsal {
    pub(super) endpoint: Endpoint,
    tls: ClientTls,
    store: Arc<Store>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// The name on the receiver's certificate.
const NAME: &str = "localhost";

/// A good server. How large a request may be is a matter between `--batch-bytes` and the real one.
const BEHAVIOR: Behavior = Behavior {
    code: 0,
    fail_first: 0,
    delay: Duration::ZERO,
    max_message_size: usize::MAX,
};

impl Rehearsal {
    /// Starts the receiver on a free port, with its own certificate, in its own thread.
    pub(super) fn start() -> Result<Self, Failure> {
        let failed = |error| Failure::internal("the rehearsal's receiver can't start", &error);
        let identity = Identity::self_signed().map_err(diagnostics::tls_setup_failed)?;
        let trust = TrustPolicy::Certificates(identity.certificates());
        let client = ClientTls::new(trust, None, PeerName::new(NAME))
            .map_err(diagnostics::tls_setup_failed)?;
        let tls = tls::server_config(identity, None).map_err(diagnostics::tls_setup_failed)?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let store = Arc::new(Store::in_memory());
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().spawn({
            let store = Arc::clone(&store);
            move || {
                let end = async { stopped.await.unwrap_or(()) };
                let listener = Listener::Tcp(listener);
                // If it could not serve, the push that it is for says so.
                let _ = runtime.block_on(receiver::run(listener, Some(tls), store, BEHAVIOR, end));
            }
        });
        Ok(Self {
            endpoint: Endpoint::Tcp {
                host: address.ip().to_string(),
                port: address.port(),
            },
            tls: client,
            store,
            stop: Some(stop),
            thread: Some(thread.map_err(failed)?),
        })
    }

    /// How to reach it.
    pub(super) fn target(&self, timeouts: Timeouts) -> Target {
        Target {
            endpoint: self.endpoint.clone(),
            authority: Authority::from_static(NAME),
            tls: Some(self.tls.clone()),
            connect_timeout: timeouts.connect,
            timeout: timeouts.request,
            user_agent: HeaderValue::from_static(USER_AGENT),
            metadata: Metadata::default(),
            sends_gzip: false,
            proxy: None,
            keepalive_interval: None,
        }
    }

    /// Ends the receiver and compares what it holds with what was read.
    pub(super) fn verify(mut self, input: &mut ValidatedInput) -> Result<(), Failure> {
        self.end();
        let lost = |error| Failure::internal("the rehearsal's receiver can't be read", &error);
        let held = self.store.len().map_err(lost)?;
        // What another shard is to send is not among them.
        let mut records = input.records();
        let (mut expected, mut differing) = (0, 0);
        loop {
            let same = records.next(|record| {
                let time = self.store.expire_time_of(record.token.as_bytes());
                time.map(|time| time == Some(record.expire_time.as_unix()))
            });
            match same.map_err(|problem| diagnostics::input_changed(&problem))? {
                None => break,
                Some(same) => {
                    expected += 1;
                    differing += u64::from(!same.map_err(lost)?);
                }
            }
        }
        match differing + held.abs_diff(expected) {
            0 => Ok(()),
            differing => Err(diagnostics::rehearsal_differs(differing)),
        }
    }

    fn end(&mut self) {
        if let (Some(stop), Some(thread)) = (self.stop.take(), self.thread.take()) {
            // Either may be over already; then there is nothing left to end.
            let _ = stop.send(());
            let _ = thread.join();
        }
    }
}

impl Drop for Rehearsal {
    fn drop(&mut self) {
        self.end();
    }
}
