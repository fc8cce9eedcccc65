//! Engine.IO: packets, bodies of long polling, the first packet, refusals, and liveness.

use bellwire_wire::engine::{
    Body, Heartbeat, Item, PACKET_LEN_MAX, PACKETS_MAX, PAYLOAD_LEN_MAX, PING_INTERVAL_MS,
    PING_TIMEOUT_MS, Packet, Refusal, Tick, Timing, open, parse, read_payload,
};
use bellwire_wire::frame::{self, Opcode};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

use crate::cases;

#[track_caller]
fn refuses<T: std::fmt::Debug>(result: Result<T, bellwire_wire::engine::Violation>, reason: &str) {
    let violation = result.unwrap_err();
    assert_eq!(violation.reason, reason);
    assert!(reason.len() <= 60, "{reason}");
    assert_eq!(violation.to_string(), reason);
}

fn text(text: &str) -> Item {
    Item::Text(text.to_owned())
}

#[test]
fn packets() {
    let rows = [
        ("0", Packet::Open("")),
        ("0{\"sid\":\"a\"}", Packet::Open("{\"sid\":\"a\"}")),
        ("1", Packet::Close),
        ("2", Packet::Ping("")),
        ("2probe", Packet::Ping("probe")),
        ("3", Packet::Pong("")),
        ("3probe", Packet::Pong("probe")),
        ("4", Packet::Message("")),
        ("4hello", Packet::Message("hello")),
        ("4\u{20ac}\u{1F514}\0", Packet::Message("\u{20ac}\u{1F514}\0")),
        ("42[\"e\"]", Packet::Message("2[\"e\"]")),
        ("5", Packet::Upgrade),
        ("6", Packet::Noop),
        // Content where none belongs is ignored.
        ("1x", Packet::Close),
        ("5probe", Packet::Upgrade),
        ("6\u{20ac}", Packet::Noop),
    ];
    for (text, expected) in rows {
        assert_eq!(parse(text), Ok(expected), "{text}");
    }
    refuses(parse(""), "empty packet");
    for text in ["7", "9", "a", "b", "bAQ==", " 4", "-1", "\u{20ac}", "\0", "\u{FEFF}4", "\u{664}"]
    {
        refuses(parse(text), "unknown Engine.IO packet type");
    }
}

#[test]
fn payloads() {
    let rows: [(&[u8], Vec<Item>); 9] = [
        (b"2", vec![text("2")]),
        (b"4hello\x1e2\x1e4world", vec![text("4hello"), text("2"), text("4world")]),
        // The example of the protocol's document.
        (b"4hello\x1ebAQIDBA==", vec![text("4hello"), Item::Binary(vec![1, 2, 3, 4])]),
        (b"b", vec![Item::Binary(vec![])]),
        (b"b+/+/", vec![Item::Binary(vec![0xFB, 0xFF, 0xBF])]),
        (b"bAQ==\x1ebAQI=\x1ebAQID", [1, 2, 3].map(|n| Item::Binary((1..=n).collect())).to_vec()),
        ("4\u{20ac}\n\u{1F514}".as_bytes(), vec![text("4\u{20ac}\n\u{1F514}")]),
        // A text of no known type is a text here.
        (b"abc", vec![text("abc")]),
        (b"4\0", vec![text("4\0")]),
    ];
    for (body, expected) in rows {
        assert_eq!(read_payload(body).as_ref(), Ok(&expected), "{body:?}");
    }
}

#[test]
fn payloads_refused() {
    let rows: [(&[u8], &str); 15] = [
        (b"", "empty payload"),
        (b"\x1e", "empty packet"),
        (b"4a\x1e", "empty packet"),
        (b"\x1e4a", "empty packet"),
        (b"4a\x1e\x1e4b", "empty packet"),
        (b"4\xff", "payload is not valid UTF-8"),
        (b"4a\x1e4\xe2\x82", "payload is not valid UTF-8"),
        (b"4\xed\xa0\x80", "payload is not valid UTF-8"),
        (b"bAQ", "binary packet is not base64"),
        (b"bAQ=", "binary packet is not base64"),
        (b"bAR==", "binary packet is not base64"), // bits that nothing needs
        (b"bA", "binary packet is not base64"),
        (b"b-_-_", "binary packet is not base64"), // the URL alphabet
        (b"bAQID\n", "binary packet is not base64"),
        (b"b\xff\xff\xff\xff", "binary packet is not base64"),
    ];
    for (body, reason) in rows {
        refuses(read_payload(body), reason);
    }
}

