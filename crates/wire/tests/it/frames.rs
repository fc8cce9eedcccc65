//! Frames read, as rows: what arrives, what comes out of it.

use bellwire_wire::frame::{
    CLOSE_REASON_LEN_MAX, Flow, Incoming, Limits, Opcode, Reader, Role, Violation, encode,
    encode_masked, is_valid_close_code,
};

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// What came out, with a payload of its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Out {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
    Violation(u16),
}

impl From<Incoming<'_>> for Out {
    fn from(incoming: Incoming<'_>) -> Out {
        match incoming {
            Incoming::Text(text) => Out::Text(text.to_owned()),
            Incoming::Binary(bytes) => Out::Binary(bytes.to_vec()),
            Incoming::Ping(bytes) => Out::Ping(bytes.to_vec()),
            Incoming::Pong(bytes) => Out::Pong(bytes.to_vec()),
            Incoming::Close(close) => Out::Close(close.map(|(code, why)| (code, why.to_owned()))),
        }
    }
}

impl From<Violation> for Out {
    fn from(violation: Violation) -> Out {
        assert!(violation.reason.len() <= CLOSE_REASON_LEN_MAX);
        Out::Violation(violation.code)
    }
}

/// All that comes out of a stream that arrives in these chunks at time 0.
pub(crate) fn read<'a>(
    role: Role,
    limits: &Limits,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Out> {
    let mut reader = Reader::new(role, 0);
    let mut out = Vec::new();
    for chunk in chunks {
        let result = reader.receive(limits, &mut chunk.to_vec(), 0, &mut |incoming| {
            out.push(incoming.into());
            Flow::Continue
        });
        out.extend(result.err().map(Out::from));
    }
    out
}

/// A client's frame with this first byte.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    encode_masked(Opcode::Binary, payload, KEY, &mut frame);
    frame[0] = first;
    frame
}

/// A client's header with this first byte, these length bytes (mask bit set here) and no payload.
fn header(first: u8, length: &[u8]) -> Vec<u8> {
    [&[first, 0x80 | length[0]], &length[1..], &KEY].concat()
}

fn close_frame(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(FIN | CLOSE, &[&code.to_be_bytes(), reason].concat())
}

/// What these bytes yield, in one piece and byte by byte alike.
#[track_caller]
fn check(bytes: &[u8], expected: &[Out]) {
    let at_once = read(Role::Server, &Limits::DEFAULT, [bytes]);
    assert_eq!(at_once, expected, "in one piece: {:02x?}", &bytes[..bytes.len().min(64)]);
    let bytewise = read(Role::Server, &Limits::DEFAULT, bytes.chunks(1));
    assert_eq!(bytewise, expected, "byte by byte: {:02x?}", &bytes[..bytes.len().min(64)]);
}

fn text_out(text: &str) -> Out {
    Out::Text(text.to_owned())
}

#[test]
fn messages_and_control_frames() {
    let long = "é".repeat(300);
    let rows: [(Vec<u8>, &[Out]); 15] = [
        (vec![], &[]),
        (frame(FIN | TEXT, b""), &[text_out("")]),
        (frame(FIN | TEXT, b"hello"), &[text_out("hello")]),
        (frame(FIN | TEXT, "κόσμε \u{10FFFF}".as_bytes()), &[text_out("κόσμε \u{10FFFF}")]),
        (frame(FIN | TEXT, long.as_bytes()), &[text_out(&long)]),
        (frame(FIN | BINARY, &[0, 255, 128]), &[Out::Binary(vec![0, 255, 128])]),
        (frame(FIN | PING, b""), &[Out::Ping(vec![])]),
        (frame(FIN | PING, &[7; 125]), &[Out::Ping(vec![7; 125])]),
        (frame(FIN | PONG, b"unasked"), &[Out::Pong(b"unasked".to_vec())]),
        (frame(FIN | CLOSE, b""), &[Out::Close(None)]),
        (close_frame(1000, b""), &[Out::Close(Some((1000, String::new())))]),
        (
            close_frame(4999, "für heute".as_bytes()),
            &[Out::Close(Some((4999, "für heute".into())))],
        ),
        // Nothing is handed out after a close frame, not even what would be a violation.
        ([close_frame(1001, b""), vec![0xFF; 9]].concat(), &[Out::Close(Some((1001, "".into())))]),
        // A frame cut short waits.
        (frame(FIN | TEXT, b"hello")[..10].to_vec(), &[]),
        (header(FIN | TEXT, &[126, 0xFF, 0xFF])[..5].to_vec(), &[]),
    ];
    for (bytes, expected) in rows {
        check(&bytes, expected);
    }
}

