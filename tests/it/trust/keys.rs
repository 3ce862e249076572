//! Kinds of keys and signatures, and X.509 version 1.

use rcgen::{
    CertifiedIssuer, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_ED25519,
    PKCS_RSA_SHA256, RsaKeySize,
};
use rustls::version::{TLS12, TLS13};

use super::{EXPIRED, NAME, NAMED, Serve, Unchecked, WRONG_KEY, accept, check_all, refuse};

use crate::support::{
    certificates::{
        CertificateFolder, Identity, as_ca, authority, expired, not_yet_valid, params, san,
        version_1,
    },
    openssl::openssl,
};

#[test]
fn accepts_common_kinds_of_keys() {
    let files = CertificateFolder::new();
    let named = as_ca(params(Some(NAME), &[]));
    let rsa = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("a key");
    let p521 = KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512).expect("a key");
    let mut cases = Vec::new();
    for (name, key) in [
        ("P-521 key", KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512)),
        ("P-384 key", KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)),
        ("Ed25519 key", KeyPair::generate_for(&PKCS_ED25519)),
        ("RSA-2048 key", Ok(rsa)),
    ] {
        let identity = files.self_signed_by(&named, &key.expect("a key"));
        cases.push(accept(name, Serve, &identity, &identity.cert, NAMED));
        cases.push(accept(
            name,
            Unchecked(&TLS12),
            &identity,
            &identity.cert,
            NAMED,
        ));
    }
    let ca = CertifiedIssuer::self_signed(as_ca(params(Some("P-521 CA"), &[])), p521);
    let ca = ca.expect("a CA");
    let leaf = files.issued_by(&ca, &san(&[NAME]));
    let trusted = files.write(ca.pem());
    cases.push(accept("P-521 CA", Serve, &leaf, &trusted, NAMED));
    check_all(&cases);
}

#[test]
fn refuses_weak_keys_and_digests() {
    let files = CertificateFolder::new();
    let small = files.openssl_self_signed(&["-newkey", "rsa:1024"]);
    let rsa_1024_texts = &[
        "certificate has an RSA key of 1024 bits (minimum: 2048)",
        "hint: install a certificate with an ECDSA P-256 key, or RSA of 2048 bits or more",
    ];
    let sha1_texts = &[
        "certificate is signed with SHA-1 or MD5",
        "hint: install a certificate that is signed with SHA-256",
    ];
    let for_name = "subjectAltName=DNS:license.internal\n";
    let elliptic = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let ca_ec = files.openssl_self_signed(&elliptic);
    let ca_rsa = files.openssl_self_signed(&["-newkey", "rsa:2048"]);
    let named = san(&[NAME]);
    let request = openssl(["req", "-new", "-subj", "/", "-key", &small.key], b"");
    let small_issued = Identity {
        cert: files.write(files.openssl_sign(&ca_ec, &request, "-sha256", for_name)),
        key: small.key.clone(),
    };
    let sha1_ec = files.openssl_issued_by(&ca_ec, &named, "-sha1", for_name);
    let sha1_rsa = files.openssl_issued_by(&ca_rsa, &named, "-sha1", for_name);
    let own_ec = files.openssl_self_signed(&[&elliptic[..], &["-sha1"]].concat());
    let own_rsa = files.openssl_self_signed(&["-newkey", "rsa:2048", "-sha1"]);
    let below_sha1 = files.openssl_issued_by(&own_ec, &named, "-sha256", for_name);
    let pinned_sha1 = "SHA-1 self-signature on a pinned certificate";
    let mut cases = Vec::new();
    for version in [&TLS12, &TLS13] {
        let server = Unchecked(version);
        cases.extend([
            refuse(
                "RSA-1024, pinned",
                server,
                &small,
                &small.cert,
                NAMED,
                rsa_1024_texts,
            ),
            refuse(
                "RSA-1024, issued",
                server,
                &small_issued,
                &ca_ec.cert,
                NAMED,
                rsa_1024_texts,
            ),
            refuse(
                "RSA-1024, -k",
                server,
                &small,
                &ca_ec.cert,
                &["-k"],
                rsa_1024_texts,
            )
            .without_cacert(),
            refuse(
                "SHA-1 leaf",
                server,
                &sha1_ec,
                &ca_ec.cert,
                NAMED,
                sha1_texts,
            ),
            refuse(
                "SHA-1 leaf, RSA",
                server,
                &sha1_rsa,
                &ca_rsa.cert,
                NAMED,
                sha1_texts,
            ),
            accept(pinned_sha1, server, &own_ec, &own_ec.cert, NAMED),
            accept(pinned_sha1, server, &own_rsa, &own_rsa.cert, NAMED),
            // A pinned certificate needs no valid signature.
            accept("SHA-1 leaf, pinned", server, &sha1_ec, &sha1_ec.cert, NAMED),
            accept("SHA-1 leaf, -k", server, &sha1_ec, &ca_ec.cert, &["-k"]).without_cacert(),
        ]);
    }
    cases.push(accept(pinned_sha1, Serve, &own_ec, &own_ec.cert, NAMED));
    let name = "CA whose own signature is over SHA-1";
    cases.push(accept(name, Serve, &below_sha1, &own_ec.cert, NAMED));
    check_all(&cases);
}

