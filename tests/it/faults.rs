//! What becomes of a push when the world misbehaves: exit code, counts, tries and waits.
//!
//! `answers.rs` has what servers say in one answer, `failures.rs` usage and signals while
//! connecting, `push.rs` standard output, `input.rs` files that change.

use std::{
    collections::BTreeSet,
    net::{SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use crate::support::{
    Receiver, Run, command_under_nohup,
    faults::{
        Connection, FaultServer, Seen,
        answer::{Answer, How, Reply, code, framed, http, ok, status, times},
    },
    run_with_input, signal_child, start, start_command,
};
use rustix::process::Signal;
use tonic::Code;

use Connection::Serve;

/// Two further tries, at once.
const RETRY: &[&str] = &["--retry=2", "--retry-delay=1ms", "--retry-max-delay=5ms"];

/// How often a request that fails is tried with these flags, and a server that can't be reached.
const TRIES: usize = 3;

const ONE: &[u8] = b"token,expire_time\nabcdefghijkl,4070908800\n";

/// So many records.
fn records(count: usize) -> Vec<u8> {
    let rows: String = (0..count)
        .map(|number| format!("sensor-{number:05},4070908800\n"))
        .collect();
    format!("token,expire_time\n{rows}").into_bytes()
}

/// A push that has ended, and what the server saw of it.
struct Pushed {
    run: Run,
    seen: Seen,
}

impl Pushed {
    fn new(server: &FaultServer, run: Run) -> Self {
        let pushed = Self {
            run,
            seen: server.seen(),
        };
        pushed.add_up();
        pushed
    }

    fn records(&self, key: &str) -> u64 {
        self.run.records()[key].as_u64().expect("a count")
    }

    fn requests(&self, key: &str) -> u64 {
        let requests = &self.run.json()["requests"];
        requests[key].as_u64().expect("a count")
    }

    /// What holds of every push, however it ended.
    fn add_up(&self) {
        let Self { run, seen } = self;
        let counts = run.records();
        let counts = counts.as_object().expect("an object");
        let others = counts.iter().filter(|(key, _)| *key != "read");
        let sum: u64 = others
            .map(|(_, count)| count.as_u64().expect("a count"))
            .sum();
        assert_eq!(counts["read"], sum, "{run:#?}");
        assert_eq!(run.json()["exit_code"], run.code, "{run:#?}");
        let tokens = |records: Vec<&crate::support::faults::Record>| -> BTreeSet<Vec<u8>> {
            records.iter().map(|record| record.token.clone()).collect()
        };
        let (applied, answered) = (tokens(seen.applied()), tokens(seen.acknowledged()));
        assert!(answered.is_subset(&applied));
        let acknowledged = self.records("acknowledged");
        assert!(acknowledged <= answered.len() as u64, "{run:#?} {seen:#?}");
        assert!(self.requests("sent") >= seen.tries.len() as u64, "{run:#?}");
        assert!(
            self.requests("retried") <= self.requests("sent"),
            "{run:#?}"
        );
        if run.code == 0 {
            assert_eq!(acknowledged, self.records("read"), "{run:#?}");
        }
        // No token but a masked one.
        let text = format!("{}{}", run.stdout, run.stderr);
        assert!(!text.contains("abcdefghijkl"), "{text}");
        assert!(!text.contains("sensor-00"), "{text}");
    }

    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.run.code, code, "{:#?} {:#?}", self.run, self.seen);
        self
    }

    #[track_caller]
    fn says(self, what: &str) -> Self {
        let said = self.run.stderr.contains(what);
        assert!(said, "no {what:?} in {:#?}", self.run);
        self
    }

    /// So many tries came to the server, and the summary knows of as many.
    #[track_caller]
    fn tried(self, times: usize) -> Self {
        assert_eq!(
            self.seen.tries.len(),
            times,
            "{:#?} {:#?}",
            self.run,
            self.seen
        );
        assert_eq!(self.requests("sent"), times as u64, "{:#?}", self.run);
        self
    }

    #[track_caller]
    fn connected(self, times: usize) -> Self {
        assert_eq!(self.seen.connections.len(), times, "{:#?}", self.run);
        self
    }

    #[track_caller]
    fn counts(self, key: &str, count: u64) -> Self {
        assert_eq!(self.records(key), count, "{key} of {:#?}", self.run);
        self
    }
}

fn push(server: &FaultServer, flags: &[&str], input: &[u8]) -> Pushed {
    Pushed::new(server, server.push(flags, input))
}

