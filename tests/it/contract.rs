//! Servers whose contract differs from `proto/sensor.proto`.

use std::{fs, path::Path};

use data_encoding::BASE64;
use prost::Message;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    files::utf8,
    program::{run, run_with_input},
    reflection_server::{Call, Reflection, ReflectionServer, compile},
};

const INPUT: &[u8] = b"token,expire_time\nabc,1700000000\nd\xc3\xa9f,0\n";

/// A contract, and what [`INPUT`] is in it.
struct Case {
    name: &'static str,
    /// The file's, and of one that it imports.
    proto: &'static str,
    imported: &'static str,
    /// The response that means success.
    response: &'static [u8],
    path: &'static str,
    /// Whether the path must be named.
    is_named: bool,
    request: Value,
}

fn cases() -> Vec<Case> {
    let bytes = |text: &str| BASE64.encode(text.as_bytes());
    vec![
        Case {
            name: "a package, other numbers and types",
            proto: r#"syntax = "proto3"; package acme.v1;
                service Internal {
                  rpc Other(Request) returns (Response);
                  rpc UpdateSensorExpireTime(Request) returns (Response);
                }
                message Request { string tenant = 1; repeated Sensor sensor_expire = 300; }
                message Sensor {
                  string note = 1; int64 expire_time = 9; string device_token = 20; int64 size = 2;
                }
                message Response { string text = 1; sint32 code = 4; int32 count = 5; }"#,
            imported: "",
            response: b"\x0a\x02hi\x20\x00\x28\x02",
            path: "/acme.v1.Internal/UpdateSensorExpireTime",
            is_named: false,
            request: json!({"sensorExpire": [
                {"deviceToken": "abc", "expireTime": "1700000000"},
                {"deviceToken": "déf"},
            ]}),
        },
        Case {
            name: "a timestamp, and a record that is imported",
            proto: r#"syntax = "proto3"; package acme;
                import "other.proto"; import "google/protobuf/empty.proto";
                service Licences { rpc UpdateSensorExpireTime(Push) returns (google.protobuf.Empty); }
                message Push { repeated acme.common.Licence licences = 2; map<string, string> labels = 3; }"#,
            imported: r#"syntax = "proto3"; package acme.common;
                import "google/protobuf/timestamp.proto";
                message Licence { bytes id = 16; google.protobuf.Timestamp until = 17; }"#,
            response: b"",
            path: "/acme.Licences/UpdateSensorExpireTime",
            is_named: false,
            request: json!({"licences": [
                {"id": bytes("abc"), "until": "2023-11-14T22:13:20Z"},
                {"id": bytes("déf"), "until": "1970-01-01T00:00:00Z"},
            ]}),
        },
        Case {
            name: "proto2, where a zero is a value",
            proto: r#"syntax = "proto2";
                service Internal { rpc UpdateSensorExpireTime(R) returns (A); }
                message R { repeated S sensorExpire = 1; }
                message S { required bytes deviceToken = 1; required sfixed64 expireTime = 2; }
                message A { required Result result_code = 1; }
                enum Result { FINE = 0; BAD = 1; }"#,
            imported: "",
            response: b"\x08\x00",
            path: "/Internal/UpdateSensorExpireTime",
            is_named: false,
            request: json!({"sensorExpire": [
                {"deviceToken": bytes("abc"), "expireTime": "1700000000"},
                {"deviceToken": bytes("déf"), "expireTime": "0"},
            ]}),
        },
        Case {
            name: "no name in common",
            proto: r#"syntax = "proto3"; package x;
                service Reader { rpc List(Q) returns (stream Q); rpc Get(Q) returns (Q); }
                service Writer { rpc Set(Many) returns (A); }
                message Q { uint64 n = 1; } message A { string note = 3; uint64 StatusCode = 1; }
                message Many { repeated One all = 1; }
                message One { string who = 1; optional sint32 when = 2; }"#,
            imported: "",
            response: b"",
            path: "/x.Writer/Set",
            is_named: true,
            request: json!({"all": [
                {"who": "abc", "when": 1_700_000_000},
                {"who": "déf", "when": 0},
            ]}),
        },
    ]
}

fn folder(case: &Case) -> TempDir {
    protos(case.proto, case.imported)
}

