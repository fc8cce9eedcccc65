//! Notifications as users meet them: who may read and send what, page by page; told to who is connected, and found by
//! who was away.

use serde_json::{Value, json};

use crate::harness::{Ask, Client, Over, Server};

const GREETING: &str =
    r#"{"type":"connection_established","message":"Connected to notifications"}"#;
const NO_INBOX: &str = "only users have an inbox, and this token speaks for none";

/// A house with users 1 (`admin`), 2 (`jane`) and 3 (`john`), and a token of an admin that speaks for none of them.
struct House {
    server: Server,
    admin: String,
    jane: String,
    john: String,
}

impl House {
    fn new() -> House {
        let server = Server::start();
        let [jane, john] = ["jane", "john"].map(|name| {
            let id = server.user(name, "user", &[]);
            server.token_of("user", &id, &[]).text
        });
        House { admin: server.token("admin", &[]).text, jane, john, server }
    }

    fn send(&self, to: &str, title: &str) -> Value {
        let body = json!({ "to": to, "title": title, "message": "So it is.", "level": "error" });
        let ask = self.server.ask("POST", "/api/notifications").bearer(&self.admin);
        ask.json(&body).expect(201)
    }

    fn list(&self, token: &str, query: &str) -> Value {
        self.server.ask("GET", &format!("/api/notifications{query}")).bearer(token).expect(200)
    }

    /// The titles in an inbox.
    fn titles(&self, token: &str) -> Vec<String> {
        titles(&self.list(token, ""))
    }

    fn open(&self, token: &str, query: &str) -> Client {
        let mut client =
            self.server.dial(&format!("/ws/notifications/{query}")).bearer(token).open();
        if query.is_empty() {
            client.hears(GREETING);
        }
        client
    }

    fn mark(&self, token: &str, body: Value) -> Value {
        let ask = self.server.ask("POST", "/api/notifications/read").bearer(token);
        ask.json(&body).expect(200)["read"].clone()
    }
}

fn titles(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("a page has items");
    items.iter().map(|item| item["title"].as_str().expect("it has one").to_owned()).collect()
}

/// The title of the notification that comes next.
#[track_caller]
fn title(client: &mut Client) -> String {
    let told: Value = serde_json::from_str(&client.text()).expect("frames are JSON");
    assert_eq!(told["type"], "notification", "{told}");
    told["title"].as_str().expect("it has one").to_owned()
}

