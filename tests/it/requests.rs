//! The headers of requests, and the calls of `probe`.

use serde_json::json;
use tonic::Code;

use crate::support::{
    fault_server::action::{Response, framed},
    files::TempFile,
    grpc_server::{Behavior, GrpcServer, METHOD},
    program::{push_to, run},
    receiver::Receiver,
    records::ONE_RECORD,
};

#[test]
fn requests_carry_authority_timeout_and_grpc_headers() {
    const DEFAULT_TIMEOUT: &str = "10000000u";
    for (flags, authority, timeout) in [
        (&[][..], None, DEFAULT_TIMEOUT),
        (
            &["--servername=license.test"],
            Some("license.test"),
            DEFAULT_TIMEOUT,
        ),
        (
            &["--authority=other.test:1"],
            Some("other.test:1"),
            DEFAULT_TIMEOUT,
        ),
        (
            &["--servername=license.test", "--authority=other.test"],
            Some("other.test"),
            DEFAULT_TIMEOUT,
        ),
        // The name is not a valid authority, so the program sends the address.
        (&["--servername=License Server"], None, DEFAULT_TIMEOUT),
        (&["--timeout=1500ms"], None, "1500000u"),
    ] {
        let server = GrpcServer::start(Response::code(0));
        server.push(flags).exits(0);
        let request = server.request();
        let found = request.uri.authority().expect("an authority").as_str();
        assert_eq!(found, authority.unwrap_or(&server.address), "{flags:?}");
        assert_eq!(request.uri.path(), METHOD);
        assert_eq!(request.uri.scheme_str(), Some("http"));
        let header = |name: &str| request.headers[name].to_str().expect("text");
        assert_eq!(header("grpc-timeout"), timeout, "{flags:?}");
        assert_eq!(header("te"), "trailers");
        assert_eq!(header("content-type"), "application/grpc");
        assert!(header("user-agent").starts_with("sensor-license/"));
    }
}

