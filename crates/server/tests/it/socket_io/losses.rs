//! Rights that end under a connection: tokens that are revoked, change, or expire.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{REVOKED_ON_ROOT, create, heard, timeless};
use crate::harness::{Canary, Over, Server, Session};

const LIGHTS: &[&str] = &["states:read:light.*"];
const REVOKED: &str = r#"42/states,["error",{"success":false,"error":"token revoked"}]"#;
const INVALID: &str = "token invalid, expired or revoked";

/// On one connection, two namespaces with a token each: who loses one keeps the other.
#[test]
fn a_revoked_token_puts_out_of_its_namespace_alone() {
    let server = Server::start();
    let mut writer = server.quiet_admin();
    let mut canary = Canary::new(&server);
    let staying = server.token("user", LIGHTS);
    for over in Over::BOTH {
        for upgraded in [false, true] {
            let token = server.token("user", LIGHTS);
            let mut session = server.socket_io().open(over);
            session.enter("/", &json!({ "token": staying.text, "topics": ["states"] }));
            session.enter_as("/states", &token.text);
            if upgraded && over == Over::Polling {
                let mut client = session.probes().open();
                client.send("2probe");
                client.hears("3probe");
                client.send("5");
                session.goes_on(client);
            }
            assert_eq!(session.told("/"), [""; 0]);
            let started = Instant::now();
            server.operate("tokens.revoke", json!({ "id": token.id })).expect("it lives");
            writer.ask(&create("light.a", "after"));
            session.hears(REVOKED);
            session.hears("41/states,");
            session.hears(&heard("/", "light.a", "after"));
            assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
            // The other goes on, and this one does not come back by that token.
            session.is_refused("/states", &json!({ "token": token.text }), INVALID);
            writer.ask(&create("light.a", "later"));
            assert_eq!(session.told("/"), [heard("/", "light.a", "later")]);
            session.enter_as("/states", &staying.text);
            writer.ask(&create("light.a", "back"));
            let mut told = session.told("/");
            told.sort();
            assert_eq!(told, ["/states", "/"].map(|at| heard(at, "light.a", "back")));
        }
    }
    canary.sings();
}

/// Nothing is asked on behalf of a token that is gone: what comes behind that is passed over.
#[test]
fn who_was_put_out_asks_nothing_more() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    for over in Over::BOTH {
        let token = server.token("admin", &[]);
        let mut session = server.socket_io().open(over);
        session.enter_as("/", &token.text);
        session.enter_as("/states", &token.text);
        server.operate("tokens.revoke", json!({ "id": token.id })).expect("it lives");
        let mut told: Vec<String> = (0..4).map(|_| session.packet()).collect();
        told.sort();
        let told: Vec<String> = told.iter().map(|text| timeless(text)).collect();
        assert_eq!(told, ["41", "41/states,", REVOKED, REVOKED_ON_ROOT], "{over:?}");
        session.send(r#"42/states,1["states:create",{"entity_id":"light.a","state":"x"}]"#);
        session.is_refused("/", &json!({ "token": token.text }), INVALID);
    }
    let said = server.quiet_admin().ask(r#"{"type":"states:get","entity_id":"light.a"}"#);
    assert!(said.contains("State not found"), "{said}");
    canary.sings();
}

/// What the scopes are by now counts for the next event.
#[test]
fn scopes_change_under_a_session() {
    let server = Server::start();
    let mut writer = server.quiet_admin();
    let admin = server.token("admin", &[]).text;
    let id = server.user("lamplighter", "user", LIGHTS);
    let of_user = server.token_of("user", &id, &[]);
    let own = server.token("device", LIGHTS);
    let open = |over, token: &str| {
        let mut session = server.socket_io().open(over);
        session.enter("/", &json!({ "token": token, "topics": ["states"] }));
        session.enter(
            "/states",
            &json!({ "token": token, "topics": ["entity/lock.b", "entity/light.a"] }),
        );
        session
    };
    let mut sessions: Vec<Session> = Over::BOTH
        .iter()
        .flat_map(|&over| [open(over, &of_user.text), open(over, &own.text)])
        .collect();
    // What is heard on /, and that without `light.c` on /states.
    let turns: &[(&[&str], &[&str])] = &[
        (LIGHTS, &["light.a", "light.c"]),
        (&["states:read:lock.*"], &["lock.b"]),
        (&["states:fly"], &[]),
        (&["states:read"], &["light.a", "lock.b", "light.c"]),
        (&["states:write:light.c"], &["light.c"]),
        (LIGHTS, &["light.a", "light.c"]),
    ];
    for (turn, (scopes, audible)) in turns.iter().enumerate() {
        let change = json!({ "id": own.id, "scopes": scopes });
        server.operate("tokens.change", change).expect("the token lives");
        let user = server.ask("PATCH", &format!("/api/users/{id}")).bearer(&admin);
        user.json(&json!({ "scopes": scopes })).expect(200);
        for entity_id in ["light.a", "lock.b", "light.c"] {
            writer.ask(&create(entity_id, turn));
        }
        for session in &mut sessions {
            let told = session.told("/");
            let (own, root): (Vec<&String>, Vec<&String>) =
                told.iter().partition(|packet| packet.starts_with("42/states,"));
            let expected = |namespace: &str, but: &str| -> Vec<String> {
                let ids = audible.iter().filter(|id| **id != but);
                ids.map(|entity_id| heard(namespace, entity_id, turn)).collect()
            };
            assert_eq!(root, expected("/", "").iter().collect::<Vec<_>>(), "{scopes:?}");
            assert_eq!(
                own,
                expected("/states", "light.c").iter().collect::<Vec<_>>(),
                "{scopes:?}"
            );
        }
    }
    // A user who is no more is told so.
    server.ask("DELETE", &format!("/api/users/{id}")).bearer(&admin).expect(204);
    for session in sessions.iter_mut().step_by(2) {
        let mut told: Vec<String> = (0..4).map(|_| session.packet()).collect();
        told.sort();
        assert_eq!(told[..2], ["41", "41/states,"], "{told:?}");
    }
}

/// An expiry is no verdict: the transport is closed, so that the client comes back with another token.
#[test]
fn a_token_that_expires_closes_the_transport() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let staying = server.token("admin", &[]);
    let token = server.token_for("user", LIGHTS, 2);
    let began = Instant::now();
    let sessions: Vec<Session> = Over::BOTH
        .into_iter()
        .map(|over| {
            let mut session = server.socket_io().open(over);
            session.enter("/", &json!({ "token": staying.text, "topics": ["entity/no.one"] }));
            session.enter_as("/states", &token.text);
            session
        })
        .collect();
    thread::scope(|scope| {
        for mut session in sessions {
            scope.spawn(move || {
                // It is told where it was shown, and there is no DISCONNECT.
                let last = session.closed(4401);
                assert_eq!(last, [REVOKED.replace("revoked", "expired")]);
                let lived = began.elapsed();
                assert!((1.0..5.0).contains(&lived.as_secs_f64()), "{lived:?}");
            });
        }
    });
    server.socket_io().open(Over::Socket).is_refused(
        "/states",
        &json!({ "token": token.text }),
        INVALID,
    );
    canary.sings();
}
