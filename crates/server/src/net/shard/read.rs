//! What comes from sockets: read while there is room for what it asks, and handed to the protocol.

use std::{
    io::{self, ErrorKind, Read},
    mem,
};

use bellwire_wire::{
    frame::{self, Flow},
    session::Action,
};

use super::{Shard, parting, serve};
use crate::{
    hub::LineId,
    net::{
        calls::{CALLS_MAX, UNREAD_LEN_MAX},
        conn::Speech,
        sink::Sink,
        talk::Talk,
    },
};

/// What one read takes from a socket, at most.
pub(super) const READ_LEN: usize = 64 << 10;
/// How many times one socket is read before others get their turn.
const READS_AT_ONCE: usize = 8;
/// How many sessions one connection has, those among them that are leaving; past it, it is not read.
const SESSIONS_MAX: usize = 32;

impl Shard {
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
    pub(super) fn pump(&mut self, line: LineId, now_ms: u64) {
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
            let read = self.hub.sink(line).and_then(Sink::socket).map(|socket| {
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
    pub(super) fn receive(&mut self, line: LineId, bytes: &mut [u8], now_ms: u64) {
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
}
