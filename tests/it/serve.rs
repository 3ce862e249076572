//! The reference receiver: its options, its store, reflection and health checks.

use std::{
    fs,
    process::{Child, Stdio},
    time::Duration,
};

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use rustix::process::Signal;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::support::{
    async_server::block_on,
    certificates::{CertificateFolder, as_ca, expired, not_yet_valid, params},
    files::{TempFile, mode, set_mode, utf8},
    program::{command, finish, push_to, run, run_with_input, send_signal},
    receiver::{Receiver, read_listening_url},
    records::ONE_RECORD,
};

async fn connect(receiver: &Receiver) -> Channel {
    Endpoint::from_shared(receiver.url.clone())
        .expect("a URL")
        .connect()
        .await
        .expect("connected")
}

/// A codec for messages that are already encoded.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}

async fn reflect(channel: Channel, question: MessageRequest) -> MessageResponse {
    let question = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(question),
    };
    let mut answers = ServerReflectionClient::new(channel)
        .server_reflection_info(tokio_stream::once(question))
        .await
        .expect("answered")
        .into_inner();
    let answer = answers.message().await.expect("read").expect("an answer");
    answer.message_response.expect("a response")
}

#[test]
fn reflection_describes_the_service() {
    let receiver = Receiver::with(["--plaintext", "--code=3"]);
    block_on(async {
        let channel = connect(&receiver).await;
        let list = MessageRequest::ListServices(String::new());
        let MessageResponse::ListServicesResponse(list) = reflect(channel.clone(), list).await
        else {
            panic!("no list");
        };
        let names: Vec<_> = list.service.iter().map(|one| one.name.as_str()).collect();
        assert!(names.contains(&"Internal"), "{names:?}");

        let symbol = MessageRequest::FileContainingSymbol("Internal".to_owned());
        let MessageResponse::FileDescriptorResponse(files) = reflect(channel.clone(), symbol).await
        else {
            panic!("no file");
        };
        let file = prost_types::FileDescriptorProto::decode(&*files.file_descriptor_proto[0]);
        let mut pool = DescriptorPool::new();
        pool.add_file_descriptor_proto(file.expect("a file"))
            .expect("a pool");
        let service = pool.get_service_by_name("Internal").expect("the service");
        let method = service.methods().next().expect("the method");

        let json = r#"{"sensorExpire": [{"deviceToken": "YWJj", "expireTime": 7}]}"#;
        let mut json = serde_json::Deserializer::from_str(json);
        let request = DynamicMessage::deserialize(method.input(), &mut json).expect("a request");
        let call = format!("/{}/{}", service.full_name(), method.name());
        let mut grpc = Grpc::new(channel);
        grpc.ready().await.expect("ready");
        let response = grpc
            .unary(
                Request::new(Bytes::from(request.encode_to_vec())),
                call.parse().expect("a path"),
                Raw,
            )
            .await
            .expect("a response")
            .into_inner();
        let response = DynamicMessage::decode(method.output(), response).expect("the message");
        let code = response.get_field_by_name("code").expect("the code");
        assert_eq!(code.as_i32(), Some(3));
    });
    assert_eq!(receiver.stop().rows, b"abc,7\n");
}

#[test]
fn health_checks_are_answered() {
    let receiver = Receiver::with(["--plaintext"]);
    block_on(async {
        let channel = connect(&receiver).await;
        for service in ["", "Internal"] {
            let question = HealthCheckRequest {
                service: service.to_owned(),
            };
            let answer = HealthClient::new(channel.clone()).check(question).await;
            assert_eq!(
                answer.expect("an answer").into_inner().status,
                1,
                "{service}"
            );
        }
    });
}

#[test]
fn watched_health_stays_open() {
    let receiver = Receiver::with(["--plaintext"]);
    block_on(async {
        let channel = connect(&receiver).await;
        // 1 means SERVING, and 3 SERVICE_UNKNOWN.
        for (service, status) in [("", 1), ("Internal", 1), ("internal", 3), ("a.B", 3)] {
            let question = HealthCheckRequest {
                service: service.to_owned(),
            };
            let mut client = HealthClient::new(channel.clone());
            let answer = client.watch(question.clone()).await.expect("a stream");
            let mut answers = answer.into_inner();
            let first = answers.message().await.expect("an answer");
            assert_eq!(first.expect("a status").status, status, "{service}");
            let next = tokio::time::timeout(Duration::from_millis(100), answers.message());
            next.await.expect_err("the stream stays open");
            let checked = client.check(question).await;
            assert_eq!(checked.is_ok(), status == 1, "{service}");
        }
    });
    // Open streams do not delay the end of the receiver.
    receiver.stop();
}

