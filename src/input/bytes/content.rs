//! Bytes that can be read again and again, and are the same each time.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::{
        fd::AsFd,
        unix::fs::{FileExt, OpenOptionsExt},
    },
    path::PathBuf,
    sync::Arc,
};

use rustix::fs::OFlags;
use twox_hash::XxHash3_64;

use super::{
    super::problem::{ProblemKind, StreamError},
    read_limits::Patience,
};

/// Where an input comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Stdin,
    File(PathBuf),
    /// Bytes that are there already.
    Memory(Arc<[u8]>),
}

/// An input's bytes. A regular file stays where it is; what is small, and what can be read only
/// once (a pipe, a terminal), is held as it comes.
#[derive(Debug)]
pub(in crate::input) struct Content {
    bytes: Bytes,
    patience: Patience,
    /// What each block of the file hashed to when it was read first.
    blocks: Vec<u64>,
    complete: bool,
}

#[derive(Debug)]
enum Bytes {
    Held(Vec<u8>),
    Shared(Arc<[u8]>),
    File(PathBuf),
    /// A file that is open already, from here on.
    Open(File, u64),
    Once(Once),
}

/// A file is compared with its first reading in blocks of this size, each before any of it is
/// used.
pub(in crate::input) const BLOCK: usize = 256 << 10;

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
    pub(in crate::input) fn open(
        origin: &Origin,
        patience: &Patience,
    ) -> Result<Self, ProblemKind> {
        patience.check()?;
        let bytes = match origin {
            Origin::Stdin => {
                let mut file = stdin()?;
                if file.metadata()?.is_file() {
                    let start = file.stream_position()?;
                    // Whoever reads it next finds it read.
                    file.seek(SeekFrom::End(0))?;
                    Bytes::Open(file, start)
                } else {
                    Bytes::Once(Once::new(file))
                }
            }
            Origin::Memory(bytes) => Bytes::Shared(Arc::clone(bytes)),
            Origin::File(path) => {
                // A FIFO that nobody writes to would not even open.
                let at_once = OFlags::NONBLOCK.bits().cast_signed();
                let mut options = OpenOptions::new();
                let file = options.read(true).custom_flags(at_once).open(path)?;
                let kind = file.metadata()?;
                if kind.is_dir() {
                    return Err(ProblemKind::Directory);
                } else if kind.is_file() {
                    match hold_small(file)? {
                        Some(bytes) => Bytes::Held(bytes),
                        None => Bytes::File(path.clone()),
                    }
                } else {
                    Bytes::Once(Once::new(file))
                }
            }
        };
        Ok(Self {
            bytes,
            patience: patience.clone(),
            blocks: Vec::new(),
            complete: false,
        })
    }

    /// From now on reading may take so long.
    pub(in crate::input) fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
    }

    /// Reads from the start. A file that is no longer what it was at the first complete reading
    /// ends in [`StreamError::Changed`].
    pub(in crate::input) fn reader(&mut self) -> io::Result<Box<dyn Read + Send + '_>> {
        let file = match &mut self.bytes {
            Bytes::Held(bytes) => return Ok(Box::new(bytes.as_slice())),
            Bytes::Shared(bytes) => return Ok(Box::new(&**bytes)),
            Bytes::Once(once) => {
                let patience = &self.patience;
                return Ok(Box::new(Replay {
                    once,
                    patience,
                    at: 0,
                }));
            }
            Bytes::File(path) => Positioned {
                file: File::open(path)?,
                at: 0,
            },
            Bytes::Open(file, start) => Positioned {
                file: file.try_clone()?,
                at: *start,
            },
        };
        let known = (&mut self.blocks, &mut self.complete);
        Ok(Box::new(Checked::new(file, &self.patience, known)))
    }
}

/// Standard input without the library's buffer.
fn stdin() -> io::Result<File> {
    Ok(io::stdin().as_fd().try_clone_to_owned()?.into())
}

/// What can be read only once, and what of it has been read.
#[derive(Debug)]
struct Once {
    file: File,
    held: Vec<u8>,
    ended: bool,
}

impl Once {
    fn new(file: File) -> Self {
        Self {
            file,
            held: Vec::new(),
            ended: false,
        }
    }

    fn read_on(&mut self, patience: &Patience, out: &mut [u8]) -> io::Result<usize> {
        loop {
            patience.wait_for(&self.file)?;
            match self.file.read(out) {
                // There was nothing after all.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }
}

/// Reads from the start what was read before, and then on.
struct Replay<'o> {
    once: &'o mut Once,
    patience: &'o Patience,
    at: usize,
}

impl Read for Replay<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = match &self.once.held[self.at..] {
            [] if self.once.ended || out.is_empty() => 0,
            [] => {
                let read = self.once.read_on(self.patience, out)?;
                self.once.held.extend_from_slice(&out[..read]);
                self.once.ended = read == 0;
                read
            }
            held => {
                let read = held.len().min(out.len());
                out[..read].copy_from_slice(&held[..read]);
                read
            }
        };
        self.at += read;
        Ok(read)
    }
}

/// Reads a file from a place of its own, whoever else may read it.
struct Positioned {
    file: File,
    at: u64,
}

impl Read for Positioned {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(out, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
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
pub(in crate::input) fn fill(input: &mut dyn Read, room: &mut [u8]) -> (usize, io::Result<()>) {
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
    file: Positioned,
    patience: &'c Patience,
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
    fn new(
        file: Positioned,
        patience: &'c Patience,
        (known, complete): (&'c mut Vec<u64>, &'c mut bool),
    ) -> Self {
        Self {
            file,
            patience,
            block: Vec::with_capacity(BLOCK),
            used: 0,
            count: 0,
            known,
            complete,
            ended: false,
        }
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
            self.patience.check()?;
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
    use std::{fs, io::Write, os::fd::OwnedFd};

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
                let mut content = Content::open(&Origin::File(path.clone()), &Patience::default())
                    .expect("opened");
                assert_eq!(read_all(&mut content).expect("read"), original);
                assert_eq!(read_all(&mut content).expect("read again"), original);
                fs::write(&path, &changed).expect("changed");
                let error = read_all(&mut content).expect_err("a change");
                assert!(matches!(ProblemKind::from(error), ProblemKind::Changed));
            }
        }
    }

    #[test]
    fn what_comes_once_is_replayed_as_far_as_it_was_read() {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let file = File::from(OwnedFd::from(reader));
        let mut content = Content {
            bytes: Bytes::Once(Once::new(file)),
            patience: Patience::default(),
            blocks: Vec::new(),
            complete: false,
        };
        writer.write_all(b"abcd").expect("written");
        let mut start = [0; 2];
        let mut read_start = |content: &mut Content| {
            let read = content.reader()?.read(&mut start)?;
            io::Result::Ok(start[..read].to_vec())
        };
        assert_eq!(read_start(&mut content).expect("read"), b"ab");
        assert_eq!(read_start(&mut content).expect("read again"), b"ab");
        writer.write_all(b"ef").expect("written");
        drop(writer);
        assert_eq!(read_all(&mut content).expect("read"), b"abcdef");
        assert_eq!(read_all(&mut content).expect("read again"), b"abcdef");
    }

    #[test]
    fn a_small_file_is_read_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("input");
        for before in ["", "token,expire_time\n"] {
            fs::write(&path, before).expect("written");
            let mut content =
                Content::open(&Origin::File(path.clone()), &Patience::default()).expect("opened");
            fs::write(&path, "changed").expect("changed");
            assert_eq!(read_all(&mut content).expect("read"), before.as_bytes());
        }
    }
}
