//! Input that the program refuses before it sends anything.

use std::fs;

use crate::support::{
    files::{TempFile, utf8},
    program::{Run, run, run_with_input},
    receiver::Receiver,
    records::EXPIRE_TIME,
};

/// A file name, the content of the file, and the texts that the error must contain.
const INVALID_FILES: &[(&str, &str, &[&str])] = &[
    (
        "no-time.csv",
        "device_token,expires\nabcdefghijkl,1000000001\n",
        &["no expiration time", "\"expires\"", "--time-field"],
    ),
    (
        "nearest.csv",
        "devicetoken,expire_time\nabcdefghijkl,1000000001\n",
        &["no device token", "(pass --token-field devicetoken)"],
    ),
    (
        "semicolons.csv",
        "device_token;expire_time\nabcdefghijkl;4070908800\n",
        &["no device token", "(pass --delimiter ';'"],
    ),
    (
        "bars.csv",
        "id,x|device_token|expire_time\nabcdefghijkl|4070908800\n",
        &["(pass --delimiter '|'"],
    ),
    (
        "tabs.csv",
        "device_token\texpire_time\nabcdefghijkl\t4070908800\n",
        &["(pass --delimiter tab"],
    ),
    (
        "commas.tsv",
        "device_token,expire_time\nabcdefghijkl,4070908800\n",
        &["(pass --delimiter ','"],
    ),
    (
        "semicolons-without-header.csv",
        "abcdefghijkl;4070908800\n",
        &["looks like a record"],
    ),
    (
        "digit-in-header.csv",
        "device_token,2026_expiry\nabcdefghijkl,4070908800\n",
        &["no expiration time", "\"2026_expiry\""],
    ),
    (
        "empty-rows.csv",
        "device_token,expire_time\n,\nabcdefghijkl,1000000001\n,\nabcdefghijkm,soon\n",
        &["1 of 2 records", ":5: error: "],
    ),
    (
        "two-spellings.csv",
        "token,device_token,expire_time\na,b,1000000001\n",
        &[":1: error: ", "\"token\" and \"device_token\""],
    ),
    (
        "same-column-twice.csv",
        "token,token,expire_time\na,b,1000000001\n",
        &[":1: error: \"token\" occurs more than once"],
    ),
    (
        "no-header.csv",
        "abcdefghijkl,1232312313\n",
        &["looks like a record", "--no-header"],
    ),
    (
        "ragged.csv",
        "token,expire_time\na,1000000001\nb\nc,1000000003,\n",
        &[
            ":3: error: expected 2 columns, found 1",
            ":4: error: expected 2 columns, found 3",
        ],
    ),
    (
        "bare-quote.csv",
        "token,expire_time\na\"b,1000000001\n",
        &[":2: error: ", "quote"],
    ),
    (
        "after-quote.csv",
        "token,expire_time\n\"a\"b,1000000001\n",
        &[":2: error: ", "quote"],
    ),
    (
        "open-quote.csv",
        "token,expire_time\na,1000000001\n\"b,1000000002\nc,1000000003\n",
        &[":3: error: unterminated quote"],
    ),
    (
        "nul.csv",
        "token,expire_time,x\na,1000000001,\0\n",
        &[":2: error: NUL byte"],
    ),
    (
        "lone-cr.csv",
        "token,expire_time\na,1000000001\rb,2\n",
        &[":2: error: ", "carriage return"],
    ),
    (
        "old-mac.csv",
        "token,expire_time\ra,1\rb,2\r",
        &[":1: error: ", "carriage return"],
    ),
    (
        "empty-token.csv",
        "token,expire_time\n,1\n",
        &[":2: error: token \"\" is empty"],
    ),
    (
        "empty-time.csv",
        "token,expire_time\na,\n",
        &[":2: error: expire_time \"\" is empty"],
    ),
    (
        "space.csv",
        "token,expire_time\n abcdefghijkl,1000000001\nabc\u{a0},1\n",
        &[
            ":2: error: token \" abc… (13 characters)\" has leading",
            ":3: error: token \"a… (4 characters)\" has leading",
        ],
    ),
    (
        "space-time.csv",
        "token,expire_time\na, 1\n",
        &[":2: error: expire_time \" 1\" has leading or trailing white space"],
    ),
    (
        "lines.csv",
        "\n\ntoken,note,expire_time\r\na,\"x\r\ny\n\",1\r\n\r\nb,,no\n",
        &[":8: error: expire_time \"no\""],
    ),
    (
        "conflict.csv",
        "token,expire_time\na,1000000001\nb,1000000001\na,1000000002\na,1000000002\na,1000000001\n",
        &[
            "2 of 5 records invalid",
            ":4: error: token … (1 byte) has a different expiration time at",
            "conflict.csv:2",
        ],
    ),
    (
        "milliseconds.csv",
        "token,expire_time\na,1580962440000\n",
        &["1580962440000", "--time-unit ms"],
    ),
    (
        "too-late.csv",
        "token,expire_time\na,4294967296\n",
        &["expire_time \"4294967296\" is not", "0 to 4294967295"],
    ),
    (
        "float.json",
        r#"[{"token":"a","expire_time":1.0}]"#,
        &[":1:29: error: ", "decimal point"],
    ),
    (
        "null.json",
        r#"[{"token":"a","expire_time":null}]"#,
        &["expected a number or a string, found null"],
    ),
    (
        "bool.json",
        r#"[{"token":true,"expire_time":1000000001}]"#,
        &["expected a string, found a boolean"],
    ),
    (
        "object.json",
        r#"[{"token":"a","expire_time":{}}]"#,
        &["found an object"],
    ),
    (
        "number-token.json",
        r#"[{"token":123456789012,"expire_time":1000000001}]"#,
        &["expected a string, found a number", "quotes"],
    ),
    (
        "missing.json",
        r#"[{"token":"a"}]"#,
        &[":1:2: error: no expiration time"],
    ),
    (
        "duplicate-key.json",
        r#"[{"token":"a","x":1,"x":2,"expire_time":1000000001}]"#,
        &["\"x\" occurs more than once"],
    ),
    (
        "two-spellings.json",
        r#"[{"token":"a","deviceToken":"a","expire_time":1000000001}]"#,
        &["\"token\" and \"deviceToken\""],
    ),
    (
        "element.json",
        "[\n  5\n]",
        &[":2:3: error: expected an object, found a number"],
    ),
    (
        "trailing-comma.json",
        r#"[{"token":"a","expire_time":1000000001},]"#,
        &["malformed JSON"],
    ),
    (
        "no-comma.json",
        r#"[{"token":"a","expire_time":1000000001} {"#,
        &["malformed JSON"],
    ),
    (
        "cut-off.json",
        r#"[{"token":"a","expire_time":1000000001},{"token":"b"#,
        &["truncated JSON"],
    ),
    (
        "not-closed.json",
        r#"[{"token":"a","expire_time":1000000001}"#,
        &["truncated JSON"],
    ),
    (
        "more.json",
        r#"[{"token":"a","expire_time":1000000001}] x"#,
        &["unexpected text after the JSON document"],
    ),
    (
        "ndjson.json",
        "{\"token\":\"a\",\"expire_time\":1000000001}\n{}\n",
        &[":2:1: error: no device token"],
    ),
    (
        "string.json",
        r#""token""#,
        &["expected an array of records, found a string"],
    ),
    ("word.json", "token", &["expected an array of records"]),
    (
        "two-lists.json",
        r#"{"a":[],"b":[]}"#,
        &["expected one array of records, found \"/a\", \"/b\""],
    ),
    (
        "no-list.json",
        r#"{"a":{"b":1}}"#,
        &["expected an array of records, found only the keys \"a\""],
    ),
    (
        "deep-list.json",
        r#"{"data":{"items":[{"token":"a","expire_time":1000000001}],"tags":["x"]}}"#,
        &[
            "found only the keys \"data\"",
            "(pass --records /data/items",
        ],
    ),
    (
        "deep-request.json",
        r#"{"data":{"a b":{"sensorExpire":[]}}}"#,
        &["--input-format protojson --records '/data/a b/sensorExpire'"],
    ),
    (
        "objects.json",
        "{\n \"token\":\"a\",\n \"expire_time\":1000000001}\n{\"token\":\"b\"}{\"token\":\"c\",\n\"expire_time\":-1}",
        &[
            "2 of 3 records",
            ":4:1: error: no expiration time",
            ":5:15: error: expire_time",
        ],
    ),
    (
        "objects-cut-off.json",
        "{\n \"token\":\"a\",\n \"expire_time\":1000000001}\n{\n",
        &["truncated JSON"],
    ),
    (
        "objects-with-comma.json",
        "{\n\"token\":\"a\",\"expire_time\":1000000001},\n{\"token\":\"a\",\"expire_time\":1000000001}",
        &[":2:38: error: malformed JSON"],
    ),
    ("huge-number.json", HUGE_NUMBER, &["0 to 4294967295"]),
    (
        "surrogate.json",
        r#"[{"token":"\ud800","expire_time":1000000001}]"#,
        &["malformed JSON"],
    ),
    (
        "syntax.ndjson",
        "{\"token\":\"a\",\"expire_time\":1000000001}\n{\n",
        &[":2:", "malformed"],
    ),
    (
        "unclosed.ndjson",
        "{\"token\":\"a\",\"expire_time\":\"2000000000}\n",
        &[":1:", "malformed"],
    ),
    (
        "form-feed.ndjson",
        "\u{c}{\"token\":\"a\",\"expire_time\":1000000001}\u{c}\n",
        &[":1:", "malformed"],
    ),
    (
        "list.ndjson",
        "[]\n",
        &["expected an object, found an array"],
    ),
    (
        "request.json",
        r#"{"sensorExpire":[{"deviceToken":"a b","expireTime":1000000001}]}"#,
        &["deviceToken \"a… (3 characters)\" is not base64 at byte 2"],
    ),
    (
        "request-no-time.json",
        r#"{"sensorExpire":[{"deviceToken":"YQ=="}]}"#,
        &["no expiration time"],
    ),
    (
        "numbered-without-header.csv",
        "abcdefghijkl,4070908800\nb,4070908800\n",
        &["--no-header"],
    ),
    (
        "half-a-record.json",
        "\n{\"device_token\":\"abc\",\"expire_tim\":1980962440}",
        &[":2:1: error: no expiration time", "--time-field expire_tim"],
    ),
    (
        "huge-in-object.json",
        "{\"token\":\"a\",\"expire_time\":1e400}",
        &[":1:28: error: expire_time \"1e400\" has a sign, a decimal point or an exponent"],
    ),
    ("word-in-list.json", "[tru]", &["malformed JSON"]),
    (
        "request.ndjson",
        r#"{"sensorExpire":[{"deviceToken":"YQ==","expireTime":1000000001}]}"#,
        &[
            "found a request message",
            "a file of its own, and pass --input-format protojson",
        ],
    ),
    (
        "two-requests.json",
        r#"{"sensorExpire":[]}{"sensorExpire":[]}"#,
        &["2 of 2 records invalid", "found a request message"],
    ),
    (
        "header-with-date.csv",
        "serial,expires,2030-01-01\na,4070908800,x\n",
        &["(pass --no-header if the row is a record, else --token-field NAME --time-field NAME)"],
    ),
];

