//! What a push writes beside its summary, and what it does when that can't be written.
//!
//! `ledger.rs` has ledgers, `faults.rs` outputs that can't be opened.

use std::{
    collections::BTreeSet,
    fs,
    io::Read,
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use data_encoding::{BASE64, HEXLOWER};
use rustix::process::Signal;
use tonic::Code;

use crate::support::{
    fault_server::{
        Connection,
        Connection::Serve,
        FaultServer, Record,
        action::{Action, Ending, Response, code, http, ok, status},
    },
    files::{TempFile, set_mode},
    program::{
        Run, command, command_after, finish, push_to, run, run_with_input, send_signal, start,
        start_command,
    },
    receiver::Receiver,
    records::{EXPIRE_TIME, TOKEN_PREFIX, records, token},
    tcp_server::ClosedPort,
};

/// One record a request, one request at a time, and no further try.
const SINGLY: &[&str] = &["--batch-records=1", "--concurrency=1", "--retry=0"];

/// Runs the program in a shell after a setting of the shell.
fn run_after(setting: &str, args: Vec<String>, input: &[u8]) -> Run {
    finish(start_command(&mut command_after(setting, args), input))
}

const HEADER: &str = "device_token,expire_time,reason\n";

/// One row of a file of rejects.
type Row = (Vec<u8>, String, String);

fn rejects(path: &Path) -> Vec<Row> {
    let mut csv = csv::Reader::from_path(path).expect("there");
    let header = csv.byte_headers().expect("a header");
    assert_eq!(header, vec!["device_token", "expire_time", "reason"]);
    let text = |field: &[u8]| String::from_utf8(field.to_vec()).expect("UTF-8");
    csv.byte_records()
        .map(|row| {
            let row = row.expect("a row");
            (row[0].to_vec(), text(&row[1]), text(&row[2]))
        })
        .collect()
}

/// What is done, the server's answers, flags, the exit code, and which records are rejects why.
type Failing = (
    &'static str,
    Vec<Action>,
    &'static [&'static str],
    i32,
    &'static [(usize, &'static str)],
);

const ENDED: &str = "unsent: the push ended before";

/// This answer to the record 1.
fn poison(answer: &Action) -> Action {
    Action::IfToken("sensor-00001", answer.clone().into())
}

/// Answers that concern their own request only.
fn refusals() -> Vec<Failing> {
    let refusal = status(Code::InvalidArgument, "sensor-00001 is unknown");
    vec![
        ("all is well", vec![ok()], SINGLY, 0, &[][..]),
        (
            "a code",
            vec![poison(&code(5))],
            SINGLY,
            3,
            &[(1, "rejected: code 5")],
        ),
        (
            "codes alone",
            vec![code(-2)],
            SINGLY,
            7,
            &[
                (0, "rejected: code -2"),
                (1, "rejected: code -2"),
                (2, "rejected: code -2"),
                (3, "rejected: code -2"),
            ],
        ),
        (
            "refused",
            vec![poison(&refusal)],
            SINGLY,
            3,
            &[(1, "unsent: INVALID_ARGUMENT")],
        ),
        (
            "refused with another",
            vec![poison(&refusal)],
            &["--batch-records=2"],
            3,
            &[
                (0, "unsent: INVALID_ARGUMENT"),
                (1, "unsent: INVALID_ARGUMENT"),
            ],
        ),
        (
            "isolated",
            vec![poison(&refusal)],
            &["--isolate"],
            3,
            &[(1, "rejected: INVALID_ARGUMENT")],
        ),
        (
            "too large",
            vec![poison(&status(
                Code::ResourceExhausted,
                "grpc: received message larger than max (5 vs. 4)",
            ))],
            SINGLY,
            3,
            &[(1, "rejected: too large for the server")],
        ),
    ]
}

/// Failures that end the push.
fn endings() -> Vec<Failing> {
    vec![
        (
            "denied on the way",
            vec![poison(&status(Code::PermissionDenied, "no"))],
            SINGLY,
            3,
            &[(1, "unsent: PERMISSION_DENIED"), (2, ENDED), (3, ENDED)],
        ),
        (
            "denied",
            vec![status(Code::Unauthenticated, "no")],
            SINGLY,
            80,
            &[
                (0, "unsent: UNAUTHENTICATED"),
                (1, ENDED),
                (2, ENDED),
                (3, ENDED),
            ],
        ),
        (
            "HTTP",
            vec![ok(), ok(), ok(), http(503)],
            SINGLY,
            3,
            &[(3, "unsent: HTTP status 503")],
        ),
        (
            "no answer",
            vec![ok(), ok(), ok(), Action::NeverAnswer],
            &[
                "--batch-records=1",
                "--concurrency=1",
                "--retry=0",
                "--timeout=200ms",
            ],
            3,
            &[(3, "unsent: no answer in time")],
        ),
        (
            "reset",
            vec![
                ok(),
                ok(),
                ok(),
                Action::ResetStream(h2::Reason::INTERNAL_ERROR),
            ],
            SINGLY,
            3,
            &[(3, "unsent: the server reset the request")],
        ),
        (
            "lost, though it was applied",
            vec![
                ok(),
                ok(),
                ok(),
                Action::EndAfterRequest {
                    ending: Ending::Fin,
                    is_applied: true,
                },
            ],
            SINGLY,
            3,
            &[(3, "unsent: the connection was lost")],
        ),
        (
            "HTML",
            vec![Action::Reject(Response::http(200, "text/html", b"<html>"))],
            SINGLY,
            66,
            &[
                (0, "unsent: no answer that can be understood"),
                (1, ENDED),
                (2, ENDED),
                (3, ENDED),
            ],
        ),
    ]
}