fn protos(proto: &str, imported: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("main.proto"), proto).expect("written");
    fs::write(folder.path().join("other.proto"), imported).expect("written");
    folder
}

impl Case {
    /// The flags, and that for the path where it must be named.
    fn flags<'f>(&self, flags: &[&'f str]) -> Vec<&'f str> {
        let named = self.is_named.then_some(["--method", self.path]);
        [flags, named.as_ref().map_or(&[], |named| &named[..])].concat()
    }
}

/// The ways to tell the contract of the files in a folder.
fn ways(folder: &Path) -> [(Reflection, Vec<String>); 5] {
    let set = folder.join("set");
    let pool = compile(folder, "main.proto");
    fs::write(&set, pool.encode_to_vec()).expect("written");
    let text = |path: &Path| utf8(&path).to_owned();
    let proto = text(&folder.join("main.proto"));
    [
        (Reflection::None, vec!["--proto".into(), proto]),
        (Reflection::None, vec!["--protoset".into(), text(&set)]),
        (Reflection::V1, vec!["--reflection".into()]),
        (Reflection::V1Alpha, vec!["--reflection".into()]),
        (Reflection::V1WithImports, vec!["--reflection".into()]),
    ]
}

#[test]
fn requests_are_what_the_contract_says_wherever_it_comes_from() {
    for case in cases() {
        let folder = folder(&case);
        for (reflection, flags) in ways(folder.path()) {
            let pool = compile(folder.path(), "main.proto");
            let server = ReflectionServer::start(pool, reflection, case.response);
            let flags: Vec<_> = flags.iter().map(String::as_str).collect();
            let flags = case.flags(&flags);
            server
                .push(&flags, INPUT)
                .exits(0)
                .counts_add_up()
                .counts("acknowledged", 2);
            let expected = Call {
                path: case.path.to_owned(),
                request: case.request.clone(),
            };
            assert_eq!(server.calls(), [expected], "{} by {flags:?}", case.name);
        }
    }
}

#[test]
fn the_code_is_read_where_the_contract_has_it() {
    for (case, response, code) in [
        (0, &b"\x20\x0d\x28\x02"[..], "-7"),
        (2, b"\x08\x01", "1"),
        (3, b"\x08\x09", "9"),
    ] {
        let case = &cases()[case];
        let folder = folder(case);
        let pool = compile(folder.path(), "main.proto");
        let server = ReflectionServer::start(pool, Reflection::V1, response);
        let run = server
            .push(&case.flags(&["--reflection"]), INPUT)
            .exits(7)
            .counts_add_up()
            .counts("rejected", 2);
        assert_eq!(run.json()["codes"], json!({ code: 1 }), "{}", case.name);
        let flags = case.flags(&["--reflection", "--ok-code", code]);
        server.push(&flags, INPUT).exits(0);
    }
}

#[test]
fn where_responses_have_no_code_it_is_said() {
    for (case, is_said) in [(0, false), (1, true), (2, false)] {
        let case = &cases()[case];
        let folder = folder(case);
        let proto = folder.path().join("main.proto");
        let pool = compile(folder.path(), "main.proto");
        let server = ReflectionServer::start(pool, Reflection::None, case.response);
        let flags = ["--proto", utf8(&proto)];
        let run = server.push(&flags, INPUT).exits(0);
        assert_eq!(run.stderr.contains("no code"), is_said, "{run:#?}");
    }
}

/// A server that tells its contract, and the folder that has it.
fn reflecting(case: &Case) -> (TempDir, ReflectionServer) {
    let folder = folder(case);
    let pool = compile(folder.path(), "main.proto");
    let server = ReflectionServer::start(pool, Reflection::V1, case.response);
    (folder, server)
}

#[test]
fn a_ledger_knows_what_was_sent_by_another_contract() {
    let case = &cases()[1];
    let (folder, server) = reflecting(case);
    let ledger = folder.path().join("ledger");
    let flags = ["--reflection", "--ledger", utf8(&ledger)];
    server
        .push(&flags, INPUT)
        .exits(0)
        .counts("acknowledged", 2);
    server.push(&flags, INPUT).exits(0).counts("unchanged", 2);
    let changed = b"token,expire_time\nabc,1700000000\nd\xc3\xa9f,1\n";
    server
        .push(&flags, changed)
        .exits(0)
        .counts("unchanged", 1)
        .counts("acknowledged", 1);
    let request = server.calls().pop().expect("a call").request;
    assert_eq!(request["licences"][0]["until"], "1970-01-01T00:00:01Z");
}

