//! Medians, spreads and percentiles.

use std::fmt;

/// The median of a set of measurements with its extremes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Half of the measurements lie below.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// The spread of `values`. At least one is needed: every scenario runs a round.
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Self { median, min: sorted[0], max: sorted[sorted.len() - 1] }
    }

    /// The spread of `above[i] / below[i]`: rounds that ran next to each other are compared with
    /// each other, so that a slow minute of the machine touches both.
    pub fn of_ratios(above: &[f64], below: &[f64]) -> Self {
        let ratios: Vec<f64> =
            above.iter().zip(below).map(|(above, below)| above / below).collect();
        Self::of(&ratios)
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ({:.2} to {:.2})", self.median, self.min, self.max)
    }
}

/// The value that `percent` of `sorted` do not exceed (nearest rank), 0 for an empty slice.
pub fn percentile(sorted: &[u32], percent: f64) -> u32 {
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        for (values, median, min, max) in [
            (&[3.0][..], 3.0, 3.0, 3.0),
            (&[9.0, 1.0, 2.0], 2.0, 1.0, 9.0),
            (&[4.0, 1.0, 3.0, 2.0], 2.5, 1.0, 4.0),
        ] {
            assert_eq!(Spread::of(values), Spread { median, min, max });
        }
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let spread = Spread::of_ratios(&[2.0, 30.0, 4.0], &[1.0, 10.0, 4.0]);
        assert_eq!(spread.to_string(), "2.00 (1.00 to 3.00)");
    }

    #[test]
    fn percentiles_are_members_of_the_set() {
        let hundred: Vec<u32> = (1..=100).collect();
        for (percent, value) in [(0.0, 1), (50.0, 50), (99.0, 99), (99.1, 100), (100.0, 100)] {
            assert_eq!(percentile(&hundred, percent), value);
        }
        assert_eq!(percentile(&[7], 99.0), 7);
        assert_eq!(percentile(&[], 99.0), 0);
    }
}
