//! Reading: each reader has a connection of its own, and each read is of one moment.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use rusqlite::Connection;

use super::{
    open,
    open::{OpenError, Options},
    queue::Queue,
    watch::Watch,
    writer::message,
};
use crate::{change::Fault, tx::ReadTx};

/// A read for the store's readers. It is given the fault if its transaction could not begin.
pub type ReadJob = Box<dyn FnOnce(Result<&ReadTx<'_>, Fault>) + Send>;

/// A connection that only reads.
pub struct Reader {
    conn: Connection,
    watch: Watch,
    read_time_max: Duration,
    cause: Option<String>,
}

impl Reader {
    /// Opens the database, which a [`Writer`](super::Writer) has open, for reading.
    pub fn open(options: &Options) -> Result<Reader, OpenError> {
        let (conn, watch) = open::reader(options)?;
        Ok(Reader { conn, watch, read_time_max: options.read_time_max, cause: None })
    }

    /// The same with another time for each read.
    pub fn within(self, read_time_max: Duration) -> Reader {
        Reader { read_time_max, ..self }
    }

    /// Runs `f` in one read transaction. A statement that fails tells `f` so; this only fails when
    /// the transaction could not begin.
    pub fn read<T>(&mut self, f: impl FnOnce(&ReadTx<'_>) -> T) -> Result<T, Fault> {
        self.watch.start(self.read_time_max);
        let read = self.snapshot(f);
        self.cause = self.watch.end().map(|failed| failed.cause);
        read
    }

    /// Why the last read failed, in words for the operator.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    fn snapshot<T>(&self, f: impl FnOnce(&ReadTx<'_>) -> T) -> Result<T, Fault> {
        let tx = ReadTx::new(&self.conn, &self.watch);
        let failed = |error| self.watch.fail(&self.conn, "BEGIN", &error);
        let _ends = Ends(&self.conn);
        self.conn.prepare_cached("BEGIN").and_then(|mut s| s.raw_execute()).map_err(failed)?;
        // BEGIN alone takes no snapshot; the first statement does.
        tx.head()?;
        Ok(f(&tx))
    }
}

/// Ends the read transaction however `f` ends.
struct Ends<'a>(&'a Connection);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        if !self.0.is_autocommit() {
            // Ending a transaction that has only read cannot fail.
            let _ = self.0.prepare_cached("COMMIT").and_then(|mut s| s.raw_execute());
        }
    }
}

/// The loop of a reading thread: ends when the queue is closed and empty.
pub(crate) fn run(
    mut reader: Reader,
    queue: &Queue<ReadJob>,
    report: &Arc<dyn Fn(String) + Send + Sync>,
) {
    while let Some(job) = queue.pop() {
        let mut job = Some(job);
        let ran = catch_unwind(AssertUnwindSafe(|| {
            reader.read(|tx| {
                if let Some(job) = job.take() {
                    job(Ok(tx));
                }
            })
        }));
        let panic = match ran {
            Ok(Ok(())) => None,
            Ok(Err(fault)) => job
                .take()
                .and_then(|job| catch_unwind(AssertUnwindSafe(move || job(Err(fault)))).err()),
            Err(panic) => Some(panic),
        };
        if let Some(panic) = panic {
            report(format!("a read panicked: {}", message(&*panic)));
        } else if let Some(cause) = reader.cause() {
            report(cause.to_owned());
        }
    }
}