#[test]
fn records_that_do_not_fit_are_refused_before_anything_is_sent() {
    let case = &cases()[3];
    let (_folder, server) = reflecting(case);
    let input = b"token,expire_time\n616263,1\nff00,1\n646566,2147483648\n";
    let flags = case.flags(&["--reflection", "--token-encoding=hex"]);
    let run = server
        .push(&flags, input)
        .exits(4)
        .counts_add_up()
        .stderr_contains("record 2, line 3: the token is not UTF-8")
        .stderr_contains("record 3, line 4: the expire time is later than 2038-01-19T03:14:07Z")
        .stderr_contains("1 bad token, 1 bad time");
    assert_eq!(run.count("invalid"), 2);
    assert_eq!(server.calls(), []);
}

#[test]
fn a_request_in_json_is_read_where_the_contract_has_its_list() {
    let case = &cases()[1];
    let (_folder, server) = reflecting(case);
    let request = br#"{"licences":[{"deviceToken":"YWJj","expireTime":"1700000000"}]}"#;
    let flags = ["--reflection", "--input-format=protojson"];
    server
        .push(&flags, request)
        .exits(4)
        .stderr_contains("no list sensorExpire")
        .stderr_contains("hint: --records /KEY");
    let flags = [&flags[..], &["--records=/licences"]].concat();
    server.push(&flags, request).exits(0);
    let [call] = &server.calls()[..] else {
        panic!("one call")
    };
    assert_eq!(call.request["licences"][0]["id"], BASE64.encode(b"abc"));
}

#[test]
fn imports_are_looked_for_where_import_path_says() {
    let case = &cases()[1];
    let folder = folder(case);
    let pool = compile(folder.path(), "main.proto");
    let server = ReflectionServer::start(pool, Reflection::None, case.response);
    let elsewhere = tempfile::tempdir().expect("a folder");
    let (there, here) = (
        elsewhere.path().join("other.proto"),
        folder.path().join("other.proto"),
    );
    fs::rename(here, there).expect("moved");
    let proto = folder.path().join("main.proto");
    let proto = utf8(&proto);
    server
        .push(&["--proto", proto], INPUT)
        .exits(2)
        .stderr_contains("main.proto:2:")
        .stderr_contains("import 'other.proto' not found")
        .stderr_contains("--import-path DIR");
    server
        .push(&["--proto", proto, "--import-path=no/such"], INPUT)
        .exits(2)
        .stderr_contains("no/such can't be read");
    let elsewhere = utf8(elsewhere.path());
    let flags = ["--proto", proto, "--import-path", elsewhere];
    server.push(&flags, INPUT).exits(0);
    // A name as an import would have it.
    let folder = utf8(folder.path());
    let flags = [
        "--proto=main.proto",
        "--import-path",
        folder,
        "--import-path",
        elsewhere,
    ];
    server.push(&flags, INPUT).exits(0);
    assert_eq!(server.calls().len(), 2);
}

#[test]
fn descriptors_that_are_not_known_are_refused() {
    let case = &cases()[0];
    let folder = folder(case);
    let pool = compile(folder.path(), "main.proto");
    let path = folder.path().join("set");
    let path = utf8(&path);
    for (syntax, words) in [
        (Some("editions"), "main.proto is written in editions"),
        (Some("proto9"), "main.proto is written in proto9"),
        (None, "it holds no file"),
    ] {
        let mut file: Vec<_> = pool.file_descriptor_protos().cloned().collect();
        file.retain_mut(|file| {
            file.syntax = syntax.map(str::to_owned);
            syntax.is_some()
        });
        let set = prost_types::FileDescriptorSet { file };
        fs::write(path, set.encode_to_vec()).expect("written");
        let args = ["push", "--plaintext", "-s", "127.0.0.1:1", "--protoset"];
        run([&args[..], &[path]].concat())
            .exits(2)
            .stderr_contains(words);
    }
}

