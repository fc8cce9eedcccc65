//! Descriptors run out: those who are there go on, those who come wait, and the server says so once, at rest.

use std::{
    fs,
    net::TcpStream,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    harness::{
        Canary, Client, DEADLINE, Dial, Handshake, Manner, Over, Server, Session, Talk, until,
    },
    process::{output, without_settings},
};

/// How many the server may have.
const DESCRIPTORS: u32 = 256;
/// Connections that come: more than that.
const COMING: usize = 300;
/// Where live streams are, Socket.IO among them, and what else there is.
const PATHS: [&str; 9] = [
    "/api/ws",
    "/ws/sensor-data/",
    "/ws/device/1/",
    "/ws/sensor/1/",
    "/ws/stations/",
    "/ws/stations/1/",
    "/ws/notifications/",
    "/ws/chat/",
    "/socket.io/?EIO=4&transport=websocket",
];
/// The most that it may work in a second in which it can do nothing.
const WORK_MAX: Duration = Duration::from_millis(400);
/// How long an attribute is, such that a few hundred states fill the write-ahead log.
const PAD_LEN: usize = 15_000;
/// The database's size once the write-ahead log was copied into it.
const COPIED_LEN: u64 = 16 << 20;

#[test]
fn when_none_is_left_those_who_are_there_go_on() {
    let server = Server::with_descriptors(DESCRIPTORS);
    let admin = furnished(&server);
    let mut canary = Canary::new(&server);
    let mut there = There::new(&server, &admin);
    there.go_on();
    let coming: Vec<TcpStream> = (0..COMING).map(|n| comes(&server, &admin, n)).collect();
    until("the descriptors are not enough", || {
        server.log().contains("a connection could not be accepted")
    });
    let began = Instant::now();
    canary.sings();
    there.go_on();
    there.fill_the_log(&server);
    // A second in which nobody asks for anything.
    let before = server.processor_time();
    assert_eq!(there.plain.next_within(Duration::from_secs(1)), None);
    let worked = server.processor_time() - before;
    assert!(worked < WORK_MAX, "{worked:?}");
    canary.sings();
    there.go_on();

    let lines = server.log().matches("a connection could not be accepted").count();
    assert!(lines <= 2 + began.elapsed().as_secs() as usize / 10, "{}", server.log());
    drop(coming);
    server.operate("tokens.list", json!({})).expect("the operator is answered");
    there.go_on();
    canary.sings();
    Canary::new(&server).sings();
    There::new(&server, &admin).go_on();
    assert!(!server.log().contains(r#""level":"ERROR""#), "{}", server.log());
}

/// What there has to be for each path to lead somewhere; gives an admin's token.
fn furnished(server: &Server) -> String {
    let admin = server.token("admin", &[]).text;
    let make = |path: &str, body: Value| {
        server.ask("POST", path).bearer(&admin).json(&body).expect(201);
    };
    make("/api/devices", json!({ "name": "Attic" }));
    make(
        "/api/sensors",
        json!({ "device_id": 1, "sensor_type": "temperature", "unit": "celsius" }),
    );
    make("/api/stations", json!({ "name": "Downtown" }));
    admin
}

/// The `n`th connection of those who come. Each kind has its turn; nobody waits for an answer.
fn comes(server: &Server, token: &str, n: usize) -> TcpStream {
    let dial = Dial::new(server.address(), PATHS[n % PATHS.len()]).from(2 + (n % 200) as u8);
    let mut stream = dial.tcp();
    let request = match n % (PATHS.len() + 3) {
        // A request that is answered on a connection that stays, half of one, and half of a handshake.
        0 => "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        1 => "GET /api/states HTTP/1.1\r\nHost: loc".to_owned(),
        2 => dial.request()[..60].to_owned(),
        _ => dial.bearer(token).request(),
    };
    std::io::Write::write_all(&mut stream, request.as_bytes()).expect("the system takes it");
    stream
}

/// Connections of each kind that are there before.
struct There {
    plain: Client,
    socket: Session,
    /// A session that polls: its requests, on two connections that are kept.
    polls: Polling,
    /// What asks over HTTP.
    rest: Talk,
    token: String,
    writes: usize,
}

struct Polling {
    sid: String,
    get: Talk,
    post: Talk,
}

impl There {
    fn new(server: &Server, token: &str) -> There {
        let mut plain = server.dial("/api/ws").bearer(token).open();
        plain.hears_of_nothing();
        let mut socket = server.socket_io().open(Over::Socket);
        socket.enter_as("/", token);
        let polls = Polling::new(server, token);
        let (rest, token) = (Talk::new(server.address()), token.to_owned());
        There { plain, socket, polls, rest, token, writes: 0 }
    }

    /// Each writes, and hears what it is to hear.
    #[track_caller]
    fn go_on(&mut self) {
        self.writes += 1;
        let state = self.writes;
        let told = self.plain.ask(&format!(
            r#"{{"type":"states:create","entity_id":"there.plain","state":"{state}"}}"#
        ));
        assert!(told.contains(r#""success":true"#), "{told}");
        self.socket.send(&format!(
            r#"4211["states:create",{{"entity_id":"there.socket","state":"{state}"}}]"#
        ));
        until("a call over Socket.IO is answered", || self.socket.packet().starts_with("4311[{"));
        self.polls.go_on(state);
        let body = format!(r#"{{"state":"{state}"}}"#);
        let request = format!(
            "POST /api/states/there.rest HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        let reply = self.rest.ask(request.as_bytes(), Manner::default()).expect("it is HTTP");
        let reply = reply.expect("the connection is there");
        assert!([200, 201].contains(&reply.status), "{reply:?}");
    }

    /// Writes until the write-ahead log was copied into the database, and looks at all that was written.
    #[track_caller]
    fn fill_the_log(&mut self, server: &Server) {
        let pad = "x".repeat(PAD_LEN);
        let (database, began) = (server.data().join("bellwire.db"), Instant::now());
        let mut number = 0;
        while fs::metadata(&database).expect("it is there").len() < COPIED_LEN {
            assert!(began.elapsed() < DEADLINE, "nothing was copied after {number} writes");
            for n in number..number + 32 {
                self.plain.send(&format!(
                    r#"{{"type":"states:create","entity_id":"there.many","state":"{n}","attributes":{{"a":"{pad}"}}}}"#
                ));
            }
            for _ in number..number + 32 {
                let told = self.plain.text();
                assert!(told.contains(r#""success":true"#), "{}", &told[..200]);
            }
            number += 32;
            // A connection over HTTP that asks for nothing for ten seconds is closed, and there is no other.
            self.go_on();
        }
        // All of them are read and sorted, and a page is told.
        let ask = r#"{"type":"states:history","entity_id":"there.many","limit":1}"#;
        let told = self.plain.ask(ask);
        assert!(told.contains(r#""success":true"#), "{}", &told[..200]);
    }
}

impl Polling {
    fn new(server: &Server, token: &str) -> Polling {
        let session = Handshake::new(server.address(), "/socket.io/").open(Over::Polling);
        let [get, post] = [(); 2].map(|()| Talk::new(server.address()));
        let mut polls = Polling { sid: session.sid, get, post };
        polls.says(&format!(r#"40{{"token":"{token}"}}"#));
        polls.until_told("40{");
        polls
    }

    fn go_on(&mut self, state: usize) {
        self.says(&format!(
            r#"4212["states:create",{{"entity_id":"there.polls","state":"{state}"}}]"#
        ));
        self.until_told("4312[{");
    }

    #[track_caller]
    fn says(&mut self, packet: &str) {
        let head = self.head("POST");
        let request = format!("{head}Content-Length: {}\r\n\r\n{packet}", packet.len());
        let reply = self.post.ask(request.as_bytes(), Manner::default()).expect("it is HTTP");
        assert_eq!(reply.expect("it is answered").body, b"ok");
    }

    #[track_caller]
    fn until_told(&mut self, beginning: &str) {
        let request = format!("{}\r\n", self.head("GET"));
        until("a call by polls is answered", || {
            let reply = self.get.ask(request.as_bytes(), Manner::default()).expect("it is HTTP");
            let body = String::from_utf8(reply.expect("it is answered").body).expect("it is text");
            if body.split('\u{1e}').any(|packet| packet == "2") {
                self.says("3");
            }
            body.split('\u{1e}').any(|packet| packet.starts_with(beginning))
        });
    }

    fn head(&self, method: &str) -> String {
        let sid = &self.sid;
        let target = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
        format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n")
    }
}

/// With whatever number a start has too few: it ends, and says what to do.
#[test]
fn a_start_with_too_few_says_what_to_do() {
    for count in [4, 12, 25, 32, 36] {
        let folder = tempfile::tempdir().expect("a directory can be made");
        let mut shell = without_settings(Command::new("sh"));
        let program = env!("CARGO_BIN_EXE_bellwire");
        shell.args(["-c", &format!(r#"ulimit -n {count}; exec "$0" "$@""#), program]);
        shell.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path());
        let said = output(&mut shell, DEADLINE);
        let told = String::from_utf8_lossy(&said.stderr);
        assert_eq!(said.status.code(), Some(1), "{count}: {told}");
        let sentence = format!("bellwire: No more than {count} descriptors are allowed here, and ");
        assert!(told.starts_with(&sentence) && told.contains("raise `ulimit -n`"), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}
