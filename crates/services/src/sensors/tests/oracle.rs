//! Two devices and five sensors, and whatever may come in whatever order: what is told, answered and kept is what the
//! [`model`](super::model) says.

use super::{
    model::{Alarm, Device, Model, Post, Report, Says, Sensor, shown},
    *,
};
use crate::{
    kit::{timestamp, timestamp_exact},
    sensors::read,
    testing::{Chance, seeds},
};

/// The device of each sensor.
const DEVICES: [usize; 5] = [0, 0, 0, 1, 1];
const VALUES: [f64; 6] = [20.0, 25.5, 30.0, 31.0, 9.0, -1.25];

fn alarm(chance: &mut Chance) -> Option<Alarm> {
    let alarm = Alarm {
        above: 30.0,
        below: 10.0,
        hysteresis: chance.of(&[0.0, 5.0]),
        hold_off_s: chance.of(&[0, 4]),
    };
    (chance.below(3) > 0).then_some(alarm)
}

/// A world with the devices and sensors, and the model of it.
fn begin(chance: &mut Chance) -> (World, Model) {
    let (mut world, mut model) = (World::new(), Model { now: START, ..Model::default() });
    for device in 0..2 {
        let settings: Vec<_> = (0..DEVICES.iter().filter(|of| **of == device).count())
            .map(|_| (1 + chance.below(6) as i64, alarm(chance)))
            .collect();
        let fields: Vec<Value> = settings
            .iter()
            .map(|(silence_s, alarm)| {
                let alarm = alarm.map(|alarm| {
                    let Alarm { above, below, hysteresis, hold_off_s } = alarm;
                    json!({ "above": above, "below": below, "hysteresis": hysteresis, "hold_off_s": hold_off_s })
                });
                json!({ "silence_s": silence_s, "alarm": alarm })
            })
            .collect();
        let numbers = world.device(&fields);
        model.devices.push(Device { number: numbers[0], is_active: false, set_at: None });
        for (number, (silence_s, alarm)) in numbers[1..].iter().zip(settings) {
            model.sensors.push(Sensor {
                number: *number,
                device,
                entity: known_of(&mut world, *number).entity_id.as_str().to_owned(),
                silence_s,
                alarm,
                readings: Default::default(),
                heard_at: None,
                says: Says::Normal,
                raised_at: None,
            });
        }
    }
    (world, model)
}

fn known_of(world: &mut World, sensor: i64) -> known::Known {
    let id = crate::kit::Number::new(sensor).expect("a number");
    let look = world.write(move |tx, _| Ok(Outcome::reply(known::Known::find(tx, id)?)));
    look.expect("the store is sound").0.expect("there is such a sensor")
}

/// A reading: new, late, known or corrected, stamped by the board or not.
fn reading(chance: &mut Chance, model: &Model) -> Post {
    let sensor = chance.below(5);
    let value = chance.of(&VALUES);
    let known = &model.sensors[sensor].readings;
    let at = match chance.below(10) {
        0..4 => None,
        4 => Some(model.now),
        5 => Some(model.now - chance.below(4_000_000) as Micros),
        6 if chance.below(20) == 0 => Some(model.now + chance.below(300_000_001) as Micros),
        // One of those that are there: known or corrected, as the value is.
        _ => known.keys().rev().nth(chance.below(4)).copied(),
    };
    Post { sensor, value, at }
}

fn fields(model: &Model, post: &Post) -> Value {
    let mut fields = json!({ "sensor_id": model.sensors[post.sensor].number, "value": post.value });
    if let Some(at) = post.at {
        fields["timestamp"] = timestamp_exact(at).into();
    }
    fields
}

