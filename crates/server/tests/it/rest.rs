//! REST: states, and the rules that hold for every route.

use serde_json::{Value, json};

use crate::harness::{Ask, Response, Server};

/// A server, and the text of an admin's token.
fn house() -> (Server, String) {
    let server = Server::start();
    let admin = server.token("admin", &[]).text;
    (server, admin)
}

#[test]
fn states_as_home_assistant_has_them() {
    let (server, admin) = house();
    let ask = |method: &str, path: &str| server.ask(method, path).bearer(&admin);
    let state = |text: &str| json!({ "state": text, "attributes": { "unit": "lx" } });
    let mut reader = server.listener(&server.token("user", &["states:read:light.*"]));

    let made = ask("POST", "/api/states/light.hall").json(&state("on")).send();
    assert_eq!(
        (made.status, made.header("location")),
        (201, Some("/api/states/light.hall")),
        "{made:?}"
    );
    let row = made.json();
    assert_eq!(
        (&row["state_id"], &row["entity_id"], &row["state"], &row["attributes"]),
        (&json!(1), &json!("light.hall"), &json!("on"), &json!({ "unit": "lx" }))
    );
    let changed = ask("POST", "/api/states/light.hall").json(&state("off")).send();
    assert_eq!((changed.status, changed.header("location")), (200, None), "{changed:?}");
    let row = changed.json();
    assert_eq!(ask("GET", "/api/states/light.hall").expect(200), row);
    assert_eq!(ask("GET", "/api/states/light.hall/").expect(200), row);
    assert_eq!(ask("GET", "/api/states/by-id/2").expect(200), row);
    let one = ask("PATCH", "/api/states/by-id/2").json(&json!({ "state": "dim" })).expect(200);
    assert_eq!((&one["state"], &one["attributes"]), (&json!("dim"), &json!({ "unit": "lx" })));
    assert_eq!(ask("DELETE", "/api/states/by-id/2").expect(204), Value::Null);
    assert_eq!(ask("GET", "/api/states/light.hall").expect(200)["state"], "on");
    assert_eq!(ask("DELETE", "/api/states/light.hall").expect(204), Value::Null);
    ask("GET", "/api/states/light.hall").refused(404, "NOT_FOUND");
    ask("DELETE", "/api/states/light.hall").refused(404, "NOT_FOUND");
    ask("GET", "/api/states/by-id/1").refused(404, "NOT_FOUND");

    // Each change was told once, to whom it concerns.
    let told = reader.told();
    let told: Vec<Value> =
        told.iter().map(|text| serde_json::from_str(text).expect("frames are JSON")).collect();
    let states: Vec<&Value> =
        told.iter().map(|frame| &frame["data"]["new_state"]["state"]).collect();
    assert_eq!(states, [&json!("on"), &json!("off"), &json!("dim"), &json!("on"), &Value::Null]);
}

#[test]
fn lists_come_in_pages() {
    let (server, admin) = house();
    let ask = |path: &str| server.ask("GET", path).bearer(&admin);
    let names = ["light.a", "light.b", "light.c", "lock.a", "sensor.z"];
    for name in names {
        for state in ["0", "1"] {
            let path = format!("/api/states/{name}");
            server.ask("POST", &path).bearer(&admin).json(&json!({ "state": state })).send();
        }
    }
    let ids = |page: &Value, key: &str| -> Vec<String> {
        let items = page["items"].as_array().expect("a page has items");
        items.iter().map(|item| item[key].as_str().expect("a text").to_owned()).collect()
    };
    let whole = ask("/api/states").expect(200);
    assert_eq!(
        (ids(&whole, "entity_id"), &whole["next"]),
        (names.map(String::from).to_vec(), &Value::Null)
    );
    for limit in 1..=6 {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = ask(&format!("/api/states?limit={limit}{cursor}")).expect(200);
            let items = ids(&page, "entity_id");
            assert!(items.len() <= limit, "{page}");
            found.extend(items);
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(found, names, "limit {limit}");
    }
    let history = ask("/api/states/lock.a/history").expect(200);
    assert_eq!(ids(&history, "state"), ["1", "0"]);
    let page = ask("/api/states/lock.a/history?limit=1").expect(200);
    let next = page["next"].as_str().expect("there is more");
    let rest = ask(&format!("/api/states/lock.a/history?limit=1&cursor={next}")).expect(200);
    assert_eq!((ids(&page, "state"), ids(&rest, "state")), (vec!["1".into()], vec!["0".into()]));
    assert_eq!(rest["next"], Value::Null);
    for (query, count) in [
        ("from=2020-01-01T00:00:00Z", 2),
        ("to=2020-01-01T00:00:00Z", 0),
        ("from=2020-01-01T00:00:00Z&to=2120-01-01T00:00:00%2B01:00", 2),
        ("from=2120-01-01T00:00:00Z", 0),
    ] {
        let page = ask(&format!("/api/states/lock.a/history?{query}")).expect(200);
        assert_eq!(ids(&page, "state").len(), count, "{query}");
    }
    ask("/api/states/lock.b/history").refused(404, "NOT_FOUND");
    for query in [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=1.5",
        "limit=x",
        "limit=",
        "limit=1&limit=2",
        "cursor=",
        "cursor=Light.A",
        "cursor=%00",
        "cursor=%ff",
    ] {
        ask(&format!("/api/states?{query}")).refused(422, "INVALID");
    }
    for query in ["from=yesterday", "from=2026-02-30T00:00:00Z", "to=5", "cursor=x", "from="] {
        ask(&format!("/api/states/lock.a/history?{query}")).refused(422, "INVALID");
    }
}

