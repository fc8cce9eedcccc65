//! What each decision answers, writes and tells: in the documents' words, with their keys in their order.

use super::*;

const ONLINE: &str = r#"{"id":1,"name":"Downtown Station","status":"online","available_batteries":0,"booked_batteries":0,"total_batteries":0}"#;

#[track_caller]
fn check(came: &Came, reply: &str, told: &[&str]) {
    assert_eq!(came.reply, reply);
    assert_eq!(came.told(), told);
}

#[test]
fn a_station_is_made_renamed_and_switched() {
    let mut world = World::new();
    let made = world.call(ROOT, "stations.create", json!({ "name": "Downtown Station" }));
    check(
        &made,
        ONLINE,
        &[
            r#"inventory_update #1 stations {"station_id":1,"station_name":"Downtown Station","available_batteries":0,"booked_batteries":0,"total_batteries":0,"timestamp":"2024-02-27T10:30:00","action":"update"}"#,
        ],
    );
    let shut = json!({ "name": "Airport", "status": "maintenance" });
    let shut = world.call(ROOT, "stations.create", shut);
    assert_eq!(shut.json()["status"], "maintenance");
    assert_eq!(names(&shut.told()), ["inventory_update"]);
    world.now += MINUTE;
    let mut change = |by: i64, fields: Json, reply: &str, told: &[&str]| {
        let mut request = json!({ "station_id": 1 });
        request.as_object_mut().expect("one").extend(fields.as_object().expect("one").clone());
        check(&world.call(by, "stations.change", request), reply, told);
    };
    let named = ONLINE.replace("Downtown Station", "Main");
    change(
        ROOT,
        json!({ "name": "Main" }),
        &named,
        &[
            r#"inventory_update #1 stations {"station_id":1,"station_name":"Main","available_batteries":0,"booked_batteries":0,"total_batteries":0,"timestamp":"2024-02-27T10:31:00","action":"update"}"#,
        ],
    );
    change(ROOT, json!({ "name": "Main" }), &named, &[]);
    change(STAN, json!({ "status": "online" }), &named, &[]);
    for (status, words) in [
        ("offline", "Station is now offline"),
        ("maintenance", "Station is under maintenance"),
        ("online", "Station is now operational"),
    ] {
        let told = format!(
            r#"station_status #1 stations {{"station_id":1,"station_name":"Main","status":"{status}","message":"{words}","timestamp":"2024-02-27T10:31:00"}}"#
        );
        let reply = named.replace("online", status);
        change(STAN, json!({ "status": status }), &reply, &[&told]);
        change(STAN, json!({ "status": status }), &reply, &[]);
    }
    change(
        ROOT,
        json!({ "status": "offline", "name": "Downtown Station" }),
        &ONLINE.replace("online", "offline"),
        &[
            r#"station_status #1 stations {"station_id":1,"station_name":"Downtown Station","status":"offline","message":"Station is now offline","timestamp":"2024-02-27T10:31:00"}"#,
            r#"inventory_update #1 stations {"station_id":1,"station_name":"Downtown Station","available_batteries":0,"booked_batteries":0,"total_batteries":0,"timestamp":"2024-02-27T10:31:00","action":"update"}"#,
        ],
    );
}

