//! From messages to packets.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{
    ACK_ID_MAX, ATTACHMENTS_MAX, ATTACHMENTS_WITHIN_MS, Ack, Event, NAMESPACE_LEN_MAX, Packet,
    ROOT, Violation, placeholders,
};

/// Names of events that clients and servers raise by themselves, so that nobody may send them.
const RESERVED_NAMES: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// Reads what one connection sends, of all its namespaces.
///
/// Between two packets it owns nothing. After a [`Violation`] it is done: the connection is closed.
#[derive(Debug, Default)]
pub struct Decoder {
    awaiting: Option<Box<Awaiting>>,
}

/// A packet whose attachments are on their way. It keeps its text as it came, not taken apart: so
/// it costs what was received.
#[derive(Debug)]
struct Awaiting {
    message: String,
    /// How many attachments it announced, 1 to [`ATTACHMENTS_MAX`].
    announced: usize,
    attachments: Vec<Bytes>,
    deadline_ms: u64,
}

impl Decoder {
    /// Takes a text message, without the `4` of Engine.IO before it: a packet, or `None` if its
    /// attachments are still to come.
    ///
    /// # Errors
    ///
    /// If it is no packet that a client may send, or attachments of an earlier one are missing.
    pub fn text(&mut self, message: &str, now_ms: u64) -> Result<Option<Packet>, Violation> {
        if self.awaiting.take().is_some() {
            return Err(Violation::of("text while attachments are awaited"));
        }
        let head = Head::read(message)?;
        let packet = head.packet(Vec::new())?;
        if head.attachments == 0 {
            return Ok(Some(packet));
        }
        self.awaiting = Some(Box::new(Awaiting {
            message: message.to_owned(),
            announced: head.attachments,
            attachments: Vec::new(),
            deadline_ms: now_ms.saturating_add(ATTACHMENTS_WITHIN_MS),
        }));
        Ok(None)
    }

    /// Takes a binary message: the packet that it completes, or `None` if more are to come.
    ///
    /// # Errors
    ///
    /// If no packet waits for it.
    pub fn binary(&mut self, bytes: &[u8]) -> Result<Option<Packet>, Violation> {
        let Some(mut awaiting) = self.awaiting.take() else {
            return Err(Violation::of("binary message that no packet announced"));
        };
        awaiting.attachments.push(Bytes::copy_from_slice(bytes));
        if awaiting.attachments.len() < awaiting.announced {
            self.awaiting = Some(awaiting);
            return Ok(None);
        }
        Head::read(&awaiting.message)?.packet(awaiting.attachments).map(Some)
    }

    /// The namespace of the packet that waits for its attachments, if one does. Whoever is not in it need not
    /// be waited for.
    pub fn awaits_in(&self) -> Option<&str> {
        let awaiting = self.awaiting.as_ref()?;
        // It was read before.
        Head::read(&awaiting.message).ok().map(|head| head.namespace)
    }

    /// When the connection is to be closed because attachments are late; `None` while none are
    /// awaited.
    pub fn deadline_ms(&self) -> Option<u64> {
        self.awaiting.as_ref().map(|awaiting| awaiting.deadline_ms)
    }
}

/// What a packet is about. The two binary types are events and acknowledgements like others, with
/// attachments.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Connect,
    Disconnect,
    Event,
    Ack,
}

/// A packet up to its JSON.
struct Head<'a> {
    kind: Kind,
    /// How many attachments are announced: 0 of `2` and `50-` alike.
    attachments: usize,
    /// Whether placeholders are no objects like others.
    is_binary: bool,
    namespace: &'a str,
    ack: Option<u64>,
    json: &'a str,
}

