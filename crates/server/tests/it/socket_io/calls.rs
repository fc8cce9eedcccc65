//! What events ask for, and how they are answered: by their acknowledgement, else by `NAME:response`.

use serde_json::{Value, json};

use super::{create, heard, timeless};
use crate::harness::{Canary, Over, Server, Session};

/// An event with these arguments, as JSON, and the acknowledgement that it asks for.
fn event(ack: &str, name: &str, arguments: &str) -> String {
    let comma = if arguments.is_empty() { "" } else { "," };
    format!(r#"42{ack}["{name}"{comma}{arguments}]"#)
}

/// Asks twice, for an acknowledgement and without: both must be told the same.
#[track_caller]
fn answer(session: &mut Session, name: &str, arguments: &str) -> String {
    let acked = session.says(&event("12", name, arguments));
    let told = session.says(&event("", name, arguments));
    let acked = acked.strip_prefix("4312[").and_then(|rest| rest.strip_suffix(']'));
    let acked = acked.expect("the acknowledgement has one argument");
    assert_eq!(told, format!(r#"42["{name}:response",{acked}]"#));
    acked.to_owned()
}

#[test]
fn arguments_that_are_no_request() {
    let object = "the argument must be an object";
    let deep = |depth: usize| {
        format!(r#"{{"entity_id":"a.b","x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth))
    };
    let (deepest, too_deep) = (deep(31), deep(32));
    let rows: &[(&str, &str)] = &[
        ("", "missing field `entity_id`"),
        ("{}", "missing field `entity_id`"),
        ("null", object),
        ("true", object),
        ("7", object),
        (r#""light.a""#, object),
        ("[]", object),
        (r#"[{"entity_id":"light.a"}]"#, object),
        (r#"{"entity_id":"light.a"},{}"#, "an event has one argument"),
        (r#"{"entity_id":"light.a"},null"#, "an event has one argument"),
        (r#"1,2,3"#, "an event has one argument"),
        (r#"{"entity_id":1e400}"#, "entity_id: a number that cannot be held"),
        (r#"{"entity_id":"light.a","x":1e400}"#, "x: a number that cannot be held"),
        (r#"{"entity_id":"light.a","entity_id":"light.a"}"#, "Invalid JSON"),
        (r#"{"entity_id":"light.a","\u0065ntity_id":"light.b"}"#, "Invalid JSON"),
        (r#"{"entity_id":"light.a","x":{"y":1,"y":2}}"#, "Invalid JSON"),
        (r#"{"entity_id":"\ud800"}"#, "Invalid JSON"),
        (&too_deep, "Invalid JSON"),
        (&deepest, "State not found: a.b"),
        (r#"{"entity_id":"a.b","x":[1e300,-0,"é"]}"#, "State not found: a.b"),
        (r#"{"entity_id":"a.b","type":"states:delete"}"#, "State not found: a.b"),
    ];
    let server = Server::start();
    let token = server.token("admin", &[]);
    let mut canary = Canary::new(&server);
    for over in Over::BOTH {
        let mut session = server.socket_io().open(over);
        session.enter_as("/", &token.text);
        assert_eq!(session.told("/"), [""; 0]);
        for (arguments, error) in rows {
            let expected = json!({ "success": false, "error": error }).to_string();
            assert_eq!(answer(&mut session, "states:get", arguments), expected, "{arguments}");
        }
        // What cannot be kept is refused, and changes nothing.
        for arguments in [
            r#"{"entity_id":"light.a","state":"\u0000"}"#,
            r#"{"entity_id":"light.a\u0000","state":"on"}"#,
            r#"{"entity_id":"light.a","state":1}"#,
            r#"{"entity_id":"light.a","state":"on","attributes":"x"}"#,
            r#"{"entity_id":"light.a","state":"on","expected":{"state":"off"}}"#,
        ] {
            let said = answer(&mut session, "states:create", arguments);
            assert!(said.starts_with(r#"{"success":false,"error":""#), "{arguments}: {said}");
        }
        assert_eq!(session.told("/"), [""; 0]);
    }
    canary.sings();
}

#[test]
fn ids_are_given_back() {
    let server = Server::start();
    let token = server.token("admin", &[]);
    let mut session = server.socket_io().open(Over::Socket);
    session.enter_as("/", &token.text);
    let longest = format!("\"{}\"", "x".repeat(128));
    let too_long = format!("\"{}\"", "x".repeat(129));
    for id in
        ["7", "-1", "0", "9007199254740993", "18446744073709551615", r#""""#, r#""a\"b""#, &longest]
    {
        let error = format!(r#"{{"success":false,"error":"State not found: a.b","id":{id}}}"#);
        let said =
            answer(&mut session, "states:get", &format!(r#"{{"entity_id":"a.b","id":{id}}}"#));
        assert_eq!(said, error);
        let said = session.says(&format!(r#"423["nobody",{{"id":{id}}}]"#));
        let error = r#""error":"Unknown event \"nobody\"","code":"UNKNOWN_TYPE","timestamp":"T""#;
        assert_eq!(timeless(&said), format!(r#"433[{{{error},"id":{id}}}]"#));
    }
    for id in
        ["null", "1.5", "1e3", "1e400", "true", "{}", "[1]", "18446744073709551616", &too_long]
    {
        let said =
            answer(&mut session, "states:get", &format!(r#"{{"entity_id":"a.b","id":{id}}}"#));
        assert!(said.starts_with(r#"{"success":false,"error":"id"#), "{id}: {said}");
        assert!(!said.contains(r#","id":"#), "{id}: {said}");
    }
}

/// The four events of home states, both ways, and the events that come of them.
#[test]
fn states_are_written_and_heard() {
    let server = Server::start();
    let token = server.token("admin", &[]);
    for (namespace, over) in ["/", "/states"].into_iter().zip(Over::BOTH) {
        let at = crate::harness::at(namespace);
        let mut session = server.socket_io().open(over);
        session.enter_as(namespace, &token.text);
        assert_eq!(session.told(namespace), [""; 0]);
        let entity_id = format!("light.{}", at.trim_matches(|c| c == '/' || c == ','));
        let entity_id = format!("{entity_id}x");
        session.send(&format!(
            r#"42{at}5["states:create",{{"entity_id":"{entity_id}","state":"on","attributes":{{"b":1,"a":2}}}}]"#
        ));
        let told = session.told(namespace);
        let (acks, events): (Vec<&String>, Vec<&String>) =
            told.iter().partition(|packet| packet.starts_with("43"));
        let reply: Value = serde_json::from_str(
            acks[0].strip_prefix(&format!("43{at}5")).expect("it is acknowledged"),
        )
        .expect("it has JSON");
        let row = &reply[0]["data"];
        let keys: Vec<&String> = row.as_object().expect("a row").keys().collect();
        let documented =
            ["state_id", "entity_id", "state", "attributes", "last_changed", "last_updated"];
        assert_eq!(keys, documented);
        assert_eq!(reply[0]["success"], true);
        assert_eq!((acks.len(), events.len()), (1, 1), "{told:?}");
        assert_eq!(
            *events[0],
            heard(namespace, &entity_id, "on").replace("{}", r#"{"b":1,"a":2}"#)
        );
        let id = &row["state_id"];
        session.send(&format!(r#"42{at}6["states:delete",{{"state_id":{id}}}]"#));
        let told = session.told(namespace);
        assert!(
            told.contains(&format!(
                r#"43{at}6[{{"success":true,"message":"State {id} deleted successfully"}}]"#
            )),
            "{told:?}"
        );
        let gone =
            format!(r#"42{at}["state_changed",{{"entity_id":"{entity_id}","new_state":null}}]"#);
        assert!(told.contains(&gone), "{told:?}");
    }
}

/// What was asked before a DISCONNECT is done, and told to nobody; who comes back at once hears of it.
#[test]
fn calls_before_a_disconnect_are_done() {
    const CALLS: usize = 100;
    let server = Server::start();
    let token = server.token("admin", &[]);
    let mut witness = server.listener(&token);
    for (turn, over) in [Over::Socket, Over::Polling, Over::Socket].into_iter().enumerate() {
        let mut session = server.socket_io().open(over);
        session.enter("/", &json!({ "token": token.text, "topics": ["entity/no.one"] }));
        session.enter_as("/states", &token.text);
        let entity_id = format!("light.t{turn}");
        let mut packets: Vec<String> = (0..CALLS)
            .map(|n| {
                format!(
                    r#"42/states,{n}["states:create",{{"entity_id":"{entity_id}","state":"{n}"}}]"#
                )
            })
            .collect();
        packets.extend(["41/states,".to_owned(), "41/states,".to_owned()]);
        let auth = json!({ "token": token.text });
        packets.push(format!("40/states,{auth}"));
        session.send_all(&packets);
        for n in 0..CALLS {
            let told = witness.text();
            assert!(
                told.contains(&entity_id) && told.contains(&format!(r#""state":"{n}""#)),
                "{told}"
            );
        }
        // It may have been told of some before it left. Once it is back, no answer comes any more.
        let told = session.told("/");
        let back = told.iter().position(|packet| packet.starts_with(r#"40/states,{"sid""#));
        let back = back.unwrap_or_else(|| panic!("{told:?}"));
        assert!(told[..back].iter().all(|p| p.starts_with("4")), "{told:?}");
        assert!(!told[back..].iter().any(|packet| packet.starts_with("43/states,")), "{told:?}");
        let on_root: Vec<&String> =
            told.iter().filter(|packet| !packet.contains("/states,")).collect();
        assert!(on_root.is_empty(), "{on_root:?}");
        // And it is there.
        server.quiet_admin().ask(&create("light.after", turn));
        drop(witness.text());
        let told = session.told("/states");
        assert_eq!(told.last(), Some(&heard("/states", "light.after", turn)), "{told:?}");
    }
}