#[test]
fn payloads_at_their_limits() {
    let many = |count: usize| vec!["2"; count].join("\x1e");
    for count in [1, PACKETS_MAX - 1, PACKETS_MAX] {
        assert_eq!(read_payload(many(count).as_bytes()).unwrap().len(), count);
    }
    refuses(read_payload(many(PACKETS_MAX + 1).as_bytes()), "too many packets in a payload");
    refuses(read_payload(&[0x1E; 1_000_000]), "too many packets in a payload");

    let long = |len: usize| format!("2\x1e4{}", "a".repeat(len - 1));
    for len in [PACKET_LEN_MAX - 1, PACKET_LEN_MAX] {
        let items = read_payload(long(len).as_bytes()).unwrap();
        assert!(matches!(&items[1], Item::Text(text) if text.len() == len));
    }
    refuses(read_payload(long(PACKET_LEN_MAX + 1).as_bytes()), "packet too long");

    // What is limited of a binary packet is the message, not its base64.
    let binary = |len: usize| encoded(&vec![7; len]);
    for len in [PACKET_LEN_MAX - 2, PACKET_LEN_MAX - 1, PACKET_LEN_MAX] {
        assert_eq!(read_payload(&binary(len)), Ok(vec![Item::Binary(vec![7; len])]));
    }
    for len in (1..=4).map(|more| PACKET_LEN_MAX + more) {
        refuses(read_payload(&binary(len)), "packet too long");
    }
    refuses(read_payload(&[b'b'; 500_000]), "packet too long");
}

/// A body of this one binary message.
fn encoded(message: &[u8]) -> Vec<u8> {
    let mut body = Body::new();
    let frame = frame::encode(Opcode::Binary, message);
    assert_eq!(body.take(&frame), frame.len());
    body.finish().into_bytes()
}

#[test]
fn the_open_packet() {
    assert_eq!((PING_INTERVAL_MS, PING_TIMEOUT_MS, PAYLOAD_LEN_MAX), (25_000, 20_000, 1_000_000));
    assert_eq!(
        open("lv_VI97HAXpY6yYWAAAC", &["websocket"], &Timing::default(), PAYLOAD_LEN_MAX),
        r#"0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#
    );
    let timing = Timing { ping_interval_ms: 300, ping_timeout_ms: 200 };
    assert_eq!(
        open("\"", &[], &timing, 1),
        r#"0{"sid":"\"","upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":1}"#
    );
}

