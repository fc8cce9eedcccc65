//! Requests and replies about areas, paired clients and pairing. In JSON the keys are spelled as the
//! document's clients know them: `entityIds`.

use bellwire_store::tx::Value;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{
    kit::{Label, Micros, Paging, Payload, number, present, timestamp_ms},
    states::EntityId,
};

/// The longest name of an area or a client, in characters.
pub const NAME_CHARS_MAX: usize = 128;
/// The most entities of an area.
pub const ENTITIES_MAX: usize = 1_000;
/// The most changes in one request.
pub const CHANGES_MAX: usize = 500;
/// The most entities that the areas have which one request changes: an area counts once for each of its changes, as
/// it was or as it becomes, whichever is more. They are told and answered in one transaction.
pub const CHANGED_ENTITIES_MAX: usize = 20_000;

/// The name of an area or a client.
pub type Name = Label<NAME_CHARS_MAX>;

/// A number with a word before it, as programs name a thing: `area_12`.
macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema)]
        #[schemars(inline, transparent)]
        pub struct $name(
            #[schemars(with = "String", regex(pattern = concat!("^", $prefix, "[1-9][0-9]*$")))]
            pub i64,
        );

        impl $name {
            /// The largest: JavaScript's `Number.MAX_SAFE_INTEGER`, up to which it counts exactly.
            pub const MAX: i64 = (1 << 53) - 1;

            /// The id that is written so: digits without a leading zero behind the word.
            pub fn parse(text: &str) -> Option<$name> {
                let number = number(text.strip_prefix($prefix)?)?;
                (number <= Self::MAX).then_some($name(number))
            }

            /// As a parameter of a statement.
            pub(super) fn value(self) -> Value<'static> {
                Value::Integer(self.0)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $name::parse(&String::deserialize(from)?).ok_or_else(|| D::Error::custom($what))
            }
        }
    };
}

numbered!(
    /// The id of an area.
    AreaId,
    "area_",
    "an area's id, e.g. area_12"
);
numbered!(
    /// The id of a paired client.
    ClientId,
    "client_",
    "a client's id, e.g. client_7"
);

/// Entities of an area, each once, to [`ENTITIES_MAX`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct EntityIds(pub(super) Vec<EntityId>);

impl<'de> Deserialize<'de> for EntityIds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut ids: Vec<EntityId> = Deserialize::deserialize(from)?;
        let mut seen = std::collections::HashSet::new();
        ids.retain(|id| seen.insert(id.clone()));
        if ids.len() <= ENTITIES_MAX {
            Ok(EntityIds(ids))
        } else {
            Err(D::Error::custom(format!("at most {ENTITIES_MAX} entities")))
        }
    }
}

/// An area.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Area {
    /// Its id.
    pub id: AreaId,
    /// What people call it.
    pub name: String,
    /// What is in it.
    pub entity_ids: EntityIds,
    /// Whether its clients may read what is in it.
    pub is_enabled: bool,
    /// When it was made, RFC 3339 with milliseconds.
    #[serde(serialize_with = "ms")]
    pub created_at: Micros,
    /// When it was changed last, the same: later with each change.
    #[serde(serialize_with = "ms")]
    pub updated_at: Micros,
}

fn ms<S: serde::Serializer>(at: &Micros, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&timestamp_ms(*at))
}

/// `areas.create`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateArea {
    /// What people call it.
    pub name: Name,
    /// What is in it.
    #[serde(default)]
    pub entity_ids: EntityIds,
    /// Whether its clients may read what is in it.
    #[serde(default = "yes")]
    pub is_enabled: bool,
}

fn yes() -> bool {
    true
}

/// `areas.change`: what is absent stays.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeArea {
    /// Which area.
    #[serde(rename = "areaId")]
    pub id: AreaId,
    /// What people call it.
    #[serde(default, deserialize_with = "present")]
    pub name: Option<Name>,
    /// All that is in it from now on.
    #[serde(default, deserialize_with = "present")]
    pub entity_ids: Option<EntityIds>,
    /// Whether its clients may read what is in it.
    #[serde(default, deserialize_with = "present")]
    pub is_enabled: Option<bool>,
    /// The `updatedAt` that the caller has seen; another one is refused.
    #[serde(default, deserialize_with = "present")]
    pub expected_updated_at: Option<Timestamp>,
}

