//! The threads, and the queues before them.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use super::{
    Fatal, LogStats, OpenError, Options, ReadJob, Reader, Writer, checkpoint,
    checkpoint::Signals,
    clock, file, open,
    queue::Queue,
    readers,
    writer::{Progress, message},
};
use crate::{
    batch::{Batch, Write},
    migrate::Migrations,
};

/// A database with its threads. `A` is what a decision answers, `R` where the answer goes.
///
/// Dropping it is closing it without the last checkpoint: queued writes are still committed. After
/// a fatal error, what is queued is let go without an answer, for none would be true.
pub struct Store<A, R> {
    shared: Arc<Shared<A, R>>,
    epoch: String,
    writer: Option<JoinHandle<Writer>>,
    readers: Vec<JoinHandle<()>>,
    checkpointer: Option<JoinHandle<()>>,
}

/// What the threads have in common.
struct Shared<A, R> {
    writes: Queue<Write<A, R>>,
    reads: Queue<ReadJob>,
    /// Long reads of the log, with a reader of their own, so that nobody else waits for them.
    replays: Queue<ReadJob>,
    long_reads: Queue<ReadJob>,
    signals: Arc<Signals>,
    /// The log after the last batch: set by the writer, read by metrics. A mutex, because its
    /// numbers belong together; it is held for a copy.
    stats: Mutex<LogStats>,
    /// What happened to the disk, once it has; set by the writer's or the checkpoint's thread.
    fatal: Mutex<Doom>,
}

struct Doom {
    call: Option<Box<dyn FnOnce(String) + Send>>,
    cause: Option<Fatal>,
}

impl<A: Send + 'static, R: Send + 'static> Store<A, R> {
    /// Opens the database and starts the threads. `publish` runs on the writer's thread, once per
    /// committed batch, in commit order, after COMMIT has returned.
    pub fn open(
        mut options: Options,
        migrations: &[Migrations],
        publish: impl FnMut(Batch<A, R>) + Send + 'static,
    ) -> Result<Store<A, R>, OpenError> {
        let call = std::mem::replace(&mut options.fatal, Box::new(|_| {}));
        let writer = Writer::open(&options, migrations)?;
        let readers: Result<Vec<_>, _> =
            (0..options.readers.max(1)).map(|_| Reader::open(&options)).collect();
        let readers = readers?;
        let replayer = Reader::open(&options)?;
        let patient = Reader::open(&options)?.within(options.long_read_time_max);
        let checkpointer = open::checkpointer(&options)?;
        let epoch = writer.epoch().to_owned();
        let shared = Arc::new(Shared {
            writes: Queue::new(options.write_queue_max),
            reads: Queue::new(options.read_queue_max),
            replays: Queue::new(options.replay_queue_max),
            long_reads: Queue::new(options.long_read_queue_max),
            signals: Arc::new(Signals::default()),
            stats: Mutex::new(writer.log_stats()),
            fatal: Mutex::new(Doom { call: Some(call), cause: None }),
        });
        let cannot =
            |e: std::io::Error| OpenError::Other(format!("No thread can be started: {e}."));
        // From here on, an early return drops `store`, which stops what was started.
        let mut store = Store {
            shared: Arc::clone(&shared),
            epoch,
            writer: None,
            readers: Vec::new(),
            checkpointer: None,
        };
        for reader in readers {
            let (shared, report) = (Arc::clone(&shared), Arc::clone(&options.report));
            let body = move || readers::run(reader, &shared.reads, &report);
            store.readers.push(spawn("store-read", body).map_err(cannot)?);
        }
        let (replaying, report) = (Arc::clone(&shared), Arc::clone(&options.report));
        let body = move || readers::run(replayer, &replaying.replays, &report);
        store.readers.push(spawn("store-replay", body).map_err(cannot)?);
        let (reading, report) = (Arc::clone(&shared), Arc::clone(&options.report));
        let body = move || readers::run(patient, &reading.long_reads, &report);
        store.readers.push(spawn("store-long", body).map_err(cannot)?);
        let path = options.path.clone();
        let copying = Arc::clone(&shared);
        let body = move || {
            if let Err(cause) = checkpoint::run(&checkpointer, &copying.signals) {
                file::mark(&path);
                copying.doom(Fatal(cause));
            }
        };
        let handle = spawn("store-checkpoint", body).map_err(cannot)?;
        shared.signals.set_thread(handle.thread().clone());
        store.checkpointer = Some(handle);
        let limits = Limits { time_max: options.batch_time_max, rows_max: options.batch_rows_max };
        let body = move || write_loop(writer, &shared, limits, publish);
        store.writer = Some(spawn("store-write", body).map_err(cannot)?);
        Ok(store)
    }

    /// Queues a write, or hands it back when the queue is full or the store has stopped.
    pub fn write(&self, write: Write<A, R>) -> Result<(), Write<A, R>> {
        self.shared.writes.push(write)
    }

