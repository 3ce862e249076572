//! Hints about gRPC calls, the ledger and the whole run.

use std::{fs, path::Path};

use http::request::Parts;
use tonic::Code;

use super::Case;

use crate::support::{
    fault_server::{
        FaultServer,
        action::{Action, Response, status},
    },
    files::TempFile,
    grpc_server::{Behavior, GrpcServer},
    program::run_with_input,
    receiver::Receiver,
    records::records,
    reflection_server::{Reflection, ReflectionServer, compile},
};

const PLAIN: &[&str] = &["--plaintext", "--retry=0"];

/// A situation, the response of a server to requests in this situation, and the hint.
struct Refused<'a> {
    refuse: fn(&Parts) -> Option<Response>,
    flags: &'a [&'a str],
    exit: i32,
    hint: &'a str,
    add: &'a str,
    remove: &'a [&'a str],
}

impl Refused<'_> {
    fn check(&self) {
        let server = GrpcServer::with(Behavior {
            refuse: self.refuse,
            ..Behavior::reading(Response::code(0))
        });
        let case = Case {
            args: &[&["push", "--server", &server.address], PLAIN, self.flags].concat(),
            exit: self.exit,
            hint: self.hint,
            add: self.add,
            remove: self.remove,
            ..Case::DEFAULT
        };
        case.check();
    }
}

fn has(head: &Parts, name: &str) -> bool {
    head.headers.contains_key(name)
}

#[test]
fn call_succeeds_as_the_hint_says() {
    let token = TempFile::new("token", "secret\n");
    let long = "--header=x-long: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy";
    for refused in [
        Refused {
            refuse: |head| {
                let message = "grpc: Decompressor is not installed for grpc-encoding \"gzip\"";
                has(head, "grpc-encoding").then(|| Response::status(Code::Unimplemented, message))
            },
            flags: &["--compress=gzip"],
            exit: 76,
            hint: "remove --compress gzip",
            add: "",
            remove: &["--compress=gzip"],
        },
        Refused {
            refuse: |head| {
                has(head, "grpc-encoding").then(|| Response::status(Code::Unimplemented, ""))
            },
            flags: &["--compress=gzip"],
            exit: 76,
            hint: "check the address and --method, or remove --compress gzip, which the server may not support",
            add: "",
            remove: &["--compress=gzip"],
        },
        Refused {
            refuse: |head| {
                let message = "received metadata size exceeds hard limit: too large";
                has(head, "x-long").then(|| Response::status(Code::ResourceExhausted, message))
            },
            flags: &[long],
            exit: 72,
            hint: "pass fewer or shorter --header values",
            add: "--header 'x-short: y'",
            remove: &[long],
        },
        Refused {
            refuse: |head| has(head, "x-long").then(|| Response::http(431, "text/html", b"")),
            flags: &[long],
            exit: 66,
            hint: "pass fewer or shorter --header values",
            add: "",
            remove: &[long],
        },
        Refused {
            refuse: |head| {
                (!has(head, "authorization")).then(|| Response::status(Code::Unauthenticated, ""))
            },
            flags: &[],
            exit: 80,
            hint: "pass credentials that the server accepts with --header or --bearer-token-file",
            add: "--header 'authorization: Basic eDp5'",
            remove: &[],
        },
        Refused {
            refuse: |head| {
                (!has(head, "authorization")).then(|| Response::status(Code::Unauthenticated, ""))
            },
            flags: &[],
            exit: 80,
            hint: "pass credentials that the server accepts with --header or --bearer-token-file",
            add: &format!("--bearer-token-file {}", token.str()),
            remove: &[],
        },
        Refused {
            refuse: |head| {
                let limit = head.headers["grpc-timeout"].to_str().unwrap_or_default();
                let is_short = limit.starts_with('1');
                is_short.then(|| Response::status(Code::DeadlineExceeded, "too slow"))
            },
            flags: &["--timeout=1s"],
            exit: 68,
            hint: "increase --timeout",
            add: "--timeout 20s",
            remove: &["--timeout=1s"],
        },
        Refused {
            refuse: |head| {
                let is_known = head.uri.host() == Some("license.internal");
                (!is_known).then(|| Response::http(421, "text/html", b""))
            },
            flags: &[],
            exit: 66,
            hint: "check --servername and --authority",
            add: "--authority license.internal",
            remove: &[],
        },
    ] {
        refused.check();
    }
}

