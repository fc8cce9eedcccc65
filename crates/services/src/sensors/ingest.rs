//! Readings come in: one, or several together.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry as Slot},
};

use serde::Serialize;
use serde_json::Value as Json;

use super::{
    alarms,
    contract::{PostReading, PostReadings, READINGS_MAX, Status},
    entities,
    history::{self, Kept, Reading},
    known::{Known, Latest, Update},
    places, rights,
    sample::{INVALID_TIMESTAMP, Sample, fields_of},
    status::{self, By},
};
use crate::kit::{
    Answer, Code, Ctx, Event, Fault, Micros, Number, Outcome, Payload, Reply, Tx, Upserted,
};

/// `sensor_data`: one reading.
pub fn post(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &PostReading,
) -> Result<Outcome<Upserted<Update<'static>>>, Fault> {
    let mut readings = Readings::default();
    let sample = Sample::read(&cmd.0, ctx.now)?;
    let (kept, reading) = readings.add(tx, ctx, &sample)?;
    let known = &readings.sensors[&sample.sensor_id].known;
    let update = known.update(reading.value, reading.at, reading.is_stamped()).into_owned();
    let reply = Upserted { reply: update, is_new: kept != Kept::Same };
    Ok(readings.finish(tx, ctx)?.map(|()| reply))
}

/// What became of readings that were posted together.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// How many are new.
    stored: usize,
    /// How many gave another value to a time that had one.
    corrected: usize,
    /// How many were known.
    replayed: usize,
    /// Those that were not taken.
    refused: Vec<Refused>,
}

/// A reading that was not taken, by its place among those that were posted.
#[derive(Debug, Serialize)]
struct Refused {
    index: usize,
    code: &'static str,
    message: String,
}

/// `sensor_data_batch`: each is taken or refused by itself.
pub fn post_all(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &PostReadings,
) -> Result<Outcome<Upserted<Report>>, Fault> {
    if !(1..=READINGS_MAX).contains(&cmd.readings.len()) {
        return Err(Fault::new(Code::Invalid, format!("readings: 1 to {READINGS_MAX}")));
    }
    let (mut readings, mut report) = (Readings::default(), Report::default());
    for (index, item) in cmd.readings.iter().enumerate() {
        let posted = of_sensor(item, cmd.sensor_id)
            .and_then(|fields| Sample::read(&fields, ctx.now))
            .and_then(|sample| readings.add(tx, ctx, &sample));
        match posted {
            Ok((Kept::New, _)) => report.stored += 1,
            Ok((Kept::Corrected { .. }, _)) => report.corrected += 1,
            Ok((Kept::Same, _)) => report.replayed += 1,
            Err(fault) if is_about_one(&fault) => {
                let (code, message) = (fault.name(), fault.message.into_owned());
                report.refused.push(Refused { index, code, message });
            }
            Err(fault) => return Err(fault),
        }
    }
    let is_new = report.stored > 0;
    Ok(readings.finish(tx, ctx)?.map(|()| Upserted { reply: report, is_new }))
}

/// Whether a fault is about the one reading; others, such as the store's, end the whole request.
fn is_about_one(fault: &Fault) -> bool {
    matches!(fault.code, Code::Invalid | Code::NotFound | Code::Forbidden)
}

/// The fields of a reading; of one sensor it need not say which.
fn of_sensor(item: &Json, sensor_id: Option<Number>) -> Result<Cow<'_, Payload>, Fault> {
    let mut fields = Cow::Borrowed(fields_of(item)?);
    if let Some(sensor_id) = sensor_id {
        let fields = fields.to_mut();
        let named = fields.entry("sensor_id").or_insert_with(|| sensor_id.get().into());
        if *named != sensor_id.get() {
            return Err(places::mismatch());
        }
    }
    Ok(fields)
}

/// `readings.create`: one reading or several, as they come over HTTP.
pub fn create(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &PostReading,
) -> Result<Outcome<Created>, Fault> {
    if !cmd.0.contains_key("readings") {
        return Ok(post(tx, ctx, cmd)?.map(Created::One));
    }
    let cmd: PostReadings = crate::kit::parse(cmd.0.clone())?;
    Ok(post_all(tx, ctx, &cmd)?.map(Created::Several))
}