/// Nothing more comes than what was heard.
#[track_caller]
fn is_silent(client: &mut Client) {
    assert_eq!(client.ask(r#"{"type":"ping"}"#), r#"{"type":"pong"}"#);
}

#[test]
fn who_may_do_what() {
    let House { server, admin, jane, .. } = House::new();
    let [screen, board] = ["client", "device"].map(|role| server.token(role, &[]).text);
    let send = json!({ "to": "2", "title": "a", "message": "b" });
    let read = json!({ "all": true });
    let ask = |method: &str, path: &str| server.ask(method, path);
    for (token, list, may_send) in [
        (Some(&jane), 200, 403),
        (Some(&admin), 403, 201),
        (Some(&screen), 403, 403),
        (Some(&board), 403, 403),
        (None, 401, 401),
    ] {
        let with = |ask: Ask| token.iter().fold(ask, |ask, t| ask.bearer(t)).send();
        let listed = with(ask("GET", "/api/notifications"));
        assert_eq!(listed.status, list, "{listed:?}");
        if list == 403 {
            assert_eq!(listed.json()["detail"], NO_INBOX);
        }
        let marked = with(ask("POST", "/api/notifications/read").json(&read));
        assert_eq!(marked.status, list, "{marked:?}");
        let sent = with(ask("POST", "/api/notifications").json(&send));
        assert_eq!(sent.status, may_send, "{sent:?}");
    }
    // A token of a user with scopes of its own speaks for that user.
    let scoped = server.token_of("user", "2", &["states:read:light.*"]).text;
    assert_eq!(
        server.ask("GET", "/api/notifications").bearer(&scoped).expect(200)["next"],
        json!(null)
    );
}

#[test]
fn what_may_be_sent() {
    let house = House::new();
    let check = |body: Value, words: Option<&str>| {
        let ask = house.server.ask("POST", "/api/notifications").bearer(&house.admin).json(&body);
        match words {
            None => drop(ask.expect(201)),
            Some(words) => {
                let said = ask.refused(422, "INVALID").json();
                let said = said["detail"].as_str().expect("it says why").to_owned();
                assert!(said.starts_with(words), "{body}: {said}");
            }
        }
    };
    let with = |key: &str, value: Value| {
        let mut body = json!({ "to": "2", "title": "a", "message": "b" });
        body[key] = value;
        body
    };
    let long = |len: usize| "x".repeat(len);
    check(with("level", json!("success")), None);
    check(with("to", json!("all")), None);
    check(with("title", json!(long(200))), None);
    check(with("message", json!(long(4_096))), None);
    check(with("message", json!("two\nlines")), None);
    check(with("level", json!("loud")), Some("level: "));
    for to in [json!("0"), json!("02"), json!("everyone"), json!(2), json!(""), Value::Null] {
        check(with("to", to), Some("to: "));
    }
    check(with("to", json!("99")), Some("to: there is no such user"));
    for title in [json!(""), json!(" a"), json!("a\n"), json!(long(201)), json!(7)] {
        check(with("title", title), Some("title: "));
    }
    for message in [json!(""), json!(" \n"), json!(long(4_097)), json!("\u{1b}[2J"), json!([])] {
        check(with("message", message), Some("message: "));
    }
    check(json!({ "to": "2" }), Some("missing field"));
}

#[test]
fn an_inbox_is_read_page_by_page() {
    let house = House::new();
    let House { jane, john, .. } = &house;
    for number in 1..=5 {
        house.send("2", &format!("n{number}"));
        house.send("3", "other");
    }
    let first = house.list(jane, "?limit=2");
    assert_eq!(titles(&first), ["n5", "n4"]);
    let item = &first["items"][0];
    let keys: Vec<&str> = item.as_object().expect("it is one").keys().map(String::as_str).collect();
    let expected =
        ["id", "from", "to", "type", "date", "message", "read", "title", "level", "timestamp"];
    assert_eq!(keys, expected);
    assert_eq!((&item["to"], &item["level"]), (&json!("2"), &json!("error")));
    // What comes meanwhile does not move the pages.
    house.send("2", "n6");
    let mut next = first["next"].as_str().expect("there are more").to_owned();
    let mut more = Vec::new();
    loop {
        let page = house.list(jane, &format!("?limit=2&cursor={next}"));
        more.extend(titles(&page));
        match page["next"].as_str() {
            Some(cursor) => cursor.clone_into(&mut next),
            None => break,
        }
    }
    assert_eq!(more, ["n3", "n2", "n1"]);
    for query in ["?limit=0", "?limit=1001", "?cursor=x", "?cursor=1.5"] {
        let ask = house.server.ask("GET", &format!("/api/notifications{query}")).bearer(jane);
        ask.refused(422, "INVALID");
    }
    // Ids of others do nothing, to them or for oneself.
    let [own, foreign] = [jane, john].map(|token| {
        let items = house.list(token, "")["items"].clone();
        let ids = items.as_array().expect("it is a list").iter().map(|item| item["id"].clone());
        ids.collect::<Vec<_>>()
    });
    assert_eq!(house.mark(jane, json!({ "ids": foreign })), 0);
    assert_eq!(house.mark(jane, json!({ "ids": [own[0], own[1], own[1], foreign[0]] })), 2);
    assert_eq!(house.mark(jane, json!({ "all": true })), 4);
    let is_read = |token: &str| {
        let items = house.list(token, "")["items"].clone();
        items.as_array().expect("it is a list").iter().all(|item| item["read"] == true)
    };
    assert!(is_read(jane) && !is_read(john));
}

#[test]
fn who_is_connected_is_told() {
    let house = House::new();
    let admin_user = house.server.sign_in("admin", &house.server.admin_password());
    let [mut jane, mut tab, mut john, mut admin, mut token] =
        [&house.jane, &house.jane, &house.john, &admin_user, &house.admin]
            .map(|token| house.open(token, ""));
    let screen = house.server.token("client", &[]).text;
    let mut screen = house.open(&screen, "");
    house.send("2", "for Jane");
    assert_eq!([title(&mut jane), title(&mut tab)], ["for Jane", "for Jane"]);
    house.send("all", "for all");
    for client in [&mut jane, &mut tab, &mut john, &mut admin, &mut token] {
        assert_eq!(title(client), "for all");
        is_silent(client);
    }
    is_silent(&mut screen);
    assert_eq!(house.titles(&house.jane), ["for all", "for Jane"]);
    assert_eq!(house.titles(&house.john), ["for all"]);
    assert_eq!(house.titles(&admin_user), ["for all"]);
    // Over Socket.IO by name; the name alone allows nothing.
    for over in Over::BOTH {
        let mut session = house.server.socket_io().open(over);
        session.enter("/", &json!({ "token": house.jane, "topics": ["notifications"] }));
        let greeting = r#"42["connection_established",{"message":"Connected to notifications"}]"#;
        session.hears(greeting);
        house.send("3", "for John");
        house.send("2", "again");
        assert!(session.packet().starts_with(r#"42["notification",{"title":"again""#));
        assert_eq!(title(&mut john), "for John");
    }
}

#[test]
fn who_was_away_finds_it() {
    let house = House::new();
    let mut reader = house.open(&house.jane, "?since=now");
    let resumed: Value = serde_json::from_str(&reader.text()).expect("frames are JSON");
    let cursor = resumed["cursor"].as_str().expect("it has a cursor").to_owned();
    reader.hears(GREETING);
    drop(reader);
    house.send("2", "one");
    house.send("3", "not for her");
    house.send("all", "two");
    let mut back = house.open(&house.jane, &format!("?since={cursor}"));
    assert!(back.text().contains(r#""replayed":2"#));
    back.hears(GREETING);
    assert_eq!([title(&mut back), title(&mut back)], ["one", "two"]);
    is_silent(&mut back);
    // A crash takes nothing.
    let House { server, jane, john, admin } = house;
    let house = House { server: server.kill_and_restart(), jane, john, admin };
    assert_eq!(house.titles(&house.jane), ["two", "one"]);
    let mut back = house.open(&house.jane, &format!("?since={cursor}"));
    assert!(back.text().contains(r#""replayed":2"#));
    back.hears(GREETING);
    assert_eq!([title(&mut back), title(&mut back)], ["one", "two"]);
}

#[test]
fn a_user_that_goes_takes_theirs_along() {
    let house = House::new();
    house.send("all", "old");
    let mut jane = house.open(&house.jane, "");
    house.server.ask("DELETE", "/api/users/2").bearer(&house.admin).expect(204);
    let (told, code) = jane.closed();
    assert_eq!(
        (told, code),
        (vec![r#"{"type":"error","message":"token revoked"}"#.into()], Some(4401))
    );
    // Who comes later has nothing from before.
    let id = house.server.user("jane", "user", &[]);
    let again = house.server.token_of("user", &id, &[]).text;
    assert_eq!(house.titles(&again), [""; 0]);
    assert_eq!(house.titles(&house.john), ["old"]);
    house
        .server
        .ask("POST", "/api/notifications")
        .bearer(&house.admin)
        .json(&json!({ "to": "2", "title": "a", "message": "b" }))
        .refused(422, "INVALID");
    // Who is disabled is told nothing, and finds nothing of that time.
    house
        .server
        .ask("PATCH", "/api/users/3")
        .bearer(&house.admin)
        .json(&json!({ "disabled": true }))
        .expect(200);
    house.send("all", "meanwhile");
    house
        .server
        .ask("PATCH", "/api/users/3")
        .bearer(&house.admin)
        .json(&json!({ "disabled": false }))
        .expect(200);
    let john = house.server.token_of("user", "3", &[]).text;
    assert_eq!(house.titles(&john), ["old"]);
}

#[test]
fn what_is_said_wrongly() {
    let house = House::new();
    let mut client = house.open(&house.jane, "");
    let error = |words: &str| format!(r#"{{"type":"error","message":"{words}"}}"#);
    for (message, words) in [
        ("{", "Invalid JSON"),
        ("[]", "Invalid JSON"),
        ("", "Invalid JSON"),
        (r#"{"type":"nothing"}"#, "Unknown message type"),
        (r#"{"message":"x"}"#, "Unknown message type"),
        (r#"{"type":"states:create","entity_id":"light.a","state":"on"}"#, "Unknown message type"),
        (r#"{"type":"notifications.send","to":"all","title":"a","message":"b"}"#, "Forbidden"),
        (r#"{"type":"notifications.read"}"#, "either ids, or all: true"),
    ] {
        assert_eq!(client.ask(message), error(words), "{message}");
    }
    let mut admin = house.open(&house.admin, "");
    assert_eq!(admin.ask(r#"{"type":"notifications.list"}"#), error(NO_INBOX));
    for (dial, words, code) in [
        (house.server.dial("/ws/notifications"), "authentication required", 4401),
        (
            house.server.dial("/ws/notifications/").bearer("bad"),
            "token invalid, expired or revoked",
            4401,
        ),
    ] {
        assert_eq!(dial.open().closed(), (vec![error(words)], Some(code)));
    }
}
