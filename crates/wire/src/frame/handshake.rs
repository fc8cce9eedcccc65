//! The one computation of the opening handshake (RFC 6455 section 4.2.2).

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, PAD, STANDARD};
use sha1::{Digest, Sha1};

/// What the server appends to the key before hashing (RFC 6455 section 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Reads keys. The four bits of the last character that no byte uses may be set: clients that make
/// up a key character by character leave them so, and RFC 4648 section 3.5 lets a decoder pass
/// them.
const KEY: GeneralPurpose =
    GeneralPurpose::new(&ALPHABET, PAD.with_decode_allow_trailing_bits(true));

/// The `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 section 4.2.2, step 5.4).
///
/// `None` unless the key is base64, padded, of exactly 16 bytes (section 4.1, step 7); the
/// handshake is then answered with 400. The value comes without surrounding spaces.
pub fn accept_key(sec_websocket_key: &str) -> Option<String> {
    let nonce = KEY.decode(sec_websocket_key).ok()?;
    if nonce.len() != 16 {
        return None;
    }
    let mut hash = Sha1::new();
    hash.update(sec_websocket_key);
    hash.update(GUID);
    Some(STANDARD.encode(hash.finalize()))
}