/// The push of one record with `RETRY`.
fn push_one(server: &FaultServer, flags: &[&str]) -> Pushed {
    push(server, &[RETRY, flags].concat(), ONE)
}

/// A server that takes no connection.
fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

#[test]
fn the_server_does_what_it_is_told() {
    let none = h2::Reason::NO_ERROR;
    for answer in [
        Answer::GoawayBehind(ok().into()),
        Answer::Graceful(ok().into()),
        Answer::Graceful(Answer::After(Duration::from_millis(100), ok().into()).into()),
        Answer::IfToken("another", Answer::Never.into()),
        Answer::IfLarger(1000, Answer::Never.into()),
    ] {
        let server = FaultServer::answering([answer.clone()]);
        let pushed = push_one(&server, &[]).exits(0).tried(1).connected(1);
        let [tried] = &pushed.seen.tries[..] else {
            panic!("{answer:?}: {:?}", pushed.seen);
        };
        assert_eq!(tried.tokens(), ["abcdefghijkl"]);
        assert_eq!(tried.records[0].time, 4_070_908_800);
        assert!(tried.applied && tried.acknowledged, "{tried:?}");
        assert_eq!((tried.connection, tried.bytes), (0, 22));
    }
    // It takes what fills windows many times over.
    let server = FaultServer::answering([ok()]);
    let flags = ["--batch-records=20000"];
    let pushed = push(&server, &flags, &records(20_000)).exits(0).tried(1);
    assert_eq!(pushed.seen.applied().len(), 20_000);
    let server = FaultServer::start([Connection::Goaway(none), Serve(vec![ok()])]);
    server.push(&[], ONE);
    assert!(
        server
            .seen()
            .tries
            .iter()
            .all(|tried| tried.connection == 1)
    );
}

#[test]
fn a_closed_port_is_tried_again() {
    let address = closed_port().to_string();
    let args = ["push", "-k", "--output=json", "--server", &address];
    let run = run_with_input([&args[..], RETRY].concat(), ONE)
        .exits(5)
        .says("Connection refused");
    assert_eq!(run.records()["unsent"], 1);
    assert_eq!(run.json()["requests"]["sent"], 0);
}

#[test]
fn a_port_that_swallows_what_it_gets() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let listener = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket
            .bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .expect("a port");
        socket.listen(1).expect("a listener")
    });
    let address = listener.local_addr().expect("an address");
    // The system answers no more when the queue of those that nobody takes is full.
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        waiting.push(stream);
        assert!(waiting.len() < 100, "the queue has no end");
    }
    let address = address.to_string();
    let flags = ["--connect-timeout=100ms", "--server", &address];
    let args = [&["push", "-k", "--output=json"], RETRY, &flags].concat();
    let run = run_with_input(args, ONE)
        .exits(5)
        .says("the TCP connection timed out after 100ms");
    assert_eq!(run.json()["requests"]["sent"], 0);
}

#[test]
fn what_keeps_a_connection_from_being_made_is_tried_again() {
    let before_tls = |bytes, how| Connection::EndBeforeTls { bytes, how };
    for (what, fault, words) in [
        (
            "closed before TLS",
            before_tls(0, How::Cut),
            "TLS handshake",
        ),
        ("reset before TLS", before_tls(0, How::Reset), "reset"),
        (
            "closed after a byte",
            before_tls(1, How::Cut),
            "TLS handshake",
        ),
        (
            "closed in mid-hello",
            before_tls(100, How::Cut),
            "TLS handshake",
        ),
        ("reset in mid-hello", before_tls(100, How::Reset), "reset"),
        (
            "stall",
            Connection::Silent,
            "TLS handshake timed out after 200ms",
        ),
        (
            "silence before SETTINGS",
            Connection::SilentAfterTls,
            "waiting for the server's HTTP/2 SETTINGS timed out after 200ms",
        ),
        (
            "closed before SETTINGS",
            Connection::EndAfterTls(How::Close),
            "waiting for the server's HTTP/2 SETTINGS",
        ),
        (
            "cut before SETTINGS",
            Connection::EndAfterTls(How::Cut),
            "waiting for the server's HTTP/2 SETTINGS",
        ),
        (
            "reset before SETTINGS",
            Connection::EndAfterTls(How::Reset),
            "waiting for the server's HTTP/2 SETTINGS",
        ),
    ] {
        let limit: &[&str] = if words.contains("timed out") {
            &["--connect-timeout=200ms"]
        } else {
            &[]
        };
        let pushed = push_one(&FaultServer::start([fault.clone()]), limit);
        assert_eq!(pushed.run.code, 5, "{what}: {:#?}", pushed.run);
        let pushed = pushed.says(words).tried(0).counts("unsent", 1);
        assert_eq!(pushed.seen.connections.len(), TRIES, "{what}");
        // Twice only.
        let good = Serve(vec![ok()]);
        let server = FaultServer::start([fault.clone(), fault.clone(), good.clone()]);
        push_one(&server, limit).exits(0).tried(1).connected(3);
        // And the same when it comes while connecting again.
        let first = Serve(vec![ok(), cut()]);
        let script = [first.clone(), fault.clone(), fault.clone(), good];
        let server = FaultServer::start(script);
        let flags = [RETRY, limit, SINGLY].concat();
        let pushed = push(&server, &flags, &records(3)).exits(0).connected(4);
        assert_eq!(pushed.requests("retried"), 1, "{what}");
        let server = FaultServer::start([first, fault]);
        push(&server, &flags, &records(3))
            .exits(3)
            .connected(1 + TRIES)
            .counts("acknowledged", 1)
            .counts("unsent", 2);
    }
}

