//! Verifies the handshake signature of a peer, and explains why it cannot be verified.

use rustls::{
    DigitallySignedStruct, Error,
    client::danger::HandshakeSignatureValid,
    crypto::{
        WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
        verify_tls13_signature_with_raw_key,
    },
    pki_types::{CertificateDer, SubjectPublicKeyInfoDer},
};
use webpki::EndEntityCert;

use super::{
    certificate::Certificate,
    refusal::{ChainMember, Refusal, RefusalReason},
    unsuitability::Unsuitability,
};

pub(super) fn verify_tls12(
    message: &[u8],
    cert: &CertificateDer<'_>,
    dss: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    verify_tls12_signature(message, cert, dss, algorithms).map_err(|error| explain(cert, error))
}

pub(super) fn verify_tls13(
    message: &[u8],
    cert: &CertificateDer<'_>,
    dss: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let verified = verify_tls13_signature(message, cert, dss, algorithms);
    verified.or_else(|error| match Certificate::parse(cert) {
        // rustls cannot parse an X.509 v1 certificate or one with another critical extension, but
        // it can verify the signature with the public key alone.
        Ok(certificate) if EndEntityCert::try_from(cert).is_err() => {
            verify_tls13_signature_with_raw_key(
                message,
                &SubjectPublicKeyInfoDer::from(certificate.public_key_info),
                dss,
                algorithms,
            )
        }
        _ => Err(explain(cert, error)),
    })
}

fn explain(der: &CertificateDer<'_>, error: Error) -> Error {
    let Ok(certificate) = Certificate::parse(der) else {
        return error;
    };
    let reason = match certificate.weak_key {
        Some(weakness) => RefusalReason::Weak(ChainMember::EndEntity, weakness),
        None if certificate.is_x509_v1 => RefusalReason::X509V1OnTls12,
        None => match Unsuitability::of_signer(&certificate) {
            Some(property) => RefusalReason::Unsuitable(ChainMember::EndEntity, property),
            None => match EndEntityCert::try_from(der) {
                Err(invalid) => RefusalReason::Invalid(invalid),
                Ok(_) => return error,
            },
        },
    };
    Refusal {
        reason,
        certificate: Some(Box::new(certificate)),
        store_remarks: Vec::new(),
    }
    .into()
}
