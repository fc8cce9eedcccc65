//! Decisions about batteries: staff's.

use bellwire_store::tx::Value;

use super::{
    contract::{AddBattery, Battery, BatteryStatus, Name, OneBattery, STATION_BATTERIES_MAX},
    news::{Action, News},
    read::{self, Counts, StationRow},
    rights, sql,
};
use crate::kit::{Code, Ctx, Fault, Number, Outcome, Tx};

/// How many numbers in a row are tried for a new battery before the one after the largest is taken: a fleet that came
/// with numbers of its own may have taken any number of them.
const TRIES_MAX: usize = 100;

/// `batteries.add`: a new battery, with a number of its own or one that it is given; or one that was collected and
/// comes back.
pub fn add(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &AddBattery) -> Result<Outcome<Battery>, Fault> {
    rights::check_staff(ctx.principal)?;
    let station = read::station_row(tx, cmd.station_id)?;
    if Counts::now(tx, station.id)?.total() >= STATION_BATTERIES_MAX {
        let why =
            format!("{} has {STATION_BATTERIES_MAX} batteries: there is no room", station.name);
        return Err(Fault::new(Code::Conflict, why));
    }
    let known = match cmd.battery_id {
        Some(id) => read::battery(tx, id)?,
        None => None,
    };
    let battery = match known {
        Some(battery) => bring_back(tx, &station, battery, cmd)?,
        None => add_new(tx, &station, cmd)?,
    };
    let counts = Counts::now(tx, station.id)?;
    let news = News::of(&station, counts, ctx.now);
    let (added, update) = (news.added(battery.id), news.inventory(Action::Add));
    Ok(Outcome::reply(battery).event(added).event(update))
}

/// A battery that somebody had is in a station again.
fn bring_back(
    tx: &mut Tx<'_>,
    station: &StationRow,
    battery: Battery,
    cmd: &AddBattery,
) -> Result<Battery, Fault> {
    let given = |name: &Option<Name>, old: String| {
        name.as_ref().map_or(old, |name| name.as_str().to_owned())
    };
    let battery = Battery {
        id: battery.id,
        station_id: Some(station.id),
        name: given(&cmd.name, battery.name),
        model: given(&cmd.model, battery.model),
        status: BatteryStatus::Available,
    };
    if tx.execute(sql::BRING_BACK, &row(&battery, station.id))? == 0 {
        let why = format!("battery {} is at a station already", battery.id);
        return Err(Fault::new(Code::Conflict, why));
    }
    Ok(battery)
}

fn add_new(tx: &mut Tx<'_>, station: &StationRow, cmd: &AddBattery) -> Result<Battery, Fault> {
    let needed = |name: &Option<Name>, field: &str| match name {
        Some(name) => Ok(name.as_str().to_owned()),
        None => Err(Fault::new(Code::Invalid, format!("{field}: needed, as the battery is new"))),
    };
    let (name, model) = (needed(&cmd.name, "name")?, needed(&cmd.model, "model")?);
    let id = match cmd.battery_id {
        Some(id) => id,
        None => free_number(tx)?,
    };
    let battery =
        Battery { id, station_id: Some(station.id), name, model, status: BatteryStatus::Available };
    insert(tx, &battery, station.id)?;
    Ok(battery)
}

/// Adds the row of a battery that is available at a station.
pub(super) fn insert(tx: &mut Tx<'_>, battery: &Battery, at: Number) -> Result<(), Fault> {
    tx.execute(sql::INSERT_BATTERY, &row(battery, at)).map(drop)
}

fn row(battery: &Battery, at: Number) -> [Value<'_>; 4] {
    [
        Value::Integer(battery.id.get()),
        Value::Integer(at.get()),
        Value::Text(&battery.name),
        Value::Text(&battery.model),
    ]
}

/// A number that no battery has.
fn free_number(tx: &mut Tx<'_>) -> Result<Number, Fault> {
    for _ in 0..TRIES_MAX {
        let id = Number::next(tx, "batteries")?;
        if read::battery(tx, id)?.is_none() {
            return Ok(id);
        }
    }
    let largest = tx.one(sql::LARGEST, &[], |row| row.optional_integer(0))?.flatten();
    let id = match Number::new(largest.unwrap_or(0) + 1) {
        Some(id) => Some(id),
        None => tx.one(sql::FIRST_GAP, &[], |row| row.integer(0))?.and_then(Number::new),
    };
    id.ok_or_else(|| Fault::new(Code::Internal, "no number is left"))
}

/// `batteries.remove`: takes one out of a station for good, unless somebody holds it.
pub fn remove(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &OneBattery) -> Result<Outcome<()>, Fault> {
    rights::check_staff(ctx.principal)?;
    let station = read::station_row(tx, cmd.station_id)?;
    let place = [cmd.battery_id, station.id].map(|id| Value::Integer(id.get()));
    if tx.execute(sql::REMOVE, &place)? == 0 {
        return Err(not_available(tx, cmd.battery_id, station.id)?);
    }
    let update =
        News::of(&station, Counts::now(tx, station.id)?, ctx.now).inventory(Action::Update);
    Ok(Outcome::reply(()).event(update))
}

/// Why there is no such battery for whoever asks at this station.
pub(super) fn not_available(tx: &Tx<'_>, id: Number, at: Number) -> Result<Fault, Fault> {
    let there = read::battery(tx, id)?.filter(|battery| battery.station_id == Some(at));
    Ok(match there {
        Some(_) => Fault::new(Code::Conflict, format!("battery {id} is not available")),
        None => read::no_battery(id),
    })
}
