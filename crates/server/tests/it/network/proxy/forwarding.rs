//! The thread of a proxy: its loop, and the connections in it.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Read as _, Write as _},
    net::{Shutdown, SocketAddr},
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use mio::{
    Events, Interest, Poll, Token, Waker,
    net::{TcpListener, TcpStream},
};
use slab::Slab;
use socket2::SockRef;

use super::{Done, Order};
use crate::harness::Chance;
use crate::network::weather::{Fate, Weather, part};

const LISTENER: Token = Token(usize::MAX - 2);
const WAKER: Token = Token(usize::MAX - 3);
/// How much waits in one direction of a connection; then it is not read.
const WAITING_LEN_MAX: usize = 64 << 10;
/// How long a chunk waits for another connection's at most.
const HELD_MAX: Duration = Duration::from_millis(50);
/// How long a connection that was cut is read, so that its ends see no RST.
const LEAVING_MAX: Duration = Duration::from_secs(1);
/// How long the server may take to accept.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Everything that the thread has.
pub(super) struct Forwarding {
    poll: Poll,
    listener: TcpListener,
    to: SocketAddr,
    weather: Weather,
    seed: u64,
    /// New connections are dropped.
    shut: bool,
    orders: mpsc::Receiver<(Order, mpsc::Sender<()>)>,
    connections: Slab<Connection>,
    /// As the test reads it, once it was told.
    told: Arc<Mutex<Done>>,
    common: Common,
}

/// What connections have in common.
#[derive(Default)]
struct Common {
    done: Done,
    /// Until when no further chunk is held: if all were, each would wait for the others.
    held_until: Option<Instant>,
}

impl Forwarding {
    pub(super) fn new(
        to: SocketAddr,
        weather: Weather,
        seed: u64,
        orders: mpsc::Receiver<(Order, mpsc::Sender<()>)>,
        told: Arc<Mutex<Done>>,
    ) -> io::Result<(Forwarding, SocketAddr, Waker)> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let (address, connections) = (listener.local_addr()?, Slab::new());
        let (shut, common) = (false, Common::default());
        let forwarding = Forwarding {
            poll,
            listener,
            to,
            weather,
            seed,
            shut,
            orders,
            connections,
            told,
            common,
        };
        Ok((forwarding, address, waker))
    }

    /// Forwards until it is told to end.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(256);
        loop {
            let now = Instant::now();
            let due =
                self.connections.iter().filter_map(|(_, c)| c.due(now, self.common.done.chunks));
            let wait = due.min().map(|due| due.saturating_duration_since(now));
            match self.poll.poll(&mut events, wait) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => result.expect("sockets can be waited for"),
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(),
                    WAKER => {}
                    Token(token) => {
                        if let Some(connection) = self.connections.get_mut(token / 2) {
                            let leg = &mut connection.legs[token % 2];
                            leg.readable |= event.is_readable() || event.is_error();
                            leg.writable |= event.is_writable() || event.is_error();
                        }
                    }
                }
            }
            self.turn();
            while let Ok((order, heard)) = self.orders.try_recv() {
                let is_end = matches!(order, Order::End);
                self.obey(order);
                *self.told.lock().expect("nobody panics under this lock") = self.common.done;
                // Who ordered may have given up.
                let _ = heard.send(());
                if is_end {
                    return;
                }
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Cut | Order::End => {
                self.shut = true;
                self.common.done.cuts += self.connections.len() as u64;
                for connection in self.connections.drain() {
                    // Their other sides may have closed them.
                    for leg in &connection.legs {
                        let _ = leg.stream.shutdown(Shutdown::Both);
                    }
                }
            }
            Order::Count => {}
            Order::Mend => self.shut = false,
            Order::Silence => {
                for (_, connection) in &mut self.connections {
                    connection.fall_silent([true, true], &mut self.common.done);
                }
            }
            Order::Weather(weather) => self.weather = weather,
        }
    }

    fn accept(&mut self) {
        while let Ok((client, _)) = self.listener.accept() {
            if self.shut {
                continue;
            }
            // A server that is not there looks like a cut.
            let server = std::net::TcpStream::connect_timeout(&self.to, CONNECT_MAX);
            let Ok(server) = server else { continue };
            server.set_nonblocking(true).expect("a socket takes options");
            let entry = self.connections.vacant_entry();
            let key = entry.key();
            let mut connection = Connection::new(
                [client, TcpStream::from_std(server)],
                &self.weather,
                part(self.seed, self.common.done.connections),
            );
            for (side, leg) in connection.legs.iter_mut().enumerate() {
                leg.stream.set_nodelay(true).expect("a socket takes options");
                let interest = Interest::READABLE | Interest::WRITABLE;
                let token = Token(2 * key + side);
                let registry = self.poll.registry();
                registry.register(&mut leg.stream, token, interest).expect("it is watched");
            }
            entry.insert(connection);
            self.common.done.connections += 1;
        }
    }

    /// Takes and passes on what can be, everywhere.
    fn turn(&mut self) {
        let Forwarding { connections, common, .. } = self;
        let now = Instant::now();
        connections.retain(|_, connection| connection.turn(now, common));
    }
}

