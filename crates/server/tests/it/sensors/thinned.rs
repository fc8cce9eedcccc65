//! Streams that tell what readings come to, once per interval: what is told is compared with what was posted.

use std::{collections::BTreeMap, time::SystemTime};

use serde_json::{Value, json};

use super::house::{House, STREAMS, device_of, payload, told, typed};
use crate::harness::{Client, text, until};

/// Microseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is past 1970");
    since.as_micros() as i64
}

/// Waits for the beginning of a second after this one: what is posted at once is taken in before it ends.
fn second_begins(last: i64) -> i64 {
    until("a second begins", || now() / 1_000_000 > last && now() % 1_000_000 < 200_000);
    now() / 1_000_000
}

/// A time in whole seconds since 1970, as it is written.
fn written(second: i64) -> String {
    jiff::Timestamp::from_second(second).expect("a time").to_string()
}

/// Posts all of this at once; gives the second in which it was taken in, unless a slow machine has it on the edge of
/// two.
fn posts(board: &mut Client, batch: &Value, last: i64) -> Option<i64> {
    let second = second_begins(last);
    board.send_bytes(&text(&batch.to_string()));
    let reply: Value = serde_json::from_str(&board.text()).expect("frames are JSON");
    assert_eq!(reply["type"], "sensor_data_batch:response", "{reply}");
    assert_eq!(reply["data"]["refused"], json!([]));
    (now() / 1_000_000 == second).then_some(second)
}

/// What is posted in each of three seconds, of each sensor.
const VALUES: [&[(i64, f64)]; 3] = [
    &[(1, 20.0), (1, 30.0), (2, -5.0), (1, 25.0), (3, 0.1), (3, 0.1), (3, 0.1)],
    &[(2, 1.5), (2, 1.0), (1, 1e300), (1, -1e300)],
    &[(3, 7.0), (1, 40.0)],
];

