//! History is kept for a time; an entity's newest row is kept for good.

use bellwire_store::tx::Value;

use super::sql;
use crate::kit::{Fault, Micros, Tx};

/// How long rows are kept by default: ten days.
pub const KEPT_MICROS: Micros = 10 * 86_400 * 1_000_000;

/// A place in a sweep over the old rows, from the oldest on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    last_updated: Micros,
    state_id: i64,
}

/// Looks at up to `rows_max` rows older than `before` and takes away those that are not their
/// entity's newest; says where to go on, or `None` at the end of the sweep.
///
/// # Errors
/// The store's.
pub fn sweep(
    tx: &mut Tx<'_>,
    before: Micros,
    from: Place,
    rows_max: i64,
) -> Result<Option<Place>, Fault> {
    let place = [
        Value::Integer(before),
        Value::Integer(from.last_updated),
        Value::Integer(from.state_id),
        Value::Integer(rows_max),
    ];
    let rows = tx.all(sql::OLD, &place, |row| (row.integer(0), row.integer(1), row.text(2)))?;
    for (_, state_id, entity_id) in &rows {
        tx.execute(sql::PRUNE, &[Value::Integer(*state_id), Value::Text(entity_id)])?;
    }
    Ok(rows.last().map(|&(last_updated, state_id, _)| Place { last_updated, state_id }))
}
