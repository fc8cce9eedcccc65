//! What stands in a text that a client is told, plain or over Socket.IO: the same for tests of every service.

use super::at;

/// The call that a text answers, by the number that it was asked under, and the answer spelled as an acknowledgement is.
/// `namespace` is that of Socket.IO; `None`: it is plain, and the request's `id` was `q` and the number.
pub fn answer_of(namespace: Option<&str>, text: &str) -> Option<(u64, String)> {
    let Some(namespace) = namespace else {
        let (rest, number) = text.rsplit_once(r#","id":"q"#)?;
        let number = number.strip_suffix(r#""}"#)?.parse().ok()?;
        let (kind, members) = rest.strip_prefix(r#"{"type":""#)?.split_once(r#"","#)?;
        let is_answer = kind == "error" || kind.ends_with(":response");
        return is_answer.then(|| (number, format!("{{{members}}}")));
    };
    let rest = text.strip_prefix("43")?.strip_prefix(&*at(namespace))?;
    let (number, arguments) = rest.split_once('[')?;
    Some((number.parse().ok()?, arguments.strip_suffix(']')?.to_owned()))
}

/// An event without the cursor that it bears, and the cursor; `None` if it bears none.
pub fn without_cursor(is_plain: bool, text: &str) -> Option<(String, String)> {
    let (before, end, close) = match is_plain {
        true => (r#","cursor":""#, r#""}"#, "}"),
        false => (r#",""#, r#""]"#, "]"),
    };
    let (rest, cursor) = text.rsplit_once(before)?;
    let cursor = cursor.strip_suffix(end)?;
    Some((format!("{rest}{close}"), cursor.to_owned()))
}
