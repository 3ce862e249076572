//! Contracts that cannot be used, and reflection that fails.

use std::fs;

use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

use super::{INPUT, cases, folder, proto_folder};

use crate::support::{
    fault_server::{
        FaultServer,
        action::{Action, Response},
    },
    files::{TempFile, utf8},
    program::{run, run_with_input},
    reflection_server::{Reflection, ReflectionServer, compile},
};

/// A syntax line and messages that the contracts below share.
const COMMON_MESSAGES: &str =
    "syntax = \"proto3\"; message E {} message L { repeated E sensorExpire = 1; }
    message S { bytes token = 1; uint32 expireTime = 2; } message R { repeated S s = 1; }\n";

fn service(methods: &str) -> String {
    format!("{COMMON_MESSAGES}service Internal {{ {methods} }}")
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

/// Returns `.proto` files without a suitable method. Each file comes with additional options, and
/// with the texts that the error must contain.
fn unsuitable_methods() -> Vec<(String, &'static [&'static str], &'static [&'static str])> {
    vec![
        (
            "syntax = \"proto3\";\nmessage {}".to_owned(),
            &[][..],
            &[
                "cannot use the contract from",
                "main.proto:2:9: expected an identifier",
            ][..],
        ),
        (
            COMMON_MESSAGES.to_owned(),
            &[],
            &["expected the method UpdateSensorExpireTime, found no method"],
        ),
        (
            service("rpc A(E) returns (E); rpc B(E) returns (E);"),
            &[],
            &[
                "expected the method UpdateSensorExpireTime, found /Internal/A, /Internal/B",
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
                "expected one method, found /Other/UpdateSensorExpireTime, /Another/UpdateSensorExpireTime",
                "--method",
            ],
        ),
        (
            method("R"),
            &["--method=/Internal/Wrong"],
            &["expected the method /Internal/Wrong, found /Internal/UpdateSensorExpireTime"],
        ),
        (
            method("stream R"),
            &[],
            &["/Internal/UpdateSensorExpireTime cannot take records: it is streaming"],
        ),
    ]
}

