//! Reads and writes PEM files (RFC 7468).
//!
//! A usual PEM parser skips everything that it does not know, so it would find no certificate in a
//! file of the wrong type. The first error would be an unknown issuer in a later TLS handshake.
//! This module refuses a file of the wrong type at once, and reports the content of the file.

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls_pemfile::Item;

use super::certificate::CertificateInfo;
use crate::user_path::{FileError, MAX_OPTION_FILE_BYTES, UserPath};

/// The error of a file that does not contain the expected PEM blocks.
#[derive(Debug)]
pub(crate) struct PemError {
    pub(crate) file: UserPath,
    pub(crate) expected: PemKind,
    pub(crate) problem: PemProblem,
}

/// The kind of PEM block that a file must contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PemKind {
    Certificate,
    PrivateKey,
}

/// The reason why a PEM file is refused. Line numbers count from 1.
#[derive(Debug)]
pub(crate) enum PemProblem {
    Unreadable(FileError),
    Empty,
    Utf16,
    ByteOrderMark,
    Der,
    /// Whitespace precedes a `-----BEGIN` line.
    Indented {
        line: usize,
    },
    /// A `-----BEGIN` line contains more than a label, as in a file that lost its line ends.
    MalformedBegin {
        line: usize,
    },
    /// A block has a certificate label other than `CERTIFICATE`, such as `TRUSTED CERTIFICATE`.
    UnsupportedLabel(String),
    /// The file has no block of the expected kind. `found` holds the labels of all blocks in the
    /// file.
    NoSuchBlock {
        found: Vec<String>,
    },
    /// The block that begins at `line` cannot be parsed.
    InvalidBlock {
        line: usize,
        label: String,
        reason: String,
    },
    EncryptedKey,
    MultipleKeys,
}

/// Reads all certificates in a file.
///
/// # Errors
///
/// The file cannot be read, has no certificate, or has a block that cannot be parsed.
pub(super) fn read_certificates(file: &UserPath) -> Result<Vec<CertificateDer<'static>>, PemError> {
    parse_certificates(file).map_err(|problem| PemError {
        file: file.clone(),
        expected: PemKind::Certificate,
        problem,
    })
}

/// Reads the only private key in a file. The key format is PKCS#8, PKCS#1 or SEC1.
///
/// # Errors
///
/// The file cannot be read, has no private key, more than one private key, an encrypted private
/// key, or a block that cannot be parsed.
pub(super) fn read_private_key(file: &UserPath) -> Result<PrivateKeyDer<'static>, PemError> {
    parse_private_key(file).map_err(|problem| PemError {
        file: file.clone(),
        expected: PemKind::PrivateKey,
        problem,
    })
}

