//! What ends by itself: holds, and the bookings of who and what is no more.

use super::*;
use crate::stations::{bookings, sql};

const EXPIRED: &str = r#"notification #booking_expired inbox/2 {"title":"Booking expired","message":"Your booking at Downtown Station has expired","level":"warning","timestamp":"2024-02-27T11:00:00"}"#;
const FREE_AGAIN: &str = r#"inventory_update #1 stations {"station_id":1,"station_name":"Downtown Station","available_batteries":1,"booked_batteries":0,"total_batteries":1,"timestamp":"2024-02-27T11:00:00","action":"update"}"#;

#[test]
fn a_hold_ends_at_its_time_and_once() {
    let mut world = World::with_batteries(1);
    let held = world.book(JOHN, 1);
    let deadline = START + 30 * MINUTE;
    assert_eq!(world.rows().due, [(HOLD.to_owned(), held.to_string(), deadline)]);
    assert_eq!(world.pass_to(deadline - 1), []);
    assert_eq!(world.rows().bookings[0].status, "confirmed");
    let expected = [EXPIRED, FREE_AGAIN].map(|line| (deadline, line.to_owned()));
    assert_eq!(world.pass_to(deadline), expected);
    let rows = world.rows();
    assert_eq!((&*rows.bookings[0].status, rows.bookings[0].ended_at), ("expired", Some(deadline)));
    assert_eq!(rows.due, []);
    assert_eq!(world.pass_to(deadline + 100 * 365 * 1_440 * MINUTE), []);
    assert_eq!(world.rows(), rows);
    let item = world.inbox(JOHN).remove(0);
    assert_eq!(item["type"], "booking_expired");
    assert_eq!(item["booking_id"], held);
    assert_eq!(item["battery_info"], "Tesla Battery - Model 3");
    // The battery is free.
    assert_eq!(world.book(JANE, 1), held + 1);
}

#[test]
fn a_hold_is_as_long_as_it_is_set_when_it_begins() {
    let mut world = World::with_batteries(2);
    world.settings.booking_hold = SECOND;
    world.book(JOHN, 1);
    world.settings.booking_hold = 30 * 1_440 * MINUTE;
    let held = world.book(JOHN, 1);
    world.settings.booking_hold = SECOND;
    let shown = world.call(JOHN, "bookings.get", booking(held)).json();
    assert_eq!(shown["expires_at"], "2024-03-28T10:30:00");
    assert_eq!(world.pass_to(START + SECOND - 1), []);
    assert_eq!(world.pass_to(START + SECOND).len(), 2);
    assert_eq!(world.pass_to(START + 30 * 1_440 * MINUTE - 1), []);
    assert_eq!(world.pass_to(START + 30 * 1_440 * MINUTE).len(), 2);
}

#[test]
fn ready_moves_no_deadline() {
    let mut world = World::with_batteries(1);
    let held = world.book(JOHN, 1);
    world.now += 29 * MINUTE;
    world.call(STAN, "bookings.ready", booking(held));
    assert_eq!(world.pass_to(START + 30 * MINUTE - 1), []);
    let told = world.pass_to(START + 30 * MINUTE);
    assert_eq!(told, [EXPIRED, FREE_AGAIN].map(|line| (START + 30 * MINUTE, line.to_owned())));
}

#[test]
fn what_ended_before_does_not_expire() {
    let mut world = World::with_batteries(3);
    let [collected, cancelled, other] = [JOHN; 3].map(|user| world.book(user, 1));
    world.call(JOHN, "bookings.collect", booking(collected));
    world.call(STAN, "bookings.cancel", booking(cancelled));
    world.call(ROOT, "stations.change", json!({ "station_id": 1, "status": "offline" }));
    assert_eq!(world.rows().due, []);
    // Not even if it is asked whether they are over; nor does anything else happen for a key that means nothing.
    let rows = world.rows();
    let mut keys = [collected, cancelled, other].map(|id| id.to_string()).to_vec();
    let others = ["", "0", "9", "-1", "x", "9007199254740992", "99999999999999999999"];
    keys.extend(others.map(str::to_owned));
    world.now += 60 * MINUTE;
    for key in keys {
        let ask = move |tx: &mut Tx<'_>, ctx: &Ctx<'_>| bookings::expire(tx, ctx, &key);
        assert_eq!(world.write(&Principal::system(), ask).expect("it runs").1, []);
        assert_eq!(world.rows(), rows);
    }
}

