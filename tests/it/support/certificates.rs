//! Certificates that are made for a test.

use std::{cell::Cell, fs};

use data_encoding::BASE64;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, DnValue, IsCa,
    KeyPair, SanType, SigningKey,
};
use tempfile::TempDir;
use x509_parser::{
    asn1_rs::{Any, FromDer},
    parse_x509_certificate,
    x509::X509Version,
};

use super::{files::utf8, openssl::openssl};

/// The paths of two PEM files: a certificate chain, and the private key of its first certificate.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl Identity {
    /// Returns the PEM text of the chain.
    pub(crate) fn pem(&self) -> String {
        fs::read_to_string(&self.cert).expect("text")
    }

    /// Returns this certificate with the private key of `other`.
    pub(crate) fn with_key_of(&self, other: &Self) -> Self {
        Self {
            cert: self.cert.clone(),
            key: other.key.clone(),
        }
    }
}

/// A CA certificate with its private key, for signing certificates.
pub(crate) type CertificateAuthority = CertifiedIssuer<'static, KeyPair>;

/// Returns certificate parameters with exactly these names, valid from 2001 to 2098.
pub(crate) fn params(common_name: Option<&str>, sans: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    if let Some(name) = common_name {
        params
            .distinguished_name
            .push(DnType::CommonName, DnValue::Utf8String(name.to_owned()));
    }
    params.subject_alt_names = sans
        .iter()
        .map(|name| match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName((*name).try_into().expect("a name")),
        })
        .collect();
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2098, 1, 1);
    params
}

/// Returns certificate parameters with these names in the SAN, and with a common name that must
/// have no effect.
pub(crate) fn san(names: &[&str]) -> CertificateParams {
    params(Some("unused"), names)
}

/// Returns the parameters with CA:TRUE, as `openssl req -x509` sets it.
pub(crate) fn as_ca(mut params: CertificateParams) -> CertificateParams {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

/// Returns the parameters with an end of validity that has passed.
pub(crate) fn expired(mut params: CertificateParams) -> CertificateParams {
    params.not_after = rcgen::date_time_ymd(2020, 5, 17);
    params
}

/// Returns the parameters with a start of validity that is not reached.
pub(crate) fn not_yet_valid(mut params: CertificateParams) -> CertificateParams {
    params.not_before = rcgen::date_time_ymd(2090, 5, 17);
    params
}

pub(crate) fn authority(params: CertificateParams) -> CertificateAuthority {
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(as_ca(params), key).expect("a CA")
}

/// Returns a CA that another CA issued.
pub(crate) fn below(
    issuer: &CertificateAuthority,
    params: CertificateParams,
) -> CertificateAuthority {
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::signed_by(as_ca(params), key, issuer).expect("a CA")
}

/// A temporary folder with the certificates of one test.
pub(crate) struct CertificateFolder {
    folder: TempDir,
    file_count: Cell<u32>,
}

impl CertificateFolder {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            file_count: Cell::new(0),
        }
    }

    /// Returns a new path with this extension.
    pub(crate) fn path(&self, extension: &str) -> String {
        let number = self.file_count.get() + 1;
        self.file_count.set(number);
        let path = self.folder.path().join(format!("{number}.{extension}"));
        utf8(&path).to_owned()
    }

    /// Writes a file and returns its path.
    pub(crate) fn write(&self, content: impl AsRef<[u8]>) -> String {
        let path = self.path("pem");
        fs::write(&path, content).expect("written");
        path
    }

    fn identity(&self, certificate: impl AsRef<[u8]>, key: &KeyPair) -> Identity {
        Identity {
            cert: self.write(certificate),
            key: self.write(key.serialize_pem()),
        }
    }

    /// Makes a self-signed certificate with a new key.
    pub(crate) fn self_signed(&self, params: &CertificateParams) -> Identity {
        self.self_signed_by(params, &KeyPair::generate().expect("a key"))
    }

    /// Makes a self-signed certificate with this key.
    pub(crate) fn self_signed_by(&self, params: &CertificateParams, key: &KeyPair) -> Identity {
        let certificate = params.self_signed(key).expect("a certificate");
        self.identity(certificate.pem(), key)
    }

    /// Makes a certificate that the CA signs. The chain has only this certificate, not the CA.
    pub(crate) fn issued_by(
        &self,
        issuer: &CertificateAuthority,
        params: &CertificateParams,
    ) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, issuer).expect("a certificate");
        self.identity(certificate.pem(), &key)
    }

    /// Returns the identity with more certificates at the end of its chain.
    pub(crate) fn with_chain(&self, identity: &Identity, chain: &[String]) -> Identity {
        Identity {
            cert: self.write(identity.pem() + &chain.concat()),
            key: identity.key.clone(),
        }
    }

    /// Makes a self-signed certificate for `license.internal` as `openssl req -x509` does with
    /// these options.
    pub(crate) fn openssl_self_signed(&self, options: &[&str]) -> Identity {
        let identity = Identity {
            cert: self.path("crt"),
            key: self.path("key"),
        };
        let args = ["req", "-x509", "-nodes", "-days", "9000", "-subj"];
        let subject = "/CN=license.internal";
        let files = [subject, "-out", &identity.cert, "-keyout", &identity.key];
        openssl(args.iter().chain(&files).chain(options).copied(), b"");
        identity
    }

    /// Makes a certificate with these extensions, which the CA signs. `digest` is an option of
    /// `openssl`, such as `-sha1`.
    pub(crate) fn openssl_issued_by(
        &self,
        issuer: &Identity,
        params: &CertificateParams,
        digest: &str,
        extensions: &str,
    ) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let request = params.serialize_request(&key).expect("a request");
        let request = request.pem().expect("PEM");
        let certificate = self.openssl_sign(issuer, request.as_bytes(), digest, extensions);
        self.identity(certificate, &key)
    }

    /// Signs a certificate request, and returns the certificate in PEM. `digest` is an option of
    /// `openssl`, such as `-sha1`.
    pub(crate) fn openssl_sign(
        &self,
        issuer: &Identity,
        request: &[u8],
        digest: &str,
        extensions: &str,
    ) -> String {
        let extensions = self.write(extensions);
        let args = ["x509", "-req", digest, "-days", "9000", "-set_serial", "7"];
        let files = ["-CA", &issuer.cert, "-CAkey", &issuer.key, "-extfile"];
        let all = args.iter().chain(&files).copied();
        let certificate = openssl(all.chain([&*extensions]), request);
        String::from_utf8(certificate).expect("PEM")
    }

    /// Makes a self-signed certificate of X.509 version 1.
    pub(crate) fn version_1(&self, params: &CertificateParams, key: &KeyPair) -> Identity {
        let certificate = params.self_signed(key).expect("a certificate");
        self.identity(version_1(certificate.der(), key), key)
    }

    /// Makes a certificate of X.509 version 1 or 2 that the CA signs.
    pub(crate) fn old_version_issued_by(
        &self,
        issuer: &CertificateAuthority,
        params: &CertificateParams,
        version: X509Version,
    ) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, issuer).expect("a certificate");
        self.identity(old_version(certificate.der(), issuer.key(), version), &key)
    }
}

