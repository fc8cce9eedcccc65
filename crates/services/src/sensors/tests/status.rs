//! When a device is active: by when readings came, to the microsecond, and by what admins say.

use super::*;
use crate::kit::timestamp_exact;

/// A device whose sensors are silent after so many seconds, and what happens at which second:
///
/// | `1:2` | sensor 2 is heard |
/// | `1:2~` | of it comes something late |
/// | `1:2!` | its newest value is corrected |
/// | `1:2<` | it is heard, with a clock that is an hour behind |
/// | `1:2>` | with one that is four minutes ahead |
/// | `1:on`, `1:off` | an admin says so |
/// | `1:2s9` | sensor 2 is silent after 9 s from now on |
/// | `1:-2` | sensor 2 is taken away |
/// | `1:+9` | another is added that is silent after 9 s |
///
/// What is told, `+` for active; afterwards an hour passes.
#[track_caller]
fn check(silences: &[i64], script: &str, expected: &str) {
    let mut world = World::new();
    let sensors: Vec<Value> = silences.iter().map(|s| json!({ "silence_s": s })).collect();
    let mut device = world.device(&sensors);
    let mut told = Vec::new();
    for (step, written) in script.split_whitespace().enumerate() {
        let (second, what) = written.split_once(':').expect("a second, and what happens");
        told.extend(world.pass_to(micros(second)));
        let heard = happens(&mut world, &mut device, step, what);
        told.extend(heard.into_iter().map(|text| (world.now, text)));
    }
    let end = world.now + 3_600 * SECOND;
    told.extend(world.pass_to(end));
    let told: Vec<String> = told.iter().filter_map(|(at, text)| status(*at, text)).collect();
    assert_eq!(told.join(" "), expected, "{silences:?} {script}");
}

/// The time of a second of a script.
fn micros(second: &str) -> Micros {
    START + (second.parse::<f64>().expect("a second") * 1e6).round() as Micros
}

/// A change of status as it is written; the time that is told must be that of the change.
fn status(at: Micros, text: &str) -> Option<String> {
    let (status, told_at) = text.strip_prefix("device 1 ")?.split_once(" at ").expect("a time");
    assert_eq!(told_at, crate::kit::timestamp(at), "{text}");
    let second = (at - START) as f64 / 1e6;
    Some(format!("{second}{}", if status == "active" { '+' } else { '-' }))
}

fn happens(world: &mut World, device: &mut Vec<i64>, step: usize, what: &str) -> Vec<String> {
    if let Some(silence) = what.strip_prefix('+') {
        let silence: i64 = silence.parse().expect("seconds");
        device.push(world.sensor(device[0], json!({ "silence_s": silence })));
        return Vec::new();
    }
    let sensor = |digit: &str| device[digit.parse::<usize>().expect("a sensor")];
    let value = 20 + step;
    match what {
        "on" => return world.set(device[0], "active"),
        "off" => return world.set(device[0], "inactive"),
        _ => {}
    }
    if let Some(digit) = what.strip_prefix('-') {
        let one = json!({ "sensor_id": sensor(digit) });
        let gone = world
            .write(move |tx, ctx| devices::delete_sensor(tx, ctx, &parse(object(one.clone()))?));
        return gone.expect("it was there").1.iter().map(told).collect();
    }
    if let Some((digit, silence)) = what.split_once('s') {
        let silence: i64 = silence.parse().expect("seconds");
        return world.change_sensor(json!({ "sensor_id": sensor(digit), "silence_s": silence }));
    }
    let (digit, how) = what.split_at(1);
    let latest = newest(world, sensor(digit));
    let at = match how {
        "" => return world.post(json!({ "sensor_id": sensor(digit), "value": value })).1,
        "~" => latest.expect("it was heard") - 1 - step as Micros,
        "!" => latest.expect("it was heard"),
        "<" => world.now - 3_600 * SECOND,
        ">" => world.now + 240 * SECOND,
        _ => panic!("{what}"),
    };
    let timestamp = timestamp_exact(at);
    world.post(json!({ "sensor_id": sensor(digit), "value": value, "timestamp": timestamp })).1
}

/// The time of the newest reading of a sensor.
fn newest(world: &mut World, sensor: i64) -> Option<Micros> {
    let id = crate::kit::Number::new(sensor).expect("a number");
    let look = world.write(move |tx, _| {
        let known = known::Known::find(tx, id)?.expect("there is such a sensor");
        Ok(Outcome::reply(known.latest.map(|latest| latest.at)))
    });
    look.expect("the store is sound").0
}

