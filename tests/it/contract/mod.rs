//! Servers whose contract differs from `proto/sensor.proto`.

mod errors;

use std::{fs, path::Path};

use data_encoding::BASE64;
use prost::Message;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    files::{TempFile, utf8},
    program::{command, finish, run, run_with_input, start_command},
    reflection_server::{Call, Reflection, ReflectionServer, compile},
};

const INPUT: &[u8] = b"token,expire_time\nabc,1700000000\nd\xc3\xa9f,0\n";

/// A contract, and the request that [`INPUT`] must become.
struct Case {
    name: &'static str,
    /// The text of `main.proto`.
    proto: &'static str,
    /// The text of `other.proto`, which `main.proto` may import.
    imported: &'static str,
    /// The response message of a success.
    response: &'static [u8],
    path: &'static str,
    /// Whether `--method` is needed.
    needs_method: bool,
    request: Value,
}

fn cases() -> Vec<Case> {
    let bytes = |text: &str| BASE64.encode(text.as_bytes());
    vec![
        Case {
            name: "package, other field numbers and types",
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
            needs_method: false,
            request: json!({"sensorExpire": [
                {"deviceToken": "abc", "expireTime": "1700000000"},
                {"deviceToken": "déf"},
            ]}),
        },
        Case {
            name: "timestamp, imported record message",
            proto: r#"syntax = "proto3"; package acme;
                import "other.proto"; import "google/protobuf/empty.proto";
                service Licenses { rpc UpdateSensorExpireTime(Push) returns (google.protobuf.Empty); }
                message Push { repeated acme.common.License licenses = 2; map<string, string> labels = 3; }"#,
            imported: r#"syntax = "proto3"; package acme.common;
                import "google/protobuf/timestamp.proto";
                message License { bytes id = 16; google.protobuf.Timestamp until = 17; }"#,
            response: b"",
            path: "/acme.Licenses/UpdateSensorExpireTime",
            needs_method: false,
            request: json!({"licenses": [
                {"id": bytes("abc"), "until": "2023-11-14T22:13:20Z"},
                {"id": bytes("déf"), "until": "1970-01-01T00:00:00Z"},
            ]}),
        },
        Case {
            name: "proto2 with field presence",
            proto: r#"syntax = "proto2";
                service Internal { rpc UpdateSensorExpireTime(R) returns (A); }
                message R { repeated S sensorExpire = 1; }
                message S { required bytes deviceToken = 1; required sfixed64 expireTime = 2; }
                message A { required Result result_code = 1; }
                enum Result { FINE = 0; BAD = 1; }"#,
            imported: "",
            response: b"\x08\x00",
            path: "/Internal/UpdateSensorExpireTime",
            needs_method: false,
            request: json!({"sensorExpire": [
                {"deviceToken": bytes("abc"), "expireTime": "1700000000"},
                {"deviceToken": bytes("déf"), "expireTime": "0"},
            ]}),
        },
        Case {
            name: "other names of everything",
            proto: r#"syntax = "proto3"; package x;
                service Reader { rpc List(Q) returns (stream Q); rpc Get(Q) returns (Q); }
                service Writer { rpc Set(Many) returns (A); }
                message Q { uint64 n = 1; } message A { string note = 3; uint64 StatusCode = 1; }
                message Many { repeated One all = 1; }
                message One { string who = 1; optional sint32 when = 2; }"#,
            imported: "",
            response: b"",
            path: "/x.Writer/Set",
            needs_method: true,
            request: json!({"all": [
                {"who": "abc", "when": 1_700_000_000},
                {"who": "déf", "when": 0},
            ]}),
        },
    ]
}

fn folder(case: &Case) -> TempDir {
    proto_folder(case.proto, case.imported)
}

fn proto_folder(proto: &str, imported: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("main.proto"), proto).expect("written");
    fs::write(folder.path().join("other.proto"), imported).expect("written");
    folder
}

impl Case {
    /// Returns the options, with `--method` in addition if the contract needs it.
    fn flags<'f>(&self, flags: &[&'f str]) -> Vec<&'f str> {
        let named = self.needs_method.then_some(["--method", self.path]);
        [flags, named.as_ref().map_or(&[], |named| &named[..])].concat()
    }
}