#[test]
fn fragments() {
    let rows: [(&[Vec<u8>], &[Out]); 9] = [
        (&[frame(TEXT, b"he"), frame(FIN | CONTINUATION, b"llo")], &[text_out("hello")]),
        (
            &[frame(BINARY, &[1]), frame(CONTINUATION, &[2]), frame(FIN | CONTINUATION, &[3])],
            &[Out::Binary(vec![1, 2, 3])],
        ),
        // All of them empty.
        (
            &[frame(TEXT, b""), frame(CONTINUATION, b""), frame(FIN | CONTINUATION, b"")],
            &[text_out("")],
        ),
        // A character cut in the middle, twice.
        (
            &[frame(TEXT, &[0xF0]), frame(CONTINUATION, &[0x9F, 0x94]), frame(0x80, &[0x94])],
            &[text_out("\u{1F514}")],
        ),
        // Control frames stand between fragments and come out first.
        (
            &[
                frame(TEXT, b"he"),
                frame(FIN | PING, b"p"),
                frame(CONTINUATION, b"l"),
                frame(FIN | PONG, b""),
                frame(FIN | CONTINUATION, b"lo"),
                frame(FIN | TEXT, b"next"),
            ],
            &[Out::Ping(b"p".to_vec()), Out::Pong(vec![]), text_out("hello"), text_out("next")],
        ),
        (&[frame(TEXT, b"he"), frame(FIN | CLOSE, b"")], &[Out::Close(None)]),
        (&[frame(FIN | CONTINUATION, b"")], &[Out::Violation(1002)]),
        (
            &[frame(FIN | TEXT, b"a"), frame(CONTINUATION, b"b")],
            &[text_out("a"), Out::Violation(1002)],
        ),
        (&[frame(TEXT, b"a"), frame(FIN | TEXT, b"b")], &[Out::Violation(1002)]),
    ];
    for (frames, expected) in rows {
        check(&frames.concat(), expected);
    }
    check(&[frame(BINARY, b"a"), frame(BINARY, b"b")].concat(), &[Out::Violation(1002)]);
}

#[test]
fn headers_that_break_the_protocol() {
    let rows: [(&str, Vec<u8>); 15] = [
        ("unmasked text", encode(Opcode::Text, b"hello").to_vec()),
        ("unmasked ping", encode(Opcode::Ping, b"").to_vec()),
        ("reserved bit 1", frame(FIN | 0x40 | TEXT, b"")),
        ("reserved bit 2", frame(FIN | 0x20 | TEXT, b"")),
        ("reserved bit 3", frame(FIN | 0x10 | TEXT, b"")),
        ("reserved bit on a control frame", frame(FIN | 0x40 | PING, b"")),
        ("control frame of 126 bytes", frame(FIN | PING, &[0; 126])),
        ("control frame of 126 bytes, the header", header(FIN | CLOSE, &[126, 0, 126])),
        ("control frame of 2^16 bytes", header(FIN | PONG, &[127, 0, 0, 0, 0, 0, 1, 0, 0])),
        ("fragmented ping", frame(PING, b"")),
        ("fragmented close", frame(CLOSE, b"")),
        ("0 in 16 bits", header(FIN | TEXT, &[126, 0, 0])),
        ("125 in 16 bits", header(FIN | TEXT, &[126, 0, 125])),
        ("65,535 in 64 bits", header(FIN | TEXT, &[127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF])),
        ("2^63", header(FIN | TEXT, &[127, 0x80, 0, 0, 0, 0, 0, 0, 0])),
    ];
    for (what, bytes) in rows {
        println!("{what}");
        check(&bytes, &[Out::Violation(1002)]);
        // And what came before is handed out all the same.
        let after_text = [frame(FIN | TEXT, b"first"), bytes].concat();
        check(&after_text, &[text_out("first"), Out::Violation(1002)]);
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        check(&frame(FIN | opcode, b""), &[Out::Violation(1002)]);
        check(&frame(opcode, b""), &[Out::Violation(1002)]);
    }
}

