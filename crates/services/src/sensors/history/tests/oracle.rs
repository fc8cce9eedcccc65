//! Everything in maps, and the rules as the words have them.

use std::collections::BTreeMap;

use super::*;

/// What is known of the sensor.
#[derive(Default)]
pub struct Oracle {
    pub raw: BTreeMap<Micros, Reading>,
    hours: BTreeMap<Micros, Part>,
    days: BTreeMap<Micros, Part>,
    pub latest_at: Option<Micros>,
    /// Times that are to be asked for.
    pub edges: Vec<Micros>,
    /// Where what is raw begins, what is in hours, what is in days: `None` where nothing was ever dropped.
    ends: [Option<Micros>; 3],
}

/// What readings come to, and how exact their sum may be expected to be.
#[derive(Debug, Clone)]
pub struct Part {
    bucket: Bucket,
    sizes: f64,
    /// What may be said to be the last: of those that all came when their time was closed, any.
    lasts: Vec<f64>,
    /// Whether all of it came when its time was closed.
    is_closed: bool,
}

impl Oracle {
    pub fn keep(&mut self, reading: &Reading) -> Kept {
        self.latest_at = self.latest_at.max(Some(reading.at));
        match self.raw.get(&reading.at).map(|known| known.value) {
            Some(value) if value == reading.value => Kept::Same,
            before => {
                self.raw.insert(reading.at, *reading);
                before.map_or(Kept::New, |before| Kept::Corrected { before })
            }
        }
    }

    /// Whether there are raw readings that came when their time was closed.
    pub fn has_closed(&self) -> bool {
        self.raw.range(..self.raw_from()).next().is_some()
    }

    /// Where raw readings begin, but for those that came when their time was closed.
    pub fn raw_from(&self) -> Micros {
        self.ends[0].unwrap_or(Micros::MIN)
    }

    /// What is over has gone on: an hour, when all of it is older than raw readings are kept; a day, when all of it
    /// is older than hours are, and in hours; that, when all of it is older than days are kept.
    pub fn age(&mut self, retention: Retention, now: Micros) {
        let is_over =
            |upto: Micros, kept_s: Option<i64>| kept_s.is_some_and(|s| upto <= now - s * SECOND);
        let hour = |at: Micros| at.div_euclid(HOUR) * HOUR;
        let day = |at: Micros| at.div_euclid(DAY) * DAY;
        let closed_until = self.ends.map(|end| end.unwrap_or(Micros::MIN));
        let old: Vec<Reading> = self.raw.values().copied().collect();
        for reading in old {
            let from = hour(reading.at);
            if is_over(from + HOUR, retention.raw_s) {
                self.raw.remove(&reading.at);
                add(&mut self.hours, from, &Part::of(&reading), from < closed_until[0]);
                self.ends[0] = self.ends[0].max(Some(from + HOUR));
            }
        }
        for (from, part) in self.hours.clone() {
            let upto = day(from) + DAY;
            let is_in_hours = retention.raw_s.is_none() || is_over(upto, retention.raw_s);
            if is_in_hours && is_over(upto, retention.hourly_s) {
                self.hours.remove(&from);
                add(&mut self.days, day(from), &part, from < closed_until[1]);
                self.ends[1] = self.ends[1].max(Some(upto));
                if retention.raw_s.is_some() {
                    self.ends[0] = self.ends[0].max(self.ends[1]);
                }
            }
        }
        for from in self.days.keys().copied().collect::<Vec<_>>() {
            if is_over(from + DAY, retention.daily_s) {
                self.days.remove(&from);
                self.ends[2] = self.ends[2].max(Some(from + DAY));
            }
        }
    }

    pub fn buckets(&self, from: Micros, to: Micros, every: i64) -> Vec<Part> {
        let mut buckets = BTreeMap::new();
        let [raw_from, hours_from, _] = self.ends.map(|end| end.unwrap_or(Micros::MIN));
        for (at, part) in self.days.range(from..to) {
            add(&mut buckets, at.div_euclid(every) * every, part, false);
        }
        for (at, part) in self.hours.range(from..to) {
            add(&mut buckets, at.div_euclid(every) * every, part, *at < hours_from);
        }
        for (at, reading) in self.raw.range(from..to) {
            add(&mut buckets, at.div_euclid(every) * every, &Part::of(reading), *at < raw_from);
        }
        buckets.into_values().collect()
    }

    pub fn before(&self, from: Micros, to: Micros, limit: usize) -> Vec<Reading> {
        self.raw.range(from..to).rev().take(limit).map(|(_, reading)| *reading).collect()
    }

