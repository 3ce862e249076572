//! Which servers are trusted, and how a refusal is explained.

use std::fs;

use crate::support::{
    BINARY, Receiver, Run, authority, issued, issuer, params, receiver_with, run, run_with_input,
    self_signed,
};
use rcgen::{KeyUsagePurpose, PKCS_ECDSA_P384_SHA384};

const RECORD: &[u8] = b"token,expire_time\nabc,4070908800\n";

fn push(receiver: &Receiver, flags: &[&str]) -> Run {
    let args = [&["push", "-s", &receiver.address], flags].concat();
    run_with_input(args, RECORD)
}

fn path(path: &std::path::Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn the_server_s_own_certificate_is_trusted_when_it_is_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let name = "license.internal";
    for (what, params, names) in [
        (
            "CA:TRUE, CN only",
            authority(params(Some(name), &[])),
            &[name][..],
        ),
        (
            "CA:TRUE, CN in capitals",
            authority(params(Some("LICENSE.Internal"), &[])),
            &[name],
        ),
        (
            "CA:TRUE, SAN",
            authority(params(None, &[name, "other.test"])),
            &[name, "other.test"],
        ),
        ("CA:FALSE, CN only", params(Some(name), &[]), &[name]),
        ("CA:FALSE, SAN", params(Some("unused"), &[name]), &[name]),
        (
            "wildcard CN",
            authority(params(Some("*.internal.test"), &[])),
            &["a.internal.test"],
        ),
        (
            "CN with spaces",
            authority(params(Some("Licence Server 7"), &[])),
            &["Licence Server 7"],
        ),
        (
            "CN = IP",
            authority(params(Some("127.0.0.1"), &[])),
            &["127.0.0.1"],
        ),
        (
            "SAN IP",
            authority(params(Some("x"), &["127.0.0.1", "::1"])),
            &["127.0.0.1", "::1"],
        ),
    ] {
        let pair = self_signed(folder.path(), "server", &params);
        let receiver = receiver_with(&pair);
        for name in names {
            push(
                &receiver,
                &["--cacert", path(&pair.cert), "--servername", name],
            )
            .exits(0);
            push(
                &receiver,
                &[
                    "--cacert",
                    path(&pair.cert),
                    "--ssl-target-name-override",
                    name,
                ],
            )
            .exits(0);
        }
        let wrong = push(
            &receiver,
            &["--cacert", path(&pair.cert), "--servername", "wrong.test"],
        )
        .exits(6)
        .says("not for wrong.test");
        let hint = format!("hint: --servername {}", names[0]);
        if !["wildcard CN", "CA:TRUE, CN in capitals"].contains(&what) {
            assert!(wrong.stderr.contains(&hint), "{what}: {wrong:?}");
        }
        let received = receiver.stop();
        assert_eq!(received.requests, 2 * names.len() as u64, "{what}");
    }
}

#[test]
fn a_san_alone_decides_where_there_is_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let params = authority(params(Some("license.internal"), &["other.test"]));
    let pair = self_signed(folder.path(), "server", &params);
    let receiver = receiver_with(&pair);
    push(
        &receiver,
        &[
            "--cacert",
            path(&pair.cert),
            "--servername",
            "license.internal",
        ],
    )
    .exits(6)
    .says("hint: --servername other.test");
    assert_eq!(receiver.stop().requests, 0);
}

#[test]
fn an_impostor_is_never_trusted() {
    let folder = tempfile::tempdir().expect("a folder");
    let params = authority(params(Some("localhost"), &["localhost"]));
    let real = self_signed(folder.path(), "real", &params);
    let impostor = self_signed(folder.path(), "impostor", &params);
    let receiver = receiver_with(&impostor);
    push(
        &receiver,
        &["--cacert", path(&real.cert), "--servername", "localhost"],
    )
    .exits(6)
    .says("another one than the certificate given")
    .says("--cacert");
    // It presents the real certificate, without its key.
    let stolen = crate::support::Pair {
        cert: real.cert.clone(),
        key: impostor.key.clone(),
    };
    run([
        "serve",
        "--listen=127.0.0.1:0",
        "--cert",
        path(&stolen.cert),
        "--key",
        path(&stolen.key),
    ])
    .exits(2)
    .says("belong to each other");
    assert_eq!(receiver.stop().requests, 0);
}

#[test]
fn dates_are_checked_and_both_are_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut expired = authority(params(Some("localhost"), &[]));
    expired.not_after = rcgen::date_time_ymd(2020, 5, 17);
    let mut future = authority(params(Some("localhost"), &[]));
    future.not_before = rcgen::date_time_ymd(2090, 5, 17);
    for (params, said) in [
        (
            expired,
            ["it expired", "2001-01-01T00:00:00Z", "2020-05-17T00:00:00Z"],
        ),
        (
            future,
            [
                "not valid yet",
                "2090-05-17T00:00:00Z",
                "2098-01-01T00:00:00Z",
            ],
        ),
    ] {
        let pair = self_signed(folder.path(), "server", &params);
        let receiver = receiver_with(&pair);
        let mut run = push(
            &receiver,
            &["--cacert", path(&pair.cert), "--servername=localhost"],
        )
        .exits(6);
        for what in said {
            run = run.says(what);
        }
        assert_eq!(receiver.stop().requests, 0);
    }
}

