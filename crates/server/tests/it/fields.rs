//! What a request to a plain endpoint may hold: each field at its bounds, text that is no JSON, and
//! many requests at once.

use serde_json::{Value, json};

use crate::harness::{Canary, Server, text};

/// Each value in turn for the place `@` in the request; it is accepted, or refused in the words
/// given, by a frame of exactly three keys.
fn check(request: &str, rows: &[(&str, &str)]) {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let mut client = server.quiet_admin();
    client.ask(r#"{"type":"states:create","entity_id":"light.first","state":"on"}"#);
    let named: Value = serde_json::from_str(&request.replace('@', "0")).expect("a request is JSON");
    let kind = format!("{}:response", named["type"].as_str().expect("it has a type"));
    for (value, words) in rows {
        let answer = client.ask(&request.replace('@', value));
        let shown = if value.len() > 99 { "a long value" } else { value };
        let json: Value = serde_json::from_str(&answer).expect("an answer is JSON");
        assert_eq!(json["type"], kind, "{shown}: {answer}");
        if words.is_empty() {
            assert_eq!(json["success"], true, "{shown}: {answer}");
            continue;
        }
        let error = json["error"].as_str().expect("a refusal says why");
        assert!(error.contains(words), "{shown}: {answer}");
        assert_eq!(answer, json!({ "type": kind, "success": false, "error": error }).to_string());
        assert!(error.len() < 400, "{shown}: {answer}");
        canary.sings();
    }
}

const SHAPE: &str = "entity_id: an entity id is domain.name";

#[test]
fn entity_ids() {
    let id = |len: usize| format!("\"a.{}\"", "b".repeat(len - 2));
    check(
        r#"{"type":"states:create","entity_id":@,"state":"on"}"#,
        &[
            (r#""a.b""#, ""),
            (r#""light.kitchen_2""#, ""),
            (r#""0._""#, ""),
            (r#""\u0061.b""#, ""),
            (&id(255), ""),
            (&id(256), SHAPE),
            (&id(60_000), SHAPE),
            (r#""""#, SHAPE),
            (r#"".""#, SHAPE),
            (r#""a.""#, SHAPE),
            (r#"".b""#, SHAPE),
            (r#""ab""#, SHAPE),
            (r#""a.b.c""#, SHAPE),
            (r#""A.b""#, SHAPE),
            (r#""a-b.c""#, SHAPE),
            (r#"" a.b""#, SHAPE),
            (r#""a.b\n""#, SHAPE),
            (r#""a.*""#, SHAPE),
            (r#""lıght.a""#, SHAPE),
            (r#""light.а""#, SHAPE), // A Cyrillic letter.
            (r#""light.\u200ba""#, SHAPE),
            (r#""a.b/../c""#, SHAPE),
            ("null", "entity_id: invalid type"),
            ("5", "entity_id: invalid type"),
            ("[\"a.b\"]", "entity_id: invalid type"),
            ("{}", "entity_id: invalid type"),
        ],
    );
}

#[test]
fn states_as_text() {
    let of = |text: &str, count: usize| format!("\"{}\"", text.repeat(count));
    check(
        r#"{"type":"states:create","entity_id":"light.a","state":@}"#,
        &[
            (r#""""#, ""),
            (r#"" ""#, ""),
            (&of("x", 255), ""),
            (&of("x", 256), "state: a state has at most 255 characters"),
            (&of("é", 255), ""),
            (&of("🏠", 255), ""),
            (&of("🏠", 256), "state: a state has at most 255 characters"),
            (&of("\\n", 255), ""),
            ("\"\u{202e}ab\u{202c}\"", ""),
            ("\"\u{200b}\u{feff}\"", ""),
            (r#""<script>alert(1)</script>""#, ""),
            (r#""'; DROP TABLE states; --""#, ""),
            (r#""\u0001\u007f""#, ""),
            ("null", "state: invalid type"),
            ("1", "state: invalid type"),
            ("true", "state: invalid type"),
            ("[]", "state: invalid type"),
        ],
    );
}

#[test]
fn attributes() {
    let of = |len: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(len - r#"{"a":""}"#.len()));
    let loose = format!("{} {}", &of(16 << 10)[..5], &of(16 << 10)[5..]);
    let deep = |levels: usize| {
        // The request is a level, the attributes are another.
        format!(r#"{{"a":{}{}}}"#, "[".repeat(levels - 2), "]".repeat(levels - 2))
    };
    check(
        r#"{"type":"states:create","entity_id":"light.a","state":"on","attributes":@}"#,
        &[
            ("{}", ""),
            (r#"{"":{"":null},"type":1,"id":2,"data":3}"#, ""),
            (&of(16 << 10), ""),
            (&loose, ""),
            (&of((16 << 10) + 1), "attributes: attributes have at most 16 KiB"),
            (&of(60_000), "attributes: attributes have at most 16 KiB"),
            (&deep(32), ""),
            (r#"{"a":9007199254740993,"b":-0.0,"c":1e308}"#, ""),
            (r#"{"a":{"b":1e400}}"#, "attributes: a number that cannot be held"),
            ("null", "attributes: invalid type"),
            ("[]", "attributes: invalid type"),
            (&format!("\"{}\"", "x".repeat(60_000)), "attributes: invalid type: string"),
            (r#""{}""#, "attributes: invalid type"),
            ("0", "attributes: invalid type"),
        ],
    );
}

#[test]
fn state_ids() {
    let absent = "State not found: ";
    let range = "state_id: a state id is 1 to 2^53";
    check(
        r#"{"type":"states:update","state_id":@,"state":"on"}"#,
        &[
            ("2", ""), // The first after the canary.
            ("9007199254740992", absent),
            ("9007199254740993", range),
            ("9223372036854775807", range),
            ("9223372036854775808", "state_id: "),
            ("0", range),
            ("-1", range),
            ("-9223372036854775808", range),
            ("1.0", "state_id: invalid type"),
            ("1e0", "state_id: invalid type"),
            ("1.5", "state_id: invalid type"),
            ("-0", "state_id: "),
            ("1e400", "state_id: a number that cannot be held"),
            (r#""1""#, "state_id: invalid type"),
            ("null", "state_id: invalid type"),
            ("true", "state_id: invalid type"),
            ("[1]", "state_id: invalid type"),
        ],
    );
}

#[test]
fn what_is_missing_or_too_much() {
    let server = Server::start();
    let mut client = server.quiet_admin();
    let rows = [
        (r#"{"type":"states:create"}"#, "create", "missing field `entity_id`"),
        (r#"{"type":"states:create","entity_id":"a.b"}"#, "create", "missing field `state`"),
        (
            r#"{"type":"states:create","data":{"entity_id":"a.b","state":"on"}}"#,
            "create",
            "missing field `entity_id`",
        ),
        (
            r#"{"type":"states:create","entity_id":"a.b","state":"on","expected":null}"#,
            "create",
            "expected: ",
        ),
        (
            r#"{"type":"states:create","entity_id":"a.b","state":"on","expected":{"state":null}}"#,
            "create",
            "expected.state: ",
        ),
        (
            r#"{"type":"states:create","entity_id":"a.b","state":"on","expected":"on"}"#,
            "create",
            "expected: ",
        ),
        (r#"{"type":"states:get"}"#, "get", "missing field `entity_id`"),
        (r#"{"type":"states:update","state":"on"}"#, "update", "missing field `state_id`"),
        (r#"{"type":"states:update","state_id":1}"#, "update", "state or attributes is needed"),
        (r#"{"type":"states:update","state_id":1,"state":null}"#, "update", "state: invalid type"),
        (
            r#"{"type":"states:update","state_id":1,"state":"on","attributes":null}"#,
            "update",
            "attributes: invalid type",
        ),
        (r#"{"type":"states:delete"}"#, "delete", "missing field `state_id`"),
    ];
    for (request, operation, words) in rows {
        let answer = client.ask(request);
        let beginning =
            format!(r#"{{"type":"states:{operation}:response","success":false,"error":"{words}"#);
        assert!(answer.starts_with(&beginning), "{request}: {answer}");
    }
    let more = r#"{"color":"red","type":"states:create","entity_id":"a.b","last_changed":"now","state":"on","state_id":77,"success":true}"#;
    assert!(
        client.ask(more).starts_with(
            r#"{"type":"states:create:response","success":true,"data":{"state_id":1,"#
        )
    );
}

const INVALID: &str = r#"{"type":"error","success":false,"error":"Invalid JSON"}"#;
const UNKNOWN: &str = r#"{"type":"error","success":false,"error":"Unknown message type"}"#;

const NO_MESSAGE: &[(&str, &str)] = &[
    ("", INVALID),
    (" ", INVALID),
    ("hello", INVALID),
    ("null", INVALID),
    ("[]", INVALID),
    ("7", INVALID),
    (r#""states:get""#, INVALID),
    (r#"[{"type":"states:get"}]"#, INVALID),
    ("{", INVALID),
    (r#"{"type":"states:get""#, INVALID),
    (r#"{"type":"states:get"}}"#, INVALID),
    (r#"{"type":"states:get"}{"type":"states:get"}"#, INVALID),
    (r#"{"type":"states:get",}"#, INVALID),
    (r#"{'type':'states:get'}"#, INVALID),
    (r#"{type:"states:get"}"#, INVALID),
    (r#"{"type":"states:get"/* a comment */}"#, INVALID),
    (r#"{"type":"states:get","a":NaN}"#, INVALID),
    (r#"{"type":"states:get","a":Infinity}"#, INVALID),
    (r#"{"type":"states:get","a":01}"#, INVALID),
    (r#"{"type":"states:get","a":.5}"#, INVALID),
    (r#"{"type":"states:get","a":+1}"#, INVALID),
    (r#"{"type":"states:get","a":"\x41"}"#, INVALID),
    ("{\"type\":\"states:get\",\"a\":\"\n\"}", INVALID),
    ("\u{feff}{\"type\":\"states:get\"}", INVALID),
    (r#"{"type":"states:get","type":"states:get"}"#, INVALID),
    (r#"{"type":"states:get","entity_id":"a.b","entity_id":"a.b"}"#, INVALID),
    (r#"{"type":"states:get","entity_id":"a.b","entity\u005fid":"a.c"}"#, INVALID),
    (
        r#"{"type":"states:create","entity_id":"a.b","state":"","attributes":{"a":1,"a":2}}"#,
        INVALID,
    ),
    (r#"{"type":"states:get","entity_id":"a.b\u0000"}"#, INVALID),
    (r#"{"type":"states:get","a\u0000":1}"#, INVALID),
    (r#"{"type":"states:get","entity_id":"\ud800"}"#, INVALID),
    (r#"{"type":"states:get","entity_id":"\udc00\ud800"}"#, INVALID),
    ("{}", UNKNOWN),
    (r#"{"type":null}"#, UNKNOWN),
    (r#"{"type":5}"#, UNKNOWN),
    (r#"{"type":""}"#, UNKNOWN),
    (r#"{"type":"states:fly"}"#, UNKNOWN),
    (r#"{"type":"STATES:GET","entity_id":"a.b"}"#, UNKNOWN),
    (r#"{"type":" states:get","entity_id":"a.b"}"#, UNKNOWN),
    (r#"{"type":"states:get:response"}"#, UNKNOWN),
    (r#"{"type":"state_changed","data":{}}"#, UNKNOWN),
    (r#"{"type":"auth","token":"x"}"#, UNKNOWN),
    (r#"{"Type":"states:get","entity_id":"a.b"}"#, UNKNOWN),
    // Other services' calls are not there, an admin or not.
    (r#"{"type":"tokens.create","role":"admin","ttl":60}"#, UNKNOWN),
    (r#"{"type":"tokens.list"}"#, UNKNOWN),
];

#[test]
fn what_is_no_message() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let nested = |levels: usize| {
        let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
        format!(r#"{{"type":"states:fly","a":{open}{close}}}"#)
    };
    let name = |len: usize| format!(r#"{{"type":"{}"}}"#, "x".repeat(len));
    let made = [
        (&*nested(32), UNKNOWN),
        (&nested(33), INVALID),
        (&nested(30_000), INVALID),
        (&name(64), UNKNOWN),
        (&name(65), UNKNOWN),
        (&name(60_000), UNKNOWN),
    ];
    let mut client = server.quiet_admin();
    for (message, answer) in NO_MESSAGE.iter().chain(&made) {
        assert_eq!(client.ask(message), *answer, "{message}");
        canary.sings();
    }
    assert_eq!(client.told(), [""; 0]);
}

/// Many requests in one write: answered in order, and each sees what those before it did.
#[test]
fn requests_of_one_connection_are_answered_in_order() {
    let server = Server::start();
    let mut client = server.quiet_admin();
    let (mut bytes, mut expected) = (Vec::new(), Vec::new());
    let mut add = |request: String, answer: String| {
        bytes.extend(text(&request));
        expected.push(answer);
    };
    for n in 1..=100 {
        add(
            format!(
                r#"{{"type":"states:create","entity_id":"light.a","state":"{n}","id":"c{n}"}}"#
            ),
            format!(r#""success":true,"data":{{"state_id":{n},|"id":"c{n}"}}"#),
        );
        if n % 3 == 0 {
            add(
                format!(r#"{{"type":"states:get","entity_id":"light.a","id":"g{n}"}}"#),
                format!(
                    r#""data":{{"state_id":{n},"entity_id":"light.a","state":"{n}"|"id":"g{n}"}}"#
                ),
            );
        }
        match n % 7 {
            0 => add("{".into(), format!("{}|", INVALID.trim_start_matches('{'))),
            1 => add(
                r#"{"type":"states:get","id":1}"#.into(),
                r#""missing field `entity_id`"|"id":1}"#.into(),
            ),
            2 => add(
                format!(
                    r#"{{"type":"states:delete","state_id":{n},"expected":{{"state":"x"}},"id":"d{n}"}}"#
                ),
                format!(r#""error":"conflict"|"id":"d{n}"}}"#),
            ),
            _ => {}
        }
    }
    client.send_bytes(&bytes);
    for expected in expected {
        let answer = client.text();
        let (inside, end) = expected.split_once('|').expect("two pieces");
        assert!(answer.contains(inside) && answer.ends_with(end), "{answer} is not {expected}");
    }
    assert_eq!(client.told(), [""; 0]);
}
