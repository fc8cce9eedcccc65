//! The vocabulary of a change: what a decision returns, what the log keeps, what the hub delivers.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A named audience, in stable ids: `states`, `entity/light.kitchen`, `conversation/17`.
pub type Topic = Cow<'static, str>;

/// A place in the log. Offsets are dense and start at 1; 0 is the place before the first event.
/// They are the commit order of the whole deployment.
pub type Offset = u64;

/// Microseconds since the Unix epoch, UTC.
pub type Micros = i64;

/// Something that happened, with its audience as it was decided inside the transaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The name that the documents give it, e.g. `state_changed`.
    pub name: Cow<'static, str>,
    /// What it is about, e.g. `light.kitchen`: the key of filtered subscriptions and of coalescing.
    pub key: String,
    /// Who does not hear it in spite of holding one of its topics: `principal/ID`, or all who hold
    /// another topic.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<Topic>,
    /// Payloads with disjoint audiences, under one offset; a session gets the first that matches.
    pub variants: Vec<Variant>,
    /// What a reader that does not keep up loses.
    #[serde(skip, default)]
    pub overflow: Overflow,
}

/// One payload of an event and who hears it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Variant {
    /// The audience: any session that holds one of these.
    pub topics: Vec<Topic>,
    /// The payload, as JSON text.
    pub payload: Box<RawValue>,
}

impl PartialEq for Variant {
    fn eq(&self, other: &Self) -> bool {
        self.topics == other.topics && self.payload.get() == other.payload.get()
    }
}

/// What happens to a reader that does not keep up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// It is closed (4408): each event counts.
    #[default]
    Close,
    /// Only the newest event of this name and key is kept for it, unless it has a cursor.
    Latest,
}

/// What must happen to live sessions because of a change. Effects are content of the log: every
/// node applies them at their place between the events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Effect {
    /// `principal` may hear `topic` from here on, and its live sessions hear it at once.
    Grant {
        /// Whose right it is: the id of a principal.
        principal: String,
        /// What may be heard now.
        topic: Topic,
    },
    /// `principal` no longer hears `topic`.
    Evict {
        /// Whose right it was.
        principal: String,
        /// What is no longer heard.
        topic: Topic,
    },
    /// The topic stays, and less is told on it from here on: what was told on it before and still waits for a slow
    /// reader, or is read again, is no longer for who hears it by this topic alone.
    Narrow {
        /// The topic.
        topic: Topic,
        /// Only events with these keys; absent: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keys: Option<Vec<String>>,
    },
    /// The live sessions of `principal` that hear `from` hear `to` too from here on: their room goes on under another
    /// topic. What they hear when they come back, a read says.
    Move {
        /// Whose sessions.
        principal: String,
        /// What they hear.
        from: Topic,
        /// What they hear beside it from now on.
        to: Topic,
    },
    /// Every session of `principal` ends: its credential was revoked.
    Revoke {
        /// Whose sessions end.
        principal: String,
        /// What they are told last; absent: that the token was revoked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<Words>,
    },
    /// Every live session of `principal` is told this now, with a token that is signed for it then. The row keeps
    /// what the token says, never its text; a replay does not tell it again.
    Hand {
        /// Who is told.
        principal: String,
        /// What; its payload is an object.
        words: Words,
        /// What the token says, as JSON.
        claims: String,
    },
}

/// Something that is said to live sessions because of a change, and is no event of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// The name of the event.
    pub event: String,
    /// The payload, as JSON text.
    pub payload: String,
}

impl Effect {
    /// The name of the principal whom it concerns; `None` if that is whoever hears its topic.
    pub fn principal(&self) -> Option<&str> {
        match self {
            Effect::Grant { principal, .. }
            | Effect::Evict { principal, .. }
            | Effect::Move { principal, .. }
            | Effect::Revoke { principal, .. }
            | Effect::Hand { principal, .. } => Some(principal),
            Effect::Narrow { .. } => None,
        }
    }

    /// As the index of effects has it: the principal, empty if there is none, what kind it is, and the topic.
    pub(crate) fn indexed(&self) -> (&str, &'static str, Option<&str>) {
        match self {
            Effect::Grant { principal, topic } => (principal, "grant", Some(topic)),
            Effect::Evict { principal, topic } => (principal, "evict", Some(topic)),
            Effect::Narrow { topic, .. } => ("", "narrow", Some(topic)),
            Effect::Move { principal, to, .. } => (principal, "move", Some(to)),
            Effect::Revoke { principal, .. } => (principal, "revoke", None),
            Effect::Hand { principal, .. } => (principal, "hand", None),
        }
    }
}