/// What an empty response means, and one that has field 1, a varint, of 0.
#[test]
fn a_code_that_is_absent_is_what_the_contract_says() {
    for (fields, absent, zero) in [
        ("optional int32 code = 1;", 0, 0),
        ("optional int32 code = 1 [default = 5];", 7, 0),
        ("required int32 code = 1;", 64 + 13, 0),
        ("optional C code = 1;", 7, 0),
        ("", 0, 0),
    ] {
        let proto = format!(
            "syntax = \"proto2\"; service S {{ rpc UpdateSensorExpireTime(R) returns (A); }}
             message R {{ repeated Sensor sensorExpire = 1; }} enum C {{ BAD = 5; FINE = 0; }}
             message Sensor {{ optional bytes token = 1; optional uint32 expireTime = 2; }}
             message A {{ {fields} }}"
        );
        let folder = protos(&proto, "");
        for (response, exit) in [(&b""[..], absent), (b"\x08\0", zero)] {
            let pool = compile(folder.path(), "main.proto");
            let server = ReflectionServer::start(pool, Reflection::V1, response);
            let run = server.push(&["--reflection"], INPUT);
            assert_eq!(run.code, exit, "{fields} {response:?}: {run:#?}");
        }
    }
}

#[test]
fn a_rehearsal_refuses_what_the_contract_does() {
    let folder = folder(&cases()[3]);
    let proto = folder.path().join("main.proto");
    let proto = utf8(&proto);
    let rehearse = |method: &str, input: &[u8]| {
        let args = ["push", "--rehearse", "--proto", proto, "--method", method];
        run_with_input(args, input)
    };
    rehearse("/x.Writer/Set", INPUT).exits(0);
    rehearse("/x.Writer/Get", INPUT).exits(2);
    let late = b"token,expire_time\na,2147483648\n";
    rehearse("/x.Writer/Set", late)
        .exits(4)
        .stderr_contains("later than 2038-01-19T03:14:07Z");
}

const HEAD: &str = "syntax = \"proto3\"; message E {} message L { repeated E sensorExpire = 1; }
    message S { bytes token = 1; uint32 expireTime = 2; } message R { repeated S s = 1; }\n";

fn service(methods: &str) -> String {
    format!("{HEAD}service Internal {{ {methods} }}")
}

fn method(request: &str) -> String {
    service(&format!(
        "rpc UpdateSensorExpireTime({request}) returns (E);"
    ))
}

fn record(fields: &str) -> String {
    let service = method("X");
    format!("{service} message X {{ repeated Y sensorExpire = 1; }} message Y {{ {fields} }}")
}

/// Files that tell no contract, with further flags, and what is said of them.
fn unfit() -> Vec<(String, &'static [&'static str], &'static [&'static str])> {
    vec![
        (
            "syntax = \"proto3\";\nmessage {}".to_owned(),
            &[][..],
            &[
                "main.proto can't be compiled",
                "main.proto:2:9: expected an identifier",
            ][..],
        ),
        (
            HEAD.to_owned(),
            &[],
            &[
                "main.proto has no method UpdateSensorExpireTime",
                "no method at all",
            ],
        ),
        (
            service("rpc A(E) returns (E); rpc B(E) returns (E);"),
            &[],
            &[
                "has no method UpdateSensorExpireTime",
                "it has /Internal/A, /Internal/B",
                "--method",
            ],
        ),
        (
            method("R")
                .replace(
                    "service",
                    "service Other { rpc UpdateSensorExpireTime(R) returns (E); } service",
                )
                .replace("Internal", "Another"),
            &[],
            &[
                "more than one method",
                "/Other/UpdateSensorExpireTime, /Another/UpdateSensorExpireTime",
                "--method",
            ],
        ),
        (
            method("R"),
            &["--method=/Internal/Wrong"],
            &[
                "has no method /Internal/Wrong",
                "it has /Internal/UpdateSensorExpireTime",
            ],
        ),
        (
            method("stream R"),
            &[],
            &[
                "main.proto has a call that records don't fit into",
                "/Internal/UpdateSensorExpireTime: it streams",
            ],
        ),
    ]
}

