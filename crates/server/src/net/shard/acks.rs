//! Acknowledgements of clients, and what is said by effects: last words, and tokens that are handed out.

use bellwire_services::{
    acknowledgements::Reader,
    kit::{Claims, Code, Fault, Said, Words},
};
use bellwire_wire::frame;
use bellwire_wire::socketio::{self, Ack};

use super::Shard;
use crate::{
    door::Acknowledgement,
    faults,
    hub::{Last, LineId, SessionId},
    net::{
        engine::Goodbye,
        said,
        talk::{Mount, Stage, Talk},
    },
};

/// How long a client has to acknowledge why it is put out.
const GOODBYE_MAX_MS: u64 = 1_000;
/// How long the row of a revocation may take to come, after a read has seen it.
const REVOCATION_MAX_MS: u64 = 1_000;

impl Shard {
    /// A client acknowledges an event; on a conformance server, whatever it was asked.
    pub(super) fn acked(&mut self, line: LineId, ack: &Ack, now_ms: u64) {
        match self.seat(line, &ack.namespace).map(|seat| seat.session) {
            Some(None) => self.show_ack(line, ack),
            Some(Some(id)) => self.acknowledged(id, ack.id),
            None => self.hasten_goodbyes(line, &ack.namespace, Some(ack.id), now_ms),
        }
    }

    /// A client need not be waited for any more that is to be put out of a namespace: it has acknowledged why, or
    /// comes in again.
    pub(super) fn hasten_goodbyes(
        &mut self,
        line: LineId,
        namespace: &str,
        ack: Option<u64>,
        now_ms: u64,
    ) {
        let Some(engine) = self.engine(line) else { return };
        for goodbye in &mut engine.goodbyes {
            if goodbye.path == namespace && ack.is_none_or(|ack| ack == goodbye.ack) {
                goodbye.until_ms = now_ms;
            }
        }
        self.say_goodbyes(line, now_ms);
    }

    fn acknowledged(&mut self, id: SessionId, offset: u64) {
        let Some(settled) = self.hub.acknowledge(id, offset) else { return };
        let Some(readers) = self.readers(id) else { return };
        // Who began to listen later was not told what was missing before.
        let settles = self.talk(id).is_some_and(|talk| talk.settles);
        let settled = if settles { settled } else { 0 };
        self.acknowledged.push(Acknowledgement { readers, offset, settled });
    }

    /// As whom a session's principal acknowledges.
    fn readers(&self, id: SessionId) -> Option<Vec<Reader>> {
        let talk = self.talks.get(id.slot as usize)?.as_ref()?;
        let door = self.setup.door.as_ref()?;
        Some(door.tables.readers(&talk.principal.as_ref()?.id, talk.audience.streams))
    }

    /// Has written down what was acknowledged in this turn.
    pub(super) fn submit_acknowledged(&mut self) {
        if let (Some(door), false) = (&self.setup.door, self.acknowledged.is_empty()) {
            door.acknowledge(std::mem::take(&mut self.acknowledged));
        }
    }

    /// A session that acknowledges listens to something else.
    pub(super) fn begin_acknowledging(&mut self, id: SessionId) {
        let at = self.hub.told_upto(id);
        let readers = match self.talk(id).map(|talk| talk.shape) {
            Some(shape) if shape.asks() => self.readers(id),
            _ => None,
        };
        if let (Some(door), Some(readers)) = (&self.setup.door, readers) {
            door.begin_acknowledging(readers, at);
        }
        self.with_talk(id, |talk| talk.settles = false);
    }

    /// The credential of a session was revoked. Its client is told so, in the words of the effect if it has some,
    /// and put out of its namespace; a plain connection ends. Nobody comes back with that, so nobody is waited for.
    pub(super) fn revoked(&mut self, id: SessionId, last: Last, now_ms: u64) {
        self.with_talk(id, Talk::say_goodbye);
        let fault = Fault::new(Code::Unauthenticated, "token revoked");
        let Some(words) = last.words else { return self.end_session(id, &fault, now_ms) };
        let said = Said { event: words.event, payload: words.payload };
        self.setup.metrics.told(&said.event, 1);
        let Some(&mut Talk { line, mount, shape, ref principal, .. }) = self.talk(id) else {
            return;
        };
        match mount {
            // It is not there yet, and would not hear it.
            Mount::Namespace(_) if principal.is_none() => {
                self.refuse_session(id, &fault, now_ms);
            }
            Mount::Namespace(_) if shape.asks() => {
                self.disconnect_when_acknowledged(id, &said, last.offset, now_ms);
            }
            Mount::Namespace(_) => self.disconnect(id, &said, now_ms),
            Mount::Stream(_) => {
                let told = said::event_in(None, shape, &said, None);
                let (code, reason) = faults::close(fault.code);
                self.close(line, Some(told), code, reason, now_ms);
            }
        }
    }

