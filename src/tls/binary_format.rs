//! [`BinaryFormat`]: files that hold keys or certificates in a format other than PEM.

use x509_parser::{
    asn1_rs::{Any, FromDer, Tag},
    certificate::X509Certificate,
};

/// A file format that is not PEM, but that PEM can be made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BinaryFormat {
    #[error("a certificate in DER")]
    Certificate,
    #[error("a private key in DER")]
    PrivateKey,
    #[error("an encrypted private key in DER")]
    EncryptedKey,
    #[error("a PKCS#12 file")]
    Pkcs12 {
        /// Whether OpenSSL 3 needs its legacy algorithms for the file.
        is_legacy: bool,
    },
    #[error("a PKCS#7 file")]
    Pkcs7,
    #[error("a Java keystore")]
    JavaKeystore,
    #[error("binary DER")]
    OtherDer,
}

/// RFC 7292 section 4 fixes the version of a PKCS#12 file.
const PKCS12_VERSION: &[u8] = &[3];

/// A sequence of indefinite length with this version, as Java and Firefox write it in BER.
const PKCS12_IN_BER: &[u8] = &[0x30, 0x80, 0x02, 0x01, 0x03];

/// The identifier of `pbeWithSHAAnd40BitRC2-CBC` (RFC 7292 appendix C) in DER, with which Windows
/// encrypts. Only the legacy provider of OpenSSL 3 has it.
const RC2_40: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x06";

const JAVA_KEYSTORES: [&[u8]; 2] = [b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce"];

impl BinaryFormat {
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let pkcs12 = || Self::Pkcs12 {
            is_legacy: memchr::memmem::find(bytes, RC2_40).is_some(),
        };
        if JAVA_KEYSTORES.iter().any(|magic| bytes.starts_with(magic)) {
            return Some(Self::JavaKeystore);
        }
        if bytes.starts_with(PKCS12_IN_BER) {
            return Some(pkcs12());
        }
        let (_, outer) = Any::from_der(bytes).ok()?;
        outer.tag().assert_eq(Tag::Sequence).ok()?;
        let (rest, first) = Any::from_der(outer.data).ok()?;
        let (_, second) = Any::from_der(rest).ok()?;
        Some(match (first.tag(), second.tag()) {
            (Tag::Integer, Tag::Sequence) if first.data == PKCS12_VERSION => pkcs12(),
            // PKCS#8, PKCS#1 and SEC1.
            (Tag::Integer, Tag::Sequence | Tag::Integer | Tag::OctetString) => Self::PrivateKey,
            (Tag::Sequence, Tag::OctetString) => Self::EncryptedKey,
            // Certificate requests and revocation lists begin in the same way.
            (Tag::Sequence, Tag::Sequence) if X509Certificate::from_der(bytes).is_ok() => {
                Self::Certificate
            }
            (Tag::Oid, _) => Self::Pkcs7,
            _ => Self::OtherDer,
        })
    }
}
