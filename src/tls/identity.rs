//! [`Identity`]: the certificate that this program presents to its peer, with the private key.

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::{
    crypto::aws_lc_rs::sign::any_supported_type,
    pki_types::PrivateKeyDer,
    sign::{CertifiedKey, SigningKey, SingleCertAndKey},
};

use super::{
    certificate::{Certificate, ValidityError},
    clock::now,
    error::TlsError,
    pem,
};
use crate::user_path::{UserPath, Wait};

#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) chain: Vec<Certificate>,
    signing_key: Arc<dyn SigningKey>,
}

const LOOPBACK_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Strict clients accept at most 397 days, and the validity period begins a day in the past.
const VALIDITY_DAYS: u32 = 395;

impl Identity {
    pub(crate) fn read(
        certificate: &UserPath,
        key: &UserPath,
        wait: Wait<'_>,
    ) -> Result<Self, TlsError> {
        let (chain, private_key) = pem::read_identity(certificate, key, wait)?;
        let signing_key =
            any_supported_type(&private_key).map_err(|_| TlsError::UnsupportedKey(key.clone()))?;
        let identity = Self { chain, signing_key };
        let Some(public_key) = identity.signing_key.public_key() else {
            return Ok(identity);
        };
        let mut public_keys = identity.chain.iter().map(|one| &*one.public_key_info);
        match public_keys.position(|one| one == public_key.as_ref()) {
            Some(0) => Ok(identity),
            Some(index) => Err(TlsError::LeafNotFirst {
                certificate: certificate.clone(),
                key: key.clone(),
                number: index + 1,
                subject: identity.chain[index].subject(),
            }),
            None => Err(TlsError::KeyMismatch {
                certificate: certificate.clone(),
                key: key.clone(),
                subjects: identity.chain.iter().map(Certificate::subject).collect(),
            }),
        }
    }

    pub(crate) fn check_validity(&self) -> Result<(), ValidityError> {
        let mut certificates = self.chain.iter();
        certificates.try_for_each(|certificate| certificate.check_validity(now()))
    }

    /// Generates a self-signed certificate for the loopback names. The validity period begins
    /// yesterday, so even a client whose clock is slow accepts the certificate.
    pub(crate) fn self_signed() -> Result<Self, TlsError> {
        generate_self_signed().map_err(TlsError::CertificateGeneration)
    }

    /// rustls itself would refuse a certificate that it cannot parse, although only the peer has to
    /// accept the certificate.
    pub(super) fn into_resolver(self) -> Arc<SingleCertAndKey> {
        let chain = self.chain.into_iter().map(|certificate| certificate.der);
        let key = CertifiedKey::new(chain.collect(), self.signing_key);
        Arc::new(SingleCertAndKey::from(key))
    }

    pub(crate) fn chain_pem(&self) -> String {
        self.chain.iter().map(pem::encode).collect()
    }
}

fn generate_self_signed() -> Result<Identity, Box<dyn Error>> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(LOOPBACK_NAMES.map(ToOwned::to_owned))?;
    params
        .distinguished_name
        .push(DnType::CommonName, "localhost");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.not_before = (SystemTime::now() - DAY).into();
    params.not_after = (SystemTime::now() + VALIDITY_DAYS * DAY).into();
    let certificate = params.self_signed(&key)?;
    Ok(Identity {
        chain: vec![Certificate::parse(certificate.der())?],
        signing_key: any_supported_type(&PrivateKeyDer::Pkcs8(key.serialize_der().into()))?,
    })
}
