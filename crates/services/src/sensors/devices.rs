//! Decisions about devices and sensors: an admin's.

use bellwire_store::tx::Value;

use super::{
    alarms,
    contract::{
        ChangeDevice, ChangeRetention, ChangeSensor, CreateDevice, CreateSensor, Device, OneDevice,
        OneSensor, Retention, SENSORS_OF_DEVICE_MAX, SILENCE_S, SILENCE_S_MAX, Sensor, Status,
    },
    entities,
    known::{Known, device_status},
    read, sql,
    status::{self, By},
};
use crate::{
    acknowledgements, identity,
    kit::{Code, Ctx, Effect, Event, Fault, Micros, Number, Outcome, Principal, Role, Tx, due},
};

/// `devices.create`.
pub fn create_device(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &CreateDevice,
) -> Result<Outcome<Device>, Fault> {
    let id = loop {
        let id = Number::next(tx, "devices")?;
        if read::find_device(tx, id)?.is_none() {
            break id;
        }
    };
    let status = cmd.status.unwrap_or(Status::Inactive);
    let device = Device { id, name: cmd.name.as_str().to_owned(), status };
    insert_device(tx, &device, ctx.now)?;
    Ok(Outcome::reply(device))
}

/// Adds the row of a device.
pub(super) fn insert_device(tx: &mut Tx<'_>, device: &Device, now: Micros) -> Result<(), Fault> {
    let row = [
        Value::Integer(device.id.get()),
        Value::Text(&device.name),
        Value::Integer(device.status.is_active().into()),
        Value::Integer(now),
        if device.status.is_active() { Value::Integer(now) } else { Value::Null },
    ];
    tx.execute(sql::INSERT_DEVICE, &row).map(drop)
}

/// `devices.change`: what it is told to be holds until its sensors say otherwise.
pub fn change_device(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &ChangeDevice,
) -> Result<Outcome<Device>, Fault> {
    let mut device = read::device(tx, cmd.device_id)?;
    let mut outcome = Outcome::reply(());
    if let Some(name) = cmd.name.as_ref().filter(|name| name.as_str() != device.name) {
        name.as_str().clone_into(&mut device.name);
        tx.execute(
            sql::RENAME_DEVICE,
            &[Value::Integer(device.id.get()), Value::Text(&device.name)],
        )?;
        // What its sensors are called among home states has its name in it.
        for sensor in read::sensors_of(tx, device.id)? {
            outcome.events.push(entities::changed_attributes(tx, sensor.id)?);
        }
    }
    let Some(new) = cmd.status.filter(|status| *status != device.status) else {
        return Ok(outcome.map(|()| device));
    };
    device.status = new;
    status::set(tx, device.id, new, ctx.now, By::Admin)?;
    status::arm(tx, device.id)?;
    outcome.events.push(device_status(device.id, &device.name, new, ctx.now));
    Ok(outcome.map(|()| device))
}

/// `devices.delete`: its sensors go with it, and its tokens end.
pub fn delete_device(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &OneDevice,
) -> Result<Outcome<()>, Fault> {
    let device = read::device(tx, cmd.device_id)?;
    let mut outcome = Outcome::reply(());
    for sensor in read::sensors_of(tx, device.id)? {
        outcome.events.push(take_away(tx, &sensor)?);
    }
    due::disarm(tx, status::SILENCE, &device.id.to_string())?;
    tx.execute(sql::DELETE_DEVICE, &[Value::Integer(device.id.get())])?;
    let subject = device.id.to_string();
    identity::end_tokens_of(tx, ctx, Role::Device, &subject)?;
    let principal = Principal::device(&subject);
    acknowledgements::forget(tx, &principal)?;
    Ok(outcome.effect(Effect::Revoke { principal, last: None }))
}

/// `sensors.create`.
pub fn create_sensor(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &CreateSensor,
) -> Result<Outcome<Sensor>, Fault> {
    let device = read::find_device(tx, cmd.device_id)?;
    let device =
        device.ok_or_else(|| Fault::new(Code::Invalid, "device_id: there is no such device"))?;
    let of_device = [Value::Integer(device.id.get())];
    let count = tx.one(sql::SENSOR_COUNT, &of_device, |row| row.integer(0))?.unwrap_or(0);
    if count >= SENSORS_OF_DEVICE_MAX {
        let why = format!("a device has at most {SENSORS_OF_DEVICE_MAX} sensors");
        return Err(Fault::new(Code::Conflict, why));
    }
    let id = loop {
        let id = Number::next(tx, "sensors")?;
        if read::find_sensor(tx, id)?.is_none() {
            break id;
        }
    };
    let sensor = Sensor {
        id,
        device_id: device.id,
        sensor_type: cmd.sensor_type.as_str().to_owned(),
        unit: cmd.unit.0.clone(),
        silence_s: silence(cmd.silence_s.unwrap_or(SILENCE_S))?,
        alarm: cmd.alarm,
        retention: retention(cmd.retention, Retention::default())?,
        entity_id: entities::free_id(tx, &device.name, cmd.sensor_type.as_str())?,
    };
    insert_sensor(tx, &sensor, ctx.now)?;
    if device.status.is_active() {
        // There was nothing to hear until now.
        if count == 0 {
            let now = [Value::Integer(device.id.get()), Value::Integer(ctx.now)];
            tx.execute(sql::SET_AT, &now)?;
        }
        status::arm(tx, device.id)?;
    }
    let event = entities::appeared(tx, &sensor, &device.name)?;
    Ok(Outcome::reply(sensor).event(event))
}

