//! Devices and sensors: every route, what it answers, and what goes with what is taken away.

use serde_json::{Value, json};

use super::{House, items, number, pages};
use crate::{
    harness::{Got, until},
    sensor_frames::told,
};

/// A sensor as the answers show it.
fn shape(unit: &str, silence_s: i64, alarm: &str, retention: &str) -> String {
    format!(
        r#"{{"id":1,"device_id":1,"sensor_type":"temperature","unit":"{unit}","silence_s":{silence_s},"alarm":{alarm},"retention":{retention},"entity_id":"sensor.board_temperature"}}"#
    )
}

const KEPT: &str = r#"{"raw_days":730,"hourly_days":3650,"daily_days":null}"#;

#[test]
fn a_device_from_making_to_taking_away() {
    let house = House::new();
    let made = house.ask("POST", "/api/devices").json(&json!({ "name": "Board", "id": 7 })).send();
    assert_eq!((made.status, made.header("location")), (201, Some("/api/devices/1")), "{made:?}");
    assert_eq!(made.body, r#"{"id":1,"name":"Board","status":"inactive"}"#);
    let path = "/api/devices/1";
    for (body, expected) in [
        ("{}", r#"{"id":1,"name":"Board","status":"inactive"}"#),
        (r#"{"name":"Rack"}"#, r#"{"id":1,"name":"Rack","status":"inactive"}"#),
        (r#"{"status":"active"}"#, r#"{"id":1,"name":"Rack","status":"active"}"#),
        (r#"{"status":"active","id":9}"#, r#"{"id":1,"name":"Rack","status":"active"}"#),
        (r#"{"name":"Board","device_id":9}"#, r#"{"id":1,"name":"Board","status":"active"}"#),
        (r#"{"status":"inactive"}"#, r#"{"id":1,"name":"Board","status":"inactive"}"#),
    ] {
        let body = serde_json::from_str(body).expect("a row is JSON");
        let changed = house.ask("PATCH", path).json(&body).send();
        assert_eq!((changed.status, &*changed.body), (200, expected), "{body}");
        let seen = house.ask("GET", path).send();
        assert_eq!((&seen.body, seen.header("etag")), (&changed.body, changed.header("etag")));
    }
    // Nothing to say needs no body.
    house.ask("PATCH", path).expect(200);
    assert_eq!(house.ask("GET", "/api/devices/1/").expect(200), house.ask("GET", path).expect(200));
    let active =
        house.ask("POST", "/api/devices").json(&json!({ "name": "B", "status": "active" }));
    assert_eq!(active.expect(201)["status"], "active");
    assert_eq!(house.ask("DELETE", path).expect(204), Value::Null);
    for method in ["GET", "PATCH", "DELETE"] {
        let refused = house.ask(method, path).json(&json!({})).refused(404, "UNKNOWN_DEVICE");
        assert_eq!(refused.json()["detail"], "Device not found: 1");
    }
    assert_eq!(house.device("Board"), 3, "a number is never another's");
}

#[test]
fn a_sensor_from_making_to_taking_away() {
    let house = House::new();
    house.device("Board");
    let new = json!({ "device_id": 1, "sensor_type": "temperature", "id": 7, "entity_id": "sensor.mine" });
    let made = house.ask("POST", "/api/sensors").json(&new).send();
    assert_eq!((made.status, made.header("location")), (201, Some("/api/sensors/1")), "{made:?}");
    assert_eq!(made.body, shape("", 300, "null", KEPT));
    let path = "/api/sensors/1";
    let alarm = r#"{"above":30,"below":null,"hysteresis":0.5,"hold_off_s":60}"#;
    for (body, expected) in [
        ("{}", shape("", 300, "null", KEPT)),
        (r#"{"unit":"celsius"}"#, shape("celsius", 300, "null", KEPT)),
        (r#"{"silence_s":60}"#, shape("celsius", 60, "null", KEPT)),
        (
            r#"{"alarm":{"above":30.0,"hysteresis":0.5,"hold_off_s":60}}"#,
            shape("celsius", 60, alarm, KEPT),
        ),
        // An alarm is set as a whole; a change of something else leaves it.
        (r#"{"unit":""}"#, shape("", 60, alarm, KEPT)),
        (
            r#"{"alarm":{"below":-5}}"#,
            shape("", 60, r#"{"above":null,"below":-5,"hysteresis":0,"hold_off_s":60}"#, KEPT),
        ),
        (r#"{"alarm":null}"#, shape("", 60, "null", KEPT)),
        // Of the retention each field stays by itself.
        (
            r#"{"retention":{"raw_days":1}}"#,
            shape("", 60, "null", r#"{"raw_days":1,"hourly_days":3650,"daily_days":null}"#),
        ),
        (
            r#"{"retention":{"raw_days":null,"hourly_days":null}}"#,
            shape("", 60, "null", r#"{"raw_days":null,"hourly_days":null,"daily_days":null}"#),
        ),
        (
            r#"{"retention":{}}"#,
            shape("", 60, "null", r#"{"raw_days":null,"hourly_days":null,"daily_days":null}"#),
        ),
        // What it belongs to and is called stays.
        (
            r#"{"device_id":2,"entity_id":"sensor.x","id":4,"sensor_id":3,"retention":{"raw_days":730,"hourly_days":3650}}"#,
            shape("", 60, "null", KEPT),
        ),
    ] {
        let ask = house.ask("PATCH", path).header("Content-Type: application/json");
        let changed = ask.body(body.as_bytes()).send();
        assert_eq!((changed.status, changed.body.as_str()), (200, &*expected), "{body}");
        let seen = house.ask("GET", path).send();
        assert_eq!((&seen.body, seen.header("etag")), (&changed.body, changed.header("etag")));
    }
    house.posts(&json!({ "sensor_id": 1, "value": 1 })).expect(201);
    assert_eq!(house.ask("DELETE", path).expect(204), Value::Null);
    for (method, path) in [
        ("GET", path),
        ("PATCH", path),
        ("DELETE", path),
        ("GET", "/api/sensors/1/readings"),
        ("POST", "/api/sensors/1/readings"),
    ] {
        let refused =
            house.ask(method, path).json(&json!({ "value": 1 })).refused(404, "UNKNOWN_SENSOR");
        assert_eq!(refused.json()["detail"], "Sensor not found: 1", "{method} {path}");
    }
    assert_eq!(house.ask("GET", "/api/readings").expect(200)["items"], json!([]));
    assert_eq!(house.sensor(1, "temperature"), 2, "a number is never another's");
    assert_eq!(house.readings(2, "")["items"], json!([]));
}

#[test]
fn what_goes_with_a_device() {
    let house = House::with_sensors(2);
    house.sensor(1, "ph");
    for sensor_id in 1..=3 {
        house.posts(&json!({ "sensor_id": sensor_id, "value": 5 })).expect(201);
    }
    let [board, other] = [1, 2].map(|device| house.board(device).text);
    let mut streams = ["/ws/sensor-data/", "/ws/device/2/"].map(|path| house.opens(&board, path));
    let mut others = house.opens(&other, "/ws/device/2/");
    let mut states = house.server.listener(&house.server.token("user", &[]));
    house.ask("DELETE", "/api/devices/1").expect(204);

    // Its tokens end, and with them its connections; those of others go on.
    house.server.ask("GET", "/api/devices").bearer(&board).refused(401, "UNAUTHENTICATED");
    for stream in &mut streams {
        let (said, code) = stream.closed();
        assert_eq!(code, Some(4401), "{said:?}");
    }
    others.send(r#"{"type":"sensor_data","sensor_id":2,"value":6}"#);
    assert_eq!(told(&mut others).len(), 1);
    // Its sensors are gone, with what was known of them.
    for sensor in [1, 3] {
        for path in [format!("/api/sensors/{sensor}"), format!("/api/sensors/{sensor}/readings")] {
            house.ask("GET", &path).refused(404, "UNKNOWN_SENSOR");
        }
        house.posts(&json!({ "sensor_id": sensor, "value": 6 })).refused(404, "UNKNOWN_SENSOR");
    }
    let latest = house.ask("GET", "/api/readings").expect(200);
    assert_eq!(items(&latest).len(), 1, "{latest}");
    for entity in ["sensor.device_1_temperature", "sensor.device_1_ph"] {
        house.ask("GET", &format!("/api/states/{entity}")).refused(404, "NOT_FOUND");
    }
    let mut gone = states.told();
    gone.retain(|frame| frame.contains("device_1"));
    let expected = ["temperature", "ph"].map(|of| {
        format!(
            r#"{{"type":"state_changed","data":{{"entity_id":"sensor.device_1_{of}","new_state":null}}}}"#
        )
    });
    assert_eq!(gone, expected);
    // And its readings, before long, in the file too.
    let file = house.server.data().join("bellwire.db");
    let database = rusqlite::Connection::open(file).expect("it opens");
    let count = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap_or(-1);
    until("readings of sensors that are no more go", || {
        count("SELECT count(*) FROM readings WHERE sensor_id <> 2") == 0
            && count("SELECT count(*) FROM sensors_gone") == 0
    });
    assert_eq!(count("SELECT count(*) FROM readings"), 2);
    assert_eq!(count("SELECT count(*) FROM sensor_latest"), 1);
}

#[test]
fn a_stream_of_what_is_gone() {
    let house = House::with_sensors(1);
    let mut streams =
        ["/ws/device/1/", "/ws/sensor/1/"].map(|path| house.opens(&house.admin, path));
    house.ask("DELETE", "/api/devices/1").expect(204);
    for stream in &mut streams {
        let said = stream.ask(r#"{"type":"sensor_data","sensor_id":1,"value":6}"#);
        assert!(said.contains(r#""code":"UNKNOWN_SENSOR""#), "{said}");
    }
    for path in ["/ws/device/1/", "/ws/sensor/1/"] {
        let mut client = house.server.dial(path).bearer(&house.admin).open();
        assert!(client.text().contains("not found: 1"));
        assert_eq!(client.next(), Got::Close(Some((4404, "not found".to_owned()))), "{path}");
    }
}

#[test]
fn lists_come_in_pages() {
    let house = House::new();
    for id in 1..=12 {
        assert_eq!(house.device(&format!("Device {id}")), id);
    }
    for id in 1..=12 {
        assert_eq!(house.sensor(1 + id % 2, "temperature"), id);
    }
    let ids = |list: &str, limit: usize| -> Vec<i64> {
        let ask = |query: &str| house.ask("GET", &format!("{list}{query}")).expect(200);
        pages(ask, limit).iter().map(number).collect()
    };
    for limit in 1..=13 {
        assert_eq!(ids("/api/devices?", limit), (1..=12).collect::<Vec<_>>(), "limit {limit}");
        assert_eq!(ids("/api/sensors?", limit), (1..=12).collect::<Vec<_>>(), "limit {limit}");
        for (device, odd) in [(1, 0), (2, 1)] {
            let expected: Vec<i64> = (1..=12).filter(|id| id % 2 == odd).collect();
            let list = format!("/api/sensors?device_id={device}&");
            assert_eq!(ids(&list, limit), expected, "device {device}, limit {limit}");
        }
        assert_eq!(ids("/api/sensors?device_id=3&", limit), [0; 0]);
    }
    // Of sensors without a reading there is nothing to list, and no page is short for it.
    for sensor_id in [12, 3, 7, 2] {
        house.posts(&json!({ "sensor_id": sensor_id, "value": sensor_id })).expect(201);
    }
    for limit in 1..=5 {
        let ask = |query: &str| house.ask("GET", &format!("/api/readings?{query}")).expect(200);
        let of: Vec<i64> =
            pages(ask, limit).iter().map(|item| item["sensor_id"].as_i64().expect("one")).collect();
        assert_eq!(of, [2, 3, 7, 12], "limit {limit}");
    }
    for path in ["/api/devices", "/api/sensors", "/api/readings"] {
        for wrong in [
            "limit=0",
            "limit=1001",
            "limit=-1",
            "limit=1.5",
            "limit=x",
            "limit=",
            "limit=1&limit=2",
            "cursor=",
            "cursor=x",
            "cursor=%00",
            "cursor=%ff",
            "cursor=9223372036854775808",
        ] {
            house.ask("GET", &format!("{path}?{wrong}")).refused(422, "INVALID");
        }
        house.ask("GET", &format!("{path}?limit=1000&else=1")).expect(200);
    }
    for wrong in ["0", "-1", "x", "", "1.0", "9007199254740992"] {
        let refused = house.ask("GET", &format!("/api/sensors?device_id={wrong}")).send();
        assert_eq!(refused.status, 422, "{wrong}: {refused:?}");
    }
}

#[test]
fn a_change_of_what_was_seen_and_one_that_is_repeated() {
    let house = House::with_sensors(1);
    for (path, one, other) in [
        ("/api/devices/1", json!({ "name": "A" }), json!({ "name": "B" })),
        ("/api/sensors/1", json!({ "unit": "A" }), json!({ "unit": "B" })),
    ] {
        let tag =
            |ask: &crate::harness::Ask| ask.send().header("etag").expect("a version").to_owned();
        let seen = tag(&house.ask("GET", path));
        let with =
            |method: &str, tag: &str| house.ask(method, path).header(&format!("If-Match: {tag}"));
        let known = house.ask("GET", path).header(&format!("If-None-Match: {seen}")).send();
        assert_eq!(known.status, 304, "{known:?}");
        with("PATCH", "\"x\"").json(&one).refused(412, "PRECONDITION_FAILED");
        with("DELETE", "\"x\"").refused(412, "PRECONDITION_FAILED");
        let new = tag(&with("PATCH", &seen).json(&one));
        with("PATCH", &seen).json(&other).refused(412, "PRECONDITION_FAILED");
        with("DELETE", &seen).refused(412, "PRECONDITION_FAILED");
        assert_eq!(tag(&house.ask("GET", path)), new);
        with("PATCH", "*").json(&other).expect(200);
    }
    let post = |path: &str, body: &Value, key: &str| {
        house.ask("POST", path).header(&format!("Idempotency-Key: {key}")).json(body)
    };
    let stamped = json!({ "sensor_id": 1, "value": 4 });
    for (key, (path, one, other)) in [
        ("/api/devices", json!({ "name": "N" }), json!({ "name": "M" })),
        (
            "/api/sensors",
            json!({ "device_id": 1, "sensor_type": "ph" }),
            json!({ "device_id": 1, "sensor_type": "co2" }),
        ),
        ("/api/readings", stamped.clone(), json!({ "sensor_id": 1, "value": 5 })),
        (
            "/api/sensors/1/readings",
            json!([{ "value": 1 }, { "value": 1 }]),
            json!([{ "value": 1 }]),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("key{key}");
        let first = post(path, &one, &key).expect(201);
        assert_eq!(post(path, &one, &key).expect(201), first, "{path}");
        post(path, &other, &key).refused(409, "CONFLICT");
    }
    assert_eq!(items(&house.ask("GET", "/api/devices").expect(200)).len(), 2);
    assert_eq!(items(&house.ask("GET", "/api/sensors").expect(200)).len(), 2);
    assert_eq!(items(&house.readings(1, "")).len(), 3);
    // Without a key a sample without a time is a new one.
    house.posts(&stamped).expect(201);
    house.posts(&stamped).expect(201);
    assert_eq!(items(&house.readings(1, "")).len(), 5);
}

#[test]
fn methods_bodies_and_paths() {
    let house = House::with_sensors(1);
    for (method, path, allow) in [
        ("PUT", "/api/devices", "GET, HEAD, POST, OPTIONS"),
        ("DELETE", "/api/sensors", "GET, HEAD, POST, OPTIONS"),
        ("PUT", "/api/devices/1", "GET, HEAD, PATCH, DELETE, OPTIONS"),
        ("POST", "/api/sensors/1", "GET, HEAD, PATCH, DELETE, OPTIONS"),
        ("PATCH", "/api/readings", "POST, GET, HEAD, OPTIONS"),
        ("DELETE", "/api/sensors/1/readings", "POST, GET, HEAD, OPTIONS"),
    ] {
        let refused = house.ask(method, path).refused(405, "METHOD_NOT_ALLOWED");
        assert_eq!(refused.header("allow"), Some(allow), "{method} {path}");
    }
    let posts = ["/api/devices", "/api/sensors", "/api/readings", "/api/sensors/1/readings"];
    for path in posts {
        let body = |body: &[u8]| house.ask("POST", path).body(body);
        let typed = |of: &[u8]| body(of).header("Content-Type: application/json");
        body(b"{}").refused(415, "UNSUPPORTED_MEDIA_TYPE");
        body(b"{}").header("Content-Type: text/plain").refused(415, "UNSUPPORTED_MEDIA_TYPE");
        for wrong in
            ["{", "null", "1", "\"x\"", "{} {}", "[{}", "{\"a\":1,\"a\":1}", "\u{feff}{}", " "]
        {
            typed(wrong.as_bytes()).refused(400, "INVALID_JSON");
        }
        let long = format!(r#"{{"x":"{}"}}"#, "x".repeat(64 << 10));
        typed(long.as_bytes()).refused(413, "TOO_LARGE");
        if !path.ends_with("readings") {
            typed(b"[{}]").refused(400, "INVALID_JSON");
        }
    }
    for id in [
        "0",
        "01",
        "-1",
        "+1",
        "9007199254740992",
        "9223372036854775808",
        "x",
        "1.0",
        "1%20",
        "%00",
        "%ff",
        "%D9%A1",
        "1%2f2",
    ] {
        for (method, path) in [
            ("GET", format!("/api/devices/{id}")),
            ("PATCH", format!("/api/devices/{id}")),
            ("DELETE", format!("/api/sensors/{id}")),
            ("GET", format!("/api/sensors/{id}/readings")),
            ("POST", format!("/api/sensors/{id}/readings")),
        ] {
            let response = house.ask(method, &path).json(&json!({ "value": 1 })).send();
            assert_eq!(response.status, 404, "{method} {path}: {response:?}");
        }
    }
    house.ask("GET", "/api/sensors/%31").expect(200);
}

/// A device has so many sensors and no more; each has a name of its own among home states.
#[test]
fn a_device_at_its_most() {
    let house = House::with_sensors(2);
    for count in 2..=256 {
        let body = json!({ "device_id": 1, "sensor_type": "temperature" });
        let made = house.ask("POST", "/api/sensors").json(&body).expect(201);
        assert_eq!(made["entity_id"], format!("sensor.device_1_temperature_{count}"));
    }
    let one_more =
        house.ask("POST", "/api/sensors").json(&json!({ "device_id": 1, "sensor_type": "ph" }));
    let refused = one_more.refused(409, "CONFLICT");
    assert_eq!(refused.json()["detail"], "a device has at most 256 sensors");
    // Other devices have room, and so has this when one is gone.
    house.sensor(2, "ph");
    house.ask("DELETE", "/api/sensors/1").expect(204);
    one_more.expect(201);
    let all = house.ask("GET", "/api/sensors?device_id=1&limit=1000").expect(200);
    assert_eq!(items(&all).len(), 256);
    house.ask("DELETE", "/api/devices/1").expect(204);
    let left = house.ask("GET", "/api/sensors?limit=1000").expect(200);
    let left: Vec<i64> = items(&left).iter().map(number).collect();
    assert_eq!(left, [2, 258]);
}