/// Returns `.proto` files without suitable messages. Each file comes with additional options, and
/// with the texts that the error must contain.
fn unsuitable_messages() -> Vec<(String, &'static [&'static str], &'static [&'static str])> {
    vec![
        (
            method("E"),
            &[],
            &["E: expected a field for the records (one repeated message), found no fields"],
        ),
        (
            method("L"),
            &[],
            &["E: expected a field for the device token (one bytes or string), found no fields"],
        ),
        (
            record("int32 device_token = 1; bytes b = 2; uint32 expire_time = 3;"),
            &[],
            &[
                "Y: expected a field for the device token (one bytes or string)",
                "int32 device_token, bytes b, uint32 expire_time",
            ],
        ),
        (
            record("bytes device_token = 1; repeated uint32 expire_time = 3; bool on = 4;"),
            &[],
            &[
                "Y: expected a field for the expiration time (one integer in seconds or google.protobuf.Timestamp)",
                "repeated uint32 expire_time",
            ],
        ),
        (
            record("bytes device_token = 1; int64 expire_time_ms = 3;"),
            &[],
            &[
                "Y: expected a field for the expiration time",
                "int64 expire_time_ms",
            ],
        ),
        (
            record("oneof x { bytes device_token = 1; int64 expire_time = 3; }"),
            &[],
            &[
                "Y: expected a field for the expiration time",
                "found bytes device_token (oneof x), int64 expire_time (oneof x)",
            ],
        ),
        (
            method("R").replace("returns (E)", "returns (A)") + "message A { string code = 1; }",
            &[],
            &["A: expected a code (one integer or enum", "string code"],
        ),
        (
            method("R").replace("returns (E)", "returns (A)")
                + "message A { oneof x { int32 code = 1; string error = 2; } }",
            &[],
            &["A: expected a code (one integer or enum outside of a oneof"],
        ),
        (
            method("R").replace("returns (E)", "returns (A)")
                + "message A { int32 set = 1; int32 failed = 2; }",
            &[],
            &["A: expected a code", "int32 set, int32 failed"],
        ),
        (
            method("R").replace("returns (E)", "returns (A)") + "message A { int32 accepted = 1; }",
            &[],
            &["A: expected a code", "int32 accepted"],
        ),
        (
            method("X")
                + "message X { repeated S removed = 1; repeated string sensor_expire = 2; }",
            &[],
            &["X: expected a field for the records"],
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
fn unsuitable_contracts_are_explained() {
    for (proto, flags, text) in unsuitable_methods()
        .into_iter()
        .chain(unsuitable_messages())
    {
        let folder = proto_folder(&proto, "");
        let file = folder.path().join("main.proto");
        let file = utf8(&file);
        // No server listens on this port. The exit code is 2 all the same, because the contract is
        // checked before connecting.
        let refused = |flags: &[&str]| {
            let args = ["push", "--plaintext", "-s", "127.0.0.1:1"];
            let run = run([&args[..], flags].concat()).exits(2);
            text.iter().fold(run, |run, text| run.stderr_contains(text));
        };
        refused(&[&["--proto", file], flags].concat());
    }
}

#[test]
fn invalid_contract_options_are_explained() {
    for (flags, text) in [
        (
            &["--proto=/nowhere/x.proto"][..],
            "cannot open /nowhere/x.proto: No such file",
        ),
        (
            &["--proto=/dev/zero"],
            "cannot read /dev/zero: larger than 1 MiB",
        ),
        (
            &["--protoset=/dev/zero"],
            "cannot read /dev/zero: larger than 64 MiB",
        ),
        (&["--protoset=/nowhere/set"], "cannot open /nowhere/set"),
        (
            &["--protoset=proto/sensor.proto"],
            "invalid or incomplete descriptors",
        ),
        (&["--proto=a", "--protoset=b"], "cannot be used with"),
        (&["--proto=a", "--reflection"], "cannot be used with"),
        (&["--protoset=a", "--reflection"], "cannot be used with"),
        (&["--import-path=a"], "--proto"),
        (&["--import-path=a", "--protoset=b"], "cannot be used with"),
        (&["--import-path=a", "--reflection"], "cannot be used with"),
        (&["--reflection", "--dry-run"], "cannot be used with"),
    ] {
        let args = ["push", "--plaintext", "-s", "127.0.0.1:1"];
        run([&args[..], flags].concat())
            .exits(2)
            .stderr_contains(text);
    }
}

#[test]
fn proto_files_are_accepted_or_explained() {
    const SYNTAX: &str = "syntax = \"proto3\";";
    const IMPORT_HINT: &str = "--import-path";
    const METHOD_HINT: &str = "pass the method that takes records with --method";
    let contract = fs::read_to_string("proto/sensor.proto").expect("the contract");
    let with = |syntax: &str| contract.replace(SYNTAX, syntax);
    let renamed = contract.replace("rpc UpdateSensorExpireTime", "rpc Set");
    let streaming = contract.replace("returns (", "returns (stream ");
    let two = streaming.replace(
        "\n}\n\n// The license",
        "\n  rpc Other(Empty) returns (Empty);\n}\nmessage Empty {}\n//",
    );
    // The last column is the hint, if there is one.
    for (proto, exit, text, hint) in [
        (contract.clone(), 0, "", ""),
        (format!("\u{feff}{contract}"), 0, "", ""),
        (
            with("edition = \"2023\";"),
            2,
            "main.proto has the syntax \"editions\", but only proto2 and proto3 are supported",
            "pass a proto2 or proto3 file with the same messages and field numbers with --proto",
        ),
        (
            with("syntax = \"proto3\"; import \"none.proto\";"),
            2,
            "import 'none.proto' not found",
            IMPORT_HINT,
        ),
        (
            with("syntax = \"proto3\"; import \"../other.proto\";"),
            2,
            "main.proto:3:27: invalid group name, or import path with \"..\"",
            "",
        ),
        (
            with("syntax = \"proto3\"; message {"),
            2,
            "expected an identifier",
            "",
        ),
        (
            format!("{SYNTAX}\nmessage A {{}}\n"),
            2,
            "found no method",
            "",
        ),
        (renamed, 2, "found /Internal/Set", METHOD_HINT),
        (streaming, 2, "it is streaming", ""),
        (two, 2, "it is streaming", METHOD_HINT),
        (
            "token,expire_time\na,1000000001\n".to_owned(),
            2,
            "main.proto:1:1: expected 'enum'",
            "",
        ),
    ] {
        let file = TempFile::new("main.proto", &proto);
        let run = run_with_input(["push", "--rehearse", "--proto", file.str()], INPUT)
            .exits(exit)
            .stderr_contains(text)
            .stderr_contains(hint);
        assert_eq!(run.stderr.contains("hint:"), !hint.is_empty(), "{run:#?}");
    }
    let file = FileDescriptorProto {
        name: Some("a.proto".to_owned()),
        syntax: Some("editions".to_owned()),
        ..FileDescriptorProto::default()
    };
    let set = FileDescriptorSet { file: vec![file] }.encode_to_vec();
    let set = TempFile::new("set", set);
    run_with_input(["push", "--rehearse", "--protoset", set.str()], INPUT)
        .exits(2)
        .stderr_contains("a.proto has the syntax \"editions\", but only")
        .stderr_contains("with --proto")
        .hides("protoc ");
}

#[test]
fn failed_reflection_is_explained() {
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
        .stderr_contains("failed: NOT_FOUND: not")
        .stderr_contains("not \\u{1b}[31mhere");
    open.push(&["--reflection", "--method=/acme.v1.Internal/Set"], INPUT)
        .exits(2)
        .stderr_contains("expected the method /acme.v1.Internal/Set")
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
        .stderr_contains("cannot connect")
        .stderr_contains("retried once");
}

#[test]
fn endless_reflection_is_limited() {
    let folder = folder(&cases()[0]);
    let pool = || compile(folder.path(), "main.proto");
    let silent = ReflectionServer::start(pool(), Reflection::Silent, b"");
    for (flags, text) in [
        (
            &["--timeout=300ms", "--retry=1", "--retry-delay=1ms"][..],
            "timed out after 300ms\ncaused by: retried once\nhint: increase --timeout, or describe the service",
        ),
        (&["--max-time=300ms"], "--max-time 300ms passed"),
    ] {
        let flags = [&["--reflection"], flags].concat();
        silent
            .push(&flags, INPUT)
            .exits(64 + 4)
            .stderr_contains(text);
    }
    let pushback = Action::Reject(Response::pushback("60000"));
    let calm = FaultServer::serving([pushback]);
    calm.push(&["--reflection", "--max-time=500ms"], INPUT)
        .exits(64 + 14)
        .stderr_contains("--max-time 500ms passed before a retry");
    let services: String = (0..1001).map(|n| format!("service S{n} {{}}\n")).collect();
    let folder = proto_folder(&format!("syntax = \"proto3\";\n{services}"), "");
    let pool = compile(folder.path(), "main.proto");
    let wordy = ReflectionServer::start(pool, Reflection::V1, b"");
    wordy
        .push(&["--reflection"], INPUT)
        .exits(64 + 13)
        .stderr_contains("more than 1000 services");
}
