//! Tokens, header values, control characters and long messages in text that a server sends.

use tonic::Code;

use super::push_one_record;

use crate::support::{
    fault_server::{
        FaultServer,
        action::{Action, Response},
    },
    grpc_server::GrpcServer,
    receiver::Receiver,
    records::{ONE_RECORD, ONE_TOKEN},
};

/// Starts a server that answers with this status and message.
fn server(code: Code, message: &str) -> GrpcServer {
    GrpcServer::start(Response::status(code, message))
}

#[test]
fn masks_tokens_in_messages() {
    for message in [
        "bad token abcdefghijkl",
        "bad token ABCDEFGHIJKL",
        "YWJjZGVmZ2hpamts is no sensor",
        "6162636465666768696a6b6c",
    ] {
        let run = server(Code::InvalidArgument, message)
            .push(&[])
            .exits(67)
            .hides(ONE_TOKEN);
        let output = run.output().to_lowercase();
        assert!(output.contains("abcd… (12 bytes)"), "{output}");
    }
    // The message is longer than the program shows. If the program shortened the message inside the
    // token before it masks tokens, the rest of the token would not be recognized.
    let message = format!("{}{ONE_TOKEN}", "x ".repeat(245));
    server(Code::InvalidArgument, &message)
        .push(&[])
        .exits(67)
        .hides("abcdefgh");
    // The program also masks server text other than the message: a content type and an invalid
    // status.
    let content_type = Response::body(b"x").with_content_type("text/abcdefghijkl");
    let grpc_status = Response::headers_only().with_header("grpc-status", ONE_TOKEN);
    for response in [content_type, grpc_status.with_header("grpc-message", "")] {
        GrpcServer::start(response)
            .push(&[])
            .exits(66)
            .hides(ONE_TOKEN);
    }
}

#[test]
fn masks_header_values_in_messages() {
    for (header, secret) in [
        (
            "authorization: Basic dXNlcjpwYXNzd29yZA==",
            "dXNlcjpwYXNzd29yZA",
        ),
        ("authorization: Basic dXNlcjpwYXNzd29yZA==", "password"),
        ("authorization: bearer opensesame", "opensesame"),
        ("x-key-bin: c2VzYW1lLXJhdw==", "sesame-raw"),
    ] {
        server(Code::Unauthenticated, &format!("who is {secret}?"))
            .push(&["-H", header])
            .exits(80)
            .hides(secret);
    }
    server(Code::Unauthenticated, "unknown: S3cret-t0ken")
        .push(&["-H", "authorization: Bearer s3cret-t0ken"])
        .exits(80)
        .stderr_contains("unknown: (hidden)")
        .hides("s3cret");
}

#[test]
fn escapes_control_characters_in_messages() {
    let run = server(Code::PermissionDenied, "%1b[31mred%0a%e2%80%aeworse")
        .push(&[])
        .exits(71)
        .stderr_contains("\\u{1b}[31mred\\n\\u{202e}worse");
    assert!(!run.stderr.contains('\u{1b}'));
    let message = b"\x80\xff caf\xc3\xa9 %0a%1b[31m %";
    let response =
        Response::status(Code::PermissionDenied, "").with_header("grpc-message", message);
    let server = FaultServer::serving([Action::Reject(response)]);
    let push = push_one_record(&server, &[])
        .exits(71)
        .attempts(1)
        .stderr_contains("\u{fffd}\u{fffd} café \\n\\u{1b}[31m %");
    let is_safe = |c: char| c == '\n' || !c.is_control();
    assert!(push.stderr.chars().all(is_safe), "{push}");
}

#[test]
fn no_output_shows_a_whole_token() {
    let receiver = Receiver::with(["--fail-first=1", "--code=5"]);
    for (flag, input) in [
        ("-", ONE_RECORD),
        ("-", ONE_RECORD),
        ("-", b"token,expire_time\nx,abcdefghijklmnop\n"),
        (
            "-",
            b"token,expire_time\nabcdefghijkl,1000000001\nabcdefghijkl,1000000002\n",
        ),
        ("-", b"abcdefghijkl,1000000001\n"),
        ("-", b"{\"abcdefghijklmnop\":1580962440}"),
        ("--token-encoding=hex", ONE_RECORD),
        (
            "-",
            b"[{\"token\":\"abcdefghijkl\",\"token\":\"x\",\"expire_time\":1000000001}]",
        ),
    ] {
        receiver.push_input([flag], input).hides(ONE_TOKEN);
    }
}

#[test]
fn shortens_long_messages() {
    let invalid_argument = Response::status(Code::InvalidArgument, &"so it is. ".repeat(10_000));
    let run = GrpcServer::start(invalid_argument)
        .push(&[])
        .exits(67)
        .stderr_contains("INVALID_ARGUMENT");
    assert!(run.stderr.len() < 1000, "{run:?}");
    let denied = Response::status(Code::PermissionDenied, &"long ".repeat(2000));
    let run = GrpcServer::start(denied).push(&[]).exits(71);
    assert!(run.stderr.len() < 1000, "{run:?}");
}
