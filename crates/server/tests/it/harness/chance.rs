//! Chance in tests, from a seed.

use std::ops::Range;

/// Numbers that depend on the seed alone: a linear congruential generator, as in Knuth's MMIX.
#[derive(Debug, Clone)]
pub struct Chance(pub u64);

impl Chance {
    /// A number from 0 to less than `below`.
    pub fn below(&mut self, below: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    /// A seed for the chance of something else.
    pub fn seed(&mut self) -> u64 {
        (self.below(1 << 31) as u64) << 31 | self.below(1 << 31) as u64
    }

    /// One of these, if there is any.
    pub fn of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        (!all.is_empty()).then(|| &all[self.below(all.len())])
    }
}

/// The seeds that this variable names, one (`17`) or several (`0..500`); otherwise the usual ones.
pub fn seeds(variable: &str, usual: Range<u64>) -> Range<u64> {
    let Ok(text) = std::env::var(variable) else { return usual };
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("{variable}: {text}"));
    match text.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(&text)..number(&text) + 1,
    }
}
