//! What can't be trusted is refused, and then nothing is sent.

use std::{fs, process::Stdio};

use crate::support::{
    files::{TempFile, utf8},
    program::{Run, command, finish, run, run_with_input},
    receiver::Receiver,
    records::{gzip, zstandard},
};

/// Content, and what the refusal says of it.
const REFUSED: &[(&str, &str, &[&str])] = &[
    (
        "no-time.csv",
        "device_token,expires\nabcdefghijkl,1\n",
        &["no expire time", "\"expires\"", "--time-field"],
    ),
    (
        "nearest.csv",
        "devicetoken,expire_time\nabcdefghijkl,1\n",
        &["no device token", "hint: --token-field \"devicetoken\""],
    ),
    (
        "two-spellings.csv",
        "token,device_token,expire_time\na,b,1\n",
        &["line 1", "token and device_token"],
    ),
    (
        "same-column-twice.csv",
        "token,token,expire_time\na,b,1\n",
        &["line 1: the key \"token\" comes twice"],
    ),
    (
        "no-header.csv",
        "abcdefghijkl,1232312313\n",
        &["looks like a record", "--no-header"],
    ),
    (
        "ragged.csv",
        "token,expire_time\na,1\nb\nc,3,\n",
        &[
            "record 2, line 3: 1 column where the first row has 2",
            "record 3, line 4: 3 columns",
        ],
    ),
    (
        "bare-quote.csv",
        "token,expire_time\na\"b,1\n",
        &["record 1, line 2", "quote"],
    ),
    (
        "after-quote.csv",
        "token,expire_time\n\"a\"b,1\n",
        &["record 1, line 2", "quote"],
    ),
    (
        "open-quote.csv",
        "token,expire_time\na,1\n\"b,2\nc,3\n",
        &["record 2, line 3", "ends inside"],
    ),
    (
        "nul.csv",
        "token,expire_time,x\na,1,\0\n",
        &["record 1, line 2: a NUL byte"],
    ),
    (
        "lone-cr.csv",
        "token,expire_time\na,1\rb,2\n",
        &["record 1, line 2", "carriage return"],
    ),
    (
        "old-mac.csv",
        "token,expire_time\ra,1\rb,2\r",
        &["line 1", "carriage return"],
    ),
    (
        "empty-token.csv",
        "token,expire_time\n,1\n",
        &["record 1, line 2: token: empty"],
    ),
    (
        "empty-time.csv",
        "token,expire_time\na,\n",
        &["record 1, line 2: expire_time: empty"],
    ),
    (
        "space.csv",
        "token,expire_time\n abcdefghijkl,1\nabc\u{a0},1\n",
        &[
            "record 1, line 2: token: white space",
            "record 2, line 3: token: white space",
        ],
    ),
    (
        "space-time.csv",
        "token,expire_time\na, 1\n",
        &["record 1, line 2: expire_time"],
    ),
    (
        "lines.csv",
        "\n\ntoken,note,expire_time\r\na,\"x\r\ny\n\",1\r\n\r\nb,,no\n",
        &["record 2, line 8: expire_time"],
    ),
    (
        "conflict.csv",
        "token,expire_time\na,1\nb,1\na,2\na,2\na,1\n",
        &[
            "2 of 5 records invalid",
            "record 3, line 4: the token … (1 byte) came before with another time, in",
            "conflict.csv, record 1, line 2",
        ],
    ),
    (
        "milliseconds.csv",
        "token,expire_time\na,1580962440000\n",
        &["1580…", "--time-unit ms"],
    ),
    (
        "too-late.csv",
        "token,expire_time\na,4294967296\n",
        &["4294967296", "0 to 4294967295"],
    ),
    (
        "float.json",
        r#"[{"token":"a","expire_time":1.0}]"#,
        &["column 29", "point or exponent"],
    ),
    (
        "null.json",
        r#"[{"token":"a","expire_time":null}]"#,
        &["null where a number"],
    ),
    (
        "bool.json",
        r#"[{"token":true,"expire_time":1}]"#,
        &["a boolean where a string"],
    ),
    (
        "object.json",
        r#"[{"token":"a","expire_time":{}}]"#,
        &["an object where"],
    ),
    (
        "number-token.json",
        r#"[{"token":123456789012,"expire_time":1}]"#,
        &["a number where a string belongs", "quotes"],
    ),
    (
        "missing.json",
        r#"[{"token":"a"}]"#,
        &["record 1, line 1, column 2: no expire time"],
    ),
    (
        "duplicate-key.json",
        r#"[{"token":"a","x":1,"x":2,"expire_time":1}]"#,
        &["comes twice"],
    ),
    (
        "two-spellings.json",
        r#"[{"token":"a","deviceToken":"a","expire_time":1}]"#,
        &["token and deviceToken"],
    ),
    (
        "element.json",
        "[\n  5\n]",
        &["record 1, line 2, column 3: a number where an object"],
    ),
    (
        "trailing-comma.json",
        r#"[{"token":"a","expire_time":1},]"#,
        &["malformed JSON"],
    ),
    (
        "no-comma.json",
        r#"[{"token":"a","expire_time":1} {"#,
        &["malformed JSON"],
    ),
    (
        "cut-off.json",
        r#"[{"token":"a","expire_time":1},{"token":"b"#,
        &["record 2", "ends inside"],
    ),
    (
        "not-closed.json",
        r#"[{"token":"a","expire_time":1}"#,
        &["ends inside"],
    ),
    (
        "more.json",
        r#"[{"token":"a","expire_time":1}] x"#,
        &["more JSON follows"],
    ),
    (
        "ndjson.json",
        "{\"token\":\"a\",\"expire_time\":1}\n{}\n",
        &["--input-format ndjson"],
    ),
    (
        "string.json",
        r#""token""#,
        &["a string where a list of records belongs"],
    ),
    ("word.json", "token", &["where a list of records belongs"]),
    (
        "two-lists.json",
        r#"{"a":[],"b":[]}"#,
        &["2 lists", "\"a\", \"b\""],
    ),
    (
        "no-list.json",
        r#"{"a":{"b":[]}}"#,
        &["neither a list nor both fields"],
    ),
    ("huge-number.json", HUGE, &["0 to 4294967295"]),
    (
        "surrogate.json",
        r#"[{"token":"\ud800","expire_time":1}]"#,
        &["malformed JSON"],
    ),
    (
        "syntax.ndjson",
        "{\"token\":\"a\",\"expire_time\":1}\n{\n",
        &["record 2, line 2", "malformed"],
    ),
    (
        "unclosed.ndjson",
        "{\"token\":\"a\",\"expire_time\":\"2000000000}\n",
        &["record 1, line 1", "malformed"],
    ),
    (
        "form-feed.ndjson",
        "\u{c}{\"token\":\"a\",\"expire_time\":1}\u{c}\n",
        &["record 1, line 1", "malformed"],
    ),
    ("list.ndjson", "[]\n", &["a list where an object belongs"]),
    (
        "request.json",
        r#"{"sensorExpire":[{"deviceToken":"a b","expireTime":1}]}"#,
        &["deviceToken: no base64"],
    ),
    (
        "request-no-time.json",
        r#"{"sensorExpire":[{"deviceToken":"YQ=="}]}"#,
        &["no expire time"],
    ),
    (
        "numbered-without-header.csv",
        "abcdefghijkl,4070908800\nb,4070908800\n",
        &["--no-header"],
    ),
    (
        "half-a-record.json",
        "\n{\"device_token\":\"abc\",\"expire_tim\":1980962440}",
        &[
            "record 1, line 2, column 1: no expire time",
            "--time-field \"expire_tim\"",
        ],
    ),
    (
        "huge-in-object.json",
        "{\"token\":\"a\",\"expire_time\":1e400}",
        &["record 1, line 1, column 28: expire_time: not a whole number"],
    ),
    ("word-in-list.json", "[tru]", &["malformed JSON"]),
];

