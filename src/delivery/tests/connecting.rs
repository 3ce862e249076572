use tonic::Code;

use super::scripted_server::{
    Reply, ScriptedServer, TestRecords, connection_refused, policy, push_without_signals,
};
use crate::{
    client::{CallError, ConnectErrorKind},
    delivery::{AttemptError, AttemptFailure, DeliveryPolicy, StopReason},
};

const ONE_RECORD: TestRecords = TestRecords {
    count: 1,
    per_request: 1,
};

/// Returns the number of failed connection attempts after which the push stopped, or `None` if the
/// push did not stop because of a failed connection attempt.
fn failed_connect_attempts(reason: Option<&StopReason>) -> Option<u32> {
    match reason {
        Some(StopReason::Attempt(AttemptFailure {
            error: AttemptError::Connect(_),
            attempts,
        })) => Some(*attempts),
        _ => None,
    }
}

fn not_sent(goaway: Option<h2::Reason>) -> Reply {
    Reply::Error(CallError::NotSent {
        cause: String::new(),
        goaway,
    })
}

#[tokio::test(start_paused = true)]
async fn retries_connecting_without_counting_request_attempts() {
    let server = ScriptedServer::new([Reply::Code(0)])
        .with_connect_errors([connection_refused(), connection_refused()]);
    let outcome = push_without_signals(&server, &policy(), ONE_RECORD).await;
    assert_eq!(outcome.acknowledged, 1);
    assert_eq!(outcome.requests.sent, 1);
    assert_eq!(server.connect_millis(), [0, 100, 300]);
}

#[tokio::test(start_paused = true)]
async fn requests_share_the_connection_attempts() {
    let server = ScriptedServer::new([Reply::Code(0)]).with_connect_errors([
        connection_refused(),
        connection_refused(),
        connection_refused(),
    ]);
    let policy = DeliveryPolicy {
        concurrency: 4,
        ..policy()
    };
    let records = TestRecords {
        count: 8,
        per_request: 1,
    };
    let outcome = push_without_signals(&server, &policy, records).await;
    assert_eq!(server.connect_millis(), [0, 100, 300]);
    assert_eq!(outcome.acknowledged, 0);
    assert_eq!(outcome.requests.sent, 0);
    assert_eq!(
        failed_connect_attempts(outcome.stop_reason.as_ref()),
        Some(3)
    );
}

#[tokio::test(start_paused = true)]
async fn permanent_connect_error_is_not_retried() {
    let server =
        ScriptedServer::new([Reply::Code(0)]).with_connect_errors([ConnectErrorKind::ProxyNotHttp]);
    let outcome = push_without_signals(&server, &policy(), ONE_RECORD).await;
    assert_eq!(
        failed_connect_attempts(outcome.stop_reason.as_ref()),
        Some(1)
    );
}

#[tokio::test(start_paused = true)]
async fn reconnects_only_after_the_connection_is_lost() {
    let server = ScriptedServer::new([
        Reply::Error(CallError::ConnectionLost(String::new())),
        Reply::status(Code::Unavailable),
        not_sent(Some(h2::Reason::NO_ERROR)),
        Reply::Code(0),
    ]);
    let outcome = push_without_signals(&server, &policy(), ONE_RECORD).await;
    let attempts = server.attempts();
    let connections: Vec<_> = attempts.iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [1, 2, 2, 3]);
    assert_eq!(outcome.acknowledged, 1);
    // The attempt with the reply `not_sent` is not counted.
    assert_eq!(outcome.requests.sent, 3);
}

#[tokio::test(start_paused = true)]
async fn unsent_request_is_retried_at_once_only_after_goaway() {
    for (goaway, connect_millis) in [
        (Some(h2::Reason::NO_ERROR), [0, 0, 0]),
        (Some(h2::Reason::INTERNAL_ERROR), [0, 0, 0]),
        (None, [0, 100, 300]),
    ] {
        let replies = [not_sent(goaway), not_sent(goaway), Reply::Code(0)];
        let server = ScriptedServer::new(replies);
        let outcome = push_without_signals(&server, &policy(), ONE_RECORD).await;
        assert_eq!(server.connect_millis(), connect_millis);
        assert_eq!(outcome.acknowledged, 1);
        assert_eq!(outcome.requests.sent, 1);
        assert_eq!(outcome.requests.retried, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn reconnects_at_once_after_goaway_without_error() {
    let goaway = || {
        ConnectErrorKind::Http2(CallError::GoAway {
            reason: h2::Reason::NO_ERROR,
            is_outcome_unknown: false,
        })
    };
    let server = ScriptedServer::new([Reply::Code(0)]).with_connect_errors([goaway(), goaway()]);
    let outcome = push_without_signals(&server, &policy(), ONE_RECORD).await;
    assert_eq!(server.connect_millis(), [0, 0, 0]);
    assert_eq!(outcome.acknowledged, 1);
}