/// One record a request, one request at a time.
const SINGLY: &[&str] = &["--batch-records=1", "--concurrency=1"];

/// The connection ends when the request has come.
fn cut() -> Answer {
    Answer::EndWhenRead {
        how: How::Cut,
        applied: false,
    }
}

#[test]
fn what_no_further_try_can_mend_ends_at_once() {
    let http1 = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    for (what, fault, exit, words) in [
        (
            "plaintext",
            Connection::Plain(&[0, 0, 0, 4, 0, 0, 0, 0, 0]),
            6,
            &["does not speak TLS", "hint: --plaintext"][..],
        ),
        (
            "HTTP/1.1",
            Connection::Plain(http1),
            6,
            &["does not speak TLS", "hint: --plaintext"],
        ),
        (
            "garbage",
            Connection::Plain(&[b'x'; 100]),
            6,
            &["does not speak TLS", "hint: --plaintext"],
        ),
        (
            "ALPN http/1.1",
            Connection::Alpn(&[b"http/1.1"]),
            6,
            &["speaks TLS but not HTTP/2", "ALPN"],
        ),
        (
            "no ALPN",
            Connection::Alpn(&[]),
            6,
            &["chose no application protocol"],
        ),
        (
            "garbage after TLS",
            Connection::Garbage(&[b'x'; 100]),
            5,
            &["does not speak HTTP/2"],
        ),
        (
            "HTTP/1.1 after TLS",
            Connection::Garbage(http1),
            5,
            &["speaks HTTP/1.1, not HTTP/2"],
        ),
        (
            "garbage below TLS",
            Connection::EndAfterTls(How::Garbage),
            5,
            &["what the server sent is not HTTP/2", "corrupt message"],
        ),
    ] {
        let pushed = push_one(&FaultServer::start([fault]), &[]);
        assert_eq!(pushed.run.code, exit, "{what}: {:#?}", pushed.run);
        let pushed = pushed.tried(0).connected(1).counts("unsent", 1);
        for word in words {
            assert!(
                pushed.run.stderr.contains(word),
                "{what}: {:#?}",
                pushed.run
            );
        }
    }
    let server = FaultServer::answering([ok()]);
    let args = ["push", "--plaintext", "--server", &server.address];
    run_with_input([&args[..], RETRY].concat(), ONE)
        .exits(6)
        .says("speaks TLS")
        .says("hint: leave --plaintext out");
    assert!(server.seen().tries.is_empty());
}

