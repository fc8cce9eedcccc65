//! What a browser adds by itself, and what anybody can write into a request's head: cookies are for
//! pages of the server's own origin, names and addresses are not believed, and of two credentials the
//! bad one counts.

use serde_json::json;

use crate::harness::{Canary, Client, Server, USER_PASSWORD};

const FOREIGN: &str = "the session cookie is for pages of this server's own origin";
const INVALID: &str = "token invalid, expired or revoked";

/// A server, and a session of a user who may write `light.a` and nothing else.
fn house(server: Server) -> (Server, String) {
    server.user("lamplighter", "user", &["states:write:light.a"]);
    let session = server.sign_in("lamplighter", USER_PASSWORD);
    (server, session)
}

/// Whose page: its own, one of elsewhere, or one that may read but not write (GET and POST).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    Own,
    Foreign,
    Reads,
    /// Own for REST; an upgrade must name its origin.
    Rest,
}

use Page::{Foreign, Own, Reads, Rest};

/// The name that the request is sent to, further headers, and whose page that is.
const PAGES: &[(&str, &[&str], Page)] = &[
    ("localhost", &["Origin: http://localhost"], Own),
    ("localhost", &["Origin: http://LOCALHOST"], Own),
    ("LocalHost", &["origin: http://localhost"], Own),
    ("home.example:8080", &["Origin: http://home.example:8080"], Own),
    ("[::1]:8080", &["Origin: http://[::1]:8080"], Own),
    ("localhost", &[], Reads),
    ("localhost", &["Origin: https://localhost"], Foreign),
    ("localhost", &["Origin: http://localhost:80"], Foreign),
    ("localhost:80", &["Origin: http://localhost"], Foreign),
    ("localhost:8080", &["Origin: http://localhost:8081"], Foreign),
    ("localhost:8080", &["Origin: http://localhost"], Foreign),
    ("localhost", &["Origin: http://127.0.0.1"], Foreign),
    ("localhost", &["Origin: http://localhost.evil.example"], Foreign),
    ("localhost", &["Origin: http://evil-localhost"], Foreign),
    ("localhost", &["Origin: http://evil.localhost"], Foreign),
    ("localhost", &["Origin: http://localhost@evil.example"], Foreign),
    ("localhost", &["Origin: http://evil.example/http://localhost"], Foreign),
    ("localhost", &["Origin: http://localhost/"], Foreign),
    ("localhost", &["Origin: http://localhost."], Foreign),
    ("localhost", &["Origin: ws://localhost"], Foreign),
    ("localhost", &["Origin: localhost"], Foreign),
    ("localhost", &["Origin: file://"], Foreign),
    ("localhost", &["Origin: null"], Foreign),
    ("localhost", &["Origin:"], Foreign),
    ("localhost", &["Origin: *"], Foreign),
    ("localhost", &["Origin: http://localhost http://evil.example"], Foreign),
    ("localhost", &["Origin: http://localhost, http://evil.example"], Foreign),
    ("localhost", &["Origin: http://localhost", "Origin: http://evil.example"], Foreign),
    ("localhost", &["Origin: http://evil.example", "Origin: http://localhost"], Foreign),
    ("localhost", &["Origin: http://localhost", "Origin: http://localhost"], Foreign),
    ("localhost", &["Origin: https://localhost", "X-Forwarded-Proto: https"], Foreign),
    ("localhost", &["Origin: http://evil.example", "X-Forwarded-Host: evil.example"], Foreign),
    ("localhost", &["Origin: http://evil.example", "Forwarded: host=evil.example"], Foreign),
    ("localhost", &["Referer: http://evil.example/"], Reads),
    ("localhost", &["Sec-Fetch-Site: same-origin"], Rest),
    ("localhost", &["Sec-Fetch-Site: none"], Reads),
    ("localhost", &["Sec-Fetch-Site: same-site"], Foreign),
    ("localhost", &["Sec-Fetch-Site: cross-site"], Foreign),
    ("localhost", &["Sec-Fetch-Site: same-origin", "Origin: http://evil.example"], Foreign),
];