#[test]
fn what_was_not_acknowledged_is_in_the_rejects_with_its_reason() {
    for (what, answers, flags, exit, reasons) in [refusals(), endings()].concat() {
        let server = FaultServer::serving(answers);
        let file = TempFile::absent("rejects.csv");
        let flags = [flags, &["--rejects", file.str()]].concat();
        let run = server.push(&flags, &records(4));
        assert_eq!(run.code, exit, "{what}: {run:#?}");
        let mut found = rejects(&file.path);
        found.sort_unstable();
        let expected: Vec<Row> = reasons
            .iter()
            .map(|(number, reason)| {
                let token = token(*number).into_bytes();
                (token, EXPIRE_TIME.to_string(), (*reason).to_owned())
            })
            .collect();
        assert_eq!(found, expected, "{what}");
        assert_eq!(file.mode(), 0o600, "{what}");
        let rejected = reasons
            .iter()
            .filter(|(_, why)| why.starts_with("rejected"));
        assert_eq!(run.count("rejected"), rejected.count() as u64, "{what}");
    }
}

#[test]
fn a_server_that_is_not_reached_leaves_all_records_in_the_rejects() {
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
        assert_eq!(rejects(&file.path).len(), 9);
    }
    // TLS that is refused, and a time-out while connecting.
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
        assert_eq!(rejects(&file.path).len(), 9);
    }
}

#[test]
fn an_interrupted_push_leaves_the_rest_in_the_rejects() {
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
        assert_eq!(rejects(&file.path).len(), 6);
    }
}

/// Answers as a bad day would bring them.
fn any_answer(random: &mut fastrand::Rng) -> Action {
    let how = [Ending::CloseNotify, Ending::Fin, Ending::Rst][random.usize(..3)];
    match random.u8(..16) {
        0..=5 => ok(),
        6 => code(5),
        7 => status(Code::InvalidArgument, "no"),
        8 => Action::IfToken("sensor-00007", status(Code::InvalidArgument, "no").into()),
        9 => Action::IfLargerThan(50, status(Code::OutOfRange, "message size").into()),
        10 => status(Code::Unavailable, "later"),
        11 => Action::EndAtHeaders(how),
        12 => Action::EndAfterRequest {
            ending: how,
            is_applied: random.bool(),
        },
        13 => Action::ResetStream(h2::Reason::REFUSED_STREAM),
        14 => Action::GoawayAfter(ok().into()),
        _ => [status(Code::Internal, "no"), http(403), http(502)][random.usize(..3)].clone(),
    }
}

#[test]
fn acknowledged_and_rejects_are_everything_whatever_happens() {
    let all: BTreeSet<Vec<u8>> = (0..30).map(|number| token(number).into_bytes()).collect();
    let mut exits = BTreeSet::new();
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let connections: Vec<_> = (0..random.usize(1..4))
            .map(|_| Serve((0..10).map(|_| any_answer(&mut random)).collect()))
            .collect();
        let what = format!("seed {seed}: {connections:?}");
        let server = FaultServer::start(connections);
        let file = TempFile::absent("rejects.csv");
        let batch = format!("--batch-records={}", random.usize(1..8));
        let concurrency = format!("--concurrency={}", random.usize(1..5));
        let retry = format!("--retry={}", random.usize(..4));
        let mut flags = vec!["--rejects", file.str(), &batch, &concurrency, &retry];
        flags.extend(["--retry-delay=1ms", "--retry-max-delay=2ms"]);
        if random.bool() {
            flags.push("--isolate");
        }
        let run = server.push(&flags, &records(30));
        exits.insert(run.code);
        let rows = rejects(&file.path);
        let left: BTreeSet<Vec<u8>> = rows.iter().map(|row| row.0.clone()).collect();
        assert_eq!(left.len(), rows.len(), "each once, {what}");
        assert!(left.is_subset(&all), "{what}");
        assert_eq!(
            run.count("acknowledged"),
            (30 - left.len()) as u64,
            "{what}"
        );
        let rejected = rows.iter().filter(|row| row.2.starts_with("rejected: "));
        assert_eq!(run.count("rejected"), rejected.count() as u64, "{what}");
        assert_eq!(run.code == 0, left.is_empty(), "{what} {run:#?}");
        let traffic = server.traffic();
        let answered: BTreeSet<_> = traffic
            .acknowledged()
            .into_iter()
            .map(|one| &one.token)
            .collect();
        for token in all.difference(&left) {
            assert!(answered.contains(token), "{what}");
        }
        // As it is, it is the input of the next push, and that push's own rejects.
        let good = FaultServer::ok();
        good.push(&["--rejects", file.str(), file.str()], b"")
            .exits(0)
            .counts("acknowledged", left.len() as u64);
        let traffic = good.traffic();
        let sent: BTreeSet<_> = traffic
            .applied()
            .into_iter()
            .map(|one| one.token.clone())
            .collect();
        assert_eq!(sent, left, "{what}");
        assert_eq!(file.read(), HEADER, "{what}");
    }
    assert!(exits.len() >= 5, "too much alike: {exits:?}");
}

