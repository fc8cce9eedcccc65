//! What a stream says first, what it says to what is said wrongly, and which numbers lead nowhere.

use super::{
    House, JOHN,
    line::{ALL, Form, INBOX, SPACE},
};
use crate::harness::{Client, Over};

const ALL_STATIONS: &str =
    r#"{"type":"connection_established","message":"Connected to all_stations","station_id":null}"#;
const STATION_1: &str =
    r#"{"type":"connection_established","message":"Connected to station_1","station_id":1}"#;
const NOTIFICATIONS: &str =
    r#"{"type":"connection_established","message":"Connected to notifications"}"#;
const NONE: &str = "authentication required";

fn error(words: &str) -> String {
    format!(r#"{{"type":"error","message":"{words}"}}"#)
}

/// The streams, and what each says first; the last for users alone.
fn streams(house: &House) -> [Client; 3] {
    [
        house.server.dial("/ws/stations/").open(),
        house.server.dial("/ws/stations/1/").open(),
        house.server.dial("/ws/notifications/").bearer(house.token(JOHN)).open(),
    ]
}

#[test]
fn each_stream_greets() {
    let house = House::new([1, 1]);
    let rows = [
        ("/ws/stations", ALL_STATIONS),
        ("/ws/stations/1", STATION_1),
        ("/ws/notifications", NOTIFICATIONS),
    ];
    for (path, greeting) in rows {
        for slash in ["/", "", "/?anything=1"] {
            let dial = house.server.dial(&format!("{path}{slash}"));
            for token in [None, Some(house.token(JOHN)), Some(&*house.admin)] {
                if token.is_none() && path == "/ws/notifications" {
                    continue;
                }
                let mut client = token.iter().fold(dial.clone(), |d, t| d.bearer(t)).open();
                client.hears(greeting);
                assert_eq!(client.ask(r#"{"type":"ping"}"#), r#"{"type":"pong"}"#, "{path}{slash}");
            }
        }
    }
    // Over Socket.IO who hears of all is told so; who asked for single ones is told nothing first.
    for over in Over::BOTH {
        for form in [
            Form::Space(over, None),
            Form::Space(over, Some(&["stations"])),
            Form::Space(over, Some(&["station/1", "station/2", "station/77"])),
            Form::Root(over, &["stations"]),
            Form::Root(over, &["station/1"]),
        ] {
            let mut line = house.line(JOHN, form);
            assert_eq!(line.texts(), [""; 0], "{form:?}");
        }
    }
    let mut session = house.server.socket_io().open(Over::Socket);
    session.enter("/stations", &serde_json::json!({}));
    session.hears(
        r#"42/stations,["connection_established",{"message":"Connected to all_stations","station_id":null}]"#,
    );
}

#[test]
fn a_ping_is_answered_with_its_own_time() {
    let house = House::new([1, 1]);
    let long = "x".repeat(64);
    let wide = "\u{1f50b}".repeat(64);
    let wrong = "timestamp: a string or number of at most 64 characters";
    let rows: Vec<(String, Option<&str>)> = vec![
        (r#""2024-02-27T10:30:00""#.to_owned(), None),
        (r#""2026-11-20T14:23:19.123Z""#.to_owned(), None),
        (r#""""#.to_owned(), None),
        (r#"" <b>&\"\\ ""#.to_owned(), None),
        (format!("\"{long}\""), None),
        (format!("\"{wide}\""), None),
        ("1763648599.5".to_owned(), None),
        ("0".to_owned(), None),
        (format!("\"{long}x\""), Some(wrong)),
        (format!("\"{wide}x\""), Some(wrong)),
        ("null".to_owned(), Some(wrong)),
        ("true".to_owned(), Some(wrong)),
        ("[]".to_owned(), Some(wrong)),
        ("{}".to_owned(), Some(wrong)),
    ];
    for client in &mut streams(&house) {
        client.text();
        for (timestamp, refused) in &rows {
            let said = client.ask(&format!(r#"{{"type":"ping","timestamp":{timestamp}}}"#));
            match refused {
                None => assert_eq!(said, format!(r#"{{"type":"pong","timestamp":{timestamp}}}"#)),
                Some(words) => assert_eq!(said, error(words), "{timestamp}"),
            }
        }
        for (said, answered) in [
            (r#"{"type":"ping"}"#, r#"{"type":"pong"}"#),
            (
                r#"{"timestamp":"2024-02-27T10:30:00","type":"ping"}"#,
                r#"{"type":"pong","timestamp":"2024-02-27T10:30:00"}"#,
            ),
            (r#"{"type":"ping","id":7}"#, r#"{"type":"pong","id":7}"#),
            (r#"{"type":"ping","other":[1]}"#, r#"{"type":"pong"}"#),
        ] {
            assert_eq!(client.ask(said), answered);
        }
    }
}

#[test]
fn what_is_no_message_is_told_so_and_nobody_else_is() {
    let house = House::new([1, 1]);
    let deep = format!("{}1{}", "[".repeat(33), "]".repeat(33));
    let rows = [
        "",
        "{",
        "not json",
        "null",
        "[]",
        r#""ping""#,
        "7",
        r#"{"type":"ping"} {}"#,
        r#"{"type":"ping",}"#,
        "{'type':'ping'}",
        r#"{"type":"ping","type":"ping"}"#,
        r#"{"type":"ping","timestamp":NaN}"#,
        "\u{feff}{\"type\":\"ping\"}",
        r#"{"type":"ping","timestamp":"\ud800"}"#,
        &format!(r#"{{"type":"ping","a":{deep}}}"#),
    ];
    let mut watcher = house.watches(ALL);
    for client in &mut streams(&house) {
        client.text();
        for text in rows {
            assert_eq!(client.ask(text), r#"{"type":"error","message":"Invalid JSON"}"#, "{text}");
        }
        for (text, words) in [
            (r#"{"type":"canary"}"#, "Unknown message type"),
            (r#"{"type":""}"#, "Unknown message type"),
            (r#"{"type":7}"#, "Unknown message type"),
            (r#"{"message":"x"}"#, "Unknown message type"),
            (r#"{"type":"states:get","entity_id":"light.a"}"#, "Unknown message type"),
            (r#"{"type":"ping","id":[1]}"#, "id: an integer or a string to 128 bytes"),
        ] {
            assert_eq!(client.ask(text), error(words), "{text}");
        }
        let named = r#"{"type":"error","message":"Unknown message type","id":"mine"}"#;
        assert_eq!(client.ask(r#"{"type":"canary","id":"mine"}"#), named);
        assert_eq!(client.ask(r#"{"type":"ping"}"#), r#"{"type":"pong"}"#, "it goes on");
    }
    watcher.heard_nothing_of("canary");
}

#[test]
fn what_is_not_there_has_no_stream() {
    let house = House::new([1, 1]);
    for id in ["3", "77", "9007199254740991"] {
        for query in ["", "?snapshot=1", "?since=now", "?since=yesterday"] {
            for token in [None, Some(&*house.admin)] {
                let dial = house.server.dial(&format!("/ws/stations/{id}/{query}"));
                let told = token.iter().fold(dial, |d, t| d.bearer(t)).open().closed();
                let words = error(&format!("Station not found: {id}"));
                assert_eq!(told, (vec![words], Some(4404)), "{id}{query}");
            }
        }
    }
    for id in [
        "0",
        "-1",
        "9223372036854775808",
        "18446744073709551617",
        "abc",
        "%00",
        "1%2f2",
        "01",
        "+1",
        "1.0",
        "1e0",
        "%201",
        "%31%20",
        "1/2",
        "1/1",
        "null",
        "all_stations",
        "%D9%A1",
    ] {
        for tail in ["", "/"] {
            let answer = house.server.dial(&format!("/ws/stations/{id}{tail}")).response();
            assert_eq!(answer.status, 404, "{id:?}: {answer:?}");
        }
    }
    // Above what clients count to nothing is, however that is said.
    for id in ["9007199254740992", "9223372036854775807"] {
        let answer = house.server.dial(&format!("/ws/stations/{id}/")).response();
        if answer.status == 101 {
            let (_, code) = house.server.dial(&format!("/ws/stations/{id}/")).open().closed();
            assert_eq!(code, Some(4404), "{id}");
        } else {
            assert_eq!(answer.status, 404, "{id}: {answer:?}");
        }
    }
}

#[test]
fn notifications_need_a_credential() {
    let house = House::new([1, 1]);
    let bad = "token invalid, expired or revoked";
    let dial = |query: &str| house.server.dial(&format!("/ws/notifications/{query}"));
    for (dial, words) in [
        (dial(""), NONE),
        (dial("?since=now"), NONE),
        (dial("").bearer("bad"), bad),
        (dial("?token=bad"), bad),
        (dial("?ticket=bad"), bad),
        (dial("").cookie("bad"), bad),
    ] {
        let (told, code) = dial.from(9).open().closed();
        assert_eq!(code, Some(4401), "{told:?}");
        assert_eq!(told.len(), 1, "{told:?}");
        if !told[0].contains("ticket") {
            assert_eq!(told[0], error(words));
        }
    }
    // A guest of stations is none there, whatever is asked for by name.
    for over in Over::BOTH {
        let mut session = house.server.socket_io().open(over);
        let topics = serde_json::json!({ "topics": ["notifications"] });
        session.is_refused("/", &topics, NONE);
        session.is_refused("/stations", &topics, r#"topics: unknown topic "notifications""#);
    }
    let mut line = house.line(JOHN, INBOX);
    house.books(JOHN, 1, None);
    line.hears(&super::frames::confirmed(1, 1));
    let mut other = house.watches(SPACE);
    assert_eq!(other.texts(), [""; 0]);
}
