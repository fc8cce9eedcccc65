//! What a stream shows first, and what is too much of it.

use super::*;
use crate::{
    kit::{Code, ReadTx, Said},
    sensors::read,
};

type Shows = fn(&ReadTx<'_>, &Principal, Option<i64>) -> Result<Said, Fault>;

/// What is shown, as JSON.
fn shown(world: &mut World, shows: Shows, place: Option<i64>) -> Result<Value, Fault> {
    let look = world.write(move |tx, ctx| {
        let said = shows(tx, ctx.principal, place)?;
        assert_eq!(said.event, "sensors:snapshot");
        Ok(Outcome::reply(said.payload))
    });
    Ok(serde_json::from_str(&look?.0).expect("a snapshot is JSON"))
}

#[test]
fn it_is_refused_over_a_mebibyte_and_single_devices_are_not() {
    let mut world = World::new();
    // As long as texts may be: each takes four bytes for a character.
    let long = |chars: usize| "\u{1F321}".repeat(chars);
    let fields = |n: usize| {
        let sensor_type = format!("{}{n:03}", long(61));
        json!({ "sensor_type": sensor_type, "unit": long(32), "alarm": { "above": 1 } })
    };
    // The most sensors of a device, each with a reading and a raised alarm.
    let mut first = 0;
    for _ in 0..3 {
        let device = world.device(&(0..256).map(fields).collect::<Vec<_>>());
        let name = json!({ "device_id": device[0], "name": long(128) });
        let named = world
            .write(move |tx, ctx| devices::change_device(tx, ctx, &parse(object(name.clone()))?));
        named.expect("it may be called so");
        let reading = |sensor: &i64| json!({ "sensor_id": sensor, "value": 2 });
        let readings: Vec<Value> = device[1..].iter().map(reading).collect();
        let (report, _) = world.post(json!({ "readings": readings }));
        assert_eq!(report["stored"], 256);
        let of_device = shown(&mut world, read::snapshot_of_device, Some(device[0]));
        let of_device = of_device.expect("one device is never too much");
        for (list, count) in [("devices", 1), ("data", 256), ("alarms", 256)] {
            assert_eq!(of_device[list].as_array().map(Vec::len), Some(count), "{list}");
        }
        if first == 0 {
            first = device[0];
            shown(&mut world, read::snapshot_of_all, None).expect("one device is not too much");
        }
    }
    let refused = shown(&mut world, read::snapshot_of_all, None).expect_err("it is over 1 MiB");
    assert_eq!(refused.code, Code::Invalid);
    assert_eq!(
        refused.message,
        "the snapshot is over 1 MiB: ask for single devices, or GET /api/readings"
    );
}

/// What was raised is shown as it was told, and not any more once it ended.
#[test]
fn alarms_that_are_raised_are_shown_as_they_were_told() {
    let mut world = World::new();
    let sensor =
        world.device(&[json!({ "alarm": { "above": 30, "hold_off_s": 0 } }), json!({})])[1];
    let check = |world: &mut World, expected: &[(f64, i64)]| {
        for (shows, place) in [
            (read::snapshot_of_all as Shows, None),
            (read::snapshot_of_device, Some(1)),
            (read::snapshot_of_sensor, Some(sensor)),
        ] {
            let shown = shown(world, shows, place).expect("it is short");
            let alarms = shown["alarms"].as_array().expect("a list").iter();
            let alarms = alarms.map(|alarm| {
                assert_eq!(
                    (&alarm["sensor_id"], &alarm["state"]),
                    (&json!(sensor), &json!("above"))
                );
                (
                    alarm["value"].as_f64().expect("a value"),
                    alarm["threshold"].as_i64().expect("a threshold"),
                )
            });
            assert_eq!(alarms.collect::<Vec<_>>(), expected);
        }
        let other = shown(world, read::snapshot_of_sensor, Some(sensor + 1)).expect("it is short");
        assert_eq!(other, json!({ "devices": [], "data": [], "alarms": [] }));
    };
    check(&mut world, &[]);
    for (value, raised) in [(20.0, false), (31.0, true), (32.5, true), (30.0, false), (31.0, true)]
    {
        world.post(json!({ "sensor_id": sensor, "value": value }));
        let expected: &[(f64, i64)] = if raised { &[(value, 30)] } else { &[] };
        check(&mut world, expected);
    }
    world.change_sensor(json!({ "sensor_id": sensor, "alarm": null }));
    check(&mut world, &[]);
}
