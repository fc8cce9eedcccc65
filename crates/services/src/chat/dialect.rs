//! How replies and refusals are spelled (document 003): who asked for an answer gets `{"success":true}` and what
//! belongs to it, and a refusal is the event `error`.

use crate::kit::{Answer, Dialect, Fault, Micros, RefusedAt, Said, timestamp_ms};

/// The dialect of chat.
pub const DIALECT: Dialect = Dialect { reply, refusal, error };

/// The document's calls reply with all that they say; other calls' replies are nested, as elsewhere.
fn reply(name: &str, answer: &Answer, is_asked: bool) -> Option<Said> {
    let json = answer.json.get();
    is_asked.then(|| match json.starts_with(r#"{"success":true"#) {
        true => Said::response(name, json.to_owned()),
        false => Said::answered(name, answer),
    })
}

fn refusal(_: &str, fault: &Fault, now: Micros) -> Said {
    error(fault, now)
}

/// `{"error":WORDS,"code":CODE,"timestamp":NOW}`, whatever was asked.
fn error(fault: &Fault, now: Micros) -> Said {
    let (error, code) = (&*fault.message, fault.name());
    Said::of("error", &RefusedAt { error, code, timestamp: timestamp_ms(now) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::{Code, Reply};

    #[test]
    fn answers_go_to_who_asked() {
        let said = |answer: &serde_json::Value, is_asked| {
            let answer = answer.answer().expect("it serialises");
            reply("message", &answer, is_asked).map(|said| (said.event, said.payload))
        };
        let flat = serde_json::json!({ "success": true, "messageID": 7 });
        let nested = serde_json::json!({ "items": [] });
        assert_eq!(said(&flat, false), None);
        assert_eq!(said(&nested, false), None);
        let response = || "message:response".to_owned();
        assert_eq!(said(&flat, true), Some((response(), flat.to_string())));
        let expected = r#"{"success":true,"data":{"items":[]}}"#.to_owned();
        assert_eq!(said(&nested, true), Some((response(), expected)));
    }

    #[test]
    fn refusals_have_their_finer_name() {
        let fault = Fault::new(Code::Invalid, "a \"b\"");
        for (fault, code) in
            [(fault.clone(), "INVALID"), (fault.named("INVALID_ROOM"), "INVALID_ROOM")]
        {
            let said = refusal("message", &fault, 1_761_402_600_000_000);
            let expected = format!(
                r#"{{"error":"a \"b\"","code":"{code}","timestamp":"2025-10-25T14:30:00.000Z"}}"#
            );
            assert_eq!((said.event.as_str(), said.payload), ("error", expected));
        }
    }
}
