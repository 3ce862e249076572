//! The way to a server, stage by stage. No record is sent.
//!
//! It goes through the same stages as a push, in the same code, so that the two can't disagree.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use tonic_health::pb::health_check_response::ServingStatus;

use crate::{
    client::{CallError, Client, ConnectError, Finding, Target},
    contract::Contract,
    tls::{self, Inspected, Proof},
};

/// What was found on the way.
#[derive(Debug)]
pub(crate) struct Probe {
    /// In their order, as far as they were reached; all but the last went well.
    pub(crate) stages: Vec<Passed>,
    /// The server's certificate and those behind it.
    pub(crate) chain: Vec<Certificate>,
    /// Why the certificate is trusted, if it is.
    pub(crate) proof: Option<Proof>,
    /// Whether the server asked for a client certificate.
    pub(crate) asked_for_certificate: bool,
    pub(crate) end: End,
    /// How long the last stage took, whether it went well or not.
    pub(crate) took: Duration,
}

/// A stage that went well.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) finding: Finding,
    pub(crate) took: Duration,
}

/// A certificate that the server presented.
#[derive(Debug)]
pub(crate) struct Certificate {
    /// What it says, where it can be read.
    pub(crate) inspected: Result<Inspected, String>,
    /// Of its DER, in hexadecimal.
    pub(crate) sha256: String,
}

/// Where the way ended.
#[derive(Debug)]
pub(crate) enum End {
    /// At a stage before the call.
    NotConnected(ConnectError),
    /// At the call, which the server refused or, without a refusal, waits for a message of.
    Called {
        /// The response's code, where it did not wait.
        knocked: Result<Option<i32>, CallError>,
        answers: Answers,
    },
}

/// What the server tells of itself.
#[derive(Debug)]
pub(crate) struct Answers {
    pub(crate) health: Option<ServingStatus>,
    /// The services that it lists.
    pub(crate) services: Option<Vec<String>>,
}

/// How long a server has to refuse a call. One that would take it waits for its message.
const PATIENCE: Duration = Duration::from_secs(1);

/// Goes the way.
pub(crate) async fn probe(target: &Target, contract: &Contract) -> Probe {
    let clock = RefCell::new(Instant::now());
    let passed = RefCell::new(Vec::new());
    let lap = || clock.replace(Instant::now()).elapsed();
    let connected = Client::connect(target, contract, &|finding| {
        let took = lap();
        passed.borrow_mut().push(Passed { finding, took });
    })
    .await;
    let end = match connected {
        Err(error) => End::NotConnected(error),
        Ok(client) => call(&client).await,
    };
    let took = lap();
    let presented = target.tls.as_ref().map(tls::ClientTls::presented);
    let presented = presented.unwrap_or_default();
    Probe {
        stages: passed.take(),
        chain: presented.chain.iter().map(certificate).collect(),
        proof: presented.proof,
        asked_for_certificate: target
            .tls
            .as_ref()
            .is_some_and(tls::ClientTls::client_certificate_was_asked_for),
        end,
        took,
    }
}

async fn call(client: &Client) -> End {
    let knocked = client.knock(PATIENCE).await;
    // Only then: a server may hang up on calls that it does not know.
    let (health, services) = tokio::join!(client.health(PATIENCE), client.services(PATIENCE));
    End::Called {
        knocked,
        answers: Answers { health, services },
    }
}

fn certificate(der: &rustls::pki_types::CertificateDer<'static>) -> Certificate {
    Certificate {
        inspected: tls::inspect(der),
        sha256: tls::fingerprint(der),
    }
}

impl Probe {
    /// The server's own certificate, where it can be read.
    pub(crate) fn certificate(&self) -> Option<&Inspected> {
        self.chain.first()?.inspected.as_ref().ok()
    }
}
