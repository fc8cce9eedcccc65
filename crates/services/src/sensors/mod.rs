//! Sensors and the devices that carry them: boards post readings, streams tell them at once, history answers
//! questions about months. docs/protocol.md has the frames.
//!
//! - A reading is a value at a time of the sensor's own; a sample that bears no time is stamped when it comes. What
//!   is known of a sensor is its newest reading by that time: what comes late is kept and told, and changes nothing
//!   else.
//! - The same reading twice is one; another value for the same time corrects it.
//! - A device is active from its first reading that is not late until all its sensors have been silent for their
//!   time; that is looked at when it is due, not when a reading comes.
//! - Whoever holds a token reads; a device posts for itself, admins for all, and so do guests where the service is open.
//! - Of a time of which only what readings came to is kept, none is taken any more.
//! - Readings are kept as rows until there are enough for a block, then packed, then as hours, then as days
//!   ([`history`]).

mod alarms;
mod contract;
mod devices;
mod dialect;
pub mod entities;
pub mod history;
mod ingest;
mod known;
mod places;
mod read;
pub mod rights;
mod sample;
mod seed;
mod sql;
mod status;
#[cfg(test)]
mod tests;
pub mod thin;

pub use contract::{Alarm, READINGS_MAX};
pub use seed::{SampleDevice, SampleSensor, add_readings, add_sample, is_empty};

use crate::kit::{Access, Meter, Payload, Route, Service, Spelling};

/// The name of this service.
pub const NAME: &str = "sensors";

/// All times are microseconds since 1970, spans of time are seconds.
///
/// - `devices`. `status_at`: since when it is what it is. `set_at`: when an admin set it active, or, while it was, left it
///   with sensors that were never heard; null: its readings, or nobody, set it.
/// - `sensors`: what admins set. `entity_id`: what it is called among home states. `alarm`: JSON, or null. `raw_days`,
///   `hourly_days`, `daily_days`: how long readings, values by the hour, and by the day are kept; null: for good.
/// - `sensor_latest`: what readings change: the newest by its own time (`stamped`: that was set here), when the
///   value became another (`changed_at`), when a reading that was on time came last (`heard_at`), and what its alarm
///   says (`alarm`: -1 below, 0 normal, 1 above; `alarm_at`: when one was raised last).
/// - `readings`: what is not packed yet. `delay`: how much later than its own time a reading came; null: it was
///   stamped when it came.
/// - `reading_blocks`: readings of one sensor from `from_at` to `upto_at`, packed, and what they come to. Blocks of a
///   sensor do not overlap; rows of `readings` in their span are later corrections or late.
/// - `reading_hours`, `reading_days`: what is left of older ones. Everything of a sensor before
///   `sensor_ends.raw_from` is in hours, before `hours_from` in days, before `days_from` gone.
/// - `sensors_gone`: sensors whose readings are still to be taken away.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE devices (
        device_id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        active INTEGER NOT NULL,
        status_at INTEGER NOT NULL,
        set_at INTEGER,
        created_at INTEGER NOT NULL
    );
    CREATE TABLE sensors (
        sensor_id INTEGER PRIMARY KEY,
        device_id INTEGER NOT NULL,
        sensor_type TEXT NOT NULL,
        unit TEXT NOT NULL,
        silence_s INTEGER NOT NULL,
        alarm TEXT,
        raw_days INTEGER,
        hourly_days INTEGER,
        daily_days INTEGER,
        entity_id TEXT NOT NULL UNIQUE,
        created_at INTEGER NOT NULL
    );
    CREATE INDEX sensors_of_device ON sensors (device_id, sensor_id);
    CREATE TABLE sensor_latest (
        sensor_id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        value REAL NOT NULL,
        stamped INTEGER NOT NULL,
        changed_at INTEGER NOT NULL,
        heard_at INTEGER,
        alarm INTEGER NOT NULL,
        alarm_at INTEGER
    );
    CREATE TABLE readings (
        sensor_id INTEGER NOT NULL,
        at INTEGER NOT NULL,
        value REAL NOT NULL,
        delay INTEGER,
        PRIMARY KEY (sensor_id, at)
    ) WITHOUT ROWID;
    CREATE TABLE reading_blocks (
        sensor_id INTEGER NOT NULL,
        from_at INTEGER NOT NULL,
        upto_at INTEGER NOT NULL,
        readings INTEGER NOT NULL,
        sum REAL NOT NULL,
        min REAL NOT NULL,
        max REAL NOT NULL,
        last REAL NOT NULL,
        packed BLOB NOT NULL,
        PRIMARY KEY (sensor_id, from_at)
    ) WITHOUT ROWID;
    CREATE TABLE reading_hours (
        sensor_id INTEGER NOT NULL,
        from_at INTEGER NOT NULL,
        readings INTEGER NOT NULL,
        sum REAL NOT NULL,
        min REAL NOT NULL,
        max REAL NOT NULL,
        last REAL NOT NULL,
        PRIMARY KEY (sensor_id, from_at)
    ) WITHOUT ROWID;
    CREATE TABLE reading_days (
        sensor_id INTEGER NOT NULL,
        from_at INTEGER NOT NULL,
        readings INTEGER NOT NULL,
        sum REAL NOT NULL,
        min REAL NOT NULL,
        max REAL NOT NULL,
        last REAL NOT NULL,
        PRIMARY KEY (sensor_id, from_at)
    ) WITHOUT ROWID;
    CREATE TABLE sensor_ends (
        sensor_id INTEGER PRIMARY KEY,
        raw_from INTEGER NOT NULL,
        hours_from INTEGER NOT NULL,
        days_from INTEGER NOT NULL
    );
    CREATE TABLE sensors_gone (sensor_id INTEGER PRIMARY KEY);
