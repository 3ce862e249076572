//! Fetches a server's descriptors over gRPC reflection, with the same retries as a request.

use prost_types::FileDescriptorProto;

use super::{
    attempt_counter::AttemptCounter,
    policy::DeliveryPolicy,
    retry_decision::{RetryDecision, decide_call_retry, decide_connect_retry},
};
use crate::{
    client::{Client, ConnectError, ReflectionError, StageSuccess, Target, fetch_service_files},
    contract::Contract,
};

/// The error of the last attempt to connect and to fetch descriptors. `attempts` is the number of
/// all attempts.
#[derive(Debug)]
pub(crate) enum FetchDescriptorsError {
    Connect {
        error: ConnectError,
        attempts: u32,
    },
    Call {
        error: ReflectionError,
        attempts: u32,
    },
}

/// Fetches the descriptors of the `.proto` files that declare a service, and of all files that
/// these files import. If `service` is `None`, fetches the descriptors for all services of the
/// server.
///
/// # Errors
///
/// The server cannot be reached or does not describe the service, and the error is permanent or
/// remains after the last retry.
pub(crate) async fn fetch_descriptors(
    target: &Target,
    service: Option<&str>,
    policy: &DeliveryPolicy,
    on_stage: &dyn Fn(StageSuccess),
) -> Result<Vec<FileDescriptorProto>, FetchDescriptorsError> {
    // `Client` uses the contract only for the requests of a push, which reflection does not send.
    // Any contract is therefore suitable.
    let contract = Contract::built_in();
    let mut attempts = AttemptCounter::default();
    loop {
        let (decision, failure) = match Client::connect(target, &contract, on_stage).await {
            Ok(client) => match fetch_service_files(&client, service).await {
                Ok(files) => return Ok(files),
                Err(error) => {
                    let decision = attempts.count_failure(match &error {
                        ReflectionError::Call(error) => decide_call_retry(error),
                        ReflectionError::Refused { .. } | ReflectionError::InvalidResponse(_) => {
                            RetryDecision::Never
                        }
                    });
                    let attempts = attempts.total();
                    (decision, FetchDescriptorsError::Call { error, attempts })
                }
            },
            Err(error) => {
                let decision = attempts.count_failure(decide_connect_retry(&error));
                let attempts = attempts.total();
                (decision, FetchDescriptorsError::Connect { error, attempts })
            }
        };
        match policy.retry_delay(decision, attempts) {
            Some(delay) => tokio::time::sleep(delay).await,
            None => return Err(failure),
        }
    }
}