#[test]
fn requests_without_exactly_one_message_are_refused() {
    let receiver = Receiver::with(["--plaintext"]);
    block_on(async {
        let channel = connect(&receiver).await;
        for (count, code) in [
            (0, Code::Unimplemented),
            (1, Code::Ok),
            (2, Code::Unimplemented),
        ] {
            let mut grpc = Grpc::new(channel.clone());
            grpc.ready().await.expect("ready");
            let messages = tokio_stream::iter(vec![Bytes::new(); count]);
            let path = PathAndQuery::from_static("/Internal/UpdateSensorExpireTime");
            let response = grpc
                .client_streaming(Request::new(messages), path, Raw)
                .await;
            let found = response.err().map_or(Code::Ok, |status| status.code());
            assert_eq!(found, code, "{count}");
        }
    });
    receiver.stop();
}

const INPUT: &[u8] = b"token,expire_time\nb,4070908800\na,4070908801\n";

#[test]
fn store_survives_sigkill() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("store.sqlite");
    let store = utf8(&store);
    let receiver = Receiver::with(["--store", store]);
    receiver.push_input(["-"], INPUT).exits(0);
    receiver.signal(Signal::KILL);
    drop(receiver);
    assert_eq!(mode(store.as_ref()), 0o600);

    let receiver = Receiver::with(["--store", store]);
    receiver
        .push_input(["-"], b"token,expire_time\na,4070908899\n")
        .exits(0);
    let totals = receiver.stop();
    assert_eq!((totals.requests, totals.records, totals.tokens), (1, 1, 2));
    assert_eq!(totals.rows, b"a,4070908899\nb,4070908800\n");
}

#[test]
fn dump_is_replaced_at_the_end_and_private() {
    let dump = TempFile::new("dump.csv", "old");
    set_mode(&dump.path, 0o644);
    let receiver = Receiver::with(["--dump", dump.str()]);
    run(["serve", "--listen", &receiver.address, "--dump", dump.str()]).exits(1);
    assert_eq!(fs::read(&dump).expect("read"), b"old");
    receiver.push_input(["-"], INPUT).exits(0);
    receiver.stop();
    assert_eq!(dump.mode(), 0o600);
    assert!(fs::read(&dump).expect("read").starts_with(b"device_token"));
    run(["serve", "--store", dump.str(), "--dump", dump.str()]).exits(2);
}

#[test]
fn other_files_are_rejected_as_stores() {
    let file = TempFile::new("store", INPUT);
    run(["serve", "--listen=127.0.0.1:0", "--store", file.str()])
        .exits(1)
        .stderr_contains("the file is not a store")
        .stderr_contains(file.str());
    assert_eq!(fs::read(&file).expect("read"), INPUT);
}

#[test]
fn outputs_are_opened_before_listening() {
    for flag in ["--dump", "--store", "--write-cacert"] {
        let run = run(["serve", "--listen=127.0.0.1:0", flag, "/nowhere/file"])
            .exits(1)
            .stderr_contains("/nowhere/file");
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn dump_is_written_to_a_file_or_standard_output() {
    let folder = tempfile::tempdir().expect("a folder");
    let dump = folder.path().join("dump.csv");
    let receiver = Receiver::with(["--dump", utf8(&dump), "--token-encoding=hex"]);
    receiver.push_input(["-"], INPUT).exits(0);
    receiver.stop();
    assert_eq!(
        fs::read(&dump).expect("a dump"),
        b"device_token,expire_time\n61,4070908801\n62,4070908800\n"
    );
    assert_eq!(mode(&dump), 0o600);

    let (mut child, address) = serve(&["--plaintext", "--dump=-"]);
    let mut args = vec!["push", "--plaintext", "--server", &address];
    args.extend(["--quiet", "-"]);
    run_with_input(args, INPUT).exits(0);
    send_signal(&child.0, Signal::INT);
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut child.1, &mut rest).expect("read");
    assert_eq!(
        rest,
        "device_token,expire_time\na,4070908801\nb,4070908800\nrequests: 1, records: 2, tokens: 2\n"
    );
    assert!(child.0.wait().expect("it ends").success());
}

#[test]
fn quiet_receiver_prints_only_its_address() {
    let (mut child, _) = serve(&["--plaintext", "--quiet"]);
    send_signal(&child.0, Signal::INT);
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut child.1, &mut rest).expect("read");
    assert_eq!(rest, "");
    assert!(child.0.wait().expect("it ends").success());
}

