//! Client certificates (mTLS).

use std::{
    io::Read,
    net::{Shutdown, TcpStream},
    sync::atomic::{AtomicUsize, Ordering},
};

use rcgen::{ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};

use crate::support::{
    certificates::{CertificateFolder, Identity, as_ca, authority, below, expired, params},
    program::{Run, push_to},
    receiver::Receiver,
    records::ONE_RECORD,
    tcp_server::{forward, forward_responses, serve_tcp},
};

/// Pushes one record with a client certificate.
fn push_with(receiver: &Receiver, client: &Identity) -> Run {
    receiver.push_input(["--cert", &client.cert, "--key", &client.key], ONE_RECORD)
}

#[test]
fn client_certificate_must_be_issued_by_the_client_ca() {
    let files = CertificateFolder::new();
    let ca = authority(params(Some("Client CA"), &[]));
    let ca_file = files.write(ca.pem());
    let good = files.issued_by(&ca, &params(Some("cron"), &[]));
    let unknown = files.self_signed(&params(Some("stranger"), &[]));
    let receiver = Receiver::with(["--client-ca", &ca_file]);
    push_with(&receiver, &good).exits(0);
    receiver
        .push_input(["-"], ONE_RECORD)
        .exits(6)
        .stderr_contains("client certificate")
        .stderr_contains("hint: pass --cert CLIENT.pem --key CLIENT.key");
    push_with(&receiver, &unknown)
        .exits(6)
        .stderr_contains("hint: check that the server trusts the client certificate that was sent");
    push_with(&receiver, &good.with_key_of(&unknown))
        .exits(2)
        .stderr_contains("pass --cert and --key that belong to each other");
    assert_eq!(receiver.stop().requests, 1);
}

#[test]
fn client_certificates_and_their_issuers_need_the_right_usages() {
    use ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
    use KeyUsagePurpose::{DigitalSignature, KeyCertSign};
    const NOT_ALLOWED: &str = "certificate key usage does not allow TLS client authentication";
    let files = CertificateFolder::new();
    let ca = authority(params(Some("Client CA"), &[]));
    let receiver = Receiver::with(["-v", "--client-ca", &files.write(ca.pem())]);
    for (ca_usages, extended, refusal) in [
        (&[][..], &[][..], None),
        (&[KeyCertSign], &[ClientAuth], None),
        (&[KeyCertSign, DigitalSignature], &[Any], Some(NOT_ALLOWED)),
        (&[], &[ServerAuth, Any], Some(NOT_ALLOWED)),
        (&[], &[ServerAuth], Some(NOT_ALLOWED)),
        (
            &[DigitalSignature],
            &[],
            Some(
                "CA certificate \"CN=Intermediate\" may not issue certificates \
                 (keyUsage: keyCertSign is missing)",
            ),
        ),
    ] {
        let mut intermediate = params(Some("Intermediate"), &[]);
        intermediate.key_usages = ca_usages.to_vec();
        let intermediate = below(&ca, intermediate);
        let mut client = params(Some("cron"), &[]);
        client.extended_key_usages = extended.to_vec();
        let client = files.issued_by(&intermediate, &client);
        let client = files.with_chain(&client, &[intermediate.pem()]);
        let run = push_with(&receiver, &client);
        let expected = if refusal.is_some() { 6 } else { 0 };
        assert_eq!(run.code, expected, "{ca_usages:?} {extended:?}: {run:?}");
        if let Some(refusal) = refusal {
            receiver.wait_for_note(refusal);
        }
    }
}

#[test]
fn version_1_client_certificate_can_be_pinned() {
    let files = CertificateFolder::new();
    let key = KeyPair::generate().expect("a key");
    let pinned = files.version_1(&params(Some("cron"), &[]), &key);
    let stolen = pinned.with_key_of(&files.self_signed(&params(Some("cron"), &[])));
    let receiver = Receiver::with(["--client-ca", &pinned.cert]);
    push_with(&receiver, &pinned).exits(0);
    push_with(&receiver, &stolen).exits(2);
    let outdated = files.version_1(&expired(params(Some("cron"), &[])), &key);
    let receiver = Receiver::with(["-v", "--client-ca", &outdated.cert]);
    push_with(&receiver, &outdated)
        .exits(6)
        .stderr_contains("client certificate expired on 2020-05-17");
    receiver.wait_for_note("client certificate refused: certificate expired on 2020-05-17");
}

#[test]
fn self_signed_client_certificate_can_be_pinned() {
    let files = CertificateFolder::new();
    let pinned = files.self_signed(&as_ca(params(Some("cron"), &[])));
    let receiver = Receiver::with(["--client-ca", &pinned.cert]);
    push_with(&receiver, &pinned).exits(0);
    let namesake = files.self_signed(&as_ca(params(Some("cron"), &[])));
    push_with(&receiver, &namesake).exits(6);
}

#[test]
fn later_failures_are_not_blamed_on_the_client_certificate() {
    /// The number of client bytes after which the first connection ends. At that time, the server
    /// has requested a certificate and sent SETTINGS, and the request is not complete.
    const FIRST_CONNECTION_BYTES: u64 = 20_000;
    let files = CertificateFolder::new();
    let identity = files.self_signed(&params(None, &["localhost"]));
    let client = files.self_signed(&as_ca(params(Some("cron"), &[])));
    let serve = |delay: &str| {
        Receiver::with([
            "--cert",
            &identity.cert,
            "--key",
            &identity.key,
            "--client-ca",
            &client.cert,
            "--delay",
            delay,
        ])
    };
    let (silent, good) = (serve("1h"), serve("0s"));
    let (to_silent, to_good) = (silent.address.clone(), good.address.clone());
    let connections = AtomicUsize::new(0);
    let server = serve_tcp(move |stream| {
        match connections.fetch_add(1, Ordering::Relaxed) {
            0 => {
                let mut server = TcpStream::connect(&to_silent).expect("connected");
                forward_responses(&server, &stream);
                let mut request = (&stream).take(FIRST_CONNECTION_BYTES);
                let _ = std::io::copy(&mut request, &mut server);
                let _ = stream.shutdown(Shutdown::Both);
                let _ = server.shutdown(Shutdown::Both);
            }
            // The second connection is closed before TLS.
            1 => {}
            _ => forward(stream, &to_good),
        }
    });
    let input = format!("token,expire_time\n{},4070908800\n", "x".repeat(30_000));
    let flags = [
        "--cacert",
        &identity.cert,
        "--servername=localhost",
        "--cert",
        &client.cert,
        "--key",
        &client.key,
        "--retry-delay=1ms",
    ];
    push_to(&server, &flags, input.as_bytes()).exits(0);
    assert_eq!(good.stop().records, 1);
}
