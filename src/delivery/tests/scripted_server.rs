//! A server that follows a script, and functions that push records to the server.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::mpsc, time::Instant};
use tonic::Code;

use crate::{
    batch::{Batch, BatchLimits, Batches},
    client::{CallError, ConnectError, ConnectErrorKind, RetryAdvice, Stage},
    contract::Contract,
    delivery::{
        AttemptFailure, DeliveryOutcome, DeliveryPolicy, OutcomeSink, SinkError,
        UnacknowledgedReason, deliver,
        server::{Server, ServerConnection},
    },
    endpoint::Endpoint,
    input::{InputOptions, InputSource, ValidatedInput, ValidationRules, validate},
    signals::{Signal, Signals},
};

/// The server's reaction to a request.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Code(i32),
    Error(CallError),
    Panic,
    Delayed(Duration, Box<Reply>),
    /// Rejects each message of more than this number of bytes as too large, and answers all other
    /// messages with code 0.
    RejectLargerThan(usize),
    /// Rejects each message that contains this token with `INVALID_ARGUMENT`, and answers all other
    /// messages with code 0.
    RejectToken(&'static str),
}

impl Reply {
    pub(super) fn status(code: Code) -> Self {
        Self::Error(status(code, RetryAdvice::Unspecified))
    }

    pub(super) fn ok_after(delay: Duration) -> Self {
        Self::Delayed(delay, Box::new(Self::Code(0)))
    }

    fn send<'r>(
        &'r self,
        message: &'r Bytes,
    ) -> Pin<Box<dyn Future<Output = Result<i32, CallError>> + Send + 'r>> {
        Box::pin(async move {
            match self {
                Self::Code(code) => Ok(*code),
                Self::Error(error) => Err(error.clone()),
                Self::Panic => panic!("scripted panic"),
                Self::Delayed(delay, reply) => {
                    tokio::time::sleep(*delay).await;
                    reply.send(message).await
                }
                Self::RejectLargerThan(bytes) if message.len() > *bytes => Err(too_large()),
                Self::RejectToken(token)
                    if memchr::memmem::find(message, token.as_bytes()).is_some() =>
                {
                    Err(status(Code::InvalidArgument, RetryAdvice::Unspecified))
                }
                Self::RejectLargerThan(_) | Self::RejectToken(_) => Ok(0),
            }
        })
    }
}

/// An attempt that the server received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenAttempt {
    /// Time since the start of the test.
    pub(super) time: Duration,
    /// The number of the connection. Connection attempts are numbered from 1, including failed
    /// attempts.
    pub(super) connection: usize,
    pub(super) records: usize,
}

/// A server that answers each attempt with the next reply of a script. After the end of the script,
/// the server repeats the last reply.
pub(super) struct ScriptedServer {
    pub(super) started: Instant,
    connect_results: Mutex<VecDeque<Result<(), ConnectErrorKind>>>,
    connect_times: Mutex<Vec<Duration>>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    attempts: Arc<Mutex<Vec<SeenAttempt>>>,
}

pub(super) struct ScriptedConnection {
    number: usize,
    started: Instant,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    attempts: Arc<Mutex<Vec<SeenAttempt>>>,
}

impl ScriptedServer {
    pub(super) fn new(replies: impl Into<VecDeque<Reply>>) -> Self {
        Self {
            started: Instant::now(),
            connect_results: Mutex::default(),
            connect_times: Mutex::default(),
            replies: Arc::new(Mutex::new(replies.into())),
            attempts: Arc::default(),
        }
    }

    /// Makes the first connection attempts fail with these errors, in order. Later attempts
    /// succeed.
    pub(super) fn with_connect_errors(
        self,
        errors: impl IntoIterator<Item = ConnectErrorKind>,
    ) -> Self {
        *self.connect_results.lock().expect("not poisoned") = errors.into_iter().map(Err).collect();
        self
    }

    pub(super) fn attempts(&self) -> Vec<SeenAttempt> {
        self.attempts.lock().expect("not poisoned").clone()
    }

    /// Returns the time of each attempt in milliseconds.
    pub(super) fn attempt_millis(&self) -> Vec<u128> {
        let attempts = self.attempts();
        attempts.iter().map(|seen| seen.time.as_millis()).collect()
    }

    /// Returns the time of each connection attempt in milliseconds.
    pub(super) fn connect_millis(&self) -> Vec<u128> {
        let times = self.connect_times.lock().expect("not poisoned");
        times.iter().map(Duration::as_millis).collect()
    }
}

impl Server for ScriptedServer {
    type Connection = ScriptedConnection;

    async fn connect(&self) -> Result<ScriptedConnection, ConnectError> {
        let number = {
            let mut times = self.connect_times.lock().expect("not poisoned");
            times.push(self.started.elapsed());
            times.len()
        };
        let result = self
            .connect_results
            .lock()
            .expect("not poisoned")
            .pop_front();
        match result {
            Some(Err(kind)) => Err(ConnectError {
                endpoint: Endpoint::parse("localhost:1").expect("an address"),
                proxy: None,
                stage: Stage::Tcp,
                kind,
                has_client_certificate: false,
            }),
            Some(Ok(())) | None => Ok(ScriptedConnection {
                number,
                started: self.started,
                replies: Arc::clone(&self.replies),
                attempts: Arc::clone(&self.attempts),
            }),
        }
    }
}

