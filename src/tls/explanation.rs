//! [`explain_error`]: finds the reason behind an error of webpki, because the error does not name
//! the certificate that caused the error.

use super::{
    certificate::Certificate,
    chain::UnverifiedChain,
    refusal::{ChainMember, RefusalReason},
};

/// Returns the reason why a chain does not lead to a trust root.
pub(super) fn explain_error(
    error: webpki::Error,
    chain: &UnverifiedChain<'_>,
    trusted: &[Certificate],
) -> RefusalReason {
    use webpki::Error;
    let info = chain.info;
    match error {
        Error::CertExpired { .. } | Error::CertNotValidYet { .. } => {
            outside_validity(chain).unwrap_or(RefusalReason::Invalid(error))
        }
        // For a self-signed certificate, the error depends on its extensions, and on whether a
        // trust root has the same name.
        _ if info.is_self_issued() && trusted.is_empty() => RefusalReason::SelfSigned,
        _ if info.is_self_issued() => RefusalReason::SelfSignedNotPinned,
        Error::UnsupportedCertVersion if info.is_x509_v1 => RefusalReason::X509V1NotPinned,
        Error::CaUsedAsEndEntity => RefusalReason::CaUsedAsEndEntity,
        Error::NameConstraintViolation => RefusalReason::NameConstraint,
        Error::RequiredEkuNotFoundContext(_) => RefusalReason::InvalidPurpose(
            info.forbidden_usage
                .clone()
                .unwrap_or_else(|| "extendedKeyUsage of a CA certificate".to_owned()),
        ),
        Error::UnknownIssuer => {
            let issuer = chain.missing_issuer();
            if trusted.iter().any(|root| root.info.subject == issuer) {
                RefusalReason::NotSignedByNamesake(issuer)
            } else {
                RefusalReason::UnknownIssuer(issuer)
            }
        }
        error => weak_issuer(chain, trusted).unwrap_or_else(|| match error {
            // If the key type does not match the signature algorithm, the key cannot have made the
            // signature.
            Error::InvalidSignatureForPublicKey
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
                RefusalReason::NotSignedByNamesake(chain.missing_issuer())
            }
            error => RefusalReason::Invalid(error),
        }),
    }
}

/// Returns the reason for refusing a chain in which the server certificate or an intermediate is
/// expired or not yet valid.
fn outside_validity(chain: &UnverifiedChain<'_>) -> Option<RefusalReason> {
    let intermediates = chain.parse_intermediates();
    let issuers = intermediates
        .iter()
        .map(|info| (ChainMember::Issuer(info.subject.clone()), info));
    std::iter::once((ChainMember::Server, chain.info))
        .chain(issuers)
        .find_map(|(member, info)| {
            let error = info.check_validity(chain.now).err()?;
            Some(RefusalReason::OutsideValidity(member, error))
        })
}

/// Returns the reason for refusing a chain in which an issuer has an RSA key that is too short or a
/// weak signature. The signature of a trust root does not matter, because a trust root is trusted
/// without a signature.
fn weak_issuer(chain: &UnverifiedChain<'_>, trusted: &[Certificate]) -> Option<RefusalReason> {
    let intermediates = chain.parse_intermediates();
    let roots = trusted.iter().map(|root| &root.info);
    let weak_keys = intermediates
        .iter()
        .chain(roots)
        .filter_map(|info| Some((info, info.check_key().err()?)));
    let weak_signatures = intermediates
        .iter()
        .filter_map(|info| Some((info, info.check_signature().err()?)));
    weak_keys
        .chain(weak_signatures)
        .find(|(issuer, _)| {
            let mut issued = std::iter::once(chain.info).chain(&intermediates);
            issued.any(|issued| issued.issuer == issuer.subject)
        })
        .map(|(issuer, weakness)| {
            RefusalReason::Weak(ChainMember::Issuer(issuer.subject.clone()), weakness)
        })
}