/// What is true counts, not when somebody came to look.
#[test]
fn who_looks_too_early_looks_again() {
    let mut world = World::with_batteries(1);
    let held = world.book(JOHN, 1);
    let early = move |tx: &mut Tx<'_>, ctx: &Ctx<'_>| {
        due::disarm(tx, HOLD, &held.to_string())?;
        bookings::expire(tx, ctx, &held.to_string())
    };
    let ((), told) = world.write(&Principal::system(), early).expect("it runs");
    assert_eq!(told, []);
    assert_eq!(world.rows().due, [(HOLD.to_owned(), held.to_string(), START + 30 * MINUTE)]);
    assert_eq!(world.pass_to(START + 30 * MINUTE).len(), 2);
}

#[test]
fn after_a_long_stop_each_ends_once_in_their_order() {
    let mut world = World::with_batteries(3);
    for user in [JOHN, JANE, JOHN] {
        world.book(user, 1);
        world.now += SECOND;
    }
    world.now += 5 * 60 * MINUTE;
    let told = world.run_late();
    let users: Vec<&str> = told.iter().map(|line| line.split(' ').nth(2).expect("one")).collect();
    assert_eq!(users, ["inbox/2", "stations", "inbox/3", "stations", "inbox/2", "stations"]);
    assert!(told.iter().all(|line| line.contains("2024-02-27T15:30:03")), "{told:?}");
    assert_eq!(world.run_late(), [""; 0]);
    let messages = "Your booking at Downtown Station has expired";
    let of_john = world.messages(JOHN).into_iter().filter(|message| message == messages);
    assert_eq!(of_john.count(), 2);
}

#[test]
fn a_station_that_leaves_online_lets_go_of_all_that_is_held() {
    for (status, words) in
        [("offline", "Station is now offline"), ("maintenance", "Station is under maintenance")]
    {
        let mut world = World::with_batteries(4);
        world.station("Airport Station", 1);
        let bookings = [JANE, JOHN, JANE].map(|user| world.book(user, 1));
        world.call(STAN, "bookings.ready", booking(bookings[1]));
        world.call(JANE, "bookings.collect", booking(bookings[2]));
        let elsewhere = world.book(JOHN, 2);
        let change = json!({ "station_id": 1, "status": status });
        let came = world.call(STAN, "stations.change", change);
        let cancelled = |user: i64| {
            format!(
                r#"notification #booking_cancelled inbox/{user} {{"title":"Booking cancelled","message":"Your booking at Downtown Station was cancelled: {words}","level":"warning","timestamp":"2024-02-27T10:30:00"}}"#
            )
        };
        let expected = [
            format!(
                r#"station_status #1 stations {{"station_id":1,"station_name":"Downtown Station","status":"{status}","message":"{words}","timestamp":"2024-02-27T10:30:00"}}"#
            ),
            cancelled(JANE),
            cancelled(JOHN),
            r#"inventory_update #1 stations {"station_id":1,"station_name":"Downtown Station","available_batteries":3,"booked_batteries":0,"total_batteries":3,"timestamp":"2024-02-27T10:30:00","action":"update"}"#.to_owned(),
        ];
        assert_eq!(came.told(), expected);
        assert_eq!(came.json()["available_batteries"], 3);
        let ended = world.rows().bookings.into_iter().map(|row| (row.status, row.ended_at));
        let at = Some(START);
        let expected =
            [("cancelled", at), ("cancelled", at), ("collected", at), ("confirmed", None)];
        assert_eq!(ended.collect::<Vec<_>>(), expected.map(|(status, at)| (status.to_owned(), at)),);
        let armed: Vec<String> = world.rows().due.into_iter().map(|(_, key, _)| key).collect();
        assert_eq!(armed, [elsewhere.to_string()]);
        assert_eq!(world.inbox(JOHN)[0]["booking_id"], bookings[1]);
        // From the one to the other there is nothing left to let go of.
        let other = if status == "offline" { "maintenance" } else { "offline" };
        let came = world.call(STAN, "stations.change", json!({ "station_id": 1, "status": other }));
        assert_eq!(names(&came.told()), ["station_status"]);
        let came =
            world.call(STAN, "stations.change", json!({ "station_id": 1, "status": "online" }));
        assert_eq!(names(&came.told()), ["station_status"]);
    }
}

