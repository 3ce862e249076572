//! `serve`: the reference receiver.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io,
    net::SocketAddr,
    os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, UnixListener, UnixStream},
    runtime,
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
    pub(crate) listen: Listen,
    pub(crate) security: Security,
    pub(crate) store: Option<PathBuf>,
    pub(crate) dump: Option<Dump>,
    /// How the dump writes tokens.
    pub(crate) token_encoding: TokenEncoding,
    pub(crate) behavior: Behavior,
    pub(crate) terminal: Terminal,
}

/// Where to listen.
#[derive(Clone, Debug)]
pub(crate) enum Listen {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

pub(crate) enum Security {
    Plaintext,
    Tls {
        /// A certificate and its key; made at start when `None`.
        identity: Option<(PathBuf, PathBuf)>,
        /// Trust anchors for the certificates that clients must show.
        client_ca: Option<PathBuf>,
        /// Where to put the certificate to trust.
        write_cacert: Option<PathBuf>,
    },
}

/// Where the records go on exit.
pub(crate) enum Dump {
    Stdout,
    File(PathBuf),
}

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
    let store = Arc::new(match &plan.store {
        None => Store::in_memory(),
        Some(path) => open_store(path)?,
    });
    let dump = plan.dump.as_ref().map(DumpFile::open).transpose()?;
    let tls = security(&plan.security)?;
    let signals = super::signals()?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal("no runtime", &error))?;
    let totals = runtime.block_on(listen(plan, tls, Arc::clone(&store), &signals))?;
    if let Some(dump) = dump {
        dump.write(&store, plan.token_encoding)?;
    }
    report(plan.terminal, totals)
}

async fn listen(
    plan: &Plan,
    tls: Option<Arc<ServerConfig>>,
    store: Arc<Store>,
    signals: &Signals,
) -> Result<Totals, Failure> {
    let (listener, name) = bind(&plan.listen).await?;
    let url = match (&listener, &tls) {
        (Listener::Unix(_), _) => name,
        (Listener::Tcp(_), Some(_)) => format!("https://{name}"),
        (Listener::Tcp(_), None) => format!("http://{name}"),
    };
    Terminal::print_data(&format!("listening on {url}"))?;
    let shutdown = async {
        signals.wait().await;
    };
    let totals = receiver::run(listener, tls, store, plan.behavior, shutdown).await;
    if let Listen::Unix(path) = &plan.listen {
        // Somebody may have tidied it up already.
        let _ = fs::remove_file(path);
    }
    totals.map_err(|error| Failure::internal("the receiver failed", &error))
}

async fn bind(listen: &Listen) -> Result<(Listener, String), Failure> {
    match listen {
        Listen::Tcp(address) => {
            let failed = |error| diagnostics::listen_failed(&address.to_string(), &error);
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            Ok((Listener::Tcp(listener), address.to_string()))
        }
        Listen::Unix(path) => {
            let name = format!("unix:{}", path.display());
            remove_stale_socket(path).await;
            let listener = UnixListener::bind(path)
                .map_err(|error| diagnostics::listen_failed(&name, &error))?;
            Ok((Listener::Unix(listener), name))
        }
    }
}

/// A socket that nobody listens on any more is in the way of the next one.
async fn remove_stale_socket(path: &Path) {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    if is_socket && UnixStream::connect(path).await.is_err() {
        let _ = fs::remove_file(path);
    }
}

fn security(security: &Security) -> Result<Option<Arc<ServerConfig>>, Failure> {
    let Security::Tls {
        identity,
        client_ca,
        write_cacert,
    } = security
    else {
        return Ok(None);
    };
    let identity = match identity {
        Some((certificate, key)) => Identity::read(certificate, key),
        None => Identity::self_signed(),
    };
    let identity = identity.map_err(diagnostics::tls_setup_failed)?;
    let pem = identity.chain_pem();
    let client_anchors = match client_ca {
        Some(file) => {
            Some(tls::read_trusted_certificates(&[file]).map_err(diagnostics::tls_setup_failed)?)
        }
        None => None,
    };
    let config =
        tls::server_config(identity, client_anchors).map_err(diagnostics::tls_setup_failed)?;
    if let Some(path) = write_cacert {
        fs::write(path, pem).map_err(|error| diagnostics::file_write_failed(path, &error))?;
    }
    Ok(Some(config))
}

fn open_store(path: &Path) -> Result<Store, Failure> {
    // SQLite would make the file readable for all, and tokens are credentials.
    private(path)?;
    Store::open(path).map_err(|error| diagnostics::store_unusable(path, &error))
}

/// Opens a file for its owner alone, made where it is not there. What it holds stays.
fn private(path: &Path) -> Result<File, Failure> {
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

/// Where the dump goes, and what errors call it.
struct DumpFile {
    name: PathBuf,
    file: Option<File>,
}

impl DumpFile {
    fn open(dump: &Dump) -> Result<Self, Failure> {
        Ok(match dump {
            Dump::Stdout => Self {
                name: "standard output".into(),
                file: None,
            },
            Dump::File(path) => Self {
                name: path.clone(),
                file: Some(private(path)?),
            },
        })
    }

    fn write(self, store: &Store, encoding: TokenEncoding) -> Result<(), Failure> {
        let written = match self.file {
            None => store.dump(io::stdout(), encoding),
            // The dump before is kept until there is a new one.
            Some(file) => empty(&file).and_then(|()| store.dump(file, encoding)),
        };
        written.map_err(|error| diagnostics::file_write_failed(&self.name, &error))
    }
}

/// Only a regular file can be emptied, and only it needs to be.
fn empty(file: &File) -> io::Result<()> {
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    Ok(())
}

fn report(terminal: Terminal, totals: Totals) -> Result<(), Failure> {
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
