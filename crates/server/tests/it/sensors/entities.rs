//! Sensors as home states.

use serde_json::{Value, json};

use super::{House, items};
use crate::{
    areas::House as Home,
    harness::{Client, Server},
};

const ENTITY: &str = "sensor.device_1_temperature";

/// What is told of an entity, without the attributes.
fn states(client: &mut Client) -> Vec<(String, Value)> {
    let told = client.told();
    let frames =
        told.iter().map(|text| serde_json::from_str::<Value>(text).expect("frames are JSON"));
    let of = |frame: Value| {
        assert_eq!(frame["type"], "state_changed", "{frame}");
        let new = &frame["data"]["new_state"];
        let state = if new.is_null() { Value::Null } else { new["state"].clone() };
        (frame["data"]["entity_id"].as_str().expect("an id").to_owned(), state)
    };
    frames.map(of).collect()
}

fn of_entity(state: &str) -> (String, Value) {
    (ENTITY.to_owned(), state.into())
}

#[test]
fn a_sensor_is_read_like_other_states() {
    let house = House::with_sensors(1);
    let path = format!("/api/states/{ENTITY}");
    let before = house.ask("GET", &path).expect(200);
    let attributes = json!({
        "unit_of_measurement": "°C", "device_class": "temperature", "state_class": "measurement",
        "friendly_name": "Device 1 temperature",
    });
    assert_eq!((&before["state"], &before["attributes"]), (&json!("unknown"), &attributes));
    assert_eq!(before["state_id"], -1);
    house.ask("POST", "/api/states/light.a").json(&json!({ "state": "on" })).expect(201);
    for (value, minute) in [("20.5", 1), ("21", 2), ("21", 3), ("-0.0", 4)] {
        let body = format!(
            r#"{{"sensor_id":1,"value":{value},"timestamp":"2025-09-11T15:0{minute}:00Z"}}"#
        );
        let ask = house.ask("POST", "/api/readings").header("Content-Type: application/json");
        ask.body(body.as_bytes()).expect(201);
    }
    let now = house.ask("GET", &path).expect(200);
    assert_eq!((&now["state"], &now["attributes"]), (&json!("0"), &attributes));
    // Changed when its value did, which is the server's time, not the board's.
    assert!(now["last_changed"].as_str() >= before["last_changed"].as_str(), "{now}");
    let list = house.ask("GET", "/api/states").expect(200);
    assert_eq!(items(&list)[1], now);
    let ask = |query: &str| house.ask("GET", &format!("/api/states?{query}")).expect(200);
    let ids: Vec<Value> =
        super::pages(ask, 1).iter().map(|item| item["entity_id"].clone()).collect();
    assert_eq!(ids, [json!("light.a"), json!(ENTITY)]);
    for limit in 1..=5 {
        let ask = |query: &str| house.ask("GET", &format!("{path}/history?{query}")).expect(200);
        let history = super::pages(ask, limit);
        let history: Vec<Value> =
            history.iter().map(|item| json!([item["state"], item["last_updated"]])).collect();
        let expected = [("0", 4), ("21", 3), ("21", 2), ("20.5", 1)]
            .map(|(state, minute)| json!([state, format!("2025-09-11T15:0{minute}:00Z")]));
        assert_eq!(history, expected, "limit {limit}");
    }
    let window = "from=2025-09-11T15:02:00Z&to=2025-09-11T15:04:00Z";
    assert_eq!(items(&house.ask("GET", &format!("{path}/history?{window}")).expect(200)).len(), 2);
    house.ask("GET", "/api/states/by-id/-1").refused(404, "NOT_FOUND");
}

