//! A reading as it is posted, read field by field: each has a code of its own for what can be wrong with it.

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::kit::{Code, Fault, Micros, Number, Payload, shortened};

/// How far ahead of the server's a device's clock may be.
pub(super) const AHEAD_MAX_MICROS: Micros = 5 * 60 * 1_000_000;

/// A reading that was posted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    /// Of which sensor.
    pub sensor_id: Number,
    /// The value, finite.
    pub value: f64,
    /// Its time, if it bears one.
    pub at: Option<Micros>,
}

impl Sample {
    /// Reads a sample that comes at `now`.
    ///
    /// # Errors
    /// [`Code::Invalid`], named after the field that is wrong.
    pub fn read(fields: &Payload, now: Micros) -> Result<Sample, Fault> {
        let sensor_id = sensor_id(fields.get("sensor_id"))?;
        let value = value(fields.get("value"))?;
        let at = match fields.get("timestamp") {
            None => None,
            Some(text) => Some(time(text, now)?),
        };
        Ok(Sample { sensor_id, value, at })
    }
}

fn wrong(name: &'static str, words: &'static str) -> Fault {
    Fault::new(Code::Invalid, words).named(name)
}

fn sensor_id(field: Option<&Json>) -> Result<Number, Fault> {
    let number = field.and_then(Json::as_i64).and_then(Number::new);
    number.ok_or_else(|| wrong(INVALID_SENSOR_ID, "sensor_id: a whole number from 1 on is needed"))
}

/// Zero has no sign here: it could not be told from the other as a reading that comes twice.
fn value(field: Option<&Json>) -> Result<f64, Fault> {
    let number = field.filter(|field| field.is_number()).and_then(Json::as_f64);
    let finite = number.filter(|number| number.is_finite());
    finite
        .map(|number| number + 0.0)
        .ok_or_else(|| wrong(INVALID_VALUE, "value: a finite number is needed"))
}

fn time(field: &Json, now: Micros) -> Result<Micros, Fault> {
    let text = field.as_str().unwrap_or_default();
    let time: Timestamp = text.parse().map_err(|_| {
        let words = "timestamp: not a time with its zone, e.g. 2025-09-11T15:30:00Z";
        wrong(INVALID_TIMESTAMP, words)
    })?;
    let at = time.as_microsecond();
    if at < 0 {
        return Err(wrong(INVALID_TIMESTAMP, "timestamp: before 1970"));
    }
    if at > now + AHEAD_MAX_MICROS {
        return Err(wrong(
            INVALID_TIMESTAMP,
            "timestamp: more than 5 minutes ahead of the server's clock",
        ));
    }
    Ok(at)
}

/// `sensor_id` is none.
pub(super) const INVALID_SENSOR_ID: &str = "INVALID_SENSOR_ID";
/// `value` is no finite number.
pub(super) const INVALID_VALUE: &str = "INVALID_VALUE";
/// `timestamp` cannot be read, or is a time for which nothing is taken.
pub(super) const INVALID_TIMESTAMP: &str = "INVALID_TIMESTAMP";

/// What a field that cannot be read is named.
pub(super) const FIELD_NAMES: &[(&str, &str)] =
    &[("sensor_id", INVALID_SENSOR_ID), ("value", INVALID_VALUE), ("timestamp", INVALID_TIMESTAMP)];

/// What is no object cannot be a reading.
pub(super) fn fields_of(item: &Json) -> Result<&Payload, Fault> {
    let words = || shortened(format!("a reading is an object, not {item}"));
    item.as_object().ok_or_else(|| Fault::new(Code::Invalid, words()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_clock_may_be_ahead_by_five_minutes_and_not_by_a_microsecond_more() {
        let now: Timestamp = "2025-09-11T15:30:00.5Z".parse().expect("a time");
        let now = now.as_microsecond();
        let read = |timestamp: &str| {
            let fields = json!({ "sensor_id": 1, "value": 1, "timestamp": timestamp });
            Sample::read(fields.as_object().expect("it is one"), now)
        };
        for (timestamp, ahead) in [
            ("2025-09-11T15:35:00.499999Z", Some(299_999_999)),
            ("2025-09-11T15:35:00.5Z", Some(300_000_000)),
            ("2025-09-11T17:35:00.500+02:00", Some(300_000_000)),
            ("2025-09-11T15:35:00.500001Z", None),
            ("2025-09-11T15:35:01Z", None),
            ("9999-12-30T22:00:00Z", None),
        ] {
            let at = read(timestamp).map(|sample| sample.at.map(|at| at - now));
            match ahead {
                Some(ahead) => assert_eq!(at.ok(), Some(Some(ahead)), "{timestamp}"),
                None => assert_eq!(
                    at.expect_err("it is refused").name(),
                    INVALID_TIMESTAMP,
                    "{timestamp}"
                ),
            }
        }
    }
}
