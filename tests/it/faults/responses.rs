//! Response messages and endings: some acknowledge the records, some cause a retry, and some are
//! final.

use super::{FAST_RETRIES, MAX_ATTEMPTS, ONE_BY_ONE, push, push_one_record};

use crate::support::{
    fault_server::{
        Connection, FaultServer,
        action::{Action, Ending, Response, code, framed, ok, times},
    },
    records::records,
};

pub(super) use Verdict::{Accept, Fail, Retry};

/// The result of a request if the server answers every attempt in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The record is acknowledged.
    Accept,
    /// The request fails at its first attempt.
    Fail,
    /// The request fails after [`MAX_ATTEMPTS`] attempts.
    Retry,
}

pub(super) struct Case {
    name: &'static str,
    action: Action,
    verdict: Verdict,
    exit: i32,
    /// The texts that standard error must contain.
    texts: &'static [&'static str],
}

pub(super) fn case(
    name: &'static str,
    action: Action,
    verdict: Verdict,
    exit: i32,
    texts: &'static [&'static str],
) -> Case {
    Case {
        name,
        action,
        verdict,
        exit,
        texts,
    }
}

/// Returns a case in which the server sends the response and does not apply the request.
pub(super) fn response(
    name: &'static str,
    response: Response,
    verdict: Verdict,
    exit: i32,
    texts: &'static [&'static str],
) -> Case {
    case(name, Action::Reject(response), verdict, exit, texts)
}

impl Case {
    fn check(&self) {
        let name = self.name;
        let push = push_one_record(&FaultServer::serving([self.action.clone()]), &[]);
        assert_eq!(push.code, self.exit, "{name}: {push}");
        for text in self.texts {
            assert!(push.stderr.contains(text), "{name}: no {text:?} in {push}");
        }
        let (attempts, acknowledged) = match self.verdict {
            Accept => (1, 1),
            Fail => (1, 0),
            Retry => (MAX_ATTEMPTS, 0),
        };
        let found = push.traffic.attempts.len();
        assert_eq!(found, attempts, "{name}: {push}");
        let failed = 1 - acknowledged;
        let push = push
            .attempts(attempts)
            .counts("acknowledged", acknowledged)
            .counts_requests("retried", attempts as u64 - 1)
            .counts_requests("failed", failed);
        if self.verdict == Retry {
            push.counts("unsent", 1);
            self.check_recovery();
        }
    }

    /// Asserts that the request succeeds if only its first two attempts fail.
    fn check_recovery(&self) {
        let name = self.name;
        let ends_connection = matches!(
            self.action,
            Action::EndAtHeaders(_)
                | Action::EndAfterRequest { .. }
                | Action::EndInsideFrame
                | Action::GoawayBefore(_)
                | Action::GoawayInstead(_)
        );
        let server = if ends_connection {
            let fault = Connection::Serve(vec![self.action.clone()]);
            FaultServer::start([fault.clone(), fault, Connection::Serve(vec![ok()])])
        } else {
            FaultServer::serving(times(2, &self.action))
        };
        let push = push_one_record(&server, &[]);
        assert_eq!(push.code, 0, "recovery of {name}: {push}");
        push.attempts(3)
            .counts("acknowledged", 1)
            .counts_requests("retried", 2)
            .counts_requests("failed", 0);
    }
}

pub(super) fn check_all(cases: impl IntoIterator<Item = Case>) {
    for case in cases {
        case.check();
    }
}

#[test]
fn accepts_only_code_0() {
    let explicit_code_0 = Action::Apply(Response::body(&framed(b"\x08\x00")));
    check_all([
        case("empty message", ok(), Accept, 0, &[]),
        case("code 0 in the message", explicit_code_0, Accept, 0, &[]),
        case("code 5", code(5), Fail, 7, &["code 5"]),
    ]);
}

