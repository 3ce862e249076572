//! Fetches a server's descriptors over gRPC reflection, with the same retries as a request.

use prost_types::FileDescriptorProto;

use super::{
    outcome::{AttemptError, AttemptFailure},
    policy::{AttemptCounter, DeliveryPolicy},
    retry_decision::decide_retry,
};
use crate::{
    client::{Client, LastAddress, StageSuccess, Target, fetch_service_files},
    contract::Contract,
};

/// Fetches the descriptors of the `.proto` files that declare a service, and of all files that
/// these files import. If `service` is `None`, fetches the descriptors for all services of the
/// server.
pub(crate) async fn fetch_descriptors(
    target: &Target,
    service: Option<&str>,
    policy: &DeliveryPolicy,
    on_stage: &dyn Fn(StageSuccess),
    on_retry: &dyn Fn(AttemptFailure),
) -> Result<Vec<FileDescriptorProto>, AttemptFailure> {
    let mut attempts = AttemptCounter::default();
    let last_address = LastAddress::default();
    loop {
        let error = match fetch_once(target, service, &last_address, on_stage).await {
            Ok(files) => return Ok(files),
            Err(error) => error,
        };
        let delay = policy.delay_after(decide_retry(&error), &mut attempts);
        let attempts = attempts.total();
        let failure = AttemptFailure { error, attempts };
        let Some(delay) = delay else {
            return Err(failure);
        };
        on_retry(failure);
        tokio::time::sleep(delay).await;
    }
}

async fn fetch_once(
    target: &Target,
    service: Option<&str>,
    last_address: &LastAddress,
    on_stage: &dyn Fn(StageSuccess),
) -> Result<Vec<FileDescriptorProto>, AttemptError> {
    // `Client` uses the contract only for the requests of a push, which reflection does not send.
    let client = Client::connect(target, &Contract::built_in(), last_address, on_stage)
        .await
        .map_err(AttemptError::Connect)?;
    fetch_service_files(&client, service)
        .await
        .map_err(AttemptError::Reflection)
}
