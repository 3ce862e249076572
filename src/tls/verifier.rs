//! [`ServerVerifier`]: the server certificate verifier that rustls uses during a handshake.
//!
//! The verifier stores the certificates that the server presented. It verifies the handshake
//! signature under every trust policy, even if certificates are not verified.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::{
    DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{verify_tls12_signature, verify_tls13_signature, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
};

use super::{
    certificate::CertificateInfo,
    evaluator::TrustEvaluator,
    refusal::{ChainMember, Refusal, RefusalReason},
    trust::TrustBasis,
};

/// The certificates that a server presented, whether or not they are trusted: the certificate of
/// the server, then the intermediates.
#[derive(Clone, Debug, Default)]
pub(crate) struct PresentedChain {
    pub(crate) certificates: Vec<CertificateDer<'static>>,
    /// The reason why the server certificate is trusted, or `None` if the certificate was refused.
    pub(crate) trust: Option<TrustBasis>,
}

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
        self.lock_presented().clone()
    }

    fn lock_presented(&self) -> MutexGuard<'_, PresentedChain> {
        let presented = self.presented.lock();
        presented.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Replaces a handshake signature error by a refusal with the reason, if the certificate has a
/// short RSA key or is an X.509 v1 certificate.
fn explain_signature_error(certificate: &CertificateDer<'_>, error: Error) -> Error {
    let Ok(info) = CertificateInfo::from_der(certificate) else {
        return error;
    };
    let reason = match info.weak_key {
        Some(weakness) => RefusalReason::Weak(ChainMember::Server, weakness),
        None if info.is_x509_v1 => RefusalReason::X509V1OnTls12,
        None => return error,
    };
    Refusal {
        reason,
        certificate: Some(Box::new(info)),
    }
    .into()
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
        let evaluation = self.evaluator.evaluate(end_entity, intermediates, now);
        let chain = std::iter::once(end_entity).chain(intermediates);
        let presented = PresentedChain {
            certificates: chain.map(|der| der.clone().into_owned()).collect(),
            trust: evaluation.as_ref().ok().copied(),
        };
        *self.lock_presented() = presented;
        evaluation?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.evaluator.algorithms)
            .map_err(|error| explain_signature_error(cert, error))
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
            _ => Err(explain_signature_error(cert, error)),
        })
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.evaluator.algorithms.supported_schemes()
    }
}
