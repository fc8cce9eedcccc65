//! From packets to messages. What is handed in as JSON goes out as it is.

use bytes::Bytes;
use serde::de::IgnoredAny;

use super::ROOT;
use crate::frame;
use crate::json::escaped;

/// Lets a client into a namespace: `sid` is its id there, `pid` the one with which it may recover.
pub fn connect(namespace: &str, sid: &str, pid: Option<&str>) -> String {
    let [slash, comma] = prefix(namespace);
    let sid = escaped(sid);
    match pid.map(escaped) {
        None => ["40", slash, comma, "{\"sid\":\"", &sid, "\"}"].concat(),
        Some(pid) => {
            ["40", slash, comma, "{\"sid\":\"", &sid, "\",\"pid\":\"", &pid, "\"}"].concat()
        }
    }
}

/// Does not let a client into a namespace. `data` is a JSON text for programs, `message` is words.
///
/// # Panics
///
/// In debug builds, if `data` is not JSON.
pub fn connect_error(namespace: &str, message: &str, data: Option<&str>) -> String {
    let [slash, comma] = prefix(namespace);
    let message = escaped(message);
    match data {
        None => ["44", slash, comma, "{\"message\":\"", &message, "\"}"].concat(),
        Some(data) => {
            check(data);
            let before = "{\"message\":\"";
            ["44", slash, comma, before, &message, "\",\"data\":", data, "}"].concat()
        }
    }
}

/// Puts a client out of a namespace; it does not come back by itself.
pub fn disconnect(namespace: &str) -> String {
    let [slash, comma] = prefix(namespace);
    ["41", slash, comma].concat()
}

/// An event. Each argument is a JSON text.
///
/// # Panics
///
/// In debug builds, if an argument is not JSON.
pub fn event(namespace: &str, name: &str, args: &[&str]) -> String {
    with_array("2", namespace, None, Some(name), args)
}

/// An event that asks for an acknowledgement with this id.
///
/// # Panics
///
/// In debug builds, if an argument is not JSON.
pub fn request(namespace: &str, id: u64, name: &str, args: &[&str]) -> String {
    with_array("2", namespace, Some(id), Some(name), args)
}

/// The answer to an event that asked for one.
///
/// # Panics
///
/// In debug builds, if an argument is not JSON.
pub fn ack(namespace: &str, id: u64, args: &[&str]) -> String {
    with_array("3", namespace, Some(id), None, args)
}

/// An event with so many attachments, for which placeholders stand in `args`. They follow, each as
/// a binary message, and nothing comes between.
///
/// # Panics
///
/// In debug builds, if an argument is not JSON.
pub fn binary_event(namespace: &str, name: &str, args: &[&str], attachments: usize) -> String {
    with_array(&format!("5{attachments}-"), namespace, None, Some(name), args)
}

/// An answer with so many attachments, as in [`binary_event`].
///
/// # Panics
///
/// In debug builds, if an argument is not JSON.
pub fn binary_ack(namespace: &str, id: u64, args: &[&str], attachments: usize) -> String {
    with_array(&format!("6{attachments}-"), namespace, Some(id), None, args)
}

/// An event with one argument, laid straight into one WebSocket text frame as a server sends it.
/// With a cursor, that is a second argument: what recovery calls the offset.
///
/// # Panics
///
/// In debug builds, if `payload` is not JSON.
pub fn event_frame(namespace: &str, name: &str, payload: &str, cursor: Option<&str>) -> Bytes {
    check(payload);
    let [slash, comma] = prefix(namespace);
    let name = escaped(name);
    match cursor.map(escaped) {
        None => frame::text_of(&["42", slash, comma, "[\"", &name, "\",", payload, "]"]),
        Some(cursor) => frame::text_of(&[
            "42", slash, comma, "[\"", &name, "\",", payload, ",\"", &cursor, "\"]",
        ]),
    }
}

/// The same, asking for an acknowledgement with this id. The payload has the id of the event as its last key,
/// `eventId`, by which a program knows one that it was told before.
///
/// # Panics
///
/// In debug builds, if `payload` is not a JSON object with a key.
pub fn request_frame(namespace: &str, id: u64, name: &str, payload: &str, event: &str) -> Bytes {
    check(payload);
    debug_assert!(payload.ends_with('}') && payload.len() > 2, "an object with a key");
    let [slash, comma] = prefix(namespace);
    let (name, event) = (escaped(name), escaped(event));
    let members = payload.strip_suffix('}').unwrap_or(payload);
    frame::text_of(&[
        "42",
        slash,
        comma,
        &id.to_string(),
        "[\"",
        &name,
        "\",",
        members,
        ",\"eventId\":\"",
        &event,
        "\"}]",
    ])
}

/// A packet whose JSON is an array, with a name as its first element if it is an event's.
fn with_array(
    kind: &str,
    namespace: &str,
    id: Option<u64>,
    name: Option<&str>,
    args: &[&str],
) -> String {
    let [slash, comma] = prefix(namespace);
    let args_len: usize = args.iter().map(|arg| arg.len() + 1).sum();
    let id = id.map(|id| id.to_string()).unwrap_or_default();
    let name = name.map(|name| format!("\"{}\"", escaped(name)));

    let name_len = name.as_ref().map_or(0, String::len);
    let mut text =
        String::with_capacity(kind.len() + slash.len() + id.len() + name_len + args_len + 5);
    for piece in ["4", kind, slash, comma, &id, "["] {
        text.push_str(piece);
    }
    let elements = name.as_deref().into_iter().chain(args.iter().copied());
    for (n, element) in elements.enumerate() {
        check(element);
        if n > 0 {
            text.push(',');
        }
        text.push_str(element);
    }
    text.push(']');
    text
}

/// How a packet names its namespace: not at all, or with a comma behind it.
fn prefix(namespace: &str) -> [&str; 2] {
    debug_assert!(!namespace.contains(','), "a comma ends the name of a namespace");
    match namespace {
        ROOT => ["", ""],
        other => [other, ","],
    }
}

fn check(json: &str) {
    debug_assert!(serde_json::from_str::<IgnoredAny>(json).is_ok(), "an argument is not JSON");
}
