//! `ledger show` and `ledger forget`.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::THREE_RECORDS;

use crate::support::{
    files::{TempFile, utf8},
    program::{Run, run, run_with_input},
    receiver::Receiver,
};

/// A ledger of successful pushes to two servers.
struct FilledLedger {
    receivers: [Receiver; 2],
    folder: TempDir,
}

impl FilledLedger {
    fn new() -> Self {
        let filled = Self {
            receivers: [Receiver::start(), Receiver::start()],
            folder: tempfile::tempdir().expect("a folder"),
        };
        for receiver in &filled.receivers {
            filled.push(receiver).exits(0);
        }
        filled
    }

    fn path(&self) -> String {
        let path = self.folder.path().join("ledger");
        utf8(&path).to_owned()
    }

    fn push(&self, receiver: &Receiver) -> Run {
        receiver.push_input(["--output=json", "--ledger", &self.path()], THREE_RECORDS)
    }

    /// Pushes to each server again, and returns the number of unchanged records of each push.
    fn unchanged(&self) -> [u64; 2] {
        self.receivers
            .each_ref()
            .map(|receiver| self.push(receiver).exits(0).count("unchanged"))
    }

    fn ledger(&self, command: &str, flags: &[&str]) -> Run {
        run([&["ledger", command, "--ledger", &self.path()], flags].concat())
    }

    fn show(&self) -> Value {
        self.ledger("show", &["--output=json"]).exits(0).json()
    }
}

#[test]
fn show_lists_servers_and_runs() {
    let filled = FilledLedger::new();
    // A failed push is listed as a run, and not as a success.
    let gone = Receiver::start();
    let address = gone.address.clone();
    let args = gone.push_args();
    drop(gone);
    let mut args: Vec<_> = args.into_iter().collect();
    args.extend(["--retry=0", "--ledger"].map(Into::into));
    args.push(filled.path());
    run_with_input(args, THREE_RECORDS).exits(2);
    let plain = [
        "push",
        "-s",
        &address,
        "-k",
        "--retry=0",
        "--ledger",
        &filled.path(),
    ];
    run_with_input(plain, THREE_RECORDS).exits(5);

    let shown = filled.show();
    let targets = shown["targets"].as_array().expect("targets");
    assert_eq!(targets.len(), 3);
    for target in targets {
        let name = target["target"].as_str().expect("a name");
        assert_eq!(target["method"], "/Internal/UpdateSensorExpireTime");
        if name == address {
            assert_eq!(target["tokens"], 0);
            assert_eq!(target["last_success"], Value::Null);
            assert_eq!(target["runs"][0]["exit_code"], 5);
            assert_eq!(target["runs"][0]["status"], "failed");
            continue;
        }
        assert_eq!(target["tokens"], 3);
        assert_eq!(
            target["soonest"],
            json!([
                {"expire_time": 4_070_908_800_u32, "tokens": 2},
                {"expire_time": 4_070_908_801_u32, "tokens": 1}
            ])
        );
        let last = &target["runs"][0];
        assert_eq!(last["input"], "standard input");
        assert_eq!(
            (&last["read"], &last["acknowledged"]),
            (&json!(3), &json!(3))
        );
        assert_eq!(target["last_success"], last["ended"]);
    }
    let text = filled.ledger("show", &[]).exits(0).stdout;
    for text in [
        &format!("{address} /Internal/UpdateSensorExpireTime: 0 tokens, last success never")[..],
        "3 tokens, last success 20",
        "expires 2099-01-01T00:00:00Z: 2 tokens",
        "push of standard input at 20",
        ": ok (0), 3 read, 3 acknowledged",
        ": failed (5), 3 read, 3 unsent",
    ] {
        assert!(text.contains(text), "no {text:?} in {text}");
    }
    assert!(!text.contains("sensor-0"), "{text}");
}

