//! The writer: many commands in one transaction, one fsync for all of them.
//!
//! There are no threads here. The store's thread loops around [`Writer`], and a simulation drives
//! it by hand.
//!
//! A command that is refused or panics is undone alone, by its savepoint; the first command of a
//! transaction needs none, since undoing it is undoing everything. An error that ended the
//! transaction itself fails the whole attempt: then the commands run again, without the one that
//! was interrupted, or one by one if the disk was full or an I/O call failed. After a failed fsync
//! nothing runs again, ever: what the disk holds is not known any more, and a second fsync would
//! report success for pages that the kernel has already let go of.

use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode};

use super::{
    Checkpoint, clock, file, open,
    open::{OpenError, Options},
    watch::{self, Failed, Harm, Watch},
};
use crate::{
    batch::{Answer, Batch, BatchStats, Committed, Incident, Write},
    change::{Code, Fault, Micros, Offset},
    log::{Extent, Scratch},
    migrate::Migrations,
    tx::{Statement, Tx},
};

/// What the log holds, for metrics and for the check at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogStats {
    /// The oldest offset kept; above `head` when nothing is kept.
    pub first: Offset,
    /// The newest offset.
    pub head: Offset,
    /// The size of the rows' texts.
    pub bytes: u64,
    /// When the newest row was written.
    pub last_at: Option<Micros>,
}

/// The disk failed to keep what it was given. Nothing of the batch was acknowledged and nothing
/// was tried again; the process is to end, and the next open checks the whole database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fatal(pub String);

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fatal {}

/// The one connection that writes.
pub struct Writer {
    conn: Connection,
    watch: Watch,
    path: PathBuf,
    command_time_max: Duration,
    /// The log as the running transaction sees it.
    extent: Extent,
    /// The log as it was committed.
    committed: Extent,
    scratch: Scratch,
    /// Pages in the WAL after the last commit. Written by SQLite's hook and read on the same
    /// thread; atomic only because the hook has to be `Send`.
    wal_pages: Arc<AtomicU32>,
    /// Set for good by the first fatal error.
    dead: Option<Fatal>,
    _lock: file::Lock,
}

/// How far a batch has come; what feeds it decides by this whether it takes more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    pub(crate) rows: u64,
    pub(crate) start: Instant,
}

/// One command of a batch.
struct Job<A, R> {
    write: Write<A, R>,
    /// What the current attempt came to.
    result: Result<Committed<A>, Fault>,
    cause: Option<String>,
    /// It does not run again: it was interrupted, or it has been committed on its own.
    settled: bool,
}

impl<A, R> Job<A, R> {
    fn new(write: Write<A, R>) -> Self {
        Job { write, result: Err(watch::internal()), cause: None, settled: false }
    }
}

/// Why an attempt came to nothing.
enum Ended {
    /// By a command that took too long; that command is settled.
    Interrupted,
    /// By the disk being full, or an I/O call or an allocation failing.
    Failed(Failed),
    /// By what must not be tried again.
    Fatal(String),
}

impl Writer {
    /// Opens the database for writing, alone: creates, checks and migrates it.
    pub fn open(options: &Options, services: &[Migrations]) -> Result<Writer, OpenError> {
        let (mut conn, watch, extent, lock) = open::writer(options, services)?;
        let wal_pages = Arc::new(AtomicU32::new(0));
        let shared = Arc::clone(&wal_pages);
        conn.wal_hook(Some(move |_: &mut _, pages: i32| {
            shared.store(u32::try_from(pages).unwrap_or(0), Relaxed);
            Ok(())
        }))
        .map_err(|e| OpenError::of(&options.path, "opening it", &e))?;
        Ok(Writer {
            conn,
            watch,
            path: options.path.clone(),
            command_time_max: options.command_time_max,
            extent,
            committed: extent,
            scratch: Scratch::default(),
            wal_pages,
            dead: None,
            _lock: lock,
        })
    }

    /// Runs `writes` as one batch. They are all answered, unless the disk failed.
    pub fn batch<A, R>(&mut self, writes: Vec<Write<A, R>>) -> Result<Batch<A, R>, Fatal> {
        let mut writes = writes.into_iter();
        self.batch_from(&mut |_| writes.next())
    }

