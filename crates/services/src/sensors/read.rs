//! Queries about devices, sensors and readings, and what a stream shows first.

use std::ops::ControlFlow;

use bellwire_store::tx::{Row, Statement, Value};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    alarms::{self, SensorAlarm},
    contract::{
        Device, ListDevices, ListReadings, ListSensors, OneDevice, OneSensor, Retention,
        SENSORS_OF_DEVICE_MAX, Sensor, Shortest, Status, Width,
    },
    history::{self, Bucket},
    known::{DeviceStatus, Known, Update, shown},
    places, sql,
    thin::Aggregate,
};
use crate::{
    kit::{
        Code, Ctx, Fault, Micros, Number, PAGE_LEN, PAGE_LEN_MAX, Page, Paging, Principal, ReadTx,
        SNAPSHOT_LEN_MAX, Said, timestamp, wrong_cursor,
    },
    states::EntityId,
};

fn device_of(row: &Row<'_>) -> Device {
    Device { id: number(row, 0), name: row.text(1), status: Status::of(row.integer(2) != 0) }
}

fn number(row: &Row<'_>, i: usize) -> Number {
    Number::new(row.integer(i)).expect("only such numbers are stored")
}

fn sensor_of(row: &Row<'_>) -> Sensor {
    let alarm = row.optional_text_ref(5);
    Sensor {
        id: number(row, 0),
        device_id: number(row, 1),
        sensor_type: row.text(2),
        unit: row.text(3),
        silence_s: row.integer(4),
        alarm: alarm.map(|json| serde_json::from_str(json).expect("alarms are stored as JSON")),
        retention: Retention {
            raw_days: row.optional_integer(6),
            hourly_days: row.optional_integer(7),
            daily_days: row.optional_integer(8),
        },
        entity_id: EntityId::parse(row.text_ref(9)).expect("only entity ids are stored"),
    }
}

/// The device of this number, if there is one.
pub(super) fn find_device(tx: &ReadTx<'_>, id: Number) -> Result<Option<Device>, Fault> {
    tx.one(sql::DEVICE, &[Value::Integer(id.get())], device_of)
}

/// The device of this number.
///
/// # Errors
/// [`Code::NotFound`].
pub(super) fn device(tx: &ReadTx<'_>, id: Number) -> Result<Device, Fault> {
    find_device(tx, id)?.ok_or_else(|| places::unknown_device(id))
}

/// The sensor of this number, if there is one.
pub(super) fn find_sensor(tx: &ReadTx<'_>, id: Number) -> Result<Option<Sensor>, Fault> {
    tx.one(sql::SENSOR, &[Value::Integer(id.get())], sensor_of)
}

/// The sensor of this number.
///
/// # Errors
/// [`Code::NotFound`].
pub(super) fn sensor(tx: &ReadTx<'_>, id: Number) -> Result<Sensor, Fault> {
    find_sensor(tx, id)?.ok_or_else(|| places::unknown_sensor(id))
}

/// The sensors of a device.
pub(super) fn sensors_of(tx: &ReadTx<'_>, id: Number) -> Result<Vec<Sensor>, Fault> {
    let all = [Value::Integer(id.get()), Value::Integer(0), Value::Integer(SENSORS_OF_DEVICE_MAX)];
    tx.all(sql::SENSORS_OF, &all, sensor_of)
}

/// `devices.get`.
pub fn one_device(tx: &ReadTx<'_>, _: &Ctx<'_>, query: &OneDevice) -> Result<Device, Fault> {
    device(tx, query.device_id)
}

/// `devices.list`.
pub fn devices(tx: &ReadTx<'_>, _: &Ctx<'_>, query: &ListDevices) -> Result<Page<Device>, Fault> {
    let (place, len) = place(&query.paging)?;
    let devices = tx.all(sql::DEVICES, &place, device_of)?;
    Ok(Page::of(devices, len, |device| device.id.to_string()))
}

