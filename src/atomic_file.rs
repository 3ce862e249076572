//! [`AtomicFile`]: a file that is replaced atomically. A reader sees either all of the old content
//! or all of the new content.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{AtFlags, CWD, linkat};
use tempfile::NamedTempFile;

/// The permission bits of a file with tokens or digests of tokens.
pub(crate) const OWNER_ONLY_MODE: u32 = 0o600;

/// The new content of a file. [`AtomicFile::commit`] replaces the old content with the new content.
#[derive(Debug)]
pub(crate) struct AtomicFile(Content);

#[derive(Debug)]
enum Content {
    /// A file without a name in the folder of `path`. The operating system deletes the file if the
    /// process ends before the commit.
    Unnamed { file: File, path: PathBuf },
    /// A temporary file in the folder of `path`, for file systems that do not support unnamed
    /// files.
    Temporary { file: NamedTempFile, path: PathBuf },
    /// A file that cannot be replaced, such as a pipe or a terminal. The new content is written
    /// directly to the file, without a commit.
    Direct(File),
}

impl AtomicFile {
    /// Opens new content for a file. `mode` is the permission bits of the new file. The file keeps
    /// its old content until [`AtomicFile::commit`], unless the file cannot be replaced (a pipe,
    /// for example).
    pub(crate) fn open(path: &Path, mode: u32) -> io::Result<Self> {
        // Paths such as /dev/stdout may refer to an open file that other processes also write to.
        // Such a file must not be replaced, so the content is appended.
        if path.starts_with("/dev") || path.starts_with("/proc") {
            let file = OpenOptions::new().append(true).open(path)?;
            return Ok(Self(Content::Direct(file)));
        }
        // If `path` is a symbolic link, the link is kept and the file that it points to is
        // replaced.
        let path = match fs::canonicalize(path) {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
            Err(error) => return Err(error),
        };
        match fs::metadata(&path) {
            Ok(file) if file.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(file) if !file.is_file() => {
                let file = OpenOptions::new().write(true).open(&path)?;
                return Ok(Self(Content::Direct(file)));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let folder = folder(&path);
        let permissions = Permissions::from_mode(mode);
        if let Ok(file) = create_unnamed(folder, mode) {
            file.set_permissions(permissions)?;
            return Ok(Self(Content::Unnamed { file, path }));
        }
        let file = temporary_names().tempfile_in(folder)?;
        file.as_file().set_permissions(permissions)?;
        Ok(Self(Content::Temporary { file, path }))
    }

    /// Replaces the old content of the file with the new content.
    pub(crate) fn commit(mut self) -> io::Result<()> {
        self.flush()?;
        match self.0 {
            // Syncing before the rename makes the replacement atomic even if the power fails.
            Content::Unnamed { file, path } => {
                file.sync_all()?;
                // linkat(2) cannot replace an existing file, but a rename can. Therefore the
                // unnamed file first gets a temporary name and is then renamed to `path`.
                let link = |name: &Path| {
                    let flags = AtFlags::SYMLINK_FOLLOW;
                    Ok(linkat(CWD, open_file_path(&file), CWD, name, flags)?)
                };
                let temporary = temporary_names().make_in(folder(&path), link)?;
                let temporary = temporary.into_temp_path();
                temporary.persist(path).map_err(|error| error.error)
            }
            Content::Temporary { file, path } => {
                file.as_file().sync_all()?;
                file.persist(path).map(drop).map_err(|error| error.error)
            }
            Content::Direct(_) => Ok(()),
        }
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Content::Unnamed { file, .. } | Content::Direct(file) => file.write(bytes),
            Content::Temporary { file, .. } => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Content::Unnamed { file, .. } | Content::Direct(file) => file.flush(),
            Content::Temporary { file, .. } => file.flush(),
        }
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Returns a builder of temporary file names. The prefix and the suffix identify a file that a
/// killed process has left behind.
fn temporary_names<'n>() -> tempfile::Builder<'n, 'n> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".sensor-license-").suffix(".tmp");
    builder
}

/// Fails, because only Linux has unnamed files.
#[cfg(not(target_os = "linux"))]
fn create_unnamed(_: &Path, _: u32) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Creates a file without a name (open(2), `O_TMPFILE`).
///
/// # Errors
///
/// The file system does not support unnamed files, or `/proc` is not mounted.
/// [`AtomicFile::commit`] needs `/proc` to give the file a name.
#[cfg(target_os = "linux")]
fn create_unnamed(folder: &Path, mode: u32) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::OFlags;

    let file = OpenOptions::new()
        .write(true)
        .custom_flags(OFlags::TMPFILE.bits().cast_signed())
        .mode(mode)
        .open(folder)?;
    fs::metadata(open_file_path(&file))?;
    Ok(file)
}

/// Returns the path of an open file in `/proc` (proc(5)).
fn open_file_path(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
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
            // The folder contains only `file` and `link`. The unnamed file would leave nothing
            // behind if the process ended here.
            if create_unnamed(folder.path(), mode).is_ok() {
                assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 2);
            }
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
}
