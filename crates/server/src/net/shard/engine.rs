//! Engine.IO: how sessions begin, over a socket or by polling, change from one to the other, and end.
//!
//! Both transports feed the same session and the same line: a poll is a sink like a socket
//! ([`Sink`]), and a request's packets wait for room as a socket's bytes do. To change the transport is to
//! put another sink in the place of the one before; what waits in the outbox goes out there.

use std::sync::Arc;

use bellwire_wire::{
    engine::{self, Item, PAYLOAD_LEN_MAX, Refusal, Violation},
    frame,
};
use mio::{Interest, Token};

use super::{Shard, place, socketio::EARLY};
use crate::{
    hub::LineId,
    net::{
        conn::{Conn, Speech},
        crowd::Counted,
        engine::{Engine, Handshake, PROBE_WITHIN_MS, Post, Protocol, Sid},
        sink::{Poll, Replies, Reply, Sink},
    },
};

/// What a request over HTTP asks of the shard that has, or will have, the session.
#[derive(Debug)]
pub enum Asks {
    /// A session that polls.
    Begin {
        /// What the request said.
        handshake: Arc<Handshake>,
        /// Counts it among those that are nowhere yet.
        counted: Option<Counted>,
    },
    /// Whether there is one, and how it is.
    Find(Sid),
    /// What there is to say to the client.
    Poll(Sid),
    /// That these packets are served.
    Post(Sid, Vec<Item>),
    /// That the session ends: its client sent what is no payload.
    Break(Sid),
}

/// A request over HTTP, and who waits for the answer.
#[derive(Debug)]
pub struct Request {
    /// What it asks.
    pub asks: Asks,
    /// Who waits.
    pub reply: Replies,
}

impl Shard {
    /// Serves a request; whoever it is of may be gone.
    pub(super) fn request(&mut self, request: Request, now_ms: u64) {
        let Request { asks, reply } = request;
        let sid = match asks {
            Asks::Begin { handshake, counted } => {
                let text = self.begin_polling(handshake, counted, now_ms);
                let _ = reply.send(Reply::Packets(text));
                return;
            }
            Asks::Find(sid) | Asks::Poll(sid) | Asks::Post(sid, _) | Asks::Break(sid) => sid,
        };
        let is_poll = matches!(asks, Asks::Poll(_));
        let line = self.sids.get(&sid).copied();
        // The poll that crosses its client's goodbye has its end, as one that waited has.
        let crosses = |line| is_poll && self.has_left(line) && !self.hub.is_flushed(line);
        let Some(line) = line.filter(|&line| self.is_open(line) || crosses(line)) else {
            let _ = reply.send(Reply::Refused(Refusal::UnknownSid));
            return;
        };
        self.hear_probe_first(line, now_ms);
        let polls = self.engine(line).is_some_and(|engine| engine.polls);
        let is_in = self.engine(line).is_some_and(|engine| engine.is_in());
        match asks {
            Asks::Find(_) => {
                let _ = reply.send(Reply::Found { polls, is_in });
            }
            _ if !polls => {
                let _ = reply.send(Reply::Refused(Refusal::BadRequest));
            }
            Asks::Poll(_) => self.poll(line, reply, now_ms),
            Asks::Post(_, items) => self.post(line, items, reply, now_ms),
            Asks::Break(_) | Asks::Begin { .. } => {
                let _ = reply.send(Reply::Refused(Refusal::BadRequest));
                self.violate(line, "not a payload", now_ms);
            }
        }
    }

    pub(super) fn is_open(&self, line: LineId) -> bool {
        self.conn_ref(line).is_some_and(|conn| conn.wire.is_open())
    }

    fn has_left(&self, line: LineId) -> bool {
        let left = |conn: &Conn| matches!(&conn.speech, Speech::Engine(engine) if engine.left);
        self.conn_ref(line).is_some_and(left)
    }

    pub(super) fn engine(&mut self, line: LineId) -> Option<&mut Engine> {
        match &mut self.conn(line)?.speech {
            Speech::Engine(engine) => Some(engine),
            _ => None,
        }
    }

    fn begin_polling(
        &mut self,
        handshake: Arc<Handshake>,
        counted: Option<Counted>,
        now_ms: u64,
    ) -> String {
        self.wake_wheel(now_ms);
        let line = self.hub.line(Sink::Poll(Poll::default()));
        let mut conn = Conn::new(line, Speech::Echo, now_ms);
        conn.readable = false;
        place(&mut self.conns, line.slot, conn);
        let sid = self.begin_engine(line, true, handshake, counted, now_ms);
        if self.drain.is_some() {
            self.end(line, None, now_ms);
        }
        engine::open(sid.as_str(), &["websocket"], &self.setup.engine.heartbeat, PAYLOAD_LEN_MAX)
    }