    pub fn span(&self) -> Option<(Micros, Micros)> {
        let times = || self.raw.keys().chain(self.hours.keys()).chain(self.days.keys());
        times().min().copied().zip(times().max().copied())
    }

    /// Whether the database answers some questions in the same way.
    pub fn check(&self, world: &mut World, chance: &mut Chance, questions: usize, what: &str) {
        let ends = world.run(|tx| ends(tx, SENSOR));
        let found = [ends.raw_from, ends.hours_from, ends.days_from];
        assert_eq!(found, self.ends.map(|end| end.unwrap_or(Micros::MIN)), "{what}");
        assert_eq!(world.run(|tx| span(tx, SENSOR)), self.span(), "{what}");
        for _ in 0..questions {
            let (from, to) = (self.moment(chance), self.moment(chance));
            let (from, to) = (from.min(to), from.max(to));
            // Half of the windows are those of people: whole spans.
            let every = chance.pick(&[1, 7, 60, 3_600, 5_184, 86_400, 604_800]) * SECOND;
            let every = if chance.one_in(4) { every / 3 + 1 } else { every };
            let found = world.buckets(from, to, every);
            same(&found, &self.buckets(from, to, every), &format!("{what} {from}..{to}/{every}"));
            let limit = chance.pick(&[0, 1, 100, 3_000]);
            let to = if chance.one_in(3) { from + 1 } else { to };
            let found = world.before(from, to, limit);
            assert_eq!(found, self.before(from, to, limit), "{what} {from}..{to} {limit}");
            let time = self.moment(chance);
            let found =
                world.run(move |tx| Ok((at(tx, SENSOR, time)?, is_taken(tx, SENSOR, time)?)));
            let wanted = self.raw.get(&time).copied();
            assert_eq!(found, (wanted, wanted.is_some()), "{what} at {time}");
        }
    }

    /// Any time, and often one that matters.
    fn moment(&self, chance: &mut Chance) -> Micros {
        let Some((first, last)) = self.span() else { return START };
        let any = first - HOUR + chance.below(last - first + 2 * HOUR);
        let near = self.raw.range(any..).next().map_or(any, |(at, _)| *at);
        match chance.below(8) {
            0 => any,
            6 | 7 if !self.edges.is_empty() => {
                chance.pick(&self.edges) + chance.pick(&[-1, 0, 0, 1])
            }
            1 => near,
            2 => near + chance.pick(&[-1, 1]),
            3 => any.div_euclid(HOUR) * HOUR,
            4 => chance.pick(&[first, last, last + 1]),
            _ => any.div_euclid(DAY) * DAY + chance.pick(&[-1, 0, 1]),
        }
    }
}

impl Part {
    fn of(reading: &Reading) -> Self {
        let Reading { at, value, .. } = *reading;
        let bucket = Bucket::of(at, value);
        Part { bucket, sizes: value.abs(), lasts: vec![value], is_closed: false }
    }
}

/// Adds a later part, or one that came when its time was closed.
fn add(parts: &mut BTreeMap<Micros, Part>, from: Micros, part: &Part, is_closed: bool) {
    let Part { bucket: b, sizes, .. } = part;
    let bucket = Bucket { from, readings: 0, sum: 0.0, ..*b };
    let new = || Part { bucket, sizes: 0.0, lasts: Vec::new(), is_closed: true };
    let sum = parts.entry(from).or_insert_with(new);
    if !is_closed {
        sum.lasts.clear();
    }
    if !is_closed || sum.is_closed {
        sum.lasts.extend(&part.lasts);
    }
    sum.is_closed &= is_closed;
    sum.bucket.readings += b.readings;
    sum.bucket.sum += b.sum;
    sum.sizes += sizes;
    if b.min < sum.bucket.min {
        sum.bucket.min = b.min;
    }
    if b.max > sum.bucket.max {
        sum.bucket.max = b.max;
    }
}

/// Whether buckets are the same, but for what sums differ when their order does.
pub fn same(found: &[Bucket], wanted: &[Part], what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (found, Part { bucket, sizes, lasts, .. }) in found.iter().zip(wanted) {
        let difference = (found.sum - bucket.sum).abs();
        assert!(difference <= sizes * 1e-12, "{what}: {found:?} {bucket:?}");
        assert_eq!(*found, Bucket { sum: found.sum, last: found.last, ..*bucket }, "{what}");
        assert!(lasts.contains(&found.last), "{what}: {found:?} {lasts:?}");
    }
}
