//! How sessions end: by their client, by its silence, by a connection that breaks.

use std::time::{Duration, Instant};

use bellwire_wire::frame::Opcode;

use super::{echo, lives, open};
use crate::harness::{
    Canary, DEADLINE, Got, Heard, Over, Server, frame, masked, read_response, start_of_frame, until,
};

#[test]
fn the_client_says_that_it_goes() {
    let server = echo(&[]);
    // Over a socket: a packet, or a close frame.
    for (bytes, code) in [
        (crate::harness::text("1"), Some(1000)),
        (crate::harness::text("1 with more"), Some(1000)),
        (frame(Opcode::Close, &1000_u16.to_be_bytes()), Some(1000)),
        (frame(Opcode::Close, &1001_u16.to_be_bytes()), Some(1001)),
        (frame(Opcode::Close, b""), None),
    ] {
        let mut session = open(&server, Over::Socket);
        lives(&mut session);
        // What came before is answered still.
        session.send("4last words");
        session.client().send_bytes(&bytes);
        assert_eq!(session.client().closed(), (vec!["4last words".to_owned()], code));
        session.is_over();
    }
    // Over polling: a poll that waits ends with nothing.
    let session = open(&server, Over::Polling);
    let mut waiting = session.waiting();
    assert_eq!(session.post(b"1").body, "ok");
    let (last, _) = read_response(&mut waiting);
    assert_eq!((last.status, &*last.body), (200, "6"));
    session.is_over();
    // With words before it, in the same body: they are said back first.
    let session = open(&server, Over::Polling);
    assert_eq!(session.post(b"4a\x1e4b\x1e1").body, "ok");
    assert_eq!(session.poll().body, "4a\u{1e}4b\u{1e}6");
    session.is_over();
    server.stop();
}

#[test]
fn packets_that_only_servers_send() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let token = server.token("admin", &[]);
    for packet in ["0", r#"0{"sid":"x"}"#, "2", "2probe", "2 ", "7", "9", "", "x", "-1", "\u{0}"] {
        for over in Over::BOTH {
            let mut session = server.socket_io().open(over);
            session.enter_as("/", &token.text);
            match over {
                Over::Socket => session.client().send(packet),
                // An empty packet is no payload.
                Over::Polling => drop(session.post(packet.as_bytes())),
            }
            assert_eq!(session.closed(1002), [""; 0], "{packet:?} over {over:?}");
        }
        canary.sings();
    }
    for over in Over::BOTH {
        let mut session = server.socket_io().open(over);
        session.enter_as("/", &token.text);
        session.send_all(&["3", "3probe", "5", "6", "6 and more"]);
        assert_eq!(session.told("/"), [""; 0], "{over:?}");
    }
    canary.sings();
}

/// Both ends count with the handshake's figures.
#[test]
fn who_is_silent_is_dead() {
    const INTERVAL: Duration = Duration::from_millis(300);
    const TIMEOUT: Duration = Duration::from_millis(200);
    let server = echo(&["--ping-interval-ms", "300", "--ping-timeout-ms", "200"]);
    for over in Over::BOTH {
        // Who answers lives, for many times as long.
        let mut session = open(&server, over);
        let began = Instant::now();
        while began.elapsed() < 5 * (INTERVAL + TIMEOUT) {
            // Whatever it says is a sign of life.
            lives(&mut session);
        }
        // Who does not is asked once, and then it is over.
        let began = Instant::now();
        let silent = open(&server, over);
        match over {
            Over::Socket => {
                let mut silent = silent;
                assert_eq!(silent.client().next(), Got::Text("2".to_owned()));
                assert!(began.elapsed() >= INTERVAL, "{:?}", began.elapsed());
                assert_eq!(
                    silent.client().next(),
                    Got::Close(Some((1008, "ping timeout".to_owned())))
                );
            }
            Over::Polling => {
                assert_eq!(silent.poll().body, "2");
                assert!(began.elapsed() >= INTERVAL, "{:?}", began.elapsed());
                assert_eq!(silent.poll().body, "1");
                silent.is_over();
            }
        }
        let lived = began.elapsed();
        assert!(lived >= INTERVAL + TIMEOUT && lived < DEADLINE, "{lived:?}");
    }
    // Who does not even poll is as dead. A socket for its session shows that; it is no sign of life.
    let began = Instant::now();
    let absent = open(&server, Over::Polling);
    until("it is over", || absent.probes().response().status == 400);
    assert!(began.elapsed() >= INTERVAL, "{:?}", began.elapsed());
    absent.is_over();
    server.stop();
}

