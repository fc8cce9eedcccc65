//! How replies and refusals are spelled (document 002): a refusal is `error` with a code, and a reading that was
//! stored is answered only to who asks for an answer.

use schemars::JsonSchema;
use serde::Serialize;

use crate::kit::{Answer, Dialect, Fault, Micros, Said};

/// The dialect of sensors.
pub const DIALECT: Dialect = Dialect { reply, refusal, error };

/// A reading that was known already is told to its sender alone, as the update that it was.
fn reply(name: &str, answer: &Answer, is_asked: bool) -> Option<Said> {
    if name != "sensor_data" || is_asked {
        return Some(Said::answered(name, answer));
    }
    let was_known = answer.is_repeated || answer.is_new == Some(false);
    was_known.then(|| Said {
        event: "sensor_data_update".to_owned(),
        payload: answer.json.get().to_owned(),
    })
}

fn refusal(_: &str, fault: &Fault, now: Micros) -> Said {
    error(fault, now)
}

/// A refusal, with a code.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RefusedWithCode")]
pub(super) struct Refused<'a> {
    /// Why, for people: the words may change.
    message: &'a str,
    /// Why, for programs.
    code: &'a str,
}

fn error(fault: &Fault, _: Micros) -> Said {
    Said::of("error", &Refused { message: &fault.message, code: fault.name() })
}
