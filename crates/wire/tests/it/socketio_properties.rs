//! Socket.IO over random packets: what holds for any of them.

use bellwire_wire::engine;
use bellwire_wire::frame;
use bellwire_wire::socketio::{
    ACK_ID_MAX, ATTACHMENTS_WITHIN_MS, Ack, Decoder, Event, Packet, ack, binary_ack, binary_event,
    connect, connect_error, event, event_frame, request,
};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

use crate::cases;

/// Without the `4` of Engine.IO, which every text of a server begins with.
fn message(text: &str) -> &str {
    match engine::parse(text) {
        Ok(engine::Packet::Message(message)) => message,
        other => panic!("{text}: {other:?}"),
    }
}

/// A JSON text; spaces stand between its tokens, not around it.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        Just("-1.5E+400".to_owned()),
        any::<String>().prop_map(|text| Value::from(text).to_string()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let member = (any::<String>(), inner.clone());
        prop_oneof![
            vec(inner, 0..4).prop_map(|values| format!("[{}]", values.join(" ,"))),
            vec(member, 0..4).prop_map(|members| {
                let members = members
                    .iter()
                    .map(|(key, value)| format!("{}: {value}", Value::from(key.as_str())));
                format!("{{{}}}", members.collect::<Vec<_>>().join(",\n"))
            }),
        ]
    })
}

fn namespace() -> impl Strategy<Value = String> {
    prop_oneof![Just("/".to_owned()), "/[^,{]{1,20}"]
}

/// A name that nobody keeps for himself.
fn name() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|name| format!("{name}!"))
}

fn packet() -> impl Strategy<Value = Packet> {
    let attachments = vec(vec(any::<u8>(), 0..9).prop_map(Bytes::from), 0..11);
    let ack = proptest::option::of(0..=ACK_ID_MAX);
    let parts = (namespace(), ack, proptest::option::of(name()), vec(json(), 0..4), attachments);
    parts.prop_map(|(namespace, ack, name, args, attachments)| match (name, ack) {
        (Some(name), ack) => {
            // There is no writer for both: only clients ask with attachments.
            let ack = ack.filter(|_| attachments.is_empty());
            Packet::Event(Event { namespace, ack, name, args, attachments })
        }
        (None, ack) => Packet::Ack(Ack { namespace, id: ack.unwrap_or(0), args, attachments }),
    })
}

/// The text that is sent for `packet`, and its attachments.
fn encode(packet: &Packet) -> (String, &[Bytes]) {
    match packet {
        Packet::Event(Event { namespace, ack, name, args, attachments }) => {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let text = match (ack, attachments.len()) {
                (None, 0) => event(namespace, name, &args),
                (Some(id), 0) => request(namespace, *id, name, &args),
                (_, count) => binary_event(namespace, name, &args, count),
            };
            (text, attachments)
        }
        Packet::Ack(Ack { namespace, id, args, attachments }) => {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let text = match attachments.len() {
                0 => ack(namespace, *id, &args),
                count => binary_ack(namespace, *id, &args, count),
            };
            (text, attachments)
        }
        other => unreachable!("none is made: {other:?}"),
    }
}

proptest! {
    #![proptest_config(cases(512))]

    /// What a server sends is what a client may send back, so one reads what the other wrote:
    /// arguments to the letter, attachments to the byte, one packet after the other.
    #[test]
    fn packets_survive_the_way(packets in vec(packet(), 1..5)) {
        let mut decoder = Decoder::default();
        for packet in packets {
            let (text, attachments) = encode(&packet);
            let mut decoded = decoder.text(message(&text), 5)?;
            for attachment in attachments {
                prop_assert_eq!(decoded, None);
                prop_assert_eq!(decoder.deadline_ms(), Some(5 + ATTACHMENTS_WITHIN_MS));
                decoded = decoder.binary(attachment)?;
            }
            prop_assert_eq!(decoded, Some(packet));
            prop_assert_eq!(decoder.deadline_ms(), None);
        }
    }

    /// A damaged packet is read or refused, and never half: the decoder either waits for
    /// attachments or for nothing.
    #[test]
    fn damage_is_read_or_refused(
        packet in packet(),
        damages in vec((any::<Index>(), prop_oneof!["[0-9,/\\[\\]{}\":\\\\-]", any::<char>().prop_map(String::from)]), 1..4),
    ) {
        let (text, _) = encode(&packet);
        let mut chars: Vec<String> = message(&text).chars().map(String::from).collect();
        for (at, with) in damages {
            let at = at.index(chars.len());
            chars[at] = with;
        }
        let mut decoder = Decoder::default();
        let decoded = decoder.text(&chars.concat(), 0);
        prop_assert_eq!(decoder.deadline_ms().is_some(), decoded == Ok(None));
        if let Err(violation) = decoded {
            prop_assert!(violation.reason.len() <= 60);
        }
    }

    /// Texts and bytes by chance do not panic, and arguments are JSON whatever was sent.
    #[test]
    fn garbage_is_read_or_refused(messages in vec("[0-6]?[0-9]{0,2}-?(/[a-z]*,)?[\\[{\"a-z0-9:,\\]}]{0,30}", 1..6)) {
        let mut decoder = Decoder::default();
        for message in &messages {
            match decoder.text(message, 0) {
                Ok(Some(Packet::Event(Event { args, .. }) | Packet::Ack(Ack { args, .. }))) => {
                    for arg in &args {
                        prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(arg).is_ok());
                    }
                }
                Ok(Some(_) | None) => {}
                Err(_) => break,
            }
            if decoder.binary(message.as_bytes()).is_err() {
                prop_assert_eq!(decoder.deadline_ms(), None);
            }
        }
    }

    /// An event's frame is its text, framed.
    #[test]
    fn event_frames_are_events(
        namespace in namespace(),
        name in any::<String>(),
        payload in json(),
        cursor in proptest::option::of(any::<String>()),
    ) {
        let framed = event_frame(&namespace, &name, &payload, cursor.as_deref());
        let cursor = cursor.map(|cursor| Value::from(cursor).to_string());
        let args: Vec<&str> = [payload.as_str()].into_iter().chain(cursor.as_deref()).collect();
        prop_assert_eq!(framed, frame::text(&event(&namespace, &name, &args)));
    }

    /// Ids, messages and namespaces are quoted, so that each packet stays one.
    #[test]
    fn what_is_answered_to_connect_is_json(
        namespace in namespace(), sid in any::<String>(), pid in proptest::option::of(any::<String>()),
    ) {
        let text = connect(&namespace, &sid, pid.as_deref());
        let Some(Packet::Connect { namespace: read, auth }) =
            Decoder::default().text(message(&text), 0)? else { panic!("{text}") };
        prop_assert_eq!(read, namespace.clone());
        let auth: Value = serde_json::from_str(&auth.unwrap()).unwrap();
        prop_assert_eq!(&auth["sid"], &Value::from(sid.clone()));
        prop_assert_eq!(auth.get("pid").cloned(), pid.map(Value::from));

        let text = connect_error(&namespace, &sid, Some("[1]"));
        let error = &text[text.find('{').unwrap()..];
        let error: Value = serde_json::from_str(error).unwrap();
        prop_assert_eq!(error, serde_json::json!({"message": sid, "data": [1]}));
    }
}
