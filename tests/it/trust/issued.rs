//! Certificates that a CA issued.

use rcgen::SanType;
use rustls::version::{TLS12, TLS13};

use super::{
    EXPIRED, NAME, NAMED, NOT_YET_VALID, Serve, Unchecked, WRONG_KEY, accept, check_all, refuse,
};

use crate::support::certificates::{
    CertificateFolder, as_ca, authority, below, expired, not_yet_valid, params, san,
};

#[test]
fn trusts_certificates_of_a_trusted_ca() {
    let files = CertificateFolder::new();
    let ca = authority(params(Some("Test CA"), &[]));
    let trusted = &files.write(ca.pem());
    let other_ca = authority(params(Some("Other CA"), &[]));
    let untrusted = files.write(other_ca.pem());
    let bundle = files.write(other_ca.pem() + &ca.pem());
    let good = files.issued_by(&ca, &san(&[NAME, "other.test"]));
    let without_cn = files.issued_by(&ca, &params(None, &[NAME]));
    let outdated = files.issued_by(&ca, &expired(san(&[NAME])));
    let early = files.issued_by(&ca, &not_yet_valid(san(&[NAME])));
    let stolen = good.with_key_of(&files.self_signed(&san(&[NAME])));
    // A server's own certificate with CA:TRUE, as `openssl req -x509` makes it, can sign other
    // certificates.
    let server = authority(params(Some(NAME), &[]));
    let below_server = files.issued_by(&server, &san(&[NAME]));
    let pinned = files.write(server.pem());

    let both_cacerts = &["--cacert", trusted, NAMED[0]];
    let other = &["--servername=wrong.test"];
    let two_names = &[
        "not valid for \"wrong.test\" (valid for \"license.internal\", \"other.test\")",
        "hint: pass --servername license.internal",
    ];
    let address = &[
        "not valid for \"127.0.0.1\"",
        "hint: pass --servername license.internal",
    ];
    check_all(&[
        accept("issued, SAN", Serve, &good, trusted, NAMED),
        accept(
            "issued, SAN, TLS 1.2",
            Unchecked(&TLS12),
            &good,
            trusted,
            NAMED,
        ),
        accept("issued, no CN", Serve, &without_cn, trusted, NAMED),
        accept("CA second in --cacert", Serve, &without_cn, &bundle, NAMED),
        accept(
            "CA in the second --cacert",
            Serve,
            &without_cn,
            &untrusted,
            both_cacerts,
        ),
        accept(
            "issued by a pinned certificate",
            Serve,
            &below_server,
            &pinned,
            NAMED,
        ),
        refuse("expired", Serve, &outdated, trusted, NAMED, EXPIRED),
        refuse(
            "not yet valid",
            Serve,
            &early,
            trusted,
            NAMED,
            NOT_YET_VALID,
        ),
        refuse("wrong server name", Serve, &good, trusted, other, two_names),
        refuse("no server name", Serve, &good, trusted, &[], address),
        refuse(
            "wrong key, TLS 1.3",
            Unchecked(&TLS13),
            &stolen,
            trusted,
            NAMED,
            WRONG_KEY,
        ),
        refuse(
            "wrong key, TLS 1.2",
            Unchecked(&TLS12),
            &stolen,
            trusted,
            NAMED,
            WRONG_KEY,
        ),
    ]);
}

#[test]
fn uses_the_common_name_only_if_allowed() {
    let files = CertificateFolder::new();
    let ca = authority(params(Some("Test CA"), &[]));
    let trusted = &files.write(ca.pem());
    let leaf = files.issued_by(&ca, &params(Some(NAME), &[]));
    let allowed = &["--servername=license.internal", "--allow-common-name"];
    let wrong = &["--servername=wrong.test", "--allow-common-name"];
    let hint = &[
        "certificate has the common name \"license.internal\", but no SAN",
        "hint: pass --allow-common-name",
    ];
    let one_name = &[
        "not valid for \"wrong.test\"",
        "hint: pass --servername license.internal",
    ];
    let both = &["hint: pass --servername license.internal --allow-common-name"];
    check_all(&[
        refuse("CN only", Serve, &leaf, trusted, NAMED, hint),
        accept("CN only, allowed", Serve, &leaf, trusted, allowed),
        accept(
            "CN only, allowed, TLS 1.2",
            Unchecked(&TLS12),
            &leaf,
            trusted,
            allowed,
        ),
        refuse(
            "CN only, allowed, wrong name",
            Serve,
            &leaf,
            trusted,
            wrong,
            one_name,
        ),
        refuse("CN only, no name", Serve, &leaf, trusted, &[], both),
        accept("CN only, pinned", Serve, &leaf, &leaf.cert, NAMED),
    ]);
}

