//! Who has which areas, and the end of a client's access.

use serde_json::{Value, json};

use super::{House, Paired, changes::at_once, text};
use crate::harness::until;

/// How many events a client was told.
fn told(house: &House, id: &str) -> usize {
    let events = house.ask("GET", &format!("/api/clients/{id}/events")).expect(200);
    events["items"].as_array().expect("a list").len()
}

#[test]
fn what_is_so_already_is_not_told() {
    let house = House::new();
    let [hall, bath] = ["Hall", "Bath"].map(|name| house.area(name, &[]));
    let screen = house.pair("Hall screen", &[&hall]);
    let path = format!("/api/clients/{}", screen.id);
    let give = |area: &str| house.ask("PUT", &format!("{path}/areas/{area}"));
    let take = |area: &str| house.ask("DELETE", &format!("{path}/areas/{area}"));
    let toggle = |is_enabled: bool| {
        let body = json!({ "isEnabled": is_enabled });
        house.ask("PATCH", &format!("/api/areas/{hall}/toggle")).json(&body)
    };
    let all = |areas: &[&str]| {
        house.ask("PUT", &format!("{path}/areas")).json(&json!({ "areaIds": areas }))
    };
    let head = || house.server.metric("bellwire_log_head_offset");
    for (what, ask, status, more) in [
        ("has it", give(&hall), 200, 0),
        ("has it not", take(&bath), 204, 0),
        ("has these", all(&[&hall, &hall]), 200, 0),
        ("is enabled", toggle(true), 200, 0),
        ("gets one", give(&bath), 200, 1),
        ("has it now", give(&bath), 200, 0),
        ("has both", all(&[&bath, &hall]), 200, 0),
        ("loses one", take(&bath), 204, 1),
        ("loses it again", take(&bath), 204, 0),
        ("gets one for another", all(&[&bath]), 200, 2),
        ("loses all", all(&[]), 200, 1),
        ("has none", all(&[]), 200, 0),
        ("is called so", house.ask("PATCH", &path).json(&json!({ "name": "Hall screen" })), 200, 0),
    ] {
        let before = (told(&house, &screen.id), head());
        ask.expect(status);
        let heard = told(&house, &screen.id) - before.0;
        assert_eq!(heard, more, "{what}");
        // Nobody else hears of what nothing is different by.
        assert!((head() == before.1) == (more == 0), "{what}");
    }
}

#[test]
fn areas_that_clients_are_given() {
    let house = House::new();
    let hall = house.area("Hall", &[]);
    let screen = house.pair("Hall screen", &[&hall]);
    let many = |count: usize| json!((1..=count).map(|n| format!("area_{n}")).collect::<Vec<_>>());
    for (area_ids, status, words) in [
        (json!(["area_77"]), 422, "areaIds: Area not found: area_77"),
        (json!([hall, "area_77"]), 422, "areaIds: Area not found: area_77"),
        (many(400), 422, "areaIds: Area not found: area_2"),
        (many(401), 422, "areaIds: at most 400"),
        (json!(["area_01"]), 422, "areaIds[0]: "),
        (json!([hall, 1]), 422, "areaIds[1]: invalid type"),
        (json!([null]), 422, "areaIds[0]: invalid type"),
        (json!(hall), 422, "areaIds: invalid type"),
        (json!(null), 422, "areaIds: invalid type"),
        (json!({}), 422, "areaIds: invalid type"),
    ] {
        let body = json!({ "areaIds": area_ids });
        let path = format!("/api/clients/{}/areas", screen.id);
        let waits = house.screen("Another");
        let approve = format!("/api/pairing/{}/approve", waits.user_code);
        for (method, path) in [("PUT", &path), ("POST", &approve)] {
            // An admin may leave out which areas a new client has, but not say null.
            let refused = house.ask(method, path).json(&body).refused(status, "INVALID");
            let detail = text(&refused.json(), "detail");
            assert!(detail.starts_with(words), "{path} {body}: {detail}");
        }
        // Neither made a client, nor is the screen done with.
        house.ask("POST", &format!("/api/pairing/{}/deny", waits.user_code)).expect(204);
    }
    house.ask("PUT", &format!("/api/clients/{}/areas", screen.id)).refused(422, "INVALID");
    assert_eq!(house.client(&screen.id)["areaIds"], json!([hall]));
    assert_eq!(
        house.ask("GET", "/api/clients").expect(200)["items"].as_array().map(Vec::len),
        Some(1)
    );
}