const HUGE_NUMBER: &str =
    r#"[{"token":"a","expire_time":100000000000000000000000000000000000000000}]"#;

#[test]
fn check_and_push_reject_the_same_input() {
    let receiver = Receiver::start();
    for (name, content, texts) in INVALID_FILES {
        let path = TempFile::new(name, content);
        let check = run(["check", path.str(), "--output=json"]).exits(4);
        let push = receiver.push([path.str(), "--output=json"]).exits(4);
        assert_eq!(check.stderr, push.stderr, "{name}");
        assert_eq!(check.json()["status"], "refused", "{name}");
        assert_eq!(check.json()["records"], push.json()["records"], "{name}");
        let text = check.stderr.replace(path.str(), name);
        assert!(text.contains(name), "{text}");
        for expected in *texts {
            assert!(text.contains(expected), "{name}: no {expected:?} in {text}");
        }
        assert!(!text.contains("abcdefghijkl"), "a whole token in {text}");
    }
    assert_eq!(receiver.stop().requests, 0);
}

#[test]
fn unreadable_files_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    fs::write(path("utf16.csv"), b"\xff\xfet\0o\0k\0").expect("written");
    fs::write(path("sheet.csv"), b"PK\x03\x04 and so on").expect("written");
    fs::write(path("bad-utf8.csv"), b"token,expire_time\n\xff,1\n").expect("written");
    for (name, text) in [
        ("missing.csv", "No such file"),
        (".", "is a directory"),
        ("utf16.csv", "UTF-16"),
        ("sheet.csv", "XLSX"),
        (
            "bad-utf8.csv",
            ":2: error: token \"… (1 character)\" is not UTF-8",
        ),
    ] {
        run(["check", utf8(&path(name))])
            .exits(4)
            .stderr_contains(text)
            .stderr_contains(path(name).to_str().expect("UTF-8"));
    }
}