#[test]
fn refusals() {
    let rows = [
        (Refusal::UnknownTransport, 400, 0, "Transport unknown"),
        (Refusal::UnknownSid, 400, 1, "Session ID unknown"),
        (Refusal::BadHandshakeMethod, 400, 2, "Bad handshake method"),
        (Refusal::BadRequest, 400, 3, "Bad request"),
        (Refusal::Forbidden, 403, 4, "Forbidden"),
        (Refusal::UnsupportedVersion, 400, 5, "Unsupported protocol version"),
    ];
    for (refusal, status, code, message) in rows {
        assert_eq!(refusal.status(), status);
        assert_eq!(refusal.body(), format!(r#"{{"code":{code},"message":"{message}"}}"#));
    }
}

/// What happens to a heartbeat, and when.
#[derive(Clone, Copy, Debug)]
enum Step {
    Heard(u64),
    Tick(u64, Tick),
}

#[track_caller]
fn beats(timing: Timing, steps: &[Step]) {
    let mut heartbeat = Heartbeat::new(0);
    for step in steps {
        match *step {
            Step::Heard(now_ms) => heartbeat.heard(now_ms),
            Step::Tick(now_ms, expected) => {
                assert_eq!(heartbeat.tick(&timing, now_ms), expected, "{step:?} of {steps:?}");
            }
        }
    }
}

#[test]
fn heartbeats() {
    use Step::{Heard, Tick as At};
    use Tick::{Dead, Nothing, Ping};

    assert!(size_of::<Heartbeat>() <= 24);
    let usual = Timing::default();
    let patient = Timing { ping_interval_ms: 100, ping_timeout_ms: 250 };
    let rows: [(Timing, &[Step]); 6] = [
        // Each ping is answered.
        (
            usual,
            &[
                At(0, Nothing { next_ms: 25_000 }),
                At(24_999, Nothing { next_ms: 25_000 }),
                At(25_000, Ping { next_ms: 45_000 }),
                Heard(25_040),
                At(45_000, Nothing { next_ms: 50_000 }),
                At(50_000, Ping { next_ms: 70_000 }),
                Heard(69_999),
                At(70_000, Nothing { next_ms: 75_000 }),
                At(75_000, Ping { next_ms: 95_000 }),
            ],
        ),
        // None is.
        (
            usual,
            &[
                At(25_000, Ping { next_ms: 45_000 }),
                At(25_001, Nothing { next_ms: 45_000 }),
                At(44_999, Nothing { next_ms: 45_000 }),
                At(45_000, Dead),
                At(99_999, Dead),
            ],
        ),
        // What was heard before the ping is no answer to it.
        (usual, &[Heard(24_999), At(25_000, Ping { next_ms: 45_000 }), At(45_000, Dead)]),
        // An answer within the ping's own millisecond is one.
        (
            usual,
            &[
                At(25_000, Ping { next_ms: 45_000 }),
                Heard(25_000),
                At(45_000, Nothing { next_ms: 50_000 }),
            ],
        ),
        // The next ping counts from when the last was sent, not from when it was due.
        (
            usual,
            &[
                At(26_000, Ping { next_ms: 46_000 }),
                Heard(26_001),
                At(46_000, Nothing { next_ms: 51_000 }),
                At(51_000, Ping { next_ms: 71_000 }),
            ],
        ),
        // A timeout longer than the interval: no second ping while one is unanswered.
        (
            patient,
            &[
                At(100, Ping { next_ms: 200 }),
                At(150, Nothing { next_ms: 200 }),
                At(200, Nothing { next_ms: 350 }),
                Heard(340),
                At(350, Ping { next_ms: 450 }),
                Heard(351),
                At(450, Ping { next_ms: 550 }),
                At(699, Nothing { next_ms: 700 }),
                At(700, Dead),
            ],
        ),
    ];
    for (timing, steps) in rows {
        beats(timing, steps);
    }
}

#[test]
fn bodies_of_frames() {
    let frames = |list: &[(Opcode, &[u8])]| -> Vec<u8> {
        list.iter().flat_map(|(opcode, payload)| frame::encode(*opcode, payload)).collect()
    };
    use Opcode::{Binary, Close, Ping, Pong, Text};
    let rows: [(Vec<u8>, &str); 7] = [
        (frames(&[]), ""),
        (frames(&[(Text, b"2")]), "2"),
        (frames(&[(Text, b"4a"), (Text, b"6")]), "4a\x1e6"),
        (frames(&[(Binary, &[1, 2, 3, 4])]), "bAQIDBA=="),
        (frames(&[(Text, b"451-[]"), (Binary, b""), (Binary, b"\xff")]), "451-[]\x1eb\x1eb/w=="),
        (frames(&[(Text, "4\u{20ac}".as_bytes())]), "4\u{20ac}"),
        // WebSocket's own have no counterpart, at any place.
        (
            frames(&[
                (Ping, b"x"),
                (Text, b"4a"),
                (Pong, b""),
                (Text, b"4b"),
                (Close, b"\x03\xe8"),
            ]),
            "4a\x1e4b",
        ),
    ];
    for (frames, expected) in rows {
        let mut body = Body::new();
        assert_eq!(body.take(&frames), frames.len());
        assert_eq!(body.is_empty(), expected.is_empty());
        assert_eq!(body.finish(), expected);
        assert!(body.is_empty());
        assert_eq!(body.finish(), "");
    }
}

#[test]
fn a_body_holds_no_more_than_the_handshake_said() {
    let first = frame::text(&format!("4{}", "a".repeat(499_999)));
    // With the separator, exactly as long as it may be; and one byte longer.
    let fits = frame::text(&format!("4{}", "b".repeat(499_998)));
    let over = frame::text(&format!("4{}", "b".repeat(499_999)));
    let small = frame::text("6");

    let mut body = Body::new();
    let both = [&first[..], &fits[..], &small[..]].concat();
    assert_eq!(body.take(&both), first.len() + fits.len());
    assert_eq!(body.take(&small), 0);
    assert_eq!(body.finish().len(), PAYLOAD_LEN_MAX);

    let both = [&first[..], &over[..]].concat();
    assert_eq!(body.take(&both), first.len());
    assert_eq!(body.finish().len(), 500_000);
    assert_eq!(body.take(&both[first.len()..]), over.len()); // it is the first of the next body

    // The first goes out however long it is.
    let huge = frame::encode(Opcode::Binary, &vec![0; 900_000]);
    let mut body = Body::new();
    assert_eq!(body.take(&[&huge[..], &small[..]].concat()), huge.len());
    assert_eq!(body.finish().len(), 1_200_001);
    // A binary message counts with its base64.
    let nearly = frame::encode(Opcode::Binary, &[0; 749_998]);
    let mut body = Body::new();
    assert_eq!(body.take(&small), small.len());
    assert_eq!(body.take(&nearly), 0);
    let binary = frame::encode(Opcode::Binary, &[0; 749_997]);
    assert_eq!(body.take(&binary), binary.len());
    assert_eq!(body.finish().len(), 999_999);
}

#[test]
fn what_is_no_frame_of_ours_is_a_bug() {
    let mut masked = Vec::new();
    frame::encode_masked(Opcode::Text, b"4a", [1, 2, 3, 4], &mut masked);
    for frames in [&masked[..], b"\x01\x014", b"\x80\x014", b"\x83\x00"] {
        let taken = std::panic::catch_unwind(|| Body::new().take(frames));
        assert!(taken.is_err(), "{frames:?}");
    }
}

/// A packet as a frame, which may be of any kind that a session is sent.
fn packet() -> impl Strategy<Value = Item> {
    prop_oneof![
        "[0-6][^\u{1e}]{0,40}".prop_map(Item::Text),
        vec(any::<u8>(), 0..60).prop_map(Item::Binary),
    ]
}

fn framed(items: &[Item]) -> Vec<u8> {
    let frames = items.iter().map(|item| match item {
        Item::Text(text) => frame::text(text),
        Item::Binary(bytes) => frame::encode(Opcode::Binary, bytes),
    });
    frames.flatten().collect()
}

proptest! {
    #![proptest_config(cases(512))]

    /// Packets survive the way through frames and a body, wherever the frames are cut: a part of
    /// one is left for later.
    #[test]
    fn bodies_are_read_as_they_were_meant(items in vec(packet(), 1..20), cut in any::<Index>()) {
        let frames = framed(&items);
        let mut body = Body::new();
        let taken = body.take(&frames[..cut.index(frames.len() + 1)]);
        prop_assert_eq!(body.take(&frames[taken..]), frames.len() - taken);
        let body = body.finish();
        prop_assert_eq!(read_payload(body.as_bytes()), Ok(items));
    }

    /// A body cut into two at a separator has the same packets.
    #[test]
    fn payloads_are_cut_at_separators(items in vec(packet(), 2..20), cut in any::<Index>()) {
        let cut = 1 + cut.index(items.len() - 1);
        let mut body = Body::new();
        let mut read = Vec::new();
        for part in [&items[..cut], &items[cut..]] {
            body.take(&framed(part));
            read.extend(read_payload(body.finish().as_bytes()).unwrap());
        }
        prop_assert_eq!(read, items);
    }

    /// No body panics; one that is read has as many packets as there are separators and one, and
    /// none is empty.
    #[test]
    fn any_body_is_read_or_refused(
        items in vec(packet(), 1..8),
        damages in vec((any::<Index>(), prop_oneof![Just(0x1E), Just(b'b'), any::<u8>()]), 0..4),
    ) {
        let mut body = Body::new();
        body.take(&framed(&items));
        let mut bytes = body.finish().into_bytes();
        for (at, byte) in damages {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(items) = read_payload(&bytes) {
            let separators = bytes.iter().filter(|&&byte| byte == 0x1E).count();
            prop_assert_eq!(items.len(), separators + 1);
            for item in &items {
                if let Item::Text(text) = item {
                    prop_assert!(!text.is_empty());
                    let is_known = matches!(text.as_bytes()[0], b'0'..=b'6');
                    prop_assert_eq!(parse(text).is_ok(), is_known);
                }
            }
        }
    }

    /// Bytes by chance do not panic, here and where texts are parsed.
    #[test]
    fn garbage_is_read_or_refused(bytes in vec(any::<u8>(), 0..200), text in any::<String>()) {
        for body in [&bytes[..], text.as_bytes()] {
            let is_read = read_payload(body).is_ok();
            prop_assert!(!is_read || !body.is_empty());
        }
        prop_assert!(parse(&text).is_err() || text.starts_with(|digit| matches!(digit, '0'..='6')));
    }

    /// Whoever sends something after each ping is never dead; whoever sends nothing after one is,
    /// once the timeout is over and not before.
    #[test]
    fn the_silent_die_in_time(
        interval_ms in 1_u64..50,
        timeout_ms in 1_u64..50,
        answered in 0_u64..5,
        delay in any::<Index>(),
    ) {
        let timing = Timing { ping_interval_ms: interval_ms, ping_timeout_ms: timeout_ms };
        let delay_ms = delay.index(timeout_ms as usize) as u64;
        let mut heartbeat = Heartbeat::new(0);
        let (mut pings, mut pinged_ms, mut due_ms) = (0, 0, 0);
        for now_ms in 0.. {
            if pings > 0 && pings <= answered && now_ms == pinged_ms + delay_ms {
                heartbeat.heard(now_ms);
            }
            if now_ms < due_ms {
                continue; // it is asked no more often than it said
            }
            match heartbeat.tick(&timing, now_ms) {
                Tick::Nothing { next_ms } => due_ms = next_ms,
                Tick::Ping { next_ms } => {
                    prop_assert!(now_ms - pinged_ms >= interval_ms);
                    prop_assert!(now_ms - pinged_ms <= interval_ms.max(timeout_ms));
                    (pings, pinged_ms, due_ms) = (pings + 1, now_ms, next_ms);
                    // An answer within the same millisecond.
                    if pings <= answered && delay_ms == 0 {
                        heartbeat.heard(now_ms);
                    }
                }
                Tick::Dead => {
                    // One ping more, if the last answer came within its millisecond, before it.
                    prop_assert!((1..=2).contains(&(pings - answered)));
                    prop_assert_eq!(now_ms, pinged_ms + timeout_ms);
                    break;
                }
            }
            prop_assert!(due_ms > now_ms);
        }
    }

    /// Whatever a session's id is, the open packet is JSON with exactly five keys.
    #[test]
    fn open_packets_are_json(sid in any::<String>()) {
        let packet = open(&sid, &["websocket"], &Timing::default(), PAYLOAD_LEN_MAX);
        let Ok(Packet::Open(json)) = parse(&packet) else { panic!("{packet}") };
        let handshake: Value = serde_json::from_str(json).unwrap();
        prop_assert_eq!(&handshake["sid"], &Value::from(sid));
        let keys: Vec<&String> = handshake.as_object().unwrap().keys().collect();
        prop_assert_eq!(keys, ["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"]);
    }
}