fn silence(silence_s: i64) -> Result<i64, Fault> {
    if (1..=SILENCE_S_MAX).contains(&silence_s) {
        Ok(silence_s)
    } else {
        Err(Fault::new(Code::Invalid, format!("silence_s: 1 to {SILENCE_S_MAX}")))
    }
}

fn retention(change: ChangeRetention, old: Retention) -> Result<Retention, Fault> {
    change.apply(old).map_err(|why| Fault::new(Code::Invalid, why))
}

/// Adds the row of a sensor.
pub(super) fn insert_sensor(tx: &mut Tx<'_>, sensor: &Sensor, now: Micros) -> Result<(), Fault> {
    let alarm = alarm_json(sensor);
    let of = [sensor.id, sensor.device_id].map(|id| Value::Integer(id.get()));
    let fixed = [Value::Text(sensor.entity_id.as_str()), Value::Integer(now)];
    let row = [&of[..], &settings(sensor, alarm.as_deref()), &fixed].concat();
    tx.execute(sql::INSERT_SENSOR, &row).map(drop)
}

/// What an admin sets of a sensor, as columns.
fn settings<'a>(sensor: &'a Sensor, alarm: Option<&'a str>) -> [Value<'a>; 7] {
    let Retention { raw_days, hourly_days, daily_days } = sensor.retention;
    [
        Value::Text(&sensor.sensor_type),
        Value::Text(&sensor.unit),
        Value::Integer(sensor.silence_s),
        alarm.map_or(Value::Null, Value::Text),
        days(raw_days),
        days(hourly_days),
        days(daily_days),
    ]
}

fn alarm_json(sensor: &Sensor) -> Option<String> {
    sensor.alarm.map(|alarm| serde_json::to_string(&alarm).expect("numbers serialise"))
}

fn days(days: Option<i64>) -> Value<'static> {
    days.map_or(Value::Null, Value::Integer)
}

/// `sensors.change`. A new alarm says something with the next reading; what it does not watch any more ends.
pub fn change_sensor(
    tx: &mut Tx<'_>,
    _: &Ctx<'_>,
    cmd: &ChangeSensor,
) -> Result<Outcome<Sensor>, Fault> {
    let mut sensor = read::sensor(tx, cmd.sensor_id)?;
    let entity_before = (sensor.sensor_type.clone(), sensor.unit.clone());
    if let Some(sensor_type) = &cmd.sensor_type {
        sensor_type.as_str().clone_into(&mut sensor.sensor_type);
    }
    if let Some(unit) = &cmd.unit {
        sensor.unit.clone_from(&unit.0);
    }
    sensor.silence_s = silence(cmd.silence_s.unwrap_or(sensor.silence_s))?;
    let mut outcome = Outcome::reply(());
    if let (Some(alarm), Some(known)) = (cmd.alarm, Known::find(tx, sensor.id)?) {
        outcome.events.extend(alarms::end_unwatched(tx, known, alarm)?);
        sensor.alarm = alarm;
    }
    sensor.retention = retention(cmd.retention, sensor.retention)?;
    let alarm = alarm_json(&sensor);
    let id = [Value::Integer(sensor.id.get())];
    let row = [&id[..], &settings(&sensor, alarm.as_deref())].concat();
    tx.execute(sql::UPDATE_SENSOR, &row)?;
    let device = read::device(tx, sensor.device_id)?;
    if device.status.is_active() {
        status::arm(tx, device.id)?;
    }
    if entity_before != (sensor.sensor_type.clone(), sensor.unit.clone()) {
        outcome.events.push(entities::changed_attributes(tx, sensor.id)?);
    }
    Ok(outcome.map(|()| sensor))
}

/// `sensors.delete`.
pub fn delete_sensor(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &OneSensor,
) -> Result<Outcome<()>, Fault> {
    let sensor = read::sensor(tx, cmd.sensor_id)?;
    let event = take_away(tx, &sensor)?;
    if read::device(tx, sensor.device_id)?.status.is_active() {
        let device = Value::Integer(sensor.device_id.get());
        // Those that are left need not have been heard while this one was.
        if tx.one(sql::IS_HEARD, std::slice::from_ref(&device), |_| ())?.is_none() {
            tx.execute(sql::SET_AT, &[device, Value::Integer(ctx.now)])?;
        }
        status::arm(tx, sensor.device_id)?;
    }
    Ok(Outcome::reply(()).event(event))
}

/// Takes a sensor away; its readings may be many, and go in portions.
fn take_away(tx: &mut Tx<'_>, sensor: &Sensor) -> Result<Event, Fault> {
    let id = [Value::Integer(sensor.id.get())];
    for statement in [sql::DELETE_SENSOR, sql::DELETE_LATEST, sql::GONE] {
        tx.execute(statement, &id)?;
    }
    entities::gone(tx, &sensor.entity_id)
}
