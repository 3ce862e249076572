//! [`ContractPlan`]: the contract options after parsing, and the loading of the contract.

use std::{
    cell::Cell,
    path::{Path, PathBuf},
};

use http::uri::PathAndQuery;
use prost_types::FileDescriptorProto;
use tokio::time::timeout_at;

use super::interrupts::Interrupts;
use crate::{
    client::{StageSuccess, Target, mask_secrets},
    contract::{self, Contract},
    delivery::{DeliveryPolicy, fetch_descriptors},
    diagnostics::{self, Failure},
    report,
    terminal::Terminal,
    user_path::UserPath,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContractPlan {
    /// The path of the call. If `None`, the source of the contract determines the path.
    pub(crate) method: Option<PathAndQuery>,
    pub(crate) source: ContractSource,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ContractSource {
    BuiltIn,
    Proto {
        file: PathBuf,
        import_paths: Vec<PathBuf>,
    },
    /// A file that holds a `google.protobuf.FileDescriptorSet`.
    DescriptorSet(PathBuf),
    Reflection,
}

/// The maximum size of a descriptor set, in bytes.
const MAX_DESCRIPTOR_BYTES: u64 = 64 << 20;

impl ContractPlan {
    pub(super) fn load(
        &self,
        target: &Target,
        policy: &DeliveryPolicy,
        interrupts: &Interrupts,
        terminal: Terminal,
    ) -> Result<Contract, Failure> {
        let method = self.method.as_ref();
        let (source_name, pool) = match &self.source {
            ContractSource::BuiltIn => {
                let mut contract = Contract::built_in();
                if let Some(method) = method {
                    contract.path = method.clone();
                }
                return Ok(contract);
            }
            ContractSource::Proto { file, import_paths } => {
                let text = read_proto(file, import_paths, interrupts)?;
                let pool = contract::compile_proto(file, text, import_paths);
                (UserPath::from(file.as_path()).to_string(), pool)
            }
            ContractSource::DescriptorSet(file) => {
                let file = UserPath::from(file.as_path());
                let set = file
                    .read(MAX_DESCRIPTOR_BYTES, &interrupts.wait_to_read())
                    .map_err(|error| interrupts.explain(error.into()))?;
                (file.to_string(), contract::decode_descriptor_set(&set))
            }
            ContractSource::Reflection => {
                let files = fetch_files(method, target, policy, interrupts, terminal)?;
                let source_name = format!("server reflection of \"{}\"", target.endpoint);
                (source_name, contract::link_files(files))
            }
        };
        let contract = pool
            .and_then(|pool| contract::find_contract(&pool, method))
            .map_err(|error| {
                let mut failure = diagnostics::contract_unusable(&source_name, &error);
                for cause in &mut failure.causes {
                    *cause = mask_secrets(cause, &target.metadata, std::iter::empty());
                }
                failure
            })?;
        if !contract.has_code() {
            terminal.note("responses have no code; a request is acknowledged by gRPC status OK");
        }
        Ok(contract)
    }
}

/// Fetches the descriptors of the service that `method` belongs to, or of all services if `method`
/// is `None`.
fn fetch_files(
    method: Option<&PathAndQuery>,
    target: &Target,
    policy: &DeliveryPolicy,
    interrupts: &Interrupts,
    terminal: Terminal,
) -> Result<Vec<FileDescriptorProto>, Failure> {
    let server = target.endpoint.to_string();
    let service = method.and_then(|path| path.as_str().split('/').nth(1));
    let is_connected = Cell::new(false);
    let last_failure = Cell::new(None);
    let on_stage = |stage| {
        is_connected.set(matches!(stage, StageSuccess::SettingsReceived));
        terminal.detail(1, || report::format_stage(&stage, target));
    };
    let on_retry = |failure| {
        is_connected.set(false);
        last_failure.set(Some(diagnostics::attempt_failed(target, &failure)));
    };
    interrupts.block_on(async {
        let fetch = fetch_descriptors(target, service, policy, &on_stage, &on_retry);
        let fetched = match &interrupts.time_limit {
            None => fetch.await,
            Some(limit) => timeout_at(limit.deadline.into(), fetch)
                .await
                .map_err(|_| {
                    let (in_request, last) = (is_connected.get(), last_failure.take());
                    diagnostics::max_time_passed(&server, limit.max_time, in_request, last)
                })?,
        };
        fetched.map_err(|failure| diagnostics::attempt_failed(target, &failure))
    })?
}

/// Reads a `.proto` file. Returns `None` for a file that can only be in one of the import paths, which
/// the compiler searches. Refuses an import path that cannot be read, because the compiler's own
/// error is less clear.
fn read_proto(
    file: &Path,
    import_paths: &[PathBuf],
    interrupts: &Interrupts,
) -> Result<Option<String>, Failure> {
    for path in import_paths {
        path.read_dir()
            .map_err(|error| UserPath::from(path.as_path()).error("open", &error))?;
    }
    if !import_paths.is_empty() && !file.exists() {
        return Ok(None);
    }
    let text = UserPath::from(file).read_text(&interrupts.wait_to_read());
    text.map(Some)
        .map_err(|error| interrupts.explain(error.into()))
}
