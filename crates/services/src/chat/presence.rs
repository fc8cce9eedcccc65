//! Who is here. A user is as long as one of their connections is in the room `here/N`, which it enters by
//! `addOnlineUser`; the server counts those, and says when the last is gone.
//!
//! Everybody is told of everyone as long as that is cheap. Telling all costs as many units as there are users here,
//! from a purse that fills itself; what it does not pay for is told to the user's own connections, and to those with
//! whom they have talked lately. The purse is in the database, not beside it as those of meters are: what is told is
//! decided in a transaction, and one that is not committed must give back what it took.

use std::collections::HashSet;

use bellwire_store::tx::Value;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    contract::{AddOnlineUser, Done, Present, claimed},
    enter::done,
    find::{self, conversation_of},
    news::News,
    rights, sql,
};
use crate::{
    identity::{self, User, UserId, UserRole},
    kit::{Aside, Code, Ctx, Fault, Micros, Outcome, ReadTx, Role, Topic, Tx, WithAside},
};

/// The most users that one `chat.present` names: the server says so in portions.
pub const PRESENT_MAX: usize = 500;
/// The most units in the purse that pays for telling everybody.
pub const PURSE_MAX: i64 = 200_000;
/// How many units come into it in a second.
pub const PURSE_GAIN_PER_S: i64 = 20_000;
/// Where not everybody is told of a user, the members of this many of their most recent rooms are.
pub const CIRCLE_ROOMS_MAX: i64 = 200;
/// Of those members at most this many are told: those of the most recent rooms.
pub const CIRCLE_USERS_MAX: usize = 1_000;

const SECOND: Micros = 1_000_000;

/// Whether somebody came or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
enum Change {
    Add,
    Remove,
}

/// Somebody is online, or not any more.
#[derive(Serialize, JsonSchema)]
pub(super) struct NewOnlineUser {
    /// Whether they came or went.
    #[serde(rename = "type")]
    change: Change,
    /// Who.
    #[serde(rename = "userID")]
    user_id: UserId,
}

/// `addOnlineUser`: the caller is here. A guest who is nobody yet becomes this user.
pub fn add_online_user(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &AddOnlineUser,
) -> Result<Outcome<WithAside<Done>>, Fault> {
    let is_nobody = ctx.principal.role == Role::Guest && rights::caller_id(ctx.principal).is_none();
    let user = if is_nobody { become_user(tx, ctx, cmd)? } else { find::caller(tx, ctx)? };
    if !is_nobody {
        claimed(cmd.user_id.as_ref(), user.user_id, "userID")?;
    }
    let becomes = is_nobody.then(|| identity::guest_as(&user));
    let aside = Aside { becomes, ..Aside::entering(rights::here(user.user_id)) };
    let mut news = News::default();
    if came(tx, ctx.now, user.user_id)? || told_anew(tx, ctx.now, user.user_id)? {
        tell(tx, ctx.now, user.user_id, Change::Add, &mut news)?;
    }
    Ok(news.with(done(aside)))
}

/// The user that a guest says they are, who is made if there is none.
fn become_user(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &AddOnlineUser) -> Result<User, Fault> {
    let id = cmd.user_id.as_ref().and_then(|claim| UserId::parse(claim.as_str()));
    let id = id.ok_or_else(|| Fault::new(Code::Invalid, "userID: a user's id, in digits"))?;
    match identity::user(tx, id)? {
        Some(user) if user.role == UserRole::Admin || user.disabled => {
            Err(Fault::new(Code::Forbidden, "userID: without a credential nobody is this user"))
        }
        Some(user) => Ok(user),
        // Who had this id has yet to leave their rooms: what is there is not for somebody else.
        None if tx.one(sql::SEATED_ANYWHERE, &[Value::Integer(id.0)], |_| ())?.is_some() => {
            Err(Fault::new(Code::Conflict, "userID: it was somebody's until now; try again later"))
        }
        None => {
            let name = cmd.user_username.as_deref().or(cmd.username.as_deref());
            let name = name.ok_or_else(|| {
                Fault::new(Code::Invalid, "userUsername: needed, as there is no such user yet")
            })?;
            identity::make_on_the_spot(tx, ctx.now, id, name)
        }
    }
}

/// Notes that a user is here; says whether that is new.
fn came(tx: &mut Tx<'_>, now: Micros, user: UserId) -> Result<bool, Fault> {
    let row = [Value::Integer(user.0), Value::Integer(now)];
    let is_new = tx.execute(sql::CAME, &row)? > 0;
    if is_new {
        tx.execute(sql::COUNT_ONLINE, &[Value::Integer(1)])?;
    }
    Ok(is_new)
}

