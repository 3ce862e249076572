//! The end of a text that a program for DOS or Windows has marked with Ctrl-Z.

use std::io::{self, Read};

const CTRL_Z: u8 = 0x1a;

/// A reader that leaves out a Ctrl-Z if it is the last byte and alone on its line. At the end of any
/// other line, it may be a byte of a token.
pub(super) struct WithoutFinalCtrlZ<R> {
    text: R,
    /// The last byte before the bytes that the next read returns.
    previous: u8,
    /// The byte after a Ctrl-Z, which was read to find out whether there is one.
    next: Option<u8>,
}

impl<R: Read> WithoutFinalCtrlZ<R> {
    pub(super) fn new(text: R) -> Self {
        Self {
            text,
            previous: b'\n',
            next: None,
        }
    }
}

impl<R: Read> Read for WithoutFinalCtrlZ<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut read = match (self.next, out.first_mut()) {
            (Some(next), Some(first)) => {
                *first = next;
                self.next = None;
                1
            }
            _ => self.text.read(out)?,
        };
        let is_after_line_feed = match &out[..read] {
            [CTRL_Z] => self.previous == b'\n',
            [.., b'\n', CTRL_Z] => true,
            _ => false,
        };
        if is_after_line_feed {
            let mut next = Vec::new();
            (&mut self.text).take(1).read_to_end(&mut next)?;
            self.next = next.pop();
            read -= usize::from(self.next.is_none());
        }
        if let Some(last) = out[..read].last() {
            self.previous = *last;
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_only_a_final_ctrl_z_that_is_alone_on_its_line() {
        for (text, expected) in [
            ("", ""),
            ("\x1a", ""),
            ("a\n\x1a", "a\n"),
            ("a\r\n\x1a", "a\r\n"),
            ("a,1\x1a", "a,1\x1a"),
            ("\r\x1a", "\r\x1a"),
            ("\x1a\x1a", "\x1a\x1a"),
            ("\n\x1a\n", "\n\x1a\n"),
            ("\n\x1a\n\x1a", "\n\x1a\n"),
            ("\x1aa\x1ab", "\x1aa\x1ab"),
        ] {
            for length in 1..6 {
                let mut reader = WithoutFinalCtrlZ::new(text.as_bytes());
                let (mut read, mut out) = (Vec::new(), vec![0; length]);
                loop {
                    match reader.read(&mut out).expect("memory can be read") {
                        0 => break,
                        count => read.extend_from_slice(&out[..count]),
                    }
                }
                assert_eq!(read, expected.as_bytes(), "{text:?} in steps of {length}");
            }
        }
    }
}
