//! Devices, sensors and readings, as the program serves them. Frames are in `sensor_frames`.
//!
//! | module | what is in it |
//! |---|---|
//! | `rest` | devices and sensors: every route, what it answers, and what goes with what is taken away |
//! | `input` | what their fields may be |
//! | `readings` | what becomes of a reading that is posted, and what it may be |
//! | `history` | readings and buckets of them, asked later |
//! | `rights` | who may do what, and what an open house lets guests do |
//! | `limits` | a board that sends too much |
//! | `entities` | sensors as home states |
//! | `house` | a server with three sensors, and what is told of them |
//! | `live` | who hears what, in which order, and what is answered |
//! | `snapshots` | what a stream shows first, and that nothing falls between that and what follows |
//! | `resumes` | what was missed, over a break and over a restart |
//! | `thinned` | streams that tell what readings come to |
//! | `alarms` | alarms, on streams and in inboxes |
//! | `status` | when a device is heard, by the real clock |
//! | `boards` | boards that send and never read |
//! | `socketio` | the same over Socket.IO |
//! | `crash` | what was acknowledged survives SIGKILL |
//!
//! [`House`] is a server with its admin, and the few steps that most tests begin with.

mod alarms;
mod boards;
mod crash;
mod entities;
mod history;
mod house;
mod input;
mod limits;
mod live;
mod readings;
mod rest;
mod resumes;
mod rights;
mod snapshots;
mod socketio;
mod status;
mod thinned;

use serde_json::{Value, json};

use crate::{
    harness::{Ask, Client, Server, Token},
    sensor_frames::told,
};

/// A server, and an admin of it.
pub struct House {
    /// The server.
    pub server: Server,
    /// The text of an admin's token.
    pub admin: String,
}

impl House {
    /// On a new data directory, closed to guests.
    pub fn new() -> House {
        House::of(Server::start())
    }

    /// Of this server.
    pub fn of(server: Server) -> House {
        let admin = server.token("admin", &[]).text;
        House { server, admin }
    }

    /// With devices 1 to `devices`, `Device 1` and so on, each with one sensor of its number, whose readings are kept
    /// for good.
    pub fn with_sensors(devices: i64) -> House {
        let house = House::new();
        house.add_sensors(devices);
        house
    }

    /// Adds them.
    pub fn add_sensors(&self, devices: i64) {
        for id in 1..=devices {
            assert_eq!(self.device(&format!("Device {id}")), id);
            assert_eq!(self.sensor(id, "temperature"), id);
        }
    }

    /// Begins a request of the admin.
    pub fn ask(&self, method: &str, path: &str) -> Ask {
        self.server.ask(method, path).bearer(&self.admin)
    }

    /// Makes a device, and gives its number.
    #[track_caller]
    pub fn device(&self, name: &str) -> i64 {
        number(&self.ask("POST", "/api/devices").json(&json!({ "name": name })).expect(201))
    }

    /// Makes a sensor that keeps its readings for good, and gives its number.
    #[track_caller]
    pub fn sensor(&self, device_id: i64, sensor_type: &str) -> i64 {
        let kept = json!({ "raw_days": null, "hourly_days": null });
        let body = json!({
            "device_id": device_id, "sensor_type": sensor_type, "unit": "celsius", "retention": kept,
        });
        number(&self.ask("POST", "/api/sensors").json(&body).expect(201))
    }

    /// A token of a device.
    pub fn board(&self, device_id: i64) -> Token {
        self.server.token_of("device", &device_id.to_string(), &[])
    }

    /// Posts a reading, or several, as the admin.
    pub fn posts(&self, body: &Value) -> Ask {
        self.ask("POST", "/api/readings").json(body)
    }

    /// Raw readings of a sensor as far as they are on one page, or buckets.
    #[track_caller]
    pub fn readings(&self, sensor_id: i64, query: &str) -> Value {
        self.ask("GET", &format!("/api/sensors/{sensor_id}/readings{query}")).expect(200)
    }

    /// A connection that hears whatever happens from now on.
    #[track_caller]
    pub fn opens(&self, token: &str, path: &str) -> Client {
        let mut client = self.server.dial(path).bearer(token).open();
        assert_eq!(told(&mut client), [""; 0], "{path}");
        client
    }

    /// The same, of the admin, on the stream of everything.
    #[track_caller]
    pub fn listener(&self) -> Client {
        self.opens(&self.admin, "/ws/sensor-data/")
    }
}

/// The number of a thing.
#[track_caller]
pub fn number(thing: &Value) -> i64 {
    thing["id"].as_i64().unwrap_or_else(|| panic!("{thing}"))
}

/// The items of a page.
#[track_caller]
pub fn items(page: &Value) -> &Vec<Value> {
    page["items"].as_array().unwrap_or_else(|| panic!("{page}"))
}

/// All items of a list, asked for so many at a time.
#[track_caller]
pub fn pages(ask: impl Fn(&str) -> Value, limit: usize) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ask(&format!("limit={limit}{cursor}"));
        assert!(items(&page).len() <= limit, "{page}");
        found.extend(items(&page).iter().cloned());
        let Some(next) = page["next"].as_str() else { return found };
        assert_eq!(items(&page).len(), limit, "{page}");
        cursor = format!("&cursor={next}");
    }
}

/// What is told on a stream up to here, of one kind.
#[track_caller]
pub fn told_of(client: &mut Client, kind: &str) -> Vec<Value> {
    let told = told(client);
    let frames = told.iter().map(|text| serde_json::from_str(text).expect("frames are JSON"));
    frames.filter(|frame: &Value| frame["type"] == kind).collect()
}