#[test]
fn it_is_active_until_it_was_silent_for_its_time() {
    check(&[3], "", "");
    check(&[3], "0:1", "0+ 3-");
    check(&[300], "0:1", "0+ 300-");
    check(&[3], "0:1 2:1 4:1", "0+ 7-");
    check(&[3], "0:1 2.999999:1", "0+ 5.999999-");
    check(&[3], "0:1 3:1", "0+ 3- 3+ 6-");
    check(&[3], "0:1 9:1", "0+ 3- 9+ 12-");
}

#[test]
fn what_is_not_new_keeps_nobody_awake() {
    check(&[3], "0:1 1:1~ 2:1~", "0+ 3-");
    check(&[3], "0:1 4:1~", "0+ 3-");
    check(&[3], "0:1 1:1! 2:1!", "0+ 3-");
    check(&[3], "0:1 4:1!", "0+ 3-");
}

#[test]
fn when_readings_come_counts_and_not_their_clock() {
    check(&[3], "0:1< 2:1<", "0+ 5-");
    check(&[3], "0:1> 2:1>", "0+ 5-");
}

/// Each by its own silence: one that is gone for long does not hold the device for its own time when another speaks.
#[test]
fn the_last_of_its_sensors_decides() {
    check(&[2, 5], "0:1", "0+ 2-");
    check(&[2, 5], "0:2", "0+ 5-");
    check(&[2, 5], "0:1 1:2", "0+ 6-");
    check(&[2, 5], "0:2 4:1", "0+ 6-");
    check(&[2, 5], "0:2 1:1 2:1", "0+ 5-");
    check(&[2, 5], "0:2 10:1", "0+ 5- 10+ 12-");
    check(&[2, 5, 30], "0:1 1:2 5.5:1", "0+ 7.5-");
}

#[test]
fn an_admin_says_so_until_its_sensors_say_otherwise() {
    check(&[2, 5], "0:on", "0+ 5-");
    check(&[2, 5], "0:on 1:1", "0+ 5-");
    check(&[2, 5], "0:on 4:1", "0+ 6-");
    check(&[2], "0:off", "");
    check(&[2], "0:1 1:on 1.5:on", "0+ 2-");
    check(&[2], "0:1 1:off", "0+ 1-");
    check(&[2], "0:1 1:off 1.5:1", "0+ 1- 1.5+ 3.5-");
    check(&[2], "0:1 1:off 1.5:1~", "0+ 1-");
    check(&[2, 5], "0:on 1:off 10:1", "0+ 1- 10+ 12-");
    check(&[], "0:on", "0+");
}

#[test]
fn another_silence_holds_from_now_on() {
    check(&[2], "0:1 1:1s10", "0+ 10-");
    check(&[10], "0:1 1:1s3", "0+ 3-");
    check(&[10], "0:1 5:1s3", "0+ 5-");
    check(&[2], "0:1 5:1s10", "0+ 2-");
}

#[test]
fn a_sensor_that_is_taken_away_says_nothing() {
    check(&[2, 50], "0:1 1:2 1.5:-2", "0+ 2-");
    check(&[2, 50], "0:1 1:2 5:-2", "0+ 5-");
    check(&[2, 50], "0:1 1:2 5:-1", "0+ 51-");
    check(&[2], "0:1 1:-1", "0+");
}

/// What was never heard has been silent since it was made, if there was nothing else to hear.
#[test]
fn the_first_sensor_of_a_device_that_is_active() {
    check(&[2], "0:1 1:-1 50:+9", "0+ 59-");
    check(&[2], "0:1 1:-1 50:+9 55:2", "0+ 64-");
    check(&[2], "0:1 1:-1 50:+3 51:+9", "0+ 59-");
    check(&[2], "0:1 1:-1 50:+9 51:-2 60:+3", "0+ 63-");
    check(&[], "0:on 50:+9", "0+ 59-");
    check(&[], "50:+9", "");
    check(&[2], "0:1 1:+50", "0+ 2-");
    check(&[2], "0:1 1:+50 1:-1", "0+ 51-");
    check(&[2, 5], "0:1 1:2 1:+50 1:-1", "0+ 6-");
}
