//! Alarms: who hears them, and what becomes of them in the inboxes of admins.

use serde_json::{Value, json};

use super::house::{House, STREAMS, told};
use crate::harness::Client;

const TIME: &str = "2025-09-11T15:30:00Z";

fn time(n: usize) -> String {
    format!("2025-09-11T15:30:{n:02}Z")
}

fn alarm(sensor: i64, state: &str, value: &str, threshold: i64, timestamp: &str) -> String {
    let device = super::house::device_of(sensor);
    format!(
        r#"{{"type":"sensor_alarm","sensor_id":{sensor},"sensor_type":"temperature","device_id":{device},"device_name":"Hydroponic System {device}","state":"{state}","value":{value},"threshold":{threshold},"unit":"celsius","timestamp":"{timestamp}"}}"#
    )
}

/// A house in which sensors 1 and 3 have this alarm.
fn watched(alarm: &Value) -> House {
    let house = House::new().wakes();
    for sensor in [1, 3] {
        let change = json!({ "alarm": alarm });
        house.ask("PATCH", &format!("/api/sensors/{sensor}")).json(&change).expect(200);
    }
    house
}

#[test]
fn who_asks_for_them_hears_them() {
    let house = watched(&json!({ "above": 30, "below": 10, "hysteresis": 0.5, "hold_off_s": 0 }));
    let mut with = STREAMS.map(|stream| (stream, house.opens(&format!("{stream}?alarms=1"))));
    let mut without = STREAMS.map(|stream| house.opens(stream));
    let mut off = house.opens(&format!("{}?alarms=0", STREAMS[0]));
    for (n, (sensor, value, raised)) in [
        (1, "31.5", Some(("above", 30))),
        (1, "32", None),
        (3, "9.9", Some(("below", 10))),
        (2, "1000", None),
        (1, "29.75", None),
        (1, "29.5", Some(("normal", 30))),
        (3, "10.25", None),
        (3, "31", Some(("above", 30))),
    ]
    .into_iter()
    .enumerate()
    {
        house.post(sensor, value.parse().expect("a number"), Some(&time(n)));
        let alarms: Vec<String> = raised
            .iter()
            .map(|(state, threshold)| alarm(sensor, state, value, *threshold, &time(n)))
            .collect();
        for (stream, client) in &mut with {
            let mut heard = told(client);
            heard.retain(|frame| !frame.starts_with(r#"{"type":"sensor_data_update""#));
            let is_its_own = *stream == STREAMS[0]
                || *stream == format!("/ws/device/{}/", super::house::device_of(sensor))
                || *stream == format!("/ws/sensor/{sensor}/");
            let expected: &[String] = if is_its_own { &alarms } else { &[] };
            assert_eq!(heard, expected, "{stream}: {sensor} {value}");
        }
    }
    for client in without.iter_mut().chain([&mut off]) {
        let others: Vec<String> = told(client);
        assert!(
            others.iter().all(|frame| frame.starts_with(r#"{"type":"sensor_data_update""#)),
            "{others:?}"
        );
    }
}

/// What comes next in an inbox.
#[track_caller]
fn notified(client: &mut Client) -> Value {
    let told: Value = serde_json::from_str(&client.text()).expect("frames are JSON");
    assert_eq!(told["type"], "notification", "{told}");
    assert_eq!((&told["title"], &told["level"]), (&json!("Sensor alarm"), &json!("warning")));
    told["message"].clone()
}

/// Each time that one is raised, every admin is told once, and nobody else; its end is no news.
#[test]
fn admins_are_notified_each_time_it_is_raised() {
    let house = watched(&json!({ "above": 30, "below": 10, "hold_off_s": 0 }));
    let mut tokens = Vec::new();
    for (name, role) in [("chief", "admin"), ("jane", "user")] {
        let id = house.server.user(name, role, &[]);
        tokens.push(house.server.token_of(role, &id, &[]).text);
    }
    let inbox = |token: &str| -> Vec<Value> {
        let page = house.server.ask("GET", "/api/notifications").bearer(token).expect(200);
        page["items"].as_array().expect("a page has items").clone()
    };
    let mut clients: Vec<Client> = Vec::new();
    for token in &tokens {
        let mut client = house.server.dial("/ws/notifications/").bearer(token).open();
        assert!(client.text().starts_with(r#"{"type":"connection_established""#));
        clients.push(client);
    }
    let mut expected = Vec::new();
    for (n, (sensor, value, message)) in [
        (1, 31.5, Some("Hydroponic System 1: temperature is 31.5 celsius, above 30 celsius")),
        (1, 33.0, None),
        (3, -2.0, Some("Hydroponic System 2: temperature is -2 celsius, below 10 celsius")),
        (1, 20.0, None),
        (1, 30.25, Some("Hydroponic System 1: temperature is 30.25 celsius, above 30 celsius")),
        (1, 5.0, Some("Hydroponic System 1: temperature is 5 celsius, below 10 celsius")),
    ]
    .into_iter()
    .enumerate()
    {
        house.post(sensor, value, Some(&time(n)));
        // Late, and known.
        house.post(sensor, 99.0, Some("2020-01-01T00:00:00Z"));
        house.post(sensor, value, Some(&time(n)));
        if let Some(message) = message {
            assert_eq!(notified(&mut clients[0]), message);
            expected.insert(0, json!(message));
        }
    }
    let messages: Vec<Value> =
        inbox(&tokens[0]).iter().map(|item| item["message"].clone()).collect();
    assert_eq!(messages, expected);
    let kinds = inbox(&tokens[0]);
    assert!(
        kinds.iter().all(|item| item["type"] == "sensor" && item["from"] == "system"),
        "{kinds:?}"
    );
    assert_eq!(inbox(&tokens[1]), [Value::Null; 0], "an alarm is nothing for users");
    for client in &mut clients {
        assert_eq!(client.ask(r#"{"type":"ping"}"#), r#"{"type":"pong"}"#);
    }
}

/// What was raised stays so over a restart: it is not raised again, and its end is told.
#[test]
fn a_restart_raises_nothing_again() {
    let house = watched(&json!({ "above": 30, "hold_off_s": 3600 }));
    house.post(1, 31.0, Some(TIME));
    let house = house.killed();
    let mut client = house.opens(&format!("{}?alarms=1", STREAMS[3]));
    let mut shown = house.dial(&format!("{}?snapshot=1", STREAMS[3])).open();
    let shown: Value = serde_json::from_str(&shown.text()).expect("a snapshot is JSON");
    let raised: Value = serde_json::from_str(&alarm(1, "above", "31", 30, TIME)).expect("an alarm");
    let mut raised = raised;
    raised.as_object_mut().expect("an object").shift_remove("type");
    assert_eq!(shown["alarms"], json!([raised]));
    let alarms = |client: &mut Client| -> Vec<String> {
        let mut heard = told(client);
        heard.retain(|frame| frame.starts_with(r#"{"type":"sensor_alarm""#));
        heard
    };
    house.post(1, 32.0, Some(&time(1)));
    assert_eq!(alarms(&mut client), [""; 0]);
    house.post(1, 20.0, Some(&time(2)));
    assert_eq!(alarms(&mut client), [alarm(1, "normal", "20", 30, &time(2))]);
    // Held off for an hour, over another restart too.
    house.post(1, 33.0, Some(&time(3)));
    assert_eq!(alarms(&mut client), [""; 0]);
    let house = house.killed();
    let mut client = house.opens(&format!("{}?alarms=1", STREAMS[3]));
    house.post(1, 34.0, Some(&time(4)));
    assert_eq!(alarms(&mut client), [""; 0]);
}
