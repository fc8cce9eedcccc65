//! From the writer to the shards: each committed batch, in commit order, to every shard.
//!
//! The writer's thread calls [`Sequencer::publish`] after COMMIT and never touches a socket. A
//! shard that cannot keep up slows the writer down, a little per batch; with that the write queue
//! fills, and the door answers `overloaded`. Nothing is dropped.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
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

/// Feeds the shards.
pub struct Sequencer {
    recent: Arc<Recent>,
    feeds: Vec<Feed>,
    /// The batches that some shard has not handled: when each was published, in ms.
    unhandled_ms: VecDeque<u64>,
    /// How many batches all shards have handled.
    handled: u64,
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
        Sequencer { recent, feeds, unhandled_ms: VecDeque::new(), handled: 0, clock, metrics }
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
        for feed in &self.feeds {
            feed.send(Message::Batch(items.clone()));
        }
        self.unhandled_ms.push_back(now_ms);
        self.wait_for_shards(now_ms);
    }

    fn wait_for_shards(&mut self, since_ms: u64) {
        loop {
            let now_ms = self.clock.elapsed_ms();
            let lag_ms = self.lag_ms(now_ms);
            self.metrics.hub_lag(lag_ms);
            if lag_ms <= LAG_MAX_MS || now_ms - since_ms >= WAIT_MAX_MS {
                return;
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "this thread's only work is to go slower"
            )]
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// How long ago the oldest batch was published that some shard has not handled.
    fn lag_ms(&mut self, now_ms: u64) -> u64 {
        let handled = self.feeds.iter().map(|feed| feed.handled.load(Ordering::Acquire)).min();
        let newly =
            handled.map_or(self.unhandled_ms.len(), |handled| (handled - self.handled) as usize);
        self.unhandled_ms.drain(..newly);
        self.handled += newly as u64;
        self.unhandled_ms.front().map_or(0, |published_ms| now_ms.saturating_sub(*published_ms))
    }
}
