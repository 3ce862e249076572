//! `--cacert` files that contain something other than certificates.

use super::push;

use crate::support::{
    certificates::{CertificateFolder, as_ca, params},
    files::TempFile,
    program::Run,
    receiver::Receiver,
};

fn push_trusting(receiver: &Receiver, cacert: &str) -> Run {
    push(receiver, &["--cacert", cacert, "--servername=localhost"])
}

#[test]
fn rejects_files_without_certificates() {
    let files = CertificateFolder::new();
    let identity = files.self_signed(&as_ca(params(Some("localhost"), &[])));
    let receiver = Receiver::presenting(&identity);
    let good = identity.pem();
    let key = std::fs::read_to_string(&identity.key).expect("read");
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let der = rcgen::KeyPair::generate()
        .and_then(|key| as_ca(params(Some("x"), &[])).self_signed(&key))
        .expect("signed");
    let file = TempFile::absent("given.pem");
    for (name, content, text) in [
        ("empty", b"".to_vec(), "file is empty"),
        ("white space only", b" \n\n".to_vec(), "file is empty"),
        (
            "private key only",
            key.clone().into(),
            "found only PRIVATE KEY",
        ),
        ("text", b"trust me".to_vec(), "no PEM block"),
        (
            "DER",
            der.der().to_vec(),
            "file is a certificate in DER, not PEM",
        ),
        (
            "byte order mark",
            format!("\u{feff}{good}").into(),
            "byte order mark",
        ),
        ("UTF-16", utf16.clone(), "UTF-16"),
        (
            "UTF-16 with byte order mark",
            [&b"\xff\xfe"[..], &utf16].concat(),
            "UTF-16",
        ),
        (
            "indented",
            good.replace("-----B", "  -----B").into(),
            "line 1",
        ),
        (
            "TRUSTED CERTIFICATE",
            good.replace("CERTIFICATE", "TRUSTED CERTIFICATE").into(),
            "TRUSTED CERTIFICATE",
        ),
        (
            "certificate request",
            good.replace("CERTIFICATE", "CERTIFICATE REQUEST").into(),
            "CERTIFICATE REQUEST",
        ),
        (
            "private key without line ends",
            key.replace('\n', "").into(),
            "is not alone on its line",
        ),
        (
            "truncated block",
            good[..good.len() / 2].into(),
            "-----END line is missing",
        ),
        (
            "invalid base64 in the second block",
            format!("{good}{}", good.replace("MI", "M!")).into(),
            "invalid certificate in ",
        ),
        (
            "block without a certificate",
            format!("{good}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").into(),
            "CERTIFICATE on line 11: not valid DER",
        ),
    ] {
        file.write(content);
        let run = push_trusting(&receiver, file.str()).exits(2);
        assert!(run.stderr.contains(file.str()), "{name}: {run:?}");
        assert!(run.stderr.contains(text), "{name}: no {text:?} in {run:?}");
        let secret = key.lines().nth(1).expect("base64");
        assert!(!run.stderr.contains(secret), "{name}");
    }
    push(&receiver, &["--cacert", "/nowhere.pem"])
        .exits(2)
        .stderr_contains("/nowhere.pem");
    let folder = file.folder().to_str().expect("UTF-8");
    push(&receiver, &["--cacert", folder])
        .exits(2)
        .stderr_contains("directory");
    for (name, content) in [
        ("CRLF", good.replace('\n', "\r\n")),
        (
            "text before the block",
            format!("subject=CN = localhost\n\n{good}"),
        ),
        ("private key and certificate", format!("{key}{good}")),
        ("tab at the ends of lines", good.replace('\n', "\t\n")),
        ("spaces at the ends of lines", good.replace('\n', "  \n")),
    ] {
        file.write(content);
        let run = push_trusting(&receiver, file.str());
        assert_eq!(run.code, 0, "{name}: {run:?}");
    }
}
