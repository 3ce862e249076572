//! `probe`: the stages of a connection, and the options that it suggests.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::{BASE64, HEXLOWER};
use rcgen::SanType;
use serde_json::Value;

use crate::support::{
    certificates::{CertificateFolder, as_ca, authority, expired, not_yet_valid, params},
    probe::{suggested_flags, with_suggested_flags},
    program::{Run, run, run_with_input},
    receiver::Receiver,
    records::ONE_RECORD,
    tcp_server::{ClosedPort, server_answering, silent_server},
};

const STAGES: [&str; 6] = ["DNS", "TCP", "proxy", "TLS", "HTTP/2", "RPC"];

fn probe(server: &str, flags: &[&str]) -> Run {
    run([&["probe", "--output=json", "-s", server], flags].concat())
}

/// Returns the names of the passed stages, and the name of the failed stage, if any.
fn stages(report: &Value) -> (Vec<String>, Option<String>) {
    let schema = include_str!("../../docs/probe.schema.json");
    let schema = serde_json::from_str(schema).expect("JSON");
    assert!(jsonschema::is_valid(&schema, report), "{report}");
    let mut passed = Vec::new();
    let mut failed = None;
    for stage in report["stages"].as_array().expect("stages") {
        let name = stage["name"].as_str().expect("a name").to_owned();
        assert!(stage["seconds"].is_number() && stage["detail"].is_string());
        assert_eq!(failed, None, "nothing follows a failed stage: {report}");
        if stage["ok"] == true {
            passed.push(name);
        } else {
            failed = Some(name);
        }
    }
    (passed, failed)
}

/// Pushes with the options that `probe` suggests.
fn push_as_suggested(server: &str, given: &[&str], report: &Value) -> Run {
    let given = [&["-s", server], given].concat();
    run_with_input(with_suggested_flags("push", &given, report), ONE_RECORD)
}

/// Returns the DER bytes of the first certificate in a PEM file.
fn der(file: &str) -> Vec<u8> {
    let pem = fs::read_to_string(file).expect("read");
    let lines = pem
        .lines()
        .skip(1)
        .take_while(|line| !line.starts_with("-----"));
    BASE64
        .decode(lines.collect::<String>().as_bytes())
        .expect("base64")
}

#[test]
fn successful_probe_reports_all_stages() {
    let receiver = Receiver::start();
    let cacert = receiver.cacert();
    let run = probe(&receiver.address, &["--cacert", &cacert]).exits(0);
    let report = run.json();
    assert_eq!(stages(&report), (STAGES.map(str::to_owned).into(), None));
    assert_eq!(report["exit_code"], 0);
    assert_eq!(report["error"], Value::Null);
    assert_eq!(report["verdict"], "push would work");
    let detail = |stage: usize| report["stages"][stage]["detail"].as_str().expect("text");
    for (stage, text) in [
        (1, &receiver.address[..]),
        (3, "TLS 1.3, TLS13_"),
        (3, "X25519MLKEM768"),
        (3, "ALPN h2"),
        (3, "trusted: pinned certificate"),
        (5, "/Internal/UpdateSensorExpireTime not refused"),
        (5, "health: SERVING"),
        (5, "services: Internal"),
    ] {
        assert!(detail(stage).contains(text), "{text}: {report}");
    }
    let certificate = &report["certificate"];
    assert_eq!(certificate["subject"], "CN=localhost");
    assert_eq!(certificate["issuer"], "CN=localhost");
    assert_eq!(
        certificate["san"],
        serde_json::json!(["localhost", "127.0.0.1", "::1"])
    );
    let hash = digest(&SHA256, &der(&receiver.cacert()));
    assert_eq!(certificate["sha256"], HEXLOWER.encode(hash.as_ref()));
    for date in ["not_before", "not_after"] {
        let date = certificate[date].as_str().expect("a date");
        assert!(date.parse::<jiff::Timestamp>().is_ok(), "{date}");
    }
    assert_eq!(suggested_flags(&report), [""; 0]);
}

#[test]
fn text_report_has_a_line_per_stage() {
    let receiver = Receiver::start();
    let shown = run(receiver.args_of("probe")).exits(0);
    assert_eq!(shown.stderr, "");
    let starts: Vec<_> = shown
        .stdout
        .lines()
        .filter(|line| !line.starts_with(' '))
        .map(|line| line.split_whitespace().next().expect("a word"))
        .collect();
    assert_eq!(
        starts,
        [&STAGES[..], &["verdict:"]].concat(),
        "{}",
        shown.stdout
    );
    let labels: Vec<_> = shown
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("        ")?.split_whitespace().next())
        .collect();
    assert_eq!(labels, ["subject", "SAN", "issuer", "valid", "SHA-256"]);
    assert!(shown.stdout.contains("days left)"), "{}", shown.stdout);
    let mut quiet = receiver.args_of("probe");
    quiet.push("-q".into());
    let quiet = run(quiet).exits(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
}

