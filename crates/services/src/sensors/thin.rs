//! What thinned streams tell: instead of each reading, once per interval and sensor what the readings came to.
//!
//! - An interval begins at a multiple of its length since 1970, by the server's time. A reading counts in the interval
//!   in which it was stored, whatever its own time says; one that came late ([`LATE`]) counts in none.
//! - What is told looks like the update of a reading: the newest reading's names, with `value` an [`Aggregate`] and
//!   `timestamp` the interval's start. A sensor without readings in an interval is not told.
//! - A correction counts as a reading.
//!
//! Nothing here knows the time: an [`Accumulator`] takes readings in, and gives out what they came to when it is told
//! that the interval is over.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;
use serde_json::value::to_raw_value;

use super::{
    contract::Shortest,
    known::{KEY, LATE, UPDATE, Update},
};
use crate::kit::{Event, Micros, Number, Overflow, Topic, Variant, timestamp};

/// What the topics of thinned streams begin with.
const EVERY: &str = "every/";

/// The length of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Every {
    /// A second.
    Second,
    /// 5 seconds.
    FiveSeconds,
    /// 10 seconds.
    TenSeconds,
    /// A minute.
    Minute,
    /// 5 minutes.
    FiveMinutes,
    /// An hour.
    Hour,
}

impl Every {
    /// All of them, the shortest first.
    pub const ALL: [Every; 6] = [
        Every::Second,
        Every::FiveSeconds,
        Every::TenSeconds,
        Every::Minute,
        Every::FiveMinutes,
        Every::Hour,
    ];

    /// Reads what [`Every::name`] gives, and nothing else.
    pub fn parse(name: &str) -> Option<Every> {
        Every::ALL.into_iter().find(|every| every.name() == name)
    }

    /// As clients write it: `1s`, `5m`.
    pub fn name(self) -> &'static str {
        match self {
            Every::Second => "1s",
            Every::FiveSeconds => "5s",
            Every::TenSeconds => "10s",
            Every::Minute => "1m",
            Every::FiveMinutes => "5m",
            Every::Hour => "1h",
        }
    }

    /// How long it is, in microseconds.
    pub fn micros(self) -> Micros {
        let seconds = match self {
            Every::Second => 1,
            Every::FiveSeconds => 5,
            Every::TenSeconds => 10,
            Every::Minute => 60,
            Every::FiveMinutes => 300,
            Every::Hour => 3_600,
        };
        seconds * 1_000_000
    }

    /// When the interval began that `at` is in. It is over [`Every::micros`] later.
    pub fn start_of(self, at: Micros) -> Micros {
        at - at.rem_euclid(self.micros())
    }
}

/// What the readings of an interval come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aggregate {
    /// Their mean; each counts the same.
    #[default]
    Avg,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The one that came last.
    Last,
    /// The one that came last, and beside it the least and the greatest.
    Minmax,
}

impl Aggregate {
    /// All of them.
    pub const ALL: [Aggregate; 5] =
        [Aggregate::Avg, Aggregate::Min, Aggregate::Max, Aggregate::Last, Aggregate::Minmax];

    /// Reads what [`Aggregate::name`] gives, and nothing else.
    pub fn parse(name: &str) -> Option<Aggregate> {
        Aggregate::ALL.into_iter().find(|aggregate| aggregate.name() == name)
    }

    /// As clients write it.
    pub fn name(self) -> &'static str {
        match self {
            Aggregate::Avg => "avg",
            Aggregate::Min => "min",
            Aggregate::Max => "max",
            Aggregate::Last => "last",
            Aggregate::Minmax => "minmax",
        }
    }
}

/// The topic on which a thinned stream hears what another hears on `of`: `every/1s/avg/device/1`.
pub fn topic(every: Every, aggregate: Aggregate, of: &str) -> Topic {
    Cow::Owned(format!("{EVERY}{}/{}/{of}", every.name(), aggregate.name()))
}

/// Which thinned stream a topic is of, if it is of one: the other way round of [`topic`].
pub fn thinned(topic: &str) -> Option<(Every, Aggregate)> {
    let mut words = topic.strip_prefix(EVERY)?.splitn(3, '/');
    let thinned = (Every::parse(words.next()?)?, Aggregate::parse(words.next()?)?);
    words.next().map(|_| thinned)
}

