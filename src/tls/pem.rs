//! PEM files (RFC 7468): the one place that reads them.
//!
//! A PEM reader skips whatever it does not know, so that a file of the wrong kind reads as an
//! empty list and fails much later as an unknown issuer. Here such a file is an error that says
//! what it holds.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls_pemfile::Item;

use super::certificate::CertificateInfo;

/// A file that does not hold the PEM that it was named for.
#[derive(Debug)]
pub(crate) struct PemError {
    pub(crate) file: PathBuf,
    pub(crate) expected: PemKind,
    pub(crate) problem: PemProblem,
}

/// What a PEM file was named for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PemKind {
    Certificate,
    PrivateKey,
}

/// What is wrong with a PEM file.
#[derive(Debug)]
pub(crate) enum PemProblem {
    Unreadable(io::Error),
    TooLarge,
    Empty,
    Utf16,
    ByteOrderMark,
    Der,
    /// White space before the `-----BEGIN` of this line, counted from 1.
    Indented {
        line: usize,
    },
    /// A `-----BEGIN` line that is more than that, as in a file that lost its line ends.
    MalformedBegin {
        line: usize,
    },
    /// Another word where `CERTIFICATE` belongs, such as `TRUSTED CERTIFICATE`.
    UnsupportedLabel(String),
    /// None of the blocks asked for; the labels of those that are there.
    NoSuchBlock {
        found: Vec<String>,
    },
    /// The block that begins on this line, counted from 1, can't be read.
    InvalidBlock {
        line: usize,
        label: String,
        reason: String,
    },
    EncryptedKey,
    MultipleKeys,
}

/// No list of trust anchors is anywhere near this size; a device file is.
const LARGEST_FILE: u64 = 16 << 20;

/// Reads every certificate of a file: at least one, and no certificate block left unread.
pub(crate) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    read_certificates(file).map_err(|problem| PemError {
        file: file.to_owned(),
        expected: PemKind::Certificate,
        problem,
    })
}

/// Reads the one private key of a file: PKCS#8, PKCS#1 or SEC1, not encrypted.
pub(crate) fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
    read_private_key(file).map_err(|problem| PemError {
        file: file.to_owned(),
        expected: PemKind::PrivateKey,
        problem,
    })
}

fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, PemProblem> {
    let blocks = blocks(file)?;
    let mut certificates = Vec::new();
    for block in &blocks {
        match &block.item {
            Some(Item::X509Certificate(der)) => {
                CertificateInfo::from_der(der).map_err(|reason| block.bad(reason))?;
                certificates.push(der.clone());
            }
            None if block.label.ends_with(" CERTIFICATE") => {
                return Err(PemProblem::UnsupportedLabel(block.label.clone()));
            }
            _ => {}
        }
    }
    if certificates.is_empty() {
        return Err(missing(blocks));
    }
    Ok(certificates)
}

fn read_private_key(file: &Path) -> Result<PrivateKeyDer<'static>, PemProblem> {
    let blocks = blocks(file)?;
    if blocks.iter().any(|block| block.encrypted) {
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
        (None, _) => Err(missing(blocks)),
    }
}

fn missing(blocks: Vec<Block>) -> PemProblem {
    PemProblem::NoSuchBlock {
        found: blocks.into_iter().map(|block| block.label).collect(),
    }
}

/// What stands between one `-----BEGIN` line and the next.
struct Block {
    label: String,
    /// The physical line of its `-----BEGIN`, counted from 1.
    line: usize,
    /// `None` where the PEM reader does not know the label.
    item: Option<Item>,
    encrypted: bool,
}

impl Block {
    fn bad(&self, reason: String) -> PemProblem {
        PemProblem::InvalidBlock {
            line: self.line,
            label: self.label.clone(),
            reason,
        }
    }
}

fn blocks(file: &Path) -> Result<Vec<Block>, PemProblem> {
    let bytes = read(file).map_err(PemProblem::Unreadable)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(PemProblem::TooLarge);
    }
    if let Some(problem) = other_shape(&bytes) {
        return Err(problem);
    }
    let mut starts = Vec::new();
    let mut offset = 0;
    for (number, line) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        let text = String::from_utf8_lossy(line);
        let label = text
            .trim()
            .strip_prefix("-----BEGIN ")
            .and_then(|rest| rest.strip_suffix("-----"));
        if let Some(label) = label {
            // More between the dashes than a label may be the key itself, which is not shown.
            if !is_label(label) {
                return Err(PemProblem::MalformedBegin { line: number });
            }
            if text.starts_with(char::is_whitespace) {
                return Err(PemProblem::Indented { line: number });
            }
            starts.push((offset, number, label.to_owned()));
        }
        offset += line.len();
    }
    let ends = starts.iter().skip(1).map(|(offset, ..)| *offset);
    let ends: Vec<usize> = ends.chain([bytes.len()]).collect();
    starts
        .into_iter()
        .zip(ends)
        .map(|((start, line, label), end)| block(&bytes[start..end], line, label))
        .collect()
}

/// RFC 7468 section 3, less lower case, which no known label has.
fn is_label(text: &str) -> bool {
    const LONGEST: usize = 40;
    text.len() <= LONGEST
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ')
}

fn block(text: &[u8], line: usize, label: String) -> Result<Block, PemProblem> {
    // RFC 7468 has the first form, OpenSSL's traditional format the second, as a header that the
    // PEM reader would take for base64.
    let encrypted = label == "ENCRYPTED PRIVATE KEY"
        || text
            .split(|byte| *byte == b'\n')
            .any(|line| line.starts_with(b"Proc-Type: 4,ENCRYPTED"));
    let mut block = Block {
        label,
        line,
        item: None,
        encrypted,
    };
    if !encrypted {
        block.item = match rustls_pemfile::read_one_from_slice(text) {
            Ok(item) => item.map(|(item, _)| item),
            Err(error) => return Err(block.bad(bad_block(&error))),
        };
    }
    Ok(block)
}

fn bad_block(error: &rustls_pemfile::Error) -> String {
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

fn read(file: &Path) -> io::Result<Vec<u8>> {
    // One certificate comes in one read.
    let mut bytes = Vec::with_capacity(4096);
    File::open(file)?
        .take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a certificate as a PEM block (RFC 7468 section 5.1).
pub(super) fn encode(der: &CertificateDer<'_>) -> String {
    const LINE: usize = 64;
    let base64 = data_encoding::BASE64.encode(der);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in base64.as_bytes().chunks(LINE) {
        pem.extend(line.iter().map(|byte| char::from(*byte)));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

/// What a file that can't be PEM looks like.
fn other_shape(bytes: &[u8]) -> Option<PemProblem> {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(PemProblem::Utf16),
        [0xef, 0xbb, 0xbf, ..] => Some(PemProblem::ByteOrderMark),
        // A DER sequence with a length of two bytes, as every certificate and key has.
        [0x30, 0x81..=0x84, ..] => Some(PemProblem::Der),
        _ if bytes.iter().all(u8::is_ascii_whitespace) => Some(PemProblem::Empty),
        [0, _, ..] | [_, 0, ..] => Some(PemProblem::Utf16),
        _ => None,
    }
}
