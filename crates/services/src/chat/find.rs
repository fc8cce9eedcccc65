//! Which conversation a label means, and to whom.

use bellwire_store::{
    change::Offset,
    tx::{Row, Value},
};

use super::{
    label::{RoomLabel, wrong_room},
    rights, sql,
};
use crate::{
    identity::{self, User, UserId},
    kit::{Code, Ctx, Fault, Micros, ReadTx, Role, Topic, number},
};

/// How long a label leads to its conversation after that got another.
pub const OLD_LABELS_MICROS: Micros = 60 * 1_000_000;
/// The longest chain of successors that is followed.
const SUCCESSORS_MAX: usize = 8;

/// What people talk in.
#[derive(Debug, Clone)]
pub(super) struct Conversation {
    pub id: i64,
    pub is_group: bool,
    pub is_open: bool,
    pub label: RoomLabel,
    pub creator: Option<UserId>,
    pub first_label: Option<String>,
    pub last_number: i64,
    pub activity: i64,
    /// Where it goes on, if it is closed and does.
    pub successor: Option<Successor>,
}

impl Conversation {
    /// As a parameter of a statement.
    pub fn value(&self) -> Value<'static> {
        Value::Integer(self.id)
    }

    /// The topic of what is said in it.
    pub fn topic(&self) -> Topic {
        match self.is_group {
            true => rights::group(self.id),
            false => rights::private(&self.label),
        }
    }

    /// What clients know it by for ever, as `conversationID`.
    pub fn public_id(&self) -> String {
        format!("{PUBLIC_ID_BEGIN}{}", self.id)
    }
}

/// The conversation in which a closed one goes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Successor {
    pub id: i64,
    /// Since this place of the log.
    pub since: Offset,
    /// For seats there from before this one.
    pub before_seat: i64,
}

/// What the public ids of conversations begin with.
const PUBLIC_ID_BEGIN: &str = "conversation-";

/// A user in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seat {
    pub id: i64,
    /// What was said before is not for them.
    pub first_number: i64,
    /// They have read up to there.
    pub read_number: i64,
}

impl Seat {
    pub fn of(row: &Row<'_>, column: usize) -> Seat {
        Seat {
            id: row.integer(column),
            first_number: row.integer(column + 1),
            read_number: row.integer(column + 2),
        }
    }

    /// The topic of this seat's connections, which is the name of their room too.
    pub fn topic(&self) -> Topic {
        rights::seat(self.id)
    }
}

/// A room in which somebody can talk.
#[derive(Debug, Clone)]
pub(super) enum Found {
    /// A private room of the caller, whose conversation may not have begun.
    Private { label: RoomLabel, conversation: Option<Conversation> },
    /// A group, and the caller's seat in it.
    Group { conversation: Conversation, seat: Seat },
}

impl Found {
    /// Its label now.
    pub fn label(&self) -> &RoomLabel {
        match self {
            Found::Private { label, .. } => label,
            Found::Group { conversation, .. } => &conversation.label,
        }
    }

    /// The topic of what is said there.
    pub fn topic(&self) -> Topic {
        match self {
            Found::Private { label, .. } => rights::private(label),
            Found::Group { conversation, .. } => conversation.topic(),
        }
    }

    /// What a connection enters to hear it.
    pub fn room(&self) -> Topic {
        match self {
            Found::Private { label, .. } => rights::private(label),
            Found::Group { seat, .. } => seat.topic(),
        }
    }

    /// Its conversation, if that has begun.
    pub fn conversation(&self) -> Option<&Conversation> {
        match self {
            Found::Private { conversation, .. } => conversation.as_ref(),
            Found::Group { conversation, .. } => Some(conversation),
        }
    }
}

/// How many columns a conversation has.
pub(super) const COLUMNS: usize = 11;

/// Reads a conversation off the first [`COLUMNS`] columns.
pub(super) fn conversation_of(row: &Row<'_>) -> Conversation {
    let successor = row.optional_integer(8).map(|id| Successor {
        id,
        since: row.optional_integer(9).and_then(|at| Offset::try_from(at).ok()).unwrap_or(0),
        before_seat: row.optional_integer(10).unwrap_or(0),
    });
    Conversation {
        id: row.integer(0),
        is_group: row.integer(1) != 0,
        is_open: row.integer(2) != 0,
        label: RoomLabel::parse(row.text_ref(3)).expect("only labels are stored"),
        creator: row.optional_integer(4).map(UserId),
        first_label: row.optional_text(5),
        last_number: row.integer(6),
        activity: row.integer(7),
        successor,
    }
}

/// The conversation with this id.
pub(super) fn conversation(tx: &ReadTx<'_>, id: i64) -> Result<Option<Conversation>, Fault> {
    tx.one(sql::CONVERSATION, &[Value::Integer(id)], conversation_of)
}

/// The live conversation with this label.
pub(super) fn live(tx: &ReadTx<'_>, label: &RoomLabel) -> Result<Option<Conversation>, Fault> {
    tx.one(sql::LIVE, &[Value::Text(&label.digest())], conversation_of)
}

/// The seat that a user has in a conversation.
pub(super) fn seat(tx: &ReadTx<'_>, id: i64, user: UserId) -> Result<Option<Seat>, Fault> {
    let place = [Value::Integer(id), Value::Integer(user.0)];
    tx.one(sql::SEAT, &place, |row| Seat::of(row, 0))
}

