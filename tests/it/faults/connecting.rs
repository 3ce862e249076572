//! Connections that cannot be made, or that end before a response.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::mpsc,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{FAST_RETRIES, MAX_ATTEMPTS, ONE_BY_ONE, push, push_one_record};

use crate::support::{
    fault_server::{
        Connection,
        Connection::Serve,
        FaultServer,
        action::{Ending, disconnect, ok},
    },
    program::push_to,
    receiver::Receiver,
    records::{ONE_RECORD, ONE_TOKEN, records},
    tcp_server::{
        ClosedPort, FullBacklog, drain, forward, serve_tcp, server_answering, server_sending,
        silent_server,
    },
};

const HTTP1_ERROR: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";

/// An empty SETTINGS frame, which every HTTP/2 server must send first.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// A DATA frame on stream 0, which is a connection error (RFC 9113 section 6.1).
const INVALID_FRAME: &[u8] = &[0, 0, 1, 0, 0, 0, 0, 0, 0, b'x'];

/// Starts a server that sends SETTINGS, reads until the record's token has arrived, and closes the
/// connection.
fn server_closing_in_request() -> String {
    serve_tcp(|mut stream| {
        let _ = stream.write_all(SETTINGS);
        let mut buffer = [0; 4096];
        let mut received = Vec::new();
        let has_token = |received: &[u8]| {
            let mut windows = received.windows(ONE_TOKEN.len());
            windows.any(|window| window == ONE_TOKEN.as_bytes())
        };
        while !has_token(&received) {
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => return,
                Ok(length) => received.extend_from_slice(&buffer[..length]),
            }
        }
    })
}

/// Starts a server that sends `response` to plaintext connections and closes them, and forwards TLS
/// connections to `tls_address`. OpenSSL servers send nothing, nginx and Go send HTTP/1.
fn server_refusing_plaintext(response: &'static [u8], tls_address: String) -> String {
    serve_tcp(move |mut stream| {
        let mut first = [0; 1];
        if stream.peek(&mut first).is_ok() && first == *b"P" {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(response);
            return;
        }
        forward(stream, &tls_address);
    })
}

#[test]
fn reports_why_a_connection_failed() {
    const LIMIT: &str = "--connect-timeout=300ms";
    let closed = ClosedPort::new();
    let backlog = FullBacklog::new();
    let silent = silent_server();
    let http1 = server_answering(HTTP1_ERROR);
    let garbage = server_sending(&[b'x'; 100]);
    let closing = serve_tcp(drop::<TcpStream>);
    let closing_in_request = server_closing_in_request();
    let invalid_frame = serve_tcp(|mut stream| {
        let _ = stream.write_all(&[SETTINGS, INVALID_FRAME].concat());
        drain(&mut stream);
    });
    let receiver = Receiver::start();
    let tls_only = server_refusing_plaintext(b"", receiver.address.clone());
    let http1_or_tls = server_refusing_plaintext(HTTP1_ERROR, receiver.address.clone());
    for (address, flags, exit, texts) in [
        (
            &*closed.address,
            &["-k"][..],
            5,
            &["TCP connection failed", ": Connection refused\n"][..],
        ),
        (
            "no-such-host.invalid:443",
            &["-k"],
            5,
            &["DNS lookup of \"no-such-host.invalid\" failed"],
        ),
        ("unix:/nowhere.sock", &["-k"], 5, &["No such file"]),
        (
            &silent,
            &["-k", LIMIT],
            5,
            &["TLS handshake timed out after 300ms"],
        ),
        (
            &silent,
            &["--plaintext", LIMIT],
            5,
            &["waiting for HTTP/2 SETTINGS timed out after 300ms"],
        ),
        (
            &backlog.address,
            &["-k", LIMIT],
            5,
            &["TCP connection timed out after 300ms"],
        ),
        (&http1, &["--plaintext"], 5, &["HTTP/1.1 400 Bad Request"]),
        (&http1, &["-k"], 6, &["does not speak TLS"]),
        (&garbage, &["--plaintext"], 5, &["does not speak HTTP/2"]),
        (&garbage, &["-k"], 6, &["hint: pass --plaintext"]),
        (&closing, &["--plaintext"], 5, &[]),
        (&closing, &["-k"], 5, &[]),
        (
            &closing_in_request,
            &["--plaintext"],
            78,
            &["connection lost", "run the command again"],
        ),
        (
            &invalid_frame,
            &["--plaintext"],
            5,
            &["server violated the protocol: invalid HTTP/2"],
        ),
        (
            &tls_only,
            &["--plaintext"],
            6,
            &["server expects TLS", "hint: remove --plaintext"],
        ),
        (
            &http1_or_tls,
            &["--plaintext"],
            6,
            &["server expects TLS", "hint: remove --plaintext"],
        ),
    ] {
        let started = Instant::now();
        let flags = [&["--retry=0", "--output=json"], flags].concat();
        let run = push_to(address, &flags, ONE_RECORD).counts_add_up();
        assert_eq!(run.code, exit, "{address} {flags:?}: {run:#?}");
        for text in texts {
            assert!(run.stderr.contains(text), "no {text:?} in {run:#?}");
        }
        // The HTTP/2 library reports a lost connection as "channel closed", which must not hide the
        // cause.
        assert!(!run.stderr.contains("channel closed"), "{run:#?}");
        if exit == 5 {
            assert_eq!(run.json()["error"]["kind"], "unreachable", "{run:#?}");
        }
        run.counts("unsent", 1);
        assert!(started.elapsed() < Duration::from_secs(5), "{address}");
    }
}

