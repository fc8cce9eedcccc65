//! How replies and refusals are spelled (docs/protocol.md): a refusal is `{"type":"error","message":WORDS}`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::kit::{Answer, Dialect, Fault, Micros, Said};

/// The dialect of document 004: notifications and stations.
pub const DIALECT: Dialect = Dialect { reply, refusal, error };

fn reply(name: &str, answer: &Answer, _: bool) -> Option<Said> {
    Some(Said::answered(name, answer))
}

fn refusal(_: &str, fault: &Fault, now: Micros) -> Said {
    error(fault, now)
}

/// A refusal, in words alone.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RefusedInWords")]
pub struct Refused<'a> {
    /// Why, for people: the words may change.
    message: &'a str,
}

fn error(fault: &Fault, _: Micros) -> Said {
    Said::of("error", &Refused { message: &fault.message })
}
