//! What is known of a sensor when a reading of it comes.

use std::borrow::Cow;

use bellwire_store::tx::{Row, Value};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{
    contract::{Alarm, Shortest, Status},
    sql,
};
use crate::{
    kit::{
        Event, Fault, Micros, Number, Overflow, ReadTx, Topic, Tx, Variant, timestamp,
        timestamp_exact,
    },
    states::EntityId,
};

/// A sensor, its device, and what its readings came to so far.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub sensor_id: Number,
    pub device_id: Number,
    pub device_name: String,
    /// Whether the device is active.
    pub is_active: bool,
    pub sensor_type: String,
    pub unit: String,
    pub alarm: Option<Alarm>,
    pub entity_id: EntityId,
    pub created_at: Micros,
    pub latest: Option<Latest>,
}

/// The newest reading of a sensor by its own time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Latest {
    pub at: Micros,
    pub value: f64,
    /// Whether it was stamped here.
    pub is_stamped: bool,
    /// When the value became another.
    pub changed_at: Micros,
    /// When the last reading came that was not late.
    pub heard_at: Option<Micros>,
    /// What the alarm says: -1 below, 0 normal, 1 above.
    pub alarm: i64,
    /// When it was raised last.
    pub alarm_at: Option<Micros>,
}

impl Known {
    /// The sensor of this number.
    pub fn find(tx: &ReadTx<'_>, sensor_id: Number) -> Result<Option<Known>, Fault> {
        tx.one(sql::KNOWN, &[Value::Integer(sensor_id.get())], Known::of)
    }

    /// A row of one of the statements that select all of it.
    pub fn of(row: &Row<'_>) -> Known {
        let latest = row.optional_integer(9).map(|at| Latest {
            at,
            value: row.real(10),
            is_stamped: row.integer(11) != 0,
            changed_at: row.integer(12),
            heard_at: row.optional_integer(13),
            alarm: row.integer(14),
            alarm_at: row.optional_integer(15),
        });
        let number = |i| Number::new(row.integer(i)).expect("only such numbers are stored");
        let alarm = row.optional_text_ref(6);
        Known {
            sensor_id: number(0),
            device_id: number(1),
            device_name: row.text(2),
            is_active: row.integer(3) != 0,
            sensor_type: row.text(4),
            unit: row.text(5),
            alarm: alarm.map(|json| serde_json::from_str(json).expect("alarms are stored as JSON")),
            entity_id: EntityId::parse(row.text_ref(7)).expect("only entity ids are stored"),
            created_at: row.integer(8),
            latest,
        }
    }

    /// Writes down what readings changed.
    pub fn keep_latest(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        let Some(latest) = &self.latest else { return Ok(()) };
        let optional = |value: Option<i64>| value.map_or(Value::Null, Value::Integer);
        let row = [
            Value::Integer(self.sensor_id.get()),
            Value::Integer(latest.at),
            Value::Real(latest.value),
            Value::Integer(latest.is_stamped.into()),
            Value::Integer(latest.changed_at),
            optional(latest.heard_at),
            Value::Integer(latest.alarm),
            optional(latest.alarm_at),
        ];
        tx.execute(sql::KEEP_LATEST, &row).map(drop)
    }

    /// A reading as it is told and shown.
    pub fn update(&self, value: f64, at: Micros, is_stamped: bool) -> Update<'_> {
        Update {
            sensor_id: self.sensor_id,
            sensor_type: Cow::Borrowed(&self.sensor_type),
            device_id: self.device_id,
            device_name: Cow::Borrowed(&self.device_name),
            value: Shortest(value),
            unit: Cow::Borrowed(&self.unit),
            timestamp: Cow::Owned(shown(at, is_stamped)),
            min: None,
            max: None,
        }
    }

    /// Its newest reading, as it is shown.
    pub fn latest_update(&self) -> Option<Update<'_>> {
        self.latest.map(|latest| self.update(latest.value, latest.at, latest.is_stamped))
    }

    /// `device_status` of its device.
    pub fn status(&self, status: Status, at: Micros) -> Event {
        device_status(self.device_id, &self.device_name, status, at)
    }
}

