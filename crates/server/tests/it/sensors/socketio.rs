//! Sensors over Socket.IO: in a namespace of their own, by topic, and on `/` after the first call.

use serde_json::{Value, json};

use super::house::{House, payload, sample};
use crate::harness::{Over, Session, at};

const TIME: &str = "2025-09-11T15:30:00Z";

fn time(n: usize) -> String {
    format!("2025-09-11T15:{:02}:{:02}Z", n / 60, n % 60)
}

/// A call with an acknowledgement, or without: what a plain message says, without its type.
fn call(namespace: &str, ack: &str, name: &str, fields: &str) -> String {
    format!(r#"42{}{ack}["{name}",{fields}]"#, at(namespace))
}

/// `sensor_data` as it is called.
fn posted(sensor: i64, value: impl std::fmt::Display, timestamp: &str) -> String {
    sample(sensor, value, timestamp, "").replace(r#""type":"sensor_data","#, "")
}

fn event(namespace: &str, name: &str, payload: &str) -> String {
    call(namespace, "", name, payload)
}

fn update(namespace: &str, sensor: i64, value: impl std::fmt::Display, timestamp: &str) -> String {
    event(namespace, "sensor_data_update", &payload(sensor, value, timestamp))
}

/// Everything that is told up to here: a sample of a sensor that nobody has is refused by the writer.
#[track_caller]
fn told(session: &mut Session, namespace: &str) -> Vec<String> {
    const ACK: &str = "987654";
    session.send(&call(
        namespace,
        ACK,
        "sensor_data",
        r#"{"sensor_id":9007199254740991,"value":0}"#,
    ));
    let fence = format!("43{}{ACK}[", at(namespace));
    let mut told = Vec::new();
    loop {
        match session.packet() {
            packet if packet.starts_with(&fence) => return told,
            packet => told.push(packet),
        }
    }
}

fn enter(house: &House, namespace: &str, over: Over, more: &Value) -> Session {
    let mut session = house.server.socket_io().open(over);
    let mut auth = json!({ "token": house.admin });
    auth.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    session.enter(namespace, &auth);
    session
}

#[test]
fn readings_are_posted_and_heard() {
    let house = House::new().wakes();
    for (round, over) in Over::BOTH.into_iter().enumerate() {
        let ns = "/sensors";
        let at = at(ns);
        let mut session = enter(&house, ns, over, &json!({}));
        let mut other = enter(&house, ns, over, &json!({}));
        let mut plain = house.opens("/ws/sensor/1/");
        let new = time(round + 1);
        // With an acknowledgement, and once more: a replay is answered alone.
        for is_new in [true, false] {
            session.send(&call(ns, "7", "sensor_data", &posted(1, 25.5, &new)));
            let mut heard = told(&mut session, ns);
            heard.sort();
            let ack = format!(r#"43{at}7[{{"success":true,"data":{}}}]"#, payload(1, 25.5, &new));
            let update = update(ns, 1, 25.5, &new);
            let expected = if is_new { vec![update.clone(), ack] } else { vec![ack] };
            assert_eq!(heard, expected, "{over:?}");
            assert_eq!(told(&mut other, ns), vec![update; usize::from(is_new)], "{over:?}");
        }
        // Without: its own event is all that is told, and a replay tells it to its sender alone.
        session.send(&call(ns, "", "sensor_data", &posted(1, 26, &new)));
        assert_eq!(told(&mut session, ns), [update(ns, 1, 26, &new)]);
        assert_eq!(told(&mut other, ns), [update(ns, 1, 26, &new)]);
        session.send(&call(ns, "", "sensor_data", &posted(1, 26, &new)));
        assert_eq!(told(&mut session, ns), [update(ns, 1, 26, &new)]);
        assert_eq!(told(&mut other, ns), [""; 0]);
        // What clients of either protocol post, both hear.
        plain.send(&sample(1, 27, &new, ""));
        let heard: Vec<String> = super::house::told(&mut plain);
        assert_eq!(heard, [25.5, 26.0, 27.0].map(|value| super::house::update(1, value, &new)));
        assert_eq!(told(&mut session, ns), [update(ns, 1, 27, &new)]);
        // Several together.
        let several = format!("{{\"readings\":[{},7]}}", posted(3, 1, &new));
        session.send(&call(ns, "8", "sensor_data_batch", &several));
        let heard = told(&mut session, ns);
        let ack = heard.iter().find(|packet| packet.starts_with("43")).expect("it is answered");
        assert_eq!(
            *ack,
            format!(
                r#"43{at}8[{{"success":true,"data":{{"stored":1,"corrected":0,"replayed":0,"refused":[{{"index":1,"code":"INVALID","message":"a reading is an object, not 7"}}]}}}}]"#
            )
        );
        assert!(heard.contains(&update(ns, 3, 1, &new)) && heard.len() == 2, "{heard:?}");
    }
}

#[test]
fn refusals_have_their_code() {
    let house = House::new().wakes();
    let ns = "/sensors";
    let mut session = enter(&house, ns, Over::Socket, &json!({}));
    for (fields, code) in [
        (r#"{"sensor_id":9,"value":1}"#, "UNKNOWN_SENSOR"),
        (r#"{"sensor_id":0,"value":1}"#, "INVALID_SENSOR_ID"),
        (r#"{"sensor_id":1,"value":"1"}"#, "INVALID_VALUE"),
        (r#"{"sensor_id":1,"value":1,"timestamp":"x"}"#, "INVALID_TIMESTAMP"),
    ] {
        let acknowledged = session.says(&call(ns, "3", "sensor_data", fields));
        let said = acknowledged.strip_prefix("43/sensors,3").expect("an acknowledgement");
        let said: Value = serde_json::from_str(said).expect("JSON");
        assert_eq!(said[0]["code"], code, "{said}");
        assert!(said[0]["message"].is_string() && said[1].is_null(), "{said}");
        let told = session.says(&call(ns, "", "sensor_data", fields));
        let told = told.strip_prefix("42/sensors,").expect("an event");
        let told: Value = serde_json::from_str(told).expect("JSON");
        assert_eq!((&told[0], &told[1]["code"]), (&json!("error"), &json!(code)), "{told}");
    }
    assert_eq!(self::told(&mut session, ns), [""; 0]);
}

/// What topics tell: the readings of these sensors, the status of these devices, and alarms.
type Row = (&'static [&'static str], &'static [i64], &'static [i64], bool);

const TOPICS: [Row; 8] = [
    (&["sensors"], &[1, 2, 3], &[1, 2], false),
    (&["device/1"], &[1, 2], &[1], false),
    (&["sensor/1"], &[1], &[], false),
    (&["sensor/1", "device/1", "sensor/3"], &[1, 2, 3], &[1], false),
    (&["alarms"], &[], &[], true),
    (&["alarms", "sensor/3"], &[3], &[], true),
    (&["device/9", "sensor/9"], &[], &[], false),
    (&[], &[], &[], false),
];

/// Everything happens once: each sensor is heard, which wakes its device; the first raises an alarm.
fn check(house: &House, session: &mut Session, ns: &str, row: &Row, n: usize) {
    let (topics, sensors, devices, alarms) = *row;
    for device in 1..=2 {
        let body = json!({ "status": "inactive" });
        house.ask("PATCH", &format!("/api/devices/{device}")).json(&body).expect(200);
    }
    house.post(1, 20.0, Some(&time(3 * n)));
    drop(told(session, ns));
    for device in 1..=2 {
        let body = json!({ "status": "inactive" });
        house.ask("PATCH", &format!("/api/devices/{device}")).json(&body).expect(200);
    }
    drop(told(session, ns));
    for sensor in 1..=3 {
        house.post(sensor, 31.0, Some(&time(3 * n + 1)));
    }
    let mut heard: Vec<(String, i64)> = Vec::new();
    for packet in told(session, ns) {
        let said: Value = serde_json::from_str(
            packet.strip_prefix("42").expect("an event").trim_start_matches(&at(ns)),
        )
        .expect("JSON");
        let id = if said[0] == "device_status" { "device_id" } else { "sensor_id" };
        heard.push((
            said[0].as_str().expect("a name").to_owned(),
            said[1][id].as_i64().expect("a number"),
        ));
    }
    heard.sort();
    let named = |name: &str, numbers: &[i64]| -> Vec<(String, i64)> {
        numbers.iter().map(|number| (name.to_owned(), *number)).collect()
    };
    let alarms: &[i64] = if alarms { &[1] } else { &[] };
    let expected = [
        named("device_status", devices),
        named("sensor_alarm", alarms),
        named("sensor_data_update", sensors),
    ];
    assert_eq!(heard, expected.concat(), "{ns} {topics:?}");
}

fn watched() -> House {
    let house = House::new();
    house
        .ask("PATCH", "/api/sensors/1")
        .json(&json!({ "alarm": { "above": 30, "hold_off_s": 0 } }))
        .expect(200);
    house
}

#[test]
fn topics_in_auth() {
    let house = watched();
    for (n, row) in TOPICS.iter().enumerate() {
        let ns = if n % 2 == 0 { "/sensors" } else { "/" };
        let over = Over::BOTH[n / 2 % 2];
        let mut session = enter(&house, ns, over, &json!({ "topics": row.0 }));
        // On `/` the fence is a call, which listens to everything unless something was asked for.
        if row.0.is_empty() && ns == "/" {
            session.says(&call(ns, "1", "subscribe", r#"{"topics":["sensors"]}"#));
            session.says(&call(ns, "2", "unsubscribe", r#"{"topics":["sensors"]}"#));
        }
        check(&house, &mut session, ns, row, n);
    }
}

#[test]
fn topics_come_and_go() {
    let house = watched();
    let ns = "/sensors";
    let mut session = enter(&house, ns, Over::Socket, &json!({}));
    let says = |session: &mut Session, name: &str, topics: &[&str], then: &[&str]| {
        let said = session.says(&call(ns, "5", name, &json!({ "topics": topics }).to_string()));
        let then = json!([{ "success": true, "topics": then }]);
        assert_eq!(said, format!("43{}5{then}", at(ns)), "{name} {topics:?}");
    };
    check(&house, &mut session, ns, &TOPICS[0], 0);
    says(&mut session, "subscribe", &["alarms"], &["sensors", "alarms"]);
    check(&house, &mut session, ns, &(&["sensors", "alarms"], &[1, 2, 3], &[1, 2], true), 1);
    says(&mut session, "unsubscribe", &["sensors"], &["alarms"]);
    check(&house, &mut session, ns, &TOPICS[4], 2);
    says(&mut session, "subscribe", &["device/1"], &["alarms", "device/1"]);
    says(&mut session, "unsubscribe", &["alarms"], &["device/1"]);
    check(&house, &mut session, ns, &TOPICS[1], 3);
    says(&mut session, "unsubscribe", &["device/1"], &[]);
    check(&house, &mut session, ns, &TOPICS[7], 4);
    for name in [
        "sensor/0",
        "sensor/01",
        "sensor/-1",
        "device/x",
        "device/",
        "sensors/",
        "statuses",
        "statuses/device/1",
        "alarms/sensor/1",
        "every/1s/avg/sensors",
        "sensor/9007199254740992",
    ] {
        let said =
            session.says(&call(ns, "6", "subscribe", &json!({ "topics": [name] }).to_string()));
        assert!(said.contains(&format!(r#"unknown topic \"{name}\""#)), "{said}");
    }
}

/// On `/` nothing is heard of sensors until the first call to them, and everything from then on.
#[test]
fn the_first_call_on_the_root_listens() {
    let house = House::new().wakes();
    let mut before = enter(&house, "/", Over::Socket, &json!({}));
    let mut caller = enter(&house, "/", Over::Socket, &json!({}));
    house.post(1, 1.0, Some(&time(1)));
    let listed = caller.says(&call("/", "1", "readings.latest", "{}"));
    assert!(listed.starts_with(r#"431[{"success":true,"#), "{listed}");
    house.post(3, 2.0, Some(&time(2)));
    caller.hears(&update("/", 3, 2, &time(2)));
    let mut plain = house.opens("/ws/sensor/2/");
    plain.send(&sample(2, 1, TIME, ""));
    plain.hears(&super::house::update(2, 1, TIME));
    // It called nothing: what it hears first is of its own first call.
    let said = before.says(&call("/", "4", "readings.latest", "{}"));
    assert!(said.starts_with(r#"434[{"success":true,"#), "{said}");
}

/// Takes the offset, the last argument, off an event.
#[track_caller]
fn split(packet: &str) -> (String, String) {
    let (before, offset) = packet.rsplit_once(r#",""#).unwrap_or_else(|| panic!("{packet}"));
    (format!("{before}]"), offset.strip_suffix(r#""]"#).expect("an offset").to_owned())
}

/// What was missed of these topics is told to who comes back, over a restart too; what was subscribed to meanwhile
/// counts.
#[test]
fn who_comes_back_is_told_what_was_missed() {
    for (over, kills) in [(Over::Socket, false), (Over::Polling, true)] {
        let mut house = House::new().wakes();
        let ns = "/sensors";
        let mut session = house.server.socket_io().open(over);
        let auth = json!({ "token": house.admin, "recover": true, "topics": ["device/1"] });
        let pid = session.enter(ns, &auth)["pid"].as_str().expect("a pid").to_owned();
        session.says(&call(ns, "1", "subscribe", r#"{"topics":["sensor/3"]}"#));
        session.says(&call(ns, "2", "unsubscribe", r#"{"topics":["device/1"]}"#));
        session.says(&call(ns, "3", "subscribe", r#"{"topics":["sensor/1"]}"#));
        house.post(1, 0.0, Some(&time(0)));
        let (first, offset) = split(&session.packet());
        assert_eq!(first, update(ns, 1, 0, &time(0)));
        drop(session);
        let mut expected = Vec::new();
        for n in 1..=9 {
            let sensor = 1 + n as i64 % 3;
            house.post(sensor, n as f64, Some(&time(n)));
            if sensor != 2 {
                expected.push(update(ns, sensor, n, &time(n)));
            }
        }
        if kills {
            house = house.killed();
        }
        let mut session = house.server.socket_io().open(over);
        let auth = json!({ "token": house.admin, "recover": true, "pid": pid, "offset": offset, "topics": ["device/1"] });
        assert_eq!(session.enter(ns, &auth)["pid"], pid.as_str(), "killed: {kills}");
        let missed: Vec<String> = (0..expected.len()).map(|_| split(&session.packet()).0).collect();
        assert_eq!(missed, expected, "killed: {kills}");
        house.post(3, 99.0, Some(&time(99)));
        assert_eq!(split(&session.packet()).0, update(ns, 3, 99, &time(99)));
        assert_eq!(told(&mut session, ns), [""; 0]);
    }
}
