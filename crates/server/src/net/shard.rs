//! A shard: one thread, one epoll loop, its sockets, their protocol states, and their hub.
//!
//! The loop waits for sockets and messages, handles all that came, then writes: once per session.
//! What a session asks runs elsewhere (the writer, the readers) and comes back as a [`Message`].
//!
//! `shard` is the loop and the sockets; what messages of clients mean is in `serve`, how
//! connections end in order in `parting`, what time asks for in `time`.

mod echo;
mod engine;
mod live;
mod parting;
mod serve;
mod socketio;
#[cfg(test)]
mod tests;
mod time;
mod topics;
mod work;

use std::{
    collections::{HashMap, VecDeque},
    io::{self, ErrorKind, Read},
    mem,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use bellwire_services::kit::{Answer, Code, Fault, Principal};
use bellwire_store::batch::Write;
use bellwire_wire::{
    frame::{self, Flow, Limits},
    session::{self, Action},
};
use bytes::Bytes;
use mio::{Events, Interest, Poll, Token, Waker};

use self::time::Drain;
use super::{
    calls::{CALLS_MAX, UNREAD_LEN_MAX},
    conn::{Conn, Endpoint, Speech},
    engine::{Rules, Sid},
    limits::ConnectionLimits,
    socket::Socket,
    talk::{Reading, Talk},
    way::Way,
    wheel::Wheel,
};
use crate::{
    clock::Clock,
    door::{Door, Recovered},
    faults,
    hub::{
        Hub, LineId, Need, SessionId,
        recent::{Recent, Speller},
    },
    metrics::Metrics,
    opening::Opened,
    sequencer::{CallId, Feed, Item, ReplyTo},
};

/// The token of the waker; sockets have their slot's number.
const WAKER: Token = Token(usize::MAX);
/// What one read takes from a socket, at most.
const READ_LEN: usize = 64 << 10;
/// How many times one socket is read before others get their turn.
const READS_AT_ONCE: usize = 8;
/// How long sockets are read before what came from other threads gets its turn: who sends what is slow
/// to read must not hold up those who only listen.
const READING_MAX_MS: u64 = 10;
/// How many sessions one connection has, those among them that are leaving; past it, it is not read.
const SESSIONS_MAX: usize = 32;
/// How many messages are handled before sockets get their turn.
const MESSAGES_AT_ONCE: usize = 256;

/// What comes to a shard from other threads.
#[derive(Debug)]
pub enum Message {
    /// A committed batch: its answers and rows, for all shards.
    Batch(Arc<[Item]>),
    /// A connection that was upgraded.
    Arrival(Box<Arrival>),
    /// What was read for a session that is going live, by the number of the read.
    Opened(SessionId, u32, Box<Result<Opened, Fault>>),
    /// What was read and written for a connection that may be recovered: its own id, and the result.
    Recovered(SessionId, u32, Box<(String, Result<Recovered, Fault>)>),
    /// Another connection goes on with what this one had.
    Replaced(Sid),
    /// A query was answered.
    Answered(CallId, Result<Answer, Fault>),
    /// A request of an Engine.IO session over HTTP.
    Request(Box<Request>),
    /// The connection of a poll of this session ended.
    Unpolled(Sid),
    /// Close everything, a portion at a time, and end; so many milliseconds may pass.
    Drain(u64),
}

/// A connection that was upgraded to WebSocket.
#[derive(Debug)]
pub struct Arrival {
    /// The socket.
    pub socket: Socket,
    /// What came after the request's head already, decrypted.
    pub unread: Bytes,
    /// What it is for.
    pub endpoint: Endpoint,
}

/// How a shard is set up.
pub struct Setup {
    /// Its number.
    pub number: u16,
    /// The door; none on a conformance server, which only echoes.
    pub door: Option<Arc<Door>>,
    /// How many Socket.IO connections are admitted; `None`: any number.
    pub admitted: Option<Arc<ConnectionLimits>>,
    /// What Engine.IO sessions keep to.
    pub engine: Rules,
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
    /// Limits of inbound frames.
    pub limits: Limits,
    /// The most that waits for one socket, in bytes.
    pub outbox_len_max: usize,
}

/// A shard's way in, made before the shard itself.
pub struct Inlet {
    poll: Poll,
    receiver: mpsc::Receiver<Message>,
    /// The sending half.
    pub feed: Feed,
    /// How many sessions there are, and how many bytes wait for them. Atomics: written by the shard,
    /// read for metrics.
    pub load: Arc<Load>,
}

/// A shard's load.
#[derive(Debug, Default)]
pub struct Load {
    /// Live sessions.
    pub sessions: AtomicUsize,
    /// Bytes that wait for sockets.
    pub queued: AtomicUsize,
}

impl Inlet {
    /// A way in.
    ///
    /// # Errors
    /// The system's, when it has no descriptor left.
    pub fn new() -> io::Result<Inlet> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (sender, receiver) = mpsc::channel();
        let feed = Feed { sender, waker, handled: Arc::default() };
        Ok(Inlet { poll, receiver, feed, load: Arc::default() })
    }
}

