//! Opening: options, connections, the checks before anything is served.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig};

use super::{file, wal, watch::Watch};
use crate::{
    change::Micros,
    log::{self, Extent},
    migrate::{self, Migrations},
    tx::ReadTx,
};

/// Older versions of SQLite can corrupt a database when the WAL restarts.
const SQLITE_VERSION_MIN: i32 = 3_051_003;
/// How long a connection waits for a lock of SQLite: within one process only a checkpoint's end or
/// a WAL recovery is ever waited for.
pub(crate) const BUSY_TIME_MAX: Duration = Duration::from_secs(5);
/// Prepared statements that a connection keeps.
const STATEMENTS_MAX: usize = 512;

/// How a store is opened.
pub struct Options {
    /// The database file; its folder is there already.
    pub path: PathBuf,
    /// The random text of a new database's life: 1 to 64 letters, digits, `-` and `_`. A database
    /// that has one keeps its own.
    pub epoch: String,
    /// The wall time, for the record of migrations.
    pub now: Micros,
    /// Reading threads.
    pub readers: usize,
    /// Writes that wait at most; more are handed back.
    pub write_queue_max: usize,
    /// Reads that wait at most; more are handed back.
    pub read_queue_max: usize,
    /// Replays that wait at most; more are handed back.
    pub replay_queue_max: usize,
    /// Reads that look at much, and wait at most; more are handed back.
    pub long_read_queue_max: usize,
    /// How long such a read may work.
    pub long_read_time_max: Duration,
    /// After this a batch takes no further command.
    pub batch_time_max: Duration,
    /// After this many rows a batch takes no further command.
    pub batch_rows_max: u64,
    /// A command that works for longer is interrupted and undone. It may stand still for some seconds more.
    pub command_time_max: Duration,
    /// A read that works for longer is interrupted.
    pub read_time_max: Duration,
    /// Pages that the writer keeps in memory, in KiB.
    pub writer_cache_kib: u32,
    /// Pages that each reader keeps in memory, in KiB.
    pub reader_cache_kib: u32,
    /// Called once when the disk failed to keep what it was given: the process is to end, and not
    /// with success. Used by [`Store`](super::Store) alone; a [`Writer`](super::Writer) returns it.
    pub fatal: Box<dyn FnOnce(String) + Send>,
    /// Told, on a reader's thread, why a read was answered `Internal` or `Timeout`.
    pub report: Arc<dyn Fn(String) + Send + Sync>,
    /// For tests: what no program sets.
    #[doc(hidden)]
    #[cfg(debug_assertions)]
    pub testing: Testing,
}

/// What only tests set. A release build has neither this type nor a place for one: all that reads it is under
/// the same `cfg`, and [`Options`] has no such field there, which the compiler checks in every release build.
#[doc(hidden)]
#[cfg(debug_assertions)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Testing {
    /// The name of a registered VFS to go through.
    pub vfs: Option<&'static str>,
    /// The mutant: `synchronous=NORMAL`, which promises nothing across a power cut.
    pub synchronous_normal: bool,
}

impl Options {
    /// The options that `bellwire serve` starts from.
    pub fn new(path: impl Into<PathBuf>, epoch: impl Into<String>, now: Micros) -> Options {
        Options {
            path: path.into(),
            epoch: epoch.into(),
            now,
            readers: 2,
            write_queue_max: 4_096,
            read_queue_max: 4_096,
            replay_queue_max: 1_024,
            long_read_queue_max: 64,
            long_read_time_max: Duration::from_secs(10),
            batch_time_max: Duration::from_millis(2),
            batch_rows_max: 1_000,
            command_time_max: Duration::from_millis(250),
            read_time_max: Duration::from_secs(2),
            writer_cache_kib: 64 * 1024,
            reader_cache_kib: 16 * 1024,
            fatal: Box::new(|_| {}),
            report: Arc::new(|_| {}),
            #[cfg(debug_assertions)]
            testing: Testing::default(),
        }
    }
}

/// A release build has these options and no others: none that leads to a failing disk or a weaker promise.
#[cfg(not(debug_assertions))]
const _: fn(Options) = |options| {
    let Options {
        path: _,
        epoch: _,
        now: _,
        readers: _,
        write_queue_max: _,
        read_queue_max: _,
        replay_queue_max: _,
        long_read_queue_max: _,
        long_read_time_max: _,
        batch_time_max: _,
        batch_rows_max: _,
        command_time_max: _,
        read_time_max: _,
        writer_cache_kib: _,
        reader_cache_kib: _,
        fatal: _,
        report: _,
    } = options;
};

