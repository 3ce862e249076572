//! `--rejects`: the records that were not acknowledged.

use std::{io::Write, time::Duration};

use data_encoding::{BASE64, HEXLOWER};
use rustix::process::Signal;
use tonic::Code;

use super::ONE_BY_ONE;

use crate::support::{
    fault_server::{
        Connection,
        Connection::Serve,
        FaultServer, Record,
        action::{Action, Response, apply_and_disconnect, code, http, ok, status},
    },
    files::{TempFile, set_mode},
    program::{
        command, finish, push_to, run, run_command, run_with_input, send_signal, start,
        start_with_open_stdin, wait_until_handled,
    },
    receiver::Receiver,
    records::{EXPIRE_TIME, ONE_RECORD, TOKEN_PREFIX, records, token},
    rejects::{HEADER_ROW, RejectsRow, read_rejects},
    tcp_server::ClosedPort,
};

/// A push: its name, the actions of the server, the options, the exit code, and the expected rows
/// of the rejects file (the number of the record, and the reason).
type FailureCase = (
    &'static str,
    Vec<Action>,
    &'static [&'static str],
    i32,
    &'static [(usize, &'static str)],
);

const REFUSED: &str = "unsent: INVALID_ARGUMENT: sens… (12 bytes) is unknown";
const PUSH_ENDED: &str = "unsent: the push stopped";

/// Returns the action that gives `answer` to a request with record 1, and code 0 to all other
/// requests.
fn for_record_1(answer: &Action) -> Action {
    Action::IfToken("sensor-00001", answer.clone().into())
}

/// Returns pushes whose failures concern only one request, and a successful push.
fn request_failures() -> Vec<FailureCase> {
    let refusal = status(Code::InvalidArgument, "sensor-00001 is unknown");
    vec![
        ("success", vec![ok()], ONE_BY_ONE, 0, &[][..]),
        (
            "one code",
            vec![for_record_1(&code(5))],
            ONE_BY_ONE,
            3,
            &[(1, "rejected: code 5")],
        ),
        (
            "all codes",
            vec![code(-2)],
            ONE_BY_ONE,
            7,
            &[
                (0, "rejected: code -2"),
                (1, "rejected: code -2"),
                (2, "rejected: code -2"),
                (3, "rejected: code -2"),
            ],
        ),
        (
            "one rejected request",
            vec![for_record_1(&refusal)],
            ONE_BY_ONE,
            3,
            &[(1, REFUSED)],
        ),
        (
            "two records in a rejected request",
            vec![for_record_1(&refusal)],
            &["--batch-records=2"],
            3,
            &[(0, REFUSED), (1, REFUSED)],
        ),
        (
            "isolated record",
            vec![for_record_1(&refusal)],
            &["--isolate"],
            3,
            &[(1, "rejected: INVALID_ARGUMENT: sens… (12 bytes) is unknown")],
        ),
        (
            "too large record",
            vec![for_record_1(&status(
                Code::ResourceExhausted,
                "grpc: received message larger than max (5 vs. 4)",
            ))],
            ONE_BY_ONE,
            3,
            &[(
                1,
                "rejected: request too large for the server (RESOURCE_EXHAUSTED: grpc: received message larger than max (5 vs. 4))",
            )],
        ),
    ]
}

