//! Decisions about who is in which room: conversations begin, members come and go.

use std::collections::HashSet;

use bellwire_store::tx::Value;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    contract::{
        AddUser, Claim, DeleteRoom, Done, KickUser, MEMBERS_MAX, Member, OpenRoom, Room, claimed,
    },
    enter::done,
    find::{self, Conversation, Found},
    label::{RoomLabel, wrong_room},
    news::{News, Note, json, persons},
    part, presence, read, sql, typing,
};
use crate::{
    identity::{self, Picture, User, UserId},
    kit::{Aside, Code, Ctx, Fault, Outcome, Role, Tx, Upserted, Variant, WithAside},
};

/// The sequence by which rooms are in the order of their last activity.
pub(super) const ACTIVITY: &str = "chat.activity";
/// The sequence of seats.
pub(super) const SEATS: &str = "chat.seats";

/// The private conversation of a label, which begins if it has not yet.
pub(super) fn private(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    label: &RoomLabel,
) -> Result<Conversation, Fault> {
    match find::live(tx, label)? {
        Some(conversation) => Ok(conversation),
        None => begin(tx, ctx, label, None, label.members()),
    }
}

/// Who makes a group, and the private room that it grows from.
type Origin<'a> = (UserId, &'a RoomLabel);

/// Begins a conversation; the seats are taken in the order of `members`.
fn begin(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    label: &RoomLabel,
    group: Option<Origin<'_>>,
    members: &[UserId],
) -> Result<Conversation, Fault> {
    let id = tx.next_id("chat.conversations")?;
    let activity = tx.next_id(ACTIVITY)?;
    let row = [
        Value::Integer(id),
        Value::Integer(group.is_some().into()),
        Value::Text(label.as_str()),
        Value::Text(&label.digest()),
        group.map_or(Value::Null, |(creator, _)| Value::Integer(creator.0)),
        group.map_or(Value::Null, |(_, first)| Value::Text(first.as_str())),
        Value::Integer(activity),
        Value::Integer(ctx.now),
    ];
    tx.execute(sql::INSERT_CONVERSATION, &row)?;
    let conversation = Conversation {
        id,
        is_group: group.is_some(),
        is_open: true,
        label: label.clone(),
        creator: group.map(|(creator, _)| creator),
        first_label: group.map(|(_, first)| first.as_str().to_owned()),
        last_number: 0,
        activity,
        successor: None,
    };
    for member in members {
        add_seat(tx, ctx, &conversation, *member)?;
    }
    Ok(conversation)
}

/// Gives a user a seat, from which they see what is said from now on.
fn add_seat(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    conversation: &Conversation,
    user: UserId,
) -> Result<(), Fault> {
    let row = [
        Value::Integer(tx.next_id(SEATS)?),
        conversation.value(),
        Value::Integer(user.0),
        Value::Integer(conversation.last_number + 1),
        Value::Integer(conversation.last_number),
        Value::Integer(ctx.now),
    ];
    tx.execute(sql::INSERT_SEAT, &row).map(drop)
}

/// Gives a conversation another label; the one before still leads to it for a time.
pub(super) fn relabel(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    conversation: &Conversation,
    label: &RoomLabel,
) -> Result<(), Fault> {
    note_old_label(tx, ctx, conversation)?;
    let row = [conversation.value(), Value::Text(label.as_str()), Value::Text(&label.digest())];
    tx.execute(sql::RELABEL, &row).map(drop)
}

/// Notes that a conversation bore its label until now.
pub(super) fn note_old_label(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    conversation: &Conversation,
) -> Result<(), Fault> {
    let digest = conversation.label.digest();
    let row = [Value::Text(&digest), conversation.value(), Value::Integer(ctx.now)];
    tx.execute(sql::INSERT_OLD_LABEL, &row).map(drop)
}

/// Refuses another label than this.
fn check_new_label(new_room_id: &str, label: &RoomLabel) -> Result<(), Fault> {
    match new_room_id == label.as_str() {
        true => Ok(()),
        false => Err(wrong_room("newRoomID: not the label that the room has by this change")),
    }
}

/// Refuses a label that a live group has, and one that is too long for any.
fn refuse_taken_label(tx: &Tx<'_>, label: &RoomLabel) -> Result<(), Fault> {
    if label.members().len() > MEMBERS_MAX {
        let why = format!("a group has at most {MEMBERS_MAX} members");
        return Err(Fault::new(Code::Conflict, why));
    }
    if label.as_str().len() > RoomLabel::LEN_MAX {
        let why = format!("the group's label would be longer than {} bytes", RoomLabel::LEN_MAX);
        return Err(Fault::new(Code::Conflict, why));
    }
    match find::live(tx, label)? {
        Some(_) => Err(Fault::new(Code::Conflict, "there is a group of exactly these members")),
        None => Ok(()),
    }
}