/// `areas.change_all`: all of these, or none.
#[derive(Debug, Clone, Deserialize)]
pub struct ChangeAreas {
    /// The changes, in order: as [`ChangeArea`], with the area's id as `id`.
    pub items: Vec<Payload>,
}

/// `areas.toggle`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToggleArea {
    /// Which area.
    #[serde(rename = "areaId")]
    pub id: AreaId,
    /// What it is to be; absent: what it is not.
    #[serde(default, deserialize_with = "present")]
    pub is_enabled: Option<bool>,
    /// The `updatedAt` that the caller has seen; another one is refused.
    #[serde(default, deserialize_with = "present")]
    pub expected_updated_at: Option<Timestamp>,
}

/// One area: to look at it, or to take it away.
#[derive(Debug, Clone, Deserialize)]
pub struct OneArea {
    /// Which area.
    #[serde(rename = "areaId")]
    pub id: AreaId,
}

/// Asks for a list.
#[derive(Debug, Clone, Deserialize)]
pub struct List {
    /// Which page.
    #[serde(flatten)]
    pub paging: Paging,
}

/// A paired client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "PairedClient")]
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// What people call it.
    pub name: String,
    /// The areas that it has, by id.
    pub area_ids: Vec<AreaId>,
    /// Whether it is connected.
    pub online: bool,
    /// When it came or went last, RFC 3339 with milliseconds; `null`: never.
    pub last_seen: Option<String>,
    /// Whether its access was revoked.
    pub revoked: bool,
}

/// `clients.change`.
#[derive(Debug, Clone, Deserialize)]
pub struct ChangeClient {
    /// Which client.
    #[serde(rename = "clientId")]
    pub id: ClientId,
    /// What people call it.
    #[serde(default, deserialize_with = "present")]
    pub name: Option<Name>,
}

/// One client: to look at it, to revoke its access, or to take it away.
#[derive(Debug, Clone, Deserialize)]
pub struct OneClient {
    /// Which client.
    #[serde(rename = "clientId")]
    pub id: ClientId,
}

/// `clients.assign_all`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssignAll {
    /// Which client.
    #[serde(rename = "clientId")]
    pub id: ClientId,
    /// All areas that it has from now on.
    pub area_ids: Vec<AreaId>,
    /// Those that the caller has seen, in whatever order; others are refused.
    #[serde(default, deserialize_with = "present")]
    pub expected_area_ids: Option<Vec<AreaId>>,
}

/// `clients.assign` and `clients.unassign`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssignOne {
    /// Which client.
    #[serde(rename = "clientId")]
    pub id: ClientId,
    /// Which area.
    pub area_id: AreaId,
}

/// `clients.present`: who came and who went, as the server saw it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Presence {
    /// Who is connected now, and was not.
    pub came: Vec<String>,
    /// Who was, and is not.
    pub went: Vec<String>,
}

/// `clients.events`: what a client was told.
#[derive(Debug, Clone, Deserialize)]
pub struct ClientEvents {
    /// Which client.
    #[serde(rename = "clientId")]
    pub id: ClientId,
    /// Which events, from where.
    #[serde(flatten)]
    pub place: EventsPlace,
}

/// `clients.own_events`: what the caller was told.
#[derive(Debug, Clone, Deserialize)]
pub struct OwnEvents {
    /// Which events, from where.
    #[serde(flatten)]
    pub place: EventsPlace,
}

/// Which events.
#[derive(Debug, Clone, Deserialize)]
pub struct EventsPlace {
    /// Those after the one with this id; absent: the newest.
    #[serde(default, deserialize_with = "present")]
    pub since: Option<String>,
    /// At most so many: 1 to 1,000, 100 if absent.
    #[serde(default, deserialize_with = "present")]
    pub limit: Option<i64>,
}

/// `pairing.start`: a screen asks to be paired.
#[derive(Debug, Clone, Deserialize)]
pub struct StartPairing {
    /// What it calls itself.
    pub name: Name,
}