    /// A read found that the credential of a session is no good any more. It ends, by the row that says so if there
    /// is one: that row has the words for it.
    pub(super) fn await_revocation(&mut self, id: SessionId, why: &Fault, now_ms: u64) {
        let wall = self.setup.clock.now();
        let Some(talk) = self.talk(id) else { return };
        let line = talk.line;
        let was_good = talk.principal.as_ref().is_some_and(|who| !who.is_expired(wall));
        match talk.stage {
            Stage::Revoked { .. } => {}
            Stage::Open | Stage::Opening if was_good => {
                let until_ms = now_ms + REVOCATION_MAX_MS;
                talk.stage = Stage::Revoked { until_ms };
                talk.calls = None;
                talk.forget_read();
                self.hub.suspend(id);
                self.schedule(line, until_ms);
            }
            _ => self.end_session(id, why, now_ms),
        }
    }

    /// Ends those of the sessions whose revocation did not come; says when to look again, if at all.
    pub(super) fn end_revoked(&mut self, sessions: &[SessionId], now_ms: u64) -> Option<u64> {
        let mut next_ms = None;
        for &id in sessions {
            match self.talk(id).map(|talk| talk.stage) {
                Some(Stage::Revoked { until_ms }) if until_ms <= now_ms => {
                    let why = Fault::new(Code::Unauthenticated, "token revoked");
                    self.with_talk(id, Talk::say_goodbye);
                    self.end_session(id, &why, now_ms);
                }
                Some(Stage::Revoked { until_ms }) => next_ms = next_ms.max(Some(until_ms)),
                _ => {}
            }
        }
        next_ms
    }

    fn disconnect_when_acknowledged(
        &mut self,
        id: SessionId,
        said: &Said,
        offset: u64,
        now_ms: u64,
    ) {
        let Some((line, path)) = self.put_out(id, now_ms) else { return };
        let event = self.setup.speller.cursor(offset);
        let Said { event: name, payload } = said;
        self.hub.say(line, socketio::request_frame(path, offset, name, payload, &event));
        let until_ms = now_ms + GOODBYE_MAX_MS;
        if let Some(engine) = self.engine(line) {
            engine.goodbyes.push(Goodbye { path, ack: offset, until_ms });
        }
        self.schedule(line, until_ms);
    }

    /// Puts a client out of the namespaces whose time has come; says when to look again, if at all.
    pub(super) fn say_goodbyes(&mut self, line: LineId, now_ms: u64) -> Option<u64> {
        let engine = self.engine(line)?;
        let (due, later): (Vec<Goodbye>, Vec<Goodbye>) =
            engine.goodbyes.iter().partition(|goodbye| goodbye.until_ms <= now_ms);
        let next_ms = later.iter().map(|goodbye| goodbye.until_ms).min();
        engine.goodbyes = later;
        for goodbye in &due {
            self.hub.say(line, frame::text(&socketio::disconnect(goodbye.path)));
        }
        if !due.is_empty() {
            self.parted(line, now_ms);
        }
        next_ms
    }

    /// A session is told something with a token in it.
    pub(super) fn hand(&mut self, id: SessionId, words: &Words, claims: &str) {
        let Some(door) = self.door() else { return };
        let Ok(claims) = serde_json::from_str::<Claims>(claims) else {
            return tracing::error!(event = %words.event, "what a token says cannot be read in the log");
        };
        let said = door.hand(words, &claims);
        self.setup.metrics.told(&said.event, 1);
        let cursor = self.setup.speller.cursor(self.hub.told_upto(id));
        let Some(talk) = self.talk(id) else { return };
        talk.handed = true;
        let (mount, shape) = (talk.mount, talk.shape);
        let frame = said::event_in(self.path(mount), shape, &said, Some(&cursor));
        self.hub.send(id, frame);
    }
}
