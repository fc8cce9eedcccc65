//! Bookings that end together: of a station that leaves the line or goes, and of a user who goes. Each is released for
//! itself, and the station tells once what it has then.

use serde_json::json;

use super::{
    House, JANE, JOHN, OLGA, UENAL, Via,
    frames::{booked, collected, ended, inventory, kept, kept_item, station, status},
    line::{ALL, INBOX, ONE},
    number,
    table::{JN, JOHNS, PUBLIC, PUBLIC_ANY, STAFF, STAFF_ANY, Scene, UN},
};

const ALL_OF_1: &[&[usize]] = &[&PUBLIC, &STAFF];
const WHY: &str = ": Station is now offline";

#[test]
fn a_station_that_leaves_the_line_lets_go() {
    for (via, to) in [
        (Via::Rest, "offline"),
        (Via::Plain, "maintenance"),
        (Via::SocketIo, "offline"),
        (Via::Rest, "maintenance"),
    ] {
        let house = House::new([5, 1]);
        // Of five one was collected, one cancelled; one is ready, two are confirmed, and one is elsewhere.
        for (user, station) in [(JOHN, 1), (JANE, 1), (JOHN, 1), (JOHN, 1), (UENAL, 1), (JOHN, 2)] {
            house.books(user, station, None);
        }
        house.admins("POST", "/api/bookings/1/collect").expect(200);
        house.admins("DELETE", "/api/bookings/4").expect(204);
        house.admins("POST", "/api/bookings/3/ready").expect(200);
        let mut scene = Scene::of(house);
        let mut olga = scene.house.caller(OLGA, via);
        let why = format!(": {}", super::frames::words(to));
        let told = ended(1, "cancelled", &why);
        let rows: &[(&[&[usize]], &str)] = &[
            (ALL_OF_1, &status(1, to)),
            (&[&[JN]], &told),
            (&[&JOHNS], &told),
            (&[&[UN]], &told),
            (ALL_OF_1, &inventory(1, (4, 0), "update")),
        ];
        let change = json!({ "station_id": 1, "status": to });
        let answer = station(1, to, (4, 0));
        scene.row(&mut olga, "stations.change", change, &answer, rows);
        assert_eq!(scene.house.counts(1), (4, 0));
        assert_eq!(scene.house.counts(2), (0, 1));
        let cancelled: Vec<i64> = scene.house.bookings("cancelled").iter().map(number).collect();
        assert_eq!(cancelled, [5, 4, 3, 2]);
        let item = |user: usize| {
            let items = scene.house.inbox(user);
            kept_item(items.last().expect("there is one"), user)
        };
        assert_eq!(item(JANE), kept("cancelled", 2, 1, &why));
        assert_eq!(item(JOHN), kept("cancelled", 3, 1, &why));
        // Between the two states in which it works not, and back, nothing is left to let go.
        let other = if to == "offline" { "maintenance" } else { "offline" };
        for to in [other, "online"] {
            let change = json!({ "station_id": 1, "status": to });
            let answer = station(1, to, (4, 0));
            scene.row(&mut olga, "stations.change", change, &answer, &[(ALL_OF_1, &status(1, to))]);
        }
    }
}

#[test]
fn a_station_that_goes_takes_its_batteries_along() {
    for via in Via::ALL {
        let mut scene = Scene::new([3, 1]);
        let mut admin = scene.house.rules(via);
        let mut john = scene.house.caller(JOHN, via);
        for (user, battery) in [(JOHN, 1), (JANE, 2)] {
            scene.house.books(user, 1, Some(battery));
        }
        scene.forget();
        let told = ended(1, "cancelled", WHY);
        scene.row(
            &mut admin,
            "stations.delete",
            json!({ "station_id": 1 }),
            "null",
            &[
                (ALL_OF_1, &status(1, "offline")),
                (&[&JOHNS], &told),
                (&[&[JN]], &told),
                (ALL_OF_1, &inventory(1, (0, 0), "update")),
            ],
        );
        // There is no such station, and what was there is nowhere.
        for (call, fields) in [
            ("stations.get", json!({ "station_id": 1 })),
            ("batteries.list", json!({ "station_id": 1 })),
            ("stations.book", json!({ "station_id": 1 })),
        ] {
            john.refused(call, fields, (404, "NOT_FOUND"), "Station not found: 1");
        }
        let (texts, code) = scene.house.server.dial("/ws/stations/1/").open().closed();
        let words = r#"{"type":"error","message":"Station not found: 1"}"#;
        assert_eq!((texts, code), (vec![words.to_owned()], Some(4404)));
        // Bookings stay what they were.
        let shown = john.does("bookings.get", json!({ "booking_id": 1 }));
        assert_eq!((&shown["status"], &shown["station_id"]), (&json!("cancelled"), &json!(1)));
        // One that does not work, and has nothing, says once that it has nothing.
        let off = json!({ "station_id": 2, "status": "offline" });
        admin.does("stations.change", off);
        scene.forget();
        let there: &[&[usize]] = &[&PUBLIC_ANY, &STAFF_ANY, &[super::table::G2, super::table::GS2]];
        scene.row(
            &mut admin,
            "stations.delete",
            json!({ "station_id": 2 }),
            "null",
            &[(there, &inventory(2, (0, 0), "update"))],
        );
        assert_eq!(scene.house.server.ask("GET", "/api/stations").expect(200)["items"], json!([]));
        // A new one is another, with another number.
        let made = admin.does("stations.create", json!({ "name": "Downtown Station" }));
        assert_eq!(number(&made), 3);
    }
}

