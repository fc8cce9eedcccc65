//! Hostile input, with its answer: requests, frames, bodies, packets, texts and fields as nobody should send them, at
//! every endpoint of a demo with something of everything in it.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use bellwire_services::kit::Method;
use bellwire_wire::frame::Opcode;
use serde_json::{Value, json};

use super::{
    ear::{Plain, Room},
    sweep::{self, Call, all_fields, filled, namespaces, routes, streams},
    who::Who::Boss,
    world::World,
};
use crate::{
    harness::{
        Ask, Canary, Client, DEADLINE, Dial, Got, Over, Server, Session, at, frame, masked,
        read_response, start_of_frame,
    },
    process::{self, ANY_PORT, Process},
};

/// The endpoint of Socket.IO, over a WebSocket.
const ENGINE: &str = "/socket.io/?EIO=4&transport=websocket";

/// An item of TRUST's list, what is sent, and what comes of it: on a plain stream, on the one at `/`, where the
/// console is, too, and over Socket.IO.
pub type Upgrade = (&'static str, &'static str, &'static str, [u16; 3]);

/// Lines of an upgrade by how they begin, and what stands there instead.
pub const UPGRADES: &[Upgrade] = &[
    ("upgrade: no Upgrade or version not 13", "Upgrade", "", [426, 200, 400]),
    ("upgrade: no Upgrade or version not 13", "Upgrade", "Upgrade: h2c", [426, 200, 426]),
    ("upgrade: no Upgrade or version not 13", "Sec-WebSocket-V", "", [426; 3]),
    (
        "upgrade: no Upgrade or version not 13",
        "Sec-WebSocket-V",
        "Sec-WebSocket-Version: 8",
        [426; 3],
    ),
    ("upgrade: the key", "Sec-WebSocket-K", "", [400; 3]),
    ("upgrade: the key", "Sec-WebSocket-K", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j", [400; 3]),
    (
        "upgrade: the key",
        "Sec-WebSocket-K",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        [400; 3],
    ),
    ("upgrade: bad Origin", "Authorization", "Origin: http://evil.example", [403, 403, 101]),
    (
        "upgrade: extension offers",
        "Host",
        "Host: localhost\r\nSec-WebSocket-Extensions: permessage-deflate",
        [101; 3],
    ),
    (
        "compression bombs",
        "Host",
        "Host: localhost\r\nSec-WebSocket-Extensions: permessage-deflate; x",
        [101; 3],
    ),
];

/// Ids that no place has.
const IDS: &[&str] = &["0", "-1", "9223372036854775808", "abc", "%00", "1%2f2", "1.0", "%ff"];

/// Frames, and the code that they earn.
pub fn frames() -> Vec<(&'static str, Vec<u8>, u16)> {
    let fragments = |count: usize| {
        let mut bytes = masked(0x01, b"");
        (1..count).for_each(|_| bytes.extend(masked(0x00, b"")));
        bytes
    };
    let close = |code: u16| frame(Opcode::Close, &code.to_be_bytes());
    let mut rows = vec![
        ("frames: unmasked", vec![0x81, 2, b'{', b'}'], 1002),
        ("frames: reserved bits and opcodes", masked(0xC1, b"{}"), 1002),
        ("frames: reserved bits and opcodes", masked(0xA1, b"{}"), 1002),
        ("frames: reserved bits and opcodes", masked(0x83, b"{}"), 1002),
        ("frames: reserved bits and opcodes", masked(0x8B, b""), 1002),
        ("compression bombs", masked(0xC1, &[0x2A, 0x49, 0x04, 0x00]), 1002),
        ("frames: control over 125 or fragmented", vec![0x89, 0xFE, 0, 126, 0, 0, 0, 0], 1002),
        ("frames: control over 125 or fragmented", masked(0x09, b""), 1002),
        ("frames: a length that is not minimal", vec![0x81, 0xFE, 0, 125, 0, 0, 0, 0], 1002),
        ("frames: a length that is not minimal", start_of_frame(0x81, 5), 1002),
        ("frames: orphan continuation", masked(0x80, b"{}"), 1002),
        (
            "frames: a message inside another",
            [masked(0x01, b"{"), masked(0x81, b"{}")].concat(),
            1002,
        ),
        ("frames: close of length 1", frame(Opcode::Close, &[3]), 1002),
        ("frames: bad UTF-8", masked(0x81, b"\xc0\xaf"), 1007),
        ("frames: bad UTF-8", frame(Opcode::Close, b"\x03\xe8\xff"), 1007),
        ("frames: a length over the limit", start_of_frame(0x81, 65_537), 1009),
        ("frames: a length over the limit", start_of_frame(0x82, 1 << 62), 1009),
        ("many fragments", fragments(1_025), 1008),
        ("frames: too many fragments or pings", frame(Opcode::Ping, b"").repeat(21), 1008),
    ];
    rows.extend(
        [0, 999, 1004, 1005, 1006, 1015, 2999, 5000]
            .map(|code| ("frames: close codes", close(code), 1002)),
    );
    rows
}

/// Requests without a session, with their status and what their answer has in it.
pub const ENGINE_IO: &[(&str, &str, &str, u16, &str)] = &[
    ("Engine.IO: version", "GET", "transport=polling", 400, r#""code":5"#),
    ("Engine.IO: version", "GET", "EIO=3&transport=polling", 400, r#""code":5"#),
    ("Engine.IO: transport unknown", "GET", "EIO=4&transport=carrier", 400, r#""code":0"#),
    (
        "Engine.IO: sid unknown",
        "GET",
        "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA",
        400,
        r#""code":1"#,
    ),
    ("Engine.IO: handshake by POST", "POST", "EIO=4&transport=polling", 400, r#""code":2"#),
    ("Engine.IO: transport mismatch", "GET", "EIO=4&transport=websocket", 400, r#""code":3"#),
];

/// Bodies of polling that end their session.
pub fn bodies() -> Vec<(&'static str, Vec<u8>, u16)> {
    vec![
        ("Engine.IO: body over maxPayload", vec![b'4'; 1_000_001], 413),
        ("Engine.IO: empty body, too many packets, bad base64", Vec::new(), 400),
        (
            "Engine.IO: empty body, too many packets, bad base64",
            vec!["4x"; 1_001].join("\u{1e}").into_bytes(),
            400,
        ),
        ("Engine.IO: empty body, too many packets, bad base64", b"b!!!!".to_vec(), 400),
    ]
}

/// Packets that end the connection, in a namespace that stands for the `@`.
pub const PACKETS: &[(&str, &str)] = &[
    ("Socket.IO: unknown packet types", "49"),
    ("Socket.IO: unknown packet types", "47@[\"x\"]"),
    ("Socket.IO: event bodies", "42@{\"x\":1}"),
    ("Socket.IO: event bodies", "42@[]"),
    ("Socket.IO: event bodies", "42@[null]"),
    ("Socket.IO: reserved names", "42@[\"connect\"]"),
    ("Socket.IO: reserved names", "42@[\"disconnecting\"]"),
    ("Socket.IO: ack ids", "42@9007199254740993[\"x\"]"),
    ("Socket.IO: event before CONNECT", "42/nowhere,[\"x\"]"),
    ("Socket.IO: attachments", "4511-@[\"x\",{\"_placeholder\":true,\"num\":0}]"),
    ("Socket.IO: attachments", "451-@[\"x\",{\"_placeholder\":true,\"num\":7}]"),
    ("huge attachment counts", "45999999999999-@[\"x\",{\"_placeholder\":true,\"num\":0}]"),
    ("huge attachment counts", "4518446744073709551617-@[\"x\"]"),
];

/// Texts that are no JSON, or are too much of it.
pub fn texts() -> Vec<(&'static str, String)> {
    vec![
        ("JSON: syntax, NaN, BOM, surrogates", r#"{"type":"#.into()),
        ("JSON: syntax, NaN, BOM, surrogates", r#"{"type":"ping","timestamp":NaN}"#.into()),
        ("JSON: syntax, NaN, BOM, surrogates", "\u{feff}{\"type\":\"ping\"}".into()),
        ("JSON: syntax, NaN, BOM, surrogates", r#"{"type":"ping","timestamp":"\ud800"}"#.into()),
        (
            "JSON: depth, duplicate keys, no object",
            format!(r#"{{"type":"ping","a":{}{}}}"#, "[".repeat(32), "]".repeat(32)),
        ),
        ("JSON: depth, duplicate keys, no object", r#"{"type":"ping","type":"ping"}"#.into()),
        ("JSON: depth, duplicate keys, no object", "[]".into()),
        ("JSON: depth, duplicate keys, no object", "7".into()),
        ("JSON: zero characters", r#"{"type":"ping","timestamp":"\u0000"}"#.into()),
    ]
}

/// Values that fit in no field, or in few.
pub const VALUES: &[(&str, &str)] = &[
    ("JSON: ids", "1e400"),
    ("JSON: ids", "1.0"),
    ("JSON: ids", "\"1\""),
    ("JSON: ids", "9007199254740993"),
    ("fields: bounds, types, odd texts, dates", "null"),
    ("fields: bounds, types, odd texts, dates", "-1"),
    ("fields: bounds, types, odd texts, dates", "[]"),
    ("fields: bounds, types, odd texts, dates", "\"\""),
    ("fields: bounds, types, odd texts, dates", "\"\u{202e}\u{200b}\""),
    ("fields: bounds, types, odd texts, dates", "\"2026-02-30T00:00:00Z\""),
    ("fields: bounds, types, odd texts, dates", "\"2016-12-31T23:59:60Z\""),
    ("fields: bounds, types, odd texts, dates", "4.5"),
];

/// What the server waits for, and not for long: what is sent first.
pub const WAITS: &[(&str, &str)] = &[
    ("upgrade: unfinished", "GET @ HTTP/1.1\r\nHost: localhost\r\nX: "),
    ("slow headers", "GET @ HT"),
];

/// What the words of `items` name that is done by functions of this module, without a row.
pub const DONE: &[&str] = &[
    "tiny fragments",
    "upgrade: request line and headers",
    "upgrade: ids",
    "upgrade: draining",
    "frames: no close reply",
    "Engine.IO: two at once",
    "Engine.IO: octets",
    "Engine.IO: probe unfinished",
    "Engine.IO: a second socket, a poll after an upgrade",
    "Socket.IO: no namespace, no CONNECT",
    "Socket.IO: unknown events, 50-",
    "JSON: 64 KiB",
    "REST: method, type, size, syntax",
];

struct Field<'a> {
    world: &'a World,
    server: &'a Server,
    token: String,
}

impl Field<'_> {
    fn dial(&self, target: &str) -> Dial {
        self.server.dial(target).bearer(&self.token)
    }

    /// Every endpoint that is upgraded, and which of three kinds it is.
    fn endpoints(&self) -> Vec<(String, usize)> {
        let all = all_fields(self.world);
        let streams =
            streams().into_iter().map(|path| (filled(&all, path), usize::from(path == "/")));
        streams.chain([(ENGINE.to_owned(), 2)]).collect()
    }

    fn session(&self, over: Over) -> Session {
        self.server.socket_io().open(over)
    }

    fn upgrades(&self) {
        for (target, kind) in self.endpoints() {
            let dial = self.dial(&target);
            let status = |request: &str| dial.exchange(request.as_bytes());
            for (item, line, instead, statuses) in UPGRADES {
                let response = status(&with_line(&dial, line, instead));
                assert_eq!(
                    response.status, statuses[kind],
                    "{item}: {target}: {instead}: {response:?}"
                );
                assert_eq!(response.header("sec-websocket-extensions"), None, "{item}: {target}");
            }
            let long = target.replace('?', "/?") + if target.contains('?') { "&" } else { "?" };
            let long = format!("GET {long}{} HTTP/1.1", "a".repeat(8 << 10));
            assert_eq!(status(&with_line(&dial, "GET", &long)).status, 414, "{target}");
            let large = dial.clone().header(&format!("X: {}", "a".repeat(16 << 10)));
            assert_eq!(status(&large.request()).status, 431, "{target}");
            let many = (0..101).fold(dial.clone(), |dial, n| dial.header(&format!("X-{n}: y")));
            assert_eq!(status(&many.request()).status, 431, "{target}");
        }
        for path in streams().into_iter().filter(|path| path.contains('{')) {
            let (before, after) = (path.split('{').next(), path.split('}').next_back());
            for id in IDS {
                let target =
                    format!("{}{id}{}", before.unwrap_or_default(), after.unwrap_or_default());
                assert_eq!(self.dial(&target).response().status, 404, "{target}");
            }
        }
    }

    fn frames(&self) {
        for (target, _) in self.endpoints() {
            for (item, bytes, code) in frames() {
                let mut client = self.dial(&target).open();
                client.send_bytes(&bytes);
                let (_, closed) = client.closed();
                assert_eq!(closed, Some(code), "{item}: {target}");
            }
            // A message in the smallest pieces is a message.
            let mut client = self.dial(&target).open();
            let first = if target == ENGINE { masked(0x01, b"4") } else { masked(0x01, b"{") };
            [first, masked(0x00, b""), masked(0x80, b"!")]
                .iter()
                .flatten()
                .for_each(|byte| client.send_bytes(&[*byte]));
            client.send_bytes(&frame(Opcode::Ping, b"tiny"));
            while client.next() != Got::Pong(b"tiny".to_vec()) {
                if target == ENGINE {
                    break;
                }
            }
        }
    }

    fn engine_io(&self) {
        for (item, method, query, status, words) in ENGINE_IO {
            let response = self.server.ask(method, &format!("/socket.io/?{query}")).send();
            assert!(
                response.status == *status && response.body.contains(words),
                "{item}: {response:?}"
            );
        }
        for (item, body, status) in bodies() {
            let mut session = self.session(Over::Polling);
            assert_eq!(session.post(&body).status, status, "{item}");
            session.closed(0);
        }
        let octets = self.session(Over::Polling);
        let ask = octets.asks("POST").header("Content-Type: application/octet-stream");
        assert_eq!(ask.body(b"4x").send().status, 400);
        let mut twice = self.session(Over::Polling);
        // Which of two comes first nothing tells: one is told the end, and the other that it was too many.
        let mut waits = twice.waiting();
        let statuses = [twice.poll().status, read_response(&mut waits).0.status];
        assert!(statuses.contains(&400) && statuses.contains(&200), "{statuses:?}");
        twice.closed(0);
        let mut upgraded = self.session(Over::Polling);
        let mut client = upgraded.probes().open();
        client.send("2probe");
        client.hears("3probe");
        client.send("5");
        upgraded.goes_on(client);
        upgraded.enter_as("/", &self.token);
        assert_eq!(upgraded.poll().status, 400, "a poll after an upgrade");
        let mut second = upgraded.probes().open();
        while !matches!(second.next(), Got::Close(_) | Got::End) {}
        assert!(upgraded.says(r#"420["nothing"]"#).len() > 4, "the first lives");
    }

    fn socket_io(&self) {
        for namespace in namespaces() {
            for (n, (item, packet)) in PACKETS.iter().enumerate() {
                // Shown by a failure.
                eprintln!("{namespace}: {item}");
                let mut session = self.session(Over::BOTH[n % 2]);
                session.enter(namespace, &json!({ "token": self.token }));
                session.send(&packet.replace('@', &at(namespace)));
                while !matches!(session.next(), crate::harness::Heard::End(_)) {}
            }
            let mut session = self.session(Over::Socket);
            session.enter(namespace, &json!({ "token": self.token }));
            let at = at(namespace);
            session.send_all(&[
                format!("42{at}[\"nothing\"]"),
                format!("450-{at}[\"x\"]"),
                format!("42{at}7[\"nothing\"]"),
            ]);
            let begin = format!("43{at}7[");
            while !session.packet().starts_with(&begin) {}
        }
        let mut session = self.session(Over::Socket);
        assert_eq!(session.says("40/none,"), r#"44/none,{"message":"Invalid namespace"}"#);
    }

    fn json(&self) {
        for (target, kind) in self.endpoints().into_iter().filter(|(_, kind)| *kind < 2) {
            let mut line = Plain::open(self.server.address(), self.world.person(Boss), &target)
                .expect("it is let in");
            line.told();
            for (item, text) in texts() {
                line.send(std::slice::from_ref(&text));
                let told = line.told();
                let is_answered = told
                    .iter()
                    .any(|told| told.contains("Invalid JSON") || told.contains("INVALID_JSON"));
                assert!(is_answered, "{item}: {target} {kind}: {text}: {told:?}");
            }
            let full =
                |len: usize| format!(r#"{{"type":"ping","pad":"{}"}}"#, "x".repeat(len - 24));
            line.send(&[full(1 << 16)]);
            assert!(
                line.told().iter().any(|told| told.starts_with(r#"{"type":"pong""#)),
                "{target}"
            );
            line.send(&[full((1 << 16) + 1)]);
            line.told();
            assert!(line.is_over(), "{target}: a byte too much");
        }
    }

    /// Every call with every field of a value that does not fit: no answer may be a failure of the server.
    fn fields(&self, calls: &[Call]) {
        for (item, value) in VALUES {
            let mut room = Room::open(
                self.server.address(),
                self.world.person(Boss),
                Over::Socket,
                "/",
                &Value::Null,
            );
            let packets: Vec<String> = calls
                .iter()
                .filter(|call| !call.name.starts_with("auth.log"))
                .map(|call| room.call(call.name, &call.with(value)))
                .collect();
            room.send(&packets);
            for told in room.told() {
                let failed = ["Something went wrong", "It took too long", "INTERNAL"];
                assert!(
                    !failed.iter().any(|words| told.contains(words)),
                    "{item}: {value}: {told}"
                );
            }
        }
    }

    fn rest(&self) {
        let all = all_fields(self.world);
        let ask =
            |method: &str, path: &str| -> Ask { self.server.ask(method, path).bearer(&self.token) };
        for route in routes() {
            let path = filled(&all, route.pattern.split('?').next().unwrap_or_default());
            let name = format!("{:?}", route.method).to_uppercase();
            ask("PROPFIND", &path).refused(405, "METHOD_NOT_ALLOWED");
            if route.method == Method::Get || route.method == Method::Delete {
                continue;
            }
            let typed = || ask(&name, &path).header("Content-Type: application/json");
            if route.call == "auth.logout" {
                continue;
            }
            ask(&name, &path)
                .header("Content-Type: text/plain")
                .body(b"{}")
                .refused(415, "UNSUPPORTED_MEDIA_TYPE");
            typed().body(b"{\"a\":").refused(400, "INVALID_JSON");
            typed().body(&vec![b' '; (64 << 10) + 1]).refused(413, "TOO_LARGE");
        }
    }

    /// Those who keep the server waiting, at every endpoint.
    fn waits(&self) -> Vec<TcpStream> {
        let mut waiting = Vec::new();
        for (target, _) in self.endpoints() {
            for (_, beginning) in WAITS {
                let mut stream = self.dial(&target).tcp();
                stream
                    .write_all(beginning.replace('@', &target).as_bytes())
                    .expect("the server listens");
                waiting.push(stream);
            }
        }
        waiting
    }

    /// The same with connections: a close that is not answered, no CONNECT, a probe and attachments that do not end.
    fn sessions_that_wait(&self) -> Vec<Client> {
        let mut waiting = Vec::new();
        for (target, _) in self.endpoints() {
            let mut client = self.dial(&target).open();
            client.send_bytes(&masked(0x83, b""));
            waiting.push(client);
        }
        waiting.push(self.server.socket_io().dial(None).open());
        waiting.push(self.session(Over::Polling).probes().open());
        let mut late = self.server.socket_io().dial(None).open();
        late.send(&format!("40{}", json!({ "token": self.token })));
        late.send(r#"451-["x",{"_placeholder":true,"num":0}]"#);
        waiting.push(late);
        waiting
    }
}

/// A request with one line of it replaced: `""` takes it out.
fn with_line(dial: &Dial, line: &str, instead: &str) -> String {
    let request = dial.request();
    let lines = request.split_inclusive("\r\n").map(|whole| match whole.starts_with(line) {
        true if instead.is_empty() => String::new(),
        true => format!("{instead}\r\n"),
        false => whole.to_owned(),
    });
    lines.collect()
}

#[test]
fn whatever_is_sent_anywhere_has_its_answer() {
    let world = World::plant(Server::demo(), true);
    let mut canary = Canary::new(&world.server);
    let token = world.server.token("admin", &[]).text;
    let field = Field { world: &world, server: &world.server, token };
    let (requests, sessions) = (field.waits(), field.sessions_that_wait());
    let calls = sweep::calls(&world);
    let parts: [&dyn Fn(); 7] = [
        &|| field.upgrades(),
        &|| field.frames(),
        &|| field.engine_io(),
        &|| field.socket_io(),
        &|| field.json(),
        &|| field.fields(&calls),
        &|| field.rest(),
    ];
    for part in parts {
        part();
        canary.sings();
    }
    for mut stream in requests {
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes options");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("the server ends it");
    }
    for mut client in sessions {
        while client.next() != Got::End {}
    }
    canary.sings();
    world.the_log_keeps_secrets();
}

/// Connections that were accepted before are answered, and let in nowhere.
#[test]
fn nobody_is_let_in_anywhere_while_it_drains() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let token = process::token(folder.path(), "admin", 3_600);
    let mut server = Process::serve(folder.path(), ANY_PORT, &[]);
    let dial = |target: &str| Dial::new(server.address(), target).bearer(&token);
    let mut stubborn = dial("/api/ws").open();
    assert_eq!(stubborn.told(), [""; 0]);
    let numbered = |path: &str| {
        let (before, after) = path.split_once('{').unwrap_or((path, "}"));
        let after = after.split_once('}').map_or("", |(_, after)| after);
        if before == path { path.to_owned() } else { format!("{before}1{after}") }
    };
    let targets = streams().into_iter().map(numbered).chain([ENGINE.to_owned()]);
    let early: Vec<(String, TcpStream)> = targets
        .map(|target| {
            let mut stream = dial("").tcp();
            let ready = "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
            stream.write_all(ready.as_bytes()).expect("the server listens");
            assert_eq!(read_response(&mut stream).0.status, 200);
            (target, stream)
        })
        .collect();
    server.ask_to_stop();
    let told = stubborn.next();
    assert!(matches!(told, Got::Close(Some((1012, _)))), "{told:?}");
    for (target, mut stream) in early {
        stream.write_all(dial(&target).request().as_bytes()).expect("it is still there");
        assert_eq!(read_response(&mut stream).0.status, 503, "{target}");
    }
    drop(stubborn);
    assert!(server.wait(DEADLINE).success(), "{}", server.log());
}
