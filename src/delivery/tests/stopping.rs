use std::time::Duration;

use tonic::Code;

use super::scripted_server::{
    CollectingSink, Reply, ScriptedServer, TestRecords, connection_refused, policy, push,
    push_without_signals,
};
use crate::{
    client::{CallError, ConnectErrorKind},
    delivery::{AttemptError, AttemptFailure, DeliveryPolicy, StopReason, UnacknowledgedReason},
    signals::{Signal, Signals},
};

const THREE_REQUESTS: TestRecords = TestRecords {
    count: 3,
    per_request: 1,
};

#[tokio::test(start_paused = true)]
async fn permanent_failure_lets_requests_in_flight_finish_and_starts_none() {
    let server = ScriptedServer::new([
        Reply::ok_after(Duration::from_secs(1)),
        Reply::status(Code::PermissionDenied),
        Reply::status(Code::Unavailable),
    ]);
    let policy = DeliveryPolicy {
        concurrency: 3,
        ..policy()
    };
    let records = TestRecords {
        count: 9,
        per_request: 1,
    };
    let outcome = push_without_signals(&server, &policy, records).await;
    assert_eq!(outcome.acknowledged, 1);
    // The third request is not retried, because the second request has stopped the push.
    assert_eq!(server.attempt_millis(), [0, 0, 0]);
    assert!(matches!(
        outcome.stop_reason,
        Some(StopReason::Attempt(AttemptFailure {
            error: AttemptError::Call(CallError::Status {
                code: Code::PermissionDenied,
                ..
            }),
            ..
        }))
    ));
}

