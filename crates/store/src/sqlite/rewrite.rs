//! The WAL written once more, after a disk that failed.
//!
//! **Why.** When an fsync fails, Linux keeps what it was for in the page cache and takes it for clean: who reads the
//! file finds it, and no later fsync writes it. So the process that comes next finds a commit in the WAL that the disk
//! may not have. As SQLite reads a WAL only up to the first frame that is not whole, a power cut would take all
//! commits away that were made after that one, acknowledged or not. Written again, with the bytes that are there,
//! the pages are dirty and the next fsync counts.
//!
//! The database file needs none of this: what a checkpoint that failed wrote there is in the WAL still, and the next
//! checkpoint writes it again.

use std::ptr;

use rusqlite::{Connection, ffi};

/// Bytes that are written at once.
const PIECE_LEN: usize = 64 * 1024;

/// Writes the WAL of an open database with the bytes that it has, and syncs it. Nobody may write to it meanwhile;
/// others may read.
///
/// # Errors
/// SQLite's, when the disk still fails.
pub(super) fn wal(conn: &Connection) -> rusqlite::Result<()> {
    // SQLite opens the WAL when the database is first read.
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
    // SAFETY: the handle is that of an open connection, which no other thread uses; for this opcode SQLite writes a
    // pointer to the file of its WAL, which lives as long as the connection. A file without methods is not open.
    let methods = unsafe {
        let opcode = ffi::SQLITE_FCNTL_JOURNAL_POINTER;
        let at = (&raw mut file).cast();
        checked(ffi::sqlite3_file_control(conn.handle(), c"main".as_ptr(), opcode, at))?;
        if file.is_null() || (*file).pMethods.is_null() {
            return Ok(());
        }
        &*(*file).pMethods
    };
    let (Some(size), Some(read), Some(write), Some(sync)) =
        (methods.xFileSize, methods.xRead, methods.xWrite, methods.xSync)
    else {
        return checked(ffi::SQLITE_MISUSE);
    };
    let mut piece = vec![0_u8; PIECE_LEN];
    // SAFETY: the file is open, and these are its own methods. Each call is given as many bytes as `piece` has at least,
    // and places within the file.
    unsafe {
        let mut len: ffi::sqlite3_int64 = 0;
        checked(size(file, &raw mut len))?;
        for at in (0..len).step_by(PIECE_LEN) {
            let count = (len - at).min(PIECE_LEN as i64) as i32;
            checked(read(file, piece.as_mut_ptr().cast(), count, at))?;
            checked(write(file, piece.as_ptr().cast(), count, at))?;
        }
        checked(sync(file, ffi::SQLITE_SYNC_FULL))
    }
}

fn checked(code: i32) -> rusqlite::Result<()> {
    match code {
        ffi::SQLITE_OK => Ok(()),
        code => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)),
    }
}