#[test]
fn a_station_leaves_online_under_a_new_name() {
    let mut world = World::with_batteries(1);
    world.book(JOHN, 1);
    let change = json!({ "station_id": 1, "status": "offline", "name": "Main" });
    let told = world.call(ROOT, "stations.change", change).told();
    assert_eq!(names(&told), ["station_status", "notification", "inventory_update"]);
    assert!(told.iter().all(|line| line.contains("Main")), "{told:?}");
}

#[test]
fn a_station_is_deleted() {
    let mut world = World::with_batteries(3);
    world.station("Airport Station", 1);
    let collected = world.book(JOHN, 1);
    world.call(JOHN, "bookings.collect", booking(collected));
    let [first, second] = [JANE, JOHN].map(|user| world.book(user, 1));
    let gone = world.call(ROOT, "stations.delete", json!({ "station_id": 1 }));
    assert_eq!(gone.reply, "null");
    let cancelled = |user: i64| {
        format!(
            r#"notification #booking_cancelled inbox/{user} {{"title":"Booking cancelled","message":"Your booking at Downtown Station was cancelled: Station is now offline","level":"warning","timestamp":"2024-02-27T10:30:00"}}"#
        )
    };
    let nothing = r#"inventory_update #1 stations {"station_id":1,"station_name":"Downtown Station","available_batteries":0,"booked_batteries":0,"total_batteries":0,"timestamp":"2024-02-27T10:30:00","action":"update"}"#;
    assert_eq!(
        gone.told(),
        [
            r#"station_status #1 stations {"station_id":1,"station_name":"Downtown Station","status":"offline","message":"Station is now offline","timestamp":"2024-02-27T10:30:00"}"#,
            &cancelled(JANE),
            &cancelled(JOHN),
            nothing,
        ]
    );
    let rows = world.rows();
    let left: Vec<i64> = rows.batteries.iter().map(|battery| battery.id).collect();
    assert_eq!(left, [1, 4], "what was collected is not the station's any more");
    assert_eq!(rows.due, []);
    // Bookings are remembered.
    for (id, status) in [(collected, "collected"), (first, "cancelled"), (second, "cancelled")] {
        let shown = world.call(ROOT, "bookings.get", booking(id)).json();
        assert_eq!((&shown["status"], &shown["station_id"]), (&json!(status), &json!(1)));
    }
    // It is not made again under its number.
    assert_eq!(world.station("Downtown Station", 0), 3);
    // Of one that was offline only that is told what is new.
    world.call(ROOT, "stations.change", json!({ "station_id": 2, "status": "maintenance" }));
    let gone = world.call(ROOT, "stations.delete", json!({ "station_id": 2 }));
    assert_eq!(names(&gone.told()), ["station_status", "inventory_update"]);
    world.call(ROOT, "stations.change", json!({ "station_id": 3, "status": "offline" }));
    let gone = world.call(ROOT, "stations.delete", json!({ "station_id": 3 }));
    assert_eq!(names(&gone.told()), ["inventory_update"]);
}

