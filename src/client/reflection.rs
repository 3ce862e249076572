//! [`ReflectionClient`]: single queries to the reflection service of a server (gRPC
//! doc/server-reflection.md).

use std::{sync::Arc, time::Duration};

use http::uri::PathAndQuery;
use tonic::{Code, client::Grpc};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, ServerReflectionResponse, server_reflection_request::MessageRequest,
    server_reflection_response::MessageResponse,
};

use super::{
    error::{CallError, status_name},
    grpc_client::Client,
    transport_error::classify_unready,
};

/// The reason why a query to the reflection service failed.
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

/// The reflection service of a server, in the version that the server implements.
pub(super) struct ReflectionClient<'c> {
    pub(super) client: &'c Client,
    path: &'static str,
}

const V1: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

/// The only version that many servers implement. Its messages are the same as those of v1.
const V1_ALPHA: &str = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

const MAX_RESPONSE_BYTES: usize = 16 << 20;

impl<'c> ReflectionClient<'c> {
    pub(super) fn new(client: &'c Client) -> Self {
        Self { client, path: V1 }
    }

    /// Sends one query and waits for the answer. The caller must limit the time to wait, because
    /// this function only sends the timeout to the server.
    pub(super) async fn query(
        &mut self,
        query: MessageRequest,
    ) -> Result<MessageResponse, ReflectionError> {
        let response = match self.call(query.clone()).await {
            Err(CallError::Status {
                code: Code::Unimplemented,
                ..
            }) if self.path == V1 => {
                self.path = V1_ALPHA;
                self.call(query).await
            }
            response => response,
        };
        let response = match response {
            Ok(response) => response,
            Err(error) => return Err(ReflectionError::Call(self.client.refine_error(error).await)),
        };
        match response.message_response {
            Some(MessageResponse::ErrorResponse(error)) => Err(ReflectionError::Refused {
                code: match Code::from_i32(error.error_code) {
                    Code::Ok => Code::Unknown,
                    code => code,
                },
                message: self.client.safe_text(&error.error_message),
            }),
            Some(response) => Ok(response),
            None => Err(ReflectionError::InvalidResponse("no message".to_owned())),
        }
    }

    pub(super) async fn list_services(&mut self) -> Result<Vec<String>, ReflectionError> {
        let query = MessageRequest::ListServices(String::new());
        match self.query(query).await? {
            MessageResponse::ListServicesResponse(list) => {
                Ok(list.service.into_iter().map(|one| one.name).collect())
            }
            _ => Err(ReflectionError::InvalidResponse(
                "no list of services".to_owned(),
            )),
        }
    }

    async fn call(&self, query: MessageRequest) -> Result<ServerReflectionResponse, CallError> {
        let mut request = tonic::Request::new(tokio_stream::once(ServerReflectionRequest {
            message_request: Some(query),
            ..ServerReflectionRequest::default()
        }));
        request.set_timeout(self.client.target.timeout);
        let transport = self.client.transport();
        let observer = Arc::clone(&transport.observer);
        let mut grpc = Grpc::with_origin(transport, self.client.target.origin())
            .max_decoding_message_size(MAX_RESPONSE_BYTES);
        grpc.ready()
            .await
            .map_err(|error| classify_unready(&*error))?;
        let codec = ProstCodec::default();
        let path = PathAndQuery::from_static(self.path);
        let response = match grpc.streaming(request, path, codec).await {
            Ok(responses) => responses.into_inner().message().await,
            Err(status) => Err(status),
        };
        response
            .map(Option::unwrap_or_default)
            .map_err(|status| observer.classify_failure(&status))
    }
}

/// Returns the names of the services that the server lists through reflection, or `None` if the
/// server does not list them before `timeout` passes.
pub(crate) async fn list_services(client: &Client, timeout: Duration) -> Option<Vec<String>> {
    let mut reflection = ReflectionClient::new(client);
    let services = tokio::time::timeout(timeout, reflection.list_services());
    services.await.ok()?.ok()
}
