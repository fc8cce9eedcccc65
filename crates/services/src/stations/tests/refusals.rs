//! What is refused, to whom, and limits.

use super::*;
use crate::{
    kit::Code,
    stations::{contract::STATION_BATTERIES_MAX, sql},
};

/// Why a call is refused; `None`: it is heard, and undone.
fn undone(world: &mut World, by: &Principal, name: &str, request: &Json) -> Option<Fault> {
    let (name, fields) = (name.to_owned(), request.as_object().cloned().expect("an object"));
    let done = world.write(by, move |tx, ctx| -> Result<Outcome<()>, Fault> {
        run(tx, ctx, &name, fields.clone())?;
        Err(Fault::new(Code::Internal, "it may"))
    });
    Some(done.expect_err("it is undone")).filter(|fault| fault.code != Code::Internal)
}

/// What comes of a call, which is undone: `.`, or the first letter of the code, `N` for what is not found.
fn may(world: &mut World, by: &Principal, name: &str, request: &Json) -> char {
    let refused = undone(world, by, name, request);
    refused.map_or('.', |fault| fault.code.name().chars().next().expect("codes have names"))
}

/// Who asks, in this order: a guest; a guest who is john; john, whose booking it is; jane; stan, who is staff; root, an
/// admin; the operator; an admin's token that speaks for nobody; a board's token; one that is staff; a screen's; jane's
/// with a scope that is nearly staff's; a person's that speaks for nobody; a guest with the scope.
#[test]
fn who_may_do_what() {
    let mut world = World::with_batteries(3);
    world.book(JOHN, 1);
    let scope = |text: &str| Scope::try_from(text.to_owned()).expect("a scope");
    let guest = Principal::guest_from("127.0.0.1");
    let callers = [
        guest.clone(),
        Principal { role: Role::Guest, ..principal(JOHN) },
        principal(JOHN),
        principal(JANE),
        principal(STAN),
        principal(ROOT),
        Principal::operator(),
        token(Role::Admin, &[]),
        token(Role::Device, &["sensors:staff", "stations:book"]),
        token(Role::Device, &["stations:staff"]),
        token(Role::Client, &[]),
        Principal { scopes: vec![scope("stations:staff:1")], ..principal(JANE) },
        token(Role::User, &[]),
        Principal { scopes: vec![scope("stations:staff")], ..guest },
    ];
    let staff = "UUFF....F.FFFU";
    let admin = "UUFFF...FFFFFU";
    let battery = json!({ "station_id": 1, "name": "Battery", "model": "Model" });
    for (name, request, expected) in [
        ("stations.list", json!({}), ".............."),
        ("stations.get", json!({ "station_id": 1 }), ".............."),
        ("batteries.list", json!({ "station_id": 1 }), ".............."),
        ("stations.create", json!({ "name": "Airport" }), admin),
        ("stations.change", json!({ "station_id": 1, "name": "Main" }), admin),
        // Be it the same.
        ("stations.change", json!({ "station_id": 1, "name": "Downtown Station" }), admin),
        ("stations.change", json!({ "station_id": 1, "status": "offline" }), staff),
        ("stations.delete", json!({ "station_id": 1 }), admin),
        ("batteries.add", battery, staff),
        ("batteries.remove", json!({ "station_id": 1, "battery_id": 2 }), staff),
        ("stations.book", json!({ "station_id": 1 }), "UU....FFFFF.FU"),
        ("stations.book", json!({ "station_id": 1, "user_id": "2" }), "UU.FFFFFFFFFFU"),
        ("bookings.list", json!({}), "UU......F.F.FU"),
        ("bookings.list", json!({ "user_id": "2" }), "UU.F....F.FFFU"),
        ("bookings.list", json!({ "user_id": "9" }), "UUFF....F.FFFU"),
        ("bookings.get", booking(1), "UU.N....N.NNNU"),
        ("bookings.ready", booking(1), "UUFN....N.NNNU"),
        ("bookings.collect", booking(1), "UU.N....N.NNNU"),
        ("bookings.cancel", booking(1), "UU.N....N.NNNU"),
        ("bookings.get", booking(2), "UUNNNNNNNNNNNU"),
        ("bookings.ready", booking(2), "UUNNNNNNNNNNNU"),
        ("bookings.collect", booking(2), "UUNNNNNNNNNNNU"),
        ("bookings.cancel", booking(2), "UUNNNNNNNNNNNU"),
    ] {
        let got: String = callers.iter().map(|by| may(&mut world, by, name, &request)).collect();
        assert_eq!(got, expected, "{name} {request}");
    }
}

