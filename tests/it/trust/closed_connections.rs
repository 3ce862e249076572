//! Servers that request a client certificate and close the connection without an alert.

use std::sync::Arc;

use rcgen::KeyPair;
use rustls::{
    DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
    SupportedProtocolVersion,
    client::danger::HandshakeSignatureValid,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
    sign::SingleCertAndKey,
    version::{TLS12, TLS13},
};
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;
use x509_parser::parse_x509_certificate;

use crate::support::{
    async_server::{ServerTask, serve_connections},
    certificates::{CertificateFolder, Identity, authority, expired, params, san},
    program::push_to,
    records::ONE_RECORD,
    tls_server::certified_key,
};

/// Requests a client certificate, and accepts any certificate.
#[derive(Debug)]
struct AnyClient {
    authorities: Vec<DistinguishedName>,
    schemes: Vec<SignatureScheme>,
}

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.authorities
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

/// Starts a server that closes each connection after the TLS handshake.
fn closing_server(
    identity: &Identity,
    version: &'static SupportedProtocolVersion,
    client: AnyClient,
) -> ServerTask {
    let mut config = ServerConfig::builder_with_protocol_versions(&[version])
        .with_client_cert_verifier(Arc::new(client))
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified_key(identity))));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    serve_connections(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.shutdown().await;
                // Without reading to the end, the connection would be reset.
                let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
            }
        }
    })
}

#[test]
fn explains_a_server_that_only_closes_the_connection() {
    let files = CertificateFolder::new();
    let server = files.self_signed(&san(&["127.0.0.1"]));
    let ca = authority(params(Some("Client CA"), &[]));
    let good = files.issued_by(&ca, &params(Some("cron"), &[]));
    let outdated = files.issued_by(&ca, &expired(params(Some("cron"), &[])));
    let named = |ca: &str| {
        let params = params(Some(ca), &[]);
        let certificate = params.self_signed(&KeyPair::generate().expect("a key"));
        let certificate = certificate.expect("a certificate");
        let (_, parsed) = parse_x509_certificate(certificate.der()).expect("a certificate");
        vec![DistinguishedName::from(parsed.subject().as_raw().to_vec())]
    };
    let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
    let all = || algorithms.supported_schemes();
    let sent = "server closed the connection after the client certificate \"CN=cron\" was sent";
    let trusts = "hint: check that the server trusts the client certificate that was sent\n";
    for version in [&TLS12, &TLS13] {
        for (identity, authorities, schemes, texts) in [
            (
                None,
                Vec::new(),
                all(),
                &[
                    "server requested a client certificate and closed the connection",
                    "hint: pass --cert CLIENT.pem --key CLIENT.key",
                ][..],
            ),
            (Some(&good), Vec::new(), all(), &[sent, trusts]),
            (Some(&good), named("Client CA"), all(), &[sent, trusts]),
            (
                Some(&good),
                named("Evil \u{1b}[31mCA"),
                all(),
                &[sent, "a CA that the server did not name (named: \"CN=Evil "],
            ),
            (
                Some(&outdated),
                Vec::new(),
                all(),
                &[sent, "caused by: client certificate expired on 2020-05-17"],
            ),
            (
                Some(&good),
                Vec::new(),
                vec![SignatureScheme::RSA_PSS_SHA256],
                &[
                    "client certificate \"CN=cron\" was not sent: server does not support its kind of key",
                    "hint: pass a client certificate with another kind of key, such as ECDSA P-256 or RSA",
                ],
            ),
        ] {
            let closing = closing_server(
                &server,
                version,
                AnyClient {
                    authorities,
                    schemes,
                },
            );
            let mut flags = vec!["--cacert", &*server.cert];
            if let Some(client) = identity {
                flags.extend(["--cert", &client.cert, "--key", &client.key]);
            }
            let push = push_to(&closing.address, &flags, ONE_RECORD).exits(6);
            for text in texts {
                assert!(push.stderr.contains(text), "no {text:?} in {push:#?}");
            }
            assert!(!push.output().contains('\u{1b}'), "{push:#?}");
        }
    }
}
