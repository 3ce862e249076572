//! [`CertificateInfo`]: the fields of an X.509 certificate (RFC 5280) that verification and reports
//! need.

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

/// The fields of a certificate that decide whether the certificate is trusted, and the fields by
/// which a person recognizes it. All strings come from the peer and must be escaped before a
/// terminal shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateInfo {
    pub(crate) subject: DistinguishedName,
    pub(crate) issuer: DistinguishedName,
    pub(crate) common_names: Vec<String>,
    /// The DNS names and IP addresses in the subject alternative name extension, or `None` if the
    /// certificate lacks the extension.
    pub(crate) alternative_names: Option<Vec<String>>,
    /// The first second of the validity period, in Unix seconds.
    pub(crate) not_before: i64,
    /// The last second of the validity period, in Unix seconds.
    pub(crate) not_after: i64,
    /// Whether the certificate is an X.509 v1 certificate, which has no extensions.
    pub(crate) is_x509_v1: bool,
    /// Whether key usage and extended key usage allow TLS server authentication.
    pub(crate) allows_tls_server: bool,
    /// Whether the certificate is signed with SHA-1 or MD5.
    pub(crate) has_weak_signature: bool,
    /// The length of the RSA key in bits, or `None` for other key types.
    pub(crate) rsa_key_bits: Option<usize>,
    /// The subject public key info in DER.
    pub(crate) public_key_info: Vec<u8>,
}

/// A distinguished name (RFC 5280 section 4.1.2.4) in DER.
///
/// The name is converted to text only when the text is needed, because the conversion takes longer
/// than parsing the rest of the certificate.
#[derive(Clone, Debug, Default, Eq)]
pub(crate) struct DistinguishedName(Vec<u8>);

/// The minimum length of an RSA key that rustls accepts, in bits.
const MIN_RSA_KEY_BITS: usize = 2048;

impl DistinguishedName {
    fn new(name: &X509Name<'_>) -> Self {
        Self(name.as_raw().to_vec())
    }
}

/// Compares names as text, because an issuer and a subject may encode the same text with different
/// string types.
impl PartialEq for DistinguishedName {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.to_string() == other.to_string()
    }
}

impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match X509Name::from_der(&self.0) {
            Ok((_, name)) => name.fmt(f),
            // Only the default value cannot be parsed, because it holds no DER. Its text is empty.
            Err(_) => Ok(()),
        }
    }
}

impl CertificateInfo {
    /// Parses a certificate.
    ///
    /// # Errors
    ///
    /// The reason why the certificate cannot be parsed.
    pub(crate) fn from_der(der: &CertificateDer<'_>) -> Result<Self, String> {
        let (rest, certificate) =
            X509Certificate::from_der(der).map_err(|error| error.to_string())?;
        if !rest.is_empty() {
            return Err(format!("{} bytes behind the certificate", rest.len()));
        }
        let subject = certificate.subject();
        Ok(Self {
            subject: DistinguishedName::new(subject),
            issuer: DistinguishedName::new(certificate.issuer()),
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
            public_key_info: certificate.public_key().raw.to_vec(),
        })
    }

    /// Returns whether the subject and the issuer are equal, as in a self-signed certificate.
    pub(crate) fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// Returns the length of the RSA key in bits if the key is too short for rustls, else `None`.
    pub(super) fn weak_rsa_key_bits(&self) -> Option<usize> {
        self.rsa_key_bits.filter(|bits| *bits < MIN_RSA_KEY_BITS)
    }

    /// Returns the names that the certificate is valid for: the subject alternative names, or the
    /// common names if the certificate has no subject alternative name extension.
    pub(crate) fn names(&self) -> &[String] {
        self.alternative_names
            .as_deref()
            .unwrap_or(&self.common_names)
    }
}

/// Returns the SHA-256 digest of the certificate's DER, in lower-case hexadecimal.
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

/// Returns whether key usage and extended key usage allow TLS server authentication (RFC 5280
/// sections 4.2.1.3 and 4.2.1.12). A certificate without these extensions allows every usage.
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

/// The signature algorithm `ecdsa-with-SHA1` (RFC 3279 section 2.2.3).
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
