//! Clients that a server refuses because of their certificate, and what both sides say about it.

use rcgen::{CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, KeyPair};
use x509_parser::x509::X509Version;

use crate::support::{
    certificates::{
        CertificateAuthority, CertificateFolder, Identity, as_ca, authority, expired,
        not_yet_valid, params, san,
    },
    openssl::OpensslServer,
    program::{push_to, run},
    receiver::Receiver,
    records::ONE_RECORD,
};

/// A client without a certificate, or with one that servers refuse.
struct RefusedClient {
    name: &'static str,
    identity: Option<Identity>,
    /// Texts on standard error of `push`.
    texts: Vec<String>,
    /// The note of `serve -v`.
    note: &'static str,
    /// Whether OpenSSL refuses the client as well, whatever its security level is.
    is_refused_by_openssl: bool,
}

fn sent(
    name: &'static str,
    identity: Identity,
    texts: &[&str],
    note: &'static str,
) -> RefusedClient {
    let texts = ["client certificate \"CN=cron\" that was sent"]
        .iter()
        .chain(texts);
    RefusedClient {
        name,
        identity: Some(identity),
        texts: texts.map(|&text| text.to_owned()).collect(),
        note,
        is_refused_by_openssl: true,
    }
}

fn cron() -> CertificateParams {
    params(Some("cron"), &[])
}

fn below_an_expired_intermediate(
    files: &CertificateFolder,
    ca: &CertificateAuthority,
) -> RefusedClient {
    let intermediate = expired(as_ca(params(Some("Intermediate"), &[])));
    let key = KeyPair::generate().expect("a key");
    let intermediate = CertifiedIssuer::signed_by(intermediate, key, ca).expect("a CA");
    let leaf = files.issued_by(&intermediate, &cron());
    sent(
        "expired intermediate",
        files.with_chain(&leaf, &[intermediate.pem()]),
        &[
            "caused by: CA certificate \"CN=Intermediate\" of the client certificate expired on \
             2020-05-17 (valid from 2001-01-01)",
            ", or renew that CA certificate in --cert\n",
        ],
        "CA certificate \"CN=Intermediate\" expired on 2020-05-17",
    )
}

fn refused_clients(
    files: &CertificateFolder,
    ca: &CertificateAuthority,
    ca_files: &Identity,
) -> Vec<RefusedClient> {
    let other_ca = authority(params(Some("Other CA"), &[]));
    let mut for_servers = cron();
    for_servers.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    vec![
        RefusedClient {
            name: "none",
            identity: None,
            texts: vec![
                "server requires a client certificate".to_owned(),
                "hint: pass --cert CLIENT.pem --key CLIENT.key\n".to_owned(),
            ],
            note: "client sent no certificate",
            is_refused_by_openssl: true,
        },
        sent(
            "expired",
            files.issued_by(ca, &expired(cron())),
            &[
                "caused by: client certificate expired on 2020-05-17 (valid from 2001-01-01)",
                "hint: renew the client certificate",
            ],
            "client certificate refused: certificate expired on 2020-05-17 (valid from 2001-01-01); \
             certificate \"CN=cron\" was issued by \"CN=Client CA\"",
        ),
        below_an_expired_intermediate(files, ca),
        sent(
            "not yet valid",
            files.issued_by(ca, &not_yet_valid(cron())),
            &[
                "caused by: client certificate is not valid until 2090-05-17 (valid to 2098-01-01)",
                "hint: check the clock of this machine",
            ],
            "certificate is not valid until 2090-05-17",
        ),
        sent(
            "issued by another CA",
            files.issued_by(&other_ca, &cron()),
            &[
                "caused by: client certificate was issued by \"CN=Other CA\", a CA that the server did \
                 not name (named: \"CN=Client CA\")",
                "hint: check that the server trusts the client certificate that was sent",
            ],
            "CA certificate \"CN=Other CA\" is missing",
        ),
        sent(
            "self-signed",
            files.self_signed(&cron()),
            &[
                "client certificate was issued by \"CN=cron\", a CA that the server did not name",
                "hint: check that the server trusts the client certificate that was sent",
            ],
            "certificate is self-signed and not the pinned certificate",
        ),
        sent(
            "another CA of the same name",
            files.issued_by(&authority(params(Some("Client CA"), &[])), &cron()),
            &["hint: check that the server trusts the client certificate that was sent\n"],
            "certificate names the trusted CA \"CN=Client CA\" as issuer, but is signed with another key",
        ),
        sent(
            "server certificate",
            files.issued_by(ca, &for_servers),
            &[
                "client certificate key usage does not allow TLS client authentication \
                 (extendedKeyUsage: clientAuth is missing)",
                "hint: request a certificate for clients \
                 (keyUsage: digitalSignature, extendedKeyUsage: clientAuth)",
            ],
            "certificate key usage does not allow TLS client authentication",
        ),
        RefusedClient {
            is_refused_by_openssl: false,
            ..sent(
                "X.509 v1",
                files.old_version_issued_by(ca, &cron(), X509Version::V1),
                &[
                    "client certificate is X.509 version 1, which many servers refuse",
                    "hint: request a client certificate of X.509 version 3",
                ],
                "certificate is X.509 version 1, which is accepted only if it is pinned",
            )
        },
        RefusedClient {
            is_refused_by_openssl: false,
            ..sent(
                "SHA-1",
                files.openssl_issued_by(ca_files, &cron(), "-sha1", "keyUsage=digitalSignature\n"),
                &[
                    "client certificate is signed with SHA-1 or MD5",
                    "hint: request a client certificate that is signed with SHA-256",
                ],
                "certificate is signed with an algorithm that is not supported: ecdsa-with-SHA1",
            )
        },
    ]
}

