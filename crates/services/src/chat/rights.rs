//! Who hears of what.
//!
//! | topic | who hears it | what it carries |
//! |---|---|---|
//! | `chat` | whoever chat lets in | `newOnlineUser` |
//! | `person/1` | connections of user 1 that are in that room | what is for them |
//! | `private/1:2` | connections of either that are in that room | what is said there, and who types |
//! | `group/17` | connections in a seat of that group | the same, and who comes and goes |
//! | `seat/205` | connections in that seat | the last that who is kicked hears of the group |
//! | `here/1` | connections of user 1 that said so | who comes and goes, where that is not told to everybody |
//!
//! Rooms are `person/1`, `private/1:2`, `seat/205`, which may have a number behind it (`seat/205@7`), and `here/1`. A
//! seat gives the topic of its group as long as it is present and the group is open; afterwards those of the room in
//! which the group went on, if it did.

use bellwire_store::tx::Value;

use super::{find, label::RoomLabel, sql};
use crate::{
    identity::UserId,
    kit::{Code, Fault, Principal, ReadTx, Role, RoomTopic, Topic, room_and_number},
};

/// What everybody hears; and the name by which clients ask for what they may hear of this service.
pub const ALL: &str = "chat";
/// What the topics begin with that are heard on this service's streams.
pub const TOPICS: &[&str] = &[ALL, "person", "private", "group", "seat", "here"];

/// The user for whom a principal speaks, if it is one's: a person's or an admin's token, or a guest who said who they
/// are.
pub fn caller_id(principal: &Principal) -> Option<UserId> {
    let is_person = matches!(principal.role, Role::Admin | Role::User | Role::Guest);
    let id = UserId::parse(principal.subject.as_deref().filter(|_| is_person)?)?;
    (principal.user_id() == Some(id.0)).then_some(id)
}

/// The caller's user id, or why they may not chat.
///
/// # Errors
/// [`Code::Unauthenticated`] for guests who are nobody yet, [`Code::Forbidden`] for all others.
pub(super) fn require_caller_id(principal: &Principal) -> Result<UserId, Fault> {
    caller_id(principal).ok_or_else(|| match principal.role {
        Role::Guest => Fault::new(Code::Unauthenticated, "say who you are first: addOnlineUser"),
        _ => Fault::new(Code::Forbidden, "only users may chat, and this token speaks for none"),
    })
}

/// The topics that a principal may hear without being in any room.
pub fn topics(principal: &Principal) -> Vec<Topic> {
    let is_let_in = matches!(principal.role, Role::Admin | Role::User | Role::Guest | Role::System);
    if is_let_in { vec![Topic::Borrowed(ALL)] } else { Vec::new() }
}

/// Whether a principal hears chat on `/` of Socket.IO unasked.
pub(super) fn is_heard_unasked(principal: &Principal) -> bool {
    !topics(principal).is_empty()
}

/// What is for one user.
pub(super) fn person(user: UserId) -> Topic {
    Topic::Owned(format!("person/{}", user.0))
}

/// The connections of a user that say they are here.
pub(super) fn here(user: UserId) -> Topic {
    Topic::Owned(format!("here/{}", user.0))
}

/// What is said in a private room of this label.
pub(super) fn private(label: &RoomLabel) -> Topic {
    Topic::Owned(format!("private/{}", label.as_str()))
}

/// What is said in the group of this number.
pub(super) fn group(conversation_id: i64) -> Topic {
    Topic::Owned(format!("group/{conversation_id}"))
}

/// The connections that are in a group by this seat; also the name of the room that they are in.
pub(super) fn seat(seat_id: i64) -> Topic {
    Topic::Owned(format!("seat/{seat_id}"))
}

/// All sessions of a user, where somebody is not to hear an event.
pub(super) fn sessions(user: UserId) -> Topic {
    Topic::Owned(format!("principal/{}", Principal::user(user.0)))
}

/// The topics of the room of this name for a principal; none if it may not be there.
///
/// # Errors
/// The store's.
pub fn room_topics(
    tx: &ReadTx<'_>,
    principal: &Principal,
    name: &str,
) -> Result<Vec<RoomTopic>, Fault> {
    let (Some(user), Some((kind, which))) = (caller_id(principal), name.split_once('/')) else {
        return Ok(Vec::new());
    };
    let itself = |is_own: bool| match is_own {
        true => vec![RoomTopic::of(Topic::Owned(name.to_owned()))],
        false => Vec::new(),
    };
    match kind {
        "person" | "here" => Ok(itself(UserId::parse(which) == Some(user))),
        "private" => Ok(itself(
            RoomLabel::parse(which).is_ok_and(|label| label.is_private() && label.has(user)),
        )),
        "seat" => match room_and_number(which).0.parse() {
            Ok(seat_id) => seat_topics(tx, user, seat_id),
            Err(_) => Ok(Vec::new()),
        },
        _ => Ok(Vec::new()),
    }
}

fn seat_topics(tx: &ReadTx<'_>, user: UserId, seat_id: i64) -> Result<Vec<RoomTopic>, Fault> {
    let place = [Value::Integer(seat_id), Value::Integer(user.0)];
    let Some(id) = tx.one(sql::SEATED, &place, |row| row.integer(0))? else {
        return Ok(Vec::new());
    };
    let Some((found, since)) = find::goes_on(tx, id, user)? else { return Ok(Vec::new()) };
    let own = [group(id), seat(seat_id)];
    let mut topics: Vec<RoomTopic> = own.into_iter().map(RoomTopic::of).collect();
    if found.topic() != topics[0].topic {
        topics.push(RoomTopic { topic: found.topic(), since });
    }
    Ok(topics)
}

/// The user whose connection holds this topic, `here/N`, and is here by it.
pub fn present(topic: &str) -> Option<UserId> {
    UserId::parse(topic.strip_prefix("here/")?)
}
