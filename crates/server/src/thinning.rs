//! Thinned streams of sensors: who listens to which, and the task that tells them, once per interval, what the
//! readings came to. The sums are in [`thin`]; here is when, and to whom.
//!
//! - A session says by the topics that it holds (`every/1s/avg/device/1`) that it listens: when it goes live its shard
//!   takes a [`Listening`] for each stream that they are of, and keeps it as long as the session lives. The hub knows
//!   nothing of it: it tells events by their topics, these too.
//! - While nobody listens, nothing is read, computed or kept. While somebody does, each reading is taken once for each
//!   length of interval that is listened to, and each event is made once, whoever hears it.
//! - Readings are those of the log, in its order, from where the first listener's session began. A reading counts in
//!   the interval in which the server took it in; one that is written down later than [`SETTLE`] after the end counts
//!   in the next. Of an interval that had begun when somebody began to listen to its length, those are told that came
//!   since.
//! - What is told is not in the log: it passes ([`Feeds::pass`]). After a restart it goes on with new readings.
//!
//! [`Feeds::pass`]: crate::sequencer::Feeds::pass

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bellwire_services::{
    kit::{Event, Fault, Micros, ReadTx, Topic},
    sensors::thin::{self, Accumulator, Aggregate, Every, Reading},
};
use bellwire_store::{
    change::{Logged, Offset},
    log::{ReplayLimits, Replayed, Wanted, replay},
};
use tokio::{
    sync::{Notify, oneshot},
    task::yield_now,
    time::timeout,
};

use crate::door::{Door, overloaded};

/// How often readings are taken in while somebody listens, at least: so few come in between that memory has them.
const STEP: Duration = Duration::from_millis(100);
/// How long after its end an interval is closed, in microseconds: what was taken in before is on its way to the disk.
const SETTLE: Micros = 50_000;
/// Rows are taken in this much at a time.
const ROWS_AT_ONCE: usize = 512;
/// The topic of all readings.
const READINGS: Topic = Topic::Borrowed("sensors");

/// A kind of thinned stream.
type Kind = (Every, Aggregate);

/// Who listens.
#[derive(Debug, Default)]
pub struct Thinning {
    /// A `Mutex`: shards count sessions that begin and end, the task below looks; each holds it for nanoseconds.
    known: Mutex<Known>,
    /// Wakes the task when somebody begins to listen.
    came: Notify,
}

#[derive(Debug, Default)]
struct Known {
    /// Sessions, by kind of stream.
    listeners: BTreeMap<Kind, usize>,
    /// The place of the session that began to listen when nobody did.
    since: Offset,
}

/// One session listens to streams of one kind: it counts as long as this lives.
#[derive(Debug)]
pub struct Listening {
    kind: Kind,
    thinning: Arc<Thinning>,
}

impl Thinning {
    /// A session begins, at the place `at`, which holds these topics. It is counted for each kind of thinned stream
    /// among them; most have none, and cost a look at the beginning of each topic.
    pub fn attend<'a>(
        self: &Arc<Self>,
        topics: impl IntoIterator<Item = &'a Topic>,
        at: Offset,
    ) -> Vec<Listening> {
        let mut listening: Vec<Listening> = Vec::new();
        for kind in topics.into_iter().filter_map(|topic| thin::thinned(topic)) {
            if listening.iter().all(|known| known.kind != kind) {
                listening.push(self.listen(kind, at));
            }
        }
        listening
    }

    fn listen(self: &Arc<Self>, kind: Kind, at: Offset) -> Listening {
        let mut known = self.lock();
        if known.listeners.is_empty() {
            known.since = at;
        }
        *known.listeners.entry(kind).or_default() += 1;
        drop(known);
        self.came.notify_one();
        Listening { kind, thinning: self.clone() }
    }

    /// What is listened to, shorter intervals first, and the place of the session that was the first.
    fn listened(&self) -> (Vec<Kind>, Offset) {
        let known = self.lock();
        (known.listeners.keys().copied().collect(), known.since)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("nobody panics under this lock")
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut known = self.thinning.lock();
        if let Some(count) = known.listeners.get_mut(&self.kind) {
            *count -= 1;
            if *count == 0 {
                known.listeners.remove(&self.kind);
            }
        }
    }
}

/// Tells listeners what readings come to, until it is aborted.
pub async fn run(door: Arc<Door>) {
    let mut thinner: Option<Thinner> = None;
    loop {
        let (kinds, since) = door.thinning.listened();
        if kinds.is_empty() {
            thinner = None;
            door.thinning.came.notified().await;
            continue;
        }
        let thinner = thinner.get_or_insert_with(|| Thinner::from(since));
        thinner.listen(&kinds, door.clock.now());
        take_in(&door, thinner).await;
        let now = door.clock.now();
        thinner.close(now);
        let events = thinner.told();
        let count = events.len();
        if !door.feeds.pass(events) {
            tracing::warn!(count, "too far behind: some values of thinned streams are not told");
        }
        // Whoever comes meanwhile is heeded at once.
        let _ = timeout(thinner.pause(now), door.thinning.came.notified()).await;
    }
}