/// The same for messages.
fn unfit_messages() -> Vec<(String, &'static [&'static str], &'static [&'static str])> {
    vec![
        (
            method("E"),
            &[],
            &["E has no list of messages, or no single one, that can be the records: no field"],
        ),
        (
            method("L"),
            &[],
            &["E has no bytes or string, or no single one, that can be the device token: no field"],
        ),
        (
            record("int32 device_token = 1; bytes b = 2; uint32 expire_time = 3;"),
            &[],
            &[
                "Y has no bytes or string",
                "int32 device_token, bytes b, uint32 expire_time",
            ],
        ),
        (
            record("bytes device_token = 1; repeated uint32 expire_time = 3; bool on = 4;"),
            &[],
            &[
                "Y has no integer, in seconds, or google.protobuf.Timestamp",
                "repeated uint32 expire_time",
            ],
        ),
        (
            record("bytes device_token = 1; int64 expire_time_ms = 3;"),
            &[],
            &["Y has no integer, in seconds", "int64 expire_time_ms"],
        ),
        (
            record("oneof x { bytes device_token = 1; int64 expire_time = 3; }"),
            &[],
            &["Y holds either a token or an expire time, in the oneof x"],
        ),
        (
            method("R").replace("returns (E)", "returns (A)") + "message A { string code = 1; }",
            &[],
            &["A is not empty and has no integer or enum", "string code"],
        ),
        (
            method("R").replace("returns (E)", "returns (A)")
                + "message A { oneof x { int32 code = 1; string error = 2; } }",
            &[],
            &["A is not empty and has no integer or enum, outside of a oneof"],
        ),
        (
            method("R").replace("returns (E)", "returns (A)")
                + "message A { int32 set = 1; int32 failed = 2; }",
            &[],
            &["A is not empty", "int32 set, int32 failed"],
        ),
        (
            method("R").replace("returns (E)", "returns (A)") + "message A { int32 accepted = 1; }",
            &[],
            &["A is not empty", "int32 accepted"],
        ),
        (
            method("X")
                + "message X { repeated S removed = 1; repeated string sensor_expire = 2; }",
            &[],
            &["X has no list of messages, or no single one, that can be the records"],
        ),
        (
            record("bytes device_token = 1; double expire_time = 3;"),
            &[],
            &["double expire_time"],
        ),
        (
            "syntax = \"proto2\"; service Internal { rpc UpdateSensorExpireTime(R) returns (R); }
             message R { repeated S s = 1; required string tenant = 2; }
             message S { optional bytes token = 1; optional int32 expire_time = 2; }"
                .to_owned(),
            &[],
            &["R requires the field tenant"],
        ),
    ]
}

#[test]
fn a_contract_that_can_not_be_had_is_explained() {
    for (proto, flags, words) in unfit().into_iter().chain(unfit_messages()) {
        let folder = protos(&proto, "");
        let file = folder.path().join("main.proto");
        let file = utf8(&file);
        // Nothing listens there, and nothing is asked.
        let refused = |flags: &[&str]| {
            let args = ["push", "--plaintext", "-s", "127.0.0.1:1"];
            let run = run([&args[..], flags].concat()).exits(2);
            words
                .iter()
                .fold(run, |run, words| run.stderr_contains(words));
        };
        refused(&[&["--proto", file], flags].concat());
    }
}

#[test]
fn flags_that_name_no_contract_are_explained() {
    for (flags, words) in [
        (
            &["--proto=/nowhere/x.proto"][..],
            "/nowhere/x.proto can't be read",
        ),
        (&["--proto=/dev/zero"], "/dev/zero can't be read"),
        (&["--protoset=/dev/zero"], "/dev/zero can't be read"),
        (&["--protoset=/nowhere/set"], "/nowhere/set can't be read"),
        (
            &["--protoset=proto/sensor.proto"],
            "no whole set of descriptors",
        ),
        (&["--proto=a", "--protoset=b"], "cannot be used with"),
        (&["--proto=a", "--reflection"], "cannot be used with"),
        (&["--protoset=a", "--reflection"], "cannot be used with"),
        (&["--import-path=a"], "--proto"),
        (
            &["--reflection", "--dry-run"],
            "--dry-run contacts no server",
        ),
    ] {
        let args = ["push", "--plaintext", "-s", "127.0.0.1:1"];
        run([&args[..], flags].concat())
            .exits(2)
            .stderr_contains(words);
    }
}