/// Returns pushes whose failures end the push.
fn push_failures() -> Vec<FailureCase> {
    vec![
        (
            "denied during the push",
            vec![for_record_1(&status(Code::PermissionDenied, "no"))],
            ONE_BY_ONE,
            3,
            &[
                (1, "unsent: PERMISSION_DENIED: no"),
                (2, PUSH_ENDED),
                (3, PUSH_ENDED),
            ],
        ),
        (
            "denied at first",
            vec![status(Code::Unauthenticated, "no")],
            ONE_BY_ONE,
            80,
            &[
                (0, "unsent: UNAUTHENTICATED: no"),
                (1, PUSH_ENDED),
                (2, PUSH_ENDED),
                (3, PUSH_ENDED),
            ],
        ),
        (
            "HTTP 503",
            vec![ok(), ok(), ok(), http(503)],
            ONE_BY_ONE,
            3,
            &[(3, "unsent: HTTP status 503 instead of a gRPC response")],
        ),
        (
            "no response",
            vec![ok(), ok(), ok(), Action::NeverAnswer],
            &[
                "--batch-records=1",
                "--concurrency=1",
                "--retry=0",
                "--timeout=200ms",
            ],
            3,
            &[(3, "unsent: timed out after 200ms; outcome unknown")],
        ),
        (
            "RST_STREAM",
            vec![
                ok(),
                ok(),
                ok(),
                Action::ResetStream(h2::Reason::INTERNAL_ERROR),
            ],
            ONE_BY_ONE,
            3,
            &[(
                3,
                "unsent: server reset the stream (unexpected internal error encountered); outcome unknown",
            )],
        ),
        (
            "disconnected after applying",
            vec![ok(), ok(), ok(), apply_and_disconnect()],
            ONE_BY_ONE,
            3,
            &[(
                3,
                "unsent: connection lost: server closed the connection; outcome unknown",
            )],
        ),
        (
            "--max-time in a request",
            vec![ok(), ok(), Action::NeverAnswer],
            &["--batch-records=1", "--concurrency=1", "--max-time=500ms"],
            3,
            &[
                (
                    2,
                    "unsent: the push stopped before the response; outcome unknown",
                ),
                (3, PUSH_ENDED),
            ],
        ),
        (
            "HTML response",
            vec![Action::Reject(Response::http(200, "text/html", b"<html>"))],
            ONE_BY_ONE,
            66,
            &[
                (
                    0,
                    "unsent: content type \"text/html\" instead of a gRPC response",
                ),
                (1, PUSH_ENDED),
                (2, PUSH_ENDED),
                (3, PUSH_ENDED),
            ],
        ),
    ]
}

#[test]
fn rejects_hold_unacknowledged_records_with_reasons() {
    for (name, actions, flags, exit, reasons) in [request_failures(), push_failures()].concat() {
        let server = FaultServer::serving(actions);
        let file = TempFile::absent("rejects.csv");
        let flags = [flags, &["--rejects", file.str()]].concat();
        let run = server.push(&flags, &records(4));
        assert_eq!(run.code, exit, "{name}: {run:#?}");
        let mut found = read_rejects(&file.path);
        found.sort_unstable();
        let expected: Vec<RejectsRow> = reasons
            .iter()
            .map(|(number, reason)| RejectsRow {
                token: token(*number).into_bytes(),
                expire_time: EXPIRE_TIME.to_string(),
                reason: (*reason).to_owned(),
            })
            .collect();
        assert_eq!(found, expected, "{name}");
        assert_eq!(file.mode(), 0o600, "{name}");
        let rejected = reasons
            .iter()
            .filter(|(_, why)| why.starts_with("rejected"));
        assert_eq!(run.count("rejected"), rejected.count() as u64, "{name}");
    }
}

#[test]
fn request_that_waits_for_its_retry_at_the_end_has_unknown_outcome() {
    for (next_connection, flags, exit) in [
        (Connection::Silent, &["--max-time=500ms"][..], 3),
        (
            Connection::SendWithoutTls(b"nothing of TLS"),
            &["--retry-delay=1ms"],
            3,
        ),
    ] {
        let server =
            FaultServer::start([Serve(vec![ok(), apply_and_disconnect()]), next_connection]);
        let file = TempFile::absent("rejects.csv");
        let always = [
            "--batch-records=1",
            "--concurrency=1",
            "--rejects",
            file.str(),
        ];
        server
            .push(&[flags, &always].concat(), &records(3))
            .exits(exit)
            .counts_add_up()
            .stderr_contains(
                "caused by: outcome unknown for 1 record, which the server may have applied",
            );
        let rejects = read_rejects(&file.path);
        let reasons: Vec<_> = rejects.iter().map(|row| &*row.reason).collect();
        let unknown = "unsent: the push stopped before the response; outcome unknown";
        assert_eq!(reasons, [unknown, PUSH_ENDED], "{flags:?}");
    }
}

#[test]
fn unreachable_server_rejects_all_records() {
    let closed = ClosedPort::new();
    for (flags, exit) in [(["-k", "--retry=0"], 5), (["--plaintext", "--retry=0"], 5)] {
        let file = TempFile::absent("rejects.csv");
        let rest = [
            "--batch-records=2",
            "--output=json",
            "--rejects",
            file.str(),
        ];
        push_to(&closed.address, &[&flags[..], &rest].concat(), &records(9))
            .exits(exit)
            .counts_add_up()
            .hides(TOKEN_PREFIX);
        assert_eq!(read_rejects(&file.path).len(), 9);
    }
    // The rejects file has all records even if the push fails after the TCP connection is made.
    for (script, flags, exit) in [
        (
            Connection::SendWithoutTls(b"nothing of TLS"),
            &["--retry=0"][..],
            6,
        ),
        (Connection::Silent, &["--max-time=300ms"], 5),
        (Serve(vec![Action::NeverAnswer]), &["--max-time=300ms"], 68),
    ] {
        let file = TempFile::absent("rejects.csv");
        let flags = [flags, &["--batch-records=2", "--rejects", file.str()]].concat();
        let server = FaultServer::start([script]);
        server.push(&flags, &records(9)).exits(exit);
        assert_eq!(read_rejects(&file.path).len(), 9);
    }
}

