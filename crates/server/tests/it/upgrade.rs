//! Requests for an upgrade: what is granted, what is refused, and with which status.

use std::time::Instant;

use serde_json::{Value, json};

use crate::harness::{Canary, Client, Dial, Response, Server, text};

/// Asks something that changes nothing, of a server without that entity.
const GET: &str = r#"{"type":"states:get","entity_id":"light.none"}"#;
const NOT_FOUND: &str =
    r#"{"type":"states:get:response","success":false,"error":"State not found: light.none"}"#;

/// The response must have this status and, where the refusal is ours, this code in its body.
#[track_caller]
fn check(name: &str, response: &Response, status: u16, code: &str) {
    assert_eq!(response.status, status, "{name}: {}", response.head);
    if !code.is_empty() {
        assert_eq!(response.header("content-type"), Some("application/problem+json"), "{name}");
        let body: Value = serde_json::from_str(&response.body).expect("a problem is JSON");
        assert_eq!(body["status"], status, "{name}");
        assert_eq!(body["code"], code, "{name}");
        let words = |key: &str| body[key].as_str().is_some_and(|words| !words.is_empty());
        assert!(words("title") && words("detail"), "{name}: {body}");
    }
    if status == 101 {
        let echo = |key| response.header(key).map(str::to_ascii_lowercase);
        assert_eq!(echo("upgrade").as_deref(), Some("websocket"), "{name}");
        assert_eq!(echo("connection").as_deref(), Some("upgrade"), "{name}");
    }
    if status == 426 {
        assert_eq!(response.header("sec-websocket-version"), Some("13"), "{name}");
    }
    for declined in ["sec-websocket-extensions", "sec-websocket-protocol"] {
        assert_eq!(response.header(declined), None, "{name}");
    }
}

/// A request that would be granted, with one line of it replaced: `""` takes it out.
fn with_line(dial: &Dial, line: &str, instead: &str) -> String {
    let request = dial.request();
    let (at, len) = request
        .split_inclusive("\r\n")
        .scan(0, |at, whole| Some((std::mem::replace(at, *at + whole.len()), whole)))
        .find_map(|(at, whole)| whole.starts_with(line).then_some((at, whole.len())))
        .expect("the request has that line");
    let end = if instead.is_empty() { "" } else { "\r\n" };
    format!("{}{instead}{end}{}", &request[..at], &request[at + len..])
}

