//! What a client was told, and for how long that is known.

use bellwire_store::{change::Offset, tx::Statement};

use super::*;

/// What a client was told after a place, a line each, with whether it is all, and the places.
fn told_to(
    world: &mut World,
    id: ClientId,
    since: Option<&str>,
) -> (Vec<String>, bool, Vec<String>) {
    let mut request = json!({ "clientId": id, "limit": 1_000 });
    if let Some(since) = since {
        request["since"] = since.into();
    }
    let events = world.look(&admin(), read::events, request.clone()).expect("an admin may");
    let events = json!(events);
    let own = world.look(&caller(id), read::own_events, request).expect("it may, too");
    assert_eq!(events, json!(own));
    let items = events["items"].as_array().expect("a list");
    let text = |value: &Value| value.as_str().unwrap_or("nothing").to_owned();
    let line = |item: &Value| format!("{} {}", text(&item["event"]), text(&item["data"]["areaId"]));
    let places = items.iter().map(|item| text(&item["id"])).collect();
    (items.iter().map(line).collect(), events["truncated"] == true, places)
}

#[test]
fn while_it_had_an_area_and_nothing_else() {
    let mut world = World::new();
    let [hall, bath] = ["Hall", "Bath"].map(|name| world.area(name));
    let (one, two) = (world.client("one", &[]), world.client("two", &[hall]));
    let change = |world: &mut World, id: AreaId| {
        world.run(decide::change, json!({ "areaId": id, "isEnabled": true }));
    };
    let assign = |world: &mut World, id: ClientId, areas: &[AreaId]| {
        world.run(clients::assign_all, json!({ "clientId": id, "areaIds": areas }));
    };
    change(&mut world, hall);
    assign(&mut world, one, &[hall]);
    change(&mut world, hall);
    assign(&mut world, one, &[bath]);
    change(&mut world, hall);
    change(&mut world, bath);
    assign(&mut world, one, &[hall, bath]);
    change(&mut world, hall);
    // Changes of an area in the transaction in which others happen are told once each.
    let many =
        json!({ "items": [{ "id": bath }, { "id": hall, "isEnabled": false }, { "id": bath }] });
    world.run(decide::change_all, many);
    world.run(decide::delete, json!({ "areaId": hall }));
    world.run(clients::revoke, json!({ "clientId": one }));
    let (told, is_cut, places) = told_to(&mut world, one, None);
    let expected = [
        "area_added area_1",
        "area_updated area_1",
        "area_removed area_1",
        "area_added area_2",
        "area_updated area_2",
        "area_added area_1",
        "area_updated area_1",
        "area_updated area_2",
        "area_updated area_1",
        "area_disabled area_1",
        "area_updated area_2",
        "area_removed area_1",
        "token_revoked nothing",
    ];
    assert_eq!((told, is_cut), (expected.map(String::from).to_vec(), false));
    let others = told_to(&mut world, two, None).0;
    assert_eq!(others[..2], ["area_added area_1", "area_updated area_1"]);
    assert_eq!((others.len(), &*others[7]), (8, "area_removed area_1"));
    for (place, id) in places.iter().enumerate() {
        let rest = told_to(&mut world, one, Some(id));
        assert_eq!((&rest.0[..], rest.1), (&expected.map(String::from)[place + 1..], false));
    }
    // Forgotten with it.
    world.run(clients::delete, json!({ "clientId": one }));
    let refused = world.look(&admin(), read::events, json!({ "clientId": one })).expect_err("none");
    assert_eq!(refused.code, Code::NotFound);
    let rows = world.write(&admin(), |tx, _| {
        let of = |sql: &'static str| {
            tx.one(bellwire_store::tx::Statement(sql), &[], |row| row.integer(0))
        };
        let left = [
            of("SELECT count(*) FROM assignments WHERE client_id = 1")?,
            of("SELECT count(*) FROM area_events WHERE client_id = 1")?,
            of("SELECT count(*) FROM area_entities WHERE area_id = 1")?,
        ];
        Ok(Outcome::reply(left))
    });
    assert_eq!(rows.expect("they are counted").0, [Some(0); 3]);
}

/// A place in the history is the place that a connection with a cursor is told.
#[test]
fn places_are_those_of_the_log() {
    let mut world = World::new();
    let areas: Vec<AreaId> = (0..3).map(|n| world.area(&format!("{n}"))).collect();
    let one = world.client("one", &areas[..2]);
    let mut offsets = Vec::new();
    let mut note = |world: &mut World, decide: Decide<AssignAll, Client>, areas: &[AreaId]| {
        let before = world.writer.log_stats().head;
        world.run(decide, json!({ "clientId": one, "areaIds": areas }));
        offsets.push((before, world.writer.log_stats().head));
    };
    note(&mut world, clients::assign_all, &areas[1..]);
    note(&mut world, clients::assign_all, &[]);
    let (told, _, places) = told_to(&mut world, one, None);
    // Two areas that it had from the beginning, then one lost and one won, then both lost; each time admins
    // are told of the client last.
    assert_eq!(told.len(), 6);
    let (first, second) = (offsets[0].0, offsets[1].0);
    let expected = [first + 1, first + 2, second + 1, second + 2];
    assert_eq!(offsets, [(first, first + 3), (second, second + 3)]);
    let epoch = world.writer.epoch().to_owned();
    assert_eq!(places[2..], expected.map(|offset| format!("{epoch}.{offset}")));
    // The last place is one of this log; the next is not yet, and who comes with it is told the newest.
    let head = world.writer.log_stats().head;
    for (place, is_cut) in [(head, false), (head + 1, true), (Offset::MAX, true)] {
        let (rest, cut, _) = told_to(&mut world, one, Some(&format!("{epoch}.{place}")));
        assert_eq!((rest.len(), cut), (if is_cut { 6 } else { 0 }, is_cut), "{place}");
    }
}