#[test]
fn max_errors_limits_the_shown_problems() {
    let rows: String = (0..50).map(|_| "a,x\n").collect();
    let path = TempFile::new("bad.csv", format!("token,expire_time\n{rows}"));
    let lines = |run: &Run| run.stderr.matches("bad.csv:").count();
    let usual = run(["check", path.str(), "--output=json"]).exits(4);
    assert_eq!(lines(&usual), 20);
    assert_eq!(usual.count("invalid"), 50);
    let usual = usual
        .stderr_contains("50 of 50 records invalid")
        .stderr_contains("caused by: 30 more problems not shown")
        .stderr_contains("hint: pass --max-errors N to show more");
    assert_eq!(
        usual.json()["error"]["problems"].as_array().map(Vec::len),
        Some(20)
    );
    let few = run(["check", path.str(), "--max-errors=3"]).exits(4);
    assert_eq!(lines(&few), 3);
    let all = run(["check", path.str(), "--max-errors=50"]).exits(4);
    assert_eq!(lines(&all), 50);
}

#[test]
fn problems_of_all_files_are_reported() {
    let cut_off = TempFile::new("one.json", "[{");
    let bad = TempFile::new("two.csv", "token,expire_time\na,x\nb,1000000001\n");
    let run = run([
        "check",
        cut_off.str(),
        bad.str(),
        "nowhere.csv",
        "--output=json",
    ])
    .exits(4)
    .stderr_contains("one.json")
    .stderr_contains("two.csv:2")
    .stderr_contains("nowhere.csv");
    assert_eq!(run.count("read"), 2);
    assert_eq!(run.count("unsent"), 1);
}

