//! Readings as they came, and from where on there is what.

use std::ops::ControlFlow;

use bellwire_store::tx::{Row, Value};

use super::{
    Reading,
    block::{Block, upto_of},
    sql,
};
use crate::kit::{Fault, Micros, ReadTx};

/// Rows that are read at once: enough that asking again costs nothing, few enough to be held.
const CHUNK_ROWS: usize = 1_024;

/// From where on a sensor has what; the least number where nothing was ever dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// Everything before this is in hours, or in days, or gone, or came after it was. The beginning of an hour.
    pub raw_from: Micros,
    /// Everything before this is in days, or gone, or came after it was. The beginning of a day.
    pub hours_from: Micros,
    /// Everything before this is gone, or came after it was. The beginning of a day.
    pub days_from: Micros,
}

/// From where on a sensor has what.
///
/// # Errors
/// The store's.
pub fn ends(tx: &ReadTx<'_>, sensor_id: i64) -> Result<Ends, Fault> {
    let ends = tx.one(sql::ENDS, &[Value::Integer(sensor_id)], |row| Ends {
        raw_from: row.integer(0),
        hours_from: row.integer(1),
        days_from: row.integer(2),
    })?;
    Ok(ends.unwrap_or(Ends {
        raw_from: Micros::MIN,
        hours_from: Micros::MIN,
        days_from: Micros::MIN,
    }))
}

/// From where on readings of a sensor are kept each by itself; the least number: all are.
///
/// # Errors
/// The store's.
pub fn raw_from(tx: &ReadTx<'_>, sensor_id: i64) -> Result<Micros, Fault> {
    Ok(ends(tx, sensor_id)?.raw_from)
}

/// The raw reading of this very time.
///
/// # Errors
/// The store's.
pub fn at(tx: &ReadTx<'_>, sensor_id: i64, at: Micros) -> Result<Option<Reading>, Fault> {
    let key = [Value::Integer(sensor_id), Value::Integer(at)];
    let row = tx.one(sql::ROW, &key, reading_of)?;
    if row.is_some() {
        return Ok(row);
    }
    let Some(block) = Block::at(tx, sensor_id, at)? else { return Ok(None) };
    let readings = block.packed.readings()?;
    let found = readings.binary_search_by_key(&at, |reading| reading.at);
    Ok(found.ok().map(|i| readings[i]))
}

