//! A sensor raises an alarm when its value passes a threshold.
//!
//! It ends when the value is back by the hysteresis, so that a value that trembles at the threshold raises one alarm,
//! not many; and once raised it is not raised again for the time of its hold-off. Only readings that are the newest
//! are judged.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    contract::{Alarm, Shortest},
    known::{Known, Latest, event, shown},
};
use crate::{
    kit::{Ctx, Event, Fault, Micros, Number, Overflow, Topic, Tx},
    notifications::{self, Level, Notice, Recipients},
};

/// What an alarm says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Says {
    Above,
    Below,
    Normal,
}

impl Says {
    fn stored(self) -> i64 {
        match self {
            Says::Above => 1,
            Says::Below => -1,
            Says::Normal => 0,
        }
    }

    fn of(stored: i64) -> Says {
        match stored {
            1 => Says::Above,
            -1 => Says::Below,
            _ => Says::Normal,
        }
    }
}

/// What an alarm says of this value after it said `before`; the hold-off is not looked at.
fn says(alarm: &Alarm, value: f64, before: Says) -> Says {
    let margin = |says: Says| if before == says { alarm.hysteresis } else { 0.0 };
    if alarm.above.is_some_and(|above| value > above - margin(Says::Above)) {
        Says::Above
    } else if alarm.below.is_some_and(|below| value < below + margin(Says::Below)) {
        Says::Below
    } else {
        Says::Normal
    }
}

/// The value of a sensor passed a threshold, or is back.
#[derive(Serialize, JsonSchema)]
pub(super) struct SensorAlarm<'a> {
    /// Of which sensor.
    sensor_id: Number,
    /// What it measures.
    sensor_type: &'a str,
    /// The device that carries it.
    device_id: Number,
    /// What people call that.
    device_name: &'a str,
    /// Where the value is; `normal` ends the alarm.
    state: Says,
    /// The value.
    value: Shortest,
    /// The threshold that it passed, or that it is back from.
    threshold: Option<Shortest>,
    /// In what it is measured.
    unit: &'a str,
    /// When it was measured, RFC 3339 in UTC.
    timestamp: String,
}

/// What is told of an alarm that says this, and said `before`.
fn payload<'a>(known: &'a Known, latest: Latest, says: Says, before: Says) -> SensorAlarm<'a> {
    let passed = if says == Says::Normal { before } else { says };
    let threshold = known.alarm.and_then(|alarm| match passed {
        Says::Above => alarm.above,
        _ => alarm.below,
    });
    SensorAlarm {
        sensor_id: known.sensor_id,
        sensor_type: &known.sensor_type,
        device_id: known.device_id,
        device_name: &known.device_name,
        state: says,
        value: Shortest(latest.value),
        threshold: threshold.map(Shortest),
        unit: &known.unit,
        timestamp: shown(latest.at, latest.is_stamped),
    }
}

/// The alarm of a sensor as JSON, if it is raised: what was told of it, with the newest value.
pub(super) fn raised(known: &Known) -> Option<String> {
    let latest = known.latest?;
    let says = Says::of(latest.alarm);
    let is_raised = says != Says::Normal;
    let json = |payload: SensorAlarm<'_>| {
        serde_json::to_string(&payload).expect("texts and numbers serialise")
    };
    is_raised.then(|| json(payload(known, latest, says, says)))
}

