//! A reader of a file on disk, which detects changes of the file between two passes.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
};

use twox_hash::XxHash3_64;

use super::{read_limits::ReadLimits, stream_error::StreamError};

pub(super) const BLOCK_BYTES: usize = 256 << 10;

/// Each hash is from the first pass that read the block.
#[derive(Debug, Default)]
pub(super) struct BlockHashes {
    hashes: Vec<u64>,
    is_complete: bool,
}

impl BlockHashes {
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

/// A reader that verifies each block of a file before it returns any byte of the block.
pub(super) struct VerifiedFile<'c> {
    file: File,
    /// The offset of the next block. Other readers of the same descriptor do not move it.
    offset: u64,
    read_limits: &'c ReadLimits,
    hashes: &'c mut BlockHashes,
    block_count: usize,
    is_at_end: bool,
    /// The last block, of which the bytes in `returned..length` have not been returned yet.
    block: Vec<u8>,
    returned: usize,
    length: usize,
}

impl<'c> VerifiedFile<'c> {
    pub(super) fn new(
        file: File,
        offset: u64,
        read_limits: &'c ReadLimits,
        hashes: &'c mut BlockHashes,
    ) -> Self {
        Self {
            file,
            offset,
            read_limits,
            hashes,
            block_count: 0,
            is_at_end: false,
            block: Vec::new(),
            returned: 0,
            length: 0,
        }
    }

    fn read_block(&mut self, block: &mut [u8]) -> io::Result<usize> {
        self.read_limits.check()?;
        let mut length = 0;
        while length < block.len() {
            match self.file.read_at(&mut block[length..], self.offset) {
                Ok(0) => break,
                Ok(read) => {
                    length += read;
                    self.offset += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // The last block is the first block that is not full. It may be empty, so that its hash
        // reveals whether the file has grown.
        self.is_at_end = length < BLOCK_BYTES;
        self.hashes
            .verify(self.block_count, &block[..length], self.is_at_end)?;
        self.block_count += 1;
        Ok(length)
    }
}

impl Read for VerifiedFile<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.returned == self.length {
            if self.is_at_end {
                return Ok(0);
            }
            if let Some(block) = out.get_mut(..BLOCK_BYTES) {
                return self.read_block(block);
            }
            let mut block = std::mem::take(&mut self.block);
            block.resize(BLOCK_BYTES, 0);
            self.length = self.read_block(&mut block)?;
            self.block = block;
            self.returned = 0;
        }
        let rest = &self.block[self.returned..self.length];
        let length = rest.len().min(out.len());
        out[..length].copy_from_slice(&rest[..length]);
        self.returned += length;
        Ok(length)
    }
}