/// Posts one reading or several, with one that is refused among them now and then.
fn post(chance: &mut Chance, world: &mut World, model: &mut Model, log: &str) {
    if chance.below(2) == 0 {
        let one = reading(chance, model);
        let request = fields(model, &one);
        let (_, expected) = model.post(&[one]);
        let (reply, told) = world.post(request);
        assert_eq!(told, expected, "{log}: {one:?}");
        assert_eq!(reply["sensor_id"], model.sensors[one.sensor].number, "{log}: {one:?}");
        assert_eq!(reply["value"].as_f64(), Some(one.value), "{log}: {one:?}");
        return;
    }
    let posts: Vec<Post> = (0..1 + chance.below(8)).map(|_| reading(chance, model)).collect();
    let mut readings: Vec<Value> = posts.iter().map(|post| fields(model, post)).collect();
    let refused = chance.below(2);
    if refused == 1 {
        let ahead = timestamp_exact(model.now + 300 * SECOND + 1);
        let bad = json!({ "sensor_id": model.sensors[0].number, "value": 1, "timestamp": ahead });
        readings.insert(chance.below(readings.len()), bad);
    }
    let (report, expected) = model.post(&posts);
    let (reply, told) = world.post(json!({ "readings": readings }));
    assert_eq!(told, expected, "{log}: {posts:?}");
    let count = |key: &str| reply[key].as_u64().expect("a number");
    let counted = Report {
        stored: count("stored"),
        corrected: count("corrected"),
        replayed: count("replayed"),
    };
    assert_eq!(counted, report, "{log}: {posts:?}");
    assert_eq!(reply["refused"].as_array().map(Vec::len), Some(refused), "{log}");
}

fn step(chance: &mut Chance, world: &mut World, model: &mut Model, log: &str) {
    match chance.below(12) {
        0..4 => {
            let to = world.now + chance.below(3_000_000) as Micros;
            let mut told = world.pass_to(to);
            told.sort();
            assert_eq!(told, model.pass_to(to), "{log}");
        }
        4 => {
            let (device, is_active) = (chance.below(2), chance.below(2) == 0);
            let status = if is_active { "active" } else { "inactive" };
            let told = world.set(model.devices[device].number, status);
            assert_eq!(told, model.set(device, is_active), "{log}");
        }
        5 => {
            let (sensor, silence_s) = (chance.below(5), 1 + chance.below(6) as i64);
            let sensor = &mut model.sensors[sensor];
            sensor.silence_s = silence_s;
            let told =
                world.change_sensor(json!({ "sensor_id": sensor.number, "silence_s": silence_s }));
            assert_eq!(told, [""; 0], "{log}");
        }
        _ => post(chance, world, model, log),
    }
}

/// All raw readings of a sensor, the newest first, a page at a time.
fn raw(world: &mut World, sensor: i64) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let mut query = json!({ "sensor_id": sensor, "limit": 50 });
        if !cursor.is_null() {
            query["cursor"] = cursor;
        }
        let page = world.write(move |tx, ctx| {
            let page = read::readings(tx, ctx, &parse(object(query.clone()))?)?;
            Ok(Outcome::reply(serde_json::to_value(&page).expect("a page is JSON")))
        });
        let page = page.expect("it may be asked for").0;
        all.extend(page["items"].as_array().expect("a page has items").iter().cloned());
        cursor = page["next"].clone();
        if cursor.is_null() {
            return all;
        }
    }
}

#[test]
fn whatever_comes_is_told_and_kept_as_the_model_says() {
    const STEPS: usize = 150;
    for seed in seeds("BELLWIRE_TEST_SENSORS_SEED", 1..6) {
        let mut chance = Chance(seed);
        let (mut world, mut model) = begin(&mut chance);
        for number in 0..STEPS {
            step(&mut chance, &mut world, &mut model, &format!("seed {seed}, step {number}"));
        }
        for sensor in &model.sensors {
            let expected: Vec<Value> = sensor
                .readings
                .iter()
                .rev()
                .map(|(at, kept)| {
                    let value =
                        serde_json::to_value(crate::sensors::contract::Shortest(kept.value));
                    json!({
                        "value": value.expect("a number"),
                        "timestamp": shown(*at, kept),
                        "received_at": timestamp(kept.received_at),
                    })
                })
                .collect();
            assert_eq!(raw(&mut world, sensor.number), expected, "seed {seed}: {sensor:?}");
            let latest = known_of(&mut world, sensor.number).latest;
            let latest = latest.map(|latest| (latest.at, latest.value, latest.is_stamped));
            let newest = sensor.newest().map(|(at, kept)| (at, kept.value, kept.is_stamped));
            assert_eq!(latest, newest, "seed {seed}: {sensor:?}");
        }
    }
}