#[test]
fn rights_are_asked_in_the_same_words() {
    let (server, admin) = house();
    for name in ["light.hall", "lock.door"] {
        let path = format!("/api/states/{name}");
        server.ask("POST", &path).bearer(&admin).json(&json!({ "state": "on" })).expect(201);
    }
    let lights = server.token("user", &["states:read:light.*"]).text;
    let ask = |method: &str, path: &str| server.ask(method, path).bearer(&lights);
    let listed = ask("GET", "/api/states").expect(200);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    ask("GET", "/api/states/light.hall").expect(200);
    let on = json!({ "state": "on" });
    ask("POST", "/api/states/light.hall").json(&on).refused(403, "FORBIDDEN");
    ask("PATCH", "/api/states/by-id/1").json(&on).refused(403, "FORBIDDEN");
    ask("DELETE", "/api/states/by-id/1").refused(403, "FORBIDDEN");
    // What may not be read answers as what is not there.
    let body = |ask: Ask| ask.refused(404, "NOT_FOUND").body;
    let of = |name: &str, path: &str, method: &str| {
        body(ask(method, &format!("/api/states/{name}{path}"))).replace(name, "IT")
    };
    for (path, method) in [("", "GET"), ("/history", "GET"), ("", "DELETE")] {
        assert_eq!(of("lock.door", path, method), of("lock.none", path, method));
    }
    let by_id = |id: &str, method: &str| {
        let response = ask(method, &format!("/api/states/by-id/{id}")).json(&on);
        body(response).replace(id, "IT")
    };
    for method in ["PATCH", "DELETE"] {
        assert_eq!(by_id("2", method), by_id("77", method));
    }
    for (role, scopes) in [("client", &[][..]), ("device", &[])] {
        let token = server.token(role, scopes).text;
        let list = server.ask("GET", "/api/states").bearer(&token).expect(200);
        assert_eq!(list, json!({ "items": [], "next": null }));
        server.ask("GET", "/api/states/light.hall").bearer(&token).refused(404, "NOT_FOUND");
    }
}

#[test]
fn a_change_of_what_was_seen() {
    let (server, admin) = house();
    let ask = |method: &str, path: &str| server.ask(method, path).bearer(&admin);
    let put = |state: &str| ask("POST", "/api/states/light.hall").json(&json!({ "state": state }));
    put("on").expect(201);
    let seen = ask("GET", "/api/states/light.hall").send();
    let etag = seen.header("etag").expect("a thing has a version").to_owned();
    let if_match = |ask: Ask, tag: &str| ask.header(&format!("If-Match: {tag}"));
    let known =
        ask("GET", "/api/states/light.hall").header(&format!("If-None-Match: {etag}")).send();
    assert_eq!((known.status, &*known.body, known.header("etag")), (304, "", Some(&*etag)));

    if_match(put("off"), "\"other\"").refused(412, "PRECONDITION_FAILED");
    assert_eq!(ask("GET", "/api/states/light.hall").expect(200)["state"], "on");
    let changed = if_match(put("off"), &etag).send();
    assert_eq!(changed.status, 200, "{changed:?}");
    if_match(put("on"), &etag).refused(412, "PRECONDITION_FAILED");
    let now = ask("GET", "/api/states/light.hall").send();
    assert_eq!(now.header("etag"), changed.header("etag"));
    if_match(put("dim"), &format!("\"x\", {}", now.header("etag").expect("a version"))).expect(200);
    if_match(put("dim"), "*").expect(200);
    let missing = ask("POST", "/api/states/light.none").json(&json!({ "state": "on" }));
    if_match(missing, "*").refused(412, "PRECONDITION_FAILED");
    let row = ask("GET", "/api/states/light.hall").expect(200)["state_id"].to_string();
    let path = format!("/api/states/by-id/{row}");
    if_match(ask("DELETE", &path), "\"other\"").refused(412, "PRECONDITION_FAILED");
    if_match(ask("PATCH", &path).json(&json!({ "state": "x" })), "*").expect(200);
    // A list has a version to be asked by, but is nothing to change.
    let list = ask("GET", "/api/states").send();
    let tag = list.header("etag").expect("a version").to_owned();
    assert_eq!(
        ask("GET", "/api/states").header(&format!("If-None-Match: {tag}")).send().status,
        304
    );
}

