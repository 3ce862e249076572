//! Compressed inputs, known by their magic bytes.

use std::{
    error::Error,
    io::{self, BufReader, Read},
};

use flate2::read::MultiGzDecoder;

use crate::input::problem::StreamError;

/// RFC 1952 section 2.3.1.
const GZIP: &[u8] = &[0x1f, 0x8b];
/// RFC 8878 section 3.1.1.
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Decompresses a stream, if it is compressed.
pub(in crate::input) fn decode<'r>(
    mut raw: Box<dyn Read + Send + 'r>,
) -> io::Result<Box<dyn Read + Send + 'r>> {
    let mut head = Vec::new();
    (&mut raw).take(ZSTD.len() as u64).read_to_end(&mut head)?;
    let is_gzip = head.starts_with(GZIP);
    let is_zstd = head.starts_with(ZSTD);
    let whole = io::Cursor::new(head).chain(raw);
    if is_gzip {
        Ok(gunzip(whole))
    } else if is_zstd {
        let decoder = zstd::stream::read::Decoder::new(whole)?;
        Ok(Box::new(Archive(decoder)))
    } else {
        Ok(Box::new(whole))
    }
}

/// On its own, so that a stream that is not compressed does not pay for a decoder's 30 KiB on the
/// stack.
#[inline(never)]
fn gunzip<'r>(packed: impl Read + Send + 'r) -> Box<dyn Read + Send + 'r> {
    Box::new(Archive(MultiGzDecoder::new(BufReader::new(packed))))
}

/// A decoder, whose own errors say that the archive is broken and not the disk.
struct Archive<R>(R);

impl<R: Read> Read for Archive<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out).map_err(|error| {
            let own = error.get_ref();
            let own = own.is_some_and(<dyn Error + Send + Sync>::is::<StreamError>);
            match error.kind() {
                // What comes from below is an error of the system, or one of this module's.
                _ if own || error.raw_os_error().is_some() => error,
                io::ErrorKind::Interrupted => error,
                _ => StreamError::Archive(error.to_string()).into(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::input::problem::ProblemKind;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).expect("written");
        encoder.finish().expect("finished")
    }

    /// With a checksum, as the command `zstd` writes by default.
    fn zstandard(text: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
        encoder.include_checksum(true).expect("a checksum");
        encoder.write_all(text).expect("written");
        encoder.finish().expect("finished")
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        decode(Box::new(bytes))?.read_to_end(&mut text)?;
        Ok(text)
    }

    #[test]
    fn archives_of_several_parts_are_read_to_the_end() {
        for text in [&b""[..], b"a", b"\x1f", b"plain text\n"] {
            assert_eq!(read(text).expect("plain"), text);
        }
        for pack in [gzip, zstandard] {
            let packed = [pack(b"one,"), pack(b""), pack(b"two")].concat();
            assert_eq!(read(&packed).expect("read"), b"one,two");
        }
    }

    #[test]
    fn broken_archives_are_told_from_unreadable_files() {
        for pack in [gzip, zstandard] {
            let packed = pack(&b"a line of text\n".repeat(1000));
            let mut flipped = packed.clone();
            let middle = packed.len() / 2;
            flipped[middle] ^= 0xff;
            for broken in [
                &packed[..packed.len() - 1],
                &packed[..packed.len() / 2],
                &packed[..5],
                &flipped,
                &[&packed[..], b"and more"].concat(),
            ] {
                let error = read(broken).map(|text| text.len()).expect_err("broken");
                let kind = ProblemKind::from(error);
                assert!(matches!(kind, ProblemKind::Archive(_)), "{kind:?}");
            }
        }
    }
}