#[test]
fn rejects_are_replaced_by_whatever_was_pushed_and_by_no_refused_input() {
    let server = FaultServer::ok();
    let file = TempFile::absent("rejects.csv");
    file.write("old");
    set_mode(&file.path, 0o644);
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
            b"token,expire_time\na,1\n",
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
        server.push(flags, input).exits(exit);
        assert_eq!(file.read(), "old", "{flags:?}");
        assert_eq!(file.mode(), 0o644, "{flags:?}");
    }
    // Nothing left to send is nothing rejected.
    for (flags, input) in [
        (&flags[..], &records(3)[..]),
        (&with_ledger, &records(3)),
        (&flags, b""),
        (&["--rejects", file.str(), "--rehearse"], &records(3)),
    ] {
        file.write("old");
        server.push(flags, input).exits(0);
        assert_eq!(file.read(), HEADER, "{flags:?}");
        assert_eq!(file.mode(), 0o600, "{flags:?}");
    }
    file.is_alone();
}

#[test]
fn rejects_may_be_the_push_s_own_input() {
    let refuse = |server_code| {
        FaultServer::serving([Action::IfToken("sensor-00007", code(server_code).into())])
    };
    let file = TempFile::absent("records.csv");
    let link = &*file.link("link.csv");
    for (input, output) in [
        (file.str(), file.str()),
        (link, file.str()),
        (file.str(), link),
    ] {
        file.write(records(2000));
        let server = refuse(5);
        let flags = ["--batch-records=10", "--rejects", output, input];
        server
            .push(&flags, b"")
            .exits(3)
            .counts("acknowledged", 1990)
            .counts("rejected", 10);
        assert_eq!(rejects(&file.path).len(), 10);
        assert!(fs::symlink_metadata(link).expect("there").is_symlink());
        let server = refuse(5);
        let flags = ["--batch-records=1", "--rejects", output, input];
        server.push(&flags, b"").exits(3).counts("acknowledged", 9);
        FaultServer::ok()
            .push(&flags, b"")
            .exits(0)
            .counts("acknowledged", 1);
        assert_eq!(file.read(), HEADER);
        FaultServer::ok()
            .push(&flags, b"")
            .exits(0)
            .counts("read", 0);
    }
}

#[test]
fn rejects_hold_any_token_so_that_it_can_be_read_again() {
    let hex = |tokens: &[&[u8]]| -> Vec<String> {
        tokens.iter().map(|one| HEXLOWER.encode(one)).collect()
    };
    let base64 =
        |tokens: &[&[u8]]| -> Vec<String> { tokens.iter().map(|one| BASE64.encode(one)).collect() };
    let odd: &[&[u8]] = &[
        b"a,b",
        b"\"quoted\"",
        b"two\nlines\r\n",
        b"\xff\xfe\x00",
        b" padded ",
        b"=1+1",
        b"\xef\xbb\xbfbom",
        b",",
        b"\"",
    ];
    let plain: Vec<String> = [
        "a,b",
        "\"quoted\"",
        "two\nlines",
        "a\r\nb",
        "'x'",
        "=1+1",
        "s\u{e9}nsor 7",
        ",",
        "\"",
    ]
    .map(ToOwned::to_owned)
    .to_vec();
    for (encoding, tokens) in [("hex", hex(odd)), ("base64", base64(odd)), ("utf8", plain)] {
        let records: Vec<_> = tokens
            .iter()
            .map(|token| serde_json::json!({"token": token, "expire_time": EXPIRE_TIME}))
            .collect();
        let input = serde_json::to_vec(&records).expect("JSON");
        let file = TempFile::absent("rejects.csv");
        let encoding = format!("--token-encoding={encoding}");
        let refusing = FaultServer::serving([code(5)]);
        let flags = [&encoding, "--rejects", file.str()];
        refusing.push(&flags, &input).exits(7).counts_add_up();
        let found = rejects(&file.path);
        let texts: Vec<_> = found
            .iter()
            .map(|row| String::from_utf8_lossy(&row.0))
            .collect();
        assert_eq!(texts, tokens, "{encoding}");
        let good = FaultServer::ok();
        let flags = [&encoding, file.str()];
        good.push(&flags, b"")
            .exits(0)
            .counts("acknowledged", tokens.len() as u64);
        let sent = |server: &FaultServer| -> Vec<Record> {
            server.traffic().applied().into_iter().cloned().collect()
        };
        assert_eq!(sent(&good), sent(&refusing), "{encoding}");
    }
}

/// The samples of a textfile: name with labels, and value.
fn samples(text: &str) -> Vec<(String, f64)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            (name.to_owned(), value.parse().expect("a number"))
        })
        .collect()
}

fn sample(text: &str, name: &str) -> Option<f64> {
    let name = format!("sensor_license_{name}");
    let samples = samples(text);
    samples.iter().find(|one| one.0 == name).map(|one| one.1)
}

fn now() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("after 1970").as_secs_f64()
}

/// Floats that were written and read again are the same.
#[track_caller]
fn same(found: Option<f64>, expected: &serde_json::Value) {
    let found = found.expect("a sample");
    let expected = expected.as_f64().expect("a number");
    assert!((found - expected).abs() < 1e-6, "{found} {expected}");
}