#[test]
fn forgotten_records_are_sent_again() {
    let filled = FilledLedger::new();
    assert_eq!(filled.unchanged(), [3, 3]);
    let first = filled.receivers[0].address.clone();
    let forgotten = |flags: &[&str], tokens: u64| {
        let flags = [flags, &["--output=json"]].concat();
        let run = filled.ledger("forget", &flags).exits(0);
        assert_eq!(run.json()["forgotten"], tokens, "{flags:?}");
    };
    forgotten(&["--target", &first], 3);
    assert_eq!(filled.unchanged(), [0, 3]);
    // The files with tokens need no expiration times.
    for (name, content) in [
        ("tokens.csv", "device_token\nsensor-0002\nsensor-9999\n"),
        (
            "tokens.csv",
            "device_token,expire_time,reason\nsensor-0002,1,\"no\"\n",
        ),
        ("tokens.json", r#"[{"token":"sensor-0002"}]"#),
        ("tokens.ndjson", "{\"token\":\"sensor-0002\"}\n"),
    ] {
        let tokens = TempFile::new(name, content);
        forgotten(&["--tokens", tokens.str()], 2);
        assert_eq!(filled.unchanged(), [2, 2], "{name}");
    }
    let hex = TempFile::new("tokens", "73656e736f722d30303032\n");
    let hex = hex.str();
    let flags = ["--tokens", hex, "--no-header", "--token-encoding=hex"];
    forgotten(&[&flags[..], &["--input-format=csv"]].concat(), 2);
    assert_eq!(filled.unchanged(), [2, 2]);
    forgotten(&["--all"], 6);
    assert_eq!(filled.show(), json!({"targets": []}));
    let text = filled.ledger("show", &[]).exits(0).stdout;
    assert_eq!(text, "the ledger is empty\n");
    assert_eq!(filled.unchanged(), [0, 0]);
}

#[test]
fn failed_forget_does_not_change_the_ledger() {
    let filled = FilledLedger::new();
    let bad = TempFile::new("bad.csv", "device_token\nsensor-0001\n \n");
    for (flags, exit, text) in [
        (&["--target", "elsewhere:1"][..], 2, "--target: 127.0.0.1:"),
        (&["--tokens", bad.str()], 4, "nothing was forgotten"),
        (&["--tokens", "/nowhere"], 4, "/nowhere"),
        (&[], 2, "--all"),
        (&["--all", "--target=x"], 2, "cannot be used with"),
    ] {
        filled
            .ledger("forget", flags)
            .exits(exit)
            .stderr_contains(text);
    }
    // A first row that looks like a header row may be a token, so the error must not quote the row.
    let bare = TempFile::new("bare.csv", "sensor_abc\nsensor_def\n");
    let flags = ["--tokens", bare.str()];
    let run = filled
        .ledger("forget", &flags)
        .exits(4)
        .stderr_contains("--no-header");
    assert!(!run.stderr.contains("sensor_abc"), "{run:?}");
    assert_eq!(filled.unchanged(), [3, 3]);
}

#[test]
fn show_answers_for_tokens() {
    const HEADER: &str = "device_token,expire_time,target,method\n";
    let filled = FilledLedger::new();
    // The second server has a later time for one token.
    let changed = b"token,expire_time\nsensor-0002,4070909999\n";
    let flags = ["--output=json", "--ledger", &filled.path()];
    filled.receivers[1].push_input(flags, changed).exits(0);
    let times = [4_070_908_800_u32, 4_070_909_999];
    let mut targets: Vec<_> = filled
        .receivers
        .iter()
        .zip(times)
        .map(|(receiver, time)| (receiver.address.clone(), time))
        .collect();
    targets.sort();
    let method = "/Internal/UpdateSensorExpireTime";
    let known: String = targets
        .iter()
        .map(|(address, time)| format!("sensor-0002,{time},{address},{method}\n"))
        .collect();
    let before = fs::read(filled.path()).expect("read");
    for (name, content, expected) in [
        (
            "tokens.csv",
            "device_token\nsensor-0002\nsensor-9999\n",
            format!("{known}sensor-9999,,,\n"),
        ),
        (
            "tokens.csv",
            "device_token,expire_time\n\"a,b\",x\nsensor-0002,x\nsensor-0002,y\n",
            format!("\"a,b\",,,\n{known}"),
        ),
        ("tokens.json", r#"[{"token":"sensor-0002"}]"#, known.clone()),
        ("tokens.csv", "device_token\n", String::new()),
    ] {
        let tokens = TempFile::new(name, content);
        let run = filled.ledger("show", &["--tokens", tokens.str()]).exits(0);
        assert_eq!(
            run.stdout,
            format!("{HEADER}{expected}"),
            "{name} {content}"
        );
    }
    let hex = TempFile::new("tokens", "73656E736F722D30303032\n");
    let flags = ["--no-header", "--token-encoding=hex", "--input-format=csv"];
    let report = filled.ledger("show", &[&flags[..], &["--tokens", hex.str()]].concat());
    let expected = known.replace("sensor-0002", "73656e736f722d30303032");
    assert_eq!(report.exits(0).stdout, format!("{HEADER}{expected}"));
    let tokens = TempFile::new("tokens.csv", "device_token\nsensor-0002\nsensor-9999\n");
    let report = filled.ledger("show", &["--output=json", "--tokens", tokens.str()]);
    let row = |(address, time): &(String, u32)| json!({"device_token": "sensor-0002", "expire_time": time, "target": address, "method": method});
    let unknown =
        json!({"device_token": "sensor-9999", "expire_time": null, "target": null, "method": null});
    let rows: Vec<_> = targets.iter().map(row).chain([unknown]).collect();
    assert_eq!(report.exits(0).json(), json!({ "tokens": rows }));
    let bad = TempFile::new("bad.csv", "device_token\nsensor-0001\n \n");
    for (tokens, text) in [(bad.str(), "nothing was shown"), ("/nowhere", "/nowhere")] {
        filled
            .ledger("show", &["--tokens", tokens])
            .exits(4)
            .stderr_contains(text);
    }
    assert!(fs::read(filled.path()).expect("read") == before);
    let empty = TempFile::new("ledger", "");
    let args = [
        "ledger",
        "show",
        "--ledger",
        empty.str(),
        "--tokens",
        tokens.str(),
    ];
    let run = run(args).exits(0);
    assert_eq!(
        run.stdout,
        format!("{HEADER}sensor-0002,,,\nsensor-9999,,,\n")
    );
}

#[test]
fn failures_are_json_documents() {
    let filled = FilledLedger::new();
    let path = filled.path();
    let missing = format!("{path}.missing");
    let text = TempFile::new("text", "device_token,expire_time\n");
    for (args, exit, kind) in [
        (&["show", "--ledger", &missing][..], 2, "usage"),
        (&["show", "--ledger", text.str()], 1, "internal"),
        (
            &["show", "--ledger", &path, "--tokens", &missing],
            4,
            "input",
        ),
        (&["show"], 2, "usage"),
        (&["forget", "--ledger", &missing, "--all"], 2, "usage"),
        (
            &["forget", "--ledger", &path, "--tokens", &missing],
            4,
            "input",
        ),
        (&["forget", "--ledger", &path, "--target=x:1"], 2, "usage"),
    ] {
        let report = run([&["ledger"], args, &["--output=json"]].concat());
        let text = run([&["ledger"], args].concat()).exits(exit);
        assert_eq!(text.stdout, "", "{args:?}");
        let first_lines = [&report, &text].map(|run| run.stderr.lines().next());
        assert_eq!(first_lines[0], first_lines[1], "{args:?}");
        let json = report.exits(exit).json();
        assert_eq!(json["exit_code"], exit, "{args:?}");
        let error = json["error"].as_object().expect("an error");
        let keys: Vec<_> = error.keys().collect();
        assert_eq!(keys, ["causes", "hint", "kind", "message", "problems"]);
        assert_eq!(error["kind"], kind, "{args:?}");
    }
}

#[test]
fn commands_reject_files_that_are_not_ledgers() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("missing");
    let text = TempFile::new("text", "device_token,expire_time\n");
    for command in [&["show"][..], &["forget", "--all"]] {
        let on = |path: &Path| {
            let args = ["--ledger", utf8(path)];
            run([&["ledger"], command, &args].concat())
        };
        on(&missing)
            .exits(2)
            .stderr_contains("the file does not exist");
        assert!(!missing.exists());
        on(&text.path)
            .exits(1)
            .stderr_contains("the file is not a ledger");
        assert_eq!(
            fs::read(&text.path).expect("read"),
            b"device_token,expire_time\n"
        );
        on(folder.path()).exits(1);
    }
}
