//! What can't be trusted is refused, and then nothing is sent.

mod support;

use std::fs;

use support::{Receiver, file, run};

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
        &["line 1", "token and token"],
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
        &["1580962440000", "--time-unit ms"],
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
        &["the key \"x\" comes twice"],
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
];

const HUGE: &str = r#"[{"token":"a","expire_time":100000000000000000000000000000000000000000}]"#;

#[test]
fn check_and_push_refuse_alike_and_nothing_is_sent() {
    let receiver = Receiver::start();
    for (name, content, said) in REFUSED {
        let (_folder, path) = file(name, content);
        let check = run(["check".as_ref(), path.as_os_str(), "--output=json".as_ref()]).exits(4);
        let push = receiver
            .push([path.as_os_str(), "--output=json".as_ref()])
            .exits(4);
        assert_eq!(check.stderr, push.stderr, "{name}");
        assert_eq!(check.json()["status"], "refused", "{name}");
        assert_eq!(check.records(), push.records(), "{name}");
        let text = check.stderr.replace(path.to_str().expect("UTF-8"), name);
        assert!(text.contains(name), "{text}");
        for what in *said {
            assert!(text.contains(what), "{name}: no {what:?} in {text}");
        }
        assert!(!text.contains("abcdefghijkl"), "a whole token in {text}");
    }
    assert_eq!(receiver.stop().requests, 0);
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
        run(["check".as_ref(), path(name).as_os_str()])
            .exits(4)
            .says(said)
            .says(path(name).to_str().expect("UTF-8"));
    }
}

#[test]
fn all_bad_records_are_counted_and_the_first_are_shown() {
    let rows: String = (0..50).map(|_| "a,x\n").collect();
    let (_folder, path) = file("bad.csv", format!("token,expire_time\n{rows}"));
    let lines = |run: &support::Run| run.stderr.matches("record ").count();
    let usual = run(["check".as_ref(), path.as_os_str(), "--output=json".as_ref()]).exits(4);
    assert_eq!(lines(&usual), 20);
    assert_eq!(usual.records()["invalid"], 50);
    let usual = usual.says("50 of 50 records invalid").says("and 30 more");
    assert_eq!(
        usual.json()["error"]["causes"].as_array().map(Vec::len),
        Some(21)
    );
    let few = run([
        "check".as_ref(),
        path.as_os_str(),
        "--max-errors=3".as_ref(),
    ])
    .exits(4);
    assert_eq!(lines(&few), 3);
    let all = run([
        "check".as_ref(),
        path.as_os_str(),
        "--max-errors=50".as_ref(),
    ])
    .exits(4);
    assert_eq!(lines(&all), 50);
}

#[test]
fn a_bad_file_does_not_hide_the_next() {
    let (_one, cut_off) = file("one.json", "[{");
    let (_two, bad) = file("two.csv", "token,expire_time\na,x\nb,1\n");
    let run = run([
        "check".as_ref(),
        cut_off.as_os_str(),
        bad.as_os_str(),
        "nowhere.csv".as_ref(),
        "--output=json".as_ref(),
    ])
    .exits(4)
    .says("one.json")
    .says("two.csv: record 1, line 2")
    .says("nowhere.csv");
    assert_eq!(run.records()["read"], 2);
    assert_eq!(run.records()["unsent"], 1);
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
fn flags_that_make_no_sense_are_refused() {
    for flags in [
        &["--no-header", "--token-field=id"][..],
        &["--token-field=0"],
        &["--token-field=id", "--time-field=id"],
        &["--delimiter=ab"],
        &["--delimiter=\""],
        &["--timezone=Europe/Nowhere"],
        &["--input-format=xml"],
        &["--token-encoding=rot13"],
        &["--time-unit=days"],
        &["--max-errors=-1"],
    ] {
        run([&["check"], flags].concat()).exits(2);
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
        let (_folder, path) = file("input", &content);
        run(["check".as_ref(), path.as_os_str()])
            .exits(4)
            .says("longer than 1 MiB");
    }
}

#[test]
fn deep_nesting_is_refused_or_passed_over_without_harm() {
    let deep = format!("[{}{}]", "[".repeat(100_000), "]".repeat(100_000));
    let (_folder, path) = file("deep.json", &deep);
    run(["check".as_ref(), path.as_os_str()]).exits(4);
    let inside = format!(r#"[{{"token":"a","expire_time":1,"x":{deep}}}]"#);
    let (_folder, path) = file("inside.json", &inside);
    let run = run(["check".as_ref(), path.as_os_str()]);
    assert!([0, 4].contains(&run.code), "{run:?}");
}
