//! From polling to WebSocket: probes as they should be, and as they should not.

use bellwire_wire::frame::Opcode;

use super::{echo, lives, open};
use crate::harness::{
    BAD, Client, Got, Over, Session, UNKNOWN, frame, masked, read_response, text, until,
};

/// A socket that has begun to probe.
#[track_caller]
fn probe(session: &Session) -> Client {
    let mut client = session.probes().open();
    client.send("2probe");
    client.hears("3probe");
    client
}

/// The change of transport, done.
#[track_caller]
fn upgrade(session: &mut Session) {
    let mut client = probe(session);
    client.send("5");
    session.goes_on(client);
}

#[track_caller]
fn refuses_to_poll(session: &Session) {
    for response in [session.poll(), session.post(b"4a")] {
        assert_eq!((response.status, &*response.body), (400, BAD));
    }
}

#[test]
fn a_session_changes_its_transport() {
    let server = echo(&[]);
    let mut session = open(&server, Over::Polling);
    lives(&mut session);
    // A poll that waits is ended by the probe, and so are those that follow.
    let mut waiting = session.waiting();
    let mut client = probe(&session);
    assert_eq!(read_response(&mut waiting).0.body, "6");
    assert_eq!(session.poll().body, "6");
    assert_eq!(session.post(b"4by the old way").body, "ok");
    client.send("5");
    client.hears("4by the old way");
    refuses_to_poll(&session);
    session.goes_on(client);
    lives(&mut session);
    session.send_binary(&[0, 1, 255]);
    assert_eq!(session.next(), crate::harness::Heard::Binary(vec![0, 1, 255]));
    refuses_to_poll(&session);
    lives(&mut session);
    server.stop();
}

/// What was sent before, while and after the transport changes comes back in its order.
#[test]
fn packets_keep_their_order_over_an_upgrade() {
    const EACH: usize = 400;
    let server = echo(&[]);
    for polls_between in [0, 1, 3] {
        let mut session = open(&server, Over::Polling);
        let mut expected = 0..;
        let packets =
            |from: usize| -> Vec<String> { (from..from + EACH).map(|n| format!("4{n}")).collect() };
        let mut heard: Vec<String> = Vec::new();
        let polled = |session: &Session| -> Vec<String> {
            let body = session.poll().body;
            body.split('\u{1e}').filter(|packet| *packet != "6").map(str::to_owned).collect()
        };
        session.send_all(&packets(0));
        (0..polls_between).take(1).for_each(|_| heard.extend(polled(&session)));
        let mut client = session.probes().open();
        session.send_all(&packets(EACH));
        client.send("2probe");
        client.hears("3probe");
        for _ in 1..polls_between {
            heard.extend(polled(&session));
        }
        session.send_all(&packets(2 * EACH));
        // The last step, and what follows it, in one write.
        let rest = packets(3 * EACH);
        let frames = text("5").into_iter().chain(rest.iter().flat_map(|p| text(p)));
        client.send_bytes(&frames.collect::<Vec<u8>>());
        session.goes_on(client);
        while heard.len() < 4 * EACH {
            heard.push(session.packet());
        }
        for packet in heard {
            let n = expected.next().expect("there is no end");
            assert_eq!(packet, format!("4{n}"), "{polls_between} polls");
        }
    }
    server.stop();
}

#[test]
fn probes_that_are_none() {
    let rows: &[(&str, Vec<u8>)] = &[
        ("a ping", text("2")),
        ("half a probe", text("2prob")),
        ("more than a probe", text("2probe ")),
        ("the answer", text("3probe")),
        ("an open packet", text("0{}")),
        ("a close packet", text("1")),
        ("a message", text("4hello")),
        ("a noop", text("6")),
        ("more than an upgrade", text("5x")),
        ("nothing", text("")),
        ("JSON", text(r#"{"type":"states:get"}"#)),
        ("binary", frame(Opcode::Binary, b"2probe")),
        ("a reserved opcode", masked(0x83, b"2probe")),
        ("no UTF-8", masked(0x81, b"\xff")),
    ];
    let server = echo(&[]);
    for (name, bytes) in rows {
        let mut session = open(&server, Over::Polling);
        for begun in [false, true] {
            let mut client = if begun { probe(&session) } else { session.probes().open() };
            client.send_bytes(bytes);
            let code = if *name == "no UTF-8" { 1007 } else { 1002 };
            assert_eq!(client.closed(), (vec![], Some(code)), "{name}, {begun}");
            // The session polls as before, and may try again.
            lives(&mut session);
        }
        upgrade(&mut session);
        lives(&mut session);
    }
    // A probe that goes away is none either.
    let mut session = open(&server, Over::Polling);
    for _ in 0..3 {
        drop(probe(&session));
        // When the server sees that, nothing tells.
        let mut again = None;
        until("there is room for a probe", || {
            let mut client = session.probes().open();
            client.send("2probe");
            again = (client.next() == Got::Text("3probe".to_owned())).then_some(client);
            again.is_some()
        });
        let mut client = again.expect("there was room");
        client.send_bytes(&frame(Opcode::Close, &1000_u16.to_be_bytes()));
        assert_eq!(client.closed(), (vec![], Some(1000)));
    }
    lives(&mut session);
    server.stop();
}

#[test]
fn a_second_socket_is_closed_and_the_first_lives() {
    let server = echo(&[]);
    let is_closed = |mut client: Client| assert_eq!(client.closed(), (vec![], Some(1008)));
    // Beside one that was the transport from the start.
    let mut session = open(&server, Over::Socket);
    is_closed(session.probes().open());
    lives(&mut session);
    // Beside a probe that is under way, which goes on.
    let mut session = open(&server, Over::Polling);
    let mut first = probe(&session);
    is_closed(session.probes().open());
    lives(&mut session);
    first.send("5");
    session.goes_on(first);
    // Beside one that became the transport.
    is_closed(session.probes().open());
    let mut talkative = session.probes().with(&[text("2probe"), text("5")].concat()).open();
    assert_eq!(talkative.next(), Got::Close(Some((1008, "the session has its transport".into()))));
    lives(&mut session);
    refuses_to_poll(&session);
    server.stop();
}

#[test]
fn a_socket_for_no_session_is_none() {
    let server = echo(&[]);
    let mut session = open(&server, Over::Polling);
    let other = if session.sid.ends_with('A') { "B" } else { "A" };
    let near = format!("{}{other}", &session.sid[..19]);
    for sid in [near.as_str(), "", "x", "AAAAAAAAAAAAAAAAAAAA", "__8AAAAAAAAAAAAAAAAA"] {
        let path = format!("/engine.io/?EIO=4&transport=websocket&sid={sid}");
        let response = crate::harness::Dial::new(server.address(), &path).response();
        assert_eq!((response.status, &*response.body), (400, UNKNOWN), "{sid}");
    }
    lives(&mut session);
    // A session that ends takes its probe along.
    let mut probing = probe(&session);
    assert_eq!(session.post(b"1").body, "ok");
    assert!(matches!(probing.next(), Got::End | Got::Close(_)));
    server.stop();
}