impl<'a> Head<'a> {
    fn read(message: &'a str) -> Result<Head<'a>, Violation> {
        let (kind, is_binary) = match message.as_bytes().first() {
            Some(b'0') => (Kind::Connect, false),
            Some(b'1') => (Kind::Disconnect, false),
            Some(b'2') => (Kind::Event, false),
            Some(b'3') => (Kind::Ack, false),
            Some(b'4') => return Err(Violation::of("CONNECT_ERROR is the server's to send")),
            Some(b'5') => (Kind::Event, true),
            Some(b'6') => (Kind::Ack, true),
            _ => return Err(Violation::of("unknown Socket.IO packet type")),
        };
        let rest = &message[1..];
        let (attachments, rest) = if is_binary { attachments(rest)? } else { (0, rest) };
        let (namespace, rest) = namespace(rest)?;
        let (ack, json) = match kind {
            Kind::Event | Kind::Ack => ack_id(rest)?,
            Kind::Connect | Kind::Disconnect => (None, rest),
        };
        Ok(Head { kind, attachments, is_binary, namespace, ack, json })
    }

    /// The packet, with these attachments. Whether they are there makes no difference to whether it
    /// is one.
    fn packet(&self, attachments: Vec<Bytes>) -> Result<Packet, Violation> {
        let namespace = self.namespace.to_owned();
        match self.kind {
            Kind::Connect => Ok(Packet::Connect { namespace, auth: auth(self.json)? }),
            Kind::Disconnect if self.json.is_empty() => Ok(Packet::Disconnect { namespace }),
            Kind::Disconnect => Err(Violation::of("DISCONNECT with a payload")),
            Kind::Event => {
                let elements = self.elements()?;
                let Some((first, args)) = elements.split_first() else {
                    return Err(Violation::of("event without a name"));
                };
                let (name, args) = (name(first)?, texts(args));
                Ok(Packet::Event(Event { namespace, ack: self.ack, name, args, attachments }))
            }
            Kind::Ack => {
                let args = texts(&self.elements()?);
                let Some(id) = self.ack else {
                    return Err(Violation::of("acknowledgement without an id"));
                };
                Ok(Packet::Ack(Ack { namespace, id, args, attachments }))
            }
        }
    }

    /// The elements of the array that the packet's JSON must be.
    fn elements(&self) -> Result<Vec<&'a RawValue>, Violation> {
        if !self.json.starts_with('[') {
            return Err(Violation::of("payload is no array"));
        }
        let elements = serde_json::from_str(self.json).map_err(|_| NO_JSON)?;
        if self.is_binary && !placeholders::are_within(self.json, self.attachments) {
            return Err(Violation::of("bad placeholder"));
        }
        Ok(elements)
    }
}

const NO_JSON: Violation = Violation::of("payload is not JSON");

/// How many attachments are announced, and what follows the dash.
fn attachments(rest: &str) -> Result<(usize, &str), Violation> {
    let (digits, after) = split_digits(rest);
    match after.strip_prefix('-') {
        Some(after) if !digits.is_empty() => match digits.parse() {
            Ok(count @ 0..=ATTACHMENTS_MAX) => Ok((count, after)),
            _ => Err(Violation::of("too many attachments")),
        },
        _ => Err(Violation::of("number of attachments is malformed")),
    }
}

/// The namespace, which a comma or the packet's end ends, and what follows it.
fn namespace(rest: &str) -> Result<(&str, &str), Violation> {
    if !rest.starts_with('/') {
        return Ok((ROOT, rest));
    }
    let (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
    match namespace.len() {
        ..=NAMESPACE_LEN_MAX => Ok((namespace, rest)),
        _ => Err(Violation::of("namespace too long")),
    }
}

/// The id, if there is one, and what follows it. What looks like one but is none (`-1`, `1.5`)
/// leaves a payload that is no array.
fn ack_id(rest: &str) -> Result<(Option<u64>, &str), Violation> {
    let (digits, rest) = split_digits(rest);
    if digits.is_empty() {
        return Ok((None, rest));
    }
    match digits.parse() {
        Ok(id @ 0..=ACK_ID_MAX) => Ok((Some(id), rest)),
        _ => Err(Violation::of("id of an acknowledgement over 2^53")),
    }
}

/// The ASCII digits that `text` begins with, and the rest.
fn split_digits(text: &str) -> (&str, &str) {
    let len = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at(len)
}

/// The object that a CONNECT may hold.
fn auth(json: &str) -> Result<Option<String>, Violation> {
    if json.is_empty() {
        return Ok(None);
    }
    let auth: &RawValue = serde_json::from_str(json).map_err(|_| NO_JSON)?;
    match auth.get().starts_with('{') {
        true => Ok(Some(auth.get().to_owned())),
        false => Err(Violation::of("payload of CONNECT is no object")),
    }
}

/// An event's name: its first element.
fn name(first: &RawValue) -> Result<String, Violation> {
    let text = first.get();
    let name = match text.as_bytes()[0] {
        b'"' => serde_json::from_str(text).map_err(|_| NO_JSON)?,
        b'-' | b'0'..=b'9' => text.to_owned(),
        _ => return Err(Violation::of("name of an event is no string")),
    };
    match RESERVED_NAMES.contains(&name.as_str()) {
        true => Err(Violation::of("name of an event is reserved")),
        false => Ok(name),
    }
}

fn texts(elements: &[&RawValue]) -> Vec<String> {
    elements.iter().map(|element| element.get().to_owned()).collect()
}