/// A request's failures that another try may mend, each with its exit code.
fn mendable() -> Vec<(&'static str, Answer, i32)> {
    let ended = |how, applied| Answer::EndWhenRead { how, applied };
    let reset = Answer::Reset;
    vec![
        ("UNAVAILABLE", status(Code::Unavailable, "later"), 78),
        ("ABORTED", status(Code::Aborted, ""), 74),
        ("DEADLINE_EXCEEDED", status(Code::DeadlineExceeded, ""), 68),
        ("quota", status(Code::ResourceExhausted, "quota"), 72),
        ("HTTP 429", http(429), 78),
        ("HTTP 502", http(502), 78),
        ("HTTP 503", http(503), 78),
        ("HTTP 504", http(504), 78),
        ("closed at its head", Answer::EndAtHead(How::Close), 78),
        ("cut at its head", Answer::EndAtHead(How::Cut), 78),
        ("reset at its head", Answer::EndAtHead(How::Reset), 78),
        ("closed, lost", ended(How::Close, false), 78),
        ("closed, applied", ended(How::Close, true), 78),
        ("cut, applied", ended(How::Cut, true), 78),
        ("reset, applied", ended(How::Reset, true), 78),
        ("truncated frame", Answer::TruncatedFrame, 78),
        ("RST INTERNAL", reset(h2::Reason::INTERNAL_ERROR), 77),
        ("RST CANCEL", reset(h2::Reason::CANCEL), 65),
        ("RST CALM", reset(h2::Reason::ENHANCE_YOUR_CALM), 72),
        ("RST PROTOCOL", reset(h2::Reason::PROTOCOL_ERROR), 77),
        ("RST NO_ERROR", reset(h2::Reason::NO_ERROR), 77),
        (
            "GOAWAY CALM",
            Answer::GoawayBefore(h2::Reason::ENHANCE_YOUR_CALM),
            78,
        ),
        (
            "details that are no base64",
            Answer::Refuse(
                Reply::status(Code::Unavailable, "").field("grpc-status-details-bin", "!!!"),
            ),
            78,
        ),
    ]
}

#[test]
fn what_another_try_may_mend_is_tried_again_and_then_told() {
    for (what, answer, exit) in mendable() {
        let server = FaultServer::answering([answer.clone()]);
        let pushed = push_one(&server, &[]);
        assert_eq!(pushed.run.code, exit, "{what}: {:#?}", pushed.run);
        assert_eq!(pushed.seen.tries.len(), TRIES, "{what}: {:#?}", pushed.seen);
        let pushed = pushed.tried(TRIES).counts("unsent", 1);
        assert_eq!(pushed.requests("retried"), TRIES as u64 - 1, "{what}");
        assert_eq!(pushed.requests("failed"), 1, "{what}");
        let ends = matches!(
            answer,
            Answer::EndAtHead(_)
                | Answer::EndWhenRead { .. }
                | Answer::TruncatedFrame
                | Answer::GoawayBefore(_)
        );
        let server = if ends {
            let fault = Serve(vec![answer]);
            FaultServer::start([fault.clone(), fault, Serve(vec![ok()])])
        } else {
            FaultServer::answering(times(2, &answer))
        };
        let pushed = push_one(&server, &[]);
        assert_eq!(pushed.run.code, 0, "{what}: {:#?}", pushed.run);
        let pushed = pushed.tried(3).counts("acknowledged", 1);
        assert_eq!(pushed.requests("retried"), 2, "{what}");
        assert_eq!(pushed.requests("failed"), 0, "{what}");
    }
}

#[test]
fn what_another_try_can_t_mend_is_not_tried_again() {
    let body = |body: &[u8]| Answer::Refuse(Reply::body(body));
    let with = |status: &[u8]| {
        let reply = Reply::code(0).trailers(&[("grpc-status", status)]);
        Answer::Refuse(reply)
    };
    let html = Reply::http(200, "text/html", b"<html>");
    let mut unended = Reply::code(0);
    unended.trailers = None;
    for (what, answer, exit) in [
        ("UNKNOWN", status(Code::Unknown, ""), 66),
        ("INTERNAL", status(Code::Internal, ""), 77),
        ("CANCELLED", status(Code::Cancelled, ""), 65),
        ("DATA_LOSS", status(Code::DataLoss, ""), 79),
        ("INVALID_ARGUMENT", status(Code::InvalidArgument, ""), 67),
        ("NOT_FOUND", status(Code::NotFound, ""), 69),
        ("ALREADY_EXISTS", status(Code::AlreadyExists, ""), 70),
        ("PERMISSION_DENIED", status(Code::PermissionDenied, ""), 71),
        (
            "FAILED_PRECONDITION",
            status(Code::FailedPrecondition, ""),
            73,
        ),
        ("OUT_OF_RANGE", status(Code::OutOfRange, ""), 75),
        ("UNIMPLEMENTED", status(Code::Unimplemented, ""), 76),
        ("UNAUTHENTICATED", status(Code::Unauthenticated, ""), 80),
        ("HTTP 401", http(401), 80),
        ("HTTP 403", http(403), 71),
        ("HTTP 404", http(404), 76),
        ("HTTP 400", http(400), 77),
        ("HTTP 500", http(500), 66),
        ("200 with HTML", Answer::Refuse(html), 66),
        ("broken protobuf", body(&framed(b"\xff")), 77),
        ("half a message", body(&framed(b"\x08\x05")[..6]), 77),
        ("no message", body(b""), 66),
        ("no grpc-status", Answer::Refuse(unended), 66),
        ("grpc-status 99", with(b"99"), 66),
        ("grpc-status abc", with(b"abc"), 66),
        ("code 5", code(5), 7),
    ] {
        let pushed = push_one(&FaultServer::answering([answer]), &[]);
        assert_eq!(pushed.run.code, exit, "{what}: {:#?}", pushed.run);
        assert_eq!(pushed.seen.tries.len(), 1, "{what}: {:#?}", pushed.seen);
        let pushed = pushed.tried(1).counts("acknowledged", 0);
        assert_eq!(pushed.requests("retried"), 0, "{what}");
        assert_eq!(pushed.requests("failed"), 1, "{what}");
    }
}

