//! Copying the WAL back into the database, off the writer's path.
//!
//! A thread of its own copies with PASSIVE checkpoints, which stop nobody. But the WAL only starts
//! anew when all of it has been copied at the moment of a write, and under constant load that
//! moment never comes by itself. So, when little is left, the writer copies the rest between two
//! batches, which takes about a millisecond, and its next commit starts the WAL anew. Past a
//! bound it also waits, briefly, for readers that still need the old one.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    thread::Thread,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, ffi, wal::CheckpointMode};

use super::{
    wal,
    writer::{Fatal, Writer},
};

/// Pages (of 4 KiB) that are to be copied before the thread starts: 32 MiB. A page that many
/// commits have written is then copied once. Less costs more fsyncs; more makes the WAL file grow
/// for longer before it is used again, and a commit that makes a file grow costs twice as much.
pub(crate) const START_PAGES: u32 = 8_192;
/// Pages that the writer copies by itself: 1 MiB.
const REST_PAGES_MAX: u32 = 256;
/// Pages past which the writer waits for readers: 64 MiB. A WAL file that became longer is cut to
/// this when it starts anew.
pub(crate) const BOUND_PAGES: u32 = 16_384;
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

impl Checkpoint {
    /// Nothing could be copied: somebody was busy, or the disk is full.
    const NONE: Checkpoint = Checkpoint { pages: 0, copied: 0 };
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
                // A reader that outlasted the wait is not waited for again until as much again was
                // written.
                let copied = if done == Checkpoint::NONE { pages } else { done.copied };
                signals.copied.store(copied, Relaxed);
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
pub(crate) fn run(conn: &Connection, signals: &Signals) -> Result<(), String> {
    loop {
        while !signals.running.load(Relaxed) {
            if signals.stop.load(Relaxed) {
                return Ok(());
            }
            std::thread::park();
        }
        pass(conn, signals)?;
    }
}

/// One call of the writer: goes over the WAL until little of it is left to copy.
fn pass(conn: &Connection, signals: &Signals) -> Result<(), String> {
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
    Ok(())
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
            Some(ErrorCode::SystemIoFailure) if is_over_quota(conn, &e) => Ok(Checkpoint::NONE),
            Some(
                ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase,
            ) => Err(format!("a checkpoint failed: {e}")),
            _ => Ok(Checkpoint::NONE),
        },
    }
}

/// Whether the database could not be written because a quota is used up.
fn is_over_quota(conn: &Connection, error: &rusqlite::Error) -> bool {
    let failed = error.sqlite_error().map(|error| error.extended_code);
    failed == Some(ffi::SQLITE_IOERR_WRITE) && wal::is_over_quota(conn, wal::File::Database)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        change::Outcome,
        sqlite::{Options, Reader, open},
        testing::{event, write},
    };

    /// A writer with the thread's part played in between, and the most pages that the WAL had.
    fn load(options: &Options, writer: &mut Writer, signals: &Signals, batches: u32) -> (u32, u32) {
        let conn = open::checkpointer(options).expect("it opens");
        let payload = format!("\"{}\"", "x".repeat(400_000));
        let (mut most, mut restarts, mut before) = (0, 0, 0);
        for _ in 0..batches {
            let payload = payload.clone();
            let run = move |_: &mut crate::tx::Tx<'_>| {
                Ok(Outcome::reply(0).event(event("large", "", &["t"], &payload)))
            };
            writer.batch(vec![write(0, 0, run)]).expect("a sound disk");
            restarts += u32::from(writer.wal_pages() < before);
            before = writer.wal_pages();
            most = most.max(before);
            between_batches(writer, signals).expect("a sound disk");
            if signals.running.load(Relaxed) {
                pass(&conn, signals).expect("a sound disk");
            }
        }
        (most, restarts)
    }

    #[test]
    fn the_wal_starts_anew_under_constant_load() {
        let folder = tempfile::tempdir().expect("room");
        let options = Options::new(folder.path().join("db"), "epoch", 0);
        let mut writer = Writer::open(&options, &[]).expect("it opens");
        let signals = Signals::default();
        let (most, restarts) = load(&options, &mut writer, &signals, 300);
        assert!(most < START_PAGES + 200 && restarts >= 3, "{most} pages, {restarts} restarts");

        // A reader that stays keeps the WAL as it is; when it goes, the WAL starts anew.
        let mut reader = Reader::open(&options).expect("it opens");
        let held = reader.read(|_| load(&options, &mut writer, &signals, 250));
        let (most, restarts) = held.expect("it reads");
        assert!(most > START_PAGES + 200 && restarts <= 1, "{most} pages, {restarts} restarts");
        let (_, restarts) = load(&options, &mut writer, &signals, 250);
        assert!(restarts >= 1);
    }
}
