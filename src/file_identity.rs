//! [`FileIdentity`]: tells whether two paths lead to the same file.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The maximum number of symbolic links that Linux follows (`path_resolution(7)`).
const MAX_LINKS: usize = 40;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FileIdentity {
    Existing {
        device: u64,
        inode: u64,
    },
    /// The path at which the file would be created.
    Absent(PathBuf),
}

impl FileIdentity {
    /// Returns `None` for a pipe or a device, because two outputs may write to the same pipe without
    /// replacing each other.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => Some(Self::Existing {
                device: metadata.dev(),
                inode: metadata.ino(),
            }),
            Ok(_) => None,
            Err(_) => resolve(path).ok().map(Self::Absent),
        }
    }
}

/// Resolves all symbolic links. The file at the end of the links need not exist.
pub(crate) fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match path.read_link() {
            Ok(target) => path = path.with_file_name(target),
            Err(_) => break,
        }
    }
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    Ok(folder(&path).canonicalize()?.join(name))
}

/// Returns whether the path leads to an open file of a process, such as `/dev/stdout` or
/// `/proc/self/fd/3`. Other processes may also write to that file.
pub(crate) fn is_descriptor(path: &Path) -> bool {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let is_in_descriptors = folder(&path).canonicalize().is_ok_and(|folder| {
            folder == Path::new("/dev/fd") || folder.starts_with("/proc") && folder.ends_with("fd")
        });
        if is_in_descriptors {
            return true;
        }
        match path.read_link() {
            Ok(target) => path = path.with_file_name(target),
            Err(_) => break,
        }
    }
    false
}

/// Returns the folder that contains the file.
pub(crate) fn folder(path: &Path) -> &Path {
    let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn paths_to_one_file_have_one_identity() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("sub")).expect("a folder");
        fs::write(path("file"), "").expect("written");
        fs::hard_link(path("file"), path("hard")).expect("linked");
        for (target, link) in [
            ("file", "link"),
            ("link", "link-to-link"),
            ("absent", "dangling"),
            ("../absent", "sub/dangling"),
            ("sub", "sub-link"),
        ] {
            symlink(target, path(link)).expect("linked");
        }
        for (one, other, are_same) in [
            ("file", "./file", true),
            ("file", "sub/../file", true),
            ("file", "hard", true),
            ("file", "link-to-link", true),
            ("file", "absent", false),
            ("absent", "./absent", true),
            ("absent", "dangling", true),
            ("absent", "sub/dangling", true),
            ("sub/absent", "sub-link/absent", true),
            ("absent", "other", false),
        ] {
            let identity = |name| FileIdentity::of(&path(name)).expect("a file");
            assert_eq!(identity(one) == identity(other), are_same, "{one} {other}");
        }
        assert_eq!(FileIdentity::of(Path::new("/dev/null")), None);
    }

    #[test]
    fn only_open_files_are_descriptors() {
        let folder = tempfile::tempdir().expect("a folder");
        let link = folder.path().join("link");
        symlink("/dev/stdout", &link).expect("linked");
        fs::create_dir(folder.path().join("fd")).expect("a folder");
        let in_process = |path: &Path| {
            Path::new("/proc/self/root").join(path.strip_prefix("/").expect("an absolute path"))
        };
        for (path, expected) in [
            (Path::new("/dev/stdout"), true),
            (Path::new("/dev/./stderr"), true),
            (Path::new("/dev/fd/1"), true),
            (Path::new("/proc/self/fd/1"), true),
            (Path::new("/proc/thread-self/fd/1"), true),
            (&link, true),
            (Path::new("/proc/self/cwd/file"), false),
            (Path::new("/proc/self/cwd/absent"), false),
            (&in_process(&folder.path().join("fd/file")), false),
            (Path::new("/dev/null"), false),
            (Path::new("/dev/../tmp/file"), false),
            (Path::new("file"), false),
        ] {
            assert_eq!(is_descriptor(path), expected, "{path:?}");
        }
    }
}
