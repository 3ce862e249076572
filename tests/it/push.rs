//! What is pushed arrives, value by value.

use std::io::{Read, Seek, SeekFrom, Write};

use crate::support::{Receiver, command, file, run, run_with_input, signal_child};
use rustix::process::Signal;

/// The two records of the clients that this program replaces.
const ORIGINALS: &str = "fadfadftetwtwtwt,1232312313\nfadsfadfadfasfdtest,1580962440\n";

#[test]
fn every_format_arrives() {
    let csv = format!("device_token,expire_time\n{ORIGINALS}");
    let bom = format!("\u{feff}{}", csv.replace('\n', "\r\n"));
    let json = r#"[{"device_token":"fadfadftetwtwtwt","expire_time":1232312313},
        {"expireTime":"1580962440","other":[{}],"deviceToken":"fadsfadf\u0061dfasfdtest"}]"#;
    let in_object = format!(r#"{{"made":"by hand","rows":{json},"count":2}}"#);
    for (name, content) in [
        ("a.csv", csv.as_str()),
        ("crlf-with-bom.csv", &bom),
        ("no-newline-at-the-end.csv", csv.trim_end()),
        (
            "blank-lines.csv",
            "\n\r\ndevice_token,expire_time\n\nfadfadftetwtwtwt,1232312313\n\r\n\nfadsfadfadfasfdtest,1580962440\n\n",
        ),
        (
            "quoted.csv",
            "\"device_token\",note,\"expire_time\"\r\n\"fadfadftetwtwtwt\",\"two\nlines, \"\"quoted\"\"\",\"1232312313\"\r\nfadsfadfadfasfdtest,,1580962440",
        ),
        (
            "other-order.csv",
            "expireTime,x,token\n1232312313,,fadfadftetwtwtwt\n1580962440,,fadsfadfadfasfdtest\n",
        ),
        (
            "dates.csv",
            "DeviceToken,ExpireTime\nfadfadftetwtwtwt,2009-01-18T20:58:33Z\nfadsfadfadfasfdtest,2020-02-06 05:14+01:00\n",
        ),
        (
            "a.tsv",
            "device_token\texpire_time\nfadfadftetwtwtwt\t1232312313\nfadsfadfadfasfdtest\t1580962440\n",
        ),
        ("a.json", json),
        ("in-object.json", &in_object),
        (
            "a.ndjson",
            "{\"token\":\"fadfadftetwtwtwt\",\"expire_time\":1232312313}\n\n  {\"token\":\"fadsfadfadfasfdtest\",\"expire_time\":\"2020-02-06T04:14:00Z\"} \r\n",
        ),
        (
            "request.json",
            r#"{"sensorExpire":[{"deviceToken":"ZmFkZmFkZnRldHd0d3R3dA==","expireTime":1232312313},{"deviceToken":"ZmFkc2ZhZGZhZGZhc2ZkdGVzdA","expireTime":1580962440}]}"#,
        ),
    ] {
        let (_folder, path) = file(name, content);
        let receiver = Receiver::start();
        let run = receiver
            .push([path.as_os_str(), "--output=json".as_ref()])
            .exits(0);
        assert_eq!(run.records()["acknowledged"], 2, "{name}");
        let received = receiver.stop();
        assert_eq!(String::from_utf8_lossy(&received.rows), ORIGINALS, "{name}");
        assert_eq!((received.requests, received.records), (1, 2), "{name}");

        // The same without a name to go by.
        let receiver = Receiver::start();
        receiver.push_input(["-"], content.as_bytes()).exits(0);
        assert_eq!(
            receiver.stop().rows,
            ORIGINALS.as_bytes(),
            "{name} on standard input"
        );
    }
}

