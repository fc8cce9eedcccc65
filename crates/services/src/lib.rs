//! What Bellwire knows: its services, as values.
//!
//! A service is a table ([`kit::Service`]) of commands, queries, streams and migrations. The code
//! behind it decides inside a transaction and does nothing else: no I/O, no clock, no chance. Time,
//! identity and fresh ids come in with [`kit::Ctx`], so that a decision run twice decides the same.
//!
//! Adding a service is a `mod` line and an entry in [`all`].

pub mod identity;
pub mod kit;
pub mod live_sessions;
pub mod states;

use kit::{Fault, Principal, Service, Topic};

/// Every service of this server.
pub fn all() -> Vec<Service> {
    vec![
        kit::idempotency::service(),
        identity::service(),
        live_sessions::service(),
        states::service(),
    ]
}

/// All topics that a principal may hear now, over all services.
pub fn readable_topics(principal: &Principal) -> Vec<Topic> {
    states::rights::topics(principal)
}

/// Judges a change of a token's rights, by the rules of all services.
///
/// # Errors
/// [`Code::Invalid`](kit::Code::Invalid) when a service forbids it.
pub fn check_change(old: &Principal, new: &Principal) -> Result<(), Fault> {
    states::rights::check_change(old, new)
}
