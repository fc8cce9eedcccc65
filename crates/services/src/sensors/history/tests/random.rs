//! Readings as they may come, and work on them at any time.

use super::{oracle::Oracle, *};

const VALUES: &[f64] = &[
    0.0,
    -0.0,
    20.5,
    20.5,
    20.25,
    -3.0,
    1e-310,
    5e-324,
    1e300,
    -1e300,
    0.1,
    1e17,
    f64::MIN_POSITIVE,
];

struct Script {
    world: World,
    oracle: Oracle,
    chance: Chance,
    now: Micros,
    value: i64,
}

impl Script {
    /// A value: most of them as a thermometer's.
    fn value(&mut self) -> f64 {
        self.value += self.chance.below(11) - 5;
        match self.chance.below(40) {
            0 => self.chance.pick(VALUES),
            _ => self.value as f64 / 100.0,
        }
    }

    fn delay(&mut self) -> Option<i64> {
        (!self.chance.one_in(3)).then(|| self.chance.pick(&[0, -5_000, 40_000, 123_456, 1 << 40]))
    }

    /// Readings in time, at about this distance from each other.
    fn on_time(&mut self, count: i64, step: i64) {
        let mut at = self.oracle.latest_at.unwrap_or(START);
        let stamped = self.chance.one_in(2);
        // Some sensors measure when the clock strikes.
        let is_exact = step >= SECOND && self.chance.one_in(3);
        let readings = (0..count).map(|_| {
            at += step + self.chance.below(step);
            at = if is_exact { at.div_euclid(step) * step } else { at };
            let delay = if stamped { None } else { self.delay() };
            Reading { at, value: self.value(), delay }
        });
        let readings: Vec<_> = readings.collect();
        self.keep(&readings);
    }

    /// Readings of the past, in order or not.
    fn late(&mut self, count: i64, step: Option<i64>) {
        let Some(latest_at) = self.oracle.latest_at else { return };
        let first = self.oracle.span().map_or(START, |(first, _)| first - 2 * HOUR);
        let is_any = self.chance.one_in(3);
        let first = if is_any { first } else { first.max(self.oracle.raw_from()) };
        if first >= latest_at {
            return;
        }
        let mut at = first + self.chance.below(latest_at - first);
        let mut readings = Vec::new();
        for _ in 0..count {
            at = match step {
                Some(step) => at + 1 + self.chance.below(step),
                None => first + self.chance.below(latest_at - first),
            };
            if at < latest_at {
                readings.push(Reading { at, value: self.value(), delay: self.delay() });
            }
        }
        self.keep(&readings);
    }

    /// Other values for what is known, and the same.
    fn corrections(&mut self, count: i64) {
        let known: Vec<Reading> = self.oracle.raw.values().copied().collect();
        if known.is_empty() {
            return;
        }
        let readings = (0..count).map(|_| {
            let mut reading = self.chance.pick(&known);
            if self.chance.one_in(4) && !self.oracle.edges.is_empty() {
                let edge = self.chance.pick(&self.oracle.edges);
                reading = self.oracle.raw.get(&edge).copied().unwrap_or(reading);
            }
            if self.chance.one_in(3) {
                return reading;
            }
            Reading { value: self.value(), delay: self.delay(), ..reading }
        });
        let readings: Vec<_> = readings.collect();
        self.keep(&readings);
    }

    fn keep(&mut self, readings: &[Reading]) {
        let found = self.world.keep(readings, self.oracle.latest_at);
        let wanted: Vec<Kept> = readings.iter().map(|reading| self.oracle.keep(reading)).collect();
        assert_eq!(found, wanted);
        self.now = self.now.max(self.oracle.latest_at.unwrap_or(START));
    }

    /// All that is to be done, with a look at it in between: whole days are the same in each slice.
    fn age(&mut self, what: &str) {
        let retention = self.chance.pick(&[
            Retention { raw_s: Some(86_400), ..FOR_GOOD },
            Retention { raw_s: Some(7_200), hourly_s: Some(3 * 86_400), ..FOR_GOOD },
            Retention {
                raw_s: Some(2 * 86_400),
                hourly_s: Some(86_400),
                daily_s: Some(9 * 86_400),
            },
            Retention { raw_s: Some(5 * 86_400), hourly_s: Some(6 * 86_400), ..FOR_GOOD },
        ]);
        if retention.daily_s.is_none() && !self.oracle.has_closed() {
            self.world.tend(retention, self.now, 1 + self.chance.below(12) as usize);
            let found = self.world.buckets(0, Micros::MAX, DAY);
            oracle::same(&found, &self.oracle.buckets(0, Micros::MAX, DAY), what);
        }
        self.world.tend(retention, self.now, usize::MAX);
        self.oracle.age(retention, self.now);
    }

    fn step(&mut self, what: &str) {
        match self.chance.below(12) {
            0..=3 => {
                let step =
                    self.chance.pick(&[10_000, SECOND, 10 * SECOND, 60 * SECOND, 900 * SECOND]);
                let count = 1 + self.chance.below(2_500);
                self.on_time(count, step);
            }
            4 => self.late(60, None),
            5 => {
                let step = self.chance.pick(&[SECOND, 30 * SECOND]);
                let count = self.chance.pick(&[10, 1_100, 3_500]);
                self.late(count, Some(step));
            }
            6 => self.corrections(60),
            7..=9 => {
                let slices_max = self.chance.pick(&[1, 2, 3, 100]);
                self.world.tend(FOR_GOOD, self.now, slices_max);
            }
            10 => self.age(what),
            _ => {
                self.now += self.chance.below(4 * DAY);
                self.on_time(1, self.now - self.oracle.latest_at.unwrap_or(START) + SECOND);
            }
        }
        self.oracle.edges = edges_of_blocks(&mut self.world, what);
        self.oracle.check(&mut self.world, &mut self.chance, 5, what);
    }
}

/// Where blocks begin and end: they do not overlap, and are not too large.
fn edges_of_blocks(world: &mut World, what: &str) -> Vec<Micros> {
    let blocks = world.run(|tx| {
        tx.all(BLOCKS, &[bellwire_store::tx::Value::Integer(SENSOR)], |row| {
            (row.integer(0), row.integer(1), row.integer(2))
        })
    });
    for (from, upto, readings) in &blocks {
        assert!(from <= upto && *readings <= block::READINGS_MAX as i64, "{what}: {blocks:?}");
    }
    assert!(blocks.windows(2).all(|pair| pair[0].1 < pair[1].0), "{what}: {blocks:?}");
    blocks.into_iter().flat_map(|(from, upto, _)| [from, upto]).collect()
}

fn check(seeds: std::ops::Range<u64>) {
    for seed in crate::testing::seeds("BELLWIRE_TEST_HISTORY_SEED", seeds) {
        let (world, oracle, chance) = (World::new(), Oracle::default(), Chance(seed));
        let mut script = Script { world, oracle, chance, now: START, value: 2_000 };
        for step in 0..30 {
            script.step(&format!("BELLWIRE_TEST_HISTORY_SEED={seed}, step {step}"));
        }
    }
}

#[test]
fn what_is_kept_is_what_came() {
    check(0..3);
}

#[test]
fn what_is_kept_is_what_came_in_other_orders() {
    check(100..103);
}