#[test]
fn a_server_that_never_answers_or_never_reads_ends_by_the_timeout() {
    // More than a client may send of itself.
    let large = records(20_000);
    let flags = [RETRY, &["--timeout=300ms", "--batch-records=20000"]].concat();
    for (answer, input) in [
        (Answer::Never, ONE),
        (Answer::NeverRead, &large),
        (Answer::After(Duration::from_secs(60), ok().into()), ONE),
    ] {
        let started = Instant::now();
        let server = FaultServer::answering([answer.clone()]);
        let pushed = push(&server, &flags, input).exits(68);
        assert_eq!(pushed.records("unsent"), pushed.records("read"));
        assert_eq!(pushed.requests("sent"), TRIES as u64, "{answer:?}");
        assert!(started.elapsed() >= Duration::from_millis(300 * TRIES as u64));
        assert!(started.elapsed() < Duration::from_secs(20), "{answer:?}");
    }
    // It is stopped before it says a word.
    let receiver = Receiver::start();
    receiver.signal(Signal::STOP);
    let flags = [&["--output=json", "--connect-timeout=300ms"], RETRY].concat();
    let run = receiver
        .push_input(flags, ONE)
        .exits(5)
        .says("TLS handshake timed out");
    assert_eq!(run.records()["unsent"], 1);
}

#[test]
fn graver_words_in_a_message_are_contained() {
    let message = b"\x80\xff caf\xc3\xa9 %0a%1b[31m %";
    let reply = Reply::status(Code::PermissionDenied, "").field("grpc-message", message);
    let server = FaultServer::answering([Answer::Refuse(reply)]);
    let pushed = push_one(&server, &[]).exits(71).tried(1);
    let safe = |c: char| c == '\n' || !c.is_control();
    assert!(pushed.run.stderr.chars().all(safe), "{:?}", pushed.run);
}

#[test]
fn codes_that_are_not_ok_are_counted_beside_the_others() {
    let server = FaultServer::answering([ok(), code(5), code(-2), ok()]);
    let pushed = push(&server, &[RETRY, SINGLY].concat(), &records(4))
        .exits(3)
        .tried(4)
        .counts("acknowledged", 2)
        .counts("rejected", 2)
        .counts("unsent", 0);
    let codes = serde_json::json!({"-2": 1, "0": 2, "5": 1});
    assert_eq!(pushed.run.json()["codes"], codes);
}

#[test]
fn a_refused_request_is_alone_in_it() {
    let poison = status(Code::InvalidArgument, "no such sensor");
    let server = FaultServer::answering([Answer::IfToken("sensor-00003", poison.into())]);
    let flags = [RETRY, &["--batch-records=2"]].concat();
    push(&server, &flags, &records(7))
        .exits(3)
        .says("INVALID_ARGUMENT")
        .tried(4)
        .counts("acknowledged", 5)
        .counts("rejected", 0)
        .counts("unsent", 2);
}

#[test]
fn isolation_finds_the_records_that_are_refused() {
    let refused = |token| Answer::IfToken(token, status(Code::InvalidArgument, "").into());
    let server = FaultServer::answering([refused("sensor-00005")]);
    let flags = [RETRY, &["--isolate"]].concat();
    let pushed = push(&server, &flags, &records(8))
        .exits(3)
        .counts("acknowledged", 7)
        .counts("rejected", 1)
        .counts("unsent", 0);
    // Halves of halves: not one by one.
    assert!(pushed.seen.tries.len() <= 7, "{:#?}", pushed.seen);
    assert_eq!(pushed.seen.applied().len(), 7, "{:#?}", pushed.seen);
    // The rest of the push is none of its concern.
    let flags = [RETRY, &["--isolate", "--batch-records=4"]].concat();
    let server = FaultServer::answering([refused("sensor-00000")]);
    push(&server, &flags, &records(40))
        .exits(3)
        .counts("acknowledged", 39)
        .counts("rejected", 1);
    let server = FaultServer::answering([status(Code::InvalidArgument, "none of them")]);
    push(&server, &flags, &records(4))
        .exits(67)
        .counts("rejected", 4);
}

