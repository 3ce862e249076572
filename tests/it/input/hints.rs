//! The hints after messages about invalid input.

use crate::support::program::run_with_input;

/// Options, an input, a message, and the text after the message, which is a hint or the end of the
/// line.
type Case = (
    &'static [&'static str],
    &'static [u8],
    &'static str,
    &'static str,
);

const CASES: &[Case] = &[
    // A delimiter is suggested if it separates a wanted name, or if the header row has one column.
    (
        &[],
        b"serial|no;expires\na;1\n",
        "found \"seri… (17 characters)\"",
        " (pass --delimiter ';')",
    ),
    (
        &[],
        b"Kennung;Ende\na;1\n",
        "found \"Kennung;Ende\"",
        " (pass --delimiter ';')",
    ),
    (
        &[],
        b"serial;no,expire_time\na,1\n",
        "\"expire_time\"",
        " (pass --token-field NAME)",
    ),
    (
        &[],
        b"serial;expire_time\na;1\n",
        "(18 characters)\"",
        " (pass --delimiter ';')",
    ),
    (
        &["--token-field=no"],
        b"serial;no;until\na;1;1\n",
        "found \"serial;no;until\"",
        " (pass --delimiter ';')",
    ),
    (
        &["--token-field=3", "--time-field=2"],
        b"a;b;c\n1;2;3\n",
        "found 1 column",
        " (pass --delimiter ';')",
    ),
    (
        &["--token-field=4", "--time-field=2"],
        b"a;b;c\n1;2;3\n",
        "found 1 column",
        "\n",
    ),
    // A record without a second field has no name to choose.
    (&[], b"token\na\n", "found \"token\"", "\n"),
    (&[], b"[{\"token\":\"a\"}]", "found \"token\"", "\n"),
    (&[], b"[{}]", "found none", "\n"),
    // A name that nobody can type is no hint, and is shown escaped.
    (
        &[],
        "\u{feff}\u{feff}device_token,expire_time\na,1\n".as_bytes(),
        r#"found "\u{feff}device_token", "expire_time""#,
        "\n",
    ),
    (
        &[],
        b"\"device\ntoken\",expire_time\na,1\n",
        r#""device\ntoken", "expire_time""#,
        "\n",
    ),
    (
        &[],
        "device_tok\u{200b}en,expire_time\na,1\n".as_bytes(),
        r#""device_tok\u{200b}en", "expire_time""#,
        "\n",
    ),
    (
        &[],
        b"-device_token,expire_time\na,1\n",
        "\"expire_time\"",
        " (pass --token-field=-device_token)",
    ),
    (
        &[],
        b"device token,expire_time\na,1\n",
        "\"expire_time\"",
        " (pass --token-field 'device token')",
    ),
    (
        &[],
        br#"{"x\ny":{"items":[{}]}}"#,
        r#"only the keys "x\ny""#,
        "\n",
    ),
    (
        &[],
        br#"{"x y":{"items":[{}]}}"#,
        r#"only the keys "x y""#,
        " (pass --records '/x y/items')",
    ),
    // The encoding is already as a hint would say.
    (
        &["--token-encoding=hex"],
        b"token,expire_time\naa\xff,1\n",
        "is not hexadecimal at byte 3",
        " (write two",
    ),
    (
        &[],
        b"token,expire_time\naa\xff,1\n",
        "is not UTF-8 at byte 3",
        " (save the file as UTF-8",
    ),
    (
        &["--token-encoding=base64"],
        b"token,expire_time\nYR==,1\n",
        "is not base64 at byte 2: its unused bits are not zero",
        "\n",
    ),
    (
        &["--token-encoding=base64"],
        b"token,expire_time\nYQ=,1\n",
        "has wrong base64 padding at byte 3",
        " (remove the padding, or pad",
    ),
    (
        &["--token-encoding=base64"],
        b"token,expire_time\nY Q=,1\n",
        "is not base64 at byte 2",
        " (use only base64 characters",
    ),
    // A date takes no offset.
    (
        &["--timezone=America/Sao_Paulo"],
        b"token,expire_time\na,2018-11-04\n",
        "is a local time that its time zone skips",
        " (add a time of day with an offset, such as 00:00:00+01:00)",
    ),
    (
        &["--timezone=America/Sao_Paulo"],
        b"token,expire_time\na,2018-11-04 00:30\n",
        "is a local time that its time zone skips",
        " (add an offset such as +01:00)",
    ),
    (
        &[
            "--timezone=America/Sao_Paulo",
            "--time-format=%d.%m.%Y %H:%M",
        ],
        b"token,expire_time\na,04.11.2018 00:30\n",
        "is a local time that its time zone skips",
        " (add an offset such as +0100, and pass another --time-format with %z)",
    ),
    (
        &["--token-field=99999999999999999999999"],
        b"a,expire_time\nb,1\n",
        "no column 99999999999999999999999",
        " for the",
    ),
    (
        &[],
        b"{}",
        "expected an array of records, found an empty object",
        "\n",
    ),
    (
        &["--token-field=1", "--time-field=2"],
        br#"{"device_token":"a","expire_time":1}"#,
        r#"found only the keys "device_token", "expire_time""#,
        " (pass --token-field KEY --time-field KEY if the object is a record)",
    ),
    // A key at the root or on the path is an error at its second place.
    (
        &[],
        b"{\"items\":[],\n \"items\":[]}",
        ":2:2: error: \"items\" occurs more than once",
        "\n",
    ),
    (
        &["--records=/a/list"],
        b"{\"a\":\n{\"list\":[],\"list\":[]}}",
        ":2:12: error: \"list\" occurs more than once",
        "\n",
    ),
    (
        &["--records=/a/none"],
        b"{\"a\":\n{\"list\":[]}}",
        "input: error: no value at --records \"/a/none\"; keys at \"/a\": \"list\"",
        "\n",
    ),
    (
        &[],
        b"t\0\0\0o\0\0\0",
        "input is UTF-32 text",
        " (save the file as UTF-8)",
    ),
    (
        &["--time-unit=ms"],
        b"token,expire_time\na,4294967296000\n",
        "is not in the range of milliseconds from 0 to 4294967295000",
        "\n",
    ),
    (
        &[],
        b"token,expire_time\na, 2099-12-31\n",
        "\" 2099-12-31\" has leading or trailing white space",
        "\n",
    ),
    (
        &[],
        br#"[{"token":"\ud800","expire_time":1}]"#,
        "malformed JSON: unpaired surrogate in a string",
        "\n",
    ),
    (&[], b"[tru]", "malformed JSON: expected value", "\n"),
    (
        &[],
        br#"[{"token":tru}]"#,
        "malformed JSON: expected true, false or null",
        "\n",
    ),
    (
        &["--input-format=ndjson"],
        br#"{"token":"a""#,
        "truncated JSON",
        "\n",
    ),
    (
        &[],
        br#"[{"token" "a"}]"#,
        "malformed JSON: expected \":\"",
        "\n",
    ),
    (
        &["--input-format=protojson"],
        br#"{"token":"a","expire_time":1000000001}"#,
        "no array \"sensorExpire\"",
        "\n",
    ),
    (
        &["--input-format=protojson"],
        br#"{"items":[]}"#,
        "no array \"sensorExpire\"",
        " (pass --records /KEY if the array has another name)",
    ),
];

#[test]
fn hints_help_or_are_absent() {
    for (flags, input, message, after) in CASES {
        let flags = [&["check", "-"], *flags].concat();
        run_with_input(flags, input)
            .exits(4)
            .stderr_contains(&format!("{message}{after}"));
    }
}
