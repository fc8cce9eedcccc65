//! What is due at a time: a battery that is held and a device that is heard, and how often their ends were told.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::machine::Machine;
use crate::{
    harness::{Ask, Client, Dial, Got, until},
    process::{self, ANY_PORT, Process},
};

/// How long it is listened for what need not come.
const SHORT: Duration = Duration::from_millis(20);

/// A server on a machine, with one user, one battery and one device.
pub struct Due {
    folder: TempDir,
    hold_s: u64,
    /// The server.
    pub server: Process,
    /// An admin's token.
    pub admin: String,
    user: String,
    /// They hear of the device, and of the user's bookings.
    ears: [Ear; 2],
}

/// Who listens, over restarts too, and counts ends.
struct Ear {
    path: &'static str,
    client: Option<Client>,
    cursor: String,
    heard: usize,
}

impl Due {
    /// With holds of so many seconds, and a device that is silent after so many.
    pub fn new(machine: &Machine, hold_s: u64, silence_s: u64) -> Due {
        let folder = tempfile::tempdir().expect("a directory can be made");
        let admin = process::token(folder.path(), "admin", 10 * 365 * 86_400);
        let server = serve(machine, &folder, hold_s);
        let ears = ["/ws/device/1/", "/ws/notifications/"].map(|path| Ear {
            path,
            client: None,
            cursor: "now".to_owned(),
            heard: 0,
        });
        let mut due = Due { folder, hold_s, server, admin, user: String::new(), ears };
        due.post("/api/users", json!({ "username": "books", "role": "user" }));
        let token = json!({ "role": "user", "subject": "2", "ttl": 10 * 365 * 86_400 });
        let made = due.post("/api/tokens", token);
        due.user = made["token"].as_str().expect("it has a text").to_owned();
        due.post("/api/stations", json!({ "name": "Downtown" }));
        due.post("/api/stations/1/batteries", json!({ "name": "Battery", "model": "B1" }));
        due.post("/api/devices", json!({ "name": "Cellar" }));
        let sensor = json!({
            "device_id": 1, "sensor_type": "temperature", "unit": "celsius", "silence_s": silence_s,
        });
        due.post("/api/sensors", sensor);
        due.listens();
        due
    }

    /// The battery is held and the device is heard, from now on.
    pub fn begins(&mut self) {
        let path = "/api/stations/1/bookings";
        Ask::new(self.server.address(), "POST", path)
            .bearer(&self.user)
            .json(&json!({}))
            .expect(201);
        self.post("/api/readings", json!({ "sensor_id": 1, "value": 1 }));
    }

    /// Both ends were told, so many times in all; and there is no more.
    #[track_caller]
    pub fn is_told(&mut self, times: usize) {
        until(&format!("both ends are told {times} times"), || {
            let heard = self.hears();
            assert!(heard.iter().all(|told| *told <= times), "{heard:?} of {times}");
            heard == [times; 2]
        });
        let page = Ask::new(self.server.address(), "GET", "/api/notifications?limit=1000");
        let page = page.bearer(&self.user).expect(200);
        let items = page["items"].as_array().expect("a page has items");
        let expired = items.iter().filter(|item| item["type"] == "booking_expired").count();
        assert_eq!(expired, times, "{page}");
        let device = self.get("/api/devices/1");
        assert_eq!(device["status"], if times == 0 { "active" } else { "inactive" });
    }

    /// Neither end was told beyond so many times: the battery is held, and the device counts as heard.
    #[track_caller]
    pub fn is_under_way(&mut self, times: usize) {
        let booked = self.get("/api/stations/1")["booked_batteries"].clone();
        assert_eq!(
            (booked, self.get("/api/devices/1")["status"].clone()),
            (1.into(), "active".into())
        );
        assert_eq!(self.hears(), [times; 2]);
    }

    /// Ends the server, and starts another once the machine was changed.
    pub fn restart(&mut self, machine: &Machine, change: impl FnOnce()) {
        self.server.kill();
        change();
        self.server = serve(machine, &self.folder, self.hold_s);
        self.listens();
    }

    /// Ends the server, and takes away what the log has, all but the newest rows, as if many had come since.
    pub fn forgets(&mut self, but: i64) {
        self.server.kill();
        let log = rusqlite::Connection::open(self.folder.path().join("bellwire.db"));
        let log = log.expect("nobody has it");
        let gone = "DELETE FROM log WHERE log_offset <= (SELECT max(log_offset) FROM log) - ?1";
        let gone = log.execute(gone, [but]).expect("it can be written");
        assert!(gone > 0);
        self.ears.iter_mut().for_each(|ear| "now".clone_into(&mut ear.cursor));
    }

    /// What a GET shows an admin.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        Ask::new(self.server.address(), "GET", path).bearer(&self.admin).expect(200)
    }

    /// Makes something as an admin.
    #[track_caller]
    pub fn post(&self, path: &str, body: Value) -> Value {
        let address = self.server.address();
        Ask::new(address, "POST", path).bearer(&self.admin).json(&body).expect(201)
    }

    fn listens(&mut self) {
        for (ear, token) in self.ears.iter_mut().zip([&self.admin, &self.user]) {
            let path = format!("{}?since={}", ear.path, ear.cursor);
            let mut client = Dial::new(self.server.address(), &path).bearer(token).open();
            let greeting: Value = serde_json::from_str(&client.text()).expect("it is JSON");
            assert_eq!(greeting["type"], "resumed", "{greeting}");
            if ear.cursor == "now" {
                ear.cursor = greeting["cursor"].as_str().expect("it has a place").to_owned();
            }
            ear.client = Some(client);
        }
    }

    /// How many ends each has heard of: of silences, and of holds.
    fn hears(&mut self) -> [usize; 2] {
        for ear in &mut self.ears {
            let client = ear.client.as_mut().expect("it listens");
            while let Some(got) = client.next_within(SHORT) {
                let Got::Text(text) = got else { panic!("{}: {got:?}", ear.path) };
                let event: Value = serde_json::from_str(&text).expect("events are JSON");
                // A greeting has none.
                event["cursor"]
                    .as_str()
                    .into_iter()
                    .for_each(|place| place.clone_into(&mut ear.cursor));
                let ends = event["title"] == "Booking expired"
                    || event["type"] == "device_status" && event["status"] == "inactive";
                ear.heard += usize::from(ends);
            }
        }
        [0, 1].map(|at| self.ears[at].heard)
    }
}

fn serve(machine: &Machine, folder: &TempDir, hold_s: u64) -> Process {
    let mut program = machine.program();
    program.env("BELLWIRE_STATIONS__HOLD", format!("{hold_s}s"));
    Process::serve_by(program, folder.path(), ANY_PORT, &[])
}