#[test]
fn batteries_come_and_go() {
    let mut world = World::with_batteries(2);
    let battery = json!({ "station_id": 1, "name": "Tesla Battery", "model": "Model 3" });
    check(
        &world.call(STAN, "batteries.add", battery.clone()),
        r#"{"id":3,"station_id":1,"name":"Tesla Battery","model":"Model 3","status":"available"}"#,
        &[
            r#"battery_added #1 stations {"station_id":1,"station_name":"Downtown Station","battery_id":3,"available_batteries":3,"total_batteries":3,"timestamp":"2024-02-27T10:30:00"}"#,
            r#"inventory_update #1 stations {"station_id":1,"station_name":"Downtown Station","available_batteries":3,"booked_batteries":0,"total_batteries":3,"timestamp":"2024-02-27T10:30:00","action":"add"}"#,
        ],
    );
    let mut numbered = battery.clone();
    numbered["battery_id"] = 20.into();
    let added = world.call(STAN, "batteries.add", numbered);
    assert_eq!(added.json()["id"], 20);
    assert_eq!(names(&added.told()), ["battery_added", "inventory_update"]);
    check(
        &world.call(STAN, "batteries.remove", json!({ "station_id": 1, "battery_id": 2 })),
        "null",
        &[
            r#"inventory_update #1 stations {"station_id":1,"station_name":"Downtown Station","available_batteries":3,"booked_batteries":0,"total_batteries":3,"timestamp":"2024-02-27T10:30:00","action":"update"}"#,
        ],
    );
    let there: Vec<i64> = world.rows().batteries.iter().map(|battery| battery.id).collect();
    assert_eq!(there, [1, 3, 20]);
}