    /// Queues writes that came together, in order: the writer finds them together too, and commits
    /// them in one batch if nothing speaks against it. Hands back those for which there is no room.
    pub fn write_all(&self, writes: Vec<Write<A, R>>) -> Vec<Write<A, R>> {
        self.shared.writes.push_all(writes)
    }

    /// Queues a read, or hands it back when the queue is full or the store has stopped.
    pub fn read(&self, job: ReadJob) -> Result<(), ReadJob> {
        self.shared.reads.push(job)
    }

    /// Queues a read that may take long, as the replay of a log from disk: it has a reader of its own,
    /// and neither waits for those of [`read`](Store::read) nor makes them wait. Handed back when its
    /// queue is full or the store has stopped.
    pub fn replay(&self, job: ReadJob) -> Result<(), ReadJob> {
        self.shared.replays.push(job)
    }

    /// Queues a read that looks at much, and for which nobody else is to wait: it has a reader of its own. Handed back
    /// when its queue is full or the store has stopped.
    pub fn read_long(&self, job: ReadJob) -> Result<(), ReadJob> {
        self.shared.long_reads.push(job)
    }

    /// The random text of this database's life.
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// What the log holds after the last batch.
    pub fn log_stats(&self) -> LogStats {
        *lock(&self.shared.stats)
    }

    /// Writes that wait.
    pub fn write_queue_len(&self) -> usize {
        self.shared.writes.len()
    }

    /// Reads that wait.
    pub fn read_queue_len(&self) -> usize {
        self.shared.reads.len()
    }

    /// Replays that wait.
    pub fn replay_queue_len(&self) -> usize {
        self.shared.replays.len()
    }

    /// Why the store has stopped by itself, if it has.
    pub fn fatal(&self) -> Option<Fatal> {
        lock(&self.shared.fatal).cause.clone()
    }

    /// Commits what is queued, answers it, copies the WAL back, and ends the threads.
    pub fn close(mut self) -> Result<(), Fatal> {
        let writer = self.stop();
        match (self.fatal(), writer) {
            (Some(fatal), _) => Err(fatal),
            (None, Some(writer)) => writer.close(),
            (None, None) => Ok(()),
        }
    }
}

impl<A, R> Store<A, R> {
    /// Ends the threads; the writer has by then done all that was queued.
    fn stop(&mut self) -> Option<Writer> {
        self.shared.writes.close();
        self.shared.reads.close();
        self.shared.replays.close();
        self.shared.long_reads.close();
        self.shared.signals.stop();
        let writer = self.writer.take().and_then(|thread| thread.join().ok());
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        let _ = self.checkpointer.take().map(JoinHandle::join);
        writer
    }
}

impl<A, R> Drop for Store<A, R> {
    fn drop(&mut self) {
        self.stop();
    }
}

impl<A, R> Shared<A, R> {
    /// Stops everything and tells the process, once.
    fn doom(&self, fatal: Fatal) {
        let mut doom = lock(&self.fatal);
        doom.cause.get_or_insert_with(|| fatal.clone());
        let call = doom.call.take();
        drop(doom);
        self.writes.abandon();
        if let Some(call) = call {
            call(fatal.0);
        }
    }
}

#[derive(Clone, Copy)]
struct Limits {
    time_max: std::time::Duration,
    rows_max: u64,
}

/// The loop of the writer's thread: ends when the queue is closed and empty, or the disk failed.
fn write_loop<A, R>(
    mut writer: Writer,
    shared: &Shared<A, R>,
    limits: Limits,
    mut publish: impl FnMut(Batch<A, R>),
) -> Writer {
    while let Some(first) = shared.writes.pop() {
        let mut first = Some(first);
        let mut next = |progress: Progress| {
            let more = || {
                let open = progress.rows < limits.rows_max
                    && clock::since(progress.start) < limits.time_max;
                if open { shared.writes.try_pop() } else { None }
            };
            first.take().or_else(more)
        };
        let done = writer.batch_from(&mut next).and_then(|batch| {
            // A checkpoint's fsync may have failed meanwhile: then nobody hears of this batch.
            if let Some(fatal) = lock(&shared.fatal).cause.clone() {
                return Err(fatal);
            }
            *lock(&shared.stats) = writer.log_stats();
            let published = catch_unwind(AssertUnwindSafe(|| publish(batch)));
            published
                .map_err(|panic| Fatal(format!("publishing panicked: {}", message(&*panic))))?;
            checkpoint::between_batches(&mut writer, &shared.signals)
        });
        if let Err(fatal) = done {
            shared.doom(fatal);
            break;
        }
    }
    writer
}

fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<JoinHandle<T>> {
    thread::Builder::new().name(name.to_owned()).spawn(body)
}

/// No code of others runs under these locks, so a poisoned one is sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
