//! How readings are spelled, and what they are: a random walk with two decimals.

use std::fmt::Write as _;

use anyhow::{Result, bail, ensure};

/// The stream that tells all readings. With a cursor the server leaves nothing out, however slow its reader is.
pub const WATCHED: &str = "/ws/sensor-data/?since=now";

const UPDATE: &[u8] = br#"{"type":"sensor_data_update""#;
const TAKEN: &[u8] = br#"{"type":"sensor_data:response","success":true"#;
const BATCH_TAKEN: &[u8] = br#"{"type":"sensor_data_batch:response","success":true"#;

/// Values that wander, and chance that is the same in each run.
#[derive(Clone, Debug)]
pub struct Walk {
    hundredths: i64,
    seed: u64,
}

impl Walk {
    /// One of many: each number is another.
    pub fn new(number: u64) -> Self {
        Self { hundredths: 2_000, seed: number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 }
    }

    /// Something below `end`.
    pub fn chance(&mut self, end: u64) -> u64 {
        // Xorshift, as George Marsaglia gives it for 64 bits.
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 11) % end
    }

    /// The next value, in hundredths: up to 0.05 from the last, between 0 and 40.
    pub fn step(&mut self) -> i64 {
        let step = self.chance(11) as i64 - 5;
        self.hundredths = (self.hundredths + step).clamp(0, 4_000);
        self.hundredths
    }
}

/// A message that posts one reading without a time; `id` is what its answer bears.
pub fn single(id: u64, sensor_id: u64, walk: &mut Walk) -> String {
    let value = decimal(walk.step());
    format!(r#"{{"type":"sensor_data","sensor_id":{sensor_id},"value":{value},"id":{id}}}"#)
}

/// A message that posts `count` readings, one a microsecond from `from_us` on.
pub fn batch(id: u64, sensor_id: u64, walk: &mut Walk, from_us: i64, count: usize) -> String {
    let mut message = String::with_capacity(64 + count * 90);
    message.push_str(r#"{"type":"sensor_data_batch","readings":["#);
    for at in from_us..from_us + count as i64 {
        let (value, at) = (decimal(walk.step()), rfc3339(at));
        let comma = if at_first(&message) { "" } else { "," };
        let _ = write!(
            message,
            r#"{comma}{{"sensor_id":{sensor_id},"value":{value},"timestamp":"{at}"}}"#
        );
    }
    let _ = write!(message, r#"],"id":{id}}}"#);
    message
}

fn at_first(message: &str) -> bool {
    message.ends_with('[')
}

fn decimal(hundredths: i64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Whether a message tells a reading.
pub fn is_update(text: &[u8]) -> bool {
    text.starts_with(UPDATE)
}

/// The `id` of the message that `text` answers; `None`: it is no answer. A refusal is an error, and
/// so is a reading of `count` that was not stored.
pub fn answered(text: &[u8], count: usize) -> Result<Option<u64>> {
    if is_update(text) {
        return Ok(None);
    }
    let said = String::from_utf8_lossy(text);
    if text.starts_with(BATCH_TAKEN) {
        let all = said.contains(&format!(r#""stored":{count},"#));
        ensure!(all, "not all readings were stored: {said}");
    } else if !text.starts_with(TAKEN) {
        if said.contains(r#""success":false"#) || said.starts_with(r#"{"type":"error""#) {
            bail!("the server refused: {said}");
        }
        return Ok(None);
    }
    let id = said.rsplit_once(r#""id":"#).and_then(|(_, id)| id.strip_suffix('}')?.parse().ok());
    ensure!(id.is_some(), "an answer without an id: {said}");
    Ok(id)
}

/// Microseconds since 1970 as RFC 3339 has them, in UTC.
pub fn rfc3339(at_us: i64) -> String {
    const DAY_US: i64 = 86_400_000_000;
    let (days, us) = (at_us.div_euclid(DAY_US), at_us.rem_euclid(DAY_US));
    // Howard Hinnant's civil_from_days: years begin in March, 400 of them have as many days as the next.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    let (s, us) = (us / 1_000_000, us % 1_000_000);
    let (hour, minute, s) = (s / 3_600, s / 60 % 60, s % 60);
    let fraction = if us == 0 { String::new() } else { format!(".{us:06}") };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{s:02}{fraction}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spelled() {
        for (at_us, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00Z"),
            (1_757_604_600_250_000, "2025-09-11T15:30:00.250000Z"),
            (1_798_761_599_999_999, "2026-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(rfc3339(at_us), text);
        }
    }

    #[test]
    fn readings_are_spelled() {
        let mut walk = Walk::new(1);
        let message = batch(7, 3, &mut walk, 1, 2);
        assert_eq!(message.matches(r#"{"sensor_id":3,"value":"#).count(), 2, "{message}");
        assert!(message.contains(r#"000001Z"},{"sensor"#) && message.ends_with(r#"],"id":7}"#));
        assert!(single(7, 3, &mut walk).starts_with(r#"{"type":"sensor_data","sensor_id":3,"#));
        assert_eq!((decimal(5), decimal(2_150)), ("0.05".to_owned(), "21.50".to_owned()));
    }

    #[test]
    fn answers_are_told_from_the_rest() {
        let stored = r#"{"type":"sensor_data_batch:response","success":true,"data":{"stored":2,"corrected":0,"replayed":0,"refused":[]},"id":8}"#;
        for (text, count, id) in [
            (
                r#"{"type":"sensor_data:response","success":true,"data":{"sensor_id":1},"id":7}"#,
                1,
                Some(7),
            ),
            (stored, 2, Some(8)),
            (r#"{"type":"sensor_data_update","sensor_id":1}"#, 1, None),
            (r#"{"type":"device_status","device_id":1}"#, 1, None),
        ] {
            assert_eq!(answered(text.as_bytes(), count).unwrap(), id, "{text}");
        }
        for (text, count) in
            [(stored, 3), (r#"{"type":"error","message":"no","code":"RATE_LIMITED","id":7}"#, 1)]
        {
            assert!(answered(text.as_bytes(), count).is_err(), "{text}");
        }
    }

    #[test]
    fn walks_stay_in_their_bounds_and_repeat() {
        let mut walk = Walk::new(1);
        let values: Vec<i64> = (0..10_000).map(|_| walk.step()).collect();
        assert!(values.iter().all(|value| (0..=4_000).contains(value)));
        let mut again = Walk::new(1);
        assert!(values.iter().all(|value| *value == again.step()));
    }
}
