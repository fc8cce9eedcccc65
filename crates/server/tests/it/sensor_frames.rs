//! The frames of document 002, byte for byte, on its three streams.

use serde_json::{Value, json};

use crate::harness::{Client, Server};

const STREAMS: [&str; 3] = ["/ws/sensor-data/", "/ws/device/1/", "/ws/sensor/1/"];
/// The document's example of what comes in,
const IN: &str =
    r#"{"type":"sensor_data","sensor_id":1,"value":25.5,"timestamp":"2025-09-11T15:30:00Z"}"#;
/// and of what goes out.
const OUT: &str = r#"{"type":"sensor_data_update","sensor_id":1,"sensor_type":"temperature","device_id":1,"device_name":"Hydroponic System 1","value":25.5,"unit":"celsius","timestamp":"2025-09-11T15:30:00Z"}"#;

/// A server with two devices of a sensor each. They keep readings for good, so that the document's time may be any.
struct House {
    server: Server,
    admin: String,
}

impl House {
    fn new() -> House {
        let server = Server::start();
        let admin = server.token("admin", &[]).text;
        let house = House { server, admin };
        for device in 1..=2 {
            let name = format!("Hydroponic System {device}");
            house.makes("/api/devices", &json!({ "name": name }), device);
            let kept = json!({ "raw_days": null, "hourly_days": null });
            let sensor = json!({
                "device_id": device, "sensor_type": "temperature", "unit": "celsius", "retention": kept,
            });
            house.makes("/api/sensors", &sensor, device);
        }
        house
    }

    fn makes(&self, path: &str, body: &Value, id: i64) {
        let made = self.server.ask("POST", path).bearer(&self.admin).json(body).expect(201);
        assert_eq!(made["id"], id, "{made}");
    }

    /// A connection of the admin that hears whatever happens from now on.
    fn opens(&self, path: &str) -> Client {
        let mut client = self.server.dial(path).bearer(&self.admin).open();
        assert_eq!(told(&mut client), [""; 0], "{path}");
        client
    }
}