/// A reading as its update tells it.
#[derive(Debug, Deserialize)]
pub struct Reading<'a> {
    sensor_id: Number,
    #[serde(borrow)]
    sensor_type: Cow<'a, str>,
    device_id: Number,
    #[serde(borrow)]
    device_name: Cow<'a, str>,
    value: f64,
    #[serde(borrow)]
    unit: Cow<'a, str>,
}

impl Reading<'_> {
    /// The reading that an event of the log tells, unless it came late. `None` if the event tells something else.
    pub fn of(event: &Event) -> Option<Reading<'_>> {
        let of_sensor = event.key.strip_prefix(KEY)?;
        if event.name != UPDATE || of_sensor.ends_with(LATE) {
            return None;
        }
        serde_json::from_str(event.variants.first()?.payload.get()).ok()
    }
}

/// The readings of one interval, as far as they were taken in. It holds one small entry for each sensor that was heard
/// of in the interval, however many readings there are.
#[derive(Debug, Default)]
pub struct Accumulator {
    sensors: BTreeMap<Number, Sensor>,
}

impl Accumulator {
    /// Takes in a reading of the interval.
    pub fn take(&mut self, reading: &Reading<'_>) {
        let sensor =
            self.sensors.entry(reading.sensor_id).or_insert_with(|| Sensor::of(reading.device_id));
        sensor.device_id = reading.device_id;
        keep(&mut sensor.sensor_type, &reading.sensor_type);
        keep(&mut sensor.device_name, &reading.device_name);
        keep(&mut sensor.unit, &reading.unit);
        sensor.values.take(reading.value);
    }

    /// The interval, which began at `start`, is over: what its readings come to, by each of `aggregates`, in the order
    /// of the sensors' ids. Nothing of it is kept.
    pub fn close(&mut self, every: Every, start: Micros, aggregates: &[Aggregate]) -> Vec<Event> {
        let sensors = std::mem::take(&mut self.sensors);
        let started = timestamp(start);
        let told = sensors.iter().flat_map(|(sensor_id, sensor)| {
            let event =
                |aggregate: &Aggregate| sensor.told(*sensor_id, every, *aggregate, &started);
            aggregates.iter().map(event)
        });
        told.collect()
    }

    /// Forgets what it was given.
    pub fn clear(&mut self) {
        self.sensors.clear();
    }
}

/// Keeps the newest text, in the room of the one before.
fn keep(kept: &mut String, newest: &str) {
    if kept != newest {
        kept.clear();
        kept.push_str(newest);
    }
}

/// What is known of one sensor's readings in an interval.
#[derive(Debug)]
struct Sensor {
    device_id: Number,
    sensor_type: String,
    device_name: String,
    unit: String,
    values: Values,
}

impl Sensor {
    /// A sensor of this device, without a reading.
    fn of(device_id: Number) -> Sensor {
        Sensor {
            device_id,
            sensor_type: String::new(),
            device_name: String::new(),
            unit: String::new(),
            values: Values::default(),
        }
    }

    fn told(&self, sensor_id: Number, every: Every, aggregate: Aggregate, started: &str) -> Event {
        let Values { min, max, last, .. } = self.values;
        let value = match aggregate {
            Aggregate::Avg => self.values.mean(),
            Aggregate::Min => min,
            Aggregate::Max => max,
            Aggregate::Last | Aggregate::Minmax => last,
        };
        let both = aggregate == Aggregate::Minmax;
        let told = Update {
            sensor_id,
            sensor_type: Cow::Borrowed(&self.sensor_type),
            device_id: self.device_id,
            device_name: Cow::Borrowed(&self.device_name),
            value: Shortest(value),
            unit: Cow::Borrowed(&self.unit),
            timestamp: Cow::Borrowed(started),
            min: both.then_some(Shortest(min)),
            max: both.then_some(Shortest(max)),
        };
        let on = |of: &str| topic(every, aggregate, of);
        let topics = vec![
            on("sensors"),
            on(&format!("device/{}", self.device_id)),
            on(&format!("{KEY}{sensor_id}")),
        ];
        let payload = to_raw_value(&told).expect("texts and numbers serialise");
        Event {
            name: UPDATE.into(),
            key: format!("{KEY}{sensor_id}"),
            except: Vec::new(),
            variants: vec![Variant { topics, payload }],
            overflow: Overflow::Latest,
        }
    }
}