/// Raw readings from `from` to before `to`, the newest first, at most so many. No more blocks are read than these
/// are in.
///
/// # Errors
/// The store's.
pub fn before(
    tx: &ReadTx<'_>,
    sensor_id: i64,
    from: Micros,
    to: Micros,
    limit: usize,
) -> Result<Vec<Reading>, Fault> {
    let mut found = Vec::new();
    if limit == 0 {
        return Ok(found);
    }
    let mut rows = Rows::down(tx, sensor_id, from, to);
    let mut merged = Ok(());
    tx.each(sql::BLOCKS_DOWN, &[Value::Integer(sensor_id), Value::Integer(to)], |row| {
        if found.len() >= limit || upto_of(row) < from {
            return ControlFlow::Break(());
        }
        merged = merge_down(&Block::of(row), &mut rows, from..to, limit, &mut found);
        if merged.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    merged?;
    while found.len() < limit
        && let Some(reading) = rows.next_if(|_| true)?
    {
        found.push(reading);
    }
    found.truncate(limit);
    Ok(found)
}

/// Adds the rows after the block's beginning, and its readings that are not corrected by these.
fn merge_down(
    block: &Block,
    rows: &mut Rows<'_, '_>,
    wanted: std::ops::Range<Micros>,
    limit: usize,
    found: &mut Vec<Reading>,
) -> Result<(), Fault> {
    while found.len() < limit
        && let Some(reading) = rows.next_if(|row| row.at > block.upto)?
    {
        found.push(reading);
    }
    if found.len() >= limit {
        return Ok(());
    }
    for packed in block.packed.readings()?.into_iter().rev() {
        while let Some(row) = rows.next_if(|row| row.at > packed.at)? {
            found.push(row);
        }
        let correction = rows.next_if(|row| row.at == packed.at)?;
        if wanted.contains(&packed.at) {
            found.push(correction.unwrap_or(packed));
        }
        if found.len() >= limit {
            break;
        }
    }
    Ok(())
}

/// The oldest and the newest time of which something is known: of readings, or where an hour or a day begins.
///
/// # Errors
/// The store's.
pub fn span(tx: &ReadTx<'_>, sensor_id: i64) -> Result<Option<(Micros, Micros)>, Fault> {
    let bounds = Bounds::of(tx, sensor_id)?;
    let oldest = [bounds.first_row, bounds.first_block, bounds.first_hour, bounds.first_day];
    let newest = [bounds.last_row, bounds.blocks_upto, bounds.last_hour, bounds.last_day];
    Ok(oldest.into_iter().flatten().min().zip(newest.into_iter().flatten().max()))
}

/// Where rows, blocks, hours and days of a sensor begin and end; `None` where it has none.
#[derive(Debug, Default)]
pub struct Bounds {
    pub first_row: Option<Micros>,
    pub last_row: Option<Micros>,
    pub first_block: Option<Micros>,
    /// The time of the last packed reading.
    pub blocks_upto: Option<Micros>,
    pub first_hour: Option<Micros>,
    pub last_hour: Option<Micros>,
    pub first_day: Option<Micros>,
    pub last_day: Option<Micros>,
}

impl Bounds {
    /// Looks for them: a few steps down as many trees.
    pub fn of(tx: &ReadTx<'_>, sensor_id: i64) -> Result<Self, Fault> {
        let bounds = tx.one(sql::BOUNDS, &[Value::Integer(sensor_id)], |row| Bounds {
            first_row: row.optional_integer(0),
            last_row: row.optional_integer(1),
            first_block: row.optional_integer(2),
            blocks_upto: row.optional_integer(3),
            first_hour: row.optional_integer(4),
            last_hour: row.optional_integer(5),
            first_day: row.optional_integer(6),
            last_day: row.optional_integer(7),
        })?;
        Ok(bounds.unwrap_or_default())
    }
}

impl Block {
    /// The block in whose span this time is.
    pub fn at(tx: &ReadTx<'_>, sensor_id: i64, at: Micros) -> Result<Option<Self>, Fault> {
        let key = [Value::Integer(sensor_id), Value::Integer(at)];
        let block =
            tx.one(sql::BLOCK_AT, &key, |row| (upto_of(row) >= at).then(|| Block::of(row)))?;
        Ok(block.flatten())
    }
}

/// Rows one by one, in order of time, up or down.
pub struct Rows<'a, 'tx> {
    tx: &'a ReadTx<'tx>,
    sensor_id: i64,
    up: bool,
    from: Micros,
    to: Micros,
    chunk: std::vec::IntoIter<Reading>,
    /// Whether `chunk` was the last.
    done: bool,
}

impl<'a, 'tx> Rows<'a, 'tx> {
    /// From `from` to before `to`, the oldest first.
    pub fn up(tx: &'a ReadTx<'tx>, sensor_id: i64, from: Micros, to: Micros) -> Self {
        Rows { tx, sensor_id, up: true, from, to, chunk: Vec::new().into_iter(), done: false }
    }

    /// From `from` to before `to`, the newest first.
    pub fn down(tx: &'a ReadTx<'tx>, sensor_id: i64, from: Micros, to: Micros) -> Self {
        Rows { up: false, ..Self::up(tx, sensor_id, from, to) }
    }

    /// The next row, which stays the next.
    pub fn peek(&mut self) -> Result<Option<&Reading>, Fault> {
        if self.chunk.as_slice().is_empty() && !self.done {
            self.load()?;
        }
        Ok(self.chunk.as_slice().first())
    }

    /// The next row, if it is wanted.
    pub fn next_if(
        &mut self,
        is_wanted: impl FnOnce(&Reading) -> bool,
    ) -> Result<Option<Reading>, Fault> {
        Ok(if self.peek()?.is_some_and(is_wanted) { self.chunk.next() } else { None })
    }

    fn load(&mut self) -> Result<(), Fault> {
        let statement = if self.up { sql::ROWS_UP } else { sql::ROWS_DOWN };
        let window = [self.sensor_id, self.from, self.to, CHUNK_ROWS as i64].map(Value::Integer);
        let chunk = self.tx.all(statement, &window, reading_of)?;
        self.done = chunk.len() < CHUNK_ROWS;
        match chunk.last() {
            Some(last) if self.up => self.from = last.at + 1,
            Some(last) => self.to = last.at,
            None => {}
        }
        self.chunk = chunk.into_iter();
        Ok(())
    }
}

/// What the statements of rows select.
pub fn reading_of(row: &Row<'_>) -> Reading {
    Reading { at: row.integer(0), value: row.real(1), delay: row.optional_integer(2) }
}
