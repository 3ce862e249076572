//! Connecting to a server: DNS, TCP, proxy, TLS and HTTP/2, one file per stage.

mod corked_stream;
mod dns_and_tcp;
mod proxy_tunnel;
mod server_preface;
mod stages;

pub(crate) use stages::{ConnectError, ConnectErrorKind, Stage, StageOutcome, TlsSession};
pub(super) use stages::{Connected, Ended, Fate, connect, origin};
