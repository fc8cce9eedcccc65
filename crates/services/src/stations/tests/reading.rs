//! Lists, what a stream shows first, and who hears what.

use super::*;
use crate::{
    kit::{Heard, ReadTx, SNAPSHOT_LEN_MAX, Said, Wish},
    stations::{greeting, read, rights, sql},
};

/// All items of a list, by pages of this length.
fn pages(world: &mut World, by: &Principal, name: &str, request: &Json, len: usize) -> Vec<Json> {
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut request = request.clone();
        request["limit"] = len.into();
        if let Some(cursor) = &cursor {
            request["cursor"] = cursor.as_str().into();
        }
        let page = world.call_as(by, name, request).expect("it may be asked for").json();
        let items = page["items"].as_array().expect("a page has items");
        assert!(items.len() <= len, "{page}");
        all.extend(items.iter().cloned());
        match page["next"].as_str() {
            Some(next) => {
                assert_eq!(items.len(), len, "{page}");
                cursor = Some(next.to_owned());
            }
            None => return all,
        }
    }
}

#[test]
fn stations_and_batteries_are_listed_by_their_numbers() {
    let mut world = World::new();
    for (name, batteries) in [("One", 3), ("Two", 0), ("Three", 2)] {
        world.station(name, batteries);
    }
    world.book(JOHN, 1);
    let taken = world.book(JOHN, 3);
    world.call(JOHN, "bookings.collect", booking(taken));
    let guest = Principal::guest();
    let stations = pages(&mut world, &guest, "stations.list", &json!({}), 100);
    let shown = |id: i64, name: &str, available: i64, booked: i64| {
        json!({ "id": id, "name": name, "status": "online", "available_batteries": available,
            "booked_batteries": booked, "total_batteries": available + booked })
    };
    let expected = [shown(1, "One", 2, 1), shown(2, "Two", 0, 0), shown(3, "Three", 1, 0)];
    assert_eq!(stations, expected);
    for (id, station) in (1..).zip(&expected) {
        let one = world.call_as(&guest, "stations.get", json!({ "station_id": id }));
        assert_eq!(one.expect("it is there").json(), *station);
    }
    let mut check = |station: i64, status: Option<&str>, expected: &[i64]| {
        let mut request = json!({ "station_id": station });
        if let Some(status) = status {
            request["status"] = status.into();
        }
        for len in [1, 2, 3, 100] {
            let shown = pages(&mut world, &guest, "batteries.list", &request, len);
            let ids: Vec<i64> = shown.iter().filter_map(|battery| battery["id"].as_i64()).collect();
            assert_eq!(ids, expected, "{request}");
        }
    };
    check(1, None, &[1, 2, 3]);
    check(1, Some("available"), &[2, 3]);
    check(1, Some("booked"), &[1]);
    check(1, Some("collected"), &[]);
    check(2, None, &[]);
    check(3, None, &[5]);
    for len in 1..=4 {
        assert_eq!(pages(&mut world, &guest, "stations.list", &json!({}), len), expected);
    }
    let battery = world.call(JOHN, "batteries.list", json!({ "station_id": 1, "limit": 1 })).reply;
    assert_eq!(
        battery,
        r#"{"items":[{"id":1,"station_id":1,"name":"Tesla Battery","model":"Model 3","status":"booked"}],"next":"1"}"#
    );
}