#[tokio::test(start_paused = true)]
async fn request_specific_failure_lets_the_push_go_on() {
    for (reply, rejected, has_request_error) in [
        (Reply::Code(5), 2, false),
        (Reply::status(Code::InvalidArgument), 0, true),
        (Reply::Panic, 0, true),
    ] {
        let server = ScriptedServer::new([Reply::Code(0), reply.clone(), Reply::Code(0)]);
        let records = TestRecords {
            count: 6,
            per_request: 2,
        };
        let outcome = push_without_signals(&server, &policy(), records).await;
        assert_eq!(outcome.acknowledged, 4, "{reply:?}");
        assert_eq!(outcome.rejected, rejected, "{reply:?}");
        assert_eq!(
            outcome.request_error.is_some(),
            has_request_error,
            "{reply:?}"
        );
        assert_eq!(outcome.requests.sent, 3, "{reply:?}");
        assert_eq!(outcome.requests.failed, 1, "{reply:?}");
        assert!(outcome.stop_reason.is_none(), "{reply:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn deadline_ends_attempts_retries_and_connecting() {
    struct DeadlineCase {
        name: &'static str,
        replies: Vec<Reply>,
        connect_errors: Vec<ConnectErrorKind>,
        deadline_millis: u64,
        acknowledged: u64,
        attempt_millis: Vec<u128>,
        in_request: bool,
        has_last_failure: bool,
    }
    let hour = Duration::from_secs(3600);
    for case in [
        DeadlineCase {
            name: "request in flight",
            replies: vec![Reply::Code(0), Reply::ok_after(hour)],
            connect_errors: Vec::new(),
            deadline_millis: 50,
            acknowledged: 1,
            attempt_millis: vec![0, 0],
            in_request: true,
            has_last_failure: false,
        },
        DeadlineCase {
            name: "waiting for a retry",
            replies: vec![Reply::status(Code::Unavailable)],
            connect_errors: Vec::new(),
            deadline_millis: 250,
            acknowledged: 0,
            attempt_millis: vec![0, 100],
            in_request: false,
            has_last_failure: true,
        },
        DeadlineCase {
            name: "retry in flight",
            replies: vec![Reply::status(Code::Unavailable), Reply::ok_after(hour)],
            connect_errors: Vec::new(),
            deadline_millis: 250,
            acknowledged: 0,
            attempt_millis: vec![0, 100],
            in_request: true,
            has_last_failure: false,
        },
        DeadlineCase {
            name: "waiting to connect again",
            replies: vec![Reply::Code(0)],
            connect_errors: vec![connection_refused(), connection_refused()],
            deadline_millis: 250,
            acknowledged: 0,
            attempt_millis: Vec::new(),
            in_request: false,
            has_last_failure: true,
        },
    ] {
        let name = case.name;
        let limit = Duration::from_millis(case.deadline_millis);
        let server = ScriptedServer::new(case.replies).with_connect_errors(case.connect_errors);
        let policy = DeliveryPolicy {
            deadline: Some(server.started + limit),
            ..policy()
        };
        let outcome = push_without_signals(&server, &policy, THREE_REQUESTS).await;
        assert_eq!(server.started.elapsed(), limit, "{name}");
        assert_eq!(outcome.acknowledged, case.acknowledged, "{name}");
        assert_eq!(server.attempt_millis(), case.attempt_millis, "{name}");
        let Some(StopReason::DeadlinePassed {
            in_request,
            last_failure,
        }) = outcome.stop_reason
        else {
            panic!("{name}: {:?}", outcome.stop_reason);
        };
        assert_eq!(in_request, case.in_request, "{name}");
        assert_eq!(last_failure.is_some(), case.has_last_failure, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn signal_ends_retry_delays_and_not_requests_in_flight() {
    for (reply, acknowledged, end_millis) in [
        (Reply::ok_after(Duration::from_secs(1)), 1, 1000),
        (Reply::status(Code::Unavailable), 0, 50),
    ] {
        let server = ScriptedServer::new([reply]);
        let (signals, send_signal) = Signals::simulated();
        let mut sink = CollectingSink::default();
        let policy = policy();
        let (outcome, ()) = tokio::join!(
            push(&server, &policy, THREE_REQUESTS, &signals, &mut sink),
            async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                send_signal(Signal::Terminate);
            }
        );
        assert_eq!(server.started.elapsed().as_millis(), end_millis);
        assert_eq!(outcome.acknowledged, acknowledged);
        assert_eq!(outcome.signal, Some(Signal::Terminate));
        assert_eq!(outcome.requests.sent, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn outcome_after_a_lost_attempt_is_unknown() {
    const STOPPED: &str = "unsent: the push stopped before the response; outcome unknown";
    let lost = || Reply::Error(CallError::ConnectionLost(String::new()));
    let unavailable = || Reply::status(Code::Unavailable);
    let not_sent = || {
        Reply::Error(CallError::NotSent {
            cause: String::new(),
            goaway: None,
        })
    };
    for (replies, signal_millis, first_reason, unknown) in [
        (vec![lost()], Some(50), STOPPED, 1),
        (
            vec![Reply::status(Code::DeadlineExceeded)],
            Some(50),
            STOPPED,
            1,
        ),
        (vec![lost(), unavailable()], Some(150), STOPPED, 1),
        (vec![unavailable()], Some(50), "unsent: the push stopped", 0),
        (vec![not_sent()], Some(50), "unsent: the push stopped", 0),
        (
            vec![lost(), unavailable()],
            None,
            "unsent: UNAVAILABLE; outcome unknown",
            1,
        ),
        (
            vec![lost(), not_sent()],
            None,
            "unsent: connection lost before the request was sent; outcome unknown",
            1,
        ),
        (vec![unavailable()], None, "unsent: UNAVAILABLE", 0),
        (vec![lost(), Reply::Code(5)], None, "rejected: code 5", 0),
        (vec![lost(), Reply::Code(0)], None, "", 0),
    ] {
        let server = ScriptedServer::new(replies.clone());
        let (signals, send_signal) = Signals::simulated();
        let mut sink = CollectingSink::default();
        let policy = policy();
        let (outcome, ()) = tokio::join!(
            push(&server, &policy, THREE_REQUESTS, &signals, &mut sink),
            async {
                if let Some(millis) = signal_millis {
                    tokio::time::sleep(Duration::from_millis(millis)).await;
                    send_signal(Signal::Terminate);
                }
            }
        );
        let reasons = sink.unacknowledged.iter().map(|batch| &batch.reason);
        let reasons: Vec<_> = reasons.map(UnacknowledgedReason::to_string).collect();
        let first = reasons.first().map_or("", String::as_str);
        assert_eq!(first, first_reason, "{replies:?}");
        assert_eq!(outcome.unknown, unknown, "{replies:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn output_that_cannot_be_written_stops_the_push() {
    let server = ScriptedServer::new([Reply::Code(0)]);
    let (signals, _send_signal) = Signals::simulated();
    let mut sink = CollectingSink {
        fails: true,
        ..CollectingSink::default()
    };
    let outcome = push(&server, &policy(), THREE_REQUESTS, &signals, &mut sink).await;
    assert_eq!(outcome.acknowledged, 1);
    assert_eq!(outcome.requests.sent, 1);
    assert!(matches!(outcome.stop_reason, Some(StopReason::Output)));
}