const HUGE: &str = r#"[{"token":"a","expire_time":100000000000000000000000000000000000000000}]"#;

#[test]
fn check_and_push_refuse_alike_and_nothing_is_sent() {
    let receiver = Receiver::start();
    for (name, content, said) in REFUSED {
        let path = TempFile::new(name, content);
        let check = run(["check", path.str(), "--output=json"]).exits(4);
        let push = receiver.push([path.str(), "--output=json"]).exits(4);
        assert_eq!(check.stderr, push.stderr, "{name}");
        assert_eq!(check.json()["status"], "refused", "{name}");
        assert_eq!(check.json()["records"], push.json()["records"], "{name}");
        let text = check.stderr.replace(path.str(), name);
        assert!(text.contains(name), "{text}");
        for what in *said {
            assert!(text.contains(what), "{name}: no {what:?} in {text}");
        }
        assert!(!text.contains("abcdefghijkl"), "a whole token in {text}");
    }
    assert_eq!(receiver.stop().requests, 0);
}

#[test]
fn whoever_asks_is_told_how_an_input_holds_its_records() {
    let one = r#"{"token":"a","expire_time":4070908800}"#;
    let request = r#"{"sensorExpire":[{"deviceToken":"YQ==","expireTime":4070908800}]}"#;
    for (content, form) in [
        (
            "token,expire_time\na,4070908800\n",
            "rows of cells apart by ','",
        ),
        (
            "token\texpire_time\na\t4070908800\n",
            "rows of cells apart by a tab",
        ),
        (&format!("{one}\n{one}\n"), "JSON, an object a line"),
        (&format!("[{one}]"), "JSON, a list"),
        (&format!(r#"{{"a/b":[{one}]}}"#), "JSON, the list at /a~1b"),
        (one, "JSON, one record"),
        (request, "protobuf JSON, the list at /sensorExpire"),
        (" \n", "nothing but white space"),
    ] {
        run_with_input(["check", "-v"], content.as_bytes())
            .exits(0)
            .stderr_contains(&format!("note: standard input: {form}\n"));
    }
}

#[test]
fn a_file_that_is_none_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    fs::write(path("utf16.csv"), b"\xff\xfet\0o\0k\0").expect("written");
    fs::write(path("sheet.csv"), b"PK\x03\x04 and so on").expect("written");
    fs::write(path("bad-utf8.csv"), b"token,expire_time\n\xff,1\n").expect("written");
    for (name, said) in [
        ("missing.csv", "No such file"),
        (".", "is a directory"),
        ("utf16.csv", "UTF-16"),
        ("sheet.csv", "XLSX"),
        ("bad-utf8.csv", "record 1, line 2: token: not UTF-8"),
    ] {
        run(["check", utf8(&path(name))])
            .exits(4)
            .stderr_contains(said)
            .stderr_contains(path(name).to_str().expect("UTF-8"));
    }
}

#[test]
fn all_bad_records_are_counted_and_the_first_are_shown() {
    let rows: String = (0..50).map(|_| "a,x\n").collect();
    let path = TempFile::new("bad.csv", format!("token,expire_time\n{rows}"));
    let lines = |run: &Run| run.stderr.matches("record ").count();
    let usual = run(["check", path.str(), "--output=json"]).exits(4);
    assert_eq!(lines(&usual), 20);
    assert_eq!(usual.count("invalid"), 50);
    let usual = usual
        .stderr_contains("50 of 50 records invalid")
        .stderr_contains("and 30 more");
    assert_eq!(
        usual.json()["error"]["causes"].as_array().map(Vec::len),
        Some(21)
    );
    let few = run(["check", path.str(), "--max-errors=3"]).exits(4);
    assert_eq!(lines(&few), 3);
    let all = run(["check", path.str(), "--max-errors=50"]).exits(4);
    assert_eq!(lines(&all), 50);
}

#[test]
fn a_bad_file_does_not_hide_the_next() {
    let cut_off = TempFile::new("one.json", "[{");
    let bad = TempFile::new("two.csv", "token,expire_time\na,x\nb,1\n");
    let run = run([
        "check",
        cut_off.str(),
        bad.str(),
        "nowhere.csv",
        "--output=json",
    ])
    .exits(4)
    .stderr_contains("one.json")
    .stderr_contains("two.csv: record 1, line 2")
    .stderr_contains("nowhere.csv");
    assert_eq!(run.count("read"), 2);
    assert_eq!(run.count("unsent"), 1);
}

#[test]
fn the_names_and_columns_that_are_asked_for_are_read() {
    for (flags, content) in [
        (
            &["--token-field=id", "--time-field=until"][..],
            "id,until,token\nabc,7,x\n",
        ),
        (
            &["--token-field=3", "--time-field=1"],
            "until,x,id\n7,,abc\n",
        ),
        (&["--no-header"], "abc,7,x\n"),
        (
            &["--no-header", "--token-field=2", "--time-field=1"],
            "7,abc\n",
        ),
        (&["--delimiter=;"], "token;expire_time\nabc;7\n"),
        (&["--delimiter=tab"], "token\texpire_time\nabc\t7\n"),
        (&["--input-format=tsv"], "token\texpire_time\nabc\t7\n"),
        (&["--time-unit=ms"], "token,expire_time\nabc,7000\n"),
        (
            &["--timezone=Europe/Berlin"],
            "token,expire_time\nabc,1970-01-01T01:00:07\n",
        ),
        (
            &["--token-field=id", "--time-field=until"],
            r#"[{"id":"abc","until":7,"token":"x","expire_time":1}]"#,
        ),
        (
            &["--input-format=ndjson"],
            r#"{"token":"abc","expire_time":7}"#,
        ),
        (
            &["--input-format=json"],
            r#"{"token":"abc","expire_time":7}"#,
        ),
        (
            &["--input-format=protojson"],
            r#"{"sensorExpire":[{"deviceToken":"YWJj","expireTime":7}]}"#,
        ),
    ] {
        let receiver = Receiver::start();
        receiver.push_input(flags, content.as_bytes()).exits(0);
        assert_eq!(receiver.stop().rows, b"abc,7\n", "{flags:?}");
    }
}

#[test]
fn a_record_is_at_most_a_mebibyte() {
    let long = "x".repeat(1 << 20);
    for content in [
        format!("token,expire_time\n{long},1\n"),
        format!("token,expire_time\n\"{}", "a,1\n".repeat(600_000)),
        format!("[{{\"token\":\"{long}\",\"expire_time\":1}}]"),
        format!("{{\"token\":\"{long}\",\"expire_time\":1}}\n{{}}"),
        format!("[{}", "[".repeat(2 << 20)),
    ] {
        let path = TempFile::new("input", &content);
        run(["check", path.str()])
            .exits(4)
            .stderr_contains("longer than 1 MiB");
    }
}

#[test]
fn lines_behind_one_that_is_too_long_are_read() {
    let long = "x".repeat(3 << 20);
    let good = "{\"token\":\"a\",\"expire_time\":4070908800}";
    let input = format!("{good}\n{{\"token\":\"{long}\"}}\n{{bad\n{good}");
    let path = TempFile::new("a.ndjson", input);
    run(["check", path.str(), "--output=json"])
        .exits(4)
        .stderr_contains("record 2, line 2, column 1: the record is longer than 1 MiB")
        .stderr_contains("record 3, line 3, column 2: malformed JSON")
        .counts("read", 4)
        .counts("invalid", 2);

    for end in ["\n", "\r\n"] {
        let input = format!("token,expire_time{end}a,1{end}{long},2{end}b,soon{end}c,3{end}{long}");
        let path = TempFile::new("a.csv", input);
        let run = run(["check", path.str(), "--output=json"])
            .exits(4)
            .stderr_contains("record 2, line 3: the record is longer than 1 MiB")
            .stderr_contains("record 3, line 4: ")
            .stderr_contains("record 5, line 6: the record is longer than 1 MiB");
        assert_eq!(run.count("read"), 5);
        assert_eq!(run.count("invalid"), 3);
    }
    let path = TempFile::new("a.csv", format!("{long}\na,1\n"));
    run(["check", path.str()])
        .exits(4)
        .stderr_contains("longer than 1 MiB");
    // Its columns are counted all the same.
    for length in [(1 << 20) + 1, 3 << 20] {
        let long = "x".repeat(length);
        let path = TempFile::new("a.csv", format!("{long},1\na,soon\nb,2\n"));
        let flags = ["check", path.str(), "--no-header"];
        run(flags)
            .exits(4)
            .stderr_contains("record 1, line 1: the record is longer than 1 MiB")
            .stderr_contains("record 2, line 2: ")
            .stderr_contains("2 of 3 records invalid");
    }
}

#[test]
fn a_record_of_a_mebibyte_is_read_wherever_it_stands() {
    let (start, end) = ("{\"expire_time\":4070908800,\"token\":\"", "\"}");
    let json = format!(
        "{start}{}{end}",
        "x".repeat((1 << 20) - start.len() - end.len())
    );
    let csv = format!("{},4070908800", "x".repeat((1 << 20) - 11));
    for (name, header, record) in [("a.csv", "token,expire_time", csv), ("a.ndjson", "", json)] {
        for before in [1_usize << 18, 2 << 18] {
            // A read ends between the carriage return and the line feed, or close to it.
            for before in before - 2..before + 3 {
                let blank = "\r\n".repeat((before - header.len() - 2) / 2);
                let odd = if (before - header.len()) % 2 == 1 {
                    "\n"
                } else {
                    ""
                };
                let input = format!("{header}\r\n{odd}{blank}{record}\r\n");
                let path = TempFile::new(name, input);
                run(["check", path.str()]).exits(0);
            }
        }
    }
}

#[test]
fn the_first_problems_are_shown_whatever_finds_them() {
    let bad = (0..200).map(|number| format!("t{number},soon\nt{number},{number}\n"));
    let input = format!(
        "token,expire_time\na,1\na,2\n{}{}",
        bad.collect::<String>(),
        "a,3\n".repeat(3)
    );
    let flags = ["check", "--max-errors=2", "--output=json"];
    let run = run_with_input(flags, input.as_bytes())
        .exits(4)
        .stderr_contains("record 2, line 3")
        .stderr_contains("record 3, line 4");
    assert!(!run.stderr.contains("record 5"), "{}", run.stderr);
    assert_eq!(run.count("invalid"), 204);
}

#[test]
fn deep_nesting_is_refused_or_passed_over_without_harm() {
    let deep = format!("[{}{}]", "[".repeat(100_000), "]".repeat(100_000));
    let path = TempFile::new("deep.json", &deep);
    run(["check", path.str()]).exits(4);
    let inside = format!(r#"[{{"token":"a","expire_time":1,"x":{deep}}}]"#);
    let path = TempFile::new("inside.json", &inside);
    let run = run(["check", path.str()]);
    assert!([0, 4].contains(&run.code), "{run:?}");
}

#[test]
fn archives_are_known_by_their_bytes() {
    let csv = b"device_token,expire_time\nabc,7\n";
    let ndjson = b"{\"token\":\"abc\",\"expire_time\":7}\n";
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
        assert_eq!(receiver.stop().rows, b"abc,7\n", "{name}");
    }
    for broken in [gzip(csv), zstandard(csv)] {
        let path = TempFile::new("cut.csv", &broken[..broken.len() - 3]);
        run(["check", path.str()])
            .exits(4)
            .stderr_contains("the archive is broken or cut off");
    }
    let path = TempFile::new("bad.csv.gz", gzip(b"token,expire_time\n\na,x\n"));
    run(["check", path.str()])
        .exits(4)
        .stderr_contains("bad.csv.gz: record 1, line 3");
    let path = TempFile::new("sheet.gz", gzip(b"PK\x03\x04"));
    run(["check", path.str()]).exits(4).stderr_contains("XLSX");
}

#[test]
fn a_pointer_leads_to_the_list() {
    let document = r#"{"a":[{"deviceToken":"x","expireTime":1}],
        "b":{"c/d":[0,[{"deviceToken":"abc","expireTime":7}]],"~":{}},"e":[]}"#;
    let pointed = |pointer: &str, document: &str| {
        let receiver = Receiver::start();
        let run = receiver.push_input(["--records", pointer], document.as_bytes());
        (run, String::from_utf8(receiver.stop().rows).expect("UTF-8"))
    };
    for (pointer, document, rows) in [
        ("/b/c~1d/1", document, "abc,7\n"),
        ("/a", document, "x,1\n"),
        ("/e", document, ""),
        ("", r#"[{"token":"abc","expire_time":7}]"#, "abc,7\n"),
        ("/0", r#"[[{"token":"abc","expire_time":7}]]"#, "abc,7\n"),
        (
            "/sensorExpire",
            r#"{"sensorExpire":[{"deviceToken":"YWJj","expireTime":7}]}"#,
            "abc,7\n",
        ),
    ] {
        let (run, received) = pointed(pointer, document);
        run.exits(0);
        assert_eq!(received, rows, "{pointer}");
    }
    for (pointer, document, said) in [
        ("/x", document, "leads nowhere"),
        ("/a/1", document, "leads nowhere"),
        ("/a/0/deviceToken", document, "a string where a list"),
        ("/b", document, "an object where a list"),
        ("/e/x", document, "leads nowhere"),
        ("/a", "\"a\"", "points into a JSON document"),
        ("/a", r#"{"a":[],"a":[]}"#, "comes twice"),
        ("/a", r#"{"a":[],"b":tru}"#, "malformed JSON"),
        (
            "/a",
            "token,expire_time\na,1\n",
            "points into a JSON document",
        ),
    ] {
        let (run, received) = pointed(pointer, document);
        run.exits(4).stderr_contains(said);
        assert_eq!(received, "");
    }
    run(["check", "--records=a/b"])
        .exits(2)
        .stderr_contains("/data/licenses");
    let (run, _) = pointed("/a", "{\"a\":[\n{\"token\":\"a\",\n \"expire_time\":-1}]}");
    run.exits(4).stderr_contains("record 1, line 3, column 16");
}

#[test]
fn duplicates_are_settled_as_asked() {
    let input = b"token,expire_time\na,5\nb,1\na,3\na,9\na,9\na,4\n";
    for (rule, time, duplicates) in [("first", 5, 4), ("last", 4, 4), ("latest", 9, 4)] {
        let receiver = Receiver::start();
        let args = ["--on-duplicate", rule, "--output=json"];
        let run = receiver.push_input(args, input).exits(0);
        assert_eq!(run.count("duplicate"), duplicates, "{rule}");
        assert_eq!(run.count("acknowledged"), 2, "{rule}");
        let rows = String::from_utf8(receiver.stop().rows).expect("UTF-8");
        assert_eq!(rows, format!("a,{time}\nb,1\n"), "{rule}");
    }
    let receiver = Receiver::start();
    let run = receiver.push_input(["--output=json"], input).exits(4);
    assert_eq!(run.count("invalid"), 4);
    assert_eq!(run.count("unsent"), 2);
    assert_eq!(receiver.stop().requests, 0);
}

#[test]
fn duplicates_are_found_across_files_and_encodings() {
    let csv = TempFile::new("one.csv", "token,expire_time\nYWJj,1\n");
    let json = TempFile::new(
        "two.json",
        r#"{"sensorExpire":[{"deviceToken":"YWJj","expireTime":2}]}"#,
    );
    let args = |encoding: &str| {
        [
            "check".into(),
            csv.str().to_owned(),
            json.str().to_owned(),
            encoding.into(),
        ]
    };
    // As base64 they are one token, as text another.
    run(args("--token-encoding=base64"))
        .exits(4)
        .stderr_contains(
            "two.json: record 1, line 1, column 18: the token a… (3 bytes) came before",
        )
        .stderr_contains("one.csv, record 1, line 2");
    run(args("--token-encoding=utf8")).exits(0);
}

#[test]
fn guards_refuse_what_is_well_formed() {
    let input = b"token,expire_time\na,1\nb,4070908800\nb,4070908800\n";
    for (flags, said) in [
        (
            &["--min-records=3"][..],
            "2 records would be pushed, --min-records 3",
        ),
        (
            &["--max-records=1"],
            "2 records would be pushed, --max-records 1",
        ),
        (
            &["--refuse-past"],
            "record 1, line 2: the expire time 1970-01-01T00:00:01Z has passed",
        ),
    ] {
        let receiver = Receiver::start();
        let run = receiver
            .push_input([flags, &["--output=json"]].concat(), input)
            .exits(4)
            .stderr_contains(said);
        assert_eq!(run.json()["status"], "refused");
        assert_eq!(receiver.stop().requests, 0);
    }
    let receiver = Receiver::start();
    let flags = ["--min-records=2", "--max-records=2"];
    receiver
        .push_input(flags, input)
        .exits(0)
        .stderr_contains("1 expire time already passed");
}

#[test]
fn check_shows_when_the_licences_run_out() {
    let day = 86_400;
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    // A minute on, so that the clock's going on changes no count.
    let times = [
        1,
        now + 60,
        now + 8 * day,
        now + 31 * day,
        now + 91 * day,
        now + 366 * day,
        1,
    ];
    let rows: String = (0..)
        .zip(times)
        .map(|(number, time)| format!("t{number},{time}\n"))
        .collect();
    let path = TempFile::new("a.csv", format!("token,expire_time\n{rows}t0,1\n"));
    let expiry = run(["check", path.str(), "--output=json"]).exits(0).json()["expiry"].clone();
    assert_eq!(
        expiry,
        serde_json::json!({
            "past": 2, "within_7_days": 1, "within_30_days": 1, "within_90_days": 1,
            "within_365_days": 1, "later": 1, "earliest": 1, "latest": now + 366 * day,
        })
    );
    let text = run(["check", path.str()]).exits(0).stdout;
    for line in [
        "already past            2 ████████████████████████████████████████\n",
        "within 7 days           1 ████████████████████\n",
        "earliest 1970-01-01T00:00:01Z, latest ",
    ] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn a_file_that_changes_while_it_is_pushed_stops_the_push() {
    let rows = |time: u32| -> String {
        let rows = (0..60_000).map(|number| format!("token-{number:06},{time}\n"));
        format!("token,expire_time\n{}", rows.collect::<String>())
    };
    let path = TempFile::new("a.csv", rows(4_070_908_800));
    let receiver = Receiver::with(["--delay=500ms"]);
    let mut args = receiver.push_args();
    args.extend([
        path.str().to_owned(),
        "--output=json".into(),
        "--batch-records=5000".into(),
    ]);
    let child = command(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    // It connects when everything is validated, and each request takes half a second.
    receiver.wait_for_connection();
    fs::write(&path, rows(4_070_908_801)).expect("changed");
    let run = finish(child);
    let acknowledged = run.count("acknowledged");
    assert!(acknowledged < 60_000, "{run:?}");
    let run = run
        .exits(if acknowledged == 0 { 4 } else { 3 })
        .stderr_contains("changed");
    assert_eq!(run.count("unsent"), 60_000 - acknowledged);
    let rows = receiver.stop().rows;
    let rows = String::from_utf8(rows).expect("UTF-8");
    assert!(rows.lines().all(|row| row.ends_with(",4070908800")));
}

#[test]
fn what_one_reading_would_pass_over_is_refused() {
    for (flags, content, said) in [
        (
            &["-"][..],
            r#"{"sensorExpire":[{"deviceToken":"YWJj","expireTime":1}],"sensorExpire":[]}"#,
            "comes twice",
        ),
        (
            &["--input-format=protojson"],
            r#"{"sensorExpire":[{"deviceToken":"YWJj","expireTime":1}]"#,
            "ends inside",
        ),
        (
            &["--input-format=protojson"],
            r#"{"sensorExpire":[{"deviceToken":"YWJj","expireTime":1}]} x"#,
            "more JSON follows",
        ),
        (&["--input-format=protojson"], "{}", "no list sensorExpire"),
        (&["--input-format=protojson"], "[]", "no list sensorExpire"),
        (
            &["--token-field=2"],
            "token,expire_time\na,1\n",
            "both token and expire time",
        ),
        (
            &["--token-field=expire_time"],
            "token,expire_time\na,1\n",
            "both token and expire time",
        ),
        (
            &["--no-header", "--token-field=2"],
            "a,1\n",
            "both token and expire time",
        ),
        (
            &["--token-field=expire_time"],
            r#"[{"token":"a","expire_time":"1"}]"#,
            "column 29: \"expire_time\" would be both",
        ),
        (
            &["-"],
            "token,expire_time,x,x\na,1,,\n",
            "the key \"x\" comes twice",
        ),
        (
            &["-"],
            "{\"token\":\"a\",\"expire_time\":}\n{\"token\":\"\",\"expire_time\":1}\n",
            "2 of 2 records invalid",
        ),
        (
            &["-"],
            "[{\"token\":\"a\",\"expire_time\":1}\n]]",
            "line 2, column 2: more JSON",
        ),
        (&["-"], "\u{7f}ELF", "a binary file"),
        (&["-"], "BZh91AY&SY", "an archive of another kind"),
    ] {
        let receiver = Receiver::start();
        receiver
            .push_input(flags, content.as_bytes())
            .exits(4)
            .stderr_contains(said);
        assert_eq!(receiver.stop().requests, 0, "{content}");
    }
}

#[test]
fn a_token_in_the_place_of_a_name_or_time_is_not_shown() {
    for content in [
        "fadfadftetwtwtwt,1798761600000\n",
        "fadfadftetwtwtwt,31/12/2026\n",
        "fadfadftetwtwtwt,tomorrow\n",
        "{\"fadfadftetwtwtwt\":\"2026-12-31\"}",
        "{\"fadfadftetwtwtwt\":{\"expire_time\":1}}",
        "[{\"fadfadftetwtwtwt\":\"2026-12-31\"}]",
        "{\"fadfadftetwtwtwt\":1}\n{\"x\":1}\n",
        "[{\"fadfadftetwtwtwt\":1,\"fadfadftetwtwtwt\":2,\"token\":\"a\",\"expire_time\":1}]",
        "expire_time,token\nfadfadftetwtwtwt,1\n",
    ] {
        let run = run_with_input(["check", "--output=json"], content.as_bytes()).exits(4);
        let text = format!("{}{}", run.stdout, run.stderr);
        assert!(!text.contains("fadfadftetwtwtwt"), "{text}");
    }
    let near = b"[{\"token-98f3ab\":1798761600}]";
    let run = run_with_input(["check"], near).exits(4);
    assert!(!run.stderr.contains("token-98f3ab"), "{run:?}");
}

#[test]
fn blank_lines_are_skipped_however_many() {
    let blank = "\n".repeat(3 << 20);
    let path = TempFile::new("blank", &blank);
    run(["check", path.str()]).exits(0);
    let path = TempFile::new(
        "late.csv",
        format!("{blank}token,expire_time\n{blank}a,4070908800\n{blank}b,x\n"),
    );
    run(["check", path.str()])
        .exits(4)
        .stderr_contains(&format!("record 2, line {}:", 3 * (3 << 20) + 3));
}

#[test]
fn what_looks_odd_and_is_legal_is_read() {
    for (flags, content) in [
        (
            &["-"][..],
            "{\"n\":1e400,\"s\":\"x\",\"list\":[{\"token\":\"abc\",\"expire_time\":7}]}",
        ),
        (&["-"], "token\texpire_time\tname, x\nabc\t7\tz\n"),
        (&["--no-header"], "abc,7\n"),
        (&["--token-field=1", "--time-field=2"], "t,until\nabc,7\n"),
        (
            &["--input-format=protojson", "--records=/sensorExpire"],
            "{\"sensorExpire\":[{\"deviceToken\":\"YWJj\",\"expireTime\":7}]}",
        ),
        (&["-"], "token,expire_time,note\nabc,7,BZh1\n"),
    ] {
        let receiver = Receiver::start();
        receiver.push_input(flags, content.as_bytes()).exits(0);
        assert_eq!(receiver.stop().rows, b"abc,7\n", "{content}");
    }
    // By number the first row is a header still, and it must look like one.
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
fn lines_are_lines_though_the_first_is_cut() {
    for first in ["{\"a", "{\"token\":\"a\",\"expire_time\":"] {
        let input = format!("{first}\n{{\"token\":\"abc\",\"expire_time\":1980962440}}\n");
        let run = run_with_input(["check", "--output=json"], input.as_bytes()).exits(4);
        assert_eq!(run.count("read"), 2);
        assert_eq!(run.count("invalid"), 1);
        run.stderr_contains("record 1, line 1");
    }
}
