//! Files that are what they seem: in a directory that is put together by others, a link leads to their
//! secrets or ours, a pipe never ends to open, and a device never ends.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Opens a regular file to be read.
///
/// # Errors
/// The file system's; and that it is something else, such as a link, a pipe or a folder.
pub fn open(path: &Path) -> io::Result<File> {
    let other = || io::Error::other("it is not a regular file; move it elsewhere");
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(other());
    }
    // Whatever takes its place meanwhile is not followed, nor waited for.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(other()) }
}

/// Reads a regular file, no more than `len_max` bytes of it.
///
/// # Errors
/// As [`open`]'s.
pub fn read(path: &Path, len_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(len_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}