/// Refuses a new member who is one already.
fn refuse_member(label: &RoomLabel, user: UserId) -> Result<(), Fault> {
    match label.has(user) {
        true => Err(Fault::new(Code::Conflict, "newUserID: they are in this room already")),
        false => Ok(()),
    }
}

/// Who came into a room, and what it is called by that, as a list of rooms shows it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserToGroupChange<'a> {
    /// Who came.
    #[serde(rename = "newUserID")]
    new_user_id: UserId,
    /// Their name.
    new_username: &'a str,
    /// The label of the room before.
    #[serde(rename = "roomID")]
    room_id: &'a str,
    /// The label of the group from now on.
    #[serde(rename = "newRoomID")]
    new_room_id: &'a str,
    /// Who was there before, but for who let them in, by id.
    current_member: Vec<Member>,
    /// The name of who let them in.
    client_username: &'a str,
    /// Where the picture of who came is; empty if there is none.
    new_user_picture_path: String,
    /// Whether who came is online.
    online: bool,
}

/// The label that the room of this connection has from now on, as somebody was added.
#[derive(Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(rename = "AddUserToGroupChangeInRoom")]
pub(super) struct NewLabel<'a>(&'a str);

/// Who came into a room, and who let them in.
struct Arrival<'a> {
    new: &'a User,
    by: &'a User,
    before: &'a RoomLabel,
    after: &'a RoomLabel,
    claimed_picture: Option<&'a str>,
    /// The public id of the conversation.
    key: String,
}

impl Arrival<'_> {
    fn change(&self, tx: &Tx<'_>) -> Result<UserToGroupChange<'_>, Fault> {
        let picture = self.new.picture.as_deref();
        let picture =
            picture.or_else(|| self.claimed_picture.filter(|url| Picture::parse(url).is_some()));
        let others = self.before.others(self.by.user_id);
        Ok(UserToGroupChange {
            new_user_id: self.new.user_id,
            new_username: &self.new.username,
            room_id: self.before.as_str(),
            new_room_id: self.after.as_str(),
            current_member: read::members(tx, &others)?,
            client_username: &self.by.username,
            new_user_picture_path: picture.unwrap_or_default().to_owned(),
            online: presence::is_online(tx, self.new.user_id)?,
        })
    }

    /// Those who were there and are to be told, by id: all but the one who did it.
    fn witnesses(&self, tx: &Tx<'_>) -> Result<Vec<UserId>, Fault> {
        identity::existing(tx, &self.before.others(self.by.user_id))
    }

    /// Tells each list of users what happened, in the words for them.
    fn notify(
        &self,
        tx: &mut Tx<'_>,
        ctx: &Ctx<'_>,
        news: &mut News,
        event: &'static str,
        words: &[(&[UserId], String)],
    ) -> Result<(), Fault> {
        let mut variants: Vec<Variant> = Vec::new();
        for (users, message) in words {
            variants.extend(Note::of_group(self.by, message).write_each(tx, ctx, users)?);
        }
        news.tell_each(event, self.key.clone(), variants);
        for (users, message) in words {
            news.tell_inboxes(ctx, users, &Note::of_group(self.by, message));
        }
        Ok(())
    }
}

/// `createUserGroup`: a group of the two in a private room and a third, beside that room.
pub fn create(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &AddUser) -> Result<Outcome<Done>, Fault> {
    let cmd = &cmd.data;
    let caller = checked_caller(tx, ctx, cmd.client_id.as_ref(), "data.clientID")?;
    let Found::Private { label: before, .. } =
        find::room(tx, ctx.now, caller.user_id, &cmd.room_id)?
    else {
        return Err(wrong_room("roomID: this is no private room"));
    };
    before.others(caller.user_id).into_iter().try_for_each(|id| find::user(tx, id).map(drop))?;
    let new = find::user(tx, cmd.new_user_id)?;
    refuse_member(&before, new.user_id)?;
    let after = before.with(new.user_id);
    check_new_label(&cmd.new_room_id, &after)?;
    refuse_taken_label(tx, &after)?;
    private(tx, ctx, &before)?;
    let others = before.others(caller.user_id);
    let seats: Vec<UserId> =
        [caller.user_id].into_iter().chain(others.iter().copied()).chain([new.user_id]).collect();
    let group = begin(tx, ctx, &after, Some((caller.user_id, &before)), &seats)?;
    let arrival = Arrival {
        new: &new,
        by: &caller,
        before: &before,
        after: &after,
        claimed_picture: cmd.new_user_picture_path.as_deref(),
        key: group.public_id(),
    };
    Ok(created(tx, ctx, &arrival, &[new.user_id], &others)?.with(Done::DONE))
}

