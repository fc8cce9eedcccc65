//! The protocols: what holds for any bytes that `bellwire_wire` reads.

use bellwire_wire::{
    engine, frame,
    frame::{CLOSE_REASON_LEN_MAX, Flow, Incoming, Limits, Opcode, Reader, Role},
    json as strict,
    plain::{self, Form},
    session::{Action, DEAD_AFTER_MS, Session, Tick},
    socketio::{self, Ack, Decoder, Event, Packet},
};
use serde_json::Value;

/// Small, so that they are met.
const LIMITS: Limits = Limits { message_len_max: 512, fragments_max: 4, pings_per_second_max: 3 };

/// The most words about a text that is no JSON, in bytes.
const WORDS_LEN_MAX: usize = 200;

/// What a client sends over WebSocket.
///
/// - However it is cut into reads, and whenever the receiver pauses, the same comes out.
/// - What comes out keeps the limits, what is kept for later too, and nothing follows a close or a violation.
/// - What comes out can be sent again, and read.
/// - A session answers with whole frames, closes once with a code that may be sent, and ends.
pub fn frame(data: &[u8]) {
    let whole = read(&mut std::iter::once(data), Flow::Continue);
    assert_eq!(read(&mut data.chunks(1), Flow::Continue), whole);
    assert_eq!(read(&mut data.chunks(7), Flow::Continue), whole);
    assert_eq!(read(&mut data.chunks(11), Flow::Pause), whole);
    session(data);
}

/// What comes out of some reads, the violation last.
fn read(chunks: &mut dyn Iterator<Item = &[u8]>, flow: Flow) -> Vec<String> {
    let mut reader = Reader::new(Role::Server, 0);
    let mut out: Vec<String> = Vec::new();
    let mut is_closed = false;
    for chunk in chunks {
        let mut bytes = chunk.to_vec();
        loop {
            let result = reader.receive(&LIMITS, &mut bytes, 0, &mut |incoming| {
                assert!(!is_closed, "something follows a close frame");
                is_closed = matches!(incoming, Incoming::Close(_));
                within_limits(&incoming);
                again_framed(&incoming);
                out.push(format!("{incoming:?}"));
                flow
            });
            if let Err(violation) = result {
                assert!(matches!(violation.code, 1002 | 1007 | 1008 | 1009), "{violation}");
                assert!(violation.reason.len() <= CLOSE_REASON_LEN_MAX, "{violation}");
                out.push(violation.to_string());
                assert!(!reader.has_buffered(), "a reader that ended owns memory");
                return out;
            }
            bytes.clear();
            if !reader.has_unread() {
                break;
            }
        }
    }
    // A byte takes up to five characters there.
    let kept = format!("{reader:?}").len();
    assert!(kept <= 5 * (LIMITS.message_len_max + 125 + 14) + 600, "{kept}");
    out
}

fn within_limits(incoming: &Incoming<'_>) {
    match incoming {
        Incoming::Text(text) => assert!(text.len() <= LIMITS.message_len_max),
        Incoming::Binary(bytes) => assert!(bytes.len() <= LIMITS.message_len_max),
        Incoming::Ping(payload) | Incoming::Pong(payload) => assert!(payload.len() <= 125),
        Incoming::Close(None) => {}
        Incoming::Close(Some((code, reason))) => {
            assert!(frame::is_valid_close_code(*code), "{code}");
            assert!(reason.len() <= CLOSE_REASON_LEN_MAX);
        }
    }
}

