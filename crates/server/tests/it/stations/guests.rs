//! Who needs a credential for what: stations are public unless that is set otherwise, a guest may look and do nothing
//! else, and whoever shows a credential that is no good is refused and no guest.

use serde_json::{Value, json};

use super::{
    CANARY, Caller, House, JOHN, OLGA, Via,
    frames::{booked, inventory},
    line::{ALL, ONE, SPACE},
};
use crate::harness::{Over, Server};

const NONE: &str = "authentication required";
const BAD: &str = "token invalid, expired or revoked";

/// What changes something, or shows what is somebody's.
fn calls() -> Vec<(&'static str, Value)> {
    vec![
        ("stations.create", json!({ "name": CANARY })),
        ("stations.change", json!({ "station_id": 1, "name": CANARY })),
        ("stations.change", json!({ "station_id": 1, "status": "offline" })),
        ("stations.delete", json!({ "station_id": 1 })),
        ("batteries.add", json!({ "station_id": 1, "name": CANARY, "model": CANARY })),
        ("batteries.remove", json!({ "station_id": 1, "battery_id": 2 })),
        ("stations.book", json!({ "station_id": 1 })),
        ("stations.book", json!({ "station_id": 1, "battery_id": 2, "user_id": "2" })),
        ("bookings.list", json!({})),
        ("bookings.get", json!({ "booking_id": 1 })),
        ("bookings.ready", json!({ "booking_id": 1 })),
        ("bookings.collect", json!({ "booking_id": 1 })),
        ("bookings.cancel", json!({ "booking_id": 1 })),
    ]
}

/// What shows what all may see.
fn queries() -> Vec<(&'static str, Value)> {
    vec![
        ("stations.list", json!({})),
        ("stations.get", json!({ "station_id": 1 })),
        ("batteries.list", json!({ "station_id": 1 })),
    ]
}

#[test]
fn a_guest_looks_and_does_nothing_else() {
    let house = House::new([2, 1]);
    house.books(JOHN, 1, Some(1));
    let mut watcher = house.watches(ALL);
    for via in Via::ALL {
        let mut guest = Caller::new(&house, None, via);
        let mut john = house.caller(JOHN, via);
        for (call, fields) in queries() {
            let shown = guest.says(call, fields.clone());
            assert_eq!(shown, john.says(call, fields), "{via:?} {call}");
            assert!(!shown.contains(CANARY), "{shown}");
        }
        for (call, fields) in calls() {
            guest.refused(call, fields, (401, "UNAUTHENTICATED"), NONE);
        }
        // It is a guest as before.
        guest.does("stations.get", json!({ "station_id": 1 }));
        // Of the rest of the house nothing is open.
        for (method, path) in
            [("GET", "/api/states"), ("GET", "/api/notifications"), ("GET", "/api/sensors")]
        {
            house.server.ask(method, path).refused(401, "UNAUTHENTICATED");
        }
    }
    watcher.heard_nothing_of(CANARY);
    assert_eq!(house.counts(1), (1, 1));
}

#[test]
fn a_guest_hears_masked_what_all_hear() {
    let house = House::new([1, 1]);
    for form in [ALL, ONE, SPACE, super::Form::Space(Over::Polling, None)] {
        let mut line = house.watches(form);
        let made = house.books(JOHN, 1, None);
        line.hears(&booked(1, 1, (0, 1), "u***@example.com"));
        line.hears(&inventory(1, (0, 1), "book"));
        house.admins("DELETE", &format!("/api/bookings/{}", made["id"])).expect(204);
        line.hears(&inventory(1, (1, 0), "update"));
        line.heard_nothing_of(CANARY);
    }
    // The server's other namespaces and topics are closed to guests.
    for (from, over) in (10..).zip(Over::BOTH) {
        let mut session = house.server.socket_io().from(from).open(over);
        for namespace in ["/", "/states", "/areas", "/sensors", "/chat"] {
            session.is_refused(namespace, &json!({}), NONE);
        }
        session.is_refused("/", &json!({ "topics": ["stations"] }), NONE);
        for topic in
            ["states", "chat", "notifications", "station/0", "station/01", "stations/staff"]
        {
            let words = format!("topics: unknown topic {topic:?}");
            session.is_refused("/stations", &json!({ "topics": [topic] }), &words);
        }
    }
}

