//! No slice of work is large, and all of them together come to an end.

use std::sync::{Arc, Mutex};

use bellwire_store::tx::Value;

use super::*;

/// The most rows that a slice of work changes: a set of rows that become blocks, or that become hours.
const CHANGES_MAX: i64 = 2_048 + 256 + 4;

/// So many readings, at this distance from each other.
fn series(count: i64, step: i64) -> Vec<Reading> {
    (0..count).map(|i| reading(START + i * step, i as f64)).collect()
}

/// Works until there is nothing to do, and gives the number of slices.
fn check(world: &mut World, retention: Retention, now: Micros) -> usize {
    let mut before = world.counts();
    for slices in 0.. {
        let more = world.tend(retention, now, 1) == 1;
        let after = world.counts();
        let changes: i64 = before.iter().zip(&after).map(|(b, a)| (b - a).abs()).sum();
        assert!(changes <= CHANGES_MAX, "{changes}");
        if !more {
            assert_eq!(before, after, "there was nothing to do");
            assert_eq!(world.tend(retention, now, 1), 0);
            return slices;
        }
        before = after;
    }
    unreachable!("it has returned");
}

#[test]
fn slices_are_bounded() {
    // Packing takes a set at a time, and leaves the last ten minutes.
    let now = START + 400 * DAY;
    let mut world = World::new();
    world.keep(&series(10_000, SECOND), None);
    assert_eq!(check(&mut world, FOR_GOOD, now), 9);
    assert_eq!(world.counts(), [10_000 - 9 * 1_024, 5, 0, 0]);
    // Late ones, all of one gap, before everything, and all between what there is.
    for (from, step) in [(START - 3 * DAY, SECOND), (START - 2 * DAY, 10), (START + 1, SECOND)] {
        let late: Vec<_> = (0..5_000).map(|i| reading(from + i * step, 0.5)).collect();
        world.keep(&late, Some(Micros::MAX));
        let slices = check(&mut world, FOR_GOOD, now);
        assert!((4..=6).contains(&slices), "{slices}");
    }
    let [rows, blocks, ..] = world.counts();
    assert_eq!(rows, 10_000 - 9 * 1_024 + 25_000 - 25_000);
    assert!(blocks <= 20, "{blocks}");
    let raw = Retention { raw_s: Some(0), ..FOR_GOOD };
    check(&mut world, raw, now);
    let hours = world.counts()[2];
    assert_eq!(world.counts(), [0, 0, hours, 0]);

    // A reading every two hours: each is an hour of its own.
    let mut world = World::new();
    world.keep(&series(3_000, 2 * HOUR), None);
    assert_eq!(check(&mut world, FOR_GOOD, now), 2);
    let slices = check(&mut world, raw, now);
    assert!((3_000 / 256..=16).contains(&slices), "{slices}");
    assert_eq!(world.counts(), [0, 0, 3_000, 0]);
    assert_eq!(check(&mut world, Retention { hourly_s: Some(0), ..raw }, now), 250);
    assert_eq!(world.counts(), [0, 0, 0, 250]);
    let nothing = Retention { raw_s: Some(0), hourly_s: Some(0), daily_s: Some(0) };
    assert_eq!(check(&mut world, nothing, START + 20_000 * DAY), 1);
    assert_eq!(world.counts(), [0, 0, 0, 0]);
    assert_eq!(check(&mut world, nothing, now), 0);
}

#[test]
fn rounds_go_over_all_sensors() {
    let mut world = World::new();
    world.run(|tx| {
        for sensor_id in 101..=300 {
            let entity_id = format!("sensor.a{sensor_id}");
            // Each tenth is kept for a day only.
            let raw_days = if sensor_id % 10 == 0 { Value::Integer(1) } else { Value::Null };
            tx.execute(SENSORS, &[Value::Integer(sensor_id), raw_days, Value::Text(&entity_id)])?;
        }
        Ok(())
    });
    let add = |world: &mut World, sensor_id: i64, from: Micros, count: i64| {
        world.run(move |tx| {
            let mut readings = (0..count).map(|i| reading(from + i * SECOND, 1.0));
            readings.try_for_each(|reading| keep(tx, sensor_id, &reading, None).map(drop))
        });
    };
    for sensor_id in 101..=300 {
        add(&mut world, sensor_id, START, if sensor_id <= 120 { 2_500 } else { 3 });
    }
    let place = Arc::new(Mutex::new(Place::default()));
    let rounds = |world: &mut World, now: Micros| {
        let place = place.clone();
        world.run(move |tx| {
            let mut place = place.lock().expect("nobody panics");
            for slices in 1..1_000 {
                *place = tend_next(tx, &place, now)?;
                if place.rests() {
                    return Ok(slices);
                }
            }
            panic!("it comes to an end");
        })
    };
    // 20 sensors with a set each, then a round that finds nothing: 64 sensors at a time.
    let slices = rounds(&mut world, START + DAY);
    assert!((20..=20 + 2 * 4).contains(&slices), "{slices}");
    assert_eq!(rounds(&mut world, START + DAY), 4);
    // Sensors that were counted are counted again when there is more.
    add(&mut world, 300, START + HOUR, 1_700);
    assert_eq!(rounds(&mut world, START + DAY), 1 + 4 + 4);
    let slices = rounds(&mut world, START + 10 * DAY);
    assert!((20..=60).contains(&slices), "{slices}");
    let left = world.run(|tx| {
        let mut left = Vec::new();
        for sensor_id in 101..=300 {
            if raw_from(tx, sensor_id)? == Micros::MIN {
                left.push(sensor_id);
            }
        }
        Ok(left)
    });
    assert_eq!(left, (101..=300).filter(|id| id % 10 != 0).collect::<Vec<_>>());
}

#[test]
fn sensors_are_forgotten() {
    let mut world = World::new();
    let now = START + 30 * DAY;
    world.keep(&series(40_000, 60 * SECOND), None);
    world.tend(
        Retention { raw_s: Some(10 * 86_400), hourly_s: Some(20 * 86_400), daily_s: None },
        now,
        usize::MAX,
    );
    assert!(world.counts().iter().all(|count| *count > 0), "{:?}", world.counts());
    assert_eq!(world.run(|tx| forget(tx, 100)), 0, "nobody is gone");
    world.run(|tx| tx.execute(GO, &[Value::Integer(SENSOR)]).map(drop));
    for slices in 0.. {
        let taken = world.run(|tx| forget(tx, 100));
        assert!(taken <= 100, "{taken}");
        if taken == 0 {
            assert!(slices > 10, "{slices}");
            break;
        }
    }
    assert_eq!(world.counts(), [0, 0, 0, 0]);
    assert_eq!(world.run(|tx| raw_from(tx, SENSOR)), Micros::MIN);
    assert_eq!(world.run(|tx| tx.one(GONE, &[], |row| row.integer(0))), Some(0));
    // The neighbours are left.
    for neighbour in [SENSOR - 1, SENSOR + 1] {
        assert_eq!(world.run(move |tx| span(tx, neighbour)), Some((START, START)));
    }
}
