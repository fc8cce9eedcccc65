//! Decisions about bookings: who holds which battery, and until when.
//!
//! That a battery is booked once is decided by the statement that books it, which finds it only while it is available;
//! that a booking ends once, by the one that ends it, which finds it only while it is live.

use bellwire_store::tx::{Row, Value};

use super::{
    HOLD, batteries,
    contract::{Book, Booking, BookingStatus, OneBooking, StationStatus},
    news::{Action, BookingChange, BookingSubject, News},
    read::{self, Counts, StationRow},
    rights, sql,
};
use crate::{
    identity::{self, User, UserId},
    kit::{
        Code, Ctx, Event, Fault, Micros, Number, Outcome, ReadTx, Tx, due, number, timestamp_bare,
    },
};

/// A battery that a booking is about.
pub(super) struct HeldBattery {
    pub id: Number,
    /// What it is called, as users are told.
    pub info: String,
}

/// `stations.book`: holds a battery for the caller.
pub fn book(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &Book) -> Result<Outcome<Booking>, Fault> {
    let user_id = rights::user(ctx.principal)?;
    if cmd.user_id.is_some_and(|claimed| claimed != user_id) {
        return Err(Fault::new(Code::Forbidden, "user_id: you book for yourself alone"));
    }
    let station = read::station_row(tx, cmd.station_id)?;
    check_online(&station)?;
    check_limit(tx, ctx, user_id)?;
    let user = user(tx, user_id)?;
    let held = hold(tx, &station, cmd.battery_id)?;
    let expires_at = ctx.now.saturating_add(ctx.settings.booking_hold);
    let booking = insert(tx, ctx.now, station.id, held.id, user_id, Some(expires_at))?;
    due::arm(tx, HOLD, &booking.id.to_string(), expires_at)?;
    let news = News::of(&station, Counts::now(tx, station.id)?, ctx.now);
    let (booked, update) = (news.booked(held.id, &user), news.inventory(Action::Book));
    let confirmed =
        BookingChange::Confirmed.tell(tx, ctx, subject(&booking, &station, &held.info))?;
    let outcome = Outcome::reply(booking).event(booked).event(update);
    Ok(confirmed.into_iter().fold(outcome, Outcome::event))
}

fn check_online(station: &StationRow) -> Result<(), Fault> {
    let why = match station.status {
        StationStatus::Online => return Ok(()),
        StationStatus::Offline => "it is offline",
        StationStatus::Maintenance => "it is under maintenance",
    };
    Err(Fault::new(Code::Conflict, format!("{} takes no bookings now: {why}", station.name)))
}

fn check_limit(tx: &Tx<'_>, ctx: &Ctx<'_>, user_id: UserId) -> Result<(), Fault> {
    let count = tx.one(sql::LIVE_COUNT, &[Value::Integer(user_id.0)], |row| row.integer(0))?;
    match count {
        Some(count) if count >= i64::from(ctx.settings.bookings_per_user) => {
            let why = format!("you have {count} bookings: collect or cancel one first");
            Err(Fault::new(Code::Conflict, why))
        }
        _ => Ok(()),
    }
}

fn user(tx: &ReadTx<'_>, id: UserId) -> Result<User, Fault> {
    let user = identity::user(tx, id)?;
    user.ok_or_else(|| Fault::new(Code::Forbidden, "there is no such user any more"))
}

/// Holds this battery of a station, or the available one with the lowest number.
pub(super) fn hold(
    tx: &mut Tx<'_>,
    station: &StationRow,
    battery: Option<Number>,
) -> Result<HeldBattery, Fault> {
    let at = Value::Integer(station.id.get());
    let held = |row: &Row<'_>| HeldBattery {
        id: read::number(row, 0),
        info: battery_info(row.text_ref(1), row.text_ref(2)),
    };
    match battery {
        Some(id) => tx
            .one(sql::HOLD, &[Value::Integer(id.get()), at], held)?
            .map_or_else(|| Err(batteries::not_available(tx, id, station.id)?), Ok),
        None => tx.one(sql::HOLD_ANY, &[at], held)?.ok_or_else(|| {
            let why = format!("no battery is available at {}", station.name);
            Fault::new(Code::Conflict, why)
        }),
    }
}

/// A battery as users are told of it, e.g. `Tesla Battery - Model 3`.
fn battery_info(name: &str, model: &str) -> String {
    format!("{name} - {model}")
}

/// Adds the row of a booking: at which station, of which battery, for whom.
pub(super) fn insert(
    tx: &mut Tx<'_>,
    now: Micros,
    station_id: Number,
    battery_id: Number,
    user_id: UserId,
    expires_at: Option<Micros>,
) -> Result<Booking, Fault> {
    let id = Number::next(tx, "bookings")?;
    let row = [
        Value::Integer(id.get()),
        Value::Integer(station_id.get()),
        Value::Integer(battery_id.get()),
        Value::Integer(user_id.0),
        Value::Integer(now),
        expires_at.map_or(Value::Null, Value::Integer),
    ];
    tx.execute(sql::INSERT_BOOKING, &row)?;
    let (status, expires_at) = (BookingStatus::Confirmed, expires_at.map(timestamp_bare));
    Ok(Booking { id, station_id, battery_id, user_id, status, expires_at })
}

fn subject<'a>(
    booking: &Booking,
    station: &'a StationRow,
    battery_info: &'a str,
) -> BookingSubject<'a> {
    BookingSubject {
        booking_id: booking.id,
        user_id: booking.user_id,
        station_name: &station.name,
        battery_info,
    }
}