#[test]
fn retries_unreachable_servers() {
    let closed = ClosedPort::new();
    let backlog = FullBacklog::new();
    for (address, flags, text) in [
        (&closed.address, &[][..], "Connection refused"),
        (
            &backlog.address,
            &["--connect-timeout=100ms"],
            "TCP connection timed out after 100ms",
        ),
    ] {
        let flags = [&["-k", "--output=json"], FAST_RETRIES, flags].concat();
        push_to(address, &flags, ONE_RECORD)
            .exits(5)
            .stderr_contains(text)
            .counts("unsent", 1)
            .counts_requests("sent", 0);
    }
}

#[test]
fn retries_failed_handshakes() {
    const SETTINGS_STAGE: &str = "waiting for HTTP/2 SETTINGS";
    let before_tls = |bytes, ending| Connection::EndBeforeTls { bytes, ending };
    for (name, fault, text) in [
        (
            "FIN before TLS",
            before_tls(0, Ending::Fin),
            "TLS handshake",
        ),
        ("RST before TLS", before_tls(0, Ending::Rst), "reset"),
        (
            "FIN after one byte",
            before_tls(1, Ending::Fin),
            "TLS handshake",
        ),
        (
            "FIN inside ClientHello",
            before_tls(100, Ending::Fin),
            "TLS handshake",
        ),
        (
            "RST inside ClientHello",
            before_tls(100, Ending::Rst),
            "reset",
        ),
        (
            "no ServerHello",
            Connection::Silent,
            "TLS handshake timed out after 200ms",
        ),
        (
            "no SETTINGS",
            Connection::SilentAfterTls,
            "waiting for HTTP/2 SETTINGS timed out after 200ms",
        ),
        (
            "close_notify before SETTINGS",
            Connection::EndAfterTls(Ending::CloseNotify),
            SETTINGS_STAGE,
        ),
        (
            "FIN before SETTINGS",
            Connection::EndAfterTls(Ending::Fin),
            SETTINGS_STAGE,
        ),
        (
            "RST before SETTINGS",
            Connection::EndAfterTls(Ending::Rst),
            SETTINGS_STAGE,
        ),
    ] {
        let limit: &[&str] = if text.contains("timed out") {
            &["--connect-timeout=200ms"]
        } else {
            &[]
        };
        let failed = push_one_record(&FaultServer::start([fault.clone()]), limit);
        assert_eq!(failed.code, 5, "{name}: {failed}");
        let failed = failed.stderr_contains(text).attempts(0).counts("unsent", 1);
        assert_eq!(failed.traffic.connections.len(), MAX_ATTEMPTS, "{name}");
        // The push succeeds if only the first two connections fail.
        let good = Serve(vec![ok()]);
        let server = FaultServer::start([fault.clone(), fault.clone(), good.clone()]);
        push_one_record(&server, limit)
            .exits(0)
            .attempts(1)
            .connections(3);
        // The faults are also retried when the program connects again during a push.
        let first = Serve(vec![ok(), disconnect()]);
        let script = [first.clone(), fault.clone(), fault.clone(), good];
        let flags = [FAST_RETRIES, limit, ONE_BY_ONE].concat();
        let push_three = |script: &[Connection]| {
            let server = FaultServer::start(script.iter().cloned());
            push(&server, &flags, &records(3))
        };
        let recovered = push_three(&script).exits(0).connections(4);
        assert_eq!(recovered.request_count("retried"), 1, "{name}");
        push_three(&[first, fault])
            .exits(3)
            .connections(1 + MAX_ATTEMPTS)
            .counts("acknowledged", 1)
            .counts("unsent", 2);
    }
}