/// Values are added as this part of what they are, so that the sum of as many as an interval may hold (2^40) is finite
/// whatever they are. It is a power of two: nothing of a value above 1e-290 is lost by it.
const SCALE: f64 = 1.0 / (1_u64 << 40) as f64;

/// The values of an interval's readings.
#[derive(Debug)]
struct Values {
    count: u64,
    /// Their sum, times [`SCALE`],
    sum: f64,
    /// and what additions to it lost (Neumaier): so that the mean of 0.1, 0.1, 0.1 is 0.1.
    lost: f64,
    min: f64,
    max: f64,
    last: f64,
}

impl Default for Values {
    fn default() -> Self {
        Values {
            count: 0,
            sum: 0.0,
            lost: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            last: 0.0,
        }
    }
}

impl Values {
    fn take(&mut self, value: f64) {
        let part = value * SCALE;
        let sum = self.sum + part;
        self.lost += match self.sum.abs() >= part.abs() {
            true => (self.sum - sum) + part,
            false => (part - sum) + self.sum,
        };
        self.sum = sum;
        self.count += 1;
        (self.min, self.max, self.last) = (self.min.min(value), self.max.max(value), value);
    }

    /// Their mean: as near to the true one as a number can be, and between the least and the greatest.
    fn mean(&self) -> f64 {
        let count = self.count as f64;
        let about = self.sum / count;
        let rest = about.mul_add(-count, self.sum) + self.lost;
        let mean = (about + rest / count) / SCALE;
        mean.clamp(self.min, self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(key: &str, payload: &str) -> Event {
        let payload = serde_json::value::RawValue::from_string(payload.to_owned());
        let payload = payload.expect("the test's payloads are JSON");
        Event {
            name: UPDATE.into(),
            key: key.to_owned(),
            except: Vec::new(),
            variants: vec![Variant { topics: vec!["sensors".into()], payload }],
            overflow: Overflow::Latest,
        }
    }

    /// A reading written as `SENSOR=VALUE`, of device 1 for odd sensors and device 2 for others; after `~` it is late.
    fn reading(written: &str) -> Event {
        let (on_time, late) = match written.strip_suffix('~') {
            Some(on_time) => (on_time, LATE),
            None => (written, ""),
        };
        let (sensor, value) = on_time.split_once('=').expect("a sensor and a value");
        let device = if sensor.parse::<u64>().expect("an id") % 2 == 1 { 1 } else { 2 };
        update(
            &format!("sensor/{sensor}{late}"),
            &format!(
                r#"{{"sensor_id":{sensor},"sensor_type":"temperature","device_id":{device},"device_name":"D{device}","value":{value},"unit":"celsius","timestamp":"2025-09-11T15:30:00Z"}}"#
            ),
        )
    }

    /// Takes these readings in; what is told is written the same way, with `MIN..MAX` after it if that is told.
    fn told(readings: &str, aggregate: Aggregate) -> String {
        let mut accumulator = Accumulator::default();
        let events: Vec<Event> = readings.split_whitespace().map(reading).collect();
        events.iter().filter_map(Reading::of).for_each(|reading| accumulator.take(&reading));
        let told = accumulator.close(Every::Second, 0, &[aggregate]).into_iter().map(|event| {
            let payload: serde_json::Value =
                serde_json::from_str(event.variants[0].payload.get()).expect("JSON");
            let ends = payload.get("min").map(|min| format!(",{min}..{}", payload["max"]));
            format!("{}={}{}", payload["sensor_id"], payload["value"], ends.unwrap_or_default())
        });
        let told: Vec<String> = told.collect();
        assert!(accumulator.close(Every::Second, 0, &Aggregate::ALL).is_empty(), "nothing is left");
        told.join(" ")
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for (every, name, seconds) in [
            (Every::Second, "1s", 1),
            (Every::FiveSeconds, "5s", 5),
            (Every::TenSeconds, "10s", 10),
            (Every::Minute, "1m", 60),
            (Every::FiveMinutes, "5m", 300),
            (Every::Hour, "1h", 3_600),
        ] {
            assert_eq!((every.name(), every.micros()), (name, seconds * 1_000_000));
            assert_eq!(Every::parse(name), Some(every));
        }
        for aggregate in Aggregate::ALL {
            assert_eq!(Aggregate::parse(aggregate.name()), Some(aggregate));
        }
        assert_eq!(Aggregate::ALL.map(Aggregate::name), ["avg", "min", "max", "last", "minmax"]);
        assert_eq!(Aggregate::default(), Aggregate::Avg);
        for other in ["", "s", "1", "1S", "01s", "1s ", "60s", "2s", "1d", "avg", "every"] {
            assert_eq!(Every::parse(other), None, "{other:?}");
        }
        for other in ["", "AVG", "mean", "min ", "min,max", "1s"] {
            assert_eq!(Aggregate::parse(other), None, "{other:?}");
        }
    }

    #[test]
    fn intervals_are_aligned_to_1970() {
        let check = |every: Every, at: &str, start: &str| {
            let micros =
                |time: &str| time.parse::<jiff::Timestamp>().expect("a time").as_microsecond();
            assert_eq!(every.start_of(micros(at)), micros(start), "{every:?} {at}");
        };
        check(Every::Second, "2025-09-11T15:30:07.999999Z", "2025-09-11T15:30:07Z");
        check(Every::Second, "2025-09-11T15:30:07Z", "2025-09-11T15:30:07Z");
        check(Every::FiveSeconds, "2025-09-11T15:30:09.5Z", "2025-09-11T15:30:05Z");
        check(Every::TenSeconds, "2025-09-11T15:30:09.5Z", "2025-09-11T15:30:00Z");
        check(Every::Minute, "2025-09-11T15:30:59Z", "2025-09-11T15:30:00Z");
        check(Every::FiveMinutes, "2025-09-11T15:34:59Z", "2025-09-11T15:30:00Z");
        check(Every::Hour, "2025-09-11T15:34:59Z", "2025-09-11T15:00:00Z");
        check(Every::Second, "1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59Z");
        check(Every::Hour, "1969-12-31T23:59:59.5Z", "1969-12-31T23:00:00Z");
    }

    #[test]
    fn topics_say_which_stream_they_are_of() {
        assert_eq!(topic(Every::Second, Aggregate::Avg, "sensors"), "every/1s/avg/sensors");
        assert_eq!(topic(Every::Hour, Aggregate::Minmax, "device/7"), "every/1h/minmax/device/7");
        for every in Every::ALL {
            for aggregate in Aggregate::ALL {
                for of in ["sensors", "device/1", "sensor/1"] {
                    assert_eq!(thinned(&topic(every, aggregate, of)), Some((every, aggregate)));
                }
            }
        }
        for other in [
            "sensors",
            "sensor/1",
            "every/",
            "every/1s",
            "every/1s/avg",
            "every/2s/avg/sensors",
            "every/1s/mean/sensors",
            "Every/1s/avg/sensors",
            "statuses/device/1",
        ] {
            assert_eq!(thinned(other), None, "{other}");
        }
    }

    #[test]
    fn readings_come_to_one_value() {
        use Aggregate::{Avg, Last, Max, Min, Minmax};
        let check = |readings, aggregate, expected: &str| {
            assert_eq!(told(readings, aggregate), expected, "{aggregate:?} of {readings}");
        };
        check("", Avg, "");
        check("1=25", Avg, "1=25");
        check("1=25.0", Avg, "1=25");
        check("1=20 1=25", Avg, "1=22.5");
        check("1=20 1=30", Avg, "1=25");
        check("1=20 1=30 1=25", Min, "1=20");
        check("1=20 1=30 1=25", Max, "1=30");
        check("1=20 1=30 1=25", Last, "1=25");
        check("1=20 1=30 1=25", Minmax, "1=25,20..30");
        check("1=25.0", Minmax, "1=25,25..25");
        // Each sensor by itself, by its id.
        check("10=1 9=2 1=3 10=5", Avg, "1=3 9=2 10=3");
        // What is late counts in nothing.
        check("1=20 1=99~ 1=30", Avg, "1=25");
        check("1=20 1=99~", Minmax, "1=20,20..20");
        check("1=99~", Last, "");
        // Below nought.
        check("1=-5 1=-7", Max, "1=-5");
        check("1=-5 1=-7", Avg, "1=-6");
        check("1=-0.0", Avg, "1=0");
    }

    #[test]
    fn means_are_as_exact_as_numbers_can_be() {
        let check = |readings: &str, expected: &str| {
            assert_eq!(told(readings, Aggregate::Avg), expected, "{readings}");
        };
        check("1=0.1 1=0.1 1=0.1", "1=0.1");
        check("1=0.1 1=0.2 1=0.3", "1=0.2");
        check(&"1=21.7 ".repeat(10_000), "1=21.7");
        // The small ones count beside the large ones.
        check("1=1e16 1=3 1=-1e16", "1=1");
        check("1=1e300 1=3 1=-1e300", "1=1");
        // However large they are, their sum is a number.
        check(&"1=1.7976931348623157e308 ".repeat(1_000), "1=1.7976931348623157e+308");
        check("1=1.7976931348623157e308 1=-1.7976931348623157e308", "1=0");
        check("1=1e-280 1=3e-280", "1=2e-280");
        check("1=9007199254740992 1=9007199254740992", "1=9007199254740992");
    }

    #[test]
    fn what_is_told_looks_like_an_update() {
        let mut accumulator = Accumulator::default();
        for event in [&reading("4=1.5"), &reading("4=2")] {
            accumulator.take(&Reading::of(event).expect("it is on time"));
        }
        let renamed = update(
            "sensor/4",
            r#"{"sensor_id":4,"sensor_type":"ph","device_id":9,"device_name":"Tank \"A\"","value":6,"unit":"pH","timestamp":"2025-09-11T15:30:00Z"}"#,
        );
        accumulator.take(&Reading::of(&renamed).expect("it is on time"));
        let start = Every::Minute.start_of(1_757_604_651_999_999);
        let told = accumulator.close(Every::Minute, start, &[Aggregate::Max, Aggregate::Minmax]);
        let shown = told.iter().map(|event| {
            let Variant { topics, payload } = &event.variants[0];
            (&*event.name, &*event.key, topics.join(" "), payload.get())
        });
        let (name, key) = ("sensor_data_update", "sensor/4");
        let expected = [
            (
                name,
                key,
                "every/1m/max/sensors every/1m/max/device/9 every/1m/max/sensor/4".to_owned(),
                r#"{"sensor_id":4,"sensor_type":"ph","device_id":9,"device_name":"Tank \"A\"","value":6,"unit":"pH","timestamp":"2025-09-11T15:30:00Z"}"#,
            ),
            (
                name,
                key,
                "every/1m/minmax/sensors every/1m/minmax/device/9 every/1m/minmax/sensor/4"
                    .to_owned(),
                r#"{"sensor_id":4,"sensor_type":"ph","device_id":9,"device_name":"Tank \"A\"","value":6,"unit":"pH","timestamp":"2025-09-11T15:30:00Z","min":1.5,"max":6}"#,
            ),
        ];
        assert_eq!(shown.collect::<Vec<_>>(), expected);
        assert!(told.iter().all(|event| event.overflow == Overflow::Latest));
    }

    #[test]
    fn other_events_are_no_readings() {
        let good = reading("1=1");
        assert!(Reading::of(&good).is_some());
        let named = |name: &'static str| Event { name: name.into(), ..good.clone() };
        assert!(Reading::of(&named("device_status")).is_none());
        assert!(Reading::of(&named("sensor_alarm")).is_none());
        for key in ["device/1", "sensor", "light.kitchen", "sensor/1/late", ""] {
            let event = Event { key: key.to_owned(), ..good.clone() };
            assert!(Reading::of(&event).is_none(), "{key}");
        }
        for payload in ["{}", "null", "[]", r#"{"sensor_id":1,"value":"x"}"#] {
            assert!(Reading::of(&update("sensor/1", payload)).is_none(), "{payload}");
        }
        assert!(Reading::of(&Event { variants: Vec::new(), ..good.clone() }).is_none());
    }
}