#[test]
fn says_why_a_client_was_refused() {
    let files = CertificateFolder::new();
    let ca = authority(params(Some("Client CA"), &[]));
    let ca_files = Identity {
        cert: files.write(ca.pem()),
        key: files.write(ca.key().serialize_pem()),
    };
    let server = files.self_signed(&san(&["127.0.0.1"]));
    let openssl = ["-tls1_2", "-tls1_3"].map(|version| {
        OpensslServer::requiring_client_certificate(&server, &ca_files.cert, version)
    });
    for client in refused_clients(&files, &ca, &ca_files) {
        let receiver = Receiver::with([
            "-v",
            "--cert",
            &server.cert,
            "--key",
            &server.key,
            "--client-ca",
            &ca_files.cert,
        ]);
        let mut servers = vec![&receiver.address];
        if client.is_refused_by_openssl {
            servers.extend(openssl.iter().map(|server| &server.address));
        }
        for address in servers {
            client.is_refused_by(address, &server.cert);
        }
        receiver.wait_for_note(client.note);
        assert_eq!(receiver.stop().requests, 0, "{}", client.name);
    }
}

impl RefusedClient {
    fn is_refused_by(&self, address: &str, cacert: &str) {
        let name = self.name;
        let mut flags = vec!["--cacert", cacert];
        if let Some(client) = &self.identity {
            flags.extend(["--cert", &client.cert, "--key", &client.key]);
        }
        let push = push_to(address, &flags, ONE_RECORD).exits(6);
        for text in &self.texts {
            assert!(
                push.stderr.contains(text),
                "{name}: no {text:?} in {push:#?}"
            );
        }
        let probe = run([&["probe", "--output=json", "--server", address], &flags[..]].concat());
        let report = probe.exits(6).json();
        assert_eq!(report["error"]["kind"], "tls", "{name}: {report}");
        let detail = &report["stages"]
            .as_array()
            .expect("stages")
            .last()
            .expect("one")["detail"];
        let detail = detail.as_str().expect("text");
        assert!(detail.contains(&self.texts[0]), "{name}: {report}");
        let expected = match self.identity {
            None => serde_json::json!(["--cert", "CLIENT.pem", "--key", "CLIENT.key"]),
            Some(_) => serde_json::json!([]),
        };
        assert_eq!(report["flags"], expected, "{name}: {report}");
    }
}
