//! States over the plain endpoint: the exact bytes of answers and events, what each operation
//! means, what is said to requests that mean nothing, and `ping`.
//!
//! Times in answers are compared as `T`, after a look at their shape.

use std::time::Instant;

use serde_json::Value;

use crate::harness::{DEADLINE, Server, text};

/// What is sent, what is answered, and the event that everybody hears (`""`: none).
type Row<'a> = (&'a str, String, String);

/// Plays rows on a new server: answers to one connection, events on another.
fn check(rows: &[Row<'_>]) {
    let server = Server::start();
    let mut actor = server.quiet_admin();
    let mut listener = server.listener(&server.token("admin", &[]));
    for (request, answer, event) in rows {
        assert_eq!(timeless(&actor.ask(request)), *answer, "to {request}");
        let heard: Vec<&String> =
            Some(event).filter(|event| !event.is_empty()).into_iter().collect();
        assert_eq!(listener.told().iter().collect::<Vec<_>>(), heard, "after {request}");
    }
}

/// The text with `T` for times, which must be whole seconds in UTC.
pub fn timeless(text: &str) -> String {
    let mut out = text.to_owned();
    for key in [r#""last_changed":""#, r#""last_updated":""#] {
        for piece in text.split(key).skip(1) {
            let time = piece.split('"').next().expect("a string ends");
            let shape: String =
                time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            assert_eq!(shape, "0000-00-00T00:00:00Z", "{text}");
            out = out.replace(&format!("{key}{time}\""), &format!("{key}T\""));
        }
    }
    out
}

fn shown(operation: &str, state_id: u64, entity_id: &str, state: &str, attributes: &str) -> String {
    let row = row(state_id, entity_id, state, attributes);
    format!(r#"{{"type":"states:{operation}:response","success":true,"data":{row}}}"#)
}

fn row(state_id: u64, entity_id: &str, state: &str, attributes: &str) -> String {
    format!(
        r#"{{"state_id":{state_id},"entity_id":"{entity_id}","state":"{state}","attributes":{attributes},"last_changed":"T","last_updated":"T"}}"#
    )
}

fn deleted(state_id: u64) -> String {
    format!(
        r#"{{"type":"states:delete:response","success":true,"message":"State {state_id} deleted successfully"}}"#
    )
}

fn no(operation: &str, error: &str) -> String {
    format!(r#"{{"type":"states:{operation}:response","success":false,"error":"{error}"}}"#)
}

fn event(entity_id: &str, state: &str, attributes: &str) -> String {
    let new_state = format!(r#"{{"state":"{state}","attributes":{attributes}}}"#);
    format!(
        r#"{{"type":"state_changed","data":{{"entity_id":"{entity_id}","new_state":{new_state}}}}}"#
    )
}

fn gone(entity_id: &str) -> String {
    format!(r#"{{"type":"state_changed","data":{{"entity_id":"{entity_id}","new_state":null}}}}"#)
}

/// The document's own example, byte for byte.
#[test]
fn the_four_operations_as_they_are_written() {
    check(&[
        (
            r#"{"type":"states:create","entity_id":"light.test_light","state":"on","attributes":{"brightness":100}}"#,
            r#"{"type":"states:create:response","success":true,"data":{"state_id":1,"entity_id":"light.test_light","state":"on","attributes":{"brightness":100},"last_changed":"T","last_updated":"T"}}"#.into(),
            r#"{"type":"state_changed","data":{"entity_id":"light.test_light","new_state":{"state":"on","attributes":{"brightness":100}}}}"#.into(),
        ),
        (
            r#"{"type":"states:get","entity_id":"light.test_light"}"#,
            r#"{"type":"states:get:response","success":true,"data":{"state_id":1,"entity_id":"light.test_light","state":"on","attributes":{"brightness":100},"last_changed":"T","last_updated":"T"}}"#.into(),
            "".into(),
        ),
        (
            r#"{"type":"states:update","state_id":1,"state":"off"}"#,
            r#"{"type":"states:update:response","success":true,"data":{"state_id":1,"entity_id":"light.test_light","state":"off","attributes":{"brightness":100},"last_changed":"T","last_updated":"T"}}"#.into(),
            r#"{"type":"state_changed","data":{"entity_id":"light.test_light","new_state":{"state":"off","attributes":{"brightness":100}}}}"#.into(),
        ),
        (
            r#"{"type":"states:delete","state_id":1}"#,
            r#"{"type":"states:delete:response","success":true,"message":"State 1 deleted successfully"}"#.into(),
            r#"{"type":"state_changed","data":{"entity_id":"light.test_light","new_state":null}}"#.into(),
        ),
        (
            r#"{"type":"states:get","entity_id":"light.test_light"}"#,
            r#"{"type":"states:get:response","success":false,"error":"State not found: light.test_light"}"#.into(),
            "".into(),
        ),
    ]);
}

#[test]
fn an_entity_is_a_log_of_rows() {
    let (a, b) = ("light.a", "light.b");
    let get = r#"{"type":"states:get","entity_id":"light.a"}"#;
    check(&[
        // Every creation adds a row and is announced, the same one again too.
        (
            r#"{"type":"states:create","entity_id":"light.a","state":"1"}"#,
            shown("create", 1, a, "1", "{}"),
            event(a, "1", "{}"),
        ),
        (
            r#"{"type":"states:create","entity_id":"light.a","state":"1"}"#,
            shown("create", 2, a, "1", "{}"),
            event(a, "1", "{}"),
        ),
        (
            r#"{"type":"states:create","entity_id":"light.a","state":"3","attributes":{"z":1,"a":[1.50,null]}}"#,
            shown("create", 3, a, "3", r#"{"z":1,"a":[1.5,null]}"#),
            event(a, "3", r#"{"z":1,"a":[1.5,null]}"#),
        ),
        (
            r#"{"type":"states:create","entity_id":"light.b","state":"b"}"#,
            shown("create", 4, b, "b", "{}"),
            event(b, "b", "{}"),
        ),
        (get, shown("get", 3, a, "3", r#"{"z":1,"a":[1.5,null]}"#), "".into()),
        // Attributes are replaced, not merged; what is not named stays.
        (
            r#"{"type":"states:update","state_id":3,"attributes":{"b":2}}"#,
            shown("update", 3, a, "3", r#"{"b":2}"#),
            event(a, "3", r#"{"b":2}"#),
        ),
        (
            r#"{"type":"states:update","state_id":3,"state":"4"}"#,
            shown("update", 3, a, "4", r#"{"b":2}"#),
            event(a, "4", r#"{"b":2}"#),
        ),
        (
            r#"{"type":"states:update","state_id":3,"state":"5","attributes":{}}"#,
            shown("update", 3, a, "5", "{}"),
            event(a, "5", "{}"),
        ),
        // What changes nothing is silent.
        (
            r#"{"type":"states:update","state_id":3,"state":"5"}"#,
            shown("update", 3, a, "5", "{}"),
            "".into(),
        ),
        (
            r#"{"type":"states:update","state_id":3,"attributes":{}}"#,
            shown("update", 3, a, "5", "{}"),
            "".into(),
        ),
        (
            r#"{"type":"states:update","state_id":3,"attributes":{"x":1,"y":2}}"#,
            shown("update", 3, a, "5", r#"{"x":1,"y":2}"#),
            event(a, "5", r#"{"x":1,"y":2}"#),
        ),
        (
            r#"{"type":"states:update","state_id":3,"attributes":{"y":2,"x":1}}"#,
            shown("update", 3, a, "5", r#"{"x":1,"y":2}"#),
            "".into(),
        ),
    ]);
}

#[test]
fn the_newest_row_is_what_an_entity_is() {
    let (a, b) = ("light.a", "light.b");
    let get = r#"{"type":"states:get","entity_id":"light.a"}"#;
    check(&[
        (
            r#"{"type":"states:create","entity_id":"light.a","state":"1"}"#,
            shown("create", 1, a, "1", "{}"),
            event(a, "1", "{}"),
        ),
        (
            r#"{"type":"states:create","entity_id":"light.a","state":"2"}"#,
            shown("create", 2, a, "2", "{}"),
            event(a, "2", "{}"),
        ),
        (
            r#"{"type":"states:create","entity_id":"light.a","state":"5","attributes":{"x":1,"y":2}}"#,
            shown("create", 3, a, "5", r#"{"x":1,"y":2}"#),
            event(a, "5", r#"{"x":1,"y":2}"#),
        ),
        (
            r#"{"type":"states:create","entity_id":"light.b","state":"b"}"#,
            shown("create", 4, b, "b", "{}"),
            event(b, "b", "{}"),
        ),
        // A row that is not the newest: the newest is announced, as it is.
        (
            r#"{"type":"states:update","state_id":1,"state":"old"}"#,
            shown("update", 1, a, "old", "{}"),
            event(a, "5", r#"{"x":1,"y":2}"#),
        ),
        (
            r#"{"type":"states:update","state_id":1,"state":"old"}"#,
            shown("update", 1, a, "old", "{}"),
            "".into(),
        ),
        (r#"{"type":"states:delete","state_id":2}"#, deleted(2), event(a, "5", r#"{"x":1,"y":2}"#)),
        (r#"{"type":"states:delete","state_id":2}"#, no("delete", "State not found: 2"), "".into()),
        // The newest gone, the one before shows.
        (r#"{"type":"states:delete","state_id":3}"#, deleted(3), event(a, "old", "{}")),
        (get, shown("get", 1, a, "old", "{}"), "".into()),
        (r#"{"type":"states:delete","state_id":1}"#, deleted(1), gone(a)),
        (get, no("get", "State not found: light.a"), "".into()),
        (
            r#"{"type":"states:update","state_id":3,"state":"x"}"#,
            no("update", "State not found: 3"),
            "".into(),
        ),
        // Ids are not used again.
        (
            r#"{"type":"states:create","entity_id":"light.a","state":"new"}"#,
            shown("create", 5, a, "new", "{}"),
            event(a, "new", "{}"),
        ),
        (
            r#"{"type":"states:get","entity_id":"light.b"}"#,
            shown("get", 4, b, "b", "{}"),
            "".into(),
        ),
    ]);
}

#[test]
fn what_is_expected_must_be_so() {
    let a = "light.a";
    let conflict = |operation| no(operation, "conflict");
    check(&[
        (
            r#"{"type":"states:create","entity_id":"light.a","state":"1","expected":{"state":"0"}}"#,
            conflict("create"),
            "".into(),
        ),
        (
            r#"{"type":"states:create","entity_id":"light.a","state":"1"}"#,
            shown("create", 1, a, "1", "{}"),
            event(a, "1", "{}"),
        ),
        (
            r#"{"type":"states:create","entity_id":"light.a","state":"2","expected":{"state":"1"}}"#,
            shown("create", 2, a, "2", "{}"),
            event(a, "2", "{}"),
        ),
        (
            r#"{"type":"states:update","state_id":2,"state":"3","expected":{"state":"1"}}"#,
            conflict("update"),
            "".into(),
        ),
        (
            r#"{"type":"states:update","state_id":2,"state":"3","expected":{"state":"2","attributes":{"a":1}}}"#,
            conflict("update"),
            "".into(),
        ),
        (
            r#"{"type":"states:update","state_id":2,"state":"2","expected":{"state":"9"}}"#,
            conflict("update"),
            "".into(),
        ),
        (
            r#"{"type":"states:update","state_id":2,"attributes":{"a":1,"b":2},"expected":{"attributes":{}}}"#,
            shown("update", 2, a, "2", r#"{"a":1,"b":2}"#),
            event(a, "2", r#"{"a":1,"b":2}"#),
        ),
        (
            r#"{"type":"states:update","state_id":2,"state":"3","expected":{"attributes":{"b":2,"a":1}}}"#,
            shown("update", 2, a, "3", r#"{"a":1,"b":2}"#),
            event(a, "3", r#"{"a":1,"b":2}"#),
        ),
        (
            r#"{"type":"states:update","state_id":2,"state":"4","expected":{}}"#,
            shown("update", 2, a, "4", r#"{"a":1,"b":2}"#),
            event(a, "4", r#"{"a":1,"b":2}"#),
        ),
        (
            r#"{"type":"states:delete","state_id":2,"expected":{"state":"3"}}"#,
            conflict("delete"),
            "".into(),
        ),
        (
            r#"{"type":"states:delete","state_id":2,"expected":{"state":"4"}}"#,
            deleted(2),
            event(a, "1", "{}"),
        ),
        (
            r#"{"type":"states:delete","state_id":2,"expected":{"state":"4"}}"#,
            no("delete", "State not found: 2"),
            "".into(),
        ),
    ]);
}

#[test]
fn an_id_is_echoed_as_it_came() {
    let get = |id: &str| format!(r#"{{"type":"states:get","id":{id},"entity_id":"light.a"}}"#);
    let longest = format!("\"{}\"", "x".repeat(128));
    let too_long = format!("\"{}\"", "x".repeat(129));
    let server = Server::start();
    let mut client = server.quiet_admin();
    for id in [
        "7",
        "0",
        "-1",
        "18446744073709551615",
        r#""seven""#,
        r#""""#,
        r#""\"\\\n é \u0001""#,
        &longest,
    ] {
        let answer = client.ask(&get(id));
        let expected = format!(
            r#"{{"type":"states:get:response","success":false,"error":"State not found: light.a","id":{id}}}"#
        );
        assert_eq!(answer, expected);
    }
    // The same string, spelled with escapes that need not be.
    assert!(client.ask(&get(r#""\u0061\/""#)).ends_with(r#","id":"a/"}"#));
    for id in [
        "null",
        "1.5",
        "1.0",
        "1e400",
        "true",
        "[1]",
        r#"{"a":1}"#,
        &too_long,
        "18446744073709551616",
    ] {
        assert_eq!(
            client.ask(&get(id)),
            no("get", "id: an integer or a string to 128 bytes"),
            "{id}"
        );
    }
}

#[test]
fn every_answer_echoes_the_id() {
    let server = Server::start();
    let mut client = server.quiet_admin();
    let rows = [
        (
            r#"{"id":1,"type":"states:create","entity_id":"light.a","state":"on"}"#,
            r#"{"type":"states:create:response","success":true,"data":"#,
        ),
        (
            r#"{"id":1,"type":"states:update","state_id":1,"state":"off"}"#,
            r#"{"type":"states:update:response","success":true,"data":"#,
        ),
        (
            r#"{"id":1,"type":"states:delete","state_id":1}"#,
            r#"{"type":"states:delete:response","success":true,"message":"#,
        ),
        (
            r#"{"id":1,"type":"states:delete","state_id":1}"#,
            r#"{"type":"states:delete:response","success":false,"error":"#,
        ),
        (
            r#"{"id":1,"type":"states:delete","state_id":"1"}"#,
            r#"{"type":"states:delete:response","success":false,"error":"#,
        ),
        (
            r#"{"id":1,"type":"states:delete","state_id":1e999}"#,
            r#"{"type":"states:delete:response","success":false,"error":"#,
        ),
        (
            r#"{"id":1,"type":"states:fly"}"#,
            r#"{"type":"error","success":false,"error":"Unknown message type""#,
        ),
    ];
    for (request, beginning) in rows {
        let answer = client.ask(request);
        assert!(answer.starts_with(beginning) && answer.ends_with(r#","id":1}"#), "{answer}");
    }
}

/// `last_changed` is of the state, `last_updated` of the row; both survive a restart.
#[test]
fn times_move_with_what_they_are_of() {
    let server = Server::start();
    let mut client = server.quiet_admin();
    let times = |answer: &str| {
        let answer: Value = serde_json::from_str(answer).expect("an answer is JSON");
        assert_eq!(answer["success"], true, "{answer}");
        let time = |key: &str| answer["data"][key].as_str().expect("a time").to_owned();
        (time("last_changed"), time("last_updated"))
    };
    let (changed, updated) =
        times(&client.ask(r#"{"type":"states:create","entity_id":"light.a","state":"on"}"#));
    assert_eq!(changed, updated);
    // Attributes until the second is over: only one of the two moves.
    let until = Instant::now() + DEADLINE;
    let mut turn = 0;
    let moved = loop {
        turn += 1;
        let update =
            format!(r#"{{"type":"states:update","state_id":1,"attributes":{{"turn":{turn}}}}}"#);
        let (now_changed, now_updated) = times(&client.ask(&update));
        assert_eq!(now_changed, changed);
        if now_updated != updated {
            break now_updated;
        }
        assert!(Instant::now() < until, "a second does not end");
    };
    assert!(moved > updated);
    // The same state again, as another row: changed as long ago as the first.
    let again =
        times(&client.ask(r#"{"type":"states:create","entity_id":"light.a","state":"on"}"#));
    assert_eq!(again.0, changed);
    assert!(again.1 >= moved);
    // Nothing changes, nothing moves.
    let silent = client.ask(r#"{"type":"states:update","state_id":1,"state":"on"}"#);
    assert_eq!(times(&silent), (changed.clone(), moved));
    let other = times(&client.ask(r#"{"type":"states:update","state_id":2,"state":"off"}"#));
    assert!(other.0 > changed && other.0 == other.1, "{other:?} after {changed}");
    let server = server.kill_and_restart();
    let kept = server.quiet_admin().ask(r#"{"type":"states:get","entity_id":"light.a"}"#);
    assert_eq!(times(&kept), other);
}

#[test]
fn a_ping_is_answered_with_its_timestamp() {
    let of = |what: &str| format!(r#","timestamp":"{what}""#);
    let (x, e, bell) = (of(&"x".repeat(64)), of(&"é".repeat(64)), of(&"\u{1F514}".repeat(64)));
    let (ones, escaped) = (of(&r"\u0001".repeat(64)), of(&r"\ud83d\udd14".repeat(64)));
    // The fields of a ping, and those of its pong.
    let pongs = [
        ("", ""),
        (r#","id":10"#, r#","id":10"#),
        (r#","id":"ten","timestamp":"t""#, r#","timestamp":"t","id":"ten""#),
        (r#","timestamp":"2026-11-20T14:23:19Z""#, r#","timestamp":"2026-11-20T14:23:19Z""#),
        (r#","timestamp":"""#, r#","timestamp":"""#),
        (
            r#","timestamp":"\u0061\/\u00e9 \"\\\n\u0001""#,
            r#","timestamp":"\u0061\/\u00e9 \"\\\n\u0001""#,
        ),
        (r#","timestamp":1.50"#, r#","timestamp":1.50"#),
        (r#","timestamp":1e3"#, r#","timestamp":1e3"#),
        (&x, &x),
        (&e, &e),
        (&bell, &bell),
        (&ones, &ones),
        (&escaped, &escaped),
        (r#","timestamp":0"#, r#","timestamp":0"#),
        (r#","timestamp":-1.5"#, r#","timestamp":-1.5"#),
        (r#","timestamp":18446744073709551615"#, r#","timestamp":18446744073709551615"#),
        (r#","other":[{"timestamp":1}],"entity_id":null"#, ""),
    ];
    // The fields of a ping, why it is refused, and what that error echoes.
    let (x65, e65) = (of(&"x".repeat(65)), of(&"é".repeat(65)));
    let long = "timestamp: a string or number of at most 64 characters";
    let errors = [
        (x65.as_str(), long, ""),
        (&e65, long, ""),
        (r#","timestamp":null"#, long, ""),
        (r#","timestamp":{"a":1},"id":10"#, long, r#","id":10"#),
        (r#","timestamp":[],"id":"ten""#, long, r#","id":"ten""#),
        (r#","timestamp":true"#, long, ""),
        (r#","timestamp":1e400,"id":10"#, "timestamp: a number that cannot be held", r#","id":10"#),
        (r#","timestamp":"t","id":null"#, "id: an integer or a string to 128 bytes", ""),
    ];
    let pongs = pongs.map(|(ping, pong)| (ping, format!(r#"{{"type":"pong"{pong}}}"#)));
    let errors = errors.map(|(ping, why, echo)| {
        (ping, format!(r#"{{"type":"error","success":false,"error":"{why}"{echo}}}"#))
    });
    let row = |(fields, answer)| (format!(r#"{{"type":"ping"{fields}}}"#), answer);
    let rows: Vec<(String, String)> = pongs.into_iter().chain(errors).map(row).collect();
    let rows = rows.iter().map(|(ping, answer)| (&**ping, answer.clone(), String::new()));
    check(&rows.collect::<Vec<_>>());
}

#[test]
fn a_ping_has_its_turn_among_calls() {
    let rows = [
        (r#"{"type":"ping","id":1}"#, r#"{"type":"pong","id":1}"#.into()),
        (
            r#"{"type":"states:create","entity_id":"light.a","state":"on"}"#,
            shown("create", 1, "light.a", "on", "{}"),
        ),
        (r#"{"type":"ping","timestamp":"t"}"#, r#"{"type":"pong","timestamp":"t"}"#.into()),
        (r#"{"type":"states:get","entity_id":"light.a"}"#, shown("get", 1, "light.a", "on", "{}")),
        (r#"{"type":"ping","id":2}"#, r#"{"type":"pong","id":2}"#.into()),
        ("{", r#"{"type":"error","success":false,"error":"Invalid JSON"}"#.into()),
        (
            r#"{"type":"subscribe_entities","entity_ids":[]}"#,
            r#"{"type":"states:snapshot","data":[]}"#.into(),
        ),
        (r#"{"type":"ping","id":3}"#, r#"{"type":"pong","id":3}"#.into()),
        (r#"{"type":"states:delete","state_id":1}"#, deleted(1)),
        (r#"{"type":"ping","id":4}"#, r#"{"type":"pong","id":4}"#.into()),
    ];
    let server = Server::start();
    let mut client = server.quiet_admin();
    let requests: Vec<u8> = rows.iter().flat_map(|(request, _)| text(request)).collect();
    client.send_bytes(&requests);
    for (request, answer) in rows {
        assert_eq!(timeless(&client.text()), answer, "to {request}");
    }
    assert_eq!(client.told(), [""; 0]);
}
