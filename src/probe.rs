//! The measurements of `probe`. A probe connects with the same code as a push, so both get the same
//! errors, but a probe sends no record.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use tonic_health::pb::health_check_response::ServingStatus;

use crate::{
    client::{
        CallError, Client, ConnectError, LastAddress, OpenCallResult, StageSuccess, Target,
        check_health, list_services,
    },
    contract::Contract,
};

#[derive(Debug)]
pub(crate) struct ProbeResult {
    pub(crate) stages: Vec<CompletedStage>,
    pub(crate) end: ProbeOutcome,
    /// The duration of the stage that failed. If all stages succeeded, the duration of the call and
    /// of the queries after the call.
    pub(crate) last_stage_duration: Duration,
}

#[derive(Debug)]
pub(crate) struct CompletedStage {
    pub(crate) outcome: StageSuccess,
    pub(crate) duration: Duration,
}

#[derive(Debug)]
pub(crate) enum ProbeOutcome {
    ConnectFailed(ConnectError),
    Called {
        call: Result<OpenCallResult, CallError>,
        health: Option<ServingStatus>,
        services: Option<Vec<String>>,
    },
}

/// A server that accepts the call waits for a message, so its call ends only at this timeout.
const CALL_TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) async fn probe(
    target: &Target,
    contract: &Contract,
    on_stage: &dyn Fn(&StageSuccess),
) -> ProbeResult {
    let stage_start = RefCell::new(Instant::now());
    let stages = RefCell::new(Vec::new());
    let end_stage = || stage_start.replace(Instant::now()).elapsed();
    let connected = Client::connect(target, contract, &LastAddress::default(), &|outcome| {
        let duration = end_stage();
        on_stage(&outcome);
        stages
            .borrow_mut()
            .push(CompletedStage { outcome, duration });
    })
    .await;
    let end = match connected {
        Err(error) => ProbeOutcome::ConnectFailed(error),
        Ok(client) => call(&client).await,
    };
    ProbeResult {
        last_stage_duration: end_stage(),
        stages: stages.take(),
        end,
    }
}

async fn call(client: &Client) -> ProbeOutcome {
    let call = client.open_without_message(CALL_TIMEOUT).await;
    // Health checking and reflection come last, because a server that does not implement their
    // methods may close the connection.
    let (health, services) = tokio::join!(
        check_health(client, CALL_TIMEOUT),
        list_services(client, CALL_TIMEOUT)
    );
    ProbeOutcome::Called {
        call,
        health,
        services,
    }
}
