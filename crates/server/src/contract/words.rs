//! What the server itself says on every plain connection, whatever service is heard there.

use bellwire_store::log::Reason;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// A connection goes on behind its cursor. What it missed follows, each with a cursor of its own.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Resumed<'a> {
    /// The place before what follows.
    pub cursor: &'a str,
    /// How many events it missed.
    pub replayed: usize,
}

/// A connection cannot go on behind its cursor: it begins anew, and what it knows may be old.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Reset<'a> {
    /// Why: the place is older than what is kept, or of a future or another life of the database, or too much was
    /// missed, or it is no cursor.
    #[schemars(extend("enum" = Reason::ALL.map(Reason::as_str)))]
    pub reason: &'static str,
    /// The place from which on it is live.
    pub cursor: &'a str,
}

/// The answer to `ping`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "a pong is written as its ping was")]
pub struct Pong {
    /// That of the ping, as it was written; absent if it had none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Echoed")]
    timestamp: Option<Echoed>,
}

/// What a ping may bring along.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
#[expect(dead_code, reason = "a pong is written as its ping was")]
enum Echoed {
    Text(String),
    Number(f64),
}

/// Several events at once, in their order, where a client asked for that by `batch`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "a batch is made of frames")]
pub struct Batch {
    /// The events, each as it is told alone, without a cursor.
    events: Vec<Map<String, Value>>,
}

/// The answer to a call.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "services give replies, and their dialects spell them")]
pub struct Reply {
    /// Whether it was done.
    success: bool,
    /// What the call replies with. Some calls reply with keys of their own instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Value")]
    data: Option<Value>,
    /// Why it was not done, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    error: Option<String>,
    #[serde(flatten)]
    others: Map<String, Value>,
}
