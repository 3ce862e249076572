//! Hints about options, certificates and connections.

use std::{fs, io::Write, process::Command};

use rcgen::SanType;

use super::Case;

use crate::support::{
    certificates::{CertificateFolder, authority, params, san},
    files::{TempFile, utf8},
    openssl::openssl,
    probe::suggested_flags,
    program::{PROGRAM, push_to, run, run_command, run_with_input},
    receiver::Receiver,
    records::ONE_RECORD,
    tcp_server::{forward, http_proxy, read_http1_head, serve_tcp},
};

#[test]
fn certificate_is_accepted_with_the_options_of_the_hint() {
    let files = CertificateFolder::new();
    let ca = authority(params(Some("Test CA"), &[]));
    let trusted = &files.write(ca.pem());
    let named = files.issued_by(&ca, &san(&["license.internal"]));
    let wildcard = files.issued_by(&ca, &san(&["*.wild.test"]));
    let common_name = files.issued_by(&ca, &params(Some("license.internal"), &[]));
    let local = files.self_signed(&san(&["127.0.0.1"]));
    let pin = format!("--cacert {}", local.cert);
    for (identity, flags, hint, add) in [
        (
            &named,
            &["--cacert", trusted][..],
            "pass --servername license.internal",
            "--servername license.internal",
        ),
        (
            &wildcard,
            &["--cacert", trusted],
            "pass --servername NAME with a name that matches \"*.wild.test\"",
            "--servername a.wild.test",
        ),
        (
            &common_name,
            &["--cacert", trusted],
            "pass --servername license.internal --allow-common-name",
            "--servername license.internal --allow-common-name",
        ),
        (
            &common_name,
            &["--cacert", trusted, "--servername=license.internal"],
            "pass --allow-common-name",
            "--allow-common-name",
        ),
        (
            &local,
            &[],
            "pass --cacert PEM with this certificate, if the server's operator confirms the SHA-256 that sensor-license probe prints",
            &pin,
        ),
    ] {
        let receiver = Receiver::presenting(identity);
        let case = Case {
            args: &[&["push", "--server", &receiver.address], flags].concat(),
            exit: 6,
            hint,
            add,
            ..Case::DEFAULT
        };
        case.check();
    }
}

/// No server name makes such a certificate acceptable, so the hint is a new certificate.
#[test]
fn address_in_dns_name_gets_a_hint_to_the_right_san() {
    let files = CertificateFolder::new();
    let mut wrong = params(None, &[]);
    let name = "127.0.0.1".try_into().expect("ASCII");
    wrong.subject_alt_names = vec![SanType::DnsName(name)];
    let wrong = files.self_signed(&wrong);
    let receiver = Receiver::presenting(&wrong);
    push_to(&receiver.address, &["--cacert", &wrong.cert], ONE_RECORD)
        .exits(6)
        .stderr_contains(
            "hint: install a certificate with an IP SAN (subjectAltName=IP:127.0.0.1)\n",
        );
    let elliptic = "-newkey ec -pkeyopt ec_paramgen_curve:P-256";
    let added = "-addext subjectAltName=IP:127.0.0.1";
    let options = format!("{elliptic} {added}");
    let options: Vec<_> = options.split(' ').collect();
    let right = files.openssl_self_signed(&options);
    let receiver = Receiver::presenting(&right);
    push_to(&receiver.address, &["--cacert", &right.cert], ONE_RECORD).exits(0);
}

#[test]
fn tls_is_used_as_the_hint_says() {
    let files = CertificateFolder::new();
    let ca = authority(params(Some("Client CA"), &[]));
    let client = files.issued_by(&ca, &params(Some("cron"), &[]));
    let identity = format!("--cert {} --key {}", client.cert, client.key);
    let plain = Receiver::with(["--plaintext"]);
    let tls = Receiver::start();
    let mutual = Receiver::with(["--client-ca", &files.write(ca.pem())]);
    for (receiver, flags, hint, add, remove, next_exit) in [
        (
            &plain,
            &["-k"][..],
            "pass --plaintext without TLS options if the server does not use TLS; otherwise check the port",
            "--plaintext",
            &["-k"][..],
            0,
        ),
        // Without `--cacert`, the next obstacle is that the certificate is not trusted.
        (
            &tls,
            &["--plaintext"],
            "remove --plaintext, or pass --plaintext=false if it is not on the command line",
            "",
            &["--plaintext"],
            6,
        ),
        (
            &mutual,
            &["--cacert", &mutual.cacert()],
            "pass --cert CLIENT.pem --key CLIENT.key",
            &identity,
            &[],
            0,
        ),
    ] {
        let case = Case {
            args: &[&["push", "--server", &receiver.address], flags].concat(),
            exit: 6,
            hint,
            add,
            remove,
            next_exit,
            ..Case::DEFAULT
        };
        case.check();
    }
    let config = TempFile::new("config.toml", "plaintext = true\n");
    let config = ["--config", config.str(), "--cacert", &tls.cacert()];
    let push = [&["push", "--server", &tls.address], &config[..2]].concat();
    let first = run_with_input(&push, ONE_RECORD).exits(6);
    assert!(first.stderr.contains("--plaintext=false"), "{first:#?}");
    let next = [&push[..], &config[2..], &["--plaintext=false"]].concat();
    run_with_input(next, ONE_RECORD).exits(0);
}

