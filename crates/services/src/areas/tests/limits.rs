//! How many there may be: one below, at, and one above.

use bellwire_store::tx::Value;

use super::*;

#[test]
fn areas_of_a_client() {
    let mut world = World::new();
    let areas: Vec<AreaId> =
        (0..=AREAS_OF_CLIENT_MAX).map(|n| world.area(&format!("{n}"))).collect();
    let one = world.client("one", &[]);
    let all = |count: usize| json!({ "clientId": one, "areaIds": areas[..count] });
    for count in [AREAS_OF_CLIENT_MAX - 1, AREAS_OF_CLIENT_MAX] {
        let (client, _) = world.run(clients::assign_all, all(count));
        assert_eq!(client.area_ids, areas[..count]);
    }
    let over = world.run_as(&admin(), clients::assign_all, all(AREAS_OF_CLIENT_MAX + 1));
    let refused = over.expect_err("there are too many");
    assert_eq!((refused.code, &*refused.message), (Code::Invalid, "areaIds: at most 400"));
    let last = json!({ "clientId": one, "areaId": areas[AREAS_OF_CLIENT_MAX] });
    let refused = world.run_as(&admin(), clients::assign, last.clone()).expect_err("too many");
    assert_eq!(refused.code, Code::Invalid);
    world.run(clients::unassign, json!({ "clientId": one, "areaId": areas[0] }));
    let (client, _) = world.run(clients::assign, last);
    assert_eq!(client.area_ids, areas[1..]);
}

/// A page of clients ends early when they have many areas.
#[test]
fn bytes_of_a_page_of_clients() {
    let mut world = World::new();
    let given = world.write(&admin(), |tx, ctx| {
        for number in 1..=300 {
            let id = clients::insert(tx, ctx.now, &format!("{number}"))?;
            for area in 1..=AREAS_OF_CLIENT_MAX as i64 {
                let row = [id.value(), AreaId(area).value(), Value::Integer(0)];
                tx.execute(sql::ASSIGN, &row)?;
            }
        }
        Ok(Outcome::reply(()))
    });
    given.expect("they are written");
    let (mut after, mut pages) = (json!({ "limit": 1_000 }), Vec::new());
    loop {
        let page = world.look(&admin(), read::clients, after.clone()).expect("an admin may");
        let bytes = serde_json::to_vec(&page).expect("it serialises").len();
        assert!(bytes < 700 << 10, "{bytes}");
        pages.push(page.items.len());
        let Some(next) = page.next else { break };
        after["cursor"] = next.into();
    }
    assert!(pages.len() > 1 && pages[0] > 50, "{pages:?}");
    assert_eq!(pages.iter().sum::<usize>(), 300);
}

#[test]
fn clients_of_an_area() {
    let mut world = World::new();
    let hall = world.area("Hall");
    // A transaction has its time: so many at once.
    let give = |world: &mut World, count: i64| {
        let given = world.write(&admin(), move |tx, ctx| {
            let mut news = news::News::default();
            for _ in 0..count {
                let id = clients::insert(tx, ctx.now, "screen")?;
                clients::set_areas(tx, ctx, id, &[hall], &mut news)?;
            }
            Ok(news.with(()))
        });
        given.expect("so many there may be");
    };
    let slice = 100;
    for _ in 1..CLIENTS_OF_AREA_MAX / slice {
        give(&mut world, slice);
    }
    give(&mut world, slice - 1);
    let last = world.client("last", &[hall]);
    let over = world.client("over", &[]);
    let give = json!({ "clientId": over, "areaId": hall });
    let refused = world.run_as(&admin(), clients::assign, give.clone()).expect_err("too many");
    assert_eq!(refused.code, Code::Conflict);
    assert!(refused.message.contains("area_1 has 2000 clients"), "{refused}");
    world.run(clients::unassign, json!({ "clientId": last, "areaId": hall }));
    assert_eq!(world.run(clients::assign, give).0.area_ids, [hall]);
    // A client that is deleted makes room, too.
    world.run(clients::delete, json!({ "clientId": over }));
    let give = json!({ "clientId": world.client("next", &[]), "areaId": hall });
    assert_eq!(world.run(clients::assign, give).0.area_ids, [hall]);
    let counted = world.write(&admin(), |tx, _| {
        let counted = "SELECT clients, (SELECT count(*) FROM assignments WHERE upto_offset IS NULL)
                       FROM area_client_counts";
        let counted = bellwire_store::tx::Statement(counted);
        tx.all(counted, &[], |row| (row.integer(0), row.integer(1))).map(Outcome::reply)
    });
    assert_eq!(counted.expect("they are counted").0, [(CLIENTS_OF_AREA_MAX, CLIENTS_OF_AREA_MAX)]);
    // All of them lose it in one transaction, and are told by one event.
    let (_, told) = world.run(decide::delete, json!({ "areaId": hall }));
    let evicted = told.iter().filter(|line| line.starts_with("evict")).count();
    assert_eq!((told.len(), evicted), (1 + 4_000, 4_000));
}

#[test]
fn changes_in_a_request() {
    let mut world = World::new();
    let hall = world.area("Hall");
    let changes = |count: usize| json!({ "items": vec![json!({ "id": hall }); count] });
    for count in [CHANGES_MAX - 1, CHANGES_MAX] {
        let (page, told) = world.run(decide::change_all, changes(count));
        assert_eq!((page.items.len(), told.len()), (count, count));
    }
    let over = world.run_as(&admin(), decide::change_all, changes(CHANGES_MAX + 1));
    assert_eq!(over.expect_err("there are too many").message, "items: at most 500");
}

#[test]
fn entities_of_changes_in_a_request() {
    let mut world = World::new();
    let ids = |count: usize| (0..count).map(|n| format!("light.a{n}")).collect::<Vec<_>>();
    let [full, small, other] = [ENTITIES_MAX, 1, 1].map(|count| {
        let request = json!({ "name": "x", "entityIds": ids(count) });
        world.run(decide::create, request).0.id
    });
    let times = CHANGED_ENTITIES_MAX / ENTITIES_MAX;
    let untouched = json!({ "id": full, "name": "y" });
    let all = |more: &[serde_json::Value]| {
        let mut items = vec![untouched.clone(); times - 1];
        items.extend_from_slice(more);
        json!({ "items": items })
    };
    let other = json!({ "id": other });
    // What an area has, what it gets, and what it loses.
    for last in [
        untouched.clone(),
        json!({ "id": small, "entityIds": ids(ENTITIES_MAX) }),
        json!({ "id": small, "entityIds": [] }),
    ] {
        world.run(decide::change_all, all(std::slice::from_ref(&last)));
        world.run(decide::change, json!({ "areaId": small, "entityIds": ids(ENTITIES_MAX) }));
        let refused = world.run_as(&admin(), decide::change_all, all(&[last, other.clone()]));
        let refused = refused.map(drop).expect_err("there are too many");
        let words = "items: the areas have more than 20000 entities; change fewer at once";
        assert_eq!((refused.code, &*refused.message), (Code::Invalid, words));
    }
}