/// The counts of a textfile are the summary's.
#[track_caller]
fn same_counts(text: &str, json: &serde_json::Value) {
    for key in [
        "invalid",
        "duplicate",
        "unchanged",
        "other_shard",
        "acknowledged",
        "rejected",
        "unsent",
    ] {
        let found = sample(text, &format!("records{{outcome=\"{key}\"}}"));
        same(found, &json["records"][key]);
    }
    for key in ["sent", "retried", "failed"] {
        let found = sample(text, &format!("requests{{outcome=\"{key}\"}}"));
        same(found, &json["requests"][key]);
    }
    same(sample(text, "exit_code"), &json["exit_code"]);
    same(sample(text, "duration_seconds"), &json["elapsed_seconds"]);
}

/// Each name comes with its help and its type, once, and then its samples.
#[track_caller]
fn is_a_textfile(text: &str) {
    let mut typed = BTreeSet::new();
    for line in text.lines() {
        let line = line.strip_prefix("# HELP ").unwrap_or(line);
        if let Some(line) = line.strip_prefix("# TYPE ") {
            let name = line.strip_suffix(" gauge").expect("a gauge").to_owned();
            assert!(typed.insert(name), "{text}");
        } else {
            assert!(line.starts_with("sensor_license_"), "{text}");
            let name = line.split(['{', ' ']).next().expect("a name");
            let known = typed.contains(name) || text.contains(&format!("# HELP {name} "));
            assert!(known, "{line}");
        }
    }
    assert!(text.ends_with('\n'));
}

/// Returns the arguments of a push whose server is among the options.
fn without_server(flags: &[&str]) -> Vec<String> {
    let args = [&["push", "--output=json"], flags].concat();
    args.into_iter().map(str::to_owned).collect()
}

#[test]
fn metrics_say_what_the_summary_says() {
    let file = TempFile::absent("push.prom");
    let closed = ClosedPort::new();
    let input = [&records(5)[..], b"other,1000000000\nother,1000000000\n"].concat();
    let mut last_success = None;
    for (what, server, flags, input, exit) in [
        (
            "refused",
            Some(FaultServer::ok()),
            &[][..],
            &b"token,expire_time\na,b\n"[..],
            4,
        ),
        (
            "unreachable",
            None,
            &["-k", "--retry=0", "--server", &closed.address],
            &input,
            5,
        ),
        (
            "well",
            Some(FaultServer::ok()),
            &["--batch-records=2"],
            &input,
            0,
        ),
        (
            "partial",
            Some(FaultServer::serving([
                ok(),
                code(5),
                status(Code::Unavailable, ""),
                ok(),
            ])),
            &["--batch-records=1", "--concurrency=1", "--retry-delay=1ms"],
            &input,
            3,
        ),
        (
            "code",
            Some(FaultServer::serving([code(5)])),
            &[],
            &input,
            7,
        ),
        (
            "denied",
            Some(FaultServer::serving([http(401)])),
            &[],
            &input,
            80,
        ),
        (
            "shard",
            Some(FaultServer::ok()),
            &["--shard=1/2"],
            &input,
            0,
        ),
        (
            "refused again",
            Some(FaultServer::ok()),
            &["--refuse-past"],
            &input,
            4,
        ),
        (
            "no such certificate",
            None,
            &["--cacert=/nowhere", "--server=localhost:1"],
            &input,
            2,
        ),
        ("empty", Some(FaultServer::ok()), &[], b"", 0),
    ] {
        let flags = [flags, &["--metrics-file", file.str()]].concat();
        let before = now().floor();
        let args = server
            .as_ref()
            .map_or_else(|| without_server(&flags), |server| server.args(&flags));
        let run = run_with_input(args, input).exits(exit).counts_add_up();
        let text = file.read();
        let json = run.json();
        same_counts(&text, &json);
        let at = sample(&text, "last_run_timestamp_seconds").expect("a time");
        assert!((before..=now()).contains(&at), "{what}: {text}");
        if exit == 0 {
            last_success = Some(at);
        }
        let success = sample(&text, "last_success_timestamp_seconds");
        assert_eq!(success, last_success, "{what}: {text}");
        let earliest = sample(&text, "earliest_expiry_timestamp_seconds");
        let expected = (input.len() > 30 && exit != 2).then_some(1e9);
        if what != "refused again" {
            assert_eq!(earliest, expected, "{what}: {text}");
        }
        assert_eq!(file.mode(), 0o644, "{what}");
        is_a_textfile(&text);
        assert!(!text.contains("sensor-0"), "{text}");
    }
    file.is_alone();
}

#[test]
fn the_caller_s_mask_changes_no_mode() {
    let server = FaultServer::ok();
    for mask in ["077", "000", "027"] {
        let (metrics, rejects, ledger) = (
            TempFile::absent("m"),
            TempFile::absent("r"),
            TempFile::absent("l"),
        );
        let flags = [
            "--metrics-file",
            metrics.str(),
            "--rejects",
            rejects.str(),
            "--ledger",
            ledger.str(),
        ];
        run_after(&format!("umask {mask};"), server.args(&flags), &records(2)).exits(0);
        assert_eq!(
            (metrics.mode(), rejects.mode(), ledger.mode()),
            (0o644, 0o600, 0o600),
            "{mask}"
        );
    }
}

