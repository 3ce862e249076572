//! Reads and writes PEM files (RFC 7468).
//!
//! A usual PEM parser skips everything that it does not know, so it would find no certificate in a
//! file of the wrong type. The first error would be an unknown issuer in a later TLS handshake.
//! This module refuses a file of the wrong type at once, and reports the content of the file.

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls_pemfile::Item;

use super::certificate::Certificate;
use crate::user_path::{FileError, MAX_OPTION_FILE_BYTES, UserPath};

/// The error of a file that cannot be read, or that does not contain the expected PEM blocks.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PemError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("no {expected} in {file}: {problem}")]
    Content {
        file: UserPath,
        expected: &'static str,
        problem: PemProblem,
    },
}

/// The reason why a PEM file is refused. Line numbers count from 1.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PemProblem {
    #[error("file is empty")]
    Empty,
    #[error("file is UTF-16 text")]
    Utf16,
    #[error("file starts with a byte order mark")]
    ByteOrderMark,
    #[error("file is binary DER")]
    Der,
    #[error("white space before -----BEGIN in line {line}")]
    Indented { line: usize },
    #[error("-----BEGIN in line {line} does not stand alone in its line")]
    MalformedBegin { line: usize },
    /// A block has a certificate label other than `CERTIFICATE`, such as `TRUSTED CERTIFICATE`.
    #[error("expected CERTIFICATE, found {0}")]
    UnsupportedLabel(String),
    #[error("found no PEM block")]
    NoBlock,
    #[error("found only {}", .0.join(", "))]
    OtherBlocks(Vec<String>),
    #[error("{label} in line {line} is invalid: {reason}")]
    InvalidBlock {
        line: usize,
        label: String,
        reason: String,
    },
    #[error("private key is encrypted")]
    EncryptedKey,
    #[error("found more than one private key")]
    MultipleKeys,
}

/// Reads all certificates in a file.
pub(super) fn read_certificates(file: &UserPath) -> Result<Vec<Certificate>, PemError> {
    read(file, "certificate", parse_certificates)
}

/// Reads the only private key in a file. The key format is PKCS#8, PKCS#1 or SEC1.
pub(super) fn read_private_key(file: &UserPath) -> Result<PrivateKeyDer<'static>, PemError> {
    read(file, "private key", parse_private_key)
}

fn read<T>(
    file: &UserPath,
    expected: &'static str,
    parse: fn(Vec<Block>) -> Result<T, PemProblem>,
) -> Result<T, PemError> {
    let bytes = file.read(MAX_OPTION_FILE_BYTES)?;
    let parsed = parse_blocks(&bytes).and_then(parse);
    parsed.map_err(|problem| PemError::Content {
        file: file.clone(),
        expected,
        problem,
    })
}

