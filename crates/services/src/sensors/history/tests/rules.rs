//! Single rules.

use bellwire_store::tx::Value;

use super::*;
use crate::kit::Code;

#[test]
fn blocks_give_back_what_they_were_given() {
    let check = |readings: &[Reading]| {
        let block = block::Block::pack(readings);
        assert_eq!(block.packed.readings().expect("it is whole"), readings);
        let bits = |values: Vec<f64>| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        let values = readings.iter().map(|reading| reading.value).collect();
        assert_eq!(bits(block.packed.values().expect("it is whole")), bits(values));
        assert_eq!(block.total.readings, readings.len() as i64);
        assert_eq!(
            (block.total.from, block.upto),
            (readings[0].at, readings[readings.len() - 1].at)
        );
        assert_eq!(block.total.last, readings[readings.len() - 1].value);
    };
    let odd = [0.0, -0.0, 5e-324, -5e-324, f64::MAX, f64::MIN, 1e300, 0.1, 25.0, f64::EPSILON];
    for count in [1, 2, 255, 256, 257, block::READINGS, block::READINGS_MAX] {
        let series = |value: &dyn Fn(i64) -> f64, delay: &dyn Fn(i64) -> Option<i64>| {
            let reading = |i| Reading { at: i * i * 977, value: value(i), delay: delay(i) };
            (0..count as i64).map(reading).collect::<Vec<_>>()
        };
        check(&series(&|_| 20.5, &|_| None));
        check(&series(&|i| odd[i as usize % odd.len()], &|i| Some(i * 1_000)));
        check(&series(&|i| i as f64 / 100.0, &|i| (i % 3 > 0).then_some(-i)));
        check(&series(&|i| f64::from_bits(i as u64 * 0x9e37_79b9_7f4a), &|i| {
            (i == 9).then_some(i64::MAX)
        }));
    }
}

#[test]
fn sums_are_finite() {
    let mut world = World::new();
    let readings: Vec<_> = (0..4_000)
        .map(|i| reading(START + i * SECOND, if i < 2_000 { f64::MAX } else { f64::MIN }))
        .collect();
    world.keep(&readings, None);
    world.tend(FOR_GOOD, START + DAY, usize::MAX);
    let retention = Retention { raw_s: Some(0), hourly_s: Some(0), daily_s: None };
    world.tend(retention, START + 2 * DAY, usize::MAX);
    let found = world.buckets(0, Micros::MAX, DAY);
    assert_eq!(found.len(), 1);
    let Bucket { readings, sum, min, max, last, .. } = found[0];
    assert!(sum.is_finite(), "{sum}");
    assert_eq!((readings, min, max, last), (4_000, f64::MIN, f64::MAX, f64::MIN));
}

#[test]
fn the_newest_readings_stay_rows() {
    let mut world = World::new();
    let readings: Vec<_> = (0..1_024).map(|i| reading(START + i * SECOND, 1.0)).collect();
    world.keep(&readings, None);
    let settles = |world: &mut World, last: Micros| {
        world.keep(&[reading(last, 1.0)], None);
        world.tend(FOR_GOOD, last, usize::MAX);
        world.counts()
    };
    let last = readings[1_023].at;
    assert_eq!(settles(&mut world, last + 600 * SECOND - 1), [1_025, 0, 0, 0]);
    assert_eq!(settles(&mut world, last + 600 * SECOND), [2, 1, 0, 0]);
}

#[test]
fn the_last_packed_reading_can_be_corrected() {
    let mut world = World::new();
    let readings: Vec<_> = (0..2_748).map(|i| reading(START + i * SECOND, 1.0)).collect();
    world.keep(&readings, None);
    assert_eq!(world.tend(FOR_GOOD, START + DAY, usize::MAX), 2);
    assert_eq!(world.counts(), [700, 1, 0, 0]);
    for (i, value, kept) in [
        (2_047, 1.0, Kept::Same),
        (2_047, 2.0, Kept::Corrected { before: 1.0 }),
        (2_047, 3.0, Kept::Corrected { before: 2.0 }),
        (0, 4.0, Kept::Corrected { before: 1.0 }),
    ] {
        let correction = reading(readings[i].at, value);
        assert_eq!(world.keep(&[correction], Some(readings[2_747].at)), [kept]);
    }
    assert_eq!(world.counts(), [702, 1, 0, 0]);
    assert_eq!(world.tend(FOR_GOOD, START + DAY, usize::MAX), 1);
    assert_eq!(world.counts(), [700, 1, 0, 0]);
    let found = world.buckets(0, Micros::MAX, DAY);
    assert_eq!(
        found,
        [Bucket { readings: 2_748, sum: 2_753.0, max: 4.0, ..Bucket::of(START, 1.0) }]
    );
    // Alone, it is no less late.
    world.keep(&[reading(readings[2_047].at, 5.0)], Some(readings[2_747].at));
    assert_eq!(world.tend(FOR_GOOD, START + DAY, usize::MAX), 1);
    assert_eq!(world.counts(), [700, 1, 0, 0]);
}