/// Tells of a new group.
fn created(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    arrival: &Arrival<'_>,
    added: &[UserId],
    others: &[UserId],
) -> Result<News, Fault> {
    let by = &arrival.by.username;
    let to_added = format!("The client {by} has added you to the chat");
    let to_others = format!("The client {by} has added {} to the chat", arrival.new.username);
    let mut news = News::default();
    let words = [(added, to_added), (others, to_others)];
    arrival.notify(tx, ctx, &mut news, "createUserToGroupNotify", &words)?;
    let all = persons(arrival.after.members());
    news.tell("createUserGroupChange", arrival.key.clone(), all, &arrival.change(tx)?);
    Ok(news)
}

/// The caller, if the request does not say that they are another.
fn checked_caller(
    tx: &Tx<'_>,
    ctx: &Ctx<'_>,
    claim: Option<&Claim>,
    field: &str,
) -> Result<User, Fault> {
    let caller = find::caller(tx, ctx)?;
    claimed(claim, caller.user_id, field)?;
    Ok(caller)
}

/// `addUserToGroup`: any member may.
pub fn add(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &AddUser) -> Result<Outcome<Done>, Fault> {
    let cmd = &cmd.data;
    let caller = checked_caller(tx, ctx, cmd.client_id.as_ref(), "data.clientID")?;
    let Found::Group { conversation, .. } = find::room(tx, ctx.now, caller.user_id, &cmd.room_id)?
    else {
        return Err(wrong_room("roomID: this is no group"));
    };
    let new = find::user(tx, cmd.new_user_id)?;
    let before = &conversation.label;
    refuse_member(before, new.user_id)?;
    let after = before.with(new.user_id);
    // Who is in a group that is full learns that, whatever label they expect.
    if before.members().len() >= MEMBERS_MAX {
        refuse_taken_label(tx, &after)?;
    }
    check_new_label(&cmd.new_room_id, &after)?;
    refuse_taken_label(tx, &after)?;
    relabel(tx, ctx, &conversation, &after)?;
    add_seat(tx, ctx, &conversation, new.user_id)?;
    let arrival = Arrival {
        new: &new,
        by: &caller,
        before,
        after: &after,
        claimed_picture: cmd.new_user_picture_path.as_deref(),
        key: conversation.public_id(),
    };
    let by = &caller.username;
    let to_added = format!("You've been added to the group by {by}");
    let to_others = format!("{} has been added to the group by {by}", new.username);
    let others = arrival.witnesses(tx)?;
    let mut news = News::default();
    let words: [(&[UserId], String); 2] = [(&[new.user_id], to_added), (&others, to_others)];
    arrival.notify(tx, ctx, &mut news, "addUserToGroupNotify", &words)?;
    let all = persons(after.members());
    news.tell("addUserToGroupChange", conversation.public_id(), all, &arrival.change(tx)?);
    let there = vec![conversation.topic()];
    news.tell(
        "addUserToGroupChangeInRoom",
        conversation.public_id(),
        there,
        &NewLabel(after.as_str()),
    );
    Ok(news.with(Done::DONE))
}

/// `kickUserFromGroup`: its creator or an admin may; everybody may kick themselves, which is leaving.
pub fn kick(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &KickUser,
) -> Result<Outcome<WithAside<Done>>, Fault> {
    let caller = checked_caller(tx, ctx, cmd.client_id.as_ref(), "clientID")?;
    let conversation = find::group(tx, ctx, caller.user_id, &cmd.room_id)?;
    let kicked = cmd.kicked_user_id;
    let leaves = kicked == caller.user_id;
    if !leaves {
        in_charge(ctx, &conversation, caller.user_id)?;
    }
    let seat = find::seat(tx, conversation.id, kicked)?
        .ok_or_else(|| Fault::new(Code::NotFound, "kickedUserID: there is no such member"))?;
    check_new_label(&cmd.new_room_id, &conversation.label.without(kicked))?;
    // Nobody has to stay because others have a room of their own.
    let merges = if leaves { part::Merges::Yes } else { part::Merges::No };
    let mut parting = part::end(tx, ctx, &conversation, kicked, seat, merges)?;
    if !leaves {
        parting.notify(tx, ctx, &caller)?;
    }
    let news = parting.tell(tx, ctx)?;
    let typed = typing::end(&conversation.topic(), kicked);
    Ok(news.with(done(Aside::signalling(typed))))
}

