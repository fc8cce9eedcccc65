//! Every route: what it answers, and to whom.

use serde_json::{Value, json};

use super::{House, is_time, patiently, text};
use crate::{
    areas_clients::printed,
    harness::{Ask, Server, USER_PASSWORD},
    process::{ANY_PORT, Process},
};

/// Numbers of things in spellings that nothing has.
const MISSPELT: [&str; 13] = [
    "0",
    "01",
    "-1",
    "+1",
    "9007199254740993",
    "99999999999999999999",
    "x",
    "",
    "1.0",
    "1%20",
    "%00",
    "%ff",
    "%D9%A1",
];

#[test]
fn an_area_from_making_to_taking_away() {
    let house = House::new();
    let new = json!({ "name": "Kitchen", "entityIds": ["light.b", "light.a", "light.b"], "id": "area_9" });
    let made = house.ask("POST", "/api/areas").json(&new).send();
    let area = made.json();
    assert_eq!((made.status, made.header("location")), (201, Some("/api/areas/area_1")));
    let at = text(&area, "createdAt");
    assert!(is_time(&area["createdAt"]), "{area}");
    let shape = |name: &str, ids: &str, is_enabled: bool, updated: &str| {
        format!(
            r#"{{"id":"area_1","name":"{name}","entityIds":[{ids}],"isEnabled":{is_enabled},"createdAt":"{at}","updatedAt":"{updated}"}}"#
        )
    };
    assert_eq!(made.body, shape("Kitchen", r#""light.b","light.a""#, true, &at));
    let path = "/api/areas/area_1";
    let seen = house.ask("GET", path).send();
    assert_eq!((seen.status, &seen.body), (200, &made.body));
    assert!(seen.header("etag").is_some(), "{seen:?}");
    assert_eq!(house.ask("GET", "/api/areas/area_1/").expect(200), area);
    let list = house.ask("GET", "/api/areas").expect(200);
    assert_eq!(list, json!({ "items": [area], "next": null }));

    // PUT and PATCH are one: what is absent stays.
    let mut last = at.clone();
    for (method, body, name, ids, is_enabled) in [
        ("PATCH", r#"{"name":"Galley"}"#, "Galley", r#""light.b","light.a""#, true),
        ("PUT", r#"{"entityIds":["lock.c"]}"#, "Galley", r#""lock.c""#, true),
        ("PUT", r#"{"isEnabled":false}"#, "Galley", r#""lock.c""#, false),
        ("PATCH", r#"{"name":"Kitchen","entityIds":[],"isEnabled":true}"#, "Kitchen", "", true),
        ("PUT", r#"{"id":"area_77","name":"Bath"}"#, "Bath", "", true),
        ("PATCH", "{}", "Bath", "", true),
        ("PUT", "{}", "Bath", "", true),
    ] {
        let body = serde_json::from_str(body).expect("a row is JSON");
        let changed = house.ask(method, path).json(&body).send();
        let updated = text(&changed.json(), "updatedAt");
        assert!(updated > last && is_time(&changed.json()["updatedAt"]), "{updated} after {last}");
        assert_eq!(
            (changed.status, &*changed.body),
            (200, &*shape(name, ids, is_enabled, &updated))
        );
        let seen = house.ask("GET", path).send();
        assert_eq!((&seen.body, seen.header("etag")), (&changed.body, changed.header("etag")));
        last = updated;
    }
    // Nothing to say needs no body.
    house.ask("PATCH", path).expect(200);
    let gone = house.ask("DELETE", path).send();
    assert_eq!((gone.status, &*gone.body), (204, ""));
    for method in ["GET", "PUT", "PATCH", "DELETE"] {
        let refused = house.ask(method, path).json(&json!({})).refused(404, "NOT_FOUND");
        assert_eq!(refused.json()["detail"], "Area not found: area_1");
    }
    assert_ne!(house.area("Kitchen", &[]), "area_1", "an id is never another's");
}

#[test]
fn a_switch_is_thrown_or_set() {
    let house = House::new();
    let path = format!("/api/areas/{}", house.area("Kitchen", &["light.a"]));
    let toggle = |body: Option<Value>| {
        let ask = house.ask("PATCH", &format!("{path}/toggle"));
        body.map_or(ask.clone(), |body| ask.json(&body)).send()
    };
    let mut last = house.ask("GET", &path).expect(200);
    for (body, is_enabled) in [
        (None, false),
        (None, true),
        (Some(json!({})), false),
        (Some(json!({ "isEnabled": false })), false),
        (Some(json!({ "isEnabled": true })), true),
        (Some(json!({ "isEnabled": true })), true),
        (Some(json!({ "isEnabled": false, "name": "no part of it" })), false),
    ] {
        let area = toggle(body.clone());
        assert_eq!(area.status, 200, "{area:?}");
        let area = area.json();
        let is_changed = last["isEnabled"] != is_enabled;
        let expected = json!({
            "id": last["id"], "name": "Kitchen", "entityIds": ["light.a"], "isEnabled": is_enabled,
            "createdAt": last["createdAt"], "updatedAt": area["updatedAt"],
        });
        assert_eq!(area, expected, "{body:?}");
        assert_eq!(area["updatedAt"] != last["updatedAt"], is_changed, "{body:?}: {area}");
        assert_eq!(house.ask("GET", &path).expect(200), area);
        last = area;
    }
    for wrong in
        [json!({ "isEnabled": null }), json!({ "isEnabled": 1 }), json!({ "isEnabled": "on" })]
    {
        assert_eq!(toggle(Some(wrong.clone())).status, 422, "{wrong}");
    }
    assert_eq!(house.ask("GET", &path).expect(200), last);
}

#[test]
fn a_client_from_pairing_to_taking_away() {
    let house = House::new();
    let [hall, kitchen] = ["Hall", "Kitchen"].map(|name| house.area(name, &[]));
    let screen = house.pair("Hall screen", &[&kitchen]);
    let path = format!("/api/clients/{}", screen.id);
    let shape = |name: &str, areas: &str, revoked: bool| {
        format!(
            r#"{{"id":"client_1","name":"{name}","areaIds":[{areas}],"online":false,"lastSeen":null,"revoked":{revoked}}}"#
        )
    };
    let ask = |method: &str, path: &str, body: &str| {
        let ask = house.ask(method, path).header("Content-Type: application/json");
        let response = ask.body(body.as_bytes()).send();
        (response.status, response.body)
    };
    let (one, both) = (format!("\"{kitchen}\""), format!("\"{hall}\",\"{kitchen}\""));
    let given = format!("{path}/areas");
    let here = format!("{path}/areas/{hall}");
    let twice = format!("[{both},{one}]");
    for (method, path, body, status, expected) in [
        ("GET", &*path, "", 200, shape("Hall screen", &one, false)),
        ("PATCH", &path, r#"{"name":"Other"}"#, 200, shape("Other", &one, false)),
        ("PATCH", &path, r#"{"name":"Other"}"#, 200, shape("Other", &one, false)),
        ("PATCH", &path, "", 200, shape("Other", &one, false)),
        ("PUT", &here, "", 200, shape("Other", &both, false)),
        ("PUT", &here, "{}", 200, shape("Other", &both, false)),
        ("DELETE", &here, "", 204, String::new()),
        ("DELETE", &here, "", 204, String::new()),
        ("PUT", &given, &format!(r#"{{"areaIds":{twice}}}"#), 200, shape("Other", &both, false)),
        ("PUT", &given, r#"{"areaIds":[]}"#, 200, shape("Other", "", false)),
        ("PUT", &given, &format!(r#"{{"areaIds":[{one}]}}"#), 200, shape("Other", &one, false)),
        ("POST", &format!("{path}/revoke"), "", 200, shape("Other", &one, true)),
        ("POST", &format!("{path}/revoke"), "", 200, shape("Other", &one, true)),
        ("GET", &path, "", 200, shape("Other", &one, true)),
        ("DELETE", &path, "", 204, String::new()),
    ] {
        assert_eq!(ask(method, path, body), (status, expected), "{method} {path} {body}");
    }
    let routes = [
        ("GET", &*path),
        ("PATCH", &path),
        ("DELETE", &path),
        ("PUT", &given),
        ("PUT", &here),
        ("DELETE", &here),
        ("POST", &format!("{path}/revoke")),
        ("GET", &format!("{path}/events")),
    ];
    for (method, path) in routes {
        let refused =
            house.ask(method, path).json(&json!({ "areaIds": [] })).refused(404, "NOT_FOUND");
        assert_eq!(refused.json()["detail"], "Client not found: client_1", "{method} {path}");
    }
    assert_eq!(house.ask("GET", "/api/clients").expect(200), json!({ "items": [], "next": null }));
    assert_eq!(house.pair("Another", &[]).id, "client_2", "an id is never another's");
}

/// Routes that are for admins alone, each with a body that an admin would be heard with.
fn of_admins() -> Vec<(&'static str, &'static str)> {
    vec![
        ("POST", "/api/areas"),
        ("PATCH", "/api/areas"),
        ("PUT", "/api/areas/area_1"),
        ("PATCH", "/api/areas/area_1"),
        ("PATCH", "/api/areas/area_1/toggle"),
        ("GET", "/api/clients"),
        ("GET", "/api/clients/client_1"),
        ("PATCH", "/api/clients/client_1"),
        ("GET", "/api/clients/client_1/events"),
        ("PUT", "/api/clients/client_1/areas"),
        ("PUT", "/api/clients/client_1/areas/area_1"),
        ("DELETE", "/api/clients/client_1/areas/area_1"),
        ("POST", "/api/clients/client_1/revoke"),
        ("DELETE", "/api/clients/client_1"),
        ("DELETE", "/api/areas/area_1"),
        ("GET", "/api/pairing"),
        ("POST", "/api/pairing/WDJB-MJHT/approve"),
        ("POST", "/api/pairing/WDJB-MJHT/deny"),
    ]
}

#[test]
fn only_admins_look_at_and_change_all_of_it() {
    let house = House::new();
    let area = house.area("Kitchen", &["light.a"]);
    let screen = house.pair("Hall screen", &[&area]);
    let jane = house.server.user("jane", "user", &["areas:write"]);
    let mut others = vec![
        house.server.sign_in("jane", USER_PASSWORD),
        house.server.token_of("user", &jane, &["areas:write"]).text,
        screen.token,
    ];
    for role in ["user", "client", "device"] {
        let scopes = ["states:write", "areas:write", "clients:write"];
        others.push(house.server.token(role, &scopes).text);
    }
    let all = || {
        let of = |path: &str| house.ask("GET", path).expect(200);
        [of("/api/areas"), of("/api/clients"), of("/api/pairing")]
    };
    let before = all();
    let body =
        json!({ "name": "Mine", "areaIds": [area], "items": [{ "id": area, "name": "Mine" }] });
    for (method, path) in of_admins() {
        let ask = house.server.ask(method, path).json(&body);
        for token in &others {
            ask.clone().bearer(token).refused(403, "FORBIDDEN");
            ask.clone().cookie(token).refused(403, "FORBIDDEN");
        }
        let refused = ask.refused(401, "UNAUTHENTICATED");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"bellwire\""));
    }
    assert_eq!(all(), before);
    // What clients may ask for is nobody's else, an admin's own events neither.
    for path in ["/api/areas", "/api/areas/area_1", "/api/clients/me/events"] {
        house.server.ask("GET", path).refused(401, "UNAUTHENTICATED");
        for token in others.iter().filter(|token| **token != others[2]) {
            let ask = house.server.ask("GET", path).bearer(token);
            let response = ask.send();
            // A token of the role client that speaks for no client has no areas.
            assert!(matches!(response.status, 403 | 404), "{path}: {response:?}");
        }
    }
    house.ask("GET", "/api/clients/me/events").refused(403, "FORBIDDEN");
    house.ask("GET", "/api/clients/me").refused(404, "NOT_FOUND");
    assert_eq!(all(), before);
    for (method, path) in of_admins() {
        let status = house.ask(method, path).json(&body).send().status;
        let expected: &[u16] = if path.contains("WDJB") { &[404] } else { &[200, 201, 204] };
        assert!(expected.contains(&status), "{method} {path}: {status}");
    }
}

#[test]
fn ids_that_lead_nowhere() {
    let house = House::new();
    let area = house.area("Kitchen", &["light.a"]);
    let screen = house.pair("Hall screen", &[&area]);
    let body = json!({ "name": "Mine", "areaIds": [], "isEnabled": false });
    let check = |method: &str, path: &str| {
        let response = house.ask(method, path).json(&body).send();
        assert_eq!(response.status, 404, "{method} {path}: {response:?}");
    };
    let areas = MISSPELT.iter().map(|id| format!("area_{id}"));
    let more = ["Area_1", "1", "client_1", "area_2", "_1", "null"].map(String::from);
    for id in areas.chain(more) {
        for method in ["GET", "PUT", "PATCH", "DELETE"] {
            check(method, &format!("/api/areas/{id}"));
        }
        check("PATCH", &format!("/api/areas/{id}/toggle"));
        for method in ["PUT", "DELETE"] {
            check(method, &format!("/api/clients/client_1/areas/{id}"));
        }
        let own = house.server.ask("GET", &format!("/api/areas/{id}")).bearer(&screen.token);
        own.refused(404, "NOT_FOUND");
    }
    let clients = MISSPELT.iter().map(|id| format!("client_{id}"));
    let more = ["Client_1", "1", "area_1", "client_2", "client", "null"].map(String::from);
    for id in clients.chain(more) {
        for (method, below) in [
            ("GET", ""),
            ("PATCH", ""),
            ("DELETE", ""),
            ("PUT", "/areas"),
            ("PUT", "/areas/area_1"),
            ("DELETE", "/areas/area_1"),
            ("POST", "/revoke"),
            ("GET", "/events"),
        ] {
            check(method, &format!("/api/clients/{id}{below}"));
        }
    }
    // An id is what its path decodes to.
    house.ask("GET", "/api/areas/area_%31").expect(200);
    house.ask("GET", "/api/clients/%63lient_1").expect(200);
    let client = house.client(&screen.id);
    assert_eq!((&client["name"], &client["areaIds"]), (&json!("Hall screen"), &json!([area])));
}

/// The ids of a list, asked for so many at a time.
#[track_caller]
fn pages(ask: &dyn Fn(&str) -> Value, limit: usize) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ask(&format!("?limit={limit}{cursor}"));
        let items = page["items"].as_array().expect("a page has items");
        assert!(items.len() <= limit, "{page}");
        found.extend(items.iter().map(|item| text(item, "id")));
        let Some(next) = page["next"].as_str() else { return found };
        assert_eq!(items.len(), limit, "{page}");
        cursor = format!("&cursor={next}");
    }
}

#[test]
fn lists_come_in_pages() {
    let house = House::new();
    let ids: Vec<String> = (0..12).map(|n| house.area(&format!("Area {n}"), &[])).collect();
    let texts: Vec<&str> = ids.iter().map(|id| &**id).collect();
    let clients: Vec<String> =
        ["a", "b", "c", "d", "e"].iter().map(|name| house.pair(name, &texts[3..8]).id).collect();
    let token = house.pair("f", &texts[3..10]).token;
    type List<'a> = &'a dyn Fn(&str) -> Value;
    let lists: [(List<'_>, &[String]); 3] = [
        (&|query| house.ask("GET", &format!("/api/areas{query}")).expect(200), &ids),
        (
            &|query| {
                let path = format!("/api/areas{query}");
                house.server.ask("GET", &path).bearer(&token).expect(200)
            },
            &ids[3..10],
        ),
        (&|query| house.ask("GET", &format!("/api/clients{query}")).expect(200), &clients),
    ];
    for (ask, expected) in lists {
        // By number, not by text: area_10 comes behind area_9.
        for limit in 1..=13 {
            assert_eq!(pages(ask, limit)[..expected.len()], *expected, "limit {limit}");
        }
    }
    for path in ["/api/areas", "/api/clients", "/api/pairing", "/api/clients/client_1/events"] {
        for wrong in
            ["limit=0", "limit=1001", "limit=-1", "limit=1.5", "limit=x", "limit=1&limit=2"]
        {
            house.ask("GET", &format!("{path}?{wrong}")).refused(422, "INVALID");
        }
        let wrong = if path.ends_with("events") { "since" } else { "cursor" };
        for value in ["", "x", "1.x", "%00", "%ff", "9223372036854775808"] {
            house.ask("GET", &format!("{path}?{wrong}={value}")).refused(422, "INVALID");
        }
        house.ask("GET", &format!("{path}?limit=1000&else=1")).expect(200);
    }
}

/// Items of a page, and what to go on with. Few bytes more than these are in it.
#[track_caller]
fn bounded(ask: &Ask, query: &str, after: Option<&str>) -> (Vec<Value>, Option<String>) {
    const PAGE_BYTES: usize = 512 << 10;
    const ITEM_BYTES: usize = 64 << 10;
    let response = ask.send();
    assert_eq!(response.status, 200, "{query} {after:?}");
    let len = response.body.len();
    assert!(len <= PAGE_BYTES + ITEM_BYTES, "{query} {after:?}: {len} bytes");
    let page = response.json();
    let next = page["next"].as_str().map(str::to_owned);
    assert!(next.is_none() || len > PAGE_BYTES, "{query} {after:?}: {len} bytes");
    (page["items"].as_array().expect("a list").clone(), next)
}

/// All pages of a list, from this place on.
#[track_caller]
fn bounded_pages(ask: impl Fn(&str) -> Ask, place: &str, first: Option<&str>) -> Vec<Vec<Value>> {
    let (mut pages, mut after) = (Vec::new(), first.map(str::to_owned));
    loop {
        let place = after.iter().map(|after| format!("&{place}={after}")).collect::<String>();
        let query = format!("?limit=1000{place}");
        let (items, next) = bounded(&ask(&query), &query, after.as_deref());
        pages.push(items);
        let Some(next) = next else { return pages };
        after = Some(next);
    }
}

/// Of areas with many entities a page has fewer than were asked for.
#[test]
fn a_page_of_long_areas_ends_early() {
    const AREAS: usize = 12;
    let house = House::new();
    let entity_ids: Vec<String> = (0..1_000).map(|n| format!("light.{n:052}")).collect();
    let ids: Vec<String> = (0..AREAS)
        .map(|n| {
            let body = json!({ "name": format!("Area {n}"), "entityIds": entity_ids });
            let made = patiently(&house.ask("POST", "/api/areas").json(&body));
            assert_eq!(made.status, 201, "{n}");
            text(&made.json(), "id")
        })
        .collect();
    let screen = house.pair("Screen", &ids.iter().map(|id| &**id).collect::<Vec<_>>());
    for token in [&house.admin, &screen.token] {
        let ask =
            |query: &str| house.server.ask("GET", &format!("/api/areas{query}")).bearer(token);
        let pages = bounded_pages(ask, "cursor", None);
        assert!(pages.len() > 1 && pages.iter().all(|page| !page.is_empty()));
        let found: Vec<String> = pages.concat().iter().map(|area| text(area, "id")).collect();
        assert_eq!(found, ids);
    }
    // What a client was told of them is as long.
    let ask = |query: &str| {
        house.server.ask("GET", &format!("/api/clients/me/events{query}")).bearer(&screen.token)
    };
    let (newest, next) = bounded(&ask("?limit=1000"), "the newest", None);
    assert!(next.is_none() && (2..AREAS).contains(&newest.len()), "{} items", newest.len());
    let last = |events: &[Value]| text(&events[events.len() - 1]["data"], "areaId");
    assert_eq!(last(&newest), ids[AREAS - 1]);
    let start = text(&newest[0], "id");
    let (epoch, _) = start.split_once('.').expect("a cursor");
    let pages = bounded_pages(ask, "since", Some(&format!("{epoch}.0")));
    let found: Vec<String> =
        pages.concat().iter().map(|event| text(&event["data"], "areaId")).collect();
    assert!(pages.len() > 1);
    assert_eq!(found, ids);
}

#[test]
fn a_client_sees_its_own_areas_alone() {
    let house = House::new();
    let [hall, kitchen, bath] =
        ["Hall", "Kitchen", "Bath"].map(|name| house.area(name, &["light.a"]));
    let [one, other] =
        [house.pair("One", &[&hall, &kitchen]), house.pair("Other", &[&kitchen, &bath])];
    house
        .ask("PATCH", &format!("/api/areas/{kitchen}"))
        .json(&json!({ "isEnabled": false }))
        .expect(200);
    let whole = house.ask("GET", "/api/areas").expect(200);
    let seen = |token: &str| house.server.ask("GET", "/api/areas").bearer(token).expect(200);
    let of = |places: [usize; 2]| json!({ "items": places.map(|place| whole["items"][place].clone()), "next": null });
    // A disabled one too: the screen is to know that it is.
    assert_eq!((seen(&one.token), seen(&other.token)), (of([0, 1]), of([1, 2])));
    // One that it does not have answers as one that there is not.
    let get = |token: &str, id: &str| {
        let response = house.server.ask("GET", &format!("/api/areas/{id}")).bearer(token).send();
        (response.status, response.body.replace(id, "IT"))
    };
    for (token, theirs, foreign) in [(&one.token, &hall, &bath), (&other.token, &bath, &hall)] {
        assert_eq!(get(token, theirs).0, 200);
        assert_eq!(get(token, &kitchen).0, 200);
        assert_eq!(get(token, foreign), get(token, "area_77"));
        assert_eq!(get(token, foreign).0, 404);
    }
    house.assign(&one.id, &[]);
    assert_eq!(seen(&one.token), json!({ "items": [], "next": null }));
    assert_eq!(get(&one.token, &hall), get(&one.token, "area_77"));
    house.ask("DELETE", &format!("/api/areas/{bath}")).expect(204);
    assert_eq!(seen(&other.token)["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(house.client(&other.id)["areaIds"], json!([kitchen]));
}

/// What the documents' clients know is there, and guests of a demo see none of it.
#[test]
fn the_kitchen_of_the_demo() {
    let house = House::of(Server::demo());
    let kitchen = house.ask("GET", "/api/areas/area_123").expect(200);
    assert_eq!((&kitchen["name"], &kitchen["isEnabled"]), (&json!("Kitchen"), &json!(true)));
    let client = house.client("client_123");
    assert_eq!((&client["areaIds"][0], &client["revoked"]), (&json!("area_123"), &json!(false)));
    // Ids that are made beside it are none of its.
    assert_eq!(house.area("Hall", &[]), "area_1");
    assert_eq!(house.pair("Hall screen", &["area_123"]).id, "client_1");
    let body = json!({ "name": "x", "areaIds": [], "items": [] });
    for (method, path) in of_admins() {
        house.server.ask(method, path).json(&body).refused(401, "UNAUTHENTICATED");
        // Pages from elsewhere use nobody's browser.
        let foreign = house.server.ask(method, path).header("Origin: http://evil.example");
        foreign.json(&body).refused(403, "FORBIDDEN");
    }
    for path in ["/api/areas", "/api/areas/area_123", "/api/clients/me/events"] {
        house.server.ask("GET", path).refused(401, "UNAUTHENTICATED");
    }
    for path in ["/api/pairing", "/api/pairing/token"] {
        let foreign = house.server.ask("POST", path).header("Origin: http://evil.example");
        foreign.json(&json!({ "name": "x", "deviceCode": "x" })).refused(403, "FORBIDDEN");
    }
}

/// Whoever tries the demo may revoke its screen: started again it has it back.
#[test]
fn a_demo_has_its_screen_again() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let start = || {
        let demo = Process::serve(folder.path(), ANY_PORT, &["--demo"]);
        let tokens = ["may do everything", "is the screen client_123"];
        let [admin, screen] = tokens.map(|words| printed(&demo, words));
        (demo, admin, screen)
    };
    let ask = |demo: &Process, token: &str, method: &str, path: &str| {
        Ask::new(demo.address(), method, path).bearer(token)
    };
    let areas = |demo: &Process, token: &str| -> Vec<String> {
        let list = ask(demo, token, "GET", "/api/areas").expect(200);
        list["items"].as_array().expect("a list").iter().map(|area| text(area, "id")).collect()
    };
    let (demo, admin, first) = start();
    assert_eq!(areas(&demo, &first), ["area_123", "area_124"]);
    ask(&demo, &admin, "POST", "/api/clients/client_123/revoke").expect(200);
    ask(&demo, &first, "GET", "/api/areas").refused(401, "UNAUTHENTICATED");
    demo.stop();
    let (demo, admin, second) = start();
    assert_eq!(areas(&demo, &second), ["area_123", "area_124"]);
    let client = ask(&demo, &admin, "GET", "/api/clients/client_123").expect(200);
    assert_eq!(client["revoked"], false, "{client}");
    ask(&demo, &first, "GET", "/api/areas").refused(401, "UNAUTHENTICATED");
    demo.stop();
}
