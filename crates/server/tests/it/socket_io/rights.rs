//! Who hears what: by scope, by namespace, by topic, and on `/` by what was asked there.

use super::{create, heard};
use crate::harness::{Canary, Client, Over, Server, Session, at};

/// Nobody but an admin may see this.
const SECRET: &str = "canary in the lock";

/// Lights that the reader may read, and a lock that it may not.
fn write(writer: &mut Client, state: &str) {
    for (entity_id, state) in [("light.a", state), ("lock.b", SECRET), ("light.c", state)] {
        let said = writer.ask(&create(entity_id, state));
        assert!(said.contains(r#""success":true"#), "{said}");
    }
}

/// A way to listen: a name, the namespace, what CONNECT shows besides the token, what is sent there, and the
/// lights that are heard.
type Row =
    (&'static str, &'static str, &'static str, &'static [&'static str], &'static [&'static str]);

const BOTH: &[&str] = &["light.a", "light.c"];
const WAYS: &[Row] = &[
    ("nothing asked on /", "/", "", &[], &[]),
    ("a call on /", "/", "", &[r#"["states:get",{"entity_id":"light.a"}]"#], BOTH),
    ("a refused call on /", "/", "", &[r#"["states:get",{"entity_id":"lock.b"}]"#], BOTH),
    ("a call that is no request", "/", "", &[r#"["states:create",{"entity_id":"light.a"}]"#], BOTH),
    ("a list", "/", "", &[r#"["states:list",{}]"#], BOTH),
    ("an unknown event", "/", "", &[r#"["x",{}]"#], &[]),
    ("a namespace of its own", "/states", "", &[], BOTH),
    ("topics in auth", "/", r#","topics":["states"]"#, &[], BOTH),
    ("no topics in auth", "/states", r#","topics":[]"#, &[], &[]),
    ("entities in auth", "/", r#","topics":["entity/light.a","entity/lock.b"]"#, &[], &["light.a"]),
    ("entities there", "/states", r#","topics":["entity/light.c"]"#, &[], &["light.c"]),
    ("a foreign entity alone", "/", r#","topics":["entity/lock.b"]"#, &[], &[]),
    ("subscribe", "/", "", &[r#"["subscribe",{"topics":["states"]}]"#], BOTH),
    (
        "subscribe to entities",
        "/",
        "",
        &[r#"["subscribe",{"topics":["entity/lock.b","entity/light.c"]}]"#],
        &["light.c"],
    ),
    (
        "subscribe and unsubscribe",
        "/",
        "",
        &[
            r#"["subscribe",{"topics":["states","entity/light.a"]}]"#,
            r#"["unsubscribe",{"topics":["states"]}]"#,
        ],
        &["light.a"],
    ),
    (
        "unsubscribe in a namespace of its own",
        "/states",
        "",
        &[r#"["unsubscribe",{"topics":["states"]}]"#],
        &[],
    ),
    (
        "a call does not bring it back",
        "/states",
        "",
        &[r#"["unsubscribe",{"topics":["states"]}]"#, r#"["states:get",{"entity_id":"light.a"}]"#],
        &[],
    ),
    (
        "nor does it on /",
        "/",
        "",
        &[
            r#"["states:get",{"entity_id":"light.a"}]"#,
            r#"["unsubscribe",{"topics":["states"]}]"#,
            r#"["states:get",{"entity_id":"light.a"}]"#,
        ],
        &[],
    ),
    (
        "subscribe does",
        "/",
        "",
        &[
            r#"["states:get",{"entity_id":"light.a"}]"#,
            r#"["unsubscribe",{"topics":["states"]}]"#,
            r#"["subscribe",{"topics":["states"]}]"#,
        ],
        BOTH,
    ),
    ("what is not listened to", "/", "", &[r#"["unsubscribe",{"topics":["states"]}]"#], &[]),
    (
        "subscribe_entities",
        "/states",
        "",
        &[r#"["subscribe_entities",{"entity_ids":["light.a","lock.b"]}]"#],
        &["light.a"],
    ),
    (
        "subscribe_entities on /",
        "/",
        "",
        &[r#"["subscribe_entities",{"entity_ids":["light.c","lock.b"]}]"#],
        &["light.c"],
    ),
    (
        "subscribe_entities, none",
        "/states",
        "",
        &[r#"["subscribe_entities",{"entity_ids":[]}]"#],
        &[],
    ),
    (
        "all of them again",
        "/states",
        "",
        &[r#"["subscribe_entities",{"entity_ids":[]}]"#, r#"["subscribe_entities",{}]"#],
        BOTH,
    ),
];

/// A session that hears nothing of home states, and shows where what it is told ends.
#[track_caller]
fn fenced(server: &Server, over: Over, token: &str, namespace: &str) -> Session {
    let mut session = server.socket_io().open(over);
    let fence = if namespace == "/" { "/states" } else { "/" };
    session.enter(fence, &serde_json::json!({ "token": token, "topics": ["entity/no.one"] }));
    session
}

#[test]
fn who_may_read_lights_hears_of_lights() {
    let server = Server::start();
    let mut writer = server.quiet_admin();
    write(&mut writer, "before");
    let token = server.token("user", &["states:read:light.*"]);
    let mut canary = Canary::new(&server);
    for (name, namespace, auth, packets, audible) in WAYS {
        for over in Over::BOTH {
            let name = format!("{name} over {over:?}");
            let at = at(namespace);
            let fence = if *namespace == "/" { "/states" } else { "/" };
            let mut session = fenced(&server, over, &token.text, namespace);
            let told = session.says(&format!(r#"40{at}{{"token":"{}"{auth}}}"#, token.text));
            assert!(told.starts_with(&format!(r#"40{at}{{"sid""#)), "{name}: {told}");
            for (n, packet) in packets.iter().enumerate() {
                let said = session.says(&format!("42{at}{n}{packet}"));
                assert!(said.starts_with(&format!("43{at}{n}[")), "{name}: {said}");
                assert!(!said.contains(SECRET), "{name}: {said}");
            }
            write(&mut writer, &name);
            let told = session.told(fence);
            let expected: Vec<String> =
                audible.iter().map(|entity_id| heard(namespace, entity_id, &name)).collect();
            assert_eq!(told, expected, "{name}");
        }
        canary.sings();
    }
}

/// What is said of an entity that may not be read is said of one that is not there.
#[test]
fn what_may_not_be_known_of_answers_like_what_is_not_there() {
    let server = Server::start();
    let mut writer = server.quiet_admin();
    write(&mut writer, "on");
    let row = r#""state_id":2"#;
    let token = server.token("user", &["states:read:light.*"]);
    let calls = [
        r#"["states:get",{"entity_id":"lock.b"}]"#,
        r#"["states:create",{"entity_id":"lock.b","state":"x"}]"#,
        r#"["states:update",{"state_id":2,"state":"x"}]"#,
        r#"["states:delete",{"state_id":2}]"#,
        r#"["states:row",{"state_id":2}]"#,
        r#"["states:remove",{"entity_id":"lock.b"}]"#,
        r#"["subscribe",{"topics":["entity/lock.b"]}]"#,
        r#"["unsubscribe",{"topics":["entity/lock.b"]}]"#,
        r#"["subscribe_entities",{"entity_ids":["lock.b"]}]"#,
        r#"["states:list",{"entity_id":"lock.b"}]"#,
    ];
    for over in Over::BOTH {
        let mut session = server.socket_io().open(over);
        session.enter_as("/states", &token.text);
        session.says(r#"42/states,0["unsubscribe",{"topics":["states"]}]"#);
        for call in calls {
            let said = session.says(&format!("42/states,1{call}"));
            let other = call.replace("lock.b", "lock.none").replace(row, r#""state_id":777"#);
            session.says(r#"42/states,0["unsubscribe",{"topics":["entity/lock.b"]}]"#);
            let absent = session.says(&format!("42/states,1{other}"));
            session.says(r#"42/states,0["unsubscribe",{"topics":["entity/lock.none"]}]"#);
            let absent = absent.replace("lock.none", "lock.b").replace("777", "2");
            assert_eq!(said, absent, "{call}");
            assert!(!said.contains(SECRET), "{said}");
        }
    }
    assert_eq!(
        server
            .quiet_admin()
            .ask(r#"{"type":"states:get","entity_id":"lock.b"}"#)
            .matches(SECRET)
            .count(),
        1
    );
}

/// What happened on `/` before its first call is not told, and nothing that happens behind it is missed.
#[test]
fn a_first_call_on_the_root_begins_to_listen() {
    let server = Server::start();
    let mut writer = server.quiet_admin();
    let token = server.token("admin", &[]);
    for over in Over::BOTH {
        let mut session = server.socket_io().open(over);
        session.enter_as("/", &token.text);
        session.enter_as("/states", &token.text);
        writer.ask(&create("light.a", "before"));
        // A call elsewhere is no call here.
        assert_eq!(session.told("/states"), [heard("/states", "light.a", "before")]);
        session.says(r#"42/states,1["unsubscribe",{"topics":["states"]}]"#);
        writer.ask(&create("light.a", "still before"));
        assert_eq!(session.told("/states"), [""; 0]);
        // Its own write is the first that it hears, whichever way it asks.
        session.send_all(&[
            r#"421["states:create",{"entity_id":"light.a","state":"own"}]"#,
            r#"422["states:create",{"entity_id":"light.b","state":"next"}]"#,
        ]);
        let told = session.told("/");
        let events: Vec<&String> = told.iter().filter(|packet| packet.starts_with("42[")).collect();
        assert_eq!(events, [&heard("/", "light.a", "own"), &heard("/", "light.b", "next")]);
        assert_eq!(told.len(), 4, "{told:?}");
    }
}
