//! Changes of areas: many at once, two admins at once, requests that are repeated.

use std::{
    collections::BTreeSet,
    sync::Barrier,
    thread::{self, ScopedJoinHandle},
};

use serde_json::{Value, json};

use super::{House, patiently, text};
use crate::harness::Ask;

/// The most changes in one request.
const CHANGES_MAX: usize = 500;

#[test]
fn many_areas_change_in_one_request() {
    let house = House::new();
    let [hall, bath] = ["Hall", "Bath"].map(|name| house.area(name, &["light.a"]));
    let patch = |body: &Value| house.ask("PATCH", "/api/areas").json(body);
    let list = || house.ask("GET", "/api/areas").expect(200);
    let changes = json!([
        { "id": bath, "name": "Bathroom" },
        { "id": hall, "entityIds": ["light.b"], "isEnabled": false },
        { "id": bath, "isEnabled": false, "areaId": hall },
        { "id": hall },
    ]);
    for body in [changes.clone(), json!({ "items": changes })] {
        let changed = patch(&body).expect(200);
        let shown: Vec<_> = changed["items"].as_array().expect("a list").iter().collect();
        let of = |key: &str| shown.iter().map(|area| &area[key]).collect::<Vec<_>>();
        assert_eq!(of("id"), [&*bath, &hall, &bath, &hall], "{changed}");
        assert_eq!(of("name"), ["Bathroom", "Hall", "Bathroom", "Hall"]);
        assert_eq!((shown.len(), &changed["next"]), (4, &Value::Null));
        // As they are after the last of them.
        assert_eq!(list()["items"], json!([shown[3], shown[2]]));
        assert_eq!((of("isEnabled")[2], of("isEnabled")[3]), (&json!(false), &json!(false)));
        assert!(text(shown[2], "updatedAt") > text(shown[0], "updatedAt"), "{changed}");
    }
    for none in [json!([]), json!({ "items": [] })] {
        assert_eq!(patch(&none).expect(200), json!({ "items": [], "next": null }));
    }

    // One that is refused: nothing changes.
    let before = list();
    let good = json!({ "id": hall, "name": "Never" });
    let old = "2020-01-01T00:00:00.000Z";
    for (bad, status) in [
        (json!({ "id": "area_77" }), 404),
        (json!({ "id": "area_77", "name": "Never" }), 404),
        (json!({ "id": bath, "expectedUpdatedAt": old }), 409),
        (json!({ "id": "area_01" }), 422),
        (json!({ "id": 1 }), 422),
        (json!({ "id": null }), 422),
        (json!({ "areaId": bath, "name": "Never" }), 422),
        (json!({}), 422),
        (json!({ "id": bath, "name": "" }), 422),
        (json!({ "id": bath, "name": null }), 422),
        (json!({ "id": bath, "entityIds": ["Light.A"] }), 422),
        (json!({ "id": bath, "isEnabled": "yes" }), 422),
        (json!(null), 422),
        (json!("area_1"), 422),
        (json!([good]), 422),
    ] {
        for items in [json!([good, bad]), json!([bad, good]), json!([good, bad, good])] {
            for body in [items.clone(), json!({ "items": items })] {
                let refused = patch(&body).send();
                assert_eq!(refused.status, status, "{body}: {refused:?}");
                assert_eq!(list(), before, "{body}");
            }
        }
    }
    for (body, status) in [
        (json!({}), 422),
        (json!({ "items": null }), 422),
        (json!({ "items": good }), 422),
        (json!(null), 400),
        (json!("items"), 400),
    ] {
        assert_eq!(patch(&body).send().status, status, "{body}");
    }
    house.ask("PATCH", "/api/areas").refused(422, "INVALID");
    assert_eq!(list(), before);
}

#[test]
fn so_many_changes_and_no_more() {
    let house = House::new();
    let area = house.area("Hall", &[]);
    let changes = |count: usize| {
        let names = (0..count).map(|n| json!({ "id": area, "name": format!("Hall {n}") }));
        json!(names.collect::<Vec<_>>())
    };
    let patch = |count: usize| house.ask("PATCH", "/api/areas").json(&changes(count));
    let path = format!("/api/areas/{area}");
    let before = house.ask("GET", &path).expect(200);
    patch(CHANGES_MAX + 1).refused(422, "INVALID");
    assert_eq!(house.ask("GET", &path).expect(200), before);
    for count in [CHANGES_MAX - 1, CHANGES_MAX] {
        let changed = patiently(&patch(count));
        assert_eq!(changed.status, 200, "{changed:?}");
        let changed = changed.json();
        let items = changed["items"].as_array().expect("a list");
        assert_eq!(
            (items.len(), &items[count - 1]["name"]),
            (count, &json!(format!("Hall {}", count - 1)))
        );
        // Each has a time of its own, however many there are in a millisecond.
        let times: Vec<String> = items.iter().map(|area| text(area, "updatedAt")).collect();
        assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    }
    // What comes next is later than what was counted ahead.
    let last = text(&house.ask("GET", &path).expect(200), "updatedAt");
    assert!(text(&house.ask("PATCH", &path).expect(200), "updatedAt") > last);
}

