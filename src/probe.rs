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
    tls::{self, CertificateInfo, TrustBasis},
};

/// The results of probing one server.
#[derive(Debug)]
pub(crate) struct ProbeResult {
    /// The stages that succeeded, in order.
    pub(crate) stages: Vec<CompletedStage>,
    /// The server's certificate, followed by the CA certificates that the server presented.
    pub(crate) chain: Vec<PresentedCertificate>,
    /// The reason why the server's certificate is trusted, or `None` if it is not trusted.
    pub(crate) trust_basis: Option<TrustBasis>,
    /// Whether the server requested a client certificate.
    pub(crate) is_client_certificate_requested: bool,
    pub(crate) end: ProbeOutcome,
    /// The duration of the stage that failed. If all stages succeeded, the duration of the call and
    /// of the queries after the call.
    pub(crate) last_stage_duration: Duration,
}

impl ProbeResult {
    /// Returns the server's own certificate, or `None` if the server presented no certificate or
    /// the certificate cannot be parsed.
    pub(crate) fn server_certificate(&self) -> Option<&CertificateInfo> {
        self.chain.first()?.info.as_ref().ok()
    }
}

/// A stage of the connection that succeeded.
#[derive(Debug)]
pub(crate) struct CompletedStage {
    pub(crate) outcome: StageSuccess,
    pub(crate) duration: Duration,
}

/// A certificate that the server presented.
#[derive(Debug)]
pub(crate) struct PresentedCertificate {
    /// The parsed certificate, or the reason why it cannot be parsed.
    pub(crate) info: Result<CertificateInfo, String>,
    /// The SHA-256 digest of the certificate's DER, in lower-case hexadecimal.
    pub(crate) sha256: String,
}

/// The step at which a probe ended.
#[derive(Debug)]
pub(crate) enum ProbeOutcome {
    /// A stage of the connection failed, so no call was made.
    ConnectFailed(ConnectError),
    /// The connection was established, and the call was made.
    Called {
        call: Result<OpenCallResult, CallError>,
        server_info: ServerInfo,
    },
}

/// The information that a server publishes about itself. A field is `None` if the server does not
/// provide the information.
#[derive(Debug)]
pub(crate) struct ServerInfo {
    /// The server's status from gRPC health checking.
    pub(crate) health: Option<ServingStatus>,
    /// The names of the server's services from server reflection.
    pub(crate) services: Option<Vec<String>>,
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
    let last_stage_duration = end_stage();
    let presented = target.tls.as_ref().map(tls::ClientTls::presented_chain);
    let presented = presented.unwrap_or_default();
    ProbeResult {
        stages: stages.take(),
        chain: presented
            .certificates
            .iter()
            .map(|der| PresentedCertificate {
                info: CertificateInfo::from_der(der),
                sha256: tls::fingerprint(der),
            })
            .collect(),
        trust_basis: presented.trust,
        is_client_certificate_requested: target
            .tls
            .as_ref()
            .is_some_and(tls::ClientTls::is_client_certificate_requested),
        end,
        last_stage_duration,
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
        server_info: ServerInfo { health, services },
    }
}