fn parse_certificates(file: &UserPath) -> Result<Vec<CertificateDer<'static>>, PemProblem> {
    let blocks = read_blocks(file)?;
    let mut certificates = Vec::new();
    for block in &blocks {
        match &block.item {
            Some(Item::X509Certificate(der)) => {
                CertificateInfo::from_der(der).map_err(|reason| block.invalid(reason))?;
                certificates.push(der.clone());
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

fn parse_private_key(file: &UserPath) -> Result<PrivateKeyDer<'static>, PemProblem> {
    let blocks = read_blocks(file)?;
    if blocks.iter().any(|block| block.is_encrypted) {
        return Err(PemProblem::EncryptedKey);
    }
    let mut keys = blocks.iter().filter_map(|block| match &block.item {
        Some(Item::Pkcs1Key(key)) => Some(PrivateKeyDer::from(key.clone_key())),
        Some(Item::Pkcs8Key(key)) => Some(PrivateKeyDer::from(key.clone_key())),
        Some(Item::Sec1Key(key)) => Some(PrivateKeyDer::from(key.clone_key())),
        _ => None,
    });
    match (keys.next(), keys.next()) {
        (Some(key), None) => Ok(key),
        (Some(_), Some(_)) => Err(PemProblem::MultipleKeys),
        (None, _) => Err(no_such_block(blocks)),
    }
}

fn no_such_block(blocks: Vec<Block>) -> PemProblem {
    PemProblem::NoSuchBlock {
        found: blocks.into_iter().map(|block| block.label).collect(),
    }
}

/// A PEM block, which extends from a `-----BEGIN` line to the next `-----BEGIN` line or to the end
/// of the file.
struct Block {
    label: String,
    /// The line number of the `-----BEGIN` line, counted from 1.
    line: usize,
    /// The parsed content, or `None` if the block is encrypted or the parser does not know the
    /// label.
    item: Option<Item>,
    is_encrypted: bool,
}

impl Block {
    fn invalid(&self, reason: String) -> PemProblem {
        PemProblem::InvalidBlock {
            line: self.line,
            label: self.label.clone(),
            reason,
        }
    }
}

/// The `-----BEGIN` line of a block.
struct BlockStart {
    /// The position of the line in the file, in bytes.
    offset: usize,
    line: usize,
    label: String,
}

fn read_blocks(file: &UserPath) -> Result<Vec<Block>, PemProblem> {
    let bytes = file
        .read(MAX_OPTION_FILE_BYTES)
        .map_err(PemProblem::Unreadable)?;
    if let Some(problem) = foreign_format(&bytes) {
        return Err(problem);
    }
    let starts = find_block_starts(&bytes)?;
    let ends = starts.iter().skip(1).map(|start| start.offset);
    let ends: Vec<usize> = ends.chain([bytes.len()]).collect();
    starts
        .into_iter()
        .zip(ends)
        .map(|(start, end)| parse_block(&bytes[start.offset..end], start))
        .collect()
}

fn find_block_starts(bytes: &[u8]) -> Result<Vec<BlockStart>, PemProblem> {
    let mut starts = Vec::new();
    let mut offset = 0;
    for (number, line) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        let text = String::from_utf8_lossy(line);
        let label = text
            .trim()
            .strip_prefix("-----BEGIN ")
            .and_then(|rest| rest.strip_suffix("-----"));
        if let Some(label) = label {
            // The error does not quote an invalid label, because the label may contain the key
            // itself.
            if !is_label(label) {
                return Err(PemProblem::MalformedBegin { line: number });
            }
            if text.starts_with(char::is_whitespace) {
                return Err(PemProblem::Indented { line: number });
            }
            starts.push(BlockStart {
                offset,
                line: number,
                label: label.to_owned(),
            });
        }
        offset += line.len();
    }
    Ok(starts)
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

fn parse_block(text: &[u8], start: BlockStart) -> Result<Block, PemProblem> {
    let BlockStart { line, label, .. } = start;
    // RFC 7468 marks an encrypted key by its label. OpenSSL's traditional format marks an encrypted
    // key by a header, which the parser would take for Base64.
    let is_encrypted = label == "ENCRYPTED PRIVATE KEY"
        || text
            .split(|byte| *byte == b'\n')
            .any(|line| line.starts_with(b"Proc-Type: 4,ENCRYPTED"));
    let mut block = Block {
        label,
        line,
        item: None,
        is_encrypted,
    };
    if !is_encrypted {
        block.item = match rustls_pemfile::read_one_from_slice(text) {
            Ok(item) => item.map(|(item, _)| item),
            Err(error) => return Err(block.invalid(block_error(&error))),
        };
    }
    Ok(block)
}

fn block_error(error: &rustls_pemfile::Error) -> String {
    match error {
        rustls_pemfile::Error::MissingSectionEnd { .. } => {
            "its -----END line is missing".to_owned()
        }
        rustls_pemfile::Error::IllegalSectionStart { .. } => {
            "its -----BEGIN line is malformed".to_owned()
        }
        rustls_pemfile::Error::Base64Decode(_) => "its base64 can't be decoded".to_owned(),
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
