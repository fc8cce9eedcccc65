//! Copying the WAL back into the database, off the writer's path.
//!
//! A thread of its own copies with PASSIVE checkpoints, which stop nobody. But the WAL only starts
//! anew when all of it has been copied at the moment of a write, and under constant load that
//! moment never comes by itself. So, when little is left, the writer copies the rest between two
//! batches, which takes about a millisecond, and its next commit starts the WAL anew. Past a
//! bound it also waits, briefly, for readers that still need the old one.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    thread::Thread,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, wal::CheckpointMode};

use super::writer::{Fatal, Writer};

/// Pages (of 4 KiB) that are to be copied before the thread starts: 4 MiB.
pub(crate) const START_PAGES: u32 = 1_024;
/// Pages that the writer copies by itself: 1 MiB.
const REST_PAGES_MAX: u32 = 256;
/// Pages past which the writer waits for readers: 64 MiB.
const BOUND_PAGES: u32 = 16_384;
/// How long it waits for them.
const BOUND_WAIT: Duration = Duration::from_millis(50);
/// How often the thread goes over the WAL before it leaves a rest, however large, for later.
const PASSES_MAX: u32 = 4;

/// How far the WAL has been copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Pages in the WAL.
    pub pages: u32,
    /// How many of them are in the database too.
    pub copied: u32,
}

/// What the writer's thread and the checkpoint's tell each other. Each number has one writer and
/// a stale one only costs a checkpoint more or less, so all are relaxed atomics.
#[derive(Default)]
pub(crate) struct Signals {
    /// Pages in the WAL. Set by the writer.
    pages: AtomicU32,
    /// Pages of it that were copied, or given up on for now. Set by the thread after a pass, and
    /// to 0 by the writer when the WAL has started anew.
    copied: AtomicU32,
    /// A pass is under way. Set by the writer when it calls for one, cleared by the thread.
    running: AtomicBool,
    /// The writer may copy the rest. Set by the thread, cleared by the writer.
    rest: AtomicBool,
    /// The thread is to end. Set once, by the store.
    stop: AtomicBool,
    /// The thread, once it runs: set by the store, read by the writer to wake it. A mutex because
    /// it is set once and never waited for.
    thread: Mutex<Option<Thread>>,
}

impl Signals {
    pub(crate) fn set_thread(&self, thread: Thread) {
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
    }

    fn wake(&self) {
        if let Some(thread) = &*self.thread.lock().unwrap_or_else(PoisonError::into_inner) {
            thread.unpark();
        }
    }

    pub(crate) fn stop(&self) {
        self.stop.store(true, Relaxed);
        self.wake();
    }
}

/// What the writer does between two batches: most of the time, compare two numbers.
pub(crate) fn between_batches(writer: &mut Writer, signals: &Signals) -> Result<(), Fatal> {
    let pages = writer.wal_pages();
    let before = signals.pages.swap(pages, Relaxed);
    if pages < before {
        signals.copied.store(0, Relaxed);
        signals.rest.store(false, Relaxed);
    }
    if pages < START_PAGES || signals.running.load(Relaxed) {
        return Ok(());
    }
    if signals.rest.swap(false, Relaxed) {
        let wait = if pages > BOUND_PAGES { BOUND_WAIT } else { Duration::ZERO };
        return match finish(writer.conn(), wait) {
            Ok(done) => {
                signals.copied.store(done.copied, Relaxed);
                Ok(())
            }
            Err(cause) => Err(writer.die(cause)),
        };
    }
    if pages.saturating_sub(signals.copied.load(Relaxed)) >= START_PAGES {
        signals.running.store(true, Relaxed);
        signals.wake();
    }
    Ok(())
}

/// The loop of the checkpoint's thread; returns why the disk failed, if it did.
pub(crate) fn run(conn: &Connection, signals: &Arc<Signals>) -> Result<(), String> {
    loop {
        while !signals.running.load(Relaxed) {
            if signals.stop.load(Relaxed) {
                return Ok(());
            }
            std::thread::park();
        }
        let mut rest = u32::MAX;
        for _ in 0..PASSES_MAX {
            let done = passive(conn)?;
            signals.copied.store(done.copied, Relaxed);
            let left = signals.pages.load(Relaxed).max(done.pages).saturating_sub(done.copied);
            let stuck = left >= rest;
            rest = left;
            if rest <= REST_PAGES_MAX || stuck || signals.stop.load(Relaxed) {
                break;
            }
        }
        let large = signals.pages.load(Relaxed) > BOUND_PAGES;
        if rest <= REST_PAGES_MAX || large {
            signals.rest.store(true, Relaxed);
        } else {
            // A reader holds it up: the next try comes when as much again was written.
            signals.copied.store(signals.pages.load(Relaxed), Relaxed);
        }
        signals.running.store(false, Relaxed);
    }
}

/// Copies what no reader needs, and waits for nobody.
pub(crate) fn passive(conn: &Connection) -> Result<Checkpoint, String> {
    checkpoint(conn, CheckpointMode::PASSIVE)
}

/// Copies everything and leaves the WAL empty.
pub(crate) fn truncate(conn: &Connection) -> Result<(), String> {
    checkpoint(conn, CheckpointMode::TRUNCATE).map(|_| ())
}

/// Copies the rest from the writer's own thread, waiting at most so long for readers.
fn finish(conn: &Connection, wait: Duration) -> Result<Checkpoint, String> {
    if wait.is_zero() {
        return passive(conn);
    }
    let usual = super::open::BUSY_TIME_MAX;
    conn.busy_timeout(wait).map_err(|e| e.to_string())?;
    let done = checkpoint(conn, CheckpointMode::RESTART);
    conn.busy_timeout(usual).map_err(|e| e.to_string())?;
    done
}

/// A checkpoint that found somebody busy or the disk full is only not done; one that failed in the
/// disk is the end.
fn checkpoint(conn: &Connection, mode: CheckpointMode) -> Result<Checkpoint, String> {
    match conn.wal_checkpoint_v2(Some("main"), mode) {
        Ok((pages, copied)) => Ok(Checkpoint {
            pages: u32::try_from(pages).unwrap_or(0),
            copied: u32::try_from(copied).unwrap_or(0),
        }),
        Err(e) => match e.sqlite_error_code() {
            Some(
                ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase,
            ) => Err(format!("a checkpoint failed: {e}")),
            _ => Ok(Checkpoint { pages: 0, copied: 0 }),
        },
    }
}
