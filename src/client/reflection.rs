//! [`ReflectionClient`]: single queries to the reflection service of a server (gRPC
//! doc/server-reflection.md).

use std::time::Duration;

use tonic::Code;
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, ServerReflectionResponse, server_reflection_request::MessageRequest,
    server_reflection_response::MessageResponse,
};

use super::{
    error::{CallError, status_name},
    grpc_client::Client,
};

#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ReflectionError {
    #[error(transparent)]
    Call(CallError),
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
        let request = ServerReflectionRequest {
            message_request: Some(query),
            ..ServerReflectionRequest::default()
        };
        let response = match self.client.query(self.path, &request).await {
            Err(CallError::Status {
                code: Code::Unimplemented,
                ..
            }) if self.path == V1 => {
                self.path = V1_ALPHA;
                self.client.query(self.path, &request).await
            }
            response => response,
        };
        let response: ServerReflectionResponse = response.map_err(ReflectionError::Call)?;
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
}

/// Returns the names of the services that the server lists through reflection, or `None` if the
/// server does not list them before `timeout` passes.
pub(crate) async fn list_services(client: &Client, timeout: Duration) -> Option<Vec<String>> {
    let mut reflection = ReflectionClient::new(client);
    let services = tokio::time::timeout(timeout, reflection.list_services());
    services.await.ok()?.ok()
}
