//! Chance in tests, from a seed, and the seeds that the environment names.
//!
//! The tests of the server have this file in common with those of the services.

#![allow(dead_code, reason = "several crates have it in common, and none uses all of it")]

use std::ops::Range;

/// Numbers that depend on the seed alone: a linear congruential generator, as in Knuth's MMIX. What it chooses from, a
/// test adds to it.
#[derive(Debug, Clone)]
pub struct Chance(pub u64);

impl Chance {
    /// A number from 0 to less than `below`.
    pub fn below(&mut self, below: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    /// One of these, of which there is one at least.
    pub fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    /// One of these, if there is any.
    pub fn any<T: Clone>(&mut self, all: &[T]) -> Option<T> {
        (!all.is_empty()).then(|| self.of(all))
    }

    /// So many of a hundred times.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// A seed for the chance of something else.
    pub fn seed(&mut self) -> u64 {
        (self.below(1 << 31) as u64) << 31 | self.below(1 << 31) as u64
    }
}

/// The number that this variable is, if it is set.
pub fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

/// The seeds that this variable names, one (`17`) or several (`0..500`); otherwise the usual ones.
pub fn seeds(variable: &str, usual: Range<u64>) -> Range<u64> {
    let Ok(text) = std::env::var(variable) else { return usual };
    let number =
        |text: &str| text.parse().unwrap_or_else(|_| panic!("{variable} names no seeds: {text}"));
    match text.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(&text)..number(&text) + 1,
    }
}
