//! Decompression of gzip and Zstandard inputs, recognized by their magic bytes.

use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;

use super::stream_error::StreamError;

/// The magic bytes of gzip (RFC 1952 section 2.3.1).
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
/// The magic bytes of Zstandard (RFC 8878 section 3.1.1).
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The magic bytes after the first one of a skippable frame of Zstandard (RFC 8878 section 3.1.2),
/// with which `pzstd` starts an archive. The first byte is between 0x50 and 0x5f.
const ZSTD_SKIPPABLE_MAGIC: &[u8] = &[0x2a, 0x4d, 0x18];

fn is_zstd(head: &[u8]) -> bool {
    let is_skippable = |(first, rest): (&u8, &[u8])| {
        (0x50..=0x5f).contains(first) && rest.starts_with(ZSTD_SKIPPABLE_MAGIC)
    };
    head.starts_with(ZSTD_MAGIC) || head.split_first().is_some_and(is_skippable)
}

pub(super) fn decompress<'r>(
    mut raw: Box<dyn Read + Send + 'r>,
) -> io::Result<Box<dyn Read + Send + 'r>> {
    let mut head = Vec::new();
    (&mut raw)
        .take(ZSTD_MAGIC.len() as u64)
        .read_to_end(&mut head)?;
    let is_gzip = head.starts_with(GZIP_MAGIC);
    let is_zstd = is_zstd(&head);
    let whole = io::Cursor::new(head).chain(raw);
    Ok(if is_gzip {
        let decoder = MultiGzDecoder::new(BufReader::new(whole));
        Box::new(ArchiveReader(decoder))
    } else if is_zstd {
        let decoder = zstd::stream::read::Decoder::new(whole)?;
        Box::new(ArchiveReader(decoder))
    } else {
        Box::new(whole)
    })
}

/// Converts decoder errors to [`StreamError::CorruptArchive`], and keeps errors of the stream.
struct ArchiveReader<R>(R);

impl<R: Read> Read for ArchiveReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0
            .read(out)
            .map_err(|error| match error.downcast::<StreamError>() {
                Ok(error) => error.into(),
                Err(error) if error.raw_os_error().is_some() => error,
                Err(error) => archive_error(&error).into(),
            })
    }
}

fn archive_error(error: &io::Error) -> StreamError {
    // The `zstd` crate gives the error of the library only as text.
    let message = error.to_string();
    match error.kind() {
        // The decoder of gzip reports the same for a truncated archive and for other bytes after it.
        io::ErrorKind::UnexpectedEof => {
            StreamError::CorruptArchive("incomplete, or followed by other bytes".to_owned())
        }
        _ if message.contains("too much memory") => StreamError::ArchiveWindowTooLarge,
        _ => StreamError::CorruptArchive(message),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).expect("written");
        encoder.finish().expect("finished")
    }

    /// Compresses with a checksum, as the command `zstd` does by default.
    fn zstandard(text: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
        encoder.include_checksum(true).expect("a checksum");
        encoder.write_all(text).expect("written");
        encoder.finish().expect("finished")
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        decompress(Box::new(bytes))?.read_to_end(&mut text)?;
        Ok(text)
    }

    #[test]
    fn reads_all_members_of_an_archive() {
        for text in [&b""[..], b"a", b"\x1f", b"plain text\n"] {
            assert_eq!(read(text).expect("plain"), text);
        }
        for pack in [gzip, zstandard] {
            let packed = [pack(b"one,"), pack(b""), pack(b"two")].concat();
            assert_eq!(read(&packed).expect("read"), b"one,two");
        }
    }

    #[test]
    fn skips_skippable_frames() {
        for first in [0x50, 0x5f] {
            let frame = [&[first][..], ZSTD_SKIPPABLE_MAGIC, &[2, 0, 0, 0], b"xx"].concat();
            let archive = [&frame[..], &zstandard(b"one"), &frame, &zstandard(b"two")].concat();
            assert_eq!(read(&archive).expect("read"), b"onetwo");
            assert_eq!(read(&frame).expect("read"), b"");
        }
        assert_eq!(
            read(b"\x4f\x2a\x4d\x18").expect("plain"),
            b"\x4f\x2a\x4d\x18"
        );
    }

    #[test]
    fn names_an_archive_with_a_long_window() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
        encoder.long_distance_matching(true).expect("an option");
        encoder.window_log(28).expect("an option");
        encoder.write_all(b"text").expect("written");
        let archive = encoder.finish().expect("finished");
        let error = read(&archive).expect_err("a window of 256 MiB");
        assert_eq!(
            error.downcast().ok(),
            Some(StreamError::ArchiveWindowTooLarge)
        );
    }

    #[test]
    fn reports_corrupt_archives() {
        for pack in [gzip, zstandard] {
            let packed = pack(&b"a line of text\n".repeat(1000));
            let mut flipped = packed.clone();
            let middle = packed.len() / 2;
            flipped[middle] ^= 0xff;
            for corrupt in [
                &packed[..packed.len() - 1],
                &packed[..packed.len() / 2],
                &packed[..5],
                &flipped,
                &[&packed[..], b"and more"].concat(),
            ] {
                let error = read(corrupt).map(|text| text.len()).expect_err("corrupt");
                let error = error.downcast().expect("a stream error");
                assert!(matches!(error, StreamError::CorruptArchive(_)), "{error:?}");
            }
        }
    }
}
