//! Requests and replies about devices, sensors and readings.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{
    kit::{Label, Micros, Number, Paging, Payload, present},
    states::EntityId,
};

/// The longest name of a device, in characters.
pub const NAME_CHARS_MAX: usize = 128;
/// The longest type of a sensor, in characters.
pub const TYPE_CHARS_MAX: usize = 64;
/// The longest unit, in characters.
pub const UNIT_CHARS_MAX: usize = 32;
/// The most sensors of a device: they go with it in one transaction.
pub const SENSORS_OF_DEVICE_MAX: i64 = 256;
/// The most readings that are posted together.
pub const READINGS_MAX: usize = 500;
/// How long a sensor may be silent, in seconds, unless it is said otherwise.
pub const SILENCE_S: i64 = 300;
/// The longest that can be said: a year.
pub const SILENCE_S_MAX: i64 = 366 * 86_400;
/// For how long an alarm is not raised again, in seconds, unless it is said otherwise.
pub const HOLD_OFF_S: i64 = 60;
/// The longest that something is kept, other than for good, in days.
pub const DAYS_MAX: i64 = 36_500;

/// What people call a device.
pub type Name = Label<NAME_CHARS_MAX>;
/// What a sensor measures, e.g. `temperature`.
pub type SensorType = Label<TYPE_CHARS_MAX>;

/// In what it measures, e.g. `celsius`; empty if that has no name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Unit(pub(super) String);

impl<'de> Deserialize<'de> for Unit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text.is_empty() || Label::<UNIT_CHARS_MAX>::parse(&text).is_some() {
            return Ok(Unit(text));
        }
        let words = format!(
            "at most {UNIT_CHARS_MAX} characters, none a control character or blank at an end"
        );
        Err(D::Error::custom(words))
    }
}

/// Whether a device is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Status {
    /// It is.
    Active,
    /// All of its sensors have been silent for their time.
    Inactive,
}

impl Status {
    pub(super) fn of(is_active: bool) -> Status {
        if is_active { Status::Active } else { Status::Inactive }
    }

    pub(super) fn is_active(self) -> bool {
        self == Status::Active
    }
}

/// A device.
#[derive(Debug, Clone, Serialize)]
pub struct Device {
    /// Its number.
    pub id: Number,
    /// What people call it.
    pub name: String,
    /// Whether it is heard.
    pub status: Status,
}

/// A sensor.
#[derive(Debug, Clone, Serialize)]
pub struct Sensor {
    /// Its number.
    pub id: Number,
    /// The device that carries it.
    pub device_id: Number,
    /// What it measures.
    pub sensor_type: String,
    /// In what.
    pub unit: String,
    /// After so many seconds without a reading it counts as silent.
    pub silence_s: i64,
    /// When it raises an alarm, if ever.
    pub alarm: Option<Alarm>,
    /// How long its readings are kept.
    pub retention: Retention,
    /// What it is called among home states.
    pub entity_id: EntityId,
}

/// When a sensor raises an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "AlarmFields")]
pub struct Alarm {
    /// Values over this raise it.
    #[serde(serialize_with = "optional")]
    pub above: Option<f64>,
    /// Values under this do.
    #[serde(serialize_with = "optional")]
    pub below: Option<f64>,
    /// It ends when the value is back by this much.
    #[serde(serialize_with = "shortest")]
    pub hysteresis: f64,
    /// Once raised, it is not raised again for so many seconds.
    pub hold_off_s: i64,
}

fn shortest<S: serde::Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
    Shortest(*value).serialize(to)
}

fn optional<S: serde::Serializer>(value: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
    value.map(Shortest).serialize(to)
}

#[derive(Deserialize)]
struct AlarmFields {
    above: Option<f64>,
    below: Option<f64>,
    #[serde(default, deserialize_with = "present")]
    hysteresis: Option<f64>,
    #[serde(default, deserialize_with = "present")]
    hold_off_s: Option<i64>,
}

impl TryFrom<AlarmFields> for Alarm {
    type Error = &'static str;

