//! What an operator sets about callers, and what it does.

use jiff::tz::{Offset, TimeZone};
use serde_json::json;

use crate::harness::{Ask, Server};

fn login(server: &Server) -> Ask {
    let body = json!({ "username": "admin", "password": server.admin_password() });
    server.ask("POST", "/api/auth/login").json(&body)
}

#[test]
fn hosts_that_are_answered_to() {
    let server = Server::with(&[("HOSTS", "localhost,home.example")]);
    let ask = |host: &str| server.ask("GET", "/metrics").host(host);
    for host in ["localhost", "localhost:1", "home.example", "HOME.example:8080"] {
        assert_eq!(ask(host).send().status, 200, "{host}");
    }
    for host in ["127.0.0.1", "evil.example", "home.example.evil.example", "xhome.example"] {
        ask(host).refused(421, "MISDIRECTED");
        // Probes ask by address.
        assert_eq!(server.ask("GET", "/readyz").host(host).send().status, 200);
    }
}

#[test]
fn origins_that_may_use_the_cookie() {
    let server = Server::with(&[("ORIGINS", "https://app.example,http://localhost:3000")]);
    let session = server.sign_in("admin", &server.admin_password());
    let ask = |method: &str, origin: &str| {
        let ask = server.ask(method, "/api/states/light.hall").json(&json!({ "state": "on" }));
        ask.header(&format!("Cookie: bellwire_session={session}"))
            .header(&format!("Origin: {origin}"))
    };
    for origin in ["https://app.example", "http://localhost:3000"] {
        let response = ask("POST", origin).send();
        assert!(matches!(response.status, 200 | 201), "{response:?}");
        let header = |name| response.header(name);
        assert_eq!(header("access-control-allow-origin"), Some(origin));
        assert_eq!(header("access-control-allow-credentials"), Some("true"));
        let preflight = server
            .ask("OPTIONS", "/api/states")
            .header(&format!("Origin: {origin}"))
            .header("Access-Control-Request-Method: GET")
            .send();
        assert_eq!(preflight.header("access-control-allow-credentials"), Some("true"));
        let cookie = format!("Cookie: bellwire_session={session}");
        let upgrade = server.dial("/api/ws").header(&cookie).header(&format!("Origin: {origin}"));
        assert_eq!(upgrade.open().told(), [""; 0]);
    }
    for origin in
        ["http://app.example", "https://app.example:8443", "https://x.app.example", "null"]
    {
        let refused = ask("POST", origin).refused(403, "FORBIDDEN");
        assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
        assert_eq!(refused.header("access-control-allow-credentials"), None);
    }
}

#[test]
fn proxies_that_are_believed() {
    let closed = Server::start();
    let behind = Server::with(&[("PROXIES", "127.0.0.1")]);
    let cookie = |ask: Ask| {
        let response = ask.header("X-Forwarded-Proto: https").send();
        assert_eq!(response.status, 200, "{response:?}");
        response.header("set-cookie").expect("a session has a cookie").to_owned()
    };
    assert!(!cookie(login(&closed)).contains("Secure"));
    assert!(cookie(login(&behind)).ends_with("; Secure"));
    assert!(!cookie(login(&behind).from(2)).contains("Secure"), "127.0.0.2 is no proxy");

    // Ten bad connections a minute and address: behind the proxy each caller has their own.
    let bad = |server: &Server, caller: u8| {
        let dial = server.dial("/api/ws").from(1).bearer("x");
        dial.header(&format!("X-Forwarded-For: 203.0.113.{caller}")).response().status
    };
    let statuses = |server: &Server| (0..20).map(|n| bad(server, n)).collect::<Vec<_>>();
    assert_eq!(statuses(&behind), [101; 20]);
    assert_eq!(statuses(&closed), [[101; 10], [429; 10]].concat());
    let again = (0..12).map(|_| bad(&behind, 200)).collect::<Vec<_>>();
    assert_eq!(again, [&[101; 10][..], &[429; 2]].concat());
}

#[test]
fn strict_limits_count_everybody() {
    let server = Server::with(&[("LIMITS__STRICT", "true")]);
    let token = server.token("admin", &[]);
    let dial = |host: u8| server.dial("/api/ws").from(host).bearer(&token.text).response();
    let statuses: Vec<u16> = (0..12).map(|_| dial(5).status).collect();
    assert_eq!(statuses, [&[101; 10][..], &[429; 2]].concat());
    let refused = dial(5);
    assert!(refused.header("retry-after").is_some_and(|s| s.parse::<u32>().is_ok()), "{refused:?}");
    assert_eq!(dial(6).status, 101);
}

#[test]
fn measures_for_admins_alone() {
    let server = Server::with(&[("METRICS__OPEN", "false")]);
    let ask = || server.ask("GET", "/metrics");
    ask().refused(401, "UNAUTHENTICATED");
    ask().bearer("x").refused(401, "UNAUTHENTICATED");
    ask().bearer(&server.token("user", &[]).text).refused(403, "FORBIDDEN");
    ask().bearer(&server.token("user", &["server:metrics:all"]).text).refused(403, "FORBIDDEN");
    for (role, scopes) in [("admin", &[][..]), ("device", &["server:metrics"])] {
        let measures = ask().bearer(&server.token(role, scopes).text).send();
        assert!(measures.body.contains("\nbellwire_connections "), "{measures:?}");
    }
}

#[test]
fn how_long_a_login_lasts() {
    let server = Server::with(&[("LOGIN__SESSION", "1m")]);
    let response = login(&server).send();
    let cookie = response.header("set-cookie").expect("a session has a cookie");
    let age = cookie.split("; ").find_map(|part| part.strip_prefix("Max-Age="));
    assert!(matches!(age, Some("60" | "61")), "{cookie}");
}

#[test]
fn the_day_and_the_time_that_people_are_shown() {
    let server = Server::with(&[("TIME_ZONE", "Asia/Kolkata")]);
    let token = server.token_of("user", &server.user("jane", "user", &[]), &[]).text;
    let sent = json!({ "to": "all", "title": "Power", "message": "The power is out." });
    let admin = server.token("admin", &[]).text;
    server.ask("POST", "/api/notifications").bearer(&admin).json(&sent).expect(201);
    let shown = server.ask("GET", "/api/notifications").bearer(&token).expect(200);
    let shown = &shown["items"][0];
    // There is one moment, here in UTC and there half past five hours later, all year round.
    let at = format!("{}Z", shown["timestamp"].as_str().expect("a time"));
    let zone = TimeZone::fixed(Offset::from_seconds(19_800).expect("it is one"));
    let at = at.parse::<jiff::Timestamp>().expect("a time").to_zoned(zone);
    let (day, month, year) = (at.day(), at.month(), at.year());
    let time = format!("{:02}:{:02}", at.hour(), at.minute());
    assert_eq!(shown["date"], json!({ "day": day, "month": month, "year": year, "time": time }));
}