/// Two admins who look at the same client do not overwrite each other.
#[test]
fn areas_that_were_expected() {
    let house = House::new();
    let [hall, bath, attic] = ["Hall", "Bath", "Attic"].map(|name| house.area(name, &[]));
    let screen = house.pair("Hall screen", &[&hall, &bath]);
    let path = format!("/api/clients/{}/areas", screen.id);
    let put = |area_ids: Value, expected: Value| {
        let body = json!({ "areaIds": area_ids, "expectedAreaIds": expected });
        house.ask("PUT", &path).json(&body)
    };
    let before = (house.client(&screen.id), told(&house, &screen.id));
    for stale in [
        json!([]),
        json!([hall]),
        json!([hall, attic]),
        json!([hall, bath, attic]),
        json!([hall, bath, "area_77"]),
    ] {
        // Also if it would change nothing.
        for area_ids in [json!([attic]), json!([hall, bath])] {
            put(area_ids, stale.clone()).refused(409, "CONFLICT");
        }
    }
    for wrong in [json!(null), json!(hall), json!([1]), json!(["area_01"])] {
        put(json!([]), wrong).refused(422, "INVALID");
    }
    assert_eq!((house.client(&screen.id), told(&house, &screen.id)), before);
    // In whatever order.
    let seen = json!([bath, hall, bath]);
    assert_eq!(put(json!([attic]), seen.clone()).expect(200)["areaIds"], json!([attic]));
    put(json!([hall]), seen).refused(409, "CONFLICT");
    assert_eq!(put(json!([]), json!([attic])).expect(200)["areaIds"], json!([]));
    assert_eq!(put(json!([bath]), json!([])).expect(200)["areaIds"], json!([bath]));
}

/// After this nothing names an area that there is not.
fn dangles(house: &House) -> Vec<String> {
    let of =
        |path: &str| house.ask("GET", &format!("{path}?limit=1000")).expect(200)["items"].clone();
    let areas: Vec<String> =
        of("/api/areas").as_array().expect("a list").iter().map(|area| text(area, "id")).collect();
    let clients = of("/api/clients");
    let named = clients.as_array().expect("a list").iter().flat_map(|client| {
        client["areaIds"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|id| id.as_str().expect("a text").to_owned())
    });
    named.filter(|id| !areas.contains(id)).collect()
}

