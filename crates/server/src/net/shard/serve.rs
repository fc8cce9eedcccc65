//! What clients' messages mean, as far as the protocol goes.

use bellwire_services::kit::{Code, Fault, Payload};
use bellwire_wire::{
    engine::Item,
    frame,
    plain::{self, Id, Refused},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Shard;
use crate::{
    hub::{LineId, SessionId},
    net::{
        calls::Unread,
        conn::Speech,
        said::{Asked, Words},
        talk::{Reading, Stage},
    },
    opening::Credential,
};

/// A message of a client, as it came.
#[derive(Debug)]
pub(super) enum Inbound {
    /// Text, to be read when its turn comes.
    Text(String),
    /// It is not text.
    Binary(Vec<u8>),
}

/// A text message, read as far as the protocol goes.
#[derive(Debug)]
enum Parsed {
    /// It names an operation.
    Call { name: String, id: Option<String>, payload: Payload },
    /// It names an operation, but a field is wrong.
    Refused { name: String, id: Option<String>, fault: Fault },
    /// It names an operation, but the number in a field cannot be held.
    Unheld { name: String, id: Option<String>, field: String },
    /// It is no call at all.
    Error(Fault),
}

/// The finer name of what is no JSON object.
const INVALID_JSON: &str = "INVALID_JSON";
/// The finer name of what means nothing where it came.
pub(super) const UNKNOWN_TYPE: &str = "UNKNOWN_TYPE";

fn json(id: &Id) -> String {
    serde_json::to_string(id).expect("strings and numbers serialise")
}

impl Parsed {
    fn parse(text: &str) -> Parsed {
        Parsed::of(plain::parse(text))
    }

    /// An event of Socket.IO, whose argument has the fields.
    fn event(name: String, argument: Result<String, &'static str>, is_bare: bool) -> Parsed {
        let refused = |name, words| Parsed::Refused {
            name,
            id: None,
            fault: Fault::new(Code::Invalid, words).named(INVALID_JSON),
        };
        let argument = match is_bare {
            true => argument.map(|argument| format!(r#"{{"data":{argument}}}"#)),
            false => argument,
        };
        match argument {
            Ok(argument) => match plain::call(name.clone(), &argument) {
                Err(Refused::Json) if argument.trim_start().starts_with('{') => {
                    refused(name, "Invalid JSON")
                }
                Err(Refused::Json) => refused(name, "the argument must be an object"),
                read => Parsed::of(read),
            },
            Err(words) => refused(name, words),
        }
    }

    fn of(read: Result<plain::Message, Refused>) -> Parsed {
        let invalid = |message: String| Fault::new(Code::Invalid, message);
        match read {
            Ok(message) => Parsed::Call {
                name: message.name,
                id: message.id.as_ref().map(json),
                payload: message.payload,
            },
            Err(Refused::Json) => Parsed::Error(invalid("Invalid JSON".into()).named(INVALID_JSON)),
            Err(Refused::Type) => {
                Parsed::Error(invalid("Unknown message type".into()).named(UNKNOWN_TYPE))
            }
            Err(Refused::Id { name }) => Parsed::Refused {
                name,
                id: None,
                fault: invalid("id: an integer or a string to 128 bytes".into()),
            },
            Err(Refused::Number { name, id, field }) => {
                Parsed::Unheld { name, id: id.as_ref().map(json), field }
            }
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
    /// Takes messages in, in order.
    pub(super) fn serve(&mut self, line: LineId, inbound: Vec<Inbound>, now_ms: u64) {
        match self.conn(line).map(|conn| &conn.speech) {
            Some(&Speech::Plain(id)) => self.serve_plain(line, id, inbound, now_ms),
            Some(Speech::Engine(_)) => {
                for message in inbound {
                    let item = match message {
                        Inbound::Text(text) => Item::Text(text),
                        Inbound::Binary(bytes) => Item::Binary(bytes),
                    };
                    // One of the messages before may have made us end it. Its own end comes after them all.
                    if !self.hub.is_ending(line) {
                        self.hear(line, item, now_ms);
                    }
                }
            }
            Some(&Speech::Probe { of, .. }) => {
                for message in inbound {
                    let text = match &message {
                        Inbound::Text(text) => text,
                        Inbound::Binary(_) => "",
                    };
                    self.hear_probe(line, of, text, now_ms);
                }
            }
            Some(Speech::Echo) | None => {}
        }
    }

    fn serve_plain(&mut self, line: LineId, id: SessionId, inbound: Vec<Inbound>, now_ms: u64) {
        for message in inbound {
            let Some(talk) = self.talk(id) else { return };
            if talk.stage == Stage::Ending {
                return;
            }
            if talk.is_to_identify() {
                self.first_message(id, message, now_ms);
                continue;
            }
            match message {
                Inbound::Binary(_) => {
                    let Some(conn) = self.conn(line) else { return };
                    let close = conn.wire.close(1003, "text messages only", now_ms);
                    self.part(line, close, false, now_ms);
                    break;
                }
                Inbound::Text(text) => {
                    self.calls(id, |calls| calls.push(Unread::Text(text), None));
                }
            }
        }
        self.work(id, now_ms);
    }

    /// Reads a message whose turn has come; what can be answered at once is.
    pub(super) fn read(&mut self, id: SessionId, number: u32, unread: Unread, ack: Option<u64>) {
        let parsed = match unread {
            Unread::Text(text) => match Parsed::parse(&text) {
                Parsed::Call { name, id: echo, payload } if name == "ping" => {
                    return self.ping(id, number, echo.as_deref(), &payload, &text);
                }
                parsed => parsed,
            },
            Unread::Event { name, argument } => {
                let is_bare = self.door().is_some_and(|door| door.tables.is_bare(&name));
                Parsed::event(name, argument, is_bare)
            }
        };
        match parsed {
            Parsed::Call { name, id: echo, payload } => {
                self.calls(id, |calls| calls.read(number, name, echo, payload));
            }
            Parsed::Refused { name, id: echo, fault } => {
                let words = self.refusal(id, &name, Asked { ack, id: echo.as_deref() }, &fault);
                self.calls(id, |calls| calls.answer(number, words, true));
            }
            Parsed::Unheld { name, id: echo, field } => {
                let Some(door) = self.door() else { return };
                let fault = door.tables.unheld(&name, &field);
                let words = self.refusal(id, &name, Asked { ack, id: echo.as_deref() }, &fault);
                self.calls(id, |calls| calls.answer(number, words, true));
            }
            Parsed::Error(fault) => {
                let words = self.error_frame(id, None, &fault).map(Words::Frame);
                self.calls(id, |calls| calls.answer(number, words, true));
            }
        }
    }

    fn ping(
        &mut self,
        id: SessionId,
        number: u32,
        echo: Option<&str>,
        payload: &Payload,
        text: &str,
    ) {
        let (frame, refused) = match pong(echo, payload, text) {
            Ok(text) => (Some(frame::text(&text)), false),
            Err(fault) => (self.error_frame(id, echo, &fault), true),
        };
        self.calls(id, |calls| calls.answer(number, frame.map(Words::Frame), refused));
    }

    /// `{"type":"auth","token":T}`, or the connection ends.
    fn first_message(&mut self, id: SessionId, message: Inbound, now_ms: u64) {
        let Some(door) = self.door() else { return };
        let asked = match message {
            Inbound::Text(text) => Some(Parsed::parse(&text)),
            Inbound::Binary(_) => None,
        };
        let token = match &asked {
            Some(Parsed::Call { name, payload, .. }) if name == "auth" => {
                payload.get("token").and_then(|t| t.as_str())
            }
            _ => None,
        };
        let claims = token.and_then(|token| door.keyring.verify(token, self.setup.clock.now()));
        let reading = self.talk(id).and_then(|talk| talk.reading.take());
        match (claims, reading.map(|reading| *reading)) {
            (Some(claims), Some(Reading::FirstMessage { wish, since })) => {
                self.with_talk(id, |talk| talk.stage = Stage::Opening);
                let credential = Credential::Token { jti: claims.jti };
                self.read_for(id, Reading::Connect { credential, wish, since }, now_ms);
            }
            _ => {
                let fault = Fault::new(
                    Code::Unauthenticated,
                    "the first message must be auth with a valid token",
                );
                self.end_session(id, &fault, now_ms);
            }
        }
    }
}
