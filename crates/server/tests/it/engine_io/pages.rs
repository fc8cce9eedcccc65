//! Which pages may read what polls are answered with, and for which the cookie counts.

use serde_json::json;

use crate::harness::{Canary, Handshake, Over, Response, Server, UNKNOWN};

const FOREIGN: &str = "the session cookie is for pages of this server's own origin";

fn server() -> Server {
    Server::with(&[("ORIGINS", "https://app.example,http://localhost:3000")])
}

/// Who may read a response: a page of this origin, with the cookie; or anybody's, without.
#[track_caller]
fn readable(response: &Response, origin: Option<&str>) {
    let header = |name| response.header(name);
    assert_eq!(header("access-control-allow-origin"), Some(origin.unwrap_or("*")), "{response:?}");
    let credentials = origin.map(|_| "true");
    assert_eq!(header("access-control-allow-credentials"), credentials, "{response:?}");
    assert_eq!(header("vary"), Some("Origin"), "{response:?}");
}

/// The origin of a page, and whether it is listed.
const ORIGINS: &[(&str, bool)] = &[
    ("https://app.example", true),
    ("http://localhost:3000", true),
    ("http://localhost", false),
    ("http://app.example", false),
    ("https://app.example:443", false),
    ("https://app.example.", false),
    ("https://APP.example", false),
    ("https://app.example/", false),
    ("https://xapp.example", false),
    ("https://x.app.example", false),
    ("https://app.example.evil.example", false),
    ("https://app.example, https://evil.example", false),
    ("https://app.example https://evil.example", false),
    ("http://localhost:30000", false),
    ("https://evil.example", false),
    ("null", false),
    ("*", false),
    ("", false),
];

#[test]
fn who_may_read_polls() {
    let server = server();
    let mut canary = Canary::new(&server);
    for (from, (origin, listed)) in (10..).zip(ORIGINS) {
        let allowed = listed.then_some(*origin);
        let page = server.socket_io().from(from).header(&format!("Origin: {origin}"));
        let session = page.open(Over::Polling);
        readable(&session.post(b"40"), allowed);
        let poll = session.poll();
        assert_eq!(poll.body, r#"44{"message":"authentication required"}"#);
        readable(&poll, allowed);
        // What refuses may be read as well.
        readable(&session.post(b""), allowed);
        let over = session.poll();
        assert_eq!((over.status, &*over.body), (400, UNKNOWN));
        readable(&over, allowed);
        readable(&page.ask("POST", None).send(), allowed);
        readable(&page.ask("POST", None).body(&vec![b'4'; 1_000_001]).send(), allowed);
    }
    readable(&server.socket_io().ask("GET", None).send(), None);
    canary.sings();
}

#[test]
fn preflights() {
    let server = server();
    let connections = server.metric("bellwire_connections");
    for (origin, listed) in ORIGINS {
        let page = server.socket_io().header(&format!("Origin: {origin}"));
        for sid in [None, Some("AAAAAAAAAAAAAAAAAAAA")] {
            let asked = "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type";
            let preflight = page.ask("OPTIONS", sid).header(asked).send();
            assert_eq!((preflight.status, &*preflight.body), (204, ""), "{origin}");
            readable(&preflight, listed.then_some(*origin));
            let header = |name| preflight.header(name).unwrap_or_default().to_lowercase();
            assert!(header("access-control-allow-methods").contains("post"), "{preflight:?}");
            assert!(
                header("access-control-allow-headers").contains("content-type"),
                "{preflight:?}"
            );
            assert!(
                header("access-control-allow-headers").contains("authorization"),
                "{preflight:?}"
            );
        }
    }
    assert_eq!(server.metric("bellwire_connections"), connections, "a preflight begins nothing");
}

/// A cookie counts for the server's own pages and the listed ones; others are told so at CONNECT, as they
/// may yet show a token.
#[test]
fn the_cookie_of_a_foreign_page() {
    let server = server();
    let mut canary = Canary::new(&server);
    let cookie = server.sign_in("admin", &server.admin_password());
    let token = server.token("admin", &[]);
    // What the request says of the page, and whether the cookie counts over a socket, and over polling: where
    // a browser only reads, it says nothing of its own page.
    let rows: &[(&[&str], bool, bool)] = &[
        (&["Origin: http://localhost"], true, true),
        (&["Origin: https://app.example"], true, true),
        (&["Origin: http://localhost:3000"], true, true),
        (&[], false, true),
        (&["Sec-Fetch-Site: same-origin"], false, true),
        (&["Sec-Fetch-Site: same-site"], false, false),
        (&["Sec-Fetch-Site: cross-site"], false, false),
        (&["Origin: https://localhost"], false, false),
        (&["Origin: http://localhost:8080"], false, false),
        (&["Origin: https://evil.example"], false, false),
        (&["Origin: https://app.example.evil.example"], false, false),
        (&["Origin: null"], false, false),
        (&["Origin:"], false, false),
        (&["Origin: https://app.example", "Origin: https://evil.example"], false, false),
        (&["Origin: https://evil.example", "X-Forwarded-Host: evil.example"], false, false),
    ];
    for (from, (lines, by_socket, by_polling)) in (10..).zip(rows) {
        for (over, counts) in [(Over::Socket, by_socket), (Over::Polling, by_polling)] {
            let page = server.socket_io().from(from);
            let page = page.header(&format!("Cookie: a=b; bellwire_session={cookie}"));
            let page: Handshake = lines.iter().fold(page, |page, line| page.header(line));
            if !counts && over == Over::Polling {
                let refused = page.ask("GET", None).send();
                let body = r#"{"code":4,"message":"Forbidden"}"#;
                assert_eq!((refused.status, &*refused.body), (403, body), "{lines:?}");
                continue;
            }
            let mut session = page.open(over);
            if *counts {
                session.enter("/states", &json!({}));
            } else {
                session.is_refused("/states", &json!({}), FOREIGN);
                session.is_refused("/", &json!({ "recover": true }), FOREIGN);
                session.enter_as("/states", &token.text);
            }
            assert_eq!(session.told("/states"), [""; 0], "{lines:?} over {over:?}");
        }
        canary.sings();
    }
}