    /// Begins a session on a socket.
    pub(super) fn begin_on_socket(
        &mut self,
        line: LineId,
        handshake: Arc<Handshake>,
        counted: Option<Counted>,
        now_ms: u64,
    ) {
        let sid = self.begin_engine(line, false, handshake, counted, now_ms);
        let open = engine::open(sid.as_str(), &[], &self.setup.engine.heartbeat, PAYLOAD_LEN_MAX);
        self.hub.say(line, frame::text(&open));
    }

    fn begin_engine(
        &mut self,
        line: LineId,
        polls: bool,
        handshake: Arc<Handshake>,
        counted: Option<Counted>,
        now_ms: u64,
    ) -> Sid {
        let sid = Sid::fresh(self.setup.number);
        let lobby_until_ms = match handshake.protocol {
            Protocol::SocketIo => now_ms + self.setup.engine.connect_within_ms,
            Protocol::Echo => u64::MAX,
        };
        let engine = Engine::new(sid, polls, handshake, counted, lobby_until_ms, now_ms);
        self.sids.insert(sid, line);
        self.with_conn(line, |conn| conn.speech = Speech::Engine(Box::new(engine)));
        self.schedule(line, now_ms + 1);
        sid
    }

    /// A poll waits for something to say. Two at once are one too many: neither end could tell the order
    /// of their answers.
    fn poll(&mut self, line: LineId, reply: Replies, now_ms: u64) {
        let Some(poll) = self.hub.sink(line).and_then(Sink::poll) else { return };
        if poll.is_polled() {
            let _ = reply.send(Reply::Refused(Refusal::BadRequest));
            self.violate(line, "two polls at once", now_ms);
            return;
        }
        poll.wait(reply);
        self.hub.writable(line, now_ms);
        self.hurry(line);
    }

    /// A client that changed its transport just before it asked has done so.
    fn hear_probe_first(&mut self, line: LineId, now_ms: u64) {
        if let Some(probe) = self.engine(line).and_then(|engine| engine.probe) {
            self.with_conn(probe, |conn| conn.readable = true);
            self.pump(probe, now_ms);
        }
    }

    /// While the client changes its transport, a poll does not wait: the client does, for its end.
    fn hurry(&mut self, line: LineId) {
        if self.engine(line).is_some_and(|engine| engine.probe.is_some()) {
            self.say_noop(line);
        }
    }

    fn say_noop(&mut self, line: LineId) {
        if let Some(poll) = self.hub.sink(line).and_then(Sink::poll) {
            poll.answer(Reply::Packets(engine::NOOP.to_owned()));
        }
    }

    /// The connection of a poll ended before there was anything to say.
    pub(super) fn unpolled(&mut self, sid: Sid) {
        if let Some(&line) = self.sids.get(&sid)
            && let Some(poll) = self.hub.sink(line).and_then(Sink::poll)
            && poll.is_abandoned()
        {
            self.drop_conn(line);
        }
    }

    /// A request brought packets: they are served as there is room, then it is answered.
    fn post(&mut self, line: LineId, items: Vec<Item>, reply: Replies, now_ms: u64) {
        let Some(engine) = self.engine(line) else { return };
        if engine.post.is_some() {
            let _ = reply.send(Reply::Refused(Refusal::BadRequest));
            self.violate(line, "two requests at once", now_ms);
            return;
        }
        engine.post = Some(Box::new(Post { items: items.into(), reply }));
        self.pump(line, now_ms);
    }

    /// Serves the next packet of a request, if there is one; its last packet answers it.
    pub(super) fn next_posted(&mut self, line: LineId, now_ms: u64) -> bool {
        let Some(engine) = self.engine(line) else { return false };
        let Some(post) = &mut engine.post else { return false };
        if let Some(item) = post.items.pop_front() {
            self.setup.metrics.messages.increment(1);
            self.hear(line, item, now_ms);
        }
        if let Some(engine) = self.engine(line)
            && let Some(post) = engine.post.take_if(|post| post.items.is_empty())
        {
            let _ = post.reply.send(Reply::Taken);
        }
        true
    }

    /// Takes in what the client said, over either transport.
    pub(super) fn hear(&mut self, line: LineId, item: Item, now_ms: u64) {
        let Some(engine) = self.engine(line) else { return };
        engine.heartbeat.heard(now_ms);
        let echoes = engine.handshake.protocol == Protocol::Echo;
        let heard = match item {
            Item::Binary(bytes) if echoes => {
                self.hub.say(line, frame::encode(frame::Opcode::Binary, &bytes));
                Ok(())
            }
            Item::Binary(bytes) => {
                let decoded = engine.decoder.binary(&bytes);
                decoded.map(|packet| self.packet(line, packet, now_ms))
            }
            Item::Text(text) => self.hear_text(line, &text, echoes, now_ms),
        };
        if let Err(violation) = heard {
            self.violate(line, violation.reason, now_ms);
        }
    }

