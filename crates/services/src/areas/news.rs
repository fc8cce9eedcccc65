//! What a decision tells: events for who is connected, and the same written down for who asks later.

use bellwire_store::{change::Offset, tx::Value};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    contract::{Area, AreaId, Client, ClientId, EntityIds},
    rights, sql,
};
use crate::kit::{
    Ctx, Effect, Event, Fault, Outcome, Overflow, Principal, Topic, Tx, Variant, Words,
    timestamp_ms,
};

/// What happens to an area, as its clients hear it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Added,
    Removed,
    Updated,
    Enabled,
    Disabled,
}

impl Change {
    /// All of them.
    pub const ALL: [Change; 5] =
        [Change::Added, Change::Removed, Change::Updated, Change::Enabled, Change::Disabled];

    /// The name of the event.
    pub fn event(self) -> &'static str {
        match self {
            Change::Added => "area_added",
            Change::Removed => "area_removed",
            Change::Updated => "area_updated",
            Change::Enabled => "area_enabled",
            Change::Disabled => "area_disabled",
        }
    }

    /// What it means to who is told.
    pub fn means(self) -> &'static str {
        match self {
            Change::Added => "An area was made, or this client got it.",
            Change::Removed => "An area was deleted, or this client has it no more.",
            Change::Updated => "An area was changed.",
            Change::Enabled => "An area was enabled: its clients may read what is in it.",
            Change::Disabled => "An area was disabled: its clients may not read what is in it.",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Change::Added => "Area has been added by admin",
            Change::Removed => "Area has been removed by admin",
            Change::Updated => "Area has been updated by admin",
            Change::Enabled => "Area has been enabled by admin",
            Change::Disabled => "Area has been disabled by admin",
        }
    }
}

/// Who is told.
#[derive(Debug, Clone, Copy)]
pub(super) enum To<'a> {
    /// Everyone who has the area.
    Holders,
    /// Everyone who has had it until now, these.
    Former(&'a [ClientId]),
    /// This client alone.
    Client(ClientId),
}

/// An area, and what happened to it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AreaChanged<'a> {
    /// Which area.
    area_id: AreaId,
    /// What people call it.
    name: &'a str,
    /// What is in it.
    entity_ids: &'a EntityIds,
    /// Whether its clients may read what is in it.
    is_enabled: bool,
    /// What happened, for people.
    message: &'static str,
    /// When, RFC 3339 with milliseconds.
    timestamp: String,
}

/// A client was taken away.
#[derive(Serialize, JsonSchema)]
pub(super) struct ClientRemoved {
    /// Which client.
    pub id: ClientId,
}

/// Clients came or went.
#[derive(Serialize, JsonSchema)]
pub(super) struct ClientsPresent<'a> {
    /// Which, and whether they are here.
    pub clients: &'a [Present],
}

/// A client that came or went.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ClientPresent")]
pub(super) struct Present {
    /// Which client.
    pub id: ClientId,
    /// Whether it is connected.
    pub online: bool,
    /// When it came or went last, RFC 3339 with milliseconds; `null`: never.
    pub last_seen: Option<String>,
}

/// What a decision tells so far.
#[derive(Default)]
pub(super) struct News {
    events: Vec<Event>,
    effects: Vec<Effect>,
}

impl News {
    /// Tells of an area.
    pub fn of_area(
        &mut self,
        tx: &mut Tx<'_>,
        ctx: &Ctx<'_>,
        change: Change,
        area: &Area,
        to: To<'_>,
    ) -> Result<(), Fault> {
        // Of a change of the area itself, as the area has it: clocks are set back, and `updatedAt` is not.
        let at = match to {
            To::Holders => area.updated_at,
            To::Former(_) | To::Client(_) => ctx.now,
        };
        let payload = json(&AreaChanged {
            area_id: area.id,
            name: &area.name,
            entity_ids: &area.entity_ids,
            is_enabled: area.is_enabled,
            message: change.message(),
            timestamp: timestamp_ms(at),
        });
        let mut topics = vec![Topic::Borrowed(rights::ALL)];
        match to {
            To::Holders => topics.push(rights::holders(area.id)),
            To::Former(clients) => topics.extend(clients.iter().map(|id| rights::client(*id))),
            To::Client(id) => topics = vec![rights::client(id)],
        }
        self.record(tx, ctx, change.event(), &payload, area.id, to)?;
        self.push(change.event(), area.id.to_string(), topics, payload);
        Ok(())
    }

