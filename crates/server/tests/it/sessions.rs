//! Signing in, staying and going: what it says, what it costs, and what it does not give away.

use std::{
    thread,
    time::{Duration, Instant},
};

use bellwire_services::kit::Access;
use serde_json::{Value, json};

use crate::{
    areas::House,
    harness::{Ask, Canary, Client, Response, Server, Token, USER_PASSWORD},
};

fn try_in(server: &Server, username: &str, password: &str) -> Ask {
    let body = json!({ "username": username, "password": password });
    server.ask("POST", "/api/auth/login").json(&body)
}

/// A response without what differs by time.
fn undated(response: &Response) -> (String, &str) {
    let lines = response.head.lines().filter(|line| !line.starts_with("date:"));
    (lines.collect::<Vec<_>>().join("\n"), &response.body)
}

fn cookie(response: &Response) -> &str {
    response.header("set-cookie").unwrap_or_default()
}

const CLEARED: &str = "bellwire_session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0";

#[test]
fn what_signing_in_gives() {
    let server = Server::start();
    let jane = server.user("Jane", "user", &["states:read"]);
    let patch = json!({ "kind": "houseworker", "email": "jane@example.com" });
    let admin = server.token("admin", &[]).text;
    let path = format!("/api/users/{jane}");
    for (patch, kind, email) in
        [(json!({}), "null", "null"), (patch, r#""houseworker""#, r#""jane@example.com""#)]
    {
        server.ask("PATCH", &path).bearer(&admin).json(&patch).expect(200);
        let response = try_in(&server, "JANE", USER_PASSWORD).send();
        assert_eq!(response.status, 200, "{response:?}");
        let session = response.json();
        let text = |key: &str| session[key].as_str().expect("a text").to_owned();
        let (token, expires_at) = (text("token"), text("expiresAt"));
        let expected = format!(
            r#"{{"token":"{token}","expiresAt":"{expires_at}","user":{{"userId":"{jane}","username":"Jane","role":"user","kind":{kind},"email":{email}}}}}"#
        );
        assert_eq!(response.body, expected);
        assert!(expires_at.len() == 20 && expires_at.ends_with('Z'), "{expires_at}");
        let attributes = cookie(&response).strip_prefix(&format!("bellwire_session={token}; "));
        let age =
            attributes.and_then(|a| a.strip_prefix("Path=/; HttpOnly; SameSite=Lax; Max-Age="));
        assert!(matches!(age, Some("43200" | "43201")), "{response:?}");
        assert_eq!(response.header("cache-control"), Some("no-store"));
        let verified = server.ask("GET", "/api/auth/verify").cookie(&token).send();
        assert_eq!(
            verified.body,
            format!(
                r#"{{"valid":true,"role":"user","userId":"{jane}","expiresAt":"{expires_at}"}}"#
            )
        );
    }
}

#[test]
fn who_is_not_known_is_refused_like_who_is() {
    let server = Server::start();
    server.user("jane", "user", &[]);
    let out = server.user("out", "user", &[]);
    let silent = json!({ "username": "silent" });
    server.operate("users.create", silent).expect("a user is made");
    let disabled = json!({ "userId": out, "disabled": true });
    server.operate("users.change", disabled).expect("the user is there");
    let mut from = 1;
    let mut ask = |username: &str, password: &str| {
        from += 1;
        let started = Instant::now();
        let refused =
            try_in(&server, username, password).from(from).refused(401, "UNAUTHENTICATED");
        (refused, started.elapsed())
    };
    let wrong = ask("jane", "another one").0;
    let rows = [
        ("nobody", "another one"),
        ("out", USER_PASSWORD),
        ("silent", ""),
        ("jane ", USER_PASSWORD),
        ("\u{430}dmin", "x"),
        ("", ""),
        ("jane", ""),
        ("jane", "Correct horse"),
        ("jane", "correct horse "),
        ("jane' OR '1'='1", "x"),
    ];
    for (username, password) in rows {
        assert_eq!(undated(&ask(username, password).0), undated(&wrong), "{username:?}");
    }
    // In turns, and the least of each: what else the machine does only adds to some.
    let mut least = [Duration::MAX; 3];
    for _ in 0..5 {
        for (least, username) in least.iter_mut().zip(["jane", "nobody", "out"]) {
            *least = (*least).min(ask(username, "another one").1);
        }
    }
    let [known, unknown, shut_out] = least;
    assert!(unknown * 2 >= known && shut_out * 2 >= known, "{known:?} {unknown:?} {shut_out:?}");
    for body in [
        json!({}),
        json!({ "username": "jane" }),
        json!({ "username": 1, "password": "x" }),
        json!({ "username": "jane", "password": null }),
    ] {
        server.ask("POST", "/api/auth/login").from(9).json(&body).refused(422, "INVALID");
    }
}

#[test]
fn whom_a_credential_stands_for() {
    let house = House::new();
    let (server, screen) = (&house.server, house.pair("Hall tablet", &[]));
    let jane = server.user("jane", "user", &[]);
    let boss = server.user("boss", "admin", &[]);
    let of = |role: &str, subject: &str| server.token_of(role, subject, &[]).text;
    let rows = [
        (server.sign_in("jane", USER_PASSWORD), "user", Some(("userId", &*jane))),
        (of("user", &jane), "user", Some(("userId", &*jane))),
        (of("user", &boss), "user", Some(("userId", &*boss))),
        (server.sign_in("boss", USER_PASSWORD), "admin", Some(("userId", &*boss))),
        (of("client", &screen.id), "client", Some(("clientId", &*screen.id))),
        (screen.token, "client", Some(("clientId", &*screen.id))),
        (of("device", "3"), "device", Some(("deviceId", "3"))),
        (server.token("admin", &[]).text, "admin", None),
        (server.token("client", &[]).text, "client", None),
    ];
    for (token, role, subject) in rows {
        let ask = server.ask("GET", "/api/auth/verify");
        let said = ask.clone().bearer(&token).send();
        let until = said.json()["expiresAt"].as_str().expect("a time").to_owned();
        let subject = subject.map_or(String::new(), |(key, id)| format!(r#""{key}":"{id}","#));
        let expected =
            format!(r#"{{"valid":true,"role":"{role}",{subject}"expiresAt":"{until}"}}"#);
        assert_eq!(said.body, expected);
        assert_eq!(ask.cookie(&token).send().body, expected);
    }
    server.ask("GET", "/api/auth/verify").refused(401, "UNAUTHENTICATED");
}

#[test]
fn a_session_goes_on_and_ends() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let jane = server.user("jane", "user", &[]);
    let refresh = || server.ask("POST", "/api/auth/refresh");
    let first = server.sign_in("jane", USER_PASSWORD);
    let by_bearer = refresh().bearer(&first).send();
    assert_eq!((by_bearer.status, cookie(&by_bearer)), (200, ""), "{by_bearer:?}");
    let by_cookie = refresh().cookie(&first).send();
    let second = by_cookie.json()["token"].as_str().expect("a token").to_owned();
    assert!(
        cookie(&by_cookie).starts_with(&format!("bellwire_session={second}; Path=/; HttpOnly"))
    );
    assert_eq!(by_cookie.json()["user"]["userId"], *jane);
    for token in [
        server.token_of("user", &jane, &[]),
        server.token("client", &[]),
        server.token("user", &[]),
    ] {
        refresh().bearer(&token.text).refused(403, "FORBIDDEN");
    }
    // Leaving ends the session with all texts of its token, and no other session.
    let open = |text: &str| server.listener(&Token { id: String::new(), text: text.to_owned() });
    let mut ended: Vec<Client> = [&first, &first, &second].map(|text| open(text)).into();
    let third = server.sign_in("jane", USER_PASSWORD);
    let mut kept = open(&third);
    let left = server.ask("POST", "/api/auth/logout").cookie(&first).send();
    let started = Instant::now();
    assert_eq!((left.status, &*left.body, cookie(&left)), (204, "", CLEARED), "{left:?}");
    for client in &mut ended {
        client.refused("token revoked", 4401);
    }
    // Soon; how soon is promised of many, and measured with them (`revoke`).
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(kept.told(), [""; 0]);
    for ask in
        [refresh(), server.ask("POST", "/api/auth/logout"), server.ask("GET", "/api/auth/verify")]
    {
        let refused = ask.clone().cookie(&first).refused(401, "UNAUTHENTICATED");
        assert_eq!(cookie(&refused), CLEARED);
        assert_eq!(cookie(&ask.bearer(&second).refused(401, "UNAUTHENTICATED")), "");
    }
    refresh().cookie(&third).expect(200);
    canary.sings();
}

/// All else is done by a user, with whichever of their tokens.
#[test]
fn what_is_done_with_a_token_itself() {
    let services = bellwire_services::all();
    let commands = services.iter().flat_map(|service| &service.commands);
    let names = commands.filter(|command| command.access == Access::Credential).map(|it| it.name);
    let expected = ["auth.refresh", "auth.logout", "auth.ticket", "auth.password"];
    assert_eq!(names.collect::<Vec<_>>(), expected);
}

/// A key stands for what one caller asked: not for what another token of the same user did.
#[test]
fn a_key_is_not_shared_between_the_tokens_of_a_user() {
    let server = Server::start();
    let jane = server.user("jane", "user", &[]);
    let [one, other] = [(); 2].map(|()| server.sign_in("jane", USER_PASSWORD));
    let narrow = server.token_of("user", &jane, &["states:read:light.a"]).text;
    let post = |path: &str, token: &str| {
        server.ask("POST", path).bearer(token).header("Idempotency-Key: 1").json(&json!({}))
    };
    let renewed = post("/api/auth/refresh", &one).expect(200);
    assert_eq!(post("/api/auth/refresh", &one).expect(200), renewed);
    post("/api/auth/refresh", &narrow).refused(403, "FORBIDDEN");
    post("/api/auth/refresh", &other).expect(200);
    for token in [&one, &other] {
        post("/api/auth/logout", token).expect(204);
        server.ask("GET", "/api/auth/verify").bearer(token).refused(401, "UNAUTHENTICATED");
    }
    // Nor is the answer to a change told to a token that may not see it.
    let follower = server.token_of("user", &jane, &[]).text;
    let write = |token: &str| {
        let ask = server.ask("POST", "/api/states/lock.door").bearer(token);
        ask.header("Idempotency-Key: 1").json(&json!({ "state": "open" }))
    };
    let made = write(&follower).expect(201);
    assert_eq!(write(&server.sign_in("jane", USER_PASSWORD)).expect(201), made, "one caller");
    write(&narrow).refused(403, "FORBIDDEN");
    let admin = server.token("admin", &[]).text;
    let notice = json!({ "to": jane, "title": "a", "message": "b" });
    server.ask("POST", "/api/notifications").bearer(&admin).json(&notice).expect(201);
    let read = |token: &str| {
        let ask = server.ask("POST", "/api/notifications/read").bearer(token);
        ask.header("Idempotency-Key: 1").json(&json!({ "all": true })).expect(200)["read"].clone()
    };
    let sessions = [(); 2].map(|()| server.sign_in("jane", USER_PASSWORD));
    assert_eq!(sessions.map(|session| read(&session)), [1, 1], "one caller");
    // What a token is asked with rights of its own is another's.
    assert_eq!(read(&narrow), 0);
}

#[test]
fn a_credential_that_ends_takes_its_connections_and_its_cookie_along() {
    let server = Server::start();
    let jane = server.user("jane", "user", &[]);
    let request = json!({ "role": "user", "subject": jane, "ttl": 2 });
    let token =
        Token::read(&server.operate("tokens.create", request).expect("a token is made")).text;
    let mut clients = [
        server.dial("/api/ws").cookie(&token).open(),
        server.dial("/api/ws").bearer(&token).open(),
    ];
    for client in &mut clients {
        client.refused("token expired", 4401);
    }
    let refused = server.ask("GET", "/api/states").cookie(&token).refused(401, "UNAUTHENTICATED");
    assert_eq!(cookie(&refused), CLEARED);
}

#[test]
fn signing_in_looks_at_no_other_credential() {
    let server = Server::start();
    server.user("jane", "user", &[]);
    let ask = || try_in(&server, "jane", USER_PASSWORD);
    let rows = [
        "Cookie: bellwire_session=bad",
        "Cookie: bellwire_session=a; bellwire_session=b",
        "Authorization: Bearer bad",
        "Authorization: Basic eDp5",
        "Origin: https://elsewhere.example",
    ];
    for row in rows {
        let session = ask().header(row).send();
        assert_eq!(session.status, 200, "{row}: {session:?}");
    }
    for bad in ["bad", "", "a.b.c"] {
        for (method, path) in [("GET", "/api/states"), ("POST", "/api/auth/logout")] {
            let refused = server.ask(method, path).cookie(bad).refused(401, "UNAUTHENTICATED");
            assert_eq!(cookie(&refused), CLEARED, "{bad:?} {path}");
        }
    }
    // Nobody's keys are kept: a second try is a second session.
    let keyed = || ask().from(2).header("Idempotency-Key: k").expect(200)["token"].clone();
    assert_ne!(keyed(), keyed());
}

/// Tries until one is too many: how many were let through. What has no password costs no hashing.
fn tries(server: &Server, from: &[u8], account: &dyn Fn(usize) -> String) -> usize {
    for n in 0..200 {
        let body = json!({ "username": account(n) });
        let ask = server.ask("POST", "/api/auth/login").from(from[n % from.len()]).json(&body);
        let response = ask.send();
        if response.status == 429 {
            assert_eq!(response.json()["code"], "RATE_LIMITED");
            let wait_s: u64 =
                response.header("retry-after").expect("when").parse().expect("seconds");
            assert!((1..=7).contains(&wait_s), "{wait_s}");
            return n;
        }
        assert_eq!(response.status, 422, "{response:?}");
    }
    panic!("200 tries were let through");
}

#[test]
fn tries_to_sign_in_are_counted() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    server.user("jane", "user", &[]);
    server.user("mike", "user", &[]);
    let soon = |count: usize, limit: usize| {
        assert!((limit..limit + 5).contains(&count), "{count}, not {limit}");
    };
    soon(tries(&server, &[2], &|n| if n % 2 == 0 { "jane".into() } else { "JANE".into() }), 10);
    try_in(&server, "mike", USER_PASSWORD).from(2).expect(200);
    try_in(&server, "jane", USER_PASSWORD).from(3).expect(200);
    // What a stranger writes about where it comes from changes nothing.
    let forged = try_in(&server, "jane", USER_PASSWORD).from(2);
    forged.header("X-Forwarded-For: 127.0.0.77").refused(429, "RATE_LIMITED");
    canary.sings();
    soon(tries(&server, &[4], &|n| format!("user{n}")), 30);
    try_in(&server, "mike", USER_PASSWORD).from(4).refused(429, "RATE_LIMITED");
    try_in(&server, "mike", USER_PASSWORD).from(5).expect(200);
    canary.sings();
    let from: Vec<u8> = (10..30).collect();
    let count = tries(&server, &from, &|_| "sara".into());
    assert!((100..110).contains(&count), "{count}");
    try_in(&server, "sara", "x").from(99).refused(429, "RATE_LIMITED");
    try_in(&server, "mike", USER_PASSWORD).from(99).expect(200);
    canary.sings();
}

/// Somebody who holds another's session does not find out the password with it.
#[test]
fn tries_to_change_a_password_are_counted() {
    let server = Server::start();
    server.user("jane", "user", &[]);
    let session = server.sign_in("jane", USER_PASSWORD);
    let statuses: Vec<u16> = (0..15)
        .map(|n| {
            let body = json!({ "username": format!("{n}"), "password": "guess", "newPassword": "another one" });
            server.ask("POST", "/api/auth/password").from(2).bearer(&session).json(&body).send().status
        })
        .collect();
    assert_eq!(statuses[..10], [403; 10]);
    assert!(statuses.contains(&429), "{statuses:?}");
}

#[test]
fn passwords_are_compared_a_few_at_a_time() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    server.user("jane", "user", &[]);
    let slowest = thread::scope(|scope| {
        let server = &server;
        let all: Vec<_> = (1..=50)
            .map(|from| {
                let password = if from % 2 == 0 { USER_PASSWORD } else { "another one" };
                scope.spawn(move || try_in(server, "jane", password).from(from).send())
            })
            .collect();
        let mut slowest = Duration::ZERO;
        while all.iter().any(|one| !one.is_finished()) {
            let started = Instant::now();
            canary.sings();
            slowest = slowest.max(started.elapsed());
        }
        for one in all {
            let response = one.join().expect("it is answered");
            assert!(matches!(response.status, 200 | 401 | 429 | 503), "{response:?}");
            let again = response.header("retry-after").is_some();
            assert_eq!(again, matches!(response.status, 429 | 503), "{response:?}");
        }
        slowest
    });
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    server.sign_in("jane", USER_PASSWORD);
}

#[test]
fn no_secret_stands_in_a_log_however_much_is_logged() {
    let server = Server::with(&[("LOGGING__LEVEL", "trace")]);
    let admin = server.token("admin", &[]);
    let ask = |method: &str, path: &str| server.ask(method, path).bearer(&admin.text);
    let passwords = ["first secret", "second secret", "third secret", "wrong secret", "not jane's"];
    let jane = json!({ "username": "jane", "password": passwords[0] });
    let jane = ask("POST", "/api/users").header("Idempotency-Key: k").json(&jane).expect(201);
    let path = format!("/api/users/{}", jane["userId"].as_str().expect("an id"));
    ask("PATCH", &path).json(&json!({ "password": passwords[1] })).expect(200);
    try_in(&server, "jane", passwords[3]).refused(401, "UNAUTHENTICATED");
    try_in(&server, passwords[4], "x").refused(401, "UNAUTHENTICATED");
    let session = server.sign_in("jane", passwords[1]);
    let change = json!({ "password": passwords[1], "newPassword": passwords[2] });
    server.ask("POST", "/api/auth/password").cookie(&session).json(&change).expect(204);
    let ticket = server.ask("POST", "/api/auth/ticket").cookie(&session).expect(201);
    let ticket = ticket["ticket"].as_str().expect("a ticket").to_owned();
    let session = server.ask("POST", "/api/auth/refresh").cookie(&session).expect(200);
    let session = session["token"].as_str().expect("a token").to_owned();
    let mut clients = [
        server.dial(&format!("/api/ws?token={session}")).open(),
        server.dial(&format!("/api/ws?ticket={ticket}")).open(),
        server.dial("/api/ws").cookie(&session).open(),
        server.dial("/api/ws?auth=message").open(),
    ];
    clients[3].send(&format!(r#"{{"type":"auth","token":"{session}"}}"#));
    clients.iter_mut().for_each(|client| assert_eq!(client.told(), [""; 0]));
    server.dial(&format!("/api/ws?ticket={ticket}")).open().closed();
    server.ask("GET", &format!("/api/states?token={session}")).send();
    ask("DELETE", &path).expect(204);
    clients.iter_mut().for_each(|client| drop(client.closed()));
    let log = server.log();
    assert!(log.contains("/api/ws?ticket=***"), "it logs requests: {log}");
    for secret in passwords.iter().take(4).copied().chain([&*session, &ticket, &admin.text]) {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    let told: Value = server.ask("GET", &format!("/api/nothing?token={session}")).send().json();
    assert!(!told.to_string().contains(&session), "{told}");
}

/// The answer that was lost is given again, although the password is another one by now.
#[test]
fn a_changed_password_is_told_again() {
    let server = Server::start();
    let password = server.admin_password();
    let session = server.sign_in("admin", &password);
    let change = |new: &str| {
        let body = json!({ "password": password, "newPassword": new });
        let ask = server.ask("POST", "/api/auth/password").bearer(&session).json(&body);
        ask.header("Idempotency-Key: change")
    };
    for _ in 0..3 {
        change("another password").expect(204);
    }
    change("yet another one").refused(409, "CONFLICT");
    server.sign_in("admin", "another password");
}
