//! [`AtomicFile`]: a file whose content is replaced as a whole, and atomically where possible.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Seek, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{OFlags, fcntl_setfl},
    io::Errno,
    process::{Resource, getrlimit},
};
use tempfile::TempPath;

use crate::file_identity::{folder, is_descriptor, resolve};

/// The permission bits of a file with tokens or digests of tokens.
pub(crate) const OWNER_ONLY_MODE: u32 = 0o600;

#[derive(Debug)]
pub(crate) struct AtomicFile {
    file: File,
    target: Target,
}

#[derive(Debug)]
enum Target {
    /// A pipe, a device or a terminal, which is `file` itself.
    Stream,
    Renamed {
        temporary: TempPath,
        path: PathBuf,
    },
    /// The existing file cannot be replaced by a rename, or no file can be created beside it. So
    /// `file` is copied into this file.
    Overwritten(File),
}

impl AtomicFile {
    /// The file keeps its old content until [`AtomicFile::commit`], unless it is a stream.
    pub(crate) fn open(path: &Path, mode: u32) -> io::Result<Self> {
        if is_descriptor(path) || fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            return Ok(Self {
                file: open_stream(path)?,
                target: Target::Stream,
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
        let created = if is_replaceable(&path) {
            builder.tempfile_in(folder(&path))
        } else {
            Err(Errno::PERM.into())
        };
        match created {
            Ok(created) => {
                let (file, temporary) = created.into_parts();
                file.set_permissions(Permissions::from_mode(mode))?;
                let target = Target::Renamed { temporary, path };
                Ok(Self { file, target })
            }
            Err(not_created) => {
                let existing = OpenOptions::new().write(true).open(&path);
                let existing = existing.map_err(|error| match error.kind() {
                    io::ErrorKind::NotFound => not_created,
                    _ => error,
                })?;
                // Only the owner may change the mode, but a different user may write the file.
                if existing.metadata()?.permissions().mode() & 0o777 != mode {
                    existing.set_permissions(Permissions::from_mode(mode))?;
                }
                // A container may have no writable folder besides the mounted file.
                let file = tempfile::tempfile().or_else(|_| memory_file())?;
                let target = Target::Overwritten(existing);
                Ok(Self { file, target })
            }
        }
    }

    /// Reserves disk space for the content, so that a full disk is found before anything is sent.
    /// Some file systems cannot reserve space, which is no error.
    pub(crate) fn reserve(&self, bytes: u64) -> io::Result<()> {
        let files = match &self.target {
            Target::Stream => vec![],
            Target::Renamed { .. } => vec![&self.file],
            Target::Overwritten(existing) => vec![&self.file, existing],
        };
        let max_bytes = getrlimit(Resource::Fsize).current;
        if !files.is_empty() && max_bytes.is_some_and(|max_bytes| bytes > max_bytes) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        files.into_iter().try_for_each(|file| reserve(file, bytes))
    }

    pub(crate) fn commit(mut self) -> io::Result<()> {
        match self.target {
            Target::Stream => Ok(()),
            Target::Renamed { temporary, path } => {
                // This frees the reserved space that is not used.
                let length = self.file.stream_position()?;
                self.file.set_len(length)?;
                // Syncing before the rename makes the replacement atomic even if the power fails.
                self.file.sync_all()?;
                temporary.persist(path).map_err(|error| error.error)
            }
            Target::Overwritten(mut existing) => {
                self.file.rewind()?;
                let length = io::copy(&mut self.file, &mut existing)?;
                existing.set_len(length)?;
                existing.sync_all()
            }
        }
    }
}

/// Fails if `path` is a FIFO without a reader. Otherwise, the operating system would wait for a
/// reader without a limit.
fn open_stream(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .append(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .map_err(
            |error| match error.raw_os_error().map(Errno::from_raw_os_error) {
                Some(Errno::NXIO) => io::Error::other("no process opened it for reading"),
                _ => error,
            },
        )?;
    fcntl_setfl(&file, OFlags::APPEND)?;
    Ok(file)
}

/// Returns whether `rename` can replace the file, which need not exist. The exceptions are a file that
/// is mounted by itself, the file attributes of `chattr(1)`, and files of other users in a folder
/// with the sticky bit.
#[cfg(target_os = "linux")]
fn is_replaceable(path: &Path) -> bool {
    use rustix::{
        fs::{AtFlags, CWD, Mode, Statx, StatxAttributes, StatxFlags, statx},
        process::geteuid,
        thread::{CapabilitySet, capabilities},
    };
    let status = |path| statx(CWD, path, AtFlags::empty(), StatxFlags::BASIC_STATS);
    let has = |status: &Statx, attributes| status.stx_attributes.intersects(attributes);
    let fixed = StatxAttributes::IMMUTABLE | StatxAttributes::APPEND;
    let Ok(folder) = status(folder(path)) else {
        return true;
    };
    if has(&folder, fixed) {
        return false;
    }
    let Ok(file) = status(path) else {
        return true;
    };
    let is_sticky = Mode::from_raw_mode(folder.stx_mode.into()).contains(Mode::SVTX);
    let is_owner = || [file.stx_uid, folder.stx_uid].contains(&geteuid().as_raw());
    let ignores_owners =
        || capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::FOWNER));
    !has(&file, fixed | StatxAttributes::MOUNT_ROOT)
        && (!is_sticky || is_owner() || ignores_owners())
}

#[cfg(target_os = "linux")]
fn memory_file() -> io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    Ok(memfd_create("sensor-license", MemfdFlags::CLOEXEC)?.into())
}

#[cfg(not(target_os = "linux"))]
fn memory_file() -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
fn is_replaceable(_: &Path) -> bool {
    true
}

#[cfg(target_os = "linux")]
fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    use rustix::{
        fs::{FallocateFlags, fallocate},
        io::Errno,
    };
    match fallocate(file, FallocateFlags::KEEP_SIZE, 0, bytes) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        result => Ok(result?),
    }
}

#[cfg(not(target_os = "linux"))]
fn reserve(_: &File, _: u64) -> io::Result<()> {
    Ok(())
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
