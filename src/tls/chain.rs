//! [`UnverifiedChain`]: a certificate chain to verify, and the reason why it is refused.

use rustls::pki_types::{CertificateDer, UnixTime};

use super::{
    certificate::{Certificate, CertificateInfo},
    refusal::{ChainMember, RefusalReason},
};

#[derive(Clone, Copy, Debug)]
pub(super) struct UnverifiedChain<'a> {
    pub(super) end_entity: &'a CertificateDer<'a>,
    /// The parsed form of `end_entity`.
    pub(super) info: &'a CertificateInfo,
    pub(super) intermediates: &'a [CertificateDer<'a>],
    pub(super) now: UnixTime,
}

impl UnverifiedChain<'_> {
    /// Returns the reason why the chain does not lead to a trust root. webpki's error does not name
    /// the certificate that caused it.
    pub(super) fn explain(&self, error: webpki::Error, trusted: &[Certificate]) -> RefusalReason {
        use webpki::Error;
        match error {
            Error::CertExpired { .. } | Error::CertNotValidYet { .. } => self
                .outside_validity()
                .unwrap_or(RefusalReason::Invalid(error)),
            // For a self-signed certificate, the error depends on its extensions, and on whether a
            // trust root has the same name.
            _ if self.info.is_self_issued() && trusted.is_empty() => RefusalReason::SelfSigned,
            _ if self.info.is_self_issued() => RefusalReason::SelfSignedNotPinned,
            Error::UnsupportedCertVersion if self.info.is_x509_v1 => RefusalReason::X509V1NotPinned,
            Error::CaUsedAsEndEntity => RefusalReason::CaUsedAsEndEntity,
            Error::NameConstraintViolation => RefusalReason::NameConstraint,
            Error::RequiredEkuNotFoundContext(_) => {
                let usage = self.info.forbidden_usage.as_deref();
                let usage = usage.unwrap_or("extendedKeyUsage of a CA certificate");
                RefusalReason::InvalidPurpose(usage.to_owned())
            }
            Error::UnknownIssuer => {
                let issuer = self.missing_issuer();
                if trusted.iter().any(|root| root.info.subject == issuer) {
                    RefusalReason::NotSignedByNamesake(issuer)
                } else {
                    RefusalReason::UnknownIssuer(issuer)
                }
            }
            error => self.weak_issuer(trusted).unwrap_or_else(|| match error {
                // If the key type does not match the signature algorithm, the key cannot have made
                // the signature.
                Error::InvalidSignatureForPublicKey
                | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
                    RefusalReason::NotSignedByNamesake(self.missing_issuer())
                }
                error => RefusalReason::Invalid(error),
            }),
        }
    }

    /// Returns the reason for refusing a chain in which the server certificate or an intermediate
    /// is outside its validity period.
    fn outside_validity(&self) -> Option<RefusalReason> {
        if let Err(error) = self.info.check_validity(self.now) {
            return Some(RefusalReason::OutsideValidity(ChainMember::Server, error));
        }
        self.parse_intermediates().into_iter().find_map(|info| {
            let error = info.check_validity(self.now).err()?;
            let issuer = ChainMember::Issuer(info.subject);
            Some(RefusalReason::OutsideValidity(issuer, error))
        })
    }

    /// Returns the reason for refusing a chain in which an issuer has an RSA key that is too short
    /// or a weak signature. The signature of a trust root does not matter, because a trust root is
    /// trusted without a signature.
    fn weak_issuer(&self, trusted: &[Certificate]) -> Option<RefusalReason> {
        let intermediates = self.parse_intermediates();
        let roots = trusted.iter().map(|root| &root.info);
        let weak_keys = intermediates
            .iter()
            .chain(roots)
            .filter_map(|info| Some((info, info.weak_key?)));
        let weak_signatures = intermediates
            .iter()
            .filter_map(|info| Some((info, info.weak_signature?)));
        let (issuer, weakness) = weak_keys.chain(weak_signatures).find(|(issuer, _)| {
            let mut issued = std::iter::once(self.info).chain(&intermediates);
            issued.any(|issued| issued.issuer == issuer.subject)
        })?;
        let issuer = ChainMember::Issuer(issuer.subject.clone());
        Some(RefusalReason::Weak(issuer, weakness))
    }

    /// Parses the intermediates, and skips each intermediate that cannot be parsed.
    fn parse_intermediates(&self) -> Vec<CertificateInfo> {
        self.intermediates
            .iter()
            .filter_map(|der| CertificateInfo::from_der(der).ok())
            .collect()
    }

    /// Follows the issuers from the server certificate upwards. Returns the first issuer that has
    /// no certificate in the chain or is self-signed.
    fn missing_issuer(&self) -> String {
        let intermediates = self.parse_intermediates();
        let mut issuer = &self.info.issuer;
        // The number of intermediates limits the number of steps, because two intermediates that
        // issued each other would otherwise make the loop endless.
        for _ in &intermediates {
            match intermediates.iter().find(|info| info.subject == *issuer) {
                Some(next) if next.issuer != *issuer => issuer = &next.issuer,
                _ => break,
            }
        }
        issuer.clone()
    }
}
