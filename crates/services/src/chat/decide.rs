//! Decisions about messages.

use bellwire_store::tx::Value;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Json;

use super::{
    contract::{
        ClientMessageId, MEMBERS_MAX, NOTICE_WEIGHT, NewMessage, OneRoom, SendMessage, Sent,
        Unread, claimed,
    },
    find::{self, Conversation, Found},
    groups,
    label::RoomLabel,
    news::{News, Note, Notified, json, persons},
    rights, sql, typing,
};
use crate::{
    identity::{self, User, UserId},
    kit::{Aside, Code, Ctx, Fault, Outcome, Payload, Tx, Variant, WithAside},
    notifications::Date,
};

/// `message`: keeps it, and tells the room and its members. Sent again with the same id it is answered the same, and
/// nothing else happens.
pub fn send(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &SendMessage,
) -> Result<Outcome<WithAside<Sent>>, Fault> {
    let (caller, new) = (find::caller(tx, ctx)?, &cmd.data);
    claimed(new.from.as_ref(), caller.user_id, "data.from")?;
    let label = RoomLabel::parse(&new.room_id)?;
    let found = find::room(tx, ctx.now, caller.user_id, &new.room_id);
    if let Some(id) = &new.client_message_id
        && let Some(sent) = repeated(tx, ctx, &caller, id, new, &label, &found)?
    {
        return Ok(Outcome::reply(WithAside { reply: sent, aside: Aside::default() }));
    }
    let found = found?;
    let conversation = match &found {
        Found::Group { conversation, .. } => conversation.clone(),
        Found::Private { label, .. } => {
            label
                .others(caller.user_id)
                .into_iter()
                .try_for_each(|id| find::user(tx, id).map(drop))?;
            groups::private(tx, ctx, label)?
        }
    };
    let message_id = write(tx, ctx, &caller, &conversation, new, &label)?;
    let date = Date::in_zone(ctx.now, &ctx.settings.time_zone);
    let news = told(tx, ctx, &caller, &conversation, new, &date)?;
    let room_id = conversation.label.as_str().to_owned();
    let reply = Sent { success: true, message_id, room_id, date };
    let aside = Aside::signalling(typing::end_in(&conversation, &caller));
    Ok(news.with(WithAside { reply, aside }))
}

/// How many messages a request counts for, as it came. A message counts for one; where each member of a room is told
/// something of their own (one with notifications, and whatever is done with a group) that counts [`NOTICE_WEIGHT`] times
/// for each member that the room's label has.
pub(super) fn weigh(payload: &Payload) -> u32 {
    let field = |name: &str| payload.get(name).or_else(|| payload.get("data")?.get(name));
    let is_message = field("message").is_some();
    if is_message && field("createRoomNotification").is_none_or(Json::is_null) {
        return 1;
    }
    let named = field("members").and_then(Json::as_array).map(Vec::len);
    let label = field("roomID").and_then(Json::as_str);
    // What is no label, or has more members than a room may have, is refused for what it is.
    let label = label.filter(|label| RoomLabel::parse(label).is_ok());
    let members = named.or(label.map(|label| label.split(':').count()));
    let members = members.filter(|members| *members <= MEMBERS_MAX);
    members.map_or(1, |members| members * NOTICE_WEIGHT) as u32
}

/// The answer to a message that its sender sent before; `None` if they did not.
fn repeated(
    tx: &Tx<'_>,
    ctx: &Ctx<'_>,
    sender: &User,
    id: &ClientMessageId,
    new: &NewMessage,
    label: &RoomLabel,
    found: &Result<Found, Fault>,
) -> Result<Option<Sent>, Fault> {
    let place = [Value::Integer(sender.user_id.0), Value::Text(id.as_str())];
    let before = tx.one(sql::REPEATED, &place, |row| {
        (row.integer(0), row.integer(1), row.text(2), row.integer(3), row.optional_text(4))
    })?;
    let Some((message_id, conversation_id, text, at, sent_to)) = before else { return Ok(None) };
    // Its room may bear another label by now, or be none any more.
    let is_there = found
        .as_ref()
        .is_ok_and(|found| found.conversation().is_some_and(|here| here.id == conversation_id));
    let is_same_room = is_there || sent_to.is_some_and(|digest| digest == label.digest());
    if text != new.message.as_str() || !is_same_room {
        let why = "data.clientMessageID: you sent another message with this id";
        return Err(Fault::new(Code::Conflict, why));
    }
    // Who is not in it any more is not told what it is called by now.
    let is_member = find::seat(tx, conversation_id, sender.user_id)?.is_some();
    let now = find::conversation(tx, conversation_id)?.filter(|_| is_member);
    let room_id = now.map_or(new.room_id.clone(), |now| now.label.as_str().to_owned());
    let date = Date::in_zone(at, &ctx.settings.time_zone);
    Ok(Some(Sent { success: true, message_id, room_id, date }))
}

