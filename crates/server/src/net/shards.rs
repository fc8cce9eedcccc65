//! The shards of a server: their ways in are made first, then what they serve, then they start;
//! they are drained last.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use bellwire_wire::frame::Limits;

use super::shard::{Arrival, Inlet, Load, Message, Setup, Shard};
use crate::{door::Door, metrics::Metrics, sequencer::Feed};

/// How long a drain may take before what is left is cut off.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// The threads of the shards.
pub struct Shards {
    threads: Vec<JoinHandle<()>>,
    ways: Arc<Ways>,
}

/// The ways into the shards.
pub struct Ways {
    ways: Vec<(Feed, Arc<Load>)>,
    /// Counts connections, to spread them. An atomic: every upgrade takes a number.
    turn: AtomicUsize,
}

/// The ways into shards that have not started, one per core.
///
/// # Errors
/// The system's, when it has no descriptor left.
pub fn inlets() -> io::Result<Vec<Inlet>> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    (0..cores).map(|_| Inlet::new()).collect()
}

/// What all shards have in common.
#[derive(Clone)]
pub struct Common {
    /// The door.
    pub door: Arc<Door>,
    /// The measures.
    pub metrics: Arc<Metrics>,
    /// Whether they serve the door's streams; a conformance server only echoes.
    pub serves: bool,
    /// Limits of inbound frames.
    pub limits: Limits,
    /// The most that waits for one socket, in bytes.
    pub outbox_len_max: usize,
}

impl Shards {
    /// Starts a thread for each inlet.
    ///
    /// # Errors
    /// The system's, when it has no thread left.
    pub fn start(inlets: Vec<Inlet>, common: &Common) -> io::Result<Shards> {
        let way = |inlet: &Inlet| (inlet.feed.clone(), inlet.load.clone());
        let ways = inlets.iter().map(way).collect();
        let start = |(number, inlet): (usize, Inlet)| {
            let Common { door, metrics, serves, limits, outbox_len_max } = common.clone();
            let setup = Setup {
                number: number as u16,
                clock: door.clock.clone(),
                recent: door.recent.clone(),
                speller: door.speller.clone(),
                door: serves.then_some(door),
                metrics,
                limits,
                outbox_len_max,
            };
            thread::Builder::new().name(format!("shard-{number}")).spawn(move || {
                if let Err(error) = Shard::new(setup, inlet).run() {
                    tracing::error!(%error, "a shard cannot wait for its sockets");
                    std::process::exit(1);
                }
            })
        };
        let threads = inlets.into_iter().enumerate().map(start).collect::<io::Result<_>>()?;
        Ok(Shards { threads, ways: Arc::new(Ways { ways, turn: AtomicUsize::new(0) }) })
    }

    /// The ways into them.
    pub fn ways(&self) -> Arc<Ways> {
        self.ways.clone()
    }

    /// Closes every session, spread over a second, and waits for the shards to end, within bounds.
    pub fn drain(self) {
        for (feed, _) in &self.ways.ways {
            feed.send(Message::Drain);
        }
        let (done, all_done) = mpsc::channel();
        thread::spawn(move || {
            for shard in self.threads {
                let _ = shard.join();
            }
            let _ = done.send(());
        });
        if all_done.recv_timeout(DRAIN_MAX).is_err() {
            tracing::warn!("some connections did not end in time and are cut off");
        }
    }
}

impl Ways {
    /// Gives a connection to the shard whose turn it is; one that has ended closes it.
    pub fn give(&self, arrival: Arrival) {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let (feed, _) = &self.ways[turn % self.ways.len()];
        feed.send(Message::Arrival(Box::new(arrival)));
    }

    /// How many sessions there are, and how many bytes wait for them.
    pub fn load(&self) -> (usize, usize) {
        let sum = |f: fn(&Load) -> &AtomicUsize| {
            self.ways.iter().map(|(_, load)| f(load).load(Ordering::Relaxed)).sum()
        };
        (sum(|load| &load.sessions), sum(|load| &load.queued))
    }
}