#[test]
fn too_large_is_halved_until_it_fits() {
    for (code, words) in [
        (
            Code::ResourceExhausted,
            "grpc: received message larger than max (5 vs. 4)",
        ),
        (
            Code::OutOfRange,
            "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes",
        ),
    ] {
        let refusal = status(code, words);
        let larger =
            |most| FaultServer::answering([Answer::IfLarger(most, refusal.clone().into())]);
        let pushed = push(&larger(60), &["--retry=0"], &records(16))
            .exits(0)
            .counts("acknowledged", 16);
        assert_eq!(pushed.seen.applied().len(), 16, "{:#?}", pushed.seen);
        // One that can't fit is named, and does not stop the others.
        let long = "x".repeat(100);
        let input = [&records(7)[..], long.as_bytes(), b",4070908800\n"].concat();
        let pushed = push(&larger(60), &["--retry=0"], &input)
            .exits(3)
            .says("xxxx… (100 bytes)")
            .counts("acknowledged", 7)
            .counts("rejected", 1)
            .counts("unsent", 0);
        assert!(!pushed.run.stderr.contains(&long), "{:?}", pushed.run);
        push(&larger(4), &["--retry=0"], ONE)
            .exits(64 + i32::from(code))
            .says("abcd… (12 bytes)")
            .tried(1)
            .counts("rejected", 1);
    }
}

#[test]
fn a_server_s_word_on_when_to_come_again_is_kept() {
    let wait = Duration::from_millis(1500);
    for reply in [Reply::pushback("1500"), Reply::retry_info(wait)] {
        let server = FaultServer::answering([Answer::Refuse(reply.clone()), ok()]);
        let pushed = push_one(&server, &[]).exits(0).tried(2);
        assert!(pushed.seen.gap(0) >= wait, "{reply:?}: {:#?}", pushed.seen);
        // Neither the backoff nor its limit is added.
        assert!(
            pushed.seen.gap(0) < 4 * wait,
            "{reply:?}: {:#?}",
            pushed.seen
        );
    }
    let at_once = ["--retry=2", "--retry-delay=60s", "--retry-max-delay=60s"];
    let server = FaultServer::answering([Answer::Refuse(Reply::pushback("0")), ok()]);
    let pushed = push(&server, &at_once, ONE).exits(0).tried(2);
    assert!(pushed.seen.gap(0) < Duration::from_secs(20));
    let server = FaultServer::answering([Answer::Refuse(Reply::pushback("-1")), ok()]);
    push_one(&server, &[])
        .exits(78)
        .tried(1)
        .counts("unsent", 1);
}

#[test]
fn what_is_not_http2_any_more_is_not_tried_again() {
    let garbage = Answer::EndWhenRead {
        how: How::Garbage,
        applied: false,
    };
    push_one(&FaultServer::answering([garbage.clone()]), &[])
        .exits(5)
        .says("what the server sent is not HTTP/2")
        .tried(1)
        .connected(1)
        .counts("unsent", 1);
    let server = FaultServer::answering([ok(), garbage]);
    let flags = [RETRY, SINGLY].concat();
    push(&server, &flags, &records(3))
        .exits(3)
        .connected(1)
        .counts("acknowledged", 1);
}

#[test]
fn a_server_that_hangs_up_behind_its_settings_is_tried_as_often_as_any() {
    for how in [How::Close, How::Cut] {
        let server = FaultServer::start([Connection::EndAfterSettings(how)]);
        let pushed = push_one(&server, &[]).exits(78).connected(TRIES);
        assert_eq!(pushed.requests("failed"), 1, "{how:?}");
    }
}

/// No try but the first, and far too long a wait before another.
const FREE_ONLY: &[&str] = &["--retry=0", "--retry-delay=60s", "--retry-max-delay=60s"];

