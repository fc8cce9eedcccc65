//! What must become of readings, by the words of docs/protocol.md and with nothing of the service's own.

use std::collections::BTreeMap;

use super::{Micros, SECOND};
use crate::kit::{timestamp, timestamp_exact};

/// A reading that is kept.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    pub value: f64,
    pub is_stamped: bool,
    pub received_at: Micros,
}

/// What an alarm says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    Above,
    Below,
    Normal,
}

/// An alarm that has both sides.
#[derive(Debug, Clone, Copy)]
pub struct Alarm {
    pub above: f64,
    pub below: f64,
    pub hysteresis: f64,
    pub hold_off_s: i64,
}

#[derive(Debug)]
pub struct Sensor {
    pub number: i64,
    pub device: usize,
    pub entity: String,
    pub silence_s: i64,
    pub alarm: Option<Alarm>,
    pub readings: BTreeMap<Micros, Kept>,
    pub heard_at: Option<Micros>,
    pub says: Says,
    pub raised_at: Option<Micros>,
}

#[derive(Debug)]
pub struct Device {
    pub number: i64,
    pub is_active: bool,
    pub set_at: Option<Micros>,
}

/// One that is posted: of which sensor, by its place; the value, and the time if it bears one.
#[derive(Debug, Clone, Copy)]
pub struct Post {
    pub sensor: usize,
    pub value: f64,
    pub at: Option<Micros>,
}

/// What became of readings that were posted together.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub stored: u64,
    pub corrected: u64,
    pub replayed: u64,
}

/// Devices and their sensors.
#[derive(Debug, Default)]
pub struct Model {
    pub now: Micros,
    pub devices: Vec<Device>,
    pub sensors: Vec<Sensor>,
}

impl Sensor {
    /// The newest by its own time.
    pub fn newest(&self) -> Option<(Micros, Kept)> {
        self.readings.last_key_value().map(|(at, kept)| (*at, *kept))
    }

    fn value(&self) -> Option<f64> {
        self.newest().map(|(_, kept)| kept.value)
    }

    /// Keeps a reading; gives what is told of it, and counts it.
    fn take(&mut self, now: Micros, post: &Post, report: &mut Report) -> Option<String> {
        let newest = self.newest().map(|(at, _)| at);
        let free = || (now..).find(|at| !self.readings.contains_key(at)).expect("time goes on");
        let at = post.at.unwrap_or_else(free);
        let kept = Kept { value: post.value, is_stamped: post.at.is_none(), received_at: now };
        match self.readings.get(&at) {
            Some(before) if before.value == post.value => {
                report.replayed += 1;
                return None;
            }
            Some(_) => report.corrected += 1,
            None => report.stored += 1,
        }
        self.readings.insert(at, kept);
        if newest.is_none_or(|newest| at > newest) {
            self.heard_at = Some(now);
        }
        let late = if newest.is_some_and(|newest| at < newest) { " late" } else { "" };
        Some(format!("{}={} at {}{late}", self.number, post.value, shown(at, &kept)))
    }

    /// Judges the newest; gives what is told of that, to admins too if it is raised.
    fn judge(&mut self, now: Micros) -> Vec<String> {
        let (Some(alarm), Some(value)) = (self.alarm, self.value()) else { return Vec::new() };
        let by = |side: Says| if self.says == side { alarm.hysteresis } else { 0.0 };
        let wanted = match value {
            value if value > alarm.above - by(Says::Above) => Says::Above,
            value if value < alarm.below + by(Says::Below) => Says::Below,
            _ => Says::Normal,
        };
        let is_held = self.raised_at.is_some_and(|at| now < at + alarm.hold_off_s * SECOND);
        let says = if wanted != self.says && is_held { Says::Normal } else { wanted };
        if says == self.says {
            return Vec::new();
        }
        let passed = if says == Says::Normal { self.says } else { says };
        let threshold = if passed == Says::Above { alarm.above } else { alarm.below };
        if says != Says::Normal {
            self.raised_at = Some(now);
        }
        self.says = says;
        let is_raised = says != Says::Normal;
        let says = format!("{says:?}").to_lowercase();
        let told = format!("alarm {} {says}: {value}, {threshold}", self.number);
        [told].into_iter().chain(is_raised.then(|| "Sensor alarm".to_owned())).collect()
    }
}

/// The time of a reading as it is written.
pub fn shown(at: Micros, kept: &Kept) -> String {
    if kept.is_stamped { timestamp(at) } else { timestamp_exact(at) }
}

impl Model {
    /// Takes readings that are posted together; gives what is told, in its order.
    pub fn post(&mut self, posts: &[Post]) -> (Report, Vec<String>) {
        let newest = |sensor: &Sensor| sensor.newest().map(|(at, kept)| (at, kept.value));
        let before: Vec<_> =
            self.sensors.iter().map(|sensor| (newest(sensor), sensor.heard_at)).collect();
        let (mut report, mut told) = (Report::default(), Vec::new());
        let mut named: Vec<usize> = Vec::new();
        for post in posts {
            let sensor = &mut self.sensors[post.sensor];
            let newest_before = newest(sensor);
            told.extend(sensor.take(self.now, post, &mut report));
            if newest(sensor) != newest_before {
                told.extend(sensor.judge(self.now));
            }
            if !named.contains(&post.sensor) {
                named.push(post.sensor);
            }
        }
        let mut states = Vec::new();
        for number in named {
            let sensor = &mut self.sensors[number];
            let (newest_before, heard_at) = before[number];
            if newest(sensor) == newest_before {
                continue;
            }
            let value = sensor.value().expect("there is a newest");
            if newest_before.map(|(_, value)| value) != Some(value) {
                states.push(format!("state {} \"{value}\"", sensor.entity));
            }
            let device = &mut self.devices[sensor.device];
            if sensor.heard_at != heard_at && !device.is_active {
                (device.is_active, device.set_at) = (true, None);
                told.push(status(device, self.now));
            }
        }
        told.append(&mut states);
        (report, told)
    }

    /// An admin says what a device is; gives what is told.
    pub fn set(&mut self, number: usize, is_active: bool) -> Vec<String> {
        let device = &mut self.devices[number];
        if device.is_active == is_active {
            return Vec::new();
        }
        (device.is_active, device.set_at) = (is_active, is_active.then_some(self.now));
        vec![status(device, self.now)]
    }

    /// Time goes on; gives what is told, and when.
    pub fn pass_to(&mut self, to: Micros) -> Vec<(Micros, String)> {
        let mut told = Vec::new();
        for (number, device) in self.devices.iter_mut().enumerate().filter(|(_, d)| d.is_active) {
            let sensors = self.sensors.iter().filter(|sensor| sensor.device == number);
            let ends = sensors.map(|sensor| {
                sensor.heard_at.max(device.set_at).unwrap_or(0) + sensor.silence_s * SECOND
            });
            let Some(end) = ends.max().filter(|end| *end <= to) else { continue };
            device.is_active = false;
            let at = end.max(self.now);
            told.push((at, status(device, at)));
        }
        self.now = to;
        told.sort();
        told
    }
}

fn status(device: &Device, at: Micros) -> String {
    let status = if device.is_active { "active" } else { "inactive" };
    format!("device {} {status} at {}", device.number, timestamp(at))
}
