//! What polls bring: bodies that are payloads, and those that are none.

use std::{io::Write, thread};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{echo, lives, open};
use crate::{
    harness::{BAD, Canary, Dial, Heard, Over, Server, Session, UNKNOWN, read_response, until},
    process::Process,
};

/// The longest packet, in bytes.
const PACKET_LEN_MAX: usize = 64 << 10;
/// The longest body, in bytes.
const BODY_LEN_MAX: usize = 1_000_000;

/// What comes of a body.
enum Then {
    /// It is taken, and so many packets come back as they came.
    Taken(usize),
    /// It is refused, and the session is over.
    Refused,
    /// Some packet of it ends the session.
    Ends,
}

use Then::{Ends, Refused, Taken};

fn check(rows: &[(&str, Vec<u8>, Then)]) {
    let server = echo(&[]);
    let mut witness = open(&server, Over::Polling);
    for (name, body, then) in rows {
        let mut session = open(&server, Over::Polling);
        let response = session.post(body);
        let answer = (response.status, &*response.body);
        match then {
            Taken(count) => {
                assert_eq!(answer, (200, "ok"), "{name}");
                let mut packets = body.split(|byte| *byte == 0x1E);
                for n in 0..*count {
                    let sent = packets.next().expect("it has so many packets");
                    let came = match session.next() {
                        Heard::Packet(packet) => packet,
                        Heard::Binary(bytes) => format!("b{}", STANDARD.encode(bytes)),
                        Heard::End(_) => panic!("{name}: an end after {n}"),
                    };
                    assert_eq!(came.as_bytes(), sent, "{name}: {n}");
                }
                lives(&mut session);
            }
            Refused => {
                assert_eq!(answer, (400, BAD), "{name}");
                session.is_over();
            }
            Ends => {
                assert!(answer == (200, "ok") || answer == (400, UNKNOWN), "{name}: {answer:?}");
                session.is_over();
            }
        }
        lives(&mut witness);
    }
    server.stop();
}

/// A message packet of so many bytes.
fn packet(len: usize) -> String {
    format!("4{}", "x".repeat(len - 1))
}

fn binary(len: usize) -> Vec<u8> {
    format!("b{}", STANDARD.encode(vec![7; len])).into_bytes()
}

