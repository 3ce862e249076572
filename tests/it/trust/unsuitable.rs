//! Certificates with a property that this program refuses: each refusal names the certificate and the
//! property.

use rcgen::DnType;
use rustls::version::{TLS12, TLS13};
use x509_parser::x509::X509Version;

use super::{NAME, NAMED, Serve, Unchecked, accept, check_all, refuse};

use crate::support::{
    certificates::{CertificateFolder, Identity, authority, below, old_version, params, san},
    openssl::openssl,
    program::run,
};

const CA: &str = "basicConstraints=critical,CA:TRUE\n";
const FOR_NAME: &str = "subjectAltName=DNS:license.internal\n";
const SHA256: &str = "-sha256";
const POLICIES: &str = "certificatePolicies=critical,1.2.3.4\n";

fn root(files: &CertificateFolder) -> Identity {
    let elliptic = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    files.openssl_self_signed(&elliptic)
}

/// Makes a key on a curve. Returns its path, and a certificate request.
fn curve_request(files: &CertificateFolder, curve: &[&str], subject: &str) -> (String, Vec<u8>) {
    let key = files.path("key");
    let generate = ["ecparam", "-genkey", "-noout", "-out", &key, "-name"];
    openssl(generate.iter().chain(curve).copied(), b"");
    let request = openssl(["req", "-new", "-subj", subject, "-key", &key], b"");
    (key, request)
}

#[test]
fn explains_unsuitable_intermediates() {
    let files = CertificateFolder::new();
    let root = root(&files);
    let issue = |issuer: &Identity, params: &_, extensions: &str| {
        files.openssl_issued_by(issuer, params, SHA256, extensions)
    };
    let mut cases = Vec::new();
    for (extensions, text) in [
        (
            &*format!("{CA}{POLICIES}"),
            "has a critical extension that is not supported: certificatePolicies (2.5.29.32)",
        ),
        (
            &format!("{CA}policyConstraints=critical,requireExplicitPolicy:0\n"),
            "has a critical extension that is not supported: policyConstraints (2.5.29.36)",
        ),
        (
            &format!("{CA}inhibitAnyPolicy=critical,0\n"),
            "has a critical extension that is not supported: inhibitAnyPolicy (2.5.29.54)",
        ),
        (
            &format!("{CA}1.2.3.4.5=critical,DER:0500\n"),
            "has a critical extension that is not supported: 1.2.3.4.5",
        ),
        (
            &format!("{CA}nameConstraints=critical,excluded;DNS:internal\n"),
            "may not issue for the names of the certificate (nameConstraints: excluded DNS:internal)",
        ),
        (
            &format!("{CA}extendedKeyUsage=clientAuth\n"),
            "may not issue server certificates (extendedKeyUsage: serverAuth is missing)",
        ),
        (
            "basicConstraints=critical,CA:FALSE\n",
            "may not issue certificates (basicConstraints: CA:TRUE is missing)",
        ),
        (
            &format!("{CA}keyUsage=digitalSignature,cRLSign\n"),
            "may not issue certificates (keyUsage: keyCertSign is missing)",
        ),
        (
            "keyUsage=keyCertSign\n",
            "may not issue certificates (basicConstraints: CA:TRUE is missing)",
        ),
    ] {
        let intermediate = issue(&root, &params(Some("Intermediate"), &[]), extensions);
        let leaf = issue(&intermediate, &san(&[NAME]), FOR_NAME);
        let leaf = files.with_chain(&leaf, &[intermediate.pem()]);
        let text = format!("CA certificate \"CN=Intermediate\" {text}");
        let refused = refuse(extensions, Serve, &leaf, &root.cert, NAMED, &[&text]);
        cases.push(refused);
        // The critical extensions of a trusted CA do not matter.
        if text.contains("critical extension") {
            let trusted = &intermediate.cert;
            cases.push(accept(extensions, Serve, &leaf, trusted, NAMED));
        }
    }
    let first = issue(
        &root,
        &params(Some("First"), &[]),
        "basicConstraints=critical,CA:TRUE,pathlen:0\n",
    );
    let second = issue(&first, &params(Some("Second"), &[]), CA);
    let leaf = issue(&second, &san(&[NAME]), FOR_NAME);
    let leaf = files.with_chain(&leaf, &[second.pem(), first.pem()]);
    let too_long = &[
        "CA certificate \"CN=First\" allows at most 0 CA certificates below it \
         (basicConstraints: pathlen:0)",
    ];
    cases.push(refuse("pathlen", Serve, &leaf, &root.cert, NAMED, too_long));
    check_all(&cases);
}

