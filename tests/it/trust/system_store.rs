//! The trust store of the operating system, and `--insecure`.

use std::path::Path;

use super::push;

use crate::support::{
    certificates::{CertificateFolder, authority, expired, params},
    files::TempFile,
    program::{Run, command, run_command},
    receiver::Receiver,
    records::ONE_RECORD,
};

#[test]
fn insecure_warns_every_time() {
    let files = CertificateFolder::new();
    let identity = files.self_signed(&expired(params(Some("elsewhere"), &[])));
    let receiver = Receiver::presenting(&identity);
    for flags in [
        &["-k"][..],
        &["--insecure", "--quiet"],
        &["-k", "--cacert", &identity.cert],
    ] {
        push(&receiver, flags)
            .exits(0)
            .stderr_contains("warning: --insecure");
    }
    assert_eq!(receiver.stop().requests, 3);
}

#[test]
fn system_store_is_the_default() {
    let files = CertificateFolder::new();
    let ca = authority(params(Some("Test CA"), &[]));
    let ca_file = files.write(ca.pem());
    let leaf = files.issued_by(&ca, &params(None, &["127.0.0.1"]));
    let receiver = Receiver::presenting(&leaf);
    let push_with_store = |store: &Path| -> Run {
        let input = TempFile::new("a.csv", ONE_RECORD);
        let mut command = command(["push", "-s", &receiver.address, input.str()]);
        run_command(command.env("SSL_CERT_FILE", store))
    };
    push_with_store(ca_file.as_ref()).exits(0);
    push_with_store("/nowhere/nothing.crt".as_ref())
        .exits(2)
        .stderr_contains("no readable CA certificate in the system trust store")
        .stderr_contains("hint: pass --cacert PEM");
    push(&receiver, &[]).exits(6).stderr_contains("CN=Test CA");
    // An environment variable that replaces the system trust store is named if the CA is missing.
    let other_ca = files.write(authority(params(Some("Other CA"), &[])).pem());
    let empty = tempfile::tempdir().expect("a folder");
    let self_signed = files.self_signed(&params(None, &["127.0.0.1"]));
    let untrusted = Receiver::presenting(&self_signed);
    let probe_with = |variable: &str, store: &Path, server: &Receiver| {
        let mut command = command(["probe", "-s", &server.address]);
        run_command(command.env(variable, store))
    };
    for (variable, store, server, exit) in [
        ("SSL_CERT_FILE", Path::new(&other_ca), &receiver, 6),
        ("SSL_CERT_FILE", Path::new(&other_ca), &untrusted, 6),
        ("SSL_CERT_DIR", empty.path(), &receiver, 2),
        ("SSL_CERT_DIR", "/nowhere".as_ref(), &receiver, 2),
        ("SSL_CERT_FILE", "/nowhere".as_ref(), &receiver, 2),
    ] {
        let cause = format!(
            "caused by: {variable} replaces the system trust store with \"{}\"",
            store.display()
        );
        probe_with(variable, store, server)
            .exits(exit)
            .stderr_contains(&cause)
            .stderr_contains("hint: pass --cacert PEM");
    }
    let der = files.write(ca.der());
    for (store, reason) in [
        (&der, "file is a certificate in DER, not PEM"),
        (&files.write(""), "file is empty"),
    ] {
        probe_with("SSL_CERT_FILE", store.as_ref(), &receiver)
            .exits(2)
            .stderr_contains(&format!("caused by: no certificate in {store}: {reason}"));
    }
    for store in ["", "/nowhere"] {
        let run = probe_with("SSL_CERT_FILE", store.as_ref(), &receiver).exits(2);
        assert!(!run.stderr.contains("os error"), "{run:?}");
        assert!(!run.stderr.contains("''"), "{run:?}");
    }
    let mut probe = command(["probe", "-s", &receiver.address]);
    probe
        .env("SSL_CERT_FILE", &der)
        .env("SSL_CERT_DIR", empty.path());
    run_command(&mut probe).exits(2).stderr_contains(&format!(
        "caused by: SSL_CERT_FILE and SSL_CERT_DIR replace the system trust store with \
         \"{der}\" and \"{}\"",
        empty.path().display()
    ));
    std::fs::copy(&other_ca, empty.path().join("other.pem")).expect("copied");
    probe_with("SSL_CERT_DIR", empty.path(), &receiver)
        .exits(6)
        .stderr_contains("SSL_CERT_DIR replaces the system trust store");
}
