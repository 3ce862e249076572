//! [`Unsuitability`]: the property of a certificate with which no chain through it is accepted.

use x509_parser::{
    asn1_rs::Tag,
    certificate::{Validity, X509Certificate},
    der_parser::{Oid, oid},
    extensions::{GeneralSubtree, NameConstraints},
    oid_registry::{self, OidEntry, OidRegistry},
    x509::{AlgorithmIdentifier, X509Version},
};

use super::{
    certificate::{Certificate, allows_role, describe_period},
    general_name::{describe_name, list as list_names},
    path::may_sign_certificates,
    peer_role::PeerRole,
};

#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Unsuitability {
    #[error("has a critical extension that is not supported: {0}")]
    CriticalExtension(String),
    #[error("may not issue certificates (basicConstraints: CA:TRUE is missing)")]
    NotCa,
    #[error("may not issue certificates (keyUsage: keyCertSign is missing)")]
    NotSigner,
    #[error("allows at most {0} CA certificates below it (basicConstraints: pathlen:{0})")]
    PathLength(u32),
    #[error("may not issue {0} certificates (extendedKeyUsage: {0}Auth is missing)")]
    ExtendedKeyUsage(PeerRole),
    #[error("is X.509 version 1, which only a trusted CA may be")]
    Version1,
    #[error("is X.509 version {0}, which is not supported")]
    Version(u32),
    #[error("may not issue for the names of the certificate (nameConstraints: {0})")]
    NameConstraints(String),
    #[error("is signed with an algorithm that is not supported: {0}")]
    SignatureAlgorithm(String),
    #[error("has an ECDSA key on a curve that is not supported: {0}")]
    Curve(String),
    #[error("has an ECDSA key whose curve is written as explicit parameters, not as a name")]
    ExplicitCurve,
    #[error("has a validity period that begins before 1970, which is not supported ({})", describe_period(.0))]
    EarlyValidity(Validity),
    #[error("has a key of a kind that is not supported: {0}")]
    KeyAlgorithm(String),
}

/// The critical extensions that webpki supports (RFC 5280 section 4.2.1).
const SUPPORTED_EXTENSIONS: [Oid<'static>; 6] = [
    oid_registry::OID_X509_EXT_KEY_USAGE,
    oid_registry::OID_X509_EXT_SUBJECT_ALT_NAME,
    oid_registry::OID_X509_EXT_BASIC_CONSTRAINTS,
    oid_registry::OID_X509_EXT_NAME_CONSTRAINTS,
    oid_registry::OID_X509_EXT_CRL_DISTRIBUTION_POINTS,
    oid_registry::OID_X509_EXT_EXTENDED_KEY_USAGE,
];

const SUPPORTED_CURVES: [Oid<'static>; 3] = [
    oid_registry::OID_EC_P256,
    oid_registry::OID_NIST_EC_P384,
    oid_registry::OID_NIST_EC_P521,
];

const SUPPORTED_KEYS: [Oid<'static>; 2] = [
    oid_registry::OID_PKCS1_RSAENCRYPTION,
    oid_registry::OID_SIG_ED25519,
];