#[test]
fn a_user_is_deleted() {
    let mut world = World::with_batteries(4);
    world.station("Airport Station", 2);
    let collected = world.book(JOHN, 1);
    world.call(JOHN, "bookings.collect", booking(collected));
    for (user, station) in [(JOHN, 2), (JANE, 1), (JOHN, 1), (JOHN, 1)] {
        world.book(user, station);
    }
    let deleted = world.call(ROOT, "users.delete", json!({ "userId": "2" }));
    let update = |station: i64, name: &str, available: i64, booked: i64| {
        let total = available + booked;
        format!(
            r#"inventory_update #{station} stations {{"station_id":{station},"station_name":"{name}","available_batteries":{available},"booked_batteries":{booked},"total_batteries":{total},"timestamp":"2024-02-27T10:30:00","action":"update"}}"#
        )
    };
    assert_eq!(
        deleted.told(),
        [
            update(1, "Downtown Station", 2, 1),
            update(2, "Airport Station", 2, 0),
            "revoke user/2".to_owned(),
        ]
    );
    let left = world.rows().bookings.into_iter().map(|row| (row.user, row.status));
    assert_eq!(left.collect::<Vec<_>>(), [(JANE, "confirmed".to_owned())]);
    assert_eq!(world.rows().due.len(), 1);
    // Who had none is told of by nothing.
    let deleted = world.call(ROOT, "users.delete", json!({ "userId": "5" }));
    assert_eq!(deleted.told(), ["revoke user/5"]);
    let gone = "FORBIDDEN there is no such user any more";
    world.refused(&principal(EVE), "stations.book", json!({ "station_id": 1 }), gone);
    assert_eq!(world.pass_to(START + 60 * MINUTE).len(), 2);
}

/// Bookings of a user that ended, as many as it takes, without a word of them.
fn ended(world: &mut World, user: i64, count: i64, ended_at: Micros) {
    let add = move |tx: &mut Tx<'_>, _: &Ctx<'_>| {
        for _ in 0..count {
            let id = Value::Integer(tx.next_id("bookings")?);
            let rest = [1, 1, user, ended_at, ended_at].map(Value::Integer);
            let row = [&[id][..], &rest].concat();
            tx.execute(sql::INSERT_BOOKING, &row)?;
            let end = [id, Value::Text("expired"), Value::Integer(ended_at)];
            tx.execute(sql::END, &end)?;
        }
        Ok(Outcome::reply(()))
    };
    world.write(&Principal::system(), add).expect("they are added");
}

#[test]
fn what_is_more_than_a_slice_goes_soon_after() {
    for (count, slices) in [(SLICE_ROWS - 1, 1), (SLICE_ROWS, 2), (2 * SLICE_ROWS + 1, 3)] {
        let mut world = World::with_batteries(2);
        ended(&mut world, JOHN, count, START);
        ended(&mut world, JANE, 3, START);
        world.call(ROOT, "users.delete", json!({ "userId": "2" }));
        let left = |world: &mut World| {
            let bookings = world.rows().bookings;
            bookings.iter().filter(|booking| booking.user == JOHN).count() as i64
        };
        assert_eq!(left(&mut world), (count - SLICE_ROWS).max(0));
        // Somebody has the same id meanwhile, and books.
        ended(&mut world, JOHN, 2, START);
        let mut runs = 1;
        while !world.rows().due.is_empty() {
            assert_eq!(world.run_one(), []);
            runs += 1;
        }
        assert_eq!(runs, slices, "{count}");
        assert_eq!(left(&mut world), 2, "{count}");
        assert_eq!(world.rows().bookings.len(), 5, "{count}");
    }
}

#[test]
fn what_ended_long_ago_is_forgotten() {
    let mut world = World::with_batteries(2);
    for second in [3, 1, 2, 2, 5] {
        ended(&mut world, JOHN, 1, START + second * SECOND);
    }
    world.now = START + 10 * SECOND;
    let live = world.book(JANE, 1);
    let ids = |world: &mut World| -> Vec<i64> {
        world.rows().bookings.iter().map(|booking| booking.id).collect()
    };
    assert_eq!(world.forget(START + SECOND, 10), 0);
    assert_eq!(world.forget(START + 3 * SECOND, 2), 2);
    assert_eq!(ids(&mut world).len(), 4);
    assert!(!ids(&mut world).contains(&2), "the oldest go first");
    assert_eq!(world.forget(START + 3 * SECOND, 2), 1);
    assert_eq!(world.forget(START + 3 * SECOND, 2), 0);
    assert_eq!(ids(&mut world), [1, 5, live]);
    assert_eq!(world.forget(Micros::MAX, 10), 2);
    assert_eq!(ids(&mut world), [live]);
}