/// Whether others are to be told again of a user who is here.
fn told_anew(tx: &mut Tx<'_>, now: Micros, user: UserId) -> Result<bool, Fault> {
    Ok(tx.execute(sql::TOLD, &[Value::Integer(user.0), Value::Integer(now)])? > 0)
}

/// Notes that a user is gone; says whether they were here.
fn went(tx: &mut Tx<'_>, user: UserId) -> Result<bool, Fault> {
    let was_here = tx.execute(sql::WENT, &[Value::Integer(user.0)])? > 0;
    if was_here {
        tx.execute(sql::COUNT_ONLINE, &[Value::Integer(-1)])?;
    }
    Ok(was_here)
}

/// `chat.present`: who went and who came, as the server saw it. What is known already is told to nobody.
pub fn present(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &Present) -> Result<Outcome<()>, Fault> {
    if cmd.came.len() + cmd.went.len() > PRESENT_MAX {
        return Err(Fault::new(Code::Invalid, format!("at most {PRESENT_MAX} users at once")));
    }
    tx.execute(sql::SET_LISTENERS, &[Value::Integer(cmd.listeners)])?;
    let mut news = News::default();
    for user in &cmd.went {
        if went(tx, *user)? {
            tell(tx, ctx.now, *user, Change::Remove, &mut news)?;
        }
    }
    for user in &cmd.came {
        if came(tx, ctx.now, *user)? {
            tell(tx, ctx.now, *user, Change::Add, &mut news)?;
        }
    }
    Ok(news.with(()))
}

/// Tells that a user came or went: everybody, if the purse pays for it.
fn tell(
    tx: &mut Tx<'_>,
    now: Micros,
    user: UserId,
    change: Change,
    news: &mut News,
) -> Result<(), Fault> {
    let topics = match pay(tx, now)? {
        true => vec![Topic::Borrowed(rights::ALL)],
        false => circle(tx, user)?,
    };
    let told = NewOnlineUser { change, user_id: user };
    news.tell("newOnlineUser", user.0.to_string(), topics, &told);
    Ok(())
}

/// Takes what telling everybody costs out of the purse, if it is there.
fn pay(tx: &mut Tx<'_>, now: Micros) -> Result<bool, Fault> {
    let purse = tx.one(sql::PURSE, &[], |row| {
        (row.integer(0).max(row.integer(1)), row.integer(2), row.integer(3))
    })?;
    let (listeners, units, at) = purse.unwrap_or((0, PURSE_MAX, now));
    // A clock that was set back gives nothing. A day fills it, so nothing overflows.
    let since = now.saturating_sub(at).clamp(0, 86_400 * SECOND);
    let units = units.saturating_add(since * PURSE_GAIN_PER_S / SECOND).min(PURSE_MAX);
    let left = units - listeners.max(1);
    let is_paid = left >= 0;
    let left = if is_paid { left } else { units };
    tx.execute(sql::SET_PURSE, &[Value::Integer(left), Value::Integer(now)])?;
    Ok(is_paid)
}

/// The topics of a user's own connections, and of those with whom they have talked lately.
fn circle(tx: &ReadTx<'_>, user: UserId) -> Result<Vec<Topic>, Fault> {
    let place = [
        Value::Integer(user.0),
        Value::Integer(1),
        Value::Integer(i64::MAX),
        Value::Integer(CIRCLE_ROOMS_MAX),
    ];
    let mut seen = HashSet::from([user]);
    let mut topics = vec![rights::here(user)];
    for label in tx.all(sql::ROOMS, &place, |row| conversation_of(row).label)? {
        let others = label.members().iter().filter(|id| seen.insert(**id));
        topics.extend(others.map(|id| rights::person(*id)));
        if topics.len() > CIRCLE_USERS_MAX {
            topics.truncate(CIRCLE_USERS_MAX + 1);
            break;
        }
    }
    Ok(topics)
}

/// Whether a user is here.
pub(super) fn is_online(tx: &ReadTx<'_>, user: UserId) -> Result<bool, Fault> {
    Ok(tx.one(sql::IS_ONLINE, &[Value::Integer(user.0)], |_| ())?.is_some())
}

/// Everyone who is noted as being here: who of them is not when the server has been up for a while, is gone.
///
/// # Errors
/// The store's.
pub fn everyone_online(tx: &ReadTx<'_>) -> Result<Vec<UserId>, Fault> {
    tx.all(sql::EVERYONE_ONLINE, &[], |row| UserId(row.integer(0)))
}
