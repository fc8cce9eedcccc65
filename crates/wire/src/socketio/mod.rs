//! Socket.IO, revision 5 of its protocol (Socket.IO 3 and 4): what the messages of
//! [`engine`](crate::engine) mean.
//!
//! A packet is a text: its type (a digit), how many attachments follow it (`2-`, of the two binary
//! types alone), its namespace (`/states,`, left out for `/`), an acknowledgement's id, and JSON.
//! Attachments are the binary messages right behind it; in its JSON `{"_placeholder":true,"num":0}`
//! stands where the first belongs.
//!
//! Inwards, one [`Decoder`] per connection makes [`Packet`]s. Whatever is none is a [`Violation`],
//! which closes the connection. Outwards there is a function per kind of packet; their texts begin
//! with the `4` of an Engine.IO message, since there is no other way to send them.
//!
//! Arguments stay texts, each exactly as it came. They are known to be JSON by its grammar, no more:
//! who uses one reads it with [`json`](crate::json), which is strict and limits its depth.
//!
//! Here are the packets and their limits; reading is in `decode`, placeholders in `placeholders`,
//! writing in `encode`. Not here: which namespaces and events exist, who may connect, what waits
//! for an acknowledgement, and recovery.
//!
//! Source: <https://socket.io/docs/v4/socket-io-protocol/>, and where it is silent, what the
//! official parser does.

mod decode;
mod encode;
mod placeholders;

pub use crate::engine::Violation;
pub use decode::Decoder;
pub use encode::{
    ack, binary_ack, binary_event, connect, connect_error, disconnect, event, event_frame, request,
    request_frame,
};

use bytes::Bytes;

/// Most attachments of one packet.
pub const ATTACHMENTS_MAX: usize = 10;

/// How long a packet may wait for its attachments, in milliseconds.
pub const ATTACHMENTS_WITHIN_MS: u64 = 10_000;

/// Longest name of a namespace, its slash included, in bytes.
pub const NAMESPACE_LEN_MAX: usize = 128;

/// Largest id of an acknowledgement: up to here a client's numbers are exact.
pub const ACK_ID_MAX: u64 = 1 << 53;

/// The namespace of packets that name none.
pub const ROOT: &str = "/";

/// What a client sends, its attachments with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// It asks to be let into a namespace.
    Connect {
        /// Which, with its slash.
        namespace: String,
        /// The JSON text of an object, usually with a credential.
        auth: Option<String>,
    },
    /// It leaves a namespace.
    Disconnect {
        /// Which, with its slash.
        namespace: String,
    },
    /// It tells or asks something.
    Event(Event),
    /// It answers an event that asked for it.
    Ack(Ack),
}

/// An event with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Where, with its slash.
    pub namespace: String,
    /// The id to answer with, if an answer is asked for; at most [`ACK_ID_MAX`].
    pub ack: Option<u64>,
    /// The first element: a string, or a number's text. None of the names that Socket.IO keeps for
    /// itself; otherwise of any length and content.
    pub name: String,
    /// The JSON text of each further element. In a packet with attachments every placeholder names
    /// one of them; in others it is an object like any other.
    pub args: Vec<String>,
    /// The binary messages that came with it, as many as it announced.
    pub attachments: Vec<Bytes>,
}

/// The answer to an event of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Where, with its slash.
    pub namespace: String,
    /// The id that the event had; at most [`ACK_ID_MAX`].
    pub id: u64,
    /// The JSON text of each element, as in [`Event::args`].
    pub args: Vec<String>,
    /// The binary messages that came with it, as many as it announced.
    pub attachments: Vec<Bytes>,
}