/// Keeps a message, which its sender has read; gives its id.
fn write(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    sender: &User,
    conversation: &Conversation,
    new: &NewMessage,
    sent_to: &RoomLabel,
) -> Result<i64, Fault> {
    let activity = tx.next_id(groups::ACTIVITY)?;
    let counted = [conversation.value(), Value::Integer(activity)];
    let number = tx.one(sql::ONE_MORE, &counted, |row| row.integer(0))?;
    let number = number.ok_or_else(find::no_room)?;
    let message_id = tx.next_id("chat.messages")?;
    let digest = new.client_message_id.as_ref().map(|_| sent_to.digest());
    let row = [
        Value::Integer(message_id),
        conversation.value(),
        Value::Integer(number),
        Value::Integer(sender.user_id.0),
        Value::Text(&sender.username),
        Value::Text(new.message.as_str()),
        Value::Integer(ctx.now),
        new.client_message_id.as_ref().map_or(Value::Null, |id| Value::Text(id.as_str())),
        digest.as_deref().map_or(Value::Null, Value::Text),
    ];
    tx.execute(sql::INSERT_MESSAGE, &row)?;
    if let Some(seat) = find::seat(tx, conversation.id, sender.user_id)? {
        tx.execute(sql::READ, &[Value::Integer(seat.id), Value::Integer(number)])?;
    }
    Ok(message_id)
}

/// Something was said in a room, for those who are in it.
#[derive(Serialize, JsonSchema)]
pub(super) struct MessageRoom<'a> {
    /// What was said.
    message: &'a str,
    /// Who said it.
    from: UserId,
    /// The label of the room.
    #[serde(rename = "roomID")]
    room_id: &'a str,
    /// The name of who said it.
    #[serde(rename = "fromUsername")]
    from_username: &'a str,
    /// When.
    date: &'a Date,
}

/// Something was said in a room, as a list of rooms shows it, for members who are not in it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessagePage<'a> {
    /// The label of the room.
    #[serde(rename = "roomID")]
    room_id: &'a str,
    /// What was said.
    last_message: &'a str,
}

/// Somebody wrote to a houseworker for the first time.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FirstMessageConversation<'a> {
    /// The label of the room.
    #[serde(rename = "roomID")]
    room_id: &'a str,
    /// Who wrote.
    from: UserId,
    /// Their name.
    from_username: &'a str,
    /// What was said.
    last_message: &'a str,
}

/// Something was said to this user: by this, unread messages are counted.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageResponseNotify<'a> {
    /// The label of the room.
    #[serde(rename = "roomID")]
    room_id: &'a str,
    /// The name of who said it.
    from_username: &'a str,
    /// Who said it.
    #[serde(rename = "fromUserID")]
    from_user_id: UserId,
    /// Who is told.
    // Empty where each connection is told its own user's.
    #[serde(rename = "userID")]
    #[schemars(with = "UserId")]
    user_id: String,
    /// What was said.
    last_message: &'a str,
    /// Whether there is one unread message more.
    unread_update_status: bool,
    /// What stands in the inbox besides, if its sender wanted that.
    create_room_notification: Option<Notified<'a>>,
}

/// Tells of a message: the room, then the others.
fn told(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    sender: &User,
    conversation: &Conversation,
    new: &NewMessage,
    date: &Date,
) -> Result<News, Fault> {
    let (from, from_username) = (sender.user_id, sender.username.as_str());
    let (room_id, text) = (conversation.label.as_str(), new.message.as_str());
    let (key, topic) = (conversation.public_id(), conversation.topic());
    let recipients = conversation.label.others(from);
    let mut news = News::default();
    let payload = MessageRoom { message: text, from, room_id, from_username, date };
    news.tell("messageRoom", key.clone(), vec![topic.clone()], &payload);
    let payload = MessagePage { room_id, last_message: text };
    news.tell_except("messagePage", key.clone(), persons(&recipients), topic, &payload);
    if new.contact == Some(true) {
        let payload = FirstMessageConversation { room_id, from, from_username, last_message: text };
        news.tell("firstMessageConversation", key.clone(), persons(&recipients), &payload);
    }
    let to = |user_id, create_room_notification| MessageResponseNotify {
        room_id,
        from_username,
        from_user_id: from,
        user_id,
        last_message: text,
        unread_update_status: true,
        create_room_notification,
    };
    if new.create_room_notification.is_none() {
        news.tell("messageResponseNotify", key, persons(&recipients), &to(String::new(), None));
        return Ok(news);
    }
    let message = format!("You've got message from {from_username}");
    let kind = if conversation.is_group { "chatGroup" } else { "chat" };
    let note = Note { from, kind, title: "Message", message: &message };
    let there = identity::existing(tx, &recipients)?;
    let mut variants = Vec::with_capacity(there.len());
    for user in &there {
        let notified = note.write(tx, ctx, *user)?;
        let payload = json(&to(user.0.to_string(), Some(notified)));
        variants.push(Variant { topics: vec![rights::person(*user)], payload });
    }
    news.tell_each("messageResponseNotify", key, variants);
    news.tell_inboxes(ctx, &there, &note);
    Ok(news)
}

/// `chat.read`: the caller has read all that was said in a room.
pub fn mark_read(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &OneRoom) -> Result<Outcome<Unread>, Fault> {
    let own = find::caller(tx, ctx)?.user_id;
    let (conversation, seat) = find::readable(tx, ctx.now, own, &cmd.room_id)?;
    let upto = [Value::Integer(seat.id), Value::Integer(conversation.last_number)];
    tx.execute(sql::READ, &upto)?;
    Ok(Outcome::reply(Unread { unread: 0 }))
}
