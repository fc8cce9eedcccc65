//! The protocols of Bellwire, without input or output.
//!
//! # The invariant
//!
//! **Bytes in, decisions out.** Nothing in this crate reads a socket, a clock, a file or a source
//! of chance, starts a thread, or knows what a store or a service is. Time is an argument, in
//! milliseconds of any clock that does not go backwards. The same calls give the same answers, so
//! that every rule below is tested as data, and the same code serves any driver.
//!
//! Three more things hold everywhere:
//!
//! - **Input never panics.** Whatever a peer sends ends in a message, in a refusal with a defined
//!   code, or in waiting for more. A panic here is a bug of the caller and says which.
//! - **Memory follows what was received, never what was announced.** A length is judged against
//!   its limit when the header is read; a buffer grows with the bytes that arrive. A connection
//!   between two messages owns no buffer at all.
//! - **How bytes are cut into reads changes nothing.** A stream given byte by byte and the same
//!   stream given at once yield the same outputs in the same order, violations included.
//!
//! # The layers
//!
//! ```text
//!   socket bytes <-> frame -> session -> plain -> name, id, payload
//!                                \         |
//!   HTTP bodies <------------> engine    json
//!                                 \
//!                               socketio -> namespace, name, arguments, attachments
//! ```
//!
//! | module | is |
//! |---|---|
//! | [`frame`] | RFC 6455 frames: the reader, the pre-encoded writers, close codes, the handshake's key |
//! | [`session`] | one WebSocket connection: pongs, liveness, the close handshake |
//! | [`json`] | JSON read strictly: one meaning per text, or a refusal |
//! | [`plain`] | the plain dialect: `{"type":NAME,...}` to a message and an event to its frame |
//! | [`engine`] | Engine.IO 4: packets, bodies of long polling, the open packet, the heartbeat |
//! | [`socketio`] | Socket.IO 5: messages to packets with their attachments, packets to messages |
//!
//! # How a driver uses it
//!
//! One [`Session`](session::Session) per connection. Its driver does four things: hands it what
//! it read, writes the replies, asks [`tick`](session::Session::tick) when it said it wants to be
//! asked, and obeys [`Action::Closed`](session::Action::Closed). Events are encoded once, with
//! [`plain::event_frame`] or [`socketio::event_frame`], and written to any number of connections. A
//! session on long polling queues the same frames, and [`engine::Body`] makes a poll's answer of them.
//!
//! ```
//! use bellwire_wire::frame::{self, Flow, Limits, Opcode};
//! use bellwire_wire::plain;
//! use bellwire_wire::session::{Action, Session, Tick};
//!
//! let mut session = Session::new(0);
//! let mut to_write = Vec::new();
//!
//! // What a client sends: one masked text frame.
//! let mut read = Vec::new();
//! let key = [1, 2, 3, 4];
//! frame::encode_masked(Opcode::Text, br#"{"type":"ping","timestamp":"now"}"#, key, &mut read);
//!
//! session.receive(&Limits::DEFAULT, &mut read, 10, &mut |action| {
//!     match action {
//!         Action::Text(text) => {
//!             let message = plain::parse(text).unwrap();
//!             assert_eq!(message.name, "ping");
//!             let pong = serde_json::to_string(&message.payload).unwrap();
//!             to_write.push(plain::event_frame("pong", &pong, plain::Form::Spread, None));
//!         }
//!         Action::Binary(_) => unreachable!("none was sent"),
//!         Action::Reply(frame) => to_write.push(frame),
//!         Action::Closed => {}
//!     }
//!     Flow::Continue
//! });
//! assert_eq!(&to_write[0][2..], br#"{"type":"pong","timestamp":"now"}"#);
//!
//! // A quiet connection is asked whether it still lives.
//! assert!(matches!(session.tick(25_010), Tick::Ping { .. }));
//! ```
//!
//! A Socket.IO connection has two more values: an [`engine::Heartbeat`] instead of WebSocket's
//! pings, and a [`socketio::Decoder`] for what [`engine::parse`] calls a message:
//!
//! ```
//! use bellwire_wire::engine::{self, Heartbeat, Tick, Timing};
//! use bellwire_wire::socketio::{self, Decoder, Packet};
//!
//! let timing = Timing::default();
//! let mut heartbeat = Heartbeat::new(0);
//! let mut decoder = Decoder::default();
//! let mut to_write = Vec::new();
//!
//! // What a client sends over WebSocket, one message each.
//! for text in ["40", "42/states,7[\"states:get\",{\"entity_id\":\"light.hall\"}]", "3"] {
//!     heartbeat.heard(10);
//!     let packet = match engine::parse(text).unwrap() {
//!         engine::Packet::Message(message) => decoder.text(message, 10).unwrap(),
//!         _ => None,
//!     };
//!     match packet {
//!         Some(Packet::Connect { namespace, .. }) => {
//!             to_write.push(socketio::connect(&namespace, "lv_VI97HAXpY6yYW", None));
//!         }
//!         Some(Packet::Event(event)) => {
//!             let id = event.ack.unwrap();
//!             to_write.push(socketio::ack(&event.namespace, id, &[r#"{"state":"on"}"#]));
//!         }
//!         _ => {}
//!     }
//! }
//! assert_eq!(to_write[0], r#"40{"sid":"lv_VI97HAXpY6yYW"}"#);
//! assert_eq!(to_write[1], r#"43/states,7[{"state":"on"}]"#);
//! assert!(matches!(heartbeat.tick(&timing, 25_000), Tick::Ping { next_ms: 45_000 }));
//! ```
//!
//! # What is not here
//!
//! No TLS, no HTTP, no compression (`permessage-deflate` is never negotiated here, hence all
//! reserved bits are violations), no list of commands: which names exist and what their fields may
//! hold is known to the services' tables alone.

#![forbid(unsafe_code)]

pub mod engine;
pub mod frame;
pub mod json;
pub mod plain;
pub mod session;
pub mod socketio;
