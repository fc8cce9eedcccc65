//! What a conformance server does with Socket.IO: it greets, sends back what it is sent, and asks when told to.

use std::{collections::VecDeque, mem};

use bellwire_wire::{
    frame,
    socketio::{self, Ack, Event},
};
use bytes::Bytes;

use super::Shard;
use crate::{
    hub::LineId,
    net::engine::{Seat, Sid},
};

/// The namespaces where that is so.
pub(super) const NAMESPACES: [&str; 2] = ["/", "/custom"];
/// Greetings wait so long: suites read one packet at a time, and lose the second of two that come
/// together.
const GREETED_AFTER_MS: u64 = 5;

/// What is said to a client when its time has come.
pub(super) struct Greeting {
    at_ms: u64,
    line: LineId,
    frame: Bytes,
}

impl Shard {
    /// Lets a client in, whoever it is, and shows it what it showed.
    pub(super) fn greet(
        &mut self,
        line: LineId,
        namespace: usize,
        auth: Option<&str>,
        now_ms: u64,
    ) {
        let Some(engine) = self.engine(line) else { return };
        engine.seats.push(Seat { namespace: namespace as u8, session: None });
        engine.counted = None;
        let (path, sid) = (NAMESPACES[namespace], Sid::fresh(self.setup.number));
        self.hub.say(line, frame::text(&socketio::connect(path, sid.as_str(), None)));
        let frame = frame::text(&socketio::event(path, "auth", &[auth.unwrap_or("{}")]));
        self.greetings.push_back(Greeting { at_ms: now_ms + GREETED_AFTER_MS, line, frame });
    }

    /// Says the greetings whose time has come.
    pub(super) fn say_greetings(&mut self, now_ms: u64) {
        while self.greetings.front().is_some_and(|greeting| greeting.at_ms <= now_ms) {
            let Some(greeting) = self.greetings.pop_front() else { return };
            self.hub.say(greeting.line, greeting.frame);
        }
    }

    /// A client that says something already has read enough.
    fn greet_now(&mut self, line: LineId) {
        let (now, later) = mem::take(&mut self.greetings).into_iter().partition(|g| g.line == line);
        self.greetings = later;
        let now: VecDeque<Greeting> = now;
        now.into_iter().for_each(|greeting| self.hub.say(line, greeting.frame));
    }

    /// Sends an event back: `message` as `message-back`, `message-with-ack` as its acknowledgement,
    /// `emit-with-ack` as the same event, asking for an acknowledgement itself; it takes no bytes.
    pub(super) fn send_back(&mut self, line: LineId, event: &Event) {
        self.greet_now(line);
        let args: Vec<&str> = event.args.iter().map(String::as_str).collect();
        let count = event.attachments.len();
        let namespace = &event.namespace;
        let text = match (event.name.as_str(), event.ack) {
            ("message", _) if count == 0 => socketio::event(namespace, "message-back", &args),
            ("message", _) => socketio::binary_event(namespace, "message-back", &args, count),
            ("message-with-ack", Some(id)) if count == 0 => socketio::ack(namespace, id, &args),
            ("message-with-ack", Some(id)) => socketio::binary_ack(namespace, id, &args, count),
            // There is only one question, so any id will do.
            ("emit-with-ack", _) if count == 0 => {
                socketio::request(namespace, 0, "emit-with-ack", &args)
            }
            _ => return,
        };
        self.hub.say(line, whole(&text, &event.attachments));
    }

    /// Shows what an `emit-with-ack` was acknowledged with, as the event `acked`.
    pub(super) fn show_ack(&mut self, line: LineId, ack: &Ack) {
        let args: Vec<&str> = ack.args.iter().map(String::as_str).collect();
        let text = match ack.attachments.len() {
            0 => socketio::event(&ack.namespace, "acked", &args),
            count => socketio::binary_event(&ack.namespace, "acked", &args, count),
        };
        self.hub.say(line, whole(&text, &ack.attachments));
    }
}

/// A packet with its attachments, in one piece, so that nothing comes in between.
fn whole(text: &str, attachments: &[Bytes]) -> Bytes {
    let mut frames = frame::text(text).to_vec();
    for attachment in attachments {
        frames.extend_from_slice(&frame::encode(frame::Opcode::Binary, attachment));
    }
    Bytes::from(frames)
}