#[test]
fn a_repeated_request_counts_once() {
    let (server, admin) = house();
    let other = server.token("admin", &[]).text;
    let post = |token: &str, key: &str, state: &str| {
        let ask = server.ask("POST", "/api/states/light.hall").bearer(token);
        ask.header(&format!("Idempotency-Key: {key}")).json(&json!({ "state": state }))
    };
    let first = post(&admin, "k1", "on").expect(201);
    for key in ["k1", "\"k1\""] {
        assert_eq!(post(&admin, key, "on").expect(201), first, "the status too");
    }
    post(&admin, "k1", "off").refused(409, "CONFLICT");
    let second = post(&admin, "k2", "on").expect(200);
    assert_eq!(post(&admin, "k2", "on").expect(200), second);
    assert_ne!(post(&other, "k1", "on").expect(200), first, "a key is its caller's");
    // The same key in a message of a socket is the same key.
    let mut socket = server.dial("/api/ws").bearer(&admin).open();
    let said = socket.ask(
        r#"{"type":"states:create","entity_id":"light.hall","state":"on","idempotency_key":"k1"}"#,
    );
    let said: Value = serde_json::from_str(&said).expect("replies are JSON");
    assert_eq!(said["data"], first);
    for key in [" ", &"x".repeat(129), "a\u{7f}"] {
        let refused = post(&admin, key, "on").send();
        assert!(matches!(refused.status, 400 | 422), "{refused:?}");
    }
    let two = post(&admin, "k3", "on").header("Idempotency-Key: k4");
    two.refused(422, "INVALID");
    let history = server.ask("GET", "/api/states/light.hall/history").bearer(&admin).expect(200);
    assert_eq!(history["items"].as_array().map(Vec::len), Some(3));
}

#[test]
fn methods_that_there_are() {
    let (server, admin) = house();
    let ask = |method: &str, path: &str| server.ask(method, path).bearer(&admin);
    for (method, path, allow) in [
        ("PUT", "/api/states", "GET, HEAD, OPTIONS"),
        ("POST", "/api/states/by-id/1", "GET, HEAD, PATCH, DELETE, OPTIONS"),
        ("TRACE", "/api/users", "GET, HEAD, POST, OPTIONS"),
        ("BREW", "/api/tokens", "GET, HEAD, POST, OPTIONS"),
        ("DELETE", "/api/auth/login", "POST, OPTIONS"),
    ] {
        let refused = ask(method, path).refused(405, "METHOD_NOT_ALLOWED");
        assert_eq!(refused.header("allow"), Some(allow), "{method} {path}");
        let options = ask("OPTIONS", path).send();
        assert_eq!((options.status, options.header("allow")), (204, Some(allow)));
    }
    let head = ask("HEAD", "/api/states").send();
    assert_eq!((head.status, &*head.body), (200, ""), "{head:?}");
}

