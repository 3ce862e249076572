//! The gRPC health checking service of the receiver (`grpc.health.v1.Health`).

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tonic::{Request, Response, Result, Status, server::NamedService};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_server::Health,
};

use super::service::ReceiverService;
use crate::contract::proto::internal_server::InternalServer;

/// Answers that the receiver serves, because it never stops serving before it ends.
pub(super) struct ReceiverHealth;

fn is_known(service: &str) -> bool {
    // The empty name means the whole server.
    ["", InternalServer::<ReceiverService>::NAME].contains(&service)
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status as i32,
    }
}

#[tonic::async_trait]
impl Health for ReceiverHealth {
    type WatchStream = BoxStream<'static, Result<HealthCheckResponse>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>> {
        if is_known(&request.get_ref().service) {
            Ok(Response::new(response(ServingStatus::Serving)))
        } else {
            Err(Status::not_found("unknown service"))
        }
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>> {
        let status = if is_known(&request.get_ref().service) {
            ServingStatus::Serving
        } else {
            ServingStatus::ServiceUnknown
        };
        // The protocol keeps the stream open for later changes, of which this receiver has none.
        let changes = stream::iter([Ok(response(status))]).chain(stream::pending());
        Ok(Response::new(changes.boxed()))
    }
}