    /// Tells admins of a client.
    pub fn of_client(&mut self, client: &Client) {
        self.for_admins("client_changed", client.id.to_string(), client);
    }

    /// Tells admins something.
    pub fn for_admins(&mut self, name: &'static str, key: String, payload: &impl Serialize) {
        self.push(name, key, vec![Topic::Borrowed(rights::ALL)], json(payload));
    }

    fn push(
        &mut self,
        name: &'static str,
        key: String,
        topics: Vec<Topic>,
        payload: Box<serde_json::value::RawValue>,
    ) {
        self.events.push(Event {
            name: name.into(),
            key,
            except: Vec::new(),
            variants: vec![Variant { topics, payload }],
            overflow: Overflow::Close,
        });
    }

    fn record(
        &self,
        tx: &mut Tx<'_>,
        ctx: &Ctx<'_>,
        name: &str,
        payload: &serde_json::value::RawValue,
        area_id: AreaId,
        to: To<'_>,
    ) -> Result<(), Fault> {
        let (area_id, client_id) = match to {
            To::Holders | To::Former(_) => (area_id.value(), Value::Null),
            To::Client(id) => (Value::Null, id.value()),
        };
        let offset = offset_value(self.next_offset(tx)?);
        let (at, text) = (Value::Integer(ctx.now), Value::Text(payload.get()));
        tx.execute(sql::RECORD, &[offset, at, Value::Text(name), text, area_id, client_id])?;
        Ok(())
    }

    /// Notes that a client was told its access was revoked.
    pub fn record_revocation(
        &self,
        tx: &mut Tx<'_>,
        ctx: &Ctx<'_>,
        id: ClientId,
        words: &Words,
    ) -> Result<(), Fault> {
        let offset = offset_value(self.next_offset(tx)?);
        let (at, name) = (Value::Integer(ctx.now), Value::Text(&words.event));
        let row = [offset, at, name, Value::Text(&words.payload), Value::Null, id.value()];
        tx.execute(sql::RECORD, &row).map(drop)
    }

    /// The place in the log that the next event will have: what a decision tells is appended as soon as it is
    /// made.
    fn next_offset(&self, tx: &Tx<'_>) -> Result<Offset, Fault> {
        Ok(tx.head()? + 1 + self.events.len() as Offset)
    }

    /// The place of the last event, or of the next if there is none yet: from behind it on something else holds.
    pub fn last_offset(&self, tx: &Tx<'_>) -> Result<Offset, Fault> {
        Ok(tx.head()? + (self.events.len() as Offset).max(1))
    }

    /// From there on a client hears of an area and what is in it.
    pub fn grant(&mut self, id: ClientId, area_id: AreaId) {
        for topic in rights::of_area(area_id) {
            let principal = Principal::client(&id.to_string());
            self.effects.push(Effect::Grant { principal, topic });
        }
    }

    /// From there on it does not.
    pub fn evict(&mut self, id: ClientId, area_id: AreaId) {
        for topic in rights::of_area(area_id) {
            let principal = Principal::client(&id.to_string());
            self.effects.push(Effect::Evict { principal, topic });
        }
    }

    /// From there on an area shows fewer states: none, or none of these entities.
    pub fn narrow(&mut self, area_id: AreaId, entity_ids: Option<Vec<String>>) {
        let topic = rights::states_in(area_id);
        self.effects.push(Effect::Narrow { topic, keys: entity_ids });
    }

    /// Adds an effect.
    pub fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// All of it, with the answer to the caller.
    pub fn with<R>(self, reply: R) -> Outcome<R> {
        Outcome { reply, events: self.events, effects: self.effects }
    }
}

/// An admin ended this client's access: it is told nothing after this.
#[derive(Serialize, JsonSchema)]
pub(super) struct TokenRevoked {
    /// What happened, for people.
    message: &'static str,
}

/// What a client is told last when an admin ends its access.
pub(super) fn token_revoked() -> Words {
    let payload = json(&TokenRevoked { message: "Your access has been revoked by admin" });
    Words { event: "token_revoked".to_owned(), payload: payload.get().to_owned() }
}

/// An offset as a parameter of a statement.
pub(super) fn offset_value(offset: Offset) -> Value<'static> {
    Value::Integer(i64::try_from(offset).unwrap_or(i64::MAX))
}

fn json(payload: &impl Serialize) -> Box<serde_json::value::RawValue> {
    serde_json::value::to_raw_value(payload).expect("texts and numbers serialise")
}
