//! The plain dialect: one JSON object per text message, its kind under `type`.
//!
//! Inwards, [`parse`] splits a message into its name, its id and the rest. Outwards, [`event`] and
//! [`event_frame`] put the name before a payload that is JSON already. A payload is either spread
//! among the message's own keys, `{"type":NAME,...payload}`, or nested, `{"type":NAME,"data":...}`;
//! which of the two applies is declared per command and event, never guessed from keys.
//!
//! Not here: which names exist, which form each has, and how a refusal is worded.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::{Number, Value};

use crate::frame;
use crate::json::{self, Malformed, Object, escaped};

/// Longest name (the value of `type`) of an inbound message, in bytes.
pub const NAME_LEN_MAX: usize = 64;

/// Longest id of an inbound message, in bytes, when it is a string.
pub const ID_LEN_MAX: usize = 128;

/// An inbound message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The value of `type`, 1 to [`NAME_LEN_MAX`] bytes.
    pub name: String,
    /// The value of `id`, which a reply echoes.
    pub id: Option<Id>,
    /// All other keys, in order. A nested message, `{"type":NAME,"data":...}`, is not unwrapped:
    /// whether `data` is the payload or a part of it, the command's table decides.
    pub payload: Object,
}

/// What a client named its request, echoed exactly.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(untagged)]
pub enum Id {
    /// A string of up to [`ID_LEN_MAX`] bytes.
    Text(String),
    /// An integer of 64 bits, with or without sign.
    Number(Number),
}

/// Why a message was refused, with what is needed to answer it.
#[derive(Clone, Debug, PartialEq)]
pub enum Refused {
    /// Not a JSON object ([`json`] says what is one).
    Json,
    /// `type` is absent or not a string of 1 to [`NAME_LEN_MAX`] bytes.
    Type,
    /// `id` is there, but not one that can be echoed.
    Id {
        /// The message's name.
        name: String,
    },
    /// A field holds a number that no type can hold, such as `1e400`.
    Number {
        /// The message's name.
        name: String,
        /// The message's id.
        id: Option<Id>,
        /// The top-level key of that field.
        field: String,
    },
}

/// Reads one text message.
///
/// # Errors
///
/// See [`Refused`]. Of several reasons one is given; a message with a usable name is never refused
/// without it, unless it is no JSON.
pub fn parse(text: &str) -> Result<Message, Refused> {
    let (mut payload, overflowing) = fields(text)?;
    let name = match payload.shift_remove("type") {
        Some(Value::String(name)) if (1..=NAME_LEN_MAX).contains(&name.len()) => name,
        _ => return Err(Refused::Type),
    };
    message(name, payload, overflowing)
}

/// Reads the argument of an event as a message of this name; `type` is a field like others there.
///
/// # Errors
///
/// See [`Refused`]; of those not [`Refused::Type`].
pub fn call(name: String, argument: &str) -> Result<Message, Refused> {
    let (payload, overflowing) = fields(argument)?;
    message(name, payload, overflowing)
}

/// The fields of an object, and the first one that holds a number which cannot be held.
fn fields(text: &str) -> Result<(Object, Option<String>), Refused> {
    match json::object(text) {
        Ok(fields) => Ok((fields, None)),
        Err(Malformed::Number { field, rest }) => Ok((rest, Some(field))),
        Err(Malformed::Syntax(_)) => Err(Refused::Json),
    }
}

fn message(
    name: String,
    mut payload: Object,
    overflowing: Option<String>,
) -> Result<Message, Refused> {
    let id = match payload.shift_remove("id") {
        None => None,
        Some(Value::String(id)) if id.len() <= ID_LEN_MAX => Some(Id::Text(id)),
        Some(Value::Number(id)) if !id.is_f64() => Some(Id::Number(id)),
        Some(_) => return Err(Refused::Id { name }),
    };
    match overflowing {
        None => Ok(Message { name, id, payload }),
        Some(field) if field == "id" => Err(Refused::Id { name }),
        Some(field) => Err(Refused::Number { name, id, field }),
    }
}

/// Where an event's payload stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// `{"type":NAME,...payload}`.
    Spread,
    /// `{"type":NAME,"data":payload}`.
    Nested,
}