#[test]
fn interrupted_push_rejects_the_rest() {
    for (signal, exit) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let later = Action::Delay(Duration::from_millis(300), ok().into());
        let server = FaultServer::serving([ok(), later.clone(), later]);
        let file = TempFile::absent("rejects.csv");
        let flags = [
            "--batch-records=1",
            "--concurrency=2",
            "--rejects",
            file.str(),
        ];
        let child = start(server.args(&flags), &records(9));
        server.wait_for_attempts(3);
        send_signal(&child, signal);
        let run = finish(child);
        run.exits(exit)
            .counts_add_up()
            .counts("acknowledged", 3)
            .hides(TOKEN_PREFIX);
        assert_eq!(read_rejects(&file.path).len(), 6);
    }
}

#[test]
fn rejects_are_replaced_unless_they_are_the_input() {
    const REFUSED_INPUT: &str = "token,expire_time\na,b\n";
    let server = FaultServer::ok();
    let file = TempFile::absent("rejects.csv");
    let flags = ["--rejects", file.str()];
    let ledger = TempFile::absent("ledger");
    let with_ledger = ["--rejects", file.str(), "--ledger", ledger.str()];
    server.push(&with_ledger[2..], &records(3)).exits(0);
    let changed = format!("token,expire_time\n{},1\n", token(0));
    for (flags, input, exit) in [
        (&flags[..], &b"token,expire_time\na,b\n"[..], 4),
        (&[&flags[..], &["--fail-on-empty"]].concat(), b"", 4),
        (
            &[&flags[..], &["--min-records=2"]].concat(),
            b"token,expire_time\na,1000000001\n",
            4,
        ),
        (
            &[&with_ledger[..], &["--max-changes=0"]].concat(),
            changed.as_bytes(),
            4,
        ),
        (
            &[&with_ledger[..], &["--refuse-shortened"]].concat(),
            changed.as_bytes(),
            4,
        ),
        (&[&flags[..], &["--dry-run"]].concat(), &records(3), 0),
        (&[&flags[..], &["/nowhere/file"]].concat(), b"", 4),
    ] {
        file.write("old");
        set_mode(&file.path, 0o644);
        server.push(flags, input).exits(exit);
        let (content, mode) = if exit == 0 {
            ("old", 0o644)
        } else {
            (HEADER_ROW, 0o600)
        };
        assert_eq!((&*file.read(), file.mode()), (content, mode), "{flags:?}");
    }
    // The rejects file is also the input, under several names.
    let input = TempFile::new("a.csv", REFUSED_INPUT);
    let link = input.link("link");
    for flags in [
        vec!["--rejects", input.str(), input.str()],
        vec!["--rejects", &link, input.str()],
        vec!["--rejects", input.str(), &link],
    ] {
        server.push(&flags, b"").exits(4);
        assert_eq!(input.read(), REFUSED_INPUT, "{flags:?}");
    }
    let mut push = command(server.args(&["--rejects", input.str()]));
    push.stdin(std::fs::File::open(&input.path).expect("opened"));
    run_command(&mut push).exits(4);
    assert_eq!(input.read(), REFUSED_INPUT);
    // A push without rejects writes only the header row.
    for (flags, input) in [
        (&flags[..], &records(3)[..]),
        (&with_ledger, &records(3)),
        (&flags, b""),
        (&["--rejects", file.str(), "--rehearse"], &records(3)),
    ] {
        file.write("old");
        server.push(flags, input).exits(0);
        assert_eq!(file.read(), HEADER_ROW, "{flags:?}");
        assert_eq!(file.mode(), 0o600, "{flags:?}");
    }
    file.is_alone();
}

