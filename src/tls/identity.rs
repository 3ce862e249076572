//! [`Identity`]: the certificate that this program presents to its peer, with the private key.

use std::error::Error;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{certificate::Certificate, error::TlsError, pem};
use crate::user_path::UserPath;

/// A certificate with its chain and its private key.
#[derive(Debug)]
pub(crate) struct Identity {
    chain: Vec<Certificate>,
    pub(super) key: PrivateKeyDer<'static>,
}

/// The subject alternative names of a generated certificate.
const LOOPBACK_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The validity period of a generated certificate in days, the maximum that strict clients accept.
const VALIDITY_DAYS: i64 = 397;

impl Identity {
    /// Reads a certificate chain and the private key from PEM files. The chain and the key may be
    /// in the same file.
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

    /// Returns the certificate and its chain, for a client to trust.
    pub(crate) fn certificates(&self) -> Vec<Certificate> {
        self.chain.clone()
    }

    pub(super) fn chain_der(&self) -> Vec<CertificateDer<'static>> {
        let chain = self.chain.iter();
        chain.map(|certificate| certificate.der.clone()).collect()
    }

    /// Returns the certificate and its chain in PEM.
    pub(crate) fn chain_pem(&self) -> String {
        let chain = self.chain.iter();
        chain
            .map(|certificate| pem::encode_certificate(&certificate.der))
            .collect()
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
    let today = jiff::Timestamp::now()
        .to_zoned_datetime(jiff::tz::TimeZone::UTC)
        .date();
    let midnight = |date: jiff::civil::Date| {
        rcgen::date_time_ymd(
            i32::from(date.year()),
            date.month().unsigned_abs(),
            date.day().unsigned_abs(),
        )
    };
    params.not_before = midnight(today.saturating_sub(jiff::Span::new().days(1)));
    params.not_after = midnight(today.saturating_add(jiff::Span::new().days(VALIDITY_DAYS - 1)));
    let certificate = params.self_signed(&key)?;
    Ok(Identity {
        chain: vec![Certificate::parse(certificate.der().clone())?],
        key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
    })
}
