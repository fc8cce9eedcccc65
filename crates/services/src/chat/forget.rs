//! What goes in time: labels that nobody bears any more, rooms that were deleted, and users who are none.

use bellwire_store::tx::Value;

use super::{
    find::{self, Seat},
    groups, market,
    news::News,
    part::{self, Merges},
    sql,
};
use crate::{
    identity::{self, User, UserId},
    kit::{Code, Ctx, Fault, Micros, Outcome, Tx, due},
};

/// How long labels are kept after they were borne, in microseconds: a connection that came in under one of them, or
/// before, may leave by it.
const OLD_LABELS_KEPT_MICROS: Micros = 7 * 86_400 * 1_000_000;
/// What runs when a user is no more.
pub(super) const DEPARTURE: &str = "chat.departure";

/// Forgets up to `rows_max` each of old labels and of what belongs to deleted rooms; says how many that were.
///
/// # Errors
/// The store's.
pub fn forget(tx: &mut Tx<'_>, now: Micros, rows_max: i64) -> Result<u64, Fault> {
    let most = Value::Integer(rows_max);
    let before = Value::Integer(now.saturating_sub(OLD_LABELS_KEPT_MICROS));
    let mut forgotten = tx.execute(sql::FORGET_OLD_LABELS, &[before, most])?;
    // As long as others who bore its label could be found by that, it is known that a group was deleted with it.
    let before = Value::Integer(now.saturating_sub(find::OLD_LABELS_MICROS));
    let Some(id) = tx.one(sql::DELETED, &[before], |row| Value::Integer(row.integer(0)))? else {
        return Ok(forgotten);
    };
    let some = [id, most];
    for statement in [sql::DELETE_MESSAGES, sql::DELETE_SEATS, sql::DELETE_OLD_LABELS] {
        let rows = tx.execute(statement, &some)?;
        forgotten += rows;
        if rows > 0 {
            return Ok(forgotten);
        }
    }
    Ok(forgotten + tx.execute(sql::DELETE_CONVERSATION, &[id])?)
}

/// Takes a user who is deleted out of their rooms: a room at a time, each as soon as possible in a transaction of its
/// own, as there may be many. They leave groups as others do; private rooms are closed, and stay readable for the
/// other. What they said of others on the marketplace goes, and what was said of them.
///
/// # Errors
/// The store's.
pub fn forget_user(tx: &mut Tx<'_>, now: Micros, user: &User) -> Result<(), Fault> {
    // Their seats are those from before: who gets the same id later keeps their own.
    let before = tx.next_id(groups::SEATS)?;
    let key = format!("{} {before} {}", user.user_id.0, user.username);
    due::arm(tx, DEPARTURE, &key, now)?;
    market::forget_user(tx, now, user.user_id)
}

/// A user who is no more leaves one of their rooms, and soon the next.
pub(super) fn depart(tx: &mut Tx<'_>, ctx: &Ctx<'_>, key: &str) -> Result<Outcome<()>, Fault> {
    let (user, before, username) =
        departure(key).ok_or_else(|| Fault::new(Code::Internal, "a departure names its user"))?;
    // As long as nobody has the id again, no seat of it is anybody's.
    let before = if identity::user(tx, user)?.is_some() { before } else { i64::MAX };
    let place = [Value::Integer(user.0), Value::Integer(before)];
    let next = tx.one(sql::OPEN_OF, &place, |row| (row.integer(0), Seat::of(row, 1)))?;
    let found = match next {
        Some((id, seat)) => find::conversation(tx, id)?.map(|conversation| (conversation, seat)),
        None => None,
    };
    let Some((conversation, seat)) = found else {
        // What is left are rooms that were closed before.
        let all = [Value::Integer(user.0), Value::Integer(before), Value::Integer(ctx.now)];
        tx.execute(sql::END_SEATS_OF, &all)?;
        return Ok(Outcome::reply(()));
    };
    due::arm(tx, DEPARTURE, key, ctx.now)?;
    if conversation.is_group {
        let parting = part::end(tx, ctx, &conversation, user, seat, Merges::Yes)?;
        return Ok(parting.named(username).tell(tx, ctx)?.with(()));
    }
    tx.execute(sql::END_SEAT, &[Value::Integer(seat.id), Value::Integer(ctx.now)])?;
    part::close(tx, ctx, &conversation, None, &News::default())?;
    Ok(Outcome::reply(()))
}

/// Who departs, from seats before which number, and their name.
fn departure(key: &str) -> Option<(UserId, i64, &str)> {
    let (id, rest) = key.split_once(' ')?;
    let (before, username) = rest.split_once(' ')?;
    Some((UserId::parse(id)?, before.parse().ok()?, username))
}
