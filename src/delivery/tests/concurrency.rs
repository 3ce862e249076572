use std::time::Duration;

use tonic::Code;

use super::scripted_server::{Reply, ScriptedServer, TestRecords, policy, push_without_signals};
use crate::delivery::DeliveryPolicy;

#[tokio::test(start_paused = true)]
async fn concurrency_limits_the_requests_in_flight() {
    let server = ScriptedServer::new([Reply::ok_after(Duration::from_secs(1))]);
    let policy = DeliveryPolicy {
        concurrency: 3,
        ..policy()
    };
    let records = TestRecords {
        count: 7,
        per_request: 1,
    };
    let outcome = push_without_signals(&server, &policy, records).await;
    assert_eq!(outcome.acknowledged, 7);
    assert_eq!(server.attempt_millis(), [0, 0, 0, 1000, 1000, 1000, 2000]);
}

#[tokio::test(start_paused = true)]
async fn rate_limit_includes_retries() {
    let server = ScriptedServer::new([
        Reply::Code(0),
        Reply::status(Code::Unavailable),
        Reply::Code(0),
    ]);
    let policy = DeliveryPolicy {
        max_records_per_second: Some(10),
        concurrency: 4,
        ..policy()
    };
    let records = TestRecords {
        count: 15,
        per_request: 5,
    };
    let outcome = push_without_signals(&server, &policy, records).await;
    assert_eq!(outcome.acknowledged, 15);
    // The limit of 10 records per second allows two requests of 5 records in the first second. The
    // failed request counts towards the limit as well.
    let times = server.attempt_millis();
    assert_eq!(times.len(), 4);
    assert_eq!(times[..2], [0, 0]);
    assert!(times[2..].iter().all(|time| *time >= 1000), "{times:?}");
}