#[test]
fn retention_is_exact() {
    // Readings around the end of an hour that is kept for ten hours, from one moment to the next.
    let mut world = World::new();
    let times = [START + HOUR - 1, START + HOUR, START + 2 * HOUR - 1, START + 2 * HOUR];
    world.keep(&times.map(|at| reading(at, 1.0)), None);
    let retention = Retention { raw_s: Some(36_000), ..FOR_GOOD };
    for (now, left, raw_from_wanted) in [
        (START + 11 * HOUR - 1, 4, Micros::MIN),
        (START + 11 * HOUR, 3, START + HOUR),
        (START + 12 * HOUR - 1, 3, START + HOUR),
        (START + 12 * HOUR, 1, START + 2 * HOUR),
    ] {
        world.tend(retention, now, usize::MAX);
        assert_eq!(world.before(0, Micros::MAX, 10).len(), left);
        assert_eq!(world.run(|tx| raw_from(tx, SENSOR)), raw_from_wanted);
    }
    // Longer retention brings nothing back.
    world.tend(FOR_GOOD, START + 12 * HOUR, usize::MAX);
    assert_eq!(world.run(|tx| raw_from(tx, SENSOR)), START + 2 * HOUR);
}

#[test]
fn readings_may_come_when_their_hour_is_closed() {
    let mut world = World::new();
    let latest_at = START + 40 * DAY;
    let of_value = |at, value| reading(START + at, value);
    world.keep(&[of_value(0, 1.0), of_value(HOUR, 2.0), of_value(HOUR + 2, 3.0)], None);
    world.keep(&[of_value(40 * DAY, 9.0)], Some(START + 2 * HOUR));
    let hour = |from, readings, sum, min, max, last| Bucket { from, readings, sum, min, max, last };
    let check = |world: &mut World, retention, every, wanted: &[Bucket]| {
        // Before and after it was tended.
        assert_eq!(world.buckets(0, latest_at, every), wanted);
        world.tend(retention, latest_at, usize::MAX);
        assert_eq!(world.buckets(0, latest_at, every), wanted);
        let closed_until = if every == HOUR { START + 2 * HOUR } else { START + DAY };
        assert_eq!(world.run(|tx| raw_from(tx, SENSOR)), closed_until);
    };
    let hourly = Retention { raw_s: Some(86_400), ..FOR_GOOD };
    let (first, second) = (START, START + HOUR);
    let wanted = [hour(first, 1, 1.0, 1.0, 1.0, 1.0), hour(second, 2, 5.0, 2.0, 3.0, 3.0)];
    check(&mut world, hourly, HOUR, &wanted);
    // Neither is the last of its hour, whenever it was; the second is the only one of its own.
    let late = [of_value(HOUR + 3, -5.0), of_value(-2 * HOUR, 7.0)];
    assert_eq!(world.keep(&late, Some(latest_at)), [Kept::New, Kept::New]);
    let before = hour(START - 2 * HOUR, 1, 7.0, 7.0, 7.0, 7.0);
    let wanted = [before, wanted[0], hour(second, 3, 0.0, -5.0, 3.0, 3.0)];
    check(&mut world, hourly, HOUR, &wanted);
    // The same in days.
    let daily = Retention { hourly_s: Some(86_400), ..hourly };
    let before = Bucket { from: START - DAY, ..before };
    let wanted = [before, hour(START, 4, 1.0, -5.0, 3.0, 3.0)];
    check(&mut world, daily, DAY, &wanted);
    world.keep(&[of_value(5 * HOUR, 4.0)], Some(latest_at));
    let wanted = [before, hour(START, 5, 5.0, -5.0, 4.0, 3.0)];
    check(&mut world, daily, DAY, &wanted);
}

