//! What clients' messages mean: calls, started in order, and their answers.

use std::sync::Arc;

use bellwire_services::kit::{Answer, Code, Fault, Payload, Principal};
use bellwire_wire::{
    frame,
    plain::{self, Id, Refused},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Message, Shard};
use crate::{
    audience::Audience,
    door::{Door, Kind, SubscribeCall, overloaded},
    hub::SessionId,
    net::{
        calls::{Calls, Start},
        conn::{Patience, Reading, Stage},
    },
    opening::{Credential, Opened},
    sequencer::{CallId, ReplyTo},
};

/// A message of a client, as it came.
#[derive(Debug)]
pub(super) enum Inbound {
    /// Text, to be read when its turn comes.
    Text(String),
    /// It is not text.
    Binary,
}

/// A text message, read as far as the protocol goes.
#[derive(Debug)]
enum Parsed {
    /// It names an operation.
    Call { name: String, id: Option<String>, payload: Payload },
    /// It names an operation, but a field is wrong.
    Refused { name: String, id: Option<String>, fault: Fault },
    /// It is no call at all.
    Error(Fault),
}

fn json(id: &Id) -> String {
    serde_json::to_string(id).expect("strings and numbers serialise")
}

impl Parsed {
    fn parse(text: &str) -> Parsed {
        let invalid = |message: String| Fault::new(Code::Invalid, message);
        match plain::parse(text) {
            Ok(message) => Parsed::Call {
                name: message.name,
                id: message.id.as_ref().map(json),
                payload: message.payload,
            },
            Err(Refused::Json) => Parsed::Error(invalid("Invalid JSON".into())),
            Err(Refused::Type) => Parsed::Error(invalid("Unknown message type".into())),
            Err(Refused::Id { name }) => Parsed::Refused {
                name,
                id: None,
                fault: invalid("id: an integer or a string to 128 bytes".into()),
            },
            Err(Refused::Number { name, id, field }) => Parsed::Refused {
                name,
                id: id.as_ref().map(json),
                fault: invalid(format!("{field}: a number that cannot be held")),
            },
        }
    }
}

/// The longest `timestamp` of a ping, in characters.
const PING_TIMESTAMP_CHARS_MAX: usize = 64;

/// The part of a ping that is given back.
#[derive(Deserialize)]
struct Ping<'a> {
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
}