    /// Runs `writes` in one transaction, as [`batch`](Writer::batch) does, and then undoes them all: for tests of what
    /// they make of each other, again and again from the same place. Gives what each came to.
    ///
    /// # Errors
    /// What ended the transaction, or went wrong inside of one: an [`Incident`]'s cause.
    #[doc(hidden)]
    pub fn rehearse<A, R>(
        &mut self,
        writes: Vec<Write<A, R>>,
    ) -> Result<Vec<Result<A, Fault>>, String> {
        let mut jobs: Vec<_> = writes.into_iter().map(Job::new).collect();
        // As if something stood already: each command is undone by its savepoint.
        let mut kept = 1;
        let mut run = || {
            self.begin()?;
            jobs.iter_mut().try_for_each(|job| self.command(job, &mut kept))
        };
        let ended = run();
        self.undo();
        match ended {
            Ok(()) => {}
            Err(Ended::Interrupted) => return Err("it took too long".to_owned()),
            Err(Ended::Failed(failed)) => return Err(failed.cause),
            Err(Ended::Fatal(cause)) => return Err(cause),
        }
        let came_to = |job: Job<A, R>| match job.cause {
            Some(cause) => Err(cause),
            None => Ok(job.result.map(|done| done.into_parts().0)),
        };
        jobs.into_iter().map(came_to).collect()
    }

    /// The random text of this database's life.
    pub fn epoch(&self) -> &str {
        &self.watch.epoch
    }

    /// What the log holds.
    pub fn log_stats(&self) -> LogStats {
        let Extent { first, head, bytes, last_at } = self.committed;
        LogStats { first, head, bytes, last_at }
    }

    /// Whether each statement is one that this database understands: for tests.
    pub fn check(&self, statements: &[Statement]) -> Result<(), String> {
        statements.iter().try_for_each(|statement| match self.conn.prepare(statement.0) {
            Ok(_) => Ok(()),
            Err(e) => Err(format!("{e} in: {}", statement.0)),
        })
    }

    /// Copies the WAL back into the database as far as no reader needs it; when all of it was
    /// copied and nobody reads it, the next write starts it anew.
    pub fn checkpoint(&mut self) -> Result<Checkpoint, Fatal> {
        self.alive()?;
        super::checkpoint::passive(&self.conn).map_err(|cause| self.die(cause))
    }

    /// Copies all of the WAL back and leaves it empty. No reader may be open.
    pub fn close(mut self) -> Result<(), Fatal> {
        self.alive()?;
        super::checkpoint::truncate(&self.conn).map_err(|cause| self.die(cause))
    }

    /// Pages in the WAL after the last commit.
    pub(crate) fn wal_pages(&self) -> u32 {
        self.wal_pages.load(Relaxed)
    }

    /// The connection, for the checkpoint between two batches.
    pub(crate) fn conn(&self) -> &Connection {
        &self.conn
    }

    /// Refuses everything from here on, and leaves the marker for the next open.
    pub(crate) fn die(&mut self, cause: String) -> Fatal {
        file::mark(&self.path);
        let fatal = Fatal(cause);
        self.dead = Some(fatal.clone());
        fatal
    }

    fn alive(&self) -> Result<(), Fatal> {
        self.dead.clone().map_or(Ok(()), Err)
    }

    /// Runs what `next` gives until it gives nothing more. If it gives nothing at all, nothing
    /// happens.
    pub(crate) fn batch_from<A, R>(
        &mut self,
        next: &mut dyn FnMut(Progress) -> Option<Write<A, R>>,
    ) -> Result<Batch<A, R>, Fatal> {
        self.alive()?;
        let start = clock::now();
        let changes = self.conn.total_changes();
        let mut jobs = Vec::new();
        let mut commit = Duration::ZERO;
        let first = self.fill(next, &mut jobs, start, &mut commit);
        if let Err(ended) = first {
            // What is still to come joins those that run again.
            while let Some(write) = next(Progress { rows: 0, start }) {
                jobs.push(Job::new(write));
            }
            self.repeat(&mut jobs, ended, &mut commit)?;
        }
        let rows = self.conn.total_changes() - changes;
        let decide = clock::since(start).saturating_sub(commit);
        let mut incidents = Vec::new();
        let answers = jobs.into_iter().enumerate().map(|(answer, job)| {
            incidents.extend(job.cause.map(|cause| Incident { answer, cause }));
            Answer { to: job.write.to, result: job.result }
        });
        Ok(Batch {
            answers: answers.collect(),
            head: self.committed.head,
            stats: BatchStats { rows, decide, commit },
            incidents,
        })
    }

