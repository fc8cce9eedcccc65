//! Engine.IO, revision 4 (`EIO=4`): the packets under Socket.IO, over WebSocket and long polling.
//!
//! A packet is a text that begins with its type, a digit. Over WebSocket each is a message of its
//! own, and a binary message is the bytes of a message packet as they are. Over HTTP packets come
//! many to a body, with 0x1E between them, and binary ones as `b` and base64.
//!
//! Two rules hold here. What violates the protocol closes the session, and [`Violation`] says why;
//! what is refused before there is a session is answered over HTTP with a [`Refusal`]. And an event
//! is encoded once for both transports: a poll's answer is made of the frames that a WebSocket is
//! sent ([`Body`]).
//!
//! Here is reading one packet in `packet`, bodies in `payload`, the first packet and refusals in
//! `handshake`, liveness in `heartbeat`. Not here: who asks when, sessions and their transports
//! (that is the driver), and what messages mean ([`socketio`](crate::socketio)).
//!
//! Source: the Engine.IO protocol, revision 4, as <https://socket.io/docs/v4/engine-io-protocol/>
//! has it; where it is silent, what the official server does.

mod handshake;
mod heartbeat;
mod packet;
mod payload;

pub use handshake::{Refusal, Timing, open};
pub use heartbeat::{Heartbeat, Tick};
pub use packet::{CLOSE, NOOP, PING, PROBED, Packet, parse};
pub use payload::{Body, Item, read_payload};

use std::fmt;

/// How long after a ping the server sends the next, by default, in milliseconds.
pub const PING_INTERVAL_MS: u64 = 25_000;

/// How long a ping may stay unanswered, by default, in milliseconds.
pub const PING_TIMEOUT_MS: u64 = 20_000;

/// Longest body of one HTTP request or answer, in bytes: the handshake's `maxPayload`. Whoever
/// receives a body stops there; [`Body`] keeps to it for answers.
pub const PAYLOAD_LEN_MAX: usize = 1_000_000;

/// Most packets in the body of one request.
pub const PACKETS_MAX: usize = 1_000;

/// Longest packet in such a body, in bytes: of its text, or of the binary message that it is.
pub const PACKET_LEN_MAX: usize = 64 << 10;

/// Why a session must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What was wrong, in at most 60 bytes, for a close frame's reason and the log.
    pub reason: &'static str,
}

impl Violation {
    pub(crate) const fn of(reason: &'static str) -> Violation {
        Violation { reason }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

impl std::error::Error for Violation {}
