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
/// How long what runs may also stand still, for a disk that hardly answers, on a machine that has no time for
/// it or while the process is stopped: more than any of these is meant to take, and still an end.
const STANDS_MAX: Duration = Duration::from_secs(10);
/// The deadline of a connection without one.
const NEVER: u64 = u64::MAX;

/// What the transactions of one connection share: the database's epoch, the deadline that interrupts
/// what runs, and why it failed.
pub(crate) struct Watch {
    pub(crate) epoch: String,
    deadline: Arc<Deadline>,
    /// Why the running command or query has failed. Only this connection's thread touches it.
    failed: RefCell<Option<Failed>>,
}

/// When what runs is over: what it works counts, and what it waits for counts less, as that is not its doing.
///
/// In nanoseconds of each clock. Written by this connection's thread and read by SQLite's progress handler on the
/// same thread; atomic only because the handler has to be `Send`.
struct Deadline {
    base: Instant,
    /// After `base`. Nothing works for longer than it takes, so that the other clock, which is slower to read, is
    /// not asked before.
    earliest: AtomicU64,
    /// Of [`clock::worked`].
    work: AtomicU64,
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
        let deadline = Arc::new(Deadline::never());
        let shared = Arc::clone(&deadline);
        conn.progress_handler(STEPS_PER_LOOK, Some(move || shared.is_over()))?;
        Ok(Watch { epoch, deadline, failed: RefCell::new(None) })
    }

    /// Starts a command or query that may work for `time_max`, on the thread that calls.
    pub(crate) fn start(&self, time_max: Duration) {
        self.failed.replace(None);
        self.deadline.start(time_max);
    }

    /// Ends it: COMMIT and ROLLBACK have no deadline.
    pub(crate) fn end(&self) -> Option<Failed> {
        self.deadline.end();
        self.failed.take()
    }

    /// Refuses to go on after a failure or past the deadline.
    pub(crate) fn check(&self, conn: &Connection) -> Result<(), Fault> {
        if let Some(failed) = &*self.failed.borrow() {
            return Err(failed.fault.clone());
        }
        if self.deadline.is_over() {
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

impl Deadline {
    fn never() -> Deadline {
        let (earliest, work) = (AtomicU64::new(NEVER), AtomicU64::new(NEVER));
        Deadline { base: clock::now(), earliest, work }
    }

    fn start(&self, time_max: Duration) {
        self.earliest.store(nanos(clock::since(self.base) + time_max), Relaxed);
        self.work.store(nanos(clock::worked() + time_max), Relaxed);
    }

    fn end(&self) {
        self.earliest.store(NEVER, Relaxed);
    }

    fn is_over(&self) -> bool {
        let earliest = self.earliest.load(Relaxed);
        if earliest == NEVER {
            return false;
        }
        let elapsed = nanos(clock::since(self.base));
        elapsed > earliest
            && (elapsed - earliest > nanos(STANDS_MAX)
                || nanos(clock::worked()) > self.work.load(Relaxed))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether that is over which started this long ago, may work for a second and has or has not.
    fn is_over(ago: Duration, has_worked: bool) -> bool {
        let base = clock::now().checked_sub(ago).expect("the machine runs for longer");
        let deadline = Deadline { base, ..Deadline::never() };
        deadline.earliest.store(nanos(Duration::from_secs(1)), Relaxed);
        deadline.work.store(if has_worked { 0 } else { NEVER - 1 }, Relaxed);
        deadline.is_over()
    }

    #[test]
    fn what_works_for_too_long_is_over_and_what_stands_only_after_long() {
        let second = Duration::from_secs(1);
        assert!(is_over(2 * second, true));
        assert!(!is_over(second / 2, true), "nothing works for longer than it takes");
        assert!(!is_over(3 * second, false));
        assert!(is_over(12 * second, false));
    }

    #[test]
    fn work_is_what_is_compared() {
        let deadline = Deadline::never();
        assert!(!deadline.is_over(), "nothing runs");
        deadline.start(Duration::ZERO);
        while !deadline.is_over() {}
        deadline.end();
        assert!(!deadline.is_over());
        deadline.start(Duration::from_secs(3_600));
        assert!(!deadline.is_over());
    }
}