/// The room where this user can talk under this label.
///
/// # Errors
/// `INVALID_ROOM` for what is no label; [`Code::NotFound`] for all that is no room of theirs.
pub(super) fn room(
    tx: &ReadTx<'_>,
    now: Micros,
    user: UserId,
    room_id: &str,
) -> Result<Found, Fault> {
    let label = RoomLabel::parse(room_id)?;
    if label.is_private() {
        if !label.has(user) {
            return Err(no_room());
        }
        let conversation = live(tx, &label)?;
        return Ok(Found::Private { label, conversation });
    }
    if let Some(conversation) = live(tx, &label)?
        && let Some(seat) = seat(tx, conversation.id, user)?
    {
        return Ok(Found::Group { conversation, seat });
    }
    let digest = label.digest();
    let deleted =
        tx.one(sql::DELETED_WITH, &[Value::Text(&digest)], |row| row.optional_integer(0))?;
    let deleted = deleted.flatten().map_or(0, |at| at + 1);
    let since = deleted.max(now.saturating_sub(OLD_LABELS_MICROS));
    let since = Value::Integer(since);
    let bore = tx.all(sql::BORE, &[Value::Text(&digest), since], |row| row.integer(0))?;
    for id in bore {
        if let Some((found, _)) = goes_on(tx, id, user)? {
            return Ok(found);
        }
        // It is what they mean, and they are in it no more: not what bore the label before that.
        let place = [Value::Integer(id), Value::Integer(user.0)];
        if tx.one(sql::SEATS_EVER, &place, |_| ())?.is_some() {
            break;
        }
    }
    Err(no_room())
}

/// The group under this label that the caller may change: one they are in, or, for an admin, any open one.
///
/// # Errors
/// As [`room`]; `INVALID_ROOM` for a private room.
pub(super) fn group(
    tx: &ReadTx<'_>,
    ctx: &Ctx<'_>,
    user: UserId,
    room_id: &str,
) -> Result<Conversation, Fault> {
    match room(tx, ctx.now, user, room_id) {
        Ok(Found::Group { conversation, .. }) => Ok(conversation),
        Ok(Found::Private { .. }) => Err(wrong_room("roomID: this is no group")),
        Err(fault) if fault.code == Code::NotFound && ctx.principal.role == Role::Admin => {
            let found = live(tx, &RoomLabel::parse(room_id)?)?;
            found.filter(|conversation| conversation.is_group).ok_or(fault)
        }
        Err(fault) => Err(fault),
    }
}

/// Where a conversation goes on for this user, itself if it is open, and since which place of the log.
pub(super) fn goes_on(
    tx: &ReadTx<'_>,
    id: i64,
    user: UserId,
) -> Result<Option<(Found, Offset)>, Fault> {
    let (mut id, mut since, mut before_seat) = (id, 0, i64::MAX);
    for _ in 0..SUCCESSORS_MAX {
        let Some(conversation) = conversation(tx, id)? else { return Ok(None) };
        let seat = seat(tx, id, user)?.filter(|seat| seat.id < before_seat);
        let Some(seat) = seat else { return Ok(None) };
        match conversation.successor {
            Some(next) if !conversation.is_open => {
                (id, since, before_seat) = (next.id, next.since, next.before_seat);
            }
            _ if !conversation.is_group => {
                let label = conversation.label.clone();
                let conversation = Some(conversation).filter(|found| found.is_open);
                return Ok(Some((Found::Private { label, conversation }, since)));
            }
            _ if conversation.is_open => {
                return Ok(Some((Found::Group { conversation, seat }, since)));
            }
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// A conversation that this user may read, open or closed, and their seat in it.
///
/// # Errors
/// As [`room`].
pub(super) fn readable(
    tx: &ReadTx<'_>,
    now: Micros,
    user: UserId,
    room_id: &str,
) -> Result<(Conversation, Seat), Fault> {
    let found = match room_id.strip_prefix(PUBLIC_ID_BEGIN) {
        Some(digits) => match number(digits) {
            Some(id) => conversation(tx, id)?,
            None => None,
        },
        None => labelled(tx, now, user, &RoomLabel::parse(room_id)?)?,
    };
    if let Some(conversation) = found
        && let Some(seat) = seat(tx, conversation.id, user)?
    {
        return Ok((conversation, seat));
    }
    Err(no_room())
}

/// What bears this label, else what bore it last, else what bore it lately.
fn labelled(
    tx: &ReadTx<'_>,
    now: Micros,
    user: UserId,
    label: &RoomLabel,
) -> Result<Option<Conversation>, Fault> {
    if let Some(conversation) = live(tx, label)?
        && seat(tx, conversation.id, user)?.is_some()
    {
        return Ok(Some(conversation));
    }
    let place = [Value::Text(&label.digest()), Value::Integer(user.0)];
    if let Some(conversation) = tx.one(sql::CLOSED_OF, &place, conversation_of)? {
        return Ok(Some(conversation));
    }
    Ok(room(tx, now, user, label.as_str())?.conversation().cloned())
}

/// The user who calls.
///
/// # Errors
/// Why the caller may not chat.
pub(super) fn caller(tx: &ReadTx<'_>, ctx: &Ctx<'_>) -> Result<User, Fault> {
    identity::user(tx, rights::require_caller_id(ctx.principal)?)?
        .ok_or_else(|| Fault::new(Code::Unauthenticated, "there is no such user any more"))
}

/// The user with this id.
///
/// # Errors
/// [`Code::NotFound`].
pub(super) fn user(tx: &ReadTx<'_>, id: UserId) -> Result<User, Fault> {
    identity::user(tx, id)?
        .ok_or_else(|| Fault::new(Code::NotFound, format!("there is no user {}", id.0)))
}

/// What is said of every room that is none of the caller's.
pub(super) fn no_room() -> Fault {
    Fault::new(Code::NotFound, "there is no such room")
}