/// A name, a line of the request by how it begins, what stands there instead, and what is answered.
const HANDSHAKES: &[(&str, &str, &str, u16, &str)] = &[
    ("as it should be", "Sec-WebSocket-K", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", 101, ""),
    ("any case", "Upgrade", "upgrade: WebSocket", 101, ""),
    ("an alternative first", "Upgrade", "Upgrade: h2c, websocket", 101, ""),
    ("no Upgrade", "Upgrade", "", 426, "UPGRADE_REQUIRED"),
    ("another protocol", "Upgrade", "Upgrade: h2c", 426, "UPGRADE_REQUIRED"),
    ("no Connection", "Connection", "Connection: close", 426, "UPGRADE_REQUIRED"),
    ("no version", "Sec-WebSocket-V", "", 426, "UPGRADE_REQUIRED"),
    ("version 8", "Sec-WebSocket-V", "Sec-WebSocket-Version: 8", 426, "UPGRADE_REQUIRED"),
    ("version 13.0", "Sec-WebSocket-V", "Sec-WebSocket-Version: 13.0", 426, "UPGRADE_REQUIRED"),
    ("no key", "Sec-WebSocket-K", "", 400, "INVALID"),
    (
        "two keys",
        "Sec-WebSocket-K",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        400,
        "INVALID",
    ),
    ("15 bytes", "Sec-WebSocket-K", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j", 400, "INVALID"),
    ("17 bytes", "Sec-WebSocket-K", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWU=", 400, "INVALID"),
    ("no base64", "Sec-WebSocket-K", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ!==", 400, "INVALID"),
    ("an empty key", "Sec-WebSocket-K", "Sec-WebSocket-Key:", 400, "INVALID"),
    ("no Host", "Host", "", 400, "INVALID"),
    ("two Hosts", "Host", "Host: localhost\r\nHost: example.com", 400, "INVALID"),
    ("a name with a space", "Host", "Host: localhost\r\nX Y: z", 400, ""),
    ("a zero byte", "Host", "Host: localhost\r\nX: \0", 400, ""),
    ("no HTTP", "GET", "HELLO", 400, ""),
    ("HTTP/1.0", "GET", "GET /api/ws HTTP/1.0", 426, "UPGRADE_REQUIRED"),
    ("HTTP/3.7", "GET", "GET /api/ws HTTP/3.7", 400, ""),
    ("a slash at the end", "GET", "GET /api/ws/ HTTP/1.1", 101, ""),
    ("unknown parameters", "GET", "GET /api/ws?a=1&&b HTTP/1.1", 101, ""),
    ("another path", "GET", "GET /api/wsx HTTP/1.1", 404, "NOT_FOUND"),
    ("an id", "GET", "GET /api/ws/0 HTTP/1.1", 404, "NOT_FOUND"),
    ("another id", "GET", "GET /api/ws/-1 HTTP/1.1", 404, "NOT_FOUND"),
    ("a large id", "GET", "GET /api/ws/9223372036854775808 HTTP/1.1", 404, "NOT_FOUND"),
    ("two slashes", "GET", "GET /api/ws// HTTP/1.1", 404, "NOT_FOUND"),
    ("a zero", "GET", "GET /api/ws/%00 HTTP/1.1", 404, "NOT_FOUND"),
    ("a slash in disguise", "GET", "GET /api%2fws HTTP/1.1", 404, "NOT_FOUND"),
    ("the parent", "GET", "GET /api/x/../ws HTTP/1.1", 404, "NOT_FOUND"),
    ("POST", "GET", "POST /api/ws HTTP/1.1", 405, "METHOD_NOT_ALLOWED"),
    ("PUT", "GET", "PUT /api/ws/ HTTP/1.1", 405, "METHOD_NOT_ALLOWED"),
    ("DELETE", "GET", "DELETE / HTTP/1.1", 405, "METHOD_NOT_ALLOWED"),
    (
        "extensions",
        "Host",
        "Host: localhost\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-none",
        101,
        "",
    ),
    ("a subprotocol", "Host", "Host: localhost\r\nSec-WebSocket-Protocol: chat", 101, ""),
];

#[test]
fn the_handshake_is_judged_by_its_lines() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let token = server.token("admin", &[]);
    let dial = server.dial("/api/ws").bearer(&token.text);
    for (name, line, instead, status, code) in HANDSHAKES {
        let response = dial.exchange(with_line(&dial, line, instead).as_bytes());
        check(name, &response, *status, code);
    }
    assert_eq!(
        dial.exchange(b"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n").header("allow"),
        Some("GET,HEAD")
    );
    canary.sings();
}

#[test]
fn the_size_of_a_head_is_bounded() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let token = server.token("admin", &[]);
    let line_of = |len: usize| {
        let dial = server.dial("/api/ws").bearer(&token.text);
        let pad = "a".repeat(len - "GET /api/ws? HTTP/1.1".len());
        with_line(&dial, "GET", &format!("GET /api/ws?{pad} HTTP/1.1"))
    };
    let headers_of = |len: usize| {
        let dial = server.dial("/api/ws").bearer(&token.text);
        let line = dial.request().find("\r\n").expect("it has lines") + 2;
        let pad = "a".repeat(len - (dial.request().len() - line - 2) - "X: \r\n".len());
        dial.header(&format!("X: {pad}")).request()
    };
    let headers = |count: usize| {
        let dial = server.dial("/api/ws").bearer(&token.text);
        let more = count - (dial.request().lines().count() - 2);
        (0..more).fold(dial, |dial, n| dial.header(&format!("X-{n}: y"))).request()
    };
    let rows = [
        ("a line of 8 KiB", line_of(8 << 10), 101, ""),
        ("one byte more", line_of((8 << 10) + 1), 414, "INVALID"),
        ("a line of 70,000 bytes", line_of(70_000), 414, ""),
        ("a line without end", line_of(300_000), 431, ""),
        ("headers of 16 KiB", headers_of(16 << 10), 101, ""),
        ("one byte more", headers_of((16 << 10) + 1), 431, "INVALID"),
        ("headers without end", headers_of(300_000), 431, ""),
        ("100 headers", headers(100), 101, ""),
        ("one more", headers(101), 431, ""),
        ("10,000 headers", headers(10_000), 431, ""),
    ];
    for (name, request, status, code) in rows {
        check(name, &server.dial("").exchange(request.as_bytes()), status, code);
    }
    canary.sings();
}

#[test]
fn a_demo_answers_to_this_machine_only() {
    let server = Server::demo();
    let rows: &[(&str, &str, u16)] = &[
        ("Host", "Host: 127.0.0.1", 101),
        ("Host", "Host: [::1]:8080", 101),
        ("Host", "Host: example.com", 403),
        ("Host", "Host: localhost.example.com:80", 403),
        ("Host", "Host: 127.0.0.1.example.com", 403),
        ("Host", "Host:", 403),
        ("GET /", "GET / HTTP/1.1\r\nHost: example.com", 403),
        ("GET /", "GET /metrics HTTP/1.1\r\nHost: example.com", 403),
        ("Host", "Host: localhost\r\nOrigin: http://localhost:3000", 101),
        ("Host", "Host: localhost\r\nOrigin: http://127.0.0.1", 101),
        ("Host", "Host: localhost\r\nOrigin: https://[::1]:8443", 101),
        ("Host", "Host: localhost\r\nOrigin: https://example.com", 403),
        ("Host", "Host: localhost\r\nOrigin: http://localhost.example.com", 403),
        ("Host", "Host: localhost\r\nOrigin: http://localhost:80@example.com", 403),
        ("Host", "Host: localhost\r\nOrigin: localhost", 403),
        ("Host", "Host: localhost\r\nOrigin:", 403),
        ("Host", "Host: localhost\r\nOrigin: null", 403),
    ];
    for (line, instead, status) in rows {
        let dial = server.dial("/api/ws");
        let request = with_line(&dial, line, instead);
        // Where the first line was replaced, its Host stands before the sample's.
        let request = match line.starts_with("GET") {
            true => request.replace("Host: localhost\r\n", ""),
            false => request,
        };
        let code = if *status == 403 { "FORBIDDEN" } else { "" };
        check(instead, &dial.exchange(request.as_bytes()), *status, code);
    }
    // Everybody knows its passwords: a page from elsewhere may not even sign in.
    let sign_in = |origin: &str| {
        let body = serde_json::json!({ "username": "admin", "password": "demo" });
        server.ask("POST", "/api/auth/login").header(origin).json(&body)
    };
    for origin in ["Origin: https://example.com", "Origin: null"] {
        sign_in(origin).refused(403, "FORBIDDEN");
        server.ask("GET", "/api/states").header(origin).refused(403, "FORBIDDEN");
    }
    sign_in("Origin: http://localhost:3000").expect(200);
    // A page from elsewhere may show a token: that is what makes it no guest.
    let token = server.token("admin", &[]);
    for origin in ["Origin: https://example.com", "Origin: null"] {
        let foreign = server.dial("/api/ws").bearer(&token.text).header(origin);
        check("a foreign page with a token", &foreign.response(), 101, "");
        let foreign = server.dial(&format!("/api/ws?token={}", token.text)).header(origin);
        check("a foreign page with a token in its path", &foreign.response(), 101, "");
    }
    // A credential that is present but bad does not make a guest.
    server.dial("/api/ws?token=x").open().refused("token invalid, expired or revoked", 4401);
    let mut guest = server.dial("/api/ws").open();
    guest.send(r#"{"type":"subscribe_entities","entity_ids":[]}"#);
    while !guest.text().starts_with(r#"{"type":"states:snapshot","data":[]}"#) {}
    assert_eq!(guest.ask(GET), NOT_FOUND);
}

#[test]
fn connections_are_counted_by_address_and_by_principal() {
    let server = Server::start();
    let token = server.token("admin", &[]);
    let bad = |host| server.dial("/api/ws").from(host).bearer("none");
    for _ in 0..10 {
        bad(2).open().refused("token invalid, expired or revoked", 4401);
    }
    let response = bad(2).response();
    check("the 11th", &response, 429, "RATE_LIMITED");
    let seconds: u64 =
        response.header("retry-after").and_then(|s| s.parse().ok()).expect("seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
    check(
        "no credential counts as a bad one",
        &server.dial("/api/ws").from(2).response(),
        429,
        "RATE_LIMITED",
    );
    check("another address", &bad(3).response(), 101, "");
    let good = server.dial("/api/ws").from(2).bearer(&token.text);
    check("a good token from that address", &good.response(), 101, "");
    check(
        "with the credential to come",
        &server.dial("/api/ws?auth=message").from(2).response(),
        101,
        "",
    );
    let forged = bad(2).header("X-Forwarded-For: 127.0.0.9").header("Forwarded: for=127.0.0.9");
    check("forwarded by nobody we trust", &forged.response(), 429, "RATE_LIMITED");
    // A revoked token is found out once; from then on it is a bad one.
    let revoked = server.token("admin", &[]);
    server.operate("tokens.revoke", json!({ "id": revoked.id })).expect("the token lives");
    let shown = server.dial("/api/ws").from(5).bearer(&revoked.text);
    for _ in 0..11 {
        shown.clone().open().refused("token invalid, expired or revoked", 4401);
    }
    check("the 12th with a revoked token", &shown.response(), 429, "RATE_LIMITED");
    let anonymous = || server.dial("/api/ws?auth=message").from(4).response().status;
    let started = Instant::now();
    let admitted = (0..1_000).take_while(|_| anonymous() == 101).count();
    // Five more come with every second.
    let most = 300 + 5 * (started.elapsed().as_secs() as usize + 1);
    assert!((300..=most).contains(&admitted), "{admitted}");
    assert!(server.metric("bellwire_connections_rate_limited_total") >= 4.0);
}

#[test]
fn bytes_that_come_with_the_request_count() {
    let server = Server::start();
    let token = server.token("admin", &[]);
    let two = [text(GET), text(&GET.replace('}', r#","id":2}"#))].concat();
    let whole = server.dial("/api/ws").bearer(&token.text).with(&two);
    let mut client = whole.open();
    client.hears(NOT_FOUND);
    client.hears(&NOT_FOUND.replace('}', r#","id":2}"#));
    // Half a frame with the request, half later.
    let (half, rest) = two.split_at(7);
    let mut client = server.dial("/api/ws").bearer(&token.text).with(half).open();
    client.send_bytes(rest);
    client.hears(NOT_FOUND);
    // A request byte by byte.
    let mut slow = server.dial("").tcp();
    let request = server.dial("/api/ws").bearer(&token.text).request();
    for byte in request.as_bytes() {
        std::io::Write::write_all(&mut slow, &[*byte]).expect("the server listens");
    }
    assert_eq!(crate::harness::read_response(&mut slow).0.status, 101);
    // A close, too.
    let close = crate::harness::masked(0x88, &1000_u16.to_be_bytes());
    let mut client = server.dial("/api/ws").bearer(&token.text).with(&close).open();
    assert_eq!(client.closed(), (vec![], Some(1000)));
}

/// What needs no right is answered in its turn too: not before it is known to whom.
#[test]
fn bytes_that_come_with_the_request_are_answered_to_those_who_are_let_in() {
    const PONG: &str = r#"{"type":"pong","id":1}"#;
    const BAD: &str = r#"{"type":"error","success":false,"error":"Invalid JSON"}"#;
    let server = Server::start();
    let (good, revoked) = (server.token("admin", &[]), server.token("admin", &[]));
    server.operate("tokens.revoke", json!({ "id": revoked.id })).expect("the token lives");
    let (ping, bad, get) = (text(r#"{"type":"ping","id":1}"#), text("{"), text(GET));
    let rows: [(Vec<u8>, &[&str]); 5] = [
        (ping.clone(), &[PONG]),
        (bad.clone(), &[BAD]),
        ([&*ping, &bad, &ping].concat(), &[PONG, BAD, PONG]),
        ([&*bad, &get, &ping].concat(), &[BAD, NOT_FOUND, PONG]),
        (ping.repeat(200), &[PONG; 200]),
    ];
    for (host, (bytes, answers)) in (10..).zip(rows) {
        let auth = text(&format!(r#"{{"type":"auth","token":"{}"}}"#, good.text));
        for mut client in [
            server.dial("/api/ws?since=now").bearer(&good.text).with(&bytes).open(),
            server.dial("/api/ws?auth=message&since=now").with(&auth).with(&bytes).open(),
        ] {
            let first = client.text();
            assert!(first.starts_with(r#"{"type":"resumed","cursor":""#), "{first}");
            answers.iter().for_each(|answer| client.hears(answer));
            assert_eq!(client.told(), [""; 0]);
        }
        for path in ["/api/ws", "/api/ws?since=now", "/api/ws?since="] {
            let dial = server.dial(path).from(host).with(&bytes);
            let refused = |mut client: Client, why| client.refused(why, 4401);
            refused(dial.clone().bearer(&revoked.text).open(), "token invalid, expired or revoked");
            refused(dial.clone().bearer("none").open(), "token invalid, expired or revoked");
            refused(dial.open(), "authentication required");
        }
        let first = "the first message must be auth with a valid token";
        server.dial("/api/ws?auth=message").with(&bytes).open().refused(first, 4401);
    }
}
