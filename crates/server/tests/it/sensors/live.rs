//! Who hears what on the three kinds of streams, in which order, and what is answered to whom.

use serde_json::{Value, json};

use super::house::{House, STREAMS, device_of, payload, sample, split, told, typed, update};
use crate::harness::{Client, text};

/// Whether a stream is one of a sensor's.
fn hears(stream: &str, sensor: i64) -> bool {
    stream == STREAMS[0]
        || stream == format!("/ws/device/{}/", device_of(sensor))
        || stream == format!("/ws/sensor/{sensor}/")
}

fn minute(n: usize) -> String {
    format!("2025-09-11T{:02}:{:02}:00Z", n / 60, n % 60)
}

/// Each sensor's reading, from each stream that takes it: the streams that are its own hear it, the sender's too.
#[test]
fn a_reading_is_heard_where_it_belongs() {
    let house = House::new().wakes();
    let mut clients = STREAMS.map(|stream| (stream, house.opens(stream)));
    let mut posted = 0;
    for sensor in 1..=3 {
        for sender in 0..STREAMS.len() {
            if !hears(STREAMS[sender], sensor) {
                continue;
            }
            posted += 1;
            let time = minute(posted);
            clients[sender].1.send(&sample(sensor, posted, &time, ""));
            let expected = update(sensor, posted, &time);
            // The sender's fence stands behind its own sample: it goes first.
            let order = (sender..).take(1).chain((0..STREAMS.len()).filter(|at| *at != sender));
            for at in order {
                let (stream, client) = &mut clients[at];
                let count = usize::from(hears(stream, sensor));
                let heard = told(client);
                assert_eq!(
                    heard,
                    vec![expected.as_str(); count],
                    "{sensor} from {sender}: {stream}"
                );
            }
        }
    }
    assert_eq!(posted, 9);
    // What came over HTTP is heard as well.
    let time = minute(900);
    house.post(3, 7.25, Some(&time));
    for (stream, client) in &mut clients {
        let count = usize::from(hears(stream, 3));
        assert_eq!(told(client), vec![update(3, 7.25, &time); count], "{stream}");
    }
}

