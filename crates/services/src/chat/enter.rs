//! Which rooms a connection is in: its personal one, and those where it hears what is said. Nothing is written.

use std::collections::BTreeSet;

use bellwire_store::tx::{Row, Value};
use serde_json::Value as Json;

use super::{
    contract::{Done, JoinPersonal, JoinRoom, Leave},
    find::{self, Found},
    label::RoomLabel,
    rights, sql, typing,
};
use crate::{
    identity::UserId,
    kit::{Aside, Code, Ctx, Fault, Micros, Principal, ReadTx, Topic, WithAside},
};

/// So many seats are left at most by one label.
const SEATS_LEFT_MAX: usize = 100;

type Entered = Result<WithAside<Done>, Fault>;

/// It is done, and this beside.
pub(super) fn done(aside: Aside) -> WithAside<Done> {
    WithAside { reply: Done::DONE, aside }
}

/// `joinRoom`: only one's own.
pub fn join_personal(tx: &ReadTx<'_>, ctx: &Ctx<'_>, query: &JoinPersonal) -> Entered {
    let own = find::caller(tx, ctx)?.user_id;
    if query.data != own.0.to_string() {
        let why = format!("this is another's room; you are user {}", own.0);
        return Err(Fault::new(Code::Forbidden, why));
    }
    Ok(done(Aside::entering(rights::person(own))))
}

/// `leaveRoom`: whatever it names.
pub fn leave_personal(_: &ReadTx<'_>, _: &Ctx<'_>, query: &Leave) -> Entered {
    let named = query.data.as_str().and_then(UserId::parse);
    Ok(done(Aside::leaving(named.map(rights::person))))
}

/// `chatRoom.join`.
pub fn join_room(tx: &ReadTx<'_>, ctx: &Ctx<'_>, query: &JoinRoom) -> Entered {
    let own = find::caller(tx, ctx)?.user_id;
    Ok(done(Aside::entering(room_at(tx, ctx.now, own, &query.data)?)))
}

/// A word of `?rooms=`: `me` leads to one's personal room, a label to its room if it is one's own.
pub fn room_of(
    tx: &ReadTx<'_>,
    principal: &Principal,
    now: Micros,
    word: &str,
) -> Result<Option<String>, Fault> {
    let Some(own) = rights::caller_id(principal) else { return Ok(None) };
    if word == "me" {
        return Ok(Some(rights::person(own).into_owned()));
    }
    match room_at(tx, now, own, word) {
        Ok(room) => Ok(Some(room)),
        Err(fault) if matches!(fault.code, Code::NotFound | Code::Invalid) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// The name of the room to which a label leads. If a group bears that now and bore others before, the name has a number
/// beyond the last of these: who enters by what it is called now does not leave by what it was called before.
fn room_at(tx: &ReadTx<'_>, now: Micros, own: UserId, label: &str) -> Result<String, Fault> {
    let found = find::room(tx, now, own, label)?;
    let Found::Group { conversation, .. } = &found else { return Ok(found.room().into_owned()) };
    let group = [conversation.value()];
    let before = tx.one(sql::LAST_OLD_LABEL, &group, |row| row.optional_integer(0))?.flatten();
    Ok(match before.filter(|_| conversation.label.as_str() == label) {
        Some(until) => format!("{}@{}", found.room(), until + 1),
        None => found.room().into_owned(),
    })
}

/// `chatRoom.leave`: whatever it names, and what has gone on in the room of this label. If the caller is in no room that
/// bears the label now, it is what bore it: a connection may have entered by that, or was told since that its room is
/// called so. They type no longer where they are out for sure: not in a group that goes on under another label, by which a
/// connection may be in it.
pub fn leave_room(tx: &ReadTx<'_>, ctx: &Ctx<'_>, query: &Leave) -> Entered {
    let (Some(own), Json::String(text)) = (rights::caller_id(ctx.principal), &query.data) else {
        return Ok(done(Aside::default()));
    };
    let Ok(label) = RoomLabel::parse(text) else { return Ok(done(Aside::default())) };
    let private = (label.is_private() && label.has(own)).then(|| rights::private(&label));
    let mut rooms: BTreeSet<String> = private.iter().cloned().map(Topic::into_owned).collect();
    let mut quiet: BTreeSet<Topic> = private.iter().cloned().collect();
    for SeatLeft { seat, group, until } in seats_left(tx, own, &label, private.is_some())? {
        let seat = rights::seat(seat);
        rooms.insert(until.map_or(seat.to_string(), |until| format!("{seat}@{until}")));
        let goes_on =
            until.is_some() && find::conversation(tx, group)?.is_some_and(|found| found.is_open);
        if !goes_on {
            quiet.insert(rights::group(group));
        }
    }
    let signals = quiet.iter().map(|topic| typing::end(topic, own)).collect();
    Ok(done(Aside { signals, ..Aside::leaving(rooms) }))
}

/// A seat that is left.
#[derive(Debug, Clone, Copy)]
struct SeatLeft {
    seat: i64,
    group: i64,
    /// Until when the group bore the label by which it is left; `None`: it does now.
    until: Option<Micros>,
}

/// The seats that a user leaves by a label, and by those of before of groups that went on there.
fn seats_left(
    tx: &ReadTx<'_>,
    own: UserId,
    label: &RoomLabel,
    is_private: bool,
) -> Result<Vec<SeatLeft>, Fault> {
    let user = Value::Integer(own.0);
    let before = |group: i64, until: Option<Micros>| {
        let until_at_most = Value::Integer(until.unwrap_or(Micros::MAX));
        let seat = |row: &Row<'_>| SeatLeft { seat: row.integer(0), group: row.integer(1), until };
        tx.all(sql::SEATS_BEFORE, &[Value::Integer(group), user, until_at_most], seat)
    };
    let mut seats = match find::live(tx, label)? {
        Some(live) if is_private => before(live.id, None)?,
        Some(live) if find::seat(tx, live.id, own)?.is_some() => {
            let (group, until) = (live.id, None);
            let seat = |row: &Row<'_>| SeatLeft { seat: row.integer(0), group, until };
            tx.all(sql::SEATS_EVER, &[live.value(), user], seat)?
        }
        _ => {
            let seat = |row: &Row<'_>| SeatLeft {
                seat: row.integer(0),
                group: row.integer(1),
                until: Some(row.integer(2)),
            };
            tx.all(sql::SEATS_BY_OLD_LABEL, &[Value::Text(&label.digest()), user], seat)?
        }
    };
    let (mut groups, mut next) = (BTreeSet::new(), 0);
    while let Some(&SeatLeft { group, until, .. }) =
        seats.get(next).filter(|_| next < SEATS_LEFT_MAX)
    {
        next += 1;
        if groups.insert(group) {
            seats.extend(before(group, until)?);
        }
    }
    seats.truncate(SEATS_LEFT_MAX);
    Ok(seats)
}