#[test]
fn a_change_of_what_was_seen() {
    let house = House::new();
    let path = format!("/api/areas/{}", house.area("Hall", &[]));
    let put = |method: &str, name: &str| house.ask(method, &path).json(&json!({ "name": name }));
    let if_match = |ask: Ask, tag: &str| ask.header(&format!("If-Match: {tag}"));
    for (method, first, second) in [("PUT", "A", "B"), ("PATCH", "C", "D")] {
        let seen = house.ask("GET", &path).send();
        let etag = seen.header("etag").expect("a thing has a version").to_owned();
        if_match(put(method, "No"), "\"other\"").refused(412, "PRECONDITION_FAILED");
        if_match(put(method, first), &etag).expect(200);
        if_match(put(method, "No"), &etag).refused(412, "PRECONDITION_FAILED");
        // The same words again are another version.
        let again = put(method, first).send();
        let changed = if_match(put(method, second), again.header("etag").expect("a version"));
        assert_eq!(changed.expect(200)["name"], second);
        if_match(put(method, second), "*").expect(200);
        let known = house.ask("GET", &path).header(&format!("If-None-Match: {etag}")).send();
        assert_eq!(known.status, 200);
    }
    // A switch is thrown by who saw how it was.
    let toggle = || house.ask("PATCH", &format!("{path}/toggle"));
    let seen = house.ask("GET", &path).send();
    let etag = seen.header("etag").expect("a version").to_owned();
    if_match(toggle(), "\"other\"").refused(412, "PRECONDITION_FAILED");
    assert_eq!(house.ask("GET", &path).send().body, seen.body);
    let thrown = if_match(toggle(), &etag).expect(200);
    assert_eq!(thrown["isEnabled"], !seen.json()["isEnabled"].as_bool().expect("it is or is not"));
    for again in [toggle(), toggle().json(&json!({ "isEnabled": thrown["isEnabled"] }))] {
        if_match(again, &etag).refused(412, "PRECONDITION_FAILED");
    }
    assert_eq!(house.ask("GET", &path).expect(200), thrown);
    if_match(toggle(), "*").expect(200);
    let gone = house.ask("DELETE", &path);
    if_match(gone.clone(), "\"other\"").refused(412, "PRECONDITION_FAILED");
    let etag = house.ask("GET", &path).send();
    let known = house
        .ask("GET", &path)
        .header(&format!("If-None-Match: {}", etag.header("etag").expect("a version")));
    assert_eq!(known.send().status, 304);
    if_match(gone, etag.header("etag").expect("a version")).expect(204);
    if_match(put("PUT", "No"), "*").refused(412, "PRECONDITION_FAILED");
    // A client has a version, too.
    let client = format!("/api/clients/{}", house.pair("Hall screen", &[]).id);
    let seen = house.ask("GET", &client).send();
    let rename = |name: &str, tag: &str| {
        if_match(house.ask("PATCH", &client).json(&json!({ "name": name })), tag)
    };
    let etag = seen.header("etag").expect("a version");
    rename("Other", etag).expect(200);
    rename("Another", etag).refused(412, "PRECONDITION_FAILED");
    assert_eq!(house.ask("GET", &client).expect(200)["name"], "Other");
}

#[test]
fn a_change_of_what_was_expected() {
    let house = House::new();
    let area = house.area("Hall", &[]);
    let path = format!("/api/areas/{area}");
    let now = || text(&house.ask("GET", &path).expect(200), "updatedAt");
    let put = |method: &str, at: &Value| {
        house.ask(method, &path).json(&json!({ "name": "Other", "expectedUpdatedAt": at }))
    };
    for method in ["PUT", "PATCH"] {
        let seen = now();
        let elsewhere = seen.replace('Z', "+00:00");
        put(method, &json!("2020-01-01T00:00:00Z")).refused(409, "CONFLICT");
        assert_eq!(now(), seen);
        put(method, &json!(seen)).expect(200);
        put(method, &json!(seen)).refused(409, "CONFLICT");
        put(method, &json!(elsewhere)).refused(409, "CONFLICT");
        put(method, &json!(now().replace('Z', "+00:00"))).expect(200);
    }
    for wrong in
        [json!(null), json!(""), json!(0), json!("yesterday"), json!("2026-02-30T00:00:00Z")]
    {
        put("PATCH", &wrong).refused(422, "INVALID");
    }
    let toggle = |body: Value| house.ask("PATCH", &format!("{path}/toggle")).json(&body);
    let seen = house.ask("GET", &path).expect(200);
    for is_enabled in [true, false] {
        let body = json!({ "isEnabled": is_enabled, "expectedUpdatedAt": "2020-01-01T00:00:00Z" });
        toggle(body).refused(409, "CONFLICT");
    }
    assert_eq!(house.ask("GET", &path).expect(200), seen);
    let expected = json!({ "expectedUpdatedAt": seen["updatedAt"] });
    let thrown = toggle(expected.clone()).expect(200);
    assert_eq!((&seen["isEnabled"], &thrown["isEnabled"]), (&json!(true), &json!(false)));
    toggle(expected).refused(409, "CONFLICT");
    toggle(json!({ "expectedUpdatedAt": null })).refused(422, "INVALID");
    assert_eq!(house.ask("GET", &path).expect(200), thrown);
    let bulk = |at: &str| {
        let change = json!([{ "id": area, "name": "Bulk", "expectedUpdatedAt": at }]);
        house.ask("PATCH", "/api/areas").json(&change)
    };
    let seen = now();
    bulk(&seen).expect(200);
    bulk(&seen).refused(409, "CONFLICT");
    house.ask("DELETE", &path).expect(204);
    put("PUT", &json!(seen)).refused(404, "NOT_FOUND");
}