#[test]
fn token_encodings_arrive_as_the_bytes_they_mean() {
    for (encoding, text, bytes) in [
        ("utf8", "s\u{e9}nsor 7", "s\u{e9}nsor 7".as_bytes()),
        ("hex", "00ff0Afe", b"\x00\xff\x0a\xfe"),
        ("base64", "-_8A", b"\xfb\xff\x00"),
    ] {
        let receiver = Receiver::start();
        let input = format!("device_token,expire_time\n{text},7\n");
        receiver
            .push_input(["--token-encoding", encoding], input.as_bytes())
            .exits(0);
        let rows = receiver.stop().rows;
        let token = rows.strip_suffix(b",7\n").expect("the time");
        let token = match token {
            [b'"', quoted @ .., b'"'] => quoted,
            plain => plain,
        };
        assert_eq!(token, bytes, "{encoding}");
    }
}

#[test]
fn several_files_and_standard_input_are_one_push() {
    let (_one, csv) = file("one.csv", "device_token,expire_time\nabc,1\n");
    let (_two, json) = file("two.json", r#"[{"token":"def","expire_time":2}]"#);
    let receiver = Receiver::start();
    let args = [
        csv.as_os_str(),
        json.as_os_str(),
        "-".as_ref(),
        "--output=json".as_ref(),
    ];
    let run = receiver
        .push_input(args, b"token,expireTime\nghi,3\n")
        .exits(0);
    assert_eq!(run.records()["acknowledged"], 3);
    let received = receiver.stop();
    assert_eq!(received.rows, b"abc,1\ndef,2\nghi,3\n");
    assert_eq!(received.requests, 1);
}

#[test]
fn standard_input_can_be_named_once() {
    run(["check", "-", "-"]).exits(2).says("standard input");
}

/// Rows with tokens `t000000`, `t000001` …
fn rows(count: usize) -> String {
    (0..count)
        .map(|number| format!("t{number:06},{number}\n"))
        .collect()
}

#[test]
fn requests_are_bounded_by_records_and_by_bytes() {
    let content = rows(25);
    let input = format!("device_token,expire_time\n{content}");
    for (flags, requests) in [
        (&["--batch-records=10"][..], 3),
        (&["--batch-records=25"], 1),
        (&["--batch-records=1"], 25),
        // A record: 9 bytes of token, 2 of time (none for time 0), 2 around them.
        (&["--batch-bytes=130"], 3),
        (&["--batch-bytes=13"], 25),
    ] {
        let receiver = Receiver::start();
        let run = receiver
            .push_input([flags, &["--output=json"]].concat(), input.as_bytes())
            .exits(0);
        assert_eq!(run.json()["requests"]["sent"], requests, "{flags:?}");
        assert_eq!(run.json()["codes"]["0"], requests, "{flags:?}");
        let received = receiver.stop();
        assert_eq!(received.requests, requests, "{flags:?}");
        assert_eq!(received.rows, content.as_bytes(), "{flags:?}");
    }
    let receiver = Receiver::start();
    receiver
        .push_input(["--batch-bytes=12"], input.as_bytes())
        .exits(4)
        .says("record 2, line 3")
        .says("--batch-bytes");
    assert_eq!(receiver.stop().requests, 0);
}

#[test]
fn nothing_is_sent_for_empty_input() {
    for input in [
        "",
        " \n\t\r\n",
        "\u{feff}",
        "device_token,expire_time\n",
        "[]",
        " [ ] \n",
    ] {
        let receiver = Receiver::start();
        receiver
            .push_input(["-"], input.as_bytes())
            .exits(0)
            .says("no record");
        receiver
            .push_input(["--fail-on-empty"], input.as_bytes())
            .exits(4)
            .says("no record");
        assert_eq!(receiver.stop().requests, 0, "{input:?}");
    }
    // Not even a connection is made.
    run_with_input(["push", "--server", "localhost:1", "--plaintext"], b"").exits(0);
}

#[test]
fn the_same_record_twice_counts_once_and_warns() {
    let receiver = Receiver::start();
    let (_folder, other) = file("other.json", r#"[{"token":"abc","expire_time":"00100"}]"#);
    let run = receiver
        .push_input(
            ["-".as_ref(), other.as_os_str(), "--output=json".as_ref()],
            b"device_token,expire_time\nabc,100\nxyz,100\nabc,1970-01-01T00:01:40Z\n",
        )
        .exits(0)
        .says("2 duplicates left out");
    let records = run.records();
    assert_eq!(records["read"], 4);
    assert_eq!(records["duplicate"], 2);
    assert_eq!(records["acknowledged"], 2);
    assert_eq!(run.json()["warnings"]["past"], 2);
    assert_eq!(receiver.stop().rows, b"abc,100\nxyz,100\n");
}

#[test]
fn what_arrived_before_is_overwritten() {
    let receiver = Receiver::start();
    for time in [5, 9, 7] {
        receiver
            .push_input(["-"], format!("token,expire_time\na,{time}\n").as_bytes())
            .exits(0);
    }
    assert_eq!(receiver.stop().rows, b"a,7\n");
}

#[test]
fn a_rehearsal_needs_no_server_and_leaves_the_real_one_alone() {
    let input = format!("device_token,expire_time\n{}", rows(1000));
    let run = run_with_input(
        ["push", "--rehearse", "--batch-records=100", "--output=json"],
        input.as_bytes(),
    )
    .exits(0);
    assert_eq!(run.records()["acknowledged"], 1000);
    assert_eq!(run.json()["requests"]["sent"], 10);

    let receiver = Receiver::start();
    receiver
        .push_input(["--rehearse"], input.as_bytes())
        .exits(0)
        .says("rehearsal");
    assert_eq!(receiver.stop().requests, 0);
    run_with_input(["push", "--rehearse"], b"token,expire_time\na,b\n").exits(4);
}

#[test]
fn a_rehearsal_of_a_shard_is_of_its_records_alone() {
    let input = format!("device_token,expire_time\n{}", rows(1000));
    let mut acknowledged = 0;
    for shard in ["0/3", "1/3", "2/3"] {
        let run = run_with_input(
            ["push", "--rehearse", "--shard", shard, "--output=json"],
            input.as_bytes(),
        )
        .exits(0)
        .adds_up();
        assert!(run.count("other_shard") > 0);
        acknowledged += run.count("acknowledged");
    }
    assert_eq!(acknowledged, 1000);
}

/// A FIFO, and the folder that it is in.
fn fifo() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let fifo = folder.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.expect("mkfifo runs").success());
    (folder, fifo)
}