/// `bookings.ready`: staff have prepared the battery. The hold ends when it would have.
pub fn ready(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &OneBooking) -> Result<Outcome<Booking>, Fault> {
    let booking = read::visible(tx, ctx.principal, cmd.booking_id)?;
    rights::check_staff(ctx.principal)?;
    if tx.execute(sql::READY, &[Value::Integer(booking.id.get())])? == 0 {
        return Err(wrong_status(tx, &booking)?);
    }
    let (station, info) =
        (read::station_row(tx, booking.station_id)?, battery_info_of(tx, &booking)?);
    let told = BookingChange::Ready.tell(tx, ctx, subject(&booking, &station, &info))?;
    let booking = Booking { status: BookingStatus::Ready, ..booking };
    Ok(told.into_iter().fold(Outcome::reply(booking), Outcome::event))
}

/// Why a booking cannot become what it was to.
fn wrong_status(tx: &ReadTx<'_>, booking: &Booking) -> Result<Fault, Fault> {
    let status = read::booking(tx, booking.id)?.map_or(booking.status, |booking| booking.status);
    let why = format!("booking {} is {}", booking.id, status.name());
    Ok(Fault::new(Code::Conflict, why))
}

/// What a live booking's battery is called.
fn battery_info_of(tx: &ReadTx<'_>, booking: &Booking) -> Result<String, Fault> {
    let battery = read::battery(tx, booking.battery_id)?;
    let battery = battery.ok_or_else(|| read::no_battery(booking.battery_id))?;
    Ok(battery_info(&battery.name, &battery.model))
}

/// Ends a booking; what was to happen at its deadline does not.
fn end(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    booking: &Booking,
    status: BookingStatus,
) -> Result<(), Fault> {
    let row =
        [Value::Integer(booking.id.get()), Value::Text(status.name()), Value::Integer(ctx.now)];
    match tx.execute(sql::END, &row)? {
        0 => Err(wrong_status(tx, booking)?),
        _ => due::disarm(tx, HOLD, &booking.id.to_string()),
    }
}

/// `bookings.collect`: the battery leaves the station with somebody.
pub fn collect(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &OneBooking,
) -> Result<Outcome<Booking>, Fault> {
    let booking = read::visible(tx, ctx.principal, cmd.booking_id)?;
    end(tx, ctx, &booking, BookingStatus::Collected)?;
    tx.execute(sql::TAKE_ALONG, &[Value::Integer(booking.battery_id.get())])?;
    let station = read::station_row(tx, booking.station_id)?;
    let news = News::of(&station, Counts::now(tx, station.id)?, ctx.now);
    let (collected, update) = (news.collected(booking.battery_id), news.inventory(Action::Collect));
    let booking = Booking { status: BookingStatus::Collected, ..booking };
    Ok(Outcome::reply(booking).event(collected).event(update))
}

/// `bookings.cancel`: its user, or staff, take it back.
pub fn cancel(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &OneBooking) -> Result<Outcome<()>, Fault> {
    let booking = read::visible(tx, ctx.principal, cmd.booking_id)?;
    release(tx, ctx, &booking, BookingStatus::Cancelled, BookingChange::Cancelled(None))
}

/// A hold may be over. One that never is has no time at which this is asked.
pub(super) fn expire(tx: &mut Tx<'_>, ctx: &Ctx<'_>, key: &str) -> Result<Outcome<()>, Fault> {
    let quiet = Ok(Outcome::reply(()));
    let Some(id) = number(key).and_then(Number::new) else { return quiet };
    let Some(booking) = read::booking(tx, id)? else { return quiet };
    let live = [Value::Integer(id.get())];
    match tx.one(sql::DEADLINE, &live, |row| row.optional_integer(0))?.flatten() {
        None => quiet,
        Some(at) if at > ctx.now => {
            due::arm(tx, HOLD, key, at)?;
            quiet
        }
        Some(_) => release(tx, ctx, &booking, BookingStatus::Expired, BookingChange::Expired),
    }
}

/// Ends a live booking without its battery being collected, tells its user, and that the battery can be booked again.
fn release(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    booking: &Booking,
    status: BookingStatus,
    change: BookingChange,
) -> Result<Outcome<()>, Fault> {
    end(tx, ctx, booking, status)?;
    tx.execute(sql::LET_GO, &[Value::Integer(booking.battery_id.get())])?;
    let (station, info) =
        (read::station_row(tx, booking.station_id)?, battery_info_of(tx, booking)?);
    let told = change.tell(tx, ctx, subject(booking, &station, &info))?;
    let news = News::of(&station, Counts::now(tx, station.id)?, ctx.now);
    let events = told.into_iter().chain([news.inventory(Action::Update)]);
    Ok(events.fold(Outcome::reply(()), Outcome::event))
}

/// Cancels all live bookings at a station, which is as `station` says from now on, and lets go of their batteries.
/// Gives what their users are told.
///
/// # Errors
/// The store's.
pub(super) fn release_all(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    station: &StationRow,
) -> Result<Vec<Event>, Fault> {
    let at = Value::Integer(station.id.get());
    let live = tx.all(sql::LIVE_AT, &[at], |row| {
        let battery_info = battery_info(row.text_ref(2), row.text_ref(3));
        (read::number(row, 0), UserId(row.integer(1)), battery_info)
    })?;
    tx.execute(sql::LET_GO_AT, &[at])?;
    tx.execute(sql::CANCEL_AT, &[at, Value::Integer(ctx.now)])?;
    let mut told = Vec::with_capacity(live.len());
    for (booking_id, user_id, battery_info) in live {
        due::disarm(tx, HOLD, &booking_id.to_string())?;
        let (station_name, battery_info) = (station.name.as_str(), battery_info.as_str());
        let subject = BookingSubject { booking_id, user_id, station_name, battery_info };
        told.extend(BookingChange::Cancelled(Some(station.status)).tell(tx, ctx, subject)?);
    }
    Ok(told)
}
