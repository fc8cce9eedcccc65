//! Devices and sensors that are there from the start: the demo's.

use bellwire_store::tx::Value;

use super::{
    contract::{Alarm, Device, Retention, SILENCE_S, Sensor, Status},
    devices, entities,
    history::{self, Reading},
    known::{Known, Latest},
    read, sql,
};
use crate::kit::{Fault, Micros, Number, ReadTx, Tx};

/// A day in microseconds.
const DAY: Micros = 86_400 * 1_000_000;

/// A sample device, whose numbers are known to the documents' clients.
#[derive(Debug, Clone, Copy)]
pub struct SampleDevice {
    /// Its number.
    pub device: i64,
    /// What people call it.
    pub name: &'static str,
    /// Its sensors.
    pub sensors: &'static [SampleSensor],
}

/// A sample sensor.
#[derive(Debug, Clone, Copy)]
pub struct SampleSensor {
    /// Its number.
    pub sensor: i64,
    /// What it measures.
    pub sensor_type: &'static str,
    /// In what.
    pub unit: &'static str,
    /// For how many days its readings are kept as they came; `None`: for good.
    pub raw_days: Option<i64>,
    /// When it raises an alarm.
    pub alarm: Option<Alarm>,
}

/// Adds a sample device and its sensors, as far as they are not there. Gives the numbers of those sensors that are the
/// sample's now: somebody may have given a number to another device or sensor since.
///
/// # Errors
/// The store's.
///
/// # Panics
/// If a number of the sample is none: they are constants.
pub fn add_sample(tx: &mut Tx<'_>, now: Micros, sample: &SampleDevice) -> Result<Vec<i64>, Fault> {
    let mut samples = Vec::new();
    let id = number(sample.device);
    // One that is called otherwise may be another.
    let is_sample = match read::find_device(tx, id)? {
        Some(device) => device.name == sample.name,
        None => {
            let device = Device { id, name: sample.name.to_owned(), status: Status::Inactive };
            devices::insert_device(tx, &device, now)?;
            true
        }
    };
    for SampleSensor { sensor, sensor_type, unit, raw_days, alarm } in sample.sensors {
        let sensor_id = number(*sensor);
        if let Some(there) = read::find_sensor(tx, sensor_id)? {
            let is_same = there.device_id == id && there.sensor_type == *sensor_type;
            samples.extend(is_same.then_some(*sensor));
            continue;
        }
        // One that was deleted comes back when its readings have gone, at the start after that.
        if !is_sample || tx.one(sql::IS_GOING, &[Value::Integer(*sensor)], |_| ())?.is_some() {
            continue;
        }
        let retention =
            Retention { raw_days: *raw_days, hourly_days: None, ..Retention::default() };
        let sensor = Sensor {
            id: sensor_id,
            device_id: id,
            sensor_type: (*sensor_type).to_owned(),
            unit: (*unit).to_owned(),
            silence_s: SILENCE_S,
            alarm: *alarm,
            retention,
            entity_id: entities::free_id(tx, sample.name, sensor_type)?,
        };
        devices::insert_sensor(tx, &sensor, now)?;
        samples.push(sensor_id.get());
    }
    Ok(samples)
}

fn number(number: i64) -> Number {
    Number::new(number).expect("a sample has numbers from 1 on")
}

/// Gives a sample sensor readings of before: the next `most` of a series, without a word to anyone. Says whether there
/// are more.
///
/// The series, which is in order of time, is moved by whole days so that it ends in the last day before the sensor was
/// made. One that was begun goes on where it stopped. What the sensor has measured since stays.
///
/// # Errors
/// The store's.
///
/// # Panics
/// If the number is none.
pub fn add_readings(
    tx: &mut Tx<'_>,
    sensor: i64,
    series: &[(Micros, f64)],
    most: usize,
) -> Result<bool, Fault> {
    let Some(mut known) = Known::find(tx, number(sensor))? else { return Ok(false) };
    let Some((moved_by, from)) = place(tx, &known, series)? else { return Ok(false) };
    let upto = series.len().min(from.saturating_add(most));
    for &(at, value) in &series[from..upto] {
        let reading = Reading { at: at + moved_by, value, delay: Some(0) };
        let latest_at = known.latest.map(|latest| latest.at);
        history::keep(tx, sensor, &reading, latest_at)?;
        if latest_at.is_none_or(|latest_at| latest_at < reading.at) {
            known.latest = Some(Latest {
                at: reading.at,
                value,
                is_stamped: false,
                changed_at: reading.at,
                heard_at: None,
                alarm: 0,
                alarm_at: None,
            });
        }
    }
    known.keep_latest(tx)?;
    Ok(upto < series.len())
}

/// How far a series is moved, and how much of it is there already; `None`: there is nothing to do.
fn place(
    tx: &ReadTx<'_>,
    known: &Known,
    series: &[(Micros, f64)],
) -> Result<Option<(Micros, usize)>, Fault> {
    let (Some((first, _)), Some((last, _))) = (series.first(), series.last()) else {
        return Ok(None);
    };
    let sensor = known.sensor_id.get();
    // Some of it has been there so long that it was summed up.
    if history::raw_from(tx, sensor)? != Micros::MIN {
        return Ok(None);
    }
    let moved_by = (known.created_at - last).div_euclid(DAY) * DAY;
    let there = history::before(tx, sensor, first + moved_by, last + moved_by + 1, 1)?;
    let there = there.first().map_or(Micros::MIN, |reading| reading.at);
    Ok(Some((moved_by, series.partition_point(|(at, _)| at + moved_by <= there))))
}

/// Whether there are no devices.
///
/// # Errors
/// The store's.
pub fn is_empty(tx: &ReadTx<'_>) -> Result<bool, Fault> {
    let first = tx.one(sql::DEVICES, &[0, 1].map(Value::Integer), |_| ())?;
    Ok(first.is_none())
}
