//! Frames as no client should send them, each with the close code it earns, and the limits of
//! those that are sent as they should be.

use bellwire_wire::frame::Opcode;

use crate::harness::{Canary, Got, Server, frame, masked, start_of_frame, text};

const GET: &str = r#"{"type":"states:get","entity_id":"light.none"}"#;
const NOT_FOUND: &str =
    r#"{"type":"states:get:response","success":false,"error":"State not found: light.none"}"#;

/// Bytes with opcodes at will: 0x8_ is a whole frame, 0x0_ a fragment.
type Row = (&'static str, Vec<u8>, u16);

/// Sends each row, after a message that must still be answered, and expects its close code; once
/// whole and, where it is short, once byte by byte.
fn check(rows: &[Row]) {
    let server = Server::start();
    let token = server.token("admin", &[]);
    let mut canary = Canary::new(&server);
    for (name, bytes, code) in rows {
        let mut client = server.connect(&token);
        assert_eq!(client.ask(GET), NOT_FOUND, "{name}");
        client.send_bytes(bytes);
        assert_eq!(client.closed(), (vec![], Some(*code)), "{name}");
        if bytes.len() < 64 {
            let mut client = server.connect(&token);
            bytes.iter().for_each(|byte| client.send_bytes(&[*byte]));
            assert_eq!(client.closed(), (vec![], Some(*code)), "{name}, byte by byte");
        }
        canary.sings();
    }
}

#[test]
fn frames_that_break_the_protocol() {
    let mut unmasked = vec![0x81, GET.len() as u8];
    unmasked.extend(GET.as_bytes());
    let short16 = vec![0x81, 0xFE, 0, 125, 0, 0, 0, 0];
    check(&[
        ("not masked", unmasked, 1002),
        ("not masked, empty", vec![0x81, 0], 1002),
        ("RSV1", masked(0xC1, b"{}"), 1002),
        ("RSV2", masked(0xA1, b"{}"), 1002),
        ("RSV3", masked(0x91, b"{}"), 1002),
        ("opcode 3", masked(0x83, b"{}"), 1002),
        ("opcode 7", masked(0x87, b"{}"), 1002),
        ("opcode 11", masked(0x8B, b""), 1002),
        ("opcode 15", masked(0x8F, b""), 1002),
        ("a ping of 126 bytes", vec![0x89, 0xFE, 0, 126, 0, 0, 0, 0], 1002),
        ("a long close", start_of_frame(0x88, 70_000), 1002),
        ("a fragmented ping", masked(0x09, b""), 1002),
        ("a fragmented close", masked(0x08, &[3, 232]), 1002),
        ("two bytes for 125", short16, 1002),
        ("eight bytes for 5", start_of_frame(0x81, 5), 1002),
        ("eight bytes for 65,535", start_of_frame(0x81, 65_535), 1002),
        ("a length of 2^63", start_of_frame(0x81, 1 << 63), 1002),
        ("a continuation of nothing", masked(0x80, b"{}"), 1002),
        ("a fragment of nothing", masked(0x00, b"{"), 1002),
        ("a message inside another", [masked(0x01, b"{"), masked(0x81, b"{}")].concat(), 1002),
        ("a binary one inside a text", [masked(0x01, b"{"), masked(0x02, b"}")].concat(), 1002),
    ]);
}

#[test]
fn frames_that_are_too_many_or_too_much() {
    let fragments = |count: usize| {
        let mut bytes = masked(0x01, b"");
        (2..count).for_each(|_| bytes.extend(masked(0x00, b"")));
        bytes.extend(masked(0x80, b""));
        bytes
    };
    let mut many = vec![frame(Opcode::Text, &[b' '; 65_536])];
    many[0][0] = 0x01; // The first fragment of more.
    many.push(start_of_frame(0x80, 1 << 16));
    let one_more = [frame(Opcode::Text, &[b' '; 65_537])].concat();
    check(&[
        ("64 KiB and a byte announced", start_of_frame(0x81, 65_537), 1009),
        ("64 KiB and a byte sent", one_more, 1009),
        ("2^62 bytes", start_of_frame(0x82, 1 << 62), 1009),
        ("64 KiB and as much again", many.concat(), 1009),
        ("1,025 fragments", fragments(1_025), 1008),
        ("21 pings", frame(Opcode::Ping, b"").repeat(21), 1008),
        ("a binary message", frame(Opcode::Binary, b"{}"), 1003),
        ("an empty one", frame(Opcode::Binary, b""), 1003),
        ("one in fragments", [masked(0x02, b"{"), masked(0x80, b"}")].concat(), 1003),
    ]);
}

#[test]
fn text_is_utf8() {
    let close = |reason: &[u8]| frame(Opcode::Close, &[&[3, 232], reason].concat());
    check(&[
        ("a lone byte", masked(0x81, b"{\"a\":\"\xff\"}"), 1007),
        ("an overlong slash", masked(0x81, b"\xc0\xaf"), 1007),
        ("a surrogate", masked(0x81, b"\xed\xa0\x80"), 1007),
        ("above U+10FFFF", masked(0x81, b"\xf4\x90\x80\x80"), 1007),
        ("an end too early", masked(0x81, b"{\"\xe2\x82"), 1007),
        ("in a first fragment", masked(0x01, b"\xff"), 1007),
        ("across fragments", [masked(0x01, b"\xe2\x82"), masked(0x80, b"x")].concat(), 1007),
        ("in a close reason", close(b"\xff"), 1007),
        ("half a character in a close reason", close(b"\xe2\x82"), 1007),
    ]);
}

#[test]
fn a_close_is_echoed_if_it_may_be_sent() {
    let close = |code: u16| frame(Opcode::Close, &code.to_be_bytes());
    let fine = (1000..=1003).chain(1007..=1014).chain([3000, 3999, 4000, 4401, 4999]);
    let wrong = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65_535];
    let mut rows: Vec<Row> = fine.map(|code| ("a close", close(code), code)).collect();
    rows.extend(wrong.map(|code| ("a close", close(code), 1002)));
    rows.push(("a close of one byte", frame(Opcode::Close, &[3]), 1002));
    rows.push(("with a reason", frame(Opcode::Close, b"\x03\xe8bye"), 1000));
    let longest = [&[3, 232], [b'x'; 123].as_slice()].concat();
    rows.push(("with the longest reason", frame(Opcode::Close, &longest), 1000));
    check(&rows);
}

