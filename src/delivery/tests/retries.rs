use std::time::Duration;

use tonic::Code;

use super::scripted_server::{
    Reply, ScriptedServer, TestRecords, policy, push_without_signals, status,
};
use crate::client::{CallError, RetryAdvice};

struct RetryCase {
    name: &'static str,
    replies: Vec<Reply>,
    is_acknowledged: bool,
    attempt_millis: Vec<u128>,
}

fn unavailable() -> Reply {
    Reply::status(Code::Unavailable)
}

fn unavailable_with(advice: RetryAdvice) -> Reply {
    Reply::Error(status(Code::Unavailable, advice))
}

fn stream_reset(reason: h2::Reason) -> Reply {
    Reply::Error(CallError::StreamReset(reason))
}

fn retry_cases() -> Vec<RetryCase> {
    let ok = || Reply::Code(0);
    let connection_lost = Reply::Error(CallError::ConnectionLost(String::new()));
    let refused_stream = || stream_reset(h2::Reason::REFUSED_STREAM);
    vec![
        RetryCase {
            name: "success at the first attempt",
            replies: vec![ok()],
            is_acknowledged: true,
            attempt_millis: vec![0],
        },
        RetryCase {
            name: "success at the last attempt",
            replies: vec![unavailable(), unavailable(), ok()],
            is_acknowledged: true,
            attempt_millis: vec![0, 100, 300],
        },
        RetryCase {
            name: "retries used up",
            replies: vec![unavailable()],
            is_acknowledged: false,
            attempt_millis: vec![0, 100, 300],
        },
        RetryCase {
            name: "lost connections",
            replies: vec![connection_lost],
            is_acknowledged: false,
            attempt_millis: vec![0, 100, 300],
        },
        RetryCase {
            name: "delay that the server asks for",
            replies: vec![
                unavailable_with(RetryAdvice::After(Duration::from_millis(1500))),
                ok(),
            ],
            is_acknowledged: true,
            attempt_millis: vec![0, 1500],
        },
        RetryCase {
            name: "no delay, as the server asks for",
            replies: vec![unavailable_with(RetryAdvice::After(Duration::ZERO)), ok()],
            is_acknowledged: true,
            attempt_millis: vec![0, 0],
        },
        RetryCase {
            name: "no retry, as the server asks for",
            replies: vec![unavailable_with(RetryAdvice::Never), ok()],
            is_acknowledged: false,
            attempt_millis: vec![0],
        },
        RetryCase {
            name: "longer delay after ENHANCE_YOUR_CALM",
            replies: vec![stream_reset(h2::Reason::ENHANCE_YOUR_CALM), ok()],
            is_acknowledged: true,
            attempt_millis: vec![0, 500],
        },
        RetryCase {
            name: "transparent retries do not use up retries",
            replies: vec![refused_stream(), refused_stream(), unavailable(), ok()],
            is_acknowledged: true,
            attempt_millis: vec![0, 0, 0, 100],
        },
        RetryCase {
            name: "transparent retries have a limit",
            replies: vec![refused_stream()],
            is_acknowledged: false,
            attempt_millis: [vec![0; 11], vec![100, 300]].concat(),
        },
        RetryCase {
            name: "permanent failure",
            replies: vec![Reply::status(Code::Internal), ok()],
            is_acknowledged: false,
            attempt_millis: vec![0],
        },
        RetryCase {
            name: "invalid response",
            replies: vec![Reply::Error(CallError::MissingStatus), ok()],
            is_acknowledged: false,
            attempt_millis: vec![0],
        },
    ]
}

#[tokio::test(start_paused = true)]
async fn retries_a_request_when_the_failure_is_transient() {
    for case in retry_cases() {
        let name = case.name;
        let server = ScriptedServer::new(case.replies);
        let records = TestRecords {
            count: 3,
            per_request: 10,
        };
        let outcome = push_without_signals(&server, &policy(), records).await;
        let attempts = case.attempt_millis.len() as u64;
        let is_acknowledged = case.is_acknowledged;
        assert_eq!(server.attempt_millis(), case.attempt_millis, "{name}");
        assert_eq!(
            outcome.acknowledged,
            u64::from(is_acknowledged) * 3,
            "{name}"
        );
        assert_eq!(outcome.requests.sent, attempts, "{name}");
        assert_eq!(outcome.requests.retried, attempts - 1, "{name}");
        assert_eq!(
            outcome.requests.failed,
            u64::from(!is_acknowledged),
            "{name}"
        );
        assert_eq!(outcome.stop_reason.is_some(), !is_acknowledged, "{name}");
    }
}
