//! JSON documents in which the records are in an unusual place, or in several places.

use crate::support::{
    files::TempFile,
    program::{run, run_with_input},
    receiver::Receiver,
};

const RECORD: &str = r#"{"token":"r1","expire_time":2000000000}"#;
const REQUEST_RECORD: &str = r#"{"deviceToken":"YQ==","expireTime":2000000000}"#;

/// Replaces `R` by a record and `P` by a record in the JSON mapping of protobuf.
fn document(template: &str) -> String {
    template.replace('R', RECORD).replace('P', REQUEST_RECORD)
}

#[test]
fn records_in_two_places_are_refused() {
    let fields = r#""token":"session-abc","expire_time":1999999999"#;
    for (members, message, hint) in [
        (
            r#"F,"items":[R]"#,
            "root object is a record and has other records at \"/items\"",
            "pass --records /items",
        ),
        (
            r#""items":[1,{"x":1},R],F"#,
            "other records at \"/items\"",
            "pass --records /items",
        ),
        (
            r#"F,"data":{"list":[R,R]}"#,
            "other records at \"/data/list\"",
            "pass --records /data/list",
        ),
        (
            r#"F,"a":[R],"b":[R]"#,
            "other records at \"/a\", \"/b\"",
            "choose the records with --records POINTER",
        ),
        (
            r#"F,"sensorExpire":[]"#,
            "other records at \"/sensorExpire\"",
            "pass --input-format protojson --records /sensorExpire",
        ),
        (
            r#"F,"sensorExpire":[P]"#,
            "other records at \"/sensorExpire\"",
            "pass --input-format protojson --records /sensorExpire",
        ),
        (r#"F,"sensorExpire":null"#, "found null", ""),
        (
            r#""sensorExpire":[P],"sensor_expire":[P]"#,
            "expected one array of records, found \"/sensorExpire\", \"/sensor_expire\"",
            "choose the records with --records POINTER",
        ),
        (
            r#""sensor_expire":[],"sensorExpire":[P]"#,
            "expected one array of records",
            "choose the records with --records POINTER",
        ),
        (
            r#""sensorExpire":[P],"items":[R]"#,
            "expected one array of records, found \"/items\", \"/sensorExpire\"",
            "choose the records with --records POINTER",
        ),
        (
            r#""sensorExpire":[P],"data":{"x":[R]}"#,
            "expected one array of records, found \"/data/x\", \"/sensorExpire\"",
            "choose the records with --records POINTER",
        ),
        (
            r#""errors":[],"data":{"x":[R]}"#,
            "expected one array of records, found \"/errors\", \"/data/x\"",
            "choose the records with --records POINTER",
        ),
        (
            r#""data":{"x":[R]},"links":["a"]"#,
            "expected one array of records, found \"/links\", \"/data/x\"",
            "choose the records with --records POINTER",
        ),
    ] {
        let members = document(members).replace('F', fields);
        let input = format!("{{{members}}}");
        let receiver = Receiver::start();
        receiver
            .push_input(["-"], input.as_bytes())
            .exits(4)
            .stderr_contains(message)
            .stderr_contains(hint);
        assert_eq!(receiver.stop().requests, 0, "{input}");
    }
}

#[test]
fn other_arrays_beside_records_are_ignored() {
    for members in [
        r#""token":"r1","expire_time":2000000000,"tags":["x"],"history":[{"at":1}],"list":[]"#,
        r#""token":"r1","expire_time":2000000000,"owner":{"devices":[{"id":"token"}]}"#,
        r#""sensorExpire":[P],"tags":["x"],"errors":[],"meta":{"pages":[{"n":1}]}"#,
    ] {
        let input = format!("{{{}}}", document(members));
        run_with_input(["check", "--output=json"], input.as_bytes())
            .exits(0)
            .counts("read", 1)
            .counts("unsent", 1);
    }
}

#[test]
fn request_message_below_a_pointer_has_base64_tokens() {
    for (flags, template, token) in [
        (
            &["--records=/req/sensorExpire"][..],
            r#"{"req":{"sensorExpire":[P]}}"#,
            "a",
        ),
        (
            &["--records=/0/sensorExpire"],
            r#"[{"sensorExpire":[P]}]"#,
            "a",
        ),
        (
            &["--records=/req/sensorExpire", "--input-format=protojson"],
            r#"{"req":{"sensorExpire":[P]}}"#,
            "a",
        ),
        (
            &["--records=/req/items"],
            r#"{"req":{"items":[P]}}"#,
            "YQ==",
        ),
        (
            &["--records=/req/sensorExpire", "--input-format=json"],
            r#"{"req":{"sensorExpire":[P]}}"#,
            "YQ==",
        ),
    ] {
        let receiver = Receiver::start();
        let input = document(template);
        receiver.push_input(flags, input.as_bytes()).exits(0);
        let rows = String::from_utf8(receiver.stop().rows).expect("UTF-8");
        assert_eq!(rows, format!("{token},2000000000\n"), "{flags:?}");
    }
}

/// JSON objects one after the other that are not one object per line, and the number of objects.
fn concatenated() -> Vec<(String, u64)> {
    let one = |number: usize| format!(r#"{{"token":"t{number}","expire_time":2000000000}}"#);
    let lines = |numbers: std::ops::Range<usize>| {
        numbers.map(|number| one(number) + "\n").collect::<String>()
    };
    let pretty = |number: usize| one(number).replace(',', ",\n").replace('{', "{\n");
    let (first, second, third) = (one(0), one(1), one(2));
    let nested = r#"{"owner":{"name":"x"}"#;
    let rest = r#""token":"n","expire_time":2000000000}"#;
    vec![
        (
            format!("{first}\n{{\"token\":\"b\",\n\"expire_time\":2000000000}}\n"),
            2,
        ),
        (format!("{first}\n{second} {third}\n"), 3),
        (format!("{first}\n{second}{third}"), 3),
        (format!("{first}\n{nested},\n{rest}\n"), 2),
        (format!("{first}\n{nested}\n,{rest}\n"), 2),
        (format!("{first}\n{second}\n{}", pretty(2)), 3),
        (lines(0..1000) + &pretty(1000), 1001),
        // Several threads read the lines of a large input.
        (
            lines(0..20_000) + &pretty(20_000) + "\n" + &lines(20_001..40_000),
            40_000,
        ),
        (
            lines(0..20_000) + &(20_000..40_000).map(pretty).collect::<String>(),
            40_000,
        ),
    ]
}

#[test]
fn concatenated_objects_are_counted_as_objects() {
    for (input, count) in concatenated() {
        let file = TempFile::new("objects.json", &input);
        let file = run(["check", file.str(), "--output=json"]);
        let flags = ["check", "--input-format=json", "--output=json"];
        for run in [file, run_with_input(flags, input.as_bytes())] {
            run.exits(0).counts("read", count).counts("unsent", count);
        }
    }
}

#[test]
fn guessed_lines_that_are_not_objects_are_not_counted_as_records() {
    for (input, count) in concatenated() {
        let run = run_with_input(["check", "--output=json"], input.as_bytes());
        // The first bytes may show that the objects span lines.
        if run.code == 0 {
            run.counts("read", count);
            continue;
        }
        let run = run
            .exits(4)
            .stderr_contains("expected one JSON object per line (pass --input-format json)")
            .counts("invalid", 0);
        let problems = &run.json()["error"]["problems"];
        assert_eq!(problems.as_array().map(Vec::len), Some(1), "{problems}");
        // A name or an option tells that each line is a record.
        let flags = ["check", "--input-format=ndjson", "--output=json"];
        let run = run_with_input(flags, input.as_bytes()).exits(4);
        assert!(run.count("invalid") > 0, "{run:?}");
    }
}

#[test]
fn malformed_lines_are_single_invalid_records() {
    let good = r#"{"token":"a","expire_time":2000000000}"#;
    for bad in [
        r#"{"token":"b","expire_time":}"#,
        r#"{"token":"b","expire_time":2000000000"#,
        r#"{"token":"b","expire_time":2000000000}}"#,
        r#"{"token":"b","expire_time":2000000000} x"#,
        r#"{"token":"b"#,
        "garbage",
        "5",
        "]",
    ] {
        for input in [
            format!("{good}\n{bad}\n{good}\n"),
            format!("{good}\n{good}\n{bad}"),
        ] {
            run_with_input(["check", "--output=json"], input.as_bytes())
                .exits(4)
                .stderr_contains("1 of 3 records invalid")
                .counts("read", 3)
                .counts("invalid", 1);
        }
    }
}
