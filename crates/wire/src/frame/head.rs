//! One frame's header, judged as far as it can be without knowing what came before it
//! (RFC 6455 section 5.2).

use super::{CONTROL_LEN_MAX, Opcode, Role, Violation};

/// Longest header: two bytes, an eight-byte length, a four-byte key.
pub(super) const HEAD_LEN_MAX: usize = 14;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0F;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7F;

/// A header that no rule about single frames forbids.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) opcode: Opcode,
    pub(super) fin: bool,
    /// The payload's announced length, in bytes.
    pub(super) len: u64,
    /// The masking key; zero on a server's frames, where unmasking then changes nothing.
    pub(super) key: [u8; 4],
}

/// Reads a header off the front of `bytes`: it and its length in bytes, or `None` while more bytes
/// are needed. What is wrong is said at the byte that is wrong, however much is still to come.
pub(super) fn parse(bytes: &[u8], role: Role) -> Result<Option<(Head, usize)>, Violation> {
    let Some(&first) = bytes.first() else {
        return Ok(None);
    };
    if first & RESERVED != 0 {
        return Err(Violation::protocol("reserved bits set"));
    }
    let Some(opcode) = Opcode::from_bits(first & OPCODE) else {
        return Err(Violation::protocol("reserved opcode"));
    };
    let fin = first & FIN != 0;
    if opcode.is_control() && !fin {
        return Err(Violation::protocol("fragmented control frame"));
    }

    let Some(&second) = bytes.get(1) else {
        return Ok(None);
    };
    match (role, second & MASKED != 0) {
        (Role::Server, false) => return Err(Violation::protocol("client frame not masked")),
        (Role::Client, true) => return Err(Violation::protocol("server frame masked")),
        (Role::Server, true) | (Role::Client, false) => {}
    }
    if opcode.is_control() && (second & LENGTH) as usize > CONTROL_LEN_MAX {
        return Err(Violation::protocol("control frame over 125 bytes"));
    }

    let Some((len, after_len)) = payload_len(second & LENGTH, &bytes[2..])? else {
        return Ok(None);
    };
    let at = 2 + after_len;
    Ok(match role {
        Role::Server => {
            bytes[at..].first_chunk().map(|&key| (Head { opcode, fin, len, key }, at + 4))
        }
        Role::Client => Some((Head { opcode, fin, len, key: [0; 4] }, at)),
    })
}

/// The first of these frames, as our own writers build them: its opcode, its payload and its length
/// in bytes. `None` if it is not there to its end.
///
/// # Panics
///
/// If it is masked, a fragment, or no frame at all.
pub(crate) fn split_whole(frames: &[u8]) -> Option<(Opcode, &[u8], usize)> {
    let (head, at) = parse(frames, Role::Client).expect("a frame that a server may send")?;
    assert!(head.fin && head.opcode != Opcode::Continuation, "our writers never fragment");
    let payload = frames[at..].get(..usize::try_from(head.len).ok()?)?;
    Some((head.opcode, payload, at + payload.len()))
}

/// The payload's length and how many bytes of `rest` told it. RFC 6455 section 5.2: "the minimal
/// number of bytes MUST be used to encode the length", and the highest bit of 64 must be 0.
fn payload_len(short: u8, rest: &[u8]) -> Result<Option<(u64, usize)>, Violation> {
    const NOT_MINIMAL: Violation = Violation::protocol("length not minimal");
    Ok(match short {
        126 => match rest.first_chunk().map(|&len| u16::from_be_bytes(len)) {
            Some(0..126) => return Err(NOT_MINIMAL),
            len => len.map(|len| (len.into(), 2)),
        },
        127 => match rest.first_chunk().map(|&len| u64::from_be_bytes(len)) {
            Some(0..0x1_0000) => return Err(NOT_MINIMAL),
            Some(len) if len >> 63 != 0 => return Err(Violation::protocol("length over 63 bits")),
            len => len.map(|len| (len, 8)),
        },
        short => Some((short.into(), 0)),
    })
}