/// The verdict comes with the byte that is wrong, not when its frame is complete.
#[test]
fn headers_fail_at_the_wrong_byte() {
    let rows: [(u16, &[u8]); 8] = [
        (1002, &[0xC1]),
        (1002, &[0x83]),
        (1002, &[0x09]),
        (1002, &[0x81, 0x05]),
        (1002, &[0x89, 0xFE]),
        (1002, &[0x81, 0xFE, 0, 125]),
        (1002, &[0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]),
        (1009, &[0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 1, 0x37, 0xFA, 0x21, 0x3D]),
    ];
    for (code, bytes) in rows {
        check(bytes, &[Out::Violation(code)]);
        check(&bytes[..bytes.len() - 1], &[]);
    }
}

#[test]
fn close_frames() {
    check(&frame(FIN | CLOSE, &[3]), &[Out::Violation(1002)]);
    check(&close_frame(1000, &[0xFF]), &[Out::Violation(1007)]);
    check(&close_frame(1000, &[b'a', 0xC3]), &[Out::Violation(1007)]);
    check(&close_frame(1005, &[0xFF]), &[Out::Violation(1002)]);
    check(&close_frame(1000, &[b'x'; 123]), &[Out::Close(Some((1000, "x".repeat(123))))]);

    let is_allowed = |code| {
        (1000..=1003).contains(&code)
            || (1007..=1014).contains(&code)
            || (3000..=4999).contains(&code)
    };
    for code in 0..=u16::MAX {
        assert_eq!(is_valid_close_code(code), is_allowed(code), "{code}");
    }
    for code in [0, 999, 1000, 1003, 1004, 1006, 1007, 1014, 1015, 2999, 3000, 4999, 5000, 65535] {
        let expected = match is_allowed(code) {
            true => Out::Close(Some((code, String::new()))),
            false => Out::Violation(1002),
        };
        check(&close_frame(code, b""), &[expected]);
    }
}

#[test]
fn text_that_is_not_utf8() {
    let rows: [&[u8]; 12] = [
        &[0xFF],
        &[0x80],
        &[0xC3],                   // cut short
        &[0xE2, 0x82],             // cut short
        &[0xC0, 0xAF],             // overlong
        &[0xE0, 0x80, 0xAF],       // overlong
        &[0xED, 0xA0, 0x80],       // a surrogate
        &[0xF4, 0x90, 0x80, 0x80], // over U+10FFFF
        &[0xF5, 0x80, 0x80, 0x80],
        b"valid \xC3( invalid",
        b"\xF0\x9F\x94",
        b"trailing \xBF",
    ];
    for bytes in rows {
        check(&frame(FIN | TEXT, bytes), &[Out::Violation(1007)]);
        let fragments = [frame(TEXT, b"ok "), frame(FIN | CONTINUATION, bytes)];
        check(&fragments.concat(), &[Out::Violation(1007)]);
        check(&frame(FIN | BINARY, bytes), &[Out::Binary(bytes.to_vec())]);
    }
}