#[test]
fn what_a_screen_that_waits_may_do() {
    let mut world = World::with_batteries(1);
    let waiting = Principal::pairing(1, START + MINUTE);
    for name in ["stations.list", "stations.get", "batteries.list", "stations.book"] {
        assert_eq!(may(&mut world, &waiting, name, &json!({ "station_id": 1 })), 'U', "{name}");
    }
}

/// A booking of another is to a stranger as if it were not there, in the same words.
#[test]
fn absent_and_forbidden_are_alike() {
    let mut world = World::with_batteries(2);
    let one = world.book(JOHN, 1);
    for name in ["bookings.get", "bookings.ready", "bookings.collect", "bookings.cancel"] {
        let words = format!("NOT_FOUND Booking not found: {one}");
        world.refused(&principal(JANE), name, booking(one), &words);
        world.refused(&principal(JANE), name, booking(7), "NOT_FOUND Booking not found: 7");
        world.refused(&principal(ROOT), name, booking(7), "NOT_FOUND Booking not found: 7");
    }
    world.refused(
        &principal(JOHN),
        "bookings.ready",
        booking(one),
        "FORBIDDEN only staff may do that",
    );
}

#[test]
fn the_words_of_refusals() {
    let mut world = World::with_batteries(3);
    world.station("Airport Station", 1);
    world.book(JOHN, 1);
    let [john, stan, root] = [JOHN, STAN, ROOT].map(principal);
    let mut check = |by: &Principal, name: &str, request: Json, expected: &str| {
        world.refused(by, name, request, expected);
    };
    let absent = "NOT_FOUND Station not found: 9";
    let at = |station: i64, battery: i64| json!({ "station_id": station, "battery_id": battery });
    check(&john, "stations.get", json!({ "station_id": 9 }), absent);
    check(&john, "batteries.list", json!({ "station_id": 9 }), absent);
    check(&john, "stations.book", json!({ "station_id": 9 }), absent);
    check(&stan, "stations.change", json!({ "station_id": 9, "status": "online" }), absent);
    check(&root, "stations.delete", json!({ "station_id": 9 }), absent);
    check(&stan, "batteries.remove", at(9, 1), absent);
    let battery = |station: i64| json!({ "station_id": station, "name": "B", "model": "M" });
    check(&stan, "batteries.add", battery(9), absent);
    check(&john, "stations.book", at(1, 9), "NOT_FOUND Battery not found: 9");
    check(&john, "stations.book", at(1, 4), "NOT_FOUND Battery not found: 4");
    check(&john, "stations.book", at(1, 1), "CONFLICT battery 1 is not available");
    check(&stan, "batteries.remove", at(1, 9), "NOT_FOUND Battery not found: 9");
    check(&stan, "batteries.remove", at(2, 2), "NOT_FOUND Battery not found: 2");
    check(&stan, "batteries.remove", at(1, 1), "CONFLICT battery 1 is not available");
    let there = json!({ "station_id": 2, "battery_id": 1, "name": "B", "model": "M" });
    check(&stan, "batteries.add", there.clone(), "CONFLICT battery 1 is at a station already");
    let there = json!({ "station_id": 1, "battery_id": 2 });
    check(&stan, "batteries.add", there, "CONFLICT battery 2 is at a station already");
}

