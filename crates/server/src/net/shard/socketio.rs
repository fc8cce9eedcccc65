//! Socket.IO: namespaces, events and their answers.

use bellwire_wire::{
    frame,
    socketio::{self, Event, Packet},
};
use bytes::Bytes;

use super::Shard;
use crate::{
    hub::LineId,
    net::engine::{Seat, Sid},
};

/// The namespaces of a conformance server, which sends back what it is sent.
const ECHOING: [&str; 2] = ["/", "/custom"];

impl Shard {
    /// Serves a packet, if it is whole.
    pub(super) fn packet(&mut self, line: LineId, packet: Option<Packet>, now_ms: u64) {
        match packet {
            None => {}
            Some(Packet::Connect { namespace, auth }) => {
                self.enter(line, &namespace, auth, now_ms);
            }
            Some(Packet::Disconnect { namespace }) => self.go(line, &namespace, now_ms),
            Some(Packet::Event(event)) => self.event(line, event, now_ms),
            Some(Packet::Ack(_)) => {}
        }
    }

    fn seat(&mut self, line: LineId, namespace: &str) -> Option<Seat> {
        let number = ECHOING.iter().position(|name| *name == namespace)?;
        let seats = &self.engine(line)?.seats;
        seats.iter().copied().find(|seat| usize::from(seat.namespace) == number)
    }

    fn enter(&mut self, line: LineId, namespace: &str, auth: Option<String>, now_ms: u64) {
        let Some(number) = ECHOING.iter().position(|name| *name == namespace) else {
            let refused = socketio::connect_error(namespace, "Invalid namespace", None);
            self.hub.say(line, frame::text(&refused));
            return;
        };
        if self.seat(line, namespace).is_some() {
            self.violate(line, "already in this namespace", now_ms);
            return;
        }
        let Some(engine) = self.engine(line) else { return };
        engine.seats.push(Seat { namespace: number as u8, session: None });
        engine.counted = None;
        let sid = Sid::fresh(self.setup.number);
        let auth = auth.as_deref().unwrap_or("{}");
        self.hub.say(line, frame::text(&socketio::connect(namespace, sid.as_str(), None)));
        self.hub.say(line, frame::text(&socketio::event(namespace, "auth", &[auth])));
    }

    fn go(&mut self, line: LineId, namespace: &str, now_ms: u64) {
        let Some(seat) = self.seat(line, namespace) else { return };
        let connect_within_ms = self.setup.engine.connect_within_ms;
        let Some(engine) = self.engine(line) else { return };
        engine.seats.retain(|other| other.namespace != seat.namespace);
        engine.lobby_until_ms = now_ms + connect_within_ms;
        self.schedule(line, now_ms + connect_within_ms);
    }

    fn event(&mut self, line: LineId, event: Event, now_ms: u64) {
        match self.seat(line, &event.namespace) {
            None => self.violate(line, "an event before its namespace", now_ms),
            Some(_) => self.send_back(line, &event),
        }
    }

    /// What a conformance server does with an event.
    fn send_back(&mut self, line: LineId, event: &Event) {
        let args: Vec<&str> = event.args.iter().map(String::as_str).collect();
        let count = event.attachments.len();
        let namespace = &event.namespace;
        let text = match (event.name.as_str(), event.ack) {
            ("message", _) if count == 0 => socketio::event(namespace, "message-back", &args),
            ("message", _) => socketio::binary_event(namespace, "message-back", &args, count),
            ("message-with-ack", Some(id)) if count == 0 => socketio::ack(namespace, id, &args),
            ("message-with-ack", Some(id)) => socketio::binary_ack(namespace, id, &args, count),
            _ => return,
        };
        let mut frames = frame::text(&text).to_vec();
        for attachment in &event.attachments {
            frames.extend_from_slice(&frame::encode(frame::Opcode::Binary, attachment));
        }
        // In one piece, so that nothing comes in between.
        self.hub.say(line, Bytes::from(frames));
    }
}
