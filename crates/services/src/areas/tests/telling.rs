//! What each decision tells, to whom, and what becomes of live sessions.

use super::*;

/// Two areas, and a client each that has the first, the second, and both.
fn house() -> (World, [AreaId; 2]) {
    let mut world = World::new();
    let areas = ["Hall", "Bath"].map(|name| world.area(name));
    for (name, areas) in [("one", &areas[..1]), ("two", &areas[1..]), ("both", &areas)] {
        world.client(name, areas);
    }
    (world, areas)
}

/// Changes, in turn, with what they tell.
#[track_caller]
fn check<C: DeserializeOwned + Send + 'static, R: Send + 'static>(
    world: &mut World,
    decide: Decide<C, R>,
    rows: &[(Value, &[&str])],
) {
    for (request, expected) in rows {
        let (_, told) = world.run(decide, request.clone());
        assert_eq!(told, *expected, "{request}");
    }
}

#[test]
fn changes_of_areas() {
    let (mut world, _) = house();
    check(
        &mut world,
        decide::create,
        &[
            (json!({ "name": "New" }), &["area_added area_3 to areas holders/area_3"]),
            (
                json!({ "name": "Off", "isEnabled": false }),
                &["area_added area_4 to areas holders/area_4"],
            ),
        ],
    );
    let updated = "area_updated area_1 to areas holders/area_1";
    let enabled = "area_enabled area_1 to areas holders/area_1";
    let disabled = "area_disabled area_1 to areas holders/area_1";
    // What of its states still waits for somebody slow is not for it any more.
    let narrow = "narrow area/area_1";
    check(
        &mut world,
        decide::change,
        &[
            (json!({ "areaId": "area_1" }), &[updated]),
            (json!({ "areaId": "area_1", "name": "Hall" }), &[updated]),
            (json!({ "areaId": "area_1", "isEnabled": true }), &[updated]),
            (json!({ "areaId": "area_1", "isEnabled": false }), &[updated, disabled, narrow]),
            (json!({ "areaId": "area_1", "isEnabled": false }), &[updated]),
            (json!({ "areaId": "area_1", "name": "x", "isEnabled": true }), &[updated, enabled]),
            (
                json!({ "areaId": "area_1", "entityIds": ["light.b", "light.a", "light.c"] }),
                &[updated],
            ),
            (
                json!({ "areaId": "area_1", "entityIds": ["light.a"] }),
                &[updated, "narrow area/area_1 light.b light.c"],
            ),
            (
                json!({ "areaId": "area_1", "entityIds": [], "isEnabled": false }),
                &[updated, disabled, narrow],
            ),
            (json!({ "areaId": "area_1", "entityIds": ["light.a"] }), &[updated]),
            (json!({ "areaId": "area_1", "isEnabled": true }), &[updated, enabled]),
        ],
    );
    check(
        &mut world,
        decide::toggle,
        &[
            (json!({ "areaId": "area_1" }), &[disabled, narrow]),
            (json!({ "areaId": "area_1", "isEnabled": false }), &[]),
            (json!({ "areaId": "area_1", "isEnabled": true }), &[enabled]),
            (json!({ "areaId": "area_1", "isEnabled": true }), &[]),
        ],
    );
}

#[test]
fn changes_of_several_areas() {
    let (mut world, _) = house();
    let updated = "area_updated area_1 to areas holders/area_1";
    check(
        &mut world,
        decide::change_all,
        &[
            (json!({ "items": [] }), &[]),
            (
                json!({ "items": [
                    { "id": "area_1", "isEnabled": false },
                    { "id": "area_2", "name": "y" },
                    { "id": "area_1", "isEnabled": true },
                ]}),
                &[
                    updated,
                    "area_disabled area_1 to areas holders/area_1",
                    "area_updated area_2 to areas holders/area_2",
                    updated,
                    "area_enabled area_1 to areas holders/area_1",
                    "narrow area/area_1",
                ],
            ),
        ],
    );
}

/// Those who have it are told, and each loses it in person.
#[test]
fn the_end_of_an_area() {
    let (mut world, _) = house();
    world.area("Nobody's");
    check(
        &mut world,
        decide::delete,
        &[
            (
                json!({ "areaId": "area_1" }),
                &[
                    "area_removed area_1 to areas client/client_1 client/client_3",
                    "evict client/client_1 holders/area_1",
                    "evict client/client_1 area/area_1",
                    "evict client/client_3 holders/area_1",
                    "evict client/client_3 area/area_1",
                ],
            ),
            (json!({ "areaId": "area_3" }), &["area_removed area_3 to areas"]),
        ],
    );
}