    fn hear_text(
        &mut self,
        line: LineId,
        text: &str,
        echoes: bool,
        now_ms: u64,
    ) -> Result<(), Violation> {
        match engine::parse(text)? {
            engine::Packet::Message(_) if echoes => self.hub.say(line, frame::text(text)),
            engine::Packet::Message(message) => {
                let Some(engine) = self.engine(line) else { return Ok(()) };
                let packet = engine.decoder.text(message, now_ms)?;
                let awaits_in = engine.decoder.awaits_in().map(str::to_owned);
                if awaits_in.is_some_and(|namespace| !self.may_cross(line, &namespace)) {
                    // Attachments take memory, which nobody has who was not let in.
                    return Err(Violation { reason: EARLY });
                }
                self.packet(line, packet, now_ms);
                if let Some(deadline_ms) = self.engine(line).and_then(|e| e.deadline_ms()) {
                    self.schedule(line, deadline_ms);
                }
            }
            engine::Packet::Close => self.leave(line, now_ms),
            engine::Packet::Open(_) | engine::Packet::Ping(_) => {
                self.violate(line, "a packet that only servers send", now_ms);
            }
            engine::Packet::Pong(_) | engine::Packet::Upgrade | engine::Packet::Noop => {}
        }
        Ok(())
    }

    /// The client says that it goes.
    fn leave(&mut self, line: LineId, now_ms: u64) {
        self.engine(line).into_iter().for_each(|engine| engine.left = true);
        self.close_with(line, None, (1000, ""), engine::NOOP, now_ms);
    }

    /// Ends a connection whose client breaks the protocol.
    pub(super) fn violate(&mut self, line: LineId, reason: &'static str, now_ms: u64) {
        self.close(line, None, 1002, reason, now_ms);
    }

    /// A second connection of a session that polls: it may become its transport.
    pub(super) fn begin_probe(&mut self, line: LineId, sid: Sid, now_ms: u64) {
        let main = self.sids.get(&sid).copied().filter(|&main| self.is_open(main));
        let free = main.filter(|&main| {
            self.engine(main).is_some_and(|engine| engine.polls && engine.probe.is_none())
        });
        let Some(main) = free else {
            self.close(line, None, 1008, "the session has its transport", now_ms);
            return;
        };
        if let Some(engine) = self.engine(main) {
            engine.probe = Some(line);
        }
        let until_ms = now_ms + PROBE_WITHIN_MS;
        self.with_conn(line, |conn| conn.speech = Speech::Probe { of: main, until_ms });
        self.schedule(line, until_ms);
    }

    /// A message on such a connection: `2probe`, then `5`.
    pub(super) fn hear_probe(&mut self, line: LineId, main: LineId, text: &str, now_ms: u64) {
        if !self.is_open(main) {
            self.drop_conn(line);
            return;
        }
        match engine::parse(text) {
            Ok(engine::Packet::Ping("probe")) => {
                self.hub.say(line, frame::text(engine::PROBED));
                self.say_noop(main);
            }
            Ok(engine::Packet::Upgrade) if text.len() == 1 => {
                self.change_transport(line, main, now_ms)
            }
            _ => self.close(line, None, 1002, "not a probe", now_ms),
        }
    }

    /// The session goes on over the socket of another line.
    fn change_transport(&mut self, line: LineId, main: LineId, now_ms: u64) {
        self.say_noop(main);
        self.hub.flush(now_ms);
        let Some(conn) = self.conns[line.slot as usize].take() else { return };
        let Some(Sink::Socket(mut socket)) = self.hub.drop_line(line) else { return };
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.inlet.poll.registry();
        let moved = registry.reregister(&mut socket, Token(main.slot as usize), interest);
        if let Some(sink) = self.hub.sink(main) {
            *sink = Sink::Socket(socket);
        }
        self.with_conn(main, |main| {
            main.wire = conn.wire;
            main.readable = true;
            main.peer_done = conn.peer_done;
        });
        if let Some(engine) = self.engine(main) {
            engine.polls = false;
            engine.probe = None;
            engine.heartbeat.heard(now_ms);
        }
        if moved.is_err() {
            self.drop_conn(main);
            return;
        }
        self.hub.writable(main, now_ms);
        self.defer(main);
    }
}