/// What a credential that is no good gets, however it is shown.
#[test]
fn a_bad_credential_makes_no_guest() {
    let house = House::new([1, 1]);
    let gone = house.server.token("user", &[]);
    house.server.operate("tokens.revoke", json!({ "id": gone.id })).expect("it lives");
    let good = house.server.token("user", &[]).text;
    let broken = format!("{}x", &good[..good.len() - 1]);
    let error = |words: &str| format!(r#"{{"type":"error","message":"{words}"}}"#);
    for (from, token) in (10..).zip(["bad", "a.b.c", &gone.text, &broken]) {
        for path in ["/ws/stations/", "/ws/stations/1/"] {
            let (told, code) = house.server.dial(path).from(from).bearer(token).open().closed();
            assert_eq!((told, code), (vec![error(BAD)], Some(4401)), "{token:?}");
            let dial = house.server.dial(&format!("{path}?token={token}")).from(from);
            let (told, code) = dial.open().closed();
            assert_eq!((told, code), (vec![error(BAD)], Some(4401)), "{token:?}");
        }
        for path in ["/api/stations", "/api/stations/1", "/api/stations/1/batteries"] {
            let ask = house.server.ask("GET", path).from(from).bearer(token);
            assert_eq!(ask.refused(401, "UNAUTHENTICATED").json()["detail"], BAD, "{token:?}");
        }
        for over in Over::BOTH {
            let mut session = house.server.socket_io().from(from).open(over);
            session.is_refused("/stations", &json!({ "token": token }), BAD);
        }
    }
    // A cookie counts on pages of the server's own; one that is bad makes no guest there.
    let ask = house.server.ask("GET", "/api/stations").cookie("bad");
    assert_eq!(ask.refused(401, "UNAUTHENTICATED").json()["detail"], BAD);
    let (told, code) = house.server.dial("/ws/stations/").cookie("bad").open().closed();
    assert_eq!((told, code), (vec![error(BAD)], Some(4401)));
}

/// What everybody may see every page may show; the cookie that a browser adds counts for nothing there.
#[test]
fn pages_of_anywhere_look_as_guests() {
    let house = House::new([1, 1]);
    let admin = house.server.token("admin", &[]).text;
    for origin in ["http://localhost", "http://evil.example", "https://swap.example:8443", "null"] {
        let line = format!("Origin: {origin}");
        let cookies = match origin {
            "http://localhost" => vec![None],
            _ => vec![None, Some("bad"), Some(admin.as_str())],
        };
        for cookie in cookies {
            let ask = |method: &str, path: &str| {
                let ask = house.server.ask(method, path).header(&line);
                cookie.map_or(ask, |cookie| {
                    house.server.ask(method, path).header(&line).cookie(cookie)
                })
            };
            ask("GET", "/api/stations").expect(200);
            let refused = ask("POST", "/api/stations/1/bookings").send();
            assert!(matches!(refused.status, 401 | 403), "{origin} {cookie:?}: {refused:?}");
            let dial = house.server.dial("/ws/stations/").header(&line);
            let dial = match cookie {
                Some(cookie) => dial.cookie(cookie),
                None => dial,
            };
            let mut client = dial.open();
            assert!(client.text().contains("Connected to all_stations"), "{origin} {cookie:?}");
            let asked = client.ask(r#"{"type":"bookings.list","id":1}"#);
            let words = format!(r#"{{"type":"error","message":"{NONE}","id":1}}"#);
            assert_eq!(asked, words, "{origin} {cookie:?}");
        }
        // Whoever shows a token is who they are, from anywhere.
        let ask = house.server.ask("GET", "/api/bookings").header(&line);
        ask.bearer(house.token(JOHN)).expect(200);
    }
    let station = house.server.ask("GET", "/api/stations/1").expect(200);
    assert_eq!(station["available_batteries"], 1);
}

/// A house whose stations are for those with a token.
#[test]
fn stations_may_be_closed() {
    let house = House::with(&[("STATIONS__ACCESS", "tokens")], [2, 1]);
    let (john, board) = (house.token(JOHN), house.server.token("device", &[]).text);
    let error = format!(r#"{{"type":"error","message":"{NONE}"}}"#);
    for (from, path) in (10..).zip(["/ws/stations/", "/ws/stations/1/", "/ws/stations/77/"]) {
        let (told, code) = house.server.dial(path).from(from).open().closed();
        assert_eq!((told, code), (vec![error.clone()], Some(4401)), "{path}");
    }
    for path in
        ["/api/stations", "/api/stations/1", "/api/stations/77", "/api/stations/1/batteries"]
    {
        house.server.ask("GET", path).from(20).refused(401, "UNAUTHENTICATED");
    }
    for over in Over::BOTH {
        let mut session = house.server.socket_io().from(21).open(over);
        session.is_refused("/stations", &json!({}), NONE);
    }
    for token in [john, &board] {
        for form in [ALL, ONE, SPACE] {
            let mut line = super::Line::open(&house, Some(token), form, "by token");
            assert_eq!(line.texts(), [""; 0]);
        }
        for via in Via::ALL {
            let mut caller = Caller::new(&house, Some(token), via);
            queries().into_iter().for_each(|(call, fields)| drop(caller.does(call, fields)));
        }
    }
}

/// What a kind of principal may do.
struct Kind {
    who: &'static str,
    token: String,
    is_admin: bool,
    is_staff: bool,
    /// Whether it speaks for a user.
    is_user: bool,
}

fn kinds(house: &House) -> Vec<Kind> {
    let server = &house.server;
    let staff: &[&str] = &["stations:staff"];
    let near: &[&str] = &["stations:staf", "station:staff", "stations:staff:1", "states:write"];
    let kind = |who, token: &str, [is_admin, is_staff, is_user]: [bool; 3]| Kind {
        who,
        token: token.to_owned(),
        is_admin,
        is_staff,
        is_user,
    };
    let of_none = |role: &str, scopes: &[&str]| server.token(role, scopes).text;
    let own = server.token_of("user", "2", staff).text;
    let admin = server.token_of("admin", "1", &[]).text;
    vec![
        kind("a user", house.token(JOHN), [false, false, true]),
        kind("a user that is staff", house.token(OLGA), [false, true, true]),
        kind("an admin", &house.admin, [true, true, false]),
        kind("a user that is an admin", &admin, [true, true, true]),
        kind("a user's token with the scope", &own, [false, true, true]),
        kind("a token that speaks for none", &of_none("user", &[]), [false, false, false]),
        kind("a device", &of_none("device", &[]), [false, false, false]),
        kind("a device that is staff", &of_none("device", staff), [false, true, false]),
        kind("a screen that is staff", &of_none("client", staff), [false, true, false]),
        kind("somebody with other scopes", &of_none("user", near), [false, false, false]),
    ]
}

/// What a call comes to: done, or refused with this status and code.
type Comes = Result<(), (u16, &'static str)>;

const FORBIDDEN: Comes = Err((403, "FORBIDDEN"));
const ABSENT: Comes = Err((404, "NOT_FOUND"));

#[track_caller]
fn comes_to(caller: &mut Caller, who: &str, call: &str, fields: Value, expected: Comes) {
    match (caller.asks(call, fields.clone()), expected) {
        (Ok(_), Ok(())) => {}
        (Err(refused), Err((status, code))) => {
            let told = Some((status, code.to_owned()));
            assert_eq!(refused.code, told, "{who}: {call} {fields}: {refused:?}");
        }
        (answered, _) => panic!("{who}: {call} {fields}: {answered:?}"),
    }
}

/// Each kind of principal: what it may call. A token of a device or a screen speaks for no user, and is staff if it has
/// the scope.
#[test]
fn who_may_do_what() {
    let house = House::new([9, 1]);
    let at_2 = |more: Value| {
        let mut fields = json!({ "station_id": 2 });
        fields.as_object_mut().expect("it is one").extend(more.as_object().expect("so").clone());
        fields
    };
    for Kind { who, token, is_admin, is_staff, is_user } in kinds(&house) {
        let may = |is_so: bool| if is_so { Ok(()) } else { FORBIDDEN };
        let nowhere = |is_so: bool| if is_so { ABSENT } else { FORBIDDEN };
        let mut caller = Caller::new(&house, Some(&token), Via::Rest);
        for (call, fields, comes) in [
            ("stations.create", json!({ "name": "New" }), may(is_admin)),
            ("stations.change", at_2(json!({ "name": "Airport Station" })), may(is_admin)),
            ("stations.change", at_2(json!({ "status": "offline" })), may(is_staff)),
            ("stations.change", at_2(json!({ "name": "A", "status": "online" })), may(is_admin)),
            ("batteries.add", at_2(json!({ "name": "x", "model": "y" })), may(is_staff)),
            ("batteries.remove", at_2(json!({ "battery_id": 77 })), nowhere(is_staff)),
            ("stations.delete", json!({ "station_id": 77 }), nowhere(is_admin)),
            ("stations.book", json!({ "station_id": 1 }), may(is_user)),
            ("bookings.list", json!({}), may(is_user || is_staff)),
            ("bookings.list", json!({ "user_id": "5" }), may(is_staff)),
        ] {
            comes_to(&mut caller, who, call, fields, comes);
        }
        // A booking of somebody else.
        let made = house.books(super::UENAL, 1, None);
        let by = json!({ "booking_id": made["id"] });
        let sees = if is_staff { Ok(()) } else { ABSENT };
        for call in ["bookings.get", "bookings.ready", "bookings.collect"] {
            comes_to(&mut caller, who, call, by.clone(), sees);
        }
        let over = if is_staff { Err((409, "CONFLICT")) } else { ABSENT };
        comes_to(&mut caller, who, "bookings.cancel", by, over);
        // All is as it was for the next.
        if is_staff {
            let body = json!({ "battery_id": made["battery_id"] });
            house.admins("POST", "/api/stations/1/batteries").json(&body).expect(201);
        } else {
            house.admins("DELETE", &format!("/api/bookings/{}", made["id"])).expect(204);
        }
        house.admins("PATCH", "/api/stations/2").json(&json!({ "status": "online" })).expect(200);
    }
}

/// A demo is open to everybody, as all else of it; and has what the contract says.
#[test]
fn a_demo_has_sample_stations() {
    let server = Server::demo();
    let stations = server.ask("GET", "/api/stations").expect(200);
    let expected = json!({ "items": [
        { "id": 1, "name": "Downtown Station", "status": "online",
          "available_batteries": 15, "booked_batteries": 3, "total_batteries": 18 },
        { "id": 2, "name": "Airport Station", "status": "online",
          "available_batteries": 8, "booked_batteries": 0, "total_batteries": 8 },
    ], "next": null });
    assert_eq!(stations.to_string(), expected.to_string());
    let batteries = server.ask("GET", "/api/stations/1/batteries").expect(200);
    let first = &batteries["items"][0];
    assert_eq!((&first["name"], &first["model"]), (&json!("Tesla Battery"), &json!("Model 3")));
    let admin = server.sign_in("admin", "demo");
    let bookings = server.ask("GET", "/api/bookings").bearer(&admin).expect(200);
    let users: Vec<&Value> = super::items(&bookings).iter().map(|b| &b["user_id"]).collect();
    assert_eq!(users, ["3", "2", "1"]);
    assert!(super::items(&bookings).iter().all(|b| b["expires_at"].is_null()));
    // The document's client hears of it, and books.
    let mut watcher = server.dial("/ws/stations/1/").open();
    watcher.text();
    let john = server.sign_in("john_doe", "demo");
    server.ask("POST", "/api/stations/1/bookings").bearer(&john).expect(201);
    assert!(watcher.text().starts_with(r#"{"type":"battery_booked","station_id":1,"#));
    server.ask("POST", "/api/stations/1/bookings").refused(401, "UNAUTHENTICATED");
}
