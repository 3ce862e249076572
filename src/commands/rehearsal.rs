//! [`Rehearsal`]: the server of a rehearsal. The server is a receiver inside this process, to which
//! the push connects over TLS on a loopback address.

use std::{future, io, net::Ipv4Addr, sync::Arc, thread, time::Duration};

use http::{HeaderValue, uri::Authority};
use tokio::net::TcpListener;

use super::{
    connection::{Timeouts, USER_AGENT},
    interrupts::runtime,
};
use crate::{
    client::Target,
    diagnostics::{self, Failure},
    endpoint::{Address, Endpoint},
    input::ValidatedInput,
    metadata::Metadata,
    receiver::{self, Behavior, Listener, Store},
    tls::{ClientTls, Identity, PeerName, ServerTls, TrustPolicy},
};

/// A receiver, which runs until the process ends.
pub(super) struct Rehearsal {
    pub(super) target: Target,
    store: Arc<Store>,
}

const SERVER_NAME: &str = "localhost";

/// Accepts requests of any size, because the limit of the real server is unknown here.
const BEHAVIOR: Behavior = Behavior {
    code: 0,
    fail_first: 0,
    delay: Duration::ZERO,
    max_message_size: usize::MAX,
};

impl Rehearsal {
    /// Starts the receiver in a separate thread, on a free port and with a new self-signed
    /// certificate.
    pub(super) fn start(timeouts: Timeouts) -> Result<Self, Failure> {
        let identity = Identity::self_signed()?;
        let trust = TrustPolicy::Certificates(identity.chain.clone());
        let client_tls = ClientTls::new(trust, None, PeerName::new(SERVER_NAME));
        let server_tls = ServerTls::new(identity, None)?;
        let store = Arc::new(Store::in_memory());
        let received = Arc::clone(&store);
        let start = || {
            receiver::check_clock()?;
            let runtime = runtime()?;
            let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
            let address = listener.local_addr()?;
            let (listener, tls) = (Listener::Tcp(listener), Some(server_tls));
            thread::Builder::new().spawn(move || {
                let shutdown = future::pending();
                let receiver = receiver::run(listener, tls, received, BEHAVIOR, shutdown, drop);
                // An error makes the push fail, and the push reports its own failure.
                let _ = runtime.block_on(receiver);
            })?;
            Ok(address)
        };
        let address = start().map_err(|error: io::Error| {
            diagnostics::start_failed("cannot start the receiver of the rehearsal", &error)
        })?;
        let target = Target {
            endpoint: Endpoint::Tcp(Address {
                host: address.ip().to_string(),
                port: address.port(),
            }),
            authority: Authority::from_static(SERVER_NAME),
            tls: Some(client_tls),
            connect_timeout: timeouts.connect,
            timeout: timeouts.request,
            user_agent: HeaderValue::from_static(USER_AGENT),
            metadata: Metadata::default(),
            sends_gzip: false,
            proxy: None,
            keepalive_interval: None,
        };
        Ok(Self { target, store })
    }

    /// Compares the records that the receiver stored with the selected records of the input.
    pub(super) fn verify(&self, input: &mut ValidatedInput) -> Result<(), Failure> {
        let store_failure =
            |error| Failure::internal("cannot read the receiver of the rehearsal", &error);
        let stored = self.store.token_count().map_err(store_failure)?;
        let mut records = input.records();
        let (mut expected, mut differing) = (0, 0);
        let mut is_stored = || {
            records.next(|record| {
                let time = self.store.expire_time_of(record.token.as_bytes());
                time.map(|time| time == Some(record.expire_time.as_unix()))
            })
        };
        while let Some(is_stored) =
            is_stored().map_err(|problem| diagnostics::input_not_read_again(&problem))?
        {
            expected += 1;
            differing += u64::from(!is_stored.map_err(store_failure)?);
        }
        match differing + stored.abs_diff(expected) {
            0 => Ok(()),
            differing => Err(diagnostics::rehearsal_differs(differing)),
        }
    }
}