#[test]
fn does_not_retry_wrong_protocols() {
    for (name, fault, exit, texts) in [
        (
            "HTTP/2 without TLS",
            Connection::SendWithoutTls(SETTINGS),
            6,
            &["does not speak TLS", "hint: pass --plaintext"][..],
        ),
        (
            "HTTP/1.1 without TLS",
            Connection::SendWithoutTls(HTTP1_ERROR),
            6,
            &["does not speak TLS", "hint: pass --plaintext"],
        ),
        (
            "garbage without TLS",
            Connection::SendWithoutTls(&[b'x'; 100]),
            6,
            &["does not speak TLS", "hint: pass --plaintext"],
        ),
        (
            "ALPN http/1.1",
            Connection::Alpn(&[b"http/1.1"]),
            6,
            &["server does not support HTTP/2", "ALPN"],
        ),
        (
            "no ALPN",
            Connection::Alpn(&[]),
            6,
            &["server does not support HTTP/2", "selected: none"],
        ),
        (
            "garbage in TLS",
            Connection::SendAfterTls(&[b'x'; 100]),
            5,
            &["does not speak HTTP/2"],
        ),
        (
            "HTTP/1.1 in TLS",
            Connection::SendAfterTls(HTTP1_ERROR),
            5,
            &["server speaks HTTP/1.1"],
        ),
        (
            "garbage after the TLS handshake",
            Connection::EndAfterTls(Ending::Garbage),
            5,
            &["server violated the protocol: invalid TLS message: invalid content type"],
        ),
    ] {
        let push = push_one_record(&FaultServer::start([fault]), &[]);
        assert_eq!(push.code, exit, "{name}: {push}");
        let push = push.attempts(0).connections(1).counts("unsent", 1);
        for text in texts {
            assert!(push.stderr.contains(text), "{name}: {push}");
        }
    }
    let server = FaultServer::ok();
    let flags = [&["--plaintext"], FAST_RETRIES].concat();
    push_to(&server.address, &flags, ONE_RECORD)
        .exits(6)
        .stderr_contains("server expects TLS")
        .stderr_contains("hint: remove --plaintext");
    assert_eq!(server.attempt_count(), 0);
}

#[test]
fn times_out_on_a_stopped_server() {
    let receiver = Receiver::start();
    receiver.signal(Signal::STOP);
    let flags = [&["--output=json", "--connect-timeout=300ms"], FAST_RETRIES].concat();
    receiver
        .push_input(flags, ONE_RECORD)
        .exits(5)
        .stderr_contains("TLS handshake timed out")
        .counts("unsent", 1);
}

