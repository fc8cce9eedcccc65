//! Chat: people talk in twos and in groups, and see who is here. docs/protocol.md has the frames.
//!
//! - What people talk in is a *conversation*, private or a group. It has an id for ever, and a *label*, the
//!   sorted list of its present members, by which clients know it: the label changes with the membership. One that was
//!   borne in the last `find::OLD_LABELS_MICROS` still leads present members there.
//! - Being a member is a *seat*, from when to when. Who is added again has a new one, and with it nothing of what was
//!   said before.
//! - What one connection listens to is a *room* of the kit, which it enters and leaves by itself: [`rights`] says
//!   which, and which topics are heard there, asked again whenever rights are read.
//! - There is one live conversation per label. Two become one only where somebody leaves: theirs is closed then, and
//!   goes on in the other, as a group of which two are left goes on in their private room.
//! - Who calls, sends and is told is read in the transaction; what clients say about that is compared or ignored.
//! - A message costs the same few statements whatever the number of members: the label names them, and unread messages
//!   are counted by subtraction.
//!
//! Comments, ratings and the list of houseworkers are not here but in `market`.

mod contract;
mod decide;
mod dialect;
mod enter;
mod find;
mod forget;
mod groups;
mod label;
mod market;
mod news;
mod part;
mod presence;
mod read;
pub mod rights;
mod sql;
#[cfg(test)]
mod tests;
mod typing;

pub use contract::Present;
pub use forget::{forget, forget_user};
pub use presence::{PRESENT_MAX, everyone_online};

use news::Notified;

use crate::kit::{Access, Meter, Named, RefusedAt, Route, Service, Spelling};

/// The name of this service.
const NAME: &str = "chat";

/// All times are microseconds since 1970.
///
/// - `conversations.label`: the members as they are, or, once it is closed, as they were last. `digest` stands for it
///   in indexes.
/// - `conversations.first_label`: the private room that a group grew from.
/// - `conversations.last_number`: how many messages there are; they are numbered from 1 on.
/// - `conversations.activity`: the newest have the greatest.
/// - `conversations.successor`: the conversation in which a closed one goes on, after `closed_offset`; only for seats
///   there below `closed_seat`: who is added later has to enter by themselves.
/// - `conversations.deleted_at`: nobody may read it, and it is taken away in time.
/// - `seats.first_number`: what was said before is not for this member; `read_number`: they have read up to there.
/// - `old_labels`: labels that conversations bore until then.
/// - `messages.sent_to`: the digest of the label that its sender named, where they gave it an id.
/// - `online.told_at`: when others were told last that the user is here.
/// - `online_budget`: one row: how many users are here, how many connections there were when that was noted last, and the
///   units that are left in the purse that pays for telling everybody.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE conversations (
        conversation_id INTEGER PRIMARY KEY,
        is_group INTEGER NOT NULL,
        is_open INTEGER NOT NULL,
        label TEXT NOT NULL,
        digest TEXT NOT NULL,
        creator INTEGER,
        first_label TEXT,
        last_number INTEGER NOT NULL,
        activity INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        closed_at INTEGER,
        closed_offset INTEGER,
        closed_seat INTEGER,
        successor INTEGER,
        deleted_at INTEGER
    );
    CREATE UNIQUE INDEX conversations_live ON conversations (digest) WHERE is_open = 1;
    CREATE INDEX conversations_closed ON conversations (digest, conversation_id) WHERE is_open = 0;
    CREATE INDEX conversations_before ON conversations (successor) WHERE successor IS NOT NULL;
    CREATE INDEX conversations_deleted ON conversations (conversation_id) WHERE deleted_at IS NOT NULL;
    CREATE TABLE seats (
        seat_id INTEGER PRIMARY KEY,
        conversation_id INTEGER NOT NULL,
        user_id INTEGER NOT NULL,
        first_number INTEGER NOT NULL,
        read_number INTEGER NOT NULL,
        joined_at INTEGER NOT NULL,
        left_at INTEGER
    );
    CREATE UNIQUE INDEX seats_now ON seats (conversation_id, user_id) WHERE left_at IS NULL;
    CREATE INDEX seats_of_user ON seats (user_id, conversation_id) WHERE left_at IS NULL;
    CREATE INDEX seats_ever ON seats (conversation_id, user_id);
    CREATE TABLE old_labels (
        digest TEXT NOT NULL,
        conversation_id INTEGER NOT NULL,
        borne_until INTEGER NOT NULL,
        PRIMARY KEY (digest, conversation_id)
    ) WITHOUT ROWID;
    CREATE INDEX old_labels_by_age ON old_labels (borne_until);
    CREATE INDEX old_labels_of_conversation ON old_labels (conversation_id);
    CREATE TABLE messages (
        message_id INTEGER PRIMARY KEY,
        conversation_id INTEGER NOT NULL,
        number INTEGER NOT NULL,
        sender INTEGER NOT NULL,
        sender_username TEXT NOT NULL,
        text TEXT NOT NULL,
        at INTEGER NOT NULL,
        client_message_id TEXT,
        sent_to TEXT
    );
    CREATE UNIQUE INDEX messages_in_order ON messages (conversation_id, number);
    CREATE UNIQUE INDEX messages_by_client_id ON messages (sender, client_message_id)
        WHERE client_message_id IS NOT NULL;
    CREATE TABLE online (
        user_id INTEGER PRIMARY KEY,
        told_at INTEGER NOT NULL
    );
    CREATE TABLE online_budget (
        users INTEGER NOT NULL,
        listeners INTEGER NOT NULL,
        units INTEGER NOT NULL,
        at INTEGER NOT NULL
    );
    INSERT INTO online_budget (users, listeners, units, at) VALUES (0, 0, 200000, 0);
