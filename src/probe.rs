//! The measurement behind the `probe` command: each stage of a connection, then a call without a
//! message, health checking and server reflection. No record is sent.
//!
//! The connection uses the same code as a push, so that both fail for the same reasons. The text of
//! the report is in `report/probe.rs`.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use tonic_health::pb::health_check_response::ServingStatus;

use crate::{
    client::{
        CallError, Client, ConnectError, OpenedCall, StageOutcome, Target, check_health,
        list_services,
    },
    contract::Contract,
    tls::{self, CertificateInfo, TrustBasis},
};

/// The results of a probe of one server.
#[derive(Debug)]
pub(crate) struct ProbeResult {
    /// The stages that succeeded, in order.
    pub(crate) stages: Vec<CompletedStage>,
    /// The server's certificate, followed by the CA certificates that the server presented.
    pub(crate) chain: Vec<PresentedCertificate>,
    /// The reason why the certificate is trusted, or `None` if it is not.
    pub(crate) trust_basis: Option<TrustBasis>,
    /// Whether the server requested a client certificate.
    pub(crate) has_certificate_request: bool,
    pub(crate) end: ProbeEnd,
    /// The duration of the stage that failed, or of the call and the queries after it.
    pub(crate) last_stage_duration: Duration,
}

impl ProbeResult {
    /// Returns the server's own certificate, if it can be parsed.
    pub(crate) fn server_certificate(&self) -> Option<&CertificateInfo> {
        self.chain.first()?.info.as_ref().ok()
    }
}

/// A stage that succeeded.
#[derive(Debug)]
pub(crate) struct CompletedStage {
    pub(crate) outcome: StageOutcome,
    pub(crate) duration: Duration,
}

/// A certificate that the server presented.
#[derive(Debug)]
pub(crate) struct PresentedCertificate {
    /// The parsed certificate, or the reason why it cannot be parsed.
    pub(crate) info: Result<CertificateInfo, String>,
    /// The SHA-256 of the DER, in lower-case hexadecimal.
    pub(crate) sha256: String,
}

/// The step at which a probe ended.
#[derive(Debug)]
pub(crate) enum ProbeEnd {
    /// A stage before the call failed.
    ConnectFailed(ConnectError),
    /// The connection was established, and the call was made.
    Called {
        call: Result<OpenedCall, CallError>,
        server_info: ServerInfo,
    },
}

/// The information that a server publishes about itself. A part is `None` if the server does not
/// offer it.
#[derive(Debug)]
pub(crate) struct ServerInfo {
    /// The status from gRPC health checking.
    pub(crate) health: Option<ServingStatus>,
    /// The names of the services from server reflection.
    pub(crate) services: Option<Vec<String>>,
}

/// The time in which a server must reject a call; a server that accepts the call waits for its
/// message. Health checking and reflection have the same time.
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
        Err(error) => ProbeEnd::ConnectFailed(error),
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
        has_certificate_request: target
            .tls
            .as_ref()
            .is_some_and(tls::ClientTls::is_client_certificate_requested),
        end,
        last_stage_duration,
    }
}

async fn call(client: &Client) -> ProbeEnd {
    let call = client.open_without_message(CALL_TIMEOUT).await;
    // These calls come last, because a server may close the connection at a call that it does not
    // implement.
    let (health, services) = tokio::join!(
        check_health(client, CALL_TIMEOUT),
        list_services(client, CALL_TIMEOUT)
    );
    ProbeEnd::Called {
        call,
        server_info: ServerInfo { health, services },
    }
}
