//! Frames built. Each is one buffer of exactly the frame's length, so that it is shared by
//! reference count among all who receive it.

use bytes::Bytes;

use super::{CLOSE_REASON_LEN_MAX, CONTROL_LEN_MAX, Opcode, is_valid_close_code, mask};

/// The FIN bit: these writers never fragment (RFC 6455 section 5.4 leaves that to the sender).
const FIN: u8 = 0x80;

/// The MASK bit (RFC 6455 section 5.2).
const MASKED: u8 = 0x80;

/// A whole frame as a server sends it, unmasked: header and payload (RFC 6455 section 5.2).
///
/// # Panics
///
/// If a control frame's payload is over [`CONTROL_LEN_MAX`] bytes: nobody may send that.
pub fn encode(opcode: Opcode, payload: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(header_len(payload.len()) + payload.len());
    put_header(opcode, payload.len(), 0, &mut frame);
    frame.extend_from_slice(payload);
    Bytes::from(frame)
}

/// A text message in one frame (RFC 6455 section 5.6).
pub fn text(payload: &str) -> Bytes {
    encode(Opcode::Text, payload.as_bytes())
}

/// The text of a frame that [`text`] or [`text_of`] made.
pub fn body_of(frame: &[u8]) -> &str {
    let header_len = match frame.get(1) {
        Some(126) => 4,
        Some(127) => 10,
        _ => 2,
    };
    let body = frame.get(header_len..).unwrap_or_default();
    std::str::from_utf8(body).expect("a text frame was made of text")
}

/// One text frame of these pieces, one behind the other: copied once.
pub fn text_of(pieces: &[&str]) -> Bytes {
    let mut frame = Vec::with_capacity(text_len(pieces));
    put_text(pieces, &mut frame);
    Bytes::from(frame)
}

/// How long that frame is, in bytes.
pub fn text_len(pieces: &[&str]) -> usize {
    let payload_len = pieces.iter().map(|piece| piece.len()).sum();
    header_len(payload_len) + payload_len
}

/// Appends that frame to others.
pub fn put_text(pieces: &[&str], out: &mut Vec<u8>) {
    put_header(Opcode::Text, pieces.iter().map(|piece| piece.len()).sum(), 0, out);
    for piece in pieces {
        out.extend_from_slice(piece.as_bytes());
    }
}

/// A close frame (RFC 6455 section 5.5.1). A reason over [`CLOSE_REASON_LEN_MAX`] bytes is cut
/// before the first character that does not fit.
///
/// # Panics
///
/// In debug builds, if no close frame may carry this code ([`is_valid_close_code`]).
pub fn close(code: u16, reason: &str) -> Bytes {
    debug_assert!(is_valid_close_code(code), "close code {code} must not be sent");
    let reason = &reason[..reason.floor_char_boundary(CLOSE_REASON_LEN_MAX)];
    let mut payload = [0; CONTROL_LEN_MAX];
    payload[..2].copy_from_slice(&code.to_be_bytes());
    payload[2..2 + reason.len()].copy_from_slice(reason.as_bytes());
    encode(Opcode::Close, &payload[..2 + reason.len()])
}

/// Appends a whole frame as a client sends it, masked with `key` (RFC 6455 section 5.3; a real
/// client draws each key at random).
///
/// # Panics
///
/// If a control frame's payload is over [`CONTROL_LEN_MAX`] bytes: nobody may send that.
pub fn encode_masked(opcode: Opcode, payload: &[u8], key: [u8; 4], out: &mut Vec<u8>) {
    out.reserve(header_len(payload.len()) + key.len() + payload.len());
    put_header(opcode, payload.len(), MASKED, out);
    out.extend_from_slice(&key);
    let start = out.len();
    out.extend_from_slice(payload);
    mask::apply(&mut out[start..], key);
}

/// How long an unmasked header is: the shortest of the three forms, as RFC 6455 section 5.2 asks.
const fn header_len(payload_len: usize) -> usize {
    match payload_len {
        0..126 => 2,
        126..0x1_0000 => 4,
        _ => 10,
    }
}

fn put_header(opcode: Opcode, payload_len: usize, mask_bit: u8, out: &mut Vec<u8>) {
    assert!(
        !opcode.is_control() || payload_len <= CONTROL_LEN_MAX,
        "a control frame holds {CONTROL_LEN_MAX} bytes, not {payload_len}"
    );
    out.push(FIN | opcode as u8);
    match header_len(payload_len) {
        2 => out.push(mask_bit | payload_len as u8),
        4 => {
            out.push(mask_bit | 126);
            out.extend_from_slice(&(payload_len as u16).to_be_bytes());
        }
        _ => {
            out.push(mask_bit | 127);
            out.extend_from_slice(&(payload_len as u64).to_be_bytes());
        }
    }
}
