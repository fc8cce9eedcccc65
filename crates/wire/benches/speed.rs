//! What a message costs here: `cargo bench -p bellwire-wire`.
//!
//! Nanoseconds per operation, the best of several rounds, so that other load on the machine shows
//! as little as possible.

use std::hint::black_box;
use std::time::Instant;

use bellwire_wire::frame::{self, Flow, Limits, Opcode, Reader, Role};
use bellwire_wire::session::{Action, Session};
use bellwire_wire::socketio::{self, Decoder};
use bellwire_wire::{engine, json, plain};

const ROUNDS: usize = 20;
const OPERATIONS: u32 = 20_000;

/// 200 bytes, as a client writes a state.
const COMMAND: &str = r#"{"type":"states:create","id":17,"entity_id":"sensor.kitchen_temperature","state":"21.5","attributes":{"unit_of_measurement":"C","friendly_name":"Kitchen temperature","device_class":"temperature"}}"#;

/// The same as a Socket.IO client sends it, asking for an acknowledgement.
const REQUEST: &str = r#"4217["states:create",{"entity_id":"sensor.kitchen_temperature","state":"21.5","attributes":{"unit_of_measurement":"C","friendly_name":"Kitchen temperature","device_class":"temperature"}}]"#;

/// An event's payload.
const READING: &str = r#"{"sensor_id":1,"value":23.5,"timestamp":"2025-01-01T00:00:00Z"}"#;

#[expect(
    clippy::disallowed_methods,
    reason = "a measurement reads the clock; the crate never does"
)]
fn measure(what: &str, bytes: usize, mut operation: impl FnMut()) {
    let mut best_ns = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..OPERATIONS {
            operation();
        }
        best_ns = best_ns.min(start.elapsed().as_nanos() as f64 / f64::from(OPERATIONS));
    }
    println!("{what:<44} {best_ns:>9.1} ns {:>7.2} GB/s", bytes as f64 / best_ns);
}

fn main() {
    println!("Reader {} bytes, Session {} bytes", size_of::<Reader>(), size_of::<Session>());

    measure("json::object, a command", COMMAND.len(), || {
        black_box(json::object(black_box(COMMAND)).unwrap());
    });
    measure("  serde_json::Value, not strict", COMMAND.len(), || {
        black_box(serde_json::from_str::<serde_json::Value>(black_box(COMMAND)).unwrap());
    });
    measure("plain::parse, a command", COMMAND.len(), || {
        black_box(plain::parse(black_box(COMMAND)).unwrap());
    });
    measure("plain::event_frame, spread", READING.len(), || {
        let form = plain::Form::Spread;
        black_box(plain::event_frame("sensor_data_update", black_box(READING), form, None));
    });
    socketio();

    for len in [16, COMMAND.len(), 16 * 1024, 64 * 1024] {
        let payload = "a".repeat(len);
        let mut masked = Vec::new();
        frame::encode_masked(
            Opcode::Text,
            payload.as_bytes(),
            [0x37, 0xFA, 0x21, 0x3D],
            &mut masked,
        );
        let mut reader = Reader::new(Role::Server, 0);
        let mut buffer = masked.clone();
        measure(&format!("Reader, one text frame of {len}"), len, || {
            buffer.copy_from_slice(&masked); // it was unmasked in place
            reader
                .receive(&Limits::DEFAULT, black_box(&mut buffer), 0, &mut |incoming| {
                    black_box(incoming);
                    Flow::Continue
                })
                .unwrap();
        });
    }

    let mut masked = Vec::new();
    frame::encode_masked(Opcode::Text, COMMAND.as_bytes(), [0x37, 0xFA, 0x21, 0x3D], &mut masked);
    let mut session = Session::new(0);
    let mut buffer = masked.clone();
    measure("Session and plain::parse, a command", COMMAND.len(), || {
        buffer.copy_from_slice(&masked);
        session.receive(&Limits::DEFAULT, &mut buffer, 0, &mut |action| {
            if let Action::Text(text) = action {
                black_box(plain::parse(text).unwrap());
            }
            Flow::Continue
        });
    });
}

fn socketio() {
    measure("socketio::event_frame", READING.len(), || {
        let reading = black_box(READING);
        black_box(socketio::event_frame("/", "sensor_data_update", reading, None));
    });
    let mut decoder = Decoder::default();
    measure("Decoder, a request", REQUEST.len(), || {
        let Ok(engine::Packet::Message(message)) = engine::parse(black_box(REQUEST)) else {
            unreachable!("it is a message");
        };
        black_box(decoder.text(message, 0).unwrap());
    });
    let frames = socketio::event_frame("/", "sensor_data_update", READING, None).repeat(100);
    let mut body = engine::Body::new();
    measure("Body, a poll's answer of 100 events", frames.len(), || {
        body.take(black_box(&frames));
        black_box(body.finish());
    });
}
