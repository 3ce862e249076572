//! Bytes that can be read again and again, and are the same each time.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use twox_hash::XxHash3_64;

use super::problem::{ProblemKind, StreamError};

/// Where an input comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Stdin,
    File(PathBuf),
    /// Bytes that are there already.
    Memory(Arc<[u8]>),
}

/// An input's bytes. A regular file stays where it is; what is small, and what can be read only
/// once (a pipe, a terminal), is held.
#[derive(Debug)]
pub(super) struct Content {
    bytes: Bytes,
    /// What each block of the file hashed to when it was read first.
    blocks: Vec<u64>,
    complete: bool,
}

#[derive(Debug)]
enum Bytes {
    Held(Vec<u8>),
    Shared(Arc<[u8]>),
    File(PathBuf),
}

/// A file is compared with its first reading in blocks of this size, each before any of it is
/// used.
pub(super) const BLOCK: usize = 256 << 10;

impl Origin {
    /// What errors call this input.
    pub(crate) fn name(&self) -> Arc<str> {
        match self {
            Self::Stdin => "standard input".into(),
            Self::Memory(_) => "memory".into(),
            Self::File(path) => path.to_string_lossy().into(),
        }
    }
}

impl Content {
    pub(super) fn open(origin: &Origin) -> Result<Self, ProblemKind> {
        let bytes = match origin {
            Origin::Stdin => Bytes::Held(hold(io::stdin().lock())?),
            Origin::Memory(bytes) => Bytes::Shared(Arc::clone(bytes)),
            Origin::File(path) => {
                let file = File::open(path)?;
                let kind = file.metadata()?;
                if kind.is_dir() {
                    return Err(ProblemKind::Directory);
                } else if kind.is_file() {
                    match hold_small(file)? {
                        Some(bytes) => Bytes::Held(bytes),
                        None => Bytes::File(path.clone()),
                    }
                } else {
                    Bytes::Held(hold(file)?)
                }
            }
        };
        Ok(Self {
            bytes,
            blocks: Vec::new(),
            complete: false,
        })
    }

    /// Reads from the start. A file that is no longer what it was at the first complete reading
    /// ends in [`StreamError::Changed`].
    pub(super) fn reader(&mut self) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(match &self.bytes {
            Bytes::Held(bytes) => Box::new(bytes.as_slice()),
            Bytes::Shared(bytes) => Box::new(bytes.as_ref()),
            Bytes::File(path) => {
                Box::new(Checked::open(path, &mut self.blocks, &mut self.complete)?)
            }
        })
    }
}

fn hold(mut input: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// All of a file, unless it is larger than this: opening it for each reading would take longer
/// than what is read.
fn hold_small(file: File) -> io::Result<Option<Vec<u8>>> {
    const SMALL: u64 = 16 << 10;
    let mut bytes = Vec::with_capacity(4096);
    file.take(SMALL + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= SMALL).then_some(bytes))
}

/// Reads as much as there is room for, or as there is; how much, and what ended it early.
pub(super) fn fill(input: &mut dyn Read, room: &mut [u8]) -> (usize, io::Result<()>) {
    let mut filled = 0;
    while filled < room.len() {
        match input.read(&mut room[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (filled, Err(error)),
        }
    }
    (filled, Ok(()))
}

/// A file, hashed block by block as it is read.
struct Checked<'c> {
    file: File,
    block: Vec<u8>,
    /// What of the block has been given out.
    used: usize,
    /// Blocks read.
    count: usize,
    known: &'c mut Vec<u64>,
    complete: &'c mut bool,
    ended: bool,
}

impl<'c> Checked<'c> {
    fn open(path: &Path, known: &'c mut Vec<u64>, complete: &'c mut bool) -> io::Result<Self> {
        Ok(Self {
            file: File::open(path)?,
            block: Vec::with_capacity(BLOCK),
            used: 0,
            count: 0,
            known,
            complete,
            ended: false,
        })
    }

    fn next_block(&mut self) -> io::Result<()> {
        let mut block = std::mem::take(&mut self.block);
        block.clear();
        self.used = 0;
        (&mut self.file)
            .take(BLOCK as u64)
            .read_to_end(&mut block)?;
        self.check(&block)?;
        self.block = block;
        Ok(())
    }

    /// Takes note of a block, or compares it.
    fn check(&mut self, block: &[u8]) -> io::Result<()> {
        self.ended = block.len() < BLOCK;
        // The last block counts when it is empty too, so that a file that has grown is noticed.
        let hash = XxHash3_64::oneshot(block);
        match self.known.get(self.count) {
            Some(known) if *known == hash => {}
            None if !*self.complete => self.known.push(hash),
            _ => return Err(StreamError::Changed.into()),
        }
        self.count += 1;
        if self.ended {
            if *self.complete && self.count != self.known.len() {
                return Err(StreamError::Changed.into());
            }
            *self.complete = true;
        }
        Ok(())
    }
}

impl Read for Checked<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.used == self.block.len() {
            if self.ended {
                return Ok(0);
            }
            if let Some(block) = out.get_mut(..BLOCK) {
                // Straight to where it is wanted.
                let (length, result) = fill(&mut self.file, block);
                result?;
                self.check(&block[..length])?;
                return Ok(length);
            }
            self.next_block()?;
        }
        let rest = &self.block[self.used..];
        let length = rest.len().min(out.len());
        out[..length].copy_from_slice(&rest[..length]);
        self.used += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read_all(content: &mut Content) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        content.reader()?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn a_file_that_changes_between_readings_is_noticed_before_it_is_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("input");
        for before in [BLOCK / 2, BLOCK, 3 * BLOCK + 7] {
            let original = vec![b'a'; before];
            let mut grown = original.clone();
            grown.push(b'a');
            let mut other = original.clone();
            if let Some(last) = other.last_mut() {
                *last = b'b';
            }
            let shrunk = original[..before / 2].to_vec();
            for changed in [grown, other, shrunk] {
                fs::write(&path, &original).expect("written");
                let mut content = Content::open(&Origin::File(path.clone())).expect("opened");
                assert_eq!(read_all(&mut content).expect("read"), original);
                assert_eq!(read_all(&mut content).expect("read again"), original);
                fs::write(&path, &changed).expect("changed");
                let error = read_all(&mut content).expect_err("a change");
                assert!(matches!(ProblemKind::from(error), ProblemKind::Changed));
            }
        }
    }

    #[test]
    fn a_small_file_is_read_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("input");
        for before in ["", "token,expire_time\n"] {
            fs::write(&path, before).expect("written");
            let mut content = Content::open(&Origin::File(path.clone())).expect("opened");
            fs::write(&path, "changed").expect("changed");
            assert_eq!(read_all(&mut content).expect("read"), before.as_bytes());
        }
    }
}