#[test]
fn metrics_are_replaced_whole() {
    let file = TempFile::absent("push.prom");
    file.write("sensor_license_last_success_timestamp_seconds 12.5\nold\n");
    // While the push runs the old ones stand.
    let server = FaultServer::serving([Action::NeverAnswer]);
    let child = start(
        server.args(&["--metrics-file", file.str(), "--timeout=1h"]),
        &records(1),
    );
    server.wait_for_attempts(1);
    assert!(file.read().ends_with("old\n"));
    let reader = fs::File::open(&file.path).expect("there");
    send_signal(&child, Signal::INT);
    send_signal(&child, Signal::TERM);
    child.wait_with_output().expect("it ends");
    // Ended at once, it has written none.
    assert!(file.read().ends_with("old\n"));
    FaultServer::serving([code(5)])
        .push(&["--metrics-file", file.str()], &records(1))
        .exits(7);
    assert_eq!(
        sample(&file.read(), "last_success_timestamp_seconds"),
        Some(12.5)
    );
    assert!(!file.read().contains("old"));
    let old = std::io::read_to_string(reader).expect("text");
    assert!(
        old.ends_with("old\n"),
        "who reads it has the old ones: {old}"
    );
    // What is no number was no time of a success.
    file.write("sensor_license_last_success_timestamp_seconds soon\n");
    FaultServer::serving([code(5)])
        .push(&["--metrics-file", file.str()], &records(1))
        .exits(7);
    assert_eq!(sample(&file.read(), "last_success_timestamp_seconds"), None);
}

#[test]
fn a_dry_run_contacts_nobody() {
    let server = FaultServer::ok();
    let file = TempFile::absent("rejects.csv");
    let metrics = TempFile::absent("push.prom");
    let ledger = TempFile::absent("ledger");
    server
        .push(&["--ledger", ledger.str()], &records(2))
        .exits(0);
    let detailed = ["--dry-run", "--detailed-exitcode"];
    for (flags, input, exit, unsent) in [
        (&["--dry-run"][..], &records(3)[..], 0, 3),
        (&["-n"], &records(3), 0, 3),
        (&detailed, &records(3), 20, 3),
        (&detailed, b"", 0, 0),
        (&detailed, b"token,expire_time\na,b\n", 4, 0),
        (&["--dry-run"], b"token,expire_time\na,b\n", 4, 0),
        (
            &["--dry-run", "--detailed-exitcode", "--ledger", ledger.str()],
            &records(2),
            0,
            0,
        ),
        (
            &["--dry-run", "--detailed-exitcode", "--ledger", ledger.str()],
            &records(5),
            20,
            3,
        ),
        (
            &[
                "--dry-run",
                "--detailed-exitcode",
                "--full",
                "--ledger",
                ledger.str(),
            ],
            &records(2),
            20,
            2,
        ),
        (
            &[
                "--dry-run",
                "--rejects",
                file.str(),
                "--metrics-file",
                metrics.str(),
            ],
            &records(3),
            0,
            3,
        ),
    ] {
        let run = server
            .push(flags, input)
            .exits(exit)
            .counts("unsent", unsent)
            .counts("acknowledged", 0);
        let status = if exit == 4 { "refused" } else { "ok" };
        assert_eq!(run.json()["status"], status, "{flags:?}");
        assert_eq!(run.json()["error"].is_null(), exit != 4, "{flags:?}");
        assert_eq!(run.request_count("sent"), 0, "{flags:?}");
    }
    assert!(!file.path.exists() && !metrics.path.exists());
    assert_eq!(server.connection_count(), 1);
    // What would keep a push from starting is found all the same.
    let args = [
        "push",
        "-n",
        "--server=localhost:1",
        "--cacert=/nowhere",
        "--output=json",
    ];
    run_with_input(args, &records(1)).exits(2);
    for args in [
        &["push", "--detailed-exitcode", "--server=localhost:1"][..],
        &["push", "-n", "--rehearse"],
    ] {
        run_with_input(args, &records(1)).exits(2);
    }
}

#[test]
fn shards_share_everything_out() {
    let all: BTreeSet<String> = (0..200).map(token).collect();
    for count in [1, 2, 3, 7] {
        let server = FaultServer::ok();
        let mut sent = Vec::new();
        for index in 0..count {
            let before = server.attempt_count();
            let shard = format!("--shard={index}/{count}");
            let run = server.push(&[&shard], &records(200)).exits(0);
            let traffic = server.traffic();
            let part: Vec<String> = traffic.attempts[before..]
                .iter()
                .flat_map(|one| one.tokens())
                .map(ToOwned::to_owned)
                .collect();
            assert_eq!(part.len() as u64, run.count("acknowledged"));
            assert_eq!(200 - part.len() as u64, run.count("other_shard"));
            // None is far from its share.
            assert!(
                part.len() * count > 100 && part.len() * count < 400,
                "{}",
                part.len()
            );
            sent.extend(part);
        }
        assert_eq!(sent.len(), 200, "{count}");
        assert_eq!(
            sent.iter().cloned().collect::<BTreeSet<_>>(),
            all,
            "{count}"
        );
    }
    // What is another machine's is none of the rejects'.
    let file = TempFile::absent("rejects.csv");
    let run = FaultServer::serving([code(5)])
        .push(&["--shard=0/2", "--rejects", file.str()], &records(50))
        .exits(7);
    assert_eq!(rejects(&file.path).len() as u64, run.count("rejected"));
    // A shard that has nothing to do connects to nobody.
    let server = FaultServer::ok();
    let runs: Vec<_> = (0..2)
        .map(|index| {
            server
                .push(&[&format!("--shard={index}/2")], &records(1))
                .exits(0)
        })
        .collect();
    assert_eq!(
        runs.iter()
            .map(|run| run.count("acknowledged"))
            .sum::<u64>(),
        1
    );
    assert_eq!(server.connection_count(), 1);
    for shard in [
        "", "0", "1/1", "2/2", "0/0", "-1/2", "a/b", "0/2/3", "1.0/2", "0/", "/2", " 0/2", "0/-2",
    ] {
        run_with_input(server.args(&[&format!("--shard={shard}")]), &records(1))
            .exits(2)
            .stderr_contains("--shard");
    }
}

