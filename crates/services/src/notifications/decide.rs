//! Decisions about notifications.

use std::collections::BTreeSet;

use bellwire_store::tx::Value;
use serde::Serialize;

use super::{
    EVENT, INBOX_MAX,
    contract::{IDS_MAX, MarkRead, Marked, Notice, Recipients, Send, Sent, To, Told},
    read, rights, sql,
};
use crate::{
    identity::{self, UserId},
    kit::{Code, Ctx, Event, Fault, Micros, Outcome, Overflow, Topic, Tx, Variant, timestamp_bare},
};

/// The most users that are told the same: they are in one transaction.
pub const RECIPIENTS_MAX: usize = 5_000;

/// Tells users something, as a part of the decision that calls this: writes a row for each, and gives the event for
/// those who are connected, which is to be among the decision's own. There is none if nobody is to be told.
///
/// # Errors
/// [`Code::Conflict`] for more than [`RECIPIENTS_MAX`]; the store's.
pub fn tell(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    to: Recipients<'_>,
    notice: &Notice<'_>,
) -> Result<Option<Event>, Fault> {
    let users = recipients(tx, to)?;
    tell_these(tx, ctx.now, to, &users, notice)
}

fn recipients(tx: &Tx<'_>, to: Recipients<'_>) -> Result<Vec<UserId>, Fault> {
    match to {
        Recipients::Users(users) => Ok(users.to_vec()),
        Recipients::Admins => identity::enabled_admins(tx),
        Recipients::All => identity::enabled_users(tx),
    }
}

fn tell_these(
    tx: &mut Tx<'_>,
    now: Micros,
    to: Recipients<'_>,
    users: &[UserId],
    notice: &Notice<'_>,
) -> Result<Option<Event>, Fault> {
    if users.len() > RECIPIENTS_MAX {
        let why = format!("{} users, and at most {RECIPIENTS_MAX} are told at once", users.len());
        return Err(Fault::new(Code::Conflict, why));
    }
    for user_id in users {
        write(tx, now, *user_id, notice)?;
    }
    let each = users.iter().map(|id| rights::of_user(*id));
    let topics: Vec<_> = match to {
        Recipients::Users(_) => each.collect(),
        Recipients::Admins => each.chain([rights::ADMINS]).collect(),
        Recipients::All => vec![rights::ALL],
    };
    Ok(event(topics, notice, now))
}

/// The event by which these users are told what was written for them, where they are connected; `None` if there are
/// none.
pub fn told(to: &[UserId], notice: &Notice<'_>, now: Micros) -> Option<Event> {
    event(to.iter().map(|id| rights::of_user(*id)).collect(), notice, now)
}

fn event(topics: Vec<Topic>, notice: &Notice<'_>, now: Micros) -> Option<Event> {
    let Notice { kind, title, message, level, .. } = *notice;
    let told = Told { title, message, level, timestamp: timestamp_bare(now) };
    (!topics.is_empty()).then(|| event_of(EVENT, kind, topics, &told))
}

fn event_of(name: &'static str, kind: &str, topics: Vec<Topic>, told: &impl Serialize) -> Event {
    let payload = serde_json::value::to_raw_value(told).expect("texts serialise");
    Event {
        name: name.into(),
        key: kind.to_owned(),
        except: Vec::new(),
        variants: vec![Variant { topics, payload }],
        overflow: Overflow::Close,
    }
}

/// Like [`tell`] for one user, who is there, but by an event `name` of this service (see
/// [`BOOKING_CONFIRMED`](super::BOOKING_CONFIRMED)) with the payload `told`.
///
/// # Errors
/// The store's.
pub fn tell_as(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    user_id: UserId,
    notice: &Notice<'_>,
    name: &'static str,
    told: &impl Serialize,
) -> Result<Event, Fault> {
    write(tx, ctx.now, user_id, notice)?;
    Ok(event_of(name, notice.kind, vec![rights::of_user(user_id)], told))
}

/// Writes one row into the inbox of a user, who is there, and gives its id. Nobody is told by that: see [`told`].
///
/// # Errors
/// The store's.
pub fn write(
    tx: &mut Tx<'_>,
    now: Micros,
    user_id: UserId,
    notice: &Notice<'_>,
) -> Result<i64, Fault> {
    let user = Value::Integer(user_id.0);
    let id = tx.next_id("notifications")?;
    let booking = notice.booking;
    let row = [
        Value::Integer(id),
        user,
        Value::Text(notice.kind),
        Value::Text(notice.title),
        Value::Text(notice.message),
        Value::Text(notice.level.name()),
        Value::Integer(now),
        notice.from.map_or(Value::Null, |from| Value::Integer(from.0)),
        booking.map_or(Value::Null, |booking| Value::Integer(booking.booking_id)),
        booking.map_or(Value::Null, |booking| Value::Text(booking.station_name)),
        booking.map_or(Value::Null, |booking| Value::Text(booking.battery_info)),
    ];
    tx.execute(sql::INSERT, &row)?;
    let count = tx.one(sql::ONE_MORE, &[user], |row| row.integer(0))?.unwrap_or(0);
    if count > INBOX_MAX {
        tx.execute(sql::DROP_OLDEST, &[user])?;
        tx.execute(sql::ONE_LESS, &[user])?;
    }
    Ok(id)
}

/// `notifications.read`: notes that the caller has seen these, or all.
pub fn mark_read(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &MarkRead) -> Result<Outcome<Marked>, Fault> {
    let user = Value::Integer(read::owner(ctx.principal)?.0);
    let read = match (&cmd.ids, cmd.all) {
        (None, Some(true)) => tx.execute(sql::READ_ALL, &[user])?,
        (Some(ids), None) if ids.len() > IDS_MAX => {
            return Err(Fault::new(Code::Invalid, format!("ids: at most {IDS_MAX}")));
        }
        (Some(ids), None) => {
            let ids: BTreeSet<i64> = ids.iter().copied().collect();
            let mut read = 0;
            for id in ids {
                read += tx.execute(sql::READ_ONE, &[Value::Integer(id), user])?;
            }
            read
        }
        _ => return Err(Fault::new(Code::Invalid, "either ids, or all: true")),
    };
    Ok(Outcome::reply(Marked { read }))
}

/// `notifications.send`: tells one user, or all.
pub fn send(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &Send) -> Result<Outcome<Sent>, Fault> {
    let notice = Notice {
        from: None,
        kind: "system",
        title: cmd.title.as_str(),
        message: cmd.message.as_str(),
        level: cmd.level,
        booking: None,
    };
    let one;
    let to = match cmd.to {
        To::All => Recipients::All,
        To::User(id) => {
            identity::user(tx, id)?
                .ok_or_else(|| Fault::new(Code::Invalid, "to: there is no such user"))?;
            one = [id];
            Recipients::Users(&one)
        }
    };
    let users = recipients(tx, to)?;
    let event = tell_these(tx, ctx.now, to, &users, &notice)?;
    let sent = Sent::of(cmd, users.len(), ctx.now);
    Ok(event.into_iter().fold(Outcome::reply(sent), Outcome::event))
}
