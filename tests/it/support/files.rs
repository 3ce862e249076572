//! Temporary files, and helpers for the modes and the contents of files.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

use tempfile::TempDir;

/// Returns a path as a string, as arguments need it.
pub(crate) fn utf8(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A path in its own temporary folder. Dropping this value removes the folder.
pub(crate) struct TempFile {
    folder: TempDir,
    pub(crate) path: PathBuf,
}

impl TempFile {
    /// Returns the path of a file that does not exist yet.
    pub(crate) fn absent(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        Self { folder, path }
    }

    pub(crate) fn new(name: &str, content: impl AsRef<[u8]>) -> Self {
        let file = Self::absent(name);
        file.write(content);
        file
    }

    /// Creates a named pipe (FIFO), which no process has opened yet.
    pub(crate) fn fifo() -> Self {
        let fifo = Self::absent("fifo");
        make_fifo(&fifo.path);
        fifo
    }

    pub(crate) fn str(&self) -> &str {
        utf8(&self.path)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, content: impl AsRef<[u8]>) {
        fs::write(&self.path, content).expect("written");
    }

    pub(crate) fn read(&self) -> String {
        fs::read_to_string(&self.path).expect("text")
    }

    /// Returns the permission bits.
    pub(crate) fn mode(&self) -> u32 {
        mode(&self.path)
    }

    /// Asserts that the folder holds the file and no temporary file beside it.
    #[track_caller]
    pub(crate) fn is_alone(&self) {
        let files = fs::read_dir(self.folder()).expect("read").count();
        assert_eq!(files, 1, "files beside {}", self.path.display());
    }

    /// Makes a symbolic link to the file in the same folder, and returns the link's path.
    pub(crate) fn link(&self, name: &str) -> String {
        let link = self.path.with_file_name(name);
        std::os::unix::fs::symlink(&self.path, &link).expect("linked");
        utf8(&link).to_owned()
    }
}

impl AsRef<Path> for TempFile {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

/// Returns the permission bits of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    let metadata = fs::metadata(path).expect("metadata");
    metadata.permissions().mode() & 0o777
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
}

pub(crate) fn make_fifo(path: &Path) {
    let status = Command::new("mkfifo").arg(path).status();
    assert!(status.expect("mkfifo runs").success());
}

/// The content and modification time of each entry of a folder. Only regular files have content.
pub(crate) type FolderState = BTreeMap<PathBuf, (Vec<u8>, SystemTime)>;

pub(crate) fn folder_state(folder: &Path) -> FolderState {
    fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let metadata = fs::metadata(&path).expect("metadata");
            let content = if metadata.is_file() {
                fs::read(&path).expect("read")
            } else {
                Vec::new()
            };
            (path, (content, metadata.modified().expect("a time")))
        })
        .collect()
}
