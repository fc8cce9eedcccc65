//! Who may do what, seen from the wire: roles and scopes, tokens changed, revoked and expired under
//! live connections, and every kind of credential that is none.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    forge::Forge,
    harness::{Canary, Client, Server, Token, frame, text, until},
    process::bellwire,
};

/// The entities of these tests; their rows have the ids 1, 2 and 3.
const HOME: [&str; 3] = ["light.a", "light.b", "lock.b"];

fn furnish(server: &Server) -> Client {
    let mut admin = server.quiet_admin();
    for entity_id in HOME {
        admin.ask(&format!(r#"{{"type":"states:create","entity_id":"{entity_id}","state":"on"}}"#));
    }
    admin
}

fn get(entity_id: &str) -> String {
    format!(r#"{{"type":"states:get","entity_id":"{entity_id}"}}"#)
}

fn heard(entity_id: &str, state: &str) -> String {
    format!(
        r#"{{"type":"state_changed","data":{{"entity_id":"{entity_id}","new_state":{{"state":"{state}","attributes":{{}}}}}}}}"#
    )
}

fn no(operation: &str, error: &str) -> String {
    format!(r#"{{"type":"states:{operation}:response","success":false,"error":"{error}"}}"#)
}

/// What a connection may do with an entity: `-` nothing, `r` read, `w` read and write. All requests
/// are such that nothing changes: what they expect is never so.
fn right(client: &mut Client, entity_id: &str, state_id: usize) -> char {
    let expected = r#""expected":{"state":"never"}"#;
    let mut ask = |operation: &str, fields: &str| {
        client.ask(&format!(r#"{{"type":"states:{operation}",{fields}}}"#))
    };
    let of_entity = format!(r#""entity_id":"{entity_id}""#);
    let of_row = format!(r#""state_id":{state_id},{expected}"#);
    let got = ask("get", &of_entity);
    let created = ask("create", &format!(r#"{of_entity},"state":"x",{expected}"#));
    let updated = ask("update", &format!(r#"{of_row},"state":"x""#));
    let deleted = ask("delete", &of_row);
    let reads = got.contains(r#""success":true"#);
    if created == no("create", "conflict") {
        assert!(reads, "{entity_id}: {got}");
        assert_eq!((updated, deleted), (no("update", "conflict"), no("delete", "conflict")));
        return 'w';
    }
    assert_eq!(created, no("create", "Forbidden"));
    if reads {
        assert_eq!((updated, deleted), (no("update", "Forbidden"), no("delete", "Forbidden")));
        return 'r';
    }
    // What may not be known of answers like what is not there, to the byte.
    let absent = ask("get", r#""entity_id":"light.none""#);
    assert_eq!(got, absent.replace("light.none", entity_id));
    for (operation, answer) in [("update", updated), ("delete", deleted)] {
        let absent = ask(operation, &format!(r#""state_id":999,"state":"x",{expected}"#));
        assert_eq!(answer, absent.replace("999", &state_id.to_string()));
    }
    '-'
}

#[test]
fn rights_by_role_and_scope() {
    let server = Server::start();
    let mut admin = furnish(&server);
    let mut canary = Canary::new(&server);
    // Rights to light.a, light.b, lock.b.
    let rows: &[(&str, &[&str], &str)] = &[
        ("admin", &[], "www"),
        ("admin", &["states:read:light.a"], "www"),
        ("user", &[], "www"),
        ("user", &["stations:staff"], "www"),
        ("user", &["states:read"], "rrr"),
        ("user", &["states:write"], "www"),
        ("user", &["states:read:*"], "rrr"),
        ("user", &["states:read:light.*"], "rr-"),
        ("user", &["states:read:light.a"], "r--"),
        ("user", &["states:read:light"], "---"),
        ("user", &["states:read:ligh.*"], "---"),
        ("user", &["states:read:*.b"], "---"),
        ("user", &["states:read:light.*", "states:write:lock.*"], "rrw"),
        ("user", &["states:read", "states:write:light.b"], "rwr"),
        ("user", &["states:fly"], "---"),
        ("client", &[], "---"),
        ("client", &["states:read:lock.b"], "--r"),
        ("client", &["areas:read"], "---"),
        ("device", &[], "---"),
        ("device", &["states:write:light.*"], "ww-"),
        ("device", &["states:write"], "www"),
    ];
    let mut clients: Vec<Client> =
        rows.iter().map(|(role, scopes, _)| server.connect(&server.token(role, scopes))).collect();
    for (client, (role, scopes, expected)) in clients.iter_mut().zip(rows) {
        let rights: String =
            (1..).zip(HOME).map(|(state_id, id)| right(client, id, state_id)).collect();
        assert_eq!(rights, *expected, "{role} {scopes:?}");
        let filtered =
            format!(r#"{{"type":"subscribe_entities","entity_ids":["{}"]}}"#, HOME.join(r#"",""#));
        let snapshot = client.ask(&filtered);
        for (entity_id, right) in HOME.iter().zip(expected.chars()) {
            assert_eq!(snapshot.contains(entity_id), right != '-', "{role} {scopes:?}: {snapshot}");
        }
        client.ask(r#"{"type":"subscribe_entities"}"#);
    }
    for entity_id in HOME {
        admin
            .ask(&format!(r#"{{"type":"states:create","entity_id":"{entity_id}","state":"new"}}"#));
    }
    canary.sings();
    for (client, (role, scopes, expected)) in clients.iter_mut().zip(rows) {
        let audible = HOME.iter().zip(expected.chars()).filter(|(_, right)| *right != '-');
        let expected: Vec<String> = audible.map(|(id, _)| heard(id, "new")).collect();
        let mut told = client.told();
        told.retain(|event| !event.contains("canary.bird"));
        assert_eq!(told, expected, "{role} {scopes:?}");
    }
}

#[test]
fn a_token_changes_under_its_connections() {
    let server = Server::start();
    let mut admin = furnish(&server);
    let token = server.token("device", &["states:read:light.*"]);
    let mut plain = server.listener(&token);
    let mut filtered = server.connect(&token);
    filtered.ask(r#"{"type":"subscribe_entities","entity_ids":["light.a","lock.b"]}"#);
    let rows: &[(&[&str], &[&str])] = &[
        (&["states:read:light.*"], &["light.a", "light.b"]),
        (&["states:read:lock.b"], &["lock.b"]),
        (&[], &[]),
        (&["states:read"], &["light.a", "light.b", "lock.b"]),
        (&["states:write:light.a", "states:read:lock.*"], &["light.a", "lock.b"]),
        (&["states:read:light.b"], &["light.b"]),
    ];
    for (turn, (scopes, audible)) in rows.iter().enumerate() {
        let change = json!({ "id": token.id, "scopes": scopes });
        server.operate("tokens.change", change).expect("the token lives");
        let state = turn.to_string();
        for entity_id in HOME {
            admin.ask(&format!(
                r#"{{"type":"states:create","entity_id":"{entity_id}","state":"{state}"}}"#
            ));
            let shown = plain.told();
            let got = plain.ask(&get(entity_id));
            let may = audible.contains(&entity_id);
            assert_eq!(got.contains(r#""success":true"#), may, "{scopes:?}: {got}");
            let expected = if may { vec![heard(entity_id, &state)] } else { vec![] };
            assert_eq!(shown, expected, "{scopes:?}");
            let picked = if entity_id == "light.b" { vec![] } else { expected };
            assert_eq!(filtered.told(), picked, "{scopes:?}, filtered");
        }
    }
    let error = server.operate("tokens.change", json!({ "id": "tok_999", "scopes": [] }));
    assert_eq!(error, Err("there is no live token tok_999".into()));
}

/// Scopes that are exchanged under a writer that does not wait, and all of them allow what it writes: it is heard to the
/// last, in order.
#[test]
fn what_is_allowed_by_the_old_scopes_and_the_new_is_heard() {
    const CHANGES: usize = 30;
    let server = Server::start();
    let scopes = [&["states:read:light.*"][..], &["states:read"], &["states:write:light.a"]];
    let token = server.token("user", scopes[0]);
    let mut reader = server.dial("/api/ws?since=now").bearer(&token.text).open();
    assert!(reader.text().starts_with(r#"{"type":"resumed","#));
    let mut blind = server.listener(&token);
    let mut writer = server.quiet_admin();
    // An atomic: one thread changes scopes, the other writes until that is done.
    let is_done = AtomicBool::new(false);
    let mut written = 0;
    thread::scope(|threads| {
        threads.spawn(|| {
            for turn in 1..=CHANGES {
                let change = json!({ "id": token.id, "scopes": scopes[turn % scopes.len()] });
                server.operate("tokens.change", change).expect("the token lives");
            }
            is_done.store(true, Ordering::SeqCst);
        });
        while !is_done.load(Ordering::SeqCst) {
            let some = written..written + 20;
            let create =
                |n| format!(r#"{{"type":"states:create","entity_id":"light.a","state":"{n}"}}"#);
            writer.send_bytes(&some.clone().flat_map(|n| text(&create(n))).collect::<Vec<_>>());
            some.for_each(|_| assert!(writer.text().contains(r#""success":true"#)));
            written += 20;
        }
    });
    for n in 0..written {
        let expected = heard("light.a", &n.to_string());
        blind.hears(&expected);
        let told = reader.text();
        assert_eq!(told.split(r#","cursor""#).next(), expected.strip_suffix('}'), "{told}");
    }
}

/// What waits for a slow reader when its scopes are exchanged is not written any more; nor is it skipped in silence.
#[test]
fn what_waits_when_scopes_are_exchanged_is_not_skipped() {
    let rows: &[(&str, &[&str], bool, bool)] = &[
        // How it comes, its scopes from then on, whether it is closed, and whether it is told the rest then.
        ("?since=now", &["states:read"], true, true),
        ("?since=now", &["states:fly"], true, false),
        ("", &["states:read"], true, false),
        ("", &["states:fly"], false, false),
    ];
    let server = Server::start();
    let mut writer = server.quiet_admin();
    let queued = || server.metric("bellwire_outbound_queued_bytes");
    let padding = "x".repeat(15_000);
    for (since, scopes, closes, goes_on) in rows {
        let token = server.token("user", &["states:read:lock.*"]);
        let dial = server.dial(&format!("/api/ws{since}")).bearer(&token.text);
        let mut slow = dial.receive_buffer(4 << 10).open();
        // It listens, then.
        slow.told();
        let mut written = 0;
        while queued() < 200e3 {
            let state = format!(
                r#""entity_id":"lock.n{written}","state":"on","attributes":{{"a":"{padding}"}}"#
            );
            let said = writer.ask(&format!(r#"{{"type":"states:create",{state}}}"#));
            assert!(said.contains(r#""success":true"#), "{said}");
            written += 1;
            assert!(written < 1_000, "nothing waits");
        }
        let change = json!({ "id": token.id, "scopes": scopes });
        server.operate("tokens.change", change).expect("the token lives");
        until("nothing waits but the rest of a frame", || queued() < 16e3);
        let mut told = match closes {
            true => {
                let (told, code) = slow.closed();
                assert_eq!(code, Some(4408), "{since} {scopes:?}");
                told
            }
            false => slow.told(),
        };
        told.retain(|text| text.contains("state_changed"));
        assert!(told.len() < written, "{since} {scopes:?}");
        if !since.is_empty() {
            let last = told.last().expect("the socket took some");
            let cursor = last.rsplit('"').nth(1).expect("a cursor");
            let path = format!("/api/ws?since={cursor}");
            let mut again = server.dial(&path).bearer(&token.text).open();
            let left = if *goes_on { written - told.len() } else { 0 };
            let resumed = again.text();
            assert!(resumed.ends_with(&format!(r#","replayed":{left}}}"#)), "{resumed}");
            told.extend((0..left).map(|_| again.text()));
            assert_eq!(again.told(), [""; 0]);
        }
        for (n, told) in told.iter().enumerate() {
            assert!(told.contains(&format!(r#""entity_id":"lock.n{n}","#)), "{n} is missing");
        }
    }
}

/// Who names no `states:` scope for a user may have forgotten it: that never gives all of them.
#[test]
fn a_users_token_is_not_widened_by_omission() {
    let why = "scopes: a user's token without any states: scope may read and write every state; \
               name one, or revoke it";
    /// A role, its scopes, those it is to have, and its rights to light.a, light.b, lock.b after
    /// that; where that is refused, those of before.
    type Row<'a> = (&'a str, &'a [&'a str], &'a [&'a str], Result<&'a str, &'a str>);
    let rows: &[Row<'_>] = &[
        ("user", &["states:read:light.*"], &[], Err("rr-")),
        ("user", &["states:read:light.*"], &["stations:staff"], Err("rr-")),
        ("user", &["states:write:light.a", "areas:read"], &["areas:read"], Err("w--")),
        ("user", &["states:read"], &[], Err("rrr")),
        ("user", &["states:write"], &[], Err("www")),
        ("user", &["states:fly"], &["statesx:read"], Err("---")),
        ("user", &["states:read:light.*"], &["states:write"], Ok("www")),
        ("user", &["states:read:light.*"], &["states:fly"], Ok("---")),
        ("user", &["states:read:light.*"], &["stations:staff", "states:read:lock.*"], Ok("--r")),
        ("user", &[], &["states:read:lock.b"], Ok("--r")),
        ("user", &["stations:staff"], &["states:read:light.*"], Ok("rr-")),
        ("user", &[], &["stations:staff"], Ok("www")),
        ("user", &["stations:staff"], &[], Ok("www")),
        ("admin", &["states:read:light.*"], &[], Ok("www")),
        ("client", &["states:read:light.*"], &["stations:staff"], Ok("---")),
        ("device", &["states:read:light.*"], &[], Ok("---")),
    ];
    let server = Server::start();
    let mut admin = furnish(&server);
    for (role, before, after, expected) in rows {
        let name = format!("{role} {before:?} {after:?}");
        let token = server.token(role, before);
        let mut live = server.listener(&token);
        let changed = server.operate("tokens.change", json!({ "id": token.id, "scopes": after }));
        let (Ok(rights) | Err(rights)) = expected;
        assert_eq!(changed.is_ok(), expected.is_ok(), "{name}: {changed:?}");
        assert_eq!(changed.err().as_deref().unwrap_or(why), why, "{name}");
        for entity_id in HOME {
            admin.ask(&format!(
                r#"{{"type":"states:create","entity_id":"{entity_id}","state":"on"}}"#
            ));
        }
        let audible = HOME.iter().zip(rights.chars()).filter(|(_, right)| *right != '-');
        let audible: Vec<String> = audible.map(|(id, _)| heard(id, "on")).collect();
        assert_eq!(live.told(), audible, "{name}");
        for client in [&mut live, &mut server.connect(&token)] {
            let now: String =
                (1..).zip(HOME).map(|(state_id, id)| right(client, id, state_id)).collect();
            assert_eq!(now, *rights, "{name}");
        }
    }
}

#[test]
fn a_revoked_token_hears_nothing_more() {
    let server = Server::start();
    let mut admin = furnish(&server);
    let (token, other) = (server.token("user", &[]), server.token("user", &[]));
    let mut doomed: Vec<Client> = (0..5).map(|_| server.connect(&token)).collect();
    doomed.push(server.dial("/api/ws?since=now").bearer(&token.text).open());
    doomed.push(server.dial(&format!("/api/ws?token={}", token.text)).open());
    assert!(doomed[5].text().starts_with(r#"{"type":"resumed","#));
    let mut survivor = server.connect(&other);
    for client in doomed.iter_mut().chain([&mut survivor]) {
        assert_eq!(client.told(), [""; 0]);
    }
    // Whoever is in the middle of a request is told no answer that he is not entitled to.
    doomed[0].send(&get("light.a"));
    doomed[0].text();
    let started = Instant::now();
    server.operate("tokens.revoke", json!({ "id": token.id })).expect("the token lives");
    admin.ask(r#"{"type":"states:create","entity_id":"light.a","state":"secret"}"#);
    for client in &mut doomed {
        client.send(&get("light.a"));
        client.refused("token revoked", 4401);
    }
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    survivor.hears(&heard("light.a", "secret"));
    // It does not come back, neither live nor as the bearer of a place.
    server.connect(&token).refused("token invalid, expired or revoked", 4401);
    server
        .dial("/api/ws?since=now")
        .bearer(&token.text)
        .open()
        .refused("token invalid, expired or revoked", 4401);
    let again = server.operate("tokens.revoke", json!({ "id": token.id }));
    assert_eq!(again, Err(format!("there is no live token {}", token.id)));
    let server = server.kill_and_restart();
    server.connect(&token).refused("token invalid, expired or revoked", 4401);
    assert!(server.connect(&other).ask(&get("light.a")).contains("secret"));
}

#[test]
fn a_token_that_expires_ends_its_connections() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let token = server.token_for("user", &["states:read:light.*"], 2);
    let started = Instant::now();
    let mut idle = server.connect(&token);
    let mut filtered = server.connect(&token);
    filtered.ask(r#"{"type":"subscribe_entities","entity_ids":[]}"#);
    idle.refused("token expired", 4401);
    filtered.refused("token expired", 4401);
    let lived = started.elapsed();
    assert!((1.0..4.0).contains(&lived.as_secs_f64()), "{lived:?}");
    server.connect(&token).refused("token invalid, expired or revoked", 4401);
    canary.sings();
}

#[test]
fn tokens_that_are_none() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let real = server.token("user", &["states:read:light.*"]);
    let forge = Forge::new(server.data(), &real);
    // The forger's tools work: with nothing changed, it is a good token.
    assert_eq!(right(&mut open(&server, &forge.token(&[], &[])), "lock.b", 1), '-');
    // What the row says counts, not what the token says of role and scopes.
    let promoted =
        forge.token(&[], &[("role", json!("admin")), ("scopes", json!(["states:write"]))]);
    assert_eq!(right(&mut open(&server, &promoted), "lock.b", 1), '-');
    // In a token it is good for nothing to name another key, as long as its own is right.
    let there = json!("http://127.0.0.1/k");
    let pointing = forge.token(&[("jku", there.clone()), ("x5u", there)], &[("nbf", json!(1))]);
    assert_eq!(right(&mut open(&server, &pointing), "lock.b", 1), '-');
    for role in ["system", "operator", "guest", "king"] {
        let named = forge.token(&[], &[("role", json!(role)), ("sub", json!("operator"))]);
        assert_eq!(right(&mut open(&server, &named), "lock.b", 1), '-');
    }
    // It may say that it lives for ever: its row says until when.
    let eternal = server.token_for("user", &[], 1);
    let eternal = Forge::new(server.data(), &eternal).token(&[], &[("exp", json!(i64::MAX))]);
    open(&server, &eternal).refused("token expired", 4401);
    canary.sings();
    assert!(!server.log().contains(&real.text), "tokens do not stand in logs");
}

fn open(server: &Server, token: &str) -> Client {
    server.dial("/api/ws").bearer(token).open()
}

#[test]
fn where_a_token_may_stand() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let good = server.token("admin", &[]).text;
    let (invalid, scheme) = (
        "token invalid, expired or revoked",
        "the Authorization header must be Bearer with a token",
    );
    let rows: &[(&str, &str, &str)] = &[
        ("", "Authorization: Bearer GOOD", ""),
        ("", "authorization: bearer GOOD", ""),
        ("", "Authorization: Bearer  GOOD", ""),
        ("?token=GOOD", "X: y", ""),
        ("?a=1&token=GOOD&since=now", "X: y", ""),
        ("?token=BAD", "Authorization: Bearer GOOD", ""),
        ("", "X: y", "authentication required"),
        ("?tok=GOOD", "X: y", "authentication required"),
        ("", "Authorization: Bearer BAD", invalid),
        ("?token=GOOD", "Authorization: Bearer BAD", invalid),
        ("?token=BAD&token=GOOD", "X: y", invalid),
        ("?token=", "X: y", invalid),
        ("", "Authorization: Bearer", scheme),
        ("", "Authorization: GOOD", scheme),
        ("", "Authorization: Basic dXNlcjpwYXNz", scheme),
        ("?auth=message", "Authorization: Basic dXNlcjpwYXNz", scheme),
        ("", "Authorization: Bearer GOOD\r\nAuthorization: Bearer GOOD", scheme),
    ];
    for (host, (query, header, error)) in (10..).zip(rows) {
        let fill = |text: &str| text.replace("GOOD", &good).replace("BAD", "e30.e30.e30");
        let path = fill(&format!("/api/ws{query}"));
        let mut client = server.dial(&path).from(host).header(&fill(header)).open();
        if error.is_empty() {
            let told = client.told();
            assert!(told.iter().all(|text| text.starts_with(r#"{"type":"resumed""#)), "{told:?}");
        } else {
            let told = format!(r#"{{"type":"error","success":false,"error":"{error}"}}"#);
            assert_eq!(client.closed(), (vec![told], Some(4401)), "{query} {header}");
        }
        canary.sings();
    }
    assert!(!server.log().contains(&good), "tokens do not stand in logs");
}

#[test]
fn a_token_in_the_first_message() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let Token { id, text: good } = server.token("admin", &[]);
    let auth = |token: &str| format!(r#"{{"type":"auth","token":"{token}"}}"#);
    let (good, bad) = (auth(&good), auth("none"));
    let open = |query: &str| server.dial(&format!("/api/ws?auth=message{query}")).open();
    let must = "the first message must be auth with a valid token";
    let rows: Vec<Vec<u8>> = vec![
        text(&bad),
        text(r#"{"type":"auth"}"#),
        text(r#"{"type":"auth","token":null}"#),
        text(&get("light.a")),
        text(r#"{"type":"ping"}"#),
        text("{"),
        text(""),
        frame(bellwire_wire::frame::Opcode::Binary, good.as_bytes()),
        // What follows a refusal is not looked at.
        [text(&bad), text(&good), text(&get("light.a"))].concat(),
        [text(&get("light.a")), text(&good)].concat(),
    ];
    for row in rows {
        let mut client = open("");
        // What happens meanwhile is not for this ear.
        canary.sings();
        client.send_bytes(&row);
        client.refused(must, 4401);
    }
    // Pipelined behind the credential, and with a place to begin.
    let mut client = open("&since=now");
    client.send_bytes(&[text(&good), text(&get("canary.bird")), text(&good)].concat());
    assert!(client.text().starts_with(r#"{"type":"resumed","cursor":""#));
    assert!(client.text().starts_with(r#"{"type":"states:get:response","success":true,"#));
    client.hears(r#"{"type":"error","success":false,"error":"Unknown message type"}"#);
    canary.sings();
    assert!(
        client.text().starts_with(r#"{"type":"state_changed","data":{"entity_id":"canary.bird","#)
    );
    server.operate("tokens.revoke", json!({ "id": id })).expect("the token lives");
    client.refused("token revoked", 4401);
    let mut late = open("");
    late.send(&good);
    late.refused("token invalid, expired or revoked", 4401);
}

/// The command as an operator types it.
#[test]
fn tokens_from_the_command_line() {
    let server = Server::start();
    let run = |arguments: &[&str]| {
        let output = bellwire()
            .arg("token")
            .args(arguments)
            .arg("--data")
            .arg(server.data())
            .output()
            .expect("the program starts");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let create = ["create", "--role", "user", "--scope", "states:read:light.*", "--ttl", "1h"];
    let (made, token) = run(&create);
    assert!(made && token.split('.').count() == 3, "{token}");
    let mut client = open(&server, &token);
    assert_eq!(client.ask(&get("light.a")), no("get", "State not found: light.a"));
    let (listed, list) = run(&["list"]);
    let expected = r#"{"id":"tok_1","role":"user","subject":null,"scopes":["states:read:light.*"],"session":false,"createdAt":""#;
    assert!(listed && list.starts_with(expected) && !list.contains(&token), "{list}");
    assert!(run(&["change", "tok_1", "--scope", "states:write"]).0);
    let wrote = client.ask(r#"{"type":"states:create","entity_id":"light.a","state":"on"}"#);
    assert!(wrote.starts_with(r#"{"type":"states:create:response","success":true,"#), "{wrote}");
    client.hears(&heard("light.a", "on"));
    assert!(run(&["revoke", "tok_1"]).0);
    client.refused("token revoked", 4401);
    for wrong in [
        &["create", "--role", "king", "--ttl", "1h"][..],
        &["create", "--role", "user", "--ttl", "0s"],
        &["create", "--role", "user", "--ttl", "1y"],
        &["create", "--role", "user", "--scope", "all"],
        &["change", "tok_1", "--scope", "states:write"],
        &["revoke", "tok_9"],
    ] {
        assert!(!run(wrong).0, "{wrong:?}");
    }
}
