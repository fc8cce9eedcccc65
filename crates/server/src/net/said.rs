//! What is said to one client, as a frame of what it speaks.

use bellwire_services::kit::Said;
use bellwire_wire::{
    frame,
    plain::{self, Form},
    socketio,
};
use bytes::Bytes;

use crate::hub::recent::Shape;

/// What a call is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Words {
    /// This frame.
    Frame(Bytes),
    /// An event that says up to where its client was told the log: that is known when its turn comes.
    Event(Said),
}

/// How a call is to be answered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// The acknowledgement that it asked for, over Socket.IO.
    pub ack: Option<u64>,
    /// Its `id`, as JSON text.
    pub id: Option<&'a str>,
}

/// As a frame of the plain dialect.
pub fn plain(said: &Said) -> Bytes {
    plain::event_frame(&said.event, &said.payload, Form::Spread, None)
}

/// As an event of Socket.IO; a cursor is its last argument.
pub fn event(namespace: &str, said: &Said, cursor: Option<&str>) -> Bytes {
    socketio::event_frame(namespace, &said.event, &said.payload, cursor)
}

/// As an event of a shape, in this namespace if it is one of Socket.IO. There the cursor is the last argument
/// where the shape has one; a plain frame that is no event of the log has none.
pub fn event_in(namespace: Option<&str>, shape: Shape, said: &Said, cursor: Option<&str>) -> Bytes {
    match (namespace, shape) {
        (Some(path), shape) => event(path, said, cursor.filter(|_| shape.has_cursor())),
        (None, Shape::Bare | Shape::BareCursor) => frame::text(&said.payload),
        (None, _) => plain(said),
    }
}

/// As the acknowledgement of an event of Socket.IO.
pub fn ack(namespace: &str, id: u64, said: &Said) -> Bytes {
    frame::text(&socketio::ack(namespace, id, &[&said.payload]))
}

/// A snapshot. In the plain dialect the cursor is a key.
pub fn snapshot(
    namespace: Option<&str>,
    Asked { ack: ack_id, id }: Asked<'_>,
    said: Said,
    cursor: Option<&str>,
) -> Bytes {
    let with = |said: Said, key: &str, value: Option<&str>| match value {
        Some(value) => said.with(key, value),
        None => said,
    };
    match (namespace, ack_id) {
        (None, _) => {
            let cursor = cursor.map(|cursor| format!(r#""{cursor}""#));
            plain(&with(with(said, "cursor", cursor.as_deref()), "id", id))
        }
        (Some(path), None) => event(path, &with(said, "id", id), cursor),
        (Some(path), Some(ack_id)) => {
            let payload = [r#"{"success":true,"#, &said.payload[1..]].concat();
            ack(path, ack_id, &with(Said { payload, ..said }, "id", id))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_has_the_form_that_was_asked_for() {
        let said = || Said { event: "all".into(), payload: r#"{"data":[1]}"#.into() };
        let check = |namespace, (ack, id), cursor, text: &str| {
            let asked = Asked { ack, id };
            assert_eq!(snapshot(namespace, asked, said(), cursor), frame::text(text));
        };
        let (plain, root, own) = (None, Some("/"), Some("/own"));
        check(plain, (None, None), None, r#"{"type":"all","data":[1]}"#);
        check(
            plain,
            (None, Some("7")),
            Some("e.1"),
            r#"{"type":"all","data":[1],"cursor":"e.1","id":7}"#,
        );
        check(root, (None, None), None, r#"42["all",{"data":[1]}]"#);
        check(own, (None, Some("7")), Some("e.1"), r#"42/own,["all",{"data":[1],"id":7},"e.1"]"#);
        check(own, (Some(3), None), Some("e.1"), r#"43/own,3[{"success":true,"data":[1]}]"#);
    }
}
