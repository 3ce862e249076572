//! The names that a client sends: SNI and `:authority`.

use rustls::version::{TLS12, TLS13};

use super::{NAME, NAMED};

use crate::support::{
    certificates::{CertificateFolder, params, san},
    program::run_with_input,
    receiver::Receiver,
    records::ONE_RECORD,
    tls_server::{RequestedNames, TlsServer},
};

#[test]
fn requests_carry_the_server_name() {
    let files = CertificateFolder::new();
    let names = &[NAME, "localhost", "127.0.0.1", "under_score.internal"];
    let identity = files.self_signed(&san(names));
    let spaces = files.self_signed(&params(Some("License Server 7"), &[]));
    // Host, options, SNI and `:authority`. SNI has neither addresses nor a final dot (RFC 6066).
    for (host, flags, sni, authority) in [
        ("127.0.0.1", &[][..], None, "127.0.0.1:PORT"),
        ("localhost", &[], Some("localhost"), "localhost:PORT"),
        ("127.0.0.1", NAMED, Some(NAME), NAME),
        ("localhost", NAMED, Some(NAME), NAME),
        (
            "127.0.0.1",
            &["--ssl-target-name-override=license.internal"],
            Some(NAME),
            NAME,
        ),
        (
            "127.0.0.1",
            &["--servername=license.internal."],
            Some(NAME),
            "license.internal.",
        ),
        (
            "localhost",
            &["--servername=under_score.internal"],
            Some("under_score.internal"),
            "under_score.internal",
        ),
        ("localhost", &["--servername=127.0.0.1"], None, "127.0.0.1"),
        (
            "127.0.0.1",
            &["--authority=other.test:1"],
            None,
            "other.test:1",
        ),
        (
            "localhost",
            &["--authority=other.test"],
            Some("localhost"),
            "other.test",
        ),
        (
            "127.0.0.1",
            &["--servername=license.internal", "--authority=other.test"],
            Some(NAME),
            "other.test",
        ),
        (
            "localhost",
            &["--servername=License Server 7"],
            None,
            "localhost:PORT",
        ),
        (
            "localhost",
            &["--servername=License Server 7", "--authority=other.test"],
            None,
            "other.test",
        ),
        ("127.0.0.1", &["-k"], None, "127.0.0.1:PORT"),
        (
            "127.0.0.1",
            &["-k", "--servername=anything.test"],
            Some("anything.test"),
            "anything.test",
        ),
    ] {
        let presented = if flags.iter().any(|flag| flag.contains("License")) {
            &spaces
        } else {
            &identity
        };
        let server = TlsServer::start(presented, &[&TLS12, &TLS13]);
        let port = server.address.rsplit_once(':').expect("a port").1;
        let address = format!("{host}:{port}");
        let connection = [
            "--server",
            &address,
            "--cacert",
            &presented.cert,
            "--output=json",
        ];
        let hello = RequestedNames {
            server_name: sni.map(ToOwned::to_owned),
            protocols: vec!["h2".to_owned()],
        };
        run_with_input([&["push"], &connection[..], flags].concat(), ONE_RECORD).exits(0);
        assert_eq!(server.hello(), hello, "{host} {flags:?}");
        let request = server.request();
        let found = request.uri.authority().expect("an authority").as_str();
        let expected = authority.replace("PORT", port);
        assert_eq!(found, expected, "{host} {flags:?}");
        assert_eq!(request.uri.scheme_str(), Some("https"));
        run_with_input([&["probe"], &connection[..], flags].concat(), b"").exits(0);
        assert_eq!(server.hello(), hello, "probe of {host} {flags:?}");
        // The server stores only whole requests, and `probe` never ends its request.
        assert_eq!(server.new_request_count(), 0, "{host} {flags:?}");
    }
}

#[test]
fn unix_sockets_are_verified_as_localhost() {
    let files = CertificateFolder::new();
    let identity = files.self_signed(&san(&["localhost"]));
    let listen = format!("unix:{}", files.path("sock"));
    let receiver = Receiver::with([
        "--listen",
        &listen,
        "--cert",
        &identity.cert,
        "--key",
        &identity.key,
    ]);
    let connection = ["--server", &listen, "--cacert", &identity.cert];
    run_with_input([&["push"], &connection[..]].concat(), ONE_RECORD).exits(0);
    let elsewhere = [&["push"], &connection[..], NAMED].concat();
    run_with_input(elsewhere, ONE_RECORD)
        .exits(6)
        .stderr_contains("not valid for \"license.internal\"")
        .stderr_contains("hint: pass --servername localhost");
    assert_eq!(receiver.stop().records, 1);
}
