//! A month of a sensor, as people ask about it.

use super::{oracle::Oracle, *};

/// A reading per ten seconds, with days on which the sensor was away, some late and some corrected.
fn month() -> Vec<Reading> {
    let mut chance = Chance(1);
    let mut value = 2_000;
    let mut readings = Vec::new();
    for i in 0..30 * 8_640 {
        value += chance.below(11) - 5;
        let at = START + i * 10 * SECOND + chance.below(4_000);
        // Two hours at each noon of every third day, and all of the tenth.
        let is_away = i / 8_640 % 3 == 0 && (4_320..5_040).contains(&(i % 8_640));
        if !is_away && i / 8_640 != 10 {
            readings.push(Reading { at, value: value as f64 / 100.0, delay: None });
        }
    }
    readings
}

#[test]
fn a_month_is_the_same_at_each_age() {
    let (mut world, mut oracle, mut chance) = (World::new(), Oracle::default(), Chance(2));
    let readings = month();
    let now = START + 30 * DAY;
    for part in readings.chunks(50_000) {
        world.keep(part, oracle.latest_at);
        for reading in part {
            oracle.keep(reading);
        }
    }
    let check = |world: &mut World, oracle: &Oracle, chance: &mut Chance, what: &str| {
        for every in [60, 5_184, 86_400] {
            let (from, to) = (START - DAY, now);
            let found = world.buckets(from, to, every * SECOND);
            oracle::same(&found, &oracle.buckets(from, to, every * SECOND), what);
        }
        oracle.check(world, chance, 10, what);
    };
    check(&mut world, &oracle, &mut chance, "rows");

    // All but some is packed: half before what comes late, and half after.
    let slices = world.tend(FOR_GOOD, now, 100);
    assert_eq!(slices, 100);
    let others: Vec<Reading> = (0..2_000)
        .map(|i| match i % 2 {
            0 => Reading { delay: Some(i), ..reading(START + chance.below(29 * DAY), 7.0) },
            _ => Reading { value: -7.5, ..chance.pick(&readings) },
        })
        .collect();
    let found = world.keep(&others, oracle.latest_at);
    let wanted: Vec<Kept> = others.iter().map(|reading| oracle.keep(reading)).collect();
    assert_eq!(found, wanted);
    check(&mut world, &oracle, &mut chance, "half packed");
    world.tend(FOR_GOOD, now, usize::MAX);
    let [rows, blocks, ..] = world.counts();
    assert!(rows < 1_100 && blocks < 160, "{rows} rows, {blocks} blocks");
    check(&mut world, &oracle, &mut chance, "packed");

    for (what, raw_days, hourly_days, daily_days) in [
        ("hours", Some(7), None, None),
        ("days", Some(7), Some(14), None),
        ("fewer days", Some(7), Some(14), Some(21)),
        ("nothing but days", Some(0), Some(0), Some(21)),
        ("nothing", Some(0), Some(0), Some(0)),
    ] {
        let seconds = |days: Option<i64>| days.map(|days| days * 86_400);
        let [raw_s, hourly_s, daily_s] = [raw_days, hourly_days, daily_days].map(seconds);
        let retention = Retention { raw_s, hourly_s, daily_s };
        world.tend(retention, now, usize::MAX);
        oracle.age(retention, now);
        check(&mut world, &oracle, &mut chance, what);
    }
    assert_eq!(world.counts(), [0, 0, 0, 0]);
}
