//! What the fuzz targets do with their input: one function each, which panics if a promise of
//! `bellwire_wire` does not hold.
//!
//! The tests of `bellwire_wire` call them too, with each file under `fuzz/corpus`. So what is found
//! once and kept there stays found, without a fuzzer.

use bellwire_wire::frame::{self, Flow, Limits, Opcode, Reader, Role};
use bellwire_wire::socketio::{self, Ack, Decoder, Event, Packet};
use bellwire_wire::{engine, json as strict, plain};
use serde_json::Value;

/// What a client sends over WebSocket: however it is cut into reads, the same comes out.
pub fn frame(data: &[u8]) {
    // Small limits, so that they are met.
    let limits = Limits { message_len_max: 512, fragments_max: 4, pings_per_second_max: 3 };
    let read = |chunks: &mut dyn Iterator<Item = &[u8]>| {
        let mut reader = Reader::new(Role::Server, 0);
        let mut out = Vec::new();
        for chunk in chunks {
            let result = reader.receive(&limits, &mut chunk.to_vec(), 0, &mut |incoming| {
                out.push(format!("{incoming:?}"));
                Flow::Continue
            });
            if let Err(violation) = result {
                out.push(violation.to_string());
                break;
            }
        }
        out
    };
    let whole = read(&mut std::iter::once(data));
    assert_eq!(read(&mut data.chunks(1)), whole);
    assert_eq!(read(&mut data.chunks(7)), whole);
}

/// A text that may be JSON: what is read strictly is the same when it is written and read again, and
/// a message of the plain dialect is such an object with its name taken out.
pub fn json(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let object = strict::object(text);
    if let Ok(message) = plain::parse(text) {
        let fields = object.as_ref().map_or(0, strict::Object::len);
        let taken_out = 1 + usize::from(message.id.is_some());
        assert_eq!(fields, message.payload.len() + taken_out);
    }
    if let Ok(object) = object {
        let written = Value::Object(object.clone()).to_string();
        assert_eq!(strict::object(&written), Ok(object));
    }
}

/// The body of a POST: what is read from it makes the same body again.
pub fn engine(data: &[u8]) {
    let Ok(items) = engine::read_payload(data) else { return };
    let mut body = engine::Body::new();
    for item in &items {
        let frame = match item {
            engine::Item::Text(text) => {
                let is_known = matches!(text.as_bytes()[0], b'0'..=b'6');
                assert_eq!(engine::parse(text).is_ok(), is_known);
                frame::text(text)
            }
            engine::Item::Binary(bytes) => frame::encode(Opcode::Binary, bytes),
        };
        if body.take(&frame) == 0 {
            return; // longer than an answer may be
        }
    }
    assert_eq!(body.finish().as_bytes(), data);
}

/// What one connection sends: messages with 0x1E between them, binary ones behind a `b`. An event
/// or an acknowledgement that is read is the same when it is written and read again.
pub fn socketio(data: &[u8]) {
    let mut decoder = Decoder::default();
    for message in data.split(|&byte| byte == 0x1E) {
        let decoded = match message {
            [b'b', bytes @ ..] => decoder.binary(bytes),
            text => match std::str::from_utf8(text) {
                Ok(text) => decoder.text(text, 0),
                Err(_) => return,
            },
        };
        match decoded {
            Ok(None) => assert!(decoder.deadline_ms().is_some()),
            Ok(Some(packet)) => {
                assert_eq!(decoder.deadline_ms(), None);
                again(packet);
            }
            Err(violation) => {
                assert!(violation.reason.len() <= 60);
                assert_eq!(decoder.deadline_ms(), None);
                return;
            }
        }
    }
}

/// Writes a packet as a server would, and reads that.
fn again(packet: Packet) {
    let (text, attachments) = match &packet {
        Packet::Connect { .. } | Packet::Disconnect { .. } => return,
        // No server asks with attachments.
        Packet::Event(Event { ack: Some(_), attachments, .. }) if !attachments.is_empty() => return,
        Packet::Event(event) => (event_text(event), &event.attachments),
        Packet::Ack(ack) => (ack_text(ack), &ack.attachments),
    };
    let Ok(engine::Packet::Message(message)) = engine::parse(&text) else {
        panic!("{text} is no message");
    };
    let mut decoder = Decoder::default();
    let mut decoded = decoder.text(message, 0);
    for attachment in attachments {
        assert_eq!(decoded, Ok(None));
        decoded = decoder.binary(attachment);
    }
    assert_eq!(decoded, Ok(Some(packet)));
}

fn event_text(event: &Event) -> String {
    let args: Vec<&str> = event.args.iter().map(String::as_str).collect();
    match (event.ack, event.attachments.len()) {
        (None, 0) => socketio::event(&event.namespace, &event.name, &args),
        (Some(id), 0) => socketio::request(&event.namespace, id, &event.name, &args),
        (_, count) => socketio::binary_event(&event.namespace, &event.name, &args, count),
    }
}

fn ack_text(ack: &Ack) -> String {
    let args: Vec<&str> = ack.args.iter().map(String::as_str).collect();
    match ack.attachments.len() {
        0 => socketio::ack(&ack.namespace, ack.id, &args),
        count => socketio::binary_ack(&ack.namespace, ack.id, &args, count),
    }
}
