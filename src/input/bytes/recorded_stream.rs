//! Repeated passes over a stream that can be read only once, such as a pipe.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::AsFd,
};

use super::read_limits::ReadLimits;

#[derive(Debug)]
pub(super) struct RecordedStream {
    file: File,
    recorded: Vec<u8>,
    is_at_end: bool,
}

impl RecordedStream {
    pub(super) fn new(file: File) -> Self {
        Self {
            file,
            recorded: Vec::new(),
            is_at_end: false,
        }
    }

    pub(super) fn replay<'s>(&'s mut self, read_limits: &'s ReadLimits) -> Replay<'s> {
        Replay {
            stream: self,
            read_limits,
            offset: 0,
        }
    }

    fn read_file(&mut self, read_limits: &ReadLimits, out: &mut [u8]) -> io::Result<usize> {
        loop {
            read_limits.wait_until_readable(self.file.as_fd())?;
            match self.file.read(out) {
                // A different process may have read the bytes that `poll` announced, so wait again.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }
}

pub(super) struct Replay<'s> {
    stream: &'s mut RecordedStream,
    read_limits: &'s ReadLimits,
    offset: usize,
}

impl Read for Replay<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = match &self.stream.recorded[self.offset..] {
            [] if self.stream.is_at_end || out.is_empty() => 0,
            [] => {
                let read = self.stream.read_file(self.read_limits, out)?;
                self.stream.recorded.extend_from_slice(&out[..read]);
                self.stream.is_at_end = read == 0;
                read
            }
            recorded => {
                let read = recorded.len().min(out.len());
                out[..read].copy_from_slice(&recorded[..read]);
                read
            }
        };
        self.offset += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::fd::OwnedFd};

    use super::*;

    #[test]
    fn replays_pipe_from_its_start_at_every_reading() {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let mut stream = RecordedStream::new(File::from(OwnedFd::from(reader)));
        let read_limits = ReadLimits::default();
        let read_start = |stream: &mut RecordedStream| {
            let mut start = [0; 2];
            let read = stream.replay(&ReadLimits::default()).read(&mut start)?;
            io::Result::Ok(start[..read].to_vec())
        };
        let read_all = |stream: &mut RecordedStream| {
            let mut bytes = Vec::new();
            stream.replay(&read_limits).read_to_end(&mut bytes)?;
            io::Result::Ok(bytes)
        };
        writer.write_all(b"abcd").expect("written");
        assert_eq!(read_start(&mut stream).expect("read"), b"ab");
        assert_eq!(read_start(&mut stream).expect("read again"), b"ab");
        writer.write_all(b"ef").expect("written");
        drop(writer);
        assert_eq!(read_all(&mut stream).expect("read"), b"abcdef");
        assert_eq!(read_all(&mut stream).expect("read again"), b"abcdef");
    }
}
