//! What a stream shows first, and that nothing falls between that and what follows.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::{Value, json};

use super::house::{House, STREAMS, payload, sample, split, told, typed, untimed, update};
use crate::harness::{Client, Server, text};

fn snapshot(devices: &[&str], data: &[&str], alarms: &[&str]) -> String {
    format!(
        r#"{{"type":"sensors:snapshot","devices":[{}],"data":[{}],"alarms":[{}]}}"#,
        devices.join(","),
        data.join(","),
        alarms.join(",")
    )
}

fn status(device: i64, status: &str) -> String {
    format!(
        r#"{{"device_id":{device},"device_name":"Hydroponic System {device}","status":"{status}","timestamp":"T"}}"#
    )
}

const TIMES: [&str; 2] = ["2025-09-11T15:30:00Z", "2025-09-11T15:31:00.25Z"];

#[test]
fn each_stream_shows_what_is_its_own() {
    let house = House::new();
    let first = |stream: &str| {
        let mut client = house.dial(&format!("{stream}?snapshot=1")).open();
        let shown = client.text();
        assert_eq!(told(&mut client), [""; 0]);
        shown
    };
    let sleeping = [1, 2].map(|device| status(device, "inactive"));
    let [one, two] = &sleeping;
    assert_eq!(untimed(&first(STREAMS[0])), snapshot(&[one, two], &[], &[]));
    assert_eq!(untimed(&first(STREAMS[2])), snapshot(&[two], &[], &[]));
    assert_eq!(first(STREAMS[3]), snapshot(&[], &[], &[]));

    let alarm = json!({ "alarm": { "above": 30, "hold_off_s": 0 } });
    house.ask("PATCH", "/api/sensors/2").json(&alarm).expect(200);
    house.post(1, 20.5, Some(TIMES[0]));
    house.post(2, 31.0, Some(TIMES[1]));
    house.post(3, 9.0, None);
    // What is late, corrected or known is not the newest.
    house.post(1, 99.0, Some("2025-09-11T15:29:00Z"));
    house.post(1, 20.25, Some(TIMES[0]));
    house.post(1, 20.25, Some(TIMES[0]));
    let [one, two] = &[1, 2].map(|device| status(device, "active"));
    let data = [payload(1, 20.25, TIMES[0]), payload(2, 31, TIMES[1]), payload(3, 9, "T")];
    let [first_sensor, second, third] = &data;
    let raised = r#"{"sensor_id":2,"sensor_type":"temperature","device_id":1,"device_name":"Hydroponic System 1","state":"above","value":31,"threshold":30,"unit":"celsius","timestamp":"2025-09-11T15:31:00.25Z"}"#;
    // The time that has a fraction is left as it is.
    let shown = |stream: &str| {
        let shown = first(stream).replace(TIMES[1], "2025-09-11T15:31:00Z");
        untimed(&shown)
    };
    let expected = |devices: &[&str], data: &[&str], alarms: &[&str]| {
        let written = snapshot(devices, data, alarms);
        written.replace(TIMES[0], "T").replace(TIMES[1], "T")
    };
    for (stream, devices, data, alarms) in [
        (
            STREAMS[0],
            &[one.as_str(), two][..],
            &[first_sensor.as_str(), second, third][..],
            &[raised][..],
        ),
        (STREAMS[1], &[one], &[first_sensor, second], &[raised]),
        (STREAMS[2], &[two], &[third], &[]),
        (STREAMS[3], &[], &[first_sensor], &[]),
        (STREAMS[4], &[], &[second], &[raised]),
        (STREAMS[5], &[], &[third], &[]),
    ] {
        assert_eq!(shown(stream), expected(devices, data, alarms), "{stream}");
    }
    // Asked for otherwise, it is not shown.
    for query in ["", "?snapshot=0", "?snapshot=true", "?snapshot"] {
        let mut client = house.dial(&format!("{}{query}", STREAMS[0])).open();
        assert_eq!(told(&mut client), [""; 0], "{query}");
    }
}

