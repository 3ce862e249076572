//! [`UnverifiedChain`]: a certificate chain to verify, and the reason why it is refused.

use rustls::pki_types::{CertificateDer, UnixTime};

use super::{
    certificate::Certificate,
    peer_role::PeerRole,
    refusal::{ChainMember, RefusalReason},
    unsuitability::Unsuitability,
};

#[derive(Clone, Copy, Debug)]
pub(super) struct UnverifiedChain<'a> {
    pub(super) role: PeerRole,
    pub(super) end_entity: &'a Certificate,
    /// The parsed certificates of `intermediates`.
    pub(super) issuers: &'a [Certificate],
    pub(super) intermediates: &'a [CertificateDer<'a>],
    pub(super) now: UnixTime,
}

impl UnverifiedChain<'_> {
    /// webpki's error does not name the certificate that caused it.
    pub(super) fn explain(&self, error: webpki::Error, trusted: &[Certificate]) -> RefusalReason {
        use webpki::Error;
        match error {
            Error::CertExpired { .. }
            | Error::CertNotValidYet { .. }
            | Error::InvalidCertValidity => self
                .outside_validity()
                .unwrap_or(RefusalReason::Invalid(error)),
            // For a self-signed certificate, the error depends on its extensions, and on whether a
            // trust root has the same name.
            _ if self.end_entity.is_self_issued() && trusted.is_empty() => {
                RefusalReason::SelfSigned
            }
            _ if self.end_entity.is_self_issued() => RefusalReason::SelfSignedNotPinned,
            Error::UnsupportedCertVersion if self.end_entity.is_x509_v1 => {
                RefusalReason::X509V1NotPinned
            }
            Error::CaUsedAsEndEntity => RefusalReason::CaUsedAsEndEntity,
            Error::RequiredEkuNotFoundContext(_) => {
                match self.end_entity.forbidden_usage(self.role, false) {
                    Some(usage) => RefusalReason::InvalidPurpose(self.role, usage),
                    None => self.cause_of(error, trusted),
                }
            }
            Error::UnknownIssuer => {
                let issuer = self.missing_issuer();
                match trusted.iter().find(|root| root.subject() == issuer) {
                    Some(root) => match Unsuitability::of_trust_root(root) {
                        Some(found) => {
                            RefusalReason::Unsuitable(ChainMember::Issuer(issuer), found)
                        }
                        None => RefusalReason::NotSignedByNamesake(issuer),
                    },
                    None => RefusalReason::UnknownIssuer(issuer),
                }
            }
            error => self.cause_of(error, trusted),
        }
    }

    /// Returns the reason for an error that a certificate of any level may cause.
    fn cause_of(&self, error: webpki::Error, trusted: &[Certificate]) -> RefusalReason {
        use webpki::Error;
        let weak_issuer = self.weak_issuer(trusted);
        weak_issuer
            .or_else(|| self.unsuitable_member(&error, trusted))
            .unwrap_or_else(|| match error {
                Error::NameConstraintViolation => RefusalReason::NameConstraint,
                // If the key type does not match the signature algorithm, the key cannot have made
                // the signature.
                Error::InvalidSignatureForPublicKey
                | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
                    RefusalReason::NotSignedByNamesake(self.missing_issuer())
                }
                error => RefusalReason::Invalid(error),
            })
    }

    fn unsuitable_member(
        &self,
        error: &webpki::Error,
        trusted: &[Certificate],
    ) -> Option<RefusalReason> {
        let is_of_any_certificate = matches!(
            error,
            webpki::Error::BadDerTime
                | webpki::Error::UnsupportedCriticalExtension
                | webpki::Error::UnsupportedCertVersion
                | webpki::Error::UnsupportedSignatureAlgorithmContext(_)
        );
        if is_of_any_certificate
            && let Some(found) = Unsuitability::find(self.end_entity, self.role, error)
        {
            return Some(RefusalReason::Unsuitable(ChainMember::EndEntity, found));
        }
        let issuers = || self.issuers.iter().chain(trusted);
        let find = |issuer: &Certificate| {
            let found = Unsuitability::find(issuer, self.role, error)?;
            let issuer = ChainMember::Issuer(issuer.subject());
            Some(RefusalReason::Unsuitable(issuer, found))
        };
        let mut violated =
            issuers().filter(|issuer| !issuer.may_issue_for(self.end_entity.names()));
        violated.find_map(find).or_else(|| issuers().find_map(find))
    }

    /// Returns the reason for a pinned certificate that webpki cannot parse.
    pub(super) fn explain_unparsable(&self, error: webpki::Error) -> RefusalReason {
        match Unsuitability::find(self.end_entity, self.role, &error) {
            Some(found) => RefusalReason::Unsuitable(ChainMember::EndEntity, found),
            None => RefusalReason::Invalid(error),
        }
    }

    fn outside_validity(&self) -> Option<RefusalReason> {
        if let Err(error) = self.end_entity.check_validity(self.now) {
            return Some(RefusalReason::OutsideValidity(
                ChainMember::EndEntity,
                error,
            ));
        }
        self.issuers.iter().find_map(|issuer| {
            let error = issuer.check_validity(self.now).err()?;
            let issuer = ChainMember::Issuer(issuer.subject());
            Some(RefusalReason::OutsideValidity(issuer, error))
        })
    }

    /// The signature of a trust root does not matter, because a trust root is trusted without it.
    fn weak_issuer(&self, trusted: &[Certificate]) -> Option<RefusalReason> {
        let intermediates = self.issuers.iter();
        let intermediates =
            intermediates.map(|issuer| (issuer, issuer.weak_key.or(issuer.weak_signature)));
        let roots = trusted.iter().map(|root| (root, root.weak_key));
        let (issuer, weakness) = intermediates.chain(roots).find(|(issuer, weakness)| {
            let mut issued = std::iter::once(self.end_entity).chain(self.issuers);
            weakness.is_some() && issued.any(|issued| issued.issuer() == issuer.subject())
        })?;
        let issuer = ChainMember::Issuer(issuer.subject());
        Some(RefusalReason::Weak(issuer, weakness?))
    }

    /// Follows the issuers from the certificate of the peer upwards. Returns the first issuer that has
    /// no certificate in the chain or is self-signed.
    fn missing_issuer(&self) -> String {
        let mut issuer = self.end_entity.issuer();
        // The number of intermediates limits the number of steps, because two intermediates that
        // issued each other would otherwise make the loop endless.
        for _ in self.issuers {
            match self.issuers.iter().find(|next| next.subject() == issuer) {
                Some(next) if next.issuer() != issuer => issuer = next.issuer(),
                _ => break,
            }
        }
        issuer
    }
}
