//! A server's own description, with as many tries as a request has.

use prost_types::FileDescriptorProto;

use super::policy::{Again, Policy, Tries, again, dial_again};
use crate::{
    client::{Client, ConnectError, DescribeError, Finding, Target},
    contract::Contract,
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
    let mut tries = Tries::default();
    loop {
        let (again, failed) = match Client::connect(target, &contract, watch).await {
            Ok(client) => match client.describe(service).await {
                Ok(files) => return Ok(files),
                Err(error) => {
                    let again = tries.count(match &error {
                        DescribeError::Call(error) => again(error),
                        DescribeError::Refused(..) | DescribeError::Nonsense(_) => Again::No,
                    });
                    let tries = tries.all();
                    (again, Undescribed::Call { error, tries })
                }
            },
            Err(error) => {
                let again = tries.count(dial_again(&error));
                let tries = tries.all();
                (again, Undescribed::Connect { error, tries })
            }
        };
        match policy.wait(again, tries) {
            Some(wait) => tokio::time::sleep(wait).await,
            None => return Err(failed),
        }
    }
}
