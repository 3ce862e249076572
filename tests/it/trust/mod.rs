//! Trust in servers: trusted and refused certificates, messages about refused certificates, and the
//! names that a client sends.
//!
//! A [`Case`] is one server and one command line. `push` and `probe` must agree on whether the
//! server is trusted.

mod client_certificates;
mod closed_connections;
mod identity_files;
mod issued;
mod keys;
mod name_constraints;
mod names;
mod pem_files;
mod pinned;
mod plaintext;
mod refused_clients;
mod system_store;
mod unsuitable;

use std::thread;

use rustls::SupportedProtocolVersion;
use serde_json::Value;

use crate::support::{
    certificates::Identity,
    probe::{suggested_flags, with_suggested_flags},
    program::{Run, push_to, run_with_input},
    receiver::Receiver,
    records::ONE_RECORD,
    tls_server::TlsServer,
};

use ServerKind::{Serve, Unchecked};

/// The name that most certificates here are for.
const NAME: &str = "license.internal";
const NAMED: &[&str] = &["--servername=license.internal"];

const EXPIRED: &[&str] = &[
    "certificate expired on 2020-05-17 (valid from 2001-01-01)",
    "hint: install a new certificate on the server",
];
const NOT_YET_VALID: &[&str] = &[
    "certificate is not valid until 2090-05-17 (valid to 2098-01-01)",
    "hint: check the clock of this machine",
];
const WRONG_KEY: &[&str] = &["server does not hold the private key of its certificate"];

/// The number of cases that are checked at the same time. Each case takes a server and several
/// runs.
const PARALLEL_CASES: usize = 24;

/// A server and a command line, and whether the server is trusted.
struct Case {
    name: String,
    server: ServerKind,
    identity: Identity,
    /// The value of `--cacert`, if any.
    cacert: Option<String>,
    flags: Vec<String>,
    verdict: Verdict,
}

/// The server that presents the certificate.
#[derive(Clone, Copy)]
enum ServerKind {
    /// The reference receiver.
    Serve,
    /// A server with this version of TLS, which does not check its own certificate.
    Unchecked(&'static SupportedProtocolVersion),
}

enum Verdict {
    Accept,
    /// Exit code 6, with these texts on standard error.
    Refuse(Vec<String>),
}

fn accept(
    name: &str,
    server: ServerKind,
    identity: &Identity,
    cacert: &str,
    flags: &[&str],
) -> Case {
    Case {
        name: name.to_owned(),
        server,
        identity: identity.clone(),
        cacert: Some(cacert.to_owned()),
        flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
        verdict: Verdict::Accept,
    }
}

fn refuse(
    name: &str,
    server: ServerKind,
    identity: &Identity,
    cacert: &str,
    flags: &[&str],
    texts: &[&str],
) -> Case {
    Case {
        verdict: Verdict::Refuse(texts.iter().map(|&text| text.to_owned()).collect()),
        ..accept(name, server, identity, cacert, flags)
    }
}

impl Case {
    fn without_cacert(self) -> Self {
        Self {
            cacert: None,
            ..self
        }
    }

    /// Returns a label that identifies the case in the message of a failed assertion.
    fn label(&self) -> String {
        let server = match self.server {
            Serve => "serve".to_owned(),
            Unchecked(version) => format!("{:?}", version.version),
        };
        format!("{} ({server}, {:?})", self.name, self.flags)
    }

    fn options<'a>(&'a self, address: &'a str) -> Vec<&'a str> {
        let mut options = vec!["--output=json", "--server", address];
        if let Some(cacert) = &self.cacert {
            options.extend(["--cacert", cacert]);
        }
        options.extend(self.flags.iter().map(String::as_str));
        options
    }

    fn run(&self, command: &str, address: &str) -> Run {
        run_with_input(
            [&[command], &self.options(address)[..]].concat(),
            ONE_RECORD,
        )
    }

    fn check(&self) {
        let name = self.label();
        match self.server {
            Serve => {
                let receiver = Receiver::presenting(&self.identity);
                let acknowledged = self.check_runs(&receiver.address);
                assert_eq!(receiver.stop().records, acknowledged, "{name}");
            }
            Unchecked(version) => {
                let server = TlsServer::start(&self.identity, &[version]);
                let acknowledged = self.check_runs(&server.address);
                let requests = server.new_request_count() as u64;
                assert_eq!(requests, acknowledged, "{name}");
            }
        }
    }

    /// Checks `push`, `probe`, and a push with the options that `probe` suggests. Returns the
    /// number of acknowledged records.
    fn check_runs(&self, address: &str) -> u64 {
        let name = &self.label();
        let (exit, texts) = match &self.verdict {
            Verdict::Accept => (0, &[][..]),
            Verdict::Refuse(texts) => (6, &texts[..]),
        };
        let push = self.run("push", address);
        assert_eq!(push.code, exit, "{name}: {push:#?}");
        for text in texts {
            assert!(
                push.stderr.contains(text),
                "{name}: no {text:?} in {push:#?}"
            );
        }
        let acknowledged = u64::from(exit == 0);
        assert_eq!(push.count("acknowledged"), acknowledged, "{name}");
        assert_eq!(push.count("unsent"), 1 - acknowledged, "{name}");
        assert_eq!(push.request_count("sent"), acknowledged, "{name}");
        if exit == 6 {
            assert_eq!(push.json()["error"]["kind"], "tls", "{name}");
            assert!(push.stderr.contains("hint: "), "{name}: {push:#?}");
        }
        let probe = self.run("probe", address);
        assert_eq!(probe.code, exit, "probe of {name}: {probe:#?}");
        let report = probe.json();
        assert_eq!(report["exit_code"], exit, "{name}");
        // The report shows the certificate even if it is not trusted.
        let sha256 = report["certificate"]["sha256"].as_str();
        assert!(sha256.is_some(), "{name}: {report}");
        acknowledged + push_as_suggested(name, &self.options(address), &report)
    }
}

/// Pushes with the options that `probe` suggests, if any. The push must succeed. There is no push if
/// an option needs a file that only the user knows. Returns the number of acknowledged records.
fn push_as_suggested(name: &str, given: &[&str], report: &Value) -> u64 {
    let flags = suggested_flags(report);
    if flags.is_empty() || flags.contains(&"PEM") {
        return 0;
    }
    let args = with_suggested_flags("push", given, report);
    let push = run_with_input(&args, ONE_RECORD);
    assert_eq!(push.code, 0, "{name} with {args:?}: {push:#?}");
    1
}

fn check_all(cases: &[Case]) {
    for some in cases.chunks(PARALLEL_CASES) {
        thread::scope(|scope| {
            for case in some {
                scope.spawn(|| case.check());
            }
        });
    }
}

/// Pushes one record to a receiver that is trusted only if `flags` make it trusted.
fn push(receiver: &Receiver, flags: &[&str]) -> Run {
    push_to(&receiver.address, flags, ONE_RECORD)
}
