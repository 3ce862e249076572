//! A server's own description, with as many tries as a request has.

use prost_types::FileDescriptorProto;

use super::policy::{Again, DeliveryPolicy, Tries, again, dial_again};
use crate::{
    client::{Client, ConnectError, ReflectionError, StageOutcome, Target},
    contract::Contract,
};

/// Why there is none, after so many tries.
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

/// Asks a server for the files that declare a service, or all of its services.
///
/// # Errors
///
/// What was in the way the last time.
pub(crate) async fn fetch_descriptors(
    target: &Target,
    service: Option<&str>,
    policy: &DeliveryPolicy,
    on_stage: &dyn Fn(StageOutcome),
) -> Result<Vec<FileDescriptorProto>, FetchDescriptorsError> {
    // Whatever the calls are that are made later, this one is known.
    let contract = Contract::built_in();
    let mut tries = Tries::default();
    loop {
        let (again, failed) = match Client::connect(target, &contract, on_stage).await {
            Ok(client) => match client.describe(service).await {
                Ok(files) => return Ok(files),
                Err(error) => {
                    let again = tries.count(match &error {
                        ReflectionError::Call(error) => again(error),
                        ReflectionError::Refused { .. } | ReflectionError::InvalidAnswer(_) => {
                            Again::No
                        }
                    });
                    let attempts = tries.all();
                    (again, FetchDescriptorsError::Call { error, attempts })
                }
            },
            Err(error) => {
                let again = tries.count(dial_again(&error));
                let attempts = tries.all();
                (again, FetchDescriptorsError::Connect { error, attempts })
            }
        };
        match policy.wait(again, tries) {
            Some(wait) => tokio::time::sleep(wait).await,
            None => return Err(failed),
        }
    }
}