/// Where a page begins, the rows that it is read with, and how many items it has.
fn place(paging: &Paging) -> Result<([Value<'static>; 2], usize), Fault> {
    let len = paging.page_len()?;
    let after = Value::Integer(paging.after()?.unwrap_or(0));
    Ok(([after, Value::Integer(len as i64 + 1)], len))
}

/// `sensors.get`.
pub fn one_sensor(tx: &ReadTx<'_>, _: &Ctx<'_>, query: &OneSensor) -> Result<Sensor, Fault> {
    sensor(tx, query.sensor_id)
}

/// `sensors.list`.
pub fn sensors(tx: &ReadTx<'_>, _: &Ctx<'_>, query: &ListSensors) -> Result<Page<Sensor>, Fault> {
    let (place, len) = place(&query.paging)?;
    let sensors = match query.device_id {
        None => tx.all(sql::SENSORS, &place, sensor_of)?,
        Some(id) => {
            let [after, most] = place;
            tx.all(sql::SENSORS_OF, &[Value::Integer(id.get()), after, most], sensor_of)?
        }
    };
    Ok(Page::of(sensors, len, |sensor| sensor.id.to_string()))
}

/// `readings.latest`: of each sensor that has one.
pub fn latest(
    tx: &ReadTx<'_>,
    _: &Ctx<'_>,
    query: &ListDevices,
) -> Result<Page<Update<'static>>, Fault> {
    let (place, len) = place(&query.paging)?;
    let all = tx.all(sql::ALL_KNOWN, &place, Known::of)?;
    let Page { items, next } = Page::of(all, len, |known| known.sensor_id.to_string());
    let shown = items.iter().filter_map(|known| known.latest_update().map(Update::into_owned));
    Ok(Page { items: shown.collect(), next })
}

/// Readings of a sensor, or what they come to.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Readings {
    /// As they came, the newest first.
    Raw(Page<RawReading>),
    /// In buckets, the oldest first.
    Buckets {
        /// What is told of each.
        items: Vec<BucketShown>,
        /// There is no other page.
        next: Option<String>,
        /// How wide they are, e.g. `5400s`.
        every: String,
    },
}

/// A reading as it came.
#[derive(Debug, Clone, Serialize)]
pub struct RawReading {
    value: Shortest,
    timestamp: String,
    received_at: String,
    #[serde(skip)]
    at: Micros,
}

