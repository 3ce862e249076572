//! What is pushed arrives, value by value.

use std::{
    fs,
    io::{Read, Seek, SeekFrom, Write},
    process::Stdio,
};

use rustix::process::Signal;

use crate::support::{
    files::TempFile,
    program::{
        Run, command, finish, run, run_with_input, send_signal, start_with_open_stdin,
        wait_until_handled,
    },
    receiver::Receiver,
    records::slow_input,
};

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
        let path = TempFile::new(name, content);
        let receiver = Receiver::start();
        let run = receiver.push([path.str(), "--output=json"]).exits(0);
        assert_eq!(run.count("acknowledged"), 2, "{name}");
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
    let csv = TempFile::new("one.csv", "device_token,expire_time\nabc,1\n");
    let json = TempFile::new("two.json", r#"[{"token":"def","expire_time":2}]"#);
    let receiver = Receiver::start();
    let args = [csv.str(), json.str(), "-", "--output=json"];
    let run = receiver
        .push_input(args, b"token,expireTime\nghi,3\n")
        .exits(0);
    assert_eq!(run.count("acknowledged"), 3);
    let received = receiver.stop();
    assert_eq!(received.rows, b"abc,1\ndef,2\nghi,3\n");
    assert_eq!(received.requests, 1);
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
        assert_eq!(run.request_count("sent"), requests, "{flags:?}");
        assert_eq!(run.json()["codes"]["0"], requests, "{flags:?}");
        let received = receiver.stop();
        assert_eq!(received.requests, requests, "{flags:?}");
        assert_eq!(received.rows, content.as_bytes(), "{flags:?}");
    }
    let receiver = Receiver::start();
    receiver
        .push_input(["--batch-bytes=12"], input.as_bytes())
        .exits(4)
        .stderr_contains("record 2, line 3")
        .stderr_contains("--batch-bytes");
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
            .stderr_contains("no record");
        receiver
            .push_input(["--fail-on-empty"], input.as_bytes())
            .exits(4)
            .stderr_contains("no record");
        assert_eq!(receiver.stop().requests, 0, "{input:?}");
    }
    // Not even a connection is made.
    run_with_input(["push", "--server", "localhost:1", "--plaintext"], b"").exits(0);
}

#[test]
fn the_same_record_twice_counts_once_and_warns() {
    let receiver = Receiver::start();
    let other = TempFile::new("other.json", r#"[{"token":"abc","expire_time":"00100"}]"#);
    let run = receiver
        .push_input(
            ["-", other.str(), "--output=json"],
            b"device_token,expire_time\nabc,100\nxyz,100\nabc,1970-01-01T00:01:40Z\n",
        )
        .exits(0)
        .stderr_contains("2 duplicates left out");
    let run = run
        .counts("read", 4)
        .counts("duplicate", 2)
        .counts("acknowledged", 2);
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
    assert_eq!(run.count("acknowledged"), 1000);
    assert_eq!(run.request_count("sent"), 10);

    let receiver = Receiver::start();
    receiver
        .push_input(["--rehearse"], input.as_bytes())
        .exits(0)
        .stderr_contains("rehearsal");
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
        .counts_add_up();
        assert!(run.count("other_shard") > 0);
        acknowledged += run.count("acknowledged");
    }
    assert_eq!(acknowledged, 1000);
}

#[test]
fn a_fifo_is_read() {
    let fifo = TempFile::fifo();
    let child = command(["check", fifo.str(), "--output=json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    fs::write(fifo.str(), "token,expire_time\na,1\n").expect("written");
    let run = finish(child);
    assert_eq!(run.exits(0).count("unsent"), 1);
}

#[test]
fn the_whole_run_s_limit_holds_for_an_input_that_does_not_end() {
    let fifo = TempFile::fifo();
    let receiver = Receiver::start();
    for file in [fifo.str(), "-"] {
        let mut args = receiver.push_args();
        args.extend([
            "--max-time=300ms".into(),
            "--output=json".into(),
            file.into(),
        ]);
        let mut child = start_with_open_stdin(args);
        let mut input = child.stdin.take().expect("piped");
        let _ = input.write_all(b"token,expire_time\na,1\nb,");
        let run = finish(child);
        run.exits(4)
            .stderr_contains("--max-time passed while it was read")
            .counts_add_up();
    }
    assert_eq!(receiver.stop().requests, 0);
}

#[test]
fn the_whole_run_s_limit_holds_for_the_reading_of_files() {
    let file = TempFile::absent("input.csv");
    let receiver = Receiver::start();
    let mut args = receiver.push_args();
    args.extend(["--max-time=50ms".into(), "--output=json".into()]);
    args.extend(slow_input(&file));
    run(args)
        .exits(4)
        .stderr_contains("--max-time passed while it was read")
        .stderr_contains("error: the input could not be read in the time that --max-time gives; nothing was sent")
        .stderr_contains("hint: --max-time gives it longer")
        .counts_add_up();
    assert_eq!(receiver.stop().requests, 0);
}

#[test]
fn rejects_into_a_fifo_wait_for_whoever_reads_it() {
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
        .stderr_contains("nobody had opened it to read when --max-time had passed")
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

#[test]
fn an_endless_input_is_refused_as_soon_as_it_is_wrong() {
    let mut child = start_with_open_stdin(["check"]);
    let mut input = child.stdin.take().expect("piped");
    let block = vec![b'a'; 1 << 20];
    let refused = (0..1000).any(|_| input.write_all(&block).is_err());
    assert!(refused, "a gigabyte was read");
    let run = finish(child);
    run.exits(4).stderr_contains("longer than 1 MiB");
}

#[test]
fn a_file_as_standard_input_is_read_from_where_it_stands() {
    let mut file = tempfile::tempfile().expect("a file");
    let rows: String = (0..200_000).map(|n| format!("t{n},4070908800\n")).collect();
    file.write_all(format!("a line before\ntoken,expire_time\n{rows}").as_bytes())
        .expect("written");
    file.seek(SeekFrom::Start(14)).expect("a place");
    let receiver = Receiver::start();
    let mut args = receiver.push_args();
    args.push("--output=json".into());
    let stdin = file.try_clone().expect("another");
    let output = command(args).stdin(stdin).output().expect("it runs");
    Run::from(output)
        .exits(0)
        .counts_add_up()
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
        .stderr_contains("error: ");
    assert_eq!(run.stdout, "");
}

#[test]
fn standard_output_closed_early_is_no_error() {
    let mut child = command(["check", "--output=json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    drop(child.stdin.take());
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn standard_output_that_is_full_is_an_error() {
    let full = fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("a full device");
    let status = command(["check", "--output=json"]).stdout(full).status();
    assert_eq!(status.expect("it runs").code(), Some(1));
}
