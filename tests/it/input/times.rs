//! The formats of expiration times, and the range that `--earliest` and `--latest` allow.

use crate::support::{
    files::TempFile,
    program::{Run, run, run_with, run_with_input},
    receiver::Receiver,
};

/// 2027-12-31T00:00:00Z.
const DAY: u64 = 1_830_211_200;

/// Checks one record, whose time is `text`, in each format that has text times.
fn check(flags: &[&str], text: &str) -> Vec<Run> {
    let csv = format!("token,expire_time\nabc,\"{text}\"\n");
    let json = format!(r#"[{{"token":"abc","expire_time":"{text}"}}]"#);
    let escaped = format!(r#"[{{"token":"\u0061bc","expire_time":"{text}"}}]"#);
    let protobuf =
        format!(r#"{{"sensorExpire":[{{"deviceToken":"YWJj","expireTime":"{text}"}}]}}"#);
    let args = [&["check", "--output=json"], flags].concat();
    let runs = [csv, json, escaped, protobuf].map(|input| run_with_input(&args, input.as_bytes()));
    runs.into()
}

fn time_of(run: Run) -> u64 {
    let expiry = run.exits(0).json()["expiry"].clone();
    expiry["earliest"].as_u64().expect("a time")
}

#[test]
fn times_are_read_in_the_given_formats() {
    const GERMAN: &str = "--time-format=%d.%m.%Y";
    const DIGITS: &str = "--time-format=%Y%m%d";
    const BERLIN: &str = "--timezone=Europe/Berlin";
    const END: &str = "--end-of-day";
    const WITH_TIME: &str = "--time-format=%d.%m.%Y %H:%M";
    for (flags, text, expected) in [
        (&["--time-unit=ms"][..], "1830211200000", DAY),
        (&[BERLIN], "2027-12-31T01:00:00", DAY),
        (&["--timezone", "-05:30"], "2027-12-30T18:30:00", DAY),
        (&["--timezone=+02"], "2027-12-31T02:00:00", DAY),
        (&[GERMAN], "31.12.2027", DAY),
        (&[GERMAN, BERLIN], "31.12.2027", DAY - 3600),
        (&[GERMAN, END], "31.12.2027", DAY + 86_399),
        (&[GERMAN, END, BERLIN], "31.12.2027", DAY + 86_399 - 3600),
        (&[END], "2027-12-31", DAY + 86_399),
        (&[END], "2027-12-31T00:00", DAY),
        (&[END], "2027-12-31 00:00:00+00", DAY),
        (&[END], "1830211200", DAY),
        (
            &[END, "--timezone=-05:00"],
            "2027-12-31",
            DAY + 86_399 + 5 * 3600,
        ),
        (&[GERMAN, WITH_TIME, END], "31.12.2027 01:00", DAY + 3600),
        (&[GERMAN, WITH_TIME, END], "31.12.2027", DAY + 86_399),
        // The other formats are still read.
        (&[GERMAN], "2027-12-31", DAY),
        (&[GERMAN], "1830211200", DAY),
        (&[DIGITS], "20271231", DAY),
        (&[DIGITS], "1830211200", DAY),
        (&[DIGITS], "0", 0),
        (&[DIGITS, "--time-unit=ms"], "20271231", DAY),
        (&[DIGITS, "--time-unit=ms"], "1830211200000", DAY),
        // The first format counts.
        (
            &["--time-format=%d/%m/%Y", "--time-format=%m/%d/%Y"],
            "10/12/2027",
            DAY - 21 * 86_400,
        ),
        (
            &["--time-format=%m/%d/%Y", "--time-format=%d/%m/%Y"],
            "12/10/2027",
            DAY - 21 * 86_400,
        ),
        (
            &["--time-format=%d/%m/%Y", "--time-format=%m/%d/%Y"],
            "12/31/2027",
            DAY,
        ),
        (&["--time-format=%d-%b-%y"], "31-DEC-27", DAY),
        (
            &["--time-format=%a, %d %b %Y %T %z", BERLIN],
            "Fri, 31 Dec 2027 02:00:00 +0200",
            DAY,
        ),
        (
            &["--time-format=%d.%m.%Y %z", BERLIN],
            "31.12.2027 +0200",
            DAY - 7200,
        ),
        (
            &["--time-format=%d.%m.%Y %z", BERLIN, END],
            "31.12.2027 +0000",
            DAY + 86_399,
        ),
        (
            &["--time-format=%d.%m.%Y %H:%M %Q"],
            "31.12.2027 01:00 Europe/Berlin",
            DAY,
        ),
        (
            &["--time-format=%m/%d/%Y %I:%M %p"],
            "12/30/2027 11:59 PM",
            DAY - 60,
        ),
        (
            &["--time-format=%d.%m.%Y %H:%M:%S%.f"],
            "31.12.2027 00:00:00.000",
            DAY,
        ),
        (&["--time-format=%G-W%V-%u"], "2027-W52-5", DAY),
        (&["--time-format=@%s", END, BERLIN], "@1830211200", DAY),
    ] {
        for run in check(flags, text) {
            assert_eq!(time_of(run), expected, "{flags:?} {text}");
        }
    }
    // A JSON number has digits, too.
    for (flags, expected) in [(&[DIGITS][..], DAY), (&[DIGITS, END], DAY + 86_399)] {
        for input in [
            r#"[{"token":"abc","expire_time":20271231}]"#,
            r#"[{"token":"abc","expire_time":20271231,"x":null}]"#,
            r#"{"sensorExpire":[{"deviceToken":"YWJj","expireTime":20271231}]}"#,
        ] {
            let args = [&["check", "--output=json"], flags].concat();
            let run = run_with_input(args, input.as_bytes());
            assert_eq!(time_of(run), expected, "{flags:?} {input}");
        }
    }
}

#[test]
fn times_in_no_format_are_refused() {
    const GERMAN: &str = "--time-format=%d.%m.%Y";
    const WITH_TIME: &str = "--time-format=%d.%m.%Y %H:%M:%S";
    const BERLIN: &str = "--timezone=Europe/Berlin";
    for (flags, text, error) in [
        (&[GERMAN][..], "31.12.27", "is not in the range from 1970"),
        (&[GERMAN], "30.02.2027", "is not an existing date"),
        (
            &[GERMAN],
            "soon",
            "matches no --time-format, and is not Unix seconds or an RFC 3339 date",
        ),
        (
            &[GERMAN],
            "31.12.2027 ",
            "has leading or trailing white space",
        ),
        (&[GERMAN], "", "is empty"),
        (
            &[GERMAN],
            "1.5",
            "has a sign, a decimal point or an exponent",
        ),
        // January 23 or December 3?
        (&["--time-format=%Y%m%d"], "2027123", "is before --earliest"),
        (
            &["--time-format=%Y%m%d"],
            "20270230",
            "is not an existing date",
        ),
        (
            &["--time-format=%a %F"],
            "Mon 2027-12-31",
            "is not an existing date",
        ),
        (
            &[WITH_TIME, BERLIN],
            "28.03.2027 02:30:00",
            "time zone skips",
        ),
        (&[WITH_TIME, BERLIN], "31.10.2027 02:30:00", "occurs twice"),
        (&[WITH_TIME], "31.12.2016 23:59:60", "is a leap second"),
        (
            &["--time-format=%d.%m.%Y %T"],
            "31.12.2016 23:59:60",
            "is a leap second",
        ),
        (
            &["--time-format=%d.%m.%Y %H:%M:%S%.f"],
            "31.12.2027 00:00:00.5",
            "fraction",
        ),
        (
            &["--time-format=%F %H:%M %Q"],
            "2027-12-31 00:00 Mars/Olympus",
            "unknown time zone",
        ),
        // At the end of this day, the hour from 23:00 to 24:00 is repeated.
        (
            &["--end-of-day", "--timezone=America/Sao_Paulo"],
            "2018-02-17",
            "occurs twice",
        ),
    ] {
        for run in check(flags, text) {
            run.exits(4).stderr_contains(error);
        }
    }
    // The minutes 60 and the year 2060 are no leap seconds.
    for run in check(&[WITH_TIME], "31.12.2060 23:59:59") {
        time_of(run);
    }
}

#[test]
fn times_are_plausible() {
    for (flags, text, is_allowed) in [
        (&[][..], "0", true),
        (&[], "1970-01-01", true),
        (&[], "1", false),
        (&[], "1979-12-31T23:59:59Z", false),
        (&[], "1980-01-01", true),
        (&[], "4294967295", true),
        (&["--timezone=+02:00"], "1980-01-01", false),
        (&["--earliest=0"], "1", true),
        (&["--earliest=2027-12-31"], "1830211199", false),
        (&["--earliest=2027-12-31"], "1830211200", true),
        (&["--earliest=2027-12-31"], "0", true),
        (&["--earliest=1830211200"], "2027-12-30", false),
        (
            &["--earliest=2027-12-31", "--timezone=+01:00"],
            "1830207599",
            false,
        ),
        (
            &["--earliest=2027-12-31", "--timezone=+01:00"],
            "1830207600",
            true,
        ),
        (
            &["--earliest=1830211200000", "--time-unit=ms"],
            "1830211199000",
            false,
        ),
        (
            &["--earliest=1830211200000", "--time-unit=ms"],
            "1830211200000",
            true,
        ),
        (&["--latest=2027-12-31"], "1830211200", true),
        (&["--latest=2027-12-31"], "1830211201", false),
        (&["--latest=2027-12-31"], "0", true),
        (&["--latest=2027-12-31", "--end-of-day"], "2027-12-31", true),
        (
            &["--latest=2027-12-31", "--end-of-day"],
            "1830297600",
            false,
        ),
        (
            &["--latest=31.12.2027", "--time-format=%d.%m.%Y"],
            "31.12.2027",
            true,
        ),
        (
            &["--latest=31.12.2027", "--time-format=%d.%m.%Y"],
            "01.01.2028",
            false,
        ),
        (
            &["--earliest=2027-12-31", "--latest=2027-12-31"],
            "2027-12-31",
            true,
        ),
        (
            &["--earliest=2027-12-31", "--latest=2027-12-31"],
            "2027-12-30",
            false,
        ),
        (&["--earliest=0", "--latest=0"], "0", true),
        (&["--earliest=0", "--latest=0"], "1", false),
    ] {
        for run in check(flags, text) {
            if is_allowed {
                time_of(run);
                continue;
            }
            let run = run.exits(4).counts("invalid", 1);
            let named =
                ["before --earliest", "after --latest"].map(|name| run.stderr.contains(name));
            assert_ne!(named, [false, false], "{flags:?} {text} {run:#?}");
        }
    }
    run_with_input(
        ["check", "--latest=2027-12-31"],
        b"token,expire_time\nabc,2028-01-01\n",
    )
    .exits(4)
    .stderr_contains(r#"expire_time "2028-01-01" is after --latest 2027-12-31T00:00:00Z"#);
    for flag in ["--earliest=2027-12-31", "--latest=2027-12-31"] {
        run_with_input(["check", flag], b"token,expire_time\n").exits(0);
    }
}

#[test]
fn hints_recognize_other_formats() {
    for (text, format) in [
        ("20271231", "%Y%m%d"),
        ("31.12.2027", "%d.%m.%Y"),
        ("31/12/2027", "%d/%m/%Y"),
        ("12/31/2027", "%m/%d/%Y"),
        ("2027/12/31", "%Y/%m/%d"),
        ("2027-1-1", "%Y-%m-%d"),
        ("31.12.2027 10:00", "'%d.%m.%Y %H:%M'"),
        ("31-DEC-2027", "%d-%b-%Y"),
        ("05/05/2027", "%d/%m/%Y"),
    ] {
        let option = format!("--time-format={}", format.trim_matches('\''));
        let hint = format!("(pass --time-format {format})");
        for run in check(&[], text) {
            run.exits(4).stderr_contains(&hint);
        }
        for run in check(&[&option], text) {
            run.exits(0);
        }
    }
    for text in ["46752", "1", "99999", "0046752"] {
        for run in check(&[], text) {
            run.exits(4).stderr_contains("spreadsheet's date serial");
        }
    }
    for run in check(&["--earliest=2027-01-01"], "1700000000") {
        assert!(!run.exits(4).stderr.contains("hint"), "a Unix time");
    }
    // A hint must not name a format that does not help: no such day, too early, day or month?
    for text in [
        "20271301",
        "20270230",
        "19750101",
        "100000",
        "04/05/2027",
        "soon",
        "31.12.9999",
    ] {
        for run in check(&[], text) {
            let run = run.exits(4);
            assert!(!run.stderr.contains("hint"), "{text}: {run:#?}");
        }
    }
    let number = br#"[{"token":"abc","expire_time":20271231}]"#;
    run_with_input(["check"], number)
        .exits(4)
        .stderr_contains("(pass --time-format %Y%m%d)");
}

#[test]
fn unusable_time_options_are_usage_errors() {
    for (flags, error) in [
        (&["--time-format="][..], "expected strptime directives"),
        (&["--time-format=%d.%m"], "expected strptime directives"),
        (&["--time-format=%H:%M"], "expected strptime directives"),
        (
            &["--time-format=%Y-%m-%d %M"],
            "expected strptime directives",
        ),
        (
            &["--time-format=31.12.2027"],
            "expected strptime directives",
        ),
        (
            &["--time-format=%Y-%m-%d %"],
            "expected strptime directives",
        ),
        (
            &["--time-format=%Y-%m-%d %E"],
            "expected strptime directives",
        ),
        (&["--time-format=%c"], "expected strptime directives"),
        (
            &["--time-format=%Y-%m-%d %Z"],
            "expected strptime directives",
        ),
        (
            &["--earliest=soon"],
            r#"--earliest "soon" is not Unix seconds or an RFC 3339 date"#,
        ),
        (&["--latest="], r#"--latest "" is empty"#),
        (
            &["--latest=31.12.2027"],
            "hint: pass --time-format %d.%m.%Y",
        ),
        (&["--latest=1830211200000"], "hint: pass --time-unit ms"),
        (&["--latest=2027-02-30"], "is not an existing date"),
        (
            &["--latest=2027-12-31", "--earliest=2028-01-01"],
            "--latest 2027-12-31T00:00:00Z is before --earliest 2028-01-01T00:00:00Z",
        ),
        (
            &["--latest=1979-01-01"],
            "is before --earliest 1980-01-01T00:00:00Z",
        ),
    ] {
        let args = [&["check", "--output=json", "-"], flags].concat();
        let run = run_with_input(args, b"token,expire_time\nabc,0\n").exits(2);
        assert!(run.stderr.contains(error), "{flags:?}: {run:#?}");
    }
}

#[test]
fn time_options_are_read_from_every_layer() {
    let config = TempFile::new(
        "licenses.toml",
        "time-format = [\"%d.%m.%Y\", \"%Y%m%d\"]\nend-of-day = true\nlatest = \"20271231\"\n",
    );
    let input = b"token,expire_time\na,31.12.2027\nb,20271230\n";
    let args = ["check", "--output=json"];
    let with_file = [&args[..], &["--config", config.str()]].concat();
    let variables = [
        ("SENSOR_LICENSE_TIME_FORMAT", "%d.%m.%Y\n%Y%m%d"),
        ("SENSOR_LICENSE_END_OF_DAY", "true"),
        ("SENSOR_LICENSE_LATEST", "20271231"),
    ];
    for run in [
        run_with(&with_file, &[], input),
        run_with(&args, &variables, input),
    ] {
        let expiry = run.exits(0).json()["expiry"].clone();
        assert_eq!(expiry["latest"], DAY + 86_399);
        assert_eq!(expiry["earliest"], DAY - 1);
    }
    let dates = TempFile::new(
        "dates.toml",
        "earliest = 2027-12-31\nlatest = 2027-12-31T00:00:01Z\n",
    );
    let args_with_dates = [&args[..], &["--config", dates.str()]].concat();
    for (time, code) in [(DAY - 1, 4), (DAY, 0), (DAY + 1, 0), (DAY + 2, 4)] {
        let input = format!("token,expire_time\na,{time}\n");
        run_with(&args_with_dates, &[], input.as_bytes()).exits(code);
    }
    run_with(&args, &[("SENSOR_LICENSE_EARLIEST", "soon")], input)
        .exits(2)
        .stderr_contains("SENSOR_LICENSE_EARLIEST");
}

#[test]
fn push_sends_the_end_of_the_day() {
    let receiver = Receiver::start();
    receiver
        .push_input(
            [
                "--time-format=%d.%m.%Y",
                "--end-of-day",
                "--latest=31.12.2027",
            ],
            b"token,expire_time\nabc,31.12.2027\n",
        )
        .exits(0);
    assert_eq!(receiver.stop().rows, b"abc,1830297599\n");
}

#[test]
fn rejects_are_read_by_their_own_rules_within_the_range() {
    let rejects = "rejected_token,encoding,expire_time,reason\nabc,utf8,20271231,no\n";
    let file = TempFile::new("rejects.csv", rejects);
    run(["check", "--time-format=%Y%m%d", file.str()])
        .exits(4)
        .stderr_contains(r#""20271231" is before --earliest 1980-01-01T00:00:00Z"#);
    let args = ["--time-format=%Y%m%d", "--time-unit=ms", "--earliest=0"];
    let run_within = |latest: &str| {
        let args = [&["check", "--output=json", file.str(), latest], &args[..]].concat();
        run(args)
    };
    assert_eq!(time_of(run_within("--latest=20270101")), 20_271_231);
    run_within("--latest=20271000")
        .exits(4)
        .stderr_contains("is after --latest");
    let ledger = TempFile::absent("ledger");
    let receiver = Receiver::start();
    receiver
        .push(["--earliest=0", "--ledger", ledger.str(), file.str()])
        .exits(0);
    assert_eq!(receiver.stop().rows, b"abc,20271231\n");
    // The times of the file are not used.
    run([
        "ledger",
        "forget",
        "--ledger",
        ledger.str(),
        "--tokens",
        file.str(),
    ])
    .exits(0);
}
