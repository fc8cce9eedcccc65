//! Tickets: they stand for a token once, for a short while, in one place.

use std::thread;

use serde_json::json;

use crate::harness::{Canary, Client, Server, Token, USER_PASSWORD};

const REFUSED: &str = "ticket invalid, expired or used";

fn ticket(server: &Server, token: &str) -> String {
    let made = server.ask("POST", "/api/auth/ticket").bearer(token).send();
    assert_eq!((made.status, made.header("cache-control")), (201, Some("no-store")), "{made:?}");
    let made = made.json();
    let keys: Vec<&String> = made.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["ticket", "expiresAt"]);
    made["ticket"].as_str().expect("a ticket").to_owned()
}

fn open(server: &Server, ticket: &str, from: u8) -> Client {
    server.dial(&format!("/api/ws?ticket={ticket}")).from(from).open()
}

#[test]
fn a_ticket_is_good_once() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let jane = server.user("jane", "user", &[]);
    let holders = [
        server.sign_in("jane", USER_PASSWORD),
        server.token_of("user", &jane, &["states:read:light.a"]).text,
        server.token("client", &[]).text,
    ];
    for (from, holder) in (10..).zip(&holders) {
        let ticket = ticket(&server, holder);
        let mut client = open(&server, &ticket, from);
        assert_eq!(client.told().iter().filter(|event| !event.contains("canary")).count(), 0);
        open(&server, &ticket, from).refused(REFUSED, 4401);
        canary.sings();
        // With a place to begin, and beside a cookie.
        let ticket = self::ticket(&server, holder);
        let path = format!("/api/ws?since=now&ticket={ticket}");
        let mut client = server.dial(&path).header("Cookie: bellwire_session=bad").open();
        assert!(client.text().starts_with(r#"{"type":"resumed","#));
    }
    server.ask("POST", "/api/auth/ticket").refused(401, "UNAUTHENTICATED");
    let by_cookie = server.ask("POST", "/api/auth/ticket");
    by_cookie.clone().cookie(&holders[0]).expect(201);
    let foreign = by_cookie.header(&format!("Cookie: bellwire_session={}", holders[0]));
    foreign.header("Origin: https://elsewhere.example").refused(403, "FORBIDDEN");
}

#[test]
fn of_many_who_show_a_ticket_at_once_one_is_let_in() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let token = server.token("user", &["states:read:light.*"]).text;
    for round in 0..3 {
        let ticket = ticket(&server, &token);
        let outcomes: Vec<Option<u16>> = thread::scope(|scope| {
            let all: Vec<_> = (0..32)
                .map(|n: u8| {
                    let (server, ticket) = (&server, &ticket);
                    scope.spawn(move || {
                        let mut client = open(server, ticket, 2 + round * 32 + n);
                        client.send(r#"{"type":"ping"}"#);
                        match client.next() {
                            crate::harness::Got::Text(text) if text == r#"{"type":"pong"}"# => None,
                            _ => client.closed().1,
                        }
                    })
                })
                .collect();
            all.into_iter().map(|one| one.join().expect("it is answered")).collect()
        });
        assert_eq!(outcomes.iter().filter(|code| code.is_none()).count(), 1, "{outcomes:?}");
        assert!(outcomes.iter().flatten().all(|code| *code == 4401), "{outcomes:?}");
        canary.sings();
    }
}

#[test]
fn a_ticket_stays_used_and_dies_with_its_token() {
    let server = Server::start();
    let token = server.token("user", &[]);
    let (used, fresh) = (ticket(&server, &token.text), ticket(&server, &token.text));
    assert_eq!(open(&server, &used, 2).told(), [""; 0]);
    let server = server.kill_and_restart();
    open(&server, &used, 2).refused(REFUSED, 4401);
    assert_eq!(open(&server, &fresh, 3).told(), [""; 0], "what was not used is good");
    let doomed = ticket(&server, &token.text);
    server.operate("tokens.revoke", json!({ "id": token.id })).expect("the token lives");
    open(&server, &doomed, 4).refused("token invalid, expired or revoked", 4401);
    open(&server, &doomed, 4).refused(REFUSED, 4401);
    server.ask("POST", "/api/auth/ticket").bearer(&token.text).refused(401, "UNAUTHENTICATED");
    let jane = server.user("jane", "user", &[]);
    let session = server.sign_in("jane", USER_PASSWORD);
    let doomed = ticket(&server, &session);
    server.operate("users.delete", json!({ "userId": jane })).expect("the user is there");
    open(&server, &doomed, 5).refused("token invalid, expired or revoked", 4401);
}

#[test]
fn a_ticket_is_no_token_and_a_token_no_ticket() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let token = server.token("admin", &[]).text;
    let ticket = ticket(&server, &token);
    let invalid = "token invalid, expired or revoked";
    let dial = |path: &str| server.dial(path).from(2);
    dial("/api/ws").bearer(&ticket).open().refused(invalid, 4401);
    dial("/api/ws").cookie(&ticket).open().refused(invalid, 4401);
    dial(&format!("/api/ws?token={ticket}")).open().refused(invalid, 4401);
    let mut client = dial("/api/ws?auth=message").open();
    client.send(&format!(r#"{{"type":"auth","token":"{ticket}"}}"#));
    client.refused("the first message must be auth with a valid token", 4401);
    for path in ["/api/states", "/api/auth/verify", "/api/users"] {
        server.ask("GET", path).bearer(&ticket).refused(401, "UNAUTHENTICATED");
        server.ask("GET", path).cookie(&ticket).refused(401, "UNAUTHENTICATED");
        server.ask("GET", &format!("{path}?token={ticket}")).refused(401, "UNAUTHENTICATED");
        server.ask("GET", &format!("{path}?ticket={token}")).refused(401, "UNAUTHENTICATED");
    }
    for path in ["/api/auth/ticket", "/api/auth/refresh", "/api/auth/logout", "/api/tokens"] {
        server.ask("POST", path).bearer(&ticket).refused(401, "UNAUTHENTICATED");
    }
    open(&server, &token, 3).refused(REFUSED, 4401);
    let beside = server.dial(&format!("/api/ws?ticket={token}&token=")).from(3);
    beside.open().refused(invalid, 4401);
    canary.sings();
    // None of that used it up.
    let mut client = open(&server, &ticket, 4);
    assert!(client.told().iter().all(|event| event.contains("canary")));
}

#[test]
fn garbage_is_refused_without_a_write() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let token = server.token("user", &["states:read:light.*"]);
    let good = ticket(&server, &token.text);
    let (head, signature) = good.rsplit_once('.').expect("three parts");
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    let rows = [
        String::new(),
        "garbage".into(),
        "..".into(),
        "%00".into(),
        "'%20OR%201=1".into(),
        "x".repeat(7_000),
        format!("{head}."),
        format!("{head}.{flipped}{}", &signature[1..]),
        format!("{good}="),
        format!("{good}."),
        token.text.clone(),
        "e30.e30.e30".into(),
    ];
    let rows_kept = || {
        let database = rusqlite::Connection::open(server.data().join("bellwire.db"));
        let count =
            database.and_then(|d| d.query_row("SELECT count(*) FROM tickets", [], |r| r.get(0)));
        count.unwrap_or(-1_i64)
    };
    let before = (server.metric("bellwire_log_head_offset"), rows_kept());
    assert_eq!(before.1, 0);
    for (from, row) in (10..).zip(&rows) {
        open(&server, row, from).refused(REFUSED, 4401);
    }
    assert_eq!((server.metric("bellwire_log_head_offset"), rows_kept()), before);
    // Who goes on so is turned away.
    let refused = (0..15).map(|_| server.dial("/api/ws?ticket=x").from(9).response().status);
    let refused: Vec<u16> = refused.collect();
    assert!(refused[..10].iter().all(|status| *status == 101), "{refused:?}");
    assert!(refused[10..].contains(&429), "{refused:?}");
    canary.sings();
    let fresh = Token { id: token.id, text: ticket(&server, &token.text) };
    assert_eq!(open(&server, &fresh.text, 8).told(), [""; 0]);
    assert_eq!(rows_kept(), 1);
}

/// Over HTTP a ticket, or a token, may stand in the query, too; a bad one makes nobody a guest.
#[test]
fn credentials_in_a_query_count_for_requests() {
    for server in [Server::start(), Server::demo()] {
        let token = server.token("admin", &[]).text;
        let ask = |query: &str| server.ask("GET", &format!("/api/auth/verify?{query}"));
        let ticket = ticket(&server, &token);
        ask(&format!("ticket={ticket}")).expect(200);
        ask(&format!("ticket={ticket}")).refused(401, "UNAUTHENTICATED");
        ask(&format!("token={token}")).expect(200);
        for bad in ["token=x.y.z", "ticket=x.y.z", "token=", "ticket="] {
            let list = server.ask("GET", &format!("/api/states?{bad}"));
            list.refused(401, "UNAUTHENTICATED");
            let on = json!({ "state": "on" });
            let write = server.ask("POST", &format!("/api/states/light.q?{bad}")).json(&on);
            write.refused(401, "UNAUTHENTICATED");
        }
    }
}
