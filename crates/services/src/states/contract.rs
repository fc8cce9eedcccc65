//! Requests, replies and events about states, as docs/protocol.md spells them.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Map, Value, value::RawValue};

use crate::{
    areas,
    kit::{Event, Fault, Overflow, Paging, ReadTx, Topic, Variant, present},
};

/// `^[a-z0-9_]+\.[a-z0-9_]+$`, to 255 bytes, e.g. `light.kitchen`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct EntityId(
    #[schemars(length(max = Self::LEN_MAX), regex(pattern = r"^[a-z0-9_]+\.[a-z0-9_]+$"))] String,
);

impl EntityId {
    /// The longest, in bytes.
    pub const LEN_MAX: usize = 255;

    /// The id, if it has the shape of one.
    pub fn parse(text: &str) -> Option<EntityId> {
        let word = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        };
        let (domain, name) = text.split_once('.')?;
        (text.len() <= Self::LEN_MAX && word(domain) && word(name))
            .then(|| EntityId(text.to_owned()))
    }

    /// What stands before the dot.
    pub fn domain(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for EntityId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        EntityId::parse(&String::deserialize(from)?).ok_or_else(|| {
            D::Error::custom("an entity id is domain.name in lower-case letters, digits and _, to 255 characters")
        })
    }
}

/// The id of a row: 1 to 2^53, so that every client can hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct StateId(pub i64);

impl StateId {
    /// The largest: JavaScript counts exactly so far.
    pub const MAX: i64 = 1 << 53;
}

impl<'de> Deserialize<'de> for StateId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let id = i64::deserialize(from)?;
        if (1..=Self::MAX).contains(&id) {
            Ok(StateId(id))
        } else {
            Err(D::Error::custom("a state id is 1 to 2^53"))
        }
    }
}

/// The state: any text to 255 characters, also the empty one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct StateText(pub String);

impl StateText {
    /// The longest, in characters.
    pub const CHARS_MAX: usize = 255;
}

impl<'de> Deserialize<'de> for StateText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text.chars().count() <= Self::CHARS_MAX {
            Ok(StateText(text))
        } else {
            Err(D::Error::custom("a state has at most 255 characters"))
        }
    }
}

/// Attributes: any object, to 16 KiB as compact JSON.
///
/// Only their text is kept: as values, 16 KiB can take a MiB, and thousands may wait for the writer.
#[derive(Debug, Clone)]
pub struct Attributes {
    json: Box<RawValue>,
}

impl Attributes {
    /// The largest, in bytes of compact JSON.
    pub const LEN_MAX: usize = 16 << 10;

    /// Their JSON text.
    pub fn json(&self) -> &str {
        self.json.get()
    }

    /// Whether `json`, as it was stored, means the same; the order of keys does not count.
    pub fn equal(&self, json: &str) -> bool {
        let value = serde_json::from_str::<Value>;
        self.json.get() == json
            || matches!((value(self.json()), value(json)), (Ok(one), Ok(other)) if one == other)
    }
}

impl Default for Attributes {
    fn default() -> Self {
        Attributes { json: stored("{}".to_owned()) }
    }
}

impl Serialize for Attributes {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value: Map<String, Value> = Deserialize::deserialize(from)?;
        let json = serde_json::value::to_raw_value(&value).map_err(D::Error::custom)?;
        if json.get().len() > Self::LEN_MAX {
            return Err(D::Error::custom("attributes have at most 16 KiB"));
        }
        Ok(Attributes { json })
    }
}

/// JSON text that this service stored, as JSON.
pub(super) fn stored(json: String) -> Box<RawValue> {
    RawValue::from_string(json).expect("attributes are stored as JSON")
}

/// What the caller believes the row to hold; a mismatch is refused with `conflict`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Expected {
    /// The state it should have.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub state: Option<StateText>,
    /// The attributes it should have.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Attributes>,
}

/// `states:create`: adds a row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreateState {
    /// Of which entity.
    pub entity_id: EntityId,
    /// Its state.
    pub state: StateText,
    /// Its attributes, `{}` if absent.
    #[serde(default)]
    pub attributes: Attributes,
    /// What the entity's newest row should hold now.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
}

/// `states:get`: the newest row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetState {
    /// Of which entity.
    pub entity_id: EntityId,
}

/// `states:row`: the row of an id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetRow {
    /// Which row.
    pub state_id: StateId,
}

