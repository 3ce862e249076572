//! Exit codes by cause, and clear words for each.

use std::{
    io::{Read, Write},
    net::TcpListener,
    time::{Duration, Instant},
};

use crate::support::{Receiver, Run, raw_server, run, run_with_input, signal_child, start};
use rustix::process::Signal;

const RECORD: &[u8] = b"token,expire_time\nabcdefghijkl,4070908800\n";

/// Pushes a record, once, to a server that has no receiver behind it.
fn push(server: &str, flags: &[&str]) -> Run {
    let args = ["push", "--retry=0", "--server", server];
    run_with_input([&args, flags].concat(), RECORD)
}

#[test]
fn a_server_that_is_not_there() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").port()
    };
    let run = push(&format!("127.0.0.1:{port}"), &["-k", "--output=json"])
        .exits(5)
        .says("could not be reached")
        .says("Connection refused");
    assert_eq!(run.json()["error"]["kind"], "unreachable");
    assert_eq!(run.records()["unsent"], 1);
    push("no-such-host.invalid:443", &["-k"])
        .exits(5)
        .says("name can't be looked up");
    push("unix:/nowhere.sock", &["-k"])
        .exits(5)
        .says("No such file");
}

#[test]
fn a_server_that_stalls_ends_with_the_connect_timeout_and_its_stage() {
    let silent = raw_server(|mut stream| {
        // It reads, so that nothing but its silence is wrong.
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let started = Instant::now();
    push(&silent, &["-k", "--connect-timeout=300ms"])
        .exits(5)
        .says("TLS handshake timed out after 300ms");
    push(&silent, &["--plaintext", "--connect-timeout=300ms"])
        .exits(5)
        .says("waiting for the server's HTTP/2 SETTINGS timed out after 300ms");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_full_backlog_is_a_tcp_connection_that_times_out() {
    use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
    let socket = || {
        net::socket_with(
            AddressFamily::INET,
            SocketType::STREAM,
            SocketFlags::NONBLOCK,
            None,
        )
        .expect("a socket")
    };
    let listener = socket();
    let local = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    net::bind(&listener, &local).expect("bound");
    net::listen(&listener, 0).expect("listening");
    let address: std::net::SocketAddr = net::getsockname(&listener)
        .expect("an address")
        .try_into()
        .expect("of IP");
    // Nobody takes these; further ones are not even answered.
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let client = socket();
            let _ = net::connect(&client, &address);
            client
        })
        .collect();
    push(&address.to_string(), &["-k", "--connect-timeout=300ms"])
        .exits(5)
        .says("the TCP connection timed out after 300ms");
    drop(waiting);
}

#[test]
fn a_connection_is_asked_for_a_sign_of_life_while_a_request_is_open() {
    let (pinged, pings) = std::sync::mpsc::channel();
    let server = raw_server(move |mut stream| {
        let _ = stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
        let mut preface = [0; 24];
        let _ = stream.read_exact(&mut preface);
        let mut header = [0; 9];
        while stream.read_exact(&mut header).is_ok() {
            let length = usize::from(header[1]) << 8 | usize::from(header[2]);
            let mut payload = vec![0; length];
            let _ = stream.read_exact(&mut payload);
            if header[3] == 6 {
                let _ = pinged.send(Instant::now());
            }
        }
    });
    let started = Instant::now();
    push(
        &server,
        &["--plaintext", "--keepalive-time=10s", "--timeout=11s"],
    )
    .exits(68);
    let pinged = pings.try_recv().expect("a PING");
    assert!(pinged - started >= Duration::from_secs(9));
    push(&server, &["--plaintext", "--keepalive-time=9s"])
        .exits(2)
        .says("at least 10s");
}

#[test]
fn a_server_that_speaks_something_else() {
    let http1 = raw_server(|mut stream| {
        let mut buffer = [0; 1024];
        let _ = stream.read(&mut buffer);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    push(&http1, &["--plaintext"])
        .exits(5)
        .says("HTTP/1.1 400 Bad Request");
    push(&http1, &["-k"]).exits(6).says("does not speak TLS");
    let garbage = raw_server(|mut stream| {
        let _ = stream.write_all(&[b'x'; 100]);
        // Closed with something unread, the connection would be reset before it is read.
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    push(&garbage, &["--plaintext"])
        .exits(5)
        .says("does not speak HTTP/2");
    push(&garbage, &["-k"]).exits(6).says("hint: --plaintext");
    let closing = raw_server(drop);
    push(&closing, &["--plaintext"]).exits(5);
    push(&closing, &["-k"]).exits(5);
}

#[test]
fn a_connection_that_ends_in_mid_request_is_told_by_its_end() {
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let closing = raw_server(move |mut stream| {
        let _ = stream.write_all(&settings);
        let mut buffer = [0; 4096];
        // The request's token comes with the end of what the client has to say.
        let mut seen = Vec::new();
        while !seen.windows(12).any(|window| window == b"abcdefghijkl") {
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => return,
                Ok(length) => seen.extend_from_slice(&buffer[..length]),
            }
        }
    });
    push(&closing, &["--plaintext"])
        .exits(78)
        .says("the connection was lost")
        .says("run it again");
    // A frame of a type that must not come here ends the connection from this side.
    let garbage = raw_server(move |mut stream| {
        let _ = stream.write_all(&settings);
        let _ = stream.write_all(&[0, 0, 1, 0, 0, 0, 0, 0, 0, b'x']);
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let run = push(&garbage, &["--plaintext"])
        .exits(5)
        .says("what the server sent is not HTTP/2");
    assert!(!run.stderr.contains("channel closed"), "{run:?}");
}

#[test]
fn codes_that_are_not_ok() {
    let receiver = Receiver::with(["--code=42"]);
    let run = receiver
        .push_input(["--output=json"], RECORD)
        .exits(7)
        .says("code 42")
        .says("--ok-code");
    assert_eq!(run.records()["rejected"], 1);
    assert_eq!(run.json()["codes"]["42"], 1);
    assert_eq!(run.json()["requests"]["failed"], 1);
    receiver
        .push_input(["--ok-code=1", "--ok-code=42"], RECORD)
        .exits(0);
    let receiver = Receiver::with(["--code=-1"]);
    receiver.push_input(["-"], RECORD).exits(7).says("code -1");
    receiver.push_input(["--ok-code=-1"], RECORD).exits(0);
    // What is named replaces the 0.
    Receiver::start()
        .push_input(["--ok-code=1"], RECORD)
        .exits(7);
}

#[test]
fn grpc_statuses() {
    let receiver = Receiver::with(["--fail-first=1"]);
    let run = receiver
        .push_input(["--output=json", "--retry=0"], RECORD)
        .exits(78)
        .says("UNAVAILABLE");
    assert_eq!(run.json()["error"]["kind"], "rpc");
    assert_eq!(run.records()["unsent"], 1);
    assert_eq!(run.json()["codes"], serde_json::json!({}));
    receiver.push_input(["-"], RECORD).exits(0);

    let receiver = Receiver::with(["--delay=30s"]);
    let started = Instant::now();
    receiver
        .push_input(["--timeout=300ms", "--retry=0"], RECORD)
        .exits(68)
        .says("--timeout");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_request_that_is_too_large_is_said_to_be() {
    let receiver = Receiver::with(["--max-message-size=8"]);
    receiver
        .push_input(["-"], RECORD)
        .exits(75)
        .says("OUT_OF_RANGE")
        .says("no message as large as that record");
}

#[test]
fn some_acknowledged_and_some_not_is_partial() {
    let receiver = Receiver::with(["--max-message-size=40"]);
    let long = "x".repeat(100);
    let input = format!("token,expire_time\na,1\n{long},2\nb,3\n");
    let run = receiver
        .push_input(["--batch-records=1", "--output=json"], input.as_bytes())
        .exits(3)
        .says("2 of 3 records were acknowledged")
        .says("record 2, line 3: xxxx");
    assert_eq!(run.json()["status"], "partial");
    assert_eq!(run.records()["acknowledged"], 2);
    assert_eq!(run.records()["rejected"], 1);
    assert_eq!(receiver.stop().rows, b"a,1\nb,3\n");
}

#[test]
fn addresses_that_are_none_show_a_right_one() {
    for (server, right) in [
        ("localhost", "localhost:9102"),
        ("localhost:0", "localhost:9102"),
        ("localhost:65536", "localhost:9102"),
        ("::1:9102", "[::1]:9102"),
        ("http://localhost:80", "--plaintext"),
        ("https://localhost/path", "https://localhost:9102"),
        ("", "localhost:9102"),
    ] {
        push(server, &[]).exits(2).says(right);
    }
    run(["push"]).exits(2).says("--server");
    for flag in [
        "--authority=a b",
        "--authority=user@host",
        "--servername=",
        "--timeout=0",
        "--timeout=soon",
        "--connect-timeout=-1s",
        "--batch-records=0",
        "--batch-bytes=1MB",
        "--ok-code=x",
        "--nonsense",
    ] {
        push("localhost:1", &[flag]).exits(2);
    }
}

#[test]
fn every_summary_fits_the_schema_and_adds_up() {
    let schema = include_str!("../../docs/summary.schema.json");
    let schema = serde_json::from_str(schema).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let receiver = Receiver::with(["--fail-first=1"]);
    let bad = b"token,expire_time\na,x\nb,1\nb,1\n";
    for run in [
        receiver.push_input(["--output=json"], RECORD),
        receiver.push_input(["--output=json"], RECORD),
        receiver.push_input(["--output=json"], bad),
        receiver.push_input(["--output=json", "--cacert=/nowhere"], RECORD),
        push("localhost:1", &["-k", "--output=json"]),
        run_with_input(["check", "--output=json"], RECORD),
        run_with_input(["check", "--output=json"], bad),
    ] {
        let summary = run.json();
        assert!(schema.is_valid(&summary), "{summary}");
        assert_eq!(summary["exit_code"], run.code);
        let records = summary["records"].as_object().expect("an object");
        let sum: u64 = records
            .iter()
            .filter(|(key, _)| *key != "read")
            .map(|(_, count)| count.as_u64().expect("a count"))
            .sum();
        assert_eq!(records["read"], sum, "{summary}");
    }
}

#[test]
fn a_signal_while_a_request_is_open_lets_it_finish() {
    let receiver = Receiver::with(["--delay=1s"]);
    let mut args = receiver.connection();
    args.extend(["--batch-records=1", "--concurrency=1", "--output=json"].map(Into::into));
    let child = start(args, b"token,expire_time\na,4070908800\nb,4070908801\n");
    // The receiver's answer takes a second: when it is this far, the first request is under way.
    receiver.wait_for_connection();
    signal_child(&child, Signal::TERM);
    let run: Run = child.wait_with_output().expect("it ends").into();
    let run = run.exits(143).says("SIGTERM");
    assert_eq!(run.json()["status"], "interrupted");
    let acknowledged = run.records()["acknowledged"].as_u64().expect("a count");
    assert_eq!(run.records()["unsent"], 2 - acknowledged);
    assert!(acknowledged < 2, "{run:?}");
    assert_eq!(receiver.stop().records, acknowledged);
}

#[test]
fn a_signal_while_a_request_fails_is_not_forgotten() {
    let receiver = Receiver::with(["--delay=30s"]);
    let mut args = receiver.connection();
    args.extend(["--timeout=2s", "--output=json"].map(Into::into));
    let child = start(args, RECORD);
    receiver.wait_for_connection();
    signal_child(&child, Signal::INT);
    let run: Run = child.wait_with_output().expect("it ends").into();
    let run = run
        .exits(130)
        .says("SIGINT ended the push, 1 record unsent");
    assert_eq!(run.json()["status"], "interrupted");
}

#[test]
fn a_server_that_hangs_up_on_plaintext_is_asked_for_tls() {
    // As servers on OpenSSL do: no alert, no word.
    let receiver = Receiver::start();
    let tls = receiver.address.clone();
    let server = raw_server(move |mut stream| {
        let mut first = [0; 1];
        if stream.peek(&mut first).is_ok() && first == *b"P" {
            return;
        }
        let mut upstream = std::net::TcpStream::connect(&tls).expect("connected");
        let mut back = upstream.try_clone().expect("cloned");
        let mut out = stream.try_clone().expect("cloned");
        std::thread::spawn(move || std::io::copy(&mut back, &mut out));
        let _ = std::io::copy(&mut stream, &mut upstream);
    });
    push(&server, &["--plaintext"])
        .exits(6)
        .says("speaks TLS")
        .says("hint: leave --plaintext out");
}

#[test]
fn a_signal_while_connecting_ends_the_wait() {
    let (connected, connections) = std::sync::mpsc::channel();
    let silent = raw_server(move |mut stream| {
        let _ = connected.send(());
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let args = ["push", "-k", "--server", &silent, "--connect-timeout=1h"];
    let child = start(args, RECORD);
    connections.recv().expect("a connection");
    signal_child(&child, Signal::INT);
    let run: Run = child.wait_with_output().expect("it ends").into();
    run.exits(130).says("SIGINT");
}

#[test]
fn no_output_shows_a_whole_token() {
    let receiver = Receiver::with(["--fail-first=1", "--code=5"]);
    for run in [
        receiver.push_input(["-"], RECORD),
        receiver.push_input(["-"], RECORD),
        receiver.push_input(["-"], b"token,expire_time\nx,abcdefghijkl\n"),
        receiver.push_input(
            ["-"],
            b"token,expire_time\nabcdefghijkl,1\nabcdefghijkl,2\n",
        ),
        receiver.push_input(["-"], b"abcdefghijkl,1\n"),
        receiver.push_input(["-"], b"{\"abcdefghijkl\":1580962440}"),
        receiver.push_input(["--token-encoding=hex"], RECORD),
        receiver.push_input(
            ["-"],
            b"[{\"token\":\"abcdefghijkl\",\"token\":\"x\",\"expire_time\":1}]",
        ),
    ] {
        let text = format!("{}{}", run.stdout, run.stderr);
        assert!(!text.contains("abcdefghijkl"), "{text}");
    }
}
