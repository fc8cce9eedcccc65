//! How replies and refusals are spelled (docs/protocol.md): a refusal is the event `error`.

use crate::kit::{Answer, Dialect, Fault, Micros, RefusedAt, Said, timestamp_ms};

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
    let (error, code) = (&*fault.message, fault.code.name());
    Said::of("error", &RefusedAt { error, code, timestamp: timestamp_ms(now) })
}
