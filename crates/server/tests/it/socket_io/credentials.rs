//! Who is let in: by what each namespace is shown, else by what the handshake showed.

use serde_json::{Value, json};

use crate::{
    forge::Forge,
    harness::{Canary, Handshake, Over, Server, Session, at},
};

const INVALID: &str = "token invalid, expired or revoked";
const NONE: &str = "authentication required";
const SCHEME: &str = "the Authorization header must be Bearer with a token";
const TICKET: &str = "ticket invalid, expired or used";

/// A server with a light and a lock.
fn house() -> Server {
    let server = Server::start();
    let mut writer = server.quiet_admin();
    writer.ask(&super::create("light.a", "on"));
    writer.ask(&super::create("lock.b", "shut"));
    server
}

/// Whom a namespace takes the client for, by what it may read.
#[track_caller]
fn who(session: &mut Session, namespace: &str) -> &'static str {
    let mut reads = |entity_id: &str| {
        let at = at(namespace);
        let said = session.says(&format!(r#"42{at}1["states:get",{{"entity_id":"{entity_id}"}}]"#));
        said.contains(r#""success":true"#)
    };
    match (reads("light.a"), reads("lock.b")) {
        (true, true) => "admin",
        (true, false) => "reader",
        other => panic!("{other:?}"),
    }
}

/// What the handshake's query and header show, what is shown at CONNECT, and who that is, or why nobody.
type Row = (&'static str, &'static str, &'static str, Result<&'static str, &'static str>);

const OWN: &str = "Origin: http://localhost";
const COOKIE: &str = "Cookie: bellwire_session=COOKIE";

const SHOWN: &[Row] = &[
    ("", "", r#"{"token":"ADMIN"}"#, Ok("admin")),
    ("", "", r#"{"token":"READER"}"#, Ok("reader")),
    ("", "", r#"{"token":"READER","role":"admin","userId":1}"#, Ok("reader")),
    ("", "Authorization: Bearer ADMIN", "", Ok("admin")),
    ("", "Authorization: Bearer READER", "{}", Ok("reader")),
    ("", "authorization: bearer READER", "{}", Ok("reader")),
    ("token=ADMIN", "", "{}", Ok("admin")),
    ("token=READER", "", "", Ok("reader")),
    ("", COOKIE, "{}", Ok("admin")),
    // What CONNECT shows counts, whatever the handshake did.
    ("", "Authorization: Bearer ADMIN", r#"{"token":"READER"}"#, Ok("reader")),
    ("", "Authorization: Bearer READER", r#"{"token":"ADMIN"}"#, Ok("admin")),
    ("token=ADMIN", "", r#"{"token":"READER"}"#, Ok("reader")),
    ("", COOKIE, r#"{"token":"READER"}"#, Ok("reader")),
    ("", "Authorization: Bearer BAD", r#"{"token":"READER"}"#, Ok("reader")),
    ("token=BAD", "", r#"{"token":"READER"}"#, Ok("reader")),
    ("", "Cookie: bellwire_session=BAD", r#"{"token":"READER"}"#, Ok("reader")),
    // What is shown and no good is never overlooked.
    ("", "Authorization: Bearer ADMIN", r#"{"token":"BAD"}"#, Err(INVALID)),
    ("", "Authorization: Bearer ADMIN", r#"{"token":""}"#, Err(INVALID)),
    ("", "Authorization: Bearer ADMIN", r#"{"token":"EXPIRED"}"#, Err(INVALID)),
    ("", "Authorization: Bearer ADMIN", r#"{"token":"REVOKED"}"#, Err(INVALID)),
    ("", COOKIE, r#"{"token":"BAD"}"#, Err(INVALID)),
    // A page that keeps no token says `null`: it shows none.
    ("", "Authorization: Bearer ADMIN", r#"{"token":null}"#, Ok("admin")),
    ("", "", r#"{"token":null}"#, Err(NONE)),
    (
        "",
        "Authorization: Bearer ADMIN",
        r#"{"token":["ADMIN"]}"#,
        Err("auth.token: invalid type: sequence, expected a string"),
    ),
    (
        "",
        "Authorization: Bearer ADMIN",
        r#"{"token":"ADMIN","token":"READER"}"#,
        Err("auth: one object, with numbers that can be held"),
    ),
    ("", "", r#"{"token":"Bearer ADMIN"}"#, Err(INVALID)),
    ("", "", r#"{"Token":"ADMIN"}"#, Err(NONE)),
    ("", "", r#"{"auth":{"token":"ADMIN"}}"#, Err(NONE)),
    ("", "", "{}", Err(NONE)),
    ("", "", "", Err(NONE)),
    ("", "", r#"{"token":"EXPIRED"}"#, Err(INVALID)),
    ("", "", r#"{"token":"REVOKED"}"#, Err(INVALID)),
    ("", "Authorization: Bearer BAD", "{}", Err(INVALID)),
    ("", "Authorization: Bearer EXPIRED", "{}", Err(INVALID)),
    ("", "Authorization: Bearer REVOKED", "{}", Err(INVALID)),
    ("", "Authorization: Basic ADMIN", "{}", Err(SCHEME)),
    ("", "Authorization: Bearer", "{}", Err(SCHEME)),
    ("token=BAD", "", "{}", Err(INVALID)),
    ("token=", "", "{}", Err(INVALID)),
    ("token=REVOKED", "", "{}", Err(INVALID)),
    ("ticket=BAD", "", "{}", Err(TICKET)),
    ("ticket=ADMIN", "", "{}", Err(TICKET)),
    ("auth=message", "", "{}", Err(NONE)),
    ("auth=message", "", r#"{"token":"READER"}"#, Ok("reader")),
    ("", "Cookie: bellwire_session=BAD", "{}", Err(INVALID)),
    (
        "",
        "Cookie: bellwire_session=COOKIE; bellwire_session=COOKIE",
        "{}",
        Err("two session cookies came; sign in again"),
    ),
];

#[test]
fn what_may_be_shown() {
    let server = house();
    let mut canary = Canary::new(&server);
    let [admin, reader, revoked] =
        [("admin", &[][..]), ("user", &["states:read:light.*"]), ("admin", &[])]
            .map(|(role, scopes)| server.token(role, scopes));
    server.operate("tokens.revoke", json!({ "id": revoked.id })).expect("the token lives");
    let expired = Forge::new(server.data(), &admin).token(&[], &[("exp", json!(1))]);
    let cookie = server.sign_in("admin", &server.admin_password());
    let fill = |text: &str| {
        let tokens = [
            ("ADMIN", &admin.text),
            ("READER", &reader.text),
            ("EXPIRED", &expired),
            ("REVOKED", &revoked.text),
            ("COOKIE", &cookie),
        ];
        let text = text.replace("BAD", "e30.e30.e30");
        tokens.iter().fold(text, |text, (name, token)| text.replace(name, token))
    };
    for (from, (query, header, auth, expected)) in (2..).zip(SHOWN) {
        for (over, namespace) in Over::BOTH.into_iter().zip(["/", "/states"]) {
            let name = format!("{query} {header} {auth} over {over:?}");
            let begin = server.socket_io().from(from).header(OWN);
            let begin = if query.is_empty() { begin } else { begin.query(&fill(query)) };
            let begin = if header.is_empty() { begin } else { begin.header(&fill(header)) };
            let mut session = begin.open(over);
            let told = session.says(&format!("40{}{}", at(namespace), fill(auth)));
            match expected {
                Ok(role) => {
                    assert!(
                        told.starts_with(&format!(r#"40{}{{"sid":""#, at(namespace))),
                        "{name}: {told}"
                    );
                    assert_eq!(who(&mut session, namespace), *role, "{name}");
                }
                Err(words) => {
                    let message = json!({ "message": words });
                    assert_eq!(told, format!("44{}{message}", at(namespace)), "{name}");
                    // It may show another, on the same connection.
                    session.enter_as(namespace, &reader.text);
                    assert_eq!(who(&mut session, namespace), "reader", "{name}");
                }
            }
            assert_eq!(session.told(namespace), [""; 0], "{name}");
        }
    }
    canary.sings();
    let log = server.log();
    for token in [&admin.text, &reader.text, &cookie] {
        assert!(!log.contains(token.as_str()), "tokens do not stand in logs");
    }
}

/// Each namespace has a credential of its own.
#[test]
fn two_namespaces_two_principals() {
    let server = house();
    let (admin, reader) =
        (server.token("admin", &[]), server.token("user", &["states:read:light.*"]));
    for over in Over::BOTH {
        let mut session = server.socket_io().bearer(&admin.text).open(over);
        session.enter_as("/states", &reader.text);
        session.enter("/", &json!({}));
        assert_eq!((who(&mut session, "/"), who(&mut session, "/states")), ("admin", "reader"));
        session.send("41/states,");
        session.enter("/states", &json!({}));
        assert_eq!((who(&mut session, "/"), who(&mut session, "/states")), ("admin", "admin"));
    }
}

/// A ticket is used up by the handshake, and good for all namespaces of that connection.
#[test]
fn a_ticket_is_good_for_one_connection() {
    let server = house();
    let reader = server.token("user", &["states:read:light.*"]);
    for (from, over) in (10..).zip(Over::BOTH) {
        let made = server.ask("POST", "/api/auth/ticket").bearer(&reader.text).expect(201);
        let ticket = made["ticket"].as_str().expect("a ticket");
        let begin = server.socket_io().from(from).query(&format!("ticket={ticket}"));
        let mut session = begin.open(over);
        for namespace in ["/", "/states"] {
            session.enter(namespace, &json!({}));
            assert_eq!(who(&mut session, namespace), "reader", "{over:?}");
        }
        for over in Over::BOTH {
            let mut again = begin.open(over);
            again.is_refused("/", &json!({}), TICKET);
        }
        // Polls repeat the query; what was let in stays.
        assert_eq!(who(&mut session, "/states"), "reader", "{over:?}");
    }
}

#[test]
fn guests_of_the_demo() {
    let server = Server::demo();
    let reader = server.token("user", &["states:read:light.*"]);
    let foreign = "guests come from this machine: the Origin must be loopback";
    let enters = |begin: &Handshake, auth: &Value| {
        let mut session = begin.open(Over::Polling);
        session.send(&format!("40/states,{auth}"));
        let told = session.packet();
        assert!(told.starts_with(r#"40/states,{"sid":""#), "{auth}: {told}");
    };
    enters(&server.socket_io(), &json!({}));
    for origin in
        ["http://localhost", "http://localhost:3000", "https://127.0.0.1:1", "http://[::1]"]
    {
        enters(&server.socket_io().header(&format!("Origin: {origin}")), &json!({}));
    }
    for origin in [
        "http://evil.example",
        "http://localhost.evil.example",
        "null",
        "",
        "http://localhost\r\nOrigin: http://evil.example",
    ] {
        let page = server.socket_io().header(&format!("Origin: {origin}"));
        for over in Over::BOTH {
            let mut session = page.open(over);
            session.is_refused("/states", &json!({}), foreign);
            session.is_refused("/", &json!({ "token": "bad" }), INVALID);
        }
        enters(&page, &json!({ "token": reader.text }));
    }
    // What is no good is refused, not taken for a guest's.
    for over in Over::BOTH {
        server.socket_io().open(over).is_refused("/", &json!({ "token": "bad" }), INVALID);
        server.socket_io().bearer("bad").open(over).is_refused("/", &json!({}), INVALID);
        server.socket_io().query("token=bad").open(over).is_refused("/", &json!({}), INVALID);
    }
    // It answers to this machine's names only.
    for host in ["evil.example", "192.168.1.7", "localhost.evil.example"] {
        let elsewhere = server.socket_io().host(host);
        assert_eq!(elsewhere.ask("GET", None).send().status, 403, "{host}");
        assert_eq!(elsewhere.dial(None).response().status, 403, "{host}");
    }
}