#[test]
fn what_is_a_payload() {
    let many = |count: usize| vec!["4x"; count].join("\u{1e}").into_bytes();
    let mut full = vec![packet(PACKET_LEN_MAX); 15];
    let rest = BODY_LEN_MAX - 15 * (PACKET_LEN_MAX + 1);
    full.push(packet(rest));
    let full = full.join("\u{1e}").into_bytes();
    assert_eq!(full.len(), BODY_LEN_MAX);
    check(&[
        ("one", b"4hello".to_vec(), Taken(1)),
        ("without content", b"4".to_vec(), Taken(1)),
        ("any text", "4\u{0}\r\n\u{2028}\u{1f4a9}é".into(), Taken(1)),
        ("999", many(999), Taken(999)),
        ("1,000", many(1_000), Taken(1_000)),
        ("1,001", many(1_001), Refused),
        ("64 KiB", packet(PACKET_LEN_MAX).into(), Taken(1)),
        ("64 KiB and a byte", packet(PACKET_LEN_MAX + 1).into(), Refused),
        (
            "64 KiB and a byte among others",
            format!("4a\u{1e}{}", packet(PACKET_LEN_MAX + 1)).into(),
            Refused,
        ),
        ("binary of 64 KiB", binary(PACKET_LEN_MAX), Taken(1)),
        ("binary of 64 KiB and a byte", binary(PACKET_LEN_MAX + 1), Refused),
        ("a full body", full, Taken(16)),
        ("binary among text", b"4a\x1ebAQID\x1e4b\x1eb\x1eb/+8=\x1e4c".to_vec(), Taken(6)),
        ("empty", b"".to_vec(), Refused),
        ("a separator", b"\x1e".to_vec(), Refused),
        ("a separator first", b"\x1e4a".to_vec(), Refused),
        ("a separator last", b"4a\x1e".to_vec(), Refused),
        ("two separators", b"4a\x1e\x1e4b".to_vec(), Refused),
        ("1,000,000 separators", vec![0x1E; BODY_LEN_MAX], Refused),
        ("no UTF-8", b"4\xff".to_vec(), Refused),
        ("half a character", b"4\xe2\x82".to_vec(), Refused),
        ("half a character at a separator", b"4\xe2\x1e4\x82".to_vec(), Refused),
        ("no base64", b"b!!!!".to_vec(), Refused),
        ("base64 without padding", b"bAQ".to_vec(), Refused),
        ("base64 for URLs", b"b_-8=".to_vec(), Refused),
        ("base64 with space", b"bAQ ID".to_vec(), Refused),
        ("base64 with bits over", b"bAR==".to_vec(), Refused),
        ("base64 with more padding", b"bAQID====".to_vec(), Refused),
        ("of the revision before", b"6:4hello".to_vec(), Taken(0)),
        ("of no type", b"7".to_vec(), Ends),
        ("a letter", b"hello".to_vec(), Ends),
        ("a character", "é".into(), Ends),
        ("JSON", br#"{"type":"states:get"}"#.to_vec(), Ends),
        ("an open packet", b"0{}".to_vec(), Ends),
        ("a ping", b"2".to_vec(), Ends),
        ("a probe", b"2probe".to_vec(), Ends),
        ("a good one before", b"4a\x1e7\x1e4b".to_vec(), Ends),
        ("a pong that nobody asked for", b"3".to_vec(), Taken(0)),
        ("a pong with text", b"3probe".to_vec(), Taken(0)),
        ("a noop", b"6".to_vec(), Taken(0)),
        ("an upgrade", b"5".to_vec(), Taken(0)),
    ]);
}

/// Sends a request in pieces, and reads the answer.
fn exchange(server: &Process, pieces: &[&[u8]]) -> (u16, String) {
    let mut stream = Dial::new(server.address(), "").tcp();
    for piece in pieces {
        // A server that has seen enough may not take the rest.
        let _ = stream.write_all(piece);
    }
    let (response, _) = read_response(&mut stream);
    (response.status, response.body)
}

fn head(session: &Session, lines: &str) -> String {
    format!(
        "POST /engine.io/?EIO=4&transport=polling&sid={} HTTP/1.1\r\nHost: localhost\r\n\
         Connection: close\r\n{lines}\r\n\r\n",
        session.sid
    )
}

#[test]
fn bodies_that_are_too_long() {
    let server = echo(&[]);
    let mut session = open(&server, Over::Polling);
    // Announced: nothing of it is waited for.
    for len in ["1000001", "99999999999", "9223372036854775807"] {
        let head = head(&session, &format!("Content-Length: {len}"));
        assert_eq!(exchange(&server, &[head.as_bytes()]).0, 413, "{len}");
        lives(&mut session);
    }
    // Not announced: as much as came.
    let chunked = head(&session, "Transfer-Encoding: chunked");
    let chunk = |len: usize| format!("{len:x}\r\n{}\r\n", "4".repeat(len));
    let most = chunk(BODY_LEN_MAX);
    assert_eq!(exchange(&server, &[chunked.as_bytes(), most.as_bytes(), b"1\r\n4\r\n"]).0, 413);
    lives(&mut session);
    let (a, b) = (chunk(4), "2\r\n\x1e4\r\n0\r\n\r\n");
    let answer = exchange(&server, &[chunked.as_bytes(), a.as_bytes(), b.as_bytes()]);
    assert_eq!(answer, (200, "ok".to_owned()));
    session.hears("4444");
    session.hears("4");
    server.stop();
}

/// A long body is taken from those alone who were let in; nothing of it is waited for otherwise.
#[test]
fn long_bodies_of_strangers() {
    let server = Server::start();
    let token = server.token("admin", &[]);
    let mut canary = Canary::new(&server);
    let mut session = server.socket_io().open(Over::Polling);
    let send = |sid: &str, lines: &str, body: &[u8]| {
        let mut stream = server.dial("").tcp();
        let head = format!(
            "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), body].concat()).expect("the server takes the head");
        let (response, _) = read_response(&mut stream);
        (response.status, response.body)
    };
    let unknown = (400, UNKNOWN.to_owned());
    for sid in ["AAAAAAAAAAAAAAAAAAAA", "__8AAAAAAAAAAAAAAAAA"] {
        assert_eq!(send(sid, "Content-Length: 65537", b"4"), unknown);
        assert_eq!(send(sid, "Transfer-Encoding: chunked", b"1\r\n4\r\n"), unknown);
    }
    // Somebody who is nowhere yet, and may say as much as a message has.
    assert_eq!(send(&session.sid, "Content-Length: 65537", b"4").0, 413);
    let chunk = format!("10001\r\n{}\r\n", "4".repeat(65_537));
    assert_eq!(send(&session.sid, "Transfer-Encoding: chunked", chunk.as_bytes()).0, 413);
    let padded = format!(r#"40{{"token":"{}","pad":""#, token.text);
    let padded = format!(r#"{padded}{}"}}"#, "x".repeat(PACKET_LEN_MAX - padded.len() - 2));
    assert_eq!(padded.len(), PACKET_LEN_MAX);
    assert_eq!(session.post(padded.as_bytes()).body, "ok");
    assert!(session.packet().starts_with(r#"40{"sid":""#));
    // From then on, as much as was announced.
    let call = r#"42["x",{"pad":"PAD"}]"#.replace("PAD", &"x".repeat(60_000));
    session.send_all(&vec![call; 16]);
    assert_eq!(session.told("/"), [""; 0]);
    // Over a socket nobody brings anything.
    let socket = server.socket_io().open(Over::Socket);
    assert_eq!(send(&socket.sid, "Content-Length: 65537", b"4"), (400, BAD.to_owned()));
    canary.sings();
}

#[test]
fn octets_are_no_payload() {
    let server = echo(&[]);
    let rows = [
        ("", 200),
        ("Content-Type: text/plain;charset=UTF-8", 200),
        ("Content-Type: application/x-www-form-urlencoded", 200),
        ("Content-Type: nonsense", 200),
        ("Content-Type: application/octet-stream", 400),
        ("content-type: application/octet-stream; charset=binary", 400),
    ];
    for (line, status) in rows {
        let mut session = open(&server, Over::Polling);
        let ask = session.asks("POST").body(b"4a");
        let response = if line.is_empty() { ask } else { ask.header(line) }.send();
        assert_eq!(response.status, status, "{line}");
        if status == 200 {
            session.hears("4a");
            lives(&mut session);
        } else {
            assert_eq!(response.body, BAD, "{line}");
            session.is_over();
        }
    }
    server.stop();
}

#[test]
fn two_polls_at_once_are_one_too_many() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let session = server.socket_io().open(Over::Polling);
    let both = [session.asks("GET"), session.asks("GET")];
    let both = both.map(|ask| thread::spawn(move || ask.send()));
    let answers = both.map(|poll| poll.join().expect("it is answered"));
    let mut bodies = answers.map(|answer| (answer.status, answer.body));
    bodies.sort();
    assert_eq!(bodies, [(200, "1".to_owned()), (400, BAD.to_owned())]);
    session.is_over();
    canary.sings();
}

#[test]
fn two_requests_with_packets_at_once_are_one_too_many() {
    /// Pairs of calls, each of which waits for the one before and for the disk.
    const PAIRS: usize = 450;
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let token = server.token("admin", &[]);
    let mut session = server.socket_io().open(Over::Polling);
    session.enter("/states", &json!({ "token": token.text, "recover": true }));
    let pair = ["subscribe", "unsubscribe"]
        .map(|name| format!(r#"42/states,["{name}",{{"topics":["entity/light.a"]}}]"#));
    let long = vec![pair.join("\u{1e}"); PAIRS].join("\u{1e}");
    let served = || server.metric("bellwire_messages_total");
    let before = served();
    let first = session.asks("POST").body(long.as_bytes());
    let first = thread::spawn(move || first.send());
    until("the first packets are served", || served() > before);
    let second = session.post(b"42/states,[\"x\"]");
    assert_eq!((second.status, &*second.body), (400, BAD));
    let first = first.join().expect("it is answered");
    assert_eq!((first.status, &*first.body), (400, UNKNOWN));
    session.is_over();
    canary.sings();
}

/// Bodies come in pieces, and their order is that of their ends.
#[test]
fn a_body_that_is_on_its_way_holds_up_nobody() {
    let server = echo(&[]);
    let mut session = open(&server, Over::Polling);
    let mut slow = Dial::new(server.address(), "").tcp();
    let head = head(&session, "Content-Length: 5");
    slow.write_all(format!("{head}4sl").as_bytes()).expect("the server listens");
    lives(&mut session);
    slow.write_all(b"ow").expect("the server listens");
    assert_eq!(read_response(&mut slow).0.body, "ok");
    session.hears("4slow");
    // One that breaks off is none.
    let mut broken = Dial::new(server.address(), "").tcp();
    broken.write_all(format!("{head}4br").as_bytes()).expect("the server listens");
    drop(broken);
    lives(&mut session);
    server.stop();
}