#[test]
fn bodies_that_are_read_and_that_are_not() {
    let (server, admin) = house();
    let ask = |method: &str, path: &str| server.ask(method, path).bearer(&admin);
    let post = |body: &[u8]| ask("POST", "/api/states/light.hall").body(body);
    let typed = |body: &[u8]| post(body).header("Content-Type: application/json");
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""] {
        let header = format!("Content-Type: {media_type}");
        post(b"{\"state\":\"on\"}").header(&header).refused(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    post(b"{\"state\":\"on\"}").refused(415, "UNSUPPORTED_MEDIA_TYPE");
    let latin =
        post(b"{\"state\":\"on\"}").header("Content-Type: application/json; charset=latin1");
    latin.refused(415, "UNSUPPORTED_MEDIA_TYPE");
    typed(b"{\"state\":\"on\"}")
        .header("Content-Encoding: gzip")
        .refused(415, "UNSUPPORTED_MEDIA_TYPE");
    for media_type in
        ["application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"]
    {
        let response =
            post(b"{\"state\":\"on\"}").header(&format!("Content-Type: {media_type}")).send();
        assert!(matches!(response.status, 200 | 201), "{media_type}: {response:?}");
    }

    for body in [
        &b"{"[..],
        b"[]",
        b"null",
        b"1",
        b"\"x\"",
        b"{} {}",
        b"\xef\xbb\xbf{}",
        b"{\"a\":NaN}",
        b"{\"state\":\"on\",\"state\":\"off\"}",
        b"{\"state\":\"\\ud800\"}",
        b"{\"state\":\"\\u0000\"}",
        b"\xff\xfe",
        b" ",
    ] {
        typed(body).refused(400, "INVALID_JSON");
    }
    let deep = format!(
        "{{\"state\":\"on\",\"attributes\":{}{}}}",
        "{\"a\":".repeat(40),
        "1".to_owned() + &"}".repeat(40)
    );
    typed(deep.as_bytes()).refused(400, "INVALID_JSON");
    for body in [
        r#"{}"#,
        r#"{"state":null}"#,
        r#"{"state":1}"#,
        r#"{"state":"on","attributes":[]}"#,
        r#"{"state":"on","attributes":1e400}"#,
        r#"{"State":"on"}"#,
    ] {
        typed(body.as_bytes()).refused(422, "INVALID");
    }
    post(b"").refused(422, "INVALID");
}

#[test]
fn paths_that_lead_nowhere() {
    let (server, admin) = house();
    let ask = |method: &str, path: &str| server.ask(method, path).bearer(&admin);
    for id in [
        "0",
        "-1",
        "9223372036854775808",
        "9007199254740993",
        "abc",
        "%00",
        "1%2f2",
        "1.0",
        "01",
        "%ff",
    ] {
        let response = ask("GET", &format!("/api/states/by-id/{id}")).send();
        assert_eq!(response.status, 404, "{id}: {response:?}");
    }
    for name in [
        "Light.Hall",
        "light",
        "light.",
        ".x",
        "light.hall.x",
        "%F0%9F%94%94.x",
        "a%00.b",
        "light.%2e",
    ] {
        let response =
            ask("POST", &format!("/api/states/{name}")).json(&json!({ "state": "on" })).send();
        assert_eq!(response.status, 404, "{name}: {response:?}");
    }
    ask("GET", "/api/nothing").refused(404, "NOT_FOUND");
    ask("GET", "/api/").refused(404, "NOT_FOUND");
}

#[test]
fn bodies_at_their_longest() {
    let (server, admin) = house();
    let typed = |body: &[u8]| {
        let ask = server.ask("POST", "/api/states/light.hall").bearer(&admin);
        ask.body(body).header("Content-Type: application/json")
    };
    let body = |len: usize| {
        let empty = r#"{"state":"on","x":""}"#;
        format!(r#"{{"state":"on","x":"{}"}}"#, "x".repeat(len - empty.len()))
    };
    assert_eq!(typed(body(64 << 10).as_bytes()).send().status, 201);
    typed(body((64 << 10) + 1).as_bytes()).refused(413, "TOO_LARGE");
    let chunked = format!(
        "POST /api/states/light.hall HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {admin}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
         {:x}\r\n{}\r\n0\r\n\r\n",
        (64 << 10) + 1,
        body((64 << 10) + 1)
    );
    let refused: Response = server.dial("/").exchange(chunked.as_bytes());
    assert_eq!(refused.status, 413, "{refused:?}");
}

/// What a client sends comes back in an error, but not at any length.
#[test]
fn a_refusal_is_short() {
    let (server, admin) = house();
    let long = "x".repeat(60_000);
    let path = format!("/api/tokens/{}", &long[..7_000]);
    for (method, path, body, status) in [
        ("POST", "/api/states/light.hall", json!(long), 400),
        ("POST", "/api/states/light.hall", json!({ "state": "on", "attributes": long }), 422),
        ("POST", "/api/states/light.hall", json!({ "state": "on", "expected": long }), 422),
        ("POST", "/api/tokens", json!({ "role": long, "ttl": 1 }), 422),
        ("POST", "/api/tokens", json!({ "role": "user", "ttl": 1, "scopes": [long] }), 422),
        ("PATCH", &*path, json!({ "scopes": [] }), 404),
        ("DELETE", &*path, json!({}), 404),
    ] {
        let refused = server.ask(method, path).bearer(&admin).json(&body).send();
        assert_eq!(refused.status, status, "{method} {path:.40}: {refused:?}");
        assert!(refused.body.len() < 500, "{method} {path:.40}: {} bytes", refused.body.len());
    }
}

/// Whoever refuses, no cache keeps it and no browser guesses its type.
#[test]
fn a_refusal_is_not_kept() {
    let (server, admin) = house();
    let ask = |method: &str, path: &str| server.ask(method, path).bearer(&admin);
    let wrong = json!({ "username": "admin", "password": "wrong" });
    let sign_in = || server.ask("POST", "/api/auth/login").from(7).json(&wrong);
    (0..10).for_each(|_| drop(sign_in().refused(401, "UNAUTHENTICATED")));
    for (refused, code) in [
        (sign_in().send(), "RATE_LIMITED"),
        (ask("GET", "/api/nothing").send(), "NOT_FOUND"),
        (ask("PUT", "/api/states").send(), "METHOD_NOT_ALLOWED"),
        (ask("POST", "/api/states/light.hall").body(b"{}").send(), "UNSUPPORTED_MEDIA_TYPE"),
        (ask("GET", "/api/states/light.none").send(), "NOT_FOUND"),
        (server.ask("GET", "/api/states").send(), "UNAUTHENTICATED"),
        (server.get("/api/ws"), "UPGRADE_REQUIRED"),
    ] {
        assert_eq!(refused.json()["code"], code);
        assert_eq!(refused.header("x-content-type-options"), Some("nosniff"), "{refused:?}");
        assert_eq!(refused.header("cache-control"), Some("no-store"), "{refused:?}");
    }
}

/// A length would be that of what is not sent (RFC 9110 section 8.6).
#[test]
fn what_has_no_body_tells_no_length() {
    let (server, admin) = house();
    let ask = |method: &str, path: &str| server.ask(method, path).bearer(&admin);
    ask("POST", "/api/states/light.hall").json(&json!({ "state": "on" })).expect(201);
    for (method, status) in [("GET", 304), ("HEAD", 304), ("DELETE", 204)] {
        let response = ask(method, "/api/states/light.hall").header("If-None-Match: *").send();
        assert_eq!(
            (response.status, response.header("content-length")),
            (status, None),
            "{method}"
        );
    }
}

#[test]
fn pages_of_other_origins() {
    let (server, admin) = house();
    let elsewhere = "Origin: https://elsewhere.example";
    let preflight = server
        .ask("OPTIONS", "/api/states/light.hall")
        .header(elsewhere)
        .header("Access-Control-Request-Method: PATCH")
        .header("Access-Control-Request-Headers: authorization, content-type")
        .send();
    assert_eq!((preflight.status, &*preflight.body), (204, ""));
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    assert_eq!(preflight.header("access-control-allow-credentials"), None);
    assert!(preflight.header("access-control-allow-methods").is_some_and(|m| m.contains("PATCH")));
    let allowed = preflight.header("access-control-allow-headers").map(str::to_lowercase);
    let allowed = allowed.expect("headers are allowed");
    for header in ["authorization", "content-type", "if-match", "idempotency-key"] {
        assert!(allowed.contains(header), "{allowed}");
    }
    // With a token of its own a page of any origin may read, also what refuses it.
    for (token, status) in [(Some(&admin), 200), (None, 401)] {
        let ask = server.ask("GET", "/api/states").header(elsewhere);
        let response = token.map_or(ask.clone(), |token| ask.bearer(token)).send();
        assert_eq!(response.status, status);
        assert_eq!(response.header("access-control-allow-origin"), Some("*"));
        assert!(
            response.header("access-control-expose-headers").is_some_and(|h| h.contains("ETag"))
        );
    }
    // With the cookie it may not.
    let session = server.sign_in("admin", &server.admin_password());
    let cookie = format!("Cookie: bellwire_session={session}");
    let foreign = server.ask("GET", "/api/states").header(elsewhere).header(&cookie);
    foreign.refused(403, "FORBIDDEN");
    // Over plain HTTP a browser says nothing of the origin when it reads, and always when it changes.
    server.ask("GET", "/api/states").header(&cookie).expect(200);
    let on = json!({ "state": "on" });
    let change = server.ask("POST", "/api/states/light.a").header(&cookie).json(&on);
    change.refused(403, "FORBIDDEN");
    server.ask("GET", "/api/states").cookie(&session).expect(200);
}