/// One end of a connection.
struct Leg {
    stream: TcpStream,
    /// Whether the next read or write may do something; epoll tells only changes.
    readable: bool,
    writable: bool,
}

/// One direction of a connection.
struct Pipe {
    chunks: VecDeque<Chunk>,
    waiting_len: usize,
    chance: Chance,
    /// How many bytes come before the one that is wrong.
    until_flip: Option<u64>,
    /// Whether the end of the stream was read, and whether it was passed on.
    ended: bool,
    shut: bool,
    silent: bool,
}

struct Chunk {
    bytes: Vec<u8>,
    due: Instant,
    /// The chunks of other connections after which it passes, and when it does without.
    behind: Option<(u64, Instant)>,
}

struct Connection {
    weather: Weather,
    /// Who connected, and the server. The pipe of a leg's number takes from it and passes to the other.
    legs: [Leg; 2],
    pipes: [Pipe; 2],
    /// Bytes that passed, and chunks.
    passed: u64,
    chunks: u64,
    fate: Option<(u64, Fate)>,
    /// It was cut: until when it is read.
    leaving: Option<Instant>,
}

impl Connection {
    fn new(streams: [TcpStream; 2], weather: &Weather, mut chance: Chance) -> Connection {
        let fate = weather.fate(&mut chance);
        let pipes = [0, 1].map(|direction| {
            let mut chance = part(chance.seed(), direction as u64);
            let until_flip = weather.until_flip(direction, &mut chance);
            let chunks = VecDeque::new();
            let (ended, shut, silent) = (false, false, false);
            Pipe { chunks, waiting_len: 0, chance, until_flip, ended, shut, silent }
        });
        let legs = streams.map(|stream| Leg { stream, readable: true, writable: true });
        Connection { weather: *weather, legs, pipes, passed: 0, chunks: 0, fate, leaving: None }
    }

    /// When there is something to do, unless a socket tells it.
    fn due(&self, now: Instant, all_chunks: u64) -> Option<Instant> {
        let others = all_chunks - self.chunks;
        let due = (0..2).filter_map(|from| {
            let chunk = self.pipes[from].chunks.front().filter(|_| self.legs[1 - from].writable)?;
            let waits = chunk.behind.filter(|(after, _)| others < *after);
            Some(waits.map_or(chunk.due, |(_, at_last)| at_last).max(now))
        });
        // One that was cut wakes the loop by its sockets, or at last.
        let may_take = (0..2).any(|from| self.legs[from].readable && self.pipes[from].has_room());
        self.leaving.or_else(|| if may_take { Some(now) } else { due.min() })
    }

    /// Does what can be done now; says whether it is there still.
    fn turn(&mut self, now: Instant, common: &mut Common) -> bool {
        if let Some(until) = self.leaving {
            let are_over = [0, 1].map(|side| self.legs[side].is_over());
            return now < until && are_over != [true; 2];
        }
        for direction in 0..2 {
            let went_on = self
                .take(direction, now, common)
                .and_then(|()| self.pass(direction, now, &mut common.done));
            if went_on.is_err() {
                self.reset();
                return false;
            }
        }
        match self.fate {
            Some((at, fate)) if self.passed >= at => self.meet(fate, now, &mut common.done),
            _ => !self.pipes.iter().all(|pipe| pipe.shut),
        }
    }

