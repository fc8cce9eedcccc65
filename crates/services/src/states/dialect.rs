//! How replies and refusals are spelled (docs/protocol.md): `states:create:response` with
//! `{"success":..}`.

use crate::kit::{Dialect, Fault, Said};

/// The dialect of home states.
pub const DIALECT: Dialect = Dialect { reply, refusal: Said::refusal, error };

/// A deletion is answered in words, `"message":..`, everything else with `"data":REPLY`.
fn reply(name: &str, reply: &str) -> Said {
    let payload = match name {
        "states:delete" => format!(r#"{{"success":true,{}"#, &reply[1..]),
        _ => format!(r#"{{"success":true,"data":{reply}}}"#),
    };
    Said::response(name, payload)
}

fn error(fault: &Fault) -> Said {
    Said::refused("error".to_owned(), fault)
}
