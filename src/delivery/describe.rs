//! A server's own description, with as many tries as a request has.

use prost_types::FileDescriptorProto;

use super::policy::{Again, Policy, again, may_be_reached};
use crate::{
    client::{Client, ConnectError, DescribeError, Finding, Target},
    wire::Contract,
};

/// Why there is none, after so many tries.
#[derive(Debug)]
pub(crate) enum Undescribed {
    Connect { error: ConnectError, tries: u32 },
    Call { error: DescribeError, tries: u32 },
}

/// Asks a server for the files that declare a service, or all of its services.
///
/// # Errors
///
/// What was in the way the last time.
pub(crate) async fn describe(
    target: &Target,
    service: Option<&str>,
    policy: &Policy,
    watch: &dyn Fn(Finding),
) -> Result<Vec<FileDescriptorProto>, Undescribed> {
    // Whatever the calls are that are made later, this one is known.
    let contract = Contract::built_in();
    let mut tries = 0;
    loop {
        let asked = match Client::connect(target, &contract, watch).await {
            Ok(client) => client.describe(service).await.map_err(|error| {
                let again = match &error {
                    DescribeError::Call(error) => again(error),
                    DescribeError::Refused(..) | DescribeError::Nonsense(_) => Again::No,
                };
                (
                    again,
                    Undescribed::Call {
                        error,
                        tries: tries + 1,
                    },
                )
            }),
            Err(error) => {
                let again = if may_be_reached(&error) {
                    Again::Backoff
                } else {
                    Again::No
                };
                let tries = tries + 1;
                Err((again, Undescribed::Connect { error, tries }))
            }
        };
        let (again, failed) = match asked {
            Ok(files) => return Ok(files),
            Err(failed) => failed,
        };
        tries += 1;
        if again == Again::No || tries > policy.retries {
            return Err(failed);
        }
        let wait = match again {
            Again::After(time) => time,
            Again::Calm => policy.calm(tries),
            Again::No | Again::Free | Again::Backoff => policy.backoff(tries),
        };
        tokio::time::sleep(wait).await;
    }
}