#[test]
fn what_is_allowed_is_answered() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let mut client = server.admin();
    let padded = |len: usize| {
        let start = GET.strip_suffix('}').expect("an object");
        let pad = "x".repeat(len - start.len() - r#","pad":""}"#.len());
        format!(r#"{start},"pad":"{pad}"}}"#)
    };
    let cut = |message: &str, into: usize| {
        let (bytes, mut out) = (message.as_bytes(), Vec::new());
        let piece = bytes.len() / into;
        for n in 0..into {
            let end = if n + 1 == into { bytes.len() } else { (n + 1) * piece };
            let mut fragment = frame(Opcode::Text, &bytes[n * piece..end]);
            fragment[0] = u8::from(n == 0) | if n + 1 == into { 0x80 } else { 0 };
            out.extend(fragment);
        }
        out
    };
    let between = {
        let pieces = [
            masked(0x01, &GET.as_bytes()[..9]),
            frame(Opcode::Ping, b"now"),
            masked(0x80, &GET.as_bytes()[9..]),
        ];
        pieces.concat()
    };
    let byte_by_byte = text(GET);
    let rows: [(&str, Vec<Vec<u8>>, usize); 7] = [
        ("64 KiB", vec![text(&padded(1 << 16))], 1),
        ("64 KiB in two fragments", vec![cut(&padded(1 << 16), 2)], 1),
        ("1,024 fragments", vec![cut(&padded(2_048), 1_024)], 1),
        ("byte by byte", byte_by_byte.chunks(1).map(<[u8]>::to_vec).collect(), 1),
        ("64 at once", vec![text(GET).repeat(64)], 64),
        ("1,000 at once", vec![text(GET).repeat(1_000)], 1_000),
        ("white space around it", vec![text(&format!(" \r\n\t{GET} \n"))], 1),
    ];
    for (name, writes, answers) in rows {
        // Refusals are counted; each row gets a connection of its own.
        let mut client = server.admin();
        client.send(r#"{"type":"states:create","entity_id":"light.none","state":"on"}"#);
        (0..2).for_each(|_| drop(client.text()));
        writes.iter().for_each(|bytes| client.send_bytes(bytes));
        for _ in 0..answers {
            let answer = client.text();
            assert!(
                answer.starts_with(r#"{"type":"states:get:response","success":true,"#),
                "{name}: {answer}"
            );
        }
        assert_eq!(client.told(), [""; 0], "{name}");
        canary.sings();
    }
    drop(client.told()); // The rows' events.
    client.send_bytes(&between);
    assert_eq!(client.next(), Got::Pong(b"now".to_vec()));
    assert!(client.text().starts_with(r#"{"type":"states:get:response","success":true,"#));
    let pings = (0..19).flat_map(|n| frame(Opcode::Ping, &[n; 125])).collect::<Vec<u8>>();
    client.send_bytes(&pings);
    (0..19).for_each(|n| assert_eq!(client.next(), Got::Pong(vec![n; 125])));
    client.send_bytes(&frame(Opcode::Pong, b"nobody asked"));
    client.send_bytes(&frame(Opcode::Close, b""));
    assert_eq!(client.closed(), (vec![], None));
}

/// Messages and the end behind them may come in one read, before the connection's rights were even
/// looked up: they count all the same, and are answered before the close.
#[test]
fn what_was_sent_before_a_close_takes_effect() {
    let server = Server::start();
    let token = server.token("admin", &[]);
    let mut listener = server.listener(&token);
    let create = text(r#"{"type":"states:create","entity_id":"light.a","state":"on"}"#);
    let close = frame(Opcode::Close, &1000_u16.to_be_bytes());
    let quiet = text(r#"{"type":"subscribe_entities","entity_ids":[]}"#);
    let heard = r#"{"type":"state_changed","data":{"entity_id":"light.a","new_state":{"state":"on","attributes":{}}}}"#;
    // What is sent, how many rows it creates, how many texts are told, and the code at the end.
    let rows = [
        ([create.clone(), close.clone()].concat(), 1, 1, 1000),
        ([&create, &text(GET), &create, &close].map(Vec::as_slice).concat(), 2, 3, 1000),
        ([create.repeat(200), close.clone()].concat(), 200, 200, 1000),
        (
            [create.clone(), frame(Opcode::Ping, b""), close.clone(), create.clone()].concat(),
            1,
            1,
            1000,
        ),
        ([create.clone(), frame(Opcode::Binary, b""), create.clone()].concat(), 1, 1, 1003),
        ([create.clone(), masked(0x83, b""), create.clone()].concat(), 1, 1, 1002),
        ([create.repeat(100), masked(0x81, b"\xff")].concat(), 100, 100, 1007),
    ];
    for (bytes, created, told, code) in rows {
        // With the request, behind it, and with the end of the stream right behind.
        for (at_once, finish) in [(true, false), (false, false), (true, true)] {
            let dial = server.dial("/api/ws").bearer(&token.text);
            let bytes = [&quiet, &bytes].map(Vec::as_slice).concat();
            let mut client = if at_once { dial.with(&bytes).open() } else { dial.open() };
            if !at_once {
                assert_eq!(client.told(), [""; 0]);
                client.send_bytes(&bytes);
            }
            if finish {
                client.finish_sending();
            }
            (0..created).for_each(|_| listener.hears(heard));
            let (texts, closed) = client.closed();
            assert_eq!((texts.len(), closed), (1 + told, Some(code)), "{at_once} {finish}");
        }
    }
    assert_eq!(listener.told(), [""; 0]);
}
