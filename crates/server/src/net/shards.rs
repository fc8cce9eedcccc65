//! The shards of a server: their ways in are made first, then what they serve, then they start;
//! they are drained last.

use std::{
    io,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use bellwire_wire::frame::Limits;

use super::{
    engine::Timings,
    limits::ConnectionLimits,
    shard::{Inlet, Load, Message, Setup, Shard},
};
use crate::{door::Door, hub::outbox, metrics::Metrics, sequencer::Feed};

/// The threads of the shards.
pub struct Shards {
    threads: Vec<JoinHandle<()>>,
    handles: Arc<Handles>,
}

/// What the rest of the server holds of the shards: their ways in, and their loads.
pub struct Handles {
    shards: Vec<(Feed, Arc<Load>)>,
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
    /// How many connections to namespaces are let in; `None`: any number.
    pub connections: Option<Arc<ConnectionLimits>>,
    /// When Engine.IO sessions are due.
    pub engine: Timings,
    /// How exact timers are, in milliseconds.
    pub tick_ms: u64,
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
        let handle = |inlet: &Inlet| (inlet.feed.clone(), inlet.load.clone());
        let handles =
            Handles { shards: inlets.iter().map(handle).collect(), turn: AtomicUsize::new(0) };
        let own_len_max = outbox::OWN_LEN_MAX / inlets.len().max(1);
        let peers: Arc<[Feed]> = inlets.iter().map(|inlet| inlet.feed.clone()).collect();
        let start = |(number, inlet): (usize, Inlet)| {
            let Common {
                door,
                metrics,
                serves,
                connections,
                engine,
                tick_ms,
                limits,
                outbox_len_max,
            } = common.clone();
            let setup = Setup {
                number: number as u16,
                clock: door.clock.clone(),
                recent: door.recent.clone(),
                speller: door.speller.clone(),
                roots: door.tables.roots.clone(),
                door: serves.then_some(door),
                metrics,
                connections,
                engine,
                tick_ms,
                peers: peers.clone(),
                limits,
                outbox_len_max,
                own_len_max,
            };
            let thread = thread::Builder::new().name(format!("shard-{number}"));
            thread.spawn(move || run_or_exit(move || Shard::new(setup, inlet).run()))
        };
        let threads = inlets.into_iter().enumerate().map(start).collect::<io::Result<_>>()?;
        Ok(Shards { threads, handles: Arc::new(handles) })
    }

    /// What the rest of the server holds of them.
    pub fn handles(&self) -> Arc<Handles> {
        self.handles.clone()
    }

    /// Closes every session, spread over a second, and waits for the shards to end; after `time_max`
    /// what is left is cut off.
    pub fn drain(self, time_max: Duration) {
        for (feed, _) in &self.handles.shards {
            feed.send(Message::Drain(time_max.as_millis().try_into().unwrap_or(u64::MAX)));
        }
        let (done, all_done) = mpsc::channel();
        thread::spawn(move || {
            for shard in self.threads {
                let _ = shard.join();
            }
            let _ = done.send(());
        });
        if all_done.recv_timeout(time_max).is_err() {
            tracing::warn!("some connections did not end in time and are cut off");
        }
    }
}

/// A shard that is gone would leave its sessions, and every writer that waits for it, in silence.
/// The process ends instead; nothing acknowledged is lost by that, and its supervisor starts another.
fn run_or_exit(run: impl FnOnce() -> io::Result<()>) {
    match panic::catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(())) => return,
        Ok(Err(error)) => tracing::error!(%error, "a shard cannot wait for its sockets"),
        Err(_) => tracing::error!("a shard panicked"),
    }
    std::process::exit(1);
}

impl Handles {
    /// The shard whose turn it is to get a connection.
    pub fn turn(&self) -> u16 {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        (turn % self.shards.len()) as u16
    }

    /// Sends a message to a shard; says whether there is such a one. One that has ended drops it.
    pub fn send(&self, shard: u16, message: Message) -> bool {
        let shard = self.shards.get(usize::from(shard));
        shard.map(|(feed, _)| feed.send(message)).is_some()
    }

    /// How many sessions there are, and how many bytes wait for them.
    pub fn load(&self) -> (usize, usize) {
        let sum = |f: fn(&Load) -> &AtomicUsize| {
            self.shards.iter().map(|(_, load)| f(load).load(Ordering::Relaxed)).sum()
        };
        (sum(|load| &load.sessions), sum(|load| &load.queued))
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    const INSIDE: &str = "BELLWIRE_TEST_PANICKING_SHARD";

    #[test]
    fn a_shard_that_panics_takes_the_process_with_it() {
        if std::env::var_os(INSIDE).is_some() {
            super::run_or_exit(|| panic!("as the test wants it"));
            return;
        }
        // The same test in a process of its own, which is to end with 1 (a failing test ends with 101).
        let this = std::env::current_exe().expect("a test knows its program");
        let status = Command::new(this)
            .args(["--exact", "net::shards::tests::a_shard_that_panics_takes_the_process_with_it"])
            .env(INSIDE, "1")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert_eq!(status.expect("it runs").code(), Some(1));
    }
}
