//! What goes in time: bookings that ended, and those of users who are no more.

use std::collections::BTreeSet;

use bellwire_store::tx::Value;

use super::{
    DEPARTURE, HOLD,
    news::{Action, News},
    read::{self, Counts},
    sql,
};
use crate::{
    identity::UserId,
    kit::{Ctx, Event, Fault, Micros, Number, Outcome, Tx, due},
};

/// The most bookings of a user that are forgotten at a stroke.
pub(super) const SLICE_ROWS: i64 = 1_000;

/// Forgets up to `rows_max` bookings that ended before `before`; says how many.
///
/// # Errors
/// The store's.
pub fn forget(tx: &mut Tx<'_>, before: Micros, rows_max: i64) -> Result<u64, Fault> {
    tx.execute(sql::FORGET, &[before, rows_max].map(Value::Integer))
}

/// Takes away the bookings of a user who is deleted now: what is held for them can be booked again at once, which is
/// what the events tell; what ended goes a slice at a time, soon.
///
/// # Errors
/// The store's.
pub fn forget_user(tx: &mut Tx<'_>, ctx: &Ctx<'_>, user_id: UserId) -> Result<Vec<Event>, Fault> {
    let user = [Value::Integer(user_id.0)];
    let live = tx.all(sql::LIVE_OF, &user, |row| (row.integer(0), row.integer(1)))?;
    if !live.is_empty() {
        tx.execute(sql::LET_GO_FOR, &user)?;
        tx.execute(sql::FORGET_LIVE, &user)?;
    }
    for (booking, _) in &live {
        due::disarm(tx, HOLD, &booking.to_string())?;
    }
    let upto = tx.one(sql::NEWEST, &[], |row| row.optional_integer(0))?.flatten();
    if let Some(upto) = upto {
        slice(tx, ctx.now, user_id, upto)?;
    }
    let stations: BTreeSet<i64> = live.into_iter().map(|(_, station)| station).collect();
    let mut events = Vec::with_capacity(stations.len());
    for id in stations.into_iter().filter_map(Number::new) {
        let station = read::station_row(tx, id)?;
        let counts = Counts::now(tx, id)?;
        events.push(News::of(&station, counts, ctx.now).inventory(Action::Update));
    }
    Ok(events)
}

/// Goes on with what ended. A user who got the same id meanwhile keeps what is theirs: all of it is later than what
/// `key` says.
pub(super) fn go_on(tx: &mut Tx<'_>, ctx: &Ctx<'_>, key: &str) -> Result<Outcome<()>, Fault> {
    let parts =
        key.split_once('@').and_then(|(id, upto)| Some((UserId::parse(id)?, upto.parse().ok()?)));
    if let Some((user_id, upto)) = parts {
        slice(tx, ctx.now, user_id, upto)?;
    }
    Ok(Outcome::reply(()))
}

fn slice(tx: &mut Tx<'_>, now: Micros, user_id: UserId, upto: i64) -> Result<(), Fault> {
    let place = [user_id.0, upto, SLICE_ROWS].map(Value::Integer);
    if tx.execute(sql::FORGET_OF, &place)? < SLICE_ROWS as u64 {
        return Ok(());
    }
    due::arm(tx, DEPARTURE, &format!("{}@{upto}", user_id.0), now)
}