#[test]
fn fails_on_invalid_messages() {
    let code_5 = framed(b"\x08\x05");
    check_all([
        response(
            "no message",
            Response::body(b""),
            Fail,
            66,
            &["OK without a response message"],
        ),
        response(
            "invalid protobuf",
            Response::body(&framed(b"\xff")),
            Fail,
            77,
            &["malformed response"],
        ),
        response(
            "truncated length",
            Response::body(&code_5[..3]),
            Fail,
            77,
            &["truncated message"],
        ),
        response(
            "truncated message",
            Response::body(&code_5[..6]),
            Fail,
            77,
            &["truncated message"],
        ),
        response(
            "message and half a length",
            Response::body(&[&framed(b"")[..], &[0, 0]].concat()),
            Fail,
            77,
            &["more than one message"],
        ),
        response(
            "two messages",
            Response::body(&[framed(b""), framed(b"")].concat()),
            Fail,
            77,
            &["more than one message"],
        ),
        response(
            "compressed without an encoding",
            Response::body(b"\x01\0\0\0\0"),
            Fail,
            77,
            &["unrequested compression"],
        ),
        response(
            "unknown compression flag",
            Response::body(b"\x07\0\0\0\0"),
            Fail,
            77,
            &["unknown compression flag"],
        ),
        response(
            "length of 2 GiB",
            Response::body(b"\x00\x7f\xff\xff\xffab"),
            Fail,
            77,
            &["larger than 16 MiB"],
        ),
    ]);
}

#[test]
fn only_undecodable_messages_get_the_hint_to_pass_a_contract() {
    for (body, has_hint) in [
        (framed(b"\xff"), true),
        (framed(b"")[..3].to_vec(), false),
        ([framed(b""), framed(b"")].concat(), false),
        (b"\x01\0\0\0\0".to_vec(), false),
    ] {
        let server = FaultServer::serving([Action::Reject(Response::body(&body))]);
        let push = push_one_record(&server, &[]).exits(77);
        assert_eq!(push.stderr.contains("hint: pass "), has_hint, "{push}");
    }
}

#[test]
fn fails_without_exactly_one_grpc_status() {
    let trailers = |fields: &[(&str, &[u8])]| Response::body(&framed(b"")).with_trailers(fields);
    check_all([
        response(
            "no trailers",
            Response::code(0).without_trailers(),
            Fail,
            66,
            &["response without grpc-status"],
        ),
        response(
            "grpc-status 99",
            trailers(&[("grpc-status", b"99")]),
            Fail,
            66,
            &["99"],
        ),
        response(
            "grpc-status abc",
            trailers(&[("grpc-status", b"abc")]),
            Fail,
            66,
            &["invalid grpc-status \"abc\""],
        ),
        response(
            "two grpc-status trailers",
            trailers(&[("grpc-status", b"0"), ("grpc-status", b"13")]),
            Fail,
            66,
            &["several different grpc-status values"],
        ),
    ]);
}

#[test]
fn fails_without_grpc_headers() {
    check_all([
        response(
            "HTML with status 200",
            Response::http(200, "text/html", b"<html>"),
            Fail,
            66,
            &[],
        ),
        response(
            "HTML with grpc-status 0",
            Response::body(b"<html>").with_content_type("text/html"),
            Fail,
            66,
            &["content type \"text/html\""],
        ),
        response(
            "no content-type",
            Response::body(&framed(b"")).without_content_type(),
            Fail,
            66,
            &["content type \"none\""],
        ),
        response(
            "headers with grpc-status 0",
            Response::headers_only().with_header("grpc-status", "0"),
            Fail,
            66,
            &["OK without a response message"],
        ),
        response(
            "headers without a grpc-status",
            Response::headers_only(),
            Fail,
            66,
            &["response without grpc-status"],
        ),
        response(
            "code 0 with HTTP status 503",
            Response::body(&framed(b"")).with_status(503),
            Retry,
            78,
            &["HTTP status 503"],
        ),
    ]);
}

