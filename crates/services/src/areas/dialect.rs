//! How replies and refusals are spelled (docs/protocol.md): a refusal is the event `error`.

use crate::kit::{Answer, Dialect, Fault, Micros, Said, timestamp_ms};

/// The dialect of areas.
pub const DIALECT: Dialect = Dialect { reply, refusal, error };

fn reply(name: &str, answer: &Answer, _: bool) -> Option<Said> {
    Some(Said::answered(name, answer))
}

/// `{"error":WORDS,"code":CODE,"timestamp":NOW}`, whatever was asked.
pub(super) fn refusal(_: &str, fault: &Fault, now: Micros) -> Said {
    error(fault, now)
}

fn error(fault: &Fault, now: Micros) -> Said {
    let words = serde_json::Value::from(&*fault.message);
    let (code, timestamp) = (fault.code.name(), timestamp_ms(now));
    let payload = format!(r#"{{"error":{words},"code":"{code}","timestamp":"{timestamp}"}}"#);
    Said { event: "error".to_owned(), payload }
}
