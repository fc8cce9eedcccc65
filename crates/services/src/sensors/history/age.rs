//! Raw readings become hours, hours become days, and days go.

use std::ops::ControlFlow;

use bellwire_store::tx::{Statement, Value};

use super::{
    Bucket, DAY, HOUR, Reading,
    block::{Block, bucket_of, bucket_values, upto_of},
    floor,
    read::{Bounds, Ends, ends, reading_of},
    sql,
};
use crate::kit::{Fault, Micros, Tx};

/// The most blocks that are taken as wholes in one slice.
const BLOCKS_MAX: usize = 16;
/// The most rows that are summed up in one slice.
const ROWS_MAX: usize = 2_048;
/// The most hours into which readings are summed up in one slice.
const HOURS_MAX: usize = 256;
/// The most days that go in one slice.
const DAYS_MAX: i64 = 256;

/// Sums up the oldest raw readings, before `cutoff`, the beginning of an hour; says whether there were some. Rows are
/// all after all blocks.
pub fn raw(
    tx: &mut Tx<'_>,
    sensor_id: i64,
    bounds: &Bounds,
    cutoff: Micros,
) -> Result<bool, Fault> {
    let is_old = |first: Option<Micros>| first.is_some_and(|first| first < cutoff);
    let upto = if is_old(bounds.first_block) {
        blocks(tx, sensor_id, cutoff)?
    } else if bounds.first_block.is_none() && is_old(bounds.first_row) {
        rows(tx, sensor_id, cutoff)?
    } else {
        return Ok(false);
    };
    // An hour that the next slice goes on with is not closed.
    let left = Bounds::of(tx, sensor_id)?;
    let first = left.first_block.or(left.first_row).filter(|first| *first < upto);
    let raw_from = first.map_or(upto, |first| floor(first, HOUR));
    change_ends(tx, sensor_id, |ends| ends.raw_from = ends.raw_from.max(raw_from))?;
    Ok(true)
}

/// Sums up some of the oldest blocks; says where the last hour ends that they are in.
fn blocks(tx: &mut Tx<'_>, sensor_id: i64, cutoff: Micros) -> Result<Micros, Fault> {
    let oldest = [sensor_id, BLOCKS_MAX as i64].map(Value::Integer);
    let (mut wholes, mut straddling) = (Vec::new(), None);
    tx.each(sql::OLDEST_BLOCKS, &oldest, |row| {
        let (block, upto) = (bucket_of(row), upto_of(row));
        if upto < cutoff && floor(block.from, HOUR) == floor(upto, HOUR) {
            wholes.push(block);
            return ControlFlow::Continue(());
        }
        // What a slice has begun with is all that it does.
        straddling = wholes.is_empty().then(|| Block::of(row));
        ControlFlow::Break(())
    })?;
    let Some(block) = straddling else { return whole_blocks(tx, sensor_id, wholes) };
    let readings = block.packed.readings()?;
    let (hours, upto) = hours_of(&readings, cutoff);
    tx.execute(sql::DELETE_BLOCK, &[sensor_id, block.total.from].map(Value::Integer))?;
    let rest = &readings[readings.partition_point(|reading| reading.at < upto)..];
    if !rest.is_empty() {
        Block::pack(rest).insert(tx, sensor_id)?;
    }
    add_hours(tx, sensor_id, &hours)?;
    Ok(upto)
}

/// Sums up blocks each of which is within an hour; says where the last of these hours ends.
fn whole_blocks(tx: &mut Tx<'_>, sensor_id: i64, blocks: Vec<Bucket>) -> Result<Micros, Fault> {
    for block in &blocks {
        tx.execute(sql::DELETE_BLOCK, &[sensor_id, block.from].map(Value::Integer))?;
    }
    let hours = by(HOUR, blocks);
    add_hours(tx, sensor_id, &hours)?;
    Ok(hours.last().map_or(Micros::MIN, |hour| hour.from + HOUR))
}

/// Sums up some of the oldest rows; says where the last hour ends that they are in.
fn rows(tx: &mut Tx<'_>, sensor_id: i64, cutoff: Micros) -> Result<Micros, Fault> {
    let oldest = [sensor_id, Micros::MIN, cutoff, ROWS_MAX as i64].map(Value::Integer);
    let rows = tx.all(sql::ROWS_UP, &oldest, reading_of)?;
    let (hours, upto) = hours_of(&rows, cutoff);
    let last = rows.iter().take_while(|row| row.at < upto).last();
    let last = last.expect("the caller has seen a row before the cutoff");
    tx.execute(sql::DELETE_ROWS, &[sensor_id, Micros::MIN, last.at].map(Value::Integer))?;
    add_hours(tx, sensor_id, &hours)?;
    Ok(upto)
}