#[test]
fn a_cookie_is_for_the_servers_own_pages() {
    let (server, session) = house(Server::start());
    let mut canary = Canary::new(&server);
    let cookie = format!("Cookie: a=b; bellwire_session={session}; c=d");
    for (from, (host, headers, page)) in (10..).zip(PAGES) {
        let name = format!("{host} {headers:?}");
        let dial = headers.iter().fold(server.dial("/api/ws"), |dial, line| dial.header(line));
        let mut client = dial.clone().host(host).from(from).header(&cookie).open();
        match page {
            Own => assert!(client.ask(r#"{"type":"ping"}"#).contains("pong"), "{name}"),
            _ => client.refused(FOREIGN, 4403),
        }
        let ask = |method: &str, path: &str| {
            let ask = server.ask(method, path).host(host);
            headers.iter().fold(ask, |ask, line| ask.header(line))
        };
        let state = json!({ "state": "on" });
        let rest =
            [ask("GET", "/api/auth/verify"), ask("POST", "/api/states/light.a").json(&state)];
        for (reads, ask) in [true, false].into_iter().zip(rest) {
            let response = ask.clone().header(&cookie).send();
            let admitted = matches!(page, Own | Rest) || (*page == Reads && reads);
            let refused = response.status == 403 && response.json()["code"] == "FORBIDDEN";
            assert_eq!(
                (response.status < 300, refused),
                (admitted, !admitted),
                "{name}: {response:?}"
            );
            assert_eq!(response.header("set-cookie"), None, "a foreign page takes no cookie away");
            // A token that a program shows by itself needs no origin; no credential is none.
            let by_itself = ask.clone().bearer(&session).send();
            assert!(by_itself.status < 300, "{name}: {by_itself:?}");
            ask.refused(401, "UNAUTHENTICATED");
        }
        let mut client = dial.host(host).bearer(&session).open();
        assert!(client.ask(r#"{"type":"ping"}"#).contains("pong"), "{name}");
        canary.sings();
    }
}

/// Where no credential is needed, a cookie that does not count is none.
#[test]
fn a_screen_is_paired_whatever_its_cookie() {
    let (server, session) = house(Server::start());
    let cookie = format!("Cookie: bellwire_session={session}");
    for headers in [&["Origin: http://localhost:3000"][..], &["Sec-Fetch-Site: cross-site"], &[]] {
        let ask = server.ask("POST", "/api/pairing").json(&json!({ "name": "Hall" }));
        let ask = headers.iter().fold(ask.header(&cookie), |ask, line| ask.header(line));
        assert!(ask.expect(201)["userCode"].is_string(), "{headers:?}");
    }
}

/// Whether a connection of the demo is a guest's, who may write what the lamplighter may not.
fn is_guest(client: &mut Client) -> bool {
    client.send(r#"{"type":"subscribe_entities","entity_ids":[]}"#);
    while !client.text().starts_with(r#"{"type":"states:snapshot""#) {}
    let said = client.ask(r#"{"type":"states:create","entity_id":"lock.b","state":"x"}"#);
    said.contains(r#""success":true"#)
}

#[test]
fn in_the_demo_a_foreign_page_is_a_guest_of_this_machine_or_nobody() {
    let (server, session) = house(Server::demo());
    let cookie = format!("Cookie: bellwire_session={session}");
    let dial = |origin: &str| server.dial("/api/ws").header(&cookie).header(origin);
    assert!(!is_guest(&mut dial("Origin: http://localhost").open()));
    for origin in
        ["http://localhost:3000", "https://localhost", "http://127.0.0.1:80", "http://[::1]"]
    {
        assert!(is_guest(&mut dial(&format!("Origin: {origin}")).open()), "{origin}");
        let ask = server.ask("GET", "/api/auth/verify").header(&cookie);
        ask.header(&format!("Origin: {origin}")).refused(401, "UNAUTHENTICATED");
    }
    let elsewhere = [
        "Origin: http://evil.example",
        "Origin: null",
        "Origin:",
        "Origin: http://localhost.evil.example",
        "Origin: http://localhost\r\nOrigin: http://evil.example",
        "Origin: http://evil.example\r\nOrigin: http://localhost",
    ];
    for origin in elsewhere {
        for lines in [origin.to_owned(), format!("{origin}\r\n{cookie}")] {
            let refused = server.dial("/api/ws").header(&lines).response();
            assert_eq!(refused.status, 403, "{lines}: {refused:?}");
            let state = json!({ "state": "x" });
            for ask in [
                server.ask("GET", "/api/states"),
                server.ask("POST", "/api/states/light.a").json(&state),
            ] {
                ask.header(&lines).refused(403, "FORBIDDEN");
            }
        }
    }
    // What is no good is refused, not taken for a guest's.
    server.dial("/api/ws").cookie("bad").open().refused(INVALID, 4401);
    server.ask("GET", "/api/states").cookie("bad").refused(401, "UNAUTHENTICATED");
    server.dial("/api/ws").bearer("bad").open().refused(INVALID, 4401);
}

#[test]
fn the_demo_answers_to_this_machines_names_only() {
    let server = Server::demo();
    let own = ["localhost", "localhost:8080", "127.0.0.1", "127.0.0.1:1", "[::1]:8080"];
    let others = [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "evil.example@localhost",
        "localhost:80:80",
        "0.0.0.0",
        "192.168.1.7",
        "[::]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "127.1",
        "",
    ];
    for host in own {
        server.ask("GET", "/api/states?limit=1").host(host).expect(200);
    }
    for host in others {
        for path in ["/", "/api/states", "/metrics", "/livez", "/api/nothing"] {
            let response = server.ask("GET", path).host(host).header("X-Forwarded-Host: localhost");
            let response = response.header("Origin: http://localhost").send();
            assert_eq!(response.status, 403, "{host} {path}: {response:?}");
        }
        assert_eq!(server.dial("/api/ws").host(host).response().status, 403, "{host}");
        let login = json!({ "username": "admin", "password": "demo" });
        let login = server.ask("POST", "/api/auth/login").host(host).json(&login);
        login.refused(403, "FORBIDDEN");
    }
}

#[test]
fn what_a_stranger_says_of_where_it_comes_from_counts_for_nothing() {
    let (server, session) = house(Server::start());
    let forged = |n: usize| {
        format!(
            "X-Forwarded-For: 203.0.113.{n}\r\nX-Real-IP: 203.0.113.{n}\r\nForwarded: for=203.0.113.{n}\r\n\
             X-Forwarded-Proto: https"
        )
    };
    let statuses: Vec<u16> = (0..15)
        .map(|n| server.dial("/api/ws").from(2).header(&forged(n)).response().status)
        .collect();
    assert!(statuses[..10].iter().all(|status| *status == 101), "{statuses:?}");
    assert!(statuses[10..].contains(&429), "{statuses:?}");
    server.dial("/api/ws").from(3).open().refused("authentication required", 4401);
    let body = json!({ "username": "lamplighter", "password": USER_PASSWORD });
    let login = server.ask("POST", "/api/auth/login").from(4).header(&forged(1)).json(&body).send();
    let cookie = login.header("set-cookie").expect("a cookie");
    assert!(login.status == 200 && !cookie.contains("Secure"), "{login:?}");
    let ask =
        server.ask("GET", "/api/states").header(&format!("Cookie: bellwire_session={session}"));
    ask.header(&forged(1)).header("Origin: https://localhost").refused(403, "FORBIDDEN");
}

#[test]
fn of_two_credentials_the_bad_one_counts() {
    let (server, good) = house(Server::start());
    let mut canary = Canary::new(&server);
    let own = "Origin: http://localhost\r\n";
    let invalid = "the Authorization header must be Bearer with a token";
    let rows: &[(&str, &str)] = &[
        ("Authorization: Bearer GOOD", ""),
        ("authorization: bearer GOOD", ""),
        ("AUTHORIZATION: BEARER GOOD", ""),
        ("Authorization: Bearer GOOD\r\nCookie: bellwire_session=BAD", ""),
        ("Authorization: Bearer GOOD\r\nCookie: bellwire_session=GOOD", ""),
        ("Authorization: Bearer BAD\r\nCookie: bellwire_session=GOOD", INVALID),
        ("Authorization: Bearer\r\nCookie: bellwire_session=GOOD", invalid),
        ("Authorization:\r\nCookie: bellwire_session=GOOD", invalid),
        ("Authorization: Basic eDp5\r\nCookie: bellwire_session=GOOD", invalid),
        ("Authorization: Digest GOOD", invalid),
        ("Authorization: Token GOOD", invalid),
        ("Authorization: JWT GOOD", invalid),
        ("Authorization: BearerGOOD", invalid),
        ("Authorization: Bearer=GOOD", invalid),
        ("Authorization: Bearer\tGOOD", invalid),
        ("Authorization: GOOD", invalid),
        ("Authorization: Bearer GOOD, Bearer GOOD", INVALID),
        ("Authorization: Bearer GOOD BAD", INVALID),
        ("Authorization: Bearer \"GOOD\"", INVALID),
        ("Authorization: Bearer GOOD\r\nAuthorization: Bearer GOOD", invalid),
        ("Authorization: Bearer GOOD\r\nAuthorization: Bearer BAD", invalid),
        ("Authorization: Bearer BAD\r\nAuthorization: Bearer GOOD", invalid),
        ("Proxy-Authorization: Bearer GOOD", "authentication required"),
        ("X-Authorization: Bearer GOOD", "authentication required"),
        ("Cookie: bellwire_session=GOOD", ""),
        ("Cookie: x=1; bellwire_session=GOOD ; y", ""),
        ("Cookie: x=1\r\nCookie: bellwire_session=GOOD", ""),
        ("Cookie: Bellwire_Session=GOOD", "authentication required"),
        ("Cookie: bellwire_session", "authentication required"),
        ("Cookie: bellwire_session=", INVALID),
        ("Cookie: bellwire_session=BAD", INVALID),
        ("Cookie: bellwire_session=\"GOOD\"", INVALID),
        ("Cookie: bellwire_session=GOOD=", INVALID),
        (
            "Cookie: bellwire_session=GOOD; bellwire_session=GOOD",
            "two session cookies came; sign in again",
        ),
        (
            "Cookie: bellwire_session=GOOD; bellwire_session=BAD",
            "two session cookies came; sign in again",
        ),
        (
            "Cookie: bellwire_session=BAD\r\nCookie: bellwire_session=GOOD",
            "two session cookies came; sign in again",
        ),
    ];
    for (from, (lines, error)) in (10..).zip(rows) {
        let lines = format!("{own}{lines}").replace("GOOD", &good).replace("BAD", "e30.e30.e30");
        let mut client = server.dial("/api/ws").from(from).header(&lines).open();
        let rest = server.ask("GET", "/api/auth/verify").header(&lines).send();
        if error.is_empty() {
            assert!(client.ask(r#"{"type":"ping"}"#).contains("pong"), "{lines}");
            assert_eq!(rest.status, 200, "{lines}: {rest:?}");
        } else {
            client.refused(error, 4401);
            assert_eq!((rest.status, &rest.json()["detail"]), (401, &json!(error)), "{lines}");
            let clears = rest.header("set-cookie").is_some();
            let by_cookie = !lines.contains("Authorization") && *error != "authentication required";
            assert_eq!(clears, by_cookie, "{lines}: {rest:?}");
        }
        canary.sings();
    }
}

#[test]
fn a_request_has_one_host() {
    let (server, session) = house(Server::start());
    for lines in ["Host: localhost", "Host: evil.example"] {
        server.ask("GET", "/api/states").bearer(&session).header(lines).refused(400, "INVALID");
        assert_eq!(server.dial("/api/ws").bearer(&session).header(lines).response().status, 400);
    }
    let none = format!("GET /api/states HTTP/1.1\r\nAuthorization: Bearer {session}\r\n\r\n");
    assert_eq!(server.dial("/").exchange(none.as_bytes()).status, 400);
}

/// The token comes in the first message, so a cookie that the browser adds is not meant: neither is it
/// asked for its origin, nor used.
#[test]
fn who_announces_a_message_is_not_taken_by_the_cookie() {
    let (server, session) = house(Server::start());
    let admin = server.token("admin", &[]).text;
    let rows = ["http://localhost", "http://localhost:3000", "https://elsewhere.example"];
    for (from, origin) in (10..).zip(rows) {
        for cookie in [&*session, "bad"] {
            let dial = server.dial("/api/ws?auth=message").from(from);
            let dial = dial.header(&format!("Cookie: bellwire_session={cookie}"));
            let mut client = dial.header(&format!("Origin: {origin}")).open();
            client.send(&format!(r#"{{"type":"auth","token":"{admin}"}}"#));
            let said = client.ask(r#"{"type":"states:create","entity_id":"lock.b","state":"x"}"#);
            assert!(said.contains("lock.b"), "{said}");
        }
        let mut client = server.dial("/api/ws?auth=message").from(from).cookie(&session).open();
        client.send(r#"{"type":"states:get","entity_id":"light.a"}"#);
        client.refused("the first message must be auth with a valid token", 4401);
    }
}
