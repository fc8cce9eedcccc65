//! SQLite's own speed: readings inserted in bulk into a table like the server's, and nothing else.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rusqlite::Connection;

use crate::feed::now_us;
use crate::interrupt;
use crate::readings::Walk;

/// The columns and the key of the server's table.
const TABLE: &str = "PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE readings (
        sensor_id INTEGER NOT NULL,
        at INTEGER NOT NULL,
        value REAL NOT NULL,
        delay INTEGER,
        PRIMARY KEY (sensor_id, at)
    ) WITHOUT ROWID;";
/// Puts a reading into a table like this, the server's too.
pub const INSERT: &str =
    "INSERT INTO readings (sensor_id, at, value, delay) VALUES (?1, ?2, ?3, ?4)";

/// A database with that one table.
pub struct Bulk {
    connection: Connection,
    walk: Walk,
    /// The time of the last reading.
    at: i64,
    /// How many sets were inserted.
    sets: u64,
}

impl Bulk {
    /// A new one in `directory`.
    pub fn new(directory: &Path) -> Result<Self> {
        let path = directory.join("bulk.db");
        let connection =
            Connection::open(&path).with_context(|| format!("cannot open {path:?}"))?;
        connection.execute_batch(TABLE)?;
        Ok(Self { connection, walk: Walk::new(1), at: now_us(), sets: 0 })
    }

    /// Inserts sets of `len` readings, each of the next of `sensors`, for `time`: each in a
    /// transaction of its own, or all in one. Returns the readings a second.
    pub fn rate(
        &mut self,
        sensors: usize,
        len: usize,
        is_one: bool,
        time: Duration,
    ) -> Result<f64> {
        let began = Instant::now();
        let mut rows = 0;
        while began.elapsed() < time {
            let transaction = self.connection.transaction()?;
            {
                let mut insert = transaction.prepare_cached(INSERT)?;
                loop {
                    interrupt::check()?;
                    let sensor_id = (self.sets % sensors as u64) as i64;
                    self.sets += 1;
                    for _ in 0..len {
                        self.at += 1;
                        let value = self.walk.step() as f64 / 100.0;
                        insert.execute((sensor_id, self.at, value, 100_i64))?;
                    }
                    rows += len;
                    if !is_one || began.elapsed() >= time {
                        break;
                    }
                }
            }
            transaction.commit()?;
        }
        Ok(rows as f64 / began.elapsed().as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::child::ScratchDir;

    #[test]
    fn both_ways_insert() {
        let scratch = ScratchDir::new(&std::env::temp_dir(), "sqlite-test").unwrap();
        let mut bulk = Bulk::new(scratch.path()).unwrap();
        for is_one in [false, true] {
            assert!(bulk.rate(3, 10, is_one, Duration::from_millis(5)).unwrap() > 0.0);
        }
        let count = "SELECT count(*), count(DISTINCT sensor_id) FROM readings";
        let (rows, sensors): (i64, i64) =
            bulk.connection.query_row(count, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert!(rows >= 20 && sensors >= 2);
    }
}