#[test]
fn it_is_told_when_its_value_becomes_another() {
    let house = House::with_sensors(2);
    let mut listener = house.server.listener(&house.server.token("admin", &[]));
    let mut client = house.server.connect(&house.server.token("user", &[]));
    let snapshot =
        client.ask(&format!(r#"{{"type":"subscribe_entities","entity_ids":["{ENTITY}"]}}"#));
    let snapshot: Value = serde_json::from_str(&snapshot).expect("frames are JSON");
    assert_eq!(
        (&snapshot["type"], &snapshot["data"][0]["state"]),
        (&json!("states:snapshot"), &json!("unknown"))
    );
    let one = "2025-09-11T15:30:00Z";
    for (body, told) in [
        (json!({ "sensor_id": 1, "value": 1, "timestamp": one }), &["1"][..]),
        (json!({ "sensor_id": 1, "value": 1, "timestamp": one }), &[]),
        (json!({ "sensor_id": 1, "value": 1, "timestamp": "2025-09-11T15:31:00Z" }), &[]),
        // Late ones are no news, nor are their corrections; one of the newest is.
        (json!({ "sensor_id": 1, "value": 7, "timestamp": "2025-09-11T15:29:00Z" }), &[]),
        (json!({ "sensor_id": 1, "value": 7, "timestamp": one }), &[]),
        (json!({ "sensor_id": 1, "value": 2, "timestamp": "2025-09-11T15:31:00Z" }), &["2"]),
        (json!({ "sensor_id": 1, "value": 3.5 }), &["3.5"]),
        (json!({ "sensor_id": 1, "value": 3.5 }), &[]),
        // Of several it is what they come to.
        (json!([{ "sensor_id": 1, "value": 4 }, { "sensor_id": 1, "value": 5 }]), &["5"]),
        (json!([{ "sensor_id": 1, "value": 4 }, { "sensor_id": 1, "value": 5 }]), &[]),
        (json!([{ "sensor_id": 1, "value": 6 }, { "sensor_id": 8, "value": 5 }]), &["6"]),
        (json!({ "sensor_id": 1, "value": "x" }), &[]),
    ] {
        house.posts(&body).send();
        let expected: Vec<_> = told.iter().map(|state| of_entity(state)).collect();
        assert_eq!(states(&mut client), expected, "{body}");
        assert_eq!(states(&mut listener), expected, "{body}");
    }
    // Of another sensor only they hear who asked for it.
    house.posts(&json!({ "sensor_id": 2, "value": 1 })).expect(201);
    assert_eq!(states(&mut client), []);
    assert_eq!(states(&mut listener), [("sensor.device_2_temperature".to_owned(), json!("1"))]);
    // A new sensor is, one that was deleted is no more.
    house.sensor(2, "ph");
    assert_eq!(states(&mut listener), [("sensor.device_2_ph".to_owned(), json!("unknown"))]);
    house.ask("DELETE", "/api/sensors/1").expect(204);
    let gone =
        format!(r#"{{"type":"state_changed","data":{{"entity_id":"{ENTITY}","new_state":null}}}}"#);
    assert_eq!(client.told(), [&*gone]);
    assert_eq!(listener.told(), [&*gone]);
    house.ask("GET", &format!("/api/states/{ENTITY}")).refused(404, "NOT_FOUND");
}

#[test]
fn its_readings_alone_change_it() {
    let house = House::with_sensors(1);
    house.posts(&json!({ "sensor_id": 1, "value": 1 })).expect(201);
    let path = format!("/api/states/{ENTITY}");
    let before = house.ask("GET", &path).expect(200);
    let mut listener = house.server.listener(&house.server.token("admin", &[]));
    let words = format!("{ENTITY} is a sensor: its readings change it");
    let on = json!({ "state": "on" });
    let written = house.ask("POST", &path).json(&on).refused(403, "FORBIDDEN");
    assert_eq!(written.json()["detail"], words);
    house.ask("DELETE", &path).refused(403, "FORBIDDEN");
    for method in ["PATCH", "DELETE"] {
        house.ask(method, "/api/states/by-id/-1").json(&on).refused(404, "NOT_FOUND");
    }
    let mut client = house.server.quiet_admin();
    for (call, fields) in [
        ("states:create", format!(r#""entity_id":"{ENTITY}","state":"on""#)),
        ("states:remove", format!(r#""entity_id":"{ENTITY}""#)),
    ] {
        let said = client.ask(&format!(r#"{{"type":"{call}",{fields}}}"#));
        let expected = format!(r#"{{"type":"{call}:response","success":false,"error":"{words}"}}"#);
        assert_eq!(said, expected);
    }
    let said = client.ask(r#"{"type":"states:update","state_id":-1,"state":"on"}"#);
    assert!(said.contains(r#""success":false"#), "{said}");
    // Who may not write at all is told no more than that.
    let reader = house.server.token("user", &["states:read"]).text;
    house.server.ask("POST", &path).bearer(&reader).json(&on).refused(403, "FORBIDDEN");
    let nobody = house.server.token("user", &["states:read:light.*"]).text;
    house.server.ask("DELETE", &path).bearer(&nobody).refused(404, "NOT_FOUND");
    house.server.ask("GET", &path).bearer(&nobody).refused(404, "NOT_FOUND");
    assert_eq!(house.ask("GET", &path).expect(200), before);
    assert_eq!(listener.told(), [""; 0]);
}

#[test]
fn names_that_are_taken() {
    let house = House::new();
    let entity = |device: i64, of: &str| {
        let body = json!({ "device_id": device, "sensor_type": of });
        let made = house.ask("POST", "/api/sensors").json(&body).expect(201);
        made["entity_id"].as_str().expect("a text").to_owned()
    };
    // Names that come to the same.
    for name in ["Tank A", "tank-a", "Tänk", "\u{5de}\u{5d8}", "\u{202e}<b>", &"x".repeat(128)] {
        house.device(name);
    }
    house.ask("POST", "/api/states/sensor.tank_a_ph").json(&json!({ "state": "7" })).expect(201);
    assert_eq!(entity(1, "temperature"), "sensor.tank_a_temperature");
    assert_eq!(entity(2, "temperature"), "sensor.tank_a_temperature_2");
    assert_eq!(entity(1, "Temperature!"), "sensor.tank_a_temperature_3");
    assert_eq!(entity(1, "ph"), "sensor.tank_a_ph_2", "a state has that name");
    assert_eq!(entity(3, "°"), "sensor.t_nk_value");
    assert_eq!(entity(4, "\u{200b}"), "sensor.device_value");
    assert_eq!(entity(5, "a.b/c"), "sensor.b_a_b_c");
    assert_eq!(
        entity(6, &"y".repeat(64)),
        format!("sensor.{}_{}", "x".repeat(128), "y".repeat(64))
    );
    // A name stays, whatever becomes of that of the device,
    house.ask("PATCH", "/api/devices/1").json(&json!({ "name": "Pool" })).expect(200);
    let pool = house.ask("GET", "/api/states/sensor.tank_a_temperature").expect(200);
    assert_eq!(pool["attributes"]["friendly_name"], "Pool temperature");
    assert_eq!(entity(1, "temperature"), "sensor.pool_temperature");
    // and is free when its sensor is gone.
    house.ask("DELETE", "/api/sensors/1").expect(204);
    house
        .ask("POST", "/api/states/sensor.tank_a_temperature")
        .json(&json!({ "state": "on" }))
        .expect(201);
    assert_eq!(entity(2, "temperature"), "sensor.tank_a_temperature_4");
}

/// A paired screen reads and hears the sensors of its areas, and no others.
#[test]
fn a_screen_whose_area_has_a_sensor() {
    let home = Home::of(Server::start());
    let house = House { admin: home.admin.clone(), server: home.server };
    house.add_sensors(2);
    let home = Home { server: house.server, admin: house.admin };
    let area = home.area("Kitchen", &[ENTITY]);
    let screen = home.pair("Screen", &[&area]);
    let ask = |path: &str| home.server.ask("GET", path).bearer(&screen.token);
    let mut client = home.server.dial("/api/ws").bearer(&screen.token).open();
    assert_eq!(client.told(), [""; 0]);
    let post = |sensor: i64, value: i64| {
        let body = json!({ "sensor_id": sensor, "value": value });
        home.ask("POST", "/api/readings").json(&body).expect(201)
    };
    for sensor in [2, 1] {
        post(sensor, 20 + sensor);
    }
    assert_eq!(states(&mut client), [of_entity("21")]);
    let list = ask("/api/states").expect(200);
    assert_eq!(items(&list).len(), 1, "{list}");
    assert_eq!(
        (&list["items"][0]["entity_id"], &list["items"][0]["state"]),
        (&json!(ENTITY), &json!("21"))
    );
    assert_eq!(items(&ask(&format!("/api/states/{ENTITY}/history")).expect(200)).len(), 1);
    ask("/api/states/sensor.device_2_temperature").refused(404, "NOT_FOUND");
    ask("/api/states/sensor.device_2_temperature/history").refused(404, "NOT_FOUND");
    // While the area is off it hears nothing of it.
    let enabled = |is_enabled: bool| {
        let path = format!("/api/areas/{area}");
        home.ask("PATCH", &path).json(&json!({ "isEnabled": is_enabled })).expect(200);
    };
    enabled(false);
    post(1, 22);
    assert_eq!(states(&mut client), []);
    ask(&format!("/api/states/{ENTITY}")).refused(404, "NOT_FOUND");
    enabled(true);
    post(1, 23);
    assert_eq!(states(&mut client), [of_entity("23")]);
    home.ask("DELETE", "/api/devices/1").expect(204);
    assert_eq!(states(&mut client), [(ENTITY.to_owned(), Value::Null)]);
}