/// The report lists options to add, and no option removes another.
#[test]
fn probe_lists_plaintext_only_if_it_can_be_added() {
    let receiver = Receiver::with(["--plaintext"]);
    let files = CertificateFolder::new();
    let identity = files.self_signed(&san(&["localhost"]));
    let probe = ["probe", "--output=json", "--server", &receiver.address];
    for (flags, expected) in [
        (&[][..], &["--plaintext"][..]),
        (&["--servername=localhost"], &["--plaintext"]),
        (&["--cacert", &identity.cert], &[]),
        (&["--cert", &identity.cert, "--key", &identity.key], &[]),
        (&["--insecure"], &[]),
        (&["--allow-common-name"], &[]),
    ] {
        let args = [&probe[..], flags].concat();
        let report = run(&args).exits(6).json();
        let suggested = suggested_flags(&report);
        assert_eq!(suggested, expected, "{flags:?}");
        if !suggested.is_empty() {
            run([&args[..], &suggested].concat()).exits(0);
        }
    }
}

#[test]
fn internationalized_name_is_sent_in_the_form_of_the_hint() {
    let receiver = Receiver::with(["--plaintext"]);
    let (proxy, requests) = http_proxy(&receiver.address);
    let proxy = format!("http://{proxy}");
    let case = Case {
        args: &[
            "push",
            "--plaintext",
            "--proxy",
            &proxy,
            "--server",
            "b\u{fc}cher.example:443",
        ],
        hint: "pass the ASCII form of the name, such as --server xn--bcher-kva.example:443",
        add: "--server xn--bcher-kva.example:443",
        remove: &["--server", "b\u{fc}cher.example:443"],
        ..Case::DEFAULT
    };
    case.check();
    let request = requests.recv().expect("a request");
    assert_eq!(request[0], "CONNECT xn--bcher-kva.example:443 HTTP/1.1");
}

#[test]
fn proxy_accepts_the_credentials_of_the_hint() {
    let receiver = Receiver::with(["--plaintext"]);
    let to = receiver.address.clone();
    let proxy = serve_tcp(move |mut client| {
        let head = read_http1_head(&client).join("\n").to_lowercase();
        if head.contains("proxy-authorization: basic dxnlcjpwqhnz") {
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            forward(client, &to);
        } else {
            let refusal =
                b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
            let _ = client.write_all(refusal);
        }
    });
    let bare = format!("http://{proxy}");
    let push = [
        "push",
        "--plaintext",
        "--server=license.test:443",
        "--proxy",
    ];
    let case = Case {
        args: &[&push[..], &[&bare]].concat(),
        exit: 5,
        hint: "pass other credentials with --proxy http://USER:PASSWORD@HOST:PORT",
        add: &format!("--proxy http://user:p%40ss@{proxy}"),
        remove: &["--proxy", &bare],
        ..Case::DEFAULT
    };
    case.check();
}

#[test]
fn options_are_accepted_as_the_hint_says() {
    let receiver = Receiver::with(["--plaintext"]);
    let push = ["push", "--plaintext", "--server", &receiver.address];
    let config = TempFile::new("config.toml", "[profile.\"north 1\"]\n");
    for (given, hint, add, remove) in [
        (
            &["push"][..],
            "pass --server HOST:PORT, or --rehearse to push to a receiver inside this process",
            "--rehearse",
            &[][..],
        ),
        (
            &[&push[..], &["--header=user-agent: me"]].concat(),
            "pass --user-agent TEXT instead",
            "--user-agent me",
            &["--header=user-agent: me"],
        ),
        (
            &[&push[..], &["--header=host: me.test"]].concat(),
            "pass --authority NAME instead",
            "--authority me.test",
            &["--header=host: me.test"],
        ),
        (
            &[
                &push[..],
                &["--config", config.str(), "--profile", "north1"],
            ]
            .concat(),
            "pass --profile 'north 1'",
            "--profile 'north 1'",
            &["--profile", "north1"],
        ),
    ] {
        let case = Case {
            args: given,
            hint,
            add,
            remove,
            ..Case::DEFAULT
        };
        case.check();
    }
}

