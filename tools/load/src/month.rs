//! A long time of one sensor's readings, put into a data directory while no server uses it.
//!
//! Each row is as the server stores a reading that comes at its time. Posting a month would take minutes, and
//! would measure something else.

use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use rusqlite::{Connection, OpenFlags};

use crate::interrupt;
use crate::readings::Walk;
use crate::sqlite::INSERT;

/// Readings of one transaction.
const AT_ONCE: usize = 100_000;
/// How irregularly readings come, in microseconds.
const JITTER_US: u64 = 40_000;

/// Readings at regular times.
#[derive(Clone, Copy, Debug)]
pub struct Series {
    /// How many.
    pub readings: u64,
    /// Seconds from one to the next.
    pub every_s: u64,
    /// Whether each bears its time, a whole second, or is stamped when it comes, a little later.
    pub is_dated: bool,
}

impl Series {
    /// Microseconds from the first to the end.
    pub fn length_us(&self) -> i64 {
        (self.readings * self.every_s * 1_000_000) as i64
    }

    /// Inserts them all, from `from_us` on.
    pub fn insert(&self, data: &Path, sensor_id: u64, from_us: i64) -> Result<()> {
        let mut connection = open(data, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;")?;
        let mut walk = Walk::new(sensor_id);
        let mut number = 0;
        while number < self.readings {
            interrupt::check()?;
            let transaction = connection.transaction()?;
            let mut insert = transaction.prepare_cached(INSERT)?;
            let upto = self.readings.min(number + AT_ONCE as u64);
            for number in number..upto {
                let time = from_us + (number * self.every_s * 1_000_000) as i64;
                let late = walk.chance(JITTER_US) as i64;
                let (at, delay) =
                    if self.is_dated { (time, Some(late)) } else { (time + late, None) };
                insert.execute((sensor_id as i64, at, walk.step() as f64 / 100.0, delay))?;
            }
            drop(insert);
            transaction.commit()?;
            number = upto;
        }
        // All of it into the one file, which is copied then.
        let busy: i64 =
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        ensure!(busy == 0, "somebody else uses the database");
        Ok(())
    }
}

/// What a sensor's readings are kept as.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stored {
    /// Those that are rows.
    pub rows: u64,
    /// Those that are in blocks.
    pub packed: u64,
}

impl Stored {
    /// Counts in a database that may be in use.
    pub fn of(data: &Path, sensor_id: u64) -> Result<Self> {
        const COUNT: &str = "SELECT (SELECT count(*) FROM readings WHERE sensor_id = ?1),
            (SELECT coalesce(sum(readings), 0) FROM reading_blocks WHERE sensor_id = ?1)";
        let connection = open(data, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let counts = connection.query_row(COUNT, [sensor_id as i64], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        });
        let (rows, packed) = counts.context("cannot count readings")?;
        Ok(Self { rows: rows as u64, packed: packed as u64 })
    }
}

/// Bytes of the pages that a database uses.
pub fn used_len(data: &Path) -> Result<u64> {
    let connection = open(data, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let number = |pragma: &str| -> Result<u64> {
        let number: i64 =
            connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))?;
        Ok(number as u64)
    };
    Ok((number("page_count")? - number("freelist_count")?) * number("page_size")?)
}

fn open(data: &Path, flags: OpenFlags) -> Result<Connection> {
    let path = data.join("bellwire.db");
    Connection::open_with_flags(&path, flags).with_context(|| format!("cannot open {path:?}"))
}

/// Copies a data directory that no server uses, and makes the system forget what it has in memory of the copy.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {to:?}"))?;
    let entries = fs::read_dir(from).with_context(|| format!("cannot read {from:?}"))?;
    for entry in entries {
        let entry = entry?;
        let copy: PathBuf = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            self::copy(&entry.path(), &copy)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &copy).with_context(|| format!("cannot copy to {copy:?}"))?;
            let file = File::open(&copy)?;
            file.sync_all()?;
            // SAFETY: the descriptor is open; the call takes no memory of ours.
            let failed =
                unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
            ensure!(failed == 0, "the system does not forget {copy:?}: error {failed}");
        }
    }
    Ok(())
}
