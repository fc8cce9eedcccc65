//! Who types where: told to those who are in the room, kept nowhere.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::to_raw_value;

use super::{
    contract::{Done, Typing, claimed},
    enter::done,
    find::{self, Conversation},
    rights,
};
use crate::{
    identity::{User, UserId},
    kit::{Aside, Ctx, Event, Fault, Micros, Overflow, ReadTx, Signal, Topic, Variant, WithAside},
};

/// After this time nobody types any more who did not say so again, in microseconds.
pub const TYPING_MICROS: Micros = 10 * 1_000_000;

/// `startTypingRoom`.
pub fn start(tx: &ReadTx<'_>, ctx: &Ctx<'_>, query: &Typing) -> Result<WithAside<Done>, Fault> {
    let typist = typist(tx, ctx, query)?;
    let begins = typist.event("typingMessageStart");
    let ends = typist.event("typingMessageStop");
    let key = key(&typist.topic, typist.id);
    let begins = Signal::Begins { key, begins, ends, lasts: TYPING_MICROS };
    Ok(done(Aside::signalling(begins)))
}

/// `stopTypingRoom`.
pub fn stop(tx: &ReadTx<'_>, ctx: &Ctx<'_>, query: &Typing) -> Result<WithAside<Done>, Fault> {
    let typist = typist(tx, ctx, query)?;
    let ends = Some(typist.event("typingMessageStop"));
    let ends = Signal::Ends { key: key(&typist.topic, typist.id), ends, always: true };
    Ok(done(Aside::signalling(ends)))
}

/// Ends that a user types there, if they do.
pub(super) fn end(topic: &Topic, user: UserId) -> Signal {
    Signal::Ends { key: key(topic, user), ends: None, always: false }
}

/// The same, told with the label that the room has by now.
pub(super) fn end_in(conversation: &Conversation, user: &User) -> Signal {
    let typist = Typist {
        id: user.user_id,
        username: user.username.clone(),
        topic: conversation.topic(),
        room_id: conversation.label.as_str().to_owned(),
    };
    let ends = Some(typist.event("typingMessageStop"));
    Signal::Ends { key: key(&typist.topic, typist.id), ends, always: false }
}

fn key(topic: &Topic, user: UserId) -> String {
    format!("typing/{topic}/{}", user.0)
}

/// Who types, and where.
struct Typist {
    id: UserId,
    username: String,
    topic: Topic,
    room_id: String,
}

fn typist(tx: &ReadTx<'_>, ctx: &Ctx<'_>, query: &Typing) -> Result<Typist, Fault> {
    let caller = find::caller(tx, ctx)?;
    let claim = query.user.as_ref().and_then(|user| user.user_id.as_ref());
    claimed(claim, caller.user_id, "user.userID")?;
    let found = find::room(tx, ctx.now, caller.user_id, &query.room_id)?;
    Ok(Typist {
        id: caller.user_id,
        username: caller.username,
        topic: found.topic(),
        room_id: found.label().as_str().to_owned(),
    })
}

/// Who types, and where.
#[derive(Serialize, JsonSchema)]
pub(super) struct TypingMessage<'a> {
    /// Who.
    #[serde(rename = "senderID")]
    sender_id: UserId,
    /// Their name.
    #[serde(rename = "senderUsername")]
    sender_username: &'a str,
    /// The label of the room.
    #[serde(rename = "roomID")]
    room_id: &'a str,
}

impl Typist {
    /// For those in the room, but no connection of who types.
    fn event(&self, name: &'static str) -> Event {
        let told = TypingMessage {
            sender_id: self.id,
            sender_username: &self.username,
            room_id: &self.room_id,
        };
        let payload = to_raw_value(&told).expect("texts serialise");
        Event {
            name: name.into(),
            key: key(&self.topic, self.id),
            except: vec![rights::sessions(self.id)],
            variants: vec![Variant { topics: vec![self.topic.clone()], payload }],
            overflow: Overflow::Close,
        }
    }
}