/// What the first readings come to by the hour, and where the last of these hours ends.
fn hours_of(readings: &[Reading], cutoff: Micros) -> (Vec<Bucket>, Micros) {
    let old = readings.iter().take_while(|reading| reading.at < cutoff);
    let mut hours = by(HOUR, old.map(|reading| Bucket::of(reading.at, reading.value)));
    hours.truncate(HOURS_MAX);
    let upto = hours.last().map_or(cutoff, |hour| hour.from + HOUR);
    (hours, upto)
}

fn add_hours(tx: &mut Tx<'_>, sensor_id: i64, hours: &[Bucket]) -> Result<(), Fault> {
    let closed_until = ends(tx, sensor_id)?.raw_from;
    add(tx, sensor_id, sql::HOURS, sql::PUT_HOUR, closed_until, hours)
}

/// Makes a day of the hours of the first. Nothing before `raw_cutoff` is raw.
pub fn hours(
    tx: &mut Tx<'_>,
    sensor_id: i64,
    first_hour: Micros,
    raw_cutoff: Micros,
) -> Result<(), Fault> {
    let day = floor(first_hour, DAY);
    let window = [sensor_id, day, day + DAY].map(Value::Integer);
    let hours = tx.all(sql::HOURS, &window, bucket_of)?;
    tx.execute(sql::DELETE_HOURS, &window)?;
    let closed_until = ends(tx, sensor_id)?.hours_from;
    add(tx, sensor_id, sql::DAYS, sql::PUT_DAY, closed_until, &by(DAY, hours))?;
    change_ends(tx, sensor_id, |ends| {
        ends.hours_from = ends.hours_from.max(day + DAY);
        // What is still to come of that day comes when its time is closed.
        ends.raw_from = ends.raw_from.max(ends.hours_from.min(raw_cutoff));
    })
}

/// Takes away the first days before `cutoff`.
pub fn days(
    tx: &mut Tx<'_>,
    sensor_id: i64,
    first_day: Micros,
    cutoff: Micros,
) -> Result<(), Fault> {
    let upto = cutoff.min(first_day.saturating_add(DAYS_MAX * DAY));
    let window = [sensor_id, first_day, upto].map(Value::Integer);
    let last_day = tx.all(sql::DAYS, &window, bucket_of)?.last().map_or(first_day, |day| day.from);
    tx.execute(sql::DELETE_DAYS, &window)?;
    change_ends(tx, sensor_id, |ends| ends.days_from = ends.days_from.max(last_day + DAY))
}

/// What parts come to that are in order of time.
fn by(width: i64, parts: impl IntoIterator<Item = Bucket>) -> Vec<Bucket> {
    let mut buckets: Vec<Bucket> = Vec::new();
    for part in parts {
        let from = floor(part.from, width);
        match buckets.last_mut() {
            Some(last) if last.from == from => last.add(&part),
            _ => buckets.push(Bucket { from, ..part }),
        }
    }
    buckets
}

/// Adds to hours or days. A slice may end within one: the next adds what is later. What belongs to those before
/// `closed_until` came after they were made, and is not what was last there.
fn add(
    tx: &mut Tx<'_>,
    sensor_id: i64,
    look: Statement,
    put: Statement,
    closed_until: Micros,
    buckets: &[Bucket],
) -> Result<(), Fault> {
    for bucket in buckets {
        let window = [sensor_id, bucket.from, bucket.from + 1].map(Value::Integer);
        let mut sum = *bucket;
        if let Some(known) = tx.one(look, &window, bucket_of)? {
            sum = known;
            if bucket.from < closed_until { sum.add_closed(bucket) } else { sum.add(bucket) }
        }
        tx.execute(put, &bucket_values(sensor_id, &sum))?;
    }
    Ok(())
}

fn change_ends(
    tx: &mut Tx<'_>,
    sensor_id: i64,
    change: impl FnOnce(&mut Ends),
) -> Result<(), Fault> {
    let old = ends(tx, sensor_id)?;
    let mut new = old;
    change(&mut new);
    if new != old {
        let Ends { raw_from, hours_from, days_from } = new;
        let values = [sensor_id, raw_from, hours_from, days_from].map(Value::Integer);
        tx.execute(sql::PUT_ENDS, &values)?;
    }
    Ok(())
}
