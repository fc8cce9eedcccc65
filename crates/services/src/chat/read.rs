//! Queries about rooms, messages and who is here.

use std::collections::{HashMap, HashSet};

use bellwire_store::tx::Value;

use super::{
    contract::{Flag, ListMessages, ListOnline, ListRooms, Member, Message, OneRoom, Room},
    find::{self, Conversation, Seat, conversation_of},
    sql,
};
use crate::{
    identity::{self, UserId},
    kit::{Code, Ctx, Fault, Micros, Page, Paging, ReadTx, timestamp_ms},
    notifications::Date,
};

/// The bytes after which a page ends, whatever its length.
const PAGE_BYTES_MAX: usize = 512 << 10;
/// About the bytes that a member takes in an answer.
const MEMBER_BYTES: usize = 48;

/// These users as others see them, in the same order.
pub(super) fn members(tx: &ReadTx<'_>, ids: &[UserId]) -> Result<Vec<Member>, Fault> {
    let names: HashMap<UserId, String> = identity::usernames(tx, ids)?.into_iter().collect();
    Ok(ids.iter().map(|id| member(*id, &names)).collect())
}

fn member(user_id: UserId, names: &HashMap<UserId, String>) -> Member {
    Member { user_id, username: names.get(&user_id).cloned().unwrap_or_default() }
}

/// Ends a list before the item with which it has too many bytes; the first is always left.
fn end_by_bytes<T>(items: &mut Vec<T>, bytes: impl Fn(&T) -> usize) {
    let mut sum = 0;
    let fit = items.iter().take_while(|item| {
        sum += bytes(item);
        sum <= PAGE_BYTES_MAX
    });
    let fit = fit.count().max(1);
    items.truncate(fit);
}

/// `chat.rooms`: those that are open, or, asked so, those that are closed.
pub fn rooms(tx: &ReadTx<'_>, ctx: &Ctx<'_>, query: &ListRooms) -> Result<Page<Room>, Fault> {
    let own = find::caller(tx, ctx)?.user_id;
    let len = query.paging.page_len()?;
    let place = [
        Value::Integer(own.0),
        Value::Integer((query.closed != Some(Flag::True)).into()),
        Value::Integer(query.paging.after()?.unwrap_or(i64::MAX)),
        Value::Integer(len as i64 + 1),
    ];
    let rows =
        tx.all(sql::ROOMS, &place, |row| (conversation_of(row), Seat::of(row, find::COLUMNS)))?;
    let mut page = Page::of(rows, len, |(conversation, _)| conversation.activity.to_string());
    let before = page.items.len();
    end_by_bytes(&mut page.items, |(conversation, _)| {
        conversation.label.members().len() * MEMBER_BYTES
    });
    if page.items.len() < before {
        page.next = page.items.last().map(|(conversation, _)| conversation.activity.to_string());
    }
    Ok(Page { items: shown(tx, page.items)?, next: page.next })
}

/// `chat.room`.
pub fn room(tx: &ReadTx<'_>, ctx: &Ctx<'_>, query: &OneRoom) -> Result<Room, Fault> {
    let own = find::caller(tx, ctx)?.user_id;
    let found = find::readable(tx, ctx.now, own, &query.room_id)?;
    one(tx, found)
}

/// A conversation as this user sees it, who has a seat in it.
pub(super) fn shown_to(
    tx: &ReadTx<'_>,
    user: UserId,
    conversation: Conversation,
) -> Result<Room, Fault> {
    let seat = find::seat(tx, conversation.id, user)?.ok_or_else(find::no_room)?;
    one(tx, (conversation, seat))
}

fn one(tx: &ReadTx<'_>, found: (Conversation, Seat)) -> Result<Room, Fault> {
    Ok(shown(tx, vec![found])?.pop().expect("as many are shown as were found"))
}

