//! A reader of a file on disk, which detects changes of the file between two passes.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
};

use twox_hash::XxHash3_64;

use super::{fill::fill, read_limits::ReadLimits, stream_error::StreamError};

/// The size, in bytes, of a file block. Each pass compares the hash of each block with an earlier
/// pass.
pub(in crate::input) const BLOCK_BYTES: usize = 256 << 10;

/// The hashes of the blocks of a file. Each hash is from the first pass that read the block.
#[derive(Debug, Default)]
pub(super) struct BlockHashes {
    hashes: Vec<u64>,
    /// Whether a pass has reached the end of the file. No hashes are added after the first complete
    /// pass.
    is_complete: bool,
}

impl BlockHashes {
    /// Stores the hash of the block at `index`, or compares the block with the stored hash.
    ///
    /// # Errors
    ///
    /// [`StreamError::FileChanged`] if the block differs, or if the file has a different number of
    /// blocks.
    fn verify(&mut self, index: usize, block: &[u8], is_last: bool) -> Result<(), StreamError> {
        let hash = XxHash3_64::oneshot(block);
        match self.hashes.get(index) {
            Some(known) if *known == hash => {}
            None if !self.is_complete => self.hashes.push(hash),
            _ => return Err(StreamError::FileChanged),
        }
        if is_last {
            if self.is_complete && index + 1 != self.hashes.len() {
                return Err(StreamError::FileChanged);
            }
            self.is_complete = true;
        }
        Ok(())
    }
}

/// A reader with its own file offset, independent of other readers of the same descriptor.
pub(super) struct FileReader {
    pub(super) file: File,
    /// The offset of the next read, in bytes from the start of the file.
    pub(super) offset: u64,
}

impl Read for FileReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(out, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

/// A reader that verifies each block of a file before it returns any byte of the block.
pub(super) struct VerifiedFile<'c> {
    file: FileReader,
    read_limits: &'c ReadLimits,
    hashes: &'c mut BlockHashes,
    block: Vec<u8>,
    /// The number of bytes of `block` that have been returned.
    returned: usize,
    block_count: usize,
    is_at_end: bool,
}

impl<'c> VerifiedFile<'c> {
    pub(super) fn new(
        file: FileReader,
        read_limits: &'c ReadLimits,
        hashes: &'c mut BlockHashes,
    ) -> Self {
        Self {
            file,
            read_limits,
            hashes,
            block: Vec::with_capacity(BLOCK_BYTES),
            returned: 0,
            block_count: 0,
            is_at_end: false,
        }
    }

    fn read_block(&mut self) -> io::Result<()> {
        let mut block = std::mem::take(&mut self.block);
        block.clear();
        self.returned = 0;
        (&mut self.file)
            .take(BLOCK_BYTES as u64)
            .read_to_end(&mut block)?;
        self.verify(&block)?;
        self.block = block;
        Ok(())
    }

    fn verify(&mut self, block: &[u8]) -> Result<(), StreamError> {
        // The last block is the first block that is not full. In a file whose size is a multiple of
        // the block size, the last block is empty. The hash of the empty block detects whether the
        // file has grown.
        self.is_at_end = block.len() < BLOCK_BYTES;
        self.hashes
            .verify(self.block_count, block, self.is_at_end)?;
        self.block_count += 1;
        Ok(())
    }
}

impl Read for VerifiedFile<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.returned == self.block.len() {
            if self.is_at_end {
                return Ok(0);
            }
            self.read_limits.check()?;
            // If `out` has room for a whole block, the block is read directly into `out`, without a
            // copy in `self.block`.
            if let Some(block) = out.get_mut(..BLOCK_BYTES) {
                let filled = fill(&mut self.file, block);
                if let Some(error) = filled.error {
                    return Err(error);
                }
                self.verify(&block[..filled.length])?;
                return Ok(filled.length);
            }
            self.read_block()?;
        }
        let rest = &self.block[self.returned..];
        let length = rest.len().min(out.len());
        out[..length].copy_from_slice(&rest[..length]);
        self.returned += length;
        Ok(length)
    }
}
