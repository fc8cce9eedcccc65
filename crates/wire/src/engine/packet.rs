//! One text packet: a digit, and what follows it.

use super::Violation;

/// A packet that a server sends: the session ends.
pub const CLOSE: &str = "1";
/// Asks for a pong.
pub const PING: &str = "2";
/// Answers `2probe`.
pub const PROBED: &str = "3probe";
/// Ends a poll that would wait.
pub const NOOP: &str = "6";

/// A packet, without its type's digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// `0`: the handshake, which only a server sends.
    Open(&'a str),
    /// `1`: the session ends.
    Close,
    /// `2`: asks for a pong. In this revision a client sends one only as a probe, `2probe`.
    Ping(&'a str),
    /// `3`: answers a ping, with the same text.
    Pong(&'a str),
    /// `4`: a message of the layer above.
    Message(&'a str),
    /// `5`: the session goes on over the transport that brings this.
    Upgrade,
    /// `6`: nothing; it ends a poll that would wait.
    Noop,
}

/// Reads one text packet.
///
/// What follows the digit of a packet that has no content is ignored, as the official parser does.
///
/// # Errors
///
/// If the text is empty or its first character is no type.
pub fn parse(text: &str) -> Result<Packet<'_>, Violation> {
    let Some(&digit) = text.as_bytes().first() else {
        return Err(Violation::of("empty packet"));
    };
    // Each of the digits is one byte long; the texts behind others are not looked at.
    let content = || &text[1..];
    Ok(match digit {
        b'0' => Packet::Open(content()),
        b'1' => Packet::Close,
        b'2' => Packet::Ping(content()),
        b'3' => Packet::Pong(content()),
        b'4' => Packet::Message(content()),
        b'5' => Packet::Upgrade,
        b'6' => Packet::Noop,
        _ => return Err(Violation::of("unknown Engine.IO packet type")),
    })
}
