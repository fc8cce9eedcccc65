//! History is kept for a time; an entity's newest row is kept for good.
//!
//! A sweep goes through all rows in the order of their ids, a slice at a time, and begins anew at
//! the end. It costs a look at each row in hours, and spares every write an index by age.

use bellwire_store::tx::Value;

use super::sql;
use crate::kit::{Fault, Micros, Tx};

/// A place in a sweep: the id of the last row that was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place(i64);

/// Looks at the next `rows_max` rows and takes away those that were last updated before `before`
/// and are not their entity's newest; says where to go on, or `None` at the end.
///
/// # Errors
/// The store's.
pub fn sweep(
    tx: &mut Tx<'_>,
    before: Micros,
    from: Place,
    rows_max: usize,
) -> Result<Option<Place>, Fault> {
    let slice = [Value::Integer(from.0), Value::Integer(rows_max as i64)];
    let rows = tx.all(sql::ROWS, &slice, |row| (row.integer(0), row.text(1), row.integer(2)))?;
    for (state_id, entity_id, _) in rows.iter().filter(|(.., updated_at)| *updated_at < before) {
        tx.execute(sql::PRUNE, &[Value::Integer(*state_id), Value::Text(entity_id)])?;
    }
    Ok(rows.last().filter(|_| rows.len() == rows_max).map(|(state_id, ..)| Place(*state_id)))
}

#[cfg(test)]
mod tests {
    use bellwire_store::{
        change::Outcome,
        sqlite::{Options, Write, Writer},
    };

    use super::*;
    use crate::states::service;

    /// Rows as an entity and when it was updated, in the order of their ids; the ids that are left
    /// when what is older than 10 has gone, whatever the length of a slice.
    fn check(rows: &[(&'static str, Micros)], left: &[i64]) {
        for rows_max in 1..=rows.len() + 1 {
            let directory = tempfile::tempdir().expect("a directory");
            let options = Options::new(directory.path().join("test.db"), "e", 0);
            let mut writer = Writer::open(&options, &[service().migrations]).expect("it opens");
            let rows = rows.to_vec();
            let run = move |tx: &mut Tx<'_>| {
                insert(tx, &rows)?;
                let mut place = Some(Place::default());
                while let Some(from) = place {
                    place = sweep(tx, 10, from, rows_max)?;
                }
                let all = [Value::Integer(0), Value::Integer(100)];
                tx.all(sql::ROWS, &all, |row| row.integer(0)).map(Outcome::reply)
            };
            let batch = writer.batch(vec![Write { at: 0, run: Box::new(run), to: () }]);
            let answer = batch.expect("the disk is sound").answers.remove(0).result;
            assert_eq!(answer.expect("it is committed").reply(), left, "slices of {rows_max}");
        }
    }

    fn insert(tx: &mut Tx<'_>, rows: &[(&str, Micros)]) -> Result<(), Fault> {
        for (id, (entity_id, at)) in (1..).zip(rows) {
            let row = [
                Value::Integer(id),
                Value::Text(entity_id),
                Value::Text("on"),
                Value::Text("{}"),
                Value::Integer(*at),
                Value::Integer(*at),
            ];
            tx.execute(sql::INSERT, &row)?;
        }
        Ok(())
    }

    #[test]
    fn old_rows_go_and_the_newest_of_each_entity_stays() {
        check(&[], &[]);
        check(&[("a.a", 1), ("a.a", 2), ("a.a", 3)], &[3]);
        check(&[("a.a", 1), ("b.b", 2), ("a.a", 9), ("b.b", 10)], &[3, 4]);
        check(&[("a.a", 1), ("a.a", 10), ("a.a", 11)], &[2, 3]);
        // Rows that were updated later than they were made hide nothing behind them.
        check(&[("a.a", 20), ("a.a", 21), ("b.b", 1), ("a.a", 2), ("b.b", 22)], &[1, 2, 4, 5]);
    }
}
