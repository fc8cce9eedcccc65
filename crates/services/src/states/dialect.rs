//! How `/api/ws` spells replies and refusals (docs/protocol.md): `{"type":"states:create:response","success":..}`.

use crate::kit::{Dialect, Fault};

/// The dialect of `/api/ws`.
pub const DIALECT: Dialect = Dialect { reply, refusal, error };

/// A deletion is answered in words, `"message":..`, everything else with `"data":REPLY`.
fn reply(name: &str, id: Option<&str>, reply: &str) -> String {
    let answer = match name {
        "states:delete" => reply[1..reply.len() - 1].to_owned(),
        _ => format!(r#""data":{reply}"#),
    };
    format!(
        r#"{{"type":{},"success":true,{answer}{}}}"#,
        json(&format!("{name}:response")),
        echo(id)
    )
}

fn refusal(name: &str, id: Option<&str>, fault: &Fault) -> String {
    format!(
        r#"{{"type":{},"success":false,"error":{}{}}}"#,
        json(&format!("{name}:response")),
        json(&fault.message),
        echo(id)
    )
}

fn error(id: Option<&str>, fault: &Fault) -> String {
    format!(r#"{{"type":"error","success":false,"error":{}{}}}"#, json(&fault.message), echo(id))
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn echo(id: Option<&str>) -> String {
    id.map_or_else(String::new, |id| format!(r#","id":{id}"#))
}
