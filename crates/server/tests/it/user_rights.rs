//! A user's rights change while they are connected: what each of their connections hears from then
//! on, and what a place from before is still good for.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::harness::{Canary, Client, Server, Token, USER_PASSWORD, read_response};

/// What becomes of a connection.
#[derive(Debug, Clone, Copy)]
enum Then<'a> {
    /// It goes on, and hears of these entities.
    Hears(&'a [&'a str]),
    /// It is told that its token was revoked, and closed.
    Ends,
}

use Then::{Ends, Hears};

fn create(entity_id: &str, state: &str) -> String {
    format!(r#"{{"type":"states:create","entity_id":"{entity_id}","state":"{state}"}}"#)
}

fn heard(entity_id: &str, state: &str) -> String {
    format!(
        r#"{{"type":"state_changed","data":{{"entity_id":"{entity_id}","new_state":{{"state":"{state}","attributes":{{}}}}}}}}"#
    )
}

const ALL: &[&str] = &["light.a", "light.b", "lock.b"];
const LIGHTS: &[&str] = &["light.a", "light.b"];

/// A user with connections of each kind: by session, by a token with the user's own scopes, and by
/// tokens with scopes of their own.
struct Home {
    server: Server,
    writer: Client,
    user_id: String,
    tokens: Vec<Token>,
}

impl Home {
    /// `own`: the roles and scopes of the tokens that have some of their own.
    fn new(role: &str, scopes: &[&str], own: &[(&str, &[&str])]) -> Home {
        let server = Server::start();
        let writer = server.quiet_admin();
        let user_id = server.user("jane", role, scopes);
        let session = server.sign_in("jane", USER_PASSWORD);
        let mut tokens =
            vec![Token { id: String::new(), text: session }, server.token_of(role, &user_id, &[])];
        tokens.extend(own.iter().map(|(role, scopes)| server.token_of(role, &user_id, scopes)));
        Home { server, writer, user_id, tokens }
    }

    /// Changes the user, over REST; `null` takes them away.
    fn change(&self, change: &Value) {
        let admin = self.server.token("admin", &[]).text;
        let path = format!("/api/users/{}", self.user_id);
        let ask = |method| self.server.ask(method, &path).bearer(&admin);
        if change.is_null() {
            ask("DELETE").expect(204);
        } else {
            ask("PATCH").json(change).expect(200);
        }
    }

    fn write(&mut self, state: &str) {
        for entity_id in ALL {
            let answer = self.writer.ask(&create(entity_id, state));
            assert!(answer.contains(r#""success":true"#), "{answer}");
        }
    }
}

/// A user, what changes, and what becomes of the connections by session, by a token with the user's
/// scopes, and by tokens with scopes of their own.
fn check(role: &str, scopes: &[&str], own: &[(&str, &[&str])], change: &Value, then: &[Then<'_>]) {
    let name = format!("{role} {scopes:?} {own:?} {change}");
    let mut home = Home::new(role, scopes, own);
    let mut canary = Canary::new(&home.server);
    let mut plain: Vec<Client> = home.tokens.iter().map(|t| home.server.listener(t)).collect();
    let subscribe =
        format!(r#"{{"type":"subscribe_entities","entity_ids":["{}"]}}"#, ALL.join("\",\""));
    let mut filtered: Vec<Client> = home.tokens.iter().map(|t| home.server.connect(t)).collect();
    filtered.iter_mut().for_each(|client| drop(client.ask(&subscribe)));
    home.change(change);
    home.write("secret");
    canary.sings();
    for (client, then) in plain.iter_mut().zip(then).chain(filtered.iter_mut().zip(then)) {
        match then {
            Ends => client.refused("token revoked", 4401),
            Hears(audible) => {
                let expected: Vec<_> = audible.iter().map(|id| heard(id, "secret")).collect();
                let mut told = client.told();
                told.retain(|event| !event.contains("canary.bird"));
                assert_eq!(told, expected, "{name}");
                for id in ALL {
                    let got = client.ask(&format!(r#"{{"type":"states:get","entity_id":"{id}"}}"#));
                    assert_eq!(got.contains("secret"), audible.contains(id), "{name}: {got}");
                }
            }
        }
    }
    for (token, then) in home.tokens.iter().zip(then) {
        let verified = home.server.ask("GET", "/api/auth/verify").bearer(&token.text).send();
        let status = if matches!(then, Ends) { 401 } else { 200 };
        assert_eq!(verified.status, status, "{name}: {verified:?}");
    }
    canary.sings();
}

#[test]
fn other_scopes_count_at_once_for_those_who_have_the_users() {
    let lights = &["states:read:light.*"][..];
    let own: &[(&str, &[&str])] = &[("user", &["states:read:light.a"])];
    let a = Hears(&["light.a"]);
    let locks = json!({ "scopes": ["states:read:lock.*"] });
    check("user", lights, own, &locks, &[Hears(&["lock.b"]), Hears(&["lock.b"]), a]);
    let all = json!({ "scopes": ["states:read"] });
    check("user", lights, own, &all, &[Hears(ALL), Hears(ALL), a]);
    let none = json!({ "scopes": ["states:fly"] });
    check("user", lights, own, &none, &[Hears(&[]), Hears(&[]), a]);
    let names =
        json!({ "username": "Jane Doe", "login": "jane2", "kind": "client", "email": "a@b" });
    check("user", lights, own, &names, &[Hears(LIGHTS), Hears(LIGHTS), a]);
    check("user", lights, own, &json!({ "disabled": false }), &[Hears(LIGHTS), Hears(LIGHTS), a]);
}

#[test]
fn another_role_counts_at_once_for_every_token() {
    let own: &[(&str, &[&str])] =
        &[("admin", &["states:read:light.a"]), ("user", &["states:read:light.b"])];
    let (a, b) = (Hears(&["light.a"]), Hears(&["light.b"]));
    let demoted = json!({ "role": "user", "scopes": ["states:read:lock.*"] });
    check("admin", &[], own, &demoted, &[Hears(&["lock.b"]), Hears(&["lock.b"]), a, b]);
    let plainly = json!({ "role": "user" });
    check("admin", &[], own, &plainly, &[Hears(ALL), Hears(ALL), a, b]);
    let own: &[(&str, &[&str])] = &[("user", &["states:read:light.a"])];
    let promoted = json!({ "role": "admin" });
    check("user", &["states:fly"], own, &promoted, &[Hears(ALL), Hears(ALL), a]);
}

#[test]
fn who_is_shut_out_or_gone_hears_nothing_more() {
    let own: &[(&str, &[&str])] = &[("user", &["states:read:light.a"])];
    let lights = &["states:read:light.*"][..];
    let a = Hears(&["light.a"]);
    check("user", lights, own, &json!({ "disabled": true }), &[Ends, Ends, Ends]);
    check("admin", &[], own, &json!({ "disabled": true }), &[Ends, Ends, Ends]);
    check("user", lights, own, &Value::Null, &[Ends, Ends, Ends]);
    let both = json!({ "disabled": true, "scopes": ["states:read"], "password": "another one" });
    check("user", lights, own, &both, &[Ends, Ends, Ends]);
    // Another password ends what was begun with the old one.
    let password = json!({ "password": "another one" });
    check("user", lights, own, &password, &[Ends, Hears(LIGHTS), a]);
    let both = json!({ "password": "another one", "scopes": ["states:read:lock.*"] });
    check("user", lights, own, &both, &[Ends, Hears(&["lock.b"]), a]);
}

#[test]
fn a_command_on_its_way_is_not_run_with_rights_that_are_gone() {
    let home = Home::new("user", &[], &[]);
    let mut client = home.server.listener(&home.tokens[0]);
    home.change(&json!({ "scopes": ["states:read"] }));
    let said = client.ask(&create("light.a", "x"));
    assert_eq!(said, r#"{"type":"states:create:response","success":false,"error":"Forbidden"}"#);
    let ask = || home.server.ask("GET", "/api/users").bearer(&home.tokens[0].text);
    ask().refused(403, "FORBIDDEN");
    home.change(&json!({ "role": "admin" }));
    ask().expect(200);
    assert!(client.ask(&create("light.a", "x")).contains(r#""success":true"#));
    home.change(&json!({ "role": "user" }));
    ask().refused(403, "FORBIDDEN");
}

/// A request takes time; its caller may be shut out before it is whole.
#[test]
fn a_request_on_its_way_is_refused_when_its_caller_is_gone() {
    let changes = [
        (json!({ "disabled": true }), 401),
        (Value::Null, 401),
        (json!({ "password": "another one" }), 401),
        (json!({ "scopes": ["states:read"] }), 403),
    ];
    for (change, status) in changes {
        let home = Home::new("user", &[], &[]);
        let mut stream = home.server.dial("/").tcp();
        let head = format!(
            "POST /api/states/light.a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: 14\r\nConnection: close\r\n\
             Expect: 100-continue\r\n\r\n",
            home.tokens[0].text
        );
        stream.write_all(head.as_bytes()).expect("the server takes it");
        // The server asks for the body once it knows whose request it is.
        let (interim, _) = read_response(&mut stream);
        assert_eq!(interim.status, 100);
        home.change(&change);
        stream.write_all(br#"{"state":"on"}"#).expect("the server takes it");
        let (response, _) = read_response(&mut stream);
        assert_eq!(response.status, status, "{change}: {response:?}");
        let admin = home.server.token("admin", &[]).text;
        home.server.ask("GET", "/api/states/light.a").bearer(&admin).refused(404, "NOT_FOUND");
    }
}

#[test]
fn ones_own_password_ends_the_other_sessions_only() {
    let home = Home::new("user", &[], &[("user", &["states:read:light.a"])]);
    let Home { server, tokens, .. } = &home;
    let other = Token { id: String::new(), text: server.sign_in("JANE", USER_PASSWORD) };
    let mut ended = server.listener(&other);
    let mut kept: Vec<Client> = tokens.iter().map(|token| server.listener(token)).collect();
    let change = |token: &str, old: &str, new: &str| {
        let body = json!({ "password": old, "newPassword": new });
        server.ask("POST", "/api/auth/password").bearer(token).json(&body)
    };
    let own = &tokens[0].text;
    change(own, "wrong one", "another one").refused(403, "FORBIDDEN");
    change(own, USER_PASSWORD, "short").refused(422, "INVALID");
    change(own, USER_PASSWORD, &"x".repeat(257)).refused(422, "INVALID");
    for token in
        [server.token("user", &[]), server.token("client", &[]), server.token("admin", &[])]
    {
        change(&token.text, USER_PASSWORD, "another one").refused(403, "FORBIDDEN");
    }
    change(own, USER_PASSWORD, "another one").expect(204);
    ended.refused("token revoked", 4401);
    for client in &mut kept {
        assert_eq!(client.told(), [""; 0]);
    }
    let sign_in = |password: &str| {
        let body = json!({ "username": "jane", "password": password });
        server.ask("POST", "/api/auth/login").json(&body)
    };
    sign_in(USER_PASSWORD).refused(401, "UNAUTHENTICATED");
    sign_in("another one").expect(200);
    server.ask("POST", "/api/auth/refresh").bearer(own).expect(200);
}

/// A user who comes back with a place from before: the changes in between, what is written before each
/// and after the last, and what the session is told of.
fn check_replay(role: &str, scopes: &[&str], changes: &[Value], expected: &[&str]) {
    let mut home = Home::new(role, scopes, &[]);
    let dial = |home: &Home, token: &str, since: &str| {
        home.server.dial(&format!("/api/ws?since={since}")).bearer(token).open()
    };
    let resumed = dial(&home, &home.tokens[0].text, "now").text();
    let cursor = resumed.split('"').nth(7).expect("a cursor").to_owned();
    for (turn, change) in changes.iter().enumerate() {
        home.write(&turn.to_string());
        home.change(change);
        if change.is_null() {
            home.user_id = home.server.user("jane", role, scopes);
        }
    }
    home.write(&changes.len().to_string());
    let session = home.server.sign_in("jane", USER_PASSWORD);
    let token = home.server.token_of(
        if changes.last().is_some_and(|change| change["role"] == "admin") { "admin" } else { role },
        &home.user_id,
        &[],
    );
    for text in [&session, &token.text] {
        let mut client = dial(&home, text, &cursor);
        let frame = client.text();
        let replayed = format!(r#","replayed":{}}}"#, expected.len());
        assert!(frame.ends_with(&replayed), "{changes:?}: {frame}");
        let told: Vec<String> = client.told();
        let told: Vec<&str> =
            told.iter().filter_map(|event| event.split(r#","cursor""#).next()).collect();
        let row = |row: &&str| {
            let (entity_id, state) = row.split_once(' ').expect("two words");
            heard(entity_id, state).strip_suffix('}').expect("an object").to_owned()
        };
        assert_eq!(told, expected.iter().map(row).collect::<Vec<_>>(), "{changes:?}");
    }
}

#[test]
fn a_place_is_good_for_what_ones_rights_were_then_and_are_now() {
    let lights = &["states:read:light.*"][..];
    let all = json!({ "scopes": ["states:read"] });
    let (out, back) = (json!({ "disabled": true }), json!({ "disabled": false }));
    check_replay("user", lights, &[], &["light.a 0", "light.b 0"]);
    let since_then = ["light.a 1", "light.b 1", "lock.b 1"];
    let with_those = ["light.a 0", "light.b 0", "light.a 1", "light.b 1", "lock.b 1"];
    check_replay("user", lights, &[all], &with_those);
    let narrowed = json!({ "scopes": ["states:read:light.a"] });
    check_replay("user", lights, std::slice::from_ref(&narrowed), &["light.a 0", "light.a 1"]);
    // What could be read when it happened and can be again, and never what could not.
    check_replay(
        "user",
        lights,
        &[narrowed.clone(), json!({ "scopes": lights })],
        &["light.a 0", "light.b 0", "light.a 1", "light.a 2", "light.b 2"],
    );
    let locks = json!({ "scopes": ["states:read:lock.*"] });
    check_replay(
        "user",
        lights,
        &[locks.clone(), json!({ "scopes": ["states:read"] })],
        &["light.a 0", "light.b 0", "lock.b 1", "light.a 2", "light.b 2", "lock.b 2"],
    );
    check_replay(
        "user",
        lights,
        &[narrowed, locks, json!({ "scopes": ["states:read:light.b"] })],
        &["light.b 0", "light.b 3"],
    );
    check_replay("user", &["states:fly"], &[json!({ "role": "admin" })], &since_then);
    // Who was shut out is told nothing of that time, though the rights are the same again.
    check_replay("user", lights, &[out.clone(), back.clone()], &["light.a 2", "light.b 2"]);
    let back_with_more =
        json!({ "disabled": false, "scopes": ["states:read:light.*", "states:read:lock.b"] });
    check_replay("user", lights, &[out, back_with_more], &["light.a 2", "light.b 2", "lock.b 2"]);
    check_replay("user", lights, &[Value::Null], &["light.a 1", "light.b 1"]);
    check_replay(
        "user",
        lights,
        &[json!({ "username": "Jane" })],
        &["light.a 0", "light.b 0", "light.a 1", "light.b 1"],
    );
}

/// What is made for somebody who is shut out would come to life with them.
#[test]
fn no_token_is_made_for_somebody_who_is_shut_out() {
    let home = Home::new("user", &[], &[]);
    home.change(&json!({ "disabled": true }));
    for scopes in [&[][..], &["states:read"]] {
        let request =
            json!({ "role": "user", "subject": home.user_id, "scopes": scopes, "ttl": 3_600 });
        let refused = home.server.operate("tokens.create", request);
        assert!(refused.is_err_and(|why| why.starts_with("subject: ")));
    }
    home.server
        .ask("POST", "/api/auth/login")
        .json(&json!({ "username": "jane", "password": USER_PASSWORD }))
        .refused(401, "UNAUTHENTICATED");
}