/// Everything that is told up to here: a sample of a sensor that nobody has is refused by the writer, so its answer
/// comes behind the events of all that was stored before. Each has its place, so that none is taken for another's.
pub fn told(client: &mut Client) -> Vec<String> {
    client.send(r#"{"type":"sensor_data","sensor_id":9007199254740991,"value":0,"id":"fence"}"#);
    let mut told = Vec::new();
    loop {
        let text = client.text();
        if text.starts_with(r#"{"type":"error""#) && text.ends_with(r#","id":"fence"}"#) {
            return told;
        }
        told.push(text);
    }
}

/// A frame without the server's own time.
fn untimed(frame: &str) -> &str {
    let (frame, time) = frame.split_once(r#","timestamp":""#).expect("it has a time");
    assert!(time.len() == r#"2025-09-11T15:30:00Z"}"#.len() && time.ends_with(r#"Z"}"#), "{time}");
    frame
}

#[test]
fn a_reading_and_what_it_says_of_its_device() {
    let house = House::new();
    let mut clients = STREAMS.map(|path| house.opens(path));
    let mut others = ["/ws/device/2/", "/ws/sensor/2/"].map(|path| house.opens(path));
    let active = r#"{"type":"device_status","device_id":1,"device_name":"Hydroponic System 1","status":"active""#;
    // The sender hears its own, as the others do. A sensor's stream does not tell of its device.
    clients[0].send(IN);
    let heard = told(&mut clients[0]);
    let [update, status] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!((update.as_str(), untimed(status)), (OUT, active));
    assert_eq!(told(&mut clients[1]), [OUT, status]);
    assert_eq!(told(&mut clients[2]), [OUT]);
    for other in &mut others {
        assert_eq!(told(other), [""; 0]);
    }

    // The same again is known: its sender alone is told so.
    clients[2].send(IN);
    assert_eq!(told(&mut clients[2]), [OUT]);
    assert_eq!(told(&mut clients[0]), [""; 0]);
    assert_eq!(told(&mut clients[1]), [""; 0]);

    // Another value of that time, and numbers and times as they are written.
    for (value, written, timestamp) in [
        ("26", "26", "2025-09-11T15:30:00Z"),
        ("25.0", "25", "2025-09-11T15:30:01Z"),
        ("-0.0", "0", "2025-09-11T15:30:02.25Z"),
        ("2.5e1", "25", "2025-09-11T15:30:03Z"),
        ("0.1", "0.1", "2025-09-11T15:29:00Z"),
    ] {
        clients[1].send(&IN.replace("25.5", value).replace("2025-09-11T15:30:00Z", timestamp));
        let update = OUT.replace("25.5", written).replace("2025-09-11T15:30:00Z", timestamp);
        for client in [1, 0, 2] {
            assert_eq!(told(&mut clients[client]), [update.as_str()], "{value} {timestamp}");
        }
    }

    // Without a time it is the server's; with an id it is answered.
    clients[0].send(r#"{"type":"sensor_data","sensor_id":1,"value":25.5}"#);
    let heard = told(&mut clients[0]);
    assert_eq!(heard.iter().map(|frame| untimed(frame)).collect::<Vec<_>>(), [untimed(OUT)]);
    clients[0].send(&IN.replace("15:30:00", "15:31:00").replace("\"value\"", "\"id\":7,\"value\""));
    let update = OUT.replace("15:30:00", "15:31:00");
    let payload = update.replace(r#""type":"sensor_data_update","#, "");
    let reply =
        format!(r#"{{"type":"sensor_data:response","success":true,"data":{payload},"id":7}}"#);
    let mut heard = told(&mut clients[0]);
    heard.sort();
    assert_eq!(heard, [reply, update]);
}

#[test]
fn what_an_admin_sets_a_device_to() {
    let house = House::new();
    let mut clients = STREAMS.map(|path| house.opens(path));
    for status in ["active", "inactive"] {
        let change = json!({ "status": status });
        house.server.ask("PATCH", "/api/devices/1").bearer(&house.admin).json(&change).expect(200);
        let frame = format!(
            r#"{{"type":"device_status","device_id":1,"device_name":"Hydroponic System 1","status":"{status}""#
        );
        let heard = told(&mut clients[0]);
        assert_eq!(heard.iter().map(|frame| untimed(frame)).collect::<Vec<_>>(), [frame.as_str()]);
        assert_eq!(told(&mut clients[1]), heard);
        assert_eq!(told(&mut clients[2]), [""; 0]);
    }
}

/// Sends a message on a stream; it must be answered by exactly this error, and with its id if it has one.
#[track_caller]
fn refused(client: &mut Client, message: &str, words: &str, code: &str) {
    let error = |id: &str| {
        format!(r#"{{"type":"error","message":{},"code":"{code}"{id}}}"#, Value::from(words))
    };
    assert_eq!(client.ask(message), error(""), "{message}");
    if let Some(fields) = message.strip_prefix(r#"{"type":"sensor_data","#) {
        let message = format!(r#"{{"type":"sensor_data","id":"seven",{fields}"#);
        assert_eq!(client.ask(&message), error(r#","id":"seven""#), "{message}");
    }
}

fn sample(fields: &str) -> String {
    format!(r#"{{"type":"sensor_data",{fields}}}"#)
}

/// Nothing was stored.
#[track_caller]
fn has_nothing(house: &House) {
    let latest = house.server.ask("GET", "/api/readings").bearer(&house.admin).expect(200);
    assert_eq!(latest["items"], json!([]));
}

#[test]
fn who_may_not_post() {
    let house = House::new();
    let device = json!({ "role": "device", "subject": "2", "ttl": 3_600 });
    let device = house.server.operate("tokens.create", device).expect("a token is made");
    let device = device["token"].as_str().expect("a token has a text").to_owned();
    let mut board = house.server.dial(STREAMS[0]).bearer(&device).open();
    let user = house.server.token("user", &[]).text;
    let mut user = house.server.dial(STREAMS[0]).bearer(&user).open();
    let not_theirs = "this credential may not post for that sensor's device";
    refused(&mut board, IN, not_theirs, "FORBIDDEN");
    refused(&mut user, IN, not_theirs, "FORBIDDEN");
    has_nothing(&house);
}

#[test]
fn readings_that_are_refused() {
    let house = House::new();
    let mut all = house.opens(STREAMS[0]);
    for (message, words, code) in [
        (sample(r#""sensor_id":3,"value":1"#), "Sensor not found: 3", "UNKNOWN_SENSOR"),
        (
            sample(r#""sensor_id":0,"value":1"#),
            "sensor_id: a whole number from 1 on is needed",
            "INVALID_SENSOR_ID",
        ),
        (
            sample(r#""value":1"#),
            "sensor_id: a whole number from 1 on is needed",
            "INVALID_SENSOR_ID",
        ),
        (
            sample(r#""sensor_id":"1","value":1"#),
            "sensor_id: a whole number from 1 on is needed",
            "INVALID_SENSOR_ID",
        ),
        (sample(r#""sensor_id":1"#), "value: a finite number is needed", "INVALID_VALUE"),
        (
            sample(r#""sensor_id":1,"value":"25.5""#),
            "value: a finite number is needed",
            "INVALID_VALUE",
        ),
        (
            sample(r#""sensor_id":1,"value":null"#),
            "value: a finite number is needed",
            "INVALID_VALUE",
        ),
        (
            sample(r#""sensor_id":1,"value":1,"timestamp":"yesterday""#),
            "timestamp: not a time with its zone, e.g. 2025-09-11T15:30:00Z",
            "INVALID_TIMESTAMP",
        ),
        (
            sample(r#""sensor_id":1,"value":1,"timestamp":"2025-09-11T15:30:00""#),
            "timestamp: not a time with its zone, e.g. 2025-09-11T15:30:00Z",
            "INVALID_TIMESTAMP",
        ),
        (
            sample(r#""sensor_id":1,"value":1,"timestamp":"9025-09-11T15:30:00Z""#),
            "timestamp: more than 5 minutes ahead of the server's clock",
            "INVALID_TIMESTAMP",
        ),
    ] {
        refused(&mut all, &message, words, code);
    }
    // The connection is as it was.
    assert_eq!(told(&mut all), [""; 0]);
    has_nothing(&house);
}

/// What the protocol refuses, and a stream that the reading is not of, have words of their own.
#[test]
fn messages_that_are_refused() {
    let house = House::new();
    let [mut all, mut of_device, mut of_sensor] = STREAMS.map(|path| house.opens(path));
    let other = sample(r#""sensor_id":2,"value":1"#);
    let mut check = |stream: usize, message: &str, code: &str| {
        let client = [&mut all, &mut of_device, &mut of_sensor].into_iter().nth(stream);
        let client = client.expect("there are three");
        let frame = client.ask(message);
        let told: Value = serde_json::from_str(&frame).expect("frames are JSON");
        let shape = format!(r#"{{"type":"error","message":{},"code":"{code}"}}"#, told["message"]);
        assert_eq!(frame, shape, "{message}");
        assert!(told["message"].as_str().is_some_and(|words| !words.is_empty()), "{frame}");
        // The connection is as it was.
        assert_eq!(self::told(client), [""; 0]);
    };
    for stream in 0..STREAMS.len() {
        check(stream, "not json", "INVALID_JSON");
        check(stream, "[]", "INVALID_JSON");
        let twice = sample(r#""sensor_id":1,"sensor_id":1,"value":1"#);
        check(stream, &twice, "INVALID_JSON");
        check(stream, r#"{"sensor_id":1,"value":1}"#, "UNKNOWN_TYPE");
        check(stream, r#"{"type":"sensor_dat","sensor_id":1,"value":1}"#, "UNKNOWN_TYPE");
        check(stream, &sample(r#""sensor_id":1,"value":1e400"#), "INVALID_VALUE");
    }
    check(1, &other, "SENSOR_NOT_IN_DEVICE");
    check(2, &other, "SENSOR_MISMATCH");
    has_nothing(&house);
}