fn parse_certificates(blocks: Vec<Block>) -> Result<Vec<Certificate>, PemProblem> {
    let mut certificates = Vec::new();
    for block in &blocks {
        match &block.item {
            Some(Item::X509Certificate(der)) => {
                let certificate = Certificate::parse(der.clone());
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

fn parse_private_key(blocks: Vec<Block>) -> Result<PrivateKeyDer<'static>, PemProblem> {
    if blocks.iter().any(|block| block.is_encrypted) {
        return Err(PemProblem::EncryptedKey);
    }
    let mut keys = blocks
        .iter()
        .filter_map(|block| match block.item.as_ref()? {
            Item::Pkcs1Key(key) => Some(PrivateKeyDer::Pkcs1(key.clone_key())),
            Item::Pkcs8Key(key) => Some(PrivateKeyDer::Pkcs8(key.clone_key())),
            Item::Sec1Key(key) => Some(PrivateKeyDer::Sec1(key.clone_key())),
            _ => None,
        });
    match (keys.next(), keys.next()) {
        (Some(key), None) => Ok(key),
        (Some(_), Some(_)) => Err(PemProblem::MultipleKeys),
        (None, _) => Err(no_such_block(blocks)),
    }
}

fn no_such_block(blocks: Vec<Block>) -> PemProblem {
    if blocks.is_empty() {
        return PemProblem::NoBlock;
    }
    PemProblem::OtherBlocks(blocks.into_iter().map(|block| block.label).collect())
}

/// A PEM block, which extends from a `-----BEGIN` line to the next `-----BEGIN` line or to the end
/// of the file.
struct Block {
    label: String,
    /// The line number of the `-----BEGIN` line, counted from 1.
    line: usize,
    /// The DER content, or `None` if the block is encrypted or the parser does not know the label.
    item: Option<Item>,
    is_encrypted: bool,
}

impl Block {
    fn parse(label: String, line: usize, text: &[u8]) -> Result<Self, PemProblem> {
        // RFC 7468 marks an encrypted key by its label. OpenSSL's traditional format marks an
        // encrypted key by a header, which the parser would take for Base64.
        let mut lines = text.split(|byte| *byte == b'\n');
        let mut block = Self {
            is_encrypted: label == "ENCRYPTED PRIVATE KEY"
                || lines.any(|line| line.starts_with(b"Proc-Type: 4,ENCRYPTED")),
            label,
            line,
            item: None,
        };
        if !block.is_encrypted {
            block.item = match rustls_pemfile::read_one_from_slice(text) {
                Ok(read) => read.map(|(item, _)| item),
                Err(error) => return Err(block.invalid(describe(&error).to_owned())),
            };
        }
        Ok(block)
    }

    fn invalid(&self, reason: String) -> PemProblem {
        PemProblem::InvalidBlock {
            line: self.line,
            label: self.label.clone(),
            reason,
        }
    }
}

/// Describes an error without its own text, which may quote a private key.
fn describe(error: &rustls_pemfile::Error) -> &'static str {
    match error {
        rustls_pemfile::Error::MissingSectionEnd { .. } => "-----END line is missing",
        rustls_pemfile::Error::Base64Decode(_) => "base64 cannot be decoded",
        rustls_pemfile::Error::IllegalSectionStart { .. } => "-----BEGIN line is malformed",
    }
}

fn parse_blocks(bytes: &[u8]) -> Result<Vec<Block>, PemProblem> {
    if let Some(problem) = foreign_format(bytes) {
        return Err(problem);
    }
    let mut starts = Vec::new();
    let mut offset = 0;
    for (number, line) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        if let Some(label) = begin_label(line, number)? {
            starts.push((label, number, offset));
        }
        offset += line.len();
    }
    let ends = starts.iter().skip(1).map(|(_, _, offset)| *offset);
    let ends: Vec<usize> = ends.chain([bytes.len()]).collect();
    starts
        .into_iter()
        .zip(ends)
        .map(|((label, line, start), end)| Block::parse(label, line, &bytes[start..end]))
        .collect()
}

/// Returns the label of a `-----BEGIN` line, or `None` for any other line.
fn begin_label(line: &[u8], number: usize) -> Result<Option<String>, PemProblem> {
    let text = String::from_utf8_lossy(line);
    let label = text
        .trim()
        .strip_prefix("-----BEGIN ")
        .and_then(|rest| rest.strip_suffix("-----"));
    match label {
        // The error does not quote an invalid label, because it may contain the key itself.
        Some(label) if !is_label(label) => Err(PemProblem::MalformedBegin { line: number }),
        Some(_) if text.starts_with(char::is_whitespace) => {
            Err(PemProblem::Indented { line: number })
        }
        label => Ok(label.map(ToOwned::to_owned)),
    }
}

/// Returns whether a string is a label (RFC 7468 section 3). Lower-case letters and more than 40
/// bytes are not accepted, because no known label has lower-case letters or is that long.
fn is_label(text: &str) -> bool {
    const MAX_LABEL_BYTES: usize = 40;
    text.len() <= MAX_LABEL_BYTES
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ')
}

/// Returns the reason why a file is not PEM text, or `None` if it may be PEM text.
fn foreign_format(bytes: &[u8]) -> Option<PemProblem> {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(PemProblem::Utf16),
        [0xef, 0xbb, 0xbf, ..] => Some(PemProblem::ByteOrderMark),
        // A DER sequence whose length is in the long form, as in every certificate and every RSA
        // key.
        [0x30, 0x81..=0x84, ..] => Some(PemProblem::Der),
        _ if bytes.iter().all(u8::is_ascii_whitespace) => Some(PemProblem::Empty),
        [0, _, ..] | [_, 0, ..] => Some(PemProblem::Utf16),
        _ => None,
    }
}

/// Encodes a certificate as a PEM block (RFC 7468 section 5.1).
pub(super) fn encode_certificate(der: &CertificateDer<'_>) -> String {
    const LINE_BYTES: usize = 64;
    let base64 = data_encoding::BASE64.encode(der);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in base64.as_bytes().chunks(LINE_BYTES) {
        pem.extend(line.iter().map(|byte| char::from(*byte)));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}
