//! Chance in tests, from a seed.

use std::ops::Range;

/// What chance does next. What it chooses from, a test adds to it.
pub(crate) struct Chance(pub u64);

impl Chance {
    /// A number from 0 to less than `below`.
    pub fn below(&mut self, below: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    /// One of these.
    pub fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    /// So many of a hundred times.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// The seeds that this variable names, one (`17`) or several (`0..500`); otherwise the usual ones.
pub(crate) fn seeds(variable: &str, usual: Range<u64>) -> Range<u64> {
    let Ok(text) = std::env::var(variable) else { return usual };
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("{variable}: {text}"));
    match text.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(&text)..number(&text) + 1,
    }
}