/// Sends what came out as another client would, and reads that.
fn again_framed(incoming: &Incoming<'_>) {
    let close;
    let (opcode, payload) = match incoming {
        Incoming::Text(text) => (Opcode::Text, text.as_bytes()),
        Incoming::Binary(bytes) => (Opcode::Binary, *bytes),
        Incoming::Ping(payload) => (Opcode::Ping, *payload),
        Incoming::Pong(payload) => (Opcode::Pong, *payload),
        Incoming::Close(None) => (Opcode::Close, &[][..]),
        Incoming::Close(Some((code, reason))) => {
            close = [&code.to_be_bytes(), reason.as_bytes()].concat();
            (Opcode::Close, &close[..])
        }
    };
    let mut bytes = Vec::new();
    frame::encode_masked(opcode, payload, [1, 2, 3, 4], &mut bytes);
    let mut seen = 0;
    let result = Reader::new(Role::Server, 0).receive(&LIMITS, &mut bytes, 0, &mut |read| {
        assert_eq!(read, *incoming);
        seen += 1;
        Flow::Continue
    });
    assert_eq!((result, seen), (Ok(()), 1));
}

/// A session with the same client.
fn session(data: &[u8]) {
    let mut session = Session::new(0);
    let mut client = Reader::new(Role::Client, 0);
    let (mut closes, mut is_over) = (0, false);
    let roomy = Limits { pings_per_second_max: u32::MAX, ..Limits::DEFAULT };
    for chunk in data.chunks(64) {
        session.receive(&LIMITS, &mut chunk.to_vec(), 1, &mut |action| {
            if let Action::Reply(frame) = &action {
                assert!(closes == 0 && !is_over, "a frame follows the close frame");
                let result = client.receive(&roomy, &mut frame.to_vec(), 1, &mut |told| {
                    closes += usize::from(matches!(told, Incoming::Close(_)));
                    Flow::Continue
                });
                assert_eq!(result, Ok(()), "a server's frame is none");
                assert!(!client.has_buffered(), "half a frame");
            }
            is_over |= action == Action::Closed;
            Flow::Continue
        });
    }
    assert_eq!(session.is_open(), closes == 0, "a session closes by a frame");
    let ends_ms = 1 + DEAD_AFTER_MS;
    assert_eq!(session.tick(ends_ms), Tick::Dead, "nobody says anything any more");
}

/// A text that may be JSON.
///
/// - What is read strictly has no level, key or character that is refused, and is the same when it is written and read
///   again.
/// - What is refused is refused in few words.
/// - A message of the plain dialect is such an object with its name taken out; an event with its payload is read as it
///   was written.
pub fn json(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let object = strict::object(text);
    let called = plain::call("name".to_owned(), text);
    if let Ok(message) = plain::parse(text) {
        let fields = object.as_ref().map_or(0, strict::Object::len);
        let taken_out = 1 + usize::from(message.id.is_some());
        assert_eq!(fields, message.payload.len() + taken_out);
        assert!((1..=plain::NAME_LEN_MAX).contains(&message.name.len()));
        let payload = Value::Object(message.payload.clone()).to_string();
        let told = plain::event(&message.name, &payload, Form::Spread, None);
        let again = plain::parse(&told).expect("what was read can be told");
        assert_eq!((again.name, again.payload), (message.name, message.payload));
    }
    match object {
        Ok(object) => {
            for (key, value) in &object {
                assert!(!key.contains('\0'));
                assert!(depth(value) < strict::DEPTH_MAX, "too deep");
            }
            let call = called.map_or(0, |call| call.payload.len() + usize::from(call.id.is_some()));
            assert!(call == object.len() || object.contains_key("id"));
            let written = Value::Object(object.clone()).to_string();
            assert_eq!(strict::object(&written), Ok(object));
        }
        Err(strict::Malformed::Syntax(words)) => {
            assert!(words.len() <= WORDS_LEN_MAX, "{words}");
            assert_eq!(called, Err(plain::Refused::Json));
        }
        Err(strict::Malformed::Number { field, rest }) => {
            assert!(!rest.contains_key(&field));
            assert!(called.is_err());
        }
    }
}

/// How many levels a value has, and that its texts can be stored.
fn depth(value: &Value) -> usize {
    match value {
        Value::String(text) => {
            assert!(!text.contains('\0'));
            0
        }
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => {
            assert!(fields.keys().all(|key| !key.contains('\0')));
            1 + fields.values().map(depth).max().unwrap_or(0)
        }
        _ => 0,
    }
}

