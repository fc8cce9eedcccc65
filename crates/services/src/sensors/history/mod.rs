//! How readings are kept: as rows, packed in blocks, by the hour, by the day.
//!
//! - A reading lands as a row ([`keep`]). [`tend`] packs rows into blocks, a set at a time, once they are no longer
//!   among the newest; what is too old for its sensor's [`Retention`] becomes a value by the hour, then by the day, and
//!   then goes.
//! - Each reading counts in one place: a row that has the time of a packed reading stands for it, and what has
//!   become part of an hour is no longer raw. So whoever reads adds up what the tables have, and needs to know nothing of
//!   what was tended.
//! - Blocks of a sensor do not overlap, and what is packed is older than what is not, but for rows that came late or
//!   correct. Whoever reads merges these; packing puts them where they belong.
//! - A reading may come when its hour has been summed up already. It is raw until it is added to that hour, where what
//!   was last stays that; and that it came before can be known no more.
//! - All work on old readings is done in slices, each of which leaves everything as consistent as it was.
//!
//! What is *not* here: which reading is a sensor's latest, which is late, and who may ask.

mod age;
mod block;
mod buckets;
mod forget;
mod keep;
mod pack;
mod read;
pub mod sql;
mod tend;
#[cfg(test)]
mod tests;

pub use buckets::buckets;
pub use forget::forget;
pub use keep::{is_taken, keep};
pub use read::{Ends, at, before, ends, raw_from, span};
pub use tend::{Place, tend, tend_next};

use crate::kit::Micros;

/// A value of a sensor and its time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// When it was measured.
    pub at: Micros,
    /// What. Finite.
    pub value: f64,
    /// How much later than that it came, in microseconds; `None`: it bore no time and was stamped when it came.
    pub delay: Option<i64>,
}

impl Reading {
    /// Whether it bore no time, and was stamped when it came.
    pub fn is_stamped(&self) -> bool {
        self.delay.is_none()
    }
}

/// What became of a reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kept {
    /// It is the first of its time.
    New,
    /// There was one of its time with another value, which it replaces.
    Corrected {
        /// The value that was there.
        before: f64,
    },
    /// It was there already. Nothing changed.
    Same,
}

/// How long readings of a sensor are kept, in seconds back from now; `None`: for good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Each by itself.
    pub raw_s: Option<i64>,
    /// By the hour.
    pub hourly_s: Option<i64>,
    /// By the day.
    pub daily_s: Option<i64>,
}

/// What the readings of a time come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// Where that time begins.
    pub from: Micros,
    /// How many there are: at least one.
    pub readings: i64,
    /// All together. It stays finite: what is too large for a number is the largest of them.
    pub sum: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// The last by time.
    pub last: f64,
}

impl Bucket {
    /// One reading.
    fn of(from: Micros, value: f64) -> Self {
        Bucket { from, readings: 1, sum: value, min: value, max: value, last: value }
    }

    /// And a later one.
    fn add_value(&mut self, value: f64) {
        self.readings += 1;
        self.sum = finite_sum(self.sum, value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.last = value;
    }

    /// And what came after this was closed: what was last stays that.
    fn add_closed(&mut self, part: &Bucket) {
        self.add(&Bucket { last: self.last, ..*part });
    }

    /// And all of a later bucket.
    fn add(&mut self, later: &Bucket) {
        self.readings += later.readings;
        self.sum = finite_sum(self.sum, later.sum);
        self.min = self.min.min(later.min);
        self.max = self.max.max(later.max);
        self.last = later.last;
    }
}

/// Infinity less infinity would be no number, and could not be stored.
fn finite_sum(a: f64, b: f64) -> f64 {
    (a + b).clamp(f64::MIN, f64::MAX)
}

/// Where the span of this width begins that `at` is in; spans are counted from 1970 on.
fn floor(at: Micros, width: i64) -> Micros {
    at.div_euclid(width).saturating_mul(width)
}

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;
const DAY: i64 = 24 * HOUR;
