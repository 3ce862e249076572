//! The `serve` command: runs the reference receiver until a signal arrives.
//!
//! [`crate::receiver`] implements the receiver.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io,
    net::SocketAddr,
    os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::ServerConfig;
use tokio::net::{TcpListener, UnixListener, UnixStream};

use super::{
    identity_files::IdentityFiles,
    interrupts::{Interrupts, block_on},
};
use crate::{
    diagnostics::{self, Failure},
    receiver::{self, Behavior, Listener, Store, Totals},
    record::TokenEncoding,
    signals::Signals,
    terminal::Terminal,
    tls::{self, Identity},
};

pub(crate) struct Plan {
    pub(crate) listen_address: ListenAddress,
    pub(crate) security: ReceiverSecurity,
    /// The SQLite file that stores the records. If `None`, the records are stored in memory.
    pub(crate) store_file: Option<PathBuf>,
    pub(crate) dump: Option<DumpDestination>,
    /// The encoding of tokens in the dump.
    pub(crate) token_encoding: TokenEncoding,
    pub(crate) behavior: Behavior,
    pub(crate) terminal: Terminal,
}

#[derive(Clone, Debug)]
pub(crate) enum ListenAddress {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

pub(crate) enum ReceiverSecurity {
    Plaintext,
    Tls {
        /// The files of the server certificate and its private key. If `None`, the receiver creates
        /// a self-signed certificate when it starts.
        identity: Option<IdentityFiles>,
        /// The PEM file with the trusted CAs or client certificates for mTLS. If `None`, clients
        /// need no certificate.
        client_ca_file: Option<PathBuf>,
        /// The output file for the certificate that clients should trust.
        cacert_output: Option<PathBuf>,
    },
}

/// The destination of the dump. The dump lists all stored records as CSV, and the receiver writes
/// the dump on exit.
pub(crate) enum DumpDestination {
    Stdout,
    File(PathBuf),
}

/// Runs the command and returns the exit code.
pub(crate) fn run(plan: &Plan) -> u8 {
    match serve(plan) {
        Ok(()) => 0,
        Err(failure) => {
            Terminal::error(&failure);
            failure.exit_code
        }
    }
}

fn serve(plan: &Plan) -> Result<(), Failure> {
    let store = Arc::new(match &plan.store_file {
        None => Store::in_memory(),
        Some(path) => open_store(path)?,
    });
    let dump = plan.dump.as_ref().map(DumpOutput::open).transpose()?;
    let tls = tls_config(&plan.security)?;
    let signals = Interrupts::listen(None)?.signals;
    let totals = block_on(receive(plan, tls, Arc::clone(&store), &signals))??;
    if let Some(dump) = dump {
        dump.write(&store, plan.token_encoding)?;
    }
    print_totals(plan.terminal, totals)
}

/// Receives requests until a signal arrives.
async fn receive(
    plan: &Plan,
    tls: Option<Arc<ServerConfig>>,
    store: Arc<Store>,
    signals: &Signals,
) -> Result<Totals, Failure> {
    let BoundListener { listener, address } = bind(&plan.listen_address).await?;
    let url = match (&listener, &tls) {
        (Listener::Unix(_), _) => address,
        (Listener::Tcp(_), Some(_)) => format!("https://{address}"),
        (Listener::Tcp(_), None) => format!("http://{address}"),
    };
    Terminal::print_data(&format!("listening on {url}"))?;
    let shutdown = async {
        signals.wait().await;
    };
    let totals = receiver::run(listener, tls, store, plan.behavior, shutdown).await;
    if let ListenAddress::Unix(path) = &plan.listen_address {
        // An error is ignored, because another process may already have removed the socket.
        let _ = fs::remove_file(path);
    }
    totals.map_err(|error| Failure::internal("the receiver failed", &error))
}

/// A listener, and the address to which clients connect. The address contains the port that the
/// operating system chose if `--listen` has port 0.
struct BoundListener {
    listener: Listener,
    address: String,
}

async fn bind(address: &ListenAddress) -> Result<BoundListener, Failure> {
    match address {
        ListenAddress::Tcp(address) => {
            let listen_failure = |error| diagnostics::listen_failed(&address.to_string(), &error);
            let listener = TcpListener::bind(address).await.map_err(listen_failure)?;
            let address = listener.local_addr().map_err(listen_failure)?;
            Ok(BoundListener {
                listener: Listener::Tcp(listener),
                address: address.to_string(),
            })
        }
        ListenAddress::Unix(path) => {
            let address = format!("unix:{}", path.display());
            remove_stale_socket(path).await;
            let listener = UnixListener::bind(path)
                .map_err(|error| diagnostics::listen_failed(&address, &error))?;
            Ok(BoundListener {
                listener: Listener::Unix(listener),
                address,
            })
        }
    }
}

/// Removes the socket file if no process listens on it. A receiver that was killed leaves its
/// socket file behind, and no other receiver can listen at the path of an existing file.
async fn remove_stale_socket(path: &Path) {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    if is_socket && UnixStream::connect(path).await.is_err() {
        let _ = fs::remove_file(path);
    }
}

/// Returns the TLS configuration of the receiver, or `None` for plaintext. If the options name a
/// file for the certificate that clients should trust, writes this file.
fn tls_config(security: &ReceiverSecurity) -> Result<Option<Arc<ServerConfig>>, Failure> {
    let ReceiverSecurity::Tls {
        identity,
        client_ca_file,
        cacert_output,
    } = security
    else {
        return Ok(None);
    };
    let identity = match identity {
        Some(files) => files.read()?,
        None => Identity::self_signed().map_err(diagnostics::tls_setup_failed)?,
    };
    let pem = identity.chain_pem();
    let client_cas = match client_ca_file {
        Some(file) => {
            Some(tls::read_trusted_certificates(&[file]).map_err(diagnostics::tls_setup_failed)?)
        }
        None => None,
    };
    let config = tls::server_config(identity, client_cas).map_err(diagnostics::tls_setup_failed)?;
    if let Some(path) = cacert_output {
        fs::write(path, pem).map_err(|error| diagnostics::file_write_failed(path, &error))?;
    }
    Ok(Some(config))
}

fn open_store(path: &Path) -> Result<Store, Failure> {
    // The file is created here, because SQLite would create a file that every user can read, and
    // tokens are credentials.
    open_private(path)?;
    Store::open(path).map_err(|error| diagnostics::store_unusable(path, &error))
}

/// Opens a file for writing without truncating it, or creates the file. Sets the permissions of a
/// regular file so that only its owner can read it.
fn open_private(path: &Path) -> Result<File, Failure> {
    let open = || {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        if file.metadata()?.is_file() {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        Ok(file)
    };
    open().map_err(|error| diagnostics::file_write_failed(path, &error))
}

/// The opened destination of the dump. The receiver opens the file when it starts, so that the user
/// learns at once if the file cannot be written.
enum DumpOutput {
    Stdout,
    File { path: PathBuf, file: File },
}

impl DumpOutput {
    fn open(destination: &DumpDestination) -> Result<Self, Failure> {
        Ok(match destination {
            DumpDestination::Stdout => Self::Stdout,
            DumpDestination::File(path) => Self::File {
                path: path.clone(),
                file: open_private(path)?,
            },
        })
    }

    fn write(self, store: &Store, encoding: TokenEncoding) -> Result<(), Failure> {
        match self {
            Self::Stdout => store
                .write_csv(Terminal::data_writer(), encoding)
                .map_err(|error| {
                    diagnostics::file_write_failed(Path::new("standard output"), &error)
                }),
            // The file is truncated here and not when it is opened. The previous dump therefore
            // exists until the receiver exits.
            Self::File { path, file } => truncate(&file)
                .and_then(|()| store.write_csv(file, encoding))
                .map_err(|error| diagnostics::file_write_failed(&path, &error)),
        }
    }
}

/// Truncates a regular file. Does nothing for a pipe or a device, which cannot be truncated.
fn truncate(file: &File) -> io::Result<()> {
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    Ok(())
}

fn print_totals(terminal: Terminal, totals: Totals) -> Result<(), Failure> {
    let Totals {
        requests,
        records,
        tokens,
    } = totals;
    if terminal.json {
        let text = serde_json::to_string(&totals)
            .map_err(|error| Failure::internal("the totals can't be written", &error))?;
        return Terminal::print_data(&text);
    }
    Terminal::print_data(&format!(
        "requests: {requests}, records: {records}, tokens: {tokens}"
    ))
}
