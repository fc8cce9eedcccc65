//! Bodies of long polling: packets with 0x1E between them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{PACKET_LEN_MAX, PACKETS_MAX, PAYLOAD_LEN_MAX, Violation};
use crate::frame::{Opcode, split_whole};

/// Stands between two packets. JSON has no such character, it writes it as an escape.
const SEPARATOR: u8 = 0x1E;

/// Stands before the base64 of a binary message.
const BINARY: u8 = b'b';

/// One packet of a request's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// The whole text of a packet, for [`parse`](super::parse); never empty.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
}

/// Takes a request's body apart. How long it may be ([`PAYLOAD_LEN_MAX`]) is seen to where it is
/// received.
///
/// # Errors
///
/// If the body or a packet in it is empty, there are more than [`PACKETS_MAX`], one is longer than
/// [`PACKET_LEN_MAX`], a text is not UTF-8, or a binary message is not base64 (RFC 4648 section 4,
/// padded).
pub fn read_payload(body: &[u8]) -> Result<Vec<Item>, Violation> {
    if body.is_empty() {
        return Err(Violation::of("empty payload"));
    }
    let packets = 1 + body.iter().filter(|&&byte| byte == SEPARATOR).count();
    if packets > PACKETS_MAX {
        return Err(Violation::of("too many packets in a payload"));
    }
    body.split(|&byte| byte == SEPARATOR).map(item).collect()
}

fn item(packet: &[u8]) -> Result<Item, Violation> {
    const TOO_LONG: Violation = Violation::of("packet too long");
    /// The longest base64 of a message that is not too long.
    const ENCODED_LEN_MAX: usize = PACKET_LEN_MAX.div_ceil(3) * 4;

    match packet {
        [] => Err(Violation::of("empty packet")),
        [BINARY, encoded @ ..] if encoded.len() > ENCODED_LEN_MAX => Err(TOO_LONG),
        [BINARY, encoded @ ..] => match STANDARD.decode(encoded) {
            Ok(bytes) if bytes.len() > PACKET_LEN_MAX => Err(TOO_LONG),
            Ok(bytes) => Ok(Item::Binary(bytes)),
            Err(_) => Err(Violation::of("binary packet is not base64")),
        },
        text if text.len() > PACKET_LEN_MAX => Err(TOO_LONG),
        text => match std::str::from_utf8(text) {
            Ok(text) => Ok(Item::Text(text.to_owned())),
            Err(_) => Err(Violation::of("payload is not valid UTF-8")),
        },
    }
}

/// The body of a poll's answer, made of the frames that a WebSocket would be sent instead: a text
/// frame is a packet, a binary frame becomes `b` and base64. WebSocket's own control frames have no
/// counterpart here and are left out.
///
/// A text with an 0x1E in it would arrive as two packets. Socket.IO's have none, since they are
/// JSON behind their heads.
#[derive(Clone, Debug, Default)]
pub struct Body {
    text: String,
}

impl Body {
    /// A body without packets. It owns no memory.
    pub fn new() -> Body {
        Body::default()
    }

    /// Takes the packets of as many of these frames as there is room for, and says how many bytes
    /// they were. `frames` are whole and unmasked, as [`frame::encode`](crate::frame::encode)
    /// builds them, one behind the other; a last one that is incomplete is left.
    ///
    /// It stops before a frame with which the body would be longer than [`PAYLOAD_LEN_MAX`],
    /// unless it is the first: a packet longer than that still has to go out.
    ///
    /// # Panics
    ///
    /// If something else than such frames is there: who calls has mixed something up.
    pub fn take(&mut self, frames: &[u8]) -> usize {
        let mut taken = 0;
        while let Some((opcode, payload, frame_len)) = split_whole(&frames[taken..]) {
            let packet_len = match opcode {
                Opcode::Text => payload.len(),
                Opcode::Binary => 1 + payload.len().div_ceil(3) * 4,
                _ => {
                    taken += frame_len;
                    continue;
                }
            };
            if !self.is_empty() {
                if self.text.len() + 1 + packet_len > PAYLOAD_LEN_MAX {
                    break;
                }
                self.text.push(char::from(SEPARATOR));
            }
            match opcode {
                Opcode::Text => {
                    let text = std::str::from_utf8(payload).expect("our text frames are UTF-8");
                    self.text.push_str(text);
                }
                _ => {
                    self.text.push(char::from(BINARY));
                    STANDARD.encode_string(payload, &mut self.text);
                }
            }
            taken += frame_len;
        }
        taken
    }

    /// Whether it has no packet: then there is nothing to answer a poll with.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The body as it is sent. What stays is empty again.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.text)
    }
}
