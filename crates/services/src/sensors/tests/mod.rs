//! What needs a database but no server: time that is at will, and what is due run at its time.
//!
//! | module | what is in it |
//! |---|---|
//! | `status` | when a device is active |
//! | `alarms` | when an alarm is raised, and when it ends |
//! | `snapshots` | what a stream shows first |
//! | `oracle` | all of it by chance, against an oracle |

mod alarms;
mod model;
mod oracle;
mod snapshots;
mod status;

use std::time::Duration;

use bellwire_store::sqlite::{Options, Write, Writer};
use serde_json::{Value, json};

use super::{contract::PostReading, devices, ingest, known, status as silence};
use crate::kit::{
    Ctx, Event, Fault, Ids, Micros, Outcome, Principal, Reply, Role, Settings, Tx, due, parse,
};

const SECOND: Micros = 1_000_000;
/// When a world begins.
const START: Micros = 1_700_000_000 * SECOND;

/// A database with all services, and the time in it.
struct World {
    writer: Writer,
    now: Micros,
    /// How many decisions there were: each has chance of its own.
    decisions: u64,
    _directory: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        let directory = tempfile::tempdir().expect("a directory");
        let mut options = Options::new(directory.path().join("test.db"), "e", 0);
        // However slow the machine is.
        options.command_time_max = Duration::from_secs(60);
        let migrations: Vec<_> = crate::all().iter().map(|service| service.migrations).collect();
        let writer = Writer::open(&options, &migrations).expect("it opens");
        World { writer, now: START, decisions: 0, _directory: directory }
    }

    /// Runs something in a transaction of its own, for an admin; gives the answer, and what was told.
    fn write<R: Send + 'static>(
        &mut self,
        run: impl Fn(&mut Tx<'_>, &Ctx<'_>) -> Result<Outcome<R>, Fault> + Send + 'static,
    ) -> Result<(R, Vec<Event>), Fault> {
        self.decisions += 1;
        let seed = [self.decisions.to_be_bytes(); 4].concat().try_into().expect("32 bytes");
        let now = self.now;
        let run = move |tx: &mut Tx<'_>| {
            let (settings, ids) = (Settings::default(), Ids::new(seed));
            let admin = Principal { role: Role::Admin, id: "tok_1".into(), ..Principal::nobody() };
            let principal = &admin;
            run(tx, &Ctx { now, principal, ids, settings: &settings, origin: "", place: None })
        };
        let write = Write { at: now, run: Box::new(run), to: () };
        let batch = self.writer.batch(vec![write]).expect("the disk is sound");
        let answer = batch.answers.into_iter().next().expect("one answer");
        let (reply, logged) = answer.result?.into_parts();
        Ok((reply, logged.iter().filter_map(|row| row.event.clone()).collect()))
    }

    /// Makes a device with sensors of these fields; gives their numbers, and the device's before them.
    fn device(&mut self, sensors: &[Value]) -> Vec<i64> {
        let name = format!("Device {}", self.decisions);
        let made = self.write(move |tx, ctx| {
            devices::create_device(tx, ctx, &parse(object(json!({ "name": name })))?)
        });
        let device = made.expect("a device is made").0.id.get();
        let mut numbers = vec![device];
        for sensor in sensors {
            numbers.push(self.sensor(device, sensor.clone()));
        }
        numbers
    }

    /// Makes a sensor with these fields; gives its number.
    fn sensor(&mut self, device: i64, sensor: Value) -> i64 {
        let mut fields = json!({ "device_id": device, "sensor_type": "temperature" });
        object_mut(&mut fields).extend(object(sensor));
        let made = self
            .write(move |tx, ctx| devices::create_sensor(tx, ctx, &parse(object(fields.clone()))?));
        made.expect("a sensor is made").0.id.get()
    }

    /// Posts one reading or several; gives the answer, and what is told.
    #[track_caller]
    fn post(&mut self, request: Value) -> (Value, Vec<String>) {
        let posted = self.write(move |tx, ctx| {
            let created = ingest::create(tx, ctx, &PostReading(object(request.clone())))?;
            let (reply, events, effects) =
                (created.reply.answer()?, created.events, created.effects);
            Ok(Outcome { reply: reply.json.get().to_owned(), events, effects })
        });
        let (reply, events) = posted.expect("it is taken");
        (serde_json::from_str(&reply).expect("a reply is JSON"), events.iter().map(told).collect())
    }

    /// Changes a sensor; gives what is told.
    #[track_caller]
    fn change_sensor(&mut self, request: Value) -> Vec<String> {
        let changed = self.write(move |tx, ctx| {
            devices::change_sensor(tx, ctx, &parse(object(request.clone()))?)
        });
        changed.expect("it is changed").1.iter().map(told).collect()
    }

    /// Says what a device is.
    #[track_caller]
    fn set(&mut self, device: i64, status: &str) -> Vec<String> {
        let request = json!({ "device_id": device, "status": status });
        let changed = self.write(move |tx, ctx| {
            devices::change_device(tx, ctx, &parse(object(request.clone()))?)
        });
        changed.expect("it is changed").1.iter().map(told).collect()
    }

    /// The time goes on to `to`, and what is due until then runs, each at its time; gives what is told, and when.
    fn pass_to(&mut self, to: Micros) -> Vec<(Micros, String)> {
        let mut heard = Vec::new();
        loop {
            let (earliest, _) = self
                .write(|tx, _| Ok(Outcome::reply(due::earliest(tx, [silence::SILENCE])?)))
                .expect("the store is sound");
            let Some(at) = earliest.filter(|at| *at <= to) else { break };
            self.now = self.now.max(at);
            let ran = self.write(|tx, ctx| {
                let row = due::next(tx, [silence::SILENCE], ctx.now, 1)?.remove(0);
                due::take(tx, row.kind, &row.key, ctx.now)?;
                silence::look(tx, ctx, &row.key)
            });
            let (_, events) = ran.expect("it runs");
            heard.extend(events.iter().map(|event| (self.now, told(event))));
        }
        self.now = to;
        heard
    }
}

fn object(value: Value) -> crate::kit::Payload {
    let Value::Object(fields) = value else { panic!("an object is needed, not {value}") };
    fields
}

fn object_mut(value: &mut Value) -> &mut crate::kit::Payload {
    value.as_object_mut().expect("an object is needed")
}

/// A line for what an event tells.
fn told(event: &Event) -> String {
    let [variant] = &event.variants[..] else { panic!("one payload for all: {event:?}") };
    let payload: Value = serde_json::from_str(variant.payload.get()).expect("payloads are JSON");
    let text = |key: &str| payload[key].as_str().unwrap_or_else(|| panic!("{key}: {payload}"));
    match &*event.name {
        known::UPDATE => {
            let late = if event.key.ends_with(known::LATE) { " late" } else { "" };
            format!("{}={} at {}{late}", payload["sensor_id"], payload["value"], text("timestamp"))
        }
        "device_status" => {
            format!("device {} {} at {}", payload["device_id"], text("status"), text("timestamp"))
        }
        "sensor_alarm" => {
            let (sensor, value) = (&payload["sensor_id"], &payload["value"]);
            format!("alarm {sensor} {}: {value}, {}", text("state"), payload["threshold"])
        }
        "state_changed" => format!("state {} {}", text("entity_id"), payload["new_state"]["state"]),
        "notification" => text("title").to_owned(),
        name => panic!("{name}"),
    }
}
