//! How one endpoint spells things. The protocols' code knows none of this: the service gives it.

use super::Fault;

/// How a plain endpoint spells answers and refusals. All functions give one frame's JSON text.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// The answer to the operation `name`; `id` is the request's own, as JSON text, echoed if it had one.
    pub reply: fn(name: &str, id: Option<&str>, reply: &str) -> String,
    /// The refusal of the operation `name`.
    pub refusal: fn(name: &str, id: Option<&str>, fault: &Fault) -> String,
    /// A fault that belongs to no operation: bad JSON, an unknown type, a missing credential.
    pub error: fn(id: Option<&str>, fault: &Fault) -> String,
}

/// How an event is spelled in the plain form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Spelling {
    /// `{"type": NAME, ...payload}`
    Spread,
    /// `{"type": NAME, "data": payload}`
    Nested,
}
