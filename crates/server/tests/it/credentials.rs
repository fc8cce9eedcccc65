//! Every forged token in every place where a credential may stand: it is refused there, in the same
//! words, and nothing comes of it.

use serde_json::json;

use crate::{
    forge::Forge,
    harness::{Ask, Canary, Client, Server, text},
};

/// Where on an upgrade a credential may stand.
#[derive(Debug, Clone, Copy)]
enum Place {
    Header,
    Query,
    Message,
    Cookie,
    Ticket,
}

const PLACES: [Place; 5] =
    [Place::Header, Place::Query, Place::Message, Place::Cookie, Place::Ticket];

/// What may be put there: a header holds no line end, a query nothing but itself.
fn fits(place: Place, token: &str) -> bool {
    let plain = token.bytes().all(|b| b.is_ascii_graphic());
    match place {
        Place::Message => true,
        Place::Query | Place::Ticket => plain && token.len() < 7_000,
        Place::Header | Place::Cookie => plain && !token.contains(';'),
    }
}

/// Shows a credential, and sends right behind it what must never be run.
fn show(server: &Server, place: Place, token: &str, from: u8) -> Client {
    let write = text(r#"{"type":"states:create","entity_id":"lock.door","state":"open"}"#);
    let dial = |path: &str| server.dial(path).from(from);
    let dial = match place {
        Place::Header => dial("/api/ws").bearer(token),
        Place::Query => dial(&format!("/api/ws?since=now&token={token}")),
        Place::Message => {
            let auth = json!({ "type": "auth", "token": token }).to_string();
            dial("/api/ws?auth=message").with(&text(&auth))
        }
        Place::Cookie => dial("/api/ws").cookie(token),
        Place::Ticket => dial(&format!("/api/ws?ticket={token}")),
    };
    dial.with(&write).open()
}

/// What is said of it. One with a good signature was looked for in vain at the first place, so the
/// others need not look.
fn words(place: Place) -> &'static str {
    match place {
        Place::Message => "the first message must be auth with a valid token",
        Place::Ticket => "ticket invalid, expired or used",
        Place::Header | Place::Query | Place::Cookie => "token invalid, expired or revoked",
    }
}

/// The same over HTTP.
fn rest(server: &Server) -> Vec<Ask> {
    let token = json!({ "role": "admin", "ttl": 60 });
    vec![
        server.ask("GET", "/api/states"),
        server.ask("POST", "/api/states/lock.door").json(&json!({ "state": "open" })),
        server.ask("POST", "/api/tokens").json(&token),
        server.ask("POST", "/api/auth/ticket"),
    ]
}

#[test]
fn a_forged_token_is_good_nowhere() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let real = server.token("admin", &[]);
    let forge = Forge::new(server.data(), &real);
    let revoked = server.token("admin", &[]);
    server.operate("tokens.revoke", json!({ "id": revoked.id })).expect("the token lives");
    let mut rows = forge.bad_tokens();
    let good = forge.token(&[], &[]);
    rows.extend([
        ("revoked", revoked.text),
        ("a line within", good.replacen('.', "\n.", 1)),
        ("a line behind", format!("{good}\n")),
        ("a NUL behind", format!("{good}\u{0}")),
        ("a blank before", format!(" {good}")),
        ("beyond ASCII", format!("{good}\u{e9}")),
    ]);
    assert!(rows.len() >= 80, "{}", rows.len());
    let tokens = server.operate("tokens.list", json!({})).expect("a list");
    for (turn, (name, token)) in rows.iter().enumerate() {
        // Bad credentials are counted by address: ten a minute.
        let from = 2 + (turn / 2) as u8;
        for place in PLACES.into_iter().filter(|place| fits(*place, token)) {
            let told = words(place);
            let frame = format!(r#"{{"type":"error","success":false,"error":"{told}"}}"#);
            let mut client = show(&server, place, token, from);
            assert_eq!(client.closed(), (vec![frame], Some(4401)), "{name} {place:?}");
        }
        for ask in rest(&server) {
            if fits(Place::Header, token) {
                ask.clone().bearer(token).refused(401, "UNAUTHENTICATED");
                ask.cookie(token).refused(401, "UNAUTHENTICATED");
            }
        }
        canary.sings();
    }
    let admin = server.ask("GET", "/api/states/lock.door").bearer(&good);
    admin.refused(404, "NOT_FOUND");
    assert_eq!(server.operate("tokens.list", json!({})), Ok(tokens), "no token was made");
    assert!(!server.log().contains(&good), "tokens do not stand in logs");
    // The places are good ones: a good token is let in by each.
    for place in [Place::Header, Place::Query, Place::Message, Place::Cookie] {
        let mut client = show(&server, place, &good, 200);
        let answer = std::iter::repeat_with(|| client.text());
        let answer = answer.take(4).find(|frame| frame.contains("states:create:response"));
        assert!(answer.is_some_and(|answer| answer.contains(r#""success":true"#)), "{place:?}");
    }
    for ask in rest(&server) {
        let (by_bearer, by_cookie) = (ask.clone().bearer(&good).send(), ask.cookie(&good).send());
        assert!(by_bearer.status < 300 && by_cookie.status < 300, "{by_bearer:?} {by_cookie:?}");
    }
}
