//! The health status that a server reports (gRPC doc/health-checking.md).

use std::time::Duration;

use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::grpc_client::Client;

/// Returns the health status of the whole server, or `None` if the server does not report a status
/// before `timeout` passes.
pub(crate) async fn check_health(client: &Client, timeout: Duration) -> Option<ServingStatus> {
    let mut health = HealthClient::with_origin(client.transport(), client.target.origin());
    let check = health.check(HealthCheckRequest::default());
    let response = tokio::time::timeout(timeout, check).await.ok()?.ok()?;
    Some(response.into_inner().status())
}
