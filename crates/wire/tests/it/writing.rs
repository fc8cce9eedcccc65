//! Frames written, and the handshake's key: rows of bytes, the standard's own examples among them.

use bellwire_wire::frame::{Limits, Opcode, Role, accept_key, close, encode, encode_masked, text};

use crate::frames::{Out, read};

/// The key of the examples in RFC 6455 section 5.7.
const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

#[test]
fn frames_as_a_server_sends_them() {
    let rows: [(bytes::Bytes, &[u8]); 8] = [
        (text("Hello"), b"\x81\x05Hello"), // RFC 6455 section 5.7
        (text(""), b"\x81\x00"),
        (encode(Opcode::Ping, b"Hello"), b"\x89\x05Hello"),
        (encode(Opcode::Pong, b""), b"\x8A\x00"),
        (encode(Opcode::Binary, &[1]), b"\x82\x01\x01"),
        (encode(Opcode::Close, b""), b"\x88\x00"),
        (close(1000, ""), b"\x88\x02\x03\xE8"),
        (close(4401, "who?"), b"\x88\x06\x11\x31who?"),
    ];
    for (frame, expected) in rows {
        assert_eq!(frame, expected);
    }
    for (len, header) in [
        (125, &[0x82, 125][..]),
        (126, &[0x82, 126, 0, 126]),
        (65_535, &[0x82, 126, 0xFF, 0xFF]),
        (65_536, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        let frame = encode(Opcode::Binary, &vec![9; len]);
        assert_eq!(&frame[..header.len()], header);
        assert_eq!(frame.len(), header.len() + len);
    }
}

#[test]
fn frames_as_a_client_sends_them() {
    let mut out = b"before ".to_vec();
    encode_masked(Opcode::Text, b"Hello", KEY, &mut out);
    // RFC 6455 section 5.7
    assert_eq!(out, b"before \x81\x85\x37\xFA\x21\x3D\x7F\x9F\x4D\x51\x58");
}

/// A reason is cut where a character begins.
#[test]
fn close_reasons_are_cut() {
    let rows = [
        ("x".repeat(123), 123),
        ("x".repeat(124), 123),
        ("é".repeat(61), 122),
        ("é".repeat(62), 122),
        (format!("{}\u{1F514}", "x".repeat(119)), 123),
        (format!("{}\u{1F514}", "x".repeat(120)), 120),
    ];
    for (reason, expected_len) in rows {
        let bytes = close(1008, &reason);
        let expected = Out::Close(Some((1008, reason[..expected_len].to_owned())));
        assert_eq!(read(Role::Client, &Limits::DEFAULT, [&bytes[..]]), [expected]);
    }
}

#[test]
fn a_client_refuses_masked_frames() {
    let mut bytes = Vec::new();
    encode_masked(Opcode::Text, b"hello", KEY, &mut bytes);
    assert_eq!(read(Role::Client, &Limits::DEFAULT, [&bytes[..]]), [Out::Violation(1002)]);
}

#[test]
fn accept_keys() {
    let rows = [
        // RFC 6455 section 1.3
        ("dGhlIHNhbXBsZSBub25jZQ==", Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")),
        ("AAAAAAAAAAAAAAAAAAAAAA==", Some("ICX+Yqv66kxgM0FcWaLWlFLwTAI=")),
        ("", None),
        ("dGhlIHNhbXBsZSBub25jZQ", None),         // not padded
        ("dGhlIHNhbXBsZSBub25jZQ== ", None),      // a space
        ("dGhlIHNhbXBsZSBub25j", None),           // 15 bytes
        ("dGhlIHNhbXBsZSBub25jZSE=", None),       // 17 bytes
        ("dGhlIHNhbXBsZSBub25jZQ==, AAAA", None), // two headers joined
        ("dGhlIHNhbXBsZSBub25j-_==", None),       // the URL alphabet
        ("not base64 at all, really", None),
    ];
    for (key, expected) in rows {
        assert_eq!(accept_key(key).as_deref(), expected, "{key:?}");
    }
    // The unused bits of the last character do not matter, but are hashed as they came.
    assert!(accept_key("dGhlIHNhbXBsZSBub25jZR==").is_some());
}
