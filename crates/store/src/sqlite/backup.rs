//! A copy of the database, while a server in another process writes to it or while none runs.
//!
//! **How.** SQLite's online backup, page by page, out of one read transaction. `VACUUM INTO` would
//! read out of one transaction too, but builds every table and index anew, which takes twice as
//! long (500 MB of states: 0.9 s against 1.3 to 2.0 s, without fsync), more with more indexes; and
//! the transaction's length is what a running server pays for: readers never stop its writer, but
//! as long as one is open, the WAL cannot start anew and grows. Without a
//! transaction around it, an online backup begins again from the first page whenever somebody
//! commits, and under load it never ends. What was copied is synced every few megabytes, for one
//! large fsync at the end would let the writer's own wait behind it. All checking is done on the
//! copy, when the transaction is over.
//!
//! **The original is only read.** Its connection cannot write, leaves the WAL where it is, and is
//! not kept out by the lock of the server, for that is about who writes. It does take SQLite's own
//! locks, which lie in the `-shm` file that a database with a WAL has beside it; after a crash it
//! rebuilds the index in there, so that what only the WAL has is in the copy too.
//!
//! **A database at rest**, without a WAL file, would get one with its `-shm` from a reader of the
//! usual kind, which cannot take them away again; they may belong to a user who is not the server's.
//! It is read as an immutable file instead, under the lock (`SHARED`) that every process holds as
//! long as it has the database open. SQLite lets nobody change an original in rollback mode, and
//! nobody take a WAL away, while somebody holds it; so whoever opens a database with a WAL meanwhile
//! leaves that WAL, even if they close it again. If none is there in the end, nobody wrote; else all
//! is read once more in the usual way. No comparison of the file's times would be as sure: they are
//! as coarse as the clock's tick, and coarser on some file systems.
//! The price: a copy that nobody has opened yet is in rollback mode, and its first server waits for
//! this lock as for any reader's.
//!
//! **The copy** is one file without a WAL, until it is opened to be written.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io,
    os::unix::{ffi::OsStrExt, fs::OpenOptionsExt},
    path::Path,
};

use rusqlite::{
    Connection, ErrorCode, OpenFlags,
    backup::{Backup, StepResult},
    config::DbConfig,
    ffi,
};

use super::{OpenError, file, open::BUSY_TIME_MAX, wal};
use crate::{
    change::Offset,
    log,
    migrate::{self, Migrations},
};

/// Pages that are copied before they are synced: 8 MiB.
const STEP_PAGES: i32 = 2_048;
/// Problems of the copy's pages that are told.
const PROBLEMS_MAX: usize = 3;

/// What a copy holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupReport {
    /// The copy's size, in bytes.
    pub bytes: u64,
    /// The last offset of its log.
    pub head: Offset,
    /// The epoch it was born with.
    pub epoch: String,
    /// The rows of each table.
    pub tables: BTreeMap<String, u64>,
}

/// Why there is no copy: one sentence for the operator, a variant per place to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupError {
    /// The original cannot be copied.
    From(OpenError),
    /// The copy cannot be written.
    To(String),
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BackupError::From(error) => error.fmt(f),
            BackupError::To(sentence) => f.write_str(sentence),
        }
    }
}

impl std::error::Error for BackupError {}

impl From<OpenError> for BackupError {
    fn from(error: OpenError) -> BackupError {
        BackupError::From(error)
    }
}

/// Copies the database `from` to the new file `to`, as it is at one moment, whether a server writes
/// to it or not. The copy differs in its `epoch` alone, so that cursors of the original are reset by
/// whoever serves the copy. It can be read by its owner only (0600), was checked, and is durable;
/// until it is complete its name is `to` with `.part` behind it. `services` are those whose tables
/// this program knows.
///
/// # Errors
/// In one sentence: [`BackupError::From`] when the original is not there, not a database of this
/// program or of a newer one, or damaged; [`BackupError::To`] when the copy cannot be written, for
/// want of room or because it is there already. Nothing is left of the copy then.
pub fn backup(
    from: &Path,
    to: &Path,
    epoch: &str,
    services: &[Migrations],
) -> Result<BackupReport, BackupError> {
    let part = file::beside(to, ".part");
    let cannot = |e: &dyn fmt::Display| cannot_write(to, e);
    if !log::is_epoch(epoch) {
        return Err(cannot(&"an epoch is 1 to 64 letters, digits, - and _"));
    }
    if to.symlink_metadata().is_ok() {
        return Err(cannot(&"there is something of that name already"));
    }
    let made = reading(from, |conn| {
        remove_part(&part);
        migrate::known(conn, from, services)?;
        copy(conn, from, to, &part)?;
        give_epoch(&part, epoch).map_err(|e| blame(&e, from, to, "giving its copy an epoch"))?;
        report(&part, from, epoch)
    });
    let named = made.and_then(|report| {
        let rename = || -> io::Result<()> {
            File::open(&part)?.sync_all()?;
            fs::rename(&part, to)?;
            file::sync_folder(to)
        };
        rename().map(|()| report).map_err(|e| cannot(&e))
    });
    if named.is_err() {
        remove_part(&part);
    }
    named
}

/// Takes away what is left of a copy that was not completed.
fn remove_part(part: &Path) {
    for suffix in ["", "-journal", "-wal", "-shm"] {
        // What is not there need not go; what cannot go is in the way of the next copy, and told then.
        let _ = fs::remove_file(file::beside(part, suffix));
    }
}

