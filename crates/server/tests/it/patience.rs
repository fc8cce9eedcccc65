//! What the server waits for, and how long: all of it at once, beside a canary.

use std::{
    io::{Read, Write},
    net::TcpStream,
    ops::Range,
    time::{Duration, Instant},
};

use bellwire_wire::frame::Opcode;

use crate::{
    harness::{Canary, Client, DEADLINE, Got, Server, frame, masked},
    limits::{flood, is_cut},
};

/// Somebody who keeps the server waiting.
enum Waiting {
    /// A request that does not end.
    Request(TcpStream),
    /// A connection, and what it still is told before its end.
    Session(Client, Option<Got>),
}

/// Each must come to its end within a range of seconds.
fn check(started: Instant, rows: Vec<(&str, Waiting, Range<f64>)>) {
    for (name, waiting, seconds) in rows {
        match waiting {
            Waiting::Request(mut stream) => {
                let mut answer = String::new();
                stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes options");
                stream.read_to_string(&mut answer).expect("the server closes the connection");
                let end = answer.is_empty() || answer.starts_with("HTTP/1.1 408");
                assert!(end || answer.ends_with("\r\n\r\nlive\n"), "{name}: {answer}");
            }
            Waiting::Session(mut client, told) => {
                if let Some(told) = told {
                    assert_eq!(client.next(), told, "{name}");
                }
                match client.next() {
                    Got::End => {}
                    Got::Close(Some((4401, _))) => {}
                    other => panic!("{name}: {other:?}"),
                }
            }
        }
        let took = started.elapsed().as_secs_f64();
        assert!(seconds.contains(&took), "{name}: after {took} s");
    }
}

#[test]
fn nobody_is_waited_for_without_end() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let token = server.token("admin", &[]);
    // One that takes nothing any more: something waits for it from now on.
    let mut deaf = server.dial("/api/ws").bearer(&token.text).receive_buffer(4 << 10).open();
    assert_eq!(deaf.told(), [""; 0]);
    // What waits now the system may yet take, until the peer's window is shut: so it has to wait for long.
    let mut queued = 0;
    flood(&mut server.quiet_admin(), 0, |_| {
        let waits = server.metric("bellwire_outbound_queued_bytes") > 0.0;
        queued = if waits { queued + 1 } else { 0 };
        queued == 10
    });

    let started = Instant::now();
    let request = |beginning: &str| {
        let mut stream = server.dial("").tcp();
        stream.write_all(beginning.as_bytes()).expect("the server listens");
        Waiting::Request(stream)
    };
    let body = format!(
        "POST /api/states/light.a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 20\r\n\r\n{{",
        token.text
    );
    let closing = |more: &[u8]| {
        let mut client = server.connect(&token);
        client.send_bytes(&frame(Opcode::Binary, b""));
        assert_eq!(client.next(), Got::Close(Some((1003, "text messages only".into()))));
        client.send_bytes(more);
        Waiting::Session(client, None)
    };
    let nameless = |more: &[u8]| {
        let mut client = server.dial("/api/ws?auth=message").open();
        client.send_bytes(more);
        let told = r#"{"type":"error","success":false,"error":"no credential came"}"#;
        Waiting::Session(client, Some(Got::Text(told.into())))
    };
    let get = crate::harness::text(r#"{"type":"states:get","entity_id":"light.a"}"#);
    let (five, ten) = (4.9..9.0, 9.5..15.0);
    let rows = vec![
        ("a close that is not answered", closing(b""), five.clone()),
        ("but with other things", closing(&[frame(Opcode::Ping, b""), get].concat()), five.clone()),
        ("or with what breaks the protocol", closing(&masked(0x83, b"")), 0.0..9.0),
        ("a connection without a word", request(""), ten.clone()),
        ("half a line", request("GET /api/ws HT"), ten.clone()),
        ("half a head", request("GET /api/ws HTTP/1.1\r\nHost: localhost\r\nX: "), ten.clone()),
        ("half a body", request(&body), ten.clone()),
        ("a request and no other", request("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"), ten.clone()),
        ("no credential", nameless(b""), ten.clone()),
        ("half a credential", nameless(&frame(Opcode::Text, b"{}")[..3]), ten.clone()),
        ("pongs for a credential", nameless(&frame(Opcode::Pong, b"")), ten),
    ];
    canary.sings();
    assert_eq!(server.metric("bellwire_slow_readers_total"), 0.0);
    check(started, rows);
    canary.sings();
    while server.metric("bellwire_slow_readers_total") < 1.0 {
        assert!(started.elapsed() < DEADLINE, "the deaf one is not cut");
        // Nothing tells when it happens: look again whenever a while has passed without a word.
        assert_eq!(server.quiet_admin().next_within(Duration::from_millis(200)), None);
    }
    is_cut(&mut deaf);
    canary.sings();
}
