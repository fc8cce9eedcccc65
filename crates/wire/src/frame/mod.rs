//! WebSocket frames (RFC 6455): [`Reader`] takes them apart, [`encode`] and its siblings build
//! them.
//!
//! Here are the vocabulary and the limits; reading a header is in `head`, gathering payloads in
//! `read`, writing in `write`, the opening handshake's key in `handshake`. Not here: when to send
//! what (that is [`session`](crate::session)) and extensions (none is negotiated).

mod handshake;
mod head;
mod mask;
mod read;
mod write;

pub use handshake::accept_key;
pub(crate) use head::split_whole;
pub use read::Reader;
pub use write::{body_of, close, encode, encode_masked, put_text, text, text_len, text_of};

/// Longest payload of a control frame, in bytes (RFC 6455 section 5.5).
pub const CONTROL_LEN_MAX: usize = 125;

/// Longest reason of a close frame, in bytes: what a control frame holds after the code
/// (RFC 6455 section 5.5.1).
pub const CLOSE_REASON_LEN_MAX: usize = CONTROL_LEN_MAX - 2;

/// What a frame is (RFC 6455 section 5.2, `opcode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment of the message that is under way.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// The sender sends nothing after this.
    Close = 0x8,
    /// Asks for a pong with the same payload.
    Ping = 0x9,
    /// Answers a ping, or just says that the sender lives.
    Pong = 0xA,
}

impl Opcode {
    /// The opcode of these four bits; `None` for the reserved ones.
    const fn from_bits(bits: u8) -> Option<Opcode> {
        Some(match bits {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Text,
            0x2 => Opcode::Binary,
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xA => Opcode::Pong,
            _ => return None,
        })
    }

    /// Whether this is a control frame (RFC 6455 section 5.5): short, whole, and free to stand
    /// between the fragments of a message.
    const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

/// Which end of the connection a [`Reader`] reads for. Clients mask what they send, servers must
/// not, and each end refuses the contrary (RFC 6455 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads what a client sends: masked frames.
    Server,
    /// Reads what a server sends: unmasked frames.
    Client,
}

/// How much a peer may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest message, in bytes of payload over all its fragments. A longer one is refused with
    /// 1009 as soon as its length is announced.
    pub message_len_max: usize,
    /// Most fragments of one message; the next one is refused with 1008.
    pub fragments_max: u32,
    /// Most pings within a second, counted from the first of them; the next one is refused with
    /// 1008.
    pub pings_per_second_max: u32,
}

impl Limits {
    /// What every public endpoint grants: 64 KiB, 1,024 fragments, 20 pings a second.
    pub const DEFAULT: Limits =
        Limits { message_len_max: 64 * 1024, fragments_max: 1024, pings_per_second_max: 20 };
}

/// What a [`Reader`] hands out. The payload lives until the callback returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// A ping; its payload belongs into the pong (RFC 6455 section 5.5.3).
    Ping(&'a [u8]),
    /// A pong, asked for or not.
    Pong(&'a [u8]),
    /// The peer's close frame: its code and reason, `None` when it gave no code. Nothing follows.
    Close(Option<(u16, &'a str)>),
}

/// Why the connection must fail (RFC 6455 section 7.1.7): the close code to send, and words for
/// the close frame's reason and the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// 1002 protocol error, 1007 text that is not UTF-8, 1008 too many fragments or pings, or
    /// 1009 message too big (RFC 6455 section 7.4.1).
    pub code: u16,
    /// What was wrong, within [`CLOSE_REASON_LEN_MAX`] bytes.
    pub reason: &'static str,
}

impl Violation {
    const fn protocol(reason: &'static str) -> Violation {
        Violation { code: 1002, reason }
    }

    const NOT_UTF8: Violation = Violation { code: 1007, reason: "text is not valid UTF-8" };
    const TOO_MANY_FRAGMENTS: Violation = Violation { code: 1008, reason: "too many fragments" };
    const TOO_MANY_PINGS: Violation = Violation { code: 1008, reason: "too many pings" };
    const TOO_BIG: Violation = Violation { code: 1009, reason: "message too big" };
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.reason, self.code)
    }
}

impl std::error::Error for Violation {}

/// The receiver's answer to each thing handed out: go on, or stop here for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Hand out the next one.
    Continue,
    /// Keep the rest; a later `receive` goes on with it.
    Pause,
}

/// Whether a close frame may carry this code: 1000 to 1003, 1007 to 1014, 3000 to 4999.
///
/// RFC 6455 section 7.4 keeps 1004 to 1006 and 1015 off the wire, leaves 0 to 999 unused and
/// reserves the rest of 1016 to 2999 for revisions of itself; 1012 to 1014 are in IANA's WebSocket
/// Close Code Number registry.
pub const fn is_valid_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
