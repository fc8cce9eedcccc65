//! Packets that are none, or that may not come now: closed. And those that only look like it.

use std::time::{Duration, Instant};

use super::timeless;
use crate::harness::{Canary, Over, Server, Session};

/// What is sent: packets, and binary messages behind `#`.
type Row = (&'static str, &'static [&'static str]);

/// Sends all of it, as far as it is taken.
fn send(session: &mut Session, pieces: &[&str]) {
    for piece in pieces {
        match piece.strip_prefix('#') {
            Some(bytes) => session.send_binary(bytes.as_bytes()),
            None => session.send(piece),
        }
    }
}

const ASK: &str = r#"427["states:get",{"entity_id":"light.none"}]"#;
const ANSWER: &str = r#"437[{"success":false,"error":"State not found: light.none"}]"#;

/// Nothing is waited for. A second is what is promised; machines under test are busy.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Each row must end the connection, without a word, and nobody else may notice.
#[track_caller]
fn check(rows: &[Row]) {
    let server = Server::start();
    let token = server.token("admin", &[]);
    let mut canary = Canary::new(&server);
    for (name, pieces) in rows {
        for over in Over::BOTH {
            let mut session = server.socket_io().open(over);
            session.enter_as("/", &token.text);
            session.send(ASK);
            session.hears(ANSWER);
            let sent = Instant::now();
            send(&mut session, pieces);
            assert_eq!(session.closed(1002), [""; 0], "{name} over {over:?}");
            assert!(sent.elapsed() < AT_ONCE, "{name} over {over:?}: {:?}", sent.elapsed());
        }
        canary.sings();
    }
}

#[test]
fn what_is_no_packet() {
    check(&[
        ("no type", &["4"]),
        ("type 4, which servers send", &[r#"44{"message":"no"}"#]),
        ("type 7", &[r#"47["x"]"#]),
        ("type 9", &["49"]),
        ("a letter", &["4x"]),
        ("a sign", &[r#"4-2["x"]"#]),
        ("white space", &[r#"4 2["x"]"#]),
        ("a plain message", &[r#"4{"type":"states:get","entity_id":"light.a"}"#]),
        ("no body", &["42"]),
        ("an object", &[r#"42{"x":1}"#]),
        ("a string", &[r#"42"x""#]),
        ("null", &["42null"]),
        ("white space before it", &[r#"42 ["x"]"#]),
        ("a BOM before it", &["42\u{feff}[\"x\"]"]),
        ("an empty array", &["42[]"]),
        ("a name that is null", &["42[null]"]),
        ("a name that is an object", &[r#"42[{"x":1}]"#]),
        ("a name that is an array", &[r#"42[["x"]]"#]),
        ("a name that is true", &["42[true]"]),
        ("no end", &[r#"42["x""#]),
        ("two ends", &[r#"42["x"]]"#]),
        ("something behind it", &[r#"42["x"] 1"#]),
        ("a comma too many", &[r#"42["x",]"#]),
        ("single quotes", &["42['x']"]),
        ("NaN", &[r#"42["x",NaN]"#]),
        ("a control character", &["42[\"x\n\"]"]),
        ("DISCONNECT with a payload", &["41{}"]),
        ("DISCONNECT with an id", &["411"]),
        ("CONNECT with an array", &["40/states,[]"]),
        ("CONNECT with a string", &[r#"40/states,"x""#]),
        ("CONNECT with an id", &["40/states,1{}"]),
        ("CONNECT with half an object", &[r#"40/states,{"token":"#]),
        ("CONNECT with two objects", &["40/states,{}{}"]),
    ]);
}

#[test]
fn names_and_ids_that_may_not_be() {
    check(&[
        ("connect", &[r#"42["connect"]"#]),
        ("connect_error", &[r#"42["connect_error",{}]"#]),
        ("disconnect", &[r#"42["disconnect"]"#]),
        ("disconnecting", &[r#"42["disconnecting"]"#]),
        ("newListener", &[r#"42["newListener"]"#]),
        ("removeListener", &[r#"421["removeListener"]"#]),
        ("one in disguise", &[r#"42["\u0063onnect"]"#]),
        ("one with attachments", &[r#"450-["disconnect"]"#]),
        ("2^53 and one", &[r#"429007199254740993["x"]"#]),
        ("2^64", &[r#"4218446744073709551616["x"]"#]),
        (
            "a hundred digits",
            &[concat!(
                "421",
                "000000000000000000000000000000000000000000000000000000000000",
                "[\"x\"]"
            )],
        ),
        ("a negative id", &[r#"42-1["x"]"#]),
        ("an id with a sign", &[r#"42+1["x"]"#]),
        ("half an id", &[r#"421.5["x"]"#]),
        ("an id with an exponent", &[r#"421e3["x"]"#]),
        ("an id in hexadecimal", &[r#"420x1["x"]"#]),
        ("an id in other digits", &[r#"42١["x"]"#]),
        ("an acknowledgement without an id", &["43[]"]),
        ("one without a body", &["431"]),
        ("one of 2^53 and one", &["439007199254740993[]"]),
        ("one with an object", &["431{}"]),
    ]);
}

#[test]
fn namespaces_and_their_order() {
    const LONG: &str = concat!(
        "40/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx,"
    );
    assert_eq!(LONG.len() - "40,".len(), 129);
    check(&[
        ("an event before CONNECT", &[r#"42/states,["x"]"#]),
        ("a call before CONNECT", &[r#"42/states,1["states:get",{"entity_id":"light.a"}]"#]),
        ("an event in no namespace", &[r#"42/none,["x"]"#]),
        ("an event in one that nearly is", &[r#"42/State,["x"]"#]),
        ("a binary event before CONNECT", &[r#"450-/states,["x"]"#]),
        (
            "one whose attachments are yet to come",
            &[r#"451-/states,["x",{"_placeholder":true,"num":0}]"#],
        ),
        ("an answer of that kind", &[r#"461-/states,1[{"_placeholder":true,"num":0}]"#]),
        ("CONNECT twice", &["40"]),
        ("CONNECT twice, with a token", &[r#"40{"token":"x"}"#]),
        ("CONNECT twice, spelled out", &["40/,{}"]),
        ("an event behind DISCONNECT", &["41", r#"42["x"]"#]),
        ("a namespace of 129 bytes", &[LONG]),
    ]);
}

#[test]
fn attachments_that_do_not_fit() {
    check(&[
        ("no number", &[r#"45["x"]"#]),
        ("no dash", &[r#"451["x"]"#]),
        ("a dash alone", &[r#"45-["x"]"#]),
        ("a negative number", &[r#"45-1-["x"]"#]),
        ("11", &[r#"4511-["x"]"#]),
        ("2^64", &[r#"4518446744073709551616-["x"]"#]),
        ("announced by nobody", &["#bytes"]),
        (
            "one more than announced",
            &[r#"451-["x",{"_placeholder":true,"num":0}]"#, "#one", "#two"],
        ),
        ("one less", &[r#"452-["x",{"_placeholder":true,"num":1}]"#, "#one", r#"42["x"]"#]),
        ("none of them", &[r#"451-["x",{"_placeholder":true,"num":0}]"#, r#"42["x"]"#]),
        ("an acknowledgement's", &[r#"461-1[{"_placeholder":true,"num":0}]"#, "41"]),
        ("a placeholder beyond", &[r#"451-["x",{"_placeholder":true,"num":1}]"#]),
        ("a placeholder without attachments", &[r#"450-["x",{"_placeholder":true,"num":0}]"#]),
        ("a negative placeholder", &[r#"451-["x",{"_placeholder":true,"num":-1}]"#]),
        ("half a placeholder", &[r#"451-["x",{"_placeholder":true,"num":0.5}]"#]),
        ("a placeholder's number as text", &[r#"451-["x",{"_placeholder":true,"num":"0"}]"#]),
        ("a placeholder without number", &[r#"451-["x",{"_placeholder":true}]"#]),
        ("a placeholder deep down", &[r#"451-["x",{"a":[{"b":{"_placeholder":true,"num":7}}]}]"#]),
        ("a placeholder in disguise", &[r#"451-["x",{"\u005fplaceholder":true,"num":9}]"#]),
        ("no array", &["451-{}"]),
        ("a placeholder as the name", &[r#"451-[{"_placeholder":true,"num":0}]"#]),
    ]);
}

/// A row's pieces, and what is answered.
type Harmless = (&'static str, &'static [&'static str], &'static [&'static str]);

const HARMLESS: &[Harmless] = &[
    ("an unknown event", &[r#"42["x"]"#], &[]),
    ("one with arguments", &[r#"42["x",1,null,{"a":[]}]"#], &[]),
    (
        "one that asks",
        &[r#"421["x"]"#],
        &[r#"431[{"error":"Unknown event \"x\"","code":"UNKNOWN_TYPE","timestamp":"T"}]"#],
    ),
    (
        "an empty name",
        &[r#"421[""]"#],
        &[r#"431[{"error":"Unknown event \"\"","code":"UNKNOWN_TYPE","timestamp":"T"}]"#],
    ),
    (
        "a number for a name",
        &["421[-5]"],
        &[r#"431[{"error":"Unknown event \"-5\"","code":"UNKNOWN_TYPE","timestamp":"T"}]"#],
    ),
    (
        "a name of another protocol",
        &[r#"421["ping",{}]"#],
        &[r#"431[{"error":"Unknown event \"ping\"","code":"UNKNOWN_TYPE","timestamp":"T"}]"#],
    ),
    (
        "a name that is near",
        &[r#"421["Connect"]"#],
        &[r#"431[{"error":"Unknown event \"Connect\"","code":"UNKNOWN_TYPE","timestamp":"T"}]"#],
    ),
    (
        "a name of JavaScript's",
        &[r#"421["__proto__"]"#],
        &[r#"431[{"error":"Unknown event \"__proto__\"","code":"UNKNOWN_TYPE","timestamp":"T"}]"#],
    ),
    (
        "an operator's call",
        &[r#"421["tokens.create",{"role":"admin"}]"#],
        &[
            r#"431[{"error":"Unknown event \"tokens.create\"","code":"UNKNOWN_TYPE","timestamp":"T"}]"#,
        ],
    ),
    (
        "id 0",
        &[r#"420["x"]"#],
        &[r#"430[{"error":"Unknown event \"x\"","code":"UNKNOWN_TYPE","timestamp":"T"}]"#],
    ),
    (
        "id 2^53",
        &[r#"429007199254740992["x"]"#],
        &[
            r#"439007199254740992[{"error":"Unknown event \"x\"","code":"UNKNOWN_TYPE","timestamp":"T"}]"#,
        ],
    ),
    (
        "zeros before an id",
        &[r#"42007["x"]"#],
        &[r#"437[{"error":"Unknown event \"x\"","code":"UNKNOWN_TYPE","timestamp":"T"}]"#],
    ),
    (
        "one id twice",
        &[r#"421["x"]"#, r#"421["y"]"#],
        &[
            r#"431[{"error":"Unknown event \"x\"","code":"UNKNOWN_TYPE","timestamp":"T"}]"#,
            r#"431[{"error":"Unknown event \"y\"","code":"UNKNOWN_TYPE","timestamp":"T"}]"#,
        ],
    ),
    (
        "/ spelled out",
        &[r#"42/,1["x"]"#],
        &[r#"431[{"error":"Unknown event \"x\"","code":"UNKNOWN_TYPE","timestamp":"T"}]"#],
    ),
    (
        "a query behind a namespace",
        &[r#"40/none?token=x,{}"#],
        &[r#"44/none?token=x,{"message":"Invalid namespace"}"#],
    ),
    ("an answer that nobody asked for", &["431[]"], &[]),
    ("one with content", &[r#"43999[{"a":1},"b"]"#], &[]),
    ("one of another namespace", &["43/states,1[]", "43/none,1[]"], &[]),
    ("one with attachments", &[r#"461-1[{"_placeholder":true,"num":0}]"#, "#bytes"], &[]),
    ("leaving a namespace that it is not in", &["41/states,", "41/none,", "41/states"], &[]),
    (
        "no attachments, by a packet that has some",
        &[r#"450-["x"]"#, r#"421["x"]"#],
        &[r#"431[{"error":"Unknown event \"x\"","code":"UNKNOWN_TYPE","timestamp":"T"}]"#],
    ),
    (
        "the same, asking",
        &[r#"450-1["x"]"#, r#"42["x"]"#],
        &[r#"431[{"error":"Unknown event \"x\"","code":"UNKNOWN_TYPE","timestamp":"T"}]"#],
    ),
    ("a namespace that is not", &["40/none,"], &[r#"44/none,{"message":"Invalid namespace"}"#]),
    ("without a comma", &["40/none"], &[r#"44/none,{"message":"Invalid namespace"}"#]),
    (
        "with a token",
        &[r#"40/none,{"token":"x"}"#],
        &[r#"44/none,{"message":"Invalid namespace"}"#],
    ),
    ("its own name", &["40/states/,{}"], &[r#"44/states/,{"message":"Invalid namespace"}"#]),
    ("up from there", &["40/../states,{}"], &[r#"44/../states,{"message":"Invalid namespace"}"#]),
    (
        "binary for a service",
        &[r#"451-1["states:get",{"_placeholder":true,"num":0}]"#, "#x"],
        &[r#"431[{"success":false,"error":"binary is not taken here"}]"#],
    ),
    (
        "binary in a field",
        &[
            r#"451-["states:create",{"entity_id":"light.a","state":{"_placeholder":true,"num":0}}]"#,
            "#on",
        ],
        &[r#"42["states:create:response",{"success":false,"error":"binary is not taken here"}]"#],
    ),
    (
        "binary beside the fields",
        &[
            r#"452-1["states:get",{"entity_id":"light.a"},{"_placeholder":true,"num":1}]"#,
            "#a",
            "#",
        ],
        &[r#"431[{"success":false,"error":"binary is not taken here"}]"#],
    ),
    ("binary for nobody", &[r#"451-["x",{"_placeholder":true,"num":0}]"#, "#x"], &[]),
    (
        "ten attachments",
        &[
            r#"4510-1["x",{"_placeholder":true,"num":9}]"#,
            "#0",
            "#1",
            "#2",
            "#3",
            "#4",
            "#5",
            "#6",
            "#7",
            "#8",
            "#9",
        ],
        &[r#"431[{"error":"binary is not taken here","code":"INVALID_JSON","timestamp":"T"}]"#],
    ),
];

#[test]
fn what_only_looks_like_it() {
    let server = Server::start();
    let token = server.token("admin", &[]);
    let mut canary = Canary::new(&server);
    for (name, pieces, answers) in HARMLESS {
        for over in Over::BOTH {
            let mut session = server.socket_io().open(over);
            session.enter_as("/", &token.text);
            send(&mut session, pieces);
            let told: Vec<String> = session.told("/").iter().map(|text| timeless(text)).collect();
            assert_eq!(told, *answers, "{name} over {over:?}");
        }
    }
    canary.sings();
}

#[test]
fn the_longest_names() {
    let server = Server::start();
    let token = server.token("admin", &[]);
    let mut canary = Canary::new(&server);
    for over in Over::BOTH {
        let mut session = server.socket_io().open(over);
        let namespace = format!("/{}", "x".repeat(127));
        session.is_refused(&namespace, &serde_json::json!({}), "Invalid namespace");
        session.enter_as("/", &token.text);
        // A message has 64 KiB; what is said of it is short.
        let name = "x".repeat((64 << 10) - r#"421[""]"#.len());
        session.send(&format!(r#"421["{name}"]"#));
        let answer = session.packet();
        assert!(answer.starts_with(r#"431[{"error":"Unknown event "#), "{answer}");
        assert!(answer.len() < 1_024, "{} bytes", answer.len());
        assert_eq!(session.told("/"), [""; 0]);
        match over {
            Over::Socket => {
                session.client().send(&format!(r#"421["{name}x"]"#));
                assert_eq!(session.closed(1009), [""; 0]);
            }
            Over::Polling => {
                assert_eq!(session.post(format!(r#"421["{name}x"]"#).as_bytes()).status, 400);
                session.is_over();
            }
        }
    }
    canary.sings();
}