#[test]
fn first_problems_are_shown_in_order() {
    let bad = (0..200).map(|number| format!("t{number},soon\nt{number},{EXPIRE_TIME}\n"));
    let input = format!(
        "token,expire_time\na,1000000001\na,1000000002\n{}{}",
        bad.collect::<String>(),
        "a,1000000003\n".repeat(3)
    );
    let flags = ["check", "--max-errors=2", "--output=json"];
    let run = run_with_input(flags, input.as_bytes())
        .exits(4)
        .stderr_contains(":3: error: ")
        .stderr_contains(":4: error: ");
    assert!(!run.stderr.contains(":6: "), "{}", run.stderr);
    assert_eq!(run.count("invalid"), 204);
}

#[test]
fn suspicious_tokens_are_warnings() {
    let rows = "device_token,expire_time\nNULL,4070908800\nabc,4070908800\n\n1.23E+15,4070908800\n";
    let run = run_with_input(["check"], rows.as_bytes())
        .exits(0)
        .stderr_contains("standard input:2: warning: token \"NULL\" looks like")
        .stderr_contains(":5: warning: token 1.… (8 bytes) looks like a number that");
    assert_eq!(run.stderr.lines().count(), 2, "{}", run.stderr);
    let json = r#"[{"token":"(null)","expire_time":4070908800}]"#;
    run_with_input(["check"], json.as_bytes())
        .exits(0)
        .stderr_contains(":1:2: warning: token \"(null)\" looks like");
    let base64 = "device_token,expire_time\nNULL,4070908800\n";
    let run = run_with_input(["check", "--token-encoding=base64"], base64.as_bytes()).exits(0);
    assert_eq!(run.stderr, "");
    // Several threads read a large input.
    let rows = format!("{}\\N,4070908800\n", "NULL,4070908800\n".repeat(50_000));
    run_with_input(["check", "--no-header", "--max-errors=3"], rows.as_bytes())
        .exits(0)
        .stderr_contains(":3: warning: token \"NULL\"")
        .stderr_contains("49998 more tokens may be");
}

