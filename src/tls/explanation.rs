//! [`explain_refusal`]: finds the reason behind an error of the TLS library, because the error does
//! not name the certificate that caused the error.

use rustls::Error;

use super::{
    certificate::CertificateInfo,
    chain::UnverifiedChain,
    refusal::{RefusalReason, check_validity, unix_seconds},
    trust::TrustedCertificate,
};

/// Returns the reason why a chain does not lead to a trust root.
pub(super) fn explain_refusal(
    error: Error,
    chain: &UnverifiedChain<'_>,
    trusted: &[TrustedCertificate],
) -> RefusalReason {
    match RefusalReason::from(error) {
        RefusalReason::Expired { .. } | RefusalReason::NotYetValid { .. } => {
            outside_validity(chain)
        }
        // A self-signed certificate causes `BadSignature` if a trust root has the same name but a
        // different key.
        RefusalReason::CaUsedAsEndEntity
        | RefusalReason::UnknownIssuer { .. }
        | RefusalReason::BadSignature
            if chain.info.is_self_issued() =>
        {
            unknown_self_signed(chain.info, trusted)
        }
        RefusalReason::UnknownIssuer { .. } => RefusalReason::UnknownIssuer {
            missing: chain.missing_issuer(),
        },
        other @ (RefusalReason::BadSignature | RefusalReason::Other(_)) => {
            weak_issuer(chain, trusted).unwrap_or(other)
        }
        other => other,
    }
}

/// Returns the reason for refusing a self-signed certificate that is not pinned.
pub(super) fn unknown_self_signed(
    certificate: &CertificateInfo,
    trusted: &[TrustedCertificate],
) -> RefusalReason {
    if trusted.is_empty() {
        RefusalReason::UnknownIssuer {
            missing: certificate.issuer.clone(),
        }
    } else {
        RefusalReason::SelfSignedNotPinned
    }
}

/// Returns the reason for refusing a chain in which the server certificate or an intermediate is
/// expired or not yet valid.
fn outside_validity(chain: &UnverifiedChain<'_>) -> RefusalReason {
    if let Err(reason) = check_validity(chain.info, chain.now) {
        return reason;
    }
    let intermediates = chain.parse_intermediates();
    let invalid = intermediates
        .into_iter()
        .find(|issuer| check_validity(issuer, chain.now).is_err());
    match invalid {
        Some(issuer) => RefusalReason::IssuerOutsideValidity(Box::new(issuer)),
        None => RefusalReason::Expired {
            now: unix_seconds(chain.now),
        },
    }
}

/// Returns the reason for refusing a chain in which an issuer has an RSA key that is too short, or
/// a certificate with a weak signature. Returns `None` if the chain has no such issuer. The
/// signature of a trust root is ignored, because a trust root is trusted without a signature.
fn weak_issuer(
    chain: &UnverifiedChain<'_>,
    trusted: &[TrustedCertificate],
) -> Option<RefusalReason> {
    let intermediates = chain.parse_intermediates();
    let is_issuer = |candidate: &CertificateInfo| {
        let mut issued = std::iter::once(chain.info).chain(&intermediates);
        issued.any(|issued| issued.issuer == candidate.subject)
    };
    let roots = trusted.iter().map(|root| &root.info);
    for candidate in intermediates.iter().chain(roots) {
        if let (Some(bits), true) = (candidate.weak_rsa_key_bits(), is_issuer(candidate)) {
            let issuer = candidate.subject.clone();
            return Some(RefusalReason::WeakIssuerKey { issuer, bits });
        }
    }
    let weakly_signed = intermediates
        .iter()
        .find(|candidate| candidate.has_weak_signature && is_issuer(candidate))?;
    Some(RefusalReason::WeakIssuerSignature {
        issuer: weakly_signed.subject.clone(),
    })
}
