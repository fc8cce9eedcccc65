//! The vocabulary of a service: what it offers ([`Service`]), what a decision is given ([`Ctx`]),
//! and how a request becomes a typed call. Nothing here knows a protocol or a socket.

mod answer;
mod dialect;
pub mod due;
pub mod idempotency;
mod label;
mod number;
mod page;
mod principal;
mod route;
mod service;
mod stream;
mod time;

pub use answer::{
    Answer, Aside, Claims, Reply, Signal, Signed, Upserted, Verdict, WithAside, room_and_number,
};
pub use bellwire_store::{
    change::{Code, Effect, Event, Fault, Micros, Outcome, Overflow, Topic, Variant, Words},
    tx::{ReadTx, Tx},
};
pub use dialect::{Dialect, Refused, RefusedAt, Said, Spelling};
pub use label::{Label, is_label};
pub use number::{Number, number};
pub use page::{PAGE_LEN, PAGE_LEN_MAX, Page, Paging, wrong_cursor};
pub use principal::{Principal, Role, Scope};
pub use route::{Cookie, Method, Route};
pub use service::{
    Access, BoundCommand, BoundQuery, Command, Decision, Look, Meter, Named, Names, Namespace,
    PayloadSchema, Prepared, Query, Service, Snapshot, Spoken, Subscribe, Subscription, Told, Work,
    declared,
};
pub use stream::{
    Entries, Exists, FirstShown, Greeting, Heard, Hears, Part, Place, RoomTopic, Rooms,
    SNAPSHOT_LEN_MAX, Still, Stream, Topics, Wish,
};
pub use time::{timestamp, timestamp_bare, timestamp_exact, timestamp_ms};

use std::cell::Cell;

use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// The fields of a request, in the order they came.
pub type Payload = serde_json::Map<String, serde_json::Value>;

/// The only source of time, identity and chance in a decision.
#[derive(Debug)]
pub struct Ctx<'a> {
    /// When this is decided.
    pub now: Micros,
    /// Who asks.
    pub principal: &'a Principal,
    /// Fresh, unguessable ids.
    pub ids: Ids,
    /// What the operator set.
    pub settings: &'a Settings,
    /// The origin at which the caller found this server, e.g. `https://home.example`; empty where nobody knows.
    pub origin: &'a str,
    /// The stream that the call came from; `None` if it came any other way.
    pub place: Option<Place>,
}

/// What an operator sets about the services.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a login lasts, in seconds.
    pub session_s: i64,
    /// How many readings a device may send in a second.
    pub readings_per_second: u32,
    /// Where it is the day and the time that people are shown.
    pub time_zone: jiff::tz::TimeZone,
    /// How long a user whose connection was lost may take to come back, in milliseconds.
    pub presence_grace_ms: u64,
    /// How long a station holds a battery for who booked it, in microseconds.
    pub booking_hold: Micros,
    /// How many bookings a user may have that are neither collected nor over.
    pub bookings_per_user: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            session_s: 12 * 3_600,
            readings_per_second: 1_000,
            time_zone: jiff::tz::TimeZone::UTC,
            presence_grace_ms: 5_000,
            booking_hold: 30 * 60 * 1_000_000,
            bookings_per_user: 20,
        }
    }
}

/// A source of unguessable ids. Made again from the same seed, it gives the same ids again: a decision
/// that is repeated makes no new ones.
#[derive(Debug)]
pub struct Ids {
    seed: [u8; 32],
    made: Cell<u32>,
}

impl Ids {
    /// Ids that follow from `seed`; the seed must come from the system's generator.
    pub fn new(seed: [u8; 32]) -> Self {
        Ids { seed, made: Cell::new(0) }
    }

    /// 128 bits as 32 hexadecimal digits.
    pub fn text(&self) -> String {
        self.bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// 128 bits.
    pub fn bytes(&self) -> [u8; 16] {
        let count = self.made.get();
        self.made.set(count + 1);
        let digest: [u8; 32] = Sha256::new()
            .chain_update(self.seed)
            .chain_update(count.to_be_bytes())
            .finalize()
            .into();
        *digest.first_chunk().expect("a digest has 32 bytes")
    }
}

/// Reads a typed request from its fields. Unknown fields are ignored.
///
/// # Errors
/// [`Code::Invalid`], naming the field.
pub fn parse<T: DeserializeOwned>(payload: Payload) -> Result<T, Fault> {
    serde_path_to_error::deserialize(serde_json::Value::Object(payload)).map_err(|error| {
        let path = error.path().to_string();
        let cause = shortened(error.into_inner().to_string());
        let path = shortened(path);
        Fault::new(Code::Invalid, if path == "." { cause } else { format!("{path}: {cause}") })
    })
}

/// The most bytes of words that may repeat what a client sent, at either end of them.
const WORDS_END_LEN_MAX: usize = 120;

/// Words, without their middle if they are long: they may repeat a value, and a value may be long.
pub fn shortened(words: String) -> String {
    if words.len() <= 2 * WORDS_END_LEN_MAX {
        return words;
    }
    let begin = words.floor_char_boundary(WORDS_END_LEN_MAX);
    let end = words.ceil_char_boundary(words.len() - WORDS_END_LEN_MAX);
    format!("{}...{}", &words[..begin], &words[end..])
}

/// For an optional field that may be absent but not `null`:
/// `#[serde(default, deserialize_with = "present")]`.
///
/// # Errors
/// Whatever `T` refuses.
pub fn present<'de, D: serde::Deserializer<'de>, T: serde::Deserialize<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_an_end() {
        let check = |words: String, begins: &str, ends: &str| {
            let shown = shortened(words);
            assert!(shown.len() <= 2 * WORDS_END_LEN_MAX + 3, "{shown}");
            assert!(shown.starts_with(begins) && shown.ends_with(ends), "{shown}");
        };
        check("missing field `a`".into(), "missing field `a`", "missing field `a`");
        for long in ["x", "\u{e4}", "\u{20ac}", "\u{1f514}"].map(|letter| letter.repeat(9_999)) {
            let words = format!("invalid type: string {long:?}, expected a map");
            check(words, "invalid type: string \"", "\", expected a map");
        }
    }
}