#[test]
fn explains_names_that_do_not_identify_a_server() {
    let files = CertificateFolder::new();
    let ca = authority(params(Some("Test CA"), &[]));
    let trusted = &files.write(ca.pem());
    let with_san = |name: SanType| {
        let mut params = params(Some(NAME), &[]);
        params.subject_alt_names = vec![name];
        params
    };
    let text = |name: &str| name.try_into().expect("ASCII");
    let absolute = with_san(SanType::DnsName(text("license.internal.")));
    let absolute_wildcard = with_san(SanType::DnsName(text("*.internal.test.")));
    let address = files.issued_by(&ca, &with_san(SanType::DnsName(text("127.0.0.1"))));
    let absolute_address = with_san(SanType::DnsName(text("127.0.0.1.")));
    let absolute_address = files.issued_by(&ca, &absolute_address);
    let uri = files.issued_by(&ca, &with_san(SanType::URI(text("spiffe://test/server"))));
    let pinned_uri = files.self_signed(&with_san(SanType::URI(text("spiffe://test/server"))));
    let pinned_absolute = files.self_signed(&as_ca(absolute.clone()));
    let below_absolute = files.issued_by(&ca, &absolute);
    let below_wildcard = files.issued_by(&ca, &absolute_wildcard);
    let sub_name = &["--servername=a.internal.test"];
    let not_sub_name = &["--servername=a.b.internal.test"];
    let in_dns_name = &[
        "certificate has \"127.0.0.1\" as a DNS name in its SAN, but an IP address needs an IP SAN",
        "hint: install a certificate with an IP SAN (subjectAltName=IP:127.0.0.1)",
    ];
    let other = &["not valid for \"license.internal\" (valid for \"127.0.0.1\")"];
    let only_uri = &[
        "certificate SAN has no DNS name or IP address, only \"URI:spiffe://test/server\"",
        "hint: install a certificate with the name of the server in its SAN",
    ];
    let wildcard = &["hint: pass --servername NAME with a name that matches \"*.internal.test.\""];
    check_all(&[
        accept(
            "SAN ends with a dot",
            Serve,
            &below_absolute,
            trusted,
            NAMED,
        ),
        accept(
            "SAN ends with a dot, pinned",
            Serve,
            &pinned_absolute,
            &pinned_absolute.cert,
            NAMED,
        ),
        accept(
            "wildcard ends with a dot",
            Serve,
            &below_wildcard,
            trusted,
            sub_name,
        ),
        refuse(
            "wildcard ends with a dot",
            Serve,
            &below_wildcard,
            trusted,
            not_sub_name,
            wildcard,
        ),
        refuse(
            "address in a DNS name",
            Serve,
            &address,
            trusted,
            &[],
            in_dns_name,
        ),
        refuse(
            "address in a DNS name, named",
            Serve,
            &address,
            trusted,
            NAMED,
            other,
        ),
        refuse(
            "address in a DNS name that ends with a dot",
            Serve,
            &absolute_address,
            trusted,
            &[],
            &["not valid for \"127.0.0.1\" (valid for \"127.0.0.1.\")"],
        ),
        refuse("URI only", Serve, &uri, trusted, NAMED, only_uri),
        refuse(
            "URI only, pinned",
            Serve,
            &pinned_uri,
            &pinned_uri.cert,
            NAMED,
            only_uri,
        ),
    ]);
}

