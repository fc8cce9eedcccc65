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

use bellwire_services::kit::{Answer, Code, Fault};
use bellwire_store::batch::{Batch, Incident};
use mio::Waker;

use crate::{
    clock::Clock,
    hub::{
        SessionId,
        recent::{Entry, Recent},
    },
    logging::{DISK_FULL_INTERVAL_MS, Throttle},
    metrics::Metrics,
    net::shard::Message,
};

/// From this lag on the writer waits for the shards.
const LAG_MAX_MS: u64 = 100;
/// How long it waits per batch, at most.
const WAIT_MAX_MS: u64 = 50;
/// From this lag on the door takes no more commands.
pub const LAG_OVERLOADED_MS: u64 = 2_000;

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
    /// A `Mutex`: the sequencer notes each batch, the door and the metrics ask; each holds it for
    /// nanoseconds.
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
    /// Every command is refused while the disk is full: not each has a line.
    disk_full: Throttle,
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
        let disk_full = Throttle::new(DISK_FULL_INTERVAL_MS);
        Sequencer { recent, lag, clock, metrics, disk_full }
    }

    /// How far the shards are behind.
    pub fn lag(&self) -> Arc<Lag> {
        self.lag.clone()
    }

    /// Hands a committed batch to the shards.
    pub fn publish(&mut self, batch: Batch<Answer, ReplyTo>) {
        self.metrics.batch(&batch.stats, batch.answers.len());
        for Incident { answer, cause } in &batch.incidents {
            let is_full = matches!(&batch.answers[*answer].result, Err(f) if f.code == Code::Full);
            if !is_full {
                tracing::error!(%cause, "a command failed");
            } else if let Some(left_out) = self.disk_full.admit(self.clock.elapsed_ms()) {
                tracing::error!(%cause, left_out, "a command failed, the disk is full");
            }
        }
        let (mut items, mut rows, mut calls) = (Vec::new(), Vec::new(), Vec::new());
        for answer in batch.answers {
            let (result, logged) = match answer.result.map(|committed| committed.into_parts()) {
                Ok((reply, logged)) => (reply.granted(), logged),
                Err(fault) => (Err(fault), Vec::new()),
            };
            match answer.to {
                ReplyTo::Call(call) => items.push(Item::Answer(call, result)),
                ReplyTo::Function(function) => calls.push((function, result)),
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
        // Last: who is told that a token is revoked may rely on the shards knowing it.
        calls.into_iter().for_each(|(function, result)| function(result));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::shard::Inlet;

    /// Plays a script to this many shards: `p10` a batch is published at 10 ms; `a`, `b` that shard has
    /// handled one more; `?25:15` asked at 25 ms, the lag is 15 ms.
    fn check(shards: usize, script: &str) {
        let inlets: Vec<Inlet> =
            (0..shards).map(|_| Inlet::new().expect("there are descriptors")).collect();
        let feeds = inlets.iter().map(|inlet| inlet.feed.clone()).collect();
        let lag = Lag { feeds, unhandled: Mutex::default() };
        let number = |digits: &str| digits.parse::<u64>().expect("a number");
        for (place, word) in script.split_whitespace().enumerate() {
            match word.split_at(1) {
                ("p", at_ms) => lag.published(number(at_ms)),
                ("?", asked) => {
                    let (now_ms, expected) = asked.split_once(':').expect("a time and a lag");
                    let found = lag.ms(number(now_ms));
                    assert_eq!(found, number(expected), "{word}, word {place} of {script}");
                }
                (shard, "") => {
                    let index = usize::from(shard.as_bytes()[0] - b'a');
                    inlets[index].feed.handled.fetch_add(1, Ordering::Release);
                }
                _ => panic!("{word} means nothing"),
            }
        }
    }

    #[test]
    fn the_lag_is_the_age_of_the_oldest_batch_that_a_shard_has_not_handled() {
        // One shard: batch by batch, and several between two questions.
        check(1, "?0:0 ?99:0 p10 ?10:0 ?25:15 a ?30:0 ?99:0");
        check(1, "p10 p20 p30 ?40:30 a ?40:20 a ?40:10 a ?40:0");
        check(1, "p10 p20 p30 a a ?40:10 p50 ?60:30 a a ?60:0 p70 ?71:1");
        // The slower one counts, whichever it is, and however far ahead the other is.
        check(2, "p10 ?20:10 a ?20:10 b ?20:0");
        check(2, "p10 p20 a a ?30:20 b ?30:10 b ?30:0");
        check(2, "p10 p20 b b ?30:20 a ?30:10 a ?30:0");
        check(2, "p10 p20 a b b ?30:10 p40 b ?50:30 a ?50:10 a ?50:0");
        check(3, "p10 p20 a a c b ?30:10 b ?30:10 c ?30:0");
        // Without shards nobody is behind.
        check(0, "p10 ?99:0 p20 p30 ?99:0");
        // Batches that came within the same millisecond are several all the same.
        check(1, "p10 p10 p10 a a ?15:5 a ?15:0");
        // Asked by another thread with an earlier time, it is nothing, not something enormous.
        check(1, "p10 ?5:0 ?10:0 ?11:1");
    }

    #[test]
    fn a_batch_that_was_handled_before_it_was_noted_counts_once() {
        check(1, "a ?5:0 p10 ?20:0 p30 ?40:10 a ?40:0");
        check(2, "p10 a a b b ?20:0 p20 ?30:0 p40 ?50:10 a b ?50:0");
    }
}
