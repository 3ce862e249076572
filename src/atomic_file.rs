//! [`AtomicFile`]: a file whose content is replaced atomically.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::TempPath;

use crate::file_identity::{folder, resolve};

/// The permission bits of a file with tokens or digests of tokens.
pub(crate) const OWNER_ONLY_MODE: u32 = 0o600;

#[derive(Debug)]
pub(crate) struct AtomicFile {
    file: File,
    /// `None` for a file that cannot be replaced, such as a pipe or a terminal.
    replacement: Option<Replacement>,
}

#[derive(Debug)]
struct Replacement {
    temporary: TempPath,
    path: PathBuf,
}

impl AtomicFile {
    /// The file keeps its old content until [`AtomicFile::commit`], unless it cannot be replaced.
    pub(crate) fn open(path: &Path, mode: u32) -> io::Result<Self> {
        // Paths such as /dev/stdout may refer to an open file that other processes also write to.
        let may_be_open =
            path.starts_with("/proc") || path.starts_with("/dev") && !path.starts_with("/dev/shm");
        if may_be_open || fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            let file = OpenOptions::new().append(true).open(path)?;
            return Ok(Self {
                file,
                replacement: None,
            });
        }
        // A symbolic link is kept, and the file that it points to is replaced.
        let path = match fs::canonicalize(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => resolve(path)?,
            canonical => canonical?,
        };
        let mut builder = tempfile::Builder::new();
        // The name identifies a file that a killed process has left behind.
        builder.prefix(".sensor-license-").suffix(".tmp");
        let (file, temporary) = builder.tempfile_in(folder(&path))?.into_parts();
        file.set_permissions(Permissions::from_mode(mode))?;
        Ok(Self {
            file,
            replacement: Some(Replacement { temporary, path }),
        })
    }

    pub(crate) fn commit(self) -> io::Result<()> {
        let Some(Replacement { temporary, path }) = self.replacement else {
            return Ok(());
        };
        // Syncing before the rename makes the replacement atomic even if the power fails.
        self.file.sync_all()?;
        temporary.persist(path).map_err(|error| error.error)
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_old_content_until_commit() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("linked");
        fs::write(&path, "old").expect("written");
        for (name, mode) in [(&path, 0o600), (&link, 0o644)] {
            let mut new = AtomicFile::open(name, mode).expect("opened");
            new.write_all(b"new").expect("written");
            assert_eq!(fs::read(&path).expect("read"), b"old");
            drop(new);
            assert_eq!(fs::read(&path).expect("read"), b"old");
            let mut new = AtomicFile::open(name, mode).expect("opened");
            new.write_all(b"new").expect("written");
            new.commit().expect("in place");
            assert_eq!(fs::read(&path).expect("read"), b"new");
            let permissions = fs::metadata(&path).expect("there").permissions();
            assert_eq!(permissions.mode() & 0o777, mode);
            fs::write(&path, "old").expect("written");
        }
        assert!(link.is_symlink());
        assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 2);
        assert!(AtomicFile::open(folder.path(), 0o600).is_err());
        assert!(AtomicFile::open(&folder.path().join("no/file"), 0o600).is_err());
    }
    #[test]
    fn replaces_files_in_shared_memory() {
        let Ok(folder) = tempfile::tempdir_in("/dev/shm") else {
            return;
        };
        let path = folder.path().join("file");
        for content in ["first", "second"] {
            let mut file = AtomicFile::open(&path, 0o600).expect("opened");
            file.write_all(content.as_bytes()).expect("written");
            file.commit().expect("in place");
            assert_eq!(fs::read_to_string(&path).expect("read"), content);
        }
    }
}