/// Two boards at once: each stream hears of each board in its order, and all streams in the same.
#[test]
fn readings_are_heard_in_the_order_in_which_they_were_stored() {
    const EACH: usize = 300;
    let house = House::new().wakes();
    let mut clients = STREAMS.map(|stream| (stream, house.follows(stream)));
    let mut boards = [1, 2].map(|device| {
        let board = house.server.dial(STREAMS[0]).bearer(&house.board(device)).open();
        (if device == 1 { [1, 2] } else { [3, 3] }, board)
    });
    for n in 0..EACH {
        for (sensors, board) in &mut boards {
            board.send(&sample(sensors[n % 2], n, &minute(n), ""));
        }
    }
    for (_, board) in &mut boards {
        drop(told(board));
    }
    let told = |client: &mut Client| -> Vec<String> {
        told(client).iter().map(|frame| split(frame).0).collect()
    };
    let all = told(&mut clients[0].1);
    assert_eq!(all.len(), 2 * EACH);
    for device in 1..=2 {
        let of_device = format!(r#""device_id":{device},"#);
        let heard = all.iter().filter(|frame| frame.contains(&of_device));
        let sensor = |n: usize| if device == 2 { 3 } else { 1 + n as i64 % 2 };
        let sent: Vec<String> = (0..EACH).map(|n| update(sensor(n), n, &minute(n))).collect();
        assert!(heard.eq(&sent), "device {device}");
    }
    for (stream, client) in &mut clients[1..] {
        let (_, id) = stream.trim_end_matches('/').rsplit_once('/').expect("it has a number");
        let kind = if stream.contains("device") { "device" } else { "sensor" };
        let of = format!(r#""{kind}_id":{id},"#);
        let expected: Vec<&String> = all.iter().filter(|frame| frame.contains(&of)).collect();
        assert_eq!(told(client).iter().collect::<Vec<_>>(), expected, "{stream}");
    }
}

#[test]
fn what_is_not_there_has_no_stream() {
    let house = House::new();
    for (kind, name, code) in
        [("device", "Device", "UNKNOWN_DEVICE"), ("sensor", "Sensor", "UNKNOWN_SENSOR")]
    {
        for id in ["4", "9007199254740991", "9223372036854775807"] {
            for query in ["", "?snapshot=1", "?since=now", "?every=1s"] {
                let mut client = house.dial(&format!("/ws/{kind}/{id}/{query}")).open();
                let error = format!(
                    r#"{{"type":"error","message":"{name} not found: {id}","code":"{code}"}}"#
                );
                assert_eq!(client.closed(), (vec![error], Some(4404)), "{kind} {id}{query}");
            }
        }
        // Whoever shows no credential is told nothing of what is there.
        for id in ["1", "4"] {
            let mut client = house.server.dial(&format!("/ws/{kind}/{id}/")).open();
            let (told, closed) = client.closed();
            assert_eq!(closed, Some(4401), "{told:?}");
            let words =
                r#"{"type":"error","message":"authentication required","code":"UNAUTHENTICATED"}"#;
            assert_eq!(told, [words]);
        }
        for id in [
            "0",
            "-1",
            "9223372036854775808",
            "abc",
            "%00",
            "1%2f2",
            "",
            "01",
            "+1",
            "1.0",
            "1e0",
            " 1",
            "%31%20",
            "1/2",
        ] {
            let answer = house.dial(&format!("/ws/{kind}/{}/", id.replace(' ', "%20"))).response();
            assert_eq!(answer.status, 404, "{kind} {id:?}: {answer:?}");
        }
        // With or without the slash.
        let mut client = house.dial(&format!("/ws/{kind}/1")).open();
        assert_eq!(told(&mut client), [""; 0]);
    }
}

fn response(payload: &str, id: &str) -> String {
    format!(r#"{{"type":"sensor_data:response","success":true,"data":{payload},"id":{id}}}"#)
}

#[test]
fn who_asks_is_answered_and_who_does_not_is_not() {
    let house = House::new().wakes();
    let mut quiet = house.opens("/ws/sensor/3/");
    for (n, id) in ["7", r#""a b""#, "-3", "1.5", "{}", "[1]"].into_iter().enumerate() {
        for (stream, sensor) in [(STREAMS[0], 3), (STREAMS[1], 1), (STREAMS[4], 2)] {
            let mut client = house.opens(stream);
            let time = minute(60 * n + 1);
            client.send(&sample(sensor, n, &time, &format!(r#","id":{id}"#)));
            let shown = payload(sensor, n, &time);
            let mut heard = told(&mut client);
            heard.sort();
            match id {
                // What cannot be an id is refused, and nothing is stored.
                "1.5" | "{}" | "[1]" => {
                    let words = "id: an integer or a string to 128 bytes";
                    let error =
                        format!(r#"{{"type":"error","message":"{words}","code":"INVALID"}}"#);
                    assert_eq!(heard, [error], "{id}");
                }
                _ => {
                    let mut expected = [response(&shown, id), typed("sensor_data_update", &shown)];
                    expected.sort();
                    assert_eq!(heard, expected, "{stream} {id}");
                }
            }
        }
    }
    // Others hear of what was taken, and of no answer.
    let expected = [0, 1, 2].map(|n| update(3, n, &minute(60 * n + 1)));
    assert_eq!(told(&mut quiet), expected);
}

/// The same again is told to its sender alone; with an id it is answered alone.
#[test]
fn a_replay_is_its_senders_alone() {
    let house = House::new().wakes();
    let time = minute(1);
    let known = update(1, 20, &time);
    house.post(1, 20.0, Some(&time));
    house.post(1, 21.0, Some(&minute(2)));
    let streams = [STREAMS[0], STREAMS[1], STREAMS[3]];
    let mut clients = streams.map(|stream| house.opens(stream));
    for sender in 0..clients.len() {
        for (more, expected) in
            [("", known.clone()), (r#","id":1"#, response(&payload(1, 20, &time), "1"))]
        {
            clients[sender].send(&sample(1, 20, &time, more));
            for at in (sender..).take(1).chain((0..3).filter(|at| *at != sender)) {
                let count = usize::from(at == sender);
                assert_eq!(
                    told(&mut clients[at]),
                    vec![expected.as_str(); count],
                    "{sender} {more}"
                );
            }
        }
    }
    // One that bears no time is known by its key.
    let keyed = r#"{"type":"sensor_data","sensor_id":1,"value":23,"idempotency_key":"k"}"#;
    clients[1].send(keyed);
    let first = told(&mut clients[1]);
    assert_eq!(first.len(), 1);
    clients[1].send(keyed);
    assert_eq!(told(&mut clients[1]), first);
    assert_eq!([0, 2].map(|at| told(&mut clients[at])), [first.clone(), first]);
    // Many at once, among them new ones.
    let all = [sample(1, 20, &time, ""), sample(1, 22, &minute(3), "")]
        .map(|sample| text(&sample))
        .concat();
    clients[1].send_bytes(&all.repeat(10));
    let heard = told(&mut clients[1]);
    let new = update(1, 22, &minute(3));
    assert_eq!(heard.iter().filter(|frame| **frame == known).count(), 10, "{heard:?}");
    assert_eq!(
        heard.iter().filter(|frame| **frame == new).count(),
        10,
        "told once, known nine times"
    );
    assert_eq!(told(&mut clients[0]), [new.as_str()]);
    assert_eq!(told(&mut clients[2]), [new]);
}

/// What else a client is told than the answer to its batch, which must be this.
#[track_caller]
fn reported(client: &mut Client, report: &str) -> Vec<String> {
    let mut heard = told(client);
    let at = heard.iter().position(|frame| frame.starts_with(r#"{"type":"sensor_data_batch:"#));
    assert_eq!(heard.remove(at.expect("a batch is always answered")), report);
    heard
}

#[test]
fn several_together() {
    let house = House::new().wakes();
    let mut clients = [STREAMS[0], STREAMS[1], STREAMS[3]].map(|stream| house.opens(stream));
    let refused = |index: usize, code: &str, message: &str| {
        format!(r#"{{"index":{index},"code":"{code}","message":"{message}"}}"#)
    };
    let (first, second) = (minute(1), minute(2));
    let readings = format!(
        r#"[{{"sensor_id":1,"value":1,"timestamp":"{first}"}},{{"sensor_id":2,"value":2,"timestamp":"{first}"}},{{"sensor_id":3,"value":3,"timestamp":"{first}"}},{{"sensor_id":1,"value":1,"timestamp":"{first}"}},{{"sensor_id":1,"value":4,"timestamp":"{first}"}},{{"sensor_id":1,"value":5,"timestamp":"{second}"}},7]"#
    );
    let no_object = refused(6, "INVALID", "a reading is an object, not 7");
    let not_here = |sensor: i64| {
        refused(2, "SENSOR_NOT_IN_DEVICE", &format!("sensor {sensor} is not one of device 1"))
    };
    let mismatch = |index| {
        refused(index, "SENSOR_MISMATCH", "sensor_id: another sensor than this is the place for")
    };
    let [one, two, three, again, other, later] = [
        update(1, 1, &first),
        update(2, 2, &first),
        update(3, 3, &first),
        update(1, 1, &first),
        update(1, 4, &first),
        update(1, 5, &second),
    ];
    // From each stream in turn; what the one before stored is known to the next.
    let rows = [
        (
            0,
            "4,\"corrected\":1,\"replayed\":1",
            vec![no_object.clone()],
            vec![one, two, three, other.clone(), later],
        ),
        (
            1,
            "0,\"corrected\":2,\"replayed\":3",
            vec![not_here(3), no_object.clone()],
            vec![again.clone(), other.clone()],
        ),
        (
            2,
            "0,\"corrected\":2,\"replayed\":2",
            vec![mismatch(1), mismatch(2), no_object],
            vec![again, other],
        ),
    ];
    for (sender, counts, refused, expected) in rows {
        for more in ["", r#","id":"x""#] {
            if sender == 0 && !more.is_empty() {
                continue;
            }
            clients[sender]
                .send(&format!(r#"{{"type":"sensor_data_batch","readings":{readings}{more}}}"#));
            let report = format!(
                r#"{{"type":"sensor_data_batch:response","success":true,"data":{{"stored":{counts},"refused":[{}]}}{more}}}"#,
                refused.join(",")
            );
            assert_eq!(reported(&mut clients[sender], &report), expected, "{sender}");
            for at in (0..3).filter(|at| *at != sender) {
                let of_sensor = |frame: &&String| at != 2 || frame.contains(r#""sensor_id":1,"#);
                let of_device = |frame: &&String| at != 1 || !frame.contains(r#""sensor_id":3,"#);
                let expected: Vec<&String> =
                    expected.iter().filter(of_sensor).filter(of_device).collect();
                let heard = told(&mut clients[at]);
                assert_eq!(heard.iter().collect::<Vec<_>>(), expected, "{sender} {at}");
            }
        }
    }
}

#[test]
fn refusals_leave_the_connection_as_it_was() {
    let house = House::new().wakes();
    let code = |frame: &str| -> String {
        let told: Value = serde_json::from_str(frame).expect("frames are JSON");
        assert_eq!(told["type"], "error", "{frame}");
        told["code"].as_str().expect("it has a code").to_owned()
    };
    for (stream, sensor, other) in [
        (STREAMS[0], 1, "UNKNOWN_SENSOR"),
        (STREAMS[1], 2, "SENSOR_NOT_IN_DEVICE"),
        (STREAMS[3], 1, "SENSOR_MISMATCH"),
    ] {
        let foreign = if stream == STREAMS[0] { 99 } else { 3 };
        let mut client = house.opens(stream);
        for (message, expected) in [
            (sample(foreign, 1, &minute(1), ""), other),
            ("{".to_owned(), "INVALID_JSON"),
            ("null".to_owned(), "INVALID_JSON"),
            (r#"{"type":"sensor_data_update"}"#.to_owned(), "UNKNOWN_TYPE"),
            (r#"{"type":7}"#.to_owned(), "UNKNOWN_TYPE"),
            (r#"{"type":"states:get"}"#.to_owned(), "UNKNOWN_TYPE"),
            (r#"{"type":"sensor_data_batch"}"#.to_owned(), "INVALID"),
            (json!({ "type": "sensor_data_batch", "readings": [] }).to_string(), "INVALID"),
            (
                json!({ "type": "sensor_data_batch", "readings": vec![0; 501] }).to_string(),
                "INVALID",
            ),
            (sample(sensor, r#""x""#, &minute(1), ""), "INVALID_VALUE"),
        ] {
            assert_eq!(code(&client.ask(&message)), expected, "{stream} {message:.80}");
            is_alive(&mut client);
        }
        client.send(&sample(sensor, 1, &minute(9), ""));
        client.hears(&update(sensor, 1, &minute(9)));
    }
}

#[track_caller]
fn is_alive(client: &mut Client) {
    assert_eq!(client.ask(r#"{"type":"ping"}"#), r#"{"type":"pong"}"#);
}