/// Converts a DER certificate to X.509 version 1, which has no extensions. Signs the result again,
/// and returns it in PEM.
pub(crate) fn version_1(der: &[u8], signer: &impl SigningKey) -> String {
    old_version(der, signer, X509Version::V1)
}

/// Converts a DER certificate to X.509 version 1 or 2 like [`version_1`].
pub(crate) fn old_version(der: &[u8], signer: &impl SigningKey, version: X509Version) -> String {
    let certificate = elements(der);
    let body = elements(certificate[0]);
    // Version 1 and 2 lack the field [3] (extensions), and version 1 also [0] (version).
    let body = body.iter().filter(|one| ![0xa0, 0xa3].contains(&one[0]));
    let number: &[u8] = match version {
        X509Version::V1 => &[],
        _ => &[0xa0, 3, 2, 1, 1],
    };
    let fields: Vec<_> = [number].into_iter().chain(body.copied()).collect();
    let body = sequence(&fields);
    let signature = signer.sign(&body).expect("a signature");
    // A bit string begins with the number of its unused bits.
    let bits = [&[3][..], &length(signature.len() + 1), &[0], &signature].concat();
    let der = sequence(&[&body[..], certificate[1], &bits]);
    let (_, parsed) = parse_x509_certificate(&der).expect("a certificate");
    assert_eq!(parsed.version(), version);
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        BASE64.encode(&der)
    )
}

/// Splits a DER sequence into its elements.
fn elements(der: &[u8]) -> Vec<&[u8]> {
    let (_, sequence) = Any::from_der(der).expect("DER");
    let mut rest = sequence.data;
    let mut elements = Vec::new();
    while !rest.is_empty() {
        let (after, _) = Any::from_der(rest).expect("DER");
        elements.push(&rest[..rest.len() - after.len()]);
        rest = after;
    }
    elements
}

/// Encodes a DER sequence.
fn sequence(elements: &[&[u8]]) -> Vec<u8> {
    let content = elements.concat();
    [&[0x30][..], &length(content.len()), &content].concat()
}

/// Encodes a length in DER.
fn length(length: usize) -> Vec<u8> {
    match u16::try_from(length).expect("short").to_be_bytes() {
        [0, low @ 0..=127] => vec![low],
        [0, low] => vec![0x81, low],
        [high, low] => vec![0x82, high, low],
    }
}
