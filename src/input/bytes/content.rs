//! The content of one input, which is the same in every pass.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::{
        fd::AsFd,
        unix::{fs::FileTypeExt, net::UnixStream},
    },
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use super::{
    compression::decompress,
    read_limits::ReadLimits,
    recorded_stream::RecordedStream,
    text_end::WithoutFinalCtrlZ,
    verified_file::{BlockHashes, VerifiedFile},
};
use crate::user_path::UserPath;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The maximum size, in bytes, of a small file. A small file is read into memory when the input is
/// opened, because opening it again for each pass takes longer than reading its bytes.
const MAX_BUFFERED_BYTES: u64 = 16 << 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InputSource {
    Stdin,
    File(PathBuf),
    Memory(Arc<[u8]>),
}

impl InputSource {
    pub(crate) fn name(&self) -> Arc<str> {
        match self {
            Self::Stdin => "standard input".into(),
            Self::Memory(_) => "memory".into(),
            Self::File(path) => UserPath::from(path.as_path()).to_string().into(),
        }
    }
}

#[derive(Debug)]
pub(in crate::input) struct Content {
    storage: Storage,
    pub(in crate::input) read_limits: ReadLimits,
    hashes: BlockHashes,
}

#[derive(Debug)]
enum Storage {
    Memory(Arc<[u8]>),
    File(PathBuf),
    Stdin { file: File, start: u64 },
    Stream(RecordedStream),
}

impl Content {
    /// Opens an input. Waits for a program that writes to a FIFO.
    pub(in crate::input) fn open(
        source: &InputSource,
        read_limits: &ReadLimits,
    ) -> io::Result<Self> {
        read_limits.check()?;
        let storage = match source {
            InputSource::Stdin => open_stdin()?,
            InputSource::Memory(bytes) => Storage::Memory(Arc::clone(bytes)),
            InputSource::File(path) => open_file(path, read_limits)?,
        };
        Ok(Self {
            storage,
            read_limits: read_limits.clone(),
            hashes: BlockHashes::default(),
        })
    }

    /// Returns a reader of the decompressed text, without a UTF-8 byte order mark and a last line
    /// that is a Ctrl-Z.
    pub(in crate::input) fn text_reader(&mut self) -> io::Result<Box<dyn Read + Send + '_>> {
        let mut text = decompress(self.raw_reader()?)?;
        let mut head = Vec::new();
        (&mut text)
            .take(BYTE_ORDER_MARK.len() as u64)
            .read_to_end(&mut head)?;
        if head == BYTE_ORDER_MARK {
            head.clear();
        }
        let text = io::Cursor::new(head).chain(text);
        Ok(Box::new(WithoutFinalCtrlZ::new(text)))
    }

    fn raw_reader(&mut self) -> io::Result<Box<dyn Read + Send + '_>> {
        let Self {
            storage,
            read_limits,
            hashes,
        } = self;
        let (file, start) = match storage {
            Storage::Memory(bytes) => return Ok(Box::new(&**bytes)),
            Storage::Stream(stream) => return Ok(Box::new(stream.replay(read_limits))),
            Storage::File(path) => (File::open(path)?, 0),
            Storage::Stdin { file, start } => (file.try_clone()?, *start),
        };
        Ok(Box::new(VerifiedFile::new(
            file,
            start,
            read_limits,
            hashes,
        )))
    }
}

fn open_stdin() -> io::Result<Storage> {
    // The standard library's handle reads more bytes than requested.
    let mut file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    if !file.metadata()?.is_file() {
        return Ok(Storage::Stream(RecordedStream::new(file)));
    }
    let start = file.stream_position()?;
    // The next reader of the same standard input finds its end, as after a stream.
    file.seek(SeekFrom::End(0))?;
    Ok(Storage::Stdin { file, start })
}

fn open_file(path: &Path, read_limits: &ReadLimits) -> io::Result<Storage> {
    let metadata = path.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if metadata.file_type().is_fifo() {
        let file = open_fifo(path, read_limits)?;
        return Ok(Storage::Stream(RecordedStream::new(file)));
    }
    let mut file = File::open(path)?;
    if !metadata.is_file() {
        return Ok(Storage::Stream(RecordedStream::new(file)));
    }
    let mut bytes = Vec::with_capacity(4096);
    (&mut file)
        .take(MAX_BUFFERED_BYTES + 1)
        .read_to_end(&mut bytes)?;
    Ok(if bytes.len() as u64 <= MAX_BUFFERED_BYTES {
        Storage::Memory(bytes.into())
    } else {
        Storage::File(path.to_owned())
    })
}

/// Opens a FIFO for reading, which blocks until some program opens the FIFO for writing. A thread
/// waits, so that a limit can end the wait. The thread then stays behind until the process ends.
fn open_fifo(path: &Path, read_limits: &ReadLimits) -> io::Result<File> {
    let (is_open, opening) = UnixStream::pair()?;
    let path = path.to_owned();
    let thread = thread::Builder::new().spawn(move || {
        let _hangs_up_when_dropped = opening;
        File::open(path)
    })?;
    read_limits.wait_until_readable(is_open.as_fd())?;
    let opened = thread.join();
    opened.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{
        super::{StreamError, verified_file::BLOCK_BYTES},
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