/// Judges the newest reading of a sensor, and tells if that makes a difference.
///
/// # Errors
/// The store's.
pub(super) fn judge(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    known: &mut Known,
    events: &mut Vec<Event>,
) -> Result<(), Fault> {
    let Some(mut latest) = known.latest else { return Ok(()) };
    let before = Says::of(latest.alarm);
    let mut now_says = known.alarm.map_or(Says::Normal, |alarm| says(&alarm, latest.value, before));
    let hold_off = known.alarm.map_or(0, |alarm| alarm.hold_off_s) * 1_000_000;
    let is_held = latest.alarm_at.is_some_and(|at: Micros| ctx.now - at < hold_off);
    if now_says != before && now_says != Says::Normal && is_held {
        now_says = Says::Normal;
    }
    if now_says == before {
        return Ok(());
    }
    latest.alarm = now_says.stored();
    if now_says != Says::Normal {
        latest.alarm_at = Some(ctx.now);
    }
    known.latest = Some(latest);
    let payload = payload(known, latest, now_says, before);
    events.push(alarm_event(known, &payload));
    if now_says != Says::Normal {
        let message = message(&payload, now_says);
        let notice = Notice {
            from: None,
            kind: "sensor",
            title: "Sensor alarm",
            message: &message,
            level: Level::Warning,
            booking: None,
        };
        events.extend(notifications::tell(tx, ctx, Recipients::Admins, &notice)?);
    }
    Ok(())
}

/// The alarm of a sensor becomes another, or none. One that is raised on a side that is not watched any more ends, and
/// that is told with the threshold that it had.
///
/// # Errors
/// The store's.
pub(super) fn end_unwatched(
    tx: &mut Tx<'_>,
    mut known: Known,
    new: Option<Alarm>,
) -> Result<Option<Event>, Fault> {
    let Some(mut latest) = known.latest else { return Ok(None) };
    let before = Says::of(latest.alarm);
    let side = |alarm: &Alarm| if before == Says::Above { alarm.above } else { alarm.below };
    if before == Says::Normal || new.as_ref().and_then(side).is_some() {
        return Ok(None);
    }
    latest.alarm = Says::Normal.stored();
    known.latest = Some(latest);
    known.keep_latest(tx)?;
    let payload = payload(&known, latest, Says::Normal, before);
    Ok(Some(alarm_event(&known, &payload)))
}

/// `sensor_alarm`.
fn alarm_event(known: &Known, payload: &SensorAlarm<'_>) -> Event {
    let topics = vec![
        Topic::Borrowed("alarms"),
        Topic::Owned(format!("alarms/device/{}", known.device_id)),
        Topic::Owned(format!("alarms/sensor/{}", known.sensor_id)),
    ];
    let key = format!("sensor/{}", known.sensor_id);
    event("sensor_alarm", key, topics, Overflow::Close, payload)
}

/// What an admin reads.
fn message(alarm: &SensorAlarm<'_>, says: Says) -> String {
    let SensorAlarm { device_name, sensor_type, value, unit, threshold, .. } = alarm;
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    let side = if says == Says::Above { "above" } else { "below" };
    let threshold =
        threshold.map_or(String::new(), |threshold| format!(", {side} {threshold}{unit}"));
    format!("{device_name}: {sensor_type} is {value}{unit}{threshold}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_has_two_sides_and_a_margin() {
        let alarm = Alarm { above: Some(30.0), below: Some(10.0), hysteresis: 2.0, hold_off_s: 0 };
        let check = |alarm: &Alarm, value: f64, before: Says, expected: Says| {
            assert_eq!(says(alarm, value, before), expected, "{value} after {before:?}");
        };
        for (value, after_normal, after_above, after_below) in [
            (30.0, Says::Normal, Says::Above, Says::Normal),
            (30.1, Says::Above, Says::Above, Says::Above),
            (28.1, Says::Normal, Says::Above, Says::Normal),
            (28.0, Says::Normal, Says::Normal, Says::Normal),
            (10.0, Says::Normal, Says::Normal, Says::Below),
            (9.9, Says::Below, Says::Below, Says::Below),
            (11.9, Says::Normal, Says::Normal, Says::Below),
            (12.0, Says::Normal, Says::Normal, Says::Normal),
        ] {
            check(&alarm, value, Says::Normal, after_normal);
            check(&alarm, value, Says::Above, after_above);
            check(&alarm, value, Says::Below, after_below);
        }
        let one_side = Alarm { below: None, ..alarm };
        check(&one_side, -1e300, Says::Normal, Says::Normal);
    }
}