/// Conversations as those see them who have these seats.
fn shown(tx: &ReadTx<'_>, found: Vec<(Conversation, Seat)>) -> Result<Vec<Room>, Fault> {
    let mut present = Vec::with_capacity(found.len());
    for (conversation, _) in &found {
        present.push(match conversation.is_group && !conversation.is_open {
            // Its label has the one who left last, too.
            true => {
                tx.all(sql::SEATED_IN, &[conversation.value()], |row| UserId(row.integer(0)))?
            }
            false => conversation.label.members().to_vec(),
        });
    }
    let ids: HashSet<UserId> = present.iter().flatten().copied().collect();
    let ids: Vec<UserId> = ids.into_iter().collect();
    let names: HashMap<UserId, String> = identity::usernames(tx, &ids)?.into_iter().collect();
    let mut rooms = Vec::with_capacity(found.len());
    for ((conversation, seat), present) in found.into_iter().zip(present) {
        let last = last_message(tx, &conversation, &seat)?;
        rooms.push(Room {
            room_id: conversation.label.as_str().to_owned(),
            conversation_id: conversation.public_id(),
            group: conversation.is_group,
            members: present.into_iter().map(|id| member(id, &names)).collect(),
            unread: conversation.last_number - seat.read_number,
            creator: conversation.creator,
            last_at: last.as_ref().map(|(_, at)| timestamp_ms(*at)),
            last_message: last.map(|(text, _)| text),
            closed: !conversation.is_open,
        });
    }
    Ok(rooms)
}

/// The text and the time of the last message that a member may see.
fn last_message(
    tx: &ReadTx<'_>,
    conversation: &Conversation,
    seat: &Seat,
) -> Result<Option<(String, Micros)>, Fault> {
    if conversation.last_number < seat.first_number {
        return Ok(None);
    }
    let last = [conversation.value(), Value::Integer(conversation.last_number)];
    tx.one(sql::MESSAGE, &last, |row| (row.text(0), row.integer(1)))
}

/// `chat.messages`: the newest first, down to where the caller came in.
pub fn messages(
    tx: &ReadTx<'_>,
    ctx: &Ctx<'_>,
    query: &ListMessages,
) -> Result<Page<Message>, Fault> {
    let own = find::caller(tx, ctx)?.user_id;
    let len = Paging { limit: query.limit, cursor: None }.page_len()?;
    let (conversation, seat) = find::readable(tx, ctx.now, own, &query.room_id)?;
    let before = match &query.before {
        None => i64::MAX,
        Some(text) => number_of(tx, &conversation, &seat, text)?,
    };
    let place = [
        conversation.value(),
        Value::Integer(before),
        Value::Integer(seat.first_number),
        Value::Integer(len as i64 + 1),
    ];
    let rows = tx.all(sql::MESSAGES, &place, |row| {
        let at = row.integer(4);
        Message {
            message_id: row.integer(0),
            room_id: conversation.label.as_str().to_owned(),
            from: UserId(row.integer(1)),
            from_username: row.text(2),
            message: row.text(3),
            date: Date::in_zone(at, &ctx.settings.time_zone),
            timestamp: timestamp_ms(at),
        }
    })?;
    let mut page = Page::of(rows, len, |message| message.message_id.to_string());
    let before = page.items.len();
    end_by_bytes(&mut page.items, |message| message.message.len() + message.room_id.len());
    if page.items.len() < before {
        page.next = page.items.last().map(|message| message.message_id.to_string());
    }
    Ok(page)
}

/// The number of a message that the caller may see.
fn number_of(
    tx: &ReadTx<'_>,
    conversation: &Conversation,
    seat: &Seat,
    message_id: &str,
) -> Result<i64, Fault> {
    let number = match message_id.parse() {
        Ok(id) => {
            let place = [Value::Integer(id), conversation.value()];
            tx.one(sql::NUMBER_OF, &place, |row| row.integer(0))?
        }
        Err(_) => None,
    };
    let number = number.filter(|number| *number >= seat.first_number);
    number.ok_or_else(|| Fault::new(Code::Invalid, "before: not a message of this room"))
}

/// `chat.online`: who is here, by id.
pub fn online(tx: &ReadTx<'_>, ctx: &Ctx<'_>, query: &ListOnline) -> Result<Page<Member>, Fault> {
    find::caller(tx, ctx)?;
    let len = query.paging.page_len()?;
    let after = query.paging.after()?.unwrap_or(0);
    let place = [Value::Integer(after), Value::Integer(len as i64 + 1)];
    let ids = tx.all(sql::ONLINE, &place, |row| UserId(row.integer(0)))?;
    let page = Page::of(ids, len, |id| id.0.to_string());
    Ok(Page { items: members(tx, &page.items)?, next: page.next })
}
