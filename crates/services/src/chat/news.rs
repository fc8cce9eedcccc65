//! What a decision tells: events in their order, effects on the last of them, and notifications beside.

use std::borrow::Cow;

use bellwire_store::change::Offset;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::rights;
use crate::{
    identity::{User, UserId},
    kit::{Ctx, Effect, Event, Fault, Outcome, Overflow, Topic, Tx, Variant},
    notifications::{self, Date, Level, Notice},
};

/// What a decision tells so far.
#[derive(Default)]
pub(super) struct News {
    events: Vec<Event>,
    effects: Vec<Effect>,
}

impl News {
    /// Tells the same to all who hear one of these topics; nobody if there are none.
    pub fn tell(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        key: impl Into<String>,
        topics: Vec<Topic>,
        payload: &impl Serialize,
    ) {
        self.tell_each(name, key, vec![Variant { topics, payload: json(payload) }]);
    }

    /// The same, but not to those who hear this topic.
    pub fn tell_except(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        key: impl Into<String>,
        topics: Vec<Topic>,
        except: Topic,
        payload: &impl Serialize,
    ) {
        self.tell(name, key, topics, payload);
        self.events.last_mut().expect("it was told just now").except.push(except);
    }

    /// Tells several something of their own.
    pub fn tell_each(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        key: impl Into<String>,
        variants: Vec<Variant>,
    ) {
        self.events.push(Event {
            name: name.into(),
            key: key.into(),
            except: Vec::new(),
            variants,
            overflow: Overflow::Close,
        });
    }

    /// Tells inboxes that are open what was written into them.
    pub fn tell_inboxes(&mut self, ctx: &Ctx<'_>, to: &[UserId], note: &Note<'_>) {
        self.events.extend(notifications::told(to, &note.notice(), ctx.now));
    }

    /// Adds what happens to live sessions, after the last event was told.
    pub fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// The place in the log of what was told last: from behind it on something else holds.
    pub fn last_offset(&self, tx: &Tx<'_>) -> Result<Offset, Fault> {
        Ok(tx.head()? + (self.events.len() as Offset).max(1))
    }

    /// All of it, with the answer to the caller.
    pub fn with<R>(self, reply: R) -> Outcome<R> {
        Outcome { reply, events: self.events, effects: self.effects }
    }
}

/// Something that a user did, as those whom it concerns find it in their inbox.
#[derive(Debug, Clone, Copy)]
pub(super) struct Note<'a> {
    /// Who did it.
    pub from: UserId,
    /// What it is about.
    pub kind: &'static str,
    /// What it is.
    pub title: &'static str,
    /// What happened.
    pub message: &'a str,
}

impl<'a> Note<'a> {
    /// Of a group.
    pub fn of_group(from: &User, message: &'a str) -> Note<'a> {
        Note { from: from.user_id, kind: "chatGroup", title: "Group chat", message }
    }

    /// Of the marketplace: what somebody said of whom it is told.
    pub fn of_market(from: &User, title: &'static str, message: &'a str) -> Note<'a> {
        Note { from: from.user_id, kind: "comment", title, message }
    }

    fn notice(&self) -> Notice<'a> {
        Notice {
            from: Some(self.from),
            kind: self.kind,
            title: self.title,
            message: self.message,
            level: Level::Info,
            booking: None,
        }
    }

    /// Writes it into the inbox of a user who exists; gives it as they are told.
    pub fn write(&self, tx: &mut Tx<'_>, ctx: &Ctx<'_>, to: UserId) -> Result<Notified<'a>, Fault> {
        let id = notifications::write(tx, ctx.now, to, &self.notice())?;
        Ok(Notified {
            id,
            from: self.from,
            to: to.0.to_string(),
            kind: self.kind,
            date: Date::in_zone(ctx.now, &ctx.settings.time_zone),
            message: self.message,
            read: false,
            room_id: None,
        })
    }

    /// Writes it into the inboxes of several users who exist; gives it as each is told on their own topic.
    pub fn write_each(
        &self,
        tx: &mut Tx<'_>,
        ctx: &Ctx<'_>,
        to: &[UserId],
    ) -> Result<Vec<Variant>, Fault> {
        let mut variants = Vec::with_capacity(to.len());
        for user in to {
            let payload = json(&self.write(tx, ctx, *user)?);
            variants.push(Variant { topics: vec![rights::person(*user)], payload });
        }
        Ok(variants)
    }
}

/// A notification, as chat tells it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Notified<'a> {
    /// Its id.
    pub id: i64,
    /// Who caused it.
    pub from: UserId,
    /// Whose it is; of a room that was deleted, `room`.
    pub to: String,
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// When it was made.
    pub date: Date,
    /// What happened.
    pub message: &'a str,
    /// Whether its recipient has seen it.
    pub read: bool,
    /// The label of the room that was deleted; absent of all others.
    #[serde(rename = "roomID", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub room_id: Option<&'a str>,
}

/// The topics of these users' personal rooms.
pub(super) fn persons(users: &[UserId]) -> Vec<Topic> {
    users.iter().map(|id| rights::person(*id)).collect()
}

/// A payload.
pub(super) fn json(payload: &impl Serialize) -> Box<RawValue> {
    to_raw_value(payload).expect("texts and numbers serialise")
}