#[test]
fn a_fifo_is_read() {
    let (_folder, fifo) = fifo();
    let child = command(["check".as_ref(), fifo.as_os_str(), "--output=json".as_ref()])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the binary runs");
    std::fs::write(&fifo, "token,expire_time\na,1\n").expect("written");
    let run: crate::support::Run = child.wait_with_output().expect("it ends").into();
    assert_eq!(run.exits(0).records()["unsent"], 1);
}

#[test]
fn the_whole_run_s_limit_holds_for_an_input_that_does_not_end() {
    let (_folder, fifo) = fifo();
    let receiver = Receiver::start();
    for file in [&*fifo, "-".as_ref()] {
        let mut args = receiver.connection();
        args.extend([
            "--max-time=300ms".into(),
            "--output=json".into(),
            file.into(),
        ]);
        let mut child = start_and_hold(args);
        let mut input = child.stdin.take().expect("piped");
        let _ = input.write_all(b"token,expire_time\na,1\nb,");
        let run: crate::support::Run = child.wait_with_output().expect("it ends").into();
        run.exits(4)
            .says("--max-time passed while it was read")
            .adds_up();
    }
    assert_eq!(receiver.stop().requests, 0);
}

/// The signals that end a run, and its exit codes then.
const SIGNALS: [(Signal, i32); 3] = [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)];

/// What starts a command that reads.
fn reading(command: &str, receiver: &Receiver) -> Vec<std::ffi::OsString> {
    let mut args = receiver.connection_of(command);
    if command == "check" {
        args.truncate(1);
    }
    args.push("--output=json".into());
    args
}