    /// Reads what is there, as chunks.
    fn take(&mut self, from: usize, now: Instant, common: &mut Common) -> io::Result<()> {
        let (leg, pipe) = (&mut self.legs[from], &mut self.pipes[from]);
        let others = common.done.chunks - self.chunks;
        let mut buffer = [0; 16 << 10];
        while leg.readable && pipe.has_room() {
            match leg.stream.read(&mut buffer) {
                Ok(0) => pipe.ended = true,
                Ok(len) => {
                    let bytes = &mut buffer[..len];
                    common.done.flips += pipe.flip(bytes, &self.weather, from);
                    pipe.waiting_len += len;
                    pipe.divide(bytes, &self.weather, now, others, common);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => leg.readable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Passes on what is due, to where its fate comes, and the end behind it.
    fn pass(&mut self, from: usize, now: Instant, done: &mut Done) -> io::Result<()> {
        let (pipe, leg) = (&mut self.pipes[from], &mut self.legs[1 - from]);
        while let Some(chunk) = pipe.chunks.front_mut() {
            let others = done.chunks - self.chunks;
            let waits = chunk.behind.is_some_and(|(after, until)| others < after && now < until);
            let left = self.fate.map_or(u64::MAX, |(at, _)| at.saturating_sub(self.passed));
            if waits || now < chunk.due || left == 0 || !leg.writable {
                return Ok(());
            }
            let len = chunk.bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let written = match leg.stream.write(&chunk.bytes[..len]) {
                Ok(written) => written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    leg.writable = false;
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            chunk.bytes.drain(..written);
            if chunk.bytes.is_empty() {
                pipe.chunks.pop_front();
            }
            pipe.waiting_len -= written;
            self.passed += written as u64;
            self.chunks += 1;
            done.chunks += 1;
            done.bytes += written as u64;
        }
        if pipe.ended && !pipe.shut && !pipe.silent {
            pipe.shut = true;
            // It may have been closed by its other side.
            let _ = leg.stream.shutdown(Shutdown::Write);
        }
        Ok(())
    }

    /// What was drawn for it happens; says whether it is there still.
    fn meet(&mut self, fate: Fate, now: Instant, done: &mut Done) -> bool {
        self.fate = None;
        match fate {
            Fate::Cut => {
                done.cuts += 1;
                for leg in &self.legs {
                    let _ = leg.stream.shutdown(Shutdown::Write);
                }
                self.leaving = Some(now + LEAVING_MAX);
            }
            Fate::Reset => {
                done.resets += 1;
                self.reset();
                return false;
            }
            Fate::Silent(directions) => self.fall_silent(directions, done),
        }
        true
    }

    /// Nothing passes any more in these directions.
    fn fall_silent(&mut self, directions: [bool; 2], done: &mut Done) {
        done.silences += 1;
        for (pipe, silent) in self.pipes.iter_mut().zip(directions) {
            pipe.silent |= silent;
            if silent {
                pipe.chunks.clear();
            }
        }
    }

    /// Has both ends told by RST when the sockets are closed.
    fn reset(&self) {
        for leg in &self.legs {
            SockRef::from(&leg.stream).set_linger(Some(Duration::ZERO)).expect("it takes options");
        }
    }
}

impl Leg {
    /// Throws away what came; says whether the end is there.
    fn is_over(&mut self) -> bool {
        let mut buffer = [0; 16 << 10];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != ErrorKind::WouldBlock,
            }
        }
    }
}

impl Pipe {
    /// Whether it is read.
    fn has_room(&self) -> bool {
        !self.ended && !self.silent && self.waiting_len < WAITING_LEN_MAX
    }

    /// Has a bit of some bytes wrong; says of how many.
    fn flip(&mut self, bytes: &mut [u8], weather: &Weather, direction: usize) -> u64 {
        let (mut at, mut flips) = (0, 0);
        while let Some(until) = self.until_flip {
            let left = (bytes.len() - at) as u64;
            if until >= left {
                self.until_flip = Some(until - left);
                break;
            }
            at += until as usize;
            bytes[at] ^= 1 << self.chance.below(8);
            at += 1;
            flips += 1;
            self.until_flip = weather.until_flip(direction, &mut self.chance);
        }
        flips
    }

    /// Divides what came into chunks, each with its time, and perhaps behind another connection's.
    fn divide(
        &mut self,
        bytes: &[u8],
        weather: &Weather,
        now: Instant,
        others: u64,
        common: &mut Common,
    ) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let len = match weather.chunk_max {
                0 => rest.len(),
                max => (1 + self.chance.below(max)).min(rest.len()),
            };
            let (chunk, behind) = rest.split_at(len);
            rest = behind;
            let late_ms = (weather.latency_ms + self.chance.below(weather.jitter_ms + 1)) as u64;
            let due = now + Duration::from_millis(late_ms);
            let is_drawn = self.chance.below(1_000) < weather.held;
            let is_held = is_drawn && common.held_until.is_none_or(|until| until <= now);
            let behind = is_held.then(|| (others + 1, due + HELD_MAX));
            if let Some((_, until)) = behind {
                common.held_until = Some(until);
                common.done.held += 1;
            }
            self.chunks.push_back(Chunk { bytes: chunk.to_vec(), due, behind });
        }
    }
}
