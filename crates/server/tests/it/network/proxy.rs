//! What stands between clients and a server, and can fail as networks do.
//!
//! One thread forwards everything. It waits for its sockets, for what is due and for the test, and for nothing else:
//! so it can be ended at once, and what a connection does depends on nothing but the seed and its bytes.

mod forwarding;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, mpsc},
    thread::{self, JoinHandle},
};

use mio::Waker;

use self::forwarding::Forwarding;
use super::weather::Weather;
use crate::harness::DEADLINE;

/// What a proxy has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Connections that were forwarded.
    pub connections: u64,
    /// Bytes that were passed on.
    pub bytes: u64,
    /// Writes by which they were.
    pub chunks: u64,
    /// Chunks that waited until another connection's had passed.
    pub held: u64,
    /// Connections that were cut, those that the test cut among them.
    pub cuts: u64,
    /// Connections that were reset.
    pub resets: u64,
    /// Connections that went silent.
    pub silences: u64,
    /// Bytes in which a bit was changed.
    pub flips: u64,
}

/// What the test wants of the thread.
#[derive(Debug)]
enum Order {
    /// Drop all connections, and those that come.
    Cut,
    /// Take new connections again.
    Mend,
    /// Nothing passes any more on the connections that there are.
    Silence,
    /// This is the weather of connections from now on.
    Weather(Weather),
    /// Tell what was done.
    Count,
    /// Drop all connections and end.
    End,
}

/// Forwards connections to one address, until it is dropped.
pub struct Proxy {
    address: SocketAddr,
    seed: u64,
    weather: Weather,
    orders: mpsc::Sender<(Order, mpsc::Sender<()>)>,
    waker: Waker,
    /// A `Mutex`: the thread counts, the test reads.
    done: Arc<Mutex<Done>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// A proxy before this address.
    pub fn to(server: SocketAddr, weather: Weather, seed: u64) -> Proxy {
        let done = Arc::new(Mutex::new(Done::default()));
        let (orders, taken) = mpsc::channel();
        let (forwarding, address, waker) =
            Forwarding::new(server, weather, seed, taken, done.clone()).expect("a port is free");
        let thread = Some(thread::spawn(|| forwarding.run()));
        Proxy { address, seed, weather, orders, waker, done, thread }
    }

    /// A proxy that passes everything on, until it is told otherwise.
    pub fn calm(server: SocketAddr) -> Proxy {
        Proxy::to(server, Weather::CALM, 0)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has done so far.
    pub fn done(&self) -> Done {
        self.order(Order::Count);
        *self.done.lock().expect("nobody panics under this lock")
    }

    /// Drops all connections, and from now on each new one.
    pub fn cut(&self) {
        self.order(Order::Cut);
    }

    /// Takes new connections again.
    pub fn mend(&self) {
        self.order(Order::Mend);
    }

    /// Nothing passes any more on the connections that there are, nor does their end.
    pub fn silence(&self) {
        self.order(Order::Silence);
    }

    /// New connections are in this weather from now on.
    pub fn becomes(&mut self, weather: Weather) {
        self.weather = weather;
        self.order(Order::Weather(weather));
    }

    /// It is done when this returns.
    fn order(&self, order: Order) {
        let (tell, told) = mpsc::channel();
        // A thread that is gone has panicked, which its end tells.
        if self.orders.send((order, tell)).is_ok() && self.waker.wake().is_ok() {
            let _ = told.recv_timeout(DEADLINE);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.order(Order::End);
        let ended = self.thread.take().map_or(Ok(()), JoinHandle::join);
        let is_failure = thread::panicking();
        if is_failure || ended.is_err() {
            eprintln!("seed {} in {:?}: {:?}", self.seed, self.weather, self.done());
        }
        assert!(is_failure || ended.is_ok(), "the proxy has panicked");
    }
}
