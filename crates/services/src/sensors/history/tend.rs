//! Old readings are packed, summed up and dropped, a slice at a time.

use std::collections::BTreeMap;

use bellwire_store::tx::Value;

use super::{DAY, HOUR, Retention, SECOND, age, floor, pack, read::Bounds, sql};
use crate::kit::{Fault, Micros, Tx};

/// The sensors that are looked at in one slice: a look takes some ten microseconds.
const SENSORS_MAX: usize = 64;

/// Does the next piece of work on a sensor's old readings, a few milliseconds at most, and says whether there was
/// some: then there may be more.
///
/// Late readings are packed where they belong before anything else: all that follows finds rows after blocks.
///
/// # Errors
/// The store's.
pub fn tend(
    tx: &mut Tx<'_>,
    sensor_id: i64,
    retention: Retention,
    now: Micros,
) -> Result<bool, Fault> {
    Ok(step(tx, sensor_id, retention, now, None)? == Done::Work)
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Work,
    Nothing { last_row: Option<Micros> },
}

/// `counted`: the newest row as there was no full set of rows, if that is known.
fn step(
    tx: &mut Tx<'_>,
    sensor_id: i64,
    retention: Retention,
    now: Micros,
    counted: Option<Micros>,
) -> Result<Done, Fault> {
    let bounds = Bounds::of(tx, sensor_id)?;
    if let (Some(first_row), Some(upto)) = (bounds.first_row, bounds.blocks_upto)
        && first_row <= upto
    {
        pack::late(tx, sensor_id, first_row)?;
        return Ok(Done::Work);
    }
    let cutoffs = Cutoffs::of(retention, now);
    if age::raw(tx, sensor_id, &bounds, cutoffs.raw)? {
        return Ok(Done::Work);
    }
    let last_row = bounds.last_row;
    if let Some(newest) = last_row.filter(|_| last_row != counted)
        && pack::full(tx, sensor_id, newest)?
    {
        return Ok(Done::Work);
    }
    if let Some(first_hour) = bounds.first_hour.filter(|first| *first < cutoffs.hours) {
        age::hours(tx, sensor_id, first_hour, cutoffs.raw)?;
        return Ok(Done::Work);
    }
    if let Some(first_day) = bounds.first_day.filter(|first| *first < cutoffs.days) {
        age::days(tx, sensor_id, first_day, cutoffs.days)?;
        return Ok(Done::Work);
    }
    Ok(Done::Nothing { last_row })
}

/// What is before these is kept no longer.
struct Cutoffs {
    raw: Micros,
    hours: Micros,
    days: Micros,
}

impl Cutoffs {
    /// Hours and days go as wholes: when the last of their time has come. A day is made of all its hours, so no hour
    /// becomes part of one while some of it is raw.
    fn of(retention: Retention, now: Micros) -> Self {
        let cutoff = |kept_s: Option<i64>, width| match kept_s {
            Some(kept_s) => floor(now.saturating_sub(kept_s.saturating_mul(SECOND)), width),
            None => Micros::MIN,
        };
        let raw = cutoff(retention.raw_s, HOUR);
        let hours = cutoff(retention.hourly_s, DAY);
        let hours = if retention.raw_s.is_some() { hours.min(floor(raw, DAY)) } else { hours };
        Cutoffs { raw, hours, days: cutoff(retention.daily_s, DAY) }
    }
}

/// The most pieces of work for one sensor before the others have their turn.
const PIECES_MAX: u32 = 64;

/// A place in rounds over all sensors, and what was seen of them.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// The last sensor that was looked at.
    sensor_id: i64,
    /// How many pieces of work were done for it in a row.
    pieces: u32,
    /// Whether there was work in this round.
    worked: bool,
    /// Whether a round is over that found nothing to do.
    rests: bool,
    /// The newest row of sensors as they had no full set of rows. They have none before it is another, and need not
    /// be counted.
    counted: BTreeMap<i64, Micros>,
}

impl Place {
    /// Whether a round is over that found nothing to do: then there is time until the next.
    pub fn rests(&self) -> bool {
        self.rests
    }
}

/// Goes on with a round over all sensors: looks at some, and does the next piece of work of one at most. Says where
/// to go on.
///
/// # Errors
/// The store's.
pub fn tend_next(tx: &mut Tx<'_>, place: &Place, now: Micros) -> Result<Place, Fault> {
    let slice = [Value::Integer(place.sensor_id), Value::Integer(SENSORS_MAX as i64)];
    let seconds = |days: Option<i64>| days.map(|days| days.saturating_mul(DAY / SECOND));
    let sensors = tx.all(sql::NEXT_SENSORS, &slice, |row| {
        let retention = Retention {
            raw_s: seconds(row.optional_integer(1)),
            hourly_s: seconds(row.optional_integer(2)),
            daily_s: seconds(row.optional_integer(3)),
        };
        (row.integer(0), retention)
    })?;
    let mut next = Place { rests: false, ..place.clone() };
    for (sensor_id, retention) in &sensors {
        let counted = next.counted.remove(sensor_id);
        let done = step(tx, *sensor_id, *retention, now, counted)?;
        next.sensor_id = *sensor_id;
        match done {
            Done::Work => {
                (next.worked, next.pieces) = (true, next.pieces + 1);
                if next.pieces < PIECES_MAX {
                    // Where there is work there is more: a round over many others is long.
                    next.sensor_id = *sensor_id - 1;
                } else {
                    next.pieces = 0;
                }
                return Ok(next);
            }
            Done::Nothing { last_row } => {
                next.pieces = 0;
                next.counted.extend(last_row.map(|at| (*sensor_id, at)));
            }
        }
    }
    if sensors.len() < SENSORS_MAX {
        next = Place { rests: !next.worked, counted: next.counted, ..Place::default() };
    }
    Ok(next)
}
