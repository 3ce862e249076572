//! [`fetch_service_files`]: fetches the protobuf files of a server's services through server
//! reflection.

use std::collections::BTreeMap;

use prost::Message;
use prost_types::FileDescriptorProto;
use tonic_reflection::pb::v1::{
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use super::{
    error::CallError,
    grpc_client::Client,
    reflection::{ReflectionClient, ReflectionError},
};
use crate::contract;

/// The maximum number of services to accept from a server, and also the maximum number of
/// descriptor files.
const MAX_FILES: usize = 1000;

/// The name prefix of gRPC's own services, whose descriptors are not queried.
const GRPC_PACKAGE: &str = "grpc.";

/// Returns the descriptor files that declare `service`, and all files that these files import,
/// directly or indirectly. If `service` is `None`, returns the files for all services. All queries
/// together must finish within the timeout of one call.
pub(crate) async fn fetch_service_files(
    client: &Client,
    service: Option<&str>,
) -> Result<Vec<FileDescriptorProto>, ReflectionError> {
    let timeout = client.target.timeout;
    let mut collector = DescriptorCollector {
        reflection: ReflectionClient::new(client),
        files: BTreeMap::new(),
    };
    match tokio::time::timeout(timeout, collector.collect(service)).await {
        Ok(collected) => collected.map(|()| collector.files.into_values().collect()),
        Err(_) => Err(ReflectionError::Call(CallError::TimedOut(timeout))),
    }
}

struct DescriptorCollector<'c> {
    reflection: ReflectionClient<'c>,
    /// The files by name.
    files: BTreeMap<String, FileDescriptorProto>,
}

impl DescriptorCollector<'_> {
    async fn collect(&mut self, service: Option<&str>) -> Result<(), ReflectionError> {
        let services = match service {
            Some(service) => vec![service.to_owned()],
            None => self.reflection.list_services().await?,
        };
        if services.len() > MAX_FILES {
            return Err(invalid(format!("more than {MAX_FILES} services")));
        }
        let mut refusal = None;
        for service in services
            .into_iter()
            .filter(|name| !name.starts_with(GRPC_PACKAGE))
        {
            // A server may list a service without having the descriptors of the service. The error
            // for such a service is returned only if no service has descriptors.
            let query = MessageRequest::FileContainingSymbol(service);
            match self.add_files(query).await {
                Err(error @ ReflectionError::Refused { .. }) => refusal = Some(error),
                result => result?,
            }
        }
        if let Some(refusal) = refusal.filter(|_| self.files.is_empty()) {
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
            let query = MessageRequest::FileByFilename(name.clone());
            self.add_files(query).await?;
            if !self.files.contains_key(&name) {
                let name = self.reflection.client.safe_text(&name);
                return Err(invalid(format!("not the file \"{name}\"")));
            }
        }
    }

    async fn add_files(&mut self, query: MessageRequest) -> Result<(), ReflectionError> {
        let MessageResponse::FileDescriptorResponse(response) =
            self.reflection.query(query).await?
        else {
            return Err(invalid("no descriptors"));
        };
        for encoded in response.file_descriptor_proto {
            let file = FileDescriptorProto::decode(encoded.as_slice())
                .map_err(|error| invalid(error.to_string()))?;
            self.files.insert(file.name().to_owned(), file);
            if self.files.len() > MAX_FILES {
                return Err(invalid(format!("more than {MAX_FILES} files")));
            }
        }
        Ok(())
    }
}

fn invalid(reason: impl Into<String>) -> ReflectionError {
    ReflectionError::InvalidResponse(reason.into())
}