#[test]
fn areas_that_clients_get_and_lose() {
    let (mut world, _) = house();
    let changed = "client_changed client_1 to areas";
    let [added, removed] =
        ["added", "removed"].map(|what| format!("area_{what} area_2 to client/client_1"));
    let grants = ["grant client/client_1 holders/area_2", "grant client/client_1 area/area_2"];
    let evicts = ["evict client/client_1 holders/area_2", "evict client/client_1 area/area_2"];
    let of = |area: &str| json!({ "clientId": "client_1", "areaId": area });
    check(
        &mut world,
        clients::assign,
        &[
            (of("area_1"), &[]),
            (of("area_2"), &[&added, changed, grants[0], grants[1]]),
            (of("area_2"), &[]),
        ],
    );
    check(
        &mut world,
        clients::unassign,
        &[(of("area_2"), &[&removed, changed, evicts[0], evicts[1]]), (of("area_2"), &[])],
    );
    check(
        &mut world,
        clients::assign_all,
        &[
            (json!({ "clientId": "client_1", "areaIds": ["area_1", "area_1"] }), &[]),
            (
                json!({ "clientId": "client_1", "areaIds": ["area_2"] }),
                &[
                    "area_removed area_1 to client/client_1",
                    &added,
                    changed,
                    "evict client/client_1 holders/area_1",
                    "evict client/client_1 area/area_1",
                    grants[0],
                    grants[1],
                ],
            ),
            (
                json!({ "clientId": "client_1", "areaIds": [] }),
                &[&removed, changed, evicts[0], evicts[1]],
            ),
            (json!({ "clientId": "client_1", "areaIds": [] }), &[]),
        ],
    );
}

#[test]
fn changes_of_clients() {
    let (mut world, _) = house();
    let changed = "client_changed client_1 to areas";
    check(
        &mut world,
        clients::change,
        &[
            (json!({ "clientId": "client_1", "name": "one" }), &[]),
            (json!({ "clientId": "client_1" }), &[]),
            (json!({ "clientId": "client_1", "name": "other" }), &[changed]),
        ],
    );
    let revoked = "revoke client/client_1 saying token_revoked";
    check(
        &mut world,
        clients::revoke,
        &[
            (json!({ "clientId": "client_1" }), &[changed, revoked]),
            // Again: whoever is there in spite of it goes.
            (json!({ "clientId": "client_1" }), &[changed, revoked]),
        ],
    );
    let gone = "client_removed client_1 to areas";
    check(&mut world, clients::delete, &[(json!({ "clientId": "client_1" }), &[gone, revoked])]);
    for id in ["client_1", "client_99"] {
        let request = json!({ "clientId": id });
        let refused = world.run_as(&admin(), clients::revoke, request.clone()).expect_err("none");
        assert_eq!(
            (refused.code, &*refused.message),
            (Code::NotFound, &*format!("Client not found: {id}"))
        );
        let refused = world.run_as(&admin(), clients::delete, request).expect_err("none");
        assert_eq!(refused.code, Code::NotFound);
    }
}

#[test]
fn who_came_and_who_went() {
    let (mut world, _) = house();
    let shown = |world: &mut World, number: usize| {
        let list = world.look(&admin(), read::clients, json!({})).expect("an admin may");
        let client = &list.items[number];
        (client.online, client.last_seen.clone())
    };
    assert_eq!(shown(&mut world, 0), (false, None));
    let present = "clients_present  to areas";
    let [at_start, later] = [START, START + 90 * SECOND].map(|at| Some(timestamp_ms(at)));
    check(
        &mut world,
        clients::present,
        &[
            (json!({ "came": [], "went": [] }), &[]),
            (json!({ "came": ["client_1", "client_2"], "went": [] }), &[present]),
            // Those of whom nothing is known.
            (json!({ "came": ["client_99", "x", ""], "went": ["area_1"] }), &[]),
        ],
    );
    assert_eq!(shown(&mut world, 0), (true, at_start.clone()));
    world.now += 90 * SECOND;
    check(
        &mut world,
        clients::present,
        &[(json!({ "came": [], "went": ["client_1"] }), &[present])],
    );
    assert_eq!(shown(&mut world, 0), (false, later.clone()));
    assert_eq!(shown(&mut world, 1), (true, at_start));
    // Gone and come back between two looks: it is here.
    check(
        &mut world,
        clients::present,
        &[(json!({ "came": ["client_1"], "went": ["client_1"] }), &[present])],
    );
    assert!(shown(&mut world, 0).0);
    // A crash: when they were seen last is known to as much as lies between two calls.
    world.now += 90 * SECOND;
    let now = world.now;
    world.write(&admin(), |tx, ctx| still_here(tx, ctx.now).map(Outcome::reply)).expect("noted");
    world.now += 900 * SECOND;
    check(&mut world, clients::nobody, &[(json!({}), &[present]), (json!({}), &[])]);
    let seen = (false, Some(timestamp_ms(now)));
    assert_eq!((shown(&mut world, 0), shown(&mut world, 1)), (seen.clone(), seen));
    assert_eq!(shown(&mut world, 2), (false, None), "it was never here");
}