#[test]
fn requests_carry_the_given_headers_and_method() {
    let headers_file = TempFile::new("headers", "x-one: 1\n\nX-Two-Bin: AP8=\r\n");
    let bearer_file = TempFile::new("bearer", "s3cret-t0ken\n");
    let from_file = format!("@{}", headers_file.str());
    let server = GrpcServer::start(Response::code(0));
    server
        .push(&[
            "-H",
            "x-tenant: north",
            "--header=x-tenant:south",
            "-H",
            &from_file,
            "--bearer-token-file",
            bearer_file.str(),
            "-A",
            "sync/2.1",
            "--method=/license.v1.Internal/Update",
        ])
        .exits(0);
    let request = server.request();
    let all = |name: &str| -> Vec<_> {
        let values = request.headers.get_all(name).iter();
        values
            .map(|value| value.to_str().expect("text").to_owned())
            .collect()
    };
    assert_eq!(all("x-tenant"), ["north", "south"]);
    assert_eq!(all("x-one"), ["1"]);
    assert_eq!(all("x-two-bin"), ["AP8"]);
    assert_eq!(all("authorization"), ["Bearer s3cret-t0ken"]);
    let user_agent = format!("sync/2.1 sensor-license/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(all("user-agent"), [user_agent]);
    assert_eq!(request.uri.path(), "/license.v1.Internal/Update");
}

#[test]
fn invalid_headers_are_rejected_and_not_shown() {
    let invalid_file = TempFile::new("headers", "x-one: 1\ns3cret\n");
    let empty_file = TempFile::new("bearer", "\n");
    let valid_file = TempFile::new("bearer", "s3cret");
    let from_invalid_file = format!("@{}", invalid_file.str());
    for flags in [
        &["-H", "s3cret"][..],
        &["-H", "x: s3cret\u{7f}"],
        &["-H", "x-bin: s3cret!"],
        &["-H", "grpc-timeout: s3cret"],
        &["-H", ":path: s3cret"],
        &["-H", "te: s3cret"],
        &["-H", "content-type: s3cret"],
        &["-H", &from_invalid_file],
        &["-H", "@/nowhere"],
        &["--bearer-token-file", empty_file.str()],
        &["--bearer-token-file", "/nowhere"],
        &[
            "--bearer-token-file",
            valid_file.str(),
            "-H",
            "authorization: s3cret",
        ],
        &["--method=Update"],
        &["--method=/Internal/Up date"],
        &["--compress=br"],
        &["-A", "\u{1b}"],
    ] {
        let common = ["--plaintext", "--output=json"];
        let run = push_to("127.0.0.1:1", &[&common, flags].concat(), ONE_RECORD);
        assert_eq!(run.code, 2, "{flags:?}: {run:?}");
        run.hides("s3cret");
    }
}

#[test]
fn unsuitable_bearer_files_are_described() {
    let missing_line_break = TempFile::new("bearer", "t0ken");
    for (content, message) in [
        (&b""[..], "bearer token is empty"),
        (b" \r\n", "bearer token is empty"),
        (b"\xef\xbb\xbft0ken\n", "file starts with a byte order mark"),
        (
            b"t0ken\nt0ken\n",
            "expected one line with a bearer token, found 2 lines",
        ),
        (b"t0ken\n\n", "found 2 lines"),
        (b" t0ken\n", "bearer token contains white space"),
        (b"t0ken \n", "bearer token contains white space"),
        (b"t0ken x\n", "bearer token contains white space"),
        (b"t0ken\tx\n", "bearer token contains white space"),
        (b"Bearer t0ken\n", "found \"Bearer\" before it"),
        (b"bearer  t0ken", "found \"Bearer\" before it"),
        ("t\u{f6}ken".as_bytes(), "not printable ASCII"),
        (b"\xff\xfet\0", "not UTF-8 text"),
    ] {
        let file = TempFile::new("bearer", content);
        let flags = ["--plaintext", "--bearer-token-file", file.str()];
        push_to("127.0.0.1:1", &flags, ONE_RECORD)
            .exits(2)
            .stderr_contains(file.str())
            .stderr_contains(message)
            .hides("t0ken");
    }
    let headers = TempFile::new("headers", "\u{feff}x-tenant: north\n");
    let header = format!("--header=@{}", headers.str());
    push_to("127.0.0.1:1", &["--plaintext", &header], ONE_RECORD)
        .exits(2)
        .stderr_contains("file starts with a byte order mark");
    let flags = ["--bearer-token-file", missing_line_break.str()];
    GrpcServer::start(Response::code(0)).push(&flags).exits(0);
}

#[test]
fn files_of_options_are_limited_in_size_and_time() {
    let fifo = TempFile::fifo();
    let cacert = format!("--cacert={}", fifo.str());
    let cert = format!("--cert={}", fifo.str());
    let key = format!("--key={}", fifo.str());
    let bearer = format!("--bearer-token-file={}", fifo.str());
    let header = format!("--header=@{}", fifo.str());
    let proto = format!("--proto={}", fifo.str());
    let protoset = format!("--protoset={}", fifo.str());
    let config = format!("--config={}", fifo.str());
    for (flags, exit) in [
        (&[&*cacert][..], 1),
        (&["-k", &cert], 1),
        (&["-k", &key], 1),
        (&["--plaintext", &bearer], 1),
        (&["--plaintext", &header], 1),
        (&["--plaintext", &proto], 1),
        (&["--plaintext", &protoset], 1),
        (&["--plaintext", &config], 1),
    ] {
        let flags = [flags, &["--max-time=300ms"]].concat();
        let run = push_to("127.0.0.1:1", &flags, ONE_RECORD).exits(exit);
        assert!(run.stderr.contains(fifo.str()), "{flags:?}: {run:?}");
    }
    for option in [
        "--cacert=",
        "--cert=",
        "--key=",
        "--bearer-token-file=",
        "--header=@",
        "--proto=",
        "--protoset=",
        "--config=",
    ] {
        let option = format!("{option}/dev/zero");
        push_to("127.0.0.1:1", &[&option], ONE_RECORD)
            .exits(2)
            .stderr_contains("/dev/zero");
    }
}

#[test]
fn compress_compresses_messages() {
    let receiver = Receiver::with(["--plaintext"]);
    receiver
        .push_input(["--compress=gzip"], ONE_RECORD)
        .exits(0);
    assert_eq!(receiver.stop().rows, b"abcdefghijkl,4070908800\n");
    let server = GrpcServer::start(Response::code(0));
    server.push(&["--compress=gzip"]).exits(0);
    assert_eq!(server.request().headers["grpc-encoding"], "gzip");
}

/// Probes a server without TLS.
fn probe(server: &GrpcServer, flags: &[&str]) -> crate::support::program::Run {
    let args = ["probe", "--plaintext", "--output=json", "-s"];
    run([&args[..], &[&server.address], flags].concat())
}

#[test]
fn probe_sends_no_message() {
    let denied = Response::status(Code::Unauthenticated, "unknown: S3cret-t0ken");
    let server = GrpcServer::start(denied);
    let header = ["-H", "authorization: Bearer s3cret-t0ken"];
    // The server answers only after the whole request. `probe` never ends its request, so this
    // server cannot refuse the request.
    let report = probe(&server, &header).exits(0).json();
    assert_eq!(report["verdict"], "push would work");
}

#[test]
fn probe_reports_a_code_that_does_not_wait_for_a_message() {
    for (message, exit) in [(&b"\x08\x05"[..], 7), (b"", 0)] {
        let server = GrpcServer::with(Behavior {
            reads_request: false,
            ..Behavior::reading(Response::body(&framed(message)))
        });
        let report = probe(&server, &[]).exits(exit).json();
        assert_eq!(report["flags"], json!([]));
    }
}
