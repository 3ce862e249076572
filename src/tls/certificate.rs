//! What a certificate says of itself (RFC 5280), for checks and for people.

use std::fmt;

use rustls::pki_types::CertificateDer;
use x509_parser::{
    certificate::X509Certificate,
    der_parser::{Oid, oid},
    extensions::{GeneralName, ParsedExtension},
    oid_registry,
    prelude::FromDer,
    public_key::PublicKey,
    x509::{X509Name, X509Version},
};

/// The parts of a certificate that decide whether it is trusted, and those that a person needs to
/// recognise it. The texts are the certificate's own: they are not safe for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateInfo {
    pub(crate) subject: DistinguishedName,
    pub(crate) issuer: DistinguishedName,
    pub(crate) common_names: Vec<String>,
    /// The DNS names and IP addresses of the subject alternative names; `None` without that
    /// extension.
    pub(crate) alternative_names: Option<Vec<String>>,
    /// Unix seconds.
    pub(crate) not_before: i64,
    /// Unix seconds, inclusive.
    pub(crate) not_after: i64,
    /// X.509 v1, which has no extensions.
    pub(crate) is_x509_v1: bool,
    /// Whether key usage and extended key usage let the key sign a TLS handshake as a server.
    pub(crate) allows_tls_server: bool,
    /// A signature over SHA-1 or MD5.
    pub(crate) has_weak_signature: bool,
    /// The modulus of an RSA key, in bits.
    pub(crate) rsa_key_bits: Option<usize>,
    /// The subject public key info, DER.
    pub(crate) public_key: Vec<u8>,
}

/// A distinguished name (RFC 5280 section 4.1.2.4), as DER. Its text, which takes longer than all
/// else that is read of a certificate, is made when it is shown.
#[derive(Clone, Debug, Default, Eq)]
pub(crate) struct DistinguishedName(Vec<u8>);

impl DistinguishedName {
    fn read(name: &X509Name<'_>) -> Self {
        Self(name.as_raw().to_vec())
    }
}

/// The same text in another string type is the same name.
impl PartialEq for DistinguishedName {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.to_string() == other.to_string()
    }
}

impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match X509Name::from_der(&self.0) {
            Ok((_, name)) => name.fmt(f),
            // None was read.
            Err(_) => Ok(()),
        }
    }
}

impl CertificateInfo {
    /// Reads a certificate.
    ///
    /// # Errors
    ///
    /// What the parser says is wrong with the DER.
    pub(crate) fn from_der(der: &CertificateDer<'_>) -> Result<Self, String> {
        let (rest, certificate) =
            X509Certificate::from_der(der).map_err(|error| error.to_string())?;
        if !rest.is_empty() {
            return Err(format!("{} bytes behind the certificate", rest.len()));
        }
        let subject = certificate.subject();
        Ok(Self {
            subject: DistinguishedName::read(subject),
            issuer: DistinguishedName::read(certificate.issuer()),
            common_names: subject
                .iter_common_name()
                .filter_map(|name| name.as_str().ok().map(ToOwned::to_owned))
                .collect(),
            alternative_names: alternative_names(&certificate)?,
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
            is_x509_v1: certificate.version() == X509Version::V1,
            allows_tls_server: allows_tls_server(&certificate),
            has_weak_signature: has_weak_signature(&certificate),
            rsa_key_bits: match certificate.public_key().parsed() {
                Ok(PublicKey::RSA(key)) => Some(key.key_size()),
                _ => None,
            },
            public_key: certificate.public_key().raw.to_vec(),
        })
    }

    /// Whether it names itself as its issuer, as a self-signed certificate does.
    pub(crate) fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// The names a client may ask for: the alternative names, else the common name.
    pub(crate) fn names(&self) -> &[String] {
        self.alternative_names
            .as_deref()
            .unwrap_or(&self.common_names)
    }
}

/// The SHA-256 of a certificate's DER, in lower-case hexadecimal.
pub(crate) fn fingerprint(der: &CertificateDer<'_>) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
    data_encoding::HEXLOWER.encode(digest.as_ref())
}

fn alternative_names(certificate: &X509Certificate<'_>) -> Result<Option<Vec<String>>, String> {
    let extension = certificate
        .subject_alternative_name()
        .map_err(|error| error.to_string())?;
    Ok(extension.map(|extension| {
        extension
            .value
            .general_names
            .iter()
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some((*name).to_owned()),
                GeneralName::IPAddress(bytes) => ip_address(bytes),
                _ => None,
            })
            .collect()
    }))
}

fn ip_address(bytes: &[u8]) -> Option<String> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::IpAddr::from(v4).to_string());
    }
    <[u8; 16]>::try_from(bytes)
        .ok()
        .map(|v6| std::net::IpAddr::from(v6).to_string())
}

/// RFC 5280 section 4.2.1.3 and 4.2.1.12: absent means any use.
fn allows_tls_server(certificate: &X509Certificate<'_>) -> bool {
    certificate
        .extensions()
        .iter()
        .all(|extension| match extension.parsed_extension() {
            ParsedExtension::KeyUsage(usage) => {
                usage.digital_signature() || usage.key_encipherment() || usage.key_agreement()
            }
            ParsedExtension::ExtendedKeyUsage(usage) => usage.server_auth || usage.any,
            _ => true,
        })
}

/// `ecdsa-with-SHA1` (RFC 3279 section 2.2.3).
const ECDSA_WITH_SHA1: Oid<'static> = oid!(1.2.840.10045.4.1);

fn has_weak_signature(certificate: &X509Certificate<'_>) -> bool {
    let algorithm = certificate.signature_algorithm.oid();
    [
        oid_registry::OID_PKCS1_SHA1WITHRSA,
        oid_registry::OID_PKCS1_MD5WITHRSAENC,
        oid_registry::OID_SHA1_WITH_RSA,
    ]
    .contains(algorithm)
        || *algorithm == ECDSA_WITH_SHA1
}