#[test]
fn refuses_weak_issuers() {
    let files = CertificateFolder::new();
    let small_ca = files.openssl_self_signed(&["-newkey", "rsa:1024"]);
    let for_name = "subjectAltName=DNS:license.internal\n";
    let below_small = files.openssl_issued_by(&small_ca, &san(&[NAME]), "-sha256", for_name);
    let root = files.openssl_self_signed(&["-newkey", "rsa:2048"]);
    let params = params(Some("Intermediate"), &[]);
    let intermediate =
        files.openssl_issued_by(&root, &params, "-sha1", "basicConstraints=CA:TRUE\n");
    let leaf = files.openssl_issued_by(&intermediate, &san(&[NAME]), "-sha256", for_name);
    let leaf = files.with_chain(&leaf, &[intermediate.pem()]);
    check_all(&[
        refuse(
            "issued by an RSA-1024 CA",
            Serve,
            &below_small,
            &small_ca.cert,
            NAMED,
            &["CA certificate \"CN=license.internal\" has an RSA key of 1024 bits"],
        ),
        refuse(
            "SHA-1 intermediate",
            Serve,
            &leaf,
            &root.cert,
            NAMED,
            &["CA certificate \"CN=Intermediate\" is signed with SHA-1"],
        ),
    ]);
}

#[test]
fn insecure_still_verifies_the_key() {
    let files = CertificateFolder::new();
    let ca = authority(params(Some("Test CA"), &[]));
    let other = files.self_signed(&san(&[NAME]));
    let mut cases = Vec::new();
    for (name, identity) in [
        ("expired", files.self_signed(&expired(san(&[NAME])))),
        (
            "not yet valid",
            files.self_signed(&not_yet_valid(san(&[NAME]))),
        ),
        (
            "wrong name",
            files.self_signed(&as_ca(params(Some("x"), &[]))),
        ),
        ("unknown issuer", files.issued_by(&ca, &san(&[NAME]))),
    ] {
        let stolen = identity.with_key_of(&other);
        for version in [&TLS12, &TLS13] {
            let server = Unchecked(version);
            cases.extend([
                accept(name, server, &identity, &other.cert, &["-k"]),
                accept(name, server, &identity, &other.cert, &["--insecure"]).without_cacert(),
                refuse(name, server, &stolen, &other.cert, &["-k"], WRONG_KEY),
            ]);
        }
    }
    check_all(&cases);
}

#[test]
fn accepts_version_1_certificates_only_if_pinned() {
    let files = CertificateFolder::new();
    let named = params(Some(NAME), &[]);
    let rsa = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("a key");
    let mut cases = Vec::new();
    for (name, key) in [
        ("X.509 v1, self-signed", KeyPair::generate().expect("a key")),
        ("X.509 v1, self-signed, RSA", rsa),
    ] {
        let identity = files.version_1(&named, &key);
        let trusted = &identity.cert;
        let namesake = files.version_1(&named, &KeyPair::generate().expect("a key"));
        let stolen = identity.with_key_of(&namesake);
        let outdated = files.version_1(&expired(named.clone()), &key);
        let tls12 = &[
            "certificate is X.509 version 1, which cannot be verified over TLS 1.2",
            "hint: enable TLS 1.3 on the server",
        ];
        let another = &["certificate is self-signed and not the pinned certificate"];
        let wrong = &[
            "not valid for \"127.0.0.1\"",
            "hint: pass --servername license.internal",
        ];
        let server = Unchecked(&TLS13);
        cases.extend([
            accept(name, server, &identity, trusted, NAMED),
            refuse(name, server, &stolen, trusted, NAMED, WRONG_KEY),
            refuse(name, server, &namesake, trusted, NAMED, another),
            refuse(name, server, &identity, trusted, &[], wrong),
            refuse(name, server, &outdated, &outdated.cert, NAMED, EXPIRED),
            accept(name, server, &identity, trusted, &["-k"]).without_cacert(),
            refuse(name, server, &stolen, trusted, &["-k"], WRONG_KEY).without_cacert(),
            refuse(name, Unchecked(&TLS12), &identity, trusted, NAMED, tls12),
        ]);
    }
    let ca = authority(params(Some("Test CA"), &[]));
    let trusted = files.write(ca.pem());
    let key = KeyPair::generate().expect("a key");
    let leaf = named.signed_by(&key, &ca).expect("a certificate");
    let leaf = Identity {
        cert: files.write(version_1(leaf.der(), ca.key())),
        key: files.write(key.serialize_pem()),
    };
    let old_root = files.write(version_1(ca.der(), ca.key()));
    let texts = &[
        "certificate is X.509 version 1, which is accepted only if it is pinned",
        "hint: pass --cacert PEM with this certificate",
    ];
    let server = Unchecked(&TLS13);
    cases.extend([
        refuse("X.509 v1, issued", server, &leaf, &trusted, NAMED, texts),
        accept("X.509 v1, issued, pinned", server, &leaf, &leaf.cert, NAMED),
        accept(
            "X.509 v1 CA",
            Serve,
            &files.issued_by(&ca, &san(&[NAME])),
            &old_root,
            NAMED,
        ),
    ]);
    check_all(&cases);
}