#[test]
fn method_is_selected_as_the_hint_says() {
    let proto = fs::read_to_string("proto/sensor.proto").expect("text");
    let proto = proto.replace("\nservice ", "\npackage license.v1;\nservice ");
    let proto = TempFile::new("license.proto", proto);
    let set = compile(proto.folder(), "license.proto").encode_to_vec();
    let set = TempFile::new("set", set);
    for add in [
        "--method /license.v1.Internal/UpdateSensorExpireTime",
        &format!("--proto {}", proto.str()),
        &format!("--protoset {}", set.str()),
    ] {
        let refused = Refused {
            refuse: |head| {
                let is_known = head.uri.path().starts_with("/license.v1.");
                (!is_known).then(|| Response::status(Code::Unimplemented, "unknown service"))
            },
            flags: &[],
            exit: 76,
            hint: "check the address, and the method that --method, --proto, --protoset or --reflection selects",
            add,
            remove: &[],
        };
        refused.check();
    }
    let receiver = Receiver::with(["--plaintext"]);
    let method = "--method=/no.Service/Method";
    let case = Case {
        args: &[&["push", method, "--server", &receiver.address], PLAIN].concat(),
        exit: 76,
        hint: "check the address, and the method that --method, --proto, --protoset or --reflection selects",
        add: "--reflection",
        remove: &[method],
        ..Case::DEFAULT
    };
    case.check();
}

#[test]
fn large_request_succeeds_in_the_batches_of_the_hint() {
    let refusal = status(Code::ResourceExhausted, "over the limit");
    let server = FaultServer::serving([Action::IfLargerThan(100, refusal.into())]);
    let args = server.args(&["--retry=0"]);
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    for add in ["--batch-records 1", "--batch-bytes 100"] {
        let case = Case {
            args: &args,
            input: &records(10),
            exit: 72,
            hint: "reduce --batch-records or --batch-bytes, or run the command again later",
            add,
            ..Case::DEFAULT
        };
        case.check();
    }
}

#[test]
fn contract_is_found_as_the_hint_says() {
    let pool = || compile(Path::new("proto"), "sensor.proto");
    let set = TempFile::new("set", pool().encode_to_vec());
    let protoset = format!("--protoset {}", set.str());
    let mute = ReflectionServer::start(pool(), Reflection::Silent, b"");
    let silent = ReflectionServer::start(pool(), Reflection::None, b"");
    let open = ReflectionServer::start(pool(), Reflection::V1, b"");
    let proto = fs::read_to_string("proto/sensor.proto").expect("text");
    let service = proto.find("\nservice ").expect("a service");
    let second = proto[service..].replace("Internal", "Other");
    let second = second.split_inclusive("\n}\n").next().expect("a service");
    let first = proto.replace("service Internal", "service First");
    let two_services = TempFile::new("two.proto", format!("{first}\n{second}"));
    for (server, flags, exit, hint, add, remove) in [
        (
            &silent,
            &["--reflection"][..],
            76,
            "describe the service with --proto FILE or --protoset FILE",
            "--proto proto/sensor.proto",
            &["--reflection"][..],
        ),
        (
            &silent,
            &["--reflection"],
            76,
            "describe the service with --proto FILE or --protoset FILE",
            &protoset,
            &["--reflection"],
        ),
        (
            &mute,
            &["--reflection", "--timeout=100ms"],
            68,
            "increase --timeout, or describe the service with --proto FILE or --protoset FILE",
            &protoset,
            &["--reflection", "--timeout=100ms"],
        ),
        (
            &open,
            &["--reflection", "--method=/no.Service/Method"],
            69,
            "check --method, or describe the service with --proto FILE or --protoset FILE",
            "--method /Internal/UpdateSensorExpireTime",
            &["--method=/no.Service/Method"],
        ),
        (
            &silent,
            &["--proto", two_services.str()],
            2,
            "pass the method that takes records with --method /PKG.SERVICE/METHOD",
            "--method /First/UpdateSensorExpireTime",
            &[],
        ),
    ] {
        let case = Case {
            args: &[&["push", "--server", &server.address], PLAIN, flags].concat(),
            exit,
            hint,
            add,
            remove,
            ..Case::DEFAULT
        };
        case.check();
    }
}