#[test]
fn sends_keepalive_pings_while_a_request_is_open() {
    const PING: u8 = 6;
    let (ping_received, pings) = mpsc::channel();
    let server = serve_tcp(move |mut stream| {
        let _ = stream.write_all(SETTINGS);
        let mut preface = [0; 24];
        let _ = stream.read_exact(&mut preface);
        let mut header = [0; 9];
        while stream.read_exact(&mut header).is_ok() {
            let length = usize::from(header[1]) << 8 | usize::from(header[2]);
            let mut payload = vec![0; length];
            let _ = stream.read_exact(&mut payload);
            if header[3] == PING {
                let _ = ping_received.send(Instant::now());
            }
        }
    });
    let started = Instant::now();
    let flags = [
        "--retry=0",
        "--plaintext",
        "--keepalive-time=10s",
        "--timeout=11s",
    ];
    push_to(&server, &flags, ONE_RECORD).exits(68);
    let ping = pings.try_recv().expect("a PING");
    assert!(ping - started >= Duration::from_secs(9));
    let flags = ["--retry=0", "--plaintext", "--keepalive-time=9s"];
    push_to(&server, &flags, ONE_RECORD)
        .exits(2)
        .stderr_contains("at least 10s");
}

#[test]
fn retries_connections_that_end_after_settings() {
    for ending in [Ending::CloseNotify, Ending::Fin] {
        let server = FaultServer::start([Connection::EndAfterSettings(ending)]);
        let push = push_one_record(&server, &[])
            .exits(78)
            .connections(MAX_ATTEMPTS);
        assert_eq!(push.request_count("failed"), 1, "{ending:?}");
    }
}

#[test]
fn open_requests_share_the_new_connection() {
    use crate::support::fault_server::action::Action::NeverAnswer;

    // All four requests are open when the connection ends.
    let script = vec![NeverAnswer, NeverAnswer, NeverAnswer, disconnect()];
    let server = FaultServer::start([Serve(script), Serve(vec![ok()])]);
    let flags = [FAST_RETRIES, &["--batch-records=1", "--concurrency=4"]].concat();
    push(&server, &flags, &records(8))
        .exits(0)
        .connections(2)
        .counts("acknowledged", 8)
        .counts_requests("retried", 4);
    // The error names the reason why the new connection fails, not the loss of the old connection.
    let first = Serve(vec![ok(), disconnect()]);
    let server = FaultServer::start([first, Connection::Silent]);
    let flags = [FAST_RETRIES, ONE_BY_ONE, &["--connect-timeout=100ms"]].concat();
    push(&server, &flags, &records(3))
        .exits(3)
        .stderr_contains("timed out after 100ms")
        .connections(1 + MAX_ATTEMPTS)
        .counts("acknowledged", 1)
        .counts("unsent", 2);
}

#[test]
fn explains_tls_alerts() {
    const CLIENT_CERTIFICATE: &str = "hint: pass --cert CLIENT.pem --key CLIENT.key";
    for (alert, texts) in [
        (
            40,
            &[
                "server refused the TLS handshake",
                "hint: check the cipher suites of the server",
            ],
        ),
        (
            46,
            &["server refused the client certificate", CLIENT_CERTIFICATE],
        ),
        (
            70,
            &[
                "server supports neither TLS 1.2 nor TLS 1.3",
                "hint: enable TLS 1.2",
            ],
        ),
        (
            112,
            &[
                "server does not know the requested server name",
                "hint: pass --servername NAME",
            ],
        ),
        (
            116,
            &["server requires a client certificate", CLIENT_CERTIFICATE],
        ),
        (
            120,
            &["server does not support HTTP/2", "hint: check the port"],
        ),
    ] {
        let record = [21, 3, 3, 0, 2, 2, alert];
        let server = serve_tcp(move |mut stream| {
            let _ = stream.write_all(&record);
            drain(&mut stream);
        });
        let run = push_to(&server, &["-k", "--retry=0"], ONE_RECORD).exits(6);
        for text in texts {
            assert!(
                run.stderr.contains(text),
                "{alert}: no {text:?} in {run:#?}"
            );
        }
    }
}
