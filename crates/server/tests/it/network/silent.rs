//! Connections of which nothing comes any more, and no end either: the server notices, frees them, and tells others that
//! who was there is gone. The time that it takes is let pass at once, by `hurry.c`, preloaded into the real binary.

use std::{
    fs::{self, File},
    net::SocketAddr,
    os::unix::fs::FileExt,
    process::Command,
    time::Duration,
};

use serde_json::json;
use tempfile::TempDir;

use super::Proxy;
use crate::{
    harness::{Ask, Client, DEADLINE, Dial, Handshake, Over, Session, until},
    process::{self, ANY_PORT, Process, bellwire, output},
};

/// The library's source.
const SOURCE: &str = include_str!("hurry.c");
/// When an Engine.IO session that does not answer a ping is over, and a plain connection that says nothing.
const ENGINE_DEAD_S: i64 = 45;
const PLAIN_DEAD_S: i64 = 60;

/// A server whose clocks a test puts forward.
struct Hurried {
    server: Process,
    page: File,
    ahead_s: i64,
    folder: TempDir,
}

impl Hurried {
    fn new() -> Hurried {
        let folder = tempfile::tempdir().expect("a directory can be made");
        let [source, library, page] =
            ["hurry.c", "hurry.so", "ahead"].map(|n| folder.path().join(n));
        fs::write(&source, SOURCE).expect("a file can be written");
        fs::write(&page, [0; 8]).expect("a file can be written");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&library);
        let made = output(compiler.arg(&source).arg("-ldl"), DEADLINE);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut program = bellwire();
        program.env("LD_PRELOAD", library).env("HURRY", &page);
        // Who was lost has no time to come back to speak of: it is asked when that is noticed.
        program.env("BELLWIRE_PRESENCE__GRACE", "1s");
        let server = Process::serve_by(program, &folder.path().join("data"), ANY_PORT, &[]);
        let page = File::options().write(true).open(page).expect("it is there");
        Hurried { server, page, ahead_s: 0, folder }
    }

    /// So many seconds pass.
    fn passes(&mut self, seconds: i64) {
        self.ahead_s += seconds;
        let ahead = (self.ahead_s * 1_000_000_000).to_ne_bytes();
        self.page.write_all_at(&ahead, 0).expect("a file can be written");
    }

    fn metric(&self, name: &str) -> u64 {
        let metrics = Ask::new(self.server.address(), "GET", "/metrics").send().body;
        let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().expect("it is a number"))
    }

    fn user(&self, name: &str) -> (String, String) {
        let data = self.folder.path().join("data");
        let made = process::operate("users.create", json!({ "username": name }), &data);
        let id = made["userId"].as_str().expect("a user has an id").to_owned();
        let request = json!({ "role": "user", "subject": id, "scopes": [], "ttl": 86_400 });
        let made = process::operate("tokens.create", request, &data);
        (id, made["token"].as_str().expect("a token has a text").to_owned())
    }
}

/// A user who is here, by a plain connection.
fn comes(address: SocketAddr, (id, token): &(String, String)) -> Client {
    let mut client = Dial::new(address, "/ws/chat/").bearer(token).open();
    client.send(&format!(r#"{{"type":"addOnlineUser","userID":"{id}","username":"{id}","id":1}}"#));
    told(&mut client, r#""addOnlineUser:response","success":true"#);
    client
}

/// Another, by Socket.IO.
fn enters(address: SocketAddr, (id, token): &(String, String), over: Over) -> Session {
    let mut session = Handshake::new(address, "/socket.io/").open(over);
    session.enter_as("/chat", token);
    let call = json!(["addOnlineUser", { "userID": id, "username": id }]);
    session.send(&format!("42/chat,1{call}"));
    while !session.packet().starts_with(r#"43/chat,1[{"success":true"#) {}
    session
}

/// Reads until it is told this.
#[track_caller]
fn told(client: &mut Client, words: &str) {
    while !client.text().contains(words) {}
}

/// Says something, which is a sign of life, and hears the answer, whatever it is told besides.
#[track_caller]
fn lives(client: &mut Client) {
    client.send(r#"{"type":"ping"}"#);
    told(client, r#""pong""#);
}

#[test]
fn who_went_silent_is_freed_and_others_are_told() {
    let mut hurried = Hurried::new();
    let address = hurried.server.address();
    let people: Vec<_> = ["jane", "john", "sara", "mike"].map(|name| hurried.user(name)).into();
    let mut healthy = comes(address, &people[0]);
    let mut also = enters(address, &people[0], Over::Socket);
    let connections = hurried.metric("bellwire_connections");
    let proxy = Proxy::calm(address);
    let _plain = comes(proxy.address(), &people[1]);
    let _socket = enters(proxy.address(), &people[2], Over::Socket);
    let polling = enters(proxy.address(), &people[3], Over::Polling);
    // Its poll waits when the way is gone.
    let _poll = polling.waiting();
    assert_eq!(hurried.metric("bellwire_online_users"), 4);
    let with_all = hurried.metric("bellwire_connections");
    assert!(with_all > connections + 1, "{with_all}");
    proxy.silence();
    let gone = |id: &str| format!(r#"{{"type":"Remove","userID":"{id}"}}"#);
    // A ping is sent, and who answers stays.
    hurried.passes(25);
    lives(&mut healthy);
    told(also.client(), "2");
    also.send("3");
    assert_eq!(hurried.metric("bellwire_connections"), with_all);
    hurried.passes(ENGINE_DEAD_S - 25 - 3);
    lives(&mut healthy);
    assert_eq!(hurried.metric("bellwire_online_users"), 4, "nobody is taken for dead too early");
    hurried.passes(3 + 1);
    until("two are freed", || hurried.metric("bellwire_connections") == connections + 1);
    hurried.passes(2);
    let (mut sara, mut mike) = (false, false);
    while !(sara && mike) {
        let text = healthy.text();
        sara |= text.contains(&gone(&people[2].0));
        mike |= text.contains(&gone(&people[3].0));
        assert!(!text.contains(&gone(&people[0].0)), "{text}");
    }
    assert_eq!(hurried.metric("bellwire_online_users"), 2);
    lives(&mut healthy);
    hurried.passes(PLAIN_DEAD_S - ENGINE_DEAD_S);
    until("all are freed", || hurried.metric("bellwire_connections") == connections);
    hurried.passes(2);
    told(&mut healthy, &gone(&people[1].0));
    assert_eq!(hurried.metric("bellwire_online_users"), 1);
    lives(&mut healthy);
    assert_eq!(healthy.next_within(Duration::from_millis(10)), None);
    drop(also);
}