    fn try_from(fields: AlarmFields) -> Result<Self, Self::Error> {
        let AlarmFields { above, below, hysteresis, hold_off_s } = fields;
        let (hysteresis, hold_off_s) =
            (hysteresis.unwrap_or(0.0), hold_off_s.unwrap_or(HOLD_OFF_S));
        let is_split =
            above.zip(below).is_none_or(|(above, below)| below + hysteresis < above - hysteresis);
        match () {
            () if above.is_none() && below.is_none() => Err("above or below is needed"),
            () if hysteresis < 0.0 => Err("hysteresis: 0 or more"),
            () if !(0..=SILENCE_S_MAX).contains(&hold_off_s) => {
                Err("hold_off_s: from 0 seconds to a year")
            }
            () if !is_split => Err("above must be over below, by more than twice the hysteresis"),
            () => Ok(Alarm { above, below, hysteresis, hold_off_s }),
        }
    }
}

/// How long readings are kept, in days; `null`: for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Retention {
    /// As they came.
    pub raw_days: Option<i64>,
    /// By the hour.
    pub hourly_days: Option<i64>,
    /// By the day.
    pub daily_days: Option<i64>,
}

impl Default for Retention {
    fn default() -> Self {
        Retention { raw_days: Some(730), hourly_days: Some(3_650), daily_days: None }
    }
}

/// A change of that: absent fields stay.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct ChangeRetention {
    #[serde(default, deserialize_with = "present")]
    raw_days: Option<Option<i64>>,
    #[serde(default, deserialize_with = "present")]
    hourly_days: Option<Option<i64>>,
    #[serde(default, deserialize_with = "present")]
    daily_days: Option<Option<i64>>,
}

impl ChangeRetention {
    /// What is kept after this change of `old`, or why not.
    pub(super) fn apply(self, old: Retention) -> Result<Retention, String> {
        let new = Retention {
            raw_days: self.raw_days.unwrap_or(old.raw_days),
            hourly_days: self.hourly_days.unwrap_or(old.hourly_days),
            daily_days: self.daily_days.unwrap_or(old.daily_days),
        };
        let all = [new.raw_days, new.hourly_days, new.daily_days];
        if all.iter().flatten().any(|days| !(1..=DAYS_MAX).contains(days)) {
            return Err(format!("retention: 1 to {DAYS_MAX} days, or null"));
        }
        let [raw, hourly, daily] = all.map(|days| days.unwrap_or(i64::MAX));
        if raw > hourly || hourly > daily {
            return Err("retention: values by the hour are kept as long as readings or longer, by the day as \
                        long as by the hour or longer"
                .to_owned());
        }
        Ok(new)
    }
}

/// `devices.list`.
#[derive(Debug, Clone, Deserialize)]
pub struct ListDevices {
    /// Which page.
    #[serde(flatten)]
    pub paging: Paging,
}

/// `devices.get`, `devices.delete`.
#[derive(Debug, Clone, Deserialize)]
pub struct OneDevice {
    /// Which.
    pub device_id: Number,
}

/// `devices.create`.
#[derive(Debug, Clone, Deserialize)]
pub struct CreateDevice {
    /// What people call it.
    pub name: Name,
    /// Whether it counts as heard; absent: it does not.
    #[serde(default, deserialize_with = "present")]
    pub status: Option<Status>,
}

/// `devices.change`: absent fields stay.
#[derive(Debug, Clone, Deserialize)]
pub struct ChangeDevice {
    /// Which.
    pub device_id: Number,
    /// What people call it.
    #[serde(default, deserialize_with = "present")]
    pub name: Option<Name>,
    /// Whether it counts as heard, until its sensors say otherwise.
    #[serde(default, deserialize_with = "present")]
    pub status: Option<Status>,
}

/// `sensors.list`.
#[derive(Debug, Clone, Deserialize)]
pub struct ListSensors {
    /// Of this device alone.
    #[serde(default, deserialize_with = "present")]
    pub device_id: Option<Number>,
    /// Which page.
    #[serde(flatten)]
    pub paging: Paging,
}

/// `sensors.get`, `sensors.delete`.
#[derive(Debug, Clone, Deserialize)]
pub struct OneSensor {
    /// Which.
    pub sensor_id: Number,
}

