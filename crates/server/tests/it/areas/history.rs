//! What a client was told, asked later.

use serde_json::{Value, json};

use super::{House, Paired, is_time, text};

/// What of a client's history an admin sees.
fn events(house: &House, screen: &Paired, query: &str) -> Value {
    house.ask("GET", &format!("/api/clients/{}/events{query}", screen.id)).expect(200)
}

/// The names of events, with the areas they are of.
fn names(events: &Value) -> Vec<String> {
    let name = |event: &Value| {
        let area = event["data"]["areaId"].as_str().unwrap_or("none");
        format!("{} {area}", text(event, "event"))
    };
    events["items"].as_array().expect("a list").iter().map(name).collect()
}

#[test]
fn what_it_was_told_and_nothing_else() {
    let house = House::new();
    let [hall, bath] = ["Hall", "Bath"].map(|name| house.area(name, &["light.a"]));
    let change = |area: &str, body: Value| {
        house.ask("PATCH", &format!("/api/areas/{area}")).json(&body).expect(200);
    };
    change(&hall, json!({ "name": "Before it came" }));
    let screen = house.pair("Hall screen", &[&hall]);
    let other = house.pair("Other", &[&bath]);
    change(&hall, json!({ "name": "Its own" }));
    change(&hall, json!({ "isEnabled": false }));
    change(&bath, json!({ "name": "None of its" }));
    house.assign(&screen.id, &[&bath]);
    change(&hall, json!({ "name": "Its own no more" }));
    change(&bath, json!({ "name": "Its own now" }));
    house.assign(&screen.id, &[&hall, &bath]);
    house.ask("PATCH", &format!("/api/areas/{hall}/toggle")).expect(200);
    house.ask("DELETE", &format!("/api/areas/{bath}")).expect(204);
    house
        .ask("PATCH", &format!("/api/clients/{}", screen.id))
        .json(&json!({ "name": "x" }))
        .expect(200);
    let expected = [
        "area_added area_1",
        "area_updated area_1",
        "area_updated area_1",
        "area_disabled area_1",
        "area_removed area_1",
        "area_added area_2",
        "area_updated area_2",
        "area_added area_1",
        "area_enabled area_1",
        "area_removed area_2",
    ];
    let whole = events(&house, &screen, "");
    assert_eq!(names(&whole), expected);
    assert_eq!((&whole["next"], &whole["truncated"]), (&Value::Null, &json!(false)));
    let own = house.server.ask("GET", "/api/clients/me/events").bearer(&screen.token).expect(200);
    assert_eq!(own, whole);
    let others =
        ["area_added area_2", "area_updated area_2", "area_updated area_2", "area_removed area_2"];
    assert_eq!(names(&events(&house, &other, "")), others);
    let told: Vec<&Value> = whole["items"].as_array().expect("a list").iter().collect();
    for event in &told {
        assert!(
            is_time(&event["timestamp"]) && event["timestamp"] == event["data"]["timestamp"],
            "{event}"
        );
    }
    let removed = told[4]["data"].to_string();
    let at = text(told[4], "timestamp");
    let expected = format!(
        r#"{{"areaId":"area_1","name":"Its own","entityIds":["light.a"],"isEnabled":false,"message":"Area has been removed by admin","timestamp":"{at}"}}"#
    );
    assert_eq!(removed, expected);
    // The last word, which it does not hear of itself.
    house.ask("POST", &format!("/api/clients/{}/revoke", screen.id)).expect(200);
    house.ask("POST", &format!("/api/clients/{}/revoke", screen.id)).expect(200);
    let last = events(&house, &screen, &format!("?since={}", text(told[9], "id")));
    assert_eq!(names(&last), ["token_revoked none"]);
    assert_eq!(
        last["items"][0]["data"],
        json!({ "message": "Your access has been revoked by admin" })
    );
    // It is as old as the data.
    let server = house.server.kill_and_restart();
    let house = House { server, admin: house.admin };
    assert_eq!(names(&events(&house, &screen, "")).len(), 11);
}

#[test]
fn from_a_place_in_so_many_steps() {
    let house = House::new();
    let hall = house.area("Hall", &[]);
    let screen = house.pair("Hall screen", &[&hall]);
    let names: Vec<Value> =
        (0..120).map(|n| json!({ "id": hall, "name": format!("{n}") })).collect();
    house.ask("PATCH", "/api/areas").json(&json!(names)).expect(200);
    let ids = |page: &Value| -> Vec<String> {
        page["items"].as_array().expect("a list").iter().map(|event| text(event, "id")).collect()
    };
    let whole = events(&house, &screen, "?limit=1000");
    let all = ids(&whole);
    assert_eq!(all.len(), 121);
    // The newest, in their order.
    for (query, count) in [("", 100), ("?limit=1", 1), ("?limit=120", 120), ("?limit=121", 121)] {
        let page = events(&house, &screen, query);
        assert_eq!(
            (ids(&page), &page["next"]),
            (all[121 - count..].to_vec(), &Value::Null),
            "{query}"
        );
    }
    for limit in [1, 7, 60, 120, 121, 1000] {
        let (mut found, mut since) = (vec![all[0].clone()], all[0].clone());
        loop {
            let page = events(&house, &screen, &format!("?limit={limit}&since={since}"));
            let more = ids(&page);
            assert!(more.len() <= limit && page["truncated"] == false, "{page}");
            found.extend(more);
            let Some(next) = page["next"].as_str() else { break };
            assert_eq!(Some(next), found.last().map(|id| &**id), "{page}");
            since = next.to_owned();
        }
        assert_eq!(found, all, "limit {limit}");
    }
    let end = events(&house, &screen, &format!("?since={}", all[120]));
    assert_eq!(end, json!({ "items": [], "next": null, "truncated": false }));
    // A place in the log is anybody's, and that of another log nobody's.
    let (epoch, offset) = all[120].split_once('.').expect("a place in a log");
    let offset: u64 = offset.parse().expect("a number");
    let start = events(&house, &screen, &format!("?since={epoch}.0&limit=1000"));
    assert_eq!((ids(&start), &start["truncated"]), (all.clone(), &json!(false)));
    house.area("Bath", &[]);
    let behind = events(&house, &screen, &format!("?since={epoch}.{}", offset + 1));
    assert_eq!(behind, end);
    for foreign in [format!("0000000000000000.{offset}"), "x.1".into()] {
        let page = events(&house, &screen, &format!("?since={foreign}"));
        assert_eq!(
            (ids(&page), &page["truncated"]),
            (all[21..].to_vec(), &json!(true)),
            "{foreign}"
        );
        assert_eq!(page["next"], Value::Null);
    }
    for query in ["limit=0", "limit=1001", "limit=x", "since=", "since=x", "since=1&since=1"] {
        let own = house.server.ask("GET", &format!("/api/clients/me/events?{query}"));
        own.bearer(&screen.token).refused(422, "INVALID");
    }
}
