//! What is kept, against an oracle that keeps everything in maps.

mod month;
mod oracle;
mod random;
mod rules;
mod slices;

use std::time::Duration;

use bellwire_store::{
    change::Outcome,
    sqlite::{Options, Write, Writer},
};

use super::*;
use crate::{
    kit::{Fault, Tx},
    sensors::service,
};

/// When the tests begin: the start of a day.
const START: Micros = 20_000 * DAY;
/// The sensor that is tested; others must not matter.
const SENSOR: i64 = 7;
const FOR_GOOD: Retention = Retention { raw_s: None, hourly_s: None, daily_s: None };

/// A database of sensors.
struct World {
    writer: Writer,
    _directory: tempfile::TempDir,
}

impl World {
    /// One in which the neighbours of the sensor have a reading each.
    fn new() -> World {
        let directory = tempfile::tempdir().expect("a directory");
        let mut options = Options::new(directory.path().join("test.db"), "e", 0);
        // However slow the machine is.
        options.command_time_max = Duration::from_secs(60);
        let writer = Writer::open(&options, &[service().migrations]).expect("it opens");
        let mut world = World { writer, _directory: directory };
        world.run(|tx| {
            for neighbour in [SENSOR - 1, SENSOR + 1] {
                keep(tx, neighbour, &reading(START, -999.0), None)?;
            }
            Ok(())
        });
        world
    }

    /// Runs something in a transaction of its own.
    fn run<T: Send + 'static>(
        &mut self,
        run: impl Fn(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> T {
        self.ask(run).expect("it is committed")
    }

    fn ask<T: Send + 'static>(
        &mut self,
        run: impl Fn(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let run = move |tx: &mut Tx<'_>| run(tx).map(Outcome::reply);
        let batch = self.writer.batch(vec![Write { at: 0, run: Box::new(run), to: () }]);
        let answer = batch.expect("the disk is sound").answers.remove(0);
        answer.result.map(|committed| committed.into_parts().0)
    }

    /// Keeps readings of the sensor, whose latest is of `latest_at`.
    fn keep(&mut self, readings: &[Reading], latest_at: Option<Micros>) -> Vec<Kept> {
        let readings = readings.to_vec();
        self.run(move |tx| {
            let mut latest_at = latest_at;
            let keep = |reading: &Reading| {
                let kept = keep(tx, SENSOR, reading, latest_at);
                latest_at = latest_at.max(Some(reading.at));
                kept
            };
            readings.iter().map(keep).collect()
        })
    }

    /// Does at most so many slices of work; says how many there were.
    fn tend(&mut self, retention: Retention, now: Micros, slices_max: usize) -> usize {
        self.run(move |tx| {
            for slices in 0..slices_max {
                if !tend(tx, SENSOR, retention, now)? {
                    return Ok(slices);
                }
            }
            Ok(slices_max)
        })
    }

    fn buckets(&mut self, from: Micros, to: Micros, every: i64) -> Vec<Bucket> {
        self.run(move |tx| buckets(tx, SENSOR, from, to, every, usize::MAX))
    }

    fn before(&mut self, from: Micros, to: Micros, limit: usize) -> Vec<Reading> {
        self.run(move |tx| before(tx, SENSOR, from, to, limit))
    }

    /// How many rows, blocks, hours and days there are of the sensor.
    fn counts(&mut self) -> [i64; 4] {
        self.run(|tx| {
            let counts = tx.one(COUNTS, &[bellwire_store::tx::Value::Integer(SENSOR)], |row| {
                [row.integer(0), row.integer(1), row.integer(2), row.integer(3)]
            })?;
            Ok(counts.expect("a row"))
        })
    }
}

bellwire_store::statements! {
    /// How much there is of a sensor.
    COUNTS = "SELECT (SELECT count(*) FROM readings WHERE sensor_id = $1),
                     (SELECT count(*) FROM reading_blocks WHERE sensor_id = $1),
                     (SELECT count(*) FROM reading_hours WHERE sensor_id = $1),
                     (SELECT count(*) FROM reading_days WHERE sensor_id = $1)";
    /// Spans of blocks and how many readings they have.
    BLOCKS = "SELECT from_at, upto_at, readings FROM reading_blocks WHERE sensor_id = $1 ORDER BY from_at";
    /// Cuts all blocks short.
    DAMAGE = "UPDATE reading_blocks SET packed = $1";
    /// A sensor, of which only retention matters here.
    SENSORS = "INSERT INTO sensors (sensor_id, device_id, sensor_type, unit, silence_s, raw_days, hourly_days,
                   daily_days, entity_id, created_at) VALUES ($1, 1, 't', 'u', 1, $2, NULL, NULL, $3, 0)";
    /// A sensor is no more.
    GO = "INSERT INTO sensors_gone (sensor_id) VALUES ($1)";
    /// How many are no more.
    GONE = "SELECT count(*) FROM sensors_gone";
}

fn reading(at: Micros, value: f64) -> Reading {
    Reading { at, value, delay: None }
}

/// SplitMix64: chance that a seed repeats.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to below `end`.
    fn below(&mut self, end: i64) -> i64 {
        (self.next() % end as u64) as i64
    }

    fn one_in(&mut self, times: i64) -> bool {
        self.below(times) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as i64) as usize]
    }
}
