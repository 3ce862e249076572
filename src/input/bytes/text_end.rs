//! The end of a text that a program for DOS or Windows has marked with Ctrl-Z.

use std::io::{self, Read};

const CTRL_Z: u8 = 0x1a;

/// A reader that leaves out a Ctrl-Z if it is the last byte.
pub(super) struct WithoutFinalCtrlZ<R> {
    text: R,
    /// The byte after a Ctrl-Z, which was read to find out whether there is one.
    next: Option<u8>,
}

impl<R: Read> WithoutFinalCtrlZ<R> {
    pub(super) fn new(text: R) -> Self {
        Self { text, next: None }
    }
}

impl<R: Read> Read for WithoutFinalCtrlZ<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = match (self.next, out.first_mut()) {
            (Some(next), Some(first)) => {
                *first = next;
                self.next = None;
                1
            }
            _ => self.text.read(out)?,
        };
        if !out[..read].ends_with(&[CTRL_Z]) {
            return Ok(read);
        }
        let mut next = Vec::new();
        (&mut self.text).take(1).read_to_end(&mut next)?;
        self.next = next.pop();
        Ok(if self.next.is_some() { read } else { read - 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_only_a_final_ctrl_z() {
        for (text, expected) in [
            ("", ""),
            ("\x1a", ""),
            ("a\n\x1a", "a\n"),
            ("a,1\x1a", "a,1"),
            ("\x1a\x1a", "\x1a"),
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