/// Why a database could not be opened: one sentence for the operator, a variant per remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenError {
    /// Another process has it: stop that one.
    InUse(String),
    /// A newer program wrote it: run that one.
    Newer(String),
    /// The disk damaged it: restore a backup.
    Damaged(String),
    /// Anything else that the sentence says.
    Other(String),
}

impl OpenError {
    /// An error of SQLite while `doing` something that writes to the database. If the disk failed to keep that, the
    /// next open checks, as after any other write.
    pub(crate) fn of_writing(path: &Path, doing: &str, error: &rusqlite::Error) -> OpenError {
        if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) {
            file::mark(path);
        }
        OpenError::of(path, doing, error)
    }

    /// An error of SQLite while `doing` something with the database.
    pub(crate) fn of(path: &Path, doing: &str, error: &rusqlite::Error) -> OpenError {
        let sentence = format!("The database {} failed while {doing}: {error}.", path.display());
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                OpenError::Damaged(format!("{sentence} Restore a backup."))
            }
            _ => OpenError::Other(sentence),
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (OpenError::InUse(s)
        | OpenError::Newer(s)
        | OpenError::Damaged(s)
        | OpenError::Other(s)) = self;
        f.write_str(s)
    }
}

impl std::error::Error for OpenError {}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Writer,
    Reader,
    Checkpointer,
    /// Writes the WAL once more, and has the database to itself.
    Rewriter,
}

/// Opens the writer's connection, after which the database is there, sound, alone and up to date.
pub(crate) fn writer(
    options: &Options,
    services: &[Migrations],
) -> Result<(Connection, Watch, Extent, file::Lock), OpenError> {
    let path = &options.path;
    let version = rusqlite::version_number();
    if version < SQLITE_VERSION_MIN {
        return Err(OpenError::Other(format!(
            "SQLite {} is built in, but 3.51.3 or newer is needed.",
            rusqlite::version()
        )));
    }
    if !log::is_epoch(&options.epoch) {
        return Err(OpenError::Other("An epoch is 1 to 64 letters, digits, - and _.".to_owned()));
    }
    let lock = file::Lock::take(path)?;
    file::create_private(path).and_then(|_| file::sync_folder(path)).map_err(|e| {
        OpenError::Other(format!("The database {} cannot be created: {e}.", path.display()))
    })?;
    let failed = |doing: &'static str| move |e: rusqlite::Error| OpenError::of(path, doing, &e);
    let has_failed = file::is_marked(path);
    if has_failed {
        rewrite(options)?;
    }
    let mut conn = connect(options, Role::Writer)
        .map_err(|e| OpenError::of_writing(path, "opening it", &e))?;
    if has_failed {
        check(&conn, path)?;
    } else {
        // A process that was killed in the middle of a COMMIT leaves what no fsync was for, and it will be shown.
        wal::sync(&conn).map_err(|e| OpenError::of_writing(path, "syncing its WAL", &e))?;
    }
    migrate::run(&mut conn, path, services, options.now)?;
    let epoch =
        epoch(&conn, options).map_err(|e| OpenError::of_writing(path, "writing its epoch", &e))?;
    let watch = Watch::new(&mut conn, epoch).map_err(failed("opening it"))?;
    let extent = Extent::read(&ReadTx::new(&conn, &watch));
    let extent = extent.map_err(|_| {
        let cause = watch.end().map(|failed| failed.cause).unwrap_or_default();
        OpenError::Other(format!("The log of {} cannot be read: {cause}.", path.display()))
    })?;
    Ok((conn, watch, extent, lock))
}

/// Opens a connection that only reads. The writer has opened the database before.
pub(crate) fn reader(options: &Options) -> Result<(Connection, Watch), OpenError> {
    let failed = |e: rusqlite::Error| OpenError::of(&options.path, "opening it to read", &e);
    let mut conn = connect(options, Role::Reader).map_err(failed)?;
    let epoch = conn.query_row(log::EPOCH.0, [], |row| row.get(0)).map_err(failed)?;
    let watch = Watch::new(&mut conn, epoch).map_err(failed)?;
    Ok((conn, watch))
}