#[test]
fn a_signal_ends_the_wait_for_input() {
    let receiver = Receiver::start();
    for (signal, exit) in SIGNALS {
        for command in ["push", "check"] {
            let mut child = start_and_hold(reading(command, &receiver));
            let mut input = child.stdin.take().expect("piped");
            // More than a pipe holds: some of it has been read when all of it is written.
            let rows = "a,1\n".repeat(100_000);
            let rows = format!("token,expire_time\n{rows}b,");
            input.write_all(rows.as_bytes()).expect("written");
            signal_child(&child, signal);
            let run: crate::support::Run = child.wait_with_output().expect("it ends").into();
            let run = run.exits(exit).says("came before the end").adds_up();
            assert_eq!(run.json()["status"], "interrupted", "{run:?}");
        }
    }
    assert_eq!(receiver.stop().requests, 0);
}

/// The name of a file, so often that reading all of it takes a second and more.
fn many_times(file: &std::path::Path) -> Vec<std::ffi::OsString> {
    let rows: String = (0..40_000).map(|n| format!("t{n},4070908800\n")).collect();
    std::fs::write(file, format!("token,expire_time\n{rows}")).expect("written");
    vec![file.into(); 1000]
}

#[test]
fn a_signal_ends_the_reading_of_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = many_times(&folder.path().join("input.csv"));
    let metrics = folder.path().join("metrics");
    let receiver = Receiver::start();
    for (signal, exit) in SIGNALS {
        for command in ["push", "check"] {
            let mut args = reading(command, &receiver);
            if command == "push" {
                args.extend(["--metrics-file".into(), metrics.clone().into()]);
            }
            args.extend(files.clone());
            let child = start_and_hold(args);
            until_caught(&child, signal);
            signal_child(&child, signal);
            let run: crate::support::Run = child.wait_with_output().expect("it ends").into();
            let run = run.exits(exit).says("came before the end").adds_up();
            assert_eq!(run.json()["status"], "interrupted", "{run:?}");
        }
        let written = std::fs::read_to_string(&metrics).expect("metrics");
        assert!(
            written.contains(&format!("exit_code {exit}\n")),
            "{written}"
        );
    }
    assert_eq!(receiver.stop().requests, 0);
    // Nothing else is left.
    assert_eq!(folder.path().read_dir().expect("a folder").count(), 2);
}

#[test]
fn the_whole_run_s_limit_holds_for_the_reading_of_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start();
    let mut args = receiver.connection();
    args.extend(["--max-time=50ms".into(), "--output=json".into()]);
    args.extend(many_times(&folder.path().join("input.csv")));
    let run: crate::support::Run = command(args).output().expect("it runs").into();
    run.exits(4)
        .says("--max-time passed while it was read")
        .says("error: the input could not be read in the time that --max-time gives; nothing was sent")
        .says("hint: --max-time gives it longer")
        .adds_up();
    assert_eq!(receiver.stop().requests, 0);
}

#[test]
fn a_second_signal_ends_what_a_blocked_output_holds_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let input = folder.path().join("input.csv");
    let rows: String = (0..5000).map(|n| format!("a token {n},never\n")).collect();
    std::fs::write(&input, format!("token,expire_time\n{rows}")).expect("written");
    for args in [
        &["check", "--max-errors=5000"][..],
        &["push", "--rehearse", "--max-errors=5000"],
    ] {
        let mut args: Vec<std::ffi::OsString> = args.iter().map(Into::into).collect();
        args.push(input.clone().into());
        let mut child = start_and_hold(args);
        let mut stderr = child.stderr.take().expect("piped");
        // It writes already, and more than a pipe holds.
        stderr.read_exact(&mut [0; 100]).expect("some of it");
        signal_child(&child, Signal::TERM);
        signal_child(&child, Signal::INT);
        let status = child.wait().expect("it ends");
        assert!([Some(130), Some(143)].contains(&status.code()), "{status}");
    }
}