", market::MIGRATION];

/// What is said, and what is done with groups.
const METER: Meter =
    Meter { what: "messages", weigh: decide::weigh, per_second: |_| contract::MESSAGES_PER_SECOND };

/// What this service offers.
pub fn service() -> Service {
    let service = Service::new(NAME, MIGRATIONS, sql::STATEMENTS)
        .statements(market::STATEMENTS)
        .topics(rights::TOPICS)
        .rooms(rights::room_topics)
        .stream("/ws/chat/", dialect::DIALECT, Access::Caller, |_, who| Ok(rights::topics(who)))
        .entries(enter::room_of)
        .namespace("/chat", rights::ALL, rights::is_heard_unasked)
        .names(|name| (name == rights::ALL).then_some(Named::All))
        .bare(&["joinRoom", "leaveRoom", "chatRoom.join", "chatRoom.leave"])
        .due(forget::DEPARTURE, forget::depart);
    market::calls(rest_calls(group_calls(talk_calls(service))))
}

/// Who is here, and what is said.
fn talk_calls(service: Service) -> Service {
    service
        .command("addOnlineUser", Access::Caller, presence::add_online_user)
        .moving("addOnlineUser")
        .query("joinRoom", Access::Caller, enter::join_personal)
        .query("leaveRoom", Access::Caller, enter::leave_personal)
        .query("chatRoom.join", Access::Caller, enter::join_room)
        .query("chatRoom.leave", Access::Caller, enter::leave_room)
        .command("message", Access::Caller, decide::send)
        .metered("message", METER)
        .query("startTypingRoom", Access::Caller, typing::start)
        .query("stopTypingRoom", Access::Caller, typing::stop)
        .command("chat.present", Access::Operator, presence::present)
        // Its payload has a `type` of its own.
        .event::<presence::NewOnlineUser>("newOnlineUser", Spelling::Nested)
        .event::<decide::MessageRoom>("messageRoom", Spelling::Spread)
        .event::<decide::MessagePage>("messagePage", Spelling::Spread)
        .event::<decide::FirstMessageConversation>("firstMessageConversation", Spelling::Spread)
        .event::<decide::MessageResponseNotify>("messageResponseNotify", Spelling::Spread)
        .own("messageResponseNotify", "userID")
        .event::<typing::TypingMessage>("typingMessageStart", Spelling::Spread)
        .means("Somebody types in the room.")
        .event::<typing::TypingMessage>("typingMessageStop", Spelling::Spread)
        .means("Somebody does not type any more.")
        .answers::<RefusedAt>("error")
}

/// What is done with groups.
fn group_calls(service: Service) -> Service {
    service
        .command("createUserGroup", Access::Caller, groups::create)
        .metered("createUserGroup", METER)
        .command("addUserToGroup", Access::Caller, groups::add)
        .metered("addUserToGroup", METER)
        .command("kickUserFromGroup", Access::Caller, groups::kick)
        .metered("kickUserFromGroup", METER)
        .command("deleteUserRoom", Access::Caller, groups::delete)
        .metered("deleteUserRoom", METER)
        .command("chat.open", Access::Caller, groups::open)
        .metered("chat.open", METER)
        // Those with a `type` of their own, and the one that is a text, are nested.
        .event::<Notified>("createUserToGroupNotify", Spelling::Nested)
        .means("A group was made that this user is in.")
        .event::<groups::UserToGroupChange>("createUserGroupChange", Spelling::Spread)
        .means("A group was made, as a list of rooms shows it.")
        .event::<Notified>("addUserToGroupNotify", Spelling::Nested)
        .means("Somebody was added to a group of this user, or they were.")
        .event::<groups::UserToGroupChange>("addUserToGroupChange", Spelling::Spread)
        .means("Somebody was added to a group, as a list of rooms shows it.")
        .event::<groups::NewLabel>("addUserToGroupChangeInRoom", Spelling::Nested)
        .event::<part::KickUserFromGroupNotify>("kickUserFromGroupNotify", Spelling::Spread)
        .event::<part::KickUserFromGroupChange>("kickUserFromGroupChange", Spelling::Spread)
        .event::<part::KickUserFromGroupChangeInRoom>(
            "kickUserFromGroupChangeInRoom",
            Spelling::Spread,
        )
        .event::<Notified>("deleteUserRoomNotify", Spelling::Nested)
        .means("A group of this user was deleted.")
        .event::<groups::DeleteUserRoomChange>("deleteUserRoomChange", Spelling::Spread)
}

/// What is found over HTTP.
fn rest_calls(service: Service) -> Service {
    service
        .query("chat.rooms", Access::Caller, read::rooms)
        .query("chat.room", Access::Caller, read::room)
        .query("chat.messages", Access::Caller, read::messages)
        .command("chat.read", Access::Caller, decide::mark_read)
        .query("chat.online", Access::Caller, read::online)
        .rest("chat.rooms", Route::get("/api/chat/rooms?limit:int&cursor&closed"))
        .rest("chat.open", Route::post("/api/chat/rooms"))
        .rest("chat.room", Route::get("/api/chat/rooms/{roomID}"))
        .rest("chat.messages", Route::get("/api/chat/rooms/{roomID}/messages?before&limit:int"))
        .rest("chat.read", Route::post("/api/chat/rooms/{roomID}/read").status(200))
        .rest("chat.online", Route::get("/api/chat/online?limit:int&cursor"))
}
