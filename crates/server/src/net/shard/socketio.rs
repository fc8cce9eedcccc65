//! Socket.IO: namespaces, events and their answers.

use bellwire_wire::{
    frame,
    socketio::{self, Ack, Event, Packet},
};

use super::{Shard, echo};
use crate::{hub::LineId, net::engine::Seat};

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
            Some(Packet::Ack(ack)) => self.acked(line, &ack),
        }
    }

    fn seat(&mut self, line: LineId, namespace: &str) -> Option<Seat> {
        let number = echo::NAMESPACES.iter().position(|name| *name == namespace)?;
        let seats = &self.engine(line)?.seats;
        seats.iter().copied().find(|seat| usize::from(seat.namespace) == number)
    }

    fn enter(&mut self, line: LineId, namespace: &str, auth: Option<String>, now_ms: u64) {
        let Some(number) = echo::NAMESPACES.iter().position(|name| *name == namespace) else {
            let refused = socketio::connect_error(namespace, "Invalid namespace", None);
            self.hub.say(line, frame::text(&refused));
            return;
        };
        if self.seat(line, namespace).is_some() {
            self.violate(line, "already in this namespace", now_ms);
            return;
        }
        self.greet(line, number, auth.as_deref(), now_ms);
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

    fn acked(&mut self, line: LineId, ack: &Ack) {
        // It may have been under way while the namespace was left.
        if self.seat(line, &ack.namespace).is_some() {
            self.show_ack(line, ack);
        }
    }
}
