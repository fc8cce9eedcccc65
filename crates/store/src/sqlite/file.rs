//! The files beside the database: the lock, the marker of a failed disk, copies.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

use super::OpenError;

/// The database's path with `suffix` behind it.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Creates a file that its owner alone reads; one that is there stays as it is.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes the names in a file's folder durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

/// The right to use a database: one process holds it, and the operating system takes it back
/// however that process ends.
pub(crate) struct Lock {
    _held: File,
}

impl Lock {
    /// Takes it, or says who cannot.
    pub(crate) fn take(path: &Path) -> Result<Lock, OpenError> {
        let cannot = |e: &dyn std::fmt::Display| {
            OpenError::Other(format!("The database {} cannot be opened: {e}.", path.display()))
        };
        let file = create_private(&beside(path, ".lock")).map_err(|e| cannot(&e))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _held: file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse(format!(
                "The database {} is in use by another process: stop that one first.",
                path.display()
            ))),
            Err(TryLockError::Error(e)) => Err(cannot(&e)),
        }
    }
}

/// What follows the database's name in that of its marker.
const NEEDS_CHECK: &str = ".needs-check";

/// The name of the file that makes the next open of a database of this name check all of it.
pub fn needs_check(database: &str) -> String {
    format!("{database}{NEEDS_CHECK}")
}

/// The marker that makes the next open check the whole database.
fn marker(path: &Path) -> PathBuf {
    beside(path, NEEDS_CHECK)
}

/// Leaves the marker, as durably as the disk still does anything. It has to outlive this process and no more: what it
/// warns of is in the system's memory.
pub(crate) fn mark(path: &Path) {
    let marked = create_private(&marker(path)).and_then(|file| file.sync_all());
    // Another name of the lock takes neither a descriptor nor an inode, of which none may be left.
    let marked = marked.or_else(|_| fs::hard_link(beside(path, ".lock"), marker(path)));
    // If neither can be made, nothing more can be done here.
    let _ = marked.and_then(|()| sync_folder(path));
}

/// Whether the marker is there, or the disk cannot say so.
pub(crate) fn is_marked(path: &Path) -> bool {
    marker(path).try_exists().unwrap_or(true)
}

/// Takes the marker away.
pub(crate) fn unmark(path: &Path) -> io::Result<()> {
    fs::remove_file(marker(path))?;
    sync_folder(path)
}
