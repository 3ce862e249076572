//! What servers answer, well and badly, and what is sent to them.

use std::sync::mpsc::{self, Receiver};

use crate::support::{
    Run, run_with_input,
    tls::{Serving, serve},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};

/// One answer to every request.
#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Vec<u8>,
    /// `None` ends the stream with the body.
    trailers: Option<Vec<(&'static str, Vec<u8>)>>,
    /// Whether the request is read first.
    reads: bool,
}

/// An OK with this body.
fn ok(body: &[u8]) -> Answer {
    Answer {
        status: 200,
        headers: vec![("content-type", b"application/grpc".to_vec())],
        body: body.to_vec(),
        trailers: Some(vec![("grpc-status", b"0".to_vec())]),
        reads: true,
    }
}

/// A status in the headers alone.
fn status(code: &[u8], message: &[u8]) -> Answer {
    let mut answer = ok(b"");
    answer.headers.push(("grpc-status", code.to_vec()));
    answer.headers.push(("grpc-message", message.to_vec()));
    answer.trailers = None;
    answer
}

fn headers(fields: &[(&'static str, Vec<u8>)]) -> HeaderMap {
    fields
        .iter()
        .map(|(name, value)| {
            let value = HeaderValue::from_bytes(value).expect("a value");
            (HeaderName::from_static(name), value)
        })
        .collect()
}

/// A server without TLS that gives this answer, and the heads of the requests it got.
fn server(answer: Answer) -> (Serving, Receiver<Request<()>>) {
    let (seen, requests) = mpsc::channel();
    let serving = serve(move |stream| {
        let (answer, seen) = (answer.clone(), seen.clone());
        async move {
            let Ok(mut connection) = h2::server::handshake(stream).await else {
                return;
            };
            while let Some(Ok((request, respond))) = connection.accept().await {
                give(request, respond, &answer, &seen);
            }
        }
    });
    (serving, requests)
}

fn give(
    request: Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    answer: &Answer,
    seen: &mpsc::Sender<Request<()>>,
) {
    let answer = answer.clone();
    let seen = seen.clone();
    tokio::spawn(async move {
        let (head, mut body) = request.into_parts();
        while answer.reads
            && let Some(data) = body.data().await
        {
            let length = data?.len();
            body.flow_control().release_capacity(length)?;
        }
        // The test may be over.
        let _ = seen.send(Request::from_parts(head, ()));
        let mut response = Response::new(());
        *response.status_mut() = answer.status.try_into().expect("a status");
        *response.headers_mut() = headers(&answer.headers);
        let only_headers = answer.body.is_empty() && answer.trailers.is_none();
        let mut stream = respond.send_response(response, only_headers)?;
        if only_headers {
            return Ok(());
        }
        stream.send_data(answer.body.into(), answer.trailers.is_none())?;
        if let Some(trailers) = answer.trailers {
            stream.send_trailers(headers(&trailers))?;
        }
        Ok::<_, h2::Error>(())
    });
}

const INPUT: &[u8] = b"token,expire_time\nabcdefghijkl,4070908800\n";

fn push(server: &Serving, flags: &[&str]) -> Run {
    push_to(&server.address, flags)
}

fn push_to(address: &str, flags: &[&str]) -> Run {
    let args = ["push", "--plaintext", "--output=json", "--server", address];
    // What is tried again is not waited for.
    let quick = ["--retry-delay=1ms", "--retry-max-delay=5ms"];
    run_with_input([&args, &quick[..], flags].concat(), INPUT)
}

/// A frame with this message.
fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("short").to_be_bytes();
    [&[0], &length[..], message].concat()
}

#[test]
fn only_a_success_to_the_letter_is_one() {
    let code_5 = frame(b"\x08\x05");
    for (answer, exit, said) in [
        (ok(&frame(b"")), 0, ""),
        (ok(&frame(b"\x08\x00")), 0, ""),
        (ok(&code_5), 7, "code 5"),
        (ok(b""), 66, "OK without a response message"),
        (ok(&frame(b"\xff")), 77, "can't be decoded"),
        (ok(&code_5[..3]), 77, "can't be decoded"),
        (
            ok(&[&frame(b"")[..], &[0, 0]].concat()),
            77,
            "more than one message",
        ),
        (
            ok(&[frame(b""), frame(b"")].concat()),
            77,
            "more than one message",
        ),
        (ok(b"\x01\0\0\0\0"), 77, "can't be decoded"),
        (ok(b"\x07\0\0\0\0"), 77, "can't be decoded"),
        (ok(b"\x00\x7f\xff\xff\xffab"), 77, "can't be decoded"),
        (
            Answer {
                trailers: None,
                ..ok(&frame(b""))
            },
            66,
            "no grpc-status",
        ),
        (
            Answer {
                trailers: Some(vec![("grpc-status", b"99".to_vec())]),
                ..ok(&frame(b""))
            },
            66,
            "99",
        ),
        (
            Answer {
                trailers: Some(vec![("grpc-status", b"abc".to_vec())]),
                ..ok(&frame(b""))
            },
            66,
            "grpc-status is none",
        ),
        (
            Answer {
                trailers: Some(vec![
                    ("grpc-status", b"0".to_vec()),
                    ("grpc-status", b"13".to_vec()),
                ]),
                ..ok(&frame(b""))
            },
            66,
            "several",
        ),
        (
            Answer {
                headers: vec![("content-type", b"text/html".to_vec())],
                ..ok(b"<html>")
            },
            66,
            "type text/html",
        ),
        (
            Answer {
                headers: vec![],
                ..ok(&frame(b""))
            },
            66,
            "type unknown",
        ),
        (
            Answer {
                status: 503,
                ..ok(&frame(b""))
            },
            78,
            "HTTP status 503",
        ),
    ] {
        let (serving, _requests) = server(answer.clone());
        let run = push(&serving, &[]);
        assert_eq!(run.code, exit, "{answer:?}: {run:?}");
        assert!(run.stderr.contains(said), "{answer:?}: {run:?}");
        let acknowledged = u64::from(exit == 0);
        assert_eq!(run.records()["acknowledged"], acknowledged, "{answer:?}");
    }
}

#[test]
fn headers_alone_are_a_whole_answer() {
    let mut nothing = status(b"0", b"");
    for (what, said) in [
        ("OK", "OK without a response message"),
        ("", "no grpc-status"),
    ] {
        if what.is_empty() {
            nothing.headers.retain(|(name, _)| *name != "grpc-status");
        }
        let run = push(&server(nothing.clone()).0, &[]).exits(66).says(said);
        assert_eq!(run.records()["acknowledged"], 0);
    }
    // Some servers put all that went wrong into their message.
    let long = status(b"3", &b"so it is. ".repeat(10_000));
    let run = push(&server(long).0, &[])
        .exits(67)
        .says("INVALID_ARGUMENT");
    assert!(run.stderr.len() < 1000, "{run:?}");
}

#[test]
fn a_server_that_wants_to_be_left_alone_for_ever_is_not_asked_again() {
    for millis in ["-1", "soon", "4294967296", "18446744073709551615"] {
        let mut answer = status(b"14", b"");
        let pushback = ("grpc-retry-pushback-ms", millis.as_bytes().to_vec());
        answer.headers.push(pushback);
        let run = push(&server(answer).0, &[]).exits(78);
        assert_eq!(run.json()["requests"]["sent"], 1, "{millis}");
    }
}

#[test]
fn a_server_that_takes_one_request_at_a_time_is_not_out_of_time() {
    let serving = serve(|stream| async {
        let mut connection = h2::server::Builder::new()
            .max_concurrent_streams(1)
            .handshake::<_, Bytes>(stream)
            .await
            .expect("HTTP/2");
        while let Some(Ok((request, respond))) = connection.accept().await {
            tokio::spawn(async move {
                // All of them together take longer than one of them may.
                tokio::time::sleep(std::time::Duration::from_millis(400)).await;
                give(request, respond, &ok(&frame(b"")), &mpsc::channel().0);
            });
        }
    });
    let input = "token,expire_time\na,1\nb,1\nc,1\nd,1\ne,1\nf,1\n";
    let flags = ["--batch-records=1", "--timeout=1s", "--retry=0"];
    let args = [
        "push",
        "--plaintext",
        "--output=json",
        "--server",
        &serving.address,
    ];
    let run = run_with_input([&args, &flags[..]].concat(), input.as_bytes()).exits(0);
    assert_eq!(run.json()["requests"]["sent"], 6);
}

#[test]
fn http_statuses_have_the_grpc_status_they_stand_for() {
    for (http, exit) in [
        (400, 77),
        (401, 80),
        (403, 71),
        (404, 76),
        (429, 78),
        (502, 78),
        (503, 78),
        (418, 66),
    ] {
        let answer = Answer {
            status: http,
            headers: vec![("content-type", b"text/html".to_vec())],
            ..ok(b"<html>")
        };
        let (serving, _requests) = server(answer);
        push(&serving, &[])
            .exits(exit)
            .says(&format!("HTTP status {http}"));
    }
    // A proxy's own gRPC status counts for more.
    let answer = Answer {
        status: 503,
        ..status(b"8", b"quota")
    };
    push(&server(answer).0, &[]).exits(72).says("quota");
}

#[test]
fn statuses_are_told_with_the_server_s_words_made_safe() {
    for (code, name) in [
        (3, "INVALID_ARGUMENT"),
        (5, "NOT_FOUND"),
        (7, "PERMISSION_DENIED"),
        (16, "UNAUTHENTICATED"),
    ] {
        let (serving, _requests) = server(status(code.to_string().as_bytes(), b"so%20it%20is"));
        push(&serving, &[])
            .exits(64 + code)
            .says(name)
            .says("so it is");
    }
    let (serving, _requests) = server(status(b"7", b"%1b[31mred%0a%e2%80%aeworse"));
    let run = push(&serving, &[])
        .exits(71)
        .says("\\u{1b}[31mred\\n\\u{202e}worse");
    assert!(!run.stderr.contains('\u{1b}'));
    let (serving, _requests) = server(status(b"7", &b"long ".repeat(2000)));
    assert!(push(&serving, &[]).exits(71).stderr.len() < 1000);
    let mut details = status(b"13", b"details");
    details
        .headers
        .push(("grpc-status-details-bin", b"!!!".to_vec()));
    push(&server(details).0, &[]).exits(77).says("details");
}

#[test]
fn tokens_that_a_server_sends_back_are_masked() {
    for message in [
        "bad token abcdefghijkl",
        "bad token ABCDEFGHIJKL",
        "YWJjZGVmZ2hpamts is no sensor",
        "6162636465666768696a6b6c",
    ] {
        let run = push(&server(status(b"3", message.as_bytes())).0, &[]).exits(67);
        let text = format!("{}{}", run.stdout, run.stderr).to_lowercase();
        assert!(
            !text.contains("abcdefghijkl") && text.contains("abcd… (12 bytes)"),
            "{text}"
        );
    }
    // Cut only when nothing is left to be recognised.
    let message = format!("{}abcdefghijkl", "x ".repeat(245));
    let run = push(&server(status(b"3", message.as_bytes())).0, &[]).exits(67);
    assert!(!format!("{run:?}").contains("abcdefgh"), "{run:?}");
    for (header, said) in [
        (
            "authorization: Basic dXNlcjpwYXNzd29yZA==",
            "dXNlcjpwYXNzd29yZA",
        ),
        ("authorization: Basic dXNlcjpwYXNzd29yZA==", "password"),
        ("authorization: bearer opensesame", "opensesame"),
        ("x-key-bin: c2VzYW1lLXJhdw==", "sesame-raw"),
    ] {
        let message = format!("who is {said}?");
        let run = push(
            &server(status(b"16", message.as_bytes())).0,
            &["-H", header],
        )
        .exits(80);
        assert!(!format!("{run:?}").contains(said), "{run:?}");
    }
    let flags = ["-H", "authorization: Bearer s3cret-t0ken"];
    let (serving, _requests) = server(status(b"16", b"unknown: S3cret-t0ken"));
    let run = push(&serving, &flags).exits(80).says("unknown: (hidden)");
    assert!(
        !format!("{run:?}").to_lowercase().contains("s3cret"),
        "{run:?}"
    );
    // Where no message belongs.
    let mut typed = ok(b"x");
    typed.headers = vec![("content-type", b"text/abcdefghijkl".to_vec())];
    for answer in [typed, status(b"abcdefghijkl", b"")] {
        let run = push(&server(answer).0, &[]).exits(66);
        assert!(!format!("{run:?}").contains("abcdefghijkl"), "{run:?}");
    }
}

#[test]
fn a_request_carries_what_the_flags_promise() {
    for (flags, authority, timeout) in [
        (&[][..], None, "10000000u"),
        (
            &["--servername=license.test"],
            Some("license.test"),
            "10000000u",
        ),
        (
            &["--authority=other.test:1"],
            Some("other.test:1"),
            "10000000u",
        ),
        (
            &["--servername=license.test", "--authority=other.test"],
            Some("other.test"),
            "10000000u",
        ),
        // No legal authority, so that the address is used.
        (&["--servername=Licence Server"], None, "10000000u"),
        (&["--timeout=1500ms"], None, "1500000u"),
    ] {
        let (serving, requests) = server(ok(&frame(b"")));
        push(&serving, flags).exits(0);
        let request = requests.recv().expect("a request");
        let own = serving.address.clone();
        let found = request.uri().authority().expect("an authority").as_str();
        assert_eq!(found, authority.unwrap_or(&own), "{flags:?}");
        assert_eq!(request.uri().path(), "/Internal/UpdateSensorExpireTime");
        assert_eq!(request.uri().scheme_str(), Some("http"));
        let header = |name: &str| request.headers()[name].to_str().expect("text");
        assert_eq!(header("grpc-timeout"), timeout, "{flags:?}");
        assert_eq!(header("te"), "trailers");
        assert_eq!(header("content-type"), "application/grpc");
        assert!(header("user-agent").starts_with("sensor-license/"));
    }
}

#[test]
fn metadata_is_carried_as_it_was_given() {
    let (_headers, headers_file) =
        crate::support::file("headers", "x-one: 1\n\nX-Two-Bin: AP8=\r\n");
    let (_bearer, bearer_file) = crate::support::file("bearer", "s3cret-t0ken\n");
    let from_file = format!("@{}", headers_file.display());
    let bearer = bearer_file.to_str().expect("UTF-8");
    let (serving, requests) = server(ok(&frame(b"")));
    push(
        &serving,
        &[
            "-H",
            "x-tenant: north",
            "--header=x-tenant:south",
            "-H",
            &from_file,
            "--bearer-token-file",
            bearer,
            "-A",
            "sync/2.1",
            "--method=/licence.v1.Internal/Update",
        ],
    )
    .exits(0);
    let request = requests.recv().expect("a request");
    let all = |name: &str| -> Vec<_> {
        let values = request.headers().get_all(name).iter();
        values
            .map(|value| value.to_str().expect("text").to_owned())
            .collect()
    };
    assert_eq!(all("x-tenant"), ["north", "south"]);
    assert_eq!(all("x-one"), ["1"]);
    assert_eq!(all("x-two-bin"), ["AP8"]);
    assert_eq!(all("authorization"), ["Bearer s3cret-t0ken"]);
    let own = format!("sync/2.1 sensor-license/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(all("user-agent"), [own]);
    assert_eq!(request.uri().path(), "/licence.v1.Internal/Update");
}

#[test]
fn metadata_that_is_none_is_refused_and_never_shown() {
    let (_bad, bad_file) = crate::support::file("headers", "x-one: 1\ns3cret\n");
    let (_empty, empty_file) = crate::support::file("bearer", "\n");
    let (_good, good_file) = crate::support::file("bearer", "s3cret");
    let at = |file: &std::path::Path| format!("@{}", file.display());
    let path = |file: &std::path::Path| file.to_str().expect("UTF-8").to_owned();
    for flags in [
        vec!["-H".to_owned(), "s3cret".to_owned()],
        vec!["-H".to_owned(), "x: s3cret\u{7f}".to_owned()],
        vec!["-H".to_owned(), "x-bin: s3cret!".to_owned()],
        vec!["-H".to_owned(), "grpc-timeout: s3cret".to_owned()],
        vec!["-H".to_owned(), ":path: s3cret".to_owned()],
        vec!["-H".to_owned(), "te: s3cret".to_owned()],
        vec!["-H".to_owned(), "content-type: s3cret".to_owned()],
        vec!["-H".to_owned(), at(&bad_file)],
        vec!["-H".to_owned(), "@/nowhere".to_owned()],
        vec!["--bearer-token-file".to_owned(), path(&empty_file)],
        vec!["--bearer-token-file".to_owned(), "/nowhere".to_owned()],
        vec![
            "--bearer-token-file".to_owned(),
            path(&good_file),
            "-H".to_owned(),
            "authorization: s3cret".to_owned(),
        ],
        vec!["--method=Update".to_owned()],
        vec!["--method=/Internal/Up date".to_owned()],
        vec!["--compress=br".to_owned()],
        vec!["-A".to_owned(), "\u{1b}".to_owned()],
    ] {
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let run = push_to("127.0.0.1:1", &flags);
        assert_eq!(run.code, 2, "{flags:?}: {run:?}");
        assert!(!format!("{run:?}").contains("s3cret"), "{run:?}");
    }
}

#[test]
fn messages_are_compressed_when_asked_for() {
    let receiver = crate::support::Receiver::with(["--plaintext"]);
    receiver.push_input(["--compress=gzip"], INPUT).exits(0);
    assert_eq!(receiver.stop().rows, b"abcdefghijkl,4070908800\n");
    let (serving, requests) = server(ok(&frame(b"")));
    push(&serving, &["--compress=gzip"]).exits(0);
    let request = requests.recv().expect("a request");
    assert_eq!(request.headers()["grpc-encoding"], "gzip");
}

#[test]
fn probe_asks_for_the_call_without_a_message() {
    let refused = status(b"16", b"unknown: S3cret-t0ken");
    let (serving, _requests) = server(refused);
    let args = [
        "probe",
        "--plaintext",
        "--output=json",
        "-s",
        &serving.address,
    ];
    let secret = ["-H", "authorization: Bearer s3cret-t0ken"];
    let run = crate::support::run([&args[..], &secret].concat());
    // The server reads to the end of the request before it answers, and there is none.
    assert_eq!(run.exits(0).json()["verdict"], "push would work");
}

#[test]
fn probe_tells_a_code_that_does_not_wait_for_a_message() {
    for (code, exit) in [(&b"\x08\x05"[..], 7), (b"", 0)] {
        let at_once = Answer {
            reads: false,
            ..ok(&frame(code))
        };
        let (serving, _requests) = server(at_once);
        let args = [
            "probe",
            "--plaintext",
            "--output=json",
            "-s",
            &serving.address,
        ];
        let report = crate::support::run(args).exits(exit).json();
        assert_eq!(
            report["flags"] == serde_json::json!([]),
            exit != 0,
            "{report}"
        );
    }
}