/// What `readings.create` replies.
#[derive(Debug)]
pub enum Created {
    /// The reading.
    One(Upserted<Update<'static>>),
    /// What became of them.
    Several(Upserted<Report>),
}

impl Reply for Created {
    fn answer(&self) -> Result<Answer, Fault> {
        match self {
            Created::One(reply) => reply.answer(),
            Created::Several(reply) => reply.answer(),
        }
    }
}

/// Readings that are taken in one decision, and what they come to: what is known of a sensor is written once.
#[derive(Debug, Default)]
struct Readings {
    sensors: HashMap<Number, Taking>,
    /// The sensors in the order in which they were first named.
    order: Vec<Number>,
    events: Vec<Event>,
}

/// A sensor whose readings are being taken.
#[derive(Debug)]
struct Taking {
    known: Known,
    before: Option<Latest>,
    /// The first time that no sample was stamped with yet.
    free_at: Micros,
}

impl Taking {
    /// Begins with a sensor that the caller may post for.
    fn begin(tx: &Tx<'_>, ctx: &Ctx<'_>, id: Number) -> Result<Taking, Fault> {
        let known = Known::find(tx, id)?.ok_or_else(|| places::unknown_sensor(id))?;
        places::check(ctx, &known)?;
        if !rights::may_post(ctx.principal, known.device_id) {
            let why = "this credential may not post for that sensor's device";
            return Err(Fault::new(Code::Forbidden, why));
        }
        Ok(Taking { before: known.latest, known, free_at: ctx.now })
    }
}

impl Readings {
    /// Takes one reading. What is refused changes nothing.
    fn add(
        &mut self,
        tx: &mut Tx<'_>,
        ctx: &Ctx<'_>,
        sample: &Sample,
    ) -> Result<(Kept, Reading), Fault> {
        let Readings { sensors, order, events } = self;
        let Taking { known, free_at, .. } = match sensors.entry(sample.sensor_id) {
            Slot::Occupied(slot) => slot.into_mut(),
            Slot::Vacant(slot) => {
                let taking = Taking::begin(tx, ctx, sample.sensor_id)?;
                order.push(sample.sensor_id);
                slot.insert(taking)
            }
        };
        let reading = match sample.at {
            Some(at) => Reading { at, value: sample.value, delay: Some(ctx.now - at) },
            None => stamped(tx, known, free_at, sample.value)?,
        };
        let latest_at = known.latest.map(|latest| latest.at);
        // The newest is known for good, also when it is part of an hour by now.
        let is_known = known
            .latest
            .is_some_and(|latest| (latest.at, latest.value) == (reading.at, reading.value));
        let kept = match is_known {
            true => Kept::Same,
            false => keep(tx, known, &reading)?,
        };
        if kept != Kept::Same {
            let is_late = latest_at.is_some_and(|latest_at| reading.at < latest_at);
            let update = known.update(reading.value, reading.at, reading.is_stamped());
            events.push(update.event(is_late));
            if !is_late {
                take_latest(known, &reading, ctx.now);
                alarms::judge(tx, ctx, known, events)?;
            }
        }
        Ok((kept, reading))
    }

    /// Writes down what is known by now, and tells what follows from it: devices that are heard again, and states that
    /// are others.
    fn finish(mut self, tx: &mut Tx<'_>, ctx: &Ctx<'_>) -> Result<Outcome<()>, Fault> {
        let mut awake = Vec::new();
        let mut states = Vec::new();
        for id in &self.order {
            let Some(Taking { known, before, .. }) = self.sensors.get_mut(id) else { continue };
            if known.latest == *before {
                continue;
            }
            known.keep_latest(tx)?;
            let heard = |latest: Option<Latest>| latest.and_then(|latest| latest.heard_at);
            if !known.is_active
                && heard(known.latest) != heard(*before)
                && !awake.contains(&known.device_id)
            {
                awake.push(known.device_id);
                status::set(tx, known.device_id, Status::Active, ctx.now, By::Readings)?;
                status::arm(tx, known.device_id)?;
                self.events.push(known.status(Status::Active, ctx.now));
            }
            if known.latest.map(|latest| latest.value) != before.map(|before| before.value) {
                states.push(entities::changed(tx, known)?);
            }
        }
        self.events.extend(states);
        Ok(Outcome { events: self.events, ..Outcome::reply(()) })
    }
}

/// Keeps a reading. One from before what is kept as it came is refused, as nobody could tell whether it came before;
/// unless it is the sensor's newest, which cannot have.
fn keep(tx: &mut Tx<'_>, known: &Known, reading: &Reading) -> Result<Kept, Fault> {
    let sensor_id = known.sensor_id.get();
    let latest_at = known.latest.map(|latest| latest.at);
    let is_after_latest = latest_at.is_some_and(|latest_at| reading.at > latest_at);
    if !is_after_latest && reading.at < history::raw_from(tx, sensor_id)? {
        let words = "timestamp: of that time only what readings came to is kept of this sensor";
        return Err(Fault::new(Code::Invalid, words).named(INVALID_TIMESTAMP));
    }
    history::keep(tx, sensor_id, reading, latest_at)
}

/// How many times are tried to stamp a sample with, before it becomes the newest.
const STAMPS_MAX: u32 = 64;

/// A sample that bears no time: it is stamped with a microsecond of its own.
fn stamped(tx: &Tx<'_>, known: &Known, free_at: &mut Micros, value: f64) -> Result<Reading, Fault> {
    let mut at = *free_at;
    if let Some(latest) = known.latest.filter(|latest| at <= latest.at) {
        let mut tried = 0;
        while at <= latest.at && history::is_taken(tx, known.sensor_id.get(), at)? {
            (at, tried) = if tried < STAMPS_MAX { (at + 1, tried + 1) } else { (latest.at + 1, 0) };
        }
    }
    *free_at = at + 1;
    Ok(Reading { at, value, delay: None })
}

/// What is known becomes this reading: a newer one, or the newest corrected.
fn take_latest(known: &mut Known, reading: &Reading, now: Micros) {
    let before = known.latest;
    let is_newest = before.is_none_or(|before| reading.at > before.at);
    let is_other = before.is_none_or(|before| before.value != reading.value);
    known.latest = Some(Latest {
        at: reading.at,
        value: reading.value,
        is_stamped: reading.is_stamped(),
        changed_at: if is_other { now } else { before.map_or(now, |before| before.changed_at) },
        heard_at: if is_newest { Some(now) } else { before.and_then(|before| before.heard_at) },
        alarm: before.map_or(0, |before| before.alarm),
        alarm_at: before.and_then(|before| before.alarm_at),
    });
}
