//! Fetches a server's descriptors over gRPC reflection, with the retries that a request has.

use prost_types::FileDescriptorProto;

use super::{
    attempt_counter::AttemptCounter,
    policy::DeliveryPolicy,
    retry_decision::{RetryDecision, decide_call_retry, decide_connect_retry},
};
use crate::{
    client::{Client, ConnectError, ReflectionError, StageOutcome, Target, query_descriptors},
    contract::Contract,
};

/// The last failure, with the number of attempts up to and including it.
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

/// Fetches the descriptors that declare a service, or all services of the server if `service` is
/// `None`, and of the files that they import.
///
/// # Errors
///
/// The server cannot be reached or cannot describe the service, and the retries are used up.
pub(crate) async fn fetch_descriptors(
    target: &Target,
    service: Option<&str>,
    policy: &DeliveryPolicy,
    on_stage: &dyn Fn(StageOutcome),
) -> Result<Vec<FileDescriptorProto>, FetchDescriptorsError> {
    // Reflection does not use the contract, which a client needs only for its requests.
    let contract = Contract::built_in();
    let mut attempts = AttemptCounter::default();
    loop {
        let (decision, failure) = match Client::connect(target, &contract, on_stage).await {
            Ok(client) => match query_descriptors(&client, service).await {
                Ok(files) => return Ok(files),
                Err(error) => {
                    let decision = attempts.count_failure(match &error {
                        ReflectionError::Call(error) => decide_call_retry(error),
                        ReflectionError::Refused { .. } | ReflectionError::InvalidAnswer(_) => {
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