/// A bucket, as it is shown.
#[derive(Debug, Serialize)]
pub struct BucketShown {
    timestamp: String,
    count: i64,
    #[serde(flatten)]
    values: Values,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Values {
    One { value: Shortest },
    All { min: Shortest, max: Shortest, avg: Shortest, last: Shortest },
}

/// The most buckets of an answer.
const BUCKETS_MAX: i64 = 10_000;
/// How many it has at the most unless it is said otherwise.
const BUCKETS: i64 = 1_000;
/// The widths that are chosen from, in seconds, where nobody says how wide.
const WIDTHS_S: [i64; 19] = [
    1,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1_800,
    3_600,
    5_400,
    7_200,
    10_800,
    21_600,
    43_200,
    86_400,
    7 * 86_400,
];

/// `readings.list`.
pub fn readings(tx: &ReadTx<'_>, ctx: &Ctx<'_>, query: &ListReadings) -> Result<Readings, Fault> {
    let sensor_id = query.sensor_id;
    sensor(tx, sensor_id)?;
    let micros = |time: jiff::Timestamp| time.as_microsecond();
    let (from, to) = (query.from.map(micros), query.to.map(micros));
    if query.every.is_none() && query.agg.is_none() {
        return raw(tx, query, from.unwrap_or(Micros::MIN), to.unwrap_or(Micros::MAX))
            .map(Readings::Raw);
    }
    if query.cursor.is_some() {
        return Err(Fault::new(Code::Invalid, "cursor: buckets have no pages"));
    }
    let limit = query.limit.unwrap_or(BUCKETS);
    if !(1..=BUCKETS_MAX).contains(&limit) {
        return Err(Fault::new(Code::Invalid, format!("limit: 1 to {BUCKETS_MAX}")));
    }
    // What is asked for without an end is what there is.
    let (oldest, newest) = history::span(tx, sensor_id.get())?.unwrap_or((ctx.now, ctx.now));
    let from = from.unwrap_or(oldest).max(oldest);
    let to = to.unwrap_or(newest + 1).min(newest + 1);
    let every = match query.every {
        Some(Width(every)) if count(from, to, every) <= limit => every,
        Some(_) => {
            let why = format!(
                "every: these are more than {limit} buckets; ask for wider ones, or a shorter time"
            );
            return Err(Fault::new(Code::Invalid, why));
        }
        None => narrowest(from, to, limit),
    };
    let agg = query.agg.unwrap_or(Aggregate::Avg);
    let buckets = match to > from {
        true => history::buckets(tx, sensor_id.get(), from, to, every, limit as usize)?,
        false => Vec::new(),
    };
    let items = buckets.iter().map(|bucket| bucket_shown(bucket, agg)).collect();
    Ok(Readings::Buckets { items, next: None, every: format!("{}s", every / 1_000_000) })
}

/// How many buckets lie between two times.
fn count(from: Micros, to: Micros, every: Micros) -> i64 {
    if to <= from { 0 } else { (to - 1).div_euclid(every) - from.div_euclid(every) + 1 }
}

/// The narrowest width of which a time has no more buckets than this. A time around 1970 has two, however wide they
/// are: buckets begin there.
fn narrowest(from: Micros, to: Micros, limit: i64) -> Micros {
    let mut widths = WIDTHS_S.iter().map(|s| s * 1_000_000);
    let fits = |every: &Micros| count(from, to, *every) <= limit;
    widths.find(fits).unwrap_or_else(|| {
        let week = 7 * 86_400 * 1_000_000;
        let widest = from.saturating_abs().max(to.saturating_abs());
        let mut every = week;
        while every <= widest && !fits(&every) {
            every += week;
        }
        every
    })
}

fn bucket_shown(bucket: &Bucket, agg: Aggregate) -> BucketShown {
    // A mean may be rounded, and a sum too large; no mean lies outside of what it is of.
    let avg = (bucket.sum / bucket.readings as f64).clamp(bucket.min, bucket.max);
    let one = |value: f64| Values::One { value: Shortest(value) };
    let values = match agg {
        Aggregate::Avg => one(avg),
        Aggregate::Min => one(bucket.min),
        Aggregate::Max => one(bucket.max),
        Aggregate::Last => one(bucket.last),
        Aggregate::Minmax => Values::All {
            min: Shortest(bucket.min),
            max: Shortest(bucket.max),
            avg: Shortest(avg),
            last: Shortest(bucket.last),
        },
    };
    BucketShown { timestamp: timestamp(bucket.from), count: bucket.readings, values }
}

fn raw(
    tx: &ReadTx<'_>,
    query: &ListReadings,
    from: Micros,
    to: Micros,
) -> Result<Page<RawReading>, Fault> {
    let limit = query.limit.unwrap_or(PAGE_LEN);
    if !(1..=PAGE_LEN_MAX).contains(&limit) {
        return Err(Fault::new(Code::Invalid, format!("limit: 1 to {PAGE_LEN_MAX}")));
    }
    let before: Micros = match &query.cursor {
        None => to,
        Some(cursor) => cursor.parse::<Micros>().map_err(|_| wrong_cursor())?.min(to),
    };
    let readings = history::before(tx, query.sensor_id.get(), from, before, limit as usize + 1)?;
    let shown = readings.iter().map(|reading| RawReading {
        value: Shortest(reading.value),
        timestamp: shown(reading.at, reading.is_stamped()),
        received_at: timestamp(reading.at + reading.delay.unwrap_or(0)),
        at: reading.at,
    });
    Ok(Page::of(shown.collect(), limit as usize, |reading| reading.at.to_string()))
}

/// What is known now of devices and sensors.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "a snapshot is written row by row, to a limit")]
pub(super) struct SensorsSnapshot<'a> {
    /// Devices, and what they are.
    devices: Vec<DeviceStatus<'a>>,
    /// The newest reading of each sensor that has one.
    data: Vec<Update<'a>>,
    /// The alarms that are raised.
    alarms: Vec<SensorAlarm<'a>>,
}

/// What a stream shows first: devices and what they are, sensors and their newest readings, and alarms that are raised.
#[derive(Default)]
struct Snapshot {
    devices: String,
    readings: String,
    alarms: String,
}

impl Snapshot {
    fn add(list: &mut String, payload: &str) {
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(payload);
    }

    fn add_reading(&mut self, known: &Known) {
        if let Some(update) = known.latest_update() {
            let json = serde_json::to_string(&update).expect("texts and numbers serialise");
            Self::add(&mut self.readings, &json);
        }
        if let Some(alarm) = alarms::raised(known) {
            Self::add(&mut self.alarms, &alarm);
        }
    }

    fn add_device(&mut self, row: &Row<'_>) {
        let device = device_of(row);
        let event =
            super::known::device_status(device.id, &device.name, device.status, row.integer(3));
        Self::add(&mut self.devices, event.variants[0].payload.get());
    }

    fn is_full(&self) -> bool {
        self.devices.len() + self.readings.len() + self.alarms.len() > SNAPSHOT_LEN_MAX
    }

