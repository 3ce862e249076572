//! `--cacert` with the server's own certificate.

use rcgen::{ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::version::{TLS12, TLS13};

use super::{
    EXPIRED, NAME, NAMED, NOT_YET_VALID, Serve, Unchecked, WRONG_KEY, accept, check_all, refuse,
};

use crate::support::{
    certificates::{CertificateFolder, as_ca, authority, expired, not_yet_valid, params, san},
    program::run,
};

#[test]
fn trusts_exactly_the_pinned_certificate() {
    let files = CertificateFolder::new();
    let mut cases = Vec::new();
    for (kind, params) in [
        ("CA:TRUE, SAN", as_ca(san(&[NAME]))),
        ("CA:TRUE, CN only", as_ca(params(Some(NAME), &[]))),
        ("CA:FALSE, SAN", san(&[NAME])),
        ("CA:FALSE, CN only", params(Some(NAME), &[])),
    ] {
        let pinned = files.self_signed(&params);
        let cacert = &pinned.cert;
        let namesake = files.self_signed(&params);
        let bundle = files.write(files.self_signed(&params).pem() + &pinned.pem());
        let with_chain = files.with_chain(&pinned, &[files.self_signed(&params).pem()]);
        let stolen = pinned.with_key_of(&namesake);
        let expired = files.self_signed(&expired(params.clone()));
        let early = files.self_signed(&not_yet_valid(params));
        let name = |what: &str| format!("pinned, {kind}, {what}");
        cases.extend([
            accept(&name("serve"), Serve, &pinned, cacert, NAMED),
            accept(&name("TLS 1.3"), Unchecked(&TLS13), &pinned, cacert, NAMED),
            accept(&name("TLS 1.2"), Unchecked(&TLS12), &pinned, cacert, NAMED),
            accept(&name("second in --cacert"), Serve, &pinned, &bundle, NAMED),
            accept(&name("first of a chain"), Serve, &with_chain, cacert, NAMED),
            refuse(
                &name("namesake"),
                Serve,
                &namesake,
                cacert,
                NAMED,
                &[
                    "certificate is self-signed and not the pinned certificate",
                    "--cacert",
                ],
            ),
            refuse(
                &name("wrong key, TLS 1.2"),
                Unchecked(&TLS12),
                &stolen,
                cacert,
                NAMED,
                WRONG_KEY,
            ),
            refuse(
                &name("wrong key, TLS 1.3"),
                Unchecked(&TLS13),
                &stolen,
                cacert,
                NAMED,
                WRONG_KEY,
            ),
            refuse(
                &name("wrong server name"),
                Serve,
                &pinned,
                cacert,
                &["--servername=wrong.test"],
                &["not valid for \"wrong.test\" (valid for \"license.internal\")"],
            ),
            refuse(
                &name("no server name"),
                Serve,
                &pinned,
                cacert,
                &[],
                &[
                    "not valid for \"127.0.0.1\"",
                    "hint: pass --servername license.internal",
                ],
            ),
            refuse(
                &name("expired"),
                Serve,
                &expired,
                &expired.cert,
                NAMED,
                EXPIRED,
            ),
            refuse(
                &name("not yet valid"),
                Serve,
                &early,
                &early.cert,
                NAMED,
                NOT_YET_VALID,
            ),
        ]);
    }
    check_all(&cases);
}

#[test]
fn compares_the_server_name_with_the_pinned_certificate() {
    let files = CertificateFolder::new();
    let mut cases = Vec::new();
    for (kind, params, names, is_hinted) in [
        (
            "CA:TRUE, CN only",
            as_ca(params(Some(NAME), &[])),
            &[NAME][..],
            true,
        ),
        (
            "CA:TRUE, CN in capitals",
            as_ca(params(Some("LICENSE.Internal"), &[])),
            &[NAME],
            false,
        ),
        (
            "CA:TRUE, two SANs",
            as_ca(params(None, &[NAME, "other.test"])),
            &[NAME, "other.test"],
            true,
        ),
        ("CA:FALSE, CN only", params(Some(NAME), &[]), &[NAME], true),
        (
            "CA:FALSE, SAN",
            params(Some("unused"), &[NAME]),
            &[NAME],
            true,
        ),
        (
            "wildcard CN",
            as_ca(params(Some("*.internal.test"), &[])),
            &["a.internal.test"],
            false,
        ),
        (
            "CN with spaces",
            as_ca(params(Some("License Server 7"), &[])),
            &["License Server 7"],
            true,
        ),
        (
            "IP address in CN",
            as_ca(params(Some("127.0.0.1"), &[])),
            &["127.0.0.1"],
            true,
        ),
        (
            "IP addresses in SAN",
            as_ca(params(Some("x"), &["127.0.0.1", "::1"])),
            &["127.0.0.1", "::1"],
            true,
        ),
    ] {
        let pinned = files.self_signed(&params);
        for name in names {
            for option in ["--servername", "--ssl-target-name-override"] {
                let case = format!("{kind}, {option} {name}");
                cases.push(accept(&case, Serve, &pinned, &pinned.cert, &[option, name]));
            }
        }
        let hint = format!(
            "hint: pass --servername {}",
            shlex::try_quote(names[0]).expect("no NUL")
        );
        let texts = if is_hinted {
            vec!["not valid for \"wrong.test\"", &*hint]
        } else {
            vec!["not valid for \"wrong.test\""]
        };
        let flags = ["--servername=wrong.test"];
        let case = format!("{kind}, wrong server name");
        cases.push(refuse(&case, Serve, &pinned, &pinned.cert, &flags, &texts));
    }
    // The common name of a certificate does not matter if the certificate has a SAN.
    let pinned = files.self_signed(&as_ca(params(Some(NAME), &["other.test"])));
    cases.push(refuse(
        "server name in CN beside a SAN",
        Serve,
        &pinned,
        &pinned.cert,
        NAMED,
        &["hint: pass --servername other.test"],
    ));
    check_all(&cases);
}

#[test]
fn compares_addresses_with_sans() {
    let files = CertificateFolder::new();
    let ca = authority(params(Some("Test CA"), &[]));
    let trusted = files.write(ca.pem());
    let both = &["127.0.0.1", "::1"];
    let issued = files.issued_by(&ca, &san(both));
    let pinned = files.self_signed(&as_ca(san(both)));
    let in_cn = files.self_signed(&as_ca(params(Some("127.0.0.1"), &[])));
    let in_cn_beside_san = files.issued_by(&ca, &params(Some("127.0.0.1"), &[NAME]));
    let ipv6 = &["--servername=::1"];
    let other = &["--servername=127.0.0.2"];
    let not_other = &[
        "not valid for \"127.0.0.2\"",
        "hint: pass --servername 127.0.0.1",
    ];
    check_all(&[
        accept("issued, IPv4", Serve, &issued, &trusted, &[]),
        accept(
            "issued, IPv4, TLS 1.2",
            Unchecked(&TLS12),
            &issued,
            &trusted,
            &[],
        ),
        accept("issued, IPv6", Serve, &issued, &trusted, ipv6),
        accept("pinned, IPv4", Serve, &pinned, &pinned.cert, &[]),
        accept("pinned, IPv6", Serve, &pinned, &pinned.cert, ipv6),
        accept("pinned, IPv4 in CN", Serve, &in_cn, &in_cn.cert, &[]),
        refuse(
            "issued, other address",
            Serve,
            &issued,
            &trusted,
            other,
            not_other,
        ),
        refuse(
            "pinned, other address",
            Serve,
            &pinned,
            &pinned.cert,
            other,
            not_other,
        ),
        refuse(
            "pinned, other address than in CN",
            Serve,
            &in_cn,
            &in_cn.cert,
            other,
            not_other,
        ),
        refuse(
            "issued, IPv4 in CN beside a SAN",
            Serve,
            &in_cn_beside_san,
            &trusted,
            &["--allow-common-name"],
            &[
                "not valid for \"127.0.0.1\"",
                "hint: pass --servername license.internal",
            ],
        ),
    ]);
}

#[test]
fn key_usage_must_allow_tls_server_authentication() {
    use ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
    use KeyUsagePurpose::{CrlSign, DigitalSignature, KeyCertSign};
    const NOT_ALLOWED: &str = "certificate key usage does not allow TLS server authentication";
    let files = CertificateFolder::new();
    let ca = authority(params(Some("Test CA"), &[]));
    let trusted = files.write(ca.pem());
    let mut cases = Vec::new();
    for (usages, extended, refusal) in [
        (&[KeyCertSign][..], &[][..], Some("keyUsage: keyCertSign")),
        (&[KeyCertSign], &[ServerAuth], Some("keyUsage: keyCertSign")),
        (
            &[KeyCertSign, CrlSign],
            &[Any],
            Some("keyUsage: keyCertSign, cRLSign"),
        ),
        (&[KeyCertSign, DigitalSignature], &[], None),
        (&[DigitalSignature], &[ServerAuth], None),
        (&[DigitalSignature], &[Any], None),
        (&[], &[Any], None),
        (&[], &[ClientAuth, Any], None),
        (
            &[DigitalSignature],
            &[ClientAuth],
            Some("extendedKeyUsage: serverAuth is missing"),
        ),
    ] {
        let mut params = params(Some("unused"), &[NAME]);
        params.key_usages = usages.to_vec();
        params.extended_key_usages = extended.to_vec();
        let pinned = files.self_signed(&as_ca(params.clone()));
        let issued = files.issued_by(&ca, &params);
        for (name, identity, trusted) in [
            ("pinned", &pinned, &pinned.cert),
            ("issued", &issued, &trusted),
        ] {
            let name = &format!("{name}, {usages:?}, {extended:?}");
            // webpki does not accept `anyExtendedKeyUsage`.
            let is_any = identity.cert == issued.cert && extended.contains(&Any);
            let missing = "extendedKeyUsage: serverAuth is missing";
            let Some(refusal) = refusal.or(is_any.then_some(missing)) else {
                cases.push(accept(name, Serve, identity, trusted, NAMED));
                continue;
            };
            let texts = &[
                &*format!("{NOT_ALLOWED} ({refusal})"),
                "hint: install a certificate for servers \
                 (keyUsage: digitalSignature, extendedKeyUsage: serverAuth)",
            ];
            // The key usage of a certificate that a CA issued is not checked.
            if identity.cert == issued.cert && refusal.starts_with("keyUsage") && !is_any {
                cases.push(accept(name, Serve, identity, trusted, NAMED));
                continue;
            }
            cases.push(refuse(name, Serve, identity, trusted, NAMED, texts));
        }
    }
    check_all(&cases);
}

#[test]
fn serve_rejects_the_key_of_another_certificate() {
    let files = CertificateFolder::new();
    let params = as_ca(params(Some("localhost"), &["localhost"]));
    let key = KeyPair::generate().expect("a key");
    let other = files.self_signed_by(&params, &key);
    let stolen = files.self_signed(&params).with_key_of(&other);
    run([
        "serve",
        "--listen=127.0.0.1:0",
        "--cert",
        &stolen.cert,
        "--key",
        &stolen.key,
    ])
    .exits(2)
    .stderr_contains("pass --cert and --key that belong to each other");
}
