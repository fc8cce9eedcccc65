//! The few bytes of RFC 6455 that a witness needs: whole, unfragmented messages.
//!
//! Written apart from the server's own codec on purpose: a mistake that both ends shared would
//! measure as success.

use std::ops::Range;

use anyhow::{Result, ensure};

/// Opcode of a text message.
pub const TEXT: u8 = 0x1;
/// Opcode of a binary message.
pub const BINARY: u8 = 0x2;
/// Opcode of a close.
pub const CLOSE: u8 = 0x8;
/// Opcode of a ping.
pub const PING: u8 = 0x9;
/// Opcode of a pong.
pub const PONG: u8 = 0xA;

/// The masking key of every client frame. RFC 6455 wants an unpredictable one to protect proxies;
/// on the loopback any key costs the server the same work.
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// A whole frame from a server, borrowed from the bytes that it was read from.
#[derive(Debug, PartialEq)]
pub struct ServerFrame<'a> {
    /// What kind of frame it is.
    pub opcode: u8,
    /// Its content.
    pub payload: &'a [u8],
    /// Bytes on the wire, header included.
    pub len: usize,
}

/// A whole frame from a client, by place in the buffer that it was unmasked in.
#[derive(Debug, PartialEq)]
pub struct ClientFrame {
    /// What kind of frame it is.
    pub opcode: u8,
    /// Where its unmasked content lies.
    pub payload: Range<usize>,
}

/// Encodes a masked frame, as a client must.
pub fn encode_client(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let (header, len) = header(opcode, payload.len(), MASKED);
    let mut frame = [&header[..len], &MASK, payload].concat();
    apply_mask(&mut frame[len + MASK.len()..], MASK);
    frame
}

/// Encodes an unmasked frame, as a server must.
pub fn encode_server(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let (header, len) = server_header(opcode, payload.len());
    [&header[..len], payload].concat()
}

/// Reads the frame at the start of what a server sent; `None` while it is incomplete.
pub fn read_server(bytes: &[u8]) -> Result<Option<ServerFrame<'_>>> {
    let Some(header) = Header::read(bytes)? else {
        return Ok(None);
    };
    ensure!(!header.masked, "the server masked a frame");
    let len = header.len + header.payload_len;
    Ok(bytes.get(header.len..len).map(|payload| ServerFrame {
        opcode: header.opcode,
        payload,
        len,
    }))
}

/// Finds the frame at the start of what a client sent and unmasks it in place; `None` while it is
/// incomplete.
#[inline]
pub fn unmask_client(bytes: &mut [u8]) -> Result<Option<ClientFrame>> {
    let Some(header) = Header::read(bytes)? else {
        return Ok(None);
    };
    ensure!(header.masked, "the client did not mask a frame");
    let start = header.len + MASK.len();
    let end = start + header.payload_len;
    if bytes.len() < end {
        return Ok(None);
    }
    let mut key = [0; 4];
    key.copy_from_slice(&bytes[header.len..start]);
    apply_mask(&mut bytes[start..end], key);
    Ok(Some(ClientFrame { opcode: header.opcode, payload: start..end }))
}

/// The header of an unmasked frame, and its length. Written in front of a client's unmasked
/// payload it takes less room than the client's own header did, there being no masking key.
#[inline]
pub fn server_header(opcode: u8, payload_len: usize) -> ([u8; HEADER_LEN_MAX], usize) {
    header(opcode, payload_len, 0)
}

/// The longest header, without a masking key.
const HEADER_LEN_MAX: usize = 10;

struct Header {
    opcode: u8,
    masked: bool,
    /// Without the masking key.
    len: usize,
    payload_len: usize,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Option<Self>> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        ensure!(
            first & 0xF0 == FIN,
            "a fragmented or compressed frame (first byte {first:#04x}) was not agreed on"
        );
        let extended = match second & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let payload_len = match (extended, rest.get(..extended)) {
            (0, _) => u64::from(second & 0x7F),
            (_, None) => return Ok(None),
            (_, Some(bytes)) => bytes.iter().fold(0, |len, byte| (len << 8) | u64::from(*byte)),
        };
        ensure!(payload_len <= PAYLOAD_LEN_MAX, "a frame of {payload_len} bytes");
        Ok(Some(Self {
            opcode: first & 0x0F,
            masked: second & MASKED != 0,
            len: 2 + extended,
            payload_len: payload_len as usize,
        }))
    }
}

/// Nothing that is measured here comes near it; a longer frame is a misread header.
const PAYLOAD_LEN_MAX: u64 = 1 << 24;

#[inline]
fn header(opcode: u8, payload_len: usize, masked: u8) -> ([u8; HEADER_LEN_MAX], usize) {
    let mut header = [0; HEADER_LEN_MAX];
    header[0] = FIN | opcode;
    let len = match payload_len {
        0..126 => {
            header[1] = masked | payload_len as u8;
            2
        }
        126..65_536 => {
            header[1] = masked | 126;
            header[2..4].copy_from_slice(&(payload_len as u16).to_be_bytes());
            4
        }
        _ => {
            header[1] = masked | 127;
            header[2..].copy_from_slice(&(payload_len as u64).to_be_bytes());
            HEADER_LEN_MAX
        }
    };
    (header, len)
}

#[inline]
fn apply_mask(payload: &mut [u8], key: [u8; 4]) {
    let wide = u64::from_ne_bytes([key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]]);
    let (words, tail) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_survive_every_length_form() {
        for len in [0, 1, 7, 8, 125, 126, 250, 65_535, 65_536, 70_000] {
            let payload: Vec<u8> = (0..len).map(|i| i as u8).collect();

            let frame = encode_server(TEXT, &payload);
            let read = read_server(&frame).unwrap().expect("whole");
            assert_eq!((read.opcode, read.payload, read.len), (TEXT, &payload[..], frame.len()));

            let mut frame = encode_client(BINARY, &payload);
            let read = unmask_client(&mut frame).unwrap().expect("whole");
            assert_eq!(read.opcode, BINARY);
            assert_eq!(&frame[read.payload], &payload);
        }
    }

    #[test]
    fn a_cut_frame_is_not_read_at_any_place() {
        let server = encode_server(TEXT, &[b'x'; 300]);
        let client = encode_client(TEXT, &[b'x'; 300]);
        for cut in 0..server.len() {
            assert_eq!(read_server(&server[..cut]).unwrap(), None, "{cut}");
        }
        for cut in 0..client.len() {
            let mut bytes = client[..cut].to_vec();
            assert_eq!(unmask_client(&mut bytes).unwrap(), None, "{cut}");
        }
    }

    #[test]
    fn the_example_of_the_rfc_is_read() {
        // RFC 6455, section 5.7: a masked "Hello".
        let mut frame = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(encode_client(TEXT, b"Hello"), frame);
        let read = unmask_client(&mut frame).unwrap().expect("whole");
        assert_eq!(&frame[read.payload], b"Hello");
    }

    #[test]
    fn what_was_not_agreed_on_is_refused() {
        assert!(read_server(&[0x01, 0x00]).is_err(), "a fragment");
        assert!(read_server(&[0xC1, 0x00]).is_err(), "compressed");
        assert!(read_server(&encode_client(TEXT, b"x")).is_err(), "masked server");
        assert!(unmask_client(&mut encode_server(TEXT, b"x")).is_err(), "bare client");
        let huge = [0x82, 127, 1, 0, 0, 0, 0, 0, 0, 0];
        assert!(read_server(&huge).is_err(), "longer than anything sent");
    }
}