/// Refuses all but a group's creator, and admins.
fn in_charge(ctx: &Ctx<'_>, conversation: &Conversation, user: UserId) -> Result<(), Fault> {
    if conversation.creator == Some(user) || ctx.principal.role == Role::Admin {
        return Ok(());
    }
    Err(Fault::new(Code::Forbidden, "only who made the group, or an admin, may do that"))
}

/// A group was deleted, as a list of rooms shows it.
#[derive(Serialize, JsonSchema)]
pub(super) struct DeleteUserRoomChange<'a> {
    /// Its label.
    #[serde(rename = "roomID")]
    room_id: &'a str,
}

/// `deleteUserRoom`: its creator or an admin may. Nobody can read it any more.
pub fn delete(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &DeleteRoom,
) -> Result<Outcome<WithAside<Done>>, Fault> {
    let caller = checked_caller(tx, ctx, cmd.client_id.as_ref(), "clientID")?;
    let label = RoomLabel::parse(&cmd.room_id)?;
    if label.is_private() && label.has(caller.user_id) {
        return Err(Fault::new(Code::Forbidden, "a private room cannot be deleted"));
    }
    let conversation = find::group(tx, ctx, caller.user_id, &cmd.room_id)?;
    in_charge(ctx, &conversation, caller.user_id)?;
    note_old_label(tx, ctx, &conversation)?;
    let at = [conversation.value(), Value::Integer(ctx.now)];
    tx.execute(sql::DELETE, &at)?;
    tx.execute(sql::END_SEATS, &at)?;
    let room_id = conversation.label.as_str();
    let message = format!("The room has been deleted by {}", caller.username);
    let note = Note::of_group(&caller, &message);
    let members = identity::existing(tx, conversation.label.members())?;
    let mut variants = Vec::with_capacity(members.len());
    for member in &members {
        let mut notified = note.write(tx, ctx, *member)?;
        (notified.to, notified.room_id) = ("room".to_owned(), Some(room_id));
        variants.push(Variant { topics: persons(&[*member]), payload: json(&notified) });
    }
    let mut news = News::default();
    news.tell_each("deleteUserRoomNotify", conversation.public_id(), variants);
    news.tell_inboxes(ctx, &members, &note);
    let topics = persons(&members);
    news.tell(
        "deleteUserRoomChange",
        conversation.public_id(),
        topics,
        &DeleteUserRoomChange { room_id },
    );
    let typed = typing::end(&conversation.topic(), caller.user_id);
    Ok(news.with(done(Aside::signalling(typed))))
}

/// `chat.open`: a private room, be it there already, or a new group.
pub fn open(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &OpenRoom,
) -> Result<Outcome<Upserted<Room>>, Fault> {
    let caller = find::caller(tx, ctx)?;
    let own = caller.user_id;
    let mut seen = HashSet::from([own]);
    let others: Vec<UserId> = cmd.members.iter().copied().filter(|id| seen.insert(*id)).collect();
    let invalid = |why: String| Fault::new(Code::Invalid, why);
    let (Some(first), Some(last)) = (others.first(), others.last()) else {
        return Err(invalid("members: name another user".to_owned()));
    };
    if others.len() >= MEMBERS_MAX {
        return Err(invalid(format!("members: at most {MEMBERS_MAX}, with yourself")));
    }
    let known: HashSet<UserId> = identity::existing(tx, &others)?.into_iter().collect();
    if let Some(unknown) = others.iter().find(|id| !known.contains(id)) {
        return Err(invalid(format!("members: there is no user {}", unknown.0)));
    }
    let after = RoomLabel::of(others.iter().copied().chain([own]));
    if after.as_str().len() > RoomLabel::LEN_MAX {
        let why = format!("members: a label has at most {} bytes", RoomLabel::LEN_MAX);
        return Err(invalid(why));
    }
    if after.is_private() {
        let is_new = find::live(tx, &after)?.is_none();
        let conversation = private(tx, ctx, &after)?;
        let reply = read::shown_to(tx, own, conversation)?;
        return Ok(Outcome::reply(Upserted { reply, is_new }));
    }
    refuse_taken_label(tx, &after)?;
    let seats: Vec<UserId> = [own].into_iter().chain(others.iter().copied()).collect();
    let grew_from = RoomLabel::of([own, *first]);
    let conversation = begin(tx, ctx, &after, Some((own, &grew_from)), &seats)?;
    let new = find::user(tx, *last)?;
    let before = after.without(*last);
    let arrival = Arrival {
        new: &new,
        by: &caller,
        before: &before,
        after: &after,
        claimed_picture: None,
        key: conversation.public_id(),
    };
    let news = created(tx, ctx, &arrival, &others, &[])?;
    let reply = read::shown_to(tx, own, conversation)?;
    Ok(news.with(Upserted { reply, is_new: true }))
}
