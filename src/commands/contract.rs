//! The contract options after parsing, and the loading of the contract that the options name. A
//! contract is the gRPC method of a server together with its message types.

use std::{
    cell::Cell,
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    time::Duration,
};

use http::uri::PathAndQuery;

use super::reactor::{TimeLimit, new_runtime};
use crate::{
    client::{StageSuccess, Target, mask_secrets},
    contract::{self, Contract},
    delivery::{DeliveryPolicy, fetch_descriptors},
    diagnostics::{self, Failure},
    signals::Signals,
    terminal::Terminal,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContractPlan {
    /// The path of the call. If `None`, the source of the contract determines the path.
    pub(crate) method: Option<PathAndQuery>,
    pub(crate) source: ContractSource,
}

/// The source of the message types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ContractSource {
    /// `proto/sensor.proto` of this program.
    BuiltIn,
    /// A `.proto` file, and the folders that contain its imports.
    Proto {
        file: PathBuf,
        import_paths: Vec<PathBuf>,
    },
    /// A file that holds a `google.protobuf.FileDescriptorSet`.
    DescriptorSet(PathBuf),
    /// gRPC server reflection.
    Reflection,
}

/// The arguments of a server reflection call.
pub(super) struct ReflectionContext<'a> {
    pub(super) target: &'a Target,
    pub(super) policy: &'a DeliveryPolicy,
    pub(super) signals: &'a Signals,
    pub(super) time_limit: Option<TimeLimit>,
    /// A function that receives the outcome of each completed stage of the connection.
    pub(super) on_stage: &'a dyn Fn(StageSuccess),
}

/// The maximum size of a descriptor set or `.proto` file, in bytes.
const MAX_DESCRIPTOR_BYTES: u64 = 64 << 20;

impl ContractPlan {
    /// Reads or compiles the contract, or fetches it from the server by reflection.
    ///
    /// `server` is `None` for a rehearsal, which contacts no server. If the options ask for
    /// reflection, a rehearsal uses the built-in contract instead.
    pub(super) fn load(
        &self,
        server: Option<&ReflectionContext<'_>>,
        terminal: Terminal,
    ) -> Result<Contract, Failure> {
        let method = self.method.as_ref();
        let (source_name, pool) = match (&self.source, server) {
            (ContractSource::BuiltIn, _) | (ContractSource::Reflection, None) => {
                let mut contract = Contract::built_in();
                if let Some(method) = method {
                    contract.path = method.clone();
                }
                return Ok(contract);
            }
            (ContractSource::Proto { file, import_paths }, _) => {
                check_proto_files(file, import_paths)?;
                let pool = contract::compile_proto(file, import_paths);
                (file.display().to_string(), pool)
            }
            (ContractSource::DescriptorSet(file), _) => {
                let set = read_schema(file)
                    .map_err(|error| diagnostics::file_read_failed(file, &error))?;
                (
                    file.display().to_string(),
                    contract::decode_descriptor_set(&set),
                )
            }
            (ContractSource::Reflection, Some(server)) => {
                let files = server.fetch_files(method)?;
                let source_name = format!("the reflection of {}", server.target.endpoint);
                (source_name, contract::link_files(files))
            }
        };
        let contract = pool
            .and_then(|pool| contract::find_contract(&pool, method))
            .map_err(|error| {
                let mut failure = diagnostics::contract_unusable(&source_name, error);
                if let Some(server) = server {
                    let metadata = &server.target.metadata;
                    for cause in &mut failure.causes {
                        *cause = mask_secrets(cause, metadata, std::iter::empty());
                    }
                }
                failure
            })?;
        if !contract.has_code() {
            terminal
                .note("responses have no code: a request is acknowledged by its gRPC status alone");
        }
        Ok(contract)
    }
}

/// Refuses a file that is missing, too large or a device, and an import path that cannot be read.
/// The compiler's own error messages for such files are less clear.
fn check_proto_files(file: &Path, import_paths: &[PathBuf]) -> Result<(), Failure> {
    for path in import_paths {
        path.read_dir()
            .map_err(|error| diagnostics::file_read_failed(path, &error))?;
    }
    let checked = match fs::metadata(file) {
        // The file may be in one of the import paths. The compiler searches the import paths, and
        // reports a missing file.
        Err(_) if !import_paths.is_empty() => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if metadata.file_type().is_char_device() => {
            Err(io::Error::other("it is a device, not a file"))
        }
        Ok(metadata) if metadata.len() > MAX_DESCRIPTOR_BYTES => {
            Err(io::ErrorKind::FileTooLarge.into())
        }
        Ok(_) => Ok(()),
    };
    checked.map_err(|error| diagnostics::file_read_failed(file, &error))
}

fn read_schema(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut limited = File::open(file)?.take(MAX_DESCRIPTOR_BYTES + 1);
    limited.read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_DESCRIPTOR_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

impl ReflectionContext<'_> {
    /// Fetches the descriptors of the service that `method` belongs to, or of all services if
    /// `method` is `None`.
    fn fetch_files(
        &self,
        method: Option<&PathAndQuery>,
    ) -> Result<Vec<prost_types::FileDescriptorProto>, Failure> {
        let server = self.target.endpoint.to_string();
        let service = method.and_then(|path| path.as_str().split('/').nth(1));
        let runtime = new_runtime()?;
        let is_connected = Cell::new(false);
        let on_stage = |outcome| {
            is_connected.set(matches!(outcome, StageSuccess::SettingsReceived));
            (self.on_stage)(outcome);
        };
        let files = runtime.block_on(async {
            let fetched = fetch_descriptors(self.target, service, self.policy, &on_stage);
            tokio::select! {
                fetched = fetched => {
                    fetched.map_err(|error| diagnostics::reflection_failed(&server, &error))
                }
                signal = self.signals.wait() => Err(diagnostics::command_interrupted(signal)),
                max_time = self.wait_for_deadline() => {
                    Err(diagnostics::max_time_passed(&server, max_time, is_connected.get(), None))
                }
            }
        });
        runtime.shutdown_background();
        files
    }

    /// Waits until the deadline of the run, and returns the value of `--max-time`. Waits forever if
    /// the run has no deadline.
    async fn wait_for_deadline(&self) -> Duration {
        match self.time_limit {
            Some(limit) => {
                tokio::time::sleep_until(limit.deadline.into()).await;
                limit.max_time
            }
            None => std::future::pending().await,
        }
    }
}
