//! What became of a push and of its records.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;

use crate::{
    batch::Batch,
    client::{CallError, ConnectError},
    input::Problem,
    signals::Signal,
};

/// Whoever writes down what became of records, as it becomes known.
pub(crate) trait Witness {
    /// These records were acknowledged.
    ///
    /// # Errors
    ///
    /// An output can't be written; nothing more is to be sent.
    fn acknowledged(&mut self, batch: &Batch) -> Result<(), OutputFailed>;

    /// These were not.
    ///
    /// # Errors
    ///
    /// As above.
    fn kept_back(&mut self, batch: &Batch, why: &Why) -> Result<(), OutputFailed>;

    /// Something failed and is tried again after this time.
    fn tried_again(&mut self, failed: &End, wait: Duration);

    /// Whether it wants to be told of records that were not even tried.
    fn wants_all(&self) -> bool;
}

/// The witness knows what went wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutputFailed;

/// Why records were not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The server answered with this code.
    Code(i32),
    /// The server does not take these records: they are rejected.
    Rejected(CallError),
    /// The request failed: its records are unsent, which a later push may mend.
    Failed(CallError),
    /// The push ended before it was their turn, or before they got through.
    Ended,
}

/// What became of a push.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    /// Records.
    pub(crate) acknowledged: u64,
    /// Records that the server answered with a code that is not OK, or refused one by one.
    pub(crate) rejected: u64,
    /// Tries of requests.
    pub(crate) sent: u64,
    /// Tries that were not the first.
    pub(crate) retried: u64,
    /// Requests that were not acknowledged.
    pub(crate) failed: u64,
    /// Answered requests by the response's code.
    pub(crate) codes: BTreeMap<i32, u64>,
    /// The first failure that concerned its request alone.
    pub(crate) refusal: Option<CallError>,
    /// Records that the server refused one by one: the first of them, and why.
    pub(crate) refused: Vec<(Bytes, CallError)>,
    /// Why no more was sent.
    pub(crate) end: Option<End>,
    /// The signal that came meanwhile, if one did.
    pub(crate) signal: Option<Signal>,
}

/// What ends a push before its last record.
#[derive(Debug)]
pub(crate) enum End {
    Call {
        error: CallError,
        tries: u32,
    },
    Connect {
        error: ConnectError,
        tries: u32,
    },
    Input(Problem),
    Signal,
    /// An output could not be written.
    Output,
    /// The time for the whole run was over.
    MaxTime {
        /// Whether a request was open.
        in_request: bool,
        /// What had failed last and was to be tried again.
        last: Option<Box<Self>>,
    },
}