/// The text of an event.
///
/// `payload` is a JSON text. With a cursor, `"cursor":"..."` is the last key. [`Form::Spread`]
/// becomes [`Form::Nested`] where it would be ambiguous: the payload is no object, or has a key
/// `type` (or, with a cursor, `cursor`) of its own.
///
/// # Panics
///
/// In debug builds, if `payload` is not JSON.
pub fn event(name: &str, payload: &str, form: Form, cursor: Option<&str>) -> String {
    with_pieces(name, payload, form, cursor, |pieces| pieces.concat())
}

/// [`event`], laid straight into one WebSocket text frame as a server sends it.
pub fn event_frame(name: &str, payload: &str, form: Form, cursor: Option<&str>) -> Bytes {
    with_pieces(name, payload, form, cursor, frame::text_of)
}

/// An event whose payload says all, without its name, laid straight into a WebSocket text frame. With a cursor,
/// `"cursor":"..."` is the last key; a payload that cannot have one is spelled as [`event`] does.
pub fn bare_frame(name: &str, payload: &str, form: Form, cursor: Option<&str>) -> Bytes {
    let Some(cursor) = cursor else { return frame::text_of(&[payload]) };
    match members(payload, true) {
        Some("") | None => event_frame(name, payload, form, Some(cursor)),
        Some(members) => frame::text_of(&["{", members, ",\"cursor\":\"", &escaped(cursor), "\"}"]),
    }
}

/// Events that are told together, as the payload of one: `{"events":[..]}`, each as [`event`] spells it.
pub fn batch<'a>(events: impl IntoIterator<Item = (&'a str, &'a str, Form)>) -> String {
    let texts = events.into_iter().map(|(name, payload, form)| event(name, payload, form, None));
    ["{\"events\":[", &texts.collect::<Vec<_>>().join(","), "]}"].concat()
}

/// An event as the pieces of its text, in order: what both shapes are built from.
fn with_pieces<R>(
    name: &str,
    payload: &str,
    form: Form,
    cursor: Option<&str>,
    build: impl FnOnce(&[&str]) -> R,
) -> R {
    debug_assert!(
        serde_json::from_str::<IgnoredAny>(payload).is_ok(),
        "the payload of {name} is not JSON"
    );
    let (name, cursor) = (escaped(name), cursor.map(escaped));
    let spread = match form {
        Form::Spread => members(payload, cursor.is_some()),
        Form::Nested => None,
    };
    let (before, payload) = match spread {
        Some("") => ("\"", ""),
        Some(members) => ("\",", members),
        None => ("\",\"data\":", payload),
    };
    match &cursor {
        None => build(&["{\"type\":\"", &name, before, payload, "}"]),
        Some(cursor) => {
            build(&["{\"type\":\"", &name, before, payload, ",\"cursor\":\"", cursor, "\"}"])
        }
    }
}

/// What stands between the braces of `payload`, if it is an object that can be spread.
fn members(payload: &str, with_cursor: bool) -> Option<&str> {
    let members = payload.trim_ascii().strip_prefix('{')?.strip_suffix('}')?.trim_ascii();
    let is_taken = |key: &str| key == "type" || (with_cursor && key == "cursor");
    // Most payloads contain none of these words, not even deeper down, and no key that could be
    // one of them in disguise.
    let is_suspect = payload.contains("\"type\"")
        || payload.contains("\\u")
        || (with_cursor && payload.contains("\"cursor\""));
    (!is_suspect || !has_key(payload, is_taken)).then_some(members)
}

/// Whether this object has a top-level key that `is_taken`.
fn has_key(object: &str, is_taken: impl Fn(&str) -> bool) -> bool {
    struct Keys<F>(F);

    impl<'de, F: Fn(&str) -> bool> Visitor<'de> for Keys<F> {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
            let mut found = false;
            while let Some((key, IgnoredAny)) = map.next_entry::<Cow<'de, str>, _>()? {
                found |= (self.0)(&key);
            }
            Ok(found)
        }
    }

    // What cannot be read is not spread either.
    serde_json::Deserializer::from_str(object).deserialize_map(Keys(is_taken)).unwrap_or(true)
}
