//! Ends that others on the same connection, or those who come after, must not feel.

use serde_json::{Value, json};

use super::{REVOKED_ON_ROOT, create, heard, timeless};
use crate::harness::{Over, Server, Session};

const CALLS_MAX: usize = 64;

/// Whether an entity has a state, as an admin sees it.
fn is_there(server: &Server, entity_id: &str) -> bool {
    let asked = format!(r#"{{"type":"states:get","entity_id":"{entity_id}"}}"#);
    server.quiet_admin().ask(&asked).contains(r#""success":true"#)
}

fn get(at: &str, ack: usize) -> String {
    format!(r#"42{at}{ack}["states:get",{{"entity_id":"light.none"}}]"#)
}

fn got(at: &str, ack: usize) -> String {
    format!(r#"43{at}{ack}[{{"success":false,"error":"State not found: light.none"}}]"#)
}

/// Whatever stands behind the packet that ends a connection, in one piece with it, was never said.
#[test]
fn nothing_is_served_behind_what_ends_the_connection() {
    let server = Server::start();
    let token = server.token("admin", &[]).text;
    let enters = format!(r#"40/states,{{"token":"{token}","recover":true}}"#);
    let creates = r#"42/states,1["states:create",{"entity_id":"light.behind","state":"on"}]"#;
    for (ending, code) in [("9", 1002), ("1", 1000), ("49", 1002), ("42[\"x\"]", 1002)] {
        for over in Over::BOTH {
            let mut session = server.socket_io().open(over);
            session.send_all(&[ending, &enters, creates]);
            assert_eq!(session.closed(code), [""; 0], "{ending} over {over:?}");
            assert!(!is_there(&server, "light.behind"), "{ending} over {over:?}");
        }
    }
    // A namespace that the client is in does not outlive it either.
    let mut session = server.socket_io().open(Over::Socket);
    session.enter_as("/states", &token);
    session.send_all(&[&enters, creates]);
    assert_eq!(session.closed(1002), [""; 0]);
    assert!(!is_there(&server, "light.behind"));
}

/// What a client said before it heard that it was put out crossed that, and is passed over.
#[test]
fn who_is_put_out_of_one_namespace_keeps_the_other() {
    let server = Server::start();
    let mut writer = server.quiet_admin();
    let staying = server.token("admin", &[]).text;
    for over in Over::BOTH {
        let token = server.token("admin", &[]);
        let mut session = server.socket_io().open(over);
        session.enter_as("/", &token.text);
        session.enter_as("/states", &staying);
        server.operate("tokens.revoke", json!({ "id": token.id })).expect("it lives");
        assert_eq!(timeless(&session.packet()), REVOKED_ON_ROOT);
        session.hears("41");
        session.send(r#"421["states:create",{"entity_id":"light.crossed","state":"on"}]"#);
        // With an attachment too.
        session.send(r#"451-2["states:create",{"_placeholder":true,"num":0}]"#);
        session.send_binary(b"crossed");
        writer.ask(&create("light.a", "on"));
        assert_eq!(session.told("/states"), [heard("/states", "light.a", "on")]);
        assert!(!is_there(&server, "light.crossed"));
        // It may come again, with a token that is good; then it counts.
        session.enter_as("/", &staying);
        session.send(&get("", 7));
        session.hears(&got("", 7));
    }
}

/// A full queue of calls in a namespace that is left does not hold up what comes behind.
#[test]
fn a_namespace_that_is_left_holds_nothing_up() {
    let server = Server::start();
    let token = server.token("admin", &[]).text;
    for over in Over::BOTH {
        let mut session = server.socket_io().open(over);
        session.enter_as("/", &token);
        session.enter_as("/states", &token);
        let calls = (0..2 * CALLS_MAX).map(|ack| get("/states,", ack));
        let packets: Vec<String> =
            calls.chain(["41/states,".to_owned(), get("", 7), get("", 8)]).collect();
        session.send_all(&packets);
        let mut said = session.packet();
        while said.starts_with("43/states,") {
            said = session.packet();
        }
        assert_eq!(said, got("", 7), "{over:?}");
        session.hears(&got("", 8));
        session.enter_as("/states", &token);
    }
}

/// Who says goodbye and comes back at once on the same connection is somebody new, whom the end of the one
/// before takes nothing from.
#[test]
fn a_goodbye_ends_one_session_and_not_the_next() {
    let server = Server::start();
    let mut writer = server.quiet_admin();
    let token = server.token("admin", &[]).text;
    let pid = |told: &Value| told["pid"].as_str().expect("a pid").to_owned();
    for over in Over::BOTH {
        let mut session = server.socket_io().open(over);
        session.enter_as("/", &token);
        let auth = json!({ "token": token, "recover": true });
        let first = pid(&session.enter("/states", &auth));
        let calls = (0..CALLS_MAX - 1).map(|ack| get("/states,", ack));
        let back = json!({ "token": token, "recover": true, "pid": first });
        let packets: Vec<String> =
            calls.chain(["41/states,".to_owned(), format!("40/states,{back}")]).collect();
        session.send_all(&packets);
        let connect = loop {
            let said = session.packet();
            if let Some(connect) = said.strip_prefix("40/states,") {
                break connect.to_owned();
            }
            assert!(said.starts_with("43/states,"), "{said}");
        };
        let second = pid(&serde_json::from_str(&connect).expect("CONNECT has JSON"));
        assert_ne!(second, first, "{over:?}");
        let listens = r#"42/states,9["unsubscribe",{"topics":["states"]}]"#;
        assert_eq!(session.says(listens), r#"43/states,9[{"success":true,"topics":[]}]"#);
        let listens = r#"42/states,9["subscribe",{"topics":["states"]}]"#;
        assert_eq!(session.says(listens), r#"43/states,9[{"success":true,"topics":["states"]}]"#);
        assert_eq!(session.told("/states"), [""; 0]);
        // And it can be recovered.
        let third = comes_back(&server, over, &token, &second);
        writer.ask(&create("light.a", "on"));
        drop(session);
        assert_eq!(pid(&third.1), second);
        // Who ends the connection in the middle of a goodbye has said it.
        let mut session = third.0;
        let packets: Vec<String> = (0..CALLS_MAX - 1)
            .map(|ack| get("/states,", ack))
            .chain(["41/states,".to_owned(), "1".to_owned()])
            .collect();
        session.send_all(&packets);
        session.closed(1000);
        let fourth = comes_back(&server, over, &token, &second);
        assert_ne!(pid(&fourth.1), second, "{over:?}");
    }
}

fn comes_back(server: &Server, over: Over, token: &str, pid: &str) -> (Session, Value) {
    let mut session = server.socket_io().open(over);
    let told = session.enter("/states", &json!({ "token": token, "recover": true, "pid": pid }));
    (session, told)
}
