//! Queries about stations, batteries and bookings, and what a stream shows first.

use std::{cmp::Reverse, ops::ControlFlow};

use bellwire_store::tx::{Row, Value};
use schemars::JsonSchema;

use super::{
    contract::{
        Battery, BatteryStatus, Booking, BookingStatus, ListBatteries, ListBookings, ListStations,
        OneBooking, OneStation, Station, StationStatus,
    },
    rights, sql,
};
use crate::{
    identity::UserId,
    kit::{
        Code, Ctx, Fault, Number, Page, Principal, ReadTx, SNAPSHOT_LEN_MAX, Said, timestamp_bare,
    },
};

/// A station without what is counted.
#[derive(Debug, Clone)]
pub(super) struct StationRow {
    pub id: Number,
    pub name: String,
    pub status: StationStatus,
}

/// What is counted of a station.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub available: i64,
    pub booked: i64,
}

impl Counts {
    /// How many batteries there are.
    pub fn total(self) -> i64 {
        self.available + self.booked
    }

    /// What a station has now.
    ///
    /// # Errors
    /// The store's.
    pub fn now(tx: &ReadTx<'_>, station_id: Number) -> Result<Counts, Fault> {
        let mut counts = Counts::default();
        let station = [Value::Integer(station_id.get())];
        let rows = tx.all(sql::COUNTS, &station, |row| (battery_status(row, 0), row.integer(1)))?;
        for (status, count) in rows {
            match status {
                BatteryStatus::Available => counts.available = count,
                BatteryStatus::Booked => counts.booked = count,
                BatteryStatus::Collected => {}
            }
        }
        Ok(counts)
    }
}

impl StationRow {
    /// As clients see it, with so many batteries.
    pub fn with(self, counts: Counts) -> Station {
        Station {
            id: self.id,
            name: self.name,
            status: self.status,
            available_batteries: counts.available,
            booked_batteries: counts.booked,
            total_batteries: counts.total(),
        }
    }
}

/// The number in a column.
pub(super) fn number(row: &Row<'_>, i: usize) -> Number {
    Number::new(row.integer(i)).expect("only such numbers are stored")
}

fn battery_status(row: &Row<'_>, i: usize) -> BatteryStatus {
    BatteryStatus::from_name(row.text_ref(i)).expect("only these are stored")
}

fn station_row_of(row: &Row<'_>) -> StationRow {
    let status = StationStatus::from_name(row.text_ref(2)).expect("only these are stored");
    StationRow { id: number(row, 0), name: row.text(1), status }
}

fn station_of(row: &Row<'_>) -> Station {
    station_row_of(row).with(Counts { available: row.integer(3), booked: row.integer(4) })
}

fn battery_of(row: &Row<'_>) -> Battery {
    Battery {
        id: number(row, 0),
        station_id: row.optional_integer(1).and_then(Number::new),
        name: row.text(2),
        model: row.text(3),
        status: battery_status(row, 4),
    }
}

fn booking_of(row: &Row<'_>) -> Booking {
    Booking {
        id: number(row, 0),
        station_id: number(row, 1),
        battery_id: number(row, 2),
        user_id: UserId(row.integer(3)),
        status: BookingStatus::from_name(row.text_ref(4)).expect("only these are stored"),
        expires_at: row.optional_integer(5).map(timestamp_bare),
    }
}

fn no_station(id: impl std::fmt::Display) -> Fault {
    Fault::new(Code::NotFound, format!("Station not found: {id}"))
}

/// There is no battery of this number, or none there.
pub(super) fn no_battery(id: Number) -> Fault {
    Fault::new(Code::NotFound, format!("Battery not found: {id}"))
}

/// The station of this number, without what is counted.
///
/// # Errors
/// [`Code::NotFound`].
pub(super) fn station_row(tx: &ReadTx<'_>, id: Number) -> Result<StationRow, Fault> {
    tx.one(sql::STATION_ROW, &[Value::Integer(id.get())], station_row_of)?
        .ok_or_else(|| no_station(id))
}

/// The battery of this number, if there is one.
///
/// # Errors
/// The store's.
pub(super) fn battery(tx: &ReadTx<'_>, id: Number) -> Result<Option<Battery>, Fault> {
    tx.one(sql::BATTERY, &[Value::Integer(id.get())], battery_of)
}

/// The booking of this number, if there is one.
///
/// # Errors
/// The store's.
pub(super) fn booking(tx: &ReadTx<'_>, id: Number) -> Result<Option<Booking>, Fault> {
    tx.one(sql::BOOKING, &[Value::Integer(id.get())], booking_of)
}

/// The booking of this number, for who may know of it.
///
/// # Errors
/// [`Code::NotFound`], whether there is none or it is another's.
pub(super) fn visible(
    tx: &ReadTx<'_>,
    principal: &Principal,
    id: Number,
) -> Result<Booking, Fault> {
    booking(tx, id)?
        .filter(|booking| rights::may_see(principal, booking))
        .ok_or_else(|| Fault::new(Code::NotFound, format!("Booking not found: {id}")))
}

/// `stations.get`.
pub fn one_station(tx: &ReadTx<'_>, _: &Ctx<'_>, query: &OneStation) -> Result<Station, Fault> {
    let station = [Value::Integer(query.station_id.get())];
    tx.one(sql::STATION, &station, station_of)?.ok_or_else(|| no_station(query.station_id))
}