#[test]
fn code_means_success_with_the_option_of_the_hint() {
    let refusing = Receiver::with(["--plaintext", "--code=3"]);
    let accepting = Receiver::with(["--plaintext"]);
    for (receiver, flags, hint, add) in [
        (
            &refusing,
            &[][..],
            "ask the server's operator what the code means; if it means success, pass --ok-code 0 --ok-code 3",
            "--ok-code 0 --ok-code 3",
        ),
        (
            &accepting,
            &["--ok-code=5"],
            "pass --ok-code 5 --ok-code 0 if code 0 means success as well",
            "--ok-code 0",
        ),
    ] {
        let case = Case {
            args: &[&["push", "--server", &receiver.address], PLAIN, flags].concat(),
            exit: 7,
            hint,
            add,
            ..Case::DEFAULT
        };
        case.check();
    }
}

#[test]
fn slow_call_succeeds_with_the_timeout_of_the_hint() {
    let receiver = Receiver::with(["--plaintext", "--delay=300ms"]);
    for (limit, exit, hint, add) in [
        (
            "--timeout=50ms",
            68,
            "increase --timeout, or reduce --batch-records",
            "--timeout 20s",
        ),
        (
            "--max-time=50ms",
            68,
            "increase --max-time",
            "--max-time 20s",
        ),
    ] {
        let case = Case {
            args: &[&["push", "--server", &receiver.address, limit], PLAIN].concat(),
            exit,
            hint,
            add,
            remove: &[limit],
            ..Case::DEFAULT
        };
        case.check();
    }
}

#[test]
fn ledger_is_used_as_the_hint_says() {
    let receiver = Receiver::with(["--plaintext"]);
    let ledger = TempFile::absent("ledger");
    let push = ["push", "--server", &receiver.address, "--plaintext"];
    let push = [&push[..], &["--ledger", ledger.str(), "-n"]].concat();
    run_with_input(&push[..6], &records(3)).exits(0);
    let show = ["ledger", "forget", "--ledger", ledger.str()];
    let show = [&show[..], &["--target", "nowhere.test:1"]].concat();
    let target = format!("pass one of these to --target: {}", receiver.address);
    let text = TempFile::new(
        "text",
        "this is not a ledger, but it is longer than a header of one",
    );
    let other = TempFile::absent("other");
    let changed = b"token,expire_time\nsensor-00000,4070908801\nsensor-00001,4070908801\n";
    for case in [
        Case {
            args: &[&push[..], &["--max-changes=1"]].concat(),
            input: changed,
            exit: 4,
            hint: "pass --max-changes 2 if the changes are right",
            add: "--max-changes 2",
            remove: &["--max-changes=1"],
            ..Case::DEFAULT
        },
        Case {
            args: &[&push[..], &["--max-missing=0"]].concat(),
            input: changed,
            exit: 4,
            hint: "pass --max-missing 1 if the input is complete",
            add: "--max-missing 1",
            remove: &["--max-missing=0"],
            ..Case::DEFAULT
        },
        Case {
            args: &show,
            input: b"",
            hint: &target,
            add: &format!("--target {}", receiver.address),
            remove: &["--target", "nowhere.test:1"],
            ..Case::DEFAULT
        },
        Case {
            args: &[&push[..4], &["--ledger", text.str()]].concat(),
            exit: 1,
            hint: "pass --ledger FILE with a ledger, or with a file that does not exist yet",
            add: &format!("--ledger {}", other.str()),
            remove: &["--ledger", text.str()],
            ..Case::DEFAULT
        },
        Case {
            args: &["ledger", "show", "--ledger", text.str()],
            exit: 1,
            hint: "pass --ledger FILE with a ledger",
            add: &format!("--ledger {}", other.str()),
            remove: &["--ledger", text.str()],
            ..Case::DEFAULT
        },
    ] {
        case.check();
    }
}
