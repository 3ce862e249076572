//! Hints about names, proxies and slow networks, and hints that clap words.

use std::{
    fs,
    io::{Read, Write},
    time::Duration,
};

use super::{Case, command_of, shell};
use crate::support::{
    certificates::{CertificateFolder, authority, params, san},
    files::TempFile,
    program::run,
    receiver::Receiver,
    tcp_server::{FullBacklog, drain, forward_after, http_proxy, serve_tcp, server_answering},
};

/// Starts a server that forwards the bytes of a client only after the client has waited for 300 ms.
fn slow_server(to: &str) -> String {
    let to = to.to_owned();
    serve_tcp(move |mut client| {
        let patient = client.set_read_timeout(Some(Duration::from_millis(300)));
        patient.expect("a timeout");
        let mut first = Vec::new();
        let _ = client.read_to_end(&mut first);
        client.set_read_timeout(None).expect("no timeout");
        forward_after(&first, client, &to);
    })
}

#[test]
fn slow_connection_succeeds_with_the_timeout_of_the_hint() {
    let receiver = Receiver::with(["--plaintext"]);
    let slow = slow_server(&receiver.address);
    let (proxy, _requests) = http_proxy(&receiver.address);
    let proxy = format!("--proxy=http://{}", slow_server(&proxy));
    let full = FullBacklog::new();
    let address = full.address.clone();
    let push = [
        "push",
        "--plaintext",
        "--retry=0",
        "--connect-timeout=200ms",
        "--server",
    ];
    for (server, hint) in [
        (
            &[&*slow][..],
            "check the server, or increase --connect-timeout",
        ),
        (
            &["license.test:443", &proxy],
            "check the proxy, or increase --connect-timeout",
        ),
        (
            &[&address],
            "check the address, the port and firewalls, or increase --connect-timeout",
        ),
    ] {
        let case = Case {
            args: &[&push[..], server].concat(),
            exit: 5,
            hint,
            act: &|| {
                if server[0] == address {
                    full.forward_after_wait(&receiver.address);
                }
            },
            add: "--connect-timeout 20s",
            remove: &["--connect-timeout=200ms"],
            ..Case::DEFAULT
        };
        case.check();
    }
}

#[test]
fn proxy_is_bypassed_as_the_hint_says() {
    let receiver = Receiver::with(["--plaintext"]);
    for (response, hint) in [
        (
            &b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"[..],
            "ask the proxy's operator to allow the server, or bypass the proxy with NO_PROXY",
        ),
        (
            b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
            "check that the proxy can reach the server, or bypass the proxy with NO_PROXY",
        ),
    ] {
        let proxy = format!("--proxy=http://{}", server_answering(response));
        let case = Case {
            args: &[
                "push",
                "--plaintext",
                "--retry=0",
                &proxy,
                "--server",
                &receiver.address,
            ],
            exit: 5,
            hint,
            add: "NO_PROXY=127.0.0.1",
            ..Case::DEFAULT
        };
        case.check();
    }
}

#[test]
fn server_knows_the_name_of_the_hint() {
    let files = CertificateFolder::new();
    let identity = files.self_signed(&san(&["license.internal"]));
    let receiver = Receiver::presenting(&identity);
    let to = receiver.address.clone();
    let server = serve_tcp(move |mut client| {
        let mut hello = [0; 4096];
        let length = client.read(&mut hello).unwrap_or_default();
        let name = b"license.internal";
        if hello.windows(name.len()).any(|part| part == name) {
            forward_after(&hello[..length], client, &to);
        } else {
            // A fatal alert: unrecognized_name (112).
            let _ = client.write_all(&[21, 3, 3, 0, 2, 2, 112]);
            drain(&mut client);
        }
    });
    let case = Case {
        args: &["push", "--server", &server, "--cacert", &identity.cert],
        exit: 6,
        hint: "pass --servername NAME with a name that the server knows",
        add: "--servername license.internal",
        ..Case::DEFAULT
    };
    case.check();
}