    /// The first attempt, which takes commands in as it runs.
    fn fill<A, R>(
        &mut self,
        next: &mut dyn FnMut(Progress) -> Option<Write<A, R>>,
        jobs: &mut Vec<Job<A, R>>,
        start: Instant,
        commit: &mut Duration,
    ) -> Result<(), Ended> {
        let before = self.conn.total_changes();
        let mut kept = 0;
        loop {
            let rows = self.conn.total_changes() - before;
            let Some(write) = next(Progress { rows, start }) else { break };
            jobs.push(Job::new(write));
            if jobs.len() == 1 {
                self.begin()?;
            }
            let job = jobs.last_mut().expect("it was just pushed");
            self.command(job, &mut kept)?;
        }
        if jobs.is_empty() { Ok(()) } else { self.finish(kept, commit) }
    }

    /// What follows an attempt that came to nothing, until each job is answered.
    fn repeat<A, R>(
        &mut self,
        jobs: &mut [Job<A, R>],
        mut ended: Ended,
        commit: &mut Duration,
    ) -> Result<(), Fatal> {
        loop {
            self.undo();
            ended = match ended {
                Ended::Fatal(cause) => return Err(self.die(cause)),
                Ended::Failed(_) => return self.one_by_one(jobs, commit),
                Ended::Interrupted => match self.attempt(jobs, commit) {
                    Ok(()) => return Ok(()),
                    Err(ended) => ended,
                },
            }
        }
    }

    /// Runs all jobs that are not settled, in one transaction.
    fn attempt<A, R>(
        &mut self,
        jobs: &mut [Job<A, R>],
        commit: &mut Duration,
    ) -> Result<(), Ended> {
        let mut kept = 0;
        self.begin()?;
        for job in jobs.iter_mut().filter(|job| !job.settled) {
            self.command(job, &mut kept)?;
        }
        self.finish(kept, commit)
    }

    /// Runs each job that is not settled in a transaction of its own, so that each bears its own
    /// failure.
    fn one_by_one<A, R>(
        &mut self,
        jobs: &mut [Job<A, R>],
        commit: &mut Duration,
    ) -> Result<(), Fatal> {
        for job in jobs.iter_mut().filter(|job| !job.settled) {
            match self.attempt(std::slice::from_mut(job), commit) {
                Ok(()) | Err(Ended::Interrupted) => {}
                Err(Ended::Fatal(cause)) => return Err(self.die(cause)),
                Err(Ended::Failed(failed)) => {
                    job.result = Err(failed.fault);
                    job.cause = Some(failed.cause);
                }
            }
            job.settled = true;
            self.undo();
        }
        Ok(())
    }

    /// Runs one command inside the transaction; `kept` counts those whose changes stand.
    fn command<A, R>(&mut self, job: &mut Job<A, R>, kept: &mut u64) -> Result<(), Ended> {
        let before = self.extent;
        let changes = self.conn.total_changes();
        let savepoint = *kept > 0;
        if savepoint {
            self.control("SAVEPOINT command")?;
        }
        let (result, failed) = self.decide(&mut job.write);
        let harm = failed.as_ref().map(|failed| failed.harm);
        job.cause = failed.map(|failed| failed.cause);
        let ended = harm == Some(Harm::Transaction) || self.conn.is_autocommit();
        if harm == Some(Harm::Database) {
            return Err(Ended::Fatal(job.cause.take().unwrap_or_default()));
        }
        if ended {
            let fault = result.err().unwrap_or_else(watch::internal);
            let cause = job.cause.clone().unwrap_or_default();
            if fault.code == Code::Timeout {
                (job.result, job.settled) = (Err(fault), true);
                return Err(Ended::Interrupted);
            }
            return Err(Ended::Failed(Failed { fault, cause, harm: Harm::Transaction }));
        }
        let changed = self.conn.total_changes() != changes;
        match &result {
            Ok(_) => {
                *kept += u64::from(changed);
                if savepoint {
                    self.control("RELEASE command")?;
                }
            }
            Err(_) => {
                self.extent = before;
                if savepoint {
                    self.control("ROLLBACK TO command")?;
                    self.control("RELEASE command")?;
                } else if changed {
                    self.control("ROLLBACK")?;
                    self.begin()?;
                }
            }
        }
        job.result = result;
        Ok(())
    }