#[test]
fn what_is_past_its_time() {
    let mut world = World::new();
    let hall = world.area("Hall");
    let bath = world.area("Bath");
    let (one, two) = (world.client("one", &[hall]), world.client("two", &[bath]));
    let mut changes = Vec::new();
    for day in 0..10 {
        world.now = START + day * 24 * 3_600 * SECOND;
        world.run(decide::change, json!({ "areaId": hall, "name": format!("{day}") }));
        changes.push(world.now);
    }
    world.run(clients::assign_all, json!({ "clientId": one, "areaIds": [bath] }));
    let (whole, _, places) = told_to(&mut world, one, None);
    assert_eq!(whole.len(), 13);
    let forget = |world: &mut World, before: Micros, rows_max: i64| {
        let forgotten = world.write(&admin(), move |tx, ctx| {
            forget(tx, ctx.now, before, rows_max).map(Outcome::reply)
        });
        forgotten.expect("it is forgotten").0
    };
    assert_eq!(forget(&mut world, changes[0], 1_000), 0, "nothing is from before");
    // A slice at a time, and not one that is new enough.
    let mut slices = Vec::new();
    loop {
        match forget(&mut world, changes[5], 2) {
            0 => break,
            count => slices.push(count),
        }
    }
    // What it was given, five changes of the hall, what the other was given, and two areas that were made.
    assert_eq!(slices.iter().sum::<u64>(), 9, "{slices:?}");
    assert!(slices.iter().all(|count| *count <= 2), "{slices:?}");
    let (left, is_cut, _) = told_to(&mut world, one, None);
    assert_eq!((left.len(), is_cut), (7, false), "who asks for the newest is told no lie");
    assert_eq!(left[..], whole[6..]);
    for (place, id) in places.iter().enumerate() {
        let (rest, is_cut, _) = told_to(&mut world, one, Some(id));
        // From what was the last to go on, nothing is missing.
        assert_eq!(is_cut, place < 5, "place {place}");
        assert_eq!(rest[..], whole[(place + 1).max(6)..], "place {place}");
    }
    // The other one has lost what it was told; its place says so.
    assert_eq!(told_to(&mut world, two, None), (vec![], false, vec![]));
    // The span of an area that it had goes with the last event in it, and what it has now stays.
    world.now += 24 * 3_600 * SECOND;
    let now = world.now;
    assert_eq!(forget(&mut world, now, 1_000), 7 + 1, "all events, and the span that is over");
    let client =
        world.look(&admin(), read::one_client, json!({ "clientId": one })).expect("it is there");
    assert_eq!(client.area_ids, [bath]);
    world.run(decide::change, json!({ "areaId": bath }));
    let last = told_to(&mut world, one, Some(&places[12]));
    assert_eq!((last.0, last.1), (vec!["area_updated area_2".to_owned()], false));
    assert!(told_to(&mut world, one, Some(&places[11])).1);
}

/// However much is past its time, a transaction forgets a slice of it, and finds that without reading the rest.
#[test]
fn many_that_are_past_their_time() {
    let mut world = World::new();
    let (events, spans, slice) = (100_000, 2_500, 1_000);
    let ready = world.write(&admin(), move |tx, _| {
        for sql in [
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
             INSERT INTO area_events (log_offset, at, name, payload, area_id)
             SELECT i, i, 'area_updated', '{}', 1 FROM n",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
             INSERT INTO assignments (client_id, area_id, from_offset, upto_offset)
             SELECT i, 1, 0, 1 FROM n",
            // The clock was set back between two of them.
            "UPDATE area_events SET at = 3 WHERE log_offset = 50000",
        ] {
            tx.execute(Statement(sql), &[])?;
        }
        Ok(Outcome::reply(()))
    });
    ready.expect("the rows are written");
    let mut slices = Vec::new();
    loop {
        let forgotten = world.write(&admin(), move |tx, ctx| {
            forget(tx, ctx.now, events + 1, slice).map(Outcome::reply)
        });
        match forgotten.expect("it is forgotten").0 {
            0 => break,
            count => slices.push(count as i64),
        }
    }
    assert_eq!(slices.iter().sum::<i64>(), events + spans);
    assert!(slices.iter().all(|count| *count <= 2 * slice), "{slices:?}");
    for statement in [sql::OLD_EVENTS, sql::FORGET_EVENTS, sql::FORGET_SPANS] {
        let explained: &'static str = format!("EXPLAIN QUERY PLAN {}", statement.0).leak();
        let plan = world.write(&admin(), move |tx, _| {
            let params = [bellwire_store::tx::Value::Integer(1); 2];
            let given = if explained.contains("$2") { 2 } else { 1 };
            tx.all(Statement(explained), &params[..given], |row| row.text(3)).map(Outcome::reply)
        });
        let plan = plan.expect("it is explained").0;
        let scans = |step: &String| {
            ["SCAN area_events", "SCAN assignments"].iter().any(|scan| step.starts_with(scan))
                && !step.ends_with("area_events_forgotten")
        };
        assert!(!plan.is_empty() && !plan.iter().any(scans), "{plan:?}");
    }
}