#[test]
fn rejects_into_a_fifo_wait_for_whoever_reads_it() {
    let (_folder, fifo) = fifo();
    let start = |more: &[&str]| {
        let args = ["push", "--server=127.0.0.1:1", "--retry=0", "--output=json"];
        let mut args: Vec<std::ffi::OsString> = args.iter().chain(more).map(Into::into).collect();
        args.extend(["--rejects".into(), fifo.clone().into()]);
        let mut child = start_and_hold(args);
        let mut input = child.stdin.take().expect("piped");
        input
            .write_all(b"token,expire_time\na,4070908800\n")
            .expect("written");
        child
    };
    let end = |child: std::process::Child| {
        crate::support::Run::from(child.wait_with_output().expect("it ends"))
    };
    end(start(&["--max-time=300ms"]))
        .exits(1)
        .says("nobody had opened it to read when --max-time had passed")
        .adds_up();
    let child = start(&[]);
    until_caught(&child, Signal::TERM);
    signal_child(&child, Signal::TERM);
    end(child).exits(143).adds_up();
    let child = start(&[]);
    let rejects = std::fs::read_to_string(&fifo).expect("read");
    assert_eq!(rejects.lines().count(), 2, "{rejects}");
    end(child).exits(5).adds_up();
}

/// Waits until a program handles a signal itself.
fn until_caught(child: &std::process::Child, signal: Signal) {
    let status = format!("/proc/{}/status", child.id());
    loop {
        let status = std::fs::read_to_string(&status).expect("it runs");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let mask = u64::from_str_radix(caught.expect("a mask").trim(), 16).expect("a mask");
        if mask >> (signal.as_raw() - 1) & 1 == 1 {
            return;
        }
        std::thread::yield_now();
    }
}

/// Starts it with a standard input that is left open.
fn start_and_hold(args: Vec<std::ffi::OsString>) -> std::process::Child {
    command(args)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the binary runs")
}

#[test]
fn an_endless_input_is_refused_as_soon_as_it_is_wrong() {
    let mut child = start_and_hold(vec!["check".into()]);
    let mut input = child.stdin.take().expect("piped");
    let block = vec![b'a'; 1 << 20];
    let refused = (0..1000).any(|_| input.write_all(&block).is_err());
    assert!(refused, "a gigabyte was read");
    let run: crate::support::Run = child.wait_with_output().expect("it ends").into();
    run.exits(4).says("longer than 1 MiB");
}

#[test]
fn a_file_as_standard_input_is_read_from_where_it_stands() {
    let mut file = tempfile::tempfile().expect("a file");
    let rows: String = (0..200_000).map(|n| format!("t{n},4070908800\n")).collect();
    file.write_all(format!("a line before\ntoken,expire_time\n{rows}").as_bytes())
        .expect("written");
    file.seek(SeekFrom::Start(14)).expect("a place");
    let receiver = Receiver::start();
    let mut args = receiver.connection();
    args.push("--output=json".into());
    let stdin = file.try_clone().expect("another");
    let output = command(args).stdin(stdin).output().expect("it runs");
    crate::support::Run::from(output)
        .exits(0)
        .adds_up()
        .counts("acknowledged", 200_000);
    // Who reads it next finds it read.
    let mut rest = String::new();
    file.read_to_string(&mut rest).expect("read");
    assert_eq!(rest, "");
}

#[test]
fn quiet_says_nothing_of_a_success() {
    let receiver = Receiver::start();
    let run = receiver
        .push_input(["--quiet"], b"token,expire_time\na,1\na,1\n")
        .exits(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    let run = receiver
        .push_input(["-q"], b"token,expire_time\na,x\n")
        .exits(4)
        .says("error: ");
    assert_eq!(run.stdout, "");
}

#[test]
fn standard_output_closed_early_is_no_error() {
    let mut child = command(["check", "--output=json"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    drop(child.stdin.take());
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn standard_output_that_is_full_is_an_error() {
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("a full device");
    let status = command(["check", "--output=json"]).stdout(full).status();
    assert_eq!(status.expect("it runs").code(), Some(1));
}
