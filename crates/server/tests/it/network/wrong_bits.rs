//! Bits that are wrong on their way to and from a server in the clear: whatever becomes of a request, it is answered by
//! the rules, or its connection ends; nobody else notices, and nobody is told what is not theirs.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::json;

use super::{Proxy, weather::Weather, weathers::seeds};
use crate::harness::{Canary, Client, DEADLINE, Dial, Handshake, Server, text};

/// Connections, a third of each kind.
const CONNECTIONS: usize = 30;
/// What each says.
const MESSAGES: usize = 20;
/// How long somebody waits for the next answer.
const QUIET: Duration = Duration::from_millis(100);
/// What nobody may hear who is no admin.
const SECRET: &str = "nightingale-8c1f";

/// Says these bytes, reads what it is told until it has as many answers or hears nothing more, and then to the end,
/// which must come.
#[track_caller]
fn hears(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("the proxy listens");
    stream.set_read_timeout(Some(QUIET)).expect("a socket takes options");
    // A server that ends the connection may not take them all.
    let _ = stream.write_all(bytes);
    let (mut heard, mut buffer) = (Vec::new(), [0; 16 << 10]);
    while answers(&heard) < MESSAGES
        && let Ok(len @ 1..) = stream.read(&mut buffer)
    {
        heard.extend_from_slice(&buffer[..len]);
    }
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes options");
    let ended = stream.shutdown(Shutdown::Write).and_then(|()| stream.read_to_end(&mut heard));
    if let Err(error) = ended {
        let is_late = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        assert!(!is_late, "no end in {DEADLINE:?} after {heard:?}");
    }
    String::from_utf8_lossy(&heard).into_owned()
}

/// How many requests were granted.
fn answers(heard: &[u8]) -> usize {
    let told = String::from_utf8_lossy(heard);
    told.matches(r#""success":true"#).count() + told.matches("HTTP/1.1 20").count()
}

/// What connections say: upgrades with messages behind them, a poll, and requests of REST.
fn sayings(address: SocketAddr, token: &str, number: usize) -> [Vec<u8>; 3] {
    let create = |n: usize| {
        json!({
            "entity_id": format!("light.bits_{}", n % 3),
            "state": format!("{number} {n}"),
            "attributes": { "brightness": n },
            "idempotency_key": format!("{number}-{n}"),
        })
    };
    let plain = (0..MESSAGES).flat_map(|n| {
        let mut message = create(n);
        message["type"] = "states:create".into();
        text(&message.to_string())
    });
    let mut upgrade = Dial::new(address, "/api/ws").bearer(token).request().into_bytes();
    upgrade.extend(plain);
    let handshake = Handshake::new(address, "/socket.io/").dial(None);
    let mut socket_io = handshake.request().into_bytes();
    socket_io.extend(text(&format!("40/states,{}", json!({ "token": token }))));
    socket_io.extend(
        (0..MESSAGES)
            .flat_map(|n| text(&format!("42/states,{n}{}", json!(["states:create", create(n)])))),
    );
    let rest = (0..MESSAGES).flat_map(|n| {
        let body = json!({ "state": format!("{number} {n}") }).to_string();
        format!(
            "POST /api/states/light.bits HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    });
    [upgrade, socket_io, rest.collect()]
}

/// The admin writes what others must not hear.
#[track_caller]
fn whispers(admin: &mut Client, n: usize) {
    let answer = admin.ask(&format!(
        r#"{{"type":"states:create","entity_id":"lock.secret","state":"{SECRET} {n}"}}"#
    ));
    assert!(answer.contains(r#""success":true"#), "{answer}");
}

#[test]
fn whatever_is_wrong_is_answered_or_ends_and_nobody_else_notices() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let mut admin = server.quiet_admin();
    let token = server.token("user", &["states:read:light.*", "states:write:light.*"]).text;
    for seed in seeds() {
        // From who connects, to them, and both.
        for (flips, least) in [([200, 0], 3), ([0, 200], 2), ([100, 50], 3)] {
            let proxy = Proxy::to(server.address(), Weather { flips, ..Weather::CALM }, seed);
            let (mut upgraded, mut whole) = (0, 0);
            for number in 0..CONNECTIONS / 3 {
                whispers(&mut admin, number);
                for bytes in sayings(proxy.address(), &token, number) {
                    let told = hears(proxy.address(), &bytes);
                    assert!(!told.contains(SECRET), "{seed}: {told}");
                    assert!(flips[1] > 0 || !told.contains("HTTP/1.1 5"), "{seed}: {told}");
                    upgraded += usize::from(told.starts_with("HTTP/1.1 101"));
                    whole += usize::from(answers(told.as_bytes()) >= MESSAGES);
                }
                canary.sings();
            }
            let done = proxy.done();
            assert!(done.flips >= least, "{seed}: {done:?}");
            let told = format!("{seed}: {upgraded} let in, {whole} answered to the end, {done:?}");
            // Some pass through unhurt.
            assert!(upgraded > 5 && whole > 0, "{told}");
        }
    }
    canary.sings();
    let log = server.log();
    assert!(!log.contains("panicked"), "{log}");
}