#[test]
fn the_words_for_who_asks_for_too_much_or_too_little() {
    let mut world = World::with_batteries(3);
    let held = world.book(JOHN, 1);
    let [john, stan] = [JOHN, STAN].map(principal);
    let mut check = |by: &Principal, name: &str, request: Json, expected: &str| {
        world.refused(by, name, request, expected);
    };
    let no_name = "INVALID name: needed, as the battery is new";
    let no_model = "INVALID model: needed, as the battery is new";
    check(&stan, "batteries.add", json!({ "station_id": 1 }), no_name);
    check(&stan, "batteries.add", json!({ "station_id": 1, "model": "M" }), no_name);
    check(&stan, "batteries.add", json!({ "station_id": 1, "name": "B" }), no_model);
    check(
        &stan,
        "batteries.add",
        json!({ "station_id": 1, "battery_id": 50, "name": "B" }),
        no_model,
    );
    check(
        &stan,
        "stations.change",
        json!({ "station_id": 1 }),
        "INVALID name, status: one of them at least",
    );
    check(
        &stan,
        "stations.change",
        json!({ "station_id": 1, "name": "Main", "status": "offline" }),
        "FORBIDDEN name: only admins rename stations",
    );
    check(
        &john,
        "stations.change",
        json!({ "station_id": 1, "status": "offline" }),
        "FORBIDDEN only staff may do that",
    );
    check(
        &john,
        "stations.book",
        json!({ "station_id": 1, "user_id": "3" }),
        "FORBIDDEN user_id: you book for yourself alone",
    );
    check(
        &Principal::operator(),
        "stations.book",
        json!({ "station_id": 1 }),
        "FORBIDDEN only users have bookings, and this token speaks for none",
    );
    check(
        &john,
        "bookings.list",
        json!({ "user_id": "3" }),
        "FORBIDDEN user_id: another's bookings are not shown",
    );
    world.call(STAN, "bookings.ready", booking(held));
    let is_ready = format!("CONFLICT booking {held} is ready");
    world.refused(&stan, "bookings.ready", booking(held), &is_ready);
}

#[test]
fn what_has_ended_stays_as_it_is() {
    let mut world = World::with_batteries(4);
    let [collected, cancelled, expired] = [JOHN; 3].map(|user| world.book(user, 1));
    world.call(JOHN, "bookings.collect", booking(collected));
    world.call(JOHN, "bookings.cancel", booking(cancelled));
    world.pass_to(START + 31 * MINUTE);
    for (id, status) in [(collected, "collected"), (cancelled, "cancelled"), (expired, "expired")] {
        for name in ["bookings.ready", "bookings.collect", "bookings.cancel"] {
            let words = format!("CONFLICT booking {id} is {status}");
            world.refused(&principal(ROOT), name, booking(id), &words);
        }
        let shown = world.call(JOHN, "bookings.get", booking(id)).json();
        assert_eq!(shown["status"], status);
        assert_eq!(shown["expires_at"], "2024-02-27T11:00:00");
    }
}

#[test]
fn only_a_station_that_is_online_takes_bookings() {
    let mut world = World::with_batteries(1);
    for (status, words) in [
        ("offline", "Downtown Station takes no bookings now: it is offline"),
        ("maintenance", "Downtown Station takes no bookings now: it is under maintenance"),
    ] {
        world.call(ROOT, "stations.change", json!({ "station_id": 1, "status": status }));
        let words = format!("CONFLICT {words}");
        world.refused(&principal(JOHN), "stations.book", json!({ "station_id": 1 }), &words);
        // Batteries come and go all the same.
        let battery = world.add(1);
        let battery = json!({ "station_id": 1, "battery_id": battery });
        world.call(STAN, "batteries.remove", battery);
    }
    world.call(ROOT, "stations.change", json!({ "station_id": 1, "status": "online" }));
    world.book(JOHN, 1);
}

#[test]
fn who_comes_after_the_last_battery_is_refused() {
    let mut world = World::with_batteries(2);
    world.station("Airport Station", 3);
    world.book(JOHN, 1);
    world.book(JANE, 1);
    let none = "CONFLICT no battery is available at Downtown Station";
    for user in [JOHN, JANE, EVE] {
        world.refused(&principal(user), "stations.book", json!({ "station_id": 1 }), none);
        for battery in [1, 2] {
            let request = json!({ "station_id": 1, "battery_id": battery });
            let words = format!("CONFLICT battery {battery} is not available");
            world.refused(&principal(user), "stations.book", request, &words);
        }
    }
}

