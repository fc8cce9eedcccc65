//! When a device is heard, by the real clock: to the second, and over restarts. The rules are tested at the service.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::house::{House, STREAMS, split, told};
use crate::harness::{Client, Server, until};

/// How much later than it is due a change may be told: a second is what is promised, and machines under test are busy.
const LATE_MAX: f64 = 3.0;

/// A change of status without its time.
fn status(device: i64, status: &str) -> String {
    format!(
        r#"{{"type":"device_status","device_id":{device},"device_name":"Hydroponic System {device}","status":"{status}""#
    )
}

/// The changes of status that come next, without their times; readings are passed over.
#[track_caller]
fn hears(client: &mut Client, expected: &str) -> i64 {
    loop {
        let text = client.text();
        if text.starts_with(r#"{"type":"sensor_data_update""#) {
            continue;
        }
        let (frame, time) = text.split_once(r#","timestamp":""#).expect("it has a time");
        assert_eq!(frame, expected);
        let time: jiff::Timestamp = time[..20].parse().expect("a time");
        return time.as_second();
    }
}

fn wake(clients: &mut [Client]) {
    for client in clients {
        hears(client, &status(1, "active"));
    }
}

/// What silence makes of a device, and when; readings that are late keep nobody awake, and two sensors have each
/// their own time.
#[test]
fn silence_is_told_when_it_is_due() {
    let house = House::with(Server::start(), &json!({ "silence_s": 2 }));
    house.ask("PATCH", "/api/sensors/2").json(&json!({ "silence_s": 4 })).expect(200);
    let mut clients = [STREAMS[0], STREAMS[1]].map(|stream| house.opens(stream));
    let mut others = [STREAMS[3], STREAMS[2]].map(|stream| house.opens(stream));
    let check = |clients: &mut [Client], began: Instant, due_s: f64| {
        let mut times = Vec::new();
        for client in clients.iter_mut() {
            times.push(hears(client, &status(1, "inactive")));
        }
        let took = began.elapsed().as_secs_f64();
        assert!((due_s - 0.05..due_s + LATE_MAX).contains(&took), "after {took} s, not {due_s}");
        assert_eq!(times[0], times[1]);
    };
    // One sensor, which is heard twice.
    house.post(1, 1.0, None);
    wake(&mut clients);
    let half = Instant::now();
    until("it is silent for half its time", || half.elapsed() > Duration::from_secs(1));
    let began = Instant::now();
    house.post(1, 1.0, None);
    house.post(1, 9.0, Some("2025-09-11T15:30:00Z"));
    check(&mut clients, began, 2.0);
    // What is late does not wake it.
    house.post(1, 9.5, Some("2025-09-11T15:31:00Z"));
    let shown = house.ask("GET", "/api/devices/1").expect(200);
    assert_eq!(shown["status"], "inactive");
    // The one with more patience was heard last, then the other.
    let began = Instant::now();
    house.post(2, 1.0, None);
    house.post(1, 1.0, None);
    wake(&mut clients);
    check(&mut clients, began, 4.0);
    // It has been silent for long: only the other counts.
    let began = Instant::now();
    house.post(1, 1.0, None);
    wake(&mut clients);
    check(&mut clients, began, 2.0);
    for client in clients.iter_mut().chain(&mut others) {
        let mut heard = told(client);
        heard.retain(|frame| !frame.starts_with(r#"{"type":"sensor_data_update""#));
        assert_eq!(heard, [""; 0]);
    }
}

/// The time comes while the server is away, and while it is there again.
#[test]
fn a_restart_changes_nothing_of_it() {
    let house = House::with(Server::start(), &json!({ "silence_s": 1 }));
    house.ask("PATCH", "/api/sensors/3").json(&json!({ "silence_s": 6 })).expect(200);
    let mut client = house.dial(&format!("{}?since=now", STREAMS[0])).open();
    assert!(client.text().starts_with(r#"{"type":"resumed""#));
    let began = Instant::now();
    house.post(3, 1.0, None);
    house.post(1, 1.0, None);
    let mut cursor = String::new();
    for _ in 0..4 {
        cursor = split(&client.text()).1;
    }
    drop(client);
    let House { server, admin } = house;
    let server = server.restart_after(|| {
        until("the first device's time is over", || began.elapsed() > Duration::from_millis(1_500));
    });
    let house = House { server, admin };
    let mut client = house.dial(&format!("{}?since={cursor}", STREAMS[0])).open();
    assert!(client.text().starts_with(r#"{"type":"resumed""#));
    for (device, due_s) in [(1, 1.5), (2, 6.0)] {
        let told: Value = serde_json::from_str(&client.text()).expect("frames are JSON");
        assert_eq!(
            (&told["type"], &told["device_id"], &told["status"]),
            (&json!("device_status"), &json!(device), &json!("inactive"))
        );
        let took = began.elapsed().as_secs_f64();
        let late_max = if device == 1 { 20.0 } else { LATE_MAX };
        assert!((due_s - 0.05..due_s + late_max).contains(&took), "after {took} s, not {due_s}");
    }
}

/// Only what is another status is told.
#[test]
fn an_admin_sets_it() {
    let house = House::new();
    let mut clients = [STREAMS[0], STREAMS[1]].map(|stream| house.opens(stream));
    let mut set = |wanted: &str, changes: bool| {
        let body = json!({ "status": wanted });
        let shown = house.ask("PATCH", "/api/devices/1").json(&body).expect(200);
        assert_eq!(shown["status"], wanted);
        for client in &mut clients {
            let heard = told(client);
            let heard: Vec<&str> = heard
                .iter()
                .filter_map(|frame| Some(frame.split_once(r#","timestamp":"#)?.0))
                .collect();
            let expected = status(1, wanted);
            assert_eq!(heard, vec![expected.as_str(); usize::from(changes)]);
        }
    };
    for (wanted, changes) in [
        ("inactive", false),
        ("active", true),
        ("active", false),
        ("inactive", true),
        ("active", true),
    ] {
        set(wanted, changes);
    }
    // A reading of one that is active says nothing of it.
    house.post(1, 1.0, None);
    for client in &mut clients {
        assert_eq!(told(client).len(), 1);
    }
    // One of a device that was set inactive does.
    let body = json!({ "status": "inactive" });
    house.ask("PATCH", "/api/devices/1").json(&body).expect(200);
    house.post(1, 1.0, None);
    for client in &mut clients {
        hears(client, &status(1, "inactive"));
        hears(client, &status(1, "active"));
    }
}
