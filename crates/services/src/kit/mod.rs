//! The vocabulary of a service: what it offers ([`Service`]), what a decision is given ([`Ctx`]),
//! and how a request becomes a typed call. Nothing here knows a protocol or a socket.

mod answer;
mod dialect;
pub mod idempotency;
mod principal;
mod service;
mod time;

pub use answer::{Answer, Claims, Signed};
pub use bellwire_store::{
    change::{Code, Effect, Event, Fault, Micros, Outcome, Overflow, Topic, Variant},
    tx::{ReadTx, Tx},
};
pub use dialect::{Dialect, Spelling};
pub use principal::{Principal, Role, Scope};
pub use service::{
    Access, BoundCommand, BoundQuery, Command, Query, Service, Snapshot, Stream, Subscribe,
    Subscription, Tail,
};
pub use time::timestamp;

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
        let count = self.made.get();
        self.made.set(count + 1);
        let digest =
            Sha256::new().chain_update(self.seed).chain_update(count.to_be_bytes()).finalize();
        digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Reads a typed request from its fields. Unknown fields are ignored.
///
/// # Errors
/// [`Code::Invalid`], naming the field.
pub fn parse<T: DeserializeOwned>(payload: Payload) -> Result<T, Fault> {
    serde_path_to_error::deserialize(serde_json::Value::Object(payload)).map_err(|error| {
        let path = error.path().to_string();
        let cause = error.into_inner();
        Fault::new(
            Code::Invalid,
            if path == "." { cause.to_string() } else { format!("{path}: {cause}") },
        )
    })
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