/// Takes in what was committed so far: from memory, or from the log what memory has no more.
async fn take_in(door: &Door, thinner: &mut Thinner) {
    let upto = door.recent.head();
    while thinner.at < upto {
        match door.recent.range(thinner.at, upto, ROWS_AT_ONCE) {
            Some(rows) => rows.iter().for_each(|row| thinner.take(&row.logged)),
            None => match logged(door, thinner.at, upto).await {
                Ok(Replayed { rows, upto }) => {
                    rows.iter().for_each(|row| thinner.take(row));
                    thinner.at = thinner.at.max(upto);
                }
                Err(fault) => {
                    tracing::warn!(%fault, "some readings are missing in thinned streams");
                    thinner.at = upto;
                }
            },
        }
        yield_now().await;
    }
}

/// Reads readings after a place from the log, a slice of them.
async fn logged(door: &Door, after: Offset, upto: Offset) -> Result<Replayed, Fault> {
    let (sender, read) = oneshot::channel();
    let job = move |tx: Result<&ReadTx<'_>, Fault>| {
        let wanted = Wanted { topics: [READINGS].into(), principal: None };
        let slice = |tx: &ReadTx<'_>| replay(tx, after, upto, &wanted, &ReplayLimits::SLICE);
        let _ = sender.send(tx.and_then(slice));
    };
    door.store.replay(Box::new(job)).map_err(|_| overloaded())?;
    read.await.map_err(|_| overloaded())?
}

/// What is known of the intervals that have begun. It is told the time, and rows in their order.
#[derive(Debug, Default)]
struct Thinner {
    /// The last row that was taken in.
    at: Offset,
    /// The interval that has begun, of each length that somebody listens to.
    begun: BTreeMap<Every, Begun>,
    /// What is to be told.
    told: Vec<Event>,
}

/// An interval that has begun.
#[derive(Debug)]
struct Begun {
    start: Micros,
    readings: Accumulator,
    /// What somebody wants to know of it.
    aggregates: Vec<Aggregate>,
}

impl Thinner {
    /// One that takes in what follows this place.
    fn from(at: Offset) -> Thinner {
        Thinner { at, ..Thinner::default() }
    }

    /// This is listened to at `now`. What is not any more is forgotten.
    fn listen(&mut self, kinds: &[Kind], now: Micros) {
        self.begun.values_mut().for_each(|begun| begun.aggregates.clear());
        for &(every, aggregate) in kinds {
            let begun = self.begun.entry(every).or_insert_with(|| Begun {
                start: every.start_of(now),
                readings: Accumulator::default(),
                aggregates: Vec::new(),
            });
            begun.aggregates.push(aggregate);
        }
        self.begun.retain(|_, begun| !begun.aggregates.is_empty());
    }

    /// Takes in the next row. One of a later interval ends the one before.
    fn take(&mut self, row: &Logged) {
        self.at = self.at.max(row.offset);
        let Some(reading) = row.event.as_ref().and_then(Reading::of) else { return };
        for (every, begun) in &mut self.begun {
            begun.end_before(*every, row.at, &mut self.told);
            begun.readings.take(&reading);
        }
    }

    /// Ends the intervals that are over.
    fn close(&mut self, now: Micros) {
        for (every, begun) in &mut self.begun {
            if now >= begun.start + every.micros() + SETTLE {
                begun.end_before(*every, now, &mut self.told);
            }
        }
    }

    /// What is to be told by now, in the order of intervals' ends.
    fn told(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.told)
    }

    /// How long after `now` something is to be done.
    fn pause(&self, now: Micros) -> Duration {
        let ends = self.begun.iter().map(|(every, begun)| begun.start + every.micros() + SETTLE);
        let next = ends.min().unwrap_or(Micros::MAX).saturating_sub(now);
        STEP.min(Duration::from_micros(next.max(0).unsigned_abs()))
    }
}

impl Begun {
    /// Ends the interval if `at` is after it, and begins the one that `at` is in.
    fn end_before(&mut self, every: Every, at: Micros, told: &mut Vec<Event>) {
        let start = every.start_of(at);
        if start > self.start {
            told.extend(self.readings.close(every, self.start, &self.aggregates));
            self.start = start;
        }
    }
}

#[cfg(test)]
mod tests;
