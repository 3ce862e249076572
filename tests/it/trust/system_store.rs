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
}