#[test]
fn no_second_has_more_records_than_the_rate() {
    for (answers, flags, limit, count) in [
        (vec![ok()], &["--rate=20", "--batch-records=7"][..], 20, 50),
        (
            vec![ok()],
            &["--rate=20", "--batch-records=1", "--concurrency=30"],
            20,
            45,
        ),
        (vec![ok()], &["--rate=10"], 10, 25),
        (
            vec![
                status(Code::Unavailable, ""),
                ok(),
                status(Code::Unavailable, ""),
                Action::Delay(Duration::from_millis(700), ok().into()),
                ok(),
            ],
            &["--rate=10", "--batch-records=4", "--retry-delay=1ms"],
            10,
            20,
        ),
        (
            vec![Action::IfLargerThan(
                50,
                status(Code::OutOfRange, "message size").into(),
            )],
            &["--rate=10", "--batch-records=8", "--concurrency=2"],
            10,
            16,
        ),
    ] {
        let server = FaultServer::serving(answers);
        server.push(flags, &records(count)).exits(0);
        let traffic = server.traffic();
        let second = Duration::from_secs(1);
        for from in &traffic.attempts {
            let within = |at: Instant| at >= from.at && at < from.at + second;
            let got: usize = traffic
                .attempts
                .iter()
                .filter(|one| within(one.at))
                .map(|one| one.records.len())
                .sum();
            assert!(
                got <= limit,
                "{got} in a second, {flags:?}: {:#?}",
                traffic.attempts
            );
        }
    }
    for rate in ["0", "-1", "x", "1.5"] {
        let flag = format!("--rate={rate}");
        run_with_input(FaultServer::ok().args(&[&flag]), &records(1)).exits(2);
    }
}

#[test]
fn so_many_requests_are_open_at_once() {
    for concurrency in [1, 3, 9] {
        let server = FaultServer::serving([Action::NeverAnswer]);
        let concurrency_flag = format!("--concurrency={concurrency}");
        let flags = [
            &concurrency_flag,
            "--batch-records=1",
            "--retry=0",
            "--timeout=500ms",
        ];
        server
            .push(&flags, &records(20))
            .exits(68)
            .counts("unsent", 20);
        assert_eq!(server.attempt_count(), concurrency);
    }
    // No more than there is to send.
    let server = FaultServer::serving([Action::NeverAnswer]);
    let flags = [
        "--concurrency=9",
        "--batch-records=1",
        "--retry=0",
        "--timeout=500ms",
    ];
    server.push(&flags, &records(2)).exits(68);
    assert_eq!(server.attempt_count(), 2);
    for concurrency in ["0", "-1", "x"] {
        let flag = format!("--concurrency={concurrency}");
        run_with_input(server.args(&[&flag]), &records(1)).exits(2);
    }
}

#[test]
fn the_whole_run_s_limit_ends_it_in_the_midst() {
    for (answers, exit) in [
        (vec![ok(), ok(), Action::NeverAnswer], 3),
        (
            vec![ok(), ok(), Action::Reject(Response::pushback("60000"))],
            3,
        ),
        (vec![Action::NeverAnswer], 68),
    ] {
        let started = Instant::now();
        let server = FaultServer::serving(answers);
        let (file, ledger) = (TempFile::absent("rejects.csv"), TempFile::absent("ledger"));
        let flags = [
            "--max-time=700ms",
            "--timeout=1h",
            "--batch-records=1",
            "--concurrency=1",
            "--servername=localhost",
            "--rejects",
            file.str(),
            "--ledger",
            ledger.str(),
        ];
        let run = server.push(&flags, &records(5)).exits(exit);
        assert!(started.elapsed() < Duration::from_secs(20));
        let left = rejects(&file.path).len() as u64;
        assert_eq!(left, 5 - run.count("acknowledged"));
        FaultServer::ok()
            .push(&flags, &records(5))
            .exits(0)
            .counts("acknowledged", left);
    }
}

