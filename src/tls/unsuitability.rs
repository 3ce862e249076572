//! [`Unsuitability`]: the property of a certificate with which no chain through it is accepted.

use x509_parser::{
    certificate::X509Certificate,
    der_parser::Oid,
    extensions::{GeneralSubtree, NameConstraints},
    oid_registry::{self, OidRegistry},
    x509::X509Version,
};

use super::{certificate::Certificate, general_name::describe_name};

#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Unsuitability {
    #[error("has a critical extension that is not supported: {0}")]
    CriticalExtension(String),
    #[error("may not issue certificates (basicConstraints: CA:TRUE is missing)")]
    NotCa,
    #[error("allows fewer CA certificates below it (basicConstraints: pathlen:{0})")]
    PathLength(u32),
    #[error("may not issue server certificates (extendedKeyUsage: serverAuth is missing)")]
    ExtendedKeyUsage,
    #[error("is X.509 version 1, which only a trusted CA may be")]
    Version1,
    #[error("may not issue for the names of the certificate (nameConstraints: {0})")]
    NameConstraints(String),
    #[error("is signed with an algorithm that is not supported: {0}")]
    SignatureAlgorithm(String),
    #[error("has an ECDSA key on a curve that is not supported: {0}")]
    Curve(String),
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

impl Unsuitability {
    /// Returns the property of the certificate to which an error of webpki may refer.
    pub(super) fn find(certificate: &Certificate, error: &webpki::Error) -> Option<Self> {
        use webpki::Error;
        let certificate = &certificate.to_x509()?;
        match error {
            Error::UnsupportedCriticalExtension => critical_extension(certificate),
            Error::EndEntityUsedAsCa => (!certificate.is_ca()).then_some(Self::NotCa),
            Error::PathLenConstraintViolated => {
                let constraints = certificate.basic_constraints().ok()??.value;
                constraints.path_len_constraint.map(Self::PathLength)
            }
            Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => {
                let usage = certificate.extended_key_usage().ok()??.value;
                (!usage.server_auth).then_some(Self::ExtendedKeyUsage)
            }
            Error::UnsupportedCertVersion => {
                (certificate.version() == X509Version::V1).then_some(Self::Version1)
            }
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
                let parameters = certificate.public_key().algorithm.parameters.as_ref();
                let curve = parameters?.as_oid().ok()?;
                (!SUPPORTED_CURVES.contains(&curve)).then(|| Self::Curve(name_of(&curve)))
            }
            _ => None,
        }
    }
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
    match OidRegistry::default().with_x509().with_crypto().get(oid) {
        Some(entry) => format!("{} ({oid})", entry.sn()),
        None => oid.to_string(),
    }
}

fn describe_constraints(constraints: &NameConstraints<'_>) -> String {
    let list = |label: &str, subtrees: &Option<Vec<GeneralSubtree<'_>>>| {
        let subtrees = subtrees.as_ref()?;
        let bases: Vec<_> = subtrees
            .iter()
            .map(|one| describe_name(&one.base))
            .collect();
        Some(format!("{label} {}", bases.join(", ")))
    };
    let permitted = list("permitted", &constraints.permitted_subtrees);
    let excluded = list("excluded", &constraints.excluded_subtrees);
    let lists: Vec<_> = permitted.into_iter().chain(excluded).collect();
    lists.join("; ")
}
