//! How one service spells things. The protocols' code knows none of this: the service gives it.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Answer, Fault, Micros};

/// How a service spells answers and refusals, in every protocol.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// The answer to the operation `name`, if there is one to give: `wanted` says whether the caller asked for it, by
    /// an `id` or, over Socket.IO, an acknowledgement.
    pub reply: fn(name: &str, answer: &Answer, wanted: bool) -> Option<Said>,
    /// The refusal of the operation `name`, at this time.
    pub refusal: fn(name: &str, fault: &Fault, now: Micros) -> Said,
    /// A fault that belongs to no operation: bad JSON, an unknown type, a missing credential.
    pub error: fn(fault: &Fault, now: Micros) -> Said,
}

/// Something that is said to one client. A plain connection gets `{"type":EVENT,...payload}`; one of
/// Socket.IO gets the event with the payload as its argument, or the payload alone, as the
/// acknowledgement that it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The name of the event.
    pub event: String,
    /// A JSON object as text, without a key `type`, and not empty.
    pub payload: String,
}

impl Said {
    /// An event of this name with this payload.
    ///
    /// # Panics
    /// If the payload does not serialise, which is a bug in its type.
    pub fn of(event: impl Into<String>, payload: &impl Serialize) -> Said {
        let payload =
            serde_json::to_string(payload).expect("payloads are texts, numbers and lists");
        Said { event: event.into(), payload }
    }

    /// Adds a last key to the payload; `value` is JSON text.
    pub fn with(mut self, key: &str, value: &str) -> Said {
        self.payload.pop();
        self.payload.extend([",\"", key, "\":", value, "}"]);
        self
    }

    /// The answer to a call of this name.
    pub fn response(name: &str, payload: String) -> Said {
        Said { event: format!("{name}:response"), payload }
    }

    /// The answer to a call of this name as most services spell it: `{"success":true,"data":REPLY}`.
    pub fn answered(name: &str, answer: &Answer) -> Said {
        let reply = answer.json.get();
        Said::response(name, format!(r#"{{"success":true,"data":{reply}}}"#))
    }

    /// The refusal of a call of this name: `{"success":false,"error":WORDS}`.
    pub fn refusal(name: &str, fault: &Fault) -> Said {
        Said::refused(format!("{name}:response"), fault)
    }

    /// `{"success":false,"error":WORDS}` as an event of this name.
    pub fn refused(event: String, fault: &Fault) -> Said {
        Said::of(event, &Refused { success: false, error: &fault.message })
    }
}

/// A refusal.
#[derive(Serialize, JsonSchema)]
pub struct Refused<'a> {
    /// Always `false`.
    success: bool,
    /// Why, for people: the words may change.
    error: &'a str,
}

/// A refusal, with a code, that says when it was.
#[derive(Serialize, JsonSchema)]
pub struct RefusedAt<'a> {
    /// Why, for people: the words may change.
    pub error: &'a str,
    /// Why, for programs.
    pub code: &'a str,
    /// When, RFC 3339 with milliseconds.
    pub timestamp: String,
}

/// How an event is spelled in the plain form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Spelling {
    /// `{"type": NAME, ...payload}`
    Spread,
    /// `{"type": NAME, "data": payload}`
    Nested,
}