#[test]
fn an_output_that_is_full_ends_the_push() {
    // At its end, when little was to be written.
    for (flags, answers) in [
        (&["--rejects", "/dev/full"][..], vec![ok()]),
        (&["--rejects", "/dev/full"], vec![code(5)]),
        (&["--metrics-file", "/dev/full"], vec![ok()]),
        (&["--metrics-file", "/dev/full"], vec![code(5)]),
        (
            &["--rejects", "/dev/full", "--metrics-file", "/dev/full"],
            vec![ok()],
        ),
    ] {
        let server = FaultServer::serving(answers);
        let run = server
            .push(flags, &records(3))
            .exits(1)
            .stderr_contains("/dev/full");
        assert_eq!(run.json()["status"], "failed", "{flags:?}");
    }
    // What else went wrong is told with it.
    for flag in ["--rejects", "--metrics-file"] {
        FaultServer::serving([code(5)])
            .push(&[flag, "/dev/full"], &records(3))
            .exits(1)
            .stderr_contains("/dev/full")
            .stderr_contains("code 5")
            .counts("rejected", 3);
    }
    // In its midst: no more is sent.
    let server = FaultServer::serving([code(5)]);
    let flags = [
        "--batch-records=100",
        "--concurrency=2",
        "--rejects",
        "/dev/full",
    ];
    let run = server
        .push(&flags, &records(10_000))
        .exits(1)
        .stderr_contains("/dev/full");
    let tries = server.attempt_count();
    assert!(tries < 20, "{tries}");
    assert!(run.count("unsent") > 8000, "{run:#?}");
    // Standard output.
    for exit_before in [0, 5] {
        let server = FaultServer::serving([code(exit_before)]);
        let full = fs::File::options()
            .write(true)
            .open("/dev/full")
            .expect("a full device");
        let mut child = command(server.args(&[]))
            .stdin(Stdio::piped())
            .stdout(full)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut stdin = child.stdin.take().expect("a pipe");
        std::io::Write::write_all(&mut stdin, &records(3)).expect("read");
        drop(stdin);
        let run = finish(child);
        run.exits(1)
            .stderr_contains("standard output can't be written");
    }
}

#[test]
fn a_disk_that_fills_up_ends_the_push() {
    // No file may be longer than so many blocks of 512 bytes.
    let limit = |blocks: usize| format!("trap '' XFSZ; ulimit -f {blocks};");
    let server = FaultServer::ok();
    let ledger = TempFile::absent("ledger");
    let file = TempFile::absent("rejects.csv");
    let flags = [
        "--batch-records=1",
        "--concurrency=2",
        "--servername=localhost",
        "--ledger",
        ledger.str(),
        "--rejects",
        file.str(),
    ];
    let run = run_after(&limit(1000), server.args(&flags), &records(1500))
        .exits(1)
        .counts_add_up()
        .stderr_contains("ledger can't be used as the ledger")
        .hides(TOKEN_PREFIX);
    assert_eq!(run.json()["status"], "failed");
    let acknowledged = run.count("acknowledged");
    assert!(acknowledged > 0 && run.count("unsent") > 0, "{run:#?}");
    assert_eq!(server.traffic().acknowledged().len() as u64, acknowledged);
    assert_eq!(rejects(&file.path).len() as u64, 1500 - acknowledged);
    // What it holds is right, and the next push goes on from there.
    let good = FaultServer::ok();
    let run = good.push(&flags, &records(1500)).exits(0);
    assert!(run.count("unchanged") > 0, "{run:#?}");
    assert!(run.count("unchanged") <= acknowledged, "{run:#?}");
    good.push(&flags, &records(1500))
        .exits(0)
        .counts("unchanged", 1500);

    // One with no room from the start: nothing is sent.
    let server = FaultServer::ok();
    let ledger = TempFile::absent("ledger");
    run_after(
        &limit(8),
        server.args(&["--ledger", ledger.str()]),
        &records(3),
    )
    .exits(1)
    .counts_add_up()
    .stderr_contains("ledger can't be used as the ledger")
    .counts("unsent", 3);
    assert!(server.traffic().attempts.is_empty());

    // Rejects and metrics: what was there before stays.
    let server = FaultServer::serving([code(5)]);
    file.write("old");
    let flags = ["--batch-records=10", "--rejects", file.str()];
    let run = run_after(&limit(8), server.args(&flags), &records(3000))
        .exits(1)
        .counts_add_up()
        .stderr_contains("rejects.csv can't be written");
    assert!(run.count("unsent") > 0, "{run:#?}");
    assert_eq!(file.read(), "old");
    file.is_alone();
    let flags = ["--metrics-file", file.str()];
    run_after(&limit(1), FaultServer::ok().args(&flags), &records(3))
        .exits(1)
        .counts_add_up()
        .stderr_contains("rejects.csv can't be written")
        .counts("acknowledged", 3);
    assert_eq!(file.read(), "old");
}

#[test]
fn one_file_is_one_output() {
    let server = FaultServer::ok();
    let file = TempFile::absent("file");
    let link = &*file.link("link");
    for flags in [
        ["--rejects", file.str(), "--ledger", file.str()],
        ["--metrics-file", file.str(), "--ledger", file.str()],
        ["--rejects", file.str(), "--metrics-file", file.str()],
        ["--rejects", link, "--ledger", file.str()],
    ] {
        let run = server.push(&flags, &records(1)).exits(2);
        assert!(run.stderr.contains("the same file"), "{run:#?}");
        // A ledger that is there is not replaced by anything else.
        server.push(&["--ledger", file.str()], &records(1)).exits(0);
        let before = fs::read(&file.path).expect("read");
        server.push(&flags, &records(1)).exits(2);
        assert!(fs::read(&file.path).expect("read") == before, "{flags:?}");
        fs::remove_file(&file.path).expect("removed");
    }
    server
        .push(
            &["--rejects=/dev/null", "--metrics-file=/dev/null"],
            &records(1),
        )
        .exits(0);
}