/// Adds the sample, without a word to anyone.
fn add_samples(world: &mut World, owners: &[i64]) {
    let owners: Vec<UserId> = owners.iter().copied().map(UserId).collect();
    let add = move |tx: &mut Tx<'_>, ctx: &Ctx<'_>| {
        seed::add_samples(tx, ctx.now, &owners).map(Outcome::reply)
    };
    let ((), told) = world.write(&Principal::system(), add).expect("it is added");
    assert_eq!(told, []);
    world.look(&[]);
}

#[test]
fn the_sample_is_there_once_and_holds_for_good() {
    let mut world = World::new();
    add_samples(&mut world, &[1, 2, 3]);
    let stations = world.call(JOHN, "stations.list", json!({}));
    assert_eq!(
        stations.reply,
        r#"{"items":[{"id":1,"name":"Downtown Station","status":"online","available_batteries":15,"booked_batteries":3,"total_batteries":18},{"id":2,"name":"Airport Station","status":"online","available_batteries":8,"booked_batteries":0,"total_batteries":8}],"next":null}"#
    );
    let rows = world.rows();
    let numbers: Vec<i64> = rows.batteries.iter().map(|battery| battery.id).collect();
    assert_eq!(numbers, (1..=26).collect::<Vec<_>>());
    let first = &rows.batteries[0];
    assert_eq!((&*first.name, &*first.model), ("Tesla Battery", "Model 3"));
    let bookings = rows.bookings.iter().map(|row| (row.user, row.battery, row.expires_at));
    assert_eq!(bookings.collect::<Vec<_>>(), [(1, 16, None), (2, 17, None), (3, 18, None)]);
    let shown = world.call(JOHN, "bookings.get", booking(2)).reply;
    assert_eq!(
        shown,
        r#"{"id":2,"station_id":1,"battery_id":17,"user_id":"2","status":"confirmed","expires_at":null}"#
    );
    add_samples(&mut world, &[1, 2, 3]);
    assert_eq!(world.rows(), rows);
    assert_eq!(world.pass_to(START + 100 * 365 * 1_440 * MINUTE), []);
    assert_eq!(world.rows(), rows);
    // Nor if it is asked whether they are over.
    let ask = |tx: &mut Tx<'_>, ctx: &Ctx<'_>| bookings::expire(tx, ctx, "2");
    assert_eq!(world.write(&Principal::system(), ask).expect("it runs").1, []);
    assert_eq!(world.rows(), rows);
    // What comes has numbers after these; what is booked first is the first.
    assert_eq!((world.station("Harbour", 1), world.rows().batteries.len()), (3, 27));
    assert_eq!(world.rows().batteries[26].id, 27);
    world.book(JOHN, 1);
    assert_eq!(world.rows().bookings[3].battery, 1);
    // They end as others do.
    world.call(JOHN, "bookings.collect", booking(2));
    world.call(STAN, "bookings.cancel", booking(1));
    world.call(ROOT, "users.delete", json!({ "userId": "3" }));
    let ends: Vec<String> = world.rows().bookings.into_iter().map(|row| row.status).collect();
    assert_eq!(ends, ["cancelled", "collected", "confirmed"]);
    // Who deletes stations does not find them there again, as long as somebody has a battery of theirs.
    for station in 1..=3 {
        world.call(ROOT, "stations.delete", json!({ "station_id": station }));
        let rows = world.rows();
        add_samples(&mut world, &[1, 2, 3]);
        assert_eq!(world.rows(), rows);
    }
    assert_eq!(world.rows().batteries.len(), 1);
}

#[test]
fn the_sample_needs_no_owner() {
    let booked_by = |owners: &[i64]| {
        let mut world = World::new();
        add_samples(&mut world, owners);
        world.rows().bookings.iter().map(|row| row.user).collect::<Vec<_>>()
    };
    assert_eq!(booked_by(&[2, 77]), [2, 2, 2]);
    assert_eq!(booked_by(&[2, 3]), [2, 3, 2]);
    assert_eq!(booked_by(&[77]), [0; 0]);
    assert_eq!(booked_by(&[]), [0; 0]);
}
