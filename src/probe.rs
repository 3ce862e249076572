//! The measurements of the `probe` command: the stages of a connection, then a call without a
//! message, health checking and server reflection. A probe sends no record.
//!
//! A probe connects with the same code as a push, so both get the same errors. `report/probe.rs`
//! formats the report.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use tonic_health::pb::health_check_response::ServingStatus;

use crate::{
    client::{
        CallError, Client, ConnectError, OpenCallResult, StageSuccess, Target, check_health,
        list_services,
    },
    contract::Contract,
};

/// The results of probing one server.
#[derive(Debug)]
pub(crate) struct ProbeResult {
    /// The stages that succeeded, in order.
    pub(crate) stages: Vec<CompletedStage>,
    pub(crate) end: ProbeOutcome,
    /// The duration of the stage that failed. If all stages succeeded, the duration of the call and
    /// of the queries after the call.
    pub(crate) last_stage_duration: Duration,
}

/// A stage of the connection that succeeded.
#[derive(Debug)]
pub(crate) struct CompletedStage {
    pub(crate) outcome: StageSuccess,
    pub(crate) duration: Duration,
}

/// The step at which a probe ended.
#[derive(Debug)]
pub(crate) enum ProbeOutcome {
    /// A stage of the connection failed, so no call was made.
    ConnectFailed(ConnectError),
    /// The connection was established, and the call was made.
    Called {
        call: Result<OpenCallResult, CallError>,
        /// The server's status from gRPC health checking, if the server supports it.
        health: Option<ServingStatus>,
        /// The names of the server's services from server reflection, if the server supports it.
        services: Option<Vec<String>>,
    },
}

/// The maximum time that a probe waits for a server to end the call. A server that accepts the call
/// waits for a message, so the call to such a server ends only at this timeout. Health checking and
/// server reflection have the same timeout.
const CALL_TIMEOUT: Duration = Duration::from_secs(1);

/// Connects to a server and opens a call without sending a message.
pub(crate) async fn probe(target: &Target, contract: &Contract) -> ProbeResult {
    let stage_start = RefCell::new(Instant::now());
    let stages = RefCell::new(Vec::new());
    let end_stage = || stage_start.replace(Instant::now()).elapsed();
    let connected = Client::connect(target, contract, &|outcome| {
        let duration = end_stage();
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
