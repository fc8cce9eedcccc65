//! What users find who were away: in the inbox each thing once, and by `?since` each once, over kill -9.

use serde_json::{Value, json};

use super::{
    House, JANE, JOHN, Line, OLGA, UENAL,
    frames::{confirmed, ended, kept, kept_item, ready},
    line::{Form, INBOX},
    number,
};
use crate::harness::Over;

const OFFLINE: &str = ": Station is now offline";

/// A step, what is told of it, and what is kept.
type Step = (fn(&House), String, String);

/// What happens to john's bookings while nobody of theirs listens.
fn steps() -> Vec<Step> {
    fn book(house: &House) {
        house.books(JOHN, 1, None);
    }
    fn by_staff(house: &House, method: &str, path: &str) {
        let answer = house.ask(OLGA, method, &format!("/api/bookings/{path}")).send();
        assert!(matches!(answer.status, 200 | 204), "{answer:?}");
    }
    let told = |became: &str, why: &str| ended(1, became, why);
    vec![
        (book, confirmed(1, 1), kept("confirmed", 1, 1, "")),
        (|house| by_staff(house, "POST", "1/ready"), ready(1, 1), kept("ready", 1, 1, "")),
        (book, confirmed(2, 1), kept("confirmed", 2, 1, "")),
        (
            |house| by_staff(house, "DELETE", "1"),
            told("cancelled", ""),
            kept("cancelled", 1, 1, ""),
        ),
        (
            |house| {
                for status in ["offline", "online"] {
                    let change = json!({ "status": status });
                    house.ask(OLGA, "PATCH", "/api/stations/1").json(&change).expect(200);
                }
            },
            told("cancelled", OFFLINE),
            kept("cancelled", 2, 1, OFFLINE),
        ),
        (book, confirmed(3, 1), kept("confirmed", 3, 1, "")),
        (
            |house| {
                house.admins("DELETE", "/api/stations/1").expect(204);
            },
            told("cancelled", OFFLINE),
            kept("cancelled", 3, 1, OFFLINE),
        ),
    ]
}

/// What others do beside, of which john is told nothing.
fn noise(house: &House, n: usize) {
    let id = number(&house.books([JANE, UENAL][n % 2], 2, None));
    house.admins("POST", &format!("/api/bookings/{id}/ready")).expect(200);
    house.admins("DELETE", &format!("/api/bookings/{id}")).expect(204);
}

#[test]
fn who_was_away_finds_each_thing_once() {
    for (form, is_killed) in [
        (INBOX, false),
        (INBOX, true),
        (Form::Root(Over::Socket, &["notifications"]), true),
        (Form::Root(Over::Polling, &["notifications"]), false),
    ] {
        let mut house = House::new([4, 1]);
        let away = Line::recovered(&house, Some(house.token(JOHN)), form, "john", None);
        let (mut told, mut kept) = (Vec::new(), Vec::new());
        let mut places = vec![away];
        for (step, says, keeps) in steps() {
            step(&house);
            told.push(says);
            kept.push(keeps);
            if is_killed {
                house = house.killed();
            }
            let found: Vec<String> =
                house.inbox(JOHN).iter().map(|item| kept_item(item, JOHN)).collect();
            assert_eq!(found, kept, "{form:?}");
            // From each place where they were before, the rest.
            let mut back = Vec::new();
            for (known, place) in places.iter().enumerate() {
                let token = Some(house.token(JOHN));
                let mut line = Line::recovered(&house, token, form, "john", Some(place));
                assert_eq!(line.texts(), told[known..], "{form:?} from {known}");
                back.push(line);
                // Socket.IO has one place: of who came last.
                if form != INBOX {
                    break;
                }
            }
            if form == INBOX {
                places.push(back.pop().expect("there is one"));
            }
        }
        // Each id is another, and what was read is read.
        let ids: Vec<i64> = house.inbox(JOHN).iter().map(number).collect();
        assert!(ids.windows(2).all(|two| two[0] < two[1]), "{ids:?}");
        let read = house.ask(JOHN, "POST", "/api/notifications/read");
        assert_eq!(read.json(&json!({ "all": true })).expect(200)["read"], kept.len());
        house = house.killed();
        assert!(house.inbox(JOHN).iter().all(|item| item["read"] == true));
    }
}

/// Others' bookings are nothing to somebody who was away.
#[test]
fn what_is_others_is_not_found() {
    let mut house = House::new([2, 2]);
    let away = Line::recovered(&house, Some(house.token(JOHN)), INBOX, "john", None);
    for n in 0..4 {
        noise(&house, n);
        if n % 2 == 1 {
            house = house.killed();
        }
    }
    let mut line = Line::recovered(&house, Some(house.token(JOHN)), INBOX, "john", Some(&away));
    line.heard_nothing_of("Airport");
    assert_eq!(house.inbox(JOHN), [Value::Null; 0]);
    assert_eq!((house.inbox(JANE).len(), house.inbox(UENAL).len()), (6, 6));
}

/// One inbox for all: what an admin sends, what chat says and what stations tell, each in its form.
#[test]
fn one_inbox_for_all() {
    let house = House::new([1, 0]);
    let send = json!({ "to": "2", "title": "System Update", "message": "New features available!" });
    house.admins("POST", "/api/notifications").json(&send).expect(201);
    house.books(JOHN, 1, None);
    let mut group = house.server.dial("/ws/chat/").bearer(house.token(JANE)).open();
    let made = group.ask(
        r#"{"type":"createUserGroup","data":{"newUserID":"4","roomID":"2:3","newRoomID":"2:3:4"},"id":1}"#,
    );
    assert!(made.contains(r#""success":true"#), "{made}");
    let inbox = house.inbox(JOHN);
    let keys = |item: &Value| -> Vec<String> {
        item.as_object().expect("it is one").keys().cloned().collect()
    };
    let common = ["id", "from", "to", "type", "date", "message", "read"];
    let system = ["title", "level", "timestamp"];
    let booking = ["title", "level", "station_name", "booking_id", "battery_info", "timestamp"];
    let rows = [
        ("system", "system", &system[..]),
        ("booking_confirmed", "system", &booking),
        ("chatGroup", "3", &[]),
    ];
    assert_eq!(inbox.len(), rows.len(), "{inbox:?}");
    for (item, (kind, from, more)) in inbox.iter().zip(rows) {
        assert_eq!(keys(item), [&common[..], more].concat(), "{item}");
        assert_eq!((&item["type"], &item["from"]), (&json!(kind), &json!(from)));
    }
}