impl ServerConnection for ScriptedConnection {
    async fn reserve_stream(&self) -> Option<tokio::sync::OwnedSemaphorePermit> {
        None
    }

    fn send(
        &self,
        message: Bytes,
    ) -> impl Future<Output = Result<i32, CallError>> + Send + 'static {
        let reply = {
            let mut replies = self.replies.lock().expect("not poisoned");
            match replies.len() {
                1 => replies[0].clone(),
                _ => replies.pop_front().expect("a reply"),
            }
        };
        let attempt = SeenAttempt {
            time: self.started.elapsed(),
            connection: self.number,
            records: Contract::built_in().split_records(&message).count(),
        };
        self.attempts.lock().expect("not poisoned").push(attempt);
        async move { reply.send(&message).await }
    }
}

pub(super) fn status(code: Code, advice: RetryAdvice) -> CallError {
    CallError::Status {
        code,
        message: String::new(),
        advice,
    }
}

pub(super) fn connection_refused() -> ConnectErrorKind {
    ConnectErrorKind::AllAddressesFailed(Vec::new())
}

fn too_large() -> CallError {
    CallError::TooLarge {
        code: Code::ResourceExhausted,
        message: "received message larger than max".to_owned(),
    }
}

/// A sink that stores the outcome of every batch.
#[derive(Default)]
pub(super) struct CollectingSink {
    pub(super) acknowledged: u64,
    pub(super) unacknowledged: Vec<UnacknowledgedRecords>,
    pub(super) fails: bool,
}

#[derive(Debug)]
pub(super) struct UnacknowledgedRecords {
    pub(super) records: u64,
    pub(super) reason: UnacknowledgedReason,
}

impl OutcomeSink for CollectingSink {
    fn acknowledged(&mut self, batch: &Batch) -> Result<(), SinkError> {
        self.acknowledged += batch.record_count;
        if self.fails { Err(SinkError) } else { Ok(()) }
    }

    fn unacknowledged(
        &mut self,
        batch: &Batch,
        reason: &UnacknowledgedReason,
    ) -> Result<(), SinkError> {
        self.unacknowledged.push(UnacknowledgedRecords {
            records: batch.record_count,
            reason: reason.clone(),
        });
        Ok(())
    }

    fn retrying(&mut self, _: &AttemptFailure, _: Duration) {}

    fn interrupted(&mut self, _: Signal, _: usize) {}

    fn wants_unattempted(&self) -> bool {
        true
    }
}

/// Returns a policy that allows one request in flight and two retries, with delays of 100 ms and
/// 200 ms.
pub(super) fn policy() -> DeliveryPolicy {
    DeliveryPolicy {
        max_retries: 2,
        base_delay: Duration::from_millis(100),
        max_delay: Duration::from_secs(10),
        ok_codes: vec![0],
        ..DeliveryPolicy::SINGLE_ATTEMPT
    }
}

/// The records of a push: their number, and how many go into one request.
#[derive(Clone, Copy)]
pub(super) struct TestRecords {
    pub(super) count: usize,
    pub(super) per_request: usize,
}

impl TestRecords {
    fn to_input(self) -> ValidatedInput {
        let rows = (0..self.count).map(|n| format!("t{n:04},{}\n", 1_000_000_000 + n));
        let csv = format!("token,expire_time\n{}", rows.collect::<String>());
        validate(
            &[InputSource::Memory(csv.into_bytes().into())],
            InputOptions::default(),
            &ValidationRules::default(),
        )
    }
}

/// Pushes records and checks that the sink got the outcome of each record exactly once.
pub(super) async fn push(
    server: &ScriptedServer,
    policy: &DeliveryPolicy,
    records: TestRecords,
    signals: &Signals,
    sink: &mut CollectingSink,
) -> DeliveryOutcome {
    let contract = Contract::built_in();
    let mut input = records.to_input();
    let limits = BatchLimits {
        max_records: records.per_request,
        max_bytes: usize::MAX,
    };
    let mut batches = Batches::new(input.records(), &contract, limits);
    let (sender, receiver) = mpsc::channel(records.count + 1);
    while let Some(batch) = batches.next().expect("a valid input") {
        sender.try_send(Ok(batch)).expect("enough capacity");
    }
    drop(sender);
    let outcome = deliver(receiver, server, policy, &contract, signals, sink).await;
    let unacknowledged: u64 = sink.unacknowledged.iter().map(|batch| batch.records).sum();
    assert_eq!(sink.acknowledged, outcome.acknowledged);
    assert_eq!(
        sink.acknowledged + unacknowledged,
        records.count as u64,
        "{outcome:?}"
    );
    outcome
}

pub(super) async fn push_without_signals(
    server: &ScriptedServer,
    policy: &DeliveryPolicy,
    records: TestRecords,
) -> DeliveryOutcome {
    let (signals, _send_signal) = Signals::simulated();
    push(
        server,
        policy,
        records,
        &signals,
        &mut CollectingSink::default(),
    )
    .await
}
