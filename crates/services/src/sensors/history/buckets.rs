//! Readings over a long time, in a few numbers.

use std::ops::{ControlFlow, Range};

use bellwire_store::tx::{Row, Value};

use super::{
    Bucket, Reading,
    block::{Block, bucket_of, upto_of},
    floor,
    read::{Rows, ends},
    sql,
};
use crate::kit::{Code, Fault, Micros, ReadTx};

/// What the readings from `from` to before `to` come to in spans of `every` microseconds, counted from 1970; those
/// without readings are left out. An hour or a day counts in the span in which it begins, if that is in the window.
///
/// A block that is within one span is taken as a whole; no more blocks are unpacked than there are spans, but for
/// those that rows correct.
///
/// # Errors
/// [`Code::Invalid`] if there are more than `buckets_max`, or the store's.
pub fn buckets(
    tx: &ReadTx<'_>,
    sensor_id: i64,
    from: Micros,
    to: Micros,
    every: i64,
    buckets_max: usize,
) -> Result<Vec<Bucket>, Fault> {
    let ends = ends(tx, sensor_id)?;
    let window = [sensor_id, from, to].map(Value::Integer);
    let mut sums = Sums {
        window: from..to,
        every,
        buckets_max,
        buckets: Vec::new(),
        end: from,
        closed_until: Micros::MIN,
    };
    each(tx, sql::DAYS, &window, |row| sums.add_one(&bucket_of(row)))?;
    sums.closed_until = ends.hours_from;
    each(tx, sql::HOURS, &window, |row| sums.add_one(&bucket_of(row)))?;
    sums.closed_until = ends.raw_from;
    let mut rows = Rows::up(tx, sensor_id, from, to);
    each(tx, sql::BLOCKS_UP, &window, |row| sums.add_block(row, &mut rows))?;
    while let Some(row) = rows.next_if(|_| true)? {
        sums.add_reading(row.at, row.value)?;
    }
    Ok(sums.buckets)
}

/// All rows, until `f` fails.
fn each(
    tx: &ReadTx<'_>,
    statement: bellwire_store::tx::Statement,
    params: &[Value<'_>],
    mut f: impl FnMut(&Row<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut done = Ok(());
    tx.each(statement, params, |row| {
        done = f(row);
        if done.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    done
}

/// Buckets, as they are added up in order of time, but for what came after its time was closed.
struct Sums {
    window: Range<Micros>,
    every: i64,
    buckets_max: usize,
    buckets: Vec<Bucket>,
    /// Where the last bucket ends.
    end: Micros,
    /// What is before this came after the rest of its time had become a part that was added already: what was last
    /// there stays that.
    closed_until: Micros,
}

impl Sums {
    /// Adds a part that is within one bucket; `upto` is the time of the last that is in it.
    fn add(&mut self, part: &Bucket, upto: Micros) -> Result<(), Fault> {
        let from = floor(part.from, self.every);
        let place = match self.buckets.last() {
            Some(last) if last.from > from => {
                self.buckets.binary_search_by_key(&from, |bucket| bucket.from)
            }
            Some(last) if last.from == from => Ok(self.buckets.len() - 1),
            _ => Err(self.buckets.len()),
        };
        match place {
            Ok(i) if upto < self.closed_until => self.buckets[i].add_closed(part),
            Ok(i) => self.buckets[i].add(part),
            Err(_) if self.buckets.len() == self.buckets_max => {
                let words = format!("that are more than {} intervals", self.buckets_max);
                return Err(Fault::new(Code::Invalid, words));
            }
            Err(i) => {
                self.buckets.insert(i, Bucket { from, ..*part });
                self.end = self.end.max(from.saturating_add(self.every));
            }
        }
        Ok(())
    }

    fn add_one(&mut self, part: &Bucket) -> Result<(), Fault> {
        self.add(part, part.from)
    }

    fn add_reading(&mut self, at: Micros, value: f64) -> Result<(), Fault> {
        match self.buckets.last_mut() {
            Some(last) if (last.from.max(self.closed_until)..self.end).contains(&at) => {
                last.add_value(value);
                Ok(())
            }
            _ => self.add_one(&Bucket::of(at, value)),
        }
    }

    /// Adds a block and the rows before its end.
    fn add_block(&mut self, row: &Row<'_>, rows: &mut Rows<'_, '_>) -> Result<(), Fault> {
        let (total, upto) = (bucket_of(row), upto_of(row));
        while let Some(row) = rows.next_if(|row| row.at < total.from)? {
            self.add_reading(row.at, row.value)?;
        }
        let is_whole = self.window.contains(&total.from) && self.window.contains(&upto);
        let is_corrected = rows.peek()?.is_some_and(|row| row.at <= upto);
        if is_whole && !is_corrected && floor(total.from, self.every) == floor(upto, self.every) {
            return self.add(&total, upto);
        }
        if upto < self.window.start {
            return Ok(());
        }
        let packed = Block::of(row).packed;
        let (times, values) = (packed.times()?, packed.values()?);
        if !is_corrected {
            return self.add_run(&times, &values);
        }
        for (at, value) in times.into_iter().zip(values) {
            while let Some(row) = rows.next_if(|row| row.at < at)? {
                self.add_reading(row.at, row.value)?;
            }
            let correction = rows.next_if(|row| row.at == at)?;
            if self.window.contains(&at) {
                let value = correction.map_or(value, |Reading { value, .. }| value);
                self.add_reading(at, value)?;
            }
        }
        Ok(())
    }

    /// Adds those of some readings that are in the window, as many at once as are in one bucket: this is where most of
    /// the time goes.
    fn add_run(&mut self, times: &[Micros], values: &[f64]) -> Result<(), Fault> {
        let before = |moment: Micros| times.partition_point(|at| *at < moment);
        let (mut i, end) = (before(self.window.start), before(self.window.end));
        let closed = before(self.closed_until);
        while i < end {
            let upto = floor(times[i], self.every).saturating_add(self.every);
            let mut next = end.min(i + times[i..].partition_point(|at| *at < upto));
            if i < closed {
                next = next.min(closed);
            }
            let mut run = Bucket::of(times[i], values[i]);
            values[i + 1..next].iter().for_each(|value| run.add_value(*value));
            self.add(&run, times[next - 1])?;
            i = next;
        }
        Ok(())
    }
}
