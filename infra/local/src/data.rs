//! The data folder: private to its owner, and to one running program at a time.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// A data folder that this program alone uses.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    /// Held for as long as the folder is in use.
    _lock: File,
    /// Removed with all that is in it at the end, for a folder that nothing is kept in.
    _throw_away: Option<tempfile::TempDir>,
}

impl DataFolder {
    /// Opens a folder, which is made if need be.
    ///
    /// # Errors
    /// [`DataError`] when it cannot be made or written to, or another program uses it.
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        make(path)?;
        let lock_path = path.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.map_err(|error| DataError::Unusable(lock_path.clone(), error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock, _throw_away: None }),
            Err(TryLockError::WouldBlock) => Err(DataError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(DataError::Unusable(lock_path, error)),
        }
    }

    /// A folder that ends with the program.
    ///
    /// # Errors
    /// [`DataError`] when there is no room for one.
    pub(crate) fn throw_away() -> Result<Self, DataError> {
        let unusable = |error| DataError::Unusable(std::env::temp_dir(), error);
        let mut builder = tempfile::Builder::new();
        builder.prefix("faregate-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let folder = builder.tempdir().map_err(unusable)?;
        let opened = Self::open(folder.path())?;
        Ok(Self { _throw_away: Some(folder), ..opened })
    }

    /// A file in the folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Makes a folder that only its owner can look into.
///
/// # Errors
/// [`DataError`] when it cannot be made.
pub(crate) fn make(path: &Path) -> Result<(), DataError> {
    let unusable = |error| DataError::Unusable(path.to_owned(), error);
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(unusable)?;
    // The folder holds secrets; whatever it is called, git must not take it.
    fs::write(path.join(".gitignore"), "*\n").map_err(unusable)
}

/// Writes a new file that only its owner can read; a file of that name that is already there stays as it is.
///
/// # Errors
/// [`DataError`] when it cannot be written.
pub(crate) fn write_private(path: &Path, contents: &[u8]) -> Result<(), DataError> {
    let write = || match unnamed(path, contents)?.persist_noclobber(path) {
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
        Ok(_) => Ok(()),
    };
    write().map_err(|error| DataError::Unusable(path.to_owned(), error))
}

/// Puts a file that only its owner can read in the place of the one of that name: readers see the one or the other.
///
/// # Errors
/// [`DataError`] when it cannot be written.
pub(crate) fn replace_private(path: &Path, contents: &[u8]) -> Result<(), DataError> {
    let write = || unnamed(path, contents)?.persist(path).map(|_| ()).map_err(|error| error.error);
    write().map_err(|error| DataError::Unusable(path.to_owned(), error))
}

/// A file beside `path`, whole before it gets its name; on Unix it has mode 0600.
fn unnamed(path: &Path, contents: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(contents)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Reads a file, or finds that there is none.
///
/// # Errors
/// [`DataError`] when there is one that cannot be read.
pub(crate) fn find(path: &Path) -> Result<Option<String>, DataError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DataError::Unusable(path.to_owned(), error)),
    }
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The folder, or a file in it, cannot be made, read or written.
    #[error("{}: {}", .0.display(), .1)]
    Unusable(PathBuf, #[source] io::Error),
    /// Another program uses the folder.
    #[error("{} is in use by another faregate; stop that one or give --data another folder", .0.display())]
    InUse(PathBuf),
    /// A file in the folder is not what it should be.
    #[error("{}: {}", .0.display(), .1)]
    Malformed(PathBuf, &'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_programs_cannot_use_one_folder() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let first = DataFolder::open(&path).unwrap();
        assert!(matches!(DataFolder::open(&path), Err(DataError::InUse(_))));
        drop(first);
        DataFolder::open(&path).unwrap();
        assert_eq!(fs::read_to_string(path.join(".gitignore")).unwrap(), "*\n");
    }

    #[test]
    fn a_throw_away_folder_is_gone_at_the_end() {
        let folder = DataFolder::throw_away().unwrap();
        let file = folder.file("lock");
        assert!(file.exists());
        drop(folder);
        assert!(!file.exists());
    }

    #[test]
    fn a_private_file_is_written_once_and_read_by_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        assert_eq!(find(&path).unwrap(), None);
        write_private(&path, b"one").unwrap();
        write_private(&path, b"two").unwrap();
        assert_eq!(find(&path).unwrap().as_deref(), Some("one"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("file");
        fs::write(&path, "").unwrap();
        let error = DataFolder::open(&path).unwrap_err();
        assert!(error.to_string().contains("file"), "{error}");
    }
}
