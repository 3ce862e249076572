//! Tokens that occur more than once.

use crate::support::{files::TempFile, program::run, receiver::Receiver};

#[test]
fn exact_duplicates_are_left_out() {
    let receiver = Receiver::start();
    let other = TempFile::new("other.json", r#"[{"token":"abc","expire_time":"00100"}]"#);
    let run = receiver
        .push_input(
            ["-", other.str(), "--output=json"],
            b"device_token,expire_time\nabc,100\nxyz,100\nabc,1970-01-01T00:01:40Z\n",
        )
        .exits(0)
        .stderr_contains("2 duplicates skipped");
    let run = run
        .counts("read", 4)
        .counts("duplicate", 2)
        .counts("acknowledged", 2);
    assert_eq!(run.json()["warnings"]["past"], 2);
    assert_eq!(receiver.stop().rows, b"abc,100\nxyz,100\n");
}

#[test]
fn on_duplicate_chooses_the_record() {
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
    // The tokens of the two files are equal when both are decoded from Base64.
    run(args("--token-encoding=base64"))
        .exits(4)
        .stderr_contains(
            "two.json: record 1, line 1, column 18: token a… (3 bytes) has a different",
        )
        .stderr_contains("one.csv: record 1, line 2");
    run(args("--token-encoding=utf8")).exits(0);
}
