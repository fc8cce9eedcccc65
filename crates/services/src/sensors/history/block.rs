//! Blocks: readings of one sensor, packed a column at a time.
//!
//! A packed block is a byte that says how it is packed (1), the lengths of the columns of times and of values (four
//! bytes each, the least first), and the columns: times, values, delays, each as a file of pcodec. There is no column
//! of delays where all readings were stamped when they came.

use bellwire_store::tx::{Row, Value};
use pco::{
    ChunkConfig,
    data_types::Number,
    standalone::{simple_compress, simple_decompress_into},
};

use super::{Bucket, Reading, sql};
use crate::kit::{Code, Fault, Micros, Tx};

/// The readings of a full block. With more, less of the pages that it takes is empty; with fewer, it costs less to
/// read one of them.
pub const READINGS: usize = 2_048;
/// The most readings of a block: it grows when readings come late.
pub const READINGS_MAX: usize = 3_072;
/// How hard pcodec tries. More takes twice the time, and saves less than a hundredth.
const LEVEL: usize = 6;
const VERSION: u8 = 1;
/// What stands for no delay.
const STAMPED: i64 = i64::MIN;

/// A block as it is stored.
#[derive(Debug)]
pub struct Block {
    /// What it comes to; it begins with its first reading.
    pub total: Bucket,
    /// The time of its last reading.
    pub upto: Micros,
    /// Its readings.
    pub packed: Packed,
}

/// The readings of a block: how many, and their bytes.
#[derive(Debug)]
pub struct Packed(usize, Vec<u8>);

impl Block {
    /// Reads what the statements of blocks select.
    pub fn of(row: &Row<'_>) -> Self {
        let total = bucket_of(row);
        let readings = usize::try_from(total.readings).unwrap_or_default();
        Block { total, upto: upto_of(row), packed: Packed(readings, row.blob(7)) }
    }

    /// Packs readings, which are at least one, in order, and no more than fit.
    pub fn pack(readings: &[Reading]) -> Self {
        let (first, later) = readings.split_first().expect("a block has readings");
        let mut total = Bucket::of(first.at, first.value);
        later.iter().for_each(|reading| total.add_value(reading.value));
        let times: Vec<i64> = readings.iter().map(|reading| reading.at).collect();
        let values: Vec<f64> = readings.iter().map(|reading| reading.value).collect();
        let (times, values) = (column(&times), column(&values));
        let delays = if readings.iter().all(|reading| reading.delay.is_none()) {
            Vec::new()
        } else {
            let delays = readings.iter().map(|reading| reading.delay.unwrap_or(STAMPED));
            column(&delays.collect::<Vec<i64>>())
        };
        let mut packed = vec![VERSION];
        for column in [&times, &values] {
            let len = u32::try_from(column.len()).expect("a column has no more than 3,072 numbers");
            packed.extend_from_slice(&len.to_le_bytes());
        }
        for column in [times, values, delays] {
            packed.extend_from_slice(&column);
        }
        let upto = readings.last().map_or(first.at, |reading| reading.at);
        Block { total, upto, packed: Packed(readings.len(), packed) }
    }

    /// Stores a new block.
    pub fn insert(&self, tx: &mut Tx<'_>, sensor_id: i64) -> Result<(), Fault> {
        let [sensor_id, from, readings, sum, min, max, last] =
            bucket_values(sensor_id, &self.total);
        let packed = Value::Blob(self.packed.bytes());
        let block =
            [sensor_id, from, readings, sum, min, max, last, Value::Integer(self.upto), packed];
        tx.execute(sql::INSERT_BLOCK, &block).map(drop)
    }
}

impl Packed {
    /// As they are stored.
    pub fn bytes(&self) -> &[u8] {
        &self.1
    }

    /// The times, in order.
    pub fn times(&self) -> Result<Vec<Micros>, Fault> {
        self.numbers(self.columns()?[0])
    }

    /// The values.
    pub fn values(&self) -> Result<Vec<f64>, Fault> {
        self.numbers(self.columns()?[1])
    }

    /// Everything.
    pub fn readings(&self) -> Result<Vec<Reading>, Fault> {
        let [times, values, delays] = self.columns()?;
        let times = self.numbers(times)?;
        let values = self.numbers(values)?;
        let delays = match delays {
            [] => vec![STAMPED; self.0],
            delays => self.numbers(delays)?,
        };
        let readings = times.into_iter().zip(values).zip(delays);
        let reading = |((at, value), delay)| Reading {
            at,
            value,
            delay: Some(delay).filter(|delay| *delay != STAMPED),
        };
        Ok(readings.map(reading).collect())
    }

    fn columns(&self) -> Result<[&[u8]; 3], Fault> {
        let split = || {
            let (&[version, a, b, c, d, e, f, g, h], columns) = self.1.split_first_chunk()?;
            let (times, others) = columns.split_at_checked(usize_of([a, b, c, d])?)?;
            let (values, delays) = others.split_at_checked(usize_of([e, f, g, h])?)?;
            (version == VERSION).then_some([times, values, delays])
        };
        split().ok_or_else(damaged)
    }

    fn numbers<T: Number>(&self, column: &[u8]) -> Result<Vec<T>, Fault> {
        let mut numbers = vec![T::default(); self.0];
        match simple_decompress_into(column, &mut numbers) {
            Ok(progress) if progress.finished && progress.n_processed == self.0 => Ok(numbers),
            _ => Err(damaged()),
        }
    }
}

/// What the statements of blocks, hours and days select first.
pub fn bucket_of(row: &Row<'_>) -> Bucket {
    Bucket {
        from: row.integer(0),
        readings: row.integer(1),
        sum: row.real(2),
        min: row.real(3),
        max: row.real(4),
        last: row.real(5),
    }
}

/// Where a block ends, of what the statements of blocks select.
pub fn upto_of(row: &Row<'_>) -> Micros {
    row.integer(6)
}

/// What the statements are given that store a block, an hour or a day.
pub fn bucket_values(sensor_id: i64, bucket: &Bucket) -> [Value<'static>; 7] {
    [
        Value::Integer(sensor_id),
        Value::Integer(bucket.from),
        Value::Integer(bucket.readings),
        Value::Real(bucket.sum),
        Value::Real(bucket.min),
        Value::Real(bucket.max),
        Value::Real(bucket.last),
    ]
}

fn column<T: Number>(numbers: &[T]) -> Vec<u8> {
    let config = ChunkConfig::default().with_compression_level(LEVEL);
    simple_compress(numbers, &config).expect("the level is one that there is")
}

fn usize_of(len: [u8; 4]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(len)).ok()
}

fn damaged() -> Fault {
    Fault::new(Code::Internal, "a block of readings is damaged")
}