#[test]
fn no_token_is_shown_by_any_output_but_the_rejects() {
    let echo = "sensor-00001 and c2Vuc29yLTAwMDAx and x-secret-value";
    for answer in [
        ok(),
        code(5),
        status(Code::InvalidArgument, echo),
        status(Code::Internal, echo),
    ] {
        let server = FaultServer::serving([answer]);
        let (rejects, metrics, ledger) = (
            TempFile::absent("r"),
            TempFile::absent("m"),
            TempFile::absent("l"),
        );
        for more in [
            &[][..],
            &["--isolate"],
            &["--full"],
            &["--refuse-shortened"],
        ] {
            let flags = [
                "--header=x-key: x-secret-value",
                "--rejects",
                rejects.str(),
                "--metrics-file",
                metrics.str(),
                "--ledger",
                ledger.str(),
            ];
            let flags = [&flags[..], more].concat();
            let run = server.push(&flags, &records(3));
            let text = format!("{}{}{}", run.stdout, run.stderr, metrics.read());
            let held = fs::read(&ledger.path).expect("read");
            for secret in ["sensor-0", "x-secret-value"] {
                assert!(!text.contains(secret), "{secret} in {text}");
                let found = held
                    .windows(secret.len())
                    .any(|bytes| bytes == secret.as_bytes());
                assert!(!found, "{secret} in the ledger");
            }
            assert!(!rejects.read().contains("x-secret-value"));
        }
    }
}

#[test]
fn an_input_that_changes_loses_nothing_in_its_own_rejects() {
    // The receiver's answers take their time, so that the file can change before it is read again.
    let receiver = Receiver::with(["--delay=300ms"]);
    let file = TempFile::absent("records.csv");
    let content = records(100_000);
    file.write(&content);
    let mut args = receiver.push_args();
    let flags = [
        "--output=json",
        "--batch-records=1000",
        "--concurrency=1",
        "--rejects",
        file.str(),
        file.str(),
    ];
    args.extend(flags.iter().map(|&flag| flag.to_owned()));
    let child = start(args, b"");
    receiver.wait_for_connection();
    let changed = String::from_utf8(content)
        .expect("UTF-8")
        .replace(",4070908800", ",4070908801");
    fs::write(&file.path, &changed).expect("changed");
    let run = finish(child);
    let run = run.counts_add_up().stderr_contains("changed");
    assert!([3, 4].contains(&run.code), "{run:#?}");
    assert!(
        fs::read_to_string(&file.path).expect("text") == changed,
        "it was replaced by a part"
    );
}

#[test]
fn rejects_count_in_the_unit_of_the_push() {
    let path = TempFile::new("a.csv", "token,expire_time\nabcdefghijkl,1900000000000\n");
    let path = path.str();
    let args = ["push", "-s", "127.0.0.1:1", "--plaintext", "--retry=0"];
    let unit = ["--time-unit=ms", "--rejects", path, path];
    run([&args[..], &unit].concat()).exits(5);
    let receiver = Receiver::start();
    receiver.push(unit).exits(0);
    assert_eq!(receiver.stop().rows, b"abcdefghijkl,1900000000\n");
}

/// What a push writes to a terminal of so many columns that its standard error is.
fn on_a_terminal(receiver: &Receiver, columns: u16, flags: &[&str]) -> String {
    use std::io::Read;

    use rustix::{
        fs::{Mode, OFlags},
        pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
        termios::{Winsize, tcsetwinsize},
    };
    let flags_of_terminal = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    let master = openpt(flags_of_terminal).expect("a terminal");
    grantpt(&master).expect("granted");
    unlockpt(&master).expect("unlocked");
    let name = ptsname(&master, Vec::new()).expect("its name");
    let size = Winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&master, size).expect("sized");
    let terminal = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
    let input = TempFile::new("a.csv", "token,expire_time\na,1\nb,1\nc,1\n");
    let mut args = receiver.push_args();
    args.extend(flags.iter().map(|&flag| flag.to_owned()));
    args.push(input.str().to_owned());
    let mut command = command(args);
    command.stderr(terminal.expect("opened"));
    let reader = thread::spawn(move || {
        let mut shown = Vec::new();
        // Its end is an error, once nobody has the terminal open.
        let _ = fs::File::from(master).read_to_end(&mut shown);
        String::from_utf8_lossy(&shown).into_owned()
    });
    let output = command.output().expect("it runs");
    drop(command);
    assert!(output.status.success(), "{output:?}");
    reader.join().expect("read")
}

#[test]
fn a_terminal_is_shown_how_far_the_push_is() {
    let receiver = Receiver::with(["--delay=200ms"]);
    let singly = ["--batch-records=1", "--concurrency=1"];
    for columns in [1, 20, 40] {
        let shown = on_a_terminal(&receiver, columns, &singly);
        let (_, frames) = shown.split_once("\r\n\r").expect("a warning and frames");
        for frame in frames.split('\r') {
            let width = frame.trim_end_matches("\u{1b}[K").chars().count();
            assert!(width <= columns.into(), "{columns}: {shown:?}");
        }
    }
    let shown = on_a_terminal(&receiver, 80, &singly);
    assert!(shown.contains(" 2/3 ["), "{shown:?}");
    assert!(shown.ends_with("\r\u{1b}[K"), "{shown:?}");
    for flag in ["--progress=never", "--quiet"] {
        let shown = on_a_terminal(&receiver, 80, &[&singly[..], &[flag]].concat());
        assert!(!shown.contains("/3 ["), "{flag}: {shown:?}");
    }
    // Anything else than a terminal is for programs to read.
    let run = receiver
        .push_input(singly, b"token,expire_time\na,4070908800\n")
        .exits(0);
    assert_eq!(run.stderr, "");
}