#[test]
fn warns_of_its_own_certificate() {
    let files = CertificateFolder::new();
    let named = || params(None, &["localhost"]);
    for (identity, warning) in [
        (
            files.self_signed(&expired(named())),
            " expired on 2020-05-17 (valid from 2001-01-01)",
        ),
        (
            files.self_signed(&not_yet_valid(named())),
            " is not valid until 2090-05-17 (valid to 2098-01-01)",
        ),
        (files.self_signed(&named()), ""),
    ] {
        let expected = match warning {
            "" => String::new(),
            text => format!("warning: certificate in {}{text}\n", identity.cert),
        };
        for (flags, expected) in [(&[][..], &*expected), (&["--quiet"], "")] {
            let identity = ["--cert", &identity.cert, "--key", &identity.key];
            let mut child = command(["serve", "--listen=127.0.0.1:0"])
                .args([&identity, flags].concat())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the binary runs");
            let stdout = child.stdout.as_mut().expect("a pipe");
            read_listening_url(&mut std::io::BufReader::new(stdout));
            send_signal(&child, Signal::TERM);
            let run = finish(child).exits(0);
            assert_eq!(run.stderr, expected, "{flags:?}");
        }
    }
}

#[test]
fn verbose_receiver_says_why_a_handshake_failed() {
    let receiver = Receiver::with(["-v"]);
    push_to(&receiver.address, &["--retry=0"], INPUT).exits(6);
    receiver.wait_for_note("note: TLS handshake with client 127.0.0.1:");
    receiver.wait_for_note(" failed: client refused the handshake: TLS alert ");
    push_to(&receiver.address, &["--plaintext", "--retry=0"], INPUT).exits(6);
    receiver.wait_for_note(" failed: client does not speak TLS: ");
    drop(std::net::TcpStream::connect(&receiver.address).expect("connected"));
    receiver.wait_for_note(" failed: client closed the connection\n");
    receiver.push_input(["-"], INPUT).exits(0);
}

type Serving = (Child, std::io::BufReader<std::process::ChildStdout>);

/// Starts a receiver with text output. Returns the process, and the address that the receiver
/// printed.
fn serve(flags: &[&str]) -> (Serving, String) {
    let mut child = command([&["serve", "--listen=127.0.0.1:0"], flags].concat())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut stdout = std::io::BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut stdout, &mut line).expect("a line");
    let address = line
        .trim_end()
        .strip_prefix("listening on http://")
        .expect("its address")
        .to_owned();
    ((child, stdout), address)
}

#[test]
fn listens_on_unix_socket() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = format!("unix:{}", utf8(&folder.path().join("socket")));
    for _ in 0..2 {
        let receiver = Receiver::with(["--listen", &socket]);
        assert_eq!(receiver.url, socket);
        receiver.push_input(["-"], INPUT).exits(0);
        // A killed receiver leaves its socket behind, and the next receiver replaces the socket.
        receiver.signal(Signal::KILL);
    }
    let receiver = Receiver::with(["--listen", &socket]);
    run(["serve", "--listen", &socket])
        .exits(1)
        .stderr_contains("cannot listen on");
    receiver.stop();
    assert!(!folder.path().join("socket").exists());
}

#[test]
fn used_address_is_an_error() {
    let receiver = Receiver::start();
    run(["serve", "--listen", &receiver.address])
        .exits(1)
        .stderr_contains(&receiver.address)
        .stderr_contains("in use");
    run(["serve", "--listen=nowhere"])
        .exits(2)
        .stderr_contains("127.0.0.1:9102");
}

#[test]
fn generated_certificate_is_for_localhost() {
    let receiver = Receiver::start();
    let port = receiver.address.rsplit_once(':').expect("a port").1;
    let cacert = receiver.cacert();
    for host in ["localhost", "127.0.0.1"] {
        let server = format!("{host}:{port}");
        let args = ["push", "--server", &server, "--cacert", &cacert];
        run_with_input(args, INPUT).exits(0);
    }
    for name in ["::1", "localhost"] {
        receiver.push_input(["--servername", name], INPUT).exits(0);
    }
}

#[test]
fn write_cacert_writes_the_presented_certificate() {
    let files = CertificateFolder::new();
    let identity = files.self_signed(&as_ca(params(Some("127.0.0.1"), &[])));
    let trust = files.path("pem");
    let receiver = Receiver::with([
        "--cert",
        &identity.cert,
        "--key",
        &identity.key,
        "--write-cacert",
        &trust,
    ]);
    push_to(&receiver.address, &["--cacert", &trust], INPUT).exits(0);
}

