//! Files of `--cert` and `--key`: one file for both, other formats than PEM, and keys that do not
//! belong to the certificate.

use std::{fs, path::Path, process::Command};

use rcgen::{CertifiedIssuer, KeyPair};

use crate::support::{
    certificates::{CertificateFolder, Identity, as_ca, authority, params},
    files::TempFile,
    openssl::openssl,
    program::{Run, command, finish, run_command, start_command},
    receiver::Receiver,
    records::ONE_RECORD,
};

/// A client certificate with an intermediate, and a receiver that requires it.
struct Client {
    files: CertificateFolder,
    identity: Identity,
    intermediate: String,
    receiver: Receiver,
}

impl Client {
    fn new() -> Self {
        let files = CertificateFolder::new();
        let root = authority(params(Some("Client CA"), &[]));
        let key = KeyPair::generate().expect("a key");
        let intermediate = as_ca(params(Some("Intermediate"), &[]));
        let intermediate = CertifiedIssuer::signed_by(intermediate, key, &root).expect("a CA");
        let leaf = files.issued_by(&intermediate, &params(Some("cron"), &[]));
        let intermediate = intermediate.pem();
        Self {
            identity: files.with_chain(&leaf, std::slice::from_ref(&intermediate)),
            intermediate,
            receiver: Receiver::with(["--client-ca", &files.write(root.pem())]),
            files,
        }
    }

    fn push(&self, cert: &str, key: &str) -> Run {
        let options = [("--cert", cert), ("--key", key)];
        let given = options.iter().filter(|(_, file)| !file.is_empty());
        let args: Vec<_> = given.flat_map(|(option, file)| [*option, *file]).collect();
        self.receiver.push_input(args, ONE_RECORD)
    }

    /// Returns the path of a new file, which `openssl` with these options writes.
    fn openssl(&self, args: &str) -> String {
        let path = self.files.path("out");
        openssl(args.split(' ').chain(["-out", &path]), b"");
        path
    }

    /// Returns the path of a copy of a PEM file with other labels.
    fn relabeled(&self, file: &str, from: &str, to: &str) -> String {
        let text = fs::read_to_string(file).expect("text");
        assert!(text.contains(from), "{text}");
        self.files.write(text.replace(from, to))
    }