/// Many ask for the last one at once, and are decided in one transaction.
#[test]
fn of_many_who_ask_at_once_one_gets_the_last_battery() {
    // Each of them begins, by its number and by none.
    for round in 0..6 {
        let mut world = World::with_batteries(1);
        let clients = 32;
        let writes = (0..clients).map(|client| {
            let (by, now) = (principal([JOHN, JANE, EVE][(client + round) % 3]), world.now);
            let mut request = json!({ "station_id": 1 });
            if (client + round) % 2 == 0 {
                request["battery_id"] = 1.into();
            }
            let run = move |tx: &mut Tx<'_>| {
                let (settings, ids) = (Settings::default(), Ids::new([client as u8; 32]));
                let (settings, principal) = (&settings, &by);
                let ctx = Ctx { now, principal, ids, settings, origin: "", place: None };
                run(tx, &ctx, "stations.book", request.as_object().cloned().expect("an object"))
            };
            Write { at: now, run: Box::new(run), to: () }
        });
        let writes: Vec<_> = writes.collect();
        let batch = world.writer.batch(writes).expect("the disk is sound");
        let codes = batch.answers.into_iter().map(|answer| match answer.result {
            Ok(_) => "booked",
            Err(fault) => fault.name(),
        });
        let codes: Vec<&str> = codes.collect();
        assert_eq!(codes.iter().filter(|code| **code == "booked").count(), 1, "{codes:?}");
        assert_eq!(codes.iter().filter(|code| **code == "CONFLICT").count(), clients - 1);
        world.look(&[]);
    }
}

/// The index by itself refuses what the statements never ask for.
#[test]
fn no_two_live_bookings_have_the_same_battery() {
    let mut world = World::with_batteries(1);
    let first = world.book(JOHN, 1);
    let again = |tx: &mut Tx<'_>, _: &Ctx<'_>| {
        let row = [2, 1, 1, 3, START, START].map(Value::Integer);
        tx.execute(sql::INSERT_BOOKING, &row).map(Outcome::reply)
    };
    let refused = world.batch(&Principal::system(), again);
    assert!(refused.answers[0].result.is_err());
    let [incident] = &refused.incidents[..] else { panic!("one failed: {:?}", refused.incidents) };
    assert!(incident.cause.starts_with("UNIQUE constraint failed: bookings.battery_id"));
    world.call(JOHN, "bookings.cancel", booking(first));
    world.write(&Principal::system(), again).expect("it is free");
}

#[test]
fn a_user_has_so_many_bookings() {
    let mut world = World::with_batteries(6);
    world.settings.bookings_per_user = 2;
    let full = "CONFLICT you have 2 bookings: collect or cancel one first";
    let request = json!({ "station_id": 1 });
    let first = world.book(JOHN, 1);
    let second = world.book(JOHN, 1);
    world.refused(&principal(JOHN), "stations.book", request.clone(), full);
    // What others have does not count, nor what has ended.
    world.book(JANE, 1);
    world.call(STAN, "bookings.ready", booking(first));
    world.refused(&principal(JOHN), "stations.book", request.clone(), full);
    world.call(JOHN, "bookings.collect", booking(first));
    world.book(JOHN, 1);
    world.refused(&principal(JOHN), "stations.book", request.clone(), full);
    world.call(JOHN, "bookings.cancel", booking(second));
    world.book(JOHN, 1);
    world.refused(&principal(JOHN), "stations.book", request.clone(), full);
    world.pass_to(START + 30 * MINUTE);
    world.book(JOHN, 1);
    // Fewer than somebody has by now.
    world.settings.bookings_per_user = 1;
    let full = "CONFLICT you have 1 bookings: collect or cancel one first";
    world.refused(&principal(JOHN), "stations.book", request, full);
    assert_eq!(Settings::default().bookings_per_user, 20);
}