/// What the screen is told, as in RFC 8628 section 3.2.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Started {
    /// By this the screen asks what came of it: a secret.
    pub device_code: String,
    /// What it shows to people.
    pub user_code: String,
    /// Where they go with it.
    pub verification_uri: String,
    /// How long that may take, in seconds.
    pub expires_in: i64,
    /// The pause between two questions, in seconds.
    pub interval: i64,
}

/// `pairing.token`: the screen asks what came of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PollPairing {
    /// By which secret.
    pub device_code: String,
}

/// What a paired screen is told, beside `token`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Paired {
    /// What it is called from now on.
    pub client_id: ClientId,
    /// The areas that it has.
    pub assigned_areas: Vec<AreaId>,
}

/// This screen is a client from now on, with this token.
#[derive(JsonSchema)]
pub(super) struct PairingCompleted {
    /// Its token, which is signed as it is handed out.
    #[expect(dead_code, reason = "the server puts it before the rest when it hands it out")]
    token: String,
    #[serde(flatten)]
    #[expect(dead_code, reason = "the rest is told as it is")]
    paired: Paired,
}

/// A pairing as admins see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pairing {
    /// What the screen shows.
    pub user_code: String,
    /// What it calls itself.
    pub name: String,
    /// Which client it is, if it is one already.
    pub client_id: Option<ClientId>,
    /// When it asked, RFC 3339 with milliseconds.
    pub created_at: String,
    /// Until when it waits, the same.
    pub expires_at: String,
}

/// `pairing.approve`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approve {
    /// What the screen shows.
    pub user_code: UserCode,
    /// What the client is called; absent: what the screen calls itself.
    #[serde(default, deserialize_with = "present")]
    pub name: Option<Name>,
    /// The areas that it has from then on; absent: those that it has.
    #[serde(default, deserialize_with = "present")]
    pub area_ids: Option<Vec<AreaId>>,
}

/// `pairing.deny`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deny {
    /// What the screen shows.
    pub user_code: UserCode,
}

/// What a person reads off a screen: 8 letters of 20, with or without a hyphen and whatever their case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCode(pub(super) String);

impl UserCode {
    /// Consonants that no word is made of, and that are not taken for digits (RFC 8628 section 6.1).
    pub(super) const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
    /// How many letters it has.
    pub(super) const LEN: usize = 8;

    /// The code with the hyphen that makes it easier to read.
    pub(super) fn shown(&self) -> String {
        let (first, last) = self.0.split_at(Self::LEN / 2);
        format!("{first}-{last}")
    }
}

impl<'de> Deserialize<'de> for UserCode {
    /// Whatever was typed: what is no code is nobody's.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let typed = String::deserialize(from)?;
        let letters = typed.chars().filter(|c| c.is_ascii_alphanumeric());
        Ok(UserCode(letters.take(Self::LEN + 1).collect::<String>().to_ascii_uppercase()))
    }
}

/// A command of the server's own about a token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TokenUsed {
    /// Its id, e.g. `tok_7`.
    pub token: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_spelling() {
        for (text, id) in [
            ("area_1", Some(AreaId(1))),
            ("area_9007199254740991", Some(AreaId(AreaId::MAX))),
            ("area_9007199254740992", None),
            ("area_0", None),
            ("area_-1", None),
            ("area_01", None),
            ("area_+1", None),
            ("area_", None),
            ("area_1 ", None),
            ("Area_1", None),
            ("client_1", None),
            ("1", None),
            ("", None),
        ] {
            assert_eq!(AreaId::parse(text), id, "{text}");
        }
        assert_eq!(ClientId(7).to_string(), "client_7");
    }

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let read =
            |typed: &str| serde_json::from_value::<UserCode>(typed.into()).expect("a text").0;
        for typed in ["WDJB-MJHT", "wdjbmjht", " WDJB mjht ", "w-d-j-b-m-j-h-t"] {
            assert_eq!(read(typed), "WDJBMJHT", "{typed}");
        }
        assert_eq!(read("WDJBMJHTX"), "WDJBMJHTX");
        assert_eq!(read("WDJB-MJHT-WDJB-MJHT").len(), 9, "no more than it takes to be wrong");
        assert_eq!(UserCode("WDJBMJHT".into()).shown(), "WDJB-MJHT");
    }
}
