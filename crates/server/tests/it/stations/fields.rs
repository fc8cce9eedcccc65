//! What numbers, names, statuses and batteries may be: one below, at, and one above each bound.

use serde_json::{Value, json};

use super::{House, JOHN, Line, OLGA, Via, frames, line::DEAF, number};

const INVALID: (u16, &str) = (422, "INVALID");

/// A number in a body or a message is one of 1 to 2^53-1, else the field is named; in a path it leads nowhere.
#[test]
fn numbers() {
    let house = House::new([2, 0]);
    let wrong = [
        json!(0),
        json!(-1),
        json!(9_007_199_254_740_992_u64),
        json!(9_007_199_254_740_993_u64),
        json!(9_223_372_036_854_775_807_u64),
        json!(18_446_744_073_709_551_615_u64),
        json!(1.0),
        json!(1.5),
        json!(1e300),
        json!("1"),
        json!(""),
        json!(true),
        json!(null),
        json!([1]),
        json!({ "id": 1 }),
    ];
    for via in [Via::Plain, Via::SocketIo] {
        for value in &wrong {
            // A connection has only so many refusals.
            let mut olga = house.caller(OLGA, via);
            for (call, key, more) in [
                ("stations.get", "station_id", json!({})),
                ("batteries.list", "station_id", json!({})),
                ("stations.book", "station_id", json!({})),
                ("stations.change", "station_id", json!({ "status": "online" })),
                ("batteries.add", "station_id", json!({ "name": "a", "model": "b" })),
                ("batteries.remove", "station_id", json!({ "battery_id": 1 })),
                ("batteries.remove", "battery_id", json!({ "station_id": 1 })),
                ("stations.book", "battery_id", json!({ "station_id": 1 })),
                ("bookings.get", "booking_id", json!({})),
                ("bookings.ready", "booking_id", json!({})),
                ("bookings.collect", "booking_id", json!({})),
                ("bookings.cancel", "booking_id", json!({})),
                ("bookings.list", "station_id", json!({})),
            ] {
                let mut fields = more;
                fields[key] = value.clone();
                let words = olga.refusal(call, fields, INVALID);
                assert!(words.starts_with(&format!("{key}: ")), "{call} {value}: {words}");
            }
        }
        let mut olga = house.caller(OLGA, via);
        for (call, key) in [("stations.get", "station_id"), ("bookings.collect", "booking_id")] {
            let words = olga.refusal(call, json!({}), INVALID);
            assert!(words.contains(key), "{words}");
        }
    }
    // A number that no type can hold.
    let mut client = house.server.dial("/ws/stations/").bearer(house.token(JOHN)).open();
    client.text();
    let said = client.ask(r#"{"type":"stations.book","station_id":1e400}"#);
    assert!(said.starts_with(r#"{"type":"error","message":"station_id: "#), "{said}");
    for value in &wrong {
        let ask = house.ask(JOHN, "POST", "/api/stations/1/bookings");
        let refused = ask.json(&json!({ "battery_id": value })).refused(422, "INVALID").json();
        let words = refused["detail"].as_str().expect("it says why");
        assert!(words.starts_with("battery_id: "), "{value}: {words}");
    }
    assert_eq!(house.counts(1), (2, 0));
}

#[test]
fn numbers_in_paths() {
    let house = House::new([2, 0]);
    let wrong = [
        "0",
        "-1",
        "01",
        "+1",
        "1.0",
        "1e0",
        "abc",
        "%00",
        "1%2f2",
        "%201",
        "9007199254740992",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "null",
        "true",
    ];
    for id in wrong {
        for (method, path) in [
            ("GET", format!("/api/stations/{id}")),
            ("PATCH", format!("/api/stations/{id}")),
            ("DELETE", format!("/api/stations/{id}")),
            ("GET", format!("/api/stations/{id}/batteries")),
            ("POST", format!("/api/stations/{id}/batteries")),
            ("DELETE", format!("/api/stations/1/batteries/{id}")),
            ("DELETE", format!("/api/stations/{id}/batteries/1")),
            ("POST", format!("/api/stations/{id}/bookings")),
            ("GET", format!("/api/bookings/{id}")),
            ("POST", format!("/api/bookings/{id}/ready")),
            ("POST", format!("/api/bookings/{id}/collect")),
            ("DELETE", format!("/api/bookings/{id}")),
        ] {
            let body = json!({ "status": "offline", "name": "x", "model": "y" });
            let ask = house.admins(method, &path);
            let ask = if method == "GET" { ask } else { ask.json(&body) };
            ask.refused(404, "NOT_FOUND");
        }
    }
    assert_eq!(house.counts(1), (2, 0));
}

#[test]
fn names_and_statuses() {
    let house = House::new([1, 0]);
    let long = |count: usize| "\u{1f50b}".repeat(count);
    let ask = |body: Value| house.admins("POST", "/api/stations").json(&body);
    let add = |body: Value| house.admins("POST", "/api/stations/1/batteries").json(&body);
    let change = |body: Value| house.admins("PATCH", "/api/stations/1").json(&body);
    for name in ["x", "\u{5d0}\u{5d1}", "<b>&\"", "a\u{200b}b", &long(128)] {
        let made = ask(json!({ "name": name })).expect(201);
        assert_eq!(made["name"], *name);
        let made = add(json!({ "name": name, "model": name })).expect(201);
        assert_eq!((&made["name"], &made["model"]), (&json!(name), &json!(name)));
        assert_eq!(change(json!({ "name": name })).expect(200)["name"], *name);
    }
    let wrong = [
        json!(""),
        json!(" "),
        json!(" a"),
        json!("a "),
        json!("a\nb"),
        json!("\u{1b}[2J"),
        json!(long(129)),
        json!(7),
        json!(null),
        json!(["a"]),
    ];
    let named = |refused: crate::harness::Response, key: &str| {
        let words = refused.json()["detail"].as_str().expect("it says why").to_owned();
        assert!(words.starts_with(&format!("{key}: ")), "{words}");
    };
    for name in wrong {
        named(ask(json!({ "name": name })).refused(422, "INVALID"), "name");
        named(change(json!({ "name": name })).refused(422, "INVALID"), "name");
        named(add(json!({ "name": name, "model": "x" })).refused(422, "INVALID"), "name");
        named(add(json!({ "name": "x", "model": name })).refused(422, "INVALID"), "model");
    }
    for status in [json!("Online"), json!("closed"), json!(""), json!(1), json!(null), json!([])] {
        named(change(json!({ "status": status })).refused(422, "INVALID"), "status");
        named(ask(json!({ "name": "x", "status": status })).refused(422, "INVALID"), "status");
    }
    for body in [json!({}), json!({ "other": 1 })] {
        change(body.clone()).refused(422, "INVALID");
        ask(body.clone()).refused(422, "INVALID");
        add(body).refused(422, "INVALID");
    }
    for body in
        [json!({ "name": "x" }), json!({ "model": "x" }), json!({ "battery_id": 77, "name": "x" })]
    {
        add(body).refused(422, "INVALID");
    }
    for id in [json!(0), json!(-1), json!(9_007_199_254_740_992_u64), json!("7"), json!(null)] {
        let body = json!({ "battery_id": id, "name": "x", "model": "y" });
        named(add(body).refused(422, "INVALID"), "battery_id");
    }
}

/// A battery of a fleet may have the largest number there is; the next that is new gets another.
#[test]
fn a_battery_with_the_largest_number() {
    const LARGEST: i64 = (1 << 53) - 1;
    let house = House::new([1, 0]);
    let add = |body: Value| house.admins("POST", "/api/stations/1/batteries").json(&body);
    let large = json!({ "battery_id": LARGEST, "name": "x", "model": "y" });
    assert_eq!(add(large.clone()).expect(201)["id"], LARGEST);
    add(large).refused(409, "CONFLICT");
    let mut ids = house.batteries(1, "available");
    for _ in 0..3 {
        let new = number(&add(json!({ "name": "x", "model": "y" })).expect(201));
        assert!((1..LARGEST).contains(&new) && !ids.contains(&new), "{new} in {ids:?}");
        ids.push(new);
    }
    // Numbers that a fleet takes ahead of those that are given are passed over.
    for ahead in 1..=3 {
        let next = ids.iter().filter(|id| **id != LARGEST).max().expect("there are some") + ahead;
        add(json!({ "battery_id": next, "name": "x", "model": "y" })).expect(201);
        ids.push(next);
        for _ in 0..=ahead {
            let new = number(&add(json!({ "name": "x", "model": "y" })).expect(201));
            assert!(!ids.contains(&new), "{new} in {ids:?}");
            ids.push(new);
        }
    }
}

/// A battery comes back as it was, or as it is called from then on.
#[test]
fn a_battery_comes_back() {
    let house = House::new([1, 1]);
    let mut booking = 0;
    let mut takes = |station: usize| {
        booking += 1;
        house.books(JOHN, station, Some(1));
        house.ask(JOHN, "POST", &format!("/api/bookings/{booking}/collect")).expect(200);
    };
    let back = |station: usize, more: Value| {
        let mut body = json!({ "battery_id": 1 });
        body.as_object_mut().expect("it is one").extend(more.as_object().expect("so").clone());
        house
            .ask(OLGA, "POST", &format!("/api/stations/{station}/batteries"))
            .json(&body)
            .expect(201)
    };
    let shown = |name: &str, model: &str, station: usize| json!({ "id": 1, "station_id": station, "name": name, "model": model, "status": "available" });
    for (station, to, more, expected) in [
        (1, 2, json!({}), shown("Tesla Battery", "Model 3", 2)),
        (2, 1, json!({ "name": "Other" }), shown("Other", "Model 3", 1)),
        (1, 1, json!({ "model": "Model Y" }), shown("Other", "Model Y", 1)),
        (1, 2, json!({ "name": "A", "model": "B" }), shown("A", "B", 2)),
    ] {
        takes(station);
        assert_eq!(back(to, more), expected);
    }
    // Notifications have the name of the time.
    let infos: Vec<Value> =
        house.inbox(JOHN).iter().map(|item| item["battery_info"].clone()).collect();
    let first = frames::BATTERY;
    assert_eq!(infos, [first, first, "Other - Model 3", "Other - Model Y"]);
}

/// A battery's number is its `battery_id`. In both dialects `id` is what a request is called; over HTTP it is the same.
#[test]
fn what_a_battery_s_number_is_called() {
    let house = House::new([1, 0]);
    let named = |more: Value| {
        let mut fields = json!({ "station_id": 1, "name": "x", "model": "y" });
        fields.as_object_mut().expect("it is one").extend(more.as_object().expect("so").clone());
        fields
    };
    for (n, via) in (10..).zip(Via::ALL) {
        let made = house.caller(OLGA, via).does("batteries.add", named(json!({ "battery_id": n })));
        assert_eq!(made["id"], n, "{via:?}");
    }
    let mut over_http = house.caller(OLGA, Via::Rest);
    assert_eq!(over_http.does("batteries.add", named(json!({ "id": 20 })))["id"], 20);
    over_http.refusal("batteries.add", named(json!({ "id": 21, "battery_id": 21 })), INVALID);
    let mut client = house.server.dial("/ws/stations/2/").bearer(house.token(OLGA)).open();
    client.text();
    let add = |more: &str| {
        format!(r#"{{"type":"batteries.add","station_id":1,"name":"x","model":"y"{more},"id":30}}"#)
    };
    for (more, number) in [("", 2), (r#","battery_id":31"#, 31)] {
        let battery = format!(
            r#"{{"id":{number},"station_id":1,"name":"x","model":"y","status":"available"}}"#
        );
        let answer = format!(
            r#"{{"type":"batteries.add:response","success":true,"data":{battery},"id":30}}"#
        );
        assert_eq!(client.ask(&add(more)), answer);
    }
}

#[test]
fn a_station_has_room_for_a_thousand() {
    const MAX: usize = 1_000;
    let house = House::new([MAX - 1, 1]);
    let add = || {
        let body = json!({ "name": "Tesla Battery", "model": "Model 3" });
        house.admins("POST", "/api/stations/1/batteries").json(&body)
    };
    add().expect(201);
    let mut watcher = house.watches(super::line::ONE);
    add().refused(409, "CONFLICT");
    let own = json!({ "battery_id": 5_000, "name": "x", "model": "y" });
    house.admins("POST", "/api/stations/1/batteries").json(&own).refused(409, "CONFLICT");
    assert_eq!(watcher.texts(), [""; 0]);
    // What is held counts; what was collected does not.
    house.books(JOHN, 1, None);
    add().refused(409, "CONFLICT");
    house.admins("POST", "/api/bookings/1/collect").expect(200);
    add().expect(201);
    assert_eq!(house.counts(1), (MAX as i64, 0));
    // Coming back is being added.
    house
        .admins("POST", "/api/stations/1/batteries")
        .json(&json!({ "battery_id": 1 }))
        .refused(409, "CONFLICT");
    house.admins("POST", "/api/stations/2/batteries").json(&json!({ "battery_id": 1 })).expect(201);
    // All of them are let go at once, and leave at once.
    let mut line = Line::open(&house, Some(&house.admin), DEAF, "the admin");
    let off = json!({ "station_id": 1, "status": "offline" });
    assert!(line.asks("stations.change", &off).contains("true"));
    house.admins("DELETE", "/api/stations/1").expect(204);
    // Behind what was told of booking, collecting and adding.
    let expected = [frames::status(1, "offline"), frames::inventory(1, (0, 0), "update")];
    assert_eq!(watcher.texts()[6..], expected);
}
