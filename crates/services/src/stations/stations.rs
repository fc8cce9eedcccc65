//! Decisions about stations.

use bellwire_store::tx::Value;

use super::{
    bookings,
    contract::{ChangeStation, CreateStation, OneStation, Station, StationStatus},
    news::{Action, News},
    read::{self, Counts, StationRow},
    rights, sql,
};
use crate::kit::{Access, Code, Ctx, Fault, Micros, Number, Outcome, Tx};

/// `stations.create`.
pub fn create(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &CreateStation,
) -> Result<Outcome<Station>, Fault> {
    // The samples have numbers of their own.
    let id = loop {
        let id = Number::next(tx, "stations")?;
        if tx.one(sql::STATION_ROW, &[Value::Integer(id.get())], |_| ())?.is_none() {
            break id;
        }
    };
    let station = StationRow { id, name: cmd.name.as_str().to_owned(), status: cmd.status };
    insert(tx, &station, ctx.now)?;
    let update = News::of(&station, Counts::default(), ctx.now).inventory(Action::Update);
    Ok(Outcome::reply(station.with(Counts::default())).event(update))
}

/// Adds the row of a station.
pub(super) fn insert(tx: &mut Tx<'_>, station: &StationRow, now: Micros) -> Result<(), Fault> {
    let row = [
        Value::Integer(station.id.get()),
        Value::Text(&station.name),
        Value::Text(station.status.name()),
        Value::Integer(now),
    ];
    tx.execute(sql::INSERT_STATION, &row).map(drop)
}

/// `stations.change`: admins rename a station, staff say whether it works. One that does not any more lets go of all
/// that is held there.
pub fn change(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &ChangeStation,
) -> Result<Outcome<Station>, Fault> {
    rights::check_staff(ctx.principal)?;
    if cmd.name.is_some() && Access::Admin.check(ctx.principal).is_err() {
        return Err(Fault::new(Code::Forbidden, "name: only admins rename stations"));
    }
    if cmd.name.is_none() && cmd.status.is_none() {
        return Err(Fault::new(Code::Invalid, "name, status: one of them at least"));
    }
    let old = read::station_row(tx, cmd.station_id)?;
    let station = StationRow {
        id: old.id,
        name: cmd.name.as_ref().map_or(old.name.as_str(), |name| name.as_str()).to_owned(),
        status: cmd.status.unwrap_or(old.status),
    };
    let (renamed, status_changed) = (station.name != old.name, station.status != old.status);
    if renamed || status_changed {
        let row = [
            Value::Integer(station.id.get()),
            Value::Text(&station.name),
            Value::Text(station.status.name()),
        ];
        tx.execute(sql::CHANGE_STATION, &row)?;
    }
    let released = match status_changed && old.status == StationStatus::Online {
        true => bookings::release_all(tx, ctx, &station)?,
        false => Vec::new(),
    };
    let counts = Counts::now(tx, station.id)?;
    let news = News::of(&station, counts, ctx.now);
    let mut events = Vec::new();
    events.extend(status_changed.then(|| news.status()));
    let tells_counts = renamed || !released.is_empty();
    events.extend(released);
    events.extend(tells_counts.then(|| news.inventory(Action::Update)));
    let outcome = events.into_iter().fold(Outcome::reply(()), Outcome::event);
    Ok(outcome.map(|()| station.with(counts)))
}

/// `stations.delete`: what is held there is let go of, and its batteries go with it.
pub fn delete(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &OneStation) -> Result<Outcome<()>, Fault> {
    let old = read::station_row(tx, cmd.station_id)?;
    let station = StationRow { status: StationStatus::Offline, ..old.clone() };
    let released = bookings::release_all(tx, ctx, &station)?;
    for statement in [sql::DELETE_BATTERIES, sql::DELETE_STATION] {
        tx.execute(statement, &[Value::Integer(station.id.get())])?;
    }
    let news = News::of(&station, Counts::default(), ctx.now);
    let status = (old.status != station.status).then(|| news.status());
    let events = status.into_iter().chain(released).chain([news.inventory(Action::Update)]);
    Ok(events.fold(Outcome::reply(()), Outcome::event))
}