#[test]
fn blocks_are_split_at_the_end_of_an_hour() {
    // A thousand readings a second, before and after an hour begins; blocks may end right there.
    for before_count in [5_000, 2 * block::READINGS as i64] {
        let mut world = World::new();
        let readings: Vec<_> =
            (-before_count..15_000).map(|i| reading(START + HOUR + i * 1_000, i as f64)).collect();
        world.keep(&readings, None);
        world.keep(&[reading(START + 3 * HOUR, 0.5)], None);
        world.tend(FOR_GOOD, START + 3 * HOUR, usize::MAX);
        let retention = Retention { raw_s: Some(86_400), ..FOR_GOOD };
        world.tend(retention, START + DAY + 2 * HOUR - 1, usize::MAX);
        assert_eq!(world.run(|tx| raw_from(tx, SENSOR)), START + HOUR);
        let mut left = world.before(0, START + 2 * HOUR, usize::MAX);
        left.reverse();
        assert_eq!(left, readings[before_count as usize..]);
        let found = world.buckets(START, START + 2 * HOUR, HOUR);
        let found: Vec<_> = found.iter().map(|hour| (hour.readings, hour.last)).collect();
        assert_eq!(found, [(before_count, -1.0), (15_000, 14_999.0)]);
    }
}

#[test]
fn readings_may_be_a_microsecond_apart() {
    let mut world = World::new();
    let mut readings: Vec<_> = (0..5_000).map(|i| reading(START + i, i as f64)).collect();
    world.keep(&readings, None);
    let check = |world: &mut World, readings: &[Reading]| {
        let wanted: Vec<_> = readings.iter().map(|r| Bucket::of(r.at, r.value)).collect();
        assert_eq!(world.buckets(0, Micros::MAX, 1), wanted);
        let mut found = world.before(0, Micros::MAX, usize::MAX);
        found.reverse();
        assert_eq!(found, readings);
    };
    check(&mut world, &readings);
    readings.push(reading(START + HOUR, 1.0));
    world.keep(&readings[5_000..], None);
    assert_eq!(world.tend(FOR_GOOD, START + HOUR, usize::MAX), 4);
    check(&mut world, &readings);
}

#[test]
fn there_are_no_more_buckets_than_asked_for() {
    let mut world = World::new();
    let readings: Vec<_> = (0..10).map(|i| reading(START + i * SECOND, 1.0)).collect();
    world.keep(&readings, None);
    let mut ask =
        |most| world.ask(move |tx| buckets(tx, SENSOR, START, START + 10 * SECOND, SECOND, most));
    assert_eq!(ask(10).map(|buckets| buckets.len()), Ok(10));
    assert_eq!(ask(9).map_err(|fault| fault.code), Err(Code::Invalid));
    // Before 1970, spans begin where they would.
    world.keep(&[reading(-1, 1.0)], Some(START));
    let found = world.buckets(-10 * SECOND, 0, 60 * SECOND);
    assert_eq!(found, [Bucket { from: -60 * SECOND, ..Bucket::of(-1, 1.0) }]);
}

#[test]
fn a_damaged_block_is_a_fault() {
    let mut world = World::new();
    let readings: Vec<_> = (0..2_000).map(|i| reading(START + i * SECOND, i as f64)).collect();
    world.keep(&readings, None);
    assert_eq!(world.tend(FOR_GOOD, START + DAY, usize::MAX), 1);
    let whole = block::Block::pack(&readings[..1_024]).packed.bytes().to_vec();
    let cut = [&whole[..0], &whole[..8], &whole[..9], &whole[..100], &whole[..whole.len() - 1]];
    let other = [[&[2], &whole[1..]].concat(), [&whole[..5], &[255; 4], &whole[9..]].concat()];
    let fewer = block::Block::pack(&readings[..1_000]).packed.bytes().to_vec();
    for bytes in cut.map(<[u8]>::to_vec).into_iter().chain(other).chain([fewer]) {
        world.run(move |tx| tx.execute(DAMAGE, &[Value::Blob(&bytes)]).map(drop));
        let found = world.ask(|tx| before(tx, SENSOR, START, START + 500 * SECOND, 10));
        assert_eq!(found.map_err(|fault| fault.code), Err(Code::Internal));
        let found = world.ask(|tx| buckets(tx, SENSOR, START, START + 500 * SECOND, SECOND, 999));
        assert_eq!(found.map_err(|fault| fault.code), Err(Code::Internal));
    }
}
