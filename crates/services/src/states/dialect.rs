//! How replies and refusals are spelled (docs/protocol.md): `states:create:response` with
//! `{"success":..}`.

use crate::kit::{Answer, Dialect, Fault, Micros, Said};

/// The dialect of home states.
pub const DIALECT: Dialect = Dialect { reply, refusal, error };

/// A deletion is answered in words, `"message":..`, everything else with `"data":REPLY`.
fn reply(name: &str, answer: &Answer, _: bool) -> Option<Said> {
    let reply = answer.json.get();
    let payload = match name {
        "states:delete" => format!(r#"{{"success":true,{}"#, &reply[1..]),
        _ => format!(r#"{{"success":true,"data":{reply}}}"#),
    };
    Some(Said::response(name, payload))
}

fn refusal(name: &str, fault: &Fault, _: Micros) -> Said {
    Said::refusal(name, fault)
}

fn error(fault: &Fault, _: Micros) -> Said {
    Said::refused("error".to_owned(), fault)
}