/// A connection that breaks while a poll waits on it has broken the session; one that breaks between two
/// polls has not.
#[test]
fn a_poll_whose_client_is_gone() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let token = server.token("admin", &[]);
    for _ in 0..20 {
        let mut session = server.socket_io().open(Over::Polling);
        session.enter_as("/states", &token.text);
        let stream = session.waiting();
        drop(stream);
        until("the session is over", || server.metric("bellwire_connections") == 1.0);
        session.is_over();
    }
    let mut session = server.socket_io().open(Over::Polling);
    session.enter_as("/states", &token.text);
    drop(server.dial("").tcp());
    canary.sings();
    let told = session.told("/states");
    assert!(told.len() == 1 && told[0].contains("canary.bird"), "{told:?}");
    assert_eq!(server.metric("bellwire_outbound_queued_bytes"), 0.0);
}

/// A socket that breaks ends its session, with a probe or without.
#[test]
fn a_socket_that_is_gone() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let token = server.token("admin", &[]);
    for how in ["a socket", "an upgraded one", "a probe", "a probe half done"] {
        let over = if how == "a socket" { Over::Socket } else { Over::Polling };
        let mut session = server.socket_io().open(over);
        session.enter_as("/states", &token.text);
        if over == Over::Socket {
            drop(session);
            continue;
        }
        let mut client = session.probes().open();
        if how != "a probe" {
            client.send("2probe");
            client.hears("3probe");
        }
        if how == "an upgraded one" {
            client.send("5");
            session.goes_on(client);
            assert_eq!(session.told("/states"), [""; 0]);
            drop(session);
        } else {
            drop(client);
            assert_eq!(session.told("/states"), [""; 0], "{how}");
            session.send("1");
            assert!(matches!(session.next(), Heard::End(None)));
        }
    }
    until("nothing of them is left", || server.metric("bellwire_connections") == 1.0);
    canary.sings();
}

/// Frames are as they are everywhere, also of a session that began otherwise.
#[test]
fn frames_that_break_the_protocol() {
    let rows: &[(&str, Vec<u8>, u16)] = &[
        ("not masked", vec![0x81, 1, b'3'], 1002),
        ("RSV1", masked(0xC1, b"3"), 1002),
        ("opcode 3", masked(0x83, b"3"), 1002),
        ("a continuation of nothing", masked(0x80, b"3"), 1002),
        ("a message inside another", [masked(0x01, b"4"), masked(0x81, b"3")].concat(), 1002),
        ("a close of one byte", frame(Opcode::Close, &[3]), 1002),
        ("no UTF-8", masked(0x81, b"4\xff"), 1007),
        ("half a character", masked(0x81, b"42[\"\xe2\x82"), 1007),
        ("64 KiB and a byte announced", start_of_frame(0x81, 65_537), 1009),
        ("as much of binary", start_of_frame(0x82, 65_537), 1009),
        ("2^62 bytes", start_of_frame(0x82, 1 << 62), 1009),
        ("21 pings", frame(Opcode::Ping, b"").repeat(21), 1008),
        ("a payload of polling", crate::harness::text("b!!!!"), 1002),
        ("two packets of polling", crate::harness::text("7\u{1e}3"), 1002),
        ("no type", crate::harness::text(""), 1002),
        ("binary that nobody announced", frame(Opcode::Binary, b"4"), 1002),
        ("empty binary", frame(Opcode::Binary, b""), 1002),
    ];
    let server = Server::start();
    let token = server.token("admin", &[]);
    let mut canary = Canary::new(&server);
    for (name, bytes, code) in rows {
        for over in Over::BOTH {
            let mut session = server.socket_io().open(over);
            session.enter_as("/", &token.text);
            if over == Over::Polling {
                let mut client = session.probes().open();
                client.send("2probe");
                client.hears("3probe");
                client.send("5");
                session.goes_on(client);
            }
            assert_eq!(session.told("/"), [""; 0]);
            session.client().send_bytes(bytes);
            assert_eq!(session.client().closed(), (vec![], Some(*code)), "{name}, from {over:?}");
        }
        canary.sings();
    }
    until("nothing of them is left", || server.metric("bellwire_connections") == 1.0);
}
