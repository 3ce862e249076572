//! [`ReflectionClient`]: single queries to the reflection service of a server (gRPC
//! doc/server-reflection.md).

use std::{sync::Arc, time::Duration};

use tonic::Code;
use tonic_reflection::pb::{v1, v1alpha};

use super::{error::CallError, grpc_client::Client};

/// The reflection service of a server, in the version that the server implements.
pub(super) struct ReflectionClient<'c> {
    client: &'c Client,
    version: Version,
}

/// A version of the reflection service. Many servers implement only `v1alpha`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V1Alpha,
}

/// A query to the reflection service.
#[derive(Clone, Debug)]
pub(super) enum Query {
    ListServices,
    /// Asks for the file that declares this service.
    FileContainingSymbol(String),
    /// Asks for the file with this name.
    FileByName(String),
}

/// An answer of the reflection service to a [`Query`].
#[derive(Debug)]
pub(super) enum ReflectionResponse {
    Services(Vec<String>),
    /// Encoded messages of type `google.protobuf.FileDescriptorProto`.
    Files(Vec<Vec<u8>>),
    /// An `ErrorResponse`, whose `code` is a gRPC status.
    Error {
        code: i32,
        message: String,
    },
    /// The server sent no answer, or an answer to a kind of query that [`Query`] does not have.
    Unexpected,
}

/// The maximum length of an answer in bytes.
const MAX_RESPONSE_BYTES: usize = 16 << 20;

/// Queries one version of the reflection service. This is a macro because the messages of both
/// versions have the same fields but different types.
macro_rules! query_version {
    ($client:expr, $version:ident, $query:expr) => {{
        use $version::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
            server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
        };
        let client: &Client = $client;
        let message_request = Some(match $query {
            Query::ListServices => MessageRequest::ListServices(String::new()),
            Query::FileContainingSymbol(name) => MessageRequest::FileContainingSymbol(name),
            Query::FileByName(name) => MessageRequest::FileByFilename(name),
        });
        let messages = tokio_stream::once(ServerReflectionRequest {
            message_request,
            ..ServerReflectionRequest::default()
        });
        let mut request = tonic::Request::new(messages);
        request.set_timeout(client.timeout());
        let transport = client.transport();
        let observer = Arc::clone(&transport.observer);
        let mut reflection = ServerReflectionClient::with_origin(transport, client.origin())
            .max_decoding_message_size(MAX_RESPONSE_BYTES);
        let response = match reflection.server_reflection_info(request).await {
            Ok(responses) => responses.into_inner().message().await,
            Err(status) => Err(status),
        };
        match response.map(|response| response.and_then(|response| response.message_response)) {
            Ok(Some(MessageResponse::ListServicesResponse(list))) => {
                Ok(ReflectionResponse::Services(
                    list.service
                        .into_iter()
                        .map(|service| service.name)
                        .collect(),
                ))
            }
            Ok(Some(MessageResponse::FileDescriptorResponse(files))) => {
                Ok(ReflectionResponse::Files(files.file_descriptor_proto))
            }
            Ok(Some(MessageResponse::ErrorResponse(error))) => Ok(ReflectionResponse::Error {
                code: error.error_code,
                message: error.error_message,
            }),
            Ok(_) => Ok(ReflectionResponse::Unexpected),
            Err(status) => Err(observer.classify_failure(&status)),
        }
    }};
}

impl<'c> ReflectionClient<'c> {
    pub(super) fn new(client: &'c Client) -> Self {
        Self {
            client,
            version: Version::V1,
        }
    }

    /// Sends one query and waits for the answer. If the server does not implement v1, this query
    /// and all later queries use v1alpha. The caller must limit the time to wait, because this
    /// function only sends the timeout to the server.
    pub(super) async fn query(&mut self, query: Query) -> Result<ReflectionResponse, CallError> {
        if self.version == Version::V1 {
            match self.query_in(Version::V1, query.clone()).await {
                Err(CallError::Status {
                    code: Code::Unimplemented,
                    ..
                }) => self.version = Version::V1Alpha,
                answer => return answer,
            }
        }
        self.query_in(Version::V1Alpha, query).await
    }

    async fn query_in(
        &self,
        version: Version,
        query: Query,
    ) -> Result<ReflectionResponse, CallError> {
        let answer = match version {
            Version::V1 => query_version!(self.client, v1, query),
            Version::V1Alpha => query_version!(self.client, v1alpha, query),
        };
        match answer {
            Err(error) => Err(self.client.refine_error(error).await),
            answer => answer,
        }
    }
}

/// Returns the names of the services that the server lists through reflection, or `None` if the
/// server does not list them before `timeout` passes.
pub(crate) async fn list_services(client: &Client, timeout: Duration) -> Option<Vec<String>> {
    let mut reflection = ReflectionClient::new(client);
    let answer = reflection.query(Query::ListServices);
    match tokio::time::timeout(timeout, answer).await.ok()?.ok()? {
        ReflectionResponse::Services(services) => Some(services),
        _ => None,
    }
}
