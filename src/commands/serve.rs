//! The `serve` command: runs the reference receiver until a signal arrives.

use std::{
    fmt, fs, io,
    net::SocketAddr,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::FutureExt;
use tokio::net::{TcpListener, UnixListener, UnixStream};

use super::{
    connection::IdentityFiles,
    interrupts::{Interrupts, block_on},
};
use crate::{
    atomic_file::{AtomicFile, OWNER_ONLY_MODE},
    diagnostics::{self, Failure},
    receiver::{self, Behavior, FailedHandshake, Listener, Store, Totals},
    record::TokenEncoding,
    signals::Signals,
    terminal::Terminal,
    tls::{self, Identity, ServerTls},
    user_path::{UserPath, Wait},
};

pub(crate) struct Plan {
    pub(crate) listen_address: ListenAddress,
    /// `None` for plaintext.
    pub(crate) tls: Option<ReceiverTls>,
    /// If `None`, the records are stored in memory.
    pub(crate) store_file: Option<PathBuf>,
    pub(crate) dump: Option<DumpDestination>,
    pub(crate) token_encoding: TokenEncoding,
    pub(crate) behavior: Behavior,
    pub(crate) terminal: Terminal,
}

#[derive(Clone, Debug)]
pub(crate) enum ListenAddress {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", UserPath::from(path.as_path())),
        }
    }
}

pub(crate) struct ReceiverTls {
    /// If `None`, the receiver creates a self-signed certificate when it starts.
    pub(crate) identity: Option<IdentityFiles>,
    /// If `None`, clients need no certificate.
    pub(crate) client_ca_file: Option<UserPath>,
    pub(crate) cacert_output: Option<PathBuf>,
}

/// The destination of the CSV of all stored records, which the receiver writes on exit.
pub(crate) enum DumpDestination {
    Stdout,
    File(PathBuf),
}

/// Runs the command and returns the exit code.
pub(crate) fn run(plan: &Plan) -> u8 {
    Terminal::exit_code(serve(plan))
}

/// Prints the totals also if the dump cannot be written.
fn serve(plan: &Plan) -> Result<u8, Failure> {
    let cannot_run = |error| Failure::internal("cannot run the receiver", &error);
    receiver::check_clock().map_err(cannot_run)?;
    let store = Arc::new(match &plan.store_file {
        None => Store::in_memory(),
        Some(path) => {
            Store::open(path).map_err(|error| diagnostics::store_unusable(path, &error))?
        }
    });
    let dump = plan.dump.as_ref().map(Dump::open).transpose()?;
    let interrupts = Interrupts::listen(None)?;
    let read_tls = |tls| read_tls(tls, plan.terminal, &interrupts.wait_to_read());
    let tls = plan.tls.as_ref().map(read_tls).transpose();
    let tls = tls.map_err(|failure| interrupts.explain(failure))?;
    let totals = block_on(receive(plan, tls, Arc::clone(&store), &interrupts.signals))??;
    let dumped = dump.map_or(Ok(()), |dump| dump.write(&store, plan.token_encoding));
    let Totals {
        requests,
        records,
        tokens,
    } = totals;
    let text = || format!("requests: {requests}, records: {records}, tokens: {tokens}");
    let exit_code = plan.terminal.print_report(&totals, 0, text);
    dumped.map(|()| exit_code)
}

async fn receive(
    plan: &Plan,
    tls: Option<ServerTls>,
    store: Arc<Store>,
    signals: &Signals,
) -> Result<Totals, Failure> {
    let address = &plan.listen_address;
    let listener = bind(address)
        .await
        .map_err(|error| diagnostics::listen_failed(&address.to_string(), &error))?;
    let url = match (listener.local_address(), &tls) {
        (None, _) => address.to_string(),
        (Some(address), Some(_)) => format!("https://{address}"),
        (Some(address), None) => format!("http://{address}"),
    };
    Terminal::print_data(&format!("listening on {url}"))?;
    let shutdown = signals.wait().map(drop);
    let terminal = plan.terminal;
    let on_failed_handshake =
        move |failed| terminal.detail(1, || FailedHandshake::to_string(&failed));
    let (behavior, report) = (plan.behavior, on_failed_handshake);
    let totals = receiver::run(listener, tls, store, behavior, shutdown, report).await;
    if let ListenAddress::Unix(path) = address {
        // Another process may already have removed the socket.
        let _ = fs::remove_file(path);
    }
    totals.map_err(|error| Failure::internal("cannot run the receiver", &error))
}

async fn bind(address: &ListenAddress) -> io::Result<Listener> {
    match address {
        ListenAddress::Tcp(address) => TcpListener::bind(address).await.map(Listener::Tcp),
        ListenAddress::Unix(path) => {
            remove_stale_socket(path).await;
            UnixListener::bind(path).map(Listener::Unix)
        }
    }
}

/// Removes the socket file that a killed receiver left behind, so that this one can listen there.
async fn remove_stale_socket(path: &Path) {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    if is_socket && UnixStream::connect(path).await.is_err() {
        let _ = fs::remove_file(path);
    }
}

/// Writes the certificate that clients should trust.
fn read_tls(plan: &ReceiverTls, terminal: Terminal, wait: Wait<'_>) -> Result<ServerTls, Failure> {
    let identity = match &plan.identity {
        Some(files) => {
            let identity = Identity::read(&files.certificate, &files.key, wait)?;
            if let Err(error) = identity.check_validity() {
                terminal.warning(&format!("certificate in {} {error}", files.certificate));
            }
            identity
        }
        None => Identity::self_signed()?,
    };
    let pem = identity.chain_pem();
    let client_cas = plan
        .client_ca_file
        .as_ref()
        .map(|file| tls::read_certificates(file, wait));
    let tls = ServerTls::new(identity, client_cas.transpose()?)?;
    if let Some(path) = &plan.cacert_output {
        fs::write(path, pem).map_err(|error| diagnostics::file_write_failed(path, &error))?;
    }
    Ok(tls)
}

/// The opened destination of the dump. The receiver opens the file when it starts, so that the user
/// learns at once if the file cannot be written.
enum Dump<'p> {
    Stdout,
    File { path: &'p Path, file: AtomicFile },
}

impl<'p> Dump<'p> {
    fn open(destination: &'p DumpDestination) -> Result<Self, Failure> {
        let DumpDestination::File(path) = destination else {
            return Ok(Self::Stdout);
        };
        let file = AtomicFile::open(path, OWNER_ONLY_MODE)
            .map_err(|error| diagnostics::file_write_failed(path, &error))?;
        Ok(Self::File { path, file })
    }

    fn write(self, store: &Store, encoding: TokenEncoding) -> Result<(), Failure> {
        match self {
            Self::Stdout => store
                .write_csv(Terminal::data_writer(), encoding)
                .map_err(|error| diagnostics::stdout_write_failed(&error)),
            Self::File { path, mut file } => store
                .write_csv(&mut file, encoding)
                .and_then(|()| file.commit())
                .map_err(|error| diagnostics::file_write_failed(path, &error)),
        }
    }
}
