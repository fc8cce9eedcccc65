//! What a session is told that was suspended while the snapshot of a subscription was read.

use super::*;

/// Names of topics that a session listens to.
type Names<'a> = &'a [&'a str];

/// What an operator is given who listens to these topics, was told everything up to `after`, and asks for these
/// entities, or for all.
fn subscribed(
    house: &House,
    names: Names<'_>,
    after: Offset,
    entities: Option<&str>,
) -> Result<Opened, Fault> {
    let door = &house.core.door;
    let audience = door.tables.audience(None, names.iter().copied()).expect("they mean something");
    let payload = entities.map_or(json!({}), |id| json!({ "entity_ids": [id] }));
    let (name, payload, topics) = ("subscribe_entities", fields(payload), Vec::new());
    let call = SubscribeCall { name, payload, topics, after };
    let operator = Arc::new(Principal::operator());
    house.opened(|wanted, answer| door.subscribe(call, operator, audience, None, wanted, answer))
}

/// The events behind a snapshot, with their places.
fn behind(opened: &Opened) -> Vec<(Offset, &str)> {
    assert!(opened.snapshot.is_some());
    let mut events = Vec::new();
    for row in &opened.opening.rows {
        let event = row.logged.event.as_ref().expect("only events are told");
        events.push((row.offset(), &*event.name));
    }
    events
}

/// States and areas change by turns, from the place that is given on; the last is a state.
fn changed() -> (House, Offset) {
    let house = House::new();
    let after = house.head();
    for (state, area) in [("1", "Hall"), ("2", "Kitchen")] {
        house.set("light.a", state);
        house.ask("areas.create", json!({ "name": area, "entityIds": ["light.a"] }));
    }
    house.set("light.a", "3");
    (house, after)
}

/// A snapshot says how its own service is; what happened to others it does not say.
#[test]
fn a_snapshot_makes_up_for_its_own_service_alone() {
    let (house, after) = changed();
    let (forgetful, same) = changed();
    assert_eq!(after, same);
    let areas = [(after + 2, "area_added"), (after + 4, "area_added")];
    let check = |house: &House, names: Names<'_>, since: Offset, entities, events: &[_]| {
        let opened = subscribed(house, names, since, entities).expect("it subscribes");
        assert_eq!(behind(&opened), events, "{names:?} since {since}, {entities:?}");
        // Who has the cursor of the snapshot, and no more, is told them when it comes back.
        let place = events.first().map_or(house.head(), |(first, _)| first - 1);
        assert_eq!(opening::first_place(&opened.opening), place);
    };
    let check_all = |house: &House| {
        for entities in [None, Some("light.a"), Some("light.none")] {
            check(house, &["areas", "states"], after, entities, &areas);
            check(house, &["areas", "states"], after + 2, entities, &areas[1..]);
            check(house, &["areas", "states"], house.head(), entities, &[]);
            // It begins to listen to states.
            check(house, &["areas"], after, entities, &areas);
            check(house, &["areas", "entity/light.b"], after, entities, &areas);
            check(house, &["states"], after, entities, &[]);
            check(house, &[], after, entities, &[]);
        }
    };
    check_all(&house);
    check_all(&forgetful.forgetful());
}

/// Who cannot be told what it missed is refused, and goes on as before; who missed nothing is not.
#[test]
fn a_subscription_leaves_nothing_out() {
    let (house, after) = changed();
    // Two rows are left.
    let keep = Keep { time: 0, events: 2, bytes_max: u64::MAX };
    house.maintain(move |tx| prune(tx, i64::MAX, &keep));
    let house = house.forgetful();
    let subscribed = |names, after| subscribed(&house, names, after, None);
    let fault = subscribed(&["areas"], after).expect_err("an area is not kept any more");
    assert_eq!((fault.code, &*fault.message), (Code::Overloaded, "too far behind"));
    let opened = subscribed(&["areas"], after + 3).expect("it missed what is kept");
    assert_eq!(behind(&opened), [(after + 4, "area_added")]);
    assert_eq!(behind(&subscribed(&["states"], after).expect("it missed nothing")), []);
}