/// Every filter, for everyone, by pages of every length, beside what the rows say.
#[test]
fn bookings_are_listed_the_newest_first() {
    let mut world = World::with_batteries(9);
    world.station("Airport Station", 9);
    for (user, station, then) in [
        (JOHN, 1, "bookings.collect"),
        (JANE, 1, ""),
        (JOHN, 2, "bookings.cancel"),
        (JANE, 2, "expires"),
        (JOHN, 1, "bookings.ready"),
        (JANE, 1, "bookings.ready"),
        (JOHN, 1, "bookings.cancel"),
        (EVE, 2, "bookings.collect"),
        (JOHN, 2, ""),
        (JANE, 1, "bookings.cancel"),
        (JOHN, 1, "bookings.ready"),
    ] {
        world.settings.booking_hold = if then == "expires" { SECOND } else { 30 * MINUTE };
        let id = world.book(user, station);
        if then.starts_with("bookings") {
            world.call(STAN, then, booking(id));
        }
    }
    world.pass_to(START + SECOND);
    let rows = world.rows().bookings;
    let statuses = ["confirmed", "ready", "collected", "cancelled", "expired"];
    for status in [None].into_iter().chain(statuses.map(Some)) {
        for station in [None, Some(1), Some(2), Some(3)] {
            for user in [None, Some(JOHN), Some(JANE), Some(9)] {
                let mut request = json!({});
                if let Some(status) = status {
                    request["status"] = status.into();
                }
                if let Some(station) = station {
                    request["station_id"] = station.into();
                }
                if let Some(user) = user {
                    request["user_id"] = user.to_string().into();
                }
                for (by, own) in [(STAN, None), (ROOT, None), (JOHN, Some(JOHN))] {
                    if own.is_some() && user.is_some_and(|user| Some(user) != own) {
                        continue;
                    }
                    let wanted = rows.iter().rev().filter(|row| {
                        status.is_none_or(|status| row.status == status)
                            && station.is_none_or(|station| row.station == station)
                            && user.or(own).is_none_or(|user| row.user == user)
                    });
                    let wanted: Vec<i64> = wanted.map(|row| row.id).collect();
                    for len in [1, 2, 3, 100] {
                        let by = principal(by);
                        let shown = pages(&mut world, &by, "bookings.list", &request, len);
                        let ids = shown.iter().filter_map(|booking| booking["id"].as_i64());
                        assert_eq!(ids.collect::<Vec<_>>(), wanted, "{request} by {}", by.id);
                    }
                }
            }
        }
    }
    // Without a word on whose, one's own; of who is no user, and staff, all.
    let board = token(Role::Device, &["stations:staff"]);
    assert_eq!(pages(&mut world, &board, "bookings.list", &json!({}), 100).len(), rows.len());
    assert_eq!(pages(&mut world, &principal(EVE), "bookings.list", &json!({}), 100).len(), 1);
}

/// What a stream shows first.
fn snapshot(world: &mut World, place: Option<i64>) -> Result<Said, Fault> {
    let read = move |tx: &mut Tx<'_>, ctx: &Ctx<'_>| {
        let reader: &ReadTx<'_> = tx;
        read::snapshot(reader, ctx.principal, place).map(Outcome::reply)
    };
    Ok(world.write(&Principal::guest(), read)?.0)
}