#[test]
fn a_station_has_so_many_batteries() {
    let mut world = World::with_batteries(0);
    world.station("Airport Station", 0);
    // All but one, without looking at each step.
    let fill = |tx: &mut Tx<'_>, _: &Ctx<'_>| {
        for battery in 1..STATION_BATTERIES_MAX {
            let of = [battery, 1].map(Value::Integer);
            let row = [&of[..], &[Value::Text("B"), Value::Text("M")]].concat();
            tx.execute(sql::INSERT_BATTERY, &row)?;
        }
        Ok(Outcome::reply(()))
    };
    world.write(&Principal::system(), fill).expect("there is room");
    let held = world.book(JOHN, 1);
    world.call(
        STAN,
        "batteries.add",
        json!({ "station_id": 1, "battery_id": 2_000, "name": "B", "model": "M" }),
    );
    let one_more = json!({ "station_id": 1, "name": "B", "model": "M" });
    let full = "CONFLICT Downtown Station has 1000 batteries: there is no room";
    world.refused(&principal(STAN), "batteries.add", one_more.clone(), full);
    // Nor for one that comes back.
    world.call(JOHN, "bookings.collect", booking(held));
    let back = json!({ "station_id": 1, "battery_id": 1 });
    world.call(STAN, "batteries.add", back.clone());
    world.refused(&principal(STAN), "batteries.add", one_more.clone(), full);
    let elsewhere = json!({ "station_id": 2, "name": "B", "model": "M" });
    world.call(STAN, "batteries.add", elsewhere);
    world.call(STAN, "batteries.remove", json!({ "station_id": 1, "battery_id": 7 }));
    world.call(STAN, "batteries.add", one_more);
}

#[test]
fn numbers_that_a_fleet_came_with_are_left_out() {
    let mut world = World::with_batteries(2);
    let add = |world: &mut World, id: i64| {
        let battery = json!({ "station_id": 1, "battery_id": id, "name": "B", "model": "M" });
        world.call(STAN, "batteries.add", battery);
    };
    for id in [3, 4, 6] {
        add(&mut world, id);
    }
    assert_eq!([world.add(1), world.add(1)], [5, 7]);
    // A run of them: after a hundred in vain, the next is the one after the largest.
    for id in (8..8 + 120).chain([500]) {
        add(&mut world, id);
    }
    assert_eq!(world.add(1), 501);
    // Those in vain were the numbers to 107; there are 20 more, and then there is one that is free.
    assert_eq!(world.add(1), 128);
    let largest = crate::kit::Number::MAX;
    add(&mut world, largest);
    let request = json!({ "station_id": 1, "battery_id": largest });
    assert_eq!(world.call(JOHN, "stations.book", request).json()["battery_id"], largest);
    // There is none after that.
    for id in 129..129 + 101 {
        add(&mut world, id);
    }
    assert_eq!(world.add(1), 230);
}

/// Whether a request is refused with words that begin so; `None`: it is heard, and undone.
#[track_caller]
fn bound(world: &mut World, name: &str, request: Json, expected: Option<&str>) {
    let by = if name == "stations.book" { JOHN } else { ROOT };
    let refused = undone(world, &principal(by), name, &request);
    let refusal = refused.map(|fault| format!("{} {fault}", fault.name()));
    match (refusal, expected) {
        (None, None) => {}
        (Some(refusal), Some(expected)) if refusal.starts_with(expected) => {}
        (refusal, _) => panic!("{name} {request}: {refusal:?}, expected {expected:?}"),
    }
}