/// `states:list`: the newest row of each entity that the caller may read, by entity id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListStates {
    /// Which page.
    #[serde(flatten)]
    pub paging: Paging,
}

/// `states:history`: the rows of an entity, the newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListHistory {
    /// Of which entity.
    pub entity_id: EntityId,
    /// Only rows last updated at this time or later, RFC 3339.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Only rows last updated before this time, RFC 3339.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Which page.
    #[serde(flatten)]
    pub paging: Paging,
}

/// `states:update`: changes a row; one of `state` and `attributes` is needed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UpdateState {
    /// Which row.
    pub state_id: StateId,
    /// Its new state.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub state: Option<StateText>,
    /// Its new attributes, which replace the old ones.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Attributes>,
    /// What the row should hold now.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
}

/// `states:delete`: takes a row away.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeleteState {
    /// Which row.
    pub state_id: StateId,
    /// What the row should hold now.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
}

/// `states:remove`: takes an entity away with all its rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RemoveEntity {
    /// Which entity.
    pub entity_id: EntityId,
}

/// `subscribe_entities`: a snapshot, then only these.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SubscribeEntities {
    /// Which entities; absent: every one that the caller may read.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub entity_ids: Option<Vec<EntityId>>,
}

/// What is known now of the entities that were asked for.
#[derive(JsonSchema)]
pub(super) struct StatesSnapshot {
    /// The newest row of each.
    #[expect(dead_code, reason = "a snapshot is written row by row, to a limit")]
    data: Vec<State>,
}

/// A row, as replies and snapshots show it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct State {
    /// Its id.
    pub state_id: i64,
    /// Of which entity.
    pub entity_id: String,
    /// Its state.
    pub state: String,
    /// Its attributes.
    #[schemars(with = "Map<String, Value>")]
    pub attributes: Box<RawValue>,
    /// When the entity's state last became another; whole seconds, `Z`.
    pub last_changed: String,
    /// When the row last changed in any way; whole seconds, `Z`.
    pub last_updated: String,
}

/// The state of an entity was set, changed or taken away.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct StateChanged<'a> {
    /// Of which entity.
    entity_id: &'a EntityId,
    /// Its newest state from now on; `null`: it has none any more.
    new_state: Option<NewState<'a>>,
}

/// What an entity is.
#[derive(Debug, Serialize, JsonSchema)]
struct NewState<'a> {
    /// Its state.
    state: &'a str,
    /// Its attributes.
    #[schemars(with = "Map<String, Value>")]
    attributes: &'a RawValue,
}

/// The announcement of an entity's newest state; only the newest matters to a reader that cannot keep up.
/// Its audience are those who may read the entity, by whatever right.
pub(super) fn state_changed(
    tx: &ReadTx<'_>,
    entity_id: &EntityId,
    newest: Option<(&str, &RawValue)>,
) -> Result<Event, Fault> {
    let new_state = newest.map(|(state, attributes)| NewState { state, attributes });
    let payload = serde_json::value::to_raw_value(&StateChanged { entity_id, new_state })
        .expect("strings and JSON serialise");
    let mut topics = vec![
        Topic::Borrowed("states"),
        Topic::Owned(format!("domain/{}", entity_id.domain())),
        Topic::Owned(format!("entity/{entity_id}")),
    ];
    topics.extend(areas::rights::topics_with(tx, entity_id)?);
    Ok(Event {
        name: "state_changed".into(),
        key: entity_id.as_str().to_owned(),
        except: Vec::new(),
        variants: vec![Variant { topics, payload }],
        overflow: Overflow::Latest,
    })
}

#[cfg(test)]
mod tests {
    use super::Attributes;

    #[test]
    fn attributes_wait_as_text_alone() {
        assert_eq!(size_of::<Attributes>(), size_of::<Box<str>>());
        let attributes: Attributes =
            serde_json::from_str(r#"{"a":[1,2.0],"b":{"c":"d","e":null}}"#).expect("an object");
        let check =
            |other: &str, expected| assert_eq!(attributes.equal(other), expected, "{other}");
        check(r#"{"a":[1,2.0],"b":{"c":"d","e":null}}"#, true);
        check(r#"{"b":{"e":null,"c":"d"},"a":[1,2.0]}"#, true);
        check(r#"{"a":[2.0,1],"b":{"c":"d","e":null}}"#, false);
        check(r#"{"a":[1,2.0],"b":{"c":"d"}}"#, false);
        check("not JSON", false);
    }
}