#[test]
fn explains_wildcards_and_long_lists_of_names() {
    let files = CertificateFolder::new();
    let ca = authority(params(Some("Test CA"), &[]));
    let trusted = &files.write(ca.pem());
    let mut cases = Vec::new();
    for (sans, server_name, text, hint) in [
        (
            &["*.test"][..],
            "multi.test",
            "(unsupported wildcard: \"*.test\")",
            "hint: install a certificate with the name of the server",
        ),
        (
            &["*"],
            "localhost",
            "(unsupported wildcard: \"*\")",
            "hint: install a certificate with the name of the server",
        ),
        (
            &["l*", "a*.wild.test", "a.*.test"],
            "localhost",
            "(unsupported wildcard: \"l*\", \"a*.wild.test\", \"a.*.test\")",
            "hint: install a certificate with the name of the server",
        ),
        (
            &["*.test", "*.wild.test"],
            "b.a.wild.test",
            "(valid for \"*.wild.test\"; unsupported wildcard: \"*.test\")",
            "hint: pass --servername NAME with a name that matches \"*.wild.test\"",
        ),
        (
            &["*.wild.test", "*.test", "a.test"],
            "b.test",
            "(valid for \"*.wild.test\", \"a.test\"; unsupported wildcard: \"*.test\")",
            "hint: pass --servername a.test",
        ),
    ] {
        let identity = files.issued_by(&ca, &san(sans));
        let flags = &["--servername", server_name];
        cases.push(refuse(
            text,
            Serve,
            &identity,
            trusted,
            flags,
            &[text, hint],
        ));
    }
    for (common_name, text, hint) in [
        (
            "*.test",
            "(unsupported wildcard: \"*.test\")",
            "hint: install a certificate with the name of the server",
        ),
        (
            "*.wild.test",
            "(valid for \"*.wild.test\")",
            "hint: pass --servername NAME with a name that matches \"*.wild.test\" \
             and --allow-common-name",
        ),
    ] {
        let identity = files.issued_by(&ca, &params(Some(common_name), &[]));
        let flags = &["--servername=multi.test"];
        cases.push(refuse(
            text,
            Serve,
            &identity,
            trusted,
            flags,
            &[text, hint],
        ));
    }
    let many: Vec<_> = (0..100).map(|number| format!("h{number}.test")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let many = files.issued_by(&ca, &san(&many));
    let limited = &[
        "\"h19.test\", and 80 more)",
        "hint: pass --servername h0.test",
    ];
    cases.push(refuse("many", Serve, &many, trusted, NAMED, limited));
    check_all(&cases);
}

#[test]
fn refuses_certificates_of_other_cas() {
    let files = CertificateFolder::new();
    let ca = authority(params(Some("Test CA"), &[]));
    let trusted = files.write(ca.pem());
    let namesake = files.write(authority(params(Some("Test CA"), &[])).pem());
    let other_ca = files.write(authority(params(Some("Other CA"), &[])).pem());
    let leaf = files.issued_by(&ca, &san(&[NAME]));
    let self_signed = files.self_signed(&san(&[NAME]));
    let expired_ca = authority(expired(params(Some("Old CA"), &[])));
    let below_expired = files.issued_by(&expired_ca, &san(&[NAME]));
    let expired_ca = files.write(expired_ca.pem());

    let another_key = &[
        "certificate names the trusted CA \"CN=Test CA\" as issuer, but is signed with another key",
        "hint: pass --cacert PEM",
    ];
    let missing = &[
        "CA certificate \"CN=Test CA\" is missing",
        "hint: pass --cacert PEM",
    ];
    let another = &["certificate is self-signed and not the pinned certificate"];
    let unknown = &[
        "certificate is self-signed and not in the trust store",
        "hint: pass --cacert PEM with this certificate",
    ];
    let dates = &["CA certificate \"CN=Old CA\" expired on 2020-05-17 (valid from 2001-01-01)"];
    check_all(&[
        refuse(
            "namesake of the CA",
            Serve,
            &leaf,
            &namesake,
            NAMED,
            another_key,
        ),
        refuse("another CA", Serve, &leaf, &other_ca, NAMED, missing),
        refuse("system store", Serve, &leaf, &trusted, NAMED, missing).without_cacert(),
        refuse("self-signed", Serve, &self_signed, &trusted, NAMED, another),
        refuse(
            "self-signed, system store",
            Serve,
            &self_signed,
            &trusted,
            NAMED,
            unknown,
        )
        .without_cacert(),
        refuse(
            "expired CA",
            Serve,
            &below_expired,
            &expired_ca,
            NAMED,
            dates,
        ),
    ]);
}

#[test]
fn completes_chains_with_intermediates() {
    let files = CertificateFolder::new();
    let root = authority(params(Some("Root"), &[]));
    let intermediate = below(&root, params(Some("Intermediate"), &[]));
    let expired_intermediate = below(&root, expired(params(Some("Intermediate"), &[])));
    let trusted = files.write(root.pem());
    let other_ca = files.write(authority(params(Some("Other CA"), &[])).pem());
    let leaf = files.issued_by(&intermediate, &san(&[NAME]));
    let whole = files.with_chain(&leaf, &[intermediate.pem()]);
    let with_root = files.with_chain(&leaf, &[root.pem(), intermediate.pem()]);
    let outdated = files.issued_by(&expired_intermediate, &san(&[NAME]));
    let outdated = files.with_chain(&outdated, &[expired_intermediate.pem()]);
    let only_intermediate = files.write(intermediate.pem());
    let both = files.write(root.pem() + &intermediate.pem());
    let repeated_leaf = files.with_chain(&leaf, &[leaf.pem(), leaf.pem()]);
    check_all(&[
        refuse(
            "intermediate missing",
            Serve,
            &leaf,
            &trusted,
            NAMED,
            &[
                "CA certificate \"CN=Intermediate\" is missing",
                "hint: pass --cacert PEM with that CA certificate, or configure the server to send it",
            ],
        ),
        refuse(
            "intermediate missing, TLS 1.2",
            Unchecked(&TLS12),
            &leaf,
            &trusted,
            NAMED,
            &["CA certificate \"CN=Intermediate\" is missing"],
        ),
        refuse(
            "leaf in place of the intermediate",
            Serve,
            &repeated_leaf,
            &trusted,
            NAMED,
            &["CA certificate \"CN=Intermediate\" is missing"],
        ),
        accept("intermediate sent", Serve, &whole, &trusted, NAMED),
        accept("intermediate in --cacert", Serve, &leaf, &both, NAMED),
        accept(
            "only the intermediate in --cacert",
            Serve,
            &leaf,
            &only_intermediate,
            NAMED,
        ),
        accept(
            "chain out of order, with the root",
            Serve,
            &with_root,
            &trusted,
            NAMED,
        ),
        refuse(
            "intermediate sent, root unknown",
            Serve,
            &whole,
            &other_ca,
            NAMED,
            &["CA certificate \"CN=Root\" is missing"],
        ),
        refuse(
            "intermediate expired",
            Serve,
            &outdated,
            &trusted,
            NAMED,
            &["CA certificate \"CN=Intermediate\" expired on 2020-05-17 (valid from 2001-01-01)"],
        ),
    ]);
}