/// The push fails after the validation and before the first request.
#[test]
fn rejects_hold_the_records_of_a_push_that_cannot_use_its_ledger() {
    let file = TempFile::absent("rejects.csv");
    let ledger = TempFile::absent("ledger");
    let garbage = TempFile::new("garbage", "not a ledger");
    let linked = TempFile::new("linked", "");
    std::fs::hard_link(&linked.path, linked.path.with_file_name("link")).expect("linked");
    let server = FaultServer::ok();
    server
        .push(&["--ledger", ledger.str()], &records(1))
        .exits(0);
    let held = TempFile::new("held", "");
    let lock = std::fs::File::create(held.path.with_file_name("held-lock")).expect("created");
    lock.lock().expect("locked");
    for (flags, exit) in [
        (&["--ledger", garbage.str()][..], 1),
        (&["--ledger", linked.str()], 1),
        (&["--ledger", held.str(), "--lock-timeout=0"], 1),
        (&["--ledger", "/nowhere/ledger"], 1),
        (&["--ledger", ledger.str(), "--changes=/dev/full"], 1),
        (&["--ledger", garbage.str(), "--shard=0/2"], 1),
    ] {
        file.write("old");
        let attempts = server.attempt_count();
        let flags = [flags, &["--rejects", file.str()]].concat();
        let run = server.push(&flags, &records(4)).exits(exit);
        let rejects = read_rejects(&file.path);
        assert_eq!(rejects.len() as u64, run.count("unsent"), "{flags:?}");
        assert!(rejects.len() >= 3, "{rejects:?}");
        assert!(
            rejects
                .iter()
                .all(|row| row.reason == "unsent: the push stopped")
        );
        assert_eq!(server.attempt_count(), attempts, "{flags:?}");
    }
    let args = ["--rejects", file.str(), file.str()];
    server.push(&args, b"").exits(0);
    // An input that cannot be read again keeps the old file, as for any unsent record.
    file.write(records(1));
    server
        .push(
            &[
                "--ledger",
                garbage.str(),
                "--rejects",
                file.str(),
                file.str(),
            ],
            b"",
        )
        .exits(1);
    assert_eq!(read_rejects(&file.path).len(), 1);
}

#[test]
fn summary_names_rejects_that_hold_records() {
    let file = TempFile::absent("rejects.csv");
    let named = format!("; rejects in {}\n", file.str());
    for (answer, exit, is_named) in [(code(5), 7, true), (ok(), 0, false)] {
        let server = FaultServer::serving([answer]);
        let mut args = server.args(&["--rejects", file.str()]);
        args.retain(|arg| arg != "--output=json");
        let run = run_with_input(args, &records(1)).exits(exit);
        assert_eq!(run.stdout.ends_with(&named), is_named, "{run:#?}");
    }
}

#[test]
fn same_command_pushes_rejects_whatever_their_tokens() {
    let mut tokens: Vec<Vec<u8>> = [
        &b"a,b"[..],
        b"\"quoted\"",
        b"two\nlines\r\n",
        b"a\rb",
        b"a\0b",
        b"\xff\xfe\x00",
        b" padded ",
        b"=1+1",
        b"\xef\xbb\xbfbom",
        b",",
        b"\"",
        "s\u{e9}nsor 7".as_bytes(),
        "\u{a0}space".as_bytes(),
        "\u{85}next line".as_bytes(),
    ]
    .map(<[u8]>::to_vec)
    .to_vec();
    let mut random = fastrand::Rng::with_seed(7);
    for length in 1..40 {
        tokens.push((0..length).map(|_| random.u8(..)).collect());
    }
    let json = |encode: &dyn Fn(&[u8]) -> String, token: &str, time: &str, factor: u64| {
        let records = tokens
            .iter()
            .map(|bytes| serde_json::json!({token: encode(bytes), time: u64::from(EXPIRE_TIME) * factor}));
        records.collect::<Vec<_>>()
    };
    let hex = json(&|bytes| HEXLOWER.encode(bytes), "id", "expire_time", 1000);
    let base64 = json(
        &|bytes| BASE64.encode(bytes),
        "deviceToken",
        "expireTime",
        1,
    );
    let hex_csv: String = tokens
        .iter()
        .map(|bytes| format!("{EXPIRE_TIME};{}\n", HEXLOWER.encode(bytes)))
        .collect();
    for (flags, input) in [
        (
            &[
                "--token-encoding=hex",
                "--token-field=id",
                "--records=/all",
                "--time-unit=ms",
                "--input-format=json",
            ][..],
            serde_json::json!({ "all": hex }).to_string(),
        ),
        (
            &["--input-format=protojson"],
            serde_json::json!({ "sensorExpire": base64 }).to_string(),
        ),
        (
            &[
                "--token-encoding=hex",
                "--no-header",
                "--delimiter=;",
                "--token-field=2",
                "--time-field=1",
            ],
            hex_csv,
        ),
    ] {
        let file = TempFile::new("rejects.csv", &input);
        let refusing = FaultServer::serving([code(5)]);
        let flags = [flags, &["--rejects", file.str(), file.str()]].concat();
        refusing.push(&flags, b"").exits(7).counts_add_up();
        let rows = read_rejects(&file.path);
        let found: Vec<_> = rows.iter().map(|row| row.token.clone()).collect();
        assert_eq!(found, tokens, "{flags:?}");
        // The rejects of rejects are the same file.
        let content = file.read();
        refusing.push(&flags, b"").exits(7).counts_add_up();
        assert_eq!(file.read(), content, "{flags:?}");
        let good = FaultServer::ok();
        good.push(&flags, b"")
            .exits(0)
            .counts("acknowledged", tokens.len() as u64);
        let sent =
            |server: &FaultServer| -> Vec<Record> { server.traffic().attempts[0].records.clone() };
        assert_eq!(sent(&good), sent(&refusing), "{flags:?}");
    }
}

