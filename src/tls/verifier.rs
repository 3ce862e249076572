//! [`ServerVerifier`]: the server certificate verifier that rustls uses during a handshake.
//!
//! The verifier stores the certificates that the server presented. It verifies the handshake
//! signature under every trust policy, even if certificates are not verified.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{verify_tls12_signature, verify_tls13_signature, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
};

use super::{
    certificate::CertificateInfo,
    chain::{PresentedChain, UnverifiedChain},
    evaluator::TrustEvaluator,
    refusal::{Refusal, RefusalReason},
    trust::{TrustBasis, TrustRoots},
};

/// Verifies server certificates, and stores the chain that a server presented last.
#[derive(Debug)]
pub(super) struct ServerVerifier {
    evaluator: TrustEvaluator,
    presented: Mutex<PresentedChain>,
}

impl ServerVerifier {
    pub(super) fn new(evaluator: TrustEvaluator) -> Self {
        Self {
            evaluator,
            presented: Mutex::default(),
        }
    }

    /// Returns the chain that was verified last.
    pub(super) fn presented_chain(&self) -> PresentedChain {
        let presented = self.presented.lock();
        presented.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn refuse(&self, reason: RefusalReason, certificate: Option<CertificateInfo>) -> Error {
        let trusted = self.evaluator.roots.certificates().iter();
        CertificateError::Other(OtherError(Arc::new(Refusal {
            reason,
            server_name: self.evaluator.server_name.as_str().to_owned(),
            certificate: certificate.map(Box::new),
            trusted_subjects: trusted.map(|root| root.info.subject.clone()).collect(),
        })))
        .into()
    }

    /// Replaces a handshake signature error by a refusal with the reason, if the certificate has a
    /// short RSA key or is an X.509 v1 certificate. Returns any other error unchanged.
    fn explain_signature_error(&self, certificate: &CertificateDer<'_>, error: Error) -> Error {
        let Ok(info) = CertificateInfo::from_der(certificate) else {
            return error;
        };
        let reason = if let Some(bits) = info.weak_rsa_key_bits() {
            RefusalReason::WeakKey { bits }
        } else if info.is_x509_v1 {
            RefusalReason::X509V1OnTls12
        } else {
            return error;
        };
        self.refuse(reason, Some(info))
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = CertificateInfo::from_der(end_entity);
        let evaluation = match &certificate {
            _ if matches!(self.evaluator.roots, TrustRoots::Unverified) => {
                Ok(TrustBasis::Unverified)
            }
            Ok(info) => self.evaluator.evaluate(&UnverifiedChain {
                end_entity,
                info,
                intermediates,
                now,
            }),
            Err(reason) => Err(RefusalReason::Unreadable(reason.clone())),
        };
        let chain = std::iter::once(end_entity).chain(intermediates);
        *self
            .presented
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = PresentedChain {
            certificates: chain.map(|der| der.clone().into_owned()).collect(),
            trust: evaluation.as_ref().ok().copied(),
        };
        evaluation
            .map(|_| ServerCertVerified::assertion())
            .map_err(|reason| self.refuse(reason, certificate.ok()))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.evaluator.algorithms)
            .map_err(|error| self.explain_signature_error(cert, error))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.evaluator.algorithms;
        let verified = verify_tls13_signature(message, cert, dss, algorithms);
        verified.or_else(|error| match CertificateInfo::from_der(cert) {
            // rustls cannot parse an X.509 v1 certificate, but it can verify the signature with the
            // public key alone.
            Ok(CertificateInfo {
                is_x509_v1: true,
                public_key_info,
                ..
            }) => verify_tls13_signature_with_raw_key(
                message,
                &SubjectPublicKeyInfoDer::from(public_key_info),
                dss,
                algorithms,
            ),
            _ => Err(self.explain_signature_error(cert, error)),
        })
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.evaluator.algorithms.supported_schemes()
    }
}
