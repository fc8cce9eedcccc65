//! SQLite's own handles of its files, for what it has no statement for.
//!
//! **The WAL written once more** ([`rewrite`]), after a disk that failed. When an fsync fails, Linux keeps what it was for
//! in the page cache and takes it for clean: who reads the file finds it, and no later fsync writes it. So the process
//! that comes next finds a commit in the WAL that the disk may not have. As SQLite reads a WAL only up to the first frame
//! that is not whole, a power cut would take all commits away that were made after that one, acknowledged or not. Written
//! again, with the bytes that are there, the pages are dirty and the next fsync counts.
//!
//! The page cache may let go of those pages at any time, and then the file has what the disk has. So what SQLite knows of
//! the WAL by reading it before (its index) is good for nothing afterwards: who rewrites it closes the database, and
//! whoever opens it next reads the WAL anew.
//!
//! The database file needs none of this: what a checkpoint that failed wrote there is in the WAL still, and the next
//! checkpoint writes it again. But only as the index is made anew: the old one says what was copied, and SQLite notes
//! that before the fsync, if it could not copy all. It lasts as long as somebody has the database open; so who rewrites
//! the WAL has it alone.
//!
//! **Who is over their quota** ([`is_over_quota`]) has no room, but SQLite says that the disk failed.

use std::{ffi::c_int, ptr};

use rusqlite::{Connection, ffi};

/// Bytes that are written at once.
const PIECE_LEN: usize = 64 * 1024;
/// The system's number for a quota that is used up, as Linux has it.
const EDQUOT: c_int = 122;

/// One of the files that a connection has open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum File {
    /// The database.
    Database,
    /// Its WAL.
    Wal,
}

/// Writes the WAL of an open database with the bytes that it has, and syncs it. Nobody else may have the database open,
/// and this connection is of no use afterwards.
///
/// # Errors
/// SQLite's, when the disk still fails.
pub(super) fn rewrite(conn: &Connection) -> rusqlite::Result<()> {
    // SQLite opens the WAL when the database is first read.
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let Some((file, methods)) = open(conn, File::Wal) else { return Ok(()) };
    let of_every_file = "every file of SQLite has it";
    let size = methods.xFileSize.expect(of_every_file);
    let (read, write) = (methods.xRead.expect(of_every_file), methods.xWrite.expect(of_every_file));
    let mut piece = vec![0_u8; PIECE_LEN];
    // SAFETY: the file is open, and these are its own methods. Each call is given as many bytes as `piece` has at least,
    // and places within the file.
    unsafe {
        let mut len: ffi::sqlite3_int64 = 0;
        checked(size(file, &raw mut len))?;
        for at in (0..len).step_by(PIECE_LEN) {
            let count = (len - at).min(PIECE_LEN as i64) as c_int;
            checked(read(file, piece.as_mut_ptr().cast(), count, at))?;
            checked(write(file, piece.as_ptr().cast(), count, at))?;
        }
    }
    sync(conn)
}

/// Has the disk keep what is in the WAL of an open database.
///
/// # Errors
/// SQLite's, when the disk fails.
pub(super) fn sync(conn: &Connection) -> rusqlite::Result<()> {
    // SQLite opens the WAL when the database is first read.
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let Some((file, methods)) = open(conn, File::Wal) else { return Ok(()) };
    let sync = methods.xSync.expect("every file of SQLite can be synced");
    // SAFETY: the file is open, and this is its own method.
    checked(unsafe { sync(file, ffi::SQLITE_SYNC_FULL) })
}

/// Whether the last write of this file that failed did so because a quota is used up. SQLite tells a full disk from one
/// that failed by `ENOSPC` alone.
pub(super) fn is_over_quota(conn: &Connection, file: File) -> bool {
    let Some((file, methods)) = open(conn, file) else { return false };
    let Some(control) = methods.xFileControl else { return false };
    let mut errno: c_int = 0;
    // SAFETY: the file is open, and this is its own method; for this opcode it writes a number.
    let code = unsafe { control(file, ffi::SQLITE_FCNTL_LAST_ERRNO, (&raw mut errno).cast()) };
    code == ffi::SQLITE_OK && errno == EDQUOT
}

/// A file of a connection, with its methods; `None` if it is not open.
pub(super) fn open(
    conn: &Connection,
    file: File,
) -> Option<(*mut ffi::sqlite3_file, &ffi::sqlite3_io_methods)> {
    let opcode = match file {
        File::Database => ffi::SQLITE_FCNTL_FILE_POINTER,
        File::Wal => ffi::SQLITE_FCNTL_JOURNAL_POINTER,
    };
    let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
    // SAFETY: the handle is that of an open connection, which no other thread uses; for these opcodes SQLite writes a
    // pointer to a file, which lives as long as the connection. A file without methods is not open; those of one that
    // is are never changed while it is.
    unsafe {
        let at = (&raw mut file).cast();
        let code = ffi::sqlite3_file_control(conn.handle(), c"main".as_ptr(), opcode, at);
        if code != ffi::SQLITE_OK || file.is_null() {
            return None;
        }
        Some((file, (*file).pMethods.as_ref()?))
    }
}

fn checked(code: c_int) -> rusqlite::Result<()> {
    match code {
        ffi::SQLITE_OK => Ok(()),
        code => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)),
    }
}