#[test]
fn an_issued_certificate_takes_the_usual_path() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = issuer(params(Some("Test CA"), &[]));
    let ca_file = folder.path().join("ca.crt");
    fs::write(&ca_file, ca.pem()).expect("written");
    let other = issuer(params(Some("Other CA"), &[]));
    let other_file = folder.path().join("other.crt");
    fs::write(&other_file, other.pem()).expect("written");
    let both = folder.path().join("both.crt");
    fs::write(&both, format!("{}{}", other.pem(), ca.pem())).expect("written");
    let namesake = folder.path().join("namesake.crt");
    fs::write(&namesake, issuer(params(Some("Test CA"), &[])).pem()).expect("written");

    let good = receiver_with(&issued(
        folder.path(),
        "good",
        &params(None, &["localhost"]),
        &ca,
    ));
    let name = "--servername=localhost";
    push(&good, &["--cacert", path(&ca_file), name]).exits(0);
    push(&good, &["--cacert", path(&both), name]).exits(0);
    push(
        &good,
        &[
            "--cacert",
            path(&other_file),
            "--cacert",
            path(&ca_file),
            name,
        ],
    )
    .exits(0);
    push(&good, &["--cacert", path(&ca_file)])
        .exits(6)
        .says("not for 127.0.0.1")
        .says("hint: --servername localhost");
    push(&good, &["--cacert", path(&other_file), name])
        .exits(6)
        .says("the certificate of CN=Test CA is missing")
        .says("--cacert");
    push(&good, &["--cacert", path(&namesake), name])
        .exits(6)
        .says("CN=Test CA");
    assert_eq!(good.stop().requests, 3);

    let common_name = issued(folder.path(), "cn", &params(Some("localhost"), &[]), &ca);
    let receiver = receiver_with(&common_name);
    push(&receiver, &["--cacert", path(&ca_file), name])
        .exits(6)
        .says("no subject alternative name")
        .says("hint: --allow-common-name");
    let allowed = ["--cacert", path(&ca_file), "--allow-common-name"];
    push(&receiver, &[&allowed[..], &[name]].concat()).exits(0);
    push(
        &receiver,
        &[&allowed[..], &["--servername=other.test"]].concat(),
    )
    .exits(6)
    .says("not for other.test");
    // Given itself, it is as good as any pinned one.
    push(&receiver, &["--cacert", path(&common_name.cert), name]).exits(0);

    let mut outdated = params(Some("Old CA"), &[]);
    outdated.not_after = rcgen::date_time_ymd(2020, 5, 17);
    let outdated = issuer(outdated);
    fs::write(&ca_file, outdated.pem()).expect("written");
    let leaf = issued(
        folder.path(),
        "leaf",
        &params(None, &["localhost"]),
        &outdated,
    );
    push(&receiver_with(&leaf), &["--cacert", path(&ca_file), name])
        .exits(6)
        .says("CN=Old CA is valid only from 2001-01-01T00:00:00Z to 2020-05-17T00:00:00Z");
}

#[test]
fn keys_that_may_not_serve_and_other_kinds_of_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut signs_only = authority(params(Some("localhost"), &[]));
    signs_only.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let pair = self_signed(folder.path(), "server", &signs_only);
    push(
        &receiver_with(&pair),
        &["--cacert", path(&pair.cert), "--servername=localhost"],
    )
    .exits(6)
    .says("may not be used to serve TLS");

    let key = rcgen::KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a key");
    let cert = authority(params(Some("localhost"), &[]))
        .self_signed(&key)
        .expect("signed");
    fs::write(&pair.cert, cert.pem()).expect("written");
    fs::write(&pair.key, key.serialize_pem()).expect("written");
    push(
        &receiver_with(&pair),
        &["--cacert", path(&pair.cert), "--servername=localhost"],
    )
    .exits(0);
}

#[test]
fn insecure_verifies_nothing_and_says_so_every_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut expired = params(Some("elsewhere"), &[]);
    expired.not_after = rcgen::date_time_ymd(2020, 5, 17);
    let pair = self_signed(folder.path(), "server", &expired);
    let receiver = receiver_with(&pair);
    push(&receiver, &["-k"])
        .exits(0)
        .says("warning: --insecure");
    push(&receiver, &["--insecure", "--quiet"])
        .exits(0)
        .says("warning: --insecure");
    push(&receiver, &["-k", "--cacert", path(&pair.cert)])
        .exits(0)
        .says("--insecure");
    assert_eq!(receiver.stop().requests, 3);
}