#[test]
fn stalled_handshakes_do_not_block_others() {
    let receiver = Receiver::start();
    let _silent: Vec<_> = (0..100)
        .map(|_| std::net::TcpStream::connect(&receiver.address).expect("connected"))
        .collect();
    receiver.push_input(["-"], INPUT).exits(0);
    assert_eq!(receiver.stop().records, 2);
}

#[test]
fn idle_client_does_not_block_shutdown() {
    let receiver = Receiver::with(["--plaintext"]);
    let _silent = std::net::TcpStream::connect(&receiver.address).expect("connected");
    receiver.push_input(["-"], INPUT).exits(0);
    assert_eq!(receiver.stop().records, 2);
}

#[test]
fn open_requests_finish_before_shutdown() {
    let receiver = Receiver::with(["--plaintext", "--delay=2s"]);
    let received = block_on(async {
        let channel = connect(&receiver).await;
        let mut grpc = Grpc::new(channel.clone());
        grpc.ready().await.expect("ready");
        // The request has one record: token "a", expiration time 7.
        let request = Request::new(Bytes::from_static(b"\x0a\x05\x0a\x01a\x10\x07"));
        let path = "/Internal/UpdateSensorExpireTime".parse().expect("a path");
        let call = tokio::spawn(async move { grpc.unary(request, path, Raw).await });
        // The health check follows the call on the same connection. When the health check is
        // answered, the receiver has received the call.
        tokio::task::yield_now().await;
        let question = HealthCheckRequest {
            service: String::new(),
        };
        let health = HealthClient::new(channel).check(question).await;
        health.expect("an answer");
        let stopped = tokio::task::spawn_blocking(move || receiver.stop());
        call.await.expect("ended").expect("answered");
        stopped.await.expect("stopped")
    });
    assert_eq!(received.rows, b"a,7\n");
}

#[test]
fn listen_failures_have_hints_that_help() {
    let folder = tempfile::tempdir().expect("a folder");
    let existing = folder.path().join("existing");
    fs::write(&existing, "").expect("written");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("an address").to_string();
    let unix = |name: &str| format!("unix:{}", folder.path().join(name).display());
    for (address, reason, hint) in [
        (
            taken,
            "Address already in use",
            Some("--listen 127.0.0.1:0"),
        ),
        (
            "192.0.2.1:0".to_owned(),
            "",
            Some("an address of this machine"),
        ),
        (unix("no/socket"), "No such file or directory", None),
        (
            unix("existing"),
            "Address already in use",
            Some("no file exists"),
        ),
    ] {
        let run = run(["serve", "--listen", &address])
            .exits(1)
            .stderr_contains(&format!("error: cannot listen on {address}: {reason}"));
        assert_eq!(
            run.stderr.lines().count(),
            1 + usize::from(hint.is_some()),
            "{run:?}"
        );
        assert!(run.stderr.contains(hint.unwrap_or_default()), "{run:?}");
        assert!(!run.stderr.contains("os error"), "{run:?}");
    }
    for (address, reason) in [
        (unix(&"x".repeat(120)), "path of the socket is longer than"),
        ("unix:".to_owned(), "path of the socket is missing"),
    ] {
        run(["serve", "--listen", &address])
            .exits(2)
            .stderr_contains(reason);
    }
}

#[test]
fn unknown_service_is_a_failure_of_reflection() {
    let receiver = Receiver::start();
    receiver
        .push_input(["--reflection", "--method=/A1/Foo"], INPUT)
        .exits(64 + 5)
        .stderr_contains("error: server reflection of \"")
        .stderr_contains("hint: check --method, or describe the service with --proto FILE");
}

#[test]
fn totals_are_printed_if_the_dump_cannot_be_written() {
    for output in ["text", "json"] {
        let flags = [
            "serve",
            "--plaintext",
            "--listen=127.0.0.1:0",
            "--dump=/dev/full",
        ];
        let mut child = command(flags)
            .args(["--output", output])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdout = std::io::BufReader::new(child.stdout.take().expect("a pipe"));
        let url = read_listening_url(&mut stdout);
        let address = url.strip_prefix("http://").expect("an address");
        push_to(address, &["--plaintext"], ONE_RECORD).exits(0);
        send_signal(&child, Signal::TERM);
        let totals = std::io::read_to_string(stdout).expect("text");
        finish(child)
            .exits(1)
            .stderr_contains("error: cannot write /dev/full: No space left on device\n");
        let expected = if output == "json" {
            r#"{"requests":1,"records":1,"tokens":1}"#
        } else {
            "requests: 1, records: 1, tokens: 1"
        };
        assert_eq!(totals.trim_end(), expected);
    }
}