/// A battery that was with somebody is none of a station's: it stays when that goes, and comes back elsewhere.
#[test]
fn a_battery_outlives_its_station() {
    let house = House::new([2, 1]);
    house.books(JOHN, 1, Some(2));
    house.admins("POST", "/api/bookings/1/collect").expect(200);
    house.admins("DELETE", "/api/stations/1").expect(204);
    let add = |id: i64| {
        house.admins("POST", "/api/stations/2/batteries").json(&json!({ "battery_id": id }))
    };
    let back = add(2).expect(201);
    assert_eq!(back.to_string(), super::frames::battery(2, 2, "available"));
    // What was in it is gone with it.
    add(1).refused(422, "INVALID");
    assert_eq!(house.counts(2), (2, 0));
}

#[test]
fn a_user_who_goes_lets_go() {
    let house = House::new([3, 1]);
    for (user, station) in [(JOHN, 1), (JANE, 1), (JOHN, 2), (JOHN, 1)] {
        house.books(user, station, None);
    }
    house.admins("POST", "/api/bookings/4/collect").expect(200);
    house.admins("POST", "/api/bookings/1/ready").expect(200);
    let mut watchers = [ALL, ONE].map(|form| house.watches(form));
    let (stream, inbox) = (house.line(JOHN, ALL), house.line(JOHN, INBOX));
    let mut janes = house.line(JANE, INBOX);
    house.admins("DELETE", "/api/users/2").expect(204);
    // Nobody reads what would be told to them.
    assert_eq!(inbox.put_out(), [""; 0]);
    let told = stream.put_out();
    let all = [inventory(1, (1, 1), "update"), inventory(2, (1, 0), "update")];
    assert!(told.is_empty() || told == all, "{told:?}");
    let mut heard = watchers[0].texts();
    heard.sort();
    assert_eq!(heard, all);
    assert_eq!(watchers[1].texts(), all[..1]);
    assert_eq!(janes.texts(), [""; 0]);
    assert_eq!((house.counts(1), house.counts(2)), ((1, 1), (1, 0)));
    // Nothing is left of theirs; what others have stays.
    let left: Vec<i64> = ["confirmed", "ready", "collected", "cancelled", "expired"]
        .iter()
        .flat_map(|status| house.bookings(status))
        .map(|booking| number(&booking))
        .collect();
    assert_eq!(left, [2]);
    let booking = house.books(JANE, 1, None);
    assert_eq!(booking["battery_id"], 1);
}

/// After all of it the numbers are those of the rows, in a life of the server that begins with a crash too.
#[test]
fn what_is_shown_is_what_there_is() {
    let mut house = House::new([4, 1]);
    for user in [JOHN, JANE, UENAL] {
        house.books(user, 1, None);
    }
    house.admins("POST", "/api/bookings/2/collect").expect(200);
    house.admins("DELETE", "/api/bookings/3").expect(204);
    for _ in 0..2 {
        assert_eq!(house.counts(1), (2, 1));
        assert_eq!(house.batteries(1, "available"), [3, 4]);
        assert_eq!(house.batteries(1, "booked"), [1]);
        assert_eq!(house.batteries(1, "collected"), [0; 0]);
        house = house.killed();
    }
    let mut watcher = house.watches(ONE);
    house.books(JOHN, 1, None);
    house.admins("POST", "/api/bookings/4/collect").expect(200);
    let told = [
        booked(1, 3, (1, 2), "u***@example.com"),
        inventory(1, (1, 2), "book"),
        collected(1, 3, (1, 1)),
        inventory(1, (1, 1), "collect"),
    ];
    assert_eq!(watcher.texts(), told);
}
