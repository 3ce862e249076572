//! What servers tell of themselves where they do: health and reflection.

use std::time::Duration;

use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::{v1, v1alpha};

use super::Client;

/// Asks in one version of the protocol. The versions' messages differ in their types alone.
macro_rules! list_services {
    ($client:expr, $version:ident) => {{
        use $version::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
            server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
        };
        let request = ServerReflectionRequest {
            message_request: Some(MessageRequest::ListServices(String::new())),
            ..ServerReflectionRequest::default()
        };
        let mut client =
            ServerReflectionClient::with_origin($client.transport(), $client.call.origin.clone());
        let request = tokio_stream::once(request);
        match client.server_reflection_info(request).await {
            Ok(answers) => answers.into_inner().message().await.map(|answer| {
                match answer.and_then(|answer| answer.message_response) {
                    Some(MessageResponse::ListServicesResponse(list)) => {
                        Some(list.service.into_iter().map(|one| one.name).collect())
                    }
                    _ => None,
                }
            }),
            Err(status) => Err(status),
        }
    }};
}

impl Client {
    /// Whether the server as a whole says that it serves (gRPC doc/health-checking.md); `None`
    /// where it does not say.
    pub(crate) async fn health(&self, patience: Duration) -> Option<ServingStatus> {
        let mut client = HealthClient::with_origin(self.transport(), self.call.origin.clone());
        let check = client.check(HealthCheckRequest::default());
        let answer = tokio::time::timeout(patience, check).await.ok()?.ok()?;
        Some(answer.into_inner().status())
    }

    /// The services that server reflection lists (gRPC doc/server-reflection.md); `None` where the
    /// server has no reflection.
    pub(crate) async fn services(&self, patience: Duration) -> Option<Vec<String>> {
        tokio::time::timeout(patience, async {
            match list_services!(self, v1) {
                // Many servers speak the version before alone.
                Err(status) if status.code() == Code::Unimplemented => {
                    list_services!(self, v1alpha)
                }
                listed => listed,
            }
        })
        .await
        .ok()?
        .ok()?
    }
}
