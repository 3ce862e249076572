use super::scripted_server::{
    CollectingSink, Reply, ScriptedServer, TestRecords, policy, push, push_without_signals,
};
use crate::{
    delivery::{DeliveryPolicy, UnacknowledgedReason},
    signals::Signals,
};

const ONE_REQUEST: TestRecords = TestRecords {
    count: 8,
    per_request: 8,
};

#[tokio::test(start_paused = true)]
async fn too_large_request_is_halved_until_it_fits() {
    // Two records fit into 30 bytes, because an encoded record has 15 bytes: 5 bytes for the token,
    // 6 bytes for the time field, and 4 bytes for the other keys and lengths.
    let server = ScriptedServer::new([Reply::RejectLargerThan(30)]);
    let outcome = push_without_signals(&server, &policy(), ONE_REQUEST).await;
    assert_eq!(outcome.acknowledged, 8);
    assert_eq!(outcome.rejected, 0);
    assert_eq!(outcome.requests.failed, 0);
    // The second half (4 records) is split without an attempt, because the server has rejected the
    // first half, which is not larger.
    let attempts = server.attempts();
    let sizes: Vec<_> = attempts.iter().map(|seen| seen.records).collect();
    assert_eq!(sizes, [8, 4, 2, 2, 2, 2]);
}

#[tokio::test(start_paused = true)]
async fn too_large_single_record_is_rejected() {
    let server = ScriptedServer::new([Reply::RejectLargerThan(3)]);
    let mut sink = CollectingSink::default();
    let (signals, _send_signal) = Signals::simulated();
    let records = TestRecords {
        count: 2,
        per_request: 2,
    };
    let outcome = push(&server, &policy(), records, &signals, &mut sink).await;
    assert_eq!(outcome.acknowledged, 0);
    assert_eq!(outcome.rejected, 2);
    assert_eq!(outcome.rejected_records.len(), 2);
    assert!(outcome.stop_reason.is_none());
    for batch in &sink.unacknowledged {
        let reason = &batch.reason;
        assert!(
            matches!(reason, UnacknowledgedReason::Rejected(_)),
            "{reason:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn isolation_splits_until_the_invalid_record_stands_alone() {
    let policy = DeliveryPolicy {
        isolates_invalid_records: true,
        ..policy()
    };
    let server = ScriptedServer::new([Reply::RejectToken("t0005")]);
    let outcome = push_without_signals(&server, &policy, ONE_REQUEST).await;
    assert_eq!(outcome.acknowledged, 7);
    assert_eq!(outcome.rejected, 1);
    assert_eq!(outcome.requests.sent, 7);
    let rejected = &outcome.rejected_records[0];
    assert_eq!(rejected.token, b"t0005");
}

#[tokio::test(start_paused = true)]
async fn request_with_an_invalid_record_is_not_split_without_isolation() {
    let server = ScriptedServer::new([Reply::RejectToken("t0005")]);
    let records = TestRecords {
        count: 8,
        per_request: 4,
    };
    let outcome = push_without_signals(&server, &policy(), records).await;
    assert_eq!(outcome.acknowledged, 4);
    assert_eq!(outcome.rejected, 0);
}
