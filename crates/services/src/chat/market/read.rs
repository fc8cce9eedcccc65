//! Queries about houseworkers, comments and ratings.

use std::collections::HashMap;

use bellwire_store::tx::{self, Statement, Value};

use super::{
    contract::{
        Comment, Houseworker, ListHouseworkers, ListOfHouseworker, OneHouseworker, Rating, day,
    },
    sql,
};
use crate::{
    chat::{presence::is_online, rights},
    identity::{self, Kind, User, UserId},
    kit::{Code, Ctx, Fault, Micros, Page, ReadTx},
};

/// Who may be commented on and rated.
///
/// # Errors
/// [`Code::NotFound`], alike for a user who does not exist, is shut out, or is of kind client; the store's.
pub(super) fn target(tx: &ReadTx<'_>, id: UserId) -> Result<User, Fault> {
    let is_target = |user: &User| !user.disabled && user.kind != Some(Kind::Client);
    let none = || Fault::new(Code::NotFound, "there is no such houseworker");
    identity::user(tx, id)?.filter(is_target).ok_or_else(none)
}

/// `houseworkers.list`: those of kind houseworker. A cursor is the last one's id.
pub fn houseworkers(
    tx: &ReadTx<'_>,
    ctx: &Ctx<'_>,
    query: &ListHouseworkers,
) -> Result<Page<Houseworker>, Fault> {
    rights::require_caller_id(ctx.principal)?;
    let len = query.paging.page_len()?;
    let after = query.paging.after()?.map(UserId);
    let users = Page::of(identity::houseworkers(tx, after, len + 1)?, len, |user| {
        user.user_id.0.to_string()
    });
    let items = users.items.into_iter().map(|user| shown(tx, user)).collect::<Result<_, _>>()?;
    Ok(Page { items, next: users.next })
}

/// `houseworkers.get`: anybody who may be commented on.
pub fn one_houseworker(
    tx: &ReadTx<'_>,
    ctx: &Ctx<'_>,
    query: &OneHouseworker,
) -> Result<Houseworker, Fault> {
    rights::require_caller_id(ctx.principal)?;
    let user = target(tx, query.houseworker_id)?;
    shown(tx, user)
}

fn shown(tx: &ReadTx<'_>, user: User) -> Result<Houseworker, Fault> {
    let totals = tx.one(sql::TOTALS, &[Value::Integer(user.user_id.0)], |row| {
        (row.integer(0), row.integer(1), row.integer(2))
    })?;
    let (comments, ratings, sum) = totals.unwrap_or((0, 0, 0));
    Ok(Houseworker {
        rating: mean(sum, ratings),
        ratings,
        comments,
        online: is_online(tx, user.user_id)?,
        user_id: user.user_id,
        username: user.username,
    })
}

/// To two decimals; a half is rounded up.
pub(super) fn mean(sum: i64, count: i64) -> Option<f64> {
    let hundredths = (sum * 200 + count).checked_div(2 * count)?;
    Some(hundredths as f64 / 100.0)
}

/// `houseworkers.comments`: the newest first. A cursor is the last one's id.
pub fn comments(
    tx: &ReadTx<'_>,
    ctx: &Ctx<'_>,
    query: &ListOfHouseworker,
) -> Result<Page<Comment>, Fault> {
    let houseworker_id = query.houseworker_id;
    let place = [Value::Integer(houseworker_id.0)];
    let read_upto = tx.one(sql::TOTALS, &place, |row| row.integer(3))?.unwrap_or(0);
    said_of(
        tx,
        ctx,
        query,
        sql::COMMENTS,
        |row| row.text(1),
        |row, from, date| Comment {
            comment_id: row.id,
            comment: row.said,
            from,
            houseworker_id,
            date,
            read: row.id <= read_upto,
        },
    )
}

/// `houseworkers.ratings`: the newest first. A cursor is the number of the last one.
pub fn ratings(
    tx: &ReadTx<'_>,
    ctx: &Ctx<'_>,
    query: &ListOfHouseworker,
) -> Result<Page<Rating>, Fault> {
    let houseworker_id = query.houseworker_id;
    said_of(
        tx,
        ctx,
        query,
        sql::RATINGS,
        |row| row.integer(1),
        |row, client, date| Rating { client, rating: row.said, houseworker_id, date },
    )
}

/// What somebody said of a houseworker.
struct Row<T> {
    id: i64,
    said: T,
    author_id: UserId,
    at: Micros,
}

/// A page of what this statement lists; `shown` is given a row, the name of its author and its day. What is left of an
/// author who is gone is passed over.
fn said_of<T, R>(
    tx: &ReadTx<'_>,
    ctx: &Ctx<'_>,
    query: &ListOfHouseworker,
    statement: Statement,
    said: fn(&tx::Row<'_>) -> T,
    shown: impl Fn(Row<T>, String, String) -> R,
) -> Result<Page<R>, Fault> {
    rights::require_caller_id(ctx.principal)?;
    let len = query.paging.page_len()?;
    let before = query.paging.after()?.unwrap_or(i64::MAX);
    target(tx, query.houseworker_id)?;
    let place = [query.houseworker_id.0, before, len as i64 + 1].map(Value::Integer);
    let rows = tx.all(statement, &place, |row| Row {
        id: row.integer(0),
        said: said(row),
        author_id: UserId(row.integer(2)),
        at: row.integer(3),
    })?;
    let Page { items: rows, next } = Page::of(rows, len, |row| row.id.to_string());
    let mut authors: Vec<UserId> = rows.iter().map(|row| row.author_id).collect();
    authors.sort_unstable_by_key(|id| id.0);
    authors.dedup();
    let names: HashMap<_, _> = identity::usernames(tx, &authors)?.into_iter().collect();
    let zone = &ctx.settings.time_zone;
    let items = rows.into_iter().filter_map(|row| {
        let (name, date) = (names.get(&row.author_id)?.clone(), day(row.at, zone));
        Some(shown(row, name, date))
    });
    Ok(Page { items: items.collect(), next })
}