#[test]
fn suggested_options_make_push_work() {
    let files = CertificateFolder::new();
    let ca = authority(params(Some("Test CA"), &[]));
    let ca_file = &*files.write(ca.pem());
    let named = files.issued_by(&ca, &params(None, &["license.test", "other.test"]));
    let common_name = files.issued_by(&ca, &params(Some("license.test"), &[]));
    let pinned = files.self_signed(&as_ca(params(Some("license.test"), &[])));
    let pinned_file = &pinned.cert;
    for (name, identity, given, suggested) in [
        (
            "server name",
            &named,
            &["--cacert", ca_file][..],
            &["--servername", "license.test"][..],
        ),
        (
            "server name in CN",
            &common_name,
            &["--cacert", ca_file],
            &["--servername", "license.test", "--allow-common-name"],
        ),
        (
            "CN not allowed",
            &common_name,
            &["--cacert", ca_file, "--servername=license.test"],
            &["--allow-common-name"],
        ),
        (
            "server name of a pinned certificate",
            &pinned,
            &["--cacert", pinned_file, "--servername=wrong.test"],
            &["--servername", "license.test"],
        ),
    ] {
        let receiver = Receiver::presenting(identity);
        let run = probe(&receiver.address, given).exits(6);
        let report = run.json();
        assert_eq!(stages(&report).1.as_deref(), Some("TLS"), "{name}");
        assert_eq!(suggested_flags(&report), suggested, "{name}");
        push_as_suggested(&receiver.address, given, &report).exits(0);
    }
    // Only the user can find the right certificate, so the suggested option has the placeholder
    // PEM.
    let receiver = Receiver::presenting(&named);
    let report = probe(&receiver.address, &["--cacert", pinned_file]).json();
    assert_eq!(suggested_flags(&report), ["--cacert", "PEM"]);
    let report = run(["probe", "-s", &receiver.address, "--cacert", ca_file]).exits(6);
    let last = report.stdout.lines().last();
    assert_eq!(last, Some("flags: --servername license.test"));
    // No option helps against an expired certificate, so `probe` suggests none.
    let expired = files.self_signed(&expired(as_ca(params(Some("127.0.0.1"), &[]))));
    let receiver = Receiver::presenting(&expired);
    let run = probe(&receiver.address, &["--cacert", &expired.cert])
        .exits(6)
        .stderr_contains("expired");
    let report = run.json();
    assert_eq!(suggested_flags(&report), [""; 0]);
    assert_eq!(report["certificate"]["not_after"], "2020-05-17T00:00:00Z");
}

#[test]
fn plaintext_and_tls_are_distinguished() {
    let plain = Receiver::with(["--plaintext"]);
    let report = probe(&plain.address, &[]).exits(6).json();
    assert_eq!(stages(&report).1.as_deref(), Some("TLS"));
    assert_eq!(suggested_flags(&report), ["--plaintext"]);
    push_as_suggested(&plain.address, &[], &report).exits(0);
    let report = probe(&plain.address, &["--plaintext"]).exits(0).json();
    assert_eq!(stages(&report).0, STAGES);
    assert_eq!(report["certificate"], Value::Null);
    let tls = Receiver::start();
    let report = probe(&tls.address, &["--plaintext"]).exits(6).json();
    assert_eq!(suggested_flags(&report), ["--plaintext=false"]);
    let cacert = tls.cacert();
    let given = ["--plaintext", "--cacert", &cacert];
    push_as_suggested(&tls.address, &given, &report).exits(0);
}

#[test]
fn unix_socket_passes_all_stages() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = format!("unix:{}", folder.path().join("socket").display());
    let receiver = Receiver::with(["--listen", &path]);
    let cacert = receiver.cacert();
    let report = probe(&path, &["--cacert", &cacert]);
    assert_eq!(stages(&report.exits(0).json()).0, STAGES);
    let report = probe("unix:/nowhere", &["-k"]).exits(5).json();
    assert_eq!(stages(&report).1.as_deref(), Some("TCP"));
}

