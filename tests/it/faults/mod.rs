//! Failures of the server or the network during a push: exit code, counts, attempts, delays.
//!
//! `ledger` and `outputs` test write failures, and `trust` tests refused certificates.

mod addresses;
mod connecting;
mod deadlines;
mod fault_server;
mod receiver_faults;
mod responses;
mod retries;
mod secrets;
mod splitting;
mod statuses;

use std::{collections::BTreeSet, ops::Deref};

use crate::support::{
    fault_server::{FaultServer, Record, Traffic},
    program::Run,
    records::ONE_RECORD,
};

/// Retry options with short delays. A request that keeps failing takes [`MAX_ATTEMPTS`] attempts.
const FAST_RETRIES: &[&str] = &["--retry=2", "--retry-delay=1ms", "--retry-max-delay=5ms"];

/// The number of attempts with [`FAST_RETRIES`], for a request and for a connection.
const MAX_ATTEMPTS: usize = 3;

/// Options for one record per request, and one request at a time.
const ONE_BY_ONE: &[&str] = &["--batch-records=1", "--concurrency=1"];

/// A push that has ended, and the traffic that its server logged. The server must be new, because
/// its log must have only the traffic of this push.
struct Push {
    run: Run,
    traffic: Traffic,
}

impl Push {
    #[track_caller]
    fn new(server: &FaultServer, run: Run) -> Self {
        let push = Self {
            run: run.counts_add_up(),
            traffic: server.traffic(),
        };
        push.assert_consistent();
        push
    }

    /// Asserts that the summary and the traffic agree. They must agree even if the push failed.
    #[track_caller]
    fn assert_consistent(&self) {
        let Self { run, traffic } = self;
        let tokens = |records: Vec<&Record>| -> BTreeSet<Vec<u8>> {
            records.iter().map(|record| record.token.clone()).collect()
        };
        let (applied, answered) = (tokens(traffic.applied()), tokens(traffic.acknowledged()));
        assert!(answered.is_subset(&applied));
        let acknowledged = run.count("acknowledged");
        assert!(acknowledged <= answered.len() as u64, "{self}");
        let sent = run.request_count("sent");
        assert!(sent >= traffic.attempts.len() as u64, "{self}");
        assert!(run.request_count("retried") <= sent, "{self}");
        if run.code == 0 {
            assert_eq!(acknowledged, run.count("read"), "{self}");
        }
    }

    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }

    #[track_caller]
    fn stderr_contains(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no {text:?} in {self}");
        self
    }

    #[track_caller]
    fn counts(self, outcome: &str, count: u64) -> Self {
        assert_eq!(self.count(outcome), count, "{outcome} of {self}");
        self
    }

    #[track_caller]
    fn counts_requests(self, outcome: &str, count: u64) -> Self {
        let found = self.request_count(outcome);
        assert_eq!(found, count, "requests {outcome} of {self}");
        self
    }

    /// Asserts the number of attempts in the traffic and in the summary.
    #[track_caller]
    fn attempts(self, count: usize) -> Self {
        assert_eq!(self.traffic.attempts.len(), count, "{self}");
        self.counts_requests("sent", count as u64)
    }

    #[track_caller]
    fn connections(self, count: usize) -> Self {
        assert_eq!(self.traffic.connections.len(), count, "{self}");
        self
    }
}

impl Deref for Push {
    type Target = Run;

    fn deref(&self) -> &Run {
        &self.run
    }
}

impl std::fmt::Display for Push {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#?} {:#?}", self.run, self.traffic)
    }
}

#[track_caller]
fn push(server: &FaultServer, flags: &[&str], input: &[u8]) -> Push {
    Push::new(server, server.push(flags, input))
}

/// Pushes one record with [`FAST_RETRIES`].
#[track_caller]
fn push_one_record(server: &FaultServer, flags: &[&str]) -> Push {
    push(server, &[FAST_RETRIES, flags].concat(), ONE_RECORD)
}
