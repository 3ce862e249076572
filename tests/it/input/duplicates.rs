//! Tokens that occur more than once.

use crate::support::{files::TempFile, program::run, receiver::Receiver};

#[test]
fn exact_duplicates_are_left_out() {
    let receiver = Receiver::start();
    let other = TempFile::new(
        "other.json",
        r#"[{"token":"abc","expire_time":"001000000100"}]"#,
    );
    let run = receiver
        .push_input(
            ["-", other.str(), "--output=json"],
            b"device_token,expire_time\nabc,1000000100\nxyz,1000000100\nabc,2001-09-09T01:48:20Z\n",
        )
        .exits(0)
        .stderr_contains("2 duplicates skipped; each token is sent once");
    let run = run
        .counts("read", 4)
        .counts("duplicate", 2)
        .counts("acknowledged", 2);
    assert_eq!(run.json()["warnings"]["past"], 2);
    assert_eq!(receiver.stop().rows, b"abc,1000000100\nxyz,1000000100\n");
}

#[test]
fn on_duplicate_chooses_the_record() {
    let input = b"token,expire_time\na,1000000005\nb,1000000001\na,1000000003\na,1000000009\na,1000000009\na,1000000004\n";
    for (rule, digit) in [("first", 5), ("last", 4), ("latest", 9)] {
        let receiver = Receiver::start();
        let args = ["--on-duplicate", rule, "--output=json"];
        let run = receiver
            .push_input(args, input)
            .exits(0)
            .stderr_contains("4 duplicates skipped (with different expiration times); each");
        assert_eq!(run.count("duplicate"), 4, "{rule}");
        assert_eq!(run.count("acknowledged"), 2, "{rule}");
        let rows = String::from_utf8(receiver.stop().rows).expect("UTF-8");
        assert_eq!(
            rows,
            format!("a,100000000{digit}\nb,1000000001\n"),
            "{rule}"
        );
    }
    let receiver = Receiver::start();
    let run = receiver.push_input(["--output=json"], input).exits(4);
    assert_eq!(run.count("invalid"), 4);
    assert_eq!(run.count("unsent"), 2);
    assert_eq!(receiver.stop().requests, 0);
}

#[test]
fn duplicates_are_found_across_files_and_encodings() {
    let csv = TempFile::new("one.csv", "token,expire_time\nYWJj,1000000001\n");
    let json = TempFile::new(
        "two.json",
        r#"{"sensorExpire":[{"deviceToken":"YWJj","expireTime":1000000002}]}"#,
    );
    let args = |encoding: &str| {
        [
            "check".into(),
            csv.str().to_owned(),
            json.str().to_owned(),
            encoding.into(),
        ]
    };
    // The tokens of the two files are equal when both are decoded from Base64.
    run(args("--token-encoding=base64"))
        .exits(4)
        .stderr_contains("two.json:1:18: error: token a… (3 bytes) has a different")
        .stderr_contains("one.csv:2");
    run(args("--token-encoding=utf8")).exits(0);
}
