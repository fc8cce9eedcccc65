//! From the writer to the shards: each committed batch, in commit order, to every shard.
//!
//! The writer's thread calls [`Sequencer::publish`] after COMMIT and never touches a socket. A
//! shard that cannot keep up slows the writer down, a little per batch; past [`LAG_OVERLOADED_MS`] the
//! door answers `overloaded`. Nothing is dropped.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use bellwire_services::kit::{Answer, Fault};
use bellwire_store::batch::Batch;
use mio::Waker;

use crate::{
    clock::Clock,
    hub::{
        SessionId,
        recent::{Entry, Recent},
    },
    metrics::Metrics,
    net::shard::Message,
};

/// From this lag on the writer waits for the shards.
const LAG_MAX_MS: u64 = 100;
/// From this lag on the door takes no more commands.
pub const LAG_OVERLOADED_MS: u64 = 2_000;
/// How long it waits per batch, at most.
const WAIT_MAX_MS: u64 = 50;

/// Where an answer goes.
pub enum ReplyTo {
    /// To a session's call.
    Call(CallId),
    /// To a function, on the writer's thread: it must be quick.
    Function(Box<dyn FnOnce(Result<Answer, Fault>) + Send>),
}

/// Names a call of a live session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallId {
    /// Which shard the session belongs to.
    pub shard: u16,
    /// The session.
    pub session: SessionId,
    /// The call's number within it.
    pub call: u32,
}

/// What the shards are given of a batch, in order.
#[derive(Debug)]
pub enum Item {
    /// A call was answered.
    Answer(CallId, Result<Answer, Fault>),
    /// A row was committed.
    Row(Arc<Entry>),
}

/// The way into a shard.
#[derive(Debug, Clone)]
pub struct Feed {
    /// `mpsc`: many threads send, the shard's takes. Unbounded, as what is published must arrive;
    /// the lag bounds it.
    pub sender: mpsc::Sender<Message>,
    /// Wakes the shard from its wait for sockets.
    pub waker: Arc<Waker>,
    /// How many batches the shard has handled. An atomic: the shard counts, the sequencer reads.
    pub handled: Arc<AtomicU64>,
}

impl Feed {
    /// Sends a message; says whether the shard still runs.
    pub fn send(&self, message: Message) -> bool {
        self.sender.send(message).is_ok() && self.waker.wake().is_ok()
    }
}

/// How far the shards are behind what was published.
#[derive(Debug)]
pub struct Lag {
    feeds: Vec<Feed>,
    /// A `Mutex`: the sequencer notes each batch, the door and the metrics ask; nanoseconds each.
    unhandled: Mutex<Unhandled>,
}

#[derive(Debug, Default)]
struct Unhandled {
    /// The batches that some shard has not handled: when each was published, in ms.
    published_ms: VecDeque<u64>,
    /// How many batches all shards have handled.
    handled: u64,
}

impl Lag {
    fn published(&self, now_ms: u64) {
        self.lock().published_ms.push_back(now_ms);
    }

    /// How long ago the oldest batch was published that some shard has not handled.
    pub fn ms(&self, now_ms: u64) -> u64 {
        let mut unhandled = self.lock();
        let handled = self.feeds.iter().map(|feed| feed.handled.load(Ordering::Acquire)).min();
        let waiting = unhandled.published_ms.len();
        let newly = handled.map_or(waiting, |handled| (handled - unhandled.handled) as usize);
        // A shard may have counted a batch that is not noted yet.
        let newly = newly.min(waiting);
        unhandled.published_ms.drain(..newly);
        unhandled.handled += newly as u64;
        unhandled.published_ms.front().map_or(0, |oldest_ms| now_ms.saturating_sub(*oldest_ms))
    }

    fn lock(&self) -> MutexGuard<'_, Unhandled> {
        self.unhandled.lock().expect("nobody panics under this lock")
    }
}

/// Feeds the shards.
pub struct Sequencer {
    recent: Arc<Recent>,
    lag: Arc<Lag>,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
}

impl Sequencer {
    /// A sequencer for these shards.
    pub fn new(
        recent: Arc<Recent>,
        feeds: Vec<Feed>,
        clock: Arc<Clock>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let lag = Arc::new(Lag { feeds, unhandled: Mutex::default() });
        Sequencer { recent, lag, clock, metrics }
    }

    /// How far the shards are behind.
    pub fn lag(&self) -> Arc<Lag> {
        self.lag.clone()
    }

    /// Hands a committed batch to the shards.
    pub fn publish(&mut self, batch: Batch<Answer, ReplyTo>) {
        self.metrics.batch(&batch.stats, batch.answers.len());
        for incident in &batch.incidents {
            tracing::error!(cause = %incident.cause, "a command failed");
        }
        let mut items = Vec::new();
        let mut rows = Vec::new();
        for answer in batch.answers {
            let (result, logged) = match answer.result.map(|committed| committed.into_parts()) {
                Ok((reply, logged)) => (Ok(reply), logged),
                Err(fault) => (Err(fault), Vec::new()),
            };
            match answer.to {
                ReplyTo::Call(call) => items.push(Item::Answer(call, result)),
                ReplyTo::Function(function) => function(result),
            }
            for row in logged {
                let entry = Arc::new(Entry::new(row));
                rows.push(entry.clone());
                items.push(Item::Row(entry));
            }
        }
        self.recent.append(&rows);
        let items: Arc<[Item]> = items.into();
        let now_ms = self.clock.elapsed_ms();
        self.lag.published(now_ms);
        for feed in &self.lag.feeds {
            feed.send(Message::Batch(items.clone()));
        }
        self.wait_for_shards(now_ms);
    }

    fn wait_for_shards(&self, since_ms: u64) {
        loop {
            let now_ms = self.clock.elapsed_ms();
            if self.lag.ms(now_ms) <= LAG_MAX_MS || now_ms - since_ms >= WAIT_MAX_MS {
                return;
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "this thread's only work is to go slower"
            )]
            thread::sleep(Duration::from_millis(1));
        }
    }
}
