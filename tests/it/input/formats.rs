//! The input formats, and their detection.

use crate::support::{
    files::TempFile,
    program::{run, run_with_input},
    receiver::Receiver,
    records::{gzip, zstandard},
};

/// The two records of the clients that this program replaces.
const ORIGINALS: &str = "fadfadftetwtwtwt,1232312313\nfadsfadfadfasfdtest,1580962440\n";

#[test]
fn every_format_is_pushed() {
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

        // Standard input has no file name, so the program must detect the format from the content.
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
fn token_encodings_are_decoded() {
    for (encoding, text, bytes) in [
        ("utf8", "s\u{e9}nsor 7", "s\u{e9}nsor 7".as_bytes()),
        ("hex", "00ff0Afe", b"\x00\xff\x0a\xfe"),
        ("base64", "-_8A", b"\xfb\xff\x00"),
    ] {
        let receiver = Receiver::start();
        let input = format!("device_token,expire_time\n{text},1000000007\n");
        receiver
            .push_input(["--token-encoding", encoding], input.as_bytes())
            .exits(0);
        let rows = receiver.stop().rows;
        let token = rows.strip_suffix(b",1000000007\n").expect("the time");
        let token = match token {
            [b'"', quoted @ .., b'"'] => quoted,
            plain => plain,
        };
        assert_eq!(token, bytes, "{encoding}");
    }
}

#[test]
fn several_inputs_are_one_push() {
    let csv = TempFile::new("one.csv", "device_token,expire_time\nabc,1000000001\n");
    let json = TempFile::new("two.json", r#"[{"token":"def","expire_time":1000000002}]"#);
    let receiver = Receiver::start();
    let args = [csv.str(), json.str(), "-", "--output=json"];
    let run = receiver
        .push_input(args, b"token,expireTime\nghi,1000000003\n")
        .exits(0);
    assert_eq!(run.count("acknowledged"), 3);
    let received = receiver.stop();
    assert_eq!(
        received.rows,
        b"abc,1000000001\ndef,1000000002\nghi,1000000003\n"
    );
    assert_eq!(received.requests, 1);
}

#[test]
fn verbose_names_the_detected_format() {
    let one = r#"{"token":"a","expire_time":4070908800}"#;
    let request = r#"{"sensorExpire":[{"deviceToken":"YQ==","expireTime":4070908800}]}"#;
    for (content, form) in [
        ("token,expire_time\na,4070908800\n", "CSV, delimiter \",\""),
        ("token\texpire_time\na\t4070908800\n", "CSV, delimiter tab"),
        (&format!("{one}\n{one}\n"), "NDJSON"),
        (&format!("[{one}]"), "JSON array"),
        (&format!(r#"{{"a/b":[{one}]}}"#), "JSON array at \"/a~1b\""),
        (one, "JSON, one record"),
        (request, "protobuf JSON array at \"/sensorExpire\""),
        (" \n", "empty"),
    ] {
        run_with_input(["check", "-v"], content.as_bytes())
            .exits(0)
            .stderr_contains(&format!("note: standard input: {form}\n"));
    }
}

#[test]
fn field_options_select_names_and_columns() {
    for (flags, content) in [
        (
            &["--token-field=id", "--time-field=until"][..],
            "id,until,token\nabc,1000000007,x\n",
        ),
        (
            &["--token-field=3", "--time-field=1"],
            "until,x,id\n1000000007,,abc\n",
        ),
        (&["--no-header"], "abc,1000000007,x\n"),
        (
            &["--no-header", "--token-field=2", "--time-field=1"],
            "1000000007,abc\n",
        ),
        (
            &["--time-field=2026_expiry"],
            "token,2026_expiry\nabc,1000000007\n",
        ),
        (&["--time-field=2"], "token,2026_expiry\nabc,1000000007\n"),
        (
            &["--token-field=1", "--time-field=2"],
            "id,2026_expiry\nabc,1000000007\n",
        ),
        (
            &["--time-field=1", "--token-field=02"],
            "2,02,1\nx,abc,1000000007\n",
        ),
        (&["--time-field=2026"], "token,2026\nabc,1000000007\n"),
        (
            &["--time-field=007"],
            r#"[{"token":"abc","007":1000000007}]"#,
        ),
        (&["--delimiter=;"], "token;expire_time\nabc;1000000007\n"),
        (&["-"], "sep=;\r\ntoken;expire_time\r\nabc;1000000007\r\n"),
        (
            &["-"],
            "\u{feff}\"sep=|\"\ntoken|expire_time\nabc|1000000007\n",
        ),
        (&["--no-header"], "sep=;\nabc;1000000007\n"),
        (
            &["--delimiter=;"],
            "sep=,\ntoken;expire_time\nabc;1000000007\n",
        ),
        (
            &["--delimiter=;"],
            "{\n  \"token\": \"abc\",\n  \"expire_time\": 1000000007\n}\n{\n  \"token\": \"abc\",\n  \"expire_time\": 1000000007\n}\n",
        ),
        (
            &["--input-format=json"],
            r#"{"token":"abc","expire_time":1000000007}{"token":"abc","expire_time":1000000007}"#,
        ),
        (
            &["--input-format=json"],
            "{\"token\":\"abc\",\"expire_time\":1000000007}\n{\"token\":\"abc\",\"expire_time\":1000000007}\n",
        ),
        (&["-"], "token,expire_time\r\nabc,1000000007\r\n\u{1a}"),
        (
            &["-"],
            "[{\"token\":\"abc\",\"expire_time\":1000000007}]\n\u{1a}",
        ),
        (&["-"], "token,expire_time\nabc,1000000007\n\n\u{1a}"),
        (&["-"], ",,\ntoken,expire_time,\n,,\nabc,1000000007,\n,,\n"),
        (
            &["--delimiter=tab"],
            "token\texpire_time\nabc\t1000000007\n",
        ),
        (
            &["--input-format=tsv"],
            "token\texpire_time\nabc\t1000000007\n",
        ),
        (
            &["--token-field=id", "--time-field=until"],
            r#"[{"id":"abc","until":1000000007,"token":"x","expire_time":1000000001}]"#,
        ),
        (
            &["--input-format=ndjson"],
            r#"{"token":"abc","expire_time":1000000007}"#,
        ),
        (
            &["--input-format=json"],
            r#"{"token":"abc","expire_time":1000000007}"#,
        ),
        (
            &["--input-format=protojson"],
            r#"{"sensorExpire":[{"deviceToken":"YWJj","expireTime":1000000007}]}"#,
        ),
    ] {
        let receiver = Receiver::start();
        receiver.push_input(flags, content.as_bytes()).exits(0);
        assert_eq!(receiver.stop().rows, b"abc,1000000007\n", "{flags:?}");
    }
}

#[test]
fn ctrl_z_at_the_end_of_a_token_is_sent() {
    for input in [
        "expire_time,token\n1000000007,ab\u{1a}",
        "expire_time,token\n1000000007,ab\u{1a}\n",
        "expire_time,token\n1000000007,ab\u{1a}\n\u{1a}",
        "expire_time,token\n1000000007,\"ab\u{1a}\"",
        "[{\"token\":\"ab\\u001a\",\"expire_time\":1000000007}]",
    ] {
        let receiver = Receiver::start();
        receiver.push_input(["-"], input.as_bytes()).exits(0);
        assert_eq!(receiver.stop().rows, b"ab\x1a,1000000007\n", "{input:?}");
    }
}

#[test]
fn unusual_input_is_accepted() {
    for (flags, content) in [
        (
            &["-"][..],
            "{\"n\":1e400,\"s\":\"x\",\"list\":[{\"token\":\"abc\",\"expire_time\":1000000007}]}",
        ),
        (&["-"], "token\texpire_time\tname, x\nabc\t1000000007\tz\n"),
        (&["--no-header"], "abc,1000000007\n"),
        (
            &["--token-field=1", "--time-field=2"],
            "t,until\nabc,1000000007\n",
        ),
        (
            &["--input-format=protojson", "--records=/sensorExpire"],
            "{\"sensorExpire\":[{\"deviceToken\":\"YWJj\",\"expireTime\":1000000007}]}",
        ),
        (&["-"], "token,expire_time,note\nabc,1000000007,BZh1\n"),
    ] {
        let receiver = Receiver::start();
        receiver.push_input(flags, content.as_bytes()).exits(0);
        assert_eq!(receiver.stop().rows, b"abc,1000000007\n", "{content}");
    }
    // A number in the first row is not a header, although `--token-field 1` may name one.
    let flags = ["check", "--token-field=1", "--time-field=2"];
    run_with_input(flags, b"1,4070908800\nb,4070908800\n")
        .exits(4)
        .stderr_contains("--no-header");
    // With column numbers, the first row is still the header row, and it must look like a header
    // row.
    for flags in [
        ["--token-field=1", "--time-field=2"],
        ["--time-field=1", "--token-field=2"],
    ] {
        let run = run_with_input(
            [&["check"][..], &flags].concat(),
            b"fadfadftetwtwtwt,x\n,4070908800\nb,tomorrow\n",
        )
        .exits(4);
        assert!(!run.stderr.contains("fadfadftetwtwtwt"), "{run:?}");
    }
    let flags = ["check", "--token-field=1", "--time-field=2"];
    run_with_input(flags, b"abcdef,4070908800\nb,4070908800\n")
        .exits(4)
        .stderr_contains("--no-header");
}

#[test]
fn archives_are_recognized_by_their_bytes() {
    let csv = b"device_token,expire_time\nabc,1000000007\n";
    let ndjson = b"{\"token\":\"abc\",\"expire_time\":1000000007}\n";
    let twice = [gzip(&csv[..30]), gzip(&csv[30..])].concat();
    for (name, content) in [
        ("a.csv.gz", gzip(csv)),
        ("a.csv", gzip(csv)),
        ("no-name", gzip(csv)),
        ("members.gz", twice),
        ("a.csv.zst", zstandard(csv)),
        ("a", [zstandard(&csv[..25]), zstandard(&csv[25..])].concat()),
        ("a.jsonl.gz", gzip(ndjson)),
        ("b", gzip(ndjson)),
    ] {
        let path = TempFile::new(name, &content);
        let receiver = Receiver::start();
        receiver.push([path.str()]).exits(0);
        receiver.push_input(["-"], &content).exits(0);
        assert_eq!(receiver.stop().rows, b"abc,1000000007\n", "{name}");
    }
    for broken in [gzip(csv), zstandard(csv)] {
        let path = TempFile::new("cut.csv", &broken[..broken.len() - 3]);
        run(["check", path.str()])
            .exits(4)
            .stderr_contains("archive is corrupt or truncated");
    }
    let path = TempFile::new("bad.csv.gz", gzip(b"token,expire_time\n\na,x\n"));
    run(["check", path.str()])
        .exits(4)
        .stderr_contains("bad.csv.gz:3");
    let path = TempFile::new("sheet.gz", gzip(b"PK\x03\x04"));
    run(["check", path.str()]).exits(4).stderr_contains("XLSX");
}

#[test]
fn records_option_points_to_the_array() {
    let document = r#"{"a":[{"deviceToken":"x","expireTime":1000000001}],
        "b":{"c/d":[0,[{"deviceToken":"abc","expireTime":1000000007}]],"~":{}},"e":[]}"#;
    let pointed = |pointer: &str, document: &str| {
        let receiver = Receiver::start();
        let run = receiver.push_input(["--records", pointer], document.as_bytes());
        (run, String::from_utf8(receiver.stop().rows).expect("UTF-8"))
    };
    for (pointer, document, rows) in [
        ("/b/c~1d/1", document, "abc,1000000007\n"),
        ("/a", document, "x,1000000001\n"),
        ("/e", document, ""),
        (
            "",
            r#"[{"token":"abc","expire_time":1000000007}]"#,
            "abc,1000000007\n",
        ),
        (
            "/0",
            r#"[[{"token":"abc","expire_time":1000000007}]]"#,
            "abc,1000000007\n",
        ),
        (
            "/sensorExpire",
            r#"{"sensorExpire":[{"deviceToken":"YWJj","expireTime":1000000007}]}"#,
            "abc,1000000007\n",
        ),
    ] {
        let (run, received) = pointed(pointer, document);
        run.exits(0);
        assert_eq!(received, rows, "{pointer}");
    }
    for (pointer, document, text) in [
        (
            "/x",
            document,
            "no value at --records \"/x\"; keys: \"a\", \"b\", \"e\"",
        ),
        ("/a/1", document, "no value at --records \"/a/1\""),
        (
            "/a/0/deviceToken",
            document,
            "expected an array of records at \"/a/0/deviceToken\", found a string",
        ),
        (
            "/b",
            document,
            "expected an array of records at \"/b\", found an object",
        ),
        ("/e/x", document, "no value at --records \"/e/x\""),
        ("/a", "\"a\"", "--records needs a single JSON document"),
        ("/a", r#"{"a":[],"a":[]}"#, "\"a\" occurs more than once"),
        ("/a", r#"{"a":[],"b":tru}"#, "malformed JSON"),
        (
            "/a",
            "token,expire_time\na,1000000001\n",
            "--records needs a single JSON document",
        ),
    ] {
        let (run, received) = pointed(pointer, document);
        run.exits(4).stderr_contains(text);
        assert_eq!(received, "");
    }
    for (pointer, document) in [
        ("/a/list", r#"{"a":{"list":[1],"l\u0069st":[2]}}"#),
        ("/a/list", r#"{"a":{"list":[]},"a":{}}"#),
        ("/a/0/list", r#"{"a":[{"list":[],"x":1,"list":[]}]}"#),
        ("/a/list", r#"{"a":{"x":1,"list":[],"x":2}}"#),
    ] {
        let (run, received) = pointed(pointer, document);
        run.exits(4).stderr_contains("occurs more than once");
        assert_eq!(received, "");
    }
    let (pushed, _) = pointed("/a", r#"{"a":{"b":{"c":[{}]}},"d":[{}]}"#);
    pushed.exits(4).stderr_contains("(pass --records /a/b/c)");
    run(["check", "--records=a/b"])
        .exits(2)
        .stderr_contains("/data/licenses");
    let (run, _) = pointed("/a", "{\"a\":[\n{\"token\":\"a\",\n \"expire_time\":-1}]}");
    run.exits(4).stderr_contains(":3:16: error: ");
}
