//! A board that sends too much is told so, and others notice nothing of it.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{House, items};
use crate::harness::{Ask, Server};

/// How many readings a board may send in a second.
const PER_SECOND: &str = "10";
const WORDS: &str = "too many readings; at most 10 a second";

fn house() -> House {
    let house = House::of(Server::with(&[("SENSORS__RATE_MAX", PER_SECOND)]));
    house.add_sensors(2);
    house
}

/// Sends a request until it is refused as too much; gives how often it was taken before.
#[track_caller]
fn flood(ask: &Ask) -> usize {
    for taken in 0..1_000 {
        let response = ask.send();
        if response.status == 429 {
            assert_eq!(response.json()["code"], "RATE_LIMITED", "{response:?}");
            assert_eq!(response.json()["detail"], WORDS);
            assert!(matches!(response.header("retry-after"), Some("1" | "2")), "{response:?}");
            return taken;
        }
        assert_eq!(response.status, 201, "{response:?}");
    }
    panic!("it is never too much")
}

#[test]
fn a_flood_over_http() {
    let house = house();
    let [board, same, other] = [1, 1, 2].map(|device| house.board(device).text);
    let post = |token: &str, path: &str, body: &Value| {
        house.server.ask("POST", path).bearer(token).json(body)
    };
    let one = json!({ "sensor_id": 1, "value": 1 });
    let twenty = json!(vec![json!({ "value": 1 }); 20]);
    let path = "/api/sensors/1/readings";
    let taken = flood(&post(&board, "/api/readings", &one));
    assert!(taken >= 20, "{taken}");
    // Neither another token nor several at once help it; what is refused is not stored.
    let of_same = flood(&post(&same, path, &twenty));
    assert!(of_same <= 1, "{of_same}");
    let sent: Vec<Value> = super::pages(|query| house.readings(1, &format!("?{query}")), 1_000);
    assert_eq!(sent.len(), taken + 20 * of_same);
    // Another device's readings go on.
    let theirs = post(&other, "/api/readings", &json!({ "sensor_id": 2, "value": 1 }));
    for _ in 0..10 {
        assert_eq!(theirs.send().status, 201);
    }
    // More than can ever be is no question of time, and costs nothing.
    let more = json!(vec![json!({ "sensor_id": 2, "value": 1 }); 21]);
    let refused = post(&other, "/api/readings", &more).refused(422, "INVALID");
    assert_eq!(refused.json()["detail"], "too many readings at once; at most 20");
    assert_eq!(items(&house.readings(2, "")).len(), 10);
}

#[test]
fn a_flood_on_a_stream() {
    let house = house();
    let [board, other] = [1, 2].map(|device| house.board(device).text);
    let mut stream = house.opens(&board, "/ws/device/1/");
    for n in 0..100 {
        stream.send(&format!(r#"{{"type":"sensor_data","sensor_id":1,"value":{n}}}"#));
    }
    let theirs = house.server.ask("POST", "/api/readings").bearer(&other);
    theirs.json(&json!({ "sensor_id": 2, "value": 1 })).expect(201);
    stream.send(r#"{"type":"devices.list","id":"end"}"#);
    let (mut told, mut refused) = (0, 0);
    loop {
        let text = stream.text();
        if text.ends_with(r#""id":"end"}"#) {
            break;
        }
        if text == format!(r#"{{"type":"error","message":"{WORDS}","code":"RATE_LIMITED"}}"#) {
            refused += 1;
        } else if text.contains("sensor_data_update") {
            told += 1;
        } else {
            assert!(text.contains("device_status"), "{text}");
        }
    }
    assert!(refused > 0, "{told} told, none refused");
    let stored = super::pages(|query| house.readings(1, &format!("?{query}")), 1_000).len();
    assert_eq!(stored, 100 - refused);
    // Updates of one sensor may be told as one to who does not keep up, and nothing else is.
    assert!((1..=stored).contains(&told), "{told} of {stored}");
    // The connection is as it was.
    assert!(stream.ask(r#"{"type":"ping"}"#).contains("pong"));
}

/// While one board floods, another's readings are answered as before, but for what a busy machine makes of it.
#[test]
fn another_board_beside_a_flood() {
    let house = House::of(Server::with(&[("SENSORS__RATE_MAX", "200")]));
    house.add_sensors(2);
    let [board, other] = [1, 2].map(|device| house.board(device).text);
    let ask = |token: &str, sensor: i64| {
        let body = json!({ "sensor_id": sensor, "value": 1 });
        house.server.ask("POST", "/api/readings").bearer(token).json(&body)
    };
    let theirs = ask(&other, 2);
    // Atomic: the flood's thread looks at it while the test sets it.
    let is_over = AtomicBool::new(false);
    let (mut slowest, mut refused) = (Duration::ZERO, 0);
    thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let readings: Vec<Value> = (0..100).map(|n| json!({ "value": n })).collect();
            let path = "/api/sensors/1/readings";
            let many = house.server.ask("POST", path).bearer(&board).json(&json!(readings));
            let mut refused = 0;
            while !is_over.load(Ordering::Relaxed) {
                refused += usize::from(many.send().status == 429);
            }
            refused
        });
        for _ in 0..50 {
            let began = Instant::now();
            let response = theirs.send();
            slowest = slowest.max(began.elapsed());
            if response.status != 201 {
                is_over.store(true, Ordering::Relaxed);
            }
            assert_eq!(response.status, 201, "{response:?}");
        }
        is_over.store(true, Ordering::Relaxed);
        refused = flood.join().expect("it does not panic");
    });
    assert!(refused > 0, "there was no flood");
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    assert_eq!(items(&house.readings(2, "")).len(), 50);
}
