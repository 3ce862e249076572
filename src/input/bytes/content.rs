//! The content of one input, which is the same in every pass.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::{fd::AsFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::OFlags;

use super::{
    compression::decompress,
    read_limits::ReadLimits,
    recorded_stream::RecordedStream,
    source::InputSource,
    verified_file::{BlockHashes, FileReader, VerifiedFile},
};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The maximum size, in bytes, of a small file. A small file is read into memory when the input is
/// opened, because opening a small file again for each pass takes longer than reading its bytes.
const MAX_BUFFERED_BYTES: u64 = 16 << 10;

/// The content of an input, which can be read from its start any number of times.
#[derive(Debug)]
pub(in crate::input) struct Content {
    storage: Storage,
    read_limits: ReadLimits,
    /// The block hashes of a file that each pass reads from disk. Empty for all other kinds of
    /// storage.
    hashes: BlockHashes,
}

#[derive(Debug)]
enum Storage {
    /// The bytes of a small file, which were read when the file was opened.
    Buffered(Vec<u8>),
    /// The bytes of [`InputSource::Memory`].
    Shared(Arc<[u8]>),
    /// A regular file, which is opened again for each pass.
    File(PathBuf),
    /// A regular file as standard input. `start` is the offset of the descriptor when the input was
    /// opened.
    Stdin {
        file: File,
        start: u64,
    },
    Stream(RecordedStream),
}

impl Content {
    /// Opens an input. A FIFO is opened without waiting for a program that writes to the FIFO.
    ///
    /// # Errors
    ///
    /// An operating system error, [`io::ErrorKind::IsADirectory`] for a directory, or
    /// [`super::StreamError::ReadStopped`] if one of the limits has been reached.
    pub(in crate::input) fn open(
        source: &InputSource,
        read_limits: &ReadLimits,
    ) -> io::Result<Self> {
        read_limits.check()?;
        let storage = match source {
            InputSource::Stdin => open_stdin()?,
            InputSource::Memory(bytes) => Storage::Shared(Arc::clone(bytes)),
            InputSource::File(path) => open_file(path)?,
        };
        Ok(Self {
            storage,
            read_limits: read_limits.clone(),
            hashes: BlockHashes::default(),
        })
    }

    /// Replaces the limits of all later passes.
    pub(in crate::input) fn set_read_limits(&mut self, read_limits: ReadLimits) {
        self.read_limits = read_limits;
    }

    /// Returns a reader of the decompressed text, without a UTF-8 byte order mark.
    ///
    /// # Errors
    ///
    /// The same errors as [`Self::raw_reader`]. The returned reader also fails with
    /// [`super::StreamError::CorruptArchive`] if compressed data is corrupt or truncated.
    pub(in crate::input) fn text_reader(&mut self) -> io::Result<Box<dyn Read + Send + '_>> {
        let mut text = decompress(self.raw_reader()?)?;
        let mut head = Vec::new();
        (&mut text)
            .take(BYTE_ORDER_MARK.len() as u64)
            .read_to_end(&mut head)?;
        if head == BYTE_ORDER_MARK {
            head.clear();
        }
        Ok(Box::new(io::Cursor::new(head).chain(text)))
    }

    /// Returns a reader of the stored bytes, which may be compressed, from the start.
    ///
    /// # Errors
    ///
    /// An operating system error. The returned reader fails with
    /// [`super::StreamError::FileChanged`] if a file differs from an earlier pass, and with
    /// [`super::StreamError::ReadStopped`] if one of the limits is reached.
    fn raw_reader(&mut self) -> io::Result<Box<dyn Read + Send + '_>> {
        let file = match &mut self.storage {
            Storage::Buffered(bytes) => return Ok(Box::new(bytes.as_slice())),
            Storage::Shared(bytes) => return Ok(Box::new(&**bytes)),
            Storage::Stream(stream) => return Ok(Box::new(stream.replay(&self.read_limits))),
            Storage::File(path) => FileReader {
                file: File::open(path)?,
                offset: 0,
            },
            Storage::Stdin { file, start } => FileReader {
                file: file.try_clone()?,
                offset: *start,
            },
        };
        Ok(Box::new(VerifiedFile::new(
            file,
            &self.read_limits,
            &mut self.hashes,
        )))
    }
}

fn open_stdin() -> io::Result<Storage> {
    // The standard library's handle has a buffer and reads more bytes than requested, so this
    // function reads from a duplicate of the descriptor.
    let mut file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    if !file.metadata()?.is_file() {
        return Ok(Storage::Stream(RecordedStream::new(file)));
    }
    let start = file.stream_position()?;
    // A program that reads the same standard input after this program expects the end of the file,
    // because this program consumes the whole input.
    file.seek(SeekFrom::End(0))?;
    Ok(Storage::Stdin { file, start })
}

fn open_file(path: &Path) -> io::Result<Storage> {
    // If the path is a FIFO, `open` without `O_NONBLOCK` would block until some other program opens
    // the FIFO for writing.
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(nonblocking).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Ok(Storage::Stream(RecordedStream::new(file)));
    }
    Ok(match read_small_file(file)? {
        Some(bytes) => Storage::Buffered(bytes),
        None => Storage::File(path.to_owned()),
    })
}

/// Returns the bytes of the file, or `None` if the file is larger than [`MAX_BUFFERED_BYTES`].
fn read_small_file(file: File) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::with_capacity(4096);
    file.take(MAX_BUFFERED_BYTES + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= MAX_BUFFERED_BYTES).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{
        super::{BLOCK_BYTES, StreamError},
        *,
    };

    fn open(path: &Path) -> Content {
        Content::open(&InputSource::File(path.to_owned()), &ReadLimits::default()).expect("opened")
    }

    fn read_all(content: &mut Content) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        content.text_reader()?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn detects_change_between_readings_before_returning_the_block() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("input");
        for length in [BLOCK_BYTES / 2, BLOCK_BYTES, 3 * BLOCK_BYTES + 7] {
            let original = vec![b'a'; length];
            let mut grown = original.clone();
            grown.push(b'a');
            let mut altered = original.clone();
            if let Some(last) = altered.last_mut() {
                *last = b'b';
            }
            let shrunk = original[..length / 2].to_vec();
            for changed in [grown, altered, shrunk] {
                fs::write(&path, &original).expect("written");
                let mut content = open(&path);
                assert_eq!(read_all(&mut content).expect("read"), original);
                assert_eq!(read_all(&mut content).expect("read again"), original);
                fs::write(&path, &changed).expect("changed");
                let error = read_all(&mut content).expect_err("a change");
                assert_eq!(error.downcast().ok(), Some(StreamError::FileChanged));
            }
        }
    }

    #[test]
    fn reads_small_file_only_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("input");
        for original in ["", "token,expire_time\n"] {
            fs::write(&path, original).expect("written");
            let mut content = open(&path);
            fs::write(&path, "changed").expect("changed");
            assert_eq!(read_all(&mut content).expect("read"), original.as_bytes());
        }
    }

    #[test]
    fn removes_one_byte_order_mark() {
        for (bytes, text) in [
            ("\u{feff}a", "a"),
            ("\u{feff}", ""),
            ("a\u{feff}", "a\u{feff}"),
            ("\u{feff}\u{feff}", "\u{feff}"),
        ] {
            let source = InputSource::Memory(bytes.as_bytes().into());
            let mut content = Content::open(&source, &ReadLimits::default()).expect("opened");
            assert_eq!(read_all(&mut content).expect("read"), text.as_bytes());
        }
    }
}
