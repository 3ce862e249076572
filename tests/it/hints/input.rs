//! Hints about the input.

use super::Case;

/// Options of `check`, an input that it refuses, the hint, and the options of the hint.
type Refused = (
    &'static [&'static str],
    &'static str,
    &'static str,
    &'static str,
);

const REFUSED: &[Refused] = &[
    (
        &[],
        "{\"token\":\"a\",\"expire_time\":4070908800}\n\
         {\"token\":\"b\",\"expire_time\":4070908800} \
         {\"token\":\"c\",\"expire_time\":4070908800}\n",
        "pass --input-format json",
        "--input-format json",
    ),
    (
        &[],
        "token;expire_time\na;4070908800\n",
        "pass --delimiter ';'",
        "--delimiter ';'",
    ),
    (
        &[],
        "\"token\";\"expire_time\"\n\"a\";\"4070908800\"\n",
        "pass --delimiter ';'",
        "--delimiter ';'",
    ),
    (
        &["--input-format=csv"],
        "token\texpire_time\na\t4070908800\n",
        "pass --delimiter tab",
        "--delimiter tab",
    ),
    (
        &[],
        "serial,expire_time\na,4070908800\n",
        "pass --token-field NAME",
        "--token-field serial",
    ),
    (
        &[],
        "device token,expire_time\na,4070908800\n",
        "pass --token-field 'device token'",
        "--token-field 'device token'",
    ),
    (
        &[],
        "-device_token,expire_time\na,4070908800\n",
        "pass --token-field=-device_token",
        "--token-field=-device_token",
    ),
    (
        &[],
        "token,expire time\na,4070908800\n",
        "pass --time-field 'expire time'",
        "--time-field 'expire time'",
    ),
    (
        &[],
        "device_token,token,expire_time\na,b,4070908800\n",
        "choose a name with --token-field NAME",
        "--token-field token",
    ),
    (
        &[],
        "abc,4070908800\n",
        "pass --no-header if the row is a record, else --token-field NAME --time-field NAME",
        "--no-header",
    ),
    (
        &[],
        "abc,4070908800\nxyz,4070908800\n",
        "pass --no-header if the row is a record, else --token-field NAME --time-field NAME",
        "--token-field abc --time-field 4070908800",
    ),
    (
        &[],
        r#"{"x y":{"items":[{"token":"a","expire_time":4070908800}]}}"#,
        "pass --records '/x y/items'",
        "--records '/x y/items'",
    ),
    (
        &[],
        r#"{"a":{"sensorExpire":[{"deviceToken":"YWJj","expireTime":4070908800}]}}"#,
        "pass --input-format protojson --records /a/sensorExpire",
        "--input-format protojson --records /a/sensorExpire",
    ),
    (
        &["--input-format=protojson"],
        r#"{"items":[{"deviceToken":"YWJj","expireTime":4070908800}]}"#,
        "pass --records /KEY if the array has another name",
        "--records /items",
    ),
    (
        &[],
        r#"{"errors":[],"data":{"items":[{"token":"a","expire_time":4070908800}]}}"#,
        "choose the records with --records POINTER",
        "--records /data/items",
    ),
    (
        &[],
        r#"{"a":[{"token":"a","expire_time":4070908800}],"b":[]}"#,
        "choose the records with --records POINTER",
        "--records /a",
    ),
    (
        &[],
        r#"{"serial":"a","until":4070908800}"#,
        "pass --token-field KEY --time-field KEY if the object is a record",
        "--token-field serial --time-field until",
    ),
    (
        &[],
        "token,expire_time\na,31.12.2099\n",
        "pass --time-format %d.%m.%Y",
        "--time-format %d.%m.%Y",
    ),
    (
        &[],
        "token,expire_time\na,31.12.2099 10:00\n",
        "pass --time-format '%d.%m.%Y %H:%M'",
        "--time-format '%d.%m.%Y %H:%M'",
    ),
    (
        &[],
        "token,expire_time\na,20991231\n",
        "pass --time-format %Y%m%d",
        "--time-format %Y%m%d",
    ),
    (
        &[],
        "token,expire_time\na,4070908800000\n",
        "pass --time-unit ms if the times are in milliseconds",
        "--time-unit ms",
    ),
    (
        &[],
        "token,expire_time\na,4070908800\na,4070908801\n",
        "choose a record with --on-duplicate first, last or latest",
        "--on-duplicate first",
    ),
    (
        &[],
        "token,expire_time\na,4070908800\na,4070908801\n",
        "choose a record with --on-duplicate first, last or latest",
        "--on-duplicate latest",
    ),
];

#[test]
fn input_is_accepted_with_the_options_of_the_hint() {
    for &(flags, input, hint, add) in REFUSED {
        let case = Case {
            args: &[&["check", "-"], flags].concat(),
            input: input.as_bytes(),
            exit: 4,
            hint,
            add,
            ..Case::DEFAULT
        };
        case.check();
    }
}

#[test]
fn limits_of_times_are_accepted_with_the_options_of_the_hint() {
    for (limit, hint, add) in [
        (
            "--earliest=31.12.1999",
            "pass --time-format %d.%m.%Y",
            "--time-format %d.%m.%Y",
        ),
        (
            "--latest=4070908800000",
            "pass --time-unit ms if the times are in milliseconds",
            "--time-unit ms",
        ),
    ] {
        let case = Case {
            args: &["check", "-", limit],
            input: b"",
            hint,
            add,
            ..Case::DEFAULT
        };
        case.check();
    }
}

#[test]
fn hidden_problems_are_shown_with_the_option_of_the_hint() {
    let input = format!("token,expire_time\n{}", "a,never\n".repeat(25));
    let case = Case {
        args: &["check", "-"],
        input: input.as_bytes(),
        exit: 4,
        hint: "pass --max-errors N to show more",
        add: "--max-errors 25",
        next_exit: 4,
        ..Case::DEFAULT
    };
    case.check();
}