/// A text fails with the first byte that no later one could make valid, within a frame too.
#[test]
fn text_fails_fast() {
    let rows: [(&[u8], usize); 6] = [
        (b"\xCE\xBA\xFF and so on", 3),
        (&[0xED, 0xA0, 0x80], 2),
        (&[0xF4, 0x90, 0x80, 0x80], 2),
        (&[0xE0, 0x80, 0xAF], 2),
        (&[0xC0, 0xAF], 1),
        (&[0xF0, 0x9F, 0x41, 0x41], 3),
    ];
    for (bytes, invalid_at) in rows {
        // In one long frame that is never completed: the header, then byte by byte.
        let unfinished = frame(FIN | TEXT, &[bytes, &[b'.'; 100]].concat());
        let bytes_read = 6 + invalid_at;
        assert_eq!(bytewise(&unfinished[..bytes_read - 1]), []);
        assert_eq!(bytewise(&unfinished[..bytes_read]), [Out::Violation(1007)], "{bytes:02x?}");
        // In a fragmented message that is never completed.
        check(&frame(TEXT, &bytes[..invalid_at]), &[Out::Violation(1007)]);
        check(&frame(TEXT, &bytes[..invalid_at - 1]), &[]);
    }

    fn bytewise(bytes: &[u8]) -> Vec<Out> {
        read(Role::Server, &Limits::DEFAULT, bytes.chunks(1))
    }
}

#[test]
fn message_length() {
    let max = Limits::DEFAULT.message_len_max;
    assert_eq!(max, 65_536);
    let full = "x".repeat(max);
    check(&frame(FIN | TEXT, full.as_bytes()), &[text_out(&full)]);
    check(&frame(FIN | BINARY, full.as_bytes()), &[Out::Binary(full.clone().into_bytes())]);

    // Refused on the announcement alone: no payload follows these headers.
    let over_by_one = header(FIN | TEXT, &[127, 0, 0, 0, 0, 0, 1, 0, 1]);
    check(&over_by_one, &[Out::Violation(1009)]);
    check(
        &header(BINARY, &[127, 0x7F, 255, 255, 255, 255, 255, 255, 255]),
        &[Out::Violation(1009)],
    );

    // Of a fragmented message the sum counts, control frames between do not.
    let (first, rest) = full.as_bytes().split_at(max - 5);
    let start = [frame(TEXT, first), frame(FIN | PING, &[0; 125])].concat();
    let exact = [start.clone(), frame(FIN | CONTINUATION, rest)].concat();
    check(&exact, &[Out::Ping(vec![0; 125]), text_out(&full)]);
    let over = [start, header(FIN | CONTINUATION, &[6])].concat();
    check(&over, &[Out::Ping(vec![0; 125]), Out::Violation(1009)]);

    // A control frame is no message.
    let limits = Limits { message_len_max: 0, ..Limits::DEFAULT };
    let bytes = [frame(FIN | PING, b"p"), frame(FIN | TEXT, b""), frame(FIN | TEXT, b"t")].concat();
    let expected = [Out::Ping(b"p".to_vec()), text_out(""), Out::Violation(1009)];
    assert_eq!(read(Role::Server, &limits, [&bytes[..]]), expected);
}

#[test]
fn fragment_count() {
    let fragments = |count: usize| {
        let mut bytes = frame(TEXT, b"a");
        for n in 2..=count {
            bytes.extend(frame(if n == count { FIN } else { 0 } | CONTINUATION, b"a"));
        }
        bytes
    };
    check(&fragments(1024), &[text_out(&"a".repeat(1024))]);
    check(&fragments(1025), &[Out::Violation(1008)]);
    // The count begins anew with each message.
    check(&fragments(1024).repeat(2), &[text_out(&"a".repeat(1024)), text_out(&"a".repeat(1024))]);
}