#[test]
fn outputs_are_different_files_as_the_hint_says() {
    let receiver = Receiver::with(["--plaintext"]);
    let folder = TempFile::absent("ledger");
    let output = TempFile::absent("a.csv");
    // The same path in two spellings, of which one is replaced.
    let same = format!("{}/./a.csv", output.folder().display());
    let flags = ["--plaintext", "--ledger", folder.str(), "--rejects"];
    let flags = [&flags[..], &[output.str(), "--changes", &same]].concat();
    let case = Case {
        args: &[&["push", "--server", &receiver.address], &flags[..]].concat(),
        hint: "name a different file with --changes",
        add: &format!("--changes {}/b.csv", output.folder().display()),
        remove: &["--changes", &same],
        ..Case::DEFAULT
    };
    case.check();
}

/// Converting such a file would give a PEM file that the option refuses as well.
#[test]
fn binary_file_of_the_wrong_option_gets_the_hint_to_the_right_file() {
    let files = CertificateFolder::new();
    let receiver = Receiver::start();
    let identity = files.self_signed(&san(&["localhost"]));
    let der = |args: &str| {
        let options = args.split(' ').chain(["-outform", "der"]);
        files.write(openssl(options, b""))
    };
    let certificate = der(&format!("x509 -in {}", identity.cert));
    let key = der(&format!("pkey -in {}", identity.key));
    let request = der(&format!("req -new -subj /CN=x -key {}", identity.key));
    let cacert = receiver.cacert();
    let push = ["push", "--server", &receiver.address];
    for (flags, hint, add, remove) in [
        (
            &[
                "--cacert",
                &cacert,
                "--cert",
                &identity.cert,
                "--key",
                &certificate,
            ][..],
            "pass the file with the private key: --key KEY.pem",
            format!("--key {}", identity.key),
            &["--key", &certificate],
        ),
        (
            &["--cacert", &key],
            "pass the file with the certificate: --cert CERT.pem, or --cacert CA.pem",
            format!("--cacert {cacert}"),
            &["--cacert", &key],
        ),
    ] {
        let case = Case {
            args: &[&push[..], flags].concat(),
            hint,
            add: &add,
            remove,
            ..Case::DEFAULT
        };
        case.check();
    }
    let refused = push_to(&receiver.address, &["--cacert", &request], ONE_RECORD)
        .exits(2)
        .stderr_contains("file is binary DER, not PEM");
    assert!(!refused.stderr.contains("hint: "), "{refused:#?}");
}

#[test]
fn receiver_listens_as_the_hint_says() {
    let first = Receiver::start();
    let folder = tempfile::tempdir().expect("a folder");
    let socket = |name: &str| format!("unix:{}/{name}", utf8(folder.path()));
    fs::write(folder.path().join("existing"), "").expect("written");
    for (address, hint, next) in [
        (
            &*first.address,
            "pass --listen 127.0.0.1:0 to take a free port",
            "127.0.0.1:0",
        ),
        (
            &socket("existing"),
            "pass a path at which no file exists with --listen unix:PATH",
            &socket("new"),
        ),
        // The port in the hint is the default, which another process may have.
        (
            "192.0.2.1:0",
            "pass an address of this machine, such as --listen 127.0.0.1:9102",
            "127.0.0.1:0",
        ),
    ] {
        run(["serve", "--listen", address])
            .exits(1)
            .stderr_contains(&format!("hint: {hint}\n"));
        Receiver::with(["--listen", next]);
    }
}

/// Only a process with the capability `CAP_NET_BIND_SERVICE` may listen on such a port, unless the
/// system allows it to all. Then the test ends.
#[test]
fn receiver_listens_above_the_privileged_ports() {
    let first_port = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    if first_port.expect("Linux").trim() == "0" {
        return;
    }
    let mut serve = Command::new("sh");
    let drop_root = "test $(id -u) -ne 0 || set -- setpriv --bounding-set=-net_bind_service \
                     --inh-caps=-net_bind_service \"$@\"; exec \"$@\"";
    serve.args([
        "-c",
        drop_root,
        "sh",
        PROGRAM,
        "serve",
        "--listen=127.0.0.1:1",
    ]);
    run_command(&mut serve)
        .exits(1)
        .stderr_contains("hint: pass a port above 1023, such as --listen 127.0.0.1:9102\n");
}