#[test]
fn retries_after_the_connection_ended() {
    let ended = |ending, is_applied| Action::EndAfterRequest { ending, is_applied };
    check_all([
        case(
            "close_notify at headers",
            Action::EndAtHeaders(Ending::CloseNotify),
            Retry,
            78,
            &[],
        ),
        case(
            "FIN at headers",
            Action::EndAtHeaders(Ending::Fin),
            Retry,
            78,
            &[],
        ),
        case(
            "RST at headers",
            Action::EndAtHeaders(Ending::Rst),
            Retry,
            78,
            &[],
        ),
        case(
            "close_notify, not applied",
            ended(Ending::CloseNotify, false),
            Retry,
            78,
            &[],
        ),
        case(
            "close_notify, applied",
            ended(Ending::CloseNotify, true),
            Retry,
            78,
            &[],
        ),
        case("FIN, applied", ended(Ending::Fin, true), Retry, 78, &[]),
        case("RST, applied", ended(Ending::Rst, true), Retry, 78, &[]),
        case("end inside a frame", Action::EndInsideFrame, Retry, 78, &[]),
    ]);
}

#[test]
fn retries_after_a_stream_was_reset_or_goaway() {
    let reset = Action::ResetStream;
    check_all([
        case(
            "RST_STREAM INTERNAL_ERROR",
            reset(h2::Reason::INTERNAL_ERROR),
            Retry,
            77,
            &[],
        ),
        case(
            "RST_STREAM CANCEL",
            reset(h2::Reason::CANCEL),
            Retry,
            65,
            &[],
        ),
        case(
            "RST_STREAM ENHANCE_YOUR_CALM",
            reset(h2::Reason::ENHANCE_YOUR_CALM),
            Retry,
            72,
            &[],
        ),
        case(
            "RST_STREAM PROTOCOL_ERROR",
            reset(h2::Reason::PROTOCOL_ERROR),
            Retry,
            77,
            &[],
        ),
        case(
            "RST_STREAM NO_ERROR",
            reset(h2::Reason::NO_ERROR),
            Retry,
            77,
            &["server reset the stream (no error given)"],
        ),
        case(
            "RST_STREAM NO_ERROR inside a message",
            Action::ResetInsideMessage(h2::Reason::NO_ERROR),
            Retry,
            77,
            &[],
        ),
        case(
            "RST_STREAM CANCEL inside a message",
            Action::ResetInsideMessage(h2::Reason::CANCEL),
            Retry,
            65,
            &[],
        ),
        case(
            "GOAWAY PROTOCOL_ERROR instead of the response",
            Action::GoawayInstead(h2::Reason::PROTOCOL_ERROR),
            Retry,
            78,
            &["GOAWAY: ", "outcome unknown for 1 record"],
        ),
        case(
            "GOAWAY ENHANCE_YOUR_CALM instead of the response",
            Action::GoawayInstead(h2::Reason::ENHANCE_YOUR_CALM),
            Retry,
            78,
            &["GOAWAY: ", "outcome unknown for 1 record"],
        ),
        case(
            "GOAWAY ENHANCE_YOUR_CALM",
            Action::GoawayBefore(h2::Reason::ENHANCE_YOUR_CALM),
            Retry,
            78,
            &[],
        ),
    ]);
}

#[test]
fn does_not_retry_invalid_http2() {
    let garbage = Action::EndAfterRequest {
        ending: Ending::Garbage,
        is_applied: false,
    };
    push_one_record(&FaultServer::serving([garbage.clone()]), &[])
        .exits(5)
        .stderr_contains("server violated the protocol: invalid TLS message")
        .attempts(1)
        .connections(1)
        .counts("unsent", 1);
    let server = FaultServer::serving([ok(), garbage]);
    let flags = [FAST_RETRIES, ONE_BY_ONE].concat();
    push(&server, &flags, &records(3))
        .exits(3)
        .connections(1)
        .counts("acknowledged", 1);
}

#[test]
fn counts_codes() {
    let server = FaultServer::serving([ok(), code(5), code(-2), ok()]);
    let push = push(&server, &[FAST_RETRIES, ONE_BY_ONE].concat(), &records(4))
        .exits(3)
        .attempts(4)
        .counts("acknowledged", 2)
        .counts("rejected", 2)
        .counts("unsent", 0);
    let codes = serde_json::json!({"-2": 1, "0": 2, "5": 1});
    assert_eq!(push.json()["codes"], codes);
}
