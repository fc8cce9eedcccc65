//! Rounds that take turns: first side, second side, first side, second side.

use anyhow::{Result, bail};
use clap::Args;

/// How often an unusable round is measured again before the scenario fails.
const ATTEMPTS_MAX: usize = 5;
/// The largest part of a round's deliveries that heartbeats may amount to. The bare loop has
/// none; measuring ours together with its heartbeats would be another measurement.
const HEARTBEATS_MAX: f64 = 0.01;

/// How many rounds each side gets.
#[derive(Args, Clone, Copy, Debug)]
pub struct Schedule {
    /// Rounds of each side that count.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// Rounds of each side before those, to warm up.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(..=100))]
    pub warmups: u32,
}

/// What one side spent in one round.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// CPU time of the server process.
    pub cpu_ns: u64,
    /// What it did for that: messages delivered, or answered.
    pub deliveries: u64,
    /// Pings that it sent meanwhile.
    pub heartbeats: u64,
    /// Threads of it that ended meanwhile, whose CPU time is unknown.
    pub threads_ended: usize,
}

impl Round {
    /// CPU time per delivery.
    pub fn us_per_delivery(&self) -> f64 {
        self.cpu_ns as f64 / 1000.0 / self.deliveries as f64
    }

    fn is_usable(&self) -> bool {
        self.threads_ended == 0 && self.heartbeats as f64 <= self.deliveries as f64 * HEARTBEATS_MAX
    }
}

/// One side of a comparison: measures a round of itself.
pub type Side<'a> = Turn<'a, Round>;

/// The same where more comes of a round than its cost.
pub type Turn<'a, T> = Box<dyn FnMut() -> Result<T> + 'a>;

impl AsRef<Round> for Round {
    fn as_ref(&self) -> &Round {
        self
    }
}

impl Schedule {
    /// Lets the sides take turns; returns each side's microseconds per delivery, round by round.
    pub fn interleave(&self, sides: &mut [Side<'_>]) -> Result<Vec<Vec<f64>>> {
        let costs = |rounds: Vec<Round>| rounds.iter().map(Round::us_per_delivery).collect();
        Ok(self.take_turns(sides)?.into_iter().map(costs).collect())
    }

    /// Lets the sides take turns; returns what came of each side's rounds.
    pub fn take_turns<T: AsRef<Round>>(&self, sides: &mut [Turn<'_, T>]) -> Result<Vec<Vec<T>>> {
        let mut measured: Vec<Vec<T>> = sides.iter().map(|_| Vec::new()).collect();
        for round in 0..self.warmups + self.rounds {
            for (side, measured) in sides.iter_mut().zip(&mut measured) {
                let result = usable(side)?;
                if round >= self.warmups {
                    measured.push(result);
                }
            }
        }
        Ok(measured)
    }
}

fn usable<T: AsRef<Round>>(side: &mut Turn<'_, T>) -> Result<T> {
    for _ in 0..ATTEMPTS_MAX {
        let measured = side()?;
        if measured.as_ref().is_usable() {
            return Ok(measured);
        }
    }
    bail!("heartbeats or ending threads spoilt {ATTEMPTS_MAX} rounds in a row")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(cpu_ns: u64, heartbeats: u64, threads_ended: usize) -> Round {
        Round { cpu_ns, deliveries: 100, heartbeats, threads_ended }
    }

    #[test]
    fn sides_take_turns_and_warmups_do_not_count() {
        let order = std::cell::RefCell::new(String::new());
        let side = |name: char, cpu_ns: u64| -> Side<'_> {
            let order = &order;
            Box::new(move || {
                order.borrow_mut().push(name);
                Ok(round(cpu_ns, 0, 0))
            })
        };
        let schedule = Schedule { rounds: 2, warmups: 1 };
        let measured = schedule.interleave(&mut [side('a', 100_000), side('b', 200_000)]).unwrap();
        assert_eq!(*order.borrow(), "ababab");
        assert_eq!(measured, [[1.0, 1.0], [2.0, 2.0]]);
    }

    #[test]
    fn spoilt_rounds_are_repeated_but_not_for_ever() {
        let schedule = Schedule { rounds: 1, warmups: 0 };
        let mut left = vec![round(300_000, 0, 0), round(1, 2, 0), round(1, 0, 1)];
        let side: Side<'_> = Box::new(|| Ok(left.pop().expect("three are enough")));
        assert_eq!(schedule.interleave(&mut [side]).unwrap(), [[3.0]]);

        let always: Side<'_> = Box::new(|| Ok(round(1, 2, 0)));
        assert!(schedule.interleave(&mut [always]).is_err());
    }
}
