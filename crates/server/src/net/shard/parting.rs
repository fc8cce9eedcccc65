//! How connections end in order: what came before a close still counts.
//!
//! A client may send a message and close right behind it; both may come in one read, and before
//! its rights were read. So our close frame waits until the calls before it are answered, five
//! seconds at most: then the wheel drops the connection.

use bellwire_services::kit::Fault;
use bellwire_wire::{
    engine,
    frame::{self, Opcode},
    session,
};
use bytes::Bytes;

use super::Shard;
use crate::{
    door::Door,
    faults,
    hub::{LineId, SessionId},
    net::{conn::Speech, sink::Sink, talk::Talk},
};

/// Whether a frame of the protocol's is its close frame.
pub(super) fn is_close(frame: &[u8]) -> bool {
    frame.first() == Some(&(0x80 | Opcode::Close as u8))
}

/// Whether our close frame, which repeats the peer's code, says that it meant to leave: 1000; or, on a plain connection,
/// none given, as when a page calls `close()`. A browser that goes away says 1001. A client of Socket.IO that leaves says
/// so in a packet; without a code it closes a connection that it takes for lost.
fn is_goodbye(frame: &[u8], is_plain: bool) -> bool {
    match frame.get(2..) {
        Some([0x03, 0xe8, ..]) => true,
        Some([]) => is_plain,
        _ => false,
    }
}

impl Shard {
    /// Begins to close a connection, with the code that the fault stands for (`None`: the server is
    /// draining); the client is told why first.
    pub(super) fn end(&mut self, line: LineId, why: Option<&Fault>, now_ms: u64) {
        let (code, reason) =
            why.map_or((1012, "service restart"), |fault| faults::close(fault.code));
        let id = self.talk_on(line).map(|talk| talk.id);
        let told = why.zip(id).and_then(|(fault, id)| self.error_frame(id, None, fault));
        self.close(line, told, code, reason, now_ms);
    }

    /// Begins to close a connection with this code; the frame `told` goes out before the close frame. To who
    /// polls, the packet `1` says it.
    pub(super) fn close(
        &mut self,
        line: LineId,
        told: Option<Bytes>,
        code: u16,
        reason: &str,
        now_ms: u64,
    ) {
        self.close_with(line, told, (code, reason), engine::CLOSE, now_ms);
    }

    /// The same with another packet for who polls.
    pub(super) fn close_with(
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
            if !self.is_heard(line) {
                self.drop_conn(line);
                return;
            }
            close = frame::text(packet);
            self.finishing.push(line);
        }
        self.hub.end(line, told.into_iter().chain([close]), now_ms);
        self.schedule(line, now_ms + session::CLOSE_WITHIN_MS);
        self.defer(line);
    }

    /// Whether somebody would hear the last words of a session that polls: a poll waits, or crosses the
    /// client's goodbye. Any other poll is told that there is no such session.
    fn is_heard(&mut self, line: LineId) -> bool {
        self.engine(line).is_some_and(|engine| engine.left)
            || self.hub.sink(line).and_then(Sink::poll).is_some_and(|poll| poll.is_polled())
    }

    /// The sessions of a connection get no answers any more.
    pub(super) fn stop_talks(&mut self, line: LineId) {
        for id in self.hub.sessions_on(line).collect::<Vec<_>>() {
            self.with_talk(id, Talk::stop);
        }
    }

    /// Shuts down the sockets of connections that are over, once everything was written.
    pub(super) fn finish(&mut self) {
        let Shard { finishing, hub, .. } = self;
        let mut over = Vec::new();
        finishing.retain(|&line| match hub.is_flushed(line) {
            false => true,
            true => match hub.sink(line) {
                Some(Sink::Socket(socket)) => !socket.finish(),
                Some(Sink::Poll(_)) => {
                    over.push(line);
                    false
                }
                None => false,
            },
        });
        over.into_iter().for_each(|line| self.drop_conn(line));
    }

    /// Closes, once the calls under way are answered. `done`: the peer's part is over, too.
    pub(super) fn part(&mut self, line: LineId, close: Option<Bytes>, done: bool, now_ms: u64) {
        let is_plain = self.conn(line).is_some_and(|conn| matches!(conn.speech, Speech::Plain(_)));
        if close.as_deref().is_some_and(|frame| is_goodbye(frame, is_plain)) {
            for id in self.hub.sessions_on(line).collect::<Vec<_>>() {
                self.with_talk(id, Talk::say_goodbye);
            }
        }
        let Some(conn) = self.conn(line) else { return };
        let farewell = conn.farewell.get_or_insert_default();
        farewell.close = farewell.close.take().or(close);
        farewell.done |= done;
        self.schedule(line, now_ms + session::CLOSE_WITHIN_MS);
        self.parted(line, now_ms);
    }

    /// Sends a close frame that waited, if nothing is left that it waits for.
    pub(super) fn parted(&mut self, line: LineId, now_ms: u64) {
        if self.conn(line).is_none_or(|conn| conn.farewell.is_none()) {
            return;
        }
        let talk = |id: SessionId| self.talks[id.slot as usize].as_ref();
        if self.hub.sessions_on(line).filter_map(talk).any(Talk::is_asking) {
            return;
        }
        self.stop_talks(line);
        let Some(conn) = self.conn(line) else { return };
        let Some(farewell) = conn.farewell.take() else { return };
        // There may be more to throw away, or the peer's end to be seen.
        conn.readable = true;
        self.hub.end(line, farewell.close, now_ms);
        if farewell.done {
            self.finishing.push(line);
        }
        self.defer(line);
    }

    /// Forgets a connection; its socket is closed with that.
    pub(super) fn drop_conn(&mut self, line: LineId) {
        for id in self.hub.sessions_on(line).collect::<Vec<_>>() {
            self.forget_talk(id, Door::leave);
        }
        if let Some(Sink::Socket(mut socket)) = self.hub.drop_line(line) {
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