#[test]
fn old_certificate_is_accepted_with_both_options_of_the_hint() {
    let files = CertificateFolder::new();
    let ca = authority(params(Some("Test CA"), &[]));
    let wildcard = files.issued_by(&ca, &params(Some("*.wild.test"), &[]));
    let receiver = Receiver::presenting(&wildcard);
    let case = Case {
        args: &[
            "push",
            "--server",
            &receiver.address,
            "--cacert",
            &files.write(ca.pem()),
        ],
        exit: 6,
        hint: "pass --servername NAME with a name that matches \"*.wild.test\" and --allow-common-name",
        add: "--servername a.wild.test --allow-common-name",
        ..Case::DEFAULT
    };
    case.check();
}

#[test]
fn trust_store_is_replaced_with_the_option_of_the_hint() {
    let receiver = Receiver::start();
    let case = Case {
        args: &["push", "--server", &receiver.address],
        variables: &[("SSL_CERT_FILE", "/nowhere/nothing.pem")],
        hint: "pass --cacert PEM, or install the CA certificates of the system",
        add: &format!("--cacert {}", receiver.cacert()),
        ..Case::DEFAULT
    };
    case.check();
}

#[test]
fn arguments_are_accepted_as_the_hint_says() {
    let receiver = Receiver::with(["--plaintext"]);
    let (address, port) = (&*receiver.address, receiver.port());
    let (proxy, _requests) = http_proxy(address);
    let proxy_with = |login: &str| format!("--proxy=http://{login}{proxy}");
    let config = TempFile::new("config.toml", "[profile.north]\n");
    let config = format!("--config={}", config.str());
    let value = TempFile::new("value", b"\0\x01");
    let encode = "encode the value, for example with: base64 -w0 FILE";
    let encoded = shell(&command_of(encode).replace("FILE", value.str()), "/");
    let cacert = TempFile::new(
        "ca.pem",
        fs::read(Receiver::start().cacert()).expect("read"),
    );
    let rehearse = ["push", "--rehearse"];
    let dry_run = ["push", "--dry-run", "--server=localhost:1"];
    let push = ["push", "--plaintext", "--server"];
    let to_receiver = [&push[..], &[address]].concat();
    let through_proxy = [&push[..], &["license.test:443"]].concat();
    for (command, given, hint, next) in [
        (
            &["push"][..],
            &["--server", &format!("http://localhost:{port}")][..],
            "unsupported URL scheme (examples: https://localhost:9102, localhost:9102 with --plaintext)",
            &["--plaintext", "--server", &format!("localhost:{port}")][..],
        ),
        (
            &push,
            &[&format!("https://user:secret@{address}")],
            "credentials in the server URL are not supported; pass --header or --bearer-token-file",
            &[address, "--header=authorization: Basic dXNlcjpzZWNyZXQ="],
        ),
        (
            &through_proxy,
            &[&proxy_with("user:a/b@")],
            "write the URL as http://HOST:PORT; in a password, write / as %2F, ? as %3F and # as %23",
            &[&proxy_with("user:a%2Fb@")],
        ),
        (
            &to_receiver,
            &["--header=x-data-bin: !"],
            encode,
            &[&format!("--header=x-data-bin: {encoded}")],
        ),
        (
            &to_receiver,
            &["--header=no colon"],
            "write a header as 'x-tenant: north'",
            &["--header", "x-tenant: north"],
        ),
        (
            &rehearse,
            &["--profile=north"],
            "pass --config FILE",
            &["--profile=north", &config],
        ),
        (
            &["completions", "bash"],
            &[&config],
            "remove --config and --profile",
            &[],
        ),
        (
            &rehearse,
            &["--token-fields=token"],
            "a similar argument exists: '--token-field'",
            &["--token-field=token"],
        ),
        (
            &dry_run,
            &["--cacert=-----BEGIN CERTIFICATE-----"],
            "pass the path of a file, not its content",
            &["--cacert", cacert.str()],
        ),
        (
            &["push", "--dry-run"],
            &[],
            "pass --server HOST:PORT, or --rehearse to push to a receiver inside this process",
            &["--server=localhost:1"],
        ),
    ] {
        let case = Case {
            args: &[command, given].concat(),
            hint,
            ..Case::DEFAULT
        };
        case.check_with(&[], &[command, next].concat());
    }
    let run = run(["push", "--help"]).exits(0);
    assert!(run.stdout.contains("--timeout"), "{run:#?}");
}