/// One row of the log: an event to tell, and effects to apply right after it was told.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// Its place.
    pub offset: Offset,
    /// When it was committed.
    pub at: Micros,
    /// What happened; `None` when the row holds effects only.
    pub event: Option<Event>,
    /// What happens to live sessions, after they were told the event.
    pub effects: Vec<Effect>,
}

/// What a decision came to: the caller's answer, and what the log keeps.
#[derive(Debug)]
pub struct Outcome<R> {
    /// The answer to the caller.
    pub reply: R,
    /// What happened, in order; one row of the log each.
    pub events: Vec<Event>,
    /// Effects ride on the last event's row, or on a row of their own if there is no event.
    pub effects: Vec<Effect>,
}

impl<R> Outcome<R> {
    /// An answer that changes nothing anyone hears of.
    pub fn reply(reply: R) -> Self {
        Outcome { reply, events: Vec::new(), effects: Vec::new() }
    }

    /// Adds an event.
    pub fn event(mut self, event: Event) -> Self {
        self.events.push(event);
        self
    }

    /// Adds an effect.
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }

    /// The same outcome with another answer.
    pub fn map<S>(self, f: impl FnOnce(R) -> S) -> Outcome<S> {
        Outcome { reply: f(self.reply), events: self.events, effects: self.effects }
    }
}

/// Why a request was refused, by what the caller can do about it. The code is stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// The request itself is wrong; sent again it is wrong again.
    Invalid,
    /// No credential, or one that is invalid, expired or revoked.
    Unauthenticated,
    /// The credential does not allow it.
    Forbidden,
    /// There is no such thing, or the caller may not know that there is.
    NotFound,
    /// The state is not what the caller expected, or an idempotency key names another request.
    Conflict,
    /// What the caller has seen is no longer what is there (`If-Match`).
    PreconditionFailed,
    /// This caller asks too often; try again later.
    RateLimited,
    /// A person has yet to decide; ask again later (RFC 8628 section 3.5, like the three that follow).
    AuthorizationPending,
    /// The same, and this was asked too soon: ask more slowly.
    SlowDown,
    /// A person decided against it.
    AccessDenied,
    /// The time to decide is over, or what was to be decided is not known: begin anew.
    ExpiredToken,
    /// Too much at once or too fast; try again later.
    Overloaded,
    /// The disk is full: nothing is written until there is room.
    Full,
    /// Worked for longer than a command may (250 ms) and was undone.
    Timeout,
    /// A fault of ours; it was logged.
    Internal,
}

impl Code {
    /// Its name, on the wire and everywhere else.
    pub fn name(self) -> &'static str {
        match self {
            Code::Invalid => "INVALID",
            Code::Unauthenticated => "UNAUTHENTICATED",
            Code::Forbidden => "FORBIDDEN",
            Code::NotFound => "NOT_FOUND",
            Code::Conflict => "CONFLICT",
            Code::PreconditionFailed => "PRECONDITION_FAILED",
            Code::RateLimited => "RATE_LIMITED",
            Code::AuthorizationPending => "AUTHORIZATION_PENDING",
            Code::SlowDown => "SLOW_DOWN",
            Code::AccessDenied => "ACCESS_DENIED",
            Code::ExpiredToken => "EXPIRED_TOKEN",
            Code::Overloaded => "OVERLOADED",
            Code::Full => "FULL",
            Code::Timeout => "TIMEOUT",
            Code::Internal => "INTERNAL",
        }
    }
}

/// A refusal: a stable code, and words for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What the caller can do about it.
    pub code: Code,
    /// What a person reads.
    pub message: Cow<'static, str>,
    finer: Option<&'static str>,
    /// After how many seconds the same may be asked again, where that is known.
    pub after_s: Option<u64>,
}

impl Fault {
    /// A refusal with these words.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Fault { code, message: message.into(), finer: None, after_s: None }
    }

    /// The same under a finer name, which is as stable as the code is: `INVALID_VALUE`.
    pub fn named(self, finer: &'static str) -> Self {
        Fault { finer: Some(finer), ..self }
    }

    /// The same of what may be asked again after so many seconds.
    pub fn after(self, after_s: u64) -> Self {
        Fault { after_s: Some(after_s), ..self }
    }

    /// Its finer name, or that of its code.
    pub fn name(&self) -> &'static str {
        self.finer.unwrap_or_else(|| self.code.name())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}
