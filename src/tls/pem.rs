//! Reads and writes PEM files (RFC 7468).
//!
//! A usual PEM parser skips everything that it does not know, so it would find no certificate in a
//! file of the wrong type. The first error would be an unknown issuer in a later TLS handshake.
//! This module refuses a file of the wrong type at once, and reports the content of the file.

use std::mem;

use pem::{EncodeConfig, LineEnding, Pem};
use rustls::pki_types::PrivateKeyDer;
use rustls_pemfile::Item;

use super::{
    binary_format::BinaryFormat,
    certificate::Certificate,
    error::{PemProblem, TlsError},
};
use crate::user_path::{FileError, MAX_OPTION_FILE_BYTES, UserPath, Wait};

/// The content that [`TlsError::Pem`] expects in the file of `--key`.
pub(crate) const PRIVATE_KEY: &str = "private key";

const CERTIFICATE: &str = "certificate";

/// Reads all certificates in a file.
pub(crate) fn read_certificates(
    file: &UserPath,
    wait: Wait<'_>,
) -> Result<Vec<Certificate>, TlsError> {
    parse(file, &read(file, wait)?, CERTIFICATE, parse_certificates)
}

/// Reads all certificates in a file, and the only private key in a file. The key format is PKCS#8,
/// PKCS#1 or SEC1. If both are in one file, the file is read once, because it may be a FIFO.
pub(super) fn read_identity(
    certificate: &UserPath,
    key: &UserPath,
    wait: Wait<'_>,
) -> Result<(Vec<Certificate>, PrivateKeyDer<'static>), TlsError> {
    let bytes = read(certificate, wait)?;
    let certificates = parse(certificate, &bytes, CERTIFICATE, parse_certificates)?;
    let key_bytes = if key == certificate {
        bytes
    } else {
        read(key, wait)?
    };
    let private_key = parse(key, &key_bytes, PRIVATE_KEY, parse_private_key)?;
    Ok((certificates, private_key))
}

fn read(file: &UserPath, wait: Wait<'_>) -> Result<Vec<u8>, FileError> {
    file.read(MAX_OPTION_FILE_BYTES, wait)
}

fn parse<T>(
    file: &UserPath,
    bytes: &[u8],
    expected: &'static str,
    parse_blocks: fn(&[Block]) -> Result<T, PemProblem>,
) -> Result<T, TlsError> {
    let parsed = split_blocks(bytes).and_then(|blocks| parse_blocks(&blocks));
    parsed.map_err(|problem| TlsError::Pem {
        file: file.clone(),
        expected,
        problem,
    })
}

fn parse_certificates(blocks: &[Block]) -> Result<Vec<Certificate>, PemProblem> {
    let mut certificates = Vec::new();
    for block in blocks {
        match block.item()? {
            Some(Item::X509Certificate(der)) => {
                let certificate = Certificate::parse(&der);
                certificates.push(certificate.map_err(|reason| block.invalid(reason))?);
            }
            None if block.label.ends_with(" CERTIFICATE") => {
                return Err(PemProblem::UnsupportedLabel(block.label.clone()));
            }
            _ => {}
        }
    }
    if certificates.is_empty() {
        return Err(no_such_block(blocks));
    }
    Ok(certificates)
}

fn parse_private_key(blocks: &[Block]) -> Result<PrivateKeyDer<'static>, PemProblem> {
    if blocks.iter().any(Block::is_encrypted) {
        return Err(PemProblem::EncryptedKey);
    }
    let mut keys: Vec<PrivateKeyDer<'_>> = Vec::new();
    for block in blocks {
        keys.extend(match block.item()? {
            Some(Item::Pkcs1Key(key)) => Some(key.into()),
            Some(Item::Pkcs8Key(key)) => Some(key.into()),
            Some(Item::Sec1Key(key)) => Some(key.into()),
            _ => None,
        });
        if let Some(key) = keys.last() {
            block.check_key_format(key)?;
        }
    }
    if keys.len() > 1 {
        return Err(PemProblem::MultipleKeys);
    }
    keys.pop().ok_or_else(|| no_such_block(blocks))
}

fn no_such_block(blocks: &[Block]) -> PemProblem {
    if blocks.is_empty() {
        return PemProblem::NoBlock;
    }
    PemProblem::OtherBlocks(blocks.iter().map(|block| block.label.clone()).collect())
}