#[test]
fn what_a_stream_shows_first() {
    let mut world = World::new();
    let said =
        |payload: &str| Ok(Said { event: "stations:snapshot".into(), payload: payload.to_owned() });
    assert_eq!(snapshot(&mut world, None), said(r#"{"data":[]}"#));
    world.station("One", 2);
    world.station("Two", 0);
    world.book(JOHN, 1);
    let one = r#"{"id":1,"name":"One","status":"online","available_batteries":1,"booked_batteries":1,"total_batteries":2}"#;
    let two = r#"{"id":2,"name":"Two","status":"online","available_batteries":0,"booked_batteries":0,"total_batteries":0}"#;
    assert_eq!(snapshot(&mut world, None), said(&format!(r#"{{"data":[{one},{two}]}}"#)));
    assert_eq!(snapshot(&mut world, Some(1)), said(&format!(r#"{{"data":[{one}]}}"#)));
    assert_eq!(snapshot(&mut world, Some(2)), said(&format!(r#"{{"data":[{two}]}}"#)));
}

#[test]
fn a_snapshot_has_an_end() {
    let mut world = World::new();
    let add = |from: i64, upto: i64| {
        move |tx: &mut Tx<'_>, _: &Ctx<'_>| {
            let name = "\u{20ac}".repeat(128);
            for id in from..upto {
                let (name, online) = (Value::Text(&name), Value::Text("online"));
                let row = [Value::Integer(id), name, online, Value::Integer(START)];
                tx.execute(sql::INSERT_STATION, &row)?;
            }
            Ok(Outcome::reply(()))
        }
    };
    world.write(&Principal::system(), add(1_000, 1_001)).expect("it is added");
    let one =
        snapshot(&mut world, None).expect("it is short").payload.len() - r#"{"data":[]}"#.len();
    // As many as fit: each is as long as the first, with a comma.
    let most = SNAPSHOT_LEN_MAX / (one + 1);
    let next = 1_000 + most as i64;
    world.write(&Principal::system(), add(1_001, next)).expect("they are added");
    let len = snapshot(&mut world, None).expect("it is just short enough").payload.len();
    assert!(len <= SNAPSHOT_LEN_MAX + 16, "{len}");
    world.write(&Principal::system(), add(next, next + 1)).expect("it is added");
    let fault = snapshot(&mut world, None).expect_err("it is too long");
    assert_eq!(
        (fault.name(), &*fault.message),
        ("INVALID", "the snapshot is over 1 MiB: ask for single stations, or GET /api/stations")
    );
    snapshot(&mut world, Some(next)).expect("one is short");
}

#[test]
fn who_comes_is_greeted() {
    let said = |place: Option<i64>| {
        let said = greeting(&Principal::guest(), place, START).expect("there is a greeting");
        assert_eq!(said.event, "connection_established");
        said.payload
    };
    assert_eq!(said(None), r#"{"message":"Connected to all_stations","station_id":null}"#);
    assert_eq!(said(Some(1)), r#"{"message":"Connected to station_1","station_id":1}"#);
    let service = service();
    assert_eq!(service.streams.len(), 2);
    assert!(service.streams.iter().all(|stream| stream.greeting.is_some()));
}

#[test]
fn a_place_is_a_station() {
    let mut world = World::with_batteries(1);
    let exists = |world: &mut World, id: i64| {
        let look =
            move |tx: &mut Tx<'_>, _: &Ctx<'_>| read::station_exists(tx, id).map(Outcome::reply);
        world.write(&Principal::guest(), look).map_err(|fault| (fault.code, fault.message))
    };
    exists(&mut world, 1).expect("it is there");
    for id in [2, 0, -1, i64::MAX] {
        let (code, words) = exists(&mut world, id).expect_err("there is none");
        assert_eq!((code.name(), words), ("NOT_FOUND", format!("Station not found: {id}").into()));
    }
    let wish = Wish { place: Some(7), options: &[] };
    let heard = rights::heard_of_station(&wish).expect("it asks for nothing else");
    assert_eq!(heard, Heard::of_key("7".into()));
}

#[test]
fn who_hears_what() {
    let check = |principal: &Principal, topics: &[&str]| {
        assert_eq!(rights::topics(principal), topics, "{principal:?}");
    };
    let (all, staff): (&[&str], &[&str]) = (&["stations"], &["stations", "stations/staff"]);
    let scopes = ["stations:staff"];
    check(&Principal::guest(), all);
    check(&Principal { scopes: token(Role::User, &scopes).scopes, ..Principal::guest() }, all);
    check(&Principal::pairing(1, START), &[]);
    for user in [JOHN, JANE] {
        check(&principal(user), all);
    }
    check(&principal(STAN), staff);
    check(&principal(ROOT), staff);
    check(&Principal::operator(), staff);
    for role in [Role::User, Role::Client, Role::Device] {
        check(&token(role, &[]), all);
        check(&token(role, &scopes), staff);
        for other in ["stations:staff:1", "stations:staff:*", "states:staff", "stations:read"] {
            check(&token(role, &[other]), all);
        }
    }
    check(&token(Role::Admin, &[]), staff);
}

/// At once, on connections that are there.
#[test]
fn who_becomes_staff_hears_in_full_and_who_was_no_longer() {
    let mut world = World::new();
    let mut check = |scopes: Json, told: &[&str]| {
        let change = json!({ "userId": "2", "scopes": scopes });
        assert_eq!(world.call(ROOT, "users.change", change).told(), told, "{scopes}");
    };
    check(json!(["stations:staff"]), &["grant user/2/scopes stations/staff"]);
    check(json!(["stations:staff", "stations:other"]), &[]);
    check(json!(["stations:staff:1"]), &["evict user/2/scopes stations/staff"]);
}