#[test]
fn a_server_that_does_not_tell_its_contract_is_explained() {
    let case = &cases()[0];
    let folder = folder(case);
    let pool = || compile(folder.path(), "main.proto");
    let silent = ReflectionServer::start(pool(), Reflection::None, case.response);
    silent
        .push(&["--reflection"], INPUT)
        .exits(64 + 12)
        .stderr_contains("has no server reflection")
        .stderr_contains("--proto FILE or --protoset FILE");
    let open = ReflectionServer::start(pool(), Reflection::V1, case.response);
    open.push(&["--reflection", "--method=/acme.v2.Internal/Set"], INPUT)
        .exits(64 + 5)
        .stderr_contains("its reflection answered NOT_FOUND")
        .stderr_contains("not \\u{1b}[31mhere");
    open.push(&["--reflection", "--method=/acme.v1.Internal/Set"], INPUT)
        .exits(2)
        .stderr_contains("has no method /acme.v1.Internal/Set")
        .stderr_contains("/acme.v1.Internal/UpdateSensorExpireTime");
    let other = [
        "--reflection",
        "--method=/acme.v1.Internal/Other",
        "--header=x-secret: acme.v1.Internal",
    ];
    open.push(&other, INPUT).exits(0);
    let absent = [
        &other[..1],
        &["--method=/acme.v1.Internal/Set"],
        &other[2..],
    ]
    .concat();
    let refused = open.push(&absent, INPUT).exits(2);
    assert!(
        !refused.json()["error"]["causes"]
            .to_string()
            .contains("acme.v1.Internal"),
        "{refused:#?}"
    );
    assert_eq!(silent.calls(), []);
    assert_eq!(open.calls()[0].path, "/acme.v1.Internal/Other");
    let args = [
        "push",
        "--plaintext",
        "--reflection",
        "--retry=1",
        "--retry-delay=1ms",
    ];
    run([&args[..], &["-s", "127.0.0.1:1"]].concat())
        .exits(5)
        .stderr_contains("could not be reached")
        .stderr_contains("tried 2 times");
}

#[test]
fn a_server_that_tells_its_contract_for_ever_is_left() {
    let folder = folder(&cases()[0]);
    let pool = || compile(folder.path(), "main.proto");
    let silent = ReflectionServer::start(pool(), Reflection::Silent, b"");
    for (flags, words) in [
        (
            &["--timeout=300ms", "--retry=1", "--retry-delay=1ms"][..],
            "no answer within 300ms\ncaused by: tried 2 times\nhint: --timeout waits longer; or describe it",
        ),
        (&["--max-time=300ms"], "--max-time 300ms passed"),
    ] {
        let flags = [&["--reflection"], flags].concat();
        silent
            .push(&flags, INPUT)
            .exits(64 + 4)
            .stderr_contains(words);
    }
    let services: String = (0..1001).map(|n| format!("service S{n} {{}}\n")).collect();
    let folder = protos(&format!("syntax = \"proto3\";\n{services}"), "");
    let pool = compile(folder.path(), "main.proto");
    let wordy = ReflectionServer::start(pool, Reflection::V1, b"");
    wordy
        .push(&["--reflection"], INPUT)
        .exits(64 + 13)
        .stderr_contains("more than 1000 services");
}

#[test]
fn probe_takes_the_same_contract() {
    let case = &cases()[0];
    let folder = folder(case);
    let pool = || compile(folder.path(), "main.proto");
    let server = ReflectionServer::start(pool(), Reflection::V1, case.response);
    let probe = |server: &ReflectionServer, flags: &[&str]| {
        let args = ["probe", "--plaintext", "--output=json", "-s"];
        run([&args[..], &[&server.address], flags].concat())
    };
    let report = probe(&server, &["--reflection"]).exits(0).json();
    let detail = report["stages"][5]["detail"].as_str().expect("text");
    assert!(detail.starts_with(case.path), "{detail}");
    let flags = report["flags"].as_array().expect("flags");
    assert!(flags.contains(&json!("--reflection")), "{flags:?}");
    let silent = ReflectionServer::start(pool(), Reflection::None, case.response);
    let report = probe(&silent, &["--reflection"]).exits(64 + 12).json();
    assert_eq!(report["stages"][4]["ok"], true);
    assert_eq!(report["stages"][5]["ok"], false);
    assert_eq!(report["flags"], json!([]));
}
