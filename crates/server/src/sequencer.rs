//! From the writer to the shards: each committed batch, in commit order, to every shard.
//!
//! The writer's thread calls [`Sequencer::publish`] after COMMIT and never touches a socket. A
//! shard that cannot keep up slows the writer down, a little per batch; past [`LAG_OVERLOADED_MS`] the
//! door answers `overloaded`. Nothing is dropped that was committed.
//!
//! Events that are not committed, but pass, go the same way: [`Feeds::pass`]. Every shard is sent batches and what
//! passes in one order.

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
use bellwire_store::{
    batch::{Batch, Incident},
    change::{Event, Offset},
};
use mio::Waker;

use crate::{
    clock::Clock,
    hub::{
        Passing, SessionId,
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
/// From this lag on the door takes no more commands, and nothing passes.
pub const LAG_OVERLOADED_MS: u64 = 2_000;
/// So many events pass together; a batch that was committed meanwhile waits for no more.
const PASSING_AT_ONCE: usize = 64;

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
    /// How many batches the shard has handled, and portions of what passes. An atomic: the shard counts, the
    /// sequencer reads.
    pub handled: Arc<AtomicU64>,
}

impl Feed {
    /// Sends a message; says whether the shard still runs.
    pub fn send(&self, message: Message) -> bool {
        self.sender.send(message).is_ok() && self.waker.wake().is_ok()
    }
}

/// How far the shards are behind what was published: batches, and portions of what passes.
#[derive(Debug)]
pub struct Lag {
    feeds: Vec<Feed>,
    /// A `Mutex`: [`Feeds`] notes each batch, the door and the metrics ask; each holds it for
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

/// Sends all shards the same in the same order.
#[derive(Debug)]
pub struct Feeds {
    lag: Arc<Lag>,
    clock: Arc<Clock>,
    /// The last row that the shards were sent. A `Mutex`: the writer holds it while a batch is sent, and who lets
    /// something pass while a portion of that is; for microseconds each. So no shard is sent the two the other way
    /// round than another, and what passes bears the offset of a row that each was sent before.
    sent: Mutex<Offset>,
}

impl Feeds {
    fn new(feeds: Vec<Feed>, head: Offset, clock: Arc<Clock>) -> Feeds {
        let lag = Arc::new(Lag { feeds, unhandled: Mutex::default() });
        Feeds { lag, clock, sent: Mutex::new(head) }
    }

    /// Sends what was committed, up to the row `head`; gives the time.
    fn commit(&self, items: Arc<[Item]>, head: Offset) -> u64 {
        let mut sent = self.lock();
        *sent = head;
        self.send(|| Message::Batch(items.clone()))
    }

    /// Tells those who listen now, and nobody else: the events pass, in this order, and are not kept. That is all
    /// that may be told without COMMIT; [`Passing`] says what must not be.
    ///
    /// Says whether they passed: they are dropped when the shards are too far behind.
    pub fn pass(&self, events: Vec<Event>) -> bool {
        self.pass_at(self.clock.elapsed_ms(), events)
    }

    fn pass_at(&self, now_ms: u64, events: Vec<Event>) -> bool {
        if self.lag.ms(now_ms) > LAG_OVERLOADED_MS {
            return false;
        }
        let mut events = events.into_iter().peekable();
        while events.peek().is_some() {
            let at = self.clock.now();
            let sent = self.lock();
            let portion = events.by_ref().take(PASSING_AT_ONCE);
            let portion: Arc<[Passing]> =
                portion.map(|event| Passing::after(*sent, event, at)).collect();
            self.send(|| Message::Passing(portion.clone()));
        }
        true
    }

    /// Sends every shard a message, with `sent` locked.
    fn send(&self, message: impl Fn() -> Message) -> u64 {
        let now_ms = self.clock.elapsed_ms();
        self.lag.published(now_ms);
        for feed in &self.lag.feeds {
            feed.send(message());
        }
        now_ms
    }

    fn lock(&self) -> MutexGuard<'_, Offset> {
        self.sent.lock().expect("nobody panics under this lock")
    }
}

/// Feeds the shards what is committed.
pub struct Sequencer {
    recent: Arc<Recent>,
    feeds: Arc<Feeds>,
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
        let feeds = Arc::new(Feeds::new(feeds, recent.head(), clock.clone()));
        let disk_full = Throttle::new(DISK_FULL_INTERVAL_MS);
        Sequencer { recent, feeds, clock, metrics, disk_full }
    }

    /// The way to the shards.
    pub fn feeds(&self) -> Arc<Feeds> {
        self.feeds.clone()
    }

    /// How far the shards are behind.
    pub fn lag(&self) -> Arc<Lag> {
        self.feeds.lag.clone()
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
        let now_ms = self.feeds.commit(items.into(), self.recent.head());
        // Last: who is told that a token is revoked may rely on the shards knowing it.
        calls.into_iter().for_each(|(function, result)| function(result));
        self.wait_for_shards(now_ms);
    }

    fn wait_for_shards(&self, since_ms: u64) {
        loop {
            let now_ms = self.clock.elapsed_ms();
            if self.feeds.lag.ms(now_ms) <= LAG_MAX_MS || now_ms - since_ms >= WAIT_MAX_MS {
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
    use bellwire_store::change::{Logged, Overflow};

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

    fn event(name: &'static str) -> Event {
        let (key, except, variants) = (String::new(), Vec::new(), Vec::new());
        Event { name: name.into(), key, except, variants, overflow: Overflow::Latest }
    }

    /// What a shard was sent: rows as their number, what passes as its name and the row before it.
    fn sent(inlet: &Inlet) -> Vec<String> {
        let mut sent = Vec::new();
        while let Some(message) = inlet.take() {
            match message {
                Message::Batch(items) => sent.extend(items.iter().map(|item| match item {
                    Item::Row(row) => row.offset().to_string(),
                    Item::Answer(..) => panic!("nobody asked"),
                })),
                Message::Passing(events) => sent.extend(events.iter().map(|passing| {
                    let name = passing.event().map_or("", |event| &event.name);
                    format!("{name}@{}", passing.offset())
                })),
                other => panic!("{other:?} was not sent"),
            }
        }
        sent
    }

    fn commit(feeds: &Feeds, offset: Offset) {
        let row = Logged { offset, at: 0, event: None, effects: Vec::new() };
        feeds.commit(Arc::new([Item::Row(Arc::new(Entry::new(Arc::new(row))))]), offset);
    }

    fn feeds(shards: usize, head: Offset) -> (Vec<Inlet>, Feeds) {
        let inlets: Vec<Inlet> =
            (0..shards).map(|_| Inlet::new().expect("there are descriptors")).collect();
        let feeds = inlets.iter().map(|inlet| inlet.feed.clone()).collect();
        (inlets, Feeds::new(feeds, head, Arc::new(Clock::new())))
    }

    #[test]
    fn what_passes_bears_the_row_before_it() {
        let (inlets, feeds) = feeds(2, 7);
        assert!(feeds.pass(vec![event("a"), event("b")]));
        commit(&feeds, 8);
        commit(&feeds, 9);
        assert!(feeds.pass(vec![event("c")]));
        assert!(feeds.pass(Vec::new()));
        commit(&feeds, 10);
        for inlet in &inlets {
            assert_eq!(sent(inlet), ["a@7", "b@7", "8", "9", "c@9", "10"]);
        }
        let many = vec![event("m"); 2 * PASSING_AT_ONCE + 1];
        assert!(feeds.pass(many.clone()));
        assert_eq!(sent(&inlets[0]), vec!["m@10"; many.len()]);
    }

    #[test]
    fn all_shards_are_sent_the_same_order() {
        const ROWS: u64 = 2_000;
        let (inlets, feeds) = feeds(3, 0);
        thread::scope(|scope| {
            scope.spawn(|| (1..=ROWS).for_each(|offset| commit(&feeds, offset)));
            for _ in 0..2 {
                scope.spawn(|| (0..ROWS).for_each(|_| assert!(feeds.pass(vec![event("p")]))));
            }
        });
        let all: Vec<Vec<String>> = inlets.iter().map(sent).collect();
        assert!(all.iter().all(|sent| *sent == all[0]));
        let mut row = "0".to_owned();
        for sent in &all[0] {
            match sent.strip_prefix("p@") {
                Some(before) => assert_eq!(before, row),
                None => row.clone_from(sent),
            }
        }
        assert_eq!(row, ROWS.to_string());
    }

    #[test]
    fn nothing_passes_to_shards_that_are_far_behind() {
        let (inlets, feeds) = feeds(1, 0);
        let late_ms = 1_000_000_000;
        assert!(feeds.pass_at(late_ms, vec![event("a")]));
        assert!(!feeds.pass_at(late_ms, vec![event("b")]), "what passes is to be handled, too");
        assert_eq!(sent(&inlets[0]), ["a@0"]);
        inlets[0].feed.handled.fetch_add(1, Ordering::Release);
        assert!(feeds.pass_at(late_ms, vec![event("c")]));
        assert_eq!(sent(&inlets[0]), ["c@0"]);
    }
}