/// The time of a reading as it is written: what it was given, or whole seconds.
pub(super) fn shown(at: Micros, is_stamped: bool) -> String {
    if is_stamped { timestamp(at) } else { timestamp_exact(at) }
}

/// The event that tells a reading.
pub(super) const UPDATE: &str = "sensor_data_update";
/// What its key begins with, before the sensor's number,
pub(super) const KEY: &str = "sensor/";
/// and ends with if the reading came late.
pub(super) const LATE: &str = "/late";

/// A reading of a sensor, or what the readings of an interval came to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "SensorDataUpdate")]
pub struct Update<'a> {
    /// Of which sensor.
    pub(super) sensor_id: Number,
    /// What it measures, e.g. `temperature`.
    pub(super) sensor_type: Cow<'a, str>,
    /// The device that carries it.
    pub(super) device_id: Number,
    /// What people call that.
    pub(super) device_name: Cow<'a, str>,
    /// The value; of an interval, its aggregate.
    pub(super) value: Shortest,
    /// In what it is measured, e.g. `celsius`; may be empty.
    pub(super) unit: Cow<'a, str>,
    /// When it was measured, RFC 3339 in UTC; of an interval, when that began.
    pub(super) timestamp: Cow<'a, str>,
    /// The least value of the interval; only with `agg=minmax`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Shortest")]
    pub(super) min: Option<Shortest>,
    /// The greatest value of the interval; only with `agg=minmax`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Shortest")]
    pub(super) max: Option<Shortest>,
}

impl Update<'_> {
    /// The same without a hold on what is known.
    pub fn into_owned(self) -> Update<'static> {
        Update {
            sensor_type: Cow::Owned(self.sensor_type.into_owned()),
            device_name: Cow::Owned(self.device_name.into_owned()),
            unit: Cow::Owned(self.unit.into_owned()),
            timestamp: Cow::Owned(self.timestamp.into_owned()),
            ..self
        }
    }

    /// The event that tells it. Of late ones another is the newest, which they must not stand for.
    pub(super) fn event(&self, is_late: bool) -> Event {
        let late = if is_late { LATE } else { "" };
        let topics = vec![
            Topic::Borrowed("sensors"),
            Topic::Owned(format!("device/{}", self.device_id)),
            Topic::Owned(format!("sensor/{}", self.sensor_id)),
        ];
        let key = format!("{KEY}{}{late}", self.sensor_id);
        event(UPDATE, key, topics, Overflow::Latest, self)
    }
}

/// A device is heard again, or not any more.
#[derive(Serialize, JsonSchema)]
pub(super) struct DeviceStatus<'a> {
    /// Which device.
    device_id: Number,
    /// What people call it.
    device_name: &'a str,
    /// Whether it is heard.
    status: Status,
    /// Since when, RFC 3339 in UTC.
    timestamp: String,
}

/// `device_status`.
pub(super) fn device_status(id: Number, name: &str, status: Status, at: Micros) -> Event {
    let topics = vec![
        Topic::Borrowed("sensors"),
        Topic::Owned(format!("device/{id}")),
        Topic::Borrowed("statuses"),
        Topic::Owned(format!("statuses/device/{id}")),
    ];
    let payload =
        DeviceStatus { device_id: id, device_name: name, status, timestamp: timestamp(at) };
    event("device_status", format!("device/{id}"), topics, Overflow::Latest, &payload)
}

/// An event with one payload for all of its audience.
pub(super) fn event(
    name: &'static str,
    key: String,
    topics: Vec<Topic>,
    overflow: Overflow,
    payload: &impl Serialize,
) -> Event {
    let payload: Box<RawValue> = to_raw_value(payload).expect("texts and numbers serialise");
    let variants = vec![Variant { topics, payload }];
    Event { name: name.into(), key, except: Vec::new(), variants, overflow }
}
