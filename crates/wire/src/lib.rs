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
//!                                          |
//!                                        json
//! ```
//!
//! | module | is |
//! |---|---|
//! | [`frame`] | RFC 6455 frames: the reader, the pre-encoded writers, close codes, the handshake's key |
//! | [`session`] | one WebSocket connection: pongs, liveness, the close handshake |
//! | [`json`] | JSON read strictly: one meaning per text, or a refusal |
//! | [`plain`] | the plain dialect: `{"type":NAME,...}` to a message and an event to its frame |
//!
//! # How a driver uses it
//!
//! One [`Session`](session::Session) per connection. Its driver does four things: hands it what
//! it read, writes the replies, asks [`tick`](session::Session::tick) when it said it wants to be
//! asked, and obeys [`Action::Closed`](session::Action::Closed). Events are encoded once, with
//! [`plain::event_frame`], and written to any number of connections.
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