/// Returns the sources of a contract. Each source consists of the server's reflection and the
/// program's options.
fn contract_sources(folder: &Path) -> [(Reflection, Vec<String>); 5] {
    let set = folder.join("set");
    let pool = compile(folder, "main.proto");
    fs::write(&set, pool.encode_to_vec()).expect("written");
    let text = |path: &Path| utf8(path).to_owned();
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
fn requests_conform_to_the_contract() {
    for case in cases() {
        let folder = folder(&case);
        for (reflection, flags) in contract_sources(folder.path()) {
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
fn code_is_read_from_the_contract_field() {
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
fn responses_without_a_code_are_noted() {
    for (case, is_noted) in [(0, false), (1, true), (2, false)] {
        let case = &cases()[case];
        let folder = folder(case);
        let proto = folder.path().join("main.proto");
        let pool = compile(folder.path(), "main.proto");
        let server = ReflectionServer::start(pool, Reflection::None, case.response);
        let flags = ["--proto", utf8(&proto)];
        let run = server.push(&flags, INPUT).exits(0);
        assert_eq!(run.stderr.contains("no code"), is_noted, "{run:#?}");
    }
}

/// Starts a server with reflection, and returns the folder of its contract and the server.
fn reflecting_server(case: &Case) -> (TempDir, ReflectionServer) {
    let folder = folder(case);
    let pool = compile(folder.path(), "main.proto");
    let server = ReflectionServer::start(pool, Reflection::V1, case.response);
    (folder, server)
}

#[test]
fn proto_may_be_a_fifo_with_a_byte_order_mark() {
    let fifo = TempFile::fifo();
    let args = ["push", "--rehearse", "--proto", fifo.str()];
    let child = start_command(&mut command(args), INPUT);
    let proto = include_str!("../../../proto/sensor.proto");
    fs::write(fifo.str(), format!("\u{feff}{proto}")).expect("written");
    finish(child).exits(0);
}

#[test]
fn ledger_works_with_other_contracts() {
    let case = &cases()[1];
    let (folder, server) = reflecting_server(case);
    let ledger = folder.path().join("ledger");
    let flags = ["--reflection", "--ledger", utf8(&ledger)];
    server
        .push(&flags, INPUT)
        .exits(0)
        .counts("acknowledged", 2);
    server.push(&flags, INPUT).exits(0).counts("unchanged", 2);
    let changed = b"token,expire_time\nabc,1700000000\nd\xc3\xa9f,1000000001\n";
    server
        .push(&flags, changed)
        .exits(0)
        .counts("unchanged", 1)
        .counts("acknowledged", 1);
    let request = server.calls().pop().expect("a call").request;
    assert_eq!(request["licenses"][0]["until"], "2001-09-09T01:46:41Z");
}

#[test]
fn records_that_the_contract_cannot_hold_are_rejected() {
    let case = &cases()[3];
    let (_folder, server) = reflecting_server(case);
    let input = b"token,expire_time\n616263,1000000001\nff00,1000000001\n646566,2147483648\n";
    let flags = case.flags(&["--reflection", "--token-encoding=hex"]);
    let run = server
        .push(&flags, input)
        .exits(4)
        .counts_add_up()
        .stderr_contains(":3: error: token is not UTF-8")
        .stderr_contains(":4: error: expiration time is later than 2038-01-19T03:14:07Z")
        .stderr_contains("invalid token: 1, invalid time: 1");
    assert_eq!(run.count("invalid"), 2);
    assert_eq!(server.calls(), []);
}

#[test]
fn protobuf_json_uses_the_contract_field() {
    let case = &cases()[1];
    let (_folder, server) = reflecting_server(case);
    let request = br#"{"licenses":[{"deviceToken":"YWJj","expireTime":"1700000000"}]}"#;
    let flags = ["--reflection", "--input-format=protojson"];
    server
        .push(&flags, request)
        .exits(4)
        .stderr_contains("no array \"sensorExpire\"")
        .stderr_contains("(pass --records /KEY");
    let flags = [&flags[..], &["--records=/licenses"]].concat();
    server.push(&flags, request).exits(0);
    let [call] = &server.calls()[..] else {
        panic!("one call")
    };
    assert_eq!(call.request["licenses"][0]["id"], BASE64.encode(b"abc"));
}

#[test]
fn import_path_is_searched_for_imports() {
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
        .stderr_contains("hint: pass the directory of the imports with --import-path");
    server
        .push(&["--proto", proto, "--import-path=no/such"], INPUT)
        .exits(2)
        .stderr_contains("no/such: No such file or directory");
    let elsewhere = utf8(elsewhere.path());
    let flags = ["--proto", proto, "--import-path", elsewhere];
    server.push(&flags, INPUT).exits(0);
    // The path of `--proto` may be relative to an import path, as in an import statement.
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
fn unsupported_descriptors_are_rejected() {
    let case = &cases()[0];
    let folder = folder(case);
    let pool = compile(folder.path(), "main.proto");
    let path = folder.path().join("set");
    let path = utf8(&path);
    for (syntax, text) in [
        (Some("editions"), "main.proto has the syntax \"editions\""),
        (Some("proto9"), "main.proto has the syntax \"proto9\""),
        (None, "no file"),
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
            .stderr_contains(text);
    }
}

#[test]
fn absent_code_has_the_default_of_the_contract() {
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
        let folder = proto_folder(&proto, "");
        for (response, exit) in [(&b""[..], absent), (b"\x08\0", zero)] {
            let pool = compile(folder.path(), "main.proto");
            let server = ReflectionServer::start(pool, Reflection::V1, response);
            let run = server.push(&["--reflection"], INPUT);
            assert_eq!(run.code, exit, "{fields} {response:?}: {run:#?}");
        }
    }
}

#[test]
fn rehearsal_applies_the_contract() {
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

#[test]
fn probe_uses_the_contract() {
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
    assert_eq!(report["flags"], json!([]));
    let silent = ReflectionServer::start(pool(), Reflection::None, case.response);
    let report = probe(&silent, &["--reflection"]).exits(64 + 12).json();
    assert_eq!(report["stages"][4]["ok"], true);
    assert_eq!(report["stages"][5]["ok"], false);
    assert_eq!(report["flags"], json!([]));
}