#[test]
fn an_area_goes_while_it_is_given() {
    let house = House::new();
    let screens: Vec<Paired> = ["a", "b", "c"].map(|name| house.pair(name, &[])).into();
    for round in 0..20 {
        let area = house.area("Hall", &["light.a"]);
        let mut asks = vec![house.ask("DELETE", &format!("/api/areas/{area}"))];
        for (place, screen) in screens.iter().enumerate() {
            let path = format!("/api/clients/{}/areas", screen.id);
            asks.push(match (place + round) % 3 {
                0 => house.ask("PUT", &path).json(&json!({ "areaIds": [area] })),
                _ => house.ask("PUT", &format!("{path}/{area}")),
            });
        }
        // What comes first differs.
        asks.rotate_left(round % 4);
        let mut statuses = at_once(asks);
        statuses.rotate_right(round % 4);
        assert_eq!(statuses[0], 204, "round {round}");
        let answers = &statuses[1..];
        assert!(answers.iter().all(|status| [200, 404, 422].contains(status)), "{statuses:?}");
        assert_eq!(dangles(&house), [""; 0], "round {round}: {statuses:?}");
        for screen in &screens {
            let areas = house.server.ask("GET", "/api/areas").bearer(&screen.token).expect(200);
            assert_eq!(areas["items"], json!([]), "round {round}");
            house
                .server
                .ask("GET", &format!("/api/areas/{area}"))
                .bearer(&screen.token)
                .refused(404, "NOT_FOUND");
        }
    }
    // What each was told of areas ends with what it has: none.
    for screen in &screens {
        let events =
            house.server.ask("GET", "/api/clients/me/events?limit=1000").bearer(&screen.token);
        let events = events.expect(200);
        let mut has: Vec<String> = Vec::new();
        for event in events["items"].as_array().expect("a list") {
            let area = text(&event["data"], "areaId");
            match event["event"].as_str() {
                Some("area_added") => has.push(area),
                Some("area_removed") => {
                    let place = has.iter().position(|had| *had == area);
                    has.remove(place.expect("it had it"));
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(has, [""; 0]);
    }
}

#[test]
fn a_client_goes_while_it_is_given_areas() {
    let house = House::new();
    let areas = ["a", "b"].map(|name| house.area(name, &[]));
    for round in 0..10 {
        let screen = house.pair("Hall screen", &[]);
        let path = format!("/api/clients/{}", screen.id);
        let mut asks = vec![
            house.ask("PUT", &format!("{path}/areas")).json(&json!({ "areaIds": areas })),
            house.ask("DELETE", &path),
            house.ask("PUT", &format!("{path}/areas/{}", areas[0])),
        ];
        asks.rotate_left(round % 3);
        let statuses = at_once(asks);
        assert!(statuses.iter().all(|status| [200, 204, 404].contains(status)), "{statuses:?}");
        house.ask("GET", &path).refused(404, "NOT_FOUND");
        house.server.ask("GET", "/api/areas").bearer(&screen.token).refused(401, "UNAUTHENTICATED");
    }
    // Two admins take the same client away: one did.
    let path = format!("/api/clients/{}", house.pair("Hall screen", &[&areas[0]]).id);
    let mut statuses = at_once(vec![house.ask("DELETE", &path); 4]);
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 404, 404, 404]);
}

#[test]
fn an_area_with_clients_is_taken_away() {
    let house = House::new();
    let [hall, bath] = ["Hall", "Bath"].map(|name| house.area(name, &["light.a"]));
    let screens = ["a", "b"].map(|name| house.pair(name, &[&hall, &bath]));
    let without = house.pair("c", &[&bath]);
    house.ask("DELETE", &format!("/api/areas/{hall}")).expect(204);
    for screen in screens.iter().chain([&without]) {
        assert_eq!(house.client(&screen.id)["areaIds"], json!([bath]));
        let areas = house.server.ask("GET", "/api/areas").bearer(&screen.token).expect(200);
        assert_eq!(areas["items"].as_array().map(Vec::len), Some(1));
    }
    let last = |id: &str| {
        let events = house.ask("GET", &format!("/api/clients/{id}/events")).expect(200);
        let last = events["items"].as_array().and_then(|items| items.last()).cloned();
        let last = last.expect("an event");
        (text(&last, "event"), text(&last["data"], "areaId"))
    };
    for screen in &screens {
        assert_eq!(last(&screen.id), ("area_removed".into(), hall.clone()));
    }
    assert_eq!(last(&without.id), ("area_added".into(), bath));
}

#[test]
fn the_end_of_access() {
    let house = House::new();
    let hall = house.area("Hall", &["light.a"]);
    let ask = |token: &str| house.server.ask("GET", "/api/areas").bearer(token);
    let token_for = |subject: &Value| {
        let body = json!({ "role": "client", "subject": subject, "ttl": 60 });
        house.ask("POST", "/api/tokens").json(&body)
    };
    for (end, is_known) in [("revoke", true), ("delete", false)] {
        let screen = house.pair("Hall screen", &[&hall]);
        let path = format!("/api/clients/{}", screen.id);
        ask(&screen.token).expect(200);
        // What an admin makes for it is as good as what came by pairing.
        let more = text(&token_for(&json!(screen.id)).expect(201), "token");
        for token in [&screen.token, &more] {
            assert_eq!(ask(token).expect(200)["items"][0]["id"], json!(hall));
        }
        let bystander = house.pair("Other", &[&hall]);
        match end {
            "revoke" => drop(house.ask("POST", &format!("{path}/revoke")).expect(200)),
            _ => drop(house.ask("DELETE", &path).expect(204)),
        }
        for token in [&screen.token, &more] {
            ask(token).refused(401, "UNAUTHENTICATED");
            let own = house.server.ask("GET", "/api/clients/me/events").bearer(token);
            own.refused(401, "UNAUTHENTICATED");
            // No screen goes on as what it was.
            let again = house
                .server
                .ask("POST", "/api/pairing")
                .bearer(token)
                .json(&json!({ "name": "x" }));
            again.refused(401, "UNAUTHENTICATED");
        }
        ask(&bystander.token).expect(200);
        let refused = token_for(&json!(screen.id)).refused(422, "INVALID").json();
        let words = if is_known { "this client was revoked" } else { "there is no such client" };
        assert_eq!(refused["detail"], format!("subject: {words}"));
        let statuses = [
            house.ask("GET", &path).send().status,
            house.ask("GET", &format!("{path}/events")).send().status,
        ];
        assert_eq!(statuses, if is_known { [200; 2] } else { [404; 2] });
    }
    let no_client = [
        "client_99",
        "client_01",
        "client_0",
        "area_1",
        "7",
        "",
        "user/1",
        "client_9007199254740993",
    ];
    for subject in no_client {
        token_for(&json!(subject)).refused(422, "INVALID");
    }
}

/// Revoked clients keep their areas and their name, so that an admin sees who that was.
#[test]
fn a_revoked_client_stays_on_the_list() {
    let house = House::new();
    let hall = house.area("Hall", &[]);
    let screen = house.pair("Hall screen", &[]);
    let path = format!("/api/clients/{}", screen.id);
    house.ask("POST", &format!("{path}/revoke")).expect(200);
    house.assign(&screen.id, &[&hall]);
    house.ask("PATCH", &path).json(&json!({ "name": "Gone" })).expect(200);
    let client = house.client(&screen.id);
    assert_eq!(
        (&client["revoked"], &client["name"], &client["areaIds"]),
        (&json!(true), &json!("Gone"), &json!([hall]))
    );
    let server = house.server.kill_and_restart();
    let house = House { server, admin: house.admin };
    assert_eq!(house.client(&screen.id), client);
    house.server.ask("GET", "/api/areas").bearer(&screen.token).refused(401, "UNAUTHENTICATED");
}

#[test]
fn who_is_online_is_seen() {
    let house = House::new();
    let screen = house.pair("Hall screen", &[]);
    let never = house.client(&screen.id);
    assert_eq!((&never["online"], &never["lastSeen"]), (&json!(false), &Value::Null));
    // A request is no connection.
    house.server.ask("GET", "/api/areas").bearer(&screen.token).expect(200);
    assert_eq!(house.client(&screen.id), never);
    let connection = || house.server.dial("/").bearer(&screen.token).open();
    let is = |online: bool| until("it is seen", || house.client(&screen.id)["online"] == online);
    let (first, second) = (connection(), connection());
    is(true);
    let came = house.client(&screen.id);
    assert!(super::is_time(&came["lastSeen"]), "{came}");
    drop(first);
    assert_eq!(house.client(&screen.id)["online"], true, "one of two is still there");
    drop(second);
    is(false);
    let went = house.client(&screen.id);
    assert!(text(&went, "lastSeen") >= text(&came, "lastSeen"), "{went}");
    // Nobody is there any more after a crash.
    let _third = connection();
    is(true);
    let server = house.server.kill_and_restart();
    let house = House { server, admin: house.admin };
    assert_eq!(house.client(&screen.id)["online"], false);
}
