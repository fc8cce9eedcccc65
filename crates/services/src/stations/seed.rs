//! Stations, batteries and bookings that are there from the start: the demo's.

use bellwire_store::tx::Value;

use super::{
    batteries, bookings,
    contract::{Battery, BatteryStatus, StationStatus},
    read::StationRow,
    sql, stations,
};
use crate::{
    identity::{self, UserId},
    kit::{Fault, Micros, Number, ReadTx, Tx},
};

/// The sample stations, from number 1 on: what they are called, and how many batteries they have.
const STATIONS: [(&str, i64); 2] = [("Downtown Station", 18), ("Airport Station", 8)];
/// How many batteries of the first are booked: the last.
const BOOKED: i64 = 3;
/// What the sample batteries are, in turn.
const MODELS: [(&str, &str); 4] = [
    ("Tesla Battery", "Model 3"),
    ("Tesla Battery", "Model Y"),
    ("NIO Battery", "ET5"),
    ("Gogoro Battery", "S2"),
];

/// Whether there are no stations.
///
/// # Errors
/// The store's.
pub fn is_empty(tx: &ReadTx<'_>) -> Result<bool, Fault> {
    Ok(tx.one(sql::STATIONS, &[0, 1].map(Value::Integer), |_| ())?.is_none())
}

/// Adds the sample, without a word to anyone, unless there are stations or batteries already: the documents' clients
/// know the numbers. Its bookings are those of `owners` in turn, as far as they are there, and are held for as long as
/// it takes.
///
/// # Errors
/// The store's.
pub fn add_samples(tx: &mut Tx<'_>, now: Micros, owners: &[UserId]) -> Result<(), Fault> {
    let has_batteries =
        tx.one(sql::LARGEST, &[], |row| row.optional_integer(0))?.flatten().is_some();
    if !is_empty(tx)? || has_batteries {
        return Ok(());
    }
    let mut battery = 0;
    for (id, (name, total)) in (1..).zip(STATIONS) {
        let status = StationStatus::Online;
        let station = StationRow { id: number(id), name: name.to_owned(), status };
        stations::insert(tx, &station, now)?;
        for place in 0..total {
            battery += 1;
            let (name, model) = MODELS[place as usize % MODELS.len()];
            let battery = Battery {
                id: number(battery),
                station_id: Some(station.id),
                name: name.to_owned(),
                model: model.to_owned(),
                status: BatteryStatus::Available,
            };
            batteries::insert(tx, &battery, station.id)?;
        }
    }
    let (name, total) = STATIONS[0];
    let station =
        StationRow { id: number(1), name: name.to_owned(), status: StationStatus::Online };
    let owners = identity::existing(tx, owners)?;
    let booked = total - BOOKED + 1..=total;
    for (battery, owner) in booked.zip(owners.iter().cycle()) {
        let held = bookings::hold(tx, &station, Some(number(battery)))?;
        bookings::insert(tx, now, station.id, held.id, *owner, None)?;
    }
    Ok(())
}

fn number(number: i64) -> Number {
    Number::new(number).expect("a sample has numbers from 1 on")
}