/// Opens the connection that copies the WAL back into the database.
pub(crate) fn checkpointer(options: &Options) -> Result<Connection, OpenError> {
    connect(options, Role::Checkpointer)
        .map_err(|e| OpenError::of(&options.path, "opening it for checkpoints", &e))
}

fn connect(options: &Options, role: Role) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = open_file(options, flags)?;
    conn.busy_timeout(BUSY_TIME_MAX)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Closing must not touch the files: after a failed fsync that would be a retry.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    // Statements are planned once: without it SQLite plans some anew for each bound value.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    if role == Role::Rewriter {
        conn.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    }
    // To its end, behind the row: if the file was in another mode, that is where its header is committed.
    let modes: rusqlite::Result<Vec<String>> =
        conn.prepare("PRAGMA journal_mode = WAL")?.query_map([], |row| row.get(0))?.collect();
    let mode = modes?.pop().unwrap_or_default();
    if mode != "wal" {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
        let message = format!("it has no write-ahead log, but journal mode {mode}");
        return Err(rusqlite::Error::SqliteFailure(code, Some(message)));
    }
    let (synchronous, number) = synchronous(options);
    let cache_kib = match role {
        Role::Writer => options.writer_cache_kib,
        Role::Reader => options.reader_cache_kib,
        Role::Checkpointer | Role::Rewriter => 64,
    };
    conn.execute_batch(&format!(
        "PRAGMA synchronous = {synchronous};
         PRAGMA fullfsync = ON;
         PRAGMA checkpoint_fullfsync = ON;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = {};
         PRAGMA foreign_keys = ON;
         PRAGMA mmap_size = 0;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -{cache_kib};
         PRAGMA query_only = {};",
        u64::from(super::checkpoint::BOUND_PAGES) * 4096,
        if role == Role::Reader { "ON" } else { "OFF" },
    ))?;
    let set: i64 = conn.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
    assert!(set == number, "synchronous stands as it was set");
    Ok(conn)
}

/// Opens the file by the platform's VFS, or by the one of a test.
fn open_file(options: &Options, flags: OpenFlags) -> rusqlite::Result<Connection> {
    #[cfg(debug_assertions)]
    if let Some(vfs) = options.testing.vfs {
        return Connection::open_with_flags_and_vfs(&options.path, flags, vfs);
    }
    Connection::open_with_flags(&options.path, flags)
}

/// How COMMIT waits for the disk, as SQLite has it in words and as a number.
fn synchronous(_options: &Options) -> (&'static str, i64) {
    #[cfg(debug_assertions)]
    if _options.testing.synchronous_normal {
        return ("NORMAL", 1);
    }
    ("FULL", 2)
}

/// After a failed disk, has it keep what it did not; see [`wal::rewrite`]. On a connection of its own, before all else:
/// the next one reads the WAL anew, as the disk has it by then.
fn rewrite(options: &Options) -> Result<(), OpenError> {
    let rewritten = connect(options, Role::Rewriter).and_then(|conn| wal::rewrite(&conn));
    rewritten.map_err(|e| match e.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy) => OpenError::InUse(format!(
            "The disk failed when the database {} was last open, and another process reads it now: let that one end first.",
            options.path.display()
        )),
        _ => OpenError::of(&options.path, "writing its WAL once more", &e),
    })
}

/// After a failed disk, reads the whole database, and takes the marker away.
fn check(conn: &Connection, path: &Path) -> Result<(), OpenError> {
    let found: rusqlite::Result<String> =
        conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0));
    let damaged = |what: &dyn fmt::Display| {
        OpenError::Damaged(format!(
            "The database {} was damaged when the disk failed ({what}): restore a backup.",
            path.display()
        ))
    };
    match found {
        Ok(text) if text == "ok" => {}
        Ok(text) => return Err(damaged(&text)),
        Err(e) => return Err(damaged(&e)),
    }
    file::unmark(path)
        .map_err(|e| OpenError::Other(format!("The marker beside {} stays: {e}.", path.display())))
}

/// The database's epoch; a new database gets the one that was given.
fn epoch(conn: &Connection, options: &Options) -> rusqlite::Result<String> {
    use rusqlite::OptionalExtension;
    let known = conn.query_row(log::EPOCH.0, [], |row| row.get(0)).optional()?;
    if let Some(epoch) = known {
        return Ok(epoch);
    }
    conn.execute(log::EPOCH_NEW.0, rusqlite::named_params! {"$1": options.epoch})?;
    Ok(options.epoch.clone())
}
