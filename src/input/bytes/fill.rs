//! A read function that fills a whole buffer.

use std::io::{self, Read};

/// The result of [`fill`].
pub(in crate::input) struct Filled {
    /// The number of bytes that were read into the start of the buffer.
    pub(in crate::input) length: usize,
    /// The error that occurred before the buffer was full. `None` if the buffer is full or the
    /// stream has ended.
    pub(in crate::input) error: Option<io::Error>,
}

/// Reads until `buffer` is full, the stream ends or an error occurs.
pub(in crate::input) fn fill(input: &mut dyn Read, buffer: &mut [u8]) -> Filled {
    let mut length = 0;
    let error = loop {
        if length == buffer.len() {
            break None;
        }
        match input.read(&mut buffer[length..]) {
            Ok(0) => break None,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Some(error),
        }
    };
    Filled { length, error }
}
