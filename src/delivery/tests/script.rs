//! A server that does as it is told, and pushes to it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use tokio::time::Instant;
use tonic::Code;

use super::super::*;
use crate::{
    batch::Limits,
    client::{Advice, Cause, ConnectError, Stage},
    endpoint::Endpoint,
    input::{Options, Origin, Rules, Validated, validate},
};

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Code(i32),
    Fails(CallError),
    Panics,
    /// Takes this long for it.
    After(Duration, Box<Reply>),
    /// Refuses larger messages.
    AtMost(usize),
    /// Refuses messages with this token.
    Not(&'static str),
}

/// A try, as the server saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) at: Duration,
    pub(super) connection: usize,
    pub(super) records: usize,
}

/// A server that does as it is told; the last it is told goes for all that follows.
pub(super) struct Script {
    connects: Mutex<VecDeque<Result<(), Cause>>>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    pub(super) started: Instant,
    dials: Arc<Mutex<Vec<Duration>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

pub(super) struct Wire {
    number: usize,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    started: Instant,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Script {
    pub(super) fn new(replies: impl Into<VecDeque<Reply>>) -> Self {
        Self {
            connects: Mutex::default(),
            replies: Arc::new(Mutex::new(replies.into())),
            started: Instant::now(),
            dials: Arc::default(),
            seen: Arc::default(),
        }
    }

    pub(super) fn connecting(self, results: impl Into<VecDeque<Result<(), Cause>>>) -> Self {
        *self.connects.lock().expect("unbroken") = results.into();
        self
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("unbroken").clone()
    }

    /// When each try came, in milliseconds.
    pub(super) fn times(&self) -> Vec<u128> {
        self.seen().iter().map(|seen| seen.at.as_millis()).collect()
    }

    pub(super) fn dials(&self) -> Vec<u128> {
        let dials = self.dials.lock().expect("unbroken");
        dials.iter().map(Duration::as_millis).collect()
    }
}

impl Server for Script {
    type Connection = Wire;

    async fn connect(&self) -> Result<Wire, ConnectError> {
        let number = {
            let mut dials = self.dials.lock().expect("unbroken");
            dials.push(self.started.elapsed());
            dials.len()
        };
        let result = self.connects.lock().expect("unbroken").pop_front();
        match result {
            Some(Err(cause)) => Err(ConnectError {
                endpoint: Endpoint::parse("localhost:1").expect("an address"),
                proxy: None,
                stage: Stage::Tcp,
                cause,
            }),
            Some(Ok(())) | None => Ok(Wire {
                number,
                replies: Arc::clone(&self.replies),
                started: self.started,
                seen: Arc::clone(&self.seen),
            }),
        }
    }
}

impl Exchange for Wire {
    async fn room(&self) -> Option<tokio::sync::OwnedSemaphorePermit> {
        None
    }

    fn exchange(
        &self,
        message: Bytes,
    ) -> impl Future<Output = Result<i32, CallError>> + Send + 'static {
        let reply = {
            let mut replies = self.replies.lock().expect("unbroken");
            match replies.len() {
                1 => replies[0].clone(),
                _ => replies.pop_front().expect("a reply"),
            }
        };
        self.seen.lock().expect("unbroken").push(Seen {
            at: self.started.elapsed(),
            connection: self.number,
            records: Contract::built_in().split(&message).count(),
        });
        async move { reply.give(&message).await }
    }
}

impl Reply {
    fn give<'r>(
        &'r self,
        message: &'r Bytes,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<i32, CallError>> + Send + 'r>> {
        Box::pin(async move {
            match self {
                Self::Code(code) => Ok(*code),
                Self::Fails(error) => Err(error.clone()),
                Self::Panics => panic!("as it was told"),
                Self::After(time, then) => {
                    tokio::time::sleep(*time).await;
                    then.give(message).await
                }
                Self::AtMost(size) if message.len() > *size => Err(too_large()),
                Self::Not(token) if memchr::memmem::find(message, token.as_bytes()).is_some() => {
                    Err(status(Code::InvalidArgument))
                }
                Self::AtMost(_) | Self::Not(_) => Ok(0),
            }
        })
    }
}

pub(super) fn status(code: Code) -> CallError {
    advised(code, Advice::None)
}

pub(super) fn advised(code: Code, advice: Advice) -> CallError {
    CallError::Status {
        code,
        message: String::new(),
        advice,
    }
}

pub(super) fn too_large() -> CallError {
    CallError::Status {
        code: Code::ResourceExhausted,
        message: "received message larger than max".to_owned(),
        advice: Advice::None,
    }
}

pub(super) fn refused() -> Cause {
    Cause::Refused(Vec::new())
}

/// Writes down what it is told of.
#[derive(Default)]
pub(super) struct Log {
    pub(super) acknowledged: u64,
    pub(super) kept_back: Vec<(u64, Why)>,
    pub(super) breaks: bool,
}

impl Witness for Log {
    fn acknowledged(&mut self, batch: &Batch) -> Result<(), OutputFailed> {
        self.acknowledged += batch.records;
        if self.breaks {
            Err(OutputFailed)
        } else {
            Ok(())
        }
    }

    fn kept_back(&mut self, batch: &Batch, why: &Why) -> Result<(), OutputFailed> {
        self.kept_back.push((batch.records, why.clone()));
        Ok(())
    }

    fn tried_again(&mut self, _: &End, _: Duration) {}

    fn wants_all(&self) -> bool {
        true
    }
}

pub(super) fn input(count: usize) -> Validated {
    let rows: String = (0..count).map(|n| format!("t{n:04},{n}\n")).collect();
    let csv = format!("token,expire_time\n{rows}");
    validate(
        &[Origin::Memory(csv.into_bytes().into())],
        Options::default(),
        &Rules::default(),
    )
}

/// Two further tries, 100 ms and then 200 ms later, one request at a time.
pub(super) fn policy() -> Policy {
    Policy {
        concurrency: 1,
        retries: 2,
        delay: Duration::from_millis(100),
        max_delay: Duration::from_secs(10),
        ok_codes: vec![0],
        isolate: false,
        rate: None,
        deadline: None,
        jitter: |longest| longest,
    }
}

/// Sends so many records, so many a request; whatever happens, each is accounted for once.
pub(super) async fn push(
    script: &Script,
    policy: &Policy,
    (count, per_request): (usize, usize),
    signals: &Signals,
    log: &mut Log,
) -> Delivery {
    let contract = Contract::built_in();
    let mut input = input(count);
    let limits = Limits {
        records: per_request,
        bytes: usize::MAX,
    };
    let mut batches = Batches::new(input.records(), &contract, limits);
    let (to, mut incoming) = mpsc::channel(count + 1);
    while let Some(batch) = batches.next().expect("valid") {
        to.try_send(Ok(batch)).expect("there is room");
    }
    drop(to);
    let delivery = deliver(&mut incoming, script, policy, &contract, signals, log).await;
    let kept_back: u64 = log.kept_back.iter().map(|(records, _)| records).sum();
    assert_eq!(log.acknowledged, delivery.acknowledged);
    assert_eq!(log.acknowledged + kept_back, count as u64, "{delivery:?}");
    delivery
}

pub(super) async fn push_quietly(
    script: &Script,
    policy: &Policy,
    sizes: (usize, usize),
) -> Delivery {
    let (signals, _tell) = Signals::scripted();
    push(script, policy, sizes, &signals, &mut Log::default()).await
}