#[test]
fn rejected_call_fails_the_last_stage() {
    let receiver = Receiver::start();
    let cacert = receiver.cacert();
    let trust = ["--cacert", &cacert];
    let absent = ["--method=/license.v1.Internal/UpdateSensorExpireTime"];
    let given = [&trust[..], &absent].concat();
    let report = probe(&receiver.address, &given)
        .exits(76)
        .stderr_contains("UNIMPLEMENTED")
        .json();
    assert_eq!(stages(&report).1.as_deref(), Some("RPC"));
    // By reflection, the server lists the same service in a different package, so the suggested
    // options work.
    let suggested = [
        "--method",
        "/Internal/UpdateSensorExpireTime",
        "--reflection",
    ];
    assert_eq!(suggested_flags(&report), suggested);
    push_as_suggested(&receiver.address, &given, &report).exits(0);
    assert_eq!(receiver.stop().requests, 1);
}

#[test]
fn failed_stage_is_named() {
    let closed = ClosedPort::new();
    let silent = silent_server();
    let refusing = server_answering(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    let quick = "--connect-timeout=300ms";
    for (server, flags, exit, stage, text) in [
        (
            "no-such-host.invalid:1",
            &[][..],
            5,
            "DNS",
            "failed to lookup",
        ),
        (&closed.address, &[], 5, "TCP", "Connection refused"),
        (&silent, &["-k", quick], 5, "TLS", "timed out after 300ms"),
        (
            &silent,
            &["--plaintext", quick],
            5,
            "HTTP/2",
            "timed out after 300ms",
        ),
        (
            "license.test:1",
            &["-k", quick, "--proxy", &silent],
            5,
            "proxy",
            "timed out after 300ms",
        ),
        (
            "license.test:1",
            &["-k", "--proxy", &refusing],
            5,
            "proxy",
            "HTTP status 403",
        ),
    ] {
        let run = probe(server, flags).exits(exit).stderr_contains(text);
        let report = run.json();
        let (passed, failed) = stages(&report);
        assert_eq!(failed.as_deref(), Some(stage), "{report}");
        assert_eq!(passed, STAGES[..passed.len()], "{report}");
        assert_eq!(report["exit_code"], exit);
        assert_eq!(report["error"]["message"], {
            let verdict = report["verdict"].as_str().expect("text");
            verdict
                .strip_prefix("push would fail: ")
                .expect("a failure")
        });
    }
    run(["probe"]).exits(2).stderr_contains("--server");
    let report = probe("localhost:1", &["--cacert=/nowhere.pem"])
        .exits(2)
        .json();
    assert_eq!(stages(&report), (Vec::new(), None));
    assert_eq!(report["error"]["kind"], "usage");
}

#[test]
fn report_shows_all_names_and_the_validity() {
    let files = CertificateFolder::new();
    let mut uri = params(Some("uri"), &[]);
    let name = "spiffe://test/server".try_into().expect("ASCII");
    uri.subject_alt_names = vec![SanType::URI(name)];
    let with_end = |not_after: SystemTime| {
        let mut params = params(Some("x"), &["x.test"]);
        params.not_after = not_after.into();
        params
    };
    let half_day = Duration::from_secs(12 * 60 * 60);
    let now = SystemTime::now();
    let names: Vec<_> = (0..100).map(|number| format!("h{number}.test")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for (params, texts) in [
        (uri, &["SAN      URI:spiffe://test/server\n"][..]),
        (params(Some("x"), &[]), &["SAN      none\n"]),
        (params(Some("x"), &names), &["h19.test, and 80 more\n"]),
        (
            not_yet_valid(params(Some("x"), &["x.test"])),
            &["(not valid yet)\n"],
        ),
        (expired(params(Some("x"), &["x.test"])), &[" days ago)\n"]),
        (with_end(now - half_day), &["(expired 1 day ago)\n"]),
        (with_end(now + 3 * half_day), &["(1 day left)\n"]),
    ] {
        let receiver = Receiver::presenting(&files.self_signed(&params));
        let probe = run(receiver.args_of("probe")).exits(6);
        for text in texts {
            assert!(
                probe.stdout.contains(text),
                "no {text:?} in {}",
                probe.stdout
            );
        }
    }
}

#[test]
fn certificate_that_expires_soon_causes_a_warning() {
    let receiver = Receiver::start();
    let mut args = receiver.args_of("probe");
    args.extend(["--output=json", "--warn-days=400"].map(Into::into));
    let run = run(args)
        .exits(0)
        .stderr_contains("warning: server certificate expires in 39");
    assert!(run.json()["warnings"][0].is_string());
}