/// Curves and algorithms that `OidRegistry` lacks.
static OTHER_NAMES: [(Oid<'static>, &str); 10] = [
    (oid!(1.2.840.10045.4.1), "ecdsa-with-SHA1"),
    (oid!(1.2.840.10045.3.1.1), "prime192v1"),
    (oid!(1.3.132.0.10), "secp256k1"),
    (oid!(1.3.132.0.33), "secp224r1"),
    (oid!(1.3.36.3.3.2.8.1.1.7), "brainpoolP256r1"),
    (oid!(1.3.36.3.3.2.8.1.1.11), "brainpoolP384r1"),
    (oid!(1.3.36.3.3.2.8.1.1.13), "brainpoolP512r1"),
    (oid!(1.2.840.10040.4.1), "DSA"),
    (oid!(1.3.101.110), "X25519"),
    (oid!(1.3.101.111), "X448"),
];

impl Unsuitability {
    /// Returns the property of the certificate to which an error of webpki may refer.
    pub(super) fn find(
        certificate: &Certificate,
        role: PeerRole,
        error: &webpki::Error,
    ) -> Option<Self> {
        use webpki::Error;
        let certificate = &certificate.to_x509()?;
        match error {
            Error::UnsupportedCriticalExtension => critical_extension(certificate),
            Error::EndEntityUsedAsCa if !certificate.is_ca() => Some(Self::NotCa),
            Error::EndEntityUsedAsCa => {
                (!may_sign_certificates(certificate)).then_some(Self::NotSigner)
            }
            Error::PathLenConstraintViolated => {
                let constraints = certificate.basic_constraints().ok()??.value;
                constraints.path_len_constraint.map(Self::PathLength)
            }
            Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => {
                let usage = certificate.extended_key_usage().ok()??.value;
                (!allows_role(usage, role)).then_some(Self::ExtendedKeyUsage(role))
            }
            Error::BadDerTime => {
                let validity = certificate.validity();
                let is_early = validity.not_before.timestamp() < 0;
                is_early.then(|| Self::EarlyValidity(validity.clone()))
            }
            Error::UnsupportedCertVersion if certificate.version() == X509Version::V1 => {
                Some(Self::Version1)
            }
            Error::UnsupportedCertVersion => unsupported_version(certificate),
            Error::NameConstraintViolation
            | Error::MalformedDnsIdentifier
            | Error::MalformedNameConstraint
            | Error::InvalidNetworkMaskConstraint => {
                let constraints = certificate.name_constraints().ok()??.value;
                Some(Self::NameConstraints(describe_constraints(constraints)))
            }
            Error::UnsupportedSignatureAlgorithmContext(context) => {
                let algorithm = &certificate.signature_algorithm.algorithm;
                let id = context
                    .signature_algorithm_id
                    .windows(algorithm.as_bytes().len());
                let mut id = id.filter(|id| id == &algorithm.as_bytes());
                id.next()
                    .map(|_| Self::SignatureAlgorithm(describe_algorithm(algorithm)))
            }
            Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
                unsupported_key(certificate)
            }
            _ => None,
        }
    }

    /// Returns the property with which a trusted certificate cannot issue certificates.
    pub(super) fn of_trust_root(certificate: &Certificate) -> Option<Self> {
        unsupported_version(&certificate.to_x509()?)
    }

    /// Returns the property with which a peer cannot sign a handshake.
    pub(super) fn of_signer(certificate: &Certificate) -> Option<Self> {
        let certificate = &certificate.to_x509()?;
        critical_extension(certificate).or_else(|| unsupported_key(certificate))
    }
}

fn unsupported_version(certificate: &X509Certificate<'_>) -> Option<Unsuitability> {
    match certificate.version() {
        X509Version::V1 | X509Version::V3 => None,
        // The encoded number of the first version is 0.
        X509Version(encoded) => Some(Unsuitability::Version(encoded.saturating_add(1))),
    }
}

fn unsupported_key(certificate: &X509Certificate<'_>) -> Option<Unsuitability> {
    let AlgorithmIdentifier {
        algorithm,
        parameters,
    } = &certificate.public_key().algorithm;
    if *algorithm == oid_registry::OID_KEY_TYPE_EC_PUBLIC_KEY {
        let named = parameters.as_ref().filter(|curve| curve.tag() == Tag::Oid);
        let curve = named.and_then(|curve| curve.as_oid().ok());
        return match curve {
            Some(curve) if SUPPORTED_CURVES.contains(&curve) => None,
            Some(curve) => Some(Unsuitability::Curve(name_of(&curve))),
            None => Some(Unsuitability::ExplicitCurve),
        };
    }
    let is_supported = SUPPORTED_KEYS.contains(algorithm);
    (!is_supported).then(|| Unsuitability::KeyAlgorithm(name_of(algorithm)))
}

fn critical_extension(certificate: &X509Certificate<'_>) -> Option<Unsuitability> {
    let mut critical = certificate.extensions().iter().filter(|one| one.critical);
    let extension = critical.find(|one| !SUPPORTED_EXTENSIONS.contains(&one.oid))?;
    Some(Unsuitability::CriticalExtension(name_of(&extension.oid)))
}

fn describe_algorithm(algorithm: &Oid<'_>) -> String {
    let name = name_of(algorithm);
    if *algorithm == oid_registry::OID_PKCS1_RSASSAPSS {
        return format!("{name} with these parameters");
    }
    name
}

/// Returns the short name of an object, and its number.
fn name_of(oid: &Oid<'_>) -> String {
    let registry = OidRegistry::default().with_x509().with_crypto();
    let registered = registry.get(oid).map(OidEntry::sn);
    let other = || OTHER_NAMES.iter().find(|(other, _)| other == oid);
    match registered.or_else(|| other().map(|(_, name)| *name)) {
        Some(name) => format!("{name} ({oid})"),
        None => oid.to_string(),
    }
}

fn describe_constraints(constraints: &NameConstraints<'_>) -> String {
    let list = |label: &str, subtrees: &Option<Vec<GeneralSubtree<'_>>>| {
        let subtrees = subtrees.as_ref()?;
        let bases = list_names(subtrees.iter().map(|one| describe_name(&one.base)));
        Some(format!("{label} {bases}"))
    };
    let permitted = list("permitted", &constraints.permitted_subtrees);
    let excluded = list("excluded", &constraints.excluded_subtrees);
    let lists: Vec<_> = permitted.into_iter().chain(excluded).collect();
    lists.join("; ")
}
