//! [`UserPath`]: a path that the user gave, and how messages show it.

use std::{
    borrow::Cow,
    fmt,
    fs::OpenOptions,
    io::{self, Read},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::OpenOptionsExt,
    },
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

/// Waits until a file can be read without blocking. An error ends the wait.
pub(crate) type Wait<'w> = &'w dyn Fn(BorrowedFd<'_>) -> io::Result<()>;

/// A user may give the content of a file in place of its path, so `Display` and `Debug` describe a
/// path that looks like a secret, and do not quote it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct UserPath {
    path: PathBuf,
    names_secret: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {file}: {reason}")]
pub(crate) struct FileError {
    action: &'static str,
    file: UserPath,
    reason: String,
}

impl FileError {
    pub(crate) fn hides_path(&self) -> bool {
        self.file.is_hidden()
    }
}

/// The maximum number of characters of a value that is always shown. Real secrets are longer.
const MAX_SHOWN_CHARS: usize = 32;

/// The limit is for a device such as `/dev/zero`, whose content has no end.
pub(crate) const MAX_OPTION_FILE_BYTES: u64 = 1 << 20;

impl UserPath {
    /// A long value is shown only if its directory exists, because it may be the secret itself.
    pub(crate) fn of_secret(path: PathBuf) -> Self {
        Self {
            path,
            names_secret: true,
        }
    }

    /// Fails if the file is larger than `max_bytes`.
    pub(crate) fn read(&self, max_bytes: u64, wait: Wait<'_>) -> Result<Vec<u8>, FileError> {
        // Otherwise, opening a FIFO would block until another program opens it for writing.
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(&self.path);
        let file = opened.map_err(|error| self.error("open", &error))?;
        let mut unread = file.take(max_bytes + 1);
        // A file with one certificate fits into this capacity, so one system call reads its whole
        // content.
        let mut bytes = Vec::with_capacity(4096);
        loop {
            let read = wait(unread.get_ref().as_fd());
            match read.and_then(|()| unread.read_to_end(&mut bytes)) {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(self.error("read", &error)),
            }
        }
        if bytes.len() as u64 > max_bytes {
            let reason = format!("larger than {} MiB", max_bytes >> 20);
            return Err(self.error("read", &io::Error::other(reason)));
        }
        Ok(bytes)
    }

    pub(crate) fn read_text(&self, wait: Wait<'_>) -> Result<String, FileError> {
        String::from_utf8(self.read(MAX_OPTION_FILE_BYTES, wait)?)
            .map_err(|_| self.error("read", &io::Error::other("not UTF-8 text")))
    }

    pub(crate) fn error(&self, action: &'static str, error: &io::Error) -> FileError {
        FileError {
            action,
            file: self.clone(),
            reason: reason_of(error),
        }
    }

    pub(crate) fn is_hidden(&self) -> bool {
        let text = self.path.to_string_lossy();
        let has_folder = || {
            let folder = self.path.parent();
            folder.is_some_and(|folder| folder != Path::new("/") && folder.is_dir())
        };
        holds_secret(&text)
            || self.names_secret && text.chars().count() > MAX_SHOWN_CHARS && !has_folder()
    }
}

impl From<&Path> for UserPath {
    fn from(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            names_secret: false,
        }
    }
}

impl AsRef<Path> for UserPath {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for UserPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.path.to_string_lossy();
        let shown = if self.is_hidden() {
            describe_hidden(&text).into()
        } else if text.is_empty() {
            "\"\"".into()
        } else if text.contains("://") {
            without_user_info(&text)
        } else {
            text
        };
        f.write_str(&shown)
    }
}

impl fmt::Debug for UserPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The value may be a secret that belongs to another option.
pub(crate) fn describe_value(value: &str) -> String {
    let shown = without_credentials(value);
    if holds_secret(value) || shown.chars().count() > MAX_SHOWN_CHARS {
        describe_hidden(value)
    } else {
        shown.into_owned()
    }
}

pub(crate) fn reason_of(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ").map(|(reason, _)| reason) {
        // The writer of CSV wraps the error, so its kind may be lost.
        Some("Broken pipe") => "the reader closed the pipe".to_owned(),
        Some(reason) => reason.to_owned(),
        None => text,
    }
}

fn holds_secret(text: &str) -> bool {
    /// The maximum length of a file name on most file systems.
    const MAX_NAME_BYTES: usize = 255;
    text.contains(['\n', '\r']) || text.contains("-----BEGIN") || text.len() > MAX_NAME_BYTES
}

fn describe_hidden(text: &str) -> String {
    let unit = if text.len() == 1 { "byte" } else { "bytes" };
    format!("({} {unit}, not shown)", text.len())
}

/// Leaves out the parts of a URL or an address that may be a password: the user info, the query, and
/// a port that is not a number.
fn without_credentials(url: &str) -> Cow<'_, str> {
    let shown = without_user_info(url);
    let shown = match shown.split_once('?') {
        Some((before, _)) if url.contains("://") => format!("{before}?…").into(),
        _ => shown,
    };
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match shown.rsplit_once(':') {
        Some((host, port)) if !port.starts_with('/') && !is_number(port) => {
            format!("{host}:…").into()
        }
        _ => shown,
    }
}

/// A password may contain any character, so the last `@` ends it.
fn without_user_info(url: &str) -> Cow<'_, str> {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (_, None) => url.into(),
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}").into(),
        (None, Some((_, rest))) => rest.into(),
    }
}
