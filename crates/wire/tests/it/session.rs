//! One connection's life, told as scripts in virtual time.

use bellwire_wire::frame::{self, Flow, Limits, Opcode};
use bellwire_wire::session::{Action, CLOSE_WITHIN_MS, Session, Tick};

/// What the driver was told, or the peer would have read.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Text(&'static str),
    Binary,
    Reply(Vec<u8>),
    Closed,
}

/// One thing that happens to a session.
enum Step {
    /// The peer sends this frame.
    Frame(Opcode, &'static [u8]),
    /// The peer sends these raw bytes.
    Raw(&'static [u8]),
    /// The server closes; whether a frame is to be written.
    Close(u16, bool),
    /// The driver asks what is due.
    Tick(Tick),
}

use Opcode::{Binary, Close as CloseOp, Ping, Pong, Text};
use Step::{Close, Frame, Raw};

const GOING_AWAY: &[u8] = &[0x03, 0xE9]; // 1001

fn nothing(next_ms: u64) -> Step {
    Step::Tick(Tick::Nothing { next_ms })
}

fn ping(next_ms: u64) -> Step {
    Step::Tick(Tick::Ping { frame: frame::encode(Ping, b""), next_ms })
}

fn dead() -> Step {
    Step::Tick(Tick::Dead)
}

fn reply(opcode: Opcode, payload: &[u8]) -> Seen {
    Seen::Reply(frame::encode(opcode, payload).to_vec())
}

fn close_reply(code: u16, reason: &str) -> Seen {
    Seen::Reply(frame::close(code, reason).to_vec())
}

/// Runs a script of (time, step) on a session that opened at 0; says what was seen.
#[track_caller]
fn run(script: Vec<(u64, Step)>) -> (Session, Vec<Seen>) {
    let mut session = Session::new(0);
    let mut seen = Vec::new();
    for (now_ms, step) in script {
        let mut bytes = Vec::new();
        match step {
            Step::Tick(expected) => {
                assert_eq!(session.tick(now_ms), expected, "at {now_ms} ms");
                continue;
            }
            Step::Close(code, is_sent) => {
                let close = session.close(code, "", now_ms);
                assert_eq!(close, is_sent.then(|| frame::close(code, "")), "at {now_ms} ms");
                continue;
            }
            Step::Raw(raw) => bytes.extend(raw),
            Step::Frame(opcode, payload) => {
                frame::encode_masked(opcode, payload, [1, 2, 3, 4], &mut bytes);
            }
        }
        session.receive(&Limits::DEFAULT, &mut bytes, now_ms, &mut |action| {
            seen.push(match action {
                Action::Text(text) => Seen::Text(text.to_owned().leak()),
                Action::Binary(_) => Seen::Binary,
                Action::Reply(frame) => Seen::Reply(frame.to_vec()),
                Action::Closed => Seen::Closed,
            });
            Flow::Continue
        });
    }
    (session, seen)
}

/// After this script these things were seen, and the session is open or not.
#[track_caller]
fn check(script: Vec<(u64, Step)>, expected: &[Seen], is_open: bool) {
    let (session, seen) = run(script);
    assert_eq!(seen, expected);
    assert_eq!(session.is_open(), is_open);
}

#[test]
fn messages_and_pings() {
    check(vec![], &[], true);
    check(vec![(0, Frame(Text, b"hi"))], &[Seen::Text("hi")], true);
    check(vec![(0, Frame(Binary, b"hi"))], &[Seen::Binary], true);
    check(vec![(0, Frame(Ping, b"are you there"))], &[reply(Pong, b"are you there")], true);
    check(vec![(0, Frame(Ping, b""))], &[reply(Pong, b"")], true);
    check(vec![(0, Frame(Pong, b"I am here"))], &[], true);
}

#[test]
fn the_peer_closes() {
    let echoed = [close_reply(1001, ""), Seen::Closed];
    check(vec![(0, Frame(CloseOp, GOING_AWAY))], &echoed, false);
    check(vec![(0, Frame(CloseOp, b"\x0F\xA0bye"))], &[close_reply(4000, ""), Seen::Closed], false);
    check(vec![(0, Frame(CloseOp, b""))], &[reply(CloseOp, b""), Seen::Closed], false);
    // Nothing follows, from neither side.
    let script = vec![
        (0, Frame(CloseOp, GOING_AWAY)),
        (1, Frame(Text, b"one more thing")),
        (2, Raw(b"garbage")),
        (3, Close(1000, false)),
        (4, nothing(5_000)),
        (5_000, dead()),
    ];
    check(script, &echoed, false);
}

#[test]
fn the_server_closes() {
    // Until the peer answers, what it sends is dropped, pings included.
    let script = vec![
        (1_000, Close(1012, true)),
        (1_001, Frame(Text, b"late")),
        (1_002, Frame(Ping, b"late")),
        (1_003, Close(1000, false)),
        (1_004, Frame(CloseOp, b"\x03\xF4")),
        (1_005, Close(1000, false)),
        (1_006, nothing(6_000)),
    ];
    check(script, &[Seen::Closed], false);
    // It never answers, or only talks on.
    let silent = vec![(1_000, Close(1012, true)), (5_999, nothing(6_000)), (6_000, dead())];
    check(silent, &[], false);
    let chatty = vec![(0, Close(1012, true)), (4_999, Frame(Text, b"but")), (5_000, dead())];
    check(chatty, &[], false);
    // It answers with nonsense: no second close frame.
    check(vec![(0, Close(1012, true)), (1, Raw(&[0xFF]))], &[Seen::Closed], false);
    // Both close at once.
    check(vec![(0, Close(1012, true)), (0, Frame(CloseOp, b""))], &[Seen::Closed], false);
    assert_eq!(CLOSE_WITHIN_MS, 5_000);
}

#[test]
fn violations() {
    let rows: [(Step, Seen); 5] = [
        (Raw(&[0xFF]), close_reply(1002, "reserved bits set")),
        (Raw(&[0x81, 0x05]), close_reply(1002, "client frame not masked")),
        (Frame(CloseOp, &[0x03, 0xED]), close_reply(1002, "close code not allowed")),
        (Frame(Text, &[0xFF]), close_reply(1007, "text is not valid UTF-8")),
        (Frame(Text, &[b'x'; 65_537]), close_reply(1009, "message too big")),
    ];
    for (step, close) in rows {
        let script = vec![
            (0, Frame(Text, b"first")),
            (10, step),
            (20, Frame(Text, b"ignored")),
            (30, Close(1000, false)),
            (40, nothing(5_010)),
            (5_010, dead()),
        ];
        check(script, &[Seen::Text("first"), close, Seen::Closed], false);
    }
    let pings = (0..21).map(|_| (0, Frame(Ping, b""))).collect();
    let mut expected = vec![reply(Pong, b""); 20];
    expected.extend([close_reply(1008, "too many pings"), Seen::Closed]);
    check(pings, &expected, false);
}

#[test]
fn liveness() {
    // Silence: a ping, another, dead.
    let silent = vec![
        (0, nothing(25_000)),
        (24_999, nothing(25_000)),
        (25_000, ping(50_000)),
        (25_000, nothing(50_000)),
        (49_999, nothing(50_000)),
        (50_000, ping(60_000)),
        (59_999, nothing(60_000)),
        (60_000, dead()),
    ];
    check(silent, &[], true);
    // A driver that asks late is still told.
    check(vec![(59_999, ping(60_000)), (60_000, dead())], &[], true);
    check(vec![(1_000_000, dead())], &[], true);
    // Any frame is a sign of life, and puts the ping off.
    for opcode in [Text, Binary, Ping, Pong] {
        let script = vec![
            (20_000, Frame(opcode, b"")),
            (25_000, nothing(45_000)),
            (45_000, ping(70_000)),
            (50_000, Frame(Pong, b"")),
            (60_001, nothing(75_000)),
            (75_000, ping(100_000)),
            (110_000, dead()),
        ];
        let (session, _) = run(script);
        assert!(session.is_open());
    }
    // So is a fragment; but bytes of a frame that never ends are none.
    let fragment: &[u8] = &[0x01, 0x80, 0, 0, 0, 0];
    check(vec![(59_000, Raw(fragment)), (60_000, nothing(84_000))], &[], true);
    let trickle = vec![
        (0, Raw(&[0x81, 0xFE, 0x10, 0x00, 0, 0, 0, 0])),
        (30_000, Raw(b"a")),
        (59_999, Raw(b"b")),
        (60_000, dead()),
    ];
    check(trickle, &[], true);
}

/// A pause holds messages back; a close meanwhile drops them but still hears the peer's answer.
#[test]
fn pauses() {
    let stream = || {
        let mut bytes = Vec::new();
        for text in [b"1", b"2", b"3"] {
            frame::encode_masked(Text, text, [0; 4], &mut bytes);
        }
        frame::encode_masked(CloseOp, GOING_AWAY, [0; 4], &mut bytes);
        bytes
    };
    fn step(session: &mut Session, bytes: &mut [u8]) -> Vec<String> {
        let mut seen = Vec::new();
        session.receive(&Limits::DEFAULT, bytes, 0, &mut |action| {
            seen.push(format!("{action:?}"));
            Flow::Pause
        });
        seen
    }

    let mut session = Session::new(0);
    assert_eq!(step(&mut session, &mut stream()), [r#"Text("1")"#]);
    assert!(session.has_unread());
    assert_eq!(step(&mut session, &mut []), [r#"Text("2")"#]);
    assert_eq!(step(&mut session, &mut []), [r#"Text("3")"#]);
    assert_eq!(step(&mut session, &mut []), [r#"Reply(b"\x88\x02\x03\xe9")"#, "Closed"]);
    assert!(!session.has_unread() && !session.is_open());

    let mut session = Session::new(0);
    assert_eq!(step(&mut session, &mut stream()), [r#"Text("1")"#]);
    assert!(session.close(1001, "", 0).is_some());
    assert_eq!(step(&mut session, &mut []), ["Closed"]);
    assert!(!session.has_unread());
}

#[test]
fn a_session_is_small() {
    assert!(size_of::<Session>() <= 96, "{}", size_of::<Session>());
}
