//! Rights that change: who becomes staff, or stops to be, while they listen or are away. Whole addresses are told to who
//! is staff when a battery is booked and when that is delivered, and to nobody else; masked ones are never missing.

use serde_json::{Value, json};

use super::{
    CANARY, House, JANE, JOHN, Line, OLGA, Via,
    frames::{booked, inventory},
    line::{ALL, DEAF, Form, INBOX, ONE, SPACE},
};
use crate::harness::{Client, Got, Over, Token};

const STAFF: &[&str] = &["stations:staff"];
const MASKED: &str = "u***@example.com";
const WHOLE: &str = "user.canary@example.com";

const FORMS: [Form; 6] = [
    ALL,
    ONE,
    SPACE,
    Form::Space(Over::Polling, Some(&["station/1"])),
    Form::Root(Over::Socket, &["stations"]),
    Form::Root(Over::Polling, &["station/1"]),
];

/// jane's scopes are these from now on.
fn scoped(house: &House, scopes: &[&str]) {
    let change = json!({ "scopes": scopes });
    house.admins("PATCH", "/api/users/3").json(&change).expect(200);
}

/// john books and takes it back; gives what is told of it to who is shown them so.
fn books(house: &House, user: &str) -> [String; 3] {
    let made = house.books(JOHN, 1, None);
    house.admins("DELETE", &format!("/api/bookings/{}", made["id"])).expect(204);
    [booked(1, 1, (0, 1), user), inventory(1, (0, 1), "book"), inventory(1, (1, 0), "update")]
}

/// A right that is given and taken while its connections live, by the user's own scopes.
#[test]
fn given_and_taken_while_they_listen() {
    let house = House::new([1, 1]);
    // With cursors, so that who polls is told every event.
    let mut lines =
        FORMS.map(|form| Line::recovered(&house, Some(house.token(JANE)), form, "jane", None));
    // By a token with scopes of its own nothing changes, nor for others.
    let own = house.server.token_of("user", "3", &["states:read"]).text;
    let mut fixed = Line::open(&house, Some(&own), ALL, "jane by another token");
    let mut guest = house.watches(ALL);
    let mut olga = house.line(OLGA, ALL);
    for round in 0..3 {
        for (scopes, user) in [(&[][..], MASKED), (STAFF, WHOLE), (&["states:read"], MASKED)] {
            scoped(&house, scopes);
            let told = books(&house, user);
            for line in &mut lines {
                assert_eq!(line.texts(), told, "{:?} {scopes:?} {round}", line.form);
            }
            let masked = [booked(1, 1, (0, 1), MASKED), told[1].clone(), told[2].clone()];
            for line in [&mut fixed, &mut guest] {
                assert_eq!(line.texts(), masked, "{}", line.name);
            }
            assert_eq!(olga.event().text, booked(1, 1, (0, 1), WHOLE));
            assert_eq!(olga.texts().len(), 2);
        }
    }
    guest.never_heard(CANARY);
    fixed.never_heard(CANARY);
}

/// The same by role, and by the token's own scopes.
#[test]
fn by_role_and_by_token() {
    let house = House::new([1, 1]);
    let token = Token::read(
        &house
            .server
            .operate("tokens.create", json!({ "role": "user", "scopes": ["x:y"], "ttl": 3_600 }))
            .expect("a token is made"),
    );
    let mut scoped_line = Line::open(&house, Some(&token.text), ALL, "by token");
    let mut jane = house.line(JANE, ALL);
    let change_token = |scopes: &[&str]| {
        let change = json!({ "id": token.id, "scopes": scopes });
        house.server.operate("tokens.change", change).expect("it is changed");
    };
    let role = |role: &str| {
        house.admins("PATCH", "/api/users/3").json(&json!({ "role": role })).expect(200);
    };
    for (is_staff, user) in [(true, WHOLE), (false, MASKED), (true, WHOLE)] {
        change_token(if is_staff { STAFF } else { &["x:y"] });
        role(if is_staff { "admin" } else { "user" });
        let told = books(&house, user);
        assert_eq!(scoped_line.texts(), told, "{user}");
        assert_eq!(jane.texts(), told, "{user}");
    }
}