#[test]
fn a_battery_is_booked_and_collected() {
    let mut world = World::with_batteries(3);
    let by_john = json!({ "station_id": 1, "battery_id": 2, "user_id": "2" });
    check(
        &world.call(JOHN, "stations.book", by_john),
        r#"{"id":1,"station_id":1,"battery_id":2,"user_id":"2","status":"confirmed","expires_at":"2024-02-27T11:00:00"}"#,
        &[
            r#"battery_booked #1 stations/staff {"station_id":1,"station_name":"Downtown Station","battery_id":2,"available_batteries":2,"booked_batteries":1,"user":"user@example.com","timestamp":"2024-02-27T10:30:00"} | stations {"station_id":1,"station_name":"Downtown Station","battery_id":2,"available_batteries":2,"booked_batteries":1,"user":"u***@example.com","timestamp":"2024-02-27T10:30:00"}"#,
            r#"inventory_update #1 stations {"station_id":1,"station_name":"Downtown Station","available_batteries":2,"booked_batteries":1,"total_batteries":3,"timestamp":"2024-02-27T10:30:00","action":"book"}"#,
            r#"booking_confirmed #booking_confirmed inbox/2 {"booking_id":1,"station_name":"Downtown Station","battery_info":"Tesla Battery - Model 3","message":"Battery booked successfully at Downtown Station","timestamp":"2024-02-27T10:30:00"}"#,
        ],
    );
    world.now += 20 * MINUTE;
    check(
        &world.call(STAN, "bookings.ready", booking(1)),
        r#"{"id":1,"station_id":1,"battery_id":2,"user_id":"2","status":"ready","expires_at":"2024-02-27T11:00:00"}"#,
        &[
            r#"booking_ready #booking_ready inbox/2 {"booking_id":1,"station_name":"Downtown Station","message":"Your battery is ready for collection at Downtown Station","timestamp":"2024-02-27T10:50:00"}"#,
        ],
    );
    world.now += MINUTE;
    check(
        &world.call(JOHN, "bookings.collect", booking(1)),
        r#"{"id":1,"station_id":1,"battery_id":2,"user_id":"2","status":"collected","expires_at":"2024-02-27T11:00:00"}"#,
        &[
            r#"battery_collected #1 stations {"station_id":1,"station_name":"Downtown Station","battery_id":2,"available_batteries":2,"booked_batteries":0,"timestamp":"2024-02-27T10:51:00"}"#,
            r#"inventory_update #1 stations {"station_id":1,"station_name":"Downtown Station","available_batteries":2,"booked_batteries":0,"total_batteries":2,"timestamp":"2024-02-27T10:51:00","action":"collect"}"#,
        ],
    );
    let rows = world.rows();
    assert_eq!(rows.batteries[1].station, None);
    assert_eq!(rows.batteries[1].status, "collected");
    let BookingRow { created_at, expires_at, ended_at, .. } = rows.bookings[0].clone();
    assert_eq!(
        (created_at, expires_at, ended_at),
        (START, Some(START + 30 * MINUTE), Some(START + 21 * MINUTE))
    );
    let inbox = world.inbox(JOHN);
    let shown = |item: &Json| item.to_string();
    let date = |time: &str| format!(r#""date":{{"day":27,"month":2,"year":2024,"time":"{time}"}}"#);
    assert_eq!(
        inbox.iter().map(shown).collect::<Vec<_>>(),
        [
            format!(
                r#"{{"id":2,"from":"system","to":"2","type":"booking_ready",{},"message":"Your battery is ready for collection at Downtown Station","read":false,"title":"Booking ready","level":"success","station_name":"Downtown Station","booking_id":1,"battery_info":"Tesla Battery - Model 3","timestamp":"2024-02-27T10:50:00"}}"#,
                date("10:50")
            ),
            format!(
                r#"{{"id":1,"from":"system","to":"2","type":"booking_confirmed",{},"message":"Battery booked successfully at Downtown Station","read":false,"title":"Booking confirmed","level":"success","station_name":"Downtown Station","booking_id":1,"battery_info":"Tesla Battery - Model 3","timestamp":"2024-02-27T10:30:00"}}"#,
                date("10:30")
            ),
        ]
    );
}

#[test]
fn who_collects_who_cancels() {
    for by in [JOHN, STAN, ROOT] {
        let mut world = World::with_batteries(2);
        // Also of what was not said to be ready.
        let (one, other) = (world.book(JOHN, 1), world.book(JOHN, 1));
        let collected = world.call(by, "bookings.collect", booking(one));
        assert_eq!(names(&collected.told()), ["battery_collected", "inventory_update"]);
        world.call(STAN, "bookings.ready", booking(other));
        check(
            &world.call(by, "bookings.cancel", booking(other)),
            "null",
            &[
                r#"notification #booking_cancelled inbox/2 {"title":"Booking cancelled","message":"Your booking at Downtown Station was cancelled","level":"warning","timestamp":"2024-02-27T10:30:00"}"#,
                r#"inventory_update #1 stations {"station_id":1,"station_name":"Downtown Station","available_batteries":1,"booked_batteries":0,"total_batteries":1,"timestamp":"2024-02-27T10:30:00","action":"update"}"#,
            ],
        );
        let item = world.inbox(JOHN)[0].clone();
        assert_eq!(item["type"], "booking_cancelled");
        assert_eq!((item["booking_id"].as_i64(), &item["level"]), (Some(other), &json!("warning")));
        assert_eq!(item["battery_info"], "Tesla Battery - Model 3");
    }
}

#[test]
fn any_battery_is_the_one_with_the_lowest_number() {
    let mut world = World::with_batteries(3);
    world.station("Airport Station", 1);
    let booked = |world: &mut World, station: i64| {
        let booked = world.call(JOHN, "stations.book", json!({ "station_id": station }));
        booked.json()["battery_id"].as_i64().expect("a number")
    };
    assert_eq!([booked(&mut world, 1), booked(&mut world, 1), booked(&mut world, 2)], [1, 2, 4]);
    world.call(JOHN, "bookings.cancel", booking(1));
    assert_eq!([booked(&mut world, 1), booked(&mut world, 1)], [1, 3]);
}

/// What is told to all of who booked, and what to staff.
#[test]
fn who_booked_is_told_in_full_to_staff_alone() {
    let mut world = World::with_batteries(5);
    let mut check = |by: i64, whole: &str, masked: &str| {
        let booked = world.call(by, "stations.book", json!({ "station_id": 1 }));
        let event = booked.rows[0].event.as_ref().expect("it is told");
        let told = event.variants.iter().map(|variant| {
            let payload: Json = serde_json::from_str(variant.payload.get()).expect("it is JSON");
            (variant.topics.join(" "), payload["user"].as_str().expect("a text").to_owned())
        });
        let expected = [("stations/staff", whole), ("stations", masked)];
        let expected = expected.map(|(topic, user)| (topic.to_owned(), user.to_owned()));
        assert_eq!(told.collect::<Vec<_>>(), expected);
    };
    check(ROOT, "root@example.com", "r***@example.com");
    check(JOHN, "user@example.com", "u***@example.com");
    check(JANE, "jane", "j***");
    check(STAN, "stan@example.com", "s***@example.com");
    check(EVE, "\u{e9}ve@example.com", "\u{e9}***@example.com");
}

#[test]
fn a_battery_comes_back() {
    let mut world = World::with_batteries(2);
    world.station("Airport Station", 0);
    let held = world.book(JOHN, 1);
    world.call(JOHN, "bookings.collect", booking(held));
    // Over HTTP it may be called so.
    let back = world.call(STAN, "batteries.add", json!({ "station_id": 2, "id": 1 }));
    check(
        &back,
        r#"{"id":1,"station_id":2,"name":"Tesla Battery","model":"Model 3","status":"available"}"#,
        &[
            r#"battery_added #2 stations {"station_id":2,"station_name":"Airport Station","battery_id":1,"available_batteries":1,"total_batteries":1,"timestamp":"2024-02-27T10:30:00"}"#,
            r#"inventory_update #2 stations {"station_id":2,"station_name":"Airport Station","available_batteries":1,"booked_batteries":0,"total_batteries":1,"timestamp":"2024-02-27T10:30:00","action":"add"}"#,
        ],
    );
    // It can be booked again, and the booking of before is as it was.
    assert_eq!(world.book(JANE, 2), 2);
    assert_eq!(world.rows().bookings[0].status, "collected");
    world.call(JANE, "bookings.collect", booking(2));
    let renamed = json!({ "station_id": 1, "battery_id": 1, "model": "Model Y" });
    let back = world.call(STAN, "batteries.add", renamed);
    assert_eq!(back.json()["name"], "Tesla Battery");
    assert_eq!(back.json()["model"], "Model Y");
    let booked = world.call(EVE, "stations.book", json!({ "station_id": 1, "battery_id": 1 }));
    assert!(booked.told()[2].contains(r#""battery_info":"Tesla Battery - Model Y""#));
    world.call(EVE, "bookings.collect", booking(3));
    let renamed = json!({ "station_id": 1, "battery_id": 1, "name": "Old Battery" });
    let back = world.call(STAN, "batteries.add", renamed).json();
    assert_eq!((&back["name"], &back["model"]), (&json!("Old Battery"), &json!("Model Y")));
}

/// The same key is the same booking; so nobody who retries holds two batteries.
#[test]
fn a_retry_books_once() {
    let mut world = World::with_batteries(3);
    let mut retry = |by: i64, fields: Json| {
        let run = move |tx: &mut Tx<'_>, ctx: &Ctx<'_>| {
            let mut payload = fields.as_object().cloned().expect("an object");
            let key = crate::kit::idempotency::Key::take(&mut payload, b"secret")?;
            let key = key.expect("there is one");
            let service = service();
            let book = service.commands.iter().find(|command| command.name == "stations.book");
            let BoundCommand::Decide(decide) = (book.expect("it is there").bind)(payload)? else {
                panic!("it needs nothing before")
            };
            let caller = (ctx.principal.retries_as(), "stations.book");
            crate::kit::idempotency::once(tx, ctx, caller, &key, |tx| decide(tx, ctx))
        };
        let came = world.write(&principal(by), run);
        came.map(|(answer, rows)| (answer.json.get().to_owned(), rows.len()))
    };
    let fields = json!({ "station_id": 1, "idempotency_key": "a" });
    let (first, rows) = retry(JOHN, fields.clone()).expect("it is booked");
    assert_eq!(rows, 3);
    for _ in 0..2 {
        assert_eq!(retry(JOHN, fields.clone()), Ok((first.clone(), 0)));
    }
    let other = retry(JOHN, json!({ "station_id": 1, "battery_id": 3, "idempotency_key": "a" }));
    assert_eq!(other.expect_err("it is another request").name(), "CONFLICT");
    let (second, rows) = retry(JANE, fields).expect("it is hers");
    assert_eq!((rows, second == first), (3, false));
    assert_eq!(world.rows().bookings.len(), 2);
}
