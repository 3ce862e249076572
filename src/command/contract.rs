//! Where the server's contract comes from.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use http::uri::PathAndQuery;
use tokio::runtime;

use super::Connection;
use crate::{
    client::{Finding, Target},
    delivery::{Policy, describe},
    failure::Failure,
    output::Output,
    signal::Signals,
    wire::{self, Contract},
};

/// What says how requests and responses look.
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

/// A look at a server that is asked for its contract.
pub(super) struct Asking<'a> {
    pub(super) target: &'a Target,
    pub(super) policy: &'a Policy,
    /// When the whole run must be over, and how long it may take.
    pub(super) end: Option<(Instant, Duration)>,
    pub(super) watch: &'a dyn Fn(Finding),
}

impl Connection {
    /// What requests look like to this server, which is asked only where it has to be.
    pub(super) fn contract(
        &self,
        asking: &Asking<'_>,
        output: Output,
    ) -> Result<Contract, Failure> {
        let method = self.method.as_ref();
        let (origin, pool) = match &self.schema {
            Schema::BuiltIn => {
                let mut contract = Contract::built_in();
                if let Some(method) = method {
                    contract.path = method.clone();
                }
                return Ok(contract);
            }
            Schema::Proto { file, import_paths } => (
                file.display().to_string(),
                wire::compiled(file, import_paths),
            ),
            Schema::Set(file) => {
                let set = fs::read(file).map_err(|error| Failure::configuration(file, &error))?;
                (file.display().to_string(), wire::decoded(&set))
            }
            Schema::Reflection => {
                let files = asking.ask(method)?;
                let origin = format!("{}, by its reflection,", asking.target.endpoint);
                (origin, wire::linked(files))
            }
        };
        let contract = pool
            .and_then(|pool| wire::contract(&pool, method))
            .map_err(|error| Failure::schema(&origin, error))?;
        if !contract.has_code() {
            output.note("responses have no integer code: a request is acknowledged by its gRPC status alone");
        }
        Ok(contract)
    }
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
        let files = runtime.block_on(async {
            let signals =
                Signals::listen().map_err(|error| Failure::internal("no signals", &error))?;
            let described = describe(self.target, service, self.policy, self.watch);
            tokio::select! {
                described = described => described.map_err(|error| {
                    Failure::undescribed(&server, &error).hiding(&self.target.metadata)
                }),
                signal = signals.wait() => Err(Failure::stopped(signal)),
                limit = self.out_of_time() => Err(Failure::max_time(&server, limit, false, None)),
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