    /// Pushes with an unsuitable file, runs the command in the hint, and pushes with the result.
    /// `FILE` in the command stands for the path `file`.
    fn check_conversion(
        &self,
        [cert, key, file]: [&str; 3],
        says: &str,
        command: &str,
        more_options: &str,
    ) {
        let run = self.push(cert, key).exits(2);
        let command = format!("{}\n", command.replace("FILE", file));
        for text in [says, &command] {
            assert!(run.stderr.contains(text), "no {text:?} in {run:?}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let made = run_hinted_command(&run, more_options, folder.path());
        let text = fs::read_to_string(&made).expect("text");
        // `openssl x509` converts only the first certificate of a file.
        let chain = self.files.write(text.clone() + &self.intermediate);
        let has_certificate = text.contains("BEGIN CERTIFICATE");
        let cert = if has_certificate { &chain } else { cert };
        let has_key = text.contains("PRIVATE KEY");
        let key = if has_key { &made } else { key };
        let run = self.push(cert, key);
        assert_eq!(run.code, 0, "{says}: {run:?}");
    }
}

/// Runs the command in the hint, in its own folder. Returns the path of the file that it writes.
fn run_hinted_command(run: &Run, more_options: &str, folder: &Path) -> String {
    let (_, command) = run.stderr.split_once(" with: ").expect("a command");
    let command = command.lines().next().expect("a command");
    let output = command.rsplit_once("-out ").expect("an output").1;
    let status = Command::new("sh")
        .args(["-c", &format!("{command} {more_options}")])
        .current_dir(folder)
        .status();
    assert!(status.expect("a shell").success(), "{command}");
    folder.join(output).to_str().expect("UTF-8").to_owned()
}

#[test]
fn one_file_may_hold_certificate_and_key() {
    let client = Client::new();
    let key = fs::read_to_string(&client.identity.key).expect("text");
    let both = client.files.write(client.identity.pem() + &key);
    client.push(&both, "").exits(0);
    client.push("", &both).exits(0);
    client.push(&both, &both).exits(0);
    client
        .push(&client.identity.cert, "")
        .exits(2)
        .stderr_contains("found only CERTIFICATE")
        .stderr_contains("hint: pass the file with the private key: --key KEY.pem");
    client
        .push("", &client.identity.key)
        .exits(2)
        .stderr_contains("no certificate in ")
        .stderr_contains(
            "hint: pass the file with the certificate: --cert CERT.pem, or --cacert CA.pem",
        );
    let config = TempFile::new("config.toml", format!("cert = '{both}'\n"));
    let input = TempFile::new("a.csv", ONE_RECORD);
    let mut push = command(["push", "-s", &client.receiver.address, "--cacert"]);
    push.args([&client.receiver.cacert(), "--config", config.str()]);
    push.args(["--servername=localhost", input.str()]);
    run_command(&mut push).exits(0);
    let serving = Receiver::with(["--cert", &both]);
    assert_eq!(serving.stop().requests, 0);
}

/// A FIFO, the file of a process substitution, and standard input can be read only once.
#[test]
fn one_stream_may_hold_certificate_and_key() {
    let client = Client::new();
    let key = fs::read_to_string(&client.identity.key).expect("text");
    let both = client.identity.pem() + &key;
    let input = TempFile::new("a.csv", ONE_RECORD);
    let fifo = TempFile::fifo();
    for file in [fifo.str(), "/dev/stdin"] {
        for options in [
            &["--cert", file][..],
            &["--key", file],
            &["--cert", file, "--key", file],
        ] {
            let mut push = command(client.receiver.args_of("push"));
            push.args(options).arg(input.str());
            let child = if file == fifo.str() {
                let child = start_command(&mut push, b"");
                fs::write(file, &both).expect("written");
                child
            } else {
                start_command(&mut push, both.as_bytes())
            };
            finish(child).exits(0);
        }
    }
    let separate = ["--cert", &client.identity.cert, "--key", fifo.str()];
    let mut push = command(client.receiver.args_of("push"));
    let child = start_command(push.args(separate).arg(input.str()), b"");
    fs::write(fifo.str(), &key).expect("written");
    finish(child).exits(0);
}

#[test]
fn hints_convert_private_keys_to_pem() {
    const MISLABELED_SEC1: &str =
        "PRIVATE KEY on line 1 holds a SEC1 key, whose label is EC PRIVATE KEY";
    const MISLABELED_PKCS8: &str =
        "EC PRIVATE KEY on line 1 holds a PKCS#8 key, whose label is PRIVATE KEY";
    const ENCRYPTED: &str = "private key is encrypted";
    const CONVERT: &str = "convert the file with: openssl pkey -in FILE -out KEY.pem";
    const CONVERT_DER: &str =
        "convert the file with: openssl pkey -inform der -in FILE -out KEY.pem";
    const DECRYPT: &str = "decrypt the key with: openssl pkey -in FILE -out KEY.pem";
    const DER: &str = "file is a private key in DER, not PEM";
    let client = Client::new();
    let Identity { cert, key } = &client.identity;
    let made = |args: &str| client.openssl(&args.replace("KEY", key));
    let relabeled = |file: &str, from, to| client.relabeled(file, from, to);
    let sec1 = made("ec -in KEY");
    let encrypted = made("pkcs8 -topk8 -in KEY -passout pass:x");
    let unmarked = relabeled(&encrypted, "ENCRYPTED PRIVATE", "PRIVATE");
    let encrypted_der = made("pkcs8 -topk8 -in KEY -passout pass:x -outform der");
    let traditional = made("ec -in KEY -aes256 -passout pass:x");
    for (says, file, command) in [
        (
            MISLABELED_SEC1,
            relabeled(&sec1, "EC PRIVATE", "PRIVATE"),
            CONVERT,
        ),
        (
            MISLABELED_PKCS8,
            relabeled(key, "PRIVATE", "EC PRIVATE"),
            CONVERT,
        ),
        (DER, made("pkey -in KEY -outform der"), CONVERT_DER),
        (DER, made("ec -in KEY -outform der"), CONVERT_DER),
        (ENCRYPTED, encrypted, DECRYPT),
        (ENCRYPTED, unmarked, DECRYPT),
        (ENCRYPTED, traditional, DECRYPT),
        (
            "file is an encrypted private key in DER",
            encrypted_der,
            CONVERT_DER,
        ),
    ] {
        client.check_conversion([cert, &file, &file], says, command, "-passin pass:x");
    }
    let rsa = made("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048");
    let rsa = made(&format!("rsa -traditional -in {rsa}"));
    client
        .push(cert, &relabeled(&rsa, "RSA PRIVATE", "PRIVATE"))
        .exits(2)
        .stderr_contains("holds a PKCS#1 key, whose label is RSA PRIVATE KEY");
}

#[test]
fn hints_convert_certificates_to_pem() {
    const PKCS12: &str = "file is a PKCS#12 file, not PEM";
    const LEAF_SECOND: &str = "belongs to certificate 2 of ";
    const TRUSTED: &str = "expected CERTIFICATE, found TRUSTED CERTIFICATE";
    let client = Client::new();
    let Identity { cert, key } = &client.identity;
    let made = |args: &str| client.openssl(&args.replace("CERT", cert).replace("KEY", key));
    let leaf_second = client.intermediate.clone() + &client.identity.pem();
    let trusted = client.relabeled(cert, "CERTIFICATE", "TRUSTED CERTIFICATE");
    let sort = format!(
        "sort the file with: openssl pkcs12 -export -in FILE -inkey {key} -passout pass: \
         | openssl pkcs12 -passin pass: -nokeys -out CERT.pem"
    );
    for (says, file, command) in [
        (
            "found only PKCS7",
            made("crl2pkcs7 -nocrl -certfile CERT"),
            "openssl pkcs7 -in FILE -print_certs -out CERT.pem",
        ),
        (
            "file is a PKCS#7 file, not PEM",
            made("crl2pkcs7 -nocrl -certfile CERT -outform der"),
            "openssl pkcs7 -inform der -in FILE -print_certs -out CERT.pem",
        ),
        (
            "file is a certificate in DER, not PEM",
            made("x509 -in CERT -outform der"),
            "openssl x509 -inform der -in FILE -out CERT.pem",
        ),
        (
            TRUSTED,
            trusted,
            "openssl crl2pkcs7 -nocrl -certfile FILE | openssl pkcs7 -print_certs -out CERT.pem",
        ),
        (LEAF_SECOND, client.files.write(leaf_second), &*sort),
    ] {
        client.check_conversion([&file, key, &file], says, command, "");
    }
    for (args, legacy) in [("", ""), (" -legacy", "-legacy ")] {
        let export = "pkcs12 -export -in CERT -inkey KEY -passout pass:";
        let file = made(&format!("{export}{args}"));
        let command = format!("openssl pkcs12 {legacy}-nodes -in FILE -out BOTH.pem");
        for (cert, key) in [(&*file, ""), (cert, &file)] {
            client.check_conversion([cert, key, &file], PKCS12, &command, "-passin pass:");
        }
    }
    let both = fs::read_to_string(cert).expect("text");
    let mixed = both.replace("CERTIFICATE", "TRUSTED CERTIFICATE");
    let mixed = client.identity.pem() + &mixed;
    let run = client.push(&client.files.write(mixed), key).exits(2);
    let folder = tempfile::tempdir().expect("a folder");
    let made = run_hinted_command(&run, "", folder.path());
    let count = fs::read_to_string(made)
        .expect("text")
        .matches("BEGIN")
        .count();
    assert_eq!(count, 2 * both.matches("BEGIN").count());
}

#[test]
fn key_must_belong_to_the_certificate() {
    let client = Client::new();
    let Identity { cert, key } = &client.identity;
    let intermediate = client.files.write(&client.intermediate);
    let secp256k1 = client.openssl("ecparam -name secp256k1 -genkey -noout");
    let rsa_1024 = client.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024");
    let other = client.files.self_signed(&params(Some("other"), &[]));
    for (given_cert, given_key, texts) in [
        (
            &intermediate,
            key,
            [
                "does not belong to the certificate in ",
                "(\"CN=Intermediate\")",
            ],
        ),
        (
            cert,
            &other.key,
            [
                "(\"CN=cron\", \"CN=Intermediate\")",
                "hint: pass --cert and --key that belong to each other; compare",
            ],
        ),
        (
            cert,
            &secp256k1,
            ["is not supported", "openssl genpkey -algorithm EC"],
        ),
        (
            cert,
            &rsa_1024,
            ["is not supported", "RSA of 2048 bits or more"],
        ),
    ] {
        let run = client.push(given_cert, given_key).exits(2);
        for text in texts {
            assert!(run.stderr.contains(text), "no {text:?} in {run:?}");
        }
    }
}