struct Block {
    label: String,
    /// The line number of the `-----BEGIN` line, counted from 1.
    line: usize,
    /// All lines from the `-----BEGIN` line up to the next one.
    text: String,
}

impl Block {
    /// RFC 7468 marks an encrypted key by its label, and OpenSSL's traditional format by a header,
    /// which the parser would take for base64.
    fn is_encrypted(&self) -> bool {
        self.label == "ENCRYPTED PRIVATE KEY" || self.text.contains("\nProc-Type: 4,ENCRYPTED")
    }

    /// Returns `None` if the block is encrypted or the parser does not know the label.
    fn item(&self) -> Result<Option<Item>, PemProblem> {
        if self.is_encrypted() {
            return Ok(None);
        }
        match rustls_pemfile::read_one_from_slice(self.text.as_bytes()) {
            Ok(parsed) => Ok(parsed.map(|(item, _)| item)),
            // The parser's own messages may quote a private key.
            Err(rustls_pemfile::Error::MissingSectionEnd { .. }) => {
                Err(self.invalid("-----END line is missing".to_owned()))
            }
            Err(_) => Err(self.invalid("base64 cannot be decoded".to_owned())),
        }
    }

    /// Some programs write the label of another format, which OpenSSL ignores, but rustls does not.
    fn check_key_format(&self, key: &PrivateKeyDer<'_>) -> Result<(), PemProblem> {
        let der = key.secret_der();
        let (format, right_label) = match PrivateKeyDer::try_from(der) {
            Ok(found) if mem::discriminant(&found) == mem::discriminant(key) => return Ok(()),
            Ok(PrivateKeyDer::Pkcs1(_)) => ("PKCS#1", "RSA PRIVATE KEY"),
            Ok(PrivateKeyDer::Sec1(_)) => ("SEC1", "EC PRIVATE KEY"),
            Ok(PrivateKeyDer::Pkcs8(_)) => ("PKCS#8", "PRIVATE KEY"),
            _ if BinaryFormat::of(der) == Some(BinaryFormat::EncryptedKey) => {
                return Err(PemProblem::EncryptedKey);
            }
            _ => return Err(self.invalid("not a private key in DER".to_owned())),
        };
        Err(PemProblem::MislabeledKey {
            line: self.line,
            label: self.label.clone(),
            format,
            right_label,
        })
    }

    fn invalid(&self, reason: String) -> PemProblem {
        PemProblem::InvalidBlock {
            line: self.line,
            label: self.label.clone(),
            reason,
        }
    }
}

fn split_blocks(bytes: &[u8]) -> Result<Vec<Block>, PemProblem> {
    if let Some(format) = BinaryFormat::of(bytes) {
        return Err(PemProblem::Binary(format));
    }
    match bytes {
        _ if bytes.iter().all(u8::is_ascii_whitespace) => return Err(PemProblem::Empty),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, ..] | [_, 0, ..] => {
            return Err(PemProblem::Utf16);
        }
        [0xef, 0xbb, 0xbf, ..] => return Err(PemProblem::ByteOrderMark),
        _ => {}
    }
    let mut blocks: Vec<Block> = Vec::new();
    for (line, text) in (1..).zip(String::from_utf8_lossy(bytes).split_inclusive('\n')) {
        if text.contains("-----BEGIN ") {
            let label = begin_label(text).ok_or(PemProblem::MalformedBegin { line })?;
            blocks.push(Block {
                label: label.to_owned(),
                line,
                text: String::new(),
            });
        }
        if let Some(block) = blocks.last_mut() {
            // The parser ignores spaces at the end of a line, but not tabs.
            block.text.push_str(text.trim_end());
            block.text.push('\n');
        }
    }
    Ok(blocks)
}

/// A line with a whole key is not taken for a label, because messages quote labels.
fn begin_label(line: &str) -> Option<&str> {
    let is_label_char = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == ' ';
    line.trim_end()
        .strip_prefix("-----BEGIN ")?
        .strip_suffix("-----")
        .filter(|label| label.chars().all(is_label_char))
}

pub(super) fn encode(certificate: &Certificate) -> String {
    pem::encode_config(
        &Pem::new("CERTIFICATE", certificate.der.to_vec()),
        EncodeConfig::new().set_line_ending(LineEnding::LF),
    )
}