#[test]
fn ping_rate() {
    // (time of arrival, pings), and whether the last of them is one too many.
    let rows: [(&[(u64, usize)], bool); 7] = [
        (&[(0, 20)], false),
        (&[(0, 21)], true),
        (&[(500, 1), (1000, 19), (1499, 1)], true),
        (&[(500, 1), (1000, 19), (1500, 20)], false),
        (&[(0, 20), (999, 1)], true),
        (&[(0, 20), (1000, 20), (2000, 20)], false),
        (&[(5000, 20), (1000, 1)], true), // a clock that went back opens no new window
    ];
    for (arrivals, is_too_many) in rows {
        let mut reader = Reader::new(Role::Server, 0);
        let total: usize = arrivals.iter().map(|&(_, count)| count).sum();
        let mut answered = 0;
        let mut result = Ok(());
        for &(now_ms, count) in arrivals {
            let mut bytes = frame(FIN | PING, b"?").repeat(count);
            result = result.and(reader.receive(&Limits::DEFAULT, &mut bytes, now_ms, &mut |_| {
                answered += 1;
                Flow::Continue
            }));
        }
        assert_eq!(result.err().map(|violation| violation.code), is_too_many.then_some(1008));
        assert_eq!(answered, total - usize::from(is_too_many), "{arrivals:?}");
    }
    // Pongs are free.
    check(&frame(FIN | PONG, b"").repeat(100), &vec![Out::Pong(vec![]); 100]);
}

#[test]
fn a_reader_is_small_and_keeps_nothing() {
    assert!(size_of::<Reader>() <= 64, "{}", size_of::<Reader>());

    let mut reader = Reader::new(Role::Server, 7);
    assert_eq!(reader.last_frame_ms(), 7);
    // (bytes, has_buffered and last_frame_ms afterwards)
    let hello = frame(FIN | TEXT, b"hello");
    let rows: [(&[u8], bool, u64); 7] = [
        (&hello, false, 0),
        (&hello[..1], true, 0),
        (&hello[1..7], true, 0),
        (&hello[7..], false, 3),
        (&frame(TEXT, b"he"), true, 4), // a fragment is a frame
        (&[], true, 4),
        (&[0x80], true, 4), // the first byte of the next one
    ];
    for (now_ms, (bytes, has_buffered, last_frame_ms)) in rows.into_iter().enumerate() {
        let on = &mut |_: Incoming<'_>| Flow::Continue;
        reader.receive(&Limits::DEFAULT, &mut bytes.to_vec(), now_ms as u64, on).unwrap();
        assert_eq!(reader.has_buffered(), has_buffered, "step {now_ms}");
        assert_eq!(reader.last_frame_ms(), last_frame_ms, "step {now_ms}");
    }
    let on = &mut |_: Incoming<'_>| Flow::Continue;
    reader.receive(&Limits::DEFAULT, &mut [0x00], 9, on).unwrap_err();
    assert!(!reader.has_buffered());
    assert_eq!(reader.last_frame_ms(), 4);
    // A violation is told once.
    reader.receive(&Limits::DEFAULT, &mut hello.clone(), 10, on).unwrap();
    assert!(!reader.has_buffered());
}

/// After a pause the rest is handed out by the next calls, in order, one by one.
#[test]
fn a_pause_keeps_the_rest() {
    let mut bytes = [frame(FIN | TEXT, b"1"), frame(FIN | PING, b"2"), frame(FIN | TEXT, b"3")];
    let cut = bytes[2].split_off(4);
    let mut first = bytes.concat();

    let mut reader = Reader::new(Role::Server, 0);
    let mut step = |bytes: &mut [u8]| {
        let mut out = Vec::<Out>::new();
        let on = &mut |incoming: Incoming<'_>| {
            out.push(incoming.into());
            Flow::Pause
        };
        reader.receive(&Limits::DEFAULT, bytes, 0, on).unwrap();
        (out, reader.has_unread(), reader.has_buffered())
    };
    assert_eq!(step(&mut first), (vec![text_out("1")], true, true));
    // More may come before the pause ends; nothing is lost.
    let mut more = [cut, frame(FIN | TEXT, b"4")].concat();
    assert_eq!(step(&mut more), (vec![Out::Ping(b"2".to_vec())], true, true));
    assert_eq!(step(&mut []), (vec![text_out("3")], true, true));
    assert_eq!(step(&mut []), (vec![text_out("4")], false, false));
    assert_eq!(step(&mut []), (vec![], false, false));
}