/// One below, at, and one above what a field may be.
#[test]
fn names_and_statuses_have_bounds() {
    let mut world = World::with_batteries(1);
    let mut check = |name: &str, request: Json, expected: Option<&str>| {
        bound(&mut world, name, request, expected);
    };
    let text = |chars: usize| "\u{e4}".repeat(chars);
    check("stations.create", json!({ "name": text(127) }), None);
    check("stations.create", json!({ "name": text(128), "status": "offline" }), None);
    check("stations.create", json!({ "name": text(129) }), Some("INVALID name: 1 to 128"));
    for name in [json!(""), json!(" x"), json!("x\n"), json!(null), json!(1)] {
        check("stations.create", json!({ "name": name }), Some("INVALID name: "));
    }
    check("stations.create", json!({}), Some("INVALID missing field `name`"));
    for status in [json!("closed"), json!(""), json!(null), json!(1)] {
        let request = json!({ "name": "x", "status": status });
        check("stations.create", request, Some("INVALID status: "));
        let request = json!({ "station_id": 1, "status": status });
        check("stations.change", request, Some("INVALID status: "));
    }
    check("stations.change", json!({ "station_id": 1, "name": null }), Some("INVALID name: "));
    for field in ["name", "model"] {
        for (chars, expected) in [(128, None), (129, Some("INVALID ")), (0, Some("INVALID "))] {
            let mut battery = json!({ "station_id": 1, "name": "x", "model": "x" });
            battery[field] = text(chars).into();
            check("batteries.add", battery, expected);
        }
    }
}

#[test]
fn numbers_have_bounds() {
    let mut world = World::with_batteries(1);
    let mut check = |name: &str, request: Json, expected: Option<&str>| {
        bound(&mut world, name, request, expected);
    };
    for (number, fits) in [
        (json!(0), false),
        (json!(1), true),
        (json!(9_007_199_254_740_991_i64), true),
        (json!(9_007_199_254_740_992_i64), false),
        (json!(-1), false),
        (json!(1.0), false),
        (json!("1"), false),
        (json!(null), false),
    ] {
        let expected = |field: &str, not_there: &'static str| match fits {
            true if number == json!(1) => None,
            true => Some(not_there.to_owned()),
            false => Some(format!("INVALID {field}: ")),
        };
        let absent = expected("station_id", "NOT_FOUND Station not found: 9007199254740991");
        check("stations.book", json!({ "station_id": number }), absent.as_deref());
        check("stations.get", json!({ "station_id": number }), absent.as_deref());
        let absent = expected("battery_id", "NOT_FOUND Battery not found: 9007199254740991");
        let request = json!({ "station_id": 1, "battery_id": number });
        check("stations.book", request, absent.as_deref());
        let absent = expected("booking_id", "NOT_FOUND Booking not found: 9007199254740991");
        let absent = absent.or(Some("NOT_FOUND Booking not found: 1".into()));
        check("bookings.get", json!({ "booking_id": number }), absent.as_deref());
        let taken = match fits {
            true if number == json!(1) => Some("CONFLICT "),
            true => None,
            false => Some("INVALID battery_id: "),
        };
        let battery = json!({ "station_id": 1, "battery_id": number, "name": "x", "model": "x" });
        check("batteries.add", battery, taken);
    }
}

#[test]
fn lists_have_bounds() {
    let mut world = World::with_batteries(1);
    let mut check = |name: &str, request: Json, expected: Option<&str>| {
        bound(&mut world, name, request, expected);
    };
    for user in [json!(2), json!("02"), json!(""), json!(null)] {
        let request = json!({ "station_id": 1, "user_id": user });
        check("stations.book", request, Some("INVALID user_id: "));
        check("bookings.list", json!({ "user_id": user }), Some("INVALID user_id: "));
    }
    check("bookings.list", json!({ "status": "booked" }), Some("INVALID status: "));
    check(
        "batteries.list",
        json!({ "station_id": 1, "status": "online" }),
        Some("INVALID status: "),
    );
    for name in ["stations.list", "batteries.list", "bookings.list"] {
        for (limit, expected) in [
            (0, Some("INVALID limit: ")),
            (1, None),
            (1_000, None),
            (1_001, Some("INVALID limit: ")),
        ] {
            check(name, json!({ "station_id": 1, "limit": limit }), expected);
        }
        let request = json!({ "station_id": 1, "cursor": "x" });
        check(name, request, Some("INVALID cursor: "));
    }
}
