//! The end of a seat: somebody is kicked, leaves, or is no user any more. The group goes on without them, or is closed
//! and goes on elsewhere: two who are left in their private room, and more in the group that they have beside this.

use bellwire_store::tx::Value;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    find::{self, Conversation, Seat},
    groups,
    label::RoomLabel,
    news::{News, Note, Notified, persons},
    rights, sql,
};
use crate::{
    identity::{self, User, UserId},
    kit::{Code, Ctx, Effect, Fault, Principal, Topic, Tx},
};

/// The last word is told on at most this many earlier seats of who leaves.
const SEATS_BEFORE_MAX: usize = 100;

/// Whether a group may go on in another group that has exactly the members who are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merges {
    /// It may.
    Yes,
    /// That is refused.
    No,
}

/// A seat that ended, of which nobody was told yet.
pub(super) struct Parting {
    group: Conversation,
    user: UserId,
    username: String,
    seat: Seat,
    after: RoomLabel,
    /// Where the group goes on, if not by itself.
    successor: Option<Conversation>,
    news: News,
}

/// Ends a seat in an open group.
///
/// # Errors
/// [`Code::Conflict`] if there is a group of those who are left, and the two may not become one.
pub(super) fn end(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    group: &Conversation,
    user: UserId,
    seat: Seat,
    merges: Merges,
) -> Result<Parting, Fault> {
    let after = group.label.without(user);
    let successor = match find::live(tx, &after)? {
        _ if after.is_private() => Some(groups::private(tx, ctx, &after)?),
        Some(_) if merges == Merges::No => {
            let why = "there is a group of exactly the members who would be left";
            return Err(Fault::new(Code::Conflict, why));
        }
        found => found,
    };
    tx.execute(sql::END_SEAT, &[Value::Integer(seat.id), Value::Integer(ctx.now)])?;
    match successor {
        Some(_) => groups::note_old_label(tx, ctx, group)?,
        None => groups::relabel(tx, ctx, group, &after)?,
    }
    if group.creator == Some(user) {
        let longest = tx.one(sql::LONGEST, &[group.value()], |row| row.integer(0))?;
        let longest = longest.map_or(Value::Null, Value::Integer);
        tx.execute(sql::SET_CREATOR, &[group.value(), longest])?;
    }
    let names = identity::usernames(tx, &[user])?;
    let username = names.into_iter().next().map(|(_, name)| name).unwrap_or_default();
    let (group, news) = (group.clone(), News::default());
    Ok(Parting { group, user, username, seat, after, successor, news })
}

/// This user was kicked from a group.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct KickUserFromGroupNotify<'a> {
    /// The label of the group before.
    #[serde(rename = "roomID")]
    room_id: &'a str,
    /// Its label from now on.
    #[serde(rename = "newRoomID")]
    new_room_id: &'a str,
    /// Who was kicked.
    #[serde(rename = "kickedUserID")]
    kicked_user_id: UserId,
    /// What stands in their inbox.
    notification: Notified<'a>,
}

/// Somebody was kicked from a group, left it or was deleted, as a list of rooms shows it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct KickUserFromGroupChange<'a> {
    /// The label of the group before.
    #[serde(rename = "roomID")]
    room_id: &'a str,
    /// Its label from now on.
    #[serde(rename = "newRoomID")]
    new_room_id: &'a str,
    /// The name of who is gone.
    kicked_username: &'a str,
    /// Who is gone.
    #[serde(rename = "kickedUserID")]
    kicked_user_id: UserId,
}

/// Somebody is no member of the room of this connection any more.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct KickUserFromGroupChangeInRoom<'a> {
    /// The label of the private room that the group grew from; empty if it grew from none.
    #[serde(rename = "firstRoomID")]
    first_room_id: &'a str,
    /// Who is gone.
    #[serde(rename = "kickedUserID")]
    kicked_user_id: UserId,
    /// The label of the room from now on.
    #[serde(rename = "newRoomID")]
    new_room_id: &'a str,
}

