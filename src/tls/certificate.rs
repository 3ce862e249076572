//! [`Certificate`]: the fields of an X.509 certificate (RFC 5280) that verification and reports need.

use std::fmt;

use rustls::pki_types::{CertificateDer, UnixTime};
use x509_parser::{
    certificate::{Validity, X509Certificate},
    der_parser::{Oid, oid},
    error::X509Error,
    extensions::{ExtendedKeyUsage, GeneralName, ParsedExtension},
    oid_registry,
    prelude::FromDer,
    public_key::PublicKey,
    time::ASN1Time,
    x509::X509Version,
};

use super::{
    general_name::{address_text, describe_name},
    name_constraints::may_issue_for,
    peer_role::PeerRole,
};

/// A parsed certificate. All strings come from the peer and must be escaped before a terminal shows
/// them.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    pub(super) der: CertificateDer<'static>,
    pub(super) common_names: Vec<String>,
    /// The DNS names and IP addresses in the subject alternative name extension, or `None` if the
    /// certificate lacks the extension.
    pub(crate) alternative_names: Option<Vec<String>>,
    pub(crate) validity: Validity,
    pub(super) is_x509_v1: bool,
    pub(super) weak_key: Option<Weakness>,
    pub(super) weak_signature: Option<Weakness>,
    /// The subject public key info in DER.
    pub(super) public_key_info: Vec<u8>,
}

/// The reason why a certificate is outside its validity period.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ValidityError {
    #[error("expired on {} (valid from {})", date(.0.not_after), date(.0.not_before))]
    Expired(Validity),
    #[error("is not valid until {} (valid to {})", date(.0.not_before), date(.0.not_after))]
    NotYetValid(Validity),
}

/// A property that lets an attacker forge a certificate.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum Weakness {
    #[error("has an RSA key of {bits} bits (minimum: {})", MIN_RSA_KEY_BITS)]
    Key { bits: usize },
    #[error("is signed with SHA-1 or MD5")]
    Signature,
}

/// The maximum length of a message with text of a certificate, which comes from the server.
pub(super) const MAX_SHOWN_CHARS: usize = 500;

/// The minimum length of an RSA key that rustls accepts.
const MIN_RSA_KEY_BITS: usize = 2048;

impl Certificate {
    /// The error is the parser's message.
    pub(super) fn parse(der: &CertificateDer<'_>) -> Result<Self, String> {
        let (rest, certificate) =
            X509Certificate::from_der(der).map_err(|error| reason_of(error.into()))?;
        if !rest.is_empty() {
            return Err(format!("{} bytes after the certificate", rest.len()));
        }
        Ok(Self {
            der: der.clone().into_owned(),
            common_names: certificate
                .subject()
                .iter_common_name()
                .filter_map(|name| name.as_str().ok().map(ToOwned::to_owned))
                .collect(),
            alternative_names: alternative_names(&certificate)?,
            validity: certificate.validity().clone(),
            is_x509_v1: certificate.version() == X509Version::V1,
            weak_key: match certificate.public_key().parsed() {
                Ok(PublicKey::RSA(key)) if key.key_size() < MIN_RSA_KEY_BITS => {
                    let bits = key.key_size();
                    Some(Weakness::Key { bits })
                }
                _ => None,
            },
            weak_signature: has_weak_signature(&certificate).then_some(Weakness::Signature),
            public_key_info: certificate.public_key().raw.to_vec(),
        })
    }

    /// Returns the distinguished name as text, because an issuer and a subject may encode the same
    /// text with different string types. The text is made on demand, because only reports and
    /// refusals need it and it takes as long as the rest of the certificate.
    pub(crate) fn subject(&self) -> String {
        self.distinguished_name(|certificate| certificate.subject().to_string())
    }

    /// See [`Self::subject`].
    pub(crate) fn issuer(&self) -> String {
        self.distinguished_name(|certificate| certificate.issuer().to_string())
    }

    fn distinguished_name(&self, name: fn(&X509Certificate<'_>) -> String) -> String {
        self.to_x509().as_ref().map(name).unwrap_or_default()
    }

    /// Parses the certificate again. The error is impossible, because [`Self::parse`] has succeeded.
    pub(super) fn to_x509(&self) -> Option<X509Certificate<'_>> {
        let (_, certificate) = X509Certificate::from_der(&self.der).ok()?;
        Some(certificate)
    }

    /// Returns the names in the SAN that are neither DNS names nor IP addresses.
    pub(crate) fn other_names(&self) -> Vec<String> {
        let certificate = self.to_x509();
        match certificate
            .as_ref()
            .map(|one| one.subject_alternative_name())
        {
            Some(Ok(Some(san))) => {
                let names = san.value.general_names.iter();
                let others = names.filter(|name| proven_name(name).is_none());
                others.map(describe_name).collect()
            }
            _ => Vec::new(),
        }
    }