#[test]
fn explains_unsuitable_server_certificates() {
    let files = CertificateFolder::new();
    let root = root(&files);
    let issue = |issuer: &Identity, digest: &str, extensions: &str| {
        files.openssl_issued_by(issuer, &san(&[NAME]), digest, extensions)
    };
    let critical = issue(&root, SHA256, &format!("{FOR_NAME}{POLICIES}"));
    let texts = &[
        "certificate has a critical extension that is not supported: certificatePolicies (2.5.29.32)",
        "hint: install a certificate in which this extension is not critical",
    ];
    let ca = authority(params(Some("Test CA"), &[]));
    let ca_file = files.write(ca.pem());
    let rsa = files.openssl_self_signed(&["-newkey", "rsa:2048"]);
    let sha224 = issue(&rsa, "-sha224", FOR_NAME);
    let sha3 = issue(&rsa, "-sha3-256", FOR_NAME);
    let mail = issue(&root, SHA256, "subjectAltName=email:a@b.test,RID:1.2.3\n");
    let (key, request) = curve_request(&files, &["secp256k1"], "/CN=Koblitz");
    let koblitz = Identity {
        cert: files.write(files.openssl_sign(&root, &request, SHA256, CA)),
        key,
    };
    let below_koblitz = issue(&koblitz, SHA256, FOR_NAME);
    let mut early = san(&[NAME]);
    early.not_before = rcgen::date_time_ymd(1950, 1, 1);
    let early_leaf = files.issued_by(&ca, &early);
    let early_texts = &[
        "certificate has a validity period that begins before 1970, which is not supported \
         (valid from 1950-01-01 to 2098-01-01)",
        "hint: install a certificate whose validity period begins in 1970 or later",
    ];
    early
        .distinguished_name
        .push(DnType::CommonName, "Early CA");
    let early_ca = below(&ca, early);
    let below_early = files.issued_by(&early_ca, &san(&[NAME]));
    let below_early = files.with_chain(&below_early, &[early_ca.pem()]);
    let early_ca = files.write(early_ca.pem());
    let early_issuer = &[
        "CA certificate \"CN=Early CA\" has a validity period that begins before 1970",
        "hint: pass --cacert PEM with that CA certificate",
    ];
    let mut cases = vec![
        refuse("early", Serve, &early_leaf, &ca_file, NAMED, early_texts),
        accept("early, pinned", Serve, &early_leaf, &early_leaf.cert, NAMED),
        refuse(
            "early CA",
            Serve,
            &below_early,
            &ca_file,
            NAMED,
            early_issuer,
        ),
        accept("early CA, trusted", Serve, &below_early, &early_ca, NAMED),
        refuse("issued", Serve, &critical, &root.cert, NAMED, texts),
        refuse("pinned", Serve, &critical, &critical.cert, NAMED, texts),
        accept("-k", Unchecked(&TLS13), &critical, &root.cert, &["-k"]),
        refuse(
            "-k",
            Unchecked(&TLS12),
            &critical,
            &root.cert,
            &["-k"],
            texts,
        ),
    ];
    for (identity, trusted, text) in [
        (
            &sha224,
            &rsa,
            "certificate is signed with an algorithm that is not supported: \
             sha224WithRSAEncryption (1.2.840.113549.1.1.14)",
        ),
        (
            &sha3,
            &rsa,
            "certificate is signed with an algorithm that is not supported: \
             2.16.840.1.101.3.4.3.14",
        ),
        (
            &below_koblitz,
            &koblitz,
            "CA certificate \"CN=Koblitz\" has an ECDSA key on a curve that is not supported: \
             secp256k1 (1.3.132.0.10)",
        ),
        (
            &mail,
            &root,
            "certificate SAN has no DNS name or IP address, only \"email:a@b.test\", \"RID:1.2.3\"",
        ),
    ] {
        cases.push(refuse(text, Serve, identity, &trusted.cert, NAMED, &[text]));
    }
    check_all(&cases);
}

#[test]
fn explains_unsupported_curves_and_versions() {
    let files = CertificateFolder::new();
    let root = root(&files);
    let on_curve = |curve: &[&str]| {
        let (key, request) = curve_request(&files, curve, "/");
        let cert = files.write(files.openssl_sign(&root, &request, SHA256, FOR_NAME));
        Identity { cert, key }
    };
    let koblitz = on_curve(&["secp256k1"]);
    let explicit = on_curve(&["prime256v1", "-param_enc", "explicit"]);
    let unnamed = &[
        "certificate has an ECDSA key whose curve is written as explicit parameters, not as a name",
        "hint: install a certificate with an ECDSA P-256 key, or RSA of 2048 bits or more",
    ];
    let curve = &[
        "certificate has an ECDSA key on a curve that is not supported: secp256k1 (1.3.132.0.10)",
        "hint: install a certificate with an ECDSA P-256 key, or RSA of 2048 bits or more",
    ];
    let ca = authority(params(Some("Test CA"), &[]));
    let ca_file = files.write(ca.pem());
    let version_2 = files.old_version_issued_by(&ca, &params(Some(NAME), &[]), X509Version::V2);
    let old = &[
        "certificate is X.509 version 2, which is not supported",
        "hint: install an X.509 version 3 certificate",
    ];
    let old_ca = files.write(old_version(ca.der(), ca.key(), X509Version::V2));
    let below_old_ca = files.issued_by(&ca, &san(&[NAME]));
    let issuer = &["CA certificate \"CN=Test CA\" is X.509 version 2, which is not supported"];
    let mut cases = vec![refuse("CA", Serve, &below_old_ca, &old_ca, NAMED, issuer)];
    run(["serve", "--listen=127.0.0.1:0", "--client-ca", &old_ca])
        .exits(2)
        .stderr_contains(
            "certificate \"CN=Test CA\" cannot be used as a trusted CA: \
             it is X.509 version 2, which is not supported",
        );
    for version in [&TLS12, &TLS13] {
        let server = Unchecked(version);
        cases.extend([
            refuse("curve", server, &koblitz, &root.cert, NAMED, curve),
            refuse(
                "curve, pinned",
                server,
                &koblitz,
                &koblitz.cert,
                NAMED,
                curve,
            ),
            refuse("curve, -k", server, &koblitz, &root.cert, &["-k"], curve),
            refuse(
                "explicit curve",
                server,
                &explicit,
                &root.cert,
                NAMED,
                unnamed,
            ),
            refuse(
                "explicit curve, pinned",
                server,
                &explicit,
                &explicit.cert,
                NAMED,
                unnamed,
            ),
            refuse(
                "explicit curve, -k",
                server,
                &explicit,
                &root.cert,
                &["-k"],
                unnamed,
            ),
            refuse("version", server, &version_2, &ca_file, NAMED, old),
            refuse(
                "version, pinned",
                server,
                &version_2,
                &version_2.cert,
                NAMED,
                old,
            ),
        ]);
    }
    check_all(&cases);
}
