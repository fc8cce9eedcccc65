//! What becomes of comments and ratings when a user is deleted.

use bellwire_store::tx::Value;

use super::{FORGET, sql};
use crate::{
    identity::UserId,
    kit::{Ctx, Fault, Micros, Outcome, Tx, due},
};

/// The most rows of each kind that are forgotten at a stroke.
pub(super) const SLICE_ROWS: i64 = 1_000;

/// Takes away what a user, who is deleted now, said and what was said of them. What is more than a slice goes soon
/// after.
///
/// # Errors
/// The store's.
pub(in crate::chat) fn forget_user(
    tx: &mut Tx<'_>,
    now: Micros,
    user_id: UserId,
) -> Result<(), Fault> {
    tx.execute(sql::FORGET_TOTALS, &[Value::Integer(user_id.0)])?;
    slice(tx, now, user_id, now)
}

/// Goes on with it. A user who got the same id meanwhile keeps what is theirs: all of it is later than the time in
/// `key`.
pub(in crate::chat) fn go_on(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    key: &str,
) -> Result<Outcome<()>, Fault> {
    let parts =
        key.split_once('@').and_then(|(id, at)| Some((UserId::parse(id)?, at.parse().ok()?)));
    if let Some((user_id, upto)) = parts {
        slice(tx, ctx.now, user_id, upto)?;
    }
    Ok(Outcome::reply(()))
}

fn slice(tx: &mut Tx<'_>, now: Micros, user_id: UserId, upto: Micros) -> Result<(), Fault> {
    let place = [user_id.0, upto, SLICE_ROWS].map(Value::Integer);
    let on = tx.execute(sql::FORGET_COMMENTS_ON, &place)?;
    let of = tx.execute(sql::FORGET_RATINGS_OF, &place)?;
    let comments = tx.all(sql::FORGET_COMMENTS_BY, &place, |row| [row.integer(0), 1, 0, 0])?;
    let rating = |row: &bellwire_store::tx::Row<'_>| [row.integer(0), 0, 1, row.integer(1)];
    let ratings = tx.all(sql::FORGET_RATINGS_BY, &place, rating)?;
    for less in comments.iter().chain(&ratings) {
        tx.execute(sql::LESS, &less.map(Value::Integer))?;
    }
    let most = on.max(of).max(comments.len() as u64).max(ratings.len() as u64);
    if most < SLICE_ROWS as u64 {
        return Ok(());
    }
    due::arm(tx, FORGET, &format!("{}@{upto}", user_id.0), now)
}
