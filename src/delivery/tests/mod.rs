//! The policy alone: paused time, no sockets, waits without their randomness.

mod script;

use std::collections::VecDeque;

use tokio::time::Instant;
use tonic::Code;

use self::script::{Log, Reply, Script, advised, policy, push, push_quietly, refused, status};
use super::*;
use crate::{
    client::{Advice, Cause},
    signals::Signal,
};

#[tokio::test(start_paused = true)]
async fn one_request_is_tried_again_when_and_as_often_as_it_is_worth() {
    let unavailable = || Reply::Fails(status(Code::Unavailable));
    let lost = || Reply::Fails(CallError::Lost(Vec::new()));
    let reset = |reason| Reply::Fails(CallError::Reset(reason));
    let pushback = |advice| Reply::Fails(advised(Code::Unavailable, advice));
    let ok = || Reply::Code(0);
    let refused = h2::Reason::REFUSED_STREAM;
    for (what, replies, acknowledged, times) in [
        ("a success", vec![ok()], true, vec![0]),
        (
            "two failures and a success",
            vec![unavailable(), unavailable(), ok()],
            true,
            vec![0, 100, 300],
        ),
        (
            "failures alone",
            vec![unavailable()],
            false,
            vec![0, 100, 300],
        ),
        ("lost connections", vec![lost()], false, vec![0, 100, 300]),
        (
            "the server's own time",
            vec![pushback(Advice::After(Duration::from_millis(1500))), ok()],
            true,
            vec![0, 1500],
        ),
        (
            "at once, as the server says",
            vec![pushback(Advice::After(Duration::ZERO)), ok()],
            true,
            vec![0, 0],
        ),
        (
            "never, as the server says",
            vec![pushback(Advice::Never), ok()],
            false,
            vec![0],
        ),
        (
            "a server that asks for calm",
            vec![reset(h2::Reason::ENHANCE_YOUR_CALM), ok()],
            true,
            vec![0, 500],
        ),
        (
            "what does not count",
            vec![reset(refused), reset(refused), unavailable(), ok()],
            true,
            vec![0, 0, 0, 100],
        ),
        (
            "too much of what does not count",
            vec![reset(refused)],
            false,
            [vec![0; 11], vec![100, 300]].concat(),
        ),
        (
            "what is final",
            vec![Reply::Fails(status(Code::Internal)), ok()],
            false,
            vec![0],
        ),
        (
            "what can't be understood",
            vec![Reply::Fails(CallError::NoStatus), ok()],
            false,
            vec![0],
        ),
    ] {
        let script = Script::new(replies);
        let delivery = push_quietly(&script, &policy(), (3, 10)).await;
        assert_eq!(script.times(), times, "{what}");
        assert_eq!(delivery.acknowledged, u64::from(acknowledged) * 3, "{what}");
        assert_eq!(delivery.sent, times.len() as u64, "{what}");
        assert_eq!(delivery.retried, times.len() as u64 - 1, "{what}");
        assert_eq!(delivery.failed, u64::from(!acknowledged), "{what}");
        assert_eq!(delivery.end.is_some(), !acknowledged, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_request_has_its_tries_however_many_others_failed() {
    let unavailable = || Reply::Fails(status(Code::Unavailable));
    let one = [unavailable(), unavailable(), Reply::Code(0)];
    let mut replies: VecDeque<_> = std::iter::repeat_n(one, 99).flatten().collect();
    replies.push_back(Reply::Code(0));
    let script = Script::new(replies);
    let delivery = push_quietly(&script, &policy(), (99, 1)).await;
    assert_eq!((delivery.acknowledged, delivery.sent), (99, 3 * 99));
    // What fails most of what it gets is asked as rarely as ever.
    let times = script.times();
    assert_eq!(times[2] - times[1], 200);
    assert_eq!(times[times.len() - 1] - times[times.len() - 2], 10_000);
}

#[tokio::test(start_paused = true)]
async fn a_connection_has_tries_of_its_own() {
    let script = Script::new([Reply::Code(0)]).connecting([Err(refused()), Err(refused())]);
    let delivery = push_quietly(&script, &policy(), (1, 1)).await;
    assert_eq!((delivery.acknowledged, delivery.sent), (1, 1));
    assert_eq!(script.dials(), [0, 100, 300]);

    let all = || [Err(refused()), Err(refused()), Err(refused())];
    let script = Script::new([Reply::Code(0)]).connecting(all());
    // Requests wait for one connection and don't ask for it one by one.
    let several = Policy {
        concurrency: 4,
        ..policy()
    };
    let delivery = push_quietly(&script, &several, (8, 1)).await;
    assert_eq!(script.dials(), [0, 100, 300]);
    assert_eq!((delivery.acknowledged, delivery.sent), (0, 0));
    assert!(matches!(delivery.end, Some(End::Connect { tries: 3, .. })));

    // What no time mends.
    let script = Script::new([Reply::Code(0)]).connecting([Err(Cause::Alpn(None))]);
    let delivery = push_quietly(&script, &policy(), (1, 1)).await;
    assert!(matches!(delivery.end, Some(End::Connect { tries: 1, .. })));

    // A lost one is made anew; one that is not lost is used on.
    let script = Script::new([
        Reply::Fails(CallError::Lost(Vec::new())),
        Reply::Fails(status(Code::Unavailable)),
        Reply::Fails(not_sent(true)),
        Reply::Code(0),
    ]);
    let delivery = push_quietly(&script, &policy(), (1, 1)).await;
    let connections: Vec<_> = script.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [1, 2, 2, 3]);
    // What was never sent is no try.
    assert_eq!((delivery.acknowledged, delivery.sent), (1, 3));

    // One that ends before a request is sent on it is free where the server said so, and else not.
    for (announced, dials) in [(true, [0, 0, 0]), (false, [0, 100, 300])] {
        let lost = || Reply::Fails(not_sent(announced));
        let script = Script::new([lost(), lost(), Reply::Code(0)]);
        let delivery = push_quietly(&script, &policy(), (1, 1)).await;
        assert_eq!(script.dials(), dials);
        assert_eq!((delivery.acknowledged, delivery.sent), (1, 1));
        assert_eq!(delivery.retried, 0);
    }
    let leaving = || Err(Cause::GoneAway(h2::Reason::NO_ERROR));
    let script = Script::new([Reply::Code(0)]).connecting([leaving(), leaving()]);
    let delivery = push_quietly(&script, &policy(), (1, 1)).await;
    assert_eq!((script.dials(), delivery.acknowledged), (vec![0, 0, 0], 1));
}

fn not_sent(announced: bool) -> CallError {
    CallError::NotSent {
        causes: Vec::new(),
        announced,
    }
}

#[tokio::test(start_paused = true)]
async fn so_many_are_in_flight_and_no_more() {
    let script = Script::new([Reply::After(
        Duration::from_secs(1),
        Box::new(Reply::Code(0)),
    )]);
    let policy = Policy {
        concurrency: 3,
        ..policy()
    };
    let delivery = push_quietly(&script, &policy, (7, 1)).await;
    assert_eq!(delivery.acknowledged, 7);
    assert_eq!(script.times(), [0, 0, 0, 1000, 1000, 1000, 2000]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_for_good_lets_open_requests_finish_and_starts_none() {
    let slow = Reply::After(Duration::from_secs(1), Box::new(Reply::Code(0)));
    let fails = Reply::Fails(status(Code::PermissionDenied));
    let script = Script::new([slow, fails, Reply::Fails(status(Code::Unavailable))]);
    let policy = Policy {
        concurrency: 3,
        ..policy()
    };
    let delivery = push_quietly(&script, &policy, (9, 1)).await;
    assert_eq!(delivery.acknowledged, 1);
    // The third waits for its next try no longer.
    assert_eq!(script.times(), [0, 0, 0]);
    assert!(matches!(
        delivery.end,
        Some(End::Call {
            error: CallError::Status {
                code: Code::PermissionDenied,
                ..
            },
            ..
        })
    ));
}

#[tokio::test(start_paused = true)]
async fn what_concerns_one_request_alone_lets_the_others_go_on() {
    for (reply, rejected, refusal) in [
        (Reply::Code(5), 2, None),
        (Reply::Fails(status(Code::InvalidArgument)), 0, Some(0)),
        (Reply::Panics, 0, Some(0)),
    ] {
        let script = Script::new([Reply::Code(0), reply.clone(), Reply::Code(0)]);
        let delivery = push_quietly(&script, &policy(), (6, 2)).await;
        assert_eq!(delivery.acknowledged, 4, "{reply:?}");
        assert_eq!(delivery.rejected, rejected, "{reply:?}");
        assert_eq!(delivery.refusal.is_some(), refusal.is_some(), "{reply:?}");
        assert_eq!((delivery.sent, delivery.failed), (3, 1), "{reply:?}");
        assert!(delivery.end.is_none(), "{reply:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn too_large_a_request_is_halved_until_it_fits() {
    // A record: 5 bytes of token, 2 of time (none for time 0), 4 around them.
    let script = Script::new([Reply::AtMost(22)]);
    let delivery = push_quietly(&script, &policy(), (8, 8)).await;
    assert_eq!((delivery.acknowledged, delivery.rejected), (8, 0));
    assert_eq!(delivery.failed, 0);
    let sizes =
        |script: &Script| -> Vec<_> { script.seen().iter().map(|seen| seen.records).collect() };
    // What is as large as what was refused is not tried.
    assert_eq!(sizes(&script), [8, 4, 2, 2, 2, 2]);

    let script = Script::new([Reply::AtMost(3)]);
    let mut log = Log::default();
    let (signals, _tell) = Signals::scripted();
    let delivery = push(&script, &policy(), (2, 2), &signals, &mut log).await;
    assert_eq!((delivery.acknowledged, delivery.rejected), (0, 2));
    assert_eq!(delivery.refused.len(), 2);
    assert!(delivery.end.is_none());
    let is_rejected = |(_, why): &(u64, Why)| matches!(why, Why::Rejected(_));
    assert!(log.kept_back.iter().all(is_rejected), "{:?}", log.kept_back);
}

#[tokio::test(start_paused = true)]
async fn isolation_bisects() {
    let isolating = Policy {
        isolate: true,
        ..policy()
    };
    let script = Script::new([Reply::Not("t0005")]);
    let delivery = push_quietly(&script, &isolating, (8, 8)).await;
    assert_eq!((delivery.acknowledged, delivery.rejected), (7, 1));
    assert_eq!(delivery.sent, 7);
    let (record, _) = &delivery.refused[0];
    let contract = Contract::built_in();
    assert_eq!(contract.read(record), Some((&b"t0005"[..], 5)));
    let script = Script::new([Reply::Not("t0005")]);
    let delivery = push_quietly(&script, &policy(), (8, 4)).await;
    assert_eq!((delivery.acknowledged, delivery.rejected), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn the_whole_run_ends_in_time() {
    let limited = |millis| Policy {
        deadline: Some(Instant::now() + Duration::from_millis(millis)),
        ..policy()
    };
    let hour = Duration::from_secs(3600);
    let slow = Reply::After(hour, Box::new(Reply::Code(0)));
    let script = Script::new([Reply::Code(0), slow]);
    let delivery = push_quietly(&script, &limited(50), (3, 1)).await;
    assert_eq!(script.started.elapsed().as_millis(), 50);
    assert_eq!(delivery.acknowledged, 1);
    let in_request = |end: &Option<End>| match end {
        Some(End::MaxTime { in_request, last }) => Some((*in_request, last.is_some())),
        _ => None,
    };
    assert_eq!(in_request(&delivery.end), Some((true, false)));

    let script = Script::new([Reply::Fails(status(Code::Unavailable))]);
    let delivery = push_quietly(&script, &limited(250), (1, 1)).await;
    assert_eq!(script.times(), [0, 100]);
    assert_eq!(in_request(&delivery.end), Some((false, true)));

    let script = Script::new([Reply::Code(0)]).connecting([Err(refused()), Err(refused())]);
    let delivery = push_quietly(&script, &limited(250), (1, 1)).await;
    assert_eq!(in_request(&delivery.end), Some((false, true)));
    assert_eq!(script.started.elapsed().as_millis(), 250);
}

#[tokio::test(start_paused = true)]
async fn a_signal_ends_waits_and_not_requests() {
    let slow = Reply::After(Duration::from_secs(1), Box::new(Reply::Code(0)));
    for (reply, acknowledged, ends_at) in [
        (slow, 1, 1000),
        (Reply::Fails(status(Code::Unavailable)), 0, 50),
    ] {
        let script = Script::new([reply]);
        let (signals, tell) = Signals::scripted();
        let mut log = Log::default();
        let policy = policy();
        let (delivery, ()) =
            tokio::join!(push(&script, &policy, (3, 1), &signals, &mut log), async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                tell(Signal::Terminate);
            });
        assert_eq!(script.started.elapsed().as_millis(), ends_at);
        assert_eq!(delivery.acknowledged, acknowledged);
        assert_eq!(delivery.signal, Some(Signal::Terminate));
        assert_eq!(delivery.sent, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_output_that_breaks_stops_the_push() {
    let script = Script::new([Reply::Code(0)]);
    let (signals, _tell) = Signals::scripted();
    let mut log = Log {
        breaks: true,
        ..Log::default()
    };
    let delivery = push(&script, &policy(), (3, 1), &signals, &mut log).await;
    assert_eq!((delivery.acknowledged, delivery.sent), (1, 1));
    assert!(matches!(delivery.end, Some(End::Output)));
}

#[tokio::test(start_paused = true)]
async fn the_rate_holds_for_further_tries_too() {
    let script = Script::new([
        Reply::Code(0),
        Reply::Fails(status(Code::Unavailable)),
        Reply::Code(0),
    ]);
    let paced = Policy {
        rate: Some(10),
        concurrency: 4,
        ..policy()
    };
    let delivery = push_quietly(&script, &paced, (15, 5)).await;
    assert_eq!(delivery.acknowledged, 15);
    // Two fit into the first second; the failed one's records count like any others.
    let times = script.times();
    assert_eq!(times.len(), 4);
    assert_eq!(times[..2], [0, 0]);
    assert!(times[2..].iter().all(|time| *time >= 1000), "{times:?}");
}