    fn said(self) -> Result<Said, Fault> {
        if self.is_full() {
            let why = "the snapshot is over 1 MiB: ask for single devices, or GET /api/readings";
            return Err(Fault::new(Code::Invalid, why));
        }
        let Snapshot { devices, readings, alarms } = self;
        let payload =
            format!(r#"{{"devices":[{devices}],"data":[{readings}],"alarms":[{alarms}]}}"#);
        Ok(Said { event: "sensors:snapshot".to_owned(), payload })
    }
}

/// Adds what a statement finds, as long as there is room.
fn each(
    tx: &ReadTx<'_>,
    statement: Statement,
    params: &[Value<'_>],
    snapshot: &mut Snapshot,
    add: impl Fn(&mut Snapshot, &Row<'_>),
) -> Result<(), Fault> {
    tx.each(statement, params, |row| {
        add(snapshot, row);
        if snapshot.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

/// The snapshot of everything.
pub(super) fn snapshot_of_all(
    tx: &ReadTx<'_>,
    _: &Principal,
    _: Option<i64>,
) -> Result<Said, Fault> {
    let mut snapshot = Snapshot::default();
    let all = [Value::Integer(0), Value::Integer(i64::MAX)];
    each(tx, sql::DEVICES, &all, &mut snapshot, Snapshot::add_device)?;
    each(tx, sql::ALL_KNOWN, &all, &mut snapshot, |snapshot, row| {
        snapshot.add_reading(&Known::of(row));
    })?;
    snapshot.said()
}

/// The snapshot of a device.
pub(super) fn snapshot_of_device(
    tx: &ReadTx<'_>,
    _: &Principal,
    place: Option<i64>,
) -> Result<Said, Fault> {
    let mut snapshot = Snapshot::default();
    let device = [Value::Integer(place.unwrap_or_default())];
    each(tx, sql::DEVICE, &device, &mut snapshot, Snapshot::add_device)?;
    each(tx, sql::KNOWN_OF, &device, &mut snapshot, |snapshot, row| {
        snapshot.add_reading(&Known::of(row));
    })?;
    snapshot.said()
}

/// The snapshot of a sensor: it says nothing of its device, of which its stream tells nothing either.
pub(super) fn snapshot_of_sensor(
    tx: &ReadTx<'_>,
    _: &Principal,
    place: Option<i64>,
) -> Result<Said, Fault> {
    let mut snapshot = Snapshot::default();
    let sensor = [Value::Integer(place.unwrap_or_default())];
    each(tx, sql::KNOWN, &sensor, &mut snapshot, |snapshot, row| {
        snapshot.add_reading(&Known::of(row));
    })?;
    snapshot.said()
}

/// Whether there is a device of this number.
///
/// # Errors
/// [`Code::NotFound`].
pub(super) fn device_exists(tx: &ReadTx<'_>, id: i64) -> Result<(), Fault> {
    device(tx, Number::new(id).ok_or_else(|| places::unknown_device(id))?).map(drop)
}

/// Whether there is a sensor of this number.
///
/// # Errors
/// [`Code::NotFound`].
pub(super) fn sensor_exists(tx: &ReadTx<'_>, id: i64) -> Result<(), Fault> {
    sensor(tx, Number::new(id).ok_or_else(|| places::unknown_sensor(id))?).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_as_narrow_as_they_may_be() {
        const S: Micros = 1_000_000;
        let check = |span_s: i64, limit: i64, every_s: i64| {
            let from = 1_700_000_000 * S;
            let from = from - from.rem_euclid(7 * 86_400 * S);
            assert_eq!(
                narrowest(from, from + span_s * S, limit),
                every_s * S,
                "{span_s} s in {limit}"
            );
        };
        check(1, 1, 1);
        check(1_000, 1_000, 1);
        check(1_001, 1_000, 5);
        check(30 * 86_400, 500, 5_400);
        // They begin with 1970: that year is in two of 53 weeks.
        check(365 * 86_400, 1, 61 * 7 * 86_400);
        // However wide they are, some times have two.
        assert_eq!(count(-S, S, narrowest(-S, S, 1)), 2);
        let years = 9_000 * 366 * 86_400 * S;
        assert_eq!(count(-years, years, narrowest(-years, years, 1)), 2);
        assert_eq!(count(-years, -1, narrowest(-years, -1, 1)), 1);
        assert_eq!(count(0, 0, S), 0);
        assert_eq!(count(-1, 1, S), 2);
        assert_eq!(count(0, S, S), 1);
        assert_eq!(count(S - 1, S + 1, S), 2);
    }
}
