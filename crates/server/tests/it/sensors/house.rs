//! A house with two devices: the first has sensors 1 and 2, the second sensor 3. They keep readings for good, so that
//! their times may be any.

use serde_json::{Value, json};

use crate::{
    areas::patiently,
    harness::{Ask, Client, Dial, Server},
};

/// The streams of everything, of each device, and of each sensor.
pub const STREAMS: [&str; 6] = [
    "/ws/sensor-data/",
    "/ws/device/1/",
    "/ws/device/2/",
    "/ws/sensor/1/",
    "/ws/sensor/2/",
    "/ws/sensor/3/",
];

/// A server, and an admin of it.
pub struct House {
    pub server: Server,
    pub admin: String,
}

impl House {
    /// On a new data directory.
    pub fn new() -> House {
        House::of(Server::start())
    }

    /// Of this server, which has no devices yet.
    pub fn of(server: Server) -> House {
        House::with(server, &json!({}))
    }

    /// The same; each sensor has these fields too.
    pub fn with(server: Server, fields: &Value) -> House {
        let admin = server.token("admin", &[]).text;
        let house = House { server, admin };
        for (device, sensors) in [(1, &[1, 2][..]), (2, &[3])] {
            let made =
                house.ask("POST", "/api/devices").json(&json!({ "name": device_name(device) }));
            assert_eq!(made.expect(201)["id"], device);
            for &sensor in sensors {
                let mut wanted = json!({
                    "device_id": device,
                    "sensor_type": "temperature",
                    "unit": "celsius",
                    "retention": { "raw_days": null, "hourly_days": null },
                });
                let fields = fields.as_object().expect("fields").clone();
                wanted.as_object_mut().expect("an object").extend(fields);
                let made = house.ask("POST", "/api/sensors").json(&wanted).expect(201);
                assert_eq!(made["id"], sensor);
            }
        }
        house
    }

    /// Begins a request of the admin.
    pub fn ask(&self, method: &str, path: &str) -> Ask {
        self.server.ask(method, path).bearer(&self.admin)
    }

    /// Both devices are active from now on, whatever comes, for five minutes at the least.
    pub fn wakes(self) -> House {
        for device in 1..=2 {
            let body = json!({ "status": "active" });
            self.ask("PATCH", &format!("/api/devices/{device}")).json(&body).expect(200);
        }
        self
    }

    /// Begins a connection of the admin.
    pub fn dial(&self, path: &str) -> Dial {
        self.server.dial(path).bearer(&self.admin)
    }

    /// A connection of the admin that hears whatever happens from now on.
    #[track_caller]
    pub fn opens(&self, path: &str) -> Client {
        let mut client = self.dial(path).open();
        assert_eq!(told(&mut client), [""; 0], "{path}");
        client
    }

    /// The same with cursors, so that it is told each event, whatever there is to read.
    #[track_caller]
    pub fn follows(&self, path: &str) -> Client {
        let mut client = self.dial(&format!("{path}?since=now")).open();
        let resumed = client.text();
        assert!(resumed.starts_with(r#"{"type":"resumed","cursor":""#), "{path}: {resumed}");
        client
    }

    /// The token of a board.
    pub fn board(&self, device: i64) -> String {
        let wanted = json!({ "role": "device", "subject": device.to_string(), "ttl": 3_600 });
        let made = self.server.operate("tokens.create", wanted).expect("a token is made");
        made["token"].as_str().expect("a token has a text").to_owned()
    }

    /// The admin posts a reading, at a time of its own if there is one.
    #[track_caller]
    pub fn post(&self, sensor: i64, value: f64, timestamp: Option<&str>) -> Value {
        let mut body = json!({ "value": value });
        if let Some(timestamp) = timestamp {
            body["timestamp"] = timestamp.into();
        }
        let path = format!("/api/sensors/{sensor}/readings");
        let answer = self.ask("POST", &path).json(&body).send();
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        answer.json()
    }

    /// The admin posts readings of sensors, many at once; all are taken.
    #[track_caller]
    pub fn post_all(&self, readings: &[(i64, f64)]) {
        // As many as machines that are slow take in together.
        const TOGETHER: usize = 100;
        for some in readings.chunks(TOGETHER) {
            let item =
                |&(sensor, value): &(i64, f64)| json!({ "sensor_id": sensor, "value": value });
            let all: Vec<Value> = some.iter().map(item).collect();
            let report = patiently(&self.ask("POST", "/api/readings").json(&json!(all))).json();
            assert_eq!(report["stored"], some.len(), "{report}");
        }
    }

    /// The newest value of a sensor.
    pub fn newest(&self, sensor: i64) -> Option<f64> {
        let latest = self.ask("GET", "/api/readings").expect(200);
        let mut items = latest["items"].as_array().expect("a page has items").iter();
        items.find(|item| item["sensor_id"] == sensor)?["value"].as_f64()
    }

    /// The server is killed, and another goes on.
    pub fn killed(self) -> House {
        House { server: self.server.kill_and_restart(), admin: self.admin }
    }
}

fn device_name(device: i64) -> String {
    format!("Hydroponic System {device}")
}

/// The device of a sensor.
pub fn device_of(sensor: i64) -> i64 {
    if sensor == 3 { 2 } else { 1 }
}

/// A reading as it is told.
pub fn payload(sensor: i64, value: impl std::fmt::Display, timestamp: &str) -> String {
    let device = device_of(sensor);
    let name = device_name(device);
    format!(
        r#"{{"sensor_id":{sensor},"sensor_type":"temperature","device_id":{device},"device_name":"{name}","value":{value},"unit":"celsius","timestamp":"{timestamp}"}}"#
    )
}

/// `sensor_data_update` as plain streams have it.
pub fn update(sensor: i64, value: impl std::fmt::Display, timestamp: &str) -> String {
    typed("sensor_data_update", &payload(sensor, value, timestamp))
}

/// An object with its type before everything else.
pub fn typed(name: &str, payload: &str) -> String {
    payload.replacen('{', &format!(r#"{{"type":"{name}","#), 1)
}

/// `sensor_data`, with further fields behind it: `,"id":7`.
pub fn sample(sensor: i64, value: impl std::fmt::Display, timestamp: &str, more: &str) -> String {
    format!(
        r#"{{"type":"sensor_data","sensor_id":{sensor},"value":{value},"timestamp":"{timestamp}"{more}}}"#
    )
}

/// Everything that is told up to here: a sample of a sensor that nobody has is refused by the writer, so its answer
/// comes behind the events of all that was stored before.
#[track_caller]
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

/// Takes the cursor, the last key, off what is told.
#[track_caller]
pub fn split(frame: &str) -> (String, String) {
    let (before, cursor) = frame.split_once(r#","cursor":""#).unwrap_or_else(|| panic!("{frame}"));
    let cursor = cursor.strip_suffix(r#""}"#).expect("the cursor stands last");
    (format!("{before}}}"), cursor.to_owned())
}

/// A frame with `T` for its times, each of which must be one in whole seconds.
#[track_caller]
pub fn untimed(frame: &str) -> String {
    const KEY: &str = r#""timestamp":""#;
    let mut rest = frame;
    let mut shown = String::new();
    while let Some((before, after)) = rest.split_once(KEY) {
        let (time, after) = after.split_once('"').expect("a time ends");
        assert!(time.len() == 20 && time.ends_with('Z'), "{frame}");
        shown += &format!("{before}{KEY}T\"");
        rest = after;
    }
    shown + rest
}
