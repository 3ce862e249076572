//! Where the server's contract comes from.

use std::{
    cell::Cell,
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use http::uri::PathAndQuery;
use tokio::runtime;

use crate::{
    client::{StageOutcome, Target},
    contract::{self, Contract},
    delivery::{DeliveryPolicy, fetch_descriptors},
    diagnostics::{self, Failure},
    signals::Signals,
    terminal::Terminal,
};

/// What requests and responses look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContractPlan {
    /// The path of the call; the contract's own when `None`.
    pub(crate) method: Option<PathAndQuery>,
    pub(crate) schema: Schema,
}

/// What says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Schema {
    /// `proto/sensor.proto`.
    BuiltIn,
    /// A `.proto` file, and where its imports are.
    Proto {
        file: PathBuf,
        import_paths: Vec<PathBuf>,
    },
    /// A `google.protobuf.FileDescriptorSet`.
    Set(PathBuf),
    /// The server itself.
    Reflection,
}

/// A server that can be asked for its contract.
pub(super) struct Asking<'a> {
    pub(super) target: &'a Target,
    pub(super) policy: &'a DeliveryPolicy,
    pub(super) signals: &'a Signals,
    /// When the whole run must be over, and how long it may take.
    pub(super) end: Option<(Instant, Duration)>,
    pub(super) watch: &'a dyn Fn(StageOutcome),
}

/// The largest file of descriptors, in bytes.
const LARGEST: u64 = 64 << 20;

impl ContractPlan {
    /// What requests look like to this server, which is asked only where it has to be. Without a
    /// server, what it would tell is taken for the built-in contract.
    pub(super) fn contract(
        &self,
        asking: Option<&Asking<'_>>,
        terminal: Terminal,
    ) -> Result<Contract, Failure> {
        let method = self.method.as_ref();
        let (origin, pool) = match (&self.schema, asking) {
            (Schema::BuiltIn, _) | (Schema::Reflection, None) => {
                let mut contract = Contract::built_in();
                if let Some(method) = method {
                    contract.path = method.clone();
                }
                return Ok(contract);
            }
            (Schema::Proto { file, import_paths }, _) => {
                check(file, import_paths)?;
                let pool = contract::compile_proto(file, import_paths);
                (file.display().to_string(), pool)
            }
            (Schema::Set(file), _) => {
                let set =
                    read(file).map_err(|error| diagnostics::file_read_failed(file, &error))?;
                (
                    file.display().to_string(),
                    contract::decode_descriptor_set(&set),
                )
            }
            (Schema::Reflection, Some(asking)) => {
                let files = asking.ask(method)?;
                let origin = format!("the reflection of {}", asking.target.endpoint);
                (origin, contract::link_files(files))
            }
        };
        let contract = pool
            .and_then(|pool| contract::find_contract(&pool, method))
            .map_err(|error| {
                let failure = diagnostics::contract_unusable(&origin, error);
                match asking {
                    Some(asking) => failure.masking_metadata(&asking.target.metadata),
                    None => failure,
                }
            })?;
        if !contract.has_code() {
            terminal
                .note("responses have no code: a request is acknowledged by its gRPC status alone");
        }
        Ok(contract)
    }
}

/// What the compiler would tell less well. A name may be one below the import paths.
fn check(file: &Path, import_paths: &[PathBuf]) -> Result<(), Failure> {
    for path in import_paths {
        path.read_dir()
            .map_err(|error| diagnostics::file_read_failed(path, &error))?;
    }
    let is_readable = match fs::metadata(file) {
        Err(_) if !import_paths.is_empty() => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if metadata.file_type().is_char_device() => {
            Err(io::Error::other("it is a device, not a file"))
        }
        Ok(metadata) if metadata.len() > LARGEST => Err(io::ErrorKind::FileTooLarge.into()),
        Ok(_) => Ok(()),
    };
    is_readable.map_err(|error| diagnostics::file_read_failed(file, &error))
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut set = Vec::new();
    File::open(file)?.take(LARGEST + 1).read_to_end(&mut set)?;
    if set.len() as u64 > LARGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(set)
}

impl Asking<'_> {
    fn ask(
        &self,
        method: Option<&PathAndQuery>,
    ) -> Result<Vec<prost_types::FileDescriptorProto>, Failure> {
        let server = self.target.endpoint.to_string();
        let service = method.and_then(|path| path.as_str().split('/').nth(1));
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::internal("no runtime", &error))?;
        let reached = Cell::new(false);
        let watch = |finding| {
            reached.set(matches!(finding, StageOutcome::SettingsReceived));
            (self.watch)(finding);
        };
        let files = runtime.block_on(async {
            let described = fetch_descriptors(self.target, service, self.policy, &watch);
            tokio::select! {
                described = described => described.map_err(|error| {
                    diagnostics::reflection_failed(&server, &error).masking_metadata(&self.target.metadata)
                }),
                signal = self.signals.wait() => Err(diagnostics::command_interrupted(signal)),
                limit = self.out_of_time() => {
                    Err(diagnostics::max_time_passed(&server, limit, reached.get(), None))
                }
            }
        });
        runtime.shutdown_background();
        files
    }

    async fn out_of_time(&self) -> Duration {
        match self.end {
            Some((end, limit)) => {
                tokio::time::sleep_until(end.into()).await;
                limit
            }
            None => std::future::pending().await,
        }
    }
}