/// `stations.list`, by number. A cursor is the last one's.
pub fn stations(
    tx: &ReadTx<'_>,
    _: &Ctx<'_>,
    query: &ListStations,
) -> Result<Page<Station>, Fault> {
    let len = query.paging.page_len()?;
    let place = [query.paging.after()?.unwrap_or(0), len as i64 + 1].map(Value::Integer);
    let stations = tx.all(sql::STATIONS, &place, station_of)?;
    Ok(Page::of(stations, len, |station| station.id.to_string()))
}

/// `batteries.list`: those in a station, by number. A cursor is the last one's.
pub fn batteries(
    tx: &ReadTx<'_>,
    _: &Ctx<'_>,
    query: &ListBatteries,
) -> Result<Page<Battery>, Fault> {
    let len = query.paging.page_len()?;
    let after = query.paging.after()?.unwrap_or(0);
    let station = station_row(tx, query.station_id)?;
    let place = [station.id.get(), after, len as i64 + 1].map(Value::Integer);
    let batteries = match query.status {
        None => tx.all(sql::BATTERIES, &place, battery_of)?,
        Some(status) => {
            let place = [&place[..], &[Value::Text(status.name())]].concat();
            tx.all(sql::BATTERIES_THAT_ARE, &place, battery_of)?
        }
    };
    Ok(Page::of(batteries, len, |battery| battery.id.to_string()))
}

/// `bookings.get`.
pub fn one_booking(tx: &ReadTx<'_>, ctx: &Ctx<'_>, query: &OneBooking) -> Result<Booking, Fault> {
    visible(tx, ctx.principal, query.booking_id)
}

/// Whose bookings a principal is shown that asks for this user's, or for whatever it may see; `None`: everybody's.
fn whose(principal: &Principal, asked: Option<UserId>) -> Result<Option<UserId>, Fault> {
    if rights::is_staff(principal) {
        return Ok(asked);
    }
    let own = rights::user(principal)?;
    match asked.is_none_or(|asked| asked == own) {
        true => Ok(Some(own)),
        false => Err(Fault::new(Code::Forbidden, "user_id: another's bookings are not shown")),
    }
}

/// `bookings.list`: a person's own, or for staff all, the newest first. A cursor is the last one's number.
pub fn bookings(
    tx: &ReadTx<'_>,
    ctx: &Ctx<'_>,
    query: &ListBookings,
) -> Result<Page<Booking>, Fault> {
    let whose = whose(ctx.principal, query.user_id)?;
    let len = query.paging.page_len()?;
    let before = query.paging.after()?.unwrap_or(i64::MAX);
    let page = [Value::Integer(before), Value::Integer(len as i64 + 1)];
    if whose.is_none() && query.station_id.is_none() && query.status.is_none() {
        let bookings = tx.all(sql::BOOKINGS, &page, booking_of)?;
        return Ok(Page::of(bookings, len, |booking| booking.id.to_string()));
    }
    // Each index is by status, then by number: so no page looks at more than it shows of each.
    let statuses = query.status.map_or(BookingStatus::ALL.to_vec(), |status| vec![status]);
    let mut bookings = Vec::new();
    for status in statuses {
        let page = [&page[..], &[Value::Text(status.name())]].concat();
        let station = query.station_id.map(|id| Value::Integer(id.get()));
        bookings.extend(match (whose, station) {
            (Some(UserId(user)), at) => {
                let place = [Value::Integer(user), at.unwrap_or(Value::Integer(0))];
                tx.all(sql::BOOKINGS_OF, &[&page[..], &place].concat(), booking_of)?
            }
            (None, Some(at)) => {
                tx.all(sql::BOOKINGS_AT, &[&page[..], &[at]].concat(), booking_of)?
            }
            (None, None) => tx.all(sql::BOOKINGS_THAT_ARE, &page, booking_of)?,
        });
    }
    bookings.sort_by_key(|booking| Reverse(booking.id));
    bookings.truncate(len + 1);
    Ok(Page::of(bookings, len, |booking| booking.id.to_string()))
}

/// What stations are now.
#[derive(JsonSchema)]
pub(super) struct StationsSnapshot {
    /// All of them by number, or the one whose stream this is.
    #[expect(dead_code, reason = "a snapshot is written row by row, to a limit")]
    data: Vec<Station>,
}

/// What the stream of all stations, or of one, shows first: they as they are.
///
/// # Errors
/// [`Code::Invalid`] if these are too many; the store's.
pub(super) fn snapshot(tx: &ReadTx<'_>, _: &Principal, place: Option<i64>) -> Result<Said, Fault> {
    let (statement, params) = match place {
        None => (sql::STATIONS, vec![Value::Integer(0), Value::Integer(i64::MAX)]),
        Some(id) => (sql::STATION, vec![Value::Integer(id)]),
    };
    let mut list = String::new();
    tx.each(statement, &params, |row| {
        let station = serde_json::to_string(&station_of(row)).expect("texts and numbers serialise");
        list.push_str(if list.is_empty() { "" } else { "," });
        list.push_str(&station);
        if list.len() > SNAPSHOT_LEN_MAX {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    if list.len() > SNAPSHOT_LEN_MAX {
        let why = "the snapshot is over 1 MiB: ask for single stations, or GET /api/stations";
        return Err(Fault::new(Code::Invalid, why));
    }
    Ok(Said { event: "stations:snapshot".to_owned(), payload: format!(r#"{{"data":[{list}]}}"#) })
}

/// Whether there is a station of this number.
///
/// # Errors
/// [`Code::NotFound`].
pub(super) fn station_exists(tx: &ReadTx<'_>, id: i64) -> Result<(), Fault> {
    let id = Number::new(id).ok_or_else(|| no_station(id))?;
    station_row(tx, id).map(drop)
}