#[test]
fn ambiguous_input_is_rejected() {
    for (flags, content, text) in [
        (
            &["-"][..],
            r#"{"sensorExpire":[{"deviceToken":"YWJj","expireTime":1000000001}],"sensorExpire":[]}"#,
            "\"sensorExpire\" occurs more than once",
        ),
        (
            &["--input-format=protojson"],
            r#"{"sensorExpire":[{"deviceToken":"YWJj","expireTime":1000000001}]"#,
            "truncated JSON",
        ),
        (
            &["--input-format=protojson"],
            r#"{"sensorExpire":[{"deviceToken":"YWJj","expireTime":1000000001}]} x"#,
            "unexpected text after the JSON document",
        ),
        (
            &["--input-format=protojson"],
            "{}",
            "no array \"sensorExpire\"",
        ),
        (
            &["--input-format=protojson"],
            "[]",
            "no array \"sensorExpire\"",
        ),
        (
            &["--token-field=2"],
            "token,expire_time\na,1000000001\n",
            "both device token and expiration time",
        ),
        (
            &["--token-field=expire_time"],
            "token,expire_time\na,1000000001\n",
            "both device token and expiration time",
        ),
        (
            &["--no-header", "--token-field=2"],
            "a,1000000001\n",
            "both device token and expiration time",
        ),
        (
            &["--token-field=expire_time"],
            r#"[{"token":"a","expire_time":"1000000001"}]"#,
            ":1:29: error: \"expire_time\" is selected as both",
        ),
        (
            &["-"],
            "token,expire_time,x,x\na,1000000001,,\n",
            "\"x\" occurs more than once",
        ),
        (
            &["-"],
            "{\"token\":\"a\",\"expire_time\":}\n{\"token\":\"\",\"expire_time\":1000000001}\n",
            "2 of 2 records invalid",
        ),
        (
            &["-"],
            "[{\"token\":\"a\",\"expire_time\":1000000001}\n]]",
            ":2:2: error: unexpected text",
        ),
        (&["-"], "\u{7f}ELF", "a binary file"),
        (&["-"], "BZh91AY&SY", "an archive other than gzip and zstd"),
    ] {
        let receiver = Receiver::start();
        receiver
            .push_input(flags, content.as_bytes())
            .exits(4)
            .stderr_contains(text);
        assert_eq!(receiver.stop().requests, 0, "{content}");
    }
}

#[test]
fn misplaced_tokens_are_not_shown() {
    for content in [
        "fadfadftetwtwtwt,1798761600000\n",
        "fadfadftetwtwtwt,31/12/2026\n",
        "fadfadftetwtwtwt,tomorrow\n",
        "{\"fadfadftetwtwtwt\":\"2026-12-31\"}",
        "{\"fadfadftetwtwtwt\":{\"expire_time\":1000000001}}",
        "[{\"fadfadftetwtwtwt\":\"2026-12-31\"}]",
        "{\"fadfadftetwtwtwt\":1}\n{\"x\":1}\n",
        "[{\"fadfadftetwtwtwt\":1,\"fadfadftetwtwtwt\":2,\"token\":\"a\",\"expire_time\":1000000001}]",
        "expire_time,token\nfadfadftetwtwtwt,1000000001\n",
    ] {
        let run = run_with_input(["check", "--output=json"], content.as_bytes()).exits(4);
        let text = format!("{}{}", run.stdout, run.stderr);
        assert!(!text.contains("fadfadftetwtwtwt"), "{text}");
    }
}

#[test]
fn options_that_no_input_can_meet_are_usage_errors() {
    let fifo = TempFile::fifo();
    let link = &*fifo.link("link");
    let fifo = fifo.str();
    for (args, text) in [
        (
            &["--min-records=3", "--max-records=1"][..],
            "--max-records 1 is less than --min-records 3",
        ),
        (&[fifo, fifo], "fifo can be read only once"),
        (&[fifo, link], "link can be read only once"),
        (&["-", "-"], "standard input can be read only once"),
    ] {
        run([&["check"], args].concat())
            .exits(2)
            .stderr_contains(text);
    }
}

#[test]
fn guard_options_reject_valid_records() {
    let input = b"token,expire_time\na,1000000001\nb,4070908800\nb,4070908800\n";
    for (flags, text) in [
        (
            &["--min-records=3"][..],
            "found 2 records, but --min-records is 3",
        ),
        (
            &["--max-records=1"],
            "found 2 records, but --max-records is 1",
        ),
        (
            &["--refuse-past"],
            ":2: error: expiration time 2001-09-09T01:46:41Z is in the past",
        ),
    ] {
        let receiver = Receiver::start();
        let run = receiver
            .push_input([flags, &["--output=json"]].concat(), input)
            .exits(4)
            .stderr_contains(text);
        assert_eq!(run.json()["status"], "refused");
        assert_eq!(receiver.stop().requests, 0);
    }
    let receiver = Receiver::start();
    let flags = ["--min-records=2", "--max-records=2"];
    receiver
        .push_input(flags, input)
        .exits(0)
        .stderr_contains("1 expiration time in the past");
}
