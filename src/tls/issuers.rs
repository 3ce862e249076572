//! Who stands above a certificate, for the words of a refusal.

use rustls::pki_types::CertificateDer;

use super::{
    certificate::{CertificateInfo, DistinguishedName},
    verify::{RefusalReason, SMALLEST_RSA_KEY},
};

/// The issuer at which the presented chain breaks off.
pub(super) fn missing(
    end_entity: &CertificateInfo,
    intermediates: &[CertificateDer<'_>],
) -> DistinguishedName {
    let intermediates = inspected(intermediates);
    let mut issuer = &end_entity.issuer;
    // Each certificate leads one step up at most, so that a loop in them ends too.
    for _ in &intermediates {
        match intermediates.iter().find(|one| one.subject == *issuer) {
            Some(next) if next.issuer != *issuer => issuer = &next.issuer,
            _ => break,
        }
    }
    issuer.clone()
}

/// An issuer in the chain whose key, or whose signature, the TLS stack takes for too weak. Of an
/// anchor the key alone counts: its own signature proves nothing.
pub(super) fn weak(
    end_entity: &CertificateInfo,
    intermediates: &[CertificateDer<'_>],
    anchors: &[(CertificateDer<'static>, CertificateInfo)],
) -> Option<RefusalReason> {
    let intermediates = inspected(intermediates);
    let issues = |one: &CertificateInfo| {
        let mut issued = std::iter::once(end_entity).chain(&intermediates);
        issued.any(|issued| issued.issuer == one.subject)
    };
    let anchors = anchors.iter().map(|(_, anchor)| anchor);
    for one in intermediates.iter().chain(anchors) {
        let small = one.rsa_key_bits.filter(|bits| *bits < SMALLEST_RSA_KEY);
        if let (Some(bits), true) = (small, issues(one)) {
            let issuer = one.subject.clone();
            return Some(RefusalReason::WeakIssuerKey { issuer, bits });
        }
    }
    let signed = |one: &&CertificateInfo| one.has_weak_signature && issues(one);
    let one = intermediates.iter().find(signed)?;
    let issuer = one.subject.clone();
    Some(RefusalReason::WeakIssuerSignature { issuer })
}

fn inspected(certificates: &[CertificateDer<'_>]) -> Vec<CertificateInfo> {
    let certificates = certificates.iter();
    certificates
        .filter_map(|der| CertificateInfo::from_der(der).ok())
        .collect()
}