/// The body of a POST: within its limits, and what is read from it makes the same body again.
pub fn engine(data: &[u8]) {
    let items = match engine::read_payload(data) {
        Ok(items) => items,
        Err(violation) => return assert!(violation.reason.len() <= 60, "{violation}"),
    };
    assert!((1..=engine::PACKETS_MAX).contains(&items.len()));
    let (mut body, mut together) = (engine::Body::new(), Vec::new());
    for item in &items {
        let frame = match item {
            engine::Item::Text(text) => {
                assert!((1..=engine::PACKET_LEN_MAX).contains(&text.len()));
                let is_known = matches!(text.as_bytes()[0], b'0'..=b'6');
                assert_eq!(engine::parse(text).is_ok(), is_known);
                frame::text(text)
            }
            engine::Item::Binary(bytes) => {
                assert!(bytes.len() <= engine::PACKET_LEN_MAX);
                frame::encode(Opcode::Binary, bytes)
            }
        };
        if body.take(&frame) == 0 {
            return; // longer than an answer may be
        }
        together.extend_from_slice(&frame);
    }
    let mut once = engine::Body::new();
    assert_eq!(once.take(&together), together.len());
    let text = body.finish();
    assert_eq!(once.finish(), text);
    assert_eq!(text.as_bytes(), data);
}

/// What one connection sends: messages with 0x1E between them, binary ones behind a `b`.
///
/// - What is read keeps the limits, and has a placeholder for nothing that is not there.
/// - It is the same when it is written and read again.
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
                in_bounds(&packet);
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

fn in_bounds(packet: &Packet) {
    let namespace = match packet {
        Packet::Connect { namespace, .. } | Packet::Disconnect { namespace } => namespace,
        Packet::Event(event) => &event.namespace,
        Packet::Ack(ack) => &ack.namespace,
    };
    assert!(namespace.starts_with('/') && !namespace.contains(','), "{namespace}");
    assert!(namespace.len() <= socketio::NAMESPACE_LEN_MAX);
    let (ack, args, attachments) = match packet {
        Packet::Event(event) => {
            let reserved = [
                "connect",
                "connect_error",
                "disconnect",
                "disconnecting",
                "newListener",
                "removeListener",
            ];
            assert!(!reserved.contains(&event.name.as_str()), "{}", event.name);
            (event.ack, &event.args, event.attachments.len())
        }
        Packet::Ack(ack) => (Some(ack.id), &ack.args, ack.attachments.len()),
        _ => return,
    };
    assert!(ack.is_none_or(|id| id <= socketio::ACK_ID_MAX));
    assert!(attachments <= socketio::ATTACHMENTS_MAX);
    if attachments > 0 {
        // What is too deep for this reader is not looked at.
        let values = args.iter().filter_map(|arg| serde_json::from_str(arg).ok());
        values.for_each(|value: Value| placeholders_within(&value, attachments as u64));
    }
}

fn placeholders_within(value: &Value, attachments: u64) {
    match value {
        Value::Array(values) => {
            values.iter().for_each(|value| placeholders_within(value, attachments));
        }
        Value::Object(fields) => {
            if fields.get("_placeholder") == Some(&Value::Bool(true)) {
                let num = fields.get("num").and_then(Value::as_u64);
                assert!(num.is_some_and(|num| num < attachments), "{value}");
            }
            fields.values().for_each(|value| placeholders_within(value, attachments));
        }
        _ => {}
    }
}

/// Writes a packet, and reads that.
fn again(packet: Packet) {
    let (text, attachments) = match &packet {
        // Only clients send these two.
        Packet::Connect { namespace, auth } => {
            (format!("40{namespace},{}", auth.as_deref().unwrap_or_default()), &Vec::new())
        }
        Packet::Disconnect { namespace } => (socketio::disconnect(namespace), &Vec::new()),
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
