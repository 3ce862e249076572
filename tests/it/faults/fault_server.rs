//! Tests of the fault server itself.

use std::time::Duration;

use super::{push, push_one_record};

use crate::support::{
    fault_server::{
        Attempt, Connection, FaultServer,
        action::{Action, ok, ok_after},
    },
    records::{EXPIRE_TIME, ONE_RECORD, ONE_TOKEN, records},
};

#[test]
fn fault_server_follows_its_script() {
    for action in [
        Action::GoawayAfter(h2::Reason::NO_ERROR, ok().into()),
        Action::GracefulGoaway(ok().into()),
        Action::GracefulGoaway(ok_after(Duration::from_millis(100)).into()),
        Action::IfToken("another", Action::NeverAnswer.into()),
        Action::IfLargerThan(1000, Action::NeverAnswer.into()),
    ] {
        let server = FaultServer::serving([action.clone()]);
        let push = push_one_record(&server, &[])
            .exits(0)
            .attempts(1)
            .connections(1);
        let [attempt] = &push.traffic.attempts[..] else {
            panic!("{action:?}: {push}");
        };
        assert_eq!(attempt.tokens(), [ONE_TOKEN]);
        assert_eq!(attempt.records[0].expire_time, EXPIRE_TIME);
        assert!(attempt.is_applied && attempt.is_acknowledged, "{attempt:?}");
        assert_eq!((attempt.connection, attempt.message_bytes), (0, 22));
    }
    // This request fills the flow-control windows many times.
    let flags = ["--batch-records=20000"];
    let push = push(&FaultServer::ok(), &flags, &records(20_000))
        .exits(0)
        .attempts(1);
    assert_eq!(push.traffic.applied().len(), 20_000);
    let goaway = Connection::Goaway(h2::Reason::NO_ERROR);
    let server = FaultServer::start([goaway, Connection::Serve(vec![ok()])]);
    server.push(&[], ONE_RECORD);
    let is_second = |attempt: &Attempt| attempt.connection == 1;
    assert!(server.traffic().attempts.iter().all(is_second));
}
