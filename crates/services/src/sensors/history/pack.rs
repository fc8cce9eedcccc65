//! Rows become blocks.

use bellwire_store::tx::Value;

use super::{
    Reading, SECOND,
    block::{Block, READINGS, READINGS_MAX, bucket_of},
    read::reading_of,
    sql,
};
use crate::kit::{Fault, Micros, Tx};

/// Rows are not packed before they are this much older than the newest: what comes a little late finds rows.
const SETTLED: i64 = 600 * SECOND;
/// The rows that are packed at once.
const ROWS: usize = 1_024;

/// Packs a full set of the oldest rows, all of which are after all blocks; says whether there was one. They fill up
/// the last block if there is room for all of them.
pub fn full(tx: &mut Tx<'_>, sensor_id: i64, last_row: Micros) -> Result<bool, Fault> {
    let upto = last_row.saturating_sub(SETTLED);
    let nth = [sensor_id, upto, ROWS as i64 - 1].map(Value::Integer);
    let Some(upto) = tx.one(sql::NTH_ROW, &nth, |row| row.integer(0))? else { return Ok(false) };
    let rows = rows(tx, sensor_id, Micros::MIN, upto + 1)?;
    let last = tx.one(sql::BLOCK_AT, &[sensor_id, upto].map(Value::Integer), |row| {
        let fits = bucket_of(row).readings <= (READINGS - ROWS) as i64;
        fits.then(|| Block::of(row))
    })?;
    join(tx, sensor_id, last.flatten().as_ref(), &rows)?;
    Ok(true)
}

/// Packs some of the rows that are in or before the spans of blocks, from `first_row` on, which is the first of them.
/// They join the block before them, or the first block if there is none before, unless they are a full block of
/// their own.
pub fn late(tx: &mut Tx<'_>, sensor_id: i64, first_row: Micros) -> Result<(), Fault> {
    let key = [Value::Integer(sensor_id), Value::Integer(first_row)];
    let block = match tx.one(sql::BLOCK_AT, &key, Block::of)? {
        Some(block) => Some(block),
        None => tx.one(sql::OLDEST_BLOCKS, &[sensor_id, 1].map(Value::Integer), Block::of)?,
    };
    let block = block.expect("a row is late if there is a block that ends after it");
    let key = [sensor_id, block.total.from].map(Value::Integer);
    let next = tx.one(sql::NEXT_BLOCK, &key, |row| row.integer(0))?;
    let rows = rows(tx, sensor_id, first_row, next.unwrap_or(block.upto + 1))?;
    let is_apart =
        rows.last().is_some_and(|last| last.at < block.total.from) || first_row > block.upto;
    join(tx, sensor_id, Some(&block).filter(|_| !is_apart || rows.len() < ROWS), &rows)
}

/// At most a full set of rows from `from` to before `to`.
fn rows(tx: &Tx<'_>, sensor_id: i64, from: Micros, to: Micros) -> Result<Vec<Reading>, Fault> {
    let window = [sensor_id, from, to, ROWS as i64].map(Value::Integer);
    tx.all(sql::ROWS_UP, &window, reading_of)
}

/// Both in order of time; of two at one time, the row.
fn merge(packed: Vec<Reading>, rows: &[Reading]) -> Vec<Reading> {
    let mut merged = Vec::with_capacity(packed.len() + rows.len());
    let mut rows = rows.iter().copied().peekable();
    for reading in packed {
        while let Some(row) = rows.next_if(|row| row.at < reading.at) {
            merged.push(row);
        }
        merged.push(rows.next_if(|row| row.at == reading.at).unwrap_or(reading));
    }
    merged.extend(rows);
    merged
}

/// Packs rows, together with the readings of a block if one is given: as one block, or as some of about the same size.
fn join(
    tx: &mut Tx<'_>,
    sensor_id: i64,
    block: Option<&Block>,
    rows: &[Reading],
) -> Result<(), Fault> {
    let mut packed = Vec::new();
    if let Some(block) = block {
        packed = block.packed.readings()?;
        tx.execute(sql::DELETE_BLOCK, &[sensor_id, block.total.from].map(Value::Integer))?;
    }
    if let (Some(first), Some(last)) = (rows.first(), rows.last()) {
        tx.execute(sql::DELETE_ROWS, &[sensor_id, first.at, last.at].map(Value::Integer))?;
    }
    let readings = merge(packed, rows);
    let parts = if readings.len() <= READINGS_MAX { 1 } else { readings.len().div_ceil(READINGS) };
    for part in readings.chunks(readings.len().div_ceil(parts)) {
        Block::pack(part).insert(tx, sensor_id)?;
    }
    Ok(())
}