/// What one aggregate makes of values; behind it what `minmax` adds.
fn aggregated(aggregate: &str, values: &[f64]) -> (String, String) {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let last = *values.last().expect("there are some");
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let shown = |value: f64| match value.abs() < 1e15 {
        true => format!("{value}"),
        false => format!("{value:e}").replace('e', "e+"),
    };
    match aggregate {
        "min" => (shown(least), String::new()),
        "max" => (shown(greatest), String::new()),
        "last" => (shown(last), String::new()),
        "minmax" => (shown(last), format!(r#","min":{},"max":{}"#, shown(least), shown(greatest))),
        // Three times a tenth is a tenth; rounded sums would not say so.
        _ => (if values == [0.1; 3] { "0.1".to_owned() } else { shown(mean) }, String::new()),
    }
}

/// What a listener is told of the seconds in which all was posted.
fn expected(seconds: &[i64], stream: &str, aggregate: &str) -> Vec<String> {
    let mut expected = Vec::new();
    for (second, posted) in seconds.iter().zip(VALUES) {
        let mut sensors: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        posted.iter().for_each(|(sensor, value)| sensors.entry(*sensor).or_default().push(*value));
        for (sensor, values) in sensors {
            let heard = stream == STREAMS[0]
                || stream == format!("/ws/device/{}/", device_of(sensor))
                || stream == format!("/ws/sensor/{sensor}/");
            if heard {
                let (value, ends) = aggregated(aggregate, &values);
                let told = payload(sensor, value, &written(*second));
                let told = typed("sensor_data_update", &told);
                expected.push(format!("{}{ends}}}", told.strip_suffix('}').expect("an object")));
            }
        }
    }
    expected
}

/// Frames of readings until one is of this second, and those beside it: they come together.
fn hears(client: &mut Client, count: usize) -> Vec<String> {
    (0..count).map(|_| client.text()).collect()
}

#[test]
fn each_interval_comes_to_what_was_posted_in_it() {
    let house = House::new().wakes();
    let aggregates = ["", "&agg=avg", "&agg=min", "&agg=max", "&agg=last", "&agg=minmax"];
    let mut board = house.dial(&format!("{}?every=1h", STREAMS[0])).open();
    for attempt in 0..5 {
        let mut listeners: Vec<(&str, &str, Client)> = Vec::new();
        for aggregate in aggregates {
            for stream in [STREAMS[0], STREAMS[1], STREAMS[5]] {
                let aggregate_name = aggregate.strip_prefix("&agg=").unwrap_or("avg");
                let client = house.opens(&format!("{stream}?every=1s{aggregate}"));
                listeners.push((stream, aggregate_name, client));
            }
        }
        // Another that asks for the same.
        listeners.push((
            STREAMS[0],
            "minmax",
            house.opens(&format!("{}?agg=minmax&every=1s", STREAMS[0])),
        ));
        let mut seconds = Vec::new();
        for posted in VALUES {
            let reading =
                |(sensor, value): &(i64, f64)| json!({ "sensor_id": sensor, "value": value });
            let mut readings: Vec<Value> = posted.iter().map(reading).collect();
            if attempt == 0 || !seconds.is_empty() {
                // What is late counts in nothing, whatever it is.
                for sensor in 1..=3 {
                    let late = format!("2001-01-01T00:00:{:02}Z", 10 * attempt + seconds.len());
                    readings.push(json!({ "sensor_id": sensor, "value": 666, "timestamp": late }));
                }
                // But the first of a sensor is never late.
                let heard: Vec<i64> = posted.iter().map(|(sensor, _)| *sensor).collect();
                readings.retain(|reading| {
                    reading["value"] != 666
                        || attempt > 0
                        || heard.iter().any(|s| reading["sensor_id"] == *s)
                });
            }
            let batch = json!({ "type": "sensor_data_batch", "readings": readings });
            let last = seconds.last().copied().unwrap_or(0);
            seconds.extend(posts(&mut board, &batch, last));
        }
        if seconds.len() < VALUES.len() {
            continue;
        }
        for (stream, aggregate, client) in &mut listeners {
            let expected = expected(&seconds, stream, aggregate);
            assert_eq!(hears(client, expected.len()), expected, "{stream} {aggregate}");
            assert_eq!(told(client), [""; 0], "{stream} {aggregate}");
        }
        return;
    }
    panic!("the machine is too slow to take anything in within a second");
}

/// What becomes of devices is heard at once beside it, and a snapshot and alarms go with it.
#[test]
fn other_things_are_told_as_ever() {
    let house = House::new();
    house
        .ask("PATCH", "/api/sensors/1")
        .json(&json!({ "alarm": { "above": 30, "hold_off_s": 0 } }))
        .expect(200);
    let query = "?every=1h&agg=last&alarms=1&snapshot=1";
    let mut clients = [STREAMS[0], STREAMS[1], STREAMS[2], STREAMS[3]].map(|stream| {
        let mut client = house.dial(&format!("{stream}{query}")).open();
        let shown: Value = serde_json::from_str(&client.text()).expect("a snapshot is JSON");
        assert_eq!(shown["type"], "sensors:snapshot");
        assert_eq!(told(&mut client), [""; 0]);
        client
    });
    house.post(1, 31.0, None);
    let kinds = |client: &mut Client| -> Vec<String> {
        let kind = |frame: &String| {
            let told: Value = serde_json::from_str(frame).expect("frames are JSON");
            assert!(told.get("cursor").is_none(), "{frame}");
            told["type"].as_str().expect("a type").to_owned()
        };
        told(client).iter().map(kind).collect()
    };
    let expected: [&[&str]; 4] = [
        &["sensor_alarm", "device_status"],
        &["sensor_alarm", "device_status"],
        &[],
        &["sensor_alarm"],
    ];
    for (client, expected) in clients.iter_mut().zip(expected) {
        assert_eq!(kinds(client), expected);
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let house = House::new();
    let every = "every: one of 1s, 5s, 10s, 1m, 5m, 1h";
    let agg = "agg: one of avg, min, max, last, minmax";
    for (query, words) in [
        ("every=2s", every),
        ("every=", every),
        ("every=60s", every),
        ("every=1S", every),
        ("every", every),
        ("every=1s&agg=mean", agg),
        ("every=1s&agg=", agg),
        ("every=1s&agg=AVG", agg),
        ("agg=avg", "agg: goes with every"),
        ("every=1s&every=1s", "every: comes twice"),
        ("every=1s&agg=avg&agg=min", "agg: comes twice"),
        ("every=%ff", "every: is no text"),
        ("alarms=yes", "alarms: 1 or 0"),
        ("every=1s&since=now", "since: what is asked for has no cursor"),
        ("every=1s&since=0000000000000000.1", "since: what is asked for has no cursor"),
    ] {
        for stream in [STREAMS[0], STREAMS[1], STREAMS[3]] {
            let answer = house.dial(&format!("{stream}?{query}")).response();
            assert_eq!(answer.status, 422, "{stream}?{query}: {answer:?}");
            let problem = answer.json();
            let said = (&problem["code"], &problem["detail"]);
            assert_eq!(said, (&json!("INVALID"), &json!(words)), "{stream}?{query}");
        }
    }
}

/// Who comes in the middle hears what came since, and nothing from before.
#[test]
fn what_was_before_counts_in_nothing() {
    let house = House::new().wakes();
    house.post_all(&[(1, 100.0), (1, 200.0)]);
    for attempt in 0..5 {
        let mut client = house.opens(&format!("{}?every=1s&agg=minmax", STREAMS[3]));
        let mut board = house.dial(&format!("{}?every=1h", STREAMS[5])).open();
        let reading = json!({ "sensor_id": 3, "value": attempt });
        board.send(&json!({ "type": "sensor_data_batch", "readings": [reading] }).to_string());
        board.text();
        let one =
            json!({ "type": "sensor_data_batch", "readings": [{ "sensor_id": 1, "value": 7 }] });
        let mut board = house.dial(&format!("{}?every=1h", STREAMS[3])).open();
        let Some(second) = posts(&mut board, &one, 0) else { continue };
        let told = payload(1, 7, &written(second));
        let told = typed("sensor_data_update", &told).replace("Z\"}", "Z\",\"min\":7,\"max\":7}");
        client.hears(&told);
        return;
    }
    panic!("the machine is too slow to take anything in within a second");
}
