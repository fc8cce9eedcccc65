//! Users as an admin keeps them: the first one, who may look at and change them, what their fields
//! may be, and that somebody is always left who can.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Canary, Server, USER_PASSWORD};

/// A server, and the text of an admin's token.
fn house() -> (Server, String) {
    let server = Server::start();
    let admin = server.token("admin", &[]).text;
    (server, admin)
}

/// Whether any file below a directory holds these bytes.
pub fn is_kept(directory: &std::path::Path, text: &str) -> bool {
    fs::read_dir(directory).expect("a directory").any(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            return is_kept(&path, text);
        }
        // A socket is no file, and holds nothing.
        let bytes = fs::read(&path).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[test]
fn the_first_start_makes_one_admin() {
    let server = Server::start();
    let password = server.admin_password();
    let sign_in = |server: &Server, from: u8| {
        let body = json!({ "username": "admin", "password": password });
        server.ask("POST", "/api/auth/login").from(from).json(&body).expect(200)
    };
    let session = sign_in(&server, 1);
    assert_eq!(session["user"]["role"], "admin", "{session}");
    let token = session["token"].as_str().expect("a token").to_owned();
    let users = server.ask("GET", "/api/users").bearer(&token).expect(200);
    let users = users["items"].as_array().expect("a list").clone();
    assert_eq!(users.len(), 1, "{users:?}");
    assert_eq!((&users[0]["login"], &users[0]["role"]), (&json!("admin"), &json!("admin")));
    // It was said once, and is kept nowhere: only its hash is.
    let told = |server: &Server| server.log().matches(&password).count();
    assert_eq!(told(&server), 1, "{}", server.log());
    for secret in [&password, &token] {
        assert!(!is_kept(server.data(), secret), "{secret} is kept");
    }
    assert!(is_kept(server.data(), "$argon2id$v=19$m=19456,t=2,p=1$"));

    let server = server.kill_and_restart();
    sign_in(&server, 2);
    let log = server.guide();
    assert!(!log.contains("An admin was made") && told(&server) == 0, "{log}");
    let users = server.ask("GET", "/api/users").bearer(&token).expect(200);
    assert_eq!(users["items"].as_array().map(Vec::len), Some(1), "{users}");
}

#[test]
fn only_admins_look_at_and_change_users() {
    let (server, admin) = house();
    let mut canary = Canary::new(&server);
    let jane = server.user("jane", "user", &[]);
    let path = format!("/api/users/{jane}");
    let bodies = json!({ "username": "mike", "scopes": ["states:read"] });
    let rows: &[(&str, &str, u16)] = &[
        ("GET", "/api/users", 200),
        ("GET", &path, 200),
        ("POST", "/api/users", 201),
        ("PATCH", &path, 200),
        ("DELETE", &path, 204),
        ("GET", "/api/tokens", 200),
        ("GET", "/api/tokens/tok_1", 200),
        ("PATCH", "/api/tokens/tok_1", 200),
        ("POST", "/api/tokens", 422),
        ("DELETE", "/api/tokens/tok_999", 404),
    ];
    let session = server.sign_in("jane", USER_PASSWORD);
    let mut others = vec![session, server.token_of("user", &jane, &["states:write"]).text];
    for role in ["user", "client", "device"] {
        others.push(server.token(role, &["states:write", "users:write", "tokens:write"]).text);
    }
    let before = server.ask("GET", "/api/users").bearer(&admin).expect(200);
    for (method, path, _) in rows {
        for token in &others {
            let ask = server.ask(method, path).json(&bodies);
            ask.clone().bearer(token).refused(403, "FORBIDDEN");
            ask.cookie(token).refused(403, "FORBIDDEN");
        }
        let refused = server.ask(method, path).json(&bodies).refused(401, "UNAUTHENTICATED");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"bellwire\""));
    }
    assert_eq!(server.ask("GET", "/api/users").bearer(&admin).expect(200), before);
    // Neither does a socket offer it, whoever asks.
    for mut client in [server.connect(&server.token("user", &[])), server.admin()] {
        let said = client.ask(r#"{"type":"users.create","username":"eve","role":"admin"}"#);
        assert_eq!(said, r#"{"type":"error","success":false,"error":"Unknown message type"}"#);
    }
    for (method, path, status) in rows {
        let response = server.ask(method, path).bearer(&admin).json(&bodies).send();
        assert_eq!(response.status, *status, "{method} {path}: {response:?}");
    }
    canary.sings();
}

#[test]
fn a_user_from_making_to_taking_away() {
    let (server, admin) = house();
    let ask = |method: &str, path: &str| server.ask(method, path).bearer(&admin);
    let new = json!({
        "username": "Sara Cleaner", "login": "Sara", "password": "12345678", "kind": "houseworker",
        "email": "sara@example.com", "scopes": ["stations:staff"], "disabled": true, "userId": "7",
    });
    let made = ask("POST", "/api/users").json(&new).send();
    let sara = made.json();
    let id = sara["userId"].as_str().expect("an id").to_owned();
    let path = format!("/api/users/{id}");
    assert_eq!((made.status, made.header("location")), (201, Some(&*path)));
    let keys: Vec<&String> = sara.as_object().expect("an object").keys().collect();
    let expected = [
        "userId",
        "username",
        "login",
        "role",
        "kind",
        "email",
        "picture",
        "scopes",
        "disabled",
        "createdAt",
        "updatedAt",
    ];
    assert_eq!(keys, expected);
    assert_eq!(
        (&sara["login"], &sara["role"], &sara["disabled"]),
        (&json!("sara"), &json!("user"), &json!(false)),
        "who is new is not shut out"
    );
    let seen = ask("GET", &path).send();
    assert_eq!(seen.json(), sara);
    let tag = seen.header("etag").expect("a version").to_owned();
    let changed = ask("PATCH", &path).header(&format!("If-Match: {tag}"));
    let changed = changed.json(&json!({ "kind": null, "email": null, "userId": "1" })).expect(200);
    assert_eq!(
        (&changed["userId"], &changed["kind"], &changed["email"], &changed["username"]),
        (&json!(id), &Value::Null, &Value::Null, &json!("Sara Cleaner"))
    );
    ask("PATCH", &path)
        .header(&format!("If-Match: {tag}"))
        .json(&json!({}))
        .refused(412, "PRECONDITION_FAILED");
    assert_eq!(ask("PATCH", &path).expect(200)["updatedAt"], changed["updatedAt"]);
    let post = || ask("POST", "/api/users").header("Idempotency-Key: once");
    let twin = json!({ "username": "twin", "password": "12345678" });
    assert_eq!(post().json(&twin).expect(201), post().json(&twin).expect(201));
    let other = json!({ "username": "twin", "password": "12345679" });
    post().json(&other).refused(409, "CONFLICT");
    ask("DELETE", &path).expect(204);
    for method in ["GET", "PATCH", "DELETE"] {
        ask(method, &path).refused(404, "NOT_FOUND");
        for id in ["0", "-1", "01", "9007199254740993", "9223372036854775808", "x", "%00", "1%2f2"]
        {
            ask(method, &format!("/api/users/{id}")).refused(404, "NOT_FOUND");
        }
    }
}

/// A field, values that a user may have there, and values that are refused.
type Field = (&'static str, Vec<Value>, Vec<Value>);

fn x(len: usize) -> Value {
    json!("x".repeat(len))
}

/// What is wrong for every field that is a text, and these.
fn wrong(more: &[Value]) -> Vec<Value> {
    let always = [json!(1), json!(true), json!([]), json!({}), json!(""), json!(" ")];
    [&always[..], more].concat()
}

fn names() -> Vec<Field> {
    let e = |len: usize| json!("\u{e9}".repeat(len));
    // Right-to-left, and with a joiner of no width that Persian spelling needs.
    let hebrew = json!("\u{5e9}\u{5dc}\u{5d5}\u{5dd}");
    let persian = json!("\u{646}\u{645}\u{6cc}\u{200c}\u{62e}\u{648}");
    let username = vec![x(1), x(128), e(128), hebrew, persian, json!("<b>&\"'"), json!("a b")];
    let controls = ["a\tb", "a\nb", "a\u{7f}", "a\u{85}b", " a", "a ", "\u{3000}"];
    let controls = controls.map(|text| json!(text));
    let no_username = wrong(&[&[Value::Null, x(129), e(129)][..], &controls].concat());
    let no_login = ["a b", "\u{e9}", "a\n", "a/b", "\u{430}dmin", "a:b", "a\u{202e}b"];
    let no_login = no_login.map(|text| json!(text));
    vec![
        ("username", username, no_username),
        (
            "login",
            vec![x(1), x(64), json!("a.b_c@d+e-f"), json!("0")],
            wrong(&[&[Value::Null, x(65)][..], &no_login].concat()),
        ),
        (
            "password",
            vec![x(8), x(256), e(8), e(128), json!("        "), json!("a\nb\tc d ")],
            vec![x(7), x(257), e(7), e(129), json!(12_345_678), json!(""), json!(["12345678"])],
        ),
        (
            "email",
            vec![Value::Null, json!("a@b"), json!(format!("{}@b.example", "x".repeat(118)))],
            wrong(&[
                json!("ab"),
                json!("a@b\n"),
                json!(" a@b"),
                json!("a@b\u{7f}"),
                json!(format!("{}@b.example", "x".repeat(119))),
            ]),
        ),
    ]
}

fn rights() -> Vec<Field> {
    let scope = |len: usize| json!([format!("a:b:{}", "x".repeat(len - 4))]);
    let texts = ["", "states", "States:read", "states:read:", "states:read:a b", ":read", "a::b"];
    let mut no_scopes: Vec<Value> = texts.iter().map(|text| json!([text])).collect();
    no_scopes.extend([Value::Null, json!("states:read"), json!([1]), json!([null]), json!({})]);
    no_scopes.extend([scope(301), json!(vec!["states:read"; 1_001])]);
    let no_role = ["client", "device", "system", "guest", "Admin"].map(|text| json!(text));
    vec![
        (
            "role",
            vec![json!("admin"), json!("user")],
            wrong(&[&[Value::Null][..], &no_role].concat()),
        ),
        (
            "kind",
            vec![Value::Null, json!("client"), json!("houseworker")],
            wrong(&[json!("Client"), json!("admin")]),
        ),
        (
            "scopes",
            vec![
                json!([]),
                json!(["states:read:light.*"]),
                scope(300),
                json!(vec!["states:read"; 1_000]),
            ],
            no_scopes,
        ),
    ]
}

#[test]
fn what_the_fields_of_a_user_may_be() {
    let (server, admin) = house();
    let mut canary = Canary::new(&server);
    let ask = |method: &str, path: &str| server.ask(method, path).bearer(&admin);
    let target = format!("/api/users/{}", server.user("target", "user", &[]));
    let mut turn = 0;
    for (field, good, bad) in names().into_iter().chain(rights()) {
        let mut new = |value: &Value| {
            turn += 1;
            let mut body =
                json!({ "username": format!("user {turn}"), "login": format!("u{turn}") });
            body[field] = value.clone();
            ask("POST", "/api/users").json(&body)
        };
        for value in &good {
            let made = new(value).expect(201);
            if field != "password" {
                assert_eq!(made[field], *value);
            }
            assert!(made.get("password").is_none(), "{made}");
            let path = format!("/api/users/{}", made["userId"].as_str().expect("an id"));
            ask("DELETE", &path).expect(204);
            ask("PATCH", &target).json(&json!({ field: value })).expect(200);
        }
        let before = ask("GET", &target).expect(200);
        for value in &bad {
            let refused = new(value).refused(422, "INVALID");
            let detail = refused.json()["detail"].as_str().expect("words").to_owned();
            assert!(detail.starts_with(field), "{field} {value}: {detail}");
            ask("PATCH", &target).json(&json!({ field: value })).refused(422, "INVALID");
        }
        assert_eq!(ask("GET", &target).expect(200), before, "{field}");
        canary.sings();
    }
    for disabled in [json!(null), json!(1), json!("true")] {
        ask("PATCH", &target).json(&json!({ "disabled": disabled })).refused(422, "INVALID");
    }
    // What nobody can sign in with needs a login beside it; what is missing is named.
    ask("POST", "/api/users").json(&json!({ "username": "J\u{fc}rgen" })).refused(422, "INVALID");
    ask("POST", "/api/users").json(&json!({ "login": "jane" })).refused(422, "INVALID");
    ask("POST", "/api/users").refused(422, "INVALID");
}

#[test]
fn what_the_fields_of_a_token_may_be() {
    let (server, admin) = house();
    let jane = server.user("jane", "user", &[]);
    let boss = server.user("boss", "admin", &[]);
    let post = |body: &Value| server.ask("POST", "/api/tokens").bearer(&admin).json(body);
    let s = |len: usize| "x".repeat(len);
    let good = [
        json!({ "role": "user", "ttl": 1 }),
        json!({ "role": "admin", "ttl": 316_224_000 }),
        json!({ "role": "client", "ttl": 1 }),
        json!({ "role": "device", "ttl": 1, "subject": s(1) }),
        json!({ "role": "device", "ttl": 1, "subject": s(128) }),
        json!({ "role": "user", "ttl": 1, "subject": jane }),
        json!({ "role": "user", "ttl": 1, "subject": boss, "scopes": ["a:b"] }),
        json!({ "role": "admin", "ttl": 1, "subject": boss }),
    ];
    for body in &good {
        let made = post(body).send();
        let token = made.json();
        assert_eq!((made.status, &token["role"]), (201, &body["role"]), "{made:?}");
        let path = format!("/api/tokens/{}", token["id"].as_str().expect("an id"));
        assert_eq!(made.header("location"), Some(&*path));
        let shown = server.ask("GET", &path).bearer(&admin).expect(200);
        assert!(shown.get("token").is_none(), "{shown}");
    }
    let (id, big) = (json!(1), json!(i64::MAX));
    let bad = [
        (
            "role",
            vec![json!("system"), json!("guest"), json!("ticket"), json!("Admin"), Value::Null],
        ),
        (
            "ttl",
            vec![
                json!(0),
                json!(-1),
                json!(316_224_001),
                big,
                json!(1.5),
                json!("60"),
                Value::Null,
            ],
        ),
        (
            "subject",
            vec![
                json!(""),
                json!(s(129)),
                id,
                json!("999"),
                json!("0"),
                json!("01"),
                json!(" 1"),
                json!("user/1"),
                json!("jane"),
            ],
        ),
        ("scopes", vec![Value::Null, json!("a:b"), json!(["a"]), json!(vec!["a:b"; 1_001])]),
    ];
    for (field, values) in bad {
        for value in values {
            let mut body = json!({ "role": "user", "ttl": 60, "subject": jane });
            body[field] = value.clone();
            let detail = post(&body).refused(422, "INVALID").json()["detail"].to_string();
            assert!(detail.starts_with(&format!("\"{field}")), "{field} {value}: {detail}");
        }
    }
    post(&json!({ "role": "admin", "ttl": 60, "subject": jane })).refused(422, "INVALID");
}

#[test]
fn a_login_is_one_persons() {
    let (server, admin) = house();
    let post = |body: Value| server.ask("POST", "/api/users").bearer(&admin).json(&body);
    let jane = post(json!({ "username": "Jane", "password": "12345678" })).expect(201);
    assert_eq!((&jane["username"], &jane["login"]), (&json!("Jane"), &json!("jane")));
    for login in ["jane", "JANE", "jAnE", "Admin"] {
        post(json!({ "username": "other", "login": login })).refused(409, "CONFLICT");
        post(json!({ "username": login })).refused(409, "CONFLICT");
    }
    let namesake = post(json!({ "username": "Jane", "login": "jane2" })).expect(201);
    let path = |user: &Value| format!("/api/users/{}", user["userId"].as_str().expect("an id"));
    let patch = |user: &Value, login: &str| {
        let ask = server.ask("PATCH", &path(user)).bearer(&admin);
        ask.json(&json!({ "login": login }))
    };
    patch(&namesake, "JANE").refused(409, "CONFLICT");
    assert_eq!(patch(&jane, "JANE").expect(200)["login"], "jane", "one's own is free");
    for username in ["jane", "JANE"] {
        server.sign_in(username, "12345678");
    }
    patch(&jane, "jane3").expect(200);
    patch(&namesake, "jane").expect(200);
    // Made and taken at once, one gets it.
    let made: Vec<u16> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| post(json!({ "username": "race" })).send().status))
            .collect();
        all.into_iter().map(|one| one.join().expect("it is answered")).collect()
    });
    assert_eq!(made.iter().filter(|status| **status == 201).count(), 1, "{made:?}");
    assert!(made.iter().all(|status| matches!(status, 201 | 409)), "{made:?}");
}

