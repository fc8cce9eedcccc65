//! What is known of sensors that are no more goes, a slice at a time.

use bellwire_store::tx::Value;

use super::sql;
use crate::kit::{Fault, Tx};

/// A block is worth this many rows: it has pages of its own.
const ROWS_PER_BLOCK: usize = 8;

/// Takes away at most `rows_max` rows of what is kept of the sensors in `sensors_gone`, and these when nothing of them
/// is left. Says how much it took away; 0: nothing is left of any.
///
/// # Errors
/// The store's.
pub fn forget(tx: &mut Tx<'_>, rows_max: usize) -> Result<u64, Fault> {
    let Some(sensor_id) = tx.one(sql::GONE, &[], |row| row.integer(0))? else { return Ok(0) };
    let sensor_id = Value::Integer(sensor_id);
    let blocks_max = rows_max / ROWS_PER_BLOCK;
    for (statement, most) in [
        (sql::FORGET_ROWS, rows_max),
        (sql::FORGET_BLOCKS, blocks_max),
        (sql::FORGET_HOURS, rows_max),
        (sql::FORGET_DAYS, rows_max),
    ] {
        let older = Value::Integer(most.saturating_sub(1) as i64);
        let taken = tx.execute(statement, &[sensor_id, older])?;
        if taken > 0 {
            return Ok(taken);
        }
    }
    let ends = tx.execute(sql::FORGET_ENDS, &[sensor_id])?;
    Ok(ends + tx.execute(sql::FORGOTTEN, &[sensor_id])?)
}
