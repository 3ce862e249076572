//! The health status that a server reports (gRPC doc/health-checking.md).

use std::time::Duration;

use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
};

use super::grpc_client::Client;

/// Returns the health status of the whole server, or `None` if the server does not report a status
/// before `timeout` passes.
pub(crate) async fn check_health(client: &Client, timeout: Duration) -> Option<ServingStatus> {
    let request = HealthCheckRequest::default();
    let check = client.query("/grpc.health.v1.Health/Check", &request);
    let response: HealthCheckResponse = tokio::time::timeout(timeout, check).await.ok()?.ok()?;
    Some(response.status())
}