#[test]
fn somebody_is_left_who_can_sign_in_and_do_everything() {
    let (server, token) = house();
    let patch = |id: &str, body: Value| {
        server.ask("PATCH", &format!("/api/users/{id}")).bearer(&token).json(&body)
    };
    let delete = |id: &str| server.ask("DELETE", &format!("/api/users/{id}")).bearer(&token);
    let users = server.ask("GET", "/api/users").bearer(&token).expect(200);
    let first = users["items"][0]["userId"].as_str().expect("an id").to_owned();
    let is_last = |id: &str| {
        patch(id, json!({ "role": "user" })).refused(409, "CONFLICT");
        patch(id, json!({ "disabled": true })).refused(409, "CONFLICT");
        patch(id, json!({ "role": "user", "disabled": true })).refused(409, "CONFLICT");
        delete(id).refused(409, "CONFLICT");
    };
    is_last(&first);
    // Neither somebody without a password nor somebody shut out counts.
    let silent = json!({ "username": "silent", "role": "admin" });
    let silent = server.ask("POST", "/api/users").bearer(&token).json(&silent).expect(201);
    let out = server.user("out", "admin", &[]);
    patch(&out, json!({ "disabled": true })).expect(200);
    is_last(&first);
    patch(&first, json!({ "username": "root", "scopes": ["a:b"], "disabled": false })).expect(200);
    delete(silent["userId"].as_str().expect("an id")).expect(204);
    patch(&out, json!({ "disabled": false })).expect(200);
    patch(&first, json!({ "role": "user" })).expect(200);
    is_last(&out);
    delete(&first).expect(204);
    is_last(&out);
    server.sign_in("out", USER_PASSWORD);
    // Two that take each other's place at once: one stays.
    let other = server.user("other", "admin", &[]);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let all = [&out, &other].map(|id| scope.spawn(|| delete(id).send().status));
        all.map(|one| one.join().expect("it is answered")).into()
    });
    assert!(statuses.contains(&204) && statuses.contains(&409), "{statuses:?}");
}