#[test]
fn only_the_exact_header_makes_a_rejects_file() {
    const ROW: &str = "YWJj,base64,4070908800,no\n";
    for (header, exit) in [
        ("rejected_token,encoding,expire_time,reason\n", 0),
        ("rejected_token,encoding,expire_time,reason\r\n", 0),
        ("\u{feff}rejected_token,encoding,expire_time,reason\n", 0),
        ("rejected_token,encoding,expire_time,reason,more\n", 4),
        ("rejected_token,encoding,expire_time\n", 4),
        ("Rejected_token,encoding,expire_time,reason\n", 4),
        ("\"rejected_token\",encoding,expire_time,reason\n", 4),
    ] {
        let input = format!("{header}{ROW}");
        run_with_input(["check", "--input-format=csv"], input.as_bytes()).exits(exit);
    }
    for (row, text) in [
        (
            "YWJj,hex,4070908800,no",
            "encoding \"hex\" is neither utf8 nor base64",
        ),
        (
            "YWJj,,4070908800,no",
            "encoding \"\" is neither utf8 nor base64",
        ),
        ("%%%%,base64,4070908800,no", "is not base64 at byte 1"),
        ("abc,utf8,2099-01-01T00:00:00.5Z,no", "expire_time"),
        ("abc,utf8,4070908800", "expected 4 columns, found 3"),
    ] {
        let input = format!("{HEADER_ROW}{row}\n");
        run_with_input(["check"], input.as_bytes())
            .exits(4)
            .stderr_contains(text);
    }
}

#[test]
fn rejects_use_the_time_unit_of_the_push() {
    let path = TempFile::new("a.csv", "token,expire_time\nabcdefghijkl,1900000000000\n");
    let path = path.str();
    let args = ["push", "-s", "127.0.0.1:1", "--plaintext", "--retry=0"];
    let unit = ["--time-unit=ms", "--rejects", path, path];
    run([&args[..], &unit].concat()).exits(5);
    let receiver = Receiver::start();
    receiver.push(unit).exits(0);
    assert_eq!(receiver.stop().rows, b"abcdefghijkl,1900000000\n");
}

#[test]
fn metrics_fifo_without_a_reader_is_refused() {
    let fifo = TempFile::fifo();
    run_with_input(
        ["push", "--rehearse", "--metrics-file", fifo.str()],
        ONE_RECORD,
    )
    .exits(1)
    .stderr_contains(fifo.str())
    .stderr_contains("no process opened it for reading");
}

#[test]
fn rejects_fifo_waits_for_a_reader() {
    let fifo = TempFile::fifo();
    let start = |more: &[&str]| {
        let args = ["push", "--server=127.0.0.1:1", "--retry=0", "--output=json"];
        let rejects = ["--rejects", fifo.str()];
        let mut child = start_with_open_stdin([&args[..], more, &rejects].concat());
        let mut input = child.stdin.take().expect("piped");
        input
            .write_all(b"token,expire_time\na,4070908800\n")
            .expect("written");
        child
    };
    finish(start(&["--max-time=300ms"]))
        .exits(1)
        .stderr_contains("--max-time 300ms passed before the first request")
        .stderr_contains("no process opened it for reading")
        .counts_add_up();
    let child = start(&[]);
    wait_until_handled(&child, Signal::TERM);
    send_signal(&child, Signal::TERM);
    finish(child).exits(143).counts_add_up();
    let child = start(&[]);
    let rejects = fifo.read();
    assert_eq!(rejects.lines().count(), 2, "{rejects}");
    finish(child).exits(5).counts_add_up();
}