pub use engine::{Asks, Request};

/// One shard.
pub struct Shard {
    setup: Setup,
    inlet: Inlet,
    hub: Hub<Way>,
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
    /// Sockets that have something to read, each once, in the order of their turns.
    deferred: VecDeque<LineId>,
    /// Connections that are to be shut down once flushed.
    finishing: Vec<LineId>,
    /// What a conformance server is still to say.
    greetings: VecDeque<echo::Greeting>,
    /// Principals by id, so that many connections of one share it.
    principals: HashMap<String, Arc<Principal>>,
    drain: Option<Drain>,
}

impl Shard {
    /// A shard without connections.
    pub fn new(setup: Setup, inlet: Inlet) -> Shard {
        let now = setup.clock.elapsed_ms() / setup.engine.tick_ms;
        Shard {
            hub: Hub::new(setup.recent.clone(), setup.speller.clone(), setup.outbox_len_max),
            setup,
            inlet,
            conns: Vec::new(),
            talks: Vec::new(),
            sids: HashMap::new(),
            wheel: Wheel::new(now),
            buffer: vec![0; READ_LEN].into(),
            writes: Vec::new(),
            deferred: VecDeque::new(),
            finishing: Vec::new(),
            greetings: VecDeque::new(),
            principals: HashMap::new(),
            drain: None,
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
        let tick_ms = self.setup.engine.tick_ms - now_ms % self.setup.engine.tick_ms;
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
                Item::Row(entry) => self.hub.publish(entry),
            }
        }
        self.setup.metrics.events_told.increment(self.hub.take_told());
    }

    fn arrive(&mut self, arrival: Arrival, now_ms: u64) {
        let Arrival { socket, unread, endpoint } = arrival;
        let Some(line) = self.admit(socket, now_ms) else { return };
        match endpoint {
            Endpoint::Echo => {}
            Endpoint::Stream { stream, since, admission } => {
                self.begin_plain(line, stream, since, admission, now_ms);
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
        let line = self.hub.line(Way::Socket(socket));
        place(&mut self.conns, line.slot, Conn::new(line, Speech::Echo, now_ms));
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.inlet.poll.registry();
        let token = Token(line.slot as usize);
        let socket = self.hub.sink(line).and_then(Way::socket);
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
            self.wheel.skip_to(now_ms / self.setup.engine.tick_ms);
        }
    }

    fn conn(&mut self, line: LineId) -> Option<&mut Conn> {
        self.conns.get_mut(line.slot as usize)?.as_mut().filter(|conn| conn.line == line)
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

    /// How many more calls, and how many bytes of them, there is room for in each session of a
    /// connection.
    fn room(&self, line: LineId) -> (usize, usize) {
        if self.hub.sessions_on(line).nth(SESSIONS_MAX).is_some() {
            return (0, 0);
        }
        let sessions = self.hub.sessions_on(line);
        let rooms = sessions.filter_map(|id| self.talks[id.slot as usize].as_ref()).map(Talk::room);
        rooms.fold((CALLS_MAX, UNREAD_LEN_MAX), |a, b| (a.0.min(b.0), a.1.min(b.1)))
    }

    /// Reads a socket while it has something, there is room for calls, and its turn lasts.
    fn pump(&mut self, line: LineId, now_ms: u64) {
        for reads in 0..READS_AT_ONCE {
            if reads > 0 && self.now_ms() > now_ms {
                break;
            }
            if self.conn(line).is_none() {
                return;
            }
            let (room, room_len) = self.room(line);
            let Some(conn) = self.conn(line) else { return };
            if conn.wire.is_open() {
                if room == 0 || room_len == 0 {
                    return;
                }
                if self.next_posted(line, now_ms) {
                    continue;
                }
            }
            let Some(conn) = self.conn(line) else { return };
            if conn.wire.has_unread() {
                self.receive(line, &mut [], now_ms);
                continue;
            }
            if !conn.readable {
                return;
            }
            let mut buffer = mem::take(&mut self.buffer);
            let (mut more, mut holds_back) = (false, false);
            let read = self.hub.sink(line).and_then(Way::socket).map(|socket| {
                let read = socket.read(&mut buffer);
                more = read.as_ref().is_ok_and(|&len| socket.may_have_more(len, buffer.len()));
                holds_back = socket.holds_back();
                read
            });
            let go_on = self.was_read(line, read, more, &mut buffer, now_ms);
            self.buffer = buffer;
            if holds_back {
                // What TLS says by itself goes out when the socket takes it.
                self.hub.writable(line, now_ms);
            }
            if !go_on {
                return;
            }
        }
        self.defer(line);
    }

    /// Takes in what a read of a socket gave, which may have `more`; says whether to go on reading it.
    fn was_read(
        &mut self,
        line: LineId,
        read: Option<io::Result<usize>>,
        more: bool,
        buffer: &mut [u8],
        now_ms: u64,
    ) -> bool {
        match read {
            Some(Ok(0)) if self.conn(line).is_some_and(|conn| conn.farewell.is_some()) => {
                // It sends no more, in good order; its last calls are still to be answered.
                self.with_conn(line, |conn| conn.readable = false);
            }
            Some(Ok(0)) | None => self.drop_conn(line),
            Some(Ok(len)) => {
                // If there is no more, what comes later is announced anew.
                self.with_conn(line, |conn| conn.readable = more || conn.peer_done);
                self.receive(line, &mut buffer[..len], now_ms);
                return true;
            }
            Some(Err(error)) if error.kind() == ErrorKind::WouldBlock => {
                self.with_conn(line, |conn| conn.readable = false);
            }
            Some(Err(error)) if error.kind() == ErrorKind::Interrupted => return true,
            Some(Err(_)) => self.drop_conn(line),
        }
        false
    }

    /// Hands bytes to the protocol, and what they mean on.
    fn receive(&mut self, line: LineId, bytes: &mut [u8], now_ms: u64) {
        if self.conn(line).is_none() {
            return;
        }
        let (mut room, mut room_len) = self.room(line);
        let one = self.talk_on(line).is_some_and(|talk| talk.is_to_identify());
        let Shard { conns, hub, setup, .. } = self;
        let Some(Some(conn)) = conns.get_mut(line.slot as usize) else { return };
        let echoes = matches!(conn.speech, Speech::Echo);
        // What follows on a connection that changes is another's.
        let one = one || matches!(conn.speech, Speech::Probe { .. });
        let mut inbound = Vec::new();
        let (mut close, mut closed) = (None, false);
        conn.wire.receive(&setup.limits, bytes, now_ms, &mut |action| {
            match action {
                Action::Text(text) if echoes => hub.say(line, frame::text(text)),
                Action::Binary(bytes) if echoes => {
                    hub.say(line, frame::encode(frame::Opcode::Binary, bytes));
                }
                Action::Text(text) => {
                    inbound.push(serve::Inbound::Text(text.to_owned()));
                    room -= 1;
                    room_len = room_len.saturating_sub(text.len());
                }
                Action::Binary(bytes) => {
                    inbound.push(serve::Inbound::Binary(bytes.to_vec()));
                    room -= 1;
                    room_len = room_len.saturating_sub(bytes.len());
                }
                Action::Reply(frame) if parting::is_close(&frame) => close = Some(frame),
                Action::Reply(frame) => hub.say(line, frame),
                Action::Closed => closed = true,
            }
            let first = !inbound.is_empty() && one;
            if room == 0 || room_len == 0 || first { Flow::Pause } else { Flow::Continue }
        });
        if !inbound.is_empty() {
            self.setup.metrics.messages.increment(inbound.len() as u64);
            self.serve(line, inbound, now_ms);
        }
        if closed {
            self.part(line, close, true, now_ms);
        }
    }

    /// Begins to close a connection, with the code that the fault stands for (`None`: the server is
    /// draining); the client is told why first.
    fn end(&mut self, line: LineId, why: Option<&Fault>, now_ms: u64) {
        let (code, reason) =
            why.map_or((1012, "service restart"), |fault| faults::close(fault.code));
        let id = self.talk_on(line).map(|talk| talk.id);
        let told = why.zip(id).and_then(|(fault, id)| self.error_frame(id, None, fault));
        self.close(line, told, code, reason, now_ms);
    }

    /// Begins to close a connection with this code; the frame `told` goes out before the close frame. To who
    /// polls, the packet `1` says it.
    fn close(&mut self, line: LineId, told: Option<Bytes>, code: u16, reason: &str, now_ms: u64) {
        self.close_with(line, told, (code, reason), "1", now_ms);
    }

    /// The same with another packet for who polls.
    fn close_with(
        &mut self,
        line: LineId,
        told: Option<Bytes>,
        (code, reason): (u16, &str),
        packet: &str,
        now_ms: u64,
    ) {
        let Some(conn) = self.conn(line) else { return };
        let close = conn.wire.close(code, reason, now_ms);
        self.stop_talks(line);
        let Some(mut close) = close else {
            // A close frame is out, or waits for answers: it waits no longer.
            self.parted(line, now_ms);
            return;
        };
        if self.engine(line).is_some_and(|engine| engine.polls) {
            close = frame::text(packet);
            self.finishing.push(line);
        }
        self.hub.end(line, told.into_iter().chain([close]), now_ms);
        self.schedule(line, now_ms + session::CLOSE_WITHIN_MS);
        self.defer(line);
    }

    /// The sessions of a connection get no answers any more.
    fn stop_talks(&mut self, line: LineId) {
        for id in self.hub.sessions_on(line).collect::<Vec<_>>() {
            self.with_talk(id, Talk::stop);
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
                        self.read_for(session, Reading::CatchUp { after }, now_ms)
                    }
                    Need::Reread(id) => {
                        if let Some(reading) = self.talk(id).and_then(|talk| talk.reading.take()) {
                            self.read_for(id, *reading, now_ms);
                        }
                    }
                    Need::Revoked(id) => {
                        let fault = Fault::new(Code::Unauthenticated, "token revoked");
                        self.end_session(id, &fault, now_ms);
                    }
                    Need::Slow(line) => {
                        self.setup.metrics.slow_readers.increment(1);
                        self.close(line, None, 4408, "slow reader", now_ms);
                    }
                    Need::Gone(line) => self.drop_conn(line),
                }
            }
        }
    }

    /// Shuts down the sockets of connections that are over, once everything was written. A session that polled
    /// and does not poll now has nowhere to write to, as its polls are refused from now on.
    fn finish(&mut self) {
        let Shard { finishing, hub, conns, .. } = self;
        let mut over = Vec::new();
        finishing.retain(|&line| {
            let is_flushed = hub.is_flushed(line);
            match hub.sink(line) {
                Some(Way::Socket(socket)) => !is_flushed || !socket.finish(),
                Some(Way::Poll(poll))
                    if is_flushed || !poll.is_polled() && !has_left(conns, line) =>
                {
                    over.push(line);
                    false
                }
                Some(Way::Poll(_)) => true,
                None => false,
            }
        });
        over.into_iter().for_each(|line| self.drop_conn(line));
    }

    /// Updates this shard's load, for metrics.
    fn account(&self) {
        self.inlet.load.sessions.store(self.hub.lines_len(), Ordering::Relaxed);
        self.inlet.load.queued.store(self.hub.queued_bytes(), Ordering::Relaxed);
    }

    /// A session's connection is gone: it may be recovered, if that was asked for.
    fn leave_talk(&mut self, id: SessionId) {
        let Some(talk) = self.talk(id) else { return };
        let (line, pid) = (talk.line, talk.listening.take().and_then(|listening| listening.pid));
        self.talks[id.slot as usize] = None;
        let sid = self.engine(line).map(|engine| engine.sid);
        if let (Some(door), Some(pid), Some(sid)) = (&self.setup.door, pid, sid) {
            door.leave(pid, sid.as_str().to_owned());
        }
    }

    /// Forgets a connection; its socket is closed with that.
    fn drop_conn(&mut self, line: LineId) {
        for id in self.hub.sessions_on(line).collect::<Vec<_>>() {
            self.leave_talk(id);
        }
        if let Some(Way::Socket(mut socket)) = self.hub.drop_line(line) {
            socket.part();
            let _ = self.inlet.poll.registry().deregister(&mut socket);
        }
        if self.conn(line).is_none() {
            return;
        }
        match self.conns[line.slot as usize].take().map(|conn| conn.speech) {
            Some(Speech::Engine(engine)) => {
                self.sids.remove(&engine.sid);
                engine.probe.into_iter().for_each(|probe| self.drop_conn(probe));
            }
            Some(Speech::Probe { of, .. }) => {
                self.engine(of).into_iter().for_each(|engine| engine.probe = None);
            }
            _ => {}
        }
    }
}

/// Whether the client of this connection said that it goes: then a poll may still cross that.
fn has_left(conns: &[Option<Conn>], line: LineId) -> bool {
    let conn = conns.get(line.slot as usize).and_then(Option::as_ref);
    conn.is_some_and(|conn| matches!(&conn.speech, Speech::Engine(engine) if engine.left))
}

/// Puts something into a slot.
fn place<T>(slots: &mut Vec<Option<T>>, slot: u32, value: T) {
    let slot = slot as usize;
    if slots.len() <= slot {
        slots.resize_with(slot + 1, || None);
    }
    slots[slot] = Some(value);
}
