//! A reading comes.

use bellwire_store::tx::Value;

use super::{Kept, Reading, block, read::reading_of, sql};
use crate::kit::{Fault, Micros, ReadTx, Tx};

/// Keeps a reading of a sensor whose latest is of `latest_at`, if it has one. What is not after that is looked for;
/// the usual reading is, and costs one insertion.
///
/// One that is before [`raw_from`](super::raw_from) counts again if it came before: what has become part of an hour is
/// not known by itself any more, and cannot be corrected. So who calls refuses it, unless it is the newest.
///
/// # Errors
/// The store's.
pub fn keep(
    tx: &mut Tx<'_>,
    sensor_id: i64,
    reading: &Reading,
    latest_at: Option<Micros>,
) -> Result<Kept, Fault> {
    let values = [
        Value::Integer(sensor_id),
        Value::Integer(reading.at),
        Value::Real(reading.value),
        reading.delay.map_or(Value::Null, Value::Integer),
    ];
    if latest_at.is_none_or(|latest_at| reading.at > latest_at) {
        tx.execute(sql::INSERT, &values)?;
        return Ok(Kept::New);
    }
    let row = tx.one(sql::ROW, &values[..2], |row| reading_of(row).value)?;
    let before = match row {
        Some(value) => Some(value),
        None => packed_value(tx, sensor_id, reading.at)?,
    };
    if before == Some(reading.value) {
        return Ok(Kept::Same);
    }
    tx.execute(if row.is_some() { sql::UPDATE } else { sql::INSERT }, &values)?;
    Ok(before.map_or(Kept::New, |before| Kept::Corrected { before }))
}

/// Whether there is a reading of this very time: raw, as [`keep`] has them.
///
/// # Errors
/// The store's.
pub fn is_taken(tx: &ReadTx<'_>, sensor_id: i64, at: Micros) -> Result<bool, Fault> {
    let key = [Value::Integer(sensor_id), Value::Integer(at)];
    Ok(tx.one(sql::ROW, &key, |_| ())?.is_some() || packed_value(tx, sensor_id, at)?.is_some())
}

/// The value of this time in a block.
fn packed_value(tx: &ReadTx<'_>, sensor_id: i64, at: Micros) -> Result<Option<f64>, Fault> {
    let Some(block) = block::Block::at(tx, sensor_id, at)? else { return Ok(None) };
    match block.packed.times()?.binary_search(&at) {
        Ok(i) => Ok(Some(block.packed.values()?[i])),
        Err(_) => Ok(None),
    }
}