"];

/// Who sends too many readings is refused before anybody else has to wait.
const METER: Meter = Meter {
    what: "readings",
    weigh: |fields: &Payload| {
        let several = fields.get("readings").and_then(|readings| readings.as_array());
        several.map_or(1, |readings| u32::try_from(readings.len()).unwrap_or(u32::MAX))
    },
    per_second: |settings| settings.readings_per_second,
};

/// Raw readings are by `cursor`, buckets by `every` and `agg`.
const READINGS: &str = "/api/sensors/{sensor_id:int}/readings?from&to&every&agg&limit:int&cursor";

/// What this service offers.
pub fn service() -> Service {
    let service = Service::new(NAME, MIGRATIONS, sql::STATEMENTS)
        .statements(history::sql::STATEMENTS)
        .due(status::SILENCE, status::look)
        .event::<known::Update>(known::UPDATE, Spelling::Spread)
        .event::<known::DeviceStatus>("device_status", Spelling::Spread)
        .event::<alarms::SensorAlarm>("sensor_alarm", Spelling::Spread)
        .answers::<read::SensorsSnapshot>("sensors:snapshot")
        .answers::<dialect::Refused>("error")
        .field_names(sample::FIELD_NAMES)
        .topics(rights::TOPICS)
        .namespace("/sensors", rights::ALL, |_| false)
        .names(rights::named)
        .stream(places::ALL, dialect::DIALECT, Access::Caller, rights::topics)
        .options(rights::OPTIONS)
        .hears(rights::heard_of_all)
        .snapshot(read::snapshot_of_all)
        .lossy()
        .stream(places::DEVICE, dialect::DIALECT, Access::Caller, rights::topics)
        .options(rights::OPTIONS)
        .hears(rights::heard_of_device)
        .exists(read::device_exists)
        .snapshot(read::snapshot_of_device)
        .lossy()
        .stream(places::SENSOR, dialect::DIALECT, Access::Caller, rights::topics)
        .options(rights::OPTIONS)
        .hears(rights::heard_of_sensor)
        .exists(read::sensor_exists)
        .snapshot(read::snapshot_of_sensor)
        .lossy();
    reading_calls(device_calls(service))
}

/// What is done with readings.
fn reading_calls(service: Service) -> Service {
    service
        .command("sensor_data", Access::Caller, ingest::post)
        .command("sensor_data_batch", Access::Caller, ingest::post_all)
        .command("readings.create", Access::Caller, ingest::create)
        .metered("sensor_data", METER)
        .metered("sensor_data_batch", METER)
        .metered("readings.create", METER)
        .query("readings.list", Access::Caller, read::readings)
        .long("readings.list")
        .query("readings.latest", Access::Caller, read::latest)
        .rest("readings.create", Route::post("/api/readings").listed("readings"))
        .rest(
            "readings.create",
            Route::post("/api/sensors/{sensor_id:int}/readings")
                .listed("readings")
                .mismatch(places::mismatch),
        )
        .rest("readings.latest", Route::get("/api/readings?limit:int&cursor"))
        .rest("readings.list", Route::get(READINGS))
}

/// What is done with devices and sensors.
fn device_calls(service: Service) -> Service {
    service
        .command("devices.create", Access::Admin, devices::create_device)
        .command("devices.change", Access::Admin, devices::change_device)
        .command("devices.delete", Access::Admin, devices::delete_device)
        .command("sensors.create", Access::Admin, devices::create_sensor)
        .command("sensors.change", Access::Admin, devices::change_sensor)
        .command("sensors.delete", Access::Admin, devices::delete_sensor)
        .query("devices.list", Access::Caller, read::devices)
        .query("devices.get", Access::Caller, read::one_device)
        .query("sensors.list", Access::Caller, read::sensors)
        .query("sensors.get", Access::Caller, read::one_sensor)
        .rest("devices.list", Route::get("/api/devices?limit:int&cursor"))
        .rest("devices.create", Route::post("/api/devices"))
        .rest("devices.get", Route::get("/api/devices/{device_id:int}"))
        .rest("devices.change", Route::patch("/api/devices/{device_id:int}"))
        .rest("devices.delete", Route::delete("/api/devices/{device_id:int}"))
        .rest("sensors.list", Route::get("/api/sensors?device_id:int&limit:int&cursor"))
        .rest("sensors.create", Route::post("/api/sensors"))
        .rest("sensors.get", Route::get("/api/sensors/{sensor_id:int}"))
        .rest("sensors.change", Route::patch("/api/sensors/{sensor_id:int}"))
        .rest("sensors.delete", Route::delete("/api/sensors/{sensor_id:int}"))
}
