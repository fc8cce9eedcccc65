//! The watch over one connection while a command or a query runs: its deadline, and its failure.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, ffi};

use super::{clock, wal};
use crate::change::{Code, Fault};

/// How many steps of SQLite's virtual machine pass between two looks at the clock: some 20 us.
const STEPS_PER_LOOK: i32 = 1_000;
/// The deadline of a connection without one.
const NEVER: u64 = u64::MAX;

/// What the transactions of one connection share: the database's epoch, the deadline that interrupts
/// what runs, and why it failed.
pub(crate) struct Watch {
    pub(crate) epoch: String,
    base: Instant,
    /// Nanoseconds after `base`. Written by this connection's thread and read by SQLite's progress
    /// handler on the same thread; atomic only because the handler has to be `Send`.
    deadline: Arc<AtomicU64>,
    /// Why the running command or query has failed. Only this connection's thread touches it.
    failed: RefCell<Option<Failed>>,
}

/// A failure of a statement.
#[derive(Debug, Clone)]
pub(crate) struct Failed {
    pub(crate) fault: Fault,
    pub(crate) cause: String,
    pub(crate) harm: Harm,
}

/// What a failure means for those who come after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Harm {
    /// The command alone.
    Command,
    /// The transaction may be gone, the database is sound.
    Transaction,
    /// What is on the disk is not known any more.
    Database,
}

impl Watch {
    /// Sets up `conn` so that what runs past its deadline is interrupted.
    pub(crate) fn new(conn: &mut Connection, epoch: String) -> rusqlite::Result<Watch> {
        let base = clock::now();
        let deadline = Arc::new(AtomicU64::new(NEVER));
        let shared = Arc::clone(&deadline);
        conn.progress_handler(
            STEPS_PER_LOOK,
            Some(move || {
                let deadline = shared.load(Relaxed);
                deadline != NEVER && nanos(clock::since(base)) > deadline
            }),
        )?;
        Ok(Watch { epoch, base, deadline, failed: RefCell::new(None) })
    }

    /// Starts a command or query that may take `time_max`.
    pub(crate) fn start(&self, time_max: Duration) {
        self.failed.replace(None);
        self.deadline.store(nanos(clock::since(self.base) + time_max), Relaxed);
    }

    /// Ends it: COMMIT and ROLLBACK have no deadline.
    pub(crate) fn end(&self) -> Option<Failed> {
        self.deadline.store(NEVER, Relaxed);
        self.failed.take()
    }

    /// Refuses to go on after a failure or past the deadline.
    pub(crate) fn check(&self, conn: &Connection) -> Result<(), Fault> {
        if let Some(failed) = &*self.failed.borrow() {
            return Err(failed.fault.clone());
        }
        let deadline = self.deadline.load(Relaxed);
        if deadline != NEVER && nanos(clock::since(self.base)) > deadline {
            let error = rusqlite::Error::SqliteFailure(
                ffi::Error::new(ffi::SQLITE_INTERRUPT),
                Some("between two statements".to_owned()),
            );
            return Err(self.fail(conn, "", &error));
        }
        Ok(())
    }

    /// Keeps the first failure of a command, for [`end`](Watch::end) to report.
    pub(crate) fn fail(&self, conn: &Connection, sql: &str, error: &rusqlite::Error) -> Fault {
        let mut failed = Failed::of(conn, error, sql);
        if failed.harm == Harm::Command && conn.is_autocommit() {
            failed.harm = Harm::Transaction;
        }
        let fault = failed.fault.clone();
        self.failed.borrow_mut().get_or_insert(failed);
        fault
    }
}

impl Failed {
    /// Judges an error of SQLite.
    pub(crate) fn of(conn: &Connection, error: &rusqlite::Error, sql: &str) -> Failed {
        let (code, extended) = match error {
            rusqlite::Error::SqliteFailure(e, _) => (Some(e.code), e.extended_code),
            _ => (None, 0),
        };
        // The shared-memory file could not grow: SQLite reports a full disk there as an I/O error.
        // And a quota that is used up, wherever that is.
        let no_room = extended == ffi::SQLITE_IOERR_SHMSIZE
            || (extended == ffi::SQLITE_IOERR_WRITE && wal::is_over_quota(conn, wal::File::Wal));
        let fault = match code {
            _ if no_room => full(),
            Some(ErrorCode::DiskFull) => full(),
            Some(ErrorCode::OperationInterrupted) => timeout(),
            _ => internal(),
        };
        let harm = match (code, extended) {
            (_, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC) => Harm::Database,
            // Large commands write before COMMIT.
            (_, ffi::SQLITE_IOERR_WRITE) if !no_room => Harm::Database,
            (Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase), _) => Harm::Database,
            _ => Harm::Command,
        };
        Failed { fault, cause: format!("{error} (code {extended}) in: {sql}"), harm }
    }
}

/// The words of a full disk.
pub(crate) fn full() -> Fault {
    Fault::new(Code::Full, "The disk is full: nothing is written until there is room.")
}

/// The words of a fault of ours.
pub(crate) fn internal() -> Fault {
    Fault::new(Code::Internal, "Something went wrong here; it was logged.")
}

/// The words of a command that took too long.
fn timeout() -> Fault {
    Fault::new(Code::Timeout, "It took too long and was undone.")
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(NEVER - 1)
}