/// `sensors.create`.
#[derive(Debug, Clone, Deserialize)]
pub struct CreateSensor {
    /// The device that carries it.
    pub device_id: Number,
    /// What it measures.
    pub sensor_type: SensorType,
    /// In what.
    #[serde(default = "no_unit")]
    pub unit: Unit,
    /// After so many seconds without a reading it counts as silent.
    #[serde(default, deserialize_with = "present")]
    pub silence_s: Option<i64>,
    /// When it raises an alarm.
    #[serde(default)]
    pub alarm: Option<Alarm>,
    /// How long its readings are kept.
    #[serde(default)]
    pub retention: ChangeRetention,
}

fn no_unit() -> Unit {
    Unit(String::new())
}

/// `sensors.change`: absent fields stay.
#[derive(Debug, Clone, Deserialize)]
pub struct ChangeSensor {
    /// Which.
    pub sensor_id: Number,
    /// What it measures.
    #[serde(default, deserialize_with = "present")]
    pub sensor_type: Option<SensorType>,
    /// In what.
    #[serde(default, deserialize_with = "present")]
    pub unit: Option<Unit>,
    /// After so many seconds without a reading it counts as silent.
    #[serde(default, deserialize_with = "present")]
    pub silence_s: Option<i64>,
    /// When it raises an alarm; `null`: never.
    #[serde(default, deserialize_with = "present")]
    pub alarm: Option<Option<Alarm>>,
    /// How long its readings are kept.
    #[serde(default)]
    pub retention: ChangeRetention,
}

/// `sensor_data`: a reading as it is posted. What is wrong with it has a code for each field, so the fields are
/// read by the decision.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct PostReading(pub Payload);

/// `sensor_data_batch`: several of them.
#[derive(Debug, Clone, Deserialize)]
pub struct PostReadings {
    /// Of this sensor, unless they say which.
    #[serde(default, deserialize_with = "present")]
    pub sensor_id: Option<Number>,
    /// The readings.
    pub readings: Vec<serde_json::Value>,
}

/// `readings.list`.
#[derive(Debug, Clone, Deserialize)]
pub struct ListReadings {
    /// Of which sensor.
    pub sensor_id: Number,
    /// Those at this time or later.
    #[serde(default, deserialize_with = "present")]
    pub from: Option<jiff::Timestamp>,
    /// Those before this time.
    #[serde(default, deserialize_with = "present")]
    pub to: Option<jiff::Timestamp>,
    /// In buckets so wide.
    #[serde(default, deserialize_with = "present")]
    pub every: Option<Width>,
    /// What is told of a bucket.
    #[serde(default, deserialize_with = "present")]
    pub agg: Option<super::thin::Aggregate>,
    /// At most so many readings or buckets.
    #[serde(default, deserialize_with = "present")]
    pub limit: Option<i64>,
    /// `next` of the page before.
    #[serde(default, deserialize_with = "present")]
    pub cursor: Option<String>,
}

/// How wide a bucket is: a whole number of seconds, written as a number and a unit, e.g. `90m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Width(pub(super) Micros);

impl Width {
    /// The widest, in seconds.
    const S_MAX: i64 = 366 * 86_400;
    /// The units, in seconds.
    const UNITS: [(&'static str, i64); 4] = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];

    fn parse(text: &str) -> Option<Width> {
        let unit = Self::UNITS.iter().find_map(|(unit, s)| Some((text.strip_suffix(unit)?, s)));
        let (digits, unit_s) =
            unit.filter(|(digits, _)| digits.bytes().all(|b| b.is_ascii_digit()))?;
        let s = digits.parse::<i64>().ok()?.checked_mul(*unit_s)?;
        (1..=Self::S_MAX).contains(&s).then_some(Width(s * 1_000_000))
    }
}

impl<'de> Deserialize<'de> for Width {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Width::parse(&text)
            .ok_or_else(|| D::Error::custom("a number of s, m, h or d, from 1s to 366d, e.g. 90m"))
    }
}

/// A number as JSON has it at its shortest: 25, not 25.0.
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema)]
#[schemars(inline, transparent)]
pub struct Shortest(pub f64);

impl Shortest {
    /// Whole numbers to here are exact, and written as such.
    const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
}

impl Serialize for Shortest {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && self.0.abs() <= Self::WHOLE_MAX {
            to.serialize_i64(self.0 as i64)
        } else {
            to.serialize_f64(self.0)
        }
    }
}

impl std::fmt::Display for Shortest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&serde_json::to_string(self).expect("a number is JSON"))
    }
}