/// What is booked while somebody is away, between changes of their rights; and how it is told to them afterwards.
type Row = (&'static [&'static [&'static str]], &'static [&'static str]);

/// Scopes from the beginning on; each but the last is in force for one booking.
const AWAY: [Row; 6] = [
    (&[STAFF, STAFF], &[WHOLE]),
    (&[&[], &[]], &[MASKED]),
    // Not when it was booked, or not when it is told.
    (&[&[], STAFF], &[MASKED]),
    (&[STAFF, &[]], &[MASKED]),
    // Not all the time in between.
    (&[STAFF, &[], STAFF], &[MASKED, MASKED]),
    (&[&[], STAFF, &["states:read"], STAFF], &[MASKED, MASKED, MASKED]),
];

#[test]
fn given_and_taken_while_they_are_away() {
    for (scopes, users) in AWAY {
        for is_killed in [false, true] {
            let mut house = House::new([1, 1]);
            scoped(&house, scopes[0]);
            let token = house.server.token_of("user", "3", &[]).text;
            let come = |house: &House, form, before: Option<&Line>| {
                Line::recovered(house, Some(&token), form, "jane", before)
            };
            let lines = FORMS.map(|form| come(&house, form, None));
            let mut expected: Vec<String> = Vec::new();
            for (next, user) in scopes[1..].iter().zip(users) {
                expected.extend(books(&house, user));
                scoped(&house, next);
            }
            if is_killed {
                house = house.killed();
            }
            for line in &lines {
                let mut back = come(&house, line.form, Some(line));
                assert_eq!(back.texts(), expected, "{scopes:?} {:?} {is_killed}", line.form);
                if !users.contains(&WHOLE) {
                    back.never_heard(CANARY);
                }
            }
        }
    }
}

/// Bookings while jane is staff, and then while she is not.
const PORTIONS: [usize; 2] = [100, 20];

/// What is told of a portion behind its bookings: they are let go together.
const BEHIND: [&str; 3] = ["station_status", "inventory_update", "station_status"];

/// All that a slow reader is told to so many events; comes back by their cursor when they are cut off.
fn reads(house: &House, token: &str, mut slow: Client, since: String, all: usize) -> Vec<Value> {
    let (mut events, mut place) = (Vec::new(), since);
    while events.len() < all {
        match slow.next() {
            Got::Text(text) => {
                let event: Value = serde_json::from_str(&text).expect("frames are JSON");
                let kind = event["type"].as_str().expect("it has one");
                assert_ne!(kind, "reset", "after {} of {all}", events.len());
                if !matches!(kind, "connection_established" | "resumed") {
                    place = event["cursor"].as_str().expect("it has one").to_owned();
                    events.push(event);
                }
            }
            Got::End => {
                let path = format!("/ws/stations/1/?since={place}");
                slow = house.server.dial(&path).bearer(token).open();
            }
            Got::Close(_) => {}
            other => panic!("{other:?} after {} of {all}", events.len()),
        }
    }
    events
}

/// Somebody reads slowly: what still waits for them when they stop to be staff is not told whole. Nothing is missing
/// from what they are told, unless they are cut off, and then they have the rest by their cursor.
#[test]
fn what_waits_for_a_slow_reader() {
    const ROUNDS: usize = 24;
    let house = House::with(&[("STATIONS__BOOKINGS_PER_USER", "1000")], [PORTIONS[0], 1]);
    let mut admin = house.rules(Via::Rest);
    // Frames are long, so that a few fill what the system keeps of them.
    let name = json!({ "station_id": 1, "name": "\u{1f50b}".repeat(128) });
    admin.does("stations.change", name);
    let token = house.server.token_of("user", "3", &[]).text;
    let dial = house.server.dial("/ws/stations/1/?since=now").bearer(&token);
    let mut slow = dial.receive_buffer(4 << 10).open();
    let first: Value = serde_json::from_str(&slow.text()).expect("frames are JSON");
    let since = first["cursor"].as_str().expect("it has one").to_owned();
    let mut john = house.line(JOHN, DEAF);
    for _ in 0..ROUNDS {
        for (scopes, count) in [STAFF, &[]].into_iter().zip(PORTIONS) {
            scoped(&house, scopes);
            john.does_often("stations.book", &vec![json!({ "station_id": 1 }); count]);
            for status in ["offline", "online"] {
                admin.does("stations.change", json!({ "station_id": 1, "status": status }));
            }
        }
    }
    let all: usize = PORTIONS.map(|count| 2 * count + BEHIND.len()).iter().sum();
    let events = reads(&house, &token, slow, since, ROUNDS * all);
    let (mut told_whole, mut told_masked) = (0, 0);
    let mut events = events.into_iter();
    let mut next = |kind: &str| {
        let event = events.next().expect("there are so many");
        assert_eq!(event["type"], kind, "{event}");
        event["user"].as_str().map(str::to_owned)
    };
    for _ in 0..ROUNDS {
        for (is_staff, count) in [true, false].into_iter().zip(PORTIONS) {
            for _ in 0..count {
                match next("battery_booked").as_deref() {
                    Some(MASKED) => told_masked += usize::from(is_staff),
                    Some(WHOLE) if is_staff => told_whole += 1,
                    other => panic!("{other:?}, staff: {is_staff}"),
                }
                next("inventory_update");
            }
            BEHIND.iter().for_each(|kind| drop(next(kind)));
        }
    }
    // Some went out at once, and some waited until she was no staff any more.
    assert!(told_whole > 0 && told_masked > 0, "{told_whole} whole, {told_masked} masked");
}

/// A token that is revoked, and a user who is shut out: nothing more is heard, nor found with the place from before.
#[test]
fn who_is_put_out_hears_nothing_more() {
    let house = House::new([1, 1]);
    let lines = FORMS.map(|form| house.line(OLGA, form));
    let inbox = house.line(OLGA, INBOX);
    let path = format!("/api/tokens/{}", house.token_id(OLGA));
    house.admins("DELETE", &path).expect(204);
    books(&house, WHOLE);
    for line in lines {
        assert_eq!(line.put_out(), [""; 0]);
    }
    assert_eq!(inbox.put_out(), [""; 0]);
    house.ask(OLGA, "GET", "/api/stations").refused(401, "UNAUTHENTICATED");
    let lines = FORMS.map(|form| house.line(JANE, form));
    house.admins("PATCH", "/api/users/3").json(&json!({ "disabled": true })).expect(200);
    books(&house, WHOLE);
    for line in lines {
        assert_eq!(line.put_out(), [""; 0]);
    }
    house.ask(JANE, "GET", "/api/stations").refused(401, "UNAUTHENTICATED");
}

/// A call on its way is not run with rights that are gone.
#[test]
fn calls_are_asked_with_the_rights_of_now() {
    let house = House::new([1, 1]);
    for via in Via::ALL {
        let mut jane = house.caller(JANE, via);
        let change = json!({ "station_id": 2, "status": "offline" });
        let forbidden = (403, "FORBIDDEN");
        jane.refusal("stations.change", change.clone(), forbidden);
        scoped(&house, STAFF);
        jane.does("stations.change", change.clone());
        jane.does("bookings.list", json!({ "user_id": "2" }));
        scoped(&house, &[]);
        jane.refusal("stations.change", change, forbidden);
        jane.refusal("bookings.list", json!({ "user_id": "2" }), forbidden);
        house.admins("PATCH", "/api/stations/2").json(&json!({ "status": "online" })).expect(200);
    }
}