#[test]
fn what_the_server_did_not_look_at_is_tried_again_for_free() {
    let started = Instant::now();
    let refused = Answer::Reset(h2::Reason::REFUSED_STREAM);
    for (count, exit) in [(1, 0), (10, 0), (11, 78)] {
        let server = FaultServer::answering(times(count, &refused));
        let pushed = push(&server, FREE_ONLY, ONE).exits(exit);
        assert_eq!(
            pushed.seen.tries.len(),
            count.min(10) + 1,
            "{:#?}",
            pushed.seen
        );
    }
    // Beyond the tenth they count.
    let flags = [RETRY, &["--concurrency=1"]].concat();
    let server = FaultServer::answering(times(12, &refused));
    push(&server, &flags, ONE).exits(0);
    let server = FaultServer::answering([refused]);
    let pushed = push(&server, &flags, ONE).exits(78);
    assert_eq!(pushed.seen.tries.len(), 13, "{:#?}", pushed.seen);

    let none = h2::Reason::NO_ERROR;
    let before = Connection::Goaway(none);
    let left_out = Serve(vec![Answer::GoawayBefore(none)]);
    // A GOAWAY is no SETTINGS, which a server has to begin with, but says what is meant.
    let at_once = Connection::Garbage(&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let mut with_debug_data = vec![b'd'; 9 + 16384];
    with_debug_data[..17].copy_from_slice(&[0, 64, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let at_length = Connection::Garbage(with_debug_data.leak());
    for fault in [before, left_out, at_once, at_length] {
        let server = FaultServer::start([fault.clone(), fault, Serve(vec![ok()])]);
        push(&server, FREE_ONLY, ONE).exits(0).connected(3);
    }
    // Between requests.
    let server = FaultServer::answering([Answer::GoawayBehind(ok().into())]);
    let flags = [FREE_ONLY, SINGLY].concat();
    let pushed = push(&server, &flags, &records(5)).exits(0).connected(5);
    assert_eq!(pushed.seen.applied().len(), 5, "{:#?}", pushed.seen);
    assert!(started.elapsed() < Duration::from_secs(50));
}

#[test]
fn a_graceful_goaway_loses_nothing_and_sends_nothing_twice() {
    let later = Answer::After(Duration::from_millis(200), ok().into());
    let leaving = Answer::Graceful(later.clone().into());
    let server = FaultServer::start([Serve(vec![leaving, later]), Serve(vec![ok()])]);
    let flags = [FREE_ONLY, &["--batch-records=1", "--concurrency=4"]].concat();
    let pushed = push(&server, &flags, &records(12)).exits(0).connected(2);
    assert_eq!(pushed.seen.tries.len(), 12, "{:#?}", pushed.seen);
    assert_eq!(pushed.seen.applied().len(), 12, "{:#?}", pushed.seen);
}

#[test]
fn a_failure_for_good_lets_open_requests_end_and_starts_none() {
    let later = Answer::After(Duration::from_millis(700), ok().into());
    let denied = status(Code::PermissionDenied, "");
    let server = FaultServer::answering([later, denied, ok()]);
    let flags = [RETRY, &["--batch-records=1", "--concurrency=2"]].concat();
    push(&server, &flags, &records(8))
        .exits(3)
        .says("PERMISSION_DENIED")
        .tried(2)
        .counts("acknowledged", 1)
        .counts("unsent", 7);
}

#[test]
fn requests_share_the_connection_that_is_made_again() {
    // All four are open when the connection ends.
    let script = vec![Answer::Never, Answer::Never, Answer::Never, cut()];
    let server = FaultServer::start([Serve(script), Serve(vec![ok()])]);
    let flags = [RETRY, &["--batch-records=1", "--concurrency=4"]].concat();
    let pushed = push(&server, &flags, &records(8))
        .exits(0)
        .connected(2)
        .counts("acknowledged", 8);
    assert_eq!(pushed.requests("retried"), 4, "{:#?}", pushed.seen);
    // A lost connection that can't be made again is told by what keeps it.
    let server = FaultServer::start([Serve(vec![ok(), cut()]), Connection::Silent]);
    let flags = [RETRY, SINGLY, &["--connect-timeout=100ms"]].concat();
    push(&server, &flags, &records(3))
        .exits(3)
        .says("timed out after 100ms")
        .connected(1 + TRIES)
        .counts("acknowledged", 1)
        .counts("unsent", 2);
}

#[test]
fn the_whole_run_has_a_limit() {
    let pushback = Answer::Refuse(Reply::pushback("60000"));
    for (script, exit) in [
        (Serve(vec![Answer::Never]), 68),
        (Serve(vec![pushback]), 78),
        (Connection::Silent, 5),
    ] {
        let started = Instant::now();
        let server = FaultServer::start([script]);
        let flags = ["--max-time=500ms", "--timeout=60s", "--connect-timeout=60s"];
        push(&server, &flags, ONE).exits(exit).counts("unsent", 1);
        assert!(started.elapsed() < Duration::from_secs(20));
    }
}

/// A push that gets signals when the server has seen so much of it.
fn signalled(
    server: &FaultServer,
    flags: &[&str],
    input: &[u8],
    when: impl Fn(&Seen) -> bool,
    signals: &[Signal],
) -> Pushed {
    let child = start(server.args(flags), input);
    server.wait_for(when);
    for signal in signals {
        signal_child(&child, *signal);
    }
    let run = child.wait_with_output().expect("it ends").into();
    Pushed::new(server, run)
}

#[test]
fn a_signal_lets_open_requests_end_and_starts_none() {
    let open = 3;
    let flags = &["--batch-records=1", "--concurrency=3"][..];
    for (signal, exit) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let later = Answer::After(Duration::from_secs(1), ok().into());
        let server = FaultServer::answering([later]);
        let all_open = |seen: &Seen| seen.tries.len() == open;
        let pushed = signalled(&server, flags, &records(9), all_open, &[signal])
            .exits(exit)
            .tried(open)
            .counts("acknowledged", open as u64)
            .counts("unsent", 9 - open as u64);
        assert_eq!(pushed.run.json()["status"], "interrupted");
        // Also where nothing is left to send: whoever sent the signal is told that it came.
        let later = Answer::After(Duration::from_secs(1), ok().into());
        let server = FaultServer::answering([later]);
        let one = |seen: &Seen| seen.tries.len() == 1;
        signalled(&server, &[], ONE, one, &[signal])
            .exits(exit)
            .says("all that was still open was answered")
            .counts("acknowledged", 1);
    }
    // What went wrong with it is told too.
    let denied = status(Code::Unauthenticated, "who are you?");
    let later = Answer::After(Duration::from_secs(1), denied.into());
    let server = FaultServer::answering([later]);
    let one = |seen: &Seen| seen.tries.len() == 1;
    signalled(&server, &[], ONE, one, &[Signal::INT])
        .exits(130)
        .says("SIGINT ended the push, 1 record unsent")
        .says("UNAUTHENTICATED")
        .counts("unsent", 1);
}

#[test]
fn a_hangup_that_was_ignored_from_the_start_ends_nothing() {
    let server = FaultServer::answering([Answer::After(Duration::from_secs(1), ok().into())]);
    let child = start_command(&mut command_under_nohup(server.args(&[])), ONE);
    server.wait_for(|seen| seen.tries.len() == 1);
    signal_child(&child, Signal::HUP);
    let run: Run = child.wait_with_output().expect("it ends").into();
    run.exits(0).counts("acknowledged", 1);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let server = FaultServer::answering([Answer::Never]);
    let child = start(server.args(&["--timeout=1h"]), ONE);
    server.wait_for(|seen| seen.tries.len() == 1);
    signal_child(&child, Signal::INT);
    signal_child(&child, Signal::TERM);
    let run: Run = child.wait_with_output().expect("it ends").into();
    assert!([130, 143].contains(&run.code), "{run:?}");
}

#[test]
fn a_signal_ends_the_wait_before_another_try() {
    let server = FaultServer::answering([Answer::Refuse(Reply::pushback("3600000"))]);
    let one = |seen: &Seen| seen.tries.len() == 1;
    signalled(&server, &[], ONE, one, &[Signal::TERM])
        .exits(143)
        .says("UNAVAILABLE")
        .tried(1)
        .counts("unsent", 1);
    // So does one before another connection.
    let fault = Connection::EndBeforeTls {
        bytes: 1,
        how: How::Cut,
    };
    let server = FaultServer::start([fault]);
    let flags = ["--retry=5", "--retry-delay=1h", "--retry-max-delay=1h"];
    let one = |seen: &Seen| seen.connections.len() == 1;
    signalled(&server, &flags, ONE, one, &[Signal::INT])
        .exits(130)
        .tried(0)
        .counts("unsent", 1);
}

#[test]
fn outputs_are_opened_before_anything_is_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().to_str().expect("UTF-8");
    let server = FaultServer::answering([ok()]);
    for flag in ["--rejects", "--metrics-file", "--ledger"] {
        for file in ["/nowhere/file", folder] {
            let pushed = push(&server, &[flag, file], ONE).exits(1).says(file);
            assert!(pushed.seen.tries.is_empty(), "{flag} {file}");
            assert_eq!(pushed.records("acknowledged"), 0, "{flag} {file}");
        }
    }
}
