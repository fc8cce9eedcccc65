//! `subscribe_entities`: a snapshot, then only these; and commands with an idempotency key, which
//! take effect once.

use std::thread;

use serde_json::Value;

use crate::{
    harness::{Server, text},
    states::timeless,
};

fn create(entity_id: &str, state: impl std::fmt::Display) -> String {
    format!(r#"{{"type":"states:create","entity_id":"{entity_id}","state":"{state}"}}"#)
}

fn heard(entity_id: &str, state: impl std::fmt::Display) -> String {
    format!(
        r#"{{"type":"state_changed","data":{{"entity_id":"{entity_id}","new_state":{{"state":"{state}","attributes":{{}}}}}}}}"#
    )
}

fn row(state_id: u64, entity_id: &str, state: &str) -> String {
    format!(
        r#"{{"state_id":{state_id},"entity_id":"{entity_id}","state":"{state}","attributes":{{}},"last_changed":"T","last_updated":"T"}}"#
    )
}

fn subscribe(entity_ids: &str) -> String {
    format!(r#"{{"type":"subscribe_entities","entity_ids":{entity_ids}}}"#)
}

#[test]
fn a_snapshot_and_then_only_these() {
    let server = Server::start();
    let mut writer = server.quiet_admin();
    for (entity_id, state) in
        [("light.a", "1"), ("light.b", "2"), ("lock.c", "3"), ("light.a", "4")]
    {
        writer.ask(&create(entity_id, state));
    }
    let (a, b, c) = (row(4, "light.a", "4"), row(2, "light.b", "2"), row(3, "lock.c", "3"));
    let snapshot = |rows: &[&String]| {
        let rows: Vec<&str> = rows.iter().map(|row| row.as_str()).collect();
        format!(r#"{{"type":"states:snapshot","data":[{}]}}"#, rows.join(","))
    };
    let ids = [("light.a", &a), ("light.b", &b), ("lock.c", &c)];
    let all = server.token("user", &[]);
    let lights = server.token("user", &["states:read:light.*"]);
    // Who asks for what; the rows of the snapshot; whose changes are heard.
    let rows: &[(_, &str, &[&String], &[&str])] = &[
        (&all, r#"["light.b","light.a"]"#, &[&b, &a], &["light.a", "light.b"]),
        (&all, r#"["light.a","light.a"]"#, &[&a], &["light.a"]),
        (&all, r#"["light.none","lock.c"]"#, &[&c], &["lock.c", "light.none"]),
        (&all, "[]", &[], &[]),
        (&lights, r#"["light.a","lock.c"]"#, &[&a], &["light.a"]),
        (&lights, r#"["lock.c"]"#, &[], &[]),
    ];
    for (token, wanted, shown, audible) in rows {
        let mut reader = server.connect(token);
        assert_eq!(timeless(&reader.ask(&subscribe(wanted))), snapshot(shown), "{wanted}");
        let deleted: Vec<String> = ids
            .iter()
            .map(|(entity_id, _)| (*entity_id, "x"))
            .chain([("light.none", "y")])
            .filter_map(|(entity_id, state)| {
                let made: Value =
                    serde_json::from_str(&writer.ask(&create(entity_id, state))).ok()?;
                writer.ask(&format!(
                    r#"{{"type":"states:delete","state_id":{}}}"#,
                    made["data"]["state_id"]
                ));
                audible.contains(&entity_id).then(|| heard(entity_id, state))
            })
            .collect();
        let told = reader.told();
        let created: Vec<&String> = told.iter().step_by(2).collect();
        assert_eq!(created, deleted.iter().collect::<Vec<_>>(), "{wanted}");
        assert_eq!(told.len(), 2 * deleted.len(), "{wanted}: each deletion is heard, too");
    }
    // Without a list: everything that may be read, by id.
    let everything = r#"{"type":"subscribe_entities","id":"all"}"#;
    let mut reader = server.connect(&lights);
    let answer = timeless(&reader.ask(everything));
    assert_eq!(answer, snapshot(&[&a, &b]).replace("]}", r#"],"id":"all"}"#));
    // Another list takes the place of the last; with a cursor, it stands before the id.
    let mut reader = server.dial("/api/ws?since=now").bearer(&all.text).open();
    let resumed = reader.text();
    let cursor = resumed.split('"').nth(7).expect("a cursor");
    let answer = timeless(&reader.ask(&subscribe(r#"["light.a"],"id":7"#)));
    assert_eq!(
        answer,
        snapshot(&[&a]).replace("]}", &format!(r#"],"cursor":"{cursor}","id":7}}"#))
    );
    reader.ask(&subscribe(r#"["lock.c"]"#));
    writer.ask(&create("light.a", "unheard"));
    writer.ask(&create("lock.c", "heard"));
    let told = reader.told();
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with(heard("lock.c", "heard").trim_end_matches('}')), "{told:?}");
}

#[test]
fn a_list_has_its_bounds() {
    let server = Server::start();
    let mut writer = server.quiet_admin();
    let mut reader = server.admin();
    let list = |count: usize| {
        let ids: Vec<String> = (0..count).map(|n| format!("\"a.{n}\"")).collect();
        format!("[{}]", ids.join(","))
    };
    reader.ask(&subscribe(r#"["light.a"]"#));
    let rows: &[(&str, &str)] = &[
        (&list(1_001), "entity_ids: at most 1000"),
        ("null", "entity_ids: invalid type"),
        (r#""light.a""#, "entity_ids: invalid type"),
        (r#"{"light.a":1}"#, "entity_ids: invalid type"),
        ("[1]", "entity_ids[0]: invalid type"),
        (r#"["light.a","light"]"#, "entity_ids[1]: an entity id is domain.name"),
        (r#"["light.*"]"#, "entity_ids[0]: an entity id is domain.name"),
    ];
    for (list, words) in rows {
        let answer = reader.ask(&subscribe(&format!(r#"{list},"id":1"#)));
        let beginning = r#"{"type":"subscribe_entities:response","success":false,"error":""#;
        assert!(
            answer.starts_with(&format!("{beginning}{words}")) && answer.ends_with(r#","id":1}"#),
            "{answer}"
        );
        // The subscription before it stands.
        writer.ask(&create("light.b", "x"));
        writer.ask(&create("light.a", "x"));
        assert_eq!(reader.told(), [heard("light.a", "x")]);
    }
    assert_eq!(reader.ask(&subscribe(&list(1_000))), r#"{"type":"states:snapshot","data":[]}"#);
    writer.ask(&create("a.999", "x"));
    writer.ask(&create("a.1000", "x"));
    assert_eq!(reader.told(), [heard("a.999", "x")]);
    // More rows than an outbound queue may hold.
    let attributes = format!(r#""attributes":{{"a":"{}"}}"#, "x".repeat(16_000));
    for n in 0..70 {
        let large = create(&format!("a.{n}"), "x").replace('}', &format!(",{attributes}}}"));
        assert!(writer.ask(&large).contains(r#""success":true"#));
    }
    drop(reader.told());
    let refused = r#"{"type":"subscribe_entities:response","success":false,"error":"the snapshot is over 1 MiB: subscribe to fewer entities"}"#;
    assert_eq!(reader.ask(r#"{"type":"subscribe_entities"}"#), refused);
    assert_eq!(reader.ask(&subscribe(&list(70))), refused);
    assert!(reader.ask(&subscribe(&list(60))).len() > 900_000);
}

/// The snapshot and what follows it fit together, however fast the state changes.
#[test]
fn no_change_falls_between_snapshot_and_events() {
    const CHANGES: usize = 1_500;
    let server = Server::start();
    let mut writer = server.quiet_admin();
    writer.ask(&create("light.a", 0));
    let writing = thread::spawn(move || {
        for n in 1..=CHANGES {
            writer.send_bytes(&text(&create("light.a", n)));
        }
        (0..CHANGES).for_each(|_| drop(writer.text()));
    });
    let token = server.token("admin", &[]);
    let mut rounds = 0;
    let mut last = 0;
    let mut reader = server.connect(&token);
    while last < CHANGES {
        if rounds % 4 == 0 {
            reader = server.connect(&token);
        }
        rounds += 1;
        reader.send(&subscribe(r#"["light.a"]"#));
        // Events of the subscription before may still be on their way; then the snapshot.
        let snapshot = loop {
            match reader.text() {
                text if text.starts_with(r#"{"type":"states:snapshot""#) => break text,
                text => assert!(text.starts_with(r#"{"type":"state_changed""#), "{text}"),
            }
        };
        let snapshot: Value = serde_json::from_str(&snapshot).expect("a snapshot is JSON");
        let state = snapshot["data"][0]["state"].as_str().expect("the row is there");
        last = state.parse().expect("a number");
        for next in (last + 1..=CHANGES).take(10) {
            reader.hears(&heard("light.a", next));
            last = next;
        }
    }
    writing.join().expect("the writer writes");
    assert!(rounds > 1, "the writer was too fast to be met");
}

fn with_key(request: &str, key: &str) -> String {
    format!(r#"{},"idempotency_key":{key}}}"#, request.strip_suffix('}').expect("an object"))
}

#[test]
fn a_request_with_a_key_takes_effect_once() {
    let server = Server::start();
    let token = server.token("user", &[]);
    let mut client = server.connect(&token);
    client.ask(&subscribe("[]"));
    let mut other = server.quiet_admin();
    let mut listener = server.listener(&server.token("admin", &[]));
    let create_a = create("light.a", 1);
    let (key, longest) = (r#""k1""#, format!("\"{}\"", "k".repeat(128)));
    let first = client.ask(&with_key(&create_a, key));
    assert!(
        first.starts_with(
            r#"{"type":"states:create:response","success":true,"data":{"state_id":1,"#
        )
    );
    listener.hears(&heard("light.a", 1));
    // The same again, in whatever order and under whatever id: the same answer, and no event.
    assert_eq!(client.ask(&with_key(&create_a, key)), first);
    let turned = r#"{"idempotency_key":"k1","state":"1","id":9,"entity_id":"light.a","type":"states:create"}"#;
    assert_eq!(
        client.ask(turned),
        first.replace("}}", r#"},"id":9}"#).replace(r#"{},"id":9}"#, "{}")
    );
    client.send_bytes(&text(&with_key(&create_a, key)).repeat(50));
    (0..50).for_each(|_| client.hears(&first));
    assert_eq!(listener.told(), [""; 0]);
    // Another request under that key.
    let conflict = |operation: &str| {
        format!(
            r#"{{"type":"states:{operation}:response","success":false,"error":"conflict: this idempotency_key stood for another request"}}"#
        )
    };
    assert_eq!(client.ask(&with_key(&create("light.a", 2), key)), conflict("create"));
    // Keys belong to a principal and a command.
    assert!(other.ask(&with_key(&create_a, key)).contains(r#""state_id":2,"#));
    let update = r#"{"type":"states:update","state_id":1,"state":"u"}"#;
    let updated = client.ask(&with_key(update, key));
    assert!(updated.contains(r#""state":"u""#), "{updated}");
    client.ask(r#"{"type":"states:update","state_id":1,"state":"v"}"#);
    assert_eq!(client.ask(&with_key(update, key)), updated, "the answer of then");
    let delete = with_key(r#"{"type":"states:delete","state_id":1}"#, &longest);
    let deleted = client.ask(&delete);
    assert!(deleted.contains("deleted successfully"), "{deleted}");
    assert_eq!(client.ask(&delete), deleted);
    // What was refused is decided anew.
    let missing = with_key(r#"{"type":"states:update","state_id":3,"state":"w"}"#, r#""k3""#);
    assert!(client.ask(&missing).contains("State not found: 3"));
    client.ask(&create("light.b", 1));
    assert!(client.ask(&missing).contains(r#""state":"w""#));
    assert_eq!(listener.told().len(), 6);
    for bad in ["null", "5", r#""""#, "{}", &format!("\"{}\"", "k".repeat(129))] {
        let refused = r#"{"type":"states:create:response","success":false,"error":"idempotency_key: a string of 1 to 128 bytes"}"#;
        assert_eq!(client.ask(&with_key(&create("light.c", 1), bad)), refused, "{bad}");
    }
    // Nor does a restart make it forget.
    let server = server.kill_and_restart();
    let mut client = server.connect(&token);
    assert_eq!(client.ask(&with_key(&create_a, key)), first);
    assert_eq!(client.ask(&delete), deleted);
    assert_eq!(client.ask(&with_key(&create("light.a", 2), key)), conflict("create"));
    assert_eq!(client.told(), [""; 0]);
}

/// Answers that never arrive, and requests that are made again.
#[test]
fn answers_that_are_lost_do_no_harm() {
    const REQUESTS: usize = 200;
    let server = Server::start();
    let token = server.token("user", &[]);
    let mut listener = server.listener(&token);
    let requests: Vec<u8> = (0..REQUESTS)
        .flat_map(|n| text(&with_key(&create("light.a", n), &format!("\"k{n}\""))))
        .collect();
    // Cut off at ever later places, without a look at the answers.
    for piece in 1..=5 {
        let mut client = server.connect(&token);
        client.send_bytes(&requests[..requests.len() * piece / 6]);
    }
    let mut client = server.connect(&token);
    client.send(&subscribe("[]"));
    // Before the snapshot it may hear of what the others wrote.
    while !client.text().starts_with(r#"{"type":"states:snapshot""#) {}
    client.send_bytes(&requests);
    for _ in 0..REQUESTS {
        assert!(client.text().starts_with(r#"{"type":"states:create:response","success":true,"#));
    }
    let mut told = listener.told();
    assert_eq!(told.len(), REQUESTS);
    told.sort();
    told.dedup();
    assert_eq!(told.len(), REQUESTS);
}
