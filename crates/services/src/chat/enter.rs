//! Which rooms a connection is in: its personal one, and those where it hears what is said. Nothing is written.

use std::collections::BTreeSet;

use bellwire_store::tx::{Row, Value};
use serde_json::Value as Json;

use super::{
    contract::{Done, JoinPersonal, JoinRoom, Leave},
    find,
    label::RoomLabel,
    rights, sql, typing,
};
use crate::{
    identity::UserId,
    kit::{Aside, Code, Ctx, Fault, Micros, Principal, ReadTx, Topic, WithAside},
};

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
    Ok(done(Aside::entering(find::room(tx, ctx.now, own, &query.data)?.room())))
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
    match find::room(tx, now, own, word) {
        Ok(found) => Ok(Some(found.room().into_owned())),
        Err(fault) if matches!(fault.code, Code::NotFound | Code::Invalid) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// `chatRoom.leave`: whatever it names. A connection may have come in under a label that its room bore long ago, or
/// into one that has gone on in the room of this label; it leaves that too, and types there no longer.
pub fn leave_room(tx: &ReadTx<'_>, ctx: &Ctx<'_>, query: &Leave) -> Entered {
    let (Some(own), Json::String(text)) = (rights::caller_id(ctx.principal), &query.data) else {
        return Ok(done(Aside::default()));
    };
    let Ok(label) = RoomLabel::parse(text) else { return Ok(done(Aside::default())) };
    let private = (label.is_private() && label.has(own)).then(|| rights::private(&label));
    let mut seats = BTreeSet::new();
    let mut topics: BTreeSet<Topic> = private.iter().cloned().collect();
    let both = |row: &Row<'_>| (row.integer(0), row.integer(1));
    let by_label = [Value::Text(&label.digest()), Value::Integer(own.0)];
    let mut lead_here = tx.all(sql::SEATS_BY_LABEL, &by_label, both)?;
    if let Some(conversation) = find::live(tx, &label)? {
        let before = [conversation.value(), Value::Integer(own.0)];
        lead_here.extend(tx.all(sql::SEATS_BEFORE, &before, both)?);
    }
    for (seat, conversation) in lead_here {
        seats.insert(seat);
        topics.insert(rights::group(conversation));
    }
    let rooms = private.into_iter().chain(seats.into_iter().map(rights::seat));
    let signals = topics.iter().map(|topic| typing::end(topic, own)).collect();
    Ok(done(Aside { signals, ..Aside::leaving(rooms) }))
}