impl Parting {
    /// The same of a user whose name is no longer to be found.
    pub fn named(self, username: &str) -> Parting {
        Parting { username: username.to_owned(), ..self }
    }

    /// Tells who was kicked, before all others.
    pub fn notify(&mut self, tx: &mut Tx<'_>, ctx: &Ctx<'_>, by: &User) -> Result<(), Fault> {
        // Who was deleted just now may not have left yet, and has no inbox.
        if identity::user(tx, self.user)?.is_none() {
            return Ok(());
        }
        let note = Note::of_group(by, "You've been removed from the group");
        let notify = KickUserFromGroupNotify {
            room_id: self.group.label.as_str(),
            new_room_id: self.after.as_str(),
            kicked_user_id: self.user,
            notification: note.write(tx, ctx, self.user)?,
        };
        let to = persons(&[self.user]);
        self.news.tell("kickUserFromGroupNotify", self.group.public_id(), to, &notify);
        self.news.tell_inboxes(ctx, &[self.user], &note);
        Ok(())
    }

    /// Tells all others, moves who is there to where the group goes on, and closes it then.
    pub fn tell(mut self, tx: &mut Tx<'_>, ctx: &Ctx<'_>) -> Result<News, Fault> {
        let (group, stay) = (&self.group, self.after.members());
        let change = KickUserFromGroupChange {
            room_id: group.label.as_str(),
            new_room_id: self.after.as_str(),
            kicked_username: &self.username,
            kicked_user_id: self.user,
        };
        self.news.tell("kickUserFromGroupChange", group.public_id(), persons(stay), &change);
        let in_room = KickUserFromGroupChangeInRoom {
            first_room_id: group.first_label.as_deref().unwrap_or_default(),
            kicked_user_id: self.user,
            new_room_id: self.after.as_str(),
        };
        let mut there = vec![group.topic(), self.seat.topic()];
        there.extend(seats_before(tx, group.id, self.user)?);
        self.news.tell("kickUserFromGroupChangeInRoom", group.public_id(), there, &in_room);
        let principal = Principal::user(self.user.0);
        self.news.effect(Effect::Evict { principal, topic: group.topic() });
        if let Some(successor) = &self.successor {
            for user in stay {
                let (from, to): (Topic, Topic) = (group.topic(), successor.topic());
                let principal = Principal::user(user.0);
                self.news.effect(Effect::Move { principal, from, to });
            }
            close(tx, ctx, group, Some(successor), &self.news)?;
        }
        Ok(self.news)
    }
}

/// The seats that a user has in groups that went on in this one: a connection that is here by one of them hears its
/// last frame by that, as the topic of the group is taken from it.
fn seats_before(tx: &Tx<'_>, group_id: i64, user: UserId) -> Result<Vec<Topic>, Fault> {
    let (mut topics, mut groups) = (Vec::new(), vec![group_id]);
    while let Some(id) = groups.pop().filter(|_| topics.len() < SEATS_BEFORE_MAX) {
        let place = [Value::Integer(id), Value::Integer(user.0)];
        for (seat, before) in
            tx.all(sql::STILL_SEATED_BEFORE, &place, |row| (row.integer(0), row.integer(1)))?
        {
            topics.push(rights::seat(seat));
            groups.push(before);
        }
    }
    Ok(topics)
}

/// Closes a conversation, behind what was told last. It stays readable for those who have a seat.
pub(super) fn close(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    conversation: &Conversation,
    successor: Option<&Conversation>,
    news: &News,
) -> Result<(), Fault> {
    let offset = i64::try_from(news.last_offset(tx)?).unwrap_or(i64::MAX);
    let row = [
        conversation.value(),
        Value::Integer(ctx.now),
        Value::Integer(offset),
        successor.map_or(Value::Null, Conversation::value),
        Value::Integer(tx.next_id(groups::SEATS)?),
    ];
    tx.execute(sql::CLOSE, &row).map(drop)
}
