//! Files that are replaced whole: whoever reads one finds the old content or the new, never a part.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{AtFlags, CWD, linkat};
use tempfile::NamedTempFile;

/// The new content of a file, which takes its place with [`AtomicFile::commit`].
#[derive(Debug)]
pub(crate) struct AtomicFile(Content);

#[derive(Debug)]
enum Content {
    /// In the file's folder without a name, so that nothing is left of it should the process end.
    Nameless { new: File, path: PathBuf },
    /// Where files have names from the start: beside the file, so that it can be renamed to it.
    Beside { new: NamedTempFile, path: PathBuf },
    /// What is no regular file (a pipe, a terminal) has nothing to be replaced.
    Direct(File),
}

impl AtomicFile {
    /// Opens a file's new content. The file itself stays as it is.
    pub(crate) fn open(path: &Path, mode: u32) -> io::Result<Self> {
        // Names of what is open already, such as /dev/stdout, may lead to a file that others write.
        if path.starts_with("/dev") || path.starts_with("/proc") {
            let file = OpenOptions::new().append(true).open(path)?;
            return Ok(Self(Content::Direct(file)));
        }
        // A link stays one: what it leads to is replaced.
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
        if let Ok(new) = nameless(folder, mode) {
            new.set_permissions(permissions)?;
            return Ok(Self(Content::Nameless { new, path }));
        }
        // A process that is killed leaves it behind: its name says whose it is.
        let new = names().tempfile_in(folder)?;
        new.as_file().set_permissions(permissions)?;
        Ok(Self(Content::Beside { new, path }))
    }

    /// Puts the new content in place.
    pub(crate) fn commit(mut self) -> io::Result<()> {
        self.flush()?;
        match self.0 {
            // After a crash of the machine too it is the old content or the new.
            Content::Nameless { new, path } => {
                new.sync_all()?;
                // Nothing takes another file's name but what has one.
                let link = |name: &Path| {
                    let flags = AtFlags::SYMLINK_FOLLOW;
                    Ok(linkat(CWD, name_of_open(&new), CWD, name, flags)?)
                };
                let named = names().make_in(folder(&path), link)?;
                let named = named.into_temp_path();
                named.persist(path).map_err(|error| error.error)
            }
            Content::Beside { new, path } => {
                new.as_file().sync_all()?;
                new.persist(path).map(drop).map_err(|error| error.error)
            }
            Content::Direct(_) => Ok(()),
        }
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Content::Nameless { new, .. } => new.write(bytes),
            Content::Beside { new, .. } => new.write(bytes),
            Content::Direct(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Content::Nameless { new, .. } => new.flush(),
            Content::Beside { new, .. } => new.flush(),
            Content::Direct(file) => file.flush(),
        }
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// What new content is called before it takes its place.
fn names<'n>() -> tempfile::Builder<'n, 'n> {
    let mut names = tempfile::Builder::new();
    names.prefix(".sensor-license-").suffix(".tmp");
    names
}

/// A file without a name that can be given one, where the system has such.
#[cfg(not(target_os = "linux"))]
fn nameless(_: &Path, _: u32) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A file without a name that can be given one (open(2), `O_TMPFILE`), where the file system and
/// `/proc` let it.
#[cfg(target_os = "linux")]
fn nameless(folder: &Path, mode: u32) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::OFlags;

    let file = OpenOptions::new()
        .write(true)
        .custom_flags(OFlags::TMPFILE.bits().cast_signed())
        .mode(mode)
        .open(folder)?;
    fs::metadata(name_of_open(&file))?;
    Ok(file)
}

fn name_of_open(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_content_stays_until_the_new_is_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("linked");
        fs::write(&path, "old").expect("written");
        for (name, mode) in [(&path, 0o600), (&link, 0o644)] {
            let mut replacement = AtomicFile::open(name, mode).expect("opened");
            replacement.write_all(b"new").expect("written");
            assert_eq!(fs::read(&path).expect("read"), b"old");
            // Nothing is left where the process ends now.
            if nameless(folder.path(), mode).is_ok() {
                assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 2);
            }
            drop(replacement);
            assert_eq!(fs::read(&path).expect("read"), b"old");
            let mut replacement = AtomicFile::open(name, mode).expect("opened");
            replacement.write_all(b"new").expect("written");
            replacement.commit().expect("in place");
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
