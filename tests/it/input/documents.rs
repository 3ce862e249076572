//! JSON documents in which the records are in an unusual place, or in several places.

use crate::support::{program::run_with_input, receiver::Receiver};

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
            "choose one with --records POINTER",
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
            "choose one with --records POINTER",
        ),
        (
            r#""sensor_expire":[],"sensorExpire":[P]"#,
            "expected one array of records",
            "choose one with --records POINTER",
        ),
        (
            r#""sensorExpire":[P],"items":[R]"#,
            "expected one array of records, found \"/items\", \"/sensorExpire\"",
            "choose one with --records POINTER",
        ),
        (
            r#""sensorExpire":[P],"data":{"x":[R]}"#,
            "expected one array of records, found \"/data/x\", \"/sensorExpire\"",
            "choose one with --records POINTER",
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