/// Asks all of these at the same time, and gives the statuses in their order.
pub fn at_once(asks: Vec<Ask>) -> Vec<u16> {
    let barrier = Barrier::new(asks.len());
    let send = |ask: Ask| {
        barrier.wait();
        ask.send().status
    };
    thread::scope(|scope| {
        let threads: Vec<ScopedJoinHandle<'_, u16>> =
            asks.into_iter().map(|ask| scope.spawn(|| send(ask))).collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer comes")).collect()
    })
}

/// How often admins race.
const ROUNDS: usize = 30;

#[test]
fn of_admins_who_saw_the_same_one_wins() {
    let house = House::new();
    let area = house.area("Hall", &[]);
    let path = format!("/api/areas/{area}");
    let other = house.server.token("admin", &[]).text;
    let mut versions = BTreeSet::new();
    for round in 0..ROUNDS {
        let seen = house.ask("GET", &path).send();
        let at = text(&seen.json(), "updatedAt");
        let etag = format!("If-Match: {}", seen.header("etag").expect("a version"));
        assert!(versions.insert(at.clone()), "round {round}: {at} was there before");
        let change = |token: &str, name: &str| {
            let name = format!("{name} {round}");
            let body = match round % 2 {
                0 => json!({ "name": name, "expectedUpdatedAt": at }),
                _ => json!({ "name": name }),
            };
            let ask = house.server.ask("PATCH", &path).bearer(token).json(&body);
            if round % 2 == 0 { ask } else { ask.header(&etag) }
        };
        let names = ["Anna's", "Ben's", "Cleo's"];
        let asks = [&house.admin, &other, &other].into_iter().zip(names);
        let statuses = at_once(asks.map(|(token, name)| change(token, name)).collect());
        let won: Vec<_> =
            names.iter().zip(&statuses).filter(|(_, status)| **status == 200).collect();
        let refusal = if round % 2 == 0 { 409 } else { 412 };
        let refused = statuses.iter().filter(|status| **status == refusal).count();
        assert_eq!((won.len(), refused), (1, 2), "round {round}: {statuses:?}");
        let name = text(&house.ask("GET", &path).expect(200), "name");
        assert_eq!(name, format!("{} {round}", won[0].0));
    }
}

#[test]
fn a_repeated_request_counts_once() {
    let house = House::new();
    let other = house.server.token("admin", &[]).text;
    let post = |token: &str, key: &str, name: &str| {
        let ask = house.server.ask("POST", "/api/areas").bearer(token);
        ask.header(&format!("Idempotency-Key: {key}")).json(&json!({ "name": name }))
    };
    let first = post(&house.admin, "k1", "Hall").send();
    for key in ["k1", "\"k1\""] {
        let again = post(&house.admin, key, "Hall").send();
        let head = (again.status, again.header("location"));
        assert_eq!((head, &again.body), ((201, Some("/api/areas/area_1")), &first.body));
    }
    post(&house.admin, "k1", "Bath").refused(409, "CONFLICT");
    post(&house.admin, "k2", "Hall").expect(201);
    post(&other, "k1", "Hall").expect(201);
    // All at once, too.
    assert_eq!(at_once(vec![post(&other, "k3", "Bath"); 8]), [201; 8]);
    let list = house.ask("GET", "/api/areas").expect(200);
    let names: Vec<_> =
        list["items"].as_array().expect("a list").iter().map(|a| text(a, "name")).collect();
    assert_eq!(names, ["Hall", "Hall", "Hall", "Bath"]);
    // A switch that is thrown twice by one hand is thrown once.
    let toggle = || house.ask("PATCH", "/api/areas/area_1/toggle").header("Idempotency-Key: k1");
    let area = toggle().expect(200);
    assert_eq!((&area["isEnabled"], toggle().expect(200)), (&json!(false), area.clone()));
    assert_eq!(house.ask("GET", "/api/areas/area_1").expect(200), area);
    // The key of one call is none of another's, and a revocation is repeated like all else.
    let screen = house.pair("Hall screen", &["area_1"]);
    let revoke = || {
        house
            .ask("POST", &format!("/api/clients/{}/revoke", screen.id))
            .header("Idempotency-Key: k1")
    };
    assert_eq!(revoke().expect(200), revoke().expect(200));
}