    pub(crate) fn describe(&self) -> String {
        let text = format!(
            "certificate {:?} was issued by {:?}",
            self.subject(),
            self.issuer()
        );
        format!("{text:.MAX_SHOWN_CHARS$}")
    }

    pub(super) fn is_self_issued(&self) -> bool {
        self.subject() == self.issuer()
    }

    pub(super) fn names(&self) -> &[String] {
        self.alternative_names
            .as_deref()
            .unwrap_or(&self.common_names)
    }

    pub(super) fn may_issue_for(&self, names: &[String]) -> bool {
        let certificate = self.to_x509();
        certificate.is_none_or(|issuer| may_issue_for(&issuer, names))
    }

    /// Returns the SHA-256 digest of the DER, in lower-case hexadecimal.
    pub(crate) fn fingerprint(&self) -> String {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.der);
        data_encoding::HEXLOWER.encode(digest.as_ref())
    }

    /// Returns the key usage or extended key usage (RFC 5280 sections 4.2.1.3 and 4.2.1.12), if it
    /// does not allow TLS authentication in this role. A certificate without these extensions allows
    /// every usage. webpki and OpenSSL do not accept `anyExtendedKeyUsage`.
    pub(super) fn forbidden_usage(&self, role: PeerRole, accepts_any: bool) -> Option<String> {
        let certificate = self.to_x509()?;
        let mut extensions = certificate.extensions().iter();
        extensions.find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::KeyUsage(usage)
                if !(usage.digital_signature()
                    || usage.key_agreement()
                    || usage.key_encipherment() && role == PeerRole::Server) =>
            {
                Some(format!("keyUsage: {}", in_camel_case(&usage.to_string())))
            }
            ParsedExtension::ExtendedKeyUsage(usage)
                if !(allows_role(usage, role) || accepts_any && usage.any) =>
            {
                Some(format!("extendedKeyUsage: {role}Auth is missing"))
            }
            _ => None,
        })
    }

    pub(super) fn check_validity(&self, now: UnixTime) -> Result<(), ValidityError> {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        if now < self.validity.not_before.timestamp() {
            Err(ValidityError::NotYetValid(self.validity.clone()))
        } else if now > self.validity.not_after.timestamp() {
            Err(ValidityError::Expired(self.validity.clone()))
        } else {
            Ok(())
        }
    }
}

pub(super) fn describe_period(validity: &Validity) -> String {
    let (from, to) = (date(validity.not_before), date(validity.not_after));
    format!("valid from {from} to {to}")
}

fn date(time: ASN1Time) -> impl fmt::Display {
    time.to_datetime().date()
}

fn alternative_names(certificate: &X509Certificate<'_>) -> Result<Option<Vec<String>>, String> {
    let extension = certificate.subject_alternative_name().map_err(reason_of)?;
    Ok(extension.map(|extension| {
        extension
            .value
            .general_names
            .iter()
            .filter_map(proven_name)
            .collect()
    }))
}

/// Returns the name if it can prove the identity of a server.
fn proven_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address_text(bytes),
        _ => None,
    }
}

pub(super) fn allows_role(usage: &ExtendedKeyUsage<'_>, role: PeerRole) -> bool {
    match role {
        PeerRole::Server => usage.server_auth,
        PeerRole::Client => usage.client_auth,
    }
}

/// The text of the other errors shows variants of the parser.
fn reason_of(error: X509Error) -> String {
    match error {
        X509Error::Der(_) | X509Error::NomError(_) | X509Error::Generic => {
            "not valid DER".to_owned()
        }
        error => error.to_string(),
    }
}

/// Turns "Key Cert Sign, CRL Sign" into the names of RFC 5280: "keyCertSign, cRLSign".
fn in_camel_case(names: &str) -> String {
    let names: Vec<_> = names
        .split(", ")
        .map(|name| {
            let mut name = name.replace(' ', "");
            if let Some(first) = name.get_mut(..1) {
                first.make_ascii_lowercase();
            }
            name
        })
        .collect();
    names.join(", ")
}

/// The signature algorithm `ecdsa-with-SHA1` (RFC 3279 section 2.2.3).
const ECDSA_WITH_SHA1: Oid<'static> = oid!(1.2.840.10045.4.1);

fn has_weak_signature(certificate: &X509Certificate<'_>) -> bool {
    [
        oid_registry::OID_PKCS1_SHA1WITHRSA,
        oid_registry::OID_PKCS1_MD5WITHRSAENC,
        oid_registry::OID_SHA1_WITH_RSA,
        ECDSA_WITH_SHA1,
    ]
    .contains(certificate.signature_algorithm.oid())
}