/// Runs `f` on a connection that only reads; twice, if what it read first may be torn.
pub(super) fn reading<T, E: From<OpenError>>(
    path: &Path,
    f: impl Fn(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    if !path.is_file() {
        return Err(OpenError::Other(format!("There is no database {}.", path.display())).into());
    }
    let failed = |e: &dyn fmt::Display| {
        OpenError::Other(format!("The database {} cannot be opened: {e}.", path.display()))
    };
    // SQLite puts its files beside what a symbolic link leads to.
    let file = fs::canonicalize(path).map_err(|e| failed(&e))?;
    let journals = ["-wal", "-journal"].map(|suffix| file::beside(&file, suffix));
    let is_quiet = || !journals.iter().any(|journal| journal.exists());
    let open = |unlocked| {
        look(path, unlocked).map_err(|e| E::from(OpenError::of(path, "opening it to read", &e)))
    };
    if is_quiet() {
        let conn = open(true)?;
        if hold(&conn) && is_quiet() {
            let result = f(&conn);
            // Still under the lock, which goes with the connection.
            if is_quiet() {
                return result;
            }
        }
    }
    f(&open(false)?)
}

/// Takes SQLite's `SHARED` lock for a connection to an immutable file, which takes none by itself, and
/// has read no page yet; it is held until the connection is closed. Whether it could be had: not
/// while somebody closes the database, or writes to one in rollback mode.
fn hold(conn: &Connection) -> bool {
    let Some((file, methods)) = wal::open(conn, wal::File::Database) else { return false };
    let Some(lock) = methods.xLock else { return false };
    // SAFETY: the file is open, and this is its own method. An immutable connection neither takes nor gives back a lock,
    // so that it does not mind; closing the file unlocks it.
    unsafe { lock(file, ffi::SQLITE_LOCK_SHARED) == ffi::SQLITE_OK }
}

/// Opens a connection that cannot write; one that is `unlocked` takes the file to be immutable.
fn look(path: &Path, unlocked: bool) -> rusqlite::Result<Connection> {
    let mut name = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => name.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => name.push(char::from(*byte)),
            byte => name.push_str(&format!("%{byte:02x}")),
        }
    }
    if unlocked {
        name.push_str("?immutable=1");
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(name, flags)?;
    conn.busy_timeout(BUSY_TIME_MAX)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.execute_batch(
        "PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA query_only = ON;",
    )?;
    Ok(conn)
}

/// Copies all pages that the database has at one moment.
fn copy(conn: &Connection, from: &Path, to: &Path, part: &Path) -> Result<(), BackupError> {
    let cannot = |e: &dyn fmt::Display| cannot_write(to, e);
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(part);
    let file = file.map_err(|e| cannot(&e))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = Connection::open_with_flags(part, flags).map_err(|e| cannot(&e))?;
    // What is not complete is thrown away, and what is complete was synced by hand.
    copy.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        .map_err(|e| cannot(&e))?;
    let failed = |e: rusqlite::Error| blame(&e, from, to, "copying it");
    // BEGIN alone takes no snapshot; the first statement does.
    conn.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;").map_err(failed)?;
    let backup = Backup::new(conn, &mut copy).map_err(failed)?;
    loop {
        match backup.step(STEP_PAGES).map_err(failed)? {
            StepResult::More => file.sync_data().map_err(|e| cannot(&e))?,
            StepResult::Done => break,
            _ => return Err(cannot(&"another process has it open")),
        }
    }
    drop(backup);
    conn.execute_batch("COMMIT").map_err(failed)
}

/// Whether it was the copy that the disk would not take, or the original that could not be read.
fn blame(e: &rusqlite::Error, from: &Path, to: &Path, doing: &str) -> BackupError {
    let of_writing = matches!(e, rusqlite::Error::SqliteFailure(error, _)
    if error.code == ErrorCode::DiskFull
        || matches!(
            error.extended_code,
            ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_TRUNCATE
        ));
    if of_writing { cannot_write(to, e) } else { OpenError::of(from, doing, e).into() }
}

/// Starts the copy's own life, without a WAL.
fn give_epoch(part: &Path, epoch: &str) -> rusqlite::Result<()> {
    let conn = Connection::open_with_flags(part, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    conn.execute_batch("PRAGMA synchronous = OFF;")?;
    let mode: String = conn.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
    let rows = conn.execute(log::EPOCH_SET.0, rusqlite::named_params! {"$1": epoch})?;
    if mode != "delete" || rows != 1 {
        let code = ffi::Error::new(ffi::SQLITE_CORRUPT);
        let message = format!("it has {rows} epochs, and journal mode {mode}");
        return Err(rusqlite::Error::SqliteFailure(code, Some(message)));
    }
    conn.close().map_err(|(_, error)| error)
}

/// Checks the copy's pages, and says what is in them.
fn report(part: &Path, from: &Path, epoch: &str) -> Result<BackupReport, BackupError> {
    let failed = |e: rusqlite::Error| OpenError::of(from, "checking its copy", &e);
    let conn = look(part, true).map_err(failed)?;
    let problems = super::check::pages(&conn, PROBLEMS_MAX).map_err(failed)?;
    if !problems.is_empty() {
        return Err(BackupError::From(OpenError::Damaged(format!(
            "The database {} is damaged and was not copied ({}): restore an earlier backup.",
            from.display(),
            problems.join("; ")
        ))));
    }
    let head = conn.query_row("SELECT coalesce(max(log_offset), 0) FROM log", [], |row| row.get(0));
    let head: i64 = head.map_err(failed)?;
    let bytes = fs::metadata(part).map_err(|e| cannot_write(part, &e))?.len();
    Ok(BackupReport {
        bytes,
        head: Offset::try_from(head).unwrap_or(0),
        epoch: epoch.to_owned(),
        tables: super::check::tables(&conn).map_err(failed)?,
    })
}

fn cannot_write(to: &Path, e: &dyn fmt::Display) -> BackupError {
    BackupError::To(format!("The copy {} cannot be written: {e}.", to.display()))
}