#[test]
fn the_operating_system_s_store_is_the_default() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = issuer(params(Some("Test CA"), &[]));
    let ca_file = folder.path().join("ca.crt");
    fs::write(&ca_file, ca.pem()).expect("written");
    let leaf = issued(folder.path(), "leaf", &params(None, &["127.0.0.1"]), &ca);
    let receiver = receiver_with(&leaf);
    let with_store = |store: &std::path::Path| -> Run {
        let (_folder, input) = crate::support::file("a.csv", RECORD);
        crate::support::command(["push", "-s", &receiver.address, path(&input)])
            .env("SSL_CERT_FILE", store)
            .output()
            .expect("it runs")
            .into()
    };
    with_store(&ca_file).exits(0);
    with_store(&folder.path().join("nothing.crt"))
        .exits(2)
        .says("no trust store")
        .says("--cacert");
    push(&receiver, &[]).exits(6).says("CN=Test CA");
}

#[test]
fn a_client_certificate_is_shown_where_it_is_demanded() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = issuer(params(Some("Client CA"), &[]));
    let ca_file = folder.path().join("clients.crt");
    fs::write(&ca_file, ca.pem()).expect("written");
    let good = issued(folder.path(), "good", &params(Some("cron"), &[]), &ca);
    let stranger = self_signed(folder.path(), "stranger", &params(Some("stranger"), &[]));
    let receiver = Receiver::with(["--client-ca", path(&ca_file)]);
    receiver
        .push_input(
            ["--cert", path(&good.cert), "--key", path(&good.key)],
            RECORD,
        )
        .exits(0);
    receiver
        .push_input(["-"], RECORD)
        .exits(6)
        .says("client certificate")
        .says("hint: --cert");
    receiver
        .push_input(
            ["--cert", path(&stranger.cert), "--key", path(&stranger.key)],
            RECORD,
        )
        .exits(6)
        .says("hint: --cert PEM --key PEM with a certificate that the server trusts");
    receiver
        .push_input(
            ["--cert", path(&good.cert), "--key", path(&stranger.key)],
            RECORD,
        )
        .exits(2)
        .says("--cert and --key must belong to each other");
    assert_eq!(receiver.stop().requests, 1);

    // A self-signed certificate may be given itself.
    let own = self_signed(folder.path(), "own", &authority(params(Some("cron"), &[])));
    let receiver = Receiver::with(["--client-ca", path(&own.cert)]);
    receiver
        .push_input(["--cert", path(&own.cert), "--key", path(&own.key)], RECORD)
        .exits(0);
    // Its key is still to be proved.
    let namesake = self_signed(folder.path(), "x", &authority(params(Some("cron"), &[])));
    receiver
        .push_input(
            ["--cert", path(&namesake.cert), "--key", path(&namesake.key)],
            RECORD,
        )
        .exits(6);
}

#[test]
fn a_server_that_asked_once_may_be_lost_for_other_reasons() {
    let folder = tempfile::tempdir().expect("a folder");
    let pair = self_signed(folder.path(), "server", &params(None, &["localhost"]));
    let client = self_signed(
        folder.path(),
        "client",
        &authority(params(Some("cron"), &[])),
    );
    let serve = |delay: &str| {
        let (cert, key) = (path(&pair.cert), path(&pair.key));
        let ca = path(&client.cert);
        Receiver::with([
            "--cert",
            cert,
            "--key",
            key,
            "--client-ca",
            ca,
            "--delay",
            delay,
        ])
    };
    let (silent, good) = (serve("1h"), serve("0s"));
    let (to_silent, to_good) = (silent.address.clone(), good.address.clone());
    let connections = std::sync::atomic::AtomicUsize::new(0);
    let server = crate::support::raw_server(move |mut stream| {
        let to = match connections.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => &to_silent,
            // Closed before TLS.
            1 => return,
            _ => &to_good,
        };
        let mut server = std::net::TcpStream::connect(to).expect("connected");
        let (mut back, mut out) = (
            server.try_clone().expect("cloned"),
            stream.try_clone().expect("cloned"),
        );
        std::thread::spawn(move || {
            // The first is cut when the server has asked for the certificate and answered in HTTP/2.
            let _ = std::io::copy(&mut back, &mut out);
        });
        if to == &to_silent {
            let mut request = std::io::Read::take(&mut stream, 20_000);
            let _ = std::io::copy(&mut request, &mut server);
            let _ = stream.shutdown(std::net::Shutdown::Both);
            let _ = server.shutdown(std::net::Shutdown::Both);
        } else {
            let _ = std::io::copy(&mut stream, &mut server);
        }
    });
    let input = format!("token,expire_time\n{},4070908800\n", "x".repeat(30_000));
    let args = [
        "push",
        "-s",
        &server,
        "--cacert",
        path(&pair.cert),
        "--servername=localhost",
        "--cert",
        path(&client.cert),
        "--key",
        path(&client.key),
        "--retry-delay=1ms",
    ];
    run_with_input(args, input.as_bytes()).exits(0);
    assert_eq!(good.stop().records, 1);
}

