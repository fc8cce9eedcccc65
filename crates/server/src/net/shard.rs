//! A shard: one thread, one epoll loop, its sockets, their protocol states, and their hub.
//!
//! The loop waits for sockets and messages, handles all that came, then writes: once per session.
//! What a session asks runs elsewhere (the writer, the readers) and comes back as a [`Message`].
//!
//! Here is the loop. Sockets are read in `read`; what messages mean is in `serve`, for Engine.IO and
//! Socket.IO in `engine`, `socketio` and `topics`; calls are started and answered in `work`. Sessions
//! begin in `live`, connections end in `parting`, and `time` is what heartbeats and deadlines ask for.

mod acks;
mod echo;
mod engine;
mod inlet;
mod live;
mod parting;
mod read;
mod serve;
mod socketio;
#[cfg(test)]
mod tests;
mod time;
mod topics;
mod work;

use std::{
    collections::{HashMap, VecDeque},
    io::{self, ErrorKind},
    mem,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bellwire_services::kit::{Answer, Principal};
use bellwire_store::batch::Write;
use bellwire_wire::frame::Limits;
use mio::{Events, Interest, Token};

use self::time::Drain;
use super::{
    conn::{Conn, Endpoint, Speech},
    engine::{Sid, Timings},
    limits::ConnectionLimits,
    sink::Sink,
    socket::Socket,
    talk::{Reading, Talk},
    wheel::Wheel,
};
use crate::{
    audience::Roots,
    clock::Clock,
    door::{Acknowledgement, Door},
    hub::{
        Hub, LineId, Need, SessionId,
        recent::{Recent, Speller},
    },
    memory,
    metrics::Metrics,
    sequencer::{Feed, Item, ReplyTo},
};

/// How often it is looked for whom much waits.
const HOARDS_INTERVAL_MS: u64 = 50;
/// The token of the waker; sockets have their slot's number.
const WAKER: Token = Token(usize::MAX);
/// How long sockets are read before what came from other threads gets its turn: who sends what is slow
/// to read must not hold up those who only listen.
const READING_MAX_MS: u64 = 10;
/// How many messages are handled before sockets get their turn.
const MESSAGES_AT_ONCE: usize = 256;

/// How a shard is set up.
pub struct Setup {
    /// Its number.
    pub number: u16,
    /// The door; none on a conformance server.
    pub door: Option<Arc<Door>>,
    /// How many connections to namespaces are let in; `None`: any number.
    pub connections: Option<Arc<ConnectionLimits>>,
    /// When Engine.IO sessions are due.
    pub engine: Timings,
    /// How exact timers are, in milliseconds.
    pub tick_ms: u64,
    /// The ways into all shards, by their numbers.
    pub peers: Arc<[Feed]>,
    /// The time.
    pub clock: Arc<Clock>,
    /// The measures.
    pub metrics: Arc<Metrics>,
    /// The newest rows of the log.
    pub recent: Arc<Recent>,
    /// Spells events.
    pub speller: Arc<Speller>,
    /// On which streams topics are heard.
    pub roots: Arc<Roots>,
    /// Limits of inbound frames.
    pub limits: Limits,
    /// The most that waits for one socket, in bytes.
    pub outbox_len_max: usize,
    /// The most that waits for all sockets of this shard and is in memory for one of them alone, in bytes.
    pub own_len_max: usize,
}

pub use engine::{Asks, Request};
pub use inlet::{Arrival, Inlet, Load, Message};

/// One shard.
pub struct Shard {
    setup: Setup,
    inlet: Inlet,
    hub: Hub<Sink>,
    /// Connections, by the slot of their line in the hub.
    conns: Vec<Option<Conn>>,
    /// Sessions, by their slot in the hub.
    talks: Vec<Option<Talk>>,
    /// Engine.IO sessions, by what their clients call them.
    sids: HashMap<Sid, LineId>,
    wheel: Wheel,
    /// The read buffer of all sockets.
    buffer: Box<[u8]>,
    /// Commands of this turn, on their way to the writer.
    writes: Vec<Write<Answer, ReplyTo>>,
    /// What clients acknowledged in this turn.
    acknowledged: Vec<Acknowledgement>,
    /// Sockets that have something to read, each once, in the order of their turns.
    deferred: VecDeque<LineId>,
    /// Connections that are to be shut down once flushed.
    finishing: Vec<LineId>,
    /// What a conformance server is still to say.
    greetings: VecDeque<echo::Greeting>,
    /// Principals by id, so that many connections of one share it.
    principals: HashMap<String, Arc<Principal>>,
    drain: Option<Drain>,
    /// When it was last looked for whom much waits.
    hoards_seen_ms: u64,
}

impl Shard {
    /// A shard without connections.
    pub fn new(setup: Setup, inlet: Inlet) -> Shard {
        let now = setup.clock.elapsed_ms() / setup.tick_ms;
        Shard {
            hub: Hub::new(
                setup.recent.clone(),
                setup.speller.clone(),
                setup.roots.clone(),
                setup.outbox_len_max,
            ),
            setup,
            inlet,
            conns: Vec::new(),
            talks: Vec::new(),
            sids: HashMap::new(),
            wheel: Wheel::new(now),
            buffer: vec![0; read::READ_LEN].into(),
            writes: Vec::new(),
            acknowledged: Vec::new(),
            deferred: VecDeque::new(),
            finishing: Vec::new(),
            greetings: VecDeque::new(),
            principals: HashMap::new(),
            drain: None,
            hoards_seen_ms: 0,
        }
    }

    /// Runs until it is drained.
    ///
    /// # Errors
    /// When waiting for sockets fails, which it does not on a healthy system.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.inlet.poll.poll(&mut events, self.timeout()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            }
            let now_ms = self.now_ms();
            for event in &events {
                if event.token() != WAKER {
                    self.ready(event, now_ms);
                }
            }
            let more = self.messages(now_ms);
            self.read_in_turn();
            self.submit(now_ms);
            self.hub.flush(now_ms);
            self.needs(now_ms);
            self.finish();
            self.ticks(now_ms);
            self.cut_hoarders(now_ms);
            self.account();
            if more {
                // There are further messages: come back at once.
                let _ = self.inlet.feed.waker.wake();
            }
            if self.drain.as_ref().is_some_and(Drain::is_done) && self.hub.is_empty() {
                // Nobody waits for a shard that has ended.
                self.inlet.feed.handled.store(u64::MAX, Ordering::Release);
                return Ok(());
            }
        }
    }

    fn now_ms(&self) -> u64 {
        self.setup.clock.elapsed_ms()
    }

    /// Until the next thing that time brings.
    fn timeout(&self) -> Option<Duration> {
        if !self.deferred.is_empty() || !self.writes.is_empty() {
            return Some(Duration::ZERO);
        }
        let now_ms = self.now_ms();
        let tick_ms = self.setup.tick_ms - now_ms % self.setup.tick_ms;
        let drain_ms =
            self.drain.as_ref().map_or(u64::MAX, |drain| drain.next_ms.saturating_sub(now_ms));
        (!self.hub.is_empty() || self.drain.is_some())
            .then(|| Duration::from_millis(tick_ms.min(drain_ms)))
    }

    /// A socket has something to read, or takes something.
    fn ready(&mut self, event: &mio::event::Event, now_ms: u64) {
        let Some(Some(conn)) = self.conns.get_mut(event.token().0) else { return };
        let line = conn.line;
        if event.is_error() {
            self.drop_conn(line);
            return;
        }
        if event.is_read_closed() {
            conn.peer_done = true;
        }
        if event.is_readable() || event.is_read_closed() {
            conn.readable = true;
            self.defer(line);
        }
        if event.is_writable() {
            self.hub.writable(line, now_ms);
        }
    }

    /// Lets a socket be read when its turn comes.
    fn defer(&mut self, line: LineId) {
        if let Some(conn) = self.conn(line)
            && !mem::replace(&mut conn.deferred, true)
        {
            self.deferred.push_back(line);
        }
    }

    /// Reads sockets, those that waited longest first, as long as there is time.
    fn read_in_turn(&mut self) {
        let until_ms = self.now_ms() + READING_MAX_MS;
        for _ in 0..self.deferred.len() {
            let Some(line) = self.deferred.pop_front() else { return };
            self.with_conn(line, |conn| conn.deferred = false);
            let now_ms = self.now_ms();
            self.pump(line, now_ms);
            if now_ms >= until_ms {
                return;
            }
        }
    }

    /// Handles what came from other threads; says whether there is more.
    fn messages(&mut self, now_ms: u64) -> bool {
        for _ in 0..MESSAGES_AT_ONCE {
            let Ok(message) = self.inlet.receiver.try_recv() else { return false };
            match message {
                Message::Batch(items) => {
                    self.batch(&items, now_ms);
                    self.inlet.feed.handled.fetch_add(1, Ordering::Release);
                }
                Message::Passing(events) => {
                    events.iter().for_each(|event| self.hub.pass(event));
                    self.count_told();
                    self.inlet.feed.handled.fetch_add(1, Ordering::Release);
                }
                Message::Arrival(arrival) => self.arrive(*arrival, now_ms),
                Message::Opened(id, read, result) => self.opened(id, read, *result, now_ms),
                Message::Recovered(id, read, result) => self.recovered(id, read, *result, now_ms),
                Message::Replaced(sid) => self.replaced(sid, now_ms),
                Message::Answered(call, result) => self.answered(call, &result, now_ms),
                Message::Request(request) => self.request(*request, now_ms),
                Message::Unpolled(sid) => self.unpolled(sid),
                Message::Drain(time_max_ms) => {
                    self.drain = Some(Drain::from(now_ms, self.hub.lines_len(), time_max_ms));
                }
            }
        }
        true
    }

    fn batch(&mut self, items: &[Item], now_ms: u64) {
        for item in items {
            match item {
                Item::Answer(call, result) if call.shard == self.setup.number => {
                    self.answered(*call, result, now_ms)
                }
                Item::Answer(..) => {}
                Item::Row(entry) => self.hub.publish(entry, now_ms),
            }
        }
        self.count_told();
    }

    fn count_told(&mut self) {
        for (event, frames) in self.hub.take_told() {
            self.setup.metrics.told(&event, frames);
        }
    }

    fn arrive(&mut self, arrival: Arrival, now_ms: u64) {
        let Arrival { socket, unread, endpoint } = arrival;
        let Some(line) = self.admit(socket, now_ms) else { return };
        match endpoint {
            Endpoint::Echo => {}
            Endpoint::Stream { tuning, since, style, admission } => {
                self.begin_plain(line, tuning, since, style, admission, now_ms);
            }
            Endpoint::Engine { handshake, counted } => {
                self.begin_on_socket(line, handshake, counted, now_ms);
            }
            Endpoint::Probe(sid) => self.begin_probe(line, sid, now_ms),
        }
        if !unread.is_empty() {
            self.receive(line, &mut unread.to_vec(), now_ms);
        }
        if self.drain.is_some() {
            self.end(line, None, now_ms);
        }
        self.pump(line, now_ms);
    }

    /// Takes a socket in, to be echoed; `None` if it cannot be registered with epoll.
    fn admit(&mut self, socket: Socket, now_ms: u64) -> Option<LineId> {
        self.wake_wheel(now_ms);
        let line = self.hub.line(Sink::Socket(socket));
        place(&mut self.conns, line.slot, Conn::new(line, Speech::Echo, now_ms));
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.inlet.poll.registry();
        let token = Token(line.slot as usize);
        let socket = self.hub.sink(line).and_then(Sink::socket);
        let registered = socket.map(|socket| registry.register(socket, token, interest));
        if !matches!(registered, Some(Ok(()))) {
            self.drop_conn(line);
            return None;
        }
        self.schedule(line, now_ms + 1_000);
        Some(line)
    }

    /// The wheel is not turned while nobody is on it.
    fn wake_wheel(&mut self, now_ms: u64) {
        if self.hub.is_empty() {
            self.wheel.skip_to(now_ms / self.setup.tick_ms);
        }
    }

    fn conn(&mut self, line: LineId) -> Option<&mut Conn> {
        self.conns.get_mut(line.slot as usize)?.as_mut().filter(|conn| conn.line == line)
    }

    fn conn_ref(&self, line: LineId) -> Option<&Conn> {
        self.conns.get(line.slot as usize)?.as_ref().filter(|conn| conn.line == line)
    }

    fn with_conn<T>(&mut self, line: LineId, f: impl FnOnce(&mut Conn) -> T) -> Option<T> {
        self.conn(line).map(f)
    }

    fn talk(&mut self, id: SessionId) -> Option<&mut Talk> {
        self.talks.get_mut(id.slot as usize)?.as_mut().filter(|talk| talk.id == id)
    }

    fn with_talk<T>(&mut self, id: SessionId, f: impl FnOnce(&mut Talk) -> T) -> Option<T> {
        self.talk(id).map(f)
    }

    /// The session that is served on a connection of the plain dialect.
    fn talk_on(&mut self, line: LineId) -> Option<&mut Talk> {
        match self.conn(line)?.speech {
            Speech::Plain(id) => self.talk(id),
            _ => None,
        }
    }

    /// Does what the hub asks for.
    fn needs(&mut self, now_ms: u64) {
        loop {
            let needs = self.hub.take_needs();
            if needs.is_empty() {
                return;
            }
            for need in needs {
                match need {
                    Need::CatchUp { session, after } => {
                        // Another read that is under way tells where it goes on.
                        if self.talk(session).is_some_and(|talk| talk.reading.is_none()) {
                            self.read_for(session, Reading::CatchUp { after }, now_ms);
                        }
                    }
                    Need::Reread(id) => {
                        if let Some(reading) = self.talk(id).and_then(|talk| talk.reading.take()) {
                            self.read_for(id, *reading, now_ms);
                        }
                    }
                    Need::Revoked(id, last) => self.revoked(id, last, now_ms),
                    Need::Hand { session, words, claims } => self.hand(session, &words, &claims),
                    Need::Slow(line) => {
                        self.setup.metrics.slow_readers.increment(1);
                        memory::much_is_freed();
                        self.close(line, None, 4408, "slow reader", now_ms);
                    }
                    Need::Gone(line) => self.drop_conn(line),
                }
            }
            self.hub.flush(now_ms);
        }
    }

    /// Looks now and then whether too much is kept for those who do not read.
    fn cut_hoarders(&mut self, now_ms: u64) {
        if now_ms >= self.hoards_seen_ms + HOARDS_INTERVAL_MS {
            self.hoards_seen_ms = now_ms;
            self.hub.cut_hoarders(self.setup.own_len_max, now_ms);
            self.needs(now_ms);
        }
    }

    /// Updates what is measured of this shard.
    fn account(&mut self) {
        self.inlet.load.sessions.store(self.hub.lines_len(), Ordering::Relaxed);
        self.setup.metrics.dropped.increment(self.hub.take_shed());
        self.inlet.load.queued.store(self.hub.queued_bytes(), Ordering::Relaxed);
    }
}

/// Puts something into a slot.
fn place<T>(slots: &mut Vec<Option<T>>, slot: u32, value: T) {
    let slot = slot as usize;
    if slots.len() <= slot {
        slots.resize_with(slot + 1, || None);
    }
    slots[slot] = Some(value);
}
