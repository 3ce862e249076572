//! [`Identity`]: the certificate that this program presents to its peer, with the private key.

use std::{
    error::Error,
    time::{Duration, SystemTime},
};

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{certificate::Certificate, error::TlsError, pem};
use crate::user_path::UserPath;

#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) chain: Vec<Certificate>,
    pub(super) key: PrivateKeyDer<'static>,
}

const LOOPBACK_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Strict clients accept at most 397 days, and the validity period begins a day in the past.
const VALIDITY_DAYS: u32 = 395;

impl Identity {
    pub(crate) fn read(certificate: &UserPath, key: &UserPath) -> Result<Self, TlsError> {
        Ok(Self {
            chain: pem::read_certificates(certificate)?,
            key: pem::read_private_key(key)?,
        })
    }

    /// Generates a self-signed certificate for the loopback names. The validity period begins
    /// yesterday, so even a client whose clock is slow accepts the certificate.
    pub(crate) fn self_signed() -> Result<Self, TlsError> {
        generate_self_signed().map_err(TlsError::CertificateGeneration)
    }

    pub(super) fn chain_der(&self) -> Vec<CertificateDer<'static>> {
        let chain = self.chain.iter();
        chain.map(|certificate| certificate.der.clone()).collect()
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
        key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
    })
}