/// With a cursor the snapshot bears it, and comes unless what was missed does.
#[test]
fn it_goes_with_cursors() {
    let house = House::new().wakes();
    house.post(1, 1.0, Some(TIMES[0]));
    for (stream, devices) in [(STREAMS[1], 1), (STREAMS[3], 0)] {
        let path = |since: &str| format!("{stream}?snapshot=1&since={since}");
        let shows = |frame: &str| {
            let (shown, cursor) = split(frame);
            let shown: Value = serde_json::from_str(&shown).expect("frames are JSON");
            assert_eq!(shown["type"], "sensors:snapshot", "{frame}");
            assert_eq!(shown["devices"].as_array().map(Vec::len), Some(devices), "{frame}");
            (shown["data"][0]["value"].clone(), cursor)
        };
        house.post(1, 1.0, Some(TIMES[0]));
        let mut client = house.dial(&path("now")).open();
        let (resumed, place) = resumed(&mut client);
        assert_eq!(resumed, 0);
        let (value, cursor) = shows(&client.text());
        assert_eq!((value, &cursor), (json!(1), &place));
        house.post(1, 2.0, Some(TIMES[0]));
        house.post(3, 666.0, None);
        let (event, _) = split(&client.text());
        assert_eq!(event, update(1, 2, TIMES[0]));
        drop(client);
        // It goes on from there: no snapshot.
        let mut client = house.dial(&path(&cursor)).open();
        assert_eq!(self::resumed(&mut client).0, 1);
        assert_eq!(split(&client.text()).0, update(1, 2, TIMES[0]));
        assert_eq!(told(&mut client), [""; 0]);
        // It cannot: the snapshot stands in its place.
        for (since, reason) in [("yesterday", "invalid"), ("0000000000000000.1", "epoch")] {
            let mut client = house.dial(&path(since)).open();
            let reset = client.text();
            let said = format!(r#"{{"type":"reset","reason":"{reason}","cursor":""#);
            let place = reset.strip_prefix(&said).and_then(|rest| rest.strip_suffix(r#""}"#));
            let (value, cursor) = shows(&client.text());
            assert_eq!((value, Some(cursor.as_str())), (json!(2), place), "{reset}");
            assert_eq!(told(&mut client), [""; 0]);
            house.post(1, 3.0, Some(TIMES[0]));
            assert_eq!(split(&client.text()).0, update(1, 3, TIMES[0]));
            house.post(1, 2.0, Some(TIMES[0]));
        }
    }
}

/// How many events `resumed` announces, and its cursor.
#[track_caller]
fn resumed(client: &mut Client) -> (u64, String) {
    let told: Value = serde_json::from_str(&client.text()).expect("frames are JSON");
    assert_eq!(told["type"], "resumed", "{told}");
    let cursor = told["cursor"].as_str().expect("it has a cursor").to_owned();
    (told["replayed"].as_u64().expect("a number"), cursor)
}

/// The value of a sensor is a number that counts up, as fast as a board can; whoever comes in sees one, then the next.
#[test]
fn nothing_falls_between_it_and_what_follows() {
    const ROUNDS: usize = 24;
    let house = House::of(Server::with(&[("SENSORS__RATE_MAX", "1000000")])).wakes();
    house.post(1, 0.0, None);
    let board = house.board(1);
    let stops = AtomicBool::new(false);
    thread::scope(|threads| {
        let posting = threads.spawn(|| {
            let mut client = house.server.dial(STREAMS[4]).bearer(&board).open();
            let mut n = 0;
            // It posts of the first sensor beside, where it hears nothing of it.
            let mut other = house.server.dial(STREAMS[3]).bearer(&board).open();
            while !stops.load(Ordering::SeqCst) {
                let next = |n: usize| {
                    let at =
                        format!(r#"{{"type":"sensor_data","sensor_id":1,"value":{n},"id":{n}}}"#);
                    text(&at)
                };
                other.send_bytes(&(n + 1..=n + 16).flat_map(next).collect::<Vec<u8>>());
                n += 16;
                let last = format!(r#","id":{n}}}"#);
                while !other.text().ends_with(&last) {}
            }
            assert_eq!(told(&mut client), [""; 0]);
            n
        });
        let mut seen = 0;
        for round in 0..ROUNDS {
            let stream = STREAMS[[0, 1, 3][round % 3]];
            let with_cursor = round % 2 == 0;
            let since = if with_cursor { "&since=now" } else { "" };
            let mut client = house.dial(&format!("{stream}?snapshot=1{since}")).open();
            if with_cursor {
                assert_eq!(resumed(&mut client).0, 0);
            }
            let shown: Value = serde_json::from_str(&client.text()).expect("a snapshot is JSON");
            let mut last = shown["data"][0]["value"].as_u64().expect("a number");
            assert!(last >= seen, "{stream}: {last} after {seen}");
            for _ in 0..20 {
                let told: Value = serde_json::from_str(&client.text()).expect("frames are JSON");
                assert_eq!(told["value"], last + 1, "{stream}{since}: {told}");
                last += 1;
            }
            seen = last;
        }
        stops.store(true, Ordering::SeqCst);
        let all = posting.join().expect("it posts");
        assert!(all as u64 >= seen && seen > 100, "{seen} of {all}");
    });
}

/// What would be over 1 MiB is refused in words; single devices are shown.
#[test]
fn a_house_that_is_too_large_is_not_shown_as_a_whole() {
    const DEVICES: i64 = 2_000;
    let house = House::new();
    let House { server, admin } = house;
    let path = server.data().join("bellwire.db");
    let server = server.restart_after(|| {
        let mut database = rusqlite::Connection::open(path).expect("it is a database");
        let add = database.transaction().expect("nobody else is there");
        for device in 3..DEVICES {
            let name = "\u{1F321}".repeat(128);
            add.execute(
                "INSERT INTO devices (device_id, name, active, status_at, created_at) VALUES (?1, ?2, 0, 0, 0)",
                (device, name),
            )
            .expect("it is a device");
        }
        add.commit().expect("there is room");
    });
    let house = House { server, admin };
    let mut client = house.dial(&format!("{}?snapshot=1", STREAMS[0])).open();
    let (told_first, code) = client.closed();
    assert_eq!(
        told_first,
        [
            r#"{"type":"error","message":"the snapshot is over 1 MiB: ask for single devices, or GET /api/readings","code":"INVALID"}"#
        ]
    );
    assert_eq!(code, Some(1008));
    let mut client = house.dial(&format!("{}?snapshot=1", STREAMS[1])).open();
    assert_eq!(untimed(&client.text()), snapshot(&[&status(1, "inactive")], &[], &[]));
    // Nor does it matter to who asks for none.
    let mut client = house.opens(STREAMS[0]);
    client.send(&sample(1, 1, TIMES[0], ""));
    client.hears(&typed("sensor_data_update", &payload(1, 1, TIMES[0])));
}
