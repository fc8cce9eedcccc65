//! Connections of which nothing comes any more, and no end either: the server notices, frees them, and tells others that
//! who was there is gone. The time that it takes passes at once, on a [`Machine`] that does that.

use std::{net::SocketAddr, time::Duration};

use serde_json::json;
use tempfile::TempDir;

use super::Proxy;
use crate::{
    faults::Machine,
    harness::{Client, Dial, Handshake, Over, Session, until},
    process::{self, ANY_PORT, Process},
};

/// When an Engine.IO session that does not answer a ping is over, and a plain connection that says nothing.
const ENGINE_DEAD_S: i64 = 45;
const PLAIN_DEAD_S: i64 = 60;
/// When pings are sent, and answered by those who are there.
const PING_S: i64 = 25;
/// So long before sessions are over it is looked whether all are there: true time passes, too, on slow machines more.
const BEFORE_S: i64 = 10;

/// A server whose time passes when a test says so.
struct Hurried {
    server: Process,
    machine: Machine,
    folder: TempDir,
}

impl Hurried {
    fn new() -> Hurried {
        let folder = tempfile::tempdir().expect("a directory can be made");
        let machine = Machine::new();
        let mut program = machine.program();
        // Who was lost has no time to come back to speak of: it is asked when that is noticed.
        program.env("BELLWIRE_PRESENCE__GRACE", "1s");
        let server = Process::serve_by(program, &folder.path().join("data"), ANY_PORT, &[]);
        Hurried { server, machine, folder }
    }

    fn metric(&self, name: &str) -> f64 {
        self.server.metric(name)
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
    client.is_told(r#""addOnlineUser:response","success":true"#);
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

#[test]
fn who_went_silent_is_freed_and_others_are_told() {
    let hurried = Hurried::new();
    let machine = &hurried.machine;
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
    assert_eq!(hurried.metric("bellwire_online_users"), 4.0);
    let with_all = hurried.metric("bellwire_connections");
    assert!(with_all > connections + 1.0, "{with_all}");
    proxy.silence();
    let gone = |id: &str| format!(r#"{{"type":"Remove","userID":"{id}"}}"#);
    // A ping is sent, and who answers stays.
    machine.passes(PING_S);
    healthy.lives();
    also.client().is_told("2");
    also.send("3");
    assert_eq!(hurried.metric("bellwire_connections"), with_all);
    machine.passes(ENGINE_DEAD_S - PING_S - BEFORE_S);
    healthy.lives();
    assert_eq!(hurried.metric("bellwire_online_users"), 4.0, "nobody is taken for dead too early");
    machine.passes(BEFORE_S + 1);
    until("two are freed", || hurried.metric("bellwire_connections") == connections + 1.0);
    machine.passes(2);
    let (mut sara, mut mike) = (false, false);
    while !(sara && mike) {
        let text = healthy.text();
        sara |= text.contains(&gone(&people[2].0));
        mike |= text.contains(&gone(&people[3].0));
        assert!(!text.contains(&gone(&people[0].0)), "{text}");
    }
    assert_eq!(hurried.metric("bellwire_online_users"), 2.0);
    healthy.lives();
    machine.passes(PLAIN_DEAD_S - ENGINE_DEAD_S);
    until("all are freed", || hurried.metric("bellwire_connections") == connections);
    machine.passes(2);
    healthy.is_told(&gone(&people[1].0));
    assert_eq!(hurried.metric("bellwire_online_users"), 1.0);
    healthy.lives();
    assert_eq!(healthy.next_within(Duration::from_millis(10)), None);
    drop(also);
}