/// What is told of presence names everybody, once.
#[test]
fn payloads_of_admins() {
    let (mut world, _) = house();
    let payloads = |world: &mut World, came: Value| {
        let request: Presence = serde_json::from_value(came).expect("a request");
        let told = world.write(&admin(), move |tx, ctx| {
            let outcome = clients::present(tx, ctx, &request)?;
            let payloads = outcome.events.iter().map(|event| event.variants[0].payload.to_string());
            Ok(Outcome::reply(payloads.collect::<Vec<_>>()))
        });
        told.expect("it is noted").0
    };
    let at = timestamp_ms(START);
    let expected = format!(
        r#"{{"clients":[{{"id":"client_2","online":false,"lastSeen":"{at}"}},{{"id":"client_1","online":true,"lastSeen":"{at}"}}]}}"#
    );
    let told = payloads(&mut world, json!({ "came": ["client_1"], "went": ["client_2"] }));
    assert_eq!(told, [expected]);
}

/// Who was told of a change knows the area's `updatedAt`, whatever the clock does.
#[test]
fn an_event_has_the_time_of_the_change() {
    let mut world = World::new();
    let area = world.area("Hall");
    let one = world.client("one", &[area]);
    let last = |world: &mut World| {
        let events = world.look(&admin(), read::events, json!({ "clientId": one, "limit": 1 }));
        json!(events.expect("an admin may"))["items"][0]["data"]["timestamp"].clone()
    };
    for step in [0, 0, 7 * SECOND, -3_600 * SECOND, 1] {
        world.now += step;
        let (changed, _) = world.run(decide::change, json!({ "areaId": area, "name": "x" }));
        assert_eq!(last(&mut world), timestamp_ms(changed.updated_at), "{step}");
        let (changed, _) = world.run(decide::toggle, json!({ "areaId": area }));
        assert_eq!(last(&mut world), timestamp_ms(changed.updated_at), "{step}");
    }
    // What is no change of the area has the time at which it is.
    world.run(clients::unassign, json!({ "clientId": one, "areaId": area }));
    assert_eq!(last(&mut world), timestamp_ms(world.now));
}

/// Each change has a time of its own, as callers see it, whatever the clock does.
#[test]
fn no_two_changes_at_a_time() {
    let mut world = World::new();
    let area = world.area("Hall");
    let mut seen = vec![timestamp_ms(START)];
    for step in [0, 0, 1, 999, 1_000, 1, -5 * SECOND, -3_600 * SECOND, 10, 7_200 * SECOND, 0] {
        world.now += step;
        let (changed, _) = world.run(decide::change, json!({ "areaId": area }));
        let at = timestamp_ms(changed.updated_at);
        assert!(seen.last() < Some(&at), "{at} after {seen:?}");
        // What was seen is what is expected; nothing else is.
        let expects = |at: &str| json!({ "areaId": area, "name": "x", "expectedUpdatedAt": at });
        for before in &seen {
            let refused =
                world.run_as(&admin(), decide::change, expects(before)).expect_err("stale");
            assert_eq!(refused.code, Code::Conflict);
        }
        let (changed, _) = world.run(decide::change, expects(&at));
        seen.extend([at, timestamp_ms(changed.updated_at)]);
        assert_eq!(changed.created_at, START);
    }
    let (toggled, _) = world.run(decide::toggle, json!({ "areaId": area }));
    assert!(seen.last() < Some(&timestamp_ms(toggled.updated_at)));
}
