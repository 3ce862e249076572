//! [`fetch_service_files`]: fetches the protobuf files of a server's services through server
//! reflection.

use std::collections::BTreeMap;

use prost::Message;
use prost_types::FileDescriptorProto;
use tonic::Code;

use super::{
    error::{CallError, status_name},
    grpc_client::Client,
    reflection::{Query, ReflectionClient, ReflectionResponse},
};
use crate::contract;

/// The reason why a server's descriptors could not be collected.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ReflectionError {
    #[error(transparent)]
    Call(CallError),
    /// The reflection service answered with an error.
    #[error("{}: {message}", status_name(*code))]
    Refused { code: Code, message: String },
    #[error("unusable response: {0}")]
    InvalidResponse(String),
}

/// The maximum number of services to accept from a server, and also the maximum number of
/// descriptor files.
const MAX_FILES: usize = 1000;

/// The name prefix of gRPC's own services, such as reflection and health checking. The descriptors
/// of these services are not queried.
const GRPC_PACKAGE: &str = "grpc.";

/// Returns the descriptor files that declare `service`, and all files that these files import,
/// directly or indirectly. If `service` is `None`, returns the files for all services. All queries
/// together must finish within the timeout of one call.
///
/// # Errors
///
/// A call failed, an answer of the server cannot be used, or the timeout passed.
pub(crate) async fn fetch_service_files(
    client: &Client,
    service: Option<&str>,
) -> Result<Vec<FileDescriptorProto>, ReflectionError> {
    let timeout = client.timeout();
    let mut collector = DescriptorCollector {
        client,
        reflection: ReflectionClient::new(client),
        files: BTreeMap::new(),
    };
    match tokio::time::timeout(timeout, collector.collect(service)).await {
        Ok(Ok(())) => Ok(collector.files.into_values().collect()),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(ReflectionError::Call(CallError::TimedOut(timeout))),
    }
}

/// The descriptors that a server has sent so far.
struct DescriptorCollector<'c> {
    client: &'c Client,
    reflection: ReflectionClient<'c>,
    /// The files by name.
    files: BTreeMap<String, FileDescriptorProto>,
}

impl DescriptorCollector<'_> {
    async fn collect(&mut self, service: Option<&str>) -> Result<(), ReflectionError> {
        let services = match service {
            Some(service) => vec![service.to_owned()],
            None => match self.query(Query::ListServices).await? {
                ReflectionResponse::Services(services) => services,
                _ => return Err(invalid_answer("no list of services")),
            },
        };
        if services.len() > MAX_FILES {
            return Err(invalid_answer(format!("more than {MAX_FILES} services")));
        }
        let mut refusal = None;
        for service in services
            .into_iter()
            .filter(|name| !name.starts_with(GRPC_PACKAGE))
        {
            // A server may list a service without having the descriptors of the service. The error
            // for such a service is returned only if no service has descriptors.
            match self.add_files(Query::FileContainingSymbol(service)).await {
                Err(error @ ReflectionError::Refused { .. }) => refusal = Some(error),
                result => result?,
            }
        }
        if self.files.is_empty()
            && let Some(refusal) = refusal
        {
            return Err(refusal);
        }
        self.add_imports().await
    }

    /// Queries the server for imported files until no imported file is missing.
    async fn add_imports(&mut self) -> Result<(), ReflectionError> {
        loop {
            let missing = self
                .files
                .values()
                .flat_map(|file| &file.dependency)
                .find(|name| !self.files.contains_key(*name) && !contract::is_well_known(name));
            let Some(name) = missing.cloned() else {
                return Ok(());
            };
            self.add_files(Query::FileByName(name.clone())).await?;
            if !self.files.contains_key(&name) {
                return Err(invalid_answer(format!(
                    "not the file \"{}\"",
                    self.client.safe_text(&name)
                )));
            }
        }
    }

    /// Sends a query, and adds the files from the answer.
    async fn add_files(&mut self, query: Query) -> Result<(), ReflectionError> {
        let ReflectionResponse::Files(encoded_files) = self.query(query).await? else {
            return Err(invalid_answer("no descriptors"));
        };
        for encoded in encoded_files {
            let file = FileDescriptorProto::decode(encoded.as_slice())
                .map_err(|error| invalid_answer(error.to_string()))?;
            self.files.insert(file.name().to_owned(), file);
            if self.files.len() > MAX_FILES {
                return Err(invalid_answer(format!("more than {MAX_FILES} files")));
            }
        }
        Ok(())
    }

    async fn query(&mut self, query: Query) -> Result<ReflectionResponse, ReflectionError> {
        match self.reflection.query(query).await {
            Ok(ReflectionResponse::Error { code, message }) => {
                let code = match Code::from_i32(code) {
                    Code::Ok => Code::Unknown,
                    code => code,
                };
                let message = self.client.safe_text(&message);
                Err(ReflectionError::Refused { code, message })
            }
            Ok(answer) => Ok(answer),
            Err(error) => Err(ReflectionError::Call(error)),
        }
    }
}

fn invalid_answer(reason: impl Into<String>) -> ReflectionError {
    ReflectionError::InvalidResponse(reason.into())
}
