//! How replies and refusals are spelled (docs/protocol.md): a refusal is `{"type":"error","message":WORDS}`.

use crate::kit::{Answer, Dialect, Fault, Micros, Said};

/// The dialect of notifications.
pub const DIALECT: Dialect = Dialect { reply, refusal, error };

fn reply(name: &str, answer: &Answer, _: bool) -> Option<Said> {
    Some(Said::answered(name, answer))
}

fn refusal(_: &str, fault: &Fault, now: Micros) -> Said {
    error(fault, now)
}

fn error(fault: &Fault, _: Micros) -> Said {
    let words = serde_json::Value::from(&*fault.message);
    Said { event: "error".to_owned(), payload: format!(r#"{{"message":{words}}}"#) }
}