    /// Runs the decision and appends what it says to the log.
    fn decide<A, R>(
        &mut self,
        write: &mut Write<A, R>,
    ) -> (Result<Committed<A>, Fault>, Option<Failed>) {
        self.watch.start(self.command_time_max);
        let (conn, watch) = (&self.conn, &self.watch);
        let (extent, scratch) = (&mut self.extent, &mut self.scratch);
        // What a panic leaves half done is in the transaction alone, and that is rolled back.
        let ran = catch_unwind(AssertUnwindSafe(|| {
            let mut tx = Tx::new(conn, watch, extent);
            let outcome = (write.run)(&mut tx)?;
            watch.check(conn)?;
            let logged = scratch.append(&mut tx, write.at, outcome.events, outcome.effects)?;
            Ok(Committed::new(outcome.reply, logged))
        }));
        let failed = self.watch.end();
        match ran {
            Ok(Err(_)) if failed.is_some() => {
                let failed = failed.expect("it was just seen");
                (Err(failed.fault.clone()), Some(failed))
            }
            Ok(result) => (result, None),
            Err(panic) => {
                let fault = watch::internal();
                let cause = format!("a decision panicked: {}", message(&*panic));
                let failed =
                    failed.unwrap_or(Failed { fault: fault.clone(), cause, harm: Harm::Command });
                (Err(fault), Some(failed))
            }
        }
    }

    fn begin(&mut self) -> Result<(), Ended> {
        self.control("BEGIN IMMEDIATE")
    }

    /// Makes the transaction durable; if it changed nothing, only ends it.
    fn finish(&mut self, kept: u64, commit: &mut Duration) -> Result<(), Ended> {
        if kept == 0 {
            self.extent = self.committed;
            return self.control("ROLLBACK");
        }
        let start = clock::now();
        let done = execute(&self.conn, "COMMIT");
        *commit += clock::since(start);
        match done {
            Ok(()) => {
                self.committed = self.extent;
                Ok(())
            }
            Err(error) => Err(ended_by_commit(&self.conn, &error)),
        }
    }

    /// Ends what is left of a transaction that came to nothing.
    fn undo(&mut self) {
        if !self.conn.is_autocommit() {
            // If even this fails, the next BEGIN does too, and says why.
            let _ = execute(&self.conn, "ROLLBACK");
        }
        self.extent = self.committed;
    }

    fn control(&self, sql: &'static str) -> Result<(), Ended> {
        execute(&self.conn, sql).map_err(|error| {
            let failed = Failed::of(&self.conn, &error, sql);
            match failed.harm {
                Harm::Database => Ended::Fatal(failed.cause),
                Harm::Command | Harm::Transaction => Ended::Failed(failed),
            }
        })
    }
}

/// Runs a statement without parameters, prepared once.
fn execute(conn: &Connection, sql: &'static str) -> rusqlite::Result<()> {
    conn.prepare_cached(sql)?.raw_execute().map(|_| ())
}

/// A COMMIT that failed for want of room may be tried again; one that failed in the disk may not.
fn ended_by_commit(conn: &Connection, error: &rusqlite::Error) -> Ended {
    let failed = Failed::of(conn, error, "COMMIT");
    let io = error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure);
    if failed.harm == Harm::Database || (io && failed.fault.code != Code::Full) {
        return Ended::Fatal(failed.cause);
    }
    Ended::Failed(failed)
}

/// A panic's words.
pub(crate) fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without words")
}