/// Answers `ping`, which any plain endpoint does: `pong` with the same `timestamp`, if there is one, as it
/// is written in `text`.
fn pong(echo: Option<&str>, payload: &Payload, text: &str) -> Result<String, Fault> {
    if payload.get("timestamp").is_some_and(|value| !is_short(value)) {
        let why = "timestamp: a string or number of at most 64 characters";
        return Err(Fault::new(Code::Invalid, why));
    }
    let ping: Ping<'_> = serde_json::from_str(text).unwrap_or(Ping { timestamp: None });
    let timestamp =
        ping.timestamp.map_or_else(String::new, |value| format!(r#","timestamp":{}"#, value.get()));
    let echo = echo.map_or_else(String::new, |id| format!(r#","id":{id}"#));
    Ok(format!(r#"{{"type":"pong"{timestamp}{echo}}}"#))
}

fn is_short(timestamp: &serde_json::Value) -> bool {
    match timestamp {
        serde_json::Value::String(text) => text.chars().count() <= PING_TIMESTAMP_CHARS_MAX,
        other => other.is_number(),
    }
}

impl Shard {
    fn door(&self) -> Option<Arc<Door>> {
        self.setup.door.clone()
    }

    /// A frame of the connection's dialect that tells a fault which belongs to no operation; `echo`
    /// is the request's id, if it had one.
    pub(super) fn error_frame(
        &mut self,
        id: SessionId,
        echo: Option<&str>,
        fault: &Fault,
    ) -> Option<Bytes> {
        let door = self.door()?;
        let conn = self.conn(id)?;
        Some(frame::text(&(door.tables.streams[conn.stream as usize].dialect.error)(echo, fault)))
    }

    /// Takes messages in, in order.
    pub(super) fn serve(&mut self, id: SessionId, inbound: Vec<Inbound>, now_ms: u64) {
        for message in inbound {
            let Some(conn) = self.conn(id) else { return };
            if conn.stage == Stage::Ending {
                return;
            }
            if let Stage::FirstMessage { .. } = conn.stage {
                self.first_message(id, message, now_ms);
                continue;
            }
            match message {
                Inbound::Binary => {
                    let close = conn.wire.close(1003, "text messages only", now_ms);
                    self.part(id, close, false, now_ms);
                    break;
                }
                Inbound::Text(text) => {
                    self.calls(id, |calls| calls.push(text));
                }
            }
        }
        self.work(id, now_ms);
    }

    /// Reads a message whose turn has come; what can be answered at once is.
    fn read(&mut self, id: SessionId, number: u32, text: &str) {
        let (frame, refused) = match Parsed::parse(text) {
            Parsed::Call { name, id: echo, payload } if name == "ping" => {
                match pong(echo.as_deref(), &payload, text) {
                    Ok(text) => (Some(frame::text(&text)), false),
                    Err(fault) => (self.error_frame(id, echo.as_deref(), &fault), true),
                }
            }
            Parsed::Call { name, id: echo, payload } => {
                self.calls(id, |calls| calls.read(number, name, echo, payload));
                return;
            }
            Parsed::Refused { name, id: echo, fault } => {
                let Some(door) = self.door() else { return };
                let Some(conn) = self.conn(id) else { return };
                let stream = &door.tables.streams[conn.stream as usize];
                let frame = match door.tables.kind(stream.service, &name) {
                    Some(_) => {
                        let refusal = stream.dialect.refusal;
                        Some(frame::text(&refusal(&name, echo.as_deref(), &fault)))
                    }
                    None => self.error_frame(id, echo.as_deref(), &fault),
                };
                (frame, true)
            }
            Parsed::Error(fault) => (self.error_frame(id, None, &fault), true),
        };
        self.calls(id, |calls| calls.answer(number, frame, refused));
    }

    fn calls<T>(&mut self, id: SessionId, f: impl FnOnce(&mut Calls) -> T) -> Option<T> {
        Some(f(self.conn(id)?.calls.get_or_insert_default()))
    }

    /// `{"type":"auth","token":T}`, or the connection ends.
    fn first_message(&mut self, id: SessionId, message: Inbound, now_ms: u64) {
        let Some(door) = self.door() else { return };
        let asked = match message {
            Inbound::Text(text) => Some(Parsed::parse(&text)),
            Inbound::Binary => None,
        };
        let token = match &asked {
            Some(Parsed::Call { name, payload, .. }) if name == "auth" => {
                payload.get("token").and_then(|t| t.as_str())
            }
            _ => None,
        };
        let claims = token.and_then(|token| door.keyring.verify(token, self.setup.clock.now()));
        let reading = self.conn(id).and_then(|conn| conn.reading.take());
        match (claims, reading.map(|reading| *reading)) {
            (Some(claims), Some(Reading::FirstMessage { since })) => {
                self.with_conn(id, |conn| conn.stage = Stage::Opening);
                let credential = Credential::Token { jti: claims.jti };
                self.read_for(id, Reading::Connect { credential, since }, now_ms);
            }
            _ => {
                let fault = Fault::new(
                    Code::Unauthenticated,
                    "the first message must be auth with a valid token",
                );
                self.end(id, Some(&fault), now_ms);
            }
        }
    }

    /// Starts the read that a session needs to go live.
    pub(super) fn read_for(&mut self, id: SessionId, reading: Reading, now_ms: u64) {
        let Some(door) = self.door() else { return };
        let Some(conn) = self.conn(id) else { return };
        let audience = Audience { keys: conn.keys.clone(), ..Audience::of(conn.stream as usize) };
        let (cursor, principal) = (conn.cursor, conn.principal.clone());
        conn.reading = Some(Box::new(reading.clone()));
        conn.reads = conn.reads.wrapping_add(1);
        let read = conn.reads;
        let wanted = conn.awaited.insert(Arc::new(()));
        let wanted = Arc::downgrade(wanted);
        let feed = self.inlet.feed.clone();
        let answer = move |result| {
            feed.send(Message::Opened(id, read, Box::new(result)));
        };
        let queued = match (reading, principal) {
            (Reading::Connect { credential, since }, _) => {
                door.connect(credential, audience, since, wanted, answer)
            }
            (Reading::CatchUp { after }, Some(principal)) => {
                door.catch_up(principal, audience, after, wanted, answer)
            }
            (Reading::Subscribe { name, fields, id: echo, .. }, Some(principal)) => {
                let payload = serde_json::from_str(&fields).unwrap_or_default();
                let call = SubscribeCall { name: &name, payload, id: echo, cursor };
                door.subscribe(call, principal, audience, None, wanted, answer)
            }
            (Reading::FirstMessage { .. }, _) | (_, None) => Ok(()),
        };
        if let Err(fault) = queued {
            self.opened(id, read, Err(fault), now_ms);
        }
    }

    /// A read came back: the session goes live, continues as before, or ends.
    pub(super) fn opened(
        &mut self,
        id: SessionId,
        read: u32,
        result: Result<Opened, Fault>,
        now_ms: u64,
    ) {
        let Some(conn) = self.conn(id) else { return };
        if conn.stage == Stage::Ending || conn.reads != read {
            return;
        }
        let subscribing = match conn.reading.as_deref() {
            Some(Reading::Subscribe { call, .. }) => Some(*call),
            _ => None,
        };
        match result {
            Ok(opened) => {
                if let Some(reason) = opened.reset {
                    self.setup.metrics.reset(reason);
                }
                let principal = self.shared(opened.principal);
                let keys = opened.opening.keys.clone();
                if !self.hub.open(id, principal.clone(), opened.opening, now_ms) {
                    return; // It is read again, or ends.
                }
                let expires = principal.expires_at.is_some();
                self.with_conn(id, |conn| {
                    conn.keys = keys;
                    conn.principal = Some(principal);
                    conn.forget_read();
                    conn.stage = Stage::Open;
                });
                if expires {
                    self.schedule(id, now_ms + 1_000);
                }
                subscribing.map(|call| self.calls(id, |calls| calls.answer(call, None, false)));
                self.work(id, now_ms);
            }
            Err(fault) => match subscribing {
                Some(call) if fault.code != Code::Unauthenticated => {
                    conn.forget_read();
                    self.hub.resume(id, now_ms);
                    self.answer_call(id, call, Err(&fault));
                    self.work(id, now_ms);
                }
                _ => self.end(id, Some(&fault), now_ms),
            },
        }
    }

    /// The one copy of this principal that all its connections share.
    fn shared(&mut self, principal: Arc<Principal>) -> Arc<Principal> {
        let key = if principal.token.is_empty() { &principal.id } else { &principal.token };
        match self.principals.get(key) {
            Some(known) if **known == *principal => known.clone(),
            _ => {
                self.principals.insert(key.clone(), principal.clone());
                principal
            }
        }
    }

    /// Starts what may start, and sends the answers whose turn it is. While a connection is opening there
    /// are none: nothing is read, let alone answered, before it is known to whom.
    fn work(&mut self, id: SessionId, now_ms: u64) {
        let Some(door) = self.door() else { return };
        loop {
            self.send_answers(id, now_ms);
            let Some(conn) = self.conn(id) else { return };
            let Some(principal) = conn.principal.clone() else { return };
            if conn.stage != Stage::Open {
                return;
            }
            let Some(calls) = &mut conn.calls else { break };
            if let Some((number, text)) = calls.next_unread() {
                self.read(id, number, &text);
                continue;
            }
            let service = door.tables.streams[conn.stream as usize].service;
            let Some(start) = calls.start(|name| door.tables.kind(service, name)) else { break };
            self.start(id, start, principal, &door, now_ms);
        }
        // There may be room again for what waits to be read.
        if let Some(conn) = self.conn(id)
            && (conn.readable || conn.wire.has_unread())
        {
            self.defer(id);
        }
    }

    fn start(
        &mut self,
        id: SessionId,
        start: Start,
        principal: Arc<Principal>,
        door: &Arc<Door>,
        now_ms: u64,
    ) {
        let Start { number, name, kind, id: echo, payload } = start;
        let call = CallId { shard: self.setup.number, session: id, call: number };
        let started = match kind {
            Some(Kind::Command) => door
                .command(&name, payload, principal, ReplyTo::Call(call))
                .map(|write| self.writes.push(write)),
            Some(Kind::Query) => {
                let feed = self.inlet.feed.clone();
                let wanted = self.calls(id, |calls| calls.wanted()).unwrap_or_default();
                door.query(&name, payload, principal, wanted, move |answer| {
                    feed.send(Message::Answered(call, answer));
                })
            }
            Some(Kind::Subscription) => {
                self.hub.suspend(id);
                let fields = serde_json::Value::Object(payload).to_string();
                let reading = Reading::Subscribe { call: number, name, fields, id: echo };
                self.read_for(id, reading, now_ms);
                return;
            }
            None => {
                let fault = Fault::new(Code::Invalid, "Unknown message type");
                let frame = self.error_frame(id, echo.as_deref(), &fault);
                self.calls(id, |calls| calls.answer(number, frame, true));
                return;
            }
        };
        if let Err(fault) = started {
            self.answer_call(id, number, Err(&fault));
        }
    }

    /// Hands the commands of this turn to the writer, together.
    pub(super) fn submit(&mut self, now_ms: u64) {
        if self.writes.is_empty() {
            return;
        }
        let Some(door) = self.door() else { return };
        for rejected in door.store.write_all(std::mem::take(&mut self.writes)) {
            if let ReplyTo::Call(call) = rejected.to {
                self.answered(call, &Err(overloaded()), now_ms);
            }
        }
    }

    /// A command was committed or refused, or a query answered.
    pub(super) fn answered(&mut self, call: CallId, result: &Result<Answer, Fault>, now_ms: u64) {
        if matches!(result, Err(fault) if fault.code == Code::Unauthenticated) {
            self.end(call.session, result.as_ref().err(), now_ms);
            return;
        }
        self.answer_call(call.session, call.call, result.as_ref());
        self.work(call.session, now_ms);
    }

    /// Answers a call in the connection's dialect.
    fn answer_call(&mut self, id: SessionId, number: u32, result: Result<&Answer, &Fault>) {
        let Some(door) = self.door() else { return };
        let Some(conn) = self.conn(id) else { return };
        let dialect = door.tables.streams[conn.stream as usize].dialect;
        let Some(calls) = &mut conn.calls else { return };
        let Some(call) = calls.running(number) else { return };
        let echo = call.id.as_deref();
        let text = match result {
            Ok(answer) => (dialect.reply)(&call.name, echo, answer.json.get()),
            Err(fault) => (dialect.refusal)(&call.name, echo, fault),
        };
        calls.answer(number, Some(frame::text(&text)), result.is_err());
    }

    fn send_answers(&mut self, id: SessionId, now_ms: u64) {
        loop {
            let Some(conn) = self.conn(id) else { return };
            let Some(calls) = &mut conn.calls else { return };
            let Some((frame, refused)) = calls.next_answer() else { break };
            let patience = if refused { conn.refusals.count(now_ms) } else { Patience::Answer };
            if refused {
                self.setup.metrics.refusals.increment(1);
            }
            match (patience, frame) {
                (Patience::Answer, Some(frame)) => self.hub.send(id, frame),
                (Patience::Close, _) => {
                    self.close(id, None, 1008, "too many refused messages", now_ms)
                }
                _ => {}
            }
        }
        if let Some(conn) = self.conn(id)
            && conn.calls.as_ref().is_some_and(|calls| calls.is_empty())
        {
            conn.calls = None;
            self.parted(id, now_ms);
        }
    }
}