#[test]
fn pem_files_that_hold_something_else_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let pair = self_signed(
        folder.path(),
        "server",
        &authority(params(Some("localhost"), &[])),
    );
    let receiver = receiver_with(&pair);
    let good = fs::read_to_string(&pair.cert).expect("read");
    let key = fs::read_to_string(&pair.key).expect("read");
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let der = rcgen::KeyPair::generate()
        .and_then(|key| authority(params(Some("x"), &[])).self_signed(&key))
        .expect("signed");
    let file = folder.path().join("given.pem");
    for (what, content, said) in [
        ("nothing", b"".to_vec(), "it is empty"),
        ("white space", b" \n\n".to_vec(), "it is empty"),
        ("a key alone", key.clone().into(), "it holds PRIVATE KEY"),
        ("text", b"trust me".to_vec(), "no PEM block"),
        ("DER", der.der().to_vec(), "binary DER"),
        (
            "a byte order mark",
            format!("\u{feff}{good}").into(),
            "byte order mark",
        ),
        ("UTF-16", utf16.clone(), "UTF-16"),
        (
            "UTF-16 with a mark",
            [&b"\xff\xfe"[..], &utf16].concat(),
            "UTF-16",
        ),
        (
            "indentation",
            good.replace("-----B", "  -----B").into(),
            "line 1",
        ),
        (
            "a trusted certificate",
            good.replace("CERTIFICATE", "TRUSTED CERTIFICATE").into(),
            "TRUSTED CERTIFICATE",
        ),
        (
            "a request",
            good.replace("CERTIFICATE", "CERTIFICATE REQUEST").into(),
            "CERTIFICATE REQUEST",
        ),
        (
            "a key that lost its line ends",
            key.replace('\n', "").into(),
            "does not stand alone in its line",
        ),
        (
            "half a block",
            good[..good.len() / 2].into(),
            "-----END line is missing",
        ),
        (
            "a broken second block",
            format!("{good}{}", good.replace("MI", "M!")).into(),
            "base64",
        ),
        (
            "no certificate in the block",
            format!("{good}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").into(),
            "CERTIFICATE of line",
        ),
    ] {
        fs::write(&file, content).expect("written");
        let run = push(
            &receiver,
            &["--cacert", path(&file), "--servername=localhost"],
        )
        .exits(2);
        assert!(run.stderr.contains(path(&file)), "{what}: {run:?}");
        assert!(run.stderr.contains(said), "{what}: no {said:?} in {run:?}");
        let secret = key.lines().nth(1).expect("its base64");
        assert!(!run.stderr.contains(secret), "{what}");
    }
    push(&receiver, &["--cacert", "/nowhere.pem"])
        .exits(2)
        .says("/nowhere.pem");
    push(&receiver, &["--cacert", path(folder.path())])
        .exits(2)
        .says("directory");
    for (what, content) in [
        ("CRLF", good.replace('\n', "\r\n")),
        ("a preamble", format!("subject=CN = localhost\n\n{good}")),
        ("a key beside it", format!("{key}{good}")),
    ] {
        fs::write(&file, content).expect("written");
        let run = push(
            &receiver,
            &["--cacert", path(&file), "--servername=localhost"],
        );
        assert_eq!(run.code, 0, "{what}: {run:?}");
    }
}

#[test]
fn plaintext_goes_with_no_flag_of_tls() {
    let receiver = Receiver::with(["--plaintext"]);
    push(&receiver, &["--plaintext"]).exits(0);
    push(&receiver, &["--plaintext", "--servername=anything"]).exits(0);
    for flags in [&["--cacert=x"][..], &["-k"], &["--cert=x", "--key=y"]] {
        push(&receiver, &[&["--plaintext"], flags].concat()).exits(2);
    }
    push(&receiver, &["--cert=x"]).exits(2);
    push(&receiver, &["-k"])
        .exits(6)
        .says("does not speak TLS")
        .says("hint: --plaintext");
    assert_eq!(receiver.stop().requests, 2);
    let receiver = Receiver::start();
    push(&receiver, &["--plaintext"])
        .exits(6)
        .says("speaks TLS")
        .says("hint: leave --plaintext out");
}

#[test]
fn the_binary_under_test_is_this_one() {
    assert!(
        run(["--version"])
            .exits(0)
            .stdout
            .contains(env!("CARGO_PKG_VERSION")),
        "{BINARY}"
    );
}
